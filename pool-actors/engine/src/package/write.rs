//! Writing a package: the same bytes for the same contents.

use super::Package;
use crate::codes::{Code, PackageError};
use std::io::{Cursor, Write};
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

pub(super) fn to_zip(package: &Package) -> Result<Vec<u8>, PackageError> {
    let failed = |error: &dyn std::fmt::Display| {
        PackageError::new(Code::PackageTooLarge, format!("can't write the zip file: {error}"))
    };
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    // 1980-01-01, the oldest time that a zip file knows.
    let options =
        SimpleFileOptions::default().last_modified_time(DateTime::default()).unix_permissions(0o644);
    for (name, content) in package.entries() {
        // What grows by compression (signatures) is stored.
        let method =
            if content.len() < 128 { CompressionMethod::Stored } else { CompressionMethod::Deflated };
        zip.start_file(name, options.compression_method(method)).map_err(|error| failed(&error))?;
        zip.write_all(content).map_err(|error| failed(&error))?;
    }
    zip.finish().map(Cursor::into_inner).map_err(|error| failed(&error))
}
