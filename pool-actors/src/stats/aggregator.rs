//! StatsAggregator: the pool's figures, once a second.
//!
//! * **receives** [`StatsTally`] from every arbiter's session hub, [`SessionEnded`], [`Observe`]
//! * **sends** nothing; publishes a [`PoolSnapshot`] in a watch each second
//! * **supervised by** the factory supervisor; a new one starts counting afresh
//! * **on overload** tallies are shed by the sender; work is lost from the figures, never from the ledger

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use actix::{Actor, AsyncContext as _, Context, Handler};
use pool_domain::{
    difficulty::Difficulty,
    ids::{Account, AlgorithmName, SessionId},
    units::{TimeMs, Work},
};
use serde::Serialize;

use super::rate::Rate;
use crate::{
    messages::{
        live::{HistoryPoint, MinerStats, PoolSnapshot, WorkerStats},
        share::WorkerIdentity,
        stats::{SessionEnded, SessionTally, ShareCounts, StatsTally},
    },
    metrics::{HASHRATE, SHARES_TOTAL},
    ports::clock::SharedClock,
    runtime::{
        observe::{Observation, Observe},
        watch::Publisher,
    },
};

/// How often figures are published.
const TICK: Duration = Duration::from_secs(1);
/// Points of history: ten minutes.
const HISTORY: usize = 600;
/// Seconds that the rate of shares is taken over.
const SHARE_RATE_S: usize = 10;
/// A session without news for so long has gone, even if its end was lost on the way (stratum's idle time-out is less).
const SILENT_MS: u64 = 1_200_000;
/// A worker that left is remembered for so long.
const GONE_KEPT_MS: u64 = 3_600_000;
/// Workers that left are forgotten at once beyond this number.
const GONE_MAX: usize = 50_000;
/// News of a session may arrive so long after its end.
const ENDED_KEPT_MS: u64 = 60_000;

struct Worker {
    rate: Rate,
    counts: ShareCounts,
    sessions: usize,
    difficulty: Difficulty,
    last_share_at: TimeMs,
    connected_since: TimeMs,
    /// Last news, or when its last session ended.
    touched_at: TimeMs,
}

struct Session {
    worker: Arc<WorkerIdentity>,
    news_at: TimeMs,
}

/// See the module's documentation.
pub struct StatsAggregator {
    snapshot: Arc<Publisher<PoolSnapshot>>,
    clock: SharedClock,
    algorithm: Option<AlgorithmName>,
    workers: HashMap<Arc<WorkerIdentity>, Worker>,
    sessions: HashMap<SessionId, Session>,
    ended: HashMap<SessionId, TimeMs>,
    connections: BTreeMap<usize, usize>,
    shares: ShareCounts,
    /// Accepted shares in total at the end of each of the last seconds.
    accepted_totals: VecDeque<u64>,
    history: VecDeque<HistoryPoint>,
    work: Work,
}

/// What an aggregator says about itself.
#[derive(Debug, Serialize)]
struct State {
    workers: usize,
    sessions: usize,
    shares: ShareCounts,
    history: usize,
}

impl StatsAggregator {
    /// An aggregator that has heard nothing yet.
    #[must_use]
    pub fn new(snapshot: Arc<Publisher<PoolSnapshot>>, clock: SharedClock) -> Self {
        Self {
            snapshot,
            clock,
            algorithm: None,
            workers: HashMap::new(),
            sessions: HashMap::new(),
            ended: HashMap::new(),
            connections: BTreeMap::new(),
            shares: ShareCounts::default(),
            accepted_totals: VecDeque::new(),
            history: VecDeque::new(),
            work: Work::ZERO,
        }
    }

    fn take(&mut self, now: TimeMs, news: &SessionTally) {
        self.shares.add(&news.counts);
        self.work = self.work.saturating_add(news.work);
        let joins = !self.ended.contains_key(&news.session);
        let worker = self.workers.entry(Arc::clone(&news.worker)).or_insert_with(|| Worker {
            rate: Rate::new(now),
            counts: ShareCounts::default(),
            sessions: 0,
            difficulty: news.difficulty,
            last_share_at: TimeMs(0),
            connected_since: now,
            touched_at: now,
        });
        worker.rate.add(now, news.work, news.counts.accepted);
        worker.counts.add(&news.counts);
        worker.difficulty = news.difficulty;
        worker.last_share_at = worker.last_share_at.max(news.last_share_at);
        worker.touched_at = now;
        if !joins {
            return;
        }
        let session = Session { worker: Arc::clone(&news.worker), news_at: now };
        match self.sessions.insert(news.session, session) {
            // A session may authorise again under another name.
            Some(before) if before.worker != news.worker => self.leave(&before.worker, now),
            Some(_) => return,
            None => {}
        }
        if let Some(worker) = self.workers.get_mut(&news.worker) {
            if worker.sessions == 0 {
                worker.connected_since = now;
            }
            worker.sessions += 1;
        }
    }

