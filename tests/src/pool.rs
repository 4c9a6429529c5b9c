//! A pool as its own process, as operators run it: started from a configuration file, reached over real sockets, and
//! killed when a test says so. Every process ends with its handle.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, LazyLock, OnceLock},
    time::{Duration, Instant},
};

use pool_actors::{
    adapters::disk_folder::FolderDisk,
    ledger::journal::{Durability, Entry, Journal, Options},
    ports::disk::SharedDisk,
};
use pool_domain::ids::ShareSeq;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{own_loopback, schema::Described};

/// Longest time that anything here is waited for; reached only when a test is about to fail.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The `dagpool` binary: the one that `DAGPOOL_BIN` names (the whole test run builds it once, before the tests), else built
/// here, once per test process, at no cost when it is fresh.
///
/// # Panics
/// When it can't be built.
pub fn dagpool() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| std::env::var_os("DAGPOOL_BIN").map_or_else(build, PathBuf::from))
}

fn build() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--package", "dagpool", "--bin", "dagpool", "--message-format", "json"])
        .current_dir(&root)
        .output()
        .expect("cargo runs");
    assert!(built.status.success(), "dagpool does not build: {}", String::from_utf8_lossy(&built.stderr));
    let messages = String::from_utf8_lossy(&built.stdout);
    let mut executables = messages.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        Some(PathBuf::from(message["executable"].as_str()?))
    });
    executables.next_back().expect("cargo names the executable")
}

/// Settings of a pool under test. Unset ports are free ones.
#[derive(Debug, Clone)]
pub struct Setup {
    /// `[chain] profile`.
    pub profile: &'static str,
    /// `[chain] nodes`.
    pub nodes: Vec<String>,
    /// `[chain] payout_address`.
    pub payout_address: String,
    /// `[algorithms] active`.
    pub algorithm: String,
    /// `[[stratum.listener]]` dialect.
    pub dialect: &'static str,
    /// `[[stratum.listener]]` start difficulty; empty: that of the package in force.
    pub difficulty: String,
    /// No vardiff: tests want many shares, not one every few seconds.
    pub fixed: bool,
    /// Further TOML, appended; sections that are not written here.
    pub more: String,
    /// Further keys of `[chain]`.
    pub chain: String,
    /// Further keys of `[[stratum.listener]]`.
    pub listener: String,
    /// Variables of the process.
    pub environment: Vec<(&'static str, String)>,
}

impl Setup {
    /// A pool on a simulated node, at a difficulty that any thread solves many times a second.
    ///
    /// # Panics
    /// When the node's wallet gives no address.
    pub async fn simulated(rpc_url: &str, algorithm: &str) -> Self {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": "getNewAddress", "params": ["pool"]});
        let client = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
        let answer = client.post(rpc_url).json(&request).send().await.expect("the node answers");
        let answer: Value = answer.json().await.expect("with JSON");
        Self {
            profile: "simulated",
            nodes: vec![rpc_url.to_owned()],
            payout_address: answer["result"].as_str().expect("an address").to_owned(),
            algorithm: algorithm.to_owned(),
            dialect: "standard",
            difficulty: "0.0000001".to_owned(),
            fixed: true,
            more: String::new(),
            chain: String::new(),
            listener: String::new(),
            environment: Vec::new(),
        }
    }

    fn toml(&self, stratum: SocketAddr, http: SocketAddr, data: &Path) -> String {
        let Self {
            profile,
            payout_address,
            algorithm,
            dialect,
            difficulty,
            fixed,
            more,
            chain,
            listener,
            nodes,
            ..
        } = self;
        let difficulty =
            if difficulty.is_empty() { String::new() } else { format!("difficulty = {difficulty:?}") };
        format!(
            "[pool]\ndata_dir = {data:?}\n\
             [chain]\nprofile = {profile:?}\nnodes = {nodes:?}\npayout_address = {payout_address:?}\n{chain}\n\
             [algorithms]\nactive = {algorithm:?}\n\
             [http]\naddress = \"{http}\"\n\
             [auth]\nadmin_token = \"{ADMIN_TOKEN}\"\n\
             {more}\n\
             [[stratum.listener]]\naddress = \"{stratum}\"\ndialect = {dialect:?}\n{difficulty}\n\
             fixed = {fixed}\n{listener}\n"
        )
    }
}

/// The admin token of every pool under test.
pub const ADMIN_TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A pool's folder and, while it runs, its process.
pub struct PoolProcess {
    setup: Setup,
    folder: TempDir,
    child: Option<Child>,
    /// Stratum address; the same after a restart.
    pub stratum: SocketAddr,
    /// API address; the same after a restart.
    pub http: SocketAddr,
    client: reqwest::Client,
}

impl PoolProcess {
    /// Starts a pool in a fresh folder.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(setup: Setup) -> Self {
        let any = SocketAddr::from((own_loopback(), 0));
        let folder = tempfile::tempdir().expect("a temporary folder");
        // No connection outlives its request: the next one may be for another process at the same address.
        let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build();
        let client = client.expect("an HTTP client");
        let mut pool = Self { setup, folder, child: None, stratum: any, http: any, client };
        pool.restart();
        pool
    }

