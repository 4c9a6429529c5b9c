//! Double entry: every movement of money is a transaction whose entries sum to zero, and names its cause.
//!
//! Amounts are in the chain's smallest unit. A positive entry raises what the pool owes (or has earned) on that
//! account; the `chain_*` accounts stand for the outside and carry the opposite sign. Nothing is ever changed: a
//! pending credit is *posted* or *voided* by a further transaction. [`Cause::key`] is unique per transaction, so
//! that a database constraint makes every posting idempotent.
//! The transactions of blocks and payouts are built in [`crate::postings`].

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ids::{Account, AdjustmentId, BlockHash, PayoutId, deserialize_text};
use crate::units::Amount;

/// An account of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LedgerAccount {
    /// Credits of blocks that may still change colour.
    MinerPending(Account),
    /// What can be paid out.
    MinerConfirmed(Account),
    /// On its way out.
    MinerReserved(Account),
    /// The pool's fee of blocks that may still change colour.
    FeePending,
    /// The pool's fee.
    FeeConfirmed,
    /// Rewards expected from the chain (negative: the chain owes).
    ChainPending,
    /// Rewards that the chain gave (negative: it went out of the chain to us).
    ChainIncome,
    /// Rewards for merging red blocks, apart from the blocks' own.
    RedMergeIncome,
    /// What the chain has confirmed as paid to a miner.
    PayoutsSent(Account),
    /// Transaction fees of payouts.
    NetworkFees,
    /// The other side of corrections.
    Adjustments,
}

/// Text that names no ledger account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a ledger account")]
pub struct UnknownLedgerAccount;

impl LedgerAccount {
    /// The kind, as stored.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::MinerPending(_) => "miner_pending",
            Self::MinerConfirmed(_) => "miner_confirmed",
            Self::MinerReserved(_) => "miner_reserved",
            Self::FeePending => "fee_pending",
            Self::FeeConfirmed => "fee_confirmed",
            Self::ChainPending => "chain_pending",
            Self::ChainIncome => "chain_income",
            Self::RedMergeIncome => "red_merge_income",
            Self::PayoutsSent(_) => "payouts_sent",
            Self::NetworkFees => "network_fees",
            Self::Adjustments => "adjustments",
        }
    }

    /// The miner it belongs to, if any.
    #[must_use]
    pub const fn owner(&self) -> Option<&Account> {
        match self {
            Self::MinerPending(owner)
            | Self::MinerConfirmed(owner)
            | Self::MinerReserved(owner)
            | Self::PayoutsSent(owner) => Some(owner),
            _ => None,
        }
    }

    /// From a stored kind and owner.
    ///
    /// # Errors
    /// When the kind is unknown, or the owner missing or superfluous.
    pub fn from_parts(kind: &str, owner: Option<Account>) -> Result<Self, UnknownLedgerAccount> {
        match (kind, owner) {
            ("miner_pending", Some(owner)) => Ok(Self::MinerPending(owner)),
            ("miner_confirmed", Some(owner)) => Ok(Self::MinerConfirmed(owner)),
            ("miner_reserved", Some(owner)) => Ok(Self::MinerReserved(owner)),
            ("payouts_sent", Some(owner)) => Ok(Self::PayoutsSent(owner)),
            (_, Some(_)) => Err(UnknownLedgerAccount),
            (kind, None) => [
                Self::FeePending,
                Self::FeeConfirmed,
                Self::ChainPending,
                Self::ChainIncome,
                Self::RedMergeIncome,
                Self::NetworkFees,
                Self::Adjustments,
            ]
            .into_iter()
            .find(|account| account.kind() == kind)
            .ok_or(UnknownLedgerAccount),
        }
    }
}

impl fmt::Display for LedgerAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.owner() {
            Some(owner) => write!(f, "{}:{owner}", self.kind()),
            None => f.write_str(self.kind()),
        }
    }
}

impl FromStr for LedgerAccount {
    type Err = UnknownLedgerAccount;

    /// `kind`, or `kind:owner` (the owner may hold further colons).
    fn from_str(text: &str) -> Result<Self, UnknownLedgerAccount> {
        match text.split_once(':') {
            Some((kind, owner)) => {
                Self::from_parts(kind, Some(Account::new(owner).map_err(|_| UnknownLedgerAccount)?))
            }
            None => Self::from_parts(text, None),
        }
    }
}

impl Serialize for LedgerAccount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LedgerAccount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_text(deserializer, "a ledger account", LedgerAccount::from_str)
    }
}

/// Where a credit's money comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Income {
    /// A block of ours.
    Block,
    /// What a block of ours collected by merging red ones.
    RedMerge,
}

/// Why money moves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A block's reward is expected.
    CreditPending(CreditId),
    /// It is mature.
    CreditPosted(CreditId),
    /// It will not come (the block is red, or its reward changed).
    CreditVoided(CreditId),
    /// Balances are set aside for a payout.
    PayoutReserved(PayoutId),
    /// The chain has confirmed it.
    PayoutSettled(PayoutId),
    /// It is provably impossible.
    PayoutReturned(PayoutId),
    /// A correction.
    Adjustment {
        /// Its number.
        id: AdjustmentId,
        /// Who made it.
        author: String,
        /// Why.
        reason: String,
    },
}

/// One credit: a block can be credited again after its credit was voided, with the next revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CreditId {
    /// The block.
    pub block: BlockHash,
    /// Own reward, or that of merging reds.
    pub income: Income,
    /// Counts the credits of this block, from 1.
    pub revision: u32,
}

