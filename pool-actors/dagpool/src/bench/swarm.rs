//! The swarm: threads with an event loop each, which share the connections among themselves.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    rc::Rc,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use pool_actors::{
    error::{Code, Failure},
    runtime::threads::Thread,
};
use tokio::{
    net::{TcpSocket, TcpStream},
    sync::Semaphore,
    task::LocalSet,
};

use super::{histogram::Histogram, miner::Miner};

/// Connects under way at once on each thread; more only fill the server's backlog.
const CONNECTS_AT_ONCE: usize = 128;
/// A thread looks this often for a new phase, and at the shares that are due.
const TICK: Duration = Duration::from_millis(1);

/// What the swarm does.
#[derive(Debug, Clone)]
pub(super) struct Load {
    pub(super) pool: SocketAddr,
    pub(super) connections: usize,
    pub(super) outstanding: usize,
    /// Shares per second of all connections; 0: each answer is followed by the next share.
    pub(super) rate: u64,
    /// Percent of shares that are to be refused.
    pub(super) junk: u64,
    /// Send shares at all.
    pub(super) submit: bool,
    /// Source addresses 127.0.0.1, 127.0.0.2...; 0: the system's choice.
    pub(super) sources: usize,
    pub(super) threads: usize,
    /// Functions that every connection says it can do.
    pub(super) able: Vec<String>,
    pub(super) account: String,
    pub(super) accounts: usize,
}

impl Load {
    /// A load on a pool of this machine, each connection with an account of its own.
    pub(super) fn plain(pool: SocketAddr, connections: usize, outstanding: usize, rate: u64) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            pool,
            connections: connections.max(1),
            outstanding: outstanding.clamp(1, 10_000),
            rate,
            junk: 0,
            submit: true,
            sources: 0,
            threads: cores.min(connections.max(1)),
            able: Vec::new(),
            account: "bench".to_owned(),
            accounts: connections.max(1),
        }
    }

    /// An answer makes room for the next share at once.
    pub(super) fn refills(&self) -> bool {
        self.submit && self.rate == 0
    }

    /// Name of a connection's worker.
    pub(super) fn worker(&self, index: usize) -> String {
        format!("{}{}.w{index}", self.account, index % self.accounts.max(1))
    }
}

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Connect,
    Warmup,
    Measure,
    /// Nothing new is sent; what is outstanding may be answered.
    Drain,
    Stop,
}

/// What goes on while a share is answered; told apart in [`Stats::windows`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Window {
    Other,
    Steady,
    Swap,
    BesideStaging,
    Staging,
    Control,
    /// Somebody asks the API, or follows the live feed.
    Web,
}

const WINDOWS: usize = 7;

const PHASES: [Phase; 5] = [Phase::Connect, Phase::Warmup, Phase::Measure, Phase::Drain, Phase::Stop];

impl Phase {
    pub(super) fn sends(self) -> bool {
        matches!(self, Self::Warmup | Self::Measure)
    }
}

/// What all threads and the one that leads them look at.
pub(super) struct Control {
    phase: AtomicU8,
    window: AtomicU8,
    ready: AtomicUsize,
    failed: AtomicUsize,
    connected: AtomicUsize,
    last_error: Mutex<Option<String>>,
    started: Instant,
}

impl Control {
    pub(super) fn phase(&self) -> Phase {
        PHASES[usize::from(self.phase.load(Ordering::Relaxed)) % PHASES.len()]
    }

    fn fail(&self, why: String) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }
}

/// When the first and the last connection heard of a job.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) count: usize,
}

/// What a thread counted while [`Phase::Measure`] lasted.
#[derive(Debug, Default)]
pub(super) struct Stats {
    pub(super) sent: u64,
    pub(super) accepted: u64,
    pub(super) junk_accepted: u64,
    /// Good shares that were refused, by code, with the text of the first.
    pub(super) refused: BTreeMap<i64, (u64, String)>,
    pub(super) junk_refused: BTreeMap<i64, (u64, String)>,
    /// Good shares refused before or after.
    pub(super) refused_outside: BTreeMap<i64, (u64, String)>,
    pub(super) latency: Histogram,
    /// The same, by [`Window`].
    pub(super) windows: [Histogram; WINDOWS],
    /// Times that a connection was told to work on another function.
    pub(super) switched: u64,
    /// Shares that were not answered when the run ended.
    pub(super) unanswered: u64,
    /// Shares that were due, but everything was outstanding already.
    pub(super) skipped: u64,
    pub(super) disconnects: u64,
    pub(super) handshakes_refused: u64,
    pub(super) garbled: u64,
    /// The longest time that the generator itself did not look at the clock, nanoseconds.
    pub(super) gap_max: u64,
    pub(super) jobs: HashMap<String, Arrival>,
}

fn add(counts: &mut BTreeMap<i64, (u64, String)>, code: i64, count: u64, text: String) {
    counts.entry(code).or_insert((0, text)).0 += count;
}

