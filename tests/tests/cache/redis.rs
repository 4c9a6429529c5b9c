//! What only a server of its own can do wrong: be away, be slow, forget everything, hand over to another one.

use std::{sync::Arc, time::Duration};

use pool_actors::{
    adapters::cache_redis::{RedisCache, RedisSettings},
    ports::cache::{CacheError, SharedCache},
    runtime::threads::Thread,
};
use pool_tests::redis::{Redis, nobody};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    conformance::{self, until},
    names,
};

const LONG: Duration = Duration::from_secs(600);
/// A call may take a little longer than its bound on a busy machine.
const AT_ONCE: Duration = Duration::from_millis(1_500);

pub(crate) fn open(url: &str, password: Option<&str>) -> RedisCache {
    let settings = RedisSettings::new(url, password).unwrap();
    let (cache, (name, body)) = RedisCache::open(settings).unwrap();
    drop(Thread::spawn(name, body).unwrap());
    cache
}

/// A cache on this Redis.
pub(crate) fn cache(url: &str) -> SharedCache {
    Arc::new(open(url, None))
}

fn is_away<R: std::fmt::Debug>(answer: Result<R, CacheError>) -> String {
    match answer {
        Err(CacheError::Unavailable { what }) => what,
        other => panic!("it should be away: {other:?}"),
    }
}

#[actix_rt::test]
async fn every_key_has_its_prefix_and_an_end() {
    let server = Redis::start();
    let cache = names(&cache(&server.url()));
    cache.keep("stats:node-0", &json!(1), LONG).await.unwrap();
    cache.count("api:10.0.0.1", LONG).await.unwrap();
    cache.put_session("s", &json!(1), LONG).await.unwrap();
    cache.revoke("t", LONG).await.unwrap();
    let bans = std::collections::BTreeMap::from([("10.0.0.1".to_owned(), json!({}))]);
    cache.change_bans(&bans, Vec::new(), 1, LONG).await.unwrap();
    let keys = server.cli(&["KEYS", "*"]);
    let mut keys: Vec<&str> = keys.lines().collect();
    keys.sort_unstable();
    let expected = [
        "test:1:count:api:10.0.0.1",
        "test:1:kept:stats:node-0",
        "test:1:revoked:t",
        "test:1:session:s",
        "test:1:{bans}",
    ];
    assert_eq!(keys, expected);
    for key in keys {
        let left: u64 = server.cli(&["PTTL", key]).parse().unwrap();
        assert!(left > 500_000 && left <= 600_000, "{key} ends in {left} ms");
    }
}

#[actix_rt::test]
async fn gone_slow_flushed_and_back() {
    let mut server = Redis::start();
    let cache = names(&cache(&server.url()));
    cache.keep("a", &json!(1), LONG).await.unwrap();
    server.pause();
    let asked = Instant::now();
    let why = is_away(cache.kept::<Value>("a").await);
    assert!(why.contains("did not answer within 250 ms"), "{why}");
    assert!(asked.elapsed() < AT_ONCE, "{:?}", asked.elapsed());
    for _ in 0..20 {
        let asked = Instant::now();
        is_away(cache.ping().await);
        assert!(asked.elapsed() < AT_ONCE, "{:?}", asked.elapsed());
    }
    server.resume();
    until("it answers again", || async { cache.kept("a").await == Ok(Some(1)) }).await;
    assert_eq!(server.cli(&["FLUSHALL"]), "OK");
    assert_eq!(cache.kept::<Value>("a").await, Ok(None));
    let mut events = cache.follow().await.unwrap();
    server.kill();
    let ended = tokio::time::timeout(Duration::from_secs(10), futures_util::StreamExt::next(&mut events));
    assert_eq!(ended.await.expect("whoever follows is told"), None);
    is_away(cache.ping().await);
    server.restart();
    until("it is found again", || async { cache.ping().await.is_ok() }).await;
    cache.keep("a", &json!(2), LONG).await.unwrap();
    assert_eq!(cache.kept("a").await, Ok(Some(2)));
}

