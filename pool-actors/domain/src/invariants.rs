//! What must always hold, numbered: model, simulation, tests and production speak of the same thing.
//!
//! A broken invariant is a bug of the pool, never of a miner or a node. [`check_invariant!`](crate::check_invariant)
//! gives a `Result`: the caller decides whether to stop (money), to alert, or to fail a test.

use alloc::string::String;
use core::fmt;

use serde::Serialize;

macro_rules! catalogue {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        /// The catalogue. Numbers are never used again for something else.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[repr(u16)]
        pub enum InvariantId {
            $(#[doc = $text] $name = $number,)*
        }

        impl InvariantId {
            /// Every invariant, by number.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// What must hold.
            #[must_use]
            pub const fn description(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

catalogue! {
    OneVerdictPerShare = 101, "Every share gets exactly one verdict: accepted, rejected, or lost with a reason.";
    AcceptedIsDurable = 102, "A share is acknowledged only after the journal has made it durable.";
    CreditedOnce = 103, "No header is credited twice.";
    JudgedByItsJob = 104, "A share is judged by the difficulty and the route bound to its job.";
    JournalWithoutGaps = 105, "Sequence numbers in a journal rise by one; the hash chain is unbroken.";
    PrefixesDisjoint = 106, "No two live sessions have the same extranonce prefix, across restarts too.";
    DifficultyWithinNetwork = 107, "A session's difficulty never exceeds the network's.";
    BlocksBeforeAccounting = 201, "A solution that meets the network target is journalled and submitted before it is accounted for.";
    BlockVerdictDefinite = 202, "Every block candidate ends accepted or rejected by the node that issued its template.";
    BlockStatusForward = 203, "A block's life moves forward only: candidate, submitted, accepted or rejected, matured, paid or void.";
    BlockIdentityIsHash = 204, "A block is identified by its hash, never by its height.";
    TransactionsBalance = 301, "The entries of every ledger transaction sum to zero.";
    LedgerAppendOnly = 302, "Ledger entries are never changed or deleted.";
    SplitConservesReward = 303, "Fee and parts of a reward sum to the reward exactly.";
    WindowMatchesJournal = 304, "The incremental window equals a walk back through the journal.";
    BalanceIsSumOfEntries = 305, "A balance equals the sum of its entries.";
    NoNegativeMinerBalance = 306, "No miner's pending, confirmed or reserved balance is negative.";
    PayoutsPaidOnce = 307, "A payout reaches the chain at most once; its bytes are persisted before they are sent.";
    CauseIsUnique = 308, "A cause (block and revision, payout step, adjustment) is posted at most once.";
    RolloutStepByStep = 401, "A roll-out visits its stages in order and skips none.";
    SessionsMoveUpward = 402, "During a roll-out a session moves at most once, to the new slot, unless it rolls back.";
    SwapLosesNothing = 403, "A swap neither loses a share nor turns a valid one into a reject.";
    MailboxesBounded = 501, "No mailbox holds more messages than its credit.";
    CreditReturned = 502, "Every credit taken for a share comes back when its ticket resolves.";
}

impl InvariantId {
    /// Its number in the catalogue.
    #[must_use]
    pub const fn number(self) -> u16 {
        self as u16
    }
}

impl fmt::Display for InvariantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "INV-{}", self.number())
    }
}

/// A broken invariant, with what was seen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{id} broken: {} Seen: {seen}", .id.description())]
pub struct InvariantViolation {
    /// Which one.
    pub id: InvariantId,
    /// The values that break it.
    pub seen: String,
}

impl InvariantViolation {
    /// Puts a violation together; [`check_invariant!`](crate::check_invariant) does it when needed.
    #[must_use]
    pub fn new(id: InvariantId, seen: fmt::Arguments<'_>) -> Self {
        Self { id, seen: alloc::fmt::format(seen) }
    }
}

/// `check_invariant!(InvariantId::CreditedOnce, condition, "share {seq}")` is a `Result<(), InvariantViolation>`; the
/// message is formatted only when the condition is false.
#[macro_export]
macro_rules! check_invariant {
    ($id:expr, $condition:expr, $($seen:tt)+) => {
        if $condition {
            ::core::result::Result::Ok(())
        } else {
            ::core::result::Result::Err($crate::invariants::InvariantViolation::new($id, ::core::format_args!($($seen)+)))
        }
    };
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn numbers_rise_and_descriptions_are_sentences() {
        assert!(InvariantId::ALL.windows(2).all(|pair| pair[0].number() < pair[1].number()));
        for id in InvariantId::ALL {
            assert!(id.description().ends_with('.'), "{id}");
        }
    }

    #[test]
    fn a_violation_says_what_was_seen() {
        let check = |sum: i32| check_invariant!(InvariantId::TransactionsBalance, sum == 0, "sum {sum}");
        assert_eq!(check(0), Ok(()));
        assert_eq!(
            check(3).unwrap_err().to_string(),
            "INV-301 broken: The entries of every ledger transaction sum to zero. Seen: sum 3"
        );
    }
}
