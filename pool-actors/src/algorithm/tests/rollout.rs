//! Roll-outs from the first share in shadow to the last one of the old generation, on a paused clock.

use std::{
    collections::BTreeMap,
    sync::{Mutex, atomic::AtomicBool},
};

use async_trait::async_trait;
use pool_domain::{
    ids::SessionId,
    isolation::Level,
    rollout::{RollbackReason, Stage},
    slot_health::Thresholds,
    units::BasisPoints,
};

use super::{trial::Fault, *};
use crate::{
    algorithm::{
        router::{Routes, SetRoutes, TrafficRouter},
        supervisor::{self, Active, AlgorithmSupervisor, LinkedIn, State},
    },
    messages::{
        deployment::{
            AlgorithmDoors, AlgorithmsView, Deploy, DeployError, DeploymentView, StagePackage, Steer,
            SteerDeployment,
        },
        event::Publish,
        job::NodeState,
    },
    ports::{
        clock::Clock,
        deployments::{DeployPlan, DeploymentRow, DeploymentStore, Strategy, TrailLine},
        packages::{Package, PackageSource, SharedShelf},
        store::StoreError,
    },
    runtime::{
        supervisor::{Policy, Spec, supervise},
        watch::{Publisher, Watched, watched},
    },
    scripted_node::ScriptedNode,
};

struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> TimeMs {
        TimeMs(1_000_000)
    }
}

/// Keeps deployments in memory, and refuses to when told so.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) rows: Mutex<BTreeMap<u64, DeploymentRow>>,
    pub(super) trail: Mutex<Vec<TrailLine>>,
    pub(super) away: AtomicBool,
}

#[async_trait]
impl DeploymentStore for Memory {
    async fn record(&self, row: DeploymentRow, line: TrailLine) -> Result<(), StoreError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable { what: "away".into() });
        }
        let mut rows = self.rows.lock().unwrap();
        if rows.get(&row.id).is_none_or(|known| known.revision < row.revision) {
            rows.insert(row.id, row);
        }
        self.trail.lock().unwrap().push(line);
        Ok(())
    }

    async fn deployments(&self, _: Option<u64>, _: usize) -> Result<Vec<DeploymentRow>, StoreError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable { what: "away".into() });
        }
        Ok(self.rows.lock().unwrap().values().rev().cloned().collect())
    }

    async fn trail(&self, _: u64) -> Result<Vec<TrailLine>, StoreError> {
        Ok(self.trail.lock().unwrap().clone())
    }
}

impl Handler<Publish> for Teller<Publish> {
    type Result = ();
    fn handle(&mut self, publish: Publish, _: &mut Context<Self>) {
        // A test that looks at no events has dropped the other end.
        let _ = self.0.send(publish);
    }
}

pub(super) struct World {
    pub(super) bench: Bench,
    pub(super) routes: Routes,
    pub(super) doors: AlgorithmDoors,
    pub(super) store: Arc<Memory>,
    pub(super) view: Watched<AlgorithmsView>,
    pub(super) tokens: u32,
    pub(super) node: Arc<ScriptedNode>,
    pub(super) work: Publisher<NodeState>,
    pub(super) events: mpsc::UnboundedReceiver<Publish>,
}

/// Version 1.0.0 serves; what is deployed has this fault.
pub(super) fn world() -> World {
    tokio::time::pause();
    world_in_paused_time()
}

fn world_in_paused_time() -> World {
    world_of(None)
}

/// With packages on a shelf.
pub(super) fn world_of(shelf: Option<SharedShelf>) -> World {
    world_with(shelf, Arc::new(|_| None))
}

