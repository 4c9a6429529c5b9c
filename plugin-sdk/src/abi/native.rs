//! The functions of a native library's [`Table`], for any algorithm. No panic leaves them.

extern crate std;

use super::{Description, MAGIC, MAJOR, MINOR, Table, capability, serve, status};
use crate::{AlgorithmError, HASH_SIZE, HEADER_SIZE, PowAlgorithm};
use alloc::boxed::Box;
use core::{ffi::c_void, panic::AssertUnwindSafe, slice};
use std::panic::catch_unwind;

/// The table of an algorithm.
#[must_use]
pub const fn table<T: PowAlgorithm + Default + 'static>() -> Table {
    Table {
        magic: MAGIC,
        major: MAJOR,
        minor: MINOR,
        // The table has some dozens of bytes.
        #[allow(clippy::cast_possible_truncation)]
        size: size_of::<Table>() as u32,
        capabilities: capability::ALL,
        reserved: 0,
        create: create::<T>,
        destroy: destroy::<T>,
        info: info::<T>,
        hash: hash::<T>,
        hash_batch: hash_batch::<T>,
        call: call::<T>,
    }
}

fn contained(body: impl FnOnce() -> i32) -> i32 {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
        // What was thrown may itself panic when it is dropped; it is small and leaked.
        core::mem::forget(panic);
        status::PANICKED
    })
}

fn length(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(status::TOO_LONG)
}

/// Copies a whole text, or nothing.
fn answer(text: &[u8], out: &mut [u8]) -> i32 {
    match out.get_mut(..text.len()) {
        Some(place) => {
            place.copy_from_slice(text);
            length(text.len())
        }
        None => status::TOO_LONG,
    }
}

/// Writes an error with a zero byte at its end, cut off if need be.
fn explain(error: &AlgorithmError, out: &mut [u8]) -> i32 {
    if let Some(room) = out.len().checked_sub(1) {
        let json = error.to_json();
        let length = json.len().min(room);
        out[..length].copy_from_slice(&json.as_bytes()[..length]);
        out[length] = 0;
    }
    status::FAILED
}

/// # Safety
/// `context` is what `create::<T>` gave and was not yet destroyed.
#[allow(unsafe_code)]
unsafe fn of<'a, T>(context: *const c_void) -> &'a T {
    // SAFETY: the caller's promise; the algorithm is shared, never changed, between create and destroy.
    unsafe { &*context.cast::<T>() }
}

/// # Safety
/// `bytes` points to `length` bytes that may be read, or is null with a length of 0.
#[allow(unsafe_code)]
unsafe fn input<'a>(bytes: *const u8, length: usize) -> &'a [u8] {
    // SAFETY: the caller's promise; null is replaced, since a slice is never null.
    if bytes.is_null() { &[] } else { unsafe { slice::from_raw_parts(bytes, length) } }
}

/// # Safety
/// `bytes` points to `length` bytes that may be written, were written before, and that nobody else uses; or is null.
#[allow(unsafe_code)]
unsafe fn output<'a>(bytes: *mut u8, length: usize) -> &'a mut [u8] {
    // SAFETY: the caller's promise; null is replaced, since a slice is never null.
    if bytes.is_null() { &mut [] } else { unsafe { slice::from_raw_parts_mut(bytes, length) } }
}

#[allow(unsafe_code)]
unsafe extern "C" fn create<T: PowAlgorithm + Default + 'static>() -> *mut c_void {
    let made = catch_unwind(|| Box::into_raw(Box::<T>::default()).cast::<c_void>());
    made.unwrap_or_else(|panic| {
        core::mem::forget(panic);
        core::ptr::null_mut()
    })
}

#[allow(unsafe_code)]
unsafe extern "C" fn destroy<T: PowAlgorithm + Default + 'static>(context: *mut c_void) {
    contained(|| {
        // SAFETY: the caller ends what `create::<T>` gave, once, and nobody uses it any more.
        drop(unsafe { Box::from_raw(context.cast::<T>()) });
        0
    });
}

#[allow(unsafe_code)]
unsafe extern "C" fn info<T: PowAlgorithm + Default + 'static>(
    context: *const c_void,
    out: *mut u8,
    capacity: u32,
) -> i32 {
    contained(|| {
        // SAFETY: both as the interface demands of the caller.
        let (algorithm, out) = unsafe { (of::<T>(context), output(out, capacity as usize)) };
        answer(Description::of(algorithm).to_json().as_bytes(), out)
    })
}

#[allow(unsafe_code)]
unsafe extern "C" fn hash<T: PowAlgorithm + Default + 'static>(
    context: *const c_void,
    bytes: *const u8,
    length: u32,
    hash: *mut u8,
    error: *mut u8,
    error_capacity: u32,
) -> i32 {
    contained(|| {
        // SAFETY: all as the interface demands of the caller.
        let (algorithm, bytes, out, error) = unsafe {
            let error = output(error, error_capacity as usize);
            (of::<T>(context), input(bytes, length as usize), output(hash, HASH_SIZE), error)
        };
        match algorithm.hash(bytes) {
            Ok(hash) => {
                out.copy_from_slice(&hash);
                0
            }
            Err(e) => explain(&e, error),
        }
    })
}

#[allow(unsafe_code)]
unsafe extern "C" fn hash_batch<T: PowAlgorithm + Default + 'static>(
    context: *const c_void,
    headers: *const u8,
    count: u32,
    hashes: *mut u8,
    error: *mut u8,
    error_capacity: u32,
) -> i32 {
    contained(|| {
        let count = count as usize;
        // SAFETY: all as the interface demands of the caller.
        let (algorithm, headers, hashes, error) = unsafe {
            let hashes = output(hashes, count * HASH_SIZE);
            let error = output(error, error_capacity as usize);
            (of::<T>(context), input(headers, count * HEADER_SIZE), hashes, error)
        };
        let hashes = hashes.as_chunks_mut::<HASH_SIZE>().0;
        match algorithm.hash_batch(headers.as_chunks::<HEADER_SIZE>().0, hashes) {
            Ok(()) => length(count),
            Err(e) => {
                let failed = explain(&e, error);
                if let AlgorithmError::Refused { index, .. } = e { length(index) } else { failed }
            }
        }
    })
}

#[allow(unsafe_code)]
unsafe extern "C" fn call<T: PowAlgorithm + Default + 'static>(
    context: *const c_void,
    capability: u32,
    method: u32,
    request: *const u8,
    request_length: u32,
    response: *mut u8,
    response_capacity: u32,
) -> i32 {
    contained(|| {
        // SAFETY: all as the interface demands of the caller.
        let (algorithm, request, out) = unsafe {
            let out = output(response, response_capacity as usize);
            (of::<T>(context), input(request, request_length as usize), out)
        };
        match serve(algorithm, capability, method, request) {
            Ok(Some(text)) => answer(text.as_bytes(), out),
            Ok(None) => status::UNSUPPORTED,
            Err(e) => explain(&e, out),
        }
    })
}
