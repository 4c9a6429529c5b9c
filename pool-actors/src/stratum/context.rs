//! What the sessions of one arbiter share with each other and with its hub, without locks: the job book, the list of
//! sessions, the tallies.

use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::{Rc, Weak},
    sync::Arc,
    task::Waker,
};

use pool_domain::{
    difficulty::{Difficulty, DifficultyScale},
    ids::{AlgorithmName, SessionId},
    prefetch::fetch_ahead,
    target::Target,
    units::{TimeMs, Work},
};

use super::{
    intake::Intake,
    jobs::{JobBook, Label},
    settings::Shared,
};
use crate::{
    messages::{
        event::MinerSeen,
        session::{Listening, SessionCommand, SessionView},
        share::WorkerIdentity,
        stats::{SessionTally, ShareCounts, ShareLabel},
    },
    ports::personal::Wishes,
};

/// Difficulties that are kept ready with their targets.
const BOUNDS_KEPT: usize = 64;

/// By what a share is judged: a difficulty and what follows from it. Shared by all sessions with the same one.
#[derive(Debug, PartialEq, Eq)]
pub struct Bound {
    /// As announced to the miner.
    pub difficulty: Difficulty,
    /// The algorithm's scale.
    pub scale: DifficultyScale,
    /// The tolerant target.
    pub target: Target,
    /// Work of the strict target: what a share earns.
    pub work: Work,
}

/// One per arbiter.
#[derive(Debug)]
pub struct ArbiterContext {
    /// Seat of the arbiter.
    pub arbiter: usize,
    /// What all arbiters share.
    pub shared: Arc<Shared>,
    /// Jobs.
    pub jobs: RefCell<JobBook>,
    /// Why there is no work just now.
    pub paused: RefCell<Option<Rc<str>>>,
    /// Shares on their way to the validators.
    pub intake: Intake,
    acknowledgements: Acknowledgements,
    sessions: RefCell<HashMap<SessionId, Rc<SessionCard>>>,
    news: RefCell<Vec<Rc<SessionCard>>>,
    anonymous: Cell<ShareCounts>,
    /// By number of the label.
    labelled: RefCell<Vec<ShareCounts>>,
    /// A moment and its date.
    dated: Cell<(TimeMs, TimeMs)>,
    broadcast: Cell<Broadcast>,
    bounds: RefCell<Vec<Rc<Bound>>>,
    functions: RefCell<Vec<Rc<AlgorithmName>>>,
}

/// Times from a share's bytes to its verdict. Sampled, at most one a millisecond: a recorder keeps every value until it
/// is scraped.
struct Acknowledgements {
    histogram: metrics::Histogram,
    sampled_at: Cell<TimeMs>,
}

impl std::fmt::Debug for Acknowledgements {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acknowledgements").finish_non_exhaustive()
    }
}

impl ArbiterContext {
    /// The context of an arbiter.
    #[must_use]
    pub fn new(arbiter: usize, shared: Arc<Shared>) -> Rc<Self> {
        Rc::new(Self {
            arbiter,
            intake: Intake::new(arbiter, shared.exits.routes.clone()),
            shared,
            jobs: RefCell::default(),
            paused: RefCell::default(),
            acknowledgements: Acknowledgements {
                histogram: metrics::histogram!(crate::metrics::SHARE_ACK_SECONDS),
                sampled_at: Cell::default(),
            },
            sessions: RefCell::default(),
            news: RefCell::default(),
            anonymous: Cell::default(),
            labelled: RefCell::default(),
            dated: Cell::default(),
            broadcast: Cell::default(),
            bounds: RefCell::default(),
            functions: RefCell::default(),
        })
    }

    /// Now, by the clock that does not step: sessions measure how long everything takes and may take.
    #[must_use]
    pub fn now(&self) -> TimeMs {
        self.shared.clock.steady()
    }

    /// The date, for what others read: shares, bans, when somebody connected.
    #[must_use]
    pub fn date(&self) -> TimeMs {
        self.shared.clock.now()
    }

