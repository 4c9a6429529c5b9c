//! A block's way from the share that found it to the ledger.

use std::sync::Arc;

use actix::Message;
use pool_domain::{
    ids::{AlgorithmName, BlockHash},
    maturity::{BlockStatus, Color},
    share::Solution,
    units::{Amount, TimeMs},
};

use super::{job::Job, journal::CandidateRecord, share::WorkerIdentity};
use crate::{
    messages::journal::CandidateId,
    ports::{
        node::{BlockObservation, DagBlock, NodeEvent},
        store::BlockRow,
    },
};

/// A share met the network target: to the JobTemplate that owns the job, on the critical lane, never shed.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct CandidateFound {
    /// Ties the block to its share.
    pub id: CandidateId,
    /// The job (and through it template and node).
    pub job: Arc<Job>,
    /// What the miner chose.
    pub solution: Solution,
    /// Who found it.
    pub finder: Arc<WorkerIdentity>,
    /// When.
    pub found_at: TimeMs,
}

/// An assembled block: from JobTemplate to BlockSubmitter, critical lane.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct SubmitBlock(pub CandidateRecord);

/// A block that the journal holds without a verdict: from the recovery to BlockSubmitter, which submits it again.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct ResumeBlock(pub CandidateRecord);

/// A block of ours is about to be submitted: from BlockSubmitter to the MaturityTracker, so that the node's news of it
/// are not shown as somebody else's block.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct OurBlock(pub BlockHash);

/// Something the node told by itself: from the TemplateReceiver, which listens, to the MaturityTracker.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct NodeTold(pub NodeEvent);

/// What the MaturityTracker learned about our unsettled blocks: to the PayoutLedger.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct BlocksObserved(pub Vec<BlockObservation>);

/// A block of ours as people see it (`/api/blocks`).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct BlockView {
    /// Identity.
    pub hash: BlockHash,
    /// Height or blue score.
    pub height: Option<u64>,
    /// Parents, main parent first.
    pub parents: Vec<BlockHash>,
    /// Stage of its life; `None` for blocks of others.
    pub status: Option<BlockStatus>,
    /// Colour, provisional until matured.
    pub color: Color,
    /// Depth.
    pub confirmations: u64,
    /// Reward once known, smallest unit, decimal string.
    pub reward: Option<Amount>,
    /// Finder's account.
    pub account: Option<String>,
    /// Finder's worker.
    pub worker: Option<String>,
    /// When found, RFC 3339 UTC on the wire.
    pub found_at: TimeMs,
    /// Proof-of-work function.
    pub algorithm: Option<AlgorithmName>,
    /// Found by this pool.
    pub ours: bool,
}

impl BlockView {
    /// A candidate of ours at `status`.
    #[must_use]
    pub fn of_candidate(record: &CandidateRecord, status: BlockStatus) -> Self {
        Self {
            hash: record.block.hash,
            height: record.height,
            parents: record.parents.clone(),
            status: Some(status),
            color: Color::Unknown,
            confirmations: 0,
            reward: None,
            account: Some(record.finder.account.to_string()),
            worker: Some(record.finder.worker.to_string()),
            found_at: record.found_at,
            algorithm: Some(record.algorithm.clone()),
            ours: true,
        }
    }

    /// A block of somebody else.
    #[must_use]
    pub fn of_others(block: DagBlock) -> Self {
        Self {
            hash: block.hash,
            height: block.height,
            parents: block.parents,
            status: None,
            color: block.color,
            confirmations: 0,
            reward: None,
            account: None,
            worker: None,
            found_at: block.at,
            algorithm: None,
            ours: false,
        }
    }
}

impl From<&BlockRow> for BlockView {
    /// A block of ours as the ledger knows it.
    fn from(row: &BlockRow) -> Self {
        Self {
            hash: row.hash,
            height: row.height,
            parents: row.parents.clone(),
            status: Some(row.life.stage()),
            color: row.life.color(),
            confirmations: row.confirmations,
            reward: row.life.reward(),
            account: Some(row.account.to_string()),
            worker: Some(row.worker.to_string()),
            found_at: row.found_at,
            algorithm: Some(row.algorithm.clone()),
            ours: true,
        }
    }
}
