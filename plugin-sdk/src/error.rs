//! The one error type of algorithms.

use alloc::{borrow::Cow, string::String};
use core::fmt;

/// What an algorithm can refuse, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AlgorithmError {
    /// The algorithm takes inputs of exactly one size, in bytes.
    BadLength {
        /// What the algorithm takes.
        expected: usize,
        /// What it was given.
        got: usize,
    },
    /// A batch has room for another number of hashes than it has inputs.
    BatchLength {
        /// Headers given.
        inputs: usize,
        /// Places for hashes given.
        outputs: usize,
    },
    /// The input has the right size and still no hash. In a batch, everything before `index` was hashed.
    Refused {
        /// Position in the batch; 0 for a single input.
        index: usize,
        /// Why there is no hash.
        reason: Cow<'static, str>,
    },
    /// A time of zero has no meaning in a difficulty adjustment.
    ZeroTime,
    /// A difficulty of zero has no target.
    ZeroDifficulty,
    /// The adjusted difficulty does not fit into 64 bits.
    DifficultyOverflow,
    /// A compact target ("bits") that is negative, zero or wider than 256 bits.
    BadCompactTarget(u32),
    /// Replacing that algorithm by this one is not supported.
    MigrationUnsupported {
        /// The algorithm to be replaced.
        from: String,
    },
    /// Nothing was measured: no inputs, no iterations, or a clock that stands still.
    NothingMeasured,
    /// An algorithm's own error; `code` must never change its meaning.
    Custom {
        /// Stable, upper case with underscores.
        code: Cow<'static, str>,
        /// What happened, where.
        message: String,
        /// What to do about it.
        suggested_action: Cow<'static, str>,
    },
    /// The algorithm did not fail as an algorithm may, but broke: it trapped, ran for too long, took its process down.
    /// Only who runs the algorithm says so, never the algorithm itself.
    Broken {
        /// Stable, upper case with underscores, begins with `PLUGIN_`.
        code: &'static str,
        /// What happened, where.
        message: String,
        /// What to do about it.
        suggested_action: &'static str,
    },
}

/// How bad an error is, from a note to a reason to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorSeverity {
    /// Worth knowing.
    Info,
    /// Works, but not as it should.
    Warning,
    /// The operation failed; others may work.
    Error,
    /// Do not use the algorithm.
    Critical,
}

impl AlgorithmError {
    /// A stable code for logs, APIs and tests.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::BadLength { .. } => "BAD_LENGTH",
            Self::BatchLength { .. } => "BATCH_LENGTH",
            Self::Refused { .. } => "INPUT_REFUSED",
            Self::ZeroTime => "ZERO_TIME",
            Self::ZeroDifficulty => "ZERO_DIFFICULTY",
            Self::DifficultyOverflow => "DIFFICULTY_OVERFLOW",
            Self::BadCompactTarget(_) => "BAD_COMPACT_TARGET",
            Self::MigrationUnsupported { .. } => "MIGRATION_UNSUPPORTED",
            Self::NothingMeasured => "NOTHING_MEASURED",
            Self::Custom { code, .. } => code,
            Self::Broken { code, .. } => code,
        }
    }

    /// What the reader can do about it.
    #[must_use]
    pub fn suggested_action(&self) -> &str {
        match self {
            Self::BadLength { .. } => "pass an input of the size that the algorithm's info names",
            Self::BatchLength { .. } => "pass one output per input",
            Self::Refused { .. } => "drop this input and hash the others",
            Self::ZeroTime => "pass times of at least one unit",
            Self::ZeroDifficulty => "pass a difficulty of at least 1",
            Self::DifficultyOverflow => "use a larger difficulty unit, or check the times",
            Self::BadCompactTarget(_) => "check the node's template: its target cannot be right",
            Self::MigrationUnsupported { .. } => "choose an algorithm that supports migration from this one",
            Self::NothingMeasured => "pass at least one input and one iteration, and a clock that runs",
            Self::Custom { suggested_action, .. } => suggested_action,
            Self::Broken { suggested_action, .. } => suggested_action,
        }
    }

    /// Whether the caller's data or the algorithm itself is to blame.
    #[must_use]
    pub fn severity(&self) -> ErrorSeverity {
        match self {
            Self::Refused { .. } => ErrorSeverity::Warning,
            Self::Broken { .. } => ErrorSeverity::Critical,
            _ => ErrorSeverity::Error,
        }
    }

    /// The same error, seen from position `index` of a batch.
    #[must_use]
    pub fn at_index(self, index: usize) -> Self {
        match self {
            Self::Refused { reason, .. } => Self::Refused { index, reason },
            other => other,
        }
    }
}

impl fmt::Display for AlgorithmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadLength { expected, got } => {
                write!(f, "input of {got} bytes, the algorithm takes exactly {expected}")
            }
            Self::BatchLength { inputs, outputs } => {
                write!(f, "{inputs} inputs but room for {outputs} hashes")
            }
            Self::Refused { index, reason } => write!(f, "input {index} has no hash: {reason}"),
            Self::ZeroTime => f.write_str("a time of zero in a difficulty adjustment"),
            Self::ZeroDifficulty => f.write_str("a difficulty of zero has no target"),
            Self::DifficultyOverflow => f.write_str("the adjusted difficulty does not fit into 64 bits"),
            Self::BadCompactTarget(bits) => write!(f, "compact target {bits:08x} is no 256-bit target"),
            Self::MigrationUnsupported { from } => write!(f, "cannot replace {from}"),
            Self::NothingMeasured => f.write_str("nothing was measured"),
            Self::Custom { message, .. } | Self::Broken { message, .. } => f.write_str(message),
        }
    }
}

impl core::error::Error for AlgorithmError {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{collections::BTreeSet, string::ToString, vec};

    #[test]
    fn every_error_has_its_own_code_a_text_and_an_advice() {
        let all = vec![
            AlgorithmError::BadLength { expected: 80, got: 79 },
            AlgorithmError::BatchLength { inputs: 2, outputs: 1 },
            AlgorithmError::Refused { index: 3, reason: "no matrix".into() },
            AlgorithmError::ZeroTime,
            AlgorithmError::ZeroDifficulty,
            AlgorithmError::DifficultyOverflow,
            AlgorithmError::BadCompactTarget(0x2300_0001),
            AlgorithmError::MigrationUnsupported { from: "x11".to_string() },
            AlgorithmError::NothingMeasured,
            AlgorithmError::Custom {
                code: "TABLE_MISSING".into(),
                message: "no table".to_string(),
                suggested_action: "build it".into(),
            },
            AlgorithmError::Broken {
                code: "PLUGIN_TRAP",
                message: "it trapped".to_string(),
                suggested_action: "roll back",
            },
        ];
        let codes: BTreeSet<_> = all.iter().map(AlgorithmError::code).collect();
        assert_eq!(codes.len(), all.len());
        let texts: BTreeSet<_> = all.iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), all.len());
        assert!(
            all.iter().all(|e| !e.suggested_action().is_empty() && e.severity() >= ErrorSeverity::Warning)
        );
        assert!(texts.contains("input of 79 bytes, the algorithm takes exactly 80"));
        assert_eq!(all[9].code(), "TABLE_MISSING");
    }

    #[test]
    fn only_a_refusal_carries_a_position() {
        let refused = |index| AlgorithmError::Refused { index, reason: "no matrix".into() };
        assert_eq!(refused(0).at_index(5), refused(5));
        assert_eq!(AlgorithmError::ZeroTime.at_index(5), AlgorithmError::ZeroTime);
    }
}
