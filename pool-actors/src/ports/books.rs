//! The books: a block's statement, an account's credits, everything at once for audits, and corrections by an operator.
//!
//! Beside [`super::store::StorePort`], which the ledger lives by: nothing here is needed to keep the pool going.

use std::sync::Arc;

use async_trait::async_trait;
use pool_domain::{
    accounting::{Cause, Income, LedgerAccount, Transaction},
    ids::{Account, AdjustmentId, AlgorithmName, BlockHash, WorkerName},
    maturity::{BlockStatus, Color},
    units::{Amount, TimeMs, Work},
};
use serde::{Deserialize, Serialize};

use super::store::{BlockRow, Position, Posting, Split, StoreError};

/// What became of a credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CreditState {
    /// The block may still change colour.
    Pending,
    /// The block matured: it is owed, or was paid out.
    Confirmed,
    /// The block turned red, or its reward was another one.
    Voided,
}

impl CreditState {
    /// As stored in exports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Confirmed => "confirmed",
            Self::Voided => "voided",
        }
    }

    /// From the kind of the transaction that ended the credit, if one did.
    #[must_use]
    pub fn ended_by(kind: Option<&str>) -> Option<Self> {
        match kind {
            None => Some(Self::Pending),
            Some("credit_posted") => Some(Self::Confirmed),
            Some("credit_voided") => Some(Self::Voided),
            Some(_) => None,
        }
    }
}

/// An account's part of one credit of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditRow {
    /// Number of the transaction that made it; where the next page begins.
    pub id: u64,
    /// The block.
    pub block: BlockHash,
    /// Own reward, or that of merging reds.
    pub income: Income,
    /// Counts the credits of this block and income, from 1.
    pub revision: u32,
    /// The account's part.
    pub amount: Amount,
    /// When it was credited.
    pub at: TimeMs,
    /// What became of it.
    pub state: CreditState,
    /// When it was posted or voided.
    pub ended_at: Option<TimeMs>,
    /// The block's height.
    pub height: Option<u64>,
    /// The block's stage.
    pub status: BlockStatus,
    /// The block's colour.
    pub color: Color,
}

impl CreditRow {
    /// Income and revision that a credit's reference names: `block:HASH:1:pending`, `red_merge:HASH:2:pending`.
    #[must_use]
    pub fn parse_reference(reference: &str) -> Option<(Income, BlockHash, u32)> {
        let mut parts = reference.split(':');
        let income = match parts.next()? {
            "block" => Income::Block,
            "red_merge" => Income::RedMerge,
            _ => return None,
        };
        Some((income, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    }
}

/// Which credits, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditQuery {
    /// Whose.
    pub account: Account,
    /// Only those with a smaller number; `None` starts at the newest.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: usize,
}

/// A block as the books have it: what its columns say beside what its state machines say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookBlock {
    /// The node that found it.
    pub node: String,
    /// Its row, without its parents.
    pub row: BlockRow,
    /// Its split, once known.
    pub split: Option<Split>,
    /// The root as stored, if one is.
    pub stored_root: Option<[u8; 32]>,
    /// Column `status`.
    pub status: String,
    /// Column `color`.
    pub color: String,
    /// Column `reward`.
    pub reward: Option<Amount>,
    /// Column `income`.
    pub income: Option<Amount>,
}

/// A ledger transaction with its lines, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookTransaction {
    /// Its number.
    pub id: u64,
    /// Its cause, unique.
    pub reference: String,
    /// The kind of its cause.
    pub kind: String,
    /// The block it is about.
    pub block: Option<BlockHash>,
    /// When.
    pub at: TimeMs,
    /// Kind of ledger account, owner if it has one, amount; in no order that means anything.
    pub lines: Vec<(String, Option<Account>, Amount)>,
}

/// One thing of the books.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BookItem {
    /// How far a node's journal was taken in.
    Position {
        /// The node.
        node: String,
        /// Its place.
        position: Position,
    },
    /// A block.
    Block(Box<BookBlock>),
    /// A movement of money. Those of a block follow it; then those that are about none.
    Transaction(BookTransaction),
    /// A cached balance.
    Balance {
        /// Kind of ledger account.
        kind: String,
        /// Its owner, if it has one.
        owner: Option<Account>,
        /// What the cache says.
        amount: Amount,
    },
    /// A roll-up of credited shares.
    Shares {
        /// Who is paid.
        account: Account,
        /// The rig.
        worker: WorkerName,
        /// Proof-of-work function.
        algorithm: AlgorithmName,
        /// Number of shares.
        accepted: u64,
        /// Their work.
        work: Work,
    },
}

