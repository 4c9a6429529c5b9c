//! The Kaspa adapter, and the domain's GHOSTDAG, against real nodes.

#[path = "kaspa/ghostdag.rs"]
mod ghostdag;

use std::{sync::Arc, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use pool_actors::{
    adapters::{
        node_kaspa::{KaspaConfig, KaspaNode},
        system_clock::SystemClock,
    },
    ports::node::{
        BlockObservation, Color, HeaderForm, NodeError, NodeEvent, NodePort, SubmitVerdict, Template,
    },
};
use pool_domain::{
    ids::{AlgorithmName, BlockHash},
    units::Amount,
};
use pool_tests::{
    kaspad::{ADDRESS, Kaspad, red_prone, standard},
    solve::{fail_to_solve, solve},
};
use tokio_tungstenite::tungstenite::Message;

fn config(endpoints: Vec<String>) -> KaspaConfig {
    KaspaConfig {
        endpoints,
        payout_address: ADDRESS.to_owned(),
        coinbase_tag: "/dagpool/".to_owned(),
        network: Some("simnet".to_owned()),
        allow_unsynced: true,
        maturity: 20,
        call_timeout: Duration::from_secs(30),
    }
}

fn port(config: KaspaConfig) -> KaspaNode {
    KaspaNode::new(config, Arc::new(SystemClock)).unwrap()
}

fn kheavyhash() -> AlgorithmName {
    AlgorithmName::new("kheavyhash").unwrap()
}

async fn template(node: &KaspaNode) -> Template {
    node.template(&kheavyhash()).await.unwrap()
}

async fn submit(node: &KaspaNode, template: &Template, extranonce: u32) -> BlockHash {
    let block = node.assemble(template, &solve(template, extranonce)).unwrap();
    assert_eq!(node.submit(&block).await, Ok(SubmitVerdict::Accepted));
    block.hash
}

async fn mine(node: &KaspaNode, count: usize) -> Vec<BlockHash> {
    let mut mined = Vec::new();
    for _ in 0..count {
        let template = template(node).await;
        mined.push(submit(node, &template, 1).await);
    }
    mined
}

async fn observe(node: &KaspaNode, hash: BlockHash) -> BlockObservation {
    node.observe(&[hash]).await.unwrap().remove(0)
}

/// Waits for an event that `wanted` takes.
async fn event<T>(node: &KaspaNode, mut wanted: impl FnMut(NodeEvent) -> Option<T>) -> T {
    let search = async {
        loop {
            if let Some(found) = wanted(node.next_event().await) {
                return found;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), search).await.expect("the event comes")
}

#[tokio::test]
async fn a_template_is_solved_taken_and_told() {
    let kaspad = Kaspad::start(&standard());
    let node = port(config(vec![kaspad.url()]));
    let health = node.health().await.unwrap();
    assert!(health.ready);
    assert_eq!((health.network.as_str(), health.peers), ("simnet", Some(0)));
    // The listener is connected before anything happens.
    event(&node, |event| matches!(event, NodeEvent::ConnectionChanged).then_some(())).await;

    let template = template(&node).await;
    assert!(matches!(template.header, HeaderForm::PrePow { .. }));
    let block = node.assemble(&template, &solve(&template, 7)).unwrap();
    assert_eq!(node.submit(&block).await, Ok(SubmitVerdict::Accepted));
    assert_eq!(node.submit(&block).await, Ok(SubmitVerdict::Accepted), "again: taken already");
    // The node tells both, in no order.
    let (mut seen, mut renewed) = (None, false);
    event(&node, |event| {
        match event {
            NodeEvent::BlockAdded(block) => seen = Some(block),
            NodeEvent::NewTemplate { .. } => renewed = true,
            _ => {}
        }
        (seen.is_some() && renewed).then_some(())
    })
    .await;
    let seen = seen.unwrap();
    assert_eq!(seen.hash, block.hash, "kaspad's block hash is ours");
    assert_eq!(seen.parents, template.parents);

    let observed = observe(&node, block.hash).await;
    assert_eq!((observed.known, observed.color, observed.reward), (true, Color::Unknown, None));
    let children = mine(&node, 2).await;
    let observed = observe(&node, block.hash).await;
    assert_eq!((observed.color, observed.merging_block), (Color::Blue, Some(children[0])));
    assert!(observed.reward.unwrap() > Amount::ZERO && !observed.mature);
    let told = event(&node, |event| match event {
        NodeEvent::BlockAdded(told) if told.hash == block.hash && told.color == Color::Blue => Some(()),
        _ => None,
    });
    told.await;
    let recent = node.recent_blocks(50).await.unwrap();
    let picture = recent.iter().find(|recent| recent.hash == block.hash).unwrap();
    assert_eq!(picture.color, Color::Blue);
    assert!(recent.iter().any(|recent| recent.hash == children[1]));

    let wrong = fail_to_solve(&template, 7);
    let block = node.assemble(&template, &wrong).unwrap();
    assert!(matches!(node.submit(&block).await, Ok(SubmitVerdict::Rejected(_))));
    assert!(!observe(&node, block.hash).await.known);
}

#[tokio::test]
async fn siblings_are_both_paid_by_the_block_that_merges_them() {
    let kaspad = Kaspad::start(&red_prone());
    let node = port(config(vec![kaspad.url()]));
    mine(&node, 3).await;
    let shared = template(&node).await;
    let siblings = [submit(&node, &shared, 1).await, submit(&node, &shared, 2).await];
    assert_ne!(siblings[0], siblings[1]);
    let later = mine(&node, 2).await;
    for sibling in siblings {
        let observed = observe(&node, sibling).await;
        assert_eq!((observed.color, observed.merging_block), (Color::Blue, Some(later[0])));
        assert!(observed.reward.unwrap() > Amount::ZERO);
        assert_eq!(observed.parents, shared.parents);
    }
    // Maturity is counted from the merging block.
    mine(&node, 18).await;
    assert!(!observe(&node, siblings[0]).await.mature);
    mine(&node, 3).await;
    let observed = observe(&node, siblings[0]).await;
    assert!(observed.mature && observed.confirmations >= 20, "{observed:?}");
}

#[tokio::test]
async fn a_late_block_is_red_and_its_merger_collects_its_reward() {
    let kaspad = Kaspad::start(&red_prone());
    let node = port(config(vec![kaspad.url()]));
    mine(&node, 3).await;
    let old = template(&node).await;
    mine(&node, 8).await;
    let late = submit(&node, &old, 9).await;
    let merger = mine(&node, 1).await[0];
    let observed = observe(&node, merger).await;
    assert_eq!(observed.color, Color::Unknown, "nobody has merged the merger");
    mine(&node, 1).await;
    let observed = observe(&node, late).await;
    assert_eq!((observed.known, observed.color), (true, Color::Red));
    assert_eq!((observed.reward, observed.mature), (Some(Amount::ZERO), false));
    let observed = observe(&node, merger).await;
    assert_eq!(observed.color, Color::Blue);
    assert_eq!(
        observed.red_merge_income, observed.reward,
        "one subsidy for the red, one for itself: never added up"
    );
    mine(&node, 20).await;
    let observed = observe(&node, late).await;
    assert_eq!((observed.color, observed.mature), (Color::Red, true));
}

#[tokio::test]
async fn joining_a_heavier_network_turns_our_blues_red() {
    let ours = Kaspad::start(&red_prone());
    let theirs = Kaspad::start(&red_prone());
    let node = port(config(vec![ours.url()]));
    let rival = port(KaspaConfig { coinbase_tag: "/rival/".into(), ..config(vec![theirs.url()]) });
    event(&node, |event| matches!(event, NodeEvent::ConnectionChanged).then_some(())).await;
    let blocks = mine(&node, 6).await;
    for hash in &blocks[..5] {
        let observed = observe(&node, *hash).await;
        assert_eq!((observed.color, observed.mature), (Color::Blue, false), "blue, but provisional");
    }
    mine(&rival, 14).await;
    ours.join(&theirs).await;
    // Nodes tell each other of new blocks; what came before is asked for then.
    let joined = event(&node, |event| matches!(event, NodeEvent::Reorganised).then_some(()));
    let keep_mining = async {
        loop {
            mine(&rival, 1).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::select! {
        () = joined => {}
        () = keep_mining => {}
    }
    mine(&node, 2).await;
    let observed = node.observe(&blocks).await.unwrap();
    let reds = observed.iter().filter(|block| block.color == Color::Red).count();
    assert!(reds >= 3, "{observed:#?}");
    assert!(
        observed
            .iter()
            .filter(|block| block.color == Color::Red)
            .all(|block| block.reward == Some(Amount::ZERO))
    );
}

#[tokio::test]
async fn another_node_takes_over_and_the_first_one_is_returned_to() {
    let first = Kaspad::start(&standard());
    let second = Kaspad::start(&standard());
    let node = port(config(vec![first.url(), second.url()]));
    let old = template(&node).await;
    assert_eq!(old.endpoint, 0);
    event(&node, |event| matches!(event, NodeEvent::ConnectionChanged).then_some(())).await;
    let block = node.assemble(&old, &solve(&old, 3)).unwrap();
    first.kill();
    event(&node, |event| matches!(event, NodeEvent::ConnectionChanged).then_some(())).await;
    let template = template(&node).await;
    assert_eq!(template.endpoint, 1);
    event(&node, |event| matches!(event, NodeEvent::ConnectionChanged).then_some(())).await;
    submit(&node, &template, 1).await;
    event(&node, |event| matches!(event, NodeEvent::BlockAdded(_)).then_some(())).await;
    // The block of the node that is gone: both share their genesis, so the other one can take it.
    assert_eq!(node.submit(&block).await, Ok(SubmitVerdict::Accepted));
}

#[tokio::test]
async fn nodes_that_must_not_be_mined_on_are_told_apart() {
    let kaspad = Kaspad::start(&standard());
    let mainnet = "kaspa:qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqkx9awp4e".to_owned();
    let node = port(KaspaConfig {
        network: Some("mainnet".into()),
        payout_address: mainnet.clone(),
        ..config(vec![kaspad.url()])
    });
    let error = node.template(&kheavyhash()).await.unwrap_err();
    assert!(
        matches!(&error, NodeError::WrongChain { got, expected, .. } if got == "simnet" && expected == "mainnet")
    );
    assert!(matches!(node.health().await, Err(NodeError::WrongChain { .. })));

    let node = port(KaspaConfig { allow_unsynced: false, ..config(vec![kaspad.url()]) });
    let health = node.health().await.unwrap();
    assert!(!health.ready && health.reason.contains("not synchronised"));
    assert!(matches!(node.template(&kheavyhash()).await, Err(NodeError::NotReady { .. })));

    for address in ["kaspasim:nonsense".to_owned(), mainnet] {
        let wrong = KaspaConfig { payout_address: address, ..config(vec![kaspad.url()]) };
        let refused = KaspaNode::new(wrong, Arc::new(SystemClock)).err();
        assert!(refused.is_some_and(|error| error.contains("payout address")));
    }
    let node = port(config(vec![kaspad.url()]));
    assert!(node.template(&AlgorithmName::new("sha256d").unwrap()).await.is_err());
    assert!(template(&node).await.height.is_some(), "the connection lives on");
}

/// A WebSocket server that answers every message with `answer`, or with nothing.
async fn impostor(answer: Option<&'static str>) -> String {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut socket = tokio_tungstenite::accept_async(socket).await.unwrap();
                while let Some(Ok(message)) = socket.next().await {
                    if let (Message::Text(_), Some(answer)) = (message, answer)
                        && socket.send(Message::text(answer)).await.is_err()
                    {
                        return;
                    }
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn rubbish_silence_and_absence_are_errors_of_their_own() {
    let quick = |url: String| KaspaConfig { call_timeout: Duration::from_millis(300), ..config(vec![url]) };
    for rubbish in ["rubbish", "{}", r#"{"id":true}"#, "[1,2]"] {
        let node = port(quick(impostor(Some(rubbish)).await));
        assert!(matches!(node.template(&kheavyhash()).await, Err(NodeError::Protocol { .. })), "{rubbish}");
    }
    let node = port(quick(impostor(None).await));
    let error = node.template(&kheavyhash()).await.unwrap_err();
    assert!(matches!(&error, NodeError::Unreachable { what, .. } if what.contains("no answer")), "{error}");
    let gone = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let node = port(quick(format!("ws://{gone}")));
    assert!(matches!(node.health().await, Err(NodeError::Unreachable { .. })));
}
