//! Difficulty as miners speak it: a multiple of an algorithm's "difficulty 1" target.
//!
//! target = floor(diff1 * 2^32 / d), where d is the difficulty in units of 2^-32. Everything is exact integer
//! arithmetic; what goes over the wire is [`Difficulty::quantise`]d to 12 significant bits, so that a miner that
//! reads it into a double has exactly our number. Difficulty is for the wire and for display: money is counted in
//! [`Work`].

use core::fmt;
use core::str::FromStr;

use ruint::Uint;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ids::{AlgorithmName, deserialize_text};
use crate::target::{Target, U256};
use crate::units::Work;

type U320 = Uint<320, 5>;
type U512 = Uint<512, 8>;

/// Bits behind the binary point.
const FRACTION_BITS: u32 = 32;
/// Significant bits that [`Difficulty::quantise`] leaves: a step of at most 0.05%.
const SIGNIFICANT_BITS: u32 = 12;
/// Longest decimal text that is read.
const TEXT_LENGTH_MAX: usize = 64;

/// A positive difficulty, fixed point with 32 fractional bits: the value is `.0` / 2^32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Difficulty(pub u128);

/// Text that is no difficulty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DifficultyError {
    /// Not a decimal number.
    #[error("difficulty is not a positive decimal number")]
    Syntax,
    /// Zero, below 2^-33, or 2^96 and more.
    #[error("difficulty is out of range (2^-32 to 2^96)")]
    Range,
}

impl Difficulty {
    /// The least difficulty: 2^-32.
    pub const MIN: Self = Self(1);
    /// Difficulty 1.
    pub const ONE: Self = Self(1 << FRACTION_BITS);
    /// The greatest difficulty, just below 2^96.
    pub const MAX: Self = Self(u128::MAX);

    /// A whole number.
    #[must_use]
    pub const fn whole(value: u64) -> Self {
        Self((value as u128) << FRACTION_BITS)
    }

    /// Rounds down to 12 significant bits.
    #[must_use]
    pub const fn quantise(self) -> Self {
        let bits = u128::BITS - self.0.leading_zeros();
        let excess = bits.saturating_sub(SIGNIFICANT_BITS);
        Self(self.0 >> excess << excess)
    }

    /// `self * numerator / denominator`, rounded down, kept within the range; the denominator must not be 0.
    #[must_use]
    pub fn scale(self, numerator: u128, denominator: u128) -> Self {
        let product = U256::from(self.0) * U256::from(numerator) / U256::from(denominator.max(1));
        Self(u128::try_from(product).unwrap_or(u128::MAX).max(1))
    }

    /// Reads the text of a JSON number (or of a decimal string), rounded to the nearest 2^-32, ties to even.
    ///
    /// # Errors
    /// [`DifficultyError::Syntax`] for anything but `123`, `0.0005`, `1e-3`, `2.5E+3`; [`DifficultyError::Range`].
    pub fn parse(text: &str) -> Result<Self, DifficultyError> {
        let (digits, exponent) = decimal(text).ok_or(DifficultyError::Syntax)?;
        if digits.is_zero() || exponent > 40 {
            return Err(DifficultyError::Range);
        }
        if exponent < -110 {
            // At most 64 digits: below 10^-46.
            return Err(DifficultyError::Range);
        }
        let power = U512::from(10u8).pow(U512::from(exponent.unsigned_abs()));
        let scaled = digits << FRACTION_BITS as usize;
        let value = if exponent >= 0 { scaled * power } else { divide_to_nearest(scaled, power) };
        match u128::try_from(value) {
            Ok(value) if value > 0 => Ok(Self(value)),
            _ => Err(DifficultyError::Range),
        }
    }
}

fn divide_to_nearest(dividend: U512, divisor: U512) -> U512 {
    let (quotient, remainder) = dividend.div_rem(divisor);
    let twice = remainder << 1usize;
    let up = twice > divisor || (twice == divisor && quotient.bit(0));
    quotient + U512::from(u8::from(up))
}

