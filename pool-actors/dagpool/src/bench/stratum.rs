//! `dagpool bench stratum`: load against a pool, and what came of it.

use std::{collections::BTreeMap, fmt, net::SocketAddr, time::Duration, time::Instant};

use pool_actors::error::{Code, Failure};

use super::{
    histogram::{Histogram, Percentiles},
    process::{self, Memory},
    swarm::{Load, Phase, Stats, Swarm},
};

/// From one source address, connects become slow past some 9,000.
const CONNECTIONS_PER_SOURCE: usize = 8_000;
/// Files that the program has open besides its connections.
const FILES_BESIDES: u64 = 64;

/// Options of `dagpool bench stratum`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// The pool's Stratum address, dialect standard.
    #[arg(long, default_value = "127.0.0.1:3333")]
    pub(crate) pool: SocketAddr,
    /// How many connections.
    #[arg(long, default_value_t = 100)]
    pub(crate) connections: usize,
    /// Shares that a connection may have unanswered.
    #[arg(long, default_value_t = 16)]
    pub(crate) outstanding: usize,
    /// Shares a second, all connections together; 0 = the next follows each answer at once.
    #[arg(long, default_value_t = 0)]
    pub(crate) rate: u64,
    /// How long to measure, seconds.
    #[arg(long, default_value_t = 10)]
    pub(crate) seconds: u64,
    /// How long to run before that, seconds.
    #[arg(long, default_value_t = 2)]
    pub(crate) warmup: u64,
    /// Percent of shares that are invalid on purpose, of several kinds.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=100))]
    pub(crate) junk: u64,
    /// The pool's process: its CPU time and memory are reported.
    #[arg(long)]
    pub(crate) pid: Option<u32>,
    /// Source addresses 127.0.0.1, 127.0.0.2...; 0 = one per 8,000 connections.
    #[arg(long, default_value_t = 0)]
    pub(crate) sources: usize,
    /// Connect, authorise and send nothing: memory per connection (with --pid).
    #[arg(long)]
    pub(crate) idle: bool,
    /// Send nothing and time how a new job reaches all connections.
    #[arg(long, conflicts_with = "idle")]
    pub(crate) broadcast: bool,
    /// Threads of the load generator; 0 = as many as there are cores.
    #[arg(long, default_value_t = 0)]
    pub(crate) threads: usize,
    /// Accounts are PREFIX0, PREFIX1...
    #[arg(long, default_value = "bench")]
    pub(crate) account: String,
    /// How many accounts the connections belong to; 0 = one each.
    #[arg(long, default_value_t = 0)]
    pub(crate) accounts: usize,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Options {
    /// The defaults against `pool`, for runs that are not started from the command line.
    pub(super) fn against(pool: SocketAddr, pid: u32, connections: usize, outstanding: usize) -> Self {
        Self {
            pool,
            connections,
            outstanding,
            rate: 0,
            seconds: 10,
            warmup: 2,
            junk: 0,
            pid: Some(pid),
            sources: 0,
            idle: false,
            broadcast: false,
            threads: 0,
            account: "bench".to_owned(),
            accounts: 0,
            json: false,
        }
    }

    fn load(&self) -> Load {
        let sources = match self.sources {
            0 if self.pool.ip().is_loopback() && self.pool.is_ipv4() => {
                self.connections.div_ceil(CONNECTIONS_PER_SOURCE)
            }
            // The only source that a machine surely has besides its own address are those of the loopback network.
            _ if !self.pool.ip().is_loopback() => 0,
            given => given.min(254),
        };
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Load {
            pool: self.pool,
            connections: self.connections.max(1),
            outstanding: self.outstanding.clamp(1, 10_000),
            rate: self.rate,
            junk: self.junk,
            submit: !self.idle && !self.broadcast,
            sources: if sources == 1 { 0 } else { sources },
            threads: if self.threads == 0 { cores } else { self.threads }.min(self.connections.max(1)),
            able: Vec::new(),
            account: self.account.clone(),
            accounts: if self.accounts == 0 { self.connections } else { self.accounts },
        }
    }
}

/// How many, and the text of the first.
#[derive(Debug, Clone, serde::Serialize)]
pub(super) struct Refusals {
    pub(super) count: u64,
    pub(super) text: String,
}

