//! What every cache must do, whatever is behind it.

use std::{collections::BTreeMap, future::Future, time::Duration};

use futures_util::{StreamExt as _, future::join_all};
use pool_actors::ports::cache::{Cache, CacheError, SharedCache};
use serde_json::{Value, json};

use crate::names;

/// Longest wait for what must happen.
const PATIENCE: Duration = Duration::from_secs(10);
/// Long enough not to end in a test.
const LONG: Duration = Duration::from_secs(600);
/// Ends within a test, yet not between two lines of it.
const SHORT: Duration = Duration::from_millis(400);

/// Asks until it is so.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, done: impl Fn() -> F) {
    let waiting = async {
        while !done().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "{what}: that does not come to be");
}

pub(crate) async fn what_is_kept_ends_after_its_time(port: SharedCache) {
    let cache = names(&port);
    assert_eq!(cache.ping().await, Ok(()));
    assert_eq!(cache.kept::<Value>("job").await.unwrap(), None);
    let odd = json!({ "text": "\u{0}\u{1f600}\r\n$5\r\n", "large": u64::MAX, "list": [1, null, true] });
    cache.keep("job", &odd, LONG).await.unwrap();
    assert_eq!(cache.kept("job").await.unwrap(), Some(odd));
    assert_eq!(cache.kept::<u64>("job").await.unwrap(), None, "of another form is as good as not there");
    // What is stored anew lives anew, shorter or longer.
    cache.keep("job", &json!(2), SHORT).await.unwrap();
    cache.keep("stats", &json!(3), SHORT).await.unwrap();
    cache.keep("stats", &json!(4), LONG).await.unwrap();
    assert_eq!(cache.kept("job").await.unwrap(), Some(2));
    until("it ends", || async { cache.kept::<Value>("job").await.unwrap().is_none() }).await;
    assert_eq!(cache.kept("stats").await.unwrap(), Some(4));
}

pub(crate) async fn of_many_one_is_the_first(port: SharedCache) {
    let cache = names(&port);
    let numbers: Vec<u64> = (0..40).collect();
    let tried = join_all(numbers.iter().map(|number| cache.keep_first("lock", number, LONG))).await;
    let first: Vec<u64> =
        (0..).zip(&tried).filter(|(_, won)| *won.as_ref().unwrap()).map(|(n, _)| n).collect();
    assert_eq!(first.len(), 1, "{tried:?}");
    assert_eq!(cache.kept::<u64>("lock").await.unwrap(), Some(first[0]));
    // When it has ended another one may be; what is kept meanwhile stays.
    assert!(cache.keep_first("brief", &1, SHORT).await.unwrap());
    assert!(!cache.keep_first("brief", &2, LONG).await.unwrap());
    until("it ends", || async { cache.keep_first("brief", &3, LONG).await.unwrap() }).await;
    assert_eq!(cache.kept::<u64>("brief").await.unwrap(), Some(3));
    // A copy is kept as anything is.
    cache.keep_copy("copy", &json!({ "a": 1 }), SHORT).await.unwrap();
    assert_eq!(cache.kept("copy").await.unwrap(), Some(json!({ "a": 1 })));
    until("it ends", || async { cache.kept::<Value>("copy").await.unwrap().is_none() }).await;
}

pub(crate) async fn counters_count_all_and_begin_again(port: SharedCache) {
    let cache = names(&port);
    // All at once: each gets a number of its own.
    let counted = join_all((0..40).map(|_| cache.count("logins:10.0.0.1", LONG))).await;
    let mut counts: Vec<u64> = counted.iter().map(|counted| counted.as_ref().unwrap().count).collect();
    counts.sort_unstable();
    assert_eq!(counts, (1..=40).collect::<Vec<u64>>());
    assert!(counted.iter().flatten().all(|counted| counted.ends_in <= LONG && counted.ends_in > LONG / 2));
    assert_eq!(cache.count("logins:10.0.0.2", LONG).await.unwrap().count, 1);
    // A window is not extended by those who count in it.
    let began = tokio::time::Instant::now();
    let mut counts = vec![cache.count("short", SHORT).await.unwrap().count];
    loop {
        let counted = cache.count("short", SHORT).await.unwrap();
        assert!(counted.ends_in <= SHORT);
        if counted.count == 1 {
            break;
        }
        assert_eq!(Some(counted.count - 1), counts.last().copied());
        counts.push(counted.count);
        assert!(began.elapsed() < PATIENCE, "{} counts, and the window does not end", counts.len());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(counts.len() > 2 && began.elapsed() + Duration::from_millis(5) >= SHORT);
    // A value is no counter.
    let key = "test:1:count:value".to_owned();
    port.put(key.clone(), json!([1]), LONG).await.unwrap();
    let refused = port.count(key, LONG).await;
    assert!(matches!(refused, Err(CacheError::Refused { .. })), "{refused:?}");
}

fn table(fields: &[(&str, u64)]) -> BTreeMap<String, u64> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
}

