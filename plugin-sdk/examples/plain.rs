//! A plain hash in a dozen lines: everything but the hash itself is standard. `cargo run -p plugin-sdk --example plain`
//!
//! As a crate of its own it would also say `plugin_sdk::export_algorithm!(Plain);` and be ready to be packaged.

use plugin_sdk::{AlgorithmError, AlgorithmInfo, Hash, HashFunction, PowAlgorithm, Target};

#[derive(Default)]
struct Plain;

impl HashFunction for Plain {
    fn name(&self) -> &str {
        "plain"
    }
    fn hash(&self, input: &[u8]) -> Result<Hash, AlgorithmError> {
        let mut words = [u64::MAX, 1, 2, input.len() as u64];
        for byte in input.iter().chain(&[0; 32]) {
            for i in 0..4 {
                words[i] =
                    (words[i] ^ words[(i + 3) % 4] ^ u64::from(*byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                words[i] ^= words[i] >> 29;
            }
        }
        let mut hash = [0; 32];
        hash.as_chunks_mut::<8>()
            .0
            .iter_mut()
            .zip(words)
            .for_each(|(place, word)| *place = word.to_le_bytes());
        Ok(hash)
    }
}

impl PowAlgorithm for Plain {
    fn info(&self) -> AlgorithmInfo {
        AlgorithmInfo::new("plain", "1.0.0", Target::BITCOIN_ONE)
    }
}
plugin_sdk::standard_capabilities!(Plain: DifficultyAdjuster, Benchmark, Compatibility, Migration, Health);

fn main() {
    match plugin_sdk::conformance::check(&Plain, &[]) {
        Ok(()) => println!("conforms; what is missing are vectors from another implementation"),
        Err(failures) => failures.iter().for_each(|failure| println!("{failure}")),
    }
}
