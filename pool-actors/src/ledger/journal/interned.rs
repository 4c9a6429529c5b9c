//! Names that a segment has given numbers to.

use std::{collections::HashMap, sync::Arc};

use pool_domain::ids::{Account, AlgorithmName, WorkerName};

use super::record::Record;
use crate::messages::share::WorkerIdentity;

/// The writer's side: name to number.
#[derive(Debug, Default)]
pub(super) struct Interner {
    workers: HashMap<Arc<WorkerIdentity>, u32>,
    algorithms: Vec<AlgorithmName>,
    last: Option<(Arc<WorkerIdentity>, u32)>,
}

impl Interner {
    pub(super) fn clear(&mut self) {
        self.workers.clear();
        self.algorithms.clear();
        self.last = None;
    }

    /// The worker's number, and whether it is new in this segment.
    pub(super) fn worker(&mut self, worker: &Arc<WorkerIdentity>) -> (u32, bool) {
        // Shares come in runs of one session: most look-ups end here.
        if let Some((last, ix)) = &self.last
            && Arc::ptr_eq(last, worker)
        {
            return (*ix, false);
        }
        let known = self.workers.get(worker.as_ref()).copied();
        let ix = known.unwrap_or_else(|| {
            let ix = u32::try_from(self.workers.len()).expect("a segment holds fewer than 2^32 records");
            self.workers.insert(Arc::clone(worker), ix);
            ix
        });
        self.last = Some((Arc::clone(worker), ix));
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
        Interner { workers: numbered, algorithms: self.algorithms, last: None }
    }
}
