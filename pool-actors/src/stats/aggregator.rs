//! StatsAggregator: from tallies and events to one [`PoolSnapshot`] a second.
//!
//! * **receives** [`StatsTally`] and [`SessionEnded`] from the session hubs, [`Publish`] from the EventPublisher (miners
//!   coming, blocks), its own timer, [`Observe`]
//! * **sends** nothing; publishes the snapshot in a watch
//! * **supervised by** the factory supervisor; after a restart the figures begin anew (the ledger's don't)
//! * **on overload** tallies are lost and counted by the hubs' outboxes

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use actix::{Actor, AsyncContext as _, Context, Handler, MessageResult};
use pool_domain::{
    difficulty::Difficulty,
    ids::{Account, AlgorithmName, BlockHash, SessionId, WorkerName},
    maturity::BlockStatus,
    units::{TimeMs, Work},
};
use serde::Serialize;

use super::rate::Rate;
use crate::{
    messages::{
        block::BlockView,
        event::{PoolEvent, Publish},
        share::WorkerIdentity,
        stats::{PoolSnapshot, SessionEnded, ShareCounts, StatsPoint, StatsTally, WorkerStats},
    },
    metrics::HASHRATE,
    ports::clock::SharedClock,
    runtime::{
        observe::{Observation, Observe},
        watch::Publisher,
    },
};

/// Points of the history.
const HISTORY: usize = 600;
/// Window of the pool's hash rate.
const POOL_WINDOW_MS: u64 = 120_000;
/// Window of a worker's hash rate: vardiff aims at a share every 5 s, so this holds some 60.
const WORKER_WINDOW_MS: u64 = 300_000;
/// Window of shares per second.
const SHARES_WINDOW_MS: u64 = 12_000;
/// Window of the network's block rate.
const BLOCKS_WINDOW_MS: u64 = 120_000;
/// Workers without session and share are forgotten after this.
const FORGET_MS: u64 = 600_000;
/// Workers kept in memory; past it, new ones are not shown by themselves.
const WORKERS_MAX: usize = 200_000;
/// Blocks remembered, so that none is counted twice.
const BLOCKS_SEEN_MAX: usize = 8_192;

type WorkerKey = (Account, WorkerName);

#[derive(Debug)]
struct Worker {
    rate: Rate,
    sessions: HashMap<SessionId, TimeMs>,
    difficulty: Option<Difficulty>,
    last_share_at: TimeMs,
    shares: ShareCounts,
    last_seen: TimeMs,
}

/// See the module's documentation.
pub struct StatsAggregator {
    clock: SharedClock,
    snapshot: Arc<Publisher<PoolSnapshot>>,
    since: TimeMs,
    algorithm: Option<AlgorithmName>,
    shares: ShareCounts,
    work: Rate,
    share_rate: Rate,
    blocks: Rate,
    blocks_seen: HashSet<BlockHash>,
    blocks_order: VecDeque<BlockHash>,
    accepted_blocks: HashSet<BlockHash>,
    work_since_block: Work,
    workers: BTreeMap<WorkerKey, Worker>,
    sessions: HashMap<SessionId, WorkerKey>,
    connections: BTreeMap<usize, usize>,
    history: VecDeque<StatsPoint>,
}

impl StatsAggregator {
    /// Begins to count.
    #[must_use]
    pub fn new(clock: SharedClock, snapshot: Arc<Publisher<PoolSnapshot>>) -> Self {
        let now = clock.now();
        Self {
            clock,
            snapshot,
            since: now,
            algorithm: None,
            shares: ShareCounts::default(),
            work: Rate::new(POOL_WINDOW_MS, now.0),
            share_rate: Rate::new(SHARES_WINDOW_MS, now.0),
            blocks: Rate::new(BLOCKS_WINDOW_MS, now.0),
            blocks_seen: HashSet::new(),
            blocks_order: VecDeque::new(),
            accepted_blocks: HashSet::new(),
            work_since_block: Work::ZERO,
            workers: BTreeMap::new(),
            sessions: HashMap::new(),
            connections: BTreeMap::new(),
            history: VecDeque::with_capacity(HISTORY + 1),
        }
    }

    /// The worker of a session, which may be new; `None` when there are too many.
    fn worker(&mut self, session: SessionId, key: &WorkerKey, now: TimeMs) -> Option<&mut Worker> {
        if !self.workers.contains_key(key) {
            if self.workers.len() >= WORKERS_MAX {
                return None;
            }
            let fresh = Worker {
                rate: Rate::new(WORKER_WINDOW_MS, now.0),
                sessions: HashMap::new(),
                difficulty: None,
                last_share_at: TimeMs(0),
                shares: ShareCounts::default(),
                last_seen: now,
            };
            self.workers.insert(key.clone(), fresh);
        }
        if self.sessions.get(&session) != Some(key) {
            self.end(session);
            self.sessions.insert(session, key.clone());
        }
        let worker = self.workers.get_mut(key)?;
        worker.sessions.entry(session).or_insert(now);
        worker.last_seen = now;
        Some(worker)
    }

