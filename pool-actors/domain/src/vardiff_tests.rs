// Floats are for the simulated miners only.
#![allow(clippy::cast_possible_truncation)]

use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::difficulty::DifficultyScale;
use crate::units::Work;

/// Exponential gaps between shares, from a xorshift generator: miners as they are, and repeatable.
struct Miner {
    hashes_per_second: f64,
    /// Shares per second that the miner or the wire can carry.
    rate_max: f64,
    random: u64,
}

impl Miner {
    fn uniform(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1u64 << 53) as f64
    }

    fn gap_ms(&mut self, work: Work) -> f64 {
        let mean_ms = work.0 as f64 / self.hashes_per_second * 1_000.0;
        (-(1.0 - self.uniform()).ln() * mean_ms).max(1_000.0 / self.rate_max)
    }
}

/// A session that starts with what the settings say.
fn vardiff(settings: VardiffSettings, network: Difficulty, now: TimeMs) -> Vardiff {
    Vardiff::new(Arc::new(settings), settings.initial, network, now)
}

struct Run {
    changes: Vec<(u64, Difficulty)>,
    shares: Vec<u64>,
}

/// Runs a session for some seconds; a new difficulty takes effect with the next share.
fn run(vardiff: &mut Vardiff, miner: &mut Miner, from_ms: u64, seconds: u64) -> Run {
    let scale = DifficultyScale::SHA256D;
    let mut out = Run { changes: Vec::new(), shares: Vec::new() };
    let mut next_share = from_ms as f64 + miner.gap_ms(scale.work(vardiff.current()));
    for tick in 1..=seconds {
        let tick_ms = from_ms + tick * 1_000;
        while next_share <= tick_ms as f64 {
            let now = TimeMs(next_share as u64);
            let change = vardiff.on_share(now, vardiff.current());
            out.shares.push(now.0);
            out.changes.extend(change.map(|difficulty| (now.0, difficulty)));
            next_share += miner.gap_ms(scale.work(vardiff.current()));
        }
        if let Some(difficulty) = vardiff.on_tick(TimeMs(tick_ms)) {
            out.changes.push((tick_ms, difficulty));
            next_share = tick_ms as f64 + miner.gap_ms(scale.work(difficulty));
        }
    }
    out
}

fn ideal(hashes_per_second: f64, interval_ms: u64) -> f64 {
    hashes_per_second * interval_ms as f64 / 1_000.0 / 4_294_967_296.0
}

fn as_float(difficulty: Difficulty) -> f64 {
    difficulty.0 as f64 / 4_294_967_296.0
}

/// From 1 kH/s to 10 TH/s, from any start, whether the wire carries 5 shares/s or 200. Always the same miners: luck
/// is not to decide whether the build passes.
#[test]
fn every_miner_settles_within_30_seconds() {
    let mut settled = 0;
    let mut changes = 0;
    let mut dice = Miner { hashes_per_second: 0.0, rate_max: 0.0, random: 0x9e37_79b9_7f4a_7c15 };
    for case in 0..400u32 {
        let mut miner = Miner {
            hashes_per_second: 10f64.powf(3.0 + 10.0 * dice.uniform()),
            rate_max: if case % 2 == 0 { 5.0 } else { 200.0 },
            random: dice.random ^ u64::from(case),
        };
        let initial = Difficulty((10f64.powf(-9.0 + 13.0 * dice.uniform()) * 4_294_967_296.0) as u128);
        let settings = VardiffSettings { initial, ..VardiffSettings::default() };
        let ideal = ideal(miner.hashes_per_second, settings.target_interval_ms);
        let mut vardiff = vardiff(settings, Difficulty::MAX, TimeMs(0));
        run(&mut vardiff, &mut miner, 0, 30);
        let ratio = as_float(vardiff.current()) / ideal;
        assert!((0.05..=32.0).contains(&ratio), "case {case}: {ratio} after 30 s");
        settled += u32::from((0.2..=5.0).contains(&ratio));
        run(&mut vardiff, &mut miner, 30_000, 570);
        let ratio = as_float(vardiff.current()) / ideal;
        assert!((0.2..=5.0).contains(&ratio), "case {case}: {ratio} after 10 min");
        // From then on shares come at the wanted pace, and the difficulty is mostly left alone.
        let hour = run(&mut vardiff, &mut miner, 600_000, 3_600);
        let expected = 3_600_000 / settings.target_interval_ms;
        let pace = hour.shares.len() as u64;
        assert!((expected * 7 / 10..=expected * 15 / 10).contains(&pace), "case {case}: {pace} shares");
        changes += hour.changes.len();
    }
    assert!(settled >= 390, "{settled} of 400 within a factor of 5");
    assert!(changes <= 400 * 4, "{changes} changes in 400 hours");
}

