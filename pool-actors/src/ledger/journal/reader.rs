//! Reading the journal from a sequence number on: by the ledger while it grows, by audits, by `verify`.

use std::{io, sync::Arc};

use pool_domain::{
    ids::{AlgorithmName, BlockHash, Generation, JobId, Route, ShareSeq, SlotId},
    units::{TimeMs, Work},
};

use super::{
    catalogue::{Catalogue, SegmentInfo, file_name},
    fault::JournalFault,
    format::{ChainHash, FRAME_HEADER, NoFrame, Payload, SEGMENT_HEADER, SegmentHeader, check_frame},
    interned::Names,
    record::{CandidateFields, Record, ShareFields, take_record},
    recovery::{Looked, look},
    writer::{BudgetLevel, JournalState},
};
use crate::{
    messages::{
        journal::{CandidateId, CandidateRecord},
        share::WorkerIdentity,
    },
    ports::{
        disk::{DiskFile, SharedDisk},
        node::{AssembledBlock, SubmitVerdict},
    },
    runtime::watch::{Watched, watched},
};

/// Bytes read at a time; frames are longer only under heavy load, or with a large block in them.
const CHUNK: usize = 256 << 10;

/// A record as the ledger takes it, names in place of numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// An accepted share.
    Share(ShareEntry),
    /// A block candidate.
    Candidate(Box<CandidateRecord>),
    /// A node's definite verdict.
    Verdict {
        /// The candidate.
        id: CandidateId,
        /// The block.
        hash: BlockHash,
        /// The verdict.
        verdict: SubmitVerdict,
        /// When.
        at: TimeMs,
    },
    /// Extranonce prefixes are handed out from this epoch on.
    Epoch(u64),
}

/// An accepted share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareEntry {
    /// When it was received.
    pub received_at: TimeMs,
    /// Who is paid.
    pub worker: Arc<WorkerIdentity>,
    /// Work credited.
    pub work: Work,
    /// Proof-of-work function.
    pub algorithm: AlgorithmName,
    /// Slot and generation that validated it.
    pub route: Route,
    /// Its job.
    pub job: JobId,
    /// Eight bytes of its hash.
    pub hash_tag: u64,
    /// Candidate that it became.
    pub candidate: Option<CandidateId>,
}

/// What a full check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Verified {
    /// Records read.
    pub records: u64,
    /// Shares among them.
    pub shares: u64,
    /// Sum of their work.
    pub work: Work,
    /// First record kept.
    pub first: ShareSeq,
    /// Last record.
    pub last: ShareSeq,
}

/// Gives out cursors; cheap to clone, usable from any thread.
#[derive(Clone)]
pub struct JournalReader {
    disk: SharedDisk,
    catalogue: Arc<Catalogue>,
    state: Watched<JournalState>,
    /// What was there when the journal was opened ends here; all after it was written, and hashed, by this process.
    found: ShareSeq,
}

impl JournalReader {
    pub(super) fn new(disk: SharedDisk, catalogue: Arc<Catalogue>, state: Watched<JournalState>) -> Self {
        let found = state.load().committed;
        Self { disk, catalogue, state, found }
    }

    /// Reads a journal as it is now, without its lock and without changing anything: beside a pool that writes to it, or
    /// without one.
    ///
    /// # Errors
    /// When the folder can't be read, or is damaged where no crash can damage it.
    pub fn read_only(disk: SharedDisk) -> Result<Self, JournalFault> {
        let Looked { segments, committed, .. } = look(disk.as_ref())?;
        let catalogue = Arc::new(Catalogue::new(segments));
        let state = JournalState {
            committed: ShareSeq(committed),
            used_bytes: catalogue.used_bytes(),
            segments: catalogue.count(),
            budget: BudgetLevel::Ample,
            commits: 0,
            failed: None,
        };
        let (_, state) = watched(state);
        Ok(Self::new(disk, catalogue, state))
    }

    /// The last durable record; 0 before the first.
    #[must_use]
    pub fn committed(&self) -> ShareSeq {
        self.state.load().committed
    }

    /// Follows the journal's state, to be woken when there is more to read.
    #[must_use]
    pub fn state(&self) -> Watched<JournalState> {
        self.state.clone()
    }

    /// The oldest record kept; 1 in a journal that has lost none to retention.
    #[must_use]
    pub fn oldest(&self) -> ShareSeq {
        ShareSeq(self.catalogue.oldest().map_or(1, |segment| segment.first_seq))
    }

