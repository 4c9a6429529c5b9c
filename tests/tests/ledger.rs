//! Journal, ledger actor and SQLite together: what was journalled is credited once, through restarts, a store that goes
//! away and answers that get lost.

#[path = "ledger/audit.rs"]
mod audit;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use pool_actors::{
    adapters::{disk_folder::FolderDisk, sqlite::SqliteStore},
    ledger::{
        journal::{Durability, Journal, JournalReader, Lane, NewShare, Options},
        journal_feed::JournalFeed,
        payout_ledger::{Parts, PayoutLedger},
        windows::RewardPolicy,
    },
    messages::{
        block::BlocksObserved,
        event::Publish,
        journal::{CandidateId, CandidateRecord},
        ledger::LedgerSummary,
        share::WorkerIdentity,
    },
    ports::{
        clock::Clock,
        node::{AssembledBlock, BlockObservation, Color, SubmitVerdict},
        store::{
            AccountRow, BlockQuery, BlockRow, BlockStep, Finding, LedgerCommit, LedgerState, Position,
            ShareHour, SharedStore, Split, StoreError, StorePort, Totals,
        },
    },
    runtime::{
        Runtime,
        outbox::Outbox,
        supervisor::{Policy, Spec, Supervised, supervise},
        threads::Thread,
        watch::{Watched, watched},
    },
};
use pool_domain::{
    ids::{Account, AlgorithmName, BlockHash, Generation, JobId, Route, ShareSeq, SlotId, WorkerName},
    maturity::BlockStatus,
    pplns::Scheme,
    units::{Amount, BasisPoints, TimeMs, Work},
};
use tempfile::TempDir;

/// Moves on by a second whenever it is asked.
#[derive(Default)]
struct TestClock(AtomicU64);

impl Clock for TestClock {
    fn now(&self) -> TimeMs {
        TimeMs(1_000_000 + self.0.fetch_add(1_000, Ordering::Relaxed))
    }
}

fn account(name: &str) -> Account {
    Account::new(name).unwrap()
}

fn sqlite(folder: &Path) -> SharedStore {
    let (store, threads) = SqliteStore::open(&folder.join("pool.db"), TimeMs(1)).unwrap();
    for (name, body) in threads {
        // Ends with the last handle of the store.
        drop(Thread::spawn(name, body).unwrap());
    }
    Arc::new(store)
}

struct Writer {
    journal: Journal,
    algorithm: AlgorithmName,
    workers: BTreeMap<&'static str, Arc<WorkerIdentity>>,
    now: u64,
}

impl Writer {
    fn open(folder: &Path) -> Self {
        let disk = Arc::new(FolderDisk::open(&folder.join("journal")).unwrap());
        let options = Options { durability: Durability::Os, segment_bytes: 4_096, budget_bytes: 1 << 30 };
        let (mut journal, _) = Journal::open(disk, options).unwrap();
        journal.begin_epoch(TimeMs(5)).unwrap();
        Self { journal, algorithm: AlgorithmName::new("blake2s").unwrap(), workers: BTreeMap::new(), now: 10 }
    }

    fn worker(&mut self, name: &'static str) -> Arc<WorkerIdentity> {
        let fresh = || Arc::new(WorkerIdentity { account: account(name), worker: WorkerName::default() });
        Arc::clone(self.workers.entry(name).or_insert_with(fresh))
    }

    fn share(&mut self, name: &'static str, work: u128, candidate: Option<u64>) {
        let (worker, algorithm) = (self.worker(name), self.algorithm.clone());
        self.now += 10;
        let share = NewShare {
            received_at: TimeMs(self.now),
            worker: &worker,
            work: Work(work),
            algorithm: &algorithm,
            route: Route { slot: SlotId(0), generation: Generation(1) },
            job: JobId(1),
            hash_tag: 7,
            candidate: candidate.map(CandidateId),
        };
        self.journal.append(Lane::Shares, |frame| _ = frame.share(&share)).unwrap();
    }

