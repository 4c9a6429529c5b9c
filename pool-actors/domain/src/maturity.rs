//! The life of a block, and what each step means for the ledger.
//!
//! ```text
//! candidate -> submitted -> accepted -> matured -> paid   (blue)
//!                       \-> rejected          \-> void   (red)
//! ```
//!
//! Colour is a field of its own: unknown, blue or red, and it can flip until maturity (blue
//! blocks turn red when two parts of a network meet). On a chain without colours, "blue" is "on the main chain". A
//! credit is pending while the block is blue and its reward known; a flip voids it by compensating entries.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::units::Amount;

/// What the DAG says of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Color {
    /// Not settled.
    #[default]
    Unknown,
    /// In the blue set: it is paid.
    Blue,
    /// Not in the blue set: it is not.
    Red,
}

impl Color {
    /// As stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Blue => "blue",
            Self::Red => "red",
        }
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How far a block has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockStatus {
    /// A hash met the network target; it is in the journal.
    #[default]
    Candidate,
    /// On its way to the node; retried until the verdict is definite.
    Submitted,
    /// The node took it.
    Accepted,
    /// The node refused it. Final.
    Rejected,
    /// Deep enough that its colour stands.
    Matured,
    /// Its rewards are confirmed balances. Final.
    Paid,
    /// Red at maturity: nothing came of it. Final.
    Void,
}

impl BlockStatus {
    /// As stored and shown.
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

    /// Nothing follows.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Rejected | Self::Paid | Self::Void)
    }
}

impl fmt::Display for BlockStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What happens to a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockEvent {
    /// It was handed to the node (again, on a retry).
    Submitted,
    /// The node took it, or had it already.
    Accepted,
    /// The node refused it, with its words.
    Rejected(String),
    /// The node told its colour and, when it knows, its reward.
    Colored {
        /// The colour.
        color: Color,
        /// The reward in the smallest unit; unknown until the place where it is found exists.
        reward: Option<Amount>,
    },
    /// It is deep enough.
    Matured,
    /// The ledger has done what the last step asked for: credits posted, or nothing left to void.
    Closed,
}

/// What the ledger has to do, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LedgerStep {
    /// Void the credit of this revision.
    Void {
        /// As in the credit's id.
        revision: u32,
    },
    /// Credit this reward as pending, under this revision.
    Credit {
        /// As in the credit's id.
        revision: u32,
        /// What to divide.
        reward: Amount,
    },
    /// Post the credit of this revision: pending becomes confirmed.
    Post {
        /// As in the credit's id.
        revision: u32,
    },
}

/// Why an event is refused; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MaturityError {
    /// Not from here.
    #[error("a block that is {stage} can't become {wanted}")]
    Stage {
        /// Where it is.
        stage: BlockStatus,
        /// What the event asks for.
        wanted: BlockStatus,
    },
    /// A block can't mature before its colour is known.
    #[error("a block can't mature while its colour is unknown")]
    ColorUnknown,
    /// A blue block can't mature before its reward is known.
    #[error("a blue block can't mature while its reward is unknown")]
    RewardUnknown,
    /// Another colour or reward after maturity: the maturity depth of the profile is too small.
    #[error("the colour or reward of a block changed after maturity: raise the profile's maturity")]
    ChangedAfterMaturity,
    /// A reward below zero.
    #[error("a reward of {0} is negative")]
    NegativeReward(Amount),
}

/// One block's life.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockLife {
    stage: BlockStatus,
    color: Color,
    reward: Option<Amount>,
    /// Credits so far.
    revision: u32,
    /// The last of them is pending with this reward.
    credited: Option<Amount>,
    reject_reason: Option<String>,
}

impl BlockLife {
    /// A candidate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How far it has come.
    #[must_use]
    pub const fn stage(&self) -> BlockStatus {
        self.stage
    }

    /// Its colour as last told.
    #[must_use]
    pub const fn color(&self) -> Color {
        self.color
    }

    /// Its reward, once known.
    #[must_use]
    pub const fn reward(&self) -> Option<Amount> {
        self.reward
    }

    /// The credit that is pending: its revision and reward.
    #[must_use]
    pub fn credited(&self) -> Option<(u32, Amount)> {
        self.credited.map(|reward| (self.revision, reward))
    }

