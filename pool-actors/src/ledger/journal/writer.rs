//! The writer: one per journal, single-threaded, without actors. One append is one frame, one write, one sync.

use std::{io, sync::Arc};

use pool_domain::{ids::ShareSeq, units::TimeMs};

use super::{
    catalogue::{Catalogue, SegmentInfo},
    fault::JournalFault,
    format::{
        ChainHash, FRAME_HEADER, FrameFields, PREDECESSOR_DURABLE, SEGMENT_HEADER, SegmentHeader, seal_frame,
    },
    frame_writer::{Filled, FrameWriter},
    interned::Interner,
    reader::JournalReader,
    recovery::{Active, recover},
    spares::Spares,
};
use crate::{
    ports::disk::{DiskFile, SharedDisk},
    runtime::watch::{Publisher, Watched, watched},
};

/// How the journal keeps its promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Whether every commit is synced to the disk, or left to the operating system.
    pub durability: Durability,
    /// Size of a segment; it is exceeded by part of one commit at most.
    pub segment_bytes: u64,
    /// Most that all segments together may take.
    pub budget_bytes: u64,
}

/// What an acknowledged share survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Power loss.
    Disk,
    /// A crash of the process.
    Os,
}

/// How much of the disk budget is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BudgetLevel {
    /// Below 80%.
    Ample,
    /// 80% or more: an alert is due.
    Low,
    /// No room for another segment: shares are refused, candidates still taken.
    Exhausted,
}

/// What anybody may know of the journal at any time.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct JournalState {
    /// Everything up to this record is durable; 0 before the first.
    pub committed: ShareSeq,
    /// Bytes of all segments.
    pub used_bytes: u64,
    /// Number of segments that hold records.
    pub segments: usize,
    /// How much of the budget that is.
    pub budget: BudgetLevel,
    /// Commits since the start.
    pub commits: u64,
    /// Why nothing more is taken, if so.
    pub failed: Option<String>,
}

/// Which records one wants to append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Shares: refused when the budget is used up.
    Shares,
    /// Candidates, verdicts, epochs: few, and taken beyond the budget.
    Critical,
}

/// What recovery found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovery {
    /// The last durable record; 0 if there is none.
    pub committed: ShareSeq,
    /// The last extranonce epoch written; 0 if none.
    pub epoch: u64,
    /// Bytes of torn remains that were cut off.
    pub truncated_bytes: u64,
}

/// The share journal's one writer.
pub struct Journal {
    disk: SharedDisk,
    options: Options,
    catalogue: Arc<Catalogue>,
    state: Publisher<JournalState>,
    reader_state: Watched<JournalState>,
    spares: Spares,
    next_index: u64,
    file: Option<Box<dyn DiskFile>>,
    /// Index of the segment that is written to, once it has a file.
    index: u64,
    /// End of what was written to it; 0 if not even its header was.
    offset: u64,
    segment_len: u64,
    interner: Interner,
    next_seq: u64,
    last_hash: ChainHash,
    epoch: u64,
    synced: bool,
    commits: u64,
    failed: Option<String>,
    buffer: Vec<u8>,
}