    /// The date at this `now`, looked up once a millisecond: every share has one.
    pub(super) fn date_at(&self, now: TimeMs) -> TimeMs {
        let (at, date) = self.dated.get();
        if at == now {
            return date;
        }
        let date = self.date();
        self.dated.set((now, date));
        date
    }

    /// The date of a moment of [`Self::now`], as the wall clock goes at present.
    pub(super) fn date_of(&self, moment: TimeMs) -> TimeMs {
        TimeMs(self.date().0.saturating_sub(self.now().since(moment)))
    }

    /// The moment of a date, as far as it is past.
    pub(super) fn moment_of(&self, date: TimeMs) -> TimeMs {
        TimeMs(self.now().0.saturating_sub(self.date().since(date)))
    }

    pub(super) fn enter(&self, card: &Rc<SessionCard>) {
        self.sessions.borrow_mut().insert(card.id, Rc::clone(card));
    }

    pub(super) fn leave(&self, card: &SessionCard) {
        self.sessions.borrow_mut().remove(&card.id);
        self.note_turn(card, self.now());
    }

    /// Flags every session for a newer job (or none any more), which queues it to all of them; returns whom to call.
    pub fn offer_job(&self, since: TimeMs) -> Vec<Rc<SessionCard>> {
        let cards = self.cards();
        cards.iter().for_each(|card| card.offer_job());
        self.broadcast.set(Broadcast { since, waiting: cards.len() });
        let took = std::time::Duration::from_millis(self.now().since(since));
        metrics::histogram!(crate::metrics::JOB_QUEUED_SECONDS).record(took.as_secs_f64());
        cards
    }

    /// A session had its turn. After the last one the broadcast's time is recorded; a slow reader does not count as
    /// waiting, since its turn is over.
    pub(super) fn note_turn(&self, card: &SessionCard, now: TimeMs) {
        if !card.awaits_turn.replace(false) {
            return;
        }
        let mut broadcast = self.broadcast.get();
        broadcast.waiting = broadcast.waiting.saturating_sub(1);
        self.broadcast.set(broadcast);
        if broadcast.waiting == 0 {
            let took = std::time::Duration::from_millis(now.since(broadcast.since));
            metrics::histogram!(crate::metrics::JOB_BROADCAST_SECONDS).record(took.as_secs_f64());
        }
    }

