//! Which shares a session has already sent.
//!
//! A share is known by the [`Fingerprint`] of its *decoded* header, so that no spelling of the same numbers slips
//! through. Fingerprints are grouped by [`HeaderSpace`]: jobs whose headers could be equal (two difficulties on
//! one template, a template refreshed without change) share a space, jobs on other parents can't collide. A space
//! stays until its owner says that no job in it can earn credit any more; so nothing credited is ever forgotten.
//!
//! The rule when a space is full: the share is refused as [`Seen::Full`], never let through. With vardiff at work a
//! session sends a handful of shares per space; thousands mean that the difficulty is far too low.
//!
//! A session that has sent nothing costs the size of this struct and no allocation.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::{fingerprint::Fingerprint, prefetch::fetch_ahead};

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

/// Open-addressing set of fingerprints; 0 marks an empty place.
#[derive(Clone, Debug, Default)]
struct FingerprintSet {
    places: Box<[u64]>,
    count: u32,
}

impl FingerprintSet {
    const PLACES_MIN: usize = 8;

    /// Where the search for a fingerprint begins; `None` when there are no places at all.
    #[inline]
    fn home(&self, fingerprint: u64) -> Option<usize> {
        let mask = self.places.len().checked_sub(1)?;
        // The high bits choose the place, a power of two of them.
        Some(usize::try_from(fingerprint >> 32).ok()? & mask)
    }

    /// Where the fingerprint is, or the empty place where it belongs; `None` when there are no places at all.
    #[inline]
    fn find(&self, fingerprint: u64) -> Option<usize> {
        let mask = self.places.len().checked_sub(1)?;
        let mut at = self.home(fingerprint)?;
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
#[derive(Clone, Debug, Default)]
pub struct SeenShares(Option<Box<Spaces>>);

/// A space and what is known in it.
type Known = (HeaderSpace, FingerprintSet);

#[derive(Clone, Debug)]
struct Spaces {
    /// Shares are mostly for the newest job.
    newest: Known,
    /// Oldest first.
    older: Vec<Known>,
}

impl SeenShares {
    /// A share may come soon.
    #[inline]
    pub fn fetch_ahead(&self) {
        if let Some(spaces) = &self.0 {
            fetch_ahead(&**spaces);
        }
    }

    /// A share is about to be checked: what is known of its like is fetched from memory meanwhile. The sets of a busy
    /// server are far larger than its caches, and a share's header takes about as long to make as that takes.
    #[inline]
    pub fn expect(&self, space: HeaderSpace, Fingerprint(fingerprint): Fingerprint) {
        if let Some(spaces) = &self.0
            && spaces.newest.0 == space
            && let Some(home) = spaces.newest.1.home(fingerprint)
        {
            fetch_ahead(&spaces.newest.1.places[home]);
        }
    }

    /// Remembers a share and says whether it is new; at most `limit` shares are remembered per space.
    pub fn check(&mut self, space: HeaderSpace, Fingerprint(fingerprint): Fingerprint, limit: u32) -> Seen {
        let spaces = self.0.get_or_insert_with(|| {
            Box::new(Spaces { newest: (space, FingerprintSet::default()), older: Vec::new() })
        });
        if spaces.newest.0 != space {
            if let Some((_, set)) = spaces.older.iter_mut().rev().find(|(known, _)| *known == space) {
                return set.insert(fingerprint, limit);
            }
            let mut set = FingerprintSet::default();
            // A session that filled the last space will fill this one: growing step by step costs as much again.
            let last = spaces.newest.1.count as usize;
            if last > FingerprintSet::PLACES_MIN {
                set.grow((last + last / 3).next_power_of_two());
            }
            spaces.older.push(core::mem::replace(&mut spaces.newest, (space, set)));
        }
        spaces.newest.1.insert(fingerprint, limit)
    }

    /// Forgets the spaces in which no job can earn credit any more.
    pub fn retain(&mut self, mut resolvable: impl FnMut(HeaderSpace) -> bool) {
        let Some(spaces) = &mut self.0 else { return };
        spaces.older.retain(|(space, _)| resolvable(*space));
        if !resolvable(spaces.newest.0) {
            match spaces.older.pop() {
                Some(newest) => spaces.newest = newest,
                None => self.0 = None,
            }
        }
    }

    /// Spaces that are remembered.
    #[must_use]
    pub fn spaces(&self) -> usize {
        self.0.as_ref().map_or(0, |spaces| 1 + spaces.older.len())
    }

    /// Bytes on the heap, for the memory budget per session.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let Some(spaces) = &self.0 else { return 0 };
        let sets = spaces.older.iter().chain([&spaces.newest]);
        let places: usize = sets.map(|(_, set)| set.places.len() * 8).sum();
        size_of::<Spaces>() + spaces.older.capacity() * size_of::<Known>() + places
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn idle_sessions_cost_nothing_on_the_heap() {
        let mut seen = SeenShares::default();
        assert_eq!(seen.heap_bytes(), 0);
        assert!(size_of::<SeenShares>() <= 8);
        assert_eq!(seen.check(HeaderSpace(1), Fingerprint(1), 1_000), Seen::New);
        assert!(seen.heap_bytes() <= 128, "{}", seen.heap_bytes());
        seen.retain(|_| false);
        assert_eq!(seen.heap_bytes(), 0);
    }

    #[test]
    fn spaces_are_apart_and_forgotten_on_request_only() {
        let mut seen = SeenShares::default();
        let check = |seen: &mut SeenShares, space| seen.check(HeaderSpace(space), Fingerprint(7), 10);
        for space in 1..=3 {
            assert_eq!(check(&mut seen, space), Seen::New);
        }
        assert_eq!(check(&mut seen, 1), Seen::Duplicate);
        // The newest goes, then one of the others.
        for gone in [3, 1] {
            seen.retain(|space| space != HeaderSpace(gone));
            assert_eq!(seen.spaces(), 2);
            assert_eq!(check(&mut seen, 2), Seen::Duplicate);
            assert_eq!(check(&mut seen, gone), Seen::New);
            assert_eq!(check(&mut seen, gone), Seen::Duplicate);
        }
    }

    #[test]
    fn a_full_space_lets_nothing_new_through() {
        let mut seen = SeenShares::default();
        let mut check = |number| seen.check(HeaderSpace(0), Fingerprint(number), 2);
        assert_eq!(check(0), Seen::New);
        assert_eq!(check(2), Seen::New);
        assert_eq!(check(3), Seen::Full);
        assert_eq!(check(2), Seen::Duplicate);
        assert_eq!(check(0), Seen::Duplicate);
    }

    #[test]
    fn headers_of_other_parents_are_of_another_space() {
        assert_ne!(HeaderSpace::of(&[1; 32]), HeaderSpace::of(&[2; 32]));
    }

    proptest! {
        #[test]
        fn agrees_with_a_plain_set(shares in prop::collection::vec((0u64..3, 0u64..200), 1..500)) {
            let mut seen = SeenShares::default();
            let mut plain = BTreeSet::new();
            for (space, number) in shares {
                // Few distinct places: clustering is what breaks open addressing.
                let fingerprint = (number % 5) << 32 | number;
                let expected = if plain.insert((space, fingerprint.max(1))) { Seen::New } else { Seen::Duplicate };
                seen.expect(HeaderSpace(space), Fingerprint(fingerprint));
                prop_assert_eq!(seen.check(HeaderSpace(space), Fingerprint(fingerprint), u32::MAX), expected);
            }
        }
    }
}
