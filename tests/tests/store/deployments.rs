//! What every store of deployments must do.

use std::sync::Arc;

use pool_actors::ports::{
    deployments::{DeployPlan, DeploymentRow, SharedDeployments, Strategy, TrailLine},
    packages::{PackageRef, PackageSource},
};
use pool_domain::{
    isolation::Level,
    rollout::{Event, Plan, Rollout, RolloutKind, Stage},
    units::{BasisPoints, TimeMs},
};

fn row(id: u64, revision: u64, rollout: Rollout) -> DeploymentRow {
    let package = PackageRef {
        name: "blake2s".into(),
        version: "1.0.1".into(),
        hash_function: "blake2s".into(),
        source: PackageSource::Package { digest: "ab".repeat(32) },
    };
    let replaces = PackageRef { version: "1.0.0".into(), source: PackageSource::LinkedIn, ..package.clone() };
    let plan = DeployPlan {
        strategy: Strategy::Gradual,
        shadow_ms: 300_000,
        phase_ms: 600_000,
        shadow_share: BasisPoints(100),
        steps: vec![BasisPoints(500), BasisPoints::ALL],
        at: None,
        rollback_on_error: true,
        notify: vec!["ops".to_owned()],
        isolation: Level::Process,
    };
    DeploymentRow {
        id,
        revision,
        package,
        replaces,
        generation: 1 + u32::try_from(id).unwrap(),
        plan,
        rollout,
        created_at: TimeMs(5),
        updated_at: TimeMs(5 + revision),
        by: "operator".into(),
    }
}

fn line(action: &str) -> TrailLine {
    TrailLine {
        at: TimeMs(9),
        action: action.into(),
        stage: "warm".into(),
        traffic: BasisPoints::ZERO,
        by: "operator".into(),
        detail: "a detail".into(),
    }
}

pub(crate) async fn an_older_revision_replaces_nothing_and_the_trail_keeps_all(store: SharedDeployments) {
    let mut rollout = Rollout::new(RolloutKind::Upgrade, Plan::default());
    let staged = row(1, 1, rollout.clone());
    rollout.apply(Event::Passed(Stage::Staged)).unwrap();
    let warm = row(1, 2, rollout.clone());
    let second = row(2, 1, rollout.clone());
    rollout.apply(Event::RollBack("enough".into())).unwrap();
    let back = row(1, 3, rollout);
    store.record(staged, line("deployed")).await.unwrap();
    store.record(back.clone(), line("rolled_back")).await.unwrap();
    store.record(warm, line("step")).await.unwrap();
    assert_eq!(store.deployments(None, 10).await.unwrap(), std::slice::from_ref(&back));
    assert_eq!(store.deployments(Some(1), 10).await.unwrap(), []);
    let trail = store.trail(1).await.unwrap();
    assert_eq!(trail, [line("deployed"), line("rolled_back"), line("step")]);
    store.record(second.clone(), line("deployed")).await.unwrap();
    assert_eq!(store.deployments(None, 10).await.unwrap(), [second.clone(), back]);
    assert_eq!(store.deployments(None, 1).await.unwrap(), [second]);
    assert_eq!(store.trail(2).await.unwrap().len(), 1);
    assert_eq!(Arc::clone(&store).trail(3).await.unwrap(), []);
}
