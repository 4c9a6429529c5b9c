//! A private PostgreSQL: a server of the test's own, in a folder of its own, that is killed, paused and restarted as the
//! test likes and ends with its handle. Tests fail, never skip, when it can't be had: `tests/tools/packages.sh` installs it.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::own_loopback;

/// How long the server may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// Owner of the pool's database; not a superuser, as in production.
const OWNER: &str = "dagpool";
/// Memory of a server that tests use.
const SMALL: &str = "32MB";

/// A running (or killed) server and its data; both are gone when this is dropped.
pub struct Postgres {
    folder: TempDir,
    address: Ipv4Addr,
    port: u16,
    /// What it holds in memory.
    buffers: &'static str,
    /// It takes encrypted connections, and no others but from its superuser.
    tls: bool,
    child: Option<Child>,
}

/// Where the server's programs are: the newest version that is installed.
fn programs() -> PathBuf {
    let packaged = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = packaged
        .map(|version| version.path().join("bin"))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    found.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let elsewhere = std::env::split_paths(&path).find(|folder| folder.join("initdb").exists());
    found.pop().or(elsewhere).expect("PostgreSQL is installed: tests/tools/packages.sh does it")
}

/// The server refuses to run as root: then it runs as the package's own user.
fn user() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("the list of users");
    let line = users.lines().find(|line| line.starts_with("postgres:")).expect("the user postgres");
    let mut numbers = line.split(':').skip(2).map(|number| number.parse().expect("a number"));
    Some((numbers.next().expect("a user"), numbers.next().expect("a group")))
}

fn command(program: &str) -> Command {
    let mut command = Command::new(programs().join(program));
    command.stdin(Stdio::null()).env_remove("PGDATA").env("LC_ALL", "C.UTF-8").current_dir("/");
    if let Some((user, group)) = user() {
        command.uid(user).gid(group);
    }
    command
}

fn own(path: &Path) {
    if let Some((user, group)) = user() {
        chown(path, Some(user), Some(group)).expect("the folder can be given away");
    }
}

