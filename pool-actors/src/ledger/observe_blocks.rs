//! What the node says of our blocks, turned into postings: colour may flip and rewards may change until a block is
//! mature, and the ledger follows by compensating entries.

use std::collections::{BTreeMap, BTreeSet};

use pool_domain::{
    accounting::{CreditId, Income, Transaction},
    ids::BlockHash,
    maturity::{BlockEvent, BlockLife, BlockStatus, Color, LedgerStep, MaturityError},
    postings::Credit,
    split::split,
    units::{Amount, TimeMs},
};

use super::{
    book::{Book, Draft},
    feed::{FeedError, LedgerFeed},
};
use crate::ports::{
    node::BlockObservation,
    store::{BlockRow, Posting, Split},
};

/// What an observation makes of a block, and the money it moves.
struct Plan {
    life: BlockLife,
    income: BlockLife,
    moves: Vec<(Income, LedgerStep, Amount)>,
    matured: bool,
}

impl Plan {
    /// `None` when the block's stage is not one that observations change.
    fn of(row: &BlockRow, seen: &BlockObservation) -> Result<Option<Self>, MaturityError> {
        if row.life.stage() != BlockStatus::Accepted {
            return Ok(None);
        }
        let mut plan =
            Self { life: row.life.clone(), income: row.income.clone(), moves: Vec::new(), matured: false };
        // At maturity a block that merged no reds is known to have no such income.
        let income = seen.red_merge_income.or(seen.mature.then_some(Amount::ZERO));
        plan.apply(Income::Block, BlockEvent::Colored { color: seen.color, reward: seen.reward })?;
        plan.apply(Income::RedMerge, BlockEvent::Colored { color: seen.color, reward: income })?;
        if seen.mature {
            match plan.apply(Income::Block, BlockEvent::Matured) {
                // Deep, but the node can't say yet what came of it: asked again later.
                Err(MaturityError::ColorUnknown | MaturityError::RewardUnknown) => {}
                Err(error) => return Err(error),
                Ok(()) => {
                    plan.apply(Income::RedMerge, BlockEvent::Matured)?;
                    plan.matured = true;
                }
            }
        }
        Ok(Some(plan))
    }

    fn apply(&mut self, income: Income, event: BlockEvent) -> Result<(), MaturityError> {
        let life = match income {
            Income::Block => &mut self.life,
            Income::RedMerge => &mut self.income,
        };
        let before = life.credited();
        for step in life.apply(event)? {
            let amount = match step {
                LedgerStep::Credit { reward, .. } => reward,
                // Only what is pending is ever voided or posted.
                LedgerStep::Void { .. } | LedgerStep::Post { .. } => {
                    before.map_or(Amount::ZERO, |(_, reward)| reward)
                }
            };
            self.moves.push((income, step, amount));
        }
        Ok(())
    }
}

impl Book {
    /// Blocks whose split is needed to take in these observations.
    #[must_use]
    pub fn splits_needed(&self, observations: &[BlockObservation]) -> Vec<BlockHash> {
        let moves_money = |seen: &&BlockObservation| {
            let plan = self.open.get(&seen.hash).map(|block| Plan::of(&block.row, seen));
            matches!(plan, Some(Ok(Some(plan))) if !plan.moves.is_empty())
        };
        let needed: BTreeSet<_> = observations.iter().filter(moves_money).map(|seen| seen.hash).collect();
        needed.into_iter().collect()
    }

