//! One commit of the ledger as one transaction.

mod adjust;

use std::collections::{BTreeMap, HashMap};

use pool_domain::{
    ids::{Account, WorkerName},
    maturity::BlockLife,
    units::{Amount, TimeMs},
};
use rusqlite::{
    Connection, OptionalExtension, Statement, Transaction, TransactionBehavior, named_params, params,
    types::ToSql,
};

use super::{
    super::weights,
    limbs::Limbs,
    read::{self, corrupt, signed},
    statements as sql, unavailable,
};
use crate::ports::store::{
    BlockChange, HOUR_MS, LedgerCommit, Position, Posting, ShareDelta, Split, StoreError,
};

pub(super) use adjust::row as adjustment_row;

/// Keys remembered; past it they are looked up again.
const KEYS_KEPT: usize = 1_000_000;
/// Accounts whose keys are read before the first commit: a block may pay all of them, and one by one that takes long.
const KEYS_READ: i64 = 200_000;
/// The account of the pool itself.
const POOL: i64 = 0;
/// Lines that `entries_put` takes.
const ENTRIES_AT_ONCE: usize = 100;
/// Columns of each.
const COLUMNS: usize = 7;

/// The writing connection and the keys of names it has met.
pub(super) struct Writer {
    db: Connection,
    keys: Keys,
    history_days: u32,
}

#[derive(Default)]
struct Keys {
    accounts: HashMap<Account, AccountKeys>,
    /// Of accounts and workers.
    count: usize,
    /// The newest day for which old hours were forgotten, since 1970.
    day: u64,
}

struct AccountKeys {
    id: i64,
    workers: BTreeMap<WorkerName, i64>,
}

impl Writer {
    pub(super) fn new(db: Connection, history_days: u32) -> Self {
        Self { db, keys: Keys::default(), history_days }
    }

    /// Reads the keys of the newest accounts.
    fn read_keys(&mut self) -> Result<(), StoreError> {
        let newest = read::keys(&self.db, KEYS_READ)?;
        self.keys.count += newest.len();
        self.keys.accounts.extend(
            newest.into_iter().map(|(id, account)| (account, AccountKeys { id, workers: BTreeMap::new() })),
        );
        Ok(())
    }

    pub(super) fn db(&mut self) -> &mut Connection {
        &mut self.db
    }

    pub(super) fn commit(&mut self, commit: &LedgerCommit) -> Result<Position, StoreError> {
        if self.keys.accounts.is_empty() {
            self.read_keys()?;
        }
        if self.keys.count > KEYS_KEPT {
            self.keys = Keys::default();
        }
        let done = self.apply(commit);
        if done.is_err() {
            // Keys given in a transaction that was rolled back do not exist.
            self.keys = Keys::default();
        }
        done
    }

