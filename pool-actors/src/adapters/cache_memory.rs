//! The cache in the process's own memory: for one pool, and for tests. It ends with the process.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use serde_json::{Value, json};
use tokio::{sync::broadcast, time::Instant};

use crate::ports::cache::{CacheError, CachePort, Change, Counted, REVISION};

/// What is held, by how much its loss would matter. Each sort has room of its own: what strangers can make many of (copies,
/// counts) makes no room of what others rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    /// Sessions, the ban list, snapshots.
    Value,
    /// Counts, and what is there once: whom the throttle has locked out.
    Count,
    /// Copies of what there is elsewhere.
    Copy,
}

impl Sort {
    /// Entries at once; past it, what of the sort would end first is dropped.
    const fn entries_max(self) -> usize {
        match self {
            Self::Value | Self::Copy => 20_000,
            Self::Count => 50_000,
        }
    }
}

/// Messages that wait for a slow follower.
const WAITING_MAX: usize = 1_024;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct MemoryCache {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: HashMap<String, Entry>,
    /// Entries of each sort.
    sizes: [usize; 3],
    channels: HashMap<String, broadcast::Sender<Value>>,
}

#[derive(Debug, Clone)]
struct Entry {
    sort: Sort,
    ends: Instant,
    held: Held,
}

#[derive(Debug, Clone)]
enum Held {
    Value(Value),
    Count(u64),
    Table(BTreeMap<String, Value>),
}

impl Inner {
    fn alive(&mut self, key: &str) -> Option<&mut Entry> {
        if self.entries.get(key).is_some_and(|entry| entry.ends <= Instant::now()) {
            self.remove(key);
        }
        self.entries.get_mut(key)
    }

    fn remove(&mut self, key: &str) -> Option<Entry> {
        let entry = self.entries.remove(key)?;
        self.sizes[entry.sort as usize] -= 1;
        Some(entry)
    }

    /// Lets go what of the sort ends by then.
    fn drop_until(&mut self, sort: Sort, bound: Instant) {
        self.entries.retain(|_, entry| entry.sort != sort || entry.ends > bound);
        self.sizes[sort as usize] = self.entries.values().filter(|entry| entry.sort == sort).count();
    }

    fn hold(&mut self, key: String, sort: Sort, held: Held, lives: Duration) {
        let now = Instant::now();
        let most = sort.entries_max();
        self.remove(&key);
        if self.sizes[sort as usize] >= most {
            self.drop_until(sort, now);
            // A part at once: else a full cache would be searched for each entry.
            while self.sizes[sort as usize] >= most {
                let of_sort = self.entries.values().filter(|entry| entry.sort == sort);
                let mut ends: Vec<Instant> = of_sort.map(|entry| entry.ends).collect();
                let (_, bound, _) = ends.select_nth_unstable(most / 10);
                self.drop_until(sort, *bound);
            }
        }
        self.entries.insert(key, Entry { sort, ends: now + lives, held });
        self.sizes[sort as usize] += 1;
    }
}

