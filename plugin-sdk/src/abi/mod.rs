//! The binary interface between the pool and a packaged algorithm, the same for native libraries and wasm modules.
//!
//! Rust authors need none of this: [`export_algorithm!`](crate::export_algorithm) makes both exports from the traits.
//! What a C or Zig author implements is written down in `plugin-sdk/docs/abi.md` and
//! `plugin-sdk/include/dagpool_plugin.h`; the constants and the table here are the same.

mod client;
mod description;
mod error;
pub mod json;
mod serve;

#[cfg(all(feature = "export", not(target_arch = "wasm32")))]
pub mod native;
#[cfg(all(feature = "export", target_arch = "wasm32"))]
pub mod wasm;

#[cfg(test)]
mod tests;

pub use client::Client;
pub use description::{Description, hex};
pub use serve::serve;

use core::ffi::c_void;

/// The first bytes of a native library's table.
pub const MAGIC: [u8; 8] = *b"DAGPOOL\0";
/// Raised by what an older pool cannot use; the pool takes its own major version only.
pub const MAJOR: u16 = 1;
/// Raised by additions; the pool takes any.
pub const MINOR: u16 = 0;
/// Both versions, as a wasm module tells them: the major one in the upper 16 bits.
pub const VERSION: u32 = (MAJOR as u32) << 16 | MINOR as u32;
/// The symbol under which a native library exports its [`Table`].
pub const NATIVE_SYMBOL: &str = "dagpool_plugin";

/// Optional parts of an algorithm, as bits of the capability field; the number that [`serve`] takes is the bit's value.
pub mod capability {
    /// [`DifficultyAdjuster`](crate::DifficultyAdjuster).
    pub const DIFFICULTY: u32 = 1;
    /// [`Benchmark`](crate::Benchmark).
    pub const BENCHMARK: u32 = 2;
    /// [`Compatibility`](crate::Compatibility).
    pub const COMPATIBILITY: u32 = 4;
    /// [`Migration`](crate::Migration).
    pub const MIGRATION: u32 = 8;
    /// [`Health`](crate::Health).
    pub const HEALTH: u32 = 16;
    /// What [`export_algorithm!`](crate::export_algorithm) exports: a trait left to its default answers the same.
    pub const ALL: u32 = DIFFICULTY | BENCHMARK | COMPATIBILITY | MIGRATION | HEALTH;
}

/// Methods of the capabilities; each is numbered within its own.
pub mod method {
    /// Difficulty: `{"current","target_time","actual_time"}` -> `{"difficulty"}`.
    pub const ADJUST: u32 = 1;
    /// Difficulty: `{"difficulty"}` -> `{"target"}`, 64 hexadecimal digits, the most significant first.
    pub const TARGET: u32 = 2;
    /// Benchmark: `{"inputs":[hex...],"iterations"}` -> `{"hashes"}`; the caller holds the clock.
    pub const RUN: u32 = 1;
    /// Compatibility: `{}` -> `{"per_thread_bytes"}`.
    pub const MEMORY: u32 = 1;
    /// Compatibility: `{"memory_available_bytes","threads"}` -> `{"problems":[text...]}`.
    pub const VALIDATE: u32 = 2;
    /// Migration: `{"from"}` -> `{"supported"}`.
    pub const SUPPORTS: u32 = 1;
    /// Migration: `{"from"}` -> `{"from","kind":"upgrade"|"migration"}`.
    pub const PREPARE: u32 = 2;
    /// Migration: `{}` -> `{}`.
    pub const FINALIZE: u32 = 3;
    /// Health: `{}` -> `{"status":"healthy"|"degraded"|"unhealthy","reason"?}`.
    pub const CHECK: u32 = 1;
}

/// What a function returns instead of a count or a length.
pub mod status {
    /// The capability or the method is not there: the caller does what is standard.
    pub const UNSUPPORTED: i32 = -1;
    /// It failed; the error is there as JSON.
    pub const FAILED: i32 = -2;
    /// The answer does not fit into the buffer.
    pub const TOO_LONG: i32 = -3;
    /// The code panicked, which a native library contains; a wasm module traps instead.
    pub const PANICKED: i32 = -4;
}