    /// The node's words, if it was refused.
    #[must_use]
    pub fn reject_reason(&self) -> Option<&str> {
        self.reject_reason.as_deref()
    }

    /// Applies an event and says what the ledger has to do.
    ///
    /// # Errors
    /// See [`MaturityError`].
    pub fn apply(&mut self, event: BlockEvent) -> Result<Vec<LedgerStep>, MaturityError> {
        match event {
            BlockEvent::Submitted => self.advance(BlockStatus::Submitted),
            BlockEvent::Accepted => self.advance(BlockStatus::Accepted),
            BlockEvent::Rejected(reason) => {
                let steps = self.advance(BlockStatus::Rejected)?;
                self.reject_reason.get_or_insert(reason);
                Ok(steps)
            }
            BlockEvent::Colored { color, reward } => self.colored(color, reward),
            BlockEvent::Matured => self.mature(),
            BlockEvent::Closed => {
                self.advance(if self.color == Color::Blue { BlockStatus::Paid } else { BlockStatus::Void })
            }
        }
    }

    fn advance(&mut self, wanted: BlockStatus) -> Result<Vec<LedgerStep>, MaturityError> {
        use BlockStatus::{Accepted, Candidate, Matured, Paid, Rejected, Submitted, Void};
        match (self.stage, wanted) {
            (Candidate | Submitted, Submitted)
            | (Submitted, Accepted | Rejected)
            | (Matured, Paid | Void) => self.stage = wanted,
            // Told twice (a retry, a restart): nothing new.
            (stage, _) if stage == wanted => {}
            (stage, _) => return Err(MaturityError::Stage { stage, wanted }),
        }
        Ok(Vec::new())
    }

    fn colored(&mut self, color: Color, reward: Option<Amount>) -> Result<Vec<LedgerStep>, MaturityError> {
        if let Some(reward) = reward.filter(|reward| reward.is_negative()) {
            return Err(MaturityError::NegativeReward(reward));
        }
        match self.stage {
            BlockStatus::Accepted => {}
            BlockStatus::Matured | BlockStatus::Paid | BlockStatus::Void => {
                let same = color == self.color && (reward.is_none() || reward == self.reward);
                return if same { Ok(Vec::new()) } else { Err(MaturityError::ChangedAfterMaturity) };
            }
            stage => return Err(MaturityError::Stage { stage, wanted: BlockStatus::Accepted }),
        }
        self.color = color;
        // A reward once known stays known while the block is blue; a red block has none.
        self.reward = if color == Color::Red { None } else { reward.or(self.reward) };
        let owed = self.reward.filter(|reward| color == Color::Blue && !reward.is_zero());
        let mut steps = Vec::new();
        // Unknown is no verdict: the credit stays until the block is red or its reward another one.
        let keep = color == Color::Unknown && self.credited == self.reward;
        if self.credited.is_some() && self.credited != owed && !keep {
            steps.push(LedgerStep::Void { revision: self.revision });
            self.credited = None;
        }
        if let Some(reward) = owed.filter(|_| self.credited.is_none()) {
            self.revision += 1;
            self.credited = Some(reward);
            steps.push(LedgerStep::Credit { revision: self.revision, reward });
        }
        Ok(steps)
    }

    fn mature(&mut self) -> Result<Vec<LedgerStep>, MaturityError> {
        match self.stage {
            BlockStatus::Accepted => {}
            BlockStatus::Matured | BlockStatus::Paid | BlockStatus::Void => return Ok(Vec::new()),
            stage => return Err(MaturityError::Stage { stage, wanted: BlockStatus::Matured }),
        }
        match (self.color, self.reward) {
            (Color::Unknown, _) => return Err(MaturityError::ColorUnknown),
            (Color::Blue, None) => return Err(MaturityError::RewardUnknown),
            (Color::Blue, Some(_)) | (Color::Red, _) => self.stage = BlockStatus::Matured,
        }
        Ok(self.credited.iter().map(|_| LedgerStep::Post { revision: self.revision }).collect())
    }
}

#[cfg(test)]
#[path = "maturity_tests.rs"]
mod tests;
