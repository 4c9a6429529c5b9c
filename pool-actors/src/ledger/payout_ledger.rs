//! PayoutLedger: feeds the store from the share journal and from what the node says of our blocks.
//!
//! * **receives** its own timer (it follows the journal by its cursor, [`SLICES`] times [`SLICE`] records in a turn, so
//!   that nobody on the same arbiter is held up), [`BlocksObserved`], [`Observe`]
//! * **sends** [`Publish`] to the EventPublisher; publishes [`LedgerSummary`] and the list of unsettled blocks in watches
//! * **supervised by** the factory supervisor with `StopProcess`: half-changed money is never served, the next process
//!   starts from the store and the journal
//! * **on overload** nothing piles up: one commit is under way at a time while sums by worker gather for the next; under
//!   load commits come less often (the store is busy a hundredth of the time, or every two seconds), and of observations
//!   the newest of each block waits
//!
//! While the store is away, the same commit is tried again until it is applied: the store recognises one whose answer
//! got lost. Shares are accepted meanwhile; they wait in the journal.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use actix::{
    Actor, ActorFutureExt as _, AsyncContext as _, Context, Handler, MessageResult, WrapFuture as _,
};
use pool_domain::{
    ids::{AlgorithmName, BlockHash, ShareSeq},
    maturity::BlockStatus,
    units::{Amount, Work},
};
use serde::Serialize;

use super::{
    book::Book,
    feed::{FeedBatch, FeedError, LedgerFeed},
    windows::RewardPolicy,
};
use crate::{
    messages::{
        block::{BlockView, BlocksObserved},
        event::{PoolEvent, Publish},
        ledger::LedgerSummary,
    },
    metrics::{BLOCKS_TOTAL, DB_UP, JOURNAL_LAG_SHARES, LEDGER_IMBALANCE, PAID_CONVERSION_RATIO},
    ports::{
        clock::SharedClock,
        node::BlockObservation,
        store::{Finding, LedgerCommit, LedgerState, Position, SharedStore, Split, StoreError, Totals},
    },
    runtime::{
        observe::{Observation, Observe},
        outbox::Outbox,
        shutdown::{Shutdown, StopReason},
        watch::Publisher,
    },
};

/// Records read at a time: what stays in a processor's own cache.
pub const SLICE: usize = 4_096;
/// Slices taken in in one turn: a millisecond or two.
pub const SLICES: usize = 8;
/// Pause between two turns while there is more.
const BREATH: Duration = Duration::from_millis(1);
/// How often the journal is looked at.
const TICK: Duration = Duration::from_millis(100);
/// Least time between two commits of shares alone, so that a low rate does not cost a sync each.
const CUT_MIN: Duration = Duration::from_millis(250);
/// Longest time for which shares wait for a commit.
const CUT_MAX: Duration = Duration::from_secs(2);
/// The next commit of shares alone waits for so many times what the last one took.
const CUT_FACTOR: u32 = 100;
/// How often the sums are read again, unless that takes more than a hundredth of the time: they walk over all workers.
const TOTALS_EVERY: Duration = Duration::from_secs(1);
/// The sums are read again after so many times what the last reading took.
const TOTALS_FACTOR: u32 = 100;
/// How often the audits run.
const AUDIT_EVERY: Duration = Duration::from_secs(600);
/// First pause before a commit is tried again; doubles.
const RETRY_FIRST: Duration = Duration::from_millis(100);
/// Longest pause before a commit is tried again.
const RETRY_MAX: Duration = Duration::from_secs(5);
/// Blocks in one round of observations of which a new depth alone is told to watchers.
const DEPTHS_TOLD_MAX: usize = 20;

/// The journal's records, opened by the ledger itself.
pub type OpenFeed = Arc<dyn Fn() -> Box<dyn LedgerFeed> + Send + Sync>;

