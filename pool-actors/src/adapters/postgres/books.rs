//! The books ([`BooksPort`]).

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures_util::{StreamExt as _, pin_mut};
use pool_domain::{
    accounting::Income,
    ids::{Account, BlockHash},
    units::{Amount, TimeMs},
};
use tokio_postgres::Row;

use super::{
    PostgresStore, ask,
    codec::Numeric,
    read::{
        self, Question, algorithm, amount, column, corrupt, count, optional_count, seq, signed, text, time,
        work, worker,
    },
    session::{Parameters, Session, failure},
    statements::{self as sql, Sql},
    write,
};
use crate::ports::{
    books::{
        Adjusted, Adjustment, AdjustmentRow, BookBlock, BookItem, BookTransaction, BooksPort, CreditQuery,
        CreditRow, CreditState, Visit,
    },
    store::{BlockRow, Position, Split, StoreError},
};

/// Blocks that are read at a time: each may pay thousands of accounts.
const BLOCKS_PAGE: i64 = 100;
/// The account of the pool itself, which owns nothing by name.
const POOL: i64 = 0;

#[async_trait]
impl BooksPort for PostgresStore {
    async fn statement(&self, block: BlockHash) -> Result<Option<(BlockRow, Option<Split>)>, StoreError> {
        self.read(Statement(block)).await
    }

    async fn credits(&self, query: CreditQuery) -> Result<Vec<CreditRow>, StoreError> {
        self.read(query).await
    }

    async fn adjust(&self, at: TimeMs, adjustment: Adjustment) -> Result<Adjusted, StoreError> {
        let inner = std::sync::Arc::clone(&self.inner);
        self.on_thread(async move { inner.writer.lock().await.adjust(at, adjustment).await }).await
    }

    async fn adjustments(&self, before: Option<u64>, limit: usize) -> Result<Vec<AdjustmentRow>, StoreError> {
        self.read(Adjustments { before, limit }).await
    }

    async fn walk(&self, visit: Visit) -> Result<(), StoreError> {
        let inner = std::sync::Arc::clone(&self.inner);
        let walk = Walk(std::sync::Mutex::new(Some(visit)));
        self.on_thread(async move { ask(&inner.gate, &inner.ledger, &walk).await }).await
    }
}

struct Adjustments {
    before: Option<u64>,
    limit: usize,
}

impl Question for Adjustments {
    type Answer = Vec<AdjustmentRow>;

    async fn ask(&self, session: &Session) -> Result<Self::Answer, StoreError> {
        let before = self.before.map_or(i64::MAX, |before| signed(before).unwrap_or(i64::MAX));
        let page = session.query(sql::ADJUSTMENTS_PAGE, &[&before, &read::limit(self.limit)]).await?;
        page.iter().map(write::adjustment_row).collect()
    }
}

struct Statement(BlockHash);

impl Question for Statement {
    type Answer = Option<(BlockRow, Option<Split>)>;

    async fn ask(&self, session: &Session) -> Result<Self::Answer, StoreError> {
        let found = session.query(sql::BLOCK_BY_HASH, &[&self.0.0.as_slice()]).await?;
        let Some(block) = read::with_parents(session, &found).await?.into_iter().next() else {
            return Ok(None);
        };
        let mut splits = read::Splits(vec![self.0]).ask(session).await?;
        Ok(Some((block, splits.remove(&self.0))))
    }
}

impl Question for CreditQuery {
    type Answer = Vec<CreditRow>;

    async fn ask(&self, session: &Session) -> Result<Self::Answer, StoreError> {
        // Beyond what the database counts to, every number is before it.
        let before = self.before.map_or(i64::MAX, |before| signed(before).unwrap_or(i64::MAX));
        let limit = read::limit(self.limit);
        let page = session.query(sql::CREDITS_PAGE, &[&self.account.as_str(), &before, &limit]).await?;
        page.iter().map(credit).collect()
    }
}

fn credit(row: &Row) -> Result<CreditRow, StoreError> {
    let reference: &str = column(row, 1)?;
    let (income, block, revision): (Income, BlockHash, u32) = CreditRow::parse_reference(reference)
        .ok_or_else(|| corrupt(format!("\"{reference}\" names no credit")))?;
    let ended: Option<&str> = column(row, 5)?;
    Ok(CreditRow {
        id: count(row, 0)?,
        block,
        income,
        revision,
        amount: amount(row, 4)?,
        at: time(row, 3)?,
        state: CreditState::ended_by(ended)
            .ok_or_else(|| corrupt(format!("the credit {reference} ended as {ended:?}")))?,
        ended_at: column::<Option<super::codec::Stamp>>(row, 6)?.map(|stamp| stamp.0),
        height: optional_count(row, 7)?,
        status: text(row, 8, read::status)?,
        color: text(row, 9, read::color)?,
    })
}

/// Everything, in one read transaction: what is committed meanwhile is not seen.
struct Walk(std::sync::Mutex<Option<Visit>>);

impl Question for Walk {
    type Answer = ();

    // The connection keeps an open transaction when the visitor has seen enough.
    const LONG: bool = true;

