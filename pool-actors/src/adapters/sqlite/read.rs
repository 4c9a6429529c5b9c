//! Queries.

use std::collections::BTreeMap;

use pool_domain::{
    ids::{Account, AlgorithmName, BlockHash, ShareSeq, WorkerName},
    maturity::{BlockStatus, Color},
    proof::window_root,
    units::{Amount, BasisPoints, TimeMs, Work},
};
use rusqlite::{Connection, OptionalExtension, Row, Statement, named_params, params, types::ToSql};

use super::{super::weights, limbs::Limbs, statements as sql, unavailable};
use crate::ports::store::{
    AccountRow, Anchor, Balance, BlockQuery, BlockRow, BlockStep, Finding, HOUR_MS, LedgerState, Position,
    ShareHour, Split, StoreError, Totals, WindowMark, WorkerShares,
};

pub(super) fn corrupt(what: impl Into<String>) -> StoreError {
    StoreError::Corrupt { what: what.into() }
}

/// A number as SQLite keeps it.
pub(super) fn signed(value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| corrupt(format!("{value} does not fit the database's integers")))
}

pub(super) fn unsigned(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value)
        .map_err(|_| corrupt(format!("the database holds {value} where nothing negative belongs")))
}

/// All rows of a query, each made by `make`, whose complaints are about what the database holds.
pub(super) fn rows<T>(
    db: &Connection,
    statement: &str,
    parameters: &[(&str, &dyn ToSql)],
    make: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut prepared = db.prepare_cached(statement).map_err(unavailable)?;
    let mut found = prepared.query(parameters).map_err(unavailable)?;
    let mut made = Vec::new();
    while let Some(row) = found.next().map_err(unavailable)? {
        made.push(make(row)?);
    }
    Ok(made)
}

pub(super) fn column<T: rusqlite::types::FromSql>(row: &Row<'_>, index: usize) -> Result<T, StoreError> {
    row.get(index).map_err(|error| corrupt(format!("SQLite, column {index}: {error}")))
}

pub(super) fn count(row: &Row<'_>, index: usize) -> Result<u64, StoreError> {
    unsigned(column(row, index)?)
}

pub(super) fn limbs(row: &Row<'_>, first: usize) -> Result<Limbs, StoreError> {
    Ok(Limbs { hi: column(row, first)?, mid: column(row, first + 1)?, lo: column(row, first + 2)? })
}

pub(super) fn amount(row: &Row<'_>, first: usize) -> Result<Amount, StoreError> {
    Amount::try_from(limbs(row, first)?).map_err(|_| corrupt("an amount is beyond 128 bits"))
}

pub(super) fn work(row: &Row<'_>, first: usize) -> Result<Work, StoreError> {
    Work::try_from(limbs(row, first)?).map_err(|_| corrupt("a sum of work is beyond 128 bits"))
}

