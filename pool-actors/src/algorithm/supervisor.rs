//! AlgorithmSupervisor: drives roll-outs, and owns the generations in service.
//!
//! * **receives** [`StagePackage`], [`Deploy`], [`SteerDeployment`] from operators; [`SlotAlarm`] from trial workers;
//!   [`Observe`]
//! * **sends** [`SetRoutes`] to the TrafficRouter, [`Publish`] to the EventPublisher; writes every step to the store;
//!   publishes an [`AlgorithmsView`]
//! * **supervised by** the factory supervisor. Its state (generations with their shares) outlives it; a deployment whose
//!   supervisor died is rolled back
//! * **on overload** does not arise: operators act seldom, and a trial that fails is taken out at its first alarm
//!
//! A step forward is written before it is acted on. A step back is acted on first.

mod kept;
mod node;
mod recovery;
mod shelf;
mod steps;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actix::{
    Actor, ActorFutureExt as _, AsyncContext as _, Context, Handler, Message, MessageResult,
    ResponseActFuture, WrapFuture as _,
};
use kept::{Kept, OldRoute};
use pool_domain::{
    ids::AlgorithmName,
    isolation::Level,
    rollout::{Event, RollbackReason, Rollout, RolloutKind},
    slot_health::Thresholds,
    units::BasisPoints,
};

use recovery::Recovery;

use super::{
    deployment::{Deployment, rollout_plan},
    router::SetRoutes,
    slot::{Place, SlotHandle},
    trial::SlotAlarm,
};
use crate::{
    messages::{
        deployment::{
            AlgorithmsView, Deploy, DeployError, DeploymentView, Evidence, SlotView, StagePackage,
            StagedView, Steer, SteerDeployment, may_not_replace,
        },
        event::{PoolEvent, Publish},
        job::NodeState,
        trouble::ErrorDesk,
    },
    metrics::SLOT_RESTARTS_TOTAL,
    ports::{
        clock::SharedClock,
        deployments::{DeployPlan, DeploymentRow, SharedDeployments, Strategy, TrailLine},
        node::SharedNode,
        packages::{Package, PackageRef, SharedShelf},
    },
    runtime::{
        critical::CriticalOutbox,
        observe::{Observation, Observe},
        outbox::Outbox,
        watch::{Publisher, Watched},
    },
};

/// How often a deployment is looked at.
const TICK: Duration = Duration::from_millis(100);
/// Ticks between two events about the same step.
const TICKS_PER_EVENT: u32 = 10;

/// Times and bounds.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What is too much.
    pub thresholds: Thresholds,
    /// A worker that is inside foreign code for so long hangs.
    pub hang_after: Duration,
    /// Longest warm-up.
    pub warm_up_max: Duration,
    /// How long the old generation goes on for shares of old jobs once the new one serves everyone.
    pub drain_for: Duration,
    /// How long the shares of a generation that is gone are still judged (by the one that replaced it).
    pub old_routes_for: Duration,
    /// How long a generation of a function that is not mined any more still judges the shares of its own jobs: as long as
    /// sessions hand them over.
    pub own_jobs_for: Duration,
    /// How long the node may give no work of the new function before a migration goes back.
    pub no_work_for: Duration,
}

/// The algorithm in force.
pub struct Active {
    /// Which one.
    pub package: PackageRef,
    /// How far the pool is kept from its code.
    pub level: Level,
    /// Difficulty of its fresh sessions, if it says one.
    pub initial_difficulty: Option<u64>,
    /// Its generation.
    pub handle: SlotHandle,
}

/// What outlives the actor.
pub struct State {
    active: Active,
    staged: Option<Package>,
    deployment: Option<Deployment>,
    /// The last deployment of this process.
    last: Option<DeploymentView>,
    /// Generations that are gone.
    old_routes: Vec<OldRoute>,
    /// Generations of functions that are not mined any more, or not yet again: they finish the shares of their own jobs.
    kept: Vec<Kept>,
    /// In a migration: why the node gives no work of what is staged.
    no_work: Option<String>,
    recovery: Recovery,
    next_id: u64,
    next_generation: u32,
}

