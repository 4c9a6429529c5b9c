//! Hashing threads shared by many workers, each with its own hash-rate budget.
//!
//! A worker has at most one piece of work: a header whose nonce is tried upwards. Threads go round their workers and hash for
//! each what its rate has earned since the last round, in small pieces, so that a thousand slow miners share two threads
//! fairly; on a machine that is too slow for all of them, everyone falls behind alike.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ruint::aliases::U256;

use crate::pow::{self, HeaderBytes};
use crate::runtime::spawn_thread;

/// How often a thread looks after its workers.
const ROUND: Duration = Duration::from_millis(5);
/// Unused budget is kept for at most this long: a worker without work does not save up a burst.
const CREDIT_KEPT: Duration = Duration::from_millis(100);
/// Hashes per piece: short enough that the neighbours don't wait long, even with scrypt.
const PIECE: usize = 64;

/// What a worker is to solve.
#[derive(Debug, Clone)]
pub struct Work {
    /// Chosen by the owner, handed back with every result.
    pub id: u64,
    /// Name of the algorithm.
    pub algorithm: &'static str,
    /// Header; four of its bytes, little-endian, are the nonce that is tried, and are overwritten.
    pub header: HeaderBytes,
    /// Where these four bytes begin: 76 in Bitcoin's layout; 72 for the low half of Kaspa's 8-byte nonce. At most 76.
    pub nonce_at: usize,
    /// Hashes at or below it are reported.
    pub target: U256,
    /// Where to begin; the search ends when all 2^32 nonces were tried.
    pub first_nonce: u32,
    /// Stop after the first solution.
    pub once: bool,
    /// Every so-manieth nonce is tried, at least 1.
    pub step: u32,
}

/// A report to the worker's owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A nonce that meets the target.
    Found {
        /// [`Work::id`].
        work: u64,
        /// The solving nonce.
        nonce: u32,
        /// Its hash as an integer.
        hash: U256,
    },
    /// All nonces were tried.
    Exhausted {
        /// [`Work::id`].
        work: u64,
    },
    /// The algorithm can't be used.
    Failed {
        /// [`Work::id`].
        work: u64,
        /// Why.
        reason: String,
    },
}

type Sink = Box<dyn Fn(Outcome) + Send>;

enum Command {
    Attach { worker: u64, rate: u64, sink: Sink },
    Work { worker: u64, work: Option<Work> },
    Rate { worker: u64, rate: u64 },
    Detach { worker: u64 },
}

struct Inner {
    threads: Vec<Sender<Command>>,
    joins: Mutex<Vec<JoinHandle<()>>>,
    next: AtomicU64,
    hashes: Arc<AtomicU64>,
}

/// A handle on the hashing threads; they end when the last handle is gone.
#[derive(Clone)]
pub struct Grinder(Arc<Inner>);

impl Grinder {
    /// Starts that many threads (at least one).
    pub fn start(threads: usize) -> Self {
        let hashes = Arc::new(AtomicU64::new(0));
        let mut senders = Vec::new();
        let mut joins = Vec::new();
        for index in 0..threads.max(1) {
            let (sender, receiver) = channel();
            let hashes = Arc::clone(&hashes);
            let thread = spawn_thread(format!("grinder-{index}"), move || run(&receiver, &hashes));
            // Without a thread no work is ever solved; there is nothing to go on with.
            let join = thread.expect("the system can start a thread");
            senders.push(sender);
            joins.push(join);
        }
        Self(Arc::new(Inner { threads: senders, joins: Mutex::new(joins), next: AtomicU64::new(0), hashes }))
    }

    /// Adds a worker with a budget of `rate` hashes per second (0: none); results go to `sink`, which is called on a hashing
    /// thread and must not block.
    pub fn attach(&self, rate: u64, sink: impl Fn(Outcome) + Send + 'static) -> Worker {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let worker = Worker { id, grinder: self.clone() };
        worker.send(Command::Attach { worker: id, rate, sink: Box::new(sink) });
        worker
    }

