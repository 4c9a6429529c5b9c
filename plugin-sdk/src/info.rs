//! What an algorithm says about itself, and the trait that the pool holds it by.

use crate::{
    Benchmark, Compatibility, DifficultyAdjuster, HASH_SIZE, HEADER_SIZE, HashFunction, Health, Migration,
    Target,
};
use alloc::string::String;

/// The identity and the needs of an algorithm.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AlgorithmInfo {
    /// Name, the same as [`HashFunction::name`].
    pub name: String,
    /// Version of this implementation, `major.minor.patch`.
    pub version: String,
    /// The function that it computes. Two algorithms with the same one give the same hashes, and one can be upgraded
    /// to the other; with different ones it is a migration.
    pub hash_function: String,
    /// Bytes of a hash.
    pub output_size: usize,
    /// Whether a hash takes so long (some 10 us and more) that it belongs on a worker thread.
    pub cpu_intensive: bool,
    /// The target that miners of this algorithm usually mean by difficulty 1; a chain's profile may say otherwise.
    pub difficulty_one: Target,
}

impl AlgorithmInfo {
    /// An algorithm named after its function, with 32-byte hashes, that is not CPU-intensive.
    #[must_use]
    pub fn new(name: &str, version: &str, difficulty_one: Target) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            hash_function: name.into(),
            output_size: HASH_SIZE,
            cpu_intensive: false,
            difficulty_one,
        }
    }

    /// The same, computing the function of another name.
    #[must_use]
    pub fn with_hash_function(mut self, hash_function: &str) -> Self {
        self.hash_function = hash_function.into();
        self
    }

    /// The same, to be run on worker threads.
    #[must_use]
    pub fn with_cpu_intensive(mut self) -> Self {
        self.cpu_intensive = true;
        self
    }
}

/// A whole algorithm, as the pool holds it: `Arc<dyn PowAlgorithm>`.
pub trait PowAlgorithm:
    HashFunction + DifficultyAdjuster + Benchmark + Compatibility + Migration + Health
{
    /// What the algorithm says about itself; the same at every call.
    fn info(&self) -> AlgorithmInfo;

    /// Whether the algorithm hashes 80-byte headers, which is what the pool feeds it.
    fn takes_headers(&self) -> bool {
        self.input_size().is_none_or(|size| size == HEADER_SIZE)
    }
}
