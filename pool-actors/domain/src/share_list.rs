//! Shares in the order of their numbers: the newest as they are, older ones packed.
//!
//! A small pool on a hard chain keeps every share of months, for the block that it may find at last. A packed share is as
//! many bits as its account's and its work's index need in its chunk (one byte for a hundred accounts, two and a half for
//! ten thousand), where it takes 16 bytes as it is. Nothing of it is lost. A window moves over its shares one by one, so a
//! chunk is unpacked once for each time that an edge of it passes.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::ids::ShareSeq;

/// A retained share; account and work are indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) seq: ShareSeq,
    pub(crate) account: u32,
    pub(crate) work: u32,
}

/// How many shares are kept in which form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// The newest, at least so many, are as they are.
    pub(crate) plain: usize,
    /// Two to the power of this are packed at a time.
    pub(crate) chunk_bits: u32,
}

impl Shape {
    /// Both together are a megabyte, and a power of two, to which the memory of the plain ones grows.
    pub(crate) const DEFAULT: Self = Self { plain: 57_344, chunk_bits: 13 };

    const fn chunk(self) -> usize {
        1 << self.chunk_bits
    }
}

/// Chunks that are unpacked at a time: where the oldest shares are dropped, and where a window begins.
const OPEN_MAX: usize = 2;

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(crate) struct ShareList {
    shape: Shape,
    /// Oldest first, full ones.
    chunks: VecDeque<Chunk>,
    /// Chunks that were dropped before these.
    dropped: u64,
    /// Shares of the oldest chunk that are gone.
    skipped: usize,
    plain: VecDeque<Entry>,
    /// The one that was looked at last is the first.
    open: Vec<Open>,
}

/// A chunk as it was.
#[derive(Clone, Debug)]
struct Open {
    /// Of all that ever were.
    number: u64,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Chunk {
    first: ShareSeq,
    last: ShareSeq,
    account_bits: u32,
    work_bits: u32,
    /// Accounts and works, with as few bits as the largest needs.
    indices: Box<[u64]>,
    /// Numbers that are not in this list (other records, other functions): before which share, and how many; both are
    /// counted from the last such place, as variable-length integers.
    gaps: Box<[u8]>,
}

impl ShareList {
    pub(crate) const fn new(shape: Shape) -> Self {
        Self {
            shape,
            chunks: VecDeque::new(),
            dropped: 0,
            skipped: 0,
            plain: VecDeque::new(),
            open: Vec::new(),
        }
    }

    fn packed(&self) -> usize {
        self.chunks.len() << self.shape.chunk_bits
    }

