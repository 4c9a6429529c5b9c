//! The stores: one suite of what every store must do, run on each database, and what only PostgreSQL can do wrong.

mod conformance;
mod postgres;

use pool_actors::{
    adapters::{StoreThread, sqlite::SqliteStore},
    runtime::threads::Thread,
};
use pool_domain::units::TimeMs;
use tempfile::TempDir;

/// Starts a store's thread, which ends with the last handle of the store.
fn start((name, body): (&'static str, StoreThread)) {
    drop(Thread::spawn(name, body).unwrap());
}

/// The suite, once for each database.
macro_rules! conforms {
    ($($name:ident),* $(,)?) => {
        mod on_sqlite {
            use super::*;
            $(#[actix_rt::test]
            async fn $name() {
                let folder = TempDir::new().unwrap();
                let (store, threads) = SqliteStore::open(&folder.path().join("pool.db"), TimeMs(1)).unwrap();
                threads.into_iter().for_each(start);
                conformance::$name(std::sync::Arc::new(store)).await;
            })*
        }

        mod on_postgres {
            use super::*;
            $(#[actix_rt::test]
            async fn $name() {
                let server = pool_tests::postgres::Postgres::start();
                conformance::$name(std::sync::Arc::new(postgres::store(&server))).await;
            })*
        }
    };
}

conforms! {
    a_commit_is_applied_once_and_as_a_whole,
    a_second_writer_and_a_second_posting_are_refused,
    blocks_change_while_their_history_stays,
    nodes_have_places_of_their_own,
    sums_are_exact,
    thousands_of_workers_in_one_commit,
}
