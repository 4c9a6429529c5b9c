//! Native code from packages: in a confined child, where it may die of anything, and in the pool itself.

use std::{path::Path, process::Command};

use pool_engine::package::WASM;

use crate::cli::{Operator, package_of};

/// The native library of a plugin, built with features; cargo keeps it up to date, one build at a time.
fn library(plugin: &str, features: &str) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("native");
    let features = format!("export,{features}");
    let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["rustc", "--quiet", "--offline", "--lib", "--crate-type", "cdylib", "--features"])
        .args([features.trim_end_matches(','), "--package", &format!("plugin-{plugin}"), "--target-dir"])
        .arg(&target)
        // What measures coverage is for the pool's own code.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTC_WRAPPER")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .current_dir(root)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    std::fs::read(target.join("debug").join(format!("libplugin_{}.so", plugin.replace('-', "_")))).unwrap()
}

/// A package with the plugin's committed module and its native library.
fn package(at: &Operator, plugin: &str, features: &str) -> String {
    let module = format!("{}/../pool-actors/engine/tests/fixtures/{plugin}.wasm", env!("CARGO_MANIFEST_DIR"));
    let code = vec![(WASM, std::fs::read(module).unwrap()), ("algorithm.so", library(plugin, features))];
    at.file("native.zip", &package_of(&at.key, plugin, code))
}

#[actix_rt::test]
async fn a_library_that_kills_its_process_costs_no_share() {
    // Each death takes a restart of the child: thirty hashes are enough to judge by.
    let few = |setup: &mut pool_tests::pool::Setup| {
        setup.environment.push(("DAGPOOL__ALGORITHMS__SAMPLES_MIN", "30".to_owned()));
    };
    let mut at = Operator::start(few).await;
    for (number, features) in [(1, "segfault-sometimes"), (2, "exit-sometimes")] {
        let package = package(&at, "fixture-faulty", features);
        let staged = at.json(0, &["stage", &package, "--isolation", "process"]).await;
        assert_eq!(staged["isolation"], "process", "{staged:#}");
        // It serves everybody at once: one share in some is its death.
        let over =
            at.json(1, &["deploy", "--strategy", "immediate", "--phase-duration", "600", "--wait"]).await;
        assert_eq!(
            (&over["status"], &over["isolation"]),
            (&"rolled_back".into(), &"process".into()),
            "{over:#}"
        );
        // Errors beyond the control group's; or, on a machine that starts no child for seconds, a hang.
        let codes = ["ALGORITHM_UNHEALTHY", "ALGORITHM_SLOT_FAILED"];
        assert!(codes.contains(&over["rollback"]["code"].as_str().unwrap()), "{over:#}");
        assert_eq!(over["deployment_id"], number.to_string());
        at.assert_unnoticed(features).await;
    }
    at.swarm.end();
}

/// Nothing contains native code in the pool's own process: the pool dies of it, once. What was acknowledged is durable, and
/// after the restart the algorithm that was in force before serves.
#[actix_rt::test]
async fn a_library_in_the_pool_s_own_process_costs_a_restart_and_nothing_acknowledged() {
    for (features, code) in [("exit-sometimes", Some(7)), ("segfault-sometimes", None)] {
        let mut at = Operator::start(|_| {}).await;
        let package = package(&at, "fixture-faulty", features);
        at.run(0, &["stage", &package, "--isolation", "in-process"]).await;
        let deploy = reqwest::Client::new()
            .post(format!("http://{}/api/algorithms/deploy", at.pool.http))
            .bearer_auth(pool_tests::pool::ADMIN_TOKEN)
            .json(&serde_json::json!({ "config": { "strategy": "immediate", "phase_duration": 600 } }));
        // It may not live to answer.
        let _ = deploy.send().await;
        assert_eq!(at.pool.ended(), code, "{}", at.pool.log());
        at.pool.restart();
        let (_, deployment) = at.pool.get_as_admin("/api/deployments/1").await;
        assert_eq!(deployment["status"], "rolled_back", "{deployment:#}");
        let status = at.pool.until("/api/algorithms/status", |_, body| body["active_algorithm"].is_object());
        let status = status.await;
        assert_eq!(status["active_algorithm"]["source"], "linked_in", "{status:#}");
        let why = deployment["rollback"]["detail"].as_str().unwrap();
        assert!(why.contains("native code was at work inside it"), "{deployment:#}");
        crate::inside::more_shares(&at.swarm, features).await;
        at.swarm.end();
        at.pool.terminate();
        let journalled = at.pool.journalled();
        for miner in at.swarm.miners() {
            let durable = journalled.get(miner.user.split('.').next().unwrap()).copied().unwrap_or(0);
            assert!((miner.accepted..=miner.submitted).contains(&durable), "{durable} of {miner:?}");
            assert!(miner.rejected.is_empty(), "{miner:?}");
        }
    }
}

#[actix_rt::test]
async fn good_native_code_serves_in_a_child_and_in_the_pool() {
    let mut at = Operator::start(|_| {}).await;
    let package = package(&at, "blake2s", "");
    at.run(0, &["stage", &package]).await;
    let fast = [
        "--shadow-duration",
        "0.5",
        "--shadow-percentage",
        "100",
        "--phase-duration",
        "0.3",
        "--phases",
        "50,100",
    ];
    for level in ["process", "in-process"] {
        if level == "in-process" {
            at.run(0, &["stage", &package, "--isolation", level]).await;
        }
        let over = at.json(0, &[&["deploy", "--wait", "--isolation", level], &fast[..]].concat()).await;
        assert_eq!((&over["status"], &over["isolation"]), (&"completed".into(), &level.into()), "{over:#}");
        let (status, _) = at.run(0, &["status"]).await;
        assert!(
            status.contains("active    blake2s_0.1.0 (package ")
                && status.contains(&format!("isolation {level}")),
            "{status}"
        );
        assert!(status.contains("fallback  blake2s_"), "{status}");
        at.assert_unnoticed(level).await;
    }
    // After a restart the same code is in force, at the same level.
    let deployed = at.pool.until("/api/algorithms/status", |_, body| body["isolation"] == "in-process").await;
    at.pool.restart();
    let again = at.pool.until("/api/algorithms/status", |_, body| body["active_algorithm"].is_object()).await;
    assert_eq!(
        (&again["isolation"], &again["active_algorithm"]),
        (&deployed["isolation"], &deployed["active_algorithm"])
    );
    // The pool ends again and again, as if of that code: the third start in an hour lets it serve from a child only.
    for (end, level) in [(2, "in-process"), (3, "process")] {
        at.pool.restart();
        let status = at.pool.until("/api/algorithms/status", |_, body| body["active_algorithm"].is_object());
        let status = status.await;
        assert_eq!(
            (&status["isolation"], &status["active_algorithm"]),
            (&level.into(), &deployed["active_algorithm"]),
            "after end {end}: {status:#}"
        );
    }
    assert!(at.pool.log().contains("NATIVE_CODE_CONFINED"), "{}", at.pool.log());
    crate::inside::more_shares(&at.swarm, "native code is confined").await;
    at.swarm.end();
}
