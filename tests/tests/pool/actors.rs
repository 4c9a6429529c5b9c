//! Each actor killed by a panic in turn.

use std::time::Duration;

use pool_actors::runtime::observe::Life;
use pool_tests::pool::PATIENCE;

use crate::inside::{Inside, assert_durable, journal_of, more_shares};

/// Actors whose half-changed state must never be served.
fn stops_the_process(kind: &str) -> bool {
    matches!(kind, "JournalShard" | "PayoutLedger")
}

#[actix_rt::test]
async fn every_other_actor_comes_back_from_a_panic_with_nothing_lost_or_refused() {
    let inside = Inside::start(None).await;
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
        // Sessions live and die with their hub; all others keep theirs.
        if actor.kind != "SessionHub" {
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
        let inside = Inside::start(None).await;
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
