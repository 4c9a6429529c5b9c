//! Who is paid next, and in which transactions: thresholds, what the chain takes, spending limits.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::ids::Account;
use crate::units::{Amount, TimeMs};

/// An account that might be paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Who.
    pub account: Account,
    /// What can be paid out.
    pub confirmed: Amount,
    /// Its own threshold, if it has one.
    pub threshold: Option<Amount>,
    /// When it was last paid (or tried to be); 0 = never. Who waits longest comes first.
    pub last_payout_at: TimeMs,
}

/// What a transaction of the chain can carry, as data of the chain's profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainLimits {
    /// Most recipients of one transaction (an EVM transfer has one).
    pub recipients_max: usize,
    /// Smallest amount that the chain takes (Bitcoin's dust rule).
    pub amount_min: Amount,
    /// Largest sum of one transaction.
    pub total_max: Amount,
    /// Kaspa's storage mass (KIP-9): each output costs `constant / amount`, all of them at most `budget`.
    pub storage_mass: Option<StorageMass>,
}

/// A bound on the sum of `constant / amount` over a transaction's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageMass {
    /// KIP-9: 10^12 for amounts in sompi.
    pub constant: u128,
    /// Most of it in one transaction.
    pub budget: u128,
}

impl StorageMass {
    /// Rounded up: what the chain rounds down must still fit.
    const fn of(&self, amount: Amount) -> u128 {
        self.constant.div_ceil(if amount.0 < 1 { 1 } else { amount.0.unsigned_abs() })
    }
}

/// What may be spent, over all payouts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpendingLimits {
    /// In any 60 minutes.
    pub per_hour: Option<Amount>,
    /// In any 24 hours.
    pub per_day: Option<Amount>,
}

/// What was reserved lately (and not returned).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// In the last 60 minutes.
    pub hour: Amount,
    /// In the last 24 hours.
    pub day: Amount,
}

impl SpendingLimits {
    /// What may still be reserved; `None` = without bound.
    #[must_use]
    pub fn left(&self, spent: Spent) -> Option<Amount> {
        let left = |limit: Option<Amount>, spent: Amount| {
            limit.map(|limit| Amount(limit.0.saturating_sub(spent.0).max(0)))
        };
        match (left(self.per_hour, spent.hour), left(self.per_day, spent.day)) {
            (Some(hour), Some(day)) => Some(hour.min(day)),
            (hour, day) => hour.or(day),
        }
    }

    fn least(&self) -> Option<Amount> {
        self.left(Spent::default())
    }
}

/// How a plan is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRules {
    /// Who has less is not paid, unless the account says otherwise.
    pub threshold: Amount,
    /// What the chain takes.
    pub chain: ChainLimits,
    /// Most recipients of one payout, if fewer than the chain takes.
    pub recipients_max: usize,
    /// Spending limits.
    pub limits: SpendingLimits,
}

/// Why an account that is at its threshold is not in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Skip {
    /// The spending limit is used up for now; it comes with a later plan.
    WaitsForLimit,
    /// Its balance is above the spending limit itself: it never fits. Raise the limit, or pay it by hand.
    AboveLimit,
    /// One output of that amount is more than a transaction of this chain can carry.
    AboveChainLimit,
}

/// Payouts to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// One transaction each.
    pub payouts: Vec<Vec<(Account, Amount)>>,
    /// At their threshold, and yet not paid now.
    pub skipped: Vec<(Account, Amount, Skip)>,
}

impl Plan {
    /// Everything that it pays.
    #[must_use]
    pub fn total(&self) -> Amount {
        // Each amount is a balance of one ledger, whose sums fit.
        Amount(self.payouts.iter().flatten().map(|(_, amount)| amount.0).fold(0, i128::saturating_add))
    }
}

/// Chooses who is paid, whole balances only, who waits longest first, and cuts them into transactions.
#[must_use]
pub fn plan(candidates: Vec<Candidate>, rules: &PlanRules, spent: Spent) -> Plan {
    let mut due: Vec<_> = candidates.into_iter().filter(|candidate| is_due(candidate, rules)).collect();
    due.sort_by(|a, b| (a.last_payout_at, &a.account).cmp(&(b.last_payout_at, &b.account)));
    let mut left = rules.limits.left(spent);
    let mut plan = Plan::default();
    let mut chosen = Vec::new();
    for Candidate { account, confirmed, .. } in due {
        let skip = if confirmed > rules.chain.total_max || mass(rules, confirmed) > budget(rules) {
            Some(Skip::AboveChainLimit)
        } else if rules.limits.least().is_some_and(|limit| confirmed > limit) {
            Some(Skip::AboveLimit)
        } else if left.is_some_and(|left| confirmed > left) {
            Some(Skip::WaitsForLimit)
        } else {
            None
        };
        match skip {
            Some(skip) => plan.skipped.push((account, confirmed, skip)),
            None => {
                left = left.map(|left| Amount(left.0 - confirmed.0));
                chosen.push((account, confirmed));
            }
        }
    }
    plan.payouts = batches(chosen, rules);
    plan
}

fn is_due(candidate: &Candidate, rules: &PlanRules) -> bool {
    let threshold = candidate.threshold.unwrap_or(rules.threshold).max(rules.chain.amount_min).max(Amount(1));
    // Storage mass makes small outputs impossible, whatever the threshold.
    candidate.confirmed >= threshold && mass(rules, candidate.confirmed) <= budget(rules)
}

fn mass(rules: &PlanRules, amount: Amount) -> u128 {
    rules.chain.storage_mass.map_or(0, |mass| mass.of(amount))
}

fn budget(rules: &PlanRules) -> u128 {
    rules.chain.storage_mass.map_or(u128::MAX, |mass| mass.budget)
}

fn batches(chosen: Vec<(Account, Amount)>, rules: &PlanRules) -> Vec<Vec<(Account, Amount)>> {
    let most = rules.recipients_max.min(rules.chain.recipients_max).max(1);
    let mut batches: Vec<Vec<(Account, Amount)>> = Vec::new();
    let (mut total, mut weight) = (0_i128, 0_u128);
    for (account, amount) in chosen {
        let added = mass(rules, amount);
        let fits = batches.last().is_some_and(|batch| {
            batch.len() < most
                && total.saturating_add(amount.0) <= rules.chain.total_max.0
                && weight.saturating_add(added) <= budget(rules)
        });
        if !fits {
            batches.push(Vec::new());
            (total, weight) = (0, 0);
        }
        total = total.saturating_add(amount.0);
        weight = weight.saturating_add(added);
        if let Some(batch) = batches.last_mut() {
            batch.push((account, amount));
        }
    }
    batches
}

#[cfg(test)]
#[path = "payout_plan_tests.rs"]
mod tests;
