//! ShareValidator: hashes batches of shares and judges them.
//!
//! * **receives** [`ValidateBatch`] (one per socket read), [`Observe`]
//! * **sends** [`AppendShares`] to the journal's shard of its arbiter; [`CandidateFound`](crate::messages::block) to the
//!   job's owner, on the critical lane; refused tickets straight back to their sessions; [`SlotReport`] to its slot
//! * **supervised by** its slot: rebuilt after a panic, and then given what its predecessor left in the [`Rescue`]
//! * **on overload** nothing is dropped: sessions run out of credit and stop reading

use std::{sync::Arc, time::Duration};

use actix::{Actor, AsyncContext, Context, Handler, MessageResult};
use plugin_sdk::PowAlgorithm;
use pool_domain::ids::Route;
use tokio::time::Instant;

use super::{
    judge::Judge,
    shadow::{Sampler, ShadowTap},
    slot::SlotReport,
};
use crate::{
    messages::{
        journal::AppendShares,
        route::Rescue,
        share::{Share, ValidateBatch},
    },
    metrics::SHARE_VALIDATION_SECONDS,
    runtime::{
        observe::{Observation, Observe},
        outbox::Outbox,
        watch::Watched,
    },
};

/// How often a validator tells its slot what it did.
pub(super) const REPORT_INTERVAL: Duration = Duration::from_millis(500);
/// How often candidates whose job's actor was down are offered again, and shares that came while this validator was
/// being built are looked for.
pub(super) const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// What a validator is made of; kept by its slot, so that a successor can be made.
#[derive(Clone)]
pub struct Parts {
    /// The slot and generation it serves.
    pub route: Route,
    /// The hash function.
    pub algorithm: Arc<dyn PowAlgorithm>,
    /// The journal's shard of its arbiter.
    pub journal: Outbox<AppendShares>,
    /// Its slot.
    pub slot: Outbox<SlotReport>,
    /// Shares that a dead predecessor left.
    pub rescue: Arc<Rescue>,
    /// Number of its journal shard.
    pub seat: usize,
    /// Which of its hashes another generation is to be compared with.
    pub tap: Watched<Option<ShadowTap>>,
}

/// See the module's documentation.
pub struct ShareValidator {
    parts: Parts,
    headers: Vec<[u8; 80]>,
    hashes: Vec<[u8; 32]>,
    judge: Judge,
    sampler: Sampler,
    seconds: metrics::Histogram,
}

impl ShareValidator {
    /// A validator; [`Parts::rescue`] is emptied when it starts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let algorithm = parts.algorithm.name().to_owned();
        let slot = parts.route.slot.to_string();
        let seconds = metrics::histogram!(SHARE_VALIDATION_SECONDS, "algorithm" => algorithm, "slot" => slot);
        let judge = Judge::new(parts.route, parts.journal.clone(), parts.slot.clone());
        Self { parts, headers: Vec::new(), hashes: Vec::new(), judge, sampler: Sampler::default(), seconds }
    }

    /// Hashes all headers; what an algorithm refuses is `None`.
    fn hash(&mut self, shares: &[Share]) -> Vec<Option<[u8; 32]>> {
        self.headers.clear();
        self.headers.extend(shares.iter().map(|share| share.header));
        self.hashes.clear();
        self.hashes.resize(shares.len(), [0; 32]);
        let algorithm = &self.parts.algorithm;
        match algorithm.hash_batch(&self.headers, &mut self.hashes) {
            Ok(()) => self.hashes.iter().copied().map(Some).collect(),
            // One header that has no hash must not spoil the batch.
            Err(_) => self.headers.iter().map(|header| algorithm.hash(header).ok()).collect(),
        }
    }

    fn judge(&mut self, batch: ValidateBatch) {
        // Nothing leaves the batch until every share has its hash: if the algorithm panics, all are rescued.
        let started = Instant::now();
        let hashes = self.hash(batch.shares());
        let count = u32::try_from(hashes.len().max(1)).unwrap_or(u32::MAX);
        let each = started.elapsed() / count;
        self.seconds.record(each);
        self.judge.note_time(each, count);
        if let Some(tap) = self.parts.tap.load().as_ref() {
            self.sampler.offer(tap, self.parts.seat, &self.headers, &hashes);
        }
        self.judge.judge(batch.finish(), hashes);
    }

    /// One share at a time: if one of them is what killed the predecessor, the others are judged all the same.
    fn judge_rescued(&mut self) {
        while let Some(share) = self.parts.rescue.take() {
            self.judge(ValidateBatch::rescued(share, Arc::clone(&self.parts.rescue)));
        }
    }
}

impl Actor for ShareValidator {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(REPORT_INTERVAL, |this, _| this.judge.report());
        ctx.run_interval(RETRY_INTERVAL, |this, _| {
            this.judge.retry_candidates();
            this.judge_rescued();
        });
        self.judge_rescued();
    }
}

impl Handler<ValidateBatch> for ShareValidator {
    type Result = ();

    fn handle(&mut self, batch: ValidateBatch, _: &mut Self::Context) {
        self.judge(batch);
    }
}

impl Handler<Observe> for ShareValidator {
    type Result = MessageResult<Observe>;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Self::Result {
        MessageResult(Observation::of(&self.judge.totals()))
    }
}
