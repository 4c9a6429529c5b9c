//! What every algorithm must do, as one call for an author's tests.
//!
//! ```
//! # use plugin_sdk::conformance::Vector;
//! // In a plugin's tests: plugin_sdk::conformance::assert_conforms(&MyAlgorithm, &[Vector::from_hex("…", "…")]);
//! let vector = Vector::from_hex("616263", &"00".repeat(32));
//! assert_eq!(vector.input, b"abc");
//! ```

use crate::{HASH_SIZE, HEADER_SIZE, Hash, Header, PowAlgorithm, Target};
use alloc::{format, string::String, vec, vec::Vec};
use core::fmt;

/// An input and the hash that it must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vector {
    /// The bytes to be hashed.
    pub input: Vec<u8>,
    /// The hash, byte 0 first.
    pub hash: Hash,
}

impl Vector {
    /// From hexadecimal digits, byte 0 first.
    ///
    /// # Panics
    /// If a string is no hexadecimal or the hash has not 32 bytes: a vector is part of a test.
    #[must_use]
    pub fn from_hex(input: &str, hash: &str) -> Self {
        let hash = from_hex(hash).try_into().expect("a vector's hash has 32 bytes");
        Self { input: from_hex(input), hash }
    }
}

fn from_hex(digits: &str) -> Vec<u8> {
    assert!(digits.len().is_multiple_of(2), "a vector has two digits per byte: {digits}");
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|v| u8::try_from(v).ok());
    let byte = |pair: &[u8; 2]| Some(value(pair[0])? << 4 | value(pair[1])?);
    let (pairs, _) = digits.as_bytes().as_chunks::<2>();
    pairs
        .iter()
        .map(|pair| byte(pair).unwrap_or_else(|| panic!("a vector is hexadecimal: {digits}")))
        .collect()
}

/// One thing that an algorithm does not do as it must.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Which check: `info`, `vectors`, `determinism`, `batch`, `lengths`, `avalanche`, `target`, `difficulty`.
    pub check: &'static str,
    /// What was expected and what came.
    pub detail: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.detail)
    }
}

/// Runs every check.
///
/// * `info`: name, output size and input size agree with what the pool needs;
/// * `vectors`: each vector's hash is right;
/// * `determinism`: the same header twice, with others between, gives the same hash;
/// * `batch`: batches of 1, 7 and 64, sharing their prefixes or not, equal single hashes; wrong sizes are errors;
/// * `lengths`: another size than the one it takes is an error, and no size panics;
/// * `avalanche`: one flipped bit changes more than 100 of 256 bits on average, and never fewer than 64;
/// * `target`: the target of a difficulty, multiplied back, is the target of difficulty 1 but for the rest;
/// * `difficulty`: on time it stays, too fast it does not fall, too slow it does not rise; a zero is an error.
///
/// # Errors
/// All failures, if there are any.
pub fn check(algorithm: &dyn PowAlgorithm, vectors: &[Vector]) -> Result<(), Vec<Failure>> {
    let mut run = Run { algorithm, failures: Vec::new() };
    run.info();
    run.vectors(vectors);
    run.determinism();
    run.batch();
    run.lengths();
    run.avalanche();
    run.target();
    run.difficulty();
    if run.failures.is_empty() { Ok(()) } else { Err(run.failures) }
}

/// [`check`] for tests.
///
/// # Panics
/// With every failure, one per line, if there are any.
pub fn assert_conforms(algorithm: &dyn PowAlgorithm, vectors: &[Vector]) {
    assert!(!vectors.is_empty(), "without a vector, {} is not tested", algorithm.name());
    if let Err(failures) = check(algorithm, vectors) {
        let lines: Vec<String> = failures.iter().map(|f| format!("\n  {f}")).collect();
        panic!("{} does not conform:{}", algorithm.name(), lines.concat());
    }
}

struct Run<'a> {
    algorithm: &'a dyn PowAlgorithm,
    failures: Vec<Failure>,
}

