//! What the ledger reads: the share journal's records in their order, as a sequence that can be read again from any
//! place the journal still keeps.

use std::sync::Arc;

use pool_domain::{
    ids::{AlgorithmName, BlockHash, ShareSeq},
    units::{TimeMs, Work},
};

use crate::messages::share::WorkerIdentity;

/// A record of the journal, with the names that the journal refers to by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRecord {
    /// Its place.
    pub seq: ShareSeq,
    /// What it says.
    pub what: RecordKind,
}

/// Kinds of records that matter to the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordKind {
    /// An accepted share.
    Share {
        /// Who is paid.
        worker: Arc<WorkerIdentity>,
        /// Proof-of-work function.
        algorithm: AlgorithmName,
        /// Work credited.
        work: Work,
        /// When it was received.
        at: TimeMs,
        /// The candidate it became.
        candidate: Option<u64>,
    },
    /// A block candidate.
    Candidate(Box<FoundBlock>),
    /// A node's definite verdict.
    Verdict {
        /// The block.
        hash: BlockHash,
        /// When.
        at: TimeMs,
        /// The node's words if it refused; `None` if it took the block.
        refusal: Option<String>,
    },
    /// A process began to write: whatever an earlier one had not written by then was lost with it.
    Epoch,
}

/// A candidate as the journal tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundBlock {
    /// Ties it to its share.
    pub candidate: u64,
    /// Identity.
    pub hash: BlockHash,
    /// Proof-of-work function.
    pub algorithm: AlgorithmName,
    /// Measure of the window.
    pub network_work: Work,
    /// Height or blue score, for people.
    pub height: Option<u64>,
    /// Parents, main parent first.
    pub parents: Vec<BlockHash>,
    /// Who found it.
    pub finder: Arc<WorkerIdentity>,
    /// When.
    pub at: TimeMs,
}

/// Some records and how far they reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FeedBatch {
    /// In order of their place; records that do not matter here are left out.
    pub records: Vec<LedgerRecord>,
    /// Everything up to here was read.
    pub through: ShareSeq,
}

/// Why the feed can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("share journal: {0}")]
pub struct FeedError(pub String);

/// The journal, for reading.
pub trait LedgerFeed: Send {
    /// Durable records after `after`, at most about `records_max` of them. `through` equals `after` when there is
    /// nothing new.
    ///
    /// # Errors
    /// When records past `after` are no longer kept or can't be read, and when the journal ends before `after`.
    fn read(&mut self, after: ShareSeq, records_max: usize) -> Result<FeedBatch, FeedError>;

    /// The place before the oldest record that is still kept: reading can begin after it.
    ///
    /// # Errors
    /// When the journal can't be read.
    fn oldest(&mut self) -> Result<ShareSeq, FeedError>;
}
