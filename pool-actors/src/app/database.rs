//! The configured database: SQLite in a file, or a PostgreSQL server.

use std::{path::PathBuf, sync::Arc, time::Duration};

use super::{identity, parts, start::refused};
use crate::{
    adapters::{
        Migration, StoreThread,
        postgres::{PostgresSettings, PostgresStore},
        sqlite::SqliteStore,
        system_clock::SystemClock,
    },
    config::{Config, SecretUrl},
    error::{Code, Failure},
    ports::{
        books::SharedBooks,
        clock::{Clock as _, SharedClock},
        deployments::SharedDeployments,
        payouts::SharedPayouts,
        store::{LedgerState, SharedStore, StoreError, StorePort},
        users::SharedUsers,
    },
    runtime::threads::Thread,
};

/// Pause between two tries to reach a database that is away when the pool starts.
const START_POLL: Duration = Duration::from_millis(500);

/// The database behind its ports, and the threads that serve it.
pub(super) struct Database {
    pub(super) store: SharedStore,
    pub(super) books: SharedBooks,
    pub(super) payouts: SharedPayouts,
    pub(super) deployments: SharedDeployments,
    pub(super) users: SharedUsers,
    pub(super) threads: Vec<(&'static str, StoreThread)>,
}

/// Which database the configuration names.
pub(super) enum Place {
    Sqlite(PathBuf),
    Postgres { primary: Box<PostgresSettings>, replica: Option<Box<PostgresSettings>> },
}

/// What a database has had of this program's schema.
pub struct Schema {
    /// Which database, without its password.
    pub database: String,
    /// Every change, in order.
    pub migrations: Vec<Migration>,
}

impl Schema {
    /// Changes that the database lacks.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.migrations.iter().filter(|migration| migration.applied_at.is_none()).count()
    }
}

impl Place {
    pub(super) fn of(config: &Config) -> Result<Self, Failure> {
        let url = config.store.url.reveal()?;
        if let Some(path) = url.strip_prefix("sqlite:") {
            return Ok(Self::Sqlite(config.pool.data_dir.join(path)));
        }
        let replica = config.store.replica_url.as_ref().map(|url| postgres(config, "store.replica_url", url));
        let primary = Box::new(postgres(config, "store.url", &config.store.url)?);
        Ok(Self::Postgres { primary, replica: replica.transpose()?.map(Box::new) })
    }

    fn open(&self, config: &Config, clock: &SharedClock) -> Result<Database, Failure> {
        match self {
            Self::Sqlite(path) => {
                let behind = |migrations: &[Migration]| {
                    migrations.iter().any(|migration| migration.applied_at.is_none())
                };
                if !config.store.migrate_at_start && path.exists() {
                    let migrations = SqliteStore::migrations(path).map_err(|error| self.failed(&error))?;
                    if behind(&migrations) {
                        return Err(Failure::new(
                            Code::StoreUnusable,
                            format!("the schema of {self} is behind, and store.migrate_at_start is false"),
                            "run `dagpool migrate`",
                        ));
                    }
                }
                // Whoever opens the database first may be the first who needs the data folder.
                if let Some(folder) = path.parent() {
                    std::fs::create_dir_all(folder).map_err(|error| parts::folder(folder, &error))?;
                }
                let (store, threads) =
                    SqliteStore::open_keeping(path, clock.now(), config.store.history_days)
                        .map_err(|error| self.failed(&error))?;
                Ok(Database {
                    store: Arc::new(store.clone()),
                    books: Arc::new(store.clone()),
                    payouts: Arc::new(store.clone()),
                    users: Arc::new(store.clone()),
                    deployments: Arc::new(store),
                    threads: threads.into(),
                })
            }
            Self::Postgres { .. } => {
                let (store, thread) = self.postgres(clock)?;
                let node = identity::node_name(config.pool.node_id);
                Ok(Database {
                    deployments: Arc::new(store.deployments_of(&node)),
                    books: Arc::new(store.clone()),
                    payouts: Arc::new(store.clone()),
                    users: Arc::new(store.clone()),
                    store: Arc::new(store),
                    threads: vec![thread],
                })
            }
        }
    }

    fn postgres(&self, clock: &SharedClock) -> Result<(PostgresStore, (&'static str, StoreThread)), Failure> {
        let Self::Postgres { primary, replica } = self else {
            return Err(Failure::new(Code::StoreUnusable, format!("{self} is no server"), "see store.url"));
        };
        PostgresStore::open(*primary.clone(), replica.as_deref().cloned(), Arc::clone(clock))
            .map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &StoreError) -> Failure {
        Failure::new(
            Code::StoreUnusable,
            format!("the database {self} can't be used ({error})"),
            match error {
                StoreError::Unavailable { .. } => "start it, and check store.url and what lies between",
                _ => "see store.url; restore a backup if it is damaged",
            },
        )
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "{}", path.display()),
            Self::Postgres { primary, .. } => write!(f, "{primary}"),
        }
    }
}

