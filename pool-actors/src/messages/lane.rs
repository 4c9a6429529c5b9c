//! Shares of a generation that is not proven: kept where they can be taken away from code that hangs.
//!
//! A mailbox belongs to its actor's thread; if foreign code never returns there, nobody gets at what waits in it. So a
//! worker of an unproven generation takes *copies* of headers out of its lane, and the shares (with their tickets) only
//! once it has their hashes. Whoever redirects the lane meanwhile takes them all, those being hashed too: a worker that
//! comes back late finds them gone, and nothing is judged twice.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix::Message;
use pool_domain::{share::LostReason, target::Target};
use tokio::time::Instant;

use super::{job::Job, route::ValidatorDoor, share::Share};

/// Tries of a share that gets no hash, where no other generation computes its function.
const TRIES_MAX: u8 = 3;

/// To a lane's worker: there are shares in your lane.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct LaneWork;

/// See the module's documentation. Bounded by the tickets in the shares.
#[derive(Default)]
pub struct ShareLane {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Share>,
    in_hand: Vec<Share>,
    /// Without a hash so far: kept back for another try.
    held: Vec<Share>,
    /// Number of the batch in hand.
    batch: u64,
    /// Since when the worker has been inside foreign code.
    busy_since: Option<Instant>,
    onward: Onward,
}

#[derive(Default)]
enum Onward {
    /// The worker judges.
    #[default]
    Here,
    /// Others judge what was here and what still comes.
    To(ValidatorDoor),
    /// Nobody does: the pool stops.
    Closed,
}

/// What a worker needs to hash, while the shares stay in the lane.
#[derive(Debug)]
pub struct Batch {
    number: u64,
    /// Proof-of-work inputs.
    pub headers: Vec<[u8; 80]>,
    /// The bound of each share, and its job (for the bound of a block).
    pub bounds: Vec<(Target, Arc<Job>)>,
}

impl ShareLane {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes shares in, or sends them on if the lane was redirected. Whether the worker has to be woken.
    pub(super) fn put(&self, shares: Vec<Share>) -> bool {
        let mut state = self.state();
        match &state.onward {
            Onward::Here => {
                let idle = state.waiting.is_empty();
                state.waiting.extend(shares);
                idle
            }
            Onward::To(door) => {
                let door = door.clone();
                drop(state);
                door.send(shares);
                false
            }
            Onward::Closed => {
                drop(state);
                lose(shares);
                false
            }
        }
    }

    /// The next shares to hash, oldest first, `max` at most. What a dead worker had in hand comes first.
    #[must_use]
    pub fn take(&self, max: usize) -> Option<Batch> {
        let mut state = self.state();
        let left = std::mem::take(&mut state.in_hand);
        for share in left.into_iter().rev() {
            state.waiting.push_front(share);
        }
        let count = state.waiting.len().min(max);
        if count == 0 {
            return None;
        }
        let in_hand: Vec<Share> = state.waiting.drain(..count).collect();
        state.batch += 1;
        state.busy_since = Some(Instant::now());
        let batch = Batch {
            number: state.batch,
            headers: in_hand.iter().map(|share| share.header).collect(),
            bounds: in_hand.iter().map(|share| (share.target, Arc::clone(&share.job))).collect(),
        };
        state.in_hand = in_hand;
        Some(batch)
    }

    /// The shares of a batch that was hashed; `None` if they were taken away meanwhile: then its hashes are worth nothing.
    #[must_use]
    pub fn finish(&self, batch: &Batch) -> Option<Vec<Share>> {
        let mut state = self.state();
        state.busy_since = None;
        (state.batch == batch.number && matches!(state.onward, Onward::Here))
            .then(|| std::mem::take(&mut state.in_hand))
    }

    /// Keeps shares back that got no hash: for whoever judges after this worker, or for its next try. Those that were
    /// tried too often are lost with a reason.
    pub fn hold(&self, shares: Vec<Share>) {
        let (again, given_up): (Vec<_>, Vec<_>) = shares
            .into_iter()
            .map(|share| Share { validations: share.validations.saturating_add(1), ..share })
            .partition(|share| share.validations < TRIES_MAX);
        for share in given_up {
            share.ticket.lost(LostReason::SlotGone);
        }
        let mut state = self.state();
        if matches!(state.onward, Onward::Here) {
            state.held.extend(again);
        } else {
            drop(state);
            self.put(again);
        }
    }

    /// What was kept back is tried again.
    pub fn release(&self) {
        let mut state = self.state();
        let held = std::mem::take(&mut state.held);
        for share in held.into_iter().rev() {
            state.waiting.push_front(share);
        }
    }

    /// The worker enters foreign code without a share in hand (shadow work).
    pub fn enter(&self) {
        self.state().busy_since = Some(Instant::now());
    }

    /// It came back.
    pub fn leave(&self) {
        self.state().busy_since = None;
    }

    /// How long the worker has been inside foreign code by now.
    #[must_use]
    pub fn busy_for(&self) -> Duration {
        self.state().busy_since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Shares that were handed over and are not judged yet.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        let state = self.state();
        state.waiting.len() + state.in_hand.len() + state.held.len()
    }

    /// From now on others judge: everything in the lane goes there at once, and so does what still comes.
    pub fn redirect(&self, door: &ValidatorDoor) {
        let mut state = self.state();
        if matches!(state.onward, Onward::Closed) {
            return;
        }
        state.onward = Onward::To(door.clone());
        let shares = state.empty();
        drop(state);
        door.send(shares);
    }

    /// Nobody judges any more: what is here, and what still comes, is lost with a reason.
    pub fn close(&self) {
        let mut state = self.state();
        state.onward = Onward::Closed;
        let shares = state.empty();
        drop(state);
        lose(shares);
    }
}

impl State {
    fn empty(&mut self) -> Vec<Share> {
        let mut shares = std::mem::take(&mut self.held);
        shares.append(&mut self.in_hand);
        shares.extend(self.waiting.drain(..));
        shares
    }
}

fn lose(shares: Vec<Share>) {
    for share in shares {
        share.ticket.lost(LostReason::ShuttingDown);
    }
}

impl fmt::Debug for ShareLane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShareLane").field("in_flight", &self.in_flight()).finish_non_exhaustive()
    }
}
