//! Measuring an algorithm for a bounded time.

use crate::isolation::Level;
use plugin_sdk::{AlgorithmError, HASH_SIZE, Header, PowAlgorithm};
use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// What a benchmark measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// Hashes computed while the clock ran.
    pub hashes: u64,
    /// Nanoseconds that they took, at least 1.
    pub elapsed_ns: u64,
    /// Nanoseconds per hash of the slowest batch.
    pub slowest_ns_per_hash: u64,
}

impl Measured {
    /// Hashes per second, rounded down.
    #[must_use]
    pub fn hashrate(&self) -> u64 {
        let per_second = u128::from(self.hashes) * 1_000_000_000 / u128::from(self.elapsed_ns.max(1));
        u64::try_from(per_second).unwrap_or(u64::MAX)
    }

    /// Measured over expected rate in thousandths.
    #[must_use]
    pub fn score_permille(&self, expected_hashrate: u64) -> u64 {
        let score = u128::from(self.hashrate()) * 1000 / u128::from(expected_hashrate.max(1));
        u64::try_from(score).unwrap_or(u64::MAX)
    }
}

/// What time means to a benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The clock on the wall: where another process hashes.
    Wall,
    /// The thread's processor time: where the code runs on it, which may have to wait for others.
    Thread,
}

impl Clock {
    /// The right one for code at that level.
    #[must_use]
    pub fn of(level: Level) -> Self {
        if level == Level::Process { Self::Wall } else { Self::Thread }
    }

    fn now(self) -> Duration {
        let id = match self {
            Self::Wall => ClockId::Monotonic,
            Self::Thread => ClockId::ThreadCPUTime,
        };
        Duration::try_from(clock_gettime(id)).unwrap_or(Duration::MAX)
    }
}

/// How a benchmark counts, and whom it considers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct How {
    /// What counts as time.
    pub clock: Clock,
    /// After each millisecond it rests for sixteen: for a pool that serves, where even a core of its own makes the others'
    /// slower.
    pub gently: bool,
}

/// Hashes `inputs` as one batch, `warmup` times unmeasured and `iterations` times measured, but no longer than
/// `time_max` (a quarter of it for the warm-up); at least once each. A batch under way is not interrupted.
///
/// # Errors
/// What the algorithm says.
pub fn measure(
    algorithm: &dyn PowAlgorithm,
    inputs: &[Header],
    (warmup, iterations): (u32, u32),
    time_max: Duration,
    how: How,
) -> Result<Measured, AlgorithmError> {
    if inputs.is_empty() {
        return Err(AlgorithmError::NothingMeasured);
    }
    let mut out = vec![[0; HASH_SIZE]; inputs.len()];
    let mut batch = || {
        algorithm.hash_batch(std::hint::black_box(inputs), &mut out)?;
        std::hint::black_box(&out);
        Ok::<_, AlgorithmError>(())
    };
    repeat(&mut batch, warmup.max(1), time_max / 4, how)?;
    let (batches, elapsed, slowest) = repeat(&mut batch, iterations, time_max, how)?;
    let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let count = inputs.len() as u64;
    Ok(Measured {
        hashes: batches * count,
        elapsed_ns: ns(elapsed).max(1),
        slowest_ns_per_hash: ns(slowest) / count,
    })
}

/// A gentle benchmark rests after so much of its time, if a batch does not take longer...
const PART: Duration = Duration::from_millis(1);
/// ...for so many times what it took.
const REST: u32 = 16;
/// Batches are timed together up to this: asking for the thread's time takes as long as a hash or two.
const TOGETHER: Duration = Duration::from_micros(100);
/// Code that does not use its thread's time (it sleeps) is given so many times the limit on the wall.
const WALL_FACTOR: u32 = 50;

/// Batches done, the time they took together, and the slowest (of those timed together, their mean).
fn repeat(
    batch: &mut impl FnMut() -> Result<(), AlgorithmError>,
    times: u32,
    time_max: Duration,
    How { clock, gently }: How,
) -> Result<(u64, Duration, Duration), AlgorithmError> {
    let (mut done, mut elapsed, mut slowest) = (0, Duration::ZERO, Duration::ZERO);
    let (times, began, mut together) = (u64::from(times), Instant::now(), 1);
    let mut unrested = Duration::ZERO;
    while done == 0 || (done < times && elapsed < time_max && began.elapsed() < time_max * WALL_FACTOR) {
        let count = together.min(times.saturating_sub(done)).max(1);
        let start = clock.now();
        for _ in 0..count {
            batch()?;
        }
        let time = clock.now().saturating_sub(start);
        done += count;
        elapsed += time;
        slowest = slowest.max(time / u32::try_from(count).unwrap_or(u32::MAX));
        if time < TOGETHER {
            together = count * 2;
        }
        unrested += time;
        if gently && unrested >= PART {
            rest(unrested * REST);
            unrested = Duration::ZERO;
        }
    }
    Ok((done, elapsed, slowest))
}

/// On the thread of its own that staging has: nobody waits for it.
#[allow(clippy::disallowed_methods)]
fn rest(time: Duration) {
    std::thread::sleep(time);
}
