//! `JournalShard`: one per arbiter, the actors' way into the journal.
//!
//! * receives: [`AppendShares`] from the validators of its arbiter, [`AppendCandidate`] and [`AppendVerdict`] on the
//!   critical lane, [`GroupDone`] from the commit thread, [`Observe`];
//! * sends: groups to the commit thread, verdicts to sessions (one message per session and run of its shares);
//! * supervised by: `Policy::StopProcess`. A panic here stops the process;
//! * on overload: one group is under way while the next forms; its size is bounded by the sessions' credit.

use actix::{Actor, AsyncContext as _, Context, Handler, ResponseFuture};
use pool_domain::{
    ids::ShareSeq,
    share::{LostReason, Verdict},
};
use tokio::sync::oneshot;

use super::committer::{CommitHandle, Critical, Group, GroupDone, Work};
use crate::{
    messages::journal::{AppendCandidate, AppendShares, AppendVerdict, JournalError, PendingShare},
    runtime::{
        observe::{Observation, Observe},
        outbox::Outbox,
        ticket::resolve_all,
    },
};

/// The journal's shard of one arbiter.
pub struct JournalShard {
    commit: CommitHandle,
    forming: Vec<PendingShare>,
    reply: Option<Outbox<GroupDone>>,
    in_flight: bool,
    counts: Counts,
}

#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
struct Counts {
    groups: u64,
    accepted: u64,
    lost: u64,
    forming: usize,
    in_flight: bool,
}

impl JournalShard {
    /// A shard that commits through `commit`.
    #[must_use]
    pub fn new(commit: CommitHandle) -> Self {
        Self { commit, forming: Vec::new(), reply: None, in_flight: false, counts: Counts::default() }
    }

    fn start_group(&mut self) {
        if self.in_flight || self.forming.is_empty() {
            return;
        }
        let Some(reply) = self.reply.clone() else { return };
        self.in_flight = true;
        self.counts.groups += 1;
        let room = self.forming.len();
        let shares = std::mem::replace(&mut self.forming, Vec::with_capacity(room));
        self.commit.submit(Work::Group(Group { shares, reply }));
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
        self.reply = Some(Outbox::new("JournalShard", context.address().recipient()));
    }
}

impl Handler<AppendShares> for JournalShard {
    type Result = ();

    fn handle(&mut self, AppendShares(shares): AppendShares, _: &mut Context<Self>) {
        if self.forming.is_empty() {
            self.forming = shares;
        } else {
            self.forming.extend(shares);
        }
        self.start_group();
    }
}

impl Handler<GroupDone> for JournalShard {
    type Result = ();

    fn handle(&mut self, done: GroupDone, _: &mut Context<Self>) {
        self.in_flight = false;
        // The next group is under way while the sessions are told of this one.
        self.start_group();
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
        resolve_all(done.shares.into_iter().map(|share| (share.ticket, verdict)));
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
        Observation::of(&Counts { forming: self.forming.len(), in_flight: self.in_flight, ..self.counts })
    }
}