#[actix_rt::test]
async fn never_there() {
    let cache = names(&cache(&format!("redis://:hush@{}", nobody())));
    for _ in 0..5 {
        let why = is_away(cache.ping().await);
        assert!(why.contains("redis://127.0.0.1:") && !why.contains("hush"), "{why}");
    }
    is_away(cache.follow().await.map(drop));
}

#[actix_rt::test]
async fn a_wrong_password_and_a_full_server_are_answers() {
    let server = Redis::with_password("hush-hush");
    let refused = names(&(cache(&server.url()))).ping().await;
    assert!(matches!(&refused, Err(CacheError::Refused { what }) if what.contains("NOAUTH")), "{refused:?}");
    let wrong = names(&(Arc::new(open(&server.url(), Some("hush"))) as SharedCache)).ping().await;
    let what = match &wrong {
        Err(CacheError::Refused { what }) => what,
        other => panic!("{other:?}"),
    };
    assert!(!what.contains("hush"), "{what}");
    let right = open(&server.url(), Some("hush-hush"));
    let probed = right.probe().await.unwrap();
    assert!(probed.contains("Redis 7") || probed.contains("Redis "), "{probed}");
    let by_address = format!("redis://:hush-hush@{}", server.address());
    let full = names(&cache(&by_address));
    assert_eq!(full.ping().await, Ok(()));
    let set = ["-a", "hush-hush", "--no-auth-warning", "CONFIG", "SET", "maxmemory", "1"];
    assert_eq!(server.cli(&set), "OK");
    let refused = full.keep("a", &json!(1), LONG).await;
    assert!(matches!(&refused, Err(CacheError::Refused { what }) if what.contains("OOM")), "{refused:?}");
    assert_eq!(full.ping().await, Ok(()), "it is full, and there");
}

#[actix_rt::test]
async fn a_cluster_does_all_the_same() {
    let node = Redis::cluster();
    let url = format!("redis-cluster://{}", node.address());
    let fresh = || {
        assert_eq!(node.cli(&["FLUSHALL"]), "OK");
        cache(&url)
    };
    conformance::a_table_changes_in_one_step(fresh()).await;
    conformance::counters_count_all_and_begin_again(fresh()).await;
    conformance::followers_hear_what_is_published(fresh()).await;
    conformance::log_ins_end_and_tokens_are_taken_back(fresh()).await;
    conformance::what_is_kept_ends_after_its_time(fresh()).await;
    open(&url, None).probe().await.unwrap();
}

#[actix_rt::test]
async fn three_masters_do_all_the_same_and_what_a_dead_one_has_is_back_with_it() {
    let mut nodes = Redis::cluster_of_three();
    let url = format!("redis-cluster://{},{}", nodes[0].address(), nodes[1].address());
    let fresh = || {
        assert!(nodes.iter().all(|node| node.cli(&["FLUSHALL"]) == "OK"));
        cache(&url)
    };
    conformance::a_table_changes_in_one_step(fresh()).await;
    conformance::counters_count_all_and_begin_again(fresh()).await;
    conformance::followers_hear_what_is_published(fresh()).await;
    conformance::log_ins_end_and_tokens_are_taken_back(fresh()).await;
    conformance::what_is_kept_ends_after_its_time(fresh()).await;
    let cache = names(&fresh());
    for number in 0..30 {
        cache.keep(&format!("k{number}"), &json!(number), LONG).await.unwrap();
    }
    let held: Vec<u32> = nodes.iter().map(|node| node.cli(&["DBSIZE"]).parse().unwrap()).collect();
    assert!(held.iter().all(|keys| *keys > 0) && held.iter().sum::<u32>() == 30, "spread: {held:?}");
    let third = nodes[0].third_of("test:1:kept:k7");
    nodes[third].kill();
    let asked = Instant::now();
    until("the others say that it is gone", || async { cache.kept::<Value>("k7").await.is_err() }).await;
    assert!(asked.elapsed() < Duration::from_secs(5));
    for _ in 0..20 {
        let asked = Instant::now();
        let _ = cache.kept::<Value>("k7").await;
        assert!(asked.elapsed() < AT_ONCE, "{:?}", asked.elapsed());
    }
    nodes[third].restart();
    until("it is one cluster again", || async { cache.keep("k7", &json!(8), LONG).await.is_ok() }).await;
    assert_eq!(cache.kept("k7").await, Ok(Some(8)));
    let other = (0..30).find(|number| nodes[0].third_of(&format!("test:1:kept:k{number}")) != third).unwrap();
    until("and the others have lost nothing", || async {
        cache.kept(&format!("k{other}")).await == Ok(Some(other))
    })
    .await;
}

