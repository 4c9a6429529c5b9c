//! Proof-of-work targets: 256-bit integers that a hash must not exceed.
//!
//! Compact form ("nbits") as in Bitcoin's `arith_uint256::SetCompact`, with the same refusals as its
//! `CheckProofOfWork`: negative, zero, overflowing. Work is floor(2^256 / (target + 1)), as in `GetBlockProof`.

use core::fmt;

pub use ruint::aliases::U256;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ids::deserialize_text;
use crate::units::Work;

/// The greatest hash, as an integer, that still counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target(pub U256);

/// A target that can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The sign bit of the compact form is set.
    #[error("compact target {0:08x} is negative")]
    Negative(u32),
    /// The compact form does not fit 256 bits.
    #[error("compact target {0:08x} overflows 256 bits")]
    Overflow(u32),
    /// No hash can meet it.
    #[error("target is zero")]
    Zero,
    /// Below 2^128: more work than 128 bits hold, which no network has ever asked for.
    #[error("target is below 2^128: the template or the difficulty it came from is wrong")]
    Absurd,
    /// Not 64 hexadecimal digits.
    #[error("target is not 64 hexadecimal digits")]
    Hex,
}

impl Target {
    /// The loosest target: every hash meets it.
    pub const MAX: Self = Self(U256::MAX);
    /// The tightest target whose work fits 128 bits: 2^128.
    pub const MIN: Self = Self(U256::from_limbs([0, 0, 1, 0]));

    /// Reads the compact form that headers hold.
    ///
    /// # Errors
    /// [`TargetError::Negative`], [`TargetError::Overflow`], [`TargetError::Zero`].
    pub fn from_compact(nbits: u32) -> Result<Self, TargetError> {
        let size = nbits >> 24;
        let mut word = nbits & 0x007f_ffff;
        if size <= 3 {
            word >>= 8 * (3 - size);
        }
        if word == 0 {
            return Err(TargetError::Zero);
        }
        if nbits & 0x0080_0000 != 0 {
            return Err(TargetError::Negative(nbits));
        }
        if size > 34 || (word > 0xff && size > 33) || (word > 0xffff && size > 32) {
            return Err(TargetError::Overflow(nbits));
        }
        let value = U256::from(word);
        Ok(Self(if size <= 3 { value } else { value << (8 * (size as usize - 3)) }))
    }

    /// Writes the compact form; bits beyond its 23 of precision are dropped, so the result never exceeds `self`.
    #[must_use]
    pub fn to_compact(self) -> u32 {
        let mut size = self.0.bit_len().div_ceil(8);
        let shifted = if size <= 3 { self.0 << (8 * (3 - size)) } else { self.0 >> (8 * (size - 3)) };
        let [low, ..] = *shifted.as_limbs();
        let mut word = u32::try_from(low).expect("three bytes are left after the shift");
        if word & 0x0080_0000 != 0 {
            // The highest bit of the mantissa is the sign.
            word >>= 8;
            size += 1;
        }
        word | u32::try_from(size << 24).expect("at most 33 bytes")
    }

    /// Expected hashes to meet this target: floor(2^256 / (target + 1)).
    ///
    /// # Errors
    /// [`TargetError::Absurd`] below 2^128, where the result would not fit.
    pub fn work(self) -> Result<Work, TargetError> {
        if self < Self::MIN {
            return Err(TargetError::Absurd);
        }
        let Some(divisor) = self.0.checked_add(U256::ONE) else { return Ok(Work(1)) };
        // 2^256 itself does not fit: 2^256 / d = (2^256 - d) / d + 1, and 2^256 - d is !target.
        let work = !self.0 / divisor + U256::ONE;
        Ok(Work(u128::try_from(work).expect("2^256 / 2^128 fits below 2^128 because the divisor is greater")))
    }

