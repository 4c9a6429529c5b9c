//! Payouts of a model: the pool's own plan and postings on one side, arithmetic over a recount on the other.

use pool_domain::{
    ids::PayoutId,
    payout_plan::{Candidate, ChainLimits, PlanRules, SpendingLimits, Spent, plan},
    postings::Payout,
};

use super::*;

/// How a payout stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Reserved,
    /// With what the transaction cost.
    Settled(i128),
    Returned,
}

/// Payouts that were made, and what operators decided.
#[derive(Default)]
pub(super) struct Payouts {
    thresholds: BTreeMap<Account, i128>,
    made: Vec<(Payout, Fate)>,
    last_at: BTreeMap<Account, TimeMs>,
}

impl Payouts {
    pub(super) fn set_threshold(&mut self, who: usize, amount: Option<i128>) {
        match amount {
            Some(amount) => drop(self.thresholds.insert(account(who), amount)),
            None => drop(self.thresholds.remove(&account(who))),
        }
    }

    /// Reserves what is due. `owed` is what a recount says that everybody is owed, payouts left aside.
    pub(super) fn pay(
        &mut self,
        store: &mut Store,
        owed: &BTreeMap<Account, i128>,
        threshold: i128,
        recipients_max: usize,
        at: TimeMs,
    ) {
        let confirmed =
            |account: &Account| store.balances.of(&LedgerAccount::MinerConfirmed(account.clone()));
        let candidates = (0..5).map(account).map(|account| Candidate {
            confirmed: confirmed(&account),
            threshold: self.thresholds.get(&account).map(|amount| Amount(*amount)),
            last_payout_at: self.last_at.get(&account).copied().unwrap_or_default(),
            account,
        });
        let rules = PlanRules {
            threshold: Amount(threshold),
            chain: ChainLimits {
                recipients_max: 100,
                amount_min: Amount(1),
                total_max: Amount(i128::MAX),
                storage_mass: None,
            },
            recipients_max,
            limits: SpendingLimits::default(),
        };
        let plan = plan(candidates.collect(), &rules, Spent::default());
        let mut planned: Vec<_> = plan.payouts.iter().flatten().cloned().collect();
        planned.sort();
        let due = |(account, earned): (&Account, &i128)| {
            let left = earned - self.taken(account);
            let enough = self.thresholds.get(account).copied().unwrap_or(threshold).max(1);
            (left >= enough).then(|| (account.clone(), Amount(left)))
        };
        assert_eq!(planned, owed.iter().filter_map(due).collect::<Vec<_>>(), "who is paid, and how much");
        assert!(plan.payouts.iter().all(|payout| payout.len() <= recipients_max.max(1)));
        for amounts in plan.payouts {
            let payout = Payout { id: PayoutId(self.made.len() as u64 + 1), amounts };
            store.post(Posting { transaction: payout.reserve().unwrap(), block: None, at });
            self.last_at.extend(payout.amounts.iter().map(|(account, _)| (account.clone(), at)));
            self.made.push((payout, Fate::Reserved));
        }
    }

    /// The chain has one of those under way, or never will.
    pub(super) fn end(&mut self, store: &mut Store, which: usize, fate: Fate, at: TimeMs) {
        let mut open: Vec<_> = self.made.iter_mut().filter(|(_, fate)| *fate == Fate::Reserved).collect();
        let Some(at_index) = which.checked_rem(open.len()) else { return };
        let (payout, state) = &mut *open[at_index];
        let transaction = match fate {
            Fate::Settled(fee) => payout.settle(Amount(fee)),
            _ => payout.give_back(),
        };
        store.post(Posting { transaction: transaction.unwrap(), block: None, at });
        *state = fate;
    }

    fn sum(&self, account: &Account, counts: impl Fn(Fate) -> bool) -> i128 {
        let counted = self.made.iter().filter(|(_, fate)| counts(*fate));
        let amounts = counted.flat_map(|(payout, _)| &payout.amounts);
        amounts.filter(|(of, _)| of == account).map(|(_, amount)| amount.0).sum()
    }

    /// What was set aside for an account and never given back.
    fn taken(&self, account: &Account) -> i128 {
        self.sum(account, |fate| fate != Fate::Returned)
    }

    /// Moves what a recount of blocks gives to where payouts have moved it.
    pub(super) fn moved(&self, mut balances: BTreeMap<LedgerAccount, i128>) -> BTreeMap<LedgerAccount, i128> {
        for account in (0..5).map(account) {
            let reserved = self.sum(&account, |fate| fate == Fate::Reserved);
            let sent = self.sum(&account, |fate| matches!(fate, Fate::Settled(_)));
            *balances.entry(LedgerAccount::MinerConfirmed(account.clone())).or_default() -= reserved + sent;
            *balances.entry(LedgerAccount::MinerReserved(account.clone())).or_default() += reserved;
            *balances.entry(LedgerAccount::PayoutsSent(account)).or_default() += sent;
        }
        let fees = self.made.iter().map(|(_, fate)| if let Fate::Settled(fee) = fate { *fee } else { 0 });
        *balances.entry(LedgerAccount::FeeConfirmed).or_default() -= fees.sum::<i128>();
        balances.retain(|_, amount| *amount != 0);
        balances
    }
}
