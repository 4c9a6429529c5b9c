//! The adapter for JSON-RPC nodes against the simulated node, over sockets, with its faults.

use std::{sync::Arc, time::Duration};

use pool_actors::{
    adapters::{
        node_bip22::{Bip22Config, Bip22Node, Bip22Profile, RpcEndpoint, SIMULATED},
        system_clock::SystemClock,
    },
    ports::node::{Color, NodeError, NodeEvent, NodePort, SubmitVerdict, Template},
};
use pool_domain::{
    ids::{AlgorithmName, BlockHash},
    units::Amount,
};
use pool_tests::solve::{fail_to_solve, solve};
use serde_json::{Value, json};
use simulations::node::{AlgorithmConfig, NodeConfig, NodeHandle, SimNode};

fn quick() -> NodeConfig {
    let mut config = NodeConfig { coinbase_maturity: 2, ..NodeConfig::quiet() };
    config.algorithms[0].start_hashes = 64;
    config
}

async fn rpc(url: &str, method: &str, params: Value) -> Value {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    // The password is read by the one node that has one.
    let post = reqwest::Client::new().post(url).basic_auth("user", Some("secret")).json(&body);
    let answer: Value = post.send().await.unwrap().json().await.unwrap();
    assert!(answer.get("error").is_none(), "{method}: {answer}");
    answer["result"].clone()
}

async fn faults(node: &NodeHandle, faults: Value) {
    rpc(&node.admin_url, "setFaults", json!([faults])).await;
}

async fn config(nodes: &[&NodeHandle]) -> Bip22Config {
    let payout_address = rpc(&nodes[0].rpc_url, "getNewAddress", json!(["pool"])).await;
    Bip22Config {
        profile: &SIMULATED,
        endpoints: nodes
            .iter()
            .map(|node| RpcEndpoint { url: node.rpc_url.clone(), basic_auth: None })
            .collect(),
        payout_address: payout_address.as_str().unwrap().to_owned(),
        coinbase_tag: "/dagpool/".to_owned(),
        network: Some("dagsim-1".to_owned()),
        maturity: None,
        call_timeout: Duration::from_secs(30),
    }
}

fn port(config: Bip22Config) -> Bip22Node {
    Bip22Node::new(config, Arc::new(SystemClock)).unwrap()
}

fn algorithm(name: &str) -> AlgorithmName {
    AlgorithmName::new(name).unwrap()
}

async fn template(node: &Bip22Node) -> Template {
    node.template(&algorithm("blake2s")).await.unwrap()
}

async fn submit(node: &Bip22Node, template: &Template, extranonce: u32) -> BlockHash {
    let block = node.assemble(template, &solve(template, extranonce)).unwrap();
    assert_eq!(node.submit(&block).await, Ok(SubmitVerdict::Accepted));
    block.hash
}