    /// The target whose work is at least `work` (the greatest such one): floor(2^256 / work) - 1.
    #[must_use]
    pub fn for_work(work: Work) -> Self {
        if work.0 <= 1 {
            return Self::MAX;
        }
        // floor((2^256 - 1) / w) differs from floor(2^256 / w) exactly when w divides 2^256.
        let divisor = U256::from(work.0);
        let quotient = U256::MAX / divisor;
        Self(if work.0.is_power_of_two() { quotient } else { quotient - U256::ONE }.max(Self::MIN.0))
    }

    /// Whether a hash, as hash functions produce it (256-bit little-endian integer), meets the target.
    #[must_use]
    #[inline]
    pub fn is_met_by(&self, hash_le: &[u8; 32]) -> bool {
        let limbs = self.0.as_limbs();
        let (chunks, _) = hash_le.as_chunks::<8>();
        // Nearly every hash is decided by its top limb.
        for (chunk, limb) in chunks.iter().zip(limbs).rev() {
            let value = u64::from_le_bytes(*chunk);
            if value != *limb {
                return value < *limb;
            }
        }
        true
    }

    /// Reads 64 hexadecimal digits, most significant first.
    ///
    /// # Errors
    /// [`TargetError::Hex`].
    pub fn from_be_hex(text: &str) -> Result<Self, TargetError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| TargetError::Hex)?;
        Ok(Self(U256::from_be_bytes(bytes)))
    }

    /// Most significant byte first.
    #[must_use]
    pub fn to_be_bytes(self) -> [u8; 32] {
        self.0.to_be_bytes()
    }

    /// A hash read the same way the comparison reads it: as a little-endian integer.
    #[must_use]
    pub fn of_hash(hash_le: &[u8; 32]) -> Self {
        Self(U256::from_le_bytes(*hash_le))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_be_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl core::str::FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        Self::from_be_hex(text)
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_text(deserializer, "64 hexadecimal digits, most significant first", Target::from_be_hex)
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use proptest::prelude::*;

    use super::*;

    fn target(text: &str) -> Target {
        Target::from_be_hex(text).unwrap()
    }

    #[test]
    fn compact_form_follows_bitcoin() {
        // Bitcoin Core, src/test/arith_uint256_tests.cpp, bignum_SetCompact.
        assert_eq!(
            Target::from_compact(0x1d00_ffff).unwrap().to_string(),
            "00000000ffff0000000000000000000000000000000000000000000000000000"
        );
        for (nbits, value) in [
            (0x0112_3456, 0x12u64),
            (0x0212_3456, 0x1234),
            (0x0312_3456, 0x12_3456),
            (0x0412_3456, 0x1234_5600),
            (0x0500_9234, 0x9234_0000),
        ] {
            assert_eq!(Target::from_compact(nbits), Ok(Target(U256::from(value))), "{nbits:08x}");
        }
        assert_eq!(Target::from_compact(0x2012_3456).unwrap().0 >> 232usize, U256::from(0x12_3456u32));
        for nbits in
            [0, 0x0012_3456, 0x0100_3456, 0x0200_0056, 0x0300_0000, 0x0400_0000, 0x0080_0000, 0x0180_3456]
        {
            assert_eq!(Target::from_compact(nbits), Err(TargetError::Zero), "{nbits:08x}");
        }
        for nbits in [0x01fe_dcba, 0x0492_3456] {
            assert_eq!(Target::from_compact(nbits), Err(TargetError::Negative(nbits)), "{nbits:08x}");
        }
        for nbits in [0xff12_3456, 0x2301_0000, 0x2201_0000, 0x2100_ffff + 1] {
            assert_eq!(Target::from_compact(nbits), Err(TargetError::Overflow(nbits)), "{nbits:08x}");
        }
        assert!(Target::from_compact(0x2200_00ff).is_ok());
        assert!(Target::from_compact(0x2100_ffff).is_ok());
        assert_eq!(Target(U256::from(0x12u8)).to_compact(), 0x0112_0000);
        assert_eq!(Target(U256::from(0x80u8)).to_compact(), 0x0200_8000);
        assert_eq!(Target::MAX.to_compact(), 0x2100_ffff);
        assert_eq!(Target(U256::ZERO).to_compact(), 0);
    }

    #[test]
    fn work_follows_get_block_proof() {
        assert_eq!(Target::from_compact(0x1d00_ffff).unwrap().work(), Ok(Work(0x1_0001_0001)));
        assert_eq!(Target::from_compact(0x207f_ffff).unwrap().work(), Ok(Work(2)));
        assert_eq!(Target::MAX.work(), Ok(Work(1)));
        assert_eq!(Target(U256::from(u128::MAX)).work(), Err(TargetError::Absurd));
        assert_eq!(Target::MIN.work(), Ok(Work(u128::MAX)));
        assert_eq!(Target::for_work(Work(0)), Target::MAX);
        assert_eq!(Target::for_work(Work(1)), Target::MAX);
        assert_eq!(Target::for_work(Work(2)).0, U256::MAX >> 1usize);
    }

    #[test]
    fn a_hash_is_a_little_endian_integer() {
        let bound = target("00000000ffff0000000000000000000000000000000000000000000000000000");
        let mut hash = bound.to_be_bytes();
        hash.reverse();
        assert!(bound.is_met_by(&hash));
        hash[0] = 1;
        assert!(!bound.is_met_by(&hash));
        assert!(bound.is_met_by(&[0; 32]));
        assert!(!bound.is_met_by(&[0xff; 32]));
    }

    #[test]
    fn hex_is_strict() {
        assert_eq!(Target::from_be_hex("00"), Err(TargetError::Hex));
        assert_eq!("zz".parse::<Target>(), Err(TargetError::Hex));
        let json = serde_json::to_string(&Target::MIN).unwrap();
        assert_eq!(serde_json::from_str::<Target>(&json).unwrap(), Target::MIN);
        assert!(serde_json::from_str::<Target>("\"0x00\"").is_err());
    }

    proptest! {
        #[test]
        fn comparison_is_that_of_integers(a in any::<[u8; 32]>(), b in any::<[u8; 32]>()) {
            let bound = Target::of_hash(&b);
            prop_assert_eq!(bound.is_met_by(&a), Target::of_hash(&a) <= bound);
            prop_assert!(bound.is_met_by(&b));
        }

        #[test]
        fn compact_round_trip_never_loosens(bytes in any::<[u8; 32]>(), shift in 0usize..256) {
            let bound = Target(U256::from_be_bytes(bytes) >> shift);
            prop_assume!(bound.0 != U256::ZERO);
            let again = Target::from_compact(bound.to_compact()).unwrap();
            prop_assert!(again <= bound);
            prop_assert!(again.0 >= bound.0 - (bound.0 >> 15usize));
            prop_assert_eq!(again.to_compact(), bound.to_compact());
        }

        #[test]
        fn work_falls_as_the_target_rises(a in any::<[u8; 32]>(), b in any::<[u8; 32]>(), shift in 0usize..128) {
            let (a, b) = (Target((U256::from_be_bytes(a) >> shift).max(Target::MIN.0)), Target(U256::from_be_bytes(b).max(Target::MIN.0)));
            let (low, high) = (a.min(b), a.max(b));
            prop_assert!(low.work().unwrap() >= high.work().unwrap());
        }

        #[test]
        fn for_work_is_the_greatest_target_with_that_work(work in 1u128.., shift in 0u32..127) {
            let work = Work((work >> shift).max(1));
            let bound = Target::for_work(work);
            if bound > Target::MIN {
                prop_assert!(bound.work().unwrap() >= work);
            }
            if bound < Target::MAX && bound > Target::MIN {
                prop_assert!(Target(bound.0 + U256::ONE).work().unwrap() < work);
            }
        }
    }
}
