//! Kaspa addresses: `prefix:payload` with the checksum of CashAddr (a BCH code of 40 bits over the prefix and the
//! payload), as in rusty-kaspa, `crypto/addresses`. Everything is checked; nothing is guessed.

use alloc::vec::Vec;
use core::fmt;

const CHARSET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const CHECKSUM_DIGITS: usize = 8;
/// Longest text that is looked at.
const TEXT_LENGTH_MAX: usize = 96;

/// Which network an address belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KaspaNetwork {
    /// The main network.
    Main,
    /// The test networks.
    Test,
    /// Simulation networks.
    Sim,
    /// Development networks.
    Dev,
}

impl KaspaNetwork {
    const ALL: [Self; 4] = [Self::Main, Self::Test, Self::Sim, Self::Dev];

    /// The part of an address before the colon.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Main => "kaspa",
            Self::Test => "kaspatest",
            Self::Sim => "kaspasim",
            Self::Dev => "kaspadev",
        }
    }

    /// The network of a node's network id (`mainnet`, `testnet-10`, `simnet`, `devnet`).
    #[must_use]
    pub fn of_network_id(id: &str) -> Option<Self> {
        match id.split('-').next() {
            Some("mainnet") => Some(Self::Main),
            Some("testnet") => Some(Self::Test),
            Some("simnet") => Some(Self::Sim),
            Some("devnet") => Some(Self::Dev),
            _ => None,
        }
    }
}

/// What an address pays to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KaspaPayee {
    /// Schnorr public key (version 0).
    SchnorrKey([u8; 32]),
    /// ECDSA public key (version 1).
    EcdsaKey([u8; 33]),
    /// Hash of a script (version 8).
    ScriptHash([u8; 32]),
}

/// A checked address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KaspaAddress {
    /// Its network.
    pub network: KaspaNetwork,
    /// What it pays to.
    pub payee: KaspaPayee,
}

/// Why a text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KaspaAddressError {
    /// Not `prefix:payload` of a plausible length.
    #[error("not of the form kaspa:..., or too long")]
    Form,
    /// Unknown prefix.
    #[error("the prefix is none of kaspa, kaspatest, kaspasim, kaspadev")]
    Prefix,
    /// A character that addresses do not have (they are lower-case).
    #[error("a character that addresses do not have at position {0}")]
    Character(usize),
    /// The checksum is wrong: mistyped or cut off.
    #[error("the checksum is wrong: the address is mistyped or cut off")]
    Checksum,
    /// The kind of address is unknown, or its length does not fit the kind.
    #[error("unknown kind of address, or wrong length for its kind")]
    Kind,
    /// An address of another network.
    #[error("an address of another network: {0} is expected", expected.prefix())]
    Network {
        /// The network wanted.
        expected: KaspaNetwork,
    },
}

impl KaspaAddress {
    /// Reads an address.
    ///
    /// # Errors
    /// See [`KaspaAddressError`].
    pub fn parse(text: &str) -> Result<Self, KaspaAddressError> {
        if text.len() > TEXT_LENGTH_MAX {
            return Err(KaspaAddressError::Form);
        }
        let (prefix, payload) = text.split_once(':').ok_or(KaspaAddressError::Form)?;
        let network = KaspaNetwork::ALL
            .into_iter()
            .find(|network| network.prefix() == prefix)
            .ok_or(KaspaAddressError::Prefix)?;
        let mut digits = Vec::with_capacity(payload.len());
        for (position, byte) in payload.bytes().enumerate() {
            let digit = CHARSET.iter().position(|known| *known == byte);
            let digit = digit.and_then(|digit| u8::try_from(digit).ok());
            digits.push(digit.ok_or(KaspaAddressError::Character(prefix.len() + 1 + position))?);
        }
        if digits.len() <= CHECKSUM_DIGITS {
            return Err(KaspaAddressError::Form);
        }
        if checksum(prefix, &digits) != 0 {
            return Err(KaspaAddressError::Checksum);
        }
        let bytes = to_bytes(&digits[..digits.len() - CHECKSUM_DIGITS]).ok_or(KaspaAddressError::Kind)?;
        let (version, key) = bytes.split_first().ok_or(KaspaAddressError::Kind)?;
        let payee = match version {
            0 => key.try_into().map(KaspaPayee::SchnorrKey),
            1 => key.try_into().map(KaspaPayee::EcdsaKey),
            8 => key.try_into().map(KaspaPayee::ScriptHash),
            _ => return Err(KaspaAddressError::Kind),
        };
        Ok(Self { network, payee: payee.map_err(|_| KaspaAddressError::Kind)? })
    }

    /// Reads an address of `network`.
    ///
    /// # Errors
    /// As [`Self::parse`], and when it belongs to another network.
    pub fn parse_for(text: &str, network: KaspaNetwork) -> Result<Self, KaspaAddressError> {
        let address = Self::parse(text)?;
        if address.network != network {
            return Err(KaspaAddressError::Network { expected: network });
        }
        Ok(address)
    }

