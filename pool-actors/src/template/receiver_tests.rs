use std::sync::atomic::Ordering;

use pool_domain::{
    functions::{Functions, Moving},
    ids::{AlgorithmName, Generation, Route, SlotId},
    share::Solution,
    traffic_split::TrafficSplit,
    units::{BasisPoints, TimeMs},
};
use tokio::sync::mpsc::UnboundedReceiver;

use super::*;
use crate::{
    messages::{block::CandidateFound, event::PoolEvent, journal::CandidateId, share::WorkerIdentity},
    runtime::watch::watched,
    scripted_node::{Ear, ScriptedNode, TestClock, not_ready, unreachable},
};

struct World {
    node: Arc<ScriptedNode>,
    tell: tokio::sync::mpsc::UnboundedSender<NodeEvent>,
    jobs: UnboundedReceiver<PublishJob>,
    pauses: UnboundedReceiver<WorkPaused>,
    blocks: UnboundedReceiver<SubmitBlock>,
    events: UnboundedReceiver<Publish>,
    news: UnboundedReceiver<NodeTold>,
    algorithms: Publisher<InService>,
    state: Watched<NodeState>,
    in_force: Watched<Vec<Arc<Job>>>,
    _receiver: actix::Addr<TemplateReceiver>,
}

fn route(generation: u32) -> Route {
    Route { slot: SlotId(0), generation: Generation(generation) }
}

fn in_service(name: &str, generation: u32) -> InService {
    InService::only(&AlgorithmName::new(name).unwrap(), TrafficSplit::whole(route(generation)))
}

/// A migration to blake3, with so many percent of the sessions.
fn migrating(percent: u32) -> InService {
    let moving =
        Moving { to: AlgorithmName::new("blake3").unwrap(), share: BasisPoints::percent(percent), salt: 1 };
    let functions = Functions { main: AlgorithmName::new("blake2s").unwrap(), moving: Some(moving) };
    InService::moving(functions, route(2), route(3))
}

fn world() -> World {
    tokio::time::pause();
    let (node, tell) = ScriptedNode::new();
    let (jobs_to, jobs) = Ear::open();
    let (pauses_to, pauses) = Ear::open();
    let (blocks_to, blocks) = Ear::open();
    let (events_to, events) = Ear::open();
    let (news_to, news) = Ear::open();
    let (algorithms, algorithms_read) = watched(in_service("blake2s", 1));
    let (state_set, state) = watched(NodeState::default());
    let (in_force_set, in_force) = watched(Vec::new());
    let parts = Parts {
        node: Arc::clone(&node) as SharedNode,
        clock: TestClock::start(),
        runtime: Runtime::start(0).unwrap(),
        seat: 0,
        algorithms: algorithms_read,
        hubs: vec![SessionHub { jobs: jobs_to, pauses: pauses_to }],
        submitter: CriticalOutbox::new(blocks_to),
        tracker: news_to,
        events: events_to,
        state: Arc::new(state_set),
        jobs: Arc::new(in_force_set),
        numbers: Arc::new(JobNumbers::starting_at(TimeMs(5_000))),
        settings: Settings {
            poll_interval: Duration::from_millis(500),
            health_interval: Duration::from_secs(2),
            job_interval_min: Duration::from_millis(250),
            job_refresh: Duration::from_secs(20),
            pause_after: Duration::from_secs(3),
            endpoints: 1,
        },
    };
    let receiver = TemplateReceiver::new(parts).start();
    World { node, tell, jobs, pauses, blocks, events, news, algorithms, state, in_force, _receiver: receiver }
}

impl World {
    async fn job(&mut self) -> Arc<Job> {
        self.jobs.recv().await.expect("the receiver lives").0
    }
}

#[actix_rt::test]
async fn the_first_template_becomes_a_job_and_equal_ones_do_not() {
    let mut world = world();
    let job = world.job().await;
    assert_eq!(job.id.0, 5 << 16);
    assert_eq!((job.algorithm.as_str(), job.split.stable.generation), ("blake2s", Generation(1)));
    assert_eq!(job.network_work, job.template.network_target.work().unwrap());
    world.state.wait_for(|state| state.ready).await.unwrap();
    assert_eq!(world.in_force.get().len(), 1);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(world.node.templates_asked.load(Ordering::Relaxed) >= 20, "polled");
    assert!(world.jobs.try_recv().is_err(), "nothing changed, no job");
    let refreshed = world.job().await;
    assert!(refreshed.id > job.id && !refreshed.clean, "a sign of life");
    assert!(refreshed.issued_at.since(job.issued_at) >= 20_000);
}

