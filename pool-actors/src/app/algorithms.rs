//! The algorithm in force and its AlgorithmSupervisor; what a restart does with a deployment that it interrupted.
//!
//! The rule: one that served everyone already (draining) is complete. An earlier one goes on at its step, whose time
//! starts anew, if its package can still be loaded and shows again what it must (warm-up); else it is rolled back. So is
//! one whose native code ran inside the pool: it may be what ended the pool, and would end it again.
//!
//! What was deployed last is in force, also after a migration: `algorithms.active` names what the pool begins with. It
//! wins only if it names a function that the deployments since did not come from.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use plugin_sdk::PowAlgorithm;
use pool_domain::{
    ids::{AlgorithmName, Generation, Route, SlotId},
    isolation::Level,
    rollout::{Event, RollbackReason, Stage},
    slot_health::Thresholds,
    traffic_split::TrafficSplit,
    units::BasisPoints,
};
use pool_engine::Registry;

use super::{
    native_starts::NativeStarts,
    start::{Wiring, restarting},
};
use crate::{
    algorithm::{
        proves_itself,
        router::{Routes, SetRoutes, TrafficRouter},
        slot::{Place, SlotHandle},
        supervisor::{self, Active, AlgorithmSupervisor, State, StateCell},
    },
    api::DeployDefaults,
    config::{self, Config},
    error::{Code, Failure},
    messages::{
        deployment::{AlgorithmDoors, AlgorithmsView},
        route::InService,
        trouble::ErrorDesk,
    },
    ports::{
        deployments::{DeployPlan, DeploymentRow, SharedDeployments, Strategy, TrailLine},
        packages::{Package, PackageRef, PackageSource, SharedShelf},
        store::StoreError,
    },
    runtime::{
        critical::CriticalOutbox,
        supervisor::{Supervised, supervise},
        watch::watched,
    },
};

/// Deployments looked at on start; what is in force is among them, or nothing was deployed for long.
const ROWS: usize = 200;

/// Where algorithms and deployments are kept.
pub(super) struct Kept {
    pub(super) store: SharedDeployments,
    pub(super) shelf: Option<SharedShelf>,
    /// The configured algorithm, linked in.
    pub(super) configured: Package,
    /// How far the pool is kept from the code of packages that came with it.
    pub(super) isolation: Level,
    /// Which starts native code inside the pool outlived.
    pub(super) native: NativeStarts,
}

/// The supervisor, and what is left when it ends.
pub(super) struct Algorithms {
    supervisor: Supervised<AlgorithmSupervisor>,
    cell: StateCell,
    native: NativeStarts,
    pub(super) doors: AlgorithmDoors,
}

/// What is in force after a start.
struct Restored {
    package: Package,
    generation: u32,
    level: Level,
    brought_by: Option<DeploymentRow>,
    resumed: Option<(DeploymentRow, Package)>,
    next_id: u64,
    next_generation: u32,
}

