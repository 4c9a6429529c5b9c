//! The journal's disk full, or its budget used up: never an acknowledgement that is not durable.

use std::{sync::Arc, time::Duration};

use pool_actors::{
    adapters::disk_memory::MemoryDisk,
    ledger::journal::{Durability, Journal, JournalFault, Lane, NewShare, Options},
    messages::share::WorkerIdentity,
};
use pool_domain::{
    ids::{Account, AlgorithmName, Generation, JobId, Route, SlotId, WorkerName},
    units::{TimeMs, Work},
};
use pool_tests::pool::{PATIENCE, journalled};
use serde_json::Value;

use crate::inside::{BUDGET_BYTES, Inside, SEGMENT_BYTES, assert_durable, more_shares};

#[actix_rt::test]
async fn a_full_disk_stops_the_pool_with_one_sentence_and_keeps_what_was_acknowledged() {
    let disk = MemoryDisk::new();
    let inside = Inside::small(|parts| parts.disk = Arc::new(disk.clone())).await;
    let mut swarm = inside.miners();
    more_shares(&swarm, "the start").await;
    // The next write finds no space, halfway through.
    disk.fail_writes_after(Some(0));
    let reason = inside.end().await;
    assert_eq!((reason.code, reason.requested), ("JOURNAL_UNUSABLE", false), "{reason}");
    assert!(reason.sentence.starts_with("share journal: "), "{reason}");
    inside.stop().await;
    swarm.end();
    disk.fail_writes_after(None);
    // Whatever was not synced is gone.
    disk.crash(|| false);
    assert_durable(&swarm, Arc::new(disk));
}

/// A journal whose budget an earlier life has used up.
fn use_up_the_budget(disk: &MemoryDisk) {
    let options =
        Options { durability: Durability::Os, segment_bytes: SEGMENT_BYTES, budget_bytes: BUDGET_BYTES };
    let (mut journal, _) = Journal::open(Arc::new(disk.clone()), options).unwrap();
    let worker =
        Arc::new(WorkerIdentity { account: Account::new("earlier").unwrap(), worker: WorkerName::default() });
    let algorithm = AlgorithmName::new("blake2s").unwrap();
    let share = NewShare {
        received_at: TimeMs(1),
        worker: &worker,
        work: Work(1),
        algorithm: &algorithm,
        route: Route { slot: SlotId(0), generation: Generation(1) },
        job: JobId(1),
        hash_tag: 7,
        candidate: None,
    };
    let fault = loop {
        let frame = journal.append(Lane::Shares, |frame| {
            for _ in 0..1_000 {
                frame.share(&share);
            }
        });
        if let Err(fault) = frame {
            break fault;
        }
    };
    assert!(matches!(fault, JournalFault::Budget { .. }), "{fault}");
}

#[actix_rt::test]
async fn a_used_up_budget_refuses_shares_and_says_so() {
    let disk = MemoryDisk::new();
    use_up_the_budget(&disk);
    let earlier = journalled(Arc::new(disk.snapshot()));
    let inside = Inside::small(|parts| parts.disk = Arc::new(disk.clone())).await;
    let mut swarm = inside.miners();
    let refused = async {
        while swarm.stats().rejected.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, refused).await.expect("shares are refused");
    let ready = format!("http://{}/health/ready", inside.pool.http_address());
    let answer = reqwest::Client::builder().no_proxy().build().unwrap().get(ready).send().await.unwrap();
    assert_eq!(answer.status(), 503);
    let body: Value = answer.json().await.unwrap();
    assert!(body.to_string().contains("disk budget is used up"), "{body:#}");
    swarm.end();
    let stats = swarm.stats();
    assert_eq!((stats.accepted, stats.reconnects), (0, 0), "{stats:?}");
    assert!(stats.rejected.keys().all(|code| *code == 20), "{stats:?}");
    let error = swarm.miners().into_iter().find_map(|miner| miner.last_error).unwrap();
    assert!(error.contains("could not be stored"), "{error}");
    assert_eq!(inside.pool.shutdown().reason(), None, "the pool waits for room");
    inside.stop().await;
    assert_eq!(journalled(Arc::new(disk)), earlier);
}
