//! Miners' sessions as others see and steer them.

use std::sync::Arc;

use actix::Message;
use pool_domain::{difficulty::Difficulty, ids::SessionId, units::TimeMs};
use serde::Serialize;

use super::event::MinerSeen;
use crate::ports::personal::Wishes;

/// To every arbiter's session hub: which sessions are there?
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Vec<SessionView>")]
pub struct ListSessions;

/// A session as people see it.
#[derive(Debug, Clone, Serialize)]
pub struct SessionView {
    /// Who it is.
    #[serde(flatten)]
    pub miner: MinerSeen,
    /// Number of the listener it came in by, in the order of the configuration.
    pub listener: usize,
    /// Kind of miner inside the listener's dialect.
    pub variant: &'static str,
    /// Difficulty in force; `None` before any work was sent.
    pub difficulty: Option<Difficulty>,
    /// The hash function that it works on; `None` before its first work.
    pub algorithm: Option<String>,
    /// The hash functions that it said it can do (`mining.multi_version`), if it said so.
    pub algorithms: Option<Vec<String>>,
    /// Nothing that it can do is mined (any more): it stays connected without work.
    pub without_work: bool,
    /// When it connected.
    pub connected_at: TimeMs,
    /// When its last share was accepted, 0 = never.
    pub last_share_at: TimeMs,
    /// The password that it showed for a claim. A secret until then.
    #[serde(skip)]
    pub claim: Option<String>,
}

/// To every hub: which sessions want to be told of their account (`mining.configure_notifications`)? Keys are told once.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Vec<Listening>")]
pub struct ListNotices;

/// A session that wants to be told of its account.
#[derive(Clone)]
pub struct Listening {
    /// Which.
    pub session: SessionId,
    /// Its account.
    pub account: String,
    /// Of what.
    pub wishes: Wishes,
    /// On the miner itself.
    pub shows: bool,
    /// The password that it showed to change what the account's owner is told, if it asks for that now.
    pub key: Option<String>,
}

impl std::fmt::Debug for Listening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listening").field("session", &self.session).field("account", &self.account).finish()
    }
}

/// To every hub: show texts on these sessions, where they are its own.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct ShowTexts(pub Arc<[(SessionId, String)]>);

/// What a session can be told to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionCommand {
    /// Shows a text on the miner (`client.show_message`), where its dialect knows that.
    ShowMessage(String),
    /// Sends the miner elsewhere (`client.reconnect`) and closes the session.
    Reconnect {
        /// Host to go to.
        host: String,
        /// Port.
        port: u16,
        /// How long to wait before, seconds.
        wait_s: u32,
    },
    /// Asks what it is (`client.get_version`); the answer becomes its agent.
    AskVersion,
    /// Gives it another extranonce prefix (`mining.set_extranonce`), if it said that it can take one.
    RenewExtranonce,
    /// Closes the connection.
    Close,
}

/// To a session hub: tell one session (or all of them) to do something.
#[derive(Debug, Clone, Message)]
#[rtype(result = "usize")]
pub struct CommandSessions {
    /// The session; `None` = all.
    pub session: Option<SessionId>,
    /// What to do.
    pub command: SessionCommand,
}
