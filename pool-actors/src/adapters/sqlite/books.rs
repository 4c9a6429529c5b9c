//! The books ([`BooksPort`]).

use std::{collections::BTreeMap, path::Path};

use async_trait::async_trait;
use pool_domain::{
    ids::{Account, AlgorithmName, BlockHash, ShareSeq, WorkerName},
    units::{Amount, TimeMs},
};
use rusqlite::{Connection, Row, ToSql, named_params};
use tokio::sync::{mpsc, oneshot};

use super::{
    QUEUE, SqliteStore, StoreThread, ask,
    read::{self, amount, column, corrupt, count, rows, text, unsigned, work},
    schema, statements as sql, unavailable, work as serve, write,
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

/// The threads of a store that is only read, by name.
pub type ReadThreads = [(&'static str, StoreThread); 2];

impl SqliteStore {
    /// Opens an existing database for reading only: beside a pool that writes to it, or without one. Nothing is changed,
    /// and writing calls fail. Returns the bodies of its threads as [`SqliteStore::open`] does.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when there is no such file, [`StoreError::Schema`] when it is of another version.
    pub fn open_read_only(path: &Path) -> Result<(Self, ReadThreads), StoreError> {
        let (read_db, audit_db) = (schema::open_reader(path)?, schema::open_reader(path)?);
        let applied = rows(&read_db, sql::MIGRATIONS_ALL, &[], |row| column::<i64>(row, 0))?;
        let known: Vec<i64> = sql::MIGRATIONS.iter().map(|(version, ..)| *version).collect();
        if applied != known {
            return Err(StoreError::Schema {
                what: format!(
                    "the database {} has schema versions {applied:?}, this program works with {known:?}: use the program that the pool runs, or bring the database up to date",
                    path.display()
                ),
            });
        }
        // Nobody listens: what is sent to the writer is answered as ended.
        let (writer, _) = mpsc::channel(1);
        let (reader, reads) = mpsc::channel(QUEUE);
        let (auditor, audits) = mpsc::channel(1);
        let threads: ReadThreads = [
            ("store-read", Box::new(move || serve(read_db, reads))),
            ("store-audit", Box::new(move || serve(audit_db, audits))),
        ];
        Ok((Self { writer, reader, auditor }, threads))
    }
}

/// Writes a consistent copy of the database at `path`, which a pool may be using, to a new file. Blocks.
///
/// # Errors
/// [`StoreError::Unavailable`] when the database can't be read or the copy not be written.
pub fn copy_database(path: &Path, to: &Path) -> Result<(), StoreError> {
    let db = schema::open_reader(path)?;
    db.execute(sql::COPY_TO, named_params! { ":path": to.display().to_string() })
        .map(drop)
        .map_err(unavailable)
}

#[async_trait]
impl BooksPort for SqliteStore {
    async fn statement(&self, block: BlockHash) -> Result<Option<(BlockRow, Option<Split>)>, StoreError> {
        self.read(move |db| {
            let Some((row, _)) = read::block(db, &block)? else { return Ok(None) };
            let split = read::splits(db, &[block])?.remove(&block);
            Ok(Some((row, split)))
        })
        .await
    }

    async fn credits(&self, query: CreditQuery) -> Result<Vec<CreditRow>, StoreError> {
        self.read(move |db| credits(db, &query)).await
    }

    async fn adjust(&self, at: TimeMs, adjustment: Adjustment) -> Result<Adjusted, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: super::Job<write::Writer> = Box::new(move |writer| {
            // Whoever asked may have gone; the same reference is recognised next time.
            let _ = answer.send(writer.adjust(at, adjustment));
        });
        self.writer.send(job).await.map_err(|_| super::ended())?;
        answered.await.map_err(|_| super::ended())?
    }

    async fn adjustments(&self, before: Option<u64>, limit: usize) -> Result<Vec<AdjustmentRow>, StoreError> {
        self.read(move |db| {
            let before = before.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX);
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let parameters = named_params! { ":before": before, ":limit": limit };
            rows(db, sql::ADJUSTMENTS_PAGE, parameters, write::adjustment_row)
        })
        .await
    }

    async fn walk(&self, visit: Visit) -> Result<(), StoreError> {
        ask(&self.auditor, move |db| walk(db, visit)).await
    }
}

fn credits(db: &Connection, query: &CreditQuery) -> Result<Vec<CreditRow>, StoreError> {
    // Beyond what the database counts to, every number is before it.
    let before = query.before.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX);
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
    let parameters = named_params! { ":account": query.account.as_str(), ":before": before, ":limit": limit };
    rows(db, sql::CREDITS_PAGE, parameters, |row| {
        let reference: String = column(row, 1)?;
        let (income, block, revision) = CreditRow::parse_reference(&reference)
            .ok_or_else(|| corrupt(format!("\"{reference}\" names no credit")))?;
        let ended: Option<String> = column(row, 7)?;
        Ok(CreditRow {
            id: count(row, 0)?,
            block,
            income,
            revision,
            amount: amount(row, 4)?,
            at: TimeMs(count(row, 3)?),
            state: CreditState::ended_by(ended.as_deref())
                .ok_or_else(|| corrupt(format!("the credit {reference} ended as {ended:?}")))?,
            ended_at: column::<Option<i64>>(row, 8)?.map(unsigned).transpose()?.map(TimeMs),
            height: column::<Option<i64>>(row, 9)?.map(unsigned).transpose()?,
            status: text(row, 10, read::status)?,
            color: text(row, 11, read::color)?,
        })
    })
}

