//! Backups: the database as it is at one moment, and the journal as it is a moment later, so that what the database has taken
//! in is in the journal, too. Beside a running pool: nothing is locked, nothing is changed.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use pool_domain::ids::ShareSeq;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    adapters::{disk_folder::FolderDisk, sqlite},
    config::Config,
    error::{Code, Failure},
    ledger::journal::{Durability, Journal, Options, copy_journal},
    ports::{clock::SharedClock, disk::SharedDisk},
};

/// Names the form of a backup.
pub const FORMAT: &str = "dagpool-backup-1";
/// The list of what is in a backup, written last: a backup without it is none.
pub const MANIFEST: &str = "manifest.json";
/// The copy of the embedded database.
pub const SQLITE_COPY: &str = "pool.db";
/// The dump of a PostgreSQL database.
pub const POSTGRES_DUMP: &str = "pool.pgdump";
const JOURNAL: &str = "journal";
const PACKAGES: &str = "packages";
const NODE_SUFFIX: &str = ".node";

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupFile {
    /// Length.
    pub bytes: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
}

/// What is in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// Version of the program that made it.
    pub program: String,
    /// When, Unix milliseconds.
    pub created_at_ms: u64,
    /// Whose journal it is, such as `node-0`.
    pub node: String,
    /// `sqlite` or `postgres`.
    pub database: String,
    /// Oldest record of the journal.
    pub journal_first: ShareSeq,
    /// Newest record of the journal; the database has taken in this or less.
    pub journal_through: ShareSeq,
    /// Every file, by its path below the backup.
    pub files: BTreeMap<String, BackupFile>,
}

fn unusable(path: &Path, what: impl std::fmt::Display) -> Failure {
    Failure::new(
        Code::FileUnusable,
        format!("{}: {what}", path.display()),
        "see that the folder can be read and written, and has room",
    )
}

/// Makes the folder; refuses one that holds anything.
///
/// # Errors
/// [`Code::FileUnusable`].
pub fn empty_folder(path: &Path) -> Result<(), Failure> {
    fs::create_dir_all(path).map_err(|error| unusable(path, error))?;
    let mut entries = fs::read_dir(path).map_err(|error| unusable(path, error))?;
    if entries.next().is_some() {
        return Err(Failure::new(
            Code::FileUnusable,
            format!("{} is not empty", path.display()),
            "name a folder that is new or empty: nothing is ever written over",
        ));
    }
    Ok(())
}

/// Which database is backed up.
pub enum Source {
    /// SQLite, in this file.
    Sqlite(PathBuf),
    /// PostgreSQL.
    Postgres {
        /// Its address, which may hold a password.
        url: String,
        /// Its password, where that is kept apart.
        password: Option<String>,
        /// Who signs its certificate, if not somebody whom the system trusts.
        ca_file: Option<PathBuf>,
    },
}

impl Source {
    /// The database of this configuration.
    ///
    /// # Errors
    /// When a secret that it names can't be read.
    pub fn of(config: &Config) -> Result<Self, Failure> {
        let url = config.store.url.reveal()?;
        if let Some(path) = url.strip_prefix("sqlite:") {
            return Ok(Self::Sqlite(config.pool.data_dir.join(path)));
        }
        let password = config.store.password.as_ref().map(crate::config::Secret::reveal).transpose()?;
        let ca_file = Some(config.store.ca_file.clone()).filter(|file| !file.as_os_str().is_empty());
        Ok(Self::Postgres { url, password, ca_file })
    }
}

/// Copies the embedded database. First, before the journal.
///
/// # Errors
/// [`Code::StoreUnusable`].
pub fn copy_sqlite(path: &Path, to: &Path) -> Result<(), Failure> {
    sqlite::copy_database(path, &to.join(SQLITE_COPY)).map_err(|error| {
        Failure::new(
            Code::StoreUnusable,
            format!("the database {} can't be copied ({error})", path.display()),
            "see that there is room where the backup goes",
        )
    })
}

/// Copies journal and packages, after the database, and writes the manifest.
///
/// # Errors
/// [`Code::JournalUnusable`], [`Code::FileUnusable`].
pub fn copy_rest(
    config: &Config,
    to: &Path,
    database: &str,
    clock: &SharedClock,
) -> Result<Manifest, Failure> {
    let from = config.pool.data_dir.join(JOURNAL);
    let source = FolderDisk::open_read_only(&from).map_err(|error| unusable(&from, error))?;
    let folder = to.join(JOURNAL);
    let target = FolderDisk::open(&folder).map_err(|error| unusable(&folder, error))?;
    let damaged = |fault: crate::ledger::journal::JournalFault| {
        Failure::new(Code::JournalUnusable, fault.to_string(), "see pool-actors/docs/journal.md")
    };
    let copied = copy_journal(&source, &target).map_err(damaged)?;
    let marks = files_below(&from).map_err(|error| unusable(&from, error))?;
    let mark = marks.iter().find(|name| name.ends_with(NODE_SUFFIX));
    let mark = mark.ok_or_else(|| unusable(&from, "no file says whose journal it is (node-N.node)"))?;
    fs::copy(from.join(mark), folder.join(mark)).map_err(|error| unusable(&folder, error))?;
    drop(target);
    // The lock of the copy, which nobody else needs.
    fs::remove_file(folder.join("lock")).map_err(|error| unusable(&folder, error))?;
    copy_packages(&config.pool.data_dir.join(PACKAGES), &to.join(PACKAGES))?;
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        created_at_ms: clock.now().0,
        node: mark.trim_end_matches(NODE_SUFFIX).to_owned(),
        database: database.to_owned(),
        journal_first: copied.first,
        journal_through: copied.through,
        files: digests(to)?,
    };
    let text = serde_json::to_vec_pretty(&manifest).map_err(|error| unusable(to, error))?;
    let path = to.join(MANIFEST);
    fs::write(&path, text)
        .and_then(|()| fs::File::open(&path)?.sync_all())
        .map_err(|error| unusable(&path, error))?;
    Ok(manifest)
}

