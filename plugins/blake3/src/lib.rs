//! BLAKE3 (256 bits, no key) of the input.
#![cfg_attr(not(feature = "std"), no_std)]

use plugin_sdk::{AlgorithmError, AlgorithmInfo, Hash, HashFunction, PowAlgorithm, Target};

/// The algorithm; it has no state.
#[derive(Debug, Clone, Copy, Default)]
pub struct Blake3;

impl HashFunction for Blake3 {
    fn name(&self) -> &str {
        "blake3"
    }

    fn hash(&self, input: &[u8]) -> Result<Hash, AlgorithmError> {
        Ok(blake3::hash(input).into())
    }
}

impl PowAlgorithm for Blake3 {
    fn info(&self) -> AlgorithmInfo {
        AlgorithmInfo::new("blake3", env!("CARGO_PKG_VERSION"), Target::BITCOIN_ONE)
    }
}

plugin_sdk::standard_capabilities!(Blake3: DifficultyAdjuster, Benchmark, Compatibility, Migration, Health);
plugin_sdk::export_algorithm!(Blake3);

#[cfg(test)]
mod tests {
    use super::*;
    use plugin_sdk::conformance::{Vector, assert_conforms};

    /// The empty input is the first case of the authors' test_vectors.json.
    #[test]
    fn conforms() {
        let empty = Vector::from_hex("", "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
        let abc =
            Vector::from_hex("616263", "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85");
        assert_conforms(&Blake3, &[empty, abc]);
    }
}
