//! The transactions that blocks and payouts make.
//!
//! ```text
//! pending:  chain_pending  -reward   miner_pending   +part ...   fee_pending   +fee
//! post:     chain_pending  +reward   miner_pending   -part ...   fee_pending   -fee
//!           chain_income   -reward   miner_confirmed +part ...   fee_confirmed +fee
//! void:     the pending entries, negated
//! payout:   miner_confirmed -> miner_reserved -> payouts_sent (or back), each of the same miner
//! ```

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::accounting::{Cause, CreditId, Income, LedgerAccount, LedgerError, Transaction};
use crate::ids::{Account, PayoutId};
use crate::split::Split;
use crate::units::Amount;

/// A divided reward on its way through pending to posted or void.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credit {
    /// Which block, which income, which time.
    pub id: CreditId,
    /// Who gets what.
    pub split: Split,
}

impl Credit {
    fn lines(
        &self,
        sign: i128,
        miner: fn(Account) -> LedgerAccount,
        fee: LedgerAccount,
        source: LedgerAccount,
    ) -> Result<Vec<(LedgerAccount, Amount)>, LedgerError> {
        let signed = |amount: Amount| {
            amount
                .0
                .checked_mul(sign)
                .map(Amount)
                .ok_or_else(|| LedgerError::Overflow(Cause::CreditPending(self.id).key()))
        };
        let total =
            self.split.total().ok_or_else(|| LedgerError::Overflow(Cause::CreditPending(self.id).key()))?;
        let mut lines = Vec::with_capacity(self.split.parts.len() + 2);
        for (account, amount) in &self.split.parts {
            lines.push((miner(account.clone()), signed(*amount)?));
        }
        lines.push((fee, signed(self.split.fee)?));
        lines.push((source, signed(Amount(-total.0))?));
        Ok(lines)
    }

    fn pending_lines(&self, sign: i128) -> Result<Vec<(LedgerAccount, Amount)>, LedgerError> {
        self.lines(sign, LedgerAccount::MinerPending, LedgerAccount::FeePending, LedgerAccount::ChainPending)
    }

    /// The block is accepted and its reward known, but it may still change colour.
    ///
    /// # Errors
    /// [`LedgerError::Empty`] for a reward of nothing; [`LedgerError::Overflow`].
    pub fn pending(&self) -> Result<Transaction, LedgerError> {
        Transaction::new(Cause::CreditPending(self.id), self.pending_lines(1)?)
    }

    /// The block is mature: pending becomes confirmed.
    ///
    /// # Errors
    /// As [`Self::pending`].
    pub fn post(&self) -> Result<Transaction, LedgerError> {
        let source = match self.id.income {
            Income::Block => LedgerAccount::ChainIncome,
            Income::RedMerge => LedgerAccount::RedMergeIncome,
        };
        let mut lines = self.pending_lines(-1)?;
        lines.extend(self.lines(1, LedgerAccount::MinerConfirmed, LedgerAccount::FeeConfirmed, source)?);
        Transaction::new(Cause::CreditPosted(self.id), lines)
    }

    /// The block is red, or its reward is another one than thought: the pending entries, negated.
    ///
    /// # Errors
    /// As [`Self::pending`].
    pub fn void(&self) -> Result<Transaction, LedgerError> {
        Transaction::new(Cause::CreditVoided(self.id), self.pending_lines(-1)?)
    }
}

/// A payout to one or several accounts (positive amounts, before any fee).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payout {
    /// Its number.
    pub id: PayoutId,
    /// Who gets what.
    pub amounts: Vec<(Account, Amount)>,
}

impl Payout {
    fn move_all(
        &self,
        cause: &Cause,
        from: fn(Account) -> LedgerAccount,
        to: fn(Account) -> LedgerAccount,
    ) -> Result<Vec<(LedgerAccount, Amount)>, LedgerError> {
        if self.amounts.iter().any(|(_, amount)| amount.0 <= 0) {
            return Err(LedgerError::Sign(cause.key()));
        }
        Ok(self
            .amounts
            .iter()
            .flat_map(|(account, amount)| {
                [(from(account.clone()), Amount(-amount.0)), (to(account.clone()), *amount)]
            })
            .collect())
    }

    /// Sets the amounts aside, before anything is signed.
    ///
    /// # Errors
    /// [`LedgerError::Sign`], [`LedgerError::Empty`], [`LedgerError::Overflow`].
    pub fn reserve(&self) -> Result<Transaction, LedgerError> {
        let cause = Cause::PayoutReserved(self.id);
        let lines = self.move_all(&cause, LedgerAccount::MinerConfirmed, LedgerAccount::MinerReserved)?;
        Transaction::new(cause, lines)
    }

    /// The chain has confirmed it. `network_fee` is what the transaction cost; the pool's fee income bears it.
    ///
    /// # Errors
    /// As [`Self::reserve`].
    pub fn settle(&self, network_fee: Amount) -> Result<Transaction, LedgerError> {
        let cause = Cause::PayoutSettled(self.id);
        if network_fee.is_negative() {
            return Err(LedgerError::Sign(cause.key()));
        }
        let mut lines = self.move_all(&cause, LedgerAccount::MinerReserved, LedgerAccount::PayoutsSent)?;
        lines.push((LedgerAccount::FeeConfirmed, Amount(-network_fee.0)));
        lines.push((LedgerAccount::NetworkFees, network_fee));
        Transaction::new(cause, lines)
    }

    /// It is provably impossible: the amounts go back.
    ///
    /// # Errors
    /// As [`Self::reserve`].
    pub fn give_back(&self) -> Result<Transaction, LedgerError> {
        let cause = Cause::PayoutReturned(self.id);
        let lines = self.move_all(&cause, LedgerAccount::MinerReserved, LedgerAccount::MinerConfirmed)?;
        Transaction::new(cause, lines)
    }
}
