//! `dagpool bench`: load against any pool, the limit that it is compared with, and both in one run.
//! How to use it and what was measured: `pool-actors/docs/benchmarks.md`.

mod api;
mod api_load;
mod children;
mod histogram;
mod live;
mod miner;
mod process;
mod raw_commit;
mod raw_job;
mod raw_server;
mod restart;
mod run;
mod scrape;
mod stratum;
mod swap;
mod swap_packages;
mod swarm;
mod table;
mod web_site;
mod wire;

use std::process::ExitCode;

use clap::Subcommand;
use pool_actors::error::Failure;

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// A swarm of connections that sends shares to any Stratum address of dialect `standard`. Nothing is hashed, so the
    /// listener must be at the least difficulty (fixed, 0.00000000023283064365386962890625 = 2^-32).
    #[command(
        after_help = "Example: dagpool bench stratum --pool 127.0.0.1:3333 --connections 1000 --outstanding 4 --pid 4711"
    )]
    Stratum(stratum::Options),
    /// A bare server that does the same hashing (and, with --durable, the same group commit): the limit to compare with.
    #[command(
        after_help = "Example: dagpool bench raw-server --durable --listen 127.0.0.1:3334 --like 127.0.0.1:3333"
    )]
    RawServer(raw_server::Options),
    /// Pool and raw server as child processes, the same loads on both in turn, and a table. Takes some three minutes.
    #[command(after_help = "Example: dagpool bench run --only load --seconds 10 --rounds 3")]
    Run(run::Options),
    /// Writes a journal of millions of shares, kills a pool that has taken it in, and tells how long the next one takes to
    /// be ready; and how fast the journal was written, beside the raw disk.
    #[command(after_help = "Example: dagpool bench restart --shares 10000000 --dir /var/tmp")]
    Restart(restart::Options),
    /// A pool, thousands of miners at work, and hot-swaps in a row: upgrades and migrations by all strategies. Tells what
    /// miners noticed, and fails if that is more than nothing.
    #[command(after_help = "Example: dagpool bench swap --swaps 100 --connections 5000 --settle")]
    Swap(swap::Options),
    /// A pool with ten thousand miners at work, and a thousand requests a second to its API: how fast they are answered, and
    /// what the miners notice. Fails when a target is missed.
    #[command(after_help = "Example: dagpool bench api --requests 1000 --connections 10000")]
    Api(api::Options),
    /// The same pool with thousands of clients on the live feed: what they cost it. Fails when the target is missed.
    #[command(after_help = "Example: dagpool bench live --clients 5000 --connections 1000 --rate 200")]
    Live(live::Options),
}

/// Runs a benchmark.
///
/// # Errors
/// When a server can't be reached, or the system refuses files, threads or addresses.
pub(crate) async fn bench(bench: Bench) -> Result<ExitCode, Failure> {
    match bench {
        Bench::Stratum(options) => stratum::command(&options).await,
        Bench::RawServer(options) => raw_server::command(&options).await,
        Bench::Run(options) => run::command(&options).await,
        Bench::Restart(options) => restart::command(&options).await,
        Bench::Swap(options) => swap::command(&options).await,
        Bench::Api(options) => api::command(&options).await,
        Bench::Live(options) => live::command(&options).await,
    }
}
