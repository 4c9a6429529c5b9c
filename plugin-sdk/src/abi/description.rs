//! What an algorithm says about itself, as it crosses the interface.

use super::json::Object;
use crate::{AlgorithmInfo, PowAlgorithm, Target};
use alloc::{format, string::String, vec::Vec};

/// The answer to `info`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Identity and needs.
    pub info: AlgorithmInfo,
    /// The only input size in bytes, if there is one.
    pub input_size: Option<usize>,
    /// Bytes of the nonce at the end of a header.
    pub nonce_size: usize,
}

impl Description {
    /// Of an algorithm.
    #[must_use]
    pub fn of(algorithm: &dyn PowAlgorithm) -> Self {
        Self {
            info: algorithm.info(),
            input_size: algorithm.input_size(),
            nonce_size: algorithm.nonce_size(),
        }
    }

    /// As JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let info = &self.info;
        Object::new()
            .with("name", info.name.as_str())
            .with("version", info.version.as_str())
            .with("hash_function", info.hash_function.as_str())
            .with("output_size", info.output_size as u64)
            .with("cpu_intensive", info.cpu_intensive)
            .with("difficulty_one", format!("{}", info.difficulty_one))
            .with("input_size", self.input_size.map(|size| size as u64))
            .with("nonce_size", self.nonce_size as u64)
            .to_json()
    }

    /// From JSON.
    ///
    /// # Errors
    /// What is missing or wrong.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let object = Object::parse(json)?;
        let size =
            |key| object.number(key).and_then(|size| usize::try_from(size).map_err(|e| format!("{e}")));
        let name = object.text("name")?;
        let difficulty_one = target(object.text("difficulty_one")?)?;
        let mut info = AlgorithmInfo::new(name, object.text("version")?, difficulty_one);
        // These may be left out where they are what is usual.
        if object.get("hash_function").is_some() {
            info.hash_function = object.text("hash_function")?.into();
        }
        if object.get("output_size").is_some() {
            info.output_size = size("output_size")?;
        }
        info.cpu_intensive = object.get("cpu_intensive").is_some() && object.flag("cpu_intensive")?;
        let input_size = object.get("input_size").is_some().then(|| size("input_size")).transpose()?;
        let nonce_size = if object.get("nonce_size").is_some() { size("nonce_size")? } else { 4 };
        if !(1..=8).contains(&nonce_size) {
            return Err(format!("a nonce of {nonce_size} bytes: 1 to 8 are possible"));
        }
        Ok(Self { info, input_size, nonce_size })
    }
}

/// A target from its 64 hexadecimal digits.
pub(super) fn target(digits: &str) -> Result<Target, String> {
    let bytes = hex::decode(digits).and_then(|bytes| bytes.try_into().ok());
    bytes
        .map(Target::from_be_bytes)
        .ok_or_else(|| format!("{digits:?} is no target of 64 hexadecimal digits"))
}

/// Bytes as hexadecimal digits.
pub mod hex {
    use super::{String, Vec};

    /// Two lower case digits per byte.
    #[must_use]
    pub fn encode(bytes: &[u8]) -> String {
        let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0');
        bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    }

    /// The bytes, if there are two digits for each.
    #[must_use]
    pub fn decode(digits: &str) -> Option<Vec<u8>> {
        let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
        let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
        let byte = |pair: &[u8; 2]| Some(value(pair[0])? << 4 | value(pair[1])?);
        if rest.is_empty() { pairs.iter().map(byte).collect() } else { None }
    }
}
