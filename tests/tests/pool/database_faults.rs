//! The database killed, paused, cut off, gone for long, replaced by a replica, full: miners mine on, what they are told is
//! durable, and everything is credited once when it is back.

use std::time::Duration;

use pool_tests::{
    pool::{PATIENCE, PoolProcess},
    postgres::Postgres,
    proxy::{Cut, Proxy},
};
use simulations::miners::{Swarm, SwarmConfig, SwarmHandle};

use crate::{
    mining,
    postgres::{assert_credited, setup},
};

/// Some forty hashes a share: what is under load is the pool, not the miners.
const EASY: &str = "0.00000001";
/// Bounds of a pool that is not to wait long.
const HASTY: &str = "statement_timeout_ms = 1000\nconnect_timeout_ms = 500\n";
/// Shares in each situation.
const SOME: u64 = 100;

async fn more(swarm: &SwarmHandle) {
    let before = swarm.stats().accepted;
    tokio::time::timeout(PATIENCE, swarm.accepted(before + SOME)).await.expect("miners mine on");
}

/// The database does not answer: everybody is told, and miners notice nothing, for as long as it lasts.
async fn outage(pool: &PoolProcess, swarm: &SwarmHandle, lasts: Duration) {
    let begun = tokio::time::Instant::now();
    let body = pool.until("/health/ready", |status, _| status == 503).await;
    assert!(body.to_string().contains("STORE_UNAVAILABLE"), "{body:#}");
    let stats = pool.until("/api/stats", |_, stats| stats["stale"] == true).await;
    let reason = stats["stale_reason"].as_str().unwrap();
    assert!(reason.contains("the database does not answer"), "{reason}");
    assert!(stats["ledger"]["at"].is_string(), "the last figures are there: {stats:#}");
    mining::assert_balanced(&stats);
    assert!(pool.text("/metrics").await.contains("dagpool_db_up 0"));
    loop {
        more(swarm).await;
        if begun.elapsed() >= lasts {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(pool.get("/health/live").await.0, 200);
}

/// It is back: by itself the pool is ready, its figures are new, and it catches up.
async fn recovered(pool: &PoolProcess, swarm: &SwarmHandle) {
    let credited = swarm.stats().accepted;
    pool.until("/health/ready", |status, _| status == 200).await;
    pool.until("/api/stats", |_, stats| stats["stale"] == false).await;
    let mut known = 0;
    for miner in swarm.miners() {
        let account = miner.user.split('.').next().unwrap().to_owned();
        let body = pool
            .until(&format!("/api/miners/{account}"), |status, body| {
                status == 200 && body["shares"]["accepted"].as_u64() >= Some(miner.accepted)
            })
            .await;
        known += body["shares"]["accepted"].as_u64().unwrap();
    }
    assert!(known >= credited, "{known} of {credited} are credited");
    assert!(pool.text("/metrics").await.contains("dagpool_db_up 1"));
}

#[actix_rt::test]
async fn cut_off_killed_and_paused_under_load() {
    let mut server = Postgres::start();
    let proxy = Proxy::start(server.address());
    let node = mining::node("blake2s", 300, 1);
    let mut setup = setup(&node, &server.url_at(proxy.address)).await;
    setup.difficulty = EASY.to_owned();
    setup.more.push_str(HASTY);
    let mut pool = PoolProcess::start(setup);
    let mut swarm = mining::miners(pool.stratum, "blake2s", 4, None);
    more(&swarm).await;
    for cut in [Cut::InCopy, Cut::AfterCommit, Cut::InCopy, Cut::AfterCommit] {
        tokio::time::timeout(PATIENCE, proxy.cut(cut)).await.expect("the pool copies and commits");
        recovered(&pool, &swarm).await;
    }
    proxy.block(true);
    outage(&pool, &swarm, Duration::ZERO).await;
    proxy.block(false);
    recovered(&pool, &swarm).await;
    server.pause();
    outage(&pool, &swarm, Duration::ZERO).await;
    server.resume();
    recovered(&pool, &swarm).await;
    server.kill();
    outage(&pool, &swarm, Duration::from_secs(3)).await;
    server.restart();
    recovered(&pool, &swarm).await;
    // The pool itself is killed while the database is away.
    server.kill();
    more(&swarm).await;
    pool.kill();
    server.restart();
    pool.restart();
    more(&swarm).await;
    swarm.end();
    let log = pool.log();
    assert!(log.contains("store not available") && log.contains("the store is back"), "{log}");
    assert_credited(&mut pool, &swarm).await;
    let stats = swarm.stats();
    assert!(stats.rejected.is_empty(), "nothing is wrongly refused: {stats:?}");
    println!("{} shares acknowledged, {} sent; each credited once", stats.accepted, stats.submitted);
}

#[actix_rt::test]
#[ignore = "long form: make soak"]
async fn gone_for_ten_minutes() {
    let mut server = Postgres::start();
    let node = mining::node("blake2s", 300, 1);
    let mut pool = PoolProcess::start(setup(&node, &server.url()).await);
    let mut swarm = mining::miners(pool.stratum, "blake2s", 8, None);
    more(&swarm).await;
    server.kill();
    outage(&pool, &swarm, Duration::from_secs(600)).await;
    server.restart();
    recovered(&pool, &swarm).await;
    swarm.end();
    assert_credited(&mut pool, &swarm).await;
}

/// The worst failover: what takes over lacks commits that were answered.
#[actix_rt::test]
async fn a_replica_that_lacks_the_newest_commits_takes_over() {
    let mut server = Postgres::start();
    let node = mining::node("blake2s", 300, 1);
    let first = setup(&node, &server.url()).await;
    let mut pool = PoolProcess::start(first);
    let mut swarm = mining::miners(pool.stratum, "blake2s", 3, None);
    more(&swarm).await;
    let mut replica = server.replica();
    assert_eq!(pool.terminate(), Some(0), "{}", pool.log());
    let both = setup(&node, &server.url_with(&replica)).await;
    pool.setup().more = both.more;
    pool.restart();
    more(&swarm).await;
    recovered(&pool, &swarm).await;
    replica.kill();
    // From here on the replica knows nothing.
    more(&swarm).await;
    recovered(&pool, &swarm).await;
    server.kill();
    outage(&pool, &swarm, Duration::ZERO).await;
    replica.restart();
    replica.promote();
    recovered(&pool, &swarm).await;
    more(&swarm).await;
    swarm.end();
    assert!(pool.log().contains("the database has gone back"), "{}", pool.log());
    assert_credited(&mut pool, &swarm).await;
    assert_eq!(replica.sql("SELECT sum(amount) FROM ledger_entries").unwrap(), "0");
}

#[actix_rt::test]
#[ignore = "mounts a file system, which root alone may: make soak"]
async fn a_disk_that_is_full() {
    let server = Postgres::start();
    let disk = server.small_tablespace("16m");
    let node = mining::node("blake2s", 300, 1);
    let mut pool = PoolProcess::start(setup(&node, &server.url()).await);
    let mut swarm = mining::miners(pool.stratum, "blake2s", 4, None);
    more(&swarm).await;
    recovered(&pool, &swarm).await;
    disk.fill();
    // Rows find room in half-empty pages for a while; new accounts need new ones.
    let crowd =
        SwarmConfig { account_prefix: "crowd".to_owned(), ..mining::miners_of(pool.stratum, "blake2s", 4) };
    let crowd = Swarm::start(crowd).unwrap();
    outage(&pool, &swarm, Duration::from_secs(2)).await;
    assert!(pool.log().contains("No space left"), "{}", pool.log());
    disk.clear();
    crowd.stop();
    recovered(&pool, &swarm).await;
    swarm.end();
    assert_credited(&mut pool, &swarm).await;
}
