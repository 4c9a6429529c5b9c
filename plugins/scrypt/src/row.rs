//! Four 32-bit words that are added, xored and rotated together.
//!
//! Left to itself the compiler takes arrays apart into scalar code, half as fast; every x86-64 has the instructions.

#[cfg(target_arch = "x86_64")]
pub(crate) use sse2::Row;

#[cfg(not(target_arch = "x86_64"))]
pub(crate) use portable::Row;

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod sse2 {
    use core::arch::x86_64::{
        __m128i, _mm_add_epi32, _mm_cvtsi128_si32, _mm_or_si128, _mm_set_epi32, _mm_shuffle_epi32,
        _mm_slli_epi32, _mm_srli_epi32, _mm_xor_si128,
    };

    macro_rules! sse2 {
        ($call:expr) => {
            // SAFETY: SSE2 belongs to the baseline of x86-64, and the intrinsics used here touch registers only.
            unsafe { $call }
        };
    }

    #[derive(Clone, Copy)]
    pub(crate) struct Row(__m128i);

    impl Row {
        pub(crate) fn new([a, b, c, d]: [u32; 4]) -> Self {
            Self(sse2!(_mm_set_epi32(d.cast_signed(), c.cast_signed(), b.cast_signed(), a.cast_signed())))
        }

        #[inline(always)]
        pub(crate) fn first(self) -> u32 {
            sse2!(_mm_cvtsi128_si32(self.0)).cast_unsigned()
        }

        #[inline(always)]
        pub(crate) fn xor(self, other: Self) -> Self {
            Self(sse2!(_mm_xor_si128(self.0, other.0)))
        }

        #[inline(always)]
        pub(crate) fn add(self, other: Self) -> Self {
            Self(sse2!(_mm_add_epi32(self.0, other.0)))
        }

        /// xors with `other` rotated left; RIGHT is 32 - LEFT.
        #[inline(always)]
        pub(crate) fn xor_rotated<const LEFT: i32, const RIGHT: i32>(self, other: Self) -> Self {
            let rotated =
                sse2!(_mm_or_si128(_mm_slli_epi32::<LEFT>(other.0), _mm_srli_epi32::<RIGHT>(other.0)));
            Self(sse2!(_mm_xor_si128(self.0, rotated)))
        }

        /// Word `i` becomes word `i + 1` (and so on, around the end).
        #[inline(always)]
        pub(crate) fn turn_1(self) -> Self {
            Self(sse2!(_mm_shuffle_epi32::<0b00_11_10_01>(self.0)))
        }

        #[inline(always)]
        pub(crate) fn turn_2(self) -> Self {
            Self(sse2!(_mm_shuffle_epi32::<0b01_00_11_10>(self.0)))
        }

        #[inline(always)]
        pub(crate) fn turn_3(self) -> Self {
            Self(sse2!(_mm_shuffle_epi32::<0b10_01_00_11>(self.0)))
        }
    }
}

#[cfg(any(test, not(target_arch = "x86_64")))]
mod portable {
    #[derive(Clone, Copy)]
    pub(crate) struct Row([u32; 4]);

    impl Row {
        pub(crate) fn new(words: [u32; 4]) -> Self {
            Self(words)
        }

        pub(crate) fn first(self) -> u32 {
            self.0[0]
        }

        pub(crate) fn xor(self, other: Self) -> Self {
            Self(core::array::from_fn(|i| self.0[i] ^ other.0[i]))
        }

        pub(crate) fn add(self, other: Self) -> Self {
            Self(core::array::from_fn(|i| self.0[i].wrapping_add(other.0[i])))
        }

        pub(crate) fn xor_rotated<const LEFT: i32, const RIGHT: i32>(self, other: Self) -> Self {
            Self(core::array::from_fn(|i| self.0[i] ^ other.0[i].rotate_left(LEFT.unsigned_abs())))
        }

        pub(crate) fn turn_1(self) -> Self {
            Self(core::array::from_fn(|i| self.0[(i + 1) % 4]))
        }

        pub(crate) fn turn_2(self) -> Self {
            Self(core::array::from_fn(|i| self.0[(i + 2) % 4]))
        }

        pub(crate) fn turn_3(self) -> Self {
            Self(core::array::from_fn(|i| self.0[(i + 3) % 4]))
        }
    }
}

impl Row {
    pub(crate) fn words(self) -> [u32; 4] {
        [self.first(), self.turn_1().first(), self.turn_2().first(), self.turn_3().first()]
    }
}

#[cfg(test)]
mod tests {
    use super::{Row, portable};

    #[test]
    fn both_forms_agree() {
        let (a, b) = ([1, 0x8000_0001, 0xffff_ffff, 7], [0x9e37_79b9, 0x7fff_ffff, 2, 0xdead_beef]);
        let (x, y) = (Row::new(a), Row::new(b));
        let (p, q) = (portable::Row::new(a), portable::Row::new(b));
        let words =
            |row: portable::Row| [row, row.turn_1(), row.turn_2(), row.turn_3()].map(portable::Row::first);
        assert_eq!(words(p), a);
        assert_eq!(x.words(), a);
        assert_eq!(x.add(y).words(), words(p.add(q)));
        assert_eq!(x.xor(y).words(), words(p.xor(q)));
        assert_eq!(x.xor_rotated::<7, 25>(y).words(), words(p.xor_rotated::<7, 25>(q)));
        assert_eq!(x.turn_1().words(), [a[1], a[2], a[3], a[0]]);
    }
}
