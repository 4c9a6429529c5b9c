//! Miners mine, blocks are found, coloured, matured and credited, and the books balance.

use std::{net::SocketAddr, time::Duration};

use pool_tests::pool::{PoolProcess, Setup, amount};
use serde_json::Value;
use simulations::{
    miners::{Swarm, SwarmConfig, SwarmHandle},
    node::{AlgorithmConfig, NodeConfig, NodeHandle, Rival, SimNode},
};

/// A node that accepts one algorithm, with rivals that make siblings and reds.
pub(crate) fn node(algorithm: &str, block_time_ms: u64, rivals: usize) -> NodeHandle {
    node_of(&[algorithm], block_time_ms, rivals)
}

/// A node that accepts several algorithms; its rivals hash the first one.
pub(crate) fn node_of(algorithms: &[&str], block_time_ms: u64, rivals: usize) -> NodeHandle {
    let algorithms: Vec<_> = algorithms.iter().map(|name| AlgorithmConfig::named(name).unwrap()).collect();
    let name = algorithms[0].algorithm.name;
    let hashrate = (algorithms[0].start_hashes / 4).max(1);
    let rival = |n| Rival { name: format!("rival-{n}"), algorithm: name, hashrate };
    SimNode::start(NodeConfig {
        algorithms,
        block_time: Duration::from_millis(block_time_ms),
        latency: Duration::from_millis(block_time_ms / 2),
        rivals: (1..=rivals).map(rival).collect(),
        k: Some(1),
        coinbase_maturity: 10,
        ..NodeConfig::default()
    })
    .unwrap()
}

/// Miners of the pool at this address.
pub(crate) fn miners(pool: SocketAddr, algorithm: &str, count: usize, shares: Option<u64>) -> SwarmHandle {
    Swarm::start(SwarmConfig { shares_limit: shares, ..miners_of(pool, algorithm, count) }).unwrap()
}

/// Miners of the pool at this address, to be changed before they start.
pub(crate) fn miners_of(pool: SocketAddr, algorithm: &str, count: usize) -> SwarmConfig {
    SwarmConfig {
        address: pool.to_string(),
        count,
        algorithm: algorithm.to_owned(),
        hashrate: 5_000,
        account_prefix: "miner".to_owned(),
        backoff_min: Duration::from_millis(50),
        backoff_max: Duration::from_millis(500),
        ..SwarmConfig::default()
    }
}

/// Zero imbalance, and what is pending and confirmed is what the blocks earned.
pub(crate) fn assert_balanced(stats: &Value) {
    assert_eq!(amount(&stats["ledger"]["imbalance"]), 0, "{stats:#}");
}

/// The original's end-to-end run, literally: ten virtual miners, a hundred shares each.
#[actix_rt::test]
async fn ten_miners_with_a_hundred_shares_each() {
    let node = node("blake2s", 1_000, 0);
    // Vardiff would make the hundred shares last as long as its interval says.
    let setup = Setup { fixed: true, ..Setup::simulated(&node.rpc_url, "blake2s").await };
    let pool = PoolProcess::start(setup);
    let swarm = miners(pool.stratum, "blake2s", 10, Some(100));
    swarm.finished().await;
    let stats = pool
        .until("/api/stats", |_, stats| {
            stats["pool"]["miners"] == 10 && stats["pool"]["shares"]["accepted"].as_u64() > Some(900)
        })
        .await;
    assert_eq!(stats["pool"]["workers"], 10);
    // What the ledger credited from the journal is what the miners were told.
    for miner in swarm.miners() {
        let account = miner.user.split('.').next().unwrap();
        let accepted = miner.accepted;
        pool.until(&format!("/api/miners/{account}"), |_, body| body["shares"]["accepted"] == accepted).await;
    }
    assert_balanced(&stats);
}

#[actix_rt::test]
async fn blocks_are_found_coloured_matured_and_paid() {
    let node = node("blake2s", 200, 2);
    let pool = PoolProcess::start(Setup::simulated(&node.rpc_url, "blake2s").await);
    let swarm = miners(pool.stratum, "blake2s", 4, None);
    let settled = |blocks: &Value, status: &str| {
        blocks["items"].as_array().unwrap().iter().filter(|block| block["status"] == status).count()
    };
    let blocks = pool.until("/api/blocks?limit=100", |_, blocks| settled(blocks, "paid") >= 3).await;
    for block in blocks["items"].as_array().unwrap().iter().filter(|block| block["status"] == "paid") {
        assert_eq!(block["color"], "blue");
        assert!(amount(&block["reward"]) > 0, "{block:#}");
        let hash = block["hash"].as_str().unwrap();
        let (status, detail) = pool.get(&format!("/api/blocks/{hash}")).await;
        assert_eq!((status, &detail["hash"]), (200, &block["hash"]));
    }
    let stats = swarm.stop();
    assert_eq!(stats.lost, 0);
    let stats = pool.until("/api/stats", |_, stats| amount(&stats["ledger"]["confirmed"]) > 0).await;
    assert_balanced(&stats);
}

async fn finds_blocks_with(algorithm: &str) {
    let node = node(algorithm, 500, 0);
    let pool = PoolProcess::start(Setup::simulated(&node.rpc_url, algorithm).await);
    let _swarm = miners(pool.stratum, algorithm, 2, None);
    let stats = pool
        .until("/api/stats", |_, stats| {
            stats["blocks"]["accepted"].as_u64() > Some(0) || stats["blocks"]["paid"].as_u64() > Some(0)
        })
        .await;
    assert_eq!(stats["network"]["algorithm"], algorithm);
    assert_eq!(stats["blocks"]["rejected"], 0, "{stats:#}");
    assert_balanced(&stats);
}

#[actix_rt::test]
async fn every_algorithm_finds_blocks() {
    for algorithm in ["blake3", "sha256d", "scrypt", "scrypt-bdag", "kheavyhash"] {
        finds_blocks_with(algorithm).await;
    }
}

#[actix_rt::test]
async fn a_pool_that_is_asked_to_stop_says_so_and_waits_for_nothing_that_is_done() {
    let node = node("blake2s", 300, 0);
    let mut pool = PoolProcess::start(Setup::simulated(&node.rpc_url, "blake2s").await);
    let swarm = miners(pool.stratum, "blake2s", 4, None);
    pool.until("/api/stats", |_, stats| stats["pool"]["shares"]["accepted"].as_u64() > Some(50)).await;
    assert_eq!(pool.terminate(), Some(0), "{}", pool.log());
    drop(swarm);
    let log = pool.log();
    let place = |words: &str| log.find(words).unwrap_or_else(|| panic!("no {words:?} in\n{log}"));
    assert!(place("stopping: asked to terminate") < place("INFO stopped"), "{log}");
    assert!(!log.contains("the pool stops all the same"), "{log}");
}
