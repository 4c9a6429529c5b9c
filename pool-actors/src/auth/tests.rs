//! Signing in against a real database and cache, by a clock that is set by hand.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use pool_domain::units::TimeMs;
use tempfile::TempDir;

use super::{
    Auth, By, Decision, Factor, LoggedIn, Origin, Pair, Parts, Principal, Refused, jwt::Signing, totp,
};
use crate::{
    adapters::{cache_memory::MemoryCache, notify, sqlite::SqliteStore},
    config,
    ports::{
        cache::{Cache, SharedCache},
        clock::Clock,
        users::{AuditQuery, Role},
    },
    runtime::threads::Thread,
};

mod claims;
mod mail;
mod personal;
mod races;

const PASSWORD: &str = "tuna fence orbit";

struct Hand(AtomicU64);

impl Clock for Hand {
    fn now(&self) -> TimeMs {
        TimeMs(self.0.load(Ordering::Relaxed))
    }
}

struct Rig {
    auth: Auth,
    clock: Arc<Hand>,
    cache: Cache,
    alarms: Arc<Mutex<Vec<String>>>,
    folder: TempDir,
}

fn rig(settings: config::Auth) -> Rig {
    rig_on(settings, Arc::new(MemoryCache::default()))
}

fn rig_on(settings: config::Auth, cache: SharedCache) -> Rig {
    let folder = TempDir::new().unwrap();
    let (store, threads) = SqliteStore::open(&folder.path().join("pool.db"), TimeMs(1)).unwrap();
    for (name, body) in threads {
        drop(Thread::spawn(name, body).unwrap());
    }
    let clock = Arc::new(Hand(AtomicU64::new(1_700_000_000_000)));
    let cache = Cache::new(cache, "test");
    let alarms: Arc<Mutex<Vec<String>>> = Arc::default();
    let auth = Auth::new(Parts {
        users: Arc::new(store),
        cache: cache.clone(),
        clock: clock.clone(),
        key: vec![1; 32],
        settings,
        pool_name: "Pool".into(),
        node: "n1".into(),
        mailer: notify::mailer(&config::Mail::default(), folder.path()).unwrap(),
        public_url: "https://pool.example.org/".into(),
        alarm: Arc::new({
            let alarms = Arc::clone(&alarms);
            move |code, text| alarms.lock().unwrap().push(format!("{code}: {text}"))
        }),
    });
    Rig { auth, clock, cache, alarms, folder }
}

impl Rig {
    fn later(&self, ms: u64) {
        self.clock.0.fetch_add(ms, Ordering::Relaxed);
    }

    async fn add(&self, name: &str, role: Role) {
        self.auth.add(name, None, PASSWORD.into(), role).await.unwrap();
    }

    async fn pair(&self, name: &str) -> Pair {
        match self.auth.log_in(&from(1), name, PASSWORD.into()).await.unwrap() {
            LoggedIn::In(pair) => pair,
            LoggedIn::MfaNeeded(_) => panic!("a second factor is asked for"),
        }
    }

    async fn who(&self, token: &str) -> Option<Principal> {
        self.auth.whose(token).await.unwrap()
    }

    async fn trail(&self) -> Vec<String> {
        // On a paused clock nobody waits for a line.
        self.auth.trail().written().await;
        let query = AuditQuery { limit: 500, ..AuditQuery::default() };
        let lines = self.auth.users().audit(query).await.unwrap();
        let text = |line: crate::ports::users::AuditLine| {
            format!("{} {} {}", line.actor, line.action, line.outcome.as_str())
        };
        lines.into_iter().rev().map(|(_, line)| text(line)).collect()
    }

    /// Somebody with a second factor, and its key.
    async fn with_mfa(&self, name: &str, role: Role) -> (totp::Secret, Vec<String>, Pair) {
        self.add(name, role).await;
        let pair = self.pair(name).await;
        let who = self.who(&pair.access).await.unwrap();
        let setup = self.auth.mfa_setup(&from(1), &who, PASSWORD.into()).await.unwrap();
        let secret = totp::Secret::from_base32(&setup.secret).unwrap();
        assert!(setup.uri.contains(&setup.secret) && setup.qr_svg.is_some());
        let code = secret.code_at(self.clock.now());
        let enabled = self.auth.mfa_enable(&from(1), &who, code).await.unwrap();
        (secret, enabled.backup_codes, enabled.pair)
    }

