//! Extranonce prefixes (extranonce1): every session searches a space of its own.
//!
//! A prefix is `epoch | counter`, big-endian. The epoch is a number that the caller persists and increments before
//! each start, so that a restart can't hand out what a session of the last run still works on; it wraps after
//! 2^`epoch_bits` restarts, long after the jobs of the first one are over. Inside an epoch, fresh prefixes come
//! first; a released one rests in quarantine, because its late shares must not meet a new owner's.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::units::TimeMs;

/// How the bytes of a prefix are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtranonceLayout {
    prefix_bytes: u8,
    epoch_bits: u8,
}

/// Why there is no prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExtranonceError {
    /// The layout makes no sense.
    #[error(
        "an extranonce prefix of {prefix_bytes} bytes with {epoch_bits} bits of epoch: use 1 to 8 bytes and leave 1 to 32 bits for sessions"
    )]
    Layout {
        /// Bytes asked for.
        prefix_bytes: u8,
        /// Bits of epoch asked for.
        epoch_bits: u8,
    },
    /// Every prefix is in use or in quarantine.
    #[error(
        "all {0} extranonce prefixes are in use or in quarantine: lengthen the prefix or lower the limit of connections"
    )]
    Exhausted(u64),
}

impl ExtranonceLayout {
    /// A quarter of the bits for the epoch: 4 bytes hold 256 epochs of 16.7 million sessions, 2 bytes hold 16 of 4,096.
    ///
    /// # Errors
    /// [`ExtranonceError::Layout`] unless 1 to 5 bytes are asked for (use [`Self::with_epoch_bits`] for more).
    pub fn new(prefix_bytes: u8) -> Result<Self, ExtranonceError> {
        Self::with_epoch_bits(prefix_bytes, prefix_bytes.saturating_mul(2))
    }

    /// With a chosen number of epoch bits.
    ///
    /// # Errors
    /// [`ExtranonceError::Layout`] unless the prefix has 1 to 8 bytes and leaves 1 to 32 bits for sessions.
    pub fn with_epoch_bits(prefix_bytes: u8, epoch_bits: u8) -> Result<Self, ExtranonceError> {
        let bits = prefix_bytes.saturating_mul(8);
        let sessions = bits.saturating_sub(epoch_bits);
        if !(1..=8).contains(&prefix_bytes) || !(1..=32).contains(&sessions) {
            return Err(ExtranonceError::Layout { prefix_bytes, epoch_bits });
        }
        Ok(Self { prefix_bytes, epoch_bits })
    }

    fn counter_bits(self) -> u32 {
        u32::from(self.prefix_bytes) * 8 - u32::from(self.epoch_bits)
    }

    /// Sessions that one epoch can number.
    #[must_use]
    pub fn capacity(self) -> u64 {
        1 << self.counter_bits()
    }
}

/// A prefix: 1 to 8 bytes, as they stand in the coinbase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtranoncePrefix {
    length: u8,
    bytes: [u8; 8],
}

impl ExtranoncePrefix {
    fn new(length: u8, value: u64) -> Self {
        let mut bytes = [0; 8];
        bytes[..usize::from(length)].copy_from_slice(&value.to_be_bytes()[8 - usize::from(length)..]);
        Self { length, bytes }
    }

    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    fn value(self) -> u64 {
        self.as_slice().iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
    }
}

/// Hands out prefixes of one epoch.
#[derive(Clone, Debug)]
pub struct ExtranonceAllocator {
    layout: ExtranonceLayout,
    epoch: u64,
    quarantine_ms: u64,
    /// Counters never handed out begin here.
    fresh: u64,
    in_use: u64,
    /// One bit per counter handed out: a release must not free another session's prefix.
    live: Vec<u64>,
    /// Released counters, oldest first, with the time of release.
    resting: VecDeque<(TimeMs, u32)>,
}

