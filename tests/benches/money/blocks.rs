//! A block whose window holds 10,000 accounts: split and credit in one commit, then the posting at maturity, on both
//! databases. Beside it, the same entries in a bare table of the same database.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use pool_actors::{
    adapters::{
        postgres::{PostgresSettings, PostgresStore},
        sqlite::SqliteStore,
        system_clock::SystemClock,
    },
    ledger::{
        book::Book,
        feed::{FeedBatch, FoundBlock, LedgerFeed as _, LedgerRecord, RecordKind},
        windows::RewardPolicy,
    },
    ports::{
        node::{BlockObservation, Color},
        store::{SharedStore, Split},
    },
    runtime::threads::Thread,
};
use pool_domain::{
    ids::{BlockHash, ShareSeq},
    pplns::Scheme,
    units::{Amount, BasisPoints, TimeMs, Work},
};
use pool_tests::postgres::Postgres;
use tempfile::TempDir;
use tokio_postgres::{NoTls, binary_copy::BinaryCopyInWriter, types::Type};

use crate::shares::{Shares, WORK};

/// Accounts, each with a worker.
const ACCOUNTS: u32 = 10_000;
/// Shares in memory before the first block.
const SHARES: u64 = 30_000;
/// Blocks on each database; the first is not counted, it creates the accounts' rows.
const BLOCKS: u8 = 21;

pub(crate) async fn measure() {
    println!(
        "| database | raw: 10,002 rows, p50 | split and credit, p50 / max | posting at maturity, p50 / max |\n|---|---|---|---|"
    );
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let (store, threads) = SqliteStore::open(&folder.path().join("pool.db"), TimeMs(1)).expect("a database");
    for (name, body) in threads {
        drop(Thread::spawn(name, body).expect("a thread"));
    }
    let raw = raw_sqlite(&folder);
    blocks("SQLite", &raw, Arc::new(store)).await;

    let server = Postgres::start_as_installed();
    let settings = PostgresSettings::new(&server.url(), None).expect("an address");
    let (store, (name, body)) = PostgresStore::open(settings, None, Arc::new(SystemClock)).expect("a store");
    drop(Thread::spawn(name, body).expect("a thread"));
    let raw = raw_postgres(&server).await;
    blocks("PostgreSQL", &raw, Arc::new(store)).await;
}

fn raw_sqlite(folder: &TempDir) -> [Duration; 2] {
    let mut db = rusqlite::Connection::open(folder.path().join("raw.db")).expect("a database");
    db.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE raw (tx, line, kind, account, amount)")
        .expect("a table");
    spread((0..BLOCKS).map(|block| {
        let begun = Instant::now();
        let tx = db.transaction().expect("a transaction");
        {
            let mut insert =
                tx.prepare("INSERT INTO raw VALUES (?, ?, 'miner_pending', ?, ?)").expect("a statement");
            for line in 0..ACCOUNTS + 2 {
                insert.execute((block, line, line, 5_000_000)).expect("a row");
            }
        }
        tx.commit().expect("a commit");
        begun.elapsed()
    }))
}

async fn raw_postgres(server: &Postgres) -> [Duration; 2] {
    let (mut client, connection) =
        tokio_postgres::connect(&server.url(), NoTls).await.expect("the server takes connections");
    actix_rt::spawn(async move {
        // It ends with the client.
        let _ = connection.await;
    });
    let table = "CREATE TABLE raw (tx bigint, line integer, kind text, account bigint, amount bigint)";
    client.batch_execute(table).await.expect("a table");
    let types = [Type::INT8, Type::INT4, Type::TEXT, Type::INT8, Type::INT8];
    let mut taken = Vec::new();
    for block in 0..i64::from(BLOCKS) {
        let begun = Instant::now();
        let tx = client.transaction().await.expect("a transaction");
        let sink = tx.copy_in("COPY raw FROM STDIN (FORMAT binary)").await.expect("COPY begins");
        let mut rows = std::pin::pin!(BinaryCopyInWriter::new(sink, &types));
        for line in 0..i32::try_from(ACCOUNTS).expect("few") + 2 {
            let (account, amount) = (i64::from(line), 5_000_000_i64);
            rows.as_mut()
                .write(&[&block, &line, &"miner_pending", &account, &amount])
                .await
                .expect("a row is taken");
        }
        rows.as_mut().finish().await.expect("COPY ends");
        tx.commit().await.expect("a commit");
        taken.push(begun.elapsed());
    }
    spread(taken.into_iter())
}

