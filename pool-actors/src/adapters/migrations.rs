//! Changes of a database's schema: what this program knows, and what a database has had. The same for every database.

use pool_domain::units::TimeMs;
use sha2::{Digest as _, Sha256};

use crate::ports::store::StoreError;

/// Number, name and text of a change.
pub(super) type Known = (i64, &'static str, &'static str);

/// A change as a database remembers it.
pub(super) struct Applied {
    pub(super) version: i64,
    pub(super) name: String,
    pub(super) checksum: String,
    pub(super) at: TimeMs,
}

/// A change of a database's schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// Its number, in order.
    pub version: i64,
    /// What it is about.
    pub name: String,
    /// When this database got it; `None` while it lacks it.
    pub applied_at: Option<TimeMs>,
}

/// Refuses a database that has had what this program does not know, or knows otherwise.
pub(super) fn verify(known: &[Known], applied: &[Applied]) -> Result<(), StoreError> {
    for Applied { version, name, checksum, .. } in applied {
        let what = match known.iter().find(|(known, ..)| known == version) {
            None => format!(
                "the database has schema version {version} ({name}), which this program does not know: it was written by a newer pool; start that one"
            ),
            Some((_, _, text)) if digest(text) != *checksum => format!(
                "schema version {version} ({name}) of the database differs from this program's: use the pool it was made with, or restore a backup"
            ),
            Some(_) => continue,
        };
        return Err(StoreError::Schema { what });
    }
    Ok(())
}

/// What the database lacks, in order.
pub(super) fn missing<'a>(known: &'a [Known], applied: &'a [Applied]) -> impl Iterator<Item = &'a Known> {
    known.iter().filter(|(version, ..)| applied.iter().all(|done| done.version != *version))
}

/// Refuses a database that lacks something, where it may not be changed.
pub(super) fn refuse_missing(known: &[Known], applied: &[Applied]) -> Result<(), StoreError> {
    match missing(known, applied).next() {
        None => Ok(()),
        Some((version, name, _)) => Err(StoreError::Schema {
            what: format!(
                "the database lacks schema version {version} ({name}), and store.migrate_at_start is false: run `dagpool migrate`"
            ),
        }),
    }
}

/// All known changes, and when this database got them.
pub(super) fn status(known: &[Known], applied: &[Applied]) -> Vec<Migration> {
    let at = |version: i64| applied.iter().find(|done| done.version == version).map(|done| done.at);
    known
        .iter()
        .map(|(version, name, _)| Migration {
            version: *version,
            name: (*name).to_owned(),
            applied_at: at(*version),
        })
        .collect()
}

/// By which an edited change is noticed.
pub(super) fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}
