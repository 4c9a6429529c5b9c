//! Dividing a reward: integers, largest remainder (Hamilton's method), nothing lost and nothing made.
//!
//! fee = floor(reward * fee_bp / 10,000); the rest is the miners'. Each part is floor(rest * work / total work), and
//! the units left over go one each to the largest remainders, ties by account bytes. Products are taken in 256 bits:
//! an amount has 127, a work 128.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::ids::Account;
use crate::target::U256;
use crate::units::{Amount, BasisPoints, Work};

/// A divided reward; `fee` and `parts` sum to it exactly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// The pool's part.
    pub fee: Amount,
    /// Every account's part, in the order of the weights; zero parts are left out.
    pub parts: Vec<(Account, Amount)>,
}

impl Split {
    /// The reward it came from; `None` if this split was not made by [`split`] and overflows.
    #[must_use]
    pub fn total(&self) -> Option<Amount> {
        Amount::checked_sum(self.parts.iter().map(|(_, amount)| *amount))?.checked_add(self.fee)
    }
}

/// Why a reward can't be divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// A reward below zero.
    #[error("a reward of {0} is negative")]
    NegativeReward(Amount),
    /// More than everything as a fee.
    #[error("a fee of {0} is more than everything")]
    Fee(BasisPoints),
    /// Nobody to pay.
    #[error("no account has any work in this window")]
    NoWork,
}

/// Divides a reward by work, each account at most once in `weights`.
///
/// # Errors
/// See [`SplitError`].
pub fn split(reward: Amount, fee: BasisPoints, weights: &[(Account, Work)]) -> Result<Split, SplitError> {
    let whole = u128::try_from(reward.0).map_err(|_| SplitError::NegativeReward(reward))?;
    if !fee.is_fraction() {
        return Err(SplitError::Fee(fee));
    }
    let total = weights.iter().fold(U256::ZERO, |sum, (_, work)| sum + U256::from(work.0));
    if total.is_zero() {
        return Err(SplitError::NoWork);
    }
    let fee_units = narrow(U256::from(whole) * U256::from(fee.0) / U256::from(BasisPoints::ALL.0));
    let rest = whole - fee_units;
    let mut shares: Vec<Share> =
        weights.iter().enumerate().map(|(at, (_, work))| share(at, *work, rest, total)).collect();
    let given: u128 = shares.iter().map(|share| share.units).sum();
    let left_over = usize::try_from(rest - given).expect("less than one unit is left over per account");
    shares.sort_unstable_by(|a, b| {
        b.remainder.cmp(&a.remainder).then_with(|| weights[a.at].0.cmp(&weights[b.at].0))
    });
    shares.iter_mut().take(left_over).for_each(|share| share.units += 1);
    shares.sort_unstable_by_key(|share| share.at);
    let parts = shares
        .into_iter()
        .filter(|share| share.units > 0)
        .map(|share| (weights[share.at].0.clone(), amount(share.units)))
        .collect();
    Ok(Split { fee: amount(fee_units), parts })
}

struct Share {
    at: usize,
    units: u128,
    remainder: U256,
}

fn share(at: usize, work: Work, rest: u128, total: U256) -> Share {
    let (units, remainder) = (U256::from(rest) * U256::from(work.0)).div_rem(total);
    Share { at, units: narrow(units), remainder }
}

fn narrow(value: U256) -> u128 {
    u128::try_from(value).expect("a part of a 128-bit amount fits 128 bits")
}

fn amount(units: u128) -> Amount {
    Amount(i128::try_from(units).expect("a part of an amount is an amount"))
}

#[cfg(test)]
mod tests {
    use std::format;

    use proptest::prelude::*;

    use super::*;

    fn account(name: &str) -> Account {
        Account::new(name).unwrap()
    }

    fn weights(list: &[(&str, u128)]) -> Vec<(Account, Work)> {
        list.iter().map(|(name, work)| (account(name), Work(*work))).collect()
    }

