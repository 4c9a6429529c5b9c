//! Files of authors: bounded reading, whole writing, keys that only their owner can read.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read as _, Write as _},
    path::Path,
};

use pool_engine::{
    codes::{Code, PackageError},
    package::{Package, PackageLimits},
    signature::{PublicKey, SecretKey},
};

fn failed(code: Code, path: &Path, what: &str, error: &std::io::Error) -> PackageError {
    PackageError::new(code, format!("{} can't be {what}: {error}", path.display()))
}

/// Reads a file of at most that many bytes.
pub(super) fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, PackageError> {
    let unreadable = |error| failed(Code::FileUnusable, path, "read", &error);
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > bytes_max {
        let message = format!("{} has more than {bytes_max} bytes", path.display());
        return Err(PackageError::new(Code::PackageTooLarge, message));
    }
    Ok(bytes)
}

/// Reads a package's bytes.
pub(super) fn read_package(path: &Path) -> Result<Vec<u8>, PackageError> {
    read(path, PackageLimits::default().file_bytes_max)
}

/// Writes a file whole: an interruption leaves the old one or the new one.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), PackageError> {
    let beside = path.with_extension("new");
    let unwritable = |error| failed(Code::FileUnusable, path, "written", &error);
    fs::write(&beside, bytes).map_err(unwritable)?;
    fs::rename(&beside, path).map_err(unwritable)
}

/// Opens the package of a file.
pub(super) fn open_package(path: &Path) -> Result<Package, PackageError> {
    Package::open(&read_package(path)?, &PackageLimits::default())
}

/// Writes a new file that only its owner can read; never over another one.
pub(super) fn write_secret(path: &Path, text: &str) -> Result<(), PackageError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    written.map_err(|error| failed(Code::KeyFileInvalid, path, "written", &error))
}

fn read_key(path: &Path) -> Result<String, PackageError> {
    let text =
        fs::read_to_string(path).map_err(|error| failed(Code::KeyFileInvalid, path, "read", &error))?;
    Ok(text)
}

/// Reads a secret key, which must be its owner's alone.
pub(super) fn read_secret_key(path: &Path) -> Result<SecretKey, PackageError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(path)
            .map_err(|error| failed(Code::KeyFileInvalid, path, "read", &error))?
            .permissions()
            .mode();
        if mode & 0o077 != 0 {
            let message = format!(
                "{0} is readable for others (mode {1:o}); run: chmod 600 {0}",
                path.display(),
                mode & 0o777
            );
            return Err(PackageError::new(Code::KeyFileInvalid, message));
        }
    }
    SecretKey::from_file(&read_key(path)?).map_err(|error| in_file(path, &error))
}

/// Reads a public key.
pub(super) fn read_public_key(path: &Path) -> Result<PublicKey, PackageError> {
    PublicKey::from_file(&read_key(path)?).map_err(|error| in_file(path, &error))
}

fn in_file(path: &Path, error: &PackageError) -> PackageError {
    PackageError::new(error.code, format!("{}: {}", path.display(), error.message))
}
