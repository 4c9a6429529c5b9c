//! Bringing the schema up to date.

use pool_domain::units::TimeMs;
use tokio_postgres::{Client, GenericClient};

use super::{
    super::migrations::{self, Applied, Migration},
    codec::Stamp,
    session::{Parameters, failure},
    statements::{
        MIGRATION_ADD, MIGRATIONS, MIGRATIONS_ALL, MIGRATIONS_EXIST, MIGRATIONS_LOCK, MIGRATIONS_TABLE,
        MIGRATIONS_UNBOUNDED,
    },
};
use crate::ports::store::StoreError;

/// Checks the schema, and applies the changes that it lacks: all in one transaction, one process at a time.
pub(super) async fn migrate(client: &mut Client, now: TimeMs) -> Result<(), StoreError> {
    if !lacks(client).await? {
        return Ok(());
    }
    let change = client.transaction().await.map_err(failure)?;
    // The index of a large ledger takes minutes: given up on, it would be begun anew for ever.
    change.batch_execute(MIGRATIONS_UNBOUNDED.text).await.map_err(failure)?;
    change.batch_execute(MIGRATIONS_LOCK.text).await.map_err(failure)?;
    change.batch_execute(MIGRATIONS_TABLE.text).await.map_err(failure)?;
    // Again: somebody else may have been at it until the lock was ours.
    let done = applied(&change).await?;
    migrations::verify(MIGRATIONS, &done)?;
    for (version, name, text) in migrations::missing(MIGRATIONS, &done) {
        change.batch_execute(text).await.map_err(failure)?;
        let record: Parameters<'_> = &[version, name, &migrations::digest(text), &Stamp(now)];
        change.execute(MIGRATION_ADD.text, record).await.map_err(failure)?;
        tracing::info!(version, name, "bringing the database schema up to date");
    }
    change.commit().await.map_err(failure)
}

/// Whether the schema, which is checked, lacks something.
pub(super) async fn lacks(client: &Client) -> Result<bool, StoreError> {
    let done = had(client).await?;
    migrations::verify(MIGRATIONS, &done)?;
    Ok(migrations::missing(MIGRATIONS, &done).next().is_some())
}

/// Checks the schema, which must lack nothing.
pub(super) async fn check(client: &Client) -> Result<(), StoreError> {
    let done = had(client).await?;
    migrations::verify(MIGRATIONS, &done)?;
    migrations::refuse_missing(MIGRATIONS, &done)
}

/// The changes that the database has had and lacks.
pub(super) async fn status(client: &Client) -> Result<Vec<Migration>, StoreError> {
    let done = had(client).await?;
    migrations::verify(MIGRATIONS, &done)?;
    Ok(migrations::status(MIGRATIONS, &done))
}

async fn had(client: &Client) -> Result<Vec<Applied>, StoreError> {
    let exists = client.query_one(MIGRATIONS_EXIST.text, &[]).await.map_err(failure)?;
    if exists.get(0) { applied(client).await } else { Ok(Vec::new()) }
}

async fn applied(client: &impl GenericClient) -> Result<Vec<Applied>, StoreError> {
    let rows = client.query(MIGRATIONS_ALL.text, &[]).await.map_err(failure)?;
    let applied = rows.iter().map(|row| {
        let at: Stamp = row.get(3);
        Applied { version: row.get(0), name: row.get(1), checksum: row.get(2), at: at.0 }
    });
    Ok(applied.collect())
}
