//! `kill -9` in the middle of full load: every share that was answered `true` is in the journal and credited once.

use std::time::Duration;

use pool_tests::pool::{PATIENCE, PoolProcess, Setup};
use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};

use crate::mining;

/// Kills in CI; the long form runs by `make soak`.
const KILLS: usize = 4;
const KILLS_SOAK: usize = 50;

async fn survives(kills: usize) {
    let seed = std::env::var("DAGPOOL_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1_u64);
    println!("DAGPOOL_SEED={seed} repeats the moments of the kills");
    let mut random = SmallRng::seed_from_u64(seed);
    let node = mining::node("blake2s", 300, 1);
    let mut setup = Setup::simulated(&node.rpc_url, "blake2s").await;
    setup.fixed = true;
    let mut pool = PoolProcess::start(setup);
    let swarm = mining::miners(&pool, "blake2s", 8, None);
    let mut accepted = 0;
    for kill in 0..kills {
        // Under load: at least some shares since the last kill.
        tokio::time::timeout(PATIENCE, swarm.accepted(accepted + 50))
            .await
            .expect("miners go on after a kill");
        tokio::time::sleep(Duration::from_millis(random.random_range(0..400))).await;
        pool.kill();
        accepted = swarm.stats().accepted;
        pool.restart();
        println!("kill {kill}: {accepted} shares acknowledged so far");
    }
    tokio::time::timeout(PATIENCE, swarm.accepted(accepted + 50))
        .await
        .expect("miners go on after the last kill");
    let told: Vec<_> = swarm.miners().into_iter().map(|miner| miner.user).collect();
    let last = swarm.stop();
    let miners = last.accepted;

    // The ledger has taken in everything that the journal holds.
    let mut credited = 0;
    for user in &told {
        let account = user.split('.').next().unwrap();
        let (_, body) = pool.get(&format!("/api/miners/{account}")).await;
        credited += body["shares"]["accepted"].as_u64().unwrap_or(0);
    }
    let stats = pool.until("/api/stats", |_, stats| stats["ledger"]["lag"].as_u64() == Some(0)).await;
    println!("acknowledged {miners}, credited {credited}, lost with the connection {}", last.lost);
    credited = 0;
    for user in &told {
        let account = user.split('.').next().unwrap();
        let (_, body) = pool.get(&format!("/api/miners/{account}")).await;
        credited += body["shares"]["accepted"].as_u64().unwrap_or(0);
    }
    assert!(credited >= miners, "{} acknowledged shares are not credited", miners - credited);
    // A share whose answer died with the connection may be durable all the same; none can be counted twice.
    assert!(credited <= miners + last.lost, "{} shares are credited twice", credited - miners - last.lost);
    mining::assert_balanced(&stats);
    assert!(last.reconnects >= kills as u64);
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
