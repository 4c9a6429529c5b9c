//! Where the ledger is kept: accounts, roll-ups of shares, blocks and double-entry postings.
//!
//! Writing is one [`LedgerCommit`] at a time, by one ledger per node, each in one transaction of the database together
//! with the journal position it was made from: so a crash at any moment leaves either all of it or nothing, and the
//! feed goes on where it stands. Names (accounts, hashes), never database keys, cross this port: a payout worker or an
//! audit on another database can use the same types.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use pool_domain::{
    accounting::Transaction,
    ids::{Account, AlgorithmName, BlockHash, ShareSeq, WorkerName},
    maturity::{BlockLife, BlockStatus, Color},
    units::{Amount, BasisPoints, TimeMs, Work},
};
use serde::{Deserialize, Serialize};

/// Why the store did not do as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Not reachable, locked, or out of space: the same call may succeed later.
    #[error("store: {what}; shares are kept in the journal and are fed to the store when it is back")]
    Unavailable {
        /// The database's own words.
        what: String,
    },
    /// Another ledger wrote to this node's position: two pools share one database.
    #[error(
        "store: node {node} is at commit {found}, expected {expected}: another pool process feeds the same database; stop one of them"
    )]
    Conflict {
        /// Node name.
        node: String,
        /// Commits made according to this ledger.
        expected: u64,
        /// Commits made according to the database.
        found: u64,
    },
    /// The database stands before what this ledger has committed. The journal still has what it lacks: load the state again
    /// and go on from there.
    #[error(
        "store: node {node} is at commit {found}, this process has made {expected}: the database has gone back (a replica that lacked the newest commits took over, or a backup was restored)"
    )]
    Rewound {
        /// Node name.
        node: String,
        /// Commits made according to this ledger.
        expected: u64,
        /// Commits made according to the database.
        found: u64,
    },
    /// Another process is the node's writer.
    #[error("store: another pool process {what} as {node}; stop it, or give this pool its own pool.node_id")]
    InUse {
        /// Node name.
        node: String,
        /// What the other one does with the database.
        what: String,
    },
    /// The schema is not one that this program can work with.
    #[error("store: {what}")]
    Schema {
        /// What does not fit, and what to do.
        what: String,
    },
    /// What was asked for no longer fits what the database holds: look again.
    #[error("store: {what}")]
    Stale {
        /// What has changed.
        what: String,
    },
    /// It is over: nothing about it changes any more.
    #[error("store: {what} has ended")]
    Ended {
        /// What was asked for.
        what: String,
    },
    /// There is no such thing.
    #[error("store: there is no {what}")]
    NotFound {
        /// What was asked for.
        what: String,
    },
    /// The database refused or returned something that it should not: a defect.
    #[error("store: {what}")]
    Corrupt {
        /// What was refused or read.
        what: String,
    },
}

/// Place in a node's journal up to which the store is fed, and the number of commits that brought it there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Last record taken in.
    pub seq: ShareSeq,
    /// Commits of this node, for recognising one whose answer was lost.
    pub commits: u64,
}

/// A movement of money; its cause's key is unique, so that the same posting can't be made twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// Cause and entries.
    pub transaction: Transaction,
    /// The block it is about.
    pub block: Option<BlockHash>,
    /// When.
    pub at: TimeMs,
}

/// Accepted shares of one worker in one batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareDelta {
    /// Who is paid.
    pub account: Account,
    /// The rig.
    pub worker: WorkerName,
    /// Proof-of-work function.
    pub algorithm: AlgorithmName,
    /// Number of shares, at least 1.
    pub accepted: u64,
    /// Their work.
    pub work: Work,
    /// When the newest was received.
    pub last_share_at: TimeMs,
}

/// A block of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockRow {
    /// Order of discovery over all nodes of this store, from 1; given by the store, ignored in commits.
    pub number: u64,
    /// Identity.
    pub hash: BlockHash,
    /// Ties it to its share.
    pub candidate: u64,
    /// Its record in the journal.
    pub candidate_seq: ShareSeq,
    /// The winning share; `None` until it was read (or given up, see the ledger).
    pub anchor: Option<ShareSeq>,
    /// The newest share before the candidate's record, should its own share never come; 0 if there was none.
    pub fallback: ShareSeq,
    /// Proof-of-work function.
    pub algorithm: AlgorithmName,
    /// Measure of its window.
    pub network_work: Work,
    /// Height or blue score, for people.
    pub height: Option<u64>,
    /// Parents, main parent first.
    pub parents: Vec<BlockHash>,
    /// Finder.
    pub account: Account,
    /// Finder's rig.
    pub worker: WorkerName,
    /// When.
    pub found_at: TimeMs,
    /// Its stage, colour and reward, and what the ledger has done about them.
    pub life: BlockLife,
    /// The same for its income from merging red blocks, which is booked by itself.
    pub income: BlockLife,
    /// Depth in the chain's measure.
    pub confirmations: u64,
    /// The block that merged (and pays) it.
    pub merging_block: Option<BlockHash>,
    /// Why it was rejected or void.
    pub reason: Option<String>,
}

