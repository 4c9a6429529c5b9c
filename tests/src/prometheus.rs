//! A private Prometheus, with the configuration of `deploy/monitoring`: a server of the test's own that ends with its handle.
//! Tests fail, never skip, when it can't be had: `tests/tools/packages.sh` installs it.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::own_loopback;

const PATIENCE: Duration = Duration::from_secs(30);

/// Where the files for monitoring are.
#[must_use]
pub fn monitoring() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/monitoring")
}

/// Runs `promtool`; what it printed, if it was content.
///
/// # Errors
/// What it complained of.
///
/// # Panics
/// When it is not installed.
pub fn promtool(folder: &Path, arguments: &[&str]) -> Result<String, String> {
    let done = Command::new("promtool").args(arguments).current_dir(folder).output();
    let done = done.expect("promtool is installed: tests/tools/packages.sh does it");
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    if done.status.success() { Ok(said) } else { Err(said) }
}

/// A running server.
pub struct Prometheus {
    folder: TempDir,
    address: SocketAddr,
    child: Child,
    client: reqwest::Client,
}

impl Prometheus {
    /// Watches the pool whose API is there, once a second, and returns when it is ready.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(pool: SocketAddr) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let source = monitoring().join("prometheus");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("rules")).expect("made");
        let quicker = |text: String| {
            text.replace("interval: 15s", "interval: 1s").replace("interval: 5s", "interval: 1s")
        };
        for rules in fs::read_dir(source.join("rules")).expect("the rules").flatten() {
            let text = fs::read_to_string(rules.path()).expect("a file of rules");
            fs::write(at("rules").join(rules.file_name()), quicker(text)).expect("written");
        }
        let config = fs::read_to_string(source.join("prometheus.yml")).expect("the configuration");
        assert!(config.contains("\"127.0.0.1:8080\""), "{config}");
        let config = quicker(config).replace("127.0.0.1:8080", &pool.to_string());
        fs::write(at("prometheus.yml"), config).expect("written");
        let free = TcpListener::bind((own_loopback(), 0)).expect("a free port");
        let address = free.local_addr().expect("its address");
        drop(free);
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", at("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", at("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(at("log")).expect("a log"))
            .spawn()
            .expect("prometheus is installed: tests/tools/packages.sh does it");
        let client = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
        let prometheus = Self { address, child, client, folder };
        let deadline = Instant::now() + PATIENCE;
        while !matches!(prometheus.client.get(prometheus.url("/-/ready")).send().await, Ok(answer) if answer.status().is_success())
        {
            let log = || fs::read_to_string(prometheus.folder.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "prometheus does not start: {}", log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        prometheus
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What its API answers.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let asked = self.client.get(self.url(path)).query(query).send().await.expect("it answers");
        asked.json().await.expect("with JSON")
    }

    /// The values of an expression now; NaN is none.
    ///
    /// # Errors
    /// When it is no expression.
    pub async fn values(&self, expression: &str) -> Result<Vec<f64>, String> {
        let answer = self.get("/api/v1/query", &[("query", expression)]).await;
        if answer["status"] != "success" {
            return Err(answer["error"].to_string());
        }
        let value = |series: &Value| series["value"][1].as_str()?.parse::<f64>().ok();
        let values = answer["data"]["result"].as_array().into_iter().flatten().filter_map(value);
        Ok(values.filter(|value| !value.is_nan()).collect())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
