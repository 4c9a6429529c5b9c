//! Proof of work: algorithms by name, and their numbers on the simulated chain.

use std::sync::OnceLock;

use pool_engine::Registry;
use ruint::aliases::U256;

/// An 80-byte header as it is hashed.
pub type HeaderBytes = [u8; 80];

/// What one algorithm is on the simulated chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Algorithm {
    /// Name as in the pool's algorithm registry.
    pub name: &'static str,
    /// Number in templates, and the low byte of a block's version.
    pub pow_type: u8,
    /// Cost of one hash in units of one BLAKE2s: what block work is multiplied with.
    pub weight: u64,
    /// Hashes per block at the start of a chain, cheap enough to be found by simulated miners.
    pub start_hashes: u64,
}

/// The powType table (`docs/node.md`, section 2). 10 is BlockDAG's own number; 0 to 9 belong to other chains.
pub const ALGORITHMS: [Algorithm; 6] = [
    Algorithm { name: "scrypt-bdag", pow_type: 10, weight: 1_000, start_hashes: 64 },
    Algorithm { name: "blake2s", pow_type: 100, weight: 1, start_hashes: 4_096 },
    Algorithm { name: "blake3", pow_type: 101, weight: 1, start_hashes: 4_096 },
    Algorithm { name: "sha256d", pow_type: 102, weight: 2, start_hashes: 4_096 },
    Algorithm { name: "scrypt", pow_type: 103, weight: 1_000, start_hashes: 64 },
    Algorithm { name: "kheavyhash", pow_type: 104, weight: 20, start_hashes: 1_024 },
];

/// Looks an algorithm up by name.
pub fn by_name(name: &str) -> Option<Algorithm> {
    ALGORITHMS.into_iter().find(|algorithm| algorithm.name == name)
}

/// Looks an algorithm up by its powType.
pub fn by_pow_type(pow_type: u8) -> Option<Algorithm> {
    ALGORITHMS.into_iter().find(|algorithm| algorithm.pow_type == pow_type)
}

fn registry() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY.get_or_init(Registry::linked_in)
}

/// Hashes headers with the named algorithm; `out` must be as long as `headers`.
///
/// # Errors
/// A sentence when no such algorithm is linked in, or when it fails.
pub fn hash_batch(name: &str, headers: &[HeaderBytes], out: &mut [[u8; 32]]) -> Result<(), String> {
    let algorithm = registry().find(name).map_err(|error| error.to_string())?;
    algorithm.hash_batch(headers, out).map_err(|error| format!("{name}: {error}"))
}

/// Hashes one header; the result is read as a little-endian integer.
///
/// # Errors
/// As [`hash_batch`].
pub fn hash(name: &str, header: &HeaderBytes) -> Result<U256, String> {
    let mut out = [[0; 32]];
    hash_batch(name, std::slice::from_ref(header), &mut out)?;
    Ok(U256::from_le_bytes(out[0]))
}

/// The target that takes `hashes` tries on average: 2^256 / hashes, at most 2^256 - 1.
pub fn target_of_hashes(hashes: u64) -> U256 {
    if hashes <= 1 { U256::MAX } else { U256::MAX / U256::from(hashes) }
}
