//! A private Redis: a server of the test's own, that is killed, paused and restarted as the test likes and ends with its
//! handle. It keeps nothing on disk. Tests fail, never skip, when it can't be had: `tests/tools/packages.sh` installs it.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::own_loopback;

/// How long the server may take to start.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running (or killed) server.
pub struct Redis {
    folder: TempDir,
    address: SocketAddr,
    options: Vec<String>,
    /// Answers over TLS only.
    tls: bool,
    child: Option<Child>,
}

/// Slots of a cluster.
const SLOTS: u16 = 16_384;

impl Redis {
    /// Starts a server and returns when it answers.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// A server that asks for this password.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn with_password(password: &str) -> Self {
        Self::with(&["--requirepass", password])
    }

    /// A server that follows this one and takes no writes.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn replica(&self) -> Self {
        let (host, port) = (self.address.ip().to_string(), self.address.port().to_string());
        // Else a Sentinel would look for it at the address that its connection comes from.
        let (primary, own) = (format!("{host} {port}"), own_loopback().to_string());
        let replica = Self::with(&["--replicaof", &primary, "--replica-announce-ip", &own]);
        replica.until("it follows", |replica| replica.cli(&["ROLE"]).contains("connected"));
        replica
    }

    /// A cluster of one node that has all slots.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn cluster() -> Self {
        let node = Self::with(&["--cluster-enabled", "yes"]);
        assert_eq!(node.cli(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]), "OK");
        node.until("it has all slots", |node| node.cli(&["CLUSTER", "INFO"]).contains("cluster_state:ok"));
        node
    }

    /// A cluster of three masters, each with a third of the slots.
    ///
    /// # Panics
    /// When they do not start or find each other.
    #[must_use]
    pub fn cluster_of_three() -> [Self; 3] {
        // Else the others would look for it at the address that its connections come from.
        let own = own_loopback().to_string();
        let options =
            ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-announce-ip", &own];
        let node = || Self::with(&options);
        let nodes = [node(), node(), node()];
        for (number, node) in (0u16..).zip(&nodes) {
            let (first, last) =
                (SLOTS / 3 * number, if number == 2 { SLOTS - 1 } else { SLOTS / 3 * (number + 1) - 1 });
            let range = [first.to_string(), last.to_string()];
            assert_eq!(node.cli(&["CLUSTER", "ADDSLOTSRANGE", &range[0], &range[1]]), "OK");
            // Else two of them would begin with the same, and neither give way.
            let epoch = (number + 1).to_string();
            assert_eq!(node.cli(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch]), "OK");
        }
        for other in &nodes[1..] {
            let (host, port) = (other.address.ip().to_string(), other.address.port().to_string());
            assert_eq!(nodes[0].cli(&["CLUSTER", "MEET", &host, &port]), "OK");
        }
        for node in &nodes {
            node.until("it knows the others and all slots", |node| {
                let said = node.cli(&["CLUSTER", "INFO"]);
                said.contains("cluster_state:ok") && said.contains("cluster_known_nodes:3")
            });
        }
        nodes
    }

    /// Which of three masters has a key.
    ///
    /// # Panics
    /// When the node does not answer.
    #[must_use]
    pub fn third_of(&self, key: &str) -> usize {
        let slot: u16 = self.cli(&["CLUSTER", "KEYSLOT", key]).parse().expect("a slot");
        usize::from(slot / (SLOTS / 3)).min(2)
    }

    /// A server that answers over TLS only, with a certificate that nobody but [`Self::authority`] has signed.
    ///
    /// # Panics
    /// When it does not start, or there is no openssl.
    #[must_use]
    pub fn with_tls() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = |file: &str| folder.path().join(file).to_str().expect("a path of text").to_owned();
        crate::certificates::signed(folder.path(), &own_loopback().to_string());
        let (certificate, key, authority) = (path("server.pem"), path("key.pem"), path("authority.pem"));
        let options = [
            "--save",
            "",
            "--appendonly",
            "no",
            "--tls-cert-file",
            &certificate,
            "--tls-key-file",
            &key,
            "--tls-ca-cert-file",
            &authority,
            "--tls-auth-clients",
            "no",
        ];
        Self::started(folder, &options, true)
    }

    /// Who signed the certificate of a server with TLS.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// A Sentinel that watches this server as `main`, and puts a replica in its place when it is gone for half a second.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn sentinel(&self) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (host, port) = (self.address.ip(), self.address.port());
        let config = format!(
            "sentinel monitor main {host} {port} 1\nsentinel down-after-milliseconds main 500\n\
             sentinel failover-timeout main 2000\n"
        );
        let file = folder.path().join("sentinel.conf");
        fs::write(&file, config).expect("written");
        let sentinel = Self::on(folder, &[file.to_str().expect("a path of text"), "--sentinel"]);
        sentinel.until("it knows the replica and finds it well", |sentinel| {
            let said = sentinel.cli(&["SENTINEL", "REPLICAS", "main"]);
            said.contains("\nslave\n") && said.contains("master-link-status\nok")
        });
        sentinel
    }

    fn with(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let keeps_nothing = ["--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"];
        Self::on(folder, &[&keeps_nothing, options].concat())
    }

    fn on(folder: TempDir, options: &[&str]) -> Self {
        Self::started(folder, options, false)
    }

    fn started(folder: TempDir, options: &[&str], tls: bool) -> Self {
        // A node of a cluster also listens 10,000 ports higher.
        let address = std::iter::repeat_with(|| {
            let held = TcpListener::bind((own_loopback(), 0)).and_then(|held| held.local_addr());
            held.expect("a port")
        })
        .find(|address| address.port() < u16::MAX - 10_000)
        .expect("there is always another one");
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut server = Self { folder, address, options, tls, child: None };
        server.restart();
        server
    }

    /// Starts the server again, empty, on the same port.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        self.kill();
        let log = self.folder.path().join("log");
        let mut server = Command::new("redis-server");
        let port = self.address.port().to_string();
        server.args(&self.options).args(if self.tls {
            ["--port", "0", "--tls-port", &port].to_vec()
        } else {
            vec!["--port", &port]
        });
        server.args(["--bind", &self.address.ip().to_string(), "--protected-mode", "no"]);
        server.arg("--dir").arg(self.folder.path()).arg("--logfile").arg(&log);
        server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.child =
            Some(server.spawn().expect("redis-server is installed: tests/tools/packages.sh does it"));
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(self.address).is_err() {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            assert!(ended.is_none() && Instant::now() < deadline, "Redis does not start:\n{}", self.log());
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// Waits until a server says so.
    fn until(&self, what: &str, done: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done(self) {
            assert!(Instant::now() < deadline, "{what}: that does not come to be\n{}", self.log());
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address as the pool is given it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}", if self.tls { "rediss" } else { "redis" }, self.address)
    }

    /// What the server answers to a command.
    ///
    /// # Panics
    /// When there is no redis-cli.
    #[must_use]
    pub fn cli(&self, command: &[&str]) -> String {
        let (host, port) = (self.address.ip().to_string(), self.address.port().to_string());
        let mut cli = Command::new("redis-cli");
        cli.args(["-h", &host, "-p", &port]);
        if self.tls {
            cli.arg("--tls").arg("--cacert").arg(self.authority());
        }
        let done = cli.args(command).stdin(Stdio::null()).output();
        String::from_utf8_lossy(&done.expect("redis-cli runs").stdout).trim_end().to_owned()
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("the server runs");
        kill_process(Pid::from_child(child), signal).expect("it can be signalled");
    }

    /// `kill -9`: everything that it held is lost.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Stops it where it is: connections stay open and are taken, nothing answers.
    ///
    /// # Panics
    /// When it is not running.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    ///
    /// # Panics
    /// When it is not running.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

/// An address where nobody listens.
///
/// # Panics
/// When the system has no port left.
#[must_use]
pub fn nobody() -> SocketAddr {
    let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    held.local_addr().expect("its address")
}
