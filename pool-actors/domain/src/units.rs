//! Quantities with their units: work, money, proportions, time. Integers only.

use alloc::{format, string::String};
use core::fmt;
use core::iter::Sum;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ids::deserialize_text;

/// Expected number of hashes, floor(2^256 / (target + 1)): what a share or a block is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Work(pub u128);

impl Work {
    /// No work.
    pub const ZERO: Self = Self(0);

    /// Sum, or `None` beyond 2^128.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// Difference, or `None` below zero.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// Sum, at most the greatest value.
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// Money in the chain's smallest unit (satoshi, sompi, wei); signed, because a posting may take as well as give.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(pub i128);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Sum, or `None` on overflow.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// Difference, or `None` on overflow.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The same amount the other way, or `None` for the one value that has no opposite.
    #[must_use]
    pub fn checked_neg(self) -> Option<Self> {
        self.0.checked_neg().map(Self)
    }

    /// Sum of many, or `None` on overflow.
    pub fn checked_sum(amounts: impl IntoIterator<Item = Self>) -> Option<Self> {
        amounts.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }

    /// Less than nothing.
    #[must_use]
    pub fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Exactly nothing.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }
}

macro_rules! decimal_text {
    ($name:ident, $repr:ty, $expecting:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = core::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse::<$repr>().map(Self)
            }
        }

        // As text: JSON readers, JavaScript first among them, round numbers beyond 2^53.
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserialize_text(deserializer, $expecting, $name::from_str)
            }
        }
    };
}

decimal_text!(Work, u128, "expected hashes as a decimal string");
decimal_text!(Amount, i128, "an amount in the smallest unit as a decimal string");

impl Sum for Work {
    /// Saturates: a sum of work is a statistic unless it is added with `checked_add`.
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Self::saturating_add)
    }
}

/// A proportion in hundredths of a percent: 10,000 is all of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BasisPoints(pub u32);

impl BasisPoints {
    /// None of it.
    pub const ZERO: Self = Self(0);
    /// All of it.
    pub const ALL: Self = Self(10_000);

    /// From whole percents.
    #[must_use]
    pub const fn percent(percent: u32) -> Self {
        Self(percent.saturating_mul(100))
    }

    /// At most everything: what a fee or a share of traffic must be (a PPLNS factor may be more).
    #[must_use]
    pub const fn is_fraction(self) -> bool {
        self.0 <= 10_000
    }
}

impl fmt::Display for BasisPoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}%", self.0 / 100, self.0 % 100)
    }
}

/// A point in time: milliseconds since the Unix epoch, as the clock port tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TimeMs(pub u64);

impl TimeMs {
    /// Later by some milliseconds.
    #[must_use]
    pub fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Earlier by some milliseconds.
    #[must_use]
    pub fn minus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_sub(ms))
    }

    /// Milliseconds since `earlier`; 0 when the clock was set back in between.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whole seconds since the epoch.
    #[must_use]
    pub fn seconds(self) -> u64 {
        self.0 / 1_000
    }

    /// RFC 3339 in UTC with milliseconds, e.g. `2026-11-22T12:00:00.000Z`: how times are told to the world.
    #[must_use]
    pub fn rfc3339(self) -> String {
        let (seconds, ms) = (self.seconds(), self.0 % 1_000);
        let (days, second_of_day) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil_from_days(days);
        let (hour, minute, second) = (second_of_day / 3_600, second_of_day / 60 % 60, second_of_day % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
    }
}

/// Date of a day since 1970-01-01 in the proleptic Gregorian calendar, by Howard Hinnant's `civil_from_days`
/// (<https://howardhinnant.github.io/date_algorithms.html>).
#[must_use]
pub fn civil_from_days(days: u64) -> (u64, u64, u64) {
    // Counted from 0000-03-01, so that leap days end their year.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

impl fmt::Display for TimeMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn amounts_are_text_in_json_and_exact_at_18_decimals() {
        let amount = Amount(21_000_000_000_000_000_000_000_001);
        let json = serde_json::to_string(&amount).unwrap();
        assert_eq!(json, "\"21000000000000000000000001\"");
        assert_eq!(serde_json::from_str::<Amount>(&json).unwrap(), amount);
        assert_eq!("-5".parse::<Amount>().unwrap(), Amount(-5));
        assert!("5.0".parse::<Amount>().is_err());
        assert!(serde_json::from_str::<Amount>("5").is_err(), "a number may have been rounded on its way");
        assert_eq!(serde_json::from_str::<Work>("\"7\"").unwrap(), Work(7));
        assert!("-1".parse::<Work>().is_err());
        assert_eq!(Work(9).to_string(), "9");
    }

    #[test]
    fn checked_arithmetic_refuses_to_wrap() {
        assert_eq!(Amount(2).checked_add(Amount(-5)), Some(Amount(-3)));
        assert_eq!(Amount(2).checked_sub(Amount(5)), Some(Amount(-3)));
        assert_eq!(Amount(i128::MAX).checked_add(Amount(1)), None);
        assert_eq!(Amount(i128::MIN).checked_neg(), None);
        assert_eq!(Amount(i128::MIN).checked_sub(Amount(1)), None);
        assert_eq!(Amount::checked_sum([Amount(1), Amount(2), Amount(-3)]), Some(Amount::ZERO));
        assert!(Amount(-1).is_negative() && !Amount::ZERO.is_negative() && Amount::ZERO.is_zero());
        assert_eq!(Work(1).checked_sub(Work(2)), None);
        assert_eq!(Work(u128::MAX).checked_add(Work(1)), None);
        assert_eq!([Work(1), Work(u128::MAX)].into_iter().sum::<Work>(), Work(u128::MAX));
    }

    #[test]
    fn proportions_and_times() {
        assert_eq!(BasisPoints::percent(5), BasisPoints(500));
        assert_eq!(BasisPoints(505).to_string(), "5.05%");
        assert!(BasisPoints::ALL.is_fraction() && !BasisPoints(10_001).is_fraction());
        assert_eq!(TimeMs(5).since(TimeMs(9)), 0);
        assert_eq!(TimeMs(5).plus_ms(u64::MAX), TimeMs(u64::MAX));
        assert_eq!(TimeMs(5).minus_ms(7), TimeMs(0));
        assert_eq!(TimeMs(1_999).seconds(), 1);
        assert_eq!(TimeMs(1_999).to_string(), "1999");
    }
}
