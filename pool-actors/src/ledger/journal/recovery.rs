//! Finding the end of what is durable, after whatever happened.
//!
//! The newest segment is read whole. Behind its last sound frame there may be the torn remains of one commit (of
//! several, if syncs were left out and the power failed): they are cut off. Anything else that is wrong is damage, and
//! an error: acknowledged shares are never cut away silently. Older segments are checked by their headers now and byte
//! by byte when they are read.

use std::{collections::VecDeque, io};

use super::{
    catalogue::{SegmentInfo, file_name, index_of},
    fault::JournalFault,
    format::{ChainHash, NoFrame, SEGMENT_HEADER, SegmentHeader, parse_frame, proof_of_damage},
    interned::{Interner, Names},
    record::{Record, take_record},
};
use crate::ports::disk::{Disk, DiskFile};

/// Where the journal goes on.
pub(super) struct Recovered {
    pub(super) segments: VecDeque<SegmentInfo>,
    pub(super) active: Option<Active>,
    pub(super) spare: Option<Spare>,
    pub(super) next_index: u64,
    pub(super) next_seq: u64,
    pub(super) last_hash: ChainHash,
    pub(super) epoch: u64,
    pub(super) truncated_bytes: u64,
}

/// The segment that is being written.
pub(super) struct Active {
    pub(super) file: Box<dyn DiskFile>,
    pub(super) offset: u64,
    pub(super) interner: Interner,
}

/// A segment made in advance: zeros.
pub(super) struct Spare {
    pub(super) index: u64,
    pub(super) file: Box<dyn DiskFile>,
    pub(super) bytes: u64,
}

struct Found {
    index: u64,
    len: u64,
    file: Box<dyn DiskFile>,
    header: Option<SegmentHeader>,
}

struct Recovery<'d> {
    disk: &'d dyn Disk,
    segment_bytes: u64,
    /// Nothing is cut off, cleared or synced: a pool may be writing.
    read_only: bool,
}

/// Reads the folder and cuts off a torn tail.
pub(super) fn recover(disk: &dyn Disk, segment_bytes: u64) -> Result<Recovered, JournalFault> {
    Recovery { disk, segment_bytes, read_only: false }.run()
}

/// What can be read of a journal that somebody else may be writing.
pub(super) struct Looked {
    pub(super) segments: VecDeque<SegmentInfo>,
    /// The last record.
    pub(super) committed: u64,
    /// Where the newest segment's last sound frame ends.
    pub(super) newest_end: u64,
}

/// Finds what can be read, beside a pool that may be writing: whatever follows the last sound frame may be a commit under
/// way, and is left alone.
pub(super) fn look(disk: &dyn Disk) -> Result<Looked, JournalFault> {
    let looked = Recovery { disk, segment_bytes: 0, read_only: true }.run()?;
    let newest_end = looked.active.as_ref().map_or(0, |active| active.offset);
    Ok(Looked { segments: looked.segments, committed: looked.next_seq - 1, newest_end })
}

