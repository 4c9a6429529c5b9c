//! The pool's side of the optional capabilities: asks, and reads the answers.

use super::{
    capability,
    description::{hex, target},
    json::Object,
    method,
};
use crate::{
    AlgorithmError, CompatibilityReport, Header, HealthStatus, HostInfo, MemoryRequirements, MigrationKind,
    MigrationPlan, Target,
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// Asks through a function that carries `(capability, method, request)` to the algorithm and the answer back. Each
/// question is answered with `None` if the algorithm leaves it to the standard.
pub struct Client<F>(pub F);

type Answer<T> = Result<Option<T>, AlgorithmError>;

impl<F: Fn(u32, u32, &str) -> Answer<Vec<u8>>> Client<F> {
    fn ask<T>(
        &self,
        capability: u32,
        method: u32,
        request: &Object,
        read: impl FnOnce(&Object) -> Result<T, String>,
    ) -> Answer<T> {
        let request = request.to_json();
        let Some(answer) = (self.0)(capability, method, &request)? else { return Ok(None) };
        let answer = Object::parse(&answer).and_then(|answer| read(&answer));
        answer.map(Some).map_err(|what| AlgorithmError::Broken {
            code: "PLUGIN_BAD_ANSWER",
            message: format!(
                "its answer to capability {capability}, method {method}, cannot be read: {what}"
            ),
            suggested_action: "tell the algorithm's author; plugin-sdk/docs/abi.md has the shapes",
        })
    }

    /// [`DifficultyAdjuster::difficulty_adjustment`](crate::DifficultyAdjuster::difficulty_adjustment).
    ///
    /// # Errors
    /// The algorithm's, or one that says that it is broken.
    pub fn adjust(&self, current: u64, target_time: u64, actual_time: u64) -> Answer<u64> {
        let request = Object::new()
            .with("current", current)
            .with("target_time", target_time)
            .with("actual_time", actual_time);
        self.ask(capability::DIFFICULTY, method::ADJUST, &request, |answer| answer.number("difficulty"))
    }

    /// [`DifficultyAdjuster::calculate_target`](crate::DifficultyAdjuster::calculate_target).
    ///
    /// # Errors
    /// The algorithm's, or one that says that it is broken.
    pub fn target(&self, difficulty: u64) -> Answer<Target> {
        let request = Object::new().with("difficulty", difficulty);
        self.ask(capability::DIFFICULTY, method::TARGET, &request, |answer| target(answer.text("target")?))
    }

    /// One round of the algorithm's own benchmark: how many hashes it computed. The caller holds the clock.
    ///
    /// # Errors
    /// The algorithm's, or one that says that it is broken.
    pub fn run(&self, inputs: &[Header], iterations: u32) -> Answer<u64> {
        let inputs: Vec<String> = inputs.iter().map(|header| hex::encode(header)).collect();
        let request = Object::new().with("inputs", inputs).with("iterations", u64::from(iterations));
        self.ask(capability::BENCHMARK, method::RUN, &request, |answer| answer.number("hashes"))
    }

    /// [`Compatibility::memory_requirements`](crate::Compatibility::memory_requirements).
    ///
    /// # Errors
    /// The algorithm's, or one that says that it is broken.
    pub fn memory(&self) -> Answer<MemoryRequirements> {
        let read =
            |answer: &Object| Ok(MemoryRequirements { per_thread_bytes: answer.number("per_thread_bytes")? });
        self.ask(capability::COMPATIBILITY, method::MEMORY, &Object::new(), read)
    }

    /// [`Compatibility::validate_compatibility`](crate::Compatibility::validate_compatibility).
    ///
    /// # Errors
    /// The algorithm's, or one that says that it is broken.
    pub fn validate(&self, host: &HostInfo) -> Answer<CompatibilityReport> {
        let request = Object::new()
            .with("memory_available_bytes", host.memory_available_bytes)
            .with("threads", u64::from(host.threads));
        self.ask(capability::COMPATIBILITY, method::VALIDATE, &request, |answer| {
            let problems = answer.texts("problems")?.into_iter().map(ToString::to_string).collect();
            Ok(CompatibilityReport { problems })
        })
    }

    /// [`Migration::supports_migration_from`](crate::Migration::supports_migration_from).
    ///
    /// # Errors
    /// The algorithm's, or one that says that it is broken.
    pub fn supports(&self, from: &str) -> Answer<bool> {
        let request = Object::new().with("from", from);
        self.ask(capability::MIGRATION, method::SUPPORTS, &request, |answer| answer.flag("supported"))
    }

    /// [`Migration::prepare_migration`](crate::Migration::prepare_migration).
    ///
    /// # Errors
    /// The algorithm's, or one that says that it is broken.
    pub fn prepare(&self, from: &str) -> Answer<MigrationPlan> {
        self.ask(capability::MIGRATION, method::PREPARE, &Object::new().with("from", from), |answer| {
            let kind = match answer.text("kind")? {
                "upgrade" => MigrationKind::Upgrade,
                "migration" => MigrationKind::Migration,
                other => return Err(format!("{other:?} is neither upgrade nor migration")),
            };
            Ok(MigrationPlan { from: answer.text("from")?.into(), kind })
        })
    }

    /// [`Migration::finalize_migration`](crate::Migration::finalize_migration).
    ///
    /// # Errors
    /// The algorithm's, or one that says that it is broken.
    pub fn finalize(&self) -> Answer<()> {
        self.ask(capability::MIGRATION, method::FINALIZE, &Object::new(), |_| Ok(()))
    }

    /// [`Health::health_check`](crate::Health::health_check).
    ///
    /// # Errors
    /// The algorithm's, or one that says that it is broken.
    pub fn check(&self) -> Answer<HealthStatus> {
        self.ask(capability::HEALTH, method::CHECK, &Object::new(), |answer| {
            let reason = || answer.text("reason").map(ToString::to_string);
            Ok(match answer.text("status")? {
                "healthy" => HealthStatus::Healthy,
                "degraded" => HealthStatus::Degraded { reason: reason()? },
                "unhealthy" => HealthStatus::Unhealthy { reason: reason()? },
                other => return Err(format!("{other:?} is no status")),
            })
        })
    }
}
