//! Counters on their way to the StatsAggregator: lossy and summed up per arbiter, never one message per share.
//! Money shown anywhere comes from the ledger, never from here.

use std::{collections::BTreeMap, sync::Arc};

use actix::Message;
use pool_domain::{
    difficulty::Difficulty,
    ids::{Account, AlgorithmName, SessionId, WorkerName},
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
}

/// From each arbiter's session hub, some times a second, to the StatsAggregator. Only sessions with news are in it.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct StatsTally {
    /// Algorithm of the job in force.
    pub algorithm: AlgorithmName,
    /// Sessions with news.
    pub sessions: Vec<SessionTally>,
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

/// The pool at a moment, made once a second and published in a watch. Hash rates come from accepted work.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PoolSnapshot {
    /// When it was made.
    pub at: TimeMs,
    /// When counting began.
    pub since: TimeMs,
    /// Algorithm of the job in force.
    pub algorithm: Option<AlgorithmName>,
    /// Hashes per second.
    pub hashrate: u128,
    /// Accepted shares per thousand seconds.
    pub shares_per_kilosecond: u64,
    /// Shares since the start of the process.
    pub shares: ShareCounts,
    /// Accounts with a session.
    pub miners: usize,
    /// Workers with a session.
    pub workers: usize,
    /// Open connections.
    pub connections: usize,
    /// Blocks of the whole network per thousand seconds.
    pub blocks_per_kilosecond: u64,
    /// Work accepted since a block of ours was accepted last.
    pub work_since_block: Work,
    /// By account; workers without session stay for a while.
    pub accounts: Arc<BTreeMap<Account, Vec<WorkerStats>>>,
    /// The last ten minutes, oldest first, one point a second.
    pub history: Arc<Vec<StatsPoint>>,
}

/// A worker in a snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerStats {
    /// Name of the rig.
    pub worker: WorkerName,
    /// Hashes per second.
    pub hashrate: u128,
    /// Sessions it has now.
    pub sessions: usize,
    /// When the oldest of them was first seen; 0 without a session.
    pub connected_since: TimeMs,
    /// Difficulty of the session that spoke last.
    pub difficulty: Option<Difficulty>,
    /// Last accepted share; 0 = none.
    pub last_share_at: TimeMs,
    /// Shares since it was first seen.
    pub shares: ShareCounts,
}

/// A point of the history.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StatsPoint {
    /// When.
    pub at: TimeMs,
    /// Hashes per second.
    pub hashrate: u128,
    /// Accepted shares per thousand seconds.
    pub shares_per_kilosecond: u64,
}
