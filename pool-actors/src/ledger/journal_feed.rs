//! The share journal as the ledger's feed.

use pool_domain::{
    ids::ShareSeq,
    units::{TimeMs, Work},
};

use super::{
    feed::{FeedBatch, FeedError, FeedNames, FoundBlock, LedgerFeed, LedgerRecord, RecordKind, ShareLine},
    journal::{Cursor, Entry, JournalFault, JournalReader, Names, Record, entry_of},
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
    fn read(&mut self, after: ShareSeq, records_max: usize, batch: &mut FeedBatch) -> Result<(), FeedError> {
        let committed = self.reader.committed();
        if committed < after {
            return Err(FeedError(format!(
                "the journal ends at {committed} where the database has taken in {after}: journal and database do not belong together; restore both from the same backup"
            )));
        }
        batch.clear();
        let mut cursor = match self.cursor.take() {
            Some(cursor) if cursor.position() == after => cursor,
            _ => self.reader.follower_after(after).map_err(|error| fault(&error))?,
        };
        // A cursor that failed is not kept: the next call opens another.
        cursor
            .read_segment(records_max as u64, |seq, record, names| take(batch, seq, record, names))
            .map_err(|error| fault(&error))?;
        if let Some((segment, names)) = cursor.names() {
            learn(&mut batch.names, segment + 1, names);
        }
        batch.through = cursor.position();
        self.cursor = Some(cursor);
        Ok(())
    }

    fn newest(&mut self) -> Result<ShareSeq, FeedError> {
        Ok(self.reader.committed())
    }

    fn oldest(&mut self) -> Result<ShareSeq, FeedError> {
        Ok(ShareSeq(self.reader.oldest().0.saturating_sub(1)))
    }
}

/// Names are numbered anew in each segment, and only added to within one.
fn learn(known: &mut FeedNames, numbering: u64, names: &Names) {
    if known.numbering != numbering {
        *known = FeedNames { numbering, ..FeedNames::default() };
    }
    known.workers.extend_from_slice(&names.workers[known.workers.len()..]);
    known.algorithms.extend_from_slice(&names.algorithms[known.algorithms.len()..]);
}

/// Takes a record in; `None` if it names what was not defined.
#[inline]
fn take(batch: &mut FeedBatch, seq: ShareSeq, record: &Record<'_>, names: &Names) -> Option<()> {
    if let Record::Share(fields) = record {
        if fields.worker_ix as usize >= names.workers.len()
            || usize::from(fields.algorithm_ix) >= names.algorithms.len()
        {
            return None;
        }
        let share = ShareLine {
            seq,
            work: Work(fields.work),
            at: TimeMs(fields.time_ms),
            worker: fields.worker_ix,
            algorithm: fields.algorithm_ix,
        };
        match fields.candidate {
            None => batch.shares.push(share),
            Some(candidate) => {
                batch.others.push(LedgerRecord { seq, what: RecordKind::Winning { share, candidate } });
            }
        }
        return Some(());
    }
    let what = match entry_of(record, names)? {
        Some(Entry::Candidate(record)) => RecordKind::Candidate(Box::new(found(*record))),
        Some(Entry::Verdict { hash, verdict, at, .. }) => RecordKind::Verdict {
            hash,
            at,
            refusal: match verdict {
                SubmitVerdict::Accepted => None,
                SubmitVerdict::Rejected(words) => Some(words),
            },
        },
        Some(Entry::Epoch(_)) => RecordKind::Epoch,
        Some(Entry::Share(_)) | None => return Some(()),
    };
    batch.others.push(LedgerRecord { seq, what });
    Some(())
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