    fn candidate(&mut self, name: &'static str, id: u64, network_work: u128) -> BlockHash {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&id.to_be_bytes());
        let record = CandidateRecord {
            id: CandidateId(id),
            block: AssembledBlock { hash: BlockHash(hash), endpoint: 0, payload: vec![1, 2] },
            algorithm: self.algorithm.clone(),
            network_work: Work(network_work),
            height: Some(3),
            parents: vec![BlockHash([9; 32])],
            finder: self.worker(name),
            found_at: TimeMs(self.now),
        };
        self.journal.append(Lane::Critical, |frame| _ = frame.candidate(&record)).unwrap();
        BlockHash(hash)
    }

    fn accepted(&mut self, id: u64, hash: BlockHash) {
        let at = TimeMs(self.now);
        self.journal
            .append(Lane::Critical, |frame| {
                _ = frame.verdict(CandidateId(id), &hash, &SubmitVerdict::Accepted, at);
            })
            .unwrap();
    }
}

struct Ledger {
    actor: Supervised<PayoutLedger>,
    runtime: Runtime,
    summary: Watched<LedgerSummary>,
    unsettled: Watched<Vec<BlockHash>>,
    observed: Outbox<BlocksObserved>,
    reader: JournalReader,
}

struct Deaf;

impl actix::Actor for Deaf {
    type Context = actix::Context<Self>;
}

impl actix::Handler<Publish> for Deaf {
    type Result = ();

    fn handle(&mut self, _: Publish, _: &mut Self::Context) {}
}

impl Ledger {
    fn start(store: &SharedStore, reader: &JournalReader) -> Self {
        let runtime = Runtime::start(0).unwrap();
        let (summary, summary_watch) = watched(LedgerSummary::default());
        let (unsettled, unsettled_watch) = watched(Vec::new());
        let deaf = runtime.arbiters.start_actor(0, 16, |_| Deaf);
        let (opening, committed) = (reader.clone(), reader.clone());
        let parts = Parts {
            node: "node-0".into(),
            policy: RewardPolicy {
                scheme: Scheme::Pplns { factor: BasisPoints(20_000) },
                fee: BasisPoints(100),
            },
            store: Arc::clone(store),
            feed: Arc::new(move || Box::new(JournalFeed::new(opening.clone()))),
            committed: Arc::new(move || committed.committed()),
            expected: Arc::new(Vec::new),
            clock: Arc::new(TestClock::default()),
            events: Outbox::new("events", deaf.recipient()),
            unsettled: Arc::new(unsettled),
            summary: Arc::new(summary),
            shutdown: runtime.shutdown.clone(),
        };
        let spec = Spec {
            name: "payout-ledger".into(),
            kind: "PayoutLedger",
            seat: 0,
            mailbox: 16,
            policy: Policy::StopProcess,
        };
        let actor = supervise(&runtime, spec, move |_| PayoutLedger::new(parts.clone()));
        let observed = actor.outbox();
        Self {
            actor,
            runtime,
            summary: summary_watch,
            unsettled: unsettled_watch,
            observed,
            reader: reader.clone(),
        }
    }

    /// Until everything that is durable was taken in.
    async fn caught_up(&mut self) {
        let reader = self.reader.clone();
        self.summary
            .wait_for(move |summary| summary.ready && summary.position >= reader.committed())
            .await
            .unwrap();
    }

    async fn until(&mut self, wanted: impl Fn(&Totals) -> bool) {
        self.summary.wait_for(|summary| wanted(&summary.totals)).await.unwrap();
    }

    fn see(&self, hash: BlockHash, color: Color, reward: Option<i128>, mature: bool) {
        let seen = BlockObservation {
            hash,
            known: true,
            color,
            confirmations: 4,
            mature,
            reward: reward.map(Amount),
            red_merge_income: None,
            merging_block: None,
            height: None,
            parents: vec![],
        };
        assert!(self.observed.offer(BlocksObserved(vec![seen])));
    }

    async fn stop(self) {
        self.actor.stop().await;
    }
}

async fn balance(store: &SharedStore, name: &str) -> (u64, i128, i128) {
    let row = store.account(account(name)).await.unwrap().unwrap();
    (row.workers.iter().map(|worker| worker.accepted).sum(), row.balance.pending.0, row.balance.confirmed.0)
}

