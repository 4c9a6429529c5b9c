//! The ledger's rules: from journal records and from what the node says of our blocks to commits of the store. No
//! clock, no actor, no database; the same records always give the same money.
//!
//! **The winning share.** A candidate's record and its share reach the journal by different ways, in either order, tied
//! by the candidate's number. The share's place anchors the window. A share that was lost leaves its block to the rules
//! of [`Book::settle_lost`].

use std::collections::BTreeMap;

use pool_domain::{
    ids::{AlgorithmName, BlockHash, ShareSeq},
    maturity::{BlockEvent, BlockLife, BlockStatus},
    proof::window_root,
    units::{TimeMs, Work},
};

use super::{
    feed::{FeedBatch, FeedError, FeedNames, FoundBlock, LedgerFeed, LedgerRecord, RecordKind, ShareLine},
    sums::Sums,
    windows::{RewardPolicy, Windows},
};
use crate::ports::store::{
    Anchor, BlockChange, BlockRow, BlockStep, LedgerCommit, LedgerState, Position, Split,
};

/// How long a candidate waits for its share; a share that was answered "stale" is not in the journal at all.
const SHARE_WAIT_MS: u64 = 10_000;

/// The ledger in memory: what the store holds once the last commit that it made is applied, and what has been taken in
/// since then. Commits are cut as often as suits the store; where they are cut makes no difference.
#[derive(Debug)]
pub struct Book {
    pub(super) node: String,
    pub(super) policy: RewardPolicy,
    /// Everything through this record was taken in; `commits` counts the cuts.
    position: Position,
    /// Where the last cut was made: what the store holds once that commit is applied.
    cut_at: Position,
    pub(super) draft: Draft,
    sums: Sums,
    pub(super) windows: Windows,
    pub(super) open: BTreeMap<BlockHash, OpenBlock>,
    /// Winning shares whose candidate was not read yet.
    anchors: BTreeMap<u64, ShareSeq>,
    /// Blocks whose winning share was not read yet, by candidate.
    pub(super) waiting: BTreeMap<u64, BlockHash>,
}

/// A block whose life goes on.
#[derive(Debug, Clone)]
pub(super) struct OpenBlock {
    pub(super) row: BlockRow,
}

/// A commit while it is being made.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) commit: LedgerCommit,
    order: Vec<BlockHash>,
    changes: BTreeMap<BlockHash, PendingChange>,
}

#[derive(Debug, Default)]
struct PendingChange {
    split: Option<Split>,
    steps: Vec<BlockStep>,
    parents_changed: bool,
}

impl Draft {
    fn change(&mut self, hash: BlockHash) -> &mut PendingChange {
        self.changes.entry(hash).or_insert_with(|| {
            self.order.push(hash);
            PendingChange::default()
        })
    }

    /// Notes that the block's row changed.
    pub(super) fn touch(&mut self, hash: BlockHash) {
        self.change(hash);
    }

    /// Notes a step of the block's life, as its row says now.
    pub(super) fn step(&mut self, row: &BlockRow, at: TimeMs) {
        let step =
            BlockStep { at, status: row.life.stage(), color: row.life.color(), reason: row.reason.clone() };
        self.change(row.hash).steps.push(step);
    }

    pub(super) fn parents_changed(&mut self, hash: BlockHash) {
        self.change(hash).parents_changed = true;
    }

    /// No block changed.
    pub(super) fn is_untouched(&self) -> bool {
        self.order.is_empty()
    }

    /// The split that was made known in this very commit.
    pub(super) fn split(&self, hash: &BlockHash) -> Option<&Split> {
        self.changes.get(hash)?.split.as_ref()
    }
}

