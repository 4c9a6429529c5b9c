//! The store on a real file: atomic, idempotent, append-only, exact.

use std::{sync::Arc, thread};

use pool_domain::{
    accounting::{Cause, LedgerAccount, Transaction},
    ids::{Account, AdjustmentId, AlgorithmName, BlockHash, ShareSeq, WorkerName},
    maturity::{BlockEvent, BlockLife, BlockStatus, Color},
    units::{Amount, BasisPoints, TimeMs, Work},
};
use proptest::prelude::*;
use rusqlite::Connection;
use tempfile::TempDir;

use super::{SqliteStore, statements};
use crate::ports::store::{
    Anchor, BlockChange, BlockQuery, BlockRow, BlockStep, LedgerCommit, Position, Posting, ShareDelta, Split,
    StoreError, StorePort, WindowMark,
};

fn store(folder: &TempDir) -> SqliteStore {
    let (store, threads) = SqliteStore::open(&folder.path().join("pool.db"), TimeMs(1)).unwrap();
    for (_, body) in threads {
        start(body);
    }
    store
}

#[expect(clippy::disallowed_methods, reason = "runtime::threads is a layer above this one")]
fn start(body: super::StoreThread) {
    // Ends when the test drops its store.
    drop(thread::spawn(body));
}

fn account(name: &str) -> Account {
    Account::new(name).unwrap()
}

/// A correction with this number: what the chain gives (`None`) or a miner gets.
fn posting(number: u64, entries: &[(LedgerAccount, i128)]) -> Posting {
    let cause = Cause::Adjustment { id: AdjustmentId(number), author: "test".into(), reason: "test".into() };
    let entries = entries.iter().map(|(account, amount)| (account.clone(), Amount(*amount)));
    Posting { transaction: Transaction::new(cause, entries).unwrap(), block: None, at: TimeMs(5) }
}

fn balanced(number: u64) -> Posting {
    posting(number, &[(LedgerAccount::ChainPending, -5), (LedgerAccount::FeePending, 5)])
}

fn commit(expected: Position, seq: u64) -> LedgerCommit {
    LedgerCommit { node: "n1".into(), expected, seq: ShareSeq(seq), at: TimeMs(7), ..LedgerCommit::default() }
}

fn block(hash: u8) -> BlockRow {
    BlockRow {
        number: 0,
        hash: BlockHash([hash; 32]),
        candidate: u64::MAX - u64::from(hash),
        candidate_seq: ShareSeq(u64::from(hash)),
        anchor: None,
        fallback: ShareSeq(5),
        algorithm: AlgorithmName::new("blake2s").unwrap(),
        network_work: Work(u128::MAX),
        height: Some(9),
        parents: vec![BlockHash([1; 32]), BlockHash([2; 32])],
        account: account("alice"),
        worker: WorkerName::new("rig").unwrap(),
        found_at: TimeMs(3),
        life: BlockLife::new(),
        income: BlockLife::new(),
        confirmations: 0,
        merging_block: None,
        reason: None,
    }
}

fn change(row: BlockRow) -> BlockChange {
    let step = BlockStep {
        at: TimeMs(7),
        status: row.life.stage(),
        color: row.life.color(),
        reason: row.reason.clone(),
    };
    BlockChange { row, split: None, steps: vec![step], parents_changed: true }
}

