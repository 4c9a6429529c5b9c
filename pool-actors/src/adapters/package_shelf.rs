//! The shelf of algorithm packages: a folder with `<digest>.zip` files, the record of versions seen, and the trust store.
//!
//! A package is checked anew each time it is loaded: who may write into the folder must not be able to run code.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use plugin_sdk::PowAlgorithm;
use pool_engine::{
    ENGINE_VERSION,
    codes::{self, Code},
    isolation::{Limits, load_wasm},
    manifest::MemoryLimits,
    package::{self, WASM},
    staging::{Check, HostProfile, Report, StageContext, StageLimits, Staged, stage},
    trust::{KnownVersions, Permission, TrustStore},
};

use crate::ports::packages::{
    Advice, Package, PackageError, PackageRef, PackageShelf, PackageSource, StageCheck, StageReport,
};

/// See the module's documentation.
#[derive(Debug)]
pub struct FolderShelf {
    folder: PathBuf,
    trusted_keys: PathBuf,
    threads: u32,
    /// One at a time: the record of versions is read, changed and written.
    staging: Mutex<()>,
}

impl FolderShelf {
    /// Packages in `folder`, signed by keys of the file `trusted_keys`, to run on so many threads.
    #[must_use]
    pub fn new(folder: PathBuf, trusted_keys: PathBuf, threads: u32) -> Self {
        Self { folder, trusted_keys, threads: threads.max(1), staging: Mutex::new(()) }
    }

    fn versions_file(&self) -> PathBuf {
        self.folder.join("versions.json")
    }

    fn place_of(&self, digest: &str) -> PathBuf {
        self.folder.join(format!("{digest}.zip"))
    }

    fn check(
        &self,
        bytes: &[u8],
        known: &KnownVersions,
        allow_downgrade: bool,
        progress: &dyn Fn(&str),
    ) -> Result<Staged, PackageError> {
        let trust = TrustStore::load(&self.trusted_keys).map_err(|error| refused(&error, None))?;
        let context = StageContext {
            trust: &trust,
            known_versions: known,
            allow_downgrade,
            host: &HostProfile::detect(self.threads),
            engine_version: &ENGINE_VERSION,
            limits: &StageLimits::default(),
            permission: Permission::Wasm,
            load: &load,
            progress: &|check: Check| progress(check.as_str()),
        };
        stage(bytes, &context).map_err(|failed| refused(&failed.error, Some(&failed.report)))
    }

    fn keep(&self, digest: &str, bytes: &[u8]) -> std::io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let beside = self.folder.join(format!("{digest}.new"));
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, self.place_of(digest))?;
        File::open(&self.folder)?.sync_all()
    }
}

impl PackageShelf for FolderShelf {
    fn stage(&self, bytes: Vec<u8>, progress: &dyn Fn(&str)) -> Result<Package, PackageError> {
        let _alone = self.staging.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = KnownVersions::load(&self.versions_file()).map_err(|error| refused(&error, None))?;
        let staged = self.check(&bytes, &known, false, progress)?;
        self.keep(&staged.digest.to_string(), &bytes).map_err(|error| unkept(&self.folder, &error))?;
        known.record(&staged.manifest.name, &staged.manifest.version, "");
        known.save(&self.versions_file()).map_err(|error| refused(&error, None))?;
        package(staged)
    }

    fn load(&self, reference: &PackageRef) -> Result<Package, PackageError> {
        let PackageSource::Package { digest } = &reference.source else {
            return Err(gone(reference, "it is no package"));
        };
        let bytes = fs::read(self.place_of(digest)).map_err(|error| gone(reference, &error.to_string()))?;
        // It was staged before: being older than what came later is no fault of it.
        let staged = self.check(&bytes, &KnownVersions::default(), true, &|_| {})?;
        if staged.digest.to_string() != *digest {
            return Err(gone(reference, "its file holds another package"));
        }
        package(staged)
    }
}

fn load(package: &package::Package, memory: &MemoryLimits) -> Result<Arc<dyn PowAlgorithm>, String> {
    let module = package.required(WASM).map_err(|error| error.message)?;
    let limits = Limits { memory_bytes: memory.instance_bytes_max, ..Limits::default() };
    load_wasm(module, limits).map_err(|error| format!("{WASM}: {error} [{}]", error.code()))
}

fn package(staged: Staged) -> Result<Package, PackageError> {
    let vectors = staged.package.test_vectors().map_err(|error| refused(&error, None))?.vectors;
    let manifest = &staged.manifest;
    let named = |names: &Vec<pool_engine::manifest::Identifier>| {
        names.iter().map(|name| name.as_str().to_owned()).collect::<Vec<_>>()
    };
    Ok(Package {
        reference: PackageRef {
            name: manifest.name.as_str().to_owned(),
            version: manifest.version.to_string(),
            hash_function: manifest.algorithm.hash_function.as_str().to_owned(),
            source: PackageSource::Package { digest: staged.digest.to_string() },
        },
        replaces: manifest.migration.from_algorithms.as_ref().map(named),
        rollback_supported: manifest.migration.rollback_supported,
        report: report(&staged.report),
        vectors: vectors.into_iter().map(|vector| (vector.input, vector.hash)).collect(),
        algorithm: staged.algorithm,
    })
}

fn report(report: &Report) -> StageReport {
    let benchmark = report.benchmark_results.as_ref();
    StageReport {
        checks: checks(report),
        hashrate: benchmark.map_or(0, |benchmark| benchmark.hashrate),
        expected_hashrate: benchmark.map_or(0, |benchmark| benchmark.expected),
        warnings: report.warnings.clone(),
        next_steps: report.next_steps.clone(),
    }
}

fn checks(report: &Report) -> Vec<StageCheck> {
    let check = |row: &pool_engine::staging::Row| StageCheck {
        check: row.check.as_str().to_owned(),
        ok: row.ok,
        severity: row.severity.to_owned(),
        code: row.code.map(str::to_owned),
        message: row.message.clone(),
    };
    report.validation_results.iter().map(check).collect()
}

fn refused(error: &codes::PackageError, so_far: Option<&Report>) -> PackageError {
    let advice = |advice: &codes::Advice| Advice {
        action: advice.action.to_owned(),
        command: advice.command.map(str::to_owned),
        priority: advice.priority.to_owned(),
    };
    PackageError {
        code: error.code.as_str().to_owned(),
        incompatible: error.code.family() == Code::CompatibilityCheckFailed,
        message: error.message.clone(),
        advice: error.code.advice().iter().map(advice).collect(),
        checks: so_far.map(checks).unwrap_or_default(),
    }
}

fn unkept(folder: &Path, error: &std::io::Error) -> PackageError {
    let message =
        format!("the package passed its checks, but can't be kept in {} ({error})", folder.display());
    PackageError {
        code: "ALGORITHM_LOAD_FAILED".to_owned(),
        incompatible: false,
        message,
        advice: vec![Advice {
            action: "Make the folder writable for the pool's user, and see that there is room".to_owned(),
            command: Some("df -h".to_owned()),
            priority: "high".to_owned(),
        }],
        checks: Vec::new(),
    }
}

fn gone(reference: &PackageRef, why: &str) -> PackageError {
    PackageError {
        code: Code::PackageIncomplete.as_str().to_owned(),
        incompatible: false,
        message: format!("{} can't be read from the shelf: {why}", reference.id()),
        advice: Vec::new(),
        checks: Vec::new(),
    }
}