/// Takes the books' items in the order of [`BookItem`]'s variants, each block with its transactions; false ends the walk.
pub type Visit = Box<dyn FnMut(BookItem) -> bool + Send>;

/// A correction of an account's confirmed balance, against the ledger account `adjustments`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Adjustment {
    /// The operator's own name for it: the same one is made once.
    pub reference: String,
    /// Whose balance.
    pub account: Account,
    /// What is given, or taken (below zero); never zero.
    pub amount: Amount,
    /// Who decided it.
    pub author: String,
    /// Why.
    pub reason: String,
    /// It may leave the balance below zero.
    pub below_zero: bool,
}

/// A correction that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AdjustmentRow {
    /// Its number.
    pub id: u64,
    /// What was decided.
    #[serde(flatten)]
    pub adjustment: Adjustment,
    /// When.
    pub at: TimeMs,
}

impl Adjustment {
    /// What it moves.
    ///
    /// # Errors
    /// When it moves nothing, or there is no opposite amount.
    pub fn posting(&self, id: u64, at: TimeMs) -> Result<Posting, StoreError> {
        let refused = |what: String| StoreError::Corrupt { what };
        let cause = Cause::Adjustment {
            id: AdjustmentId(id),
            author: self.author.clone(),
            reason: self.reason.clone(),
        };
        let against =
            self.amount.checked_neg().ok_or_else(|| refused("the amount has no opposite".into()))?;
        let lines = [
            (LedgerAccount::MinerConfirmed(self.account.clone()), self.amount),
            (LedgerAccount::Adjustments, against),
        ];
        let transaction = Transaction::new(cause, lines).map_err(|error| refused(error.to_string()))?;
        Ok(Posting { transaction, block: None, at })
    }

    /// What becomes of it where another one has its reference.
    #[must_use]
    pub fn met(self, known: AdjustmentRow) -> Adjusted {
        if known.adjustment == self { Adjusted::Before(known) } else { Adjusted::OtherContent(known) }
    }

    /// Whether this balance allows it.
    #[must_use]
    pub fn is_covered(&self, confirmed: Amount) -> bool {
        let after = confirmed.checked_add(self.amount);
        !self.amount.is_negative() || self.below_zero || after.is_some_and(|after| !after.is_negative())
    }
}

/// What became of a correction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Adjusted {
    /// It is made.
    Made(AdjustmentRow),
    /// The very same was made before; nothing was done.
    Before(AdjustmentRow),
    /// Another one has that reference; nothing was done.
    OtherContent(AdjustmentRow),
    /// The ledger knows no such account; nothing was done.
    UnknownAccount,
    /// It would leave the confirmed balance below zero; nothing was done.
    Overdrawn {
        /// The balance.
        confirmed: Amount,
    },
}

/// The books.
#[async_trait]
pub trait BooksPort: Send + Sync + 'static {
    /// A block and its split, if that is known by now.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn statement(&self, block: BlockHash) -> Result<Option<(BlockRow, Option<Split>)>, StoreError>;

    /// An account's credits, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn credits(&self, query: CreditQuery) -> Result<Vec<CreditRow>, StoreError>;

    /// Corrects a balance: decision and posting in one transaction of the database. The same one again is recognised by its
    /// reference.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: try the same again; anything else is final.
    async fn adjust(&self, at: TimeMs, adjustment: Adjustment) -> Result<Adjusted, StoreError>;

    /// Corrections with a smaller number than `before`, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn adjustments(&self, before: Option<u64>, limit: usize) -> Result<Vec<AdjustmentRow>, StoreError>;

    /// Shows all of the books as they are at one moment.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn walk(&self, visit: Visit) -> Result<(), StoreError>;
}

/// Books shared by API and commands.
pub type SharedBooks = Arc<dyn BooksPort>;