    fn end(&mut self, session: SessionId) {
        if let Some(key) = self.sessions.remove(&session)
            && let Some(worker) = self.workers.get_mut(&key)
        {
            worker.sessions.remove(&session);
        }
    }

    fn tally(&mut self, tally: StatsTally) {
        let now = self.clock.now();
        self.algorithm = Some(tally.algorithm);
        self.connections.insert(tally.arbiter, tally.connections);
        self.shares.add(&tally.anonymous);
        for session in tally.sessions {
            self.shares.add(&session.counts);
            self.work.add(now.0, session.work.0);
            self.share_rate.add(now.0, u128::from(session.counts.accepted));
            self.work_since_block = self.work_since_block.saturating_add(session.work);
            if let Some(worker) = self.worker(session.session, &key_of(&session.worker), now) {
                worker.rate.add(now.0, session.work.0);
                worker.shares.add(&session.counts);
                worker.difficulty = Some(session.difficulty);
                worker.last_share_at = worker.last_share_at.max(session.last_share_at);
            }
        }
    }

    fn block(&mut self, block: &BlockView) {
        if self.blocks_seen.insert(block.hash) {
            self.blocks.add(block.found_at.0.min(self.clock.now().0), 1);
            self.blocks_order.push_back(block.hash);
        }
        if block.ours
            && block.status == Some(BlockStatus::Accepted)
            && self.accepted_blocks.insert(block.hash)
        {
            self.work_since_block = Work::ZERO;
        }
        if self.blocks_order.len() > BLOCKS_SEEN_MAX
            && let Some(oldest) = self.blocks_order.pop_front()
        {
            self.blocks_seen.remove(&oldest);
            self.accepted_blocks.remove(&oldest);
        }
    }

    fn event(&mut self, event: PoolEvent) {
        match event {
            PoolEvent::MinerConnected(seen) => {
                let account = seen.account.and_then(|account| Account::new(&account).ok());
                let worker = WorkerName::new(seen.worker.as_deref().unwrap_or_default()).ok();
                if let (Some(account), Some(worker)) = (account, worker) {
                    let now = self.clock.now();
                    self.worker(seen.session, &(account, worker), now);
                }
            }
            PoolEvent::MinerDisconnected(seen) => self.end(seen.session),
            PoolEvent::Block(block) => self.block(&block),
            PoolEvent::DifficultyAdjusted { session, difficulty, .. } => {
                if let Some(worker) = self.sessions.get(&session).and_then(|key| self.workers.get_mut(key)) {
                    worker.difficulty = Some(difficulty);
                }
            }
            PoolEvent::NodeState { .. } | PoolEvent::SecurityEvent { .. } => {}
        }
    }

    fn publish(&mut self) {
        let now = self.clock.now();
        self.workers
            .retain(|_, worker| !worker.sessions.is_empty() || now.since(worker.last_seen) < FORGET_MS);
        let hashrate = self.work.per(1_000, now.0);
        let shares_per_kilosecond = u64::try_from(self.share_rate.per(1_000_000, now.0)).unwrap_or(u64::MAX);
        self.history.push_back(StatsPoint { at: now, hashrate, shares_per_kilosecond });
        if self.history.len() > HISTORY {
            self.history.pop_front();
        }
        let mut accounts = BTreeMap::<Account, Vec<WorkerStats>>::new();
        let (mut miners, mut workers) = (0, 0);
        for ((account, name), worker) in &mut self.workers {
            let list = accounts.entry(account.clone()).or_default();
            let online = !worker.sessions.is_empty();
            if online && list.iter().all(|other| other.sessions == 0) {
                miners += 1;
            }
            workers += usize::from(online);
            list.push(WorkerStats {
                worker: name.clone(),
                hashrate: worker.rate.per(1_000, now.0),
                sessions: worker.sessions.len(),
                connected_since: worker.sessions.values().min().copied().unwrap_or_default(),
                difficulty: worker.difficulty,
                last_share_at: worker.last_share_at,
                shares: worker.shares,
            });
        }
        if let Some(algorithm) = &self.algorithm {
            #[expect(clippy::cast_precision_loss, reason = "a gauge")]
            metrics::gauge!(HASHRATE, "algorithm" => algorithm.to_string()).set(hashrate as f64);
        }
        self.snapshot.set(PoolSnapshot {
            at: now,
            since: self.since,
            algorithm: self.algorithm.clone(),
            hashrate,
            shares_per_kilosecond,
            shares: self.shares,
            miners,
            workers,
            connections: self.connections.values().sum(),
            blocks_per_kilosecond: u64::try_from(self.blocks.per(1_000_000, now.0)).unwrap_or(u64::MAX),
            work_since_block: self.work_since_block,
            accounts: Arc::new(accounts),
            history: Arc::new(self.history.iter().copied().collect()),
        });
    }
}