impl Stats {
    pub(super) fn answered(
        &mut self,
        (latency, window): (u64, usize),
        junk: bool,
        refused: Option<(i64, String)>,
    ) {
        self.latency.record(latency);
        self.windows[window % WINDOWS].record(latency);
        match (junk, refused) {
            (false, None) => self.accepted += 1,
            (true, None) => self.junk_accepted += 1,
            (false, Some((code, text))) => add(&mut self.refused, code, 1, text),
            (true, Some((code, text))) => add(&mut self.junk_refused, code, 1, text),
        }
    }

    pub(super) fn refused_outside(&mut self, code: i64, text: String) {
        add(&mut self.refused_outside, code, 1, text);
    }

    pub(super) fn notified(&mut self, job: &str, now: u64, phase: Phase) {
        if phase != Phase::Measure {
            return;
        }
        if let Some(arrival) = self.jobs.get_mut(job) {
            arrival.last = now;
            arrival.count += 1;
        } else {
            self.jobs.insert(job.to_owned(), Arrival { first: now, last: now, count: 1 });
        }
    }

    fn merge(&mut self, other: Self) {
        self.sent += other.sent;
        self.accepted += other.accepted;
        self.junk_accepted += other.junk_accepted;
        for (mine, theirs) in [
            (&mut self.refused, other.refused),
            (&mut self.junk_refused, other.junk_refused),
            (&mut self.refused_outside, other.refused_outside),
        ] {
            theirs.into_iter().for_each(|(code, (count, text))| add(mine, code, count, text));
        }
        self.latency.merge(&other.latency);
        for (mine, theirs) in self.windows.iter_mut().zip(&other.windows) {
            mine.merge(theirs);
        }
        self.switched += other.switched;
        self.unanswered += other.unanswered;
        self.skipped += other.skipped;
        self.disconnects += other.disconnects;
        self.handshakes_refused += other.handshakes_refused;
        self.garbled += other.garbled;
        self.gap_max = self.gap_max.max(other.gap_max);
        for (job, theirs) in other.jobs {
            let mine = self.jobs.entry(job).or_insert(Arrival { count: 0, ..theirs });
            mine.first = mine.first.min(theirs.first);
            mine.last = mine.last.max(theirs.last);
            mine.count += theirs.count;
        }
    }
}

/// One thread's part of the swarm.
pub(super) struct Lane {
    pub(super) load: Arc<Load>,
    pub(super) stats: RefCell<Stats>,
    pub(super) read_buffer: RefCell<Vec<u8>>,
    pub(super) write_buffer: RefCell<Vec<u8>>,
    control: Arc<Control>,
    miners: RefCell<Vec<Rc<Miner>>>,
}

impl Lane {
    /// Nanoseconds since the start of the run; 64 bits last for centuries.
    #[expect(clippy::cast_possible_truncation, reason = "as said")]
    pub(super) fn now(&self) -> u64 {
        self.control.started.elapsed().as_nanos() as u64
    }

    pub(super) fn phase(&self) -> Phase {
        self.control.phase()
    }

    /// Index into [`Stats::windows`].
    pub(super) fn window(&self) -> usize {
        usize::from(self.control.window.load(Ordering::Relaxed))
    }

    pub(super) fn became_ready(&self) {
        self.control.ready.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn handshake_refused(&self, text: String) {
        self.control.fail(text);
    }

    pub(super) fn disconnected(&self, was_ready: bool) {
        if self.phase() == Phase::Stop {
            return;
        }
        self.stats.borrow_mut().disconnects += 1;
        if !was_ready {
            self.control.fail("the pool closed the connection before there was work".to_owned());
        }
    }

    async fn connect(self: Rc<Self>, index: usize, permits: Rc<Semaphore>) {
        let permit = permits.acquire().await;
        match connect(&self.load, index).await {
            Ok(stream) => {
                self.control.connected.fetch_add(1, Ordering::Relaxed);
                drop(permit);
                let miner = Miner::start(&self, stream, index);
                self.miners.borrow_mut().push(Rc::clone(&miner));
                miner.run(self).await;
            }
            Err(error) => self.control.fail(format!("connect: {error}")),
        }
    }

    /// Follows the phases, and sends what is due when there is a rate.
    async fn tick(self: Rc<Self>, share_of_rate: u64) {
        let (mut started, mut due_before, mut next) = (None, 0, 0);
        let last = Cell::new(self.now());
        loop {
            tokio::time::sleep(TICK).await;
            let (phase, now) = (self.phase(), self.now());
            if phase == Phase::Measure {
                let mut stats = self.stats.borrow_mut();
                stats.gap_max = stats.gap_max.max(now - last.get());
            }
            last.set(now);
            if phase == Phase::Stop {
                return;
            }
            if !phase.sends() || !self.load.submit {
                continue;
            }
            let first = started.is_none();
            let start = *started.get_or_insert(now);
            if self.load.rate == 0 {
                if first {
                    let miners = self.miners.borrow().clone();
                    miners.iter().for_each(|miner| miner.fill(&self));
                }
                continue;
            }
            let due = u64::try_from(u128::from(now - start) * u128::from(share_of_rate) / 1_000_000_000)
                .unwrap_or(u64::MAX);
            self.send_due(due - due_before, &mut next, now);
            due_before = due;
        }
    }

    fn send_due(self: &Rc<Self>, due: u64, next: &mut usize, now: u64) {
        let miners = self.miners.borrow();
        for _ in 0..due {
            if miners.is_empty() {
                return;
            }
            *next = (*next + 1) % miners.len();
            if !miners[*next].send_one(self, now) && self.phase() == Phase::Measure {
                self.stats.borrow_mut().skipped += 1;
            }
        }
    }
}

async fn connect(load: &Load, index: usize) -> std::io::Result<TcpStream> {
    let stream = match load.sources {
        0 => TcpStream::connect(load.pool).await?,
        sources => {
            let last = u8::try_from(index % sources + 1).unwrap_or(1);
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)), 0))?;
            socket.connect(load.pool).await?
        }
    };
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A running swarm.
pub(super) struct Swarm {
    control: Arc<Control>,
    load: Arc<Load>,
    results: tokio::sync::mpsc::UnboundedReceiver<Stats>,
}

