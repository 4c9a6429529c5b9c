//! Quantities and times in PostgreSQL's binary formats.
//!
//! `numeric`: count of digits to base 10,000, weight of the first, sign, scale, then the digits, each a big-endian `i16`
//! (`src/backend/utils/adt/numeric.c`, `numeric_send`). `timestamptz`: microseconds since 2000-01-01 UTC.

use std::error::Error;

use bytes::{BufMut as _, BytesMut};
use pool_domain::units::{Amount, TimeMs, Work};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

/// 2000-01-01 UTC in milliseconds since 1970.
const EPOCH_MS: i64 = 946_684_800_000;
const NEGATIVE: u16 = 0x4000;
const BASE: u128 = 10_000;

type Refusal = Box<dyn Error + Sync + Send>;

/// An integer of up to 128 bits and a sign, as `numeric`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Numeric {
    negative: bool,
    magnitude: u128,
}

impl From<Amount> for Numeric {
    fn from(amount: Amount) -> Self {
        Self { negative: amount.0 < 0, magnitude: amount.0.unsigned_abs() }
    }
}

impl From<Work> for Numeric {
    fn from(work: Work) -> Self {
        Self { negative: false, magnitude: work.0 }
    }
}

impl TryFrom<Numeric> for Amount {
    type Error = &'static str;

    fn try_from(numeric: Numeric) -> Result<Self, Self::Error> {
        let amount = if numeric.negative {
            0_i128.checked_sub_unsigned(numeric.magnitude)
        } else {
            i128::try_from(numeric.magnitude).ok()
        };
        amount.map(Self).ok_or("an amount is beyond 128 bits")
    }
}

impl TryFrom<Numeric> for Work {
    type Error = &'static str;

    fn try_from(numeric: Numeric) -> Result<Self, Self::Error> {
        if numeric.negative { Err("work is negative") } else { Ok(Self(numeric.magnitude)) }
    }
}

impl ToSql for Numeric {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Refusal> {
        // 2^128 has ten digits to base 10,000; least first.
        let mut digits = [0_i16; 10];
        let (mut rest, mut count) = (self.magnitude, 0_usize);
        while rest > 0 {
            digits[count] = i16::try_from(rest % BASE)?;
            rest /= BASE;
            count += 1;
        }
        let trailing = digits[..count].iter().take_while(|digit| **digit == 0).count();
        out.put_i16(i16::try_from(count - trailing)?);
        out.put_i16(i16::try_from(count.saturating_sub(1))?);
        out.put_u16(if self.negative { NEGATIVE } else { 0 });
        out.put_i16(0);
        for digit in digits[trailing..count].iter().rev() {
            out.put_i16(*digit);
        }
        Ok(IsNull::No)
    }

    fn accepts(type_: &Type) -> bool {
        *type_ == Type::NUMERIC
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Numeric {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Refusal> {
        let mut words = raw.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
        let mut word = || words.next().ok_or("a numeric is cut off");
        let (count, weight, sign, _scale) = (word()?, word()?.cast_signed(), word()?, word()?);
        if sign != 0 && sign != NEGATIVE {
            return Err("a numeric is not a number".into());
        }
        let mut magnitude = 0_u128;
        for position in 0..i16::try_from(count)? {
            let digit = u128::from(word()?);
            let Ok(power) = u32::try_from(weight - position) else {
                return Err("a numeric has a fraction".into());
            };
            let part = BASE.checked_pow(power).and_then(|unit| unit.checked_mul(digit));
            magnitude =
                part.and_then(|part| magnitude.checked_add(part)).ok_or("a numeric is beyond 128 bits")?;
        }
        Ok(Self { negative: sign == NEGATIVE && magnitude > 0, magnitude })
    }

    fn accepts(type_: &Type) -> bool {
        *type_ == Type::NUMERIC
    }
}

/// A time as `timestamptz`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp(pub(super) TimeMs);

impl ToSql for Stamp {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Refusal> {
        let micros = i64::try_from(self.0.0).ok().and_then(|ms| (ms - EPOCH_MS).checked_mul(1_000));
        out.put_i64(micros.ok_or("a time is beyond what timestamptz holds")?);
        Ok(IsNull::No)
    }

    fn accepts(type_: &Type) -> bool {
        *type_ == Type::TIMESTAMPTZ
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Stamp {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Refusal> {
        let micros = i64::from_be_bytes(raw.try_into()?);
        let ms = u64::try_from(micros.div_euclid(1_000) + EPOCH_MS)?;
        Ok(Self(TimeMs(ms)))
    }

    fn accepts(type_: &Type) -> bool {
        *type_ == Type::TIMESTAMPTZ
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(value: &dyn ToSql, type_: &Type) -> BytesMut {
        let mut out = BytesMut::new();
        value.to_sql_checked(type_, &mut out).unwrap();
        out
    }

    fn read(bytes: &[u8]) -> Result<Numeric, Refusal> {
        Numeric::from_sql(&Type::NUMERIC, bytes)
    }

    /// Amounts as they occur with 18 decimals, and the extremes.
    fn amount() -> impl Strategy<Value = i128> {
        prop_oneof![
            any::<i128>(),
            any::<i64>().prop_map(i128::from),
            (0_i128..200_000_000_000).prop_map(|coins| coins * 1_000_000_000_000_000_000),
            Just(i128::MIN),
            Just(i128::MAX),
            Just(0),
        ]
    }

    proptest! {
        #[test]
        fn amounts_come_back(amount in amount()) {
            let bytes = encoded(&Numeric::from(Amount(amount)), &Type::NUMERIC);
            prop_assert_eq!(Amount::try_from(read(&bytes).unwrap()), Ok(Amount(amount)));
        }

        #[test]
        fn work_comes_back(work: u128) {
            let bytes = encoded(&Numeric::from(Work(work)), &Type::NUMERIC);
            prop_assert_eq!(Work::try_from(read(&bytes).unwrap()), Ok(Work(work)));
        }

        #[test]
        fn rubbish_is_refused_without_panic(bytes: Vec<u8>) {
            let _ = read(&bytes);
            let _ = Stamp::from_sql(&Type::TIMESTAMPTZ, &bytes);
        }

        #[test]
        fn times_come_back(ms in 0_u64..9_000_000_000_000) {
            let bytes = encoded(&Stamp(TimeMs(ms)), &Type::TIMESTAMPTZ);
            prop_assert_eq!(Stamp::from_sql(&Type::TIMESTAMPTZ, &bytes).unwrap(), Stamp(TimeMs(ms)));
        }
    }

    #[test]
    fn the_form_is_numeric_sends_own() {
        // What PostgreSQL sends for 10000, -120034 and 0.
        let cases: [(i128, &[u16]); 3] =
            [(10_000, &[1, 1, 0, 0, 1]), (-120_034, &[2, 1, 0x4000, 0, 12, 34]), (0, &[0, 0, 0, 0])];
        for (amount, words) in cases {
            let expected: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
            assert_eq!(encoded(&Numeric::from(Amount(amount)), &Type::NUMERIC), expected);
        }
        // 0.5, NaN, and 10^40.
        for words in [&[1_u16, 0xffff, 0, 1, 5_000][..], &[0, 0, 0xc000, 0], &[1, 10, 0, 0, 1]] {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
            assert!(read(&bytes).is_err(), "{words:?}");
        }
        assert!(Stamp(TimeMs(u64::MAX)).to_sql(&Type::TIMESTAMPTZ, &mut BytesMut::new()).is_err());
    }
}