/// What the next block of each function in service is going to be measured by.
pub type ExpectedWork = Arc<dyn Fn() -> Vec<(AlgorithmName, Work)> + Send + Sync>;

/// What a PayoutLedger works with.
#[derive(Clone)]
pub struct Parts {
    /// Name of this node in the store.
    pub node: String,
    /// How rewards are shared.
    pub policy: RewardPolicy,
    /// Where balances are kept.
    pub store: SharedStore,
    /// The journal.
    pub feed: OpenFeed,
    /// The journal's last durable record, for the lag.
    pub committed: Arc<dyn Fn() -> ShareSeq + Send + Sync>,
    /// Network work of the newest template of each function, once there is one.
    pub expected: ExpectedWork,
    /// Time of postings.
    pub clock: SharedClock,
    /// Who tells the world.
    pub events: Outbox<Publish>,
    /// Accepted blocks that are not settled, oldest first.
    pub unsettled: Arc<Publisher<Vec<BlockHash>>>,
    /// What everybody may know.
    pub summary: Arc<Publisher<LedgerSummary>>,
    /// How the process is stopped when the ledger can't go on.
    pub shutdown: Shutdown,
}

/// See the module's documentation.
pub struct PayoutLedger {
    parts: Parts,
    feed: Box<dyn LedgerFeed>,
    /// What records are read into.
    batch: FeedBatch,
    /// `None` until the store's state was read, and after a failure.
    book: Option<Book>,
    /// A commit is under way.
    committing: bool,
    /// The next slice of the journal is already due.
    reading: bool,
    /// Splits were asked for.
    asking: bool,
    /// When shares alone are worth a commit again.
    cut_due: tokio::time::Instant,
    /// Newest observation of each block.
    observed: BTreeMap<BlockHash, BlockObservation>,
    totals_due: tokio::time::Instant,
    audit_due: tokio::time::Instant,
    commits: u64,
}