#[actix_rt::test]
async fn what_was_journalled_is_credited_once_through_restarts() {
    let folder = TempDir::new().unwrap();
    let store = sqlite(folder.path());
    let mut writer = Writer::open(folder.path());
    let reader = writer.journal.reader();
    for _ in 0..300 {
        writer.share("alice", 10, None);
    }
    for _ in 0..10 {
        writer.share("bob", 30, None);
    }
    let hash = writer.candidate("bob", 77, 300);
    writer.accepted(77, hash);

    // The candidate is known, its share is not: then the ledger stops, and the share comes while it is down.
    let mut ledger = Ledger::start(&store, &reader);
    ledger.caught_up().await;
    assert_eq!(**ledger.unsettled.load(), [hash]);
    ledger.stop().await;
    writer.share("bob", 30, Some(77));
    writer.share("carol", 1_000, None);

    let mut ledger = Ledger::start(&store, &reader);
    ledger.caught_up().await;
    let split = store.splits(vec![hash]).await.unwrap().remove(&hash).unwrap();
    // Window 600: bob's eleven shares of 30 (330), and 270 of alice's; carol's share came after the winning one.
    assert_eq!(split.weights, [(account("alice"), Work(270)), (account("bob"), Work(330))]);
    ledger.see(hash, Color::Blue, Some(100_000), false);
    ledger.until(|totals| totals.of("miner_pending") == Amount(99_000)).await;
    assert_eq!(balance(&store, "alice").await, (300, 44_550, 0));
    assert_eq!(balance(&store, "bob").await, (11, 54_450, 0));
    ledger.stop().await;

    // A reorganisation makes it red and blue again; then it is mature.
    let mut ledger = Ledger::start(&store, &reader);
    ledger.caught_up().await;
    ledger.see(hash, Color::Red, None, false);
    ledger.until(|totals| totals.of("miner_pending") == Amount::ZERO).await;
    ledger.see(hash, Color::Blue, Some(100_000), false);
    ledger.until(|totals| totals.of("miner_pending") == Amount(99_000)).await;
    ledger.see(hash, Color::Blue, Some(100_000), true);
    ledger.until(|totals| totals.of("miner_confirmed") == Amount(99_000)).await;
    assert!(ledger.unsettled.load().is_empty());
    let summary = ledger.summary.get();
    assert_eq!(
        (summary.totals.of("fee_confirmed"), summary.totals.of("miner_pending")),
        (Amount(1_000), Amount(0))
    );
    assert_eq!((summary.totals.imbalance(), summary.totals.accepted), (Amount::ZERO, 312));
    assert_eq!(balance(&store, "bob").await, (11, 0, 54_450));
    let (row, steps) = store.block(hash).await.unwrap().unwrap();
    assert_eq!(row.life.stage(), BlockStatus::Paid);
    assert_eq!(steps.len(), 7, "candidate, accepted, blue, red, blue, matured, paid: {steps:?}");
    assert_eq!(store.check().await.unwrap(), vec![]);
    assert_eq!(ledger.runtime.shutdown.reason(), None);
    ledger.stop().await;
}

#[actix_rt::test]
async fn a_database_of_another_journal_stops_the_process_with_a_sentence() {
    let folder = TempDir::new().unwrap();
    let store = sqlite(folder.path());
    let mut writer = Writer::open(folder.path());
    for _ in 0..50 {
        writer.share("alice", 10, None);
    }
    let mut ledger = Ledger::start(&store, &writer.journal.reader());
    ledger.caught_up().await;
    ledger.stop().await;
    drop(writer);

    // The journal was lost; a new one begins at 1.
    std::fs::remove_dir_all(folder.path().join("journal")).unwrap();
    let mut writer = Writer::open(folder.path());
    writer.share("alice", 10, None);
    let ledger = Ledger::start(&store, &writer.journal.reader());
    let reason = ledger.runtime.shutdown.requested().await;
    assert!(reason.sentence.contains("do not belong together"), "{reason}");
    assert_eq!(
        balance(&store, "alice").await.0,
        50,
        "nothing was credited on top of another journal's shares"
    );
    ledger.stop().await;
}