    /// Settings, to be changed before a restart.
    pub fn setup(&mut self) -> &mut Setup {
        &mut self.setup
    }

    /// Where journal and database are.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The process's number.
    ///
    /// # Panics
    /// When it is not running.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the pool runs").id()
    }

    /// Starts the process again, on the same folder and the same ports.
    ///
    /// # Panics
    /// When it does not start; with what it said.
    pub fn restart(&mut self) {
        self.kill();
        let config = self.write_config();
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .expect("a log file");
        let mut child = Command::new(dagpool())
            .args(["run", "--config"])
            .arg(&config)
            .envs(self.setup.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("dagpool runs");
        let stdout = child.stdout.take().expect("its output is piped");
        self.child = Some(child);
        let addresses = announced(BufReader::new(stdout));
        let Some((http, stratum)) = addresses else { panic!("the pool did not start:\n{}", self.log()) };
        (self.http, self.stratum) = (http, stratum);
    }

    /// Writes its configuration file, as a restart does; returns where that is.
    ///
    /// # Panics
    /// When it can't be written.
    pub fn write_config(&self) -> PathBuf {
        let config = self.folder.path().join("pool.toml");
        std::fs::write(&config, self.setup.toml(self.stratum, self.http, &self.data())).expect("writes");
        config
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asks it to stop (SIGTERM) and returns its exit code.
    ///
    /// # Panics
    /// When it is not running or does not stop.
    pub fn terminate(&mut self) -> Option<i32> {
        self.signal(rustix::process::Signal::TERM);
        self.ended()
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// When it is not running.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let child = self.child.as_ref().expect("the pool runs");
        let pid = rustix::process::Pid::from_child(child);
        rustix::process::kill_process(pid, signal).expect("it can be signalled");
    }

    /// Makes an actor panic, that which `DAGPOOL_CRASH_ACTOR` in [`Setup::environment`] names.
    ///
    /// # Panics
    /// When the pool is not running.
    pub fn crash_actor(&self) {
        self.signal(rustix::process::Signal::USR2);
    }

    /// Waits until it has ended by itself; its exit code.
    ///
    /// # Panics
    /// When it is not running or goes on.
    pub fn ended(&mut self) -> Option<i32> {
        let mut child = self.child.take().expect("the pool runs");
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = child.try_wait().expect("its status can be asked") {
                return status.code();
            }
            if Instant::now() > deadline {
                let _ = child.kill();
                let _ = child.wait();
                panic!("the pool did not end:\n{}", self.log());
            }
            pause();
        }
    }

    /// What `dagpool` says to these arguments: exit code, standard output, standard error.
    ///
    /// # Panics
    /// When it can't be run.
    pub fn command(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let done =
            Command::new(dagpool()).args(arguments).stdin(Stdio::null()).output().expect("dagpool runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (done.status.code(), text(&done.stdout), text(&done.stderr))
    }

    /// The report of `dagpool ledger audit` on its folder, whether it runs or not.
    ///
    /// # Panics
    /// When there is no report.
    pub fn audit(&self) -> Value {
        let folder = self.data();
        let folder = folder.to_str().expect("a path of text");
        let (code, out, error) = self.command(&["ledger", "audit", "--data-dir", folder, "--json"]);
        let report: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("no report: {out}{error}"));
        assert_eq!(code, Some(i32::from(report["clean"] != true)), "{report:#}");
        report
    }

    /// Accepted shares of each account in the journal, which must not be in use.
    pub fn journalled(&self) -> BTreeMap<String, u64> {
        let disk = FolderDisk::open(&self.data().join("journal")).expect("the pool has let go of its folder");
        journalled(Arc::new(disk))
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Body and status of an API route.
    ///
    /// # Panics
    /// When it does not answer with JSON.
    pub async fn get(&self, path: &str) -> (u16, Value) {
        let url = format!("http://{}{path}", self.http);
        let answer = self.client.get(&url).send().await.unwrap_or_else(|error| panic!("{url}: {error}"));
        as_described("GET", path, answer).await
    }

    /// Text of a route that answers with none but text.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn text(&self, path: &str) -> String {
        let url = format!("http://{}{path}", self.http);
        let answer = self.client.get(&url).send().await.unwrap_or_else(|error| panic!("{url}: {error}"));
        answer.text().await.unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    /// As [`Self::get`], with the admin token.
    ///
    /// # Panics
    /// As [`Self::get`].
    pub async fn get_as_admin(&self, path: &str) -> (u16, Value) {
        let url = format!("http://{}{path}", self.http);
        let answer = self.client.get(&url).bearer_auth(ADMIN_TOKEN).send().await.expect("it answers");
        as_described("GET", path, answer).await
    }

    /// Sends JSON (`Null` = nothing) with a token (empty = none); the answer, `Null` if it is no JSON.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn send(&self, method: &str, path: &str, token: &str, body: Value) -> (u16, Value) {
        let method = method.parse().expect("a method");
        let mut request = self.client.request(method, format!("http://{}{path}", self.http));
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = request.send().await.expect("it answers");
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    /// Asks `path` until `done` says so; returns what satisfied it.
    ///
    /// # Panics
    /// When that does not come to be.
    pub async fn until(&self, path: &str, done: impl Fn(u16, &Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (status, body) = self.get(path).await;
            if done(status, &body) {
                return body;
            }
            assert!(Instant::now() < deadline, "{path} stays {status} {body:#}\n{}", tail(&self.log()));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for PoolProcess {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- the pool's log ---\n{}", tail(&self.log()));
        }
    }
}

/// Status and JSON of an answer, which must be as the API's description says.
///
/// # Panics
/// When it is not.
pub async fn as_described(method: &str, path: &str, answer: reqwest::Response) -> (u16, Value) {
    static DESCRIBED: LazyLock<Described> = LazyLock::new(|| Described::new(pool_actors::api::openapi()));
    let status = answer.status().as_u16();
    let media = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let media = media.to_owned();
    let body = answer.bytes().await.unwrap_or_else(|error| panic!("{path}: {error}"));
    let plain = path.split('?').next().unwrap_or_default();
    if let Err(error) = DESCRIBED.check(method, plain, status, &media, &body) {
        panic!("{method} {path} is not answered as described: {error}");
    }
    (status, serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{path}: {error}")))
}

/// API and Stratum address that a process announces on its standard output; `None` when it ended without.
pub fn announced(
    mut lines: BufReader<impl std::io::Read + Send + 'static>,
) -> Option<(SocketAddr, SocketAddr)> {
    let (mut http, mut stratum) = (None, None);
    let mut line = String::new();
    while http.is_none() || stratum.is_none() {
        line.clear();
        if lines.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some("dashboard"), Some(url)) => {
                http = url.trim_start_matches("http://").trim_end_matches('/').parse().ok();
            }
            (Some("stratum"), Some(url)) => stratum = url.trim_start_matches("stratum+tcp://").parse().ok(),
            _ => {}
        }
    }
    drain(lines);
    Some((http?, stratum?))
}

/// Whatever else it prints must not block it.
#[expect(
    clippy::disallowed_methods,
    reason = "a test's own thread reads another process's output to its end"
)]
fn drain(mut lines: BufReader<impl std::io::Read + Send + 'static>) {
    std::thread::spawn(move || lines.read_to_end(&mut Vec::new()));
}

/// Accepted shares of each account in a journal that nobody writes to, after a check of all of it.
///
/// # Panics
/// When it is damaged.
pub fn journalled(disk: SharedDisk) -> BTreeMap<String, u64> {
    let options = Options { durability: Durability::Os, segment_bytes: 64 << 20, budget_bytes: u64::MAX };
    let (journal, _) = Journal::open(disk, options).expect("the journal opens");
    let reader = journal.reader();
    let verified = reader.verify().expect("the journal is undamaged");
    let mut shares = BTreeMap::new();
    let mut cursor = reader.cursor_after(ShareSeq(0)).expect("the whole journal is kept");
    while cursor.position() < reader.committed() {
        cursor
            .read(10_000, |_, entry| {
                if let Entry::Share(share) = entry {
                    *shares.entry(share.worker.account.as_str().to_owned()).or_default() += 1;
                }
            })
            .expect("the journal is undamaged");
    }
    assert_eq!(shares.values().sum::<u64>(), verified.shares);
    shares
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

#[expect(clippy::disallowed_methods, reason = "a test's own thread waits for another process")]
fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}

/// A decimal string of the API as a number.
///
/// # Panics
/// When it is none.
pub fn amount(value: &Value) -> i128 {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{value} is no amount"))
}
