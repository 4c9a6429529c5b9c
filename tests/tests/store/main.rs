//! The stores: one suite of what every store must do, run on each database, and what only PostgreSQL can do wrong.

mod conformance;
mod deployments;
mod hours;
mod migrations;
mod payouts;
mod people;
mod personal;
mod postgres;
mod replica;
mod tls;
mod users;

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

/// A store in a file of this folder.
fn sqlite(folder: &TempDir) -> SqliteStore {
    let (store, threads) = SqliteStore::open(&folder.path().join("pool.db"), TimeMs(1)).unwrap();
    threads.into_iter().for_each(start);
    store
}

/// The suite, once for each database.
macro_rules! conforms {
    ($($name:ident),* $(,)?) => {
        mod on_sqlite {
            use super::*;

            #[actix_rt::test]
            async fn deployments_and_their_trail() {
                let folder = TempDir::new().unwrap();
                let store = std::sync::Arc::new(sqlite(&folder));
                deployments::an_older_revision_replaces_nothing_and_the_trail_keeps_all(store).await;
            }

            $(#[actix_rt::test]
            async fn $name() {
                let folder = TempDir::new().unwrap();
                conformance::$name(std::sync::Arc::new(sqlite(&folder))).await;
            })*
        }

        mod on_postgres {
            use super::*;

            #[actix_rt::test]
            async fn deployments_and_their_trail() {
                let server = pool_tests::postgres::Postgres::start();
                let store = postgres::store(&server);
                let of_node = |node: &str| std::sync::Arc::new(store.deployments_of(node));
                deployments::an_older_revision_replaces_nothing_and_the_trail_keeps_all(of_node("n1")).await;
                // Another pool process numbers its own.
                deployments::an_older_revision_replaces_nothing_and_the_trail_keeps_all(of_node("n2")).await;
                let refused = server.sql("DELETE FROM deployment_trail").unwrap_err();
                assert!(refused.contains("append-only"), "{refused}");
            }

            $(#[actix_rt::test]
            async fn $name() {
                let server = pool_tests::postgres::Postgres::start();
                conformance::$name(std::sync::Arc::new(postgres::store(&server))).await;
            })*
        }
    };
}

conforms! {
    a_block_of_thousands_of_accounts,
    a_commit_is_applied_once_and_as_a_whole,
    a_second_writer_and_a_second_posting_are_refused,
    books_say_what_was_committed,
    corrections_are_made_once,
    blocks_change_while_their_history_stays,
    hours_add_up_and_old_ones_are_forgotten,
    nodes_have_places_of_their_own,
    sums_are_exact,
    thousands_of_workers_in_one_commit,
}

/// The same for payouts, whose port is another one.
macro_rules! pays {
    ($($name:ident),* $(,)?) => {
        mod payouts_on_sqlite {
            use super::*;
            $(#[actix_rt::test]
            async fn $name() {
                let folder = TempDir::new().unwrap();
                let (store, threads) = SqliteStore::open(&folder.path().join("pool.db"), TimeMs(1)).unwrap();
                threads.into_iter().for_each(start);
                payouts::$name(std::sync::Arc::new(store.clone()), std::sync::Arc::new(store)).await;
            })*
        }

        mod payouts_on_postgres {
            use super::*;
            $(#[actix_rt::test]
            async fn $name() {
                let server = pool_tests::postgres::Postgres::start();
                let store = postgres::store(&server);
                payouts::$name(std::sync::Arc::new(store.clone()), std::sync::Arc::new(store)).await;
            })*
        }
    };
}

pays! {
    a_payout_is_settled_once_with_all_its_steps,
    an_impossible_payout_goes_back_and_frees_what_it_spent,
    holds_and_thresholds_are_kept_and_audited,
    more_than_there_is_can_not_be_reserved,
    only_the_newest_dispatcher_writes,
}

/// The same for users, tokens and the trail.
macro_rules! signs_in {
    ($($name:ident),* $(,)?) => {
        mod people_on_sqlite {
            use super::*;
            $(#[actix_rt::test]
            async fn $name() {
                let folder = TempDir::new().unwrap();
                people::$name(std::sync::Arc::new(sqlite(&folder))).await;
                let db = rusqlite::Connection::open(folder.path().join("pool.db")).unwrap();
                for statement in ["UPDATE audit SET actor = 'x'", "DELETE FROM audit"] {
                    let lines: i64 = db.query_row("SELECT count(*) FROM audit", [], |row| row.get(0)).unwrap();
                    assert_eq!(db.execute(statement, []).is_err(), lines > 0, "{statement}");
                }
            })*
        }

        mod people_on_postgres {
            use super::*;
            $(#[actix_rt::test]
            async fn $name() {
                let server = pool_tests::postgres::Postgres::start();
                people::$name(std::sync::Arc::new(postgres::store(&server))).await;
                let lines = server.sql("SELECT count(*) FROM audit").unwrap();
                for statement in ["UPDATE audit SET actor = 'x'", "DELETE FROM audit"] {
                    assert_eq!(server.sql(statement).is_err(), lines.trim() != "0", "{statement}");
                }
                assert!(server.sql("TRUNCATE audit").unwrap_err().contains("append-only"));
            })*
        }
    };
}

signs_in! {
    links_of_mails_are_taken_once,
    codes_are_taken_once,
    people_are_added_once_and_changed,
    the_trail_is_paged_from_its_end,
    tokens_are_kept_and_taken_back,
}

/// The same for what people want to hear of their accounts.
macro_rules! tells {
    ($($name:ident),* $(,)?) => {
        mod personal_on_sqlite {
            use super::*;
            $(#[actix_rt::test]
            async fn $name() {
                let folder = TempDir::new().unwrap();
                let store = std::sync::Arc::new(sqlite(&folder));
                personal::$name(store.clone(), store.clone(), store).await;
            })*
        }

        mod personal_on_postgres {
            use super::*;
            $(#[actix_rt::test]
            async fn $name() {
                let server = pool_tests::postgres::Postgres::start();
                let store = std::sync::Arc::new(postgres::store(&server));
                personal::$name(store.clone(), store.clone(), store).await;
            })*
        }
    };
}

tells! {
    what_is_wanted_is_the_owners_as_long_as_he_is,
    payouts_are_told_from_where_it_was_left_off,
}
