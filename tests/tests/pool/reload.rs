//! SIGHUP: what can change while the pool runs does, and the log says what can't.

use std::time::Duration;

use pool_tests::pool::{PATIENCE, PoolProcess, Setup};
use rustix::process::Signal;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::mining;

/// Waits until the log has a line with all these words.
async fn logged(pool: &PoolProcess, words: &[&str]) {
    let said = || pool.log().lines().any(|line| words.iter().all(|word| line.contains(word)));
    let waiting = async {
        while !said() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "{words:?} is not in {}", pool.log());
}

/// How many malformed requests a session gets answered before it is closed, six at most.
async fn malformed_taken(pool: &PoolProcess) -> usize {
    let mut miner = TcpStream::connect(pool.stratum).await.unwrap();
    let rubbish =
        "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n".to_owned() + &"rubbish\n".repeat(6);
    miner.write_all(rubbish.as_bytes()).await.unwrap();
    miner.write_all(b"{\"id\":99,\"method\":\"mining.ping\",\"params\":[]}\n").await.unwrap();
    let mut said = String::new();
    let mut bytes = [0; 4_096];
    let reading = async {
        // Until it is closed, or the last request is answered.
        while !said.contains("\"id\":99") {
            match miner.read(&mut bytes).await {
                Ok(0) | Err(_) => break,
                Ok(read) => said.push_str(&String::from_utf8_lossy(&bytes[..read])),
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("it is answered or closed");
    said.lines().filter(|line| line.contains("\"id\":null,") && line.contains("error")).count()
}

#[actix_rt::test]
async fn a_reload_changes_what_can_change_and_says_what_can_not() {
    let node = mining::node("blake2s", 300, 0);
    let mut pool = PoolProcess::start(Setup::simulated(&node.rpc_url, "blake2s").await);
    let mut swarm = mining::miners(pool.stratum, "blake2s", 3, None);
    swarm.accepted(20).await;
    assert_eq!(malformed_taken(&pool).await, 6);

    let more = "[banning]\nmalformed_max = 2\nduration_s = 0\n[log]\nlevel = \"debug\"\n[payout]\nfee_basis_points = 50\n";
    pool.setup().more = more.to_owned();
    pool.write_config();
    pool.signal(Signal::HUP);
    logged(&pool, &["banning.malformed_max is 2 from now on (was 20)"]).await;
    logged(&pool, &["log.level is \"debug\" from now on"]).await;
    logged(
        &pool,
        &["payout.fee_basis_points can't change while the pool runs: 50 takes effect with the next start"],
    )
    .await;
    logged(&pool, &["configuration reloaded", "changed=3"]).await;
    // In force, for sessions that were there before as well.
    assert!(malformed_taken(&pool).await <= 2);
    logged(&pool, &["DEBUG"]).await;

    pool.setup().more = "[banning]\nmalformed_maxx = 3\n".to_owned();
    pool.write_config();
    pool.signal(Signal::HUP);
    logged(
        &pool,
        &["was not reloaded, the running one stays", "did you mean `malformed_max`?", "CONFIG_INVALID"],
    )
    .await;
    let accepted = swarm.stats().accepted;
    swarm.accepted(accepted + 20).await;
    assert_eq!(swarm.stats().reconnects, 0, "nobody noticed");
    swarm.end();
    assert_eq!(pool.terminate(), Some(0), "{}", pool.log());
}
