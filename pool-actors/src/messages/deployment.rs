//! Deploying algorithms: what operators ask for, and what everybody may see of it.

use actix::Message;
use pool_domain::{
    catalogue::Code,
    ids::Route,
    isolation::Level,
    rollout::{RollbackReason, RolloutKind, Stage},
    slot_health::SlotCounts,
    units::{BasisPoints, TimeMs},
};

use crate::{
    ports::{
        deployments::DeployPlan,
        packages::{Package, PackageRef, StageReport},
        store::StoreError,
    },
    runtime::{outbox::Outbox, watch::Watched},
};

/// To the AlgorithmSupervisor: this package was checked and may be deployed; it replaces what was staged before.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct StagePackage(pub Package);

/// To the AlgorithmSupervisor: deploy what is staged.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<DeploymentView, DeployError>")]
pub struct Deploy {
    /// How.
    pub plan: DeployPlan,
    /// Names the package, where its author says that going back needs care.
    pub confirm: Option<String>,
    /// Replace the active algorithm although the package's author does not foresee that.
    pub override_migration_from: bool,
    /// Digest of the package that is meant; `None` = whatever is staged.
    pub digest: Option<String>,
    /// What is staged, loaded at another level of isolation.
    pub loaded: Option<Package>,
    /// Who asks.
    pub by: String,
}

/// What an operator can do with a deployment under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Steer {
    /// Stop moving forward.
    Pause,
    /// Move on.
    Resume,
    /// End the wait of the present step.
    Advance,
    /// Go back.
    RollBack {
        /// Why.
        reason: String,
    },
}

/// To the AlgorithmSupervisor: do this with a deployment.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<DeploymentView, DeployError>")]
pub struct SteerDeployment {
    /// Which one.
    pub id: u64,
    /// What.
    pub steer: Steer,
    /// Who asks.
    pub by: String,
}

/// Why the AlgorithmSupervisor did not do as asked; nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeployError {
    /// Nothing to deploy.
    #[error("nothing is staged: stage a package first")]
    NothingStaged,
    /// Somebody staged another package since.
    #[error(
        "{staged} is staged now, and not what was to be deployed: look at it, and say whether you mean it"
    )]
    StagedChanged {
        /// What is staged.
        staged: String,
    },
    /// One at a time.
    #[error("deployment {0} is under way: wait for its end, or roll it back")]
    InProgress(u64),
    /// Its author does not let it replace the active algorithm.
    #[error(
        "{package} may replace {may}, says its author, not {active}: deploy it all the same with config.override_migration_from = true"
    )]
    MayNotReplace {
        /// The staged algorithm.
        package: String,
        /// What it may replace.
        may: String,
        /// The active one.
        active: String,
    },
    /// Another hash function, of which the node hands out no work.
    #[error("the node gives no work of {function}: {why}")]
    NodeLacksFunction {
        /// The function.
        function: String,
        /// In the node's words.
        why: String,
    },
    /// Its author says that going back needs care.
    #[error("{0} does not support going back: confirm by naming it (config.confirm = \"{0}\")")]
    Unconfirmed(String),
    /// The plan can't be.
    #[error("{0}")]
    Plan(String),
    /// No such deployment is under way.
    #[error("deployment {0} is not under way")]
    NotUnderWay(u64),
    /// The state machine refuses it.
    #[error("{0}")]
    Refused(String),
    /// The step could not be written, so it was not taken.
    #[error("the step could not be written: {0}")]
    Store(StoreError),
}

/// Whether the candidate does as well as the control group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthView {
    /// healthy, degraded, unhealthy, unknown.
    pub status: &'static str,
    /// In a sentence, where there is something to say.
    pub reason: Option<String>,
    /// The new generation.
    pub candidate: SlotCounts,
    /// The old one over the same time.
    pub control: SlotCounts,
}

/// How a phase fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhaseStatus {
    /// To come.
    Pending,
    /// Now.
    Active,
    /// Done.
    Completed,
    /// The roll-out ended here for a fault.
    Failed,
    /// The roll-out ended here because someone asked for it.
    RolledBack,
}