    async fn mfa_token(&self, name: &str) -> String {
        match self.auth.log_in(&from(1), name, PASSWORD.into()).await.unwrap() {
            LoggedIn::MfaNeeded(token) => token,
            LoggedIn::In(_) => panic!("no second factor is asked for"),
        }
    }
}

fn from(last: u8) -> Origin {
    Origin { address: Some(Ipv4Addr::new(192, 0, 2, last).into()), agent: Some("test".into()) }
}

#[actix_rt::test]
async fn a_session_is_signed_in_refreshed_and_signed_out() {
    let rig = rig(config::Auth::default());
    let user = rig.auth.register(&from(1), "Alice", Some("a@b.org"), PASSWORD.into()).await.unwrap();
    assert_eq!((&*user.username, user.role), ("Alice", Role::Miner));
    let pair = rig.pair("aLICE").await;
    let who = rig.who(&pair.access).await.unwrap();
    assert_eq!((&*who.actor, who.role), ("Alice", Role::Miner));
    assert!(rig.who(&pair.refresh).await.is_none(), "a refresh token opens nothing");
    assert!(rig.auth.refresh(&from(1), &pair.access).await.is_err(), "an access token is not traded");
    rig.later(899_000);
    assert!(rig.who(&pair.access).await.is_some());
    rig.later(1_000);
    assert!(rig.who(&pair.access).await.is_none(), "after 15 minutes");
    let next = rig.auth.refresh(&from(1), &pair.refresh).await.unwrap();
    let who = rig.who(&next.access).await.unwrap();
    rig.auth.log_out(&from(1), &who).await.unwrap();
    assert!(rig.who(&next.access).await.is_none(), "signed out is out at once");
    assert!(matches!(rig.auth.refresh(&from(1), &next.refresh).await, Err(Refused::Ended)));
    assert_eq!(
        rig.trail().await,
        ["Alice auth.register done", "Alice auth.login done", "Alice auth.logout done"]
    );
}

#[actix_rt::test]
async fn a_refresh_token_that_comes_twice_ends_its_session() {
    let rig = rig(config::Auth::default());
    rig.add("alice", Role::Admin).await;
    let (stolen, other) = (rig.pair("alice").await, rig.pair("alice").await);
    let next = rig.auth.refresh(&from(1), &stolen.refresh).await.unwrap();
    assert!(matches!(rig.auth.refresh(&from(66), &stolen.refresh).await, Err(Refused::Ended)));
    // The whole family: what came of the stolen one is no good either, at once.
    assert!(rig.who(&next.access).await.is_none());
    assert!(matches!(rig.auth.refresh(&from(1), &next.refresh).await, Err(Refused::Ended)));
    assert!(rig.who(&other.access).await.is_some(), "another session goes on");
    assert!(rig.trail().await.contains(&"alice auth.refresh.reuse refused".to_owned()));
    assert_eq!(
        *rig.alarms.lock().unwrap(),
        ["REFRESH_TOKEN_REUSED: a refresh token came twice: its session was ended"]
    );
    // Many at once: one at most gets a pair, and the session ends.
    let all = (0..8).map(|_| async { rig.auth.refresh(&from(1), &other.refresh).await });
    let got = futures_util::future::join_all(all).await;
    assert!(got.iter().filter(|pair| pair.is_ok()).count() <= 1);
    for pair in got.into_iter().flatten() {
        assert!(rig.who(&pair.access).await.is_none());
    }
    assert!(rig.who(&other.access).await.is_none());
}

