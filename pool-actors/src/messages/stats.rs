//! Counters on their way to the StatsAggregator: lossy and summed up per arbiter, never one message per share.
//! Money shown anywhere comes from the ledger, never from here.

use std::{net::IpAddr, sync::Arc};

use actix::Message;
use pool_domain::{
    difficulty::Difficulty,
    ids::{AlgorithmName, SessionId, SlotId},
    units::{TimeMs, Work},
};
use serde::Serialize;

use super::share::WorkerIdentity;

/// Shares by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ShareCounts {
    /// Durable and acknowledged.
    pub accepted: u64,
    /// All refused ones.
    pub rejected: u64,
    /// Of these: job unknown or past its grace (21).
    pub stale: u64,
    /// Of these: seen before (22).
    pub duplicate: u64,
    /// Of these: above the target (23).
    pub low_difficulty: u64,
    /// Of these: malformed, unauthorised, lost.
    pub invalid: u64,
}

impl ShareCounts {
    /// Adds another count.
    pub fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.rejected += other.rejected;
        self.stale += other.stale;
        self.duplicate += other.duplicate;
        self.low_difficulty += other.low_difficulty;
        self.invalid += other.invalid;
    }
}

/// What one session did since the last flush of its arbiter.
#[derive(Debug, Clone)]
pub struct SessionTally {
    /// The session.
    pub session: SessionId,
    /// Who is paid.
    pub worker: Arc<WorkerIdentity>,
    /// Shares by outcome.
    pub counts: ShareCounts,
    /// Work of the accepted ones, expected hashes.
    pub work: Work,
    /// Last accepted share, 0 = none in this flush.
    pub last_share_at: TimeMs,
    /// Difficulty in force.
    pub difficulty: Difficulty,
    /// Where it comes from.
    pub peer: IpAddr,
    /// Shares by the lowest four bits of their nonces.
    pub nonces: [u16; 16],
    /// What it works on.
    pub function: Option<AlgorithmName>,
}

/// Which shares are counted together: by the job that they were sent for, whatever is mined meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareLabel {
    /// The job's function.
    pub algorithm: AlgorithmName,
    /// The slot that validates them.
    pub slot: SlotId,
}

/// From each arbiter's session hub, once a second, to the StatsAggregator. Only sessions with news are in it.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct StatsTally {
    /// The main function.
    pub algorithm: AlgorithmName,
    /// Slot that validates it; `None` before the first job.
    pub slot: Option<SlotId>,
    /// Sessions with news.
    pub sessions: Vec<SessionTally>,
    /// The shares of all these, by what they were sent for.
    pub shares: Vec<(ShareLabel, ShareCounts)>,
    /// Shares that could not be put to any authorised session.
    pub anonymous: ShareCounts,
    /// Connections open on this arbiter (gauge).
    pub connections: usize,
    /// Number of the arbiter.
    pub arbiter: usize,
}

/// To the StatsAggregator: a session is gone.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct SessionEnded(pub SessionId);
