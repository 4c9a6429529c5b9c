//! What a token for scripts may be used for.

use std::str::FromStr;

/// A part of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Everything that is only looked at.
    Read,
    /// Stage, deploy, steer, roll back.
    Algorithms,
    /// Run, hold, release, thresholds.
    Payouts,
    /// Corrections of balances.
    Ledger,
    /// Bans and announcements.
    Operate,
    /// Users, their sessions, and the trail.
    Admin,
}

impl Scope {
    /// All.
    pub const ALL: [Self; 6] =
        [Self::Read, Self::Algorithms, Self::Payouts, Self::Ledger, Self::Operate, Self::Admin];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Algorithms => "algorithms",
            Self::Payouts => "payouts",
            Self::Ledger => "ledger",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|scope| scope.as_str()).collect();
            format!("{text:?} is no scope: {}", names.join(", "))
        })
    }
}
