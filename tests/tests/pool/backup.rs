//! A backup under load, restored to another folder: audited clean, and the pool goes on from it.

use pool_tests::{
    pool::{PoolProcess, Setup, amount},
    postgres::Postgres,
};
use serde_json::json;

use crate::mining;

#[actix_rt::test]
async fn a_backup_under_load_is_restored_audited_and_gone_on_from() {
    let node = mining::node("blake2s", 200, 2);
    let mut pool = PoolProcess::start(Setup::simulated(&node.rpc_url, "blake2s").await);
    let mut swarm = mining::miners(pool.stratum, "blake2s", 4, None);
    pool.until("/api/blocks?limit=100&status=paid", |_, blocks| {
        blocks["items"].as_array().unwrap().len() >= 2
    })
    .await;
    let config = pool.write_config();
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let backup = place("backup");
    let (code, out, error) =
        pool.command(&["backup", "--config", config.to_str().unwrap(), "--out", &backup, "--json"]);
    assert_eq!(code, Some(0), "{out}{error}");
    let (code, _, error) = pool.command(&["backup", "--config", config.to_str().unwrap(), "--out", &backup]);
    assert_eq!((code, error.contains("not empty")), (Some(1), true), "{error}");
    // Blocks come and shares are credited after the backup: lost with the folder, as they must be.
    let before = pool.get("/api/stats").await.1["blocks"]["accepted"].as_u64().unwrap();
    pool.until("/api/stats", |_, stats| stats["blocks"]["accepted"].as_u64() > Some(before)).await;
    pool.kill();

    let restored = place("restored");
    let (code, out, error) = pool.command(&["restore", &backup, "--data-dir", &restored, "--json"]);
    assert_eq!(code, Some(0), "{out}{error}");
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&report["audit"]["clean"], &report["audit"]["unchecked"]),
        (&json!(true), &json!([])),
        "{report:#}"
    );
    let (code, _, error) = pool.command(&["restore", &backup, "--data-dir", &restored]);
    assert_eq!((code, error.contains("not empty")), (Some(1), true), "{error}");

    // The pool goes on from it: the same node, the same books, new shares and blocks.
    std::fs::remove_dir_all(pool.data()).unwrap();
    std::fs::rename(&restored, pool.data()).unwrap();
    pool.restart();
    let credited = |stats: &serde_json::Value| amount(&stats["ledger"]["confirmed"]);
    let start = pool.until("/api/stats", |_, stats| stats["ledger"]["lag"] == 0).await;
    pool.until("/api/stats", |_, stats| credited(stats) > credited(&start)).await;
    swarm.end();
    assert_eq!(pool.terminate(), Some(0), "{}", pool.log());
    let report = pool.audit();
    assert_eq!((&report["clean"], &report["unchecked"]), (&json!(true), &json!([])), "{report:#}");

    // A backup that was changed is refused before anything is written.
    let copy = folder.path().join("backup/pool.db");
    let mut bytes = std::fs::read(&copy).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&copy, bytes).unwrap();
    let other = place("other");
    let (code, _, error) = pool.command(&["restore", &backup, "--data-dir", &other]);
    assert_eq!((code, error.contains("pool.db is not what the manifest says")), (Some(1), true), "{error}");
    assert!(!std::path::Path::new(&other).exists());
}

#[actix_rt::test]
async fn a_backup_on_postgres_is_restored_audited_and_gone_on_from() {
    let server = Postgres::start();
    let node = mining::node("blake2s", 200, 1);
    let mut setup = Setup::simulated(&node.rpc_url, "blake2s").await;
    setup.more = format!("[store]\nurl = \"{}\"\n", server.url());
    let mut pool = PoolProcess::start(setup);
    let mut swarm = mining::miners(pool.stratum, "blake2s", 3, None);
    pool.until("/api/blocks?limit=100&status=paid", |_, blocks| {
        blocks["items"].as_array().unwrap().len() >= 2
    })
    .await;
    let config = pool.write_config();
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let program = |name: &str| Postgres::program(name).to_str().unwrap().to_owned();
    let (backup, restored) = (place("backup"), place("restored"));
    let (dump, restore) = (program("pg_dump"), program("pg_restore"));
    let from = ["backup", "--config", config.to_str().unwrap(), "--out", &backup, "--pg-dump", &dump];
    let (code, out, error) = pool.command(&from);
    assert_eq!(code, Some(0), "{out}{error}");
    pool.kill();

    let url = server.another("restored");
    let to =
        ["restore", &backup, "--data-dir", &restored, "--database", &url, "--pg-restore", &restore, "--json"];
    let (code, out, error) = pool.command(&to);
    assert_eq!(code, Some(0), "{out}{error}");
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&report["audit"]["clean"], &report["audit"]["unchecked"]),
        (&json!(true), &json!([])),
        "{report:#}"
    );
    // A database that holds something is left alone.
    let again =
        ["restore", &backup, "--data-dir", &place("again"), "--database", &url, "--pg-restore", &restore];
    let (code, _, error) = pool.command(&again);
    assert_eq!((code, error.contains("already exists")), (Some(1), true), "{error}");

    std::fs::remove_dir_all(pool.data()).unwrap();
    std::fs::rename(&restored, pool.data()).unwrap();
    pool.setup().more = format!("[store]\nurl = \"{url}\"\n");
    pool.restart();
    let credited = |stats: &serde_json::Value| amount(&stats["ledger"]["confirmed"]);
    let start = pool.until("/api/stats", |_, stats| stats["ledger"]["lag"] == 0).await;
    pool.until("/api/stats", |_, stats| credited(stats) > credited(&start)).await;
    swarm.end();
    assert_eq!(pool.terminate(), Some(0), "{}", pool.log());
    let data = pool.data();
    let audit = ["ledger", "audit", "--data-dir", data.to_str().unwrap(), "--database", &url];
    let (code, out, error) = pool.command(&audit);
    assert_eq!(code, Some(0), "{out}{error}");
}
