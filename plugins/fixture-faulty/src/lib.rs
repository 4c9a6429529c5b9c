//! BLAKE2s that breaks on request: a header that begins with [`TRIGGER`] and the number of a [`Fault`] gets that fault.
//! Every other header is hashed rightly, but for one in a million ([`is_rare`]), or one in 4096 ([`is_sometimes`]).
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

use blake2::{Blake2s256, Digest};
use core::{
    hint::black_box,
    sync::atomic::{AtomicBool, Ordering},
};
use plugin_sdk::{
    AlgorithmError, AlgorithmInfo, HEADER_SIZE, Hash, HashFunction, Header, PowAlgorithm, Target,
};

/// The first bytes of a header that asks for a fault.
pub const TRIGGER: [u8; 4] = *b"FLT!";

/// What can go wrong; the number is the fifth byte of the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Fault {
    /// A hash with one bit flipped.
    Wrong = 1,
    /// A panic.
    Panic = 2,
    /// An endless loop.
    Loop = 3,
    /// A right hash after a hundred times the work.
    Slow = 4,
    /// Memory, until there is none.
    Memory = 5,
    /// The instruction that ends a program.
    Trap = 6,
    /// Recursion without an end.
    Stack = 7,
    /// A write to where nothing is.
    Segfault = 8,
    /// The process's end, where there is one.
    Exit = 9,
    /// A new program, where there are any.
    Spawn = 10,
    /// A look into a file, where there are any: refused with what came of it.
    File = 11,
}

/// The header that asks for a fault.
#[must_use]
pub fn header(fault: Fault) -> Header {
    let mut header = [0x5a; HEADER_SIZE];
    header[..4].copy_from_slice(&TRIGGER);
    header[4] = fault as u8;
    header
}

/// Whether a hash is one of those, one in 2^20, that come out wrong: its last 20 bits are zero.
#[must_use]
pub fn is_rare(hash: &Hash) -> bool {
    hash[31] == 0 && hash[30] == 0 && hash[29] & 0x0f == 0
}

/// Whether a hash is one of those, one in 4096, that a version with the feature `wrong-sometimes` gets wrong: its last
/// 12 bits are zero, which makes it a good share.
#[must_use]
pub fn is_sometimes(hash: &Hash) -> bool {
    hash[31] == 0 && hash[30] & 0xf0 == 0
}

fn is_wrong(hash: &Hash) -> bool {
    is_rare(hash) || cfg!(feature = "wrong-sometimes") && is_sometimes(hash)
}

/// The algorithm.
#[derive(Debug, Clone, Copy)]
pub struct Faulty;

impl Default for Faulty {
    fn default() -> Self {
        if cfg!(feature = "constructor-panics") {
            panic!("told to");
        }
        while black_box(cfg!(feature = "constructor-loops")) {}
        Self
    }
}

fn right(input: &[u8]) -> Hash {
    Blake2s256::digest(input).into()
}

fn flipped(mut hash: Hash) -> Hash {
    hash[0] ^= 1;
    hash
}

/// Never true, which the compiler can't know.
static DEEP_ENOUGH: AtomicBool = AtomicBool::new(false);

/// Calls itself without an end, and keeps all it knows in locals: in wasm these are on the host's stack, not in the
/// module's memory, whose end would be a trap like any other.
fn deeper(depth: u64) -> u64 {
    if DEEP_ENOUGH.load(Ordering::Relaxed) { depth } else { deeper(depth + 1).rotate_left(5) ^ depth }
}

fn fill_memory() -> Hash {
    let mut all = alloc::vec::Vec::new();
    loop {
        all.push(alloc::vec![0xa5u8; 1 << 20]);
        black_box(&all);
    }
}

#[allow(unsafe_code)]
fn write_nowhere() {
    let nowhere = black_box(usize::MAX - 4095) as *mut u8;
    // SAFETY: none; it is the fault that was asked for.
    unsafe { nowhere.write_volatile(1) }
}