    pub(crate) fn len(&self) -> usize {
        self.packed() - self.skipped + self.plain.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Numbers rise.
    #[inline]
    pub(crate) fn push_back(&mut self, entry: Entry) {
        if self.plain.len() == self.shape.plain + self.shape.chunk() {
            self.pack();
        }
        self.plain.push_back(entry);
    }

    #[cold]
    fn pack(&mut self) {
        let chunk: Vec<_> = self.plain.drain(..self.shape.chunk()).collect();
        self.chunks.push_back(Chunk::pack(&chunk));
    }

    pub(crate) fn back(&self) -> Option<Entry> {
        // The newest are never packed.
        self.plain.back().copied()
    }

    #[inline]
    pub(crate) fn front(&mut self) -> Option<Entry> {
        (!self.is_empty()).then(|| self.get(0))
    }

    pub(crate) fn pop_front(&mut self) -> Option<Entry> {
        if self.chunks.is_empty() {
            return self.plain.pop_front();
        }
        let entry = self.get(0);
        self.skipped += 1;
        if self.skipped == self.shape.chunk() {
            self.skipped = 0;
            self.chunks.pop_front();
            self.open.retain(|open| open.number != self.dropped);
            self.dropped += 1;
            if self.chunks.is_empty() {
                self.open = Vec::new();
            }
        }
        Some(entry)
    }

    /// A share by its place; there is one.
    #[inline]
    pub(crate) fn get(&mut self, at: usize) -> Entry {
        let at = at + self.skipped;
        match at.checked_sub(self.packed()) {
            Some(at) => self.plain[at],
            None => {
                let (chunk, within) = (at >> self.shape.chunk_bits, at & (self.shape.chunk() - 1));
                self.open(chunk)[within]
            }
        }
    }

    #[inline]
    fn open(&mut self, chunk: usize) -> &[Entry] {
        let number = self.dropped + chunk as u64;
        if self.open.first().is_none_or(|open| open.number != number) {
            self.unpack(chunk, number);
        }
        &self.open[0].entries
    }

    #[cold]
    fn unpack(&mut self, chunk: usize, number: u64) {
        if let Some(known) = self.open.iter().position(|open| open.number == number) {
            self.open[..=known].rotate_right(1);
            return;
        }
        let mut open = if self.open.len() < OPEN_MAX { None } else { self.open.pop() }
            .unwrap_or_else(|| Open { number, entries: Vec::with_capacity(self.shape.chunk()) });
        open.number = number;
        open.entries.clear();
        self.chunks[chunk].unpack(self.shape.chunk(), &mut open.entries);
        self.open.insert(0, open);
    }

    /// The place of a share.
    pub(crate) fn find(&mut self, seq: ShareSeq) -> Option<usize> {
        if self.plain.front().is_some_and(|front| front.seq <= seq) {
            let at = self.plain.binary_search_by_key(&seq, |entry| entry.seq).ok()?;
            return Some(self.packed() - self.skipped + at);
        }
        let chunk = self.chunks.partition_point(|chunk| chunk.last < seq);
        if self.chunks.get(chunk)?.first > seq {
            return None;
        }
        let at = self.open(chunk).binary_search_by_key(&seq, |entry| entry.seq).ok()?;
        ((chunk << self.shape.chunk_bits) + at).checked_sub(self.skipped)
    }

    /// All, oldest first.
    pub(crate) fn to_vec(&self) -> Vec<Entry> {
        let mut all = Vec::with_capacity(self.packed() + self.plain.len());
        self.chunks.iter().for_each(|chunk| chunk.unpack(self.shape.chunk(), &mut all));
        all.drain(..self.skipped);
        all.extend(&self.plain);
        all
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        let chunks: usize = self.chunks.iter().map(|chunk| chunk.indices.len() * 8 + chunk.gaps.len()).sum();
        let open: usize = self.open.iter().map(|open| open.entries.capacity()).sum();
        chunks
            + self.chunks.capacity() * size_of::<Chunk>()
            + (open + self.plain.capacity()) * size_of::<Entry>()
    }
}

/// Bits that numbers up to this one take.
const fn bits(largest: u32) -> u32 {
    u32::BITS - largest.leading_zeros()
}

const fn mask(bits: u32) -> u64 {
    (1 << bits) - 1
}

impl Chunk {
    /// Of shares whose numbers rise, at least one.
    fn pack(entries: &[Entry]) -> Self {
        let largest = |index: fn(&Entry) -> u32| entries.iter().map(index).max().unwrap_or(0);
        let account_bits = bits(largest(|entry| entry.account));
        let work_bits = bits(largest(|entry| entry.work));
        let width = account_bits + work_bits;
        let (mut indices, mut gaps) = (Vec::new(), Vec::new());
        let (mut word, mut filled) = (0u64, 0);
        let (mut expected, mut since) = (entries[0].seq.0, 0u64);
        for entry in entries {
            if entry.seq.0 != expected {
                push_varint(&mut gaps, since);
                push_varint(&mut gaps, entry.seq.0 - expected);
                since = 0;
            }
            expected = entry.seq.0 + 1;
            since += 1;
            let value = u64::from(entry.account) | u64::from(entry.work) << account_bits;
            if width > 0 {
                word |= value << filled;
                filled += width;
                if filled >= u64::BITS {
                    indices.push(word);
                    filled -= u64::BITS;
                    // What did not fit; a shift by all 64 bits is none.
                    word = value.checked_shr(width - filled).unwrap_or(0);
                }
            }
        }
        if filled > 0 {
            indices.push(word);
        }
        Self {
            first: entries[0].seq,
            last: entries[entries.len() - 1].seq,
            account_bits,
            work_bits,
            indices: indices.into(),
            gaps: gaps.into(),
        }
    }

