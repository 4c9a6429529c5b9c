//! What people follow: the pool's figures of each second, and the stream of numbered events.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use bytestring::ByteString;
use pool_domain::{
    difficulty::Difficulty,
    ids::{Account, AlgorithmName, BlockHash},
    units::{TimeMs, Work},
};
use tokio::sync::broadcast;

use super::{block::BlockView, event::PoolEvent, share::WorkerIdentity, stats::ShareCounts};

/// Events kept for those who come back.
const RING: usize = 1_024;
/// Events that wait for a slow subscriber.
const WAITING_MAX: usize = 1_024;
/// Blocks that a subscriber begins with.
const BLOCKS: usize = 240;
/// Blocks remembered for the picture of the DAG, those of others with them: some 2 MB.
const BLOCKS_REMEMBERED: usize = 4_096;
/// Blocks remembered by their hash, so that none is counted twice.
const BLOCKS_KNOWN: usize = 4_096;
/// Time over which the network's block rate is taken.
const BLOCK_RATE_MS: u64 = 120_000;
/// A block rate is not told before so much time was watched.
const BLOCK_RATE_MS_MIN: u64 = 10_000;

/// The pool at a moment, once a second from the StatsAggregator, in a watch.
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
    /// Accounts that are connected or were lately.
    pub miners: Miners,
    /// Accepted work since the aggregator started.
    pub work: Work,
    /// One point a second, oldest first.
    pub history: Arc<[HistoryPoint]>,
}

/// The accounts' live figures as of the last second, made when they are asked for.
pub trait LiveMiners: Send + Sync {
    /// Accounts that are connected or were lately.
    fn count(&self) -> usize;

    /// The fastest that mine now, the fastest first.
    fn fastest(&self, most: usize) -> Vec<MinerStats>;

    /// One account.
    fn find(&self, account: &Account) -> Option<MinerStats>;

    /// Accounts that mine now, in order of their address, past `after`.
    fn mining_after(&self, after: Option<&Account>, most: usize) -> Vec<MinerStats>;

    /// Accounts that mine now, in the order that is wanted.
    fn sorted(&self, wanted: &MinersWanted) -> MinersFound;

    /// Which difficulties the workers of an account had, the last ones of each, oldest first.
    fn difficulties(&self, account: &Account) -> Vec<WorkerDifficulties>;
}

/// What a list of accounts is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MinerOrder {
    /// Its address.
    Account,
    /// Hashes per second.
    Hashrate,
    /// How many of its workers are connected.
    Workers,
    /// Accepted shares since its workers came.
    Accepted,
    /// Refused shares since its workers came.
    Rejected,
    /// Of its fastest worker.
    Difficulty,
    /// When its last share was accepted.
    LastShare,
    /// Since when it has been connected.
    Connected,
}

/// A part of a sorted list.
#[derive(Debug, Clone)]
pub struct MinersWanted {
    /// By what. Equals are in order of their address, whichever way the list runs.
    pub by: MinerOrder,
    /// The greatest first.
    pub descending: bool,
    /// Only addresses with this in them, lower-case.
    pub search: Option<String>,
    /// Past this place.
    pub after: Option<(u128, Account)>,
    /// How many at most.
    pub most: usize,
}

/// What was found of it.
#[derive(Debug, Clone, Default)]
pub struct MinersFound {
    /// How many there are, on all pages.
    pub total: usize,
    /// With what each was sorted by.
    pub items: Vec<(u128, MinerStats)>,
}

/// The last difficulties of a worker.
#[derive(Debug, Clone)]
pub struct WorkerDifficulties {
    /// Whose.
    pub identity: Arc<WorkerIdentity>,
    /// Since when each was in force, oldest first.
    pub changes: Vec<(TimeMs, Difficulty)>,
}

/// Where live figures are asked for.
#[derive(Clone)]
pub struct Miners(Arc<dyn LiveMiners>);

