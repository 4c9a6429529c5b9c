//! Which solutions lead to the same header, told without making the header.
//!
//! A header costs several hashes (coinbase, Merkle branch). Its fingerprint is computed from what goes into them, so that
//! whoever looks it up can have the memory fetched meanwhile ([`SeenShares::expect`](crate::dedup::SeenShares::expect)).
//!
//! **Equal headers have equal fingerprints**, however their numbers were spelt and whichever jobs they were sent for:
//! every field counts as the number or bytes that the header holds. The coinbase counts as a whole, as one long number
//! modulo 2^61 - 1: that is the same wherever a template leaves the hole for the extranonce. (Different coinbases with
//! one Merkle root would be a collision of SHA-256.)
//!
//! Different headers have equal fingerprints by chance only, once in some 2^61 pairs, and the keys are secret: nobody can
//! choose headers whose fingerprints crowd one place of a table.

use crate::header::{Bitcoin80, HeaderLayout};
use crate::share::Solution;

/// Tells headers apart; see the module's documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u64);

/// Random numbers, drawn anew by each process. Fingerprints under different keys have nothing to do with each other.
#[derive(Clone, Copy, Debug)]
pub struct FingerprintKeys(pub [u64; 2]);

/// Makes the fingerprints of one layout's headers; prepared once per job.
#[derive(Clone, Copy, Debug)]
pub struct Fingerprinter {
    keys: FingerprintKeys,
    /// Digest of what all headers of the layout have in common.
    common: u64,
    hole: Hole,
}

/// What a solution's extranonce becomes part of.
#[derive(Clone, Copy, Debug)]
enum Hole {
    /// A coinbase: the residues of what is before and behind, and the bits of what is behind, modulo 61.
    Coinbase { first: u64, second: u64, shift: u32 },
    /// Nothing else.
    Alone,
    /// It is not in the header by itself: the nonce begins with it.
    None,
}

impl Fingerprinter {
    /// For the headers of this layout.
    #[must_use]
    pub fn new(layout: &HeaderLayout, keys: FingerprintKeys) -> Self {
        let (common, hole) = match layout {
            HeaderLayout::Bitcoin80(Bitcoin80 { previous, coinbase, branch, nbits }) => {
                let branch = branch.iter().fold(digest(1, previous), |state, node| digest(state, node));
                let hole = Hole::Coinbase {
                    first: append(0, coinbase.first()),
                    second: append(0, coinbase.second()),
                    shift: bits(coinbase.second().len()),
                };
                (digest(branch, &nbits.to_le_bytes()), hole)
            }
            HeaderLayout::Bdag80(layout) => {
                (digest(digest(2, &layout.previous), &layout.nbits.to_le_bytes()), Hole::Alone)
            }
            HeaderLayout::Kaspa80(layout) => {
                (digest(digest(3, &layout.pre_pow_hash), &layout.timestamp_ms.to_le_bytes()), Hole::None)
            }
        };
        Self { keys, common, hole }
    }

    /// The fingerprint of the header that this solution leads to.
    #[must_use]
    #[inline]
    pub fn of(&self, solution: &Solution) -> Fingerprint {
        let extranonce = solution.extranonce.as_slice();
        // Header times of four bytes are parsed from four bytes, and so are nonces.
        let rolled = u64::from(solution.version) << 32 | solution.ntime & 0xffff_ffff;
        let (residue, rolled, nonce) = match self.hole {
            Hole::Coinbase { first, second, shift } => {
                let coinbase = rotate(append(first, extranonce), shift) + second;
                (coinbase % PRIME, rolled, solution.nonce & 0xffff_ffff)
            }
            Hole::Alone => {
                let length = (extranonce.len() as u64) << 32;
                (append(0, extranonce), rolled, solution.nonce & 0xffff_ffff | length)
            }
            Hole::None => (0, 0, solution.nonce),
        };
        let [first, second] = self.keys.0;
        let state = fold_multiply(self.common ^ first, residue ^ second);
        let state = fold_multiply(state ^ rolled ^ second, nonce ^ first) ^ state;
        // One to one, and each bit has its part in those to its left: they choose the place in a table.
        Fingerprint((state ^ state >> 32).wrapping_mul(GOLDEN))
    }
}

