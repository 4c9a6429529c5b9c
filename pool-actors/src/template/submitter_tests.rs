use pool_domain::{
    ids::{AlgorithmName, ShareSeq},
    units::{TimeMs, Work},
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::*;
use crate::{
    messages::{
        journal::{CandidateId, JournalError},
        share::WorkerIdentity,
    },
    ports::node::AssembledBlock,
    scripted_node::{Ear, ScriptedNode, TestClock, not_ready, unreachable},
};

#[derive(Debug, PartialEq, Eq)]
enum Entry {
    Candidate(BlockHash),
    Verdict(BlockHash, SubmitVerdict),
}

/// A journal that tells what it was given, and fails as often as told.
struct Journal {
    written: UnboundedSender<Entry>,
    failures: u32,
}

impl Actor for Journal {
    type Context = Context<Self>;
}

impl Journal {
    fn write(&mut self, entry: Entry) -> Result<ShareSeq, JournalError> {
        if self.failures > 0 {
            self.failures -= 1;
            return Err(JournalError::Failed("disk".into()));
        }
        self.written.send(entry).unwrap();
        Ok(ShareSeq(1))
    }
}

impl Handler<AppendCandidate> for Journal {
    type Result = Result<ShareSeq, JournalError>;

    fn handle(&mut self, append: AppendCandidate, _: &mut Self::Context) -> Self::Result {
        self.write(Entry::Candidate(append.0.block.hash))
    }
}

impl Handler<AppendVerdict> for Journal {
    type Result = Result<ShareSeq, JournalError>;

    fn handle(&mut self, append: AppendVerdict, _: &mut Self::Context) -> Self::Result {
        self.write(Entry::Verdict(append.hash, append.verdict))
    }
}

struct World {
    node: Arc<ScriptedNode>,
    parts: Parts,
    journal: UnboundedReceiver<Entry>,
    events: UnboundedReceiver<Publish>,
    ours: UnboundedReceiver<OurBlock>,
}

fn world(journal_failures: u32, verdicts: Vec<Result<SubmitVerdict, NodeError>>) -> World {
    tokio::time::pause();
    let (node, _tell) = ScriptedNode::new();
    node.verdicts.lock().unwrap().extend(verdicts);
    let (written, journal) = unbounded_channel();
    let address = Journal { written, failures: journal_failures }.start();
    let (events_to, events) = Ear::open();
    let (ours_to, ours) = Ear::open();
    let parts = Parts {
        desk: Arc::default(),
        node: Arc::clone(&node) as SharedNode,
        clock: TestClock::start(),
        journal_candidate: CriticalOutbox::new(Outbox::new("Journal", address.clone().recipient())),
        journal_verdict: CriticalOutbox::new(Outbox::new("Journal", address.recipient())),
        tracker: ours_to,
        events: events_to,
    };
    World { node, parts, journal, events, ours }
}

async fn give<M>(to: &actix::Addr<BlockSubmitter>, message: M)
where
    BlockSubmitter: Handler<M>,
    M: actix::Message<Result = ()> + Send + 'static,
{
    Outbox::new("BlockSubmitter", to.clone().recipient()).ask(message).await.unwrap();
}

fn record(byte: u8) -> CandidateRecord {
    CandidateRecord {
        id: CandidateId(u64::from(byte)),
        block: AssembledBlock { hash: BlockHash([byte; 32]), endpoint: 0, payload: vec![byte] },
        algorithm: AlgorithmName::new("blake2s").unwrap(),
        network_work: Work(1),
        height: Some(1),
        parents: Vec::new(),
        finder: Arc::new(WorkerIdentity {
            account: "alice".parse().unwrap(),
            worker: "rig".parse().unwrap(),
        }),
        found_at: TimeMs(1),
    }
}

impl World {
    async fn statuses(&mut self, count: usize) -> Vec<BlockStatus> {
        let mut statuses = Vec::new();
        while statuses.len() < count {
            if let PoolEvent::Block(view) = self.events.recv().await.unwrap().event {
                statuses.push(view.status.unwrap());
            }
        }
        statuses
    }
}

#[actix_rt::test]
async fn a_block_is_journalled_then_submitted_then_its_verdict_is_journalled() {
    let mut world = world(0, vec![Err(unreachable()), Err(not_ready()), Ok(SubmitVerdict::Accepted)]);
    let submitter = BlockSubmitter::new(world.parts.clone()).start();
    give(&submitter, SubmitBlock(record(1))).await;
    let hash = BlockHash([1; 32]);
    assert_eq!(world.journal.recv().await.unwrap(), Entry::Candidate(hash));
    assert_eq!(world.ours.recv().await.unwrap().0, hash);
    assert_eq!(world.journal.recv().await.unwrap(), Entry::Verdict(hash, SubmitVerdict::Accepted));
    assert_eq!(
        world.statuses(3).await,
        [BlockStatus::Candidate, BlockStatus::Submitted, BlockStatus::Accepted]
    );
    assert_eq!(world.node.submitted.lock().unwrap().len(), 3, "tried until the verdict was definite");
    // The same block again, by another way: nothing happens.
    give(&submitter, SubmitBlock(record(1))).await;
    give(&submitter, ResumeBlock(record(1))).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(world.node.submitted.lock().unwrap().len(), 3);
    assert!(world.journal.try_recv().is_err());
}

#[actix_rt::test]
async fn a_refusal_is_definite_and_kept_with_its_words() {
    let words = "bad coinbase: amounts".to_owned();
    let mut world = world(0, vec![Ok(SubmitVerdict::Rejected(words.clone()))]);
    let submitter = BlockSubmitter::new(world.parts.clone()).start();
    give(&submitter, SubmitBlock(record(2))).await;
    world.journal.recv().await.unwrap();
    let verdict = SubmitVerdict::Rejected(words);
    assert_eq!(world.journal.recv().await.unwrap(), Entry::Verdict(BlockHash([2; 32]), verdict));
    assert_eq!(world.statuses(3).await.last(), Some(&BlockStatus::Rejected));
}

#[actix_rt::test]
async fn a_node_away_for_an_hour_costs_no_block() {
    let mut verdicts = vec![Err(unreachable()); 365];
    verdicts.push(Ok(SubmitVerdict::Accepted));
    let mut world = world(0, verdicts);
    let started = Instant::now();
    let submitter = BlockSubmitter::new(world.parts.clone()).start();
    give(&submitter, SubmitBlock(record(3))).await;
    world.journal.recv().await.unwrap();
    world.journal.recv().await.unwrap();
    assert!(started.elapsed() > Duration::from_secs(3_000));
}

#[actix_rt::test]
async fn an_error_that_nobody_knows_is_a_refusal_after_five_minutes() {
    let unclear = NodeError::Rpc { endpoint: "a".into(), code: -32000, message: "cosmic rays".into() };
    let mut world = world(0, vec![Err(unclear); 100]);
    let started = Instant::now();
    let submitter = BlockSubmitter::new(world.parts.clone()).start();
    give(&submitter, SubmitBlock(record(4))).await;
    world.journal.recv().await.unwrap();
    let verdict = SubmitVerdict::Rejected("cosmic rays".into());
    assert_eq!(world.journal.recv().await.unwrap(), Entry::Verdict(BlockHash([4; 32]), verdict));
    assert!(started.elapsed() >= UNCLEAR_MAX);
}

#[actix_rt::test]
async fn a_journal_that_fails_delays_a_block_but_does_not_lose_it() {
    let mut world = world(2, vec![Ok(SubmitVerdict::Accepted)]);
    let submitter = BlockSubmitter::new(world.parts.clone()).start();
    give(&submitter, SubmitBlock(record(5))).await;
    assert_eq!(world.journal.recv().await.unwrap(), Entry::Candidate(BlockHash([5; 32])));
    assert!(matches!(world.journal.recv().await.unwrap(), Entry::Verdict(..)));
}

#[actix_rt::test]
async fn the_next_life_takes_up_what_the_last_one_left() {
    let mut world = world(0, vec![Err(unreachable())]);
    let runtime = crate::runtime::Runtime::start(0).unwrap();
    let parts = world.parts.clone();
    let (first, death, kill) = runtime.arbiters.start_watched(0, 16, move |_| BlockSubmitter::new(parts));
    give(&first, SubmitBlock(record(6))).await;
    give(&first, ResumeBlock(record(7))).await;
    assert_eq!(
        world.journal.recv().await.unwrap(),
        Entry::Candidate(BlockHash([6; 32])),
        "7 is journalled already"
    );
    // The actor goes, as after a panic; what it had begun goes with it.
    kill.kill();
    death.death().await;
    world.node.verdicts.lock().unwrap().extend(vec![Ok(SubmitVerdict::Accepted); 4]);
    let _second = BlockSubmitter::new(world.parts.clone()).start();
    let mut decided =
        [world.journal.recv().await.unwrap(), world.journal.recv().await.unwrap()].map(|entry| match entry {
            Entry::Verdict(hash, SubmitVerdict::Accepted) => hash.0[0],
            other => panic!("{other:?}"),
        });
    decided.sort_unstable();
    assert_eq!(decided, [6, 7]);
}
