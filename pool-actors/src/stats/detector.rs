//! Who mines in an unusual way: keeps what `pool_domain::detector` tests for each account, within bounds.
//!
//! It is told once a second what sessions did, never share by share. Accounts, and addresses of an account, are remembered up
//! to a number; past it the account that was quiet for longest is forgotten.

use std::{
    collections::{BTreeSet, HashMap},
    hash::{BuildHasherDefault, DefaultHasher, Hasher as _},
    net::IpAddr,
};

use pool_domain::{
    catalogue::Code,
    detector::{
        self, Buckets, Limits, ONE_BLOCK, Odds, Pattern, Sequential, Suspected, Windows, expected_blocks,
    },
    ids::{Account, SessionId},
    units::{TimeMs, Work},
};
use serde_json::{Value, json};

use super::roster::NumberHasher;
use crate::{config, messages::stats::SessionTally};

/// The same of the same account is told again after so long.
const TOLD_AGAIN_MS: u64 = 3_600_000;
/// Who is at an address, and where an account is, is counted by the hour.
const PLACES_MS: u64 = 3_600_000;
/// Addresses that are remembered.
const ADDRESSES_MAX: usize = 50_000;
/// Sessions whose account is remembered.
const SESSIONS_MAX: usize = 200_000;
/// A share of less work than this says nothing by its nonce: whoever counts from zero finds one among the first.
const NONCE_WORK_MIN: u128 = 1 << 14;

/// Something unusual.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Suspicion {
    pub(super) code: Code,
    pub(super) message: String,
    /// With the `subject` that it is about.
    pub(super) context: Value,
}

/// What is kept of an account.
struct Watch {
    account: Account,
    touched_at: TimeMs,
    tests: [Sequential; 3],
    nonces: Buckets,
    windows: Windows,
    /// Hashes of the addresses of this hour; up to one more than is unusual.
    places: BTreeSet<u64>,
    places_since: TimeMs,
    told_at: [Option<TimeMs>; KINDS],
}

/// Kinds of suspicions, each told once an hour.
const KINDS: usize = 6;

/// See the module's documentation.
pub(super) struct Detector {
    settings: config::Detector,
    /// Against a tenth, a half, and twice of what is expected.
    odds: [Odds; 3],
    watches: Vec<Watch>,
    by_account: HashMap<Account, usize>,
    by_session: HashMap<SessionId, (usize, IpAddr), BuildHasherDefault<NumberHasher>>,
    /// Hashes of the accounts at an address in this hour.
    addresses: HashMap<IpAddr, (TimeMs, BTreeSet<u64>, bool)>,
    /// Work of all accounts in the window under way and in the last one.
    work: (u64, u128, u128),
    suspicions: Vec<Suspicion>,
}

