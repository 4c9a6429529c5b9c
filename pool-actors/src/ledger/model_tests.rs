//! Random histories through the ledger's rules, against a recomputation that walks everything from the start:
//! two hash functions, siblings, shares before and after their candidate's record, shares lost in a crash or answered
//! "stale", colour flips, changing rewards, reorganisations of everything that is not mature, other fees and factors from a
//! restart on, restarts and batch cuts at any point. The auditor (`crate::audit`) then goes over journal and books of each.

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

/// A record, with names in place of numbers.
#[derive(Debug, Clone)]
struct Line {
    seq: ShareSeq,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    Share {
        worker: Arc<WorkerIdentity>,
        algorithm: AlgorithmName,
        work: Work,
        at: TimeMs,
        candidate: Option<u64>,
    },
    Other(RecordKind),
}

impl From<RecordKind> for What {
    fn from(kind: RecordKind) -> Self {
        Self::Other(kind)
    }
}

/// The journal, kept whole. Names are numbered anew every so many records, as in its segments.
#[derive(Default, Clone)]
struct Journal(Vec<Line>);

/// Records of a segment.
const SEGMENT: usize = 11;

/// The number of a name; a new one if it has none.
fn number_of<T: Clone + PartialEq>(names: &mut Vec<T>, name: &T) -> usize {
    names.iter().position(|known| known == name).unwrap_or_else(|| {
        names.push(name.clone());
        names.len() - 1
    })
}

impl LedgerFeed for Journal {
    fn read(&mut self, after: ShareSeq, records_max: usize, batch: &mut FeedBatch) -> Result<(), FeedError> {
        batch.clear();
        batch.through = after;
        let Some(first) = self.0.iter().position(|line| line.seq > after) else { return Ok(()) };
        let numbering = first / SEGMENT;
        let segment = &self.0[numbering * SEGMENT..self.0.len().min((numbering + 1) * SEGMENT)];
        batch.names.numbering = numbering as u64 + 1;
        (batch.names.workers, batch.names.algorithms) = (Vec::new(), Vec::new());
        for line in segment {
            if batch.shares.len() + batch.others.len() == records_max {
                break;
            }
            let what = match &line.what {
                What::Other(kind) => kind.clone(),
                What::Share { worker, algorithm, work, at, candidate } => {
                    let share = ShareLine {
                        seq: line.seq,
                        work: *work,
                        at: *at,
                        worker: u32::try_from(number_of(&mut batch.names.workers, worker)).unwrap(),
                        algorithm: u16::try_from(number_of(&mut batch.names.algorithms, algorithm)).unwrap(),
                    };
                    match candidate {
                        Some(candidate) => RecordKind::Winning { share, candidate: *candidate },
                        None if line.seq <= after => continue,
                        None => {
                            batch.through = line.seq;
                            batch.shares.push(share);
                            continue;
                        }
                    }
                }
            };
            if line.seq > after {
                batch.through = line.seq;
                batch.others.push(LedgerRecord { seq: line.seq, what });
            }
        }
        Ok(())
    }

    fn newest(&mut self) -> Result<ShareSeq, FeedError> {
        Ok(self.0.last().map_or(ShareSeq(0), |line| line.seq))
    }

    fn oldest(&mut self) -> Result<ShareSeq, FeedError> {
        Ok(ShareSeq(0))
    }
}

/// What a store does with commits, in memory; money is added up by the domain's own balances.
#[derive(Default)]
struct Store {
    position: Position,
    blocks: BTreeMap<BlockHash, BlockRow>,
    splits: BTreeMap<BlockHash, Split>,
    windows: BTreeMap<AlgorithmName, WindowMark>,
    anchors: BTreeSet<Anchor>,
    causes: BTreeSet<String>,
    balances: Balances,
    shares: BTreeMap<(Account, AlgorithmName), (u64, u128)>,
    postings: Vec<Posting>,
}

