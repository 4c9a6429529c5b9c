//! SessionHub: one per arbiter; owns what its sessions share and calls on them.
//!
//! * **receives** [`Incoming`] sockets from listeners; [`PublishJob`], [`WorkPaused`] (conflating: sessions look at the
//!   newest when they get their turn); [`ListSessions`], [`CommandSessions`], [`ListNotices`], [`ShowTexts`]; [`Observe`]
//! * **sends** the shares of its sessions to validators (see [`Intake`](super::intake::Intake)); [`StatsTally`] once a
//!   second; calls and wake-ups to its sessions
//! * **supervised by** the server: rebuilt after a panic, with the newest job; the old hub's sessions are closed, and
//!   their miners come back
//! * **on overload** a job is a flag: a session that is behind is called once for a thousand jobs, and gets the newest

use std::{
    pin::Pin,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use actix::{Actor, AsyncContext as _, Context, Handler, Message, MessageResult, fut::ActorFuture};
use pool_domain::ids::AlgorithmName;
use serde::Serialize;

use super::{
    context::{ArbiterContext, SessionCard},
    gate::{GateCounts, Permit},
    jobs::JobEntry,
    session::MinerSession,
    settings::Shared,
};
use crate::{
    messages::{
        job::{PublishJob, WorkPaused},
        session::{CommandSessions, ListNotices, ListSessions, SessionCommand, ShowTexts},
        stats::StatsTally,
    },
    runtime::{
        observe::{Observation, Observe},
        outbox::Credited,
    },
};

/// How often sessions whose time has come are woken.
const TICK: Duration = Duration::from_millis(500);
/// Sessions that are called for a new job before others on the arbiter get their turn: some 2 ms.
const CALLS_PER_TURN: usize = 256;

/// A connection that a listener accepted. It holds a permit of the gate, which bounds how many there are.
#[derive(Debug)]
pub struct Accepted {
    /// The socket, non-blocking.
    pub stream: std::net::TcpStream,
    /// Where it came from.
    pub peer: std::net::SocketAddr,
    /// Number of the listener.
    pub listener: usize,
    /// Its place.
    pub permit: Permit,
}

/// Connections that no hub took: each died, or was dead. Their listener looks here and hands them on.
#[derive(Debug, Default)]
pub struct Shelf(Mutex<Vec<Accepted>>);

impl Shelf {
    /// Keeps a connection.
    pub fn put(&self, connection: Accepted) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }

    /// All that wait.
    #[must_use]
    pub fn take(&self) -> Vec<Accepted> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A connection on its way to a hub. If the hub dies first, it goes to the [`Shelf`] as this is dropped.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Incoming {
    connection: Option<Accepted>,
    shelf: Arc<Shelf>,
}

impl Incoming {
    /// On its way; `shelf` keeps it if it does not arrive.
    #[must_use]
    pub fn new(connection: Accepted, shelf: Arc<Shelf>) -> Self {
        Self { connection: Some(connection), shelf }
    }

    fn take(mut self) -> Option<Accepted> {
        self.connection.take()
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.shelf.put(connection);
        }
    }
}

impl Credited for Incoming {}

/// See the module's documentation.
#[derive(Debug)]
pub struct SessionHub {
    context: Rc<ArbiterContext>,
    /// To be called for the newest job.
    to_call: Vec<Rc<SessionCard>>,
    sessions_opened: u64,
    jobs_published: u64,
}

/// What a hub says about itself.
#[derive(Debug, Serialize)]
struct State {
    arbiter: usize,
    connections: usize,
    sessions_opened: u64,
    jobs_published: u64,
    jobs_known: usize,
    newest_job: Option<u64>,
    paused: Option<String>,
    gate: GateCounts,
}

impl SessionHub {
    /// The hub of an arbiter; it begins with the newest job that any hub knows.
    #[must_use]
    pub fn new(arbiter: usize, shared: Arc<Shared>) -> Self {
        let context = ArbiterContext::new(arbiter, shared);
        for job in context.shared.newest_jobs.load().iter() {
            context.jobs.borrow_mut().publish(job, context.now(), context.shared.job_grace_ms);
        }
        *context.paused.borrow_mut() =
            context.shared.paused.load().as_ref().map(|reason| Rc::from(reason.as_str()));
        Self { context, to_call: Vec::new(), sessions_opened: 0, jobs_published: 0 }
    }

    /// What its sessions share; for tests and for a world that brings its own streams.
    #[must_use]
    pub fn context(&self) -> Rc<ArbiterContext> {
        Rc::clone(&self.context)
    }

    fn tick(&self) {
        let now = self.context.now();
        self.context.for_each(|card| {
            if card.due_at.get() <= now {
                card.wake();
            }
        });
    }

    fn send_tally(&self) {
        let context = &self.context;
        metrics::gauge!(crate::metrics::CONNECTIONS, "arbiter" => context.arbiter.to_string())
            .set(u32::try_from(context.connections()).unwrap_or(u32::MAX));
        let named = |entry: &JobEntry| (entry.job.algorithm.clone(), entry.job.split.stable.slot);
        let jobs = context.jobs.borrow();
        let (algorithm, slot) = jobs.main().or_else(|| jobs.newest()).map(named).unzip();
        let shares = context.take_labelled(&jobs);
        drop(jobs);
        let (sessions, anonymous) = context.take_news();
        let Some(algorithm) = algorithm.or_else(|| AlgorithmName::new("none").ok()) else { return };
        context.shared.exits.tallies.offer(StatsTally {
            algorithm,
            slot,
            sessions,
            shares,
            anonymous,
            connections: context.connections(),
            arbiter: context.arbiter,
        });
    }
}

