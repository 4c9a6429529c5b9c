//! Identities: small copyable numbers for what the pool makes, checked text for what outsiders name.

use alloc::sync::Arc;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident($repr:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $repr);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

number_id! {
    /// One connection of one miner; never reused while the process lives.
    SessionId(u64)
}
number_id! {
    /// One job as a miner knows it; always new, because clients ignore a repeated id with another difficulty.
    JobId(u64)
}
number_id! {
    /// One block template as the node handed it out.
    TemplateId(u64)
}
number_id! {
    /// Place of a share in this node's journal: starts at 1, no gaps.
    ShareSeq(u64)
}
number_id! {
    /// Index of an algorithm slot.
    SlotId(u16)
}
number_id! {
    /// Counts what has been deployed into a slot; a restart or swap makes a new generation.
    Generation(u32)
}

number_id! {
    /// One payout to the chain: a transaction, to one or many accounts.
    PayoutId(u64)
}
number_id! {
    /// One correction of the ledger by an operator.
    AdjustmentId(u64)
}

/// Where the shares of a job are validated: pinned when the job is issued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Route {
    /// The algorithm slot.
    pub slot: SlotId,
    /// The deployment inside that slot.
    pub generation: Generation,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.slot, self.generation)
    }
}

/// Text that can't be the identity it is given as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Wrong number of characters.
    #[error("{what} has {got} characters, expected {min} to {max}")]
    Length {
        /// What was being read.
        what: &'static str,
        /// Characters found.
        got: usize,
        /// Fewest allowed.
        min: usize,
        /// Most allowed.
        max: usize,
    },
    /// A character outside the identity's alphabet.
    #[error("{what} holds a character that is not allowed at position {position}")]
    Character {
        /// What was being read.
        what: &'static str,
        /// Byte position, from 0.
        position: usize,
    },
}

fn check_text(
    what: &'static str,
    text: &str,
    (min, max): (usize, usize),
    allowed: impl Fn(u8) -> bool,
) -> Result<(), IdError> {
    if text.len() < min || text.len() > max {
        return Err(IdError::Length { what, got: text.len(), min, max });
    }
    match text.bytes().position(|byte| !allowed(byte)) {
        Some(position) => Err(IdError::Character { what, position }),
        None => Ok(()),
    }
}

/// A block's identity: its hash in display order (most significant byte first, as explorers print it).
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockHash(pub [u8; 32]);

impl BlockHash {
    /// From the byte order that hash functions produce (least significant byte first).
    #[must_use]
    pub fn from_internal(mut bytes: [u8; 32]) -> Self {
        bytes.reverse();
        Self(bytes)
    }

    /// The byte order that headers hold (least significant byte first).
    #[must_use]
    pub fn to_internal(self) -> [u8; 32] {
        let mut bytes = self.0;
        bytes.reverse();
        bytes
    }
}

impl fmt::Display for BlockHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BlockHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockHash({self})")
    }
}

impl FromStr for BlockHash {
    type Err = IdError;

    /// Exactly 64 hexadecimal digits, no prefix; both cases are read, lower case is written.
    fn from_str(text: &str) -> Result<Self, IdError> {
        check_text("block hash", text, (64, 64), |byte| byte.is_ascii_hexdigit())?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)
            .map_err(|_| IdError::Character { what: "block hash", position: 0 })?;
        Ok(Self(bytes))
    }
}

impl Serialize for BlockHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BlockHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_text(deserializer, "64 hexadecimal digits", BlockHash::from_str)
    }
}

/// Deserialises from a string of any lifetime through a checked constructor.
pub(crate) fn deserialize_text<'de, D, T, E>(
    deserializer: D,
    expecting: &'static str,
    parse: fn(&str) -> Result<T, E>,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    E: fmt::Display,
{
    struct Text<T, E>(&'static str, fn(&str) -> Result<T, E>);
    impl<T, E: fmt::Display> de::Visitor<'_> for Text<T, E> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_str<X: de::Error>(self, text: &str) -> Result<T, X> {
            (self.1)(text).map_err(X::custom)
        }
    }
    deserializer.deserialize_str(Text(expecting, parse))
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $repr:ty, $what:literal, $range:expr, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($repr);

        impl $name {
            /// Checks the text.
            ///
            /// # Errors
            /// When it is too short, too long, or holds a character outside the alphabet.
            pub fn new(text: &str) -> Result<Self, IdError> {
                check_text($what, text, $range, $allowed)?;
                Ok(Self(text.into()))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        // `Hash` and `Ord` are those of the text, which is what `Borrow` demands.
        impl core::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserialize_text(deserializer, $what, $name::new)
            }
        }
    };
}

text_id! {
    /// Who is paid: a payout address in its chain's canonical text. 1 to 128 printable ASCII characters without
    /// `.` (it separates the worker name) and without space. Ordered by bytes: ties of a split are broken by it.
    Account, Arc<str>, "account", (1, 128), |byte| byte.is_ascii_graphic() && byte != b'.'
}

/// The same thing as [`Account`], under the name that ledgers use.
pub type AccountId = Account;

text_id! {
    /// One rig of an account. 0 to 64 characters of `[A-Za-z0-9]` and `_ - . : @ + / =`.
    WorkerName, Arc<str>, "worker name", (0, 64), |byte| byte.is_ascii_alphanumeric() || b"_-.:@+/=".contains(&byte)
}

impl Default for WorkerName {
    fn default() -> Self {
        Self("".into())
    }
}

