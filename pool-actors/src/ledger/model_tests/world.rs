//! The ledger under test, and everything around it.

use super::*;

/// What the naive recomputation reads: records and observations in the order they were taken in.
#[derive(Debug, Clone)]
pub(super) enum Told {
    Record(Line),
    Observed(BlockObservation, TimeMs),
    Policy(RewardPolicy),
}

pub(super) struct World {
    pub(super) policy: RewardPolicy,
    pub(super) journal: Journal,
    pub(super) store: Store,
    pub(super) book: Book,
    pub(super) workers: Vec<Arc<WorkerIdentity>>,
    pub(super) deferred: VecDeque<What>,
    pub(super) blocks: Vec<BlockHash>,
    pub(super) told: Vec<Told>,
    pub(super) told_through: usize,
    /// What of these is in the store: the rest is forgotten by a restart, and taken in again.
    pub(super) kept: (usize, usize),
    pub(super) now: u64,
    pub(super) candidates: u64,
    pub(super) payouts: Payouts,
    /// The database is away; whether a commit that is sent then arrives.
    pub(super) away: Option<bool>,
    /// A commit whose answer did not come, and what of the history it holds.
    pub(super) unanswered: Option<(LedgerCommit, (usize, usize))>,
}

impl World {
    pub(super) fn new(policy: RewardPolicy) -> Self {
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
            told: vec![Told::Policy(policy)],
            told_through: 0,
            kept: (1, 0),
            now: 1_000_000,
            candidates: 1_000_000,
            payouts: Payouts::default(),
            away: None,
            unanswered: None,
        }
    }

    pub(super) fn append(&mut self, what: impl Into<What>) {
        // Definitions of names take numbers, too.
        let seq = ShareSeq(self.journal.0.last().map_or(0, |record| record.seq.0) + 1 + self.now % 2);
        self.journal.0.push(Line { seq, what: what.into() });
    }

    pub(super) fn take(&mut self) {
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

    pub(super) fn cut(&mut self) {
        if self.unanswered.is_some() {
            // One at a time: it is tried again until there is an answer.
            return;
        }
        let Some(commit) = self.book.cut() else {
            self.kept = (self.told.len(), self.told_through);
            return;
        };
        assert_eq!(self.book.cut(), None);
        let holds = (self.told.len(), self.told_through);
        if self.away != Some(false) {
            self.store.apply(&commit);
            self.kept = holds;
        }
        if self.away.is_some() {
            self.unanswered = Some((commit, holds));
        }
    }

    /// The database is back: the same commit again, which it knows or does not.
    pub(super) fn back(&mut self) {
        self.away = None;
        let Some((commit, holds)) = self.unanswered.take() else { return };
        if self.store.position.commits == commit.expected.commits {
            self.store.apply(&commit);
            self.kept = holds;
        }
    }

    /// What everybody has earned of blocks that are in the database.
    fn owed(&self) -> BTreeMap<Account, i128> {
        let balances = Recount::of(&self.told[..self.kept.0]).balances();
        let confirmed = balances.into_iter().filter_map(|(of, amount)| match of {
            LedgerAccount::MinerConfirmed(account) => Some((account, amount)),
            _ => None,
        });
        confirmed.collect()
    }

    pub(super) fn run(&mut self, op: &Op) {
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
                self.candidates += 1;
                let candidate = self.candidates;
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
            Op::ClockBack(ms) => self.now = self.now.saturating_sub(ms).max(1_000_000),
            Op::Threshold { who, amount } => self.payouts.set_threshold(who, amount),
            Op::Pay { threshold, recipients_max } if self.away.is_none() => {
                let owed = self.owed();
                self.payouts.pay(&mut self.store, &owed, threshold, recipients_max, at);
            }
            Op::Ends { which, settled, fee } if self.away.is_none() => {
                let fate = if settled { Fate::Settled(fee) } else { Fate::Returned };
                self.payouts.end(&mut self.store, which, fate, at);
            }
            // The dispatcher waits for the database.
            Op::Pay { .. } | Op::Ends { .. } => {}
            Op::Away { arrives } => self.away = Some(arrives),
            Op::Back => self.back(),
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
    pub(super) fn pick(&self, which: usize) -> Option<BlockHash> {
        let journalled: Vec<_> = self.blocks.iter().filter(|hash| self.is_journalled(hash)).collect();
        journalled.get(which.checked_rem(journalled.len())?).map(|hash| **hash)
    }

    pub(super) fn is_journalled(&self, hash: &BlockHash) -> bool {
        self.journal.0.iter().any(
            |record| matches!(&record.what, What::Other(RecordKind::Candidate(found)) if found.hash == *hash),
        )
    }

    pub(super) fn seen(
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

    pub(super) fn observe(&mut self, seen: Vec<BlockObservation>) {
        let at = TimeMs(self.now);
        let needed = self.book.splits_needed(&seen);
        if self.away.is_some() && !needed.is_empty() {
            // They are asked for until the database answers; newer observations take their place.
            return;
        }
        let splits =
            needed.iter().filter_map(|hash| Some((*hash, self.store.splits.get(hash)?.clone()))).collect();
        self.book.observe(&seen, &splits, at, &mut self.journal).unwrap();
        self.told.extend(seen.into_iter().map(|seen| Told::Observed(seen, at)));
        self.cut();
    }

    pub(super) fn restart(&mut self) {
        // A pool does not begin without its database. What was not answered is forgotten with the process.
        (self.away, self.unanswered) = (None, None);
        self.told.truncate(self.kept.0);
        self.told_through = self.kept.1;
        self.book = Book::restore("n", self.policy, self.store.load(), &mut self.journal).unwrap();
    }
}
