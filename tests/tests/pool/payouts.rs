//! Payouts of a real pool process: miners are paid by themselves, and `kill -9` at any moment pays nobody twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use pool_tests::{
    pool::{ADMIN_TOKEN, PATIENCE, PoolProcess, Setup, amount, dagpool},
    postgres::Postgres,
};
use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};
use serde_json::{Value, json};
use simulations::{miners::SwarmHandle, node::NodeHandle};

use crate::mining;

/// Kills in CI; the long form runs by `make soak`.
const KILLS: usize = 6;
const KILLS_SOAK: usize = 200;
pub(crate) const MINERS: usize = 4;

pub(crate) async fn rpc(url: &str, method: &str, params: Value) -> Value {
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer: Value = client.post(url).json(&request).send().await.unwrap().json().await.unwrap();
    assert!(answer["error"].is_null(), "{method}: {answer}");
    answer["result"].clone()
}

/// What the chain paid to each miner.
async fn on_chain(node: &str) -> BTreeMap<String, i128> {
    let mut paid = BTreeMap::new();
    for miner in (0..MINERS).map(|n| format!("miner{n}")) {
        let address = rpc(node, "resolveAddress", json!([miner])).await["address"].clone();
        let listed = rpc(node, "listTransactions", json!([miner])).await;
        let outputs =
            listed.as_array().unwrap().iter().flat_map(|payment| payment["outputs"].as_array().unwrap());
        let own = outputs.filter(|output| output["address"] == address);
        paid.insert(miner, own.map(|output| i128::from(output["amount"].as_u64().unwrap())).sum());
    }
    paid
}

/// Payouts of some coins, every second, final after a few blocks.
pub(crate) async fn setup(node: &str) -> Setup {
    let mut setup = Setup::simulated(node, "blake2s").await;
    setup.more = "[payout]\nenabled = true\ninterval_s = 1\npoll_interval_ms = 100\nthreshold = \"2.5\"\n\
                  confirmations = 3\nrecipients_max = 2\n"
        .to_owned();
    setup
}

pub(crate) async fn payouts(pool: &PoolProcess) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let (status, page) = pool.get_as_admin(&format!("/api/payouts?limit=500{cursor}")).await;
        assert_eq!(status, 200, "{page}");
        all.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

