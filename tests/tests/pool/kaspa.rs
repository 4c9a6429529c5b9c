//! The pool as its own process on real kaspad nodes: found, merged, matured and paid; red and void; turned red by a
//! reorganisation; and the node killed under it.

use std::{sync::Arc, time::Duration};

use pool_actors::{
    adapters::{
        node_kaspa::{KaspaConfig, KaspaNode},
        system_clock::SystemClock,
    },
    ports::node::{NodePort, SubmitVerdict},
};
use pool_domain::ids::AlgorithmName;
use pool_tests::{
    kaspad::{ADDRESS, Kaspad, red_prone},
    pool::{PATIENCE, PoolProcess, Setup, amount},
    solve::solve,
};
use serde_json::Value;
use simulations::miners::{Dialect, Swarm, SwarmConfig, SwarmHandle};

/// A pool on this node. Every share of this difficulty is nearly a block: the simulation network wants two hashes.
fn pool_on(kaspad: &Kaspad, maturity: u64, job_interval_ms: u64) -> PoolProcess {
    PoolProcess::start(Setup {
        profile: "kaspa",
        nodes: vec![kaspad.url()],
        payout_address: ADDRESS.to_owned(),
        algorithm: "kheavyhash".to_owned(),
        dialect: "kaspa",
        difficulty: "0.000000001".to_owned(),
        fixed: true,
        more: String::new(),
        environment: Vec::new(),
        listener: String::new(),
        chain: format!(
            "network = \"simnet\"\nallow_unsynced = true\nmaturity = {maturity}\njob_interval_ms_min = {job_interval_ms}\nrpc_timeout_ms = 20000"
        ),
    })
}

fn miners(pool: &PoolProcess, hashrate: u64) -> SwarmHandle {
    Swarm::start(SwarmConfig {
        address: pool.stratum.to_string(),
        count: 2,
        algorithm: "kheavyhash".to_owned(),
        dialect: Dialect::Kaspa,
        hashrate,
        account_prefix: format!("{ADDRESS}.rig{{n}}"),
        backoff_min: Duration::from_millis(50),
        backoff_max: Duration::from_millis(500),
        ..SwarmConfig::default()
    })
    .unwrap()
}

fn with<'a>(blocks: &'a Value, key: &'a str, value: &'a str) -> impl Iterator<Item = &'a Value> {
    blocks["items"].as_array().into_iter().flatten().filter(move |block| block[key] == value)
}

/// Somebody else's miner, at a node.
struct Rival(KaspaNode);

impl Rival {
    fn at(kaspad: &Kaspad) -> Self {
        let config = KaspaConfig {
            endpoints: vec![kaspad.url()],
            payout_address: ADDRESS.to_owned(),
            coinbase_tag: "/rival/".to_owned(),
            network: None,
            allow_unsynced: true,
            maturity: 20,
            call_timeout: Duration::from_secs(30),
        };
        Self(KaspaNode::new(config, Arc::new(SystemClock)).unwrap())
    }

    async fn mine(&self, count: usize) {
        let algorithm = AlgorithmName::new("kheavyhash").unwrap();
        for _ in 0..count {
            let template = self.0.template(&algorithm).await.unwrap();
            let block = self.0.assemble(&template, &solve(&template, 1)).unwrap();
            assert_eq!(self.0.submit(&block).await, Ok(SubmitVerdict::Accepted));
        }
    }

    /// Mines until the pool's route satisfies `done`.
    async fn mine_until(&self, pool: &PoolProcess, path: &str, done: impl Fn(&Value) -> bool) -> Value {
        let mining = async {
            loop {
                let (_, body) = pool.get(path).await;
                if done(&body) {
                    return body;
                }
                self.mine(1).await;
            }
        };
        match tokio::time::timeout(PATIENCE, mining).await {
            Ok(body) => body,
            Err(_) => panic!("{path} stays {:#}", pool.get(path).await.1),
        }
    }
}

fn assert_balanced(stats: &Value) {
    assert_eq!(amount(&stats["ledger"]["imbalance"]), 0, "{stats:#}");
}