impl PayoutLedger {
    /// A ledger that has read nothing yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let now = tokio::time::Instant::now();
        let feed = (parts.feed)();
        Self {
            parts,
            feed,
            batch: FeedBatch::default(),
            book: None,
            committing: false,
            reading: false,
            asking: false,
            cut_due: now,
            observed: BTreeMap::new(),
            totals_due: now,
            audit_due: now,
            commits: 0,
        }
    }

    fn stop(&mut self, code: &'static str, error: &impl std::fmt::Display) {
        self.book = None;
        let sentence = format!("the payout ledger can't go on: {error}");
        self.parts.shutdown.stop(StopReason::failure(code, sentence));
    }

    fn stop_for_feed(&mut self, error: &FeedError) {
        self.stop("JOURNAL_UNUSABLE", error);
    }

    fn summarise(&self, change: impl FnOnce(&mut LedgerSummary)) {
        let mut summary = LedgerSummary::clone(&self.parts.summary.get());
        summary.committed = (self.parts.committed)();
        summary.ready = self.book.is_some();
        change(&mut summary);
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        metrics::gauge!(JOURNAL_LAG_SHARES).set(summary.lag() as f64);
        metrics::gauge!(DB_UP).set(if summary.store_error.is_some() { 0.0 } else { 1.0 });
        self.parts.summary.set(summary);
    }

    fn load(&mut self, context: &mut Context<Self>) {
        let (store, node) = (Arc::clone(&self.parts.store), self.parts.node.clone());
        let summary = Arc::clone(&self.parts.summary);
        let loading = async move { persist(&summary, || store.load(&node)).await };
        context.spawn(loading.into_actor(self).map(|loaded, actor, context| match loaded {
            Ok(state) => actor.restore(state, context),
            Err(error) => actor.stop("STORE_UNUSABLE", &error),
        }));
    }

    fn restore(&mut self, state: LedgerState, context: &mut Context<Self>) {
        let position = state.position;
        match Book::restore(&self.parts.node, self.parts.policy, state, self.feed.as_mut()) {
            Ok(book) => {
                let (shares, blocks) = book.sizes();
                tracing::info!(position = position.seq.0, shares, blocks, "ledger restored");
                self.parts.unsettled.set(book.unsettled());
                let needed_after = book.journal_needed_after();
                self.book = Some(book);
                self.applied(position, needed_after);
                self.read(context);
            }
            Err(error) => self.stop_for_feed(&error),
        }
    }

    /// The database has gone back: begins again from where it stands. The journal has what it lacks.
    fn rewind(&mut self, error: &StoreError, context: &mut Context<Self>) {
        tracing::error!("{error}; what it lacks is read from the journal again");
        self.book = None;
        self.feed = (self.parts.feed)();
        self.load(context);
    }

    /// Takes in what the journal has, and comes back for more if there is.
    fn read(&mut self, context: &mut Context<Self>) {
        self.reading = false;
        for _ in 0..SLICES {
            match self.read_slice() {
                Ok(more) => self.reading = more,
                Err(error) => return self.stop_for_feed(&error),
            }
            if !self.reading {
                break;
            }
        }
        if self.reading {
            context.run_later(BREATH, Self::read);
        }
        self.cut(context);
    }

    /// Takes in some records; whether there were any.
    fn read_slice(&mut self) -> Result<bool, FeedError> {
        let Some(book) = &mut self.book else { return Ok(false) };
        self.feed.read(book.position().seq, SLICE, &mut self.batch)?;
        book.take(&self.batch, self.feed.as_mut())
    }

    fn tick(&mut self, context: &mut Context<Self>) {
        if !self.reading {
            self.read(context);
        }
        self.observe(context);
        self.refresh(context);
    }

    /// Takes in what was observed, with the splits that it needs.
    fn observe(&mut self, context: &mut Context<Self>) {
        let Some(book) = &self.book else { return };
        if self.asking || self.observed.is_empty() {
            return;
        }
        let observed: Vec<_> = std::mem::take(&mut self.observed).into_values().collect();
        let needed = book.splits_needed(&observed);
        if needed.is_empty() {
            return self.observe_with(&observed, &BTreeMap::new(), context);
        }
        self.asking = true;
        let (store, summary) = (Arc::clone(&self.parts.store), Arc::clone(&self.parts.summary));
        let asking = async move { persist(&summary, || store.splits(needed.clone())).await };
        context.spawn(asking.into_actor(self).map(move |splits, actor, context| {
            actor.asking = false;
            match splits {
                Ok(splits) => actor.observe_with(&observed, &splits, context),
                Err(error) => actor.stop("STORE_UNUSABLE", &error),
            }
        }));
    }

    fn observe_with(
        &mut self,
        observed: &[BlockObservation],
        splits: &BTreeMap<BlockHash, Split>,
        context: &mut Context<Self>,
    ) {
        let Some(book) = &mut self.book else { return };
        match book.observe(observed, splits, self.parts.clock.now(), self.feed.as_mut()) {
            Ok(()) => self.cut(context),
            Err(error) => self.stop("ACTOR_FAILED", &error),
        }
    }

    /// Commits what has gathered, if it is time to.
    fn cut(&mut self, context: &mut Context<Self>) {
        let begun = tokio::time::Instant::now();
        let Some(book) = &mut self.book else { return };
        if self.committing || (begun < self.cut_due && !book.is_urgent()) {
            return;
        }
        for (algorithm, network_work) in (self.parts.expected)() {
            book.expect(&algorithm, network_work);
        }
        let Some(commit) = book.cut() else { return };
        let needed_after = book.journal_needed_after();
        self.committing = true;
        self.commits += 1;
        let commit = Arc::new(commit);
        let (store, summary) = (Arc::clone(&self.parts.store), Arc::clone(&self.parts.summary));
        let sent = Arc::clone(&commit);
        let committing = async move { persist(&summary, || store.commit(Arc::clone(&sent))).await };
        context.spawn(committing.into_actor(self).map(move |done, actor, context| {
            actor.committing = false;
            actor.cut_due = begun + (begun.elapsed() * CUT_FACTOR).clamp(CUT_MIN, CUT_MAX);
            match done {
                Ok(position) => actor.committed(&commit, position, needed_after, context),
                Err(error @ StoreError::Rewound { .. }) => actor.rewind(&error, context),
                Err(error) => actor.stop("STORE_UNUSABLE", &error),
            }
        }));
    }

    fn committed(
        &mut self,
        commit: &LedgerCommit,
        position: Position,
        needed_after: ShareSeq,
        context: &mut Context<Self>,
    ) {
        let Some(book) = &self.book else { return };
        let expected = Position { seq: commit.seq, commits: commit.expected.commits + 1 };
        if position != expected {
            let error = format!("the store is at {position:?} after a commit, expected {expected:?}");
            return self.stop("STORE_UNUSABLE", &error);
        }
        if !commit.blocks.is_empty() {
            // What people wait to see.
            self.totals_due = tokio::time::Instant::now();
            self.parts.unsettled.set(book.unsettled());
            self.tell(commit);
        }
        self.applied(position, needed_after);
        self.cut(context);
    }

    /// The store holds everything through `position`; neither it nor memory needs the journal through `needed_after`.
    fn applied(&self, position: Position, needed_after: ShareSeq) {
        self.summarise(|summary| {
            summary.position = position.seq;
            summary.journal_needed_after = needed_after;
            summary.store_error = None;
        });
    }

    fn tell(&self, commit: &LedgerCommit) {
        let now = self.parts.clock.now();
        for change in &commit.blocks {
            let row = &change.row;
            for status in [BlockStatus::Matured, BlockStatus::Paid, BlockStatus::Void] {
                if change.steps.iter().any(|step| step.status == status) {
                    metrics::counter!(BLOCKS_TOTAL, "stage" => status.as_str()).increment(1);
                }
            }
            // Earlier stages are told by the submitter, at once; told again from here they would seem to go back.
            let early = matches!(row.life.stage(), BlockStatus::Candidate | BlockStatus::Submitted);
            let depth_only = change.steps.is_empty() && !change.parents_changed;
            if !early && (!depth_only || commit.blocks.len() <= DEPTHS_TOLD_MAX) {
                self.parts.events.offer(Publish { at: now, event: PoolEvent::Block(BlockView::from(row)) });
            }
        }
    }

    /// Reads the sums, and audits the books now and then.
    fn refresh(&mut self, context: &mut Context<Self>) {
        let now = tokio::time::Instant::now();
        if now < self.totals_due {
            return;
        }
        self.totals_due = now + TOTALS_EVERY;
        let audit = now >= self.audit_due;
        if audit {
            self.audit_due = now + AUDIT_EVERY;
        }
        let store = Arc::clone(&self.parts.store);
        let reading = async move {
            let begun = tokio::time::Instant::now();
            let totals = store.totals().await?;
            let took = begun.elapsed();
            let findings = if audit { Some(store.check().await) } else { None };
            Ok::<_, StoreError>((totals, findings, took))
        };
        context.spawn(reading.into_actor(self).map(move |read, actor, _| match read {
            Ok((totals, findings, took)) => {
                actor.totals_due = actor.totals_due.max(now + took * TOTALS_FACTOR);
                let findings = findings.transpose().unwrap_or_else(|error| {
                    tracing::error!("the ledger's audit could not be run: {error}");
                    None
                });
                actor.note(totals, findings);
            }
            Err(StoreError::Unavailable { what }) => {
                actor.summarise(|summary| summary.store_error = Some(what));
            }
            // Commits may go on all the same: the database is not away.
            Err(error) => tracing::error!("the ledger's totals could not be read: {error}"),
        }));
    }

    /// Tells what the audits found, once for each time that it is another thing than before.
    fn tell_findings(&self, findings: &[Finding]) {
        if findings.is_empty() || findings == self.parts.summary.get().findings {
            return;
        }
        for finding in findings {
            let Finding { check, rows } = finding;
            let message = format!("the audit {check} found {rows} rows; run: dagpool ledger audit");
            let event = PoolEvent::Defect { code: "LEDGER_AUDIT".to_owned(), message };
            self.parts.events.offer(Publish { at: self.parts.clock.now(), event });
        }
    }

    fn note(&self, totals: Totals, findings: Option<Vec<Finding>>) {
        let now = self.parts.clock.now();
        self.tell_findings(findings.as_deref().unwrap_or_default());
        self.summarise(|summary| {
            summary.totals = totals;
            summary.store_error = None;
            summary.at = now;
            if let Some(findings) = findings {
                for finding in &findings {
                    tracing::error!(
                        check = finding.check,
                        rows = finding.rows,
                        "the ledger's audit found something"
                    );
                }
                summary.findings = findings;
            }
            let imbalance = summary.totals.imbalance();
            #[expect(clippy::cast_precision_loss, reason = "anything but zero alarms")]
            let shown =
                if imbalance == Amount::ZERO { summary.findings.len() as f64 } else { imbalance.0 as f64 };
            metrics::gauge!(LEDGER_IMBALANCE).set(shown);
            let count = |wanted: Option<BlockStatus>| {
                let blocks = summary.totals.blocks.iter();
                blocks
                    .filter(|(status, ..)| wanted.is_none_or(|wanted| wanted == *status))
                    .map(|(.., n)| *n)
                    .sum::<u64>()
            };
            #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
            if count(None) > 0 {
                metrics::gauge!(PAID_CONVERSION_RATIO)
                    .set(count(Some(BlockStatus::Paid)) as f64 / count(None) as f64);
            }
        });
    }
}