    /// Open connections of this arbiter.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.sessions.borrow().len()
    }

    /// A share received at `received_at` was acknowledged.
    pub(super) fn note_acknowledged(&self, received_at: TimeMs, now: TimeMs) {
        if self.acknowledgements.sampled_at.replace(now) != now {
            let took = std::time::Duration::from_millis(now.since(received_at));
            self.acknowledgements.histogram.record(took.as_secs_f64());
        }
    }

    /// The sessions of this moment.
    #[must_use]
    pub fn cards(&self) -> Vec<Rc<SessionCard>> {
        self.sessions.borrow().values().cloned().collect()
    }

    /// One session.
    #[must_use]
    pub fn card(&self, id: SessionId) -> Option<Rc<SessionCard>> {
        self.sessions.borrow().get(&id).cloned()
    }

    /// Calls `f` for every session. `f` must not open or close one.
    pub fn for_each(&self, f: impl FnMut(&Rc<SessionCard>)) {
        self.sessions.borrow().values().for_each(f);
    }

    /// Counts a share of an authorised session, for itself and among those with the same label.
    pub fn count(&self, card: &Rc<SessionCard>, label: Option<Label>, share: &ShareCounts) {
        if let Some(Label(label)) = label {
            let (mut labelled, at) = (self.labelled.borrow_mut(), usize::from(label));
            if labelled.len() <= at {
                labelled.resize(at + 1, ShareCounts::default());
            }
            labelled[at].add(share);
        }
        let mut tally = card.tally.borrow_mut();
        let tally = tally.get_or_insert_default();
        tally.counts.add(share);
        if !tally.in_news {
            tally.in_news = true;
            self.news.borrow_mut().push(Rc::clone(card));
        }
    }

    /// Counts an accepted share of an authorised session.
    pub fn credit(&self, card: &Rc<SessionCard>, label: Label, work: Work, at: TimeMs) {
        self.count(card, Some(label), &ShareCounts { accepted: 1, ..ShareCounts::default() });
        if let Some(tally) = &mut *card.tally.borrow_mut() {
            tally.work = tally.work.saturating_add(work);
            tally.last_share_at = at;
        }
    }

    /// Counts shares of nobody.
    pub fn count_anonymous(&self, counts: &ShareCounts) {
        let mut sum = self.anonymous.get();
        sum.add(counts);
        self.anonymous.set(sum);
    }

    /// What happened since the last call, per session and for nobody.
    pub fn take_news(&self) -> (Vec<SessionTally>, ShareCounts) {
        let cards = self.news.take();
        let sessions = cards.iter().filter_map(|card| card.take_tally()).collect();
        (sessions, self.anonymous.take())
    }

    /// What sessions sent since the last call, by what it was sent for.
    pub fn take_labelled(&self, jobs: &JobBook) -> Vec<(ShareLabel, ShareCounts)> {
        let mut labelled = self.labelled.borrow_mut();
        let counts = labelled.iter_mut().map(std::mem::take);
        (0..)
            .zip(counts)
            .filter(|(_, counts)| *counts != ShareCounts::default())
            .filter_map(|(label, counts)| Some((jobs.label_of(Label(label))?.clone(), counts)))
            .collect()
    }

    /// The name of a function, kept once for the sessions that work on it.
    pub fn function(&self, name: &AlgorithmName) -> Rc<AlgorithmName> {
        let mut functions = self.functions.borrow_mut();
        functions.iter().find(|known| ***known == *name).map(Rc::clone).unwrap_or_else(|| {
            functions.retain(|known| Rc::strong_count(known) > 1);
            functions.push(Rc::new(name.clone()));
            Rc::clone(&functions[functions.len() - 1])
        })
    }

    /// The bound of a difficulty, computed once for sessions that share it.
    pub fn bound(&self, difficulty: Difficulty, scale: DifficultyScale) -> Rc<Bound> {
        let mut bounds = self.bounds.borrow_mut();
        if let Some(at) =
            bounds.iter().position(|bound| bound.difficulty == difficulty && bound.scale == scale)
        {
            return Rc::clone(&bounds[at]);
        }
        let bound = Rc::new(Bound {
            difficulty,
            scale,
            target: scale.tolerant_target(difficulty),
            work: scale.work(difficulty),
        });
        if bounds.len() == BOUNDS_KEPT {
            bounds.remove(0);
        }
        bounds.push(Rc::clone(&bound));
        bound
    }
}

/// Shares of one session since the last flush.
#[derive(Debug, Default)]
pub struct Tally {
    /// By outcome.
    pub counts: ShareCounts,
    /// Of accepted ones.
    pub work: Work,
    /// Last accepted one; stays.
    pub last_share_at: TimeMs,
    /// Those that were hashed, by the lowest four bits of their nonces.
    nonces: [u16; 16],
    in_news: bool,
}

/// What became known of a miner.
#[derive(Debug, Default)]
pub struct Facts {
    /// Who is paid, of the first authorisation.
    pub identity: Option<Arc<WorkerIdentity>>,
    /// What it calls itself.
    pub agent: Option<Box<str>>,
    /// Kind of miner.
    pub variant: &'static str,
    /// Difficulty in force.
    pub bound: Option<Rc<Bound>>,
    /// The function that it works on; `None` before its first work.
    pub function: Option<Rc<AlgorithmName>>,
    /// What it said it can do (`mining.multi_version`).
    pub versions: Option<Box<Versions>>,
    /// Nothing that it can do is mined (any more).
    pub stranded: bool,
    /// What few sessions have.
    pub asides: Option<Box<Asides>>,
}

/// What few sessions have: it takes a pointer's room in the others.
#[derive(Default)]
pub struct Asides {
    /// The password that shows whose account it mines for.
    pub claim: Option<Box<str>>,
    /// The password that lets it change what the account's owner is told.
    pub key: Option<Box<str>>,
    /// What it wants to be told of its account, if it said so.
    pub notices: Option<Notices>,
}

