//! One virtual miner's actor: socket, back-off, counters, and the worker that hashes for it.
//!
//! Receives: lines of the pool, solutions of the grinder. Sends: lines to the pool. A lost connection is counted and opened again after
//! a growing, jittered wait.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix::prelude::*;
use futures_util::Stream;
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};
use tracing::debug;

use super::config::{Conduct, SwarmConfig};
use super::session::{Action, Session, SessionConfig};
use super::stats::MinerStats;
use crate::grinder::{Grinder, Outcome, Work, Worker};
use crate::runtime;

/// Longest line that a pool may send.
const MAX_LINE: u64 = 1_000_000;

/// One miner's counters, read from outside.
pub(super) type SharedStats = Arc<Mutex<MinerStats>>;

pub(super) struct Client {
    config: Arc<SwarmConfig>,
    session_config: SessionConfig,
    address: String,
    from: Option<IpAddr>,
    /// Lines that are kept for now.
    hoard: Vec<String>,
    stats: SharedStats,
    grinder: Grinder,
    worker: Option<Worker>,
    session: Option<Session>,
    lines: Option<mpsc::UnboundedSender<String>>,
    reader: Option<SpawnHandle>,
    /// Counts connections, so that news of an old one is told apart.
    connection: u64,
    heard: Instant,
    failures: u32,
    random: SmallRng,
    progress: watch::Sender<u64>,
    start_after: Duration,
}

#[derive(Message)]
#[rtype(result = "()")]
struct Solved(Outcome);

struct Line {
    connection: u64,
    text: io::Result<String>,
}

impl Client {
    pub(super) fn new(
        config: Arc<SwarmConfig>,
        session_config: SessionConfig,
        index: usize,
        stats: SharedStats,
        grinder: Grinder,
        progress: watch::Sender<u64>,
    ) -> Self {
        let random = SmallRng::seed_from_u64(config.seed.wrapping_mul(1_000_003).wrapping_add(index as u64));
        let count = u32::try_from(config.count.max(1)).unwrap_or(u32::MAX);
        let start_after = config.ramp / count * u32::try_from(index).unwrap_or(u32::MAX);
        let from = config.from.get(index % config.from.len().max(1)).copied();
        let address = config.address.trim_start_matches("stratum+tcp://").to_owned();
        Self {
            config,
            session_config,
            address,
            from,
            hoard: Vec::new(),
            stats,
            grinder,
            worker: None,
            session: None,
            lines: None,
            reader: None,
            connection: 0,
            heard: Instant::now(),
            failures: 0,
            random,
            progress,
            start_after,
        }
    }

    fn stats(&self) -> MutexGuard<'_, MinerStats> {
        // Counters stay usable whatever happened to another reader.
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connect(&mut self, ctx: &mut Context<Self>) {
        // The reader holds the old socket open as long as the pool does.
        if let Some(reader) = self.reader.take() {
            ctx.cancel_future(reader);
        }
        let (address, from) = (self.address.clone(), self.from);
        let connecting = async move {
            let stream = tokio::time::timeout(Duration::from_secs(10), connect_from(&address, from))
                .await
                .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            stream.set_nodelay(true)?;
            io::Result::Ok(stream)
        };
        let connected = connecting.into_actor(self).map(|stream, client, ctx| match stream {
            Ok(stream) => client.connected(stream, ctx),
            Err(error) => client.lost(&format!("can't connect: {error}"), ctx),
        });
        ctx.spawn(connected);
    }

    fn connected(&mut self, stream: TcpStream, ctx: &mut Context<Self>) {
        self.connection += 1;
        self.heard = Instant::now();
        let (reader, writer) = stream.into_split();
        let (sender, receiver) = mpsc::unbounded_channel();
        self.lines = Some(sender);
        actix_rt::spawn(write_lines(writer, receiver));
        self.reader = Some(ctx.add_stream(read_lines(reader, self.connection)));
        {
            let mut stats = self.stats();
            stats.connected = true;
            stats.connects += 1;
        }
        let mut session = Session::new(self.session_config.clone());
        let actions = session.open();
        self.session = Some(session);
        self.act(actions, ctx);
    }

