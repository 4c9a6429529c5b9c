//! What the payout dispatcher is asked, and what it tells.

use std::{fmt, sync::Arc};

use actix::Message;
use futures_util::future::BoxFuture;
use pool_domain::{
    ids::{Account, PayoutId},
    payout::PayoutState,
    payout_plan::{Plan, Spent},
    units::{Amount, TimeMs},
};
use serde::Serialize;

use crate::{
    ports::payouts::PayoutRow,
    runtime::{outbox::Outbox, watch::Watched},
};

/// A payout took a step: as everybody may know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PayoutView {
    /// Its number.
    pub id: PayoutId,
    /// How far it is.
    pub state: PayoutState,
    /// Accounts that it pays.
    pub recipients: usize,
    /// What they get together, smallest unit.
    pub amount: Amount,
    /// The chain's name of its transaction, once there is one.
    pub txid: Option<String>,
    /// Why it was returned.
    pub reason: Option<String>,
}

impl From<&PayoutRow> for PayoutView {
    fn from(row: &PayoutRow) -> Self {
        Self {
            id: row.id,
            state: row.state,
            recipients: row.items.len(),
            amount: row.total(),
            txid: row.transaction.as_ref().map(|transaction| transaction.txid.clone()),
            reason: row.reason.clone(),
        }
    }
}

/// How the dispatcher fares, in a watch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PayoutStatus {
    /// It is the one dispatcher of this database.
    pub dispatching: bool,
    /// What is in its way, in words.
    pub trouble: Option<String>,
    /// Payouts under way.
    pub open: usize,
    /// When it last looked at all of them without trouble.
    pub looked_at: TimeMs,
    /// When it last made a plan.
    pub planned_at: TimeMs,
    /// Who is at the threshold and yet waits: account, amount, why.
    pub waiting: Vec<(Account, Amount, String)>,
}

/// What would be paid now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    /// Payouts, and who is left out.
    pub plan: Plan,
    /// Accounts whose address the chain refuses, with its words.
    pub refused: Vec<(Account, Amount, String)>,
    /// What was reserved lately.
    pub spent: Spent,
    /// Why nothing would be paid all the same.
    pub held: Option<String>,
}

/// Plan and pay now instead of at the next interval.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct RunPayouts;

/// Says what would be paid now, or why that can't be said. Changes nothing.
pub type LookAhead = Arc<dyn Fn() -> BoxFuture<'static, Result<Outlook, String>> + Send + Sync>;

/// What a dispatcher goes by, as it is configured: amounts in the smallest unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PayoutRules {
    /// Balance from which an account is paid, unless it has its own.
    pub threshold: Amount,
    /// Most in any 60 minutes.
    pub limit_per_hour: Option<Amount>,
    /// Most in any 24 hours.
    pub limit_per_day: Option<Amount>,
    /// Most recipients of one transaction.
    pub recipients_max: usize,
    /// Seconds between two plans.
    pub interval_s: u64,
    /// Depth at which a payout is settled.
    pub confirmations: u64,
}

/// How the dispatcher is reached.
#[derive(Clone)]
pub struct PayoutDoors {
    /// Pay now.
    pub run: Outbox<RunPayouts>,
    /// A dry run.
    pub look: LookAhead,
    /// What it goes by.
    pub rules: Watched<PayoutRules>,
}

impl fmt::Debug for PayoutDoors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PayoutDoors")
    }
}
