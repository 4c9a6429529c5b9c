//! Slots under fire: what is good is journalled, what is bad is told why, and a dying validator costs nobody a share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use actix::{Actor, Context, Handler};
use plugin_sdk::{
    AlgorithmError, AlgorithmInfo, Benchmark, Compatibility, DifficultyAdjuster, HashFunction, Health,
    Migration, PowAlgorithm,
};
use pool_domain::{
    difficulty::Difficulty,
    functions::Functions,
    ids::{Account, AlgorithmName, Generation, JobId, Route, SlotId, TemplateId, WorkerName},
    share::{LostReason, RejectReason, Solution, Verdict},
    target::{Target, U256},
    traffic_split::TrafficSplit,
    units::{TimeMs, Work},
};
use tokio::sync::mpsc;

use super::slot::{Place, SlotHandle};
use crate::{
    messages::{
        block::CandidateFound,
        job::{Job, RenderCache},
        journal::AppendShares,
        share::{Share, WorkerIdentity},
    },
    ports::node::{HeaderForm, NodePrivate, Template},
    runtime::{
        Runtime,
        critical::CriticalOutbox,
        outbox::Outbox,
        ticket::{TicketOffice, Verdicts},
    },
};

mod dying;
mod many;
mod migration;
mod recovery;
mod rollout;
mod shelf;
mod trial;

const ROUTE: Route = Route { slot: SlotId(1), generation: Generation(7) };

/// "Hashes" by copying: the first byte of the header is the most significant one of the hash. It panics on `PANICS`, as
/// often as it is armed, and refuses `REFUSED`.
struct Fixture {
    panics_left: AtomicU32,
}

const GOOD: u8 = 0x0f;
const BLOCK: u8 = 0x00;
const LOW: u8 = 0xf0;
const PANICS: u8 = 0xee;
const REFUSED: u8 = 0xdd;

impl HashFunction for Fixture {
    fn name(&self) -> &'static str {
        "fixture"
    }

    fn hash(&self, input: &[u8]) -> Result<[u8; 32], AlgorithmError> {
        if input[0] == REFUSED {
            return Err(AlgorithmError::BadLength { got: 0, expected: 80 });
        }
        let armed = |left: u32| left.checked_sub(1);
        if input[0] == PANICS
            && self.panics_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, armed).is_ok()
        {
            panic!("the fixture panics as told");
        }
        let mut hash = [0; 32];
        hash[31] = if input[0] == PANICS { GOOD } else { input[0] };
        hash[..8].copy_from_slice(&input[1..9]);
        Ok(hash)
    }
}

impl DifficultyAdjuster for Fixture {}
impl Benchmark for Fixture {}
impl Compatibility for Fixture {}
impl Migration for Fixture {}
impl Health for Fixture {}
impl PowAlgorithm for Fixture {
    fn info(&self) -> AlgorithmInfo {
        AlgorithmInfo::new("fixture", "1.0.0", plugin_sdk::Target::MAX)
    }
}

struct Teller<M>(mpsc::UnboundedSender<M>);

impl<M: 'static> Actor for Teller<M> {
    type Context = Context<Self>;
}

impl Handler<Verdicts> for Teller<(u32, Verdict)> {
    type Result = ();
    fn handle(&mut self, verdicts: Verdicts, _: &mut Context<Self>) {
        for resolved in verdicts.0 {
            self.0.send((resolved.token, resolved.verdict)).unwrap();
        }
    }
}

impl Handler<AppendShares> for Teller<AppendShares> {
    type Result = ();
    fn handle(&mut self, append: AppendShares, _: &mut Context<Self>) {
        self.0.send(append).unwrap();
    }
}

impl Handler<CandidateFound> for Teller<CandidateFound> {
    type Result = ();
    fn handle(&mut self, candidate: CandidateFound, _: &mut Context<Self>) {
        self.0.send(candidate).unwrap();
    }
}

