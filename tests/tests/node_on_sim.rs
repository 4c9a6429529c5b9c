//! The pool's node adapter against the simulated node, over its sockets: templates become blocks that the node takes,
//! and what became of them comes back.

use std::{sync::Arc, time::Duration};

use pool_actors::{
    adapters::node_bip22::{Bip22Config, Bip22Node, RpcEndpoint, SIMULATED},
    ports::{
        clock::Clock,
        node::{Color, HeaderForm, NodeEvent, NodePort, SubmitVerdict, Template},
    },
};
use pool_domain::{
    ids::{AlgorithmName, BlockHash},
    share::{Extranonce, Solution},
    units::{Amount, TimeMs},
};
use pool_engine::Registry;
use serde_json::{Value, json};
use simulations::node::{AlgorithmConfig, NodeConfig, NodeHandle, SimNode};

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> TimeMs {
        TimeMs(1_795_390_000_000)
    }
}

const ALGORITHMS: [&str; 6] = ["blake2s", "blake3", "sha256d", "scrypt", "scrypt-bdag", "kheavyhash"];
const SUBSIDY: i128 = 50 * 100_000_000;

fn sim() -> NodeHandle {
    let mut config = NodeConfig { coinbase_maturity: 2, k: Some(1), ..NodeConfig::quiet() };
    let cheap = |name| AlgorithmConfig { start_hashes: 20, ..AlgorithmConfig::named(name).unwrap() };
    config.algorithms = ALGORITHMS.map(cheap).to_vec();
    SimNode::start(config).unwrap()
}

async fn call(url: &str, method: &str, params: Value) -> Value {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let answer: Value =
        reqwest::Client::new().post(url).json(&body).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer.get("error"), None, "{method}");
    answer["result"].clone()
}

async fn adapter(sim: &NodeHandle) -> Bip22Node {
    let payout_address = call(&sim.rpc_url, "getNewAddress", json!(["pool"])).await;
    let config = Bip22Config {
        profile: &SIMULATED,
        endpoints: vec![RpcEndpoint { url: sim.rpc_url.trim_end_matches('/').to_owned(), basic_auth: None }],
        payout_address: payout_address.as_str().unwrap().to_owned(),
        coinbase_tag: "/test/".to_owned(),
        network: Some("simnet".to_owned()),
        maturity: None,
        call_timeout: Duration::from_secs(10),
    };
    Bip22Node::new(config, Arc::new(FixedClock)).unwrap()
}

fn algorithm(name: &str) -> AlgorithmName {
    name.parse().unwrap()
}

/// Tries nonces until the assembled block's header meets the target.
fn solve(node: &Bip22Node, template: &Template, extranonce2: u8) -> pool_actors::ports::node::AssembledBlock {
    let HeaderForm::Coinbase { version, time, .. } = &template.header else { panic!("not Bitcoin's layout") };
    let hash = Registry::linked_in().get(template.algorithm.as_str()).unwrap();
    for nonce in 0.. {
        let extranonce = Extranonce::new(&[0, 0, 0, 1], &[0, 0, 0, extranonce2]).unwrap();
        let solution = Solution { extranonce, ntime: u64::from(*time), nonce, version: *version };
        let block = node.assemble(template, &solution).unwrap();
        let header: [u8; 80] = block.payload[..80].try_into().unwrap();
        let mut out = [[0; 32]];
        hash.hash_batch(&[header], &mut out).unwrap();
        if template.network_target.is_met_by(&out[0]) {
            return block;
        }
    }
    unreachable!("some nonce meets so easy a target")
}

#[actix_rt::test]
async fn blocks_of_every_algorithm_are_taken_coloured_and_paid() {
    let sim = sim();
    let node = adapter(&sim).await;
    assert!(node.health().await.unwrap().ready);
    let mut ours: Vec<BlockHash> = Vec::new();
    for name in ALGORITHMS {
        let template = node.template(&algorithm(name)).await.unwrap();
        let block = solve(&node, &template, 0);
        assert_eq!(node.submit(&block).await.unwrap(), SubmitVerdict::Accepted, "{name}");
        // A repeated submission is the same block, not a refusal.
        assert_eq!(node.submit(&block).await.unwrap(), SubmitVerdict::Accepted, "{name}");
        ours.push(block.hash);
    }
    let last = node.observe(&ours[5..]).await.unwrap().remove(0);
    assert_eq!((last.known, last.color, last.reward), (true, Color::Unknown, None));
    call(&sim.admin_url, "mineBlocks", json!([{"count": 4}])).await;
    for seen in node.observe(&ours).await.unwrap() {
        assert!(seen.known && seen.mature, "{seen:?}");
        assert_eq!((seen.color, seen.reward), (Color::Blue, Some(Amount(SUBSIDY))));
        assert!(seen.merging_block.is_some());
    }
}

#[actix_rt::test]
async fn siblings_are_merged_and_a_late_one_is_red_and_forfeits() {
    let sim = sim();
    let node = adapter(&sim).await;
    let template = node.template(&algorithm("blake2s")).await.unwrap();
    let (first, second, late) =
        (solve(&node, &template, 1), solve(&node, &template, 2), solve(&node, &template, 3));
    for block in [&first, &second] {
        assert_eq!(node.submit(block).await.unwrap(), SubmitVerdict::Accepted);
    }
    call(&sim.admin_url, "mineBlocks", json!([{"count": 3}])).await;
    assert_eq!(node.submit(&late).await.unwrap(), SubmitVerdict::Accepted);
    // Our own block merges the late one, and collects what that forfeits.
    let template = node.template(&algorithm("blake2s")).await.unwrap();
    assert_eq!(template.parents.len(), 2);
    let merging = solve(&node, &template, 4);
    assert_eq!(node.submit(&merging).await.unwrap(), SubmitVerdict::Accepted);
    call(&sim.admin_url, "mineBlocks", json!([{"count": 3}])).await;
    let hashes = [first.hash, second.hash, late.hash, merging.hash];
    let seen = node.observe(&hashes).await.unwrap();
    let colors: Vec<Color> = seen.iter().map(|block| block.color).collect();
    assert_eq!(colors, [Color::Blue, Color::Blue, Color::Red, Color::Blue]);
    assert_eq!(seen[2].merging_block, Some(merging.hash));
    assert_eq!(seen[3].red_merge_income, Some(Amount(SUBSIDY)));
    assert_eq!(seen[3].reward, Some(Amount(SUBSIDY)));
}

#[actix_rt::test]
async fn an_unready_node_is_waited_for_and_its_news_is_heard() {
    let sim = sim();
    let node = adapter(&sim).await;
    call(&sim.admin_url, "setFaults", json!([{"not_ready": "syncing"}])).await;
    let health = node.health().await.unwrap();
    assert!(!health.ready && health.reason.contains("syncing"), "{health:?}");
    let template = node.template(&algorithm("blake2s")).await;
    assert!(template.is_err());
    call(&sim.admin_url, "clearFaults", json!([])).await;
    let hear = async {
        loop {
            if matches!(node.next_event().await, NodeEvent::BlockAdded(_)) {
                return;
            }
        }
    };
    let mine = async {
        loop {
            call(&sim.admin_url, "mineBlocks", json!([{}])).await;
        }
    };
    // Blocks are mined until one of them is heard of: the subscription may come after the first.
    tokio::select! { () = hear => {}, () = mine => {} }
    assert!(node.health().await.unwrap().ready);
    assert!(node.recent_blocks(5).await.unwrap().len() >= 2);
}
