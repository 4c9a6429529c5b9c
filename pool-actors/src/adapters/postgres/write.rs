//! The one connection that writes: its lock, its fencing token, and a commit of the ledger as one transaction.

mod adjust;
mod blocks;
mod money;
pub(super) mod payouts;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use pool_domain::ids::{Account, BlockHash, WorkerName};
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::{Row, Transaction, types::Type};

use super::{
    codec::{Numeric, Stamp},
    copy::Copy,
    read::{self, column, corrupt, signed, text},
    session::{Gate, Parameters, Purpose, Session, Statements, failure},
    statements::{self as sql, Sql},
};
use crate::ports::store::{HOUR_MS, LedgerCommit, LedgerState, Position, ShareDelta, StoreError};

pub(super) use adjust::row as adjustment_row;

/// Keys remembered; past it they are looked up again.
const KEYS_KEPT: usize = 1_000_000;
/// How long the lock of a process that has just ended is waited for.
const LOCK_WAIT: Duration = Duration::from_secs(5);
/// How often it is tried.
const LOCK_POLL: Duration = Duration::from_millis(100);

/// The writing connection, what it holds, and the keys of names it has met.
pub(super) struct Writer {
    gate: Arc<Gate>,
    session: Option<Session>,
    /// Nodes whose lock this very connection holds.
    locked: BTreeSet<String>,
    /// The last fencing token of each node, kept over connections.
    tokens: BTreeMap<String, i64>,
    keys: Keys,
}

/// Numbers of the blocks of a commit.
type BlockNumbers = HashMap<BlockHash, i64>;

#[derive(Default)]
struct Keys {
    accounts: HashMap<Account, i64>,
    workers: HashMap<(i64, WorkerName), i64>,
    /// Days, since 1970, whose partition exists.
    days: BTreeSet<u64>,
}

impl Writer {
    pub(super) fn new(gate: Arc<Gate>) -> Self {
        Self { gate, session: None, locked: BTreeSet::new(), tokens: BTreeMap::new(), keys: Keys::default() }
    }

    /// What a ledger needs at start. From here on this process is the node's only writer.
    pub(super) async fn load(&mut self, node: &str) -> Result<LedgerState, StoreError> {
        self.gate.bring_up_to_date().await?;
        self.within(async |writer: &mut Self| {
            writer.ready(node).await?;
            read::load(writer.session()?, node).await
        })
        .await
    }

    pub(super) async fn commit(&mut self, commit: &LedgerCommit) -> Result<Position, StoreError> {
        if self.keys.accounts.len() + self.keys.workers.len() > KEYS_KEPT {
            self.keys = Keys::default();
        }
        let done = self
            .within(async |writer: &mut Self| {
                writer.ready(&commit.node).await?;
                writer.apply(commit).await
            })
            .await;
        if done.is_err() {
            // Keys given in a transaction that was rolled back do not exist.
            self.keys = Keys::default();
        }
        done
    }

    /// Gives up on a server that does not answer, and on the connection with it: what is under way there ends as a
    /// commit or not at all, and is recognised when it is tried again.
    async fn within<R>(
        &mut self,
        work: impl AsyncFnOnce(&mut Self) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let settings = &self.gate.settings;
        let bound = settings.statement_timeout * 2 + settings.connect_timeout * 2 + LOCK_WAIT;
        let described = format!("{settings} did not answer within {} ms", bound.as_millis());
        match timeout(bound, work(self)).await {
            Ok(done) => {
                if matches!(&done, Err(StoreError::Unavailable { what }) if what.contains("25006")) {
                    // Another server takes the writes now.
                    self.session = None;
                }
                done
            }
            Err(_) => {
                self.session = None;
                Err(StoreError::Unavailable { what: described })
            }
        }
    }

    fn session(&self) -> Result<&Session, StoreError> {
        self.session.as_ref().ok_or_else(|| corrupt("the writing connection is not open"))
    }

    /// Connected.
    async fn connected(&mut self) -> Result<(), StoreError> {
        if !self.session.as_ref().is_some_and(Session::is_usable) {
            self.session = None;
            self.locked.clear();
            // Another server may have taken over, without the newest rows of the former.
            self.keys = Keys::default();
            self.session = Some(self.gate.open(Purpose::Write).await?);
        }
        Ok(())
    }

    /// Connected, and the node's only writer.
    async fn ready(&mut self, node: &str) -> Result<(), StoreError> {
        self.connected().await?;
        if !self.locked.contains(node) {
            let session = self.session()?;
            let former = self.tokens.get(node).copied();
            lock(session, node, former).await?;
            let taken = session.query(sql::WRITER_TAKE, &[&node]).await?;
            let token: i64 = column(taken.first().ok_or_else(|| corrupt("no fencing token"))?, 0)?;
            // A lower one: the database has gone back, which the next commit finds out.
            if former.is_some_and(|former| token > former + 1) {
                return Err(in_use(node, "has written to it meanwhile"));
            }
            tracing::info!(node, token, database = %self.gate.settings, "this process feeds the database");
            self.locked.insert(node.to_owned());
            self.tokens.insert(node.to_owned(), token);
        }
        Ok(())
    }

