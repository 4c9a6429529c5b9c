//! Where payouts are kept: their state, the bytes that were signed, and every step that was taken.
//!
//! Each call is one transaction of the database, postings included. Calls of the dispatcher carry the token that
//! [`PayoutStore::take_payouts`] gave: whoever took over since makes all of them fail ([`StoreError::InUse`]), so that two
//! dispatchers started by mistake can't both pay. What operators say (holds, thresholds) needs no token, and is written to
//! the audit trail in the same transaction.

use std::sync::Arc;

use async_trait::async_trait;
use pool_domain::{
    ids::{Account, PayoutId},
    payout::{Hold, PayoutEvent, PayoutState},
    payout_plan::Candidate,
    units::{Amount, TimeMs},
};
use serde::Serialize;

use super::{store::StoreError, wallet::Signed};

/// Proof of being the only dispatcher: newer tokens are greater.
pub type Token = u64;

/// What a payout has taken from balances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reserved {
    /// Its number.
    pub id: PayoutId,
    /// When, by the wall clock of then.
    pub created_at: TimeMs,
    /// How much.
    pub amount: Amount,
}

/// A payout as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayoutRow {
    /// Its number, from 1.
    pub id: PayoutId,
    /// How far it is.
    pub state: PayoutState,
    /// Why it is held, if it is.
    pub hold: Option<String>,
    /// A recipient is held.
    pub recipient_held: bool,
    /// Who gets what, in the order of the transaction.
    pub items: Vec<(Account, Amount)>,
    /// What was signed, once it was.
    pub transaction: Option<Signed>,
    /// When its amounts were reserved.
    pub created_at: TimeMs,
    /// When it last took a step.
    pub updated_at: TimeMs,
    /// When it was settled or returned.
    pub ended_at: Option<TimeMs>,
    /// Why it was returned, or what is in its way.
    pub reason: Option<String>,
}

impl PayoutRow {
    /// What all recipients get together.
    #[must_use]
    pub fn total(&self) -> Amount {
        Amount(self.items.iter().map(|(_, amount)| amount.0).fold(0, i128::saturating_add))
    }

    /// Who holds it up; `all` says that all payouts are held.
    #[must_use]
    pub const fn held(&self, all: bool) -> Hold {
        match (all || self.hold.is_some(), self.recipient_held) {
            (true, _) => Hold::Held,
            (false, true) => Hold::RecipientHeld,
            (false, false) => Hold::Free,
        }
    }
}

/// A line of a payout's history. Never changed, never removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PayoutStep {
    /// When.
    pub at: TimeMs,
    /// State after it.
    pub state: PayoutState,
    /// What happened, in words.
    pub detail: String,
}

/// A line of the operators' trail. Never changed, never removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PayoutAudit {
    /// Counts the lines.
    pub id: u64,
    /// When.
    pub at: TimeMs,
    /// Who.
    pub actor: String,
    /// `hold`, `release`, `threshold`, `set_aside`.
    pub action: String,
    /// `all`, `payout:N` or `account:NAME`.
    pub subject: String,
    /// Why, or the value.
    pub detail: String,
}

/// What a hold is put on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Everything.
    All,
    /// One payout.
    Payout(PayoutId),
    /// One account. Releasing it also ends its being set aside.
    Account(Account),
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Payout(id) => write!(f, "payout:{id}"),
            Self::Account(account) => write!(f, "account:{account}"),
        }
    }
}

/// What an operator decided about one account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AccountTerms {
    /// Its own threshold.
    pub threshold: Option<Amount>,
    /// Why it is held.
    pub hold: Option<String>,
    /// Why the chain refuses its address.
    pub set_aside: Option<String>,
}

/// How a payout ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The chain has it: [`PayoutEvent::Deep`].
    Settled {
        /// What the transaction cost.
        fee: Amount,
    },
    /// Nothing was signed: [`PayoutEvent::Withdrawn`].
    Withdrawn(String),
    /// It can't be any more: [`PayoutEvent::Impossible`].
    Impossible(String),
}

impl Ending {
    /// What happened.
    #[must_use]
    pub const fn event(&self) -> PayoutEvent {
        match self {
            Self::Settled { .. } => PayoutEvent::Deep,
            Self::Withdrawn(_) => PayoutEvent::Withdrawn,
            Self::Impossible(_) => PayoutEvent::Impossible,
        }
    }

