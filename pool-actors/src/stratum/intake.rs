//! Intake: the shares of an arbiter's sessions on their way to the validators.
//!
//! A message per socket read costs as much as a share's hash when reads bring one share each. So shares are gathered
//! while the sessions that have something to read get their turns, and the hub, woken by the first of them and therefore
//! queued behind those sessions, hands them over: one message per route and turn of the arbiter, or per [`TOGETHER`].

use std::{
    cell::{Cell, RefCell},
    task::Waker,
};

use pool_domain::{ids::Route, share::LostReason};
use smallvec::SmallVec;

use crate::{
    messages::{route::RouteTable, share::Share},
    runtime::watch::Watched,
};

/// Shares that go in one message: enough for its cost not to count, few enough for a slow algorithm to answer the first
/// of them soon, and for little to be hashed again if it panics.
const TOGETHER: usize = 64;
/// Shares of one read beyond that are handed over before its end.
const TOGETHER_MAX: usize = 2 * TOGETHER;

/// See the module's documentation.
#[derive(Debug)]
pub struct Intake {
    arbiter: usize,
    routes: Watched<RouteTable>,
    gathered: RefCell<Vec<(Route, Vec<Share>)>>,
    /// Of the hub; without it shares are handed over one by one.
    hub: RefCell<Option<Waker>>,
    hub_called: Cell<bool>,
}

impl Intake {
    /// For the sessions of an arbiter.
    #[must_use]
    pub fn new(arbiter: usize, routes: Watched<RouteTable>) -> Self {
        Self {
            arbiter,
            routes,
            gathered: RefCell::default(),
            hub: RefCell::default(),
            hub_called: Cell::default(),
        }
    }

    /// Takes a share for its validator.
    pub fn put(&self, route: Route, share: Share) {
        let mut gathered = self.gathered.borrow_mut();
        // One route, or two while a roll-out is under way.
        let at = gathered.iter().position(|(known, _)| *known == route).unwrap_or_else(|| {
            gathered.push((route, Vec::with_capacity(TOGETHER_MAX)));
            gathered.len() - 1
        });
        let shares = &mut gathered[at].1;
        shares.push(share);
        let full = shares.len() >= TOGETHER_MAX;
        drop(gathered);
        if full {
            self.hand_over_full();
        }
        if !self.hub_called.replace(true) {
            match &*self.hub.borrow() {
                Some(hub) => hub.wake_by_ref(),
                None => self.hand_over(),
            }
        }
    }

    /// All shares of a read are in. What is enough for a message goes now, and never before: shares that were read together
    /// are committed and answered together, in one packet, to which the miner's next ones come together again.
    pub fn read_ends(&self) {
        if self.gathered.borrow().iter().any(|(_, shares)| shares.len() >= TOGETHER) {
            self.hand_over_full();
        }
    }

    fn hand_over_full(&self) {
        let mut full = SmallVec::<[_; 2]>::new();
        for (route, shares) in &mut *self.gathered.borrow_mut() {
            if shares.len() >= TOGETHER {
                full.push((*route, std::mem::replace(shares, Vec::with_capacity(TOGETHER_MAX))));
            }
        }
        full.into_iter().for_each(|(route, shares)| self.send(route, shares));
    }

    /// Hands over what was gathered.
    pub fn hand_over(&self) {
        self.hub_called.set(false);
        for (route, shares) in self.gathered.take() {
            self.send(route, shares);
        }
    }

    fn send(&self, route: Route, shares: Vec<Share>) {
        if shares.is_empty() {
            return;
        }
        let routes = self.routes.load();
        let Some(door) = routes.validator(route, self.arbiter) else {
            // The generation was retired while shares for it were still on their way.
            tracing::warn!(%route, shares = shares.len(), "no validator serves this route any more");
            shares.into_iter().for_each(|share| share.ticket.lost(LostReason::SlotGone));
            return;
        };
        door.send(shares);
    }

    /// The hub is there: how it is woken.
    pub fn served_by(&self, hub: &Waker) {
        let mut known = self.hub.borrow_mut();
        if !known.as_ref().is_some_and(|known| known.will_wake(hub)) {
            *known = Some(hub.clone());
        }
    }

    /// The hub has gone: what is gathered is handed over now, and what still comes, one by one.
    pub fn unserved(&self) {
        self.hub.take();
        self.hand_over();
    }
}
