//! `dagpool bench run`: the pool and the raw server in one run, on one machine, and a table of both.

use std::{fs, path::PathBuf, process::ExitCode, time::Duration};

use pool_actors::error::{Code, Failure};
use serde_json::{Value, json};
use simulations::node::{AlgorithmConfig, NodeConfig, NodeHandle, SimNode};

use super::{
    children::Server,
    scrape::Histogram,
    stratum::{self, Report},
    swarm::{Load, Swarm},
    table::{Comparison, Table},
};

/// Connections and shares outstanding on each.
const SHAPES: [(usize, usize); 3] = [(100, 16), (1_000, 4), (10_000, 1)];
/// Idle connections that are there before memory is measured.
pub(super) const FIRST: usize = 2_000;
/// What one process must hold (the hard limit of files is 20,000 on many systems).
const CONNECTIONS_MOST: usize = 19_500;
/// Shares a second at which latency is told.
const PACED_RATE: u64 = 20_000;
/// The least difficulty, 2^-32: every hash is a share.
const LEAST: &str = "0.00000000023283064365386962890625";
/// What moves the tips.
const TIPS_ALGORITHM: &str = "kheavyhash";
const TIPS_POW_TYPE: u8 = 104;
/// Hashes per block: none is found by the way, since a block costs what shares don't.
const HASHES_PER_BLOCK: u64 = 1 << 60;

/// Options of `dagpool bench run`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Folder for journals and logs, on the disk that is to be measured; a fresh one below it is used and removed.
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    pub(crate) dir: PathBuf,
    /// How long each load is measured, seconds.
    #[arg(long, default_value_t = 8)]
    pub(crate) seconds: u64,
    /// How often raw server and pool take turns at each load.
    #[arg(long, default_value_t = 1)]
    pub(crate) rounds: usize,
    /// Parts to run: idle, broadcast, most, paced, load. All without it.
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// What an accepted share survives: disk or os (raw server: durable or not).
    #[arg(long, default_value = "disk")]
    pub(crate) durability: String,
    /// Keep the folder with journals and logs.
    #[arg(long)]
    pub(crate) keep: bool,
}

impl Options {
    fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == part)
    }
}

/// The servers of a run.
struct Site {
    node: NodeHandle,
    pool: Server,
    pool_address: std::net::SocketAddr,
    pool_http: std::net::SocketAddr,
    raw: Server,
    raw_address: std::net::SocketAddr,
}

/// Runs everything and prints the table.
///
/// # Errors
/// When a server does not start or a load can't be put on it.
pub(super) async fn command(options: &Options) -> Result<ExitCode, Failure> {
    let dir = options.dir.join(format!("dagpool-bench-{}", std::process::id()));
    fs::create_dir_all(&dir).map_err(|error| {
        let what = format!("{} can't be made: {error}", dir.display());
        Failure::new(Code::DataDirUnwritable, what, "choose another --dir")
    })?;
    let outcome = in_folder(options, &dir).await;
    if options.keep {
        eprintln!("kept: {}", dir.display());
    } else if let Err(error) = fs::remove_dir_all(&dir) {
        eprintln!("{} could not be removed: {error}", dir.display());
    }
    print!("{}", outcome?);
    Ok(ExitCode::SUCCESS)
}

async fn in_folder(options: &Options, dir: &std::path::Path) -> Result<Table, Failure> {
    let site = start(options, dir).await?;
    let jobs = move_tips(site.node.admin_url.clone());
    let table = measure(options, &site).await;
    jobs.abort();
    table
}

/// A block of an algorithm that nobody here hashes each second: the tips move, and with them the pool's job.
pub(super) fn move_tips(url: String) -> actix_rt::task::JoinHandle<()> {
    actix_rt::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let mined = rpc(&url, "mineBlocks", &json!([{"pow_type": TIPS_POW_TYPE, "count": 1}])).await;
            if let Err(failure) = mined {
                eprintln!("{failure}");
            }
        }
    })
}

/// The simulated node, and the address that blocks pay.
pub(super) async fn start_node() -> Result<(NodeHandle, String), Failure> {
    start_node_of(&["sha256d"], HASHES_PER_BLOCK).await
}

/// The same, for these functions, with a block of so many hashes.
pub(super) async fn start_node_of(
    functions: &[&str],
    hashes_per_block: u64,
) -> Result<(NodeHandle, String), Failure> {
    let named = |name: &str, hashes: u64| {
        let algorithm = AlgorithmConfig::named(name).expect("the simulator has it");
        AlgorithmConfig { start_hashes: hashes, ..algorithm }
    };
    let config = NodeConfig {
        algorithms: functions
            .iter()
            .map(|name| named(name, hashes_per_block))
            .chain([named(TIPS_ALGORITHM, 16)])
            .collect(),
        block_time: Duration::from_millis(500),
        ..NodeConfig::quiet()
    };
    let node = SimNode::start(config).map_err(|error| {
        Failure::new(Code::NodeUnusable, error.to_string(), "free the port or memory it needs")
    })?;
    let payout = rpc(&node.rpc_url, "getNewAddress", &json!(["bench"])).await?;
    let payout = payout.as_str().unwrap_or_default().to_owned();
    Ok((node, payout))
}

