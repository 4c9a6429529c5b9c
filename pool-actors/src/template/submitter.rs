//! BlockSubmitter: makes a found block durable, then submits it until the node's verdict is definite.
//!
//! * **receives** [`SubmitBlock`] on the critical lane, [`ResumeBlock`] from the journal's recovery, [`Observe`]
//! * **sends** [`AppendCandidate`] and [`AppendVerdict`] to the journal, [`OurBlock`] to the MaturityTracker,
//!   [`Publish`] to the EventPublisher
//! * **supervised by** the factory supervisor; blocks without a verdict wait on the [`Desk`], outside the actor, so that
//!   the next life takes them up where they were
//! * **on overload** nothing is shed: blocks are rare by nature

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actix::{Actor, AsyncContext as _, Context, Handler, MessageResult, WrapFuture as _};
use pool_domain::{ids::BlockHash, maturity::BlockStatus};
use serde::Serialize;
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep},
};

use crate::{
    messages::{
        block::{BlockView, OurBlock, ResumeBlock, SubmitBlock},
        event::{PoolEvent, Publish},
        journal::{AppendCandidate, AppendVerdict, CandidateRecord},
    },
    metrics::BLOCKS_TOTAL,
    ports::{
        clock::SharedClock,
        node::{NodeError, SharedNode, SubmitVerdict},
    },
    runtime::{
        critical::CriticalOutbox,
        observe::{Observation, Observe},
        outbox::Outbox,
    },
};

/// First pause between two tries; doubled up to [`PAUSE_MAX`].
const PAUSE_FIRST: Duration = Duration::from_millis(50);
/// Longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// Tries to journal a candidate before it is submitted all the same: a block that is in the chain can be credited by
/// hand, a block that was never submitted is lost.
const JOURNAL_TRIES: u32 = 4;
/// A node that goes on answering with an error nobody knows for so long has refused the block.
const UNCLEAR_MAX: Duration = Duration::from_secs(300);
/// Blocks submitted at a time.
const SUBMIT_AT_ONCE: usize = 8;
/// Hashes of finished blocks that are remembered, to submit none twice.
const FINISHED_MAX: usize = 65_536;

/// How far a block has come.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    /// Not durable yet.
    Found,
    /// In the journal; no verdict yet.
    Journalled,
    /// The node has decided; not in the journal yet.
    Decided(SubmitVerdict),
}

#[derive(Default)]
struct DeskState {
    open: HashMap<BlockHash, (CandidateRecord, Stage)>,
    finished: HashSet<BlockHash>,
    finished_order: VecDeque<BlockHash>,
    counts: Counts,
}

#[derive(Debug, Clone, Default, Serialize)]
struct Counts {
    accepted: u64,
    rejected: u64,
    duplicates: u64,
    tries: u64,
    last_error: Option<String>,
}

/// Blocks on their way to a verdict. Outlives the actor.
pub struct Desk {
    state: Mutex<DeskState>,
    /// Permits to talk to the node.
    at_once: Semaphore,
}

impl Default for Desk {
    fn default() -> Self {
        Self { state: Mutex::default(), at_once: Semaphore::new(SUBMIT_AT_ONCE) }
    }
}

impl Desk {
    fn with<T>(&self, f: impl FnOnce(&mut DeskState) -> T) -> T {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes a block in; `false` if it is known already.
    fn enter(&self, record: &CandidateRecord, stage: Stage) -> bool {
        self.with(|desk| {
            let hash = record.block.hash;
            if desk.open.contains_key(&hash) || desk.finished.contains(&hash) {
                desk.counts.duplicates += 1;
                return false;
            }
            desk.open.insert(hash, (record.clone(), stage));
            true
        })
    }

    fn stage(&self, hash: BlockHash) -> Option<Stage> {
        self.with(|desk| desk.open.get(&hash).map(|(_, stage)| stage.clone()))
    }

    fn advance(&self, hash: BlockHash, to: Stage) {
        self.with(|desk| {
            if let Some((_, stage)) = desk.open.get_mut(&hash) {
                *stage = to;
            }
        });
    }

    fn finish(&self, hash: BlockHash, verdict: &SubmitVerdict) {
        self.with(|desk| {
            desk.open.remove(&hash);
            if desk.finished.insert(hash) {
                desk.finished_order.push_back(hash);
            }
            if desk.finished_order.len() > FINISHED_MAX
                && let Some(oldest) = desk.finished_order.pop_front()
            {
                desk.finished.remove(&oldest);
            }
            match verdict {
                SubmitVerdict::Accepted => desk.counts.accepted += 1,
                SubmitVerdict::Rejected(_) => desk.counts.rejected += 1,
            }
        });
    }

    fn open(&self) -> Vec<CandidateRecord> {
        self.with(|desk| desk.open.values().map(|(record, _)| record.clone()).collect())
    }
}

/// What a BlockSubmitter works with.
#[derive(Clone)]
pub struct Parts {
    /// Blocks on their way.
    pub desk: Arc<Desk>,
    /// The chain.
    pub node: SharedNode,
    /// Time of verdicts.
    pub clock: SharedClock,
    /// Where candidates become durable.
    pub journal_candidate: CriticalOutbox<AppendCandidate>,
    /// Where verdicts become durable.
    pub journal_verdict: CriticalOutbox<AppendVerdict>,
    /// Who follows our blocks' maturity.
    pub tracker: Outbox<OurBlock>,
    /// Who tells the world.
    pub events: Outbox<Publish>,
}

/// See the module's documentation.
pub struct BlockSubmitter {
    parts: Parts,
}

impl BlockSubmitter {
    /// A submitter that takes up what is on the desk.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self { parts }
    }

