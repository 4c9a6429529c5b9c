//! Bringing the schema up to date.

use pool_domain::units::TimeMs;
use sha2::{Digest as _, Sha256};
use tokio_postgres::{Client, GenericClient};

use super::{
    codec::Stamp,
    session::{Parameters, failure},
    statements::{
        MIGRATION_ADD, MIGRATIONS, MIGRATIONS_ALL, MIGRATIONS_EXIST, MIGRATIONS_LOCK, MIGRATIONS_TABLE,
    },
};
use crate::ports::store::StoreError;

/// Checks the schema, and applies the changes that it lacks: all in one transaction, one process at a time.
pub(super) async fn migrate(client: &mut Client, now: TimeMs) -> Result<(), StoreError> {
    let exists = client.query_one(MIGRATIONS_EXIST.text, &[]).await.map_err(failure)?;
    if exists.get(0) {
        let done = applied(client).await?;
        check(&done)?;
        if missing(&done).next().is_none() {
            return Ok(());
        }
    }
    let change = client.transaction().await.map_err(failure)?;
    change.batch_execute(MIGRATIONS_LOCK.text).await.map_err(failure)?;
    change.batch_execute(MIGRATIONS_TABLE.text).await.map_err(failure)?;
    // Again: somebody else may have been at it until the lock was ours.
    let done = applied(&change).await?;
    check(&done)?;
    for (version, name, text) in missing(&done) {
        change.batch_execute(text).await.map_err(failure)?;
        let record: Parameters<'_> = &[version, name, &digest(text), &Stamp(now)];
        change.execute(MIGRATION_ADD.text, record).await.map_err(failure)?;
        tracing::info!(version, name, "bringing the database schema up to date");
    }
    change.commit().await.map_err(failure)
}

type Applied = Vec<(i64, String, String)>;

async fn applied(client: &impl GenericClient) -> Result<Applied, StoreError> {
    let rows = client.query(MIGRATIONS_ALL.text, &[]).await.map_err(failure)?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect())
}

fn missing(applied: &Applied) -> impl Iterator<Item = &'static (i64, &'static str, &'static str)> {
    MIGRATIONS.iter().filter(|(version, ..)| applied.iter().all(|(done, ..)| done != version))
}

fn check(applied: &Applied) -> Result<(), StoreError> {
    for (version, name, checksum) in applied {
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
    Ok(())
}

fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}