async fn pays_once(kills: usize, database: Option<&Postgres>) {
    let seed = std::env::var("DAGPOOL_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1_u64);
    println!("DAGPOOL_SEED={seed} repeats the moments of the kills");
    let mut random = SmallRng::seed_from_u64(seed);
    let node = mining::node("blake2s", 250, 1);
    let mut setup = setup(&node.rpc_url).await;
    if let Some(server) = database {
        setup.more.push_str(&format!("[store]\nurl = \"{}\"\n", server.url()));
    }
    let mut pool = PoolProcess::start(setup);
    let mut swarm = mining::miners(pool.stratum, "blake2s", MINERS, None);
    pool.until("/api/stats", |_, stats| stats["ledger"]["paid"] != "0").await;
    for _ in 0..kills {
        tokio::time::sleep(Duration::from_millis(random.random_range(0..2_500))).await;
        pool.kill();
        pool.restart();
    }
    assert_paid_once(&pool, &node, &mut swarm, &format!("{kills} kills")).await;
}

/// Miners stop, and no payout is begun any more; when those that were sent have ended, chain and books say the same of
/// everybody. How many payouts were settled.
pub(crate) async fn assert_paid_once(
    pool: &PoolProcess,
    node: &NodeHandle,
    swarm: &mut SwarmHandle,
    what: &str,
) -> usize {
    // Nothing new is sent while the test counts; what was sent goes on to its end, as the miners' chain does.
    let hold = json!({"scope": "all", "reason": "the test counts"});
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{}/api/admin/payouts/hold", pool.http);
    let held = client.post(url).bearer_auth(ADMIN_TOKEN).json(&hold).send().await.unwrap();
    assert_eq!(held.status(), 200);
    // The round that was under way when the hold came may still send; the one after it does not.
    let mut rounds = BTreeSet::new();
    while rounds.len() < 3 {
        let (_, status) = pool.get_as_admin("/api/admin/payouts").await;
        rounds.insert(status["looked_at"].to_string());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let sent = payouts(pool).await.into_iter().filter(is_on_its_way).count();
        if sent == 0 {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{sent} payouts do not end\n{}", pool.log());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    swarm.end();
    let all = payouts(pool).await;
    let settled = all.iter().filter(|payout| payout["state"] == "settled").count();
    let returned = all.iter().filter(|payout| payout["state"] == "returned").count();
    let mut sum = 0;
    for (miner, paid) in on_chain(&node.rpc_url).await {
        let (_, body) = pool.get(&format!("/api/miners/{miner}")).await;
        assert_eq!(amount(&body["balance"]["paid"]), paid, "{miner} on the chain and in the books: {body:#}");
        sum += paid;
    }
    let stats = pool.until("/api/stats", |_, stats| amount(&stats["ledger"]["paid"]) == sum).await;
    mining::assert_balanced(&stats);
    println!(
        "{what}: {} payouts planned, {settled} settled, {returned} returned, {} held before they were sent; {sum} paid, differences: 0",
        all.len(),
        all.len() - settled - returned
    );
    assert!(settled > 0, "{all:#?}");
    let log = pool.log();
    assert!(!log.contains("audit found something"), "{log}");
    settled
}

fn is_on_its_way(payout: &Value) -> bool {
    payout["state"] == "broadcast" || payout["state"] == "confirming"
}

#[actix_rt::test]
async fn payouts_are_made_once_whatever_is_killed() {
    pays_once(KILLS, None).await;
}

#[actix_rt::test]
async fn payouts_are_made_once_on_postgres_too() {
    pays_once(KILLS / 2, Some(&Postgres::start())).await;
}

#[actix_rt::test]
#[ignore = "long form: make soak"]
async fn payouts_are_made_once_over_two_hundred_kills() {
    pays_once(KILLS_SOAK, None).await;
}

/// Runs `dagpool payout` against the pool; its JSON.
fn cli(pool: &PoolProcess, arguments: &[&str]) -> Value {
    let done = std::process::Command::new(dagpool())
        .arg("payout")
        .args(arguments)
        .args(["--json", "--url", &format!("http://{}", pool.http), "--token", ADMIN_TOKEN])
        .output()
        .expect("dagpool runs");
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).expect("it prints JSON")
}

#[actix_rt::test]
async fn an_operator_holds_releases_and_looks_ahead() {
    let node = mining::node("blake2s", 250, 1);
    let mut setup = setup(&node.rpc_url).await;
    setup.more = setup.more.replace("interval_s = 1\n", "interval_s = 3600\n");
    let mut pool = PoolProcess::start(setup);
    let swarm = mining::miners(pool.stratum, "blake2s", MINERS, None);
    pool.until("/api/stats", |_, stats| amount(&stats["ledger"]["confirmed"]) > 100 * 100_000_000).await;
    let due = cli(&pool, &["dry-run"]);
    assert!(amount(&due["amount"]) > 0, "{due:#}");
    assert_eq!(payouts(&pool).await, Vec::<Value>::new(), "a dry run changes nothing");
    assert_eq!(
        cli(&pool, &["hold", "--account", "miner0", "--reason", "asks for it"])["held"],
        "account:miner0"
    );
    assert_eq!(cli(&pool, &["threshold", "miner1", "1000000"])["threshold"], "100000000000000");
    let due = cli(&pool, &["dry-run"]).to_string();
    assert!(!due.contains("miner0") && !due.contains("miner1") && due.contains("miner2"), "{due}");
    cli(&pool, &["run"]);
    let (_, trail) = pool.get_as_admin("/api/admin/audit?limit=1").await;
    let line = &trail["items"][0];
    assert_eq!(
        (&line["action"], &line["after"]["status"]),
        (&json!("POST /api/admin/payouts/run"), &json!("asked"))
    );
    assert!(line["before"].get("planned_at").is_some(), "{line}");
    pool.until("/api/stats", |_, stats| stats["ledger"]["paid"] != "0").await;
    let (_, own) = pool.get("/api/miners/miner2/payouts").await;
    let item = &own["items"][0];
    assert_eq!(item["state"], "settled", "{own:#}");
    for field in ["id", "amount", "txid", "created_at", "confirmed_at"] {
        assert!(item[field].is_string(), "{field}: {item:#}");
    }
    assert!(item["reason"].is_null() && own["next"].is_null());
    let (_, held) = pool.get("/api/miners/miner0/payouts").await;
    assert_eq!(
        (held["items"].as_array().unwrap().len(), held["terms"]["held"].as_str()),
        (0, Some("asks for it"))
    );
    let status = cli(&pool, &["status"]);
    assert_eq!((status["enabled"].as_bool(), status["dispatching"].as_bool()), (Some(true), Some(true)));
    cli(&pool, &["release", "--account", "miner0"]);
    let (_, trail) = pool.get_as_admin("/api/admin/payouts/audit").await;
    let actions: Vec<_> =
        trail["items"].as_array().unwrap().iter().map(|line| line["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["release", "threshold", "hold"]);
    let listed = cli(&pool, &["list", "--state", "settled"]);
    let (status, one) =
        pool.get_as_admin(&format!("/api/payouts/{}", listed["items"][0]["id"].as_str().unwrap())).await;
    assert_eq!((status, one["steps"][0]["state"].as_str()), (200, Some("reserved")), "{one:#}");
    assert_eq!(pool.get("/api/payouts").await.0, 401);
    assert_eq!(pool.get("/api/admin/payouts").await.0, 401);
    let metrics = reqwest::Client::builder().no_proxy().build().unwrap();
    let metrics =
        metrics.get(format!("http://{}/metrics", pool.http)).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("dagpool_payouts_total{state=\"settled\"}"), "{metrics}");
    drop(swarm);
    assert_eq!(pool.terminate(), Some(0), "a pool that pays stops in order: {}", pool.log());
}
