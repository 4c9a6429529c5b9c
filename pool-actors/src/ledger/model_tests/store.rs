//! What a database does with commits, in memory.

use super::*;

/// What a store does with commits, in memory; money is added up by the domain's own balances.
#[derive(Default)]
pub(super) struct Store {
    pub(super) position: Position,
    pub(super) blocks: BTreeMap<BlockHash, BlockRow>,
    pub(super) splits: BTreeMap<BlockHash, Split>,
    pub(super) windows: BTreeMap<AlgorithmName, WindowMark>,
    pub(super) anchors: BTreeSet<Anchor>,
    pub(super) causes: BTreeSet<String>,
    pub(super) balances: Balances,
    pub(super) shares: BTreeMap<(Account, AlgorithmName), (u64, u128)>,
    pub(super) postings: Vec<Posting>,
}

impl Store {
    pub(super) fn apply(&mut self, commit: &LedgerCommit) {
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
            self.post(posting.clone());
        }
    }

    /// Money moves, once for each cause.
    pub(super) fn post(&mut self, posting: Posting) {
        assert!(self.causes.insert(posting.transaction.cause().key()), "a cause is posted once");
        self.balances.apply(&posting.transaction).unwrap();
        self.postings.push(posting);
    }

    /// The books, as a database shows them to the auditor.
    pub(super) fn books(&self) -> Vec<BookItem> {
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
        let of_none = transactions.iter().filter(|made| made.block.is_none());
        items.extend(of_none.cloned().map(BookItem::Transaction));
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

    pub(super) fn load(&self) -> LedgerState {
        LedgerState {
            position: self.position,
            open_blocks: self.blocks.values().filter(|row| !row.life.stage().is_final()).cloned().collect(),
            windows: self.windows.values().cloned().collect(),
            anchors: self.anchors.iter().copied().collect(),
        }
    }
}
