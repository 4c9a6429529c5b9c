//! Amounts as people write them. Only the edge (configuration, command line, pages) uses this; everything else counts in
//! the smallest unit.

use alloc::format;
use alloc::string::{String, ToString as _};

use crate::units::Amount;

/// Text that is no amount of this currency.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an amount: write digits with at most {decimals} behind the point, such as 0.01")]
pub struct NotAnAmount {
    /// What was read.
    pub text: String,
    /// Digits behind the point that the currency has.
    pub decimals: u8,
}

/// Reads a decimal such as `0.01` exactly.
///
/// # Errors
/// [`NotAnAmount`], also when there are more digits than the currency has.
pub fn parse(text: &str, decimals: u8) -> Result<Amount, NotAnAmount> {
    let wrong = || NotAnAmount { text: text.to_string(), decimals };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let empty = whole.is_empty() || (text.contains('.') && fraction.is_empty());
    if empty || !digits(whole) || !digits(fraction) || fraction.len() > usize::from(decimals) {
        return Err(wrong());
    }
    let padded = format!("{whole}{fraction:0<width$}", width = usize::from(decimals));
    padded.parse().map(Amount).map_err(|_| wrong())
}

/// Writes an amount, without superfluous zeros.
#[must_use]
pub fn format_amount(amount: Amount, decimals: u8) -> String {
    let decimals = usize::from(decimals);
    let sign = if amount.is_negative() { "-" } else { "" };
    let digits = format!("{:0>width$}", amount.0.unsigned_abs(), width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimals_are_exact_and_anything_else_is_refused() {
        assert_eq!(parse("0.01", 8), Ok(Amount(1_000_000)));
        assert_eq!(parse("50", 8), Ok(Amount(5_000_000_000)));
        assert_eq!(parse("1.000000000000000001", 18), Ok(Amount(1_000_000_000_000_000_001)));
        for wrong in
            ["", ".", "1.", ".5", "-1", "+1", "1e8", "0.000000001", "1,5", " 1", "9".repeat(40).as_str()]
        {
            assert!(parse(wrong, 8).is_err(), "{wrong}");
        }
        assert_eq!(format_amount(Amount(-1_500_000), 8), "-0.015");
        assert_eq!(format_amount(Amount(0), 8), "0");
        assert_eq!(format_amount(Amount(7), 0), "7");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(amount in 0_i128..i128::MAX, decimals in 0_u8..19) {
            prop_assert_eq!(parse(&format_amount(Amount(amount), decimals), decimals), Ok(Amount(amount)));
        }
    }
}