    fn unpack(&self, count: usize, entries: &mut Vec<Entry>) {
        let width = self.account_bits + self.work_bits;
        let mut gaps = &*self.gaps;
        let mut next_gap = pop_varint(&mut gaps);
        let (mut seq, mut since, mut bit) = (self.first.0, 0u64, 0usize);
        for _ in 0..count {
            if next_gap == Some(since) {
                seq += pop_varint(&mut gaps).unwrap_or(0);
                next_gap = pop_varint(&mut gaps);
                since = 0;
            }
            let value = if width == 0 { 0 } else { self.bits_at(bit, width) };
            #[expect(clippy::cast_possible_truncation, reason = "both were 32 bits")]
            let (account, work) = (
                (value & mask(self.account_bits)) as u32,
                (value >> self.account_bits & mask(self.work_bits)) as u32,
            );
            entries.push(Entry { seq: ShareSeq(seq), account, work });
            seq += 1;
            since += 1;
            bit += width as usize;
        }
    }

    /// The bits from this one on; what is above `width` is other shares'.
    #[inline]
    fn bits_at(&self, bit: usize, width: u32) -> u64 {
        let (word, offset) = (bit / 64, bit % 64);
        let low = self.indices[word] >> offset;
        if offset + width as usize > 64 { low | self.indices[word + 1] << (64 - offset) } else { low }
    }
}

fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        #[expect(clippy::cast_possible_truncation, reason = "its low seven bits")]
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    #[expect(clippy::cast_possible_truncation, reason = "below 128")]
    out.push(value as u8);
}

fn pop_varint(from: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Push(u64, u32, u32),
        Pop(usize),
        Get(prop::sample::Index),
        Find(prop::sample::Index, u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let gap = prop_oneof![8 => Just(1u64), 2 => 1u64..300, 1 => 1u64..1 << 40];
        let index = || prop_oneof![6 => 0u32..3, 2 => 0u32..5_000, 1 => any::<u32>()];
        let step = prop_oneof![
            8 => (gap, index(), index()).prop_map(|(gap, account, work)| Step::Push(gap, account, work)),
            1 => (0usize..6).prop_map(Step::Pop),
            2 => any::<prop::sample::Index>().prop_map(Step::Get),
            2 => (any::<prop::sample::Index>(), 0u64..3).prop_map(|(index, off)| Step::Find(index, off)),
        ];
        prop::collection::vec(step, 1..400)
    }

    proptest! {
        #[test]
        fn packed_shares_are_what_they_were(steps in steps(), plain in 0usize..9, chunk_bits in 0u32..5) {
            let mut list = ShareList::new(Shape { plain, chunk_bits });
            let (mut expected, mut seq) = (VecDeque::new(), 0);
            for step in steps {
                match step {
                    Step::Push(gap, account, work) => {
                        seq += gap;
                        let entry = Entry { seq: ShareSeq(seq), account, work };
                        list.push_back(entry);
                        expected.push_back(entry);
                    }
                    Step::Pop(count) => {
                        for _ in 0..count {
                            prop_assert_eq!(list.front(), expected.front().copied());
                            prop_assert_eq!(list.pop_front(), expected.pop_front());
                        }
                    }
                    Step::Get(index) if !expected.is_empty() => {
                        let at = index.index(expected.len());
                        prop_assert_eq!(list.get(at), expected[at]);
                    }
                    Step::Find(index, off) if !expected.is_empty() => {
                        let seq = ShareSeq(expected[index.index(expected.len())].seq.0 - 1 + off);
                        let at = expected.binary_search_by_key(&seq, |entry| entry.seq).ok();
                        prop_assert_eq!(list.find(seq), at);
                    }
                    Step::Get(_) | Step::Find(..) => {}
                }
                prop_assert_eq!((list.len(), list.back()), (expected.len(), expected.back().copied()));
            }
            prop_assert_eq!(list.to_vec(), expected.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn months_of_a_small_pool_take_a_byte_a_share() {
        let mut list = ShareList::new(Shape::DEFAULT);
        let shares = 1_000_000u64;
        for number in 0..shares {
            // A hundred accounts, two difficulties, and now and then a record that is no share.
            #[allow(clippy::cast_possible_truncation)]
            let (account, work) = ((number * 37 % 100) as u32, (number % 2) as u32);
            list.push_back(Entry { seq: ShareSeq(number + number / 1_000), account, work });
        }
        let bytes = list.heap_bytes();
        assert!(bytes < 1_100_000 + 1_048_576, "{bytes}");
        // Both ends can be looked at.
        assert_eq!((list.get(0).seq, list.get(500_000).account), (ShareSeq(0), 0));
        for _ in 0..shares {
            list.pop_front().unwrap();
        }
        assert!(list.is_empty() && list.heap_bytes() <= 1_048_576 + 16_384, "{}", list.heap_bytes());
    }
}
