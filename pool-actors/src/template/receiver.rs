//! TemplateReceiver: turns what the node offers into jobs, and pauses work while the node can't be mined on.
//!
//! * **receives** the node's events (a stream), its own timers, changes of the algorithms in service, [`Observe`]
//! * **sends** [`PublishJob`] and [`WorkPaused`] to every arbiter's session hub, [`NodeTold`] to the MaturityTracker,
//!   [`Publish`] to the EventPublisher; publishes [`NodeState`] and the jobs in force in watches
//! * **supervised by** the factory supervisor; the watches outlive it, and the next life starts with a fresh template
//! * **on overload** events are coalesced: at most one call for templates is under way, and the newest wins

mod jobs;
mod pause;

use std::{sync::Arc, time::Duration};

use actix::{
    Actor, ActorFutureExt as _, AsyncContext as _, Context, Handler, MessageResult, SpawnHandle,
    StreamHandler, WrapFuture as _,
};
use futures_util::{future::join_all, stream};
use tokio::time::Instant;

use super::job::{JobMaker, JobNumbers};
use crate::{
    messages::{
        block::{NodeTold, SubmitBlock},
        event::Publish,
        job::{Job, NodeState, PublishJob, WorkPaused},
        route::InService,
    },
    ports::{
        clock::SharedClock,
        node::{NodeError, NodeEvent, NodeHealth, SharedNode, Template},
    },
    runtime::{
        Runtime,
        critical::CriticalOutbox,
        observe::{Observation, Observe},
        outbox::Outbox,
        watch::{Publisher, Watched},
    },
};

/// Least time between two calls for templates, whatever the node's events.
const FETCH_PAUSE_MIN: Duration = Duration::from_millis(25);
/// When a session hub whose mailbox was full is told again.
const RETELL_AFTER: Duration = Duration::from_millis(20);

/// Times of a TemplateReceiver.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How often a template is asked for without being told to.
    pub poll_interval: Duration,
    /// How often the node's health is asked for.
    pub health_interval: Duration,
    /// Least time between two jobs, unless the node invalidates the old one.
    pub job_interval_min: Duration,
    /// Time after which a job is issued although nothing changed: a fresh header time, and a sign of life.
    pub job_refresh: Duration,
    /// How long the node may fail to answer before work is paused; a node that says that it is not ready pauses it at
    /// once.
    pub pause_after: Duration,
    /// Number of configured endpoints, for people.
    pub endpoints: usize,
}

/// The sessions of one arbiter, as the receiver sees them.
#[derive(Debug, Clone)]
pub struct SessionHub {
    /// Newer work.
    pub jobs: Outbox<PublishJob>,
    /// No work for now.
    pub pauses: Outbox<WorkPaused>,
}

/// What a TemplateReceiver works with.
#[derive(Clone)]
pub struct Parts {
    /// The chain.
    pub node: SharedNode,
    /// Wall clock.
    pub clock: SharedClock,
    /// Where JobTemplate actors run.
    pub runtime: Runtime,
    /// Their arbiter.
    pub seat: usize,
    /// Which functions to issue jobs for.
    pub algorithms: Watched<InService>,
    /// All arbiters' sessions.
    pub hubs: Vec<SessionHub>,
    /// Where found blocks go.
    pub submitter: CriticalOutbox<SubmitBlock>,
    /// Who follows blocks.
    pub tracker: Outbox<NodeTold>,
    /// Who tells the world.
    pub events: Outbox<Publish>,
    /// State of node and job, for people.
    pub state: Arc<Publisher<NodeState>>,
    /// The jobs in force, one per algorithm; a session hub that starts late begins with them.
    pub jobs: Arc<Publisher<Vec<Arc<Job>>>>,
    /// Numbers of jobs.
    pub numbers: Arc<JobNumbers>,
    /// Times.
    pub settings: Settings,
}

/// Calls for templates fail, since then and for this reason.
struct Trouble {
    since: Instant,
    reason: String,
    /// By the node's own word it can't be mined on: nothing to wait for.
    definite: bool,
}

/// See the module's documentation.
pub struct TemplateReceiver {
    parts: Parts,
    maker: JobMaker,
    state: NodeState,
    /// A template is wanted; the value says whether the node invalidated the work in hand.
    wanted: Option<bool>,
    /// The node invalidated the work in hand, but the call for its successor failed: the next one is clean.
    clean_owed: bool,
    fetching: bool,
    checking: bool,
    last_fetch: Option<Instant>,
    last_job: Option<Instant>,
    waiting: Option<SpawnHandle>,
    trouble: Option<Trouble>,
    unhealthy: Option<String>,
    /// What the sessions were told: the reason of the pause, if there is one.
    paused: Option<String>,
    /// The next template becomes a job even if it equals the last one.
    fresh_job: bool,
    /// Per hub: it has not been told the newest.
    behind: Vec<bool>,
    jobs_published: u64,
}

struct Fetched {
    in_service: Arc<InService>,
    /// One for each function in service, in their order.
    templates: Vec<Result<Template, NodeError>>,
    clean: bool,
    took: Duration,
}

impl TemplateReceiver {
    /// A receiver that starts with no job.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let maker = JobMaker {
            node: Arc::clone(&parts.node),
            numbers: Arc::clone(&parts.numbers),
            arbiters: parts.runtime.arbiters.clone(),
            seat: parts.seat,
            submitter: parts.submitter.clone(),
            events: parts.events.clone(),
        };
        let mut state = (*parts.state.get()).clone();
        parts.node.name().clone_into(&mut state.name);
        state.endpoints = parts.settings.endpoints;
        let behind = vec![false; parts.hubs.len()];
        Self {
            parts,
            maker,
            state,
            wanted: None,
            clean_owed: false,
            fetching: false,
            checking: false,
            last_fetch: None,
            last_job: None,
            waiting: None,
            trouble: None,
            unhealthy: None,
            paused: None,
            fresh_job: true,
            behind,
            jobs_published: 0,
        }
    }
}

