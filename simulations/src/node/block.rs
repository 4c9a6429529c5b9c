//! Blocks of the simulated chain: identity, encoding, roots (`docs/node.md`, section 3).

use std::fmt;
use std::str::FromStr;

use bitcoin::block::Header;
use bitcoin::consensus::encode::{self, VarInt};
use bitcoin::hashes::{Hash as _, sha256d};
use bitcoin::{Transaction, TxMerkleNode, merkle_tree};

use crate::pow::HeaderBytes;

/// Most bytes that a block may have.
pub const MAX_BLOCK_BYTES: usize = 1_000_000;
/// Bits of the version that a miner may roll (BIP320).
pub const VERSION_ROLLING_MASK: u32 = 0x1fff_e000;
/// The version's fixed bits; the low byte holds the powType.
pub const VERSION_BASE: u32 = 0x2000_0000;

/// A block's hash in display order, so that its order is that of the number it shows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id([u8; 32]);

impl Id {
    /// From the order of bytes in headers and blocks.
    pub fn from_wire(mut bytes: [u8; 32]) -> Self {
        bytes.reverse();
        Self(bytes)
    }

    /// In the order of bytes in headers and blocks.
    pub fn to_wire(self) -> [u8; 32] {
        let mut bytes = self.0;
        bytes.reverse();
        bytes
    }
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for Id {
    type Err = hex::FromHexError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)?;
        Ok(Self(bytes))
    }
}

/// A whole block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// 80 bytes; its previous block hash holds the root over the parents.
    pub header: Header,
    /// The selected parent first.
    pub parents: Vec<Id>,
    /// The coinbase first.
    pub transactions: Vec<Transaction>,
}

impl Block {
    /// Identity: SHA-256d of the header.
    pub fn id(&self) -> Id {
        Id::from_wire(self.header.block_hash().to_byte_array())
    }

    /// The bytes that are hashed.
    pub fn header_bytes(&self) -> HeaderBytes {
        header_bytes(&self.header)
    }

    /// The powType in the version's low byte.
    pub fn pow_type(&self) -> u8 {
        self.header.version.to_consensus().to_le_bytes()[0]
    }

    /// Serialised as `submitBlock` takes it.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.header_bytes().to_vec();
        bytes.extend(encode::serialize(&VarInt::from(self.parents.len())));
        for parent in &self.parents {
            bytes.extend(parent.to_wire());
        }
        bytes.extend(encode::serialize(&VarInt::from(self.transactions.len())));
        for transaction in &self.transactions {
            bytes.extend(encode::serialize(transaction));
        }
        bytes
    }

    /// Reads what [`encode`](Self::encode) writes, and nothing else.
    ///
    /// # Errors
    /// Says which part is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > MAX_BLOCK_BYTES {
            return Err(format!("{} bytes, more than {MAX_BLOCK_BYTES}", bytes.len()));
        }
        let mut rest = bytes;
        let header: Header = take(&mut rest, "header")?;
        let count: VarInt = take(&mut rest, "count of parents")?;
        let mut parents = Vec::new();
        for _ in 0..count.0 {
            let parent: [u8; 32] = take(&mut rest, "parents")?;
            parents.push(Id::from_wire(parent));
        }
        let count: VarInt = take(&mut rest, "count of transactions")?;
        let mut transactions = Vec::new();
        for _ in 0..count.0 {
            let transaction: Transaction = take(&mut rest, "transactions")?;
            if transaction.input.iter().any(|input| !input.witness.is_empty()) {
                return Err("a transaction has witness data".to_owned());
            }
            transactions.push(transaction);
        }
        if !rest.is_empty() {
            return Err(format!("{} bytes after the last transaction", rest.len()));
        }
        Ok(Self { header, parents, transactions })
    }

    /// Merkle root over the transactions as they are; `None` without any.
    pub fn computed_merkle_root(&self) -> Option<TxMerkleNode> {
        merkle_tree::calculate_root(
            self.transactions.iter().map(|transaction| transaction.compute_txid().to_raw_hash()),
        )
        .map(TxMerkleNode::from_raw_hash)
    }
}

fn take<T: encode::Decodable>(rest: &mut &[u8], what: &str) -> Result<T, String> {
    let (value, used) = encode::deserialize_partial(rest).map_err(|error| format!("{what}: {error}"))?;
    *rest = &rest[used..];
    Ok(value)
}

/// The bytes of a header.
pub fn header_bytes(header: &Header) -> HeaderBytes {
    let mut bytes = [0; 80];
    bytes.copy_from_slice(&encode::serialize(header));
    bytes
}

/// Bitcoin's Merkle root over the parents in their order, as header bytes; zeros without parents (the genesis).
pub fn parents_root(parents: &[Id]) -> [u8; 32] {
    merkle_tree::calculate_root(parents.iter().map(|parent| sha256d::Hash::from_byte_array(parent.to_wire())))
        .map_or([0; 32], sha256d::Hash::to_byte_array)
}