impl Recovery<'_> {
    fn io(&self, what: &'static str) -> impl FnOnce(io::Error) -> JournalFault {
        let place = self.disk.place();
        move |source| JournalFault::Io { place, what, source }
    }

    fn damaged(&self, index: u64, offset: u64, what: &'static str) -> JournalFault {
        JournalFault::Damaged { place: self.disk.place(), segment: file_name(index), offset, what }
    }

    fn run(&self) -> Result<Recovered, JournalFault> {
        let mut found = self.find()?;
        let written = found.iter().take_while(|segment| segment.header.is_some()).count();
        let unwritten = found.split_off(written);
        if let Some(later) = unwritten.iter().find(|segment| segment.header.is_some()) {
            return Err(self.damaged(later.index - 1, 0, "a broken segment header"));
        }
        let mut recovered = self.newest(found)?;
        if self.read_only {
            return Ok(recovered);
        }
        self.unwritten(unwritten, &mut recovered)?;
        Ok(recovered)
    }

    /// All segment files in order, with the headers that can be read.
    fn find(&self) -> Result<Vec<Found>, JournalFault> {
        let names = self.disk.list().map_err(self.io("list the folder"))?;
        let mut indexes: Vec<_> = names.iter().filter_map(|entry| index_of(&entry.name)).collect();
        indexes.sort_unstable();
        if let Some(gap) = indexes.windows(2).find(|pair| pair[1] != pair[0] + 1) {
            return Err(self.damaged(gap[0] + 1, 0, "the file is missing"));
        }
        let mut found: Vec<Found> = Vec::with_capacity(indexes.len());
        for index in indexes {
            let file = self.disk.open(&file_name(index)).map_err(self.io("open a segment"))?;
            let len = file.len().map_err(self.io("measure a segment"))?;
            let mut bytes = [0; SEGMENT_HEADER];
            let read = file.read_at(0, &mut bytes).map_err(self.io("read a segment"))?;
            let header = SegmentHeader::decode(&bytes[..read]).filter(|header| header.index == index);
            if let (Some(header), Some(before)) = (header, found.last().and_then(|before| before.header))
                && header.first_seq <= before.first_seq
            {
                return Err(self.damaged(index, 24, "sequence numbers go backwards"));
            }
            found.push(Found { index, len, file, header });
        }
        Ok(found)
    }

    fn newest(&self, mut written: Vec<Found>) -> Result<Recovered, JournalFault> {
        let mut recovered = Recovered {
            segments: VecDeque::new(),
            active: None,
            spare: None,
            next_index: 0,
            next_seq: 1,
            last_hash: [0; 32],
            epoch: 0,
            truncated_bytes: 0,
        };
        let Some(mut newest) = written.pop() else { return Ok(recovered) };
        let Some(header) = newest.header else { return Ok(recovered) };
        let info = |segment: &Found| {
            segment.header.map(|header| SegmentInfo {
                index: segment.index,
                first_seq: header.first_seq,
                created_ms: header.created_ms,
                bytes: segment.len,
            })
        };
        recovered.segments = written.iter().chain([&newest]).filter_map(info).collect();
        recovered.next_index = newest.index + 1;
        recovered.next_seq = header.first_seq;
        recovered.last_hash = header.prev_hash;
        recovered.epoch = header.epoch;
        let bytes = self.read_whole(&newest)?;
        let (names, end) = self.walk(&newest, &bytes, &mut recovered)?;
        if self.read_only {
            let interner = names.into_interner();
            recovered.active = Some(Active { file: newest.file, offset: end as u64, interner });
            return Ok(recovered);
        }
        recovered.truncated_bytes = self.torn(newest.index, end, &bytes[end..], recovered.next_seq)?;
        if recovered.truncated_bytes > 0 {
            let len = newest.len.max(self.segment_bytes);
            newest.file.reset(end as u64, len).map_err(self.io("cut off a torn tail"))?;
        }
        // What the process before wrote may not have been synced.
        newest.file.sync().map_err(self.io("sync a segment"))?;
        recovered.active =
            Some(Active { file: newest.file, offset: end as u64, interner: names.into_interner() });
        Ok(recovered)
    }

    /// Follows the frames to the last sound one; returns where it ends.
    fn walk(
        &self,
        segment: &Found,
        bytes: &[u8],
        recovered: &mut Recovered,
    ) -> Result<(Names, usize), JournalFault> {
        let mut names = Names::default();
        let mut at = SEGMENT_HEADER.min(bytes.len());
        loop {
            let frame = match parse_frame(&bytes[at..]) {
                Ok(frame) => frame,
                Err(NoFrame::End | NoFrame::NeedMore(_) | NoFrame::Bad) => return Ok((names, at)),
            };
            let damaged = |what| self.damaged(segment.index, at as u64, what);
            if frame.first_seq != recovered.next_seq || frame.prev_hash != recovered.last_hash {
                return Err(damaged("a frame does not follow the one before it"));
            }
            let (mut input, mut clock) = (frame.payload, frame.time_ms);
            for _ in 0..frame.count {
                let record =
                    take_record(&mut input, &mut clock).map_err(|_| damaged("an unreadable record"))?;
                names.learn(&record).ok_or_else(|| damaged("a wrong definition"))?;
                if let Record::Epoch(epoch) = record {
                    recovered.epoch = epoch;
                }
            }
            recovered.next_seq = frame.next_seq();
            recovered.last_hash = frame.hash;
            at += frame.len();
        }
    }

    /// How many bytes of torn remains there are in `tail`; an error if they are no such thing.
    fn torn(&self, index: u64, at: usize, tail: &[u8], expected_seq: u64) -> Result<u64, JournalFault> {
        let Some(last) = tail.iter().rposition(|byte| *byte != 0) else { return Ok(0) };
        match proof_of_damage(tail, expected_seq) {
            Some(_) => Err(self.damaged(index, at as u64, "a broken frame in front of sound ones")),
            None => Ok(last as u64 + 1),
        }
    }

    /// Segments whose header was never written, or torn: the first becomes the spare, others go.
    fn unwritten(&self, unwritten: Vec<Found>, recovered: &mut Recovered) -> Result<(), JournalFault> {
        for mut segment in unwritten {
            if recovered.segments.is_empty() && segment.index > 0 {
                // There were older ones, so this one held what followed them.
                return Err(self.damaged(segment.index, 0, "a broken segment header"));
            }
            let bytes = self.read_whole(&segment)?;
            let torn = self.torn(segment.index, 0, &bytes, recovered.next_seq)?;
            recovered.truncated_bytes += torn;
            if recovered.spare.is_some() {
                self.disk.remove(&file_name(segment.index)).map_err(self.io("remove a needless segment"))?;
                continue;
            }
            if torn > 0 || segment.len < self.segment_bytes {
                segment.file.reset(0, self.segment_bytes).map_err(self.io("clear a torn segment"))?;
                segment.len = self.segment_bytes;
            }
            recovered.next_index = segment.index + 1;
            recovered.spare = Some(Spare { index: segment.index, file: segment.file, bytes: segment.len });
        }
        Ok(())
    }

    fn read_whole(&self, segment: &Found) -> Result<Vec<u8>, JournalFault> {
        let length = usize::try_from(segment.len)
            .map_err(|error| self.io("read a segment")(io::Error::other(error)))?;
        let mut bytes = vec![0; length];
        let read = segment.file.read_at(0, &mut bytes).map_err(self.io("read a segment"))?;
        bytes.truncate(read);
        Ok(bytes)
    }
}
