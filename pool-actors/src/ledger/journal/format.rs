//! Bytes of a segment: a header, then frames, then zeros. Pure.
//!
//! ```text
//! segment header, 128 bytes, numbers little-endian
//!   0 magic "DAGPJRNL"   8 version u16   10 zero   16 index u64   24 first_seq u64
//!  32 created_ms u64    40 epoch u64     48 prev_hash [32]        80 zero   124 crc32c of bytes 0..124
//! frame, 68 bytes and its payload
//!   0 magic "DPfr"       4 version u8     5 flags u8   6 zero     8 payload_len u32   12 count u32
//!  16 first_seq u64     24 time_ms u64   32 prev_hash [32]       64 crc32c of bytes 0..64 and the payload
//! ```
//!
//! `prev_hash` is the BLAKE3 hash of the frame before (its first 64 bytes and its payload), 32 zero bytes for the first
//! frame of all: a frame can't be changed, left out or moved without breaking the chain at the next one.
//!
//! A group of records is one frame, one write and one sync. So a crash can spoil the last frame only, unless syncs
//! were left out ([`PREDECESSOR_DURABLE`] tells).

use memchr::memmem;

/// Bytes before the first frame.
pub const SEGMENT_HEADER: usize = 128;
/// Bytes of a frame before its payload.
pub const FRAME_HEADER: usize = 68;
/// Longest payload.
pub const PAYLOAD_MAX: usize = 64 << 20;
/// Flag: when this frame was written, all before it was durable. A spoiled frame in front of such a frame is damage,
/// not the tail of a crash.
pub const PREDECESSOR_DURABLE: u8 = 1;

const SEGMENT_MAGIC: &[u8; 8] = b"DAGPJRNL";
const FRAME_MAGIC: &[u8; 4] = b"DPfr";
const VERSION: u8 = 1;

/// Identity of a frame in the chain.
pub type ChainHash = [u8; 32];

/// First bytes of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Place in the row of segments, from 0; also in the file's name.
    pub index: u64,
    /// Sequence number of its first record.
    pub first_seq: u64,
    /// Time of its first frame, Unix milliseconds.
    pub created_ms: u64,
    /// Extranonce epoch at its start.
    pub epoch: u64,
    /// Hash of the last frame of the segment before.
    pub prev_hash: ChainHash,
}

impl SegmentHeader {
    /// As bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; SEGMENT_HEADER] {
        let mut bytes = [0; SEGMENT_HEADER];
        bytes[..8].copy_from_slice(SEGMENT_MAGIC);
        bytes[8] = VERSION;
        bytes[16..24].copy_from_slice(&self.index.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.first_seq.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.created_ms.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[48..80].copy_from_slice(&self.prev_hash);
        let crc = crc32c::crc32c(&bytes[..124]);
        bytes[124..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// From bytes; `None` if they are no sound header of this version.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; SEGMENT_HEADER] = bytes.first_chunk()?;
        let sound = bytes[..8] == *SEGMENT_MAGIC
            && bytes[8] == VERSION
            && crc32c::crc32c(&bytes[..124]).to_le_bytes() == bytes[124..];
        sound.then(|| Self {
            index: u64_at(bytes, 16),
            first_seq: u64_at(bytes, 24),
            created_ms: u64_at(bytes, 32),
            epoch: u64_at(bytes, 40),
            prev_hash: hash_at(bytes, 48),
        })
    }
}

/// A sound frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// See [`PREDECESSOR_DURABLE`].
    pub flags: u8,
    /// Records in it, at least 1.
    pub count: u32,
    /// Sequence number of the first record.
    pub first_seq: u64,
    /// Time that the records' times count from, Unix milliseconds.
    pub time_ms: u64,
    /// Hash of the frame before.
    pub prev_hash: ChainHash,
    /// Hash of this one.
    pub hash: ChainHash,
    /// The records.
    pub payload: &'a [u8],
}

impl Frame<'_> {
    /// Bytes that it takes in the file.
    #[must_use]
    pub fn len(&self) -> usize {
        FRAME_HEADER + self.payload.len()
    }

    /// Never: a frame has a header at least.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Sequence number after its last record.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.first_seq + u64::from(self.count)
    }
}

/// Why there is no sound frame at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoFrame {
    /// Nothing was written here (zeros, or the end of the bytes).
    End,
    /// So many bytes are needed to tell, from the start of the frame.
    NeedMore(usize),
    /// Something is here, but no sound frame.
    Bad,
}

/// What a frame says about itself besides its payload.
#[derive(Debug, Clone, Copy)]
pub struct FrameFields {
    /// See [`PREDECESSOR_DURABLE`].
    pub flags: u8,
    /// Records in the payload.
    pub count: u32,
    /// Sequence number of the first.
    pub first_seq: u64,
    /// Base of the records' times.
    pub time_ms: u64,
    /// Hash of the frame before.
    pub prev_hash: ChainHash,
}

