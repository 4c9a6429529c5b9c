//! Opening the database and bringing its schema up to date.

use std::path::Path;

use pool_domain::units::TimeMs;
use rusqlite::{Connection, OpenFlags, TransactionBehavior, named_params};
use sha2::{Digest, Sha256};

use super::statements::{ENTRIES_STAGING, MIGRATION_ADD, MIGRATIONS, MIGRATIONS_ALL, MIGRATIONS_TABLE};
use super::{read::signed, unavailable};
use crate::ports::store::StoreError;

/// Prepared statements kept per connection; there are fewer than this.
const STATEMENTS_KEPT: usize = 64;
/// How long a statement waits for a lock before it fails.
const BUSY_TIMEOUT_MS: u64 = 5_000;

/// Opens (and creates) the database for writing, and migrates it.
pub(super) fn open_writer(path: &Path, now: TimeMs) -> Result<Connection, StoreError> {
    let mut db = Connection::open(path).map_err(unavailable)?;
    prepare(&db)?;
    migrate(&mut db, now)?;
    db.execute_batch(ENTRIES_STAGING).map_err(unavailable)?;
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
    db.pragma_update(None, "cache_size", -16_384).map_err(unavailable)
}

fn migrate(db: &mut Connection, now: TimeMs) -> Result<(), StoreError> {
    db.execute_batch(MIGRATIONS_TABLE).map_err(unavailable)?;
    let applied: Vec<(i64, String, String)> = db
        .prepare(MIGRATIONS_ALL)
        .and_then(|mut all| all.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect())
        .map_err(unavailable)?;
    for (version, name, checksum) in &applied {
        match MIGRATIONS.iter().find(|(known, ..)| known == version) {
            None => {
                return Err(StoreError::Schema {
                    what: format!(
                        "the database has schema version {version} ({name}), which this program does not know: it was written by a newer pool; start that one"
                    ),
                });
            }
            Some((_, _, text)) if digest(text) != *checksum => {
                return Err(StoreError::Schema {
                    what: format!(
                        "schema version {version} ({name}) of the database differs from this program's: use the pool it was made with, or restore a backup"
                    ),
                });
            }
            Some(_) => {}
        }
    }
    for (version, name, text) in MIGRATIONS {
        if applied.iter().any(|(done, ..)| done == version) {
            continue;
        }
        let change = db.transaction_with_behavior(TransactionBehavior::Exclusive).map_err(unavailable)?;
        change.execute_batch(text).map_err(unavailable)?;
        change
            .execute(
                MIGRATION_ADD,
                named_params! {
                    ":version": version, ":name": name, ":checksum": digest(text), ":applied_at": signed(now.0)?,
                },
            )
            .map_err(unavailable)?;
        change.commit().map_err(unavailable)?;
        tracing::info!(version, name, "database schema brought up to date");
    }
    Ok(())
}

fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}
