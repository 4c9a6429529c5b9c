//! A reward's parts and the root over a window, by the book: nothing of `pool_domain::{split, proof}`.

use std::collections::BTreeMap;

use pool_domain::{ids::Account, target::U256, units::Work};
use sha2::{Digest as _, Sha256};

use super::Findings;
use crate::ports::books::BookBlock;

/// Fee and parts of a reward. Each part is its exact share rounded down; the units that are left go to those who lost most
/// by rounding, one each, ties by account bytes. `None` if there is nobody to pay.
pub(super) fn parts(
    reward: u128,
    fee_basis_points: u32,
    weights: &[(Account, Work)],
) -> Option<(u128, BTreeMap<Account, u128>)> {
    let wide = |number: u128| U256::from(number);
    let total = weights.iter().fold(U256::ZERO, |sum, (_, work)| sum + wide(work.0));
    if total == U256::ZERO || fee_basis_points > 10_000 {
        return None;
    }
    let fee: u128 = (wide(reward) * U256::from(fee_basis_points) / U256::from(10_000_u32)).to();
    let rest = reward - fee;
    let mut parts = BTreeMap::new();
    let mut lost = Vec::new();
    let mut given = 0_u128;
    for (account, work) in weights {
        let exact = wide(rest) * wide(work.0);
        let part: u128 = (exact / total).to();
        given += part;
        lost.push((exact % total, account));
        parts.insert(account.clone(), part);
    }
    lost.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    for (_, account) in lost.iter().take(usize::try_from(rest - given).ok()?) {
        *parts.get_mut(*account)? += 1;
    }
    Some((fee, parts))
}

/// The Merkle tree hash of RFC 6962, section 2.1, over leaves as `pool-actors/docs/proofs.md` describes them.
pub(super) fn root(weights: &[(Account, Work)]) -> [u8; 32] {
    match weights {
        [] => [0; 32],
        [(account, work)] => {
            let name = account.as_str().as_bytes();
            let mut leaf = vec![0];
            // An account has at most 128 bytes.
            leaf.extend([0, u8::try_from(name.len()).unwrap_or(u8::MAX)]);
            leaf.extend_from_slice(name);
            leaf.extend(work.0.to_be_bytes());
            Sha256::digest(leaf).into()
        }
        many => {
            let left = many.len().next_power_of_two() / 2;
            let mut node = vec![1];
            node.extend(root(&many[..left]));
            node.extend(root(&many[left..]));
            Sha256::digest(node).into()
        }
    }
}

/// The stored root must be that of the stored list.
pub(super) fn check_root(block: &BookBlock, findings: &mut Findings) {
    let Some(split) = &block.split else { return };
    let subject = format!("block {}", block.row.hash);
    match block.stored_root {
        None => findings.unchecked("roots of blocks", "the block is from before roots were stored"),
        Some(stored) => {
            let expected = hex::encode(root(&split.weights));
            findings.same("root", &subject, "the root", &hex::encode(stored), &expected);
        }
    }
}

#[cfg(test)]
mod tests {
    use pool_domain::{proof::window_root, split::split, units::Amount, units::BasisPoints};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Two implementations that share nothing agree.
        #[test]
        fn as_the_ledger_has_it(
            works in prop::collection::vec(1_u128.., 1..50), reward in 0..=i128::MAX, fee in 0_u32..=10_000
        ) {
            let weights: Vec<_> = works.iter().enumerate()
                .map(|(n, work)| (Account::new(&format!("a{n:03}")).unwrap(), Work(*work))).collect();
            let (own_fee, own) = parts(reward.unsigned_abs(), fee, &weights).unwrap();
            let ledger = split(Amount(reward), BasisPoints(fee), &weights).unwrap();
            prop_assert_eq!(own_fee, ledger.fee.0.unsigned_abs());
            let ledger: BTreeMap<_, _> = ledger.parts.into_iter().map(|(a, part)| (a, part.0.unsigned_abs())).collect();
            let own: BTreeMap<_, _> = own.into_iter().filter(|(_, part)| *part > 0).collect();
            prop_assert_eq!(own, ledger);
            prop_assert_eq!(root(&weights), window_root(&weights));
        }
    }
}
