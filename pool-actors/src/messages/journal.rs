//! What the rest of the pool hands to the share journal.

use std::sync::Arc;

use actix::Message;
use pool_domain::{
    ids::{AlgorithmName, BlockHash, JobId, Route, ShareSeq},
    units::{TimeMs, Work},
};

use super::share::WorkerIdentity;
use crate::{
    ports::node::{AssembledBlock, SubmitVerdict},
    runtime::{outbox::Credited, ticket::Ticket},
    trace::ShareLife,
};

/// Number that ties a block candidate to the share that found it; unique for ever (see
/// [`CandidateId::from_header_hash`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct CandidateId(pub u64);

impl CandidateId {
    /// The first eight bytes of the proof-of-work hash in numeric order of insignificance: its least significant,
    /// and therefore random, bytes.
    #[must_use]
    pub fn from_pow_hash(hash_le: &[u8; 32]) -> Self {
        Self(u64::from_le_bytes([
            hash_le[0], hash_le[1], hash_le[2], hash_le[3], hash_le[4], hash_le[5], hash_le[6], hash_le[7],
        ]))
    }
}

/// A valid share that waits for its group commit. The ticket is resolved `Accepted` only after that.
#[derive(Debug)]
pub struct PendingShare {
    /// Resolved by the journal's shard.
    pub ticket: Ticket,
    /// When it was received.
    pub received_at: TimeMs,
    /// Who is paid.
    pub worker: Arc<WorkerIdentity>,
    /// Work credited.
    pub work: Work,
    /// Proof-of-work function; windows are kept per function.
    pub algorithm: AlgorithmName,
    /// Slot and generation that validated it.
    pub route: Route,
    /// Its job.
    pub job: JobId,
    /// First eight bytes of the proof-of-work hash (for audits).
    pub hash_tag: u64,
    /// Set when the share also met the network target.
    pub candidate: Option<CandidateId>,
    /// Where its time goes, if it is in the sample.
    pub life: ShareLife,
}

/// Shares of one validated batch.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct AppendShares(pub Vec<PendingShare>);

impl Credited for AppendShares {}

/// A block candidate, journalled before it is submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CandidateRecord {
    /// Ties it to its share.
    pub id: CandidateId,
    /// The block and the bytes to submit.
    pub block: AssembledBlock,
    /// Proof-of-work function.
    pub algorithm: AlgorithmName,
    /// Work of the network target, the measure of the PPLNS window.
    pub network_work: Work,
    /// Height or blue score, for display.
    pub height: Option<u64>,
    /// Parents, main parent first.
    pub parents: Vec<BlockHash>,
    /// Who found it.
    pub finder: Arc<WorkerIdentity>,
    /// When.
    pub found_at: TimeMs,
}

/// Critical lane: make a candidate durable. Answered once it is.
#[derive(Debug, Message)]
#[rtype(result = "Result<ShareSeq, JournalError>")]
pub struct AppendCandidate(pub CandidateRecord);

/// Critical lane: make a node's definite verdict durable.
#[derive(Debug, Message)]
#[rtype(result = "Result<ShareSeq, JournalError>")]
pub struct AppendVerdict {
    /// The candidate.
    pub id: CandidateId,
    /// The block.
    pub hash: BlockHash,
    /// Accepted, or refused with the node's words.
    pub verdict: SubmitVerdict,
    /// When.
    pub at: TimeMs,
}

/// Why the journal did not take a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// The disk refused; the pool stops, since it can't keep its promises.
    #[error("share journal: {0}")]
    Failed(String),
    /// The disk budget is used up.
    #[error(
        "share journal: disk budget of {budget_bytes} bytes is used up; free space, raise journal.disk_budget, or bring the ledger's store back"
    )]
    BudgetExhausted {
        /// The configured budget.
        budget_bytes: u64,
    },
}
