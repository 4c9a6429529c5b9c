//! Running a package's code at a level of isolation.

use std::{fmt, sync::Arc};

use clap::ValueEnum;
use pool_engine::{
    PowAlgorithm, manifest::MemoryLimits, package::Package, staging::load_wasm_of, trust::Permission,
};

/// How code is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    /// In a sandbox.
    Wasm,
}

impl Level {
    /// What a key must be trusted for.
    pub(super) const fn permission(self) -> Permission {
        match self {
            Self::Wasm => Permission::Wasm,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wasm => "wasm",
        })
    }
}

/// Loads a package's code into a fresh instance; the error is a sentence.
type Loader = fn(&Package, &MemoryLimits) -> Result<Arc<dyn PowAlgorithm>, String>;

/// What loads code at a level.
pub(super) fn loader(level: Level) -> Loader {
    match level {
        Level::Wasm => load_wasm_of,
    }
}