impl State {
    /// `active` is in force; deployments and generations are numbered from these on.
    #[must_use]
    pub fn new(active: Active, next_id: u64, next_generation: u32) -> Self {
        Self {
            active,
            staged: None,
            deployment: None,
            last: None,
            old_routes: Vec::new(),
            kept: Vec::new(),
            no_work: None,
            recovery: Recovery::default(),
            next_id,
            next_generation,
        }
    }

    /// A deployment that a restart interrupted goes on where it was.
    pub fn resume(&mut self, row: DeploymentRow, package: Package) {
        self.deployment = Some(Deployment::new(row, package));
    }

    /// This deployment brought what is in force.
    pub fn brought_by(&mut self, row: DeploymentRow) {
        self.recovery.proven(row);
    }

    /// The generations in service, for the pool's stop.
    #[must_use]
    pub fn into_slots(self) -> Vec<SlotHandle> {
        let candidate = self.deployment.and_then(|deployment| deployment.handle);
        let kept = self.kept.into_iter().map(|kept| kept.handle);
        std::iter::once(self.active.handle).chain(candidate).chain(kept).collect()
    }
}

/// Where the state is between two lives of the actor.
pub type StateCell = Arc<Mutex<Option<State>>>;

/// Computes the function of that name, if anything linked into this program does.
pub type LinkedIn = Arc<dyn Fn(&str) -> Option<Package> + Send + Sync>;

/// What an AlgorithmSupervisor works with.
#[derive(Clone)]
pub struct Parts {
    /// What outlives it.
    pub state: StateCell,
    /// Where generations run.
    pub place: Place,
    /// The chain: whether it gives work of another function.
    pub node: SharedNode,
    /// Whether it still does.
    pub work: Watched<NodeState>,
    /// Computes a function, if anything linked into this program does: what all else fails back to.
    pub linked_in: LinkedIn,
    /// Who owns the routes.
    pub router: CriticalOutbox<SetRoutes>,
    /// Where steps are written.
    pub store: SharedDeployments,
    /// Wall clock.
    pub clock: SharedClock,
    /// Who tells the world.
    pub events: Outbox<Publish>,
    /// What everybody may see.
    pub view: Arc<Publisher<AlgorithmsView>>,
    /// Where packages are kept, if anywhere.
    pub shelf: Option<SharedShelf>,
    /// Times and bounds.
    pub settings: Settings,
}

/// See the module's documentation.
pub struct AlgorithmSupervisor {
    parts: Parts,
    state: Option<State>,
    routes_owed: bool,
    ticks: u32,
}