/// Splits decimal text into an integer and a power of ten.
fn decimal(text: &str) -> Option<(U512, i32)> {
    if text.len() > TEXT_LENGTH_MAX {
        return None;
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            if digits.is_empty() || digits.len() > 4 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            (mantissa, exponent.parse::<i32>().ok()?)
        }
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    if whole.is_empty() || fraction.is_empty() {
        return None;
    }
    let mut value = U512::ZERO;
    for byte in whole.bytes().chain(fraction.bytes()) {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value * U512::from(10u8) + U512::from(byte - b'0');
    }
    let fraction_digits = i32::try_from(fraction.len()).ok()?;
    Some((value, exponent - fraction_digits))
}

impl fmt::Display for Difficulty {
    /// Every digit, none too many: a dyadic fraction ends after at most 32 decimals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0 >> FRACTION_BITS)?;
        let mask = (1u128 << FRACTION_BITS) - 1;
        let mut fraction = self.0 & mask;
        if fraction != 0 {
            f.write_str(".")?;
        }
        while fraction != 0 {
            fraction *= 10;
            write!(f, "{}", fraction >> FRACTION_BITS)?;
            fraction &= mask;
        }
        Ok(())
    }
}

impl FromStr for Difficulty {
    type Err = DifficultyError;

    fn from_str(text: &str) -> Result<Self, DifficultyError> {
        Self::parse(text)
    }
}

impl Serialize for Difficulty {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Difficulty {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_text(deserializer, "a difficulty as a decimal string", Difficulty::parse)
    }
}

/// What difficulty 1 means for a family of algorithms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DifficultyScale {
    /// The target of difficulty 1.
    pub diff1: U256,
}

impl DifficultyScale {
    /// sha256d and every algorithm whose miners use the multiplier 1 (blake2s, blake3): `0xffff * 2^208`.
    pub const SHA256D: Self = Self { diff1: U256::from_limbs([0, 0, 0, 0x0000_0000_ffff_0000]) };
    /// The scrypt family: `0xffff * 2^224`, 65,536 times looser than sha256d's.
    pub const SCRYPT: Self = Self { diff1: U256::from_limbs([0, 0, 0, 0x0000_ffff_0000_0000]) };
    /// kHeavyHash: `2^224 - 1`, as Kaspa's stratum bridges have it.
    pub const KASPA: Self =
        Self { diff1: U256::from_limbs([u64::MAX, u64::MAX, u64::MAX, 0x0000_0000_ffff_ffff]) };
    /// scrypt-bdag: its miners compare the top 64 bits with `0x0000ffff00000000 / difficulty`.
    pub const BDAG: Self = Self { diff1: U256::from_limbs([0, 0, 0, 0x0000_ffff_0000_0000]) };

    /// The scale that miners of an algorithm use; algorithms that are not known here count like sha256d.
    #[must_use]
    pub fn by_algorithm(algorithm: &AlgorithmName) -> Self {
        match algorithm.as_str() {
            "scrypt" => Self::SCRYPT,
            "scrypt-bdag" => Self::BDAG,
            "kheavyhash" => Self::KASPA,
            _ => Self::SHA256D,
        }
    }

    /// The strict target: floor(diff1 * 2^32 / d), kept between 2^128 and 2^256 - 1.
    #[must_use]
    pub fn target(&self, difficulty: Difficulty) -> Target {
        let dividend = U320::from(self.diff1) << FRACTION_BITS as usize;
        let quotient = dividend / U320::from(difficulty.0.max(1));
        Target(U256::saturating_from(quotient)).max(Target::MIN)
    }

    /// The target that shares are judged by: 0.01% looser than [`Self::target`], because clients differ in their
    /// difficulty 1 (`0xffff * 2^208` or `2^224`) and compute the target in doubles.
    #[must_use]
    pub fn tolerant_target(&self, difficulty: Difficulty) -> Target {
        let strict = self.target(difficulty).0;
        Target(strict.saturating_add(strict / U256::from(10_000u32)))
    }

    /// The difficulty of a target, rounded down: the target of the result is never tighter than `target`.
    #[must_use]
    pub fn difficulty_of(&self, target: Target) -> Difficulty {
        if target.0.is_zero() {
            return Difficulty::MAX;
        }
        let quotient = (U320::from(self.diff1) << FRACTION_BITS as usize) / U320::from(target.0);
        Difficulty(u128::try_from(quotient).unwrap_or(u128::MAX).max(1))
    }

