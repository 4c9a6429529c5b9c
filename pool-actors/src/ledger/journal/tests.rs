//! The journal as its users see it, on a disk in memory.

use std::sync::Arc;

use super::*;
use crate::{
    adapters::disk_memory::MemoryDisk,
    messages::{
        journal::{CandidateId, CandidateRecord, JournalError},
        share::WorkerIdentity,
    },
    ports::{
        disk::Disk as _,
        node::{AssembledBlock, SubmitVerdict},
    },
};
use pool_domain::{
    ids::{Account, AlgorithmName, BlockHash, Generation, JobId, Route, ShareSeq, SlotId, WorkerName},
    units::{TimeMs, Work},
};

pub(super) const SMALL: Options =
    Options { durability: Durability::Disk, segment_bytes: 4_096, budget_bytes: 1 << 20 };

pub(super) fn worker(n: u64) -> Arc<WorkerIdentity> {
    Arc::new(WorkerIdentity {
        account: Account::new(&format!("account{}", n % 7)).unwrap(),
        worker: WorkerName::new(&format!("rig{n}")).unwrap(),
    })
}

/// Share number `n`, told apart by its hash tag; its worker and time follow from `n`.
pub(super) fn put_share(frame: &mut FrameWriter<'_>, n: u64) -> ShareSeq {
    frame.share(&NewShare {
        received_at: TimeMs(1_000_000 + n),
        worker: &worker(n % 11),
        work: Work(u128::from(n) << 40),
        algorithm: &AlgorithmName::new(if n.is_multiple_of(3) { "scrypt" } else { "sha256d" }).unwrap(),
        route: Route { slot: SlotId(1), generation: Generation(2) },
        job: JobId(n / 10),
        hash_tag: n,
        candidate: n.is_multiple_of(50).then_some(CandidateId(n)),
    })
}

pub(super) fn append_shares(
    journal: &mut Journal,
    tags: std::ops::Range<u64>,
) -> Result<ShareSeq, JournalFault> {
    journal.append(Lane::Shares, |frame| tags.for_each(|n| _ = put_share(frame, n)))
}

/// The hash tags of all durable shares, after a full check of each record's fields.
pub(super) fn tags(reader: &JournalReader) -> Vec<u64> {
    let mut tags = Vec::new();
    let mut last = ShareSeq(reader.oldest().0 - 1);
    let mut cursor = reader.cursor_after(last).unwrap();
    while cursor
        .read(7, |seq, entry| {
            assert!(seq > last, "in order");
            last = seq;
            if let Entry::Share(share) = entry {
                let n = share.hash_tag;
                assert_eq!(*share.worker, *worker(n % 11));
                assert_eq!(share.work, Work(u128::from(n) << 40));
                assert_eq!(share.received_at, TimeMs(1_000_000 + n));
                assert_eq!(share.algorithm.as_str(), if n.is_multiple_of(3) { "scrypt" } else { "sha256d" });
                assert_eq!(share.candidate, n.is_multiple_of(50).then_some(CandidateId(n)));
                tags.push(n);
            }
        })
        .unwrap()
        > 0
    {}
    assert_eq!(cursor.position(), reader.committed());
    tags
}

pub(super) fn candidate(n: u8) -> CandidateRecord {
    CandidateRecord {
        id: CandidateId(u64::from(n)),
        block: AssembledBlock { hash: BlockHash([n; 32]), endpoint: 1, payload: vec![n; 300] },
        algorithm: AlgorithmName::new("blake3").unwrap(),
        network_work: Work(1 << 70),
        height: Some(0),
        parents: vec![BlockHash([1; 32]), BlockHash([2; 32])],
        finder: worker(3),
        found_at: TimeMs(5_000),
    }
}

pub(super) fn open(disk: &MemoryDisk) -> (Journal, Recovery) {
    Journal::open(Arc::new(disk.clone()), SMALL).unwrap()
}

