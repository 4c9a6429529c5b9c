//! The central directory of a zip file, read by itself and strictly. The zip crate keeps the last of two entries of one
//! name, skips what lies before the archive and does not say whether entries overlap; here each of these is an error.
//!
//! Layout: APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory) and 4.3.16 (its end).

use super::{ENTRY_NAMES, PackageLimits, known_name};
use crate::codes::{Code, PackageError};

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const LOCAL_SIZE: usize = 30;
const CENTRAL_SIZE: usize = 46;
const END_SIZE: usize = 22;
/// Encrypted, strongly encrypted, directory encrypted.
const FLAGS_ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;
/// Compression level (bits 1 and 2) and UTF-8 names, which are ASCII here; everything else changes the layout.
const FLAGS_ALLOWED: u16 = 0b110 | 1 << 11;
/// Times and owners, which Info-ZIP writes. Other fields can change names and sizes.
const EXTRAS_ALLOWED: [u16; 3] = [0x5455, 0x5855, 0x7875];

/// One entry as the directory has it, checked against its local header.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) crc32: u32,
    pub(super) size: u64,
    pub(super) deflated: bool,
    /// Where the compressed bytes are.
    pub(super) data: std::ops::Range<usize>,
    method: u16,
    compressed: u64,
    offset: usize,
}

fn error(code: Code, message: impl Into<String>) -> PackageError {
    PackageError::new(code, message)
}

/// Little-endian fields of a record whose length was checked.
struct Record<'a>(&'a [u8]);

impl<'a> Record<'a> {
    fn at(bytes: &'a [u8], offset: usize, size: usize, what: &str) -> Result<Self, PackageError> {
        let record = offset.checked_add(size).and_then(|end| bytes.get(offset..end));
        record.map(Self).ok_or_else(|| {
            error(
                Code::PackageTruncated,
                format!("{what} at byte {offset} ends beyond the file's {} bytes", bytes.len()),
            )
        })
    }

    fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.0[at], self.0[at + 1]])
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes([self.0[at], self.0[at + 1], self.0[at + 2], self.0[at + 3]])
    }
}

/// Reads and checks the directory.
pub(super) fn read(bytes: &[u8], limits: &PackageLimits) -> Result<Vec<Entry>, PackageError> {
    if bytes.len() as u64 > limits.file_bytes_max {
        let message =
            format!("the file has {} bytes, at most {} are taken", bytes.len(), limits.file_bytes_max);
        return Err(error(Code::PackageTooLarge, message));
    }
    let (start, count) = end_record(bytes)?;
    let mut entries = Vec::with_capacity(count);
    let mut at = start;
    for _ in 0..count {
        let (entry, next) = central(bytes, at)?;
        if entries.iter().any(|e: &Entry| e.name == entry.name) {
            return Err(error(Code::PackageDuplicateEntry, format!("{} is there twice", entry.name)));
        }
        entries.push(entry);
        at = next;
    }
    if at != bytes.len() - END_SIZE {
        let message = format!("the directory holds more than the {count} entries that it counts");
        return Err(error(Code::PackageTooManyEntries, message));
    }
    for entry in &mut entries {
        local(bytes, entry)?;
    }
    contiguous(&entries, start)?;
    within_limits(&entries, limits)?;
    Ok(entries)
}

/// Finds the end record at the very end, and gives the directory's place and number of entries.
fn end_record(bytes: &[u8]) -> Result<(usize, usize), PackageError> {
    let at = bytes.len().checked_sub(END_SIZE).filter(|at| signature(bytes, *at) == Some(END));
    let Some(at) = at else { return Err(no_end_record(bytes)) };
    let record = Record::at(bytes, at, END_SIZE, "the end record")?;
    if record.u16(20) != 0 {
        return Err(error(Code::PackageTruncated, "the archive's comment is longer than the file"));
    }
    let (on_disk, count) = (record.u16(8), record.u16(10));
    let (size, start) = (record.u32(12), record.u32(16));
    if usize::from(count) > ENTRY_NAMES.len() || on_disk != count || record.u32(4) != 0 {
        let message = format!(
            "the archive says that it has {count} entries, {on_disk} of them on this disk; a package has at most {}",
            ENTRY_NAMES.len()
        );
        return Err(error(Code::PackageTooManyEntries, message));
    }
    // 32-bit numbers fit: usize has 32 bits at least wherever the pool runs.
    let (start, size) = (start as usize, size as usize);
    match start.checked_add(size) {
        Some(end) if end == at => Ok((start, usize::from(count))),
        Some(end) if end < at => {
            let message =
                format!("{} bytes lie before the archive's first entry or behind its directory", at - end);
            Err(error(Code::PackagePrefix, message))
        }
        _ => Err(error(
            Code::PackageTruncated,
            format!("the directory at byte {start} does not fit into the file"),
        )),
    }
}

