//! Running a package's code at a level of isolation.

use std::{fmt, sync::Arc};

use clap::ValueEnum;
use pool_engine::{
    PowAlgorithm,
    manifest::MemoryLimits,
    package::Package,
    staging::{load_in_process_of, load_process_of, load_wasm_of},
    trust::Permission,
};

/// How code is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    /// In a sandbox.
    Wasm,
    /// Native, in a confined child process.
    Process,
    /// Native, in this process.
    InProcess,
}

impl From<Level> for pool_domain::isolation::Level {
    fn from(level: Level) -> Self {
        match level {
            Level::Wasm => Self::Wasm,
            Level::Process => Self::Process,
            Level::InProcess => Self::InProcess,
        }
    }
}

impl Level {
    /// What a key must be trusted for.
    pub(super) const fn permission(self) -> Permission {
        match self {
            Self::Wasm => Permission::Wasm,
            Self::Process | Self::InProcess => Permission::Native,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(pool_domain::isolation::Level::from(*self).name())
    }
}

/// Loads a package's code into a fresh instance; the error is a sentence.
type Loader = fn(&Package, &MemoryLimits) -> Result<Arc<dyn PowAlgorithm>, String>;

/// What loads code at a level.
pub(super) fn loader(level: Level) -> Loader {
    match level {
        Level::Wasm => load_wasm_of,
        Level::Process => load_process_of,
        Level::InProcess => |package, memory| {
            load_in_process_of(package, memory, &std::env::temp_dir().join("dagpool-native"))
        },
    }
}
