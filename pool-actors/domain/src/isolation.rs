//! How far the pool is kept from an algorithm's code.

use core::fmt;

use serde::{Deserialize, Serialize};

/// A level of isolation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// A wasm sandbox.
    #[default]
    Wasm,
    /// A native library in a confined child process.
    Process,
    /// A native library in this process.
    InProcess,
}

impl Level {
    /// All of them, the safest first.
    pub const ALL: [Self; 3] = [Self::Wasm, Self::Process, Self::InProcess];

    /// Its name in configuration, API and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wasm => "wasm",
            Self::Process => "process",
            Self::InProcess => "in-process",
        }
    }

    /// The level of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    /// Whether it runs native code, which a key must be trusted for.
    #[must_use]
    pub const fn is_native(self) -> bool {
        !matches!(self, Self::Wasm)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_configuration() {
        for level in Level::ALL {
            assert_eq!(Level::named(level.name()), Some(level));
            assert_eq!(serde_json::to_value(level).unwrap(), level.name());
        }
        assert_eq!((Level::named("native"), Level::default()), (None, Level::Wasm));
    }
}
