//! From the journal into PostgreSQL: while miners are served, after an outage, and after an outage that the pool did not
//! survive. Beside it, what the server takes of the same rows by COPY.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use pool_tests::postgres::Postgres;
use tokio_postgres::{NoTls, binary_copy::BinaryCopyInWriter, types::Type};

use crate::site::{Load, Site, per_second};

/// Rows of the raw limit.
const ROWS: i64 = 2_000_000;
/// Rows of a transaction of the raw limit.
const BATCH: i64 = 10_000;
/// All the load that the pool takes.
const FULL: Load = Load { connections: 1_000, outstanding: 4, rate: 0, seconds: 12, warmup: 3 };
/// Miners that are served while the pool catches up.
const PACED: Load = Load { connections: 1_000, outstanding: 8, rate: 5_000, seconds: 10, warmup: 1 };

pub(crate) async fn measure() {
    raw().await;
    let mut site = Site::start().await;
    live(&site).await;
    let (waiting, took) = after_an_outage(&mut site).await;
    println!(
        "back after an outage, 5,000 shares/s going on   {waiting} records waited, all credited after {} ms: {}/s",
        took.as_millis(),
        per_second(waiting, took)
    );
    let (waiting, took) = after_a_restart(&mut site).await;
    println!(
        "the same, the pool killed meanwhile             {waiting} records read from the journal, all credited {} ms after its start: {}/s",
        took.as_millis(),
        per_second(waiting, took)
    );
    let shares = site.assert_exactly_once().await;
    println!("journal and database compared by account        {shares} shares, each credited once");
}

/// Shares as rows, without an index, in transactions of 10,000.
async fn raw() {
    let server = Postgres::start();
    let (mut client, connection) =
        tokio_postgres::connect(&server.url(), NoTls).await.expect("the server takes connections");
    actix_rt::spawn(async move {
        // It ends with the client.
        let _ = connection.await;
    });
    let table =
        "CREATE TABLE raw (node integer, seq bigint, worker_id bigint, work bigint, received_at bigint)";
    client.batch_execute(table).await.expect("a table");
    let types = [Type::INT4, Type::INT8, Type::INT8, Type::INT8, Type::INT8];
    let begun = Instant::now();
    for first in (0..ROWS).step_by(usize::try_from(BATCH).expect("small")) {
        let tx = client.transaction().await.expect("a transaction");
        let sink = tx.copy_in("COPY raw FROM STDIN (FORMAT binary)").await.expect("COPY begins");
        let mut rows = pin!(BinaryCopyInWriter::new(sink, &types));
        for seq in first..first + BATCH {
            let values = (seq, seq % 1_000, 1_i64 << 32, 1_700_000_000_000 + seq);
            rows.as_mut()
                .write(&[&0_i32, &values.0, &values.1, &values.2, &values.3])
                .await
                .expect("a row is taken");
        }
        rows.as_mut().finish().await.expect("COPY ends");
        tx.commit().await.expect("a commit");
    }
    let rate = per_second(ROWS.unsigned_abs(), begun.elapsed());
    println!(
        "raw: COPY of shares as rows, no index           {ROWS} rows, {BATCH} a commit, synchronous: {rate}/s"
    );
}

async fn live(site: &Site) {
    let load = site.load(FULL);
    tokio::time::sleep(Duration::from_secs(FULL.warmup + 2)).await;
    let (begun, before) = (Instant::now(), site.credited());
    tokio::time::sleep(Duration::from_secs(FULL.seconds - 4)).await;
    let (credited, took) = (site.credited() - before, begun.elapsed());
    let report = load.report().await;
    let ended = Instant::now();
    site.caught_up().await;
    println!(
        "while 1,000 connections are served              {}/s credited; {} shares/s answered, p50 {} us, p99 {} us; the rest {} ms after the end",
        per_second(credited, took),
        report["shares_per_second"],
        report["latency_us"]["p50"],
        report["latency_us"]["p99"],
        ended.elapsed().as_millis()
    );
}

/// Records that waited, and how long it took until the database had them, from the moment that it took connections.
async fn after_an_outage(site: &mut Site) -> (u64, Duration) {
    let before = site.position();
    site.server.kill();
    site.load(FULL).report().await;
    let waiting = site.lag().await;
    site.server.restart();
    let begun = Instant::now();
    let paced = site.load(PACED);
    site.fed_through(before + waiting).await;
    let took = begun.elapsed();
    paced.report().await;
    (waiting, took)
}

/// The same, but what waits is only in the journal: the pool dies, too.
async fn after_a_restart(site: &mut Site) -> (u64, Duration) {
    site.caught_up().await;
    let before = site.position();
    site.server.kill();
    site.load(FULL).report().await;
    let waiting = site.lag().await;
    site.pool.kill();
    site.server.restart();
    let begun = Instant::now();
    site.pool.restart();
    let paced = site.load(PACED);
    site.fed_through(before + waiting).await;
    let took = begun.elapsed();
    paced.report().await;
    (waiting, took)
}