#[actix_rt::test]
async fn over_tls_it_does_all_the_same_and_an_unknown_authority_is_refused() {
    let server = Redis::with_tls();
    let trusting = || {
        assert_eq!(server.cli(&["FLUSHALL"]), "OK");
        let mut settings = RedisSettings::new(&server.url(), None).unwrap();
        settings.trust(&server.authority()).unwrap();
        let (cache, (name, body)) = RedisCache::open(settings).unwrap();
        drop(Thread::spawn(name, body).unwrap());
        cache
    };
    let shared = || Arc::new(trusting()) as SharedCache;
    conformance::a_table_changes_in_one_step(shared()).await;
    conformance::counters_count_all_and_begin_again(shared()).await;
    conformance::followers_hear_what_is_published(shared()).await;
    conformance::log_ins_end_and_tokens_are_taken_back(shared()).await;
    conformance::what_is_kept_ends_after_its_time(shared()).await;
    let probed = trusting().probe().await.unwrap();
    assert!(probed.starts_with("rediss://"), "{probed}");
    // By whom the system trusts, it is a stranger.
    let why = is_away(names(&cache(&server.url())).ping().await);
    assert!(why.to_lowercase().contains("certificate") || why.contains("UnknownIssuer"), "{why}");
    // And without TLS nobody is there.
    is_away(names(&cache(&server.url().replace("rediss", "redis"))).ping().await);
}

#[actix_rt::test]
async fn behind_sentinels_it_does_all_the_same() {
    let first = Redis::start();
    let _second = first.replica();
    let sentinel = first.sentinel();
    let url = format!("redis-sentinel://{}/main", sentinel.address());
    let fresh = || {
        assert_eq!(first.cli(&["FLUSHALL"]), "OK");
        cache(&url)
    };
    conformance::a_table_changes_in_one_step(fresh()).await;
    conformance::counters_count_all_and_begin_again(fresh()).await;
    conformance::followers_hear_what_is_published(fresh()).await;
    conformance::log_ins_end_and_tokens_are_taken_back(fresh()).await;
    conformance::what_is_kept_ends_after_its_time(fresh()).await;
}

#[actix_rt::test]
async fn a_failover_of_sentinels_is_followed() {
    let mut first = Redis::start();
    let second = first.replica();
    let sentinel = first.sentinel();
    let url = format!("redis-sentinel://{}/main", sentinel.address());
    let cache = names(&cache(&url));
    cache.keep("a", &json!(1), LONG).await.unwrap();
    // WAIT would only speak of what its own connection has written.
    until("the replica has it", || async { second.cli(&["GET", "test:1:kept:a"]) == "1" }).await;
    first.kill();
    // Half a second until the Sentinel thinks so, and its election.
    until("the replica takes over", || async { cache.keep("b", &json!(2), LONG).await.is_ok() }).await;
    assert_eq!(cache.kept("a").await, Ok(Some(1)));
    assert!(second.cli(&["GET", "test:1:kept:b"]) == "2");
    let mut events = cache.follow().await.unwrap();
    cache.publish(&json!("here")).await.unwrap();
    assert_eq!(futures_util::StreamExt::next(&mut events).await, Some(json!("here")));
}