pub(super) fn text<T>(
    row: &Row<'_>,
    index: usize,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, StoreError> {
    let stored: String = column(row, index)?;
    parse(&stored).ok_or_else(|| corrupt(format!("the database holds \"{stored}\" in column {index}")))
}

fn hash(row: &Row<'_>, index: usize) -> Result<BlockHash, StoreError> {
    column::<[u8; 32]>(row, index).map(BlockHash)
}

pub(super) fn status(name: &str) -> Option<BlockStatus> {
    use BlockStatus::{Accepted, Candidate, Matured, Paid, Rejected, Submitted, Void};
    [Candidate, Submitted, Accepted, Rejected, Matured, Paid, Void]
        .into_iter()
        .find(|known| known.as_str() == name)
}

pub(super) fn color(name: &str) -> Option<Color> {
    [Color::Unknown, Color::Blue, Color::Red].into_iter().find(|known| known.as_str() == name)
}

pub(super) fn position(db: &Connection, node: &str) -> Result<Position, StoreError> {
    let found = rows(db, sql::POSITION_GET, named_params! { ":node": node }, |row| {
        Ok(Position { seq: ShareSeq(count(row, 0)?), commits: count(row, 1)? })
    })?;
    Ok(found.first().copied().unwrap_or_default())
}

pub(super) fn nodes(db: &Connection) -> Result<Vec<String>, StoreError> {
    rows(db, sql::POSITION_NODES, named_params! {}, |row| column(row, 0))
}

pub(super) fn size_bytes(db: &Connection) -> Result<u64, StoreError> {
    let sizes = rows(db, sql::DATABASE_SIZE, named_params! {}, |row| count(row, 0))?;
    Ok(sizes.first().copied().unwrap_or_default())
}

pub(super) fn load(db: &Connection, node: &str) -> Result<LedgerState, StoreError> {
    let mut open_blocks = rows(db, sql::BLOCKS_OPEN, named_params! { ":node": node }, block_row)?;
    for block in &mut open_blocks {
        block.parents = parents(db, block.number)?;
    }
    let windows = rows(db, sql::WINDOWS_ALL, named_params! { ":node": node }, |row| {
        Ok(WindowMark {
            algorithm: text(row, 0, |name| AlgorithmName::new(name).ok())?,
            oldest: ShareSeq(count(row, 1)?),
            newest: ShareSeq(count(row, 2)?),
            state: column(row, 3)?,
        })
    })?;
    let anchors = rows(db, sql::ANCHORS_ALL, named_params! { ":node": node }, |row| {
        Ok(Anchor { candidate: column::<i64>(row, 0)?.cast_unsigned(), seq: ShareSeq(count(row, 1)?) })
    })?;
    Ok(LedgerState { position: position(db, node)?, open_blocks, windows, anchors })
}

pub(super) fn block_row(row: &Row<'_>) -> Result<BlockRow, StoreError> {
    Ok(BlockRow {
        number: count(row, 0)?,
        hash: hash(row, 1)?,
        candidate: column::<i64>(row, 2)?.cast_unsigned(),
        candidate_seq: ShareSeq(count(row, 3)?),
        anchor: column::<Option<i64>>(row, 4)?.map(unsigned).transpose()?.map(ShareSeq),
        fallback: ShareSeq(count(row, 16)?),
        algorithm: text(row, 5, |name| AlgorithmName::new(name).ok())?,
        network_work: work(row, 6)?,
        height: column::<Option<i64>>(row, 9)?.map(unsigned).transpose()?,
        parents: Vec::new(),
        account: text(row, 10, |name| Account::new(name).ok())?,
        worker: text(row, 11, |name| WorkerName::new(name).ok())?,
        found_at: TimeMs(count(row, 12)?),
        life: text(row, 17, |stored| serde_json::from_str(stored).ok())?,
        income: text(row, 18, |stored| serde_json::from_str(stored).ok())?,
        confirmations: count(row, 13)?,
        merging_block: column::<Option<[u8; 32]>>(row, 14)?.map(BlockHash),
        reason: column(row, 15)?,
    })
}

fn parents(db: &Connection, number: u64) -> Result<Vec<BlockHash>, StoreError> {
    rows(db, sql::BLOCK_PARENTS, named_params! { ":number": signed(number)? }, |row| hash(row, 0))
}

pub(super) fn splits(
    db: &Connection,
    blocks: &[BlockHash],
) -> Result<BTreeMap<BlockHash, Split>, StoreError> {
    let mut found = BTreeMap::new();
    for block in blocks {
        let Some(number) = one_block(db, block)?.map(|row| row.number) else { continue };
        let split = rows(db, sql::BLOCK_SPLIT_GET, named_params! { ":number": signed(number)? }, |row| {
            split_row(row, 0)
        })?;
        if let Some(stored) = split.into_iter().next() {
            let mut by_id = db.prepare_cached(sql::ACCOUNT_NAME).map_err(unavailable)?;
            let split = stored.named(|id| account_name(&mut by_id, id))?;
            found.insert(*block, split);
        }
    }
    Ok(found)
}

/// A split with its accounts as keys.
pub(super) struct StoredSplit {
    split: Split,
    weights: Vec<(i64, Work)>,
    /// The root, where one is stored.
    pub(super) root: Option<[u8; 32]>,
}

/// Reads the columns of `block_splits` from `first` on.
pub(super) fn split_row(row: &Row<'_>, first: usize) -> Result<StoredSplit, StoreError> {
    let counted = column::<Option<i64>>(row, first + 6)?;
    let split = Split {
        scheme: column(row, first)?,
        factor: column::<Option<u32>>(row, first + 5)?.map(BasisPoints),
        fee: BasisPoints(column(row, first + 1)?),
        first_seq: column::<Option<i64>>(row, first + 2)?.map(unsigned).transpose()?.map(ShareSeq),
        first_counted: counted.map(|_| work(row, first + 6)).transpose()?,
        last_seq: ShareSeq(count(row, first + 3)?),
        weights: Vec::new(),
        root: [0; 32],
    };
    let weights = weights::unpack(&column::<Vec<u8>>(row, first + 4)?)
        .ok_or_else(|| corrupt("the weights of a split are damaged"))?;
    Ok(StoredSplit { split, weights, root: column(row, first + 9)? })
}

impl StoredSplit {
    /// With names in place of keys. A split from before roots were stored has the one that follows from its list.
    pub(super) fn named(
        self,
        mut name: impl FnMut(i64) -> Result<Account, StoreError>,
    ) -> Result<Split, StoreError> {
        let Self { mut split, weights, root } = self;
        for (id, work) in weights {
            split.weights.push((name(id)?, work));
        }
        split.weights.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        split.root = root.unwrap_or_else(|| window_root(&split.weights));
        Ok(split)
    }
}

/// The keys of the newest accounts.
pub(super) fn keys(db: &Connection, limit: i64) -> Result<Vec<(i64, Account)>, StoreError> {
    rows(db, sql::ACCOUNTS_NEWEST, named_params! { ":limit": limit }, |row| {
        Ok((column::<i64>(row, 0)?, text(row, 1, |name| Account::new(name).ok())?))
    })
}

fn account_name(by_id: &mut Statement<'_>, id: i64) -> Result<Account, StoreError> {
    let missing = || corrupt(format!("account {id} of a split does not exist"));
    let name = by_id.query_row(params![id], |row| row.get::<_, String>(0)).optional().map_err(unavailable)?;
    Account::new(&name.ok_or_else(missing)?).map_err(|_| missing())
}

pub(super) fn accounts(
    db: &Connection,
    after: Option<&Account>,
    limit: usize,
) -> Result<Vec<AccountRow>, StoreError> {
    let after = after.map_or("", Account::as_str);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let page = rows(db, sql::ACCOUNTS_PAGE, named_params! { ":after": after, ":limit": limit }, |row| {
        Ok((column::<i64>(row, 0)?, text(row, 1, |name| Account::new(name).ok())?))
    })?;
    page.into_iter().map(|(id, account)| account_row(db, id, account)).collect()
}

pub(super) fn accounts_named(db: &Connection, accounts: &[Account]) -> Result<Vec<AccountRow>, StoreError> {
    let mut found = Vec::with_capacity(accounts.len());
    for account in accounts {
        let id = rows(db, sql::ACCOUNT_ID, named_params! { ":address": account.as_str() }, |row| {
            column::<i64>(row, 0)
        })?;
        if let Some(id) = id.first() {
            found.push(account_row(db, *id, account.clone())?);
        }
    }
    Ok(found)
}

pub(super) fn share_hours(
    db: &Connection,
    account: &Account,
    from: TimeMs,
    to: TimeMs,
) -> Result<Vec<ShareHour>, StoreError> {
    // Hours that begin in the span: the first one at or after each end.
    let hour = |at: TimeMs| signed(at.0.div_ceil(HOUR_MS));
    let bounds = named_params! { ":address": account.as_str(), ":from": hour(from)?, ":to": hour(to)? };
    rows(db, sql::SHARE_HOURS_OF, bounds, |row| {
        Ok(ShareHour {
            at: TimeMs(count(row, 0)? * HOUR_MS),
            algorithm: text(row, 1, |name| AlgorithmName::new(name).ok())?,
            accepted: count(row, 2)?,
            work: work(row, 3)?,
        })
    })
}

fn account_row(db: &Connection, id: i64, account: Account) -> Result<AccountRow, StoreError> {
    let workers = rows(db, sql::ACCOUNT_SHARES, named_params! { ":account_id": id }, |row| {
        Ok(WorkerShares {
            worker: text(row, 0, |name| WorkerName::new(name).ok())?,
            algorithm: text(row, 1, |name| AlgorithmName::new(name).ok())?,
            accepted: count(row, 2)?,
            work: work(row, 3)?,
            last_share_at: TimeMs(count(row, 6)?),
        })
    })?;
    let mut balance = Balance::default();
    let balances = rows(db, sql::ACCOUNT_BALANCES, named_params! { ":account_id": id }, |row| {
        Ok((column::<String>(row, 0)?, amount(row, 1)?))
    })?;
    for (kind, amount) in balances {
        balance.take_in(&kind, amount);
    }
    Ok(AccountRow { account, workers, balance })
}

pub(super) fn blocks(db: &Connection, query: &BlockQuery) -> Result<Vec<BlockRow>, StoreError> {
    let mut page = rows(
        db,
        sql::BLOCKS_PAGE,
        named_params! {
            ":before": query.before.map_or(Ok(i64::MAX), signed)?,
            ":status": query.status.map_or("", BlockStatus::as_str),
            ":color": query.color.map_or("", Color::as_str),
            ":account": query.account.as_ref().map_or("", Account::as_str),
            ":limit": i64::try_from(query.limit).unwrap_or(i64::MAX),
        },
        block_row,
    )?;
    for block in &mut page {
        block.parents = parents(db, block.number)?;
    }
    Ok(page)
}

fn one_block(db: &Connection, hash: &BlockHash) -> Result<Option<BlockRow>, StoreError> {
    let found = rows(db, sql::BLOCK_BY_HASH, named_params! { ":hash": hash.0.as_slice() }, block_row)?;
    Ok(found.into_iter().next())
}

pub(super) fn block(
    db: &Connection,
    hash: &BlockHash,
) -> Result<Option<(BlockRow, Vec<BlockStep>)>, StoreError> {
    let Some(mut block) = one_block(db, hash)? else { return Ok(None) };
    block.parents = parents(db, block.number)?;
    let steps = rows(db, sql::BLOCK_HISTORY, named_params! { ":number": signed(block.number)? }, |row| {
        Ok(BlockStep {
            at: TimeMs(count(row, 0)?),
            status: text(row, 1, status)?,
            color: text(row, 2, color)?,
            reason: column(row, 3)?,
        })
    })?;
    Ok(Some((block, steps)))
}

pub(super) fn totals(db: &Connection) -> Result<Totals, StoreError> {
    let counts = rows(db, sql::COUNTS, &[], |row| Ok((count(row, 0)?, count(row, 1)?, count(row, 2)?)))?;
    let (accounts, workers, accepted) = counts.first().copied().unwrap_or_default();
    let blocks = rows(db, sql::BLOCK_COUNTS, &[], |row| {
        Ok((text(row, 0, status)?, text(row, 1, color)?, count(row, 2)?))
    })?;
    let balances =
        rows(db, sql::BALANCE_TOTALS, &[], |row| Ok((column::<String>(row, 0)?, amount(row, 1)?)))?;
    Ok(Totals { accounts, workers, accepted, blocks, balances: balances.into_iter().collect() })
}

pub(super) fn check(db: &Connection) -> Result<Vec<Finding>, StoreError> {
    let mut findings = Vec::new();
    for (check, statement) in sql::CHECKS {
        let found = rows(db, statement, &[], |_| Ok(()))?.len() as u64;
        if found > 0 {
            findings.push(Finding { check, rows: found });
        }
    }
    let intact: Option<String> =
        db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).optional().map_err(unavailable)?;
    if intact.as_deref() != Some("ok") {
        findings.push(Finding { check: "sqlite_quick_check", rows: 1 });
    }
    Ok(findings)
}
