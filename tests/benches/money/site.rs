//! A node that finds no blocks by the way, a pool at the least difficulty on a private PostgreSQL, and load on it.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use pool_tests::{
    pool::{PoolProcess, Setup, dagpool},
    postgres::Postgres,
};
use serde_json::Value;
use simulations::node::{AlgorithmConfig, NodeConfig, NodeHandle, SimNode};
use tempfile::TempDir;

/// The least difficulty, 2^-32: every hash is a share.
const LEAST: &str = "0.00000000023283064365386962890625";
/// Longest time for which the ledger is waited for.
const WAIT_MAX: Duration = Duration::from_secs(300);
/// How often it is asked.
const POLL: Duration = Duration::from_millis(10);

/// What load is put on the pool.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    pub(crate) outstanding: usize,
    /// Shares a second; 0 = as many as are answered.
    pub(crate) rate: u64,
    pub(crate) seconds: u64,
    /// Seconds before that.
    pub(crate) warmup: u64,
}

/// Node, database and pool.
pub(crate) struct Site {
    pub(crate) server: Postgres,
    pub(crate) pool: PoolProcess,
    _node: NodeHandle,
}

impl Site {
    pub(crate) async fn start() -> Self {
        let sha256d = AlgorithmConfig::named("sha256d").expect("the simulator has it");
        let config = NodeConfig {
            algorithms: vec![AlgorithmConfig { start_hashes: 1 << 60, ..sha256d }],
            block_time: Duration::from_millis(500),
            ..NodeConfig::quiet()
        };
        let node = SimNode::start(config).expect("a node starts");
        let server = Postgres::start();
        let mut setup = Setup::simulated(&node.rpc_url, "sha256d").await;
        LEAST.clone_into(&mut setup.difficulty);
        setup.listener = format!("difficulty_min = \"{LEAST}\"");
        setup.more = format!(
            "[stratum]\nconnections_max = 100000\nconnections_per_ip_max = 100000\nconnect_rate_per_ip_max = 1000000\n\
             handshakes_max = 100000\nrequests_per_second_max = 1000000\n\
             [banning]\nenabled = false\n\
             [log]\nlevel = \"warn\"\n\
             [store]\nurl = \"{}\"\nstart_wait_s = 120\nstatement_timeout_ms = 5000\nconnect_timeout_ms = 1000\n",
            server.url()
        );
        let pool = PoolProcess::start(setup);
        pool.until("/health/ready", |status, _| status == 200).await;
        Self { server, pool, _node: node }
    }

    /// Begins to put load on the pool.
    pub(crate) fn load(&self, load: Load) -> Running {
        self.load_at(self.pool.stratum, load)
    }

    /// The same on another server.
    pub(crate) fn load_at(&self, server: SocketAddr, load: Load) -> Running {
        let words = [
            ("--pool", server.to_string()),
            ("--connections", load.connections.to_string()),
            ("--outstanding", load.outstanding.to_string()),
            ("--rate", load.rate.to_string()),
            ("--seconds", load.seconds.to_string()),
            ("--warmup", load.warmup.to_string()),
        ];
        let mut command = Command::new(dagpool());
        command.args(["bench", "stratum", "--json"]).stdin(Stdio::null()).stdout(Stdio::piped());
        command.args(words.iter().flat_map(|(name, value)| [*name, value.as_str()]));
        Running(command.spawn().expect("the load generator starts"))
    }

    /// Shares that the database holds as credited.
    pub(crate) fn credited(&self) -> u64 {
        let sum = self.server.sql("SELECT coalesce(sum(accepted), 0)::bigint FROM share_totals");
        sum.expect("the database answers").parse().expect("a number")
    }

    /// The journal's place that the database has.
    pub(crate) fn position(&self) -> u64 {
        let position = self.server.sql("SELECT seq FROM positions");
        position.expect("the database answers").parse().expect("a number")
    }

    /// Records of the journal that wait for the database, as the pool knows.
    pub(crate) async fn lag(&self) -> u64 {
        self.pool.get("/api/stats").await.1["ledger"]["lag"].as_u64().expect("a number")
    }

    /// Waits until the database has everything through this place of the journal.
    pub(crate) async fn fed_through(&self, place: u64) {
        let begun = Instant::now();
        while self.position() < place {
            assert!(begun.elapsed() < WAIT_MAX, "the ledger does not catch up");
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until nothing of the journal waits for the database; no load is on the pool.
    pub(crate) async fn caught_up(&self) {
        let begun = Instant::now();
        loop {
            let ready = self.pool.get("/health/ready").await.0 == 200;
            if ready && self.lag().await == 0 {
                return;
            }
            assert!(begun.elapsed() < WAIT_MAX, "the ledger does not catch up");
            tokio::time::sleep(POLL).await;
        }
    }

    /// Shares by account, in the journal and in the database: the same, or this panics. How many there are.
    pub(crate) async fn assert_exactly_once(&mut self) -> u64 {
        self.caught_up().await;
        assert_eq!(self.pool.terminate(), Some(0), "{}", self.pool.log());
        let journalled = self.pool.journalled();
        let rows = self.server.sql(
            "SELECT a.address, sum(t.accepted)::bigint FROM share_totals AS t \
             JOIN workers AS w ON w.id = t.worker_id JOIN accounts AS a ON a.id = w.account_id GROUP BY 1",
        );
        let rows = rows.expect("the database answers");
        let credited = rows.lines().map(|line| {
            let (account, shares) = line.split_once('|').expect("two columns");
            (account.to_owned(), shares.parse().expect("a number"))
        });
        let credited: std::collections::BTreeMap<_, u64> = credited.collect();
        assert!(credited == journalled, "journal and database differ");
        journalled.values().sum()
    }
}

/// A bare server that hashes the same and commits as durably, without a ledger and without any database.
pub(crate) struct Raw {
    child: Child,
    pub(crate) address: SocketAddr,
    _folder: TempDir,
}

impl Raw {
    pub(crate) fn start(like: SocketAddr) -> Self {
        let folder = TempDir::new().expect("a folder");
        let mut command = Command::new(dagpool());
        command.args(["bench", "raw-server", "--durable", "--listen", "127.0.0.1:0", "--like"]);
        command.arg(like.to_string()).arg("--file").arg(folder.path().join("raw.journal"));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut said = String::new();
        let out = child.stdout.take().expect("its output is piped");
        BufReader::new(out).read_line(&mut said).expect("it says where it listens");
        let address = said.split_whitespace().find_map(|word| word.parse().ok()).expect("an address");
        Self { child, address, _folder: folder }
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A load generator at work.
pub(crate) struct Running(Child);

impl Running {
    /// What it saw, when it has ended.
    pub(crate) async fn report(self) -> Value {
        let done = actix_rt::task::spawn_blocking(move || self.0.wait_with_output());
        let done = done.await.expect("it is waited for").expect("its output is read");
        assert!(done.status.success(), "the load generator failed");
        serde_json::from_slice(&done.stdout).expect("it prints JSON")
    }
}

/// So many in this time, each second.
pub(crate) fn per_second(count: u64, took: Duration) -> u128 {
    u128::from(count) * 1_000_000 / took.as_micros().max(1)
}
