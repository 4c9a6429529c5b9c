//! Algorithms that can be put into service: where they come from, and what is known of them.

use std::sync::Arc;

use plugin_sdk::PowAlgorithm;
use pool_domain::isolation::Level;
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

    /// Which package it came in; `None` = it is linked in.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        match &self.source {
            PackageSource::LinkedIn => None,
            PackageSource::Package { digest } => Some(digest),
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
    /// How far the pool is kept from its code.
    pub isolation: Level,
    /// Why an older version than one staged before was let in, in the operator's words.
    pub downgrade: Option<String>,
}

/// How a package is to be staged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StageWish {
    /// How far the pool is kept from its code.
    pub isolation: Level,
    /// Why an older version than one staged before may be let in; `None` = it may not.
    pub allow_downgrade: Option<String>,
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
    /// Difficulty of a session that knows none better, in whole numbers of its scale; `None` = it says nothing.
    pub initial_difficulty: Option<u64>,
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
            initial_difficulty: None,
            rollback_supported: true,
        }
    }
}

/// Why a package was not taken, or can't be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PackageError {
    /// Stable code of the step that refused it; the catalogue says what to do.
    pub code: String,
    /// What is wrong, and where.
    pub message: String,
    /// The checks made so far.
    pub checks: Vec<StageCheck>,
}

/// Keeps packages. Both calls take seconds and block: they belong on a thread of their own.
pub trait PackageShelf: Send + Sync + 'static {
    /// Checks a package (the bytes of its zip), keeps it, and loads it. `progress` is told each check as it begins.
    ///
    /// # Errors
    /// [`PackageError`] of the first check that refuses it.
    fn stage(
        &self,
        package: Vec<u8>,
        wish: &StageWish,
        progress: &dyn Fn(&str),
    ) -> Result<Package, PackageError>;

    /// Loads what was staged before, at a level of isolation.
    ///
    /// # Errors
    /// [`PackageError`] when it is gone, or not valid any more.
    fn load(&self, reference: &PackageRef, isolation: Level) -> Result<Package, PackageError>;

    /// Lets go of every package but these and the few that were staged last. Never fails: what can't be removed now is
    /// removed another time.
    fn prune(&self, needed: &[PackageRef]) {
        let _ = needed;
    }

    /// The newest package of that name which came with the pool and passes all checks, and why newer ones do not.
    fn provided(&self, name: &str, isolation: Level) -> (Option<Package>, Vec<PackageError>) {
        let _ = (name, isolation);
        (None, Vec::new())
    }
}

/// A shelf shared by API and start.
pub type SharedShelf = Arc<dyn PackageShelf>;
