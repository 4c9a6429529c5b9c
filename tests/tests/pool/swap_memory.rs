//! What a pool process holds does not grow with the number of generations that it has had.

use pool_tests::{
    packages,
    pool::{ADMIN_TOKEN, PoolProcess, Setup},
};
use serde_json::{Value, json};

use crate::mining;

/// Swaps between two looks.
const ROUND: u32 = 10;
/// What may be left of a generation, KiB. Code and instance of one that is kept are more than 250; how much the allocator
/// has given back differs by a megabyte from one look to the next.
const LEFT_KIB_MAX: u64 = 128;

/// What a process has, KiB, but for the numbers of threads and of lines in `/metrics`.
#[derive(Debug, Clone, Copy)]
struct Held {
    anonymous: u64,
    mapped: u64,
    threads: u64,
    metrics: usize,
    actors: usize,
}

async fn held(pool: &PoolProcess) -> Held {
    let field = |file: &str, name: &str| -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/{file}", pool.pid())).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_ascii_whitespace().next().unwrap().parse().unwrap()
    };
    let (_, system) = pool.get_as_admin("/api/admin/system").await;
    Held {
        anonymous: field("smaps_rollup", "Anonymous:"),
        mapped: field("status", "VmSize:"),
        threads: field("status", "Threads:"),
        metrics: pool.text("/metrics").await.lines().count(),
        actors: system["actors"].as_array().unwrap().len(),
    }
}

async fn post(pool: &PoolProcess, path: &str, kind: &str, body: Vec<u8>) -> Value {
    let request =
        reqwest::Client::new().post(format!("http://{}{path}", pool.http)).header("content-type", kind);
    let answer = request.bearer_auth(ADMIN_TOKEN).body(body).send().await.unwrap();
    assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
    answer.json().await.unwrap()
}

async fn swap(pool: &PoolProcess, number: u32) {
    let package = packages::numbered_package("blake2s", number);
    post(pool, "/api/algorithms/stage", "application/zip", package).await;
    let config = if number.is_multiple_of(2) {
        json!({ "strategy": "immediate" })
    } else {
        json!({ "shadow_duration": 0.1, "phase_duration": 0.05, "phases": [50, 100] })
    };
    let body = json!({ "config": config }).to_string().into_bytes();
    let begun = post(pool, "/api/algorithms/deploy", "application/json", body).await;
    let id = &begun["deployment_id"];
    let over = pool
        .until("/api/algorithms/status", |_, body| {
            let state = &body["migration_state"];
            state["deployment_id"] == *id
                && ["completed", "rolled_back"].iter().any(|over| state["status"] == *over)
        })
        .await;
    assert_eq!(over["migration_state"]["status"], "completed", "{over:#}");
    // The old generation is gone, and with it all that it held.
    pool.until("/api/algorithms/status", |_, body| {
        body["performance_metrics"]["slots"].as_array().is_some_and(|slots| slots.len() == 1)
    })
    .await;
}

#[actix_rt::test]
async fn memory_does_not_grow_with_the_number_of_swaps() {
    let node = mining::node("blake2s", 500, 0);
    let mut setup = Setup::simulated(&node.rpc_url, "blake2s").await;
    setup.environment.push(("DAGPOOL__ALGORITHMS__DRAIN_MS", "50".to_owned()));
    let pool = PoolProcess::start(setup);
    std::fs::write(pool.data().join("trusted-keys.toml"), packages::trusted_keys()).unwrap();
    // Without miners: the reward window, the chain's blocks and the journal's buffers grow with work, and not with swaps.
    pool.until("/health/ready", |status, _| status == 200).await;
    let mut looks = Vec::new();
    for round in 0..3 {
        for number in 0..ROUND {
            swap(&pool, round * ROUND + number).await;
        }
        looks.push(held(&pool).await);
        eprintln!("after {} swaps: {:?}", (round + 1) * ROUND, looks.last());
    }
    // What is made once was made in the first round.
    let [_, base, last] = looks[..] else { unreachable!("three rounds") };
    assert!(last.anonymous <= base.anonymous + u64::from(ROUND) * LEFT_KIB_MAX, "{looks:?}");
    assert!(last.mapped <= base.mapped + u64::from(ROUND) * LEFT_KIB_MAX, "{looks:?}");
    assert_eq!((last.threads, last.actors), (base.threads, base.actors), "{looks:?}");
    assert!(last.metrics <= base.metrics + 2, "{looks:?}");
}