    /// One transaction of somebody else than the ledger.
    pub(super) fn step<R>(
        &mut self,
        at: TimeMs,
        work: impl FnOnce(&mut Step<'_>) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(unavailable)?;
        let done = work(&mut Step { tx: &tx, keys: &mut self.keys, at })
            .and_then(|done| tx.commit().map(|()| done).map_err(unavailable));
        if done.is_err() {
            // Keys given in a transaction that was rolled back do not exist.
            self.keys = Keys::default();
        }
        done
    }

    fn apply(&mut self, commit: &LedgerCommit) -> Result<Position, StoreError> {
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(unavailable)?;
        run(&tx, sql::POSITION_CREATE, named_params! { ":node": commit.node })?;
        let found = read::position(&tx, &commit.node)?;
        let after = Position { seq: commit.seq, commits: commit.expected.commits + 1 };
        if found == after {
            return Ok(after);
        }
        let advanced = run(
            &tx,
            sql::POSITION_ADVANCE,
            named_params! {
                ":node": commit.node,
                ":seq": signed(commit.seq.0)?,
                ":expected_commits": signed(commit.expected.commits)?,
            },
        )?;
        if advanced != 1 || found != commit.expected {
            return Err(StoreError::Conflict {
                node: commit.node.clone(),
                expected: commit.expected.commits,
                found: found.commits,
            });
        }
        let mut step = Step { tx: &tx, keys: &mut self.keys, at: commit.at };
        step.add_shares(&commit.shares, self.history_days)?;
        step.windows_and_anchors(commit)?;
        for change in &commit.blocks {
            step.put_block(&commit.node, change)?;
        }
        step.post(&commit.postings)?;
        tx.commit().map_err(unavailable)?;
        Ok(after)
    }
}

pub(super) fn run(
    tx: &Transaction<'_>,
    statement: &str,
    parameters: &[(&str, &dyn ToSql)],
) -> Result<usize, StoreError> {
    tx.prepare_cached(statement).and_then(|mut prepared| prepared.execute(parameters)).map_err(unavailable)
}

pub(super) fn key(
    tx: &Transaction<'_>,
    statement: &str,
    parameters: &[(&str, &dyn ToSql)],
) -> Result<Option<i64>, StoreError> {
    tx.prepare_cached(statement)
        .and_then(|mut prepared| prepared.query_row(parameters, |row| row.get(0)).optional())
        .map_err(unavailable)
}

fn json(life: &BlockLife) -> Result<String, StoreError> {
    serde_json::to_string(life).map_err(|error| corrupt(format!("a block's life has no JSON form: {error}")))
}

/// What a commit adds to balances, by account and kind.
type Moved = BTreeMap<(i64, &'static str), Amount>;

/// An entry: transaction, line, kind, account, amount.
type Line = (i64, i64, &'static str, i64, Limbs);

/// Fills in a statement that takes so many lines, and runs it.
fn put_lines(put: &mut Statement<'_>, lines: &[Line]) -> rusqlite::Result<()> {
    for (first, (id, line, kind, account_id, amount)) in (1..).step_by(COLUMNS).zip(lines) {
        put.raw_bind_parameter(first, id)?;
        put.raw_bind_parameter(first + 1, line)?;
        put.raw_bind_parameter(first + 2, kind)?;
        put.raw_bind_parameter(first + 3, account_id)?;
        put.raw_bind_parameter(first + 4, amount.hi)?;
        put.raw_bind_parameter(first + 5, amount.mid)?;
        put.raw_bind_parameter(first + 6, amount.lo)?;
    }
    put.raw_execute().map(drop)
}

/// A transaction while it is being written.
pub(super) struct Step<'a> {
    pub(super) tx: &'a Transaction<'a>,
    keys: &'a mut Keys,
    pub(super) at: TimeMs,
}

impl Step<'_> {
    pub(super) fn account(&mut self, account: &Account) -> Result<i64, StoreError> {
        self.account_keys(account).map(|keys| keys.id)
    }

    fn account_keys(&mut self, account: &Account) -> Result<&mut AccountKeys, StoreError> {
        if !self.keys.accounts.contains_key(account) {
            let stored = match key(self.tx, sql::ACCOUNT_ID, named_params! { ":address": account.as_str() })?
            {
                Some(stored) => stored,
                None => key(
                    self.tx,
                    sql::ACCOUNT_CREATE,
                    named_params! { ":address": account.as_str(), ":at": signed(self.at.0)? },
                )?
                .ok_or_else(|| corrupt("a new account has no key"))?,
            };
            self.keys.count += 1;
            let keys = AccountKeys { id: stored, workers: BTreeMap::new() };
            self.keys.accounts.insert(account.clone(), keys);
        }
        self.keys.accounts.get_mut(account).ok_or_else(|| corrupt("an account's key was not kept"))
    }

    fn worker(&mut self, account: &Account, worker: &WorkerName) -> Result<i64, StoreError> {
        let tx = self.tx;
        let keys = self.account_keys(account)?;
        if let Some(known) = keys.workers.get(worker) {
            return Ok(*known);
        }
        let parameters: &[(&str, &dyn ToSql)] =
            named_params! { ":account_id": keys.id, ":name": worker.as_str() };
        let stored = match key(tx, sql::WORKER_ID, parameters)? {
            Some(stored) => stored,
            None => {
                key(tx, sql::WORKER_CREATE, parameters)?.ok_or_else(|| corrupt("a new worker has no key"))?
            }
        };
        keys.workers.insert(worker.clone(), stored);
        self.keys.count += 1;
        Ok(stored)
    }

    fn add_shares(&mut self, deltas: &[ShareDelta], history_days: u32) -> Result<(), StoreError> {
        let mut by_worker = Vec::with_capacity(deltas.len());
        for delta in deltas {
            by_worker.push((self.worker(&delta.account, &delta.worker)?, delta));
        }
        // In the table's own order, each of its pages is visited once.
        by_worker.sort_unstable_by_key(|(worker_id, _)| *worker_id);
        let mut add = self.tx.prepare_cached(sql::SHARES_ADD).map_err(unavailable)?;
        let mut add_hour = self.tx.prepare_cached(sql::SHARE_HOURS_ADD).map_err(unavailable)?;
        for (worker_id, delta) in by_worker {
            let work = Limbs::from(delta.work);
            add.execute(params![
                worker_id,
                delta.algorithm.as_str(),
                signed(delta.accepted)?,
                work.hi,
                work.mid,
                work.lo,
                signed(delta.last_share_at.0)?,
            ])
            .map_err(unavailable)?;
            let hour = signed(delta.last_share_at.0 / HOUR_MS)?;
            let accepted = signed(delta.accepted)?;
            add_hour
                .execute(params![
                    worker_id,
                    delta.algorithm.as_str(),
                    hour,
                    accepted,
                    work.hi,
                    work.mid,
                    work.lo
                ])
                .map_err(unavailable)?;
        }
        self.forget_hours(deltas, history_days)
    }

    /// Once for each new day: hours beyond those that are kept go.
    fn forget_hours(&mut self, deltas: &[ShareDelta], history_days: u32) -> Result<(), StoreError> {
        let newest = deltas.iter().map(|delta| delta.last_share_at.0 / HOUR_MS).max().unwrap_or_default();
        let day = newest / 24;
        if day <= self.keys.day {
            return Ok(());
        }
        let oldest = signed(day.saturating_sub(history_days.into()) * 24)?;
        run(self.tx, sql::SHARE_HOURS_FORGET, named_params! { ":oldest": oldest })?;
        self.keys.day = day;
        Ok(())
    }

    fn windows_and_anchors(&mut self, commit: &LedgerCommit) -> Result<(), StoreError> {
        for window in &commit.windows {
            run(
                self.tx,
                sql::WINDOW_PUT,
                named_params! {
                    ":node": commit.node,
                    ":algorithm": window.algorithm.as_str(),
                    ":oldest_seq": signed(window.oldest.0)?,
                    ":newest_seq": signed(window.newest.0)?,
                    ":state": window.state,
                },
            )?;
        }
        for anchor in &commit.anchors_added {
            run(
                self.tx,
                sql::ANCHOR_PUT,
                named_params! {
                    ":node": commit.node,
                    ":candidate": anchor.candidate.cast_signed(),
                    ":seq": signed(anchor.seq.0)?,
                },
            )?;
        }
        for candidate in &commit.anchors_removed {
            run(
                self.tx,
                sql::ANCHOR_REMOVE,
                named_params! { ":node": commit.node, ":candidate": candidate.cast_signed() },
            )?;
        }
        Ok(())
    }

    fn put_block(&mut self, node: &str, change: &BlockChange) -> Result<(), StoreError> {
        let row = &change.row;
        let worker_id = self.worker(&row.account, &row.worker)?;
        let network_work = Limbs::from(row.network_work);
        let reward = row.life.reward().map(Limbs::from);
        let income = row.income.reward().map(Limbs::from);
        let number = key(
            self.tx,
            sql::BLOCK_PUT,
            named_params! {
                ":hash": row.hash.0.as_slice(),
                ":node": node,
                ":candidate": row.candidate.cast_signed(),
                ":candidate_seq": signed(row.candidate_seq.0)?,
                ":anchor_seq": row.anchor.map(|seq| signed(seq.0)).transpose()?,
                ":fallback_seq": signed(row.fallback.0)?,
                ":algorithm": row.algorithm.as_str(),
                ":network_work_hi": network_work.hi, ":network_work_mid": network_work.mid,
                ":network_work_lo": network_work.lo,
                ":height": row.height.map(signed).transpose()?,
                ":worker_id": worker_id,
                ":found_at": signed(row.found_at.0)?,
                ":status": row.life.stage().as_str(),
                ":color": row.life.color().as_str(),
                ":confirmations": signed(row.confirmations)?,
                ":reward_hi": reward.map(|limbs| limbs.hi), ":reward_mid": reward.map(|limbs| limbs.mid),
                ":reward_lo": reward.map(|limbs| limbs.lo),
                ":income_hi": income.map(|limbs| limbs.hi), ":income_mid": income.map(|limbs| limbs.mid),
                ":income_lo": income.map(|limbs| limbs.lo),
                ":merging_block": row.merging_block.as_ref().map(|hash| hash.0.as_slice()),
                ":life": json(&row.life)?,
                ":income_life": json(&row.income)?,
                ":reason": row.reason,
                ":updated_at": signed(self.at.0)?,
            },
        )?
        .ok_or_else(|| corrupt("a stored block has no number"))?;
        if change.parents_changed {
            self.put_parents(number, change)?;
        }
        if let Some(split) = &change.split {
            self.put_split(number, split)?;
        }
        for step in &change.steps {
            run(
                self.tx,
                sql::BLOCK_HISTORY_ADD,
                named_params! {
                    ":number": number,
                    ":at": signed(step.at.0)?,
                    ":status": step.status.as_str(),
                    ":color": step.color.as_str(),
                    ":reason": step.reason,
                },
            )?;
        }
        Ok(())
    }

    fn put_parents(&mut self, number: i64, change: &BlockChange) -> Result<(), StoreError> {
        run(self.tx, sql::BLOCK_PARENTS_REMOVE, named_params! { ":number": number })?;
        for (position, parent) in (0_i64..).zip(&change.row.parents) {
            run(
                self.tx,
                sql::BLOCK_PARENT_PUT,
                named_params! { ":number": number, ":position": position, ":parent": parent.0.as_slice() },
            )?;
        }
        Ok(())
    }

    fn put_split(&mut self, number: i64, split: &Split) -> Result<(), StoreError> {
        let mut packed = Vec::with_capacity(split.weights.len());
        for (account, work) in &split.weights {
            packed.push((self.account(account)?, *work));
        }
        packed.sort_unstable_by_key(|(account, _)| *account);
        let counted = split.first_counted.map(Limbs::from);
        run(
            self.tx,
            sql::BLOCK_SPLIT_PUT,
            named_params! {
                ":number": number,
                ":scheme": split.scheme,
                ":fee_bp": split.fee.0,
                ":first_seq": split.first_seq.map(|seq| signed(seq.0)).transpose()?,
                ":last_seq": signed(split.last_seq.0)?,
                ":weights": weights::pack(&packed),
                ":factor_bp": split.factor.map(|factor| factor.0),
                ":first_counted_hi": counted.map(|limbs| limbs.hi),
                ":first_counted_mid": counted.map(|limbs| limbs.mid),
                ":first_counted_lo": counted.map(|limbs| limbs.lo),
                ":root": split.root.as_slice(),
            },
        )?;
        Ok(())
    }

    pub(super) fn post(&mut self, postings: &[Posting]) -> Result<(), StoreError> {
        if postings.is_empty() {
            return Ok(());
        }
        let next =
            key(self.tx, sql::TRANSACTION_NEXT_ID, &[])?.ok_or_else(|| corrupt("no next transaction"))?;
        let mut moved = Moved::new();
        let mut lines = Vec::new();
        for (id, posting) in (next..).zip(postings) {
            self.lines(id, posting, &mut lines, &mut moved)?;
        }
        self.put_entries(&lines)?;
        for (id, posting) in (next..).zip(postings) {
            self.seal(id, posting)?;
        }
        let mut add = self.tx.prepare_cached(sql::BALANCE_ADD).map_err(unavailable)?;
        for ((account_id, kind), amount) in moved {
            let limbs = Limbs::from(amount);
            add.execute(params![kind, account_id, limbs.hi, limbs.mid, limbs.lo]).map_err(unavailable)?;
        }
        Ok(())
    }

    /// A posting's lines as they are stored, and what they add to balances.
    fn lines(
        &mut self,
        id: i64,
        posting: &Posting,
        lines: &mut Vec<Line>,
        moved: &mut Moved,
    ) -> Result<(), StoreError> {
        lines.reserve(posting.transaction.entries().len());
        for (line, entry) in (0_i64..).zip(posting.transaction.entries()) {
            let account_id = match entry.account.owner() {
                Some(account) => self.account(account)?,
                None => POOL,
            };
            let kind = entry.account.kind();
            lines.push((id, line, kind, account_id, Limbs::from(entry.amount)));
            let sum = moved.entry((account_id, kind)).or_default();
            *sum = sum
                .checked_add(entry.amount)
                .ok_or_else(|| corrupt("the amounts of one commit are beyond 128 bits"))?;
        }
        Ok(())
    }

    fn put_entries(&self, lines: &[Line]) -> Result<(), StoreError> {
        let (many, rest) = lines.as_chunks::<ENTRIES_AT_ONCE>();
        let mut put = self.tx.prepare_cached(sql::ENTRIES_PUT).map_err(unavailable)?;
        for lines in many {
            put_lines(&mut put, lines).map_err(unavailable)?;
        }
        let mut put = self.tx.prepare_cached(sql::ENTRY_PUT).map_err(unavailable)?;
        for line in rest {
            put_lines(&mut put, std::slice::from_ref(line)).map_err(unavailable)?;
        }
        Ok(())
    }

    /// Comes last: the database refuses it unless the lines sum to zero.
    fn seal(&self, id: i64, posting: &Posting) -> Result<(), StoreError> {
        run(
            self.tx,
            sql::TRANSACTION_SEAL,
            named_params! {
                ":id": id,
                ":reference": posting.transaction.cause().key(),
                ":kind": posting.transaction.cause().kind(),
                ":block": posting.block.as_ref().map(|hash| hash.0.as_slice()),
                ":at": signed(posting.at.0)?,
            },
        )?;
        Ok(())
    }
}
