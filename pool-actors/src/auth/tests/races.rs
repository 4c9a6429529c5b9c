//! What happens between two steps, and when the cache fails between them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures_util::{FutureExt as _, future::join_all, stream::BoxStream};
use serde_json::Value;

use super::*;
use crate::{
    auth::{password, throttle::Admission, throttle::Throttle},
    ports::{
        cache::{CacheError, CachePort, Change, Counted},
        users::{UserChange, UserRow},
    },
};

/// A cache in memory that lets others in before each step, as a server far away does, and fails as it is told.
#[derive(Default)]
struct Far {
    inner: MemoryCache,
    /// Writes to keys with this in their name are refused.
    refuse: Mutex<Option<&'static str>>,
    /// Those are done, and the answer is lost.
    lose: Mutex<Option<&'static str>>,
    /// Tables that were read whole.
    read: Mutex<Vec<String>>,
}

impl Far {
    async fn written<R: Send>(
        &self,
        key: String,
        write: impl Future<Output = Result<R, CacheError>> + Send,
    ) -> Result<R, CacheError> {
        tokio::task::yield_now().await;
        let away = || Err(CacheError::Unavailable { what: "the test said so".to_owned() });
        let fails = |of: &Mutex<Option<&str>>| of.lock().unwrap().is_some_and(|part| key.contains(part));
        if fails(&self.refuse) {
            return away();
        }
        let done = write.await;
        if fails(&self.lose) { away() } else { done }
    }
}

#[async_trait]
impl CachePort for Far {
    fn name(&self) -> &'static str {
        "far"
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn ping(&self) -> Result<(), CacheError> {
        Ok(())
    }

    async fn put(&self, key: String, value: Value, lives: Duration) -> Result<(), CacheError> {
        self.written(key.clone(), self.inner.put(key, value, lives)).await
    }

    async fn put_copy(&self, key: String, value: Value, lives: Duration) -> Result<(), CacheError> {
        self.written(key.clone(), self.inner.put_copy(key, value, lives)).await
    }

    async fn put_new(&self, key: String, value: Value, lives: Duration) -> Result<bool, CacheError> {
        tokio::task::yield_now().await;
        self.inner.put_new(key, value, lives).await
    }

    async fn get(&self, key: String) -> Result<Option<Value>, CacheError> {
        tokio::task::yield_now().await;
        self.inner.get(key).await
    }

    async fn remove(&self, key: String) -> Result<bool, CacheError> {
        tokio::task::yield_now().await;
        self.inner.remove(key).await
    }

    async fn count(&self, key: String, window: Duration) -> Result<Counted, CacheError> {
        tokio::task::yield_now().await;
        self.inner.count(key, window).await
    }

    async fn change(&self, key: String, change: Change, lives: Duration) -> Result<(), CacheError> {
        self.written(key.clone(), self.inner.change(key, change, lives)).await
    }

    async fn fields(&self, key: String) -> Result<BTreeMap<String, Value>, CacheError> {
        tokio::task::yield_now().await;
        self.read.lock().unwrap().push(key.clone());
        self.inner.fields(key).await
    }

    async fn field(&self, key: String, field: &'static str) -> Result<Option<Value>, CacheError> {
        self.inner.field(key, field).await
    }

    async fn publish(&self, channel: String, value: Value) -> Result<(), CacheError> {
        self.inner.publish(channel, value).await
    }

    async fn follow(&self, channel: String) -> Result<BoxStream<'static, Value>, CacheError> {
        self.inner.follow(channel).await
    }
}

impl Rig {
    async fn row(&self, name: &str) -> UserRow {
        self.auth.users().user_named(name.to_owned()).await.unwrap().unwrap()
    }

    /// As another pool process does it, which ends the sessions that there are.
    async fn changed_elsewhere(&self, name: &str, change: UserChange) {
        let id = self.row(name).await.id;
        assert!(self.auth.users().change_user(self.clock.now(), id, change).await.unwrap());
    }

    fn is_quiet(&self) -> bool {
        self.alarms.lock().unwrap().is_empty()
    }
}

#[actix_rt::test]
async fn of_many_tries_at_once_one_locks() {
    let cache = Cache::new(Arc::new(Far::default()), "test");
    let throttle = Throttle::new(cache.clone());
    let (address, now) = (from(1).address, TimeMs(1_700_000_000_000));
    let tries = (0..100).map(|_| throttle.admit(address, "alice", now));
    let answers: Vec<Admission> = join_all(tries).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers.iter().filter(|answer| **answer == Admission::Admitted).count(), 5);
    let locking =
        answers.iter().filter(|answer| matches!(answer, Admission::Locked { just_now: true, .. })).count();
    assert_eq!(locking, 1, "it is written down once");
    assert!(answers.iter().all(|answer| match answer {
        Admission::Admitted => true,
        Admission::Locked { wait_s, .. } => *wait_s == 60,
    }));
    // Those who had looked at the lock before it was there get no tries of their own.
    let more = throttle.admit(address, "alice", now).await.unwrap();
    assert_eq!(more, Admission::Locked { wait_s: 60, just_now: false });
}

