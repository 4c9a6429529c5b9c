//! Merkle trees of sha256d over 32-byte ids, the last node of an odd level doubled (as Bitcoin's headers hold them).
//!
//! A stratum job carries the branch of the coinbase (leaf 0), so that a miner can put the root together after
//! changing the extranonce: root = H(..H(H(coinbase id | b0) | b1)..).

use alloc::vec::Vec;

use sha2::{Digest, Sha256};

/// SHA-256 applied twice.
#[must_use]
pub fn sha256d(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(Sha256::digest(bytes)).into()
}

/// The parent of two nodes.
#[must_use]
pub fn parent(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    let mut both = [0; 64];
    both[..32].copy_from_slice(left);
    both[32..].copy_from_slice(right);
    sha256d(&both)
}

/// The root above leaf 0, from that leaf and its branch (bottom first).
#[must_use]
pub fn fold(leaf: [u8; 32], branch: &[[u8; 32]]) -> [u8; 32] {
    branch.iter().fold(leaf, |node, sibling| parent(&node, sibling))
}

/// The branch of leaf 0 over the other transactions of a block, in block order without the coinbase (ids in header
/// byte order). Empty when the coinbase is alone.
#[must_use]
pub fn coinbase_branch(transactions: &[[u8; 32]]) -> Vec<[u8; 32]> {
    let mut branch = Vec::new();
    let mut level = transactions.to_vec();
    while let Some((sibling, rest)) = level.split_first() {
        branch.push(*sibling);
        level = pair_up(rest);
    }
    branch
}

/// The root over all leaves; 32 zero bytes for none.
#[must_use]
pub fn root(leaves: &[[u8; 32]]) -> [u8; 32] {
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        level = pair_up(&level);
    }
    level.first().copied().unwrap_or_default()
}

fn pair_up(level: &[[u8; 32]]) -> Vec<[u8; 32]> {
    level.chunks(2).map(|pair| parent(&pair[0], pair.last().unwrap_or(&pair[0]))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::BlockHash;

    fn id(text: &str) -> [u8; 32] {
        text.parse::<BlockHash>().unwrap().to_internal()
    }

    #[test]
    fn root_of_bitcoin_block_100000() {
        let ids = [
            id("8c14f0db3df150123e6f3dbbf30f8b955a8249b62ac1d1ff16284aefa3d06d87"),
            id("fff2525b8931402dd09222c50775608f75787bd2b87e56995a7bdd30f79702c4"),
            id("6359f0868171b1d194cbee1af2f16ea598ae8fad666d9b012c8ed2b79a236ec4"),
            id("e9a66845e05d5abc0ad04ec80f774a7e585c6e8db975962d069a522137b80c1d"),
        ];
        let expected = id("f3e94742aca4b5ef85488dc37c06c3282295ffec960994b2c0d5ac2a25a95766");
        assert_eq!(root(&ids), expected);
        assert_eq!(fold(ids[0], &coinbase_branch(&ids[1..])), expected);
    }

    #[test]
    fn small_trees() {
        assert_eq!(root(&[]), [0; 32]);
        assert_eq!(root(&[[7; 32]]), [7; 32]);
        assert!(coinbase_branch(&[]).is_empty());
        assert_eq!(coinbase_branch(&[[1; 32]]), [[1; 32]]);
    }

    proptest! {
        #[test]
        fn branch_and_tree_agree(leaves in prop::collection::vec(any::<[u8; 32]>(), 1..40)) {
            prop_assert_eq!(fold(leaves[0], &coinbase_branch(&leaves[1..])), root(&leaves));
        }
    }
}
