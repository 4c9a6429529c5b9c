//! Header layouts: how a job and a miner's solution become the 80 bytes that are hashed.
//!
//! A layout is prepared once per template and shared by all sessions; [`HeaderLayout::assemble`] runs for every
//! share, so the part of the coinbase before the extranonce is hashed in advance (its SHA-256 midstate is kept).

use alloc::boxed::Box;
use alloc::vec::Vec;

use sha2::{Digest, Sha256};

use crate::dedup::HeaderSpace;
use crate::merkle;
use crate::share::Solution;

/// The proof-of-work input of every supported chain.
pub type Header80 = [u8; 80];

/// A coinbase transaction with a hole for the extranonce.
#[derive(Clone, Debug)]
pub struct SplitCoinbase {
    first: Box<[u8]>,
    midstate: Sha256,
    second: Box<[u8]>,
}

impl SplitCoinbase {
    /// From the bytes before and after the extranonce (in the serialisation that the transaction id is made of).
    #[must_use]
    pub fn new(first: &[u8], second: &[u8]) -> Self {
        Self { first: first.into(), midstate: Sha256::new_with_prefix(first), second: second.into() }
    }

    /// The transaction id in header byte order: sha256d(first | extranonce | second).
    #[must_use]
    pub fn id(&self, extranonce: &[u8]) -> [u8; 32] {
        let mut hasher = self.midstate.clone();
        hasher.update(extranonce);
        hasher.update(&self.second);
        Sha256::digest(hasher.finalize()).into()
    }

    /// The whole transaction, for assembling a block.
    #[must_use]
    pub fn assemble(&self, extranonce: &[u8]) -> Vec<u8> {
        [&self.first, extranonce, &self.second].concat()
    }

    /// Bytes before the extranonce (`coinb1` on the wire).
    #[must_use]
    pub fn first(&self) -> &[u8] {
        &self.first
    }

    /// Bytes after the extranonce (`coinb2` on the wire).
    #[must_use]
    pub fn second(&self) -> &[u8] {
        &self.second
    }
}

/// Bitcoin's header: version, previous block, Merkle root, time, bits, nonce; integers little-endian.
#[derive(Clone, Debug)]
pub struct Bitcoin80 {
    /// Previous block in header byte order.
    pub previous: [u8; 32],
    /// The coinbase around the extranonce.
    pub coinbase: SplitCoinbase,
    /// Branch of the coinbase, bottom first, header byte order.
    pub branch: Vec<[u8; 32]>,
    /// Compact network target.
    pub nbits: u32,
}

/// BDAG's mining header: every field in the order of its hexadecimal text on the wire, so that integers, which are
/// read from that text as big-endian numbers, are written big-endian. The fourth word block is sha256d(extranonce).
#[derive(Clone, Debug)]
pub struct Bdag80 {
    /// Previous block (the root over the parents), as announced.
    pub previous: [u8; 32],
    /// Compact network target.
    pub nbits: u32,
}

/// Kaspa's proof-of-work input: pre-PoW hash, timestamp (ms), 32 zero bytes, nonce; integers little-endian.
/// The timestamp is the template's own: this network's miners roll the nonce only.
#[derive(Clone, Debug)]
pub struct Kaspa80 {
    /// Hash of the header with nonce and timestamp zero.
    pub pre_pow_hash: [u8; 32],
    /// Header time in Unix milliseconds.
    pub timestamp_ms: u64,
}

/// One of the layouts.
#[derive(Clone, Debug)]
pub enum HeaderLayout {
    /// Coinbase and Merkle branch around a Bitcoin header.
    Bitcoin80(Bitcoin80),
    /// BDAG mining header.
    Bdag80(Bdag80),
    /// Kaspa proof-of-work input.
    Kaspa80(Kaspa80),
}

impl HeaderLayout {
    /// The 80 bytes to hash.
    #[must_use]
    pub fn assemble(&self, solution: &Solution) -> Header80 {
        match self {
            Self::Bitcoin80(layout) => layout.assemble(solution),
            Self::Bdag80(layout) => layout.assemble(solution),
            Self::Kaspa80(layout) => layout.assemble(solution),
        }
    }

    /// What tells apart the jobs whose headers can't be equal; duplicates are looked for inside it.
    #[must_use]
    pub fn space(&self) -> HeaderSpace {
        HeaderSpace::of(match self {
            Self::Bitcoin80(layout) => &layout.previous,
            Self::Bdag80(layout) => &layout.previous,
            Self::Kaspa80(layout) => &layout.pre_pow_hash,
        })
    }
}

/// The low 32 bits: 4-byte fields are parsed from 4 bytes, so nothing is lost.
#[allow(clippy::cast_possible_truncation)]
fn low32(value: u64) -> u32 {
    value as u32
}

