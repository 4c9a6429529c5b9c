//! What the last life of the process left undone: blocks that are in the journal without a node's verdict.

use std::collections::BTreeMap;

use pool_domain::{ids::ShareSeq, maturity::BlockStatus};

use crate::{
    error::{Code, Failure},
    ledger::journal::{Entry, JournalReader, Record, entry_of},
    messages::block::ResumeBlock,
    ports::store::{BlockRow, LedgerState},
    runtime::critical::CriticalOutbox,
};

/// Records read at a time.
const BATCH: u64 = 10_000;

/// Hands every candidate without a verdict back to the BlockSubmitter. Only the journal behind the ledger's oldest open
/// candidate is read: all before it has its verdict.
pub(super) async fn resume_blocks(
    state: &LedgerState,
    reader: &JournalReader,
    submitter: &CriticalOutbox<ResumeBlock>,
) -> Result<(), Failure> {
    let no_verdict =
        |row: &&BlockRow| matches!(row.life.stage(), BlockStatus::Candidate | BlockStatus::Submitted);
    let oldest = state
        .open_blocks
        .iter()
        .filter(no_verdict)
        .map(|row| ShareSeq(row.candidate_seq.0.saturating_sub(1)))
        .min();
    let from = oldest.map_or(state.position.seq, |oldest| oldest.min(state.position.seq));
    let from = from.max(ShareSeq(reader.oldest().0.saturating_sub(1)));
    let open = unresolved(reader, from).map_err(|fault| {
        Failure::new(Code::JournalUnusable, fault.to_string(), "see pool-actors/docs/journal.md")
    })?;
    for resumed in open {
        tracing::warn!(block = %resumed.0.block.hash, "a block had no verdict when the pool stopped: submitting again");
        if submitter.ask(resumed).await.is_err() {
            return Err(Failure::new(Code::ActorFailed, "the block submitter did not start", "start again"));
        }
    }
    Ok(())
}

fn unresolved(
    reader: &JournalReader,
    from: ShareSeq,
) -> Result<Vec<ResumeBlock>, crate::ledger::journal::JournalFault> {
    let mut open = BTreeMap::new();
    let mut cursor = reader.cursor_after(from)?;
    while cursor.position() < reader.committed() {
        cursor.read_segment(BATCH, |_, record, names| {
            // Nearly all are shares, of no interest here.
            if matches!(record, Record::Share(_)) {
                return Some(());
            }
            match entry_of(record, names)? {
                Some(Entry::Candidate(record)) => drop(open.insert(record.id, ResumeBlock(*record))),
                Some(Entry::Verdict { id, .. }) => drop(open.remove(&id)),
                Some(Entry::Share(_) | Entry::Epoch(_)) | None => {}
            }
            Some(())
        })?;
    }
    Ok(open.into_values().collect())
}
