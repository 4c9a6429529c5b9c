//! scryptROMix (RFC 7914, section 5) with N = 1024 and r = 1.
//!
//! Each half of the block is kept as the four diagonals of Salsa20's 4 x 4 matrix, so that a round is whole-row
//! arithmetic that the compiler turns into vector instructions. Word 0, which picks the next row, stays in place.

/// CPU and memory cost.
const N: usize = 1024;
/// Bytes of the block with r = 1.
pub const BLOCK_SIZE: usize = 128;

type Row = [u32; 4];
/// One Salsa20 matrix as four diagonals.
type Half = [Row; 4];
/// The whole block.
type Block = [Half; 2];

/// Scratch memory for one ROMix at a time: 128 KiB.
pub struct Scratch(alloc::vec::Vec<Block>);

impl Scratch {
    /// Allocates it.
    #[must_use]
    pub fn new() -> Self {
        Self(alloc::vec![[[[0; 4]; 4]; 2]; N])
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

/// Diagonal `d`, column `c` of a half holds word `WORD[d][c]` of the matrix.
const WORD: [[usize; 4]; 4] = [[0, 5, 10, 15], [4, 9, 14, 3], [8, 13, 2, 7], [12, 1, 6, 11]];

/// Mixes the block in place.
pub(crate) fn romix(bytes: &mut [u8; BLOCK_SIZE], scratch: &mut Scratch) {
    let mut x = load(bytes);
    for row in &mut scratch.0 {
        *row = x;
        block_mix(&mut x);
    }
    for _ in 0..N {
        // Integerify: the first word of the last 64 bytes, modulo N.
        let row = &scratch.0[x[1][0][0] as usize % N];
        for (half, other) in x.iter_mut().zip(row) {
            xor(half, other);
        }
        block_mix(&mut x);
    }
    store(&x, bytes);
}

fn load(bytes: &[u8; BLOCK_SIZE]) -> Block {
    let words = bytes.as_chunks::<4>().0;
    core::array::from_fn(|half| {
        core::array::from_fn(|d| core::array::from_fn(|c| u32::from_le_bytes(words[16 * half + WORD[d][c]])))
    })
}

fn store(x: &Block, bytes: &mut [u8; BLOCK_SIZE]) {
    let words = bytes.as_chunks_mut::<4>().0;
    for (half, rows) in x.iter().enumerate() {
        for (row, places) in rows.iter().zip(&WORD) {
            for (value, place) in row.iter().zip(places) {
                words[16 * half + place] = value.to_le_bytes();
            }
        }
    }
}

#[inline(always)]
fn xor(half: &mut Half, other: &Half) {
    for (row, other) in half.iter_mut().zip(other) {
        for (a, b) in row.iter_mut().zip(other) {
            *a ^= b;
        }
    }
}

/// scryptBlockMix with r = 1: each half is mixed with the other one before it.
#[inline(always)]
fn block_mix(x: &mut Block) {
    let [first, second] = x;
    xor(first, second);
    salsa20_8(first);
    xor(second, first);
    salsa20_8(second);
}

/// target ^= (a + b) <<< bits, for four columns at once.
#[inline(always)]
fn quarter(target: Row, a: Row, b: Row, bits: u32) -> Row {
    core::array::from_fn(|i| target[i] ^ a[i].wrapping_add(b[i]).rotate_left(bits))
}

#[inline(always)]
fn turn<const BY: usize>(row: Row) -> Row {
    core::array::from_fn(|i| row[(i + BY) % 4])
}

/// Salsa20/8 core: eight rounds, then the input is added.
#[inline(always)]
fn salsa20_8(half: &mut Half) {
    let [mut a, mut b, mut c, mut d] = *half;
    for _ in 0..4 {
        b = quarter(b, a, d, 7);
        c = quarter(c, b, a, 9);
        d = quarter(d, c, b, 13);
        a = quarter(a, d, c, 18);
        // The matrix is transposed by turning diagonals; b and d change places.
        (b, c, d) = (turn::<1>(d), turn::<2>(c), turn::<3>(b));
        b = quarter(b, a, d, 7);
        c = quarter(c, b, a, 9);
        d = quarter(d, c, b, 13);
        a = quarter(a, d, c, 18);
        (b, c, d) = (turn::<1>(d), turn::<2>(c), turn::<3>(b));
    }
    for (row, mixed) in half.iter_mut().zip([a, b, c, d]) {
        for (value, mixed) in row.iter_mut().zip(mixed) {
            *value = value.wrapping_add(mixed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<const SIZE: usize>(hex: &str) -> [u8; SIZE] {
        core::array::from_fn(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
    }

    /// RFC 7914, section 8 (Salsa20/8) and 9 (scryptBlockMix, r = 1).
    #[test]
    fn salsa_and_block_mix_as_in_the_rfc() {
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
        let mut x = load(&block);
        salsa20_8(&mut x[0]);
        store(&x, &mut block);
        assert_eq!(block[..64], output);
    }

    #[test]
    fn loading_and_storing_are_inverse() {
        let block: [u8; BLOCK_SIZE] = core::array::from_fn(|i| u8::try_from(i).unwrap());
        let mut back = [0; BLOCK_SIZE];
        store(&load(&block), &mut back);
        assert_eq!(back, block);
    }
}