impl Journal {
    /// Opens the journal in a folder, or starts one there; recovers from whatever happened.
    ///
    /// # Errors
    /// When the folder can't be used, or is damaged where no crash can damage it.
    pub fn open(disk: SharedDisk, options: Options) -> Result<(Self, Recovery), JournalFault> {
        let recovered = recover(disk.as_ref(), options.segment_bytes)?;
        let recovery = Recovery {
            committed: ShareSeq(recovered.next_seq - 1),
            epoch: recovered.epoch,
            truncated_bytes: recovered.truncated_bytes,
        };
        let catalogue = Arc::new(Catalogue::new(recovered.segments));
        catalogue.set_spare(recovered.spare.as_ref().map_or(0, |spare| spare.bytes));
        let (state, reader_state) = watched(JournalState {
            committed: recovery.committed,
            used_bytes: catalogue.used_bytes(),
            segments: catalogue.count(),
            budget: BudgetLevel::Ample,
            commits: 0,
            failed: None,
        });
        let (file, offset, interner) = match recovered.active {
            Some(Active { file, offset, interner }) => (Some(file), offset, interner),
            None => (None, 0, Interner::default()),
        };
        let next_index = recovered.spare.as_ref().map_or(recovered.next_index, |spare| spare.index);
        let mut journal = Self {
            spares: Spares::new(disk.clone(), options.segment_bytes, recovered.spare),
            disk,
            options,
            catalogue,
            state,
            reader_state,
            next_index,
            segment_len: 0,
            file,
            index: next_index.saturating_sub(1),
            offset,
            interner,
            next_seq: recovered.next_seq,
            last_hash: recovered.last_hash,
            epoch: recovered.epoch,
            synced: true,
            commits: 0,
            failed: None,
            buffer: Vec::new(),
        };
        if journal.file.is_none() {
            // So that a folder that can't be written, or is full, shows at the start.
            journal.rotate()?;
        }
        journal.publish();
        Ok((journal, recovery))
    }

    /// Makes further segments in a thread of their own.
    ///
    /// # Errors
    /// When there can be no such thread.
    pub fn preallocate_in_background(&mut self) -> io::Result<()> {
        self.spares.use_thread()
    }

    /// Reads what this journal writes.
    #[must_use]
    pub fn reader(&self) -> JournalReader {
        JournalReader::new(self.disk.clone(), Arc::clone(&self.catalogue), self.reader_state.clone())
    }

    /// Follows the journal's state.
    #[must_use]
    pub fn state(&self) -> Watched<JournalState> {
        self.reader_state.clone()
    }

    /// Whether shares are refused just now, for want of budget.
    #[must_use]
    pub fn refuses_shares(&self) -> bool {
        self.segment_is_full() && self.budget_is_exhausted()
    }

    /// Appends the records that `fill` puts into a frame, all or none, and makes them durable. Returns the number of
    /// the last one. With no record put, nothing happens.
    ///
    /// # Errors
    /// After [`JournalFault::Budget`] the journal goes on; after any other fault it takes nothing more.
    pub fn append(
        &mut self,
        lane: Lane,
        fill: impl FnOnce(&mut FrameWriter<'_>),
    ) -> Result<ShareSeq, JournalFault> {
        if let Some(sentence) = &self.failed {
            return Err(JournalFault::Failed(sentence.clone()));
        }
        if self.segment_is_full() {
            if !self.budget_is_exhausted() {
                self.rotate()?;
            } else if lane == Lane::Shares {
                self.publish();
                return Err(JournalFault::Budget { budget_bytes: self.options.budget_bytes });
            }
        }
        let frame_at = if self.offset == 0 { SEGMENT_HEADER } else { 0 };
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        buffer.resize(frame_at + FRAME_HEADER, 0);
        let mut frame = FrameWriter::new(&mut buffer, &mut self.interner, self.next_seq, self.epoch);
        fill(&mut frame);
        let Filled { count, time_ms, epoch } = frame.filled();
        let written = if count == 0 { Ok(()) } else { self.write(&mut buffer, frame_at, count, time_ms) };
        self.buffer = buffer;
        written?;
        self.epoch = epoch;
        Ok(ShareSeq(self.next_seq - 1))
    }

    /// Writes the next extranonce epoch, durably, and returns it: prefixes of earlier epochs are never handed out again.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn begin_epoch(&mut self, now: TimeMs) -> Result<u64, JournalFault> {
        let epoch = self.epoch + 1;
        self.append(Lane::Critical, |frame| frame.epoch(epoch, now))?;
        Ok(epoch)
    }

