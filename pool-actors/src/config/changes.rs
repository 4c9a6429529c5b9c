//! What differs between the running configuration and a newer one, and what of it can take effect without a restart.

use toml::{Table, Value};

use super::Config;

/// Keys that can change while the pool runs; a name that ends in a dot stands for a whole section.
const LIVE: &[&str] = &[
    "banning.",
    "vardiff.",
    "log.level",
    "http.rate_limit_per_second",
    "http.rate_limit_burst",
    "http.rate_limit_exempt_loopback",
    "http.behind_proxy",
    "stratum.connections_max",
    "stratum.connections_per_ip_max",
    "stratum.connect_rate_per_ip_max",
    "stratum.handshakes_max",
];

/// A key whose value differs.
#[derive(Debug, Clone, PartialEq, Eq)]
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
        ("auth.admin_token", running.auth.admin_token != wanted.auth.admin_token),
        ("auth.key", running.auth.key != wanted.auth.key),
        ("chain.rpc_password", running.chain.rpc_password != wanted.chain.rpc_password),
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
    changes.sort_by(|a, b| a.key.cmp(&b.key));
    changes
}

fn table(config: &Config) -> Table {
    Table::try_from(config).expect("a configuration of plain values serialises")
}

fn change(key: String, from: Option<&Value>, to: Option<&Value>) -> Change {
    let shown = |value: Option<&Value>| value.map_or_else(|| "(not set)".to_owned(), Value::to_string);
    let live = LIVE.iter().any(|known| key == *known || known.ends_with('.') && key.starts_with(known));
    Change { from: shown(from), to: shown(to), live, key }
}

impl Config {
    /// Takes over what can change while the pool runs.
    pub(crate) fn adopt(&mut self, wanted: &Self) {
        self.banning = wanted.banning.clone();
        self.vardiff = wanted.vardiff.clone();
        self.log.level.clone_from(&wanted.log.level);
        self.http =
            super::Http { address: self.http.address, feeds_max: self.http.feeds_max, ..wanted.http.clone() };
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
        wanted.stratum.handshakes_max = 5;
        wanted.stratum.listener[0].fixed = true;
        wanted.payout.fee_basis_points = 50;
        wanted.auth.admin_token = Some(Secret::new("first"));
        let found = changes(&running, &wanted);
        let live = [
            "banning.malformed_max",
            "http.rate_limit_burst",
            "log.level",
            "stratum.handshakes_max",
            "vardiff.target_interval_ms",
        ];
        assert_eq!(keys(&found, true), live);
        let later = ["auth.admin_token", "http.feeds_max", "payout.fee_basis_points", "stratum.listener"];
        assert_eq!(keys(&found, false), later);
        let level = found.iter().find(|change| change.key == "log.level").unwrap();
        assert_eq!((level.from.as_str(), level.to.as_str()), ("\"info\"", "\"debug\""));
        let mut adopted = running;
        adopted.adopt(&wanted);
        assert_eq!(keys(&changes(&adopted, &wanted), true), Vec::<&str>::new(), "nothing live is left");
        assert_eq!(keys(&changes(&adopted, &wanted), false), later, "the rest waits for a restart");
    }

    #[test]
    fn a_secret_that_differs_is_named_and_not_shown() {
        let (mut running, mut wanted) = (Config::default(), Config::default());
        running.auth.admin_token = Some(Secret::new("first"));
        wanted.auth.admin_token = Some(Secret::new("second"));
        let found = changes(&running, &wanted);
        assert_eq!(keys(&found, false), ["auth.admin_token"]);
        assert!(!format!("{found:?}").contains("second"));
    }
}