fn key_of(identity: &WorkerIdentity) -> WorkerKey {
    (identity.account.clone(), identity.worker.clone())
}

impl Actor for StatsAggregator {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.publish();
        context.run_interval(Duration::from_secs(1), |actor, _| actor.publish());
    }
}

impl Handler<StatsTally> for StatsAggregator {
    type Result = ();

    fn handle(&mut self, tally: StatsTally, _: &mut Self::Context) {
        self.tally(tally);
    }
}

impl Handler<SessionEnded> for StatsAggregator {
    type Result = ();

    fn handle(&mut self, SessionEnded(session): SessionEnded, _: &mut Self::Context) {
        self.end(session);
    }
}

impl Handler<Publish> for StatsAggregator {
    type Result = ();

    fn handle(&mut self, publish: Publish, _: &mut Self::Context) {
        self.event(publish.event);
    }
}

impl Handler<Observe> for StatsAggregator {
    type Result = MessageResult<Observe>;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Self::Result {
        #[derive(Serialize)]
        struct State {
            since: TimeMs,
            workers: usize,
            sessions: usize,
            shares: ShareCounts,
        }
        MessageResult(Observation::of(&State {
            since: self.since,
            workers: self.workers.len(),
            sessions: self.sessions.len(),
            shares: self.shares,
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::{
        messages::{event::MinerSeen, stats::SessionTally},
        ports::clock::Clock,
        runtime::watch::watched,
    };

    struct TestClock(AtomicU64);

    impl Clock for TestClock {
        fn now(&self) -> TimeMs {
            TimeMs(self.0.load(Ordering::Relaxed))
        }
    }

    fn identity(account: &str, worker: &str) -> Arc<WorkerIdentity> {
        Arc::new(WorkerIdentity {
            account: Account::new(account).unwrap(),
            worker: WorkerName::new(worker).unwrap(),
        })
    }

    fn tally(session: u64, worker: &Arc<WorkerIdentity>, accepted: u64, work: u128) -> StatsTally {
        StatsTally {
            algorithm: AlgorithmName::new("blake2s").unwrap(),
            sessions: vec![SessionTally {
                session: SessionId(session),
                worker: Arc::clone(worker),
                counts: ShareCounts { accepted, rejected: 1, stale: 1, ..ShareCounts::default() },
                work: Work(work),
                last_share_at: TimeMs(7),
                difficulty: Difficulty::ONE,
            }],
            anonymous: ShareCounts::default(),
            connections: 3,
            arbiter: 0,
        }
    }

    fn seen(session: u64, account: &str, worker: &str) -> MinerSeen {
        MinerSeen {
            session: SessionId(session),
            account: Some(account.into()),
            worker: Some(worker.into()),
            peer: "127.0.0.1:9".into(),
            agent: None,
        }
    }

    #[test]
    fn miners_workers_and_rates_follow_tallies_and_events() {
        let clock = Arc::new(TestClock(AtomicU64::new(1_000_000)));
        let (publisher, snapshots) = watched(PoolSnapshot::default());
        let mut stats = StatsAggregator::new(Arc::clone(&clock) as SharedClock, Arc::new(publisher));
        stats.event(PoolEvent::MinerConnected(seen(1, "a", "x")));
        stats.event(PoolEvent::MinerConnected(seen(2, "a", "y")));
        stats.event(PoolEvent::MinerConnected(seen(3, "b", "")));
        let worker = identity("a", "x");
        for second in 1..=60_u64 {
            clock.0.store(1_000_000 + second * 1_000, Ordering::Relaxed);
            stats.tally(tally(1, &worker, 2, 1_000));
            stats.publish();
        }
        let snapshot = snapshots.get();
        assert_eq!((snapshot.miners, snapshot.workers, snapshot.connections), (2, 3, 3));
        assert_eq!((snapshot.shares.accepted, snapshot.shares.stale), (120, 60));
        assert_eq!(snapshot.hashrate, 1_000);
        assert!(
            (1_900..=2_200).contains(&snapshot.shares_per_kilosecond),
            "{}",
            snapshot.shares_per_kilosecond
        );
        assert_eq!(snapshot.history.len(), 60);
        let workers = &snapshot.accounts[&Account::new("a").unwrap()];
        assert_eq!((workers[0].hashrate, workers[0].shares.accepted, workers[0].sessions), (1_000, 120, 1));
        assert_eq!((workers[1].hashrate, workers[1].connected_since), (0, TimeMs(1_000_000)));

        // Sessions end; the worker stays a while, then is forgotten.
        for session in 1..=3 {
            stats.end(SessionId(session));
        }
        stats.publish();
        assert_eq!(
            (snapshots.get().miners, snapshots.get().workers, snapshots.get().accounts.len()),
            (0, 0, 2)
        );
        clock.0.store(3_000_000, Ordering::Relaxed);
        stats.publish();
        assert_eq!((snapshots.get().accounts.len(), snapshots.get().hashrate), (0, 0));
    }
}
