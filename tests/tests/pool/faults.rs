//! The node gone, slow, mad, on another chain, not ready; ports taken, folders read-only, bad configuration. Sockets stay open, reasons are said, and mining goes on by itself.

use std::{net::TcpListener, process::Command};

use pool_tests::pool::{PoolProcess, Setup, dagpool};
use serde_json::{Value, json};

use crate::mining;

pub(crate) async fn faults(admin_url: &str, params: Value) {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "setFaults", "params": [params]});
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.post(admin_url).json(&body).send().await.unwrap();
    assert!(answer.status().is_success());
}

/// The fault comes, work pauses with a reason while every miner stays connected; it goes, and shares flow again.
async fn rides_out(fault: Value, cure: Value, word: &str) {
    let node = mining::node("blake2s", 300, 0);
    let pool = PoolProcess::start(Setup::simulated(&node.rpc_url, "blake2s").await);
    let swarm = mining::miners(pool.stratum, "blake2s", 3, None);
    swarm.accepted(20).await;
    faults(&node.admin_url, fault).await;
    let body = pool.until("/health/ready", |status, _| status == 503).await;
    assert!(body.to_string().contains(word), "{word:?} is not in {body:#}");
    let stats = pool.until("/api/stats", |_, stats| stats["network"]["ready"] == false).await;
    assert!(!stats["network"]["reason"].as_str().unwrap().is_empty());
    assert_eq!(swarm.stats().connected, 3, "sockets stay open");
    faults(&node.admin_url, cure).await;
    pool.until("/health/ready", |status, _| status == 200).await;
    let before = swarm.stats().accepted;
    swarm.accepted(before + 20).await;
    let stats = swarm.stop();
    assert_eq!((stats.reconnects, stats.lost), (0, 0), "nobody had to reconnect");
}

#[actix_rt::test]
async fn a_node_that_is_gone() {
    rides_out(json!({"drop_connections": true}), json!({"drop_connections": false}), "node").await;
}

#[actix_rt::test]
async fn a_node_that_answers_rubbish() {
    rides_out(json!({"rubbish": true}), json!({"rubbish": false}), "rubbish").await;
}

#[actix_rt::test]
async fn a_node_that_is_not_ready() {
    rides_out(json!({"not_ready": "catching up"}), json!({"not_ready": null}), "catching up").await;
}

#[actix_rt::test]
async fn a_node_on_the_wrong_chain() {
    rides_out(json!({"chain_id": "other"}), json!({"chain_id": null}), "chain").await;
}

#[actix_rt::test]
async fn a_node_slower_than_the_time_limit() {
    let node = mining::node("blake2s", 300, 0);
    let mut setup = Setup::simulated(&node.rpc_url, "blake2s").await;
    setup.chain = "rpc_timeout_ms = 500".to_owned();
    let pool = PoolProcess::start(setup);
    let swarm = mining::miners(pool.stratum, "blake2s", 3, None);
    swarm.accepted(20).await;
    faults(&node.admin_url, json!({"delay_ms": 2_000})).await;
    pool.until("/health/ready", |status, _| status == 503).await;
    faults(&node.admin_url, json!({"delay_ms": 0})).await;
    pool.until("/health/ready", |status, _| status == 200).await;
    let before = swarm.stats().accepted;
    swarm.accepted(before + 20).await;
    assert_eq!(swarm.stop().reconnects, 0);
}

#[actix_rt::test]
async fn a_block_whose_answer_was_lost_is_submitted_to_a_verdict() {
    let node = mining::node("blake2s", 300, 0);
    let pool = PoolProcess::start(Setup::simulated(&node.rpc_url, "blake2s").await);
    faults(&node.admin_url, json!({"lose_submit_answer": true})).await;
    let _swarm = mining::miners(pool.stratum, "blake2s", 3, None);
    pool.until("/api/stats", |_, stats| stats["blocks"]["candidate"].as_u64() > Some(0)).await;
    faults(&node.admin_url, json!({"lose_submit_answer": false})).await;
    let stats = pool.until("/api/stats", |_, stats| stats["ledger"]["confirmed"] != "0").await;
    assert_eq!(stats["blocks"]["rejected"], 0, "{stats:#}");
    mining::assert_balanced(&stats);
}

/// What `dagpool run` says with this configuration, and its exit code.
fn refusal(config: &str) -> (String, Option<i32>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pool.toml");
    std::fs::write(&file, config.replace("FOLDER", &folder.path().display().to_string())).unwrap();
    let output = Command::new(dagpool()).args(["run", "--config"]).arg(&file).output().unwrap();
    (String::from_utf8_lossy(&output.stderr).into_owned(), output.status.code())
}