/// What a session wants to be told (`mining.configure_notifications`).
#[derive(Debug, Clone, Copy)]
pub struct Notices {
    /// Of what.
    pub wishes: Wishes,
    /// On the miner itself.
    pub shows: bool,
    /// It asks for it to be the account's, and nobody has looked at that yet.
    pub asks: bool,
}

impl std::fmt::Debug for Asides {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asides").field("notices", &self.notices).finish_non_exhaustive()
    }
}

/// A miner that can switch between functions.
#[derive(Debug)]
pub struct Versions {
    /// What it can do.
    pub able: Vec<AlgorithmName>,
    /// What it was last told to do.
    pub told: Option<AlgorithmName>,
}

/// The job on its way to the sessions.
#[derive(Debug, Clone, Copy, Default)]
struct Broadcast {
    /// When its template came.
    since: TimeMs,
    /// Sessions that have not had their turn.
    waiting: usize,
}

/// A session that can be called by its hub: it looks at what the hub wants, and says what it has to say at once.
pub trait Attend {
    /// Has it look.
    fn attend(&self);

    /// It panicked meanwhile, and must end.
    fn broken(&self);
}

/// What a session shows to its hub, and how the hub calls on it: a flag and a call or a wake-up instead of a message, so
/// that a thousand jobs call a session that is behind once.
pub struct SessionCard {
    /// Number.
    pub id: SessionId,
    /// Where it came from.
    pub peer: std::net::SocketAddr,
    listener: u16,
    /// When, by the sessions' own clock.
    pub connected_at: TimeMs,
    /// What became known.
    pub facts: RefCell<Facts>,
    /// When the session next has to look at its clock.
    pub due_at: Cell<TimeMs>,
    /// Nothing for those who never sent a share.
    tally: RefCell<Option<Box<Tally>>>,
    /// The session panicked while somebody called on it: it must end.
    pub(super) broken: Cell<bool>,
    job_waits: Cell<bool>,
    awaits_turn: Cell<bool>,
    commands: RefCell<Vec<SessionCommand>>,
    waker: RefCell<Option<Waker>>,
    attendant: OnceCell<Weak<dyn Attend>>,
}

