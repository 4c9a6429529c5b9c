//! A job: a template, an algorithm slot and a difficulty, bound together when the job is issued.
//!
//! A share is judged by the terms of its own job, whatever has changed since.

use serde::{Deserialize, Serialize};

use crate::difficulty::{Difficulty, DifficultyScale};
use crate::ids::{JobId, Route, TemplateId};
use crate::target::Target;
use crate::units::{TimeMs, Work};

/// What a job binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobTerms {
    /// The job.
    pub job: JobId,
    /// The node's template under it: a block goes back to the node that issued it.
    pub template: TemplateId,
    /// Where its shares are validated.
    pub route: Route,
    /// Difficulty as announced to the miner.
    pub difficulty: Difficulty,
    /// What shares are judged by: the tolerant target of `difficulty`.
    pub share_target: Target,
    /// What the network takes.
    pub network_target: Target,
    /// What one share earns: the expected hashes of `share_target`.
    pub work: Work,
}

impl JobTerms {
    /// Binds the terms; the share target and the work follow from the difficulty.
    #[must_use]
    pub fn new(
        (job, template, route): (JobId, TemplateId, Route),
        scale: DifficultyScale,
        difficulty: Difficulty,
        network_target: Target,
    ) -> Self {
        let share_target = scale.tolerant_target(difficulty);
        let work = share_target.work().expect("a target of a difficulty is at least 2^128");
        Self { job, template, route, difficulty, share_target, network_target, work }
    }

    /// Compares a proof-of-work hash (as the hash function gives it) with both targets.
    #[must_use]
    #[inline]
    pub fn judge(&self, hash_le: &[u8; 32]) -> Judgement {
        Judgement {
            meets_share: self.share_target.is_met_by(hash_le),
            meets_network: self.network_target.is_met_by(hash_le),
        }
    }
}

/// What a hash is good for. A block that misses the share target (the network became easier than the job) is still
/// a block: it is submitted, and its share counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// At or below the target of the job.
    pub meets_share: bool,
    /// At or below the network's target.
    pub meets_network: bool,
}

impl Judgement {
    /// Worth crediting.
    #[must_use]
    pub const fn counts(self) -> bool {
        self.meets_share || self.meets_network
    }
}

/// Until when a job's shares earn credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Freshness {
    /// The newest job, or not yet replaced for good.
    Current,
    /// Replaced at this time by a job that builds on other parents: it earns credit for the profile's grace.
    SupersededAt(TimeMs),
    /// The node said that it would refuse a block made from it.
    Invalidated,
}

impl Freshness {
    /// Whether a share that arrives `now` is stale; it is hashed all the same, in case it is a block.
    #[must_use]
    pub fn is_stale(self, now: TimeMs, job_grace_ms: u64) -> bool {
        match self {
            Self::Current => false,
            Self::SupersededAt(at) => now.since(at) > job_grace_ms,
            Self::Invalidated => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::U256;

    #[test]
    fn a_share_is_judged_by_both_targets_of_its_job() {
        let ids = (JobId(1), TemplateId(2), Route::default());
        let network = Target::from_compact(0x1d00_ffff).unwrap();
        let terms = JobTerms::new(ids, DifficultyScale::SHA256D, Difficulty::parse("0.5").unwrap(), network);
        let judge = |value: U256| terms.judge(&value.to_le_bytes());
        let share = DifficultyScale::SHA256D.target(terms.difficulty).0;
        assert!(terms.judge(&[0; 32]).meets_network);
        assert_eq!(judge(network.0 + U256::ONE), Judgement { meets_share: true, meets_network: false });
        assert!(judge(share + share / U256::from(20_000u32)).counts(), "within the tolerance");
        assert!(!judge(share + share / U256::from(5_000u32)).counts());
        assert!(terms.work.0 < 0x8000_8000 && terms.work.0 > 0x8000_8000 - 0x8000_8000 / 9_000);
        let easy = JobTerms { network_target: Target::MAX, ..terms };
        assert!(easy.judge(&[0xff; 32]).counts() && !easy.judge(&[0xff; 32]).meets_share);
    }

    #[test]
    fn grace_starts_when_a_job_is_superseded() {
        let superseded = Freshness::SupersededAt(TimeMs(1_000));
        assert!(!Freshness::Current.is_stale(TimeMs(u64::MAX), 0));
        assert!(!superseded.is_stale(TimeMs(3_000), 2_000));
        assert!(superseded.is_stale(TimeMs(3_001), 2_000));
        assert!(!superseded.is_stale(TimeMs(0), 2_000), "a clock that went back makes nothing stale");
        assert!(Freshness::Invalidated.is_stale(TimeMs(0), 2_000));
    }
}