impl Book {
    /// The ledger as the store left it.
    ///
    /// # Errors
    /// When the journal does not hold what the store says.
    pub fn restore(
        node: &str,
        policy: RewardPolicy,
        state: LedgerState,
        feed: &mut dyn LedgerFeed,
    ) -> Result<Self, FeedError> {
        let windows = Windows::restore(policy, &state.windows, state.position.seq, feed)?;
        let mut book = Self {
            node: node.into(),
            policy,
            position: state.position,
            cut_at: state.position,
            draft: Draft::default(),
            sums: Sums::default(),
            windows,
            open: BTreeMap::new(),
            anchors: state.anchors.iter().map(|anchor| (anchor.candidate, anchor.seq)).collect(),
            waiting: BTreeMap::new(),
        };
        for row in state.open_blocks {
            if row.anchor.is_none() {
                book.waiting.insert(row.candidate, row.hash);
            }
            book.open.insert(row.hash, OpenBlock { row });
        }
        Ok(book)
    }

    /// Where the ledger stands.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }

    /// Takes in records; whether there was anything new. `feed` is asked only when a window reaches further back than
    /// memory.
    ///
    /// # Errors
    /// When the journal contradicts itself or can't be read: this ledger must not be used any more.
    pub fn take(&mut self, batch: &FeedBatch, feed: &mut dyn LedgerFeed) -> Result<bool, FeedError> {
        self.sums.meet(&batch.names);
        self.windows.meet(&batch.names);
        if batch.through <= self.position.seq {
            return Ok(false);
        }
        // Taken out, so that the rules below can borrow the rest.
        let mut draft = std::mem::take(&mut self.draft);
        let taken = self.position.seq;
        let mut shares = &batch.shares[batch.shares.partition_point(|share| share.seq <= taken)..];
        for record in batch.others.iter().filter(|record| record.seq > taken) {
            let (before, after) = shares.split_at(shares.partition_point(|share| share.seq < record.seq));
            shares = after;
            self.shares(before, &batch.names, &mut draft, feed)?;
            // First, so that a window that is rebuilt on the way holds this record, too.
            self.position.seq = record.seq;
            self.record(record, &batch.names, &mut draft, feed)?;
        }
        self.shares(shares, &batch.names, &mut draft, feed)?;
        self.draft = draft;
        self.position.seq = batch.through;
        Ok(true)
    }

    /// The network work of the newest template of this function; windows are kept as long as a block of it may need.
    pub fn expect(&mut self, algorithm: &AlgorithmName, network_work: Work) {
        self.windows.expect(algorithm, network_work);
    }

    /// Something waits for a cut that people wait to see: blocks or money, not just shares.
    #[must_use]
    pub fn is_urgent(&self) -> bool {
        !self.draft.is_untouched()
    }

    /// What the store has to change since the last cut; `None` if nothing. From here on the ledger stands behind it: it
    /// must be applied before the next one.
    pub fn cut(&mut self) -> Option<LedgerCommit> {
        if self.position.seq == self.cut_at.seq && !self.is_urgent() {
            return None;
        }
        let draft = std::mem::take(&mut self.draft);
        let mut commit = draft.commit;
        let mut changes = draft.changes;
        commit.shares = self.sums.drain();
        commit.windows = self.windows.marks();
        for hash in draft.order {
            let (Some(block), Some(change)) = (self.open.get(&hash), changes.remove(&hash)) else { continue };
            commit.blocks.push(BlockChange {
                row: block.row.clone(),
                split: change.split,
                steps: change.steps,
                parents_changed: change.parents_changed,
            });
            if block.row.life.stage().is_final() {
                let candidate = block.row.candidate;
                self.open.remove(&hash);
                self.waiting.remove(&candidate);
            }
        }
        commit.node.clone_from(&self.node);
        commit.expected = self.cut_at;
        commit.seq = self.position.seq;
        self.position.commits += 1;
        self.cut_at = self.position;
        Some(commit)
    }

    /// Takes in plain shares in a row.
    fn shares(
        &mut self,
        shares: &[ShareLine],
        names: &FeedNames,
        draft: &mut Draft,
        feed: &mut dyn LedgerFeed,
    ) -> Result<(), FeedError> {
        let mut newest = draft.commit.at;
        for share in shares {
            newest = newest.max(share.at);
            self.windows.push(names, share)?;
            self.sums.add(share);
            if !self.waiting.is_empty() {
                draft.commit.at = newest;
                self.position.seq = share.seq;
                self.settle_lost(Some(share.at), draft, feed)?;
            }
        }
        draft.commit.at = newest;
        Ok(())
    }

