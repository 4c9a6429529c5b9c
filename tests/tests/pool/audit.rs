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

/// The books agree with journal and chain.
pub(crate) fn assert_clean(pool: &PoolProcess) {
    let config = pool.write_config();
    let (code, report) = audit(pool, &["--config", config.to_str().unwrap()]);
    assert_eq!((code, &report["clean"]), (Some(0), &json!(true)), "{report:#}");
    println!("audit: {}", report["checked"]);
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

/// `dagpool ledger audit` with these words; exit code and report.
fn audit(pool: &PoolProcess, words: &[&str]) -> (Option<i32>, Value) {
    let all = [&["ledger", "audit", "--json"], words].concat();
    let (code, out, error) = pool.command(&all);
    (code, serde_json::from_str(&out).unwrap_or_else(|_| panic!("no report: {out}{error}")))
}

fn has(report: &Value, area: &str, words: &str) -> bool {
    let mut all = report["first"].as_array().unwrap().iter();
    all.any(|found| found["area"] == area && found["what"].as_str().unwrap().contains(words))
}

#[actix_rt::test]
async fn books_are_compared_with_the_chain_and_one_unit_is_found() {
    let node = mining::node("blake2s", 200, 2);
    let mut pool = PoolProcess::start(crate::payouts::setup(&node.rpc_url).await);
    let mut swarm = mining::miners(pool.stratum, "blake2s", 3, None);
    pool.until("/api/stats", |_, stats| {
        stats["ledger"]["paid"] != "0" && stats["blocks"]["paid"].as_u64() >= Some(3)
    })
    .await;
    swarm.end();
    assert_eq!(pool.terminate(), Some(0), "{}", pool.log());
    let config = pool.write_config();
    let config = config.to_str().unwrap();
    let (code, report) = audit(&pool, &["--config", config]);
    assert_eq!((code, &report["clean"]), (Some(0), &json!(true)), "{report:#}");
    let checked = &report["checked"];
    assert!(
        checked["chain_blocks"].as_u64() >= Some(3) && checked["chain_payouts"].as_u64() >= Some(1),
        "{report:#}"
    );

    let path = pool.data().join("pool.db");
    let change = |statement: &str| {
        let db = Connection::open(&path).unwrap();
        db.execute_batch(statement).unwrap();
    };
    let drop_triggers = |table: &str| {
        let db = Connection::open(&path).unwrap();
        let mut names =
            db.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?").unwrap();
        let names: Vec<String> =
            names.query_map([table], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        for name in names {
            db.execute_batch(&format!("DROP TRIGGER {name}")).unwrap();
        }
    };
    for table in ["payout_items", "payout_transactions", "blocks", "payouts"] {
        drop_triggers(table);
    }
    // A payout's item, its transaction, its state; a block's reward, its colour: each is what the chain does not have.
    let settled = "(SELECT id FROM payouts WHERE state = 'settled' LIMIT 1)";
    let item = |by: &str| {
        format!("UPDATE payout_items SET amount_lo = amount_lo {by} WHERE payout_id = {settled} AND line = 0")
    };
    change(&item("+ 1"));
    let (code, report) = audit(&pool, &["--config", config]);
    assert_eq!(code, Some(1));
    assert!(has(&report, "chain", "what it pays to"), "{report:#}");
    let (code, report) = audit(&pool, &["--config", config, "--no-chain"]);
    assert!(!has(&report, "chain", ""), "{code:?} {report:#}");
    change(&item("- 1"));
    let (code, report) = audit(&pool, &["--config", config]);
    assert_eq!(code, Some(0), "{report:#}");

    let paid = "(SELECT number FROM blocks WHERE status = 'paid' LIMIT 1)";
    let reward = |by: &str| format!("UPDATE blocks SET reward_lo = reward_lo {by} WHERE number = {paid}");
    change(&reward("+ 1"));
    let (code, report) = audit(&pool, &["--config", config]);
    assert_eq!(code, Some(1));
    assert!(has(&report, "chain", "its reward is"), "{report:#}");
    change(&reward("- 1"));

    change(&format!(
        "UPDATE payout_transactions SET txid = '{}' WHERE payout_id = {settled}",
        "ab".repeat(32)
    ));
    let (code, report) = audit(&pool, &["--config", config]);
    assert_eq!(code, Some(1));
    assert!(has(&report, "chain", "no block of the chain holds"), "{report:#}");
    drop(node);
    let (code, _, error) = pool.command(&["ledger", "audit", "--config", config]);
    assert_eq!((code, error.contains("NODE_UNUSABLE")), (Some(1), true), "{error}");
}

#[actix_rt::test]
async fn a_saved_audit_is_derived_again_without_the_journal_and_one_unit_is_found() {
    let (_node, mut pool, mut swarm, _) = paid().await;
    swarm.end();
    assert_eq!(pool.terminate(), Some(0));
    let (folder, file) = (pool.data(), pool.data().join("books.jsonl"));
    let (folder, file) = (folder.to_str().unwrap(), file.to_str().unwrap());
    let (code, saved) = audit(&pool, &["--data-dir", folder, "--save", file]);
    assert_eq!(code, Some(0), "{saved:#}");
    // Nothing else is there any more.
    std::fs::rename(pool.data().join("journal"), pool.data().join("gone")).unwrap();
    let (code, report) = audit(&pool, &["--from", file]);
    assert_eq!(
        (code, &report["checked"], &report["nodes"]),
        (Some(0), &saved["checked"], &saved["nodes"]),
        "{report:#}"
    );
    let (code, _, error) = pool.command(&["ledger", "audit", "--data-dir", folder, "--save", file]);
    assert_eq!(
        (code, error.contains("FILE_UNUSABLE")),
        (Some(1), true),
        "an old file is not written over: {error}"
    );

    let text = std::fs::read_to_string(file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let changed = |is: &dyn Fn(&Value) -> bool, change: &dyn Fn(&mut Value)| {
        let at = lines.iter().position(|line| is(&serde_json::from_str(line).unwrap())).expect("such a line");
        let mut line: Value = serde_json::from_str(lines[at]).unwrap();
        change(&mut line);
        let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        lines[at] = line.to_string();
        std::fs::write(file, lines.join("\n") + "\n").unwrap();
        audit(&pool, &["--from", file])
    };
    let plus_one = |value: &mut Value| {
        let amount: i128 = value.as_str().unwrap().parse().unwrap();
        *value = json!((amount + 1).to_string());
    };
    let (code, report) = changed(&|line| !line["record"][1]["share"].is_null(), &|line| {
        plus_one(&mut line["record"][1]["share"]["work"]);
    });
    assert_eq!(code, Some(1), "a share's work: {report:#}");
    assert!(has(&report, "shares", "") || has(&report, "window", ""), "{report:#}");
    let posted = |line: &Value| line["book"]["transaction"]["kind"] == "credit_posted";
    let (code, report) = changed(&posted, &|line| plus_one(&mut line["book"]["transaction"]["lines"][0][2]));
    assert_eq!((code, has(&report, "posting", "")), (Some(1), true), "an amount: {report:#}");
    let balance = |line: &Value| !line["book"]["balance"].is_null();
    let (code, report) = changed(&balance, &|line| plus_one(&mut line["book"]["balance"]["amount"]));
    assert_eq!((code, has(&report, "balance", "")), (Some(1), true), "a balance: {report:#}");
    // A file that lost its end is no file.
    std::fs::write(file, lines[..lines.len() - 1].join("\n")).unwrap();
    let (code, _, error) = pool.command(&["ledger", "audit", "--from", file]);
    assert_eq!((code, error.contains("FILE_UNUSABLE")), (Some(1), true), "{error}");
}
