//! Loading a package's code at a level of isolation.

use crate::isolation::{Level, Limits, load_in_process, load_wasm};
use crate::manifest::{MemoryLimits, Platform};
use crate::package::{Package, WASM};
use plugin_sdk::PowAlgorithm;
use std::path::Path;
use std::sync::Arc;

/// Loads a package's code at a level: what [`StageContext::load`](super::StageContext::load) is made of. `store` is the
/// folder from which native libraries are mapped into this process.
///
/// # Errors
/// A sentence: there is no code for the level, or why it was refused.
pub fn load_at(
    level: Level,
    store: &Path,
    package: &Package,
    memory: &MemoryLimits,
) -> Result<Arc<dyn PowAlgorithm>, String> {
    match level {
        Level::Wasm => load_wasm_of(package, memory),
        Level::Process => load_process_of(package, memory),
        Level::InProcess => load_in_process_of(package, memory, store),
    }
}

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

/// The native library of this platform.
fn library(package: &Package) -> Result<(&'static str, &[u8]), String> {
    let platform =
        Platform::host().ok_or("packages know no native code for this platform: use level wasm")?;
    let name = platform.library();
    let library = package.entry(name);
    library
        .map(|library| (name, library))
        .ok_or_else(|| format!("the package carries no {name}: use level wasm"))
}

/// Loads the package's native library into a confined child of this program, with the memory that its manifest asks for.
///
/// # Errors
/// A sentence: the library is missing, the level is not available here, or why the library was refused.
pub fn load_process_of(package: &Package, memory: &MemoryLimits) -> Result<Arc<dyn PowAlgorithm>, String> {
    let (name, library) = library(package)?;
    #[cfg(target_os = "linux")]
    {
        let limits = Limits { memory_bytes: memory.total_bytes_max, ..Limits::default() };
        crate::isolation::load_process(library, limits)
            .map_err(|error| format!("{name}: {error} [{}]", error.code()))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (library, memory);
        Err(format!("{name}: native code is confined on Linux only: use level wasm"))
    }
}

/// Loads the package's native library into this process, once it behaved in a confined child: its constructors ran there,
/// and it gave its own known answers.
///
/// # Errors
/// A sentence: as [`load_process_of`], or what it did in the child.
pub fn load_in_process_of(
    package: &Package,
    memory: &MemoryLimits,
    store: &Path,
) -> Result<Arc<dyn PowAlgorithm>, String> {
    let (name, library) = library(package)?;
    let probe = load_process_of(package, memory)?;
    let vectors = package.test_vectors().map_err(|error| error.message)?;
    for vector in &vectors.vectors {
        match probe.hash(&vector.hashed_input(probe.nonce_size())) {
            Ok(hash) if hash == vector.hash => {}
            Ok(_) => {
                return Err(format!(
                    "{name}: it gave a wrong answer in a child process, so it is not let in"
                ));
            }
            Err(error) => {
                return Err(format!("{name}: it failed in a child process, so it is not let in: {error}"));
            }
        }
    }
    load_in_process(library, store).map_err(|error| format!("{name}: {error} [{}]", error.code()))
}