/// What a native library exports as `dagpool_plugin`: a constant that says which version it is before any code runs.
///
/// All functions may be called from any thread, several at once. `context` is what `create` gave. A text that a function
/// writes is UTF-8 without a zero byte at its end, its length is returned. `error` is where a hashing function writes
/// why it failed: JSON, ended by a zero byte, cut off at `error_capacity`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Table {
    /// [`MAGIC`].
    pub magic: [u8; 8],
    /// [`MAJOR`].
    pub major: u16,
    /// [`MINOR`].
    pub minor: u16,
    /// Bytes of this table; a later minor version may append functions.
    pub size: u32,
    /// Bits of [`capability`].
    pub capabilities: u32,
    /// Zero.
    pub reserved: u32,
    /// Makes the algorithm; null if it cannot.
    pub create: unsafe extern "C" fn() -> *mut c_void,
    /// Ends it.
    pub destroy: unsafe extern "C" fn(context: *mut c_void),
    /// Writes the description (see `abi.md`) as JSON; returns its length or a status.
    pub info: unsafe extern "C" fn(context: *const c_void, out: *mut u8, capacity: u32) -> i32,
    /// Hashes one input of any length into 32 bytes; 0 or a status.
    pub hash: unsafe extern "C" fn(
        context: *const c_void,
        input: *const u8,
        length: u32,
        hash: *mut u8,
        error: *mut u8,
        error_capacity: u32,
    ) -> i32,
    /// Hashes `count` packed 80-byte headers into as many packed 32-byte hashes. Returns how many were hashed: fewer
    /// than `count` means that the next one failed and why is in `error`; or a status.
    pub hash_batch: unsafe extern "C" fn(
        context: *const c_void,
        headers: *const u8,
        count: u32,
        hashes: *mut u8,
        error: *mut u8,
        error_capacity: u32,
    ) -> i32,
    /// Asks an optional capability: JSON to JSON. Returns the answer's length or a status; with
    /// [`status::FAILED`] the response holds the error, ended by a zero byte.
    pub call: unsafe extern "C" fn(
        context: *const c_void,
        capability: u32,
        method: u32,
        request: *const u8,
        request_length: u32,
        response: *mut u8,
        response_capacity: u32,
    ) -> i32,
}

/// Makes both exports of an algorithm, the native table and the wasm functions, from its traits. The type needs a
/// `Default` that cannot fail. Write it once in `lib.rs`; without the crate's feature `export` it does nothing, so that
/// the crate can also be linked in. `Cargo.toml` has:
///
/// ```toml
/// [features]
/// export = ["plugin-sdk/export"]
/// ```
///
/// A library is then built with `cargo rustc --release --crate-type cdylib --features export`.
#[macro_export]
macro_rules! export_algorithm {
    ($algorithm:ty) => {
        #[cfg(feature = "export")]
        #[allow(unsafe_code, missing_docs, unreachable_pub)]
        const _: () = {
            #[cfg(not(target_arch = "wasm32"))]
            #[unsafe(no_mangle)]
            #[allow(non_upper_case_globals)]
            pub static dagpool_plugin: $crate::abi::Table = $crate::abi::native::table::<$algorithm>();

            #[cfg(target_arch = "wasm32")]
            static INSTANCE: $crate::abi::wasm::Instance<$algorithm> = $crate::abi::wasm::Instance::new();

            $crate::__wasm_exports! {
                dagpool_abi_version() => $crate::abi::VERSION as i32;
                dagpool_capabilities() => $crate::abi::capability::ALL as i32;
                dagpool_input() => $crate::abi::wasm::input();
                dagpool_input_capacity() => $crate::abi::wasm::INPUT_CAPACITY as i32;
                dagpool_output() => $crate::abi::wasm::output();
                dagpool_output_capacity() => $crate::abi::wasm::OUTPUT_CAPACITY as i32;
                dagpool_batch_capacity() => $crate::abi::wasm::BATCH_CAPACITY as i32;
                dagpool_create() => INSTANCE.create();
                dagpool_info() => INSTANCE.info();
                dagpool_error() => INSTANCE.error();
                dagpool_hash(length: i32) => INSTANCE.hash(length);
                dagpool_hash_batch(count: i32) => INSTANCE.hash_batch(count);
                dagpool_call(capability: i32, method: i32, length: i32) =>
                    INSTANCE.call(capability, method, length);
            }
        };
    };
}

/// The functions of a wasm module.
#[doc(hidden)]
#[macro_export]
macro_rules! __wasm_exports {
    ($($name:ident($($argument:ident: $type:ty),*) => $body:expr;)+) => {
        $(
            #[cfg(target_arch = "wasm32")]
            #[unsafe(no_mangle)]
            pub extern "C" fn $name($($argument: $type),*) -> i32 {
                $body
            }
        )+
    };
}
