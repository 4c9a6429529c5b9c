//! Where the code in force comes from: packages that came with the pool, deployments, the linked-in code; and older versions.

use pool_engine::{
    signature::SecretKey,
    trust::{Permission, TrustedKey, trust_entry},
};
use pool_tests::pool::{PoolProcess, Setup};

use crate::{
    cli::{self, Operator},
    mining,
};

#[actix_rt::test]
async fn a_package_that_came_with_the_pool_is_in_force_unless_it_is_wrong() {
    let node = mining::node("blake2s", 500, 0);
    let mut pool = PoolProcess::start(Setup::simulated(&node.rpc_url, "blake2s").await);
    let in_force = |_: u16, body: &serde_json::Value| body["active_algorithm"].is_object();
    let status = pool.until("/api/algorithms/status", in_force).await;
    assert_eq!(status["active_algorithm"]["source"], "linked_in", "{status:#}");
    let key = SecretKey::from_seed(&[9; 32]);
    let trusted = TrustedKey {
        name: "t".into(),
        key: key.public(),
        permissions: vec![Permission::Wasm],
        revoked: None,
    };
    let folder = pool.data().join("algorithms");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(pool.data().join("trusted-keys.toml"), trust_entry(&trusted)).unwrap();
    std::fs::write(folder.join("any-name.zip"), cli::package(&key, "blake2s", "blake2s")).unwrap();
    std::fs::write(folder.join("no-package.zip"), b"PK").unwrap();
    pool.restart();
    let status = pool.until("/api/algorithms/status", in_force).await;
    assert_eq!(status["active_algorithm"]["source"], "package", "{status:#}");
    assert_eq!(status["fallback_algorithm"]["source"], "linked_in", "{status:#}");
    let mut swarm = mining::miners(pool.stratum, "blake2s", 4, Some(20));
    swarm.finished().await;
    assert!(swarm.stats().rejected.is_empty(), "{:?}", swarm.stats());
    swarm.end();
    // A key that is not trusted any more.
    std::fs::write(pool.data().join("trusted-keys.toml"), "").unwrap();
    pool.restart();
    let status = pool.until("/api/algorithms/status", in_force).await;
    assert_eq!(status["active_algorithm"]["source"], "linked_in", "{status:#}");
    assert!(pool.log().contains("KEY_UNKNOWN"), "{}", pool.log());
}

#[actix_rt::test]
async fn an_older_version_needs_a_reason_which_is_recorded() {
    let mut at = Operator::start(|_| {}).await;
    std::fs::create_dir_all(at.pool.data().join("packages")).unwrap();
    let seen = r#"{ "highest": { "blake2s": "0.2.0" }, "overrides": [] }"#;
    std::fs::write(at.pool.data().join("packages/versions.json"), seen).unwrap();
    let older = at.file("older.zip", &cli::package(&at.key, "blake2s", "blake2s"));
    let (_, refused) = at.run(1, &["stage", &older]).await;
    assert!(refused.contains("[PACKAGE_VALIDATION_FAILED: PACKAGE_DOWNGRADE]"), "{refused}");
    let staged = at.json(0, &["stage", &older, "--allow-downgrade", "0.2.0 is slow here"]).await;
    assert_eq!(staged["downgrade"], "0.2.0 is slow here", "{staged:#}");
    let begun = at.json(0, &["deploy", "--strategy", "immediate", "--wait"]).await;
    let trail = begun["trail"][0]["detail"].as_str().unwrap();
    assert!(trail.ends_with("let in because: 0.2.0 is slow here"), "{begun:#}");
    let kept = std::fs::read_to_string(at.pool.data().join("packages/versions.json")).unwrap();
    assert!(kept.contains("0.2.0 is slow here"), "{kept}");
    at.assert_unnoticed("an older version").await;
    at.swarm.end();
}
