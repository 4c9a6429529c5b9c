//! Two pools that share a Redis, which is killed, paused, flushed or never there: what is shared is shared within a
//! second, miners notice nothing, and everything is there again when Redis is.

use std::{net::Ipv4Addr, process::Command, time::Duration};

use pool_tests::{
    pool::{ADMIN_TOKEN, PATIENCE, PoolProcess, Setup, dagpool},
    redis::{Redis, nobody},
};
use serde_json::Value;
use simulations::{miners::SwarmHandle, node::NodeHandle};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::Instant,
};

use crate::mining;

/// Some forty hashes a share: what is under load is the pool, not the miners.
const EASY: &str = "0.00000001";
/// Shares in each situation.
const SOME: u64 = 60;

async fn setup(node: &NodeHandle, url: &str) -> Setup {
    let mut setup = Setup::simulated(&node.rpc_url, "blake2s").await;
    setup.difficulty = EASY.to_owned();
    // Thrice as much rubbish as is needed is sent before anything is read.
    setup.more = format!("[cache]\nurl = \"{url}\"\n[banning]\nmalformed_max = 3\n");
    setup
}

async fn more(swarm: &SwarmHandle) {
    let before = swarm.stats().accepted;
    tokio::time::timeout(PATIENCE, swarm.accepted(before + SOME)).await.expect("miners mine on");
}

/// A connection from an address of one's own.
async fn connect(pool: &PoolProcess, from: Ipv4Addr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    socket.connect(pool.stratum).await
}

/// Whether a miner at this address is let in: it gets an answer.
async fn is_let_in(pool: &PoolProcess, from: Ipv4Addr) -> bool {
    let Ok(mut miner) = connect(pool, from).await else { return false };
    let subscribe = b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n";
    let mut byte = [0; 1];
    miner.write_all(subscribe).await.is_ok() && matches!(miner.read(&mut byte).await, Ok(1))
}

/// Gets an address banned for rubbish.
async fn misbehave(pool: &PoolProcess, from: Ipv4Addr) {
    let mut miner = connect(pool, from).await.unwrap();
    let rubbish =
        "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n".to_owned() + &"{{{\n".repeat(9);
    miner.write_all(rubbish.as_bytes()).await.unwrap();
    // Until it is closed.
    let _ = miner.read_to_end(&mut Vec::new()).await;
    assert!(!is_let_in(pool, from).await, "{from} is banned where it misbehaved");
}

