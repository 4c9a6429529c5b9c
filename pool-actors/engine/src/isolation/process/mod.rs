//! Level `process`: a native library in a child that may do nothing but hash.
//!
//! Calls go through shared memory, and each side sleeps on a futex while it is the other's turn. A child that dies or
//! takes too long is killed, and the next call starts another. Linux only.

mod channel;
mod child;
mod host;
mod sandbox;

use super::{
    Limits,
    error::LoadError,
    remote::{Remote, Transport},
    slots::{Mold, Slots},
};
use child::{Child, LibraryFile};
use plugin_sdk::{AlgorithmError, Hash, Header, PowAlgorithm, abi::Description};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

pub use host::host_if_asked;

/// Which program serves as the child.
#[derive(Debug, Clone)]
pub struct Host(PathBuf);

impl Host {
    /// This very program. Its `main` must begin with [`host_if_asked`].
    ///
    /// # Errors
    /// [`LoadError::Host`] if the system does not say where it is.
    pub fn this_program() -> Result<Self, LoadError> {
        let path = std::env::current_exe();
        path.map(Self).map_err(|e| LoadError::Host { reason: format!("this program's path: {e}") })
    }

    /// Another program whose `main` begins with [`host_if_asked`].
    #[must_use]
    pub fn program(path: &Path) -> Self {
        Self(path.to_owned())
    }
}

/// Loads a native library into a confined child of this program; see [`load_process_with`].
///
/// # Errors
/// Those of [`load_process_with`].
pub fn load_process(library: &[u8], limits: Limits) -> Result<Arc<dyn PowAlgorithm>, LoadError> {
    load_process_with(&Host::this_program()?, library, limits)
}

/// Loads a native library into a confined child: before its constructors run, the child loses files, network, other
/// processes and new programs; after that also everything else but memory and the clock.
///
/// # Errors
/// [`LoadError`]: no Landlock in this kernel, the library's constructors or its set-up fail or take too long, its table is
/// not as it must be.
pub fn load_process_with(
    host: &Host,
    library: &[u8],
    limits: Limits,
) -> Result<Arc<dyn PowAlgorithm>, LoadError> {
    let mold = Start { host: host.clone(), library: LibraryFile::new(library)?, limits };
    let mut first = mold.cast()?;
    let json = first.info().map_err(|e| child::setup(&e))?;
    let description = Description::parse(&json)
        .map_err(|reason| LoadError::Contradiction { what: "description", reason })?;
    let capabilities = first.capabilities();
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let children = Children(Slots::new(mold, first, threads));
    Ok(Arc::new(Remote::new(description, capabilities, children)))
}

/// What a child is started from.
struct Start {
    host: Host,
    library: LibraryFile,
    limits: Limits,
}

impl Mold for Start {
    type Instance = Child;

    fn cast(&self) -> Result<Child, LoadError> {
        Child::start(&self.host.0, &self.library, self.limits)
    }
}

struct Children(Slots<Start>);

impl Transport for Children {
    fn hash(&self, input: &[u8]) -> Result<Hash, AlgorithmError> {
        self.0.with(|child| child.hash(input))
    }

    fn hash_batch(&self, inputs: &[Header], out: &mut [Hash]) -> Result<(), AlgorithmError> {
        if inputs.is_empty() {
            return Ok(());
        }
        self.0.with(|child| child.hash_batch(inputs, out))
    }

    fn call(&self, capability: u32, method: u32, request: &str) -> Result<Option<Vec<u8>>, AlgorithmError> {
        self.0.with(|child| child.call(capability, method, request))
    }
}
