//! AlgorithmSlot: one generation of an algorithm in service.
//!
//! * **receives** [`SlotReport`] from its validators or trial workers, [`Observe`]
//! * **sends** nothing; publishes its counts, which operators and roll-outs judge its health by
//! * **supervised by** the supervisor it is started under; who hashes for it is supervised beside it
//! * **on overload** reports are summed up by who sends them; shares are not its business

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use actix::{Actor, Context, Handler, Message, MessageResult};
use plugin_sdk::{AlgorithmInfo, PowAlgorithm};
use pool_domain::{ids::Route, isolation::Level, slot_health::SlotCounts};

use serde::Serialize;

use super::{
    judge::Unsent,
    shadow::ShadowTap,
    trial::{self, SlotAlarm, TrialWorker},
    validator::{Parts, ShareValidator},
};
use crate::{
    messages::{
        journal::AppendShares,
        lane::{LaneWork, ShareLane},
        route::{Rescue, ValidatorDoor},
        share::ValidateBatch,
    },
    metrics::{SLOT_PANICS_TOTAL, SLOT_RESTARTS_TOTAL},
    runtime::{
        Runtime,
        arbiters::Arbiters,
        observe::{Observation, Observe},
        outbox::Outbox,
        supervisor::{Policy, RestartLimits, Spec, Supervised, supervise},
        watch::{Publisher, Watched, watched},
    },
};

/// Shadow batches that wait for a trial worker; more are left out.
const TRIAL_MAILBOX: usize = 64;
/// How often a trial's lanes are looked at while they drain.
const DRAIN_POLL: Duration = Duration::from_millis(5);
/// Longest wait for a trial's workers to end; who hangs in foreign code never does.
const END_MAX: Duration = Duration::from_secs(1);

/// Where a generation is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Life {
    /// Its workers start.
    Loading,
    /// It hashes for nobody yet.
    Warm,
    /// It hashes what another generation judges.
    Shadow,
    /// It judges shares.
    Serving,
    /// It finishes what it has; new jobs go elsewhere.
    Draining,
    /// It is gone.
    Retired,
}

impl Life {
    /// Its name in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loading => "loading",
            Self::Warm => "warm",
            Self::Shadow => "shadow",
            Self::Serving => "serving",
            Self::Draining => "draining",
            Self::Retired => "retired",
        }
    }
}

/// What a validator did since its last report.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct SlotReport(pub Box<SlotCounts>);

/// What outlives a slot's actor.
#[derive(Clone)]
struct Board {
    algorithm: String,
    version: String,
    route: Route,
    counts: Arc<Publisher<SlotCounts>>,
    life: Arc<Publisher<Life>>,
}

/// See the module's documentation.
pub struct AlgorithmSlot(Board);

impl Actor for AlgorithmSlot {
    type Context = Context<Self>;
}

impl Handler<SlotReport> for AlgorithmSlot {
    type Result = ();

    fn handle(&mut self, SlotReport(news): SlotReport, _: &mut Self::Context) {
        let mut counts = *self.0.counts.get();
        counts.add(&news);
        self.0.counts.set(counts);
    }
}

impl Handler<Observe> for AlgorithmSlot {
    type Result = MessageResult<Observe>;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Self::Result {
        #[derive(Serialize)]
        struct State<'a> {
            algorithm: &'a str,
            version: &'a str,
            slot: u16,
            generation: u32,
            life: Life,
            validated: u64,
            accepted: u64,
            errors: u64,
            traps: u64,
            compared: u64,
            candidates: u64,
        }
        let counts = self.0.counts.get();
        MessageResult(Observation::of(&State {
            algorithm: &self.0.algorithm,
            version: &self.0.version,
            slot: self.0.route.slot.0,
            generation: self.0.route.generation.0,
            life: *self.0.life.get(),
            validated: counts.shares,
            accepted: counts.accepted,
            errors: counts.errors,
            traps: counts.traps,
            compared: counts.compared,
            candidates: counts.candidates,
        }))
    }
}

/// Where generations run, and where their good shares go.
#[derive(Clone)]
pub struct Place {
    /// The sessions' arbiters.
    pub runtime: Runtime,
    /// Those of algorithms that take long.
    pub workers: Runtime,
    /// Arbiters of its own for each generation on trial; 0 = on the caller's.
    pub trial_arbiters: usize,
    /// The journal's shards.
    pub journal: Vec<Outbox<AppendShares>>,
    /// Blocks whose job's owner was down, of all generations.
    pub unsent: Arc<Unsent>,
    /// Algorithms of this program: who hashes where a package's code of the same function gives no hash.
    pub linked_in: Vec<Arc<dyn PowAlgorithm>>,
}

