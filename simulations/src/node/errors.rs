//! Why the node refuses something; the texts are those of `docs/node.md`, section 8, which pools classify by.

use ruint::aliases::U256;
use thiserror::Error;

use super::block::Id;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "each message says what its fields are")]
pub enum Refusal {
    #[error("already have block {0}")]
    Duplicate(Id),
    #[error("block {block} is an orphan: parent {parent} is unknown")]
    Orphan { block: Id, parent: Id },
    #[error(
        "block {block} is overdue: its blue score {blue_score} is {behind} behind the tip's {tip}, limit {limit}"
    )]
    Overdue { block: Id, blue_score: u64, behind: u64, tip: u64, limit: u64 },
    #[error("Side chain depth too large: block {merged} is {depth} below, limit {limit}")]
    TooDeep { merged: Id, depth: u64, limit: u64 },
    #[error("pow hash {hash:064x} is higher than expected max of {target:064x}")]
    HighHash { hash: U256, target: U256 },
    #[error("block difficulty of {got:08x} is not the expected value of {expected:08x}")]
    Bits { got: u32, expected: u32 },
    #[error("block timestamp {time} is before the median {median}")]
    TimeTooOld { time: u32, median: u32 },
    #[error("block timestamp {time} is too far in the future, latest {latest}")]
    TimeTooNew { time: u32, latest: u32 },
    #[error("bad parents root: header has {got}, the parents give {expected}")]
    ParentsRoot { got: Id, expected: Id },
    #[error("bad parents: {0}")]
    Parents(String),
    #[error("bad merkle root: header has {got}, the transactions give {expected}")]
    MerkleRoot { got: String, expected: String },
    #[error("bad coinbase: {0}")]
    Coinbase(String),
    #[error("bad transaction: {0}")]
    Transaction(String),
    #[error("bad block: {0}")]
    Layout(String),
    #[error("bad version: {0:08x}")]
    Version(u32),
    #[error("pow type {pow_type} is not active at height {height}")]
    PowType { pow_type: u8, height: u64 },
    #[error("block not found: {0}")]
    NotFound(Id),
    #[error("{0}")]
    Other(String),
}
