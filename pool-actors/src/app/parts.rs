//! What a pool is made of from outside. Production takes the real ones; a test or a deterministic world brings others.

use std::{fs::File, io::Read as _, num::NonZeroUsize, path::Path, sync::Arc, thread};

use plugin_sdk::PowAlgorithm;
use pool_engine::Registry;

use super::{
    auth, cache, chain,
    database::{self, Database},
    influx,
    reload::Origin,
};
use crate::{
    adapters::package_shelf::FolderShelf,
    adapters::{
        FileArchive, StoreThread, disk_folder::FolderDisk, notify, system_clock::SystemClock,
        system_linux::LinuxSystem,
    },
    api::{Assets, Currency, Import, MetricsHandle},
    config::Config,
    error::{Code, Failure},
    ports::{
        archive::SharedArchive,
        books::SharedBooks,
        cache::Cache,
        clock::SharedClock,
        deployments::SharedDeployments,
        disk::SharedDisk,
        logs::LogBook,
        mailer::SharedMailer,
        node::SharedNode,
        packages::SharedShelf,
        payouts::SharedPayouts,
        points::SharedPoints,
        store::SharedStore,
        system::SharedSystem,
        users::SharedUsers,
        wallet::{SharedSigner, SharedWallet},
    },
    stratum::settings::AccountCheck,
};

