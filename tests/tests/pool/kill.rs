//! `kill -9` in the middle of full load: every share that was answered `true` is in the journal and credited once.

use std::time::Duration;

use pool_tests::pool::{PATIENCE, PoolProcess, Setup};
use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};

use crate::mining;

/// Kills in CI; the long form runs by `make soak`.
const KILLS: usize = 4;
const KILLS_SOAK: usize = 50;
/// Shares acknowledged before each kill, at least.
const LOAD: u64 = 500;

async fn survives(kills: usize) {
    let seed = std::env::var("DAGPOOL_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1_u64);
    println!("DAGPOOL_SEED={seed} repeats the moments of the kills");
    let mut random = SmallRng::seed_from_u64(seed);
    let node = mining::node("blake2s", 300, 1);
    let mut setup = Setup::simulated(&node.rpc_url, "blake2s").await;
    // Some forty hashes a share: what is under load is the pool, not the miners.
    setup.difficulty = "0.00000001".to_owned();
    let mut pool = PoolProcess::start(setup);
    let mut swarm = mining::miners(pool.stratum, "blake2s", 8, None);
    let mut accepted = 0;
    for kill in 0..kills {
        // Under load: at least some shares since the last kill.
        tokio::time::timeout(PATIENCE, swarm.accepted(accepted + LOAD))
            .await
            .expect("miners go on after a kill");
        tokio::time::sleep(Duration::from_millis(random.random_range(0..400))).await;
        pool.kill();
        accepted = swarm.stats().accepted;
        pool.restart();
        println!("kill {}: {accepted} shares acknowledged so far", kill + 1);
    }
    tokio::time::timeout(PATIENCE, swarm.accepted(accepted + LOAD))
        .await
        .expect("miners go on after the last kill");
    swarm.end();
    assert_eq!(pool.terminate(), Some(0), "{}", pool.log());
    let journalled = pool.journalled();

    pool.restart();
    let stats = pool.until("/api/stats", |_, stats| stats["ledger"]["lag"] == 0).await;
    for miner in swarm.miners() {
        let account = miner.user.split('.').next().unwrap();
        let durable = journalled.get(account).copied().unwrap_or(0);
        // A share whose answer died with the connection may be durable all the same.
        let possible = miner.accepted..=miner.submitted;
        assert!(possible.contains(&durable), "{durable} shares are in the journal: {miner:?}");
        pool.until(&format!("/api/miners/{account}"), |_, body| body["shares"]["accepted"] == durable).await;
    }
    mining::assert_balanced(&stats);
    let (last, credited) = (swarm.stats(), journalled.values().sum::<u64>());
    let unanswered = last.submitted - last.accepted - last.rejected.values().sum::<u64>();
    println!(
        "{kills} kills: {} shares acknowledged, {credited} journalled and credited once each, {unanswered} whose answer died with the connection; refused: {:?}",
        last.accepted, last.rejected
    );
    assert!(last.reconnects >= kills as u64);
    assert!(last.rejected.is_empty(), "nothing is wrongly refused: {last:?}");
}

#[actix_rt::test]
async fn acknowledged_shares_survive_kill_9() {
    survives(KILLS).await;
}

#[actix_rt::test]
#[ignore = "long form: make soak"]
async fn acknowledged_shares_survive_fifty_kills() {
    survives(KILLS_SOAK).await;
}
