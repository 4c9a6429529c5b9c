use std::collections::BTreeMap;
use std::format;
use std::vec;

use proptest::prelude::*;

use super::*;

fn candidate(name: &str, confirmed: i128, last: u64) -> Candidate {
    let account = Account::new(name).unwrap();
    Candidate { account, confirmed: Amount(confirmed), threshold: None, last_payout_at: TimeMs(last) }
}

const CHAIN: ChainLimits = ChainLimits {
    recipients_max: 100,
    amount_min: Amount(1),
    total_max: Amount(i128::MAX),
    storage_mass: None,
};
const RULES: PlanRules = PlanRules {
    threshold: Amount(100),
    chain: CHAIN,
    recipients_max: 100,
    limits: SpendingLimits { per_hour: None, per_day: None },
};

fn names(plan: &Plan) -> Vec<Vec<&str>> {
    plan.payouts.iter().map(|batch| batch.iter().map(|(account, _)| account.as_str()).collect()).collect()
}

#[test]
fn thresholds_are_the_pools_or_the_accounts_own() {
    let low = Candidate { threshold: Some(Amount(10)), ..candidate("low", 10, 0) };
    let high = Candidate { threshold: Some(Amount(1_000)), ..candidate("high", 999, 0) };
    let all = vec![candidate("at", 100, 0), candidate("below", 99, 0), candidate("zero", 0, 0), low, high];
    let chosen = plan(all.clone(), &RULES, Spent::default());
    assert_eq!(names(&chosen), [["at", "low"]]);
    assert_eq!(chosen.total(), Amount(110));
    // What the chain does not take stays, whatever the account says.
    let dust = PlanRules { chain: ChainLimits { amount_min: Amount(11), ..CHAIN }, ..RULES };
    assert_eq!(names(&plan(all, &dust, Spent::default())), [["at"]]);
}

#[test]
fn batches_are_what_the_chain_carries() {
    let all: Vec<_> = (0..5).map(|n| candidate(&format!("m{n}"), 500, 0)).collect();
    let evm = PlanRules { chain: ChainLimits { recipients_max: 1, ..CHAIN }, ..RULES };
    assert_eq!(names(&plan(all.clone(), &evm, Spent::default())).len(), 5);
    let two = PlanRules { recipients_max: 2, ..RULES };
    assert_eq!(
        names(&plan(all.clone(), &two, Spent::default())),
        [vec!["m0", "m1"], vec!["m2", "m3"], vec!["m4"]]
    );
    let sum = PlanRules { chain: ChainLimits { total_max: Amount(1_400), ..CHAIN }, ..RULES };
    assert_eq!(names(&plan(all, &sum, Spent::default())).len(), 3);
    // Kaspa (chains, section 5): with a budget of 100,000, ten outputs of 1 KAS fit, and one of 0.1 KAS at most.
    let mass = Some(StorageMass { constant: 1_000_000_000_000, budget: 100_000 });
    let kaspa = PlanRules { chain: ChainLimits { storage_mass: mass, ..CHAIN }, ..RULES };
    let all: Vec<_> = (10..31).map(|n| candidate(&format!("m{n}"), 100_000_000, 0)).collect();
    let sizes = |plan: &Plan| plan.payouts.iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(sizes(&plan(all, &kaspa, Spent::default())), [10, 10, 1]);
    let small = vec![candidate("a", 10_000_000, 0), candidate("b", 9_999_999, 0)];
    assert_eq!(names(&plan(small, &kaspa, Spent::default())), [["a"]]);
}

#[test]
fn limits_hold_and_who_waits_longest_comes_first() {
    let limits = SpendingLimits { per_hour: Some(Amount(1_000)), per_day: Some(Amount(5_000)) };
    let rules = PlanRules { limits, ..RULES };
    let all = vec![
        candidate("a", 600, 9),
        candidate("b", 700, 5),
        candidate("c", 200, 0),
        candidate("d", 1_001, 0),
    ];
    let chosen = plan(all.clone(), &rules, Spent::default());
    assert_eq!(names(&chosen), [["c", "b"]]);
    let skipped: Vec<_> = chosen.skipped.iter().map(|(account, _, skip)| (account.as_str(), *skip)).collect();
    assert_eq!(skipped, [("d", Skip::AboveLimit), ("a", Skip::WaitsForLimit)]);
    let used = Spent { hour: Amount(100), day: Amount(4_500) };
    assert_eq!(names(&plan(all.clone(), &rules, used)), [["c"]]);
    let over = Spent { hour: Amount(0), day: Amount(6_000) };
    assert_eq!(names(&plan(all, &rules, over)), Vec::<Vec<&str>>::new());
}

proptest! {
    #[test]
    fn everybody_is_paid_whole_once_and_within_all_limits(
        balances in prop::collection::btree_map("[a-z]{1,3}", (0_i128..5_000, prop::option::of(1_i128..3_000), 0_u64..9), 0..60),
        (recipients, most, total_max) in (1_usize..20, 1_usize..20, 1_000_i128..20_000),
        per_hour in prop::option::of(0_i128..20_000), spent in 0_i128..10_000, budget in 1_u128..500,
    ) {
        let rules = PlanRules {
            threshold: Amount(500),
            chain: ChainLimits {
                recipients_max: recipients, amount_min: Amount(3), total_max: Amount(total_max),
                storage_mass: Some(StorageMass { constant: 10_000, budget }),
            },
            recipients_max: most,
            limits: SpendingLimits { per_hour: per_hour.map(Amount), per_day: None },
        };
        let candidates: Vec<_> = balances.iter().map(|(name, (confirmed, threshold, last))| Candidate {
            threshold: threshold.map(Amount), ..candidate(name, *confirmed, *last)
        }).collect();
        let plan = plan(candidates, &rules, Spent { hour: Amount(spent), day: Amount(spent) });
        let mut seen = BTreeMap::new();
        for batch in &plan.payouts {
            prop_assert!(!batch.is_empty() && batch.len() <= recipients.min(most));
            prop_assert!(batch.iter().map(|(_, amount)| amount.0).sum::<i128>() <= total_max);
            let mass: u128 = batch.iter().map(|(_, amount)| 10_000_u128.div_ceil(amount.0.unsigned_abs())).sum();
            prop_assert!(mass <= budget);
            for (account, amount) in batch {
                prop_assert!(seen.insert(account.as_str(), amount.0).is_none(), "paid twice");
                let (confirmed, threshold, _) = balances[account.as_str()];
                prop_assert_eq!(confirmed, amount.0);
                prop_assert!(confirmed >= threshold.unwrap_or(500).max(3));
            }
        }
        if let Some(limit) = per_hour {
            prop_assert!(plan.total().0 <= (limit - spent).max(0));
        }
        // Whoever is at the threshold is paid, or told why not (or too small for the chain).
        for (name, (confirmed, threshold, _)) in &balances {
            let due = *confirmed >= threshold.unwrap_or(500).max(3);
            let told = plan.skipped.iter().any(|(account, ..)| account.as_str() == name);
            let carried = 10_000_u128.div_ceil(confirmed.unsigned_abs().max(1)) <= budget;
            prop_assert_eq!(due && carried, seen.contains_key(name.as_str()) || told, "{}", name);
        }
    }
}
