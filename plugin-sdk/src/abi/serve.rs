//! The algorithm's side of the optional capabilities: JSON request in, JSON answer out.

use super::{capability, description::hex, json::Object, method};
use crate::{AlgorithmError, HEADER_SIZE, Header, HealthStatus, HostInfo, MigrationKind, PowAlgorithm};
use alloc::{borrow::Cow, format, string::String, vec::Vec};

/// Answers a request for one capability (one bit of [`capability`]); `None` if there is no such method.
///
/// # Errors
/// `BAD_REQUEST` for a request that does not have the method's members, else those of the algorithm.
pub fn serve(
    algorithm: &dyn PowAlgorithm,
    capability: u32,
    method: u32,
    request: &[u8],
) -> Result<Option<String>, AlgorithmError> {
    let request = Request(Object::parse(request).map_err(bad_request)?);
    let answer = match (capability, method) {
        (capability::DIFFICULTY, method::ADJUST) => {
            let (current, target) = (request.number("current")?, request.number("target_time")?);
            let difficulty =
                algorithm.difficulty_adjustment(current, target, request.number("actual_time")?)?;
            Object::new().with("difficulty", difficulty)
        }
        (capability::DIFFICULTY, method::TARGET) => {
            let target = algorithm.calculate_target(request.number("difficulty")?)?;
            Object::new().with("target", format!("{target}"))
        }
        (capability::BENCHMARK, method::RUN) => {
            // The caller's clock runs from request to answer; here one tick passes with every look at it.
            let mut ticks = 0;
            let mut now = || {
                ticks += 1;
                ticks
            };
            let iterations = request.number32("iterations")?;
            Object::new().with(
                "hashes",
                algorithm.benchmark(&request.headers("inputs")?, iterations, &mut now)?.hashes,
            )
        }
        (capability::COMPATIBILITY, method::MEMORY) => {
            Object::new().with("per_thread_bytes", algorithm.memory_requirements().per_thread_bytes)
        }
        (capability::COMPATIBILITY, method::VALIDATE) => {
            let memory_available_bytes = request.number("memory_available_bytes")?;
            let host = HostInfo { memory_available_bytes, threads: request.number32("threads")? };
            Object::new().with("problems", algorithm.validate_compatibility(&host).problems)
        }
        (capability::MIGRATION, method::SUPPORTS) => {
            Object::new().with("supported", algorithm.supports_migration_from(request.text("from")?))
        }
        (capability::MIGRATION, method::PREPARE) => {
            let plan = algorithm.prepare_migration(request.text("from")?)?;
            let kind = match plan.kind {
                MigrationKind::Upgrade => "upgrade",
                MigrationKind::Migration => "migration",
            };
            Object::new().with("from", plan.from).with("kind", kind)
        }
        (capability::MIGRATION, method::FINALIZE) => {
            algorithm.finalize_migration()?;
            Object::new()
        }
        (capability::HEALTH, method::CHECK) => {
            let (status, reason) = match algorithm.health_check() {
                HealthStatus::Healthy => ("healthy", None),
                HealthStatus::Degraded { reason } => ("degraded", Some(reason)),
                HealthStatus::Unhealthy { reason } => ("unhealthy", Some(reason)),
            };
            Object::new().with("status", status).with("reason", reason)
        }
        _ => return Ok(None),
    };
    Ok(Some(answer.to_json()))
}

fn bad_request(what: impl core::fmt::Display) -> AlgorithmError {
    AlgorithmError::Custom {
        code: Cow::Borrowed("BAD_REQUEST"),
        message: format!("the request cannot be read: {what}"),
        suggested_action: Cow::Borrowed("compare the request with plugin-sdk/docs/abi.md"),
    }
}

struct Request(Object);

impl Request {
    fn number(&self, key: &str) -> Result<u64, AlgorithmError> {
        self.0.number(key).map_err(bad_request)
    }

    fn number32(&self, key: &str) -> Result<u32, AlgorithmError> {
        u32::try_from(self.number(key)?).map_err(|_| bad_request(format!("{key:?} is above 2^32 - 1")))
    }

    fn text(&self, key: &str) -> Result<&str, AlgorithmError> {
        self.0.text(key).map_err(bad_request)
    }

    fn headers(&self, key: &str) -> Result<Vec<Header>, AlgorithmError> {
        let header = |digits: &str| {
            let bytes = hex::decode(digits).and_then(|bytes| bytes.try_into().ok());
            bytes.ok_or_else(|| bad_request(format!("{digits:?} are not the digits of {HEADER_SIZE} bytes")))
        };
        self.0.texts(key).map_err(bad_request)?.into_iter().map(header).collect()
    }
}
