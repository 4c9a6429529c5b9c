//! TemplateReceiver: turns what the node offers into jobs, and pauses work while the node can't be mined on.
//!
//! * **receives** the node's events (a stream), its own timers, changes of the algorithms in service, [`Observe`]
//! * **sends** [`PublishJob`] and [`WorkPaused`] to every arbiter's session hub, [`NodeTold`] to the MaturityTracker,
//!   [`Publish`] to the EventPublisher; publishes [`NodeState`] and the jobs in force in watches
//! * **supervised by** the factory supervisor; the watches outlive it, and the next life starts with a fresh template
//! * **on overload** events are coalesced: at most one call for templates is under way, and the newest wins

use std::{collections::HashMap, sync::Arc, time::Duration};

use actix::{
    Actor, ActorFutureExt as _, AsyncContext as _, Context, Handler, MessageResult, SpawnHandle,
    StreamHandler, WrapFuture as _,
};
use futures_util::{future::join_all, stream};
use pool_domain::ids::{AlgorithmName, Route};
use tokio::time::Instant;

use super::job::{JobMaker, JobNumbers};
use crate::{
    messages::{
        block::{NodeTold, SubmitBlock},
        event::{PoolEvent, Publish},
        job::{CurrentJob, Job, NodeState, PublishJob, WorkPaused},
    },
    metrics::{NETWORK_DIFFICULTY, NODE_READY, TEMPLATE_AGE_SECONDS},
    ports::{
        clock::SharedClock,
        node::{HeaderForm, NodeError, NodeEvent, NodeHealth, SharedNode, Template},
    },
    runtime::{
        Runtime,
        critical::CriticalOutbox,
        observe::{Observation, Observe},
        outbox::{Outbox, Refused},
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

/// An algorithm that jobs are issued for, and the validators of its shares.
pub type InService = (AlgorithmName, Route);

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
    /// Which algorithms to issue jobs for.
    pub algorithms: Watched<Vec<InService>>,
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
    templates: Vec<(InService, Result<Template, NodeError>)>,
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
        self.fetching = true;
        let started = Instant::now();
        self.last_fetch = Some(started);
        let node = Arc::clone(&self.parts.node);
        let algorithms = self.parts.algorithms.get();
        let calls = async move {
            let templates = join_all(algorithms.iter().map(|in_service| {
                let node = Arc::clone(&node);
                async move { (in_service.clone(), node.template(&in_service.0).await) }
            }))
            .await;
            Fetched { templates, clean, took: started.elapsed() }
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

/// From templates to jobs.
impl TemplateReceiver {
    fn take(&mut self, fetched: Fetched, context: &mut Context<Self>) {
        self.state.latency_ms = u64::try_from(fetched.took.as_millis()).unwrap_or(u64::MAX);
        let mut jobs: HashMap<AlgorithmName, Arc<Job>> =
            self.parts.jobs.get().iter().map(|job| (job.algorithm.clone(), Arc::clone(job))).collect();
        let refresh = self.last_job.is_none_or(|at| at.elapsed() >= self.parts.settings.job_refresh);
        let wanted: Vec<AlgorithmName> =
            fetched.templates.iter().map(|((algorithm, _), _)| algorithm.clone()).collect();
        let mut failure = None;
        let mut answered = false;
        let mut new_jobs = Vec::new();
        for ((algorithm, route), template) in fetched.templates {
            let made = template.map_err(|error| (definite(&error), error.to_string())).and_then(|template| {
                answered = true;
                self.state.last_template_at = template.received_at;
                let same = jobs
                    .get(&algorithm)
                    .is_some_and(|job| job.route == route && same_work(&job.template, &template));
                if same && !fetched.clean && !refresh && !self.fresh_job {
                    return Ok(None);
                }
                let clean = fetched.clean || !jobs.contains_key(&algorithm);
                self.maker
                    .job(template, (&algorithm, route), clean, self.parts.clock.now())
                    .map(Some)
                    .map_err(|error| (true, format!("template of {algorithm}: {error}")))
            });
            match made {
                Ok(Some(job)) => {
                    let job = Arc::new(job);
                    jobs.insert(algorithm, Arc::clone(&job));
                    new_jobs.push(job);
                }
                Ok(None) => {}
                Err(error) => {
                    failure.get_or_insert(error);
                }
            }
        }
        jobs.retain(|algorithm, _| wanted.contains(algorithm));
        self.note_outcome(answered, failure);
        if !new_jobs.is_empty() && self.unhealthy.is_none() {
            self.put_in_force(jobs, &wanted);
            // The end of a pause is told before the job that ends it.
            self.judge(context);
            self.publish(&new_jobs, context);
        }
        self.judge(context);
    }

    /// One algorithm without a template does not stop the others.
    fn note_outcome(&mut self, answered: bool, failure: Option<(bool, String)>) {
        match failure {
            Some((definite, reason)) if !answered => {
                let since = self.trouble.take().map_or_else(Instant::now, |trouble| trouble.since);
                self.trouble = Some(Trouble { since, reason, definite });
            }
            Some((_, reason)) => {
                tracing::warn!("no template of one algorithm: {reason}");
                self.trouble = None;
            }
            None => self.trouble = None,
        }
    }

    fn put_in_force(&mut self, mut jobs: HashMap<AlgorithmName, Arc<Job>>, order: &[AlgorithmName]) {
        let jobs: Vec<Arc<Job>> = order.iter().filter_map(|algorithm| jobs.remove(algorithm)).collect();
        self.state.job = jobs.first().map(|job| current(job));
        for job in &jobs {
            // Display only: a gauge is a float.
            #[expect(clippy::cast_precision_loss, reason = "a gauge")]
            let work = job.network_work.0 as f64;
            metrics::gauge!(NETWORK_DIFFICULTY, "algorithm" => job.algorithm.as_str().to_owned()).set(work);
        }
        self.parts.jobs.set(jobs);
    }

    fn publish(&mut self, jobs: &[Arc<Job>], context: &mut Context<Self>) {
        self.last_job = Some(Instant::now());
        self.fresh_job = false;
        for job in jobs {
            self.jobs_published += 1;
            for (hub, behind) in self.parts.hubs.iter().zip(&mut self.behind) {
                if let Err(Refused::Full(_)) = hub.jobs.try_post(PublishJob(Arc::clone(job))) {
                    *behind = true;
                }
            }
        }
        self.retell_later(context);
    }

    /// Sessions must hear the newest job, though not every one in between.
    fn retell_later(&mut self, context: &mut Context<Self>) {
        if !self.behind.contains(&true) {
            return;
        }
        context.run_later(RETELL_AFTER, |actor, context| {
            let jobs = actor.parts.jobs.get();
            let reason = actor.paused.clone();
            for (hub, behind) in actor.parts.hubs.iter().zip(&mut actor.behind) {
                if *behind {
                    let pause = hub.pauses.try_post(WorkPaused { reason: reason.clone() });
                    let full = matches!(pause, Err(Refused::Full(_)));
                    let unheard = jobs.iter().filter(|_| reason.is_none()).any(|job| {
                        matches!(hub.jobs.try_post(PublishJob(Arc::clone(job))), Err(Refused::Full(_)))
                    });
                    *behind = full || unheard;
                }
            }
            actor.retell_later(context);
        });
    }
}

/// Pausing and resuming.
impl TemplateReceiver {
    /// Why there can be no work now.
    fn obstacle(&self) -> Option<String> {
        if let Some(reason) = &self.unhealthy {
            return Some(reason.clone());
        }
        if let Some(trouble) = &self.trouble
            && (trouble.definite || trouble.since.elapsed() >= self.parts.settings.pause_after)
        {
            return Some(trouble.reason.clone());
        }
        None
    }

    /// Compares what is with what the sessions were told, and tells them and the world of a change.
    fn judge(&mut self, context: &mut Context<Self>) {
        let obstacle = self.obstacle();
        if self.paused.is_some() && obstacle.is_none() {
            self.tell_sessions(None, context);
        } else if obstacle.is_some() && self.paused.is_none() {
            self.tell_sessions(obstacle.as_ref(), context);
            self.fresh_job = true;
        }
        let reason = match (&obstacle, &self.state.job, &self.trouble) {
            (Some(reason), _, _) => reason.clone(),
            (None, None, Some(trouble)) => trouble.reason.clone(),
            (None, None, None) => "waiting for the first template".to_owned(),
            (None, Some(_), _) if self.fresh_job => "waiting for a fresh template".to_owned(),
            (None, Some(_), _) => String::new(),
        };
        let ready = reason.is_empty();
        if (ready, &reason) != (self.state.ready, &self.state.reason) {
            self.state.ready = ready;
            self.state.reason.clone_from(&reason);
            if ready {
                tracing::info!(node = self.state.name, "node ready, work is handed out");
            } else {
                tracing::warn!(node = self.state.name, "no work is handed out: {reason}");
            }
            let event = PoolEvent::NodeState { ready, reason };
            self.parts.events.offer(Publish { at: self.parts.clock.now(), event });
        }
        self.record();
    }

    fn tell_sessions(&mut self, reason: Option<&String>, context: &mut Context<Self>) {
        self.paused = reason.cloned();
        for (hub, behind) in self.parts.hubs.iter().zip(&mut self.behind) {
            if let Err(Refused::Full(_)) = hub.pauses.try_post(WorkPaused { reason: reason.cloned() }) {
                *behind = true;
            }
        }
        self.retell_later(context);
    }

    fn record(&self) {
        metrics::gauge!(NODE_READY).set(if self.state.ready { 1.0 } else { 0.0 });
        if self.state.last_template_at.0 != 0 {
            let age_ms = self.parts.clock.now().since(self.state.last_template_at);
            // Ages far below 2^52 ms.
            #[expect(clippy::cast_precision_loss, reason = "a gauge")]
            metrics::gauge!(TEMPLATE_AGE_SECONDS).set(age_ms as f64 / 1_000.0);
        }
        if *self.parts.state.get() != self.state {
            self.parts.state.set(self.state.clone());
        }
    }
}

/// Whether an error is the node's own word that it can't be mined on.
fn definite(error: &NodeError) -> bool {
    matches!(error, NodeError::NotReady { .. } | NodeError::WrongChain { .. })
}

/// Whether two templates are the same work but for the header time.
fn same_work(a: &Template, b: &Template) -> bool {
    if a.network_target != b.network_target || a.parents != b.parents {
        return false;
    }
    match (&a.header, &b.header) {
        (
            HeaderForm::Coinbase { version, previous, coinbase1, coinbase2, branches, bits, .. },
            HeaderForm::Coinbase {
                version: version_b,
                previous: previous_b,
                coinbase1: coinbase1_b,
                coinbase2: coinbase2_b,
                branches: branches_b,
                bits: bits_b,
                ..
            },
        ) => {
            (version, previous, coinbase1, coinbase2, branches, bits)
                == (version_b, previous_b, coinbase1_b, coinbase2_b, branches_b, bits_b)
        }
        (
            HeaderForm::BdagMining { version, previous, bits, .. },
            HeaderForm::BdagMining { version: version_b, previous: previous_b, bits: bits_b, .. },
        ) => (version, previous, bits) == (version_b, previous_b, bits_b),
        (
            HeaderForm::PrePow { pre_pow_hash, .. },
            HeaderForm::PrePow { pre_pow_hash: pre_pow_hash_b, .. },
        ) => pre_pow_hash == pre_pow_hash_b,
        _ => false,
    }
}

fn current(job: &Job) -> CurrentJob {
    CurrentJob {
        id: format!("{:x}", job.id.0),
        algorithm: job.algorithm.to_string(),
        height: job.template.height,
        parents: job.template.parents.iter().map(ToString::to_string).collect(),
        network_difficulty: job.network_difficulty.to_string(),
        network_work: job.network_work,
        template_at: job.template.received_at,
    }
}

#[cfg(test)]
#[path = "receiver_tests.rs"]
mod tests;