/// `others` is linked in and computes other functions.
pub(super) fn world_with(shelf: Option<SharedShelf>, others: LinkedIn) -> World {
    let good: Arc<dyn PowAlgorithm> = Arc::new(Fixture { panics_left: AtomicU32::new(0) });
    let mut kept = None;
    let mut bench = bench_of(|place| {
        kept = Some(place.clone());
        SlotHandle::start(place, Route::default(), &good)
    });
    let place = kept.unwrap();
    let idle = SlotHandle::start(&place, ROUTE, &good);
    let handle = std::mem::replace(&mut bench.slot, idle);
    let routes = Routes::new();
    let spec = |name: &str| Spec {
        name: name.to_owned(),
        kind: "AlgorithmSupervisor",
        seat: 0,
        mailbox: 64,
        policy: Policy::default(),
    };
    let published = routes.clone();
    let router = supervise(&place.runtime, spec("router"), move |_| TrafficRouter::new(published.clone()));
    let linked_in = Package::linked_in(Arc::clone(&good));
    let active = Active {
        package: linked_in.reference.clone(),
        level: Default::default(),
        initial_difficulty: None,
        handle,
    };
    let store = Arc::new(Memory::default());
    let (told, events) = mpsc::unbounded_channel::<Publish>();
    let view = Arc::new(watched(AlgorithmsView::default()).0);
    let (node, _) = ScriptedNode::new();
    let work = watched(NodeState::default()).0;
    let parts = supervisor::Parts {
        state: Arc::new(Mutex::new(Some(State::new(active, 1, 2)))),
        place: Place { linked_in: vec![Arc::clone(&good)], ..place.clone() },
        shelf,
        node: node.clone(),
        work: work.watched(),
        linked_in: Arc::new(
            move |function| {
                if function == "fixture" { Some(linked_in.clone()) } else { others(function) }
            },
        ),
        router: CriticalOutbox::new(router.outbox::<SetRoutes>()),
        store: store.clone(),
        clock: Arc::new(StoppedClock),
        events: Outbox::new("EventPublisher", Teller(told).start().recipient()),
        view: Arc::clone(&view),
        settings: supervisor::Settings {
            // Times are those of a paused clock: 0, or a tick.
            thresholds: Thresholds { samples_min: 10, median_slack_ns: u64::MAX, ..Thresholds::default() },
            hang_after: Duration::from_secs(2),
            warm_up_max: Duration::from_secs(60),
            drain_for: Duration::from_millis(500),
            old_routes_for: Duration::from_secs(600),
            own_jobs_for: Duration::from_secs(90),
            no_work_for: Duration::from_secs(5),
        },
    };
    let actor =
        supervise(&place.runtime, spec("supervisor"), move |_| AlgorithmSupervisor::new(parts.clone()));
    let doors = AlgorithmDoors {
        view: view.watched(),
        stage: actor.outbox(),
        deploy: actor.outbox(),
        steer: actor.outbox(),
    };
    World { bench, routes, view: view.watched(), doors, store, tokens: 0, node, work, events }
}

pub(super) fn plan() -> DeployPlan {
    DeployPlan {
        isolation: Default::default(),
        strategy: Strategy::Gradual,
        shadow_ms: 2_000,
        phase_ms: 1_000,
        shadow_share: BasisPoints::ALL,
        steps: vec![BasisPoints::percent(30), BasisPoints::ALL],
        at: None,
        rollback_on_error: true,
        notify: Vec::new(),
    }
}

impl World {
    async fn stage(&self, fault: Fault) {
        let package = Package::linked_in(trial::faulty(fault));
        self.doors.stage.ask(StagePackage(package)).await.unwrap();
    }

    pub(super) async fn deploy(&self, plan: DeployPlan) -> Result<DeploymentView, DeployError> {
        self.order(plan, None, None).await
    }

    async fn order(
        &self,
        plan: DeployPlan,
        digest: Option<String>,
        loaded: Option<Package>,
    ) -> Result<DeploymentView, DeployError> {
        let (confirm, override_migration_from, by) = (None, false, "test".into());
        let deploy = Deploy { plan, confirm, override_migration_from, digest, loaded, by };
        self.doors.deploy.ask(deploy).await.unwrap()
    }

