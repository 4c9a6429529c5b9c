//! A histogram as a Prometheus page shows it.

use std::collections::BTreeMap;

/// Counts by upper bound, without labels.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Histogram {
    /// Cumulative, by the bound as it is written.
    buckets: BTreeMap<String, u64>,
    sum_s: f64,
}

impl Histogram {
    /// Reads `name` from a page; empty if it is not there. Histograms of one name and other labels are added up.
    pub(super) fn read(page: &str, name: &str) -> Self {
        let mut histogram = Self::default();
        for line in page.lines() {
            let Some((what, value)) = line.strip_prefix(name).and_then(|rest| rest.rsplit_once(' ')) else {
                continue;
            };
            if let Some((_, bound)) =
                what.strip_prefix("_bucket{").and_then(|labels| labels.split_once("le=\""))
            {
                let bound = bound.split('"').next().unwrap_or_default();
                *histogram.buckets.entry(bound.to_owned()).or_default() += value.parse().unwrap_or(0);
            } else if what.starts_with("_sum") {
                histogram.sum_s += value.parse().unwrap_or(0.0);
            }
        }
        histogram
    }

    /// What came after `before` was read.
    pub(super) fn since(mut self, before: &Self) -> Self {
        for (bound, count) in &mut self.buckets {
            *count = count.saturating_sub(before.buckets.get(bound).copied().unwrap_or(0));
        }
        self.sum_s -= before.sum_s;
        self
    }

    pub(super) fn count(&self) -> u64 {
        self.buckets.values().copied().max().unwrap_or(0)
    }

    pub(super) fn mean_ms(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a few jobs")]
        let count = self.count().max(1) as f64;
        self.sum_s * 1e3 / count
    }

    /// The lowest bound that holds all; `None` if there is nothing, or something above every bound.
    pub(super) fn bound_ms(&self) -> Option<f64> {
        let count = self.count();
        let holding = self.buckets.iter().filter(|(_, held)| count > 0 && **held == count);
        let bounds =
            holding.filter_map(|(bound, _)| bound.parse::<f64>().ok()).filter(|bound| bound.is_finite());
        bounds.reduce(f64::min).map(|bound| bound * 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_meanwhile_is_told() {
        let page = |small: u64, all: u64, sum: f64| {
            format!(
                "# TYPE q_seconds histogram\nq_seconds_bucket{{seat=\"0\",le=\"0.005\"}} {small}\n\
                 q_seconds_bucket{{seat=\"0\",le=\"0.01\"}} {all}\nq_seconds_bucket{{seat=\"0\",le=\"+Inf\"}} {all}\n\
                 q_seconds_sum{{seat=\"0\"}} {sum}\nq_seconds_count{{seat=\"0\"}} {all}\nother_bucket{{le=\"0.5\"}} 9\n"
            )
        };
        let before = Histogram::read(&page(1, 2, 0.01), "q_seconds");
        let later = Histogram::read(&page(4, 6, 0.05), "q_seconds");
        let news = later.since(&before);
        assert_eq!((news.count(), news.bound_ms()), (4, Some(10.0)));
        assert!((news.mean_ms() - 10.0).abs() < 1e-9);
        let nothing = Histogram::read("", "q_seconds");
        assert_eq!((nothing.count(), nothing.bound_ms()), (0, None));
    }
}
