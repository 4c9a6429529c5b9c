//! Hashing that survives the algorithm's panics: a miner who finds an input that the algorithm dies of must lose that
//! share, not the validator, nor anybody else's shares.

use std::panic::{AssertUnwindSafe, catch_unwind};

use plugin_sdk::PowAlgorithm;

use crate::runtime::deathwatch::panic_message;

/// What became of a batch.
#[derive(Debug, Default)]
pub(super) struct Hashed {
    /// One for each header; none where the algorithm refused it or panicked.
    pub(super) hashes: Vec<Option<[u8; 32]>>,
    /// Headers that the algorithm panicked on by themselves, rising, with what it said.
    pub(super) fatal: Vec<(usize, String)>,
}

/// Hashes all headers; `hashes` is room for them.
pub(super) fn hash_all(
    algorithm: &dyn PowAlgorithm,
    headers: &[[u8; 80]],
    hashes: &mut Vec<[u8; 32]>,
) -> Hashed {
    hashes.clear();
    hashes.resize(headers.len(), [0; 32]);
    // Its `&self` is all that it shares with the next call, and a plugin's state is its own business.
    let whole = catch_unwind(AssertUnwindSafe(|| algorithm.hash_batch(headers, hashes)));
    if let Ok(Ok(())) = whole {
        return Hashed { hashes: hashes.iter().copied().map(Some).collect(), fatal: Vec::new() };
    }
    // One header that has no hash, or that is poison, must not spoil the batch.
    let mut hashed = Hashed::default();
    for (at, header) in headers.iter().enumerate() {
        match catch_unwind(AssertUnwindSafe(|| algorithm.hash(header))) {
            Ok(hash) => hashed.hashes.push(hash.ok()),
            Err(panic) => {
                hashed.hashes.push(None);
                hashed.fatal.push((at, panic_message(panic.as_ref())));
            }
        }
    }
    hashed
}
