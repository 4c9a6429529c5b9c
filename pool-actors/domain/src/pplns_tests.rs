use std::collections::BTreeMap;
use std::format;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::share_list::Shape;

fn account(name: impl core::fmt::Display) -> Account {
    Account::new(&format!("{name}")).unwrap()
}

fn window(shares: &[(u64, &str, u128)]) -> ShareWindow {
    let mut window = ShareWindow::new();
    for (seq, name, work) in shares {
        window.push(ShareSeq(*seq), &account(name), Work(*work)).unwrap();
    }
    window
}

fn block(winning: u64, network_work: u128, previous: u64) -> BlockFound {
    BlockFound {
        winning: ShareSeq(winning),
        network_work: Work(network_work),
        previous_winning: ShareSeq(previous),
    }
}

fn weights(snapshot: &WindowSnapshot) -> Vec<(&str, u128)> {
    snapshot.weights.iter().map(|(account, work)| (account.as_str(), work.0)).collect()
}

const TWICE: Scheme = Scheme::Pplns { factor: BasisPoints(20_000) };

#[test]
fn the_edge_share_counts_in_part() {
    let mut window = window(&[(1, "a", 10), (3, "b", 10), (4, "a", 10), (9, "c", 10)]);
    let snapshot = TWICE.weigh(&mut window, &block(9, 13, 0)).unwrap();
    assert_eq!(weights(&snapshot), [("a", 10), ("b", 6), ("c", 10)]);
    assert_eq!((snapshot.first, snapshot.first_counted, snapshot.total), (ShareSeq(3), Work(6), Work(26)));
    // A sibling found earlier, then one found later again.
    let earlier = TWICE.weigh(&mut window, &block(3, 13, 0)).unwrap();
    assert_eq!(weights(&earlier), [("a", 10), ("b", 10)]);
    assert_eq!(TWICE.weigh(&mut window, &block(9, 13, 0)).unwrap(), snapshot);
    // The winning share alone is more than the window.
    assert_eq!(weights(&TWICE.weigh(&mut window, &block(4, 2, 0)).unwrap()), [("a", 4)]);
}

#[test]
fn prop_pays_the_round_and_solo_the_winner() {
    let mut window = window(&[(1, "a", 10), (2, "b", 10), (3, "a", 20), (4, "c", 5)]);
    assert_eq!(weights(&Scheme::Prop.weigh(&mut window, &block(3, 1, 1)).unwrap()), [("a", 20), ("b", 10)]);
    assert_eq!(weights(&Scheme::Prop.weigh(&mut window, &block(4, 1, 3)).unwrap()), [("c", 5)]);
    assert_eq!(
        weights(&Scheme::Prop.weigh(&mut window, &block(4, 1, 0)).unwrap()),
        [("a", 30), ("b", 10), ("c", 5)]
    );
    assert_eq!(weights(&Scheme::Solo.weigh(&mut window, &block(2, 1, 0)).unwrap()), [("b", 10)]);
    assert_eq!(Scheme::Prop.weigh(&mut window, &block(2, 1, 2)), Err(WindowError::UnknownShare(ShareSeq(2))));
    assert_eq!(Scheme::Solo.weigh(&mut window, &block(7, 1, 0)), Err(WindowError::UnknownShare(ShareSeq(7))));
}

#[test]
fn dropped_shares_are_never_silently_missing() {
    let mut window = window(&[(1, "a", 10), (2, "b", 10), (3, "a", 10), (4, "c", 10)]);
    window.prune_to_work(Work(20));
    assert_eq!((window.len(), window.is_empty()), (2, false));
    assert_eq!(weights(&TWICE.weigh(&mut window, &block(4, 10, 0)).unwrap()), [("a", 10), ("c", 10)]);
    let truncated = WindowError::Truncated { winning: ShareSeq(4), dropped_through: ShareSeq(2) };
    assert_eq!(TWICE.weigh(&mut window, &block(4, 11, 0)), Err(truncated));
    assert_eq!(Scheme::Prop.weigh(&mut window, &block(4, 1, 1)), Err(truncated));
    assert_eq!(weights(&Scheme::Prop.weigh(&mut window, &block(4, 1, 2)).unwrap()), [("a", 10), ("c", 10)]);
    window.prune_through(ShareSeq(9));
    assert!(window.is_empty());
    assert_eq!(window.newest(), ShareSeq(4));
    assert!(window.push(ShareSeq(4), &account("a"), Work(1)).is_err());
    window.push(ShareSeq(5), &account("d"), Work(1)).unwrap();
    assert_eq!(weights(&Scheme::Solo.weigh(&mut window, &block(5, 1, 0)).unwrap()), [("d", 1)]);
}

#[test]
fn what_can_not_be_pushed() {
    let mut window = window(&[(5, "a", 10)]);
    assert_eq!(
        window.push(ShareSeq(5), &account("a"), Work(1)),
        Err(WindowError::NotRising { got: ShareSeq(5), newest: ShareSeq(5) })
    );
    assert_eq!(window.push(ShareSeq(6), &account("a"), Work(u128::MAX)), Err(WindowError::Overflow));
    assert_eq!(window.len(), 1);
}

#[test]
fn damaged_states_are_refused() {
    let good = window(&[(5, "a", 10), (6, "b", 3)]).state();
    let json = serde_json::to_string(&good).unwrap();
    assert_eq!(serde_json::from_str::<WindowState>(&json).unwrap(), good);
    for share in [(ShareSeq(7), 9, 0), (ShareSeq(7), 0, 9), (ShareSeq(6), 0, 0)] {
        let mut bad = good.clone();
        bad.shares.push(share);
        assert_eq!(ShareWindow::from_state(&bad).unwrap_err(), WindowError::Damaged);
    }
}

