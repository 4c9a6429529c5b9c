//! From the node's templates to jobs in force.

use std::{collections::HashMap, sync::Arc};

use actix::{AsyncContext as _, Context};
use pool_domain::ids::AlgorithmName;
use tokio::time::Instant;

use super::{Fetched, RETELL_AFTER, TemplateReceiver, Trouble, pause::definite};
use crate::{
    messages::{
        job::{CurrentJob, FunctionWork, Job, NoTemplate, PublishJob, WorkPaused},
        route::InService,
    },
    metrics::NETWORK_DIFFICULTY,
    ports::node::{HeaderForm, NodeError, Template},
    runtime::outbox::Refused,
};

impl TemplateReceiver {
    pub(super) fn take(&mut self, fetched: Fetched, context: &mut Context<Self>) {
        if *self.parts.algorithms.load() != fetched.in_service {
            // Other functions, or other parts of the sessions, meanwhile: jobs of a moment ago would move sessions back.
            self.wanted = Some(self.wanted.unwrap_or(false) || fetched.clean);
            return;
        }
        self.state.latency_ms = u64::try_from(fetched.took.as_millis()).unwrap_or(u64::MAX);
        let mut jobs: HashMap<AlgorithmName, Arc<Job>> =
            self.parts.jobs.get().iter().map(|job| (job.algorithm.clone(), Arc::clone(job))).collect();
        let refresh = self.last_job.is_none_or(|at| at.elapsed() >= self.parts.settings.job_refresh);
        let InService { work, functions, .. } = &*fetched.in_service;
        let wanted: Vec<AlgorithmName> = work.iter().map(|(function, _)| function.clone()).collect();
        let first = jobs.is_empty();
        let mut failure = None;
        let mut answered = false;
        let mut new_jobs = Vec::new();
        let mut states = Vec::with_capacity(work.len());
        for ((function, split), template) in work.iter().zip(fetched.templates) {
            states.push(self.function_work(function, &template));
            let made = template.map_err(|error| (definite(&error), error.to_string())).and_then(|template| {
                answered = true;
                self.state.last_template_at = template.received_at;
                let same = jobs.get(function).is_some_and(|job| {
                    job.split == *split && job.functions == *functions && same_work(&job.template, &template)
                });
                if same && !fetched.clean && !refresh && !self.fresh_job {
                    return Ok(None);
                }
                // The first work of all; a function that joins invalidates nothing.
                let clean = fetched.clean || first;
                self.maker
                    .job(template, (function, *split), functions, clean, self.parts.clock.now())
                    .map(|job| Some(Job { start_difficulty: fetched.in_service.start_of(function), ..job }))
                    .map_err(|error| (true, format!("template of {function}: {error}")))
            });
            match made {
                Ok(Some(job)) => {
                    let job = Arc::new(job);
                    jobs.insert(function.clone(), Arc::clone(&job));
                    new_jobs.push(job);
                }
                Ok(None) => {}
                Err(error) => {
                    failure.get_or_insert(error);
                }
            }
        }
        self.clean_owed |= fetched.clean && failure.is_some();
        jobs.retain(|function, _| wanted.contains(function));
        self.state.functions = states;
        self.note_outcome(answered, failure);
        if !new_jobs.is_empty() && self.unhealthy.is_none() {
            self.put_in_force(jobs, &wanted);
            // The end of a pause is told before the job that ends it.
            self.judge(context);
            self.publish(&new_jobs, context);
        }
        self.judge(context);
    }

    /// What is known of a function's work after a call for its template.
    fn function_work(
        &self,
        function: &AlgorithmName,
        template: &Result<Template, NodeError>,
    ) -> FunctionWork {
        let before = self.state.function(function.as_str());
        let error = match template {
            Ok(template) => {
                let network_work = template.network_target.work().ok();
                return FunctionWork { algorithm: function.to_string(), network_work, failing: None };
            }
            Err(error) => error,
        };
        let failing_before = before.and_then(|work| work.failing.as_ref());
        if failing_before.is_none() {
            tracing::warn!(%function, %error, "no template of a function");
        }
        FunctionWork {
            algorithm: function.to_string(),
            network_work: before.and_then(|work| work.network_work),
            failing: Some(NoTemplate {
                since: failing_before.map_or_else(|| self.parts.clock.now(), |failing| failing.since),
                reason: error.to_string(),
                refused: matches!(error, NodeError::Rpc { .. }),
            }),
        }
    }

    /// One function without a template does not stop the others.
    fn note_outcome(&mut self, answered: bool, failure: Option<(bool, String)>) {
        match failure {
            Some((definite, reason)) if !answered => {
                let since = self.trouble.take().map_or_else(Instant::now, |trouble| trouble.since);
                self.trouble = Some(Trouble { since, reason, definite });
            }
            _ => self.trouble = None,
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
    pub(super) fn retell_later(&mut self, context: &mut Context<Self>) {
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
