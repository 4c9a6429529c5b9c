//! The algorithm in force breaks: no share notices, its code is loaded anew, and in the end the last stable one serves.

use std::sync::atomic::AtomicBool;

use pool_domain::{isolation::Level, rollout::Stage};

use super::{
    rollout::{World, plan, world_of},
    trial::{Fault, faulty},
    *,
};
use crate::{
    messages::{deployment::StagePackage, event::PoolEvent},
    ports::{
        deployments::{DeployPlan, Strategy},
        packages::{Package, PackageError, PackageRef, PackageShelf, PackageSource, StageWish},
    },
};

/// Loads the same sick code again and again.
struct Shelf(Arc<AtomicBool>);

fn package(sick: &Arc<AtomicBool>) -> Package {
    let mut package = Package::linked_in(faulty(Fault::Sick(Arc::clone(sick))));
    package.reference.source = PackageSource::Package { digest: "d".to_owned() };
    package
}

impl PackageShelf for Shelf {
    fn stage(&self, _: Vec<u8>, _: &StageWish, _: &dyn Fn(&str)) -> Result<Package, PackageError> {
        Ok(package(&self.0))
    }

    fn load(&self, _: &PackageRef, _: Level) -> Result<Package, PackageError> {
        Ok(package(&self.0))
    }
}

impl World {
    fn actions(&self) -> Vec<String> {
        let trail = self.store.trail.lock().unwrap();
        trail.iter().filter(|line| line.by == "pool").map(|line| line.action.clone()).collect()
    }

    fn version(&self) -> String {
        self.view.get().active.as_ref().unwrap().version.clone()
    }
}

#[actix_rt::test]
async fn sick_code_in_force_is_loaded_anew_and_then_replaced_by_the_last_stable_one() {
    tokio::time::pause();
    let sick = Arc::new(AtomicBool::new(false));
    let mut world = world_of(Some(Arc::new(Shelf(Arc::clone(&sick)))));
    world.doors.stage.ask(StagePackage(package(&sick))).await.unwrap();
    let at_once = DeployPlan { strategy: Strategy::Immediate, shadow_ms: 0, phase_ms: 0, ..plan() };
    world.deploy(at_once).await.unwrap();
    world.mine_until(Stage::Retired).await;
    assert_eq!(world.version(), "1.0.1");
    sick.store(true, Ordering::SeqCst);
    // Every share is accepted all the same: `mine` looks.
    let mut rounds = 0;
    while world.version() == "1.0.1" {
        rounds += 1;
        assert!(rounds < 1_000, "it never fell back: {:?}", world.actions());
        world.mine().await;
    }
    assert_eq!(world.version(), "1.0.0");
    world.mine().await;
    let actions = world.actions();
    assert!(actions.ends_with(&["reloaded", "reloaded", "fell_back"].map(str::to_owned)), "{actions:?}");
    // A restart puts the same in force.
    let rows = world.store.rows.lock().unwrap();
    let last = rows.values().next_back().unwrap();
    assert_eq!((last.rollout.stage(), &*last.package.version, &*last.by), (Stage::Retired, "1.0.0", "pool"));
    let alerts =
        std::iter::from_fn(|| world.events.try_recv().ok()).filter_map(|publish| match publish.event {
            PoolEvent::Alert(trouble) => Some(trouble.code.as_str()),
            _ => None,
        });
    let alerts: Vec<_> = alerts.collect();
    assert_eq!(alerts, ["ACTIVE_ALGORITHM_FAILED"; 3]);
}

#[actix_rt::test]
async fn code_that_recovers_by_being_loaded_anew_stays() {
    tokio::time::pause();
    let sick = Arc::new(AtomicBool::new(false));
    let mut world = world_of(Some(Arc::new(Shelf(Arc::default()))));
    world.doors.stage.ask(StagePackage(package(&sick))).await.unwrap();
    let at_once = DeployPlan { strategy: Strategy::Immediate, shadow_ms: 0, phase_ms: 0, ..plan() };
    world.deploy(at_once).await.unwrap();
    world.mine_until(Stage::Retired).await;
    sick.store(true, Ordering::SeqCst);
    for _ in 0..200 {
        world.mine().await;
    }
    let actions = world.actions();
    assert_eq!(actions.iter().filter(|action| *action == "reloaded").count(), 1, "{actions:?}");
    assert_eq!((world.version(), actions.last().unwrap().as_str()), ("1.0.1".to_owned(), "reloaded"));
}
