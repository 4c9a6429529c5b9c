//! Figures as time series, in a real InfluxDB that is killed and comes back, and as its later versions are asked.

use std::time::{Duration, Instant};

use pool_tests::{
    influx::Influx,
    pool::{PATIENCE, PoolProcess, Setup},
    receivers,
};
use serde_json::Value;
use simulations::{
    miners::{Swarm, SwarmConfig, SwarmHandle},
    node::{NodeConfig, NodeHandle, SimNode},
};

async fn pool(more: String) -> (NodeHandle, PoolProcess, SwarmHandle) {
    let node = SimNode::start(NodeConfig::default()).unwrap();
    let setup = Setup { more, ..Setup::simulated(&node.rpc_url, "blake2s").await };
    let pool = PoolProcess::start(setup);
    let swarm = SwarmConfig {
        address: pool.stratum.to_string(),
        count: 3,
        hashrate: 2_000,
        account_prefix: "series".to_owned(),
        ..SwarmConfig::default()
    };
    let miners = Swarm::start(swarm).unwrap();
    (node, pool, miners)
}

/// Times of the pool's points, milliseconds, in order.
async fn times(influx: &Influx) -> Vec<u64> {
    let rows = influx.query("SELECT total_hashrate FROM pool_stats").await;
    rows.iter().map(|row| row[0].as_u64().unwrap()).collect()
}

async fn until_points(influx: &Influx, wanted: usize) -> Vec<u64> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let times = times(influx).await;
        if times.len() >= wanted {
            return times;
        }
        assert!(Instant::now() < deadline, "{} points, not {wanted}", times.len());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[actix_rt::test]
async fn a_server_that_was_away_has_every_point_once() {
    let mut influx = Influx::start().await;
    let more = format!("[influx]\nurl = \"http://{}\"\ninterval_s = 1\n", influx.address);
    let (node, pool, miners) = pool(more).await;
    until_points(&influx, 3).await;
    influx.kill();
    // Points come and wait meanwhile.
    let waiting = "dagpool_influx_waiting_lines";
    let deadline = Instant::now() + PATIENCE;
    while !pool.text("/metrics").await.lines().any(|line| {
        line.strip_prefix(waiting)
            .and_then(|rest| rest.trim().parse::<f64>().ok())
            .is_some_and(|lines| lines > 10.0)
    }) {
        assert!(Instant::now() < deadline, "nothing waits");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    influx.restart().await;
    let before = times(&influx).await.len();
    // The pause after several failures, and then some.
    let times = until_points(&influx, before + 8).await;
    let gaps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // A second each, give or take what a busy machine is late; a point that was lost would be two.
    assert!(gaps.iter().all(|gap| (1..1_900).contains(gap)), "gaps of milliseconds: {gaps:?}");
    let by_miner = influx.query("SELECT count(shares) FROM mining_stats GROUP BY miner_id").await;
    assert_eq!(by_miner.len(), 3, "{by_miner:?}");
    let series = influx.query("SHOW TAG VALUES FROM mining_stats WITH KEY = miner_id").await;
    assert!(series.iter().all(|row| row[1].as_str().unwrap().starts_with("series")), "{series:?}");
    let last = influx.query("SELECT last(total_hashrate), active_miners, blocks_found FROM pool_stats").await;
    assert!(last[0][1].as_u64().unwrap() > 0 && last[0][2] == 3, "{last:?}");
    let kinds = influx.query("SHOW FIELD KEYS FROM mining_stats").await;
    let kinds: Vec<(&str, &str)> =
        kinds.iter().map(|row| (row[0].as_str().unwrap(), row[1].as_str().unwrap())).collect();
    assert_eq!(kinds, [("difficulty", "float"), ("hashrate", "integer"), ("shares", "integer")]);
    assert!(!pool.log().contains("refused for good"), "{}", pool.log());
    miners.stop();
    node.stop();
}

#[actix_rt::test]
async fn later_versions_are_asked_in_their_way() {
    let receiver = receivers::http().await;
    let more = format!(
        "[influx]\nurl = \"http://{}\"\napi = \"v2\"\norg = \"my org\"\nbucket = \"b\"\ntoken = \"env:INFLUX_TOKEN\"\ninterval_s = 1\n",
        receiver.address
    );
    let node = SimNode::start(NodeConfig::default()).unwrap();
    let setup = Setup {
        more,
        environment: vec![("INFLUX_TOKEN", "verysecret".to_owned())],
        ..Setup::simulated(&node.rpc_url, "blake2s").await
    };
    let pool = PoolProcess::start(setup);
    let deadline = Instant::now() + PATIENCE;
    while receiver.arrived().is_empty() {
        assert!(Instant::now() < deadline, "nothing is written: {}", pool.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let first = &receiver.arrived()[0];
    assert_eq!(first.line, "POST /api/v2/write?org=my+org&bucket=b&precision=ns HTTP/1.1");
    assert_eq!(first.header("authorization"), Some("Token verysecret"));
    let line = first.body.lines().next().unwrap();
    assert!(line.starts_with("pool_stats,algorithm=blake2s total_hashrate="), "{line}");
    let (_, system) = pool.get_as_admin("/api/admin/system").await;
    let writer = system["actors"].as_array().unwrap().iter().find(|actor| actor["kind"] == "InfluxWriter");
    assert!(writer.unwrap()["state"]["written"].as_u64().is_some(), "{system}");
    assert_ne!(system["figures"], Value::Null);
    assert!(!pool.log().contains("verysecret") && !system.to_string().contains("verysecret"));
    node.stop();
}