    /// The difficulty at which a share takes about `work` expected hashes, rounded down.
    #[must_use]
    pub fn difficulty_for_work(&self, work: Work) -> Difficulty {
        self.difficulty_of(Target::for_work(work))
    }

    /// Expected hashes for a share of this difficulty, by the strict target.
    #[must_use]
    pub fn work(&self, difficulty: Difficulty) -> Work {
        self.target(difficulty).work().expect("a target of a difficulty is at least 2^128")
    }
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation)]
mod tests {
    use std::string::ToString;

    use proptest::prelude::*;

    use super::*;

    fn d(text: &str) -> Difficulty {
        Difficulty::parse(text).unwrap()
    }

    #[test]
    fn decimal_text_is_read_without_floats() {
        assert_eq!(d("1024"), Difficulty::whole(1024));
        assert_eq!(d("0.5").0, 1 << 31);
        assert_eq!(d("1e-3"), d("0.001"));
        assert_eq!(d("2.5E+3"), Difficulty::whole(2500));
        assert_eq!(d("0.0005").0, 2_147_484); // 2147483.648 rounds up
        assert_eq!(d("0.00000000011641532182693481445313").0, 1, "just above a half unit");
        assert_eq!(Difficulty::parse("0.000000000116415321826934814453125"), Err(DifficultyError::Range));
    }

    #[test]
    fn text_that_is_no_difficulty_is_refused() {
        for text in
            ["", ".", "1.", ".5", "-1", "+1", "1e", "1e+", "1e99999", "0x10", "nan", " 1", "1,5", "1e1e1"]
        {
            assert_eq!(Difficulty::parse(text), Err(DifficultyError::Syntax), "{text}");
        }
        assert_eq!(Difficulty::parse(&"1".repeat(65)), Err(DifficultyError::Syntax));
        for text in ["0", "0.0", "0e9", "1e-11", "1e-300", "1e29", "1e41", "79228162514264337593543950336"] {
            assert_eq!(Difficulty::parse(text), Err(DifficultyError::Range), "{text}");
        }
        assert!(Difficulty::parse("79228162514264337593543950335.9").is_ok());
    }

    #[test]
    fn display_is_exact_and_short() {
        assert_eq!(Difficulty::ONE.to_string(), "1");
        assert_eq!(d("0.75").to_string(), "0.75");
        assert_eq!(Difficulty::MIN.to_string(), "0.00000000023283064365386962890625");
        assert_eq!(serde_json::to_string(&d("1.5")).unwrap(), "\"1.5\"");
        assert_eq!(serde_json::from_str::<Difficulty>("\"1.5\"").unwrap(), d("1.5"));
    }

    #[test]
    fn known_targets() {
        let of = |scale: DifficultyScale, text: &str| scale.target(d(text)).to_string();
        let zeros = "0".repeat(48);
        assert_eq!(of(DifficultyScale::SHA256D, "1"), std::format!("00000000ffff0000{zeros}"));
        assert_eq!(of(DifficultyScale::SHA256D, "0.5"), std::format!("00000001fffe0000{zeros}"));
        assert_eq!(of(DifficultyScale::SCRYPT, "1"), std::format!("0000ffff00000000{zeros}"));
        assert_eq!(of(DifficultyScale::BDAG, "2"), std::format!("00007fff80000000{zeros}"));
        assert_eq!(of(DifficultyScale::KASPA, "1"), std::format!("00000000{}", "f".repeat(56)));
        assert_eq!(DifficultyScale::BDAG.work(Difficulty::ONE), Work(65_537));
        assert_eq!(DifficultyScale::SHA256D.work(Difficulty::ONE), Work(0x1_0001_0001));
        assert_eq!(DifficultyScale::SHA256D.target(Difficulty::MAX), Target::MIN);
        assert_eq!(DifficultyScale::SCRYPT.target(Difficulty::MIN), Target::MAX);
        assert_eq!(DifficultyScale::SHA256D.difficulty_of(Target(U256::ZERO)), Difficulty::MAX);
        let scale = |name: &str| DifficultyScale::by_algorithm(&AlgorithmName::new(name).unwrap());
        assert_eq!(scale("blake3"), DifficultyScale::SHA256D);
        assert_eq!(scale("scrypt"), DifficultyScale::SCRYPT);
        assert_eq!(scale("scrypt-bdag"), DifficultyScale::BDAG);
        assert_eq!(scale("kheavyhash"), DifficultyScale::KASPA);
    }

