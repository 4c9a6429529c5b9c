//! `kill -9` in the middle of full load: every share that was answered `true` is in the journal and credited once.

use std::time::Duration;

use pool_actors::{adapters::system_clock::SystemClock, api::rfc3339, ports::clock::Clock as _};
use pool_tests::pool::{PATIENCE, PoolProcess, Setup, amount};
use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};
use serde_json::{Value, json};

use crate::{faults::faults, mining};

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
    let report = pool.audit();
    assert_eq!((&report["clean"], &report["unchecked"]), (&json!(true), &json!([])), "{report:#}");
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

/// All blocks of ours.
async fn blocks(pool: &PoolProcess) -> Vec<Value> {
    let (_, page) = pool.get("/api/blocks?limit=500").await;
    assert!(page["next"].is_null(), "one page holds them all");
    page["items"].as_array().unwrap().clone()
}

/// Hashes of blocks whose verdict the pool does not know.
fn without_verdict(blocks: &[Value]) -> Vec<String> {
    let open = blocks.iter().filter(|block| block["status"] == "candidate" || block["status"] == "submitted");
    open.map(|block| block["hash"].as_str().unwrap().to_owned()).collect()
}

/// Blocks are found while the node gives no verdict, the pool is killed, and both come back: each is submitted again,
/// is in the chain once, and is credited once.
async fn resubmits_after_a_kill(fault: &str) {
    let node = mining::node("blake2s", 300, 4);
    // The chain must not outgrow the blocks that wait.
    faults(&node.admin_url, json!({"paused": true})).await;
    let mut pool = PoolProcess::start(Setup::simulated(&node.rpc_url, "blake2s").await);
    let swarm = mining::miners(pool.stratum, "blake2s", 3, None);
    swarm.accepted(20).await;
    faults(&node.admin_url, json!({fault: true})).await;
    // By the clock: figures that the pool shows are of a while ago, when blocks still had their verdicts.
    let since = rfc3339(SystemClock.now());
    pool.until("/api/blocks?limit=500", |_, page| {
        page["items"].as_array().unwrap().iter().any(|block| {
            block["status"] == "candidate" && block["found_at"].as_str().unwrap() > since.as_str()
        })
    })
    .await;
    let open = without_verdict(&blocks(&pool).await);
    pool.kill();
    swarm.stop();
    faults(&node.admin_url, json!({fault: false})).await;

    pool.restart();
    assert!(pool.log().contains("a block had no verdict when the pool stopped: submitting again"));
    for hash in &open {
        let of_block = format!("/api/blocks/{hash}");
        pool.until(&of_block, |_, block| {
            ["accepted", "matured", "paid", "void"].iter().any(|status| block["status"] == *status)
        })
        .await;
    }
    faults(&node.admin_url, json!({"paused": false})).await;
    let settled = |blocks: &[Value]| {
        blocks.iter().all(|block| ["paid", "void"].iter().any(|status| block["status"] == *status))
    };
    pool.until("/api/blocks?limit=500", |_, page| settled(page["items"].as_array().unwrap())).await;
    let settled = blocks(&pool).await;
    for hash in &open {
        let times = settled.iter().filter(|block| block["hash"] == hash.as_str()).count();
        assert_eq!(times, 1, "{hash} is in the list once");
    }
    // What miners and pool come to hold is at least what the blue blocks earned by themselves. Those that merged reds earned
    // these as well, which is not part of a block's reward; that nothing is booked twice is for the ledger's own audits.
    let paid: Vec<_> = settled.iter().filter(|block| block["status"] == "paid").collect();
    let earned: i128 = paid.iter().map(|block| amount(&block["reward"])).sum();
    let credited = |stats: &Value| {
        let ledger = &stats["ledger"];
        ledger["pending"] == "0" && amount(&ledger["confirmed"]) + amount(&ledger["fee_confirmed"]) >= earned
    };
    let stats = pool.until("/api/stats", |_, stats| credited(stats)).await;
    mining::assert_balanced(&stats);
    println!("{fault}: {} blocks without a verdict at the kill, {} paid in all", open.len(), paid.len());
}

#[actix_rt::test]
async fn a_block_whose_answer_was_withheld_is_submitted_again_after_kill_9() {
    resubmits_after_a_kill("lose_submit_answer").await;
}

#[actix_rt::test]
async fn a_block_that_never_reached_the_node_is_submitted_after_kill_9() {
    resubmits_after_a_kill("drop_connections").await;
}

#[actix_rt::test]
async fn a_panic_of_journal_or_ledger_ends_the_process_with_one_sentence_and_nothing_is_lost() {
    for name in ["journal-shard-0", "payout-ledger"] {
        let node = mining::node("blake2s", 300, 0);
        let mut setup = Setup::simulated(&node.rpc_url, "blake2s").await;
        setup.environment.push(("DAGPOOL_CRASH_ACTOR", name.to_owned()));
        let mut pool = PoolProcess::start(setup);
        let mut swarm = mining::miners(pool.stratum, "blake2s", 3, None);
        swarm.accepted(30).await;
        pool.crash_actor();
        assert_eq!(pool.ended(), Some(1), "{name}");
        let log = pool.log();
        let errors: Vec<_> = log.lines().filter(|line| line.starts_with("error: ")).collect();
        let [error] = errors[..] else { panic!("{name}: one sentence is promised: {errors:#?}") };
        assert!(error.contains(name) && error.ends_with("[ACTOR_FAILED]"), "{error}");
        let accepted = swarm.stats().accepted;
        let journalled: u64 = pool.journalled().values().sum();
        assert!(journalled >= accepted, "{name}: {journalled} of {accepted} are in the journal");
        pool.restart();
        tokio::time::timeout(PATIENCE, swarm.accepted(accepted + 20)).await.expect("miners go on");
        swarm.end();
    }
}