impl Store {
    fn apply(&mut self, commit: &LedgerCommit) {
        assert_eq!(commit.expected, self.position);
        self.position = Position { seq: commit.seq, commits: self.position.commits + 1 };
        for delta in &commit.shares {
            let sum = self.shares.entry((delta.account.clone(), delta.algorithm.clone())).or_default();
            *sum = (sum.0 + delta.accepted, sum.1 + delta.work.0);
        }
        for mark in &commit.windows {
            self.windows.insert(mark.algorithm.clone(), mark.clone());
        }
        self.anchors.extend(&commit.anchors_added);
        self.anchors.retain(|anchor| !commit.anchors_removed.contains(&anchor.candidate));
        for change in &commit.blocks {
            self.blocks.insert(change.row.hash, change.row.clone());
            if let Some(split) = &change.split {
                assert!(
                    self.splits.insert(change.row.hash, split.clone()).is_none(),
                    "a split is never changed"
                );
            }
        }
        for posting in &commit.postings {
            assert!(self.causes.insert(posting.transaction.cause().key()), "a cause is posted once");
            self.balances.apply(&posting.transaction).unwrap();
            self.postings.push(posting.clone());
        }
    }

    /// The books, as a database shows them to the auditor.
    fn books(&self) -> Vec<BookItem> {
        let transaction = |(id, posting): (usize, &Posting)| {
            let lines = posting.transaction.entries().iter();
            let lines = lines
                .map(|entry| (entry.account.kind().to_owned(), entry.account.owner().cloned(), entry.amount));
            BookTransaction {
                id: id as u64 + 1,
                reference: posting.transaction.cause().key(),
                kind: posting.transaction.cause().kind().to_owned(),
                block: posting.block,
                at: posting.at,
                lines: lines.collect(),
            }
        };
        let transactions: Vec<BookTransaction> = self.postings.iter().enumerate().map(transaction).collect();
        let mut items = vec![BookItem::Position { node: "n".into(), position: self.position }];
        for (hash, row) in &self.blocks {
            let split = self.splits.get(hash).cloned();
            items.push(BookItem::Block(Box::new(BookBlock {
                node: "n".into(),
                stored_root: split.as_ref().map(|split| split.root),
                split,
                status: row.life.stage().to_string(),
                color: row.life.color().to_string(),
                reward: row.life.reward(),
                income: row.income.reward(),
                row: row.clone(),
            })));
            let of_it = transactions.iter().filter(|made| made.block == Some(*hash));
            items.extend(of_it.cloned().map(BookItem::Transaction));
        }
        items.extend(self.balances.iter().map(|(account, amount)| BookItem::Balance {
            kind: account.kind().to_owned(),
            owner: account.owner().cloned(),
            amount,
        }));
        items.extend(self.shares.iter().map(|((account, algorithm), (accepted, work))| BookItem::Shares {
            account: account.clone(),
            worker: WorkerName::default(),
            algorithm: algorithm.clone(),
            accepted: *accepted,
            work: Work(*work),
        }));
        items
    }

    fn load(&self) -> LedgerState {
        LedgerState {
            position: self.position,
            open_blocks: self.blocks.values().filter(|row| !row.life.stage().is_final()).cloned().collect(),
            windows: self.windows.values().cloned().collect(),
            anchors: self.anchors.iter().copied().collect(),
        }
    }
}

#[derive(Debug, Clone)]
enum Op {
    Share {
        who: usize,
        algorithm: usize,
        work: u128,
    },
    Win {
        who: usize,
        algorithm: usize,
        work: u128,
        network_work: u128,
        order: Order,
    },
    Deliver,
    Verdict {
        which: usize,
        accepted: bool,
    },
    Observe {
        which: usize,
        color: Color,
        reward: Option<i128>,
        income: Option<i128>,
        mature: bool,
    },
    Pause(u64),
    Expect {
        algorithm: usize,
        work: u128,
    },
    /// The node tells another colour and reward of up to so many blocks at once.
    Reorganise {
        depth: usize,
        color: Color,
        reward: Option<i128>,
    },
    Crash,
    Restart,
    /// A restart with another configuration.
    Reconfigure {
        fee: u32,
        factor: u32,
    },
    Take,
    Cut,
}

#[derive(Debug, Clone, Copy)]
enum Order {
    ShareFirst,
    CandidateFirst,
    ShareLost,
}

