//! What is owed and why: the share journal, the ledger fed from it, the life of blocks.

pub mod journal;
pub mod maturity_tracker;
