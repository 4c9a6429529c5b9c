use std::string::{String, ToString};
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

fn order(stage: Stage) -> usize {
    match stage {
        Stage::Staged => 0,
        Stage::Warm => 1,
        Stage::Shadow => 2,
        Stage::Canary(step) => 3 + usize::from(step),
        Stage::Draining => 100,
        Stage::Retired => 101,
        Stage::RolledBack => 200,
    }
}

fn rollout() -> Rollout {
    Rollout::new(RolloutKind::Upgrade, Plan::default())
}

#[test]
fn the_happy_way_visits_every_step() {
    let mut rollout = rollout();
    let mut shares = Vec::new();
    let mut names = Vec::new();
    while !rollout.stage().is_final() {
        shares.push(rollout.candidate_share().0);
        names.push(rollout.stage().to_string());
        let stage = rollout.stage();
        assert_eq!(rollout.apply(Event::Passed(stage)).unwrap().from, stage);
    }
    assert_eq!(rollout.stage(), Stage::Retired);
    assert_eq!(shares, [0, 0, 0, 500, 1_000, 2_500, 5_000, 7_500, 10_000, 10_000]);
    assert_eq!(names[..4], ["staged", "warm", "shadow", "canary step 1"]);
    assert_eq!(rollout.candidate_share(), BasisPoints::ALL);
    assert_eq!(rollout.apply(Event::RollBack("late".into())), Err(RolloutError::Over(Stage::Retired)));
}

#[test]
fn late_evidence_does_not_count_twice() {
    let mut rollout = rollout();
    rollout.apply(Event::Passed(Stage::Staged)).unwrap();
    assert_eq!(
        rollout.apply(Event::Passed(Stage::Staged)),
        Err(RolloutError::WrongStage { about: Stage::Staged, at: Stage::Warm })
    );
    let reason = RollbackReason::Unhealthy("rejects 9%".into());
    assert!(rollout.apply(Event::Failed(Stage::Shadow, reason)).is_err());
    assert_eq!(rollout.stage(), Stage::Warm);
}

#[test]
fn pause_holds_forward_moves_only() {
    let mut rollout = rollout();
    rollout.apply(Event::Pause).unwrap();
    assert!(rollout.is_paused());
    assert_eq!(rollout.apply(Event::Pause), Err(RolloutError::Paused));
    assert_eq!(rollout.apply(Event::Passed(Stage::Staged)), Err(RolloutError::Paused));
    rollout.apply(Event::Resume).unwrap();
    assert_eq!(rollout.apply(Event::Resume), Err(RolloutError::NotPaused));
    rollout.apply(Event::Passed(Stage::Staged)).unwrap();
    rollout.apply(Event::Pause).unwrap();
    let reason = RollbackReason::SlotFailed("trap".into());
    rollout.apply(Event::Failed(Stage::Warm, reason.clone())).unwrap();
    assert_eq!(rollout.stage(), Stage::RolledBack);
    assert_eq!(rollout.rollback_reason(), Some(&reason));
    assert_eq!(rollout.candidate_share(), BasisPoints::ZERO);
}

#[test]
fn operators_may_shorten_waits_but_not_proofs() {
    let mut rollout = rollout();
    assert_eq!(rollout.apply(Event::Advance(Stage::Staged)), Err(RolloutError::NeedsEvidence(Stage::Staged)));
    rollout.apply(Event::Passed(Stage::Staged)).unwrap();
    rollout.apply(Event::Passed(Stage::Warm)).unwrap();
    assert_eq!(rollout.shadow_share(), BasisPoints::percent(1));
    rollout.apply(Event::Advance(Stage::Shadow)).unwrap();
    assert_eq!(rollout.stage(), Stage::Canary(0));
    assert_eq!(rollout.shadow_share(), BasisPoints::ZERO);
}

#[test]
fn plans_rise_to_all() {
    let plan = |steps: &[u32]| Plan::new(BasisPoints(100), steps.iter().copied().map(BasisPoints).collect());
    assert_eq!(plan(&[10_000]).unwrap().steps(), [BasisPoints::ALL]);
    for steps in [&[][..], &[500], &[500, 500, 10_000], &[900, 500, 10_000], &[0, 10_000], &[500, 10_001]] {
        assert_eq!(plan(steps), Err(RolloutError::Plan), "{steps:?}");
    }
    assert!(serde_json::from_str::<Plan>(r#"{"shadow_share":0,"steps":[5]}"#).is_err());
    let json = serde_json::to_string(&Plan::default()).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), Plan::default());
}

#[test]
fn a_rollout_survives_a_restart() {
    let mut rollout = rollout();
    rollout.apply(Event::Passed(Stage::Staged)).unwrap();
    rollout.apply(Event::Pause).unwrap();
    let json = serde_json::to_string(&rollout).unwrap();
    assert_eq!(serde_json::from_str::<Rollout>(&json).unwrap(), rollout);
}

fn stages() -> impl Strategy<Value = Stage> {
    prop_oneof![
        Just(Stage::Staged),
        Just(Stage::Warm),
        Just(Stage::Shadow),
        (0u8..8).prop_map(Stage::Canary),
        Just(Stage::Draining),
        Just(Stage::Retired),
        Just(Stage::RolledBack),
    ]
}

/// `true` stands for "the stage where the roll-out is".
fn events() -> impl Strategy<Value = (Event, bool)> {
    let reason = || RollbackReason::Unhealthy(String::new());
    let event = prop_oneof![
        8 => stages().prop_map(Event::Passed),
        1 => stages().prop_map(move |stage| Event::Failed(stage, reason())),
        2 => Just(Event::Pause),
        4 => Just(Event::Resume),
        2 => stages().prop_map(Event::Advance),
    ];
    (event, prop::bool::weighted(0.8))
}

proptest! {
    #[test]
    fn no_sequence_of_events_skips_a_step(events in prop::collection::vec(events(), 0..60)) {
        let mut rollout = rollout();
        for (event, here) in events {
            let before = rollout.clone();
            let event = match event {
                Event::Passed(_) if here => Event::Passed(before.stage()),
                Event::Advance(_) if here => Event::Advance(before.stage()),
                other => other,
            };
            match rollout.apply(event) {
                Err(_) => prop_assert_eq!(&rollout, &before),
                Ok(transition) => {
                    prop_assert_eq!(transition, Transition { from: before.stage(), to: rollout.stage() });
                    let (from, to) = (order(before.stage()), order(rollout.stage()));
                    let next = to == from || to == from + 1 || (from == 8 && to == 100) || to == 200;
                    prop_assert!(next, "{from} to {to}");
                    if to != 200 {
                        prop_assert!(rollout.candidate_share() >= before.candidate_share());
                    }
                    prop_assert!(!(before.is_paused() && to != from && to != 200));
                }
            }
        }
    }

    #[test]
    fn every_stage_before_the_end_can_go_back(steps in 0usize..10) {
        let mut rollout = rollout();
        for _ in 0..steps {
            let stage = rollout.stage();
            rollout.apply(Event::Passed(stage)).unwrap();
        }
        rollout.apply(Event::RollBack("operator".into())).unwrap();
        prop_assert_eq!(rollout.stage(), Stage::RolledBack);
        prop_assert!(rollout.rollback_reason().is_some());
    }
}