/// Everything that the pool takes from outside.
pub struct Parts {
    /// Extra arbiters; 0 = everything on the caller's.
    pub arbiters: usize,
    /// Wall clock.
    pub clock: SharedClock,
    /// Where the journal lives.
    pub disk: SharedDisk,
    /// The database.
    pub store: SharedStore,
    /// The same database's books, for reading.
    pub books: SharedBooks,
    /// What may be lost, and what pools share.
    pub cache: Cache,
    /// Threads that the database and the cache need.
    pub store_threads: Vec<(&'static str, StoreThread)>,
    /// The chain.
    pub node: SharedNode,
    /// The configured hash function, linked in.
    pub algorithm: Arc<dyn PowAlgorithm>,
    /// Where payouts are kept.
    pub payouts: SharedPayouts,
    /// The chain's wallet and who signs for it; `None` = nothing is paid out here.
    pub wallet: Option<(SharedWallet, SharedSigner)>,
    /// Where deployments are written.
    pub deployments: SharedDeployments,
    /// Where alerts are remembered.
    pub alerts: SharedArchive,
    /// Starts of native code inside the pool.
    pub native: SharedArchive,
    /// Where packages are kept, if anywhere.
    pub shelf: Option<SharedShelf>,
    /// The chain's addresses.
    pub accounts: AccountCheck,
    /// The chain's currency.
    pub currency: Currency,
    /// Where figures are kept as time series, if anywhere.
    pub points: Option<SharedPoints>,
    /// The operating system.
    pub system: SharedSystem,
    /// Where metrics are rendered.
    pub metrics: MetricsHandle,
    /// Who may sign in.
    pub users: SharedUsers,
    /// What sessions are signed with, and second factors sealed.
    pub auth_key: Vec<u8>,
    /// How mail goes to users.
    pub mailer: SharedMailer,
    /// The pool's own token, which may do everything.
    pub admin_token: String,
    /// The dashboard's files.
    pub assets: Assets,
    /// Where a newer configuration comes from, if there is a file.
    pub origin: Option<Origin>,
    /// The last lines of the log; whoever formats the log adds them.
    pub logs: LogBook,
}

impl Parts {
    /// The real ones, as configured.
    ///
    /// # Errors
    /// One sentence about the folder, database, node or algorithm that can't be used.
    pub fn real(config: &Config, admin_token: String, assets: Assets) -> Result<Self, Failure> {
        let clock: SharedClock = Arc::new(SystemClock);
        let data_dir = &config.pool.data_dir;
        let disk = FolderDisk::open(&data_dir.join("journal")).map_err(|error| folder(data_dir, &error))?;
        let Database { store, books, payouts, deployments, users, mut threads } =
            database::open(config, &clock)?;
        let (cache, cache_thread) = cache::open(config)?;
        threads.extend(cache_thread);
        let algorithm = Registry::linked_in()
            .find(&config.algorithms.active)
            .map_err(|error| Failure::new(Code::AlgorithmUnknown, "algorithms.active", error.to_string()))?;
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Ok(Self {
            arbiters: if config.pool.arbiters == 0 { cores } else { config.pool.arbiters },
            node: chain::node(config, &clock)?,
            clock,
            disk: Arc::new(disk),
            store,
            books,
            payouts,
            wallet: chain::wallet(config)?,
            deployments,
            alerts: Arc::new(FileArchive::new(data_dir.join("alerts.json"))),
            native: Arc::new(FileArchive::new(data_dir.join("native.json"))),
            shelf: Some(shelf(config)),
            cache,
            store_threads: threads,
            algorithm,
            accounts: chain::account_check(&config.chain),
            currency: chain::currency(config.chain.profile),
            points: influx::sink(config)?,
            system: Arc::new(LinuxSystem::new(data_dir)),
            metrics: MetricsHandle::install(),
            users,
            auth_key: auth::key(config)?,
            mailer: notify::mailer(&config.mail, data_dir)?,
            admin_token,
            assets,
            origin: None,
            logs: LogBook::default(),
        })
    }
}

/// Packages are kept below the data folder.
fn shelf(config: &Config) -> SharedShelf {
    let data_dir = &config.pool.data_dir;
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    pool_engine::isolation::cache_compiled_code(&data_dir.join("packages/compiled"));
    // Libraries that former processes mapped: each is written anew, from its package, when it is loaded.
    let _ = std::fs::remove_dir_all(data_dir.join("packages/native"));
    Arc::new(FolderShelf::new(
        data_dir.join("packages"),
        data_dir.join(&config.algorithms.trusted_keys),
        data_dir.join(&config.algorithms.packages_dir),
        u32::try_from(threads).unwrap_or(1),
    ))
}

/// Reads files of the import folder, and of no other: what a path leads to is looked at, links included. What is elsewhere
/// is as good as not there: nobody learns from here what there is.
pub(super) fn importer(folder: &Path, bytes_max: usize) -> Import {
    let folder = folder.to_owned();
    Arc::new(move |path| {
        if folder.as_os_str().is_empty() {
            return Err("staging by path is off: set algorithms.import_dir, or upload the package".to_owned());
        }
        let root = folder.canonicalize().map_err(|error| format!("algorithms.import_dir: {error}"))?;
        let wanted = root.join(path).canonicalize().ok().filter(|wanted| wanted.starts_with(&root));
        // Opening a pipe would wait for somebody to write.
        let wanted = wanted.filter(|wanted| wanted.is_file());
        let Some(file) = wanted.and_then(|wanted| File::open(wanted).ok()) else {
            return Err(format!("there is no file {path:?} in the import folder"));
        };
        let mut package = Vec::new();
        let most = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
        file.take(most).read_to_end(&mut package).map_err(|error| format!("{path}: {error}"))?;
        if package.len() > bytes_max {
            return Err(format!("{path} is larger than {bytes_max} bytes (algorithms.upload_bytes_max)"));
        }
        Ok(package)
    })
}

pub(super) fn folder(path: &Path, error: &std::io::Error) -> Failure {
    if error.kind() == std::io::ErrorKind::ResourceBusy {
        return Failure::new(
            Code::DataDirInUse,
            format!("the data folder {} is in use by another pool process", path.display()),
            "stop that one, or set pool.data_dir to another folder",
        );
    }
    Failure::new(
        Code::DataDirUnwritable,
        format!("the data folder {} can't be used ({error})", path.display()),
        "make it writable for the pool's user, or set pool.data_dir",
    )
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn only_files_of_the_import_folder_are_read_and_nothing_is_learnt_of_others() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("import");
        fs::create_dir_all(folder.join("sub")).unwrap();
        fs::write(folder.join("a.zip"), [7; 10]).unwrap();
        fs::write(folder.join("large.zip"), [7; 11]).unwrap();
        fs::write(place.path().join("secret"), "x").unwrap();
        symlink(place.path().join("secret"), folder.join("link")).unwrap();
        let import = importer(&folder, 10);
        assert_eq!(import("a.zip").unwrap(), [7; 10]);
        assert!(import("large.zip").unwrap_err().contains("larger than 10 bytes"));
        let secret = place.path().join("secret").display().to_string();
        for path in ["../secret", "link", &secret, "../nothing", "nothing", "sub", "", "a.zip\0"] {
            assert_eq!(import(path).unwrap_err(), format!("there is no file {path:?} in the import folder"));
        }
        assert!(importer(Path::new(""), 10)("a.zip").unwrap_err().contains("staging by path is off"));
    }
}
