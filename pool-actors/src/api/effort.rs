//! How much work the present block has taken.

use std::sync::{Mutex, PoisonError};

use pool_domain::units::{BasisPoints, Work};

use crate::messages::ledger::LedgerSummary;

/// Follows when a block of ours was found last.
#[derive(Debug, Default)]
pub(super) struct Effort(Mutex<Round>);

#[derive(Debug, Default)]
struct Round {
    blocks: Option<u64>,
    begun_at: Work,
}

impl Effort {
    /// Work accepted since the last block of ours, per expected work of a block; 100% is average luck. `None` while the
    /// network's work is unknown.
    pub(super) fn now(
        &self,
        accepted: Work,
        ledger: &LedgerSummary,
        block_work: Option<Work>,
    ) -> Option<BasisPoints> {
        let found: u64 = ledger.totals.blocks.iter().map(|(_, _, count)| count).sum();
        let begun_at = {
            let mut round = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Work restarts at zero with the process, and so does the round.
            if ledger.ready && round.blocks != Some(found) {
                round.begun_at = if round.blocks.is_some() { accepted } else { Work::ZERO };
                round.blocks = Some(found);
            }
            if accepted < round.begun_at {
                round.begun_at = Work::ZERO;
            }
            round.begun_at
        };
        let block_work = block_work.filter(|work| *work > Work::ZERO)?.0;
        let basis_points = (accepted.0 - begun_at.0).saturating_mul(10_000) / block_work;
        Some(BasisPoints(u32::try_from(basis_points).unwrap_or(u32::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use pool_domain::maturity::{BlockStatus, Color};

    use super::*;

    #[test]
    fn a_block_begins_a_new_round() {
        let effort = Effort::default();
        let mut ledger = LedgerSummary { ready: true, ..LedgerSummary::default() };
        assert_eq!(effort.now(Work(50), &ledger, Some(Work(100))), Some(BasisPoints(5_000)));
        ledger.totals.blocks = vec![(BlockStatus::Candidate, Color::Unknown, 1)];
        assert_eq!(effort.now(Work(120), &ledger, Some(Work(100))), Some(BasisPoints(0)));
        assert_eq!(effort.now(Work(270), &ledger, Some(Work(100))), Some(BasisPoints(15_000)));
        assert_eq!(effort.now(Work(270), &ledger, Some(Work(0))), None);
        assert_eq!(
            effort.now(Work(10), &ledger, Some(Work(100))),
            Some(BasisPoints(1_000)),
            "counted afresh"
        );
    }
}
