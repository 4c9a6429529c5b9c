//! What may happen, at random.

use super::*;

#[derive(Debug, Clone)]
pub(super) enum Op {
    Share {
        who: usize,
        algorithm: usize,
        work: u128,
    },
    Win {
        who: usize,
        algorithm: usize,
        work: u128,
        network_work: u128,
        order: Order,
    },
    Deliver,
    Verdict {
        which: usize,
        accepted: bool,
    },
    Observe {
        which: usize,
        color: Color,
        reward: Option<i128>,
        income: Option<i128>,
        mature: bool,
    },
    Pause(u64),
    Expect {
        algorithm: usize,
        work: u128,
    },
    /// The node tells another colour and reward of up to so many blocks at once.
    Reorganise {
        depth: usize,
        color: Color,
        reward: Option<i128>,
    },
    /// The clock steps back.
    ClockBack(u64),
    /// An account's own threshold, or none any more.
    Threshold {
        who: usize,
        amount: Option<i128>,
    },
    /// Payouts are planned and reserved.
    Pay {
        threshold: i128,
        recipients_max: usize,
    },
    /// A payout under way is confirmed, or impossible.
    Ends {
        which: usize,
        settled: bool,
        fee: i128,
    },
    /// The database goes away; the commit that was under way arrives all the same, or does not.
    Away {
        arrives: bool,
    },
    /// It is back.
    Back,
    Crash,
    Restart,
    /// A restart with another configuration.
    Reconfigure {
        fee: u32,
        factor: u32,
    },
    Take,
    Cut,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Order {
    ShareFirst,
    CandidateFirst,
    ShareLost,
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    let share = (0_usize..5, 0_usize..2, 1_u128..60);
    let color = prop_oneof![Just(Color::Unknown), Just(Color::Blue), Just(Color::Blue), Just(Color::Red)];
    let order = prop_oneof![Just(Order::ShareFirst), Just(Order::CandidateFirst), Just(Order::ShareLost)];
    let reward =
        proptest::option::weighted(0.8, prop_oneof![0..9_i128, 0..3_000_000_000_000_000_000_001_i128]);
    let reorganise = (1_usize..=20, color.clone(), reward.clone());
    prop_oneof![
        1 => reorganise.prop_map(|(depth, color, reward)| Op::Reorganise { depth, color, reward }),
        1 => (0_u32..300, 1_000_u32..40_000).prop_map(|(fee, factor)| Op::Reconfigure { fee, factor }),
        12 => share.clone().prop_map(|(who, algorithm, work)| Op::Share { who, algorithm, work }),
        4 => (share, 1_u128..400, order).prop_map(|((who, algorithm, work), network_work, order)| Op::Win {
            who, algorithm, work, network_work, order
        }),
        4 => Just(Op::Deliver),
        3 => (any::<usize>(), prop::bool::weighted(0.9)).prop_map(|(which, accepted)| Op::Verdict { which, accepted }),
        8 => (any::<usize>(), color, reward.clone(), reward, prop::bool::weighted(0.3)).prop_map(
            |(which, color, reward, income, mature)| Op::Observe { which, color, reward, income, mature }
        ),
        1 => (0_u64..15_000).prop_map(Op::Pause),
        1 => (RETIRED_MS - 1_000..RETIRED_MS + 1_000).prop_map(Op::Pause),
        1 => (0_usize..2, 1_u128..400).prop_map(|(algorithm, work)| Op::Expect { algorithm, work }),
        1 => (0_u64..20_000).prop_map(Op::ClockBack),
        1 => (0_usize..5, proptest::option::of(0_i128..2_000)).prop_map(|(who, amount)| Op::Threshold { who, amount }),
        3 => (0_i128..500, 1_usize..4).prop_map(|(threshold, recipients_max)| Op::Pay { threshold, recipients_max }),
        3 => (any::<usize>(), any::<bool>(), 0_i128..9).prop_map(|(which, settled, fee)| Op::Ends { which, settled, fee }),
        1 => any::<bool>().prop_map(|arrives| Op::Away { arrives }),
        2 => Just(Op::Back),
        1 => Just(Op::Crash),
        2 => Just(Op::Restart),
        2 => Just(Op::Take),
        2 => Just(Op::Cut),
    ]
}

pub(super) fn account(who: usize) -> Account {
    Account::new(&format!("miner{who}")).unwrap()
}

pub(super) fn algorithm(which: usize) -> AlgorithmName {
    AlgorithmName::new(["blake2s", "scrypt"][which]).unwrap()
}

pub(super) fn hash(number: u64) -> BlockHash {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    BlockHash(bytes)
}
