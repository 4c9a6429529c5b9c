//! What a pool is made of from outside. Production takes the real ones; a test or a deterministic world brings others.

use std::{num::NonZeroUsize, path::Path, sync::Arc, thread};

use plugin_sdk::PowAlgorithm;
use pool_engine::Registry;

use super::{
    auth, cache, chain,
    database::{self, Database},
};
use crate::{
    adapters::package_shelf::FolderShelf,
    adapters::{StoreThread, disk_folder::FolderDisk, notify::FileArchive, system_clock::SystemClock},
    api::{Assets, Currency, Import, MetricsHandle},
    config::Config,
    error::{Code, Failure},
    ports::{
        books::SharedBooks,
        cache::Cache,
        clock::SharedClock,
        deployments::SharedDeployments,
        disk::SharedDisk,
        node::SharedNode,
        notifier::SharedArchive,
        packages::SharedShelf,
        payouts::SharedPayouts,
        store::SharedStore,
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
    /// Where packages are kept, if anywhere.
    pub shelf: Option<SharedShelf>,
    /// The chain's addresses.
    pub accounts: AccountCheck,
    /// The chain's currency.
    pub currency: Currency,
    /// Where metrics are rendered.
    pub metrics: MetricsHandle,
    /// Who may sign in.
    pub users: SharedUsers,
    /// What sessions are signed with, and second factors sealed.
    pub auth_key: Vec<u8>,
    /// The pool's own token, which may do everything.
    pub admin_token: String,
    /// The dashboard's files.
    pub assets: Assets,
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
            shelf: Some(shelf(config)),
            cache,
            store_threads: threads,
            algorithm,
            accounts: chain::account_check(&config.chain),
            currency: chain::currency(config.chain.profile),
            metrics: MetricsHandle::install(),
            users,
            auth_key: auth::key(config)?,
            admin_token,
            assets,
        })
    }
}

/// Packages are kept below the data folder.
fn shelf(config: &Config) -> SharedShelf {
    let data_dir = &config.pool.data_dir;
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    pool_engine::isolation::cache_compiled_code(&data_dir.join("packages/compiled"));
    Arc::new(FolderShelf::new(
        data_dir.join("packages"),
        data_dir.join(&config.algorithms.trusted_keys),
        data_dir.join(&config.algorithms.packages_dir),
        u32::try_from(threads).unwrap_or(1),
    ))
}

/// Reads files of the import folder, and of no other: what a path leads to is looked at, links included.
pub(super) fn importer(folder: &Path) -> Import {
    let folder = folder.to_owned();
    Arc::new(move |path| {
        if folder.as_os_str().is_empty() {
            return Err("staging by path is off: set algorithms.import_dir, or upload the package".to_owned());
        }
        let unusable = |error: std::io::Error| format!("{path}: {error}");
        let root = folder.canonicalize().map_err(|error| format!("algorithms.import_dir: {error}"))?;
        let wanted = root.join(path).canonicalize().map_err(unusable)?;
        if !wanted.starts_with(&root) {
            return Err(format!("{path} is outside the import folder"));
        }
        std::fs::read(&wanted).map_err(unusable)
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
