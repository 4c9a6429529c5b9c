//! Records: what a frame's payload holds. Every record takes one sequence number, its place in the journal.
//!
//! Workers and algorithms are named once per segment and referred to by index after that, so that a segment can be read
//! by itself and a share takes some 25 bytes. Numbers are varints; times are differences to the time before.

use super::varint::{Short, put, take, take_as, unzigzag, zigzag};

/// One record, borrowed from the payload it was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record<'a> {
    /// An accepted share.
    Share(ShareFields),
    /// From here on in this segment, worker `ix` is this one.
    Worker {
        /// Index, counted from 0 in each segment.
        ix: u32,
        /// Who is paid.
        account: &'a str,
        /// Name of the rig, may be empty.
        worker: &'a str,
    },
    /// From here on in this segment, algorithm `ix` is this one.
    Algorithm {
        /// Index, counted from 0 in each segment.
        ix: u16,
        /// Name of the hash function.
        name: &'a str,
    },
    /// A block candidate, with everything needed to submit it.
    Candidate(CandidateFields<'a>),
    /// A node's definite verdict on a candidate.
    Verdict(VerdictFields<'a>),
    /// Extranonce prefixes are handed out from this epoch on.
    Epoch(u64),
}

/// Fields of an accepted share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShareFields {
    /// When it was received, Unix milliseconds.
    pub time_ms: u64,
    /// Index of its worker.
    pub worker_ix: u32,
    /// Work credited: expected hashes.
    pub work: u128,
    /// Index of its algorithm.
    pub algorithm_ix: u16,
    /// Slot that validated it.
    pub slot: u16,
    /// Generation in that slot.
    pub generation: u32,
    /// Its job.
    pub job: u64,
    /// Eight bytes of its hash.
    pub hash_tag: u64,
    /// Candidate that it became.
    pub candidate: Option<u64>,
}

/// Fields of a block candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CandidateFields<'a> {
    /// Ties it to its share.
    pub id: u64,
    /// When it was found, Unix milliseconds.
    pub time_ms: u64,
    /// Identity of the block, display byte order.
    pub block_hash: [u8; 32],
    /// Index of its algorithm.
    pub algorithm_ix: u16,
    /// Index of the worker that found it.
    pub worker_ix: u32,
    /// Endpoint that issued the template.
    pub endpoint: u64,
    /// Work of the network target.
    pub network_work: u128,
    /// Height or blue score, for display.
    pub height: Option<u64>,
    /// Parents, main parent first, 32 bytes each.
    pub parents: &'a [u8],
    /// Bytes of the submission.
    pub payload: &'a [u8],
}

/// Fields of a node's verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerdictFields<'a> {
    /// The candidate.
    pub id: u64,
    /// When, Unix milliseconds.
    pub time_ms: u64,
    /// The block.
    pub block_hash: [u8; 32],
    /// The node's words if it refused the block; `None` if it took it.
    pub refusal: Option<&'a str>,
}

/// The bytes are no record: damage that the checksum did not show, or a newer version's journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a record can't be read (tag {tag:#04x})")]
pub struct BadRecord {
    /// First byte of the record.
    pub tag: u8,
}

/// The longest share: a tag, a time of 65 bits, the other numbers, and two of eight bytes.
const SHARE_BYTES_MAX: usize = 1 + 10 + 5 + 19 + 3 + 3 + 5 + 10 + 8 + 8;

const SHARE: u8 = 1;
const SHARE_WITH_CANDIDATE: u8 = 2;
const WORKER: u8 = 3;
const ALGORITHM: u8 = 4;
const CANDIDATE: u8 = 5;
const ACCEPTED: u8 = 6;
const REFUSED: u8 = 7;
const EPOCH: u8 = 8;

impl Record<'_> {
    /// Appends the record; `clock` is the time of the record before in the same frame.
    pub fn put(&self, out: &mut Vec<u8>, clock: &mut u64) {
        match self {
            Self::Share(share) => share.put(out, clock),
            Self::Worker { ix, account, worker } => {
                out.push(WORKER);
                put(out, u128::from(*ix));
                put_bytes(out, account.as_bytes());
                put_bytes(out, worker.as_bytes());
            }
            Self::Algorithm { ix, name } => {
                out.push(ALGORITHM);
                put(out, u128::from(*ix));
                put_bytes(out, name.as_bytes());
            }
            Self::Candidate(candidate) => candidate.put(out, clock),
            Self::Verdict(verdict) => {
                out.push(if verdict.refusal.is_some() { REFUSED } else { ACCEPTED });
                out.extend_from_slice(&verdict.id.to_le_bytes());
                put_time(out, clock, verdict.time_ms);
                out.extend_from_slice(&verdict.block_hash);
                if let Some(text) = verdict.refusal {
                    put_bytes(out, text.as_bytes());
                }
            }
            Self::Epoch(epoch) => {
                out.push(EPOCH);
                put(out, u128::from(*epoch));
            }
        }
    }
}

