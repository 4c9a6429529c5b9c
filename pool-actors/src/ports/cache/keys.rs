//! The names of everything in the cache.
//!
//! | key | holds | lives |
//! |---|---|---|
//! | `P:1:{bans}` | table: address -> ban | as long as the longest ban |
//! | `P:1:count:WHAT` | number: how often in this window | the window |
//! | `P:1:kept:WHAT` | snapshot: figures, job, an answer of the API, a lock-out | as its keeper says |
//! | `P:1:session:ID` | a log-in | as the log-in |
//! | `P:1:{sessions}` | table: log-in -> whose, since when | as the longest log-in |
//! | `P:1:{sessions:USER}` | the same of one user | as the longest log-in |
//! | `P:1:revoked:ID` | a token that is not good any more | as long as the token would be |
//! | `P:1:events` | channel: what happened in a pool | nothing is kept |
//!
//! `P` is `cache.prefix`, so that pools that have nothing to do with each other can share a server. The number is the
//! layout's: another one when what is stored changes, so that pools of two versions don't misread each other.

/// Number of the layout.
pub const LAYOUT: u32 = 1;

/// Makes the keys of one prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys(String);

impl Keys {
    /// Keys that begin so.
    #[must_use]
    pub fn new(prefix: &str) -> Self {
        Self(format!("{prefix}:{LAYOUT}:"))
    }

    /// The ban list.
    #[must_use]
    pub fn bans(&self) -> String {
        format!("{}{{bans}}", self.0)
    }

    /// A counter.
    #[must_use]
    pub fn count(&self, what: &str) -> String {
        format!("{}count:{what}", self.0)
    }

    /// A snapshot.
    #[must_use]
    pub fn kept(&self, what: &str) -> String {
        format!("{}kept:{what}", self.0)
    }

    /// A log-in.
    #[must_use]
    pub fn session(&self, id: &str) -> String {
        format!("{}session:{id}", self.0)
    }

    /// The list of log-ins.
    #[must_use]
    pub fn sessions(&self) -> String {
        format!("{}{{sessions}}", self.0)
    }

    /// The list of a user's log-ins.
    #[must_use]
    pub fn sessions_of(&self, user: &str) -> String {
        format!("{}{{sessions:{user}}}", self.0)
    }

    /// A token that was revoked.
    #[must_use]
    pub fn revoked(&self, id: &str) -> String {
        format!("{}revoked:{id}", self.0)
    }

    /// The channel of events.
    #[must_use]
    pub fn events(&self) -> String {
        format!("{}events", self.0)
    }
}
