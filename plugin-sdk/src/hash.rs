//! The one trait that every algorithm must implement.

use crate::{AlgorithmError, Target};

/// Bytes of a mining header.
pub const HEADER_SIZE: usize = 80;
/// Bytes of a hash.
pub const HASH_SIZE: usize = 32;

/// A mining header as it is hashed, nonce last.
pub type Header = [u8; HEADER_SIZE];
/// A hash; a little-endian integer when compared with a target.
pub type Hash = [u8; HASH_SIZE];

/// Turns headers into hashes.
///
/// Implementations are pure: the same input gives the same hash, on every thread and at every time. What they cache
/// (scratch memory, a matrix) must not show.
pub trait HashFunction: Send + Sync {
    /// The algorithm's name: lower case ASCII letters, digits and dashes.
    fn name(&self) -> &str;

    /// Bytes of a hash. The pool compares 32-byte hashes with 256-bit targets.
    fn output_size(&self) -> usize {
        HASH_SIZE
    }

    /// The only input size in bytes that the algorithm takes, or `None` if it takes any.
    fn input_size(&self) -> Option<usize> {
        None
    }

    /// Bytes of the nonce at the end of the header, at most 8.
    fn nonce_size(&self) -> usize {
        4
    }

    /// Hashes one input.
    ///
    /// # Errors
    /// [`AlgorithmError::BadLength`] for an input of a size that it does not take, [`AlgorithmError::Refused`] for
    /// one that has no hash. Never panics, whatever the input.
    fn hash(&self, input: &[u8]) -> Result<Hash, AlgorithmError>;

    /// Hashes headers into `out`, which has one place for each of them. This is what the pool calls: override it
    /// where work can be shared among headers of the same job.
    ///
    /// # Errors
    /// [`AlgorithmError::BatchLength`] if the slices differ in length; else the first header's that fails, all
    /// before it being hashed.
    fn hash_batch(&self, inputs: &[Header], out: &mut [Hash]) -> Result<(), AlgorithmError> {
        check_batch(inputs, out)?;
        for (index, (input, hash)) in inputs.iter().zip(out).enumerate() {
            *hash = self.hash(input).map_err(|e| e.at_index(index))?;
        }
        Ok(())
    }

    /// Whether the input's hash meets the target.
    ///
    /// # Errors
    /// Those of [`HashFunction::hash`].
    fn verify(&self, input: &[u8], target: &Target) -> Result<bool, AlgorithmError> {
        Ok(target.is_met_by(&self.hash(input)?))
    }

    /// Like [`HashFunction::verify`], for a header that still lacks its nonce: `nonce` is written little-endian into
    /// the last [`HashFunction::nonce_size`] bytes; higher bytes of it are dropped.
    ///
    /// # Errors
    /// Those of [`HashFunction::hash`].
    fn verify_nonce(&self, header: &Header, target: &Target, nonce: u64) -> Result<bool, AlgorithmError> {
        let mut header = *header;
        let size = self.nonce_size().min(8);
        header[HEADER_SIZE - size..].copy_from_slice(&nonce.to_le_bytes()[..size]);
        self.verify(&header, target)
    }
}

/// The check that every `hash_batch` starts with.
///
/// # Errors
/// [`AlgorithmError::BatchLength`] if the slices differ in length.
pub fn check_batch(inputs: &[Header], out: &[Hash]) -> Result<(), AlgorithmError> {
    if inputs.len() == out.len() {
        return Ok(());
    }
    Err(AlgorithmError::BatchLength { inputs: inputs.len(), outputs: out.len() })
}