fn op() -> impl Strategy<Value = Op> {
    let share = (0_usize..5, 0_usize..2, 1_u128..60);
    let color = prop_oneof![Just(Color::Unknown), Just(Color::Blue), Just(Color::Blue), Just(Color::Red)];
    let order = prop_oneof![Just(Order::ShareFirst), Just(Order::CandidateFirst), Just(Order::ShareLost)];
    let reward =
        proptest::option::weighted(0.8, prop_oneof![0..9_i128, 0..3_000_000_000_000_000_000_001_i128]);
    let reorganise = (1_usize..=20, color.clone(), reward.clone());
    prop_oneof![
        1 => reorganise.prop_map(|(depth, color, reward)| Op::Reorganise { depth, color, reward }),
        1 => (0_u32..300, 1_000_u32..40_000).prop_map(|(fee, factor)| Op::Reconfigure { fee, factor }),
        12 => share.clone().prop_map(|(who, algorithm, work)| Op::Share { who, algorithm, work }),
        4 => (share, 1_u128..400, order).prop_map(|((who, algorithm, work), network_work, order)| Op::Win {
            who, algorithm, work, network_work, order
        }),
        4 => Just(Op::Deliver),
        3 => (any::<usize>(), prop::bool::weighted(0.9)).prop_map(|(which, accepted)| Op::Verdict { which, accepted }),
        8 => (any::<usize>(), color, reward.clone(), reward, prop::bool::weighted(0.3)).prop_map(
            |(which, color, reward, income, mature)| Op::Observe { which, color, reward, income, mature }
        ),
        1 => (0_u64..15_000).prop_map(Op::Pause),
        1 => (RETIRED_MS - 1_000..RETIRED_MS + 1_000).prop_map(Op::Pause),
        1 => (0_usize..2, 1_u128..400).prop_map(|(algorithm, work)| Op::Expect { algorithm, work }),
        1 => Just(Op::Crash),
        2 => Just(Op::Restart),
        2 => Just(Op::Take),
        2 => Just(Op::Cut),
    ]
}

fn account(who: usize) -> Account {
    Account::new(&format!("miner{who}")).unwrap()
}

fn algorithm(which: usize) -> AlgorithmName {
    AlgorithmName::new(["blake2s", "scrypt"][which]).unwrap()
}

fn hash(number: u64) -> BlockHash {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    BlockHash(bytes)
}

/// What the naive recomputation reads: records and observations in the order they were taken in.
#[derive(Debug, Clone)]
enum Told {
    Record(Line),
    Observed(BlockObservation, TimeMs),
    Policy(RewardPolicy),
}

struct World {
    policy: RewardPolicy,
    journal: Journal,
    store: Store,
    book: Book,
    workers: Vec<Arc<WorkerIdentity>>,
    deferred: VecDeque<What>,
    blocks: Vec<BlockHash>,
    told: Vec<Told>,
    told_through: usize,
    /// What of these is in the store: the rest is forgotten by a restart, and taken in again.
    kept: (usize, usize),
    now: u64,
}

impl World {
    fn new(policy: RewardPolicy) -> Self {
        let mut journal = Journal::default();
        let store = Store::default();
        let book = Book::restore("n", policy, store.load(), &mut journal).unwrap();
        let workers = (0..5)
            .map(|who| Arc::new(WorkerIdentity { account: account(who), worker: WorkerName::default() }))
            .collect();
        Self {
            policy,
            journal,
            store,
            book,
            workers,
            deferred: VecDeque::new(),
            blocks: Vec::new(),
            told: Vec::new(),
            told_through: 0,
            kept: (0, 0),
            now: 1_000_000,
        }
    }

    fn append(&mut self, what: impl Into<What>) {
        // Definitions of names take numbers, too.
        let seq = ShareSeq(self.journal.0.last().map_or(0, |record| record.seq.0) + 1 + self.now % 2);
        self.journal.0.push(Line { seq, what: what.into() });
    }

    fn take(&mut self) {
        for record in &self.journal.0[self.told_through..] {
            self.told.push(Told::Record(record.clone()));
        }
        self.told_through = self.journal.0.len();
        let mut batch = FeedBatch::default();
        loop {
            self.journal.read(self.book.position().seq, 3, &mut batch).unwrap();
            if !self.book.take(&batch, &mut self.journal).unwrap() {
                break;
            }
        }
        // Told again from the start: nothing happens.
        self.journal.read(ShareSeq(0), 1_000, &mut batch).unwrap();
        assert!(!self.book.take(&batch, &mut self.journal).unwrap());
    }

