//! The whole pool on a real PostgreSQL.

use std::process::Command;

use pool_tests::{
    pool::{PoolProcess, Setup, amount, dagpool},
    postgres::Postgres,
};
use serde_json::Value;
use simulations::{miners::SwarmHandle, node::NodeHandle};

use crate::mining;

/// A pool whose store is at this address.
pub(crate) async fn setup(node: &NodeHandle, url: &str) -> Setup {
    let mut setup = Setup::simulated(&node.rpc_url, "blake2s").await;
    setup.more = format!("[store]\nurl = \"{url}\"\n");
    setup
}

/// Each account is credited with as many shares as its miner was told, or as lie in the journal.
pub(crate) async fn assert_credited(pool: &mut PoolProcess, swarm: &SwarmHandle) {
    assert_eq!(pool.terminate(), Some(0), "{}", pool.log());
    let journalled = pool.journalled();
    pool.restart();
    let stats = pool.until("/api/stats", |_, stats| stats["ledger"]["lag"] == 0).await;
    for miner in swarm.miners() {
        let account = miner.user.split('.').next().unwrap();
        let durable = journalled.get(account).copied().unwrap_or(0);
        // A share whose answer died with the connection may be durable all the same.
        let possible = miner.accepted..=miner.submitted;
        assert!(possible.contains(&durable), "{durable} shares are in the journal: {miner:?}");
        pool.until(&format!("/api/miners/{account}"), |_, body| body["shares"]["accepted"] == durable).await;
    }
    mining::assert_balanced(&stats);
    let (told, credited) = (swarm.stats(), journalled.values().sum::<u64>());
    println!(
        "{} shares acknowledged, {} sent, {credited} journalled and credited once each; refused: {:?}",
        told.accepted, told.submitted, told.rejected
    );
}

/// `dagpool COMMAND --config ... --json`: its output, and its exit code.
fn run(pool: &PoolProcess, words: &[&str]) -> (Value, Option<i32>) {
    let config = pool.write_config();
    let output =
        Command::new(dagpool()).args(words).arg("--json").arg("--config").arg(config).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    (serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")), output.status.code())
}

#[actix_rt::test]
async fn blocks_are_paid_and_every_share_is_credited_once() {
    let server = Postgres::start();
    let node = mining::node("blake2s", 200, 1);
    // The password is not asked for; it must not show anywhere.
    let url = server.url().replace("dagpool@", "dagpool:hush@");
    let mut pool = PoolProcess::start(setup(&node, &url).await);
    let mut swarm = mining::miners(pool.stratum, "blake2s", 4, None);
    pool.until("/api/stats", |_, stats| {
        stats["blocks"]["paid"].as_u64() >= Some(2) && amount(&stats["ledger"]["confirmed"]) > 0
    })
    .await;
    pool.until("/health/ready", |status, _| status == 200).await;
    // Another process for the same node, with a folder of its own, is refused, and the first one goes on.
    let rival = tempfile::tempdir().unwrap();
    let config = std::fs::read_to_string(pool.write_config()).unwrap();
    let ours = format!("{:?}", pool.data());
    let file = rival.path().join("pool.toml");
    let theirs = config.replace(&ours, &format!("{:?}", rival.path().join("data")));
    std::fs::write(&file, theirs).unwrap();
    let refused = Command::new(dagpool()).args(["run", "--config"]).arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("another pool process feeds it as node-0"), "{said}");
    assert!(said.contains("STORE_UNUSABLE"), "{said}");
    let accepted = swarm.stats().accepted;
    swarm.accepted(accepted + 20).await;
    swarm.end();
    let miner = swarm.miners()[0].user.split('.').next().unwrap().to_owned();
    let history = pool
        .until(&format!("/api/miners/{miner}/hashrate?hours=2"), |status, body| {
            status == 200 && body["items"].as_array().is_some_and(|items| !items.is_empty())
        })
        .await;
    assert!(history["items"][0]["hashrate"].as_u64() > Some(0), "{history:#}");
    assert_eq!(pool.get(&format!("/api/miners/{miner}/hashrate?hours=0")).await.0, 400);

    assert_credited(&mut pool, &swarm).await;
    let sums = server.sql("SELECT sum(amount) FROM ledger_entries").unwrap();
    assert_eq!(sums, "0");
    assert_eq!(pool.terminate(), Some(0));
    assert!(!pool.log().contains("hush"), "the password is in the log");

    let (schema, code) = run(&pool, &["migrate", "status"]);
    assert_eq!((&schema["pending"], code), (&serde_json::json!(0), Some(0)), "{schema:#}");
    assert!(!schema.to_string().contains("hush"), "{schema:#}");
    let (report, _) = run(&pool, &["check"]);
    for check in ["database", "migrations", "node number"] {
        let lines = report.as_array().unwrap();
        let line = lines.iter().find(|line| line["check"] == check).unwrap();
        assert_eq!(line["ok"], true, "{report:#}");
    }
    assert!(!report.to_string().contains("hush"), "{report:#}");
}
