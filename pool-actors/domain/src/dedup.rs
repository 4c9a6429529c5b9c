//! Which shares a session has already sent.
//!
//! A share is known by a 64-bit fingerprint of its *decoded* header bytes, so that no spelling of the same numbers
//! slips through. Fingerprints are grouped by [`HeaderSpace`]: jobs whose headers could be equal (two difficulties on
//! one template, a template refreshed without change) share a space, jobs on other parents can't collide. A space
//! stays until its owner says that no job in it can earn credit any more; so nothing credited is ever forgotten.
//!
//! The rule when a space is full: the share is refused as [`Seen::Full`], never let through. With vardiff at work a
//! session sends a handful of shares per space; thousands mean that the difficulty is far too low.
//!
//! A session that has sent nothing costs the size of this struct and no allocation.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::header::Header80;

/// The part of a header that every job on the same parents has in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeaderSpace(pub u64);

impl HeaderSpace {
    /// From the previous block's hash or the pre-PoW hash: 8 bytes out of its middle, where no network has zeros.
    #[must_use]
    pub fn of(parents: &[u8; 32]) -> Self {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&parents[12..20]);
        Self(u64::from_le_bytes(bytes))
    }
}

/// Whether a share is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Seen {
    /// Never seen; it is remembered from now on.
    New,
    /// Sent before.
    Duplicate,
    /// The bound of this space is reached and the share is not among those remembered.
    Full,
}

/// A 64-bit digest of a header: multiply-and-fold over its ten words.
///
/// Not cryptographic, and need not be: a collision can only make a miner lose its own share, and by chance it takes
/// some 10^9 shares in one space.
#[must_use]
pub fn fingerprint(header: &Header80) -> u64 {
    // Digits of the golden ratio and of pi, odd: any fixed odd numbers without structure do.
    const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
    const MULTIPLIER: u64 = 0x2439_f2d1_6ba7_4d6b;
    let (words, _) = header.as_chunks::<8>();
    words.iter().fold(SEED, |state, word| {
        let mixed = state.rotate_left(29) ^ u64::from_le_bytes(*word);
        fold_multiply(mixed ^ SEED, MULTIPLIER).wrapping_add(mixed)
    })
}

