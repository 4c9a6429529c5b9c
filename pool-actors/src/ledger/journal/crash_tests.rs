//! Crashes at any moment, torn at any byte or sector: what was acknowledged is there, and nothing but torn remains goes.

use std::sync::Arc;

use proptest::prelude::*;

use super::{
    catalogue::file_name,
    format::{SEGMENT_HEADER, parse_frame},
    tests::{SMALL, append_shares, tags},
    *,
};
use crate::{
    adapters::disk_memory::MemoryDisk,
    ports::disk::{Disk as _, SharedDisk},
};

fn shared(disk: &MemoryDisk) -> SharedDisk {
    Arc::new(disk.clone())
}

/// Appends groups of the given sizes; returns the number of shares acknowledged.
fn fill(disk: &MemoryDisk, options: Options, from: u64, groups: &[u64]) -> u64 {
    let (mut journal, _) = Journal::open(shared(disk), options).unwrap();
    let mut next = from;
    for size in groups {
        match append_shares(&mut journal, next..next + size) {
            Ok(_) => next += size,
            Err(_) => break,
        }
    }
    next
}

/// The journal opens, holds shares 0, 1, 2 ... without gap, and goes on.
fn recovered(disk: &MemoryDisk, options: Options) -> u64 {
    let (mut journal, _) = Journal::open(shared(disk), options).unwrap();
    let found = tags(&journal.reader());
    let count = found.len() as u64;
    assert_eq!(found, (0..count).collect::<Vec<_>>());
    append_shares(&mut journal, count..count + 3).unwrap();
    journal.reader().verify().unwrap();
    drop(journal);
    let (journal, recovery) = Journal::open(shared(disk), options).unwrap();
    assert_eq!(recovery.truncated_bytes, 0, "the second start finds nothing torn");
    assert_eq!(tags(&journal.reader()).len() as u64, count + 3);
    count
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Power fails during a commit: of the sectors being written, any subset survives.
    #[test]
    fn power_loss_keeps_every_acknowledged_share(
        groups in prop::collection::vec(1_u64..40, 1..60),
        fail_at in 0_u64..60,
        fail_in_sync: bool,
        survivors in prop::collection::vec(any::<bool>(), 1..40),
    ) {
        let disk = MemoryDisk::new();
        if fail_in_sync {
            disk.fail_syncs_after(Some(fail_at));
        } else {
            disk.fail_writes_after(Some(fail_at));
        }
        let acknowledged = match Journal::open(shared(&disk), SMALL) {
            Ok(_) => fill(&disk, SMALL, 0, &groups),
            Err(_) => 0,
        };
        let mut survives = survivors.iter().cycle();
        disk.crash(|| *survives.next().unwrap());
        let count = recovered(&disk, SMALL);
        // One commit at most may have become durable without having been acknowledged.
        prop_assert!(count >= acknowledged, "{count} < {acknowledged}");
        prop_assert!(count <= acknowledged + 40);
    }

    /// The process is killed: all that reached the system stays, the last write cut anywhere.
    #[test]
    fn a_kill_at_any_byte_keeps_every_earlier_commit(
        groups in prop::collection::vec(1_u64..30, 1..30),
        last in 1_u64..30,
        cut in 0.0_f64..1.0,
        durable: bool,
    ) {
        let durability = if durable { Durability::Disk } else { Durability::Os };
        let options = Options { durability, ..SMALL };
        let disk = MemoryDisk::new();
        let acknowledged = fill(&disk, options, 0, &groups);
        let before = disk.snapshot();
        fill(&disk, options, acknowledged, &[last]);
        // Write only a part of what the last commit changed.
        for entry in disk.list().unwrap() {
            let old = before.contents(&entry.name);
            disk.tamper(&entry.name, |new| {
                let changed: Vec<usize> =
                    (0..new.len()).filter(|at| old.get(*at).copied().unwrap_or(0) != new[*at]).collect();
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
                let kept = (changed.len() as f64 * cut) as usize;
                for at in &changed[kept..] {
                    new[*at] = old.get(*at).copied().unwrap_or(0);
                }
            });
        }
        let count = recovered(&disk, options);
        prop_assert!(count == acknowledged || count == acknowledged + last);
    }

    /// Without syncs, power loss may take any unsynced sector; what is left is a prefix, and the journal goes on.
    #[test]
    fn power_loss_without_syncs_leaves_a_prefix(
        groups in prop::collection::vec(1_u64..40, 1..60),
        survivors in prop::collection::vec(any::<bool>(), 1..40),
    ) {
        let options = Options { durability: Durability::Os, ..SMALL };
        let disk = MemoryDisk::new();
        let written = fill(&disk, options, 0, &groups);
        let mut survives = survivors.iter().cycle();
        disk.crash(|| *survives.next().unwrap());
        prop_assert!(recovered(&disk, options) <= written);
    }

    /// The file is cut short at any byte of its newest segment.
    #[test]
    fn a_file_cut_at_any_byte_loses_only_what_is_behind(
        groups in prop::collection::vec(1_u64..9, 1..25),
        cut in any::<prop::sample::Index>(),
    ) {
        let disk = MemoryDisk::new();
        fill(&disk, SMALL, 0, &groups);
        let newest = disk.list().unwrap().len() as u64 - 1;
        disk.tamper(&file_name(newest), |bytes| bytes.truncate(cut.index(bytes.len())));
        let count = recovered(&disk, SMALL);
        prop_assert!(count <= groups.iter().sum());
    }

    /// Rubbish in the newest segment's tail never panics, and never takes what is in front of it.
    #[test]
    fn rubbish_behind_the_end_is_cut_off(
        groups in prop::collection::vec(1_u64..9, 1..10),
        rubbish in prop::collection::vec(any::<u8>(), 1..200),
        gap in 0_usize..300,
    ) {
        let options = Options { segment_bytes: 1 << 16, ..SMALL };
        let disk = MemoryDisk::new();
        let acknowledged = fill(&disk, options, 0, &groups);
        disk.tamper(&file_name(0), |bytes| {
            let mut end = SEGMENT_HEADER;
            while let Ok(frame) = parse_frame(&bytes[end..]) {
                end += frame.len();
            }
            end += gap;
            bytes[end..end + rubbish.len()].copy_from_slice(&rubbish);
        });
        prop_assert_eq!(recovered(&disk, options), acknowledged);
    }
}
