use proptest::prelude::*;

use super::*;

fn colored(color: Color, reward: Option<i128>) -> BlockEvent {
    BlockEvent::Colored { color, reward: reward.map(Amount) }
}

fn accepted() -> BlockLife {
    let mut life = BlockLife::new();
    life.apply(BlockEvent::Submitted).unwrap();
    life.apply(BlockEvent::Accepted).unwrap();
    life
}

#[test]
fn a_blue_block_is_paid() {
    let mut life = accepted();
    assert_eq!(life.apply(colored(Color::Unknown, None)).unwrap(), []);
    assert_eq!(life.apply(colored(Color::Blue, None)).unwrap(), [], "no reward is known yet");
    assert_eq!(life.apply(BlockEvent::Matured), Err(MaturityError::RewardUnknown));
    let credit = LedgerStep::Credit { revision: 1, reward: Amount(50) };
    assert_eq!(life.apply(colored(Color::Blue, Some(50))).unwrap(), [credit]);
    assert_eq!(life.apply(colored(Color::Blue, Some(50))).unwrap(), [], "told twice");
    assert_eq!(life.apply(colored(Color::Blue, None)).unwrap(), [], "still known");
    assert_eq!(life.apply(BlockEvent::Matured).unwrap(), [LedgerStep::Post { revision: 1 }]);
    assert_eq!(life.apply(BlockEvent::Matured).unwrap(), []);
    assert_eq!(life.apply(colored(Color::Blue, Some(50))).unwrap(), []);
    assert_eq!(life.apply(colored(Color::Red, None)), Err(MaturityError::ChangedAfterMaturity));
    assert_eq!(life.apply(colored(Color::Blue, Some(51))), Err(MaturityError::ChangedAfterMaturity));
    life.apply(BlockEvent::Closed).unwrap();
    assert_eq!(
        (life.stage(), life.color(), life.reward()),
        (BlockStatus::Paid, Color::Blue, Some(Amount(50)))
    );
    let json = serde_json::to_string(&life).unwrap();
    assert_eq!(serde_json::from_str::<BlockLife>(&json).unwrap(), life);
}

#[test]
fn colour_flips_are_followed_by_compensation() {
    let mut life = accepted();
    life.apply(colored(Color::Blue, Some(50))).unwrap();
    assert_eq!(life.apply(colored(Color::Unknown, None)).unwrap(), [], "unknown is no verdict");
    assert_eq!(life.apply(colored(Color::Red, None)).unwrap(), [LedgerStep::Void { revision: 1 }]);
    assert_eq!(life.apply(colored(Color::Red, None)).unwrap(), []);
    assert_eq!(life.apply(colored(Color::Unknown, None)).unwrap(), []);
    assert_eq!(
        life.apply(colored(Color::Blue, Some(60))).unwrap(),
        [LedgerStep::Credit { revision: 2, reward: Amount(60) }]
    );
    assert_eq!(
        life.apply(colored(Color::Blue, Some(70))).unwrap(),
        [LedgerStep::Void { revision: 2 }, LedgerStep::Credit { revision: 3, reward: Amount(70) }]
    );
    life.apply(colored(Color::Red, None)).unwrap();
    assert_eq!(life.apply(BlockEvent::Matured).unwrap(), [], "everything is voided already");
    life.apply(BlockEvent::Closed).unwrap();
    assert_eq!(life.stage(), BlockStatus::Void);
    assert_eq!(life.reward(), None);
}

