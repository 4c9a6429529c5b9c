//! A Merkle tree over a block's (account, work) list, so that every miner can check that its own line is in it.
//!
//! Hashing as in RFC 6962 (leaves and nodes told apart by a first byte, an odd node moves up unchanged), with SHA-256:
//! leaf = H(0 | length of the account, 2 bytes | account | work, 16 bytes), node = H(1 | left | right); integers
//! big-endian. Leaves are sorted by account bytes, as [`crate::pplns::WindowSnapshot`] has them.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ids::{Account, BlockHash};
use crate::units::Work;

/// The way from a leaf to the root. Hashes are written as 64 hexadecimal digits, in the order they are hashed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowProof {
    /// Place of the leaf, from 0.
    pub index: u32,
    /// Leaves in the tree.
    pub count: u32,
    /// Siblings, bottom first; levels where the node has none are left out.
    pub branch: Vec<BlockHash>,
}

fn leaf(account: &Account, work: Work) -> [u8; 32] {
    let length = u16::try_from(account.as_str().len()).expect("an account has at most 128 bytes");
    Sha256::new()
        .chain_update([0])
        .chain_update(length.to_be_bytes())
        .chain_update(account.as_str())
        .chain_update(work.0.to_be_bytes())
        .finalize()
        .into()
}

fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

fn next_level(level: &[[u8; 32]]) -> Vec<[u8; 32]> {
    level.chunks(2).map(|pair| pair.get(1).map_or(pair[0], |right| node(&pair[0], right))).collect()
}

fn leaves(weights: &[(Account, Work)]) -> Vec<[u8; 32]> {
    weights.iter().map(|(account, work)| leaf(account, *work)).collect()
}

/// The root that is stored with the block; 32 zero bytes for an empty list.
#[must_use]
pub fn window_root(weights: &[(Account, Work)]) -> [u8; 32] {
    let mut level = leaves(weights);
    while level.len() > 1 {
        level = next_level(&level);
    }
    level.first().copied().unwrap_or_default()
}

/// The proof of an account's line; `None` if it has none.
#[must_use]
pub fn prove(weights: &[(Account, Work)], account: &Account) -> Option<WindowProof> {
    let index = weights.iter().position(|(name, _)| name == account)?;
    let mut branch = Vec::new();
    let mut level = leaves(weights);
    let mut at = index;
    while level.len() > 1 {
        branch.extend(level.get(at ^ 1).copied().map(BlockHash));
        level = next_level(&level);
        at /= 2;
    }
    Some(WindowProof { index: u32::try_from(index).ok()?, count: u32::try_from(weights.len()).ok()?, branch })
}

/// Whether this account's line with this work is in the tree with this root.
#[must_use]
pub fn verify(root: &[u8; 32], account: &Account, work: Work, proof: &WindowProof) -> bool {
    if proof.index >= proof.count {
        return false;
    }
    let (mut at, mut count) = (proof.index, proof.count);
    let mut hash = leaf(account, work);
    let mut branch = proof.branch.iter();
    while count > 1 {
        if at ^ 1 < count {
            let Some(sibling) = branch.next() else { return false };
            hash = if at % 2 == 0 { node(&hash, &sibling.0) } else { node(&sibling.0, &hash) };
        }
        at /= 2;
        count = count.div_ceil(2);
    }
    branch.next().is_none() && hash == *root
}

#[cfg(test)]
mod tests {
    use std::format;

    use proptest::prelude::*;

    use super::*;

    fn list(count: usize) -> Vec<(Account, Work)> {
        (0..count)
            .map(|at| (Account::new(&format!("account{at:03}")).unwrap(), Work(at as u128 + 1)))
            .collect()
    }

    #[test]
    fn small_trees() {
        assert_eq!(window_root(&[]), [0; 32]);
        let one = list(1);
        let proof = prove(&one, &one[0].0).unwrap();
        assert!(proof.branch.is_empty());
        assert!(verify(&window_root(&one), &one[0].0, Work(1), &proof));
        assert_eq!(prove(&one, &Account::new("stranger").unwrap()), None);
        // The leaf's bytes, so that others can write a verifier: sha256(00 000a "account000" 00..01).
        assert_eq!(
            window_root(&one)[..],
            Sha256::digest(
                hex::decode("00000a6163636f756e7430303000000000000000000000000000000001").unwrap()
            )[..]
        );
    }

    /// The same numbers are in the dashboard's test of its own verifier.
    #[test]
    fn a_tree_with_an_odd_node_on_each_level() {
        let five = list(5);
        let root =
            "eb1a9bb79e81bd7961f80377c3107f5d99bff12cd78e73f6de866efc80fb5542".parse::<BlockHash>().unwrap();
        assert_eq!(BlockHash(window_root(&five)), root);
        let last = prove(&five, &five[4].0).unwrap();
        let sibling = "9fc7827dd50a942e8b125ab5b90cd3848f69b4388a21c5b0acbb8348f1dd08b9".parse().unwrap();
        assert_eq!(last, WindowProof { index: 4, count: 5, branch: [sibling].into() });
        assert!(verify(&root.0, &five[4].0, Work(5), &last));
    }

    proptest! {
        #[test]
        fn every_line_is_provable_and_no_other(count in 1usize..70, index in any::<prop::sample::Index>()) {
            let weights = list(count);
            let root = window_root(&weights);
            let (account, work) = &weights[index.index(count)];
            let proof = prove(&weights, account).unwrap();
            prop_assert!(verify(&root, account, *work, &proof));
            prop_assert!(!verify(&root, account, Work(work.0 + 1), &proof));
            prop_assert!(!verify(&root, &Account::new("stranger").unwrap(), *work, &proof));
            prop_assert!(!verify(&[1; 32], account, *work, &proof));
            let mut long = proof.clone();
            long.branch.push(BlockHash([0; 32]));
            prop_assert!(!verify(&root, account, *work, &long));
            let mut short = proof.clone();
            if short.branch.pop().is_some() {
                prop_assert!(!verify(&root, account, *work, &short));
            }
            let outside = WindowProof { index: proof.count, ..proof };
            prop_assert!(!verify(&root, account, *work, &outside));
        }
    }
}