impl Miners {
    /// Those of this source.
    #[must_use]
    pub fn new(source: Arc<impl LiveMiners + 'static>) -> Self {
        Self(source)
    }
}

impl std::ops::Deref for Miners {
    type Target = dyn LiveMiners;

    fn deref(&self) -> &Self::Target {
        self.0.as_ref()
    }
}

impl Default for Miners {
    fn default() -> Self {
        Self(Arc::new(Nobody))
    }
}

impl fmt::Debug for Miners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Miners").field(&self.count()).finish()
    }
}

/// Before anybody came.
struct Nobody;

impl LiveMiners for Nobody {
    fn count(&self) -> usize {
        0
    }

    fn fastest(&self, _: usize) -> Vec<MinerStats> {
        Vec::new()
    }

    fn find(&self, _: &Account) -> Option<MinerStats> {
        None
    }

    fn mining_after(&self, _: Option<&Account>, _: usize) -> Vec<MinerStats> {
        Vec::new()
    }

    fn sorted(&self, _: &MinersWanted) -> MinersFound {
        MinersFound::default()
    }

    fn difficulties(&self, _: &Account) -> Vec<WorkerDifficulties> {
        Vec::new()
    }
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

/// Who may read a rendering of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Anybody: no addresses of miners, no security events.
    Public,
    /// Whoever has the admin token.
    Operator,
}

/// An event with its number.
pub struct Numbered {
    /// Its number: rises over all events, and also from one process to the next.
    pub seq: u64,
    /// When.
    pub at: TimeMs,
    /// What.
    pub event: PoolEvent,
    frames: [OnceLock<Option<ByteString>>; 2],
}

impl Numbered {
    /// An event that was given a number.
    #[must_use]
    pub fn new(seq: u64, at: TimeMs, event: PoolEvent) -> Self {
        Self { seq, at, event, frames: Default::default() }
    }

    /// The text for an audience, made by whoever needs it first, the same memory for all; `None` if it is not for that
    /// audience.
    pub fn frame(
        &self,
        audience: Audience,
        render: impl FnOnce(&Self) -> Option<String>,
    ) -> Option<ByteString> {
        let cell = match audience {
            Audience::Public => &self.frames[0],
            Audience::Operator => &self.frames[1],
        };
        cell.get_or_init(|| render(self).map(ByteString::from)).clone()
    }
}

impl fmt::Debug for Numbered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Numbered").field("seq", &self.seq).field("event", &self.event).finish_non_exhaustive()
    }
}

/// What a subscriber begins with. Nothing is lost between `missed` and `live`.
#[derive(Debug)]
pub struct Subscription {
    /// Number of the newest event.
    pub seq: u64,
    /// What happened since the event that the subscriber saw last (without [`PoolEvent::Stats`]); `None` when that is
    /// too long ago, or was of another process: it needs a snapshot.
    pub missed: Option<Vec<Arc<Numbered>>>,
    /// The DAG's recent blocks as last told, oldest first.
    pub blocks: Vec<BlockView>,
    /// Everything from now on. A subscriber that is too slow loses the oldest, and is told.
    pub live: broadcast::Receiver<Arc<Numbered>>,
}

/// Everything that happens, numbered: what came last, and a channel to whoever follows. Outlives the EventPublisher that
/// fills it, so that subscribers don't notice when that is rebuilt.
#[derive(Clone)]
pub struct Events {
    hub: Arc<Mutex<Hub>>,
}

struct Hub {
    seq: u64,
    /// The highest number that is not in the ring any more.
    forgotten: u64,
    ring: VecDeque<Arc<Numbered>>,
    live: broadcast::Sender<Arc<Numbered>>,
    block_order: VecDeque<BlockHash>,
    /// How many blocks were ever forgotten: the number of the first that is remembered.
    blocks_forgotten: u64,
    blocks: HashMap<BlockHash, BlockView>,
    known_order: VecDeque<BlockHash>,
    known: HashSet<BlockHash>,
    /// When each of the last blocks of the network was first told.
    block_times: VecDeque<TimeMs>,
    watching_since: Option<TimeMs>,
}

