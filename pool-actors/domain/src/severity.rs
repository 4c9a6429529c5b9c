//! How bad something is that people are told of.

use serde::{Deserialize, Serialize};

/// How bad it is. What is merely worth knowing is logged and never becomes an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Somebody should look at it during the day.
    #[default]
    Warning,
    /// Something does not work.
    Error,
    /// Money or mining is at stake now.
    Critical,
}

impl Severity {
    /// As in messages and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }

    /// From the name in the catalogue of errors; `None` for what never alerts.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Warning, Self::Error, Self::Critical].into_iter().find(|known| known.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_merely_worth_knowing_never_alerts() {
        assert_eq!(Severity::named("info"), None);
        for severity in [Severity::Warning, Severity::Error, Severity::Critical] {
            assert_eq!(Severity::named(severity.as_str()), Some(severity));
        }
        assert!(Severity::Critical > Severity::Error && Severity::Error > Severity::Warning);
    }
}
