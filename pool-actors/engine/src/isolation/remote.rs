//! An algorithm on the other side of the interface, as the trait that the pool holds it by.

use super::failure;
use plugin_sdk::{
    AlgorithmError, AlgorithmInfo, Benchmark, BenchmarkResults, Compatibility, CompatibilityReport,
    DifficultyAdjuster, Hash, HashFunction, Header, Health, HealthStatus, HostInfo, MemoryRequirements,
    Migration, MigrationPlan, PowAlgorithm, Target,
    abi::{Client, Description, capability},
};

/// Headers of a benchmark's request: what fits into a module's input buffer as digits.
const BENCHMARK_INPUTS: usize = 48;

/// What a [`Client`] asks through.
type Carrier<'a> = dyn Fn(u32, u32, &str) -> Result<Option<Vec<u8>>, AlgorithmError> + 'a;

/// Carries calls to an algorithm and its answers back.
pub(super) trait Transport: Send + Sync {
    /// Hashes one input of any length.
    fn hash(&self, input: &[u8]) -> Result<Hash, AlgorithmError>;
    /// Hashes headers; both slices have the same length.
    fn hash_batch(&self, inputs: &[Header], out: &mut [Hash]) -> Result<(), AlgorithmError>;
    /// A request for a capability; `None` if the algorithm does not have it.
    fn call(&self, capability: u32, method: u32, request: &str) -> Result<Option<Vec<u8>>, AlgorithmError>;
}

/// The algorithm behind a transport.
pub(super) struct Remote<T> {
    description: Description,
    capabilities: u32,
    transport: T,
}

impl<T: Transport> Remote<T> {
    pub(super) const fn new(description: Description, capabilities: u32, transport: T) -> Self {
        Self { description, capabilities, transport }
    }

    /// Asks for a capability if the algorithm has it.
    fn ask<A>(
        &self,
        bit: u32,
        question: impl FnOnce(&Client<&Carrier<'_>>) -> Result<Option<A>, AlgorithmError>,
    ) -> Result<Option<A>, AlgorithmError> {
        if self.capabilities & bit == 0 {
            return Ok(None);
        }
        question(&Client(&|capability, method, request| self.transport.call(capability, method, request)))
    }

    /// The same algorithm with nothing but standard capabilities.
    const fn standard(&self) -> Standard<'_, T> {
        Standard(self)
    }
}

impl<T: Transport> HashFunction for Remote<T> {
    fn name(&self) -> &str {
        &self.description.info.name
    }
    fn output_size(&self) -> usize {
        self.description.info.output_size
    }
    fn input_size(&self) -> Option<usize> {
        self.description.input_size
    }
    fn nonce_size(&self) -> usize {
        self.description.nonce_size
    }
    fn hash(&self, input: &[u8]) -> Result<Hash, AlgorithmError> {
        self.transport.hash(input)
    }
    fn hash_batch(&self, inputs: &[Header], out: &mut [Hash]) -> Result<(), AlgorithmError> {
        plugin_sdk::check_batch(inputs, out)?;
        self.transport.hash_batch(inputs, out)
    }
}

impl<T: Transport> PowAlgorithm for Remote<T> {
    fn info(&self) -> AlgorithmInfo {
        self.description.info.clone()
    }
}

impl<T: Transport> DifficultyAdjuster for Remote<T> {
    fn difficulty_adjustment(&self, current: u64, target: u64, actual: u64) -> Result<u64, AlgorithmError> {
        match self.ask(capability::DIFFICULTY, |client| client.adjust(current, target, actual))? {
            Some(difficulty) => Ok(difficulty),
            None => self.standard().difficulty_adjustment(current, target, actual),
        }
    }
    fn difficulty_one(&self) -> Target {
        self.description.info.difficulty_one
    }
    fn calculate_target(&self, difficulty: u64) -> Result<Target, AlgorithmError> {
        match self.ask(capability::DIFFICULTY, |client| client.target(difficulty))? {
            Some(target) => Ok(target),
            None => self.standard().calculate_target(difficulty),
        }
    }
}

impl<T: Transport> Benchmark for Remote<T> {
    /// The algorithm's own benchmark is measured from request to answer, its warm-up included.
    fn benchmark(
        &self,
        inputs: &[Header],
        iterations: u32,
        now_ns: &mut dyn FnMut() -> u64,
    ) -> Result<BenchmarkResults, AlgorithmError> {
        let some = &inputs[..inputs.len().min(BENCHMARK_INPUTS)];
        let start = now_ns();
        let Some(hashes) = self.ask(capability::BENCHMARK, |client| client.run(some, iterations))? else {
            return self.standard().benchmark(inputs, iterations, now_ns);
        };
        let elapsed_ns = now_ns().saturating_sub(start);
        if hashes == 0 || elapsed_ns == 0 {
            return Err(AlgorithmError::NothingMeasured);
        }
        Ok(BenchmarkResults { hashes, elapsed_ns })
    }
}

