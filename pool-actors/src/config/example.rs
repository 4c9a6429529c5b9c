//! `pool.example.toml`, generated from the types so that it can't drift from them.

use std::fmt::Write as _;

use toml::Value;

use super::{
    Alerts, Algorithms, Auth, Banning, Cache, Chain, Config, Detector, Http, Influx, Journal, Listener, Log,
    Mail, Metrics, Payout, Personal, Pool, Store, Stratum, Traces, Vardiff, alerts::TABLES_OF_ALERTS,
    section::Section,
};

/// Keys that are lists of tables.
const TABLES: &[&str] = &["listener", "detector", "personal", "rule", "channel", "escalation"];

/// The commented example: every key with its documentation and its default.
#[must_use]
pub fn example() -> String {
    let config = Config::default();
    let mut out = String::from(
        "# BlockDAG Pool: every key with its default. Unknown keys are errors.\n\
         # Any key can be overridden by the environment: DAGPOOL__SECTION__KEY (DATABASE_URL, REDIS_URL and ALGORITHM work too).\n",
    );
    section(&mut out, "[pool]", &config.pool, Pool::DOC);
    section(&mut out, "[chain]", &config.chain, Chain::DOC);
    section(&mut out, "[stratum]", &config.stratum, Stratum::DOC);
    section(&mut out, "[[stratum.listener]]", &Listener::default(), Listener::DOC);
    section(&mut out, "[vardiff]", &config.vardiff, Vardiff::DOC);
    section(&mut out, "[banning]", &config.banning, Banning::DOC);
    section(&mut out, "[algorithms]", &config.algorithms, Algorithms::DOC);
    section(&mut out, "[payout]", &config.payout, Payout::DOC);
    section(&mut out, "[journal]", &config.journal, Journal::DOC);
    section(&mut out, "[store]", &config.store, Store::DOC);
    section(&mut out, "[cache]", &config.cache, Cache::DOC);
    section(&mut out, "[http]", &config.http, Http::DOC);
    section(&mut out, "[auth]", &config.auth, Auth::DOC);
    section(&mut out, "[mail]", &config.mail, Mail::DOC);
    section(&mut out, "[alerts]", &config.alerts, Alerts::DOC);
    section(&mut out, "[alerts.detector]", &config.alerts.detector, Detector::DOC);
    section(&mut out, "[alerts.personal]", &config.alerts.personal, Personal::DOC);
    out.push_str(TABLES_OF_ALERTS);
    section(&mut out, "[metrics]", &config.metrics, Metrics::DOC);
    section(&mut out, "[influx]", &config.influx, Influx::DOC);
    section(&mut out, "[traces]", &config.traces, Traces::DOC);
    section(&mut out, "[log]", &config.log, Log::DOC);
    out
}

fn section<S: Section>(out: &mut String, header: &str, defaults: &S, doc: &[&str]) {
    out.push('\n');
    for line in doc {
        let _ = writeln!(out, "#{line}");
    }
    let _ = writeln!(out, "{header}");
    let values = Value::try_from(defaults).expect("a section of plain values serialises");
    for key in S::KEYS {
        if TABLES.contains(&key.name) {
            continue; // have [[tables]] of their own below
        }
        out.push('\n');
        for line in key.doc {
            let _ = writeln!(out, "#{line}");
        }
        match values.get(key.name) {
            Some(value) => {
                let _ = writeln!(out, "{} = {value}", key.name);
            }
            None => {
                let _ = writeln!(out, "# {} = (not set)", key.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_example_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../pool.example.toml");
        if std::env::var_os("DAGPOOL_WRITE_EXAMPLE").is_some() {
            std::fs::write(path, example()).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(
            committed,
            example(),
            "regenerate: DAGPOOL_WRITE_EXAMPLE=1 cargo test -p pool-actors example"
        );
    }

    #[test]
    fn the_tables_of_alerts_can_be_used_as_they_stand() {
        let lines = TABLES_OF_ALERTS.lines().filter_map(|line| line.strip_prefix("# "));
        let text: String = lines.map(|line| format!("{line}\n")).collect();
        let config: Config = text.parse::<toml::Table>().unwrap().try_into().unwrap();
        assert_eq!(
            (config.alerts.rule.len(), config.alerts.channel.len(), config.alerts.escalation.len()),
            (2, 4, 2)
        );
    }

    #[test]
    fn the_example_is_the_defaults() {
        let table: toml::Table = example().parse().unwrap();
        let config: Config = Value::Table(table).try_into().unwrap();
        assert_eq!(config, Config::default());
    }
}