    /// In words.
    #[must_use]
    pub fn detail(&self) -> &str {
        match self {
            Self::Settled { .. } => "confirmed",
            Self::Withdrawn(why) | Self::Impossible(why) => why,
        }
    }
}

/// Which payouts, and from where; newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PayoutQuery {
    /// Only payouts with a smaller number; `None` starts at the newest.
    pub before: Option<u64>,
    /// Only in this state.
    pub state: Option<PayoutState>,
    /// Only those that pay this account.
    pub account: Option<Account>,
    /// At most so many.
    pub limit: usize,
}

/// Keeps payouts.
#[async_trait]
pub trait PayoutStore: Send + Sync + 'static {
    /// Makes the caller the only dispatcher of this database.
    ///
    /// # Errors
    /// [`StoreError::InUse`] while another process is it (where the database can tell).
    async fn take_payouts(&self, at: TimeMs) -> Result<Token, StoreError>;

    /// Accounts whose confirmed balance reaches their threshold (`threshold` for those without their own), and which are
    /// neither held nor set aside.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn candidates(&self, threshold: Amount) -> Result<Vec<Candidate>, StoreError>;

    /// Payouts that were not returned: those made at `from` or later by the wall clock, and those numbered `first` or higher.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn reserved(&self, from: TimeMs, first: Option<PayoutId>) -> Result<Vec<Reserved>, StoreError>;

    /// Why all payouts are held, if they are.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn held(&self) -> Result<Option<String>, StoreError>;

    /// Payouts that have not ended, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn open_payouts(&self) -> Result<Vec<PayoutRow>, StoreError>;

    /// Sets amounts aside: payouts and postings together, all of them or none.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when a balance is smaller than what is to be reserved; [`StoreError`].
    async fn reserve(
        &self,
        token: Token,
        at: TimeMs,
        payouts: Vec<Vec<(Account, Amount)>>,
    ) -> Result<Vec<PayoutId>, StoreError>;

    /// Persists what was signed. After this, and not before, it may be sent.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when another payout that is under way (or settled) spends the same; [`StoreError`].
    async fn record_signed(
        &self,
        token: Token,
        at: TimeMs,
        id: PayoutId,
        signed: Signed,
    ) -> Result<(), StoreError>;

    /// Records a step that moves no money.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn record_step(
        &self,
        token: Token,
        at: TimeMs,
        id: PayoutId,
        event: PayoutEvent,
        detail: String,
    ) -> Result<(), StoreError>;

    /// Ends a payout: state and postings together.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn end(&self, token: Token, at: TimeMs, id: PayoutId, ending: Ending) -> Result<(), StoreError>;

    /// Sets an account aside, since the chain refuses its address.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn set_aside(
        &self,
        token: Token,
        at: TimeMs,
        account: Account,
        reason: String,
    ) -> Result<(), StoreError>;

    /// Puts a hold on something (`Some(reason)`), or releases it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such payout or account, [`StoreError::Ended`] when the payout that is to be
    /// held has ended; [`StoreError`].
    async fn hold(
        &self,
        at: TimeMs,
        scope: Scope,
        reason: Option<String>,
        by: String,
    ) -> Result<(), StoreError>;

    /// Gives an account its own threshold, or takes it away.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such account; [`StoreError`].
    async fn set_threshold(
        &self,
        at: TimeMs,
        account: Account,
        threshold: Option<Amount>,
        by: String,
    ) -> Result<(), StoreError>;

    /// What was decided about an account; the default for one that nothing was decided about.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn terms(&self, account: Account) -> Result<AccountTerms, StoreError>;

    /// Accounts about which something was decided, in order of address.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn all_terms(&self) -> Result<Vec<(Account, AccountTerms)>, StoreError>;

    /// Payouts, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn payouts(&self, query: PayoutQuery) -> Result<Vec<PayoutRow>, StoreError>;

    /// One payout and its steps so far.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn payout(&self, id: PayoutId) -> Result<Option<(PayoutRow, Vec<PayoutStep>)>, StoreError>;

    /// The operators' trail, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn payout_audit(&self, before: Option<u64>, limit: usize) -> Result<Vec<PayoutAudit>, StoreError>;
}

/// A store shared by dispatcher and API.
pub type SharedPayouts = Arc<dyn PayoutStore>;