#[allow(clippy::cast_possible_truncation)]
fn fold_multiply(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// Open-addressing set of fingerprints; 0 marks an empty place.
#[derive(Clone, Debug, Default)]
struct FingerprintSet {
    places: Box<[u64]>,
    count: u32,
}

impl FingerprintSet {
    const PLACES_MIN: usize = 8;

    /// Where the fingerprint is, or the empty place where it belongs; `None` when there are no places at all.
    fn find(&self, fingerprint: u64) -> Option<usize> {
        let mask = self.places.len().checked_sub(1)?;
        // The high bits choose the place, a power of two of them.
        let mut at = usize::try_from(fingerprint >> 32).ok()? & mask;
        while self.places[at] != 0 && self.places[at] != fingerprint {
            at = (at + 1) & mask;
        }
        Some(at)
    }

    fn insert(&mut self, fingerprint: u64, limit: u32) -> Seen {
        let fingerprint = fingerprint.max(1);
        let mut place = self.find(fingerprint);
        match place {
            Some(at) if self.places[at] == fingerprint => return Seen::Duplicate,
            _ if self.count >= limit => return Seen::Full,
            _ => {}
        }
        if (self.count as usize + 1) * 4 > self.places.len() * 3 {
            self.grow((self.places.len() * 2).max(Self::PLACES_MIN));
            place = self.find(fingerprint);
        }
        if let Some(at) = place {
            self.places[at] = fingerprint;
            self.count += 1;
        }
        Seen::New
    }

    fn grow(&mut self, length: usize) {
        let old = core::mem::replace(&mut self.places, alloc::vec![0; length].into_boxed_slice());
        for fingerprint in old.into_iter().filter(|fingerprint| *fingerprint != 0) {
            if let Some(at) = self.find(fingerprint) {
                self.places[at] = fingerprint;
            }
        }
    }
}

/// The shares that one session has sent and that could still be credited again.
#[derive(Clone, Debug)]
pub struct SeenShares {
    spaces: Vec<(HeaderSpace, FingerprintSet)>,
    limit: u32,
}

impl SeenShares {
    /// At most `limit` shares are remembered per space.
    #[must_use]
    pub const fn new(limit: u32) -> Self {
        Self { spaces: Vec::new(), limit }
    }

    /// Remembers a share and says whether it is new.
    pub fn check(&mut self, space: HeaderSpace, header: &Header80) -> Seen {
        self.check_fingerprint(space, fingerprint(header))
    }

    fn check_fingerprint(&mut self, space: HeaderSpace, fingerprint: u64) -> Seen {
        // Newest last, and shares are mostly for the newest job.
        let at = self.spaces.iter().rposition(|(known, _)| *known == space).unwrap_or_else(|| {
            let mut set = FingerprintSet::default();
            // A session that filled the last space will fill this one: growing step by step costs as much again.
            let last = self.spaces.last().map_or(0, |(_, last)| last.count as usize);
            if last > FingerprintSet::PLACES_MIN {
                set.grow((last + last / 3).next_power_of_two());
            }
            self.spaces.push((space, set));
            self.spaces.len() - 1
        });
        self.spaces[at].1.insert(fingerprint, self.limit)
    }

    /// Forgets the spaces in which no job can earn credit any more.
    pub fn retain(&mut self, mut resolvable: impl FnMut(HeaderSpace) -> bool) {
        self.spaces.retain(|(space, _)| resolvable(*space));
        if self.spaces.is_empty() {
            self.spaces = Vec::new();
        }
    }

    /// Spaces that are remembered.
    #[must_use]
    pub fn spaces(&self) -> usize {
        self.spaces.len()
    }

    /// Bytes on the heap, for the memory budget per session.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let sets: usize = self.spaces.iter().map(|(_, set)| set.places.len() * 8).sum();
        self.spaces.capacity() * size_of::<(HeaderSpace, FingerprintSet)>() + sets
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn idle_sessions_cost_nothing_on_the_heap() {
        let mut seen = SeenShares::new(1_000);
        assert_eq!(seen.heap_bytes(), 0);
        assert!(size_of::<SeenShares>() <= 32);
        assert_eq!(seen.check(HeaderSpace(1), &[0; 80]), Seen::New);
        assert!(seen.heap_bytes() <= 256, "{}", seen.heap_bytes());
        seen.retain(|_| false);
        assert_eq!(seen.heap_bytes(), 0);
    }

    #[test]
    fn spaces_are_apart_and_forgotten_on_request_only() {
        let mut seen = SeenShares::new(10);
        let header = [7; 80];
        assert_eq!(seen.check(HeaderSpace(1), &header), Seen::New);
        assert_eq!(seen.check(HeaderSpace(2), &header), Seen::New);
        assert_eq!(seen.check(HeaderSpace(1), &header), Seen::Duplicate);
        seen.retain(|space| space != HeaderSpace(1));
        assert_eq!(seen.spaces(), 1);
        assert_eq!(seen.check(HeaderSpace(1), &header), Seen::New);
        assert_eq!(seen.check(HeaderSpace(2), &header), Seen::Duplicate);
    }

    #[test]
    fn a_full_space_lets_nothing_new_through() {
        let mut seen = SeenShares::new(2);
        let space = HeaderSpace(0);
        assert_eq!(seen.check_fingerprint(space, 0), Seen::New);
        assert_eq!(seen.check_fingerprint(space, 2), Seen::New);
        assert_eq!(seen.check_fingerprint(space, 3), Seen::Full);
        assert_eq!(seen.check_fingerprint(space, 2), Seen::Duplicate);
        assert_eq!(seen.check_fingerprint(space, 0), Seen::Duplicate);
    }

    #[test]
    fn fingerprints_of_neighbouring_headers_differ() {
        let mut all = BTreeSet::new();
        for at in 0..80 {
            for value in 1..=255u8 {
                let mut header = [0; 80];
                header[at] = value;
                all.insert(fingerprint(&header));
            }
        }
        for nonce in 0..50_000u32 {
            let mut header = [0x5a; 80];
            header[76..].copy_from_slice(&nonce.to_le_bytes());
            all.insert(fingerprint(&header));
        }
        assert_eq!(all.len(), 80 * 255 + 50_000);
        assert_ne!(HeaderSpace::of(&[1; 32]), HeaderSpace::of(&[2; 32]));
    }

    proptest! {
        #[test]
        fn agrees_with_a_plain_set(shares in prop::collection::vec((0u64..3, 0u64..200), 1..500)) {
            let mut seen = SeenShares::new(u32::MAX);
            let mut plain = BTreeSet::new();
            for (space, number) in shares {
                // Few distinct places: clustering is what breaks open addressing.
                let fingerprint = (number % 5) << 32 | number;
                let expected = if plain.insert((space, fingerprint.max(1))) { Seen::New } else { Seen::Duplicate };
                prop_assert_eq!(seen.check_fingerprint(HeaderSpace(space), fingerprint), expected);
            }
        }
    }
}
