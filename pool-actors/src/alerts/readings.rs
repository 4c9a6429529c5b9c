//! What a rule sees: figures from the metrics as they are published, and how they moved.
//!
//! Rules read the same text that Prometheus reads (exposition format 0.0.4), so that any metric can be watched and what an
//! operator sees there is what the rule saw.

use std::collections::{BTreeMap, VecDeque};

use pool_domain::units::TimeMs;

use super::rules::{Bound, Rule};
use crate::config::Of;

/// One line of the exposition.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Metric, with `_sum` or `_count` for histograms.
    pub name: String,
    /// Its labels.
    pub labels: Vec<(String, String)>,
    /// Its value.
    pub value: f64,
}

impl Sample {
    fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn has(&self, wanted: &BTreeMap<String, String>) -> bool {
        wanted.iter().all(|(name, value)| match value.strip_prefix('!') {
            Some(other) => self.label(name) != Some(other),
            None => self.label(name) == Some(value),
        })
    }
}

/// The samples of the metrics that `wanted` names; lines that are none are passed over.
#[must_use]
pub fn samples(exposition: &str, wanted: impl Fn(&str) -> bool) -> Vec<Sample> {
    let is_wanted = |line: &&str| {
        let end = line.find(['{', ' ']).unwrap_or(line.len());
        !line.starts_with('#') && wanted(&line[..end])
    };
    exposition.lines().filter(is_wanted).filter_map(sample).collect()
}

fn sample(line: &str) -> Option<Sample> {
    let (name, rest) = line.split_at(line.find(['{', ' '])?);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Sample { name: name.to_owned(), labels, value })
}

/// `a="b",c="d"} rest`, with `\\`, `\"` and `\n` in the values.
fn labels(mut rest: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, after) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut chars = after.char_indices();
        loop {
            match chars.next()? {
                (at, '"') => {
                    rest = &after[at + 1..];
                    break;
                }
                (_, '\\') => value.push(match chars.next()?.1 {
                    'n' => '\n',
                    other => other,
                }),
                (_, other) => value.push(other),
            }
        }
        labels.push((name.to_owned(), value));
    }
}

/// What a rule reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Metric.
    pub metric: String,
    /// Series that count: those with these labels; a value behind `!` is one that they don't have.
    pub labels: BTreeMap<String, String>,
    /// A label whose values are looked at one by one.
    pub by: Option<String>,
    /// What of it.
    pub of: Of,
    /// Over how much time, milliseconds.
    pub over_ms: u64,
    /// Below so much (growth for `Mean` and `Part`, what it was for `Fall` and `Rise`) nothing is said.
    pub at_least: u64,
}

impl Query {
    /// Whether it needs the samples of `name`.
    #[must_use]
    pub fn needs(&self, name: &str) -> bool {
        match self.of {
            Of::Mean => name
                .strip_prefix(self.metric.as_str())
                .is_some_and(|suffix| suffix == "_sum" || suffix == "_count"),
            _ => name == self.metric,
        }
    }

    /// Numerator and denominator, by the value of `by`.
    fn sums(&self, samples: &[Sample]) -> BTreeMap<String, (f64, f64)> {
        let mut sums: BTreeMap<String, (f64, f64)> = BTreeMap::new();
        if self.by.is_none() && matches!(self.of, Of::Rate | Of::Part) {
            // A counter that was never raised is not published: it is 0 from the start, and its first growth counts.
            sums.insert(String::new(), (0.0, 0.0));
        }
        for sample in samples.iter().filter(|sample| self.needs(&sample.name)) {
            let Some(subject) = self.by.as_ref().map_or(Some(""), |by| sample.label(by)) else { continue };
            let counts = sample.has(&self.labels);
            if !counts && self.of != Of::Part {
                continue;
            }
            let sum = sums.entry(subject.to_owned()).or_default();
            match self.of {
                Of::Mean if sample.name.ends_with("_count") => sum.1 += sample.value,
                Of::Part => {
                    sum.1 += sample.value;
                    sum.0 += if counts { sample.value } else { 0.0 };
                }
                _ => sum.0 += sample.value,
            }
        }
        sums
    }
}

#[derive(Debug, Clone, Copy)]
struct Point {
    at: TimeMs,
    sum: f64,
    all: f64,
}

/// The figures of one rule over its time.
#[derive(Debug, Default)]
pub struct Readings(BTreeMap<String, VecDeque<Point>>);