/// A store whose commits fail, or whose answers get lost.
struct Unreliable {
    inner: SharedStore,
    mode: AtomicU8,
    tries: AtomicU64,
}

const SOUND: u8 = 0;
const AWAY: u8 = 1;
const ANSWER_LOST: u8 = 2;

impl Unreliable {
    fn away() -> StoreError {
        StoreError::Unavailable { what: "disk full".into() }
    }
}

#[async_trait]
impl StorePort for Unreliable {
    fn name(&self) -> &'static str {
        "unreliable"
    }

    async fn nodes(&self) -> Result<Vec<String>, StoreError> {
        self.inner.nodes().await
    }

    async fn load(&self, node: &str) -> Result<LedgerState, StoreError> {
        self.inner.load(node).await
    }

    async fn commit(&self, commit: Arc<LedgerCommit>) -> Result<Position, StoreError> {
        self.tries.fetch_add(1, Ordering::Relaxed);
        match self.mode.load(Ordering::Relaxed) {
            AWAY => Err(Self::away()),
            ANSWER_LOST => {
                self.inner.commit(commit).await?;
                self.mode.store(SOUND, Ordering::Relaxed);
                Err(Self::away())
            }
            _ => self.inner.commit(commit).await,
        }
    }

    async fn splits(&self, blocks: Vec<BlockHash>) -> Result<BTreeMap<BlockHash, Split>, StoreError> {
        self.inner.splits(blocks).await
    }

    async fn accounts(&self, after: Option<Account>, limit: usize) -> Result<Vec<AccountRow>, StoreError> {
        self.inner.accounts(after, limit).await
    }

    async fn accounts_named(&self, accounts: Vec<Account>) -> Result<Vec<AccountRow>, StoreError> {
        self.inner.accounts_named(accounts).await
    }

    async fn share_hours(
        &self,
        account: Account,
        from: TimeMs,
        to: TimeMs,
    ) -> Result<Vec<ShareHour>, StoreError> {
        self.inner.share_hours(account, from, to).await
    }

    async fn blocks(&self, query: BlockQuery) -> Result<Vec<BlockRow>, StoreError> {
        self.inner.blocks(query).await
    }

    async fn block(&self, hash: BlockHash) -> Result<Option<(BlockRow, Vec<BlockStep>)>, StoreError> {
        self.inner.block(hash).await
    }

    async fn totals(&self) -> Result<Totals, StoreError> {
        self.inner.totals().await
    }

    async fn size_bytes(&self) -> Result<u64, StoreError> {
        self.inner.size_bytes().await
    }

    async fn check(&self) -> Result<Vec<Finding>, StoreError> {
        self.inner.check().await
    }
}

#[actix_rt::test]
async fn a_store_that_is_away_is_caught_up_with_nothing_lost_and_nothing_twice() {
    let folder = TempDir::new().unwrap();
    let inner = sqlite(folder.path());
    let unreliable = Arc::new(Unreliable {
        inner: Arc::clone(&inner),
        mode: AtomicU8::new(AWAY),
        tries: AtomicU64::new(0),
    });
    let store: SharedStore = Arc::<Unreliable>::clone(&unreliable);
    let mut writer = Writer::open(folder.path());
    let reader = writer.journal.reader();
    for _ in 0..100 {
        writer.share("alice", 10, None);
    }
    let mut ledger = Ledger::start(&store, &reader);
    ledger.summary.wait_for(|summary| summary.store_error.is_some()).await.unwrap();
    assert_eq!(ledger.summary.get().position, ShareSeq(0));
    for _ in 0..100 {
        writer.share("alice", 10, None);
    }
    unreliable.mode.store(ANSWER_LOST, Ordering::Relaxed);
    ledger.caught_up().await;
    assert_eq!(ledger.summary.get().store_error, None);
    assert_eq!(balance(&store, "alice").await.0, 200);
    assert!(unreliable.tries.load(Ordering::Relaxed) >= 3);
    ledger.stop().await;
}
