//! The ledger behind the journal: `cargo bench -p pool-actors --bench ledger`.
//!
//! "items/s" is shares per second. Shares come from so many workers in turn, as connections send them; a commit is cut every
//! 100,000 shares. Blocks, and PostgreSQL: `cargo bench -p pool-tests --bench money`.

mod shares;

use std::{hint::black_box, sync::Arc};

use divan::{Bencher, counter::ItemsCount};
use pool_actors::{
    adapters::sqlite::SqliteStore,
    ledger::{
        book::Book,
        feed::{FeedBatch, LedgerFeed as _},
        windows::RewardPolicy,
    },
    ports::store::{LedgerCommit, LedgerState, StorePort},
    runtime::threads::Thread,
};
use pool_domain::{
    pplns::Scheme,
    units::{BasisPoints, TimeMs},
};
use shares::Shares;
use tempfile::TempDir;

fn main() {
    divan::main();
}

const SHARES: u64 = 1_000_000;
const SLICE: usize = 4_096;
const CUT: u64 = 100_000;

fn policy() -> RewardPolicy {
    RewardPolicy { scheme: Scheme::Pplns { factor: BasisPoints(20_000) }, fee: BasisPoints(100) }
}

/// Takes in so many shares and commits what they come to.
fn follow(feed: &mut Shares, mut commit: impl FnMut(LedgerCommit)) -> Book {
    let mut book = empty_book(feed);
    let (mut batch, mut cut_at) = (FeedBatch::default(), CUT);
    while book.position().seq.0 < SHARES {
        feed.read(book.position().seq, SLICE, &mut batch).unwrap();
        book.take(&batch, feed).unwrap();
        if book.position().seq.0 >= cut_at {
            cut_at += CUT;
            commit(book.cut().unwrap());
        }
    }
    book
}

fn empty_book(feed: &mut Shares) -> Book {
    Book::restore("bench", policy(), LedgerState::default(), feed).unwrap()
}

#[divan::bench(sample_count = 5, sample_size = 1, args = [100, 1_000, 10_000])]
fn follow_rules_only(bencher: Bencher<'_, '_>, workers: u32) {
    bencher
        .counter(ItemsCount::new(SHARES))
        .with_inputs(|| Shares::of(workers))
        .bench_values(|mut feed| follow(&mut feed, |commit| drop(black_box(commit))));
}

fn store(folder: &TempDir) -> SqliteStore {
    let (store, threads) = SqliteStore::open(&folder.path().join("pool.db"), TimeMs(1)).unwrap();
    for (name, body) in threads {
        drop(Thread::spawn(name, body).unwrap());
    }
    store
}

#[divan::bench(sample_count = 5, sample_size = 1, args = [1_000, 10_000])]
fn follow_into_sqlite(bencher: Bencher<'_, '_>, workers: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let inputs = || (Shares::of(workers), TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap());
    bencher.counter(ItemsCount::new(SHARES)).with_inputs(inputs).bench_values(|(mut feed, folder)| {
        let store = store(&folder);
        follow(&mut feed, |commit| {
            runtime.block_on(store.commit(Arc::new(commit))).unwrap();
        });
        folder
    });
}