fn postgres(config: &Config, key: &str, url: &SecretUrl) -> Result<PostgresSettings, Failure> {
    let password = config.store.password.as_ref().map(crate::config::Secret::reveal).transpose()?;
    let mut settings = PostgresSettings::new(&url.reveal()?, password).map_err(|what| {
        Failure::new(
            Code::ConfigInvalid,
            format!("{key} ({url}): {what}"),
            "write sqlite:PATH or postgres://user@host:port/database",
        )
    })?;
    let authorities = &config.store.ca_file;
    // A replica may be reached without, on the same machine.
    if !authorities.as_os_str().is_empty() && (settings.is_encrypted() || key == "store.url") {
        settings.trust(authorities).map_err(|what| {
            let advice = "name the file (PEM) of whoever signed the servers' certificates";
            Failure::new(Code::ConfigInvalid, format!("store.ca_file: {what}"), advice)
        })?;
    }
    settings.connections = config.store.connections;
    settings.connect_timeout = Duration::from_millis(config.store.connect_timeout_ms);
    settings.statement_timeout = Duration::from_millis(config.store.statement_timeout_ms);
    settings.migrate = config.store.migrate_at_start;
    settings.history_days = config.store.history_days;
    Ok(settings)
}

/// Opens the configured database. A server may be away: calls then fail as unavailable until it is there.
pub(super) fn open(config: &Config, clock: &SharedClock) -> Result<Database, Failure> {
    Place::of(config)?.open(config, clock)
}

/// What the configured database has had of the schema; with `apply`, it gets what it lacks.
///
/// # Errors
/// One sentence about a database that can't be used.
pub async fn schema(config: &Config, apply: bool) -> Result<Schema, Failure> {
    let place = Place::of(config)?;
    let migrations = match &place {
        Place::Sqlite(path) => {
            let opened = if apply { SqliteStore::open(path, SystemClock.now()).map(drop) } else { Ok(()) };
            opened.and_then(|()| SqliteStore::migrations(path))
        }
        Place::Postgres { .. } => {
            let clock: SharedClock = Arc::new(SystemClock);
            let (store, thread) = place.postgres(&clock)?;
            let _thread = Running::start(vec![thread])?;
            store.migrations(apply).await
        }
    };
    let migrations = migrations.map_err(|error| place.failed(&error))?;
    Ok(Schema { database: place.to_string(), migrations })
}

/// Whether the configured database can be used, and what it is.
pub(super) async fn probe(config: &Config) -> Result<String, Failure> {
    let place = Place::of(config)?;
    match &place {
        Place::Sqlite(path) => {
            // Opening makes and migrates; one that is behind may be in use by an older pool.
            let behind = SqliteStore::migrations(path).map_err(|error| place.failed(&error))?;
            if !path.exists() || behind.iter().all(|migration| migration.applied_at.is_some()) {
                let opened = SqliteStore::open(path, SystemClock.now());
                // The threads that would serve it are not needed.
                drop(opened.map_err(|error| place.failed(&error))?);
            }
            Ok(place.to_string())
        }
        Place::Postgres { primary, replica } => {
            let clock: SharedClock = Arc::new(SystemClock);
            let mut found = Vec::new();
            for (what, settings) in [("", Some(&**primary)), ("; replica ", replica.as_deref())] {
                let Some(settings) = settings else { continue };
                let opened = PostgresStore::open(settings.clone(), None, Arc::clone(&clock));
                let (store, thread) = opened.map_err(|error| place.failed(&error))?;
                let _thread = Running::start(vec![thread])?;
                let version = if what.is_empty() { store.probe().await } else { store.probe_replica().await };
                found.push(format!("{what}{}", version.map_err(|error| place.failed(&error))?));
            }
            Ok(found.concat())
        }
    }
}

/// Claims the node's place in the database and reads what the ledger left there; waits a while for one that is away.
pub(super) async fn claim(store: &dyn StorePort, node: &str, wait: Duration) -> Result<LedgerState, Failure> {
    let deadline = tokio::time::Instant::now() + wait;
    loop {
        match store.load(node).await {
            Err(error @ StoreError::Unavailable { .. }) if tokio::time::Instant::now() < deadline => {
                tracing::warn!("waiting for the database before anything is started: {error}");
                tokio::time::sleep(START_POLL).await;
            }
            Err(error) => {
                return Err(Failure::new(
                    Code::StoreUnusable,
                    format!("the ledger's store: {error}"),
                    "see store.url in the configuration; `dagpool check` tries it",
                ));
            }
            Ok(state) => return Ok(state),
        }
    }
}

/// Threads of a database that is used for a moment; they end with its last handle.
pub(super) struct Running(Vec<Thread>);

impl Running {
    pub(super) fn start(threads: Vec<(&'static str, StoreThread)>) -> Result<Self, Failure> {
        let mut running = Vec::new();
        for (name, body) in threads {
            running.push(Thread::spawn(name, body).map_err(|error| refused("threads", &error))?);
        }
        Ok(Self(running))
    }

    /// Waits for them; every handle of the database must be gone.
    pub(super) fn join(self) {
        for thread in self.0 {
            // What it was asked is answered, or its asker knows.
            if let Err(panic) = thread.join() {
                tracing::error!(panic, "a thread of the database had panicked");
            }
        }
    }
}