    /// The script (of version 0) that pays to the address.
    #[must_use]
    pub fn script(&self) -> Vec<u8> {
        // OP_DATA_32 key OP_CHECKSIG; OP_DATA_33 key OP_CHECKSIG_ECDSA; OP_BLAKE2B OP_DATA_32 hash OP_EQUAL.
        match &self.payee {
            KaspaPayee::SchnorrKey(key) => [&[0x20], &key[..], &[0xac]].concat(),
            KaspaPayee::EcdsaKey(key) => [&[0x21], &key[..], &[0xab]].concat(),
            KaspaPayee::ScriptHash(hash) => [&[0xaa, 0x20], &hash[..], &[0x87]].concat(),
        }
    }
}

impl fmt::Display for KaspaAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (version, key): (u8, &[u8]) = match &self.payee {
            KaspaPayee::SchnorrKey(key) => (0, key),
            KaspaPayee::EcdsaKey(key) => (1, key),
            KaspaPayee::ScriptHash(hash) => (8, hash),
        };
        let prefix = self.network.prefix();
        let mut digits = to_digits(&[&[version], key].concat());
        let payload = digits.len();
        digits.extend([0; CHECKSUM_DIGITS]);
        let sum = checksum(prefix, &digits);
        for (place, digit) in digits[payload..].iter_mut().enumerate() {
            *digit = (sum >> (5 * (CHECKSUM_DIGITS - 1 - place)) & 31) as u8;
        }
        write!(f, "{prefix}:")?;
        digits.iter().try_for_each(|digit| write!(f, "{}", char::from(CHARSET[usize::from(*digit)])))
    }
}

/// The BCH remainder over the prefix, a zero, and the digits: 0 for a correct address.
fn checksum(prefix: &str, digits: &[u8]) -> u64 {
    const GENERATOR: [u64; 5] =
        [0x98_f2bc_8e61, 0x79_b76d_99e2, 0xf3_3e5f_b3c4, 0xae_2eab_e2a8, 0x1e_4f43_e470];
    let prefix = prefix.bytes().map(|byte| byte & 31);
    let remainder = prefix.chain([0]).chain(digits.iter().copied()).fold(1u64, |sum, digit| {
        let top = sum >> 35;
        let shifted = (sum & 0x07_ffff_ffff) << 5 ^ u64::from(digit);
        GENERATOR
            .iter()
            .enumerate()
            .fold(shifted, |sum, (bit, term)| if top >> bit & 1 == 1 { sum ^ term } else { sum })
    });
    remainder ^ 1
}

/// Regroups 5-bit digits into bytes; the bits left over must be fewer than a digit, and zero.
fn to_bytes(digits: &[u8]) -> Option<Vec<u8>> {
    let (mut word, mut bits, mut bytes) = (0u32, 0u32, Vec::with_capacity(digits.len() * 5 / 8));
    for digit in digits {
        word = word << 5 | u32::from(*digit);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((word >> bits & 0xff) as u8);
        }
    }
    (bits < 5 && word & ((1 << bits) - 1) == 0).then_some(bytes)
}

fn to_digits(bytes: &[u8]) -> Vec<u8> {
    let (mut word, mut bits, mut digits) = (0u32, 0u32, Vec::with_capacity(bytes.len() * 8 / 5 + 1));
    for byte in bytes {
        word = word << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            digits.push((word >> bits & 31) as u8);
        }
    }
    if bits > 0 {
        digits.push((word << (5 - bits) & 31) as u8);
    }
    digits
}

#[cfg(test)]
mod tests {
    use std::string::{String, ToString};

    use proptest::prelude::*;

    use super::*;

    /// Taken by kaspad 2.1.0 on its simulation network: the x coordinate of secp256k1's generator.
    const SIMNET: &str = "kaspasim:qpumuen7l8wthtz45p3ftn58pvrs9xlumvkuu2xet8egzkcklqtes65ue9mw6";