pub(crate) async fn a_table_changes_in_one_step(port: SharedCache) {
    let cache = names(&port);
    let read = |cache: Cache| async move { cache.bans::<u64>().await.unwrap() };
    assert_eq!(cache.bans_revision().await.unwrap(), None);
    assert_eq!(read(cache.clone()).await.fields, table(&[]));
    cache.change_bans(&table(&[("a", 1), ("b", 2)]), Vec::new(), 7, LONG).await.unwrap();
    let removed = vec!["a".to_owned(), "never".to_owned()];
    cache.change_bans(&table(&[("c", 3), ("b", 5)]), removed, u64::MAX, LONG).await.unwrap();
    assert_eq!(read(cache.clone()).await.fields, table(&[("b", 5), ("c", 3)]));
    assert_eq!(cache.bans_revision().await.unwrap(), Some(u64::MAX));
    // Many writers at once: nothing of any is lost.
    let writers =
        (0..20).map(|number| {
            let cache = cache.clone();
            async move {
                cache.change_bans(&table(&[(&format!("w{number}"), number)]), vec![], number, LONG).await
            }
        });
    assert!(join_all(writers).await.iter().all(Result::is_ok));
    assert_eq!(read(cache.clone()).await.fields.len(), 22);
    // What somebody else wrote is left out, not an error.
    let foreign = BTreeMap::from([("x".to_owned(), json!({ "not": "a number" }))]);
    cache.change_bans(&foreign, Vec::new(), 9, SHORT).await.unwrap();
    assert_eq!(read(cache.clone()).await.fields.len(), 22);
    until("the table ends", || async { cache.bans_revision().await.unwrap().is_none() }).await;
    assert_eq!(read(cache).await.revision, None);
}

pub(crate) async fn log_ins_end_and_tokens_are_taken_back(port: SharedCache) {
    let cache = names(&port);
    cache.put_session("s1", &json!({ "user": 7 }), LONG).await.unwrap();
    cache.put_session("s2", &json!({ "user": 8 }), SHORT).await.unwrap();
    assert_eq!(cache.session("s1").await.unwrap(), Some(json!({ "user": 7 })));
    assert!(cache.end_session("s1").await.unwrap());
    assert!(!cache.end_session("s1").await.unwrap());
    assert_eq!(cache.session::<Value>("s1").await.unwrap(), None);
    until("a log-in ends", || async { cache.session::<Value>("s2").await.unwrap().is_none() }).await;
    // A log-in that is used lives on from then; one that was ended does not come back by that, nor does another name's.
    cache.put_session("s3", &json!({ "used": 1 }), SHORT).await.unwrap();
    cache.put_session("s3", &json!({ "used": 2 }), LONG).await.unwrap();
    cache.put_session("s4", &json!(4), SHORT).await.unwrap();
    until("another ends", || async { cache.session::<Value>("s4").await.unwrap().is_none() }).await;
    assert_eq!(cache.session("s3").await.unwrap(), Some(json!({ "used": 2 })));
    assert_eq!(cache.session::<u64>("s3").await.unwrap(), None, "of another version is as good as not there");
    assert!(!cache.is_revoked("s3").await.unwrap(), "a log-in is no token");
    // Of many that end it at once, one does.
    let ended = join_all((0..10).map(|_| cache.end_session("s3"))).await;
    assert_eq!(ended.into_iter().filter(|ended| *ended == Ok(true)).count(), 1);
    assert!(!cache.is_revoked("t1").await.unwrap());
    cache.revoke("t1", SHORT).await.unwrap();
    assert!(cache.is_revoked("t1").await.unwrap());
    assert!(!cache.is_revoked("t2").await.unwrap());
    until("nobody needs to know any more", || async { !cache.is_revoked("t1").await.unwrap() }).await;
    // Taken back again, for longer.
    cache.revoke("t3", SHORT).await.unwrap();
    cache.revoke("t3", LONG).await.unwrap();
    cache.revoke("t4", SHORT).await.unwrap();
    until("another is over", || async { !cache.is_revoked("t4").await.unwrap() }).await;
    assert!(cache.is_revoked("t3").await.unwrap());
}

pub(crate) async fn followers_hear_what_is_published(port: SharedCache) {
    let cache = names(&port);
    cache.publish(&json!("before")).await.unwrap();
    let mut followers = vec![cache.follow().await.unwrap(), cache.follow().await.unwrap()];
    for number in 0..100 {
        cache.publish(&json!({ "number": number })).await.unwrap();
    }
    for follower in &mut followers {
        for number in 0..100 {
            let heard = tokio::time::timeout(PATIENCE, follower.next()).await.expect("it comes");
            assert_eq!(heard, Some(json!({ "number": number })), "in order, and nothing of before");
        }
    }
    followers.pop();
    cache.publish(&json!("after")).await.unwrap();
    assert_eq!(followers[0].next().await, Some(json!("after")));
}

pub(crate) async fn prefixes_do_not_meet(port: SharedCache) {
    let (one, other) = (names(&port), Cache::new(std::sync::Arc::clone(&port), "other"));
    one.keep("stats", &json!(1), LONG).await.unwrap();
    one.change_bans(&table(&[("a", 1)]), Vec::new(), 1, LONG).await.unwrap();
    assert_eq!(other.kept::<Value>("stats").await.unwrap(), None);
    assert_eq!(other.bans_revision().await.unwrap(), None);
    assert_eq!(one.count("x", LONG).await.unwrap().count, 1);
    assert_eq!(other.count("x", LONG).await.unwrap().count, 1);
}