    fn drive(&self, record: CandidateRecord, context: &mut Context<Self>) {
        let parts = self.parts.clone();
        context.spawn(async move { parts.drive(record).await }.into_actor(self));
    }
}

impl Actor for BlockSubmitter {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        for record in self.parts.desk.open() {
            self.drive(record, context);
        }
    }
}

impl Handler<SubmitBlock> for BlockSubmitter {
    type Result = ();

    fn handle(&mut self, SubmitBlock(record): SubmitBlock, context: &mut Self::Context) {
        if self.parts.desk.enter(&record, Stage::Found) {
            self.parts.tell(&record, BlockStatus::Candidate);
            self.drive(record, context);
        }
    }
}

impl Handler<ResumeBlock> for BlockSubmitter {
    type Result = ();

    fn handle(&mut self, ResumeBlock(record): ResumeBlock, context: &mut Self::Context) {
        if self.parts.desk.enter(&record, Stage::Journalled) {
            tracing::info!(block = %record.block.hash, "submitting again a block without a verdict");
            self.drive(record, context);
        }
    }
}

impl Handler<Observe> for BlockSubmitter {
    type Result = MessageResult<Observe>;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Self::Result {
        #[derive(Serialize)]
        struct State {
            open: Vec<BlockHash>,
            #[serde(flatten)]
            counts: Counts,
        }
        let state = self
            .parts
            .desk
            .with(|desk| State { open: desk.open.keys().copied().collect(), counts: desk.counts.clone() });
        MessageResult(Observation::of(&state))
    }
}

impl Parts {
    /// Takes one block from where it is to the end.
    async fn drive(&self, record: CandidateRecord) {
        let hash = record.block.hash;
        while let Some(stage) = self.desk.stage(hash) {
            match stage {
                Stage::Found => {
                    self.journal_candidate(&record).await;
                    self.desk.advance(hash, Stage::Journalled);
                }
                Stage::Journalled => {
                    let verdict = self.submit(&record).await;
                    self.desk.advance(hash, Stage::Decided(verdict));
                }
                Stage::Decided(verdict) => {
                    self.journal_verdict(&record, &verdict).await;
                    self.desk.finish(hash, &verdict);
                    self.report(&record, &verdict);
                }
            }
        }
    }

    async fn journal_candidate(&self, record: &CandidateRecord) {
        let mut pause = Pause::new();
        for _ in 0..JOURNAL_TRIES {
            let error = match self.journal_candidate.ask(AppendCandidate(record.clone())).await {
                Ok(Ok(_)) => return,
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
            };
            tracing::error!(block = %record.block.hash, "block candidate not journalled: {error}");
            sleep(pause.next()).await;
        }
        tracing::error!(
            block = %record.block.hash, account = %record.finder.account, work = %record.network_work,
            "submitting a block that the journal did not take: credit it by hand if it is accepted"
        );
    }

    async fn submit(&self, record: &CandidateRecord) -> SubmitVerdict {
        // Lossy: the tracker learns of the block from the ledger as well.
        self.tracker.offer(OurBlock(record.block.hash));
        self.tell(record, BlockStatus::Submitted);
        let mut pause = Pause::new();
        let mut unclear_since: Option<Instant> = None;
        loop {
            self.desk.with(|desk| desk.counts.tries += 1);
            let answer = {
                // A node that can't keep up is not helped by asking it everything at once. Never closed, so no error.
                let _permit = self.desk.at_once.acquire().await;
                self.node.submit(&record.block).await
            };
            let error = match answer {
                Ok(verdict) => return verdict,
                Err(error) => error,
            };
            tracing::warn!(block = %record.block.hash, "no verdict yet: {error}");
            self.desk.with(|desk| desk.counts.last_error = Some(error.to_string()));
            match error {
                NodeError::Rpc { message, .. } => {
                    let since = *unclear_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= UNCLEAR_MAX {
                        return SubmitVerdict::Rejected(message);
                    }
                }
                _ => unclear_since = None,
            }
            sleep(pause.next()).await;
        }
    }

    /// Until it is durable: without it, a restart submits the block once more, which does no harm.
    async fn journal_verdict(&self, record: &CandidateRecord, verdict: &SubmitVerdict) {
        let mut pause = Pause::new();
        loop {
            let append = AppendVerdict {
                id: record.id,
                hash: record.block.hash,
                verdict: verdict.clone(),
                at: self.clock.now(),
            };
            let error = match self.journal_verdict.ask(append).await {
                Ok(Ok(_)) => return,
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
            };
            tracing::error!(block = %record.block.hash, "verdict not journalled: {error}");
            sleep(pause.next()).await;
        }
    }

    fn report(&self, record: &CandidateRecord, verdict: &SubmitVerdict) {
        match verdict {
            SubmitVerdict::Accepted => {
                tracing::info!(block = %record.block.hash, account = %record.finder.account, "block accepted");
                self.tell(record, BlockStatus::Accepted);
            }
            SubmitVerdict::Rejected(words) => {
                tracing::warn!(block = %record.block.hash, account = %record.finder.account, "block rejected: {words}");
                self.tell(record, BlockStatus::Rejected);
            }
        }
    }

    fn tell(&self, record: &CandidateRecord, status: BlockStatus) {
        metrics::counter!(BLOCKS_TOTAL, "stage" => status.as_str()).increment(1);
        let event = PoolEvent::Block(BlockView::of_candidate(record, status));
        self.events.offer(Publish { at: self.clock.now(), event });
    }
}

/// Growing pauses.
struct Pause(Duration);

impl Pause {
    fn new() -> Self {
        Self(PAUSE_FIRST)
    }

    fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (pause * 2).min(PAUSE_MAX);
        pause
    }
}

#[cfg(test)]
#[path = "submitter_tests.rs"]
mod tests;