impl MemoryCache {
    fn with<R>(&self, f: impl FnOnce(&mut Inner) -> R) -> R {
        f(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn other_kind(key: &str) -> CacheError {
    CacheError::Refused { what: format!("{key} holds something of another kind") }
}

#[async_trait]
impl CachePort for MemoryCache {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn is_shared(&self) -> bool {
        false
    }

    async fn ping(&self) -> Result<(), CacheError> {
        Ok(())
    }

    async fn put(&self, key: String, value: Value, lives: Duration) -> Result<(), CacheError> {
        self.with(|inner| inner.hold(key, Sort::Value, Held::Value(value), lives));
        Ok(())
    }

    async fn put_copy(&self, key: String, value: Value, lives: Duration) -> Result<(), CacheError> {
        self.with(|inner| inner.hold(key, Sort::Copy, Held::Value(value), lives));
        Ok(())
    }

    async fn put_new(&self, key: String, value: Value, lives: Duration) -> Result<bool, CacheError> {
        Ok(self.with(|inner| {
            let is_new = inner.alive(&key).is_none();
            if is_new {
                inner.hold(key, Sort::Count, Held::Value(value), lives);
            }
            is_new
        }))
    }

    async fn get(&self, key: String) -> Result<Option<Value>, CacheError> {
        self.with(|inner| match inner.alive(&key).map(|entry| &entry.held) {
            None => Ok(None),
            Some(Held::Value(value)) => Ok(Some(value.clone())),
            Some(_) => Err(other_kind(&key)),
        })
    }

    async fn remove(&self, key: String) -> Result<bool, CacheError> {
        Ok(self.with(|inner| inner.alive(&key).is_some() && inner.remove(&key).is_some()))
    }

    async fn count(&self, key: String, window: Duration) -> Result<Counted, CacheError> {
        self.with(|inner| match inner.alive(&key) {
            None => {
                inner.hold(key, Sort::Count, Held::Count(1), window);
                Ok(Counted { count: 1, ends_in: window })
            }
            Some(Entry { ends, held: Held::Count(count), .. }) => {
                *count += 1;
                Ok(Counted { count: *count, ends_in: ends.saturating_duration_since(Instant::now()) })
            }
            Some(_) => Err(other_kind(&key)),
        })
    }

    async fn change(&self, key: String, change: Change, lives: Duration) -> Result<(), CacheError> {
        self.with(|inner| {
            let mut table = match inner.alive(&key).map(|entry| &mut entry.held) {
                None => BTreeMap::new(),
                Some(Held::Table(table)) => std::mem::take(table),
                Some(_) => return Err(other_kind(&key)),
            };
            table.extend(change.set);
            for field in &change.remove {
                table.remove(field);
            }
            table.insert(REVISION.to_owned(), json!(change.revision));
            inner.hold(key, Sort::Value, Held::Table(table), lives);
            Ok(())
        })
    }

    async fn fields(&self, key: String) -> Result<BTreeMap<String, Value>, CacheError> {
        self.with(|inner| match inner.alive(&key).map(|entry| &entry.held) {
            None => Ok(BTreeMap::new()),
            Some(Held::Table(table)) => Ok(table.clone()),
            Some(_) => Err(other_kind(&key)),
        })
    }

    async fn field(&self, key: String, field: &'static str) -> Result<Option<Value>, CacheError> {
        self.with(|inner| match inner.alive(&key).map(|entry| &entry.held) {
            None => Ok(None),
            Some(Held::Table(table)) => Ok(table.get(field).cloned()),
            Some(_) => Err(other_kind(&key)),
        })
    }

    async fn publish(&self, channel: String, value: Value) -> Result<(), CacheError> {
        self.with(|inner| {
            // Nobody may be listening.
            if let Some(sender) = inner.channels.get(&channel) {
                let _ = sender.send(value);
            }
        });
        Ok(())
    }

    async fn follow(&self, channel: String) -> Result<BoxStream<'static, Value>, CacheError> {
        let receiver = self.with(|inner| {
            let sender = inner.channels.entry(channel).or_insert_with(|| broadcast::channel(WAITING_MAX).0);
            sender.subscribe()
        });
        Ok(stream::unfold(receiver, |mut receiver| async move {
            loop {
                match receiver.recv().await {
                    Ok(value) => return Some((value, receiver)),
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        })
        .boxed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRIES_MAX: usize = Sort::Value.entries_max();

    async fn filled(entries: u64) -> MemoryCache {
        let cache = MemoryCache::default();
        for number in 0..entries {
            let lives = Duration::from_secs(10 + number);
            cache.put(number.to_string(), json!(number), lives).await.unwrap();
        }
        cache
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_bounded_and_drops_what_ends_first() {
        let cache = filled(ENTRIES_MAX as u64 + 1).await;
        assert!(cache.with(|inner| inner.entries.len()) <= ENTRIES_MAX);
        assert_eq!(cache.get("0".into()).await.unwrap(), None);
        let newest = ENTRIES_MAX.to_string();
        assert_eq!(cache.get(newest).await.unwrap(), Some(json!(ENTRIES_MAX)));
    }

    /// Whoever asks for many accounts, or signs in under many names, drops nobody's session, and no lock-out by copies.
    #[tokio::test(start_paused = true)]
    async fn what_strangers_fill_drops_only_its_like() {
        let (cache, minute, day) =
            (MemoryCache::default(), Duration::from_secs(60), Duration::from_secs(86_400));
        cache.put("half a log-in".into(), json!(1), minute).await.unwrap();
        cache.count("tries".into(), minute).await.unwrap();
        assert!(cache.put_new("lock".into(), json!(1), minute).await.unwrap());
        for number in 0..2 * Sort::Copy.entries_max() {
            cache.put_copy(format!("account:{number}"), json!(number), day).await.unwrap();
        }
        assert_eq!(cache.get("half a log-in".into()).await.unwrap(), Some(json!(1)));
        assert_eq!(cache.count("tries".into(), minute).await.unwrap().count, 2);
        assert!(!cache.put_new("lock".into(), json!(2), minute).await.unwrap());
        for number in 0..2 * Sort::Count.entries_max() {
            cache.count(format!("tries:{number}"), 2 * minute).await.unwrap();
        }
        assert_eq!(cache.get("half a log-in".into()).await.unwrap(), Some(json!(1)));
        // The books of its room are right, whatever changes sort, ends or is removed.
        cache.put("tries:1".into(), json!(1), day).await.unwrap();
        cache.put_copy("half a log-in".into(), json!(1), day).await.unwrap();
        cache.remove("lock".into()).await.unwrap();
        tokio::time::advance(3 * minute).await;
        assert_eq!(cache.get("tries:99999".into()).await.unwrap(), None);
        cache.with(|inner| {
            for sort in [Sort::Value, Sort::Count, Sort::Copy] {
                let counted = inner.entries.values().filter(|entry| entry.sort == sort).count();
                assert_eq!(inner.sizes[sort as usize], counted, "{sort:?}");
                assert!(counted <= sort.entries_max(), "{sort:?}");
            }
        });
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_over_makes_room_first() {
        let cache = filled(ENTRIES_MAX as u64).await;
        tokio::time::advance(Duration::from_secs(9 + ENTRIES_MAX as u64)).await;
        cache.put("new".into(), json!(1), Duration::from_secs(1)).await.unwrap();
        assert_eq!(cache.with(|inner| inner.entries.len()), 1);
    }
}
