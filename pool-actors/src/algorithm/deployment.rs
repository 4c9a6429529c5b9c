//! One deployment: its state machine, its clock, its figures, and how people see it.

use std::{sync::Arc, time::Duration};

use plugin_sdk::PowAlgorithm;
use pool_domain::{
    functions::{Functions, Moving},
    ids::{AlgorithmName, Generation, Route, SlotId},
    isolation::Level,
    rollout::{Plan, RollbackReason, Rollout, RolloutError, RolloutKind, Stage},
    slot_health::{SlotCounts, SlotHealth, Thresholds, judge},
    traffic_split::TrafficSplit,
    units::{BasisPoints, TimeMs},
};
use tokio::time::Instant;

use super::slot::SlotHandle;
use crate::{
    messages::{
        deployment::{DeploymentView, Evidence, HealthView, PhaseStatus, PhaseView},
        route::InService,
    },
    ports::{
        deployments::{DeployPlan, DeploymentRow},
        packages::Package,
    },
};

/// A step that sees too few shares to judge is prolonged, up to so many times its length altogether.
const PATIENCE: u32 = 3;

/// What a call into a child process may take longer: waking two threads, on a busy machine.
const CHILD_SLACK_NS: u64 = 2_000_000;
/// The same for the slowest calls: starting a child again after one died.
const CHILD_P99_SLACK_NS: u64 = 500_000_000;

/// Time for starting a child again, as often as a batch may need it.
const CHILD_RESTARTS: Duration = Duration::from_secs(30);

/// See the module's documentation.
pub(super) struct Deployment {
    pub(super) row: DeploymentRow,
    pub(super) package: Package,
    /// The new generation, from warm-up to the end.
    pub(super) handle: Option<SlotHandle>,
    /// It showed what it must; a deployment resumed after a restart shows it again.
    pub(super) warmed: bool,
    /// A warm-up is under way.
    pub(super) warming: bool,
    /// What computes the new function and is known to be good: the active generation in an upgrade, else what is linked
    /// in, if anything.
    pub(super) reference: Option<Arc<dyn PowAlgorithm>>,
    /// What a hash took in the warm-up: in a migration, the control group's says nothing about it.
    pub(super) per_hash: Duration,
    /// A change is being written.
    pub(super) writing: bool,
    /// Evidence of a wrong hash.
    pub(super) evidence: Option<Evidence>,
    /// The stage that it fell back from.
    pub(super) fell_at: Option<Stage>,
    /// Ticks in a row at which the old generation had nothing in flight.
    pub(super) idle_ticks: u32,
    entered_at: Instant,
    paused_at: Option<Instant>,
    bases: (SlotCounts, SlotCounts),
    window: (SlotCounts, SlotCounts),
    /// The control group's last figures that were enough to judge by.
    control: SlotCounts,
    health: SlotHealth,
    /// Hashes that it takes to judge; known from the first look on.
    samples_min: u64,
}

impl Deployment {
    pub(super) fn new(row: DeploymentRow, package: Package) -> Self {
        let now = Instant::now();
        Self {
            paused_at: row.rollout.is_paused().then_some(now),
            row,
            package,
            handle: None,
            warmed: false,
            warming: false,
            reference: None,
            per_hash: Duration::ZERO,
            writing: false,
            evidence: None,
            fell_at: None,
            idle_ticks: 0,
            entered_at: now,
            bases: Default::default(),
            window: Default::default(),
            control: SlotCounts::default(),
            health: SlotHealth::Unknown,
            samples_min: 0,
        }
    }

    pub(super) fn stage(&self) -> Stage {
        self.row.rollout.stage()
    }

    pub(super) fn is_migration(&self) -> bool {
        self.row.rollout.kind == RolloutKind::Migration
    }

    /// What jobs are issued for while this migration is under way, `from` being the active function.
    pub(super) fn in_service(&self, from: &AlgorithmName, active: Route, candidate: Route) -> InService {
        let Ok(to) = AlgorithmName::new(&self.row.package.hash_function) else {
            return InService::only(from, TrafficSplit::whole(active));
        };
        if self.stage() == Stage::Draining {
            return InService::only(&to, TrafficSplit::whole(candidate));
        }
        let moving = Moving { to, share: self.traffic(), salt: self.row.id };
        let functions = Functions { main: from.clone(), moving: Some(moving) };
        InService::moving(functions, active, candidate)
    }

    /// Slots 0 and 1 take turns, so that metrics have no label without bound.
    pub(super) fn route(&self, active: Route) -> Route {
        Route { slot: SlotId(1 - active.slot.0.min(1)), generation: Generation(self.row.generation) }
    }

