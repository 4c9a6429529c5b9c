//! A database that an earlier pool has filled, brought up to date: the money is the same to the last unit, and mining goes on.
//!
//! What an earlier pool left is made from what this one has: its tables are made by the first six changes of the schema
//! alone, in which entries and balances have a row each, and everything that they have room for is carried back into them.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use pool_tests::{
    pool::{PoolProcess, amount, dagpool},
    postgres::Postgres,
};
use rusqlite::Connection;
use serde_json::{Value, json};
use simulations::{miners::SwarmHandle, node::NodeHandle};

use crate::{
    audit::assert_clean,
    mining,
    payouts::{MINERS, assert_paid_once, setup},
};

/// The newest schema that the earlier pool knew.
const OLD: i64 = 6;

/// Texts of the changes up to [`OLD`], in order.
fn changes(database: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../sql/{database}/migrations"));
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let number = |file: &PathBuf| file.file_name().unwrap().to_str().unwrap()[..4].parse::<i64>().unwrap();
    files
        .iter()
        .filter(|file| number(file) <= OLD)
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect()
}

/// Gives the database of a stopped pool the shape that it had.
fn back_on_postgres(server: &Postgres) {
    let text = format!(
        "BEGIN;
         SET LOCAL session_replication_role = replica;
         ALTER SCHEMA public RENAME TO newer;
         CREATE SCHEMA public;
         ALTER SCHEMA public OWNER TO dagpool;
         SET LOCAL ROLE dagpool;
         CREATE TABLE schema_migrations AS SELECT * FROM newer.schema_migrations WHERE version <= {OLD};
         ALTER TABLE schema_migrations ADD PRIMARY KEY (version);
         {};
         DO $$
         DECLARE name text; known text; BEGIN
           DELETE FROM accounts; DELETE FROM payout_control;
           PERFORM share_hours_day(day, 9999) FROM (SELECT DISTINCT (hour AT TIME ZONE 'UTC')::date AS day FROM newer.share_hours) AS days;
           FOR name IN SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
                         AND NOT c.relispartition AND c.relname NOT IN ('schema_migrations', 'ledger_entries')
           LOOP
             SELECT string_agg(quote_ident(attname), ', ') INTO known FROM pg_attribute
             WHERE attrelid = ('public.' || name)::regclass AND attnum > 0 AND NOT attisdropped;
             EXECUTE format('INSERT INTO public.%1$I (%2$s) OVERRIDING SYSTEM VALUE SELECT %2$s FROM newer.%1$I', name, known);
             IF EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = ('public.' || name)::regclass AND attname = 'id' AND attidentity <> '') THEN
               EXECUTE format('SELECT setval(pg_get_serial_sequence(%L, ''id''), coalesce(max(id), 0) + 1, false) FROM public.%I', 'public.' || name, name);
             END IF;
           END LOOP;
         END $$;
         INSERT INTO ledger_entries (transaction_id, line, kind, account_id, amount)
         SELECT transaction_id, row_number() OVER (PARTITION BY transaction_id ORDER BY kind, account_id) - 1, kind, account_id, amount
         FROM newer.ledger_entries;
         RESET ROLE;
         DROP SCHEMA newer CASCADE;
         COMMIT;",
        changes("postgres").join(";\n"),
    );
    server.admin_sql(&text).unwrap();
}

fn back_on_sqlite(file: &Path) {
    let newer = file.with_extension("newer");
    // Everything into the file itself; its log goes with the last connection.
    let db = Connection::open(file).unwrap();
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(db);
    std::fs::rename(file, &newer).unwrap();
    let db = Connection::open(file).unwrap();
    db.pragma_update(None, "foreign_keys", "OFF").unwrap();
    db.execute("ATTACH ?1 AS newer", [newer.to_str().unwrap()]).unwrap();
    db.execute_batch(
        "CREATE TABLE schema_migrations (version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL,
                                         applied_at INTEGER NOT NULL) STRICT",
    )
    .unwrap();
    db.execute(
        "INSERT INTO schema_migrations SELECT * FROM newer.schema_migrations WHERE version <= ?1",
        [OLD],
    )
    .unwrap();
    for text in changes("sqlite") {
        db.execute_batch(&text).unwrap();
    }
    db.execute_batch("DELETE FROM accounts; DELETE FROM payout_control").unwrap();
    let names = |sql: &str| -> Vec<String> {
        let mut found = db.prepare(sql).unwrap();
        found.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    // A transaction's lines come before it: it seals them. They were made in this order, too.
    let tables =
        names("SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name <> 'schema_migrations'");
    for table in tables {
        let known = names(&format!("SELECT name FROM pragma_table_info('{table}', 'main')")).join(", ");
        db.execute_batch(&format!("INSERT INTO main.{table} ({known}) SELECT {known} FROM newer.{table}"))
            .unwrap();
    }
}