/// Fills in the header of the frame that is `buffer[at..]`, whose payload is in place already. Returns its hash.
///
/// # Panics
/// If the buffer does not hold a frame header there, or the payload is longer than [`PAYLOAD_MAX`].
pub fn seal_frame(buffer: &mut [u8], at: usize, fields: &FrameFields) -> ChainHash {
    let frame = &mut buffer[at..];
    let payload_len = frame.len() - FRAME_HEADER;
    assert!(payload_len <= PAYLOAD_MAX, "the writer closes a frame long before this");
    let (header, payload) = frame.split_at_mut(FRAME_HEADER);
    header[..4].copy_from_slice(FRAME_MAGIC);
    header[4] = VERSION;
    header[5] = fields.flags;
    header[6..8].fill(0);
    let length = u32::try_from(payload_len).expect("PAYLOAD_MAX fits in u32");
    header[8..12].copy_from_slice(&length.to_le_bytes());
    header[12..16].copy_from_slice(&fields.count.to_le_bytes());
    header[16..24].copy_from_slice(&fields.first_seq.to_le_bytes());
    header[24..32].copy_from_slice(&fields.time_ms.to_le_bytes());
    header[32..64].copy_from_slice(&fields.prev_hash);
    let crc = crc32c::crc32c_append(crc32c::crc32c(&header[..64]), payload);
    header[64..].copy_from_slice(&crc.to_le_bytes());
    chain_hash(&header[..64], payload)
}

fn chain_hash(header: &[u8], payload: &[u8]) -> ChainHash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(header);
    hasher.update(payload);
    *hasher.finalize().as_bytes()
}

/// Reads the frame at the start of `bytes`.
///
/// # Errors
/// [`NoFrame`].
pub fn parse_frame(bytes: &[u8]) -> Result<Frame<'_>, NoFrame> {
    Ok(check_frame(bytes)?.open(bytes))
}

/// A frame whose checksum is right.
#[derive(Debug, Clone, Copy)]
pub struct Checked {
    fields: FrameFields,
    payload_len: usize,
}

impl Checked {
    /// The frame, with its hash; `bytes` are those that were checked.
    ///
    /// # Panics
    /// If they are shorter.
    #[must_use]
    pub fn open(self, bytes: &[u8]) -> Frame<'_> {
        let payload = &bytes[FRAME_HEADER..FRAME_HEADER + self.payload_len];
        let FrameFields { flags, count, first_seq, time_ms, prev_hash } = self.fields;
        Frame { flags, count, first_seq, time_ms, prev_hash, hash: self.hash(bytes), payload }
    }

    /// The frame without its hash.
    ///
    /// # Panics
    /// As [`Self::open`].
    #[must_use]
    pub fn payload(self, bytes: &[u8]) -> Payload<'_> {
        let payload = &bytes[FRAME_HEADER..FRAME_HEADER + self.payload_len];
        let FrameFields { count, first_seq, time_ms, prev_hash, .. } = self.fields;
        Payload { count, first_seq, time_ms, prev_hash, payload }
    }

    /// The frame's hash.
    ///
    /// # Panics
    /// As [`Self::open`].
    #[must_use]
    pub fn hash(self, bytes: &[u8]) -> ChainHash {
        chain_hash(&bytes[..64], &bytes[FRAME_HEADER..FRAME_HEADER + self.payload_len])
    }
}

/// A frame whose checksum is right, for reading its records.
#[derive(Debug, Clone, Copy)]
pub struct Payload<'a> {
    /// Records in the payload.
    pub count: u32,
    /// Sequence number of the first.
    pub first_seq: u64,
    /// Base of the records' times.
    pub time_ms: u64,
    /// Hash of the frame before.
    pub prev_hash: ChainHash,
    /// The records.
    pub payload: &'a [u8],
}

impl Payload<'_> {
    /// Bytes of the whole frame.
    #[must_use]
    pub fn frame_len(&self) -> usize {
        FRAME_HEADER + self.payload.len()
    }

    /// Sequence number after its last record.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.first_seq + u64::from(self.count)
    }
}

