//! Algorithms that are right or wrong in one way each, and what the conformance run says about them.

use super::*;
use crate::{AlgorithmError, AlgorithmInfo, HashFunction, PowAlgorithm, Target, standard_capabilities};
use alloc::string::ToString;
use core::sync::atomic::{AtomicU8, Ordering};

/// A small mixing function (xor, multiply, rotate over four words): not for mining, but it does conform.
pub(crate) fn mix(input: &[u8]) -> Hash {
    let mut words =
        [0x243f_6a88_85a3_08d3u64, 0x1319_8a2e_0370_7344, 0xa409_3822_299f_31d0, 0x082e_fa98_ec4e_6c89];
    words[0] ^= input.len() as u64;
    for &byte in input.iter().chain(&[0; 32]) {
        words[0] = (words[0] ^ u64::from(byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        words[1] = (words[1] ^ words[0]).wrapping_mul(0xbf58_476d_1ce4_e5b9).rotate_left(31);
        words[2] = (words[2] ^ words[1]).wrapping_mul(0x94d0_49bb_1331_11eb).rotate_left(37);
        words[3] = (words[3] ^ words[2]).wrapping_mul(0xd6e8_feb8_6659_fd93).rotate_left(41);
        words[0] = words[0].wrapping_add(words[3]);
    }
    let mut hash = [0; 32];
    for (place, word) in hash.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *place = word.to_le_bytes();
    }
    hash
}

macro_rules! algorithm {
    ($type:ty, $name:literal) => {
        impl PowAlgorithm for $type {
            fn info(&self) -> AlgorithmInfo {
                AlgorithmInfo::new($name, "1.0.0", Target::BITCOIN_ONE)
            }
        }
        standard_capabilities!($type: DifficultyAdjuster, Benchmark, Compatibility, Migration, Health);
    };
}

pub(crate) struct Mixer;
impl HashFunction for Mixer {
    fn name(&self) -> &str {
        "mixer"
    }
    fn hash(&self, input: &[u8]) -> Result<Hash, AlgorithmError> {
        Ok(mix(input))
    }
}
algorithm!(Mixer, "mixer");

/// Counts its calls into the hash.
#[derive(Default)]
pub(crate) struct Drifting(AtomicU8);
impl HashFunction for Drifting {
    fn name(&self) -> &str {
        "drifting"
    }
    fn hash(&self, input: &[u8]) -> Result<Hash, AlgorithmError> {
        let mut hash = mix(input);
        hash[0] ^= self.0.fetch_add(1, Ordering::Relaxed);
        Ok(hash)
    }
}
algorithm!(Drifting, "drifting");

pub(crate) struct Refusing;
impl HashFunction for Refusing {
    fn name(&self) -> &str {
        "refusing"
    }
    fn hash(&self, _: &[u8]) -> Result<Hash, AlgorithmError> {
        Err(AlgorithmError::Refused { index: 0, reason: "never".into() })
    }
}
algorithm!(Refusing, "refusing");

/// Says that it takes 80 bytes and takes any; its batch forgets the check of sizes and the last header; its name
/// and its info disagree.
struct Sloppy;
impl HashFunction for Sloppy {
    fn name(&self) -> &str {
        "Sloppy One"
    }
    fn input_size(&self) -> Option<usize> {
        Some(80)
    }
    fn hash(&self, input: &[u8]) -> Result<Hash, AlgorithmError> {
        Ok(mix(input))
    }
    fn hash_batch(&self, inputs: &[Header], out: &mut [Hash]) -> Result<(), AlgorithmError> {
        for (input, hash) in inputs.iter().zip(out).skip(1) {
            *hash = mix(input);
        }
        Ok(())
    }
}
algorithm!(Sloppy, "sloppy");

/// Its hash is one byte of input, over and over.
struct Weak;
impl HashFunction for Weak {
    fn name(&self) -> &str {
        "weak"
    }
    fn hash(&self, input: &[u8]) -> Result<Hash, AlgorithmError> {
        Ok([input.iter().fold(0, |a, b| a ^ b); 32])
    }
}
algorithm!(Weak, "weak");

/// Hashes well, and counts difficulty wrongly in every way.
struct Miscounting;
impl HashFunction for Miscounting {
    fn name(&self) -> &str {
        "miscounting"
    }
    fn hash(&self, input: &[u8]) -> Result<Hash, AlgorithmError> {
        Ok(mix(input))
    }
}
impl PowAlgorithm for Miscounting {
    fn info(&self) -> AlgorithmInfo {
        AlgorithmInfo::new("miscounting", "1.0.0", Target::BITCOIN_ONE)
    }
}
impl crate::DifficultyAdjuster for Miscounting {
    fn difficulty_adjustment(&self, current: u64, _: u64, actual: u64) -> Result<u64, AlgorithmError> {
        Ok(current + actual - 20)
    }
    fn calculate_target(&self, _: u64) -> Result<Target, AlgorithmError> {
        Ok(Target::SCRYPT_ONE)
    }
}
standard_capabilities!(Miscounting: Benchmark, Compatibility, Migration, Health);

fn failed_checks(algorithm: &dyn PowAlgorithm, vectors: &[Vector]) -> Vec<&'static str> {
    let mut checks: Vec<_> = check(algorithm, vectors).unwrap_err().iter().map(|f| f.check).collect();
    checks.dedup();
    checks
}