    /// The part of the sessions whose next jobs go to the new generation.
    pub(super) fn traffic(&self) -> BasisPoints {
        if self.warmed && self.handle.is_some() {
            self.row.rollout.candidate_share()
        } else {
            BasisPoints::ZERO
        }
    }

    /// The rollout after a change; pauses stop its clock.
    pub(super) fn put(&mut self, rollout: Rollout, active: SlotCounts) {
        let moved = rollout.stage() != self.stage();
        match (self.paused_at, rollout.is_paused()) {
            (None, true) => self.paused_at = Some(Instant::now()),
            (Some(since), false) => {
                self.paused_at = None;
                self.entered_at += since.elapsed();
            }
            _ => {}
        }
        self.row.rollout = rollout;
        if moved {
            self.enter(active);
        }
    }

    /// A step begins: its time and its figures start anew.
    pub(super) fn enter(&mut self, active: SlotCounts) {
        self.entered_at = Instant::now();
        self.paused_at = self.row.rollout.is_paused().then(Instant::now);
        self.idle_ticks = 0;
        self.bases = (self.handle.as_ref().map(SlotHandle::counts).unwrap_or_default(), active);
        // How it fared in the end stays to be seen.
        if !self.stage().is_final() {
            self.window = Default::default();
            self.health = SlotHealth::Unknown;
        }
    }

    /// Time in this step, pauses left out.
    pub(super) fn elapsed(&self) -> Duration {
        self.paused_at.map_or_else(|| self.entered_at.elapsed(), |at| at.duration_since(self.entered_at))
    }

    /// What is too much. A call into a child process takes as long as two threads take to wake each other, which says
    /// nothing about the code.
    pub(super) fn thresholds(&self, limits: &Thresholds) -> Thresholds {
        let mut limits = *limits;
        if self.row.plan.isolation == Level::Process {
            limits.median_slack_ns = limits.median_slack_ns.saturating_add(CHILD_SLACK_NS);
            limits.p99_slack_ns = limits.p99_slack_ns.saturating_add(CHILD_P99_SLACK_NS);
        }
        limits
    }

    /// After how long inside its code a worker hangs. A child has its own, shorter limit for a call, but it may have to be
    /// started again for several headers of a batch.
    pub(super) fn hang_after(&self, configured: Duration) -> Duration {
        match self.row.plan.isolation {
            Level::Process => configured + CHILD_RESTARTS,
            Level::Wasm | Level::InProcess => configured,
        }
    }

    /// Judges the new generation by the old one.
    pub(super) fn judge(&mut self, active: SlotCounts, limits: &Thresholds) -> &SlotHealth {
        self.samples_min = limits.samples_min;
        let Some(handle) = &self.handle else { return &self.health };
        self.window = (handle.counts().since(&self.bases.0), active.since(&self.bases.1));
        if self.window.1.hashed() >= limits.samples_min {
            self.control = self.window.1;
        }
        let mut limits = *limits;
        if self.is_migration() {
            // Another function takes another time: as long as its warm-up says.
            let usual = u64::try_from(self.per_hash.as_nanos()).unwrap_or(u64::MAX);
            let part = |percent: u32| usual.saturating_mul(u64::from(percent)) / 100;
            limits.median_slack_ns = limits.median_slack_ns.saturating_add(part(limits.median_percent_max));
            limits.p99_slack_ns = limits.p99_slack_ns.saturating_add(part(limits.p99_percent_max));
        }
        self.health = judge(&self.window.0, &self.control, self.reference.is_some(), &limits);
        &self.health
    }

    /// Whether half of the shadow's time brought less than half of what is needed to judge.
    pub(super) fn is_short_of_samples(&self, limits: &Thresholds) -> bool {
        self.stage() == Stage::Shadow
            // Without time for it nothing is shadowed.
            && self.row.plan.shadow_ms > 0
            && self.elapsed() * 2 >= self.duration()
            && self.window.0.hashed() < limits.samples_min
    }

    /// Whether this step has lasted long enough, and seen enough or waited long enough for it.
    pub(super) fn is_due(&self) -> bool {
        let duration = self.duration();
        let judged = self.health != SlotHealth::Unknown;
        self.elapsed() >= duration && (judged || self.elapsed() >= duration * PATIENCE)
    }

    /// What is bad about it.
    pub(super) fn complaint(&self) -> Option<String> {
        match &self.health {
            SlotHealth::Degraded(reason) | SlotHealth::Unhealthy(reason) => Some(reason.clone()),
            SlotHealth::Unknown | SlotHealth::Healthy => None,
        }
    }