    /// Takes in observations; the next cut says what the store has to change. `splits` holds those that
    /// [`Book::splits_needed`] named and the store knows.
    ///
    /// # Errors
    /// When a posting can't be made: the ledger must not go on.
    pub fn observe(
        &mut self,
        observations: &[BlockObservation],
        splits: &BTreeMap<BlockHash, Split>,
        now: TimeMs,
        feed: &mut dyn LedgerFeed,
    ) -> Result<(), FeedError> {
        let mut draft = std::mem::take(&mut self.draft);
        draft.commit.at = draft.commit.at.max(now);
        // An idle pool writes no records, so its own clock ends the wait for a share; but not while the share may be among
        // records that were not read yet.
        if self.waits_for_shares() && feed.newest()? <= self.position().seq {
            self.settle_lost(Some(now), &mut draft, feed)?;
        }
        for seen in observations {
            let Some(block) = self.open.get_mut(&seen.hash) else { continue };
            let split = splits.get(&seen.hash).or_else(|| draft.split(&seen.hash)).cloned();
            match Plan::of(&block.row, seen) {
                Ok(None) => {}
                // Its winning share is still to come; the next observation finds it.
                Ok(Some(plan)) if split.is_none() && !plan.moves.is_empty() => {}
                Ok(Some(plan)) => {
                    follow(&mut block.row, seen, plan, split.as_ref(), now, &mut draft)?;
                    if block.row.life.stage().is_final() {
                        // Now, not at the next cut, which may be far away while the database is: a block that is void
                        // needs no split, whenever its share comes.
                        self.waiting.remove(&block.row.candidate);
                    }
                }
                Err(error) => tracing::warn!(block = %seen.hash, "observation ignored: {error}"),
            }
        }
        self.draft = draft;
        Ok(())
    }
}

/// Brings row and ledger in line with an observation.
fn follow(
    row: &mut BlockRow,
    seen: &BlockObservation,
    plan: Plan,
    split: Option<&Split>,
    now: TimeMs,
    draft: &mut Draft,
) -> Result<(), FeedError> {
    let color_before = row.life.color();
    let height = seen.height.or(row.height);
    let figures = (seen.confirmations, seen.merging_block, height);
    if figures != (row.confirmations, row.merging_block, row.height)
        || plan.life != row.life
        || plan.income != row.income
    {
        draft.touch(row.hash);
    }
    (row.confirmations, row.merging_block, row.height) = figures;
    if !seen.parents.is_empty() && seen.parents != row.parents {
        row.parents.clone_from(&seen.parents);
        draft.parents_changed(row.hash);
    }
    row.life = plan.life;
    row.income = plan.income;
    for (income, step, amount) in plan.moves {
        let by =
            split.ok_or_else(|| FeedError(format!("block {} moves money but has no split", row.hash)))?;
        let transaction = transaction(row.hash, income, step, amount, by)
            .map_err(|error| FeedError(format!("block {} can't be credited: {error}", row.hash)))?;
        draft.commit.postings.push(Posting { transaction, block: Some(row.hash), at: now });
    }
    if row.life.color() != color_before || plan.matured {
        draft.step(row, now);
    }
    if plan.matured {
        close(row, now, draft);
    }
    Ok(())
}

/// The postings of a mature block are made in the same commit, so its life ends here.
fn close(row: &mut BlockRow, now: TimeMs, draft: &mut Draft) {
    for life in [&mut row.life, &mut row.income] {
        let steps = life.apply(BlockEvent::Closed).expect("a matured block can be closed");
        debug_assert!(steps.is_empty(), "all money was moved before");
    }
    if row.life.color() == Color::Red {
        row.reason = Some("red at maturity".into());
    }
    draft.step(row, now);
}

fn transaction(
    block: BlockHash,
    income: Income,
    step: LedgerStep,
    amount: Amount,
    by: &Split,
) -> Result<Transaction, String> {
    let parts = split(amount, by.fee, &by.weights).map_err(|error| error.to_string())?;
    let (LedgerStep::Void { revision } | LedgerStep::Credit { revision, .. } | LedgerStep::Post { revision }) =
        step;
    let credit = Credit { id: CreditId { block, income, revision }, split: parts };
    let made = match step {
        LedgerStep::Void { .. } => credit.void(),
        LedgerStep::Credit { .. } => credit.pending(),
        LedgerStep::Post { .. } => credit.post(),
    };
    made.map_err(|error| error.to_string())
}