#[test]
fn what_can_not_start_says_one_clear_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap();
    let usable = "[chain]\npayout_address = \"mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn\"\n[pool]\ndata_dir = \"FOLDER/data\"\n";
    let cases = [
        ("[pool]\nnam = \"x\"".to_owned(), "did you mean `name`?", "CONFIG_INVALID"),
        ("this is no toml".to_owned(), "is not valid TOML", "CONFIG_INVALID"),
        (String::new(), "chain.payout_address is empty", "CONFIG_INVALID"),
        (
            "[chain]\npayout_address = \"mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn\"\n[pool]\ndata_dir = \"/proc/nothing\"".to_owned(),
            "/proc/nothing",
            "DATA_DIR_UNWRITABLE",
        ),
        (format!("{usable}[algorithms]\nactive = \"blake2\""), "blake2s", "ALGORITHM_UNKNOWN"),
        (
            format!("{usable}[http]\naddress = \"127.0.0.1:0\"\n[[stratum.listener]]\naddress = \"{port}\""),
            &format!("{port}"),
            "ADDRESS_UNAVAILABLE",
        ),
        (
            format!("{usable}[http]\naddress = \"{port}\"\n[[stratum.listener]]\naddress = \"127.0.0.1:0\""),
            &format!("{port}"),
            "ADDRESS_UNAVAILABLE",
        ),
    ];
    for (config, word, code) in cases {
        let (said, status) = refusal(&config);
        let error = said.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
        assert!(error.contains(word) && error.contains(code), "{word:?}, {code}: {said}");
        assert_eq!(status, Some(1), "{said}");
    }
}

#[actix_rt::test]
async fn one_folder_serves_one_pool() {
    let node = mining::node("blake2s", 1_000, 0);
    let pool = PoolProcess::start(Setup::simulated(&node.rpc_url, "blake2s").await);
    let data = pool.data().display().to_string();
    let (said, status) = refusal(&format!(
        "[chain]\npayout_address = \"mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn\"\n[pool]\ndata_dir = {data:?}\n[http]\naddress = \"127.0.0.1:0\"\n\
         [[stratum.listener]]\naddress = \"127.0.0.1:0\"\n"
    ));
    assert!(said.contains("in use by another pool process") && said.contains("DATA_DIR_IN_USE"), "{said}");
    assert_eq!(status, Some(1));
}

/// What this command says about a stopped pool's configuration when `pool.node_id` is 7, and its exit code.
fn as_node_7(command: &str, pool: &PoolProcess) -> (String, Option<i32>) {
    let output = Command::new(dagpool())
        .args([command, "--config"])
        .arg(pool.data().with_file_name("pool.toml"))
        .env("DAGPOOL__POOL__NODE_ID", "7")
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (String::from_utf8_lossy(&said).into_owned(), output.status.code())
}

#[actix_rt::test]
async fn a_data_folder_keeps_its_node_number() {
    let node = mining::node("blake2s", 300, 0);
    let mut pool = PoolProcess::start(Setup::simulated(&node.rpc_url, "blake2s").await);
    let swarm = mining::miners(pool.stratum, "blake2s", 3, None);
    swarm.accepted(20).await;
    pool.until("/api/stats", |_, stats| {
        stats["pool"]["shares"]["accepted"].as_u64() > Some(0) && stats["ledger"]["lag"] == 0
    })
    .await;
    assert_eq!(pool.terminate(), Some(0), "{}", pool.log());
    // A folder from before folders were marked is known by its ledger.
    for marked in [true, false] {
        if !marked {
            std::fs::remove_file(pool.data().join("journal/node-0.node")).unwrap();
        }
        for command in ["run", "check"] {
            let (said, status) = as_node_7(command, &pool);
            let line = said.lines().find(|line| line.contains("NODE_ID_CHANGED")).unwrap_or_default();
            assert!(line.contains("node-7") && line.contains("set pool.node_id = 0"), "{command}: {said}");
            assert_eq!(status, Some(1), "{said}");
        }
    }
    let accepted = swarm.stats().accepted;
    pool.restart();
    swarm.accepted(accepted + 20).await;
}

#[actix_rt::test]
async fn a_signal_stops_it_in_order() {
    let node = mining::node("blake2s", 300, 0);
    let mut pool = PoolProcess::start(Setup::simulated(&node.rpc_url, "blake2s").await);
    let swarm = mining::miners(pool.stratum, "blake2s", 3, None);
    swarm.accepted(20).await;
    assert_eq!(pool.terminate(), Some(0), "{}", pool.log());
    let accepted = swarm.stats().accepted;
    pool.restart();
    swarm.accepted(accepted + 20).await;
}
