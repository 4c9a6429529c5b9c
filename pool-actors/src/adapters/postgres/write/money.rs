//! Postings of a commit: headers, then all entries in one statement (the database refuses any other way), then the
//! balances that they change.

use std::collections::{BTreeMap, HashMap};

use pool_domain::units::Amount;
use tokio_postgres::types::Type;

use super::{Numeric, Stamp, Step, StoreError, column, corrupt, sql};
use crate::ports::store::Posting;

/// The account of the pool itself.
const POOL: i64 = 0;

/// What a commit adds to balances, by account and kind.
type Moved = BTreeMap<(i64, &'static str), Amount>;

impl Step<'_> {
    pub(super) async fn post(&self, postings: &[Posting]) -> Result<(), StoreError> {
        if postings.is_empty() {
            return Ok(());
        }
        let ids = self.headers(postings).await?;
        let mut moved = Moved::new();
        let types = [Type::INT8, Type::INT4, Type::TEXT, Type::INT8, Type::NUMERIC];
        let mut copy = self.copy(sql::ENTRIES_COPY, &types).await?;
        for posting in postings {
            let id = ids
                .get(&posting.transaction.cause().key())
                .ok_or_else(|| corrupt("a ledger transaction has no number"))?;
            for (line, entry) in (0_i32..).zip(posting.transaction.entries()) {
                let owner = match entry.account.owner() {
                    Some(account) => self.account(account)?,
                    None => POOL,
                };
                let kind = entry.account.kind();
                copy.row(&[id, &line, &kind, &owner, &Numeric::from(entry.amount)]).await?;
                let sum = moved.entry((owner, kind)).or_default();
                *sum = sum
                    .checked_add(entry.amount)
                    .ok_or_else(|| corrupt("the amounts of one commit are beyond 128 bits"))?;
            }
        }
        copy.finish().await?;
        self.move_balances(&moved).await
    }

    /// New balances are rare: they are looked for only when fewer rows than expected were there.
    async fn move_balances(&self, moved: &Moved) -> Result<(), StoreError> {
        let mut copy = self.copy(sql::BALANCES_COPY, &[Type::TEXT, Type::INT8, Type::NUMERIC]).await?;
        for ((owner, kind), amount) in moved {
            copy.row(&[kind, owner, &Numeric::from(*amount)]).await?;
        }
        copy.finish().await?;
        self.run(sql::BALANCES_LOCK, &[]).await?;
        let there = self.count(sql::BALANCES_UPDATE, &[]).await?;
        if there < moved.len() as u64 {
            self.run(sql::BALANCES_INSERT, &[]).await?;
        }
        Ok(())
    }

    async fn headers(&self, postings: &[Posting]) -> Result<HashMap<String, i64>, StoreError> {
        let references: Vec<String> =
            postings.iter().map(|posting| posting.transaction.cause().key()).collect();
        let kinds: Vec<&str> = postings.iter().map(|posting| posting.transaction.cause().kind()).collect();
        let blocks: Vec<Option<&[u8]>> =
            postings.iter().map(|posting| posting.block.as_ref().map(|hash| hash.0.as_slice())).collect();
        let times: Vec<Stamp> = postings.iter().map(|posting| Stamp(posting.at)).collect();
        let rows = self.query(sql::TRANSACTIONS_ADD, &[&references, &kinds, &blocks, &times]).await?;
        rows.iter().map(|row| Ok((column(row, 1)?, column(row, 0)?))).collect()
    }
}