#[test]
fn what_is_appended_is_read_in_order_now_and_after_a_restart() {
    let disk = MemoryDisk::new();
    let (mut journal, recovery) = open(&disk);
    assert_eq!(recovery, Recovery { committed: ShareSeq(0), epoch: 0, truncated_bytes: 0 });
    for group in 0..100 {
        append_shares(&mut journal, group * 10..group * 10 + 10).unwrap();
    }
    let expected: Vec<u64> = (0..1_000).collect();
    assert_eq!(tags(&journal.reader()), expected);
    assert!(journal.state().get().segments > 3, "segments were filled");
    let committed = journal.reader().committed();
    drop(journal);

    let (mut journal, recovery) = open(&disk);
    assert_eq!(recovery, Recovery { committed, epoch: 0, truncated_bytes: 0 });
    append_shares(&mut journal, 1_000..1_003).unwrap();
    assert_eq!(tags(&journal.reader()), (0..1_003).collect::<Vec<_>>());
    let verified = journal.reader().verify().unwrap();
    assert_eq!(
        (verified.shares, verified.first, verified.last),
        (1_003, ShareSeq(1), journal.reader().committed())
    );
    assert_eq!(verified.work, Work((0..1_003_u128).map(|n| n << 40).sum()));
}

#[test]
fn candidates_verdicts_and_epochs_come_back_as_they_were() {
    let disk = MemoryDisk::new();
    let (mut journal, _) = open(&disk);
    assert_eq!(journal.begin_epoch(TimeMs(1)).unwrap(), 1);
    let refused = SubmitVerdict::Rejected("bad-txns".to_owned());
    journal
        .append(Lane::Critical, |frame| {
            frame.candidate(&candidate(7));
            frame.verdict(CandidateId(7), &BlockHash([7; 32]), &refused, TimeMs(6_000));
            frame.verdict(CandidateId(8), &BlockHash([8; 32]), &SubmitVerdict::Accepted, TimeMs(5_500));
        })
        .unwrap();
    let mut seen = Vec::new();
    journal.reader().cursor_after(ShareSeq(0)).unwrap().read(100, |_, entry| seen.push(entry)).unwrap();
    let verdict = |n: u8, verdict: &SubmitVerdict, at| Entry::Verdict {
        id: CandidateId(u64::from(n)),
        hash: BlockHash([n; 32]),
        verdict: verdict.clone(),
        at: TimeMs(at),
    };
    let expected = [
        Entry::Epoch(1),
        Entry::Candidate(Box::new(candidate(7))),
        verdict(7, &refused, 6_000),
        verdict(8, &SubmitVerdict::Accepted, 5_500),
    ];
    assert_eq!(seen, expected);
    drop(journal);
    let (mut journal, recovery) = open(&disk);
    assert_eq!(recovery.epoch, 1);
    assert_eq!(journal.begin_epoch(TimeMs(2)).unwrap(), 2);
    for group in 0..100 {
        append_shares(&mut journal, group..group + 1).unwrap();
    }
    drop(journal);
    assert_eq!(open(&disk).1.epoch, 2, "known although its segment is not the newest any more");
}

#[test]
fn a_cursor_goes_on_anywhere_and_sees_what_is_appended_later() {
    let disk = MemoryDisk::new();
    let (mut journal, _) = open(&disk);
    for group in 0..60 {
        append_shares(&mut journal, group * 5..group * 5 + 5).unwrap();
    }
    let mut all = Vec::new();
    journal
        .reader()
        .cursor_after(ShareSeq(0))
        .unwrap()
        .read(10_000, |seq, entry| all.push((seq, entry)))
        .unwrap();
    for after in (0..journal.reader().committed().0).step_by(13) {
        let mut rest = Vec::new();
        let mut cursor = journal.reader().cursor_after(ShareSeq(after)).unwrap();
        while cursor.read(3, |seq, entry| rest.push((seq, entry))).unwrap() > 0 {}
        assert!(rest.iter().eq(all.iter().filter(|(seq, _)| seq.0 > after)), "after {after}");
    }
    let mut cursor = journal.reader().cursor_after(journal.reader().committed()).unwrap();
    for n in 300..420 {
        assert_eq!(cursor.read(10, |_, _| panic!("nothing new yet")).unwrap(), 0);
        append_shares(&mut journal, n..n + 1).unwrap();
        let mut seen = Vec::new();
        cursor.read(10, |_, entry| seen.push(entry)).unwrap();
        assert!(matches!(&seen[..], [Entry::Share(share)] if share.hash_tag == n));
    }
}

