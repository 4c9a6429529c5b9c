//! `tests/test_vectors.json` and `tests/benchmark_data.json`.

use crate::codes::{Code, PackageError};
use crate::manifest::{FieldError, from_json};
use plugin_sdk::{HASH_SIZE, HEADER_SIZE, Hash, Header, Target};
use serde::Deserialize;

/// Largest input of a vector in bytes.
const INPUT_SIZE_MAX: usize = 16 * 1024;
const VECTORS_MAX: usize = 10_000;
const BENCHMARK_INPUTS_MAX: usize = 4096;

/// Known answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestVectors {
    /// At least one.
    pub vectors: Vec<TestVector>,
}

/// One known answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestVector {
    /// The bytes to be hashed, with the nonce in place if the vector gives one.
    pub input: Vec<u8>,
    /// The hash, byte 0 first.
    pub hash: Hash,
    /// The nonce, for a header that was given without it; it goes into the header's end as `verify_nonce` puts it.
    pub nonce: Option<u64>,
    /// A target, byte 0 first (little-endian), and whether the hash meets it.
    pub target: Option<(Target, bool)>,
    /// Where the vector comes from.
    pub comment: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VectorsFile {
    version: u32,
    vectors: Vec<VectorEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VectorEntry {
    input: String,
    hash: String,
    target: Option<String>,
    nonce: Option<u64>,
    valid: Option<bool>,
    comment: Option<String>,
}

impl TestVectors {
    /// Reads and checks the file.
    ///
    /// # Errors
    /// [`Code::VectorsInvalid`] with the place and what is expected.
    pub fn parse(json: &[u8]) -> Result<Self, PackageError> {
        let invalid = |message: String| invalid(super::TEST_VECTORS, &message);
        let file: VectorsFile = from_json(json).map_err(|error| invalid(place(error)))?;
        check_version(file.version).map_err(invalid)?;
        if !(1..=VECTORS_MAX).contains(&file.vectors.len()) {
            return Err(invalid(format!("{} vectors; give 1 to {VECTORS_MAX}", file.vectors.len())));
        }
        let vectors = file.vectors.into_iter().enumerate().map(|(i, entry)| {
            TestVector::from_entry(entry).map_err(|problem| invalid(format!("vectors[{i}].{problem}")))
        });
        Ok(Self { vectors: vectors.collect::<Result<_, _>>()? })
    }
}

impl TestVector {
    fn from_entry(entry: VectorEntry) -> Result<Self, String> {
        let input =
            hex::decode(&entry.input).map_err(|error| format!("input: {error}; write hexadecimal digits"))?;
        if input.len() > INPUT_SIZE_MAX {
            return Err(format!("input: {} bytes; at most {INPUT_SIZE_MAX} are taken", input.len()));
        }
        let hash = hash("hash", &entry.hash)?;
        if entry.nonce.is_some() && input.len() != HEADER_SIZE {
            return Err(format!(
                "nonce: only a header of {HEADER_SIZE} bytes has one, this input has {}",
                input.len()
            ));
        }
        let target = match (entry.target, entry.valid) {
            (Some(target), valid) => {
                Some((Target::from_le_bytes(self::hash("target", &target)?), valid.unwrap_or(true)))
            }
            (None, Some(_)) => {
                return Err("valid: says whether a target is met; give the target too".to_owned());
            }
            (None, None) => None,
        };
        Ok(Self { input, hash, nonce: entry.nonce, target, comment: entry.comment })
    }

    /// What is really hashed by an algorithm with a nonce of that size: the input, with the nonce in its place.
    #[must_use]
    pub fn hashed_input(&self, nonce_size: usize) -> Vec<u8> {
        let mut input = self.input.clone();
        if let Some(nonce) = self.nonce {
            let size = nonce_size.min(8).min(input.len());
            let at = input.len() - size;
            input[at..].copy_from_slice(&nonce.to_le_bytes()[..size]);
        }
        input
    }
}

fn hash(field: &str, digits: &str) -> Result<[u8; HASH_SIZE], String> {
    let mut bytes = [0; HASH_SIZE];
    hex::decode_to_slice(digits, &mut bytes).map_err(|error| {
        format!("{field}: {error}; write {} hexadecimal digits, byte 0 first", 2 * HASH_SIZE)
    })?;
    Ok(bytes)
}

/// What to measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BenchmarkData {
    /// Headers, hashed as one batch.
    pub inputs: Vec<Header>,
    /// Batches before the clock runs.
    pub warmup: u32,
    /// Batches while it runs, if time allows.
    pub iterations: u32,
    /// Hashes per second; the same as the manifest's.
    pub expected_hashrate: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BenchmarkFile {
    version: u32,
    inputs: Vec<String>,
    warmup: u32,
    iterations: u32,
    expected_hashrate: u64,
}

impl BenchmarkData {
    /// Reads and checks the file.
    ///
    /// # Errors
    /// [`Code::VectorsInvalid`] with the place and what is expected.
    pub fn parse(json: &[u8]) -> Result<Self, PackageError> {
        let invalid = |message: String| invalid(super::BENCHMARK_DATA, &message);
        let file: BenchmarkFile = from_json(json).map_err(|error| invalid(place(error)))?;
        check_version(file.version).map_err(invalid)?;
        if !(1..=BENCHMARK_INPUTS_MAX).contains(&file.inputs.len()) {
            return Err(invalid(format!("{} inputs; give 1 to {BENCHMARK_INPUTS_MAX}", file.inputs.len())));
        }
        if file.iterations == 0 || file.expected_hashrate == 0 {
            return Err(invalid("iterations and expected_hashrate must be at least 1".to_owned()));
        }
        let header = |(i, digits): (usize, &String)| {
            let mut header = [0; HEADER_SIZE];
            hex::decode_to_slice(digits, &mut header).map_err(|error| {
                invalid(format!(
                    "inputs[{i}]: {error}; write a header's {} hexadecimal digits",
                    2 * HEADER_SIZE
                ))
            })?;
            Ok(header)
        };
        let inputs = file.inputs.iter().enumerate().map(header).collect::<Result<_, PackageError>>()?;
        let BenchmarkFile { warmup, iterations, expected_hashrate, .. } = file;
        Ok(Self { inputs, warmup, iterations, expected_hashrate })
    }
}

fn check_version(version: u32) -> Result<(), String> {
    if version == 1 { Ok(()) } else { Err(format!("version: {version} is not known; write 1")) }
}

fn place(FieldError { field, problem }: FieldError) -> String {
    if field == "." { problem } else { format!("{field}: {problem}") }
}

fn invalid(file: &str, message: &str) -> PackageError {
    PackageError::new(Code::VectorsInvalid, format!("{file}: {message}"))
}
