//! The functions of a wasm module, for any algorithm: fixed buffers in its memory, an allocator, and a panic that traps.

use super::{Description, serve, status};
use crate::{AlgorithmError, HASH_SIZE, HEADER_SIZE, PowAlgorithm};
use alloc::string::String;
use core::cell::UnsafeCell;

/// Headers of one batch.
pub const BATCH_CAPACITY: usize = 64;
/// Bytes of the input buffer: a batch, a request, or one input of another length.
pub const INPUT_CAPACITY: usize = 12 * 1024;
/// Bytes of the output buffer: the hashes of a batch, an answer, or an error.
pub const OUTPUT_CAPACITY: usize = 8 * 1024;

/// Without `std` there is no allocator either. With it, std's own is the same one.
#[cfg(not(feature = "std"))]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

#[cfg(not(feature = "std"))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// Something that the only thread of a module has for itself.
struct Only<T>(UnsafeCell<T>);

// SAFETY: a module of this interface has one thread.
#[allow(unsafe_code)]
unsafe impl<T> Sync for Only<T> {}

static INPUT: Only<[u8; INPUT_CAPACITY]> = Only(UnsafeCell::new([0; INPUT_CAPACITY]));
static OUTPUT: Only<[u8; OUTPUT_CAPACITY]> = Only(UnsafeCell::new([0; OUTPUT_CAPACITY]));

fn address<T>(pointer: *mut T) -> i32 {
    (pointer as usize).cast_signed() as i32
}

/// Where the pool writes.
pub fn input() -> i32 {
    address(INPUT.0.get())
}

/// Where the pool reads.
pub fn output() -> i32 {
    address(OUTPUT.0.get())
}

fn length(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(status::TOO_LONG)
}

struct State<T> {
    algorithm: Option<T>,
    error: Option<AlgorithmError>,
}

/// The module's algorithm.
pub struct Instance<T>(Only<State<T>>);

impl<T: PowAlgorithm + Default> Instance<T> {
    /// None yet.
    pub const fn new() -> Self {
        Self(Only(UnsafeCell::new(State { algorithm: None, error: None })))
    }

    /// Lends the buffers and the algorithm, which is made when it is first needed.
    fn with(&self, body: impl FnOnce(&T, &[u8], &mut [u8]) -> Result<i32, (i32, AlgorithmError)>) -> i32 {
        // SAFETY: the module's functions are called one after the other, never from within each other, so nobody else
        // holds these.
        #[allow(unsafe_code)]
        let (state, input, output) = unsafe { (&mut *self.0.0.get(), &*INPUT.0.get(), &mut *OUTPUT.0.get()) };
        let algorithm = state.algorithm.get_or_insert_with(T::default);
        body(algorithm, input, output).unwrap_or_else(|(status, error)| {
            state.error = Some(error);
            status
        })
    }

    /// Makes the algorithm; 0.
    pub fn create(&self) -> i32 {
        self.with(|_, _, _| Ok(0))
    }

    /// Writes the description; its length.
    pub fn info(&self) -> i32 {
        self.with(|algorithm, _, out| Ok(answer(&Description::of(algorithm).to_json(), out)))
    }

    /// Writes the last error; its length, 0 if there was none.
    pub fn error(&self) -> i32 {
        // SAFETY: as in `with`.
        #[allow(unsafe_code)]
        let error = unsafe { (*self.0.0.get()).error.take() };
        self.with(|_, _, out| Ok(error.map_or(0, |error| answer(&error.to_json(), out))))
    }

    /// Hashes the first `length` bytes of the input; 0 or a status.
    pub fn hash(&self, length: i32) -> i32 {
        self.with(|algorithm, input, out| {
            let Some(input) = input.get(..length.cast_unsigned() as usize) else {
                return Ok(status::TOO_LONG);
            };
            let hash = algorithm.hash(input).map_err(|e| (status::FAILED, e))?;
            out[..HASH_SIZE].copy_from_slice(&hash);
            Ok(0)
        })
    }

    /// Hashes `count` headers; how many were hashed, or a status.
    pub fn hash_batch(&self, count: i32) -> i32 {
        self.with(|algorithm, input, out| {
            let count = count.cast_unsigned() as usize;
            let headers = input.as_chunks::<HEADER_SIZE>().0.get(..count);
            let hashes = out.as_chunks_mut::<HASH_SIZE>().0.get_mut(..count);
            let (Some(headers), Some(hashes)) = (headers, hashes) else { return Ok(status::TOO_LONG) };
            match algorithm.hash_batch(headers, hashes) {
                Ok(()) => Ok(length(count)),
                Err(e) => {
                    let hashed = if let AlgorithmError::Refused { index, .. } = e {
                        length(index)
                    } else {
                        status::FAILED
                    };
                    Err((hashed, e))
                }
            }
        })
    }

    /// Answers the first `length` bytes of the input as a request; the answer's length, or a status.
    pub fn call(&self, capability: i32, method: i32, length: i32) -> i32 {
        self.with(|algorithm, input, out| {
            let Some(request) = input.get(..length.cast_unsigned() as usize) else {
                return Ok(status::TOO_LONG);
            };
            match serve(algorithm, capability.cast_unsigned(), method.cast_unsigned(), request) {
                Ok(Some(text)) => Ok(answer(&text, out)),
                Ok(None) => Ok(status::UNSUPPORTED),
                Err(e) => Err((status::FAILED, e)),
            }
        })
    }
}

/// Copies a whole text, or nothing.
fn answer(text: &String, out: &mut [u8]) -> i32 {
    match out.get_mut(..text.len()) {
        Some(place) => {
            place.copy_from_slice(text.as_bytes());
            length(text.len())
        }
        None => status::TOO_LONG,
    }
}
