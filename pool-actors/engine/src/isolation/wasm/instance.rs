//! One running module.

use super::super::slots::Mold as _;
use super::engine::{MEMORY_MAX_BYTES, TICK};
use crate::isolation::{
    Limits, LoadError, failure,
    remote::{answered, outcome},
};
use plugin_sdk::{
    AlgorithmError, HASH_SIZE, HEADER_SIZE, Hash, Header,
    abi::{Description, MAJOR},
};
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;
use wasmtime::{
    Engine, Extern, InstancePre, Linker, Memory, ResourceLimiter, Store, Trap, TypedFunc, UpdateDeadline,
    WasmParams,
};

/// What the runtime is told about an instance.
struct Watch {
    memory_bytes: usize,
    /// Whether more memory was asked for than there may be.
    memory_denied: bool,
    /// The thread's processor time when the running call was first seen; `None` for a call that no tick has met.
    seen_at: Option<Duration>,
    call_timeout: Duration,
}

impl ResourceLimiter for Watch {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        self.memory_denied |= desired > self.memory_bytes;
        Ok(desired <= self.memory_bytes)
    }
    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= 10_000)
    }
}

impl Watch {
    /// At a tick: whether the call goes on. Processor time, not the clock on the wall, so that waiting for the processor
    /// is nobody's fault.
    fn look(&mut self) -> UpdateDeadline {
        let now = clock_gettime(ClockId::ThreadCPUTime);
        let now = Duration::try_from(now).unwrap_or(Duration::MAX);
        let since = *self.seen_at.get_or_insert(now);
        if now.saturating_sub(since) + TICK >= self.call_timeout {
            UpdateDeadline::Interrupt
        } else {
            UpdateDeadline::Continue(1)
        }
    }
}

/// A compiled module, from which instances are made.
pub(super) struct Mold {
    engine: &'static Engine,
    module: InstancePre<Watch>,
    limits: Limits,
}

impl Mold {
    pub(super) fn new(engine: &'static Engine, wasm: &[u8], limits: Limits) -> Result<Self, LoadError> {
        let unloadable =
            |e: wasmtime::Error| LoadError::Unloadable { what: "wasm module", reason: format!("{e:#}") };
        let module = super::cache::module(engine, wasm).map_err(unloadable)?;
        let imports: Vec<_> = module.imports().map(|i| format!("{}::{}", i.module(), i.name())).collect();
        if !imports.is_empty() {
            return Err(LoadError::Imports { imports });
        }
        let module = Linker::new(engine).instantiate_pre(&module).map_err(unloadable)?;
        Ok(Self { engine, module, limits })
    }

    /// The first instance, with what it says about itself.
    pub(super) fn first(&self) -> Result<(Instance, Description), LoadError> {
        let mut instance = self.cast()?;
        let json = instance.info().map_err(|e| setup(&e))?;
        let description = Description::parse(&json)
            .map_err(|reason| LoadError::Contradiction { what: "description", reason })?;
        Ok((instance, description))
    }
}

impl super::super::slots::Mold for Mold {
    type Instance = Instance;

    fn cast(&self) -> Result<Instance, LoadError> {
        let memory_bytes = self.limits.memory_bytes.min(MEMORY_MAX_BYTES);
        let watch = Watch {
            memory_bytes: usize::try_from(memory_bytes).unwrap_or(usize::MAX),
            memory_denied: false,
            seen_at: None,
            call_timeout: self.limits.call_timeout,
        };
        let mut store = Store::new(self.engine, watch);
        store.limiter(|watch| watch);
        store.epoch_deadline_callback(|mut context| Ok(context.data_mut().look()));
        ready(&mut store, self.limits.fuel);
        let made = self.module.instantiate(&mut store);
        let instance = made.map_err(|e| {
            if store.data().memory_denied {
                let reason = format!("it starts with more memory than the {memory_bytes} bytes it may have");
                LoadError::Setup { failure: failure::MEMORY, reason }
            } else if e.is::<Trap>() {
                setup(&broke(&e, &store))
            } else {
                LoadError::Host { reason: format!("{e:#}") }
            }
        })?;
        Instance::new(store, &instance, self.limits.fuel)
    }
}

fn setup(error: &AlgorithmError) -> LoadError {
    let failure = if let AlgorithmError::Broken { code, .. } = error { code } else { failure::ANSWER };
    LoadError::Setup { failure, reason: error.to_string() }
}

/// Before every call: the clock and the fuel begin anew.
fn ready(store: &mut Store<Watch>, fuel: Option<u64>) {
    store.data_mut().seen_at = None;
    store.set_epoch_deadline(1);
    if let Some(fuel) = fuel {
        store.set_fuel(fuel).expect("fuel is only given where the engine counts it");
    }
}

