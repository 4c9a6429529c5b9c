//! False alarms of honest miners, and how soon attackers are seen, by simulation.

use std::{println, vec::Vec};

use super::*;

/// splitmix64, and what is drawn from it.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn poisson(&mut self, mean: f64) -> u64 {
        let limit = (-mean).exp();
        let (mut product, mut count) = (self.uniform(), 0);
        while product > limit {
            product *= self.uniform();
            count += 1;
        }
        count
    }
}

/// Expected blocks until the account is suspected; `None` within `most`.
fn suspected(odds: &Odds, rate: f64, most: f64, chance: &mut Chance) -> Option<(f64, Suspected)> {
    let mut test = Sequential::default();
    let step = 0.05;
    let mut expected = 0.0;
    while expected < most {
        expected += step;
        let found = chance.poisson(step * rate);
        if let Some(suspected) = test.take(odds, found, ONE_BLOCK / 20) {
            return Some((expected, suspected));
        }
    }
    None
}

#[test]
fn logarithms_are_those_of_the_reference() {
    for number in [1, 2, 3, 10, 100, 999_999, 1_000_000, 123_456_789_012, u64::MAX] {
        let known = (number as f64).ln() * 1e6;
        assert!((ln_micro(number) as f64 - known).abs() < 30.0, "{number}: {} {known}", ln_micro(number));
    }
    assert_eq!((ln_micro(0), ln_micro(1)), (0, 0));
}

#[test]
fn bounds_are_walds() {
    let odds = Odds::new(50, 10, 10);
    let near = |millionths: i64, known: f64| (millionths as f64 / 1e6 - known).abs() < 1e-4;
    assert!(near(odds.suspect, (0.99f64 / 1e-5).ln()), "{odds:?}");
    assert!(near(odds.clear, (0.01f64 / (1.0 - 1e-5)).ln()), "{odds:?}");
    assert!(near(odds.ln, 0.5f64.ln()));
    // k ln r - (r - 1) x, by hand: 4 candidates and 10 expected blocks, half of them withheld: -2.7726 + 5.
    let mut test = Sequential::default();
    assert_eq!(test.take(&odds, 4, 10 * ONE_BLOCK), None);
    // 13.275 more at least: 18.55 expected blocks without a candidate.
    assert_eq!(test.take(&odds, 0, 18 * ONE_BLOCK), None);
    let suspected = test.take(&odds, 0, ONE_BLOCK + ONE_BLOCK / 8).unwrap();
    assert_eq!((suspected.found, suspected.expected / ONE_BLOCK), (4, 29));
    assert_eq!(test, Sequential::default(), "and a round begins anew");
}

#[test]
fn honest_accounts_are_suspected_as_seldom_as_wald_says() {
    // One in a thousand rounds, so that it can be counted: 2,000 accounts of 100 expected blocks each.
    for percent in [10, 50, 200] {
        let odds = Odds::new(percent, 1_000, 10);
        let mut chance = Chance(7);
        let (mut alarms, mut rounds) = (0_u32, 0_u32);
        for _ in 0..2_000 {
            let mut test = Sequential::default();
            for _ in 0..2_000 {
                let found = chance.poisson(0.05);
                let suspected = test.take(&odds, found, ONE_BLOCK / 20);
                alarms += u32::from(suspected.is_some());
                rounds += u32::from(suspected.is_some() || test == Sequential::default());
            }
        }
        let rate = f64::from(alarms) / f64::from(rounds);
        println!("against {percent}%: {alarms} alarms in {rounds} rounds, {rate:.6}");
        // Wald's bound is a / (1 - b); what goes past the bound in a step makes it less.
        assert!(rate <= 0.001 / 0.99 * 1.5, "against {percent}%: {rate}");
    }
}

#[test]
fn who_withholds_is_seen() {
    // Everything is withheld: ln((1 - b) / a) / (1 - r) expected blocks, and no chance in it.
    for (percent, blocks) in [(10, 12.8), (50, 23.1)] {
        let seen = suspected(&Odds::new(percent, 10, 10), 0.0, 50.0, &mut Chance(1)).unwrap();
        assert!((seen.0 - blocks).abs() < 0.2, "{percent}: {seen:?}");
        assert_eq!(seen.1.found, 0);
    }
    // Half of it: within 300 expected blocks nearly always; and twice the luck.
    for (rate, percent, most, name) in
        [(0.5, 50, 300.0, "half withheld"), (2.0, 200, 200.0, "twice the luck")]
    {
        let odds = Odds::new(percent, 10, 10);
        let mut chance = Chance(3);
        let mut when: Vec<f64> = (0..200)
            .filter_map(|_| suspected(&odds, rate, most, &mut chance))
            .map(|(when, _)| when)
            .collect();
        when.sort_by(f64::total_cmp);
        println!(
            "{name}: {} of 200 seen, half of them after {:.0} expected blocks",
            when.len(),
            when[when.len() / 2]
        );
        assert!(when.len() >= 196, "{name}: {}", when.len());
    }
}

