//! The rules: which figure is watched, where it becomes trouble, and what is said then.

use std::collections::{BTreeMap, BTreeSet};

use pool_domain::{catalogue::Code, severity::Severity};

use super::readings::Query;
use crate::{
    config::{AlertRule, Of},
    messages::alert::RuleView,
};

/// On which side of the threshold is trouble.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// Above it.
    Above(f64),
    /// Below it.
    Below(f64),
}

impl Bound {
    fn is_crossed(self, figure: f64) -> bool {
        match self {
            Self::Above(threshold) => figure > threshold,
            Self::Below(threshold) => figure < threshold,
        }
    }
}

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// How bad.
    pub severity: Severity,
    /// What it reads.
    pub query: Query,
    /// Where trouble begins.
    pub bound: Bound,
    /// How long that must hold before it fires, milliseconds; half of that, and it is over.
    pub for_ms: u64,
    /// What it says; `{value}` and `{subject}` are filled in.
    pub message: String,
    /// Rules whose alerts explain its own.
    pub inhibited_by: Vec<String>,
    /// Code of the error that it is about: the page that explains it, and an error event that is not said twice.
    pub code: Option<Code>,
}

impl Rule {
    /// Whether `figure` is trouble.
    #[must_use]
    pub fn is_crossed(&self, figure: f64) -> bool {
        self.bound.is_crossed(figure)
    }

    /// What is said of a figure.
    #[must_use]
    pub fn says(&self, subject: &str, figure: f64) -> String {
        self.message.replace("{value}", &number(figure)).replace("{subject}", subject)
    }

    /// Where it is explained.
    #[must_use]
    pub fn page(&self) -> String {
        self.code.map_or_else(|| "/docs/errors".to_owned(), |code| format!("/docs/errors/{}", code.as_str()))
    }

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

    /// As people see it.
    #[must_use]
    pub fn view(&self, value: Option<f64>) -> RuleView {
        RuleView {
            name: self.name.clone(),
            severity: self.severity,
            condition: self.condition(),
            for_s: self.for_ms / 1_000,
            message: self.message.clone(),
            inhibited_by: self.inhibited_by.clone(),
            value,
        }
    }

    fn condition(&self) -> String {
        let Query { metric, labels, of, over_ms, .. } = &self.query;
        let series = selected(metric, labels);
        let over = over_ms / 1_000;
        let what = match of {
            Of::Value => series,
            Of::Rate => format!("growth of {series} per second over {over} s"),
            Of::Mean => format!("mean of {series} over {over} s"),
            Of::Part => format!("part of {series} in all of it over {over} s"),
            Of::Fall => format!("fall of {series} within {over} s"),
            Of::Rise => format!("rise of {series} within {over} s"),
        };
        match self.bound {
            Bound::Above(threshold) => format!("{what} > {}", number(threshold)),
            Bound::Below(threshold) => format!("{what} < {}", number(threshold)),
        }
    }
}

/// The series of a metric that count, in Prometheus' language.
fn selected(metric: &str, labels: &BTreeMap<String, String>) -> String {
    if labels.is_empty() {
        return metric.to_owned();
    }
    let written = |(name, value): (&String, &String)| match value.strip_prefix('!') {
        Some(other) => format!("{name}!=\"{other}\""),
        None => format!("{name}=\"{value}\""),
    };
    let labels: Vec<String> = labels.iter().map(written).collect();
    format!("{metric}{{{}}}", labels.join(","))
}

/// A figure as people read it.
fn number(figure: f64) -> String {
    if figure == figure.trunc() && figure.abs() < 1e15 {
        format!("{figure:.0}")
    } else {
        format!("{figure:.3}")
    }
}

/// A rule that is there from the start.
struct Default {
    name: &'static str,
    severity: Severity,
    metric: &'static str,
    labels: &'static [(&'static str, &'static str)],
    of: Of,
    over_s: u64,
    at_least: u64,
    bound: Bound,
    for_s: u64,
    message: &'static str,
    inhibited_by: &'static [&'static str],
    code: Option<Code>,
}

