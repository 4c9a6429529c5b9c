//! The segments there are, shared by the writer, readers and retention.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use pool_domain::{ids::ShareSeq, units::TimeMs};

use super::fault::JournalFault;
use crate::ports::disk::Disk;

const SUFFIX: &str = ".journal";

/// File name of a segment.
pub(super) fn file_name(index: u64) -> String {
    format!("{index:010}{SUFFIX}")
}

/// Index of the segment that a file name stands for.
pub(super) fn index_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    let index = digits.parse().ok()?;
    (file_name(index) == name).then_some(index)
}

/// What is known of a segment without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentInfo {
    pub(super) index: u64,
    pub(super) first_seq: u64,
    pub(super) created_ms: u64,
    pub(super) bytes: u64,
}

#[derive(Debug, Default)]
struct Inner {
    segments: VecDeque<SegmentInfo>,
    spare_bytes: u64,
}

/// Segments that hold records, oldest first, and the room taken by a spare one.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    inner: Mutex<Inner>,
}

impl Catalogue {
    pub(super) fn new(segments: VecDeque<SegmentInfo>) -> Self {
        Self { inner: Mutex::new(Inner { segments, spare_bytes: 0 }) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, segment: SegmentInfo) {
        self.lock().segments.push_back(segment);
    }

    /// The newest segment has grown.
    pub(super) fn grown(&self, bytes: u64) {
        if let Some(newest) = self.lock().segments.back_mut() {
            newest.bytes = newest.bytes.max(bytes);
        }
    }

    pub(super) fn set_spare(&self, bytes: u64) {
        self.lock().spare_bytes = bytes;
    }

    pub(super) fn used_bytes(&self) -> u64 {
        let inner = self.lock();
        inner.spare_bytes + inner.segments.iter().map(|segment| segment.bytes).sum::<u64>()
    }

    pub(super) fn count(&self) -> usize {
        self.lock().segments.len()
    }

    pub(super) fn oldest(&self) -> Option<SegmentInfo> {
        self.lock().segments.front().copied()
    }

    pub(super) fn after(&self, index: u64) -> Option<SegmentInfo> {
        self.lock().segments.iter().find(|segment| segment.index > index).copied()
    }

    /// The segment that holds `seq`, or will.
    pub(super) fn holding(&self, seq: u64) -> Option<SegmentInfo> {
        self.lock().segments.iter().rev().find(|segment| segment.first_seq <= seq).copied()
    }

    /// Removes the oldest segments whose records are all consumed, as long as `expendable` agrees, which is given the
    /// time when the segment ended and the bytes in use; never the newest. Returns how many.
    pub(super) fn retain(
        &self,
        disk: &dyn Disk,
        consumed: ShareSeq,
        expendable: impl Fn(TimeMs, u64) -> bool,
    ) -> Result<usize, JournalFault> {
        let mut removed = 0;
        loop {
            let used_bytes = self.used_bytes();
            let oldest = {
                let inner = self.lock();
                let (Some(oldest), Some(next)) = (inner.segments.front(), inner.segments.get(1)) else {
                    break;
                };
                // The next segment began when the oldest one ended.
                let ended_at = TimeMs(next.created_ms);
                if next.first_seq > consumed.0.saturating_add(1) || !expendable(ended_at, used_bytes) {
                    break;
                }
                oldest.index
            };
            // The file first: should this fail, it is still in the list and tried again.
            disk.remove(&file_name(oldest)).map_err(|source| JournalFault::Io {
                place: disk.place(),
                what: "remove an old segment",
                source,
            })?;
            self.lock().segments.pop_front();
            removed += 1;
        }
        Ok(removed)
    }
}