fn digest(value: impl std::hash::Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

impl Detector {
    pub(super) fn new(settings: config::Detector) -> Self {
        let odds = |percent| {
            Odds::new(
                percent,
                u64::from(settings.false_alarms_per_million),
                u64::from(settings.missed_per_thousand),
            )
        };
        Self {
            odds: [odds(10), odds(50), odds(200)],
            settings,
            watches: Vec::new(),
            by_account: HashMap::new(),
            by_session: HashMap::default(),
            addresses: HashMap::new(),
            work: (0, 0, 0),
            suspicions: Vec::new(),
        }
    }

    /// What was found since the last call.
    pub(super) fn take_suspicions(&mut self) -> Vec<Suspicion> {
        std::mem::take(&mut self.suspicions)
    }

    /// What a session did, while its function's next block takes `network_work`.
    pub(super) fn take(&mut self, now: TimeMs, news: &SessionTally, network_work: Option<Work>) {
        let known = self.by_session.get(&news.session).copied();
        let is_same = |(at, peer): &(usize, IpAddr)| {
            *peer == news.peer
                && self.watches.get(*at).is_some_and(|watch| watch.account == news.worker.account)
        };
        let at = match known.filter(is_same) {
            Some((at, _)) => at,
            None => self.arrives(now, news),
        };
        if news.counts.accepted == 0 {
            return;
        }
        let work = news.work.0;
        let window_ms = self.settings.window_ms;
        let window = detector::window(now.0, window_ms);
        if window != self.work.0 {
            self.work = (window, 0, self.work.1);
        }
        self.work.1 = self.work.1.saturating_add(work);
        let percent = u128::from(self.settings.jump_percent_min);
        let limits = Limits {
            window_ms,
            burst_tenths: u64::from(self.settings.burst_tenths_max),
            jump_times: u64::from(self.settings.jump_times),
            jump_work_min: self.work.2 / 100 * percent,
        };
        let watch = &mut self.watches[at];
        watch.touched_at = now;
        if let Some(pattern) = watch.windows.take(now.0, news.counts.accepted, work, &limits) {
            match pattern {
                Pattern::Bursts { tenths } => self.tell(
                    at,
                    now,
                    Code::UnusualBursts,
                    &format!(
                        "shares come in bursts: their variance is {}.{} times the mean squared",
                        tenths / 10,
                        tenths % 10
                    ),
                ),
                Pattern::Jump { times } => {
                    let why = format!("the hash rate is {times} times what it was in the hour before");
                    self.tell(at, now, Code::UnusualHashrate, &why);
                }
            }
        }
        if self.settings.nonce_chi_square_max > 0 && work / u128::from(news.counts.accepted) >= NONCE_WORK_MIN
        {
            let limit = u64::from(self.settings.nonce_chi_square_max);
            if let Some(chi_square) = self.watches[at].nonces.take(&news.nonces, limit) {
                let why = format!(
                    "its nonces are not those of chance: chi-square {chi_square} with 15 degrees of freedom"
                );
                self.tell(at, now, Code::UnusualNonces, &why);
            }
        }
        if let Some(network_work) = network_work {
            self.test(at, now, 0, expected_blocks(work, network_work.0));
        }
    }

    /// An account found a candidate of a block.
    pub(super) fn candidate(&mut self, now: TimeMs, account: &str) {
        let Ok(account) = Account::new(account) else { return };
        if let Some(at) = self.by_account.get(&account).copied() {
            self.test(at, now, 1, 0);
        }
    }

    /// Candidates were missed: what would be blamed on accounts begins anew.
    pub(super) fn begin_anew(&mut self) {
        self.watches.iter_mut().for_each(|watch| watch.tests = Default::default());
    }

    /// A session is gone.
    pub(super) fn end(&mut self, session: SessionId) {
        self.by_session.remove(&session);
    }

    fn test(&mut self, at: usize, now: TimeMs, found: u64, expected: u64) {
        for (number, odds) in self.odds.into_iter().enumerate() {
            let Some(Suspected { found, expected }) =
                self.watches[at].tests[number].take(&odds, found, expected)
            else {
                continue;
            };
            let tenths = expected / (ONE_BLOCK / 10);
            let said =
                format!("{found} candidates were found where {}.{} are expected", tenths / 10, tenths % 10);
            let code = if number == 2 { Code::UnusualLuck } else { Code::BlocksWithheld };
            self.tell(at, now, code, &said);
        }
    }

    /// A session that was not known, or is another's now.
    fn arrives(&mut self, now: TimeMs, news: &SessionTally) -> usize {
        let account = &news.worker.account;
        let at = match self.by_account.get(account).copied() {
            Some(at) => at,
            None => self.admit(now, account),
        };
        if self.by_session.len() >= SESSIONS_MAX {
            self.by_session.clear();
        }
        self.by_session.insert(news.session, (at, news.peer));
        self.place(at, now, news.peer);
        at
    }

    fn admit(&mut self, now: TimeMs, account: &Account) -> usize {
        let watch = Watch {
            account: account.clone(),
            touched_at: now,
            tests: Default::default(),
            nonces: Buckets::default(),
            windows: Windows::new(now.0, self.settings.window_ms),
            places: BTreeSet::new(),
            places_since: now,
            told_at: [None; KINDS],
        };
        let at = if self.watches.len() < self.settings.accounts_max.max(1) {
            self.watches.push(watch);
            self.watches.len() - 1
        } else {
            // Sampled, as caches do it: to look for the very oldest would cost more than it is worth.
            let from = usize::try_from(digest(account) % self.watches.len() as u64).unwrap_or(0);
            let sample = (0..32).map(|step| (from + step) % self.watches.len());
            let at = sample.min_by_key(|at| self.watches[*at].touched_at).unwrap_or(0);
            let former = std::mem::replace(&mut self.watches[at], watch);
            self.by_account.remove(&former.account);
            at
        };
        self.by_account.insert(account.clone(), at);
        at
    }

    /// An account is seen at an address.
    fn place(&mut self, at: usize, now: TimeMs, peer: IpAddr) {
        let many = self.settings.addresses_per_account_max;
        let watch = &mut self.watches[at];
        if now.since(watch.places_since) >= PLACES_MS {
            watch.places.clear();
            watch.places_since = now;
        }
        if many > 0 && watch.places.len() <= many {
            watch.places.insert(digest(peer));
            if watch.places.len() > many {
                self.tell(
                    at,
                    now,
                    Code::ManyAddresses,
                    &format!("it mines from more than {many} addresses in an hour"),
                );
            }
        }
        let many = self.settings.accounts_per_address_max;
        if many == 0 {
            return;
        }
        if self.addresses.len() >= ADDRESSES_MAX && !self.addresses.contains_key(&peer) {
            self.addresses.retain(|_, (since, ..)| now.since(*since) < PLACES_MS);
            if self.addresses.len() >= ADDRESSES_MAX {
                self.addresses.clear();
            }
        }
        let account = digest(&self.watches[at].account);
        let (since, accounts, told) =
            self.addresses.entry(peer).or_insert_with(|| (now, BTreeSet::new(), false));
        if now.since(*since) >= PLACES_MS {
            accounts.clear();
            (*since, *told) = (now, false);
        }
        if accounts.len() <= many {
            accounts.insert(account);
        }
        if accounts.len() > many && !*told {
            *told = true;
            self.suspicions.push(Suspicion {
                code: Code::SharedAddress,
                message: format!("address {peer}: more than {many} accounts mine from it in an hour"),
                context: json!({ "subject": peer.to_string(), "component": "detector" }),
            });
        }
    }

    fn tell(&mut self, at: usize, now: TimeMs, code: Code, what: &str) {
        let kind = match code {
            Code::UnusualBursts => 0,
            Code::UnusualHashrate => 1,
            Code::UnusualNonces => 2,
            Code::UnusualLuck => 3,
            Code::BlocksWithheld => 4,
            _ => 5,
        };
        let watch = &mut self.watches[at];
        if watch.told_at[kind].is_some_and(|told_at| now.since(told_at) < TOLD_AGAIN_MS) {
            return;
        }
        watch.told_at[kind] = Some(now);
        let account = watch.account.to_string();
        self.suspicions.push(Suspicion {
            code,
            message: format!("account {account}: {what}"),
            context: json!({ "subject": account, "account": account, "component": "detector" }),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, sync::Arc, time::Instant};

    use pool_domain::{difficulty::Difficulty, ids::WorkerName};

    use super::*;
    use crate::messages::{share::WorkerIdentity, stats::ShareCounts};

    fn identity(account: &str) -> Arc<WorkerIdentity> {
        Arc::new(WorkerIdentity {
            account: Account::new(account).unwrap(),
            worker: WorkerName::new("w").unwrap(),
        })
    }

    fn news(
        session: u64,
        worker: &Arc<WorkerIdentity>,
        host: u32,
        accepted: u64,
        work: u128,
    ) -> SessionTally {
        let mut nonces = [0; 16];
        for share in 0..accepted {
            nonces[usize::try_from((share.wrapping_mul(7) + session) % 16).unwrap()] += 1;
        }
        SessionTally {
            session: SessionId(session),
            worker: Arc::clone(worker),
            counts: ShareCounts { accepted, ..ShareCounts::default() },
            work: Work(work),
            last_share_at: TimeMs(0),
            difficulty: Difficulty::whole(1),
            peer: Ipv4Addr::from(host).into(),
            nonces,
            function: None,
        }
    }

    fn codes(detector: &mut Detector) -> Vec<(&'static str, String)> {
        let subject =
            |found: Suspicion| (found.code.as_str(), found.context["subject"].as_str().unwrap().to_owned());
        detector.take_suspicions().into_iter().map(subject).collect()
    }

    const NETWORK: Option<Work> = Some(Work(1_000_000));

    #[test]
    fn who_withholds_is_told_once_an_hour_and_who_finds_is_not() {
        let mut detector = Detector::new(config::Detector::default());
        let (mole, alice) = (identity("mole"), identity("alice"));
        let mut told = Vec::new();
        for second in 0..600_u64 {
            let now = TimeMs(1_000_000 + second * 1_000);
            for (session, worker) in [(1, &mole), (2, &alice)] {
                detector.take(now, &news(session, worker, 1, 16, 100_000), NETWORK);
            }
            // A tenth of a block a second each; alice finds hers.
            if second % 10 == 9 {
                detector.candidate(now, "alice");
            }
            told.extend(codes(&mut detector).into_iter().map(|found| (second, found)));
        }
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0], (127, ("BLOCKS_WITHHELD", "mole".into())), "after 12.8 expected blocks");
        // Candidates that were missed are nobody's fault.
        detector.begin_anew();
        assert!(detector.watches.iter().all(|watch| watch.tests == <[Sequential; 3]>::default()));
    }

    #[test]
    fn crowds_are_told_and_memory_is_bounded() {
        let settings = config::Detector {
            accounts_per_address_max: 10,
            addresses_per_account_max: 20,
            accounts_max: 100,
            ..config::Detector::default()
        };
        let mut detector = Detector::new(settings);
        let now = TimeMs(5_000_000);
        for n in 0..1_000_u64 {
            detector.take(now, &news(n, &identity(&format!("a{n}")), 7, 1, 100_000), None);
        }
        assert_eq!(codes(&mut detector), [("SHARED_ADDRESS", "0.0.0.7".to_owned())]);
        assert_eq!((detector.watches.len(), detector.by_account.len()), (100, 100));
        let bot = identity("bot");
        for n in 0..1_000_u32 {
            detector.take(now, &news(10_000 + u64::from(n), &bot, 1_000 + n, 1, 100_000), None);
        }
        assert_eq!(codes(&mut detector), [("MANY_ADDRESSES", "bot".to_owned())]);
        assert!(detector.watches.iter().all(|watch| watch.places.len() <= 21));
        // An hour later it is told again, if it is so again.
        let later = TimeMs(now.0 + 3_600_000);
        for n in 0..30_u32 {
            detector.take(later, &news(20_000 + u64::from(n), &bot, 1_000 + n, 1, 100_000), None);
        }
        assert_eq!(codes(&mut detector), [("MANY_ADDRESSES", "bot".to_owned())]);
        for n in 0..300_000 {
            detector.end(SessionId(n));
        }
        assert!(detector.by_session.is_empty());
    }

    #[test]
    fn nonces_of_easy_shares_say_nothing() {
        let mut detector = Detector::new(config::Detector::default());
        let worker = identity("cpu");
        for (work, told) in [(100, 0), (1 << 20, 1)] {
            for second in 0..100_u64 {
                let mut news = news(1, &worker, 1, 10, work * 10);
                news.nonces = [10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
                detector.take(TimeMs(1_000_000 + second * 1_000), &news, None);
            }
            assert_eq!(codes(&mut detector).len(), told, "work {work}");
        }
    }

    /// Measured: `cargo nextest run --release -p pool-actors --run-ignored only --no-capture a_second_of_ten_thousand`.
    #[test]
    #[ignore = "a measurement"]
    fn a_second_of_ten_thousand_sessions_is_cheap() {
        let mut detector = Detector::new(config::Detector::default());
        let workers: Vec<_> = (0..2_000).map(|n| identity(&format!("account{n}"))).collect();
        let all: Vec<SessionTally> =
            (0..10_000u32).map(|n| news(n.into(), &workers[n as usize % 2_000], n, 4, 4 << 20)).collect();
        let begin = Instant::now();
        for second in 0..20_u64 {
            for news in &all {
                detector.take(TimeMs(1_000_000 + second * 1_000), news, Some(Work(1 << 60)));
            }
        }
        let shares = 20 * 10_000 * 4;
        println!("{} ns a share, four shares to a session's second", begin.elapsed().as_nanos() / shares);
    }
}
