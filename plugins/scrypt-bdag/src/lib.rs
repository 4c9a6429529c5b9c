//! The scrypt of BlockDAG's 80-byte mining header: scrypt (N = 1024, r = 1, p = 1) of the header with the bytes of
//! each 4-byte word reversed, and a change to the first word between ROMix and the last PBKDF2.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

use alloc::vec::Vec;
use plugin_scrypt::{BLOCK_SIZE, hash_batch_with, hash_with, with_scratch};
use plugin_sdk::{
    AlgorithmError, AlgorithmInfo, HEADER_SIZE, Hash, HashFunction, Header, MemoryRequirements, PowAlgorithm,
    Target,
};

/// The algorithm; it has no state.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScryptBdag;

/// Adds 0xe0 to the low 15 bits of the first word, read big-endian; the carry out of them is lost.
fn tweak(block: &mut [u8; BLOCK_SIZE]) {
    const LOW: u32 = 0x7fff;
    let [word, ..] = block.as_chunks_mut::<4>().0 else { unreachable!("a block has 32 words") };
    let value = u32::from_be_bytes(*word);
    *word = ((value & !LOW) | (value.wrapping_add(0xe0) & LOW)).to_be_bytes();
}

/// The header with the bytes of each 4-byte word reversed.
fn swapped(header: &Header) -> Header {
    let mut swapped = *header;
    swapped.as_chunks_mut::<4>().0.iter_mut().for_each(|word| word.reverse());
    swapped
}

impl HashFunction for ScryptBdag {
    fn name(&self) -> &str {
        "scrypt-bdag"
    }

    fn input_size(&self) -> Option<usize> {
        Some(HEADER_SIZE)
    }

    fn hash(&self, input: &[u8]) -> Result<Hash, AlgorithmError> {
        let bad = AlgorithmError::BadLength { expected: HEADER_SIZE, got: input.len() };
        let header = swapped(input.try_into().map_err(|_| bad)?);
        let [hash] = with_scratch(|scratch| hash_with([&header], scratch, tweak));
        Ok(hash)
    }

    fn hash_batch(&self, inputs: &[Header], out: &mut [Hash]) -> Result<(), AlgorithmError> {
        plugin_sdk::check_batch(inputs, out)?;
        let inputs: Vec<Header> = inputs.iter().map(swapped).collect();
        hash_batch_with(&inputs, out, tweak);
        Ok(())
    }
}

impl PowAlgorithm for ScryptBdag {
    fn info(&self) -> AlgorithmInfo {
        AlgorithmInfo::new("scrypt-bdag", env!("CARGO_PKG_VERSION"), Target::SCRYPT_ONE).with_cpu_intensive()
    }
}

impl plugin_sdk::Compatibility for ScryptBdag {
    fn memory_requirements(&self) -> MemoryRequirements {
        plugin_scrypt::MEMORY
    }
}

impl plugin_sdk::DifficultyAdjuster for ScryptBdag {
    fn difficulty_one(&self) -> Target {
        Target::SCRYPT_ONE
    }
}

plugin_sdk::standard_capabilities!(ScryptBdag: Benchmark, Migration, Health);
plugin_sdk::export_algorithm!(ScryptBdag);

#[cfg(test)]
mod tests {
    use super::*;
    use plugin_sdk::conformance::{Vector, assert_conforms};

    /// Confirmed against a miner used on that network.
    #[test]
    fn conforms() {
        let zeros = Vector::from_hex(
            &"00".repeat(80),
            "d826160cbc838e3bb0e4022e3e486e4646377a3fc37cb782fb60c5ec13ca3a3c",
        );
        let counting = Vector::from_hex(
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f\
             303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
            "b945fd60c6ce2ff1d659bfff453312829acdfa826650e2842dd53e496c013479",
        );
        assert_conforms(&ScryptBdag, &[zeros, counting]);
    }

    #[test]
    fn the_tweak_keeps_the_high_bits() {
        let tweaked = |word: u32| {
            let mut block = [0xff; BLOCK_SIZE];
            block[..4].copy_from_slice(&word.to_be_bytes());
            tweak(&mut block);
            assert!(block[4..].iter().all(|b| *b == 0xff));
            u32::from_be_bytes(block[..4].try_into().unwrap())
        };
        assert_eq!(tweaked(0), 0xe0);
        assert_eq!(tweaked(0xdead_8000), 0xdead_80e0);
        assert_eq!(tweaked(0xffff_7f20), 0xffff_0000);
        assert_eq!(tweaked(0xffff_ffff), 0xffff_80df);
    }
}