impl Actor for SessionHub {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(TICK, |hub, _| hub.tick());
        let tally = Duration::from_millis(self.context.shared.tally_ms.max(1));
        context.run_interval(tally, |hub, _| hub.send_tally());
        context.spawn(Errands);
    }
}

/// What the hub does for its sessions between messages: hands their shares over, calls them for a new job.
struct Errands;

impl ActorFuture<SessionHub> for Errands {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        hub: &mut SessionHub,
        _: &mut Context<SessionHub>,
        task: &mut TaskContext<'_>,
    ) -> Poll<()> {
        hub.context.intake.served_by(task.waker());
        hub.context.intake.hand_over();
        let left = hub.to_call.len().saturating_sub(CALLS_PER_TURN);
        hub.to_call.drain(left..).for_each(|card| card.call());
        if left > 0 {
            task.waker().wake_by_ref();
        } else {
            hub.to_call = Vec::new();
        }
        Poll::Pending
    }
}

impl Drop for SessionHub {
    fn drop(&mut self) {
        self.context.intake.unserved();
        // Nobody would call on them any more.
        self.context.for_each(|card| card.command(SessionCommand::Close));
    }
}

impl Handler<Incoming> for SessionHub {
    type Result = ();

    fn handle(&mut self, incoming: Incoming, _: &mut Self::Context) {
        let Some(incoming) = incoming.take() else { return };
        match tokio::net::TcpStream::from_std(incoming.stream) {
            Ok(stream) => {
                self.sessions_opened += 1;
                MinerSession::open(&self.context, stream, incoming.peer, incoming.listener, incoming.permit);
            }
            Err(error) => tracing::warn!(%error, "a miner's socket can't be watched; it is closed"),
        }
    }
}

impl Handler<PublishJob> for SessionHub {
    type Result = ();

    fn handle(&mut self, PublishJob(job): PublishJob, _: &mut Self::Context) {
        let context = &self.context;
        context.shared.note_newest(&job);
        let since = context.moment_of(job.template.received_at);
        let newer = context.jobs.borrow_mut().publish(&job, context.now(), context.shared.job_grace_ms);
        context.shared.paused.store(None);
        *context.paused.borrow_mut() = None;
        if newer {
            self.jobs_published += 1;
        }
        self.to_call = context.offer_job(since);
    }
}

impl Handler<WorkPaused> for SessionHub {
    type Result = ();

    fn handle(&mut self, paused: WorkPaused, _: &mut Self::Context) {
        let context = &self.context;
        let told = paused.reason.as_ref().filter(|reason| context.paused.borrow().as_deref() != Some(reason));
        if let Some(reason) = told {
            let text = format!("The pool has no work just now: {reason}");
            context.for_each(|card| card.command(SessionCommand::ShowMessage(text.clone())));
        }
        let resumed = paused.reason.is_none();
        context.shared.paused.store(paused.reason.clone().map(Arc::new));
        *context.paused.borrow_mut() = paused.reason.map(Rc::from);
        if resumed {
            self.to_call = context.offer_job(context.now());
        }
    }
}

impl Handler<ListSessions> for SessionHub {
    type Result = MessageResult<ListSessions>;

    fn handle(&mut self, _: ListSessions, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.context.cards().iter().map(|card| card.view(&self.context)).collect())
    }
}

impl Handler<ListNotices> for SessionHub {
    type Result = MessageResult<ListNotices>;

    fn handle(&mut self, _: ListNotices, _: &mut Self::Context) -> Self::Result {
        let mut listening = Vec::new();
        self.context.for_each(|card| listening.extend(card.listening()));
        MessageResult(listening)
    }
}

impl Handler<ShowTexts> for SessionHub {
    type Result = ();

    fn handle(&mut self, ShowTexts(texts): ShowTexts, _: &mut Self::Context) {
        for (session, text) in &*texts {
            if let Some(card) = self.context.card(*session) {
                card.command(SessionCommand::ShowMessage(text.clone()));
            }
        }
    }
}

impl Handler<CommandSessions> for SessionHub {
    type Result = usize;

    fn handle(&mut self, order: CommandSessions, _: &mut Self::Context) -> usize {
        let cards = match order.session {
            Some(session) => self.context.card(session).into_iter().collect(),
            None => self.context.cards(),
        };
        for card in &cards {
            card.command(order.command.clone());
        }
        cards.len()
    }
}

impl Handler<Observe> for SessionHub {
    type Result = Observation;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Observation {
        let context = &self.context;
        let jobs = context.jobs.borrow();
        Observation::of(&State {
            arbiter: context.arbiter,
            connections: context.connections(),
            sessions_opened: self.sessions_opened,
            jobs_published: self.jobs_published,
            jobs_known: jobs.len(),
            newest_job: jobs.newest().map(|entry| entry.job.id.0),
            paused: context.paused.borrow().as_deref().map(str::to_owned),
            gate: context.shared.gate.counts(),
        })
    }
}
