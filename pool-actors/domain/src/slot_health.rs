//! Whether a generation that is being rolled out does as well as the one that it is to replace.
//!
//! Both are counted over the same span of time; the old generation is the control group. Integer arithmetic only.

use alloc::{format, string::String};

use serde::{Deserialize, Serialize};

use crate::units::BasisPoints;

/// Smallest time that has a bucket of its own, as a power of two of nanoseconds (16 ns).
const OCTAVE_MIN: u32 = 4;
/// Octaves; the last one holds all that takes longer (68 s).
const OCTAVES: u32 = 33;
/// Buckets per octave: a quantile is right to a quarter.
const PER_OCTAVE: u32 = 4;
const BUCKETS: usize = (OCTAVES * PER_OCTAVE) as usize;

/// Times of hashing one share, in buckets that grow by a quarter or less.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LatencyHistogram([u32; BUCKETS]);

impl Default for LatencyHistogram {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl core::fmt::Debug for LatencyHistogram {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("LatencyHistogram").field("count", &self.count()).finish_non_exhaustive()
    }
}

impl LatencyHistogram {
    /// `count` shares took `ns` nanoseconds each.
    pub fn record(&mut self, ns: u64, count: u32) {
        let ns = ns.max(1 << OCTAVE_MIN);
        let octave = ns.ilog2();
        let part = (ns >> (octave - 2)) & u64::from(PER_OCTAVE - 1);
        let at = u64::from(octave - OCTAVE_MIN) * u64::from(PER_OCTAVE) + part;
        let at = usize::try_from(at).unwrap_or(BUCKETS).min(BUCKETS - 1);
        self.0[at] = self.0[at].saturating_add(count);
    }

    /// Shares recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().map(|count| u64::from(*count)).sum()
    }

    /// The time, in nanoseconds, that `part` of the shares did not exceed (upper end of its bucket); 0 without shares.
    #[must_use]
    pub fn quantile(&self, part: BasisPoints) -> u64 {
        let wanted = (u128::from(self.count()) * u128::from(part.0)).div_ceil(10_000);
        let mut seen = 0u128;
        for (at, count) in self.0.iter().enumerate() {
            seen += u128::from(*count);
            if seen >= wanted && seen > 0 {
                let at = u32::try_from(at).unwrap_or(u32::MAX);
                let (octave, part) = (at / PER_OCTAVE + OCTAVE_MIN, at % PER_OCTAVE);
                return (u64::from(PER_OCTAVE + part + 1) << (octave - 2)) - 1;
            }
        }
        0
    }

    fn combine(&mut self, other: &Self, with: impl Fn(u32, u32) -> u32) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine = with(*mine, theirs);
        }
    }
}

/// What a generation did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotCounts {
    /// Shares hashed for miners.
    pub shares: u64,
    /// Of these: good.
    pub accepted: u64,
    /// Of these: above their target.
    pub low_difficulty: u64,
    /// Of these: past their job's grace.
    pub stale: u64,
    /// Inputs that the algorithm gave no hash for.
    pub errors: u64,
    /// Times that it panicked.
    pub traps: u64,
    /// Shares that other code had to hash, because it gave no hash.
    pub rescued: u64,
    /// Blocks.
    pub candidates: u64,
    /// Hashes that were compared with the other generation's.
    pub compared: u64,
    /// Time per hash.
    pub latency: LatencyHistogram,
}

impl SlotCounts {
    /// Adds what happened since.
    pub fn add(&mut self, news: &Self) {
        self.each(news, u64::saturating_add);
        self.latency.combine(&news.latency, u32::saturating_add);
    }

