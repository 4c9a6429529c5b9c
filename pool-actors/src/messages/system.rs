//! What the process and its disk look like, for operators.

use pool_domain::units::TimeMs;

use crate::ports::system::{DiskSpace, ProcessFigures};

/// The system at a moment, every few seconds from the SystemWatch, in a watch.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SystemFigures {
    /// When; 0 = never yet.
    pub at: TimeMs,
    /// The process.
    pub process: ProcessFigures,
    /// Room on the disk of the data folder.
    pub space: DiskSpace,
    /// What the share journal occupies, bytes.
    pub journal_bytes: u64,
    /// What the database occupies, bytes; `None` = it did not say yet.
    pub database_bytes: Option<u64>,
}

#[expect(clippy::cast_precision_loss, reason = "parts for people and thresholds")]
fn part(of: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { of as f64 / all as f64 }
}

impl SystemFigures {
    /// Part of the file descriptors that is in use, 0 to 1.
    #[must_use]
    pub fn fds_used(&self) -> f64 {
        part(self.process.open_fds, self.process.max_fds)
    }

    /// Part of the memory that the process may use and does, 0 to 1.
    #[must_use]
    pub fn memory_used(&self) -> f64 {
        part(self.process.resident_bytes, self.process.memory_limit_bytes)
    }

    /// Part of the disk that is free, 0 to 1.
    #[must_use]
    pub fn disk_free(&self) -> f64 {
        part(self.space.available_bytes, self.space.total_bytes)
    }
}
