//! The auditor over a ledger that was really kept, on PostgreSQL: clean, and one changed unit is found.

use std::path::PathBuf;

use pool_actors::{
    adapters::{
        postgres::{PostgresSettings, PostgresStore},
        system_clock::SystemClock,
    },
    app::{audit::audit, books::OpenBooks},
    audit::Report,
};
use pool_tests::postgres::Postgres;

use super::{Amount, Arc, Color, Ledger, SharedStore, TempDir, Thread, Writer};

async fn report(server: &Postgres, folder: &TempDir) -> Report {
    let open = OpenBooks::open(&server.url(), folder.path()).unwrap();
    audit(&open, &[PathBuf::from(folder.path())], Box::new(|_, _, _| {})).await.unwrap()
}

#[actix_rt::test]
async fn books_on_postgres_are_audited_and_one_unit_is_found() {
    let server = Postgres::start();
    let settings = PostgresSettings::new(&server.url(), None).unwrap();
    let (store, (name, body)) = PostgresStore::open(settings, None, Arc::new(SystemClock)).unwrap();
    drop(Thread::spawn(name, body).unwrap());
    let store: SharedStore = Arc::new(store);
    let folder = TempDir::new().unwrap();
    let mut writer = Writer::open(folder.path());
    std::fs::write(folder.path().join("journal/node-0.node"), "").unwrap();
    for _ in 0..300 {
        writer.share("alice", 10, None);
    }
    let hash = writer.candidate("bob", 77, 300);
    writer.share("bob", 30, Some(77));
    writer.accepted(77, hash);
    let mut ledger = Ledger::start(&store, &writer.journal.reader());
    ledger.caught_up().await;
    // Its reward was another one at first, then it was red for a while.
    ledger.see(hash, Color::Blue, Some(99_999), false);
    ledger.until(|totals| totals.of("miner_pending") == Amount(99_000)).await;
    ledger.see(hash, Color::Red, None, false);
    ledger.until(|totals| totals.of("miner_pending") == Amount::ZERO).await;
    ledger.see(hash, Color::Blue, Some(100_001), true);
    ledger.until(|totals| totals.of("miner_confirmed") > Amount::ZERO).await;
    // While the pool's journal and database are in use.
    let clean = report(&server, &folder).await;
    assert!(clean.clean && clean.unchecked.is_empty(), "{clean:?}");
    assert_eq!((clean.checked.blocks, clean.checked.windows, clean.checked.share_rows), (1, 1, 2));
    assert_eq!(clean.checked.transactions, 4, "credited, voided, credited again, posted");
    ledger.stop().await;

    for (table, change, area) in [
        (
            "ledger_lines",
            "UPDATE ledger_lines AS l SET amounts = (SELECT array_agg(amount + CASE WHEN account_id = \
             (SELECT id FROM accounts WHERE address = 'bob') THEN 1 ELSE -1 END ORDER BY account_id) \
             FROM unnest(l.account_ids, l.amounts) AS u (account_id, amount)) WHERE kind = 'miner_confirmed'",
            "posting",
        ),
        ("block_splits", "UPDATE block_splits SET first_counted = first_counted - 1", "window"),
        (
            "pool_balances",
            "UPDATE pool_balances SET amount = amount + 1 WHERE kind = 'fee_confirmed'",
            "balance",
        ),
        ("share_totals", "UPDATE share_totals SET work = work + 1", "shares"),
        ("blocks", "UPDATE blocks SET reward = reward + 1", "block"),
    ] {
        // What the database refuses is done behind its back, and undone with the transaction it was done in.
        let by_hand = format!(
            "ALTER TABLE {table} DISABLE TRIGGER USER; {change}; ALTER TABLE {table} ENABLE TRIGGER USER"
        );
        server.sql(&by_hand).unwrap();
        let found = report(&server, &folder).await;
        assert_eq!(found.first.first().map(|first| first.area), Some(area), "{change}: {found:?}");
        let undo =
            by_hand.replace("THEN 1 ELSE -1", "THEN -1 ELSE 1").replace("_counted - 1", "_counted + 1");
        let undo = undo
            .replace("amount + 1", "amount - 1")
            .replace("work + 1", "work - 1")
            .replace("reward + 1", "reward - 1");
        server.sql(&undo).unwrap();
        assert!(report(&server, &folder).await.clean, "{undo}");
    }
}
