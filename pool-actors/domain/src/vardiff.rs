//! Variable difficulty: how hard a session's shares are, so that they come at a steady pace.
//!
//! The estimate is work over time, in integers: the sum of the difficulties of the shares in the present window,
//! divided by its length, times the target interval. Three regimes:
//!
//! * **Searching** (from connect until an estimate agrees with the difficulty within a factor of two): up by at most
//!   256x after four shares that come too fast; down by 4x, 16x, 64x... while no share comes at all. From kH/s to
//!   TH/s, nine orders of magnitude, it takes some 20 seconds.
//! * **Steady**: one look per 40 shares or 40 intervals, whichever comes first; inside the deadband nothing happens;
//!   a step is at most 4x. Eight shares at four times the pace are answered at once (rented hash rate arrives).
//! * **Quiet**: no share for eight intervals (by chance: 1 of 3,000). One quiet spell changes nothing, a second in a
//!   row lowers by 4x, and so does every further one.
//!
//! The result never exceeds the listener's maximum or the network's difficulty, and is quantised so that the miner's
//! double holds exactly our number.

use alloc::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::difficulty::Difficulty;
use crate::units::{BasisPoints, TimeMs};

/// Shares that make an estimate while searching.
const SEARCH_SHARES: u32 = 4;
/// Greatest upward step while searching.
const SEARCH_STEP_MAX: u128 = 256;
/// Silence after which a searching session without any share is lowered, at most one target interval.
const SEARCH_QUIET_MS: u64 = 2_000;
/// Shares, and intervals, of a steady window: the estimate's error is about 16%. The first windows after a search are
/// shorter, and change the difficulty only when it is wrong by a factor of two.
const WINDOW_SHARES: u32 = 40;
const FIRST_WINDOW_SHARES: u32 = 10;
/// Greatest step when steady.
const STEP_MAX: u128 = 4;
/// Shares that prove a burst when they come [`BURST_FACTOR`] times too fast.
const BURST_SHARES: u32 = 8;
const BURST_FACTOR: u128 = 4;
/// Intervals without a share that make a quiet spell.
const QUIET_INTERVALS: u64 = 8;

/// Least target interval.
const INTERVAL_MS_MIN: u64 = 100;

/// Settings of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VardiffSettings {
    /// Milliseconds between two shares of a session; at least 100.
    pub target_interval_ms: u64,
    /// Deviation from the target interval that is left alone.
    pub deadband: BasisPoints,
    /// What a new session starts with.
    pub initial: Difficulty,
    /// Never below.
    pub minimum: Difficulty,
    /// Never above.
    pub maximum: Difficulty,
}

