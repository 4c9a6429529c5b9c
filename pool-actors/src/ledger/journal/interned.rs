//! Names that a segment has given numbers to.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::Arc,
};

use pool_domain::ids::{Account, AlgorithmName, WorkerName};

use super::record::Record;
use crate::messages::share::WorkerIdentity;

/// The writer's side: name to number.
#[derive(Debug, Default)]
pub(super) struct Interner {
    workers: HashMap<Arc<WorkerIdentity>, u32>,
    /// By address, which is found without reading and hashing the names of every share's worker. Each holds its identity,
    /// so that no other one comes to lie there.
    addresses: HashMap<usize, (Arc<WorkerIdentity>, u32), BuildHasherDefault<AddressHasher>>,
    algorithms: Vec<AlgorithmName>,
    /// The address looked up last: shares come in runs of one session.
    last: Option<(usize, u32)>,
}

/// Addresses are hashed by one multiplication: they are the allocator's choice, not a stranger's.
#[derive(Debug, Default)]
struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0 ^ u64::from(*byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        // An odd number without structure; the high bits, which depend on all, go to where the map looks first.
        self.0 = value.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(26);
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Addresses remembered at most: sessions that come and go must not fill the memory within one segment.
const ADDRESSES_MAX: usize = 1 << 17;

impl Interner {
    pub(super) fn clear(&mut self) {
        self.workers.clear();
        self.addresses.clear();
        self.algorithms.clear();
        self.last = None;
    }

    /// The worker's number, and whether it is new in this segment.
    pub(super) fn worker(&mut self, worker: &Arc<WorkerIdentity>) -> (u32, bool) {
        let address = Arc::as_ptr(worker).addr();
        if let Some((last, ix)) = self.last
            && last == address
        {
            return (ix, false);
        }
        if let Some((_, ix)) = self.addresses.get(&address) {
            self.last = Some((address, *ix));
            return (*ix, false);
        }
        let known = self.workers.get(worker.as_ref()).copied();
        let ix = known.unwrap_or_else(|| {
            let ix = u32::try_from(self.workers.len()).expect("a segment holds fewer than 2^32 records");
            self.workers.insert(Arc::clone(worker), ix);
            ix
        });
        if self.addresses.len() >= ADDRESSES_MAX {
            self.addresses.clear();
        }
        self.addresses.insert(address, (Arc::clone(worker), ix));
        self.last = Some((address, ix));
        (ix, known.is_none())
    }

    /// The algorithm's number, and whether it is new in this segment.
    pub(super) fn algorithm(&mut self, name: &AlgorithmName) -> (u16, bool) {
        let known = self.algorithms.iter().position(|known| known == name);
        let ix = known.unwrap_or(self.algorithms.len());
        if known.is_none() {
            self.algorithms.push(name.clone());
        }
        (u16::try_from(ix).expect("a pool has fewer than 65,536 algorithms"), known.is_none())
    }
}

/// The reader's side: number to name.
#[derive(Debug, Default)]
pub struct Names {
    /// Workers by number.
    pub workers: Vec<Arc<WorkerIdentity>>,
    /// Proof-of-work functions by number.
    pub algorithms: Vec<AlgorithmName>,
}

impl Names {
    /// Notes what a record defines; `None` if it defines nonsense.
    #[inline]
    pub(super) fn learn(&mut self, record: &Record<'_>) -> Option<()> {
        match record {
            Record::Worker { ix, account, worker } => {
                let identity = WorkerIdentity {
                    account: Account::new(account).ok()?,
                    worker: WorkerName::new(worker).ok()?,
                };
                (*ix as usize == self.workers.len()).then(|| self.workers.push(Arc::new(identity)))
            }
            Record::Algorithm { ix, name } => {
                let name = AlgorithmName::new(name).ok()?;
                (usize::from(*ix) == self.algorithms.len()).then(|| self.algorithms.push(name))
            }
            _ => Some(()),
        }
    }

    /// The same names for the writer, to go on in this segment.
    pub(super) fn into_interner(self) -> Interner {
        let numbered = self.workers.into_iter().zip(0..).collect();
        Interner { workers: numbered, algorithms: self.algorithms, ..Interner::default() }
    }
}
