//! Many swaps in a row: what a generation was leaves with it.

use std::sync::Weak;

use pool_domain::{rollout::Stage, units::TimeMs};

use super::{
    migration::{Other, work},
    rollout::{World, plan, world},
    trial::{self, Fault},
    *,
};
use crate::{
    messages::deployment::StagePackage,
    ports::{
        deployments::{DeployPlan, Strategy},
        packages::Package,
    },
};

/// Upgrade, migration, upgrade, migration back...
fn package(swap: u64) -> Package {
    if swap.div_ceil(2).is_multiple_of(2) {
        Package::linked_in(trial::faulty(Fault::None))
    } else {
        Other::package(0, false)
    }
}

fn strategy(swap: u64) -> DeployPlan {
    match swap % 3 {
        0 => DeployPlan { strategy: Strategy::Immediate, shadow_ms: 0, ..plan() },
        1 => plan(),
        _ => DeployPlan { strategy: Strategy::Scheduled, at: Some(TimeMs(0)), ..plan() },
    }
}

impl World {
    /// Kinds and lives of the registered actors, without their numbers.
    fn actors(&self) -> Vec<String> {
        let list = self.bench.runtime.registry.list();
        let mut kinds: Vec<_> = list.iter().map(|actor| format!("{} {:?}", actor.kind, actor.life)).collect();
        kinds.sort();
        kinds
    }
}

#[actix_rt::test]
async fn a_hundred_swaps_leave_nothing_behind() {
    let world = world();
    world.work.set(work(None));
    let before = world.actors();
    let mut code: Vec<Weak<dyn PowAlgorithm>> = Vec::new();
    for swap in 0..100 {
        let package = package(swap);
        code.push(Arc::downgrade(&package.algorithm));
        world.doors.stage.ask(StagePackage(package)).await.unwrap();
        world.deploy(strategy(swap)).await.unwrap();
        let over = async {
            while world.deployment().stage != Stage::Retired {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(120), over).await.expect("it completes");
    }
    // Shares of old jobs may come for ten minutes.
    tokio::time::sleep(Duration::from_secs(700)).await;
    assert_eq!(world.actors(), before);
    let alive: Vec<_> = (0..100).filter(|swap| code[*swap].strong_count() > 0).collect();
    assert_eq!(alive, [99], "only the code in force is held by anybody");
    assert_eq!(world.view.get().slots.len(), 1);
}
