//! Compatibility, migration and health: what an algorithm may say beyond hashing.

use crate::{AlgorithmError, HEADER_SIZE, HashFunction};
use alloc::{format, string::String, vec::Vec};

/// Whether the algorithm can run here.
pub trait Compatibility: HashFunction {
    /// Memory that it needs beyond its code.
    fn memory_requirements(&self) -> MemoryRequirements {
        MemoryRequirements { per_thread_bytes: 16 * 1024 }
    }

    /// Checks the host; the default looks at memory only.
    fn validate_compatibility(&self, host: &HostInfo) -> CompatibilityReport {
        let needed = self.memory_requirements().per_thread_bytes.saturating_mul(u64::from(host.threads));
        let mut problems = Vec::new();
        if needed > host.memory_available_bytes {
            problems.push(format!(
                "{} needs {needed} bytes for {} threads, {} are available: use fewer threads or add memory",
                self.name(),
                host.threads,
                host.memory_available_bytes
            ));
        }
        CompatibilityReport { problems }
    }
}

/// Memory of one running instance, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryRequirements {
    /// For each thread that hashes.
    pub per_thread_bytes: u64,
}

/// The machine that an algorithm is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostInfo {
    /// Memory that may be used, in bytes.
    pub memory_available_bytes: u64,
    /// Threads that will hash.
    pub threads: u32,
}

/// What stands against running here; nothing if the algorithm is compatible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompatibilityReport {
    /// Each one sentence: what is missing, and what to do.
    pub problems: Vec<String>,
}

impl CompatibilityReport {
    /// Whether the algorithm can run here.
    #[must_use]
    pub fn is_compatible(&self) -> bool {
        self.problems.is_empty()
    }
}

/// How the algorithm takes over from another one.
pub trait Migration: HashFunction {
    /// Whether it can replace the named algorithm; by default any.
    fn supports_migration_from(&self, algorithm: &str) -> bool {
        !algorithm.is_empty()
    }

    /// What replacing the named algorithm amounts to.
    ///
    /// # Errors
    /// [`AlgorithmError::MigrationUnsupported`].
    fn prepare_migration(&self, from_algorithm: &str) -> Result<MigrationPlan, AlgorithmError> {
        if !self.supports_migration_from(from_algorithm) {
            return Err(AlgorithmError::MigrationUnsupported { from: from_algorithm.into() });
        }
        let kind =
            if from_algorithm == self.name() { MigrationKind::Upgrade } else { MigrationKind::Migration };
        Ok(MigrationPlan { from: from_algorithm.into(), kind })
    }

    /// Called once all traffic has moved; releases what only the migration needed. By default that is nothing.
    ///
    /// # Errors
    /// Whatever the algorithm's own clean-up can fail with.
    fn finalize_migration(&self) -> Result<(), AlgorithmError> {
        Ok(())
    }
}

/// What replacing an algorithm amounts to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationPlan {
    /// The algorithm to be replaced.
    pub from: String,
    /// Whether hashes stay the same.
    pub kind: MigrationKind,
}

/// Whether hashes stay the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MigrationKind {
    /// Same function, new code: results can be compared bit for bit.
    Upgrade,
    /// Another function: miners need new jobs.
    Migration,
}

/// Whether a running algorithm still works.
pub trait Health: HashFunction {
    /// A quick self-test; by default two hashes of the same header that must agree.
    fn health_check(&self) -> HealthStatus {
        // Not all zero: some functions have no hash for an empty header.
        let header = core::array::from_fn::<u8, HEADER_SIZE, _>(|i| u8::try_from(i).unwrap_or(u8::MAX));
        match (self.hash(&header), self.hash(&header)) {
            (Ok(first), Ok(second)) if first == second => HealthStatus::Healthy,
            (Ok(_), Ok(_)) => HealthStatus::Unhealthy { reason: "the same header gave two hashes".into() },
            (Err(e), _) | (_, Err(e)) => {
                HealthStatus::Unhealthy { reason: format!("the test header failed: {e}") }
            }
        }
    }
}

/// The result of a health check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HealthStatus {
    /// Works.
    Healthy,
    /// Works, but not as it should.
    Degraded {
        /// What is wrong.
        reason: String,
    },
    /// Do not trust its hashes.
    Unhealthy {
        /// What is wrong.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::tests::{Drifting, Mixer, Refusing};

    #[test]
    fn memory_decides_compatibility() {
        let host = |memory_available_bytes| HostInfo { memory_available_bytes, threads: 4 };
        assert!(Mixer.validate_compatibility(&host(65_536)).is_compatible());
        let report = Mixer.validate_compatibility(&host(65_535));
        assert!(!report.is_compatible());
        assert!(report.problems[0].contains("mixer needs 65536 bytes for 4 threads"));
    }

    #[test]
    fn the_same_name_is_an_upgrade() {
        let kind = |from: &str| Mixer.prepare_migration(from).map(|plan| plan.kind);
        assert_eq!(kind("mixer"), Ok(MigrationKind::Upgrade));
        assert_eq!(kind("sha256d"), Ok(MigrationKind::Migration));
        assert_eq!(kind(""), Err(AlgorithmError::MigrationUnsupported { from: String::new() }));
        assert_eq!(Mixer.finalize_migration(), Ok(()));
    }

    #[test]
    fn health_sees_errors_and_drift() {
        assert_eq!(Mixer.health_check(), HealthStatus::Healthy);
        let reason = |status| match status {
            HealthStatus::Unhealthy { reason } => reason,
            other => panic!("{other:?}"),
        };
        assert!(reason(Drifting::default().health_check()).contains("two hashes"));
        assert!(reason(Refusing.health_check()).contains("test header failed"));
    }
}
