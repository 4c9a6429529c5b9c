//! Little-endian base-128 numbers: 7 bits per byte, the high bit says that more follow.

/// Appends a number.
pub(super) fn put(out: &mut Vec<u8>, mut value: u128) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    #[expect(clippy::cast_possible_truncation, reason = "below 0x80 here")]
    out.push(value as u8);
}

/// Some numbers on their way into a vector at once: a check for room per number costs as much as the number.
pub(super) struct Short<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Short<N> {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; N], length: 0 }
    }

    /// Adds bytes as they are. Whoever adds more than `N` in all panics.
    #[inline]
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes[self.length..self.length + bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    /// Adds a number, as [`put`] does.
    #[inline]
    pub(super) fn put(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.push(&[(value & 0x7f) as u8 | 0x80]);
            value >>= 7;
        }
        #[expect(clippy::cast_possible_truncation, reason = "below 0x80 here")]
        self.push(&[value as u8]);
    }

    /// As [`Self::put`], of any size.
    #[inline]
    pub(super) fn put_wide(&mut self, mut value: u128) {
        loop {
            if let Ok(value) = u64::try_from(value) {
                return self.put(value);
            }
            self.push(&[(value & 0x7f) as u8 | 0x80]);
            value >>= 7;
        }
    }

    /// What was added.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// The bits of a byte that say that more follow, in each of eight bytes.
const MORE: u64 = 0x8080_8080_8080_8080;

/// Takes a number off the front of `input`; `None` if it is cut off or too large.
///
/// Nearly all are of one byte, or of eight at most: those are put together in one go.
#[inline]
pub(super) fn take(input: &mut &[u8]) -> Option<u128> {
    let (&first, rest) = input.split_first()?;
    if first < 0x80 {
        *input = rest;
        return Some(u128::from(first));
    }
    if let Some(eight) = input.first_chunk() {
        let word = u64::from_le_bytes(*eight);
        let last = !word & MORE;
        if last != 0 {
            let bits = last.trailing_zeros() + 1;
            *input = &input[bits as usize / 8..];
            return Some(u128::from(gathered(word & (u64::MAX >> (64 - bits)) & !MORE)));
        }
    }
    take_long(input)
}

/// The low seven bits of eight bytes, side by side.
#[inline]
fn gathered(word: u64) -> u64 {
    let pairs = (word & 0x007f_007f_007f_007f) | ((word & 0x7f00_7f00_7f00_7f00) >> 1);
    let fours = (pairs & 0x0000_3fff_0000_3fff) | ((pairs & 0x3fff_0000_3fff_0000) >> 2);
    (fours & 0x0fff_ffff) | ((fours & 0x0fff_ffff_0000_0000) >> 4)
}

fn take_long(input: &mut &[u8]) -> Option<u128> {
    let mut value = 0_u128;
    let mut shift = 0;
    loop {
        let (&byte, rest) = input.split_first()?;
        *input = rest;
        let bits = u128::from(byte & 0x7f);
        if shift >= 128 || (bits << shift) >> shift != bits {
            return None;
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
        shift += 7;
    }
}

/// As [`take`], for a narrower type.
#[inline]
pub(super) fn take_as<T: TryFrom<u128>>(input: &mut &[u8]) -> Option<T> {
    T::try_from(take(input)?).ok()
}

/// Maps a difference to a number that is small if the difference is.
pub(super) fn zigzag(from: u64, to: u64) -> u128 {
    if to >= from { u128::from(to - from) << 1 } else { (u128::from(from - to) << 1) - 1 }
}

/// Undoes [`zigzag`].
pub(super) fn unzigzag(from: u64, coded: u128) -> Option<u64> {
    let magnitude = u64::try_from(coded.div_ceil(2)).ok()?;
    if coded & 1 == 0 { from.checked_add(magnitude) } else { from.checked_sub(magnitude) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_survive(value: u128, shift in 0_u32..128, from: u64, to: u64) {
            let value = value >> shift;
            let mut out = Vec::new();
            put(&mut out, value);
            let mut input = out.as_slice();
            prop_assert_eq!(take(&mut input), Some(value));
            prop_assert!(input.is_empty());
            prop_assert_eq!(take(&mut &out[..out.len() - 1]), None);
            prop_assert_eq!(unzigzag(from, zigzag(from, to)), Some(to));
        }

        #[test]
        fn numbers_are_read_alike_wherever_they_end(value: u64, shift in 0_u32..64, behind: Vec<u8>) {
            let mut out = Vec::new();
            put(&mut out, u128::from(value >> shift));
            out.extend_from_slice(&behind);
            let (mut fast, mut slow) = (out.as_slice(), out.as_slice());
            prop_assert_eq!(take(&mut fast), take_long(&mut slow));
            prop_assert_eq!(fast, slow);
            prop_assert_eq!(fast, behind.as_slice());
        }

        #[test]
        fn short_numbers_are_written_alike(value: u128, shift in 0_u32..128) {
            let value = value >> shift;
            let (mut short, mut out) = (Short::<24>::new(), Vec::new());
            short.put_wide(value);
            put(&mut out, value);
            prop_assert_eq!(short.bytes(), out.as_slice());
        }

        #[test]
        fn rubbish_is_refused_not_panicked_on(bytes: Vec<u8>) {
            let _ = take(&mut bytes.as_slice());
        }
    }

    #[test]
    fn too_large_is_refused() {
        assert_eq!(take(&mut &[0xff; 30][..]), None);
        let mut widest = vec![0xff; 18];
        widest.push(0x04);
        assert_eq!(take(&mut widest.as_slice()), None, "130 bits");
    }
}
