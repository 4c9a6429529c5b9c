//! The cache: where what may be lost is kept and shared by several pool processes. Never money, never shares: those are in
//! the journal and the database. Everything here expires.
//!
//! [`CachePort`] is what a server must do; [`Cache`] gives it names and types (`keys` is the list of names). Nothing that
//! a miner waits for may wait for a cache: calls are for actors of their own and for the API.

mod keys;
mod uses;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use serde_json::Value;

pub use keys::{Keys, LAYOUT};
pub use uses::{Cache, Table};

/// Why a cache did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CacheError {
    /// It does not answer; it may later.
    #[error("the cache is away: {what}")]
    Unavailable {
        /// Where, and what happened.
        what: String,
    },
    /// It answered with an error: a right that is missing, no memory, a key of somebody else.
    #[error("the cache refuses: {what}")]
    Refused {
        /// Where, and what it said.
        what: String,
    },
}

/// A fixed window of a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// How often it was counted in this window, this time included.
    pub count: u64,
    /// When the window ends and the count begins at one again.
    pub ends_in: Duration,
}

/// Field of a table that changes with every change of it.
pub const REVISION: &str = "#";

/// A cache behind its port.
pub type SharedCache = Arc<dyn CachePort>;

/// What a cache must do. Values are JSON; whatever is stored ends after its time.
#[async_trait]
pub trait CachePort: Send + Sync {
    /// What people know it as, such as "memory" or "redis".
    fn name(&self) -> &'static str;

    /// Whether other processes see what this one stores.
    fn is_shared(&self) -> bool;

    /// Whether it answers.
    async fn ping(&self) -> Result<(), CacheError>;

    /// Stores a value for a time, in place of what was there.
    async fn put(&self, key: String, value: Value, lives: Duration) -> Result<(), CacheError>;

    /// As [`CachePort::put`], of a copy of what there is elsewhere: the first to go where there is too little room.
    async fn put_copy(&self, key: String, value: Value, lives: Duration) -> Result<(), CacheError>;

    /// Stores a value for a time where nothing is yet, atomically over all processes; whether it did.
    async fn put_new(&self, key: String, value: Value, lives: Duration) -> Result<bool, CacheError>;

    /// What is stored there; `None` also for what can't be read as JSON.
    async fn get(&self, key: String) -> Result<Option<Value>, CacheError>;

    /// Removes; whether there was anything.
    async fn remove(&self, key: String) -> Result<bool, CacheError>;

    /// Adds one to a counter, atomically over all processes. The first count begins a window, which no later one extends.
    async fn count(&self, key: String, window: Duration) -> Result<Counted, CacheError>;

    /// Sets and removes fields of a table in one step, gives it another revision, and lets it live so long from now on.
    async fn change(&self, key: String, change: Change, lives: Duration) -> Result<(), CacheError>;

    /// All fields of a table, and [`REVISION`].
    async fn fields(&self, key: String) -> Result<BTreeMap<String, Value>, CacheError>;

    /// One field of a table.
    async fn field(&self, key: String, field: &'static str) -> Result<Option<Value>, CacheError>;

    /// Tells whoever follows a channel now; nobody keeps it for others.
    async fn publish(&self, channel: String, value: Value) -> Result<(), CacheError>;

    /// What is published on a channel from now on; ends when the connection does. Who is too slow loses the oldest.
    async fn follow(&self, channel: String) -> Result<BoxStream<'static, Value>, CacheError>;
}

/// A change of a table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    /// Fields to set.
    pub set: BTreeMap<String, Value>,
    /// Fields to remove.
    pub remove: Vec<String>,
    /// Its revision from now on: one that was never used before.
    pub revision: u64,
}