impl AlgorithmSupervisor {
    /// A supervisor of what is in [`Parts::state`].
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let state = parts.state.lock().unwrap_or_else(PoisonError::into_inner).take();
        Self { parts, state, routes_owed: true, ticks: 0 }
    }

    fn deployment(&mut self) -> Option<&mut Deployment> {
        self.state.as_mut()?.deployment.as_mut()
    }

    /// What is linked in and computes the function in force.
    fn linked_in(&self) -> Option<Package> {
        let state = self.state.as_ref()?;
        (self.parts.linked_in)(&state.active.package.hash_function)
    }

    fn errors(&self) -> ErrorDesk {
        ErrorDesk::new(self.parts.events.clone(), Arc::clone(&self.parts.clock))
    }

    fn trail(&self, row: &DeploymentRow, action: &str, by: &str, detail: String) -> TrailLine {
        TrailLine {
            at: self.parts.clock.now(),
            action: action.to_owned(),
            stage: super::deployment::stage_name(row),
            traffic: row.rollout.candidate_share(),
            by: by.to_owned(),
            detail,
        }
    }

    fn publish_view(&self) {
        let Some(state) = &self.state else { return };
        let traffic = state.deployment.as_ref().map_or(BasisPoints::ZERO, Deployment::traffic);
        let slot = |handle: &SlotHandle, package: &PackageRef, traffic: BasisPoints| SlotView {
            route: handle.route,
            package: package.clone(),
            life: handle.life().name().to_owned(),
            traffic,
            in_flight: handle.in_flight(),
            counts: handle.counts(),
        };
        let rest = BasisPoints(BasisPoints::ALL.0 - traffic.0);
        let mut slots = vec![slot(&state.active.handle, &state.active.package, rest)];
        if let Some(deployment) = &state.deployment
            && let Some(handle) = &deployment.handle
        {
            slots.push(slot(handle, &deployment.row.package, traffic));
        }
        slots.extend(state.kept.iter().map(|kept| slot(&kept.handle, &kept.package, BasisPoints::ZERO)));
        self.parts.view.set(AlgorithmsView {
            isolation: state.active.level,
            linked_in: self.linked_in().map(|package| package.reference),
            active: Some(state.active.package.clone()),
            staged: state.staged.as_ref().map(|staged| StagedView {
                package: staged.reference.clone(),
                report: staged.report.clone(),
                replaces: staged.replaces.clone(),
                rollback_supported: staged.rollback_supported,
                no_work: state.no_work.clone(),
            }),
            deployment: self.latest_view(),
            slots,
        });
    }

    /// The view, and an event about the deployment in it.
    fn publish(&self) {
        self.publish_view();
        if let Some(view) = &self.parts.view.get().deployment {
            let event = PoolEvent::Deployment(Arc::new(view.clone()));
            self.parts.events.offer(Publish { at: self.parts.clock.now(), event });
        }
    }

    fn latest_view(&self) -> Option<DeploymentView> {
        let state = self.state.as_ref()?;
        state.deployment.as_ref().map(Deployment::view).or_else(|| state.last.clone())
    }

    fn check(&self, deploy: &Deploy) -> Result<(Package, RolloutKind), DeployError> {
        // Without state the pool is stopping.
        let state = self.state.as_ref().ok_or(DeployError::NothingStaged)?;
        if let Some(deployment) = &state.deployment {
            return Err(DeployError::InProgress(deployment.row.id));
        }
        let staged = state.staged.as_ref().ok_or(DeployError::NothingStaged)?;
        let meant = deploy.digest.as_deref().is_none_or(|digest| staged.reference.digest() == Some(digest));
        let package = deploy.loaded.as_ref().unwrap_or(staged).clone();
        if !meant || package.reference != staged.reference {
            return Err(DeployError::StagedChanged { staged: staged.reference.id() });
        }
        let active = &state.active.package;
        let upgrade = package.reference.hash_function == active.hash_function;
        let kind = if upgrade { RolloutKind::Upgrade } else { RolloutKind::Migration };
        if let Some(may) = may_not_replace(&package.reference, package.replaces.as_deref(), active)
            && !deploy.override_migration_from
        {
            let (package, active) = (package.reference.id(), active.id());
            return Err(DeployError::MayNotReplace { package, may, active });
        }
        AlgorithmName::new(&package.reference.hash_function)
            .map_err(|error| DeployError::Plan(format!("its hash function: {error}")))?;
        if !package.rollback_supported && deploy.confirm.as_deref() != Some(&package.reference.name) {
            return Err(DeployError::Unconfirmed(package.reference.name));
        }
        if deploy.plan.strategy == Strategy::Scheduled && deploy.plan.at.is_none() {
            return Err(DeployError::Plan("a scheduled deployment needs a time: config.at".into()));
        }
        Ok((package, kind))
    }

    /// Takes a new deployment in; it is written before it counts.
    fn begin(&mut self, deploy: &Deploy) -> Result<(DeploymentRow, TrailLine), DeployError> {
        let (package, kind) = self.check(deploy)?;
        let plan = rollout_plan(&deploy.plan).map_err(|error| DeployError::Plan(error.to_string()))?;
        let now = self.parts.clock.now();
        let state = self.state.as_mut().ok_or(DeployError::NothingStaged)?;
        let row = DeploymentRow {
            id: state.next_id,
            revision: 1,
            package: package.reference.clone(),
            replaces: state.active.package.clone(),
            generation: state.next_generation,
            plan: DeployPlan { isolation: package.report.isolation, ..deploy.plan.clone() },
            rollout: Rollout::new(kind, plan),
            created_at: now,
            updated_at: now,
            by: deploy.by.clone(),
        };
        // Numbers are never used twice, not even if this one can't be written.
        state.next_id += 1;
        state.next_generation += 1;
        let downgrade = package.report.downgrade.clone();
        let may = may_not_replace(&row.package, package.replaces.as_deref(), &row.replaces);
        let mut deployment = Deployment::new(row.clone(), package);
        deployment.writing = true;
        state.deployment = Some(deployment);
        let mut detail = format!(
            "{} in place of {}, isolation {}",
            row.package.id(),
            row.replaces.id(),
            row.plan.isolation
        );
        if let Some(reason) = downgrade {
            detail.push_str(&format!("; older than one staged before, let in because: {reason}"));
        }
        if let Some(may) = may {
            detail.push_str(&format!(", although its author lets it replace only {may}"));
        }
        let line = self.trail(&row, "deployed", &deploy.by, detail);
        Ok((row, line))
    }
}

