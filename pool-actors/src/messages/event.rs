//! Everything that others may want to follow: one publisher, typed events, lossy for watchers (and counted).

use std::sync::Arc;

use actix::Message;
use pool_domain::{
    difficulty::Difficulty,
    ids::SessionId,
    units::{Amount, TimeMs},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ports::notifier::AlertView;

use super::{
    block::BlockView, deployment::DeploymentView, live::PoolSnapshot, payout::PayoutView, trouble::Trouble,
};

/// A thing that happened. Serialised as it is to the dashboard feed.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum PoolEvent {
    /// A miner authorised.
    MinerConnected(MinerSeen),
    /// A miner's session ended.
    MinerDisconnected(MinerSeen),
    /// Vardiff or a request changed a session's difficulty.
    DifficultyAdjusted {
        /// Session.
        session: SessionId,
        /// Account.
        account: String,
        /// Worker.
        worker: String,
        /// New difficulty.
        difficulty: Difficulty,
    },
    /// A block of ours entered a new stage, or any block joined the DAG picture.
    Block(BlockView),
    /// The node became ready or not.
    NodeState {
        /// Ready to be mined on.
        ready: bool,
        /// Why not.
        reason: String,
    },
    /// A deployment took a step, or once a second while one is under way.
    #[serde(skip)]
    Deployment(Arc<DeploymentView>),
    /// A package is being checked: what the last check said.
    #[serde(skip)]
    Staging {
        /// Digest or name of the upload.
        upload: String,
        /// The check that begins; `None` when it is over.
        check: Option<String>,
    },
    /// Balances were set aside to be paid out.
    PayoutCalculated {
        /// Transactions that there will be.
        payouts: usize,
        /// Accounts that are paid.
        accounts: usize,
        /// What they get together, smallest unit.
        amount: Amount,
    },
    /// A payout took a step.
    Payout(PayoutView),
    /// Something for the security log: a ban, a refused handshake.
    SecurityEvent {
        /// Stable code.
        code: String,
        /// What happened.
        message: String,
    },
    /// A critical error, or one that lasts, whoever met it.
    #[serde(skip)]
    Alert(Trouble),
    /// An alert began, changed, or is over.
    #[serde(skip)]
    AlertState(Arc<AlertView>),
    /// A defect of the pool that cost something, though it was contained.
    Defect {
        /// Stable code.
        code: String,
        /// What happened.
        message: String,
    },
    /// Something that happened in another pool that shares the cache.
    #[serde(skip)]
    Relayed(Arc<Relayed>),
    /// Once a second: the figures of [`PoolSnapshot`]. Not kept for those who come later: the next second brings newer.
    #[serde(skip)]
    Stats(Arc<PoolSnapshot>),
}

impl PoolEvent {
    /// Whether it tells all that an older event told: who missed both needs this one alone.
    #[must_use]
    pub fn supersedes(&self, older: &Self) -> bool {
        match (self, older) {
            (Self::Deployment(new), Self::Deployment(old)) => new.id == old.id,
            (Self::Staging { upload: new, .. }, Self::Staging { upload: old, .. }) => new == old,
            (Self::Relayed(new), Self::Relayed(old)) => {
                let is_of_one = new.from == old.from && new.kind == old.kind && new.kind == "deployment";
                is_of_one && new.operator["deployment_id"] == old.operator["deployment_id"]
            }
            _ => false,
        }
    }
}

/// An event on its way from one pool to the others, as each audience may see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Relayed {
    /// The pool's node, such as "node-0".
    pub from: String,
    /// Its `type` on the live feed.
    pub kind: String,
    /// When it happened there.
    pub at: TimeMs,
    /// For anybody; `None` where it is for operators only.
    pub public: Option<Value>,
    /// For operators.
    pub operator: Value,
}

/// A miner's session, for events.
#[derive(Debug, Clone, Serialize)]
pub struct MinerSeen {
    /// Session.
    pub session: SessionId,
    /// Account, once authorised.
    pub account: Option<String>,
    /// Worker.
    pub worker: Option<String>,
    /// Peer address.
    pub peer: String,
    /// Agent, as it called itself.
    pub agent: Option<String>,
}

/// To the EventPublisher.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Publish {
    /// When.
    pub at: TimeMs,
    /// What.
    pub event: PoolEvent,
}
