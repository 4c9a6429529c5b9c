//! Where shares are validated: a watched table that sessions read when shares arrive. The (slot, generation) was pinned
//! when the job was issued; this only says who serves it now, on each arbiter.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use pool_domain::{ids::Route, share::LostReason};

use super::share::{Share, ValidateBatch};
use crate::runtime::outbox::Outbox;

/// Every validator in service.
#[derive(Debug, Clone, Default)]
pub struct RouteTable {
    doors: Vec<(Route, Vec<ValidatorDoor>)>,
}

impl RouteTable {
    /// A table of routes, each with one door per arbiter.
    #[must_use]
    pub fn new(doors: Vec<(Route, Vec<ValidatorDoor>)>) -> Self {
        Self { doors }
    }

    /// The validator that serves `route` for sessions of `arbiter`; `None` once the generation is retired.
    #[must_use]
    pub fn validator(&self, route: Route, arbiter: usize) -> Option<&ValidatorDoor> {
        // A handful of generations at most: a scan beats a map.
        let (_, doors) = self.doors.iter().find(|(known, _)| *known == route)?;
        doors.get(arbiter % doors.len().max(1))
    }

    /// The routes in service.
    pub fn routes(&self) -> impl Iterator<Item = Route> + '_ {
        self.doors.iter().map(|(route, _)| *route)
    }
}

/// The way to one validator, through its restarts.
#[derive(Debug, Clone)]
pub struct ValidatorDoor {
    outbox: Outbox<ValidateBatch>,
    rescue: Arc<Rescue>,
}

impl ValidatorDoor {
    /// A door to the validator behind `outbox`, whose unfinished shares `rescue` keeps.
    #[must_use]
    pub fn new(outbox: Outbox<ValidateBatch>, rescue: Arc<Rescue>) -> Self {
        Self { outbox, rescue }
    }

    /// Hands shares over. None is lost if the validator dies: they wait for its successor. Bounded by the tickets in
    /// the shares.
    pub fn send(&self, shares: Vec<Share>) {
        if !shares.is_empty() {
            // A refused batch comes back and is rescued as it is dropped.
            let _ = self.outbox.post(ValidateBatch::new(shares, Arc::clone(&self.rescue)));
        }
    }
}

/// Shares whose validator died before it judged them, kept for its successor.
#[derive(Default)]
pub struct Rescue {
    shares: Mutex<VecDeque<Share>>,
    closed: AtomicBool,
}

/// A share is handed to a second validator if the first died over it; not to a third, since it may be what kills them.
const VALIDATIONS_MAX: u8 = 2;

impl Rescue {
    /// Keeps the shares for the successor; those tried too often, and all once closed, are lost with a reason.
    pub(super) fn keep(&self, shares: impl Iterator<Item = Share>) {
        let closed = self.closed.load(Ordering::Acquire);
        for share in shares {
            if closed {
                share.ticket.lost(LostReason::ShuttingDown);
            } else if share.validations >= VALIDATIONS_MAX {
                share.ticket.lost(LostReason::Dropped);
            } else {
                self.shares.lock().unwrap_or_else(PoisonError::into_inner).push_back(share);
            }
        }
    }

    /// The oldest share that a predecessor left; the others stay safe here while it is judged.
    #[must_use]
    pub fn take(&self) -> Option<Share> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// No successor will come: what is kept, and what still comes, is lost with a reason.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        while let Some(share) = self.take() {
            share.ticket.lost(LostReason::ShuttingDown);
        }
    }
}

impl fmt::Debug for Rescue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rescue").finish_non_exhaustive()
    }
}
