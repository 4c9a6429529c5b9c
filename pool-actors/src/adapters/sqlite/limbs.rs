//! 128-bit quantities in three integer columns: see `sql/README.md` for why.

use pool_domain::units::{Amount, Work};

const BASE: i128 = 10_000_000_000;

/// `x = (hi * 10^10 + mid) * 10^10 + lo` with `0 <= mid, lo < 10^10`; not yet so after columns were summed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Limbs {
    pub(super) hi: i64,
    pub(super) mid: i64,
    pub(super) lo: i64,
}

/// A stored quantity is beyond 128 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OutOfRange;

impl From<Amount> for Limbs {
    fn from(amount: Amount) -> Self {
        let rest = amount.0.div_euclid(BASE);
        Self {
            hi: small(rest.div_euclid(BASE)),
            mid: small(rest.rem_euclid(BASE)),
            lo: small(amount.0.rem_euclid(BASE)),
        }
    }
}

impl From<Work> for Limbs {
    fn from(work: Work) -> Self {
        let base = BASE.unsigned_abs();
        let part =
            |value: u128| i64::try_from(value).expect("2^128 / 10^20 and remainders of 10^10 fit 63 bits");
        Self { hi: part(work.0 / base / base), mid: part(work.0 / base % base), lo: part(work.0 % base) }
    }
}

fn small(part: i128) -> i64 {
    i64::try_from(part).expect("2^127 / 10^20 and remainders of 10^10 fit 63 bits")
}

impl TryFrom<Limbs> for Amount {
    type Error = OutOfRange;

    fn try_from(limbs: Limbs) -> Result<Self, OutOfRange> {
        // Sums of limbs are below 2^63 each, so neither product nor sum of this line can overflow.
        let upper = i128::from(limbs.hi) * BASE + i128::from(limbs.mid);
        let carried = upper + i128::from(limbs.lo).div_euclid(BASE);
        let lo = i128::from(limbs.lo).rem_euclid(BASE);
        // Towards zero first: the least amount is not a multiple of the base.
        let amount = if carried < 0 && lo > 0 {
            (carried + 1).checked_mul(BASE).and_then(|upper| upper.checked_add(lo - BASE))
        } else {
            carried.checked_mul(BASE).and_then(|upper| upper.checked_add(lo))
        };
        amount.map(Amount).ok_or(OutOfRange)
    }
}

impl TryFrom<Limbs> for Work {
    type Error = OutOfRange;

    fn try_from(limbs: Limbs) -> Result<Self, OutOfRange> {
        let part = |value: i64| u128::try_from(value).map_err(|_| OutOfRange);
        let base = BASE.unsigned_abs();
        let upper = part(limbs.hi)? * base + part(limbs.mid)?;
        upper
            .checked_mul(base)
            .and_then(|upper| upper.checked_add(part(limbs.lo).ok()?))
            .map(Work)
            .ok_or(OutOfRange)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Amounts as they occur with 18 decimals, and the extremes.
    fn amount() -> impl Strategy<Value = i128> {
        prop_oneof![
            any::<i128>(),
            (0_i128..200_000_000_000).prop_map(|coins| coins * 1_000_000_000_000_000_000),
            -1_000_000_000_000_000_000_000_i128..1_000_000_000_000_000_000_000,
            Just(i128::MIN),
            Just(i128::MAX),
        ]
    }

    proptest! {
        #[test]
        fn amounts_come_back_and_keep_their_order(a in amount(), b in amount()) {
            let (x, y) = (Limbs::from(Amount(a)), Limbs::from(Amount(b)));
            prop_assert_eq!(Amount::try_from(x), Ok(Amount(a)));
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
            prop_assert!((0..10_000_000_000).contains(&x.mid) && (0..10_000_000_000).contains(&x.lo));
        }

        #[test]
        fn work_comes_back(work: u128) {
            prop_assert_eq!(Work::try_from(Limbs::from(Work(work))), Ok(Work(work)));
        }

        #[test]
        fn columns_summed_apart_give_the_exact_sum(amounts in proptest::collection::vec(-(1_i128 << 110)..(1_i128 << 110), 0..200)) {
            let summed = amounts.iter().fold(Limbs::default(), |sum, amount| {
                let limbs = Limbs::from(Amount(*amount));
                Limbs { hi: sum.hi + limbs.hi, mid: sum.mid + limbs.mid, lo: sum.lo + limbs.lo }
            });
            prop_assert_eq!(Amount::try_from(summed), Ok(Amount(amounts.iter().sum())));
        }
    }

    #[test]
    fn beyond_128_bits_is_refused() {
        assert_eq!(Amount::try_from(Limbs { hi: i64::MAX, mid: 0, lo: 0 }), Err(OutOfRange));
        assert_eq!(Work::try_from(Limbs { hi: -1, mid: 0, lo: 0 }), Err(OutOfRange));
        assert_eq!(Work::try_from(Limbs { hi: i64::MAX, mid: 0, lo: 0 }), Err(OutOfRange));
    }
}
