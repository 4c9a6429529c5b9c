//! Server processes of a benchmark: started, waited for, and ended with it.

use std::{
    fs::{self, File},
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use pool_actors::error::{Code, Failure};
use rustix::process::{Pid, Signal, kill_process};

/// How long a server may take to listen.
const START_MAX: Duration = Duration::from_secs(30);
/// How long it may take to end in order.
const STOP_MAX: Duration = Duration::from_secs(10);

/// A process of this very program, or of another build of it.
pub(super) struct Server {
    name: &'static str,
    child: Child,
    output: PathBuf,
    log: PathBuf,
}

impl Server {
    /// Starts it; what it prints goes into files of `dir`.
    ///
    /// # Errors
    /// When the process or its files can't be made.
    pub(super) fn start(name: &'static str, dir: &Path, arguments: &[&str]) -> Result<Self, Failure> {
        Self::start_build(None, name, dir, arguments)
    }

    /// The same of another build, if one is named.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub(super) fn start_build(
        build: Option<&Path>,
        name: &'static str,
        dir: &Path,
        arguments: &[&str],
    ) -> Result<Self, Failure> {
        let (output, log) = (dir.join(format!("{name}.out")), dir.join(format!("{name}.log")));
        let start = || -> io::Result<Child> {
            Command::new(build.map_or_else(std::env::current_exe, |build| Ok(build.to_owned()))?)
                .args(arguments)
                .stdin(Stdio::null())
                .stdout(File::create(&output)?)
                .stderr(File::create(&log)?)
                .spawn()
        };
        let child = start().map_err(|error| {
            let what = format!("{name} could not be started in {}: {error}", dir.display());
            Failure::new(Code::SystemRefused, what, "choose another --dir")
        })?;
        Ok(Self { name, child, output, log })
    }

    /// Its process.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has printed where it listens, behind `mark`.
    ///
    /// # Errors
    /// When it ends or takes too long; with the end of its log.
    pub(super) async fn address(&mut self, mark: &str) -> Result<SocketAddr, Failure> {
        let started = Instant::now();
        loop {
            let printed = fs::read_to_string(&self.output).unwrap_or_default();
            let after = printed.split_once(mark).map(|(_, after)| after);
            if let Some(address) =
                after.and_then(|after| after.split(|c: char| c.is_whitespace() || c == '/').next())
            {
                return address.parse().map_err(|_| self.failed(&format!("it listens on `{address}`")));
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(self.failed(&format!("it ended with {status}")));
            }
            if started.elapsed() > START_MAX {
                return Err(self.failed("it did not listen in time"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Ends it without a word, as a crash does.
    pub(super) fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn failed(&self, why: &str) -> Failure {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(5)..].join("\n");
        Failure::new(
            Code::SystemRefused,
            format!("the {} did not start: {why}", self.name),
            format!("see the end of its log:\n{last}\n"),
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It may have ended by itself; the number is ours until it is waited for.
            let _ = kill_process(pid, Signal::TERM);
        }
        let asked = Instant::now();
        while asked.elapsed() < STOP_MAX {
            match self.child.try_wait() {
                Ok(None) => wait_a_little(),
                _ => return,
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Nothing else runs on this thread when servers are ended.
#[expect(clippy::disallowed_methods, reason = "as said")]
fn wait_a_little() {
    std::thread::sleep(Duration::from_millis(20));
}
