//! The disk as the share journal sees it: a flat folder of files. A port, so that tests can tear writes and fill it up,
//! and a deterministic world can hold the pool whole.

use std::{io, sync::Arc};

/// One file of the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskEntry {
    /// Name, without path.
    pub name: String,
    /// Length in bytes.
    pub len: u64,
}

/// A folder.
pub trait Disk: Send + Sync + 'static {
    /// Where it is, for messages to people.
    fn place(&self) -> String;

    /// The files, in no particular order.
    ///
    /// # Errors
    /// When the folder can't be read.
    fn list(&self) -> io::Result<Vec<DiskEntry>>;

    /// Makes a file of `len` zero bytes with its blocks reserved, durably (the file survives power loss).
    ///
    /// # Errors
    /// When it exists already, or there is no room.
    fn create(&self, name: &str, len: u64) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file for reading and writing.
    ///
    /// # Errors
    /// When it does not exist or can't be opened.
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Removes a file.
    ///
    /// # Errors
    /// When it can't be removed.
    fn remove(&self, name: &str) -> io::Result<()>;
}

/// An open file.
pub trait DiskFile: Send + 'static {
    /// Length in bytes.
    ///
    /// # Errors
    /// When the system does not say.
    fn len(&self) -> io::Result<u64>;

    /// Whether it has no bytes.
    ///
    /// # Errors
    /// As [`Self::len`].
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Writes all bytes at a place.
    ///
    /// # Errors
    /// When any byte could not be written; some may have been.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Fills as much of `buffer` as the file has from `offset` on; returns how much.
    ///
    /// # Errors
    /// When the bytes can't be read.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Makes all that was written durable.
    ///
    /// # Errors
    /// When the disk refused. What was written since the last success may be lost, and trying again proves nothing.
    fn sync(&mut self) -> io::Result<()>;

    /// Cuts the file to `keep` bytes, then extends it with zeros to `len`, blocks reserved.
    ///
    /// # Errors
    /// When the disk refused.
    fn reset(&mut self, keep: u64, len: u64) -> io::Result<()>;
}

/// A folder shared by writer, readers and background work.
pub type SharedDisk = Arc<dyn Disk>;
