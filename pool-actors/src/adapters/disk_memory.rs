//! [`Disk`] in memory, with a power switch: for tests and for the deterministic world.
//!
//! It keeps what is durable apart from what is only written. [`MemoryDisk::crash`] loses what was not synced, torn at
//! sector granularity, as a power cut does; faults make writes and syncs fail.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::ports::disk::{Disk, DiskEntry, DiskFile};

/// Bytes that a disk writes as a whole.
pub const SECTOR: usize = 512;

#[derive(Debug, Clone, Default)]
struct Contents {
    written: Vec<u8>,
    durable: Vec<u8>,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<String, Contents>,
    capacity: Option<u64>,
    writes_until_failure: Option<u64>,
    syncs_until_failure: Option<u64>,
}

/// A folder in memory. Clones share it; it outlives the journal that writes to it.
#[derive(Debug, Clone, Default)]
pub struct MemoryDisk {
    state: Arc<Mutex<State>>,
}

impl MemoryDisk {
    /// An empty folder.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Limits the sum of file lengths; beyond it there is no space left.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    /// Lets `more` writes succeed, then fails every one halfway.
    pub fn fail_writes_after(&self, more: Option<u64>) {
        self.state().writes_until_failure = more;
    }

    /// Lets `more` syncs succeed, then fails every one.
    pub fn fail_syncs_after(&self, more: Option<u64>) {
        self.state().syncs_until_failure = more;
    }

    /// Cuts the power: of the sectors that were written but not synced, those survive for which `survives` says so.
    /// Faults end. Files made or removed stay so (the journal syncs the folder).
    pub fn crash(&self, mut survives: impl FnMut() -> bool) {
        let mut state = self.state();
        for contents in state.files.values_mut() {
            contents.durable.resize(contents.written.len(), 0);
            let sectors = contents.written.chunks(SECTOR).zip(contents.durable.chunks_mut(SECTOR));
            for (written, durable) in sectors {
                if written != &*durable && survives() {
                    durable.copy_from_slice(written);
                }
            }
            contents.written = contents.durable.clone();
        }
        state.capacity = None;
        state.writes_until_failure = None;
        state.syncs_until_failure = None;
    }

    /// Changes a file behind the journal's back.
    pub fn tamper(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        if let Some(contents) = self.state().files.get_mut(name) {
            change(&mut contents.written);
            contents.durable = contents.written.clone();
        }
    }

    /// What a file holds; nothing if there is no such file.
    #[must_use]
    pub fn contents(&self, name: &str) -> Vec<u8> {
        self.state().files.get(name).map(|contents| contents.written.clone()).unwrap_or_default()
    }

    /// A copy that lives on by itself.
    #[must_use]
    pub fn snapshot(&self) -> Self {
        let state = State { files: self.state().files.clone(), ..State::default() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    fn used(state: &State) -> u64 {
        state.files.values().map(|contents| contents.written.len() as u64).sum()
    }

    fn grow(state: &mut State, name: &str, len: usize) -> io::Result<()> {
        let used = Self::used(state);
        let contents = state.files.get_mut(name).ok_or_else(gone)?;
        let more = len.saturating_sub(contents.written.len());
        if state.capacity.is_some_and(|capacity| used + more as u64 > capacity) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        if more > 0 {
            contents.written.resize(len, 0);
        }
        Ok(())
    }
}

fn gone() -> io::Error {
    io::Error::from(io::ErrorKind::NotFound)
}

fn fails(countdown: &mut Option<u64>) -> bool {
    match countdown {
        Some(0) => true,
        Some(more) => {
            *more -= 1;
            false
        }
        None => false,
    }
}

fn index(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(io::Error::other)
}

impl Disk for MemoryDisk {
    fn place(&self) -> String {
        "memory".to_owned()
    }

    fn list(&self) -> io::Result<Vec<DiskEntry>> {
        let entry = |(name, contents): (&String, &Contents)| DiskEntry {
            name: name.clone(),
            len: contents.written.len() as u64,
        };
        Ok(self.state().files.iter().map(entry).collect())
    }

    fn create(&self, name: &str, len: u64) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        if state.files.contains_key(name) {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists));
        }
        state.files.insert(name.to_owned(), Contents::default());
        if let Err(error) = Self::grow(&mut state, name, index(len)?) {
            state.files.remove(name);
            return Err(error);
        }
        if let Some(contents) = state.files.get_mut(name) {
            contents.durable = contents.written.clone();
        }
        Ok(Box::new(MemoryFile { disk: self.clone(), name: name.to_owned() }))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        if self.state().files.contains_key(name) {
            Ok(Box::new(MemoryFile { disk: self.clone(), name: name.to_owned() }))
        } else {
            Err(gone())
        }
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.state().files.remove(name).map(|_| ()).ok_or_else(gone)
    }
}

struct MemoryFile {
    disk: MemoryDisk,
    name: String,
}

impl DiskFile for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        self.disk.state().files.get(&self.name).map(|contents| contents.written.len() as u64).ok_or_else(gone)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.state();
        let failing = state.writes_until_failure == Some(0);
        let bytes = if failing { &bytes[..bytes.len() / 2] } else { bytes };
        let start = index(offset)?;
        MemoryDisk::grow(&mut state, &self.name, start + bytes.len())?;
        let contents = state.files.get_mut(&self.name).ok_or_else(gone)?;
        contents.written[start..start + bytes.len()].copy_from_slice(bytes);
        if fails(&mut state.writes_until_failure) {
            Err(io::Error::other("injected write error"))
        } else {
            Ok(())
        }
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let state = self.disk.state();
        let contents = state.files.get(&self.name).ok_or_else(gone)?;
        let start = index(offset)?.min(contents.written.len());
        let length = buffer.len().min(contents.written.len() - start);
        buffer[..length].copy_from_slice(&contents.written[start..start + length]);
        Ok(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.state();
        if fails(&mut state.syncs_until_failure) {
            return Err(io::Error::other("injected sync error"));
        }
        let contents = state.files.get_mut(&self.name).ok_or_else(gone)?;
        contents.durable.resize(contents.written.len(), 0);
        contents.durable.copy_from_slice(&contents.written);
        Ok(())
    }

    fn reset(&mut self, keep: u64, len: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let contents = state.files.get_mut(&self.name).ok_or_else(gone)?;
        contents.written.truncate(index(keep)?);
        MemoryDisk::grow(&mut state, &self.name, index(len.max(keep))?)?;
        let contents = state.files.get_mut(&self.name).ok_or_else(gone)?;
        contents.durable = contents.written.clone();
        Ok(())
    }
}
