//! SIGHUP: what can change while the pool runs does, and the log says what can't.

use std::time::Duration;

use pool_tests::pool::{ADMIN_TOKEN, PATIENCE, PoolProcess, Setup};
use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};
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

/// A request to a route for operators.
async fn ask(pool: &PoolProcess, method: Method, path: &str, body: Value) -> (u16, Value) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.request(method, format!("http://{}{path}", pool.http)).bearer_auth(ADMIN_TOKEN);
    let answer = request.json(&body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

async fn reload(pool: &PoolProcess, dry_run: bool) -> (u16, Value) {
    ask(pool, Method::POST, "/api/admin/config/reload", json!({ "dry_run": dry_run })).await
}

/// A key as the API shows it.
async fn shown(pool: &PoolProcess, section: &str, key: &str) -> Value {
    let (status, config) = pool.get_as_admin("/api/admin/config").await;
    assert_eq!(status, 200, "{config}");
    let found = |list: &Value, name: &str| {
        list.as_array().unwrap().iter().find(|one| one["name"] == *name).cloned().unwrap()
    };
    found(&found(&config["sections"], section)["keys"], key)
}

#[actix_rt::test]
async fn the_api_reloads_after_a_dry_run_and_the_trail_says_who() {
    let node = mining::node("blake2s", 300, 0);
    let mut setup = Setup::simulated(&node.rpc_url, "blake2s").await;
    setup.more = "[payout]\nenabled = true\nthreshold = \"5\"\n".to_owned();
    setup.environment.push(("DAGPOOL__VARDIFF__DEADBAND_BASIS_POINTS", "2500".to_owned()));
    let mut pool = PoolProcess::start(setup);
    assert_eq!(shown(&pool, "payout", "threshold").await["source"], "file");
    assert_eq!(shown(&pool, "vardiff", "deadband_basis_points").await["source"], "environment");
    assert_eq!(shown(&pool, "vardiff", "target_interval_ms").await["source"], "default");
    assert_eq!(shown(&pool, "auth", "admin_token").await["value"], "***");
    assert_eq!(reload(&pool, true).await.1["changes"], json!([]));

    let more = "[payout]\nenabled = true\nthreshold = \"7\"\ninterval_s = 60\n[alerts]\nevery_s = 5\n";
    let rule = "[[alerts.rule]]\nname = \"own\"\nmetric = \"dagpool_node_ready\"\nabove = 0.5\nmessage = \"ready\"\n";
    pool.setup().more = format!("{more}{rule}");
    pool.write_config();
    let (status, dry) = reload(&pool, true).await;
    // What waits is where it listens: at the start any free port was asked for.
    assert_eq!((status, &dry["live"], &dry["waiting"]), (200, &json!(3), &json!(2)), "{dry}");
    assert_eq!(shown(&pool, "payout", "threshold").await["value"], "5");
    let (status, done) = reload(&pool, false).await;
    assert_eq!((status, &done["dry_run"], &done["changes"]), (200, &json!(false), &dry["changes"]));
    assert_eq!(shown(&pool, "payout", "threshold").await["value"], "7");
    let (_, payouts) = pool.get_as_admin("/api/admin/payouts").await;
    assert_eq!(payouts["rules"]["threshold"], "700000000", "{payouts}");
    assert_eq!(payouts["rules"]["interval_s"], 60);
    // The newer rule is looked at: its alert fires on a pool whose node is ready.
    let firing = async {
        loop {
            let (_, alerts) = pool.get_as_admin("/api/alerts").await;
            if alerts["firing"].as_array().unwrap().iter().any(|alert| alert["rule"] == "own") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, firing).await.expect("the newer rule is in force");

    pool.setup().more = "[payout]\nthreshold = \"much\"\n".to_owned();
    pool.write_config();
    let (status, refused) = reload(&pool, false).await;
    assert_eq!((status, &refused["error"]["code"]), (422, &json!("CONFIG_NOT_RELOADED")), "{refused}");
    assert_eq!(shown(&pool, "payout", "threshold").await["value"], "7", "nothing has changed");
    pool.setup().more = more.to_owned();
    pool.write_config();
    pool.signal(Signal::HUP);
    logged(&pool, &["alerts.rule is [] from now on"]).await;
    logged(&pool, &["audit", "SIGHUP", "config.reload"]).await;
    let (_, trail) = pool.get_as_admin("/api/admin/audit").await;
    let lines = trail["items"].as_array().unwrap();
    // Dry runs are in it as well, and changed nothing.
    let by_api =
        |line: &&Value| line["action"] == "POST /api/admin/config/reload" && line["before"].is_object();
    let line = lines.iter().find(by_api).unwrap();
    assert_eq!(
        (&line["before"]["payout.threshold"], &line["after"]["payout.threshold"]),
        (&json!("\"5\""), &json!("\"7\""))
    );

    // The log is read by the command; it holds no token.
    let url = format!("http://{}", pool.http);
    let args = ["logs", "--category", "audit", "--last", "1h", "--url", &url, "--token"];
    let (code, said, error) = pool.command(&[&args[..], &[ADMIN_TOKEN]].concat());
    assert_eq!(code, Some(0), "{error}");
    assert!(said.contains("POST /api/admin/config/reload") && !said.contains(ADMIN_TOKEN), "{said}");
    let (code, _, error) = pool.command(&[&args[..], &["wrong"]].concat());
    assert!(code == Some(1) && error.contains("UNAUTHORIZED"), "{code:?} {error}");
    assert_eq!(pool.terminate(), Some(0), "{}", pool.log());
}

#[actix_rt::test]
async fn a_ban_by_hand_ends_sessions_and_keeps_them_out_until_it_is_lifted() {
    let node = mining::node("blake2s", 300, 0);
    let mut setup = Setup::simulated(&node.rpc_url, "blake2s").await;
    // The pool bans nobody by itself: an operator still can.
    setup.more = "[banning]\nenabled = false\n".to_owned();
    let mut pool = PoolProcess::start(setup);
    let mut swarm = mining::miners(pool.stratum, "blake2s", 3, None);
    swarm.accepted(20).await;
    let (_, connections) = pool.get_as_admin("/api/admin/connections").await;
    assert_eq!(connections["total"], 3, "{connections}");
    let first = &connections["items"][0];
    let path = format!("/api/admin/connections/{}", first["session"]);
    assert_eq!(ask(&pool, Method::DELETE, &path, Value::Null).await.0, 204);
    assert_eq!(ask(&pool, Method::DELETE, &path, Value::Null).await.0, 404);
    let peer: std::net::SocketAddr = first["peer"].as_str().unwrap().parse().unwrap();
    let body = json!({ "address": peer.ip(), "for_s": 600, "reason": "a test" });
    let (status, banned) = ask(&pool, Method::POST, "/api/admin/bans", body).await;
    assert_eq!((status, &banned["reason"]), (201, &json!("operator")), "{banned}");
    // Whoever connects from there is closed before a word is said.
    let mut refused = TcpStream::connect(pool.stratum).await.unwrap();
    let read = tokio::time::timeout(PATIENCE, refused.read(&mut [0; 16])).await.expect("it is closed");
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    let empty = async {
        while pool.get_as_admin("/api/admin/connections").await.1["total"] != 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, empty).await.expect("all of its sessions end");
    let path = format!("/api/admin/bans/{}", peer.ip());
    assert_eq!(ask(&pool, Method::DELETE, &path, Value::Null).await.0, 204);
    let accepted = swarm.stats().accepted;
    swarm.accepted(accepted + 20).await;
    swarm.end();
    assert_eq!(pool.terminate(), Some(0), "{}", pool.log());
}