impl ShareFields {
    /// As [`Record::put`], without the detour: this runs a million times a second.
    pub(super) fn put(&self, out: &mut Vec<u8>, clock: &mut u64) {
        let mut record = Short::<SHARE_BYTES_MAX>::new();
        record.push(&[if self.candidate.is_some() { SHARE_WITH_CANDIDATE } else { SHARE }]);
        record.put_wide(zigzag(*clock, self.time_ms));
        *clock = self.time_ms;
        record.put(self.worker_ix.into());
        record.put_wide(self.work);
        record.put(self.algorithm_ix.into());
        record.put(self.slot.into());
        record.put(self.generation.into());
        record.put(self.job);
        record.push(&self.hash_tag.to_le_bytes());
        if let Some(id) = self.candidate {
            record.push(&id.to_le_bytes());
        }
        out.extend_from_slice(record.bytes());
    }

    #[inline]
    fn take(input: &mut &[u8], clock: &mut u64, with_candidate: bool) -> Option<Self> {
        Some(Self {
            time_ms: take_time(input, clock)?,
            worker_ix: take_as(input)?,
            work: take(input)?,
            algorithm_ix: take_as(input)?,
            slot: take_as(input)?,
            generation: take_as(input)?,
            job: take_as(input)?,
            hash_tag: take_u64(input)?,
            candidate: if with_candidate { Some(take_u64(input)?) } else { None },
        })
    }
}

impl<'a> CandidateFields<'a> {
    fn put(&self, out: &mut Vec<u8>, clock: &mut u64) {
        out.push(CANDIDATE);
        out.extend_from_slice(&self.id.to_le_bytes());
        put_time(out, clock, self.time_ms);
        out.extend_from_slice(&self.block_hash);
        put(out, u128::from(self.algorithm_ix));
        put(out, u128::from(self.worker_ix));
        put(out, u128::from(self.endpoint));
        put(out, self.network_work);
        // 0 is "unknown", so heights are moved up by one.
        put(out, self.height.map_or(0, |height| u128::from(height) + 1));
        put_bytes(out, self.parents);
        put_bytes(out, self.payload);
    }

    fn take(input: &mut &'a [u8], clock: &mut u64) -> Option<Self> {
        let fields = Self {
            id: take_u64(input)?,
            time_ms: take_time(input, clock)?,
            block_hash: take_hash(input)?,
            algorithm_ix: take_as(input)?,
            worker_ix: take_as(input)?,
            endpoint: take_as(input)?,
            network_work: take(input)?,
            height: match take(input)? {
                0 => None,
                coded => Some(u64::try_from(coded - 1).ok()?),
            },
            parents: take_bytes(input)?,
            payload: take_bytes(input)?,
        };
        fields.parents.len().is_multiple_of(32).then_some(fields)
    }
}

/// Takes a record off the front of `input`; `clock` as in [`Record::put`].
///
/// # Errors
/// [`BadRecord`], and then the place in `input` means nothing.
#[inline]
pub fn take_record<'a>(input: &mut &'a [u8], clock: &mut u64) -> Result<Record<'a>, BadRecord> {
    let (&tag, rest) = input.split_first().ok_or(BadRecord { tag: 0 })?;
    *input = rest;
    read_body(tag, input, clock).ok_or(BadRecord { tag })
}

#[inline]
fn read_body<'a>(tag: u8, input: &mut &'a [u8], clock: &mut u64) -> Option<Record<'a>> {
    Some(match tag {
        SHARE => Record::Share(ShareFields::take(input, clock, false)?),
        SHARE_WITH_CANDIDATE => Record::Share(ShareFields::take(input, clock, true)?),
        WORKER => {
            Record::Worker { ix: take_as(input)?, account: take_text(input)?, worker: take_text(input)? }
        }
        ALGORITHM => Record::Algorithm { ix: take_as(input)?, name: take_text(input)? },
        CANDIDATE => Record::Candidate(CandidateFields::take(input, clock)?),
        ACCEPTED | REFUSED => Record::Verdict(VerdictFields {
            id: take_u64(input)?,
            time_ms: take_time(input, clock)?,
            block_hash: take_hash(input)?,
            refusal: if tag == REFUSED { Some(take_text(input)?) } else { None },
        }),
        EPOCH => Record::Epoch(take_as(input)?),
        _ => return None,
    })
}

