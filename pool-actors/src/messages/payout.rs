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

/// Something is in the way of payouts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InTheWay {
    /// Of this payout; `None`: of a whole round.
    pub payout: Option<PayoutId>,
    /// What, in words.
    pub what: String,
}

impl fmt::Display for InTheWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.payout {
            Some(payout) => write!(f, "payout {payout}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

/// How the dispatcher fares, in a watch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PayoutStatus {
    /// It is the one dispatcher of this database.
    pub dispatching: bool,
    /// Another process of this database pays: in words.
    pub standing_by: Option<String>,
    /// What is in the way of what is stuck: something, as long as anything is stuck.
    pub troubles: Vec<InTheWay>,
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

impl PayoutStatus {
    /// What is in the way, as one sentence.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        let each: Vec<_> = self.troubles.iter().map(ToString::to_string).collect();
        (!each.is_empty()).then(|| each.join("; "))
    }
}

/// What is due and did not go out because of a failure: from the first failed attempt until what failed goes through, or is
/// not due any more. Rounds that have nothing to do with what failed change nothing of it. It is in the status since that
/// outlives a dispatcher that panics.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stuck {
    /// A round did not get through its open payouts.
    pub round: bool,
    /// A plan was due, and was not made.
    pub plan: bool,
    /// Payouts that something is in the way of.
    pub payouts: BTreeSet<PayoutId>,
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

    /// A round did not get through: it came past `failed`, and says nothing about payouts that it did not come to.
    pub fn after_failure(&mut self, failed: &BTreeSet<PayoutId>, plan_was_due: bool, planned: bool) {
        self.round = true;
        self.plan = (self.plan || plan_was_due) && !planned;
        self.payouts.extend(failed);
    }

    /// Whether anything is.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.round || self.plan || !self.payouts.is_empty()
    }

    /// What is in the way of all that is stuck: what a round `met`, and for what it did not meet the words of `before`.
    #[must_use]
    pub fn in_the_way(
        &self,
        met: Vec<InTheWay>,
        undecided: &BTreeSet<PayoutId>,
        before: &[InTheWay],
    ) -> Vec<InTheWay> {
        let mut all = met;
        let known = |all: &[InTheWay], payout: Option<PayoutId>| all.iter().any(|one| one.payout == payout);
        let as_before = |payout: Option<PayoutId>, or: &str| {
            let same = before.iter().find(|one| one.payout == payout).cloned();
            same.unwrap_or_else(|| InTheWay { payout, what: or.to_owned() })
        };
        if (self.round || self.plan) && !known(&all, None) {
            all.insert(0, as_before(None, "what was due failed, and is tried again"));
        }
        for payout in self.payouts.iter().copied().map(Some) {
            if known(&all, payout) {
                continue;
            }
            all.push(if payout.is_some_and(|id| undecided.contains(&id)) {
                let what = "another transaction spends what it spends, not deep enough yet to be final";
                InTheWay { payout, what: what.to_owned() }
            } else {
                as_before(payout, "it failed, and is tried again")
            });
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(payout: Option<u64>, what: &str) -> InTheWay {
        InTheWay { payout: payout.map(PayoutId), what: what.to_owned() }
    }

    #[test]
    fn whatever_is_stuck_has_words() {
        let (one, two) = (BTreeSet::from([PayoutId(1)]), BTreeSet::from([PayoutId(2)]));
        let mut stuck = Stuck::default();
        assert!(stuck.in_the_way(Vec::new(), &two, &[about(Some(2), "old")]).is_empty(), "nothing is stuck");
        stuck.after_failure(&one, true, false);
        let met = vec![about(None, "away"), about(Some(1), "no")];
        assert_eq!(stuck.in_the_way(met.clone(), &two, &[]), met);
        // A round that met nothing of it, and proved nothing.
        assert_eq!(stuck.in_the_way(Vec::new(), &two, &met), met);
        // One that got through, and planned nothing: the chain has not decided about the payout.
        stuck.after(&BTreeSet::new(), &one, false);
        let words: Vec<_> =
            stuck.in_the_way(Vec::new(), &one, &met).iter().map(ToString::to_string).collect();
        let undecided =
            "payout 1: another transaction spends what it spends, not deep enough yet to be final";
        assert_eq!(words, ["away", undecided]);
        stuck.after(&BTreeSet::new(), &BTreeSet::new(), true);
        assert!(!stuck.is_any());
    }

    #[test]
    fn a_plan_that_was_made_is_not_stuck_though_its_payouts_are() {
        let mut stuck = Stuck::default();
        stuck.after_failure(&BTreeSet::new(), true, false);
        stuck.after_failure(&BTreeSet::new(), true, true);
        assert_eq!((stuck.round, stuck.plan), (true, false));
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
