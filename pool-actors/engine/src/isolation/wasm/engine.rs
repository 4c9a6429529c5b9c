//! The two engines that compile and run modules, and the clock that ends what runs too long.

use crate::isolation::{Level, LoadError};
use std::{
    sync::{Condvar, Mutex, OnceLock, PoisonError},
    time::Duration,
};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

/// How often the clock looks whether a call runs too long.
pub(super) const TICK: Duration = Duration::from_millis(5);
/// Stack of wasm code: a small part of what a thread of the pool has.
const STACK_BYTES: usize = 512 << 10;
/// The largest memory that any limit can give an instance.
pub(super) const MEMORY_MAX_BYTES: u64 = 1 << 30;
/// Instances of all algorithms together; each takes only addresses until it is used.
const INSTANCES: u32 = 256;

/// How code is stopped.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// By the clock: production.
    Epoch,
    /// By counted instructions, and the clock: validation.
    Fuel,
}

/// The process's engine of that kind.
pub(super) fn get(kind: Kind) -> Result<&'static Engine, LoadError> {
    static ENGINES: [OnceLock<Result<Engine, String>>; 2] = [const { OnceLock::new() }; 2];
    let engine = ENGINES[kind as usize].get_or_init(|| make(kind).map_err(|e| format!("{e:#}")));
    engine.as_ref().map_err(|reason| LoadError::Unavailable { level: Level::Wasm, reason: reason.clone() })
}

fn make(kind: Kind) -> wasmtime::Result<Engine> {
    let mut pooling = PoolingAllocationConfig::new();
    pooling
        .total_core_instances(INSTANCES)
        .total_memories(INSTANCES)
        .total_tables(INSTANCES)
        .max_memories_per_module(1)
        .max_tables_per_module(1)
        .max_memory_size(usize::try_from(MEMORY_MAX_BYTES).unwrap_or(usize::MAX));
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pooling))
        .cranelift_opt_level(OptLevel::Speed)
        // Same results everywhere: floating-point NaNs are the one thing that machines disagree on.
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        .max_wasm_stack(STACK_BYTES)
        .epoch_interruption(true)
        .consume_fuel(matches!(kind, Kind::Fuel));
    Engine::new(&config)
}

struct Clock {
    /// Modules loaded; the clock stands while there are none.
    modules: Mutex<usize>,
    some: Condvar,
}

static CLOCK: Clock = Clock { modules: Mutex::new(0), some: Condvar::new() };

/// Keeps the clock running until dropped.
pub(super) struct Ticking(());

impl Drop for Ticking {
    fn drop(&mut self) {
        *CLOCK.modules.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
    }
}

/// Starts the clock's thread, which takes its priority from the thread that does this first.
pub(super) fn start_clock() {
    static STARTED: OnceLock<()> = OnceLock::new();
    STARTED.get_or_init(|| {
        // The engine's own thread: it belongs to no part of the pool and lives as long as the process.
        #[allow(clippy::disallowed_methods)]
        let started = std::thread::Builder::new().name("wasm-clock".into()).spawn(run);
        started.expect("a process that starts can have one thread more");
    });
}

/// Has the clock run.
pub(super) fn tick() -> Ticking {
    start_clock();
    *CLOCK.modules.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    CLOCK.some.notify_one();
    Ticking(())
}

fn run() {
    loop {
        let modules = CLOCK.modules.lock().unwrap_or_else(PoisonError::into_inner);
        drop(CLOCK.some.wait_while(modules, |modules| *modules == 0).unwrap_or_else(PoisonError::into_inner));
        // The clock's own thread: nobody waits for it.
        #[allow(clippy::disallowed_methods)]
        std::thread::sleep(TICK);
        for kind in [Kind::Epoch, Kind::Fuel] {
            if let Ok(engine) = get(kind) {
                engine.increment_epoch();
            }
        }
    }
}
