//! 256-bit targets without a big-integer crate: comparison, compact form, division by a difficulty.

use crate::{AlgorithmError, Hash};

/// The greatest hash that counts, as a 256-bit integer stored little-endian.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Target([u8; 32]);

impl Target {
    /// Difficulty 1 of Bitcoin and the coins that kept its scale: 0xffff x 2^208.
    pub const BITCOIN_ONE: Self = Self::ffff_at(26);
    /// Difficulty 1 of the scrypt family, 65,536 times easier: 0xffff x 2^224.
    pub const SCRYPT_ONE: Self = Self::ffff_at(28);
    /// Difficulty 1 of Kaspa's miners: 2^224 - 1.
    pub const KASPA_ONE: Self = {
        let mut bytes = [0; 32];
        let mut i = 0;
        while i < 28 {
            bytes[i] = 0xff;
            i += 1;
        }
        Self(bytes)
    };
    /// Every hash meets it.
    pub const MAX: Self = Self([0xff; 32]);

    const fn ffff_at(low_byte: usize) -> Self {
        let mut bytes = [0; 32];
        bytes[low_byte] = 0xff;
        bytes[low_byte + 1] = 0xff;
        Self(bytes)
    }

    /// From 32 little-endian bytes.
    #[must_use]
    pub const fn from_le_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// From 32 big-endian bytes, the order in which targets are usually printed.
    #[must_use]
    pub fn from_be_bytes(mut bytes: [u8; 32]) -> Self {
        bytes.reverse();
        Self(bytes)
    }

    /// 32 little-endian bytes.
    #[must_use]
    pub const fn to_le_bytes(self) -> [u8; 32] {
        self.0
    }

    /// From the compact form of a header: 3 bytes of mantissa times 256^(exponent - 3), as in Bitcoin's `nBits`.
    ///
    /// # Errors
    /// [`AlgorithmError::BadCompactTarget`] if it is negative, zero or wider than 256 bits.
    pub fn from_compact(bits: u32) -> Result<Self, AlgorithmError> {
        let bad = AlgorithmError::BadCompactTarget(bits);
        let [exponent, mantissa @ ..] = bits.to_be_bytes();
        if mantissa[0] & 0x80 != 0 {
            return Err(bad);
        }
        let mut bytes = [0; 32];
        for (i, byte) in mantissa.into_iter().rev().enumerate() {
            match (usize::from(exponent) + i).checked_sub(3) {
                Some(place) if place < 32 => bytes[place] = byte,
                Some(_) if byte != 0 => return Err(bad),
                // Digits below one are cut off, zeros above the top do no harm.
                _ => {}
            }
        }
        if bytes == [0; 32] {
            return Err(bad);
        }
        Ok(Self(bytes))
    }

    /// This target divided by a difficulty, rounded down: the target of that difficulty if `self` is that of 1.
    ///
    /// # Errors
    /// [`AlgorithmError::ZeroDifficulty`].
    pub fn divided_by(self, difficulty: u64) -> Result<Self, AlgorithmError> {
        if difficulty == 0 {
            return Err(AlgorithmError::ZeroDifficulty);
        }
        let divisor = u128::from(difficulty);
        let mut quotient = [0; 32];
        let mut rest = 0u128;
        for (digit, place) in self.0.as_chunks::<8>().0.iter().zip(quotient.as_chunks_mut::<8>().0).rev() {
            let dividend = rest << 64 | u128::from(u64::from_le_bytes(*digit));
            // The rest is less than the divisor, so the digit of the quotient has no bits above 64.
            place.copy_from_slice(&(dividend / divisor).to_le_bytes()[..8]);
            rest = dividend % divisor;
        }
        Ok(Self(quotient))
    }

    /// Whether a hash, read as a little-endian integer, is not greater than the target.
    #[must_use]
    pub fn is_met_by(&self, hash: &Hash) -> bool {
        hash.iter().rev().le(self.0.iter().rev())
    }
}