const fn watches(name: &'static str, severity: Severity, metric: &'static str, bound: Bound) -> Default {
    Default {
        name,
        severity,
        metric,
        labels: &[],
        of: Of::Value,
        over_s: 0,
        at_least: 0,
        bound,
        for_s: 30,
        message: "",
        inhibited_by: &[],
        code: None,
    }
}

/// The critical and warning classes of what goes wrong in a pool. What has no figure comes as an error event.
const DEFAULTS: &[Default] = &[
    Default {
        for_s: 10,
        message: "no node can be mined on: miners are without work",
        code: Some(Code::NodeUnusable),
        ..watches("node_not_ready", Severity::Critical, "dagpool_node_ready", Bound::Below(1.0))
    },
    Default {
        for_s: 10,
        message: "the template that miners work on is {value} s old: the node gives no newer one",
        inhibited_by: &["node_not_ready"],
        ..watches("template_old", Severity::Critical, "dagpool_template_age_seconds", Bound::Above(180.0))
    },
    Default {
        for_s: 10,
        message: "the database does not answer: balances, blocks and payouts stand still, shares are kept in the journal",
        code: Some(Code::StoreUnavailable),
        ..watches("database_away", Severity::Critical, "dagpool_db_up", Bound::Below(1.0))
    },
    Default {
        for_s: 0,
        message: "the books do not balance, or an audit found something: payouts should be held until it is understood",
        ..watches("ledger_imbalance", Severity::Critical, "dagpool_ledger_imbalance", Bound::Above(0.0))
    },
    Default {
        for_s: 0,
        message: "the books do not balance: payouts should be held until it is understood",
        ..watches("ledger_deficit", Severity::Critical, "dagpool_ledger_imbalance", Bound::Below(0.0))
    },
    Default {
        for_s: 120,
        message: "payouts do not go on: the wallet or the node is in the way; what is owed stays in the books",
        inhibited_by: &["database_away", "node_not_ready"],
        code: Some(Code::PayoutsUnavailable),
        ..watches("payouts_in_trouble", Severity::Critical, "dagpool_payouts_in_trouble", Bound::Above(0.0))
    },
    Default {
        message: "{value} shares wait in the journal for the ledger: balances are behind",
        inhibited_by: &["database_away"],
        for_s: 60,
        ..watches("ledger_behind", Severity::Warning, "dagpool_journal_lag_shares", Bound::Above(1_000_000.0))
    },
    Default {
        message: "the cache does not answer: bans, limits and events are not shared with other pools",
        code: Some(Code::CacheUnavailable),
        ..watches("cache_away", Severity::Error, "dagpool_cache_up", Bound::Below(1.0))
    },
    Default {
        of: Of::Fall,
        over_s: 300,
        at_least: 10,
        message: "part {value} of all miner connections went within five minutes",
        inhibited_by: &["node_not_ready"],
        ..watches("miners_leave", Severity::Warning, "dagpool_connections", Bound::Above(0.3))
    },
    Default {
        of: Of::Fall,
        over_s: 600,
        at_least: 1,
        message: "the pool's hash rate fell by part {value} within ten minutes",
        inhibited_by: &["node_not_ready", "miners_leave"],
        ..watches("hashrate_falls", Severity::Warning, "dagpool_hashrate", Bound::Above(0.5))
    },
    Default {
        labels: &[("result", "rejected")],
        of: Of::Part,
        over_s: 300,
        at_least: 1_000,
        message: "part {value} of all shares of the last five minutes was rejected",
        inhibited_by: &["node_not_ready"],
        ..watches("many_rejects", Severity::Warning, "dagpool_shares_total", Bound::Above(0.05))
    },
    Default {
        of: Of::Mean,
        over_s: 60,
        at_least: 100,
        message: "a share waits {value} s for its answer on average: the machine or the disk is too slow",
        ..watches("slow_answers", Severity::Warning, "dagpool_share_ack_seconds", Bound::Above(0.1))
    },
    Default {
        of: Of::Mean,
        over_s: 60,
        at_least: 10,
        message: "one commit of the journal takes {value} s on average: the disk is too slow",
        ..watches("slow_disk", Severity::Warning, "dagpool_journal_commit_seconds", Bound::Above(0.1))
    },
    Default {
        of: Of::Mean,
        over_s: 120,
        at_least: 5,
        message: "the node takes {value} s to answer on average: jobs are late",
        ..watches("slow_node", Severity::Warning, "dagpool_node_rpc_seconds", Bound::Above(1.0))
    },
    Default {
        labels: &[("stage", "rejected")],
        of: Of::Rate,
        over_s: 3_600,
        for_s: 0,
        message: "more than three blocks of the last hour were refused by the node: their rewards are lost",
        ..watches("blocks_refused", Severity::Critical, "dagpool_blocks_total", Bound::Above(3.5 / 3_600.0))
    },
    Default {
        // Who shows no token guesses at nothing: a crawler does that all day.
        labels: &[("reason", "!no_token")],
        of: Of::Rate,
        over_s: 60,
        for_s: 0,
        message: "{value} log-ins or tokens a second are refused: somebody is guessing",
        ..watches("many_refused_log_ins", Severity::Warning, "dagpool_auth_failures_total", Bound::Above(1.0))
    },
    Default {
        of: Of::Rate,
        over_s: 60,
        for_s: 0,
        message: "{value} addresses a second are banned: the pool is under attack, or its rules are too strict",
        ..watches("many_bans", Severity::Warning, "dagpool_bans_total", Bound::Above(1.0))
    },
    Default {
        labels: &[("outcome", "given_up")],
        of: Of::Rate,
        over_s: 60,
        for_s: 0,
        message: "{value} lines of figures a second are given up: the server of [influx] is away for too long",
        ..watches("series_lost", Severity::Warning, "dagpool_influx_lines_total", Bound::Above(0.0))
    },
    Default {
        for_s: 10,
        message: "only part {value} of the data folder's disk is free: when it is full, no share can be kept and the pool stops",
        ..watches("disk_full", Severity::Critical, "dagpool_disk_free_ratio", Bound::Below(0.02))
    },
    Default {
        for_s: 60,
        message: "only part {value} of the data folder's disk is free: make room, or lower journal.disk_budget_bytes",
        inhibited_by: &["disk_full"],
        ..watches("disk_nearly_full", Severity::Warning, "dagpool_disk_free_ratio", Bound::Below(0.05))
    },
    Default {
        for_s: 10,
        message: "part {value} of the file descriptors is in use: soon nobody can connect any more; raise the limit (ulimit -n)",
        ..watches("files_nearly_used_up", Severity::Error, "dagpool_fds_used_ratio", Bound::Above(0.9))
    },
    Default {
        for_s: 60,
        message: "the pool uses part {value} of the memory that it may use: beyond all of it, the system ends it",
        ..watches("memory_nearly_used_up", Severity::Error, "dagpool_memory_used_ratio", Bound::Above(0.9))
    },
];

