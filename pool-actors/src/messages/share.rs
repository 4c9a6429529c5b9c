//! A share on its way from a session to its verdict.

use std::sync::Arc;

use actix::Message;
use pool_domain::{
    ids::{Account, WorkerName},
    share::Solution,
    target::Target,
    units::{TimeMs, Work},
};

use super::{job::Job, route::Rescue};
use crate::{
    runtime::{outbox::Credited, ticket::Ticket},
    trace::ShareLife,
};

/// Who is paid for a share. One allocation per authorised session, shared by its shares.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct WorkerIdentity {
    /// Canonical payout address.
    pub account: Account,
    /// Name of the rig, may be empty.
    pub worker: WorkerName,
}

/// A share that passed all that a session can judge: well-formed, known job, no duplicate.
#[derive(Debug)]
pub struct Share {
    /// Permit and reply address; resolves exactly once.
    pub ticket: Ticket,
    /// The proof-of-work input.
    pub header: [u8; 80],
    /// The job it solves; pins slot and generation.
    pub job: Arc<Job>,
    /// The bound it is judged by (with the tolerance of its dialect).
    pub target: Target,
    /// Work credited: that of the strict target of the difficulty bound to its job.
    pub work: Work,
    /// Who is paid.
    pub worker: Arc<WorkerIdentity>,
    /// What the miner chose, kept for assembly of a block.
    pub solution: Solution,
    /// Past the job's grace: hashed in case it is a block, then answered 21.
    pub late: bool,
    /// When its bytes were read.
    pub received_at: TimeMs,
    /// How many validators died over it; 0 for a fresh share.
    pub validations: u8,
    /// Where its time goes, if it is in the sample.
    pub life: ShareLife,
}

/// All shares of one socket read that go to one validator. Shares that it holds when it is dropped (its validator died,
/// or was dead already) go to the [`Rescue`] and from there to the next validator.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ValidateBatch {
    shares: Vec<Share>,
    rescue: Arc<Rescue>,
}

impl Credited for ValidateBatch {}

impl ValidateBatch {
    pub(super) fn new(shares: Vec<Share>, rescue: Arc<Rescue>) -> Self {
        rescue.sent(shares.len());
        Self { shares, rescue }
    }

    /// A share that a dead validator left, by itself.
    #[must_use]
    pub fn rescued(share: Share, rescue: Arc<Rescue>) -> Self {
        Self::new(vec![share], rescue)
    }

    /// The shares to judge; they leave the batch only by [`Self::finish`].
    #[must_use]
    pub fn shares(&self) -> &[Share] {
        &self.shares
    }

    /// All shares are judged (their tickets travel on): nothing is left to rescue.
    #[must_use]
    pub fn finish(mut self) -> Vec<Share> {
        self.rescue.done(self.shares.len());
        std::mem::take(&mut self.shares)
    }
}

impl Drop for ValidateBatch {
    fn drop(&mut self) {
        if self.shares.is_empty() {
            return;
        }
        let held = self.shares.len();
        self.rescue.keep(self.shares.drain(..).map(|mut share| {
            share.validations += 1;
            share
        }));
        self.rescue.done(held);
    }
}