/// A slot between a session and a journal that tell what they hear.
struct Bench {
    runtime: Runtime,
    slot: SlotHandle,
    office: TicketOffice,
    job: Arc<Job>,
    verdicts: mpsc::UnboundedReceiver<(u32, Verdict)>,
    journal: mpsc::UnboundedReceiver<AppendShares>,
    candidates: mpsc::UnboundedReceiver<CandidateFound>,
}

fn bench(panics: u32) -> Bench {
    let algorithm: Arc<dyn PowAlgorithm> = Arc::new(Fixture { panics_left: AtomicU32::new(panics) });
    bench_of(|place| SlotHandle::start(place, ROUTE, &algorithm))
}

fn bench_of(start: impl FnOnce(&Place) -> SlotHandle) -> Bench {
    let runtime = Runtime::start(0).unwrap();
    let (told, verdicts) = mpsc::unbounded_channel();
    let office = TicketOffice::new(Teller(told).start().recipient(), 64);
    let (told, journal) = mpsc::unbounded_channel::<AppendShares>();
    let shard = Outbox::new("JournalShard", Teller(told).start().recipient::<AppendShares>());
    let (told, candidates) = mpsc::unbounded_channel::<CandidateFound>();
    let owner = Outbox::new("JobTemplate", Teller(told).start().recipient::<CandidateFound>());
    let slot = start(&place(&runtime, shard));
    Bench { runtime, slot, office, job: job(CriticalOutbox::new(owner)), verdicts, journal, candidates }
}

fn place(runtime: &Runtime, shard: Outbox<AppendShares>) -> Place {
    Place {
        runtime: runtime.clone(),
        workers: runtime.clone(),
        trial_arbiters: 0,
        journal: vec![shard],
        unsent: Arc::default(),
        linked_in: Vec::new(),
    }
}

fn top_byte(byte: u8) -> Target {
    Target(U256::from(byte) << 248)
}

fn job(owner: CriticalOutbox<CandidateFound>) -> Arc<Job> {
    let algorithm = AlgorithmName::new("fixture").unwrap();
    let template = Template {
        id: TemplateId(1),
        endpoint: 0,
        algorithm: algorithm.clone(),
        parents: Vec::new(),
        height: None,
        network_target: top_byte(1),
        received_at: TimeMs(0),
        header: HeaderForm::PrePow { pre_pow_hash: [0; 32], timestamp_ms: 0 },
        private: NodePrivate(Arc::new(())),
    };
    Arc::new(Job {
        id: JobId(1),
        template: Arc::new(template),
        split: TrafficSplit::whole(ROUTE),
        functions: Arc::new(Functions::only(algorithm.clone())),
        algorithm,
        clean: true,
        network_target: top_byte(1),
        network_work: Work(256),
        network_difficulty: Difficulty::ONE,
        start_difficulty: None,
        issued_at: TimeMs(0),
        owner,
        rendered: RenderCache::default(),
    })
}

impl Bench {
    fn share(&self, token: u32, kind: u8, late: bool) -> Share {
        let mut header = [0; 80];
        header[0] = kind;
        header[1..5].copy_from_slice(&token.to_le_bytes());
        Share {
            ticket: self.office.issue(token).unwrap(),
            header,
            job: Arc::clone(&self.job),
            target: top_byte(0x10),
            work: Work(16),
            worker: Arc::new(WorkerIdentity {
                account: Account::new("alice").unwrap(),
                worker: WorkerName::new("rig").unwrap(),
            }),
            solution: Solution::default(),
            late,
            received_at: TimeMs(5),
            validations: 0,
            life: Default::default(),
        }
    }

    fn send(&self, shares: Vec<Share>) {
        self.slot.doors()[0].send(shares);
    }

    /// The tokens of the next `count` journalled shares, sorted, and whether each is a block; their tickets are resolved
    /// as the journal would.
    async fn journalled(&mut self, count: usize) -> Vec<(u32, bool)> {
        let mut journalled = Vec::new();
        while journalled.len() < count {
            for share in self.journal.recv().await.unwrap().0 {
                journalled.push((share.ticket.token(), share.candidate.is_some()));
                share.ticket.resolve(Verdict::Accepted);
            }
        }
        journalled.sort_unstable();
        journalled
    }