fn put_time(out: &mut Vec<u8>, clock: &mut u64, time_ms: u64) {
    put(out, zigzag(*clock, time_ms));
    *clock = time_ms;
}

fn take_time(input: &mut &[u8], clock: &mut u64) -> Option<u64> {
    *clock = unzigzag(*clock, take(input)?)?;
    Some(*clock)
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u128);
    out.extend_from_slice(bytes);
}

fn take_bytes<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length: usize = take_as(input)?;
    let (bytes, rest) = input.split_at_checked(length)?;
    *input = rest;
    Some(bytes)
}

fn take_text<'a>(input: &mut &'a [u8]) -> Option<&'a str> {
    std::str::from_utf8(take_bytes(input)?).ok()
}

fn take_u64(input: &mut &[u8]) -> Option<u64> {
    let (bytes, rest) = input.split_first_chunk()?;
    *input = rest;
    Some(u64::from_le_bytes(*bytes))
}

fn take_hash(input: &mut &[u8]) -> Option<[u8; 32]> {
    let (bytes, rest) = input.split_first_chunk()?;
    *input = rest;
    Some(*bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shares() -> impl Strategy<Value = ShareFields> {
        (any::<(u64, u32, u128, u16, u16)>(), any::<(u32, u64, u64, Option<u64>)>()).prop_map(
            |((time_ms, worker_ix, work, algorithm_ix, slot), (generation, job, hash_tag, candidate))| {
                ShareFields {
                    time_ms,
                    worker_ix,
                    work,
                    algorithm_ix,
                    slot,
                    generation,
                    job,
                    hash_tag,
                    candidate,
                }
            },
        )
    }

    proptest! {
        #[test]
        fn records_survive(
            shares in prop::collection::vec(shares(), 0..20),
            (account, worker, name) in (".{0,40}", ".{0,40}", ".{0,20}"),
            (id, time_ms, height, epoch) in any::<(u64, u64, Option<u64>, u64)>(),
            (network_work, payload, count) in (any::<u128>(), any::<Vec<u8>>(), 0_usize..4),
        ) {
            let parents = vec![7; 32 * count];
            let mut records: Vec<_> = shares.into_iter().map(Record::Share).collect();
            records.push(Record::Worker { ix: 3, account: &account, worker: &worker });
            records.push(Record::Algorithm { ix: 4, name: &name });
            records.push(Record::Candidate(CandidateFields {
                id, time_ms, block_hash: [9; 32], algorithm_ix: 1, worker_ix: 2, endpoint: 0, network_work, height,
                parents: &parents, payload: &payload,
            }));
            records.push(Record::Verdict(VerdictFields { id, time_ms, block_hash: [1; 32], refusal: Some(&name) }));
            records.push(Record::Verdict(VerdictFields { id, time_ms, block_hash: [1; 32], refusal: None }));
            records.push(Record::Epoch(epoch));
            let mut bytes = Vec::new();
            let mut clock = 1_000;
            records.iter().for_each(|record| record.put(&mut bytes, &mut clock));
            let (mut input, mut clock) = (bytes.as_slice(), 1_000);
            for record in &records {
                prop_assert_eq!(take_record(&mut input, &mut clock), Ok(*record));
            }
            prop_assert!(input.is_empty());
        }

        #[test]
        fn rubbish_is_refused_not_panicked_on(bytes: Vec<u8>, mut clock: u64) {
            let mut input = bytes.as_slice();
            while !input.is_empty() && take_record(&mut input, &mut clock).is_ok() {}
        }
    }

    #[test]
    fn the_longest_share_has_room() {
        let share = ShareFields {
            time_ms: u64::MAX,
            worker_ix: u32::MAX,
            work: u128::MAX,
            algorithm_ix: u16::MAX,
            slot: u16::MAX,
            generation: u32::MAX,
            job: u64::MAX,
            hash_tag: u64::MAX,
            candidate: Some(u64::MAX),
        };
        let mut out = Vec::new();
        share.put(&mut out, &mut 0);
        assert_eq!(out.len(), SHARE_BYTES_MAX);
        assert_eq!(take_record(&mut out.as_slice(), &mut 0), Ok(Record::Share(share)));
    }

    #[test]
    fn a_usual_share_takes_under_32_bytes() {
        let share = ShareFields {
            time_ms: 1_760_000_000_050,
            worker_ix: 12_000,
            work: 1 << 44,
            algorithm_ix: 1,
            slot: 1,
            generation: 3,
            job: 1_000_000,
            hash_tag: u64::MAX,
            candidate: None,
        };
        let mut out = Vec::new();
        share.put(&mut out, &mut 1_760_000_000_000);
        assert!(out.len() < 32, "{} bytes", out.len());
    }
}
