//! Opening the database and bringing its schema up to date.

use std::path::Path;

use pool_domain::units::TimeMs;
use rusqlite::{Connection, OpenFlags, TransactionBehavior, named_params};

use super::{
    super::migrations::{self, Applied, Migration},
    read::{column, count, rows, signed},
    statements::{MIGRATION_ADD, MIGRATIONS, MIGRATIONS_ALL, MIGRATIONS_EXIST, MIGRATIONS_TABLE},
    unavailable,
};
use crate::ports::store::StoreError;

/// Prepared statements kept per connection; there are fewer than this.
pub(super) const STATEMENTS_KEPT: usize = 160;
/// How long a statement waits for a lock before it fails.
const BUSY_TIMEOUT_MS: u64 = 5_000;

/// Opens (and creates) the database for writing, and migrates it.
pub(super) fn open_writer(path: &Path, now: TimeMs) -> Result<Connection, StoreError> {
    let mut db = Connection::open(path).map_err(unavailable)?;
    prepare(&db)?;
    migrate(&mut db, now)?;
    Ok(db)
}

/// Opens a migrated database for reading.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let db = Connection::open_with_flags(path, flags).map_err(unavailable)?;
    db.busy_timeout(std::time::Duration::from_millis(BUSY_TIMEOUT_MS)).map_err(unavailable)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    Ok(db)
}

fn prepare(db: &Connection) -> Result<(), StoreError> {
    db.busy_timeout(std::time::Duration::from_millis(BUSY_TIMEOUT_MS)).map_err(unavailable)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    // Readers never wait for the writer; a commit is on disk when it returns.
    db.pragma_update(None, "journal_mode", "WAL").map_err(unavailable)?;
    db.pragma_update(None, "synchronous", "FULL").map_err(unavailable)?;
    db.pragma_update(None, "foreign_keys", "ON").map_err(unavailable)?;
    db.pragma_update(None, "temp_store", "MEMORY").map_err(unavailable)?;
    // KiB: what a commit of ten thousand workers touches stays at hand.
    db.pragma_update(None, "cache_size", -16_384).map_err(unavailable)?;
    // Pages, 32 MiB: a block of ten thousand accounts fills the usual 4 MiB, and would carry the log over with each commit.
    db.pragma_update(None, "wal_autocheckpoint", 8_192).map_err(unavailable)
}

fn migrate(db: &mut Connection, now: TimeMs) -> Result<(), StoreError> {
    db.execute_batch(MIGRATIONS_TABLE).map_err(unavailable)?;
    let applied = applied(db)?;
    migrations::verify(MIGRATIONS, &applied)?;
    for (version, name, text) in migrations::missing(MIGRATIONS, &applied) {
        let change = db.transaction_with_behavior(TransactionBehavior::Exclusive).map_err(unavailable)?;
        change.execute_batch(text).map_err(unavailable)?;
        let checksum = migrations::digest(text);
        change
            .execute(
                MIGRATION_ADD,
                named_params! {
                    ":version": version, ":name": name, ":checksum": checksum, ":applied_at": signed(now.0)?,
                },
            )
            .map_err(unavailable)?;
        change.commit().map_err(unavailable)?;
        tracing::info!(version, name, "database schema brought up to date");
    }
    Ok(())
}

fn applied(db: &Connection) -> Result<Vec<Applied>, StoreError> {
    rows(db, MIGRATIONS_ALL, &[], |row| {
        Ok(Applied {
            version: column(row, 0)?,
            name: column(row, 1)?,
            checksum: column(row, 2)?,
            at: TimeMs(count(row, 3)?),
        })
    })
}

/// The changes that the database at `path` has had and lacks; nothing is changed, nor made where there is none.
pub(super) fn status(path: &Path) -> Result<Vec<Migration>, StoreError> {
    if !path.exists() {
        return Ok(migrations::status(MIGRATIONS, &[]));
    }
    let db = open_reader(path)?;
    let exist: bool = db.query_row(MIGRATIONS_EXIST, [], |row| row.get(0)).map_err(unavailable)?;
    let applied = if exist { applied(&db)? } else { Vec::new() };
    migrations::verify(MIGRATIONS, &applied)?;
    Ok(migrations::status(MIGRATIONS, &applied))
}