    /// The connection is gone, or could not be made.
    fn lost(&mut self, reason: &str, ctx: &mut Context<Self>) {
        let wait = self.backoff();
        debug!(reason, ?wait, address = self.address, "a virtual miner connects again later");
        self.hang_up(reason);
        ctx.run_later(wait, Self::connect);
    }

    fn hang_up(&mut self, reason: &str) {
        self.lines = None;
        self.hoard.clear();
        // Whatever the old socket still says is not for the next session.
        self.connection += 1;
        let session = self.session.take();
        if let Some(session) = &session {
            self.session_config.first_counter = session.counter();
        }
        if let Some(worker) = &self.worker {
            worker.set_work(None);
        }
        let mut stats = self.stats();
        stats.connected = false;
        stats.authorized = false;
        stats.lost += session.map_or(0, |session| session.unanswered() as u64);
        stats.last_error = Some(reason.to_owned());
    }

    /// Doubles from try to try; half of it is random, so that a swarm does not come back as one.
    fn backoff(&mut self) -> Duration {
        let doubled = self.config.backoff_min.saturating_mul(1 << self.failures.min(16));
        self.failures += 1;
        let most = doubled.min(self.config.backoff_max);
        most / 2 + most.mul_f64(self.random.random::<f64>() / 2.0)
    }

    fn act(&mut self, actions: Vec<Action>, ctx: &mut Context<Self>) {
        for action in actions {
            match action {
                Action::Send(line) => {
                    if let Some(lines) = &self.lines {
                        // A writer that is gone is noticed by the reader of the same socket.
                        let _ = lines.send(line);
                    }
                }
                Action::Work(task) => {
                    let work = task.map(|task| Work {
                        id: task.id,
                        algorithm: task.algorithm,
                        header: task.puzzle.header,
                        nonce_at: task.puzzle.nonce_at,
                        target: task.target,
                        first_nonce: 0,
                        once: false,
                        step: if self.config.conduct == Conduct::Stripes { 16 } else { 1 },
                    });
                    if let Some(worker) = &self.worker {
                        worker.set_work(work);
                    }
                }
                Action::Reconnect { address, wait } => {
                    if let Some(address) = address {
                        self.address = address;
                    }
                    self.hang_up("the pool asked to connect again");
                    ctx.run_later(Duration::from_secs(wait), Self::connect);
                    return;
                }
                Action::Fail(reason) => return self.lost(&reason, ctx),
            }
        }
    }

    fn with_session(
        &mut self,
        ctx: &mut Context<Self>,
        run: impl FnOnce(&mut Session, &mut MinerStats) -> Vec<Action>,
    ) {
        let Some(session) = &mut self.session else { return };
        let mut stats = self.stats.lock().unwrap_or_else(PoisonError::into_inner);
        let before = stats.accepted;
        let actions = run(session, &mut stats);
        let new = stats.accepted - before;
        drop(stats);
        if new > 0 {
            self.failures = 0;
            self.progress.send_modify(|accepted| *accepted += new);
        }
        self.act(actions, ctx);
    }
}

impl Actor for Client {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let client = ctx.address();
        let worker =
            self.grinder.attach(self.config.hashrate, move |outcome| runtime::post(&client, Solved(outcome)));
        self.worker = Some(worker);
        if self.start_after.is_zero() {
            self.connect(ctx);
        } else {
            ctx.run_later(self.start_after, Self::connect);
        }
        if let Some((after, hashrate)) = self.config.raise {
            ctx.run_later(self.start_after + after, move |client, _| {
                if let Some(worker) = &client.worker {
                    worker.set_rate(hashrate);
                }
            });
        }
        if let Conduct::Hoard(period) = self.config.conduct {
            ctx.run_interval(period, |client, ctx| {
                let lines = std::mem::take(&mut client.hoard).into_iter().map(Action::Send).collect();
                client.act(lines, ctx);
            });
        }
        let period = (self.config.silence_max / 4).max(Duration::from_millis(10));
        ctx.run_interval(period, |client, ctx| {
            if client.session.is_some() && client.heard.elapsed() > client.config.silence_max {
                client.lost("the pool is silent", ctx);
            }
        });
    }
}