#[test]
fn expected_blocks_are_exact_enough_and_never_panic() {
    assert_eq!(expected_blocks(5, 10), ONE_BLOCK / 2);
    assert_eq!(expected_blocks(1, 1 << 40), 1);
    assert_eq!(expected_blocks(1, 0), 0);
    assert_eq!(expected_blocks(u128::MAX, 1), u64::MAX);
    assert_eq!(expected_blocks(u128::MAX, u128::MAX), 0, "beyond what is mined anywhere");
    let mut test = Sequential::default();
    let _ = test.take(&Odds::new(1, 1, 1), u64::MAX, u64::MAX);
    let _ = test.take(&Odds::new(0, 0, 0), u64::MAX, u64::MAX);
}

/// The limit for one false alarm in a million (fifteen degrees of freedom).
const CHI_SQUARE: u64 = 57;

#[test]
fn honest_nonces_are_like_any_others() {
    let mut chance = Chance(11);
    let mut alarms = 0;
    for _ in 0..300 {
        let mut buckets = Buckets::default();
        for _ in 0..200 {
            let mut more = [0_u16; BUCKETS];
            for _ in 0..100 {
                more[usize::try_from(chance.next() & 15).unwrap()] += 1;
            }
            alarms += u32::from(buckets.take(&more, CHI_SQUARE).is_some());
        }
    }
    assert_eq!(alarms, 0);
}

#[test]
fn nonces_that_are_made_up_are_seen() {
    // Always even.
    let mut buckets = Buckets::default();
    let even = std::array::from_fn(|bucket| if bucket % 2 == 0 { 5 } else { 0 });
    let seen = (1..100).find_map(|turn| buckets.take(&even, CHI_SQUARE).map(|seen| (turn, seen)));
    assert_eq!(seen, Some((8, 320)), "with the first that are judged: chi-square is their number");
    // A fifth more of one kind: within 10,000 shares.
    let (mut buckets, mut chance) = (Buckets::default(), Chance(5));
    let seen = (0..100).find_map(|turn| {
        let mut more = [0_u16; BUCKETS];
        for _ in 0..100 {
            let nonce = if chance.next() % 10 == 0 { 3 } else { chance.next() & 15 };
            more[usize::try_from(nonce).unwrap()] += 1;
        }
        buckets.take(&more, CHI_SQUARE).map(|_| turn)
    });
    assert!(seen.is_some_and(|turn| turn < 50), "{seen:?}");
}

const LIMITS: Limits = Limits { window_ms: WINDOW_MS, burst_tenths: 30, jump_times: 10, jump_work_min: 0 };

/// What ten-second windows show whose shares `shares` draws.
fn shown(windows: u64, mut shares: impl FnMut(u64) -> u64) -> Vec<Pattern> {
    let mut kept = Windows::new(5_000, WINDOW_MS);
    let mut seen = Vec::new();
    for window in 0..windows {
        for second in 0..10 {
            let now = 5_000 + window * WINDOW_MS + second * 1_000;
            // All of a window's in its third second.
            let count = if second == 2 { shares(window) } else { 0 };
            if count > 0 || second == 9 {
                seen.extend(kept.take(now, count, u128::from(count) * 1_000, &LIMITS));
            }
        }
    }
    seen
}

#[test]
fn steady_restless_and_fickle_miners_are_left_alone() {
    let mut chance = Chance(17);
    for mean in [2.0, 10.0, 200.0] {
        for _ in 0..20 {
            assert_eq!(shown(1_000, |_| chance.poisson(mean)), [], "steady, {mean}");
        }
    }
    // A farm whose half comes and goes every few minutes, and one that is here one minute in five.
    let seen = shown(1_000, |window| chance.poisson(if window / 20 % 2 == 0 { 40.0 } else { 80.0 }));
    assert_eq!(seen, []);
    let seen = shown(1_000, |window| if window % 30 < 6 { chance.poisson(20.0) } else { 0 });
    assert_eq!(seen, [], "there is no burst in who comes and goes");
    // Vardiff's first minutes: fast, then slow.
    assert_eq!(shown(300, |window| chance.poisson(if window < 12 { 100.0 } else { 2.0 })), []);
}

#[test]
fn shares_that_were_held_back_are_seen() {
    let mut chance = Chance(19);
    let seen = shown(200, |window| if window % 6 == 0 { chance.poisson(24.0) } else { 0 });
    assert!(matches!(seen[0], Pattern::Bursts { tenths: 40..=60 }), "{seen:?}");
}

#[test]
fn a_jump_is_seen_once_the_rate_is_known() {
    let mut chance = Chance(23);
    let seen = shown(400, |window| chance.poisson(if window < 360 { 5.0 } else { 100.0 }));
    assert!(matches!(seen[0], Pattern::Jump { times: 10..=21 }), "{seen:?}");
    // One that is new is what it is.
    assert_eq!(shown(400, |window| chance.poisson(if window < 100 { 5.0 } else { 100.0 })), []);
    // And one that doubles has bought a machine.
    assert_eq!(shown(700, |window| chance.poisson(if window < 360 { 20.0 } else { 60.0 })), []);
}

#[test]
fn windows_survive_clocks() {
    let mut windows = Windows::new(u64::MAX - 5, WINDOW_MS);
    for now in [0, u64::MAX, 5, u64::MAX / 2, u64::MAX] {
        let _ = windows.take(now, u64::MAX, u128::MAX, &LIMITS);
    }
    let mut windows = Windows::new(0, WINDOW_MS);
    for step in 0..500 {
        let _ = windows.take(step * step * 1_000, 5, 5, &LIMITS);
    }
}