/// Starts the algorithm in force and its supervisor; when this returns, shares find their way.
pub(super) async fn start(
    wiring: &Wiring,
    place: Place,
    kept: &Kept,
    (routes, router): (&Routes, &Supervised<TrafficRouter>),
    config: &Config,
) -> Result<Algorithms, Failure> {
    let restored = restore(wiring, kept).await.map_err(|error| {
        Failure::new(
            Code::StoreUnusable,
            format!("deployments can't be read or written ({error})"),
            "see store.url; restore a backup if it is damaged",
        )
    })?;
    let route = Route { slot: SlotId(0), generation: Generation(restored.generation) };
    let handle = SlotHandle::start(&place.at(restored.level), route, &restored.package.algorithm);
    let reference = &restored.package.reference;
    let source = match reference.source {
        PackageSource::LinkedIn => "linked_in",
        PackageSource::Package { .. } => "package",
    };
    tracing::info!(
        algorithm = reference.id(), function = reference.hash_function, %route, source,
        isolation = %restored.level, "in force"
    );
    let function = AlgorithmName::new(&reference.hash_function).map_err(|error| {
        let what = format!("{}: its hash function: {error}", reference.id());
        Failure::new(Code::AlgorithmUnknown, what, "set algorithms.active to a name such as blake2s")
    })?;
    // Sessions and jobs come right after this: don't let them wait for the router's first turn.
    routes.set(SetRoutes {
        doors: vec![(route, handle.doors())],
        in_service: InService::only(&function, TrafficSplit::whole(route))
            .beginning_at(restored.package.initial_difficulty, None),
    });
    // Who asks before the supervisor's first turn is told what serves already.
    let first = AlgorithmsView {
        active: Some(restored.package.reference.clone()),
        isolation: restored.level,
        linked_in: Some(kept.configured.reference.clone()),
        ..AlgorithmsView::default()
    };
    let active = Active {
        package: restored.package.reference,
        level: restored.level,
        initial_difficulty: restored.package.initial_difficulty,
        handle,
    };
    let mut state = State::new(active, restored.next_id, restored.next_generation);
    if let Some(row) = restored.brought_by {
        state.brought_by(row);
    }
    if let Some((row, package)) = restored.resumed {
        state.resume(row, package);
    }
    let cell: StateCell = Arc::new(Mutex::new(Some(state)));
    let view = Arc::new(watched(first).0);
    let parts = supervisor::Parts {
        state: Arc::clone(&cell),
        place,
        node: Arc::clone(&wiring.node),
        work: wiring.node_state.watched(),
        linked_in: {
            let configured = kept.configured.clone();
            Arc::new(move |function| linked_in_for(&configured, function))
        },
        router: CriticalOutbox::new(router.outbox()),
        store: Arc::clone(&kept.store),
        clock: Arc::clone(&wiring.clock),
        events: wiring.events.clone(),
        view: Arc::clone(&view),
        shelf: kept.shelf.clone(),
        settings: supervisor_settings(config),
    };
    let spec = restarting("algorithm-supervisor", "AlgorithmSupervisor", 0);
    let supervisor =
        supervise(&wiring.runtime, spec, move |_| AlgorithmSupervisor::new(parts.clone())).observable();
    let doors = AlgorithmDoors {
        view: view.watched(),
        stage: supervisor.outbox(),
        deploy: supervisor.outbox(),
        steer: supervisor.outbox(),
    };
    Ok(Algorithms { supervisor, cell, native: kept.native.clone(), doors })
}

impl Algorithms {
    /// Ends the supervisor: no more steps. The generations serve on.
    pub(super) async fn stop(self) -> Vec<SlotHandle> {
        self.supervisor.stop().await;
        self.native.ended_well();
        let state = self.cell.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        state.map(State::into_slots).unwrap_or_default()
    }
}

async fn restore(wiring: &Wiring, kept: &Kept) -> Result<Restored, StoreError> {
    let rows = kept.store.deployments(None, ROWS).await?;
    let next_id = rows.first().map_or(1, |row| row.id + 1);
    let next_generation = rows.iter().map(|row| row.generation).max().unwrap_or(1) + 1;
    let InForce { package, generation, level, brought_by } = in_force(wiring, kept, &rows);
    let mut resumed = None;
    if let Some(row) = rows.first().filter(|row| !row.rollout.stage().is_final()) {
        let outcome = if row.rollout.stage() == Stage::Draining {
            Outcome::Complete
        } else {
            what_becomes_of(kept, row, &package.reference)
        };
        resumed = settle(wiring, kept, row.clone(), outcome).await?;
    }
    Ok(Restored { package, generation, level, brought_by, resumed, next_id, next_generation })
}

/// What serves after a start, and who brought it.
struct InForce {
    package: Package,
    generation: u32,
    level: Level,
    brought_by: Option<DeploymentRow>,
}

impl InForce {
    /// Nothing was deployed, or it does not count: a package that came with the pool, or the linked-in code.
    fn provided(kept: &Kept) -> Self {
        let configured = &kept.configured;
        let (found, problems) = match &kept.shelf {
            Some(shelf) => shelf.provided(&configured.reference.name, kept.isolation),
            None => (None, Vec::new()),
        };
        for problem in problems {
            tracing::warn!(
                code = problem.code,
                "a package in algorithms.packages_dir is not used: {problem}"
            );
        }
        let proven = found.and_then(|package| {
            let same = package.reference.hash_function == configured.reference.hash_function;
            let proof = if same {
                proves_itself(&package, &configured.algorithm)
            } else {
                Err("it computes another function".into())
            };
            proof
                .map_err(|what| {
                    tracing::error!(
                        package = package.reference.id(),
                        what,
                        "a package in algorithms.packages_dir is not used"
                    );
                })
                .ok()?;
            Some(package)
        });
        let level = if proven.is_some() { kept.isolation } else { Level::Wasm };
        let package = proven.unwrap_or_else(|| configured.clone());
        Self { package, generation: 1, level, brought_by: None }
    }
}