    /// The next `count` verdicts, by token.
    async fn told(&mut self, count: usize) -> Vec<(u32, Verdict)> {
        let mut told = Vec::new();
        while told.len() < count {
            told.push(self.verdicts.recv().await.unwrap());
        }
        told.sort_by_key(|verdict| verdict.0);
        told
    }
}

#[actix_rt::test]
async fn shares_are_judged_by_their_bound_and_refused_at_once() {
    let mut bench = bench(0);
    let kinds = [(1, GOOD, false), (2, LOW, false), (3, GOOD, true), (4, REFUSED, false), (5, GOOD, false)];
    bench.send(kinds.iter().map(|(token, kind, late)| bench.share(*token, *kind, *late)).collect());
    assert_eq!(bench.journalled(2).await, [(1, false), (5, false)]);
    let expected = [
        (1, Verdict::Accepted),
        (2, Verdict::Rejected(RejectReason::LowDifficulty)),
        (3, Verdict::Rejected(RejectReason::StaleJob)),
        (4, Verdict::Rejected(RejectReason::Other)),
        (5, Verdict::Accepted),
    ];
    assert_eq!(bench.told(5).await, expected);
}

#[actix_rt::test]
async fn a_block_goes_to_the_jobs_owner_whatever_its_age() {
    let mut bench = bench(0);
    bench.send(vec![bench.share(1, BLOCK, false), bench.share(2, BLOCK, true)]);
    assert_eq!(bench.journalled(2).await, [(1, true), (2, true)]);
    let found = [bench.candidates.recv().await.unwrap(), bench.candidates.recv().await.unwrap()];
    assert_ne!(found[0].id, found[1].id);
    assert_eq!(found[0].finder.account.as_str(), "alice");
}

#[actix_rt::test]
async fn a_panic_of_the_algorithm_costs_nobody_a_share_if_it_does_not_come_again() {
    let mut bench = bench(1);
    bench.send(vec![bench.share(1, GOOD, false), bench.share(2, PANICS, false)]);
    bench.send(vec![bench.share(3, LOW, false)]);
    assert_eq!(bench.journalled(2).await, [(1, false), (2, false)]);
    let low = Verdict::Rejected(RejectReason::LowDifficulty);
    assert_eq!(bench.told(3).await, [(1, Verdict::Accepted), (2, Verdict::Accepted), (3, low)]);
    assert!(bench.runtime.registry.list().iter().all(|actor| actor.restarts == 0), "it was contained");
}

#[actix_rt::test]
async fn a_share_that_panics_twice_is_lost_alone() {
    let mut bench = bench(u32::MAX);
    bench.send(vec![bench.share(1, PANICS, false), bench.share(2, GOOD, false)]);
    assert_eq!(bench.journalled(1).await, [(2, false)]);
    assert_eq!(
        bench.told(2).await,
        [(1, Verdict::Lost(LostReason::AlgorithmPanicked)), (2, Verdict::Accepted)]
    );
    // The validator serves on, however often that comes.
    for token in (3..60).step_by(2) {
        bench.send(vec![bench.share(token, PANICS, false), bench.share(token + 1, GOOD, false)]);
        assert_eq!(bench.journalled(1).await, [(token + 1, false)]);
        bench.told(2).await;
    }
    assert!(bench.runtime.registry.list().iter().all(|actor| actor.restarts == 0));
}

#[actix_rt::test]
async fn a_stopped_slot_answers_what_it_still_held() {
    let mut bench = bench(0);
    let doors = bench.slot.doors();
    let share = bench.share(1, GOOD, false);
    bench.slot.stop().await;
    doors[0].send(vec![share]);
    assert_eq!(bench.verdicts.recv().await.unwrap(), (1, Verdict::Lost(LostReason::ShuttingDown)));
}
