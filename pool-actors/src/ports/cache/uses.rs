//! What the pool uses a cache for, with names and types.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use futures_util::stream::BoxStream;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{CacheError, Change, Counted, Keys, REVISION, SharedCache};

/// A cache and the names of one prefix in it; clones share it.
#[derive(Clone)]
pub struct Cache {
    port: SharedCache,
    keys: Arc<Keys>,
}

/// A table as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Table<T> {
    /// Its revision; `None` when there is no such table (any more).
    pub revision: Option<u64>,
    /// Its fields. What can't be read is left out.
    pub fields: BTreeMap<String, T>,
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cache({})", self.port.name())
    }
}

/// What was stored by another version, or by hand, is as good as not there.
fn read<T: DeserializeOwned>(value: Value) -> Option<T> {
    serde_json::from_value(value).ok()
}

fn written<T: Serialize>(value: &T) -> Result<Value, CacheError> {
    serde_json::to_value(value)
        .map_err(|error| CacheError::Refused { what: format!("a value is no JSON: {error}") })
}

impl Cache {
    /// The names that begin with `prefix` in this cache.
    #[must_use]
    pub fn new(port: SharedCache, prefix: &str) -> Self {
        Self { port, keys: Arc::new(Keys::new(prefix)) }
    }

    /// What people know it as.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.port.name()
    }

    /// Whether other processes see it.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.port.is_shared()
    }

    /// Whether it answers.
    ///
    /// # Errors
    /// [`CacheError`], as all calls.
    pub async fn ping(&self) -> Result<(), CacheError> {
        self.port.ping().await
    }

    /// Revision of the ban list; `None` when it is empty or was lost.
    ///
    /// # Errors
    /// [`CacheError`].
    pub async fn bans_revision(&self) -> Result<Option<u64>, CacheError> {
        Ok(self.port.field(self.keys.bans(), REVISION).await?.and_then(read))
    }

    /// The ban list, by address.
    ///
    /// # Errors
    /// [`CacheError`].
    pub async fn bans<T: DeserializeOwned>(&self) -> Result<Table<T>, CacheError> {
        let mut fields = self.port.fields(self.keys.bans()).await?;
        let revision = fields.remove(REVISION).and_then(read);
        let fields = fields.into_iter().filter_map(|(name, value)| Some((name, read(value)?))).collect();
        Ok(Table { revision, fields })
    }

    /// Adds to the ban list, and removes what is over. It lives so long from now on.
    ///
    /// # Errors
    /// [`CacheError`].
    pub async fn change_bans<T: Serialize>(
        &self,
        set: &BTreeMap<String, T>,
        remove: Vec<String>,
        revision: u64,
        lives: Duration,
    ) -> Result<(), CacheError> {
        let set = set.iter().map(|(name, value)| Ok((name.clone(), written(value)?)));
        let change = Change { set: set.collect::<Result<_, CacheError>>()?, remove, revision };
        self.port.change(self.keys.bans(), change, lives).await
    }

    /// Counts one of `what`, over all pools, in windows of this length.
    ///
    /// # Errors
    /// [`CacheError`].
    pub async fn count(&self, what: &str, window: Duration) -> Result<Counted, CacheError> {
        self.port.count(self.keys.count(what), window).await
    }

    /// Keeps a snapshot.
    ///
    /// # Errors
    /// [`CacheError`].
    pub async fn keep<T: Serialize>(&self, what: &str, value: &T, lives: Duration) -> Result<(), CacheError> {
        self.port.put(self.keys.kept(what), written(value)?, lives).await
    }

    /// Keeps a copy of what there is elsewhere: it makes room for everything else.
    ///
    /// # Errors
    /// [`CacheError`].
    pub async fn keep_copy<T: Serialize>(
        &self,
        what: &str,
        value: &T,
        lives: Duration,
    ) -> Result<(), CacheError> {
        self.port.put_copy(self.keys.kept(what), written(value)?, lives).await
    }

    /// Keeps a snapshot where none is kept; of many at once, over all pools, one does.
    ///
    /// # Errors
    /// [`CacheError`].
    pub async fn keep_first<T: Serialize>(
        &self,
        what: &str,
        value: &T,
        lives: Duration,
    ) -> Result<bool, CacheError> {
        self.port.put_new(self.keys.kept(what), written(value)?, lives).await
    }

    /// A snapshot that was kept.
    ///
    /// # Errors
    /// [`CacheError`].
    pub async fn kept<T: DeserializeOwned>(&self, what: &str) -> Result<Option<T>, CacheError> {
        Ok(self.port.get(self.keys.kept(what)).await?.and_then(read))
    }

    /// Begins a log-in, or changes it.
    ///
    /// # Errors
    /// [`CacheError`].
    pub async fn put_session<T: Serialize>(
        &self,
        id: &str,
        session: &T,
        lives: Duration,
    ) -> Result<(), CacheError> {
        self.port.put(self.keys.session(id), written(session)?, lives).await
    }

    /// A log-in that has not ended.
    ///
    /// # Errors
    /// [`CacheError`].
    pub async fn session<T: DeserializeOwned>(&self, id: &str) -> Result<Option<T>, CacheError> {
        Ok(self.port.get(self.keys.session(id)).await?.and_then(read))
    }

    /// Ends a log-in; whether there was one.
    ///
    /// # Errors
    /// [`CacheError`].
    pub async fn end_session(&self, id: &str) -> Result<bool, CacheError> {
        self.port.remove(self.keys.session(id)).await
    }

    /// All log-ins, by id. The list may name some that have ended.
    ///
    /// # Errors
    /// [`CacheError`].
    pub async fn sessions<T: DeserializeOwned>(&self) -> Result<BTreeMap<String, T>, CacheError> {
        let mut fields = self.port.fields(self.keys.sessions()).await?;
        fields.remove(REVISION);
        Ok(fields.into_iter().filter_map(|(id, value)| Some((id, read(value)?))).collect())
    }

    /// A user's log-ins, by id. The list may name some that have ended.
    ///
    /// # Errors
    /// [`CacheError`].
    pub async fn sessions_of<T: DeserializeOwned>(
        &self,
        user: &str,
    ) -> Result<BTreeMap<String, T>, CacheError> {
        let mut fields = self.port.fields(self.keys.sessions_of(user)).await?;
        fields.remove(REVISION);
        Ok(fields.into_iter().filter_map(|(id, value)| Some((id, read(value)?))).collect())
    }

    /// Changes the list of log-ins, or that of one user. It lives so long from now on.
    ///
    /// # Errors
    /// [`CacheError`].
    pub async fn change_sessions<T: Serialize>(
        &self,
        of: Option<&str>,
        set: Option<(&str, &T)>,
        remove: Vec<String>,
        revision: u64,
        lives: Duration,
    ) -> Result<(), CacheError> {
        let set = set.map(|(id, value)| Ok((id.to_owned(), written(value)?))).transpose()?;
        let change = Change { set: set.into_iter().collect(), remove, revision };
        let key = of.map_or_else(|| self.keys.sessions(), |user| self.keys.sessions_of(user));
        self.port.change(key, change, lives).await
    }

    /// Forgets what was counted of `what`.
    ///
    /// # Errors
    /// [`CacheError`].
    pub async fn forget_count(&self, what: &str) -> Result<bool, CacheError> {
        self.port.remove(self.keys.count(what)).await
    }

    /// Takes a token back that would be good for so long yet.
    ///
    /// # Errors
    /// [`CacheError`].
    pub async fn revoke(&self, id: &str, good_for: Duration) -> Result<(), CacheError> {
        self.port.put(self.keys.revoked(id), Value::Bool(true), good_for).await
    }

    /// Whether a token was taken back.
    ///
    /// # Errors
    /// [`CacheError`]: whoever asks must then decide whether to trust the token.
    pub async fn is_revoked(&self, id: &str) -> Result<bool, CacheError> {
        Ok(self.port.get(self.keys.revoked(id)).await?.is_some())
    }

    /// Tells the other pools what happened.
    ///
    /// # Errors
    /// [`CacheError`].
    pub async fn publish<T: Serialize>(&self, event: &T) -> Result<(), CacheError> {
        self.port.publish(self.keys.events(), written(event)?).await
    }

    /// What pools tell from now on, this one included.
    ///
    /// # Errors
    /// [`CacheError`].
    pub async fn follow(&self) -> Result<BoxStream<'static, Value>, CacheError> {
        self.port.follow(self.keys.events()).await
    }
}