    fn record(
        &mut self,
        record: &LedgerRecord,
        names: &FeedNames,
        draft: &mut Draft,
        feed: &mut dyn LedgerFeed,
    ) -> Result<(), FeedError> {
        let seq = record.seq;
        match &record.what {
            RecordKind::Winning { share, candidate } => {
                draft.commit.at = draft.commit.at.max(share.at);
                self.windows.push(names, share)?;
                self.sums.add(share);
                self.winning_share(*candidate, seq, draft, feed)?;
                self.settle_lost(Some(share.at), draft, feed)
            }
            RecordKind::Candidate(found) => self.candidate(seq, found, draft, feed),
            RecordKind::Verdict { hash, at, refusal } => {
                self.verdict(*hash, *at, refusal.as_deref(), draft);
                self.settle_lost(Some(*at), draft, feed)
            }
            RecordKind::Epoch => {
                self.settle_lost(None, draft, feed)?;
                // Their candidates were never made durable, so they were never submitted either.
                draft.commit.anchors_removed.extend(self.anchors.keys());
                self.anchors.clear();
                Ok(())
            }
        }
    }

    fn winning_share(
        &mut self,
        candidate: u64,
        seq: ShareSeq,
        draft: &mut Draft,
        feed: &mut dyn LedgerFeed,
    ) -> Result<(), FeedError> {
        match self.waiting.remove(&candidate) {
            Some(hash) => self.settle(hash, seq, draft, feed),
            None => {
                self.anchors.insert(candidate, seq);
                draft.commit.anchors_added.push(Anchor { candidate, seq });
                Ok(())
            }
        }
    }

    fn candidate(
        &mut self,
        seq: ShareSeq,
        found: &FoundBlock,
        draft: &mut Draft,
        feed: &mut dyn LedgerFeed,
    ) -> Result<(), FeedError> {
        draft.commit.at = draft.commit.at.max(found.at);
        if self.open.contains_key(&found.hash) {
            tracing::warn!(block = %found.hash, "the journal holds this candidate twice; it is one block");
            return Ok(());
        }
        let fallback = self.windows.newest(&found.algorithm);
        let row = BlockRow {
            number: 0,
            hash: found.hash,
            candidate: found.candidate,
            candidate_seq: seq,
            anchor: None,
            fallback,
            algorithm: found.algorithm.clone(),
            network_work: found.network_work,
            height: found.height,
            parents: found.parents.clone(),
            account: found.finder.account.clone(),
            worker: found.finder.worker.clone(),
            found_at: found.at,
            life: BlockLife::new(),
            income: BlockLife::new(),
            confirmations: 0,
            merging_block: None,
            reason: None,
        };
        draft.step(&row, found.at);
        draft.parents_changed(found.hash);
        self.open.insert(found.hash, OpenBlock { row });
        match self.anchors.remove(&found.candidate) {
            Some(anchor) => {
                // Harmless if it was added in this very commit: the store adds first.
                draft.commit.anchors_removed.push(found.candidate);
                self.settle(found.hash, anchor, draft, feed)
            }
            None => {
                self.waiting.insert(found.candidate, found.hash);
                Ok(())
            }
        }
    }

    fn verdict(&mut self, hash: BlockHash, at: TimeMs, refusal: Option<&str>, draft: &mut Draft) {
        draft.commit.at = draft.commit.at.max(at);
        let Some(block) = self.open.get_mut(&hash) else {
            tracing::warn!(block = %hash, "verdict on a block that is settled or unknown; ignored");
            return;
        };
        if !matches!(block.row.life.stage(), BlockStatus::Candidate | BlockStatus::Submitted) {
            return;
        }
        for life in [&mut block.row.life, &mut block.row.income] {
            let verdict = match refusal {
                Some(words) => BlockEvent::Rejected(words.to_owned()),
                None => BlockEvent::Accepted,
            };
            for event in [BlockEvent::Submitted, verdict] {
                let steps =
                    life.apply(event).expect("a block without a verdict can be submitted and get one");
                debug_assert!(steps.is_empty(), "a verdict moves no money");
            }
        }
        block.row.reason = refusal.map(str::to_owned);
        if refusal.is_some() {
            // Now, not at the end of the batch: where batches are cut must not matter.
            self.waiting.remove(&block.row.candidate);
        }
        draft.step(&block.row, at);
    }

