//! Who mines, and how fast: kept up with each second's news of the sessions, read by whoever asks.
//!
//! Ten thousand sessions have news every second while hardly anybody looks at more than the fastest: nothing is copied,
//! sorted or rendered before it is asked for.

use std::{
    collections::{BTreeMap, BinaryHeap, HashMap, VecDeque},
    hash::{BuildHasherDefault, Hasher},
    ops::Bound,
    sync::{Arc, Mutex, PoisonError},
};

use pool_domain::{
    difficulty::Difficulty,
    ids::{Account, SessionId},
    units::TimeMs,
};
use smallvec::SmallVec;

use super::rate::Rate;
use crate::messages::{
    live::{LiveMiners, MinerOrder, MinerStats, MinersFound, MinersWanted, WorkerDifficulties, WorkerStats},
    share::WorkerIdentity,
    stats::{SessionTally, ShareCounts},
};

/// A session without news for so long has gone, even if its end was lost on the way (stratum's idle time-out is less).
const SILENT_MS: u64 = 1_200_000;
/// A worker that left is remembered for so long.
const GONE_KEPT_MS: u64 = 3_600_000;
/// Workers that left are forgotten at once beyond this number.
const GONE_MAX: usize = 50_000;
/// News of a session may arrive so long after its end.
const ENDED_KEPT_MS: u64 = 60_000;
/// Difficulties that are remembered of a worker.
const DIFFICULTIES_MAX: usize = 24;

/// All that have mined lately. Written by the StatsAggregator alone.
#[derive(Default)]
pub(super) struct Roster {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// When rates were last asked for: readers see the figures of that second.
    at: TimeMs,
    sessions: HashMap<SessionId, Session, BuildHasherDefault<NumberHasher>>,
    ended: HashMap<SessionId, TimeMs, BuildHasherDefault<NumberHasher>>,
    workers: Vec<Option<Worker>>,
    free: Vec<u32>,
    by_identity: HashMap<Arc<WorkerIdentity>, u32>,
    accounts: BTreeMap<Account, AccountEntry>,
    workers_connected: usize,
    accounts_connected: usize,
}

struct Session {
    worker: u32,
    news_at: TimeMs,
}

struct Worker {
    identity: Arc<WorkerIdentity>,
    rate: Rate,
    counts: ShareCounts,
    sessions: usize,
    difficulty: Difficulty,
    /// Since when each of the last ones was in force.
    difficulties: VecDeque<(TimeMs, Difficulty)>,
    last_share_at: TimeMs,
    connected_since: TimeMs,
    /// Last news, or when its last session ended.
    touched_at: TimeMs,
}

#[derive(Default)]
struct AccountEntry {
    workers: SmallVec<[u32; 2]>,
    connected: usize,
}

/// How many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) workers: usize,
    pub(super) sessions: usize,
    pub(super) workers_connected: usize,
    pub(super) accounts_connected: usize,
}