#[test]
fn a_right_algorithm_conforms() {
    let vector = Vector { input: b"abc".to_vec(), hash: mix(b"abc") };
    assert_conforms(&Mixer, &[vector]);
}

#[test]
fn each_fault_is_named() {
    assert_eq!(failed_checks(&Drifting::default(), &[]), ["determinism", "batch"]);
    assert_eq!(failed_checks(&Sloppy, &[]), ["info", "batch", "lengths"]);
    assert_eq!(failed_checks(&Weak, &[]), ["avalanche"]);
    assert_eq!(failed_checks(&Miscounting, &[]), ["target", "difficulty"]);
    assert_eq!(check(&Miscounting, &[]).unwrap_err().len(), 13);
    assert_eq!(failed_checks(&Refusing, &[]), ["batch", "lengths", "avalanche"]);
    let wrong = Vector { input: b"abc".to_vec(), hash: [0; 32] };
    assert_eq!(failed_checks(&Mixer, &[wrong]), ["vectors"]);
    let failure = Failure { check: "batch", detail: "x".into() };
    assert_eq!(failure.to_string(), "batch: x");
}

#[test]
#[should_panic(expected = "weak does not conform:\n  vectors: vector 0")]
fn the_assertion_lists_failures() {
    assert_conforms(&Weak, &[Vector::from_hex("", &"ff".repeat(32))]);
}

#[test]
#[should_panic(expected = "without a vector")]
fn no_vectors_is_no_test() {
    assert_conforms(&Mixer, &[]);
}

#[test]
#[should_panic(expected = "hexadecimal")]
fn a_vector_must_be_hexadecimal() {
    let _ = Vector::from_hex("0g", &"ff".repeat(32));
}

#[test]
fn an_error_in_a_batch_says_where() {
    let mut out = [[0; 32]; 3];
    struct Odd;
    impl HashFunction for Odd {
        fn name(&self) -> &str {
            "odd"
        }
        fn hash(&self, input: &[u8]) -> Result<Hash, AlgorithmError> {
            if input[79] == 1 {
                Err(AlgorithmError::Refused { index: 0, reason: "one".into() })
            } else {
                Ok(mix(input))
            }
        }
    }
    let mut headers = [[7; 80]; 3];
    headers[1][79] = 1;
    let error = Odd.hash_batch(&headers, &mut out).unwrap_err();
    assert_eq!(error, AlgorithmError::Refused { index: 1, reason: "one".into() });
    assert_eq!(out, [mix(&headers[0]), [0; 32], [0; 32]]);
    let uneven = Odd.hash_batch(&headers, &mut out[..2]).unwrap_err();
    assert_eq!(uneven, AlgorithmError::BatchLength { inputs: 3, outputs: 2 });
}

#[test]
fn verification_reads_the_hash_as_a_little_endian_integer() {
    let header = [5; 80];
    let hash = mix(&header);
    let exact = Target::from_le_bytes(hash);
    assert_eq!(Mixer.verify(&header, &exact), Ok(true));
    let mut below = hash;
    let lowest = below.iter().position(|b| *b > 0).unwrap();
    below[lowest] -= 1;
    below[..lowest].fill(0xff);
    assert_eq!(Mixer.verify(&header, &Target::from_le_bytes(below)), Ok(false));

    let mut with_nonce = header;
    with_nonce[76..].copy_from_slice(&[4, 3, 2, 1]);
    let target = Target::from_le_bytes(mix(&with_nonce));
    assert_eq!(Mixer.verify_nonce(&header, &target, 0x0102_0304), Ok(true));
    assert!(Refusing.verify(&header, &target).is_err());
}

#[test]
fn info_can_say_that_two_names_are_one_function() {
    let info = AlgorithmInfo::new("fast-mixer", "2.0.0", Target::KASPA_ONE)
        .with_hash_function("mixer")
        .with_cpu_intensive();
    assert_eq!((info.hash_function.as_str(), info.cpu_intensive), ("mixer", true));
    assert!(!Mixer.info().cpu_intensive && Mixer.takes_headers() && Sloppy.takes_headers());
}
