//! The life of one payout, from the reservation to the chain, and what is to be done next.
//!
//! ```text
//! (plan) -> reserved -> signed -> broadcast <-> confirming -> settled
//!              |          |           |             |
//!              +----------+-----------+-------------+-------> returned
//! ```
//!
//! * A *plan* is not stored: it becomes a payout when its amounts are reserved, in one database transaction.
//! * `signed` means that the signed bytes, their id and what they spend are *persisted*: before that, nothing may be sent.
//! * `broadcast` is recorded before the bytes are sent for the first time; the same bytes are sent again until the end.
//! * `returned` needs a proof: nothing was ever signed, or another transaction, as deep as ours would have to be, spends
//!   what ours spends.
//!
//! A hold stops a payout before it is sent. What was sent can't be called back: it goes on to its end.

use core::fmt;

use serde::{Deserialize, Serialize};

/// How far a payout has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayoutState {
    /// The amounts are set aside; nothing is signed.
    Reserved,
    /// The signed bytes are persisted; they were not sent.
    Signed,
    /// They were sent, or are about to be.
    Broadcast,
    /// The chain holds them, not deep enough yet.
    Confirming,
    /// Deep enough. Final.
    Settled,
    /// Provably impossible: the amounts went back. Final.
    Returned,
}

impl PayoutState {
    /// Every state, in order.
    pub const ALL: [Self; 6] =
        [Self::Reserved, Self::Signed, Self::Broadcast, Self::Confirming, Self::Settled, Self::Returned];

    /// As stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Signed => "signed",
            Self::Broadcast => "broadcast",
            Self::Confirming => "confirming",
            Self::Settled => "settled",
            Self::Returned => "returned",
        }
    }

    /// The state of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Nothing follows.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Settled | Self::Returned)
    }

    /// The bytes may be out in the world.
    #[must_use]
    pub const fn was_sent(self) -> bool {
        matches!(self, Self::Broadcast | Self::Confirming | Self::Settled)
    }

    /// The state after an event.
    ///
    /// # Errors
    /// [`PayoutStepError`] when that event can't happen there; told twice, it changes nothing.
    pub const fn after(self, event: PayoutEvent) -> Result<Self, PayoutStepError> {
        use PayoutEvent as Event;
        let next = match (self, event) {
            (Self::Reserved | Self::Signed, Event::Signed) => Self::Signed,
            (Self::Signed | Self::Broadcast, Event::Sent)
            | (Self::Confirming | Self::Broadcast, Event::Vanished) => Self::Broadcast,
            (Self::Signed | Self::Broadcast | Self::Confirming, Event::InBlock) => Self::Confirming,
            (Self::Signed | Self::Broadcast | Self::Confirming | Self::Settled, Event::Deep) => Self::Settled,
            (Self::Reserved | Self::Returned, Event::Withdrawn)
            | (Self::Signed | Self::Broadcast | Self::Confirming | Self::Returned, Event::Impossible) => {
                Self::Returned
            }
            (state, event) => return Err(PayoutStepError { state, event }),
        };
        Ok(next)
    }
}

impl fmt::Display for PayoutState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What happens to a payout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayoutEvent {
    /// Signed bytes are persisted.
    Signed,
    /// The bytes are about to be sent.
    Sent,
    /// A block holds the transaction.
    InBlock,
    /// The block that held it left the chain.
    Vanished,
    /// It is deep enough.
    Deep,
    /// Another transaction, deep enough, spends what it spends.
    Impossible,
    /// Given up before anything was signed.
    Withdrawn,
}

/// An event that can't happen there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a payout that is {state} can't take the step {event:?}")]
pub struct PayoutStepError {
    /// Where it is.
    pub state: PayoutState,
    /// What was asked for.
    pub event: PayoutEvent,
}

/// What the chain says of a payout's transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChainView {
    /// Neither in a block nor waiting for one, and what it spends is free.
    Unknown,
    /// Waiting for a block.
    Waiting,
    /// In a block, this deep (0 = the newest view of the chain, in no block of it yet).
    Confirmed {
        /// In the chain's own measure.
        depth: u64,
    },
    /// Another transaction in a block spends what it spends.
    Replaced {
        /// Depth of that other transaction.
        depth: u64,
    },
}

/// Whether somebody holds a payout up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// Nobody.
    #[default]
    Free,
    /// The payout itself, or all payouts.
    Held,
    /// One of its recipients: the others need not wait for that one.
    RecipientHeld,
}

/// What to do with a payout now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayoutAction {
    /// Nothing.
    Wait,
    /// Build, sign, and persist what was signed.
    Sign,
    /// Give the reservation back: nothing was signed.
    Withdraw,
    /// Record that it is sent, then send the bytes.
    Send,
    /// Send the same bytes again.
    SendAgain,
    /// Record this event, and look again.
    Record(PayoutEvent),
    /// Post the end of it: it is paid.
    Settle,
    /// Give the reservation back: it is impossible.
    Return,
}

/// Decides. `view` is what the chain says now; `None` if it was not asked (only of use before anything is signed).
/// `depth` is how deep a transaction must be to be final.
#[must_use]
pub fn next_action(state: PayoutState, hold: Hold, view: Option<ChainView>, depth: u64) -> PayoutAction {
    use PayoutAction as Action;
    use PayoutState as State;
    if state == State::Reserved {
        return match hold {
            Hold::Free => Action::Sign,
            Hold::Held => Action::Wait,
            Hold::RecipientHeld => Action::Withdraw,
        };
    }
    // Never act on a chain that does not answer.
    let Some(view) = view.filter(|_| !state.is_final()) else { return Action::Wait };
    match (state, view) {
        (_, ChainView::Confirmed { depth: found }) if found >= depth => Action::Settle,
        (_, ChainView::Replaced { depth: found }) if found >= depth => Action::Return,
        (State::Signed, ChainView::Unknown) if hold == Hold::Free => Action::Send,
        // Sent by somebody else (the signer, an operator): it is out.
        (State::Signed, ChainView::Waiting) => Action::Record(PayoutEvent::Sent),
        (State::Signed | State::Broadcast, ChainView::Confirmed { .. }) => {
            Action::Record(PayoutEvent::InBlock)
        }
        (State::Confirming, ChainView::Unknown | ChainView::Waiting | ChainView::Replaced { .. }) => {
            Action::Record(PayoutEvent::Vanished)
        }
        (State::Broadcast, ChainView::Unknown) => Action::SendAgain,
        _ => Action::Wait,
    }
}

#[cfg(test)]
#[path = "payout_tests.rs"]
mod tests;
