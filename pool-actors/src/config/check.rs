//! What can't work is said before anything is started, with the key and what to do.

use super::{Config, Profile};
use crate::error::{Code, Failure};

/// Checks what types alone don't.
///
/// # Errors
/// The first key that can't work.
pub fn check(config: &Config) -> Result<(), Failure> {
    let rules: &[(bool, &str, &str)] = &[
        (!config.chain.nodes.is_empty(), "chain.nodes is empty", "name at least one node"),
        (
            !config.chain.payout_address.is_empty(),
            "chain.payout_address is empty",
            "set the address that block rewards are to be paid to",
        ),
        (
            config.chain.job_interval_ms_min >= 250,
            "chain.job_interval_ms_min is below 250",
            "use 250 or more",
        ),
        (config.chain.rpc_timeout_ms > 0, "chain.rpc_timeout_ms is 0", "use 5000"),
        (config.chain.poll_interval_ms >= 50, "chain.poll_interval_ms is below 50", "use 500"),
        (
            !config.chain.allow_unsynced || config.chain.profile == Profile::Kaspa,
            "chain.allow_unsynced has no effect with chain.profile = \"simulated\", whose nodes hand out no work before they are ready",
            "remove it",
        ),
        (
            (1..=10_000).contains(&config.stratum.extranonce_part_per_ip_basis_points),
            "stratum.extranonce_part_per_ip_basis_points is not between 1 and 10000",
            "use 2500 for a quarter",
        ),
        (!config.stratum.listener.is_empty(), "stratum has no listener", "add a [[stratum.listener]]"),
        (config.stratum.line_bytes_max >= 512, "stratum.line_bytes_max is below 512", "use 4096"),
        (config.stratum.shares_outstanding_max > 0, "stratum.shares_outstanding_max is 0", "use 64"),
        (
            config.traces.url.is_empty() || cfg!(feature = "otel"),
            "traces.url is set, and this program was built without traces",
            "build it with --features otel, or remove the key",
        ),
        (
            (100..=60_000).contains(&config.alerts.detector.window_ms),
            "alerts.detector.window_ms is not between 100 and 60000",
            "use 10000",
        ),
        (config.traces.share_one_in > 0, "traces.share_one_in is 0", "use 1000"),
        (config.influx.interval_s > 0, "influx.interval_s is 0", "use 10"),
        (config.influx.batch_lines_max > 0, "influx.batch_lines_max is 0", "use 5000"),
        (config.vardiff.target_interval_ms >= 100, "vardiff.target_interval_ms is below 100", "use 5000"),
        (
            config.algorithms.phases_percent.last() == Some(&100)
                && config.algorithms.phases_percent.first() > Some(&0)
                && config.algorithms.phases_percent.windows(2).all(|pair| pair[0] < pair[1]),
            "algorithms.phases_percent does not rise to 100",
            "use [5, 10, 25, 50, 75, 100]",
        ),
        (
            config.algorithms.shadow_basis_points <= 10_000,
            "algorithms.shadow_basis_points is above 10000 (100%)",
            "use 100 for 1%",
        ),
        (config.algorithms.hang_after_ms >= 100, "algorithms.hang_after_ms is below 100", "use 2000"),
        (
            config.payout.fee_basis_points <= 10_000,
            "payout.fee_basis_points is above 10000 (100%)",
            "use 100 for 1%",
        ),
        (
            config.payout.window_basis_points > 0,
            "payout.window_basis_points is 0",
            "use 20000 for twice the work",
        ),
        (
            !config.payout.enabled || config.chain.profile == Profile::Simulated,
            "payout.enabled has no effect with this chain.profile: no wallet is known for it yet",
            "set it to false, and pay out by hand",
        ),
        (
            config.payout.interval_s > 0 && config.payout.poll_interval_ms >= 10,
            "payout.interval_s is 0, or payout.poll_interval_ms is below 10",
            "use 600 and 1000",
        ),
        (
            (8..=64).contains(&config.auth.password_chars_min),
            "auth.password_chars_min is not between 8 and 64",
            "use 10",
        ),
        (
            config.auth.session_hours > 0 && config.auth.session_days_max > 0,
            "auth.session_hours or auth.session_days_max is 0",
            "use 168 and 30",
        ),
        (
            config
                .auth
                .mfa_required
                .iter()
                .all(|role| ["admin", "operator", "viewer", "miner"].contains(&role.as_str())),
            "auth.mfa_required names something that is no role",
            "use admin, operator, viewer, miner",
        ),
        (
            config.http.cors_origins.iter().all(|origin| {
                let rest = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
                rest.is_some_and(|host| !host.is_empty() && !host.contains(['/', '*', ' ', '?', '#', '@']))
            }),
            "http.cors_origins holds something that is no origin",
            "write scheme, host and port alone, such as \"https://pool.example.org\"",
        ),
        (
            public_url_fits(&config.http.public_url),
            "http.public_url is no address of a site",
            "write scheme and host alone, such as \"https://pool.example.org\"",
        ),
        (
            config.mail.url.may_begin_with(&["smtp://", "smtps://", "outbox:"]),
            "mail.url is neither an smtp://, smtps:// nor an outbox: address",
            "use smtp://host:port, smtps://user:password@host or outbox:FOLDER",
        ),
        (config.mail.timeout_ms >= 100, "mail.timeout_ms is below 100", "use 10000"),
        (config.payout.recipients_max > 0, "payout.recipients_max is 0", "use 100"),
        (
            config.journal.segment_bytes >= 1 << 20,
            "journal.segment_bytes is below 1 MiB (1048576)",
            "use 67108864",
        ),
        (
            config.journal.disk_budget_bytes >= 4 * config.journal.segment_bytes,
            "journal.disk_budget_bytes holds fewer than four segments",
            "raise it",
        ),
        (
            config.store.url.may_begin_with(&["sqlite:", "postgres://", "postgresql://"]),
            "store.url is neither an sqlite: nor a postgres:// address",
            "use sqlite:PATH or postgres://user@host/database",
        ),
        (
            config
                .store
                .replica_url
                .as_ref()
                .is_none_or(|url| url.may_begin_with(&["postgres://", "postgresql://"])),
            "store.replica_url is not a postgres:// address",
            "use postgres://user@host/database, or remove it",
        ),
        (
            config.cache.url.may_begin_with(&[
                "memory:",
                "redis://",
                "rediss://",
                "rediss-cluster://",
                "rediss+cluster://",
                "redis-sentinel://",
                "redis+sentinel://",
                "redis-cluster://",
                "redis+cluster://",
            ]),
            "cache.url is neither memory: nor a redis://, redis-sentinel:// or redis-cluster:// address",
            "use memory:, or redis://host:port (rediss:// for TLS)",
        ),
        (
            config.cache.prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
                && !config.cache.prefix.is_empty(),
            "cache.prefix has other signs than letters, digits, '-', '_' and '.'",
            "use dagpool",
        ),
        (config.cache.timeout_ms >= 10, "cache.timeout_ms is below 10", "use 250"),
        (config.store.connections > 0, "store.connections is 0", "use 8"),
        (config.store.connect_timeout_ms >= 100, "store.connect_timeout_ms is below 100", "use 5000"),
        (config.store.statement_timeout_ms >= 100, "store.statement_timeout_ms is below 100", "use 10000"),
        (config.store.history_days > 0, "store.history_days is 0", "use 90"),
    ];
    for (good, what, advice) in rules {
        if !good {
            return Err(Failure::new(Code::ConfigInvalid, *what, *advice));
        }
    }
    config.payout.amounts(config.chain.profile.decimals())?;
    check_listeners(config)?;
    check_nodes(config)
}