#[test]
fn rejections_keep_the_nodes_words() {
    let mut life = BlockLife::new();
    assert_eq!(
        life.apply(BlockEvent::Accepted),
        Err(MaturityError::Stage { stage: BlockStatus::Candidate, wanted: BlockStatus::Accepted })
    );
    life.apply(BlockEvent::Submitted).unwrap();
    life.apply(BlockEvent::Submitted).unwrap();
    life.apply(BlockEvent::Rejected("overdue".into())).unwrap();
    life.apply(BlockEvent::Rejected("again".into())).unwrap();
    assert_eq!(life.reject_reason(), Some("overdue"));
    assert!(life.stage().is_final());
    for event in
        [BlockEvent::Accepted, BlockEvent::Matured, BlockEvent::Closed, colored(Color::Blue, Some(1))]
    {
        assert!(matches!(life.apply(event), Err(MaturityError::Stage { .. })));
    }
}

#[test]
fn what_can_not_mature() {
    let mut life = accepted();
    assert_eq!(life.apply(BlockEvent::Matured), Err(MaturityError::ColorUnknown));
    assert_eq!(life.apply(colored(Color::Blue, Some(-1))), Err(MaturityError::NegativeReward(Amount(-1))));
    // A blue block without any reward matures, and there is nothing to post.
    assert_eq!(life.apply(colored(Color::Blue, Some(0))).unwrap(), []);
    assert_eq!(life.apply(BlockEvent::Matured).unwrap(), []);
    life.apply(BlockEvent::Closed).unwrap();
    assert_eq!(life.stage(), BlockStatus::Paid);
}

#[test]
fn labels_are_the_serialised_names() {
    for color in [Color::Unknown, Color::Blue, Color::Red] {
        assert_eq!(serde_json::to_string(&color).unwrap(), std::format!("\"{color}\""));
    }
    for stage in [
        BlockStatus::Candidate,
        BlockStatus::Submitted,
        BlockStatus::Accepted,
        BlockStatus::Rejected,
        BlockStatus::Matured,
        BlockStatus::Paid,
        BlockStatus::Void,
    ] {
        assert_eq!(serde_json::to_string(&stage).unwrap(), std::format!("\"{stage}\""));
    }
}

fn events() -> impl Strategy<Value = BlockEvent> {
    let color = prop::sample::select(&[Color::Unknown, Color::Blue, Color::Red][..]);
    prop_oneof![
        1 => Just(BlockEvent::Submitted),
        1 => Just(BlockEvent::Accepted),
        1 => Just(BlockEvent::Rejected("no".into())),
        8 => (color, prop::option::of(0i128..3)).prop_map(|(color, reward)| colored(color, reward)),
        1 => Just(BlockEvent::Matured),
        1 => Just(BlockEvent::Closed),
    ]
}

proptest! {
    /// Credits never overlap, and what remains at the end is what the stage says.
    #[test]
    fn the_ledger_follows_every_flip(events in prop::collection::vec(events(), 0..60)) {
        let mut life = accepted();
        let mut pending = None;
        let mut posted = None;
        let mut last_revision = 0;
        for event in events {
            let before = life.clone();
            match life.apply(event) {
                Err(_) => prop_assert_eq!(&life, &before),
                Ok(steps) => for step in steps {
                    match step {
                        LedgerStep::Credit { revision, reward } => {
                            prop_assert_eq!((pending, revision), (None, last_revision + 1));
                            last_revision = revision;
                            pending = Some((revision, reward));
                        }
                        LedgerStep::Void { revision } => {
                            prop_assert_eq!(pending.take().map(|(known, _)| known), Some(revision));
                            prop_assert_eq!(posted, None);
                        }
                        LedgerStep::Post { revision } => {
                            let (known, reward) = pending.take().unwrap();
                            prop_assert_eq!(known, revision);
                            posted = Some(reward);
                        }
                    }
                },
            }
            let paid = posted.is_some() || (life.reward() == Some(Amount(0)) && pending.is_none());
            match life.stage() {
                BlockStatus::Paid => prop_assert!(paid && pending.is_none()),
                BlockStatus::Void => prop_assert!(posted.is_none() && pending.is_none()),
                _ => {}
            }
            if life.color() == Color::Red {
                prop_assert_eq!(pending, None);
            }
        }
    }
}
