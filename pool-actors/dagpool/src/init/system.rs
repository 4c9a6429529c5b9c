//! What there is on this machine.

use std::{
    fmt, fs,
    net::{SocketAddr, TcpListener},
    num::NonZeroUsize,
    thread,
    time::Duration,
};

use tokio::net::TcpStream;

/// How long somebody on this machine may take to take a connection.
const PATIENCE: Duration = Duration::from_millis(500);
/// The ports where such things usually are.
const POSTGRES: u16 = 5432;
const REDIS: u16 = 6379;
const SIMULATED: u16 = 18_131;
const KASPAD: u16 = 18_110;

/// What was found.
#[derive(Debug)]
pub(crate) struct System {
    pub(crate) cores: usize,
    /// Gigabytes; `None` where the system does not say.
    pub(crate) memory_gb: Option<u64>,
    /// Open files that a process may have at most.
    pub(crate) files: Option<u64>,
    pub(crate) postgres: bool,
    pub(crate) redis: bool,
    pub(crate) kaspad: bool,
    pub(crate) simulated: bool,
    /// An address of the simulated node's wallet.
    pub(crate) simulated_address: Option<String>,
}

impl System {
    /// Looks.
    pub(crate) async fn look() -> Self {
        let (postgres, redis, kaspad, simulated) =
            tokio::join!(listens(POSTGRES), listens(REDIS), listens(KASPAD), listens(SIMULATED));
        Self {
            cores: thread::available_parallelism().map_or(1, NonZeroUsize::get),
            memory_gb: memory_gb(),
            files: rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum,
            postgres,
            redis,
            kaspad,
            simulated,
            simulated_address: if simulated { wallet_address().await } else { None },
        }
    }
}

async fn listens(port: u16) -> bool {
    let connected = tokio::time::timeout(PATIENCE, TcpStream::connect(("127.0.0.1", port))).await;
    matches!(connected, Ok(Ok(_)))
}

fn memory_gb() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes.div_ceil(1 << 20))
}

async fn wallet_address() -> Option<String> {
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().ok()?;
    let request =
        serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": "getNewAddress", "params": ["pool"]});
    let answer = client.post(format!("http://127.0.0.1:{SIMULATED}")).json(&request).send().await.ok()?;
    let answer: serde_json::Value = answer.json().await.ok()?;
    answer["result"].as_str().map(str::to_owned)
}

/// The address, or the next one whose port is free; whether it had to be another.
pub(crate) fn free(address: SocketAddr) -> (SocketAddr, bool) {
    let ports = (0..50).filter_map(|step| address.port().checked_add(step));
    let mut all = ports.map(|port| SocketAddr::new(address.ip(), port));
    let found = all.find(|address| TcpListener::bind(address).is_ok()).unwrap_or(address);
    (found, found != address)
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let memory = self.memory_gb.map_or_else(|| "?".to_owned(), |gb| gb.to_string());
        let files = self.files.map_or_else(|| "any number of".to_owned(), |files| files.to_string());
        writeln!(f, "system     {} cores, {memory} GB of memory, {files} open files", self.cores)?;
        let found = [
            ("PostgreSQL", self.postgres, POSTGRES),
            ("Redis", self.redis, REDIS),
            ("kaspad", self.kaspad, KASPAD),
            ("a simulated node", self.simulated, SIMULATED),
        ];
        let here: Vec<String> = found
            .iter()
            .filter(|(_, is, _)| *is)
            .map(|(name, _, port)| format!("{name} (port {port})"))
            .collect();
        write!(
            f,
            "found      {}",
            if here.is_empty() {
                "no node, no PostgreSQL, no Redis on this machine".to_owned()
            } else {
                here.join(", ")
            }
        )
    }
}
