//! Loading a package's code at a level of isolation.

use crate::isolation::{Limits, load_wasm};
use crate::manifest::MemoryLimits;
use crate::package::{Package, WASM};
use plugin_sdk::PowAlgorithm;
use std::sync::Arc;

/// Loads the package's `algorithm.wasm` into a sandbox, with the memory that its manifest gives an instance and the
/// standard limit of time for a call. This is what [`StageContext::load`](super::StageContext::load) is for level wasm.
///
/// # Errors
/// A sentence: the module is missing, or why the sandbox refused it.
pub fn load_wasm_of(package: &Package, memory: &MemoryLimits) -> Result<Arc<dyn PowAlgorithm>, String> {
    let module = package.required(WASM).map_err(|error| error.message)?;
    load_wasm(module, sandbox_limits(memory)).map_err(|error| format!("{WASM}: {error} [{}]", error.code()))
}

/// The sandbox's limits that follow from a manifest: an instance's memory, and the standard time for a call.
#[must_use]
pub fn sandbox_limits(memory: &MemoryLimits) -> Limits {
    Limits { memory_bytes: memory.instance_bytes_max, ..Limits::default() }
}
