//! Payouts of real pool processes while PostgreSQL is killed, paused, restarted and cut off, while the node takes payments and
//! does not answer, and when two pools pay from one database: everybody is paid once, and the books say what the chain says.

use std::time::Duration;

use pool_tests::{
    pool::{PATIENCE, PoolProcess, Setup},
    postgres::Postgres,
    proxy::{Cut, Proxy},
    receivers,
};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    mining,
    payouts::{MINERS, assert_paid_once, payouts, rpc, setup},
};

/// A pool that pays, and does not wait long for its database.
async fn hasty(node: &str, url: &str) -> Setup {
    let mut setup = setup(node).await;
    setup.more.push_str(&format!(
        "[store]\nurl = \"{url}\"\nstatement_timeout_ms = 1000\nconnect_timeout_ms = 500\nstart_wait_s = 60\n"
    ));
    setup
}

async fn settled(pool: &PoolProcess) -> usize {
    payouts(pool).await.iter().filter(|payout| payout["state"] == "settled").count()
}

/// Waits until so many more payouts are settled, once the pool answers again.
async fn pays_on(pool: &PoolProcess, more: usize) {
    pool.until("/health/ready", |status, _| status == 200).await;
    let wanted = settled(pool).await + more;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while settled(pool).await < wanted {
        assert!(tokio::time::Instant::now() < deadline, "nothing is paid any more\n{}", pool.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// How the dispatcher of this pool fares.
async fn status(pool: &PoolProcess) -> Value {
    pool.get_as_admin("/api/admin/payouts").await.1
}

async fn dispatches(pool: &PoolProcess, wanted: bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while status(pool).await["dispatching"] != wanted {
        assert!(tokio::time::Instant::now() < deadline, "{:#}\n{}", status(pool).await, pool.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// How long the database is away, each time once killed and once paused, milliseconds.
const AWAY: [u64; 1] = [1_500];
const AWAY_SOAK: [u64; 20] = [
    200, 50, 3_000, 700, 0, 1_500, 6_000, 10, 400, 2_500, 100, 900, 4_000, 300, 0, 1_200, 15_000, 20, 600,
    30_000,
];

/// Commits of which nobody hears.
const LOST: usize = 4;

async fn paid_once(away: &[u64]) {
    let mut server = Postgres::start();
    let proxy = Proxy::start(server.address());
    let node = mining::node("blake2s", 250, 1);
    let mut pool = PoolProcess::start(hasty(&node.rpc_url, &server.url_at(proxy.address)).await);
    let mut swarm = mining::miners(pool.stratum, "blake2s", MINERS, None);
    pays_on(&pool, 1).await;
    // The node takes payments and says nothing; a commit is done and its answer never comes, whichever of the pool's it is.
    rpc(&node.admin_url, "setFaults", json!([{"lose_send_answer": true}])).await;
    for _ in 0..LOST {
        tokio::time::timeout(PATIENCE, proxy.cut(Cut::AfterCommit)).await.expect("the pool commits");
    }
    pays_on(&pool, 1).await;
    for &away in away {
        server.kill();
        tokio::time::sleep(Duration::from_millis(away)).await;
        server.restart();
        pays_on(&pool, 1).await;
        server.pause();
        tokio::time::sleep(Duration::from_millis(away)).await;
        server.resume();
        pays_on(&pool, 1).await;
    }
    // Both at once: the pool is killed while its database is away, and begins again with what it had written.
    server.kill();
    pool.kill();
    server.restart();
    pool.restart();
    pays_on(&pool, 1).await;
    rpc(&node.admin_url, "setFaults", json!([{"lose_send_answer": false}])).await;
    let what =
        format!("{LOST} lost commits, {} kills and {} pauses of PostgreSQL", away.len() + 1, away.len());
    let paid = assert_paid_once(&pool, &node, &mut swarm, &what).await;
    assert!(paid >= 2 * away.len() + 3, "{paid}");
}

#[actix_rt::test]
async fn everybody_is_paid_once_while_the_database_is_killed_paused_and_cut_off() {
    paid_once(&AWAY).await;
}

#[actix_rt::test]
#[ignore = "long form: make soak"]
async fn everybody_is_paid_once_over_twenty_outages_of_each_kind() {
    paid_once(&AWAY_SOAK).await;
}

/// As operators do by mistake: two pools, each with its own folder and number, and payouts enabled in both.
#[actix_rt::test]
async fn of_two_pools_on_one_database_one_pays_and_the_other_takes_over() {
    let server = Postgres::start();
    let node = mining::node("blake2s", 250, 1);
    let first = hasty(&node.rpc_url, &server.url()).await;
    let mut second = first.clone();
    second.environment.push(("DAGPOOL__POOL__NODE_ID", "1".to_owned()));
    let mut first = PoolProcess::start(first);
    let mut swarm = mining::miners(first.stratum, "blake2s", MINERS, None);
    pays_on(&first, 1).await;
    let second = PoolProcess::start(second);
    dispatches(&first, true).await;
    let stands_by = |status: &Value| {
        status["standing_by"].as_str().is_some_and(|words| words.contains("another"))
            && status["trouble"].is_null()
            && status["dispatching"] == false
    };
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !stands_by(&status(&second).await) {
        assert!(tokio::time::Instant::now() < deadline, "{:#}", status(&second).await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    pays_on(&first, 1).await;

    first.kill();
    dispatches(&second, true).await;
    pays_on(&second, 1).await;
    first.restart();
    pays_on(&second, 1).await;
    dispatches(&first, false).await;

    // The one that pays is stopped where it is, and its connections are gone: the other one takes over. When it goes on, what
    // it had begun is refused.
    second.signal(Signal::STOP);
    let lost = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND classid = 1145128785";
    assert_eq!(server.sql(lost).unwrap(), "1", "one holds the lock of the payouts");
    dispatches(&first, true).await;
    second.signal(Signal::CONT);
    dispatches(&second, false).await;
    pays_on(&first, 1).await;
    let paid = assert_paid_once(&first, &node, &mut swarm, "two pools, one killed, one cut off").await;
    assert!(paid >= 4, "{paid}");
}

/// What the receiver was told of payouts, in order.
fn told(http: &receivers::Receiver<receivers::Received>) -> Vec<String> {
    http.arrived()
        .into_iter()
        .map(|one| one.body)
        .filter(|body| body.contains("payouts do not go on"))
        .collect()
}

#[actix_rt::test]
async fn somebody_is_told_once_that_payments_are_refused_and_once_that_they_are_taken_again() {
    let node = mining::node("blake2s", 250, 1);
    let http = receivers::http().await;
    let mut setup = setup(&node.rpc_url).await;
    setup.more.push_str(&format!(
        "[alerts]\nevery_s = 1\n[[alerts.rule]]\nname = \"payouts_in_trouble\"\nfor_s = 4\n\
         [[alerts.channel]]\nname = \"a\"\nkind = \"webhook\"\nurl = \"http://{}/\"\n",
        http.address
    ));
    let pool = PoolProcess::start(setup);
    let mut swarm = mining::miners(pool.stratum, "blake2s", MINERS, None);
    pays_on(&pool, 1).await;
    assert_eq!(told(&http), Vec::<String>::new());

    rpc(&node.admin_url, "setFaults", json!([{"refuse_send": "the fee is too low"}])).await;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while told(&http).is_empty() {
        assert!(tokio::time::Instant::now() < deadline, "nobody is told\n{}", pool.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let fires = |body: &Value| {
        let firing = body["firing"].as_array().unwrap();
        firing.iter().any(|alert| alert["rule"] == "payouts_in_trouble")
    };
    let (_, alerts) = pool.get_as_admin("/api/alerts").await;
    assert!(fires(&alerts), "{alerts:#}");
    let trouble = status(&pool).await["trouble"].clone();
    assert!(trouble.as_str().is_some_and(|trouble| trouble.contains("the fee is too low")), "{trouble}");

    rpc(&node.admin_url, "setFaults", json!([{"refuse_send": null}])).await;
    pays_on(&pool, 1).await;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while told(&http).len() < 2 {
        assert!(tokio::time::Instant::now() < deadline, "nobody is told of its end\n{}", pool.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let told: Vec<Value> = told(&http).iter().map(|body| serde_json::from_str(body).unwrap()).collect();
    assert_eq!(told[0]["data"]["firing"][0]["rule"], "payouts_in_trouble");
    assert_eq!(told[1]["data"]["resolved"][0]["rule"], "payouts_in_trouble");
    let (_, alerts) = pool.get_as_admin("/api/alerts").await;
    assert!(!fires(&alerts), "{alerts:#}");
    assert_paid_once(&pool, &node, &mut swarm, "payments refused for a while").await;
}