    /// Until when its health is not known.
    fn until_known(&self) -> Option<String> {
        match self.stage() {
            _ if self.health != SlotHealth::Unknown => None,
            Stage::Retired | Stage::RolledBack => None,
            Stage::Staged | Stage::Warm => Some("it is not judged before it has work".to_owned()),
            _ if self.samples_min == 0 => Some("it is judged within a second".to_owned()),
            _ => {
                let seen = self.window.0.hashed();
                Some(format!("{seen} hashes so far, it takes {} to judge it", self.samples_min))
            }
        }
    }

    fn duration(&self) -> Duration {
        Duration::from_millis(phase_ms(&self.row.plan, self.stage()))
    }

    pub(super) fn view(&self) -> DeploymentView {
        let mut view = view(&self.row, self.fell_at);
        view.traffic = self.traffic();
        view.evidence = self.evidence.clone();
        view.health = HealthView {
            status: self.health.name(),
            reason: self.complaint().or_else(|| self.until_known()),
            candidate: self.window.0,
            control: self.window.1,
        };
        view
    }
}

/// The state machine of a plan.
pub(crate) fn rollout_plan(plan: &DeployPlan) -> Result<Plan, RolloutError> {
    Plan::new(plan.shadow_share, plan.steps.clone())
}

fn phase_ms(plan: &DeployPlan, stage: Stage) -> u64 {
    match stage {
        Stage::Shadow => plan.shadow_ms,
        Stage::Canary(_) => plan.phase_ms,
        _ => 0,
    }
}

/// A deployment as its row tells it; `fell_at` is where it fell back, if that is known.
#[must_use]
pub fn view(row: &DeploymentRow, fell_at: Option<Stage>) -> DeploymentView {
    let stage = row.rollout.stage();
    let mut stages = vec![Stage::Warm, Stage::Shadow];
    stages.extend((0u8..).zip(&row.plan.steps).map(|(step, _)| Stage::Canary(step)));
    stages.push(Stage::Draining);
    let requested = matches!(row.rollout.rollback_reason(), Some(RollbackReason::Requested(_)));
    let reached = if stage == Stage::RolledBack { fell_at } else { Some(stage) };
    let phases: Vec<PhaseView> = stages
        .iter()
        .map(|phase| PhaseView {
            name: phase_name(&row.plan, *phase),
            status: match reached {
                _ if stage == Stage::Retired => PhaseStatus::Completed,
                Some(reached) if *phase < reached => PhaseStatus::Completed,
                Some(reached) if *phase > reached => PhaseStatus::Pending,
                Some(_) if stage != Stage::RolledBack => PhaseStatus::Active,
                Some(_) if !requested => PhaseStatus::Failed,
                _ => PhaseStatus::RolledBack,
            },
            duration_ms: phase_ms(&row.plan, *phase),
        })
        .collect();
    let done = phases.iter().filter(|phase| phase.status == PhaseStatus::Completed).count();
    DeploymentView {
        id: row.id,
        package: row.package.clone(),
        replaces: row.replaces.clone(),
        kind: row.rollout.kind,
        plan: row.plan.clone(),
        stage,
        paused: row.rollout.is_paused(),
        rollback: row.rollout.rollback_reason().cloned(),
        evidence: None,
        traffic: row.rollout.candidate_share(),
        progress: BasisPoints(u32::try_from(done * 10_000 / phases.len().max(1)).unwrap_or(0)),
        phases,
        health: HealthView {
            status: SlotHealth::Unknown.name(),
            reason: None,
            candidate: SlotCounts::default(),
            control: SlotCounts::default(),
        },
        created_at: row.created_at,
        updated_at: row.updated_at,
        by: row.by.clone(),
    }
}

/// `warm`, `shadow`, `5%`..., `draining`.
fn phase_name(plan: &DeployPlan, stage: Stage) -> String {
    match stage {
        Stage::Canary(step) => {
            plan.steps.get(usize::from(step)).map_or_else(|| stage.to_string(), |share| share_name(*share))
        }
        other => other.to_string(),
    }
}

fn share_name(share: BasisPoints) -> String {
    if share.0.is_multiple_of(100) { format!("{}%", share.0 / 100) } else { share.to_string() }
}

/// What a step of the trail calls the stage.
pub(super) fn stage_name(row: &DeploymentRow) -> String {
    phase_name(&row.plan, row.rollout.stage())
}

/// A scheduled deployment waits for its time.
pub(super) fn is_too_early(plan: &DeployPlan, now: TimeMs) -> bool {
    plan.at.is_some_and(|at| now < at)
}