/// What was deployed last, unless the configuration names another function than any that it came from; if it can't be
/// loaded, what is linked in and computes the same; else the configured algorithm.
fn in_force(wiring: &Wiring, kept: &Kept, rows: &[DeploymentRow]) -> InForce {
    let configured = &kept.configured.reference;
    let mut done = rows.iter().filter(|row| matches!(row.rollout.stage(), Stage::Retired | Stage::Draining));
    let Some(row) = done.next() else { return InForce::provided(kept) };
    let function = &row.package.hash_function;
    if configured.hash_function != *function {
        if !came_from(&configured.hash_function, row, done) {
            tracing::warn!(
                deployed = row.package.id(),
                configured = configured.id(),
                "algorithms.active names another function than what was deployed last: the configured one is in force"
            );
            return InForce::provided(kept);
        }
        tracing::info!(
            deployed = row.package.id(),
            configured = configured.id(),
            "the pool migrated to {function}, which is in force; set algorithms.active to it"
        );
    }
    let level = level_of(wiring, kept, row);
    let what = match load(kept, &row.package, level) {
        Ok(package) => {
            return InForce { package, generation: row.generation, level, brought_by: Some(row.clone()) };
        }
        Err(what) => what,
    };
    let instead = linked_in_for(&kept.configured, function).unwrap_or_else(|| kept.configured.clone());
    let algorithm = row.package.id();
    let known = [("algorithm", &*algorithm), ("reason", &*what)];
    let context = serde_json::json!({ "component": "algorithm", "algorithm": algorithm,
        "serves": instead.reference.id(), "function": instead.reference.hash_function });
    let code = Code::ActiveAlgorithmUnavailable;
    ErrorDesk::new(wiring.events.clone(), Arc::clone(&wiring.clock)).report(
        code,
        &code.message(&known),
        &context,
    );
    InForce { package: instead, generation: 1, level: Level::Wasm, brought_by: None }
}

/// The level that a deployment asked for; a child, if its native code keeps ending the pool from inside.
fn level_of(wiring: &Wiring, kept: &Kept, row: &DeploymentRow) -> Level {
    let wanted = row.plan.isolation;
    if wanted != Level::InProcess || !kept.native.must_be_confined(row.id, wiring.clock.now()) {
        return wanted;
    }
    let algorithm = row.package.id();
    let code = Code::NativeCodeConfined;
    let context =
        serde_json::json!({ "component": "algorithm", "algorithm": algorithm, "deployment": row.id });
    ErrorDesk::new(wiring.events.clone(), Arc::clone(&wiring.clock)).report(
        code,
        &code.message(&[("algorithm", &algorithm)]),
        &context,
    );
    Level::Process
}

/// Whether the migrations up to `last` began with this function. `earlier`: completed ones, newest first.
fn came_from<'a>(
    function: &str,
    last: &DeploymentRow,
    earlier: impl Iterator<Item = &'a DeploymentRow>,
) -> bool {
    let mut replaced = last.replaces.hash_function.clone();
    for row in earlier {
        // What was in force then was put there by the configuration, not by a deployment.
        if replaced == function || row.package.hash_function != replaced {
            break;
        }
        replaced.clone_from(&row.replaces.hash_function);
    }
    replaced == function
}

/// Everything that is linked into this program, the configured algorithm first.
pub(super) fn all_linked_in(configured: &Arc<dyn PowAlgorithm>) -> Vec<Arc<dyn PowAlgorithm>> {
    let registry = Registry::linked_in();
    let function = configured.info().hash_function;
    let others = registry.list().filter(|info| info.hash_function != function);
    let others = others.filter_map(|info| registry.get(&info.name));
    std::iter::once(Arc::clone(configured)).chain(others).collect()
}

/// What is linked into this program and computes that function.
fn linked_in(function: &str) -> Option<Package> {
    let registry = Registry::linked_in();
    let found = registry.list().find(|info| info.hash_function == function)?;
    registry.get(&found.name).map(Package::linked_in)
}

/// The same; the configured algorithm, if it is that one.
fn linked_in_for(configured: &Package, function: &str) -> Option<Package> {
    if configured.reference.hash_function == function {
        return Some(configured.clone());
    }
    linked_in(function)
}

fn load(kept: &Kept, reference: &PackageRef, level: Level) -> Result<Package, String> {
    if reference.source == PackageSource::LinkedIn {
        return [Some(kept.configured.clone()), linked_in(&reference.hash_function)]
            .into_iter()
            .flatten()
            .find(|package| package.reference == *reference)
            .ok_or_else(|| format!("{} is not linked into this program", reference.id()));
    }
    match &kept.shelf {
        Some(shelf) => shelf.load(reference, level).map_err(|error| error.to_string()),
        None => Err("this pool keeps no packages".to_owned()),
    }
}

