//! Counters on their way to the StatsAggregator: lossy and summed up per arbiter, never one message per share.
//! Money shown anywhere comes from the ledger, never from here.

use std::sync::Arc;

use actix::Message;
use pool_domain::{
    difficulty::Difficulty,
    ids::{Account, AlgorithmName, SessionId},
    units::{BasisPoints, TimeMs, Work},
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

/// The pool at a moment, once a second from the StatsAggregator: in a watch and as an event.
#[derive(Debug, Clone, Default)]
pub struct PoolSnapshot {
    /// When.
    pub at: TimeMs,
    /// Algorithm of the job in force.
    pub algorithm: Option<AlgorithmName>,
    /// Sum over connected workers, hashes per second.
    pub hashrate: u128,
    /// Shares since the aggregator started.
    pub shares: ShareCounts,
    /// Accepted shares per 1,000 seconds, by the last ten seconds.
    pub shares_per_1000_s: u64,
    /// Open miner connections.
    pub connections: usize,
    /// Accounts with a connected worker.
    pub miners_connected: usize,
    /// Connected workers (account and name).
    pub workers_connected: usize,
    /// Accounts that are connected or were lately, fastest first.
    pub miners: Arc<[MinerStats]>,
    /// Accepted work since the last block of ours per work of a block, 100% = as expected.
    pub effort: Option<BasisPoints>,
    /// The whole network's blocks per 1,000 seconds, by the growth of height or blue score.
    pub network_blocks_per_1000_s: Option<u64>,
    /// The whole network's hashes per second: blocks per second by work per block.
    pub network_hashrate: Option<u128>,
    /// One point a second, oldest first.
    pub history: Arc<[HistoryPoint]>,
}

/// A second of the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryPoint {
    /// When.
    pub at: TimeMs,
    /// Hashes per second.
    pub hashrate: u128,
    /// Accepted shares per 1,000 seconds.
    pub shares_per_1000_s: u64,
}

/// An account's live figures. Nothing here is money, or leads to money.
#[derive(Debug, Clone)]
pub struct MinerStats {
    /// Canonical payout address.
    pub account: Account,
    /// Hashes per second of its connected workers.
    pub hashrate: u128,
    /// Shares since its workers came.
    pub shares: ShareCounts,
    /// Since when one of its workers has been connected without a break; `None` while none is.
    pub connected_since: Option<TimeMs>,
    /// Last accepted share, 0 = none.
    pub last_share_at: TimeMs,
    /// Workers, by name.
    pub workers: Vec<WorkerStats>,
}

/// A worker's live figures.
#[derive(Debug, Clone)]
pub struct WorkerStats {
    /// Account and name.
    pub identity: Arc<WorkerIdentity>,
    /// Hashes per second, 0 while not connected.
    pub hashrate: u128,
    /// Shares since it came.
    pub shares: ShareCounts,
    /// Sessions it mines with now.
    pub sessions: usize,
    /// Difficulty in force at one of its sessions.
    pub difficulty: Difficulty,
    /// Last accepted share, 0 = none.
    pub last_share_at: TimeMs,
    /// Since when it has been connected without a break; `None` while it is not.
    pub connected_since: Option<TimeMs>,
}
