//! Hash rate from accepted work, in integers.
//!
//! A share stands for the expected number of hashes of its difficulty, so work per time is an unbiased estimate of the
//! hash rate; n shares leave a relative error of 1/sqrt(n). The window is as short as [`SHARES_ENOUGH`] shares allow
//! (about 18%), between [`WINDOW_MIN_MS`] and [`WINDOW_MAX_MS`].

use std::collections::VecDeque;

use pool_domain::units::{TimeMs, Work};

/// Width of a bucket.
const BUCKET_MS: u64 = 5_000;
/// Work is never divided by less than this: one lucky share of a newcomer is no hash rate.
const ELAPSED_MIN_MS: u64 = 10_000;
/// Shares that a window needs.
const SHARES_ENOUGH: u64 = 32;
/// A window is at least so long.
const WINDOW_MIN_MS: u64 = 30_000;
/// A window is at most so long.
const WINDOW_MAX_MS: u64 = 600_000;

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// Time divided by the width of a bucket.
    slot: u64,
    work: u128,
    shares: u64,
}

/// Accepted work of the last minutes. Holds at most as many buckets as shares are enough, and some.
#[derive(Debug, Clone)]
pub(super) struct Rate {
    /// Where the window begins.
    since: TimeMs,
    buckets: VecDeque<Bucket>,
    work: u128,
    shares: u64,
}

impl Rate {
    /// A window that begins at `now`.
    pub(super) fn new(now: TimeMs) -> Self {
        Self { since: now, buckets: VecDeque::new(), work: 0, shares: 0 }
    }

    /// Adds accepted work.
    pub(super) fn add(&mut self, now: TimeMs, work: Work, shares: u64) {
        let slot = now.0 / BUCKET_MS;
        match self.buckets.back_mut() {
            // A clock that was set back must not disturb the order.
            Some(last) if last.slot >= slot => {
                last.work = last.work.saturating_add(work.0);
                last.shares = last.shares.saturating_add(shares);
            }
            _ => self.buckets.push_back(Bucket { slot, work: work.0, shares }),
        }
        self.work = self.work.saturating_add(work.0);
        self.shares = self.shares.saturating_add(shares);
        self.shorten(now);
    }

    /// Hashes per second; forgets what is too old.
    pub(super) fn hashrate(&mut self, now: TimeMs) -> u128 {
        self.shorten(now);
        self.hashrate_at(now)
    }

    /// Hashes per second as of a moment at which [`Self::hashrate`] was asked for.
    pub(super) fn hashrate_at(&self, now: TimeMs) -> u128 {
        let elapsed_ms = now.since(self.since).max(ELAPSED_MIN_MS);
        self.work.saturating_mul(1_000) / u128::from(elapsed_ms)
    }

    fn shorten(&mut self, now: TimeMs) {
        while let Some(first) = self.buckets.front().copied() {
            let end = TimeMs(first.slot.saturating_add(1).saturating_mul(BUCKET_MS));
            let age_ms = now.since(end);
            let superfluous =
                self.shares.saturating_sub(first.shares) >= SHARES_ENOUGH && age_ms >= WINDOW_MIN_MS;
            if !superfluous && age_ms < WINDOW_MAX_MS {
                break;
            }
            self.buckets.pop_front();
            self.work = self.work.saturating_sub(first.work);
            self.shares = self.shares.saturating_sub(first.shares);
            self.since = self.since.max(end);
        }
        self.since = self.since.max(now.minus_ms(WINDOW_MAX_MS + BUCKET_MS));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: TimeMs = TimeMs(1_700_000_000_000);

    fn at(ms: u64) -> TimeMs {
        START.plus_ms(ms)
    }

    #[test]
    fn a_steady_miner_is_measured_exactly_and_in_bounded_memory() {
        let mut rate = Rate::new(START);
        for second in 1..=3_600_u64 {
            rate.add(at(second * 1_000), Work(5_000), 5);
            assert!(rate.buckets.len() <= 8, "{} buckets", rate.buckets.len());
        }
        let measured = rate.hashrate(at(3_600_000));
        assert!((4_900..=5_300).contains(&measured), "{measured}");
    }

    #[test]
    fn the_first_share_of_a_newcomer_is_spread_over_ten_seconds() {
        let mut rate = Rate::new(START);
        rate.add(at(100), Work(1_000), 1);
        assert_eq!(rate.hashrate(at(100)), 100);
        assert_eq!(rate.hashrate(at(20_000)), 50);
    }

    #[test]
    fn rare_shares_use_a_long_window_and_silence_ends_at_nothing() {
        let mut rate = Rate::new(START);
        for n in 1..=20 {
            rate.add(at(n * 60_000), Work(600_000), 1);
        }
        let measured = rate.hashrate(at(1_200_000));
        assert!((9_000..=12_000).contains(&measured), "{measured}");
        let before = measured;
        let later = rate.hashrate(at(1_500_000));
        assert!(later < before);
        assert_eq!(rate.hashrate(at(3_000_000)), 0);
    }

    #[test]
    fn a_change_shows_within_a_minute_when_shares_are_many() {
        let mut rate = Rate::new(START);
        for second in 1..=600_u64 {
            rate.add(at(second * 1_000), Work(1_000), 10);
        }
        for second in 601..=660_u64 {
            rate.add(at(second * 1_000), Work(10_000), 10);
        }
        let measured = rate.hashrate(at(660_000));
        assert!((9_500..=10_500).contains(&measured), "{measured}");
    }

    #[test]
    fn greatest_numbers_and_a_clock_set_back_do_no_harm() {
        let mut rate = Rate::new(at(50_000));
        rate.add(at(50_000), Work(u128::MAX), u64::MAX);
        rate.add(at(0), Work(u128::MAX), u64::MAX);
        assert!(rate.hashrate(at(0)) > 0);
        assert_eq!(rate.hashrate(TimeMs(u64::MAX)), 0);
    }
}
