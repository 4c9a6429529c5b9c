//! A share on its way from a session to its verdict.

use std::sync::Arc;

use actix::Message;
use pool_domain::{
    ids::{Account, WorkerName},
    share::Solution,
    target::Target,
    units::{TimeMs, Work},
};

use super::job::Job;
use crate::runtime::ticket::Ticket;

/// Who is paid for a share. One allocation per authorised session, shared by its shares.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct WorkerIdentity {
    /// Canonical payout address.
    pub account: Account,
    /// Name of the rig, may be empty.
    pub worker: WorkerName,
}

/// A share that passed all that a session can judge: well-formed, known job, no duplicate.
#[derive(Debug)]
pub struct Share {
    /// Permit and reply address; resolves exactly once.
    pub ticket: Ticket,
    /// The proof-of-work input.
    pub header: [u8; 80],
    /// The job it solves; pins slot and generation.
    pub job: Arc<Job>,
    /// The bound it is judged by (with the tolerance of its dialect).
    pub target: Target,
    /// Work credited: that of the strict target of the difficulty bound to its job.
    pub work: Work,
    /// Who is paid.
    pub worker: Arc<WorkerIdentity>,
    /// What the miner chose, kept for assembly of a block.
    pub solution: Solution,
    /// Past the job's grace: hashed in case it is a block, then answered 21.
    pub late: bool,
    /// When its bytes were read.
    pub received_at: TimeMs,
}

/// All shares of one socket read that go to one validator.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ValidateBatch(pub Vec<Share>);
