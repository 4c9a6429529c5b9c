//! The rules for Prometheus: for those who watch pools from outside.

use super::{
    Bound, Rule,
    defaults::{DEFAULTS, Default},
    selected,
};
use crate::{alerts::readings::Query, config::Of};

impl Rule {
    /// What it looks at, in Prometheus' language, for each pool by itself.
    fn promql(&self) -> String {
        let Query { metric, labels, of, over_ms, at_least, .. } = &self.query;
        let over = over_ms / 1_000;
        let series = |metric: &str, with_labels: bool| {
            if with_labels { selected(metric, labels) } else { metric.to_owned() }
        };
        let sum = |of: &str| format!("sum by (instance) ({of})");
        let grown = |of: &str| sum(&format!("increase({of}[{over}s])"));
        let enough =
            |of: &str| if *at_least == 0 { String::new() } else { format!(" and {of} >= {at_least}") };
        let (figure, condition) = match of {
            Of::Value => (sum(&series(metric, true)), String::new()),
            Of::Rate => (sum(&format!("rate({}[{over}s])", series(metric, true))), String::new()),
            Of::Mean => {
                let all = grown(&series(&format!("{metric}_count"), true));
                (format!("{} / {all}", grown(&series(&format!("{metric}_sum"), true))), enough(&all))
            }
            Of::Part => {
                let all = grown(&series(metric, false));
                (format!("{} / {all}", grown(&series(metric, true))), enough(&all))
            }
            Of::Fall | Of::Rise => {
                let now = sum(&series(metric, true));
                let was = format!("avg_over_time({now}[{half}s:5s] offset {half}s)", half = over / 2);
                let moved =
                    if *of == Of::Fall { format!("1 - {now} / {was}") } else { format!("{now} / {was}") };
                (moved, enough(&was))
            }
        };
        match self.bound {
            Bound::Above(threshold) => format!("{figure} > {threshold}{condition}"),
            Bound::Below(threshold) => format!("{figure} < {threshold}{condition}"),
        }
    }
}

/// The rules that are there from the start, as a file of rules for Prometheus: for those who watch pools from outside. What
/// another rule explains does not fire there either.
#[must_use]
pub fn for_prometheus() -> String {
    let mut text = String::from(
        "# The pool's own alerts (pool-actors/docs/alerts.md) as rules of Prometheus. Made from alerts/rules.rs, where they are\n\
         # changed; a test compares the two. Those of an alert's inhibited_by are behind `unless`.\ngroups:\n\
         - name: dagpool\n  interval: 5s\n  rules:\n",
    );
    // Whoever explains comes first: then one evaluation is enough.
    let mut rules: Vec<Rule> = DEFAULTS.iter().map(Default::rule).collect();
    rules.sort_by_key(|rule| rule.inhibited_by.len());
    for rule in &rules {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let message = rule.message.replace("{value}", "{{ $value | humanize }}").replace("{subject}", "");
        let mut expression = rule.promql();
        for other in &rule.inhibited_by {
            expression +=
                &format!(" unless on (instance) ALERTS{{alertname=\"{other}\",alertstate=\"firing\"}}");
        }
        text += &format!(
            "  - alert: {}\n    expr: {}\n    for: {}s\n    labels: {{ severity: {} }}\n    annotations:\n      \
             summary: {}\n      page: {}\n",
            rule.name,
            quoted(&expression),
            rule.for_ms / 1_000,
            rule.severity.as_str(),
            quoted(&message),
            quoted(&rule.page()),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With DAGPOOL_WRITE=1 the file is made anew.
    #[test]
    fn the_file_of_rules_for_prometheus_is_made_from_these() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/monitoring/prometheus/rules/alerts.yml");
        let wanted = for_prometheus();
        if std::env::var_os("DAGPOOL_WRITE").is_some() {
            std::fs::write(path, &wanted).unwrap();
        }
        let there = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            there == wanted,
            "{path} is not of these rules; DAGPOOL_WRITE=1 and this test write it:\n{wanted}"
        );
    }
}