    fn parts(split: &Split) -> Vec<(&str, i128)> {
        split.parts.iter().map(|(account, amount)| (account.as_str(), amount.0)).collect()
    }

    #[test]
    fn largest_remainder_then_account_bytes() {
        let even = split(Amount(100), BasisPoints::ZERO, &weights(&[("b", 1), ("a", 1), ("c", 1)])).unwrap();
        assert_eq!(parts(&even), [("b", 33), ("a", 34), ("c", 33)]);
        let uneven = split(Amount(10), BasisPoints::ZERO, &weights(&[("a", 1), ("b", 4), ("c", 1)])).unwrap();
        // 1.67, 6.67, 1.67: two units are left, all remainders are equal.
        assert_eq!(parts(&uneven), [("a", 2), ("b", 7), ("c", 1)]);
    }

    #[test]
    fn the_fee_is_floored() {
        let result = split(Amount(199), BasisPoints(100), &weights(&[("a", 1)])).unwrap();
        assert_eq!((result.fee, parts(&result)), (Amount(1), [("a", 198)].to_vec()));
        let all = split(Amount(7), BasisPoints::ALL, &weights(&[("a", 1)])).unwrap();
        assert_eq!((all.fee, all.parts.len()), (Amount(7), 0));
    }

    #[test]
    fn what_can_not_be_divided() {
        assert_eq!(split(Amount(5), BasisPoints::ZERO, &[]), Err(SplitError::NoWork));
        assert_eq!(split(Amount(5), BasisPoints::ZERO, &weights(&[("a", 0)])), Err(SplitError::NoWork));
        assert_eq!(
            split(Amount(-1), BasisPoints::ZERO, &weights(&[("a", 1)])),
            Err(SplitError::NegativeReward(Amount(-1)))
        );
        assert_eq!(
            split(Amount(5), BasisPoints(10_001), &weights(&[("a", 1)])),
            Err(SplitError::Fee(BasisPoints(10_001)))
        );
    }

    #[test]
    fn the_greatest_values_do_not_overflow() {
        let result =
            split(Amount(i128::MAX), BasisPoints(1), &weights(&[("a", u128::MAX), ("b", u128::MAX)]))
                .unwrap();
        assert_eq!(result.total(), Some(Amount(i128::MAX)));
        let broken = Split { fee: Amount(1), parts: [(account("a"), Amount(i128::MAX))].to_vec() };
        assert_eq!(broken.total(), None);
    }

    proptest! {
        /// At 18 decimals: rewards up to a billion coins.
        #[test]
        fn nothing_is_lost_and_shares_are_fair(
            reward in 0i128..1_000_000_000_000_000_000_000_000_000,
            fee in 0u32..=10_000,
            works in prop::collection::vec((0u128..=u128::MAX, 0u32..128), 1..50),
        ) {
            let weights: Vec<_> = works
                .iter()
                .enumerate()
                .map(|(at, (work, shift))| (account(&format!("0x{at:040}")), Work(work >> shift)))
                .collect();
            let total = weights.iter().fold(U256::ZERO, |sum, (_, work)| sum + U256::from(work.0));
            prop_assume!(!total.is_zero());
            let result = split(Amount(reward), BasisPoints(fee), &weights).unwrap();
            prop_assert_eq!(result.total(), Some(Amount(reward)));
            prop_assert_eq!(result.fee, Amount(reward * i128::from(fee) / 10_000));
            let rest = U256::from((reward - result.fee.0).unsigned_abs());
            for (account, work) in &weights {
                let got = result.parts.iter().find(|(name, _)| name == account).map_or(0, |(_, amount)| amount.0);
                let floor = (rest * U256::from(work.0) / total).to::<u128>();
                prop_assert!(got.unsigned_abs() == floor || got.unsigned_abs() == floor + 1);
                prop_assert!(work.0 > 0 || got == 0);
            }
        }
    }
}