    /// A cursor that reads on after `consumed` (0: from the start).
    ///
    /// # Errors
    /// [`JournalFault::NotKept`] when retention has dropped the next record.
    pub fn cursor_after(&self, consumed: ShareSeq) -> Result<Cursor, JournalFault> {
        self.cursor(consumed, u64::MAX)
    }

    /// As [`Self::cursor_after`], for whoever follows the journal as it grows: checksums and numbers are checked, but the
    /// chain of hashes only as far as the journal was found at start. What was written since, this process has hashed
    /// itself a moment ago; that again costs a tenth of what following costs.
    ///
    /// # Errors
    /// As [`Self::cursor_after`].
    pub fn follower_after(&self, consumed: ShareSeq) -> Result<Cursor, JournalFault> {
        self.cursor(consumed, self.found.0)
    }

    fn cursor(&self, consumed: ShareSeq, chained_through: u64) -> Result<Cursor, JournalFault> {
        let oldest = self.oldest();
        let asked = ShareSeq(consumed.0 + 1);
        if asked < oldest {
            return Err(JournalFault::NotKept { place: self.disk.place(), asked, oldest });
        }
        Ok(Cursor {
            reader: self.clone(),
            wanted: asked.0,
            chained_through,
            segment: None,
            buffer: Vec::new(),
        })
    }

    /// Reads everything and checks every checksum, every link of the chain, every number.
    ///
    /// # Errors
    /// The first damage.
    pub fn verify(&self) -> Result<Verified, JournalFault> {
        let first = self.oldest();
        let mut cursor = self.cursor_after(ShareSeq(first.0 - 1))?;
        let mut verified = Verified { first, ..Verified::default() };
        loop {
            let read = cursor.read(100_000, |_, entry| {
                if let Entry::Share(share) = entry {
                    verified.shares += 1;
                    verified.work = verified.work.saturating_add(share.work);
                }
            })?;
            if read == 0 {
                verified.last = cursor.position();
                verified.records = verified.last.0 + 1 - first.0;
                return Ok(verified);
            }
        }
    }

    /// Removes whole segments whose records are all consumed and older than `older_than`. Returns how many.
    ///
    /// # Errors
    /// When the disk refuses to remove one.
    pub fn retain(&self, consumed: ShareSeq, older_than: TimeMs) -> Result<usize, JournalFault> {
        self.catalogue.retain(self.disk.as_ref(), consumed, |ended_at, _| ended_at < older_than)
    }

    /// Removes whole segments whose records are all consumed, oldest first, until at most `bytes_max` are in use: what is
    /// kept for audits must not cost new shares their place. Returns how many.
    ///
    /// # Errors
    /// When the disk refuses to remove one.
    pub fn make_room(&self, consumed: ShareSeq, bytes_max: u64) -> Result<usize, JournalFault> {
        self.catalogue.retain(self.disk.as_ref(), consumed, |_, used_bytes| used_bytes > bytes_max)
    }
}

/// A place in the journal.
pub struct Cursor {
    reader: JournalReader,
    /// The next record to hand out.
    wanted: u64,
    /// Frames that begin behind this record are not hashed.
    chained_through: u64,
    segment: Option<OpenSegment>,
    buffer: Vec<u8>,
}

/// What reading on finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SegmentTurn {
    /// A segment is open, with more to read or its end not known yet.
    Open,
    /// The open one has no more records: another follows.
    Ended,
}

struct OpenSegment {
    info: SegmentInfo,
    file: Box<dyn DiskFile>,
    /// Where the next frame begins.
    offset: u64,
    /// What `buffer` holds: bytes of the file from here on.
    buffered_at: u64,
    next_seq: u64,
    /// `None` behind frames that were not hashed.
    last_hash: Option<ChainHash>,
    names: Names,
}

impl Cursor {
    /// The last record handed out or passed over; what to store, and to ask [`JournalReader::cursor_after`] for.
    #[must_use]
    pub fn position(&self) -> ShareSeq {
        ShareSeq(self.wanted - 1)
    }

