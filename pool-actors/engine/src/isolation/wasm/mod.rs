//! Level `wasm`: a module without imports, in a sandbox for each thread that hashes.

mod engine;
mod instance;

use super::{
    Limits,
    error::LoadError,
    failure,
    remote::{Remote, Transport},
};
use engine::{Kind, Ticking};
use instance::{Instance, Mold};
use plugin_sdk::{AlgorithmError, Hash, Header, PowAlgorithm};
use std::{
    cell::Cell,
    sync::{
        Arc, Mutex, MutexGuard, TryLockError,
        atomic::{AtomicUsize, Ordering},
    },
};

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
    let pool = Pool::new(mold, first, ticking);
    Ok(Arc::new(Remote::new(description, capabilities, pool)))
}

/// Instances of one module; a thread that hashes keeps to its own as long as there are enough.
struct Pool {
    mold: Mold,
    slots: Box<[Mutex<Option<Instance>>]>,
    _ticking: Ticking,
}

impl Pool {
    fn new(mold: Mold, first: Instance, ticking: Ticking) -> Self {
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        // Twice as many: whoever waits for the processor may still hold one.
        let slots = (0..2 * threads).map(|_| Mutex::new(None));
        let pool = Self { mold, slots: slots.collect(), _ticking: ticking };
        if let Ok(mut slot) = pool.slots[home() % pool.slots.len()].lock() {
            *slot = Some(first);
        }
        pool
    }

    /// The thread's own slot, else any free one, else the own one when it is free again.
    fn slot(&self) -> MutexGuard<'_, Option<Instance>> {
        let (count, home) = (self.slots.len(), home());
        for i in 0..count {
            match self.slots[(home + i) % count].try_lock() {
                Ok(slot) => return slot,
                Err(TryLockError::Poisoned(slot)) => return discarded(slot.into_inner()),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        self.slots[home % count].lock().unwrap_or_else(|slot| discarded(slot.into_inner()))
    }

    /// Calls an instance. One that broke is dropped; the next call makes another.
    fn with<R>(
        &self,
        call: impl FnOnce(&mut Instance) -> Result<R, AlgorithmError>,
    ) -> Result<R, AlgorithmError> {
        let mut slot = self.slot();
        let instance = match &mut *slot {
            Some(instance) => instance,
            empty => empty.insert(
                self.mold
                    .cast()
                    .map_err(|e| failure::broken(failure::HOST, format!("no new instance: {e}")))?,
            ),
        };
        let result = call(instance);
        if matches!(result, Err(AlgorithmError::Broken { .. })) {
            *slot = None;
        }
        result
    }
}

/// Whoever panicked with the lock left an instance in an unknown state.
fn discarded(mut slot: MutexGuard<'_, Option<Instance>>) -> MutexGuard<'_, Option<Instance>> {
    *slot = None;
    slot
}

/// A number of this thread: the first to ask has 0.
fn home() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static HOME: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    HOME.with(|home| {
        if home.get() == usize::MAX {
            home.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        home.get()
    })
}

impl Transport for Pool {
    fn hash(&self, input: &[u8]) -> Result<Hash, AlgorithmError> {
        self.with(|instance| instance.hash(input))
    }

    fn hash_batch(&self, inputs: &[Header], out: &mut [Hash]) -> Result<(), AlgorithmError> {
        if inputs.is_empty() {
            return Ok(());
        }
        self.with(|instance| instance.hash_batch(inputs, out))
    }

    fn call(&self, capability: u32, method: u32, request: &str) -> Result<Option<Vec<u8>>, AlgorithmError> {
        self.with(|instance| instance.call(capability, method, request))
    }
}