fn signature(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes([four[0], four[1], four[2], four[3]]))
}

/// Why there is no end record at the end of the file.
fn no_end_record(bytes: &[u8]) -> PackageError {
    // A comment has at most 65535 bytes; what lies further back is no comment's.
    let first = bytes.len().saturating_sub(END_SIZE + usize::from(u16::MAX));
    let elsewhere = (first..bytes.len()).rev().find(|at| signature(bytes, *at) == Some(END));
    match elsewhere {
        Some(at) if at + END_SIZE <= bytes.len() => {
            let message = format!(
                "{} bytes lie behind the archive's end; leave out comments too",
                bytes.len() - at - END_SIZE
            );
            error(Code::PackageTrailingBytes, message)
        }
        _ if signature(bytes, 0) == Some(LOCAL) => {
            error(Code::PackageTruncated, format!("the archive's end is missing after {} bytes", bytes.len()))
        }
        _ => error(Code::PackageNotAZip, format!("the file of {} bytes is no zip archive", bytes.len())),
    }
}

/// One record of the directory, and where the next one begins.
fn central(bytes: &[u8], at: usize) -> Result<(Entry, usize), PackageError> {
    if signature(bytes, at) != Some(CENTRAL) {
        let message = format!("there is no directory entry at byte {at}, though one is counted");
        return Err(error(Code::PackageTooManyEntries, message));
    }
    let record = Record::at(bytes, at, CENTRAL_SIZE, "a directory entry")?;
    let (name_size, extra_size, comment_size) = (record.u16(28), record.u16(30), record.u16(32));
    let name_at = at + CENTRAL_SIZE;
    let raw = Record::at(bytes, name_at, usize::from(name_size), "an entry's name")?.0;
    // Kind before name: a link's or folder's name is beside the point.
    kind(&record, raw)?;
    let name = std::str::from_utf8(raw)
        .ok()
        .filter(|name| name.is_ascii())
        .ok_or_else(|| error(Code::PackageEntryName, format!("\"{}\" is not ASCII", raw.escape_ascii())))?;
    let name = known_name(name)?;
    let extra_at = name_at + usize::from(name_size);
    extras(Record::at(bytes, extra_at, usize::from(extra_size), "an extra field")?.0, name)?;
    if comment_size != 0 {
        return Err(error(Code::PackageTrailingBytes, format!("{name} has a comment; leave it out")));
    }
    flags(record.u16(8), name)?;
    method(record.u16(10), name)?;
    if record.u16(34) != 0 {
        return Err(error(
            Code::PackageTruncated,
            format!("{name} begins in another part of a split archive"),
        ));
    }
    let sizes = [record.u32(20), record.u32(24), record.u32(42)];
    if sizes.contains(&u32::MAX) {
        return Err(error(
            Code::PackageTooLarge,
            format!("{name} has sizes of zip64, which no package needs"),
        ));
    }
    let entry = Entry {
        name,
        crc32: record.u32(16),
        size: u64::from(sizes[1]),
        deflated: record.u16(10) != 0,
        method: record.u16(10),
        compressed: u64::from(sizes[0]),
        offset: sizes[2] as usize,
        data: 0..0,
    };
    Ok((entry, extra_at + usize::from(extra_size)))
}

/// Refuses links, folders and devices.
fn kind(record: &Record<'_>, name: &[u8]) -> Result<(), PackageError> {
    let (system, attributes) = (record.0[5], record.u32(38));
    let mode = attributes >> 16;
    // Only Unix (3) and macOS (19) give the upper half a meaning, but some readers look at it whatever the system is.
    let type_bits = mode & 0o170_000;
    let folder = type_bits == 0o040_000 || attributes & 0x10 != 0 || name.ends_with(b"/");
    let (code, what) = match type_bits {
        0 | 0o100_000 if !folder => return Ok(()),
        0o120_000 => (Code::PackageSymlink, "a symbolic link"),
        _ if folder => (Code::PackageEntryName, "a folder, which a package has no entries for"),
        _ => (Code::PackageSymlink, "a device"),
    };
    let name = name.escape_ascii();
    Err(error(
        code,
        format!("\"{name}\" is {what} (mode {mode:o}, system {system}); a package holds files only"),
    ))
}

fn flags(flags: u16, name: &str) -> Result<(), PackageError> {
    if flags & FLAGS_ENCRYPTED != 0 {
        return Err(error(Code::PackageEncrypted, format!("{name} is encrypted")));
    }
    if flags & !FLAGS_ALLOWED != 0 {
        let message =
            format!("{name} has flags {flags:#06x}, so its sizes would have to be guessed; pack it again");
        return Err(error(Code::PackageHeaderMismatch, message));
    }
    Ok(())
}

