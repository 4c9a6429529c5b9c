//! Algorithms that can be put into service: where they come from, and what is known of them.

use std::sync::Arc;

use plugin_sdk::PowAlgorithm;
use serde::{Deserialize, Serialize};

/// Where an algorithm's code is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "source", rename_all = "snake_case")]
pub enum PackageSource {
    /// Linked into this program.
    LinkedIn,
    /// In a package on the shelf.
    Package {
        /// The package's canonical digest, lower-case hex.
        digest: String,
    },
}

/// Names one algorithm, in one version, from one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageRef {
    /// Name.
    pub name: String,
    /// `major.minor.patch`.
    pub version: String,
    /// The function that it computes: decides between upgrade and migration.
    pub hash_function: String,
    /// Where its code is.
    #[serde(flatten)]
    pub source: PackageSource,
}

impl PackageRef {
    /// An algorithm that is linked into this program.
    #[must_use]
    pub fn linked_in(algorithm: &dyn PowAlgorithm) -> Self {
        let info = algorithm.info();
        Self {
            name: info.name,
            version: info.version,
            hash_function: info.hash_function,
            source: PackageSource::LinkedIn,
        }
    }

    /// `name_version`, as the API names it.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}_{}", self.name, self.version)
    }
}

/// One check of staging.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StageCheck {
    /// What was checked.
    pub check: String,
    /// Whether it is good.
    pub ok: bool,
    /// info, warning, error, critical.
    pub severity: String,
    /// Stable code, if there is something wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// In a sentence.
    pub message: String,
}

/// What staging found out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct StageReport {
    /// In the order they were made.
    pub checks: Vec<StageCheck>,
    /// Hashes a second on this machine.
    pub hashrate: u64,
    /// Hashes a second that its author promises; 0 = nothing promised.
    pub expected_hashrate: u64,
    /// What an operator should know before deploying.
    pub warnings: Vec<String>,
    /// What to do now.
    pub next_steps: Vec<String>,
}

/// What one can do about a package that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// One sentence.
    pub action: String,
    /// A command that does it or shows more.
    pub command: Option<String>,
    /// low, medium, high or critical.
    pub priority: String,
}

/// An algorithm that can be deployed.
#[derive(Clone)]
pub struct Package {
    /// Which one.
    pub reference: PackageRef,
    /// Its code, loaded.
    pub algorithm: Arc<dyn PowAlgorithm>,
    /// Known answers: input and hash.
    pub vectors: Vec<(Vec<u8>, [u8; 32])>,
    /// What staging found out.
    pub report: StageReport,
    /// The algorithms that it may replace; `None` = any.
    pub replaces: Option<Vec<String>>,
    /// False: its author says that going back needs care; a deployment must name it as a confirmation.
    pub rollback_supported: bool,
}

impl std::fmt::Debug for Package {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Package").field("reference", &self.reference).finish_non_exhaustive()
    }
}

impl Package {
    /// An algorithm that is linked into this program.
    #[must_use]
    pub fn linked_in(algorithm: Arc<dyn PowAlgorithm>) -> Self {
        Self {
            reference: PackageRef::linked_in(algorithm.as_ref()),
            algorithm,
            vectors: Vec::new(),
            report: StageReport::default(),
            replaces: None,
            rollback_supported: true,
        }
    }
}

/// Why a package was not taken, or can't be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PackageError {
    /// Stable code of the step that refused it.
    pub code: String,
    /// The package is good, but not for this machine or engine.
    pub incompatible: bool,
    /// What is wrong, and where.
    pub message: String,
    /// What to do.
    pub advice: Vec<Advice>,
    /// The checks made so far.
    pub checks: Vec<StageCheck>,
}

/// Keeps packages. Both calls take seconds and block: they belong on a thread of their own.
pub trait PackageShelf: Send + Sync + 'static {
    /// Checks a package (the bytes of its zip), keeps it, and loads it. `progress` is told each check as it begins.
    ///
    /// # Errors
    /// [`PackageError`] of the first check that refuses it.
    fn stage(&self, package: Vec<u8>, progress: &dyn Fn(&str)) -> Result<Package, PackageError>;

    /// Loads what was staged before.
    ///
    /// # Errors
    /// [`PackageError`] when it is gone, or not valid any more.
    fn load(&self, reference: &PackageRef) -> Result<Package, PackageError>;
}

/// A shelf shared by API and start.
pub type SharedShelf = Arc<dyn PackageShelf>;
