//! Why an algorithm could not be loaded.

/// Why an algorithm could not be loaded, with a stable [`code`](LoadError::code) and an advice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file is no module or library at all, or is damaged.
    #[error("the {what} cannot be loaded: {reason}")]
    Unloadable {
        /// "wasm module" or "native library".
        what: &'static str,
        /// What the loader says.
        reason: String,
    },
    /// The module wants something from its host.
    #[error("the wasm module imports {}: an algorithm gets nothing from outside", imports.join(", "))]
    Imports {
        /// `module::name` of each import.
        imports: Vec<String>,
    },
    /// A function or the memory of the interface is missing, or has another type.
    #[error("the interface's {name} is missing: {reason}")]
    MissingExport {
        /// The export.
        name: String,
        /// What is there instead.
        reason: String,
    },
    /// It was built for another version of the interface.
    #[error(
        "built for version {major}.{minor} of the plugin interface, this pool has {}.{}",
        plugin_sdk::abi::MAJOR,
        plugin_sdk::abi::MINOR
    )]
    Version {
        /// Its major version.
        major: u16,
        /// Its minor version.
        minor: u16,
    },
    /// The interface is there and what it says cannot be.
    #[error("its {what} is wrong: {reason}")]
    Contradiction {
        /// Which part.
        what: &'static str,
        /// Why it cannot be.
        reason: String,
    },
    /// Its own code failed while it was set up.
    #[error("its set-up failed: {reason}")]
    Setup {
        /// The failure's code, one of [`failure`](super::failure).
        failure: &'static str,
        /// What happened.
        reason: String,
    },
    /// This machine cannot isolate code in that way.
    #[error("isolation level {level} is not available here: {reason}")]
    Unavailable {
        /// The level.
        level: super::Level,
        /// What is missing.
        reason: String,
    },
    /// The pool's own part failed: no memory, no process, no file.
    #[error("no room for the algorithm: {reason}")]
    Host {
        /// What the system says.
        reason: String,
    },
}

impl LoadError {
    /// A stable code for logs, APIs and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unloadable { .. } => "PLUGIN_UNLOADABLE",
            Self::Imports { .. } => "PLUGIN_IMPORTS",
            Self::MissingExport { .. } => "PLUGIN_EXPORT_MISSING",
            Self::Version { .. } => "PLUGIN_ABI_VERSION",
            Self::Contradiction { .. } => "PLUGIN_ABI_CONTRADICTION",
            Self::Setup { .. } => "PLUGIN_SETUP_FAILED",
            Self::Unavailable { .. } => "ISOLATION_UNAVAILABLE",
            Self::Host { .. } => "ISOLATION_NO_ROOM",
        }
    }

    /// What the operator can do about it.
    #[must_use]
    pub const fn suggested_action(&self) -> &'static str {
        match self {
            Self::Unloadable { .. } => "build the package again for this platform and upload it whole",
            Self::Imports { .. } => {
                "build for wasm32-unknown-unknown without std features that need a system (clock, files, randomness)"
            }
            Self::MissingExport { .. } => {
                "export the algorithm with plugin_sdk::export_algorithm! and build with feature `export`"
            }
            Self::Version { .. } => "build the algorithm with the plugin-sdk of this pool's version",
            Self::Contradiction { .. } => "compare the exports with plugin-sdk/docs/abi.md",
            Self::Setup { .. } => {
                "run the algorithm's own tests; it must be ready without input, time or files"
            }
            Self::Unavailable { .. } => {
                "use the wasm form of the package, or run the pool on a Linux with Landlock"
            }
            Self::Host { .. } => "free memory, or retire algorithms that are no longer used, then try again",
        }
    }
}