/// Digits of the golden ratio: an odd number without structure.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
/// 2^61 - 1, a prime; 2^61 is 1 modulo it, so that a product with a power of two is a rotation of 61 bits.
const PRIME: u64 = (1 << 61) - 1;

/// The low bits.
#[allow(clippy::cast_possible_truncation)]
fn low(value: u128) -> u64 {
    value as u64
}

/// Modulo [`PRIME`], of a number below 2^125.
#[inline]
fn reduce(value: u128) -> u64 {
    let above = low(value >> 61);
    let sum = (low(value) & PRIME) + (above & PRIME) + (above >> 61);
    let sum = (sum & PRIME) + (sum >> 61);
    if sum >= PRIME { sum - PRIME } else { sum }
}

/// The bits of so many bytes, modulo 61.
fn bits(bytes: usize) -> u32 {
    u32::try_from(bytes * 8 % 61).unwrap_or(0)
}

/// A residue times 2^`bits`, below 61.
#[inline]
fn rotate(residue: u64, bits: u32) -> u64 {
    reduce(u128::from(residue) << bits)
}

/// The residue of a number whose digits of 256 are those of `residue`, then `bytes`.
#[inline]
fn append(residue: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let residue = words
        .iter()
        .fold(residue, |known, word| reduce(u128::from(known) << 64 | u128::from(u64::from_be_bytes(*word))));
    rest.iter().fold(residue, |known, byte| reduce(u128::from(known) << 8 | u128::from(*byte)))
}

/// A digest of what the node chose; miners have no part in it.
fn digest(state: u64, bytes: &[u8]) -> u64 {
    // Of pi.
    const MULTIPLIER: u64 = 0x2439_f2d1_6ba7_4d6b;
    bytes.chunks(8).fold(state ^ GOLDEN, |state, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        let mixed = state.rotate_left(29) ^ u64::from_le_bytes(word);
        fold_multiply(mixed ^ GOLDEN, MULTIPLIER).wrapping_add(mixed)
    })
}

