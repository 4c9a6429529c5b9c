//! The pool on a real kaspad: blocks found by Stratum miners, coloured, matured, credited; a reorganisation that turns
//! our blues red before they mature.

use std::{sync::Arc, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use pool_actors::{
    adapters::{
        node_kaspa::{KaspaConfig, KaspaNode},
        system_clock::SystemClock,
    },
    ports::node::{NodePort as _, SubmitVerdict},
};
use pool_domain::ids::AlgorithmName;
use pool_tests::{
    kaspad::{ADDRESS, Kaspad, red_prone},
    pool::{PoolProcess, Setup, amount},
    solve::solve,
};
use serde_json::{Value, json};
use simulations::miners::{Dialect, Swarm, SwarmConfig, SwarmHandle};
use tokio_tungstenite::tungstenite::Message;

use crate::mining::assert_balanced;

/// Confirmations until a block is final on the test's network.
const MATURITY: u64 = 20;

fn pool_on(kaspad: &Kaspad) -> PoolProcess {
    PoolProcess::start(Setup {
        profile: "kaspa",
        nodes: vec![kaspad.url()],
        payout_address: ADDRESS.to_owned(),
        algorithm: "kheavyhash".to_owned(),
        dialect: "kaspa",
        difficulty: "0.000000001".to_owned(),
        fixed: false,
        more: String::new(),
        chain: format!(
            "network = \"simnet\"\nallow_unsynced = true\nmaturity = {MATURITY}\njob_interval_ms_min = 250"
        ),
    })
}

/// About two hashes make a block on this network, so miners are kept slow.
fn miners(pool: &PoolProcess) -> SwarmHandle {
    Swarm::start(SwarmConfig {
        address: pool.stratum.to_string(),
        count: 2,
        algorithm: "kheavyhash".to_owned(),
        dialect: Dialect::Kaspa,
        hashrate: 4,
        account_prefix: format!("{ADDRESS}.rig{{n}}"),
        ..SwarmConfig::default()
    })
    .unwrap()
}

fn count(blocks: &Value, key: &str, value: &str) -> usize {
    blocks["items"].as_array().unwrap().iter().filter(|block| block[key] == value).count()
}

#[actix_rt::test]
async fn blocks_on_kaspad_are_credited_when_mature() {
    let kaspad = Kaspad::start(&red_prone());
    let pool = pool_on(&kaspad);
    let _swarm = miners(&pool);
    let blocks = pool.until("/api/blocks?limit=200", |_, blocks| count(blocks, "status", "paid") >= 3).await;
    let paid: Vec<&Value> =
        blocks["items"].as_array().unwrap().iter().filter(|block| block["status"] == "paid").collect();
    assert!(paid.iter().all(|block| block["color"] == "blue" && amount(&block["reward"]) > 0));
    let stats = pool.until("/api/stats", |_, stats| amount(&stats["ledger"]["confirmed"]) > 0).await;
    assert_balanced(&stats);
    let (_, miner) = pool.get(&format!("/api/miners/{ADDRESS}")).await;
    assert!(amount(&miner["balance"]["confirmed"]) > 0, "{miner:#}");
    assert_eq!(stats["network"]["algorithm"], "kheavyhash");
}

async fn connect(to: &Kaspad, peer: &Kaspad) {
    let (mut socket, _) = tokio_tungstenite::connect_async(to.url()).await.unwrap();
    let peer = json!({"peerAddress": {"ip": "127.0.0.1", "port": peer.peer_port()}, "isPermanent": true});
    let request = json!({"id": 1, "method": "addPeer", "params": peer});
    socket.send(Message::text(request.to_string())).await.unwrap();
    let answer = socket.next().await.unwrap().unwrap();
    let answer: Value = serde_json::from_str(answer.to_text().unwrap()).unwrap();
    assert!(answer.get("error").is_none(), "{answer}");
}

/// A miner of its own on the other node.
struct Rival(KaspaNode);

impl Rival {
    fn on(kaspad: &Kaspad) -> Self {
        let config = KaspaConfig {
            endpoints: vec![kaspad.url()],
            payout_address: ADDRESS.to_owned(),
            coinbase_tag: "/rival/".to_owned(),
            network: Some("simnet".to_owned()),
            allow_unsynced: true,
            maturity: MATURITY,
            call_timeout: Duration::from_secs(10),
        };
        Self(KaspaNode::new(config, Arc::new(SystemClock)).unwrap())
    }

    async fn mine(&self, count: usize) {
        for _ in 0..count {
            let template = self.0.template(&AlgorithmName::new("kheavyhash").unwrap()).await.unwrap();
            let block = self.0.assemble(&template, &solve(&template, 1)).unwrap();
            assert_eq!(self.0.submit(&block).await, Ok(SubmitVerdict::Accepted));
        }
    }
}

#[actix_rt::test]
async fn a_reorganisation_turns_our_blues_red_and_the_ledger_follows() {
    let (ours, theirs) = (Kaspad::start(&red_prone()), Kaspad::start(&red_prone()));
    let pool = pool_on(&ours);
    let swarm = miners(&pool);
    let blocks = pool.until("/api/blocks?limit=200", |_, blocks| count(blocks, "color", "blue") >= 4).await;
    assert_eq!(count(&blocks, "status", "paid"), 0, "blue is provisional");
    drop(swarm);
    let stats = pool.until("/api/stats", |_, stats| amount(&stats["ledger"]["pending"]) > 0).await;
    assert_balanced(&stats);

    // The other network is heavier; joined, it takes our blocks out of the chain.
    let rival = Rival::on(&theirs);
    rival.mine(MATURITY as usize).await;
    connect(&theirs, &ours).await;
    let reds =
        async { pool.until("/api/blocks?limit=200", |_, blocks| count(blocks, "color", "red") >= 2).await };
    let going_on = async {
        loop {
            rival.mine(1).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let blocks = tokio::select! {
        blocks = reds => blocks,
        () = going_on => unreachable!("mines for ever"),
    };
    println!("{} of our blocks turned red", count(&blocks, "color", "red"));

    // Deep enough, the reds are void: nothing of them is owed, and the books balance.
    let void =
        async { pool.until("/api/blocks?limit=200", |_, blocks| count(blocks, "status", "void") >= 2).await };
    let going_on = async {
        loop {
            rival.mine(1).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        _ = void => {}
        () = going_on => unreachable!("mines for ever"),
    }
    let (_, stats) = pool.get("/api/stats").await;
    assert_balanced(&stats);
    assert!(stats["blocks"]["void"].as_u64() >= Some(2), "{stats:#}");
}