    /// Hands durable records to `visit`, in order, until at least `records_min` were read or there are no more; it
    /// stops between commits only. Returns how many numbers it went forward (definitions of names take numbers too, but
    /// are not handed out); 0 means that there is nothing more for now.
    ///
    /// # Errors
    /// Damage, or a disk that can't be read. The cursor must not be used after that.
    pub fn read(
        &mut self,
        records_min: u64,
        mut visit: impl FnMut(ShareSeq, Entry),
    ) -> Result<u64, JournalFault> {
        let mut named = |seq, record: &Record<'_>, names: &Names| {
            if let Some(entry) = entry_of(record, names)? {
                visit(seq, entry);
            }
            Some(())
        };
        let committed = self.reader.committed().0;
        let start = self.wanted;
        while self.wanted <= committed && self.wanted - start < records_min {
            self.open_segment(true)?;
            self.one_frame(&mut named)?;
        }
        Ok(self.wanted - start)
    }

    /// As [`Self::read`], but hands out records as they are written, with the names that they refer to by number, and
    /// stops at the end of a segment, too. `visit` returns `None` for a record that it can't make sense of.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_segment(
        &mut self,
        records_min: u64,
        mut visit: impl FnMut(ShareSeq, &Record<'_>, &Names) -> Option<()>,
    ) -> Result<u64, JournalFault> {
        let committed = self.reader.committed().0;
        let start = self.wanted;
        while self.wanted <= committed && self.wanted - start < records_min {
            // The names must stay those of the records that were handed out.
            if self.open_segment(self.wanted == start)? == SegmentTurn::Ended {
                break;
            }
            self.one_frame(&mut visit)?;
        }
        Ok(self.wanted - start)
    }

    /// The segment that records were last handed out of, and the names that it has given numbers to so far.
    #[must_use]
    pub fn names(&self) -> Option<(u64, &Names)> {
        self.segment.as_ref().map(|open| (open.info.index, &open.names))
    }

    fn io(&self, source: io::Error) -> JournalFault {
        JournalFault::Io { place: self.reader.disk.place(), what: "read a segment", source }
    }

    fn damaged(&self, segment: u64, offset: u64, what: &'static str) -> JournalFault {
        JournalFault::Damaged { place: self.reader.disk.place(), segment: file_name(segment), offset, what }
    }

    /// Makes sure that a segment is open whose next frame is to be read, unless that means to leave one and `may_leave`
    /// is false.
    fn open_segment(&mut self, may_leave: bool) -> Result<SegmentTurn, JournalFault> {
        let (info, expected) = match &self.segment {
            None => (self.reader.catalogue.holding(self.wanted), None),
            Some(open) => match self.reader.catalogue.after(open.info.index) {
                Some(next) if next.first_seq == open.next_seq => {
                    if !may_leave {
                        return Ok(SegmentTurn::Ended);
                    }
                    (Some(next), open.last_hash)
                }
                _ => return Ok(SegmentTurn::Open),
            },
        };
        let Some(info) = info else {
            let oldest = self.reader.oldest();
            return Err(JournalFault::NotKept {
                place: self.reader.disk.place(),
                asked: ShareSeq(self.wanted),
                oldest,
            });
        };
        let file = self.reader.disk.open(&file_name(info.index)).map_err(|error| self.io(error))?;
        let mut bytes = [0; SEGMENT_HEADER];
        let read = file.read_at(0, &mut bytes).map_err(|error| self.io(error))?;
        let header = SegmentHeader::decode(&bytes[..read])
            .filter(|header| header.index == info.index && header.first_seq == info.first_seq)
            .ok_or_else(|| self.damaged(info.index, 0, "a broken segment header"))?;
        if expected.is_some_and(|hash| hash != header.prev_hash) {
            return Err(self.damaged(info.index, 48, "a segment that does not follow the one before it"));
        }
        self.buffer.clear();
        self.segment = Some(OpenSegment {
            info,
            file,
            offset: SEGMENT_HEADER as u64,
            buffered_at: SEGMENT_HEADER as u64,
            next_seq: header.first_seq,
            last_hash: Some(header.prev_hash),
            names: Names::default(),
        });
        Ok(SegmentTurn::Open)
    }

    fn one_frame(
        &mut self,
        visit: &mut impl FnMut(ShareSeq, &Record<'_>, &Names) -> Option<()>,
    ) -> Result<(), JournalFault> {
        let Some(mut open) = self.segment.take() else { return Ok(()) };
        let mut buffer = std::mem::take(&mut self.buffer);
        let (index, offset) = (open.info.index, open.offset);
        let result = match open.frame(&mut buffer, self.chained_through) {
            Err(error) => Err(self.io(error)),
            Ok(None) => Err(self.damaged(index, offset, "a broken frame among durable ones")),
            Ok(Some((frame, _)))
                if frame.first_seq != open.next_seq
                    || open.last_hash.is_some_and(|hash| hash != frame.prev_hash) =>
            {
                Err(self.damaged(index, offset, "a frame that does not follow the one before it"))
            }
            Ok(Some((frame, hash))) => {
                let records = deliver(&frame, &mut open.names, self.wanted, visit);
                open.offset += frame.frame_len() as u64;
                open.next_seq = frame.next_seq();
                open.last_hash = hash;
                records.ok_or_else(|| self.damaged(index, offset, "an unreadable record"))
            }
        };
        // A cursor placed inside a segment passes over what comes before its place.
        self.wanted = self.wanted.max(open.next_seq);
        self.buffer = buffer;
        self.segment = Some(open);
        result
    }
}

