//! A copy of a journal that may be in use: what was durable when the copy began, and nothing after it.

use pool_domain::ids::ShareSeq;

use super::{
    catalogue::file_name,
    fault::JournalFault,
    recovery::{Looked, look},
};
use crate::ports::disk::Disk;

/// Bytes that are copied in one go.
const CHUNK: usize = 1 << 20;

/// What a copy holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Copied {
    /// Oldest record.
    pub first: ShareSeq,
    /// Newest record.
    pub through: ShareSeq,
    /// Segments.
    pub segments: usize,
}

/// Copies the journal in `from`, which a pool may be writing to, into the empty folder `to`. The newest segment is cut behind
/// its last sound frame: what is written meanwhile would be torn. Segments that retention drops meanwhile are left out, with
/// all older ones.
///
/// # Errors
/// When `from` is damaged or can't be read, or `to` can't be written.
pub fn copy_journal(from: &dyn Disk, to: &dyn Disk) -> Result<Copied, JournalFault> {
    let Looked { segments, committed, newest_end } = look(from)?;
    let mut copied = Copied { first: ShareSeq(1), through: ShareSeq(committed), segments: 0 };
    for (age, segment) in segments.iter().rev().enumerate() {
        let name = file_name(segment.index);
        let end = if age == 0 { newest_end } else { segment.bytes };
        match copy_file(from, to, &name, segment.bytes, end) {
            // The newest are copied first: what is missing is only what was dropped at the other end.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && age > 0 => break,
            Err(source) => {
                return Err(JournalFault::Io { place: from.place(), what: "copy a segment", source });
            }
            Ok(()) => {}
        }
        copied.segments += 1;
        copied.first = ShareSeq(segment.first_seq);
    }
    Ok(copied)
}

fn copy_file(from: &dyn Disk, to: &dyn Disk, name: &str, bytes: u64, end: u64) -> std::io::Result<()> {
    let source = from.open(name)?;
    let mut target = to.create(name, bytes)?;
    let mut chunk = vec![0; CHUNK];
    let mut at = 0;
    while at < end {
        let wanted = usize::try_from((end - at).min(CHUNK as u64)).unwrap_or(CHUNK);
        let read = source.read_at(at, &mut chunk[..wanted])?;
        if read == 0 {
            return Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "a segment became shorter"));
        }
        target.write_at(at, &chunk[..read])?;
        at += read as u64;
    }
    target.sync()
}
