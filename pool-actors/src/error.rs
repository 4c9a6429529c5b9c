//! Failures that reach a person: a stable code, what happened and where, and what to do about it.

use std::fmt;

pub use pool_domain::catalogue::Code;

/// A failure with a stable code. Displayed as one sentence, the advice, and the code in brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Stable, upper-case code that scripts may match.
    pub code: Code,
    /// What happened and where.
    pub what: String,
    /// What to do about it.
    pub advice: String,
}

impl Failure {
    /// A failure of `code`: `what` names the place (the catalogue's template words it), `advice` what to do.
    pub fn new(code: Code, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { code, what: code.word(&what.into()), advice: advice.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} [{}]", self.what, self.advice, self.code.as_str())
    }
}

impl std::error::Error for Failure {}
