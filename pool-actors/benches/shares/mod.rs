//! A journal of made-up shares, for measurements of the ledger (here and in `tests/benches/money`).

use std::sync::Arc;

use pool_actors::{
    ledger::feed::{FeedBatch, FeedError, FeedNames, LedgerFeed, ShareLine},
    messages::share::WorkerIdentity,
};
use pool_domain::{
    ids::{Account, AlgorithmName, ShareSeq, WorkerName},
    units::{TimeMs, Work},
};

/// Work of each share.
pub(crate) const WORK: u128 = 1 << 32;

/// Shares of so many workers in turn, made as they are read.
pub(crate) struct Shares {
    pub(crate) names: FeedNames,
}

impl Shares {
    pub(crate) fn of(workers: u32) -> Self {
        let worker = |n: u32| {
            let account = format!("kaspa:qqkqkzjvr7zwxxmjxjkmxxdwju9kjs6e9u82uh59z07vgaks6gg{n:06}");
            Arc::new(WorkerIdentity {
                account: Account::new(&account).expect("an address"),
                worker: WorkerName::new(&format!("rig{n}")).expect("a name"),
            })
        };
        let algorithms = vec![AlgorithmName::new("blake2s").expect("a name")];
        Self { names: FeedNames { numbering: 1, workers: (0..workers).map(worker).collect(), algorithms } }
    }

    pub(crate) fn share(&self, seq: u64) -> ShareLine {
        let worker = u32::try_from(seq % self.names.workers.len() as u64).expect("few");
        ShareLine {
            seq: ShareSeq(seq),
            work: Work(WORK),
            at: TimeMs(1_700_000_000_000),
            worker,
            algorithm: 0,
        }
    }
}

impl LedgerFeed for Shares {
    fn read(&mut self, after: ShareSeq, records_max: usize, batch: &mut FeedBatch) -> Result<(), FeedError> {
        let through = after.0 + records_max as u64;
        if batch.names.numbering == 0 {
            batch.names = self.names.clone();
        }
        batch.clear();
        batch.shares.extend((after.0 + 1..=through).map(|seq| self.share(seq)));
        batch.through = ShareSeq(through);
        Ok(())
    }

    fn newest(&mut self) -> Result<ShareSeq, FeedError> {
        Ok(ShareSeq(u64::MAX))
    }

    fn oldest(&mut self) -> Result<ShareSeq, FeedError> {
        Ok(ShareSeq(0))
    }
}
