//! Level `in-process`: a native library in the pool itself. Nothing contains it.

use super::{Level, error::LoadError, native::Plugin, remote::Remote};
use plugin_sdk::{PowAlgorithm, abi::hex};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// The libraries that this process has mapped, by the hash of their content. None is ever unmapped.
static MAPPED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Loads a native library into this process. Only for one whose maker is trusted with native code, and that behaved well
/// at [`load_process`](super::load_process) before: its constructors run here with all that the pool may do.
///
/// It is loaded from `store`, under a name made of its content's hash, so that no path ever means two libraries and no
/// mapped file changes. It stays mapped until the process ends ([`native_generations`] counts).
///
/// # Errors
/// [`LoadError`]: it cannot be stored or mapped, or its table is not as it must be.
pub fn load_in_process(library: &[u8], store: &Path) -> Result<Arc<dyn PowAlgorithm>, LoadError> {
    if cfg!(not(unix)) {
        let reason = "native libraries are loaded on Unix only".to_owned();
        return Err(LoadError::Unavailable { level: Level::InProcess, reason });
    }
    let name = hex::encode(&Sha256::digest(library));
    let stored = |e: io::Error| LoadError::Host { reason: format!("{}: {e}", store.display()) };
    let path = keep(library, store, &name).map_err(stored)?;
    let plugin = Plugin::open(&path)?;
    MAPPED.lock().unwrap_or_else(PoisonError::into_inner).insert(name);
    let (description, capabilities) = (plugin.description()?, plugin.capabilities());
    Ok(Arc::new(Remote::new(description, capabilities, plugin)))
}

/// Native libraries mapped into this process so far. Each stays until a restart, so a number that grows is a reason for
/// one.
#[must_use]
pub fn native_generations() -> usize {
    MAPPED.lock().unwrap_or_else(PoisonError::into_inner).len()
}

/// The file of that content: as it is if it is there and right, else written and then moved to its name.
fn keep(library: &[u8], store: &Path, name: &str) -> io::Result<PathBuf> {
    fs::create_dir_all(store)?;
    let path = store.join(format!("{name}.so"));
    match fs::read(&path) {
        Ok(there) if there == library => return Ok(path),
        Ok(_) => {
            let what = format!("{name}.so is not what its name says: remove it");
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    let unfinished = store.join(format!(".{name}.{}", std::process::id()));
    let mut file = fs::File::create(&unfinished)?;
    file.write_all(library)?;
    file.sync_all()?;
    let mut permissions = file.metadata()?.permissions();
    permissions.set_readonly(true);
    file.set_permissions(permissions)?;
    fs::rename(&unfinished, &path)?;
    Ok(path)
}
