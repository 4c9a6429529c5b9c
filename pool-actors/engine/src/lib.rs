//! Where the pool gets its algorithms from: those linked into it. Packages and isolation levels come to live here.
//!
//! ```
//! let registry = pool_engine::Registry::linked_in();
//! let sha256d = registry.get("sha256d").unwrap();
//! let mut hashes = [[0; 32]];
//! sha256d.hash_batch(&[[0; 80]], &mut hashes).unwrap();
//! assert_eq!(hashes[0][..4], [0x4b, 0xe7, 0x57, 0x0e]);
//! ```

mod registry;

pub use plugin_sdk::{
    AlgorithmError, AlgorithmInfo, HEADER_SIZE, Hash, HashFunction, Header, PowAlgorithm, Target,
};
pub use registry::{Registry, UnknownAlgorithm};
