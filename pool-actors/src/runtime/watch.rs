//! A watched value: the newest version of something, cheap to read, with a wake-up when it changes.
//!
//! Conflating: a reader that was busy sees the newest value only. Reading takes a few nanoseconds and never waits for
//! the publisher (route tables are read per job, addresses per message).

use std::{fmt, sync::Arc};

use arc_swap::{ArcSwap, Guard};
use tokio::sync::watch;

/// The writing end. When it is dropped, readers keep the last value and learn that it will not change again.
pub struct Publisher<T> {
    cell: Arc<ArcSwap<T>>,
    version: watch::Sender<u64>,
}

/// The reading end; clones follow independently.
pub struct Watched<T> {
    cell: Arc<ArcSwap<T>>,
    version: watch::Receiver<u64>,
}

/// The publisher has gone: the value will not change again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the publisher of this value has gone")]
pub struct Closed;

/// A new value and its first reader.
pub fn watched<T>(first: T) -> (Publisher<T>, Watched<T>) {
    let cell = Arc::new(ArcSwap::from_pointee(first));
    let (tx, rx) = watch::channel(0);
    (Publisher { cell: Arc::clone(&cell), version: tx }, Watched { cell, version: rx })
}

impl<T> Publisher<T> {
    /// Publishes a new value and wakes the readers that wait.
    pub fn set(&self, value: T) {
        self.set_shared(Arc::new(value));
    }

    /// As [`Self::set`], for a value that is shared already.
    pub fn set_shared(&self, value: Arc<T>) {
        // Value first: a reader that sees the new version must not load the old value.
        self.cell.store(value);
        self.version.send_modify(|version| *version += 1);
    }

    /// The newest value.
    #[must_use]
    pub fn get(&self) -> Arc<T> {
        self.cell.load_full()
    }

    /// Another reader; it has seen the present value.
    #[must_use]
    pub fn watched(&self) -> Watched<T> {
        Watched { cell: Arc::clone(&self.cell), version: self.version.subscribe() }
    }
}

impl<T> Watched<T> {
    /// The newest value, borrowed: do not hold it across an `await`.
    #[must_use]
    pub fn load(&self) -> Guard<Arc<T>> {
        self.cell.load()
    }

    /// The newest value, to keep.
    #[must_use]
    pub fn get(&self) -> Arc<T> {
        self.cell.load_full()
    }

    /// Waits until the value has changed since this reader last waited or called [`Self::mark_seen`].
    ///
    /// # Errors
    /// [`Closed`] when it will not change again.
    pub async fn changed(&mut self) -> Result<Arc<T>, Closed> {
        self.version.changed().await.map_err(|_| Closed)?;
        Ok(self.cell.load_full())
    }

    /// Waits until the value satisfies `wanted` (at once, if it does already).
    ///
    /// # Errors
    /// [`Closed`] when it does not, and will not change again.
    pub async fn wait_for(&mut self, wanted: impl Fn(&T) -> bool) -> Result<Arc<T>, Closed> {
        loop {
            self.mark_seen();
            let value = self.cell.load_full();
            if wanted(&value) {
                return Ok(value);
            }
            self.version.changed().await.map_err(|_| Closed)?;
        }
    }

    /// Makes [`Self::changed`] wait for a later value than the present one.
    pub fn mark_seen(&mut self) {
        self.version.mark_unchanged();
    }
}

impl<T> Clone for Watched<T> {
    fn clone(&self) -> Self {
        Self { cell: Arc::clone(&self.cell), version: self.version.clone() }
    }
}

impl<T> fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("version", &*self.version.borrow()).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Publisher<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").field("version", &*self.version.borrow()).finish_non_exhaustive()
    }
}
