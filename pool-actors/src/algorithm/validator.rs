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
use pool_domain::{
    ids::Route,
    share::{RejectReason, Verdict},
};
use serde::Serialize;
use tokio::time::Instant;

use super::slot::SlotReport;
use crate::{
    messages::{
        block::CandidateFound,
        journal::{AppendShares, CandidateId, PendingShare},
        route::Rescue,
        share::{Share, ValidateBatch},
    },
    metrics::SHARE_VALIDATION_SECONDS,
    runtime::{
        observe::{Observation, Observe},
        outbox::Outbox,
        ticket::{Ticket, resolve_all},
    },
};

/// How often a validator tells its slot what it did.
const REPORT_INTERVAL: Duration = Duration::from_millis(500);
/// How often candidates whose job's actor was down are offered again, and shares that came while this validator was
/// being built are looked for.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

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
}

/// See the module's documentation.
pub struct ShareValidator {
    parts: Parts,
    headers: Vec<[u8; 80]>,
    hashes: Vec<[u8; 32]>,
    /// Candidates whose owner was down: never shed.
    unsent: Vec<CandidateFound>,
    seconds: metrics::Histogram,
    total: Counts,
    since_report: Counts,
}

#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Counts {
    validated: u64,
    accepted: u64,
    low_difficulty: u64,
    stale: u64,
    errors: u64,
    candidates: u64,
}

impl ShareValidator {
    /// A validator; [`Parts::rescue`] is emptied when it starts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let algorithm = parts.algorithm.name().to_owned();
        let slot = parts.route.slot.to_string();
        let seconds = metrics::histogram!(SHARE_VALIDATION_SECONDS, "algorithm" => algorithm, "slot" => slot);
        Self {
            parts,
            headers: Vec::new(),
            hashes: Vec::new(),
            unsent: Vec::new(),
            seconds,
            total: Counts::default(),
            since_report: Counts::default(),
        }
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
        self.seconds.record(started.elapsed() / u32::try_from(hashes.len().max(1)).unwrap_or(u32::MAX));
        let mut accepted = Vec::with_capacity(hashes.len());
        let mut refused: Vec<(Ticket, Verdict)> = Vec::new();
        for (share, hash) in batch.finish().into_iter().zip(hashes) {
            self.since_report.validated += 1;
            match self.verdict(&share, hash) {
                Ok((hash, candidate)) => {
                    self.since_report.accepted += 1;
                    accepted.push(pending(share, hash, candidate, self.parts.route));
                }
                Err(reason) => refused.push((share.ticket, Verdict::Rejected(reason))),
            }
        }
        resolve_all(refused);
        if !accepted.is_empty() {
            // A dead journal stops the process; the tickets in a refused batch report the loss as they drop.
            let _ = self.parts.journal.post(AppendShares(accepted));
        }
    }

    /// The hash of a good share and its candidate number if it is a block, or why it is refused.
    fn verdict(
        &mut self,
        share: &Share,
        hash: Option<[u8; 32]>,
    ) -> Result<([u8; 32], Option<CandidateId>), RejectReason> {
        let Some(hash) = hash else {
            self.since_report.errors += 1;
            return Err(RejectReason::Other);
        };
        if share.job.network_target.is_met_by(&hash) {
            // A block counts whatever its age and whatever the session's difficulty.
            let id = CandidateId::from_pow_hash(&hash);
            self.since_report.candidates += 1;
            self.offer_candidate(CandidateFound {
                id,
                job: Arc::clone(&share.job),
                solution: share.solution,
                finder: Arc::clone(&share.worker),
                found_at: share.received_at,
            });
            return Ok((hash, Some(id)));
        }
        if share.late {
            self.since_report.stale += 1;
            return Err(RejectReason::StaleJob);
        }
        if !share.target.is_met_by(&hash) {
            self.since_report.low_difficulty += 1;
            return Err(RejectReason::LowDifficulty);
        }
        Ok((hash, None))
    }

    fn offer_candidate(&mut self, candidate: CandidateFound) {
        let owner = candidate.job.owner.clone();
        if let Err(back) = owner.post(candidate) {
            self.unsent.push(back.0);
        }
    }

    /// One share at a time: if one of them is what killed the predecessor, the others are judged all the same.
    fn judge_rescued(&mut self) {
        while let Some(share) = self.parts.rescue.take() {
            self.judge(ValidateBatch::rescued(share, Arc::clone(&self.parts.rescue)));
        }
    }

    fn report(&mut self) {
        let news = std::mem::take(&mut self.since_report);
        if news.validated == 0 {
            return;
        }
        self.total.add(news);
        self.parts.slot.offer(SlotReport {
            validated: news.validated,
            accepted: news.accepted,
            errors: news.errors,
            candidates: news.candidates,
        });
    }
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.validated += other.validated;
        self.accepted += other.accepted;
        self.low_difficulty += other.low_difficulty;
        self.stale += other.stale;
        self.errors += other.errors;
        self.candidates += other.candidates;
    }
}

fn pending(share: Share, hash: [u8; 32], candidate: Option<CandidateId>, route: Route) -> PendingShare {
    PendingShare {
        hash_tag: CandidateId::from_pow_hash(&hash).0,
        ticket: share.ticket,
        received_at: share.received_at,
        worker: share.worker,
        work: share.work,
        algorithm: share.job.algorithm.clone(),
        route,
        job: share.job.id,
        candidate,
    }
}

impl Actor for ShareValidator {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(REPORT_INTERVAL, |this, _| this.report());
        ctx.run_interval(RETRY_INTERVAL, |this, _| {
            for candidate in std::mem::take(&mut this.unsent) {
                this.offer_candidate(candidate);
            }
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
        let mut total = self.total;
        total.add(self.since_report);
        MessageResult(Observation::of(&total))
    }
}