#[cfg(feature = "std")]
fn leave(fault: Fault) -> Result<Hash, AlgorithmError> {
    let what = match fault {
        Fault::Exit => std::process::exit(7),
        Fault::Trap => std::process::abort(),
        Fault::Spawn => std::process::Command::new("/bin/true").spawn().is_ok(),
        _ => std::fs::read("/etc/passwd").is_ok(),
    };
    let reason = if what { "it could" } else { "it could not" };
    Err(AlgorithmError::Refused { index: 0, reason: reason.into() })
}

#[cfg(not(feature = "std"))]
fn leave(fault: Fault) -> Result<Hash, AlgorithmError> {
    #[cfg(target_arch = "wasm32")]
    if matches!(fault, Fault::Exit | Fault::Trap | Fault::Spawn) {
        core::arch::wasm32::unreachable()
    }
    Err(AlgorithmError::Refused {
        index: 0,
        reason: alloc::format!("there is no system for {fault:?}").into(),
    })
}

impl HashFunction for Faulty {
    fn name(&self) -> &str {
        if cfg!(feature = "lies") { "blake3" } else { "fixture-faulty" }
    }

    fn hash(&self, input: &[u8]) -> Result<Hash, AlgorithmError> {
        let hash = right(input);
        let fault = match input.strip_prefix(&TRIGGER) {
            Some([number, ..]) if input.len() == HEADER_SIZE => *number,
            _ => {
                if cfg!(feature = "segfault-sometimes") && is_sometimes(&hash) {
                    write_nowhere();
                }
                if cfg!(feature = "exit-sometimes") && is_sometimes(&hash) {
                    return leave(Fault::Exit);
                }
                return Ok(if is_wrong(&hash) { flipped(hash) } else { hash });
            }
        };
        match fault {
            1 => Ok(flipped(hash)),
            2 => panic!("told to"),
            3 => loop {
                black_box(&hash);
            },
            4 => {
                for _ in 0..100 {
                    black_box(right(black_box(input)));
                }
                Ok(hash)
            }
            5 => Ok(fill_memory()),
            6 => leave(Fault::Trap),
            7 => {
                black_box(deeper(0));
                Ok(hash)
            }
            8 => {
                write_nowhere();
                Ok(hash)
            }
            9 => leave(Fault::Exit),
            10 => leave(Fault::Spawn),
            11 => leave(Fault::File),
            _ => Ok(hash),
        }
    }
}

impl PowAlgorithm for Faulty {
    fn info(&self) -> AlgorithmInfo {
        let info = AlgorithmInfo::new(self.name(), env!("CARGO_PKG_VERSION"), Target::BITCOIN_ONE);
        info.with_hash_function("blake2s")
    }
}

plugin_sdk::standard_capabilities!(Faulty: DifficultyAdjuster, Benchmark, Compatibility, Migration, Health);
plugin_sdk::export_algorithm!(Faulty);

#[cfg(test)]
mod tests {
    use super::*;
    use plugin_sdk::conformance::{Vector, assert_conforms};

    /// Unasked it does nothing wrong.
    #[test]
    fn conforms() {
        let abc =
            Vector::from_hex("616263", "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");
        assert_conforms(&Faulty, &[abc]);
    }

    #[test]
    fn some_faults_can_be_watched_from_inside() {
        let wrong = header(Fault::Wrong);
        assert_eq!(Faulty.hash(&wrong), Ok(flipped(right(&wrong))));
        let slow = header(Fault::Slow);
        assert_eq!(Faulty.hash(&slow), Ok(right(&slow)));
        assert!(std::panic::catch_unwind(|| Faulty.hash(&header(Fault::Panic))).is_err());
        assert!(!is_rare(&[1; 32]) && is_rare(&[0; 32]));
        assert!(!is_sometimes(&[1; 32]) && is_sometimes(&[0; 32]));
    }
}
