//! The share journal on a real disk: `cargo bench -p pool-actors --bench journal`.
//!
//! The column "items/s" is shares per second. `raw` writes and syncs as many bytes per batch without a journal: the
//! limit of this disk in this run. The restart benches use a journal of 10 million shares (`JOURNAL_BENCH_SHARES`),
//! left as `kill -9` leaves it.

use std::{
    fs::OpenOptions,
    hint::black_box,
    os::unix::fs::FileExt as _,
    path::Path,
    sync::{Arc, OnceLock},
};

use divan::{Bencher, counter::ItemsCount};
use pool_actors::{
    adapters::disk_folder::FolderDisk,
    ledger::journal::{Durability, Entry, Journal, Lane, NewShare, Options},
    messages::share::WorkerIdentity,
};
use pool_domain::{
    ids::{Account, AlgorithmName, Generation, JobId, Route, ShareSeq, SlotId, WorkerName},
    units::{TimeMs, Work},
};
use tempfile::TempDir;

fn main() {
    divan::main();
}

const BATCH: u64 = 1_000;

fn options(durability: Durability) -> Options {
    Options { durability, segment_bytes: 64 << 20, budget_bytes: u64::MAX }
}

fn folder() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn open(path: &Path, durability: Durability) -> Journal {
    Journal::open(Arc::new(FolderDisk::open(path).unwrap()), options(durability)).unwrap().0
}

/// Shares as 1,000 sessions send them, each session with a worker of its own.
struct Miners {
    workers: Vec<Arc<WorkerIdentity>>,
    algorithm: AlgorithmName,
    sent: u64,
}

impl Miners {
    fn new() -> Self {
        let worker = |n| {
            let account =
                Account::new(&format!("kaspa:qqkqkzjvr7zwxxmjxjkmxxdwju9kjs6e9u82uh59z07vgaks6gg{n:06}"))
                    .unwrap();
            Arc::new(WorkerIdentity { account, worker: WorkerName::new(&format!("rig{n}")).unwrap() })
        };
        Self {
            workers: (0..1_000).map(worker).collect(),
            algorithm: AlgorithmName::new("kheavyhash").unwrap(),
            sent: 0,
        }
    }

    fn batch(&mut self, journal: &mut Journal) {
        journal
            .append(Lane::Shares, |frame| {
                for n in self.sent..self.sent + BATCH {
                    frame.share(&NewShare {
                        received_at: TimeMs(1_760_000_000_000 + n / 1_000),
                        worker: &self.workers[(n.wrapping_mul(2_654_435_761) % 1_000) as usize],
                        work: Work(1 << 44),
                        algorithm: &self.algorithm,
                        route: Route { slot: SlotId(0), generation: Generation(1) },
                        job: JobId(n / 5_000),
                        hash_tag: n.wrapping_mul(0x9e37_79b9_7f4a_7c15),
                        candidate: None,
                    });
                }
            })
            .unwrap();
        self.sent += BATCH;
    }
}

fn append(bencher: Bencher<'_, '_>, durability: Durability) {
    let folder = folder();
    let mut journal = open(folder.path(), durability);
    journal.preallocate_in_background().unwrap();
    let mut miners = Miners::new();
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| miners.batch(&mut journal));
}

#[divan::bench(sample_count = 1_000, max_time = 3)]
fn append_1000_durable(bencher: Bencher<'_, '_>) {
    append(bencher, Durability::Disk);
}

#[divan::bench(sample_count = 1_000, max_time = 3)]
fn append_1000_os(bencher: Bencher<'_, '_>) {
    append(bencher, Durability::Os);
}

#[divan::bench(sample_count = 1_000, max_time = 3)]
fn raw_write_and_sync(bencher: Bencher<'_, '_>) {
    let folder = folder();
    let path = folder.path().join("raw");
    let file = OpenOptions::new().create_new(true).write(true).open(path).unwrap();
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, 1 << 30).unwrap();
    file.sync_all().unwrap();
    // What a batch of the benches above takes.
    let bytes = [7_u8; 28_000];
    let mut at = 0;
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        file.write_all_at(&bytes, at).unwrap();
        file.sync_data().unwrap();
        at = (at + 28_000) % (1 << 30);
    });
}

/// A journal as a kill under load leaves it, and the number of its shares.
fn killed() -> (&'static Path, u64) {
    static FOLDER: OnceLock<(TempDir, u64)> = OnceLock::new();
    let (folder, shares) = FOLDER.get_or_init(|| {
        let shares = std::env::var("JOURNAL_BENCH_SHARES").map_or(10_000_000, |text| text.parse().unwrap());
        let folder = folder();
        let mut journal = open(folder.path(), Durability::Os);
        let mut miners = Miners::new();
        while miners.sent < shares {
            miners.batch(&mut journal);
        }
        (folder, miners.sent)
    });
    (folder.path(), *shares)
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn restart_open(bencher: Bencher<'_, '_>) {
    let (path, shares) = killed();
    bencher.counter(ItemsCount::new(shares)).bench_local(|| black_box(open(path, Durability::Disk)));
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn restart_open_and_read_every_share(bencher: Bencher<'_, '_>) {
    let (path, shares) = killed();
    bencher.counter(ItemsCount::new(shares)).bench_local(|| {
        let journal = open(path, Durability::Disk);
        let mut cursor = journal.reader().cursor_after(ShareSeq(0)).unwrap();
        let mut work = Work::default();
        let mut visit = |_, entry| {
            if let Entry::Share(share) = entry {
                work = work.saturating_add(share.work);
            }
        };
        while cursor.read(10_000, &mut visit).unwrap() > 0 {}
        assert_eq!(work, Work(u128::from(shares) << 44));
    });
}