impl ExtranonceAllocator {
    /// For an epoch that was persisted before this call and is greater than any earlier one.
    #[must_use]
    pub fn new(layout: ExtranonceLayout, epoch: u64, quarantine_ms: u64) -> Self {
        let epoch = epoch & ((1 << layout.epoch_bits) - 1);
        Self { layout, epoch, quarantine_ms, fresh: 0, in_use: 0, live: Vec::new(), resting: VecDeque::new() }
    }

    /// A prefix that nobody else has.
    ///
    /// # Errors
    /// [`ExtranonceError::Exhausted`] while every prefix is in use or in quarantine.
    pub fn allocate(&mut self, now: TimeMs) -> Result<ExtranoncePrefix, ExtranonceError> {
        let counter = self.next_counter(now).ok_or(ExtranonceError::Exhausted(self.layout.capacity()))?;
        let (word, bit) = place(counter);
        if word == self.live.len() {
            self.live.push(0);
        }
        self.live[word] |= bit;
        self.in_use += 1;
        let value = self.epoch << self.layout.counter_bits() | u64::from(counter);
        Ok(ExtranoncePrefix::new(self.layout.prefix_bytes, value))
    }

    fn next_counter(&mut self, now: TimeMs) -> Option<u32> {
        if self.fresh < self.layout.capacity() {
            let counter = u32::try_from(self.fresh).ok()?;
            self.fresh += 1;
            return Some(counter);
        }
        let (released, _) = self.resting.front()?;
        if now.since(*released) < self.quarantine_ms {
            return None;
        }
        self.resting.pop_front().map(|(_, counter)| counter)
    }

    /// Takes a prefix back, released at `now`; it rests before it is handed out again. False (and nothing happens) if it was not in
    /// use: released twice, or from another epoch.
    pub fn release(&mut self, prefix: ExtranoncePrefix, now: TimeMs) -> bool {
        let value = prefix.value();
        let bits = self.layout.counter_bits();
        if prefix.length != self.layout.prefix_bytes || value >> bits != self.epoch {
            return false;
        }
        let Ok(counter) = u32::try_from(value & (self.layout.capacity() - 1)) else { return false };
        let (word, bit) = place(counter);
        match self.live.get_mut(word) {
            Some(flags) if *flags & bit != 0 => *flags &= !bit,
            _ => return false,
        }
        self.in_use -= 1;
        // Oldest first: one that was never searched may count as released long ago.
        if self.resting.front().is_some_and(|(oldest, _)| now < *oldest) {
            self.resting.push_front((now, counter));
        } else {
            self.resting.push_back((now, counter));
        }
        true
    }

    /// Prefixes in the hands of sessions.
    #[must_use]
    pub fn in_use(&self) -> u64 {
        self.in_use
    }

    /// Sessions that can have a prefix at the same time.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.layout.capacity()
    }
}