/// What a trap means.
fn broke(error: &wasmtime::Error, store: &Store<Watch>) -> AlgorithmError {
    let watch = store.data();
    let trap = error.downcast_ref::<Trap>();
    match trap {
        _ if watch.memory_denied => failure::broken(
            failure::MEMORY,
            format!("it wanted more than the {} bytes of memory it may have", watch.memory_bytes),
        ),
        Some(Trap::Interrupt) => {
            failure::broken(failure::TIMEOUT, format!("it computed for more than {:?}", watch.call_timeout))
        }
        Some(Trap::OutOfFuel) => failure::broken(failure::TIMEOUT, "it used up its fuel"),
        Some(Trap::StackOverflow) => failure::broken(failure::STACK, "it used up its stack"),
        Some(Trap::UnreachableCodeReached) => failure::broken(failure::TRAP, "it panicked"),
        Some(trap) => failure::broken(failure::TRAP, format!("it trapped: {trap}")),
        None => failure::broken(failure::TRAP, format!("it trapped: {error:#}")),
    }
}

/// A running module.
pub(super) struct Instance {
    store: Store<Watch>,
    fuel: Option<u64>,
    memory: Memory,
    input: usize,
    input_capacity: usize,
    output: usize,
    output_capacity: usize,
    batch_capacity: usize,
    capabilities: u32,
    info: TypedFunc<(), i32>,
    error: TypedFunc<(), i32>,
    hash: TypedFunc<i32, i32>,
    hash_batch: TypedFunc<i32, i32>,
    call: TypedFunc<(i32, i32, i32), i32>,
}

/// The exports of an instance that is being set up.
struct Exports<'a> {
    store: Store<Watch>,
    instance: &'a wasmtime::Instance,
    fuel: Option<u64>,
}

impl Exports<'_> {
    fn function<P: WasmParams>(&mut self, name: &str) -> Result<TypedFunc<P, i32>, LoadError> {
        let function = self.instance.get_typed_func(&mut self.store, name);
        function.map_err(|e| LoadError::MissingExport { name: name.to_owned(), reason: format!("{e:#}") })
    }

    /// What a function without arguments returns.
    fn constant(&mut self, name: &str) -> Result<i32, LoadError> {
        let function = self.function::<()>(name)?;
        ready(&mut self.store, self.fuel);
        function.call(&mut self.store, ()).map_err(|e| setup(&broke(&e, &self.store)))
    }

    fn size(&mut self, name: &str, least: usize) -> Result<usize, LoadError> {
        let size = usize::try_from(self.constant(name)?.cast_unsigned()).unwrap_or(usize::MAX);
        if (least..=1 << 24).contains(&size) {
            return Ok(size);
        }
        let reason = format!("{name} is {size}, {least} to 16777216 are possible");
        Err(LoadError::Contradiction { what: "buffer size", reason })
    }

    /// A buffer of at least `least` bytes within the memory.
    fn buffer(&mut self, memory: Memory, name: &str, least: usize) -> Result<(usize, usize), LoadError> {
        let at = usize::try_from(self.constant(name)?.cast_unsigned()).unwrap_or(usize::MAX);
        let capacity = self.size(&format!("{name}_capacity"), least)?;
        let end = memory.data_size(&self.store);
        if at.checked_add(capacity).is_none_or(|buffer_end| buffer_end > end) {
            let reason = format!("{name} has {capacity} bytes at {at}, the memory ends at {end}");
            return Err(LoadError::Contradiction { what: "buffer", reason });
        }
        Ok((at, capacity))
    }
}

impl Instance {
    fn new(
        mut store: Store<Watch>,
        instance: &wasmtime::Instance,
        fuel: Option<u64>,
    ) -> Result<Self, LoadError> {
        let memory = instance.get_export(&mut store, "memory").and_then(Extern::into_memory);
        let missing =
            || LoadError::MissingExport { name: "memory".to_owned(), reason: "no memory".to_owned() };
        let memory = memory.ok_or_else(missing)?;
        let mut exports = Exports { store, instance, fuel };
        let [major, minor] = {
            let version = exports.constant("dagpool_abi_version")?.cast_unsigned().to_be_bytes();
            [u16::from_be_bytes([version[0], version[1]]), u16::from_be_bytes([version[2], version[3]])]
        };
        if major != MAJOR {
            return Err(LoadError::Version { major, minor });
        }
        let created = exports.constant("dagpool_create")?;
        if created != 0 {
            let reason = format!("dagpool_create returned {created}");
            return Err(LoadError::Setup { failure: failure::ANSWER, reason });
        }
        let capabilities = exports.constant("dagpool_capabilities")?.cast_unsigned();
        let batch_capacity = exports.size("dagpool_batch_capacity", 1)?;
        let (input, input_capacity) =
            exports.buffer(memory, "dagpool_input", batch_capacity.saturating_mul(HEADER_SIZE))?;
        let (output, output_capacity) =
            exports.buffer(memory, "dagpool_output", batch_capacity.saturating_mul(HASH_SIZE))?;
        Ok(Self {
            info: exports.function("dagpool_info")?,
            error: exports.function("dagpool_error")?,
            hash: exports.function("dagpool_hash")?,
            hash_batch: exports.function("dagpool_hash_batch")?,
            call: exports.function("dagpool_call")?,
            store: exports.store,
            fuel,
            memory,
            input,
            input_capacity,
            output,
            output_capacity,
            batch_capacity,
            capabilities,
        })
    }

