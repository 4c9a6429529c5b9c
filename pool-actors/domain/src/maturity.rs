//! The life of a block of ours: candidate -> submitted -> accepted | rejected; accepted -> matured -> paid | void.
//! Colour is a separate field that may flip until maturity.

use core::fmt;

use serde::{Deserialize, Serialize};

/// Colour of a block in a GHOSTDAG order. Provisional until the block is mature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Color {
    /// Not merged yet, or not settled.
    #[default]
    Unknown,
    /// In the blue set: its reward is paid.
    Blue,
    /// Outside the blue set: it earns nothing.
    Red,
}

/// Stage of a block's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BlockStatus {
    /// Found by a share, journalled.
    Candidate,
    /// Sent to the node.
    Submitted,
    /// Taken by the node.
    Accepted,
    /// Refused by the node, for good.
    Rejected,
    /// Deep enough: colour and reward are final.
    Matured,
    /// Its rewards are posted to confirmed balances.
    Paid,
    /// Red at maturity: its credits are voided.
    Void,
}

impl BlockStatus {
    /// Name as it stands in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Candidate => "candidate",
            Self::Submitted => "submitted",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Matured => "matured",
            Self::Paid => "paid",
            Self::Void => "void",
        }
    }
}

impl Color {
    /// Name as it stands in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Blue => "blue",
            Self::Red => "red",
        }
    }
}

impl fmt::Display for BlockStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