/// A phase of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhaseView {
    /// `warm`, `shadow`, `5%`..., `draining`.
    pub name: String,
    /// How it fares.
    pub status: PhaseStatus,
    /// How long it lasts, milliseconds; 0 = as long as it takes.
    pub duration_ms: u64,
}

/// A wrong hash, and the input that proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The header.
    pub input: [u8; 80],
    /// What the new generation computed.
    pub got: [u8; 32],
    /// What the old one computes.
    pub expected: [u8; 32],
}

/// A deployment as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentView {
    /// Its number.
    pub id: u64,
    /// What is deployed.
    pub package: PackageRef,
    /// What it replaces.
    pub replaces: PackageRef,
    /// Upgrade or migration.
    pub kind: RolloutKind,
    /// How.
    pub plan: DeployPlan,
    /// Where it is.
    pub stage: Stage,
    /// Forward moves are held.
    pub paused: bool,
    /// Why it went back.
    pub rollback: Option<RollbackReason>,
    /// What proves a wrong hash.
    pub evidence: Option<Evidence>,
    /// Part of the sessions whose new jobs go to the new generation.
    pub traffic: BasisPoints,
    /// In order.
    pub phases: Vec<PhaseView>,
    /// Done phases of all, in basis points.
    pub progress: BasisPoints,
    /// How it fares.
    pub health: HealthView,
    /// When it was asked for.
    pub created_at: TimeMs,
    /// When it last changed.
    pub updated_at: TimeMs,
    /// Who asked for it.
    pub by: String,
}

impl DeploymentView {
    /// The phase that it is in, or where it ended.
    #[must_use]
    pub fn present_phase(&self) -> String {
        let active = self
            .phases
            .iter()
            .find(|phase| matches!(phase.status, PhaseStatus::Active | PhaseStatus::Failed));
        active.map_or_else(|| self.stage.to_string(), |phase| phase.name.clone())
    }
}

/// A generation in service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotView {
    /// Slot and generation.
    pub route: Route,
    /// What runs there.
    pub package: PackageRef,
    /// loading, warm, shadow, serving, draining, retired.
    pub life: String,
    /// Part of the sessions whose new jobs go there.
    pub traffic: BasisPoints,
    /// Shares handed over and not judged yet.
    pub in_flight: usize,
    /// What it did so far.
    pub counts: SlotCounts,
}

/// What is staged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedView {
    /// The package.
    pub package: PackageRef,
    /// What staging found out.
    pub report: StageReport,
    /// The algorithms that it may replace; `None` = any.
    pub replaces: Option<Vec<String>>,
    /// False: a deployment must be confirmed.
    pub rollback_supported: bool,
    /// In a migration: why the node gives no work of its function, when it was last asked.
    pub no_work: Option<String>,
}

impl StagedView {
    /// What its author lets it replace, if that leaves `active` out. An upgrade always may.
    #[must_use]
    pub fn may_not_replace(&self, active: &PackageRef) -> Option<String> {
        may_not_replace(&self.package, self.replaces.as_deref(), active)
    }
}

/// What a package may replace, if that leaves `active` out.
#[must_use]
pub fn may_not_replace(
    package: &PackageRef,
    replaces: Option<&[String]>,
    active: &PackageRef,
) -> Option<String> {
    let named = |names: &[String]| names.iter().any(|it| *it == active.name || *it == active.hash_function);
    let upgrade = package.hash_function == active.hash_function;
    replaces.filter(|names| !upgrade && !named(names)).map(|names| names.join(", "))
}

/// Everything about algorithms, published by the AlgorithmSupervisor in a watch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlgorithmsView {
    /// How far the pool is kept from the code in force.
    pub isolation: Level,
    /// The linked-in code of the function in force: reference and fallback.
    pub linked_in: Option<PackageRef>,
    /// The one in force; `None` before the supervisor's first word.
    pub active: Option<PackageRef>,
    /// What could be deployed.
    pub staged: Option<StagedView>,
    /// The deployment under way, or the last one of this process.
    pub deployment: Option<DeploymentView>,
    /// Generations in service.
    pub slots: Vec<SlotView>,
}

