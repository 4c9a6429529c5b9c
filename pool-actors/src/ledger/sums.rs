//! Shares by worker and function since the last cut.

use std::sync::Arc;

use pool_domain::{
    ids::AlgorithmName,
    units::{TimeMs, Work},
};

use super::feed::{FeedNames, ShareLine};
use crate::{messages::share::WorkerIdentity, ports::store::ShareDelta};

/// Sums in the order of the journal's own numbers: a share costs no look-up by name.
#[derive(Debug, Default)]
pub(super) struct Sums {
    names: FeedNames,
    /// By number of the worker.
    by_worker: Vec<Sum>,
    /// Workers with a sum.
    touched: Vec<u32>,
    /// Sums that can't grow any more: of another numbering, or of another function than the worker's newest.
    closed: Vec<ShareDelta>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    work: Work,
    accepted: u64,
    last_share_at: TimeMs,
    algorithm: u16,
}

impl Sums {
    /// Learns what the numbers in shares stand for.
    pub(super) fn meet(&mut self, names: &FeedNames) {
        if self.names.numbering != names.numbering {
            self.close_all();
            self.names = FeedNames { numbering: names.numbering, ..FeedNames::default() };
            self.by_worker.clear();
        }
        self.names.workers.extend_from_slice(&names.workers[self.names.workers.len()..]);
        self.names.algorithms.extend_from_slice(&names.algorithms[self.names.algorithms.len()..]);
        self.by_worker.resize(names.workers.len(), Sum::default());
    }

    /// Adds a share whose names were met.
    #[inline]
    pub(super) fn add(&mut self, share: &ShareLine) {
        let sum = &mut self.by_worker[share.worker as usize];
        if sum.algorithm != share.algorithm || sum.accepted == 0 {
            self.begin(share);
            return;
        }
        sum.accepted += 1;
        sum.work = sum.work.saturating_add(share.work);
        sum.last_share_at = sum.last_share_at.max(share.at);
    }

    #[cold]
    fn begin(&mut self, share: &ShareLine) {
        let first =
            Sum { work: share.work, accepted: 1, last_share_at: share.at, algorithm: share.algorithm };
        let before = std::mem::replace(&mut self.by_worker[share.worker as usize], first);
        if before.accepted == 0 {
            self.touched.push(share.worker);
        } else {
            self.closed.push(delta(&self.names, share.worker, &before));
        }
    }

    /// All sums; the next ones begin at nothing.
    pub(super) fn drain(&mut self) -> Vec<ShareDelta> {
        self.close_all();
        std::mem::take(&mut self.closed)
    }

    fn close_all(&mut self) {
        self.closed.reserve(self.touched.len());
        for worker in self.touched.drain(..) {
            let sum = std::mem::take(&mut self.by_worker[worker as usize]);
            self.closed.push(delta(&self.names, worker, &sum));
        }
    }
}

fn delta(names: &FeedNames, worker: u32, sum: &Sum) -> ShareDelta {
    let identity: &Arc<WorkerIdentity> = &names.workers[worker as usize];
    let algorithm: &AlgorithmName = &names.algorithms[usize::from(sum.algorithm)];
    ShareDelta {
        account: identity.account.clone(),
        worker: identity.worker.clone(),
        algorithm: algorithm.clone(),
        accepted: sum.accepted,
        work: sum.work,
        last_share_at: sum.last_share_at,
    }
}