#[test]
fn a_frame_longer_than_a_segment_is_one_frame_all_the_same() {
    let disk = MemoryDisk::new();
    let (mut journal, _) = open(&disk);
    append_shares(&mut journal, 0..20_000).unwrap();
    append_shares(&mut journal, 20_000..20_001).unwrap();
    assert_eq!(journal.state().get().segments, 2);
    assert_eq!(tags(&journal.reader()), (0..20_001).collect::<Vec<_>>());
    drop(journal);
    assert_eq!(tags(&open(&disk).0.reader()).len(), 20_001);
}

#[test]
fn retention_drops_whole_consumed_old_segments_and_a_late_reader_is_told() {
    let disk = MemoryDisk::new();
    let (mut journal, _) = open(&disk);
    for group in 0..100 {
        append_shares(&mut journal, group * 10..group * 10 + 10).unwrap();
    }
    let reader = journal.reader();
    let (before, committed) = (journal.state().get().segments, reader.committed());
    assert_eq!(reader.retain(ShareSeq(0), TimeMs(u64::MAX)).unwrap(), 0, "nothing is consumed");
    assert_eq!(reader.retain(committed, TimeMs(0)).unwrap(), 0, "nothing is old");
    let removed = reader.retain(ShareSeq(committed.0 / 2), TimeMs(u64::MAX)).unwrap();
    assert!(removed > 0 && removed < before - 1);
    let oldest = reader.oldest();
    assert!(oldest.0 > 1 && oldest.0 <= committed.0 / 2 + 1);
    let late = reader.cursor_after(ShareSeq(0)).map(|_| ()).unwrap_err();
    assert!(late.to_string().contains("record 1 is gone"), "{late}");
    assert_eq!(reader.verify().unwrap().first, oldest);
    drop(journal);
    let (mut journal, recovery) = open(&disk);
    assert_eq!(recovery.committed, committed);
    let all = journal.reader().retain(committed, TimeMs(u64::MAX)).unwrap();
    assert_eq!(all + removed, before - 1, "the newest segment stays");
    append_shares(&mut journal, 0..5).unwrap();
    journal.reader().verify().unwrap();
}

#[test]
fn a_used_up_budget_refuses_shares_but_not_candidates_and_ends_when_there_is_room() {
    let disk = MemoryDisk::new();
    let options = Options { budget_bytes: 5 * 4_096, ..SMALL };
    let (mut journal, _) = Journal::open(Arc::new(disk), options).unwrap();
    let mut levels = vec![journal.state().get().budget];
    let mut n = 0;
    let fault = loop {
        match append_shares(&mut journal, n..n + 10) {
            Ok(_) => n += 10,
            Err(fault) => break fault,
        }
        levels.push(journal.state().get().budget);
    };
    levels.dedup();
    assert_eq!(levels, [BudgetLevel::Ample, BudgetLevel::Low, BudgetLevel::Exhausted]);
    assert!(matches!(fault, JournalFault::Budget { budget_bytes: 20_480 }));
    assert_eq!(JournalError::from(&fault), JournalError::BudgetExhausted { budget_bytes: 20_480 });
    for _ in 0..10 {
        journal.append(Lane::Critical, |frame| _ = frame.candidate(&candidate(1))).unwrap();
    }
    assert!(append_shares(&mut journal, n..n + 1).is_err());
    assert_eq!(journal.state().get().failed, None);
    let reader = journal.reader();
    assert_eq!(reader.make_room(ShareSeq(0), 0).unwrap(), 0, "nothing is consumed");
    assert_eq!(reader.make_room(reader.committed(), u64::MAX).unwrap(), 0, "there is room");
    let used_bytes = journal.state().get().used_bytes;
    assert_eq!(reader.make_room(reader.committed(), used_bytes - 1).unwrap(), 1, "no more than it takes");
    assert!(reader.retain(reader.committed(), TimeMs(u64::MAX)).unwrap() > 0);
    append_shares(&mut journal, n..n + 1).unwrap();
    assert_eq!(tags(&reader).last(), Some(&n));
}