impl<T: Transport> Compatibility for Remote<T> {
    fn memory_requirements(&self) -> MemoryRequirements {
        // The method itself is not general enough in its lifetimes.
        #[allow(clippy::redundant_closure_for_method_calls)]
        let own = self.ask(capability::COMPATIBILITY, |client| client.memory());
        own.ok().flatten().unwrap_or_else(|| self.standard().memory_requirements())
    }
    fn validate_compatibility(&self, host: &HostInfo) -> CompatibilityReport {
        match self.ask(capability::COMPATIBILITY, |client| client.validate(host)) {
            Ok(Some(report)) => report,
            Ok(None) => self.standard().validate_compatibility(host),
            Err(e) => CompatibilityReport { problems: vec![format!("it could not be asked: {e}")] },
        }
    }
}

impl<T: Transport> Migration for Remote<T> {
    fn supports_migration_from(&self, algorithm: &str) -> bool {
        match self.ask(capability::MIGRATION, |client| client.supports(algorithm)) {
            Ok(own) => own.unwrap_or_else(|| self.standard().supports_migration_from(algorithm)),
            Err(_) => false,
        }
    }
    fn prepare_migration(&self, from_algorithm: &str) -> Result<MigrationPlan, AlgorithmError> {
        match self.ask(capability::MIGRATION, |client| client.prepare(from_algorithm))? {
            Some(plan) => Ok(plan),
            None => self.standard().prepare_migration(from_algorithm),
        }
    }
    #[allow(clippy::redundant_closure_for_method_calls)]
    fn finalize_migration(&self) -> Result<(), AlgorithmError> {
        self.ask(capability::MIGRATION, |client| client.finalize()).map(Option::unwrap_or_default)
    }
}

impl<T: Transport> Health for Remote<T> {
    #[allow(clippy::redundant_closure_for_method_calls)]
    fn health_check(&self) -> HealthStatus {
        match self.ask(capability::HEALTH, |client| client.check()) {
            Ok(own) => own.unwrap_or_else(|| self.standard().health_check()),
            Err(e) => HealthStatus::Unhealthy { reason: format!("the health check failed: {e}") },
        }
    }
}

/// A remote algorithm with nothing but standard capabilities.
struct Standard<'a, T>(&'a Remote<T>);

impl<T: Transport> HashFunction for Standard<'_, T> {
    fn name(&self) -> &str {
        self.0.name()
    }
    fn hash(&self, input: &[u8]) -> Result<Hash, AlgorithmError> {
        self.0.hash(input)
    }
    fn hash_batch(&self, inputs: &[Header], out: &mut [Hash]) -> Result<(), AlgorithmError> {
        self.0.hash_batch(inputs, out)
    }
}
impl<T: Transport> DifficultyAdjuster for Standard<'_, T> {
    fn difficulty_one(&self) -> Target {
        self.0.difficulty_one()
    }
}
impl<T: Transport> Benchmark for Standard<'_, T> {}
impl<T: Transport> Compatibility for Standard<'_, T> {}
impl<T: Transport> Migration for Standard<'_, T> {}
impl<T: Transport> Health for Standard<'_, T> {}

/// What a hashing function's number means: all hashed, or the error that it explains. `base` is where the chunk lies in
/// the batch, `explain` reads the error.
pub(super) fn outcome(
    returned: i32,
    count: usize,
    base: usize,
    explain: impl FnOnce() -> Result<AlgorithmError, String>,
) -> Result<(), AlgorithmError> {
    use plugin_sdk::abi::status;
    let explained = |at: Option<usize>| match explain() {
        Ok(AlgorithmError::Refused { index, reason }) => {
            AlgorithmError::Refused { index: base + at.unwrap_or(index), reason }
        }
        Ok(error) => error,
        Err(what) => failure::broken(failure::ANSWER, format!("its error cannot be read: {what}")),
    };
    match usize::try_from(returned) {
        Ok(hashed) if hashed == count => Ok(()),
        Ok(hashed) if hashed < count => Err(explained(Some(hashed))),
        Ok(hashed) => Err(failure::broken(failure::ANSWER, format!("{hashed} hashes for {count} headers"))),
        Err(_) if returned == status::FAILED => Err(explained(None)),
        Err(_) => Err(strange(returned)),
    }
}

/// What the number of an optional call means: the length of an answer of at most `capacity` bytes, `None` without it.
pub(super) fn answered(
    returned: i32,
    capacity: usize,
    explain: impl FnOnce() -> Result<AlgorithmError, String>,
) -> Result<Option<usize>, AlgorithmError> {
    use plugin_sdk::abi::status;
    match usize::try_from(returned) {
        Ok(length) if length <= capacity => Ok(Some(length)),
        Ok(length) => Err(failure::broken(failure::ANSWER, format!("an answer of {length} bytes"))),
        Err(_) if returned == status::UNSUPPORTED => Ok(None),
        Err(_) if returned == status::FAILED => outcome(returned, 0, 0, explain).map(|()| None),
        Err(_) => Err(strange(returned)),
    }
}

fn strange(returned: i32) -> AlgorithmError {
    use plugin_sdk::abi::status;
    match returned {
        status::PANICKED => failure::broken(failure::TRAP, "it panicked"),
        status::TOO_LONG => AlgorithmError::Custom {
            code: "INPUT_TOO_LONG".into(),
            message: "the input or the answer does not fit into the algorithm's buffers".into(),
            suggested_action: "pass shorter inputs; mining headers have 80 bytes".into(),
        },
        other => failure::broken(failure::ANSWER, format!("the status {other}, which means nothing")),
    }
}