/// The doors of the AlgorithmSupervisor.
#[derive(Debug, Clone)]
pub struct AlgorithmDoors {
    /// What there is.
    pub view: Watched<AlgorithmsView>,
    /// Something to deploy.
    pub stage: Outbox<StagePackage>,
    /// Deploy it.
    pub deploy: Outbox<Deploy>,
    /// Steer a deployment.
    pub steer: Outbox<SteerDeployment>,
}

/// The reason of a rollback in the catalogue's words; in their own where somebody asked for it.
#[must_use]
pub fn rollback_message(
    reason: &RollbackReason,
    package: &PackageRef,
    evidence: Option<&Evidence>,
) -> String {
    let (input, what) = match reason {
        RollbackReason::HashDiffers(input) => (input.as_str(), "another hash"),
        RollbackReason::WarmUpFailed(what)
        | RollbackReason::Unhealthy(what)
        | RollbackReason::NoWork(what)
        | RollbackReason::SlotFailed(what)
        | RollbackReason::Requested(what) => ("-", what.as_str()),
    };
    let Some(code) = rollback_code(reason) else { return what.to_owned() };
    let hex = |hash: Option<[u8; 32]>, unknown: &str| hash.map_or_else(|| unknown.to_owned(), hex::encode);
    code.message(&[
        ("algorithm", &package.id()),
        ("reason", what),
        ("detail", what),
        ("input", input),
        ("got", &hex(evidence.map(|evidence| evidence.got), "another hash")),
        ("expected", &hex(evidence.map(|evidence| evidence.expected), "another one")),
    ])
}

/// What the catalogue calls the reason of a rollback; `None` where somebody asked for it.
#[must_use]
pub fn rollback_code(reason: &RollbackReason) -> Option<Code> {
    match reason {
        RollbackReason::WarmUpFailed(_) => Some(Code::AlgorithmWarmUpFailed),
        RollbackReason::HashDiffers(_) => Some(Code::AlgorithmHashDiffers),
        RollbackReason::Unhealthy(_) => Some(Code::AlgorithmUnhealthy),
        RollbackReason::SlotFailed(_) => Some(Code::AlgorithmSlotFailed),
        RollbackReason::NoWork(_) => Some(Code::MigrationFailed),
        RollbackReason::Requested(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::packages::PackageSource;

    #[test]
    fn reasons_of_rollbacks_are_worded_by_the_catalogue_without_a_gap() {
        let package = PackageRef {
            name: "blake2s".to_owned(),
            version: "1.0.1".to_owned(),
            hash_function: "blake2s".to_owned(),
            source: PackageSource::LinkedIn,
        };
        let evidence = Evidence { input: [1; 80], got: [2; 32], expected: [3; 32] };
        let words = |reason: RollbackReason, evidence| rollback_message(&reason, &package, evidence);
        let what = || "five errors".to_owned();
        let (input, got, expected) = ("01".repeat(80), "02".repeat(32), "03".repeat(32));
        assert_eq!(
            words(RollbackReason::HashDiffers(input.clone()), Some(&evidence)),
            format!("blake2s_1.0.1 computed {got} for {input}, the algorithm in force {expected}")
        );
        // After a restart the hashes are not known any more.
        assert_eq!(
            words(RollbackReason::HashDiffers(input.clone()), None),
            format!("blake2s_1.0.1 computed another hash for {input}, the algorithm in force another one")
        );
        for (reason, expected) in [
            (
                RollbackReason::WarmUpFailed(what()),
                "blake2s_1.0.1 did not get through its warm-up: five errors",
            ),
            (RollbackReason::Unhealthy(what()), "blake2s_1.0.1: five errors"),
            (RollbackReason::SlotFailed(what()), "blake2s_1.0.1 failed: five errors"),
            (RollbackReason::NoWork(what()), "no migration: five errors"),
            (RollbackReason::Requested(what()), "five errors"),
        ] {
            assert_eq!(words(reason, None), expected);
        }
    }
}