fn method(method: u16, name: &str) -> Result<(), PackageError> {
    match method {
        0 | 8 => Ok(()),
        other => {
            let message =
                format!("{name} is compressed by method {other}; only stored (0) and deflated (8) are taken");
            Err(error(Code::PackageMethod, message))
        }
    }
}

fn extras(mut extra: &[u8], name: &str) -> Result<(), PackageError> {
    while !extra.is_empty() {
        let (id, size) = match extra {
            [a, b, c, d, ..] => (u16::from_le_bytes([*a, *b]), usize::from(u16::from_le_bytes([*c, *d]))),
            _ => (0, usize::MAX),
        };
        let rest = size.checked_add(4).and_then(|size| extra.get(size..));
        match rest {
            Some(rest) if EXTRAS_ALLOWED.contains(&id) => extra = rest,
            _ => {
                let message = format!(
                    "{name} has an extra field {id:#06x}, which could change its name or size; pack it again"
                );
                return Err(error(Code::PackageHeaderMismatch, message));
            }
        }
    }
    Ok(())
}

/// Holds the local header against the directory, and finds where the entry ends.
fn local(bytes: &[u8], entry: &mut Entry) -> Result<(), PackageError> {
    let name = entry.name;
    let record = Record::at(bytes, entry.offset, LOCAL_SIZE, name)?;
    let name_size = usize::from(record.u16(26));
    let extra_size = usize::from(record.u16(28));
    let name_at = entry.offset + LOCAL_SIZE;
    if record.u32(0) != LOCAL {
        let message =
            format!("{name}: there is no entry at byte {}, where the directory has it", entry.offset);
        return Err(error(Code::PackageHeaderMismatch, message));
    }
    flags(record.u16(6), name)?;
    let own_name = Record::at(bytes, name_at, name_size, name)?.0;
    let own = (record.u16(8), record.u32(14), u64::from(record.u32(18)), u64::from(record.u32(22)));
    if own_name != name.as_bytes() || own != (entry.method, entry.crc32, entry.compressed, entry.size) {
        let message = format!(
            "{name}: the entry itself is \"{}\" with other values than the directory has",
            own_name.escape_ascii()
        );
        return Err(error(Code::PackageHeaderMismatch, message));
    }
    extras(Record::at(bytes, name_at + name_size, extra_size, name)?.0, name)?;
    let compressed = usize::try_from(entry.compressed).unwrap_or(usize::MAX);
    let data_at = name_at + name_size + extra_size;
    Record::at(bytes, data_at, compressed, name)?;
    entry.data = data_at..data_at + compressed;
    Ok(())
}

/// Each entry begins where the one before it ends, the first at 0, and the directory follows the last.
fn contiguous(entries: &[Entry], directory: usize) -> Result<(), PackageError> {
    let mut order: Vec<&Entry> = entries.iter().collect();
    order.sort_by_key(|entry| entry.offset);
    let mut at = 0;
    for entry in order {
        if entry.offset != at {
            let (code, what) = match entry.offset {
                offset if at == 0 => {
                    (Code::PackagePrefix, format!("{offset} bytes lie before the first entry"))
                }
                offset if offset < at => {
                    (Code::PackageOverlap, format!("{} begins inside the entry before it", entry.name))
                }
                offset => (
                    Code::PackageOverlap,
                    format!("{} bytes before {} belong to no entry", offset - at, entry.name),
                ),
            };
            return Err(error(code, what));
        }
        at = entry.data.end;
    }
    if at != directory {
        let what = if at > directory {
            "the last entry reaches into the directory"
        } else {
            "there are bytes between the last entry and the directory"
        };
        return Err(error(Code::PackageOverlap, what));
    }
    Ok(())
}

/// The sizes that the directory states; reading holds the entries to them.
fn within_limits(entries: &[Entry], limits: &PackageLimits) -> Result<(), PackageError> {
    for entry in entries {
        let (name, size, compressed) = (entry.name, entry.size, entry.compressed);
        if size > limits.entry_bytes_max {
            let message = format!("{name} has {size} bytes, at most {} are taken", limits.entry_bytes_max);
            return Err(error(Code::PackageTooLarge, message));
        }
        if size > 64 << 10 && size > compressed.saturating_mul(limits.ratio_max) {
            let message = format!(
                "{name} grows from {compressed} to {size} bytes, more than by factor {}",
                limits.ratio_max
            );
            return Err(error(Code::PackageBomb, message));
        }
    }
    let total: u64 = entries.iter().map(|entry| entry.size).sum();
    if total > limits.total_bytes_max {
        let message =
            format!("the entries have {total} bytes together, at most {} are taken", limits.total_bytes_max);
        return Err(error(Code::PackageTooLarge, message));
    }
    Ok(())
}
