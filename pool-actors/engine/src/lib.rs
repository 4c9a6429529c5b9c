//! Where the pool gets its algorithms from: those linked into it, and those that come as signed packages.
//!
//! ```
//! let registry = pool_engine::Registry::linked_in();
//! let sha256d = registry.get("sha256d").unwrap();
//! let mut hashes = [[0; 32]];
//! sha256d.hash_batch(&[[0; 80]], &mut hashes).unwrap();
//! assert_eq!(hashes[0][..4], [0x4b, 0xe7, 0x57, 0x0e]);
//! ```
//!
//! * [`manifest`], [`package`]: what a package is, how one is read from untrusted bytes and written;
//! * [`signature`], [`trust`]: who made it, and whether that is enough;
//! * [`staging`]: everything that must hold before a package may be deployed;
//! * [`isolation`]: running what is in one, at three levels of isolation;
//! * [`codes`]: every reason to refuse one, with advice.

pub mod codes;
pub mod isolation;
pub mod manifest;
pub mod package;
mod registry;
pub mod signature;
pub mod staging;
pub mod trust;

pub use plugin_sdk::{
    AlgorithmError, AlgorithmInfo, HEADER_SIZE, Hash, HashFunction, Header, PowAlgorithm, Target,
};
pub use registry::{Registry, UnknownAlgorithm};

/// The version of what packages and engine agree on (ABI, manifest, package format). A manifest's
/// `min_engine_version` is compared with it; it is apart from the program's own version.
pub const ENGINE_VERSION: semver::Version = semver::Version::new(1, 0, 0);