proptest! {
    #[test]
    fn limits_and_steps_hold(
        shares in prop::collection::vec((0u64..20_000, any::<bool>()), 1..300),
        minimum in 0u32..10, maximum in 12u32..40, network in 0u32..50,
    ) {
        let settings = VardiffSettings {
            initial: Difficulty(1 << 20),
            minimum: Difficulty(1 << minimum),
            maximum: Difficulty(1 << maximum),
            ..VardiffSettings::default()
        };
        let network = Difficulty((1 << network) + 12_345);
        let mut vardiff = vardiff(settings, network, TimeMs(0));
        let mut now = TimeMs(0);
        for (wait, share) in shares {
            now = now.plus_ms(wait);
            let before = vardiff.current();
            let steady = vardiff.is_steady();
            let change = if share { vardiff.on_share(now, before) } else { vardiff.on_tick(now) };
            let after = vardiff.current();
            prop_assert_eq!(change.is_some(), before != after);
            prop_assert!(after <= network && after <= settings.maximum);
            prop_assert!(after >= settings.minimum.min(network.quantise()));
            prop_assert_eq!(after.quantise(), after);
            if steady {
                prop_assert!(after <= before.scale(4, 1) && after.scale(1_001, 1_000) >= before.scale(1, 4).quantise());
            } else {
                prop_assert!(after <= before.scale(256, 1));
            }
        }
    }
}

fn steady_session() -> (Vardiff, u64) {
    let settings = VardiffSettings { initial: Difficulty::ONE, ..VardiffSettings::default() };
    let mut vardiff = vardiff(settings, Difficulty::whole(1 << 40), TimeMs(0));
    let mut now = 0;
    for _ in 0..40 {
        now += settings.target_interval_ms;
        assert_eq!(vardiff.on_share(TimeMs(now), Difficulty::ONE), None);
        assert_eq!(vardiff.on_tick(TimeMs(now)), None);
    }
    assert!(vardiff.is_steady());
    (vardiff, now)
}

#[test]
fn one_quiet_spell_changes_nothing_the_second_lowers() {
    let (mut vardiff, mut now) = steady_session();
    let mut changes = Vec::new();
    for _ in 0..79 {
        now += 1_000;
        changes.extend(vardiff.on_tick(TimeMs(now)));
    }
    assert_eq!(changes, []);
    for _ in 0..41 {
        now += 1_000;
        changes.extend(vardiff.on_tick(TimeMs(now)));
    }
    assert_eq!(changes, [Difficulty::ONE.scale(1, 4), Difficulty::ONE.scale(1, 16)]);
    // A share between two spells ends the row.
    let (mut vardiff, mut now) = steady_session();
    for second in 0..200 {
        now += 1_000;
        if second % 60 == 59 {
            assert_eq!(vardiff.on_share(TimeMs(now), Difficulty::ONE), None);
        }
        assert_eq!(vardiff.on_tick(TimeMs(now)), None, "second {second}");
        if second == 100 {
            break;
        }
    }
}

#[test]
fn a_burst_is_answered_at_once() {
    let (mut vardiff, mut now) = steady_session();
    let mut change = None;
    let mut shares = 0;
    while change.is_none() {
        now += 50;
        shares += 1;
        change = vardiff.on_share(TimeMs(now), Difficulty::ONE);
    }
    // The shares of the window before still count, at the old pace.
    assert!(shares <= 40, "{shares}");
    assert!(change.unwrap() > Difficulty::ONE);
    assert!(change.unwrap() <= Difficulty::whole(4));
}

#[test]
fn the_network_is_the_ceiling() {
    let (mut vardiff, now) = steady_session();
    assert_eq!(vardiff.set_network(Difficulty::whole(2), TimeMs(now)), None);
    let half = Difficulty(1 << 31);
    assert_eq!(vardiff.set_network(half, TimeMs(now)), Some(half));
    assert_eq!(
        vardiff.set_minimum(Difficulty::whole(8), TimeMs(now)),
        None,
        "the network wins over the minimum"
    );
    assert_eq!(vardiff.current(), half);
}

#[test]
fn miners_may_suggest_within_the_limits() {
    let settings = VardiffSettings { maximum: Difficulty::whole(100), ..VardiffSettings::default() };
    let mut vardiff = vardiff(settings, Difficulty::MAX, TimeMs(0));
    assert_eq!(vardiff.suggest(Difficulty::whole(7), TimeMs(0)), Some(Difficulty::whole(7)));
    assert_eq!(vardiff.suggest(Difficulty::whole(700), TimeMs(0)), Some(Difficulty::whole(100)));
    assert_eq!(vardiff.suggest(Difficulty::whole(1), TimeMs(0)), Some(Difficulty::ONE));
    assert_eq!(vardiff.set_minimum(Difficulty::whole(5), TimeMs(0)), Some(Difficulty::whole(5)));
    assert_eq!(vardiff.set_minimum(Difficulty::whole(3), TimeMs(0)), None);
}

#[test]
fn late_shares_of_easier_jobs_do_not_push_up() {
    let settings = VardiffSettings { initial: Difficulty::whole(1_000), ..VardiffSettings::default() };
    let mut vardiff = vardiff(settings, Difficulty::MAX, TimeMs(0));
    for ms in 0..500 {
        assert_eq!(vardiff.on_share(TimeMs(ms), Difficulty::ONE), None);
    }
}
