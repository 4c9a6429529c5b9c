//! What the operating system says of this process and its machine.

use std::{io, sync::Arc};

/// The process's own figures.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ProcessFigures {
    /// CPU time since it began, user and system, microseconds.
    pub cpu_us: u64,
    /// Resident memory, bytes.
    pub resident_bytes: u64,
    /// Address space, bytes.
    pub virtual_bytes: u64,
    /// Open file descriptors.
    pub open_fds: u64,
    /// The most it may have open.
    pub max_fds: u64,
    /// Threads.
    pub threads: u64,
    /// When it began, seconds since the Unix epoch.
    pub started_at_s: f64,
    /// What it may use at most before it is killed: the limit of its control group, else the machine's memory, bytes.
    pub memory_limit_bytes: u64,
}

/// Room on the file system of the data folder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskSpace {
    /// All of it, bytes.
    pub total_bytes: u64,
    /// What the pool's user can still write, bytes.
    pub available_bytes: u64,
}

/// The operating system.
pub trait System: Send + Sync + 'static {
    /// Figures of this process. Cheap, whatever the number of connections: microseconds.
    ///
    /// # Errors
    /// When the system does not say.
    fn process(&self) -> io::Result<ProcessFigures>;

    /// Room where the data folder is.
    ///
    /// # Errors
    /// When the system does not say.
    fn space(&self) -> io::Result<DiskSpace>;
}

/// A system shared by actors.
pub type SharedSystem = Arc<dyn System>;