/// Big-endian hexadecimal digits, as targets are usually printed.
impl core::fmt::Display for Target {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.iter().rev().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl core::fmt::Debug for Target {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Target({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::ToString};
    use proptest::prelude::*;

    #[test]
    fn difficulty_one_of_each_family() {
        assert_eq!(
            Target::BITCOIN_ONE.to_string(),
            "00000000ffff0000000000000000000000000000000000000000000000000000"
        );
        assert_eq!(Target::SCRYPT_ONE.to_string(), format!("0000ffff{}", "0".repeat(56)));
        assert_eq!(Target::KASPA_ONE.to_string(), format!("00000000{}", "f".repeat(56)));
        assert_eq!(format!("{:?}", Target::MAX), format!("Target({})", "f".repeat(64)));
    }

    #[test]
    fn compact_form() {
        assert_eq!(Target::from_compact(0x1d00_ffff), Ok(Target::BITCOIN_ONE));
        let regtest = Target::from_compact(0x207f_ffff).unwrap();
        assert_eq!(regtest.to_string(), format!("7fffff{}", "0".repeat(58)));
        assert_eq!(Target::from_compact(0x0300_0102).unwrap().to_le_bytes()[..3], [2, 1, 0]);
        assert_eq!(Target::from_compact(0x0201_0203).unwrap().to_le_bytes()[..3], [2, 1, 0]);
        assert_eq!(Target::from_compact(0x2200_00ff).unwrap().to_le_bytes()[31], 0xff);
        for bad in
            [0x1d80_ffff, 0x1d00_0000, 0, 0x0100_ffff, 0x2200_ffff, 0x2100_ffff + 0x0001_0000, 0xff00_0001]
        {
            assert_eq!(Target::from_compact(bad), Err(AlgorithmError::BadCompactTarget(bad)), "{bad:08x}");
        }
    }

    #[test]
    fn byte_order_and_bounds_of_the_comparison() {
        let mut one_more = Target::BITCOIN_ONE.to_le_bytes();
        assert!(Target::BITCOIN_ONE.is_met_by(&one_more));
        one_more[0] = 1;
        assert!(!Target::BITCOIN_ONE.is_met_by(&one_more));
        assert!(Target::MAX.is_met_by(&[0xff; 32]));
        let mut be = [0; 32];
        be[4..6].fill(0xff);
        assert_eq!(Target::from_be_bytes(be), Target::BITCOIN_ONE);
    }

    #[test]
    fn division() {
        let two = Target::KASPA_ONE.divided_by(2).unwrap();
        assert_eq!(two.to_string(), format!("000000007{}", "f".repeat(55)));
        assert_eq!(
            Target::MAX.divided_by(u64::MAX).unwrap().to_string(),
            format!("{}1", "0".repeat(15)).repeat(4)
        );
        assert_eq!(Target::MAX.divided_by(0), Err(AlgorithmError::ZeroDifficulty));
    }

    proptest! {
        /// quotient x divisor + rest must give the target back, with a rest below the divisor.
        #[test]
        fn division_is_exact(bytes: [u8; 32], divisor in 1u64..) {
            let quotient = Target::from_le_bytes(bytes).divided_by(divisor).unwrap().to_le_bytes();
            let mut product = [0u64; 5];
            let mut carry = 0u128;
            for (i, digit) in quotient.as_chunks::<8>().0.iter().enumerate() {
                let sum = u128::from(u64::from_le_bytes(*digit)) * u128::from(divisor) + carry;
                product[i] = u64::try_from(sum & u128::from(u64::MAX)).unwrap();
                carry = sum >> 64;
            }
            prop_assert_eq!(carry, 0);
            let digits = bytes.as_chunks::<8>().0.iter().map(|d| u64::from_le_bytes(*d));
            let mut borrow = false;
            let mut rest = [0u64; 4];
            for (i, digit) in digits.enumerate() {
                let (d, b1) = digit.overflowing_sub(product[i]);
                let (d, b2) = d.overflowing_sub(u64::from(borrow));
                rest[i] = d;
                borrow = b1 || b2;
            }
            prop_assert!(!borrow && rest[1..] == [0; 3] && rest[0] < divisor);
        }

        #[test]
        fn comparison_is_that_of_integers(a: [u8; 32], b: [u8; 32]) {
            let (mut x, mut y) = (a, b);
            x.reverse();
            y.reverse();
            prop_assert_eq!(Target::from_le_bytes(b).is_met_by(&a), x <= y);
        }
    }
}
