//! scryptROMix (RFC 7914, section 5) with N = 1024 and r = 1.
//!
//! Each half of the block is kept as the four diagonals of Salsa20's 4 x 4 matrix, so that a round is arithmetic
//! on whole [rows](crate::row). Word 0, which picks the next row, stays in place.

use crate::row::Row;

/// CPU and memory cost.
const N: usize = 1024;
/// Bytes of the block with r = 1.
pub const BLOCK_SIZE: usize = 128;

/// One Salsa20 matrix as four diagonals.
type Half = [Row; 4];
/// The whole block.
type Block = [Half; 2];

/// Blocks mixed at once. One chain of Salsa20 rounds waits for itself most of the time; a second fills the gaps.
pub const LANES: usize = 2;

/// Scratch memory for one ROMix of up to [`LANES`] blocks at a time: 128 KiB for each.
pub struct Scratch(alloc::vec::Vec<Block>);

impl Scratch {
    /// Allocates it.
    #[must_use]
    pub fn new() -> Self {
        Self(alloc::vec![[[Row::new([0; 4]); 4]; 2]; N * LANES])
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

/// Diagonal `d`, column `c` of a half holds word `WORD[d][c]` of the matrix.
const WORD: [[usize; 4]; 4] = [[0, 5, 10, 15], [4, 9, 14, 3], [8, 13, 2, 7], [12, 1, 6, 11]];

/// Mixes each block in place.
pub(crate) fn romix<const L: usize>(blocks: &mut [[u8; BLOCK_SIZE]; L], scratch: &mut Scratch) {
    const { assert!(L <= LANES) };
    let mut x: [Block; L] = core::array::from_fn(|lane| load(&blocks[lane]));
    let (rows, _) = scratch.0.as_chunks_mut::<L>();
    let rows = &mut rows[..N];
    for row in rows.iter_mut() {
        *row = x;
        block_mix(&mut x);
    }
    for _ in 0..N {
        for (lane, block) in x.iter_mut().enumerate() {
            // Integerify: the first word of the last 64 bytes, modulo N.
            let other = &rows[block[1][0].first() as usize % N][lane];
            for (half, other) in block.iter_mut().zip(other) {
                xor(half, other);
            }
        }
        block_mix(&mut x);
    }
    for (block, x) in blocks.iter_mut().zip(&x) {
        store(x, block);
    }
}

fn load(bytes: &[u8; BLOCK_SIZE]) -> Block {
    let words = bytes.as_chunks::<4>().0;
    core::array::from_fn(|half| {
        core::array::from_fn(|d| Row::new(WORD[d].map(|place| u32::from_le_bytes(words[16 * half + place]))))
    })
}

fn store(x: &Block, bytes: &mut [u8; BLOCK_SIZE]) {
    let words = bytes.as_chunks_mut::<4>().0;
    for (half, rows) in x.iter().enumerate() {
        for (row, places) in rows.iter().zip(&WORD) {
            for (value, place) in row.words().iter().zip(places) {
                words[16 * half + place] = value.to_le_bytes();
            }
        }
    }
}

#[inline(always)]
fn xor(half: &mut Half, other: &Half) {
    for (row, other) in half.iter_mut().zip(other) {
        *row = row.xor(*other);
    }
}

/// scryptBlockMix with r = 1: each half is mixed with the other one before it.
#[inline(always)]
fn block_mix<const L: usize>(x: &mut [Block; L]) {
    for [first, second] in x.iter_mut() {
        xor(first, second);
    }
    salsa20_8(x, 0);
    for [first, second] in x.iter_mut() {
        xor(second, first);
    }
    salsa20_8(x, 1);
}

/// The same diagonal of every lane.
type Rows<const L: usize> = [Row; L];

/// target ^= (a + b) <<< LEFT, for four columns of every lane at once.
#[inline(always)]
fn quarter<const LEFT: i32, const RIGHT: i32, const L: usize>(
    target: &mut Rows<L>,
    a: &Rows<L>,
    b: &Rows<L>,
) {
    for lane in 0..L {
        target[lane] = target[lane].xor_rotated::<LEFT, RIGHT>(a[lane].add(b[lane]));
    }
}

/// Salsa20/8 core on one half of every lane: eight rounds, then the input is added.
#[inline(always)]
fn salsa20_8<const L: usize>(x: &mut [Block; L], half: usize) {
    let diagonal = |d: usize| -> Rows<L> { core::array::from_fn(|lane| x[lane][half][d]) };
    let (mut a, mut b, mut c, mut d) = (diagonal(0), diagonal(1), diagonal(2), diagonal(3));
    for _ in 0..8 {
        quarter::<7, 25, L>(&mut b, &a, &d);
        quarter::<9, 23, L>(&mut c, &b, &a);
        quarter::<13, 19, L>(&mut d, &c, &b);
        quarter::<18, 14, L>(&mut a, &d, &c);
        // Turned diagonals are those of the transposed matrix, with b and d in each other's place.
        (b, c, d) = (d.map(Row::turn_1), c.map(Row::turn_2), b.map(Row::turn_3));
    }
    for lane in 0..L {
        for (row, mixed) in x[lane][half].iter_mut().zip([a[lane], b[lane], c[lane], d[lane]]) {
            *row = row.add(mixed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<const SIZE: usize>(hex: &str) -> [u8; SIZE] {
        core::array::from_fn(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
    }

    /// RFC 7914, section 8.
    #[test]
    fn salsa_as_in_the_rfc() {
        let input: [u8; 64] = bytes(
            "7e879a214f3ec9867ca940e641718f26baee555b8c61c1b50df846116dcd3b1d\
             ee24f319df9b3d8514121e4b5ac5aa3276021d2909c74829edebc68db8b8c25e",
        );
        let output: [u8; 64] = bytes(
            "a41f859c6608cc993b81cacb020cef05044b2181a2fd337dfd7b1c6396682f29\
             b4393168e3c9e6bcfe6bc5b7a06d96bae424cc102c91745c24ad673dc7618f81",
        );
        let mut block = [0; BLOCK_SIZE];
        block[..64].copy_from_slice(&input);
        let mut x = [load(&block)];
        salsa20_8(&mut x, 0);
        store(&x[0], &mut block);
        assert_eq!(block[..64], output);
    }

    #[test]
    fn lanes_do_not_mix() {
        let mut scratch = Scratch::new();
        let (mut one, mut other) = ([[1; BLOCK_SIZE]], [[2; BLOCK_SIZE]]);
        let mut both = [one[0], other[0]];
        romix(&mut one, &mut scratch);
        romix(&mut both, &mut scratch);
        romix(&mut other, &mut scratch);
        assert_eq!(both, [one[0], other[0]]);
    }

    #[test]
    fn loading_and_storing_are_inverse() {
        let block: [u8; BLOCK_SIZE] = core::array::from_fn(|i| u8::try_from(i).unwrap());
        let mut back = [0; BLOCK_SIZE];
        store(&load(&block), &mut back);
        assert_eq!(back, block);
    }
}
