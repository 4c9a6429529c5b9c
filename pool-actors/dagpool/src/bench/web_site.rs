//! A pool with miners at work, for benchmarks of what is served over HTTP.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use pool_actors::error::Failure;
use simulations::node::NodeHandle;

use super::{
    children::Server,
    process, run,
    swap::unusable,
    swarm::{Load, Phase, Swarm},
};

/// Connections of one source address; more of them connect slowly.
const CONNECTIONS_PER_SOURCE: usize = 5_000;
/// Files that the program has open besides its connections.
const FILES_BESIDES: u64 = 128;

/// What all of these benchmarks are told.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Miners {
    /// How many miners are connected.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) connections: usize,
    /// Shares a second, all miners together: one in five seconds of each, as vardiff has it, is a fifth of them.
    #[arg(long, default_value_t = 2_000)]
    pub(crate) rate: u64,
    /// Length of each measurement, seconds.
    #[arg(long, default_value_t = 6)]
    pub(crate) seconds: u64,
    /// How often with and without take turns.
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
    /// Folder for journal and log; a fresh one below it is used and removed.
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    pub(crate) dir: PathBuf,
    /// The pool is of this build of the program, to compare it with this one.
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) build: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// A pool that miners work for.
pub(super) struct WebSite {
    _node: NodeHandle,
    jobs: actix_rt::task::JoinHandle<()>,
    pub(super) pool: Server,
    pub(super) http: SocketAddr,
    pub(super) swarm: Swarm,
    dir: PathBuf,
}

impl WebSite {
    /// Starts it, and returns when all miners have work and have had some seconds.
    ///
    /// # Errors
    /// When the pool does not start, or the system refuses files or threads.
    pub(super) async fn start(miners: &Miners, files_more: u64) -> Result<Self, Failure> {
        process::raise_file_limit(miners.connections as u64 + files_more + FILES_BESIDES)?;
        let dir = miners.dir.join(format!("dagpool-bench-web-{}", std::process::id()));
        fs::create_dir_all(&dir).map_err(|error| unusable(&dir, &error))?;
        match Self::start_in(miners, &dir).await {
            Ok(site) => Ok(site),
            Err(failure) => {
                // What went wrong first is what matters.
                let _ = fs::remove_dir_all(&dir);
                Err(failure)
            }
        }
    }

    async fn start_in(miners: &Miners, dir: &Path) -> Result<Self, Failure> {
        let (node, payout) = run::start_node().await?;
        let jobs = run::move_tips(node.admin_url.clone());
        let config = dir.join("pool.toml");
        let text = run::pool_config("disk", dir, &node.rpc_url, &payout).replace(
            "[http]\n",
            "[http]\nrate_limit_per_second = 0\nconnections_per_address = 0\nfeeds_max = 10000\nfeeds_per_address = 0\n",
        );
        fs::write(&config, text).map_err(|error| unusable(&config, &error))?;
        let arguments = ["run", "--config", &config.to_string_lossy()];
        let mut pool = Server::start_build(miners.build.as_deref(), "pool", dir, &arguments)?;
        let stratum = pool.address("stratum+tcp://").await?;
        let http = pool.address("http://").await?;
        let sources = miners.connections.div_ceil(CONNECTIONS_PER_SOURCE);
        let load = Load {
            sources: if sources == 1 { 0 } else { sources },
            ..Load::plain(stratum, miners.connections, 1, miners.rate)
        };
        let connections = load.connections as u64;
        let swarm = Swarm::start(load)?;
        swarm.ready(Duration::from_secs(60 + connections / 100)).await?;
        swarm.set(Phase::Warmup);
        // Everybody has sent shares, and what is made once is made.
        tokio::time::sleep(Duration::from_secs(6)).await;
        swarm.set(Phase::Measure);
        Ok(Self { _node: node, jobs, pool, http, swarm, dir: dir.to_owned() })
    }

    /// Ends it; what the miners saw.
    pub(super) async fn stop(self) -> super::swarm::Stats {
        self.swarm.set(Phase::Drain);
        tokio::time::sleep(Duration::from_millis(500)).await;
        let stats = self.swarm.stop().await;
        self.jobs.abort();
        drop(self.pool);
        if let Err(error) = fs::remove_dir_all(&self.dir) {
            eprintln!("{} could not be removed: {error}", self.dir.display());
        }
        stats
    }
}