    pub(super) const fn capabilities(&self) -> u32 {
        self.capabilities
    }

    fn write(&mut self, bytes: &[u8]) {
        // Its memory only grows, so the buffers that were checked stay where they are.
        self.memory.data_mut(&mut self.store)[self.input..][..bytes.len()].copy_from_slice(bytes);
    }

    fn read(&self, length: usize) -> &[u8] {
        &self.memory.data(&self.store)[self.output..][..length]
    }

    /// A text of that length in the output buffer, which a status in its place forbids.
    fn text(&self, returned: i32) -> Result<Vec<u8>, AlgorithmError> {
        let length = usize::try_from(returned).ok().filter(|length| *length <= self.output_capacity);
        let length =
            length.ok_or_else(|| failure::broken(failure::ANSWER, format!("a text of {returned} bytes")))?;
        Ok(self.read(length).to_vec())
    }

    fn info(&mut self) -> Result<Vec<u8>, AlgorithmError> {
        ready(&mut self.store, self.fuel);
        let returned = self.info.call(&mut self.store, ()).map_err(|e| broke(&e, &self.store))?;
        self.text(returned)
    }

    /// Why the last call failed.
    fn explain(&mut self) -> Result<AlgorithmError, String> {
        ready(&mut self.store, self.fuel);
        let returned = self.error.call(&mut self.store, ()).map_err(|e| format!("{e:#}"))?;
        AlgorithmError::from_json(&self.text(returned).map_err(|e| e.to_string())?)
    }

    fn too_long(&self, length: usize) -> AlgorithmError {
        AlgorithmError::Custom {
            code: "INPUT_TOO_LONG".into(),
            message: format!("{length} bytes, the algorithm has room for {}", self.input_capacity),
            suggested_action: "pass shorter inputs; mining headers have 80 bytes".into(),
        }
    }

    pub(super) fn hash(&mut self, input: &[u8]) -> Result<Hash, AlgorithmError> {
        if input.len() > self.input_capacity {
            return Err(self.too_long(input.len()));
        }
        self.write(input);
        ready(&mut self.store, self.fuel);
        let length = i32::try_from(input.len()).map_err(|_| self.too_long(input.len()))?;
        let returned = self.hash.call(&mut self.store, length).map_err(|e| broke(&e, &self.store))?;
        outcome(returned, 0, 0, || self.explain())?;
        let mut hash = [0; HASH_SIZE];
        hash.copy_from_slice(self.read(HASH_SIZE));
        Ok(hash)
    }

    pub(super) fn hash_batch(&mut self, inputs: &[Header], out: &mut [Hash]) -> Result<(), AlgorithmError> {
        let capacity = self.batch_capacity;
        for (chunk, (inputs, out)) in inputs.chunks(capacity).zip(out.chunks_mut(capacity)).enumerate() {
            self.write(inputs.as_flattened());
            ready(&mut self.store, self.fuel);
            // The number of headers in a chunk is one that the module itself named.
            let count = i32::try_from(inputs.len()).map_err(|_| self.too_long(inputs.len()))?;
            let returned =
                self.hash_batch.call(&mut self.store, count).map_err(|e| broke(&e, &self.store))?;
            let hashed = usize::try_from(returned).unwrap_or(0).min(inputs.len());
            out[..hashed].as_flattened_mut().copy_from_slice(self.read(hashed * HASH_SIZE));
            outcome(returned, inputs.len(), chunk * capacity, || self.explain())?;
        }
        Ok(())
    }

    pub(super) fn call(
        &mut self,
        capability: u32,
        method: u32,
        request: &str,
    ) -> Result<Option<Vec<u8>>, AlgorithmError> {
        if request.len() > self.input_capacity {
            return Err(self.too_long(request.len()));
        }
        self.write(request.as_bytes());
        ready(&mut self.store, self.fuel);
        let length = i32::try_from(request.len()).map_err(|_| self.too_long(request.len()))?;
        let arguments = (capability.cast_signed(), method.cast_signed(), length);
        let returned = self.call.call(&mut self.store, arguments).map_err(|e| broke(&e, &self.store))?;
        let length = answered(returned, self.output_capacity, || self.explain())?;
        Ok(length.map(|length| self.read(length).to_vec()))
    }
}