/// Text of 32 ASCII characters at most, kept in place: every share names its hash function, and a counted reference costs
/// more than a copy.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct ShortText {
    /// Behind the text, zeros: they come before every character, so that the order is that of the text.
    bytes: [u8; Self::LENGTH_MAX],
    length: u8,
}

impl ShortText {
    const LENGTH_MAX: usize = 32;
}

impl From<&str> for ShortText {
    /// `text` was checked: it is not too long, and holds no zero.
    fn from(text: &str) -> Self {
        let mut bytes = [0; Self::LENGTH_MAX];
        let length = text.len().min(Self::LENGTH_MAX);
        bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
        Self { bytes, length: u8::try_from(length).unwrap_or_default() }
    }
}

impl core::ops::Deref for ShortText {
    type Target = str;

    fn deref(&self) -> &str {
        core::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl core::hash::Hash for ShortText {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        str::hash(self, state);
    }
}

impl fmt::Debug for ShortText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

text_id! {
    /// A hash function's name, such as `sha256d`. 1 to 32 characters of `[a-z0-9-]`.
    AlgorithmName, ShortText, "algorithm name", (1, ShortText::LENGTH_MAX), |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
}

#[cfg(test)]
mod tests {
    use std::string::ToString;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn block_hash_reads_64_digits_only() {
        let text = "00000000000000000002a7c4c1e48d76c5a37902165a270156b7a8d72728a054";
        let hash: BlockHash = text.parse().unwrap();
        assert_eq!(hash.to_string(), text);
        assert_eq!(hash.0[31], 0x54);
        assert_eq!(BlockHash::from_internal(hash.to_internal()), hash);
        assert_eq!(hash.to_internal()[0], 0x54);
        assert_eq!(std::format!("{hash:?}"), std::format!("BlockHash({text})"));
        assert!(text[1..].parse::<BlockHash>().is_err());
        assert!(std::format!("0x{}", &text[2..]).parse::<BlockHash>().is_err());
        assert!(std::format!("{text}0").parse::<BlockHash>().is_err());
        assert_eq!(text.to_uppercase().parse::<BlockHash>().unwrap(), hash);
        let json = serde_json::to_string(&hash).unwrap();
        assert_eq!(json, std::format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<BlockHash>(&json).unwrap(), hash);
        assert!(serde_json::from_str::<BlockHash>("7").is_err());
    }

    #[test]
    fn accounts_are_checked_and_ordered_by_bytes() {
        assert!(Account::new("kaspa:qqkqkzjvr7zwxxmjxjkmxx").is_ok());
        assert!(Account::new("0xAbC").is_ok());
        assert_eq!(Account::new(""), Err(IdError::Length { what: "account", got: 0, min: 1, max: 128 }));
        assert_eq!(Account::new("a.b"), Err(IdError::Character { what: "account", position: 1 }));
        assert!(Account::new("a b").is_err());
        assert!(Account::new("\u{e9}").is_err());
        assert!(Account::new(&"x".repeat(129)).is_err());
        assert!(Account::new(&"x".repeat(128)).is_ok());
        let mut sorted: Vec<_> = ["b", "B", "a"].iter().map(|text| Account::new(text).unwrap()).collect();
        sorted.sort();
        assert_eq!(sorted.iter().map(Account::as_str).collect::<Vec<_>>(), ["B", "a", "b"]);
    }

    #[test]
    fn names_of_functions_are_found_and_ordered_by_their_text() {
        let texts = ["a", "aa", "ab", "b", "scrypt", "scrypt-bdag", "abcdefghijklmnopqrstuvwxyz-01234"];
        let names: std::collections::BTreeMap<AlgorithmName, &str> =
            texts.iter().map(|text| (AlgorithmName::new(text).unwrap(), *text)).collect();
        let mut sorted = texts;
        sorted.sort_unstable();
        assert_eq!(names.values().copied().collect::<Vec<_>>(), sorted);
        assert!(texts.iter().all(|text| names.get(*text) == Some(text)));
        let hashed: std::collections::HashSet<AlgorithmName> = names.keys().cloned().collect();
        assert!(texts.iter().all(|text| hashed.contains(*text)));
        assert!(AlgorithmName::new(&"x".repeat(33)).is_err());
        assert_eq!(std::format!("{:?}", AlgorithmName::new("x11").unwrap()), "AlgorithmName(\"x11\")");
    }

    #[test]
    fn names_round_trip_through_json() {
        let worker: WorkerName = serde_json::from_str("\"rig-1.a\"").unwrap();
        assert_eq!(worker.as_ref(), "rig-1.a");
        assert_eq!(serde_json::to_string(&worker).unwrap(), "\"rig-1.a\"");
        assert_eq!(WorkerName::default().as_str(), "");
        assert!("rig 1".parse::<WorkerName>().is_err());
        assert!(serde_json::from_str::<AlgorithmName>("\"SHA\"").is_err());
        assert_eq!(AlgorithmName::new("scrypt-bdag").unwrap().to_string(), "scrypt-bdag");
        let map: std::collections::BTreeMap<Account, u8> = [(Account::new("a").unwrap(), 1)].into();
        assert_eq!(map.get("a"), Some(&1));
        let route = Route { slot: SlotId(2), generation: Generation(7) };
        assert_eq!(route.to_string(), "2.7");
        assert_eq!(serde_json::to_string(&route).unwrap(), r#"{"slot":2,"generation":7}"#);
        assert_eq!(ShareSeq(5).to_string(), "5");
    }
}
