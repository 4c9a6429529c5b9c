use std::collections::BTreeSet;
use std::string::ToString;

use proptest::prelude::*;

use super::*;
use crate::postings::{Credit, Payout};
use crate::split::split;
use crate::units::{BasisPoints, Work};

fn account(name: &str) -> Account {
    Account::new(name).unwrap()
}

fn credit(reward: i128, revision: u32, income: Income) -> Credit {
    let weights = [(account("alice"), Work(2)), (account("kaspa:bob"), Work(1))];
    let id = CreditId { block: BlockHash([7; 32]), income, revision };
    Credit { id, split: split(Amount(reward), BasisPoints(100), &weights).unwrap() }
}

fn balance(balances: &Balances, text: &str) -> i128 {
    balances.of(&text.parse().unwrap()).0
}

#[test]
fn a_block_goes_through_pending_to_confirmed() {
    let credit = credit(1_000, 1, Income::Block);
    let mut balances = Balances::default();
    balances.apply(&credit.pending().unwrap()).unwrap();
    assert_eq!(balance(&balances, "miner_pending:alice"), 660);
    assert_eq!(balance(&balances, "miner_pending:kaspa:bob"), 330);
    assert_eq!(balance(&balances, "fee_pending"), 10);
    assert_eq!(balance(&balances, "chain_pending"), -1_000);
    balances.apply(&credit.post().unwrap()).unwrap();
    assert_eq!(balance(&balances, "miner_pending:alice"), 0);
    assert_eq!(balance(&balances, "miner_confirmed:alice"), 660);
    assert_eq!(balance(&balances, "fee_confirmed"), 10);
    assert_eq!(balance(&balances, "chain_pending"), 0);
    assert_eq!(balance(&balances, "chain_income"), -1_000);
    // Paid by the pool's fee: the transaction cost 3.
    let payout = Payout { id: PayoutId(4), amounts: [(account("alice"), Amount(600))].to_vec() };
    balances.apply(&payout.reserve().unwrap()).unwrap();
    assert_eq!(balance(&balances, "miner_confirmed:alice"), 60);
    balances.apply(&payout.settle(Amount(3)).unwrap()).unwrap();
    assert_eq!(balance(&balances, "miner_reserved:alice"), 0);
    assert_eq!(balance(&balances, "payouts_sent:alice"), 600);
    assert_eq!(balance(&balances, "fee_confirmed"), 7);
    assert_eq!(balance(&balances, "network_fees"), 3);
    assert_eq!(balances.iter().map(|(_, amount)| amount.0).sum::<i128>(), 0);
}

#[test]
fn a_red_block_leaves_nothing_behind() {
    let mut balances = Balances::default();
    for revision in 1..4 {
        let credit = credit(999, revision, Income::RedMerge);
        balances.apply(&credit.pending().unwrap()).unwrap();
        balances.apply(&credit.void().unwrap()).unwrap();
    }
    assert!(balances.iter().all(|(_, amount)| amount.is_zero()));
    let credit = credit(999, 4, Income::RedMerge);
    balances.apply(&credit.pending().unwrap()).unwrap();
    balances.apply(&credit.post().unwrap()).unwrap();
    assert_eq!(balance(&balances, "red_merge_income"), -999);
    assert_eq!(balance(&balances, "chain_income"), 0);
}

#[test]
fn an_impossible_payout_goes_back() {
    let mut balances = Balances::default();
    let credit = credit(1_000, 1, Income::Block);
    balances.apply(&credit.pending().unwrap()).unwrap();
    balances.apply(&credit.post().unwrap()).unwrap();
    let before = balances.clone();
    let payout = Payout {
        id: PayoutId(1),
        amounts: [(account("alice"), Amount(5)), (account("kaspa:bob"), Amount(7))].to_vec(),
    };
    balances.apply(&payout.reserve().unwrap()).unwrap();
    balances.apply(&payout.give_back().unwrap()).unwrap();
    assert_eq!(balance(&balances, "miner_confirmed:alice"), balance(&before, "miner_confirmed:alice"));
    assert_eq!(balance(&balances, "miner_reserved:kaspa:bob"), 0);
}

#[test]
fn nobody_is_paid_what_he_does_not_have() {
    let mut balances = Balances::default();
    let payout = Payout { id: PayoutId(1), amounts: [(account("alice"), Amount(5))].to_vec() };
    let error = balances.apply(&payout.reserve().unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "payout:1:reserve would leave miner_confirmed:alice at -5");
    assert_eq!(balances, Balances::default());
    let nothing = Payout { id: PayoutId(1), amounts: [(account("alice"), Amount(0))].to_vec() };
    assert_eq!(nothing.reserve(), Err(LedgerError::Sign("payout:1:reserve".into())));
    assert_eq!(payout.settle(Amount(-1)), Err(LedgerError::Sign("payout:1:end".into())));
}