#[actix_rt::test]
async fn a_session_ends_unused_and_in_the_end() {
    let settings = config::Auth { session_hours: 2, session_days_max: 1, ..config::Auth::default() };
    let rig = rig(settings);
    rig.add("alice", Role::Admin).await;
    let unused = rig.pair("alice").await;
    let mut pair = rig.pair("alice").await;
    for hour in 0..24 {
        rig.later(3_600_000);
        let next = rig.auth.refresh(&from(1), &pair.refresh).await;
        assert_eq!(next.is_ok(), hour < 23, "hour {hour}");
        if let Ok(next) = next {
            pair = next;
        }
    }
    assert!(rig.auth.refresh(&from(1), &unused.refresh).await.is_err());
}

#[actix_rt::test]
async fn who_guesses_is_told_nothing_and_locked_out() {
    let rig = rig(config::Auth::default());
    // The cache counts by the runtime's clock.
    tokio::time::pause();
    rig.add("alice", Role::Admin).await;
    rig.add("bob", Role::Admin).await;
    rig.auth.decide("bob", Decision::Disabled(true)).await.unwrap();
    let told = |name: &'static str, password: &'static str, address: u8| {
        let auth = rig.auth.clone();
        async move {
            match auth.log_in(&from(address), name, password.into()).await {
                Ok(_) => "in".to_owned(),
                Err(refused) => refused.to_string(),
            }
        }
    };
    // Nobody, somebody, and somebody who may not: the same words.
    for (name, password) in [("nobody", "x"), ("alice", "x"), ("bob", PASSWORD), ("' OR 1=1 --", "x")] {
        assert_eq!(told(name, password, 9).await, "name or password is wrong", "{name}");
    }
    for name in ["alice", "nobody"] {
        let address = if name == "alice" { 10 } else { 11 };
        for _ in 0..5 {
            assert_eq!(told(name, "wrong", address).await, "name or password is wrong");
        }
        // The sixth is refused, the right password too, and whether there is such a user shows in nothing.
        assert_eq!(told(name, PASSWORD, address).await, "too many tries to sign in: try again in 60 s");
    }
    // Its owner gets in from elsewhere, and after the lock from there, too.
    assert_eq!(told("alice", PASSWORD, 1).await, "in");
    rig.later(60_001);
    tokio::time::advance(Duration::from_millis(60_001)).await;
    assert_eq!(told("alice", PASSWORD, 10).await, "in");
    // Progressive: the next lock of who goes on is longer, and longer still.
    for wait in [240, 960, 3_600, 3_600] {
        for _ in 0..5 {
            assert_eq!(told("nobody", "wrong", 11).await, "name or password is wrong");
        }
        let said = told("nobody", "wrong", 11).await;
        assert_eq!(said, format!("too many tries to sign in: try again in {wait} s"));
        rig.later(wait * 1_000 + 1);
        tokio::time::advance(Duration::from_millis(wait * 1_000 + 1)).await;
    }
    let trail = rig.trail().await;
    assert_eq!(trail.iter().filter(|line| line.contains("auth.locked")).count(), 6);
    assert!(trail.contains(&"alice auth.login refused".to_owned()), "{trail:?}");
    // It may have been a password in the wrong field.
    assert!(trail.contains(&"(unknown) auth.locked refused".to_owned()), "{trail:?}");
    assert!(!trail.iter().any(|line| line.contains("nobody")), "{trail:?}");
}

#[actix_rt::test]
async fn a_hundred_rapid_log_ins_cost_a_few_hashes() {
    let rig = rig(config::Auth::default());
    rig.add("alice", Role::Admin).await;
    let tries = (0..100).map(|_| rig.auth.log_in(&FROM, "alice", "wrong".into()));
    let answers = futures_util::future::join_all(tries).await;
    let locked = |answer: &Result<LoggedIn, Refused>| matches!(answer, Err(Refused::Locked { .. }));
    let wrong = |answer: &Result<LoggedIn, Refused>| matches!(answer, Err(Refused::Wrong));
    assert_eq!(answers.iter().filter(|answer| wrong(answer)).count(), 5);
    assert_eq!(answers.iter().filter(|answer| locked(answer)).count(), 95);
    // An address that goes through names is stopped, too.
    let names: Vec<String> = (0..100).map(|n| format!("user{n}")).collect();
    let from = from(7);
    let tries = names.iter().map(|name| rig.auth.log_in(&from, name, "wrong".into()));
    let answers = futures_util::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| locked(answer)).count(), 80);

    let mut took: Vec<_> = Vec::new();
    for _ in 0..1_000 {
        let begun = Instant::now();
        assert!(locked(&rig.auth.log_in(&FROM, "alice", "wrong".into()).await));
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    println!("refused: median {:?}, 99% {:?}, longest {:?}", took[500], took[990], took[999]);
    assert!(took[500].as_micros() < 1_000, "median {:?}", took[500]);
}

