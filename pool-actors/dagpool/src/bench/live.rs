//! `dagpool bench live`: what thousands of browsers on the live feed cost the pool.

use std::{
    fmt,
    net::SocketAddr,
    process::ExitCode,
    rc::Rc,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use pool_actors::{
    error::{Code, Failure},
    runtime::threads::Thread,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::{Semaphore, oneshot},
    task::LocalSet,
};

use super::{
    api::json,
    histogram::{Histogram, Percentiles},
    process,
    stratum::thousandths,
    swarm::Window,
    web_site::{Miners, WebSite},
};

/// Most of a core that the feed may take, thousandths.
const MILLI_CORES_MAX: u64 = 250;
/// Most that p50 and p99 of shares may grow by, thousandths.
const RATIO_MAX: u64 = 1_100;
/// Connects under way at once.
const CONNECTS_AT_ONCE: usize = 64;
/// How long all of them may take to connect.
const CONNECT_MAX: Duration = Duration::from_secs(60);
/// What so many snapshots cost is over after that.
const SETTLE: Duration = Duration::from_secs(3);

/// Options of `dagpool bench live`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) miners: Miners,
    /// Clients on the live feed.
    #[arg(long, default_value_t = 5_000)]
    pub(crate) clients: usize,
}

#[derive(Debug, serde::Serialize)]
struct Report {
    connections: usize,
    clients: usize,
    /// CPU of the pool, thousandths of a core.
    cpu_without: u64,
    cpu_with: u64,
    /// Frames of figures that clients got, thousandths a second and client.
    frames: u64,
    bytes_per_second: u64,
    /// From the first client to the last that has a second's figures, microseconds.
    spread: Percentiles,
    lost: u64,
    shares_without: Percentiles,
    shares_with: Percentiles,
}

/// What all clients saw.
#[derive(Default)]
struct Seen {
    connected: usize,
    lost: u64,
    /// What ended the first of them.
    why: Option<String>,
    counts: bool,
    stats: u64,
    bytes: u64,
    /// Of the newest second's figures: their number, when the first and the last client had them.
    newest: Option<(u64, Instant, Instant)>,
    spread: Histogram,
}

impl Seen {
    fn stats(&mut self, seq: u64) {
        if !self.counts {
            return;
        }
        self.stats += 1;
        let now = Instant::now();
        match &mut self.newest {
            Some((newest, _, last)) if *newest == seq => *last = now,
            Some((newest, ..)) if *newest > seq => {}
            newest => {
                if let Some((_, first, last)) = newest.replace((seq, now, now)) {
                    let took = last.duration_since(first).as_nanos();
                    self.spread.record(u64::try_from(took).unwrap_or(u64::MAX));
                }
            }
        }
    }

    /// Adds what others saw, who count no more.
    fn add(&mut self, others: &mut Self) {
        others.count(false);
        self.stats += others.stats;
        self.bytes += others.bytes;
        self.lost += others.lost;
        self.spread.merge(&others.spread);
    }

    /// From now on nothing is counted, or again.
    fn count(&mut self, counts: bool) {
        self.counts = counts;
        self.newest = None;
    }
}

/// Clients on a thread of their own until this is dropped. In the field they are on other machines, so their thread has what
/// pool and miners leave of this one.
struct Clients {
    seen: Arc<Mutex<Seen>>,
    _stop: oneshot::Sender<()>,
}