impl Drop for AlgorithmSupervisor {
    fn drop(&mut self) {
        *self.parts.state.lock().unwrap_or_else(PoisonError::into_inner) = self.state.take();
    }
}

impl Actor for AlgorithmSupervisor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        // With its generation running, it is a former life's: nobody knows what that one was about to do.
        if self.deployment().is_some_and(|deployment| deployment.handle.is_some() || deployment.writing) {
            let reason = RollbackReason::SlotFailed("the pool's AlgorithmSupervisor died meanwhile".into());
            self.fall_back(&reason, "pool", context);
        }
        self.publish_routes();
        self.publish_view();
        self.tidy_shelf(context);
        context.run_interval(TICK, Self::tick);
    }
}

impl Handler<StagePackage> for AlgorithmSupervisor {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, StagePackage(package): StagePackage, _: &mut Self::Context) -> Self::Result {
        tracing::info!(package = package.reference.id(), "an algorithm is staged");
        if let Some(state) = &mut self.state {
            state.staged = Some(package);
            state.no_work = None;
        }
        self.publish_view();
        // The plan is asked for next: it says whether the node gives such work.
        let asking = self.ask_about_staged();
        Box::pin(asking.into_actor(self).map(|answer, actor, context| {
            actor.note_about_staged(answer);
            actor.publish_view();
            actor.tidy_shelf(context);
        }))
    }
}

impl Handler<Deploy> for AlgorithmSupervisor {
    type Result = ResponseActFuture<Self, Result<DeploymentView, DeployError>>;

    fn handle(&mut self, deploy: Deploy, _: &mut Self::Context) -> Self::Result {
        let (row, line) = match self.begin(&deploy) {
            Ok(begun) => begun,
            Err(error) => return Box::pin(actix::fut::ready(Err(error))),
        };
        let store = Arc::clone(&self.parts.store);
        let id = row.id;
        let asking = self.ask_about_migration(&row);
        let write = async move {
            asking.await?;
            store.record(row, line).await.map_err(DeployError::Store)
        };
        Box::pin(write.into_actor(self).map(move |written, actor, _| {
            let begun = actor.deployment().filter(|deployment| deployment.row.id == id);
            let outcome = match (written, begun) {
                (Ok(()), Some(deployment)) => {
                    // Unless it was called back already, which is being written.
                    deployment.writing = deployment.stage().is_final();
                    Ok(deployment.view())
                }
                (Ok(()), None) => Err(DeployError::NotUnderWay(id)),
                (Err(error), begun) => {
                    let called_back = begun.is_some_and(|deployment| deployment.stage().is_final());
                    if let Some(state) = actor.state.as_mut().filter(|_| !called_back) {
                        state.deployment = None;
                    }
                    Err(error)
                }
            };
            actor.publish();
            outcome
        }))
    }
}

impl Handler<SteerDeployment> for AlgorithmSupervisor {
    type Result = ResponseActFuture<Self, Result<DeploymentView, DeployError>>;

