//! The schema is brought up to date once, looked at without being touched, and refused where it is not ours.

use std::{sync::Arc, time::Duration};

use pool_actors::{
    adapters::{
        Migration,
        postgres::{PostgresSettings, PostgresStore},
        sqlite::SqliteStore,
        system_clock::SystemClock,
    },
    ports::store::{StoreError, StorePort as _},
};
use pool_tests::postgres::Postgres;
use tempfile::TempDir;

fn applied(migrations: &[Migration]) -> usize {
    migrations.iter().filter(|migration| migration.applied_at.is_some()).count()
}

#[actix_rt::test]
async fn sqlite_is_looked_at_without_being_made() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("pool.db");
    let before = SqliteStore::migrations(&path).unwrap();
    assert_eq!(applied(&before), 0);
    assert!(!path.exists());
    drop(crate::sqlite(&folder));
    let after = SqliteStore::migrations(&path).unwrap();
    assert_eq!(applied(&after), before.len());
    assert!(after.is_sorted_by_key(|migration| migration.version));
}

#[actix_rt::test]
async fn postgres_may_be_left_to_its_administrator() {
    let server = Postgres::start();
    let mut settings = PostgresSettings::new(&server.url(), None).unwrap();
    settings.migrate = false;
    let (store, thread) = PostgresStore::open(settings, None, Arc::new(SystemClock)).unwrap();
    crate::start(thread);
    let before = store.migrations(false).await.unwrap();
    assert_eq!(applied(&before), 0);
    let refused = store.load("n1").await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::Schema { what } if what.contains("run `dagpool migrate`")),
        "{refused}"
    );
    let after = store.migrations(true).await.unwrap();
    assert_eq!((applied(&after), after.len()), (before.len(), before.len()));
    assert_eq!(store.migrations(true).await.unwrap(), after, "twice changes nothing");
    // A connection that was being opened meanwhile may still have met the old schema.
    let loaded = async {
        loop {
            match store.load("n1").await {
                Err(StoreError::Unavailable { .. }) => tokio::time::sleep(Duration::from_millis(20)).await,
                other => break other,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), loaded).await.expect("the schema is there").unwrap();
}

#[actix_rt::test]
async fn a_change_that_takes_longer_than_any_statement_may_is_made_all_the_same() {
    let server = Arc::new(Postgres::start());
    let mut settings = PostgresSettings::new(&server.url(), None).unwrap();
    settings.statement_timeout = Duration::from_millis(300);
    settings.connect_timeout = Duration::from_millis(300);
    // Another pool is at it: as slow as an index of a large ledger.
    let other = Arc::clone(&server);
    let other = tokio::task::spawn_blocking(move || {
        other.sql("SELECT pg_advisory_xact_lock(1145128784, 0), pg_sleep(2)").unwrap();
    });
    let at_it = async {
        while server.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").unwrap().trim() != "1" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), at_it).await.expect("it has the lock");
    let (store, thread) = PostgresStore::open(settings, None, Arc::new(SystemClock)).unwrap();
    crate::start(thread);
    store.load("n1").await.unwrap();
    other.await.unwrap();
}