    pub(super) async fn steer(&self, steer: Steer) -> Result<DeploymentView, DeployError> {
        self.doors.steer.ask(SteerDeployment { id: 1, steer, by: "test".into() }).await.unwrap()
    }

    /// Twenty sessions send a share each, by the split that a job of now would pin. Every share must be accepted.
    pub(super) async fn mine(&mut self) {
        let split = self.routes.in_service().get().work[0].1;
        let table = self.routes.watched().get();
        for session in 0..20 {
            self.tokens += 1;
            let mut share = self.bench.share(self.tokens, GOOD, false);
            share.header[1..9].copy_from_slice(&u64::from(self.tokens).to_le_bytes());
            table.validator(split.route(SessionId(session)), 0).unwrap().send(vec![share]);
        }
        assert_eq!(self.bench.journalled(20).await.len(), 20);
        let told = self.bench.told(20).await;
        assert!(told.iter().all(|(_, verdict)| *verdict == Verdict::Accepted), "{told:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    pub(super) fn deployment(&self) -> DeploymentView {
        self.view.get().deployment.clone().expect("there was one")
    }

    /// Mines until the deployment is at `stage`; returns the stages seen.
    pub(super) async fn mine_until(&mut self, stage: Stage) -> Vec<Stage> {
        let mut seen = vec![self.deployment().stage];
        while *seen.last().unwrap() != stage {
            assert!(seen.len() < 20 && self.tokens < 20_000, "{stage:?} never came: {seen:?}");
            self.mine().await;
            let now = self.deployment();
            assert!(!now.stage.is_final() || now.stage == stage, "{now:?}");
            if seen.last() != Some(&now.stage) {
                seen.push(now.stage);
            }
        }
        seen
    }
}

#[actix_rt::test]
async fn an_upgrade_goes_through_all_steps_and_no_share_notices() {
    let mut world = world();
    world.stage(Fault::None).await;
    world.deploy(plan()).await.unwrap();
    let seen = world.mine_until(Stage::Retired).await;
    let expected = [Stage::Shadow, Stage::Canary(0), Stage::Canary(1), Stage::Draining, Stage::Retired];
    assert!(seen.ends_with(&expected), "{seen:?}");
    world.mine().await;
    let view = world.view.get();
    assert_eq!(view.active.as_ref().unwrap().version, "1.0.1");
    assert_eq!(view.slots.len(), 1);
    assert_eq!(view.slots[0].route, Route { slot: SlotId(1), generation: Generation(2) });
    assert!(view.staged.is_none());
    let row = world.store.rows.lock().unwrap()[&1].clone();
    assert_eq!(row.rollout.stage(), Stage::Retired);
    let actions: Vec<String> =
        world.store.trail.lock().unwrap().iter().map(|line| line.stage.clone()).collect();
    assert_eq!(actions, ["staged", "warm", "shadow", "30%", "100%", "draining", "retired"]);
    // Shares of jobs that were issued before it all are judged by the new generation.
    let share = world.bench.share(70_000, LOW, false);
    world.routes.watched().get().validator(Route::default(), 0).unwrap().send(vec![share]);
    let low = Verdict::Rejected(RejectReason::LowDifficulty);
    assert_eq!(world.bench.told(1).await, [(70_000, low)]);
    assert!(std::iter::from_fn(|| world.events.try_recv().ok()).count() > 6, "everybody was told");
}

#[actix_rt::test]
async fn one_wrong_hash_in_shadow_goes_back_and_names_its_input() {
    let mut world = world();
    world.stage(Fault::WrongOnce(137)).await;
    world.deploy(plan()).await.unwrap();
    let seen = world.mine_until(Stage::RolledBack).await;
    assert!(!seen.contains(&Stage::Canary(0)), "{seen:?}");
    let over = world.deployment();
    let evidence = over.evidence.expect("the input that proves it");
    assert_eq!(evidence.input[1..9], 137u64.to_le_bytes());
    assert_eq!(over.rollback, Some(RollbackReason::HashDiffers(hex::encode(evidence.input))));
    assert_ne!(evidence.got, evidence.expected);
    assert_eq!(world.view.get().active.as_ref().unwrap().version, "1.0.0");
    world.mine().await;
    // It stays staged, and another deployment may begin.
    world.deploy(plan()).await.unwrap();
}

#[actix_rt::test]
async fn health_says_until_when_it_is_unknown_and_is_seen_while_the_old_one_drains() {
    tokio::time::pause();
    let mut world = world_in_paused_time();
    world.stage(Fault::None).await;
    let at_once = DeployPlan {
        strategy: Strategy::Immediate,
        shadow_ms: 0,
        phase_ms: 0,
        steps: vec![BasisPoints::ALL],
        ..plan()
    };
    world.deploy(at_once).await.unwrap();
    let health = world.deployment().health;
    assert_eq!(
        (health.status, health.reason.as_deref()),
        ("unknown", Some("it is not judged before it has work"))
    );
    world.mine_until(Stage::Draining).await;
    let health = world.deployment().health;
    assert_eq!(
        (health.status, health.reason.as_deref()),
        ("unknown", Some("0 hashes so far, it takes 10 to judge it"))
    );
    // As if the old one took longer: validators tell what they did twice a second.
    world.steer(Steer::Pause).await.unwrap();
    for _ in 0..10 {
        world.mine().await;
    }
    let (stage, health) = (world.deployment().stage, world.deployment().health);
    assert_eq!((stage, health.status, health.reason), (Stage::Draining, "healthy", None));
    world.steer(Steer::Resume).await.unwrap();
    world.mine_until(Stage::Retired).await;
    assert_eq!(world.deployment().health.status, "healthy", "as it was seen last");
}

#[actix_rt::test]
async fn faults_at_each_step_cost_no_share() {
    tokio::time::pause();
    for (fault, plan) in [
        (Fault::Panics, plan()),
        (Fault::Refuses, plan()),
        (Fault::Wrong, DeployPlan { strategy: Strategy::Immediate, shadow_ms: 0, ..plan() }),
        (Fault::Panics, DeployPlan { shadow_ms: 0, ..plan() }),
    ] {
        let mut world = world_in_paused_time();
        world.stage(fault).await;
        world.deploy(plan).await.unwrap();
        world.mine_until(Stage::RolledBack).await;
        world.mine().await;
        assert_eq!(world.view.get().active.as_ref().unwrap().version, "1.0.0");
    }
}

#[actix_rt::test]
async fn only_the_package_that_was_meant_is_deployed() {
    let of = |version: &str, digest: &str| {
        let mut package = Package::linked_in(trial::faulty(Fault::None));
        package.reference.version = version.to_owned();
        package.reference.source = PackageSource::Package { digest: digest.to_owned() };
        package
    };
    let world = world();
    world.doors.stage.ask(StagePackage(of("1.1.0", "aa"))).await.unwrap();
    // Somebody else stages another one, while the first is looked at or loaded at another level.
    world.doors.stage.ask(StagePackage(of("1.2.0", "bb"))).await.unwrap();
    let changed = || DeployError::StagedChanged { staged: of("1.2.0", "bb").reference.id() };
    assert_eq!(world.order(plan(), Some("aa".into()), None).await.unwrap_err(), changed());
    assert_eq!(world.order(plan(), None, Some(of("1.1.0", "aa"))).await.unwrap_err(), changed());
    assert_eq!(world.view.get().staged.as_ref().unwrap().package.version, "1.2.0", "it stays staged");
    let mut loaded = of("1.2.0", "bb");
    loaded.report.isolation = Level::Process;
    let view = world.order(plan(), Some("bb".into()), Some(loaded)).await.unwrap();
    assert_eq!((view.package.version.as_str(), view.plan.isolation), ("1.2.0", Level::Process));
}

#[actix_rt::test]
async fn an_operator_pauses_advances_and_goes_back() {
    let mut world = world();
    assert_eq!(world.deploy(plan()).await.unwrap_err(), DeployError::NothingStaged);
    world.stage(Fault::None).await;
    world.deploy(plan()).await.unwrap();
    assert_eq!(world.deploy(plan()).await.unwrap_err(), DeployError::InProgress(1));
    world.mine_until(Stage::Shadow).await;
    assert!(world.steer(Steer::Pause).await.unwrap().paused);
    assert!(matches!(world.steer(Steer::Pause).await, Err(DeployError::Refused(_))));
    assert!(matches!(world.steer(Steer::Advance).await, Err(DeployError::Refused(_))), "paused");
    for _ in 0..60 {
        world.mine().await;
    }
    assert_eq!(world.deployment().stage, Stage::Shadow, "its clock stands still");
    assert!(!world.steer(Steer::Resume).await.unwrap().paused);
    assert_eq!(world.steer(Steer::Advance).await.unwrap().stage, Stage::Canary(0));
    assert_eq!(world.deployment().traffic, BasisPoints::percent(30));
    world.mine().await;
    let back = world.steer(Steer::RollBack { reason: "enough".into() }).await.unwrap();
    assert_eq!((back.stage, back.traffic), (Stage::RolledBack, BasisPoints::ZERO));
    let again = world.steer(Steer::RollBack { reason: "again".into() }).await;
    assert!(matches!(again, Err(DeployError::Refused(_) | DeployError::NotUnderWay(1))), "{again:?}");
    world.mine().await;
    assert!(matches!(world.steer(Steer::Resume).await, Err(DeployError::NotUnderWay(1))));
}

#[actix_rt::test]
async fn a_step_that_cannot_be_written_is_not_taken_and_going_back_does_not_wait() {
    let mut world = world();
    world.stage(Fault::None).await;
    world.store.away.store(true, Ordering::SeqCst);
    assert!(matches!(world.deploy(plan()).await, Err(DeployError::Store(_))));
    world.store.away.store(false, Ordering::SeqCst);
    // Numbers are not used twice.
    assert_eq!(world.deploy(plan()).await.unwrap().id, 2);
    world.mine_until(Stage::Canary(0)).await;
    world.store.away.store(true, Ordering::SeqCst);
    for _ in 0..40 {
        world.mine().await;
    }
    assert_eq!(world.deployment().stage, Stage::Canary(0), "the next step is not on disk");
    let order = SteerDeployment { id: 2, steer: Steer::RollBack { reason: "now".into() }, by: "test".into() };
    world.doors.steer.ask(order).await.unwrap().unwrap();
    assert_eq!(world.routes.in_service().get().work[0].1.share, BasisPoints::ZERO);
    world.mine().await;
    world.store.away.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(world.store.rows.lock().unwrap()[&2].rollout.stage(), Stage::RolledBack);
}

#[actix_rt::test]
async fn a_deployment_whose_supervisor_dies_is_rolled_back() {
    let mut world = world();
    world.stage(Fault::None).await;
    world.deploy(plan()).await.unwrap();
    world.mine_until(Stage::Canary(0)).await;
    assert!(world.bench.runtime.registry.crash("supervisor"));
    world.mine_until(Stage::RolledBack).await;
    world.mine().await;
}

#[actix_rt::test]
async fn too_few_shares_prolong_a_step_but_do_not_hold_it_for_ever() {
    let mut world = world();
    world.stage(Fault::None).await;
    world.deploy(plan()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    assert_eq!(world.deployment().stage, Stage::Shadow);
    assert_eq!(world.deployment().health.status, "unknown");
    tokio::time::sleep(Duration::from_secs(15)).await;
    assert_eq!(world.deployment().stage, Stage::Retired);
    world.mine().await;
}
