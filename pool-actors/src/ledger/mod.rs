//! What is owed and why: the share journal, the ledger fed from it, the life of blocks. Money shown anywhere comes from
//! here.
//!
//! [`journal`] is the truth about accepted work. [`payout_ledger`] follows it through [`feed`]: [`book`] holds the
//! rules and [`windows`] who worked for a block.

pub mod book;
pub mod feed;
pub mod journal;
pub mod journal_feed;
pub mod maturity_tracker;
#[cfg(test)]
mod model_tests;
mod observe_blocks;
pub mod payout_dispatcher;
pub mod payout_ledger;
pub mod payout_rounds;
mod sums;
pub mod windows;
