//! A text in a file of the data folder.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::PathBuf,
};

use crate::ports::archive::Archive;

/// A file that is replaced whole.
#[derive(Debug)]
pub struct FileArchive(PathBuf);

impl FileArchive {
    /// The archive in that file.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self(path)
    }
}

impl Archive for FileArchive {
    fn load(&self) -> io::Result<Option<String>> {
        match fs::read_to_string(&self.0) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn save(&self, text: &str) -> io::Result<()> {
        let new = self.0.with_extension("new");
        let mut file = File::create(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        fs::rename(&new, &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_last_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let archive = FileArchive::new(folder.path().join("alerts.json"));
        assert_eq!(archive.load().unwrap(), None);
        for text in ["one", "two"] {
            archive.save(text).unwrap();
            assert_eq!(archive.load().unwrap().as_deref(), Some(text));
        }
        let nowhere = FileArchive::new(folder.path().join("no/alerts.json"));
        assert!(nowhere.save("x").is_err());
    }
}
