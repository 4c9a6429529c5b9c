//! Hot-swap of the algorithm while miners work, by the HTTP API: nobody is disconnected, no share is lost, none is
//! refused.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use plugin_sdk::{
    AlgorithmError, AlgorithmInfo, Benchmark, Compatibility, DifficultyAdjuster, HashFunction, Health,
    Migration, PowAlgorithm,
};
use pool_actors::{
    messages::deployment::StagePackage,
    ports::packages::{Package, PackageError, PackageRef, PackageShelf, PackageSource, StageWish},
};
use pool_domain::isolation::Level;
use pool_engine::{
    Registry,
    package::{MANIFEST, TEST_VECTORS, WASM},
    signature::SecretKey,
    trust::{Permission, TrustedKey, trust_entry},
};
use pool_tests::pool::{ADMIN_TOKEN, PATIENCE};
use serde_json::{Value, json};
use simulations::miners::SwarmHandle;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::inside::{Inside, assert_durable, journal_of, more_shares};

/// What is wrong with a version.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// Another hash than the right one, for one input in sixteen.
    Wrong,
    /// Does not come back, for one input in sixteen.
    Hangs,
    /// Takes a hundred times as long as it should.
    Slow,
}

/// blake2s in another version.
struct Version(Arc<dyn PowAlgorithm>, String, Fault);

impl HashFunction for Version {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn hash(&self, input: &[u8]) -> Result<[u8; 32], AlgorithmError> {
        let begun = Instant::now();
        let mut hash = self.0.hash(input)?;
        if self.2 == Fault::Slow && is_mined(input) {
            let should = begun.elapsed().max(Duration::from_micros(5));
            while begun.elapsed() < should * 100 {
                std::hint::spin_loop();
            }
            return Ok(hash);
        }
        // Every version must get through its warm-up, whose headers are always the same: by the hash, not by the header.
        if hash[0] & 15 == 0 && self.2 != Fault::None && is_mined(input) {
            match self.2 {
                Fault::Hangs => {
                    let hanging = Instant::now();
                    while hanging.elapsed() < Duration::from_secs(6) {
                        std::thread::yield_now();
                    }
                }
                _ => hash[31] ^= 0x80,
            }
        }
        Ok(hash)
    }
}

/// Headers of the simulated chain begin with a block version; those of the warm-up are random.
fn is_mined(input: &[u8]) -> bool {
    input[1..3] == [0, 0]
}

impl DifficultyAdjuster for Version {}
impl Benchmark for Version {}
impl Compatibility for Version {}
impl Migration for Version {}
impl Health for Version {}
impl PowAlgorithm for Version {
    fn info(&self) -> AlgorithmInfo {
        let info = self.0.info();
        AlgorithmInfo::new(&info.name, &self.1, info.difficulty_one)
    }
}

fn package(version: &str, fault: Fault) -> Package {
    let linked_in = Registry::linked_in().find("blake2s").unwrap();
    let mut package = Package::linked_in(Arc::new(Version(linked_in, version.to_owned(), fault)));
    package.reference.source = PackageSource::Package { digest: version.to_owned() };
    package
}

/// Has every version of blake2s, and never refuses one but 6.6.6.
struct Shelf;

impl PackageShelf for Shelf {
    fn stage(&self, _: Vec<u8>, _: &StageWish, _: &dyn Fn(&str)) -> Result<Package, PackageError> {
        Err(gone())
    }

    fn load(&self, reference: &PackageRef, _: Level) -> Result<Package, PackageError> {
        if reference.version == "6.6.6" { Err(gone()) } else { Ok(package(&reference.version, Fault::None)) }
    }
}

fn gone() -> PackageError {
    let message = "the package is gone from the shelf".to_owned();
    PackageError { code: "PACKAGE_GONE".to_owned(), message, checks: Vec::new() }
}

