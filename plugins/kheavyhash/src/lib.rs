//! kHeavyHash, the proof of work of Kaspa.
//!
//! Input: pre-PoW hash (32) | timestamp in ms (8, little-endian) | zeros (32) | nonce (8, little-endian). Its hash is
//! cSHAKE256 "HeavyHash" of M x cSHAKE256 "ProofOfWorkHash" (input), where the matrix M is drawn from the pre-PoW hash
//! alone. Drawing costs as much as a few hundred hashes, so the last matrix is kept: a job's shares all use it.
#![cfg_attr(not(feature = "std"), no_std)]

mod matrix;

use matrix::Matrix;
use plugin_sdk::{
    AlgorithmError, AlgorithmInfo, HEADER_SIZE, Hash, HashFunction, Header, MemoryRequirements, PowAlgorithm,
    Target,
};
use sha3::{
    CShake256, CShake256Core,
    digest::{ExtendableOutput, Update, XofReader},
};

/// The algorithm; what it keeps belongs to the thread.
#[derive(Debug, Clone, Copy, Default)]
pub struct KHeavyHash;

/// The two cSHAKE256 functions, each past its customisation, and the matrix of the last pre-PoW hash.
struct Hasher {
    proof_of_work: CShake256,
    heavy: CShake256,
    matrix: Option<([u8; 32], Matrix)>,
}

impl Hasher {
    fn new() -> Self {
        let cshake = |customisation: &[u8]| CShake256::from_core(CShake256Core::new(customisation));
        Self { proof_of_work: cshake(b"ProofOfWorkHash"), heavy: cshake(b"HeavyHash"), matrix: None }
    }

    fn hash(&mut self, header: &Header) -> Result<Hash, AlgorithmError> {
        let Some((pre_pow_hash, _)) = header.split_first_chunk::<32>() else {
            unreachable!("a header is longer than its pre-PoW hash")
        };
        let first = shake(&self.proof_of_work, header);
        let matrix = match &self.matrix {
            Some((seed, matrix)) if seed == pre_pow_hash => matrix,
            _ => {
                let matrix = Matrix::generate(pre_pow_hash).ok_or(AlgorithmError::Refused {
                    index: 0,
                    reason: "its pre-PoW hash yields no matrix of full rank".into(),
                })?;
                &self.matrix.insert((*pre_pow_hash, matrix)).1
            }
        };
        Ok(shake(&self.heavy, &matrix.multiply(&first)))
    }
}

fn shake(start: &CShake256, input: &[u8]) -> Hash {
    let mut hash = [0; 32];
    start.clone().chain(input).finalize_xof().read(&mut hash);
    hash
}

#[cfg(feature = "std")]
fn with_hasher<R>(use_it: impl FnOnce(&mut Hasher) -> R) -> R {
    std::thread_local! {
        static HASHER: core::cell::RefCell<Hasher> = core::cell::RefCell::new(Hasher::new());
    }
    HASHER.with_borrow_mut(use_it)
}

#[cfg(not(feature = "std"))]
fn with_hasher<R>(use_it: impl FnOnce(&mut Hasher) -> R) -> R {
    use_it(&mut Hasher::new())
}

impl HashFunction for KHeavyHash {
    fn name(&self) -> &str {
        "kheavyhash"
    }

    fn input_size(&self) -> Option<usize> {
        Some(HEADER_SIZE)
    }

    fn nonce_size(&self) -> usize {
        8
    }

    fn hash(&self, input: &[u8]) -> Result<Hash, AlgorithmError> {
        let bad = AlgorithmError::BadLength { expected: HEADER_SIZE, got: input.len() };
        let header = input.try_into().map_err(|_| bad)?;
        with_hasher(|hasher| hasher.hash(header))
    }

    fn hash_batch(&self, inputs: &[Header], out: &mut [Hash]) -> Result<(), AlgorithmError> {
        plugin_sdk::check_batch(inputs, out)?;
        with_hasher(|hasher| {
            for (index, (input, hash)) in inputs.iter().zip(out).enumerate() {
                *hash = hasher.hash(input).map_err(|e| e.at_index(index))?;
            }
            Ok(())
        })
    }
}

impl PowAlgorithm for KHeavyHash {
    fn info(&self) -> AlgorithmInfo {
        AlgorithmInfo::new("kheavyhash", env!("CARGO_PKG_VERSION"), Target::KASPA_ONE)
    }
}

impl plugin_sdk::Compatibility for KHeavyHash {
    /// The kept matrix, and on the stack the same in f64 while its rank is found.
    fn memory_requirements(&self) -> MemoryRequirements {
        MemoryRequirements { per_thread_bytes: 64 * 1024 }
    }
}

impl plugin_sdk::DifficultyAdjuster for KHeavyHash {
    fn difficulty_one(&self) -> Target {
        Target::KASPA_ONE
    }
}

plugin_sdk::standard_capabilities!(KHeavyHash: Benchmark, Migration, Health);
plugin_sdk::export_algorithm!(KHeavyHash);

#[cfg(test)]
mod tests {
    use super::*;
    use plugin_sdk::conformance::{Vector, assert_conforms};

    fn header(pre_pow_hash: [u8; 32], timestamp_ms: u64, nonce: u64) -> Header {
        let mut header = [0; HEADER_SIZE];
        header[..32].copy_from_slice(&pre_pow_hash);
        header[32..40].copy_from_slice(&timestamp_ms.to_le_bytes());
        header[72..].copy_from_slice(&nonce.to_le_bytes());
        header
    }

    /// Checked against blocks of a real kaspad.
    #[test]
    fn conforms() {
        let counting = Vector {
            input: header(core::array::from_fn(|i| u8::try_from(i).unwrap()), 1_700_000_000_000, 1).to_vec(),
            ..Vector::from_hex("", "d6ed9153fcda7237591a046d54177632cbb2f3507c60b32d143e6dda4c07eb1d")
        };
        assert_conforms(&KHeavyHash, &[counting]);
    }

    #[test]
    fn a_pre_pow_hash_of_zeros_is_refused() {
        let zeros = header([0; 32], 1_700_000_000_000, 1);
        assert!(matches!(KHeavyHash.hash(&zeros), Err(AlgorithmError::Refused { index: 0, .. })));
        let good = header([1; 32], 1_700_000_000_000, 1);
        let mut out = [[0; 32]; 3];
        let error = KHeavyHash.hash_batch(&[good, good, zeros], &mut out).unwrap_err();
        assert!(matches!(error, AlgorithmError::Refused { index: 2, .. }));
        assert_eq!(KHeavyHash.hash(&good), Ok(out[0]));
        assert_eq!(out[0], out[1]);
    }
}
