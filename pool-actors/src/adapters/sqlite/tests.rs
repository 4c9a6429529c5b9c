//! What is SQLite's own: triggers, versions, exact sums of limbs. What every store must do is in `tests/tests/store`.

use std::{sync::Arc, thread};

use pool_domain::{
    accounting::{Cause, LedgerAccount, Transaction},
    ids::{Account, AdjustmentId, AlgorithmName, BlockHash, ShareSeq, WorkerName},
    maturity::BlockLife,
    units::{Amount, TimeMs, Work},
};
use proptest::prelude::*;
use rusqlite::Connection;
use tempfile::TempDir;

use super::{SqliteStore, schema, statements};
use crate::ports::store::{
    BlockChange, BlockRow, BlockStep, LedgerCommit, Position, Posting, StoreError, StorePort,
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
    for (name, statement) in statements::ALL.iter().chain(statements::CHECKS) {
        db.prepare(statement).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    assert!(
        statements::ALL.len() < schema::STATEMENTS_KEPT,
        "all of them fit the cache of prepared statements"
    );
    db.execute("UPDATE schema_migrations SET checksum = 'x'", []).unwrap();
    assert!(matches!(SqliteStore::open(&path, TimeMs(3)), Err(StoreError::Schema { .. })));
    db.execute("DELETE FROM schema_migrations WHERE version > 1", []).unwrap();
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
