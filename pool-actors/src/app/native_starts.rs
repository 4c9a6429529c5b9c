//! Native code inside the pool's own process that keeps ending it: after the second start in an hour that did not end
//! well, it is confined to a child. It may have been innocent (the machine was switched off); then it is only slower.

use pool_domain::units::TimeMs;
use serde::{Deserialize, Serialize};

use crate::ports::archive::SharedArchive;

/// Starts that count.
const WITHIN_MS: u64 = 3_600_000;
/// So many of them that did not end well are no accident.
const BAD_ENDS: usize = 2;

/// What is known of the deployment that is in force.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    deployment: u64,
    /// When the pool started with its code inside, and did not end well since.
    started_at_ms: Vec<u64>,
    confined: bool,
}

/// See the module's documentation.
#[derive(Clone)]
pub(super) struct NativeStarts(SharedArchive);

impl NativeStarts {
    pub(super) fn new(archive: SharedArchive) -> Self {
        Self(archive)
    }

    /// Notes that the pool starts with a deployment's code. What can't be read or written counts for nothing: then the code
    /// goes where its operator wants it.
    pub(super) fn must_be_confined(&self, deployment: u64, now: TimeMs) -> bool {
        let mut record = self.load();
        if record.deployment != deployment {
            record = Record { deployment, ..Record::default() };
        }
        if !record.confined {
            record.started_at_ms.retain(|at| now.0.saturating_sub(*at) < WITHIN_MS);
            record.confined = record.started_at_ms.len() >= BAD_ENDS;
            record.started_at_ms.push(now.0);
            self.save(&record);
        }
        record.confined
    }

    /// The pool ends because it was told to.
    pub(super) fn ended_well(&self) {
        let record = self.load();
        if !record.confined && !record.started_at_ms.is_empty() {
            self.save(&Record { started_at_ms: Vec::new(), ..record });
        }
    }

    fn load(&self) -> Record {
        let text = self.0.load().unwrap_or_default().unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn save(&self, record: &Record) {
        let saved = serde_json::to_string(record).map_err(std::io::Error::other);
        if let Err(error) = saved.and_then(|text| self.0.save(&text)) {
            tracing::warn!(%error, "starts of native code inside the pool can't be counted");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::FileArchive;
    use std::sync::Arc;

    const HOUR: u64 = 3_600_000;

    fn starts() -> (tempfile::TempDir, NativeStarts) {
        let folder = tempfile::tempdir().unwrap();
        let archive = FileArchive::new(folder.path().join("native.json"));
        (folder, NativeStarts::new(Arc::new(archive)))
    }

    /// The answers to starts at these times.
    fn at(starts: &NativeStarts, deployment: u64, times: &[u64]) -> Vec<bool> {
        times.iter().map(|at| starts.must_be_confined(deployment, TimeMs(*at))).collect()
    }

    #[test]
    fn the_third_start_in_an_hour_is_confined_and_all_after_it() {
        let (_folder, starts) = starts();
        assert_eq!(at(&starts, 7, &[0, 1, HOUR - 1, 9 * HOUR]), [false, false, true, true]);
        starts.ended_well();
        assert_eq!(at(&starts, 7, &[9 * HOUR + 1]), [true]);
        // Whoever deploys it again wants it to be tried again.
        assert_eq!(at(&starts, 8, &[9 * HOUR + 2]), [false]);
    }

    #[test]
    fn what_lies_back_or_ended_well_does_not_count() {
        let (_folder, starts) = starts();
        assert_eq!(
            at(&starts, 7, &[0, HOUR - 2, HOUR, 2 * HOUR - 1, 2 * HOUR - 1]),
            [false, false, false, false, true]
        );
        let (_folder, starts) = self::starts();
        for time in 0..9 {
            assert_eq!(at(&starts, 7, &[time, time]), [false, false]);
            starts.ended_well();
        }
    }

    #[test]
    fn a_record_that_can_t_be_read_or_written_stands_in_nobody_s_way() {
        let (folder, starts) = starts();
        std::fs::write(folder.path().join("native.json"), "rubbish").unwrap();
        assert_eq!(at(&starts, 7, &[0, 1, 2]), [false, false, true]);
        std::fs::remove_dir_all(folder.path()).unwrap();
        assert_eq!(at(&starts, 7, &[0, 1, 2]), [false, false, false]);
    }
}