    fn cut(&mut self) {
        if let Some(commit) = self.book.cut() {
            self.store.apply(&commit);
        }
        assert_eq!(self.book.cut(), None);
        self.kept = (self.told.len(), self.told_through);
    }

    fn run(&mut self, op: &Op) {
        self.now += 7;
        let at = TimeMs(self.now);
        match *op {
            Op::Share { who, algorithm: which, work } => self.append(What::Share {
                worker: Arc::clone(&self.workers[who]),
                algorithm: algorithm(which),
                work: Work(work),
                at,
                candidate: None,
            }),
            Op::Win { who, algorithm: which, work, network_work, order } => {
                let candidate = self.now;
                let share = What::Share {
                    worker: Arc::clone(&self.workers[who]),
                    algorithm: algorithm(which),
                    work: Work(work),
                    at,
                    candidate: Some(candidate),
                };
                let found = What::Other(RecordKind::Candidate(Box::new(FoundBlock {
                    candidate,
                    hash: hash(candidate),
                    algorithm: algorithm(which),
                    network_work: Work(network_work),
                    height: None,
                    parents: vec![],
                    finder: Arc::clone(&self.workers[who]),
                    at,
                })));
                self.blocks.push(hash(candidate));
                match order {
                    Order::ShareFirst => {
                        self.append(share);
                        self.deferred.push_back(found);
                    }
                    Order::CandidateFirst => {
                        self.append(found);
                        self.deferred.push_back(share);
                    }
                    Order::ShareLost => self.append(found),
                }
            }
            Op::Deliver => {
                if let Some(record) = self.deferred.pop_front() {
                    self.append(record);
                }
            }
            Op::Verdict { which, accepted } => {
                if let Some(hash) = self.pick(which) {
                    let refusal = (!accepted).then(|| "bad-diffbits".to_owned());
                    self.append(RecordKind::Verdict { hash, at, refusal });
                }
            }
            Op::Observe { which, color, reward, income, mature } => {
                self.take();
                let Some(hash) = self.pick(which) else { return };
                self.observe(vec![self.seen(hash, color, reward, income, mature)]);
            }
            Op::Reorganise { depth, color, reward } => {
                self.take();
                let newest = self.blocks.iter().rev().filter(|hash| self.is_journalled(hash)).take(depth);
                let seen = newest.map(|hash| self.seen(*hash, color, reward, reward, false)).collect();
                self.observe(seen);
            }
            Op::Pause(ms) => self.now += ms,
            Op::Expect { algorithm: which, work } => self.book.expect(&algorithm(which), Work(work)),
            Op::Crash => {
                self.deferred.clear();
                self.append(RecordKind::Epoch);
                self.restart();
            }
            Op::Restart => self.restart(),
            Op::Reconfigure { fee, factor } => {
                let scheme = Scheme::Pplns { factor: BasisPoints(factor) };
                self.policy = RewardPolicy { scheme, fee: BasisPoints(fee) };
                self.restart();
                self.told.push(Told::Policy(self.policy));
                self.kept = (self.told.len(), self.told_through);
            }
            Op::Take => self.take(),
            Op::Cut => {
                self.take();
                self.cut();
            }
        }
    }

    /// A block whose candidate's record is in the journal.
    fn pick(&self, which: usize) -> Option<BlockHash> {
        let journalled: Vec<_> = self.blocks.iter().filter(|hash| self.is_journalled(hash)).collect();
        journalled.get(which.checked_rem(journalled.len())?).map(|hash| **hash)
    }

    fn is_journalled(&self, hash: &BlockHash) -> bool {
        self.journal.0.iter().any(
            |record| matches!(&record.what, What::Other(RecordKind::Candidate(found)) if found.hash == *hash),
        )
    }

    fn seen(
        &self,
        hash: BlockHash,
        color: Color,
        reward: Option<i128>,
        income: Option<i128>,
        mature: bool,
    ) -> BlockObservation {
        BlockObservation {
            hash,
            known: true,
            color,
            confirmations: self.now,
            mature,
            reward: reward.map(Amount),
            red_merge_income: income.map(Amount),
            merging_block: None,
            height: None,
            parents: vec![],
        }
    }

