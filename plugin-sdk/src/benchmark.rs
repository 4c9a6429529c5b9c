//! Measuring an algorithm without knowing where the time comes from.

use crate::{AlgorithmError, HASH_SIZE, HashFunction, Header};
use alloc::vec;

/// Measures how fast the algorithm hashes on this machine.
pub trait Benchmark: HashFunction {
    /// Hashes `inputs` as one batch `iterations` times, after one unmeasured round.
    ///
    /// `now_ns` is a monotonic clock in nanoseconds; wasm has none of its own.
    ///
    /// # Errors
    /// Those of [`HashFunction::hash_batch`], or [`AlgorithmError::NothingMeasured`].
    fn benchmark(
        &self,
        inputs: &[Header],
        iterations: u32,
        now_ns: &mut dyn FnMut() -> u64,
    ) -> Result<BenchmarkResults, AlgorithmError> {
        let mut out = vec![[0; HASH_SIZE]; inputs.len()];
        self.hash_batch(inputs, &mut out)?;
        let start = now_ns();
        for _ in 0..iterations {
            self.hash_batch(core::hint::black_box(inputs), &mut out)?;
            core::hint::black_box(&out);
        }
        let elapsed_ns = now_ns().saturating_sub(start);
        let hashes = u64::from(iterations) * inputs.len() as u64;
        if hashes == 0 || elapsed_ns == 0 {
            return Err(AlgorithmError::NothingMeasured);
        }
        Ok(BenchmarkResults { hashes, elapsed_ns })
    }
}

/// What a benchmark measured. Neither number is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BenchmarkResults {
    /// Hashes computed while the clock ran.
    pub hashes: u64,
    /// Nanoseconds that they took.
    pub elapsed_ns: u64,
}

impl BenchmarkResults {
    /// Hashes per second, rounded down.
    #[must_use]
    pub fn hashrate(&self) -> u64 {
        let per_second = u128::from(self.hashes) * 1_000_000_000 / u128::from(self.elapsed_ns.max(1));
        u64::try_from(per_second).unwrap_or(u64::MAX)
    }

    /// Nanoseconds per hash, rounded down.
    #[must_use]
    pub fn ns_per_hash(&self) -> u64 {
        self.elapsed_ns / self.hashes.max(1)
    }

    /// Measured rate over the expected one (hashes per second) in thousandths; 800 is where a warning is due.
    #[must_use]
    pub fn score_permille(&self, expected_hashrate: u64) -> u64 {
        let score = u128::from(self.hashrate()) * 1000 / u128::from(expected_hashrate.max(1));
        u64::try_from(score).unwrap_or(u64::MAX)
    }
}

/// A monotonic clock for [`Benchmark::benchmark`]: nanoseconds since it was made.
#[cfg(feature = "std")]
pub fn monotonic_ns() -> impl FnMut() -> u64 {
    let start = std::time::Instant::now();
    move || u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::tests::Mixer;

    #[test]
    fn counts_hashes_and_time() {
        let mut ticks = [100, 1_100].into_iter();
        let result = Mixer.benchmark(&[[1; 80]; 4], 5, &mut || ticks.next().unwrap()).unwrap();
        assert_eq!(result, BenchmarkResults { hashes: 20, elapsed_ns: 1_000 });
        assert_eq!(result.hashrate(), 20_000_000);
        assert_eq!(result.ns_per_hash(), 50);
        assert_eq!(result.score_permille(25_000_000), 800);
        assert_eq!(result.score_permille(0), 20_000_000_000);
    }

    #[test]
    fn nothing_measured_is_an_error() {
        let mut standing = || 7;
        let nothing = Err(AlgorithmError::NothingMeasured);
        assert_eq!(Mixer.benchmark(&[], 5, &mut standing), nothing);
        assert_eq!(Mixer.benchmark(&[[1; 80]], 5, &mut standing), nothing);
    }

    #[cfg(feature = "std")]
    #[test]
    fn a_real_clock_runs() {
        let result = Mixer.benchmark(&[[1; 80]; 16], 200, &mut monotonic_ns()).unwrap();
        assert_eq!(result.hashes, 3_200);
        assert!(result.hashrate() > 0);
    }
}
