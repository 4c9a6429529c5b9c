//! What the ledger reads: the share journal's records in their order, as a sequence that can be read again from any
//! place the journal still keeps.

use std::sync::Arc;

use pool_domain::{
    ids::{AlgorithmName, BlockHash, ShareSeq},
    units::{TimeMs, Work},
};

use crate::messages::share::WorkerIdentity;

/// Numbers that records refer to names by. They stay what they are while `numbering` does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FeedNames {
    /// Which numbering this is; 0 before anything was read.
    pub numbering: u64,
    /// Workers by number.
    pub workers: Vec<Arc<WorkerIdentity>>,
    /// Proof-of-work functions by number.
    pub algorithms: Vec<AlgorithmName>,
}

/// An accepted share. There are hundreds of thousands a second: numbers only, nothing to be counted or freed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShareLine {
    /// Its place.
    pub seq: ShareSeq,
    /// Work credited.
    pub work: Work,
    /// When it was received.
    pub at: TimeMs,
    /// Who is paid, by number.
    pub worker: u32,
    /// Proof-of-work function, by number.
    pub algorithm: u16,
}

/// A record of the journal other than a plain share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRecord {
    /// Its place.
    pub seq: ShareSeq,
    /// What it says.
    pub what: RecordKind,
}

/// Kinds of records that matter to the ledger, beside plain shares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordKind {
    /// An accepted share that met the network target.
    Winning {
        /// The share.
        share: ShareLine,
        /// The candidate it became.
        candidate: u64,
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

/// Some records and how far they reach; what they are read into, again and again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FeedBatch {
    /// The names that the records refer to. A reader adds to what is here, or begins anew under another numbering.
    pub names: FeedNames,
    /// Plain shares, in order of their place.
    pub shares: Vec<ShareLine>,
    /// Everything else, in order of its place.
    pub others: Vec<LedgerRecord>,
    /// Everything up to here was read.
    pub through: ShareSeq,
}

impl FeedBatch {
    /// Without records; the names stay.
    pub fn clear(&mut self) {
        self.shares.clear();
        self.others.clear();
    }
}

/// Why the feed can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("share journal: {0}")]
pub struct FeedError(pub String);

/// The journal, for reading.
pub trait LedgerFeed: Send {
    /// Replaces the records of `batch` by the durable ones after `after`, about `records_max` of them at most. Its
    /// `through` equals `after` when there is nothing new.
    ///
    /// # Errors
    /// When records past `after` are no longer kept or can't be read, and when the journal ends before `after`.
    fn read(&mut self, after: ShareSeq, records_max: usize, batch: &mut FeedBatch) -> Result<(), FeedError>;

    /// The last durable record; 0 before the first.
    ///
    /// # Errors
    /// When the journal can't be read.
    fn newest(&mut self) -> Result<ShareSeq, FeedError>;

    /// The place before the oldest record that is still kept: reading can begin after it.
    ///
    /// # Errors
    /// When the journal can't be read.
    fn oldest(&mut self) -> Result<ShareSeq, FeedError>;
}