#[tokio::test]
async fn a_commit_is_applied_once_and_as_a_whole() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    let mut first = commit(Position::default(), 10);
    let delta = ShareDelta {
        account: account("alice"),
        worker: WorkerName::new("rig").unwrap(),
        algorithm: AlgorithmName::new("blake2s").unwrap(),
        accepted: 3,
        work: Work(u128::MAX / 4),
        last_share_at: TimeMs(4),
    };
    first.shares = vec![delta.clone(), ShareDelta { work: Work(1), ..delta.clone() }];
    first.windows = vec![WindowMark {
        algorithm: delta.algorithm.clone(),
        oldest: ShareSeq(1),
        newest: ShareSeq(10),
        state: vec![1, 2],
    }];
    first.anchors_added = vec![Anchor { candidate: u64::MAX, seq: ShareSeq(10) }];
    let split = Split {
        scheme: "pplns".into(),
        fee: BasisPoints(100),
        first_seq: Some(ShareSeq(1)),
        last_seq: ShareSeq(10),
        weights: vec![(account("alice"), Work(u128::MAX)), (account("bob"), Work(1))],
    };
    first.blocks = vec![BlockChange { split: Some(split.clone()), ..change(block(7)) }];
    first.postings = vec![posting(
        1,
        &[
            (LedgerAccount::ChainPending, -1_000_000_000_000_000_000_000),
            (LedgerAccount::MinerPending(account("alice")), 999_999_999_999_999_999_999),
            (LedgerAccount::FeePending, 1),
        ],
    )];
    let first = Arc::new(first);
    let after = store.commit(Arc::clone(&first)).await.unwrap();
    assert_eq!(after, Position { seq: ShareSeq(10), commits: 1 });
    // Its answer got lost and it is sent again: nothing is counted twice.
    assert_eq!(store.commit(Arc::clone(&first)).await.unwrap(), after);
    let alice = store.account(account("alice")).await.unwrap().unwrap();
    assert_eq!((alice.workers[0].accepted, alice.workers[0].work), (6, Work(u128::MAX / 4 + 1)));
    assert_eq!(alice.balance.pending, Amount(999_999_999_999_999_999_999));

    let state = store.load("n1").await.unwrap();
    assert_eq!(state.position, after);
    assert_eq!(state.windows, first.windows);
    assert_eq!(state.anchors, first.anchors_added);
    assert_eq!(state.open_blocks, vec![BlockRow { number: 1, ..block(7) }]);
    let splits = store.splits(vec![BlockHash([7; 32]), BlockHash([8; 32])]).await.unwrap();
    assert_eq!(splits.into_iter().collect::<Vec<_>>(), vec![(BlockHash([7; 32]), split)]);
    assert_eq!(store.totals().await.unwrap().imbalance(), Amount::ZERO);
    assert_eq!(store.check().await.unwrap(), vec![]);
    assert_eq!(store.account(account("nobody")).await.unwrap(), None);

    // Half of a commit that fails is not there.
    let mut broken = commit(after, 20);
    broken.shares = vec![delta];
    broken.postings = vec![balanced(2), balanced(2)];
    let refused = store.commit(Arc::new(broken)).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Corrupt { what } if what.contains("UNIQUE")), "{refused}");
    assert_eq!(store.load("n1").await.unwrap().position, after);
    assert_eq!(store.account(account("alice")).await.unwrap().unwrap(), alice);
}

#[tokio::test]
async fn a_second_writer_and_a_second_posting_are_refused() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    let mut first = commit(Position::default(), 1);
    first.postings = vec![balanced(1)];
    let after = store.commit(Arc::new(first)).await.unwrap();
    let other = store.commit(Arc::new(commit(Position::default(), 2))).await.unwrap_err();
    assert_eq!(other, StoreError::Conflict { node: "n1".into(), expected: 0, found: 1 });
    let mut twice = commit(after, 2);
    twice.postings = vec![balanced(1)];
    assert!(matches!(store.commit(Arc::new(twice)).await, Err(StoreError::Corrupt { .. })));
    let backwards = store.commit(Arc::new(commit(after, 0))).await;
    assert!(matches!(backwards, Err(StoreError::Conflict { .. })), "the journal position never goes back");
}

#[tokio::test]
async fn blocks_change_while_their_history_stays() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    let mut first = commit(Position::default(), 1);
    first.blocks = vec![change(block(7)), change(block(8))];
    let after = store.commit(Arc::new(first)).await.unwrap();
    let mut second = commit(after, 1);
    let mut life = BlockLife::new();
    let red = BlockEvent::Colored { color: Color::Red, reward: None };
    for event in [BlockEvent::Submitted, BlockEvent::Accepted, red, BlockEvent::Matured, BlockEvent::Closed] {
        life.apply(event).unwrap();
    }
    let mut income = BlockLife::new();
    let blue = BlockEvent::Colored { color: Color::Blue, reward: Some(Amount(i128::MAX)) };
    for event in [BlockEvent::Submitted, BlockEvent::Accepted, blue] {
        income.apply(event).unwrap();
    }
    let red = BlockRow {
        life,
        income,
        merging_block: Some(BlockHash([4; 32])),
        confirmations: 100,
        reason: Some("red at maturity".into()),
        ..block(7)
    };
    second.blocks = vec![change(red.clone())];
    store.commit(Arc::new(second)).await.unwrap();
    let (row, steps) = store.block(BlockHash([7; 32])).await.unwrap().unwrap();
    assert_eq!(row, BlockRow { number: 1, ..red });
    assert_eq!(
        steps.iter().map(|step| step.status).collect::<Vec<_>>(),
        [BlockStatus::Candidate, BlockStatus::Void]
    );
    let page = |query: BlockQuery| {
        let store = store.clone();
        async move { store.blocks(query).await.unwrap().iter().map(|row| row.number).collect::<Vec<_>>() }
    };
    let all = BlockQuery { limit: 10, ..BlockQuery::default() };
    assert_eq!(page(all.clone()).await, [2, 1]);
    assert_eq!(page(BlockQuery { before: Some(2), ..all.clone() }).await, [1]);
    assert_eq!(page(BlockQuery { limit: 1, ..all.clone() }).await, [2]);
    assert_eq!(page(BlockQuery { color: Some(Color::Red), ..all.clone() }).await, [1]);
    assert_eq!(page(BlockQuery { status: Some(BlockStatus::Paid), ..all.clone() }).await, [0_u64; 0]);
    assert_eq!(page(BlockQuery { account: Some(account("alice")), ..all }).await, [2, 1]);
    let open = store.load("n1").await.unwrap().open_blocks;
    assert_eq!(open.iter().map(|row| row.number).collect::<Vec<_>>(), [2], "void is settled");
    assert_eq!(store.accounts(None, 5).await.unwrap().len(), 1);
    assert_eq!(store.accounts(Some(account("alice")), 5).await.unwrap(), vec![]);
}

