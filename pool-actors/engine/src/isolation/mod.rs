//! Algorithms that come from outside: three levels of isolation behind the one trait that the pool holds them by.
//!
//! * [`Level::Wasm`], the default: a wasm module in a sandbox of its own, without a single import;
//! * [`Level::Process`]: a native library in a child process that may do nothing but hash;
//! * [`Level::InProcess`]: a native library in the pool itself, which nothing can contain.
//!
//! What a broken algorithm does arrives as [`AlgorithmError::Broken`](plugin_sdk::AlgorithmError::Broken) with one of
//! [`failure`]'s codes, and the algorithm can be called again: a wasm instance is made anew, a child is started again.

mod background;
mod error;
pub mod failure;
mod in_process;
mod native;
#[cfg(target_os = "linux")]
mod process;
mod remote;
mod slots;
mod wasm;

pub use background::{is_in_background, step_back};
pub use error::LoadError;
pub use in_process::{load_in_process, native_generations};
pub use pool_domain::isolation::Level;
#[cfg(target_os = "linux")]
pub use process::{Host, host_if_asked, load_process, load_process_with};
pub use wasm::{cache_compiled_code, load_wasm};

use std::time::Duration;

/// What a loaded algorithm may use. In-process nothing enforces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Memory of one wasm instance (there is at most one for each hashing thread), or that a child may take beyond
    /// what it starts with.
    pub memory_bytes: u64,
    /// How long one call may compute, a batch of up to 64 headers being one call. In wasm it is the thread's
    /// processor time that counts, so that a busy machine condemns nobody; a child is given ten times as much by the
    /// clock on the wall.
    pub call_timeout: Duration,
    /// Wasm only: units of fuel (about one for each instruction) for one call, which makes it stop at the same point
    /// on every machine. For validation; it makes code slower. `None` in production.
    pub fuel: Option<u64>,
}

impl Default for Limits {
    /// 16 MiB and 250 ms.
    fn default() -> Self {
        Self { memory_bytes: 16 << 20, call_timeout: Duration::from_millis(250), fuel: None }
    }
}