enum Outcome {
    /// It served everyone already.
    Complete,
    /// It goes on at its step.
    Resume(Box<Package>),
    /// It can't.
    RollBack(String),
}

fn what_becomes_of(kept: &Kept, row: &DeploymentRow, active: &PackageRef) -> Outcome {
    if row.replaces != *active {
        return Outcome::RollBack(format!("{} is in force now, not {}", active.id(), row.replaces.id()));
    }
    if row.plan.isolation == Level::InProcess && row.rollout.stage() > Stage::Staged {
        let why = "the pool ended while its native code was at work inside it, and may have ended of it";
        return Outcome::RollBack(why.to_owned());
    }
    match load(kept, &row.package, row.plan.isolation) {
        Ok(package) => Outcome::Resume(Box::new(package)),
        Err(what) => Outcome::RollBack(format!("the package can't be loaded after a restart: {what}")),
    }
}

async fn settle(
    wiring: &Wiring,
    kept: &Kept,
    mut row: DeploymentRow,
    outcome: Outcome,
) -> Result<Option<(DeploymentRow, Package)>, StoreError> {
    let stage = row.rollout.stage();
    let (event, detail, package) = match outcome {
        Outcome::Complete => {
            // A pause doesn't matter any more: the new generation serves everyone.
            let _ = row.rollout.apply(Event::Resume);
            (Some(Event::Passed(stage)), "it served everyone before the restart".to_owned(), None)
        }
        Outcome::Resume(package) => (None, format!("goes on at {stage}"), Some(*package)),
        Outcome::RollBack(why) => {
            let reason = RollbackReason::SlotFailed(why.clone());
            (Some(Event::Failed(stage, reason)), why, None)
        }
    };
    if let Some(event) = event {
        row.rollout.apply(event).map_err(|error| StoreError::Corrupt {
            what: format!("deployment {} can't go on from its stored stage: {error}", row.id),
        })?;
    }
    row.revision += 1;
    row.updated_at = wiring.clock.now();
    let line = TrailLine {
        at: row.updated_at,
        action: "restarted".to_owned(),
        stage: row.rollout.stage().to_string(),
        traffic: row.rollout.candidate_share(),
        by: "pool".to_owned(),
        detail,
    };
    kept.store.record(row.clone(), line).await?;
    Ok(package.map(|package| (row, package)))
}

/// What a deployment does unless the operator says otherwise.
pub(super) fn defaults(config: &config::Algorithms) -> DeployDefaults {
    DeployDefaults {
        plan: DeployPlan {
            strategy: Strategy::Gradual,
            shadow_ms: config.shadow_duration_s.saturating_mul(1_000),
            phase_ms: config.phase_duration_s.saturating_mul(1_000),
            shadow_share: BasisPoints(config.shadow_basis_points),
            steps: config.phases_percent.iter().copied().map(BasisPoints::percent).collect(),
            at: None,
            rollback_on_error: true,
            notify: Vec::new(),
            isolation: config.isolation,
        },
        drain_ms: config.drain_ms,
    }
}

/// A share that comes past its job's grace is still hashed for a minute, in case it is a block, and may then wait for its
/// turn.
const LATE_MS: u64 = 65_000;

fn supervisor_settings(config: &Config) -> supervisor::Settings {
    let own_jobs_ms = config.chain.job_grace_ms.saturating_add(LATE_MS);
    let config = &config.algorithms;
    supervisor::Settings {
        thresholds: Thresholds {
            samples_min: config.samples_min,
            error_rate_max: BasisPoints(config.error_rate_basis_points_max),
            median_percent_max: config.median_percent_max,
            median_slack_ns: config.median_slack_ns,
            p99_percent_max: config.p99_percent_max,
            p99_slack_ns: config.p99_slack_us.saturating_mul(1_000),
            reject_rate_max: BasisPoints(config.reject_rate_basis_points_max),
        },
        hang_after: Duration::from_millis(config.hang_after_ms),
        warm_up_max: Duration::from_secs(config.warm_up_s_max),
        drain_for: Duration::from_millis(config.drain_ms),
        old_routes_for: Duration::from_secs(600),
        own_jobs_for: Duration::from_millis(own_jobs_ms),
        no_work_for: Duration::from_secs(5),
    }
}
