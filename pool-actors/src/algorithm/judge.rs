//! What follows from a share's hash; the same for proven generations and for those that are not.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use pool_domain::{
    ids::Route,
    share::{RejectReason, Verdict},
    slot_health::SlotCounts,
};
use serde::Serialize;

use super::slot::SlotReport;
use crate::{
    messages::{
        block::CandidateFound,
        journal::{AppendShares, CandidateId, PendingShare},
        share::Share,
    },
    runtime::{
        outbox::Outbox,
        ticket::{Ticket, resolve_all},
    },
};

/// Blocks whose job's owner was down when they were found: never shed. All generations share them, so that none is lost
/// with the one that found it.
#[derive(Debug, Default)]
pub struct Unsent(Mutex<Vec<CandidateFound>>);

impl Unsent {
    fn keep(&self, candidate: CandidateFound) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(candidate);
    }

    fn take(&self) -> Vec<CandidateFound> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Judges hashed shares of one route: blocks to their job's owner, good shares to the journal, the rest back.
pub(super) struct Judge {
    route: Route,
    journal: Outbox<AppendShares>,
    slot: Outbox<SlotReport>,
    unsent: Arc<Unsent>,
    total: SlotCounts,
    /// What the slot was told so far.
    told: SlotCounts,
}

/// Counts, for people.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Totals {
    validated: u64,
    accepted: u64,
    low_difficulty: u64,
    stale: u64,
    errors: u64,
    candidates: u64,
    compared: u64,
}

impl Judge {
    pub(super) fn new(
        route: Route,
        journal: Outbox<AppendShares>,
        slot: Outbox<SlotReport>,
        unsent: Arc<Unsent>,
    ) -> Self {
        Self { route, journal, slot, unsent, total: SlotCounts::default(), told: SlotCounts::default() }
    }

    /// What is counted beyond verdicts.
    pub(super) fn counts(&mut self) -> &mut SlotCounts {
        &mut self.total
    }

    pub(super) fn note_time(&mut self, each: Duration, shares: u32) {
        self.total.latency.record(u64::try_from(each.as_nanos()).unwrap_or(u64::MAX), shares);
    }

    /// Judges shares by their hashes; what the algorithm refused has none.
    pub(super) fn judge(&mut self, shares: Vec<Share>, hashes: Vec<Option<[u8; 32]>>) {
        let mut accepted = Vec::with_capacity(hashes.len());
        let mut refused: Vec<(Ticket, Verdict)> = Vec::new();
        for (mut share, hash) in shares.into_iter().zip(hashes) {
            self.total.shares += 1;
            match self.verdict(&share, hash) {
                Ok((hash, candidate)) => {
                    self.total.accepted += 1;
                    accepted.push(pending(share, hash, candidate, self.route));
                }
                Err(reason) => {
                    share.life.refused(reason.cause().label());
                    refused.push((share.ticket, Verdict::Rejected(reason)));
                }
            }
        }
        resolve_all(refused);
        if !accepted.is_empty() {
            // A dead journal stops the process; the tickets in a refused batch report the loss as they drop.
            let _ = self.journal.post(AppendShares(accepted));
        }
    }

    /// The hash of a good share and its candidate number if it is a block, or why it is refused.
    fn verdict(
        &mut self,
        share: &Share,
        hash: Option<[u8; 32]>,
    ) -> Result<([u8; 32], Option<CandidateId>), RejectReason> {
        let Some(hash) = hash else {
            self.total.errors += 1;
            return Err(RejectReason::Other);
        };
        if share.job.network_target.is_met_by(&hash) {
            // A block counts whatever its age and whatever the session's difficulty.
            let id = CandidateId::from_pow_hash(&hash);
            self.total.candidates += 1;
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
            self.total.stale += 1;
            return Err(RejectReason::StaleJob);
        }
        if !share.target.is_met_by(&hash) {
            self.total.low_difficulty += 1;
            return Err(RejectReason::LowDifficulty);
        }
        Ok((hash, None))
    }

    fn offer_candidate(&mut self, candidate: CandidateFound) {
        let owner = candidate.job.owner.clone();
        if let Err(back) = owner.post(candidate) {
            self.unsent.keep(back.0);
        }
    }

    /// Offers candidates again whose owner was down.
    pub(super) fn retry_candidates(&mut self) {
        for candidate in self.unsent.take() {
            self.offer_candidate(candidate);
        }
    }

    /// Tells the slot what happened since the last report.
    pub(super) fn report(&mut self) {
        if self.total == self.told {
            return;
        }
        let news = Box::new(self.total.since(&self.told));
        // What a full mailbox refuses is told with the next report.
        if self.slot.offer(SlotReport(news)) {
            self.told = self.total;
        }
    }

    pub(super) fn totals(&self) -> Totals {
        Totals {
            validated: self.total.shares,
            accepted: self.total.accepted,
            low_difficulty: self.total.low_difficulty,
            stale: self.total.stale,
            errors: self.total.errors,
            candidates: self.total.candidates,
            compared: self.total.compared,
        }
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
        life: share.life,
    }
}
