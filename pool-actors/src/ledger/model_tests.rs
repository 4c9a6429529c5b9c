//! Random histories through the ledger's rules, against a recomputation that walks everything from the start:
//! two hash functions, siblings, shares before and after their candidate's record, shares lost in a crash or answered
//! "stale", colour flips, changing rewards, reorganisations of everything that is not mature, other fees and factors from a
//! restart on, restarts and batch cuts at any point, a database that goes away in the middle of a commit, clocks that step
//! back and forth, payouts under thresholds that change. The auditor (`crate::audit`) then goes over journal and books of each.
//!
//! On a difference, the shortest history that shows it is printed, and the seed that repeats it (`cc ...`, which is also kept
//! in `proptest-regressions/`).

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use pool_domain::{
    accounting::{Balances, LedgerAccount},
    ids::{Account, AlgorithmName, BlockHash, ShareSeq, WorkerName},
    maturity::{BlockStatus, Color},
    pplns::Scheme,
    split::split,
    units::{Amount, BasisPoints, TimeMs, Work},
};
use proptest::prelude::*;

mod history;
mod journal;
mod payouts;
mod recount;
mod store;
mod world;

use self::{history::*, journal::*, payouts::*, recount::*, store::*, world::*};
use super::{
    book::Book,
    feed::{FeedBatch, FeedError, FoundBlock, LedgerFeed, LedgerRecord, RecordKind, ShareLine},
    windows::RewardPolicy,
};
use crate::{
    audit::{Auditor, Line as AuditLine, Replay, Report},
    messages::share::WorkerIdentity,
    ports::{
        books::{BookBlock, BookItem, BookTransaction},
        node::BlockObservation,
        store::{Anchor, BlockRow, LedgerCommit, LedgerState, Position, Posting, Split, WindowMark},
    },
};

const SHARE_WAIT_MS: u64 = 10_000;
const RETIRED_MS: u64 = 7 * 24 * 3_600 * 1_000;

/// The second implementation over the same journal and what the store holds.
fn audited(world: &World) -> Report {
    let mut replay = Replay::new(ShareSeq(1));
    for Line { seq, what } in &world.journal.0 {
        let line = match what.clone() {
            What::Share { worker, algorithm, work, at, candidate } => AuditLine::Share {
                account: worker.account.clone(),
                worker: worker.worker.clone(),
                algorithm,
                work,
                at,
                candidate,
            },
            What::Other(RecordKind::Candidate(found)) => AuditLine::Candidate {
                id: found.candidate,
                hash: found.hash,
                algorithm: found.algorithm.clone(),
                network_work: found.network_work,
                account: found.finder.account.clone(),
                worker: found.finder.worker.clone(),
                at: found.at,
            },
            What::Other(RecordKind::Verdict { hash, at, refusal }) => {
                AuditLine::Verdict { hash, at, accepted: refusal.is_none() }
            }
            What::Other(RecordKind::Epoch) => AuditLine::Epoch,
            What::Other(RecordKind::Winning { .. }) => unreachable!("a share with its candidate"),
        };
        replay.line(*seq, line);
    }
    let mut auditor = Auditor::default();
    let mut replay = Some(replay);
    for item in world.store.books() {
        auditor.item(item);
        // Behind the position, which is the first.
        if let Some(replay) = replay.take() {
            auditor.replayed("n", replay);
        }
    }
    auditor.finish()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, max_shrink_iters: 4_000, ..ProptestConfig::default() })]
    #[test]
    fn any_history_gives_the_money_of_a_naive_recount(
        ops in prop::collection::vec(op(), 1..120),
        fee in 0_u32..300,
        factor in prop_oneof![Just(20_000_u32), 1_000_u32..40_000],
    ) {
        let policy = RewardPolicy { scheme: Scheme::Pplns { factor: BasisPoints(factor) }, fee: BasisPoints(fee) };
        let mut world = World::new(policy);
        for op in ops {
            world.run(&op);
        }
        world.back();
        world.take();
        world.cut();
        let recount = Recount::of(&world.told);
        let statuses: BTreeMap<_, _> = world.store.blocks.iter().map(|(hash, row)| (*hash, row.life.stage())).collect();
        let expected: BTreeMap<_, _> = recount.blocks.iter().map(|(hash, block)| (*hash, block.status)).collect();
        prop_assert_eq!(statuses, expected);
        for (hash, block) in &recount.blocks {
            let weights = world.store.splits.get(hash).map(|split| split.weights.clone());
            if weights.as_ref().is_some_and(|weights| weights.len() > 1) || block.weights.as_ref().is_some_and(|weights| weights.len() > 1) {
                prop_assert_eq!(&weights, &block.weights, "window of {}", hash);
            }
        }
        let miners = |account: &LedgerAccount| account.owner().is_some() || matches!(account, LedgerAccount::FeePending | LedgerAccount::FeeConfirmed);
        let balances: BTreeMap<_, _> = world.store.balances.iter()
            .filter(|(account, amount)| miners(account) && !amount.is_zero())
            .map(|(account, amount)| (account.clone(), amount.0)).collect();
        prop_assert_eq!(balances, world.payouts.moved(recount.balances()));
        // What miners and pool have is what the chain gave or owes: nothing is made, nothing lost.
        let all = Amount::checked_sum(world.store.balances.iter().map(|(_, amount)| amount));
        prop_assert_eq!(all, Some(Amount::ZERO));
        let report = audited(&world);
        prop_assert!(report.clean && report.unchecked.is_empty(), "the auditor: {:?} {:?}", report.first.first(), report.unchecked);
        let credited: u64 = world.store.shares.values().map(|(count, _)| count).sum();
        prop_assert_eq!(credited, recount.shares.len() as u64);
    }
}