impl Swarm {
    /// Starts the threads, which begin to connect.
    ///
    /// # Errors
    /// When the system refuses threads or an event loop.
    pub(super) fn start(load: Load) -> Result<Self, Failure> {
        let control = Arc::new(Control {
            phase: AtomicU8::new(0),
            window: AtomicU8::new(0),
            ready: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
            connected: AtomicUsize::new(0),
            last_error: Mutex::new(None),
            started: Instant::now(),
        });
        let load = Arc::new(load);
        let (sender, results) = tokio::sync::mpsc::unbounded_channel();
        for thread in 0..load.threads {
            let (control, load, sender) = (Arc::clone(&control), Arc::clone(&load), sender.clone());
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| refused(&error))?;
            Thread::spawn("bench-swarm", move || {
                // The receiver is gone only when the run was given up.
                let _ = sender.send(run_lane(&runtime, thread, load, control));
            })
            .map_err(|error| refused(&error))?;
        }
        Ok(Self { control, load, results })
    }

    /// Waits until every connection is authorised and has work.
    ///
    /// # Errors
    /// When one can't connect or is refused, or it takes longer than `limit`.
    pub(super) async fn ready(&self, limit: Duration) -> Result<Duration, Failure> {
        let control = &self.control;
        loop {
            let ready = control.ready.load(Ordering::Relaxed);
            if ready >= self.load.connections {
                return Ok(control.started.elapsed());
            }
            let late = control.started.elapsed() > limit;
            if late || control.failed.load(Ordering::Relaxed) > 0 {
                let error = control.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let connected = control.connected.load(Ordering::Relaxed);
                self.set(Phase::Stop);
                return Err(Failure::new(
                    Code::AddressUnavailable,
                    format!(
                        "{} of {} connections to {} got work ({connected} connected): {}",
                        ready,
                        self.load.connections,
                        self.load.pool,
                        error.unwrap_or_else(|| "the time was up".to_owned())
                    ),
                    "check that the pool listens there, has a job, and that its limits per address allow this many",
                ));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Enters a phase.
    pub(super) fn set(&self, phase: Phase) {
        self.control.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// What goes on from now on.
    pub(super) fn window(&self, window: Window) {
        self.control.window.store(window as u8, Ordering::Relaxed);
    }

    /// Ends it, and adds up what the threads counted.
    pub(super) async fn stop(mut self) -> Stats {
        self.set(Phase::Stop);
        let mut total = Stats::default();
        while let Some(stats) = self.results.recv().await {
            total.merge(stats);
        }
        total
    }
}

fn refused(error: &std::io::Error) -> Failure {
    Failure::new(
        Code::SystemRefused,
        format!("the load generator could not start a thread: {error}"),
        "free memory, or use fewer --threads",
    )
}

#[expect(clippy::needless_pass_by_value, reason = "a thread owns what it runs on")]
fn run_lane(
    runtime: &tokio::runtime::Runtime,
    thread: usize,
    load: Arc<Load>,
    control: Arc<Control>,
) -> Stats {
    let lane = Rc::new(Lane {
        stats: RefCell::default(),
        read_buffer: RefCell::new(vec![0; 64 << 10]),
        write_buffer: RefCell::default(),
        miners: RefCell::default(),
        load: Arc::clone(&load),
        control,
    });
    let set = LocalSet::new();
    let permits = Rc::new(Semaphore::new(CONNECTS_AT_ONCE));
    for index in (thread..load.connections).step_by(load.threads) {
        set.spawn_local(Rc::clone(&lane).connect(index, Rc::clone(&permits)));
    }
    // The first threads take what is left when the rate can't be shared evenly.
    let threads = load.threads as u64;
    let share_of_rate = load.rate / threads + u64::from((thread as u64) < load.rate % threads);
    set.block_on(runtime, Rc::clone(&lane).tick(share_of_rate));
    let unanswered: u64 = lane.miners.borrow().iter().map(|miner| miner.unanswered()).sum();
    drop(set);
    let mut stats = lane.stats.take();
    stats.unanswered = unanswered;
    stats
}
