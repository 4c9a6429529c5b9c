//! ShareValidator: hashes batches of shares and judges them.
//!
//! * **receives** [`ValidateBatch`] (one per socket read), [`Observe`]
//! * **sends** [`AppendShares`] to the journal's shard of its arbiter; [`CandidateFound`](crate::messages::block) to the
//!   job's owner, on the critical lane; refused tickets straight back to their sessions; [`SlotReport`] to its slot
//! * **supervised by** its slot: rebuilt after a panic, and then given what its predecessor left in the [`Rescue`]
//! * **on overload** nothing is dropped: sessions run out of credit and stop reading

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use actix::{Actor, AsyncContext, Context, Handler, MessageResult};
use plugin_sdk::PowAlgorithm;
use pool_domain::{ids::Route, share::LostReason};
use tokio::time::Instant;

use super::{
    contained::{Hashed, hash_all},
    judge::{Judge, Unsent},
    shadow::{Sampler, ShadowTap},
    slot::SlotReport,
};
use crate::{
    messages::{
        journal::AppendShares,
        route::Rescue,
        share::{Share, ValidateBatch},
    },
    metrics::{SHARE_VALIDATION_SECONDS, SLOT_PANICS_TOTAL},
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
    /// Blocks whose job's owner was down.
    pub unsent: Arc<Unsent>,
    /// The linked-in code of the same function, which hashes what the algorithm gives no hash for.
    pub reference: Option<Arc<dyn PowAlgorithm>>,
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
        let judge =
            Judge::new(parts.route, parts.journal.clone(), parts.slot.clone(), Arc::clone(&parts.unsent));
        Self { parts, headers: Vec::new(), hashes: Vec::new(), judge, sampler: Sampler::default(), seconds }
    }

    /// Hashes all headers; what an algorithm refuses or panics on has no hash.
    fn hash(&mut self, shares: &[Share]) -> Hashed {
        self.headers.clear();
        self.headers.extend(shares.iter().map(|share| share.header));
        let mut hashed = hash_all(&*self.parts.algorithm, &self.headers, &mut self.hashes);
        if hashed.hashes.iter().any(Option::is_none)
            && let Some(reference) = self.parts.reference.clone()
        {
            self.rescue(&*reference, &mut hashed);
        }
        hashed
    }

    /// No share suffers from code that gave no hash: the linked-in code of the same function has one. What that panics on
    /// too is poison.
    fn rescue(&mut self, reference: &dyn PowAlgorithm, hashed: &mut Hashed) {
        let mut rescued = 0;
        for (at, hash) in hashed.hashes.iter_mut().enumerate().filter(|(_, hash)| hash.is_none()) {
            let header = &self.headers[at];
            let right = catch_unwind(AssertUnwindSafe(|| reference.hash(header).ok())).unwrap_or_default();
            if right.is_some() {
                *hash = right;
                rescued += 1;
            }
        }
        let spared = &hashed.hashes;
        let before = hashed.fatal.len();
        hashed.fatal.retain(|(at, _)| spared[*at].is_none());
        let panics = before - hashed.fatal.len();
        let counts = self.judge.counts();
        counts.rescued += rescued;
        counts.errors += rescued;
        counts.traps += panics as u64;
    }

    /// Takes shares that the algorithm panicked on out of a batch, and tells their miners.
    fn give_up(
        &self,
        shares: Vec<Share>,
        hashes: &mut Vec<Option<[u8; 32]>>,
        fatal: Vec<(usize, String)>,
    ) -> Vec<Share> {
        if fatal.is_empty() {
            return shares;
        }
        let mut spared = Vec::with_capacity(shares.len());
        let kept = std::mem::take(hashes);
        let mut fatal = fatal.into_iter().peekable();
        for (at, (share, hash)) in shares.into_iter().zip(kept).enumerate() {
            let Some((_, panic)) = fatal.next_if(|(poison, _)| *poison == at) else {
                spared.push(share);
                hashes.push(hash);
                continue;
            };
            let slot = self.parts.route.slot.to_string();
            metrics::counter!(SLOT_PANICS_TOTAL, "slot" => slot).increment(1);
            let header: String = share.header.iter().map(|byte| format!("{byte:02x}")).collect();
            tracing::error!(
                route = %self.parts.route, account = %share.worker.account, header,
                "the algorithm panicked on a share, which is lost; report it with its header: {panic}"
            );
            share.ticket.lost(LostReason::AlgorithmPanicked);
        }
        spared
    }

    fn judge(&mut self, batch: ValidateBatch) {
        // Nothing leaves the batch until every share has its hash: whatever ends this actor, all are rescued.
        let started = Instant::now();
        let Hashed { mut hashes, fatal } = self.hash(batch.shares());
        let count = u32::try_from(hashes.len().max(1)).unwrap_or(u32::MAX);
        let each = started.elapsed() / count;
        self.seconds.record(each);
        self.judge.note_time(each, count);
        if let Some(tap) = self.parts.tap.load().as_ref() {
            self.sampler.offer(tap, self.parts.seat, &self.headers, &hashes);
        }
        self.judge.counts().traps += fatal.len() as u64;
        let mut shares = self.give_up(batch.finish(), &mut hashes, fatal);
        shares.iter_mut().for_each(|share| share.life.hashed(started));
        self.judge.judge(shares, hashes);
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
