//! What `deploy/monitoring` holds is checked by Prometheus' own tools, and against a pool that runs.

use std::{
    collections::BTreeSet,
    fs,
    net::SocketAddr,
    time::{Duration, Instant},
};

use pool_actors::metrics;
use pool_tests::{
    pool::{ADMIN_TOKEN, PATIENCE, PoolProcess, Setup},
    prometheus::{Prometheus, monitoring, promtool},
    spare_address,
};
use serde_json::Value;

use crate::{demo::Demo, mining};

#[test]
fn promtool_takes_configuration_and_rules_and_the_rules_do_what_they_say() {
    let folder = monitoring().join("prometheus");
    promtool(&folder, &["check", "config", "prometheus.yml"]).unwrap();
    promtool(&folder.join("tests"), &["test", "rules", "alerts_test.yml"]).unwrap();
    // Every alert is in a test.
    let tests = fs::read_to_string(folder.join("tests/alerts_test.yml")).unwrap();
    for file in ["rules/alerts.yml", "rules/outside.yml"] {
        let rules = fs::read_to_string(folder.join(file)).unwrap();
        for alert in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
            assert!(tests.contains(&format!("alertname=\"{alert}\"")), "{alert} is in no test");
        }
    }
}

/// Title of the panel with its dashboard, and expression, of every target.
fn panels() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let folder = monitoring().join("grafana/dashboards");
    for file in fs::read_dir(folder).unwrap().flatten() {
        let board: Value = serde_json::from_str(&fs::read_to_string(file.path()).unwrap()).unwrap();
        let title = board["title"].as_str().unwrap();
        let mut ids = BTreeSet::new();
        for panel in board["panels"].as_array().unwrap() {
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: an id twice");
            let name = format!("{title} / {}", panel["title"].as_str().unwrap());
            for target in panel["targets"].as_array().unwrap() {
                found.push((name.clone(), target["expr"].as_str().unwrap().to_owned()));
            }
        }
    }
    assert!(found.len() > 60, "{}", found.len());
    found
}

/// The metrics that a text names.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == ':';
    let words = text.split(|c| !is_part(c));
    words
        .filter(|word| !word.contains(':') && (word.starts_with("dagpool_") || word.starts_with("process_")))
        .map(str::to_owned)
        .collect()
}

/// Panels without data in a pool where all is well, and why.
const MAY_BE_EMPTY: &[(&str, &str)] = &[];

