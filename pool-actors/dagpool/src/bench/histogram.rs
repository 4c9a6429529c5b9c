//! Latencies in log-linear buckets: 64 for each power of two, so that a value is known to within 1.6%, in integers.

const SUB_BITS: u32 = 6;
const SUB: u64 = 1 << SUB_BITS;
const BUCKETS: usize = ((64 - SUB_BITS as usize) + 1) << SUB_BITS;

/// Counts of values, in nanoseconds.
#[derive(Debug, Clone)]
pub(super) struct Histogram {
    buckets: Box<[u64]>,
    count: u64,
    sum: u128,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: vec![0; BUCKETS].into_boxed_slice(), count: 0, sum: 0, max: 0 }
    }
}

/// The bucket of a value. There are fewer than 4,000, so nothing is cut off.
#[expect(clippy::cast_possible_truncation, reason = "below BUCKETS")]
fn bucket(value: u64) -> usize {
    if value < SUB {
        return value as usize;
    }
    let shift = value.ilog2() - SUB_BITS;
    ((u64::from(shift + 1) << SUB_BITS) + ((value >> shift) & (SUB - 1))) as usize
}

/// The greatest value of a bucket.
fn upper(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < SUB {
        return bucket;
    }
    let shift = (bucket >> SUB_BITS) - 1;
    let lower = ((bucket & (SUB - 1)) | SUB) << shift;
    lower + ((1 << shift) - 1)
}

impl Histogram {
    /// Counts a value.
    pub(super) fn record(&mut self, value: u64) {
        self.buckets[bucket(value)] += 1;
        self.count += 1;
        self.sum += u128::from(value);
        self.max = self.max.max(value);
    }

    /// Adds what another one counted.
    pub(super) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.count += other.count;
        self.sum += other.sum;
        self.max = self.max.max(other.max);
    }

    /// How many values were counted.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The mean of all values; 0 when there are none.
    pub(super) fn mean(&self) -> u64 {
        u64::try_from(self.sum / u128::from(self.count.max(1))).unwrap_or(u64::MAX)
    }

    /// The value that `per_mille` of 1,000 values do not exceed; 0 when there are none.
    pub(super) fn quantile(&self, per_mille: u64) -> u64 {
        let rank = (u128::from(self.count) * u128::from(per_mille)).div_ceil(1_000);
        let mut below = 0_u128;
        for (index, count) in self.buckets.iter().enumerate() {
            below += u128::from(*count);
            if below >= rank && *count > 0 {
                return upper(index).min(self.max);
            }
        }
        self.max
    }

    /// The usual five, in microseconds.
    pub(super) fn percentiles(&self) -> Percentiles {
        let micros = |per_mille| self.quantile(per_mille) / 1_000;
        Percentiles {
            p50: micros(500),
            p90: micros(900),
            p99: micros(990),
            p99_9: micros(999),
            max: self.max / 1_000,
        }
    }
}

/// Microseconds.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub(super) struct Percentiles {
    /// Half of all values do not exceed it.
    pub(super) p50: u64,
    /// 90%.
    pub(super) p90: u64,
    /// 99%.
    pub(super) p99: u64,
    /// 99.9%.
    pub(super) p99_9: u64,
    /// The greatest.
    pub(super) max: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_known_to_within_one_in_64() {
        for value in [0, 1, 63, 64, 65, 127, 128, 1_000, 123_456_789, u64::MAX / 3, u64::MAX] {
            let above = upper(bucket(value));
            assert!(above >= value && above - value <= value / 64, "{value} -> {above}");
        }
        let indexes: Vec<_> = (0..100_000).map(bucket).collect();
        assert!(indexes.is_sorted());
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_of_a_known_row() {
        let mut low = Histogram::default();
        let mut high = Histogram::default();
        (1..=500).for_each(|value| low.record(value));
        (501..=1_000).for_each(|value| high.record(value));
        low.merge(&high);
        let near = |got: u64, want: u64| got >= want && got <= want + want / 64 + 1;
        assert!(near(low.quantile(500), 500) && near(low.quantile(990), 990) && near(low.quantile(1), 1));
        assert_eq!((low.quantile(1_000), Histogram::default().quantile(500)), (1_000, 0));
    }
}
