//! What the payout dispatcher is asked, and what it tells.

use std::{collections::BTreeSet, fmt, sync::Arc};

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
    /// What was in the way of its last round, in words.
    pub trouble: Option<String>,
    /// What is due and did not go out because of a failure, until it does.
    pub stuck: Stuck,
    /// Payouts under way.
    pub open: usize,
    /// When it last looked at all of them without trouble.
    pub looked_at: TimeMs,
    /// When it last made a plan.
    pub planned_at: TimeMs,
    /// Who is at the threshold and yet waits: account, amount, why.
    pub waiting: Vec<(Account, Amount, String)>,
}

/// What is due and did not go out because of a failure: from the first failed attempt until what failed goes through, or is
/// not due any more. Rounds that have nothing to do with what failed change nothing of it. It is in the status since that
/// outlives a dispatcher that panics.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stuck {
    /// A round did not get through its open payouts.
    round: bool,
    /// A plan was due, and its round did not get through.
    plan: bool,
    /// Payouts that something is in the way of.
    payouts: BTreeSet<PayoutId>,
}

impl Stuck {
    /// A round got through. It looked at every open payout: who is not among those that failed is out, held, or over, unless
    /// the chain has not decided about it.
    pub fn after(&mut self, failed: &BTreeSet<PayoutId>, undecided: &BTreeSet<PayoutId>, planned: bool) {
        self.round = false;
        self.plan &= !planned;
        self.payouts.retain(|id| undecided.contains(id));
        self.payouts.extend(failed);
    }

    /// A round did not get through.
    pub const fn after_failure(&mut self, plan_was_due: bool) {
        self.round = true;
        self.plan |= plan_was_due;
    }

    /// Whether anything is.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.round || self.plan || !self.payouts.is_empty()
    }
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
