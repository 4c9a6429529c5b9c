//! A few instances of one algorithm for many threads.

use super::{error::LoadError, failure};
use plugin_sdk::AlgorithmError;
use std::{
    cell::Cell,
    sync::{
        Mutex, MutexGuard, TryLockError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Makes instances.
pub(super) trait Mold: Send + Sync {
    /// What calls go to; for one thread at a time.
    type Instance: Send;
    /// One more.
    fn cast(&self) -> Result<Self::Instance, LoadError>;
}

/// Instances of one mold; a thread that hashes keeps to its own as long as there are enough.
pub(super) struct Slots<M: Mold> {
    mold: M,
    slots: Box<[Mutex<Option<M::Instance>>]>,
}

impl<M: Mold> Slots<M> {
    /// With the first instance made already; there will be no more than `count`.
    pub(super) fn new(mold: M, first: M::Instance, count: usize) -> Self {
        let mut slots: Vec<_> = (0..count.max(1)).map(|_| Mutex::new(None)).collect();
        slots[home() % count.max(1)] = Mutex::new(Some(first));
        Self { mold, slots: slots.into() }
    }

    /// The thread's own slot, else any free one, else the own one when it is free again.
    fn slot(&self) -> MutexGuard<'_, Option<M::Instance>> {
        let (count, home) = (self.slots.len(), home());
        for i in 0..count {
            match self.slots[(home + i) % count].try_lock() {
                Ok(slot) => return slot,
                Err(TryLockError::Poisoned(slot)) => return discarded(slot.into_inner()),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        self.slots[home % count].lock().unwrap_or_else(|slot| discarded(slot.into_inner()))
    }

    /// Calls an instance. One that broke is dropped; the next call makes another.
    pub(super) fn with<R>(
        &self,
        call: impl FnOnce(&mut M::Instance) -> Result<R, AlgorithmError>,
    ) -> Result<R, AlgorithmError> {
        let mut slot = self.slot();
        let instance =
            match &mut *slot {
                Some(instance) => instance,
                empty => empty.insert(self.mold.cast().map_err(|e| {
                    failure::broken(failure::HOST, format!("it could not be made anew: {e}"))
                })?),
            };
        let result = call(instance);
        if matches!(result, Err(AlgorithmError::Broken { .. })) {
            *slot = None;
        }
        result
    }
}

/// Whoever panicked with the lock left an instance in an unknown state.
fn discarded<I>(mut slot: MutexGuard<'_, Option<I>>) -> MutexGuard<'_, Option<I>> {
    *slot = None;
    slot
}

/// A number of this thread: the first to ask has 0.
fn home() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static HOME: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    HOME.with(|home| {
        if home.get() == usize::MAX {
            home.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        home.get()
    })
}
