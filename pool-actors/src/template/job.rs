//! JobTemplate: owns one template and makes blocks of the solutions that miners find for it.
//!
//! * **receives** [`CandidateFound`] on the critical lane
//! * **sends** [`SubmitBlock`] to the BlockSubmitter on the critical lane; [`Publish`] where a block is lost
//! * **supervised by** nobody: it holds no state but its template, and ends by itself when nobody holds its job any
//!   more. Sessions hold a job for the grace of its profile and as long as they hash late shares for it, so a late
//!   block still finds its template.
//! * **on overload** does not arise: candidates are rare by nature

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use actix::{Actor, AsyncContext as _, Context, Handler, WrapFuture as _};
use pool_domain::{
    difficulty::DifficultyScale,
    functions::Functions,
    ids::{AlgorithmName, JobId},
    target::TargetError,
    traffic_split::TrafficSplit,
    units::TimeMs,
};

use crate::{
    messages::{
        block::{CandidateFound, SubmitBlock},
        event::{PoolEvent, Publish},
        job::{Job, RenderCache},
        journal::CandidateRecord,
    },
    metrics::BLOCKS_TOTAL,
    ports::node::{SharedNode, Template, network_work},
    runtime::{arbiters::Arbiters, critical::CriticalOutbox, deathwatch::panic_message, outbox::Outbox},
};

/// Mailbox of a JobTemplate; the critical lane ignores it.
const MAILBOX: usize = 16;
/// Tries to assemble a block before it is given up.
const ASSEMBLE_TRIES: u32 = 5;
/// Pause before a block is assembled or handed over again.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// Numbers of jobs: rising, and not used again after a restart of the process, since a miner may come back with a share
/// for a job of the pool's former life.
#[derive(Debug)]
pub struct JobNumbers(AtomicU64);

impl JobNumbers {
    /// Numbers from a start that depends on the time: 65,536 for each second since the epoch.
    #[must_use]
    pub fn starting_at(now: TimeMs) -> Self {
        Self(AtomicU64::new(now.seconds() << 16))
    }

    fn next(&self) -> JobId {
        JobId(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// What a job is made with, besides its template.
pub(super) struct JobMaker {
    pub(super) node: SharedNode,
    pub(super) numbers: Arc<JobNumbers>,
    pub(super) arbiters: Arbiters,
    pub(super) seat: usize,
    pub(super) submitter: CriticalOutbox<SubmitBlock>,
    pub(super) events: Outbox<Publish>,
}

impl JobMaker {
    /// Starts the JobTemplate actor of a template and makes its job.
    ///
    /// # Errors
    /// When the template's target is absurd.
    pub(super) fn job(
        &self,
        template: Template,
        (algorithm, split): (&AlgorithmName, TrafficSplit),
        functions: &Arc<Functions>,
        clean: bool,
        now: TimeMs,
    ) -> Result<Job, TargetError> {
        let network_work = network_work(&template)?;
        let template = Arc::new(template);
        let actor = JobTemplate {
            node: Arc::clone(&self.node),
            template: Arc::clone(&template),
            network_work,
            submitter: self.submitter.clone(),
            events: self.events.clone(),
        };
        let address = self.arbiters.start_actor(self.seat, MAILBOX, move |_| actor);
        Ok(Job {
            id: self.numbers.next(),
            split,
            algorithm: algorithm.clone(),
            functions: Arc::clone(functions),
            clean,
            network_target: template.network_target,
            network_work,
            network_difficulty: DifficultyScale::by_algorithm(algorithm)
                .difficulty_of(template.network_target),
            start_difficulty: None,
            issued_at: now,
            owner: CriticalOutbox::new(Outbox::new("JobTemplate", address.recipient())),
            rendered: RenderCache::default(),
            template,
        })
    }
}

/// See the module's documentation.
struct JobTemplate {
    node: SharedNode,
    template: Arc<Template>,
    network_work: pool_domain::units::Work,
    submitter: CriticalOutbox<SubmitBlock>,
    events: Outbox<Publish>,
}

impl Actor for JobTemplate {
    type Context = Context<Self>;
}

impl Handler<CandidateFound> for JobTemplate {
    type Result = ();

    fn handle(&mut self, found: CandidateFound, context: &mut Self::Context) {
        self.assemble(found, 1, context);
    }
}

impl JobTemplate {
    /// Makes the block. A panic of the node's adapter must cost neither this template, from which more blocks may come,
    /// nor the block, as long as there is hope: it is tried again.
    fn assemble(&self, found: CandidateFound, attempt: u32, context: &mut Context<Self>) {
        let assembled =
            catch_unwind(AssertUnwindSafe(|| self.node.assemble(&self.template, &found.solution)));
        let block = match assembled {
            Ok(Ok(block)) => block,
            // The session checked what a miner may choose: this is a defect, and it costs a block.
            Ok(Err(error)) => return self.report_lost(&found, &error.to_string()),
            Err(panic) => {
                let message = panic_message(panic.as_ref());
                if attempt >= ASSEMBLE_TRIES {
                    return self.report_lost(&found, &format!("panicked: {message}"));
                }
                tracing::error!(job = %found.job.id, attempt, "assembling a block panicked: {message}");
                context.run_later(RETRY_PAUSE, move |template, context| {
                    template.assemble(found, attempt + 1, context);
                });
                return;
            }
        };
        let record = CandidateRecord {
            id: found.id,
            block,
            algorithm: self.template.algorithm.clone(),
            network_work: self.network_work,
            height: self.template.height,
            parents: self.template.parents.clone(),
            finder: found.finder,
            found_at: found.found_at,
        };
        self.hand_over(SubmitBlock(record), context);
    }

    /// With all that it takes to make the block by hand.
    fn report_lost(&self, found: &CandidateFound, why: &str) {
        let (job, finder) = (found.job.id, &found.finder);
        tracing::error!(
            %job, template = self.template.id.0, account = %finder.account, worker = %finder.worker,
            solution = ?found.solution, header = ?self.template.header,
            "block lost, it can't be assembled: {why}; this is a defect, please report it with this line"
        );
        metrics::counter!(BLOCKS_TOTAL, "stage" => "lost").increment(1);
        let message = format!("a block of job {job}, found by {}, can't be assembled: {why}", finder.account);
        let event = PoolEvent::Defect { code: "BLOCK_LOST".to_owned(), message };
        self.events.offer(Publish { at: found.found_at, event });
    }

    /// The BlockSubmitter may be between two lives, or die with the block in its mailbox: the block stays here until it
    /// was taken. One that comes twice is recognised there.
    fn hand_over(&self, block: SubmitBlock, context: &mut Context<Self>) {
        let submitter = self.submitter.clone();
        let handing = async move {
            while submitter.ask(block.clone()).await.is_err() {
                tokio::time::sleep(RETRY_PAUSE).await;
            }
        };
        context.spawn(handing.into_actor(self));
    }
}
