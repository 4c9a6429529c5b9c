//! Migrations to another function: its shares are judged by it alone, whatever becomes of it.

use pool_domain::{
    functions::Functions,
    ids::SessionId,
    rollout::{RollbackReason, RolloutKind, Stage},
    units::BasisPoints,
};

use super::{
    rollout::{World, plan, world, world_with},
    *,
};
use crate::{
    messages::{
        deployment::{DeployError, StagePackage, Steer},
        job::{FunctionWork, NoTemplate, NodeState},
    },
    ports::packages::Package,
};

/// Another function: the hash's lowest byte is 0xaa, and its highest one is the header's *second*.
pub(super) struct Other {
    panics_left: AtomicU32,
    wrong: bool,
}

impl Other {
    pub(super) fn package(panics: u32, wrong: bool) -> Package {
        Package::linked_in(Arc::new(Self { panics_left: AtomicU32::new(panics), wrong }))
    }
}

impl HashFunction for Other {
    fn name(&self) -> &'static str {
        "other"
    }

    fn hash(&self, input: &[u8]) -> Result<[u8; 32], AlgorithmError> {
        // Headers of the warm-up are random.
        if input[40..] == [0; 40] {
            let armed = |left: u32| left.checked_sub(1);
            if self.panics_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, armed).is_ok() {
                panic!("the new function panics as told");
            }
            if self.wrong {
                return Ok([0xff; 32]);
            }
        }
        let mut hash = [0; 32];
        hash[31] = input[1];
        hash[1..9].copy_from_slice(&input[2..10]);
        hash[0] = 0xaa;
        Ok(hash)
    }
}

impl DifficultyAdjuster for Other {}
impl Benchmark for Other {}
impl Compatibility for Other {}
impl Migration for Other {}
impl Health for Other {}
impl PowAlgorithm for Other {
    fn info(&self) -> AlgorithmInfo {
        AlgorithmInfo::new("other", "2.0.0", plugin_sdk::Target::MAX)
    }
}

pub(super) fn work(failing: Option<&str>) -> NodeState {
    let of = |function: &str, failing: Option<&str>| FunctionWork {
        algorithm: function.to_owned(),
        network_work: Some(Work(256)),
        failing: failing.map(|reason| NoTemplate {
            since: TimeMs(0),
            reason: reason.to_owned(),
            refused: true,
        }),
    };
    NodeState { functions: vec![of("fixture", None), of("other", failing)], ..NodeState::default() }
}

/// A header that is good for one of the two functions and too easy for the other.
fn fill(share: &mut Share, new: bool, number: u32) {
    share.header[..2].copy_from_slice(if new { &[LOW, GOOD] } else { &[GOOD, LOW] });
    share.header[2..6].copy_from_slice(&number.to_le_bytes());
}

impl World {
    async fn stage_other(&self, panics: u32, wrong: bool) {
        self.work.set(work(None));
        self.doors.stage.ask(StagePackage(Other::package(panics, wrong))).await.unwrap();
    }

