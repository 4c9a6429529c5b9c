//! Where shares are validated: a watched table that sessions read when shares arrive. The (slot, generation) was pinned
//! when the job was issued; this only says who serves it now, on each arbiter.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use pool_domain::{
    difficulty::Difficulty,
    functions::Functions,
    ids::{AlgorithmName, Route},
    share::LostReason,
    traffic_split::TrafficSplit,
};

use super::{
    lane::{LaneWork, ShareLane},
    share::{Share, ValidateBatch},
};
use crate::runtime::outbox::Outbox;

/// What jobs are issued for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InService {
    /// Each function, the main one first, and which generation serves whose shares of its jobs.
    pub work: Vec<(AlgorithmName, TrafficSplit)>,
    /// Who mines which.
    pub functions: Arc<Functions>,
    /// Where the packages in service say one: the difficulty at which sessions begin to work on a function.
    pub starts: Vec<(AlgorithmName, Difficulty)>,
}

impl Default for InService {
    /// Nothing yet.
    fn default() -> Self {
        let nothing = AlgorithmName::new("none").expect("a name");
        Self { work: Vec::new(), functions: Arc::new(Functions::only(nothing)), starts: Vec::new() }
    }
}

impl InService {
    /// One function for everyone.
    #[must_use]
    pub fn only(function: &AlgorithmName, split: TrafficSplit) -> Self {
        let functions = Arc::new(Functions::only(function.clone()));
        Self { work: vec![(function.clone(), split)], functions, starts: Vec::new() }
    }

    /// Two functions, as in a migration: the main one first, each with the generation that serves it.
    #[must_use]
    pub fn moving(functions: Functions, main: Route, to: Route) -> Self {
        let mut work = vec![(functions.main.clone(), TrafficSplit::whole(main))];
        work.extend(functions.moving.as_ref().map(|moving| (moving.to.clone(), TrafficSplit::whole(to))));
        Self { work, functions: Arc::new(functions), starts: Vec::new() }
    }

    /// The same, with the difficulties that the packages of the main function and of the other one say.
    #[must_use]
    pub fn beginning_at(mut self, main: Option<u64>, other: Option<u64>) -> Self {
        let functions = self.work.iter().map(|(function, _)| function.clone());
        let starts = functions.zip([main, other]);
        self.starts =
            starts.filter_map(|(function, start)| Some((function, Difficulty::whole(start?)))).collect();
        self
    }

    /// The difficulty at which sessions begin to work on a function, if its package says one.
    #[must_use]
    pub fn start_of(&self, function: &AlgorithmName) -> Option<Difficulty> {
        self.starts.iter().find(|(known, _)| known == function).map(|(_, start)| *start)
    }
}

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
pub struct ValidatorDoor(Way);

#[derive(Debug, Clone)]
enum Way {
    /// A validator of a proven generation: shares go into its mailbox.
    Mailbox { outbox: Outbox<ValidateBatch>, rescue: Arc<Rescue> },
    /// A worker of a generation that is not proven: shares stay where they can be taken away from it.
    Lane { lane: Arc<ShareLane>, wake: Outbox<LaneWork> },
}

impl ValidatorDoor {
    /// A door to the validator behind `outbox`, whose unfinished shares `rescue` keeps.
    #[must_use]
    pub fn new(outbox: Outbox<ValidateBatch>, rescue: Arc<Rescue>) -> Self {
        Self(Way::Mailbox { outbox, rescue })
    }

    /// A door to the worker behind `wake`, which takes its shares from `lane`.
    #[must_use]
    pub fn to_lane(lane: Arc<ShareLane>, wake: Outbox<LaneWork>) -> Self {
        Self(Way::Lane { lane, wake })
    }

    /// Hands shares over. None is lost if the validator dies: they wait for its successor. Bounded by the tickets in
    /// the shares.
    pub fn send(&self, shares: Vec<Share>) {
        if shares.is_empty() {
            return;
        }
        match &self.0 {
            Way::Mailbox { outbox, rescue } => {
                // A refused batch comes back and is rescued as it is dropped.
                let _ = outbox.post(ValidateBatch::new(shares, Arc::clone(rescue)));
            }
            Way::Lane { lane, wake } => {
                if lane.put(shares) {
                    // A worker that is down looks into its lane when it comes back; a full mailbox holds a wake-up.
                    wake.offer(LaneWork);
                }
            }
        }
    }
}

/// Shares whose validator died before it judged them, kept for its successor.
#[derive(Default)]
pub struct Rescue {
    shares: Mutex<VecDeque<Share>>,
    /// Shares on their way to the validator, and those that wait here.
    in_flight: AtomicUsize,
    closed: AtomicBool,
    /// Who judges instead, once the generation is retired.
    onward: OnceLock<ValidatorDoor>,
}

/// A share is handed to a second validator if the first died over it; not to a third, since it may be what kills them.
const VALIDATIONS_MAX: u8 = 2;

impl Rescue {
    /// Shares that were handed over and are not judged yet.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Acquire)
    }

    pub(super) fn sent(&self, shares: usize) {
        self.in_flight.fetch_add(shares, Ordering::AcqRel);
    }

    pub(super) fn done(&self, shares: usize) {
        self.in_flight.fetch_sub(shares, Ordering::AcqRel);
    }

    /// Keeps the shares for the successor; those tried too often, and all once closed, are lost with a reason.
    pub(super) fn keep(&self, shares: impl Iterator<Item = Share>) {
        if let Some(door) = self.onward.get() {
            door.send(shares.map(|share| Share { validations: 0, ..share }).collect());
            return;
        }
        let closed = self.closed.load(Ordering::Acquire);
        for share in shares {
            if closed {
                share.ticket.lost(LostReason::ShuttingDown);
            } else if share.validations >= VALIDATIONS_MAX {
                share.ticket.lost(LostReason::Dropped);
            } else {
                self.sent(1);
                self.shares.lock().unwrap_or_else(PoisonError::into_inner).push_back(share);
            }
        }
    }

    /// The oldest share that a predecessor left; the others stay safe here while it is judged.
    #[must_use]
    pub fn take(&self) -> Option<Share> {
        let share = self.shares.lock().unwrap_or_else(PoisonError::into_inner).pop_front()?;
        self.done(1);
        Some(share)
    }

    /// The generation is retired: what is kept, and what still comes, is judged behind `door`.
    pub fn redirect(&self, door: ValidatorDoor) {
        let door = self.onward.get_or_init(|| door);
        let left: Vec<Share> = std::iter::from_fn(|| self.take()).collect();
        door.send(left.into_iter().map(|share| Share { validations: 0, ..share }).collect());
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