/// All that is about money, by the names that both shapes have.
const MONEY: [&str; 8] = [
    "SELECT kind, account_id, amount FROM balances ORDER BY 1, 2",
    "SELECT transaction_id, kind, account_id, amount FROM ledger_entries ORDER BY 1, 2, 3",
    "SELECT id, reference, kind, block, at FROM ledger_transactions ORDER BY 1",
    "SELECT number, hash, status, color, reward, income FROM blocks ORDER BY 1",
    "SELECT id, state, created_at, ended_at FROM payouts ORDER BY 1",
    "SELECT payout_id, line, account_id, amount FROM payout_items ORDER BY 1, 2",
    "SELECT payout_id, txid, fee FROM payout_transactions ORDER BY 1",
    "SELECT worker_id, algorithm, accepted, work FROM share_totals ORDER BY 1, 2",
];

fn on_postgres(server: &Postgres) -> Vec<String> {
    MONEY.iter().map(|query| server.sql(query).unwrap()).collect()
}

fn on_sqlite(file: &Path) -> Vec<String> {
    let db = Connection::open(file).unwrap();
    let all = MONEY.iter().map(|query| {
        let query =
            ["amount", "reward", "income", "fee", "work"].iter().fold((*query).to_owned(), |query, name| {
                let parts = format!(" {name}_hi, {name}_mid, {name}_lo");
                query
                    .replace(&format!(" {name} "), &format!("{parts} "))
                    .replace(&format!(" {name},"), &format!("{parts},"))
            });
        let mut rows = db.prepare(&query).unwrap();
        let columns = rows.column_count();
        let shown = rows.query_map([], |row| {
            (0..columns).map(|n| row.get::<_, rusqlite::types::Value>(n)).collect::<Result<Vec<_>, _>>()
        });
        shown.unwrap().map(|row| format!("{:?}\n", row.unwrap())).collect()
    });
    all.collect()
}

/// What an account has earned, newest first, but for what has become of it.
async fn earned(pool: &PoolProcess) -> Vec<Value> {
    let (status, body) = pool.get("/api/miners/miner0/earnings?limit=500").await;
    assert_eq!(status, 200, "{body:#}");
    let line =
        |item: &Value| json!([item["id"], item["block"], item["income"], item["revision"], item["amount"]]);
    body["items"].as_array().unwrap().iter().map(line).collect()
}

/// A pool that has paid, stopped at rest: nothing is mined and nothing is on its way.
async fn filled(more: &str) -> (NodeHandle, PoolProcess, SwarmHandle, Vec<Value>) {
    let node = mining::node("blake2s", 250, 1);
    let mut setup = setup(&node.rpc_url).await;
    setup.more.push_str(more);
    let mut pool = PoolProcess::start(setup);
    let mut swarm = mining::miners(pool.stratum, "blake2s", MINERS, None);
    pool.until("/api/stats", |_, stats| amount(&stats["ledger"]["paid"]) > 0).await;
    assert_paid_once(&pool, &node, &mut swarm, "the beginning").await;
    pool.until("/api/stats", |_, stats| stats["ledger"]["lag"] == 0).await;
    let before = earned(&pool).await;
    assert!(!before.is_empty());
    assert_eq!(pool.terminate(), Some(0), "{}", pool.log());
    (node, pool, swarm, before)
}