    /// Anchors blocks whose share will not come any more:
    ///
    /// * an epoch record says that a crash came in between (`now` is `None`): the newest share before that record,
    /// * [`SHARE_WAIT_MS`] passed by the journal's own times (the share was answered "stale", so it is not there): the
    ///   newest share before the candidate's record.
    pub(super) fn settle_lost(
        &mut self,
        now: Option<TimeMs>,
        draft: &mut Draft,
        feed: &mut dyn LedgerFeed,
    ) -> Result<(), FeedError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let lost: Vec<(u64, BlockHash, ShareSeq)> = self
            .waiting
            .iter()
            .filter_map(|(candidate, hash)| {
                let block = self.open.get(hash)?;
                match now {
                    None => Some((*candidate, *hash, self.windows.newest(&block.row.algorithm))),
                    Some(now) if now.since(block.row.found_at) > SHARE_WAIT_MS => {
                        Some((*candidate, *hash, block.row.fallback))
                    }
                    Some(_) => None,
                }
            })
            .collect();
        for (candidate, hash, anchor) in lost {
            self.waiting.remove(&candidate);
            self.settle(hash, anchor, draft, feed)?;
        }
        Ok(())
    }

    /// Fixes who is paid for the block, once and for all.
    fn settle(
        &mut self,
        hash: BlockHash,
        anchor: ShareSeq,
        draft: &mut Draft,
        feed: &mut dyn LedgerFeed,
    ) -> Result<(), FeedError> {
        let Some(block) = self.open.get_mut(&hash) else { return Ok(()) };
        let row = &mut block.row;
        let split = self.windows.split(&row.algorithm, anchor, row.network_work, self.position.seq, feed)?;
        let split = split.unwrap_or_else(|| {
            tracing::warn!(block = %hash, "no share stands before this block: its finder gets all of it");
            let weights = vec![(row.account.clone(), Work(row.network_work.0.max(1)))];
            Split {
                scheme: "finder".into(),
                factor: None,
                fee: self.policy.fee,
                first_seq: None,
                first_counted: None,
                last_seq: row.candidate_seq,
                root: window_root(&weights),
                weights,
            }
        });
        row.anchor = Some(split.last_seq);
        draft.change(hash).split = Some(split);
        Ok(())
    }

    /// Some block's winning share was not read yet.
    pub(super) fn waits_for_shares(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Our blocks that the node should be asked about, oldest first.
    #[must_use]
    pub fn unsettled(&self) -> Vec<BlockHash> {
        let watched = |block: &&OpenBlock| {
            matches!(block.row.life.stage(), BlockStatus::Accepted | BlockStatus::Matured)
        };
        let mut blocks: Vec<_> = self
            .open
            .values()
            .filter(watched)
            .map(|block| (block.row.candidate_seq, block.row.hash))
            .collect();
        blocks.sort_unstable();
        blocks.into_iter().map(|(_, hash)| hash).collect()
    }

    /// The journal must keep the records after this one.
    #[must_use]
    pub fn journal_needed_after(&self) -> ShareSeq {
        // A block without a verdict is submitted again from its record after a restart.
        let undecided = |block: &&OpenBlock| {
            matches!(block.row.life.stage(), BlockStatus::Candidate | BlockStatus::Submitted)
        };
        let blocks = self.open.values().filter(undecided);
        let blocks = blocks.map(|block| ShareSeq(block.row.candidate_seq.0.saturating_sub(1))).min();
        let windows = self.windows.needed_after(self.position.seq);
        blocks.map_or(windows, |blocks| blocks.min(windows))
    }

    /// Shares and blocks in memory, for people.
    #[must_use]
    pub fn sizes(&self) -> (usize, usize) {
        (self.windows.shares(), self.open.len())
    }
}
