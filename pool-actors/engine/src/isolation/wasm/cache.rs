//! Compiled code of modules, kept so that a restart need not compile again.
//!
//! Compiled code is native code: it is never taken from a package, only from a folder that nobody but this user can write,
//! and only if it is whole. The key is made of the module's hash and of everything that the compiler's output depends on
//! (wasmtime's version, its settings, this processor).

use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::{Duration, SystemTime},
};
use wasmtime::{Engine, Module};

static CACHE: OnceLock<Cache> = OnceLock::new();

/// Modules that are kept, each at most a megabyte or so. A package is compiled twice, once for its checks and once for work.
const FILES_MAX: usize = 32;
/// What a crash left of a file that was being written is removed after so long.
const HALF_WRITTEN_FOR: Duration = Duration::from_secs(3_600);

/// From now on, compiled code is kept in this folder; the first folder named counts for the whole process. To be called by
/// a thread of normal priority, which the clock of all sandboxes takes over.
pub fn cache_compiled_code(folder: &Path) {
    super::engine::start_clock();
    let _ = CACHE.set(Cache(folder.to_owned()));
}

/// The module, compiled now or before.
pub(super) fn module(engine: &Engine, wasm: &[u8]) -> wasmtime::Result<Module> {
    match CACHE.get() {
        Some(cache) => cache.module(engine, wasm),
        None => Module::from_binary(engine, wasm),
    }
}

#[derive(Debug)]
struct Cache(PathBuf);

impl Cache {
    fn module(&self, engine: &Engine, wasm: &[u8]) -> wasmtime::Result<Module> {
        if self.make_private().is_err() {
            return Module::from_binary(engine, wasm);
        }
        let path = self.0.join(format!("{}.cwasm", key(engine, wasm)));
        if let Some(module) = read(engine, &path) {
            // What was not used for longest goes first.
            let _ = touch(&path);
            return Ok(module);
        }
        let module = Module::from_binary(engine, wasm)?;
        // Without room for it, the next start compiles again.
        let _ = module.serialize().map(|code| write(&path, &code));
        self.prune();
        Ok(module)
    }

    /// Lets go of the modules that were not used for longest. Whatever goes is compiled again when it is needed.
    fn prune(&self) {
        let Ok(files) = fs::read_dir(&self.0) else { return };
        let (mut kept, mut halves) = (Vec::new(), Vec::new());
        for path in files.flatten().map(|file| file.path()) {
            let used = fs::metadata(&path).and_then(|file| file.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("cwasm") => kept.push((used, path)),
                Some("new") => halves.push((used, path)),
                _ => {}
            }
        }
        kept.sort_unstable_by(|a, b| b.cmp(a));
        let Some((newest, _)) = kept.first() else { return };
        let left_behind =
            |used: &SystemTime| newest.duration_since(*used).is_ok_and(|age| age > HALF_WRITTEN_FOR);
        let halves = halves.iter().filter(|(used, _)| left_behind(used));
        for (_, path) in kept.iter().skip(FILES_MAX).chain(halves) {
            let _ = fs::remove_file(path);
        }
    }

    /// Makes the folder. One that others could have written into is not used.
    #[cfg(unix)]
    fn make_private(&self) -> io::Result<()> {
        use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
        if !self.0.exists() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        }
        let folder = fs::symlink_metadata(&self.0)?;
        let ours = folder.is_dir() && folder.uid() == rustix::process::geteuid().as_raw();
        if ours && folder.mode() & 0o077 == 0 { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
    }

