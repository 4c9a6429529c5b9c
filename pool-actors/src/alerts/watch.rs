//! What is to be told of an account: workers that stay away, a hash rate that falls. Knows no clock and no database.

use std::collections::{BTreeMap, BTreeSet};

use pool_domain::units::TimeMs;

use crate::{messages::live::MinerStats, ports::personal::Wishes};

/// Looks over which the usual hash rate is a mean: an hour at one every thirty seconds.
const LOOKS: u128 = 120;
/// Looks before a hash rate is known: ten minutes.
const KNOWN: u32 = 20;
/// Looks in a row at which it must be low: a figure made of few shares jumps.
const LOW: u32 = 4;
/// Workers of an account that are watched.
const WORKERS_MAX: usize = 1_000;
/// Workers that a message names.
const NAMED_MAX: usize = 10;
/// A worker that has been away for so long is forgotten.
const FORGOTTEN_MS: u64 = 25 * 3_600_000;

/// What is known of an account, whoever wants to hear of it.
#[derive(Debug, Default)]
pub struct Watch {
    /// Workers that were seen connected, and since when they are away.
    workers: BTreeMap<String, Option<TimeMs>>,
    looks: u32,
    /// Hashes per second now, and a mean of before, in 1/256.
    rate: u128,
    usual: u128,
}

/// What somebody was told already.
#[derive(Debug, Default)]
pub struct Told {
    away: BTreeSet<String>,
    low: u32,
    is_low: bool,
}

/// Something to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// See [`PersonalMessage`](crate::ports::personal::PersonalMessage).
    pub kind: &'static str,
    /// In words.
    pub text: String,
}

impl Watch {
    /// One that expects these workers, which were connected before.
    #[must_use]
    pub fn expecting(workers: &[String], now: TimeMs) -> Self {
        let workers = workers.iter().take(WORKERS_MAX).map(|name| (name.clone(), Some(now))).collect();
        Self { workers, ..Self::default() }
    }

    /// Takes the account's figures of now.
    pub fn look(&mut self, now: TimeMs, miner: Option<&MinerStats>) {
        let mut connected = BTreeSet::new();
        for worker in miner.iter().flat_map(|miner| &miner.workers).filter(|worker| worker.sessions > 0) {
            let name = worker.identity.worker.as_str();
            connected.insert(name);
            if let Some(since) = self.workers.get_mut(name) {
                *since = None;
            } else if self.workers.len() < WORKERS_MAX {
                self.workers.insert(name.to_owned(), None);
            }
        }
        for (name, since) in &mut self.workers {
            if !connected.contains(name.as_str()) {
                since.get_or_insert(now);
            }
        }
        self.workers.retain(|_, since| since.is_none_or(|since| now.since(since) < FORGOTTEN_MS));
        self.looks = self.looks.saturating_add(1);
        self.rate = miner.map_or(0, |miner| miner.hashrate).min(u128::MAX >> 16) << 8;
    }

    /// What is to be told of it, to somebody with these wishes.
    pub fn news(&self, now: TimeMs, wishes: &Wishes, told: &mut Told) -> Vec<News> {
        let mut news = Vec::new();
        self.away(now, wishes.worker_offline_minutes, told, &mut news);
        self.low(wishes.hashrate_drop_percent, told, &mut news);
        news
    }

    /// The figures of now become part of what is usual: after everybody's [`news`](Self::news).
    pub fn settle(&mut self) {
        let weight = u128::from(self.looks).clamp(1, LOOKS);
        self.usual = self.usual - self.usual / weight + self.rate / weight;
    }

    /// Workers that are missed if they do not come back: those that are here, and those whose absence was not told yet.
    #[must_use]
    pub fn expected(&self, told: Option<&Told>) -> Vec<String> {
        let missing = |name: &String| told.is_none_or(|told| !told.away.contains(name));
        self.workers.keys().filter(|name| missing(name)).cloned().collect()
    }

    fn away(&self, now: TimeMs, minutes: u32, told: &mut Told, news: &mut Vec<News>) {
        if minutes == 0 {
            told.away.clear();
            return;
        }
        let limit = u64::from(minutes) * 60_000;
        let is_away = |since: &Option<TimeMs>| since.is_some_and(|since| now.since(since) >= limit);
        let gone = self.workers.iter().filter(|(name, since)| is_away(since) && !told.away.contains(*name));
        let gone: Vec<String> = gone.map(|(name, _)| name.clone()).collect();
        let back = told.away.iter().filter(|name| self.workers.get(*name).is_some_and(Option::is_none));
        let back: Vec<String> = back.cloned().collect();
        told.away.retain(|name| self.workers.get(name).is_some_and(Option::is_some));
        told.away.extend(gone.iter().cloned());
        if !gone.is_empty() {
            news.push(News {
                kind: "worker",
                text: format!("offline for {minutes} minutes: {}", named(gone)),
            });
        }
        if !back.is_empty() {
            news.push(News { kind: "worker", text: format!("online again: {}", named(back)) });
        }
    }