#[test]
fn window_work_is_a_wide_product() {
    assert_eq!(window_work(BasisPoints(20_000), Work(5)), Work(10));
    assert_eq!(window_work(BasisPoints(15_000), Work(5)), Work(7));
    assert_eq!(window_work(BasisPoints(20_000), Work(u128::MAX)), Work(u128::MAX));
    assert_eq!(window_work(BasisPoints(0), Work(5)), Work(1));
    assert_eq!(Scheme::default(), TWICE);
}

/// The same shares in a window that packs next to all of them.
fn packing() -> ShareWindow {
    ShareWindow::shaped(Shape { plain: 2, chunk_bits: 2 })
}

/// The rule as money.md words it: walk back from the winning share.
fn naive(shares: &[(u64, u8, u64)], winning: u64, window: u128) -> BTreeMap<Account, Work> {
    let mut left = window;
    let mut out = BTreeMap::new();
    for (_, name, work) in shares.iter().rev().filter(|(seq, ..)| *seq <= winning) {
        let counted = left.min(u128::from(*work));
        if counted == 0 {
            break;
        }
        out.entry(account(name)).or_insert(Work(0)).0 += counted;
        left -= counted;
    }
    out
}

proptest! {
    #[test]
    fn the_incremental_window_equals_a_walk_back(
        gaps in prop::collection::vec((1u64..4, 0u8..6, 1u64..1_000), 1..200),
        blocks in prop::collection::vec((any::<prop::sample::Index>(), 1u64..20_000, any::<bool>()), 0..40),
    ) {
        let mut seq = 0;
        let shares: Vec<_> = gaps.iter().map(|(gap, name, work)| { seq += gap; (seq, *name, *work) }).collect();
        let mut window = packing();
        let mut pushed = 0;
        for (index, network, restart) in blocks {
            let at = index.index(shares.len());
            // Blocks come in any order; shares in between are pushed as the journal has them.
            while pushed <= at {
                let (seq, name, work) = shares[pushed];
                window.push(ShareSeq(seq), &account(name), Work(u128::from(work))).unwrap();
                pushed += 1;
            }
            if restart {
                window = ShareWindow::from_state(&window.state()).unwrap();
            }
            let snapshot = TWICE.weigh(&mut window, &block(shares[at].0, u128::from(network), 0)).unwrap();
            let expected = naive(&shares, shares[at].0, 2 * u128::from(network));
            let total: u128 = expected.values().map(|work| work.0).sum();
            prop_assert_eq!(snapshot.total.0, total);
            prop_assert_eq!(snapshot.weights.into_iter().collect::<BTreeMap<_, _>>(), expected);
        }
    }

    #[test]
    fn pruning_changes_no_window_that_is_still_whole(
        gaps in prop::collection::vec((0u8..6, 1u64..1_000), 1..300), network in 1u64..3_000,
    ) {
        let shares: Vec<_> = gaps.iter().zip(1u64..).map(|((name, work), seq)| (seq, *name, *work)).collect();
        let mut window = packing();
        for (seq, name, work) in &shares {
            window.push(ShareSeq(*seq), &account(name), Work(u128::from(*work))).unwrap();
            window.prune_to_work(Work(u128::from(network) * 4));
            let snapshot = TWICE.weigh(&mut window, &block(*seq, u128::from(network), 0)).unwrap();
            let expected = naive(&shares, *seq, 2 * u128::from(network));
            prop_assert_eq!(snapshot.weights.into_iter().collect::<BTreeMap<_, _>>(), expected);
        }
    }
}

proptest! {
    /// Whatever is asked of a window, it answers the same whether its shares are packed or not.
    #[test]
    fn packing_changes_no_answer(
        steps in prop::collection::vec((1u64..4, 0u8..9, 1u64..40, any::<prop::sample::Index>(), 0u8..12), 1..300),
        network in 1u64..3_000,
    ) {
        let (mut plain, mut packed) = (ShareWindow::new(), packing());
        let (mut seq, mut seqs) = (0, Vec::new());
        for (gap, name, work, index, what) in steps {
            seq += gap;
            seqs.push(seq);
            for window in [&mut plain, &mut packed] {
                window.push(ShareSeq(seq), &account(name), Work(u128::from(work))).unwrap();
            }
            let at = seqs[index.index(seqs.len())];
            let previous = at.saturating_sub(u64::from(name) * 3);
            let found = block(at, u128::from(network), previous);
            let scheme = match what {
                0..=2 => TWICE,
                3 => Scheme::Prop,
                4 => Scheme::Solo,
                5 => {
                    [&mut plain, &mut packed].into_iter().for_each(|window| window.prune_to_work(Work(u128::from(network))));
                    continue;
                }
                6 => {
                    [&mut plain, &mut packed].into_iter().for_each(|window| window.prune_through(ShareSeq(at / 2)));
                    continue;
                }
                7 if name == 0 => {
                    [&mut plain, &mut packed].into_iter().for_each(ShareWindow::begin_anew);
                    continue;
                }
                _ => continue,
            };
            prop_assert_eq!(scheme.weigh(&mut plain, &found), scheme.weigh(&mut packed, &found));
            prop_assert_eq!(plain.state(), packed.state());
            prop_assert_eq!((plain.len(), plain.newest(), plain.dropped_through()), (packed.len(), packed.newest(), packed.dropped_through()));
        }
        let last = block(seq, u128::from(network) * 9, 0);
        prop_assert_eq!(TWICE.weigh(&mut plain, &last), TWICE.weigh(&mut packed, &last));
    }
}