impl Inside {
    async fn stage(&self, version: &str, fault: Fault) {
        self.pool.algorithms().stage.ask(StagePackage(package(version, fault))).await.unwrap();
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let url = format!("http://{}{path}", self.pool.http_address());
        let client = reqwest::Client::new();
        let request = if method == "GET" { client.get(url) } else { client.post(url).json(&body) };
        let answer = request.bearer_auth(ADMIN_TOKEN).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn deploy(&self, config: Value) -> String {
        let (status, body) = self.call("POST", "/api/algorithms/deploy", json!({ "config": config })).await;
        assert_eq!(status, 202, "{body}");
        body["deployment_id"].as_str().unwrap().to_owned()
    }

    /// Waits until a deployment is where it is wanted.
    async fn deployment_until(&self, id: &str, what: &str, done: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/api/deployments/{id}");
        let watch = async {
            loop {
                let (status, body) = self.call("GET", &path, Value::Null).await;
                assert_eq!(status, 200, "{body}");
                if done(&body) {
                    return body;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let Ok(body) = tokio::time::timeout(PATIENCE, watch).await else {
            panic!("never {what}: {}", self.call("GET", &path, Value::Null).await.1)
        };
        body
    }
}

fn fast() -> Value {
    json!({
        "shadow_duration": 0.5, "shadow_percentage": 100, "phase_duration": 0.3, "phases": [25, 50, 100],
    })
}

/// No miner noticed anything.
fn assert_unnoticed(swarm: &SwarmHandle) {
    let stats = swarm.stats();
    assert_eq!((stats.reconnects, stats.lost, stats.connected), (0, 0, stats.miners), "{stats:?}");
    assert_eq!(stats.rejected, BTreeMap::new(), "{stats:?} {:?}", swarm.miners());
}

#[actix_rt::test]
async fn miners_do_not_notice_a_hot_swap() {
    let pool = Inside::start(|_| {}).await;
    let mut swarm = pool.miners();
    more_shares(&swarm, "the start").await;
    pool.stage("1.0.1", Fault::None).await;
    let (_, plan) = pool.call("GET", "/api/algorithms/plan", Value::Null).await;
    assert_eq!((&plan["kind"], &plan["estimated_duration"]), (&json!("upgrade"), &json!(3902)), "{plan}");
    let first = pool.deploy(fast()).await;
    let (status, refused) = pool.call("POST", "/api/algorithms/deploy", json!({})).await;
    assert_eq!((status, &refused["error"]["code"]), (409, &json!("DEPLOYMENT_IN_PROGRESS")));
    let done = pool.deployment_until(&first, "completed", |body| body["status"] == "completed").await;
    assert_eq!(done["trail"].as_array().unwrap().len(), 8, "{done:#}");
    more_shares(&swarm, "a gradual swap").await;
    pool.stage("1.0.2", Fault::None).await;
    let second = pool.deploy(json!({ "strategy": "immediate" })).await;
    pool.deployment_until(&second, "completed", |body| body["status"] == "completed").await;
    more_shares(&swarm, "an immediate swap").await;
    let (_, status) = pool.call("GET", "/api/algorithms/status", Value::Null).await;
    assert_eq!(status["active_algorithm"]["version"], "1.0.2", "{status:#}");
    assert_eq!(status["migration_state"]["status"], "completed");
    let (_, list) = pool.call("GET", "/api/deployments", Value::Null).await;
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    let (_, metrics) = text(&pool, "/metrics").await;
    assert!(metrics.contains("dagpool_deployments_total{outcome=\"completed\"}"), "{metrics}");
    assert!(metrics.contains("dagpool_traffic_share{slot=\"0\"} 1"), "{metrics}");
    assert_unnoticed(&swarm);
    swarm.end();
    let folder = pool.stop().await;
    assert_durable(&swarm, journal_of(&folder));
}

async fn text(pool: &Inside, path: &str) -> (u16, String) {
    let answer = reqwest::get(format!("http://{}{path}", pool.pool.http_address())).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[actix_rt::test]
async fn a_wrong_hash_is_found_in_shadow_with_its_input() {
    let pool = Inside::start(|_| {}).await;
    let mut swarm = pool.miners();
    pool.stage("1.0.1", Fault::Wrong).await;
    let id = pool.deploy(json!({ "shadow_percentage": 100 })).await;
    let over = pool.deployment_until(&id, "rolled back", |body| body["status"] == "rolled_back").await;
    assert_eq!(
        (&over["phase"], &over["rollback"]["cause"]),
        (&json!("shadow"), &json!("hash_differs")),
        "{over:#}"
    );
    let input = hex::decode(over["rollback"]["input"].as_str().unwrap()).unwrap();
    let right = Registry::linked_in().find("blake2s").unwrap().hash(&input).unwrap();
    assert_eq!(over["rollback"]["expected"], hex::encode(right));
    assert_ne!(over["rollback"]["got"], over["rollback"]["expected"]);
    more_shares(&swarm, "the rollback").await;
    assert_unnoticed(&swarm);
    swarm.end();
    let folder = pool.stop().await;
    assert_durable(&swarm, journal_of(&folder));
}

#[actix_rt::test]
async fn code_that_hangs_or_lies_or_is_slow_while_it_serves_costs_nobody_a_share() {
    for (fault, cause) in
        [(Fault::Hangs, "slot_failed"), (Fault::Wrong, "hash_differs"), (Fault::Slow, "unhealthy")]
    {
        let pool = Inside::start(|_| {}).await;
        let mut swarm = pool.miners();
        pool.stage("1.0.1", fault).await;
        // No shadow: it serves half of the sessions at once.
        let id = pool.deploy(json!({ "shadow_duration": 0, "phases": [50, 100] })).await;
        let over = pool.deployment_until(&id, "rolled back", |body| body["status"] == "rolled_back").await;
        // While the end of an empty shadow is being written, it may hash already, and be found out.
        let phase = over["phase"].as_str().unwrap();
        assert!(["shadow", "50%"].contains(&phase), "{over:#}");
        assert_eq!(over["rollback"]["cause"], cause, "{over:#}");
        more_shares(&swarm, "the rollback").await;
        assert_unnoticed(&swarm);
        swarm.end();
        let folder = pool.stop().await;
        assert_durable(&swarm, journal_of(&folder));
    }
}

#[actix_rt::test]
async fn a_restart_goes_on_where_the_deployment_was_or_goes_back() {
    let shelf = |parts: &mut pool_actors::app::Parts| parts.shelf = Some(Arc::new(Shelf));
    let slow = json!({ "shadow_duration": 0.5, "shadow_percentage": 100, "phase_duration": 600, "phases": [50, 100] });
    let mut pool = Inside::start(shelf).await;
    let mut swarm = pool.miners();
    pool.stage("1.0.1", Fault::None).await;
    let id = pool.deploy(slow.clone()).await;
    let at = |phase: &'static str| move |body: &Value| body["phase"] == phase && body["status"] == "running";
    pool.deployment_until(&id, "at 50%", at("50%")).await;
    pool = pool.restart(shelf).await;
    // It shows again what it must, and serves half of the sessions again.
    let on = pool
        .deployment_until(&id, "at 50% again", |body| at("50%")(body) && body["traffic_split"] == 50)
        .await;
    assert!(on["trail"].as_array().unwrap().iter().any(|line| line["action"] == "restarted"), "{on:#}");
    for _ in 0..2 {
        let (status, body) = pool.call("POST", &format!("/api/deployments/{id}/advance"), Value::Null).await;
        assert_eq!(status, 200, "{body}");
    }
    pool.deployment_until(&id, "completed", |body| body["status"] == "completed").await;
    // What was deployed is in force after a restart, too.
    pool = pool.restart(shelf).await;
    let (_, status) = pool.call("GET", "/api/algorithms/status", Value::Null).await;
    assert_eq!(status["active_algorithm"]["version"], "1.0.1", "{status:#}");
    // A package that is gone.
    pool.stage("6.6.6", Fault::None).await;
    let id = pool.deploy(slow).await;
    pool.deployment_until(&id, "at 50%", at("50%")).await;
    pool = pool.restart(shelf).await;
    let over = pool.deployment_until(&id, "rolled back", |body| body["status"] == "rolled_back").await;
    assert!(over["rollback"]["detail"].as_str().unwrap().contains("gone from the shelf"), "{over:#}");
    more_shares(&swarm, "all the restarts").await;
    swarm.end();
    let folder = pool.stop().await;
    assert_durable(&swarm, journal_of(&folder));
}

/// The wasm module of blake2s, signed.
fn signed_package(key: &SecretKey, description: &str) -> Vec<u8> {
    let wasm = concat!(env!("CARGO_MANIFEST_DIR"), "/../pool-actors/engine/tests/fixtures/blake2s.wasm");
    let manifest = json!({
        "name": "blake2s", "version": "0.1.0", "description": description, "author": "tests", "license": "MIT",
        "compatibility": {
            "min_engine_version": "1.0.0", "supported_platforms": ["linux"], "memory_requirements": "64MB",
        },
        "algorithm": {
            "hash_function": "blake2s", "output_size": 32, "difficulty_adjustment": "standard",
            "target_block_time": 30, "initial_difficulty": 1000,
        },
        "performance": { "expected_hashrate": "1000", "memory_usage": "low", "cpu_intensive": false },
    });
    let header = [7; 80];
    let hash = Registry::linked_in().find("blake2s").unwrap().hash(&header).unwrap();
    let vectors =
        json!({ "version": 1, "vectors": [{ "input": hex::encode(header), "hash": hex::encode(hash) }] });
    let entries = [
        (MANIFEST, manifest.to_string().into_bytes()),
        (WASM, std::fs::read(wasm).unwrap()),
        (TEST_VECTORS, vectors.to_string().into_bytes()),
    ];
    let package = pool_engine::package::Package::from_entries(entries).unwrap();
    let signature = key.sign(&package.digest());
    package.with_signature(&signature).to_zip().unwrap()
}

fn trust(pool: &Inside, key: &SecretKey) {
    let (name, permissions) = ("tests".to_owned(), vec![Permission::Wasm]);
    let trusted = TrustedKey { name, key: key.public(), permissions, revoked: None };
    std::fs::write(pool.data().join("trusted-keys.toml"), trust_entry(&trusted)).unwrap();
}

/// The connection ends in the middle of an upload, in each of its forms: nothing is staged, and nothing is left of it.
#[actix_rt::test]
async fn an_upload_that_is_cut_off_leaves_nothing() {
    let pool = Inside::start(|_| {}).await;
    let mut swarm = pool.miners();
    let key = SecretKey::from_seed(&[9; 32]);
    trust(&pool, &key);
    let zip = signed_package(&key, "BLAKE2s");
    let form =
        [b"--b0\r\nContent-Disposition: form-data; name=\"package\"; filename=\"p.zip\"\r\n\r\n", &zip[..]]
            .concat();
    for (kind, body) in [("application/zip", &zip), ("multipart/form-data; boundary=b0", &form)] {
        for sent in [0, 1, body.len() / 2, body.len()] {
            let mut connection = tokio::net::TcpStream::connect(pool.pool.http_address()).await.unwrap();
            let head = format!(
                "POST /api/algorithms/stage HTTP/1.1\r\nHost: pool\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\n\
                 Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
                body.len() + 100
            );
            connection.write_all(head.as_bytes()).await.unwrap();
            connection.write_all(&body[..sent]).await.unwrap();
            connection.shutdown().await.unwrap();
            // It is closed, with or without a word; a package is never taken.
            let mut answer = Vec::new();
            let _ = connection.read_to_end(&mut answer).await;
            assert!(!answer.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&answer));
        }
    }
    // Packages are staged one after the other: had one of those been taken, it would be there before this one is.
    let url = format!("http://{}/api/algorithms/stage", pool.pool.http_address());
    let whole = reqwest::Client::new().post(url).header("content-type", "application/zip");
    let whole =
        whole.bearer_auth(ADMIN_TOKEN).body(signed_package(&key, "the whole one")).send().await.unwrap();
    assert_eq!(whole.status(), 200);
    let (_, list) = pool.call("GET", "/api/algorithms", Value::Null).await;
    assert_eq!((&list["staged"]["version"], &list["can_stage"]), (&json!("0.1.0"), &json!(true)), "{list:#}");
    let kept = std::fs::read_dir(pool.data().join("packages")).unwrap().map(|file| file.unwrap().path());
    let kept: Vec<_> = kept.filter(|path| path.extension().is_some_and(|end| end != "json")).collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    more_shares(&swarm, "uploads that were cut off").await;
    assert_unnoticed(&swarm);
    swarm.end();
    let folder = pool.stop().await;
    assert_durable(&swarm, journal_of(&folder));
}

#[actix_rt::test]
async fn a_package_is_uploaded_deployed_and_in_force_after_a_restart() {
    let mut pool = Inside::start(|_| {}).await;
    let mut swarm = pool.miners();
    let key = SecretKey::from_seed(&[9; 32]);
    let zip = signed_package(&key, "BLAKE2s");
    let upload = async |pool: &Inside, zip: &[u8]| {
        let mut form =
            b"--b0\r\nContent-Disposition: form-data; name=\"package\"; filename=\"p.zip\"\r\n\r\n".to_vec();
        form.extend_from_slice(zip);
        form.extend_from_slice(b"\r\n--b0--\r\n");
        let url = format!("http://{}/api/algorithms/stage", pool.pool.http_address());
        let request =
            reqwest::Client::new().post(url).header("content-type", "multipart/form-data; boundary=b0");
        let answer = request.bearer_auth(ADMIN_TOKEN).body(form).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (status, refused) = upload(&pool, &zip).await;
    let details = &refused["error"]["details"];
    assert_eq!((status, &details["package_code"]), (422, &json!("KEY_UNKNOWN")), "{refused:#}");
    trust(&pool, &key);
    let (status, _) = upload(&pool, &zip[..zip.len() - 9]).await;
    assert_eq!(status, 422);
    let (status, staged) = upload(&pool, &zip).await;
    assert_eq!((status, &staged["algorithm_id"]), (200, &json!("blake2s_0.1.0")), "{staged:#}");
    assert_eq!(staged["validation_results"].as_array().unwrap().len(), 8);
    let id = pool.deploy(fast()).await;
    let done = pool.deployment_until(&id, "over", |body| {
        body["status"] == "completed" || body["status"] == "rolled_back"
    });
    let done = done.await;
    assert_eq!(done["status"], "completed", "{done:#}");
    more_shares(&swarm, "a swap to wasm").await;
    assert_unnoticed(&swarm);
    pool = pool.restart(|_| {}).await;
    let (_, status) = pool.call("GET", "/api/algorithms/status", Value::Null).await;
    assert_eq!(status["active_algorithm"]["source"], "package", "{status:#}");
    more_shares(&swarm, "the restart").await;
    swarm.end();
    let folder = pool.stop().await;
    assert_durable(&swarm, journal_of(&folder));
}