/// The middle and the longest, without the first.
fn spread(taken: impl Iterator<Item = Duration>) -> [Duration; 2] {
    let mut taken: Vec<_> = taken.skip(1).collect();
    taken.sort_unstable();
    [taken[taken.len() / 2], taken[taken.len() - 1]]
}

async fn blocks(name: &str, raw: &[Duration; 2], store: SharedStore) {
    let mut feed = Shares::of(ACCOUNTS);
    let state = store.load("bench").await.expect("a fresh database");
    let policy =
        RewardPolicy { scheme: Scheme::Pplns { factor: BasisPoints(20_000) }, fee: BasisPoints(100) };
    let mut book = Book::restore("bench", policy, state, &mut feed).expect("an empty ledger");
    let mut batch = FeedBatch::default();
    feed.read(ShareSeq(0), usize::try_from(SHARES).expect("few"), &mut batch).expect("shares");
    book.take(&batch, &mut feed).expect("they are taken in");
    store.commit(Arc::new(book.cut().expect("a commit"))).await.expect("committed");
    let (mut credits, mut postings) = (Vec::new(), Vec::new());
    for n in 1..=BLOCKS {
        let hash = BlockHash([n; 32]);
        found(&feed, hash, book.position().seq.0, &mut batch);
        let begun = Instant::now();
        book.take(&batch, &mut feed).expect("a block is taken in");
        observe(&mut book, hash, false, &BTreeMap::new(), &mut feed);
        let commit = book.cut().expect("a commit");
        let split = commit.blocks[0].split.clone().expect("a split");
        assert_eq!(commit.postings[0].transaction.entries().len(), ACCOUNTS as usize + 2);
        store.commit(Arc::new(commit)).await.expect("committed");
        credits.push(begun.elapsed());

        let begun = Instant::now();
        observe(&mut book, hash, true, &BTreeMap::from([(hash, split)]), &mut feed);
        store.commit(Arc::new(book.cut().expect("a commit"))).await.expect("committed");
        postings.push(begun.elapsed());
    }
    assert_eq!(store.check().await.expect("the audits run"), vec![], "the audits find nothing");
    let (credits, postings) = (spread(credits.into_iter()), spread(postings.into_iter()));
    let ms = |took: Duration| format!("{}.{} ms", took.as_millis(), took.as_micros() / 100 % 10);
    println!(
        "| {name} | {} | {} / {} | {} / {} |",
        ms(raw[0]),
        ms(credits[0]),
        ms(credits[1]),
        ms(postings[0]),
        ms(postings[1])
    );
}

fn observe(
    book: &mut Book,
    hash: BlockHash,
    mature: bool,
    splits: &BTreeMap<BlockHash, Split>,
    feed: &mut Shares,
) {
    let seen = BlockObservation {
        hash,
        known: true,
        color: Color::Blue,
        confirmations: if mature { 100 } else { 1 },
        mature,
        reward: Some(Amount(50_000_000_000)),
        red_merge_income: None,
        merging_block: None,
        height: None,
        parents: vec![],
    };
    book.observe(&[seen], splits, TimeMs(1_700_000_000_000), feed).expect("it is booked");
}

/// The winning share, the candidate and the verdict, behind `after`.
fn found(feed: &Shares, hash: BlockHash, after: u64, batch: &mut FeedBatch) {
    let candidate = after;
    let found = FoundBlock {
        candidate,
        hash,
        algorithm: feed.names.algorithms[0].clone(),
        network_work: Work(WORK * 12_000),
        height: None,
        parents: vec![],
        finder: Arc::clone(&feed.names.workers[0]),
        at: TimeMs(1_700_000_000_000),
    };
    let record = |seq, what| LedgerRecord { seq: ShareSeq(seq), what };
    batch.clear();
    batch.others = vec![
        record(after + 1, RecordKind::Winning { share: feed.share(after + 1), candidate }),
        record(after + 2, RecordKind::Candidate(Box::new(found))),
        record(after + 3, RecordKind::Verdict { hash, at: TimeMs(1_700_000_000_001), refusal: None }),
    ];
    batch.through = ShareSeq(after + 3);
}
