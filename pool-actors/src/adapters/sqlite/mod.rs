//! The ledger's store on SQLite: for one machine; WAL, every commit on disk before it is answered.
//!
//! SQLite blocks, so it has threads of its own: one that writes, one that reads, one for audits, which read everything
//! (in WAL mode none waits for another). [`SqliteStore::open`] gives the handle and the bodies; who composes the pool
//! starts the threads.

mod books;
mod deployments;
mod limbs;
mod payouts;
mod read;
mod schema;
mod statements;
#[cfg(test)]
mod tests;
mod users;
mod write;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use async_trait::async_trait;
pub use books::{ReadThreads, copy_database};
use pool_domain::{
    ids::{Account, BlockHash},
    units::TimeMs,
};
use rusqlite::{Connection, ErrorCode};
use tokio::sync::{mpsc, oneshot};

use super::{Migration, StoreThread};
use crate::ports::store::{
    AccountRow, BlockQuery, BlockRow, BlockStep, Finding, HISTORY_DAYS, LedgerCommit, LedgerState, Position,
    ShareHour, Split, StoreError, StorePort, Totals,
};

/// Calls that may wait for a thread. The API's are refused beyond this; the ledger's wait for a place.
const QUEUE: usize = 256;

type Job<T> = Box<dyn FnOnce(&mut T) + Send>;

/// Handle to the database's threads; clones share them.
#[derive(Clone)]
pub struct SqliteStore {
    writer: mpsc::Sender<Job<write::Writer>>,
    reader: mpsc::Sender<Job<Connection>>,
    auditor: mpsc::Sender<Job<Connection>>,
}

/// The threads of one [`SqliteStore`], by name.
pub type StoreThreads = [(&'static str, StoreThread); 3];

impl SqliteStore {
    /// Opens (and creates, and migrates) the database at `path`. Returns the handle and the bodies of the threads that
    /// do its work, by name; calls wait until they run.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the file can't be opened, [`StoreError::Schema`] when it is of another version.
    pub fn open(path: &Path, now: TimeMs) -> Result<(Self, StoreThreads), StoreError> {
        Self::open_keeping(path, now, HISTORY_DAYS)
    }

    /// As [`Self::open`]; shares by the hour are kept for so many days.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_keeping(
        path: &Path,
        now: TimeMs,
        history_days: u32,
    ) -> Result<(Self, StoreThreads), StoreError> {
        let write_db = schema::open_writer(path, now)?;
        let (read_db, audit_db) = (schema::open_reader(path)?, schema::open_reader(path)?);
        let (writer, writes) = mpsc::channel(QUEUE);
        let (reader, reads) = mpsc::channel(QUEUE);
        let (auditor, audits) = mpsc::channel(1);
        let threads: StoreThreads = [
            ("store-write", Box::new(move || work(write::Writer::new(write_db, history_days), writes))),
            ("store-read", Box::new(move || work(read_db, reads))),
            ("store-audit", Box::new(move || work(audit_db, audits))),
        ];
        Ok((Self { writer, reader, auditor }, threads))
    }

    /// The changes of the schema that the database at `path` has had and lacks. Nothing is changed.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn migrations(path: &Path) -> Result<Vec<Migration>, StoreError> {
        schema::status(path)
    }

    /// For the ledger, which has one question at a time: whoever floods the API must not make it seem that the database
    /// is away.
    async fn read_for_ledger<R: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Job<Connection> = Box::new(move |db| {
            let _ = answer.send(query(db));
        });
        self.reader.send(job).await.map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }

    async fn read<R: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, StoreError> {
        ask(&self.reader, query).await
    }
}

/// Puts a query to one of the reading threads.
async fn ask<R: Send + 'static>(
    reader: &mpsc::Sender<Job<Connection>>,
    query: impl FnOnce(&Connection) -> Result<R, StoreError> + Send + 'static,
) -> Result<R, StoreError> {
    let (answer, answered) = oneshot::channel();
    let job: Job<Connection> = Box::new(move |db| {
        // Whoever asked may have gone.
        let _ = answer.send(query(db));
    });
    reader.try_send(job).map_err(|refused| match refused {
        mpsc::error::TrySendError::Full(_) => {
            StoreError::Unavailable { what: "too many queries are waiting already".into() }
        }
        mpsc::error::TrySendError::Closed(_) => ended(),
    })?;
    answered.await.map_err(|_| ended())?
}

fn work<T>(mut on: T, mut jobs: mpsc::Receiver<Job<T>>) {
    while let Some(job) = jobs.blocking_recv() {
        job(&mut on);
    }
}

fn ended() -> StoreError {
    StoreError::Corrupt { what: "a thread of the SQLite store has ended; restart the pool".into() }
}

/// Sorts SQLite's failures by what can be done about them.
#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
fn unavailable(error: rusqlite::Error) -> StoreError {
    let what = format!("SQLite: {error}");
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::OutOfMemory
            | ErrorCode::OperationInterrupted,
        ) => StoreError::Unavailable { what },
        Some(ErrorCode::NotADatabase) => StoreError::Schema { what: format!("{what}; choose another file") },
        _ => StoreError::Corrupt { what },
    }
}

#[async_trait]
impl StorePort for SqliteStore {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    async fn nodes(&self) -> Result<Vec<String>, StoreError> {
        self.read_for_ledger(read::nodes).await
    }

    async fn load(&self, node: &str) -> Result<LedgerState, StoreError> {
        let node = node.to_owned();
        self.read_for_ledger(move |db| read::load(db, &node)).await
    }

    async fn commit(&self, commit: Arc<LedgerCommit>) -> Result<Position, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Job<write::Writer> = Box::new(move |writer| {
            let _ = answer.send(writer.commit(&commit));
        });
        self.writer.send(job).await.map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }

    async fn splits(&self, blocks: Vec<BlockHash>) -> Result<BTreeMap<BlockHash, Split>, StoreError> {
        self.read_for_ledger(move |db| read::splits(db, &blocks)).await
    }

    async fn accounts(&self, after: Option<Account>, limit: usize) -> Result<Vec<AccountRow>, StoreError> {
        self.read(move |db| read::accounts(db, after.as_ref(), limit)).await
    }

    async fn accounts_named(&self, accounts: Vec<Account>) -> Result<Vec<AccountRow>, StoreError> {
        self.read(move |db| read::accounts_named(db, &accounts)).await
    }

    async fn share_hours(
        &self,
        account: Account,
        from: TimeMs,
        to: TimeMs,
    ) -> Result<Vec<ShareHour>, StoreError> {
        self.read(move |db| read::share_hours(db, &account, from, to)).await
    }

    async fn blocks(&self, query: BlockQuery) -> Result<Vec<BlockRow>, StoreError> {
        self.read(move |db| read::blocks(db, &query)).await
    }

    async fn block(&self, hash: BlockHash) -> Result<Option<(BlockRow, Vec<BlockStep>)>, StoreError> {
        self.read(move |db| read::block(db, &hash)).await
    }

    async fn totals(&self) -> Result<Totals, StoreError> {
        self.read_for_ledger(read::totals).await
    }

    async fn size_bytes(&self) -> Result<u64, StoreError> {
        self.read(read::size_bytes).await
    }

    async fn check(&self) -> Result<Vec<Finding>, StoreError> {
        ask(&self.auditor, read::check).await
    }
}
