//! A real primary with a read replica: what the API shows comes from the replica while that answers, from the primary while it
//! does not, and what decides about money never comes from a replica.

use std::{sync::Arc, time::Duration};

use pool_actors::{
    adapters::{
        postgres::{PostgresSettings, PostgresStore},
        system_clock::SystemClock,
    },
    ports::{
        payouts::PayoutStore as _,
        store::{LedgerCommit, Position, ShareDelta, StorePort as _},
    },
};
use pool_domain::{
    accounting::LedgerAccount,
    ids::{AlgorithmName, WorkerName},
    units::{Amount, TimeMs, Work},
};
use pool_tests::{pool::PATIENCE, postgres::Postgres};

use crate::conformance::{account, commit, posting};

fn settings(server: &Postgres) -> PostgresSettings {
    let mut settings = PostgresSettings::new(&server.url(), None).unwrap();
    settings.connect_timeout = Duration::from_secs(3);
    settings.statement_timeout = Duration::from_secs(5);
    settings
}

/// A commit of one share and one unit that alice is owed.
fn one(expected: Position) -> LedgerCommit {
    let number = expected.commits + 1;
    let mut next = commit(expected, number);
    next.shares = vec![ShareDelta {
        account: account("alice"),
        worker: WorkerName::new("rig").unwrap(),
        algorithm: AlgorithmName::new("blake2s").unwrap(),
        accepted: 1,
        work: Work(1),
        last_share_at: TimeMs(number),
    }];
    let alice = LedgerAccount::MinerConfirmed(account("alice"));
    next.postings = vec![posting(number, &[(LedgerAccount::ChainIncome, -1), (alice, 1)])];
    next
}

/// Shares of alice, as the API would show them.
async fn shown(store: &PostgresStore) -> u64 {
    let row = store.account(account("alice")).await.unwrap().unwrap();
    assert_eq!(
        row.workers[0].accepted.cast_signed(),
        i64::try_from(row.balance.confirmed.0).unwrap(),
        "of one moment"
    );
    row.workers[0].accepted
}

async fn becomes(store: &PostgresStore, wanted: u64) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while shown(store).await != wanted {
        assert!(tokio::time::Instant::now() < deadline, "{} is shown, not {wanted}", shown(store).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What the ledger and the dispatcher go by.
async fn decided(store: &PostgresStore) -> (u64, Vec<i128>) {
    let candidates = store.candidates(Amount(1)).await.unwrap();
    (
        store.totals().await.unwrap().accepted,
        candidates.iter().map(|candidate| candidate.confirmed.0).collect(),
    )
}

#[actix_rt::test]
async fn a_replica_that_lags_dies_and_comes_back_changes_what_is_shown_and_nothing_else() {
    let primary = Postgres::start();
    let (maker, thread) = PostgresStore::open(settings(&primary), None, Arc::new(SystemClock)).unwrap();
    crate::start(thread);
    let mut position = maker.commit(Arc::new(one(Position::default()))).await.unwrap();
    drop(maker);
    let mut replica = primary.replica();
    let (store, thread) =
        PostgresStore::open(settings(&primary), Some(settings(&replica)), Arc::new(SystemClock)).unwrap();
    crate::start(thread);
    store.load("n1").await.unwrap();
    let mut mined = async || {
        position = store.commit(Arc::new(one(position))).await.unwrap();
    };
    mined().await;
    becomes(&store, 2).await;

    // It lags: its figures are older, of one moment; decisions are of now.
    replica.admin_sql("SELECT pg_wal_replay_pause()").unwrap();
    mined().await;
    mined().await;
    assert_eq!((shown(&store).await, decided(&store).await), (2, (4, vec![4])));
    replica.admin_sql("SELECT pg_wal_replay_resume()").unwrap();
    becomes(&store, 4).await;

    // It is dead, or stands still: the primary answers, within a bound.
    replica.kill();
    mined().await;
    assert_eq!((shown(&store).await, decided(&store).await), (5, (5, vec![5])));
    replica.restart();
    mined().await;
    becomes(&store, 6).await;
    replica.pause();
    mined().await;
    assert_eq!(shown(&store).await, 7);
    replica.resume();
    mined().await;
    becomes(&store, 8).await;

    // Back for good: it is asked again, as its lag proves.
    let deadline = tokio::time::Instant::now() + PATIENCE;
    replica.admin_sql("SELECT pg_wal_replay_pause()").unwrap();
    mined().await;
    while shown(&store).await != 8 {
        assert!(tokio::time::Instant::now() < deadline, "the replica is not asked any more");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(decided(&store).await, (9, vec![9]));
    assert_eq!(store.check().await.unwrap(), vec![]);
}
