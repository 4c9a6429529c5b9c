//! What can go wrong with the journal, each in one sentence that says what to do.

use std::io;

use pool_domain::ids::ShareSeq;

use crate::messages::journal::JournalError;

/// A failure of the journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalFault {
    /// The disk refused. After a failed write or sync the journal takes nothing more: recovery from disk tells the truth.
    #[error("{}", io_sentence(place, what, source))]
    Io {
        /// Folder of the journal.
        place: String,
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The bytes are wrong where no crash can have made them so.
    #[error(
        "share journal {place}: {what} in segment {segment} at byte {offset}; this is no torn write: restore the file from a copy, or move the folder away and audit the ledger"
    )]
    Damaged {
        /// Folder of the journal.
        place: String,
        /// File name.
        segment: String,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// The disk budget is used up: shares are refused, candidates and verdicts still taken.
    #[error(
        "share journal: disk budget of {budget_bytes} bytes is used up: raise journal.disk_budget_bytes, or let the ledger catch up"
    )]
    Budget {
        /// The configured budget.
        budget_bytes: u64,
    },
    /// Retention has dropped what a reader asks for.
    #[error(
        "share journal {place}: record {asked} is gone, the oldest kept is {oldest}: restore the database that goes with this journal, or its older segments"
    )]
    NotKept {
        /// Folder of the journal.
        place: String,
        /// What was asked for.
        asked: ShareSeq,
        /// The oldest record there is.
        oldest: ShareSeq,
    },
    /// The journal has failed before.
    #[error("{0}")]
    Failed(String),
}

fn io_sentence(place: &str, what: &str, source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            format!(
                "share journal: disk full at {place} (to {what}): free space there, or lower journal.disk_budget_bytes"
            )
        }
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            format!(
                "share journal: {place} can't be written (to {what}): {source}; make it writable for this user"
            )
        }
        _ => format!(
            "share journal: the disk refused to {what} at {place}: {source}; check the disk, then start again"
        ),
    }
}

impl From<&JournalFault> for JournalError {
    fn from(fault: &JournalFault) -> Self {
        match fault {
            JournalFault::Budget { budget_bytes } => Self::BudgetExhausted { budget_bytes: *budget_bytes },
            other => Self::Failed(other.to_string()),
        }
    }
}
