//! BLAKE2s-256 (RFC 7693, no key) of the input.
#![cfg_attr(not(feature = "std"), no_std)]

use blake2::{Blake2s256, Digest};
use plugin_sdk::{AlgorithmError, AlgorithmInfo, Hash, HashFunction, PowAlgorithm, Target};

/// The algorithm; it has no state.
#[derive(Debug, Clone, Copy, Default)]
pub struct Blake2s;

impl HashFunction for Blake2s {
    fn name(&self) -> &str {
        "blake2s"
    }

    fn hash(&self, input: &[u8]) -> Result<Hash, AlgorithmError> {
        Ok(Blake2s256::digest(input).into())
    }
}

impl PowAlgorithm for Blake2s {
    fn info(&self) -> AlgorithmInfo {
        AlgorithmInfo::new("blake2s", env!("CARGO_PKG_VERSION"), Target::BITCOIN_ONE)
    }
}

plugin_sdk::standard_capabilities!(Blake2s: DifficultyAdjuster, Benchmark, Compatibility, Migration, Health);
plugin_sdk::export_algorithm!(Blake2s);

#[cfg(test)]
mod tests {
    use super::*;
    use plugin_sdk::conformance::{Vector, assert_conforms};

    /// RFC 7693, appendix B; the empty input is from the authors' reference implementation.
    #[test]
    fn conforms() {
        let abc =
            Vector::from_hex("616263", "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");
        let empty = Vector::from_hex("", "69217a3079908094e11121d042354a7c1f55b6482ca1a51e1b250dfd1ed0eef9");
        assert_conforms(&Blake2s, &[abc, empty]);
    }
}
