//! The 64 x 64 matrix of 4-bit numbers that a pre-PoW hash stands for.

/// Side of the matrix.
pub(crate) const SIDE: usize = 64;

/// Drawn from xoshiro256++ until its rank is full.
#[derive(Clone)]
pub(crate) struct Matrix([[u16; SIDE]; SIDE]);

/// Random matrices of this size are practically never singular; a generator that gives so many in a row is stuck.
const MAX_DRAWS: usize = 64;

impl Matrix {
    /// The first full-rank matrix drawn from the seed, or `None` if there is none: a seed of zeros yields only zeros.
    pub(crate) fn generate(seed: &[u8; 32]) -> Option<Self> {
        let mut generator = Xoshiro256PlusPlus::new(seed);
        (0..MAX_DRAWS).map(|_| Self::draw(&mut generator)).find(|matrix| matrix.rank() == SIDE)
    }

    /// Row by row, 16 numbers from each 64-bit word, lowest bits first.
    fn draw(generator: &mut Xoshiro256PlusPlus) -> Self {
        let mut rows = [[0; SIDE]; SIDE];
        for chunk in rows.as_flattened_mut().as_chunks_mut::<16>().0 {
            let word = generator.next();
            *chunk = core::array::from_fn(|i| u16::from(word.to_le_bytes()[i / 2] >> (4 * (i % 2)) & 0x0f));
        }
        Self(rows)
    }

    /// By Gaussian elimination in f64 with the pivots and the tolerance of the node (consensus/pow of rusty-kaspa):
    /// the node's rounding is part of the consensus, an exact rank would not be.
    fn rank(&self) -> usize {
        const EPSILON: f64 = 1e-9;
        let mut rows = self.0.map(|row| row.map(f64::from));
        let mut used = [false; SIDE];
        let mut rank = 0;
        for column in 0..SIDE {
            let Some(pivot) = (0..SIDE).find(|&row| !used[row] && rows[row][column].abs() > EPSILON) else {
                continue;
            };
            rank += 1;
            used[pivot] = true;
            let divisor = rows[pivot][column];
            rows[pivot][column + 1..].iter_mut().for_each(|value| *value /= divisor);
            let pivot_row = rows[pivot];
            for (index, row) in rows.iter_mut().enumerate() {
                let factor = row[column];
                if index != pivot && factor.abs() > EPSILON {
                    for (value, pivot_value) in row[column + 1..].iter_mut().zip(&pivot_row[column + 1..]) {
                        *value -= pivot_value * factor;
                    }
                }
            }
        }
        rank
    }

    /// Multiplies the matrix with the 64 nibbles of the hash (high one first), keeps bits 10 to 13 of each sum, packs
    /// them like the nibbles were, and xors with the hash.
    pub(crate) fn multiply(&self, hash: &[u8; 32]) -> [u8; 32] {
        let mut vector = [0u16; SIDE];
        for (pair, byte) in vector.as_chunks_mut::<2>().0.iter_mut().zip(hash) {
            *pair = [u16::from(byte >> 4), u16::from(byte & 0x0f)];
        }
        // At most 64 x 15 x 15 = 14,400, which leaves four bits after the shift.
        let nibble = |row: &[u16; SIDE]| {
            let [_, high] = row.iter().zip(&vector).map(|(a, b)| a * b).sum::<u16>().to_le_bytes();
            high >> 2
        };
        core::array::from_fn(|i| hash[i] ^ nibble(&self.0[2 * i]) << 4 ^ nibble(&self.0[2 * i + 1]))
    }
}

/// xoshiro256++ 1.0 (Blackman and Vigna), seeded with four little-endian words.
struct Xoshiro256PlusPlus([u64; 4]);

impl Xoshiro256PlusPlus {
    fn new(seed: &[u8; 32]) -> Self {
        let words = seed.as_chunks::<8>().0;
        Self(core::array::from_fn(|i| u64::from_le_bytes(words[i])))
    }

    fn next(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let shifted = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= shifted;
        s[3] = s[3].rotate_left(45);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generator_as_published() {
        // State 1, 2, 3, 4: the values of the reference implementation.
        let mut generator = Xoshiro256PlusPlus([1, 2, 3, 4]);
        let expected =
            [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386, 9_228_616_714_210_784_205];
        assert_eq!(expected.map(|_| generator.next()), expected);
    }

    #[test]
    fn rank_of_singular_matrices() {
        assert_eq!(Matrix([[0; SIDE]; SIDE]).rank(), 0);
        let mut matrix = Matrix::generate(&[42; 32]).expect("this seed has a matrix");
        assert_eq!(matrix.rank(), SIDE);
        matrix.0[0] = matrix.0[1];
        assert_eq!(matrix.rank(), SIDE - 1);
        assert!(Matrix::generate(&[0; 32]).is_none());
    }

    #[test]
    fn multiplication_with_a_diagonal_matrix() {
        let mut matrix = Matrix([[0; SIDE]; SIDE]);
        (0..SIDE).for_each(|i| matrix.0[i] = [15; SIDE]);
        // Every nibble 15: each sum is 14,400, which is 14 after the shift.
        assert_eq!(matrix.multiply(&[0xff; 32]), [0xff ^ 0xee; 32]);
        assert_eq!(Matrix([[0; SIDE]; SIDE]).multiply(&[0xab; 32]), [0xab; 32]);
    }
}