#[test]
fn a_block_that_is_void_while_the_database_is_away_gets_no_split_when_its_share_comes() {
    let policy = RewardPolicy { scheme: Scheme::Pplns { factor: BasisPoints(20_000) }, fee: BasisPoints(0) };
    let mut world = World::new(policy);
    let order = Order::CandidateFirst;
    world.run(&Op::Win { who: 0, algorithm: 1, work: 1, network_work: 1, order });
    world.run(&Op::Share { who: 1, algorithm: 1, work: 1 });
    world.run(&Op::Away { arrives: false });
    world.run(&Op::Reorganise { depth: 1, color: Color::Unknown, reward: None });
    world.run(&Op::Verdict { which: 0, accepted: true });
    world.run(&Op::Observe { which: 0, color: Color::Red, reward: None, income: None, mature: true });
    world.run(&Op::Deliver);
    world.back();
    world.take();
    world.cut();
    let statuses: Vec<_> = world.store.blocks.values().map(|row| row.life.stage()).collect();
    assert_eq!(statuses, [BlockStatus::Void]);
    assert!(world.store.splits.is_empty());
}

#[test]
fn what_no_block_will_reach_keeps_nothing_of_the_journal() {
    let policy = RewardPolicy { scheme: Scheme::Pplns { factor: BasisPoints(20_000) }, fee: BasisPoints(0) };
    let mut world = World::new(policy);
    for _ in 0..40 {
        world.run(&Op::Share { who: 0, algorithm: 0, work: 10 });
    }
    world.run(&Op::Cut);
    assert_eq!((world.book.sizes().0, world.book.journal_needed_after()), (40, ShareSeq(0)), "no block yet");
    // The template says that a block takes 10 work: eight windows of 20 are kept.
    world.run(&Op::Expect { algorithm: 0, work: 10 });
    world.run(&Op::Share { who: 0, algorithm: 0, work: 10 });
    world.run(&Op::Cut);
    assert_eq!(world.book.sizes().0, 16);
    assert!(world.book.journal_needed_after() > ShareSeq(0));
    // Another function takes over, and after a week nothing of the first one is needed.
    world.run(&Op::Share { who: 1, algorithm: 1, work: 10 });
    world.run(&Op::Cut);
    assert_eq!(world.book.sizes().0, 17);
    world.run(&Op::Pause(RETIRED_MS));
    world.run(&Op::Share { who: 1, algorithm: 1, work: 10 });
    world.run(&Op::Cut);
    assert_eq!(world.book.sizes().0, 1, "the second function had no share for a week, either");
    let newest = world.book.position().seq;
    assert!(world.book.journal_needed_after() < newest);
    world.run(&Op::Restart);
    assert_eq!(world.book.sizes().0, 1);
}