#[actix_rt::test]
async fn blocks_on_a_real_node_are_paid_or_void_by_their_colour() {
    let kaspad = Kaspad::start(&red_prone());
    let pool = pool_on(&kaspad, 8, 3_000);
    let swarm = miners(&pool, 6);
    // Several solutions of one template are siblings; with a small k some of them become red.
    let settled = |blocks: &Value| {
        with(blocks, "status", "paid").count() >= 3 && with(blocks, "status", "void").count() >= 1
    };
    let blocks = pool.until("/api/blocks?limit=500", |_, blocks| settled(blocks)).await;
    for block in with(&blocks, "status", "paid") {
        assert_eq!(block["color"], "blue", "{block:#}");
        assert!(amount(&block["reward"]) > 0, "{block:#}");
    }
    for block in with(&blocks, "status", "void") {
        assert_eq!(block["color"], "red", "{block:#}");
    }
    let told = swarm.stop();
    assert_eq!(told.lost, 0);
    let stats = pool.until("/api/stats", |_, stats| amount(&stats["ledger"]["confirmed"]) > 0).await;
    assert_eq!(stats["blocks"]["rejected"], 0, "{stats:#}");
    assert_balanced(&stats);
    // What the ledger credited from the journal is what the miners were told.
    let accepted = told.accepted;
    pool.until(&format!("/api/miners/{ADDRESS}"), |_, miner| {
        miner["shares"]["accepted"].as_u64() >= Some(accepted)
    })
    .await;
}

#[actix_rt::test]
async fn a_reorganisation_turns_our_blues_red_and_the_books_follow() {
    let ours = Kaspad::start(&red_prone());
    let theirs = Kaspad::start(&red_prone());
    let pool = pool_on(&ours, 60, 250);
    let swarm = miners(&pool, 4);
    let blocks =
        pool.until("/api/blocks?limit=500", |_, blocks| with(blocks, "color", "blue").count() >= 6).await;
    swarm.stop();
    let blues = with(&blocks, "color", "blue").count();
    let pending = pool.until("/api/stats", |_, stats| amount(&stats["ledger"]["pending"]) > 0).await;
    let pending = amount(&pending["ledger"]["pending"]);

    let rival = Rival::at(&theirs);
    rival.mine(40).await;
    ours.join(&theirs).await;
    let blocks = rival
        .mine_until(&pool, "/api/blocks?limit=500", |blocks| with(blocks, "color", "red").count() >= 3)
        .await;
    assert!(with(&blocks, "color", "blue").count() < blues, "blue was provisional: {blocks:#}");
    assert_eq!(with(&blocks, "status", "paid").count(), 0, "nothing was final");
    let stats = pool.until("/api/stats", |_, stats| amount(&stats["ledger"]["pending"]) < pending).await;
    assert_balanced(&stats);
    let blocks = rival
        .mine_until(&pool, "/api/blocks?limit=500", |blocks| with(blocks, "status", "void").count() >= 3)
        .await;
    assert!(with(&blocks, "status", "void").all(|block| block["color"] == "red"));
    let stats = rival.mine_until(&pool, "/api/stats", |stats| amount(&stats["ledger"]["pending"]) == 0).await;
    assert_balanced(&stats);
}

#[actix_rt::test]
async fn the_node_is_killed_and_another_takes_over() {
    let first = Kaspad::start(&red_prone());
    let second = Kaspad::start(&red_prone());
    let mut setup = Setup {
        profile: "kaspa",
        nodes: vec![first.url(), second.url()],
        payout_address: ADDRESS.to_owned(),
        algorithm: "kheavyhash".to_owned(),
        dialect: "kaspa",
        difficulty: "0.000000001".to_owned(),
        fixed: true,
        more: String::new(),
        environment: Vec::new(),
        chain: String::new(),
        listener: String::new(),
    };
    "allow_unsynced = true\njob_interval_ms_min = 250\nrpc_timeout_ms = 20000".clone_into(&mut setup.chain);
    let pool = PoolProcess::start(setup);
    let swarm = miners(&pool, 20);
    swarm.accepted(5).await;
    first.kill();
    let before = swarm.stats().accepted;
    swarm.accepted(before + 20).await;
    let stats = swarm.stop();
    assert_eq!((stats.reconnects, stats.lost), (0, 0), "nobody had to reconnect");
    let stats = pool.until("/health/ready", |status, _| status == 200).await;
    assert!(stats.is_object());
    let (_, stats) = pool.get("/api/stats").await;
    assert_balanced(&stats);
}