    /// Hashes computed by all workers so far.
    pub fn hashes(&self) -> u64 {
        self.0.hashes.load(Ordering::Relaxed)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.threads.clear();
        let joins = std::mem::take(self.joins.get_mut().unwrap_or_else(PoisonError::into_inner));
        for join in joins {
            // The last handle may be dropped by a sink, on a hashing thread, which can't wait for itself.
            if join.thread().id() != std::thread::current().id() {
                let _ = join.join();
            }
        }
    }
}

/// One worker; detached when dropped.
pub struct Worker {
    id: u64,
    grinder: Grinder,
}

impl Worker {
    /// Replaces the work; `None` rests.
    pub fn set_work(&self, work: Option<Work>) {
        self.send(Command::Work { worker: self.id, work });
    }

    /// Changes the budget.
    pub fn set_rate(&self, rate: u64) {
        self.send(Command::Rate { worker: self.id, rate });
    }

    fn send(&self, command: Command) {
        let threads = &self.grinder.0.threads;
        let index = usize::try_from(self.id % threads.len() as u64).unwrap_or(0);
        // A thread that is gone was stopped with its grinder: nothing is left to do.
        let _ = threads[index].send(command);
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.send(Command::Detach { worker: self.id });
    }
}

struct State {
    rate: u64,
    sink: Sink,
    work: Option<Work>,
    nonce: u32,
    left: u64,
    step: u32,
    /// Earned hashes in millionths.
    credit: u128,
    since: Instant,
}