impl StreamHandler<Line> for Client {
    fn handle(&mut self, line: Line, ctx: &mut Self::Context) {
        if line.connection != self.connection {
            return;
        }
        match line.text {
            Ok(text) => {
                self.heard = Instant::now();
                self.with_session(ctx, |session, stats| session.line(&text, stats));
            }
            Err(error) => self.lost(&format!("connection lost: {error}"), ctx),
        }
    }

    fn finished(&mut self, _: &mut Self::Context) {
        // One socket ended; the miner goes on.
    }
}

impl Handler<Solved> for Client {
    type Result = ();

    fn handle(&mut self, Solved(outcome): Solved, ctx: &mut Self::Context) {
        let mut hoard = Vec::new();
        let hoards = matches!(self.config.conduct, Conduct::Hoard(_));
        self.with_session(ctx, |session, stats| match outcome {
            Outcome::Found { work, nonce, hash } => {
                let actions = session.found(work, nonce, hash, stats);
                if !hoards {
                    return actions;
                }
                let (kept, rest) = actions.into_iter().partition(|action| matches!(action, Action::Send(_)));
                hoard = kept;
                rest
            }
            Outcome::Exhausted { .. } => session.next_piece(stats),
            Outcome::Failed { reason, .. } => vec![Action::Fail(reason)],
        });
        self.hoard.extend(hoard.into_iter().filter_map(|action| match action {
            Action::Send(line) => Some(line),
            _ => None,
        }));
    }
}

/// A connection, from an address of this machine if one is wanted.
async fn connect_from(address: &str, from: Option<IpAddr>) -> io::Result<TcpStream> {
    let Some(from) = from else { return TcpStream::connect(address).await };
    let mut why = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for to in tokio::net::lookup_host(address).await? {
        let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.bind(SocketAddr::new(from, 0))?;
        match socket.connect(to).await {
            Ok(stream) => return Ok(stream),
            Err(error) => why = error,
        }
    }
    Err(why)
}

async fn write_lines(mut writer: OwnedWriteHalf, mut lines: mpsc::UnboundedReceiver<String>) {
    let mut buffer = Vec::new();
    while let Some(line) = lines.recv().await {
        buffer.clear();
        buffer.extend(line.as_bytes());
        buffer.push(b'\n');
        // Whatever waits goes along in one write.
        while let Ok(line) = lines.try_recv() {
            buffer.extend(line.as_bytes());
            buffer.push(b'\n');
        }
        if writer.write_all(&buffer).await.is_err() {
            return;
        }
    }
}

/// Lines until the socket ends; the end itself comes as an error.
fn read_lines(reader: OwnedReadHalf, connection: u64) -> impl Stream<Item = Line> {
    let reader = BufReader::new(reader);
    futures_util::stream::unfold(Some(reader), move |reader| async move {
        let mut reader = reader?;
        let mut bytes = Vec::new();
        let read = (&mut reader).take(MAX_LINE).read_until(b'\n', &mut bytes).await;
        let text = match read {
            Ok(0) => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            Ok(_) if bytes.last() != Some(&b'\n') => Err(io::Error::from(io::ErrorKind::InvalidData)),
            Ok(_) => String::from_utf8(bytes).map_err(|_| io::Error::from(io::ErrorKind::InvalidData)),
            Err(error) => Err(error),
        };
        let next = text.is_ok().then_some(reader);
        Some((Line { connection, text }, next))
    })
}
