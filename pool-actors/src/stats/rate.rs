//! How much per second, lately: sums in buckets over a sliding window, integers only.

/// Buckets of a window.
const BUCKETS: usize = 24;

/// A sliding window of `BUCKETS` buckets of equal width.
#[derive(Debug, Clone)]
pub(super) struct Rate {
    width_ms: u64,
    sums: [u128; BUCKETS],
    /// Number (time / width) of the newest bucket.
    newest: u64,
    /// When counting began.
    since_ms: u64,
}

impl Rate {
    /// A window of `window_ms`, counting from `now_ms` on.
    pub(super) fn new(window_ms: u64, now_ms: u64) -> Self {
        let width_ms = (window_ms / BUCKETS as u64).max(1);
        Self { width_ms, sums: [0; BUCKETS], newest: now_ms / width_ms, since_ms: now_ms }
    }

    fn advance(&mut self, now_ms: u64) {
        let bucket = now_ms / self.width_ms;
        // A clock set back adds to the newest bucket.
        let steps = bucket.saturating_sub(self.newest);
        for step in 1..=steps.min(BUCKETS as u64) {
            self.sums[index(self.newest + step)] = 0;
        }
        if steps > BUCKETS as u64 {
            self.sums = [0; BUCKETS];
        }
        self.newest = self.newest.max(bucket);
    }

    /// Counts something that happened at `at_ms`, which may lie a little in the past.
    pub(super) fn add(&mut self, at_ms: u64, amount: u128) {
        self.advance(at_ms);
        let bucket = at_ms / self.width_ms;
        if self.newest - bucket.min(self.newest) < BUCKETS as u64 {
            let sum = &mut self.sums[index(bucket.min(self.newest))];
            *sum = sum.saturating_add(amount);
        }
    }

    /// Amount per `per_ms` over the window, or over the time since counting began if that is shorter (at least one
    /// bucket, lest the first share look like a burst).
    pub(super) fn per(&mut self, per_ms: u64, now_ms: u64) -> u128 {
        self.advance(now_ms);
        let sum = self.sums.iter().fold(0_u128, |sum, part| sum.saturating_add(*part));
        let inside = now_ms % self.width_ms + self.width_ms * (BUCKETS as u64 - 1);
        let counted = inside.min(now_ms.saturating_sub(self.since_ms)).max(self.width_ms);
        // Divide first where the product would not fit: a rate of 2^118 needs no exact last digit.
        match sum.checked_mul(u128::from(per_ms)) {
            Some(product) => product / u128::from(counted),
            None => sum / u128::from(counted) * u128::from(per_ms),
        }
    }
}

fn index(bucket: u64) -> usize {
    usize::try_from(bucket % BUCKETS as u64).expect("a remainder of 24 fits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_stream_gives_its_rate_and_silence_gives_none() {
        let mut rate = Rate::new(240_000, 1_000_000);
        for second in 0..1_000 {
            rate.add(1_000_000 + second * 1_000, 500);
        }
        let now = 1_999_000;
        let per_second = rate.per(1_000, now);
        assert!((490..=515).contains(&per_second), "{per_second}");
        assert_eq!(rate.per(1_000, now + 300_000), 0);
        rate.add(now + 300_000, 10);
        assert!(rate.per(1_000_000, now + 300_000) > 0);
    }

    #[test]
    fn a_young_window_divides_by_its_age() {
        let mut rate = Rate::new(240_000, 1_000_000);
        rate.add(1_020_000, 2_000);
        assert_eq!(rate.per(1_000, 1_020_000), 100, "2,000 in 20 s");
        let mut burst = Rate::new(240_000, 1_000_000);
        burst.add(1_000_001, 1_000);
        assert_eq!(burst.per(1_000, 1_000_001), 100, "at least one bucket of 10 s");
        burst.add(1, 1_000);
        assert_eq!(burst.per(1_000, 1_000_001), 100, "what lies before the window does not count");
    }
}
