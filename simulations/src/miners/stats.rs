//! What miners count.

use std::collections::BTreeMap;

/// Counters of one miner. `submitted` = `accepted` + all of `rejected` + `lost` + what waits for its answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MinerStats {
    /// User name.
    pub user: String,
    /// A socket is open.
    pub connected: bool,
    /// The pool said yes to the user name.
    pub authorized: bool,
    /// What the present job is of.
    pub algorithm: String,
    /// Times that `mining.set_algorithm` named another algorithm than before.
    pub switches: u64,
    /// `client.show_message` received.
    pub messages: u64,
    /// Difficulty of the present job.
    pub difficulty: f64,
    /// Jobs received.
    pub jobs: u64,
    /// Of these, jobs that said `clean`.
    pub clean_jobs: u64,
    /// Shares sent.
    pub submitted: u64,
    /// Shares answered with true.
    pub accepted: u64,
    /// Shares refused, by error code; 0 where the pool gave none.
    pub rejected: BTreeMap<i64, u64>,
    /// Shares whose answer was lost with the connection.
    pub lost: u64,
    /// Solutions not sent, because too many waited for their answers.
    pub held_back: u64,
    /// Solutions not sent, because its conduct is to keep them.
    pub withheld: u64,
    /// Connections opened.
    pub connects: u64,
    /// Last thing that went wrong, in words.
    pub last_error: Option<String>,
    /// Last `client.show_message`.
    pub last_message: Option<String>,
}

/// Sums over a swarm.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SwarmStats {
    /// Miners of the swarm.
    pub miners: usize,
    /// With an open socket.
    pub connected: usize,
    /// Authorized.
    pub authorized: usize,
    /// See [`MinerStats::jobs`].
    pub jobs: u64,
    /// See [`MinerStats::submitted`].
    pub submitted: u64,
    /// See [`MinerStats::accepted`].
    pub accepted: u64,
    /// See [`MinerStats::rejected`].
    pub rejected: BTreeMap<i64, u64>,
    /// See [`MinerStats::lost`].
    pub lost: u64,
    /// See [`MinerStats::held_back`].
    pub held_back: u64,
    /// See [`MinerStats::withheld`].
    pub withheld: u64,
    /// Connections opened beyond each miner's first.
    pub reconnects: u64,
    /// See [`MinerStats::switches`].
    pub switches: u64,
    /// Hashes computed.
    pub hashes: u64,
    /// Miners that reached their limit of shares.
    pub finished: usize,
}

impl SwarmStats {
    /// Adds one miner.
    pub fn add(&mut self, miner: &MinerStats, shares_limit: Option<u64>) {
        self.miners += 1;
        self.connected += usize::from(miner.connected);
        self.authorized += usize::from(miner.authorized);
        self.jobs += miner.jobs;
        self.submitted += miner.submitted;
        self.accepted += miner.accepted;
        for (&code, count) in &miner.rejected {
            *self.rejected.entry(code).or_default() += count;
        }
        self.lost += miner.lost;
        self.held_back += miner.held_back;
        self.withheld += miner.withheld;
        self.switches += miner.switches;
        self.reconnects += miner.connects.saturating_sub(1);
        self.finished += usize::from(shares_limit.is_some_and(|limit| miner.accepted >= limit));
    }
}