/// Asks the store until it answers with something else than "not available".
async fn persist<T, F>(summary: &Publisher<LedgerSummary>, ask: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut pause = RETRY_FIRST;
    let mut away_since = None;
    loop {
        match ask().await {
            Err(StoreError::Unavailable { what }) => {
                tracing::warn!("store not available, trying again in {} ms: {what}", pause.as_millis());
                let mut away = LedgerSummary::clone(&summary.get());
                away.store_error = Some(what);
                summary.set(away);
                metrics::gauge!(DB_UP).set(0.0);
                away_since.get_or_insert_with(tokio::time::Instant::now);
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(RETRY_MAX);
            }
            answer => {
                if let Some(since) = away_since {
                    tracing::info!("the store is back after {} ms", since.elapsed().as_millis());
                }
                return answer;
            }
        }
    }
}

impl Actor for PayoutLedger {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.load(context);
        context.run_interval(TICK, Self::tick);
    }
}

impl Handler<BlocksObserved> for PayoutLedger {
    type Result = ();

    fn handle(&mut self, BlocksObserved(observations): BlocksObserved, context: &mut Self::Context) {
        self.observed.extend(observations.into_iter().map(|seen| (seen.hash, seen)));
        self.observe(context);
    }
}

impl Handler<Observe> for PayoutLedger {
    type Result = MessageResult<Observe>;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Self::Result {
        #[derive(Serialize)]
        struct State {
            ready: bool,
            committing: bool,
            position: Option<Position>,
            committed: ShareSeq,
            window_shares: usize,
            open_blocks: usize,
            observations_waiting: usize,
            commits: u64,
        }
        let (window_shares, open_blocks) = self.book.as_ref().map(Book::sizes).unwrap_or_default();
        MessageResult(Observation::of(&State {
            ready: self.book.is_some(),
            committing: self.committing,
            position: self.book.as_ref().map(Book::position),
            committed: (self.parts.committed)(),
            window_shares,
            open_blocks,
            observations_waiting: self.observed.len(),
            commits: self.commits,
        }))
    }
}