    #[test]
    fn tolerance_covers_both_customs_of_difficulty_one() {
        let loose = DifficultyScale::SHA256D.tolerant_target(Difficulty::ONE);
        assert!(loose.0 > U256::ONE << 224usize);
        assert!(loose.0 < (U256::ONE << 224usize) + (U256::ONE << 211usize));
        assert_eq!(DifficultyScale::SCRYPT.tolerant_target(Difficulty::MIN), Target::MAX);
    }

    #[test]
    fn scaling_stays_in_range() {
        assert_eq!(Difficulty::MAX.scale(3, 1), Difficulty::MAX);
        assert_eq!(Difficulty::MIN.scale(1, 3), Difficulty::MIN);
        assert_eq!(Difficulty::whole(6).scale(2, 3), Difficulty::whole(4));
    }

    fn difficulties() -> impl Strategy<Value = Difficulty> {
        (1u128.., 0u32..128).prop_map(|(value, shift)| Difficulty((value >> shift).max(1)))
    }

    fn scales() -> impl Strategy<Value = DifficultyScale> {
        prop::sample::select(std::vec![
            DifficultyScale::SHA256D,
            DifficultyScale::SCRYPT,
            DifficultyScale::KASPA
        ])
    }

    proptest! {
        #[test]
        fn text_round_trip_is_exact(value in difficulties()) {
            let text = value.to_string();
            prop_assume!(text.len() <= TEXT_LENGTH_MAX);
            prop_assert_eq!(d(&text), value);
        }

        #[test]
        fn a_quantised_value_is_the_same_in_a_miners_double(value in difficulties()) {
            let quantised = value.quantise();
            prop_assert!(quantised <= value && quantised.0 >= value.0 - value.0 / 2048);
            // The one place with floats: what a miner does with what we send.
            let float: f64 = quantised.to_string().parse().unwrap();
            prop_assert_eq!((float * 4_294_967_296.0) as u128, quantised.0);
        }

        #[test]
        fn parse_agrees_with_doubles(float in 1e-9f64..1e12) {
            let exact = (float * 4_294_967_296.0) as u128;
            let parsed = d(&std::format!("{float:e}")).0;
            prop_assert!(parsed.abs_diff(exact) <= 1 + exact / (1 << 50));
        }

        #[test]
        fn target_falls_as_difficulty_rises(a in difficulties(), b in difficulties(), scale in scales()) {
            let (low, high) = (a.min(b), a.max(b));
            prop_assert!(scale.target(low) >= scale.target(high));
            prop_assert!(scale.tolerant_target(low) >= scale.target(low));
            prop_assert!(scale.work(low) <= scale.work(high));
        }

        #[test]
        fn difficulty_of_a_target_is_never_tighter(bytes in any::<[u8; 32]>(), shift in 0usize..100, scale in scales()) {
            let target = Target((U256::from_be_bytes(bytes) >> shift).max(Target::MIN.0));
            let difficulty = scale.difficulty_of(target);
            if difficulty > Difficulty::MIN {
                prop_assert!(scale.target(difficulty) >= target);
                prop_assert!(scale.target(Difficulty(difficulty.0.saturating_add(1))) <= target || difficulty == Difficulty::MAX);
            }
        }

        #[test]
        fn work_and_difficulty_agree(work in 1u64.., scale in scales()) {
            let work = Work(u128::from(work));
            let difficulty = scale.difficulty_for_work(work);
            if difficulty.0 > 1 << 20 {
                let back = scale.work(difficulty);
                prop_assert!(back.0.abs_diff(work.0) <= 1 + work.0 / (1 << 19));
            }
        }
    }
}
