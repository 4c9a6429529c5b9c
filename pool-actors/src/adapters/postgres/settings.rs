//! Where the database is and how long it may take.

use std::{fmt, time::Duration};

use tokio::time::timeout;
use tokio_postgres::config::{Config, Host, SslMode};

use crate::ports::store::{HISTORY_DAYS, StoreError};

/// A database that can be connected to.
#[derive(Clone)]
pub struct PostgresSettings {
    pub(super) config: Config,
    /// Connections for reading.
    pub connections: u32,
    /// Bound on the time until a connection is usable.
    pub connect_timeout: Duration,
    /// Bound on one statement. Audits take what they take.
    pub statement_timeout: Duration,
    /// Bring the schema up to date; else one that is behind is refused.
    pub migrate: bool,
    /// Days for which shares by the hour are kept.
    pub history_days: u32,
}

impl PostgresSettings {
    /// From `postgres://user:password@host:port/database` (several hosts are tried in turn), or the `key=value` form.
    /// `password` stands in for one that the address should not show.
    ///
    /// # Errors
    /// What is wrong with the address, without its password.
    pub fn new(url: &str, password: Option<String>) -> Result<Self, String> {
        let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            // Its source names the key; the address itself may hold a password.
            std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string)
        })?;
        if config.get_ssl_mode() == SslMode::Require {
            return Err("sslmode=require: TLS is not built into this pool; use a Unix socket, a private \
                        network or a tunnel, and sslmode=disable"
                .into());
        }
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err("no host is named".into());
        }
        if config.get_application_name().is_none() {
            config.application_name("dagpool");
        }
        if let Some(password) = password {
            config.password(password);
        }
        // With several hosts, the one that takes writes; a replica is asked through its own address.
        config.ssl_mode(SslMode::Disable);
        Ok(Self {
            config,
            connections: 8,
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(10),
            migrate: true,
            history_days: HISTORY_DAYS,
        })
    }
}

impl PostgresSettings {
    /// The same database for PostgreSQL's own programs, as the variables that libpq reads (its documentation, "Environment
    /// Variables"): the arguments of a program can be read by every user of a machine, and hold no password therefore.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let config = &self.config;
        let listed = |words: Vec<String>| (!words.is_empty()).then(|| words.join(","));
        let hosts = config.get_hosts().iter().map(|host| match host {
            Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        });
        let variables = [
            ("PGHOST", listed(hosts.collect())),
            ("PGHOSTADDR", listed(config.get_hostaddrs().iter().map(ToString::to_string).collect())),
            ("PGPORT", listed(config.get_ports().iter().map(ToString::to_string).collect())),
            ("PGUSER", config.get_user().map(str::to_owned)),
            ("PGPASSWORD", config.get_password().map(|word| String::from_utf8_lossy(word).into_owned())),
            ("PGDATABASE", self.database().map(str::to_owned)),
            ("PGOPTIONS", config.get_options().map(str::to_owned)),
        ];
        variables.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// Name of the database; without one, PostgreSQL takes that of the user.
    #[must_use]
    pub fn database(&self) -> Option<&str> {
        self.config.get_dbname().or(self.config.get_user())
    }

    /// Gives up on a server that takes a connection and then says nothing.
    pub(super) fn bounded<R: Send + 'static>(
        &self,
        work: impl Future<Output = Result<R, StoreError>> + Send + 'static,
    ) -> impl Future<Output = Result<R, StoreError>> + Send + 'static {
        let bound = self.connect_timeout * 2 + self.statement_timeout;
        let what = format!("{self} did not answer within {} ms", bound.as_millis());
        async move { timeout(bound, work).await.unwrap_or(Err(StoreError::Unavailable { what })) }
    }
}

/// Host, port and database; never the password.
impl fmt::Display for PostgresSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = self.config.get_hosts().iter().map(|host| match host {
            Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        });
        let hosts: Vec<_> =
            hosts.chain(self.config.get_hostaddrs().iter().map(ToString::to_string)).collect();
        let mut ports: Vec<_> = self.config.get_ports().iter().map(ToString::to_string).collect();
        // One is given for each host, whether it is named in the address or not.
        ports.dedup();
        let port = if ports.is_empty() { "5432".to_owned() } else { ports.join(",") };
        let database = self.database().unwrap_or("?");
        write!(f, "postgres://{}:{port}/{database}", hosts.join(","))
    }
}

impl fmt::Debug for PostgresSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresSettings({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_never_shows_its_password() {
        let settings = PostgresSettings::new("postgres://pool:hush@db1:5433/money", None).unwrap();
        assert_eq!(settings.to_string(), "postgres://db1:5433/money");
        assert!(!format!("{settings:?}").contains("hush"));
        let other = PostgresSettings::new("postgres://pool@db1,db2/money", Some("hush".into())).unwrap();
        assert_eq!(other.to_string(), "postgres://db1,db2:5432/money");
        assert_eq!(other.config.get_password(), Some(&b"hush"[..]));
    }

    #[test]
    fn programs_of_postgresql_are_told_the_same() {
        let told = |url: &str, password: Option<&str>| {
            let settings = PostgresSettings::new(url, password.map(str::to_owned)).unwrap();
            let told = settings.environment();
            told.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
        };
        let whole = "PGHOST=db PGPORT=5433 PGUSER=pool PGPASSWORD=p@ss PGDATABASE=money";
        for url in [
            "postgres://pool:p%40ss@db:5433/money",
            "postgres://pool@db:5433/money?password=p%40ss",
            "host=db port=5433 user=pool password=p@ss dbname=money",
        ] {
            assert_eq!(told(url, None), whole, "{url}");
        }
        assert_eq!(told("postgres://pool@db:5433/money", Some("p@ss")), whole);
        assert_eq!(
            told("postgres://pool@db1:5433,db2:5434", None),
            "PGHOST=db1,db2 PGPORT=5433,5434 PGUSER=pool PGDATABASE=pool"
        );
        assert_eq!(
            told("postgres://pool@%2Frun%2Fpostgresql/money?options=-crole%3Dpool", None),
            "PGHOST=/run/postgresql PGPORT=5432 PGUSER=pool PGDATABASE=money PGOPTIONS=-crole=pool"
        );
    }

    #[test]
    fn what_cannot_be_connected_to_is_refused() {
        for (url, word) in [
            ("postgres://", "no host"),
            ("postgres://u:hush@h:port/db", "port"),
            ("postgres://h/db?sslmode=require", "TLS"),
            ("postgres://h/db?colour=red", "colour"),
        ] {
            let refused = PostgresSettings::new(url, None).unwrap_err();
            assert!(refused.contains(word) && !refused.contains("hush"), "{url}: {refused}");
        }
    }
}
