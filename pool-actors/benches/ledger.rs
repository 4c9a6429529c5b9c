//! The ledger behind the journal: `cargo bench -p pool-actors --bench ledger`.
//!
//! "items/s" is shares per second for `follow_*`, blocks per second for `block_*`. Shares come from 1,000 workers in
//! turn, as 1,000 connections send them; a commit is cut every 100,000 shares. Blocks pay 10,000 accounts.

use std::{collections::BTreeMap, hint::black_box, sync::Arc};

use divan::{Bencher, counter::ItemsCount};
use pool_actors::{
    adapters::sqlite::SqliteStore,
    ledger::{
        book::Book,
        feed::{
            FeedBatch, FeedError, FeedNames, FoundBlock, LedgerFeed, LedgerRecord, RecordKind, ShareLine,
        },
        windows::RewardPolicy,
    },
    messages::share::WorkerIdentity,
    ports::{
        node::{BlockObservation, Color},
        store::{LedgerCommit, LedgerState, StorePort},
    },
    runtime::threads::Thread,
};
use pool_domain::{
    ids::{Account, AlgorithmName, BlockHash, ShareSeq, WorkerName},
    pplns::Scheme,
    units::{Amount, BasisPoints, TimeMs, Work},
};
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

/// Shares of so many workers in turn, made as they are read.
struct Shares {
    names: FeedNames,
}

impl Shares {
    fn of(workers: usize) -> Self {
        let worker = |n: usize| {
            let account = format!("kaspa:qqkqkzjvr7zwxxmjxjkmxxdwju9kjs6e9u82uh59z07vgaks6gg{n:06}");
            Arc::new(WorkerIdentity {
                account: Account::new(&account).unwrap(),
                worker: WorkerName::new(&format!("rig{n}")).unwrap(),
            })
        };
        let algorithms = vec![AlgorithmName::new("blake2s").unwrap()];
        Self { names: FeedNames { numbering: 1, workers: (0..workers).map(worker).collect(), algorithms } }
    }

    fn share(&self, seq: u64) -> ShareLine {
        let worker = u32::try_from(seq % self.names.workers.len() as u64).unwrap();
        ShareLine { seq: ShareSeq(seq), work: Work(1 << 32), at: TimeMs(seq), worker, algorithm: 0 }
    }
}

impl LedgerFeed for Shares {
    fn read(&mut self, after: ShareSeq, records_max: usize, batch: &mut FeedBatch) -> Result<(), FeedError> {
        let through = after.0 + records_max as u64;
        if batch.names.numbering == 0 {
            batch.names = self.names.clone();
        }
        batch.clear();
        batch.shares.extend((after.0 + 1..=through).map(|seq| self.share(seq)));
        batch.through = ShareSeq(through);
        Ok(())
    }

    fn newest(&mut self) -> Result<ShareSeq, FeedError> {
        Ok(ShareSeq(u64::MAX))
    }

    fn oldest(&mut self) -> Result<ShareSeq, FeedError> {
        Ok(ShareSeq(0))
    }
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
fn follow_rules_only(bencher: Bencher<'_, '_>, workers: usize) {
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
fn follow_into_sqlite(bencher: Bencher<'_, '_>, workers: usize) {
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

/// A block whose window holds 10,000 accounts: its split, then the credit of its reward, in SQLite.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn block_of_10_000_accounts(bencher: Bencher<'_, '_>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let inputs = || {
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let (mut feed, store) = (Shares::of(10_000), store(&folder));
        let mut book = empty_book(&mut feed);
        let mut batch = FeedBatch::default();
        feed.read(ShareSeq(0), 30_000, &mut batch).unwrap();
        book.take(&batch, &mut feed).unwrap();
        runtime.block_on(store.commit(Arc::new(book.cut().unwrap()))).unwrap();
        batch.clear();
        (feed, store, book, batch, folder)
    };
    bencher.counter(ItemsCount::new(1_u64)).with_inputs(inputs).bench_values(
        |(mut feed, store, mut book, mut batch, folder)| {
            let hash = BlockHash([7; 32]);
            let found = FoundBlock {
                candidate: 5,
                hash,
                algorithm: feed.names.algorithms[0].clone(),
                network_work: Work((1 << 32) * 12_000),
                height: None,
                parents: vec![],
                finder: Arc::clone(&feed.names.workers[0]),
                at: TimeMs(30_000),
            };
            let record = |seq, what| LedgerRecord { seq: ShareSeq(seq), what };
            batch.others = vec![
                record(30_001, RecordKind::Winning { share: feed.share(30_001), candidate: 5 }),
                record(30_002, RecordKind::Candidate(Box::new(found))),
                record(30_003, RecordKind::Verdict { hash, at: TimeMs(30_001), refusal: None }),
            ];
            batch.through = ShareSeq(30_003);
            book.take(&batch, &mut feed).unwrap();
            let seen = BlockObservation {
                hash,
                known: true,
                color: Color::Blue,
                confirmations: 1,
                mature: false,
                reward: Some(Amount(50_000_000_000)),
                red_merge_income: None,
                merging_block: None,
                height: None,
                parents: vec![],
            };
            book.observe(&[seen], &BTreeMap::new(), TimeMs(30_002), &mut feed).unwrap();
            let commit = book.cut().unwrap();
            assert_eq!(commit.postings[0].transaction.entries().len(), 10_002);
            runtime.block_on(store.commit(Arc::new(commit))).unwrap();
            (book, folder)
        },
    );
}