/// Scheme, host, port, and a path where a proxy has one.
fn public_url_fits(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    url.is_empty()
        || rest.is_some_and(|rest| {
            !rest.is_empty()
                && !rest.starts_with('/')
                && rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>?#@\\".contains(&byte))
        })
}

fn check_listeners(config: &Config) -> Result<(), Failure> {
    let mut seen = std::collections::HashSet::new();
    for listener in &config.stratum.listener {
        if listener.address.port() != 0 && !seen.insert(listener.address) {
            return Err(Failure::new(
                Code::ConfigInvalid,
                format!("two listeners share the address {}", listener.address),
                "give each its own port",
            ));
        }
        let difficulty = listener.start_difficulty();
        if listener.difficulty_min > difficulty || difficulty > listener.difficulty_max {
            return Err(Failure::new(
                Code::ConfigInvalid,
                format!(
                    "listener {}: difficulty is not between difficulty_min and difficulty_max",
                    listener.address
                ),
                "order the three",
            ));
        }
    }
    Ok(())
}

fn check_nodes(config: &Config) -> Result<(), Failure> {
    let schemes: &[&str] = match config.chain.profile {
        Profile::Simulated => &["http://"],
        Profile::Kaspa => &["ws://"],
    };
    for node in &config.chain.nodes {
        if !schemes.iter().any(|scheme| node.starts_with(scheme)) {
            return Err(Failure::new(
                Code::ConfigInvalid,
                format!("chain.nodes: {node} does not fit the profile"),
                format!("write it as {}host:port", schemes[0]),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usable() -> Config {
        let mut config = Config::default();
        config.chain.payout_address = "pool".into();
        config
    }

    #[test]
    fn defaults_need_an_address_only() {
        assert!(check(&Config::default()).unwrap_err().to_string().contains("payout_address"));
        check(&usable()).unwrap();
    }

    #[test]
    fn what_cannot_work_is_refused() {
        let broken: &[fn(&mut Config)] = &[
            |c| c.chain.nodes.clear(),
            |c| c.chain.nodes = vec!["ftp://x".into()],
            |c| c.stratum.listener.clear(),
            |c| c.stratum.listener.push(c.stratum.listener[0].clone()),
            |c| c.payout.fee_basis_points = 10_001,
            |c| c.store.url = "mysql://".into(),
            |c| c.store.replica_url = Some("sqlite:copy.db".into()),
            |c| c.store.statement_timeout_ms = 0,
            |c| c.cache.url = "memcached://cache".into(),
            |c| c.cache.prefix = "a:b".into(),
            |c| c.cache.timeout_ms = 1,
            |c| c.store.history_days = 0,
            |c| c.chain.job_interval_ms_min = 100,
            |c| c.chain.allow_unsynced = true,
            |c| c.payout.threshold = "1e8".into(),
            |c| c.payout.limit_per_day = "0.000000001".into(),
            |c| {
                c.payout.enabled = true;
                c.chain.profile = Profile::Kaspa;
                c.chain.nodes = vec!["ws://127.0.0.1:1".into()];
            },
            |c| c.stratum.extranonce_part_per_ip_basis_points = 0,
            |c| c.http.public_url = "pool.example.org".into(),
            |c| c.http.public_url = "https://pool.example.org/#".into(),
            |c| c.http.public_url = "https:///x".into(),
            |c| c.mail.url = "mailto:me".into(),
            |c| c.mail.timeout_ms = 0,
        ];
        for breakage in broken {
            let mut config = usable();
            breakage(&mut config);
            assert_eq!(check(&config).unwrap_err().code, Code::ConfigInvalid);
        }
    }
}