fn run(mut command: Command) {
    let done = command.output().expect("PostgreSQL's programs run");
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// A data folder as initdb makes it, with the pool's role and database: made once for this user and version, copied
/// by each test.
fn template() -> PathBuf {
    let version = programs().parent().and_then(Path::file_name).expect("a version").to_owned();
    let name = format!("dagpool-tests-postgres-{}-1", version.to_string_lossy());
    let ready = std::env::temp_dir().join(name);
    if !ready.exists() {
        let making = tempfile::tempdir().expect("a temporary folder");
        own(making.path());
        let data = making.path().join("data");
        let mut init = command("initdb");
        init.arg("-D").arg(&data).args(["-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8"]);
        run({
            init.args(["--auth=trust", "--no-sync", "--no-instructions"]);
            init
        });
        for statement in
            [format!("CREATE ROLE {OWNER} LOGIN"), format!("CREATE DATABASE {OWNER} OWNER {OWNER}")]
        {
            let mut single = command("postgres");
            let input = making.path().join("input.sql");
            fs::write(&input, format!("{statement}\n")).expect("written");
            single.args(["--single", "-j", "-D"]).arg(&data).arg("postgres");
            single.stdin(fs::File::open(&input).expect("just written"));
            run(single);
        }
        fs::write(
            data.join("pg_hba.conf"),
            "host all all 127.0.0.0/8 trust\nhost replication all 127.0.0.0/8 trust\n",
        )
        .expect("written");
        // Whoever comes second finds it done.
        let _ = fs::rename(&data, &ready);
    }
    ready
}

/// A fresh data folder.
fn initialised() -> TempDir {
    let folder = fresh_folder();
    let mut copy = Command::new("cp");
    copy.arg("-a").arg(template()).arg(folder.path().join("data"));
    run(copy);
    folder
}

impl Postgres {
    /// Starts a server on a fresh data folder and returns when it takes connections.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::on(initialised(), SMALL)
    }

    /// As [`Self::start`], with as much memory as PostgreSQL takes when nobody says otherwise: for measurements.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_as_installed() -> Self {
        Self::on(initialised(), "128MB")
    }

    /// A server that takes the pool's connections over TLS only, with a certificate for this IP address (without: its own),
    /// which nobody but [`Self::authority`] has signed.
    ///
    /// # Panics
    /// When it does not start, or there is no openssl.
    #[must_use]
    pub fn with_tls(named: Option<&str>) -> Self {
        let folder = initialised();
        let own_name = own_loopback().to_string();
        crate::certificates::signed(folder.path(), named.unwrap_or(&own_name));
        for file in ["server.pem", "key.pem"] {
            own(&folder.path().join(file));
        }
        let rules = "hostssl all dagpool 127.0.0.0/8 trust\nhost all postgres 127.0.0.0/8 trust\n";
        fs::write(folder.path().join("data/pg_hba.conf"), rules).expect("written");
        Self::of(folder, SMALL, true)
    }

    /// Who signed the certificate of a server with TLS.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    fn on(folder: TempDir, buffers: &'static str) -> Self {
        Self::of(folder, buffers, false)
    }

    fn of(folder: TempDir, buffers: &'static str, tls: bool) -> Self {
        let address = own_loopback();
        let port = TcpListener::bind((address, 0)).and_then(|held| held.local_addr()).expect("a port").port();
        let mut server = Self { folder, address, port, buffers, tls, child: None };
        server.restart();
        server
    }

    /// A second server that follows this one and takes reads.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn replica(&self) -> Self {
        let folder = fresh_folder();
        let mut copy = command("pg_basebackup");
        copy.args(["-U", "postgres", "-h", &self.address.to_string(), "-p", &self.port.to_string()]);
        copy.args(["--checkpoint=fast", "--no-sync", "-R", "-D"]).arg(folder.path().join("data"));
        run(copy);
        Self::on(folder, self.buffers)
    }

    /// Makes a replica take writes.
    ///
    /// # Panics
    /// When it refuses.
    pub fn promote(&self) {
        let mut promote = command("pg_ctl");
        promote.args(["promote", "-w", "-D"]).arg(self.data());
        run(promote);
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Address of the pool's database.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://{OWNER}@{}:{}/{OWNER}", self.address, self.port)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((self.address, self.port))
    }

    /// As [`Self::url`], reached by another way.
    #[must_use]
    pub fn url_at(&self, address: SocketAddr) -> String {
        format!("postgres://{OWNER}@{address}/{OWNER}")
    }

    /// An address that names another server beside this one.
    #[must_use]
    pub fn url_with(&self, other: &Self) -> String {
        format!("postgres://{OWNER}@{},{}/{OWNER}", self.address(), other.address())
    }

    /// Lets the pool's tables be made on a file system of this size, which root alone may mount.
    ///
    /// # Panics
    /// When it can't be mounted.
    #[must_use]
    pub fn small_tablespace(&self, size: &str) -> SmallDisk {
        let disk = SmallDisk::mount(&self.folder.path().join("small"), size);
        let place = disk.0.join("space");
        fs::create_dir(&place).expect("a folder");
        own(&place);
        for statement in [
            format!("CREATE TABLESPACE small LOCATION '{}'", place.display()),
            format!("GRANT CREATE ON TABLESPACE small TO {OWNER}"),
            format!("ALTER DATABASE {OWNER} SET default_tablespace = small"),
        ] {
            let mut psql = command("psql");
            psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &self.admin_url(), "-c", &statement]);
            run(psql);
        }
        disk
    }

    /// As [`Self::url`], as superuser.
    #[must_use]
    pub fn admin_url(&self) -> String {
        format!("postgres://postgres@{}:{}/{OWNER}", self.address, self.port)
    }

    /// Makes an empty database beside the pool's, owned by the same role; its address.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn another(&self, name: &str) -> String {
        let mut psql = command("psql");
        let statement = format!("CREATE DATABASE {name} OWNER {OWNER}");
        psql.args(["-X", "-q", "-d", &self.admin_url(), "-c", &statement]);
        run(psql);
        format!("postgres://{OWNER}@{}:{}/{name}", self.address, self.port)
    }

    /// Where one of PostgreSQL's own programs is.
    #[must_use]
    pub fn program(name: &str) -> PathBuf {
        programs().join(name)
    }

    /// Runs SQL as the pool's own role; its output.
    ///
    /// # Errors
    /// What the server says.
    ///
    /// # Panics
    /// When psql is missing.
    pub fn sql(&self, statement: &str) -> Result<String, String> {
        Self::psql(&self.url(), statement)
    }

    /// As [`Self::sql`], as superuser.
    ///
    /// # Errors
    /// What the server says.
    ///
    /// # Panics
    /// When psql is missing.
    pub fn admin_sql(&self, statement: &str) -> Result<String, String> {
        Self::psql(&self.admin_url(), statement)
    }

    fn psql(url: &str, statement: &str) -> Result<String, String> {
        let mut psql = command("psql");
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", statement]);
        let done = psql.output().expect("psql runs");
        if done.status.success() {
            Ok(String::from_utf8_lossy(&done.stdout).trim_end().to_owned())
        } else {
            Err(String::from_utf8_lossy(&done.stderr).into_owned())
        }
    }

    /// Starts the server again (after [`Self::kill`]: with recovery), on the same port.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        // Processes of the killed server may still be at their end; until then the new one refuses to start.
        while !self.try_start() {
            assert!(Instant::now() < deadline, "PostgreSQL does not start:\n{}", self.log());
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    fn try_start(&mut self) -> bool {
        self.kill();
        let log = fs::File::options().create(true).append(true).open(self.log_path()).expect("a log file");
        let mut server = command("postgres");
        server.arg("-D").arg(self.data()).args(["-p", &self.port.to_string(), "-k", "", "-h"]);
        server.arg(self.address.to_string());
        // As durable as in production, as small as a test.
        for setting in ["fsync=on", "synchronous_commit=on", "max_connections=60"] {
            server.args(["-c", setting]);
        }
        server.args(["-c", &format!("shared_buffers={}", self.buffers)]);
        if self.tls {
            let file = |name: &str| self.folder.path().join(name).display().to_string();
            server.args(["-c", "ssl=on", "-c", &format!("ssl_cert_file={}", file("server.pem"))]);
            server.args(["-c", &format!("ssl_key_file={}", file("key.pem"))]);
        }
        self.child = Some(server.stdout(Stdio::null()).stderr(log).spawn().expect("postgres starts"));
        self.is_ready()
    }

    /// Waits until it takes connections; false when it ended instead.
    fn is_ready(&mut self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        let status = self.data().join("postmaster.pid");
        loop {
            let child = self.child.as_mut().expect("just started");
            if child.try_wait().expect("its status can be asked").is_some() {
                return false;
            }
            // The first line is its number, the last its state (src/include/utils/pidfile.h).
            let text = fs::read_to_string(&status).unwrap_or_default();
            let lines: Vec<&str> = text.lines().map(str::trim).collect();
            let ours = lines.first().is_some_and(|line| *line == child.id().to_string());
            if ours && lines.last().is_some_and(|line| matches!(*line, "ready" | "standby")) {
                return true;
            }
            assert!(Instant::now() < deadline, "PostgreSQL does not get ready:\n{}", self.log());
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    /// The server and the processes it has started.
    fn processes(&self) -> Vec<Pid> {
        let Some(child) = &self.child else { return Vec::new() };
        let all = fs::read_dir("/proc").expect("processes are listed").flatten();
        let children = all.filter_map(|entry| {
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            // The name, in brackets, may hold anything.
            let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<u32>().ok()?;
            let number = entry.file_name().to_str()?.parse().ok()?;
            (parent == child.id()).then_some(Pid::from_raw(number)?)
        });
        let mut found: Vec<Pid> = children.collect();
        found.push(Pid::from_child(child));
        found
    }

    fn signal(&self, signal: Signal) {
        for process in self.processes() {
            // It may have ended by itself.
            let _ = kill_process(process, signal);
        }
    }

    /// `kill -9` of all its processes at once, as when the machine dies (but for what the system has in memory).
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        if let Some(mut child) = self.child.take() {
            let _ = child.wait();
        }
    }

    /// Stops all its processes where they are: connections stay open, nothing answers.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets them go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A small file system in memory; unmounted when this is dropped.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(place: &Path, size: &str) -> Self {
        fs::create_dir(place).expect("a folder");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size},mode=755"), "tmpfs"]).arg(place);
        run(mount);
        own(place);
        Self(place.to_owned())
    }

    /// Leaves not a byte.
    ///
    /// # Panics
    /// When the file can't be made.
    pub fn fill(&self) {
        use std::io::Write as _;
        let mut file = fs::File::create(self.0.join("filler")).expect("a file");
        for size in [65_536, 4_096] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
    }

    /// Gives back what [`Self::fill`] took.
    ///
    /// # Panics
    /// When it was not filled.
    pub fn clear(&self) {
        fs::remove_file(self.0.join("filler")).expect("the filler");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the server may still have files open.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn fresh_folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    own(folder.path());
    folder
}