/// Waits until an address is let in, or not; how long that took.
async fn until_let_in(pool: &PoolProcess, from: Ipv4Addr, wanted: bool) -> Duration {
    let begun = Instant::now();
    while is_let_in(pool, from).await != wanted {
        assert!(begun.elapsed() < PATIENCE, "{from} is let in: {}\n{}", !wanted, pool.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    begun.elapsed()
}

async fn lift(pool: &PoolProcess, address: Ipv4Addr) -> u16 {
    let url = format!("http://{}/api/admin/bans/{address}", pool.http);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    client.delete(url).bearer_auth(ADMIN_TOKEN).send().await.unwrap().status().as_u16()
}

fn degraded(ready: &Value) -> Option<&str> {
    ready["degraded"][0]["code"].as_str()
}

/// The cache does not answer: everybody is told, the pool is ready, and miners notice nothing.
async fn outage(pool: &PoolProcess, swarm: &SwarmHandle) {
    let ready = pool.until("/health/ready", |_, ready| degraded(ready).is_some()).await;
    assert_eq!((ready["status"].as_str(), degraded(&ready)), (Some("ready"), Some("CACHE_UNAVAILABLE")));
    assert!(pool.text("/metrics").await.contains("dagpool_cache_up 0"));
    more(swarm).await;
    assert_eq!(pool.get("/health/ready").await.0, 200);
    assert_eq!(pool.get("/api/miners").await.0, 200);
}

async fn recovered(pool: &PoolProcess, swarm: &SwarmHandle) {
    pool.until("/health/ready", |status, ready| status == 200 && degraded(ready).is_none()).await;
    assert!(pool.text("/metrics").await.contains("dagpool_cache_up 1"));
    more(swarm).await;
}

/// A second for all of it: the way to the pool and the busy machine included, nothing comes close to it.
const SOON: Duration = Duration::from_secs(1);

#[actix_rt::test]
async fn bans_are_shared_and_outlive_every_fault_of_redis() {
    let mut redis = Redis::start();
    let node = mining::node("blake2s", 300, 1);
    let mut first = PoolProcess::start(setup(&node, &redis.url()).await);
    let second = PoolProcess::start(setup(&node, &redis.url()).await);
    let mut swarm = mining::miners(first.stratum, "blake2s", 3, None);
    more(&swarm).await;
    let bad = |last: u8| Ipv4Addr::new(127, 7, 7, last);

    // In force at the other pool within a second, and lifted there for both.
    misbehave(&first, bad(1)).await;
    let took = until_let_in(&second, bad(1), false).await;
    println!("a ban was in force at the other pool after {} ms", took.as_millis());
    assert!(took < SOON, "{took:?}");
    assert!(is_let_in(&second, bad(2)).await, "nobody else is banned");
    let (_, bans) = second.get_as_admin("/api/admin/bans").await;
    assert_eq!(bans["items"][0]["address"], bad(1).to_string(), "{bans:#}");
    assert_eq!(lift(&second, bad(1)).await, 204);
    until_let_in(&first, bad(1), true).await;

    // Flushed: whoever knows a ban writes it again, and a lifted one stays lifted.
    misbehave(&second, bad(2)).await;
    until_let_in(&first, bad(2), false).await;
    assert_eq!(redis.cli(&["FLUSHALL"]), "OK");
    let key = ["HLEN", "dagpool:1:{bans}"];
    let begun = Instant::now();
    while redis.cli(&key).parse::<u32>().unwrap_or(0) < 3 {
        assert!(begun.elapsed() < PATIENCE, "the list is not written again: {}", redis.cli(&key));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(is_let_in(&first, bad(1)).await && !is_let_in(&first, bad(2)).await);

    // Killed: what each pool decides meanwhile is shared when there is a Redis again, which is empty.
    redis.kill();
    outage(&first, &swarm).await;
    misbehave(&first, bad(3)).await;
    misbehave(&second, bad(4)).await;
    assert!(is_let_in(&second, bad(3)).await, "nobody could tell it");
    redis.restart();
    recovered(&first, &swarm).await;
    until_let_in(&second, bad(3), false).await;
    until_let_in(&first, bad(4), false).await;

    // Slow without end: connections are taken, nothing answers.
    redis.pause();
    outage(&first, &swarm).await;
    misbehave(&second, bad(5)).await;
    redis.resume();
    recovered(&first, &swarm).await;
    until_let_in(&first, bad(5), false).await;

    // A pool that was restarted knows what was decided before.
    first.kill();
    first.restart();
    until_let_in(&first, bad(4), false).await;
    more(&swarm).await;
    let log = first.log();
    assert!(log.contains("CACHE_UNAVAILABLE") && log.contains("the cache is back"), "{log}");
    swarm.end();
    crate::postgres::assert_credited(&mut first, &swarm).await;
    let stats = swarm.stats();
    assert!(stats.rejected.is_empty(), "nothing is wrongly refused: {stats:?}");
    println!("{} shares acknowledged, {} sent; each credited once", stats.accepted, stats.submitted);
}

#[actix_rt::test]
async fn a_cluster_that_loses_a_master_is_said_and_recovers() {
    let mut nodes = Redis::cluster_of_three();
    let node = mining::node("blake2s", 300, 1);
    let url = format!("redis-cluster://{},{},{}", nodes[0].address(), nodes[1].address(), nodes[2].address());
    let mut first = PoolProcess::start(setup(&node, &url).await);
    let second = PoolProcess::start(setup(&node, &url).await);
    let mut swarm = mining::miners(first.stratum, "blake2s", 2, None);
    more(&swarm).await;
    let bad = |last: u8| Ipv4Addr::new(127, 7, 8, last);
    misbehave(&first, bad(1)).await;
    until_let_in(&second, bad(1), false).await;
    // The master with the ban list.
    let third = nodes[0].third_of("dagpool:1:{bans}");
    nodes[third].kill();
    outage(&first, &swarm).await;
    assert!(!is_let_in(&first, bad(1)).await && !is_let_in(&second, bad(1)).await, "in force all the same");
    misbehave(&second, bad(2)).await;
    nodes[third].restart();
    recovered(&first, &swarm).await;
    until_let_in(&first, bad(2), false).await;
    swarm.end();
    crate::postgres::assert_credited(&mut first, &swarm).await;
    let stats = swarm.stats();
    assert!(stats.rejected.is_empty(), "nothing is wrongly refused: {stats:?}");
}

#[actix_rt::test]
async fn a_pool_speaks_tls_with_a_redis_whose_authority_it_is_told() {
    let redis = Redis::with_tls();
    let node = mining::node("blake2s", 300, 1);
    let mut told = setup(&node, &redis.url()).await;
    told.environment.push(("DAGPOOL__CACHE__CA_FILE", redis.authority().to_str().unwrap().to_owned()));
    let pool = PoolProcess::start(told);
    let mut swarm = mining::miners(pool.stratum, "blake2s", 2, None);
    more(&swarm).await;
    let ready = pool.until("/health/ready", |status, _| status == 200).await;
    assert_eq!(degraded(&ready), None, "{ready:#}");
    misbehave(&pool, Ipv4Addr::new(127, 7, 9, 1)).await;
    let begun = Instant::now();
    while redis.cli(&["EXISTS", "dagpool:1:{bans}"]) != "1" {
        assert!(begun.elapsed() < PATIENCE, "the ban does not come to Redis\n{}", pool.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // One that is not told whom to trust says so, and mines all the same.
    let untold = PoolProcess::start(setup(&node, &redis.url()).await);
    let mut other = mining::miners(untold.stratum, "blake2s", 2, None);
    outage(&untold, &other).await;
    swarm.end();
    other.end();
}

#[actix_rt::test]
async fn a_redis_that_is_never_there_is_said_and_not_waited_for() {
    let address = nobody();
    let node = mining::node("blake2s", 300, 1);
    let mut setup = setup(&node, "memory:").await;
    setup.environment.push(("REDIS_URL", format!("redis://pool:hush-hush@{address}")));
    let mut pool = PoolProcess::start(setup);
    let mut swarm = mining::miners(pool.stratum, "blake2s", 2, None);
    outage(&pool, &swarm).await;
    swarm.end();
    assert_eq!(pool.terminate(), Some(0), "{}", pool.log());
    assert!(pool.log().contains("the cache is away") && !pool.log().contains("hush"), "{}", pool.log());
}

/// Asks so often; how many were answered, and the longest that an answer took. A refused one says when to come back.
async fn ask(pool: &PoolProcess, times: u32) -> (u32, Duration) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let (mut answered, mut slowest) = (0, Duration::ZERO);
    for _ in 0..times {
        let begun = Instant::now();
        let answer = client.get(format!("http://{}/api/stats", pool.http)).send().await.unwrap();
        slowest = slowest.max(begun.elapsed());
        match answer.status().as_u16() {
            200 => answered += 1,
            429 => {
                let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
                assert!((1..=WINDOW_S).contains(&wait), "{wait}");
                let body: Value = answer.json().await.unwrap();
                assert_eq!(body["error"]["code"], "RATE_LIMITED", "{body}");
                assert_eq!(body["error"]["details"]["retry_after_s"], wait, "{body}");
            }
            other => panic!("{other}\n{}", pool.log()),
        }
    }
    (answered, slowest)
}

/// Requests at once, and a rate that gives none back within the test: a window of ten minutes.
const BURST: u32 = 600;
const WINDOW_S: u64 = 600;

#[actix_rt::test]
async fn the_limit_of_requests_is_shared_and_each_pool_goes_on_alone_without_redis() {
    let mut redis = Redis::start();
    let node = mining::node("blake2s", 300, 1);
    let limited = async |url: &str| {
        let mut setup = setup(&node, url).await;
        setup.environment.push(("DAGPOOL__HTTP__RATE_LIMIT_PER_SECOND", "1".to_owned()));
        setup.environment.push(("DAGPOOL__HTTP__RATE_LIMIT_BURST", BURST.to_string()));
        PoolProcess::start(setup)
    };
    let (first, second) = (limited(&redis.url()).await, limited(&redis.url()).await);
    let (here, _) = ask(&first, 350).await;
    assert_eq!(here, 350);
    let (there, _) = ask(&second, 350).await;
    let passed = here + there;
    println!("{passed} of 700 requests passed two pools whose limit is {BURST} in {WINDOW_S} s");
    assert!((BURST - 5..=BURST).contains(&passed), "{passed}: one limit for both, not one for each");
    assert_eq!(ask(&first, 5).await.0, 0, "nor is anything left at the other");
    assert_eq!(first.get("/health/ready").await.0, 200, "health is free of it");
    let keys = redis.cli(&["KEYS", "dagpool:1:count:http:*"]);
    assert_eq!(keys, format!("dagpool:1:count:http:1:{BURST}:127.0.0.1"));
    // Another limit of another pool begins where it was started without a Redis: its own bucket holds.
    let mut third = limited(&redis.url()).await;
    redis.pause();
    let (passed, slowest) = ask(&third, 40).await;
    println!("with Redis paused {passed} of 40 passed, the slowest after {} ms", slowest.as_millis());
    assert_eq!(passed, 40, "a cache that hangs refuses nobody");
    assert!(slowest < Duration::from_millis(1_500), "{slowest:?}");
    redis.resume();
    redis.kill();
    let (passed, _) = ask(&third, BURST).await;
    assert!((BURST - 80..BURST).contains(&passed), "{passed}: its own bucket holds");
    assert_eq!(third.terminate(), Some(0), "{}", third.log());
}

/// What `dagpool check` says of the cache.
fn checked(pool: &PoolProcess, url: &str) -> Value {
    let config = pool.write_config();
    let said = Command::new(dagpool())
        .args(["check", "--json", "--config"])
        .arg(config)
        .env("REDIS_URL", url)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&said.stdout);
    assert!(!text.contains("hush"), "{text}");
    let lines: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let lines = lines.as_array().or_else(|| lines["checks"].as_array()).expect("a list").clone();
    let of_cache =
        |line: &Value| line["check"] == "cache" || line["check"] == "config" && line["ok"] == false;
    lines.into_iter().find(of_cache).expect("the cache is checked")
}

#[actix_rt::test]
async fn check_tries_the_cache() {
    let node = mining::node("blake2s", 300, 1);
    let pool = PoolProcess::start(setup(&node, "memory:").await);
    assert_eq!(checked(&pool, "memory:")["ok"], true);
    let redis = Redis::with_password("hush-hush");
    let right = checked(&pool, &format!("redis://:hush-hush@{}", redis.address()));
    assert!(right["ok"] == true && right["message"].as_str().unwrap().contains("Redis "), "{right}");
    for wrong in [redis.url(), format!("redis://:hush@{}", nobody())] {
        let said = checked(&pool, &wrong);
        assert_eq!(
            (&said["ok"], said["code"].as_str()),
            (&Value::Bool(false), Some("CACHE_UNUSABLE")),
            "{said}"
        );
    }
    for wrong in ["memcached://:hush@cache", "rediss-sentinel://:hush@cache/main"] {
        assert_eq!(checked(&pool, wrong)["code"], "CONFIG_INVALID", "{wrong}");
    }
}

/// Reads a live feed until a frame is as wanted.
async fn heard(pool: &PoolProcess, wanted: impl Fn(&Value) -> bool) -> Value {
    let url = format!("ws://{}/api/live", pool.http);
    let (mut feed, _) = tokio_tungstenite::connect_async(url).await.expect("the feed opens");
    let listening = async {
        while let Some(Ok(frame)) = futures_util::StreamExt::next(&mut feed).await {
            let frame: Value =
                frame.to_text().ok().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
            if wanted(&frame) {
                return frame;
            }
        }
        panic!("the feed ended")
    };
    tokio::time::timeout(PATIENCE, listening).await.expect("it is told")
}

#[actix_rt::test]
async fn what_one_pool_finds_is_told_by_the_other_until_its_own_end() {
    let redis = Redis::start();
    let node = mining::node("blake2s", 300, 1);
    let mut first = PoolProcess::start(setup(&node, &redis.url()).await);
    let mut other = setup(&node, &redis.url()).await;
    other.environment.push(("DAGPOOL__POOL__NODE_ID", "1".to_owned()));
    let second = PoolProcess::start(other);
    let mut swarm = mining::miners(first.stratum, "blake2s", 3, None);
    let found = heard(&second, |frame| frame["type"] == "block" && frame["from"] == "node-0").await;
    assert!(found["data"]["ours"] == true && found["seq"].is_u64(), "{found:#}");
    assert!(found["data"]["account"].as_str().unwrap().starts_with("miner"), "{found:#}");

    // Killed, and there again with the figures of before.
    let begun = Instant::now();
    while redis.cli(&["STRLEN", "dagpool:1:kept:figures:node-0"]).parse::<u32>().unwrap_or(0) < 100 {
        assert!(begun.elapsed() < PATIENCE, "no figures are kept");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    first.kill();
    let killed_at = heard(&second, |frame| frame["type"] == "stats").await["at"].clone();
    first.restart();
    let snapshot = heard(&first, |frame| frame["type"] == "snapshot").await;
    let oldest = &snapshot["data"]["history"][0]["at"];
    assert!(oldest.as_str().unwrap() < killed_at.as_str().unwrap(), "{oldest} is of before {killed_at}");
    swarm.end();
}

#[actix_rt::test]
async fn lists_are_answered_while_the_database_is_away() {
    let mut database = pool_tests::postgres::Postgres::start();
    let redis = Redis::start();
    let node = mining::node("blake2s", 300, 1);
    let mut setup = setup(&node, &redis.url()).await;
    setup.more.push_str(&format!(
        "[store]\nurl = \"{}\"\nstatement_timeout_ms = 1000\nconnect_timeout_ms = 500\n",
        database.url()
    ));
    let pool = PoolProcess::start(setup);
    let mut swarm = mining::miners(pool.stratum, "blake2s", 3, None);
    more(&swarm).await;
    let some = |_: u16, list: &Value| list["items"].as_array().is_some_and(|items| !items.is_empty());
    pool.until("/api/miners", some).await;
    pool.until("/api/blocks", some).await;
    let credited = |status: u16, body: &Value| status == 200 && body["shares"]["accepted"].as_u64() > Some(0);
    pool.until("/api/miners/miner0", credited).await;
    let kept = |list: &str| format!("dagpool:1:kept:list:node-0:{list}");
    let known = ["miners:50", "blocks:50", "account:miner0"].map(kept);
    let is_kept = |key: &str| redis.cli(&["GET", key]).contains("\"account\"");
    let begun = Instant::now();
    while !known.iter().all(|key| is_kept(key)) {
        // What is asked for often is kept every two seconds.
        let _ = (pool.get("/api/miners").await, pool.get("/api/blocks").await);
        let _ = pool.get("/api/miners/miner0").await;
        assert!(begun.elapsed() < PATIENCE, "the lists are not kept");
    }
    let is_alert = |frame: &Value| frame["type"] == "alert" && frame["data"]["code"] == "STORE_UNAVAILABLE";
    let outage = async {
        database.kill();
        for list in ["/api/miners", "/api/blocks"] {
            let kept = pool.until(list, |status, list| status == 200 && list["stale"] == true).await;
            assert!(some(200, &kept) && kept["stale_at"].is_string(), "{kept:#}");
        }
        let miner = pool.get("/api/miners/miner0").await;
        assert!(credited(miner.0, &miner.1) && miner.1["stale"] == true, "{miner:?}");
        assert!(miner.1["stale_at"].is_string() && miner.1["balance"]["confirmed"].is_string(), "{miner:?}");
        assert_eq!(pool.get("/api/miners/nobody").await.0, 503, "who was never asked for is not made up");
    };
    // The feed is opened first; the alert comes a second after the database was missed.
    let (alert, ()) = tokio::join!(heard(&pool, is_alert), outage);
    assert!(!alert.to_string().contains("127."), "where it is, is for operators: {alert:#}");
    let stats = pool.get("/api/stats").await.1;
    let away = &stats["degraded"][0];
    assert_eq!(
        (&away["component"], &away["code"]),
        (&"store".into(), &"STORE_UNAVAILABLE".into()),
        "{stats:#}"
    );
    assert!(away["since"].is_string() && away["figures_at"] == stats["ledger"]["at"], "{stats:#}");
    assert_eq!(pool.get("/api/blocks?status=paid").await.0, 503, "what was never kept is not made up");
    more(&swarm).await;
    database.restart();
    pool.until("/api/miners", |status, list| status == 200 && list["stale"].is_null()).await;
    pool.until("/api/stats", |_, stats| stats["degraded"].as_array().is_some_and(Vec::is_empty)).await;
    swarm.end();
}