impl Default {
    fn rule(&self) -> Rule {
        Rule {
            name: self.name.to_owned(),
            severity: self.severity,
            query: Query {
                metric: self.metric.to_owned(),
                labels: self
                    .labels
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                    .collect(),
                by: None,
                of: self.of,
                over_ms: self.over_s * 1_000,
                at_least: self.at_least,
            },
            bound: self.bound,
            for_ms: self.for_s * 1_000,
            message: self.message.to_owned(),
            inhibited_by: self.inhibited_by.iter().map(|name| (*name).to_owned()).collect(),
            code: self.code,
        }
    }
}

/// Names of the rules that are there from the start.
pub fn default_names() -> impl Iterator<Item = &'static str> {
    DEFAULTS.iter().map(|rule| rule.name)
}

/// The rules in force: the defaults as `configured` changes them, then those of its own.
///
/// # Errors
/// What is wrong with the first that can't work.
pub fn rules(configured: &[AlertRule]) -> Result<Vec<Rule>, String> {
    let mut rules: Vec<Rule> = DEFAULTS.iter().map(Default::rule).collect();
    let mut seen = BTreeMap::new();
    for wanted in configured {
        let name = wanted.name.as_str();
        if name.is_empty() || seen.insert(name, ()).is_some() {
            return Err(format!("alerts.rule {name:?}: every rule needs a name of its own"));
        }
        if !wanted.enabled {
            let before = rules.len();
            rules.retain(|rule| rule.name != name);
            if rules.len() == before {
                return Err(format!("alerts.rule {name:?} is switched off, and there is no such rule"));
            }
        } else if let Some(known) = rules.iter_mut().find(|rule| rule.name == name) {
            *known = changed(known.clone(), wanted)?;
        } else {
            rules.push(changed(blank(name), wanted)?);
        }
    }
    for rule in &rules {
        if let Some(unknown) =
            rule.inhibited_by.iter().find(|name| !rules.iter().any(|rule| rule.name == **name))
        {
            // A default whose explanation was switched off goes on without it.
            if configured.iter().all(|wanted| wanted.name != *unknown) {
                return Err(format!(
                    "alerts.rule {:?}: inhibited_by names {unknown:?}, which is no rule",
                    rule.name
                ));
            }
        }
    }
    if let Some(circle) = rules.iter().find(|rule| explains_itself(rule, &rules)) {
        return Err(format!(
            "alerts.rule {:?}: inhibited_by leads back to it, so that nobody would be told of either",
            circle.name
        ));
    }
    Ok(rules)
}

