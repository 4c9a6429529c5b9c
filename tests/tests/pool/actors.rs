//! Each actor killed by a panic in turn.

use std::{sync::Arc, time::Duration};

use pool_actors::runtime::observe::Life;
use pool_tests::pool::PATIENCE;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::inside::{Inside, assert_durable, journal_of, more_shares};

/// Actors whose half-changed state must never be served.
fn stops_the_process(kind: &str) -> bool {
    matches!(kind, "JournalShard" | "PayoutLedger")
}

#[actix_rt::test]
async fn every_other_actor_comes_back_from_a_panic_with_nothing_lost_or_refused() {
    let inside = Inside::start(|_| ()).await;
    let registry = inside.pool.runtime().registry.clone();
    let mut swarm = inside.miners();
    more_shares(&swarm, "the start").await;
    let actors = registry.list();
    assert!(actors.len() > 10, "{actors:#?}");
    for actor in actors.iter().filter(|actor| !stops_the_process(actor.kind)) {
        let (before, name) = (swarm.stats(), actor.name.as_str());
        assert!(registry.crash(name), "{name}");
        let back = || {
            let now = registry.list().into_iter().find(|now| now.name == name).unwrap();
            now.life == Life::Running && now.restarts == actor.restarts + 1
        };
        let restarted = async {
            while !back() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, restarted).await.is_ok(), "{name}: {:#?}", registry.list());
        more_shares(&swarm, name).await;
        let after = swarm.stats();
        println!(
            "{name}: {} reconnects, {} unanswered",
            after.reconnects - before.reconnects,
            after.lost - before.lost
        );
        assert!(after.rejected.is_empty(), "{name}: {after:?}");
        // Sessions live and die with their hub, and come back at the first try; all others keep theirs.
        if actor.kind == "SessionHub" {
            assert!(after.reconnects - before.reconnects <= 4, "{name}: {before:?} {after:?}");
        } else {
            assert_eq!((after.reconnects, after.lost), (before.reconnects, before.lost), "{name}");
        }
        assert_eq!(inside.pool.shutdown().reason(), None, "{name}");
    }
    swarm.end();
    let folder = inside.stop().await;
    assert_durable(&swarm, journal_of(&folder));
}

#[actix_rt::test]
async fn a_panic_of_the_journal_or_the_ledger_stops_the_pool_with_one_sentence() {
    for name in ["journal-shard-0", "journal-shard-1", "payout-ledger"] {
        let inside = Inside::start(|_| ()).await;
        let mut swarm = inside.miners();
        more_shares(&swarm, "the start").await;
        assert!(inside.pool.runtime().registry.crash(name));
        let reason = inside.end().await;
        assert_eq!((reason.code, reason.requested), ("ACTOR_FAILED", false), "{reason}");
        assert!(reason.sentence.starts_with(name) && reason.sentence.contains("start again"), "{reason}");
        let folder = inside.stop().await;
        swarm.end();
        assert_durable(&swarm, journal_of(&folder));
    }
}

#[actix_rt::test]
async fn a_session_dies_alone() {
    let inside = Inside::start(|parts| {
        let accounts = Arc::clone(&parts.accounts);
        // A defect that one miner's request strikes.
        parts.accounts = Arc::new(move |account| {
            assert!(!account.starts_with("defect"), "a session panics on purpose");
            accounts(account)
        });
    })
    .await;
    let mut swarm = inside.miners();
    more_shares(&swarm, "the start").await;
    let before = swarm.stats();
    // As many as reach every arbiter.
    for _ in 0..4 {
        let mut miner = TcpStream::connect(inside.pool.stratum_addresses()[0].0).await.unwrap();
        let requests = concat!(
            r#"{"id":1,"method":"mining.subscribe","params":["test"]}"#,
            "\n",
            r#"{"id":2,"method":"mining.authorize","params":["defect","x"]}"#,
            "\n"
        );
        miner.write_all(requests.as_bytes()).await.unwrap();
        let mut said = Vec::new();
        let ended = tokio::time::timeout(PATIENCE, miner.read_to_end(&mut said)).await;
        // An orderly end or a reset: the miner connects again either way.
        assert!(ended.is_ok(), "the connection is not left open: {}", String::from_utf8_lossy(&said));
    }
    more_shares(&swarm, "the panics").await;
    let after = swarm.stats();
    assert_eq!((after.connected, after.reconnects, after.lost), (4, before.reconnects, before.lost));
    assert!(after.rejected.is_empty(), "{after:?}");
    assert_eq!(inside.pool.shutdown().reason(), None);
    swarm.end();
    let folder = inside.stop().await;
    assert_durable(&swarm, journal_of(&folder));
}

#[actix_rt::test]
async fn who_connects_while_the_hubs_are_down_is_served_when_they_are_back() {
    let inside = Inside::start(|_| ()).await;
    let registry = inside.pool.runtime().registry.clone();
    let restarts = |name: &str| registry.list().iter().find(|actor| actor.name == name).unwrap().restarts;
    let hubs = ["session-hub-0", "session-hub-1"];
    let mut met_none = 0;
    // Their pause grows with each crash: time enough to connect meanwhile.
    for crash in 1..=4 {
        for name in hubs {
            assert!(registry.crash(name));
        }
        let down = || {
            hubs.iter().all(|name| {
                registry.list().iter().any(|actor| actor.name == *name && actor.life == Life::Restarting)
            })
        };
        // A moment as short as the first pause may be missed.
        while !down() && hubs.iter().any(|name| restarts(name) < crash) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        met_none += u32::from(down());
        let mut miners = Vec::new();
        for _ in 0..4 {
            let mut miner = TcpStream::connect(inside.pool.stratum_addresses()[0].0).await.unwrap();
            miner.write_all(b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n").await.unwrap();
            miners.push(miner);
        }
        for mut miner in miners {
            let mut answer = [0; 1];
            let read = tokio::time::timeout(PATIENCE, miner.read(&mut answer)).await.expect("it is answered");
            assert_eq!(read.unwrap(), 1, "the connection is not closed");
        }
        while hubs.iter().any(|name| restarts(name) < crash) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    assert!(met_none > 0, "some connected while no hub lived");
    inside.stop().await;
}