impl Place {
    /// The same for code at a level: calls into a child process wait, so they stay off the sessions' arbiters.
    #[must_use]
    pub fn at(&self, level: Level) -> Self {
        match level {
            Level::Process => Self { runtime: self.workers.clone(), ..self.clone() },
            Level::Wasm | Level::InProcess => self.clone(),
        }
    }
}

/// By what a generation on trial is checked.
#[derive(Clone)]
pub struct Checks {
    /// What computes the same function, is known to be good, and has the last word.
    pub reference: Option<Arc<dyn PowAlgorithm>>,
    /// Shadow traffic is of the same function.
    pub comparable: bool,
    /// First part of the names of its workers.
    pub name: &'static str,
}

impl Checks {
    /// By a generation of the same function, whose traffic it shadows.
    #[must_use]
    pub fn by(reference: &Arc<dyn PowAlgorithm>) -> Self {
        Self { reference: Some(Arc::clone(reference)), comparable: true, name: "trial" }
    }
}

/// Who hashes.
enum Service {
    /// Proven: a validator per journal shard, on the sessions' arbiters (or among the workers).
    Proven { validators: Vec<Supervised<ShareValidator>>, rescues: Vec<Arc<Rescue>> },
    /// On trial: a worker per journal shard, on arbiters of its own.
    Trial { runtime: Runtime, workers: Vec<Supervised<TrialWorker>>, lanes: Vec<Arc<ShareLane>> },
}

/// A generation in service: its slot actor and who hashes for it, one per journal shard.
pub struct SlotHandle {
    /// What it serves.
    pub route: Route,
    algorithm: Arc<dyn PowAlgorithm>,
    board: Board,
    counts: Watched<SlotCounts>,
    slot: Supervised<AlgorithmSlot>,
    service: Service,
    doors: Vec<ValidatorDoor>,
    tap: Arc<Publisher<Option<ShadowTap>>>,
}

impl SlotHandle {
    /// Starts a proven generation with a validator for each journal shard: on that shard's seat, so that a share stays on
    /// one thread, or among the workers if a hash takes long, so that sessions are not held up.
    #[must_use]
    pub fn start(place: &Place, route: Route, algorithm: &Arc<dyn PowAlgorithm>) -> Self {
        let (board, slot) = start_slot(place, route, algorithm, Life::Serving);
        let tap = Arc::new(watched(None).0);
        let service = start_validators(place, route, algorithm, &slot, &tap);
        Self::of(route, algorithm, board, slot, service, tap)
    }

    /// Starts a generation that must prove itself, on arbiters of its own.
    ///
    /// # Errors
    /// When the system refuses threads.
    pub fn start_trial(
        place: &Place,
        route: Route,
        algorithm: &Arc<dyn PowAlgorithm>,
        checks: &Checks,
        alarms: &Outbox<SlotAlarm>,
    ) -> io::Result<Self> {
        let runtime = Runtime {
            arbiters: Arbiters::start(place.trial_arbiters)?,
            shutdown: place.runtime.shutdown.clone(),
            registry: place.runtime.registry.clone(),
        };
        let (board, slot) = start_slot(place, route, algorithm, Life::Loading);
        let lanes: Vec<_> = place.journal.iter().map(|_| Arc::new(ShareLane::default())).collect();
        let workers = (place.journal.iter().zip(&lanes).enumerate())
            .map(|(seat, (journal, lane))| {
                let parts = trial::Parts {
                    route,
                    algorithm: Arc::clone(algorithm),
                    reference: checks.reference.clone(),
                    comparable: checks.comparable,
                    lane: Arc::clone(lane),
                    journal: journal.clone(),
                    slot: slot.outbox(),
                    unsent: Arc::clone(&place.unsent),
                    alarms: alarms.clone(),
                };
                let name = format!("{}-{}-{}-{seat}", checks.name, route.slot, route.generation);
                let spec = Spec { mailbox: TRIAL_MAILBOX, ..spec(name, "TrialWorker", seat) };
                supervise(&runtime, spec, move |_| TrialWorker::new(parts.clone())).observable().passing()
            })
            .collect();
        let service = Service::Trial { runtime, workers, lanes };
        Ok(Self::of(route, algorithm, board, slot, service, Arc::new(watched(None).0)))
    }

