//! SHA-256 (FIPS 180-4) applied twice.
//!
//! Headers go straight to the compression function: their padding is known, and within a batch the state after the
//! first 64 bytes is kept while those bytes stay the same, as they do for shares that differ in time and nonce only.
#![cfg_attr(not(feature = "std"), no_std)]

use plugin_sdk::{
    AlgorithmError, AlgorithmInfo, HEADER_SIZE, Hash, HashFunction, Header, PowAlgorithm, Target,
};
use sha2::{Digest, Sha256, compress256, digest::generic_array::GenericArray};

/// The algorithm; it has no state.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sha256d;

/// FIPS 180-4, section 5.3.3.
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];
const BLOCK: usize = 64;
type Block = [u8; BLOCK];

/// A last block as padding leaves it: zeros, the bit after `content` bytes, and the length of the message in bits.
const fn padded(content: usize, message_bytes: u16) -> Block {
    let mut block = [0; BLOCK];
    block[content] = 0x80;
    let [high, low] = (message_bytes * 8).to_be_bytes();
    block[BLOCK - 2] = high;
    block[BLOCK - 1] = low;
    block
}

const TAIL: Block = padded(HEADER_SIZE - BLOCK, 80);
const SECOND: Block = padded(32, 32);

fn compress(state: &mut [u32; 8], block: &Block) {
    compress256(state, core::slice::from_ref(GenericArray::from_slice(block)));
}

fn to_bytes(state: &[u32; 8]) -> Hash {
    let mut bytes = [0; 32];
    for (place, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *place = word.to_be_bytes();
    }
    bytes
}

/// The state after a header's first 64 bytes.
fn midstate(head: &Block) -> [u32; 8] {
    let mut state = INITIAL;
    compress(&mut state, head);
    state
}

fn finish(mut state: [u32; 8], tail: &[u8; HEADER_SIZE - BLOCK]) -> Hash {
    let mut block = TAIL;
    block[..tail.len()].copy_from_slice(tail);
    compress(&mut state, &block);
    let mut block = SECOND;
    block[..32].copy_from_slice(&to_bytes(&state));
    let mut state = INITIAL;
    compress(&mut state, &block);
    to_bytes(&state)
}

impl HashFunction for Sha256d {
    fn name(&self) -> &str {
        "sha256d"
    }

    fn hash(&self, input: &[u8]) -> Result<Hash, AlgorithmError> {
        Ok(Sha256::digest(Sha256::digest(input)).into())
    }

    fn hash_batch(&self, inputs: &[Header], out: &mut [Hash]) -> Result<(), AlgorithmError> {
        plugin_sdk::check_batch(inputs, out)?;
        let mut known: Option<(&Block, [u32; 8])> = None;
        for (header, hash) in inputs.iter().zip(out) {
            let (Some((head, _)), Some((_, tail))) = (header.split_first_chunk(), header.split_last_chunk())
            else {
                unreachable!("a header is longer than a block")
            };
            let state = match known {
                Some((same, state)) if same == head => state,
                _ => midstate(head),
            };
            known = Some((head, state));
            *hash = finish(state, tail);
        }
        Ok(())
    }
}

impl PowAlgorithm for Sha256d {
    fn info(&self) -> AlgorithmInfo {
        AlgorithmInfo::new("sha256d", env!("CARGO_PKG_VERSION"), Target::BITCOIN_ONE)
    }
}

plugin_sdk::standard_capabilities!(Sha256d: DifficultyAdjuster, Benchmark, Compatibility, Migration, Health);
plugin_sdk::export_algorithm!(Sha256d);

#[cfg(test)]
mod tests {
    use super::*;
    use plugin_sdk::conformance::{Vector, assert_conforms};

    /// The header of Bitcoin's genesis block, and "abc".
    #[test]
    fn conforms() {
        let genesis = Vector::from_hex(
            "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e\
             67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c",
            "6fe28c0ab6f1b372c1a6a246ae63f74f931e8365e15a089c68d6190000000000",
        );
        let abc =
            Vector::from_hex("616263", "4f8b42c22dd3729b519ba6f68d2da7cc5b2d606d05daed5ad5128cc03e6c6358");
        assert_conforms(&Sha256d, &[genesis, abc]);
    }

    #[test]
    fn genesis_meets_its_target() {
        let mut header = [0; 80];
        header[0] = 1;
        let root = Vector::from_hex(
            "3ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a",
            &"0".repeat(64),
        );
        header[36..68].copy_from_slice(&root.input);
        header[68..72].copy_from_slice(&0x495f_ab29u32.to_le_bytes());
        header[72..76].copy_from_slice(&0x1d00_ffffu32.to_le_bytes());
        let target = Target::from_compact(0x1d00_ffff).unwrap();
        assert_eq!(Sha256d.verify_nonce(&header, &target, 2_083_236_893), Ok(true));
        assert_eq!(Sha256d.verify_nonce(&header, &target, 2_083_236_894), Ok(false));
    }
}
