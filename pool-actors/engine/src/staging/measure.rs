//! Measuring an algorithm for a bounded time.

use plugin_sdk::{AlgorithmError, HASH_SIZE, Header, PowAlgorithm};
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

/// Hashes `inputs` as one batch, `warmup` times unmeasured and `iterations` times measured, but no longer than
/// `time_max` (a quarter of it for the warm-up); at least once each. A batch under way is not interrupted.
///
/// # Errors
/// What the algorithm says.
pub fn measure(
    algorithm: &dyn PowAlgorithm,
    inputs: &[Header],
    warmup: u32,
    iterations: u32,
    time_max: Duration,
) -> Result<Measured, AlgorithmError> {
    if inputs.is_empty() {
        return Err(AlgorithmError::NothingMeasured);
    }
    let mut out = vec![[0; HASH_SIZE]; inputs.len()];
    let mut batch = || {
        let start = Instant::now();
        algorithm.hash_batch(std::hint::black_box(inputs), &mut out)?;
        std::hint::black_box(&out);
        Ok::<_, AlgorithmError>(start.elapsed())
    };
    repeat(&mut batch, warmup.max(1), time_max / 4)?;
    let (batches, elapsed, slowest) = repeat(&mut batch, iterations, time_max)?;
    let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let count = inputs.len() as u64;
    Ok(Measured {
        hashes: batches * count,
        elapsed_ns: ns(elapsed).max(1),
        slowest_ns_per_hash: ns(slowest) / count,
    })
}

/// Batches done, the time they took together, and the slowest.
fn repeat(
    batch: &mut impl FnMut() -> Result<Duration, AlgorithmError>,
    times: u32,
    time_max: Duration,
) -> Result<(u64, Duration, Duration), AlgorithmError> {
    let (mut done, mut elapsed, mut slowest) = (0, Duration::ZERO, Duration::ZERO);
    while done == 0 || (done < u64::from(times) && elapsed < time_max) {
        let time = batch()?;
        done += 1;
        elapsed += time;
        slowest = slowest.max(time);
    }
    Ok((done, elapsed, slowest))
}
