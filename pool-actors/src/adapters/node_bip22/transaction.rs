//! Transactions in Bitcoin's own form (without witnesses), read strictly: as much as is needed to see that what was signed
//! is what was to be signed.

use pool_domain::units::Amount;
use sha2::{Digest as _, Sha256};

/// What is read of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parsed {
    /// As the chain writes it: double SHA-256, reversed, hex.
    pub(super) txid: String,
    pub(super) version: [u8; 4],
    pub(super) inputs: Vec<Input>,
    pub(super) outputs: Vec<Output>,
    pub(super) lock_time: [u8; 4],
}

/// An input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Input {
    pub(super) txid: String,
    pub(super) index: u32,
    pub(super) script: Vec<u8>,
    pub(super) sequence: [u8; 4],
}

/// An output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Output {
    pub(super) amount: Amount,
    pub(super) script: Vec<u8>,
}

/// Reads a whole transaction; `None` when a byte is missing or left over.
pub(super) fn parse(bytes: &[u8]) -> Option<Parsed> {
    let mut rest = bytes;
    let version = array(&mut rest)?;
    let count = number(&mut rest)?;
    let mut inputs = Vec::new();
    for _ in 0..count {
        let hash: [u8; 32] = array(&mut rest)?;
        let index = u32::from_le_bytes(array(&mut rest)?);
        let script = script(&mut rest)?;
        inputs.push(Input { txid: reversed(hash), index, script, sequence: array(&mut rest)? });
    }
    let count = number(&mut rest)?;
    let mut outputs = Vec::new();
    for _ in 0..count {
        let amount = Amount(i128::from(u64::from_le_bytes(array(&mut rest)?)));
        outputs.push(Output { amount, script: script(&mut rest)? });
    }
    let lock_time = array(&mut rest)?;
    let txid = reversed(Sha256::digest(Sha256::digest(bytes)).into());
    rest.is_empty().then_some(Parsed { txid, version, inputs, outputs, lock_time })
}

fn reversed(mut hash: [u8; 32]) -> String {
    hash.reverse();
    hex::encode(hash)
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

fn array<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    take(rest, N)?.try_into().ok()
}

fn script(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let length = usize::try_from(number(rest)?).ok()?;
    take(rest, length).map(<[u8]>::to_vec)
}

/// Bitcoin's variable-length number.
fn number(rest: &mut &[u8]) -> Option<u64> {
    let [first] = array(rest)?;
    Some(match first {
        0xfd => u64::from(u16::from_le_bytes(array(rest)?)),
        0xfe => u64::from(u32::from_le_bytes(array(rest)?)),
        0xff => u64::from_le_bytes(array(rest)?),
        small => u64::from(small),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bitcoins_first_payment_is_read() {
        // Block 170, Satoshi to Hal Finney.
        let bytes = hex::decode(concat!(
            "0100000001c997a5e56e104102fa209c6a852dd90660a20b2d9c352423edce25857fcd3704000000004847304402",
            "204e45e16932b8af514961a1d3a1a25fdf3f4f7732e9d624c6c61548ab5fb8cd410220181522ec8eca07de4860a4",
            "acdd12909d831cc56cbbac4622082221a8768d1d0901ffffffff0200ca9a3b00000000434104ae1a62fe09c5f51b",
            "13905f07f06b99a2f7159b2225f374cd378d71302fa28414e7aab37397f554a7df5f142c21c1b7303b8a0626f1ba",
            "ded5c72a704f7e6cd84cac00286bee0000000043410411db93e1dcdb8a016b49840f8c53bc1eb68a382e97b1482e",
            "cad7b148a6909a5cb2e0eaddfb84ccf9744464f82e160bfa9b8b64f9d4c03f999b8643f656b412a3ac00000000"
        ))
        .unwrap();
        let parsed = parse(&bytes).unwrap();
        assert_eq!(parsed.txid, "f4184fc596403b9d638783cf57adfe4c75c605f6356fbc91338530e9831e9e16");
        assert_eq!(parsed.inputs[0].txid, "0437cd7f8525ceed2324359c2d0ba26006d92d856a9c20fa0241106ee5a597c9");
        let amounts: Vec<_> = parsed.outputs.iter().map(|output| output.amount.0).collect();
        assert_eq!(amounts, [1_000_000_000, 4_000_000_000]);
        for cut in 0..bytes.len() {
            assert_eq!(parse(&bytes[..cut]), None);
        }
        assert_eq!(parse(&[&bytes[..], &[0]].concat()), None);
    }

    proptest! {
        #[test]
        fn rubbish_is_refused_without_panic(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}
