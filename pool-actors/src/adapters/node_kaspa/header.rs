//! Kaspa's block header and its two hashes, as kaspad computes them (rusty-kaspa, `consensus/core/src/hashing/header.rs`).

use blake2::{
    Blake2bMac,
    digest::{FixedOutput as _, KeyInit as _, Update as _, consts::U32},
};
use pool_domain::ids::BlockHash;
use serde::Deserialize;

/// A header as templates and blocks hold it. Hashes are shown in the order of their bytes.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Header {
    version: u16,
    pub(super) parents_by_level: Vec<Vec<BlockHash>>,
    hash_merkle_root: BlockHash,
    accepted_id_merkle_root: BlockHash,
    utxo_commitment: BlockHash,
    /// Milliseconds since the Unix epoch.
    pub(super) timestamp: u64,
    pub(super) bits: u32,
    daa_score: u64,
    pub(super) blue_score: u64,
    /// Big-endian hexadecimal digits.
    blue_work: String,
    pruning_point: BlockHash,
}

impl Header {
    /// The header's hash with this nonce and time: with both as mined it is the block's identity, with both zero it is
    /// the pre-PoW hash.
    ///
    /// # Errors
    /// When `blueWork` is not hexadecimal.
    pub(super) fn hash(&self, nonce: u64, timestamp: u64) -> Result<[u8; 32], String> {
        let mut blue_work = self.blue_work.clone();
        if blue_work.len() % 2 == 1 {
            blue_work.insert(0, '0');
        }
        let blue_work = hex::decode(&blue_work).map_err(|error| format!("blueWork: {error}"))?;
        let blue_work = &blue_work[blue_work.iter().take_while(|byte| **byte == 0).count()..];

        let mut hasher =
            Blake2bMac::<U32>::new_from_slice(b"BlockHash").expect("a key of 9 bytes is short enough");
        hasher.update(&self.version.to_le_bytes());
        hasher.update(&length(self.parents_by_level.len()));
        for level in &self.parents_by_level {
            hasher.update(&length(level.len()));
            for parent in level {
                hasher.update(&parent.0);
            }
        }
        hasher.update(&self.hash_merkle_root.0);
        hasher.update(&self.accepted_id_merkle_root.0);
        hasher.update(&self.utxo_commitment.0);
        hasher.update(&timestamp.to_le_bytes());
        hasher.update(&self.bits.to_le_bytes());
        hasher.update(&nonce.to_le_bytes());
        hasher.update(&self.daa_score.to_le_bytes());
        hasher.update(&self.blue_score.to_le_bytes());
        hasher.update(&length(blue_work.len()));
        hasher.update(blue_work);
        hasher.update(&self.pruning_point.0);
        Ok(hasher.finalize_fixed().into())
    }

    /// The parents that the DAG shows: those of level 0.
    pub(super) fn parents(&self) -> Vec<BlockHash> {
        self.parents_by_level.first().cloned().unwrap_or_default()
    }
}

fn length(length: usize) -> [u8; 8] {
    (length as u64).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A block that kaspad 2.1.0 made on its simulation network.
    fn simnet_block() -> Header {
        serde_json::from_value(json!({
            "acceptedIdMerkleRoot": "7e5fcc6423c57f504952bfd88575f7123393e8a1f7131d6333e5deaae47f3c74",
            "bits": 545_259_519, "blueScore": 1,
            "blueWork": "000000000000000000000000000000000000000000000002", "daaScore": 0,
            "hashMerkleRoot": "cba7187d03b4085dd8aa7290bad7baee6d56b1cf8b0e6b2efa0ab79ede811872", "nonce": 0,
            "parentsByLevel": [["411f8cd26f3d41aea39e78573927da24d23995705b579f30959b9127e96b79e3"]],
            "pruningPoint": "411f8cd26f3d41aea39e78573927da24d23995705b579f30959b9127e96b79e3",
            "timestamp": 1_795_390_204_436_u64,
            "utxoCommitment": "544eb3142c000f0ad2c76ac41f4222abbababed830eeafee4b6dc56b52d5cac0", "version": 2
        }))
        .unwrap()
    }

    #[test]
    fn the_block_hash_is_kaspads() {
        let hash = simnet_block().hash(0, 1_795_390_204_436).unwrap();
        assert_eq!(hex::encode(hash), "13cafc6fa1fa484003aec7f6297d2a9466cbcdbc0cd845700782386c7489691c");
        assert_ne!(simnet_block().hash(1, 1_795_390_204_436).unwrap(), hash);
    }

    #[test]
    fn the_genesis_of_simnet_has_no_parents_and_no_work() {
        let genesis: Header = serde_json::from_value(json!({
            "acceptedIdMerkleRoot": "00".repeat(32), "bits": 545_259_519, "blueScore": 0, "blueWork": "0".repeat(48),
            "daaScore": 0, "hashMerkleRoot": "1946d629f7e922a7bced59190521c3771f73d352ddbbb686564ad7fd56857c1b",
            "parentsByLevel": [], "pruningPoint": "00".repeat(32), "timestamp": 1_633_687_894_966_u64,
            "utxoCommitment": "544eb3142c000f0ad2c76ac41f4222abbababed830eeafee4b6dc56b52d5cac0", "version": 0
        }))
        .unwrap();
        let hash = genesis.hash(2, 1_633_687_894_966).unwrap();
        assert_eq!(hex::encode(hash), "411f8cd26f3d41aea39e78573927da24d23995705b579f30959b9127e96b79e3");
        assert!(Header { blue_work: "xyz".into(), ..genesis }.hash(0, 0).unwrap_err().contains("blueWork"));
    }
}
