//! Reading entries. Our own reading of the directory and the zip crate's must agree on every entry, so that an archive that
//! two readers would see differently is refused; decompression stops one byte behind the stated size.

use super::{Package, PackageLimits, directory};
use crate::codes::{Code, PackageError};
use flate2::{Crc, read::DeflateDecoder};
use std::io::{Cursor, Read};
use zip::ZipArchive;

pub(super) fn open(bytes: &[u8], limits: &PackageLimits) -> Result<Package, PackageError> {
    let directory = directory::read(bytes, limits)?;
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| {
        PackageError::new(Code::PackageCorrupt, format!("the archive can't be read: {error}"))
    })?;
    if archive.len() != directory.len() {
        let message = format!("{} entries for one reader, {} for another", directory.len(), archive.len());
        return Err(PackageError::new(Code::PackageHeaderMismatch, message));
    }
    let mut package = Package { entries: std::collections::BTreeMap::new() };
    for entry in &directory {
        let content = content(bytes, &mut archive, entry)?;
        package.insert(entry.name, content)?;
    }
    Ok(package)
}

fn content(
    bytes: &[u8],
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    entry: &directory::Entry,
) -> Result<Vec<u8>, PackageError> {
    let name = entry.name;
    let corrupt = |problem: &dyn std::fmt::Display| {
        PackageError::new(Code::PackageCorrupt, format!("{name} can't be decompressed: {problem}"))
    };
    let file = archive.by_name(name).map_err(|error| corrupt(&error))?;
    let theirs = (file.data_start(), file.compressed_size(), file.size(), file.crc32());
    let data = &entry.data;
    let ours = (Some(data.start as u64), data.len() as u64, entry.size, entry.crc32);
    if theirs != ours {
        let message = format!("{name} is {ours:?} for one reader, {theirs:?} for another");
        return Err(PackageError::new(Code::PackageHeaderMismatch, message));
    }
    let data = &bytes[data.clone()];
    // The stated size is within the limits; one byte more says that it is a lie.
    let limit = entry.size + 1;
    let mut content = Vec::new();
    let read = if entry.deflated {
        let mut stream = DeflateDecoder::new(data);
        let read = Read::by_ref(&mut stream).take(limit).read_to_end(&mut content);
        // A second stream hidden behind the first would be signed by nobody.
        match read {
            Ok(_) if content.len() as u64 == entry.size && stream.total_in() != data.len() as u64 => {
                let unused = data.len() as u64 - stream.total_in();
                return Err(corrupt(&format_args!("{unused} bytes lie behind the compressed ones")));
            }
            read => read,
        }
    } else {
        data.take(limit).read_to_end(&mut content)
    };
    read.map_err(|error| corrupt(&error))?;
    if content.len() as u64 > entry.size {
        let message = format!("{name} grows beyond the {} bytes that it says it has", entry.size);
        return Err(PackageError::new(Code::PackageBomb, message));
    }
    let mut crc = Crc::new();
    crc.update(&content);
    match (content.len() as u64 == entry.size, crc.sum() == entry.crc32) {
        (true, true) => Ok(content),
        (false, _) => Err(corrupt(&format_args!("{} bytes instead of {}", content.len(), entry.size))),
        (true, false) => Err(corrupt(&"its checksum is wrong")),
    }
}