async fn start(options: &Options, dir: &std::path::Path) -> Result<Site, Failure> {
    let (node, payout) = start_node().await?;
    let config = dir.join("pool.toml");
    let text = pool_config(&options.durability, dir, &node.rpc_url, &payout);
    fs::write(&config, text).map_err(|error| {
        Failure::new(
            Code::DataDirUnwritable,
            format!("{}: {error}", config.display()),
            "choose another --dir",
        )
    })?;
    let mut pool = Server::start("pool", dir, &["run", "--config", &config.to_string_lossy()])?;
    let pool_address = pool.address("stratum+tcp://").await?;
    let pool_http = pool.address("http://").await?;
    let like = pool_address.to_string();
    let file = dir.join("raw.journal");
    let file = file.to_string_lossy();
    let mut arguments = vec!["bench", "raw-server", "--listen", "127.0.0.1:0", "--like", &like];
    if options.durability == "disk" {
        arguments.extend(["--durable", "--file", &file]);
    }
    let mut raw = Server::start("raw server", dir, &arguments)?;
    let raw_address = raw.address("raw server listening on ").await?;
    Ok(Site { node, pool, pool_address, pool_http, raw, raw_address })
}

/// A pool for a benchmark: least difficulty, no limits, data below `dir`.
pub(super) fn pool_config(durability: &str, dir: &std::path::Path, node: &str, payout: &str) -> String {
    format!(
        "[pool]\ndata_dir = {data:?}\n\
         [chain]\nprofile = \"simulated\"\nnodes = [{node:?}]\npayout_address = {payout:?}\njob_interval_ms_min = 250\n\
         [stratum]\nconnections_max = 100000\nconnections_per_ip_max = 100000\nconnect_rate_per_ip_max = 1000000\n\
         handshakes_max = 100000\nrequests_per_second_max = 1000000\n\
         [[stratum.listener]]\naddress = \"127.0.0.1:0\"\ndialect = \"standard\"\ndifficulty = \"{LEAST}\"\n\
         difficulty_min = \"{LEAST}\"\nfixed = true\n\
         [banning]\nenabled = false\n\
         [algorithms]\nactive = \"sha256d\"\n\
         [journal]\ndurability = {durability:?}\n\
         [http]\naddress = \"127.0.0.1:0\"\n\
         [log]\nlevel = \"warn\"\n",
        data = dir.join("data"),
    )
}

/// Calls the simulated node.
async fn rpc(url: &str, method: &str, params: &Value) -> Result<Value, Failure> {
    let call = async {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let answer: Value = reqwest::Client::new().post(url).json(&request).send().await?.json().await?;
        Ok::<_, reqwest::Error>(answer)
    };
    let failed = |why: String| {
        Failure::new(Code::NodeUnusable, format!("simulated node: {method}: {why}"), "report this defect")
    };
    let mut answer = call.await.map_err(|error| failed(error.to_string()))?;
    if !answer["error"].is_null() {
        return Err(failed(answer["error"].to_string()));
    }
    Ok(answer["result"].take())
}

/// What the pool's histogram says of the time from a template's arrival until its job is queued to all sessions.
async fn queued(pool: std::net::SocketAddr) -> Result<Histogram, Failure> {
    let text = async { reqwest::get(format!("http://{pool}/metrics")).await?.text().await };
    let text = text.await.map_err(|error| {
        Failure::new(Code::SystemRefused, format!("the pool's metrics: {error}"), "report this defect")
    })?;
    Ok(Histogram::read(&text, pool_actors::metrics::JOB_QUEUED_SECONDS))
}

async fn measure(options: &Options, site: &Site) -> Result<Table, Failure> {
    let pool = |connections, outstanding| stratum::Options {
        seconds: options.seconds,
        ..stratum::Options::against(site.pool_address, site.pool.pid(), connections, outstanding)
    };
    let raw = |connections, outstanding| stratum::Options {
        seconds: options.seconds,
        ..stratum::Options::against(site.raw_address, site.raw.pid(), connections, outstanding)
    };
    let mut table = Table::new(&options.durability);
    // Memory first, while the process has not served anything.
    if options.wants("idle") {
        // What the pool lays out once, whoever comes, is not what a connection costs.
        let first = Swarm::start(Load {
            submit: false,
            account: "first".to_owned(),
            ..Load::plain(site.pool_address, FIRST, 1, 0)
        })?;
        first.ready(Duration::from_secs(30)).await?;
        let report = stratum::run(&stratum::Options { idle: true, seconds: 2, ..pool(10_000, 1) }).await?;
        first.stop().await;
        table.idle = Some(told("10,000 idle", report));
    }
    if options.wants("broadcast") {
        let before = queued(site.pool_http).await?;
        let report = stratum::run(&stratum::Options { broadcast: true, ..pool(10_000, 1) }).await?;
        table.queued = Some(queued(site.pool_http).await?.since(&before));
        table.broadcast = Some(told("a new job to 10,000", report));
    }
    if options.wants("most") {
        let load = stratum::Options { rate: 2_000, ..pool(CONNECTIONS_MOST, 1) };
        table.most = Some(told("19,500 connections, 2,000 shares/s", stratum::run(&load).await?));
    }
    if options.wants("paced") {
        let paced = |load| stratum::Options { rate: PACED_RATE, ..load };
        let raw = told("raw server, 20,000 shares/s", stratum::run(&paced(raw(1_000, 8))).await?);
        let pool = told("pool, 20,000 shares/s", stratum::run(&paced(pool(1_000, 8))).await?);
        table.paced = Some(Comparison { raw, pool });
    }
    if options.wants("load") {
        for (connections, outstanding) in SHAPES {
            for _ in 0..options.rounds {
                let raw = stratum::run(&raw(connections, outstanding)).await?;
                let raw = told("raw server", raw);
                let pool = told("pool", stratum::run(&pool(connections, outstanding)).await?);
                table.loads.push(Comparison { raw, pool });
            }
        }
    }
    Ok(table)
}

/// Shows a part as it ends: the whole takes minutes.
fn told(name: &str, report: Report) -> Report {
    eprintln!("== {name}\n{report}\n");
    report
}