    async fn apply(&mut self, commit: &LedgerCommit) -> Result<Position, StoreError> {
        let token = self.tokens.get(&commit.node).copied();
        let Some(session) = &mut self.session else {
            return Err(corrupt("the writing connection is not open"));
        };
        let statements = &session.statements;
        let tx = session.client.transaction().await.map_err(failure)?;
        let mut step = Step { tx: &tx, statements, keys: &mut self.keys, at: Stamp(commit.at) };
        let stands = step.query(sql::POSITION_LOCK, &[&commit.node]).await?;
        let stands =
            stands.first().ok_or_else(|| corrupt("the node's position is gone from the database"))?;
        let (seq, commits, newest): (i64, i64, i64) =
            (column(stands, 0)?, column(stands, 1)?, column(stands, 2)?);
        if token != Some(newest) {
            return Err(in_use(&commit.node, "has taken over"));
        }
        let after = Position { seq: commit.seq, commits: commit.expected.commits + 1 };
        let is_at = |position: Position| {
            Ok::<_, StoreError>((seq, commits) == (signed(position.seq.0)?, signed(position.commits)?))
        };
        if is_at(after)? {
            return Ok(after);
        }
        if !is_at(commit.expected)? || commit.seq < commit.expected.seq {
            let (node, expected, found) =
                (commit.node.clone(), commit.expected.commits, commits.unsigned_abs());
            // Nobody else wrote, since the lock and the newest token are ours.
            return Err(if found < expected {
                StoreError::Rewound { node, expected, found }
            } else {
                StoreError::Conflict { node, expected, found }
            });
        }
        step.run(sql::POSITION_ADVANCE, &[&commit.node, &signed(commit.seq.0)?]).await?;
        step.find_keys(commit).await?;
        step.add_shares(&commit.shares, self.gate.settings.history_days).await?;
        step.windows_and_anchors(commit).await?;
        step.put_blocks(&commit.node, &commit.blocks).await?;
        step.post(&commit.postings).await?;
        tx.commit().await.map_err(failure)?;
        Ok(after)
    }
}

fn in_use(node: &str, what: &str) -> StoreError {
    StoreError::InUse { node: node.to_owned(), what: what.to_owned() }
}

/// Takes the lock that makes this process the node's only writer. `former` is the token that it held before.
async fn lock(session: &Session, node: &str, former: Option<i64>) -> Result<(), StoreError> {
    let deadline = Instant::now() + LOCK_WAIT;
    loop {
        let tried = session.query(sql::WRITER_LOCK, &[&node]).await?;
        let tried = tried.first().ok_or_else(|| corrupt("no answer to a lock"))?;
        if column(tried, 0)? {
            return Ok(());
        }
        let newest: Option<i64> = column(tried, 1)?;
        match former {
            // The server has not noticed yet that our former connection is gone.
            Some(former) if newest == Some(former) => {
                session.query(sql::WRITER_EVICT, &[&node, &former]).await?;
            }
            Some(_) => return Err(in_use(node, "has taken over")),
            None => {}
        }
        if Instant::now() > deadline {
            return match former {
                None => Err(in_use(node, "feeds it")),
                Some(_) => Err(StoreError::Unavailable {
                    what: "PostgreSQL: this process's former connection still holds the writer's lock".into(),
                }),
            };
        }
        sleep(LOCK_POLL).await;
    }
}

/// A commit while it is being applied.
struct Step<'a> {
    tx: &'a Transaction<'a>,
    statements: &'a Statements,
    keys: &'a mut Keys,
    at: Stamp,
}