/// How a block's reward is shared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// Name of the scheme: `pplns`, `prop`, `solo`; `finder` where there was no share to go by.
    pub scheme: String,
    /// Window as a multiple of network work, where the scheme has one.
    pub factor: Option<BasisPoints>,
    /// Pool fee.
    pub fee: BasisPoints,
    /// Oldest share counted, if any was.
    pub first_seq: Option<ShareSeq>,
    /// What of the oldest share's work counts.
    pub first_counted: Option<Work>,
    /// Newest share counted (the anchor).
    pub last_seq: ShareSeq,
    /// Work of each account inside the window, by account.
    pub weights: Vec<(Account, Work)>,
    /// Merkle root over `weights` ([`pool_domain::proof`]), what the pool commits itself to.
    pub root: [u8; 32],
}

/// A step in a block's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BlockStep {
    /// When.
    pub at: TimeMs,
    /// Stage.
    pub status: BlockStatus,
    /// Colour.
    pub color: Color,
    /// Why, where there is something to say.
    pub reason: Option<String>,
}

/// What happened to a block in one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockChange {
    /// Its state now.
    pub row: BlockRow,
    /// Its split, when it became known in this commit.
    pub split: Option<Split>,
    /// Steps taken in this commit.
    pub steps: Vec<BlockStep>,
    /// The parents are new or changed.
    pub parents_changed: bool,
}

/// What a reward window held at a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowMark {
    /// Proof-of-work function.
    pub algorithm: AlgorithmName,
    /// Oldest share that the window may still need: the journal keeps it and all later ones.
    pub oldest: ShareSeq,
    /// Newest share in it.
    pub newest: ShareSeq,
    /// The ledger's own description of the window, compared after a rebuild.
    pub state: Vec<u8>,
}

/// A winning share whose candidate record was not read yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Anchor {
    /// The candidate.
    pub candidate: u64,
    /// The share.
    pub seq: ShareSeq,
}

/// All that one step of the ledger changes; applied as a whole or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerCommit {
    /// Node whose journal was read.
    pub node: String,
    /// Where the ledger stood.
    pub expected: Position,
    /// Journal position after it.
    pub seq: ShareSeq,
    /// When.
    pub at: TimeMs,
    /// Roll-ups.
    pub shares: Vec<ShareDelta>,
    /// Windows, where they changed.
    pub windows: Vec<WindowMark>,
    /// Winning shares that wait for their candidate.
    pub anchors_added: Vec<Anchor>,
    /// Candidates whose winning share is settled.
    pub anchors_removed: Vec<u64>,
    /// Blocks, in order of discovery.
    pub blocks: Vec<BlockChange>,
    /// Money.
    pub postings: Vec<Posting>,
}

/// What a ledger needs at start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerState {
    /// Where it stands.
    pub position: Position,
    /// Blocks whose life goes on.
    pub open_blocks: Vec<BlockRow>,
    /// Windows as they were.
    pub windows: Vec<WindowMark>,
    /// Winning shares that wait for their candidate.
    pub anchors: Vec<Anchor>,
}

/// Balance of one account, smallest unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Balance {
    /// From blocks that are not mature.
    pub pending: Amount,
    /// Owed: what can be paid out, and what is on its way.
    pub confirmed: Amount,
    /// Of the confirmed, what is on its way.
    pub reserved: Amount,
    /// Paid out: the chain has confirmed it.
    pub paid: Amount,
}

impl Balance {
    /// Takes in the balance of one kind of ledger account.
    pub fn take_in(&mut self, kind: &str, amount: Amount) {
        match kind {
            "miner_pending" => self.pending = amount,
            "miner_confirmed" => self.confirmed.0 = self.confirmed.0.saturating_add(amount.0),
            "miner_reserved" => {
                self.reserved = amount;
                self.confirmed.0 = self.confirmed.0.saturating_add(amount.0);
            }
            "payouts_sent" => self.paid = amount,
            _ => {}
        }
    }
}

/// Credited shares of one worker and algorithm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkerShares {
    /// The rig.
    pub worker: WorkerName,
    /// Proof-of-work function.
    pub algorithm: AlgorithmName,
    /// Accepted shares.
    pub accepted: u64,
    /// Their work.
    pub work: Work,
    /// When the newest was received.
    pub last_share_at: TimeMs,
}