#[tokio::test]
async fn the_database_itself_refuses_to_forget() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    let mut first = commit(Position::default(), 1);
    first.blocks = vec![change(block(7))];
    first.postings = vec![balanced(1)];
    store.commit(Arc::new(first)).await.unwrap();
    let db = Connection::open(folder.path().join("pool.db")).unwrap();
    for (tampering, words) in [
        ("UPDATE ledger_entries SET amount_lo = 9", "append-only"),
        ("DELETE FROM ledger_entries", "append-only"),
        ("UPDATE ledger_transactions SET kind = 'x'", "append-only"),
        ("DELETE FROM ledger_transactions", "append-only"),
        ("DELETE FROM block_history", "append-only"),
        ("UPDATE block_history SET at = 0", "append-only"),
        ("INSERT INTO ledger_entries VALUES (1, 9, 'fee_pending', 0, 0, 0, 1)", "sealed"),
        ("INSERT INTO ledger_entries VALUES (7, 1, 'fee_pending', 0, 0, 0, 1)", "FOREIGN KEY"),
        ("INSERT INTO ledger_transactions VALUES (7, 'r', 'k', NULL, 0)", "sum to zero"),
    ] {
        let refused = db.execute(tampering, []).unwrap_err().to_string();
        assert!(refused.contains(words), "{tampering}: {refused}");
    }
    // What the triggers can't see, the audits do.
    db.execute("UPDATE balances SET amount_lo = amount_lo + 1 WHERE kind = 'fee_pending'", []).unwrap();
    let findings = store.check().await.unwrap();
    assert_eq!(findings.iter().map(|finding| finding.check).collect::<Vec<_>>(), ["balances_match_entries"]);
    assert_eq!(store.totals().await.unwrap().imbalance(), Amount(1));
}

#[test]
fn versions_are_checked_and_every_statement_prepares() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("pool.db");
    drop(SqliteStore::open(&path, TimeMs(1)).unwrap());
    drop(SqliteStore::open(&path, TimeMs(2)).unwrap());
    let db = Connection::open(&path).unwrap();
    db.execute_batch(statements::ENTRIES_STAGING).unwrap();
    for (name, statement) in statements::ALL.iter().chain(statements::CHECKS) {
        db.prepare(statement).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    assert!(statements::ALL.len() < 64, "all of them fit the cache of prepared statements");
    db.execute("UPDATE schema_migrations SET checksum = 'x'", []).unwrap();
    assert!(matches!(SqliteStore::open(&path, TimeMs(3)), Err(StoreError::Schema { .. })));
    db.execute("UPDATE schema_migrations SET version = 999", []).unwrap();
    let newer = SqliteStore::open(&path, TimeMs(3)).err().unwrap().to_string();
    assert!(newer.contains("newer pool"), "{newer}");
    std::fs::write(folder.path().join("rubbish"), [7; 4096]).unwrap();
    assert!(matches!(
        SqliteStore::open(&folder.path().join("rubbish"), TimeMs(3)),
        Err(StoreError::Schema { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    /// Cached balances and audited sums are exact at 18 decimals and beyond 64 bits.
    #[test]
    fn sums_are_exact(batches in proptest::collection::vec(
        proptest::collection::vec((0_usize..4, -(1_i128 << 112)..(1_i128 << 112)), 1..8), 1..6,
    )) {
        let folder = TempDir::new().unwrap();
        let names = ["a", "b", "c", "d"];
        let mut expected = [0_i128; 4];
        let answer = tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            let store = store(&folder);
            let mut position = Position::default();
            for (number, batch) in batches.iter().enumerate() {
                let mut next = commit(position, number as u64);
                for (index, (who, amount)) in batch.iter().enumerate() {
                    expected[*who] += amount;
                    if *amount != 0 {
                        let miner = LedgerAccount::MinerConfirmed(account(names[*who]));
                        let entries = [(miner, *amount), (LedgerAccount::Adjustments, -amount)];
                        next.postings.push(posting((number * 100 + index) as u64, &entries));
                    }
                }
                position = store.commit(Arc::new(next)).await.unwrap();
            }
            let mut confirmed = [0; 4];
            for (sum, name) in confirmed.iter_mut().zip(names) {
                *sum = store.account(account(name)).await.unwrap().map_or(0, |row| row.balance.confirmed.0);
            }
            (confirmed, store.check().await.unwrap(), store.totals().await.unwrap().imbalance())
        });
        prop_assert_eq!(answer, (expected, vec![], Amount::ZERO));
    }
}
