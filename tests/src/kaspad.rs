//! A real kaspad on its simulation network, with proof of work checked. Tests fail, never skip, when it can't be had:
//! `tests/tools/kaspad.sh` builds it once.

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::Message;

/// An address of the simulation network that rewards are paid to.
pub const ADDRESS: &str = "kaspasim:qpumuen7l8wthtz45p3ftn58pvrs9xlumvkuu2xet8egzkcklqtes65ue9mw6";
/// How long the node may take until it listens.
const START_MAX: Duration = Duration::from_secs(60);

/// A running node; it is killed when this is dropped, and its data removed.
pub struct Kaspad {
    child: Child,
    data: TempDir,
    ports: [u16; 4],
}

/// Consensus with a small k and early maturity, so that a test sees red blocks and maturity after few blocks.
#[must_use]
pub fn red_prone() -> Value {
    json!({
        "skip_proof_of_work": false,
        "blockrate": {
            "target_time_per_block": 100, "ghostdag_k": 3, "past_median_time_sample_rate": 100,
            "difficulty_sample_rate": 40, "max_block_parents": 64, "mergeset_size_limit": 248,
            "merge_depth": 36_000, "finality_depth": 432_000, "pruning_depth": 1_080_000, "coinbase_maturity": 20
        }
    })
}

/// The network's own consensus.
#[must_use]
pub fn standard() -> Value {
    json!({"skip_proof_of_work": false})
}

fn binary() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/kaspad.sh");
        let output = Command::new("bash").arg(script).stderr(Stdio::inherit()).output().expect("bash runs");
        assert!(output.status.success(), "{script} failed: kaspad is needed for these tests");
        PathBuf::from(String::from_utf8(output.stdout).expect("a path").trim())
    })
}

/// Four ports that were free together a moment ago.
fn free_ports() -> [u16; 4] {
    let held: Vec<TcpListener> =
        (0..4).map(|_| TcpListener::bind(("127.0.0.1", 0)).expect("a free port")).collect();
    let ports: Vec<u16> = held.iter().map(|port| port.local_addr().expect("bound").port()).collect();
    ports.try_into().expect("four")
}

impl Kaspad {
    /// Starts a node with these overrides of its consensus parameters and returns when it listens.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(consensus: &Value) -> Self {
        let data = TempDir::new().expect("a temporary folder");
        let overrides = data.path().join("consensus.json");
        fs::write(&overrides, consensus.to_string()).expect("written");
        let ports = free_ports();
        let [peers, grpc, json, borsh] = ports.map(|port| format!("127.0.0.1:{port}"));
        let child = Command::new(binary())
            .args([
                "--simnet",
                "--utxoindex",
                "--enable-unsynced-mining",
                "--disable-upnp",
                "--nodnsseed",
                "--yes",
            ])
            .args(["--nologfiles", "--outpeers=0", "--maxinpeers=8", "--unsaferpc", "--ram-scale=0.3"])
            .arg("--async-threads=2")
            .arg(format!("--override-params-file={}", overrides.display()))
            .arg(format!("--appdir={}", data.path().display()))
            .args([format!("--listen={peers}"), format!("--rpclisten={grpc}")])
            .args([format!("--rpclisten-json={json}"), format!("--rpclisten-borsh={borsh}")])
            .stdin(Stdio::null())
            .stdout(fs::File::create(data.path().join("output.txt")).expect("created"))
            .stderr(Stdio::null())
            .spawn()
            .expect("kaspad starts");
        let mut node = Self { child, data, ports };
        node.wait_until_it_listens();
        node
    }

    fn wait_until_it_listens(&mut self) {
        let deadline = Instant::now() + START_MAX;
        let address = SocketAddr::from(([127, 0, 0, 1], self.ports[2]));
        while TcpStream::connect_timeout(&address, Duration::from_millis(100)).is_err() {
            let ended = self.child.try_wait().expect("a child");
            assert!(ended.is_none() && Instant::now() < deadline, "kaspad did not start:\n{}", self.output());
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    /// Endpoint of the JSON wRPC.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.ports[2])
    }

    /// Port of 127.0.0.1 that other nodes connect to.
    #[must_use]
    pub fn peer_port(&self) -> u16 {
        self.ports[0]
    }

    /// Makes `other` connect to this node. They tell each other of new blocks; what came before is asked for then.
    ///
    /// # Panics
    /// When the other node refuses.
    pub async fn join(&self, other: &Self) {
        let (mut socket, _) = tokio_tungstenite::connect_async(other.url()).await.expect("it listens");
        let peer = json!({"ip": "127.0.0.1", "port": self.peer_port()});
        let request =
            json!({"id": 1, "method": "addPeer", "params": {"peerAddress": peer, "isPermanent": true}});
        socket.send(Message::text(request.to_string())).await.expect("it reads");
        let answer = socket.next().await.expect("it answers").expect("over the same connection");
        let answer: Value = serde_json::from_str(answer.to_text().expect("text")).expect("JSON");
        assert!(answer.get("error").is_none(), "{answer}");
    }

    /// What it has logged.
    #[must_use]
    pub fn output(&self) -> String {
        fs::read_to_string(self.data.path().join("output.txt")).unwrap_or_default()
    }

    /// Kills it at once.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Kaspad {
    fn drop(&mut self) {
        self.end();
    }
}