    fn low(&self, percent: u32, told: &mut Told, news: &mut Vec<News>) {
        let limit = self.usual / 10_000 * u128::from(100 - percent.min(100));
        let is_low = self.looks > KNOWN && percent > 0 && self.rate / 100 < limit;
        told.low = if is_low { told.low.saturating_add(1) } else { 0 };
        if !is_low {
            told.is_low = false;
        } else if told.low >= LOW && !told.is_low {
            told.is_low = true;
            let (rate, usual) = (self.rate >> 8, self.usual >> 8);
            let text = format!("the hash rate fell to {rate} H/s from {usual} H/s, by more than {percent}%");
            news.push(News { kind: "hashrate", text });
        }
    }
}

fn named(mut names: Vec<String>) -> String {
    let more = names.len().saturating_sub(NAMED_MAX);
    names.truncate(NAMED_MAX);
    for name in &mut names {
        if name.is_empty() {
            "(without a name)".clone_into(name);
        }
    }
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pool_domain::{
        difficulty::Difficulty,
        ids::{Account, WorkerName},
    };

    use super::*;
    use crate::messages::{live::WorkerStats, share::WorkerIdentity, stats::ShareCounts};

    fn miner(hashrate: u128, workers: &[(&str, bool)]) -> MinerStats {
        let account = Account::new("alice").unwrap();
        let worker = |(name, connected): &(&str, bool)| WorkerStats {
            identity: Arc::new(WorkerIdentity {
                account: account.clone(),
                worker: WorkerName::new(name).unwrap(),
            }),
            hashrate,
            shares: ShareCounts::default(),
            sessions: usize::from(*connected),
            difficulty: Difficulty::whole(1),
            last_share_at: TimeMs(0),
            connected_since: None,
        };
        MinerStats {
            account: account.clone(),
            hashrate,
            shares: ShareCounts::default(),
            connected_since: None,
            last_share_at: TimeMs(0),
            workers: workers.iter().map(worker).collect(),
        }
    }

    const WISHES: Wishes =
        Wishes { worker_offline_minutes: 5, hashrate_drop_percent: 30, payout: false, block: false };

    #[derive(Default)]
    struct Both {
        watch: Watch,
        told: Told,
    }

    impl Both {
        /// Looks every 30 seconds.
        fn look(&mut self, from: u64, looks: u64, miner: Option<&MinerStats>) -> Vec<(u64, String)> {
            let mut all = Vec::new();
            for n in from..from + looks {
                let now = TimeMs(1_000_000 + n * 30_000);
                self.watch.look(now, miner);
                let news = self.watch.news(now, &WISHES, &mut self.told);
                all.extend(news.into_iter().map(|news| (n, news.text)));
                self.watch.settle();
            }
            all
        }
    }

    #[test]
    fn a_worker_that_is_away_is_told_once_and_again_when_it_is_back() {
        let mut both = Both::default();
        let (two, one) =
            (miner(1_000, &[("a", true), ("b", true)]), miner(1_000, &[("a", true), ("b", false)]));
        assert_eq!(both.look(0, 5, Some(&two)), []);
        assert_eq!(both.look(5, 30, Some(&one)), [(15, "offline for 5 minutes: b".to_owned())]);
        assert_eq!(both.watch.expected(Some(&both.told)), ["a"], "its absence was told");
        assert_eq!(both.look(35, 2, Some(&two)), [(35, "online again: b".to_owned())]);
        assert_eq!(both.look(37, 11, Some(&one)).len(), 1, "again");
        // One that was away for a moment is not told of; and one that was never here neither.
        let mut both = Both::default();
        assert_eq!(both.look(0, 20, Some(&miner(1_000, &[("c", false)]))), []);
        both.look(20, 1, Some(&two));
        assert_eq!(both.look(21, 9, Some(&one)), []);
        both.look(30, 1, Some(&two));
        // All of them: in one message.
        let gone = both.look(31, 12, None);
        assert!(gone.iter().any(|(_, text)| text == "offline for 5 minutes: a, b"), "{gone:?}");
    }

    #[test]
    fn a_worker_that_was_here_before_a_restart_is_missed() {
        let watch = Watch::expecting(&["a".into(), String::new()], TimeMs(1_000_000));
        let mut both = Both { watch, told: Told::default() };
        let back = miner(1_000, &[("a", true)]);
        assert_eq!(
            both.look(0, 12, Some(&back)),
            [(10, "offline for 5 minutes: (without a name)".to_owned())]
        );
    }

    #[test]
    fn a_rate_that_falls_is_told_once_it_is_known_and_lasts() {
        let mut both = Both::default();
        let (full, less, half) = (miner(1_000, &[]), miner(750, &[]), miner(500, &[]));
        assert_eq!(both.look(0, 15, Some(&full)), []);
        assert_eq!(both.look(15, 3, Some(&half)), [], "not known yet");
        let mut both = Both::default();
        assert_eq!(both.look(0, 60, Some(&full)), []);
        assert_eq!(both.look(60, 10, Some(&less)), [], "a quarter less");
        assert_eq!(both.look(70, 3, Some(&half)), [], "a moment");
        assert_eq!(both.look(73, 7, Some(&full)), []);
        let told = both.look(80, 30, Some(&half));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].0 == 83 && told[0].1.starts_with("the hash rate fell to 500 H/s from 9"), "{told:?}");
        assert_eq!(both.look(110, 60, Some(&full)), []);
        assert_eq!(both.look(170, 5, Some(&half)).len(), 1, "again");
    }
}