#[test]
fn after_a_failed_write_or_sync_nothing_more_is_taken() {
    for (writes, syncs) in [(Some(2), None), (None, Some(2))] {
        let disk = MemoryDisk::new();
        let (mut journal, _) = open(&disk);
        disk.fail_writes_after(writes);
        disk.fail_syncs_after(syncs);
        append_shares(&mut journal, 0..5).unwrap();
        append_shares(&mut journal, 5..10).unwrap();
        let fault = append_shares(&mut journal, 10..15).unwrap_err();
        assert!(fault.to_string().contains("check the disk, then start again"), "{fault}");
        disk.fail_writes_after(None);
        disk.fail_syncs_after(None);
        let again = append_shares(&mut journal, 15..20).unwrap_err();
        assert_eq!(again.to_string(), fault.to_string());
        assert_eq!(journal.state().get().failed, Some(fault.to_string()));
        assert_eq!(tags(&journal.reader()), (0..10).collect::<Vec<_>>());
    }
}

#[test]
fn a_full_disk_is_told_in_one_sentence() {
    let disk = MemoryDisk::new();
    disk.set_capacity(Some(1_000));
    let fault = Journal::open(Arc::new(disk.clone()), SMALL).map(|_| ()).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "share journal: disk full at memory (to make a segment): free space there, or lower journal.disk_budget_bytes"
    );
    disk.set_capacity(Some(6_000));
    let (mut journal, _) = open(&disk);
    let mut acknowledged = 0;
    while append_shares(&mut journal, acknowledged..acknowledged + 10).is_ok() {
        acknowledged += 10;
    }
    assert!(journal.state().get().failed.as_ref().unwrap().contains("disk full"));
    drop(journal);
    disk.crash(|| false);
    assert_eq!(tags(&open(&disk).0.reader()), (0..acknowledged).collect::<Vec<_>>());
}

#[test]
fn damage_that_no_crash_makes_is_an_error_never_a_truncation() {
    let disk = MemoryDisk::new();
    let (mut journal, _) = open(&disk);
    for group in 0..60 {
        append_shares(&mut journal, group * 5..group * 5 + 5).unwrap();
    }
    drop(journal);
    let newest = catalogue::file_name(crate::ports::disk::Disk::list(&disk).unwrap().len() as u64 - 1);
    let flipped = |name: &str, at: usize| {
        let disk = disk.snapshot();
        disk.tamper(name, |bytes| bytes[at] ^= 1);
        disk
    };
    // In the newest segment, in front of a frame that followed a sync.
    let fault = Journal::open(Arc::new(flipped(&newest, 300)), SMALL).map(|_| ()).unwrap_err();
    assert!(fault.to_string().contains("a broken frame in front of sound ones"), "{fault}");
    // In an old segment: seen when it is read, and by verify.
    let (journal, _) = open(&flipped(&catalogue::file_name(1), 1_000));
    let fault = journal.reader().verify().unwrap_err();
    assert!(fault.to_string().contains("segment 0000000001.journal"), "{fault}");
    // An old segment's header, and a missing file.
    let fault =
        Journal::open(Arc::new(flipped(&catalogue::file_name(1), 20)), SMALL).map(|_| ()).unwrap_err();
    assert!(fault.to_string().contains("a broken segment header in segment 0000000001.journal"), "{fault}");
    let gap = disk.snapshot();
    crate::ports::disk::Disk::remove(&gap, &catalogue::file_name(1)).unwrap();
    let fault = Journal::open(Arc::new(gap), SMALL).map(|_| ()).unwrap_err();
    assert!(fault.to_string().contains("the file is missing in segment 0000000001.journal"), "{fault}");
}