#[actix_rt::test]
async fn every_panel_and_every_rule_has_data_of_a_pool_that_runs() {
    let demo = Demo::start(&[]);
    let prometheus = Prometheus::start(demo.http).await;
    let deadline = Instant::now() + PATIENCE;
    // Blocks are paid, payouts settle, and every window of a rate has begun.
    for condition in [
        "sum(dagpool_blocks_total{stage=\"paid\"}) > 0",
        "sum(dagpool_payouts_total{state=\"settled\"}) > 0",
        "count_over_time(up[2m]) > 12",
        "instance:dagpool_share_ack_seconds:p99_5m > 0",
        "sum(dagpool_disk_database_bytes) > 0",
    ] {
        while prometheus.values(condition).await.unwrap().is_empty() {
            assert!(Instant::now() < deadline, "{condition} does not come to be");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    let mut empty = BTreeSet::new();
    for (name, expression) in panels() {
        let expression = expression.replace("$instance", ".*").replace("$__rate_interval", "10s");
        let values = prometheus.values(&expression).await;
        let values = values.unwrap_or_else(|error| panic!("{name}: {expression}: {error}"));
        if values.is_empty() && !MAY_BE_EMPTY.iter().any(|(known, _)| *known == name) {
            empty.insert(format!("{name}: {expression}"));
        }
    }
    assert!(empty.is_empty(), "panels without data:\n{}", empty.into_iter().collect::<Vec<_>>().join("\n"));

    let rules = prometheus.get("/api/v1/rules", &[]).await;
    let groups = rules["data"]["groups"].as_array().unwrap();
    let rules: Vec<&Value> = groups.iter().flat_map(|group| group["rules"].as_array().unwrap()).collect();
    assert!(rules.len() > 25, "{}", rules.len());
    let mut named = BTreeSet::new();
    for rule in rules {
        assert_eq!(rule["health"], "ok", "{rule:#}");
        assert!(rule["state"] != "firing" || is_of_the_machine(rule), "nothing is wrong: {rule:#}");
        named.extend(metrics_in(rule["query"].as_str().unwrap()));
    }
    for (_, expression) in panels() {
        named.extend(metrics_in(&expression));
    }
    for metric in &named {
        let series = prometheus.values(&format!("count({metric})")).await.unwrap();
        assert!(!series.is_empty(), "no series of {metric}");
    }
    every_documented_metric_is_there(&prometheus).await;
}

/// What only the machine can help that the tests run on.
fn is_of_the_machine(rule: &Value) -> bool {
    rule["name"].as_str().is_some_and(|name| name.starts_with("disk_") || name.starts_with("memory_"))
}

/// Those that contracts name, whether a panel shows them or not.
async fn every_documented_metric_is_there(prometheus: &Prometheus) {
    let histograms = [
        metrics::SHARE_ACK_SECONDS,
        metrics::SHARE_VALIDATION_SECONDS,
        metrics::JOURNAL_COMMIT_SECONDS,
        metrics::JOB_BROADCAST_SECONDS,
        metrics::JOB_QUEUED_SECONDS,
        metrics::NODE_RPC_SECONDS,
        metrics::HTTP_REQUEST_SECONDS,
    ];
    let plain = [
        (metrics::CONNECTIONS, ""),
        (metrics::SHARES_TOTAL, "result,reason,algorithm,slot"),
        (metrics::JOURNAL_LAG_SHARES, ""),
        (metrics::BLOCKS_TOTAL, "stage"),
        (metrics::PAID_CONVERSION_RATIO, ""),
        (metrics::TEMPLATE_AGE_SECONDS, ""),
        (metrics::NODE_READY, ""),
        (metrics::DEPLOYMENTS_TOTAL, "outcome"),
        (metrics::TRAFFIC_SHARE, "slot"),
        (metrics::SLOT_RESTARTS_TOTAL, "slot,cause"),
        (metrics::SLOT_PANICS_TOTAL, "slot"),
        (metrics::LEDGER_IMBALANCE, ""),
        (metrics::PAYOUTS_TOTAL, "state"),
        (metrics::DB_UP, ""),
        (metrics::CACHE_UP, ""),
        (metrics::WS_CLIENTS, ""),
        (metrics::ALERTS_FIRING, "severity"),
        (metrics::NOTIFICATIONS_TOTAL, "kind,outcome"),
        (metrics::BANS_TOTAL, "reason"),
        (metrics::AUTH_FAILURES_TOTAL, "reason"),
        (metrics::MESSAGES_UNDELIVERED_TOTAL, "to,cause"),
        (metrics::HTTP_LIMITED_TOTAL, ""),
        (metrics::ERRORS_TOTAL, "code,severity"),
        (metrics::HASHRATE, "algorithm"),
        (metrics::NETWORK_DIFFICULTY, "algorithm"),
        (metrics::ACTOR_RESTARTS_TOTAL, "kind"),
        (metrics::BUILD_INFO, "version,profile"),
    ];
    for name in histograms {
        let count = prometheus.values(&format!("sum({name}_count)")).await.unwrap();
        assert!(count.first().is_some_and(|count| *count > 0.0), "{name} measured nothing");
    }
    for (name, labels) in plain {
        let answer = prometheus.get("/api/v1/query", &[("query", name)]).await;
        let series = answer["data"]["result"].as_array().unwrap();
        assert!(!series.is_empty(), "{name} has no series");
        for label in labels.split(',').filter(|label| !label.is_empty()) {
            // An empty label is none to Prometheus: accepted shares have no reason.
            assert!(
                series.iter().any(|series| series["metric"].get(label).is_some()),
                "{name} lacks {label}"
            );
        }
    }
    // Prometheus' own names, as every client library has them, with the right type.
    let types = prometheus.get("/api/v1/metadata", &[("metric", metrics::PROCESS_CPU_SECONDS_TOTAL)]).await;
    assert_eq!(types["data"][metrics::PROCESS_CPU_SECONDS_TOTAL][0]["type"], "counter", "{types}");
    let cpu = prometheus.values(metrics::PROCESS_CPU_SECONDS_TOTAL).await.unwrap();
    assert!(cpu[0] > 0.01 && cpu[0] < 3_600.0, "{cpu:?}");
}

#[actix_rt::test]
async fn figures_can_have_an_address_and_a_token_of_their_own() {
    let node = mining::node("blake2s", 300, 0);
    let mut setup = Setup::simulated(&node.rpc_url, "blake2s").await;
    let own = spare_address();
    setup.more = format!("[metrics]\naddress = \"{own}\"\ntoken = \"scrape-me\"\n");
    let pool = PoolProcess::start(setup);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let ask = async |address: SocketAddr, path: &str, token: Option<&str>| {
        let mut request = client.get(format!("http://{address}{path}"));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    for address in [own, pool.http] {
        let (status, text) = ask(address, "/metrics", Some("scrape-me")).await;
        assert!(status == 200 && text.contains("dagpool_errors_total"), "{address}: {status} {text}");
        for wrong in [None, Some("guess")] {
            let (status, text) = ask(address, "/metrics", wrong).await;
            assert!(status == 401 && text.contains("UNAUTHORIZED"), "{address}: {status} {text}");
        }
    }
    // There, it opens nothing else; here, it is no operator's.
    assert_eq!(ask(own, "/api/stats", Some("scrape-me")).await.0, 404);
    assert_eq!(ask(pool.http, "/api/admin/system", Some("scrape-me")).await.0, 401);
    assert_eq!(ask(pool.http, "/metrics", Some(ADMIN_TOKEN)).await.0, 200);
    let (_, shown) = pool.get_as_admin("/api/admin/config").await;
    assert!(!shown.to_string().contains("scrape-me") && !pool.log().contains("scrape-me"));
    let (code, out, _) = pool.command(&["check", "--config", pool.write_config().to_str().unwrap()]);
    assert!(code == Some(1) && out.contains("metrics port"), "{out}");
}
