//! scrypt (RFC 7914) of a header with itself as salt: N = 1024, r = 1, p = 1, 32 bytes.
//!
//! [`hash_with`] is the same with a tweak between its two halves, for algorithms that vary scrypt.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod romix;
mod row;

use hmac::Hmac;
use plugin_sdk::{
    AlgorithmError, AlgorithmInfo, Hash, HashFunction, Header, MemoryRequirements, PowAlgorithm, Target,
};
pub use romix::{BLOCK_SIZE, LANES, Scratch};
use sha2::Sha256;

/// The algorithm; it has no state.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scrypt;

/// What one thread needs: [`Scratch`], and some stack.
pub const MEMORY: MemoryRequirements =
    MemoryRequirements { per_thread_bytes: (128 * LANES as u64 + 16) * 1024 };

/// scrypt of each input with itself as salt; `tweak` may change a block between ROMix and the last PBKDF2.
pub fn hash_with<const L: usize>(
    inputs: [&[u8]; L],
    scratch: &mut Scratch,
    tweak: impl Fn(&mut [u8; BLOCK_SIZE]),
) -> [Hash; L] {
    let mut blocks = [[0; BLOCK_SIZE]; L];
    for (input, block) in inputs.iter().zip(&mut blocks) {
        pbkdf2_once(input, input, block);
    }
    romix::romix(&mut blocks, scratch);
    let mut hashes = [[0; 32]; L];
    for ((input, block), hash) in inputs.iter().zip(&mut blocks).zip(&mut hashes) {
        tweak(block);
        pbkdf2_once(input, block, hash);
    }
    hashes
}

/// [`hash_with`] of a whole batch, as many headers at once as there are lanes. The slices have the same length.
pub fn hash_batch_with(inputs: &[Header], out: &mut [Hash], tweak: impl Fn(&mut [u8; BLOCK_SIZE])) {
    with_scratch(|scratch| {
        let (full, rest) = inputs.as_chunks::<LANES>();
        let (full_out, rest_out) = out.as_chunks_mut::<LANES>();
        for (inputs, hashes) in full.iter().zip(full_out) {
            *hashes = hash_with(inputs.each_ref().map(<[u8; 80]>::as_slice), scratch, &tweak);
        }
        for (input, hash) in rest.iter().zip(rest_out) {
            [*hash] = hash_with([input], scratch, &tweak);
        }
    });
}

fn pbkdf2_once(password: &[u8], salt: &[u8], out: &mut [u8]) {
    pbkdf2::pbkdf2::<Hmac<Sha256>>(password, salt, 1, out).expect("HMAC takes keys of any length");
}

/// Lends scratch memory: the thread's own where there are threads, else new one.
#[cfg(feature = "std")]
pub fn with_scratch<R>(use_it: impl FnOnce(&mut Scratch) -> R) -> R {
    std::thread_local! {
        static SCRATCH: core::cell::RefCell<Scratch> = core::cell::RefCell::new(Scratch::new());
    }
    SCRATCH.with_borrow_mut(use_it)
}

/// Lends scratch memory: the thread's own where there are threads, else new one.
#[cfg(not(feature = "std"))]
pub fn with_scratch<R>(use_it: impl FnOnce(&mut Scratch) -> R) -> R {
    use_it(&mut Scratch::new())
}

impl HashFunction for Scrypt {
    fn name(&self) -> &str {
        "scrypt"
    }

    fn hash(&self, input: &[u8]) -> Result<Hash, AlgorithmError> {
        let [hash] = with_scratch(|scratch| hash_with([input], scratch, |_| {}));
        Ok(hash)
    }

    fn hash_batch(&self, inputs: &[Header], out: &mut [Hash]) -> Result<(), AlgorithmError> {
        plugin_sdk::check_batch(inputs, out)?;
        hash_batch_with(inputs, out, |_| {});
        Ok(())
    }
}

impl PowAlgorithm for Scrypt {
    fn info(&self) -> AlgorithmInfo {
        AlgorithmInfo::new("scrypt", env!("CARGO_PKG_VERSION"), Target::SCRYPT_ONE).with_cpu_intensive()
    }
}

impl plugin_sdk::Compatibility for Scrypt {
    fn memory_requirements(&self) -> MemoryRequirements {
        MEMORY
    }
}

impl plugin_sdk::DifficultyAdjuster for Scrypt {
    fn difficulty_one(&self) -> Target {
        Target::SCRYPT_ONE
    }
}

plugin_sdk::standard_capabilities!(Scrypt: Benchmark, Migration, Health);
plugin_sdk::export_algorithm!(Scrypt);

#[cfg(test)]
mod tests {
    use super::*;
    use plugin_sdk::conformance::{Vector, assert_conforms};

    /// Made with OpenSSL's scrypt through Python's hashlib: password = salt = input.
    #[test]
    fn conforms() {
        let zeros = Vector::from_hex(
            &"00".repeat(80),
            "161d0876f3b93b1048cda1bdeaa7332ee210f7131b42013cb43913a6553a4b69",
        );
        let counting = Vector::from_hex(
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f\
             303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
            "bc540a1a801df96e493005c71e010e2d387607fbf0fec416fd3c2645aa1ba9d2",
        );
        let abc =
            Vector::from_hex("616263", "e652c1c3b7a8cd99d2edc49d4509f545c80e4395765e7225c4dde5d80dd76519");
        assert_conforms(&Scrypt, &[zeros, counting, abc]);
    }
}