impl std::fmt::Debug for SessionCard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionCard").field("id", &self.id).field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl SessionCard {
    /// A card for a connection.
    #[must_use]
    pub fn new(id: SessionId, peer: std::net::SocketAddr, listener: usize, now: TimeMs) -> Rc<Self> {
        Rc::new(Self {
            id,
            peer,
            listener: u16::try_from(listener).unwrap_or(u16::MAX),
            connected_at: now,
            facts: RefCell::default(),
            due_at: Cell::new(now),
            tally: RefCell::default(),
            broken: Cell::new(false),
            job_waits: Cell::new(false),
            awaits_turn: Cell::new(false),
            commands: RefCell::default(),
            waker: RefCell::default(),
            attendant: OnceCell::new(),
        })
    }

    /// A share is about to be counted.
    #[inline]
    pub fn fetch_ahead(&self) {
        if let Ok(tally) = self.tally.try_borrow()
            && let Some(tally) = &*tally
        {
            fetch_ahead(&**tally);
        }
    }

    /// By which listener it came.
    #[must_use]
    pub fn listener(&self) -> usize {
        usize::from(self.listener)
    }

    /// A share with this nonce goes to be hashed. A session's first one is not counted: there is nothing to count it in.
    #[inline]
    pub fn note_nonce(&self, nonce: u64) {
        if let Some(tally) = &mut *self.tally.borrow_mut() {
            let count = &mut tally.nonces[(nonce & 15) as usize];
            *count = count.saturating_add(1);
        }
    }

    /// Who looks when the hub calls.
    pub fn attended_by(&self, session: Weak<dyn Attend>) {
        // Once, when the session opens.
        let _ = self.attendant.set(session);
    }

    /// There is a newer job (or none any more): the session will look.
    fn offer_job(&self) {
        self.awaits_turn.set(true);
        self.job_waits.set(true);
    }

    /// Has the session look, if it has not meanwhile. A panic of the session ends it, not its hub.
    pub fn call(&self) {
        if !self.job_waits.get() {
            return;
        }
        if let Some(session) = self.attendant.get().and_then(Weak::upgrade)
            && catch_unwind(AssertUnwindSafe(|| session.attend())).is_err()
        {
            session.broken();
        }
    }

    /// Whether there is a newer job; asking clears it.
    #[must_use]
    pub fn take_job(&self) -> bool {
        self.job_waits.replace(false)
    }

    /// Tells the session to do something.
    pub fn command(&self, command: SessionCommand) {
        let mut commands = self.commands.borrow_mut();
        // Whoever tells a session more than this before it looks has lost his way.
        if commands.len() < 16 {
            commands.push(command);
        }
        drop(commands);
        self.wake();
    }

    /// What it was told.
    #[must_use]
    pub fn take_commands(&self) -> Vec<SessionCommand> {
        self.commands.take()
    }

    /// Has the session's pump polled.
    pub fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// Notes how the pump is woken. Whether that is news.
    pub fn set_waker(&self, waker: &Waker) -> bool {
        let mut known = self.waker.borrow_mut();
        let news = !known.as_ref().is_some_and(|known| known.will_wake(waker));
        if news {
            *known = Some(waker.clone());
        }
        news
    }

    /// The miner, for events.
    #[must_use]
    pub fn seen(&self) -> MinerSeen {
        let facts = self.facts.borrow();
        MinerSeen {
            session: self.id,
            account: facts.identity.as_ref().map(|identity| identity.account.to_string()),
            worker: facts.identity.as_ref().map(|identity| identity.worker.to_string()),
            peer: self.peer.to_string(),
            agent: facts.agent.as_ref().map(ToString::to_string),
        }
    }

    /// The session, for people.
    #[must_use]
    pub fn view(&self, hub: &ArbiterContext) -> SessionView {
        let facts = self.facts.borrow();
        let names = |versions: &Versions| versions.able.iter().map(ToString::to_string).collect();
        SessionView {
            miner: self.seen(),
            listener: self.listener(),
            variant: facts.variant,
            difficulty: facts.bound.as_ref().map(|bound| bound.difficulty),
            algorithm: facts.function.as_ref().map(ToString::to_string),
            algorithms: facts.versions.as_deref().map(names),
            without_work: facts.stranded,
            connected_at: hub.date_of(self.connected_at),
            last_share_at: self.tally.borrow().as_ref().map_or(TimeMs(0), |tally| tally.last_share_at),
            claim: facts.asides.as_ref().and_then(|asides| asides.claim.as_ref().map(ToString::to_string)),
        }
    }

    /// What it wants to be told, if anything; that it asks is told once.
    #[must_use]
    pub fn listening(&self) -> Option<Listening> {
        let mut facts = self.facts.borrow_mut();
        let account = facts.identity.as_ref()?.account.to_string();
        let Asides { key, notices, .. } = facts.asides.as_deref_mut()?;
        let notices = notices.as_mut()?;
        let asks = std::mem::take(&mut notices.asks);
        let key = key.as_ref().filter(|_| asks).map(ToString::to_string);
        Some(Listening { session: self.id, account, wishes: notices.wishes, shows: notices.shows, key })
    }

    fn take_tally(&self) -> Option<SessionTally> {
        let mut tally = self.tally.borrow_mut();
        let tally = tally.as_mut()?;
        tally.in_news = false;
        let counts = std::mem::take(&mut tally.counts);
        let work = std::mem::take(&mut tally.work);
        let nonces = std::mem::take(&mut tally.nonces);
        let facts = self.facts.borrow();
        Some(SessionTally {
            session: self.id,
            worker: Arc::clone(facts.identity.as_ref()?),
            counts,
            work,
            last_share_at: if counts.accepted > 0 { tally.last_share_at } else { TimeMs(0) },
            difficulty: facts.bound.as_ref()?.difficulty,
            peer: self.peer.ip(),
            nonces,
            function: facts.function.as_deref().cloned(),
        })
    }
}