    fn observe(&mut self, seen: Vec<BlockObservation>) {
        let at = TimeMs(self.now);
        let needed = self.book.splits_needed(&seen);
        let splits =
            needed.iter().filter_map(|hash| Some((*hash, self.store.splits.get(hash)?.clone()))).collect();
        self.book.observe(&seen, &splits, at, &mut self.journal).unwrap();
        self.told.extend(seen.into_iter().map(|seen| Told::Observed(seen, at)));
        self.cut();
    }

    fn restart(&mut self) {
        self.told.truncate(self.kept.0);
        self.told_through = self.kept.1;
        self.book = Book::restore("n", self.policy, self.store.load(), &mut self.journal).unwrap();
    }
}

/// A block in the recomputation.
#[derive(Debug, Clone)]
struct Naive {
    candidate: u64,
    algorithm: AlgorithmName,
    network_work: u128,
    finder: Account,
    at: TimeMs,
    before: usize,
    weights: Option<Vec<(Account, Work)>>,
    /// As of when its window was settled.
    fee: BasisPoints,
    status: BlockStatus,
    credits: [Option<i128>; 2],
    rewards: [Option<i128>; 2],
    color: Color,
}

type Shares = Vec<(AlgorithmName, Account, u128, TimeMs)>;

/// Where the window of a share may begin at most: behind the last long time without a share of its function.
fn begins(shares: &[(AlgorithmName, Account, u128, TimeMs)], algorithm: &AlgorithmName) -> usize {
    let (mut begins, mut newest) = (0, None);
    for (index, (of, _, _, at)) in shares.iter().enumerate() {
        if of == algorithm {
            if newest.is_some_and(|newest: TimeMs| at.since(newest) > RETIRED_MS) {
                begins = index;
            }
            newest = newest.max(Some(*at));
        }
    }
    begins
}

/// Walks back from share number `anchor` (an index), as money.md says it.
fn naive_weights(
    policy: RewardPolicy,
    shares: &Shares,
    block: &Naive,
    anchor: Option<usize>,
) -> Vec<(Account, Work)> {
    let mut weights = BTreeMap::<Account, u128>::new();
    let Scheme::Pplns { factor } = policy.scheme else { unreachable!("the model knows PPLNS") };
    let mut left = (block.network_work * u128::from(factor.0) / 10_000).max(1);
    let through = &shares[..anchor.map_or(0, |anchor| anchor + 1)];
    for (of, account, work, _) in through[begins(through, &block.algorithm)..].iter().rev() {
        if *of == block.algorithm && left > 0 {
            *weights.entry(account.clone()).or_default() += left.min(*work);
            left -= left.min(*work);
        }
    }
    if weights.is_empty() {
        weights.insert(block.finder.clone(), 1);
    }
    weights.into_iter().map(|(account, work)| (account, Work(work))).collect()
}

fn newest_of(shares: &Shares, algorithm: &AlgorithmName, before: usize) -> Option<usize> {
    (0..before).rev().find(|index| shares[*index].0 == *algorithm)
}

struct Recount {
    policy: RewardPolicy,
    shares: Shares,
    blocks: BTreeMap<BlockHash, Naive>,
    anchors: BTreeMap<u64, usize>,
}

impl Recount {
    fn settle(&mut self, hash: BlockHash, anchor: Option<usize>) {
        let block = self.blocks.get_mut(&hash).unwrap();
        block.weights = Some(naive_weights(self.policy, &self.shares, block, anchor));
        block.fee = self.policy.fee;
    }

    fn waiting(&self) -> Vec<BlockHash> {
        let waits = |block: &Naive| block.weights.is_none() && !block.status.is_final();
        self.blocks.iter().filter(|(_, block)| waits(block)).map(|(hash, _)| *hash).collect()
    }

    fn too_late(&mut self, now: TimeMs) {
        for hash in self.waiting() {
            let block = &self.blocks[&hash];
            if now.since(block.at) > SHARE_WAIT_MS {
                let anchor = newest_of(&self.shares, &block.algorithm, block.before);
                self.settle(hash, anchor);
            }
        }
    }

