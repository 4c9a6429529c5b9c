//! The cache on Redis (6 or newer), or what speaks its protocol: one server, Sentinels, or a cluster.
//!
//! One thread serves the connection; callers on whatever arbiter wait for an answer only, and no longer than the bound on
//! one command. Nothing is connected before somebody asks, and nothing needs the server to be there: calls fail as
//! [`CacheError::Unavailable`] until it is (see `line`).

mod line;
mod settings;

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use redis::{RedisResult, cmd, pipe};
use serde_json::Value;
pub use settings::RedisSettings;
use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::mpsc,
};

use self::line::{Line, Link};
use super::StoreThread;
use crate::ports::cache::{CacheError, CachePort, Change, Counted, REVISION};

/// Messages that wait for a slow follower.
const WAITING_MAX: usize = 1_024;

/// Handle to the cache; clones share its connection.
#[derive(Clone)]
pub struct RedisCache {
    line: Arc<Line>,
    runtime: Handle,
    shown: Arc<str>,
    /// The thread ends when the last clone of it is gone.
    _alive: mpsc::Sender<()>,
}

/// A runtime that may be dropped inside another one.
struct OwnRuntime(Option<Runtime>);

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for RedisCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisCache({})", self.shown)
    }
}

/// Time left of a key in milliseconds, as Redis counts it.
fn millis(lives: Duration) -> u64 {
    u64::try_from(lives.as_millis()).unwrap_or(u64::MAX).max(1)
}

fn parsed(text: Option<String>) -> Option<Value> {
    text.and_then(|text| serde_json::from_str(&text).ok())
}

impl RedisCache {
    /// A cache on this Redis. Returns the handle and the thread that does its work, with its name; calls wait until it
    /// runs.
    ///
    /// # Errors
    /// [`CacheError::Unavailable`] when the system refuses a runtime.
    pub fn open(settings: RedisSettings) -> Result<(Self, (&'static str, StoreThread)), CacheError> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| {
            CacheError::Unavailable { what: format!("the system refused a runtime ({error})") }
        })?;
        let (alive, mut ended) = mpsc::channel(1);
        let shown = settings.to_string().into();
        let line = Arc::new(Line::new(settings));
        let cache = Self { line, runtime: runtime.handle().clone(), shown, _alive: alive };
        let mut runtime = OwnRuntime(Some(runtime));
        let body: StoreThread = Box::new(move || {
            if let Some(runtime) = &mut runtime.0 {
                // Nothing is ever sent: it ends when all senders are gone.
                let _: Option<()> = runtime.block_on(ended.recv());
            }
        });
        Ok((cache, ("cache-redis", body)))
    }

    /// Which server answers, and its version.
    ///
    /// # Errors
    /// As any call.
    pub async fn probe(&self) -> Result<String, CacheError> {
        let told: String = self
            .run(|mut link| async move { cmd("INFO").arg("server").query_async(&mut link).await })
            .await
            // Of a cluster, each node says its own.
            .unwrap_or_default();
        self.ping().await?;
        let version = told.lines().find_map(|line| line.strip_prefix("redis_version:"));
        Ok(match version {
            Some(version) => format!("{}, Redis {version}", self.shown),
            None => self.shown.to_string(),
        })
    }

    /// Runs commands where the connection lives.
    async fn run<R: Send + 'static, F: Future<Output = RedisResult<R>> + Send + 'static>(
        &self,
        commands: impl FnOnce(Link) -> F + Send + 'static,
    ) -> Result<R, CacheError> {
        let line = Arc::clone(&self.line);
        self.on_thread(async move { line.run(commands).await }).await
    }

    async fn on_thread<R: Send + 'static>(
        &self,
        work: impl Future<Output = Result<R, CacheError>> + Send + 'static,
    ) -> Result<R, CacheError> {
        self.runtime.spawn(work).await.map_err(|_| CacheError::Unavailable {
            what: "the thread of the Redis cache has ended; restart the pool".to_owned(),
        })?
    }
}

#[async_trait]
impl CachePort for RedisCache {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn ping(&self) -> Result<(), CacheError> {
        // Of a cluster, every node that has keys is asked.
        self.run(|mut link| async move { cmd("PING").query_async(&mut link).await }).await
    }

    async fn put(&self, key: String, value: Value, lives: Duration) -> Result<(), CacheError> {
        self.run(move |mut link| async move {
            let mut set = cmd("SET");
            set.arg(key).arg(value.to_string()).arg("PX").arg(millis(lives));
            set.query_async(&mut link).await
        })
        .await
    }