    fn write(
        &mut self,
        buffer: &mut [u8],
        frame_at: usize,
        count: u32,
        time_ms: u64,
    ) -> Result<(), JournalFault> {
        let flags = if self.synced { PREDECESSOR_DURABLE } else { 0 };
        let fields =
            FrameFields { flags, count, first_seq: self.next_seq, time_ms, prev_hash: self.last_hash };
        let hash = seal_frame(buffer, frame_at, &fields);
        if frame_at > 0 {
            let header = SegmentHeader {
                index: self.index,
                first_seq: self.next_seq,
                created_ms: time_ms,
                epoch: self.epoch,
                prev_hash: self.last_hash,
            };
            buffer[..SEGMENT_HEADER].copy_from_slice(&header.encode());
        }
        let Some(file) = self.file.as_mut() else {
            return Err(JournalFault::Failed("share journal: no segment is open".to_owned()));
        };
        self.synced = false;
        let written = file.write_at(self.offset, buffer).map_err(|error| ("write", error));
        let written = written.and_then(|()| match self.options.durability {
            Durability::Disk => file.sync().map_err(|error| ("sync", error)),
            Durability::Os => Ok(()),
        });
        written.map_err(|(what, error)| self.fail(what, error))?;
        self.synced = self.options.durability == Durability::Disk;
        if frame_at > 0 {
            let bytes = self.segment_len;
            self.catalogue.push(SegmentInfo {
                index: self.index,
                first_seq: self.next_seq,
                created_ms: time_ms,
                bytes,
            });
            self.catalogue.set_spare(0);
        }
        self.offset += buffer.len() as u64;
        self.catalogue.grown(self.offset);
        self.next_seq += u64::from(count);
        self.last_hash = hash;
        self.commits += 1;
        self.order_spare();
        self.publish();
        Ok(())
    }

    fn segment_is_full(&self) -> bool {
        self.offset >= self.options.segment_bytes
    }

    fn budget_is_exhausted(&self) -> bool {
        let more = if self.spares.provided() { 0 } else { self.options.segment_bytes };
        self.catalogue.used_bytes() + more > self.options.budget_bytes
    }

    fn order_spare(&mut self) {
        let half_full = self.offset >= self.options.segment_bytes / 2;
        if half_full && !self.spares.provided() && !self.budget_is_exhausted() {
            self.spares.order(self.next_index);
            if self.spares.provided() {
                self.catalogue.set_spare(self.options.segment_bytes);
            }
        }
    }

    /// Goes on in a new segment. Its header is written with its first frame.
    fn rotate(&mut self) -> Result<(), JournalFault> {
        if !self.synced
            && let Some(file) = self.file.as_mut()
        {
            // The first frame of a segment says that all before it was durable.
            if let Err(error) = file.sync() {
                return Err(self.fail("sync", error));
            }
            self.synced = true;
        }
        let spare = self.spares.take(self.next_index).map_err(|error| self.fail("make a segment", error))?;
        self.catalogue.set_spare(spare.bytes);
        self.index = spare.index;
        self.segment_len = spare.bytes;
        self.file = Some(spare.file);
        self.next_index = self.index + 1;
        self.offset = 0;
        self.interner.clear();
        Ok(())
    }

    fn fail(&mut self, what: &'static str, source: io::Error) -> JournalFault {
        let fault = JournalFault::Io { place: self.disk.place(), what, source };
        self.failed = Some(fault.to_string());
        self.publish();
        fault
    }

    fn publish(&self) {
        let used_bytes = self.catalogue.used_bytes();
        let budget = if self.refuses_shares() {
            BudgetLevel::Exhausted
        } else if u128::from(used_bytes) * 5 >= u128::from(self.options.budget_bytes) * 4 {
            BudgetLevel::Low
        } else {
            BudgetLevel::Ample
        };
        self.state.set(JournalState {
            committed: ShareSeq(self.next_seq - 1),
            used_bytes,
            segments: self.catalogue.count(),
            budget,
            commits: self.commits,
            failed: self.failed.clone(),
        });
    }
}
