//! [`Disk`] over a folder of the file system. Holds a lock on it, so that no second pool writes there.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use rustix::fs::{FallocateFlags, fallocate};

use crate::ports::disk::{Disk, DiskEntry, DiskFile};

/// A locked folder, or one that is only read.
pub struct FolderDisk {
    path: PathBuf,
    /// `None`: opened for reading only.
    lock: Option<File>,
}

impl FolderDisk {
    /// Makes the folder if need be, and locks it until this is dropped.
    ///
    /// # Errors
    /// When the folder can't be made or written; [`io::ErrorKind::ResourceBusy`] when another process holds the lock.
    pub fn open(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(path.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), lock: Some(lock) }),
            Err(TryLockError::WouldBlock) => Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                format!("{} is in use by another pool process", path.display()),
            )),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// For reading only: takes no lock, makes nothing, changes nothing; whatever a pool does there meanwhile.
    ///
    /// # Errors
    /// When there is no such folder.
    pub fn open_read_only(path: &Path) -> io::Result<Self> {
        fs::read_dir(path)?;
        Ok(Self { path: path.to_owned(), lock: None })
    }

    fn is_writable(&self) -> io::Result<()> {
        let refused =
            || io::Error::new(io::ErrorKind::PermissionDenied, "the folder is open for reading only");
        self.lock.as_ref().map(drop).ok_or_else(refused)
    }
}

impl Disk for FolderDisk {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn list(&self) -> io::Result<Vec<DiskEntry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let meta = entry.metadata()?;
            if meta.is_file()
                && let Ok(name) = entry.file_name().into_string()
            {
                entries.push(DiskEntry { name, len: meta.len() });
            }
        }
        Ok(entries)
    }

    fn create(&self, name: &str, len: u64) -> io::Result<Box<dyn DiskFile>> {
        self.is_writable()?;
        let path = self.path.join(name);
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        let made = reserve(&file, len)
            .and_then(|()| file.sync_all())
            .and_then(|()| File::open(&self.path)?.sync_all());
        if let Err(error) = made {
            // Leave nothing half-made behind; the first error is the one that matters.
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        Ok(Box::new(OpenFile { file }))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let writes = self.lock.is_some();
        let file = OpenOptions::new().read(true).write(writes).open(self.path.join(name))?;
        Ok(Box::new(OpenFile { file }))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.is_writable()?;
        fs::remove_file(self.path.join(name))
    }
}

/// Reserves blocks where the file system can; elsewhere the file is extended sparsely.
fn reserve(file: &File, len: u64) -> io::Result<()> {
    if len == 0 {
        return Ok(());
    }
    match fallocate(file, FallocateFlags::empty(), 0, len) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => file.set_len(len),
        Err(error) => Err(error.into()),
    }
}

struct OpenFile {
    file: File,
}

impl DiskFile for OpenFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.file.read_at(&mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn reset(&mut self, keep: u64, len: u64) -> io::Result<()> {
        self.file.set_len(keep)?;
        reserve(&self.file, len.max(keep))?;
        self.file.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_locked_against_a_second_pool() {
        let folder = tempfile::tempdir().unwrap();
        let first = FolderDisk::open(folder.path()).unwrap();
        let second = FolderDisk::open(folder.path()).map(|_| ()).unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::ResourceBusy);
        assert!(second.to_string().contains("in use by another pool process"));
        drop(first);
        FolderDisk::open(folder.path()).unwrap();
    }

    #[test]
    fn a_folder_in_use_can_be_read_but_not_written() {
        let folder = tempfile::tempdir().unwrap();
        assert!(FolderDisk::open_read_only(&folder.path().join("missing")).is_err());
        let pool = FolderDisk::open(folder.path()).unwrap();
        pool.create("a", 10).unwrap().write_at(0, b"hello").unwrap();
        let auditor = FolderDisk::open_read_only(folder.path()).unwrap();
        let mut buffer = [0; 5];
        let mut file = auditor.open("a").unwrap();
        assert_eq!((file.read_at(0, &mut buffer).unwrap(), &buffer), (5, b"hello"));
        assert!(file.write_at(0, b"no").is_err());
        assert!(auditor.create("b", 1).is_err());
        assert!(auditor.remove("a").is_err());
    }

    #[test]
    fn files_are_zero_until_written_and_can_be_cut() {
        let folder = tempfile::tempdir().unwrap();
        let disk = FolderDisk::open(folder.path()).unwrap();
        let mut file = disk.create("a", 100).unwrap();
        assert!(disk.create("a", 1).is_err());
        file.write_at(10, b"hello").unwrap();
        file.sync().unwrap();
        let mut buffer = [9; 200];
        assert_eq!(disk.open("a").unwrap().read_at(0, &mut buffer).unwrap(), 100);
        assert_eq!((&buffer[..10], &buffer[10..15], buffer[99]), (&[0; 10][..], &b"hello"[..], 0));
        file.reset(12, 50).unwrap();
        assert_eq!(file.len().unwrap(), 50);
        assert_eq!(file.read_at(10, &mut buffer[..4]).unwrap(), 4);
        assert_eq!(&buffer[..4], b"he\0\0");
        disk.remove("a").unwrap();
        assert_eq!(
            disk.list().unwrap().iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(),
            ["lock"]
        );
    }
}