    async fn put_copy(&self, key: String, value: Value, lives: Duration) -> Result<(), CacheError> {
        // What makes room for what, its operator says (`maxmemory-policy`).
        self.put(key, value, lives).await
    }

    async fn put_new(&self, key: String, value: Value, lives: Duration) -> Result<bool, CacheError> {
        let stored: Option<String> = self
            .run(move |mut link| async move {
                let mut set = cmd("SET");
                set.arg(key).arg(value.to_string()).arg("PX").arg(millis(lives)).arg("NX");
                set.query_async(&mut link).await
            })
            .await?;
        Ok(stored.is_some())
    }

    async fn get(&self, key: String) -> Result<Option<Value>, CacheError> {
        let text = self.run(move |mut link| async move { cmd("GET").arg(key).query_async(&mut link).await });
        Ok(parsed(text.await?))
    }

    async fn remove(&self, key: String) -> Result<bool, CacheError> {
        self.run(move |mut link| async move { cmd("DEL").arg(key).query_async(&mut link).await }).await
    }

    async fn count(&self, key: String, window: Duration) -> Result<Counted, CacheError> {
        let (count, left): (u64, i64) = self
            .run(move |mut link| async move {
                let mut counting = pipe();
                counting.atomic();
                // Where there is no window yet, one begins; INCR leaves its end as it is.
                counting.cmd("SET").arg(&key).arg(0).arg("PX").arg(millis(window)).arg("NX").ignore();
                counting.cmd("INCR").arg(&key).cmd("PTTL").arg(&key);
                let counted: (u64, i64) = counting.query_async(&mut link).await?;
                if counted.1 < 0 {
                    // The old window ended between the two (before version 7, time goes on in a transaction).
                    let mut mend = cmd("PEXPIRE");
                    mend.arg(&key).arg(millis(window));
                    mend.query_async::<()>(&mut link).await?;
                }
                Ok(counted)
            })
            .await?;
        let ends_in = u64::try_from(left).map_or(window, Duration::from_millis);
        Ok(Counted { count, ends_in })
    }

    async fn change(&self, key: String, change: Change, lives: Duration) -> Result<(), CacheError> {
        self.run(move |mut link| async move {
            let mut changing = pipe();
            changing.atomic();
            let set = changing.cmd("HSET").arg(&key).arg(REVISION).arg(change.revision);
            for (field, value) in &change.set {
                set.arg(field).arg(value.to_string());
            }
            set.ignore();
            if !change.remove.is_empty() {
                changing.cmd("HDEL").arg(&key).arg(&change.remove).ignore();
            }
            changing.cmd("PEXPIRE").arg(&key).arg(millis(lives)).ignore();
            changing.query_async(&mut link).await
        })
        .await
    }

    async fn fields(&self, key: String) -> Result<BTreeMap<String, Value>, CacheError> {
        let texts: BTreeMap<String, String> = self
            .run(move |mut link| async move { cmd("HGETALL").arg(key).query_async(&mut link).await })
            .await?;
        Ok(texts.into_iter().filter_map(|(field, text)| Some((field, parsed(Some(text))?))).collect())
    }

    async fn field(&self, key: String, field: &'static str) -> Result<Option<Value>, CacheError> {
        let text = self
            .run(move |mut link| async move { cmd("HGET").arg(key).arg(field).query_async(&mut link).await });
        Ok(parsed(text.await?))
    }

    async fn publish(&self, channel: String, value: Value) -> Result<(), CacheError> {
        self.run(move |mut link| async move {
            cmd("PUBLISH").arg(channel).arg(value.to_string()).query_async(&mut link).await
        })
        .await
    }

    async fn follow(&self, channel: String) -> Result<BoxStream<'static, Value>, CacheError> {
        let line = Arc::clone(&self.line);
        let subscriber = self.on_thread(async move { line.subscribe(&channel).await }).await?;
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        self.runtime.spawn(async move {
            let mut messages = subscriber.into_on_message();
            loop {
                let message = tokio::select! {
                    message = messages.next() => message,
                    () = sender.closed() => None,
                };
                let Some(message) = message else { return };
                let Some(value) = parsed(message.get_payload().ok()) else { continue };
                // The crate's own queue has no bound: it is emptied whether somebody listens or not.
                if let Err(mpsc::error::TrySendError::Closed(_)) = sender.try_send(value) {
                    return;
                }
            }
        });
        let messages = stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|value| (value, receiver))
        });
        Ok(messages.boxed())
    }
}