/// As [`parse_frame`], but leaves out the hash.
///
/// # Errors
/// [`NoFrame`].
pub fn check_frame(bytes: &[u8]) -> Result<Checked, NoFrame> {
    let Some((header, rest)) = bytes.split_first_chunk::<FRAME_HEADER>() else {
        return Err(if bytes.iter().all(|byte| *byte == 0) {
            NoFrame::End
        } else {
            NoFrame::NeedMore(FRAME_HEADER)
        });
    };
    if header[..4] != *FRAME_MAGIC || header[4] != VERSION {
        return Err(if header.iter().all(|byte| *byte == 0) { NoFrame::End } else { NoFrame::Bad });
    }
    let payload_len = u32_at(header, 8) as usize;
    if payload_len > PAYLOAD_MAX {
        return Err(NoFrame::Bad);
    }
    let payload = rest.get(..payload_len).ok_or(NoFrame::NeedMore(FRAME_HEADER + payload_len))?;
    let crc = crc32c::crc32c_append(crc32c::crc32c(&header[..64]), payload);
    let count = u32_at(header, 12);
    let first_seq = u64_at(header, 16);
    if crc.to_le_bytes() != header[64..] || count == 0 || first_seq.checked_add(u64::from(count)).is_none() {
        return Err(NoFrame::Bad);
    }
    let (flags, time_ms, prev_hash) = (header[5], u64_at(header, 24), hash_at(header, 32));
    Ok(Checked { fields: FrameFields { flags, count, first_seq, time_ms, prev_hash }, payload_len })
}

/// Looks behind a spoiled frame for a sound one that proves that the spoiled one had been durable: then this is damage
/// and no torn tail. `expected_seq` is where the spoiled frame would have begun. Returns the offset of the proof.
#[must_use]
pub fn proof_of_damage(tail: &[u8], expected_seq: u64) -> Option<usize> {
    memmem::find_iter(tail, FRAME_MAGIC).find(|at| {
        check_frame(&tail[*at..]).is_ok_and(|frame| {
            frame.fields.first_seq > expected_seq && frame.fields.flags & PREDECESSOR_DURABLE != 0
        })
    })
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    (u64::from(u32_at(bytes, at + 4)) << 32) | u64::from(u32_at(bytes, at))
}

fn hash_at(bytes: &[u8], at: usize) -> ChainHash {
    let mut hash = [0; 32];
    hash.copy_from_slice(&bytes[at..at + 32]);
    hash
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame_of(payload: &[u8], first_seq: u64, flags: u8) -> Vec<u8> {
        let mut bytes = vec![0; FRAME_HEADER];
        bytes.extend_from_slice(payload);
        let fields = FrameFields { flags, count: 2, first_seq, time_ms: 5, prev_hash: [3; 32] };
        let hash = seal_frame(&mut bytes, 0, &fields);
        assert_eq!(parse_frame(&bytes).unwrap().hash, hash);
        bytes
    }

    proptest! {
        #[test]
        fn no_changed_byte_goes_unseen(payload: Vec<u8>, at: prop::sample::Index, change in 1_u8..) {
            let mut bytes = frame_of(&payload, 7, 1);
            let frame = parse_frame(&bytes).unwrap();
            prop_assert_eq!((frame.payload, frame.first_seq, frame.next_seq()), (payload.as_slice(), 7, 9));
            let at = at.index(bytes.len());
            bytes[at] ^= change;
            prop_assert!(parse_frame(&bytes).is_err());
        }

        #[test]
        fn a_cut_frame_is_never_sound(payload: Vec<u8>, at: prop::sample::Index) {
            let bytes = frame_of(&payload, 7, 0);
            prop_assert!(parse_frame(&bytes[..at.index(bytes.len())]).is_err());
        }

        #[test]
        fn headers_survive(index: u64, first_seq: u64, created_ms: u64, epoch: u64, prev_hash: [u8; 32], at in 0_usize..SEGMENT_HEADER) {
            let header = SegmentHeader { index, first_seq, created_ms, epoch, prev_hash };
            let mut bytes = header.encode();
            prop_assert_eq!(SegmentHeader::decode(&bytes), Some(header));
            bytes[at] ^= 0x10;
            prop_assert_eq!(SegmentHeader::decode(&bytes), None);
        }
    }

    #[test]
    fn nothing_written_is_the_end() {
        assert_eq!(parse_frame(&[]), Err(NoFrame::End));
        assert_eq!(parse_frame(&[0; 500]), Err(NoFrame::End));
        assert_eq!(parse_frame(&[1; 500]), Err(NoFrame::Bad));
        assert_eq!(parse_frame(&frame_of(&[1; 9], 1, 0)[..70]), Err(NoFrame::NeedMore(FRAME_HEADER + 9)));
    }

    #[test]
    fn only_a_later_frame_that_followed_a_sync_proves_damage() {
        let spoiled = vec![1; 100];
        let behind = |frame: Vec<u8>| [spoiled.clone(), frame].concat();
        assert_eq!(proof_of_damage(&behind(frame_of(b"ab", 9, PREDECESSOR_DURABLE)), 7), Some(100));
        assert_eq!(
            proof_of_damage(&behind(frame_of(b"ab", 9, 0)), 7),
            None,
            "written without a sync between"
        );
        assert_eq!(
            proof_of_damage(&behind(frame_of(b"ab", 7, PREDECESSOR_DURABLE)), 7),
            None,
            "the frame itself"
        );
        assert_eq!(proof_of_damage(&spoiled, 7), None);
    }
}