static FROM: Origin =
    Origin { address: Some(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 99))), agent: None };

#[actix_rt::test]
async fn the_second_factor_is_asked_for_and_taken_once() {
    let rig = rig(config::Auth::default());
    let (secret, codes, pair) = rig.with_mfa("alice", Role::Admin).await;
    assert!(rig.who(&pair.access).await.is_some());
    let token = rig.mfa_token("alice").await;
    assert!(rig.who(&token).await.is_none(), "half a log-in opens nothing");
    assert!(rig.auth.refresh(&from(1), &token).await.is_err());
    // The code that turned it on was used by that.
    let now = || secret.code_at(rig.clock.now());
    let verify = |token: String, factor: Factor| {
        let auth = rig.auth.clone();
        async move { auth.second_factor(&from(1), &token, factor).await }
    };
    assert!(matches!(verify(token.clone(), Factor::Code(now())).await, Err(Refused::MfaWrong)));
    rig.later(30_000);
    let code = now();
    let pair = verify(token.clone(), Factor::Code(code.clone())).await.unwrap();
    assert!(rig.who(&pair.access).await.is_some());
    // The half log-in is used up, and so is the code for any other.
    assert!(matches!(verify(token, Factor::Code(code.clone())).await, Err(Refused::Ended)));
    let token = rig.mfa_token("alice").await;
    assert!(matches!(verify(token.clone(), Factor::Code(code)).await, Err(Refused::MfaWrong)));
    // A backup code works once.
    verify(token, Factor::BackupCode(codes[0].to_uppercase())).await.unwrap();
    let token = rig.mfa_token("alice").await;
    assert!(matches!(
        verify(token.clone(), Factor::BackupCode(codes[0].clone())).await,
        Err(Refused::MfaWrong)
    ));
    // New ones replace them.
    rig.later(30_000);
    let who = rig.who(&pair.access).await.unwrap();
    let renewed = rig.auth.backup_codes(&from(1), &who, now()).await.unwrap();
    assert!(matches!(
        verify(token.clone(), Factor::BackupCode(codes[1].clone())).await,
        Err(Refused::MfaWrong)
    ));
    verify(token, Factor::BackupCode(renewed[1].clone())).await.unwrap();
    // Half a log-in waits five minutes.
    let token = rig.mfa_token("alice").await;
    rig.later(300_000);
    assert!(matches!(verify(token, Factor::Code(now())).await, Err(Refused::Ended)));
}

#[actix_rt::test]
async fn guessing_at_codes_locks_from_anywhere() {
    let rig = rig(config::Auth::default());
    let (secret, ..) = rig.with_mfa("alice", Role::Admin).await;
    rig.later(60_000);
    let token = rig.mfa_token("alice").await;
    for n in 0..5 {
        let answer = rig.auth.second_factor(&from(n), &token, Factor::Code("000000".into())).await;
        assert!(matches!(answer, Err(Refused::MfaWrong)), "{n}");
    }
    let right = Factor::Code(secret.code_at(rig.clock.now()));
    assert!(matches!(
        rig.auth.second_factor(&from(77), &token, right).await,
        Err(Refused::Locked { wait_s: 60 })
    ));
}

