//! The shelf of algorithm packages: a folder with `<digest>.zip` files, the record of versions seen, and the trust store.
//!
//! A package is checked anew each time it is loaded: who may write into the folder must not be able to run code.

use std::{
    collections::{BTreeSet, VecDeque},
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use pool_domain::isolation::Level;
use pool_engine::{
    ENGINE_VERSION,
    codes::{self, Code},
    manifest::Manifest,
    package::{Package as PackageFile, PackageLimits},
    staging::{Check, Clock, HostProfile, How, Report, StageContext, StageLimits, Staged, load_at, stage},
    trust::{KnownVersions, Permission, TrustStore},
};

use crate::ports::packages::{
    Package, PackageError, PackageRef, PackageShelf, PackageSource, StageCheck, StageReport, StageWish,
};

/// See the module's documentation.
#[derive(Debug)]
pub struct FolderShelf {
    folder: PathBuf,
    trusted_keys: PathBuf,
    /// Packages that came with the pool, under any name.
    provided: PathBuf,
    threads: u32,
    /// One at a time: the record of versions is read, changed and written. Holds the digests of what this process put on the
    /// shelf last.
    staging: Mutex<VecDeque<String>>,
}

/// Packages that stay on the shelf because this process put them there last, whether or not anybody has told of them yet.
const RECENT: usize = 4;

impl FolderShelf {
    /// Packages in `folder`, signed by keys of the file `trusted_keys`, to run on so many threads; those that came with
    /// the pool lie in `provided`.
    #[must_use]
    pub fn new(folder: PathBuf, trusted_keys: PathBuf, provided: PathBuf, threads: u32) -> Self {
        Self { folder, trusted_keys, provided, threads: threads.max(1), staging: Mutex::default() }
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
        (isolation, allow_downgrade): (Level, bool),
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
            permission: if isolation.is_native() { Permission::Native } else { Permission::Wasm },
            how: How { clock: Clock::of(isolation), gently: true },
            load: &|package, memory| load_at(isolation, &self.folder.join("native"), package, memory),
            progress: &|check: Check| progress(check.as_str()),
        };
        stage(bytes, &context).map_err(|failed| refused(&failed.error, Some(&failed.report)))
    }

    fn keep(&self, recent: &mut VecDeque<String>, digest: &str, bytes: &[u8]) -> std::io::Result<()> {
        recent.retain(|known| known != digest);
        recent.push_back(digest.to_owned());
        if recent.len() > RECENT {
            recent.pop_front();
        }
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
    fn stage(
        &self,
        bytes: Vec<u8>,
        wish: &StageWish,
        progress: &dyn Fn(&str),
    ) -> Result<Package, PackageError> {
        let mut recent = self.staging.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = KnownVersions::load(&self.versions_file()).map_err(|error| refused(&error, None))?;
        let staged =
            self.check(&bytes, &known, (wish.isolation, wish.allow_downgrade.is_some()), progress)?;
        self.keep(&mut recent, &staged.digest.to_string(), &bytes)
            .map_err(|error| unkept(&self.folder, &error))?;
        let downgrade = wish.allow_downgrade.clone().filter(|_| staged.is_downgrade);
        let reason = downgrade.as_deref().unwrap_or_default();
        known.record(&staged.manifest.name, &staged.manifest.version, reason);
        known.save(&self.versions_file()).map_err(|error| refused(&error, None))?;
        let mut package = package(staged, wish.isolation)?;
        package.report.downgrade = downgrade;
        Ok(package)
    }

    fn load(&self, reference: &PackageRef, isolation: Level) -> Result<Package, PackageError> {
        let PackageSource::Package { digest } = &reference.source else {
            return Err(gone(reference, "it is no package"));
        };
        let bytes = fs::read(self.place_of(digest)).map_err(|error| gone(reference, &error.to_string()))?;
        // It was staged before: being older than what came later is no fault of it.
        let staged = self.check(&bytes, &KnownVersions::default(), (isolation, true), &|_| {})?;
        if staged.digest.to_string() != *digest {
            return Err(gone(reference, "its file holds another package"));
        }
        package(staged, isolation)
    }

    fn prune(&self, needed: &[PackageRef]) {
        // Nothing is put on the shelf meanwhile; what was since `needed` was made out is among the recent ones.
        let recent = self.staging.lock().unwrap_or_else(PoisonError::into_inner);
        let needed: BTreeSet<&str> =
            needed.iter().filter_map(digest_of).chain(recent.iter().map(String::as_str)).collect();
        let Ok(files) = fs::read_dir(&self.folder) else { return };
        for path in files.flatten().map(|file| file.path()) {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let unneeded = match name.rsplit_once('.') {
                Some((digest, "zip")) => is_digest(digest) && !needed.contains(digest),
                // A crash left half of it.
                Some((digest, "new")) => is_digest(digest),
                _ => false,
            };
            if unneeded {
                match fs::remove_file(&path) {
                    Ok(()) => tracing::info!(file = name, "a package that nothing needs any more is removed"),
                    Err(error) => {
                        tracing::warn!(file = name, %error, "a package that nothing needs can't be removed");
                    }
                }
            }
        }
    }

    fn provided(&self, name: &str, isolation: Level) -> (Option<Package>, Vec<PackageError>) {
        let (candidates, mut problems) = self.candidates(name);
        for bytes in candidates {
            let checked = self.check(&bytes, &KnownVersions::default(), (isolation, true), &|_| {});
            let kept = checked.and_then(|staged| {
                // So that it can be loaded again, whatever becomes of the folder it came from.
                let mut recent = self.staging.lock().unwrap_or_else(PoisonError::into_inner);
                self.keep(&mut recent, &staged.digest.to_string(), &bytes)
                    .map_err(|error| unkept(&self.folder, &error))?;
                package(staged, isolation)
            });
            match kept {
                Ok(package) => return (Some(package), problems),
                Err(problem) => problems.push(problem),
            }
        }
        (None, problems)
    }
}

impl FolderShelf {
    /// The packages of that name that came with the pool, the newest first; and what lies there as a package, but can't be
    /// read as one: whether it was meant for that name, nobody can say.
    fn candidates(&self, name: &str) -> (Vec<Vec<u8>>, Vec<PackageError>) {
        let (mut found, mut problems) = (Vec::new(), Vec::new());
        let files = match fs::read_dir(&self.provided) {
            Ok(files) => files.collect::<Result<Vec<_>, _>>(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        };
        let files = files.unwrap_or_else(|error| {
            problems.push(unreadable(&self.provided, &error.to_string()));
            Vec::new()
        });
        let zips = files.into_iter().map(|file| file.path());
        for path in zips.filter(|path| path.extension().is_some_and(|extension| extension == "zip")) {
            match opened(&path) {
                Ok((manifest, bytes)) if manifest.name.as_str() == name => {
                    found.push((manifest.version, bytes));
                }
                Ok(_) => {}
                Err(why) => problems.push(unreadable(&path, &why)),
            }
        }
        found.sort_by(|(a, _), (b, _)| b.cmp(a));
        (found.into_iter().map(|(_, bytes)| bytes).collect(), problems)
    }
}

fn digest_of(reference: &PackageRef) -> Option<&str> {
    match &reference.source {
        PackageSource::Package { digest } => Some(digest),
        PackageSource::LinkedIn => None,
    }
}

/// Whether the pool itself gave a file this name; other people's files are left alone.
fn is_digest(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// What a package file says of itself, and its bytes; the signature is not looked at.
fn opened(path: &Path) -> Result<(Manifest, Vec<u8>), String> {
    let limits = PackageLimits::default();
    let length = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if length > limits.file_bytes_max {
        return Err(format!("it has {length} bytes, a package has at most {}", limits.file_bytes_max));
    }
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let package = PackageFile::open(&bytes, &limits).map_err(|error| error.to_string())?;
    Ok((package.manifest().map_err(|error| error.to_string())?, bytes))
}

fn package(staged: Staged, isolation: Level) -> Result<Package, PackageError> {
    let vectors = staged.package.test_vectors().map_err(|error| refused(&error, None))?.vectors;
    let manifest = &staged.manifest;
    let named = |names: &Vec<pool_engine::manifest::Identifier>| {
        names.iter().map(|name| name.as_str().to_owned()).collect::<Vec<_>>()
    };
    let nonce_size = staged.algorithm.nonce_size();
    Ok(Package {
        reference: PackageRef {
            name: manifest.name.as_str().to_owned(),
            version: manifest.version.to_string(),
            hash_function: manifest.algorithm.hash_function.as_str().to_owned(),
            source: PackageSource::Package { digest: staged.digest.to_string() },
        },
        replaces: manifest.migration.from_algorithms.as_ref().map(named),
        initial_difficulty: Some(manifest.algorithm.initial_difficulty),
        rollback_supported: manifest.migration.rollback_supported,
        report: StageReport { isolation, ..report(&staged.report) },
        vectors: vectors.iter().map(|vector| (vector.hashed_input(nonce_size), vector.hash)).collect(),
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
        ..StageReport::default()
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
    PackageError {
        code: error.code.as_str().to_owned(),
        message: error.message.clone(),
        checks: so_far.map(checks).unwrap_or_default(),
    }
}

fn unkept(folder: &Path, error: &std::io::Error) -> PackageError {
    let message =
        format!("the package passed its checks, but can't be kept in {} ({error})", folder.display());
    PackageError { code: "ALGORITHM_LOAD_FAILED".to_owned(), message, checks: Vec::new() }
}

fn unreadable(path: &Path, why: &str) -> PackageError {
    PackageError {
        code: Code::PackageIncomplete.as_str().to_owned(),
        message: format!("{} can't be read as a package: {why}", path.display()),
        checks: Vec::new(),
    }
}

fn gone(reference: &PackageRef, why: &str) -> PackageError {
    PackageError {
        code: Code::PackageIncomplete.as_str().to_owned(),
        message: format!("{} can't be read from the shelf: {why}", reference.id()),
        checks: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(digest: &str) -> PackageRef {
        PackageRef {
            name: "blake2s".to_owned(),
            version: "1.0.0".to_owned(),
            hash_function: "blake2s".to_owned(),
            source: PackageSource::Package { digest: digest.to_owned() },
        }
    }

    #[test]
    fn what_is_needed_or_was_just_staged_stays_and_so_do_files_of_others() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = FolderShelf::new(folder.path().to_owned(), "keys".into(), "provided".into(), 1);
        let digest = |number: usize| format!("{number:064x}");
        for number in 0..8 {
            let mut recent = shelf.staging.lock().unwrap();
            shelf.keep(&mut recent, &digest(number), b"PK").unwrap();
        }
        fs::write(folder.path().join(format!("{}.new", digest(9))), "half").unwrap();
        for name in ["versions.json", "mine.zip", "note.new"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        fs::create_dir(folder.path().join("compiled")).unwrap();
        let linked_in = PackageRef { source: PackageSource::LinkedIn, ..reference("") };
        shelf.prune(&[reference(&digest(1)), linked_in, reference("gone")]);
        let mut left: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        let kept = [1, 4, 5, 6, 7].map(|number| format!("{}.zip", digest(number)));
        let others = ["compiled", "mine.zip", "note.new", "versions.json"].map(str::to_owned);
        assert_eq!(left, [&kept[..], &others[..]].concat());
        // One that is staged again is the newest.
        let again =
            |number: usize| shelf.keep(&mut shelf.staging.lock().unwrap(), &digest(number), b"PK").unwrap();
        again(4);
        again(10);
        shelf.prune(&[]);
        let kept: Vec<_> = [4, 6, 7, 10].map(|number| shelf.place_of(&digest(number)).exists()).into();
        assert_eq!((kept, shelf.place_of(&digest(5)).exists()), (vec![true; 4], false));
    }

    #[test]
    fn a_file_that_came_with_the_pool_and_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let shelf = |provided| FolderShelf::new(place("shelf"), place("trusted-keys.toml"), provided, 1);
        let provided = place("provided");
        let problems = |provided: &Path| {
            let (package, problems) = shelf(provided.to_owned()).provided("blake2s", Level::Wasm);
            assert!(package.is_none());
            problems.into_iter().map(|problem| problem.message).collect::<Vec<_>>()
        };
        assert_eq!(problems(&provided), Vec::<String>::new(), "no such folder, no packages");
        fs::create_dir(&provided).unwrap();
        fs::write(provided.join("README"), "not a package, and not meant to be one").unwrap();
        assert_eq!(problems(&provided), Vec::<String>::new());
        fs::write(provided.join("cut.zip"), b"PK\x03\x04").unwrap();
        let said = problems(&provided);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains("cut.zip can't be read as a package: "), "{said:?}");
        // A file where the folder should be.
        assert!(problems(&provided.join("cut.zip"))[0].contains("cut.zip"));
    }
}