impl Readings {
    /// Takes in the samples of now (a steady clock); returns the figure of each subject that has one.
    pub fn read(
        &mut self,
        Rule { query, bound, .. }: &Rule,
        samples: &[Sample],
        now: TimeMs,
    ) -> BTreeMap<String, f64> {
        let sums = query.sums(samples);
        self.0.retain(|subject, _| sums.contains_key(subject));
        let mut figures = BTreeMap::new();
        for (subject, (sum, all)) in sums {
            let points = self.0.entry(subject.clone()).or_default();
            // A counter that went back belongs to another life.
            if matches!(query.of, Of::Rate | Of::Mean | Of::Part)
                && points.back().is_some_and(|last| sum < last.sum || all < last.all)
            {
                points.clear();
            }
            points.push_back(Point { at: now, sum, all });
            // One point that is as old as the time asks for stays.
            while points.len() > 2 && now.since(points[1].at) >= query.over_ms {
                points.pop_front();
            }
            if let Some(figure) = figure(query, *bound, points, now) {
                figures.insert(subject, figure);
            }
        }
        figures
    }
}

fn figure(query: &Query, bound: Bound, points: &VecDeque<Point>, now: TimeMs) -> Option<f64> {
    let (first, last) = (points.front()?, points.back()?);
    if query.of == Of::Value {
        return Some(last.sum);
    }
    let seen_ms = now.since(first.at);
    let (grown, all) = (last.sum - first.sum, last.all - first.all);
    if seen_ms == 0 || seen_ms < query.over_ms {
        // What was not seen can only add to a rate: one that is too high already need not wait for its hour.
        let is_least = query.of == Of::Rate && matches!(bound, Bound::Above(_)) && query.over_ms > 0;
        return is_least.then(|| grown * 1_000.0 / query.over_ms as f64);
    }
    let at_least = query.at_least as f64;
    match query.of {
        Of::Value => Some(last.sum),
        Of::Rate => Some(grown * 1_000.0 / seen_ms as f64),
        Of::Mean | Of::Part => (all > 0.0 && all >= at_least).then(|| grown / all),
        Of::Fall | Of::Rise => {
            // What it was: the mean of the older half, so that one odd reading is no base.
            let older: Vec<f64> = points
                .iter()
                .filter(|point| now.since(point.at) * 2 >= query.over_ms)
                .map(|point| point.sum)
                .collect();
            let was = older.iter().sum::<f64>() / older.len() as f64;
            let moved = if query.of == Of::Fall { 1.0 - last.sum / was } else { last.sum / was };
            (was > 0.0 && was >= at_least).then_some(moved)
        }
    }
}

#[cfg(test)]
mod tests {
    use pool_domain::severity::Severity;

    use super::*;

    const TEXT: &str = "# HELP a Something\n# TYPE a counter\n\
        a{result=\"accepted\",slot=\"x \\\"1\\\" \\\\\"} 90\na{result=\"rejected\",slot=\"y\"} 10\n\
        b 2.5\nb_bucket{le=\"+Inf\"} 3\nc_sum 4\nc_count{x=\"1\"} 8\nbroken{ 1\nnone NaN\n";

    fn all(text: &str) -> Vec<Sample> {
        samples(text, |_| true)
    }

    /// Of a rule that waits for its whole time.
    fn query(metric: &str, of: Of) -> Rule {
        let query = Query {
            metric: metric.into(),
            labels: BTreeMap::new(),
            by: None,
            of,
            over_ms: 10_000,
            at_least: 0,
        };
        rule(query, Bound::Below(0.0))
    }

    fn rule(query: Query, bound: Bound) -> Rule {
        Rule {
            name: "r".into(),
            severity: Severity::Warning,
            query,
            bound,
            for_ms: 0,
            message: String::new(),
            inhibited_by: Vec::new(),
            code: None,
        }
    }

    fn only(figures: &BTreeMap<String, f64>) -> Option<f64> {
        figures.get("").copied()
    }

    #[test]
    fn the_exposition_is_read_as_prometheus_reads_it() {
        let read = all(TEXT);
        assert_eq!(read.len(), 7, "{read:?}");
        assert_eq!(read[0].labels[1], ("slot".to_owned(), "x \"1\" \\".to_owned()));
        assert_eq!((read[2].name.as_str(), read[2].value), ("b", 2.5));
        assert_eq!(samples(TEXT, |name| name == "b").len(), 1, "buckets are another name");
    }

