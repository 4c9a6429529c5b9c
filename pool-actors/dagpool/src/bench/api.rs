//! `dagpool bench api`: what a thousand requests a second cost the miners, and how fast they are answered.

use std::{collections::BTreeMap, fmt, process::ExitCode, time::Duration};

use pool_actors::error::{Code, Failure};

use super::{
    api_load::{self, Answers},
    histogram::Percentiles,
    process,
    stratum::thousandths,
    swarm::Window,
    web_site::{Miners, WebSite},
};

/// Longest p99 of an answer of the API, microseconds.
const P99_US_MAX: u64 = 20_000;
/// Most that the p99 of shares may grow by, thousandths.
const RATIO_MAX: u64 = 1_100;

/// Options of `dagpool bench api`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) miners: Miners,
    /// Requests a second.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) requests: u64,
    /// Keep-alive connections that they come over.
    #[arg(long, default_value_t = 64)]
    pub(crate) clients: usize,
}

/// Answers of shares of a kind of moment, microseconds.
#[derive(Debug, Clone, Copy, serde::Serialize)]
struct Shares {
    answered: u64,
    mean: u64,
    latency: Percentiles,
}

#[derive(Debug, serde::Serialize)]
struct Report {
    connections: usize,
    shares_per_second: u64,
    requests_per_second: u64,
    requests: u64,
    api: Percentiles,
    by_page: BTreeMap<&'static str, Percentiles>,
    refused: BTreeMap<u16, u64>,
    failed: u64,
    bytes_per_answer: u64,
    without: Shares,
    with: Shares,
    /// CPU of the pool, thousandths of a core.
    cpu_without: u64,
    cpu_with: u64,
    disconnects: u64,
}

impl Report {
    fn ratio(&self) -> u64 {
        self.with.latency.p99 * 1_000 / self.without.latency.p99.max(1)
    }

    fn reaches_its_targets(&self) -> bool {
        self.api.p99 <= P99_US_MAX
            && self.ratio() <= RATIO_MAX
            && self.failed == 0
            && self.refused.is_empty()
            && self.disconnects == 0
    }
}

/// Runs it and prints what came of it; fails when a target is missed.
///
/// # Errors
/// When the pool does not start, or the system refuses files or threads.
pub(super) async fn command(options: &Options) -> Result<ExitCode, Failure> {
    let site = WebSite::start(&options.miners, options.clients as u64).await?;
    let length = Duration::from_secs(options.miners.seconds.max(1));
    let pid = site.pool.pid();
    let mut answers = Answers::default();
    let (mut cpu_without, mut cpu_with) = (0, 0);
    // Once, so that what is made at the first request is made.
    api_load::ask(
        site.http,
        options.requests,
        Duration::from_secs(2),
        options.clients,
        options.miners.connections,
    )
    .await?;
    for _ in 0..options.miners.rounds.max(1) {
        let before = process::cpu_micros(pid)?;
        site.swarm.window(Window::Steady);
        tokio::time::sleep(length).await;
        site.swarm.window(Window::Other);
        let between = process::cpu_micros(pid)?;
        site.swarm.window(Window::Web);
        let some =
            api_load::ask(site.http, options.requests, length, options.clients, options.miners.connections);
        answers.merge(some.await?);
        site.swarm.window(Window::Other);
        cpu_without += between - before;
        cpu_with += process::cpu_micros(pid)? - between;
    }
    let stats = site.stop().await;
    let shares = |window: Window| {
        let histogram = &stats.windows[window as usize];
        Shares {
            answered: histogram.count(),
            mean: histogram.mean() / 1_000,
            latency: histogram.percentiles(),
        }
    };
    let measured_ms = options.miners.seconds.max(1) * 1_000 * options.miners.rounds.max(1) as u64;
    let (with, without) = (shares(Window::Web), shares(Window::Steady));
    let report = Report {
        connections: options.miners.connections,
        shares_per_second: without.answered * 1_000 / measured_ms,
        requests_per_second: answers.all.count() * 1_000 / measured_ms,
        requests: answers.all.count(),
        api: answers.all.percentiles(),
        by_page: answers.by_name.iter().map(|(name, histogram)| (*name, histogram.percentiles())).collect(),
        refused: answers.refused,
        failed: answers.failed,
        bytes_per_answer: answers.bytes / answers.all.count().max(1),
        without,
        with,
        cpu_without: cpu_without / measured_ms,
        cpu_with: cpu_with / measured_ms,
        disconnects: stats.disconnects,
    };
    if options.miners.json {
        println!("{}", json(&report)?);
    } else {
        println!("{report}");
    }
    Ok(if report.reaches_its_targets() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub(super) fn json(report: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(report)
        .map_err(|error| Failure::new(Code::SystemRefused, error.to_string(), "report this defect"))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "miners      {} connected, {} shares/s", self.connections, self.shares_per_second)?;
        writeln!(
            f,
            "API         {} requests, {}/s, {} bytes each; refused {:?}, failed {}",
            self.requests, self.requests_per_second, self.bytes_per_answer, self.refused, self.failed
        )?;
        let row = |f: &mut fmt::Formatter<'_>, name: &str, latency: &Percentiles| {
            let Percentiles { p50, p90, p99, p99_9, max } = latency;
            writeln!(f, "{name:12}p50 {p50} us, p90 {p90}, p99 {p99}, p99.9 {p99_9}, max {max}")
        };
        row(f, "", &self.api)?;
        for (name, latency) in &self.by_page {
            row(f, &format!("  {name}"), latency)?;
        }
        row(f, "shares", &self.without.latency)?;
        row(f, "with API", &self.with.latency)?;
        writeln!(
            f,
            "ratio       p99 of shares with the API's load to without: {}; mean {} us to {}; {} connections dropped",
            thousandths(self.ratio()),
            self.with.mean,
            self.without.mean,
            self.disconnects
        )?;
        write!(
            f,
            "CPU         the pool takes {} of a core without, {} with",
            thousandths(self.cpu_without),
            thousandths(self.cpu_with)
        )
    }
}