impl Default for VardiffSettings {
    /// A share every 5 seconds, 40% deadband, from 2^-32 to 2^64, starting at 0.0005.
    fn default() -> Self {
        Self {
            target_interval_ms: 5_000,
            deadband: BasisPoints::percent(40),
            initial: Difficulty(2_147_484),
            minimum: Difficulty::MIN,
            maximum: Difficulty(1 << 96),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Regime {
    /// With the number of times it was lowered since the last share.
    Searching { lowered: u32, seen_share: bool },
    /// With the number of quiet spells in a row, and the shares of the present window.
    Steady { quiet: u32, window: u32 },
}

/// The vardiff of one session.
#[derive(Clone, Debug)]
pub struct Vardiff {
    /// Shared by all sessions of a listener, save those that want a minimum of their own.
    settings: Arc<VardiffSettings>,
    network: Difficulty,
    current: Difficulty,
    regime: Regime,
    window_start: TimeMs,
    last_share: TimeMs,
    /// Difficulty of the shares in the window, the newest left out: an estimate that ends with a share would else
    /// be too high by 1/n.
    earlier_work: u128,
    newest_work: u128,
    /// Shares in the window at the current difficulty or above: late ones of easier jobs prove nothing upward.
    shares: u32,
}

impl Vardiff {
    /// For a session that connects now and starts with this difficulty, as far as the settings allow it.
    #[must_use]
    pub fn new(settings: Arc<VardiffSettings>, start: Difficulty, network: Difficulty, now: TimeMs) -> Self {
        let mut vardiff = Self {
            settings,
            network,
            current: start,
            regime: Regime::Searching { lowered: 0, seen_share: false },
            window_start: now,
            last_share: now,
            earlier_work: 0,
            newest_work: 0,
            shares: 0,
        };
        vardiff.current = vardiff.clamp(start);
        vardiff
    }

    /// What the next job is to be issued with.
    #[must_use]
    pub const fn current(&self) -> Difficulty {
        self.current
    }

    /// Whether the session's pace has been found.
    #[must_use]
    pub const fn is_steady(&self) -> bool {
        matches!(self.regime, Regime::Steady { .. })
    }

    /// Takes note of an accepted share of this difficulty (that of its job). `Some` is the new difficulty.
    pub fn on_share(&mut self, now: TimeMs, difficulty: Difficulty) -> Option<Difficulty> {
        self.last_share = now;
        self.earlier_work = self.earlier_work.saturating_add(self.newest_work);
        self.newest_work = difficulty.0;
        self.shares = self.shares.saturating_add(u32::from(difficulty >= self.current));
        match &mut self.regime {
            Regime::Searching { lowered, seen_share } => (*lowered, *seen_share) = (0, true),
            Regime::Steady { quiet, .. } => *quiet = 0,
        }
        let elapsed_ms = now.since(self.window_start).max(1);
        let pace_ms = u128::from(elapsed_ms) * BURST_FACTOR;
        let burst =
            self.shares >= BURST_SHARES && pace_ms < u128::from(self.shares) * u128::from(self.interval_ms());
        match self.regime {
            Regime::Searching { .. } if self.shares >= SEARCH_SHARES => self.search(elapsed_ms),
            Regime::Steady { window, .. } if burst || self.shares >= window => self.adjust(now, elapsed_ms),
            _ => None,
        }
        .and_then(|next| self.change_to(next, now))
    }

    /// To be called about once a second, for what silence means. `Some` is the new difficulty.
    pub fn on_tick(&mut self, now: TimeMs) -> Option<Difficulty> {
        let silence_ms = now.since(self.last_share.max(self.window_start));
        let elapsed_ms = now.since(self.window_start);
        let interval_ms = self.interval_ms();
        match &mut self.regime {
            Regime::Searching { lowered, seen_share } => {
                let patience_ms =
                    if *seen_share { 3 * interval_ms } else { interval_ms.min(SEARCH_QUIET_MS) };
                if silence_ms < patience_ms {
                    return None;
                }
                *lowered = (*lowered + 1).min(16);
                let next = self.current.scale(1, 1 << (2 * *lowered));
                self.change_to(next, now)
            }
            Regime::Steady { quiet, .. } if silence_ms >= QUIET_INTERVALS * interval_ms => {
                *quiet += 1;
                let lower = *quiet >= 2;
                // The spell is over; its silence must not count as a slow pace in the next window.
                self.restart_window(now);
                if lower { self.change_to(self.current.scale(1, STEP_MAX), now) } else { None }
            }
            Regime::Steady { quiet: 0, window } if elapsed_ms >= u64::from(*window) * interval_ms => {
                self.adjust(now, elapsed_ms).and_then(|next| self.change_to(next, now))
            }
            Regime::Steady { .. } => None,
        }
    }

    /// The network's difficulty changed. `Some` is the session's new difficulty, if it was above.
    pub fn set_network(&mut self, network: Difficulty, now: TimeMs) -> Option<Difficulty> {
        self.network = network;
        if self.current > self.ceiling() { self.change_to(self.current, now) } else { None }
    }

    /// The miner suggests where to start (`mining.suggest_difficulty`): taken within the limits, then vardiff goes on
    /// from there.
    pub fn suggest(&mut self, difficulty: Difficulty, now: TimeMs) -> Option<Difficulty> {
        self.regime = Regime::Searching { lowered: 0, seen_share: false };
        self.change_to(difficulty, now)
    }

    /// The miner wants no shares below this (BIP 310 `minimum-difficulty`); the network's difficulty still wins.
    pub fn set_minimum(&mut self, minimum: Difficulty, now: TimeMs) -> Option<Difficulty> {
        let minimum = minimum.min(self.settings.maximum);
        if minimum != self.settings.minimum {
            Arc::make_mut(&mut self.settings).minimum = minimum;
        }
        if self.current < minimum { self.change_to(self.current, now) } else { None }
    }

    fn interval_ms(&self) -> u64 {
        self.settings.target_interval_ms.max(INTERVAL_MS_MIN)
    }

    /// Work over time, as the difficulty at which shares would come at the target interval.
    fn estimate(&self, work: u128, elapsed_ms: u64) -> Difficulty {
        Difficulty(work.max(1)).scale(u128::from(self.interval_ms()), u128::from(elapsed_ms.max(1)))
    }

    fn search(&mut self, elapsed_ms: u64) -> Option<Difficulty> {
        let ideal = self.estimate(self.earlier_work, elapsed_ms);
        if ideal <= self.current.scale(2, 1) {
            // Four shares that do not come too fast. A pace that is too slow is for the steady window.
            self.regime = Regime::Steady { quiet: 0, window: FIRST_WINDOW_SHARES };
            return None;
        }
        Some(ideal.min(self.current.scale(SEARCH_STEP_MAX, 1)))
    }

    fn adjust(&mut self, now: TimeMs, elapsed_ms: u64) -> Option<Difficulty> {
        // A window that ends with a share leaves that share out.
        let ends_with_share = self.last_share == now && self.shares >= BURST_SHARES;
        let newest = if ends_with_share { 0 } else { self.newest_work };
        let ideal = self.estimate(self.earlier_work.saturating_add(newest), elapsed_ms);
        self.restart_window(now);
        let all = u128::from(BasisPoints::ALL.0);
        let mut band = u128::from(self.settings.deadband.0);
        if let Regime::Steady { window, .. } = &mut self.regime
            && *window < WINDOW_SHARES
        {
            band = band.max(all);
            *window = (*window * 2).min(WINDOW_SHARES);
        }
        let too_easy = ideal > self.current.scale(all + band, all);
        let too_hard = ideal.scale(all + band, all) < self.current;
        let bounded = ideal.clamp(self.current.scale(1, STEP_MAX), self.current.scale(STEP_MAX, 1));
        (too_easy || too_hard).then_some(bounded)
    }

    fn change_to(&mut self, wanted: Difficulty, now: TimeMs) -> Option<Difficulty> {
        let next = self.clamp(wanted);
        self.restart_window(now);
        let changed = next != self.current;
        self.current = next;
        changed.then_some(next)
    }

    fn restart_window(&mut self, now: TimeMs) {
        self.window_start = now;
        self.earlier_work = 0;
        self.newest_work = 0;
        self.shares = 0;
    }

    fn ceiling(&self) -> Difficulty {
        self.settings.maximum.min(self.network)
    }

    fn clamp(&self, difficulty: Difficulty) -> Difficulty {
        difficulty.max(self.settings.minimum).min(self.ceiling()).quantise()
    }
}

#[cfg(test)]
#[path = "vardiff_tests.rs"]
mod tests;
