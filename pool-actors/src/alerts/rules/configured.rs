//! The rules in force: the defaults as the configuration changes them, and its own.

use std::collections::{BTreeMap, BTreeSet};

use pool_domain::severity::Severity;

use super::{
    Bound, Rule,
    defaults::{DEFAULTS, Default, watches},
};
use crate::config::{AlertRule, Of};

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

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(text: &str) -> AlertRule {
        toml::from_str(text).unwrap()
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
