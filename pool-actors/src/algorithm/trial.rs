//! TrialWorker: hashes for a generation that is not proven, away from the sessions' arbiters.
//!
//! * **receives** `LaneWork` (there are shares in its lane), [`ShadowBatch`], [`Observe`]
//! * **sends** what a ShareValidator sends; [`SlotAlarm`] to the AlgorithmSupervisor
//! * **supervised by** its trial; its shares stay in the lane until it has their hashes, so its death loses none
//! * **on overload** shadow work is left out and counted; shares wait in the lane, bounded by their tickets
//!
//! No share suffers from the generation on trial: where it panics, gives no hash, or would have a share refused, what
//! is known to compute the same function hashes the same header and has the last word. So does it for every block and for
//! a sample of what is accepted. Where nothing else computes that function (a migration to one that is not linked in),
//! shares without a hash are kept back and tried again.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use actix::{Actor, AsyncContext, Context, Handler, Message, MessageResult};
use plugin_sdk::PowAlgorithm;
use pool_domain::{ids::Route, units::BasisPoints};
use tokio::time::Instant;

use super::{
    contained::{Hashed, hash_all},
    judge::{Judge, Unsent},
    shadow::{Sampler, ShadowBatch},
    slot::SlotReport,
    validator::{REPORT_INTERVAL, RETRY_INTERVAL},
};
use crate::{
    messages::{
        journal::AppendShares,
        lane::{Batch, LaneWork, ShareLane},
        share::Share,
    },
    metrics::SHARE_VALIDATION_SECONDS,
    runtime::{
        observe::{Observation, Observe},
        outbox::Outbox,
    },
};

/// Shares hashed at once.
const BATCH_MAX: usize = 64;
/// Part of the accepted shares that the last good generation hashes too.
const CHECKED: BasisPoints = BasisPoints(100);

/// To the AlgorithmSupervisor: this generation can't be trusted.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub enum SlotAlarm {
    /// It computes another hash than the last good generation.
    HashDiffers {
        /// Who.
        route: Route,
        /// The input.
        input: [u8; 80],
        /// What it computed.
        got: [u8; 32],
        /// What it should have computed.
        expected: [u8; 32],
    },
    /// It panicked.
    Panicked {
        /// Who.
        route: Route,
        /// Its last words.
        message: String,
    },
}

/// What a worker is made of.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) route: Route,
    /// On trial.
    pub(super) algorithm: Arc<dyn PowAlgorithm>,
    /// What computes the same function and is known to be good: the last good generation in an upgrade, else what is
    /// linked into this program, if anything.
    pub(super) reference: Option<Arc<dyn PowAlgorithm>>,
    /// Shadow traffic is of the same function: its hashes must be the same.
    pub(super) comparable: bool,
    pub(super) lane: Arc<ShareLane>,
    pub(super) journal: Outbox<AppendShares>,
    pub(super) slot: Outbox<SlotReport>,
    pub(super) unsent: Arc<Unsent>,
    pub(super) alarms: Outbox<SlotAlarm>,
}

/// See the module's documentation.
pub(super) struct TrialWorker {
    parts: Parts,
    judge: Judge,
    sampler: Sampler,
    room: Vec<[u8; 32]>,
    seconds: metrics::Histogram,
}

impl TrialWorker {
    pub(super) fn new(parts: Parts) -> Self {
        let (algorithm, slot) = (parts.algorithm.name().to_owned(), parts.route.slot.to_string());
        let seconds = metrics::histogram!(SHARE_VALIDATION_SECONDS, "algorithm" => algorithm, "slot" => slot);
        let judge =
            Judge::new(parts.route, parts.journal.clone(), parts.slot.clone(), Arc::clone(&parts.unsent));
        Self { parts, judge, sampler: Sampler::default(), room: Vec::new(), seconds }
    }

    /// One batch; true if there may be more.
    fn work(&mut self) -> bool {
        let Some(batch) = self.parts.lane.take(BATCH_MAX) else { return false };
        let started = Instant::now();
        let hashes = self.hash(&batch.headers);
        self.note_time(started, batch.headers.len());
        let hashes = self.settle(&batch, hashes);
        if let Some(shares) = self.parts.lane.finish(&batch) {
            let (mut shares, hashes) = self.hold_back(shares, hashes);
            shares.iter_mut().for_each(|share| share.life.hashed(started));
            self.judge.judge(shares, hashes);
        }
        true
    }