fn join(parts: [&[u8]; 6]) -> Header80 {
    let mut header = [0; 80];
    let mut at = 0;
    for part in parts {
        header[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
    debug_assert_eq!(at, 80, "the parts of a header are 80 bytes");
    header
}

impl Bitcoin80 {
    /// The Merkle root that this extranonce leads to.
    #[must_use]
    pub fn merkle_root(&self, extranonce: &[u8]) -> [u8; 32] {
        merkle::fold(self.coinbase.id(extranonce), &self.branch)
    }

    /// The header of a solution.
    #[must_use]
    pub fn assemble(&self, solution: &Solution) -> Header80 {
        join([
            &solution.version.to_le_bytes(),
            &self.previous,
            &self.merkle_root(solution.extranonce.as_slice()),
            &low32(solution.ntime).to_le_bytes(),
            &self.nbits.to_le_bytes(),
            &low32(solution.nonce).to_le_bytes(),
        ])
    }
}

impl Bdag80 {
    /// The header of a solution.
    #[must_use]
    pub fn assemble(&self, solution: &Solution) -> Header80 {
        join([
            &solution.version.to_be_bytes(),
            &self.previous,
            &merkle::sha256d(solution.extranonce.as_slice()),
            &low32(solution.ntime).to_be_bytes(),
            &self.nbits.to_be_bytes(),
            &low32(solution.nonce).to_be_bytes(),
        ])
    }
}

impl Kaspa80 {
    /// The input of a solution; only its nonce is read.
    #[must_use]
    pub fn assemble(&self, solution: &Solution) -> Header80 {
        join([
            &self.pre_pow_hash,
            &self.timestamp_ms.to_le_bytes(),
            &[0; 32],
            &solution.nonce.to_le_bytes(),
            &[],
            &[],
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::BlockHash;
    use crate::share::Extranonce;
    use crate::target::Target;

    fn solution(extranonce: &[u8], ntime: u64, nonce: u64, version: u32) -> Solution {
        Solution { extranonce: Extranonce::new(extranonce, &[]).unwrap(), ntime, nonce, version }
    }

    /// Bitcoin's first block: the hole is put into the middle of its coinbase.
    #[test]
    fn genesis_block_of_bitcoin() {
        let coinbase = hex::decode(concat!(
            "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04ffff001d01",
            "04455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f662073",
            "65636f6e64206261696c6f757420666f722062616e6b73ffffffff0100f2052a01000000434104678afdb0fe55482719",
            "67f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a",
            "4c702b6bf11d5fac00000000"
        ))
        .unwrap();
        let layout = Bitcoin80 {
            previous: [0; 32],
            coinbase: SplitCoinbase::new(&coinbase[..70], &coinbase[78..]),
            branch: Vec::new(),
            nbits: 0x1d00_ffff,
        };
        let extranonce = &coinbase[70..78];
        assert_eq!(layout.coinbase.assemble(extranonce), coinbase);
        assert_eq!([layout.coinbase.first(), extranonce, layout.coinbase.second()].concat(), coinbase);
        let header =
            HeaderLayout::Bitcoin80(layout).assemble(&solution(extranonce, 1_231_006_505, 2_083_236_893, 1));
        let hash = merkle::sha256d(&header);
        assert_eq!(
            BlockHash::from_internal(hash),
            "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f".parse().unwrap()
        );
        assert!(Target::from_compact(0x1d00_ffff).unwrap().is_met_by(&hash));
    }

    /// The fourth header of tests/vectors/pow_vectors.json, put together from the fields of a session.
    #[test]
    fn bdag_fields_stay_in_wire_order() {
        let mut previous = [0x11; 32];
        previous[16..].fill(0x22);
        let layout = HeaderLayout::Bdag80(Bdag80 { previous, nbits: 0x1d00_ffff });
        let extranonce = [0xa1, 0xb2, 0xc3, 0xd4, 0, 0, 0, 0];
        let header = layout.assemble(&solution(&extranonce, 0x6a44_7f30, 0x7856_3412, 0x1200_0000));
        assert_eq!(
            hex::encode(header),
            concat!(
                "120000001111111111111111111111111111111122222222222222222222222222222222ab973f57",
                "38b06fa4be68d9056db7aa250235e3beeaeb7dfabce07cd9078875456a447f301d00ffff78563412"
            )
        );
    }

    #[test]
    fn kaspa_rolls_the_nonce_only() {
        let layout =
            HeaderLayout::Kaspa80(Kaspa80 { pre_pow_hash: [7; 32], timestamp_ms: 0x0102_0304_0506_0708 });
        let header = layout.assemble(&solution(&[], 99, 0x1112_1314_1516_1718, 0));
        assert_eq!(layout.space(), HeaderSpace::of(&[7; 32]));
        assert_eq!(header[..32], [7; 32]);
        assert_eq!(hex::encode(&header[32..40]), "0807060504030201");
        assert_eq!(header[40..72], [0; 32]);
        assert_eq!(hex::encode(&header[72..]), "1817161514131211");
    }
}