/// How the hub fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct EventCounts {
    /// Number of the newest event.
    pub seq: u64,
    /// Events kept.
    pub events_kept: usize,
    /// Blocks kept.
    pub blocks_kept: usize,
    /// Live subscribers.
    pub subscribers: usize,
    /// Events that the slowest of them has yet to take.
    pub waiting: usize,
}

impl Default for Events {
    fn default() -> Self {
        Self::new()
    }
}

impl Events {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new() -> Self {
        let hub = Hub {
            seq: 0,
            forgotten: 0,
            ring: VecDeque::new(),
            live: broadcast::channel(WAITING_MAX).0,
            block_order: VecDeque::new(),
            blocks_forgotten: 0,
            blocks: HashMap::new(),
            known_order: VecDeque::new(),
            known: HashSet::new(),
            block_times: VecDeque::new(),
            watching_since: None,
        };
        Self { hub: Arc::new(Mutex::new(hub)) }
    }

    fn with<R>(&self, f: impl FnOnce(&mut Hub) -> R) -> R {
        f(&mut self.hub.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Numbers begin past the clock's milliseconds: higher than those of any process before this one, as long as there
    /// are fewer than a thousand events a second on average.
    pub fn begin(&self, now: TimeMs) {
        self.with(|hub| {
            hub.watching_since.get_or_insert(now);
            if hub.ring.is_empty() && hub.seq < now.0 {
                hub.seq = now.0;
                hub.forgotten = now.0;
            }
        });
    }

    /// Numbers an event and hands it to all subscribers.
    pub fn publish(&self, at: TimeMs, event: PoolEvent) {
        self.with(|hub| hub.publish(at, event));
    }

    /// What was missed since an event, and all that happens from now on.
    #[must_use]
    pub fn subscribe(&self, since: Option<u64>) -> Subscription {
        self.with(|hub| {
            let resumable = since.filter(|since| (hub.forgotten..=hub.seq).contains(since));
            Subscription {
                seq: hub.seq,
                missed: resumable
                    .map(|since| hub.ring.iter().filter(|event| event.seq > since).cloned().collect()),
                blocks: hub.blocks_before(None, BLOCKS).rev().map(|(_, view)| view.clone()).collect(),
                live: hub.live.subscribe(),
            }
        })
    }

    /// Blocks as last told, those of others with them, newest first, each with its number; those before a number, or the
    /// newest.
    #[must_use]
    pub fn blocks_before(&self, number: Option<u64>, most: usize) -> Vec<(u64, BlockView)> {
        self.with(|hub| {
            hub.blocks_before(number, most).map(|(number, view)| (number, view.clone())).collect()
        })
    }

    /// The whole network's blocks per 1,000 seconds, by what the node told; `None` before enough time was watched, or
    /// when it told of no block at all.
    #[must_use]
    pub fn network_blocks_per_1000_s(&self, now: TimeMs) -> Option<u64> {
        self.with(|hub| {
            hub.forget_block_times(now);
            let watched_ms = now.since(hub.watching_since?).min(BLOCK_RATE_MS);
            let blocks = u64::try_from(hub.block_times.len()).unwrap_or(u64::MAX);
            (watched_ms >= BLOCK_RATE_MS_MIN && blocks > 0).then(|| blocks * 1_000_000 / watched_ms)
        })
    }

    /// How the hub fares.
    #[must_use]
    pub fn counts(&self) -> EventCounts {
        self.with(|hub| EventCounts {
            seq: hub.seq,
            events_kept: hub.ring.len(),
            blocks_kept: hub.blocks.len(),
            subscribers: hub.live.receiver_count(),
            waiting: hub.live.len(),
        })
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Events").field(&self.counts()).finish()
    }
}

impl Hub {
    fn publish(&mut self, at: TimeMs, event: PoolEvent) {
        self.seq += 1;
        if let PoolEvent::Block(view) = &event {
            self.remember_block(at, view);
        }
        let event = Arc::new(Numbered::new(self.seq, at, event));
        if !matches!(event.event, PoolEvent::Stats(_)) {
            // A deployment says where it is once a second: it would push out what others come back for.
            self.ring.retain(|known| !event.event.supersedes(&known.event));
            self.ring.push_back(Arc::clone(&event));
            if self.ring.len() > RING
                && let Some(oldest) = self.ring.pop_front()
            {
                self.forgotten = oldest.seq;
            }
        }
        // Nobody may be listening.
        let _ = self.live.send(event);
    }

    /// Newest first.
    fn blocks_before(
        &self,
        number: Option<u64>,
        most: usize,
    ) -> impl DoubleEndedIterator<Item = (u64, &BlockView)> {
        let first = self.blocks_forgotten;
        let older = number.map_or(u64::MAX, |number| number.saturating_sub(first));
        let end = usize::try_from(older).unwrap_or(usize::MAX).min(self.block_order.len());
        let numbered = (first..).zip(&self.block_order).skip(end.saturating_sub(most)).take(end.min(most));
        let shown: Vec<_> =
            numbered.filter_map(|(number, hash)| Some((number, self.blocks.get(hash)?))).collect();
        shown.into_iter().rev()
    }

    fn remember_block(&mut self, at: TimeMs, view: &BlockView) {
        if self.blocks.insert(view.hash, view.clone()).is_none() {
            self.block_order.push_back(view.hash);
            if self.block_order.len() > BLOCKS_REMEMBERED
                && let Some(oldest) = self.block_order.pop_front()
            {
                self.blocks.remove(&oldest);
                self.blocks_forgotten += 1;
            }
        }
        // What the node tells of the time before us is no news of the network's pace.
        let is_recent = self.watching_since.is_some_and(|since| view.found_at >= since);
        if self.known.insert(view.hash) && is_recent {
            self.block_times.push_back(at);
            self.forget_block_times(at);
        }
        if self.known.len() > self.known_order.len() {
            self.known_order.push_back(view.hash);
        }
        if self.known_order.len() > BLOCKS_KNOWN
            && let Some(oldest) = self.known_order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    fn forget_block_times(&mut self, now: TimeMs) {
        while self.block_times.front().is_some_and(|at| now.since(*at) > BLOCK_RATE_MS) {
            self.block_times.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{alerts::tests::deployment_row, algorithm::deployment};

    #[test]
    fn a_long_deployment_pushes_out_nothing_that_others_come_back_for() {
        let events = Events::new();
        let publish = |event: PoolEvent| events.publish(TimeMs(1), event);
        publish(PoolEvent::NodeState { ready: true, reason: String::new() });
        let before = events.subscribe(None).seq;
        let defect = |code: &str| PoolEvent::Defect { code: code.into(), message: String::new() };
        publish(defect("FIRST"));
        for _ in 0..2 * RING {
            for id in [1, 2] {
                let view = deployment::view(&deployment_row(id, TimeMs(1)), None);
                publish(PoolEvent::Deployment(Arc::new(view)));
            }
            publish(PoolEvent::Staging { upload: "ab".into(), check: None });
        }
        publish(defect("LAST"));
        let missed = events.subscribe(Some(before)).missed.expect("it is known what was missed");
        let told: Vec<_> = missed
            .iter()
            .map(|known| match &known.event {
                PoolEvent::Defect { code, .. } => code.clone(),
                PoolEvent::Deployment(view) => view.id.to_string(),
                PoolEvent::Staging { upload, .. } => upload.clone(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(told, ["FIRST", "1", "2", "ab", "LAST"], "the newest of each, in their order");
    }
}
