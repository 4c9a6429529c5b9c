//! The books of a database, opened for reading by commands: beside a running pool, or without one.

use std::{path::Path, sync::Arc};

use super::{database::Place, start::refused};
use crate::{
    adapters::{
        StoreThread,
        postgres::{PostgresSettings, PostgresStore},
        sqlite::SqliteStore,
        system_clock::SystemClock,
    },
    config::Config,
    error::{Code, Failure},
    ports::{
        books::{BooksPort, SharedBooks},
        payouts::{PayoutStore, SharedPayouts},
        store::{SharedStore, StoreError, StorePort},
    },
    runtime::threads::Thread,
};

/// A database, for reading.
pub struct OpenBooks {
    /// As the ledger sees it.
    pub store: SharedStore,
    /// As audits see it.
    pub books: SharedBooks,
    /// Its payouts.
    pub payouts: SharedPayouts,
    /// Where it is, for people; without a password.
    pub place: String,
}

impl OpenBooks {
    /// The database of this configuration. Nothing is migrated.
    ///
    /// # Errors
    /// [`Code::StoreUnusable`], with what to do.
    pub fn of(config: &Config) -> Result<Self, Failure> {
        match Place::of(config)? {
            Place::Sqlite(path) => Self::sqlite(&path),
            Place::Postgres { primary, .. } => Self::postgres(*primary),
        }
    }

    /// The database at `postgres://...` or `sqlite:PATH` (a relative path is below `folder`). Nothing is migrated.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub fn open(url: &str, folder: &Path) -> Result<Self, Failure> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let settings = PostgresSettings::new(url, None).map_err(|what| {
                Failure::new(
                    Code::StoreUnusable,
                    format!("the database's address: {what}"),
                    "write postgres://user:password@host:port/database",
                )
            })?;
            return Self::postgres(settings);
        }
        Self::sqlite(&folder.join(url.strip_prefix("sqlite:").unwrap_or(url)))
    }

    fn over<S: StorePort + BooksPort + PayoutStore>(store: Arc<S>, place: String) -> Self {
        Self { store: Arc::clone(&store) as _, books: Arc::clone(&store) as _, payouts: store, place }
    }

    fn sqlite(path: &Path) -> Result<Self, Failure> {
        let place = path.display().to_string();
        let (store, threads) = SqliteStore::open_read_only(path).map_err(|error| unusable(&place, &error))?;
        spawn(threads)?;
        Ok(Self::over(Arc::new(store), place))
    }

    fn postgres(mut settings: PostgresSettings) -> Result<Self, Failure> {
        settings.migrate = false;
        let place = settings.to_string();
        let (store, thread) = PostgresStore::open(settings, None, Arc::new(SystemClock))
            .map_err(|error| unusable(&place, &error))?;
        spawn([thread])?;
        Ok(Self::over(Arc::new(store), place))
    }
}

fn unusable(place: &str, error: &StoreError) -> Failure {
    Failure::new(
        Code::StoreUnusable,
        format!("the database {place} can't be used ({error})"),
        "see its address; restore a backup if it is damaged",
    )
}

/// The threads end with the last handle of the store.
fn spawn(threads: impl IntoIterator<Item = (&'static str, StoreThread)>) -> Result<(), Failure> {
    for (name, body) in threads {
        drop(Thread::spawn(name, body).map_err(|error| refused("threads", &error))?);
    }
    Ok(())
}
