//! The hot-swap of an algorithm as a state machine: what may follow what, and nothing about how it is done.
//!
//! ```text
//! Staged -> Warm -> Shadow -> Canary 5% -> 10% -> 25% -> 50% -> 75% -> 100% -> Draining -> Retired
//!    \________\________\__________\____________________________________________/
//!                                  \-> RolledBack
//! ```
//!
//! Evidence names the stage that it was gathered in; evidence of another stage is refused, so that a late health
//! report can't push a roll-out two steps. While paused, evidence is refused too, except what rolls back.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::units::BasisPoints;

/// What is being rolled out, told apart by the manifests' hash functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RolloutKind {
    /// The same function, new code: shadow compares hashes bit for bit.
    Upgrade,
    /// Another function: shadow checks health, latency and vectors.
    Migration,
}

/// Where a roll-out is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Package checked, slot reserved, nothing runs.
    Staged,
    /// Runs its known-answer vectors and its benchmark.
    Warm,
    /// Verifies a part of the traffic; only the old generation counts.
    Shadow,
    /// Serves the part of the sessions that [`Plan::steps`] has at this index.
    Canary(u8),
    /// Serves everyone; the old generation finishes the shares it has tickets for.
    Draining,
    /// The old generation is gone. Final.
    Retired,
    /// The old generation serves everyone again. Final.
    RolledBack,
}

impl Stage {
    /// Nothing follows.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Retired | Self::RolledBack)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Staged => f.write_str("staged"),
            Self::Warm => f.write_str("warm"),
            Self::Shadow => f.write_str("shadow"),
            Self::Canary(step) => write!(f, "canary step {}", step + 1),
            Self::Draining => f.write_str("draining"),
            Self::Retired => f.write_str("retired"),
            Self::RolledBack => f.write_str("rolled back"),
        }
    }
}

/// The shares of traffic on the way to everyone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawPlan")]
pub struct Plan {
    shadow_share: BasisPoints,
    steps: Vec<BasisPoints>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPlan {
    shadow_share: BasisPoints,
    steps: Vec<BasisPoints>,
}

impl TryFrom<RawPlan> for Plan {
    type Error = RolloutError;

    fn try_from(raw: RawPlan) -> Result<Self, RolloutError> {
        Self::new(raw.shadow_share, raw.steps)
    }
}

impl Plan {
    /// Checks the steps.
    ///
    /// # Errors
    /// [`RolloutError::Plan`] unless there are 1 to 32 strictly rising steps, the last one everyone.
    pub fn new(shadow_share: BasisPoints, steps: Vec<BasisPoints>) -> Result<Self, RolloutError> {
        let rising = steps.windows(2).all(|pair| pair[0] < pair[1]);
        let whole = steps.last() == Some(&BasisPoints::ALL) && steps.first() != Some(&BasisPoints::ZERO);
        if !rising || !whole || steps.len() > 32 || !shadow_share.is_fraction() {
            return Err(RolloutError::Plan);
        }
        Ok(Self { shadow_share, steps })
    }

    /// The canary's shares of sessions, rising to all.
    #[must_use]
    pub fn steps(&self) -> &[BasisPoints] {
        &self.steps
    }
}

impl Default for Plan {
    /// Shadow on 1%, then 5, 10, 25, 50, 75, 100%.
    fn default() -> Self {
        let steps = [5, 10, 25, 50, 75, 100].map(BasisPoints::percent).to_vec();
        Self { shadow_share: BasisPoints::percent(1), steps }
    }
}

/// Why a roll-out went back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RollbackReason {
    /// A known-answer vector came out wrong, or the benchmark is below what the slot needs.
    WarmUpFailed(String),
    /// Old and new code gave different hashes for this input (hexadecimal).
    HashDiffers(String),
    /// Health is worse than the control group's.
    Unhealthy(String),
    /// The slot crashed, hung or trapped.
    SlotFailed(String),
    /// Migrations: the node hands out no work of the new function.
    NoWork(String),
    /// Someone asked for it.
    Requested(String),
}

/// What moves a roll-out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The named stage did what it had to: slot loaded, vectors right, shadow clean, step healthy, tickets at 0.
    Passed(Stage),
    /// The named stage found a reason to go back.
    Failed(Stage, RollbackReason),
    /// Stop moving forward.
    Pause,
    /// Move on.
    Resume,
    /// An operator ends the wait of the named stage early; it goes one stage on, like `Passed`. Warm-up and draining
    /// can't be cut short: their evidence is about right hashes and outstanding shares.
    Advance(Stage),
    /// An operator goes back.
    RollBack(String),
}

