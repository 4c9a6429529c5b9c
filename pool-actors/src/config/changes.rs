//! What differs between the running configuration and a newer one, and what of it can take effect without a restart.

use toml::{Table, Value};

use super::Config;

/// Keys that can change while the pool runs; a name that ends in a dot stands for a whole section.
const LIVE: &[&str] = &[
    "banning.",
    "vardiff.",
    "log.level",
    "payout.interval_s",
    "payout.limit_per_day",
    "payout.limit_per_hour",
    "payout.recipients_max",
    "payout.threshold",
    "alerts.escalation",
    "alerts.repeat_s",
    "alerts.rule",
    "http.rate_limit_per_second",
    "http.rate_limit_burst",
    "http.rate_limit_exempt_loopback",
    "http.behind_proxy",
    "http.connections_per_address",
    "stratum.connections_max",
    "stratum.connections_per_ip_max",
    "stratum.connect_rate_per_ip_max",
    "stratum.handshakes_max",
];

/// A key whose value differs.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Change {
    /// `section.key`.
    pub key: String,
    /// The running value, as in the file; secrets are not shown.
    pub from: String,
    /// The newer value.
    pub to: String,
    /// It takes effect without a restart.
    pub live: bool,
}

/// Every key that differs, in the order of their names.
#[must_use]
pub fn changes(running: &Config, wanted: &Config) -> Vec<Change> {
    let (old, new) = (table(running), table(wanted));
    let mut changes = Vec::new();
    for (section, keys) in &new {
        let (Some(new), Some(old)) = (keys.as_table(), old.get(section).and_then(Value::as_table)) else {
            continue;
        };
        let mut names: Vec<&String> = new.keys().chain(old.keys()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names.into_iter().filter(|name| old.get(*name) != new.get(*name)) {
            changes.push(change(format!("{section}.{name}"), old.get(name), new.get(name)));
        }
    }
    // Secrets look the same wherever they are shown.
    let secrets = [
        ("alerts.channel", running.alerts.channel != wanted.alerts.channel),
        ("alerts.personal", running.alerts.personal != wanted.alerts.personal),
        ("auth.admin_token", running.auth.admin_token != wanted.auth.admin_token),
        ("auth.key", running.auth.key != wanted.auth.key),
        ("chain.rpc_password", running.chain.rpc_password != wanted.chain.rpc_password),
        ("metrics.token", running.metrics.token != wanted.metrics.token),
        ("influx.token", running.influx.token != wanted.influx.token),
        ("traces.authorization", running.traces.authorization != wanted.traces.authorization),
        ("store.url", running.store.url != wanted.store.url),
        ("store.password", running.store.password != wanted.store.password),
        ("cache.url", running.cache.url != wanted.cache.url),
        ("cache.password", running.cache.password != wanted.cache.password),
        ("store.replica_url", running.store.replica_url != wanted.store.replica_url),
    ];
    for (key, _) in secrets.iter().filter(|(_, differs)| *differs) {
        if !changes.iter().any(|change| change.key == *key) {
            let hidden = Some(Value::String("***".to_owned()));
            changes.push(change((*key).to_owned(), hidden.as_ref(), hidden.as_ref()));
        }
    }
    if running.alerts.channel != wanted.alerts.channel {
        // Rules and escalations may name channels, and those are made at the start.
        for change in changes.iter_mut().filter(|change| change.key.starts_with("alerts.")) {
            change.live = false;
        }
    }
    changes.sort_by(|a, b| a.key.cmp(&b.key));
    changes
}

fn table(config: &Config) -> Table {
    Table::try_from(config).expect("a configuration of plain values serialises")
}

/// Whether a key can change while the pool runs.
pub(super) fn is_live(key: &str) -> bool {
    LIVE.iter().any(|known| key == *known || known.ends_with('.') && key.starts_with(known))
}

fn change(key: String, from: Option<&Value>, to: Option<&Value>) -> Change {
    let shown = |value: Option<&Value>| {
        let Some(mut value) = value.cloned() else { return "(not set)".to_owned() };
        hide(&mut value);
        value.to_string()
    };
    Change { from: shown(from), to: shown(to), live: is_live(&key), key }
}

/// An address of a node may hold a password.
fn hide(value: &mut Value) {
    match value {
        Value::String(text) => super::view::hide_password(text),
        Value::Array(items) => items.iter_mut().for_each(hide),
        Value::Table(fields) => fields.iter_mut().for_each(|(_, value)| hide(value)),
        _ => {}
    }
}

impl Config {
    /// Takes over what can change while the pool runs.
    pub(crate) fn adopt(&mut self, wanted: &Self) {
        self.banning = wanted.banning.clone();
        self.vardiff = wanted.vardiff.clone();
        self.log.level.clone_from(&wanted.log.level);
        self.http.rate_limit_per_second = wanted.http.rate_limit_per_second;
        self.http.rate_limit_burst = wanted.http.rate_limit_burst;
        self.http.rate_limit_exempt_loopback = wanted.http.rate_limit_exempt_loopback;
        self.http.behind_proxy = wanted.http.behind_proxy;
        self.http.connections_per_address = wanted.http.connections_per_address;
        let payout = &wanted.payout;
        self.payout.threshold.clone_from(&payout.threshold);
        self.payout.limit_per_hour.clone_from(&payout.limit_per_hour);
        self.payout.limit_per_day.clone_from(&payout.limit_per_day);
        self.payout.recipients_max = payout.recipients_max;
        self.payout.interval_s = payout.interval_s;
        if self.alerts.channel == wanted.alerts.channel {
            self.alerts.rule.clone_from(&wanted.alerts.rule);
            self.alerts.escalation.clone_from(&wanted.alerts.escalation);
            self.alerts.repeat_s = wanted.alerts.repeat_s;
        }
        self.stratum.connections_max = wanted.stratum.connections_max;
        self.stratum.connections_per_ip_max = wanted.stratum.connections_per_ip_max;
        self.stratum.connect_rate_per_ip_max = wanted.stratum.connect_rate_per_ip_max;
        self.stratum.handshakes_max = wanted.stratum.handshakes_max;
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Secret, *};

    fn keys(changes: &[Change], live: bool) -> Vec<&str> {
        changes.iter().filter(|change| change.live == live).map(|change| change.key.as_str()).collect()
    }

    #[test]
    fn what_differs_is_named_and_what_is_live_can_be_adopted() {
        let running = Config::default();
        assert_eq!(changes(&running, &running), []);
        let mut wanted = Config::default();
        wanted.log.level = "debug".into();
        wanted.banning.malformed_max = 2;
        wanted.vardiff.target_interval_ms = 9_000;
        wanted.http.rate_limit_burst = 7;
        wanted.http.feeds_max = 3;
        wanted.http.cors_origins = vec!["https://pool.example.org".into()];
        wanted.stratum.handshakes_max = 5;
        wanted.stratum.listener[0].fixed = true;
        wanted.payout.fee_basis_points = 50;
        wanted.payout.threshold = "2".into();
        wanted.alerts.repeat_s = 60;
        wanted.auth.admin_token = Some(Secret::new("first"));
        let found = changes(&running, &wanted);
        let live = [
            "alerts.repeat_s",
            "banning.malformed_max",
            "http.rate_limit_burst",
            "log.level",
            "payout.threshold",
            "stratum.handshakes_max",
            "vardiff.target_interval_ms",
        ];
        assert_eq!(keys(&found, true), live);
        let later = [
            "auth.admin_token",
            "http.cors_origins",
            "http.feeds_max",
            "payout.fee_basis_points",
            "stratum.listener",
        ];
        assert_eq!(keys(&found, false), later);
        let level = found.iter().find(|change| change.key == "log.level").unwrap();
        assert_eq!((level.from.as_str(), level.to.as_str()), ("\"info\"", "\"debug\""));
        let mut adopted = running;
        adopted.adopt(&wanted);
        assert_eq!(keys(&changes(&adopted, &wanted), true), Vec::<&str>::new(), "nothing live is left");
        assert_eq!(keys(&changes(&adopted, &wanted), false), later, "the rest waits for a restart");
    }

    #[test]
    fn rules_of_alerts_wait_with_the_channels_that_they_may_name() {
        let (mut running, mut wanted) = (Config::default(), Config::default());
        wanted.alerts.repeat_s = 60;
        wanted.alerts.channel = vec![super::super::AlertChannel::default()];
        assert_eq!(keys(&changes(&running, &wanted), false), ["alerts.channel", "alerts.repeat_s"]);
        running.adopt(&wanted);
        assert_eq!(running, Config::default());
    }

    #[test]
    fn a_secret_that_differs_is_named_and_not_shown() {
        let (mut running, mut wanted) = (Config::default(), Config::default());
        running.auth.admin_token = Some(Secret::new("first"));
        wanted.auth.admin_token = Some(Secret::new("second"));
        wanted.chain.nodes = vec!["http://rpc:second@node".into()];
        let found = changes(&running, &wanted);
        assert_eq!(keys(&found, false), ["auth.admin_token", "chain.nodes"]);
        assert!(!format!("{found:?}").contains("second"));
    }
}