/// What a run showed. Counts are of the measured time.
#[derive(Debug, Clone, serde::Serialize)]
pub(super) struct Report {
    pub(super) connections: usize,
    pub(super) outstanding: usize,
    pub(super) connect_ms: u64,
    pub(super) measured_ms: u64,
    pub(super) accepted: u64,
    pub(super) shares_per_second: u64,
    /// From the socket write to the read of the answer.
    pub(super) latency_us: Percentiles,
    /// Good shares that were refused, by code.
    pub(super) refused: BTreeMap<i64, Refusals>,
    pub(super) junk_refused: BTreeMap<i64, Refusals>,
    pub(super) junk_accepted: u64,
    /// Good shares that were refused before or after the measured time.
    pub(super) refused_outside: u64,
    pub(super) skipped: u64,
    pub(super) disconnects: u64,
    pub(super) garbled: u64,
    /// CPU time of the server per answered share, nanoseconds.
    pub(super) server_cpu_ns_per_share: Option<u64>,
    /// CPU time of the server per second, thousandths of a core.
    pub(super) server_milli_cores: Option<u64>,
    pub(super) memory_before: Option<Memory>,
    pub(super) memory_connected: Option<Memory>,
    pub(super) memory_after: Option<Memory>,
    /// Longest pause of the load generator itself, microseconds.
    pub(super) generator_gap_us_max: u64,
    /// New jobs that all connections heard of, and how long after the first the last did.
    pub(super) broadcasts: u64,
    pub(super) broadcast_us: Percentiles,
}

fn refusals(counts: BTreeMap<i64, (u64, String)>) -> BTreeMap<i64, Refusals> {
    counts.into_iter().map(|(code, (count, text))| (code, Refusals { count, text })).collect()
}

