//! The share journal as the ledger's feed.

use pool_domain::ids::ShareSeq;

use super::{
    feed::{FeedBatch, FeedError, FoundBlock, LedgerFeed, LedgerRecord, RecordKind},
    journal::{Cursor, Entry, JournalFault, JournalReader},
};
use crate::{messages::journal::CandidateRecord, ports::node::SubmitVerdict};

/// Reads on where it stopped; asked for another place, it opens the journal there.
pub struct JournalFeed {
    reader: JournalReader,
    cursor: Option<Cursor>,
}

impl JournalFeed {
    /// A feed from this journal.
    #[must_use]
    pub const fn new(reader: JournalReader) -> Self {
        Self { reader, cursor: None }
    }
}

fn fault(error: &JournalFault) -> FeedError {
    FeedError(error.to_string())
}

impl LedgerFeed for JournalFeed {
    fn read(&mut self, after: ShareSeq, records_max: usize) -> Result<FeedBatch, FeedError> {
        let committed = self.reader.committed();
        if committed < after {
            return Err(FeedError(format!(
                "the journal ends at {committed} where the database has taken in {after}: journal and database do not belong together; restore both from the same backup"
            )));
        }
        let mut cursor = match self.cursor.take() {
            Some(cursor) if cursor.position() == after => cursor,
            _ => self.reader.cursor_after(after).map_err(|error| fault(&error))?,
        };
        let mut batch = FeedBatch { records: Vec::with_capacity(records_max), through: after };
        // A cursor that failed is not kept: the next call opens another.
        cursor
            .read(records_max as u64, |seq, entry| {
                if let Some(what) = kind_of(entry) {
                    batch.records.push(LedgerRecord { seq, what });
                }
            })
            .map_err(|error| fault(&error))?;
        batch.through = cursor.position();
        self.cursor = Some(cursor);
        Ok(batch)
    }

    fn oldest(&mut self) -> Result<ShareSeq, FeedError> {
        Ok(ShareSeq(self.reader.oldest().0.saturating_sub(1)))
    }
}

fn kind_of(entry: Entry) -> Option<RecordKind> {
    Some(match entry {
        Entry::Share(share) => RecordKind::Share {
            worker: share.worker,
            algorithm: share.algorithm,
            work: share.work,
            at: share.received_at,
            candidate: share.candidate.map(|id| id.0),
        },
        Entry::Candidate(record) => RecordKind::Candidate(Box::new(found(*record))),
        Entry::Verdict { hash, verdict, at, .. } => RecordKind::Verdict {
            hash,
            at,
            refusal: match verdict {
                SubmitVerdict::Accepted => None,
                SubmitVerdict::Rejected(words) => Some(words),
            },
        },
        Entry::Epoch(_) => RecordKind::Epoch,
    })
}

fn found(record: CandidateRecord) -> FoundBlock {
    FoundBlock {
        candidate: record.id.0,
        hash: record.block.hash,
        algorithm: record.algorithm,
        network_work: record.network_work,
        height: record.height,
        parents: record.parents,
        finder: record.finder,
        at: record.found_at,
    }
}