fn copy_packages(from: &Path, to: &Path) -> Result<(), Failure> {
    if !from.is_dir() {
        return Ok(());
    }
    for name in files_below(from).map_err(|error| unusable(from, error))? {
        let target = to.join(&name);
        let folder = target.parent().unwrap_or(to);
        fs::create_dir_all(folder)
            .and_then(|()| fs::copy(from.join(&name), &target).map(drop))
            .map_err(|error| unusable(&target, error))?;
    }
    Ok(())
}

/// Every file below a folder, by its path from there with `/`.
fn files_below(folder: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut open = vec![(folder.to_owned(), String::new())];
    while let Some((path, prefix)) = open.pop() {
        for entry in fs::read_dir(&path)? {
            let entry = entry?;
            let name =
                entry.file_name().into_string().map_err(|_| io::Error::other("a name that is no text"))?;
            let name = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
            if entry.file_type()?.is_dir() {
                open.push((entry.path(), name));
            } else {
                found.push(name);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn digests(folder: &Path) -> Result<BTreeMap<String, BackupFile>, Failure> {
    let mut files = BTreeMap::new();
    for name in files_below(folder).map_err(|error| unusable(folder, error))? {
        if name != MANIFEST {
            let path = folder.join(&name);
            let file = digest(&path).map_err(|error| unusable(&path, error))?;
            files.insert(name, file);
        }
    }
    Ok(files)
}

fn digest(path: &Path) -> io::Result<BackupFile> {
    let mut file = fs::File::open(path)?;
    let (mut hash, mut bytes, mut chunk) = (Sha256::new(), 0, vec![0; 1 << 20]);
    loop {
        let read = file.read(&mut chunk)?;
        if read == 0 {
            // A backup is on the disk when its manifest says so.
            file.sync_all()?;
            return Ok(BackupFile { bytes, sha256: hex::encode(hash.finalize()) });
        }
        bytes += read as u64;
        hash.update(&chunk[..read]);
    }
}

/// Reads a backup's manifest and checks every file against it.
///
/// # Errors
/// [`Code::FileUnusable`], with the file that differs.
pub fn verify(folder: &Path) -> Result<Manifest, Failure> {
    let path = folder.join(MANIFEST);
    let text = fs::read(&path).map_err(|error| unusable(&path, error))?;
    let manifest: Manifest = serde_json::from_slice(&text).map_err(|error| unusable(&path, error))?;
    if manifest.format != FORMAT {
        return Err(unusable(
            &path,
            format!("the format is \"{}\", this program reads \"{FORMAT}\"", manifest.format),
        ));
    }
    let found = digests(folder)?;
    for name in manifest.files.keys().chain(found.keys()) {
        if manifest.files.get(name) != found.get(name) {
            return Err(Failure::new(
                Code::FileUnusable,
                format!("{}: {name} is not what the manifest says", folder.display()),
                "take another backup: this one is damaged",
            ));
        }
    }
    Ok(manifest)
}

/// Brings a checked backup's journal and packages (and its embedded database) into a new data folder, and begins an epoch there:
/// what the lost process had not journalled yet was lost with it.
///
/// # Errors
/// [`Code::FileUnusable`], [`Code::JournalUnusable`].
pub fn restore_files(
    backup: &Path,
    manifest: &Manifest,
    data_dir: &Path,
    clock: &SharedClock,
) -> Result<(), Failure> {
    empty_folder(data_dir)?;
    for name in manifest.files.keys().filter(|name| *name != POSTGRES_DUMP) {
        let target = data_dir.join(name);
        let folder = target.parent().unwrap_or(data_dir);
        fs::create_dir_all(folder)
            .and_then(|()| fs::copy(backup.join(name), &target).map(drop))
            .and_then(|()| fs::File::open(&target)?.sync_all())
            .map_err(|error| unusable(&target, error))?;
    }
    let folder = data_dir.join(JOURNAL);
    let disk: SharedDisk = Arc::new(FolderDisk::open(&folder).map_err(|error| unusable(&folder, error))?);
    let damaged = |fault: crate::ledger::journal::JournalFault| {
        Failure::new(Code::JournalUnusable, fault.to_string(), "take another backup: this one is damaged")
    };
    // The sizes are those of the configuration from the next start on.
    let options = Options { durability: Durability::Disk, segment_bytes: 64 << 20, budget_bytes: u64::MAX };
    let (mut journal, found) = Journal::open(disk, options).map_err(damaged)?;
    if found.committed != manifest.journal_through {
        let what = format!(
            "the journal ends at record {}, the manifest says {}",
            found.committed, manifest.journal_through
        );
        return Err(unusable(&folder, what));
    }
    journal.begin_epoch(clock.now()).map(drop).map_err(damaged)
}

/// Where the embedded database of a restored folder is.
#[must_use]
pub fn restored_database(data_dir: &Path) -> PathBuf {
    data_dir.join(SQLITE_COPY)
}