    fn of(
        route: Route,
        algorithm: &Arc<dyn PowAlgorithm>,
        board: Board,
        slot: Supervised<AlgorithmSlot>,
        service: Service,
        tap: Arc<Publisher<Option<ShadowTap>>>,
    ) -> Self {
        let counts = board.counts.watched();
        let doors = service.doors();
        Self { route, algorithm: Arc::clone(algorithm), board, counts, slot, service, doors, tap }
    }

    /// The hash function.
    #[must_use]
    pub fn algorithm(&self) -> &Arc<dyn PowAlgorithm> {
        &self.algorithm
    }

    /// What it says about itself.
    #[must_use]
    pub fn info(&self) -> AlgorithmInfo {
        self.algorithm.info()
    }

    /// What it did so far.
    #[must_use]
    pub fn counts(&self) -> SlotCounts {
        *self.counts.get()
    }

    /// Where it is in its life.
    #[must_use]
    pub fn life(&self) -> Life {
        *self.board.life.get()
    }

    /// It goes on in its life.
    pub fn set_life(&self, life: Life) {
        self.board.life.set(life);
    }

    /// The doors of this generation, one per arbiter.
    #[must_use]
    pub fn doors(&self) -> Vec<ValidatorDoor> {
        self.doors.clone()
    }

    /// Lets a generation on trial hash a part of this one's shares, for comparison; `None` ends that.
    pub fn tap(&self, tap: Option<ShadowTap>) {
        self.tap.set(tap);
    }

    /// A tap to this generation's trial workers.
    pub fn shadow_tap(&self, share: pool_domain::units::BasisPoints) -> Option<ShadowTap> {
        match &self.service {
            Service::Proven { .. } => None,
            Service::Trial { workers, .. } => {
                Some(ShadowTap { share, doors: workers.iter().map(Supervised::outbox).collect() })
            }
        }
    }

    /// Shares that were handed over and are not judged yet.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        match &self.service {
            Service::Proven { rescues, .. } => rescues.iter().map(|rescue| rescue.in_flight()).sum(),
            Service::Trial { lanes, .. } => lanes.iter().map(|lane| lane.in_flight()).sum(),
        }
    }

    /// How long the slowest worker on trial has been inside foreign code by now.
    #[must_use]
    pub fn busy_for(&self) -> Duration {
        match &self.service {
            Service::Proven { .. } => Duration::ZERO,
            Service::Trial { lanes, .. } => {
                lanes.iter().map(|lane| lane.busy_for()).max().unwrap_or_default()
            }
        }
    }

    /// The generation has proved itself: it moves to the sessions' arbiters, with all its shares. The returned future
    /// ends what it ran on before.
    pub fn promote(&mut self, place: &Place) -> impl Future<Output = ()> + use<> {
        let proven = start_validators(place, self.route, &self.algorithm, &self.slot, &self.tap);
        let trial = std::mem::replace(&mut self.service, proven);
        self.doors = self.service.doors();
        trial.end(Some(self.doors()))
    }

    /// Ends the generation; its shares are judged behind `doors`, those that still come too.
    pub async fn retire(self, doors: Vec<ValidatorDoor>) {
        self.board.life.set(Life::Retired);
        self.service.end(Some(doors)).await;
        self.slot.stop().await;
    }

    /// Waits until every share that was handed over before this call is judged.
    pub async fn drained(&self) {
        match &self.service {
            Service::Proven { validators, .. } => {
                for validator in validators {
                    // Mailboxes are first in, first out: an answer means that all before the question is done. A dead
                    // validator has handed its shares to the rescue.
                    let _ = validator.outbox::<Observe>().ask(Observe).await;
                }
            }
            Service::Trial { lanes, .. } => {
                let empty = async {
                    while lanes.iter().any(|lane| lane.in_flight() > 0) {
                        tokio::time::sleep(DRAIN_POLL).await;
                    }
                };
                // A worker that hangs never drains.
                let _ = tokio::time::timeout(END_MAX, empty).await;
            }
        }
    }

    /// Ends the generation; shares that nobody judged are lost with a reason.
    pub async fn stop(self) {
        self.service.end(None).await;
        self.slot.stop().await;
    }
}

impl Service {
    fn doors(&self) -> Vec<ValidatorDoor> {
        match self {
            Self::Proven { validators, rescues } => (validators.iter().zip(rescues))
                .map(|(validator, rescue)| {
                    ValidatorDoor::new(validator.outbox::<ValidateBatch>(), Arc::clone(rescue))
                })
                .collect(),
            Self::Trial { workers, lanes, .. } => (workers.iter().zip(lanes))
                .map(|(worker, lane)| ValidatorDoor::to_lane(Arc::clone(lane), worker.outbox::<LaneWork>()))
                .collect(),
        }
    }