fn migrate(pool: &PoolProcess) -> Command {
    let mut command = Command::new(dagpool());
    command.args(["migrate", "--config"]).arg(pool.write_config());
    command
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The pool starts on it with clean books, knows what was earned before, and goes on to mine and to pay.
async fn goes_on(mut pool: PoolProcess, node: &NodeHandle, before: &[Value]) {
    pool.restart();
    pool.until("/health/ready", |status, _| status == 200).await;
    assert!(earned(&pool).await.ends_with(before));
    assert_clean(&pool);
    let (_, stats) = pool.get("/api/stats").await;
    let paid = amount(&stats["ledger"]["paid"]);
    assert!(paid > 0, "{stats:#}");
    // Credits of now stand before those of then.
    let mut swarm = mining::miners(pool.stratum, "blake2s", MINERS, None);
    pool.until("/api/miners/miner0/earnings?limit=500", |status, body| {
        status == 200 && body["items"].as_array().unwrap().len() > before.len()
    })
    .await;
    let now = earned(&pool).await;
    assert!(now.ends_with(before), "{now:#?} {before:#?}");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{}/api/admin/payouts/release", pool.http);
    let request =
        client.post(url).bearer_auth(pool_tests::pool::ADMIN_TOKEN).json(&json!({ "scope": "all" }));
    assert_eq!(request.send().await.unwrap().status(), 200);
    pool.until("/api/stats", |_, stats| amount(&stats["ledger"]["paid"]) > paid).await;
    assert_paid_once(&pool, node, &mut swarm, "the change").await;
    assert_clean(&pool);
}

#[actix_rt::test]
async fn a_filled_postgres_of_an_earlier_pool_is_brought_up_to_date_though_it_dies_meanwhile() {
    let mut server = Postgres::start();
    let (node, pool, _swarm, before) = filled(&format!("[store]\nurl = \"{}\"\n", server.url())).await;
    let money = on_postgres(&server);
    back_on_postgres(&server);
    assert_eq!(on_postgres(&server), money, "what an earlier pool would have left");
    let versions = "SELECT max(version) FROM schema_migrations";
    assert_eq!(server.sql(versions).unwrap(), OLD.to_string());
    for killed in ["server", "process"] {
        // Somebody reads: the last change waits for a lock, the ones before it are done.
        let (reader, connection) =
            tokio_postgres::connect(&server.url(), tokio_postgres::NoTls).await.unwrap();
        let connection = actix_rt::spawn(connection);
        reader.batch_execute("BEGIN; SELECT count(*) FROM balances").await.unwrap();
        let mut migrating = migrate(&pool);
        let mut migrating = migrating
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%LOCK TABLE%' AND pid <> pg_backend_pid()";
        while server.sql(waits).unwrap() != "1" {
            assert!(migrating.try_wait().unwrap().is_none(), "it does not wait");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        if killed == "server" {
            server.kill();
            let done = migrating.wait_with_output().unwrap();
            assert!(!done.status.success(), "{}", said(&done));
            server.restart();
        } else {
            migrating.kill().unwrap();
            migrating.wait().unwrap();
        }
        drop(reader);
        // It ends with its client, or with the server.
        let _ = connection.await;
        assert_eq!(server.sql(versions).unwrap(), OLD.to_string(), "all of it or nothing");
    }
    let done = migrate(&pool).output().unwrap();
    assert!(done.status.success(), "{}", said(&done));
    assert_eq!(on_postgres(&server), money);
    goes_on(pool, &node, &before).await;
}

#[actix_rt::test]
async fn a_filled_sqlite_of_an_earlier_pool_is_brought_up_to_date_though_the_process_dies_meanwhile() {
    let (node, pool, _swarm, before) = filled("").await;
    let file = pool.data().join("pool.db");
    let money = on_sqlite(&file);
    back_on_sqlite(&file);
    assert_eq!(on_sqlite(&file), money, "what an earlier pool would have left");
    // Killed at moments from before it begins to after its end.
    for pause in (0..20).map(|step| Duration::from_millis(step * 5)) {
        let mut migrating = migrate(&pool)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        tokio::time::sleep(pause).await;
        migrating.kill().unwrap();
        migrating.wait().unwrap();
    }
    let done = migrate(&pool).output().unwrap();
    assert!(done.status.success(), "{}", said(&done));
    assert_eq!(on_sqlite(&file), money);
    goes_on(pool, &node, &before).await;
}
