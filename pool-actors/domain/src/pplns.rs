//! Who worked for a block: the window of shares behind it. One window per hash function, because hashes of different
//! functions can't be added.
//!
//! * **PPLNS**: window = factor x the block's network work. Walk back from the winning share, inclusive, by sequence
//!   number; the share that crosses the edge counts in part; if there are fewer shares, what there is shares all.
//! * **PROP**: the shares after the previous block's winning share, up to this one's.
//! * **SOLO**: the winning share's account.
//!
//! The shares themselves are in a [`ShareWindow`].

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::ids::{Account, ShareSeq};
use crate::share_window::Bound;
pub use crate::share_window::{AccountPlace, ShareWindow, WindowError, WindowState};
use crate::target::U256;
use crate::units::{BasisPoints, Work};

/// A block to be paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockFound {
    /// The share that is the block.
    pub winning: ShareSeq,
    /// Expected hashes of the block's network target.
    pub network_work: Work,
    /// The winning share of the block before it (of the same hash function); 0 for the first.
    pub previous_winning: ShareSeq,
}

/// How shares become weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Scheme {
    /// Pay per last N shares.
    Pplns {
        /// Window as a multiple of network work; 20,000 is twice.
        factor: BasisPoints,
    },
    /// Proportional, per round.
    Prop,
    /// Winner takes all.
    Solo,
}

impl Default for Scheme {
    fn default() -> Self {
        Self::Pplns { factor: BasisPoints(20_000) }
    }
}

impl Scheme {
    /// The weights of a block.
    ///
    /// # Errors
    /// [`WindowError::UnknownShare`], [`WindowError::Truncated`].
    pub fn weigh(&self, window: &mut ShareWindow, block: &BlockFound) -> Result<WindowSnapshot, WindowError> {
        match self {
            Self::Pplns { factor } => {
                window.snapshot(block.winning, Bound::Work(window_work(*factor, block.network_work).0))
            }
            Self::Prop => window.snapshot(block.winning, Bound::After(block.previous_winning)),
            Self::Solo => window.single(block.winning),
        }
    }
}

/// factor x network work, at least 1 (256-bit product, at most 2^128 - 1).
#[must_use]
pub fn window_work(factor: BasisPoints, network_work: Work) -> Work {
    let product = U256::from(network_work.0) * U256::from(factor.0) / U256::from(BasisPoints::ALL.0);
    Work(product.saturating_to::<u128>().max(1))
}

/// The shares that a block pays, summed by account: all that a statement needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowSnapshot {
    /// The winning share; the window ends with it.
    pub winning: ShareSeq,
    /// The oldest share that counts.
    pub first: ShareSeq,
    /// What of the oldest share counts.
    pub first_counted: Work,
    /// The sum of the weights.
    pub total: Work,
    /// Work by account, sorted by account bytes, none zero.
    pub weights: Vec<(Account, Work)>,
}

#[cfg(test)]
#[path = "pplns_tests.rs"]
mod tests;