    /// Ends who hashes; what they had goes behind `doors`, or is lost with a reason.
    async fn end(self, doors: Option<Vec<ValidatorDoor>>) {
        let door = |seat: usize| {
            let doors = doors.as_ref()?;
            doors.get(seat % doors.len().max(1)).cloned()
        };
        match self {
            Self::Proven { validators, rescues } => {
                for (seat, rescue) in rescues.iter().enumerate() {
                    if let Some(door) = door(seat) {
                        rescue.redirect(door);
                    }
                }
                for validator in validators {
                    validator.stop().await;
                }
                if doors.is_none() {
                    rescues.iter().for_each(|rescue| rescue.close());
                }
            }
            Self::Trial { runtime, workers, lanes } => {
                for (seat, lane) in lanes.iter().enumerate() {
                    match door(seat) {
                        Some(door) => lane.redirect(&door),
                        None => lane.close(),
                    }
                }
                let ends = async {
                    for worker in workers {
                        worker.stop().await;
                    }
                };
                // Their shares are safe: who hangs in foreign code is left behind.
                let _ = tokio::time::timeout(END_MAX, ends).await;
                runtime.arbiters.abandon();
            }
        }
    }
}

fn start_slot(
    place: &Place,
    route: Route,
    algorithm: &Arc<dyn PowAlgorithm>,
    life: Life,
) -> (Board, Supervised<AlgorithmSlot>) {
    let info = algorithm.info();
    let board = Board {
        algorithm: info.name,
        version: info.version,
        route,
        counts: Arc::new(watched(SlotCounts::default()).0),
        life: Arc::new(watched(life).0),
    };
    let shown = board.clone();
    let label = route.slot.to_string();
    for cause in ["hang", "panic"] {
        metrics::counter!(SLOT_RESTARTS_TOTAL, "slot" => label.clone(), "cause" => cause).increment(0);
    }
    metrics::counter!(SLOT_PANICS_TOTAL, "slot" => label).increment(0);
    let name = format!("slot-{}-{}", route.slot, route.generation);
    let slot =
        supervise(&place.runtime, spec(name, "AlgorithmSlot", 0), move |_| AlgorithmSlot(shown.clone()));
    (board, slot.observable().passing())
}

fn start_validators(
    place: &Place,
    route: Route,
    algorithm: &Arc<dyn PowAlgorithm>,
    slot: &Supervised<AlgorithmSlot>,
    tap: &Publisher<Option<ShadowTap>>,
) -> Service {
    let seats = if algorithm.info().cpu_intensive { &place.workers } else { &place.runtime };
    let function = algorithm.info().hash_function;
    let same = |linked_in: &&Arc<dyn PowAlgorithm>| linked_in.info().hash_function == function;
    let reference =
        place.linked_in.iter().find(same).filter(|linked_in| !Arc::ptr_eq(linked_in, algorithm)).cloned();
    let rescues: Vec<_> = place.journal.iter().map(|_| Arc::new(Rescue::default())).collect();
    let validators = (place.journal.iter().zip(&rescues).enumerate())
        .map(|(seat, (journal, rescue))| {
            let parts = Parts {
                route,
                algorithm: Arc::clone(algorithm),
                journal: journal.clone(),
                slot: slot.outbox(),
                rescue: Arc::clone(rescue),
                unsent: Arc::clone(&place.unsent),
                reference: reference.clone(),
                seat,
                tap: tap.watched(),
            };
            let name = format!("validator-{}-{}-{seat}", route.slot, route.generation);
            let lives = AtomicU32::new(0);
            supervise(seats, spec(name, "ShareValidator", seat), move |_| {
                if lives.fetch_add(1, Ordering::Relaxed) > 0 {
                    let slot = parts.route.slot.to_string();
                    metrics::counter!(SLOT_RESTARTS_TOTAL, "slot" => slot, "cause" => "panic").increment(1);
                }
                ShareValidator::new(parts.clone())
            })
            .observable()
            .passing()
        })
        .collect();
    Service::Proven { validators, rescues }
}

fn spec(name: String, kind: &'static str, seat: usize) -> Spec {
    Spec { name, kind, seat, mailbox: 64, policy: Policy::KeepRestarting(RestartLimits::default()) }
}
