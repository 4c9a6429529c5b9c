//! The auditor on a real pool's folder, statements and proofs on its command line: clean while it runs, after it was killed,
//! and one changed unit is found.

use pool_tests::pool::{PoolProcess, Setup};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::mining;

/// A pool that has paid some blocks, with its miners still at work.
async fn paid() -> (simulations::node::NodeHandle, PoolProcess, simulations::miners::SwarmHandle, Value) {
    let node = mining::node("blake2s", 200, 2);
    let pool = PoolProcess::start(Setup::simulated(&node.rpc_url, "blake2s").await);
    let swarm = mining::miners(pool.stratum, "blake2s", 3, None);
    let blocks = pool
        .until("/api/blocks?limit=100&status=paid", |_, blocks| {
            blocks["items"].as_array().unwrap().len() >= 3
        })
        .await;
    (node, pool, swarm, blocks["items"][0].clone())
}

fn clean(pool: &PoolProcess) -> Value {
    let report = pool.audit();
    assert_eq!((&report["clean"], &report["unchecked"]), (&json!(true), &json!([])), "{report:#}");
    assert!(report["checked"]["windows"].as_u64() >= Some(3), "{report:#}");
    report
}

#[actix_rt::test]
async fn a_pool_is_audited_while_it_runs_and_after_kill_9_and_one_unit_is_found() {
    let (_node, mut pool, mut swarm, _) = paid().await;
    clean(&pool);
    pool.kill();
    swarm.end();
    let report = clean(&pool);
    assert_eq!(report["nodes"][0]["journal_from"], 1);

    // What the database itself refuses is done behind its back.
    let path = pool.data().join("pool.db");
    let change = |statement: &str| {
        let db = Connection::open(&path).unwrap();
        let changed = db.execute(statement, []).unwrap();
        assert_eq!(changed, 1, "{statement}");
    };
    let db = Connection::open(&path).unwrap();
    for trigger in ["ledger_entries_no_update", "block_splits_no_update"] {
        db.execute(&format!("DROP TRIGGER {trigger}"), []).unwrap();
    }
    drop(db);
    let first_of = |column: &str, table: &str, condition: &str, by: &str| {
        format!(
            "UPDATE {table} SET {column} = {column} {by} WHERE rowid = (SELECT rowid FROM {table} WHERE {condition} LIMIT 1)"
        )
    };
    let entry = "UPDATE ledger_entries SET amount_lo = amount_lo + 1 WHERE (transaction_id, line) = \
                 (SELECT transaction_id, line FROM ledger_entries WHERE kind = 'miner_confirmed' AND amount_lo BETWEEN 1 AND 9000000000 LIMIT 1)";
    let balance = "UPDATE balances SET amount_lo = amount_lo + 1 WHERE (account_id, kind) = \
                   (SELECT account_id, kind FROM balances WHERE kind = 'miner_confirmed' AND amount_lo BETWEEN 1 AND 9000000000 LIMIT 1)";
    let shares = "UPDATE share_totals SET accepted = accepted + 1 WHERE (worker_id, algorithm) = \
                  (SELECT worker_id, algorithm FROM share_totals LIMIT 1)";
    let back = |statement: &str| statement.replace("+ 1", "- 1");
    for (statement, undo, area) in [
        (entry.to_owned(), back(entry), "posting"),
        (balance.to_owned(), back(balance), "balance"),
        (shares.to_owned(), back(shares), "shares"),
        (
            first_of("last_seq", "block_splits", "1", "- 1"),
            first_of("last_seq", "block_splits", "1", "+ 1"),
            "window",
        ),
        (
            first_of("first_counted_lo", "block_splits", "1", "+ 1"),
            first_of("first_counted_lo", "block_splits", "1", "- 1"),
            "window",
        ),
        (
            first_of("network_work_lo", "blocks", "1", "+ 1"),
            first_of("network_work_lo", "blocks", "1", "- 1"),
            "block",
        ),
    ] {
        change(&statement);
        let report = pool.audit();
        assert_eq!(
            (&report["clean"], report["first"][0]["area"].as_str()),
            (&json!(false), Some(area)),
            "{report:#}"
        );
        change(&undo);
        clean(&pool);
    }
    let db = Connection::open(&path).unwrap();
    db.execute("UPDATE block_splits SET root = zeroblob(32) WHERE number = 1", []).unwrap();
    let report = pool.audit();
    assert_eq!(report["first"][0]["area"], "root", "{report:#}");
    let folder = pool.data();
    let (code, out, _) = pool.command(&["ledger", "audit", "--data-dir", folder.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(out.contains("DIFFERENT  root, block"), "{out}");
}

#[actix_rt::test]
async fn a_miner_checks_a_block_without_trust() {
    let (_node, mut pool, mut swarm, block) = paid().await;
    let hash = block["hash"].as_str().unwrap();
    let url = format!("http://{}", pool.http);
    let (_, statement) = pool.get(&format!("/api/blocks/{hash}/statement")).await;
    let account = statement["items"][0]["account"].as_str().unwrap();
    let file = pool.data().join("proof.json");
    let file = file.to_str().unwrap();
    let (code, _, error) = pool.command(&["ledger", "proof", hash, account, "--url", &url, "--out", file]);
    assert_eq!(code, Some(0), "{error}");
    let root = statement["root"].as_str().unwrap();
    let (code, out, _) = pool.command(&["ledger", "verify-proof", file, "--root", root]);
    assert_eq!(code, Some(0), "{out}");
    let (code, out, _) = pool.command(&["ledger", "verify-proof", file, "--root", hash, "--json"]);
    assert_eq!(code, Some(1), "{out}");
    let mut forged: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    forged["reward_part"] = json!("999999999999");
    std::fs::write(file, forged.to_string()).unwrap();
    let (code, out, _) = pool.command(&["ledger", "verify-proof", file]);
    assert_eq!((code, out.contains("NOT valid")), (Some(1), true), "{out}");

    // The same from the folder, without the pool.
    swarm.end();
    assert_eq!(pool.terminate(), Some(0));
    let folder = pool.data();
    let folder = folder.to_str().unwrap();
    let (code, out, error) = pool.command(&["ledger", "statement", hash, "--data-dir", folder, "--json"]);
    assert_eq!(code, Some(0), "{error}");
    let stored: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&stored["root"], &stored["items"]), (&statement["root"], &statement["items"]));
    let (code, out, error) = pool.command(&["ledger", "export", account, "--data-dir", folder]);
    assert_eq!(code, Some(0), "{error}");
    assert!(out.lines().any(|line| line.contains(hash) && line.contains(",confirmed,")), "{out}");
    let (code, out, _) = pool.command(&["ledger", "balance", account, "--data-dir", folder, "--json"]);
    assert_eq!((code, out.contains("confirmed")), (Some(0), true), "{out}");
    let (code, _, error) = pool.command(&["ledger", "statement", root, "--data-dir", folder]);
    assert_eq!((code, error.contains("NOT_IN_BOOKS")), (Some(1), true), "{error}");
}
