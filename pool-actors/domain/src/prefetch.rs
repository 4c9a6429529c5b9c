//! A hint to the processor: what is about to be read can be fetched from memory while something else is done.
//!
//! What a busy server knows of its sessions is far larger than the processor's caches, and each first look at something
//! costs as much as a hundred instructions. Several things that are fetched at once cost hardly more than one.

/// Bytes of a cache line.
const LINE: usize = 64;

/// Has the processor fetch `value` into its cache, without waiting for it. What it points at is not followed.
#[inline]
pub fn fetch_ahead<T: ?Sized>(value: &T) {
    let begin = core::ptr::from_ref(value).cast::<u8>();
    let length = size_of_val(value).max(1);
    for offset in (0..length).step_by(LINE) {
        fetch(begin.wrapping_add(offset));
    }
    fetch(begin.wrapping_add(length - 1));
}

#[inline]
fn fetch(place: *const u8) {
    #[cfg(target_arch = "x86_64")]
    #[allow(unsafe_code, reason = "there is no safe form of a hint to the processor")]
    // SAFETY: a hint; nothing is read or written, and it could not fault whatever the address.
    unsafe {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(place.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}