impl Clients {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        lock(&self.seen)
    }

    /// Whether all have their snapshot; an error when that will not be.
    fn all_came(&self, count: usize, is_late: bool) -> Result<bool, Failure> {
        let seen = self.seen();
        if seen.connected >= count {
            return Ok(true);
        }
        if !is_late && seen.lost == 0 {
            return Ok(false);
        }
        let why = seen.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        let (connected, lost) = (seen.connected, seen.lost);
        Err(Failure::new(
            Code::AddressUnavailable,
            format!("{connected} of {count} clients got a snapshot, {lost} were closed{why}"),
            "see http.feeds_max, http.feeds_per_address, and the limit of files",
        ))
    }

    /// Returns when all have their snapshot, and what that cost is over.
    async fn connect(http: SocketAddr, count: usize) -> Result<Self, Failure> {
        let refused = |error: &std::io::Error| {
            Failure::new(Code::SystemRefused, format!("the clients: {error}"), "free memory")
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| refused(&error))?;
        let (stop, stopped) = oneshot::channel();
        let clients = Self { seen: Arc::default(), _stop: stop };
        let seen = Arc::clone(&clients.seen);
        Thread::spawn_in_background("bench-live", move || {
            let set = LocalSet::new();
            let permits = Rc::new(Semaphore::new(CONNECTS_AT_ONCE));
            for _ in 0..count {
                let (seen, permits) = (Arc::clone(&seen), Rc::clone(&permits));
                set.spawn_local(async move {
                    let ended = client(http, &seen, &permits).await;
                    let why =
                        ended.map_or_else(|error| error.to_string(), |()| "the pool closed it".to_owned());
                    let mut seen = lock(&seen);
                    seen.lost += 1;
                    seen.why.get_or_insert(why);
                });
            }
            // It is never sent, only dropped.
            let _ = set.block_on(&runtime, stopped);
        })
        .map_err(|error| refused(&error))?;
        let begun = Instant::now();
        while !clients.all_came(count, begun.elapsed() > CONNECT_MAX)? {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(SETTLE).await;
        Ok(clients)
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs it and prints what came of it; fails when a target is missed.
///
/// # Errors
/// When the pool does not start, clients can't connect, or the system refuses files or threads.
pub(super) async fn command(options: &Options) -> Result<ExitCode, Failure> {
    let site = WebSite::start(&options.miners, options.clients as u64).await?;
    let length = Duration::from_secs(options.miners.seconds.max(1));
    let rounds = options.miners.rounds.max(1) as u64;
    let pid = site.pool.pid();
    // Millionths of a core, while it lasted.
    let measure = async |window: Window| -> Result<u64, Failure> {
        let before = process::cpu_micros(pid)?;
        let begun = Instant::now();
        site.swarm.window(window);
        tokio::time::sleep(length).await;
        site.swarm.window(Window::Other);
        let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        Ok((process::cpu_micros(pid)? - before) * 1_000 / took_ms)
    };
    let (mut cpu_without, mut cpu_with) = (0, 0);
    let mut all = Seen::default();
    for _ in 0..rounds {
        cpu_without += measure(Window::Steady).await?;
        let clients = Clients::connect(site.http, options.clients).await?;
        clients.seen().count(true);
        cpu_with += measure(Window::Web).await?;
        all.add(&mut clients.seen());
        drop(clients);
        // The pool has noticed that they are gone.
        tokio::time::sleep(SETTLE).await;
    }
    let stats = site.stop().await;
    let shares = |window: Window| stats.windows[window as usize].percentiles();
    let seconds = length.as_secs() * rounds;
    let report = Report {
        connections: options.miners.connections,
        clients: options.clients,
        cpu_without: cpu_without / rounds / 1_000,
        cpu_with: cpu_with / rounds / 1_000,
        frames: all.stats * 1_000 / seconds / (options.clients.max(1) as u64),
        bytes_per_second: all.bytes / seconds,
        spread: all.spread.percentiles(),
        lost: all.lost,
        shares_without: shares(Window::Steady),
        shares_with: shares(Window::Web),
    };
    if options.miners.json {
        println!("{}", json(&report)?);
    } else {
        println!("{report}");
    }
    Ok(if report.reaches_its_targets() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Report {
    fn costs(&self) -> u64 {
        self.cpu_with.saturating_sub(self.cpu_without)
    }

    /// p50 and p99 of shares, thousandths of those without clients.
    fn ratios(&self) -> [u64; 2] {
        let (with, without) = (&self.shares_with, &self.shares_without);
        [with.p50 * 1_000 / without.p50.max(1), with.p99 * 1_000 / without.p99.max(1)]
    }

    fn reaches_its_targets(&self) -> bool {
        self.costs() <= MILLI_CORES_MAX
            && self.ratios().iter().all(|ratio| *ratio <= RATIO_MAX)
            && self.lost == 0
            && self.frames >= 950
    }
}

/// One client, until it is closed: takes frames and answers pings.
async fn client(http: SocketAddr, seen: &Mutex<Seen>, permits: &Semaphore) -> std::io::Result<()> {
    let permit = permits.acquire().await;
    let mut stream = TcpStream::connect(http).await?;
    stream.set_nodelay(true)?;
    let request = format!(
        "GET /api/live HTTP/1.1\r\nhost: {http}\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut buffer: Vec<u8> = Vec::with_capacity(16 << 10);
    loop {
        if stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
        if let Some(end) = memchr::memmem::find(&buffer, b"\r\n\r\n") {
            if !buffer.starts_with(b"HTTP/1.1 101") {
                return Ok(());
            }
            buffer.drain(..end + 4);
            break;
        }
    }
    let mut permit = Some(permit);
    loop {
        while let Some((opcode, start, end)) = frame(&buffer) {
            let payload = &buffer[start..end];
            match opcode {
                // A pong is masked; with zeros, it is the payload itself.
                9 => {
                    let mut pong = vec![0x8a, 0x80 | u8::try_from(payload.len()).unwrap_or(125), 0, 0, 0, 0];
                    pong.extend_from_slice(payload);
                    stream.write_all(&pong).await?;
                }
                8 => return Ok(()),
                _ => {
                    if permit.take().is_some() {
                        lock(seen).connected += 1;
                    }
                    if let Some(seq) = of_stats(payload) {
                        lock(seen).stats(seq);
                    }
                }
            }
            let mut seen = lock(seen);
            if seen.counts {
                seen.bytes += end as u64;
            }
            drop(seen);
            buffer.drain(..end);
        }
        if stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}

/// Opcode, and where the payload of the first frame begins and ends, if it is there wholly. A server masks nothing.
fn frame(buffer: &[u8]) -> Option<(u8, usize, usize)> {
    let (head, short) = (*buffer.first()?, *buffer.get(1)?);
    let (start, length) = match short & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes(buffer.get(2..4)?.try_into().ok()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(buffer.get(2..10)?.try_into().ok()?)).ok()?),
        length => (2_usize, usize::from(length)),
    };
    let end = start.checked_add(length)?;
    (end <= buffer.len()).then_some((head & 0x0f, start, end))
}

/// The number of a frame of figures.
fn of_stats(payload: &[u8]) -> Option<u64> {
    // Keys are in the order of their names: the last two are these.
    let head = payload.strip_suffix(b",\"type\":\"stats\"}")?;
    let mark = b"\"seq\":";
    let at = memchr::memmem::rfind(head, mark)?;
    std::str::from_utf8(&head[at + mark.len()..]).ok()?.parse().ok()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "miners      {} connected", self.connections)?;
        writeln!(
            f,
            "feed        {} clients, {} frames of figures a second each, {} bytes/s in all, {} closed",
            self.clients,
            thousandths(self.frames),
            self.bytes_per_second,
            self.lost
        )?;
        let row = |f: &mut fmt::Formatter<'_>, name: &str, latency: &Percentiles| {
            let Percentiles { p50, p90, p99, p99_9, max } = latency;
            writeln!(f, "{name:12}p50 {p50} us, p90 {p90}, p99 {p99}, p99.9 {p99_9}, max {max}")
        };
        row(f, "first-last", &self.spread)?;
        row(f, "shares", &self.shares_without)?;
        row(f, "with feed", &self.shares_with)?;
        writeln!(
            f,
            "CPU         the pool takes {} of a core without, {} with: the feed {}",
            thousandths(self.cpu_without),
            thousandths(self.cpu_with),
            thousandths(self.costs())
        )?;
        let [p50, p99] = self.ratios().map(thousandths);
        write!(f, "with : without, shares: p50 {p50}, p99 {p99}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_when_they_are_whole() {
        assert_eq!(frame(&[0x81, 3, b'a', b'b']), None);
        assert_eq!(frame(&[0x81, 2, b'a', b'b', 0x89]), Some((1, 2, 4)));
        let mut long = vec![0x81, 126, 1, 0];
        long.resize(4 + 256, b'x');
        assert_eq!(frame(&long), Some((1, 4, 260)));
        assert_eq!(frame(&long[..259]), None);
        assert_eq!(of_stats(br#"{"at":"x","data":{"seq":1},"seq":42,"type":"stats"}"#), Some(42));
        assert_eq!(of_stats(br#"{"at":"x","data":{},"seq":42,"type":"block"}"#), None);
    }
}
