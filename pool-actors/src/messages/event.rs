//! Everything that others may want to follow: one publisher, typed events, lossy for watchers (and counted).

use actix::Message;
use pool_domain::{difficulty::Difficulty, ids::SessionId, units::TimeMs};
use serde::Serialize;

use super::block::BlockView;
use crate::runtime::outbox::Outbox;

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
    /// Something for the security log: a ban, a refused handshake.
    SecurityEvent {
        /// Stable code.
        code: String,
        /// What happened.
        message: String,
    },
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

/// Which events one wants: a set of topics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Topics {
    /// Miners coming and going, difficulty changes.
    pub miners: bool,
    /// Blocks.
    pub blocks: bool,
    /// The node's state.
    pub node: bool,
    /// The security log.
    pub security: bool,
}

impl Topics {
    /// Everything.
    pub const ALL: Self = Self { miners: true, blocks: true, node: true, security: true };

    /// Whether the event belongs to one of these topics.
    #[must_use]
    pub const fn has(&self, event: &PoolEvent) -> bool {
        match event {
            PoolEvent::MinerConnected(_)
            | PoolEvent::MinerDisconnected(_)
            | PoolEvent::DifficultyAdjusted { .. } => self.miners,
            PoolEvent::Block(_) => self.blocks,
            PoolEvent::NodeState { .. } => self.node,
            PoolEvent::SecurityEvent { .. } => self.security,
        }
    }
}

/// To the EventPublisher: send me these from now on. A subscriber that has no room misses events (counted); one that is
/// dead is forgotten.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Subscribe {
    /// Which.
    pub topics: Topics,
    /// Where to.
    pub to: Outbox<Publish>,
}
