//! The configuration as people see it: every key with its value, where that comes from, and whether it can change while the
//! pool runs. Secrets are not in it.

use serde::Serialize;
use serde_json::Value;

use super::{Config, Source, Sources, changes, load::SECTIONS};

/// What is shown instead of a secret.
const HIDDEN: &str = "***";

/// A section.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SectionView {
    /// As in the file.
    pub name: &'static str,
    /// Its keys in order.
    pub keys: Vec<KeyView>,
}

/// A key.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeyView {
    /// As in the file.
    pub name: &'static str,
    /// What is in force; `***` for a secret, null where nothing is set.
    pub value: Value,
    /// What would be, if nobody had set it.
    pub default: Value,
    /// "default", "file", "environment", or "command" for what `dagpool demo` sets.
    pub source: &'static str,
    /// The variable, if it is the environment.
    pub variable: Option<String>,
    /// It can change while the pool runs.
    pub live: bool,
    /// What it means.
    pub doc: String,
}

/// Every section, in the order of the example file.
#[must_use]
pub fn view(config: &Config, sources: &Sources) -> Vec<SectionView> {
    let shown = |config: &Config| {
        let mut value = serde_json::to_value(config).expect("a configuration of plain values serialises");
        hide(&mut value);
        value
    };
    let (running, defaults) = (shown(config), shown(&Config::default()));
    let sections = SECTIONS.iter().map(|(section, keys)| {
        let keys = keys.iter().map(|key| {
            let path = format!("{section}.{}", key.name);
            let (value, default) = (&running[section][key.name], &defaults[section][key.name]);
            let (source, variable) = match sources.get(&path) {
                Some(Source::File) => ("file", None),
                Some(Source::Environment(name)) => ("environment", Some(name.clone())),
                None if value == default => ("default", None),
                None => ("command", None),
            };
            KeyView {
                name: key.name,
                value: value.clone(),
                default: default.clone(),
                source,
                variable,
                live: changes::is_live(&path),
                doc: key.doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" "),
            }
        });
        SectionView { name: section, keys: keys.collect() }
    });
    sections.collect()
}

/// Of an address with user and password, the password.
pub(super) fn hide_password(text: &mut String) {
    if let Some((scheme, rest)) = text.split_once("://")
        && let Some((user, place)) = rest.rsplit_once('@')
        && let Some((name, _)) = user.split_once(':')
    {
        *text = format!("{scheme}://{name}:{HIDDEN}@{place}");
    }
}

/// Secrets hide themselves; an address of a node may hold a password all the same.
fn hide(value: &mut Value) {
    match value {
        Value::String(text) => hide_password(text),
        Value::Array(items) => items.iter_mut().for_each(hide),
        Value::Object(fields) => fields.values_mut().for_each(hide),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Secret, *};

    fn key<'a>(sections: &'a [SectionView], path: &str) -> &'a KeyView {
        let (section, key) = path.split_once('.').unwrap();
        let section = sections.iter().find(|known| known.name == section).unwrap();
        section.keys.iter().find(|known| known.name == key).unwrap()
    }

    #[test]
    fn every_key_is_there_with_its_source_and_no_secret_is() {
        let mut config = Config::default();
        config.pool.name = "Ours".into();
        config.chain.nodes = vec!["http://rpc:hush@node:1".into(), "http://node:2".into()];
        config.chain.rpc_password = Some(Secret::new("hush"));
        config.store.url = "postgres://pool:hush@db/money".into();
        config.alerts.channel =
            vec![super::super::AlertChannel { secret: Some(Secret::new("hush")), ..Default::default() }];
        config.algorithms.active = "blake3".into();
        let sources = [
            ("chain.nodes", Source::File),
            ("chain.rpc_password", Source::Environment("DAGPOOL__CHAIN__RPC_PASSWORD".into())),
        ];
        let sources = sources.map(|(key, source)| (key.to_owned(), source)).into();
        let sections = view(&config, &sources);
        let counted: usize = sections.iter().map(|section| section.keys.len()).sum();
        let wanted: usize = SECTIONS.iter().map(|(_, keys)| keys.len()).sum();
        assert_eq!(counted, wanted);
        let all = serde_json::to_string(&sections).unwrap();
        assert!(!all.contains("hush"), "{all}");
        assert_eq!(key(&sections, "chain.nodes").value[0], "http://rpc:***@node:1");
        assert_eq!(key(&sections, "chain.nodes").source, "file");
        let password = key(&sections, "chain.rpc_password");
        assert_eq!((&password.value, password.source), (&Value::from("***"), "environment"));
        assert_eq!(password.variable.as_deref(), Some("DAGPOOL__CHAIN__RPC_PASSWORD"));
        assert_eq!(key(&sections, "algorithms.active").source, "command");
        assert_eq!(key(&sections, "pool.arbiters").source, "default");
        assert!(key(&sections, "vardiff.target_interval_ms").live && !key(&sections, "store.url").live);
        assert!(key(&sections, "log.level").doc.starts_with("Level, or a filter"));
    }
}