#[actix_rt::test]
async fn a_log_in_that_was_overtaken_begins_nothing() {
    let rig = rig(config::Auth::default());
    let other = || UserChange::Password(password::hash_now("another fine day"));
    rig.add("root", Role::Admin).await;
    for (name, change) in
        [("alice", other()), ("bob", UserChange::Role(Role::Miner)), ("carol", UserChange::Disabled(true))]
    {
        rig.add(name, Role::Operator).await;
        // Its password was right a moment ago.
        let before = rig.row(name).await;
        rig.changed_elsewhere(name, change).await;
        let begun = rig.auth.begin(&from(1), &before, "auth.login").await;
        assert!(matches!(begun, Err(Refused::Ended)), "{name}");
        assert!(rig.auth.sessions(Some(&before.id)).await.unwrap().is_empty(), "{name}");
        assert!(!rig.trail().await.contains(&format!("{name} auth.login done")));
    }
}

#[actix_rt::test]
async fn a_session_ends_with_the_password_that_it_began_with() {
    let rig = rig(config::Auth::default());
    rig.add("alice", Role::Operator).await;
    let (stale, own) = (rig.pair("alice").await, rig.pair("alice").await);
    // Whoever is signed in and changes it goes on.
    let who = rig.who(&own.access).await.unwrap();
    rig.auth.change_password(&from(1), &who, PASSWORD.into(), "another fine day".into()).await.unwrap();
    let mut own = rig.auth.refresh(&from(1), &own.refresh).await.unwrap();
    own = rig.auth.refresh(&from(1), &own.refresh).await.unwrap();
    assert!(rig.auth.refresh(&from(1), &stale.refresh).await.is_err());
    // Changed elsewhere, and the session was overlooked.
    rig.changed_elsewhere("alice", UserChange::Password(password::hash_now("seven green doors"))).await;
    assert!(matches!(rig.auth.refresh(&from(1), &own.refresh).await, Err(Refused::Ended)));
    assert!(rig.who(&own.access).await.is_none());
    assert!(rig.is_quiet());
}

#[actix_rt::test]
async fn a_trade_that_the_cache_broke_off_is_no_reuse() {
    let far = Arc::new(Far::default());
    let rig = rig_on(config::Auth::default(), far.clone());
    rig.add("alice", Role::Admin).await;
    let mut pair = rig.pair("alice").await;
    // At each of the writes in turn: refused, or done with its answer lost.
    for fails in [&far.refuse, &far.lose] {
        for part in [":session:", "{sessions}", "{sessions:", ":"] {
            for _ in 0..2 {
                *fails.lock().unwrap() = Some(part);
                let failed = rig.auth.refresh(&from(1), &pair.refresh).await;
                assert!(matches!(failed, Err(Refused::Cache(_))), "{part}");
            }
            *fails.lock().unwrap() = None;
            pair = rig.auth.refresh(&from(1), &pair.refresh).await.unwrap();
        }
    }
    // Whoever asked hung up in between.
    let (auth, refresh) = (rig.auth.clone(), pair.refresh.clone());
    for polls in 1..40 {
        let from = from(1);
        let mut asking = Box::pin(auth.refresh(&from, &refresh));
        let mut answered = None;
        for _ in 0..polls {
            answered = (&mut asking).now_or_never();
            if answered.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if let Some(answer) = answered {
            pair = answer.unwrap();
            break;
        }
    }
    // However often they hung up: who waits is answered.
    if pair.refresh == refresh {
        pair = auth.refresh(&from(1), &refresh).await.unwrap();
    }
    assert_ne!(pair.refresh, refresh, "it was answered in the end");
    assert!(rig.is_quiet());
    // One that is answered is still good once.
    let before = pair.refresh.clone();
    rig.auth.refresh(&from(1), &before).await.unwrap();
    assert!(matches!(rig.auth.refresh(&from(66), &before).await, Err(Refused::Ended)));
    assert!(!rig.is_quiet());
}

#[actix_rt::test]
async fn a_log_in_reads_the_sessions_of_one_user() {
    let far = Arc::new(Far::default());
    let rig = rig_on(config::Auth::default(), far.clone());
    rig.add("alice", Role::Admin).await;
    rig.add("bob", Role::Miner).await;
    rig.pair("alice").await;
    far.read.lock().unwrap().clear();
    rig.pair("bob").await;
    let bob = rig.row("bob").await.id;
    assert_eq!(*far.read.lock().unwrap(), [format!("test:1:{{sessions:{bob}}}")]);
    // Once an hour all are read, and what ended by itself is taken off.
    let id = rig.auth.sessions(Some(&bob)).await.unwrap().remove(0).0;
    rig.cache.end_session(&id).await.unwrap();
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(3_601)).await;
    tokio::time::resume();
    rig.pair("alice").await;
    let listed: BTreeMap<String, crate::auth::Session> = rig.cache.sessions().await.unwrap();
    assert_eq!(listed.len(), 2, "alice's: {listed:?}");
    assert!(!listed.contains_key(&id));
}