impl Cause {
    /// Unique per transaction: the ledger refuses a second one with the same key.
    #[must_use]
    pub fn key(&self) -> String {
        let credit = |id: &CreditId, step: &str| {
            let income = match id.income {
                Income::Block => "block",
                Income::RedMerge => "red_merge",
            };
            format!("{income}:{}:{}:{step}", id.block, id.revision)
        };
        match self {
            Self::CreditPending(id) => credit(id, "pending"),
            // One key for both: a credit ends once, one way or the other.
            Self::CreditPosted(id) | Self::CreditVoided(id) => credit(id, "end"),
            Self::PayoutReserved(id) => format!("payout:{id}:reserve"),
            Self::PayoutSettled(id) | Self::PayoutReturned(id) => format!("payout:{id}:end"),
            Self::Adjustment { id, .. } => format!("adjustment:{id}"),
        }
    }

    /// The kind, as stored.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::CreditPending(_) => "credit_pending",
            Self::CreditPosted(_) => "credit_posted",
            Self::CreditVoided(_) => "credit_voided",
            Self::PayoutReserved(_) => "payout_reserved",
            Self::PayoutSettled(_) => "payout_settled",
            Self::PayoutReturned(_) => "payout_returned",
            Self::Adjustment { .. } => "adjustment",
        }
    }
}

/// One line of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The account.
    pub account: LedgerAccount,
    /// What is added to it; never zero.
    pub amount: Amount,
}

/// A balanced movement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Transaction {
    cause: Cause,
    entries: Vec<Entry>,
}

/// Why there is no such transaction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The entries do not sum to zero.
    #[error("the entries of {cause} sum to {sum}, not to zero")]
    Unbalanced {
        /// Key of the cause.
        cause: String,
        /// Their sum.
        sum: Amount,
    },
    /// Nothing moves.
    #[error("{0} moves nothing")]
    Empty(String),
    /// Beyond 127 bits.
    #[error("an amount of {0} overflows")]
    Overflow(String),
    /// A miner's balance would be below zero.
    #[error("{cause} would leave {account} at {balance}")]
    Negative {
        /// Key of the cause.
        cause: String,
        /// The account.
        account: LedgerAccount,
        /// Its balance afterwards.
        balance: Amount,
    },
    /// A payout amount that is not positive.
    #[error("{0}: amounts must be positive and fees not negative")]
    Sign(String),
}

impl Transaction {
    /// Puts entries together: one per account, by account, zeros left out.
    ///
    /// # Errors
    /// [`LedgerError::Unbalanced`], [`LedgerError::Empty`], [`LedgerError::Overflow`].
    pub fn new(
        cause: Cause,
        entries: impl IntoIterator<Item = (LedgerAccount, Amount)>,
    ) -> Result<Self, LedgerError> {
        let overflow = |cause: &Cause| LedgerError::Overflow(cause.key());
        let mut lines: Vec<(LedgerAccount, Amount)> = entries.into_iter().collect();
        // Mostly in order already: a block's accounts are. Sorting sees that, a map does not.
        lines.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut entries: Vec<Entry> = Vec::with_capacity(lines.len());
        for (account, amount) in lines {
            match entries.last_mut().filter(|last| last.account == account) {
                Some(last) => {
                    last.amount = last.amount.checked_add(amount).ok_or_else(|| overflow(&cause))?;
                }
                None => entries.push(Entry { account, amount }),
            }
        }
        let sum =
            Amount::checked_sum(entries.iter().map(|entry| entry.amount)).ok_or_else(|| overflow(&cause))?;
        if !sum.is_zero() {
            return Err(LedgerError::Unbalanced { cause: cause.key(), sum });
        }
        entries.retain(|entry| !entry.amount.is_zero());
        if entries.is_empty() {
            return Err(LedgerError::Empty(cause.key()));
        }
        Ok(Self { cause, entries })
    }

    /// Why.
    #[must_use]
    pub const fn cause(&self) -> &Cause {
        &self.cause
    }

    /// The lines, by account.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

/// Balances as sums of entries: what an audit recomputes and the simulator predicts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Balances(BTreeMap<LedgerAccount, Amount>);

impl Balances {
    /// Adds a transaction, all of it or nothing.
    ///
    /// # Errors
    /// [`LedgerError::Overflow`]; [`LedgerError::Negative`] when a miner's account would fall below zero.
    pub fn apply(&mut self, transaction: &Transaction) -> Result<(), LedgerError> {
        let mut after = Vec::with_capacity(transaction.entries.len());
        for entry in &transaction.entries {
            let balance = self
                .of(&entry.account)
                .checked_add(entry.amount)
                .ok_or_else(|| LedgerError::Overflow(transaction.cause.key()))?;
            if balance.is_negative() && entry.account.owner().is_some() {
                let account = entry.account.clone();
                return Err(LedgerError::Negative { cause: transaction.cause.key(), account, balance });
            }
            after.push(balance);
        }
        for (entry, balance) in transaction.entries.iter().zip(after) {
            self.0.insert(entry.account.clone(), balance);
        }
        Ok(())
    }

    /// The balance of an account.
    #[must_use]
    pub fn of(&self, account: &LedgerAccount) -> Amount {
        self.0.get(account).copied().unwrap_or_default()
    }

    /// Every account that ever had an entry.
    pub fn iter(&self) -> impl Iterator<Item = (&LedgerAccount, Amount)> {
        self.0.iter().map(|(account, amount)| (account, *amount))
    }
}

#[cfg(test)]
#[path = "accounting_tests.rs"]
mod tests;