#[test]
fn a_frame_changed_with_a_right_checksum_breaks_the_chain() {
    let disk = MemoryDisk::new();
    let (mut journal, _) = open(&disk);
    append_shares(&mut journal, 0..3).unwrap();
    append_shares(&mut journal, 3..6).unwrap();
    let reader = journal.reader();
    disk.tamper(&catalogue::file_name(0), |bytes| {
        let at = format::SEGMENT_HEADER;
        let frame = format::parse_frame(&bytes[at..]).unwrap();
        let fields = format::FrameFields {
            flags: frame.flags,
            count: frame.count,
            first_seq: frame.first_seq,
            time_ms: frame.time_ms + 1,
            prev_hash: frame.prev_hash,
        };
        let end = at + frame.len();
        format::seal_frame(&mut bytes[..end], at, &fields);
    });
    let fault = reader.verify().unwrap_err();
    assert!(fault.to_string().contains("does not follow the one before it"), "{fault}");
}

#[test]
fn a_journal_in_use_is_read_without_its_lock_and_left_alone() {
    let disk = Arc::new(MemoryDisk::new());
    let (mut journal, _) = Journal::open(disk.clone(), SMALL).unwrap();
    // Less than a segment: there is room behind the last frame.
    append_shares(&mut journal, 0..60).unwrap();
    let files = |disk: &MemoryDisk| {
        let mut files = disk.list().unwrap();
        files.sort_by(|a, b| a.name.cmp(&b.name));
        files
    };
    let before = files(&disk);
    let reader = JournalReader::read_only(disk.clone()).unwrap();
    assert_eq!((reader.committed(), reader.oldest()), (journal.reader().committed(), ShareSeq(1)));
    assert_eq!(tags(&reader), (0..60).collect::<Vec<_>>());
    // Half a commit under way is not its business.
    let newest = before.iter().rfind(|file| file.name.ends_with(".journal")).unwrap();
    let mut file = disk.open(&newest.name).unwrap();
    let end = newest.len - 9;
    file.write_at(end, b"half of a").unwrap();
    let again = JournalReader::read_only(disk.clone()).unwrap();
    assert_eq!(again.committed(), reader.committed());
    let mut left = [0; 9];
    file.read_at(end, &mut left).unwrap();
    assert_eq!((&left, files(&disk)), (b"half of a", before));
}

#[test]
fn an_empty_folder_has_an_empty_journal() {
    let reader = JournalReader::read_only(Arc::new(MemoryDisk::new())).unwrap();
    assert_eq!((reader.committed(), reader.oldest()), (ShareSeq(0), ShareSeq(1)));
}

#[test]
fn a_copy_of_a_journal_in_use_opens_and_goes_on() {
    let disk = Arc::new(MemoryDisk::new());
    let (mut journal, _) = Journal::open(disk.clone(), SMALL).unwrap();
    // Less than a segment: there is room behind the last frame.
    append_shares(&mut journal, 0..60).unwrap();
    let through = journal.reader().committed();
    // A commit that is half written when the copy comes by.
    let newest = disk.list().unwrap().into_iter().filter(|file| file.name.ends_with(".journal"));
    let newest = newest.max_by(|a, b| a.name.cmp(&b.name)).unwrap();
    disk.open(&newest.name).unwrap().write_at(newest.len - 9, b"half of a").unwrap();
    let target = Arc::new(MemoryDisk::new());
    let copied = copy_journal(disk.as_ref(), target.as_ref()).unwrap();
    assert_eq!((copied.first, copied.through), (ShareSeq(1), through));
    let (mut again, found) = Journal::open(target.clone(), SMALL).unwrap();
    assert_eq!((found.committed, found.truncated_bytes), (through, 0));
    append_shares(&mut again, 60..70).unwrap();
    assert_eq!(tags(&again.reader()), (0..70).collect::<Vec<_>>());
    again.reader().verify().unwrap();
}