    /// What happened since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut news = *self;
        news.each(earlier, u64::saturating_sub);
        news.latency.combine(&earlier.latency, u32::saturating_sub);
        news
    }

    /// Everything that was hashed, for miners or for comparison.
    #[must_use]
    pub fn hashed(&self) -> u64 {
        self.latency.count()
    }

    fn each(&mut self, other: &Self, with: impl Fn(u64, u64) -> u64) {
        for (mine, theirs) in [
            (&mut self.shares, other.shares),
            (&mut self.accepted, other.accepted),
            (&mut self.low_difficulty, other.low_difficulty),
            (&mut self.stale, other.stale),
            (&mut self.errors, other.errors),
            (&mut self.traps, other.traps),
            (&mut self.rescued, other.rescued),
            (&mut self.candidates, other.candidates),
            (&mut self.compared, other.compared),
        ] {
            *mine = with(*mine, theirs);
        }
    }
}

/// What is too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Thresholds {
    /// Hashes of a group before it is judged at all.
    pub samples_min: u64,
    /// Errors per hash beyond the control group's.
    pub error_rate_max: BasisPoints,
    /// Median time per hash: at most so many percent of the control group's...
    pub median_percent_max: u32,
    /// ...plus this, in nanoseconds.
    pub median_slack_ns: u64,
    /// 99th percentile: at most so many percent of the control group's...
    pub p99_percent_max: u32,
    /// ...plus this, in nanoseconds. Wide: a busy machine stops any thread for some milliseconds.
    pub p99_slack_ns: u64,
    /// Refused shares per share beyond the control group's. For migrations only: in an upgrade the old generation
    /// confirms every refusal.
    pub reject_rate_max: BasisPoints,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            samples_min: 100,
            error_rate_max: BasisPoints(50),
            median_percent_max: 1_000,
            median_slack_ns: 2_000,
            p99_percent_max: 300,
            p99_slack_ns: 20_000_000,
            reject_rate_max: BasisPoints(500),
        }
    }
}

/// How a generation fares beside its control group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlotHealth {
    /// Too few hashes to say.
    Unknown,
    /// As well as the control group.
    Healthy,
    /// Worse, but within bounds: the sentence says how.
    Degraded(String),
    /// Beyond a bound: the sentence says which.
    Unhealthy(String),
}

impl SlotHealth {
    /// `healthy`, `degraded`, `unhealthy` or `unknown`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
            Self::Degraded(_) => "degraded",
            Self::Unhealthy(_) => "unhealthy",
        }
    }
}

/// Judges the candidate by the control group. `confirmed_refusals`: the old generation confirms what the new one refuses.
#[must_use]
pub fn judge(
    candidate: &SlotCounts,
    control: &SlotCounts,
    confirmed_refusals: bool,
    limits: &Thresholds,
) -> SlotHealth {
    if candidate.traps > 0 {
        return SlotHealth::Unhealthy(format!("it panicked {} times", candidate.traps));
    }
    if candidate.hashed() < limits.samples_min {
        return SlotHealth::Unknown;
    }
    let errors = (rate(candidate.errors, candidate.hashed()), rate(control.errors, control.hashed()));
    if errors.0 > errors.1.saturating_add(limits.error_rate_max.0) {
        return SlotHealth::Unhealthy(format!(
            "it gave no hash for {} of its inputs, the control group for {}",
            BasisPoints(errors.0),
            BasisPoints(errors.1)
        ));
    }
    let enough_control = control.hashed() >= limits.samples_min;
    if enough_control && let Some(problem) = too_slow(candidate, control, limits) {
        return SlotHealth::Unhealthy(problem);
    }
    if enough_control && !confirmed_refusals && candidate.shares >= limits.samples_min {
        let refused =
            (rate(candidate.low_difficulty, candidate.shares), rate(control.low_difficulty, control.shares));
        if refused.0 > refused.1.saturating_add(limits.reject_rate_max.0) {
            return SlotHealth::Unhealthy(format!(
                "it refuses {} of the shares, the control group {}",
                BasisPoints(refused.0),
                BasisPoints(refused.1)
            ));
        }
    }
    if candidate.errors > 0 && errors.0 >= errors.1 {
        return SlotHealth::Degraded(format!("it gave no hash for {} inputs", candidate.errors));
    }
    SlotHealth::Healthy
}