    #[test]
    fn kaspads_own_vectors() {
        // rusty-kaspa, crypto/addresses/src/lib.rs, tests.
        let mut key = [0; 33];
        hex::decode_to_slice("ba01fc5f4e9d9879599c69a3dafdb835a7255e5f2e934e9322ecd3af190ab0f60e", &mut key)
            .unwrap();
        for (text, network, payee) in [
            (
                "kaspa:qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqkx9awp4e",
                KaspaNetwork::Main,
                KaspaPayee::SchnorrKey([0; 32]),
            ),
            (
                "kaspatest:qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqhqrxplya",
                KaspaNetwork::Test,
                KaspaPayee::SchnorrKey([0; 32]),
            ),
            (
                "kaspatest:qyqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqhe837j2d",
                KaspaNetwork::Test,
                KaspaPayee::EcdsaKey([0; 33]),
            ),
            (
                "kaspatest:qxaqrlzlf6wes72en3568khahq66wf27tuhfxn5nytkd8tcep2c0vrse6gdmpks",
                KaspaNetwork::Test,
                KaspaPayee::EcdsaKey(key),
            ),
        ] {
            let address = KaspaAddress::parse(text).unwrap();
            assert_eq!((address.network, address.payee), (network, payee));
            assert_eq!(address.to_string(), text);
        }
        let address = KaspaAddress::parse(SIMNET).unwrap();
        assert_eq!(
            hex::encode(address.script()),
            "2079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798ac"
        );
        assert_eq!(address.to_string(), SIMNET);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let fails = |text: &str| KaspaAddress::parse(text).unwrap_err();
        assert_eq!(fails(""), KaspaAddressError::Form);
        assert_eq!(fails("kaspa:"), KaspaAddressError::Form);
        assert_eq!(fails(&SIMNET.replace("kaspasim:", "")), KaspaAddressError::Form);
        assert_eq!(fails(&SIMNET.replace("kaspasim", "bitcoin")), KaspaAddressError::Prefix);
        assert_eq!(fails(&SIMNET.to_uppercase()), KaspaAddressError::Prefix);
        assert_eq!(fails(&SIMNET.replace("qpumu", "qpUmu")), KaspaAddressError::Character(11));
        assert_eq!(fails(&SIMNET.replace("kaspasim", "kaspa")), KaspaAddressError::Checksum);
        assert_eq!(fails(&SIMNET[..SIMNET.len() - 1]), KaspaAddressError::Checksum);
        assert_eq!(fails(&(SIMNET.to_string() + &"q".repeat(40))), KaspaAddressError::Form);
        let other = KaspaAddress::parse_for(SIMNET, KaspaNetwork::Main).unwrap_err();
        assert!(other.to_string().contains("kaspa is expected"));
        assert!(KaspaAddress::parse_for(SIMNET, KaspaNetwork::Sim).is_ok());
    }

    #[test]
    fn kinds_have_their_scripts_and_lengths() {
        let script = |payee| hex::encode(KaspaAddress { network: KaspaNetwork::Dev, payee }.script());
        assert!(
            script(KaspaPayee::EcdsaKey([2; 33])).starts_with("2102")
                && script(KaspaPayee::EcdsaKey([2; 33])).ends_with("ab")
        );
        assert!(
            script(KaspaPayee::ScriptHash([3; 32])).starts_with("aa2003")
                && script(KaspaPayee::ScriptHash([3; 32])).ends_with("87")
        );
        // A correct checksum over a key that is too short, and over an unknown kind.
        for bytes in [&[0u8; 32][..], &[5u8; 33]] {
            let mut digits = to_digits(bytes);
            let payload = digits.len();
            digits.extend([0; CHECKSUM_DIGITS]);
            let sum = checksum("kaspa", &digits);
            for place in 0..CHECKSUM_DIGITS {
                digits[payload + place] = (sum >> (5 * (7 - place)) & 31) as u8;
            }
            let text: String = digits.iter().map(|digit| char::from(CHARSET[usize::from(*digit)])).collect();
            assert_eq!(KaspaAddress::parse(&("kaspa:".to_string() + &text)), Err(KaspaAddressError::Kind));
        }
    }

    #[test]
    fn networks_by_the_nodes_name() {
        assert_eq!(KaspaNetwork::of_network_id("mainnet"), Some(KaspaNetwork::Main));
        assert_eq!(KaspaNetwork::of_network_id("testnet-10"), Some(KaspaNetwork::Test));
        assert_eq!(KaspaNetwork::of_network_id("simnet"), Some(KaspaNetwork::Sim));
        assert_eq!(KaspaNetwork::of_network_id("devnet"), Some(KaspaNetwork::Dev));
        assert_eq!(KaspaNetwork::of_network_id("bitcoin"), None);
    }

    fn any_address() -> impl Strategy<Value = KaspaAddress> {
        let payee = prop_oneof![
            any::<[u8; 32]>().prop_map(KaspaPayee::SchnorrKey),
            (any::<[u8; 32]>(), any::<u8>()).prop_map(|(tail, first)| {
                let mut key = [first; 33];
                key[1..].copy_from_slice(&tail);
                KaspaPayee::EcdsaKey(key)
            }),
            any::<[u8; 32]>().prop_map(KaspaPayee::ScriptHash),
        ];
        (payee, 0usize..4)
            .prop_map(|(payee, network)| KaspaAddress { network: KaspaNetwork::ALL[network], payee })
    }

    proptest! {
        #[test]
        fn text_and_address_are_one_to_one(address in any_address()) {
            prop_assert_eq!(KaspaAddress::parse(&address.to_string()), Ok(address));
        }

        #[test]
        fn a_mistyped_character_is_always_noticed(address in any_address(), place in 0usize..70, other in 0usize..32) {
            let mut text = address.to_string().into_bytes();
            let colon = address.network.prefix().len();
            let place = colon + 1 + place % (text.len() - colon - 1);
            prop_assume!(text[place] != CHARSET[other]);
            text[place] = CHARSET[other];
            let text = String::from_utf8(text).unwrap();
            prop_assert_eq!(KaspaAddress::parse(&text), Err(KaspaAddressError::Checksum));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,100}") {
            let _ = KaspaAddress::parse(&text);
            let _ = KaspaAddress::parse(&("kaspa:".to_string() + &text));
        }
    }
}