fn run(commands: &Receiver<Command>, hashes: &AtomicU64) {
    let mut workers: BTreeMap<u64, State> = BTreeMap::new();
    loop {
        match commands.recv_timeout(ROUND) {
            Ok(command) => {
                apply(&mut workers, command);
                while let Ok(command) = commands.try_recv() {
                    apply(&mut workers, command);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let now = Instant::now();
        let mut rest: Vec<u64> = Vec::new();
        for (&id, state) in &mut workers {
            state.earn(now);
            if state.work.is_some() && state.affordable() > 0 {
                rest.push(id);
            }
        }
        // Piece by piece, one worker after another, until the budgets are used up or it is time to look at the commands.
        while !rest.is_empty() && now.elapsed() < ROUND * 4 {
            rest.retain(|id| {
                let state = workers.get_mut(id).expect("only attached workers are on the round");
                hashes.fetch_add(state.piece(), Ordering::Relaxed);
                state.work.is_some() && state.affordable() > 0
            });
        }
    }
}

fn apply(workers: &mut BTreeMap<u64, State>, command: Command) {
    match command {
        Command::Attach { worker, rate, sink } => {
            let since = Instant::now();
            workers.insert(
                worker,
                State { rate, sink, work: None, nonce: 0, left: 0, step: 1, credit: 0, since },
            );
        }
        Command::Work { worker, work } => {
            if let Some(state) = workers.get_mut(&worker) {
                state.nonce = work.as_ref().map_or(0, |work| work.first_nonce);
                state.step = work.as_ref().map_or(1, |work| work.step.max(1));
                state.left = (1 << 32) / u64::from(state.step);
                state.work = work.filter(|work| work.nonce_at <= 76);
            }
        }
        Command::Rate { worker, rate } => {
            if let Some(state) = workers.get_mut(&worker) {
                state.rate = rate;
            }
        }
        Command::Detach { worker } => {
            workers.remove(&worker);
        }
    }
}

impl State {
    fn earn(&mut self, now: Instant) {
        let elapsed = now.duration_since(self.since).as_micros();
        self.since = now;
        let rate = u128::from(self.rate);
        // At least one whole hash, or a worker below 10 H/s would never get there.
        let most = (rate * CREDIT_KEPT.as_micros()).max(1_000_000);
        self.credit = (self.credit + rate * elapsed).min(most);
    }

    fn affordable(&self) -> usize {
        usize::try_from(self.credit / 1_000_000).unwrap_or(usize::MAX)
    }

    fn piece(&mut self) -> u64 {
        let Some(work) = &self.work else { return 0 };
        let count = self.affordable().min(PIECE).min(usize::try_from(self.left).unwrap_or(PIECE));
        let nonce = |offset: u32| self.nonce.wrapping_add(offset.wrapping_mul(self.step));
        let mut headers = [work.header; PIECE];
        let mut out = [[0; 32]; PIECE];
        for (offset, header) in (0_u32..).zip(headers.iter_mut().take(count)) {
            header[work.nonce_at..work.nonce_at + 4].copy_from_slice(&nonce(offset).to_le_bytes());
        }
        if let Err(reason) = pow::hash_batch(work.algorithm, &headers[..count], &mut out[..count]) {
            (self.sink)(Outcome::Failed { work: work.id, reason });
            self.work = None;
            return 0;
        }
        self.credit -= count as u128 * 1_000_000;
        self.left -= count as u64;
        // Nearly all are refused by their first eight bytes.
        let most = work.target.as_limbs()[3];
        for (offset, hash) in (0_u32..).zip(&out[..count]) {
            let first = hash.last_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
            if first > most {
                continue;
            }
            let hash = U256::from_le_bytes(*hash);
            if hash <= work.target {
                (self.sink)(Outcome::Found { work: work.id, nonce: nonce(offset), hash });
                if work.once {
                    self.work = None;
                    return count as u64;
                }
            }
        }
        self.nonce = nonce(u32::try_from(count).unwrap_or(0));
        if self.left == 0 {
            (self.sink)(Outcome::Exhausted { work: work.id });
            self.work = None;
        }
        count as u64
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn work(id: u64, hashes: u64, once: bool) -> Work {
        let target = pow::target_of_hashes(hashes);
        Work {
            id,
            algorithm: "blake2s",
            header: [7; 80],
            nonce_at: 76,
            target,
            first_nonce: u32::MAX - 3,
            once,
            step: 1,
        }
    }

    #[test]
    fn finds_what_it_reports_and_wraps_the_nonce() {
        let grinder = Grinder::start(1);
        let (sender, found) = mpsc::channel();
        let worker = grinder.attach(1_000_000, move |outcome| sender.send(outcome).unwrap());
        worker.set_work(Some(work(5, 64, true)));
        let Outcome::Found { work: 5, nonce, hash } = found.recv().unwrap() else { panic!("not found") };
        let mut header = [7; 80];
        header[76..].copy_from_slice(&nonce.to_le_bytes());
        assert_eq!(pow::hash("blake2s", &header).unwrap(), hash);
        assert!(hash <= pow::target_of_hashes(64));
        assert!(nonce.wrapping_add(4) < 100_000);
    }

    #[test]
    fn steps_leave_out_what_is_between() {
        let grinder = Grinder::start(1);
        let (sender, found) = mpsc::channel();
        let worker = grinder.attach(1_000_000, move |outcome| {
            // The receiver goes first.
            let _ = sender.send(outcome);
        });
        worker.set_work(Some(Work { first_nonce: 0, step: 1 << 28, target: U256::MAX, ..work(5, 1, false) }));
        let nonces: Vec<u32> = std::iter::from_fn(|| match found.recv().unwrap() {
            Outcome::Found { nonce, .. } => Some(nonce),
            _ => None,
        })
        .collect();
        assert_eq!(nonces, (0..16).map(|n| n << 28).collect::<Vec<u32>>());
    }

    #[test]
    fn a_budget_is_kept() {
        let grinder = Grinder::start(1);
        let (sender, found) = mpsc::channel();
        let started = Instant::now();
        let worker = grinder.attach(2_000, move |outcome| {
            let _ = sender.send(outcome);
        });
        worker.set_work(Some(Work { target: U256::MAX, ..work(1, 1, false) }));
        for _ in 0..400 {
            found.recv().unwrap();
        }
        assert!(started.elapsed() >= Duration::from_millis(95), "took {:?}", started.elapsed());
    }

    #[test]
    fn an_unknown_algorithm_is_reported() {
        let grinder = Grinder::start(1);
        let (sender, found) = mpsc::channel();
        let worker = grinder.attach(100, move |outcome| sender.send(outcome).unwrap());
        worker.set_work(Some(Work { algorithm: "nothing", ..work(9, 1, true) }));
        assert!(matches!(found.recv().unwrap(), Outcome::Failed { work: 9, .. }));
    }
}