    #[test]
    fn a_value_is_the_sum_of_its_series_or_of_those_with_the_labels() {
        let (mut readings, samples) = (Readings::default(), all(TEXT));
        assert_eq!(only(&readings.read(&query("a", Of::Value), &samples, TimeMs(1))), Some(100.0));
        let mut rejected = query("a", Of::Value);
        rejected.query.labels.insert("result".into(), "rejected".into());
        assert_eq!(only(&Readings::default().read(&rejected, &samples, TimeMs(1))), Some(10.0));
        rejected.query.labels.insert("result".into(), "!rejected".into());
        assert_eq!(only(&Readings::default().read(&rejected, &samples, TimeMs(1))), Some(90.0));
        let mut by = query("a", Of::Value);
        by.query.by = Some("result".into());
        let figures = Readings::default().read(&by, &samples, TimeMs(1));
        assert_eq!(figures, BTreeMap::from([("accepted".to_owned(), 90.0), ("rejected".to_owned(), 10.0)]));
        assert_eq!(only(&Readings::default().read(&query("absent", Of::Value), &samples, TimeMs(1))), None);
    }

    #[test]
    fn a_rate_needs_its_whole_time_and_begins_anew_when_a_counter_goes_back() {
        let mut readings = Readings::default();
        let mut at = |at: u64, value: u64| {
            only(&readings.read(&query("n", Of::Rate), &all(&format!("n {value}\n")), TimeMs(at)))
        };
        assert_eq!(at(0, 0), None);
        assert_eq!(at(5_000, 50), None);
        assert_eq!(at(10_000, 100), Some(10.0));
        assert_eq!(at(15_000, 100), Some(5.0), "of the last ten seconds");
        assert_eq!(at(20_000, 3), None, "another life");
        assert_eq!(at(30_000, 3), Some(0.0));
    }

    #[test]
    fn a_rate_that_is_too_high_already_is_said_before_its_time() {
        let hour = Query { over_ms: 3_600_000, ..query("n", Of::Rate).query };
        let rule = rule(hour, Bound::Above(0.0));
        let mut readings = Readings::default();
        let mut at =
            |at: u64, value: u64| only(&readings.read(&rule, &all(&format!("n {value}\n")), TimeMs(at)));
        assert_eq!(at(0, 7), Some(0.0), "what grew before is of another life");
        assert_eq!(at(5_000, 43), Some(0.01), "as if the rest of the hour brought nothing");
        assert_eq!(at(3_600_000, 43), Some(0.01));
        assert_eq!(at(3_605_000, 43), Some(0.0));
    }

    #[test]
    fn a_counter_that_was_never_raised_is_nought() {
        let mut readings = Readings::default();
        let mut at =
            |at: u64, text: &str| only(&readings.read(&query("n", Of::Rate), &all(text), TimeMs(at)));
        assert_eq!(at(0, ""), None);
        assert_eq!(at(10_000, ""), Some(0.0));
        assert_eq!(at(20_000, "n 5\n"), Some(0.5), "its first growth counts");
    }

    #[test]
    fn parts_and_means_say_nothing_of_too_little() {
        let mut part = query("s", Of::Part);
        part.query.at_least = 100;
        part.query.labels.insert("r".into(), "bad".into());
        let mut readings = Readings::default();
        let mut at = |at: u64, good: u64, bad: u64| {
            let text = format!("s{{r=\"good\"}} {good}\ns{{r=\"bad\"}} {bad}\n");
            only(&readings.read(&part, &all(&text), TimeMs(at)))
        };
        at(0, 0, 0);
        assert_eq!(at(10_000, 40, 40), None);
        assert_eq!(at(20_000, 340, 140), Some(0.25));
        let mut readings = Readings::default();
        let mut mean = |at: u64, sum: f64, count: u64| {
            let text = format!("h_sum {sum}\nh_count {count}\n");
            only(&readings.read(&query("h", Of::Mean), &all(&text), TimeMs(at)))
        };
        mean(0, 1.0, 10);
        assert_eq!(mean(10_000, 3.0, 14), Some(0.5));
        assert_eq!(mean(20_000, 3.0, 14), None, "nothing was measured");
    }

    #[test]
    fn a_fall_is_measured_from_what_it_was() {
        let mut fall = query("g", Of::Fall);
        fall.query.at_least = 10;
        let mut readings = Readings::default();
        let mut at =
            |at: u64, value: f64| only(&readings.read(&fall, &all(&format!("g {value}\n")), TimeMs(at)));
        for second in 0..10 {
            assert_eq!(at(second * 1_000, 100.0), None);
        }
        assert_eq!(at(10_000, 100.0), Some(0.0));
        assert_eq!(at(11_000, 25.0), Some(0.75));
        for second in 12..30 {
            at(second * 1_000, 25.0);
        }
        assert_eq!(at(30_000, 25.0), Some(0.0), "that is what it is now");
        let mut few = Readings::default();
        few.read(&fall, &all("g 5\n"), TimeMs(0));
        assert_eq!(only(&few.read(&fall, &all("g 0\n"), TimeMs(10_000))), None, "a handful is no base");
    }
}