#[actix_rt::test]
async fn events_are_coalesced_and_jobs_keep_their_distance() {
    let mut world = world();
    let first = world.job().await;
    for tip in 2..=9 {
        world.node.set_tip(tip);
        world.tell.send(NodeEvent::NewTemplate { clean: false }).unwrap();
    }
    let second = world.job().await;
    assert_eq!(second.template.height, Some(9), "the newest wins");
    assert!(second.issued_at.since(first.issued_at) >= 250);
    assert!(!second.clean, "other parents do not make old work worthless");
    world.node.set_tip(10);
    world.tell.send(NodeEvent::NewTemplate { clean: true }).unwrap();
    let third = world.job().await;
    assert!(third.clean);
    assert!(third.issued_at.since(second.issued_at) < 250, "an invalidation does not wait");
}

#[actix_rt::test]
async fn a_slow_node_is_asked_once_at_a_time() {
    let mut world = world();
    world.job().await;
    *world.node.template_delay.lock().unwrap() = Duration::from_millis(1_500);
    let before = world.node.templates_asked.load(Ordering::Relaxed);
    for tip in 2..50 {
        world.node.set_tip(tip);
        world.tell.send(NodeEvent::NewTemplate { clean: false }).unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let asked = world.node.templates_asked.load(Ordering::Relaxed) - before;
    assert!(asked <= 5, "{asked} calls in 4.8 s of 1.5 s each");
    assert!(world.state.get().ready, "slow is not gone");
}

#[actix_rt::test]
async fn work_pauses_while_the_node_is_gone_and_goes_on_by_itself() {
    let mut world = world();
    let first = world.job().await;
    world.state.wait_for(|state| state.ready).await.unwrap();
    world.node.fail(Some(unreachable()));
    *world.node.health.lock().unwrap() = Err(unreachable());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(world.pauses.try_recv().is_err(), "a short absence costs nothing");
    let pause = world.pauses.recv().await.unwrap();
    assert!(pause.reason.unwrap().contains("connection refused"));
    world.state.wait_for(|state| !state.ready).await.unwrap();
    assert!(world.state.get().reason.contains("connection refused"));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(world.pauses.try_recv().is_err(), "told once");
    world.node.fail(None);
    *world.node.health.lock().unwrap() = Ok(NodeHealth { ready: true, ..NodeHealth::default() });
    assert_eq!(world.pauses.recv().await.unwrap(), WorkPaused { reason: None });
    let next = world.job().await;
    assert!(next.id > first.id, "a new job, although the template is the same");
    world.state.wait_for(|state| state.ready).await.unwrap();
    let mut told: Vec<bool> = std::iter::from_fn(|| world.events.try_recv().ok())
        .filter_map(|publish| match publish.event {
            PoolEvent::NodeState { ready, .. } => Some(ready),
            _ => None,
        })
        .collect();
    told.dedup();
    assert_eq!(told, [false, true, false, true]);
}

#[actix_rt::test]
async fn a_node_that_says_it_is_not_ready_pauses_work_at_once() {
    let mut world = world();
    world.job().await;
    world.node.fail(Some(not_ready()));
    let started = Instant::now();
    let pause = world.pauses.recv().await.unwrap();
    assert!(pause.reason.unwrap().contains("syncing"));
    assert!(started.elapsed() < Duration::from_secs(1));
    world.node.fail(None);
    assert_eq!(world.pauses.recv().await.unwrap().reason, None);
    world.job().await;
    // The health check speaks as well, while templates still come.
    *world.node.health.lock().unwrap() =
        Ok(NodeHealth { ready: false, reason: "no peers".into(), ..NodeHealth::default() });
    assert_eq!(world.pauses.recv().await.unwrap().reason.as_deref(), Some("no peers"));
    world.node.set_tip(77);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(world.jobs.try_recv().is_err(), "no work on a node that is not ready");
    *world.node.health.lock().unwrap() = Ok(NodeHealth { ready: true, ..NodeHealth::default() });
    assert_eq!(world.pauses.recv().await.unwrap().reason, None);
    assert_eq!(world.job().await.template.height, Some(77));
}

#[actix_rt::test]
async fn several_algorithms_and_new_generations_get_jobs() {
    let mut world = world();
    world.job().await;
    world.algorithms.set(migrating(0));
    let (a, b) = (world.job().await, world.job().await);
    assert_eq!((a.algorithm.as_str(), a.split.stable.generation), ("blake2s", Generation(2)));
    assert_eq!((b.algorithm.as_str(), b.split), ("blake3", TrafficSplit::whole(route(3))));
    assert!(!a.clean && !b.clean, "a function that joins invalidates nothing");
    assert_eq!(world.in_force.get().len(), 2);
    world.algorithms.set(migrating(50));
    let (a, b) = (world.job().await, world.job().await);
    assert!(!a.clean && !b.clean && a.id < b.id, "another share is told by a fresh job of each");
    assert_eq!(a.functions.moving.as_ref().unwrap().share, BasisPoints::percent(50));
    assert_eq!(world.state.get().job.as_ref().unwrap().algorithm, "blake2s", "the main function's");
    world.algorithms.set(in_service("blake3", 3));
    world.in_force.wait_for(|jobs| jobs.len() == 1).await.unwrap();
    assert_eq!(world.state.get().job.as_ref().unwrap().algorithm, "blake3");
    assert_eq!(world.state.get().functions.len(), 1);
}

#[actix_rt::test]
async fn a_function_that_the_node_does_not_know_does_not_stop_the_other() {
    let mut world = world();
    world.job().await;
    world.node.lacks("blake3");
    world.algorithms.set(migrating(50));
    assert_eq!(world.job().await.algorithm.as_str(), "blake2s");
    let known = world.state.wait_for(|state| state.function("blake3").is_some()).await.unwrap();
    assert!(known.ready && known.function("blake2s").unwrap().failing.is_none());
    let failing = known.function("blake3").unwrap().failing.clone().unwrap();
    assert!(failing.refused && failing.reason.contains("pow type"), "{failing:?}");
    tokio::time::sleep(Duration::from_secs(3)).await;
    let later = world.state.get().function("blake3").unwrap().failing.clone().unwrap();
    assert_eq!(later.since, failing.since);
    assert!(world.jobs.try_recv().is_err(), "nothing changed for those who work");
    world.node.lacks("");
    assert_eq!(world.job().await.algorithm.as_str(), "blake3");
    assert!(world.state.wait_for(|state| state.functions[1].failing.is_none()).await.is_ok());
}

#[actix_rt::test]
async fn a_solution_of_an_old_job_still_becomes_a_block() {
    let mut world = world();
    let old = world.job().await;
    world.node.set_tip(2);
    world.tell.send(NodeEvent::NewTemplate { clean: true }).unwrap();
    world.job().await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    old.owner.post(found_by_alice(&old)).unwrap();
    let SubmitBlock(record) = world.blocks.recv().await.unwrap();
    assert_eq!(record.parents, old.template.parents);
    assert_eq!((record.id, record.block.hash.0[31]), (CandidateId(9), 5));
}

#[actix_rt::test]
async fn the_nodes_news_are_handed_on() {
    let mut world = world();
    world.job().await;
    world.tell.send(NodeEvent::Reorganised).unwrap();
    assert!(matches!(world.news.recv().await.unwrap(), NodeTold(NodeEvent::Reorganised)));
}

fn found_by_alice(job: &Arc<Job>) -> CandidateFound {
    CandidateFound {
        id: CandidateId(9),
        solution: Solution { nonce: 5, ..Solution::default() },
        finder: Arc::new(WorkerIdentity {
            account: "alice".parse().unwrap(),
            worker: "rig".parse().unwrap(),
        }),
        found_at: TimeMs(3),
        job: Arc::clone(job),
    }
}

#[actix_rt::test]
async fn a_block_whose_assembly_panics_is_tried_again_then_reported_and_its_template_serves_on() {
    let mut world = world();
    let job = world.job().await;
    world.node.assemble_panics.store(2, Ordering::Relaxed);
    job.owner.post(found_by_alice(&job)).unwrap();
    assert_eq!(world.blocks.recv().await.unwrap().0.id, CandidateId(9), "at the third try");
    world.node.assemble_panics.store(usize::MAX, Ordering::Relaxed);
    job.owner.post(found_by_alice(&job)).unwrap();
    let lost = loop {
        if let PoolEvent::Defect { code, message } = world.events.recv().await.unwrap().event {
            break (code, message);
        }
    };
    assert_eq!(lost.0, "BLOCK_LOST");
    assert!(lost.1.contains("alice") && lost.1.contains("the scripted node panics as told"), "{}", lost.1);
    world.node.assemble_panics.store(0, Ordering::Relaxed);
    job.owner.post(found_by_alice(&job)).unwrap();
    assert_eq!(world.blocks.recv().await.unwrap().0.id, CandidateId(9), "the template serves on");
}