#[actix_rt::test]
async fn what_is_typed_as_a_name_locks_nobody_elses_second_factor() {
    let rig = rig(config::Auth::default());
    let (secret, ..) = rig.with_mfa("alice", Role::Admin).await;
    for name in ["second factor:alice", "mfa:alice", "second factor of alice", "password:alice"] {
        for _ in 0..6 {
            let refused = rig.auth.log_in(&from(9), name, "x".into()).await;
            assert!(matches!(refused, Err(Refused::Wrong | Refused::Locked { .. })));
        }
    }
    rig.later(30_000);
    let token = rig.mfa_token("alice").await;
    let code = Factor::Code(secret.code_at(rig.clock.now()));
    assert!(rig.auth.second_factor(&from(1), &token, code).await.is_ok());
}

#[actix_rt::test]
async fn a_flood_of_refusals_is_written_down_by_its_beginning() {
    let rig = rig(config::Auth::default());
    let mut wrong = 0;
    for address in 0..60 {
        for n in 0..3 {
            let name = format!("user-{address}-{n}");
            wrong += usize::from(matches!(
                rig.auth.log_in(&from(address), &name, "x".into()).await,
                Err(Refused::Wrong)
            ));
        }
    }
    assert_eq!(wrong, 180);
    assert_eq!(rig.trail().await.len(), 121);
}

/// A name that there is not takes as long as one that there is.
#[actix_rt::test]
async fn how_long_it_takes_tells_no_name() {
    let rig = rig(config::Auth::default());
    rig.add("alice", Role::Admin).await;
    let mut took = [Vec::new(), Vec::new()];
    for n in 0..15_u8 {
        for (which, name) in ["alice", "nobody"].into_iter().enumerate() {
            let begun = Instant::now();
            // From elsewhere each time, and never often enough for a lock.
            let refused = rig.auth.log_in(&from(n), name, "a wrong password".into()).await;
            assert!(matches!(refused, Err(Refused::Wrong)));
            took[which].push(begun.elapsed());
        }
    }
    for times in &mut took {
        times.sort_unstable();
    }
    let [known, unknown] = [took[0][0], took[1][0]];
    println!("fastest: a user's {known:?}, nobody's {unknown:?}; medians {:?}, {:?}", took[0][7], took[1][7]);
    // The fastest of each: what else the machine does only makes them slower.
    let ratio = known.as_secs_f64() / unknown.as_secs_f64();
    assert!((0.5..2.0).contains(&ratio), "{known:?} and {unknown:?}");
}

#[actix_rt::test]
async fn a_role_may_demand_a_second_factor() {
    let settings = config::Auth { mfa_required: vec!["admin".into()], ..config::Auth::default() };
    let rig = rig(settings);
    rig.add("alice", Role::Admin).await;
    rig.add("bob", Role::Viewer).await;
    assert!(!rig.pair("bob").await.setup);
    let pair = rig.pair("alice").await;
    assert!(pair.setup);
    let who = rig.who(&pair.access).await.unwrap();
    assert!(matches!(who.by, By::Session { setup: true, .. }));
    let next = rig.auth.refresh(&from(1), &pair.refresh).await.unwrap();
    assert!(next.setup, "a refresh is no way around");
    let who = rig.who(&next.access).await.unwrap();
    let setup = rig.auth.mfa_setup(&from(1), &who, PASSWORD.into()).await.unwrap();
    let secret = totp::Secret::from_base32(&setup.secret).unwrap();
    assert!(matches!(rig.auth.mfa_enable(&from(1), &who, "000000".into()).await, Err(Refused::MfaWrong)));
    let code = secret.code_at(rig.clock.now());
    let enabled = rig.auth.mfa_enable(&from(1), &who, code).await.unwrap();
    // Another session than the half one: whoever knew that one's tokens gains nothing.
    assert!(!enabled.pair.setup);
    assert!(rig.who(&next.access).await.is_none());
    let who = rig.who(&enabled.pair.access).await.unwrap();
    rig.later(30_000);
    let code = Factor::Code(secret.code_at(rig.clock.now()));
    let refused = rig.auth.mfa_disable(&from(1), &who, PASSWORD.into(), code).await;
    assert!(matches!(refused, Err(Refused::Conflict(_))), "the role can't go without one");
}