/// Headers that differ in every byte from one to the next (splitmix64), so that nothing can be shared among them.
fn header(seed: u64) -> Header {
    let mut state = seed;
    let mut header = [0; HEADER_SIZE];
    for word in header.as_chunks_mut::<8>().0 {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        *word = (z ^ z >> 31).to_le_bytes();
    }
    header
}

/// Headers as they come: two jobs in turns of four, and a nonce in each.
fn shares(count: usize) -> Vec<Header> {
    let share = |i: usize| {
        let mut header = header(1000 + (i / 4 % 2) as u64);
        header[HEADER_SIZE - 1] = u8::try_from(i % 256).unwrap_or(0);
        header
    };
    (0..count).map(share).collect()
}

impl Run<'_> {
    fn fail(&mut self, check: &'static str, detail: String) {
        self.failures.push(Failure { check, detail });
    }

    fn expect(&mut self, check: &'static str, holds: bool, detail: impl FnOnce() -> String) {
        if !holds {
            self.fail(check, detail());
        }
    }

    fn info(&mut self) {
        let (algorithm, info) = (self.algorithm, self.algorithm.info());
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let name = algorithm.name();
        self.expect("info", !name.is_empty() && name.chars().all(plain), || {
            format!("the name {name:?} is not made of lower case letters, digits and dashes")
        });
        self.expect("info", info.name == name, || format!("info says {:?}, name() says {name:?}", info.name));
        let sizes = (info.output_size, algorithm.output_size());
        self.expect("info", sizes == (HASH_SIZE, HASH_SIZE), || format!("output sizes {sizes:?} are not 32"));
        self.expect("info", algorithm.takes_headers(), || "it does not take 80-byte headers".into());
        self.expect("info", info == algorithm.info(), || "info() differs from call to call".into());
        let one = (info.difficulty_one, algorithm.difficulty_one());
        self.expect("info", one.0 == one.1, || format!("two targets of difficulty 1: {one:?}"));
    }

    fn vectors(&mut self, vectors: &[Vector]) {
        for (i, vector) in vectors.iter().enumerate() {
            let got = self.algorithm.hash(&vector.input);
            self.expect("vectors", got.as_ref() == Ok(&vector.hash), || {
                format!("vector {i}: expected {:02x?}, got {got:02x?}", vector.hash)
            });
        }
    }

    fn determinism(&mut self) {
        let first = self.algorithm.hash(&header(1));
        for seed in 2..6 {
            // What lies between must not show, even if it is refused.
            let between = self.algorithm.hash(&header(seed));
            self.expect("determinism", between.is_err() || between != first, || {
                format!("headers 1 and {seed} have the same hash")
            });
        }
        let again = self.algorithm.hash(&header(1));
        self.expect("determinism", first == again, || format!("{first:02x?}, then {again:02x?}"));
    }

    fn batch(&mut self) {
        for inputs in [shares(1), shares(7), shares(64), (0..7).map(header).collect()] {
            let mut out = vec![[0xa5; HASH_SIZE]; inputs.len()];
            let result = self.algorithm.hash_batch(&inputs, &mut out);
            self.expect("batch", result.is_ok(), || format!("{} headers: {result:?}", inputs.len()));
            for (i, (input, hash)) in inputs.iter().zip(&out).enumerate() {
                let single = self.algorithm.hash(input);
                self.expect("batch", single.as_ref() == Ok(hash), || {
                    format!("hash {i} of {}: {hash:02x?}, alone {single:02x?}", inputs.len())
                });
            }
        }
        let uneven = self.algorithm.hash_batch(&shares(2), &mut [[0; HASH_SIZE]]);
        self.expect("batch", uneven.is_err(), || "two headers and one place for a hash went through".into());
        let empty = self.algorithm.hash_batch(&[], &mut []);
        self.expect("batch", empty.is_ok(), || format!("an empty batch: {empty:?}"));
    }

    fn lengths(&mut self) {
        let bytes = [header(9), header(10), header(11)].concat();
        for length in [0, 1, 31, 32, 63, 64, 79, 80, 81, 127, 128, 129, 240] {
            let result = self.algorithm.hash(&bytes[..length]);
            let taken = self.algorithm.input_size().is_none_or(|size| size == length);
            self.expect("lengths", result.is_ok() == taken, || format!("{length} bytes: {result:02x?}"));
        }
    }

    fn avalanche(&mut self) {
        const FLIPS: usize = 32;
        let base = header(77);
        let Ok(hash) = self.algorithm.hash(&base) else {
            return self.fail("avalanche", "a header of random bytes has no hash".into());
        };
        let mut sum = 0;
        for flip in 0..FLIPS {
            let bit = flip * (HEADER_SIZE * 8) / FLIPS + flip % 8;
            let mut flipped = base;
            flipped[bit / 8] ^= 1 << (bit % 8);
            let other = self.algorithm.hash(&flipped).unwrap_or(hash);
            let distance: u32 = hash.iter().zip(&other).map(|(a, b)| (a ^ b).count_ones()).sum();
            self.expect("avalanche", distance >= 64, || {
                format!("bit {bit} changes only {distance} of 256 bits")
            });
            sum += distance as usize;
        }
        self.expect("avalanche", sum > 100 * FLIPS, || {
            format!("a flipped bit changes {} of 256 bits on average, more than 100 are needed", sum / FLIPS)
        });
    }
}

