//! The shelf keeps what can be loaded again, and lets go of the rest.

use std::{collections::BTreeSet, sync::Mutex};

use pool_domain::{isolation::Level, rollout::Stage};

use super::{
    rollout::{World, plan, world_of},
    trial::{Fault, faulty},
    *,
};
use crate::{
    messages::deployment::StagePackage,
    ports::{
        deployments::{DeployPlan, Strategy},
        packages::{Package, PackageError, PackageRef, PackageShelf, PackageSource, StageWish},
    },
};

/// Remembers what it was to keep the last time.
#[derive(Default)]
struct Shelf(Mutex<Option<BTreeSet<String>>>);

impl PackageShelf for Shelf {
    fn stage(&self, _: Vec<u8>, _: &StageWish, _: &dyn Fn(&str)) -> Result<Package, PackageError> {
        Ok(package(0, Fault::None))
    }

    fn load(&self, _: &PackageRef, _: Level) -> Result<Package, PackageError> {
        Ok(package(0, Fault::None))
    }

    fn prune(&self, needed: &[PackageRef]) {
        let digests = needed.iter().filter_map(|package| match &package.source {
            PackageSource::Package { digest } => Some(digest.clone()),
            PackageSource::LinkedIn => None,
        });
        *self.0.lock().unwrap() = Some(digests.collect());
    }
}

fn package(number: u32, fault: Fault) -> Package {
    let mut package = Package::linked_in(faulty(fault));
    package.reference.source = PackageSource::Package { digest: number.to_string() };
    package
}

impl World {
    async fn swap_to(&mut self, number: u32, fault: Fault) {
        let over = if matches!(fault, Fault::None) { Stage::Retired } else { Stage::RolledBack };
        self.doors.stage.ask(StagePackage(package(number, fault))).await.unwrap();
        let at_once = DeployPlan { strategy: Strategy::Immediate, shadow_ms: 0, phase_ms: 0, ..plan() };
        self.deploy(at_once).await.unwrap();
        self.mine_until(over).await;
    }
}

#[actix_rt::test]
async fn what_the_history_can_need_stays_and_nothing_goes_without_it() {
    tokio::time::pause();
    let shelf = Arc::new(Shelf::default());
    let kept = |shelf: &Shelf| shelf.0.lock().unwrap().take();
    let numbers = |of: &[u32]| Some(of.iter().map(u32::to_string).collect::<BTreeSet<_>>());
    let mut world = world_of(Some(Arc::clone(&shelf) as _));
    for number in 1..=13 {
        world.swap_to(number, Fault::None).await;
    }
    // 4 to 13 are of the last ten deployments, the first of which replaced 3; 14 is staged only.
    world.doors.stage.ask(StagePackage(package(14, Fault::None))).await.unwrap();
    world.mine().await;
    assert_eq!(kept(&shelf), numbers(&[3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]));
    // What is in force, and what it replaced, stay however many others fail after it.
    for number in 20..=32 {
        world.swap_to(number, Fault::Wrong).await;
    }
    world.doors.stage.ask(StagePackage(package(40, Fault::None))).await.unwrap();
    world.mine().await;
    assert_eq!(kept(&shelf), numbers(&[12, 13, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 40]));
    world.store.away.store(true, Ordering::SeqCst);
    world.doors.stage.ask(StagePackage(package(41, Fault::None))).await.unwrap();
    world.mine().await;
    assert_eq!(kept(&shelf), None, "nobody knows what the history refers to");
}
