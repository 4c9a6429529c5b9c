//! Everything that others may want to follow: one publisher, typed events, lossy for watchers (and counted).

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use actix::Message;
use pool_domain::{difficulty::Difficulty, ids::SessionId, units::TimeMs};
use serde::Serialize;
use tokio::sync::broadcast;

use super::{block::BlockView, stats::PoolSnapshot};

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
    /// Once a second: the figures of [`PoolSnapshot`]. Not kept for those who come later: the next second brings newer.
    #[serde(skip)]
    Stats(Arc<PoolSnapshot>),
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

/// Who may read a rendering of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Anybody: no addresses of miners, no security events.
    Public,
    /// Whoever has the admin token.
    Operator,
}

/// An event with its number: numbers rise over all events of the publisher, and also from one process to the next.
pub struct Numbered {
    /// Its number.
    pub seq: u64,
    /// When.
    pub at: TimeMs,
    /// What.
    pub event: PoolEvent,
    frames: [OnceLock<Option<Arc<str>>>; 2],
}

impl Numbered {
    /// An event that was given a number.
    #[must_use]
    pub fn new(seq: u64, at: TimeMs, event: PoolEvent) -> Self {
        Self { seq, at, event, frames: Default::default() }
    }

    /// The text for an audience, made by whoever needs it first; `None` if it is not for that audience.
    pub fn frame(
        &self,
        audience: Audience,
        render: impl FnOnce(&Self) -> Option<String>,
    ) -> Option<Arc<str>> {
        let cell = match audience {
            Audience::Public => &self.frames[0],
            Audience::Operator => &self.frames[1],
        };
        cell.get_or_init(|| render(self).map(Arc::from)).clone()
    }
}

impl fmt::Debug for Numbered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Numbered").field("seq", &self.seq).field("event", &self.event).finish_non_exhaustive()
    }
}

/// To the EventPublisher: tell me what happens from now on, and what I missed.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Subscription")]
pub struct Subscribe {
    /// Number of the last event that was seen, if any.
    pub since: Option<u64>,
}

/// What a subscriber begins with. Nothing is lost between `missed` and `live`.
#[derive(Debug)]
pub struct Subscription {
    /// Number of the newest event.
    pub seq: u64,
    /// What happened since the event that the subscriber saw last (without [`PoolEvent::Stats`]); `None` when that is
    /// too long ago, or was of another process: it needs a snapshot.
    pub missed: Option<Vec<Arc<Numbered>>>,
    /// The DAG's recent blocks as last told, oldest first.
    pub blocks: Vec<BlockView>,
    /// Everything from now on. A subscriber that is too slow loses the oldest, and is told.
    pub live: broadcast::Receiver<Arc<Numbered>>,
}