/// Whether what explains a rule's alerts is, in the end, that rule.
fn explains_itself(rule: &Rule, rules: &[Rule]) -> bool {
    let mut seen = BTreeSet::new();
    let mut next: Vec<&str> = rule.inhibited_by.iter().map(String::as_str).collect();
    while let Some(name) = next.pop() {
        if name == rule.name {
            return true;
        }
        if seen.insert(name) {
            let known = rules.iter().filter(|known| known.name == name);
            next.extend(known.flat_map(|known| &known.inhibited_by).map(String::as_str));
        }
    }
    false
}

fn blank(name: &str) -> Rule {
    Rule {
        name: name.to_owned(),
        message: format!("{name}: {{value}}"),
        ..watches("", Severity::Warning, "", Bound::Above(f64::NAN)).rule()
    }
}

fn changed(mut rule: Rule, wanted: &AlertRule) -> Result<Rule, String> {
    let name = &wanted.name;
    let query = &mut rule.query;
    if let Some(metric) = &wanted.metric {
        query.metric.clone_from(metric);
    }
    if !wanted.labels.is_empty() {
        query.labels = wanted.labels.clone();
    }
    query.by = wanted.by.clone().or(query.by.take());
    query.of = wanted.of.unwrap_or(query.of);
    query.over_ms = wanted.over_s.map_or(query.over_ms, |s| s.saturating_mul(1_000));
    query.at_least = wanted.at_least.unwrap_or(query.at_least);
    rule.severity = wanted.severity.unwrap_or(rule.severity);
    rule.for_ms = wanted.for_s.map_or(rule.for_ms, |s| s.saturating_mul(1_000));
    rule.bound = match (wanted.above, wanted.below) {
        (Some(_), Some(_)) => {
            return Err(format!("alerts.rule {name:?} has both above and below: make two rules of it"));
        }
        (Some(above), None) => Bound::Above(above.0),
        (None, Some(below)) => Bound::Below(below.0),
        (None, None) => rule.bound,
    };
    if let Some(message) = &wanted.message {
        rule.message.clone_from(message);
    }
    if let Some(inhibited_by) = &wanted.inhibited_by {
        rule.inhibited_by.clone_from(inhibited_by);
    }
    let (Bound::Above(threshold) | Bound::Below(threshold)) = rule.bound;
    if rule.query.metric.is_empty() {
        return Err(format!("alerts.rule {name:?} has no metric; /metrics lists them"));
    }
    if !threshold.is_finite() {
        return Err(format!("alerts.rule {name:?} has neither above nor below"));
    }
    if rule.query.of != Of::Value && rule.query.over_ms == 0 {
        return Err(format!("alerts.rule {name:?} looks at a change and needs over_s"));
    }
    Ok(rule)
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

    fn wanted(text: &str) -> AlertRule {
        toml::from_str(text).unwrap()
    }

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

    #[test]
    fn every_default_rule_watches_a_metric_that_there_is() {
        let source = include_str!("../metrics.rs");
        for rule in rules(&[]).unwrap() {
            assert!(source.contains(&format!("\"{}\"", rule.query.metric)), "{}", rule.name);
            assert!(!rule.message.is_empty(), "{}", rule.name);
        }
    }

    #[test]
    fn who_shows_no_token_is_not_said_to_guess() {
        let all = rules(&[]).unwrap();
        let rule = all.iter().find(|rule| rule.name == "many_refused_log_ins").unwrap();
        let mut readings = super::super::readings::Readings::default();
        let mut figure = |at: u64, none: u64, wrong: u64| {
            let text = format!(
                "dagpool_auth_failures_total{{reason=\"no_token\"}} {none}\n\
                 dagpool_auth_failures_total{{reason=\"wrong_token\"}} {wrong}\n"
            );
            let samples = super::super::readings::samples(&text, |_| true);
            readings.read(rule, &samples, pool_domain::units::TimeMs(at)).values().next().copied()
        };
        figure(0, 0, 0);
        assert_eq!(figure(60_000, 6_000, 0), Some(0.0), "a crawler");
        assert_eq!(figure(120_000, 12_000, 120), Some(2.0), "somebody who guesses");
    }

    #[test]
    fn a_default_can_be_changed_and_switched_off_and_others_added() {
        let changed = rules(&[
            wanted("name = \"node_not_ready\"\nfor_s = 1\nseverity = \"warning\""),
            wanted("name = \"miners_leave\"\nenabled = false"),
            wanted("name = \"crowd\"\nmetric = \"dagpool_connections\"\nabove = 100.0"),
        ])
        .unwrap();
        let find = |name: &str| changed.iter().find(|rule| rule.name == name);
        let node = find("node_not_ready").unwrap();
        assert_eq!((node.for_ms, node.severity, node.bound), (1_000, Severity::Warning, Bound::Below(1.0)));
        assert!(find("miners_leave").is_none());
        let crowd = find("crowd").unwrap();
        assert!(crowd.is_crossed(100.5) && !crowd.is_crossed(100.0));
        assert_eq!(crowd.says("", 101.0), "crowd: 101");
        assert_eq!(crowd.view(None).condition, "dagpool_connections > 100");
    }

    #[test]
    fn a_rule_that_cannot_work_is_named() {
        for (text, said) in [
            ("name = \"\"\nmetric = \"m\"\nabove = 1.0", "a name"),
            ("name = \"x\"\nabove = 1.0", "no metric"),
            ("name = \"x\"\nmetric = \"m\"", "neither above nor below"),
            ("name = \"x\"\nmetric = \"m\"\nabove = 1.0\nbelow = 0.0", "both above and below"),
            ("name = \"x\"\nmetric = \"m\"\nof = \"rate\"\nabove = 1.0", "over_s"),
            ("name = \"x\"\nenabled = false", "no such rule"),
            ("name = \"x\"\nmetric = \"m\"\nabove = 1.0\ninhibited_by = [\"y\"]", "\"y\", which is no rule"),
        ] {
            let error = rules(&[wanted(text)]).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
        let by = |name: &str, other: &str| {
            wanted(&format!("name = \"{name}\"\nmetric = \"m\"\nabove = 1.0\ninhibited_by = [\"{other}\"]"))
        };
        for circle in [vec![by("a", "a")], vec![by("a", "b"), by("b", "c"), by("c", "b")]] {
            assert!(rules(&circle).unwrap_err().contains("leads back to it"));
        }
        assert!(rules(&[by("a", "b"), by("b", "node_not_ready")]).is_ok());
        let long =
            wanted("name = \"many_bans\"\nfor_s = 18446744073709551615\nover_s = 18446744073709551615");
        assert!(rules(&[long]).is_ok());
        let twice = wanted("name = \"many_bans\"");
        assert!(rules(&[twice.clone(), twice]).unwrap_err().contains("of its own"));
    }
}