    /// Twenty sessions, of which ten said that they can do both, send a share each of the function that they are to work
    /// on. Every one must be accepted. Returns how many worked on the new function.
    async fn mine_both(&mut self) -> usize {
        let sent = self.send_both();
        assert_eq!(self.bench.journalled(20).await.len(), 20);
        let told = self.bench.told(20).await;
        assert!(told.iter().all(|(_, verdict)| *verdict == Verdict::Accepted), "{told:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
        sent
    }

    fn send_both(&mut self) -> usize {
        let in_service = self.routes.in_service().get();
        let table = self.routes.watched().get();
        let both = ["fixture", "other"].map(|name| AlgorithmName::new(name).unwrap());
        let mut moved = 0;
        for session in 0..20 {
            let able = (session % 2 == 0).then_some(&both[..]);
            let functions: &Functions = &in_service.functions;
            let function = functions.assigned(SessionId(session), able, None).unwrap();
            let (_, split) = in_service.work.iter().find(|(name, _)| name == function).unwrap();
            self.tokens += 1;
            let mut share = self.bench.share(self.tokens, GOOD, false);
            fill(&mut share, function.as_str() == "other", self.tokens);
            moved += usize::from(function.as_str() == "other");
            table.validator(split.route(SessionId(session)), 0).unwrap().send(vec![share]);
        }
        moved
    }

    async fn mine_both_until(&mut self, stage: Stage) -> Vec<(Stage, usize)> {
        let mut seen = Vec::new();
        for _ in 0..2_000 {
            let moved = self.mine_both().await;
            let now = self.deployment();
            assert!(!now.stage.is_final() || now.stage == stage, "{now:?}");
            if seen.last().map(|(stage, _)| *stage) != Some(now.stage) {
                seen.push((now.stage, moved));
            }
            if now.stage == stage {
                return seen;
            }
        }
        panic!("{stage:?} never came: {seen:?}")
    }

    /// A share of a job of either function, sent to the generation that the job was pinned to.
    fn send_to(&mut self, route: Route, new: bool) -> u32 {
        self.tokens += 1;
        let mut share = self.bench.share(self.tokens, GOOD, false);
        fill(&mut share, new, self.tokens);
        self.routes.watched().get().validator(route, 0).unwrap().send(vec![share]);
        self.tokens
    }
}

const OLD: Route = Route { slot: SlotId(0), generation: Generation(0) };
const NEW: Route = Route { slot: SlotId(1), generation: Generation(2) };

#[actix_rt::test]
async fn a_migration_moves_who_can_and_each_function_judges_its_own() {
    let mut world = world();
    world.stage_other(0, false).await;
    assert_eq!(world.view.get().staged.as_ref().unwrap().no_work, None);
    assert_eq!(world.deploy(plan()).await.unwrap().kind, RolloutKind::Migration);
    let seen = world.mine_both_until(Stage::Canary(1)).await;
    let stages: Vec<_> = seen.iter().map(|(stage, _)| *stage).collect();
    assert!(stages.ends_with(&[Stage::Shadow, Stage::Canary(0), Stage::Canary(1)]), "{seen:?}");
    let moved = world.mine_both().await;
    assert_eq!(moved, 10, "all who can, and nobody else");
    world.mine_both_until(Stage::Draining).await;
    let in_service = world.routes.in_service().get();
    assert_eq!((in_service.work.len(), in_service.functions.main.as_str()), (1, "other"));
    while world.deployment().stage != Stage::Retired {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let view = world.view.get();
    assert_eq!(view.active.as_ref().unwrap().id(), "other_2.0.0");
    assert_eq!(view.slots.len(), 2, "the old function finishes the shares of its jobs");
    // Each by its own function, after the end too.
    let tokens = [world.send_to(OLD, false), world.send_to(NEW, true)];
    let journalled = world.bench.journalled(2).await;
    assert_eq!(journalled, tokens.map(|token| (token, false)));
    world.bench.told(2).await;
    let low = world.send_to(NEW, false);
    let refused = Verdict::Rejected(RejectReason::LowDifficulty);
    assert_eq!(world.bench.told(1).await, [(low, refused)]);
    // No share of them can come any more.
    tokio::time::sleep(Duration::from_secs(91)).await;
    assert!(world.routes.watched().get().validator(OLD, 0).is_none());
    assert_eq!(world.view.get().slots.len(), 1);
}

#[actix_rt::test]
async fn shares_of_a_dying_new_function_wait_for_its_restart_and_are_judged_by_no_other() {
    let mut world = world();
    // The batch, and the share that it is about: then it is fine again.
    world.stage_other(2, false).await;
    world.deploy(plan()).await.unwrap();
    world.steer_to(Stage::Canary(1)).await;
    assert_eq!(world.send_both(), 10);
    assert_eq!(world.bench.journalled(20).await.len(), 20, "none is lost");
    assert!(world.bench.told(20).await.iter().all(|(_, verdict)| *verdict == Verdict::Accepted));
    world.settle().await;
    let over = world.deployment();
    assert_eq!(over.stage, Stage::RolledBack);
    assert!(matches!(&over.rollback, Some(RollbackReason::SlotFailed(what)) if what.contains("panicked")));
    assert_eq!(world.mine_both().await, 0, "all are back");
    let late = world.send_to(NEW, true);
    assert_eq!(world.bench.journalled(1).await, [(late, false)], "a late share of the new function");
    world.bench.told(1).await;
}

#[actix_rt::test]
async fn a_share_that_never_gets_a_hash_is_lost_with_a_reason_and_not_refused() {
    let mut world = world();
    world.stage_other(u32::MAX, false).await;
    world.deploy(plan()).await.unwrap();
    world.steer_to(Stage::Canary(1)).await;
    world.send_both();
    assert_eq!(world.bench.journalled(10).await.len(), 10, "those of the old function");
    let told = world.bench.told(20).await;
    let lost = told.iter().filter(|(_, verdict)| *verdict == Verdict::Lost(LostReason::SlotGone)).count();
    assert_eq!(lost, 10, "{told:?}");
}

#[actix_rt::test]
async fn what_is_linked_in_has_the_last_word_on_a_new_function() {
    tokio::time::pause();
    let right = Other::package(0, false);
    let mut world = world_with(None, Arc::new(move |function| (function == "other").then(|| right.clone())));
    world.stage_other(0, true).await;
    world.deploy(plan()).await.unwrap();
    // Found in shadow already, by the headers of the old function's shares.
    world.mine_both_until(Stage::RolledBack).await;
    let over = world.deployment();
    let evidence = over.evidence.unwrap();
    assert_eq!((evidence.got, evidence.expected[0]), ([0xff; 32], 0xaa));
    assert_eq!(world.mine_both().await, 0);
}

#[actix_rt::test]
async fn a_node_that_lacks_the_function_is_found_before_and_meanwhile() {
    let mut world = world();
    world.node.lacks("other");
    world.stage_other(0, false).await;
    let why = world.view.get().staged.as_ref().unwrap().no_work.clone().unwrap();
    assert!(why.contains("no work of other") && why.contains("not active"), "{why}");
    let refused = world.deploy(plan()).await.unwrap_err();
    assert!(matches!(&refused, DeployError::NodeLacksFunction { function, .. } if function == "other"));
    assert!(world.store.rows.lock().unwrap().is_empty(), "nothing began");
    world.node.lacks("");
    world.deploy(plan()).await.unwrap();
    world.mine_both_until(Stage::Canary(0)).await;
    world.work.set(work(Some("pow type 101 is not active")));
    world.mine_both_until(Stage::RolledBack).await;
    let reason = RollbackReason::NoWork("pow type 101 is not active".into());
    assert_eq!(world.deployment().rollback, Some(reason));
    assert_eq!(world.mine_both().await, 0);
}

#[actix_rt::test]
async fn without_work_of_it_a_new_function_stays_in_warm_up() {
    let mut world = world();
    world.stage_other(0, false).await;
    world.work.set(NodeState::default());
    world.deploy(plan()).await.unwrap();
    for _ in 0..30 {
        assert_eq!(world.mine_both().await, 0);
    }
    assert_eq!(world.deployment().stage, Stage::Warm);
    world.work.set(work(None));
    world.mine_both_until(Stage::Canary(0)).await;
}

#[actix_rt::test]
async fn the_author_limits_what_it_may_replace() {
    let world = world();
    world.work.set(work(None));
    let package = Package { replaces: Some(vec!["blake2s".into()]), ..Other::package(0, false) };
    world.doors.stage.ask(StagePackage(package)).await.unwrap();
    let refused = world.deploy(plan()).await.unwrap_err();
    assert!(matches!(&refused, DeployError::MayNotReplace { may, .. } if may == "blake2s"), "{refused:?}");
    let deploy = crate::messages::deployment::Deploy {
        plan: plan(),
        confirm: None,
        override_migration_from: true,
        digest: None,
        loaded: None,
        by: "test".into(),
    };
    world.doors.deploy.ask(deploy).await.unwrap().unwrap();
    let trail = world.store.trail.lock().unwrap().clone();
    assert!(trail[0].detail.contains("only blake2s"), "{trail:?}");
}

#[actix_rt::test]
async fn going_back_at_any_stage_and_twice() {
    tokio::time::pause();
    for stage in [Stage::Warm, Stage::Shadow, Stage::Canary(0), Stage::Canary(1), Stage::Draining] {
        let mut world = world_with(None, Arc::new(|_| None));
        world.stage_other(0, false).await;
        if stage == Stage::Warm {
            world.work.set(NodeState::default());
        }
        world.deploy(plan()).await.unwrap();
        world.steer_to(stage).await;
        world.store.away.store(true, Ordering::SeqCst);
        let back = world.steer(Steer::RollBack { reason: "enough".into() }).await.unwrap();
        assert_eq!(back.stage, Stage::RolledBack);
        let again = world.steer(Steer::RollBack { reason: "again".into() }).await;
        assert!(matches!(again, Err(DeployError::Refused(_))), "while it goes back: {again:?}");
        assert_eq!(world.mine_both().await, 0, "{stage:?}");
        if stage > Stage::Shadow {
            let late = world.send_to(NEW, true);
            assert_eq!(world.bench.journalled(1).await, [(late, false)]);
            world.bench.told(1).await;
        }
        world.store.away.store(false, Ordering::SeqCst);
        world.settle().await;
        assert_eq!(world.view.get().active.as_ref().unwrap().id(), "fixture_1.0.0");
        world.deploy(plan()).await.unwrap();
    }
}

impl World {
    /// Goes on without shares, by the operator's word.
    async fn steer_to(&mut self, stage: Stage) {
        for _ in 0..600 {
            let now = self.deployment();
            if now.stage == stage && (now.traffic > BasisPoints::ZERO || stage < Stage::Canary(0)) {
                return;
            }
            if matches!(now.stage, Stage::Shadow | Stage::Canary(_)) {
                // A step that is just being taken refuses.
                let _ = self.steer(Steer::Advance).await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{stage:?} never came: {:?}", self.deployment())
    }

    /// Until the step back is written.
    async fn settle(&self) {
        tokio::time::sleep(Duration::from_secs(8)).await;
    }
}

#[actix_rt::test]
async fn sessions_are_told_to_begin_where_their_function_s_package_says() {
    let mut world = world();
    world.work.set(work(None));
    let package = Package { initial_difficulty: Some(77), ..Other::package(0, false) };
    world.doors.stage.ask(StagePackage(package)).await.unwrap();
    world.deploy(plan()).await.unwrap();
    let starts = |world: &World| {
        let in_service = world.routes.in_service().get();
        ["fixture", "other"].map(|name| in_service.start_of(&AlgorithmName::new(name).unwrap()))
    };
    assert_eq!(starts(&world), [None, None]);
    for stage in [Stage::Canary(0), Stage::Draining, Stage::Retired] {
        while world.deployment().stage != stage {
            if stage == Stage::Retired {
                tokio::time::sleep(Duration::from_millis(100)).await;
            } else {
                world.mine_both_until(stage).await;
            }
        }
        assert_eq!(starts(&world), [None, Some(Difficulty::whole(77))], "{stage:?}");
    }
}