impl Roster {
    fn with<R>(&self, f: impl FnOnce(&mut Inner) -> R) -> R {
        f(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes in what sessions did.
    pub(super) fn take(&self, now: TimeMs, news: &[SessionTally]) {
        self.with(|inner| news.iter().for_each(|news| inner.take(now, news)));
    }

    /// A session is gone.
    pub(super) fn end(&self, now: TimeMs, session: SessionId) {
        self.with(|inner| {
            inner.ended.insert(session, now);
            inner.end(session, now);
        });
    }

    /// Forgets who has been gone for long.
    pub(super) fn forget(&self, now: TimeMs) {
        self.with(|inner| inner.forget(now));
    }

    /// Hashes per second of all connected workers; readers see the figures of `now` from here on.
    pub(super) fn hashrate(&self, now: TimeMs) -> u128 {
        self.with(|inner| {
            inner.at = now;
            let connected = inner.workers.iter_mut().flatten().filter(|worker| worker.sessions > 0);
            connected.map(|worker| worker.rate.hashrate(now)).fold(0, u128::saturating_add)
        })
    }

    pub(super) fn counts(&self) -> Counts {
        self.with(|inner| Counts {
            workers: inner.by_identity.len(),
            sessions: inner.sessions.len(),
            workers_connected: inner.workers_connected,
            accounts_connected: inner.accounts_connected,
        })
    }
}

impl LiveMiners for Roster {
    fn count(&self) -> usize {
        self.with(|inner| inner.accounts.len())
    }

    fn fastest(&self, most: usize) -> Vec<MinerStats> {
        self.with(|inner| {
            let mut fastest = BinaryHeap::with_capacity(most + 1);
            for (account, entry) in &inner.accounts {
                if entry.connected > 0 {
                    let hashrate = inner.hashrate_of(entry);
                    // The slowest so far on top; of equals, the one that comes last in the alphabet.
                    fastest.push((std::cmp::Reverse(hashrate), account));
                    if fastest.len() > most {
                        fastest.pop();
                    }
                }
            }
            fastest.into_sorted_vec().into_iter().map(|(_, account)| inner.stats_of(account)).collect()
        })
    }

    fn find(&self, account: &Account) -> Option<MinerStats> {
        self.with(|inner| inner.accounts.contains_key(account).then(|| inner.stats_of(account)))
    }

    fn mining_after(&self, after: Option<&Account>, most: usize) -> Vec<MinerStats> {
        self.with(|inner| {
            let from = after.map_or(Bound::Unbounded, Bound::Excluded);
            let mining = inner.accounts.range::<Account, _>((from, Bound::Unbounded));
            let mining = mining.filter(|(_, entry)| entry.connected > 0).take(most);
            mining.map(|(account, _)| inner.stats_of(account)).collect()
        })
    }

    fn sorted(&self, wanted: &MinersWanted) -> MinersFound {
        self.with(|inner| inner.sorted(wanted))
    }

    fn difficulties(&self, account: &Account) -> Vec<WorkerDifficulties> {
        self.with(|inner| {
            let workers = inner.accounts.get(account).into_iter().flat_map(|entry| inner.workers_of(entry));
            let known = workers.map(|worker| WorkerDifficulties {
                identity: Arc::clone(&worker.identity),
                changes: worker.difficulties.iter().copied().collect(),
            });
            known.collect()
        })
    }
}

impl Inner {
    fn take(&mut self, now: TimeMs, news: &SessionTally) {
        let index = match self.sessions.get_mut(&news.session) {
            Some(session) => {
                session.news_at = now;
                let index = session.worker;
                let known = self.workers[index as usize].as_ref().map(|worker| &worker.identity);
                let same =
                    known.is_some_and(|known| Arc::ptr_eq(known, &news.worker) || *known == news.worker);
                if same { index } else { self.moves(now, news, Some(index)) }
            }
            None => self.moves(now, news, None),
        };
        let Some(worker) = &mut self.workers[index as usize] else { return };
        worker.rate.add(now, news.work, news.counts.accepted);
        worker.counts.add(&news.counts);
        worker.has_difficulty(now, news.difficulty);
        worker.last_share_at = worker.last_share_at.max(news.last_share_at);
        worker.touched_at = now;
    }

    /// A session is met for the first time, or has authorised again under another name.
    #[cold]
    fn moves(&mut self, now: TimeMs, news: &SessionTally, before: Option<u32>) -> u32 {
        let index = self.index_of(now, news);
        if before.is_none() && self.ended.contains_key(&news.session) {
            return index;
        }
        self.sessions.insert(news.session, Session { worker: index, news_at: now });
        if let Some(before) = before {
            self.leave(before, now);
        }
        let Some(worker) = &mut self.workers[index as usize] else { return index };
        worker.sessions += 1;
        if worker.sessions == 1 {
            worker.connected_since = now;
            self.workers_connected += 1;
            let account = self.accounts.entry(worker.identity.account.clone()).or_default();
            account.connected += 1;
            self.accounts_connected += usize::from(account.connected == 1);
        }
        index
    }

    fn index_of(&mut self, now: TimeMs, news: &SessionTally) -> u32 {
        if let Some(index) = self.by_identity.get(&news.worker) {
            return *index;
        }
        let worker = Worker {
            identity: Arc::clone(&news.worker),
            rate: Rate::new(now),
            counts: ShareCounts::default(),
            sessions: 0,
            difficulty: news.difficulty,
            difficulties: VecDeque::from([(now, news.difficulty)]),
            last_share_at: TimeMs(0),
            connected_since: now,
            touched_at: now,
        };
        let index = self.free.pop().unwrap_or_else(|| {
            self.workers.push(None);
            u32::try_from(self.workers.len() - 1).expect("memory ends long before 2^32 workers")
        });
        self.workers[index as usize] = Some(worker);
        self.by_identity.insert(Arc::clone(&news.worker), index);
        self.accounts.entry(news.worker.account.clone()).or_default().workers.push(index);
        index
    }

    fn leave(&mut self, index: u32, now: TimeMs) {
        let Some(worker) = &mut self.workers[index as usize] else { return };
        worker.touched_at = now;
        if worker.sessions == 0 {
            return;
        }
        worker.sessions -= 1;
        if worker.sessions == 0 {
            self.workers_connected -= 1;
            if let Some(account) = self.accounts.get_mut(&worker.identity.account) {
                account.connected -= 1;
                self.accounts_connected -= usize::from(account.connected == 0);
            }
        }
    }

    fn end(&mut self, session: SessionId, now: TimeMs) {
        if let Some(session) = self.sessions.remove(&session) {
            self.leave(session.worker, now);
        }
    }

    fn forget(&mut self, now: TimeMs) {
        self.ended.retain(|_, ended_at| now.since(*ended_at) < ENDED_KEPT_MS);
        let is_silent = |session: &Session| now.since(session.news_at) > SILENT_MS;
        let silent: Vec<SessionId> =
            self.sessions.iter().filter(|(_, session)| is_silent(session)).map(|(id, _)| *id).collect();
        for id in silent {
            self.end(id, now);
        }
        // Whoever invents worker names must not fill our memory.
        let crowded = self.by_identity.len() > self.sessions.len() + GONE_MAX;
        for index in 0..self.workers.len() {
            let gone = self.workers[index].as_ref().is_some_and(|worker| {
                worker.sessions == 0 && (crowded || now.since(worker.touched_at) >= GONE_KEPT_MS)
            });
            if gone {
                self.remove(index);
            }
        }
    }

    fn remove(&mut self, index: usize) {
        let Some(worker) = self.workers[index].take() else { return };
        let number = u32::try_from(index).expect("it was given as such");
        self.free.push(number);
        self.by_identity.remove(&worker.identity);
        if let Some(account) = self.accounts.get_mut(&worker.identity.account) {
            account.workers.retain(|worker| *worker != number);
            if account.workers.is_empty() {
                self.accounts.remove(&worker.identity.account);
            }
        }
    }

    fn workers_of(&self, entry: &AccountEntry) -> impl Iterator<Item = &Worker> {
        entry.workers.iter().filter_map(|index| self.workers[*index as usize].as_ref())
    }

    fn hashrate_of(&self, entry: &AccountEntry) -> u128 {
        let connected = self.workers_of(entry).filter(|worker| worker.sessions > 0);
        connected.map(|worker| worker.rate.hashrate_at(self.at)).fold(0, u128::saturating_add)
    }

    /// Of those that are wanted only a number and the place are kept; figures are made for the page alone.
    fn sorted(&self, wanted: &MinersWanted) -> MinersFound {
        let fits = |account: &Account| {
            let search = wanted.search.as_deref();
            search.is_none_or(|search| account.as_str().to_ascii_lowercase().contains(search))
        };
        let mining = self.accounts.iter().filter(|(account, entry)| entry.connected > 0 && fits(account));
        let mut places: Vec<(u128, &Account)> =
            mining.map(|(account, entry)| (self.order_of(wanted.by, entry), account)).collect();
        let total = places.len();
        let order = |a: &(u128, &Account), b: &(u128, &Account)| {
            let by_address = a.1.cmp(b.1);
            match (wanted.by, wanted.descending) {
                (MinerOrder::Account, false) => by_address,
                (MinerOrder::Account, true) => by_address.reverse(),
                (_, false) => a.0.cmp(&b.0).then(by_address),
                (_, true) => b.0.cmp(&a.0).then(by_address),
            }
        };
        if let Some((number, account)) = &wanted.after {
            places.retain(|place| order(place, &(*number, account)).is_gt());
        }
        if places.len() > wanted.most {
            places.select_nth_unstable_by(wanted.most, order);
            places.truncate(wanted.most);
        }
        places.sort_unstable_by(order);
        let items = places.into_iter().map(|(number, account)| (number, self.stats_of(account))).collect();
        MinersFound { total, items }
    }

    fn order_of(&self, by: MinerOrder, entry: &AccountEntry) -> u128 {
        let workers = || self.workers_of(entry);
        match by {
            MinerOrder::Account => 0,
            MinerOrder::Hashrate => self.hashrate_of(entry),
            MinerOrder::Workers => entry.connected as u128,
            MinerOrder::Accepted => workers().map(|worker| u128::from(worker.counts.accepted)).sum(),
            MinerOrder::Rejected => workers().map(|worker| u128::from(worker.counts.rejected)).sum(),
            MinerOrder::Difficulty => {
                let fastest = workers().max_by_key(|worker| worker.hashrate_at(self.at));
                fastest.map_or(0, |worker| worker.difficulty.0)
            }
            MinerOrder::LastShare => {
                workers().map(|worker| u128::from(worker.last_share_at.0)).max().unwrap_or_default()
            }
            MinerOrder::Connected => {
                let connected = workers().filter(|worker| worker.sessions > 0);
                connected.map(|worker| u128::from(worker.connected_since.0)).min().unwrap_or_default()
            }
        }
    }

    /// The figures of an account that there is.
    fn stats_of(&self, account: &Account) -> MinerStats {
        let workers = self.accounts.get(account).into_iter().flat_map(|entry| self.workers_of(entry));
        let mut workers: Vec<WorkerStats> = workers.map(|worker| worker.stats(self.at)).collect();
        workers.sort_by(|a, b| a.identity.worker.cmp(&b.identity.worker));
        let mut shares = ShareCounts::default();
        workers.iter().for_each(|worker| shares.add(&worker.shares));
        MinerStats {
            account: account.clone(),
            hashrate: workers.iter().map(|worker| worker.hashrate).fold(0, u128::saturating_add),
            shares,
            connected_since: workers.iter().filter_map(|worker| worker.connected_since).min(),
            last_share_at: workers.iter().map(|worker| worker.last_share_at).max().unwrap_or_default(),
            workers,
        }
    }
}

impl Worker {
    fn has_difficulty(&mut self, now: TimeMs, difficulty: Difficulty) {
        if self.difficulty == difficulty {
            return;
        }
        self.difficulty = difficulty;
        if self.difficulties.len() >= DIFFICULTIES_MAX {
            self.difficulties.pop_front();
        }
        self.difficulties.push_back((now, difficulty));
    }

    fn hashrate_at(&self, at: TimeMs) -> u128 {
        if self.sessions > 0 { self.rate.hashrate_at(at) } else { 0 }
    }

    fn stats(&self, at: TimeMs) -> WorkerStats {
        let connected = self.sessions > 0;
        WorkerStats {
            identity: Arc::clone(&self.identity),
            hashrate: self.hashrate_at(at),
            shares: self.counts,
            sessions: self.sessions,
            difficulty: self.difficulty,
            last_share_at: self.last_share_at,
            connected_since: connected.then_some(self.connected_since),
        }
    }
}

/// For numbers that we give out ourselves: nobody can choose ones that collide.
#[derive(Default)]
pub(super) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, number: u64) {
        // 2^64 divided by the golden ratio: neighbours land far apart, in the high bits too.
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