impl Step<'_> {
    async fn query(&self, sql: Sql, parameters: Parameters<'_>) -> Result<Vec<Row>, StoreError> {
        self.tx.query(self.statements.of(sql)?, parameters).await.map_err(failure)
    }

    async fn run(&self, sql: Sql, parameters: Parameters<'_>) -> Result<(), StoreError> {
        self.count(sql, parameters).await.map(drop)
    }

    /// How many rows it changed.
    async fn count(&self, sql: Sql, parameters: Parameters<'_>) -> Result<u64, StoreError> {
        self.tx.execute(self.statements.of(sql)?, parameters).await.map_err(failure)
    }

    async fn copy(&self, sql: Sql, types: &[Type]) -> Result<Copy, StoreError> {
        Copy::begin(self.tx, self.statements, sql, types).await
    }

    /// Looks up (and creates) the keys of all names of the commit at once.
    async fn find_keys(&mut self, commit: &LedgerCommit) -> Result<(), StoreError> {
        let of_blocks = commit.blocks.iter().map(|change| (&change.row.account, &change.row.worker));
        let workers = commit.shares.iter().map(|delta| (&delta.account, &delta.worker)).chain(of_blocks);
        let workers: Vec<(&Account, &WorkerName)> = workers.collect();
        let splits = commit.blocks.iter().filter_map(|change| change.split.as_ref());
        let of_splits = splits.flat_map(|split| split.weights.iter().map(|(account, _)| account));
        let entries = commit.postings.iter().flat_map(|posting| posting.transaction.entries());
        let of_entries = entries.filter_map(|entry| entry.account.owner());
        let accounts = workers.iter().map(|(account, _)| *account).chain(of_splits).chain(of_entries);
        let unknown: BTreeSet<&str> = accounts
            .filter(|account| !self.keys.accounts.contains_key(*account))
            .map(Account::as_str)
            .collect();
        if !unknown.is_empty() {
            let unknown: Vec<&str> = unknown.into_iter().collect();
            self.run(sql::ACCOUNTS_CREATE, &[&unknown, &self.at]).await?;
            for row in self.query(sql::ACCOUNT_IDS, &[&unknown]).await? {
                let account = text(&row, 1, |name| Account::new(name).ok())?;
                self.keys.accounts.insert(account, column(&row, 0)?);
            }
        }
        let mut unknown = BTreeSet::new();
        for (account, worker) in workers {
            let id = self.account(account)?;
            if !self.keys.workers.contains_key(&(id, worker.clone())) {
                unknown.insert((id, worker.as_str()));
            }
        }
        if !unknown.is_empty() {
            let (ids, names): (Vec<i64>, Vec<&str>) = unknown.into_iter().unzip();
            self.run(sql::WORKERS_CREATE, &[&ids, &names]).await?;
            for row in self.query(sql::WORKER_IDS, &[&ids, &names]).await? {
                let name = text(&row, 2, |name| WorkerName::new(name).ok())?;
                self.keys.workers.insert((column(&row, 1)?, name), column(&row, 0)?);
            }
        }
        Ok(())
    }

    fn account(&self, account: &Account) -> Result<i64, StoreError> {
        self.keys.accounts.get(account).copied().ok_or_else(|| corrupt("an account has no key"))
    }

    fn worker(&self, account: &Account, worker: &WorkerName) -> Result<i64, StoreError> {
        let name = (self.account(account)?, worker.clone());
        self.keys.workers.get(&name).copied().ok_or_else(|| corrupt("a worker has no key"))
    }

    async fn add_shares(&mut self, shares: &[ShareDelta], history_days: u32) -> Result<(), StoreError> {
        if shares.is_empty() {
            return Ok(());
        }
        let types = [Type::INT8, Type::TEXT, Type::INT8, Type::NUMERIC, Type::TIMESTAMPTZ];
        let mut copy = self.copy(sql::SHARES_COPY, &types).await?;
        for delta in shares {
            copy.row(&[
                &self.worker(&delta.account, &delta.worker)?,
                &delta.algorithm.as_str(),
                &signed(delta.accepted)?,
                &Numeric::from(delta.work),
                &Stamp(delta.last_share_at),
            ])
            .await?;
        }
        copy.finish().await?;
        self.run(sql::SHARES_MERGE, &[]).await?;
        let days: BTreeSet<u64> = shares.iter().map(|delta| delta.last_share_at.0 / HOUR_MS / 24).collect();
        for day in days {
            if !self.keys.days.contains(&day) {
                let kept = i32::try_from(history_days).unwrap_or(i32::MAX);
                let number = i32::try_from(day).map_err(|_| corrupt("a day beyond all calendars"))?;
                self.run(sql::SHARE_HOURS_DAY, &[&number, &kept]).await?;
                self.keys.days.insert(day);
            }
        }
        self.run(sql::SHARE_HOURS_MERGE, &[]).await
    }

    async fn windows_and_anchors(&self, commit: &LedgerCommit) -> Result<(), StoreError> {
        let node = &commit.node;
        for window in &commit.windows {
            let (oldest, newest) = (signed(window.oldest.0)?, signed(window.newest.0)?);
            let name = window.algorithm.as_str();
            self.run(sql::WINDOW_PUT, &[node, &name, &oldest, &newest, &window.state]).await?;
        }
        if !commit.anchors_added.is_empty() {
            let candidates: Vec<i64> =
                commit.anchors_added.iter().map(|anchor| anchor.candidate.cast_signed()).collect();
            let seqs = commit.anchors_added.iter().map(|anchor| signed(anchor.seq.0));
            let seqs = seqs.collect::<Result<Vec<_>, _>>()?;
            self.run(sql::ANCHORS_PUT, &[node, &candidates, &seqs]).await?;
        }
        if !commit.anchors_removed.is_empty() {
            let removed: Vec<i64> = commit.anchors_removed.iter().map(|id| id.cast_signed()).collect();
            self.run(sql::ANCHORS_REMOVE, &[node, &removed]).await?;
        }
        Ok(())
    }
}

/// PostgreSQL's text holds no NUL; a node's words might.
pub(super) fn clean(words: &str) -> Cow<'_, str> {
    if words.contains('\0') { Cow::Owned(words.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(words) }
}