#[test]
fn transactions_must_balance_and_move_something() {
    let cause =
        || Cause::Adjustment { id: AdjustmentId(9), author: "ops".into(), reason: "lost block".into() };
    let alice = || LedgerAccount::MinerConfirmed(account("alice"));
    let new = |entries: &[(LedgerAccount, i128)]| {
        Transaction::new(cause(), entries.iter().map(|(account, amount)| (account.clone(), Amount(*amount))))
    };
    let error = new(&[(alice(), 5), (LedgerAccount::Adjustments, -4)]).unwrap_err();
    assert_eq!(error.to_string(), "the entries of adjustment:9 sum to 1, not to zero");
    assert_eq!(new(&[(alice(), 5), (alice(), -5)]), Err(LedgerError::Empty("adjustment:9".into())));
    assert_eq!(new(&[(alice(), i128::MAX), (alice(), 1)]), Err(LedgerError::Overflow("adjustment:9".into())));
    let good = new(&[(alice(), 5), (LedgerAccount::Adjustments, -5)]).unwrap();
    assert_eq!((good.entries().len(), good.cause().kind()), (2, "adjustment"));
    let json = serde_json::to_string(&good).unwrap();
    assert!(json.contains(r#"{"account":"miner_confirmed:alice","amount":"5"}"#), "{json}");
    let mut balances = Balances::default();
    balances
        .apply(
            &new(&[(LedgerAccount::ChainIncome, i128::MAX), (LedgerAccount::Adjustments, -i128::MAX)])
                .unwrap(),
        )
        .unwrap();
    let more = new(&[(LedgerAccount::ChainIncome, 1), (LedgerAccount::Adjustments, -1)]).unwrap();
    assert_eq!(balances.apply(&more), Err(LedgerError::Overflow("adjustment:9".into())));
}

#[test]
fn keys_are_unique_and_a_credit_ends_once() {
    let block = credit(10, 1, Income::Block).id;
    let other = CreditId { revision: 2, ..block };
    let merge = CreditId { income: Income::RedMerge, ..block };
    let causes = [
        Cause::CreditPending(block),
        Cause::CreditPosted(block),
        Cause::CreditPending(other),
        Cause::CreditPending(merge),
        Cause::PayoutReserved(PayoutId(1)),
        Cause::PayoutSettled(PayoutId(1)),
        Cause::PayoutReserved(PayoutId(2)),
    ];
    let keys: BTreeSet<_> = causes.iter().map(Cause::key).collect();
    assert_eq!(keys.len(), causes.len());
    assert_eq!(Cause::CreditPosted(block).key(), Cause::CreditVoided(block).key());
    assert_eq!(Cause::PayoutSettled(PayoutId(1)).key(), Cause::PayoutReturned(PayoutId(1)).key());
    let kinds: BTreeSet<_> = causes.iter().map(Cause::kind).collect();
    assert_eq!(kinds.len(), 4);
    assert_eq!(Cause::CreditVoided(block).kind(), "credit_voided");
    assert_eq!(Cause::PayoutReturned(PayoutId(1)).kind(), "payout_returned");
    let json = serde_json::to_string(&causes[0]).unwrap();
    assert_eq!(serde_json::from_str::<Cause>(&json).unwrap(), causes[0]);
}

#[test]
fn account_names_round_trip() {
    let alice = account("kaspa:alice");
    let owned = [
        LedgerAccount::MinerPending,
        LedgerAccount::MinerConfirmed,
        LedgerAccount::MinerReserved,
        LedgerAccount::PayoutsSent,
    ];
    let plain = [
        LedgerAccount::FeePending,
        LedgerAccount::FeeConfirmed,
        LedgerAccount::ChainPending,
        LedgerAccount::ChainIncome,
        LedgerAccount::RedMergeIncome,
        LedgerAccount::NetworkFees,
        LedgerAccount::Adjustments,
    ];
    for account in owned.map(|kind| kind(alice.clone())).into_iter().chain(plain) {
        assert_eq!(account.to_string().parse(), Ok(account.clone()));
        let json = serde_json::to_string(&account).unwrap();
        assert_eq!(serde_json::from_str::<LedgerAccount>(&json).unwrap(), account);
    }
    for text in ["", "miner_pending", "miner_pending:", "fee_pending:alice", "else"] {
        assert_eq!(text.parse::<LedgerAccount>(), Err(UnknownLedgerAccount), "{text}");
    }
}

proptest! {
    /// Whatever happens to blocks in whatever order, the books balance and pending ends at zero.
    #[test]
    fn books_balance(rewards in prop::collection::vec((1i128..1_000_000_000_000_000_000_000_000, any::<bool>()), 1..40)) {
        let mut balances = Balances::default();
        let mut posted = 0;
        for (revision, (reward, blue)) in (1u32..).zip(&rewards) {
            let credit = credit(*reward, revision, Income::Block);
            balances.apply(&credit.pending().unwrap()).unwrap();
            balances.apply(&if *blue { credit.post() } else { credit.void() }.unwrap()).unwrap();
            posted += if *blue { *reward } else { 0 };
        }
        prop_assert_eq!(balances.iter().map(|(_, amount)| amount.0).sum::<i128>(), 0);
        prop_assert_eq!(balance(&balances, "chain_income"), -posted);
        for pending in ["miner_pending:alice", "miner_pending:kaspa:bob", "fee_pending", "chain_pending"] {
            prop_assert_eq!(balance(&balances, pending), 0);
        }
    }
}
