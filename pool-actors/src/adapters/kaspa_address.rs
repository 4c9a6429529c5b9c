//! Kaspa addresses: `prefix:payload`, base32 with the 40-bit BCH checksum of the CashAddr specification.
//!
//! The payload is a version byte (0: Schnorr key, 1: ECDSA key, 8: script hash), the key or hash, and the checksum over
//! prefix and payload. Full check, no pattern matching: a mistyped address would be paid into nowhere.

use pool_domain::ids::{Account, WorkerName};

const CHARSET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
/// Characters of the checksum: 40 bits of 5.
const CHECKSUM_CHARS: usize = 8;
/// Address prefixes by network, as kaspad names the networks.
const PREFIXES: [(&str, &str); 4] =
    [("mainnet", "kaspa"), ("testnet", "kaspatest"), ("simnet", "kaspasim"), ("devnet", "kaspadev")];

/// Reads `address.worker` where the address must be of `network` (any known one if it is empty).
///
/// # Errors
/// What is wrong, in words for the miner.
pub fn user(text: &str, network: &str) -> Result<(Account, WorkerName), String> {
    let (address, worker) = text.split_once('.').unwrap_or((text, ""));
    let address = canonical(address, network)?;
    let account = Account::new(&address).map_err(|error| format!("address: {error}"))?;
    let worker = WorkerName::new(worker).map_err(|error| format!("worker {worker:?}: {error}"))?;
    Ok((account, worker))
}

/// The canonical (lower-case) form of a valid address.
///
/// # Errors
/// What is wrong, in words for the miner.
pub fn canonical(address: &str, network: &str) -> Result<String, String> {
    let mixed =
        address.bytes().any(|b| b.is_ascii_lowercase()) && address.bytes().any(|b| b.is_ascii_uppercase());
    if mixed {
        return Err("address mixes upper and lower case".to_owned());
    }
    let address = address.to_ascii_lowercase();
    let (prefix, payload) = address.split_once(':').ok_or("address has no prefix such as kaspa:")?;
    check_prefix(prefix, network)?;
    let digits = digits(payload)?;
    if digits.len() <= CHECKSUM_CHARS {
        return Err("address is too short".to_owned());
    }
    let checked = prefix.bytes().map(|b| b & 0x1f).chain([0]).chain(digits.iter().copied());
    if polymod(checked) != 0 {
        return Err("address has a wrong checksum: it is mistyped".to_owned());
    }
    check_payload(&digits[..digits.len() - CHECKSUM_CHARS])?;
    Ok(address)
}

fn check_prefix(prefix: &str, network: &str) -> Result<(), String> {
    // "testnet-10" and the like have a suffix.
    let network = network.split('-').next().unwrap_or_default();
    let expected = PREFIXES.iter().find(|(name, _)| *name == network).map(|(_, prefix)| *prefix);
    match expected {
        Some(expected) if expected != prefix => {
            Err(format!("address is {prefix}:, this pool mines {expected}:"))
        }
        None if !PREFIXES.iter().any(|(_, known)| *known == prefix) => {
            Err(format!("address prefix {prefix}: is not Kaspa's"))
        }
        _ => Ok(()),
    }
}

fn digits(payload: &str) -> Result<Vec<u8>, String> {
    let digit = |character: u8| {
        let position = CHARSET.iter().position(|known| *known == character);
        position
            .and_then(|position| u8::try_from(position).ok())
            .ok_or_else(|| format!("address holds {:?}, which no address does", char::from(character)))
    };
    payload.bytes().map(digit).collect()
}

/// Version and length must fit, and the padding bits must be zero.
fn check_payload(digits: &[u8]) -> Result<(), String> {
    let bits = digits.len() * 5;
    let version = digits.first().zip(digits.get(1)).map(|(high, low)| high << 3 | low >> 2);
    let expected = match version {
        Some(0 | 8) => 33,
        Some(1) => 34,
        _ => return Err("address is of an unknown version".to_owned()),
    };
    let padding = bits % 8;
    let last = digits.last().copied().unwrap_or_default();
    if bits / 8 != expected || padding >= 5 || last & ((1 << padding) - 1) != 0 {
        return Err("address has a wrong length".to_owned());
    }
    Ok(())
}

/// The checksum of the CashAddr specification; 0 for a valid sequence.
fn polymod(digits: impl Iterator<Item = u8>) -> u64 {
    const GENERATORS: [u64; 5] =
        [0x98_f2bc_8e61, 0x79_b76d_99e2, 0xf3_3e5f_b3c4, 0xae_2eab_e2a8, 0x1e_4f43_e470];
    let fold = |sum: u64, digit: u8| {
        let top = sum >> 35;
        let sum = ((sum & 0x07_ffff_ffff) << 5) ^ u64::from(digit);
        (0..5).filter(|bit| top >> bit & 1 == 1).fold(sum, |sum, bit| sum ^ GENERATORS[bit])
    };
    digits.fold(1, fold) ^ 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An all-zero Schnorr key, as rusty-kaspa's own tests write it.
    const ZERO: &str = "kaspa:qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqkx9awp4e";

    #[test]
    fn good_addresses_are_canonical() {
        assert_eq!(canonical(ZERO, "mainnet").unwrap(), ZERO);
        assert_eq!(canonical(&ZERO.to_uppercase(), "").unwrap(), ZERO);
        let (account, worker) = user(&format!("{ZERO}.rig-1"), "mainnet").unwrap();
        assert_eq!((account.as_str(), worker.as_str()), (ZERO, "rig-1"));
    }

    #[test]
    fn any_single_mistake_is_found() {
        let payload = ZERO.find(':').unwrap() + 1;
        for at in payload..ZERO.len() {
            let mut wrong = ZERO.as_bytes().to_vec();
            wrong[at] = if wrong[at] == b'p' { b'z' } else { b'p' };
            assert!(canonical(std::str::from_utf8(&wrong).unwrap(), "").is_err(), "at {at}");
        }
    }

    #[test]
    fn each_mistake_is_named() {
        for (address, network, word) in [
            (ZERO, "simnet", "this pool mines kaspasim:"),
            ("bitcoincash:qqqqqqqqqqq", "", "not Kaspa's"),
            ("qqqq", "", "no prefix"),
            ("kaspa:qqqq", "", "too short"),
            ("kaspa:qqqqqqqqqqqbqqqqqqqqq", "", "'b'"),
            ("kaspa:Qqqqq", "", "mixes"),
        ] {
            let error = canonical(address, network).unwrap_err();
            assert!(error.contains(word), "{address}: {error}");
        }
    }
}
