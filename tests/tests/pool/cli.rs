//! `dagpool algorithm stage|deploy|status|...` as an operator types them, against a pool that miners work for.

use std::{
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use pool_engine::{
    Registry,
    package::{MANIFEST, Package, TEST_VECTORS, WASM},
    signature::SecretKey,
    trust::{Permission, TrustedKey, trust_entry},
};
use pool_tests::pool::{ADMIN_TOKEN, PoolProcess, Setup, dagpool};
use serde_json::{Value, json};
use simulations::miners::SwarmHandle;

use crate::{inside::more_shares, mining};

/// A signed package of a module of `pool-actors/engine/tests/fixtures` that computes blake2s.
pub(crate) fn package(key: &SecretKey, name: &str, module: &str) -> Vec<u8> {
    let path = format!("{}/../pool-actors/engine/tests/fixtures/{module}.wasm", env!("CARGO_MANIFEST_DIR"));
    package_of(key, name, vec![(WASM, std::fs::read(path).unwrap())])
}

/// A signed package of that code, in version 0.1.0.
pub(crate) fn package_of(key: &SecretKey, name: &str, code: Vec<(&'static str, Vec<u8>)>) -> Vec<u8> {
    let manifest = json!({
        "name": name, "version": "0.1.0", "description": "BLAKE2s", "author": "tests", "license": "MIT",
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
    let mut entries =
        vec![(MANIFEST, manifest.to_string().into_bytes()), (TEST_VECTORS, vectors.to_string().into_bytes())];
    entries.extend(code);
    let package = Package::from_entries(entries).unwrap();
    let signature = key.sign(&package.digest());
    package.with_signature(&signature).to_zip().unwrap()
}

/// A pool with miners, and an operator's terminal.
pub(crate) struct Operator {
    pub(crate) pool: PoolProcess,
    pub(crate) swarm: SwarmHandle,
    pub(crate) key: SecretKey,
    folder: tempfile::TempDir,
    _node: simulations::node::NodeHandle,
}

impl Operator {
    pub(crate) async fn start(change: impl FnOnce(&mut Setup)) -> Self {
        let node = mining::node("blake2s", 500, 0);
        let mut setup = Setup::simulated(&node.rpc_url, "blake2s").await;
        change(&mut setup);
        let pool = PoolProcess::start(setup);
        let swarm = mining::miners(pool.stratum, "blake2s", 4, None);
        let key = SecretKey::from_seed(&[9; 32]);
        let permissions = vec![Permission::Wasm, Permission::Native];
        let trusted = TrustedKey { name: "tests".to_owned(), key: key.public(), permissions, revoked: None };
        std::fs::write(pool.data().join("trusted-keys.toml"), trust_entry(&trusted)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), format!("{ADMIN_TOKEN}\n")).unwrap();
        Self { pool, swarm, key, folder, _node: node }
    }

    pub(crate) fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(dagpool());
        let token: PathBuf = self.folder.path().join("token");
        command
            .arg("algorithm")
            .args(arguments)
            .env("DAGPOOL_URL", format!("http://{}", self.pool.http))
            .env("DAGPOOL_TOKEN", format!("file:{}", token.display()))
            .stdin(Stdio::null());
        command
    }

    /// Runs a command that must end with that code.
    pub(crate) async fn run(&self, code: i32, arguments: &[&str]) -> (String, String) {
        run(self.command(arguments), code).await
    }

    /// The same, and its JSON.
    pub(crate) async fn json(&self, code: i32, arguments: &[&str]) -> Value {
        let (stdout, stderr) = self.run(code, &[arguments, &["--json"]].concat()).await;
        serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout} {stderr}"))
    }

    /// No miner noticed anything, and they go on.
    pub(crate) async fn assert_unnoticed(&self, what: &str) {
        more_shares(&self.swarm, what).await;
        let stats = self.swarm.stats();
        assert_eq!(
            (stats.reconnects, stats.lost, stats.connected),
            (0, 0, stats.miners),
            "{what}: {stats:?}"
        );
        assert!(stats.rejected.is_empty(), "{what}: {stats:?} {:?}", self.swarm.miners());
    }
}

async fn run(mut command: Command, code: i32) -> (String, String) {
    let shown = format!("{command:?}");
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert_eq!(status.code(), Some(code), "{shown}\n{stdout}\n{stderr}");
    (stdout, stderr)
}

const FAST: &[&str] = &["--shadow-duration", "0.5", "--shadow-percentage", "100", "--phase-duration", "0.3"];

#[actix_rt::test]
async fn an_operator_deploys_an_upgrade_and_a_subtly_wrong_one_goes_back() {
    let mut at = Operator::start(|_| {}).await;
    let good = at.file("good.zip", &package(&at.key, "blake2s", "blake2s"));
    let staged = at.json(0, &["stage", &good]).await;
    assert_eq!(staged["algorithm_id"], "blake2s_0.1.0", "{staged:#}");
    let (plan, _) = at.run(0, &["deploy", "--plan", "--phases", "50,100"]).await;
    assert!(plan.contains("upgrade, gradual\nisolation wasm") && plan.contains("50%"), "{plan}");
    let (shown, steps) = at.run(0, &[&["deploy", "--phases", "50,100", "--wait"], FAST].concat()).await;
    assert!(shown.contains("status    completed") && shown.contains("trail"), "{shown}");
    assert!(steps.contains("deployment 1: running at shadow"), "{steps}");
    let (status, _) = at.run(0, &["status"]).await;
    assert!(status.contains("active    blake2s_0.1.0 (package "), "{status}");
    at.assert_unnoticed("an upgrade").await;
    // One of its hashes in 4096 is wrong: no vector and no warm-up shows that, but the miners' shares do.
    let wrong = at.file("wrong.zip", &package(&at.key, "fixture-faulty", "fixture-faulty-wrong"));
    at.run(0, &["stage", &wrong]).await;
    let (shown, _) =
        at.run(1, &["deploy", "--wait", "--shadow-duration", "60", "--shadow-percentage", "100"]).await;
    assert!(shown.contains("status    rolled_back at shadow"), "{shown}");
    let proof = |name: &str| {
        let line = shown.lines().find_map(|line| line.trim_start().strip_prefix(name)).unwrap();
        hex::decode(line.trim()).unwrap()
    };
    let right = Registry::linked_in().find("blake2s").unwrap().hash(&proof("input ")).unwrap();
    assert_eq!(proof("expected "), right, "{shown}");
    assert_ne!(proof("got "), right, "{shown}");
    at.assert_unnoticed("a wrong version").await;
    let listed = at.json(0, &["list"]).await;
    assert_eq!(listed["algorithms"]["active"]["algorithm_id"], "blake2s_0.1.0", "{listed:#}");
    assert_eq!(listed["deployments"].as_array().unwrap().len(), 2);
    at.swarm.end();
}

#[actix_rt::test]
async fn an_operator_steers_and_mistakes_are_answered_with_advice() {
    let mut at = Operator::start(|_| {}).await;
    let (_, refused) = at.run(1, &["deploy"]).await;
    assert!(refused.contains("[NO_STAGED_ALGORITHM]\n  - Stage a package"), "{refused}");
    assert!(refused.contains("/docs/errors/NO_STAGED_ALGORITHM"), "{refused}");
    let good = package(&at.key, "blake2s", "blake2s");
    let cut = at.file("cut.zip", &good[..good.len() - 9]);
    let (_, refused) = at.run(1, &["stage", &cut]).await;
    assert!(
        refused.starts_with("FAIL  container")
            && refused.contains("[PACKAGE_VALIDATION_FAILED: PACKAGE_TRUNCATED]"),
        "{refused}"
    );
    let good = at.file("good.zip", &good);
    at.run(0, &["stage", &good]).await;
    let begun = at.json(0, &["deploy", "--shadow-duration", "600"]).await;
    assert_eq!(begun["deployment_id"], "1", "{begun}");
    let busy = at.json(1, &["deploy"]).await;
    assert_eq!(busy["error"]["code"], "DEPLOYMENT_IN_PROGRESS", "{busy}");
    at.pool.until("/api/algorithms/status", |_, body| body["deployment"]["phase"] == "shadow").await;
    assert_eq!(at.json(0, &["pause"]).await["status"], "paused");
    assert_eq!(at.json(0, &["resume", "1"]).await["status"], "running");
    assert_eq!(at.json(0, &["advance"]).await["phase"], "5%");
    let back = at.json(0, &["rollback", "--reason", "a test", "--wait"]).await;
    assert_eq!((&back["status"], &back["rollback"]["detail"]), (&json!("rolled_back"), &json!("a test")));
    let over = at.json(1, &["pause"]).await;
    assert_eq!(over["error"]["code"], "DEPLOYMENT_NOT_UNDER_WAY", "{over}");
    // Without the token, with a wrong command line, with a pool that is not there.
    let mut nobody = at.command(&["list"]);
    nobody.env_remove("DAGPOOL_TOKEN");
    let (_, refused) = run(nobody, 1).await;
    assert!(refused.contains("[UNAUTHORIZED]") && refused.contains("DAGPOOL_TOKEN"), "{refused}");
    at.run(2, &["deploy", "--phases", "half"]).await;
    let url = format!("http://{}", at.pool.http);
    at.swarm.end();
    at.pool.kill();
    let away = at.json(1, &["status", "--url", &url]).await;
    assert_eq!(away["error"]["code"], "POOL_UNREACHABLE", "{away}");
}