#[actix_rt::test]
async fn a_log_in_never_takes_over_a_session() {
    let rig = rig(config::Auth::default());
    rig.add("alice", Role::Admin).await;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let pair = rig.pair("alice").await;
        let By::Session { sid, .. } = rig.who(&pair.access).await.unwrap().by else { panic!("no session") };
        assert!(seen.insert(sid), "each log-in has an id of its own");
    }
    // Somebody else's key, and the same key under another use.
    let pair = rig.pair("alice").await;
    assert!(
        Signing::new(&[1; 32]).read(&pair.access, super::jwt::Purpose::Access, rig.clock.now()).is_none()
    );
}

#[actix_rt::test]
async fn what_an_admin_decides_holds_at_once() {
    let rig = rig(config::Auth::default());
    rig.add("root", Role::Admin).await;
    rig.add("alice", Role::Operator).await;
    let pair = rig.pair("alice").await;
    let who = rig.who(&pair.access).await.unwrap();
    let scopes = ["read".to_owned(), "payouts".to_owned()];
    let token = rig.auth.add_token(&who, "nightly", &scopes, 1).await.unwrap();
    let script = rig.who(&token.token).await.unwrap();
    assert_eq!((&*script.actor, script.role), ("token nightly of alice", Role::Operator));
    rig.auth.decide("alice", Decision::Role(Role::Viewer)).await.unwrap();
    assert!(rig.who(&pair.access).await.is_none());
    assert_eq!(rig.who(&token.token).await.unwrap().role, Role::Viewer, "a token is no more than its owner");
    rig.auth.decide("alice", Decision::Disabled(true)).await.unwrap();
    assert!(rig.who(&token.token).await.is_none());
    assert!(matches!(rig.auth.decide("root", Decision::Disabled(true)).await, Err(Refused::Conflict(_))));
    assert!(matches!(rig.auth.decide("root", Decision::Role(Role::Miner)).await, Err(Refused::Conflict(_))));
    assert!(matches!(rig.auth.decide("nobody", Decision::ResetMfa).await, Err(Refused::NoSuch("user"))));
}

#[actix_rt::test]
async fn tokens_of_scripts_end_and_are_taken_back() {
    let rig = rig(config::Auth::default());
    rig.add("alice", Role::Operator).await;
    let pair = rig.pair("alice").await;
    let who = rig.who(&pair.access).await.unwrap();
    let read = ["read".to_owned()];
    let token = rig.auth.add_token(&who, "a", &read, 1).await.unwrap();
    for wrong in [
        token.token.replace("bdp_", "bdq_"),
        format!("{}0", token.token),
        token.token[..token.token.len() - 1].to_owned(),
        format!("bdp_{}_", token.row.id),
        "bdp_".into(),
        "bdp__".into(),
        format!("bdp_{}_{}", token.row.id, hex::encode(token.row.digest)),
    ] {
        assert!(rig.who(&wrong).await.is_none(), "{wrong}");
    }
    let other = rig.auth.add_token(&who, "b", &read, 1).await.unwrap();
    assert!(rig.who(&other.token).await.is_some());
    rig.auth.revoke_token(&who, &other.row.id).await.unwrap();
    assert!(rig.who(&other.token).await.is_none());
    rig.later(86_400_000);
    assert!(rig.who(&token.token).await.is_none(), "it has ended");
    for (name, scopes, days) in [("", &read[..], 1), ("x", &[], 1), ("x", &read, 0), ("x", &read, 367)] {
        assert!(matches!(rig.auth.add_token(&who, name, scopes, days).await, Err(Refused::Unfit(..))));
    }
    assert!(rig.auth.add_token(&who, "x", &["root".to_owned()], 1).await.is_err());
}

