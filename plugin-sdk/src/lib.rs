//! What an algorithm author depends on.
//!
//! An algorithm is a type that says how to hash ([`HashFunction`]), what it is ([`PowAlgorithm::info`]) and, where it
//! differs from the standard, how it adjusts difficulty, is measured, checks its host, replaces another algorithm
//! and reports its health. [`standard_capabilities!`] fills in whatever the author leaves to the standard:
//!
//! ```
//! use plugin_sdk::{AlgorithmError, AlgorithmInfo, Hash, HashFunction, PowAlgorithm, Target};
//!
//! /// Folds the input into 32 bytes. Fine for showing the traits, useless as a proof of work.
//! struct Fold;
//!
//! impl HashFunction for Fold {
//!     fn name(&self) -> &str {
//!         "fold"
//!     }
//!     fn hash(&self, input: &[u8]) -> Result<Hash, AlgorithmError> {
//!         let mut hash = [0; 32];
//!         for (i, byte) in input.iter().enumerate() {
//!             hash[i % 32] ^= byte;
//!         }
//!         Ok(hash)
//!     }
//! }
//!
//! impl PowAlgorithm for Fold {
//!     fn info(&self) -> AlgorithmInfo {
//!         AlgorithmInfo::new("fold", "1.0.0", Target::BITCOIN_ONE)
//!     }
//! }
//! plugin_sdk::standard_capabilities!(Fold: DifficultyAdjuster, Benchmark, Compatibility, Migration, Health);
//!
//! assert_eq!(Fold.hash(&[7]).unwrap()[0], 7);
//! // It hashes, but it is no hash function, and the conformance run says so:
//! let failures = plugin_sdk::conformance::check(&Fold, &[]).unwrap_err();
//! assert!(failures.iter().any(|f| f.to_string().contains("avalanche")));
//! ```
//!
//! Hashes are 32 bytes and read as **little-endian** integers: byte 31 is the most significant one. A header meets a
//! target when its hash, so read, is not greater.
//!
//! The crate is `no_std` (with `alloc`) without its default feature `std`, so that a plugin can be built for wasm.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod abi;
mod benchmark;
mod capability;
pub mod conformance;
mod difficulty;
mod error;
mod hash;
mod info;
mod target;

#[cfg(feature = "std")]
pub use benchmark::monotonic_ns;
pub use benchmark::{Benchmark, BenchmarkResults};
pub use capability::{
    Compatibility, CompatibilityReport, Health, HealthStatus, HostInfo, MemoryRequirements, Migration,
    MigrationKind, MigrationPlan,
};
pub use difficulty::{DifficultyAdjuster, standard_adjustment};
pub use error::{AlgorithmError, ErrorSeverity};
pub use hash::{HASH_SIZE, HEADER_SIZE, Hash, HashFunction, Header, check_batch};
pub use info::{AlgorithmInfo, PowAlgorithm};
pub use target::Target;

/// Implements the named capability traits for a type with their standard behaviour.
///
/// Leave a trait out of the list and write its `impl` yourself where the algorithm differs:
///
/// ```
/// # use plugin_sdk::*;
/// # struct Mine;
/// # impl HashFunction for Mine {
/// #     fn name(&self) -> &str { "mine" }
/// #     fn hash(&self, input: &[u8]) -> Result<Hash, AlgorithmError> { Ok([0; 32]) }
/// # }
/// plugin_sdk::standard_capabilities!(Mine: Benchmark, Compatibility, Health);
/// impl DifficultyAdjuster for Mine {
///     /// Never falls by more than half.
///     fn difficulty_adjustment(&self, current: u64, target: u64, actual: u64) -> Result<u64, AlgorithmError> {
///         Ok(standard_adjustment(current, target, actual)?.max(current / 2))
///     }
/// }
/// assert_eq!(Mine.difficulty_adjustment(1000, 30, 300), Ok(500));
/// ```
#[macro_export]
macro_rules! standard_capabilities {
    ($algorithm:ty: $($capability:ident),+ $(,)?) => {
        $(impl $crate::$capability for $algorithm {})+
    };
}

/// The README's example is compiled as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