    #[cfg(not(unix))]
    fn make_private(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Notes that a file was used.
#[cfg(unix)]
fn touch(path: &Path) -> io::Result<()> {
    use rustix::fs::{Timespec, Timestamps, UTIME_NOW, futimens};
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let file = File::open(path)?;
    Ok(futimens(&file, &Timestamps { last_access: now, last_modification: now })?)
}

#[cfg(not(unix))]
fn touch(_: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Names the compiler's output.
fn key(engine: &Engine, wasm: &[u8]) -> String {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    // Wasmtime's version and settings, and what this processor can.
    let mut compiler = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut compiler);
    let mut digest = Sha256::new_with_prefix(b"dagpool-compiled-v1\0");
    digest.update(Sha256::digest(wasm));
    digest.update(compiler.finish().to_le_bytes());
    hex::encode(digest.finalize())
}

/// The code of a file, if it is whole and the engine takes it.
#[allow(unsafe_code)]
fn read(engine: &Engine, path: &Path) -> Option<Module> {
    let file = fs::read(path).ok()?;
    let (hash, code) = file.split_at_checked(32)?;
    if Sha256::digest(code)[..] != *hash {
        return None;
    }
    // SAFETY: the file is whole, lies in a folder that only this user can write, and there only `write` makes files: it
    // is what `Module::serialize` gave. Wasmtime checks its own version and settings once more.
    unsafe { Module::deserialize(engine, code) }.ok()
}

/// Writes code with its hash before it; a crash leaves no half of it under its name.
fn write(path: &Path, code: &[u8]) -> io::Result<()> {
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    fs::write(&beside, [&Sha256::digest(code)[..], code].concat())?;
    fs::rename(&beside, path)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::isolation::wasm::engine::{Kind, get};
    use std::os::unix::fs::PermissionsExt as _;

    fn files(folder: &Path) -> Vec<PathBuf> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    #[test]
    fn code_is_compiled_once_and_never_taken_from_where_others_write() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join("compiled");
        let cache = Cache(folder.clone());
        let engine = get(Kind::Epoch).unwrap();
        let wasm = include_bytes!("../../../tests/fixtures/blake2s.wasm");
        cache.module(engine, wasm).unwrap();
        let [kept] = &files(&folder)[..] else { panic!("one file") };
        assert!(read(engine, kept).is_some());
        let good = fs::read(kept).unwrap();
        // Another engine, another key.
        assert_ne!(key(engine, wasm), key(get(Kind::Fuel).unwrap(), wasm));
        // A file that is not whole is made anew.
        let mut bad = good.clone();
        let last = bad.len() - 1;
        bad[last] ^= 1;
        for spoilt in [bad, good[..40].to_vec(), Vec::new()] {
            fs::write(kept, spoilt).unwrap();
            assert!(read(engine, kept).is_none());
            cache.module(engine, wasm).unwrap();
            assert!(read(engine, kept).is_some());
        }
        fs::remove_file(kept).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        cache.module(engine, wasm).unwrap();
        assert_eq!(files(&folder), Vec::<PathBuf>::new(), "a folder that others can write into is not used");
    }

    #[test]
    fn only_what_was_used_lately_is_kept() {
        let temporary = tempfile::tempdir().unwrap();
        let cache = Cache(temporary.path().join("compiled"));
        let engine = get(Kind::Epoch).unwrap();
        let wasm = include_bytes!("../../../tests/fixtures/blake2s.wasm");
        cache.module(engine, wasm).unwrap();
        let [used] = &files(&cache.0)[..] else { panic!("one file") };
        let now = fs::metadata(used).unwrap().modified().unwrap();
        let at = |path: &Path, ago: u64| {
            let file = File::options().create(true).append(true).open(path).unwrap();
            file.set_modified(now - Duration::from_secs(ago)).unwrap();
        };
        let others: Vec<_> =
            (1..=FILES_MAX as u64 + 8).map(|n| cache.0.join(format!("{n:064x}.cwasm"))).collect();
        for (path, ago) in others.iter().zip(1..) {
            at(path, ago * 100);
        }
        let (old, young) = (cache.0.join("a.17.new"), cache.0.join("b.18.new"));
        at(&old, 4_000);
        at(&young, 60);
        // Compiled long ago, and used now.
        at(used, 1_000_000);
        cache.module(engine, wasm).unwrap();
        assert_eq!(files(&cache.0).len(), others.len() + 3, "only what is written makes room");
        cache.module(get(Kind::Fuel).unwrap(), wasm).unwrap();
        let left = files(&cache.0);
        assert_eq!(left.len(), FILES_MAX + 1, "and what is being written");
        assert!(left.contains(used) && left.contains(&young) && !left.contains(&old));
        assert!(left.contains(&others[FILES_MAX - 3]) && !left.contains(&others[FILES_MAX - 2]));
    }
}