/// Runs the load.
///
/// # Errors
/// When not all connections get work, the process to watch is not there, or the system refuses files or threads.
pub(super) async fn run(options: &Options) -> Result<Report, Failure> {
    let load = options.load();
    process::raise_file_limit(load.connections as u64 + FILES_BESIDES)?;
    let memory = || options.pid.map(process::memory).transpose();
    let cpu = || options.pid.map(process::cpu_micros).transpose();
    let memory_before = memory()?;
    let swarm = Swarm::start(load.clone())?;
    let connected = swarm.ready(Duration::from_secs(30 + load.connections as u64 / 200)).await?;
    if options.idle {
        // What the handshakes left behind shall not be counted as what a quiet connection needs.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let memory_connected = memory()?;
    swarm.set(Phase::Warmup);
    tokio::time::sleep(Duration::from_secs(options.warmup)).await;
    let cpu_before = cpu()?;
    swarm.set(Phase::Measure);
    let started = Instant::now();
    tokio::time::sleep(Duration::from_secs(options.seconds)).await;
    swarm.set(Phase::Drain);
    let measured = started.elapsed();
    let cpu_after = cpu()?;
    let memory_after = memory()?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let stats = swarm.stop().await;
    let cpu_us = cpu_after.zip(cpu_before).map(|(after, before)| after - before);
    let memories = (memory_before, memory_connected, memory_after);
    Ok(report(&load, stats, (connected, measured), cpu_us, memories))
}

fn report(
    load: &Load,
    stats: Stats,
    (connected, measured): (Duration, Duration),
    cpu_us: Option<u64>,
    (memory_before, memory_connected, memory_after): (Option<Memory>, Option<Memory>, Option<Memory>),
) -> Report {
    let whole = |value: u128| u64::try_from(value).unwrap_or(u64::MAX);
    let per = |value: u128, divisor: u128| whole(value / divisor.max(1));
    let answered = stats.latency.count();
    let mut broadcast = Histogram::default();
    let mut broadcasts = 0;
    for arrival in stats.jobs.values().filter(|arrival| arrival.count >= load.connections) {
        broadcast.record(arrival.last - arrival.first);
        broadcasts += 1;
    }
    Report {
        connections: load.connections,
        outstanding: load.outstanding,
        connect_ms: whole(connected.as_millis()),
        measured_ms: whole(measured.as_millis()),
        accepted: stats.accepted,
        shares_per_second: per(u128::from(stats.accepted) * 1_000_000, measured.as_micros()),
        latency_us: stats.latency.percentiles(),
        refused: refusals(stats.refused),
        junk_refused: refusals(stats.junk_refused),
        junk_accepted: stats.junk_accepted,
        refused_outside: stats.refused_outside.values().map(|(count, _)| count).sum(),
        skipped: stats.skipped,
        disconnects: stats.disconnects,
        garbled: stats.garbled,
        server_cpu_ns_per_share: cpu_us
            .filter(|_| answered > 0)
            .map(|us| per(u128::from(us) * 1_000, u128::from(answered))),
        server_milli_cores: cpu_us.map(|us| per(u128::from(us) * 1_000, measured.as_micros())),
        memory_before,
        memory_connected,
        memory_after,
        generator_gap_us_max: stats.gap_max / 1_000,
        broadcasts,
        broadcast_us: broadcast.percentiles(),
    }
}

impl Report {
    /// Bytes of anonymous memory that each connection added.
    pub(super) fn bytes_per_connection(&self) -> Option<u64> {
        let (before, after) = self.memory_before.zip(self.memory_connected)?;
        let kib = after.anonymous_kib.saturating_sub(before.anonymous_kib);
        Some(kib * 1_024 / self.connections.max(1) as u64)
    }
}

/// Thousandths as a decimal number.
pub(super) fn thousandths(value: u64) -> String {
    format!("{}.{:02}", value / 1_000, value % 1_000 / 10)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Percentiles { p50, p90, p99, p99_9, max } = self.latency_us;
        writeln!(
            f,
            "connections     {} with {} outstanding, connected in {} ms",
            self.connections, self.outstanding, self.connect_ms
        )?;
        writeln!(
            f,
            "accepted        {} in {} ms = {}/s",
            self.accepted, self.measured_ms, self.shares_per_second
        )?;
        writeln!(f, "answered in     p50 {p50} us, p90 {p90}, p99 {p99}, p99.9 {p99_9}, max {max}")?;
        for (kind, counts) in [("good, refused", &self.refused), ("junk, refused", &self.junk_refused)] {
            for (code, Refusals { count, text }) in counts {
                writeln!(f, "{kind:15} {count} with code {code} ({text})")?;
            }
        }
        writeln!(
            f,
            "trouble         {} junk shares accepted, {} good ones refused outside the measured time, {} not sent as all \
             were outstanding, {} disconnects, {} lines not understood",
            self.junk_accepted, self.refused_outside, self.skipped, self.disconnects, self.garbled
        )?;
        if let Some(cores) = self.server_milli_cores {
            let share = self.server_cpu_ns_per_share.map_or_else(|| "-".to_owned(), thousandths);
            writeln!(f, "server CPU      {share} us per share, {} cores", thousandths(cores))?;
        }
        if let (Some(before), Some(connected), Some(after)) =
            (self.memory_before, self.memory_connected, self.memory_after)
        {
            writeln!(
                f,
                "server memory   anonymous {} -> {} KiB with all connected -> {} at the end (RSS {} -> {} -> {}): {} bytes per connection",
                before.anonymous_kib,
                connected.anonymous_kib,
                after.anonymous_kib,
                before.rss_kib,
                connected.rss_kib,
                after.rss_kib,
                self.bytes_per_connection().unwrap_or_default()
            )?;
        }
        if self.broadcasts > 0 {
            let Percentiles { p50, p99, max, .. } = self.broadcast_us;
            writeln!(
                f,
                "new jobs        {} reached all: the last {p50} us after the first (p50), p99 {p99}, max {max}",
                self.broadcasts
            )?;
        }
        write!(f, "generator       longest pause {} us", self.generator_gap_us_max)
    }
}

/// Prints a run for people or programs.
///
/// # Errors
/// As [`run`].
pub(super) async fn command(options: &Options) -> Result<std::process::ExitCode, Failure> {
    let report = run(options).await?;
    if options.json {
        let json = serde_json::to_string_pretty(&report)
            .map_err(|error| Failure::new(Code::SystemRefused, error.to_string(), "report this defect"))?;
        println!("{json}");
    } else {
        println!("{report}");
    }
    Ok(std::process::ExitCode::SUCCESS)
}
