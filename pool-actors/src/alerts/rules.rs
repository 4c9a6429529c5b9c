//! The rules: which figure is watched, where it becomes trouble, and what is said then.

use std::collections::BTreeMap;

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
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        let series =
            if labels.is_empty() { metric.clone() } else { format!("{metric}{{{}}}", labels.join(",")) };
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
    Ok(rules)
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
    query.over_ms = wanted.over_s.map_or(query.over_ms, |s| s * 1_000);
    query.at_least = wanted.at_least.unwrap_or(query.at_least);
    rule.severity = wanted.severity.unwrap_or(rule.severity);
    rule.for_ms = wanted.for_s.map_or(rule.for_ms, |s| s * 1_000);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(text: &str) -> AlertRule {
        toml::from_str(text).unwrap()
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
        let twice = wanted("name = \"many_bans\"");
        assert!(rules(&[twice.clone(), twice]).unwrap_err().contains("of its own"));
    }
}