impl Run<'_> {
    fn target(&mut self) {
        let mut one = [0; 40];
        one[..32].copy_from_slice(&self.algorithm.difficulty_one().to_le_bytes());
        for difficulty in [1, 2, 3, 1000, 65_535, 65_536, 0x1_0000_0001, u64::MAX] {
            // Not more than the target of difficulty 1, and with one difficulty more, more than it.
            let fits = self.algorithm.calculate_target(difficulty).map(|target| {
                let below = product(target, difficulty, 0);
                let above = product(target, difficulty, difficulty);
                below.iter().rev().le(one.iter().rev()) && above.iter().rev().gt(one.iter().rev())
            });
            self.expect("target", fits == Ok(true), || {
                format!(
                    "that of difficulty {difficulty} is not the one of difficulty 1 divided by it: {fits:?}"
                )
            });
        }
        let zero = self.algorithm.calculate_target(0);
        self.expect("target", zero.is_err(), || format!("difficulty 0 has the target {zero:?}"));
    }

    fn difficulty(&mut self) {
        let algorithm = self.algorithm;
        let adjusted = |actual| algorithm.difficulty_adjustment(1000, 30, actual);
        let (fast, right, slow) = (adjusted(15), adjusted(30), adjusted(60));
        self.expect("difficulty", right == Ok(1000), || format!("1000, on time: {right:?}"));
        self.expect("difficulty", matches!(fast, Ok(1000..)), || format!("1000, twice as fast: {fast:?}"));
        self.expect("difficulty", matches!(slow, Ok(1..=1000)), || format!("1000, half as fast: {slow:?}"));
        let zeros = [adjusted(0), algorithm.difficulty_adjustment(1000, 0, 30)];
        self.expect("difficulty", zeros.iter().all(Result::is_err), || format!("times of zero: {zeros:?}"));
    }
}

/// `target x factor + rest`, byte by byte, the lowest first: another arithmetic than the one under test.
fn product(target: Target, factor: u64, rest: u64) -> [u8; 40] {
    let (factor, rest) = (factor.to_le_bytes(), rest.to_le_bytes());
    let mut out = [0; 40];
    let mut carry = 0u32;
    for (place, byte) in out.iter_mut().enumerate() {
        let digits = target.to_le_bytes();
        let column = (0..8)
            .filter(|i| place >= *i && place - i < 32)
            .map(|i| u32::from(factor[i]) * u32::from(digits[place - i]));
        let sum = carry + column.sum::<u32>() + rest.get(place).map_or(0, |byte| u32::from(*byte));
        [*byte, ..] = sum.to_le_bytes();
        carry = sum >> 8;
    }
    out
}

#[cfg(test)]
#[path = "conformance_tests.rs"]
pub(crate) mod tests;