impl OpenSegment {
    /// The frame at `offset`, out of `buffer` or freshly read; `None` if there is no sound one. With its hash, unless it
    /// begins behind `chained_through`.
    fn frame<'b>(
        &mut self,
        buffer: &'b mut Vec<u8>,
        chained_through: u64,
    ) -> io::Result<Option<(Payload<'b>, Option<ChainHash>)>> {
        let mut need = FRAME_HEADER;
        let mut fresh = false;
        let (head, at) = loop {
            let at = usize::try_from(self.offset - self.buffered_at).unwrap_or(usize::MAX);
            match check_frame(buffer.get(at..).unwrap_or_default()) {
                Ok(head) => break (head, at),
                Err(NoFrame::NeedMore(more)) if more > need => need = more,
                // What was buffered may have been read before the frame was written.
                Err(_) if !fresh => {}
                Err(_) => return Ok(None),
            }
            fresh = true;
            buffer.resize(need.max(CHUNK), 0);
            let read = self.file.read_at(self.offset, buffer)?;
            buffer.truncate(read);
            self.buffered_at = self.offset;
        };
        let frame = head.payload(&buffer[at..]);
        let hash = (frame.first_seq <= chained_through).then(|| head.hash(&buffer[at..]));
        Ok(Some((frame, hash)))
    }
}

/// Hands out the records of a frame from number `wanted` on; `None` if one can't be read.
fn deliver(
    frame: &Payload<'_>,
    names: &mut Names,
    wanted: u64,
    visit: &mut impl FnMut(ShareSeq, &Record<'_>, &Names) -> Option<()>,
) -> Option<()> {
    let (mut input, mut clock) = (frame.payload, frame.time_ms);
    for seq in frame.first_seq..frame.next_seq() {
        let record = take_record(&mut input, &mut clock).ok()?;
        names.learn(&record)?;
        if seq >= wanted {
            visit(ShareSeq(seq), &record, names)?;
        }
    }
    input.is_empty().then_some(())
}

/// The record with its names; `Some(None)` for a definition, `None` if it names what was not defined.
pub fn entry_of(record: &Record<'_>, names: &Names) -> Option<Option<Entry>> {
    Some(Some(match record {
        Record::Worker { .. } | Record::Algorithm { .. } => return Some(None),
        Record::Share(fields) => Entry::Share(share_of(fields, names)?),
        Record::Candidate(fields) => Entry::Candidate(Box::new(candidate_of(fields, names)?)),
        Record::Verdict(fields) => Entry::Verdict {
            id: CandidateId(fields.id),
            hash: BlockHash(fields.block_hash),
            verdict: match fields.refusal {
                None => SubmitVerdict::Accepted,
                Some(words) => SubmitVerdict::Rejected(words.to_owned()),
            },
            at: TimeMs(fields.time_ms),
        },
        Record::Epoch(epoch) => Entry::Epoch(*epoch),
    }))
}

fn share_of(fields: &ShareFields, names: &Names) -> Option<ShareEntry> {
    Some(ShareEntry {
        received_at: TimeMs(fields.time_ms),
        worker: Arc::clone(names.workers.get(fields.worker_ix as usize)?),
        work: Work(fields.work),
        algorithm: names.algorithms.get(usize::from(fields.algorithm_ix))?.clone(),
        route: Route { slot: SlotId(fields.slot), generation: Generation(fields.generation) },
        job: JobId(fields.job),
        hash_tag: fields.hash_tag,
        candidate: fields.candidate.map(CandidateId),
    })
}

fn candidate_of(fields: &CandidateFields<'_>, names: &Names) -> Option<CandidateRecord> {
    let parents = fields.parents.chunks_exact(32).map(|bytes| bytes.try_into().map(BlockHash).ok());
    Some(CandidateRecord {
        id: CandidateId(fields.id),
        block: AssembledBlock {
            hash: BlockHash(fields.block_hash),
            endpoint: usize::try_from(fields.endpoint).ok()?,
            payload: fields.payload.to_vec(),
        },
        algorithm: names.algorithms.get(usize::from(fields.algorithm_ix))?.clone(),
        network_work: Work(fields.network_work),
        height: fields.height,
        parents: parents.collect::<Option<_>>()?,
        finder: Arc::clone(names.workers.get(fields.worker_ix as usize)?),
        found_at: TimeMs(fields.time_ms),
    })
}
