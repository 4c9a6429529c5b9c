//! A private InfluxDB 1.x: a server of the test's own, that is killed and restarted as the test likes and ends with its
//! handle. Tests fail, never skip, when it can't be had: `tests/tools/packages.sh` installs it.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::own_loopback;

const PATIENCE: Duration = Duration::from_secs(30);
/// The database that is made.
pub const DATABASE: &str = "dagpool";

/// A running (or killed) server.
pub struct Influx {
    folder: TempDir,
    /// Where its API is; the same after a restart.
    pub address: SocketAddr,
    backup: SocketAddr,
    child: Option<Child>,
    client: reqwest::Client,
}

fn free() -> SocketAddr {
    let listener = TcpListener::bind((own_loopback(), 0)).expect("a free port");
    listener.local_addr().expect("its address")
}

impl Influx {
    /// Starts a server with an empty database, and returns when it answers.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // No connection outlives its request: the next one may be for another process.
        let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build();
        let client = client.expect("an HTTP client");
        let mut influx = Self { folder, address: free(), backup: free(), child: None, client };
        influx.restart().await;
        influx.query(&format!("CREATE DATABASE {DATABASE}")).await;
        influx
    }

    /// Starts it again, on the same folder and port.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn restart(&mut self) {
        self.kill();
        let at = |name: &str| self.folder.path().join(name);
        let log = fs::File::options().create(true).append(true).open(at("log")).expect("a log");
        let child = Command::new("influxd")
            .args(["run", "-config", "/dev/null"])
            .env("INFLUXDB_REPORTING_DISABLED", "true")
            .env("INFLUXDB_BIND_ADDRESS", self.backup.to_string())
            .env("INFLUXDB_HTTP_BIND_ADDRESS", self.address.to_string())
            .env("INFLUXDB_META_DIR", at("meta"))
            .env("INFLUXDB_DATA_DIR", at("data"))
            .env("INFLUXDB_DATA_WAL_DIR", at("wal"))
            .env("INFLUXDB_MONITOR_STORE_ENABLED", "false")
            .env("HOME", self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("influxd is installed: tests/tools/packages.sh does it");
        self.child = Some(child);
        let deadline = Instant::now() + PATIENCE;
        let ping = format!("http://{}/ping", self.address);
        while self.client.get(&ping).send().await.is_err() {
            let log = || fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "influxd does not start: {}", log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// What a statement answers: its rows of values, of all series.
    ///
    /// # Panics
    /// When it does not answer, or not with a result.
    pub async fn query(&self, statement: &str) -> Vec<Vec<Value>> {
        let url = format!("http://{}/query", self.address);
        let query = [("db", DATABASE), ("epoch", "ms"), ("q", statement)];
        let answer = self.client.post(url).query(&query).send().await.expect("it answers");
        let answer: Value = answer.json().await.expect("with JSON");
        let result = &answer["results"][0];
        assert!(result["error"].is_null() && answer["error"].is_null(), "{statement}: {answer}");
        let series = result["series"].as_array().into_iter().flatten();
        let rows = series.flat_map(|series| series["values"].as_array().into_iter().flatten());
        rows.map(|row| row.as_array().expect("a row").clone()).collect()
    }
}

impl Drop for Influx {
    fn drop(&mut self) {
        self.kill();
    }
}