    /// Where nobody else computes the function, what has no hash is neither refused nor judged by another function: it is
    /// kept for another try.
    fn hold_back(
        &mut self,
        shares: Vec<Share>,
        hashes: Vec<Option<[u8; 32]>>,
    ) -> (Vec<Share>, Vec<Option<[u8; 32]>>) {
        if self.parts.reference.is_some() || hashes.iter().all(Option::is_some) {
            return (shares, hashes);
        }
        let (hashed, without): (Vec<_>, Vec<_>) =
            shares.into_iter().zip(hashes).partition(|(_, hash)| hash.is_some());
        self.judge.counts().errors += without.len() as u64;
        self.parts.lane.hold(without.into_iter().map(|(share, _)| share).collect());
        hashed.into_iter().unzip()
    }

    fn note_time(&mut self, started: Instant, hashes: usize) {
        let count = u32::try_from(hashes.max(1)).unwrap_or(u32::MAX);
        let each = started.elapsed() / count;
        self.seconds.record(each);
        self.judge.note_time(each, count);
    }

    /// The hashes of the generation on trial; `None` where it gave none. A panic is told, unless the last good generation
    /// panics on the same header: then that header is poison, and a miner must not be able to stop an upgrade with it.
    fn hash(&mut self, headers: &[[u8; 80]]) -> Vec<Option<[u8; 32]>> {
        let Hashed { hashes, fatal } = hash_all(&*self.parts.algorithm, headers, &mut self.room);
        for (at, message) in fatal {
            let poison = |reference: &Arc<dyn PowAlgorithm>| {
                catch_unwind(AssertUnwindSafe(|| reference.hash(&headers[at]))).is_err()
            };
            if !self.parts.reference.as_ref().is_some_and(poison) {
                self.judge.counts().traps += 1;
                self.parts.alarms.offer(SlotAlarm::Panicked { route: self.parts.route, message });
            }
        }
        hashes
    }

    /// Lets the last good generation have the last word where it matters.
    fn settle(&mut self, batch: &Batch, hashes: Vec<Option<[u8; 32]>>) -> Vec<Option<[u8; 32]>> {
        let Some(reference) = self.parts.reference.clone() else { return hashes };
        let settled = batch.headers.iter().zip(&batch.bounds).zip(hashes);
        settled
            .map(|((header, (bound, job)), hash)| {
                let plainly_good =
                    hash.is_some_and(|hash| bound.is_met_by(&hash) && !job.network_target.is_met_by(&hash));
                if plainly_good && !self.sampler.pick(CHECKED) {
                    return hash;
                }
                // What it panics on has no hash; the share must not come back to kill the next worker.
                let right = hash_of(&*reference, header);
                self.compare(header, hash, right);
                right
            })
            .collect()
    }

    fn compare(&mut self, header: &[u8; 80], got: Option<[u8; 32]>, expected: Option<[u8; 32]>) {
        let counts = self.judge.counts();
        counts.compared += 1;
        match (got, expected) {
            (Some(got), Some(expected)) if got != expected => {
                let route = self.parts.route;
                self.parts.alarms.offer(SlotAlarm::HashDiffers { route, input: *header, got, expected });
            }
            // The judge counts what has no hash at all.
            (None, Some(_)) => counts.errors += 1,
            _ => {}
        }
    }
}

/// What it panics on has no hash.
fn hash_of(algorithm: &dyn PowAlgorithm, header: &[u8; 80]) -> Option<[u8; 32]> {
    catch_unwind(AssertUnwindSafe(|| algorithm.hash(header).ok())).unwrap_or_default()
}

impl Actor for TrialWorker {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(REPORT_INTERVAL, |this, _| this.judge.report());
        ctx.run_interval(RETRY_INTERVAL, |this, ctx| {
            this.judge.retry_candidates();
            this.parts.lane.release();
            // A wake-up may have met a dead worker.
            ctx.notify(LaneWork);
        });
    }
}

impl Handler<LaneWork> for TrialWorker {
    type Result = ();

    fn handle(&mut self, work: LaneWork, ctx: &mut Self::Context) {
        if self.work() {
            ctx.notify(work);
        }
    }
}

impl Handler<ShadowBatch> for TrialWorker {
    type Result = ();

    fn handle(&mut self, batch: ShadowBatch, _: &mut Self::Context) {
        self.parts.lane.enter();
        let started = Instant::now();
        let hashes = self.hash(&batch.headers);
        self.note_time(started, batch.headers.len());
        self.parts.lane.leave();
        for ((header, expected), got) in batch.headers.iter().zip(batch.hashes).zip(hashes) {
            match &self.parts.reference {
                Some(_) if self.parts.comparable => self.compare(header, got, Some(expected)),
                Some(reference) => {
                    let right = hash_of(&**reference, header);
                    self.compare(header, got, right);
                }
                None if got.is_none() => self.judge.counts().errors += 1,
                None => {}
            }
        }
    }
}

impl Handler<Observe> for TrialWorker {
    type Result = MessageResult<Observe>;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Self::Result {
        MessageResult(Observation::of(&self.judge.totals()))
    }
}