#[inline]
fn fold_multiply(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    low(product) ^ low(product >> 64)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::header::{Bdag80, Kaspa80, SplitCoinbase};
    use crate::share::Extranonce;

    const KEYS: FingerprintKeys = FingerprintKeys([0x0123_4567_89ab_cdef, 0xfeed_f00d_dead_beef]);

    fn solution(extranonce: &[u8], ntime: u64, nonce: u64, version: u32) -> Solution {
        Solution { extranonce: Extranonce::new(extranonce, &[]).unwrap(), ntime, nonce, version }
    }

    fn bitcoin(first: &[u8], second: &[u8], branch: &[u8]) -> HeaderLayout {
        HeaderLayout::Bitcoin80(Bitcoin80 {
            previous: [7; 32],
            coinbase: SplitCoinbase::new(first, second),
            branch: branch.iter().map(|byte| [*byte; 32]).collect(),
            nbits: 0x1d00_ffff,
        })
    }

    #[test]
    fn a_residue_is_that_of_the_whole_number() {
        assert_eq!(append(0, &PRIME.to_be_bytes()), 0);
        assert_eq!(append(0, &(PRIME + 5).to_be_bytes()), 5);
        assert_eq!(append(0, &[0xff; 8]), 7, "2^64 - 1 is 2^3 - 1");
        assert_eq!(append(1, &[]), 1);
        for bits in 0..61 {
            assert_eq!(rotate(PRIME - 1, bits), PRIME - (1 << bits), "-1 times a power of two");
        }
    }

    proptest! {
        #[test]
        fn a_number_may_be_cut_anywhere(bytes in prop::collection::vec(any::<u8>(), 0..40), cuts: [prop::sample::Index; 2]) {
            let mut cuts = cuts.map(|cut| cut.index(bytes.len() + 1));
            cuts.sort_unstable();
            let [a, b] = cuts;
            let joined = (rotate(append(append(0, &bytes[..a]), &bytes[a..b]), bits(bytes.len() - b))
                + append(0, &bytes[b..])) % PRIME;
            prop_assert_eq!(joined, append(0, &bytes));
        }

        /// Few distinct parts, so that headers are often equal although they were put together differently.
        #[test]
        fn headers_are_equal_when_their_fingerprints_are(
            shares in prop::collection::vec(
                (0..3usize, 0..4usize, prop::collection::vec(0..2u8, 8), prop::collection::vec(0..2u8, 0..2), 0..2u64, 0..2u64, 0..2u32),
                2..60,
            )
        ) {
            let mut known: BTreeMap<[u8; 80], Fingerprint> = BTreeMap::new();
            let mut headers: BTreeMap<Fingerprint, [u8; 80]> = BTreeMap::new();
            for (kind, cut, bytes, branch, ntime, nonce, version) in shares {
                let (layout, extranonce) = match kind {
                    // The same eight bytes of coinbase, with the hole in different places.
                    0 => (bitcoin(&bytes[..cut], &bytes[cut + 4..], &branch), &bytes[cut..cut + 4]),
                    1 => (HeaderLayout::Bdag80(Bdag80 { previous: [7; 32], nbits: 1 }), &bytes[..cut]),
                    _ => (
                        HeaderLayout::Kaspa80(Kaspa80 { pre_pow_hash: [7; 32], timestamp_ms: cut as u64 }),
                        &bytes[..4],
                    ),
                };
                let solution = solution(extranonce, ntime, nonce, version);
                let (header, print) = (layout.assemble(&solution), Fingerprinter::new(&layout, KEYS).of(&solution));
                prop_assert_eq!(*known.entry(header).or_insert(print), print);
                prop_assert_eq!(*headers.entry(print).or_insert(header), header);
            }
        }
    }

    #[test]
    fn neighbours_differ_and_spread_over_all_places() {
        let layout = bitcoin(&[1; 90], &[2; 70], &[3, 4]);
        let prints = Fingerprinter::new(&layout, KEYS);
        let mut all = BTreeMap::new();
        let mut places = [0u32; 256];
        for counter in 0..20_000u32 {
            // Counted in the extranonce, the nonce, the time, and the version, as miners do.
            let [a, b, c, d] = counter.to_be_bytes();
            for (kind, share) in [
                solution(&[9, 9, 9, 9, a, b, c, d], 5, 6, 7),
                solution(&[9; 8], 5, u64::from(counter) << 8 | 1, 7),
                solution(&[9; 8], u64::from(counter) << 8, 6, 7),
                solution(&[9; 8], 5, 6, counter << 12 | 8),
            ]
            .into_iter()
            .enumerate()
            {
                let Fingerprint(print) = prints.of(&share);
                places[(print >> 32) as usize & 255] += 1;
                assert_eq!(all.insert(print, (kind, counter)), None, "{kind} {counter}");
            }
        }
        let (least, most) = (places.iter().min().unwrap(), places.iter().max().unwrap());
        assert!(*least > 240 && *most < 390, "{least} to {most} of 312");
    }

    #[test]
    fn other_keys_make_other_fingerprints() {
        let layout = bitcoin(&[1; 9], &[2; 7], &[]);
        let share = solution(&[1, 2, 3, 4], 5, 6, 7);
        let of = |keys| Fingerprinter::new(&layout, FingerprintKeys(keys)).of(&share);
        assert_ne!(of([1, 2]), of([1, 3]));
        assert_ne!(of([1, 2]), of([2, 2]));
    }
}