async fn event<T>(node: &Bip22Node, wanted: impl Fn(NodeEvent) -> Option<T>) -> T {
    let search = async {
        loop {
            if let Some(found) = wanted(node.next_event().await) {
                return found;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), search).await.expect("the event comes")
}

async fn connected(node: &Bip22Node) {
    event(node, |event| matches!(event, NodeEvent::ConnectionChanged).then_some(())).await;
}

#[tokio::test]
async fn blocks_of_every_algorithm_are_taken_and_paid_by_their_merger() {
    let names = ["blake2s", "blake3", "sha256d", "scrypt", "scrypt-bdag"];
    let mut setup = quick();
    setup.algorithms = names.iter().map(|name| AlgorithmConfig::named(name).unwrap()).collect();
    for entry in &mut setup.algorithms {
        entry.start_hashes = 16;
    }
    let sim = SimNode::start(setup).unwrap();
    let node = port(config(&[&sim]).await);
    let health = node.health().await.unwrap();
    assert!(health.ready && health.network.contains("dagsim-1"));
    connected(&node).await;
    let mut ours = Vec::new();
    for name in names {
        let template = node.template(&algorithm(name)).await.unwrap();
        assert_eq!(template.algorithm.as_str(), name);
        let hash = submit(&node, &template, 1).await;
        let told = event(&node, |event| match event {
            NodeEvent::BlockAdded(block) if block.color == Color::Unknown => Some(block),
            _ => None,
        })
        .await;
        assert_eq!((told.hash, &told.parents), (hash, &template.parents));
        ours.push(hash);
    }
    let observed = node.observe(&ours).await.unwrap();
    let subsidy = Some(Amount(50 * 100_000_000));
    for (index, block) in observed.iter().enumerate() {
        assert_eq!(block.hash, ours[index]);
        match ours.get(index + 1) {
            Some(merger) => {
                assert_eq!(
                    (block.color, block.merging_block, block.reward),
                    (Color::Blue, Some(*merger), subsidy)
                );
            }
            None => assert_eq!((block.color, block.reward), (Color::Unknown, None)),
        }
    }
    assert!(observed[0].mature && !observed[3].mature, "{observed:#?}");
    let recent = node.recent_blocks(10).await.unwrap();
    assert_eq!(recent.last().map(|block| block.hash), ours.last().copied());
    assert!(node.template(&algorithm("kheavyhash")).await.is_err(), "not active on this node");
    assert!(node.template(&algorithm("unheard-of")).await.is_err());
}

#[tokio::test]
async fn verdicts_are_definite_or_not_verdicts() {
    let sim = SimNode::start(quick()).unwrap();
    let node = port(config(&[&sim]).await);
    let first = template(&node).await;
    let block = node.assemble(&first, &solve(&first, 1)).unwrap();
    faults(&sim, json!({"not_ready": "syncing 12%"})).await;
    assert!(matches!(node.submit(&block).await, Err(NodeError::NotReady { .. })));
    faults(&sim, json!({"not_ready": null, "mining_disabled": true})).await;
    assert!(matches!(node.submit(&block).await, Err(NodeError::NotReady { .. })));
    faults(&sim, json!({"mining_disabled": false, "refuse_submit": "cosmic rays"})).await;
    assert!(
        matches!(node.submit(&block).await, Err(NodeError::Rpc { message, .. }) if message.contains("cosmic"))
    );
    faults(&sim, json!({"refuse_submit": null, "rubbish": true})).await;
    assert!(matches!(node.submit(&block).await, Err(NodeError::Protocol { .. })));
    faults(&sim, json!({"rubbish": false, "lose_submit_answer": true})).await;
    assert!(matches!(node.submit(&block).await, Err(NodeError::Unreachable { .. })));
    faults(&sim, json!({"lose_submit_answer": false})).await;
    assert_eq!(node.submit(&block).await, Ok(SubmitVerdict::Accepted), "the lost answer was a yes");
    assert_eq!(node.submit(&block).await, Ok(SubmitVerdict::Accepted));

    let second = template(&node).await;
    let unsolved = node.assemble(&second, &fail_to_solve(&second, 1)).unwrap();
    let verdict = node.submit(&unsolved).await;
    assert!(
        matches!(&verdict, Ok(SubmitVerdict::Rejected(words)) if words.contains("higher than expected")),
        "{verdict:?}"
    );
    // A solution that comes very late is still submitted, and the node's word is final.
    let solved = node.assemble(&second, &solve(&second, 2)).unwrap();
    rpc(&sim.admin_url, "mineBlocks", json!([{"count": 40}])).await;
    let verdict = node.submit(&solved).await;
    assert!(
        matches!(&verdict, Ok(SubmitVerdict::Rejected(words)) if words.contains("overdue")),
        "{verdict:?}"
    );
    assert!(!node.observe(&[solved.hash]).await.unwrap()[0].known);
}

#[tokio::test]
async fn a_red_block_earns_nothing_and_its_merger_collects() {
    let sim = SimNode::start(NodeConfig { k: Some(1), ..quick() }).unwrap();
    let node = port(config(&[&sim]).await);
    connected(&node).await;
    let old = template(&node).await;
    rpc(&sim.admin_url, "mineBlocks", json!([{"count": 4, "label": "rival"}])).await;
    let late = submit(&node, &old, 1).await;
    let merger = submit(&node, &template(&node).await, 1).await;
    let told = event(&node, |event| match event {
        NodeEvent::BlockAdded(block) if block.hash == late && block.color == Color::Red => Some(()),
        _ => None,
    });
    told.await;
    rpc(&sim.admin_url, "mineBlocks", json!([{"count": 3, "label": "rival"}])).await;
    let observed = node.observe(&[late, merger]).await.unwrap();
    assert_eq!(
        (observed[0].color, observed[0].reward, observed[0].mature),
        (Color::Red, Some(Amount::ZERO), true)
    );
    assert_eq!((observed[1].color, observed[1].mature), (Color::Blue, true));
    assert_eq!(observed[1].red_merge_income, Some(Amount(50 * 100_000_000)));
    assert_eq!(observed[1].reward, Some(Amount(50 * 100_000_000)), "its own reward stays by itself");
}

#[tokio::test]
async fn a_reorganisation_is_told_and_colours_flip() {
    let sim = SimNode::start(NodeConfig { k: Some(1), ..quick() }).unwrap();
    let node = port(config(&[&sim]).await);
    connected(&node).await;
    let fork = template(&node).await.parents;
    let mut ours = Vec::new();
    for _ in 0..3 {
        ours.push(submit(&node, &template(&node).await, 1).await);
    }
    assert_eq!(node.observe(&ours[..1]).await.unwrap()[0].color, Color::Blue);
    let mut tip = fork[0].to_string();
    for _ in 0..8 {
        let mined = rpc(&sim.admin_url, "mineBlocks", json!([{"parents": [tip], "label": "rival"}])).await;
        tip = mined[0].as_str().unwrap().to_owned();
    }
    event(&node, |event| matches!(event, NodeEvent::Reorganised).then_some(())).await;
    rpc(&sim.admin_url, "mineBlocks", json!([{"count": 1, "label": "rival"}])).await;
    let observed = node.observe(&ours[..1]).await.unwrap();
    assert_eq!((observed[0].color, observed[0].reward), (Color::Red, Some(Amount::ZERO)));
}

#[tokio::test]
async fn every_fault_of_a_node_is_an_error_of_its_own() {
    let sim = SimNode::start(quick()).unwrap();
    let node = port(Bip22Config { call_timeout: Duration::from_millis(400), ..config(&[&sim]).await });
    template(&node).await;
    faults(&sim, json!({"not_ready": "syncing 12%"})).await;
    let health = node.health().await.unwrap();
    assert!(!health.ready && health.reason.contains("syncing 12%"));
    let error = node.template(&algorithm("blake2s")).await.unwrap_err();
    assert!(
        matches!(&error, NodeError::NotReady { reason, .. } if reason.contains("syncing 12%")),
        "{error}"
    );
    faults(&sim, json!({"not_ready": null, "chain_id": "other"})).await;
    let error = node.health().await.unwrap_err();
    assert!(matches!(&error, NodeError::WrongChain { expected, .. } if expected == "dagsim-1"), "{error}");
    let error = node.template(&algorithm("blake2s")).await.unwrap_err();
    assert!(matches!(error, NodeError::WrongChain { .. }), "no template of another chain either: {error}");
    faults(&sim, json!({"chain_id": null, "rubbish": true})).await;
    assert!(matches!(node.template(&algorithm("blake2s")).await, Err(NodeError::Protocol { .. })));
    faults(&sim, json!({"rubbish": false, "delay_ms": 5_000})).await;
    let error = node.template(&algorithm("blake2s")).await.unwrap_err();
    assert!(matches!(error, NodeError::Unreachable { .. }), "{error}");
    faults(&sim, json!({"delay_ms": 0, "drop_connections": true})).await;
    assert!(matches!(node.template(&algorithm("blake2s")).await, Err(NodeError::Unreachable { .. })));
    faults(&sim, json!({"drop_connections": false})).await;
    template(&node).await;
    sim.stop();
    assert!(matches!(node.template(&algorithm("blake2s")).await, Err(NodeError::Unreachable { .. })));
    let error = node.template(&algorithm("blake2s")).await.unwrap_err();
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn another_chain_without_a_configured_name_is_noticed_too() {
    let sim = SimNode::start(quick()).unwrap();
    let node = port(Bip22Config { network: None, ..config(&[&sim]).await });
    assert!(node.health().await.unwrap().ready);
    faults(&sim, json!({"chain_id": "dagsim-1"})).await;
    let error = node.health().await.unwrap_err();
    assert!(matches!(&error, NodeError::WrongChain { got, .. } if got.contains("genesis")), "{error}");
}

#[tokio::test]
async fn without_notifications_a_long_poll_tells_of_new_work() {
    let sim = SimNode::start(quick()).unwrap();
    let silent: &'static Bip22Profile =
        Box::leak(Box::new(Bip22Profile { websocket_path: None, ..SIMULATED }));
    let node = port(Bip22Config { profile: silent, ..config(&[&sim]).await });
    for _ in 0..3 {
        let told = event(&node, |event| match event {
            NodeEvent::NewTemplate { clean } => Some(clean),
            _ => None,
        });
        let mine_until_told = async {
            // The first polls only learn where the node stands.
            loop {
                rpc(&sim.admin_url, "mineBlocks", json!([{}])).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let clean = tokio::select! {
            clean = told => clean,
            () = mine_until_told => unreachable!("it mines for ever"),
        };
        assert!(!clean, "old work is still taken by this node");
    }
    faults(&sim, json!({"drop_connections": true})).await;
    let waits = tokio::time::timeout(Duration::from_millis(300), node.next_event()).await;
    assert!(waits.is_err(), "a node that is away tells nothing: {waits:?}");
}

#[tokio::test]
async fn a_block_that_can_never_be_merged_is_red_for_good() {
    let sim = SimNode::start(quick()).unwrap();
    let shallow: &'static Bip22Profile = Box::leak(Box::new(Bip22Profile { merge_depth: 3, ..SIMULATED }));
    let node = port(Bip22Config { profile: shallow, ..config(&[&sim]).await });
    let fork = template(&node).await;
    let mut tip = fork.parents[0].to_string();
    let left = submit(&node, &fork, 1).await;
    assert_eq!(node.observe(&[left]).await.unwrap()[0].color, Color::Unknown);
    for _ in 0..8 {
        let mined = rpc(&sim.admin_url, "mineBlocks", json!([{"parents": [tip]}])).await;
        tip = mined[0].as_str().unwrap().to_owned();
    }
    let observed = node.observe(&[left]).await.unwrap().remove(0);
    assert_eq!((observed.color, observed.mature, observed.reward), (Color::Red, true, Some(Amount::ZERO)));
}

#[tokio::test]
async fn rewards_go_to_the_configured_address_or_to_the_wallets_label() {
    let sim = SimNode::start(quick()).unwrap();
    let node = port(Bip22Config { payout_address: "the-pool".into(), ..config(&[&sim]).await });
    let hash = submit(&node, &template(&node).await, 1).await;
    let block = rpc(&sim.rpc_url, "getBlock", json!([hash])).await;
    assert_eq!(block["miner_address"], rpc(&sim.rpc_url, "getNewAddress", json!(["the-pool"])).await);
    let configured = rpc(&sim.rpc_url, "getNewAddress", json!(["elsewhere"])).await;
    let address = configured.as_str().unwrap().to_owned();
    let node = port(Bip22Config { payout_address: address, ..config(&[&sim]).await });
    let hash = submit(&node, &template(&node).await, 1).await;
    assert_eq!(rpc(&sim.rpc_url, "getBlock", json!([hash])).await["miner_address"], configured);
}

#[tokio::test]
async fn passwords_are_used_and_their_refusal_is_clear() {
    let auth = Some(("user".to_owned(), "secret".to_owned()));
    let sim = SimNode::start(NodeConfig { auth, ..quick() }).unwrap();
    let endpoint = |password: &str| RpcEndpoint {
        url: sim.rpc_url.clone(),
        basic_auth: Some(("user".to_owned(), password.to_owned())),
    };
    let with = |password: &str| Bip22Config {
        profile: &SIMULATED,
        endpoints: vec![endpoint(password)],
        payout_address: String::new(),
        coinbase_tag: String::new(),
        network: None,
        maturity: None,
        call_timeout: Duration::from_secs(30),
    };
    let node = port(with("secret"));
    assert!(node.health().await.unwrap().ready);
    connected(&node).await;
    rpc(&sim.admin_url, "mineBlocks", json!([{}])).await;
    event(&node, |event| matches!(event, NodeEvent::BlockAdded(_)).then_some(())).await;
    let error = port(with("wrong")).health().await.unwrap_err();
    assert!(error.to_string().contains("user or password"), "{error}");
    assert!(!format!("{:?}", endpoint("hidden")).contains("hidden"));
}

#[tokio::test]
async fn the_second_node_takes_over_and_the_first_is_returned_to() {
    let first = SimNode::start(quick()).unwrap();
    let second = SimNode::start(quick()).unwrap();
    let node = port(config(&[&first, &second]).await);
    assert_eq!(template(&node).await.endpoint, 0);
    connected(&node).await;
    faults(&first, json!({"drop_connections": true})).await;
    connected(&node).await;
    assert_eq!(template(&node).await.endpoint, 1);
    connected(&node).await;
    rpc(&second.admin_url, "mineBlocks", json!([{}])).await;
    event(&node, |event| matches!(event, NodeEvent::BlockAdded(_)).then_some(())).await;
    faults(&first, json!({"drop_connections": false})).await;
    // The way back is the health check's, once the first node's pause is over.
    let back = async {
        loop {
            node.health().await.unwrap();
            if template(&node).await.endpoint == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), back).await.expect("returned to");
}

#[tokio::test]
async fn a_block_goes_to_the_node_that_issued_its_template() {
    let first = SimNode::start(quick()).unwrap();
    let second = SimNode::start(quick()).unwrap();
    // The second node's blocks are unknown to the first.
    rpc(&second.admin_url, "mineBlocks", json!([{"count": 2}])).await;
    let node = port(config(&[&first, &second]).await);
    faults(&first, json!({"drop_connections": true})).await;
    let template = template(&node).await;
    assert_eq!(template.endpoint, 1);
    faults(&first, json!({"drop_connections": false})).await;
    faults(&second, json!({"drop_connections": true})).await;
    let block = node.assemble(&template, &solve(&template, 1)).unwrap();
    let verdict = node.submit(&block).await;
    assert!(verdict.is_err(), "\"orphan\" of a node that never saw the parents is no verdict: {verdict:?}");
    faults(&second, json!({"drop_connections": false})).await;
    assert_eq!(node.submit(&block).await, Ok(SubmitVerdict::Accepted));
}