    fn handle(&mut self, order: SteerDeployment, context: &mut Self::Context) -> Self::Result {
        let ready = |outcome| -> Self::Result { Box::pin(actix::fut::ready(outcome)) };
        let Some(deployment) = self.deployment().filter(|deployment| deployment.row.id == order.id) else {
            return ready(Err(DeployError::NotUnderWay(order.id)));
        };
        let stage = deployment.stage();
        let (event, action) = match order.steer {
            Steer::RollBack { reason } => {
                if stage.is_final() {
                    return ready(Err(DeployError::Refused(format!("the roll-out is over ({stage})"))));
                }
                self.fall_back(&RollbackReason::Requested(reason), &order.by, context);
                let view = self.deployment().map(|deployment| deployment.view());
                return ready(view.ok_or(DeployError::NotUnderWay(order.id)));
            }
            _ if deployment.writing => {
                return ready(Err(DeployError::Refused("a step is just being taken: try again".into())));
            }
            Steer::Pause => (Event::Pause, "paused"),
            Steer::Resume => (Event::Resume, "resumed"),
            Steer::Advance => (Event::Advance(stage), "advanced"),
        };
        let (row, line) = match self.prepare(event, action, &order.by) {
            Ok(prepared) => prepared,
            Err(error) => return ready(Err(error)),
        };
        let store = Arc::clone(&self.parts.store);
        let write = async move { store.record(row.clone(), line).await.map(|()| row) };
        Box::pin(write.into_actor(self).map(move |written, actor, context| {
            let outcome = match written {
                Ok(row) => {
                    actor.written(row, context);
                    actor.latest_view().ok_or(DeployError::NotUnderWay(order.id))
                }
                Err(error) => {
                    if let Some(deployment) = actor.deployment() {
                        deployment.writing = false;
                    }
                    Err(DeployError::Store(error))
                }
            };
            actor.publish();
            outcome
        }))
    }
}

impl Handler<SlotAlarm> for AlgorithmSupervisor {
    type Result = ();

    fn handle(&mut self, alarm: SlotAlarm, context: &mut Self::Context) {
        let Some(deployment) = self.deployment() else { return };
        let route = deployment.handle.as_ref().map(|handle| handle.route);
        let (about, reason, evidence) = match alarm {
            SlotAlarm::HashDiffers { route, input, got, expected } => {
                let reason = RollbackReason::HashDiffers(hex::encode(input));
                (route, reason, Some(Evidence { input, got, expected }))
            }
            SlotAlarm::Panicked { route, message } => {
                let slot = route.slot.to_string();
                metrics::counter!(SLOT_RESTARTS_TOTAL, "slot" => slot, "cause" => "panic").increment(1);
                (route, RollbackReason::SlotFailed(format!("it panicked: {message}")), None)
            }
        };
        if route != Some(about) || deployment.stage().is_final() {
            return;
        }
        if deployment.evidence.is_none() {
            deployment.evidence = evidence;
        }
        self.fall_back(&reason, "pool", context);
    }
}

/// A warm-up has ended, or took too long.
#[derive(Message)]
#[rtype(result = "()")]
struct Warmed {
    id: u64,
    outcome: Result<super::warm_up::WarmedUp, super::warm_up::ColdReason>,
}

impl Handler<Warmed> for AlgorithmSupervisor {
    type Result = ();

    fn handle(&mut self, warmed: Warmed, context: &mut Self::Context) {
        self.warmed(warmed, context);
    }
}

impl Handler<Observe> for AlgorithmSupervisor {
    type Result = MessageResult<Observe>;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Self::Result {
        #[derive(serde::Serialize)]
        struct Seen {
            active: Option<String>,
            staged: Option<String>,
            deployment: Option<u64>,
            stage: Option<String>,
            old_routes: usize,
            kept: usize,
        }
        let state = self.state.as_ref();
        let deployment = state.and_then(|state| state.deployment.as_ref());
        MessageResult(Observation::of(&Seen {
            active: state.map(|state| state.active.package.id()),
            staged: state.and_then(|state| state.staged.as_ref()).map(|staged| staged.reference.id()),
            deployment: deployment.map(|deployment| deployment.row.id),
            stage: deployment.map(|deployment| deployment.stage().to_string()),
            old_routes: state.map_or(0, |state| state.old_routes.len()),
            kept: state.map_or(0, |state| state.kept.len()),
        }))
    }
}
