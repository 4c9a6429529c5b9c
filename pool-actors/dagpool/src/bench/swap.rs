//! `dagpool bench swap`: hot-swaps in a row under load, upgrades and migrations by all strategies, and what miners
//! notice of them; and what staging a package costs them.

use std::{
    fmt, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use pool_actors::error::{Code, Failure};
use serde_json::{Value, json};

use super::{
    children::Server,
    histogram::Percentiles,
    process::{self, Memory},
    run,
    swap_packages::{Author, FUNCTIONS},
    swarm::{Load, Phase, Swarm, Window},
};

/// Times of an operator's question.
const ASK_EVERY: Duration = Duration::from_millis(20);
/// Longest wait for one swap.
const SWAP_MAX: Duration = Duration::from_secs(120);
/// Swaps between two looks at the steady state.
const SWAPS_AT_ONCE: usize = 10;
/// Files that the program has open besides its connections.
const FILES_BESIDES: u64 = 64;
/// Shares of an old function's jobs may come for so long, and a minute and five seconds more, before its generation ends.
const JOB_GRACE_MS: u64 = 2_000;
/// A session knows its shares, to find duplicates, for as long as a share of their job is hashed: a minute past its grace.
/// An ended generation is kept for five seconds more. So long a load must last before memory shows what it takes by itself,
/// and so long after the last swap until nothing of one is left.
const SETTLED_MS: u64 = JOB_GRACE_MS + 70_000;
/// A block is found once in that many shares, and the reward window is its ten-thousandth part: the eight windows that a pool
/// keeps of each function are full after 215,000 shares. Else they would grow by 16 bytes with every share of the run, and
/// nobody could see whether anything else does.
const HASHES_PER_BLOCK: u64 = 1 << 28;
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Options of `dagpool bench swap`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// How many swaps: every other one is a migration, and the strategies take turns.
    #[arg(long, default_value_t = 100)]
    pub(crate) swaps: usize,
    /// How many connections, all of which can do both functions.
    #[arg(long, default_value_t = 5_000)]
    pub(crate) connections: usize,
    /// Shares that a connection may have unanswered.
    #[arg(long, default_value_t = 1)]
    pub(crate) outstanding: usize,
    /// Shares a second, all connections together; 0 = the next follows each answer at once.
    #[arg(long, default_value_t = 0)]
    pub(crate) rate: u64,
    /// Length of each look at the steady state, seconds.
    #[arg(long, default_value_t = 5)]
    pub(crate) steady: u64,
    /// Length of the control, seconds: the same load without swaps, before them, to see what memory it takes by itself. With
    /// less than 72 it is still growing.
    #[arg(long, default_value_t = 75)]
    pub(crate) control: u64,
    /// Rounds of the measurement of staging: steady and staging take turns.
    #[arg(long, default_value_t = 5)]
    pub(crate) staging_rounds: usize,
    /// Folder with blake2s.wasm and blake3.wasm, of which the packages are made.
    #[arg(long, default_value = "pool-actors/engine/tests/fixtures")]
    pub(crate) wasm: PathBuf,
    /// Folder for journal and log, on the disk that is to be measured; a fresh one below it is used and removed.
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    pub(crate) dir: PathBuf,
    /// What an accepted share survives: disk or os.
    #[arg(long, default_value = "disk")]
    pub(crate) durability: String,
    /// Go on with the load after the last swap, and wait after its end, until nothing that is kept for a while is left: twice
    /// 72 seconds.
    #[arg(long)]
    pub(crate) settle: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Latencies of a kind of moment, microseconds.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
struct Moment {
    shares: u64,
    mean: u64,
    latency: Percentiles,
}

/// What came of it.
#[derive(Debug, serde::Serialize)]
struct Report {
    connections: usize,
    outstanding: usize,
    upgrades: usize,
    migrations: usize,
    /// By strategy: immediate, gradual, scheduled.
    strategies: [usize; 3],
    /// Longest swap from deploy to completed, milliseconds.
    swap_ms_max: u64,
    switched: u64,
    accepted: u64,
    shares_per_second: u64,
    disconnects: u64,
    /// Good shares that got another answer than true.
    refused: u64,
    refused_first: String,
    unanswered: u64,
    steady: Moment,
    swapping: Moment,
    /// Steady moments beside those of staging.
    beside_staging: Moment,
    staging: Moment,
    stage_ms_mean: u64,
    /// After a warm-up and two swaps.
    memory_before: Memory,
    /// After the control, which has no swaps.
    memory_control: Memory,
    /// After staging and swaps, the load still on.
    memory_swapped: Memory,
    /// With `--settle`: the load still on, and nothing kept of a swap.
    memory_settled: Option<Memory>,
    /// Without load and, with `--settle`, without what is kept for a while.
    memory_after: Memory,
    control_shares: u64,
    server_threads: (u64, u64),
}

struct Site {
    _node: simulations::node::NodeHandle,
    jobs: actix_rt::task::JoinHandle<()>,
    pool: Server,
    stratum: SocketAddr,
    operator: Operator,
    author: Author,
}

/// Runs it and prints the table.
///
/// # Errors
/// When the pool does not start, a swap does not complete, or the system refuses files or threads.
pub(super) async fn command(options: &Options) -> Result<ExitCode, Failure> {
    let dir = options.dir.join(format!("dagpool-bench-swap-{}", std::process::id()));
    fs::create_dir_all(&dir).map_err(|error| unusable(&dir, &error))?;
    let outcome = match start(options, &dir).await {
        Ok(site) => {
            let outcome = measure(options, &site).await;
            site.jobs.abort();
            outcome
        }
        Err(failure) => Err(failure),
    };
    if let Err(error) = fs::remove_dir_all(&dir) {
        eprintln!("{} could not be removed: {error}", dir.display());
    }
    let report = outcome?;
    if options.json {
        let json = serde_json::to_string_pretty(&report)
            .map_err(|error| Failure::new(Code::SystemRefused, error.to_string(), "report this defect"))?;
        println!("{json}");
    } else {
        println!("{report}");
    }
    let unnoticed = report.disconnects == 0 && report.refused == 0 && report.unanswered == 0;
    Ok(if unnoticed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub(super) fn unusable(path: &Path, error: &std::io::Error) -> Failure {
    let what = format!("{}: {error}", path.display());
    Failure::new(Code::DataDirUnwritable, what, "choose another folder (--dir, --wasm)")
}

async fn start(options: &Options, dir: &Path) -> Result<Site, Failure> {
    let author = Author::new(&options.wasm)?;
    let data = dir.join("data");
    fs::create_dir_all(&data).map_err(|error| unusable(&data, &error))?;
    let keys = data.join("trusted-keys.toml");
    fs::write(&keys, author.trusted_keys()).map_err(|error| unusable(&keys, &error))?;
    let (node, payout) = run::start_node_of(&FUNCTIONS, HASHES_PER_BLOCK).await?;
    let jobs = run::move_tips(node.admin_url.clone());
    let config = dir.join("pool.toml");
    let text = run::pool_config(&options.durability, dir, &node.rpc_url, &payout)
        .replace(
            "active = \"sha256d\"",
            &format!("active = {:?}\ndrain_ms = 300\nsamples_min = 20", FUNCTIONS[0]),
        )
        .replace("job_interval_ms_min", &format!("job_grace_ms = {JOB_GRACE_MS}\njob_interval_ms_min"))
        + &format!("[payout]\nwindow_basis_points = 1\n[auth]\nadmin_token = \"{TOKEN}\"\n");
    fs::write(&config, text).map_err(|error| unusable(&config, &error))?;
    let mut pool = Server::start("pool", dir, &["run", "--config", &config.to_string_lossy()])?;
    let stratum = pool.address("stratum+tcp://").await?;
    let http = pool.address("http://").await?;
    let operator = Operator { http, client: reqwest::Client::new() };
    Ok(Site { _node: node, jobs, pool, stratum, operator, author })
}

async fn measure(options: &Options, site: &Site) -> Result<Report, Failure> {
    let load = Load {
        able: FUNCTIONS.map(str::to_owned).to_vec(),
        ..Load::plain(site.stratum, options.connections, options.outstanding, options.rate)
    };
    process::raise_file_limit(load.connections as u64 + FILES_BESIDES)?;
    let swarm = Swarm::start(load.clone())?;
    swarm.ready(Duration::from_secs(60 + load.connections as u64 / 100)).await?;
    let steady = Duration::from_secs(options.steady.max(1));
    swarm.set(Phase::Warmup);
    tokio::time::sleep(steady).await;
    let (pid, started) = (site.pool.pid(), Instant::now());
    let mut versions = 0;
    // Once through everything, so that what is made once does not count as growth.
    for swap in 0..2 {
        deploy(site, &mut versions, swap, &swarm).await?;
    }
    let (memory_before, threads_before) = (process::memory(pid)?, process::threads(pid)?);
    swarm.set(Phase::Measure);
    swarm.window(Window::Control);
    tokio::time::sleep(Duration::from_secs(options.control)).await;
    let memory_control = process::memory(pid)?;
    let stage_ms_mean = staging(options, site, &mut versions, &swarm, steady).await?;
    let mut report_of = Tally::default();
    for swap in 0..options.swaps {
        if swap % SWAPS_AT_ONCE == 0 {
            swarm.window(Window::Steady);
            tokio::time::sleep(steady).await;
        }
        let took = deploy(site, &mut versions, swap, &swarm).await?;
        report_of.note(swap, took);
        eprintln!("swap {} of {}: {} ms", swap + 1, options.swaps, took.as_millis());
    }
    swarm.window(Window::Steady);
    tokio::time::sleep(steady).await;
    let memory_swapped = process::memory(pid)?;
    swarm.window(Window::Other);
    let memory_settled = if options.settle {
        tokio::time::sleep(Duration::from_millis(SETTLED_MS)).await;
        Some(process::memory(pid)?)
    } else {
        None
    };
    swarm.set(Phase::Drain);
    let measured = started.elapsed();
    tokio::time::sleep(Duration::from_secs(1)).await;
    if options.settle {
        tokio::time::sleep(Duration::from_millis(SETTLED_MS)).await;
    }
    let (memory_after, threads_after) = (process::memory(pid)?, process::threads(pid)?);
    let stats = swarm.stop().await;
    let moment = |window: Window| {
        let histogram = &stats.windows[window as usize];
        let latency = histogram.percentiles();
        Moment { shares: histogram.count(), mean: histogram.mean() / 1_000, latency }
    };
    let all = [&stats.refused, &stats.refused_outside];
    let refusals = || all.iter().flat_map(|counts| counts.iter());
    Ok(Report {
        connections: load.connections,
        outstanding: load.outstanding,
        upgrades: report_of.upgrades,
        migrations: report_of.migrations,
        strategies: report_of.strategies,
        swap_ms_max: millis(report_of.longest),
        switched: stats.switched,
        accepted: stats.accepted,
        shares_per_second: u64::try_from(u128::from(stats.accepted) * 1_000 / measured.as_millis().max(1))
            .unwrap_or(u64::MAX),
        disconnects: stats.disconnects,
        refused: refusals().map(|(_, (count, _))| count).sum(),
        refused_first: refusals()
            .map(|(code, (_, text))| format!("{code} {text}"))
            .next()
            .unwrap_or_default(),
        unanswered: stats.unanswered,
        steady: moment(Window::Steady),
        swapping: moment(Window::Swap),
        beside_staging: moment(Window::BesideStaging),
        staging: moment(Window::Staging),
        stage_ms_mean,
        memory_before,
        memory_control,
        memory_swapped,
        memory_settled,
        memory_after,
        control_shares: moment(Window::Control).shares,
        server_threads: (threads_before, threads_after),
    })
}

#[derive(Default)]
struct Tally {
    upgrades: usize,
    migrations: usize,
    strategies: [usize; 3],
    longest: Duration,
}

impl Tally {
    fn note(&mut self, swap: usize, took: Duration) {
        *(if is_migration(swap) { &mut self.migrations } else { &mut self.upgrades }) += 1;
        self.strategies[swap % 3] += 1;
        self.longest = self.longest.max(took);
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Upgrade, migration, upgrade...
const fn is_migration(swap: usize) -> bool {
    swap % 2 == 1
}

/// The function that is in force after a swap.
const fn function_after(swap: usize) -> &'static str {
    FUNCTIONS[swap.div_ceil(2) % 2]
}

/// Stages the next version and deploys it; how long the deployment took.
async fn deploy(site: &Site, versions: &mut u32, swap: usize, swarm: &Swarm) -> Result<Duration, Failure> {
    swarm.window(Window::Other);
    *versions += 1;
    site.operator.stage(site.author.package(function_after(swap), *versions)?).await?;
    let config = match swap % 3 {
        0 => json!({ "strategy": "immediate" }),
        1 => json!({ "shadow_duration": 0.2, "phase_duration": 0.1, "phases": [5, 10, 25, 50, 75, 100] }),
        _ => json!({
            "strategy": "scheduled", "at": "2020-01-01T00:00:00Z", "shadow_duration": 0.1, "phase_duration": 0.1,
            "phases": [25, 100],
        }),
    };
    swarm.window(Window::Swap);
    let started = Instant::now();
    let id = site.operator.deploy(config).await?;
    site.operator.completed(&id).await?;
    Ok(started.elapsed())
}

/// Steady and staging moments in turns, so that what else the machine does meets both; mean time of staging one package.
async fn staging(
    options: &Options,
    site: &Site,
    versions: &mut u32,
    swarm: &Swarm,
    steady: Duration,
) -> Result<u64, Failure> {
    let (mut staged, mut spent) = (0, Duration::ZERO);
    for _ in 0..options.staging_rounds {
        swarm.window(Window::BesideStaging);
        tokio::time::sleep(steady).await;
        swarm.window(Window::Staging);
        let round = Instant::now();
        while round.elapsed() < steady {
            *versions += 1;
            let package = site.author.package(FUNCTIONS[0], *versions)?;
            let started = Instant::now();
            site.operator.stage(package).await?;
            spent += started.elapsed();
            staged += 1;
        }
    }
    Ok(millis(spent) / u64::from(u32::max(staged, 1)))
}

/// Who uploads and deploys.
struct Operator {
    http: SocketAddr,
    client: reqwest::Client,
}

impl Operator {
    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<Value, Failure> {
        let failed = |why: String| {
            Failure::new(Code::SystemRefused, format!("the pool under load: {why}"), "report this defect")
        };
        let answer = request.bearer_auth(TOKEN).send().await.map_err(|error| failed(error.to_string()))?;
        let good = answer.status().is_success();
        let body: Value = answer.json().await.map_err(|error| failed(error.to_string()))?;
        if good { Ok(body) } else { Err(failed(body.to_string())) }
    }

    async fn stage(&self, package: Vec<u8>) -> Result<(), Failure> {
        let url = format!("http://{}/api/algorithms/stage", self.http);
        let request = self.client.post(url).header("content-type", "application/zip").body(package);
        self.answer(request).await.map(drop)
    }

    async fn deploy(&self, config: Value) -> Result<String, Failure> {
        let url = format!("http://{}/api/algorithms/deploy", self.http);
        let answer = self.answer(self.client.post(url).json(&json!({ "config": config }))).await?;
        Ok(answer["deployment_id"].as_str().unwrap_or_default().to_owned())
    }

    async fn completed(&self, id: &str) -> Result<(), Failure> {
        let started = Instant::now();
        loop {
            let url = format!("http://{}/api/algorithms/status", self.http);
            let answer = self.answer(self.client.get(url)).await?;
            let state = &answer["migration_state"];
            if state["deployment_id"] == id && state["status"] == "completed" {
                return Ok(());
            }
            if state["status"] == "rolled_back" || started.elapsed() > SWAP_MAX {
                let what = format!("deployment {id} did not complete: {}", answer["deployment"]);
                return Err(Failure::new(Code::SystemRefused, what, "see the pool's log"));
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }
}

/// As a decimal number with two places.
fn ratio(one: u64, other: u64) -> String {
    super::stratum::thousandths(one * 1_000 / other.max(1))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [immediate, gradual, scheduled] = self.strategies;
        writeln!(
            f,
            "swaps           {} upgrades, {} migrations; {immediate} immediate, {gradual} gradual, {scheduled} scheduled; the longest {} ms",
            self.upgrades, self.migrations, self.swap_ms_max
        )?;
        writeln!(
            f,
            "load            {} connections with {} outstanding; {} shares accepted, {}/s; miners told to switch {} times",
            self.connections, self.outstanding, self.accepted, self.shares_per_second, self.switched
        )?;
        writeln!(
            f,
            "noticed         {} connections dropped, {} shares lost, {} refused {}",
            self.disconnects, self.unanswered, self.refused, self.refused_first
        )?;
        for (name, moment) in [
            ("steady", &self.steady),
            ("swapping", &self.swapping),
            ("beside staging", &self.beside_staging),
            ("staging", &self.staging),
        ] {
            let Percentiles { p50, p90, p99, p99_9, max } = moment.latency;
            writeln!(
                f,
                "{name:15} {} shares acknowledged in p50 {p50} us, p90 {p90}, p99 {p99}, p99.9 {p99_9}, max {max}, mean {}",
                moment.shares, moment.mean
            )?;
        }
        writeln!(
            f,
            "ratios          swapping to steady: p50 {}, p99 {}; staging to steady: mean {}, p50 {}, p99 {} ({} ms to stage a package)",
            ratio(self.swapping.latency.p50, self.steady.latency.p50),
            ratio(self.swapping.latency.p99, self.steady.latency.p99),
            ratio(self.staging.mean, self.beside_staging.mean),
            ratio(self.staging.latency.p50, self.beside_staging.latency.p50),
            ratio(self.staging.latency.p99, self.beside_staging.latency.p99),
            self.stage_ms_mean
        )?;
        writeln!(
            f,
            "memory          anonymous KiB: {} at first; {} after {} shares without swaps; {} after the swaps;{} {} without load (RSS {} -> {})",
            self.memory_before.anonymous_kib,
            self.memory_control.anonymous_kib,
            self.control_shares,
            self.memory_swapped.anonymous_kib,
            self.memory_settled
                .map(|memory| format!(" {} when nothing is kept of them;", memory.anonymous_kib))
                .unwrap_or_default(),
            self.memory_after.anonymous_kib,
            self.memory_before.rss_kib,
            self.memory_after.rss_kib
        )?;
        write!(f, "threads         {} -> {}", self.server_threads.0, self.server_threads.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_other_swap_changes_the_function() {
        let mut function = FUNCTIONS[0];
        for swap in 0..20 {
            assert_eq!(function_after(swap) != function, is_migration(swap), "{swap}");
            function = function_after(swap);
        }
    }
}
