//! Level `wasm`: a module without imports, in a sandbox for each thread that hashes.

mod cache;
mod engine;
mod instance;

use super::{
    Limits,
    error::LoadError,
    remote::{Remote, Transport},
    slots::Slots,
};
pub use cache::cache_compiled_code;
use engine::{Kind, Ticking};
use instance::Mold;
use plugin_sdk::{AlgorithmError, Hash, Header, PowAlgorithm};
use std::sync::Arc;

/// Compiles a module, checks its interface, and makes an algorithm of it.
///
/// # Errors
/// [`LoadError`]: it is no module, imports something, lacks an export, was built for another version of the interface,
/// or fails while it is set up.
pub fn load_wasm(module: &[u8], limits: Limits) -> Result<Arc<dyn PowAlgorithm>, LoadError> {
    let engine = engine::get(if limits.fuel.is_some() { Kind::Fuel } else { Kind::Epoch })?;
    let ticking = engine::tick();
    let mold = Mold::new(engine, module, limits)?;
    let (first, description) = mold.first()?;
    let capabilities = first.capabilities();
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    // Twice as many: whoever waits for the processor may still hold one.
    let pool = Pool { slots: Slots::new(mold, first, 2 * threads), _ticking: ticking };
    Ok(Arc::new(Remote::new(description, capabilities, pool)))
}

/// The module's instances, and the clock that watches them.
struct Pool {
    slots: Slots<Mold>,
    _ticking: Ticking,
}

impl Transport for Pool {
    fn hash(&self, input: &[u8]) -> Result<Hash, AlgorithmError> {
        self.slots.with(|instance| instance.hash(input))
    }

    fn hash_batch(&self, inputs: &[Header], out: &mut [Hash]) -> Result<(), AlgorithmError> {
        if inputs.is_empty() {
            return Ok(());
        }
        self.slots.with(|instance| instance.hash_batch(inputs, out))
    }

    fn call(&self, capability: u32, method: u32, request: &str) -> Result<Option<Vec<u8>>, AlgorithmError> {
        self.slots.with(|instance| instance.call(capability, method, request))
    }
}
