//! A pool with traces (feature `otel`) and its collector: lives of shares and blocks arrive as `docs/monitoring.md` says, and a
//! collector that hangs or is away is nobody's trouble.
//!
//! `tests/tools/traces.sh` builds that pool and runs these; `make soak` calls it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use pool_tests::{
    pool::{PATIENCE, PoolProcess, Setup},
    receivers::{self, Received, Receiver},
};
use serde::Deserialize;
use serde_json::{Value, json};
use simulations::miners::{Swarm, SwarmConfig};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

use crate::mining;

/// `ExportTraceServiceRequest` of opentelemetry-proto in its JSON mapping: another key, or a value of another type, is an error.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Export {
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ResourceSpans {
    resource: Resource,
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Resource {
    attributes: Vec<KeyValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeSpans {
    scope: BTreeMap<String, String>,
    spans: Vec<Span>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyValue {
    key: String,
    value: Value,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Span {
    trace_id: String,
    span_id: String,
    parent_span_id: String,
    name: String,
    kind: u8,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    attributes: Vec<KeyValue>,
    status: BTreeMap<String, u8>,
}

impl Span {
    fn start(&self) -> u64 {
        self.start_time_unix_nano.parse().unwrap()
    }

    fn end(&self) -> u64 {
        self.end_time_unix_nano.parse().unwrap()
    }

    fn is_ok(&self) -> bool {
        self.status["code"] == 1
    }
}

/// Keys and values.
fn attributes(of: &[KeyValue]) -> BTreeMap<&str, &Value> {
    of.iter().map(|pair| (pair.key.as_str(), &pair.value)).collect()
}

/// All spans that arrived, by trace; each trace has its whole first, then its parts in their order.
fn traces(collector: &Receiver<Received>) -> BTreeMap<String, Vec<Span>> {
    let mut traces: BTreeMap<String, Vec<Span>> = BTreeMap::new();
    for request in collector.arrived() {
        assert_eq!(request.line, "POST /v1/traces HTTP/1.1");
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.header("authorization"), Some("Bearer s3cret"));
        let export: Export = serde_json::from_str(&request.body).unwrap();
        let [of_pool] = export.resource_spans.as_slice() else { panic!("one resource") };
        let resource = attributes(&of_pool.resource.attributes);
        assert_eq!(resource["service.name"], &json!({ "stringValue": "dagpool" }));
        for key in ["service.version", "service.instance.id", "dagpool.name"] {
            assert!(resource[key]["stringValue"].as_str().is_some_and(|text| !text.is_empty()), "{key}");
        }
        let [scope] = of_pool.scope_spans.as_slice() else { panic!("one scope") };
        assert_eq!(scope.scope["name"], "dagpool");
        for span in &scope.spans {
            assert_eq!((span.trace_id.len(), span.span_id.len(), span.kind), (32, 16, 1));
            assert!(span.start() <= span.end(), "{} ends before it begins", span.name);
            traces.entry(span.trace_id.clone()).or_default().push(span.clone());
        }
    }
    for spans in traces.values_mut() {
        spans.sort_by_key(|span| (!span.parent_span_id.is_empty(), span.start(), span.end()));
        let ids: BTreeSet<_> = spans.iter().map(|span| &span.span_id).collect();
        assert_eq!(ids.len(), spans.len(), "two spans with one number");
    }
    traces
}

/// The whole of a life whose parts are complete, in it and without a gap; the names of the parts.
fn life(spans: &[Span]) -> (&Span, Vec<&str>) {
    let (whole, parts) = spans.split_first().unwrap();
    assert_eq!(whole.parent_span_id, "", "{} has no whole", whole.name);
    assert!(parts.iter().all(|part| part.parent_span_id == whole.span_id && part.is_ok()));
    assert!(parts.windows(2).all(|pair| pair[0].end() == pair[1].start()), "a gap in {}", whole.name);
    if let (Some(first), Some(last)) = (parts.first(), parts.last()) {
        assert!(whole.start() <= first.start() && last.end() <= whole.end(), "{}", whole.name);
    }
    (whole, parts.iter().map(|part| part.name.as_str()).collect())
}

fn outcome(whole: &Span) -> &str {
    attributes(&whole.attributes)["dagpool.outcome"]["stringValue"].as_str().unwrap()
}

/// Every share is traced, to a collector there.
fn traced(url: &str) -> String {
    format!("[traces]\nurl = \"{url}\"\nauthorization = \"Bearer s3cret\"\nshare_one_in = 1\n")
}

/// Sends a share of which nobody knows what it hashes to until it is refused for its difficulty.
async fn send_rubbish(pool: &PoolProcess) {
    let (read, mut write) = TcpStream::connect(pool.stratum).await.unwrap().into_split();
    let mut lines = BufReader::new(read).lines();
    let mut until = async |wanted: &dyn Fn(&Value) -> bool| loop {
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("the pool answers");
        let line: Value = serde_json::from_str(&line.unwrap().expect("it does not hang up")).unwrap();
        if wanted(&line) {
            return line;
        }
    };
    let mut send = async |request: Value| write.write_all(format!("{request}\n").as_bytes()).await.unwrap();
    send(json!({"id": 1, "method": "mining.subscribe", "params": ["rubbish"]})).await;
    let subscribed = until(&|line| line["id"] == 1).await;
    let extranonce2 = "00".repeat(usize::try_from(subscribed["result"][2].as_u64().unwrap()).unwrap());
    send(json!({"id": 2, "method": "mining.authorize", "params": ["rubbish", "x"]})).await;
    let notify = until(&|line| line["method"] == "mining.notify").await;
    for nonce in 0..20 {
        let (job, ntime, nonce) = (&notify["params"][0], &notify["params"][7], format!("{nonce:08x}"));
        let params = json!(["rubbish", job, extranonce2, ntime, nonce]);
        send(json!({"id": 3, "method": "mining.submit", "params": params})).await;
        if until(&|line| line["id"] == 3).await["error"][0] == 23 {
            return;
        }
    }
    panic!("twenty shares by luck");
}

#[actix_rt::test]
#[ignore = "takes a pool with the feature otel: tests/tools/traces.sh"]
async fn the_lives_of_shares_and_blocks_arrive() {
    let collector = receivers::http().await;
    let node = mining::node("blake2s", 250, 2);
    let more = traced(&format!("http://{}", collector.address));
    let pool = PoolProcess::start(Setup { more, ..Setup::simulated(&node.rpc_url, "blake2s").await });
    let swarm = mining::miners(pool.stratum, "blake2s", 4, Some(150));
    send_rubbish(&pool).await;
    swarm.finished().await;
    // Blocks mature by those of others.
    let paid = |blocks: &Value| -> Vec<Value> {
        let all = blocks["items"].as_array().unwrap();
        all.iter().filter(|block| block["status"] == "paid").cloned().collect()
    };
    let blocks = pool.until("/api/blocks?limit=100", |_, blocks| paid(blocks).len() >= 2).await;
    let accepted = swarm.stop().accepted;

    // Each share that a miner was told yes to, and no other, is a life with all its parts.
    let deadline = Instant::now() + PATIENCE;
    let is_told = |traces: &BTreeMap<String, Vec<Span>>| {
        let shares = traces.values().filter(|spans| spans[0].name == "share");
        let blocks = paid(&blocks);
        let mut wanted = blocks.iter().map(|block| &block["hash"].as_str().unwrap()[..32]);
        shares.count() as u64 > accepted && wanted.all(|trace| traces.contains_key(trace))
    };
    let traces = loop {
        let traces = traces(&collector);
        if is_told(&traces) {
            break traces;
        }
        assert!(Instant::now() < deadline, "{} traces of {accepted} shares", traces.len());
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let mut outcomes: BTreeMap<&str, u64> = BTreeMap::new();
    for spans in traces.values().filter(|spans| spans[0].name == "share") {
        let (whole, parts) = life(spans);
        *outcomes.entry(outcome(whole)).or_default() += 1;
        let expected: &[&str] = match outcome(whole) {
            "accepted" => &["wait for validator", "hash", "commit"],
            _ => &["wait for validator", "hash"],
        };
        assert_eq!(parts, expected);
        assert!(whole.is_ok(), "an answer is an answer");
        assert_eq!(whole.attributes.len(), 1);
        assert_eq!(whole.start(), spans[1].start());
        if outcome(whole) == "accepted" {
            assert_eq!(whole.end(), spans[3].end(), "it ends when it is durable");
        }
    }
    println!("lives of shares: {outcomes:?}; the miners were told yes {accepted} times");
    assert_eq!(outcomes.get("accepted"), Some(&accepted));
    assert!(outcomes.get("low_difficulty").is_some_and(|count| *count > 0));
    assert_eq!(outcomes.get("lost"), None);

    // Who knows a block finds its trace.
    for block in paid(&blocks) {
        let hash = block["hash"].as_str().unwrap();
        let (whole, parts) = life(&traces[&hash[..32]]);
        assert_eq!((whole.name.as_str(), outcome(whole), whole.is_ok()), ("block", "paid", true));
        let told = attributes(&whole.attributes);
        assert_eq!(told["dagpool.block"], &json!({ "stringValue": hash }));
        assert_eq!(told["dagpool.blue"], &json!({ "boolValue": true }));
        assert_eq!(told["dagpool.algorithm"], &json!({ "stringValue": "blake2s" }));
        assert_eq!(told["dagpool.height"], &json!({ "intValue": block["height"].to_string() }));
        assert_eq!(told.len(), 5, "{told:?}");
        assert_eq!(parts, ["candidate", "submitted", "accepted"], "{hash}");
    }

    // Nobody is named.
    for request in collector.arrived() {
        for name in ["miner0", "rubbish", "127.0.0.1"] {
            assert!(!request.body.contains(name), "{name} is told");
        }
    }
    node.stop();
}

/// What a pool's shares cost it.
#[derive(Debug, Clone, Copy)]
struct Cost {
    /// Mean of the acknowledgements, microseconds.
    ack_us: f64,
    /// What the second half of the time added, KiB.
    grown_kib: i64,
}

/// Sum of the seconds of those acknowledgements that are measured, and their number.
async fn acknowledged(pool: &PoolProcess) -> (f64, f64) {
    let text = pool.text("/metrics").await;
    let of = |name: &str| -> f64 {
        let lines =
            text.lines().filter_map(|line| line.strip_prefix(name)?.rsplit_once(' ')?.1.parse::<f64>().ok());
        lines.sum()
    };
    (of("dagpool_share_ack_seconds_sum"), of("dagpool_share_ack_seconds_count"))
}

fn anonymous_kib(pool: &PoolProcess) -> i64 {
    let text = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", pool.pid())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("Anonymous:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// What the writer of traces says of itself; `Null` without one.
async fn writer(pool: &PoolProcess) -> Value {
    let (_, system) = pool.get_as_admin("/api/admin/system").await;
    let mut actors = system["actors"].as_array().unwrap().iter();
    actors.find(|actor| actor["kind"] == "TraceWriter").map_or(Value::Null, |actor| actor["state"].clone())
}

/// Shares of each half; four spans each are more than the pool keeps for a collector.
const SHARES: u64 = 9_000;
/// Most spans that wait.
const WAITING_MAX: u64 = 20_000;

/// Runs a pool until it has acknowledged twice as many shares.
async fn run(more: String) -> (simulations::node::NodeHandle, PoolProcess, Cost) {
    let node = mining::node("blake2s", 1_000, 0);
    let pool = PoolProcess::start(Setup { more, ..Setup::simulated(&node.rpc_url, "blake2s").await });
    let config = SwarmConfig { hashrate: 40_000, ..mining::miners_of(pool.stratum, "blake2s", 8) };
    let swarm = Swarm::start(config).unwrap();
    let reach = async |wanted: u64| {
        let deadline = Instant::now() + 2 * PATIENCE;
        while swarm.stats().accepted < wanted {
            assert!(Instant::now() < deadline, "{:?}", swarm.stats());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anonymous_kib(&pool)
    };
    let half = reach(SHARES).await;
    let grown_kib = reach(2 * SHARES).await - half;
    let (sum, count) = acknowledged(&pool).await;
    let stats = swarm.stop();
    assert_eq!((stats.lost, stats.reconnects), (0, 0), "{stats:?}");
    assert!(stats.rejected.is_empty(), "{stats:?}");
    (node, pool, Cost { ack_us: sum / count * 1e6, grown_kib })
}

#[actix_rt::test]
#[ignore = "takes a pool with the feature otel: tests/tools/traces.sh"]
async fn a_collector_that_hangs_or_is_away_is_nobodys_trouble() {
    let (_node, pool, plain) = run(String::new()).await;
    assert_eq!(writer(&pool).await, Value::Null);
    drop(pool);

    let hanging = receivers::hangs().await;
    let (_node, pool, hung) = run(traced(&format!("http://{}", hanging.address))).await;
    assert!(!hanging.arrived().is_empty(), "nobody asked the collector");
    let state = writer(&pool).await;
    assert!(state["waiting"].as_u64().unwrap() <= WAITING_MAX, "{state}");
    assert!(state["given_up"].as_u64().unwrap() > 0, "{state}");
    assert_eq!(state["exported"], 0);
    drop(pool);

    let nobody = receivers::http().await;
    let address = nobody.address.to_string();
    drop(nobody);
    let (_node, pool, away) = run(traced(&format!("http://{address}"))).await;
    let state = writer(&pool).await;
    assert!(
        state["waiting"].as_u64().unwrap() <= WAITING_MAX && state["given_up"].as_u64() > Some(0),
        "{state}"
    );
    assert!(state["trouble"].is_string(), "{state}");
    let told = pool.log().matches("traces wait for their collector").count();
    assert_eq!(told, 1, "once, and not for each try");

    println!("without traces {plain:?}, the collector hangs {hung:?}, is away {away:?}");
    for troubled in [hung, away] {
        // A busy machine moves a mean as well; a share that waited for a collector would have had seconds.
        assert!(troubled.ack_us < 3.0 * plain.ack_us + 5_000.0, "{troubled:?}, {plain:?} without traces");
        // The spans that wait were there at half time.
        assert!(
            troubled.grown_kib < plain.grown_kib.max(0) + 4_096,
            "{troubled:?}, {plain:?} without traces"
        );
    }

    // It comes back, and has what was kept.
    let collector = receivers::http_at(&address).await;
    let deadline = Instant::now() + 3 * PATIENCE / 2;
    loop {
        let state = writer(&pool).await;
        if state["waiting"] == 0 && state["exported"].as_u64() > Some(WAITING_MAX / 2) {
            assert_eq!(state["trouble"], Value::Null);
            break;
        }
        assert!(Instant::now() < deadline, "{state}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // What was given up may be part of a life; what arrived can be read.
    assert!(traces(&collector).len() as u64 > WAITING_MAX / 8);
}
