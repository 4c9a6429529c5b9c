//! Blocks of a commit: their state, parents, splits and history.

use std::collections::HashMap;

use pool_domain::{maturity::BlockLife, units::Amount};
use tokio_postgres::types::Type;

use super::{
    super::super::weights, BlockNumbers, Numeric, Stamp, Step, StoreError, clean, column, corrupt, read,
    signed, sql,
};
use crate::ports::store::{BlockChange, Split};

const BLOCK_TYPES: [Type; 22] = [
    Type::INT4,
    Type::BYTEA,
    Type::TEXT,
    Type::INT8,
    Type::INT8,
    Type::INT8,
    Type::INT8,
    Type::TEXT,
    Type::NUMERIC,
    Type::INT8,
    Type::INT8,
    Type::TIMESTAMPTZ,
    Type::TEXT,
    Type::TEXT,
    Type::INT8,
    Type::NUMERIC,
    Type::NUMERIC,
    Type::BYTEA,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TIMESTAMPTZ,
];

const SPLIT_TYPES: [Type; 9] = [
    Type::INT8,
    Type::TEXT,
    Type::INT4,
    Type::INT8,
    Type::INT8,
    Type::BYTEA,
    Type::INT4,
    Type::NUMERIC,
    Type::BYTEA,
];

impl Step<'_> {
    pub(super) async fn put_blocks(&self, node: &str, changes: &[BlockChange]) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        self.run(sql::BLOCKS_LOCK, &[]).await?;
        let mut copy = self.copy(sql::BLOCKS_COPY, &BLOCK_TYPES).await?;
        for (line, change) in (0_i32..).zip(changes) {
            let row = &change.row;
            copy.row(&[
                &line,
                &row.hash.0.as_slice(),
                &node,
                &row.candidate.cast_signed(),
                &signed(row.candidate_seq.0)?,
                &row.anchor.map(|seq| signed(seq.0)).transpose()?,
                &signed(row.fallback.0)?,
                &row.algorithm.as_str(),
                &Numeric::from(row.network_work),
                &row.height.map(signed).transpose()?,
                &self.worker(&row.account, &row.worker)?,
                &Stamp(row.found_at),
                &row.life.stage().as_str(),
                &row.life.color().as_str(),
                &signed(row.confirmations)?,
                &numeric(row.life.reward()),
                &numeric(row.income.reward()),
                &row.merging_block.as_ref().map(|hash| hash.0.as_slice()),
                &json(&row.life)?,
                &json(&row.income)?,
                &row.reason.as_deref().map(clean),
                &self.at,
            ])
            .await?;
        }
        copy.finish().await?;
        let mut numbers = HashMap::with_capacity(changes.len());
        for row in self.query(sql::BLOCKS_MERGE, &[]).await? {
            numbers.insert(read::hash(column(&row, 1)?)?, column(&row, 0)?);
        }
        self.put_parents(changes, &numbers).await?;
        self.put_splits(changes, &numbers).await?;
        self.put_history(changes, &numbers).await
    }

    async fn put_parents(&self, changes: &[BlockChange], numbers: &BlockNumbers) -> Result<(), StoreError> {
        let changed: Vec<&BlockChange> = changes.iter().filter(|change| change.parents_changed).collect();
        if changed.is_empty() {
            return Ok(());
        }
        let removed = changed.iter().map(|change| number(numbers, change));
        let removed = removed.collect::<Result<Vec<i64>, _>>()?;
        self.run(sql::PARENTS_REMOVE, &[&removed]).await?;
        let mut copy = self.copy(sql::PARENTS_COPY, &[Type::INT8, Type::INT4, Type::BYTEA]).await?;
        for change in changed {
            let number = number(numbers, change)?;
            for (position, parent) in (0_i32..).zip(&change.row.parents) {
                copy.row(&[&number, &position, &parent.0.as_slice()]).await?;
            }
        }
        copy.finish().await
    }

    async fn put_splits(&self, changes: &[BlockChange], numbers: &BlockNumbers) -> Result<(), StoreError> {
        let splits = changes.iter().filter_map(|change| Some((change, change.split.as_ref()?)));
        let splits: Vec<(&BlockChange, &Split)> = splits.collect();
        if splits.is_empty() {
            return Ok(());
        }
        let mut copy = self.copy(sql::SPLITS_COPY, &SPLIT_TYPES).await?;
        for (change, split) in splits {
            let packed = split.weights.iter().map(|(account, work)| Ok((self.account(account)?, *work)));
            let mut packed = packed.collect::<Result<Vec<_>, StoreError>>()?;
            packed.sort_unstable_by_key(|(account, _)| *account);
            copy.row(&[
                &number(numbers, change)?,
                &split.scheme,
                &i32::try_from(split.fee.0).map_err(|_| corrupt("a fee is beyond 100%"))?,
                &split.first_seq.map(|seq| signed(seq.0)).transpose()?,
                &signed(split.last_seq.0)?,
                &weights::pack(&packed),
                &split
                    .factor
                    .map(|factor| i32::try_from(factor.0))
                    .transpose()
                    .map_err(|_| corrupt("a window factor is beyond 31 bits"))?,
                &split.first_counted.map(Numeric::from),
                &split.root.as_slice(),
            ])
            .await?;
        }
        copy.finish().await
    }

    async fn put_history(&self, changes: &[BlockChange], numbers: &BlockNumbers) -> Result<(), StoreError> {
        if changes.iter().all(|change| change.steps.is_empty()) {
            return Ok(());
        }
        let types = [Type::INT8, Type::TIMESTAMPTZ, Type::TEXT, Type::TEXT, Type::TEXT];
        let mut copy = self.copy(sql::HISTORY_COPY, &types).await?;
        for change in changes {
            let number = number(numbers, change)?;
            for step in &change.steps {
                copy.row(&[
                    &number,
                    &Stamp(step.at),
                    &step.status.as_str(),
                    &step.color.as_str(),
                    &step.reason.as_deref().map(clean),
                ])
                .await?;
            }
        }
        copy.finish().await
    }
}

fn number(numbers: &BlockNumbers, change: &BlockChange) -> Result<i64, StoreError> {
    numbers.get(&change.row.hash).copied().ok_or_else(|| corrupt("a stored block has no number"))
}

fn numeric(amount: Option<Amount>) -> Option<Numeric> {
    amount.map(Numeric::from)
}

fn json(life: &BlockLife) -> Result<String, StoreError> {
    serde_json::to_string(life).map_err(|error| corrupt(format!("a block's life has no JSON form: {error}")))
}
