//! Postings of a commit: headers, then all entries in one statement (the database refuses any other way), then the
//! balances that they change.

use std::collections::{BTreeMap, HashMap};

use pool_domain::units::Amount;
use tokio_postgres::types::Type;

use super::{Numeric, Stamp, Step, StoreError, column, corrupt, sql};
use crate::ports::store::Posting;

/// The account of the pool itself.
const POOL: i64 = 0;
/// Accounts whose numbers are alike but for this many bits share a row of entries.
const PART_BITS: u32 = 6;

/// The columns of an account's balances, in order.
const MINERS: [&str; 4] = ["miner_pending", "miner_confirmed", "miner_reserved", "payouts_sent"];
const PENDING: usize = 0;

/// What a commit adds to the balances of an account, and the credits among it.
#[derive(Default)]
struct Moved {
    amounts: [Option<Amount>; MINERS.len()],
    credits: Option<(i64, i64)>,
}

/// What a commit adds to balances.
#[derive(Default)]
struct AllMoved {
    miners: BTreeMap<i64, Moved>,
    pool: BTreeMap<&'static str, Amount>,
}

impl AllMoved {
    fn add(
        &mut self,
        transaction: i64,
        (owner, kind): (i64, &'static str),
        amount: Amount,
    ) -> Result<(), StoreError> {
        let sum = if owner == POOL {
            self.pool.entry(kind).or_default()
        } else {
            let place = MINERS.iter().position(|known| *known == kind);
            let place = place.ok_or_else(|| corrupt(format!("a miner's account of kind {kind}")))?;
            let moved = self.miners.entry(owner).or_default();
            if place == PENDING && amount > Amount::ZERO {
                let (first, last) = moved.credits.unwrap_or((transaction, transaction));
                moved.credits = Some((first.min(transaction), last.max(transaction)));
            }
            moved.amounts[place].get_or_insert_default()
        };
        *sum = sum
            .checked_add(amount)
            .ok_or_else(|| corrupt("the amounts of one commit are beyond 128 bits"))?;
        Ok(())
    }
}

impl Step<'_> {
    pub(super) async fn post(&self, postings: &[Posting]) -> Result<(), StoreError> {
        if postings.is_empty() {
            return Ok(());
        }
        let ids = self.headers(postings).await?;
        let mut moved = AllMoved::default();
        let types = [Type::INT8, Type::TEXT, Type::INT8, Type::INT8_ARRAY, Type::NUMERIC_ARRAY];
        let mut copy = self.copy(sql::LINES_COPY, &types).await?;
        for posting in postings {
            let id = *ids
                .get(&posting.transaction.cause().key())
                .ok_or_else(|| corrupt("a ledger transaction has no number"))?;
            let mut lines = Vec::with_capacity(posting.transaction.entries().len());
            for entry in posting.transaction.entries() {
                let owner = match entry.account.owner() {
                    Some(account) => self.account(account)?,
                    None => POOL,
                };
                let kind = entry.account.kind();
                lines.push((kind, owner, entry.amount));
                moved.add(id, (owner, kind), entry.amount)?;
            }
            // By name they were in order; a row holds accounts whose numbers are close.
            lines.sort_unstable_by_key(|(kind, owner, _)| (*kind, *owner));
            let together = |one: &(_, i64, _), other: &(_, i64, _)| {
                (one.0, one.1 >> PART_BITS) == (other.0, other.1 >> PART_BITS)
            };
            for row in lines.chunk_by(together) {
                let Some((kind, first, _)) = row.first() else { continue };
                let owners: Vec<i64> = row.iter().map(|(_, owner, _)| *owner).collect();
                let amounts: Vec<Numeric> = row.iter().map(|(.., amount)| Numeric::from(*amount)).collect();
                copy.row(&[&id, kind, &(first >> PART_BITS), &owners, &amounts]).await?;
            }
        }
        copy.finish().await?;
        self.move_balances(&moved).await
    }

    /// Accounts without balances are rare: they are looked for only when fewer rows than expected were there.
    async fn move_balances(&self, moved: &AllMoved) -> Result<(), StoreError> {
        self.run(sql::BALANCES_LOCK, &[]).await?;
        if !moved.miners.is_empty() {
            let owners: Vec<i64> = moved.miners.keys().copied().collect();
            let column = |place: usize| {
                let amounts = moved.miners.values().map(|moved| moved.amounts[place]);
                let amounts: Vec<Option<Numeric>> = amounts.map(|amount| amount.map(Numeric::from)).collect();
                // A kind that nothing is added to at all needs no list.
                amounts.iter().any(Option::is_some).then_some(amounts)
            };
            let [pending, confirmed, reserved, paid] = [0, 1, 2, 3].map(column);
            let credits = |pick: fn((i64, i64)) -> i64| {
                let numbers = moved.miners.values().map(|moved| moved.credits.map(pick));
                let numbers: Vec<Option<i64>> = numbers.collect();
                numbers.iter().any(Option::is_some).then_some(numbers)
            };
            let (first, last) = (credits(|(first, _)| first), credits(|(_, last)| last));
            let lists: [&(dyn tokio_postgres::types::ToSql + Sync); 7] =
                [&owners, &pending, &confirmed, &reserved, &paid, &first, &last];
            let there = self.count(sql::BALANCES_UPDATE, &lists).await?;
            if there < owners.len() as u64 {
                self.run(sql::BALANCES_INSERT, &lists).await?;
            }
        }
        if !moved.pool.is_empty() {
            let kinds: Vec<&str> = moved.pool.keys().copied().collect();
            let amounts: Vec<Numeric> = moved.pool.values().map(|amount| Numeric::from(*amount)).collect();
            self.run(sql::POOL_BALANCES_ADD, &[&kinds, &amounts]).await?;
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
