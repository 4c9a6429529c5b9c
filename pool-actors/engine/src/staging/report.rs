//! What staging says: the answer of the stage route, and what the command line prints.

use super::Measured;
use crate::codes::{Code, PackageError};
use crate::manifest::{Manifest, Strategy};
use serde::Serialize;

/// A check, in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// The zip file.
    Container,
    /// Schema and values of the manifest, and what the code says.
    Manifest,
    /// Signature, trust, anti-rollback.
    Signature,
    /// Engine version, platform, instructions, memory.
    Compatibility,
    /// Known answers.
    TestVectors,
    /// The same input twice, and in two instances.
    Determinism,
    /// Hash rate on this machine.
    Benchmark,
    /// Time for a hash, memory.
    ResourceLimits,
}

impl Check {
    /// All of them, in order.
    pub const ALL: [Self; 8] = [
        Self::Container,
        Self::Manifest,
        Self::Signature,
        Self::Compatibility,
        Self::TestVectors,
        Self::Determinism,
        Self::Benchmark,
        Self::ResourceLimits,
    ];

    /// Its name, as in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Manifest => "manifest",
            Self::Signature => "signature",
            Self::Compatibility => "compatibility",
            Self::TestVectors => "test_vectors",
            Self::Determinism => "determinism",
            Self::Benchmark => "benchmark",
            Self::ResourceLimits => "resource_limits",
        }
    }
}

/// What became of the package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Passed.
    Staged,
    /// Did not pass.
    Refused,
}

/// One check's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Which check.
    pub check: Check,
    /// Whether it passed; a warning passes.
    pub ok: bool,
    /// info, warning, error or critical.
    pub severity: &'static str,
    /// The code, if there is something wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// What was found.
    pub message: String,
}

/// What the benchmark measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BenchmarkReport {
    /// Hashes per second, measured.
    pub hashrate: u64,
    /// Hashes per second that the manifest expects.
    pub expected: u64,
    /// Measured over expected.
    pub performance_score: f64,
}

/// The stage route's answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// `name_version`, once it is known.
    pub algorithm_id: Option<String>,
    /// What became of the package.
    pub status: Status,
    /// Every check that ran, in order.
    pub validation_results: Vec<Row>,
    /// What the benchmark measured, if it ran.
    pub benchmark_results: Option<BenchmarkReport>,
    /// What to know before deploying.
    pub warnings: Vec<String>,
    /// What to do now.
    pub next_steps: Vec<String>,
    #[serde(skip)]
    running: Check,
}

/// Below this score, in thousandths, staging warns.
const SCORE_WARNING_PERMILLE: u64 = 800;

impl Report {
    pub(super) fn new() -> Self {
        Self {
            algorithm_id: None,
            status: Status::Refused,
            validation_results: Vec::new(),
            benchmark_results: None,
            warnings: Vec::new(),
            next_steps: Vec::new(),
            running: Check::Container,
        }
    }

    pub(super) const fn begin(&mut self, check: Check) {
        self.running = check;
    }

    fn row(&mut self, ok: bool, severity: &'static str, code: Option<Code>, message: String) {
        let code = code.map(Code::as_str);
        self.validation_results.push(Row { check: self.running, ok, severity, code, message });
    }

    pub(super) fn pass(&mut self, message: String) {
        self.row(true, "info", None, message);
    }

    pub(super) fn measured(&mut self, measured: &Measured, expected: u64) {
        let (hashrate, score) = (measured.hashrate(), measured.score_permille(expected));
        // A score for people: three digits behind the point are all there is.
        #[allow(clippy::cast_precision_loss)]
        let performance_score = score as f64 / 1000.0;
        self.benchmark_results = Some(BenchmarkReport { hashrate, expected, performance_score });
        let message =
            format!("{hashrate} hashes per second, {performance_score:.3} of the {expected} expected");
        if score < SCORE_WARNING_PERMILLE {
            self.warnings.push(format!("{}: {message}", Code::PerformanceWarning.as_str()));
            self.row(true, "warning", Some(Code::PerformanceWarning), message);
        } else {
            self.pass(message);
        }
    }

    pub(super) fn refuse(&mut self, error: &PackageError) {
        self.row(false, error.code.severity(), Some(error.code), error.message.clone());
        let steps = error.code.advice().iter();
        self.next_steps = steps
            .map(|advice| {
                advice.command.map_or_else(
                    || advice.action.to_owned(),
                    |command| format!("{}: {command}", advice.action),
                )
            })
            .collect();
    }

    pub(super) fn finish(&mut self, manifest: &Manifest, is_downgrade: bool) {
        self.status = Status::Staged;
        if is_downgrade {
            self.warnings.push(format!(
                "{}: an older version than one staged before, by override",
                Code::PackageDowngrade.as_str()
            ));
        }
        if !manifest.migration.rollback_supported {
            self.warnings.push("the manifest says that this algorithm can't be rolled back; deploying it wants a confirmation".to_owned());
        }
        let strategy = match manifest.migration.migration_strategy {
            Strategy::Immediate => "immediate",
            Strategy::Gradual => "gradual",
            Strategy::Scheduled => "scheduled",
        };
        self.next_steps = vec![
            format!("Look at the migration plan: dagpool algorithm deploy --plan --strategy {strategy}"),
            format!("Deploy: dagpool algorithm deploy --strategy {strategy}"),
        ];
    }
}
