//! How much work the present block has taken, and how many blocks all work should have found.

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
    luck: Luck,
}

/// Blocks that were found and that were to be expected since this pool watches.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Luck {
    /// How many there were before.
    before: Option<u64>,
    /// Work that is counted in.
    counted: Work,
    /// Found since then.
    pub(super) found: u64,
    /// To be expected of the work since then, in millionths of a block.
    pub(super) expected_millionths: u64,
}

impl Luck {
    /// Work counts by what a block took when it was done: the network's difficulty moves.
    fn follow(&mut self, accepted: Work, found: u64, block_work: Work) {
        let before = *self.before.get_or_insert(found);
        self.found = found.saturating_sub(before);
        let since = accepted.0.checked_sub(self.counted.0).unwrap_or(accepted.0);
        let millionths = since.saturating_mul(1_000_000) / block_work.0;
        if millionths > 0 {
            // What is left of a millionth is counted the next time.
            let whole = millionths.saturating_mul(block_work.0) / 1_000_000;
            self.counted = Work((accepted.0 - since).saturating_add(whole));
            let millionths = u64::try_from(millionths).unwrap_or(u64::MAX);
            self.expected_millionths = self.expected_millionths.saturating_add(millionths);
        }
    }

    /// Found per expected; 100% is average luck, more is better. `None` before a whole block was to be expected: it would say
    /// nothing.
    pub(super) fn basis_points(&self) -> Option<BasisPoints> {
        if self.expected_millionths < 1_000_000 {
            return None;
        }
        let per_expected = u128::from(self.found) * 10_000 * 1_000_000 / u128::from(self.expected_millionths);
        Some(BasisPoints(u32::try_from(per_expected).unwrap_or(u32::MAX)))
    }
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

    /// Blocks found and to be expected since this process counts; `None` while either is unknown.
    pub(super) fn luck(
        &self,
        accepted: Work,
        ledger: &LedgerSummary,
        block_work: Option<Work>,
    ) -> Option<Luck> {
        let block_work = block_work.filter(|work| *work > Work::ZERO)?;
        let found: u64 = ledger.totals.blocks.iter().map(|(_, _, count)| count).sum();
        let mut round = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ledger.ready && ledger.store_error.is_none() {
            round.luck.follow(accepted, found, block_work);
        }
        round.luck.before.map(|_| round.luck)
    }
}

#[cfg(test)]
mod tests {
    use pool_domain::maturity::{BlockStatus, Color};

    use super::*;

    #[test]
    fn luck_is_what_was_found_of_what_was_to_be_expected() {
        let effort = Effort::default();
        let mut ledger = LedgerSummary::default();
        assert_eq!(effort.luck(Work(0), &ledger, Some(Work(100))), None, "the ledger is not there yet");
        ledger.ready = true;
        ledger.totals.blocks = vec![(BlockStatus::Paid, Color::Blue, 7)];
        let luck = effort.luck(Work(50), &ledger, Some(Work(100))).unwrap();
        assert_eq!((luck.found, luck.expected_millionths, luck.basis_points()), (0, 500_000, None));
        ledger.totals.blocks = vec![(BlockStatus::Paid, Color::Blue, 10)];
        // The network has become twice as hard.
        let luck = effort.luck(Work(250), &ledger, Some(Work(200))).unwrap();
        assert_eq!((luck.found, luck.expected_millionths), (3, 1_500_000));
        assert_eq!(luck.basis_points(), Some(BasisPoints(20_000)));
        // The aggregator counts anew.
        let luck = effort.luck(Work(100), &ledger, Some(Work(200))).unwrap();
        assert_eq!(luck.expected_millionths, 2_000_000);
        assert_eq!(effort.luck(Work(100), &ledger, None), None);
        let store_error = Some("away".to_owned());
        let away = LedgerSummary { store_error, ..ledger.clone() };
        assert_eq!(effort.luck(Work(900), &away, Some(Work(200))).unwrap().expected_millionths, 2_000_000);
        // Little by little, nothing is lost.
        for work in 101..=300 {
            effort.luck(Work(work), &ledger, Some(Work(200)));
        }
        assert_eq!(effort.luck(Work(300), &ledger, Some(Work(200))).unwrap().expected_millionths, 3_000_000);
    }

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
