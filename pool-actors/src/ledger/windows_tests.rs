use std::sync::Arc;

use pool_domain::ids::WorkerName;

use super::*;
use crate::messages::share::WorkerIdentity;

/// The journal, kept whole, with one numbering.
struct Journal {
    names: FeedNames,
    shares: Vec<ShareLine>,
}

const ALICE: u32 = 0;
const BOB: u32 = 1;
const WORK: Work = Work(10);

impl Journal {
    /// Shares of equal work, one after the other, by these workers.
    fn of(workers: &[u32]) -> Self {
        let worker = |name| {
            let account = Account::new(name).unwrap();
            Arc::new(WorkerIdentity { account, worker: WorkerName::new("rig").unwrap() })
        };
        let names = FeedNames {
            numbering: 1,
            workers: vec![worker("alice"), worker("bob")],
            algorithms: vec![function()],
        };
        let mut journal = Self { names, shares: Vec::new() };
        workers.iter().for_each(|worker| journal.add(*worker));
        journal
    }

    fn add(&mut self, worker: u32) {
        let seq = ShareSeq(self.shares.len() as u64 + 1);
        self.shares.push(ShareLine { seq, work: WORK, at: TimeMs(1_000), worker, algorithm: 0 });
    }

    fn end(&self) -> ShareSeq {
        ShareSeq(self.shares.len() as u64)
    }

    /// Adds a share, and has the windows take it in.
    fn add_to(&mut self, windows: &mut Windows, worker: u32) {
        self.add(worker);
        windows.meet(&self.names);
        windows.push(&self.names, self.shares.last().unwrap()).unwrap();
    }
}

impl LedgerFeed for Journal {
    fn read(&mut self, after: ShareSeq, records_max: usize, batch: &mut FeedBatch) -> Result<(), FeedError> {
        batch.clear();
        batch.names = self.names.clone();
        let later = self.shares.iter().filter(|share| share.seq > after).take(records_max);
        batch.shares.extend(later.copied());
        batch.through = batch.shares.last().map_or(after, |share| share.seq);
        Ok(())
    }

    fn newest(&mut self) -> Result<ShareSeq, FeedError> {
        Ok(self.end())
    }

    fn oldest(&mut self) -> Result<ShareSeq, FeedError> {
        Ok(ShareSeq(0))
    }
}

fn function() -> AlgorithmName {
    AlgorithmName::new("sha256d").unwrap()
}

fn weights(windows: &mut Windows, shares: u64, journal: &mut Journal) -> Vec<(String, u128)> {
    let end = journal.end();
    let window = Work(u128::from(shares) * WORK.0);
    let split = windows.split(&function(), end, window, end, journal).unwrap().unwrap();
    split.weights.into_iter().map(|(account, work)| (account.to_string(), work.0)).collect()
}

/// A window that a restart began with Alice keeps her in its first place. A harder network has it rebuilt from the start
/// of the journal, where that place is Bob's: her next share must not be counted for him.
#[test]
fn a_share_after_a_rebuilt_window_counts_for_its_own_account() {
    let policy = RewardPolicy { scheme: Scheme::Pplns { factor: BasisPoints::ALL }, fee: BasisPoints(0) };
    let mut journal = Journal::of(&[]);
    let mut windows = Windows::new(policy);
    windows.expect(&function(), Work(1));
    for worker in [BOB, ALICE, ALICE] {
        journal.add_to(&mut windows, worker);
    }
    // The network is easy: nobody will look further back than one share.
    let marks = windows.marks();
    assert_eq!((windows.shares(), marks[0].oldest), (1, ShareSeq(3)));
    let mut windows = Windows::restore(policy, &marks, journal.end(), &mut journal).unwrap();
    journal.add_to(&mut windows, ALICE);

    let alice_and_bob = |alice, bob| [("alice".to_owned(), alice), ("bob".to_owned(), bob)];
    assert_eq!(weights(&mut windows, 4, &mut journal), alice_and_bob(30, 10));
    journal.add_to(&mut windows, ALICE);
    assert_eq!(weights(&mut windows, 5, &mut journal), alice_and_bob(40, 10));
}