/// Why an event is refused; the roll-out is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RolloutError {
    /// Steps that do not rise to all.
    #[error("a roll-out plan needs 1 to 32 strictly rising steps above 0, the last one 10000 basis points")]
    Plan,
    /// Evidence of another stage than the present one.
    #[error("evidence is about stage {about}, but the roll-out is at {at}")]
    WrongStage {
        /// What the evidence is about.
        about: Stage,
        /// Where the roll-out is.
        at: Stage,
    },
    /// Nothing moves forward now.
    #[error("the roll-out is paused; resume it first")]
    Paused,
    /// It was not paused.
    #[error("the roll-out is not paused")]
    NotPaused,
    /// It is over.
    #[error("the roll-out is over ({0})")]
    Over(Stage),
    /// This stage waits for evidence only.
    #[error("stage {0} can't be cut short")]
    NeedsEvidence(Stage),
}

/// A move from one stage to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// Stage before.
    pub from: Stage,
    /// Stage after (the same when only pause changed).
    pub to: Stage,
}

/// One roll-out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// Upgrade or migration.
    pub kind: RolloutKind,
    plan: Plan,
    stage: Stage,
    paused: bool,
    rollback_reason: Option<RollbackReason>,
}

impl Rollout {
    /// Begins at `Staged`.
    #[must_use]
    pub const fn new(kind: RolloutKind, plan: Plan) -> Self {
        Self { kind, plan, stage: Stage::Staged, paused: false, rollback_reason: None }
    }

    /// Where it is.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether forward moves are held.
    #[must_use]
    pub const fn is_paused(&self) -> bool {
        self.paused
    }

    /// Why it went back, if it did.
    #[must_use]
    pub const fn rollback_reason(&self) -> Option<&RollbackReason> {
        self.rollback_reason.as_ref()
    }

    /// The part of the sessions whose new jobs go to the new slot.
    #[must_use]
    pub fn candidate_share(&self) -> BasisPoints {
        match self.stage {
            Stage::Staged | Stage::Warm | Stage::Shadow | Stage::RolledBack => BasisPoints::ZERO,
            Stage::Canary(step) => {
                self.plan.steps.get(usize::from(step)).copied().unwrap_or(BasisPoints::ALL)
            }
            Stage::Draining | Stage::Retired => BasisPoints::ALL,
        }
    }

    /// The part of the sessions whose shares the new slot verifies beside the old one, without counting.
    #[must_use]
    pub fn shadow_share(&self) -> BasisPoints {
        if self.stage == Stage::Shadow { self.plan.shadow_share } else { BasisPoints::ZERO }
    }

    /// Applies an event.
    ///
    /// # Errors
    /// See [`RolloutError`]; nothing has changed then.
    pub fn apply(&mut self, event: Event) -> Result<Transition, RolloutError> {
        let from = self.stage;
        if from.is_final() {
            return Err(RolloutError::Over(from));
        }
        match event {
            Event::Passed(about) => self.step_on(about)?,
            Event::Advance(Stage::Staged | Stage::Warm | Stage::Draining) => {
                return Err(RolloutError::NeedsEvidence(from));
            }
            Event::Advance(about) => self.step_on(about)?,
            Event::Failed(about, reason) => {
                self.expect_stage(about)?;
                self.roll_back(reason);
            }
            Event::RollBack(reason) => self.roll_back(RollbackReason::Requested(reason)),
            Event::Pause if self.paused => return Err(RolloutError::Paused),
            Event::Pause => self.paused = true,
            Event::Resume if !self.paused => return Err(RolloutError::NotPaused),
            Event::Resume => self.paused = false,
        }
        Ok(Transition { from, to: self.stage })
    }

    fn expect_stage(&self, about: Stage) -> Result<(), RolloutError> {
        if about == self.stage { Ok(()) } else { Err(RolloutError::WrongStage { about, at: self.stage }) }
    }

    fn step_on(&mut self, about: Stage) -> Result<(), RolloutError> {
        self.expect_stage(about)?;
        if self.paused {
            return Err(RolloutError::Paused);
        }
        self.stage = self.next_stage();
        Ok(())
    }

    fn next_stage(&self) -> Stage {
        match self.stage {
            Stage::Staged => Stage::Warm,
            Stage::Warm => Stage::Shadow,
            Stage::Shadow => Stage::Canary(0),
            Stage::Canary(step) if usize::from(step) + 1 < self.plan.steps.len() => Stage::Canary(step + 1),
            Stage::Canary(_) => Stage::Draining,
            Stage::Draining | Stage::Retired => Stage::Retired,
            Stage::RolledBack => Stage::RolledBack,
        }
    }

    fn roll_back(&mut self, reason: RollbackReason) {
        self.stage = Stage::RolledBack;
        self.paused = false;
        self.rollback_reason = Some(reason);
    }
}

#[cfg(test)]
#[path = "rollout_tests.rs"]
mod tests;