#[actix_rt::test]
async fn passwords_are_changed_by_who_knows_them() {
    let rig = rig(config::Auth::default());
    rig.add("alice", Role::Miner).await;
    let (here, there) = (rig.pair("alice").await, rig.pair("alice").await);
    let who = rig.who(&here.access).await.unwrap();
    let change = |old: &str, new: &str| {
        let (auth, who, old, new) = (rig.auth.clone(), who.clone(), old.to_owned(), new.to_owned());
        async move { auth.change_password(&from(1), &who, old, new).await }
    };
    assert!(matches!(change("wrong", "another fine day").await, Err(Refused::Wrong)));
    assert!(matches!(change(PASSWORD, "password123").await, Err(Refused::Unfit("password", _))));
    change(PASSWORD, "another fine day").await.unwrap();
    assert!(rig.who(&here.access).await.is_some() && rig.who(&there.access).await.is_none());
    assert!(matches!(rig.auth.log_in(&from(2), "alice", PASSWORD.into()).await, Err(Refused::Wrong)));
}

#[actix_rt::test]
async fn names_are_taken_once_and_fit() {
    let rig = rig(config::Auth::default());
    let register = |name: &str, mail: Option<&str>, password: &str| {
        let (auth, name, mail, password) =
            (rig.auth.clone(), name.to_owned(), mail.map(str::to_owned), password.to_owned());
        async move { auth.register(&Origin::default(), &name, mail.as_deref(), password).await }
    };
    register("alice", Some("a@b.org"), PASSWORD).await.unwrap();
    assert!(matches!(register("ALICE", None, PASSWORD).await, Err(Refused::Taken)));
    // An address that nobody has confirmed is nobody's, and one that is does not tell by this that it is.
    register("alan", Some("A@b.org"), PASSWORD).await.unwrap();
    for name in ["", "al", "a b", "<b>x</b>", "a'--", &"a".repeat(51), "\u{e4}lice"] {
        assert!(matches!(register(name, None, PASSWORD).await, Err(Refused::Unfit("username", _))), "{name}");
    }
    for mail in [
        "x",
        "@b",
        "a@",
        "a@b@c",
        "a b@c.org",
        "a@b\r\nBcc: x",
        "a<v@x.org>",
        "a(c)@b.org",
        "v@x.org,w@x.org",
        "\"a\"@b.org",
        "a..b@c.org",
        ".a@b.org",
        "a@b..c",
        "a@[192.0.2.1]",
    ] {
        let refused = register("bob", Some(mail), PASSWORD).await;
        assert!(matches!(refused, Err(Refused::Unfit("email", _))), "{mail}");
    }
    let closed = self::rig(config::Auth { registration: false, ..config::Auth::default() });
    let refused = closed.auth.register(&from(1), "alice", None, PASSWORD.into()).await;
    assert!(matches!(refused, Err(Refused::Closed)));
}

#[actix_rt::test]
async fn sessions_are_listed_bounded_and_ended() {
    let rig = rig(config::Auth::default());
    rig.add("alice", Role::Admin).await;
    rig.add("bob", Role::Miner).await;
    let first = rig.pair("alice").await;
    for n in 0..20 {
        rig.later(15_000);
        let from = from(50 + n % 10);
        let LoggedIn::In(_) = rig.auth.log_in(&from, "alice", PASSWORD.into()).await.unwrap() else {
            panic!("a second factor is asked for");
        };
    }
    let bobs = rig.pair("bob").await;
    assert!(rig.who(&first.access).await.is_none(), "the oldest made room");
    assert_eq!(rig.auth.sessions(None).await.unwrap().len(), 21);
    let bob = rig.who(&bobs.access).await.unwrap();
    let By::Session { user, .. } = &bob.by else { panic!("no session") };
    let own = rig.auth.sessions(Some(user)).await.unwrap();
    assert_eq!((own.len(), own[0].1.address.as_deref()), (1, Some("192.0.2.1")));
    let alices = rig.auth.sessions(None).await.unwrap().into_iter().find(|(_, s)| s.name == "alice").unwrap();
    let refused = rig.auth.end_session(Some(user), &alices.0).await;
    assert!(matches!(refused, Err(Refused::NoSuch("session"))), "somebody else's is none");
    rig.auth.end_session(None, &own[0].0).await.unwrap();
    assert!(rig.who(&bobs.access).await.is_none());
    assert!(rig.cache.session::<super::Session>(&own[0].0).await.unwrap().is_none());
}
