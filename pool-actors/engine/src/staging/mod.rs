//! Staging: everything that must hold before a package may be deployed, check by check, with a report.
//!
//! Checks run on the caller's thread, in bounded time, and touch nothing outside: what is staged is returned. No code of
//! a package runs before its signature was verified.

mod checks;
mod host;
mod load;
mod measure;
mod report;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use plugin_sdk::PowAlgorithm;
use semver::Version;

use crate::codes::{Code, PackageError};
use crate::manifest::{Manifest, MemoryLimits};
use crate::package::{BenchmarkData, ContentDigest, Package, PackageLimits, TestVectors};
use crate::signature::KeyId;
use crate::trust::{KnownVersions, Permission, TrustStore};

pub use host::HostProfile;
pub use load::{load_at, load_in_process_of, load_process_of, load_wasm_of, sandbox_limits};
pub use measure::{Clock, How, Measured, measure};
pub use report::{BenchmarkReport, Check, Report, Row, Status};

/// Loads the code of a package into a fresh instance, with no more memory than the limits say. Called more than once:
/// determinism is checked across instances. The error is a sentence.
pub type Load<'a> = &'a dyn Fn(&Package, &MemoryLimits) -> Result<Arc<dyn PowAlgorithm>, String>;

/// What staging needs to know and to reach.
#[derive(Clone, Copy)]
pub struct StageContext<'a> {
    /// Who is trusted with what.
    pub trust: &'a TrustStore,
    /// Which versions were staged before.
    pub known_versions: &'a KnownVersions,
    /// Whether an older version than one staged before is wanted. The caller records it with the reason.
    pub allow_downgrade: bool,
    /// This machine.
    pub host: &'a HostProfile,
    /// What the package's `min_engine_version` is compared with; [`crate::ENGINE_VERSION`].
    pub engine_version: &'a Version,
    /// What is taken.
    pub limits: &'a StageLimits,
    /// Whether the code that `load` runs is sandboxed or native; the key must be permitted to sign it.
    pub permission: Permission,
    /// How the code that `load` runs is measured.
    pub how: How,
    /// Loads the code.
    pub load: Load<'a>,
    /// Told as each check begins.
    pub progress: &'a dyn Fn(Check),
}

/// Limits of staging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageLimits {
    /// Of the package's file.
    pub package: PackageLimits,
    /// How long the benchmark measures at most; its warm-up takes no more than a quarter of it on top.
    pub benchmark_time_max: Duration,
    /// Longest time for one hash, in nanoseconds: beyond it, a share could not be answered in time.
    pub hash_ns_max: u64,
}

impl Default for StageLimits {
    /// 100 ms of benchmark, 50 ms for a hash.
    fn default() -> Self {
        Self {
            package: PackageLimits::default(),
            benchmark_time_max: Duration::from_millis(100),
            hash_ns_max: 50_000_000,
        }
    }
}

/// A package that passed.
pub struct Staged {
    /// Its contents, those that were verified.
    pub package: Package,
    /// Its manifest.
    pub manifest: Manifest,
    /// The digest that was signed.
    pub digest: ContentDigest,
    /// Who signed it.
    pub signed_by: KeyId,
    /// An instance of the code, which passed all checks.
    pub algorithm: Arc<dyn PowAlgorithm>,
    /// Whether it is older than a version staged before; recording that is the caller's.
    pub is_downgrade: bool,
    /// What was checked.
    pub report: Report,
}

impl std::fmt::Debug for Staged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Staged")
            .field("id", &self.manifest.id())
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

/// A package that did not pass.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{error}")]
pub struct StageError {
    /// The first check that failed.
    pub error: PackageError,
    /// What was checked until then.
    pub report: Report,
}

/// What can be read without running anything.
struct Contents {
    package: Package,
    manifest: Manifest,
    vectors: TestVectors,
    benchmark: Option<BenchmarkData>,
}

impl Contents {
    fn of(package: Package) -> Result<Self, PackageError> {
        let manifest = package.manifest()?;
        let vectors = package.test_vectors()?;
        let benchmark = package.benchmark_data()?;
        if let Some(data) = &benchmark {
            let (theirs, ours) =
                (data.expected_hashrate, manifest.performance.expected_hashrate.per_second());
            if theirs != ours {
                let message = format!(
                    "manifest.json expects {ours} hashes per second, tests/benchmark_data.json {theirs}; write the same"
                );
                return Err(PackageError::new(Code::ManifestMismatch, message));
            }
        }
        Ok(Self { package, manifest, vectors, benchmark })
    }
}

/// Checks a package from untrusted bytes: container, manifest, signature, compatibility, test vectors, determinism,
/// benchmark, resource limits. A slow one is staged with a warning, anything else that is wrong refuses it.
///
/// # Errors
/// The first check that failed, with the report so far.
pub fn stage(bytes: &[u8], context: &StageContext<'_>) -> Result<Staged, Box<StageError>> {
    let mut report = Report::new();
    match run(bytes, context, &mut report) {
        Ok(mut staged) => {
            report.finish(&staged.manifest, staged.is_downgrade);
            staged.report = report;
            Ok(staged)
        }
        Err(error) => {
            report.refuse(&error);
            Err(Box::new(StageError { error, report }))
        }
    }
}

fn run(bytes: &[u8], context: &StageContext<'_>, report: &mut Report) -> Result<Staged, PackageError> {
    let begin = |report: &mut Report, check| {
        report.begin(check);
        (context.progress)(check);
    };
    begin(report, Check::Container);
    let package = Package::open(bytes, &context.limits.package)?;
    report.pass(format!("{} entries, {} bytes", package.entries().count(), bytes.len()));

    begin(report, Check::Manifest);
    let contents = Contents::of(package)?;
    report.algorithm_id = Some(contents.manifest.id());
    // The code speaks only once it is known whose it is and that it fits here; what fails there is reported under its
    // own check, behind a manifest that holds by itself.
    let trusted = checks::signature(&contents, context);
    let fits = trusted.as_ref().ok().map(|_| checks::compatibility(&contents.manifest, context));
    let loaded = match &fits {
        Some(Ok(_)) => Some(checks::load(&contents, context)?),
        _ => None,
    };
    let code = if loaded.is_some() { "the code says the same" } else { "the code was not run" };
    report.pass(format!("{}, {code}", contents.manifest.id()));

    begin(report, Check::Signature);
    let (signed_by, is_downgrade, message) = trusted?;
    report.pass(message);

    begin(report, Check::Compatibility);
    let message = fits.unwrap_or_else(|| Ok(String::new()))?;
    let algorithm = loaded.ok_or_else(|| PackageError::new(Code::CodeRefused, "the code was not loaded"))?;
    checks::own_compatibility(&*algorithm, context.host)?;
    report.pass(message);

    begin(report, Check::TestVectors);
    report.pass(checks::test_vectors(&*algorithm, &contents.vectors)?);

    begin(report, Check::Determinism);
    report.pass(checks::determinism(&*algorithm, &contents, context)?);

    begin(report, Check::Benchmark);
    let measured = checks::benchmark(&*algorithm, &contents, context)?;
    report.measured(&measured, contents.manifest.performance.expected_hashrate.per_second());

    begin(report, Check::ResourceLimits);
    report.pass(checks::resources(&*algorithm, &contents.manifest, &measured, context)?);

    let Contents { package, manifest, .. } = contents;
    let digest = package.digest();
    Ok(Staged { package, manifest, digest, signed_by, algorithm, is_downgrade, report: Report::new() })
}