    fn record(&mut self, line: &Line) {
        match &line.what {
            What::Share { worker, algorithm, work, at, candidate } => {
                self.shares.push((algorithm.clone(), worker.account.clone(), work.0, *at));
                let here = self.shares.len() - 1;
                if let Some(candidate) = candidate {
                    let waiting =
                        self.waiting().into_iter().find(|hash| self.blocks[hash].candidate == *candidate);
                    match waiting {
                        Some(hash) => self.settle(hash, Some(here)),
                        None => drop(self.anchors.insert(*candidate, here)),
                    }
                }
                self.too_late(*at);
            }
            What::Other(RecordKind::Candidate(found)) => {
                let block = Naive {
                    candidate: found.candidate,
                    algorithm: found.algorithm.clone(),
                    network_work: found.network_work.0,
                    finder: found.finder.account.clone(),
                    at: found.at,
                    before: self.shares.len(),
                    weights: None,
                    fee: BasisPoints::ZERO,
                    status: BlockStatus::Candidate,
                    credits: [None; 2],
                    rewards: [None; 2],
                    color: Color::Unknown,
                };
                self.blocks.insert(found.hash, block);
                if let Some(anchor) = self.anchors.remove(&found.candidate) {
                    self.settle(found.hash, Some(anchor));
                }
            }
            What::Other(RecordKind::Verdict { hash, at, refusal }) => {
                let block = self.blocks.get_mut(hash).unwrap();
                if block.status == BlockStatus::Candidate {
                    block.status =
                        if refusal.is_some() { BlockStatus::Rejected } else { BlockStatus::Accepted };
                }
                self.too_late(*at);
            }
            What::Other(RecordKind::Winning { .. }) => unreachable!("a share with its candidate"),
            What::Other(RecordKind::Epoch) => {
                for hash in self.waiting() {
                    let anchor = newest_of(&self.shares, &self.blocks[&hash].algorithm, self.shares.len());
                    self.settle(hash, anchor);
                }
                self.anchors.clear();
            }
        }
    }

    fn observed(&mut self, seen: &BlockObservation, now: TimeMs) {
        self.too_late(now);
        let Some(block) = self.blocks.get_mut(&seen.hash) else { return };
        if block.status != BlockStatus::Accepted {
            return;
        }
        let mut next = block.clone();
        next.color = seen.color;
        let income = seen.red_merge_income.map(|amount| amount.0).or(seen.mature.then_some(0));
        for (which, told) in [seen.reward.map(|amount| amount.0), income].into_iter().enumerate() {
            next.rewards[which] = if seen.color == Color::Red { None } else { told.or(next.rewards[which]) };
            let due = next.rewards[which].filter(|reward| *reward != 0);
            next.credits[which] = match seen.color {
                Color::Red => None,
                Color::Blue => due,
                Color::Unknown => next.credits[which].filter(|credit| Some(*credit) == next.rewards[which]),
            };
        }
        let known = seen.color == Color::Red || (seen.color == Color::Blue && next.rewards[0].is_some());
        if seen.mature && known {
            next.status = if seen.color == Color::Red { BlockStatus::Void } else { BlockStatus::Paid };
        }
        let money_moves =
            next.credits != block.credits || (next.status == BlockStatus::Paid && next.credits != [None; 2]);
        if block.weights.is_some() || !money_moves {
            *block = next;
        }
    }

    /// What every account should have, by walking over the blocks.
    fn balances(&self) -> BTreeMap<LedgerAccount, i128> {
        let mut balances = BTreeMap::new();
        for block in self.blocks.values() {
            for amount in block.credits.iter().flatten() {
                let weights = block.weights.as_ref().expect("money moves only once the window is known");
                let parts = split(Amount(*amount), block.fee, weights).unwrap();
                let paid = block.status == BlockStatus::Paid;
                for (account, part) in parts.parts {
                    let of = if paid { LedgerAccount::MinerConfirmed } else { LedgerAccount::MinerPending };
                    *balances.entry(of(account)).or_insert(0) += part.0;
                }
                let fee = if paid { LedgerAccount::FeeConfirmed } else { LedgerAccount::FeePending };
                *balances.entry(fee).or_insert(0) += parts.fee.0;
            }
        }
        balances.retain(|_, amount| *amount != 0);
        balances
    }
}

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
        world.take();
        world.cut();
        let mut recount = Recount { policy, shares: vec![], blocks: BTreeMap::new(), anchors: BTreeMap::new() };
        for told in &world.told {
            match told {
                Told::Record(record) => recount.record(record),
                Told::Observed(seen, now) => recount.observed(seen, *now),
                Told::Policy(policy) => recount.policy = *policy,
            }
        }
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
        prop_assert_eq!(balances, recount.balances());
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