fn too_slow(candidate: &SlotCounts, control: &SlotCounts, limits: &Thresholds) -> Option<String> {
    let bounds = [
        ("median", BasisPoints(5_000), limits.median_percent_max, limits.median_slack_ns),
        ("99th percentile", BasisPoints(9_900), limits.p99_percent_max, limits.p99_slack_ns),
    ];
    bounds.into_iter().find_map(|(name, part, percent, slack)| {
        let (took, usual) = (candidate.latency.quantile(part), control.latency.quantile(part));
        let bound = u128::from(usual) * u128::from(percent) / 100 + u128::from(slack);
        (u128::from(took) > bound).then(|| {
            format!("its {name} is {took} ns per hash, the control group's {usual} ns (bound: {bound} ns)")
        })
    })
}

/// Part of a whole in basis points; 0 of nothing.
fn rate(part: u64, whole: u64) -> u32 {
    let rate = u128::from(part) * 10_000 / u128::from(whole.max(1));
    u32::try_from(rate).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counts(shares: u64, ns: u64) -> SlotCounts {
        let mut counts = SlotCounts { shares, accepted: shares, ..SlotCounts::default() };
        counts.latency.record(ns, u32::try_from(shares).unwrap());
        counts
    }

    #[test]
    fn as_good_as_the_control_group_is_healthy() {
        let limits = Thresholds::default();
        let judged = |candidate: &SlotCounts| judge(candidate, &counts(1_000, 170), true, &limits);
        assert_eq!(judged(&counts(99, 170)), SlotHealth::Unknown);
        assert_eq!(judged(&counts(100, 170)), SlotHealth::Healthy);
        assert_eq!(judged(&counts(100, 900)), SlotHealth::Healthy, "wasm beside native code");
        assert!(matches!(judged(&counts(100, 17_000)), SlotHealth::Unhealthy(_)), "slow by 100 x");
    }

    #[test]
    fn each_bound_is_kept() {
        let limits = Thresholds::default();
        let control = counts(1_000, 170);
        let panicked = SlotCounts { traps: 1, ..counts(1, 170) };
        assert!(matches!(judge(&panicked, &control, true, &limits), SlotHealth::Unhealthy(_)));
        let mut stuck = counts(980, 170);
        stuck.latency.record(30_000_000, 20);
        assert!(matches!(judge(&stuck, &control, true, &limits), SlotHealth::Unhealthy(_)));
        let erring = |errors| SlotCounts { errors, ..counts(1_000, 170) };
        assert!(matches!(judge(&erring(5), &control, true, &limits), SlotHealth::Degraded(_)));
        assert!(matches!(judge(&erring(6), &control, true, &limits), SlotHealth::Unhealthy(_)));
        let refusing = |low_difficulty| SlotCounts { low_difficulty, ..counts(1_000, 170) };
        assert_eq!(judge(&refusing(50), &control, false, &limits), SlotHealth::Healthy);
        assert!(matches!(judge(&refusing(51), &control, false, &limits), SlotHealth::Unhealthy(_)));
        assert_eq!(judge(&refusing(500), &control, true, &limits), SlotHealth::Healthy, "confirmed");
    }

    #[test]
    fn without_a_control_group_time_is_not_judged() {
        let judged = judge(&counts(500, 1_000_000), &SlotCounts::default(), true, &Thresholds::default());
        assert_eq!(judged, SlotHealth::Healthy);
    }

    proptest! {
        #[test]
        fn a_quantile_is_right_to_a_quarter(ns in 16u64..1 << 36, part in 1u32..=10_000) {
            let mut histogram = LatencyHistogram::default();
            histogram.record(ns, 7);
            let quantile = histogram.quantile(BasisPoints(part));
            prop_assert!(quantile >= ns && quantile <= ns + ns / 4 + 1, "{quantile} of {ns}");
        }

        #[test]
        fn what_was_added_is_what_came_since(a in 0u64..1_000, b in 0u64..1_000, ns in 1u64..1 << 30) {
            let (before, news) = (counts(a, 100), counts(b, ns));
            let mut after = before;
            after.add(&news);
            prop_assert_eq!(after.since(&before), news);
            prop_assert_eq!(after.hashed(), a + b);
        }
    }
}
