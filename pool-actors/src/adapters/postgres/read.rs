//! Queries.

use std::collections::{BTreeMap, BTreeSet};

use pool_domain::{
    ids::{Account, AlgorithmName, BlockHash, ShareSeq, WorkerName},
    maturity::{BlockStatus, Color},
    proof::window_root,
    units::{Amount, BasisPoints, TimeMs, Work},
};
use tokio_postgres::{Row, types::FromSql};

use super::{
    super::weights,
    codec::{Numeric, Stamp},
    session::{Session, failure},
    statements as sql,
};
use crate::ports::store::{
    AccountRow, Anchor, Balance, BlockQuery, BlockRow, BlockStep, Finding, LedgerState, Position, ShareHour,
    Split, StoreError, Totals, WindowMark, WorkerShares,
};

/// Something that is asked over one connection.
pub(super) trait Question: Send + Sync + 'static {
    type Answer: Send + 'static;

    /// It may take as long as it takes, and leaves its connection unfit for others.
    const LONG: bool = false;

    fn ask(&self, session: &Session) -> impl Future<Output = Result<Self::Answer, StoreError>> + Send;
}

pub(super) fn corrupt(what: impl Into<String>) -> StoreError {
    StoreError::Corrupt { what: what.into() }
}

/// A number as PostgreSQL keeps it.
pub(super) fn signed(value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| corrupt(format!("{value} does not fit the database's integers")))
}

pub(super) fn unsigned(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value)
        .map_err(|_| corrupt(format!("the database holds {value} where nothing negative belongs")))
}

pub(super) fn column<'a, T: FromSql<'a>>(row: &'a Row, index: usize) -> Result<T, StoreError> {
    row.try_get(index).map_err(|error| corrupt(format!("PostgreSQL, column {index}: {error}")))
}

pub(super) fn count(row: &Row, index: usize) -> Result<u64, StoreError> {
    unsigned(column(row, index)?)
}

pub(super) fn seq(row: &Row, index: usize) -> Result<ShareSeq, StoreError> {
    count(row, index).map(ShareSeq)
}

pub(super) fn optional_count(row: &Row, index: usize) -> Result<Option<u64>, StoreError> {
    column::<Option<i64>>(row, index)?.map(unsigned).transpose()
}

pub(super) fn work(row: &Row, index: usize) -> Result<Work, StoreError> {
    Work::try_from(column::<Numeric>(row, index)?).map_err(corrupt)
}

pub(super) fn amount(row: &Row, index: usize) -> Result<Amount, StoreError> {
    Amount::try_from(column::<Numeric>(row, index)?).map_err(corrupt)
}

pub(super) fn time(row: &Row, index: usize) -> Result<TimeMs, StoreError> {
    column::<Stamp>(row, index).map(|stamp| stamp.0)
}

pub(super) fn text<T>(row: &Row, index: usize, parse: impl Fn(&str) -> Option<T>) -> Result<T, StoreError> {
    let stored: &str = column(row, index)?;
    parse(stored).ok_or_else(|| corrupt(format!("the database holds \"{stored}\" in column {index}")))
}

pub(super) fn address(row: &Row, index: usize) -> Result<Account, StoreError> {
    text(row, index, |name| Account::new(name).ok())
}

pub(super) fn algorithm(row: &Row, index: usize) -> Result<AlgorithmName, StoreError> {
    text(row, index, |name| AlgorithmName::new(name).ok())
}

pub(super) fn worker(row: &Row, index: usize) -> Result<WorkerName, StoreError> {
    text(row, index, |name| WorkerName::new(name).ok())
}

