//! A migration from blake2s to blake3 on a node that accepts both, over real sockets: those that can switch do, and lose
//! nothing; the others stay connected and know why; and the pool is on a good algorithm whatever comes between.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use pool_actors::api::rfc3339;
use pool_domain::units::TimeMs;
use pool_tests::{
    packages,
    pool::{ADMIN_TOKEN, PATIENCE, PoolProcess, Setup},
};
use serde_json::{Value, json};
use simulations::{
    miners::{MinerStats, Swarm, SwarmConfig, SwarmHandle},
    node::{AlgorithmConfig, NodeConfig, SimNode},
};

use crate::{
    faults::faults,
    inside::{Inside, assert_durable, journal_of, more_shares},
    mining,
};

/// A pool's API, of a process or inside of this one.
struct Api {
    http: SocketAddr,
    client: reqwest::Client,
}

impl Api {
    fn at(http: SocketAddr) -> Self {
        Self { http, client: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let url = format!("http://{}{path}", self.http);
        let request = if method == "GET" { self.client.get(url) } else { self.client.post(url).json(&body) };
        let answer = request.bearer_auth(ADMIN_TOKEN).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.call("GET", path, Value::Null).await;
        assert_eq!(status, 200, "{path}: {body:#}");
        body
    }

    async fn upload(&self, zip: Vec<u8>) {
        let url = format!("http://{}/api/algorithms/stage", self.http);
        let request = self.client.post(url).header("content-type", "application/zip").body(zip);
        let answer = request.bearer_auth(ADMIN_TOKEN).send().await.unwrap();
        let (status, body) = (answer.status().as_u16(), answer.json::<Value>().await.unwrap());
        assert_eq!(status, 200, "{body:#}");
    }

    async fn stage_blake3(&self) {
        self.upload(packages::package("blake3", &json!({ "from_algorithms": ["blake2s"] }))).await;
    }

    async fn deploy(&self, config: Value) -> String {
        let (status, body) = self.call("POST", "/api/algorithms/deploy", json!({ "config": config })).await;
        assert_eq!(status, 202, "{body:#}");
        body["deployment_id"].as_str().unwrap().to_owned()
    }

    async fn steer(&self, id: &str, what: &str) -> (u16, Value) {
        self.call("POST", &format!("/api/deployments/{id}/{what}"), json!({})).await
    }

    /// Waits until a deployment is where it is wanted.
    async fn until(&self, id: &str, what: &str, done: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/api/deployments/{id}");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let body = self.get(&path).await;
            if done(&body) {
                return body;
            }
            assert!(Instant::now() < deadline, "never {what}: {body:#}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn until_status(&self, id: &str, status: &str) -> Value {
        self.until(id, status, |body| {
            let now = body["status"].as_str().unwrap();
            assert!(now == status || !["completed", "rolled_back"].contains(&now), "{body:#}");
            now == status
        })
        .await
    }

    async fn active(&self) -> String {
        let status = self.get("/api/algorithms/status").await;
        status["active_algorithm"]["hash_function"].as_str().unwrap().to_owned()
    }
}

/// Compressed, but with shadow and steps.
fn fast() -> Value {
    json!({ "shadow_duration": 0.3, "shadow_percentage": 100, "phase_duration": 0.3, "phases": [25, 50, 100] })
}

/// Shadow and steps that last until somebody advances them.
fn slow() -> Value {
    json!({ "shadow_duration": 600, "shadow_percentage": 100, "phase_duration": 600, "phases": [50, 100] })
}

/// Miners that said that they can do both.
fn able(pool: SocketAddr, count: usize) -> SwarmHandle {
    let config = mining::miners_of(pool, "blake2s", count);
    Swarm::start(SwarmConfig { also: vec!["blake3".to_owned()], ..config }).unwrap()
}

/// Miners that said nothing.
fn plain(pool: SocketAddr, count: usize) -> SwarmHandle {
    let config = mining::miners_of(pool, "blake2s", count);
    Swarm::start(SwarmConfig { account_prefix: "plain".to_owned(), ..config }).unwrap()
}

async fn both() -> (Inside, Api) {
    let pool = Inside::on(mining::node_of(&["blake2s", "blake3"], 200, 0), |_| {}).await;
    std::fs::write(pool.data().join("trusted-keys.toml"), packages::trusted_keys()).unwrap();
    let api = Api::at(pool.pool.http_address());
    (pool, api)
}

fn assert_unnoticed(swarm: &SwarmHandle) {
    let stats = swarm.stats();
    assert_eq!((stats.reconnects, stats.lost, stats.connected), (0, 0, stats.miners), "{stats:?}");
    assert!(stats.rejected.is_empty(), "{stats:?} {:?}", swarm.miners());
}

async fn all(swarm: &SwarmHandle, what: &str, done: impl Fn(&MinerStats) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !swarm.miners().iter().all(&done) {
        assert!(Instant::now() < deadline, "never {what}: {:?}", swarm.miners());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Blocks of a function that were paid.
async fn paid(api: &Api, function: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let blocks = api.get("/api/blocks?limit=500").await;
        let is_paid = |block: &Value| block["algorithm"] == function && block["status"] == "paid";
        if blocks["items"].as_array().unwrap().iter().any(is_paid) {
            return;
        }
        assert!(Instant::now() < deadline, "no block of {function} was ever paid: {blocks:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[actix_rt::test]
async fn miners_move_to_another_function_and_those_that_cannot_are_told() {
    let (mut pool, mut api) = both().await;
    let stratum = pool.pool.stratum_addresses()[0].0;
    let (mut moving, mut staying) = (able(stratum, 4), plain(stratum, 2));
    more_shares(&moving, "the start").await;
    all(&staying, "at work", |miner| miner.accepted > 0).await;
    paid(&api, "blake2s").await;

    api.stage_blake3().await;
    let plan = api.get("/api/algorithms/plan").await;
    assert_eq!((&plan["kind"], &plan["obstacles"]), (&json!("migration"), &json!([])), "{plan:#}");
    assert_eq!(plan["sessions"], json!({ "moving": 4, "staying": 2 }));
    assert!(plan["warnings"].to_string().contains("2 of 6 miners"), "{plan:#}");
    let id = api.deploy(fast()).await;
    let done = api.until_status(&id, "completed").await;
    assert_eq!((&done["kind"], &done["replaces"]["name"]), (&json!("migration"), &json!("blake2s")));

    let moved = |miner: &MinerStats| (miner.algorithm.as_str(), miner.switches) == ("blake3", 1);
    all(&moving, "on the new function", moved).await;
    more_shares(&moving, "the migration").await;
    assert_unnoticed(&moving);
    all(&staying, "told why", |miner| miner.last_message.is_some()).await;
    for miner in staying.miners() {
        let told = miner.last_message.clone().unwrap();
        assert!(told.contains("mines blake3 now") && told.contains("works on blake2s"), "{told}");
        assert_eq!((miner.connected, miner.connects, miner.lost), (true, 1, 0), "{miner:?}");
        assert_eq!(miner.algorithm, "blake2s", "never fed what it can't do");
        // Its last work counted during the grace; afterwards it is late, which is not the swap's doing.
        assert!(miner.rejected.keys().all(|code| *code == 21), "{miner:?}");
    }
    assert_eq!(api.active().await, "blake3");
    let stats = api.get("/api/stats").await;
    assert_eq!(stats["network"]["algorithm"], "blake3", "{stats:#}");
    paid(&api, "blake3").await;
    staying.end();

    // What was deployed is in force after a restart, whatever the pool began with.
    pool = pool.restart(|_| {}).await;
    api = Api::at(pool.pool.http_address());
    assert_eq!(api.active().await, "blake3");
    more_shares(&moving, "the restart").await;
    let stats = api.get("/api/stats").await;
    mining::assert_balanced(&stats);
    assert!(moving.stats().rejected.is_empty(), "{:?}", moving.miners());
    moving.end();
    let folder = pool.stop().await;
    assert_durable(&moving, journal_of(&folder));
}

#[actix_rt::test]
async fn a_node_that_does_not_know_the_function_is_an_obstacle_before_and_the_end_meanwhile() {
    let (pool, api) = both().await;
    let admin = pool.node().admin_url.clone();
    let mut miners = able(pool.pool.stratum_addresses()[0].0, 4);
    more_shares(&miners, "the start").await;
    faults(&admin, json!({ "no_templates_of": [101] })).await;
    api.stage_blake3().await;
    let plan = api.get("/api/algorithms/plan").await;
    let obstacles = plan["obstacles"].to_string();
    assert!(obstacles.contains("no work of blake3") && obstacles.contains("not active"), "{plan:#}");
    let (status, refused) = api.call("POST", "/api/algorithms/deploy", json!({})).await;
    let error = &refused["error"];
    assert_eq!((status, &error["code"]), (409, &json!("MIGRATION_FAILED")), "{refused:#}");
    assert_eq!(error["details"]["obstacle"], "node");

    // It does, and then it does not any more.
    faults(&admin, json!({ "no_templates_of": [] })).await;
    let id = api.deploy(slow()).await;
    api.until(&id, "in shadow", |body| body["phase"] == "shadow").await;
    assert_eq!(api.steer(&id, "advance").await.0, 200);
    all(&miners, "moved or not", |miner| miner.switches > 0 || miner.accepted > 20).await;
    faults(&admin, json!({ "no_templates_of": [101] })).await;
    let over = api.until_status(&id, "rolled_back").await;
    assert_eq!(over["rollback"]["cause"], "no_work", "{over:#}");
    all(&miners, "back on the old function", |miner| miner.algorithm == "blake2s").await;
    more_shares(&miners, "the way back").await;
    assert_unnoticed(&miners);
    assert_eq!(api.active().await, "blake2s");
    // The trail says what each act found and left.
    let staged = trail_line(&api, "POST /api/algorithms/stage", |_| true).await;
    assert_eq!((&staged["before"], &staged["after"]["name"]), (&Value::Null, &json!("blake3")), "{staged:#}");
    let deployed = trail_line(&api, "POST /api/algorithms/deploy", |_| true).await;
    assert_eq!(deployed["before"]["active"]["name"], "blake2s", "{deployed:#}");
    assert_eq!(deployed["after"]["package"]["name"], "blake3", "{deployed:#}");
    steered(&api, "advance").await;
    miners.end();
    let folder = pool.stop().await;
    assert_durable(&miners, journal_of(&folder));
}

/// The newest line of the trail about an act that was done.
async fn trail_line(api: &Api, action: &str, is: impl Fn(&Value) -> bool) -> Value {
    let trail = api.get("/api/admin/audit?limit=100").await;
    let mut lines = trail["items"].as_array().unwrap().iter();
    let found = lines.find(|line| line["action"] == action && line["outcome"] == "done" && is(line));
    found.unwrap_or_else(|| panic!("no line of {action}: {trail:#}")).clone()
}

/// A deployment was steered, and the trail says from where to where.
async fn steered(api: &Api, how: &str) {
    let is = |line: &Value| line["after"]["action"] == how;
    let line = trail_line(api, "POST /api/deployments/{id}/{action}", is).await;
    assert!(line["before"]["status"].is_string() && line["after"]["status"].is_string(), "{line:#}");
}

#[actix_rt::test]
async fn one_migration_at_a_time_and_back_at_any_moment_even_twice() {
    let (pool, api) = both().await;
    let mut miners = able(pool.pool.stratum_addresses()[0].0, 6);
    more_shares(&miners, "the start").await;
    api.stage_blake3().await;
    // Two operators at once.
    let deploy = || api.call("POST", "/api/algorithms/deploy", json!({ "config": slow() }));
    let (first, second) = futures_util::future::join(deploy(), deploy()).await;
    let (begun, refused) = if first.0 == 202 { (first, second) } else { (second, first) };
    assert_eq!((begun.0, refused.0), (202, 409), "{begun:?} {refused:?}");
    assert_eq!(refused.1["error"]["code"], "DEPLOYMENT_IN_PROGRESS");
    let mut id = begun.1["deployment_id"].as_str().unwrap().to_owned();

    for advances in [0, 1, 2] {
        api.until(&id, "in shadow", |body| body["phase"] == "shadow").await;
        for advance in 0..advances {
            assert_eq!(api.steer(&id, "advance").await.0, 200);
            let share = [50, 100][advance];
            api.until(&id, "a step on", |body| body["traffic_split"] == share).await;
        }
        if advances == 2 {
            all(&miners, "on the new function", |miner| miner.algorithm == "blake3").await;
        }
        more_shares(&miners, "the advances").await;
        let back = || api.steer(&id, "rollback");
        let (once, twice) = futures_util::future::join(back(), back()).await;
        assert_eq!(once.0.min(twice.0), 200);
        // The other one came while it went back, or after that.
        assert!([200, 409, 404].contains(&once.0.max(twice.0)), "{once:?} {twice:?}");
        api.until_status(&id, "rolled_back").await;
        all(&miners, "back on the old function", |miner| miner.algorithm == "blake2s").await;
        more_shares(&miners, "the way back").await;
        assert_unnoticed(&miners);
        if advances < 2 {
            id = api.deploy(slow()).await;
        }
    }
    assert_eq!(api.active().await, "blake2s");
    steered(&api, "rollback").await;
    miners.end();
    let folder = pool.stop().await;
    assert_durable(&miners, journal_of(&folder));
}

/// Kills the pool where a migration is, and starts it again.
async fn killed_at(pool: &mut PoolProcess, miners: &SwarmHandle, phase: &str) -> Api {
    let accepted = miners.stats().accepted;
    tokio::time::timeout(PATIENCE, miners.accepted(accepted + 30)).await.expect("miners are at work");
    pool.kill();
    let accepted = miners.stats().accepted;
    pool.restart();
    tokio::time::timeout(PATIENCE, miners.accepted(accepted + 30))
        .await
        .unwrap_or_else(|_| panic!("miners go on after a kill at {phase}: {}", pool.log()));
    Api::at(pool.http)
}

#[actix_rt::test]
async fn kill_9_at_each_phase_of_a_migration() {
    let node = mining::node_of(&["blake2s", "blake3"], 300, 0);
    let mut setup = Setup::simulated(&node.rpc_url, "blake2s").await;
    // Long enough to be killed in.
    setup.environment.push(("DAGPOOL__ALGORITHMS__DRAIN_MS", "600000".to_owned()));
    let mut pool = PoolProcess::start(setup);
    std::fs::write(pool.data().join("trusted-keys.toml"), packages::trusted_keys()).unwrap();
    let mut miners = able(pool.stratum, 4);
    let mut api = Api::at(pool.http);

    // Waiting for its time.
    api.stage_blake3().await;
    let mut later = slow();
    later["strategy"] = json!("scheduled");
    later["at"] = json!("2100-01-01T00:00:00Z");
    let id = api.deploy(later).await;
    api = killed_at(&mut pool, &miners, "staged").await;
    api.until(&id, "scheduled again", |body| body["status"] == "scheduled").await;
    assert_eq!(api.steer(&id, "rollback").await.0, 200);
    api.until_status(&id, "rolled_back").await;

    // In warm-up, which lasts as long as the node is away.
    api.stage_blake3().await;
    let mut soon = slow();
    soon["strategy"] = json!("scheduled");
    let now = std::time::UNIX_EPOCH.elapsed().unwrap() + Duration::from_secs(3);
    soon["at"] = json!(rfc3339(TimeMs(u64::try_from(now.as_millis()).unwrap())));
    let id = api.deploy(soon).await;
    faults(&node.admin_url, json!({ "drop_connections": true })).await;
    api.until(&id, "warming up", |body| body["phase"] == "warm" && body["status"] == "running").await;
    pool.kill();
    faults(&node.admin_url, json!({ "drop_connections": false })).await;
    let accepted = miners.stats().accepted;
    pool.restart();
    api = Api::at(pool.http);
    let on = api.until(&id, "in shadow", |body| body["phase"] == "shadow").await;
    let restarted =
        on["trail"].as_array().unwrap().iter().find(|line| line["action"] == "restarted").unwrap();
    assert_eq!(restarted["stage"], "warm", "{on:#}");
    assert_eq!(api.active().await, "blake2s");
    tokio::time::timeout(PATIENCE, miners.accepted(accepted + 30))
        .await
        .expect("miners go on after a kill at warm");
    assert_eq!(api.steer(&id, "rollback").await.0, 200);
    api.until_status(&id, "rolled_back").await;

    // At each step: it goes on there once the package has shown again what it must.
    api.stage_blake3().await;
    let id = api.deploy(slow()).await;
    for (phase, split) in [("shadow", 0), ("50%", 50), ("100%", 100)] {
        let there = |body: &Value| body["phase"] == phase && body["traffic_split"] == split;
        api.until(&id, phase, there).await;
        if split == 100 {
            all(&miners, "on the new function", |miner| miner.algorithm == "blake3").await;
        }
        api = killed_at(&mut pool, &miners, phase).await;
        let again = api.until(&id, "there again", there).await;
        assert_eq!(again["status"], "running", "{again:#}");
        assert!(again["trail"].as_array().unwrap().iter().any(|line| line["action"] == "restarted"));
        assert_eq!(api.active().await, "blake2s");
        assert_eq!(api.steer(&id, "advance").await.0, 200);
    }
    api.until(&id, "draining", |body| body["phase"] == "draining").await;
    api = killed_at(&mut pool, &miners, "draining").await;
    api.until_status(&id, "completed").await;
    assert_eq!(api.active().await, "blake3", "it served everyone already");
    all(&miners, "on the new function", |miner| miner.algorithm == "blake3").await;

    // Once more, killed right in the way back.
    let version = packages::package("blake2s", &json!({}));
    api.upload(version).await;
    let id = api.deploy(slow()).await;
    api.until(&id, "in shadow", |body| body["phase"] == "shadow").await;
    assert_eq!(api.steer(&id, "advance").await.0, 200);
    api.until(&id, "at 50%", |body| body["traffic_split"] == 50).await;
    let accepted = miners.stats().accepted;
    assert_eq!(api.steer(&id, "rollback").await.0, 200);
    pool.kill();
    pool.restart();
    api = Api::at(pool.http);
    let settled = |body: &Value| body["status"] == "rolled_back" || body["traffic_split"] == 50;
    api.until(&id, "back, or there again", settled).await;
    assert_eq!(api.active().await, "blake3");
    tokio::time::timeout(PATIENCE, miners.accepted(accepted + 30)).await.expect("miners go on");

    miners.end();
    assert!(miners.stats().rejected.is_empty(), "nothing is wrongly refused: {:?}", miners.miners());
    assert_eq!(pool.terminate(), Some(0), "{}", pool.log());
    let journalled = pool.journalled();
    for miner in miners.miners() {
        let durable = journalled.get(miner.user.split('.').next().unwrap()).copied().unwrap_or(0);
        let possible = miner.accepted..=miner.submitted;
        assert!(possible.contains(&durable), "{durable} shares are in the journal: {miner:?}");
    }
}

#[actix_rt::test]
async fn miners_begin_at_the_difficulty_that_the_package_s_manifest_says() {
    // Above 1,000 x 2^32: nobody works at a difficulty beyond the network's.
    let hard = |name| AlgorithmConfig { start_hashes: 1 << 44, ..AlgorithmConfig::named(name).unwrap() };
    let algorithms = ["blake2s", "blake3"].map(hard).to_vec();
    let node = SimNode::start(NodeConfig { algorithms, ..NodeConfig::quiet() }).unwrap();
    let setup = Setup::simulated(&node.rpc_url, "blake2s").await;
    let mut pool = PoolProcess::start(Setup { difficulty: String::new(), ..setup });
    std::fs::write(pool.data().join("trusted-keys.toml"), packages::trusted_keys()).unwrap();
    let mut miners = able(pool.stratum, 2);
    let at = |difficulty: f64| move |miner: &MinerStats| miner.difficulty.to_bits() == difficulty.to_bits();
    all(&miners, "at the difficulty of linked-in code", at(1.0 / 2_048.0)).await;
    let api = Api::at(pool.http);
    // `"initial_difficulty": 1000`, of the function that is coming.
    api.stage_blake3().await;
    let id = api.deploy(json!({ "strategy": "immediate" })).await;
    api.until_status(&id, "completed").await;
    all(&miners, "on the new function", |miner| miner.algorithm == "blake3").await;
    all(&miners, "at the package's difficulty", at(1_000.0)).await;
    // Who comes later, and after a restart.
    let mut late = able(pool.stratum, 1);
    all(&late, "at the package's difficulty", at(1_000.0)).await;
    late.end();
    pool.restart();
    all(&miners, "at the package's difficulty after a restart", |miner| {
        miner.connects == 2 && at(1_000.0)(miner)
    })
    .await;
    miners.end();
}

#[actix_rt::test]
async fn what_an_author_did_not_mean_to_replace_needs_an_override_which_the_trail_tells() {
    let node = mining::node_of(&["blake2s", "blake3"], 200, 0);
    let pool = PoolProcess::start(Setup::simulated(&node.rpc_url, "blake2s").await);
    std::fs::write(pool.data().join("trusted-keys.toml"), packages::trusted_keys()).unwrap();
    let mut miners = able(pool.stratum, 2);
    more_shares(&miners, "the start").await;
    let api = Api::at(pool.http);
    api.upload(packages::package("blake3", &json!({ "from_algorithms": ["sha256d"] }))).await;
    let plan = api.get("/api/algorithms/plan").await;
    assert_eq!(plan["needs_override"], "sha256d", "{plan:#}");
    // As an operator types it.
    let url = format!("http://{}", pool.http);
    let token = pool.data().join("token");
    std::fs::write(&token, ADMIN_TOKEN).unwrap();
    let token = format!("file:{}", token.display());
    let deploy =
        ["algorithm", "deploy", "--strategy", "immediate", "--wait", "--url", &url, "--token", &token];
    let (code, _, refused) = pool.command(&deploy);
    assert_eq!(code, Some(1), "{refused}");
    assert!(refused.contains("[MIGRATION_FAILED]") && refused.contains("sha256d"), "{refused}");
    assert_eq!(api.active().await, "blake2s");
    let (code, shown, error) = pool.command(&[&deploy[..], &["--override-migration-from"]].concat());
    assert_eq!(code, Some(0), "{shown}{error}");
    let begun = api.get("/api/deployments/1").await;
    let trail = begun["trail"][0]["detail"].as_str().unwrap();
    assert!(trail.contains("only sha256d"), "{begun:#}");
    all(&miners, "on the new function", |miner| miner.algorithm == "blake3").await;
    assert_unnoticed(&miners);
    miners.end();
}

/// The functions, upgrade, migration, upgrade, migration back, and the strategies in turns.
async fn many_swaps(swaps: u64) {
    let (pool, api) = both().await;
    let mut miners = able(pool.pool.stratum_addresses()[0].0, 4);
    more_shares(&miners, "the start").await;
    let actors = async || api.get("/api/admin/system").await["actors"].as_array().unwrap().len();
    let before = actors().await;
    for swap in 0..swaps {
        let function = ["blake2s", "blake3"][usize::from(!swap.div_ceil(2).is_multiple_of(2))];
        api.upload(packages::package(function, &json!({}))).await;
        let config = match swap % 3 {
            0 => json!({ "strategy": "immediate" }),
            1 => json!({ "shadow_duration": 0.2, "phase_duration": 0.1, "phases": [5, 10, 25, 50, 75, 100] }),
            _ => json!({
                "strategy": "scheduled", "at": "2020-01-01T00:00:00Z", "shadow_duration": 0.1, "phase_duration": 0.1,
                "phases": [50, 100],
            }),
        };
        let id = api.deploy(config).await;
        let over = api.until_status(&id, "completed").await;
        assert_eq!(over["kind"], ["upgrade", "migration"][usize::from(swap % 2 == 1)], "{over:#}");
        assert_eq!(api.active().await, function);
        all(&miners, "on the function in force", |miner| miner.algorithm == function).await;
    }
    more_shares(&miners, "the swaps").await;
    assert_unnoticed(&miners);
    // Those of the functions that were left judge late shares of their own for some time; nothing else is left of any.
    let kept =
        api.get("/api/algorithms/status").await["performance_metrics"]["slots"].as_array().unwrap().len() - 1;
    let after = actors().await;
    assert!(after <= before + kept * 3, "{before} actors and {kept} kept generations, but {after} actors");
    miners.end();
    let folder = pool.stop().await;
    assert_durable(&miners, journal_of(&folder));
}

#[actix_rt::test]
async fn swaps_of_both_kinds_by_all_strategies_are_unnoticed() {
    many_swaps(6).await;
}

/// `make soak`.
#[ignore = "minutes long; make soak runs it"]
#[actix_rt::test]
async fn a_hundred_swaps_in_a_row() {
    many_swaps(100).await;
}