/// Shows everything, in one read transaction: what is committed meanwhile is not seen.
fn walk(db: &Connection, mut visit: Visit) -> Result<(), StoreError> {
    let snapshot = db.unchecked_transaction().map_err(unavailable)?;
    let names = rows(&snapshot, sql::BOOKS_ACCOUNTS, &[], |row| {
        Ok((column::<i64>(row, 0)?, column::<String>(row, 1)?))
    })?;
    let names = names.into_iter().filter(|(id, _)| *id != POOL);
    let accounts: BTreeMap<i64, Account> = names
        .map(|(id, name)| Account::new(&name).map(|account| (id, account)))
        .collect::<Result<_, _>>()
        .map_err(|error| corrupt(format!("an account in the database: {error}")))?;
    let named =
        |id: i64| accounts.get(&id).cloned().ok_or_else(|| corrupt(format!("account {id} does not exist")));
    let owner = |id: i64| if id == POOL { Ok(None) } else { named(id).map(Some) };
    let position = |row: &Row<'_>| {
        let position = Position { seq: ShareSeq(count(row, 1)?), commits: count(row, 2)? };
        Ok(BookItem::Position { node: column(row, 0)?, position })
    };
    let balance = |row: &Row<'_>| {
        Ok(BookItem::Balance {
            kind: column(row, 0)?,
            owner: owner(column(row, 1)?)?,
            amount: amount(row, 2)?,
        })
    };
    let shares = |row: &Row<'_>| {
        Ok(BookItem::Shares {
            account: named(column(row, 0)?)?,
            worker: text(row, 1, |name| WorkerName::new(name).ok())?,
            algorithm: text(row, 2, |name| AlgorithmName::new(name).ok())?,
            accepted: count(row, 3)?,
            work: work(row, 4)?,
        })
    };
    let _all = each(&snapshot, sql::BOOKS_POSITIONS, &mut visit, position)?
        && blocks(&snapshot, &mut visit, named, owner)?
        && transactions(&snapshot, sql::BOOKS_ENTRIES, named_params! {}, &mut visit, owner)?
        && each(&snapshot, sql::BOOKS_BALANCES, &mut visit, balance)?
        && each(&snapshot, sql::BOOKS_SHARES, &mut visit, shares)?;
    Ok(())
}

