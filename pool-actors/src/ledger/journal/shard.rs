//! `JournalShard`: one per arbiter, the actors' way into the journal.
//!
//! * receives: [`AppendShares`] from the validators of its arbiter, [`AppendCandidate`] and [`AppendVerdict`] on the
//!   critical lane, [`GroupDone`] from the commit thread, [`Observe`];
//! * sends: groups to the commit thread, verdicts to sessions (one message per session and run of its shares);
//! * supervised by: `Policy::StopProcess`. A panic here stops the process;
//! * on overload: one group is under way while the next forms; its size is bounded by the sessions' credit.
//!
//! A group is open until its commit begins: see [`Forming`].

use std::sync::Arc;

use actix::{Actor, AsyncContext as _, Context, Handler, ResponseFuture};
use pool_domain::{
    ids::ShareSeq,
    share::{LostReason, Verdict},
};
use tokio::sync::oneshot;

use super::committer::{CommitHandle, Critical, Forming, Group, GroupDone, Work};
use crate::{
    messages::journal::{AppendCandidate, AppendShares, AppendVerdict, JournalError, PendingShare},
    runtime::{
        observe::{Observation, Observe},
        outbox::Outbox,
        ticket::resolve_each,
    },
};

/// The journal's shard of one arbiter.
pub struct JournalShard {
    commit: CommitHandle,
    /// There is none before the shard has an address.
    forming: Option<Arc<Forming>>,
    counts: Counts,
}

#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
struct Counts {
    groups: u64,
    accepted: u64,
    lost: u64,
    /// Shares without a verdict yet, whether they wait for a commit or are in one. Whoever stops the pool waits for it.
    pending: usize,
    forming: usize,
}

impl JournalShard {
    /// A shard that commits through `commit`.
    #[must_use]
    pub fn new(commit: CommitHandle) -> Self {
        Self { commit, forming: None, counts: Counts::default() }
    }

    fn critical(&self, record: Critical) -> ResponseFuture<Result<ShareSeq, JournalError>> {
        let (tx, rx) = oneshot::channel();
        self.commit.submit(Work::Critical(record, tx));
        Box::pin(async move {
            rx.await.unwrap_or_else(|_| Err(JournalError::Failed("the commit thread has ended".to_owned())))
        })
    }
}

impl Actor for JournalShard {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        self.forming = Some(Forming::new(Outbox::new("JournalShard", context.address().recipient())));
    }
}

impl Handler<AppendShares> for JournalShard {
    type Result = ();

    fn handle(&mut self, AppendShares(shares): AppendShares, _: &mut Context<Self>) {
        let Some(forming) = &self.forming else { return };
        if forming.put(shares) {
            self.commit.submit(Work::Group(Group::of(forming)));
        }
    }
}

impl Handler<GroupDone> for JournalShard {
    type Result = ();

    fn handle(&mut self, done: GroupDone, _: &mut Context<Self>) {
        self.counts.groups += 1;
        if let Some(forming) = &self.forming {
            forming.decided(done.shares.len());
        }
        let count = done.shares.len() as u64;
        let verdict = match done.outcome {
            Ok(_) => {
                self.counts.accepted += count;
                Verdict::Accepted
            }
            Err(_) => {
                self.counts.lost += count;
                Verdict::Lost(LostReason::JournalUnavailable)
            }
        };
        for batch in done.shares.into_batches() {
            let resolve = |mut share: PendingShare| {
                if verdict.is_accepted() {
                    share.life.committed();
                }
                (share.ticket, verdict)
            };
            resolve_each(batch, |share| &share.ticket, resolve);
        }
    }
}

impl Handler<AppendCandidate> for JournalShard {
    type Result = ResponseFuture<Result<ShareSeq, JournalError>>;

    fn handle(&mut self, AppendCandidate(record): AppendCandidate, _: &mut Context<Self>) -> Self::Result {
        self.critical(Critical::Candidate(Box::new(record)))
    }
}

impl Handler<AppendVerdict> for JournalShard {
    type Result = ResponseFuture<Result<ShareSeq, JournalError>>;

    fn handle(&mut self, verdict: AppendVerdict, _: &mut Context<Self>) -> Self::Result {
        self.critical(Critical::Verdict(verdict))
    }
}

impl Handler<Observe> for JournalShard {
    type Result = Observation;

    fn handle(&mut self, _: Observe, _: &mut Context<Self>) -> Observation {
        let (forming, pending) =
            self.forming.as_ref().map_or((0, 0), |forming| (forming.len(), forming.pending()));
        Observation::of(&Counts { forming, pending, ..self.counts })
    }
}
