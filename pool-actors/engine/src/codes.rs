//! What a package can be refused or warned about with. The codes are those of the one catalogue.

pub use pool_domain::catalogue::{Advice, Code};

/// What is wrong with a package: a code, and a sentence that names the place, what was found and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PackageError {
    /// Which kind.
    pub code: Code,
    /// Where, what was found, what to do.
    pub message: String,
}

impl PackageError {
    /// An error of that code, worded by the catalogue's template.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: code.word(&message.into()) }
    }
}