/// Shows the rows of a statement; false when the visitor has seen enough.
fn each(
    db: &Connection,
    statement: &str,
    visit: &mut Visit,
    make: impl Fn(&Row<'_>) -> Result<BookItem, StoreError>,
) -> Result<bool, StoreError> {
    let mut prepared = db.prepare_cached(statement).map_err(unavailable)?;
    let mut found = prepared.query([]).map_err(unavailable)?;
    while let Some(row) = found.next().map_err(unavailable)? {
        if !visit(make(row)?) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Each block, and its transactions behind it.
fn blocks(
    db: &Connection,
    visit: &mut Visit,
    named: impl Fn(i64) -> Result<Account, StoreError>,
    owner: impl Fn(i64) -> Result<Option<Account>, StoreError>,
) -> Result<bool, StoreError> {
    let mut after = 0_i64;
    loop {
        let parameters = named_params! { ":after": after, ":limit": BLOCKS_PAGE };
        let page =
            rows(db, sql::BOOKS_BLOCKS, parameters, |row| Ok((column::<i64>(row, 0)?, block(row, &named)?)))?;
        let Some((last, _)) = page.last() else { return Ok(true) };
        after = *last;
        for (_, item) in page {
            let BookItem::Block(block) = &item else { continue };
            let hash = block.row.hash;
            let parameters = named_params! { ":block": hash.0.as_slice() };
            let more = visit(item) && transactions(db, sql::BOOKS_BLOCK_ENTRIES, parameters, visit, &owner)?;
            if !more {
                return Ok(false);
            }
        }
    }
}

fn block(row: &Row<'_>, named: impl Fn(i64) -> Result<Account, StoreError>) -> Result<BookItem, StoreError> {
    let optional = |first: usize| -> Result<Option<Amount>, StoreError> {
        column::<Option<i64>>(row, first)?.map(|_| amount(row, first)).transpose()
    };
    let scheme: Option<String> = column(row, 20)?;
    let stored = scheme.map(|_| read::split_row(row, 20)).transpose()?;
    let stored_root = stored.as_ref().and_then(|stored| stored.root);
    Ok(BookItem::Block(Box::new(BookBlock {
        node: column(row, 19)?,
        row: read::block_row(row)?,
        split: stored.map(|stored| stored.named(named)).transpose()?,
        stored_root,
        status: column(row, 30)?,
        color: column(row, 31)?,
        reward: optional(32)?,
        income: optional(35)?,
    })))
}

/// Gathers the lines of each transaction.
fn transactions(
    db: &Connection,
    statement: &str,
    parameters: &[(&str, &dyn ToSql)],
    visit: &mut Visit,
    owner: impl Fn(i64) -> Result<Option<Account>, StoreError>,
) -> Result<bool, StoreError> {
    let mut prepared = db.prepare_cached(statement).map_err(unavailable)?;
    let mut found = prepared.query(parameters).map_err(unavailable)?;
    let mut open: Option<BookTransaction> = None;
    while let Some(row) = found.next().map_err(unavailable)? {
        let id = count(row, 0)?;
        if open.as_ref().is_none_or(|open| open.id != id) {
            let next = BookTransaction {
                id,
                reference: column(row, 1)?,
                kind: column(row, 2)?,
                block: column::<Option<[u8; 32]>>(row, 3)?.map(BlockHash),
                at: TimeMs(count(row, 4)?),
                lines: Vec::new(),
            };
            if let Some(done) = open.replace(next)
                && !visit(BookItem::Transaction(done))
            {
                return Ok(false);
            }
        }
        let kind: Option<String> = column(row, 5)?;
        if let (Some(kind), Some(open)) = (kind, &mut open) {
            open.lines.push((kind, owner(column(row, 6)?)?, amount(row, 7)?));
        }
    }
    Ok(open.is_none_or(|done| visit(BookItem::Transaction(done))))
}
