//! The raw server's group commit: one write and one sync for all that waits, on one thread.

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::FileExt as _,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    time::{Duration, Instant},
};

use pool_actors::runtime::threads::Thread;
use rustix::fs::{FallocateFlags, fallocate};

/// The file is this long and then begun again: nothing is ever read from it.
const FILE_BYTES: u64 = 256 << 20;
/// What the pool's journal needs for a share, roughly.
pub(super) const RECORD_BYTES: usize = 28;
/// Records worth a commit without waiting for more, as in the pool's journal.
const ENOUGH: usize = 4_096;

/// A share that waits: the connection, and the id to answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting {
    pub(super) connection: usize,
    pub(super) id: u64,
}

/// Shares of one thread that wait for the next commit. Open until it begins, as in the pool's journal.
pub(super) struct Forming {
    shares: Mutex<Shares>,
    done: tokio::sync::mpsc::UnboundedSender<Vec<Waiting>>,
}

#[derive(Default)]
struct Shares {
    waiting: Vec<Waiting>,
    records: Vec<u8>,
}

impl Forming {
    pub(super) fn new(done: tokio::sync::mpsc::UnboundedSender<Vec<Waiting>>) -> Arc<Self> {
        Arc::new(Self { shares: Mutex::default(), done })
    }

    fn lock(&self) -> MutexGuard<'_, Shares> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what a turn of a connection brought; `true` when the commit thread must be told.
    pub(super) fn put(&self, waiting: &mut Vec<Waiting>, records: &mut Vec<u8>) -> bool {
        let mut shares = self.lock();
        let before = shares.waiting.len();
        shares.waiting.append(waiting);
        shares.records.append(records);
        let now = shares.waiting.len();
        (before == 0 && now > 0) || (before < ENOUGH && now >= ENOUGH)
    }
}

/// Starts the thread; it ends when all senders are gone.
///
/// # Errors
/// When the file can't be made, or the thread.
pub(super) fn start(path: &Path, interval: Duration) -> std::io::Result<Sender<Arc<Forming>>> {
    let file = OpenOptions::new().create(true).truncate(true).write(true).open(path)?;
    fallocate(&file, FallocateFlags::empty(), 0, FILE_BYTES)?;
    file.sync_all()?;
    let (sender, receiver) = channel();
    Thread::spawn("raw-commit", move || {
        if let Err(error) = run(&file, &receiver, interval) {
            // Nothing is answered from now on, which a measurement can't miss.
            eprintln!("error: raw server: commit: {error}");
        }
    })?;
    Ok(sender)
}

fn run(file: &File, receiver: &Receiver<Arc<Forming>>, interval: Duration) -> std::io::Result<()> {
    let (mut offset, mut due) = (0, Instant::now());
    let mut frame = Vec::new();
    while let Ok(first) = receiver.recv() {
        let gathered = gather(first, receiver, due);
        due = Instant::now() + interval;
        frame.clear();
        frame.extend_from_slice(&[0; 4]);
        let mut groups = Vec::new();
        for forming in gathered {
            let shares = std::mem::take(&mut *forming.lock());
            frame.extend_from_slice(&shares.records);
            groups.push((shares.waiting, forming));
        }
        let checksum = crc32c::crc32c(&frame[4..]);
        frame[..4].copy_from_slice(&checksum.to_le_bytes());
        if offset + frame.len() as u64 > FILE_BYTES {
            offset = 0;
        }
        file.write_all_at(&frame, offset)?;
        file.sync_data()?;
        offset += frame.len() as u64;
        for (waiting, forming) in groups {
            // A thread that has ended needs no answer.
            let _ = forming.done.send(waiting);
        }
    }
    Ok(())
}

fn gather(first: Arc<Forming>, receiver: &Receiver<Arc<Forming>>, due: Instant) -> Vec<Arc<Forming>> {
    let mut gathered = vec![first];
    while gathered.iter().map(|forming| forming.lock().waiting.len()).sum::<usize>() < ENOUGH {
        match receiver.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(forming) => gathered.push(forming),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    gathered
}