    fn leave(&mut self, worker: &Arc<WorkerIdentity>, now: TimeMs) {
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.sessions = worker.sessions.saturating_sub(1);
            worker.touched_at = now;
        }
    }

    fn end(&mut self, session: SessionId, now: TimeMs) {
        if let Some(session) = self.sessions.remove(&session) {
            self.leave(&session.worker, now);
        }
    }

    fn forget(&mut self, now: TimeMs) {
        self.ended.retain(|_, ended_at| now.since(*ended_at) < ENDED_KEPT_MS);
        let silent: Vec<SessionId> = self
            .sessions
            .iter()
            .filter(|(_, session)| now.since(session.news_at) > SILENT_MS)
            .map(|(id, _)| *id)
            .collect();
        for id in silent {
            self.end(id, now);
        }
        self.workers.retain(|_, worker| worker.sessions > 0 || now.since(worker.touched_at) < GONE_KEPT_MS);
        // Whoever invents worker names must not fill our memory.
        if self.workers.len() > self.sessions.len() + GONE_MAX {
            self.workers.retain(|_, worker| worker.sessions > 0);
        }
    }

    fn tick(&mut self) {
        let now = self.clock.now();
        self.forget(now);
        let snapshot = self.figures(now);
        if let Some(algorithm) = &snapshot.algorithm {
            metrics::gauge!(HASHRATE, "algorithm" => algorithm.to_string()).set(snapshot.hashrate as f64);
        }
        self.snapshot.set(snapshot);
    }

    fn figures(&mut self, now: TimeMs) -> PoolSnapshot {
        let miners = self.miners(now);
        let hashrate = miners.iter().map(|miner| miner.hashrate).fold(0, u128::saturating_add);
        let shares_per_1000_s = self.share_rate();
        self.history.push_back(HistoryPoint { at: now, hashrate, shares_per_1000_s });
        if self.history.len() > HISTORY {
            self.history.pop_front();
        }
        PoolSnapshot {
            at: now,
            algorithm: self.algorithm.clone(),
            hashrate,
            shares: self.shares,
            shares_per_1000_s,
            connections: self.connections.values().sum(),
            miners_connected: miners.iter().filter(|miner| miner.connected_since.is_some()).count(),
            workers_connected: self.workers.values().filter(|worker| worker.sessions > 0).count(),
            miners: miners.into(),
            work: self.work,
            history: self.history.iter().copied().collect(),
        }
    }

    /// Live figures by account, fastest first.
    fn miners(&mut self, now: TimeMs) -> Vec<MinerStats> {
        let mut accounts: HashMap<&Account, MinerStats> = HashMap::new();
        for (identity, worker) in &mut self.workers {
            let connected_since = (worker.sessions > 0).then_some(worker.connected_since);
            let hashrate = if connected_since.is_some() { worker.rate.hashrate(now) } else { 0 };
            let miner = accounts.entry(&identity.account).or_insert_with(|| MinerStats {
                account: identity.account.clone(),
                hashrate: 0,
                shares: ShareCounts::default(),
                connected_since: None,
                last_share_at: TimeMs(0),
                workers: Vec::new(),
            });
            miner.hashrate = miner.hashrate.saturating_add(hashrate);
            miner.shares.add(&worker.counts);
            miner.connected_since = [miner.connected_since, connected_since].into_iter().flatten().min();
            miner.last_share_at = miner.last_share_at.max(worker.last_share_at);
            miner.workers.push(WorkerStats {
                identity: Arc::clone(identity),
                hashrate,
                shares: worker.counts,
                sessions: worker.sessions,
                difficulty: worker.difficulty,
                last_share_at: worker.last_share_at,
                connected_since,
            });
        }
        let mut miners: Vec<MinerStats> = accounts.into_values().collect();
        for miner in &mut miners {
            miner.workers.sort_by(|a, b| a.identity.worker.cmp(&b.identity.worker));
        }
        miners.sort_by(|a, b| b.hashrate.cmp(&a.hashrate).then_with(|| a.account.cmp(&b.account)));
        miners
    }

    fn share_rate(&mut self) -> u64 {
        if self.accepted_totals.is_empty() {
            self.accepted_totals.push_back(0);
        }
        self.accepted_totals.push_back(self.shares.accepted);
        if self.accepted_totals.len() > SHARE_RATE_S + 1 {
            self.accepted_totals.pop_front();
        }
        let first = self.accepted_totals.front().copied().unwrap_or_default();
        let seconds = u64::try_from(self.accepted_totals.len() - 1).unwrap_or(1).max(1);
        self.shares.accepted.saturating_sub(first).saturating_mul(1_000) / seconds
    }
}

impl Actor for StatsAggregator {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(TICK, |aggregator, _| aggregator.tick());
    }
}

/// Adds a tally to the metric of shares, by outcome.
fn count_shares(tally: &StatsTally) {
    let mut sum = tally.anonymous;
    tally.sessions.iter().for_each(|session| sum.add(&session.counts));
    let slot = tally.slot.map_or_else(|| "none".to_owned(), |slot| slot.to_string());
    for (result, reason, shares) in [
        ("accepted", "", sum.accepted),
        ("rejected", "stale", sum.stale),
        ("rejected", "duplicate", sum.duplicate),
        ("rejected", "low_difficulty", sum.low_difficulty),
        ("rejected", "invalid", sum.invalid),
    ] {
        if shares > 0 {
            let algorithm = tally.algorithm.to_string();
            metrics::counter!(SHARES_TOTAL, "result" => result, "reason" => reason, "algorithm" => algorithm, "slot" => slot.clone())
                .increment(shares);
        }
    }
}

impl Handler<StatsTally> for StatsAggregator {
    type Result = ();

    fn handle(&mut self, tally: StatsTally, _: &mut Self::Context) {
        let now = self.clock.now();
        count_shares(&tally);
        self.algorithm = Some(tally.algorithm);
        self.connections.insert(tally.arbiter, tally.connections);
        self.shares.add(&tally.anonymous);
        for news in &tally.sessions {
            self.take(now, news);
        }
    }
}

impl Handler<SessionEnded> for StatsAggregator {
    type Result = ();

    fn handle(&mut self, SessionEnded(session): SessionEnded, _: &mut Self::Context) {
        let now = self.clock.now();
        self.ended.insert(session, now);
        self.end(session, now);
    }
}

impl Handler<Observe> for StatsAggregator {
    type Result = Observation;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Observation {
        Observation::of(&State {
            workers: self.workers.len(),
            sessions: self.sessions.len(),
            shares: self.shares,
            history: self.history.len(),
        })
    }
}