impl Actor for TemplateReceiver {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let node = Arc::clone(&self.parts.node);
        context.add_stream(stream::unfold(node, |node| async move { Some((node.next_event().await, node)) }));
        let mut algorithms = self.parts.algorithms.clone();
        algorithms.mark_seen();
        context.add_stream(stream::unfold(algorithms, |mut algorithms| async move {
            algorithms.changed().await.ok().map(|_| (AlgorithmsChanged, algorithms))
        }));
        let settings = &self.parts.settings;
        context.run_interval(settings.poll_interval, |actor, context| {
            actor.judge(context);
            actor.want(false, context);
        });
        context.run_interval(settings.health_interval, Self::check_health);
        self.check_health(context);
        self.want(false, context);
    }
}

impl StreamHandler<NodeEvent> for TemplateReceiver {
    fn handle(&mut self, event: NodeEvent, context: &mut Self::Context) {
        match &event {
            NodeEvent::NewTemplate { clean } => self.want(*clean, context),
            NodeEvent::ConnectionChanged => {
                self.check_health(context);
                self.want(false, context);
            }
            NodeEvent::Reorganised => self.want(false, context),
            NodeEvent::BlockAdded(_) => {}
        }
        self.parts.tracker.offer(NodeTold(event));
    }

    fn finished(&mut self, _: &mut Self::Context) {}
}

struct AlgorithmsChanged;

impl StreamHandler<AlgorithmsChanged> for TemplateReceiver {
    fn handle(&mut self, _: AlgorithmsChanged, context: &mut Self::Context) {
        self.last_job = None;
        self.want(false, context);
    }

    // The algorithms in service may stay for ever.
    fn finished(&mut self, _: &mut Self::Context) {}
}

impl Handler<Observe> for TemplateReceiver {
    type Result = MessageResult<Observe>;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Self::Result {
        #[derive(serde::Serialize)]
        struct State<'a> {
            node: &'a NodeState,
            jobs_published: u64,
            fetching: bool,
            hubs_behind: usize,
        }
        MessageResult(Observation::of(&State {
            node: &self.state,
            jobs_published: self.jobs_published,
            fetching: self.fetching,
            hubs_behind: self.behind.iter().filter(|behind| **behind).count(),
        }))
    }
}

/// Asking the node.
impl TemplateReceiver {
    /// A template is wanted as soon as the rules allow.
    fn want(&mut self, clean: bool, context: &mut Context<Self>) {
        self.wanted = Some(self.wanted.unwrap_or(false) || clean);
        self.pump(context);
    }

    /// Starts a call for templates if one is wanted and none is under way, not before its time.
    fn pump(&mut self, context: &mut Context<Self>) {
        let Some(clean) = self.wanted else { return };
        if self.fetching || self.unhealthy.is_some() {
            return;
        }
        let rest = |since: Option<Instant>, pause: Duration| {
            since.map_or(Duration::ZERO, |at| pause.saturating_sub(at.elapsed()))
        };
        let interval =
            if clean || self.fresh_job { Duration::ZERO } else { self.parts.settings.job_interval_min };
        let wait = rest(self.last_job, interval).max(rest(self.last_fetch, FETCH_PAUSE_MIN));
        if let Some(waiting) = self.waiting.take() {
            context.cancel_future(waiting);
        }
        if wait.is_zero() {
            self.fetch(clean, context);
        } else {
            self.waiting = Some(context.run_later(wait, |actor, context| {
                actor.waiting = None;
                actor.pump(context);
            }));
        }
    }

    fn fetch(&mut self, clean: bool, context: &mut Context<Self>) {
        self.wanted = None;
        let clean = clean || std::mem::take(&mut self.clean_owed);
        self.fetching = true;
        let started = Instant::now();
        self.last_fetch = Some(started);
        let node = Arc::clone(&self.parts.node);
        let algorithms = self.parts.algorithms.get();
        let calls = async move {
            let templates = join_all(algorithms.work.iter().map(|(function, _)| {
                let node = Arc::clone(&node);
                async move { node.template(function).await }
            }))
            .await;
            Fetched { in_service: algorithms, templates, clean, took: started.elapsed() }
        };
        context.spawn(calls.into_actor(self).map(|fetched, actor, context| {
            actor.fetching = false;
            actor.take(fetched, context);
            actor.pump(context);
        }));
    }

    fn check_health(&mut self, context: &mut Context<Self>) {
        if self.checking {
            return;
        }
        self.checking = true;
        let node = Arc::clone(&self.parts.node);
        let check = async move { node.health().await };
        context.spawn(check.into_actor(self).map(|health, actor, context| {
            actor.checking = false;
            actor.take_health(health, context);
        }));
    }

    fn take_health(&mut self, health: Result<NodeHealth, NodeError>, context: &mut Context<Self>) {
        match health {
            Ok(health) => {
                self.unhealthy = (!health.ready).then_some(health.reason);
                self.state.network = health.network;
            }
            // Definite words of the node count at once; its silence counts when templates stay away as well.
            Err(error @ (NodeError::WrongChain { .. } | NodeError::NotReady { .. })) => {
                self.unhealthy = Some(error.to_string());
            }
            Err(error) => tracing::debug!("node health unknown: {error}"),
        }
        self.judge(context);
        if self.unhealthy.is_none() && self.paused.is_some() {
            self.want(false, context);
        }
    }
}

#[cfg(test)]
#[path = "receiver_tests.rs"]
mod tests;
