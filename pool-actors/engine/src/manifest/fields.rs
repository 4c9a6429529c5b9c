//! Field types of the JSON files in a package: each holds only what is allowed, and says what is.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::fmt;

/// Where a JSON file is wrong, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Path of the field, such as `compatibility.cpu_features[0]`; `.` for the whole file.
    pub field: String,
    /// What is wrong and what is expected, with line and column.
    pub problem: String,
}

/// Reads a type from JSON, with nothing behind it.
pub(crate) fn from_json<T: DeserializeOwned>(json: &[u8]) -> Result<T, FieldError> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| FieldError {
        field: error.path().to_string(),
        problem: error.inner().to_string(),
    })?;
    reader.end().map_err(|error| FieldError { field: ".".to_owned(), problem: error.to_string() })?;
    Ok(value)
}

/// A name of an algorithm or function: 1 to 32 of a-z, 0-9 and dashes, beginning with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Identifier(String);

impl Identifier {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Identifier {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let good = (1..=32).contains(&name.len()) && !name.starts_with('-') && name.bytes().all(plain);
        if good {
            Ok(Self(name))
        } else {
            Err(format!("{} is no name: use 1 to 32 of a-z, 0-9 and dashes", shown(&name)))
        }
    }
}

/// A line for people: 1 to 1000 characters without control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Text(String);

impl Text {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Text {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        // Direction marks could make a report read otherwise than it is.
        let hidden = |c: char| {
            c.is_control()
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        let good = !text.trim().is_empty() && text.chars().count() <= 1000 && !text.chars().any(hidden);
        if good {
            Ok(Self(text))
        } else {
            Err("write 1 to 1000 characters, on one line, without control characters".to_owned())
        }
    }
}

/// A size of memory, written as a whole number and a unit of 1024s: `256MB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ByteSize(u64);

const UNITS: [(&str, u64); 3] = [("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)];

impl ByteSize {
    /// The size in bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl TryFrom<String> for ByteSize {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{} is no size: write 64KB to 64GB as a whole number and KB, MB or GB, such as \"256MB\"",
                shown(&text)
            )
        };
        let (unit, factor) = UNITS.into_iter().find(|(unit, _)| text.ends_with(unit)).ok_or_else(wrong)?;
        let digits = text[..text.len() - unit.len()].trim_end_matches(' ');
        let number = decimal(digits).ok_or_else(wrong)?;
        let bytes = number.checked_mul(factor).ok_or_else(wrong)?;
        if (64 << 10..=64 << 30).contains(&bytes) { Ok(Self(bytes)) } else { Err(wrong()) }
    }
}

impl From<ByteSize> for String {
    fn from(size: ByteSize) -> Self {
        size.to_string()
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, factor) =
            UNITS.into_iter().find(|(_, factor)| self.0.is_multiple_of(*factor)).unwrap_or(("KB", 1 << 10));
        write!(f, "{}{unit}", self.0 / factor)
    }
}

/// Hashes per second, at least 1; written as a string of digits, as in the format's example, or as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Number", into = "String")]
pub struct Hashrate(u64);

impl Hashrate {
    /// Hashes per second.
    #[must_use]
    pub const fn per_second(self) -> u64 {
        self.0
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a whole number of hashes per second, such as \"1000000\"")]
enum Number {
    Plain(u64),
    Text(String),
}

impl TryFrom<Number> for Hashrate {
    type Error = String;

    fn try_from(number: Number) -> Result<Self, String> {
        let value = match &number {
            Number::Plain(value) => Some(*value),
            Number::Text(text) => decimal(text),
        };
        let value = value.filter(|value| *value > 0);
        value.map(Self).ok_or_else(|| {
            "give a whole number of hashes per second, at least 1, such as \"1000000\"".to_owned()
        })
    }
}

impl From<Hashrate> for String {
    fn from(rate: Hashrate) -> Self {
        rate.0.to_string()
    }
}

/// Digits only: `parse` would take a plus sign.
fn decimal(digits: &str) -> Option<u64> {
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// A string in an error message: quoted, escaped and short.
pub(crate) fn shown(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    format!("{short:?}{}", if short.len() < text.len() { "..." } else { "" })
}

macro_rules! text_like {
    ($($type:ty),*) => { $(
        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )* };
}
text_like!(Identifier, Text);
