//! Where the database is and how long it may take.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::timeout;
use tokio_postgres::config::{Config, Host, SslMode};

use super::{super::certificates, tls::Tls};
use crate::ports::store::{HISTORY_DAYS, StoreError};

/// A database that can be connected to.
#[derive(Clone)]
pub struct PostgresSettings {
    pub(super) config: Config,
    /// Whom an encrypted connection trusts; `None` = nothing is encrypted.
    pub(super) tls: Option<Tls>,
    /// The file of authorities, if it was given one.
    authorities: Option<PathBuf>,
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
    /// `password` stands in for one that the address should not show. `sslmode=verify-full` (or `require`, which is the same
    /// here) encrypts the connection and checks the server's certificate and name; without it nothing is encrypted.
    ///
    /// # Errors
    /// What is wrong with the address, without its password.
    pub fn new(url: &str, password: Option<String>) -> Result<Self, String> {
        // The library knows `require` alone, and leaves what is checked to whoever encrypts.
        let url = url.replace("sslmode=verify-full", "sslmode=require");
        if url.contains("sslmode=verify-ca") {
            return Err("sslmode=verify-ca: write verify-full; the server's name is checked, too".into());
        }
        let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            // Its source names the key; the address itself may hold a password.
            std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string)
        })?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err("no host is named".into());
        }
        if config.get_application_name().is_none() {
            config.application_name("dagpool");
        }
        if let Some(password) = password {
            config.password(password);
        }
        let tls = if config.get_ssl_mode() == SslMode::Require { Some(Tls::by_system()?) } else { None };
        if tls.is_none() {
            config.ssl_mode(SslMode::Disable);
        }
        Ok(Self {
            config,
            tls,
            authorities: None,
            connections: 8,
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(10),
            migrate: true,
            history_days: HISTORY_DAYS,
        })
    }
}

impl PostgresSettings {
    /// Whether connections are encrypted.
    #[must_use]
    pub const fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// Trusts the authorities of a file (PEM), instead of those of the system.
    ///
    /// # Errors
    /// What is wrong with the file, or that nothing is encrypted.
    pub fn trust(&mut self, file: &Path) -> Result<(), String> {
        if !self.is_encrypted() {
            return Err("it is of use with sslmode=verify-full only; the address asks for no TLS".to_owned());
        }
        let pem = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let store = certificates::authorities(&pem).map_err(|what| format!("{} {what}", file.display()))?;
        self.tls = Some(Tls::by(store)?);
        self.authorities = Some(file.to_owned());
        Ok(())
    }

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
            // Before version 16 libpq can't check by whom the system trusts: then it encrypts.
            (
                "PGSSLMODE",
                self.is_encrypted()
                    .then(|| if self.authorities.is_some() { "verify-full" } else { "require" }.into()),
            ),
            ("PGSSLROOTCERT", self.authorities.as_ref().map(|file| file.display().to_string())),
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
    fn encryption_is_asked_for_by_the_address() {
        let settings = |url: &str| PostgresSettings::new(url, None).unwrap();
        for (url, encrypted) in [
            ("postgres://h/db", false),
            ("postgres://h/db?sslmode=disable", false),
            ("postgres://h/db?sslmode=prefer", false),
            ("postgres://h/db?sslmode=require", true),
            ("postgres://h/db?sslmode=verify-full", true),
            ("host=h dbname=db sslmode=verify-full", true),
        ] {
            let settings = settings(url);
            assert_eq!(settings.is_encrypted(), encrypted, "{url}");
            let told =
                settings.environment().into_iter().any(|named| named == ("PGSSLMODE", "require".to_owned()));
            assert_eq!(told, encrypted, "{url}");
        }
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, "rubbish").unwrap();
        let refused = |url: &str| settings(url).trust(&file).unwrap_err();
        assert!(refused("postgres://h/db").contains("asks for no TLS"));
        assert!(refused("postgres://h/db?sslmode=require").contains("ca.pem holds no certificate"));
    }

    #[test]
    fn what_cannot_be_connected_to_is_refused() {
        for (url, word) in [
            ("postgres://", "no host"),
            ("postgres://u:hush@h:port/db", "port"),
            ("postgres://h/db?sslmode=verify-ca", "write verify-full"),
            ("postgres://h/db?sslmode=wrong", "sslmode"),
            ("postgres://h/db?colour=red", "colour"),
        ] {
            let refused = PostgresSettings::new(url, None).unwrap_err();
            assert!(refused.contains(word) && !refused.contains("hush"), "{url}: {refused}");
        }
    }
}