    async fn ask(&self, session: &Session) -> Result<(), StoreError> {
        let visit = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        let Some(mut visit) = visit else { return Ok(()) };
        session.client.batch_execute(sql::BOOKS_BEGIN.text).await.map_err(failure)?;
        let mut names = BTreeMap::new();
        each(session, sql::BOOKS_ACCOUNTS, &[], |row| {
            names.insert(column::<i64>(row, 0)?, column::<&str>(row, 1)?.to_owned());
            Ok(true)
        })
        .await?;
        let names = Names(names);
        let _all = each(session, sql::BOOKS_POSITIONS, &[], |row| {
            let position = Position { seq: seq(row, 1)?, commits: count(row, 2)? };
            Ok(visit(BookItem::Position { node: column(row, 0)?, position }))
        })
        .await?
            && blocks(session, &mut visit, &names).await?
            && transactions(session, sql::BOOKS_ENTRIES, &[], &mut visit, &names).await?
            && each(session, sql::BOOKS_BALANCES, &[], |row| {
                let owner = names.owner(column(row, 1)?)?;
                Ok(visit(BookItem::Balance { kind: column(row, 0)?, owner, amount: amount(row, 2)? }))
            })
            .await?
            && each(session, sql::BOOKS_SHARES, &[], |row| {
                Ok(visit(BookItem::Shares {
                    account: names.named(column(row, 0)?)?,
                    worker: worker(row, 1)?,
                    algorithm: algorithm(row, 2)?,
                    accepted: count(row, 3)?,
                    work: work(row, 4)?,
                }))
            })
            .await?;
        Ok(())
    }
}

/// Addresses by key.
struct Names(BTreeMap<i64, String>);

impl Names {
    fn named(&self, id: i64) -> Result<Account, StoreError> {
        let name = self.0.get(&id).filter(|_| id != POOL);
        name.and_then(|name| Account::new(name).ok())
            .ok_or_else(|| corrupt(format!("account {id} does not exist, or is no account")))
    }

    fn owner(&self, id: i64) -> Result<Option<Account>, StoreError> {
        if id == POOL { Ok(None) } else { self.named(id).map(Some) }
    }
}

/// Shows the rows of a statement as they arrive; false when the visitor has seen enough.
async fn each(
    session: &Session,
    sql: Sql,
    parameters: Parameters<'_>,
    mut visit: impl FnMut(&Row) -> Result<bool, StoreError>,
) -> Result<bool, StoreError> {
    let rows = session.client.query_raw(sql.text, parameters.iter().copied()).await.map_err(failure)?;
    pin_mut!(rows);
    while let Some(row) = rows.next().await {
        if !visit(&row.map_err(failure)?)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Each block, and its transactions behind it.
async fn blocks(session: &Session, visit: &mut Visit, names: &Names) -> Result<bool, StoreError> {
    let mut after = 0_i64;
    loop {
        let mut page = Vec::new();
        let from = after;
        each(session, sql::BOOKS_BLOCKS, &[&from, &BLOCKS_PAGE], |row| {
            after = column(row, 0)?;
            page.push((read::hash(column(row, 1)?)?, block(row, names)?));
            Ok(true)
        })
        .await?;
        if page.is_empty() {
            return Ok(true);
        }
        for (hash, item) in page {
            let of_it: Parameters<'_> = &[&hash.0.as_slice()];
            let more =
                visit(item) && transactions(session, sql::BOOKS_BLOCK_ENTRIES, of_it, visit, names).await?;
            if !more {
                return Ok(false);
            }
        }
    }
}

fn block(row: &Row, names: &Names) -> Result<BookItem, StoreError> {
    let optional = |index: usize| -> Result<Option<Amount>, StoreError> {
        column::<Option<Numeric>>(row, index)?.map(Amount::try_from).transpose().map_err(corrupt)
    };
    let scheme: Option<&str> = column(row, 19)?;
    let stored = scheme.map(|_| read::split_row(row, 18)).transpose()?;
    let stored_root = stored.as_ref().and_then(|stored| stored.root);
    Ok(BookItem::Block(Box::new(BookBlock {
        node: column(row, 17)?,
        row: read::block_row(row)?,
        split: stored.map(|stored| stored.named(|id| names.named(id).ok())).transpose()?,
        stored_root,
        status: column(row, 27)?,
        color: column(row, 28)?,
        reward: optional(29)?,
        income: optional(30)?,
    })))
}

/// Gathers the lines of each transaction.
async fn transactions(
    session: &Session,
    sql: Sql,
    parameters: Parameters<'_>,
    visit: &mut Visit,
    names: &Names,
) -> Result<bool, StoreError> {
    let mut open: Option<BookTransaction> = None;
    let all = each(session, sql, parameters, |row| {
        let id = count(row, 0)?;
        if open.as_ref().is_none_or(|open| open.id != id) {
            let next = BookTransaction {
                id,
                reference: column(row, 1)?,
                kind: column(row, 2)?,
                block: column::<Option<&[u8]>>(row, 3)?.map(read::hash).transpose()?,
                at: time(row, 4)?,
                lines: Vec::new(),
            };
            if let Some(done) = open.replace(next)
                && !visit(BookItem::Transaction(done))
            {
                return Ok(false);
            }
        }
        if let (Some(kind), Some(open)) = (column::<Option<&str>>(row, 5)?, &mut open) {
            open.lines.push((kind.to_owned(), names.owner(column(row, 6)?)?, amount(row, 7)?));
        }
        Ok(true)
    })
    .await?;
    Ok(all && open.is_none_or(|done| visit(BookItem::Transaction(done))))
}