/// An account as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountRow {
    /// Canonical payout address.
    pub account: Account,
    /// Roll-ups, by worker and algorithm.
    pub workers: Vec<WorkerShares>,
    /// Money.
    pub balance: Balance,
}

/// Which blocks, and from where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlockQuery {
    /// Only blocks with a smaller number; `None` starts at the newest.
    pub before: Option<u64>,
    /// Only of this stage.
    pub status: Option<BlockStatus>,
    /// Only of this colour.
    pub color: Option<Color>,
    /// Only found by this account.
    pub account: Option<Account>,
    /// At most so many.
    pub limit: usize,
}

/// Sums over the whole ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Accounts known.
    pub accounts: u64,
    /// Workers known.
    pub workers: u64,
    /// Shares credited.
    pub accepted: u64,
    /// Blocks by stage and colour.
    pub blocks: Vec<(BlockStatus, Color, u64)>,
    /// Sum of balances by kind of ledger account (see [`pool_domain::accounting::LedgerAccount::kind`]).
    pub balances: BTreeMap<String, Amount>,
}

impl Totals {
    /// Sum over one kind of ledger account.
    #[must_use]
    pub fn of(&self, kind: &str) -> Amount {
        self.balances.get(kind).copied().unwrap_or_default()
    }

    /// Sum of all balances: zero, or the ledger is broken.
    #[must_use]
    pub fn imbalance(&self) -> Amount {
        // Overflow would itself be an imbalance beyond all measure.
        Amount::checked_sum(self.balances.values().copied()).unwrap_or(Amount(i128::MAX))
    }
}

/// Days for which shares by the hour are kept, unless the operator says otherwise.
pub const HISTORY_DAYS: u32 = 90;
/// An hour, milliseconds.
pub const HOUR_MS: u64 = 3_600_000;

/// Credited shares of an account in an hour (UTC), by the time at which the newest of each batch was received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShareHour {
    /// When it began.
    pub at: TimeMs,
    /// Proof-of-work function.
    pub algorithm: AlgorithmName,
    /// Accepted shares.
    pub accepted: u64,
    /// Their work.
    pub work: Work,
}

/// A check of `sql/checks` that found something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check.
    pub check: &'static str,
    /// Rows it returned.
    pub rows: u64,
}

/// The ledger's database. All calls are independent of each other; one ledger per node writes, anybody reads.
#[async_trait]
pub trait StorePort: Send + Sync + 'static {
    /// Short name for logs and metrics, e.g. `sqlite`.
    fn name(&self) -> &'static str;

    /// The nodes whose ledgers have written here, in order of name.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn nodes(&self) -> Result<Vec<String>, StoreError>;

    /// What a ledger of `node` needs at start.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn load(&self, node: &str) -> Result<LedgerState, StoreError>;

    /// Applies a commit as a whole, durably, and returns the new position. A commit that was applied before (its
    /// answer got lost) is recognised and answered the same way.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: try the same commit again; anything else is final.
    async fn commit(&self, commit: Arc<LedgerCommit>) -> Result<Position, StoreError>;

    /// The splits of these blocks, where known.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn splits(&self, blocks: Vec<BlockHash>) -> Result<BTreeMap<BlockHash, Split>, StoreError>;

    /// Accounts in order of address, past `after`.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn accounts(&self, after: Option<Account>, limit: usize) -> Result<Vec<AccountRow>, StoreError>;

    /// Those of these accounts that there are, in any order, by one question.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn accounts_named(&self, accounts: Vec<Account>) -> Result<Vec<AccountRow>, StoreError>;

    /// One account.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn account(&self, account: Account) -> Result<Option<AccountRow>, StoreError> {
        Ok(self.accounts_named(vec![account]).await?.pop())
    }

    /// Shares of an account by the hour, for hours that begin in `[from, to)`, in order; a store keeps as many days as it was opened for.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn share_hours(
        &self,
        account: Account,
        from: TimeMs,
        to: TimeMs,
    ) -> Result<Vec<ShareHour>, StoreError>;

    /// Blocks, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn blocks(&self, query: BlockQuery) -> Result<Vec<BlockRow>, StoreError>;

    /// One block and its life so far.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn block(&self, hash: BlockHash) -> Result<Option<(BlockRow, Vec<BlockStep>)>, StoreError>;

    /// Sums over the whole ledger.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn totals(&self) -> Result<Totals, StoreError>;

    /// What the database occupies, bytes.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn size_bytes(&self) -> Result<u64, StoreError>;

    /// Runs every audit of `sql/checks`; empty when all is well.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn check(&self) -> Result<Vec<Finding>, StoreError>;
}

/// A store shared by ledger and API.
pub type SharedStore = Arc<dyn StorePort>;