fn place(counter: u32) -> (usize, u64) {
    (counter as usize / 64, 1 << (counter % 64))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn prefix_is_epoch_then_counter() {
        let mut allocator = ExtranonceAllocator::new(ExtranonceLayout::new(4).unwrap(), 0x1a1, 0);
        assert_eq!(allocator.allocate(TimeMs(0)).unwrap().as_slice(), [0xa1, 0, 0, 0]);
        assert_eq!(allocator.allocate(TimeMs(0)).unwrap().as_slice(), [0xa1, 0, 0, 1]);
        assert_eq!(allocator.in_use(), 2);
        assert_eq!(allocator.capacity(), 1 << 24);
    }

    #[test]
    fn layouts_are_checked() {
        for (bytes, bits) in [(0, 0), (9, 40), (2, 16), (8, 8), (1, 200)] {
            assert!(ExtranonceLayout::with_epoch_bits(bytes, bits).is_err(), "{bytes} {bits}");
        }
        assert!(ExtranonceLayout::new(6).is_err());
        assert_eq!(ExtranonceLayout::with_epoch_bits(8, 32).unwrap().capacity(), 1 << 32);
        assert_eq!(ExtranonceLayout::new(2).unwrap().capacity(), 4096);
    }

    #[test]
    fn exhaustion_is_an_error_until_the_quarantine_ends() {
        let layout = ExtranonceLayout::with_epoch_bits(1, 7).unwrap();
        let mut allocator = ExtranonceAllocator::new(layout, 3, 1_000);
        let first = allocator.allocate(TimeMs(0)).unwrap();
        let _second = allocator.allocate(TimeMs(0)).unwrap();
        assert_eq!(allocator.allocate(TimeMs(0)), Err(ExtranonceError::Exhausted(2)));
        assert!(allocator.release(first, TimeMs(10)));
        assert!(!allocator.release(first, TimeMs(10)), "released twice");
        assert_eq!(allocator.allocate(TimeMs(1_009)), Err(ExtranonceError::Exhausted(2)));
        assert_eq!(allocator.allocate(TimeMs(1_010)), Ok(first));
    }

    #[test]
    fn one_that_was_never_searched_does_not_wait_behind_one_that_was() {
        let layout = ExtranonceLayout::with_epoch_bits(1, 7).unwrap();
        let mut allocator = ExtranonceAllocator::new(layout, 3, 1_000);
        let searched = allocator.allocate(TimeMs(5_000)).unwrap();
        let unused = allocator.allocate(TimeMs(5_000)).unwrap();
        assert!(allocator.release(searched, TimeMs(6_000)));
        assert!(allocator.release(unused, TimeMs(0)));
        assert_eq!(allocator.allocate(TimeMs(6_001)), Ok(unused));
        assert_eq!(allocator.allocate(TimeMs(6_001)), Err(ExtranonceError::Exhausted(2)));
        assert_eq!(allocator.allocate(TimeMs(7_000)), Ok(searched));
    }

    #[test]
    fn a_prefix_of_another_epoch_is_not_taken_back() {
        let layout = ExtranonceLayout::new(4).unwrap();
        let old = ExtranonceAllocator::new(layout, 1, 0).allocate(TimeMs(0)).unwrap();
        let mut allocator = ExtranonceAllocator::new(layout, 2, 0);
        let new = allocator.allocate(TimeMs(0)).unwrap();
        assert_ne!(old, new);
        assert!(!allocator.release(old, TimeMs(0)));
        let short =
            ExtranonceAllocator::new(ExtranonceLayout::new(2).unwrap(), 2, 0).allocate(TimeMs(0)).unwrap();
        assert!(!allocator.release(short, TimeMs(0)));
        assert!(allocator.release(new, TimeMs(0)));
    }

    proptest! {
        #[test]
        fn prefixes_in_use_are_disjoint_and_rest_after_release(
            steps in prop::collection::vec((any::<bool>(), 0u64..200, any::<prop::sample::Index>()), 1..400),
        ) {
            let layout = ExtranonceLayout::with_epoch_bits(1, 3).unwrap();
            let mut allocator = ExtranonceAllocator::new(layout, 5, 1_000);
            let mut now = TimeMs(0);
            let mut held = std::vec::Vec::new();
            let mut released = std::collections::BTreeMap::new();
            for (take, wait, index) in steps {
                now = now.plus_ms(wait);
                if take || held.is_empty() {
                    if let Ok(prefix) = allocator.allocate(now) {
                        if let Some(at) = released.remove(&prefix) {
                            prop_assert!(now.since(at) >= 1_000);
                        }
                        held.push(prefix);
                    }
                } else {
                    let prefix = held.swap_remove(index.index(held.len()));
                    prop_assert!(allocator.release(prefix, now));
                    released.insert(prefix, now);
                }
                let distinct: BTreeSet<_> = held.iter().collect();
                prop_assert_eq!(distinct.len(), held.len());
                prop_assert_eq!(allocator.in_use(), held.len() as u64);
            }
        }
    }
}