pub(super) fn hash(bytes: &[u8]) -> Result<BlockHash, StoreError> {
    bytes.try_into().map(BlockHash).map_err(|_| corrupt("a block hash in the database is not of 32 bytes"))
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

pub(super) fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub(super) async fn load(session: &Session, node: &str) -> Result<LedgerState, StoreError> {
    let rows = session.query(sql::POSITION_GET, &[&node]).await?;
    let position = rows.first().map_or(Ok(Position::default()), |row| {
        Ok::<_, StoreError>(Position { seq: seq(row, 0)?, commits: count(row, 1)? })
    })?;
    let open = session.query(sql::BLOCKS_OPEN, &[&node]).await?;
    let open_blocks = with_parents(session, &open).await?;
    let windows = session.query(sql::WINDOWS_ALL, &[&node]).await?;
    let windows = windows.iter().map(|row| {
        Ok(WindowMark {
            algorithm: algorithm(row, 0)?,
            oldest: seq(row, 1)?,
            newest: seq(row, 2)?,
            state: column(row, 3)?,
        })
    });
    let windows = windows.collect::<Result<_, StoreError>>()?;
    let anchors = session.query(sql::ANCHORS_ALL, &[&node]).await?;
    let anchors = anchors
        .iter()
        .map(|row| Ok(Anchor { candidate: column::<i64>(row, 0)?.cast_unsigned(), seq: seq(row, 1)? }));
    let anchors = anchors.collect::<Result<_, StoreError>>()?;
    Ok(LedgerState { position, open_blocks, windows, anchors })
}

pub(super) fn block_row(row: &Row) -> Result<BlockRow, StoreError> {
    Ok(BlockRow {
        number: count(row, 0)?,
        hash: hash(column(row, 1)?)?,
        candidate: column::<i64>(row, 2)?.cast_unsigned(),
        candidate_seq: seq(row, 3)?,
        anchor: optional_count(row, 4)?.map(ShareSeq),
        fallback: seq(row, 5)?,
        algorithm: algorithm(row, 6)?,
        network_work: work(row, 7)?,
        height: optional_count(row, 8)?,
        parents: Vec::new(),
        account: address(row, 9)?,
        worker: worker(row, 10)?,
        found_at: time(row, 11)?,
        life: text(row, 12, |stored| serde_json::from_str(stored).ok())?,
        income: text(row, 13, |stored| serde_json::from_str(stored).ok())?,
        confirmations: count(row, 14)?,
        merging_block: column::<Option<&[u8]>>(row, 15)?.map(hash).transpose()?,
        reason: column(row, 16)?,
    })
}

pub(super) async fn with_parents(session: &Session, rows: &[Row]) -> Result<Vec<BlockRow>, StoreError> {
    let mut blocks = rows.iter().map(block_row).collect::<Result<Vec<_>, _>>()?;
    if blocks.is_empty() {
        return Ok(blocks);
    }
    let numbers = blocks.iter().map(|block| signed(block.number)).collect::<Result<Vec<_>, _>>()?;
    let mut parents: BTreeMap<u64, Vec<BlockHash>> = BTreeMap::new();
    for row in session.query(sql::BLOCK_PARENTS, &[&numbers]).await? {
        parents.entry(count(&row, 0)?).or_default().push(hash(column(&row, 1)?)?);
    }
    for block in &mut blocks {
        block.parents = parents.remove(&block.number).unwrap_or_default();
    }
    Ok(blocks)
}

/// Accounts with everything that is known of them, in the order given.
async fn account_rows(session: &Session, page: Vec<(i64, Account)>) -> Result<Vec<AccountRow>, StoreError> {
    let ids: Vec<i64> = page.iter().map(|(id, _)| *id).collect();
    let mut workers: BTreeMap<i64, Vec<WorkerShares>> = BTreeMap::new();
    for row in session.query(sql::ACCOUNT_SHARES, &[&ids]).await? {
        workers.entry(column(&row, 0)?).or_default().push(WorkerShares {
            worker: worker(&row, 1)?,
            algorithm: algorithm(&row, 2)?,
            accepted: count(&row, 3)?,
            work: work(&row, 4)?,
            last_share_at: time(&row, 5)?,
        });
    }
    let mut balances: BTreeMap<i64, Balance> = BTreeMap::new();
    for row in session.query(sql::ACCOUNT_BALANCES, &[&ids]).await? {
        let balance = balances.entry(column(&row, 0)?).or_default();
        balance.take_in(column(&row, 1)?, amount(&row, 2)?);
    }
    let rows = page.into_iter().map(|(id, account)| AccountRow {
        account,
        workers: workers.remove(&id).unwrap_or_default(),
        balance: balances.remove(&id).unwrap_or_default(),
    });
    Ok(rows.collect())
}

pub(super) fn named(rows: &[Row]) -> Result<Vec<(i64, Account)>, StoreError> {
    rows.iter().map(|row| Ok((column(row, 0)?, address(row, 1)?))).collect()
}

/// Names of the nodes that feed this database.
pub(super) struct Nodes;

impl Question for Nodes {
    type Answer = Vec<String>;

    async fn ask(&self, session: &Session) -> Result<Self::Answer, StoreError> {
        session.query(sql::POSITION_NODES, &[]).await?.iter().map(|row| column(row, 0)).collect()
    }
}

/// What the database occupies.
pub(super) struct SizeBytes;

impl Question for SizeBytes {
    type Answer = u64;

    async fn ask(&self, session: &Session) -> Result<Self::Answer, StoreError> {
        let rows = session.query(sql::DATABASE_SIZE, &[]).await?;
        let bytes: Option<i64> = rows.first().map(|row| column(row, 0)).transpose()?;
        Ok(bytes.map_or(0, i64::cast_unsigned))
    }
}

/// Accounts in order of address.
pub(super) struct Accounts {
    pub(super) after: Option<Account>,
    pub(super) limit: usize,
}

impl Question for Accounts {
    type Answer = Vec<AccountRow>;

    async fn ask(&self, session: &Session) -> Result<Self::Answer, StoreError> {
        let after = self.after.as_ref().map_or("", Account::as_str);
        let page = session.query(sql::ACCOUNTS_PAGE, &[&after, &limit(self.limit)]).await?;
        account_rows(session, named(&page)?).await
    }
}

/// Those of these accounts that there are.
pub(super) struct AccountsNamed(pub(super) Vec<Account>);

impl Question for AccountsNamed {
    type Answer = Vec<AccountRow>;

    async fn ask(&self, session: &Session) -> Result<Self::Answer, StoreError> {
        let wanted: Vec<&str> = self.0.iter().map(Account::as_str).collect();
        let found = session.query(sql::ACCOUNT_IDS, &[&wanted]).await?;
        account_rows(session, named(&found)?).await
    }
}

/// Shares of an account by the hour.
pub(super) struct ShareHours {
    pub(super) account: Account,
    pub(super) from: TimeMs,
    pub(super) to: TimeMs,
}

impl Question for ShareHours {
    type Answer = Vec<ShareHour>;

    async fn ask(&self, session: &Session) -> Result<Self::Answer, StoreError> {
        let account = self.account.as_str();
        let found =
            session.query(sql::SHARE_HOURS_OF, &[&account, &Stamp(self.from), &Stamp(self.to)]).await?;
        let hours = found.iter().map(|row| {
            Ok(ShareHour {
                at: time(row, 0)?,
                algorithm: algorithm(row, 1)?,
                accepted: count(row, 2)?,
                work: work(row, 3)?,
            })
        });
        hours.collect()
    }
}

/// Blocks, newest first.
pub(super) struct Blocks(pub(super) BlockQuery);

impl Question for Blocks {
    type Answer = Vec<BlockRow>;

    async fn ask(&self, session: &Session) -> Result<Self::Answer, StoreError> {
        let query = &self.0;
        let before = query.before.map_or(Ok(i64::MAX), signed)?;
        let status = query.status.map_or("", BlockStatus::as_str);
        let color = query.color.map_or("", Color::as_str);
        let account = query.account.as_ref().map_or("", Account::as_str);
        let page = session
            .query(sql::BLOCKS_PAGE, &[&before, &status, &color, &account, &limit(query.limit)])
            .await?;
        with_parents(session, &page).await
    }
}

/// One block and its life so far.
pub(super) struct OneBlock(pub(super) BlockHash);

impl Question for OneBlock {
    type Answer = Option<(BlockRow, Vec<BlockStep>)>;

    async fn ask(&self, session: &Session) -> Result<Self::Answer, StoreError> {
        let found = session.query(sql::BLOCK_BY_HASH, &[&self.0.0.as_slice()]).await?;
        let Some(block) = with_parents(session, &found).await?.into_iter().next() else { return Ok(None) };
        let steps = session.query(sql::BLOCK_HISTORY, &[&signed(block.number)?]).await?;
        let steps = steps.iter().map(|row| {
            Ok(BlockStep {
                at: time(row, 0)?,
                status: text(row, 1, status)?,
                color: text(row, 2, color)?,
                reason: column(row, 3)?,
            })
        });
        let steps = steps.collect::<Result<_, StoreError>>()?;
        Ok(Some((block, steps)))
    }
}

/// A split with its accounts as keys.
pub(super) struct StoredSplit {
    pub(super) block: BlockHash,
    split: Split,
    weights: Vec<(i64, Work)>,
    /// The root, where one is stored.
    pub(super) root: Option<[u8; 32]>,
}

/// Reads a block's hash and the columns of `block_splits` behind it, from `first` on.
pub(super) fn split_row(row: &Row, first: usize) -> Result<StoredSplit, StoreError> {
    let block = hash(column(row, first)?)?;
    let weights = weights::unpack(column(row, first + 5)?)
        .ok_or_else(|| corrupt(format!("the split of block {block} is damaged")))?;
    let points =
        |value: i32| u32::try_from(value).map(BasisPoints).map_err(|_| corrupt("a proportion is negative"));
    let counted = column::<Option<Numeric>>(row, first + 7)?;
    let root = column::<Option<&[u8]>>(row, first + 8)?.map(hash).transpose()?;
    let split = Split {
        scheme: column(row, first + 1)?,
        factor: column::<Option<i32>>(row, first + 6)?.map(points).transpose()?,
        fee: points(column(row, first + 2)?)?,
        first_seq: optional_count(row, first + 3)?.map(ShareSeq),
        first_counted: counted.map(Work::try_from).transpose().map_err(corrupt)?,
        last_seq: seq(row, first + 4)?,
        weights: Vec::new(),
        root: [0; 32],
    };
    Ok(StoredSplit { block, split, weights, root: root.map(|root| root.0) })
}

impl StoredSplit {
    fn accounts(&self) -> impl Iterator<Item = i64> {
        self.weights.iter().map(|(id, _)| *id)
    }

    /// With names in place of keys. A split from before roots were stored has the one that follows from its list.
    pub(super) fn named(self, name: impl Fn(i64) -> Option<Account>) -> Result<Split, StoreError> {
        let Self { mut split, weights, root, .. } = self;
        for (id, work) in weights {
            let name = name(id).ok_or_else(|| corrupt(format!("account {id} of a split does not exist")))?;
            split.weights.push((name, work));
        }
        split.weights.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        split.root = root.unwrap_or_else(|| window_root(&split.weights));
        Ok(split)
    }
}

/// The splits of these blocks, where known.
pub(super) struct Splits(pub(super) Vec<BlockHash>);

impl Question for Splits {
    type Answer = BTreeMap<BlockHash, Split>;

    async fn ask(&self, session: &Session) -> Result<Self::Answer, StoreError> {
        let hashes: Vec<&[u8]> = self.0.iter().map(|hash| hash.0.as_slice()).collect();
        let mut found = Vec::new();
        let mut ids = BTreeSet::new();
        for row in session.query(sql::SPLITS_GET, &[&hashes]).await? {
            let stored = split_row(&row, 0)?;
            ids.extend(stored.accounts());
            found.push(stored);
        }
        let ids: Vec<i64> = ids.into_iter().collect();
        let names: BTreeMap<i64, Account> =
            named(&session.query(sql::ACCOUNT_NAMES, &[&ids]).await?)?.into_iter().collect();
        let mut splits = BTreeMap::new();
        for stored in found {
            let block = stored.block;
            splits.insert(block, stored.named(|id| names.get(&id).cloned())?);
        }
        Ok(splits)
    }
}

/// Sums over the whole ledger.
pub(super) struct AllTotals;

impl Question for AllTotals {
    type Answer = Totals;

    async fn ask(&self, session: &Session) -> Result<Self::Answer, StoreError> {
        let counts = session.query(sql::COUNTS, &[]).await?;
        let counts = counts.first().ok_or_else(|| corrupt("no row where one must be"))?;
        let blocks = session.query(sql::BLOCK_COUNTS, &[]).await?;
        let blocks = blocks
            .iter()
            .map(|row| Ok((text(row, 0, status)?, text(row, 1, color)?, count(row, 2)?)))
            .collect::<Result<_, StoreError>>()?;
        let balances = session.query(sql::BALANCE_TOTALS, &[]).await?;
        let balances = balances
            .iter()
            .map(|row| Ok((column(row, 0)?, amount(row, 1)?)))
            .collect::<Result<_, StoreError>>()?;
        Ok(Totals {
            accounts: count(counts, 0)?,
            workers: count(counts, 1)?,
            accepted: count(counts, 2)?,
            blocks,
            balances,
        })
    }
}

/// Every audit.
pub(super) struct Check;

impl Question for Check {
    type Answer = Vec<Finding>;

    const LONG: bool = true;

    async fn ask(&self, session: &Session) -> Result<Self::Answer, StoreError> {
        session.client.batch_execute(sql::AUDIT_BEGIN.text).await.map_err(failure)?;
        let mut findings = Vec::new();
        for (check, statement) in sql::CHECKS {
            let rows = session.client.query(*statement, &[]).await.map_err(failure)?.len() as u64;
            if rows > 0 {
                findings.push(Finding { check, rows });
            }
        }
        Ok(findings)
    }
}
