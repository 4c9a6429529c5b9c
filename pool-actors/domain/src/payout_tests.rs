use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::accounting::{Balances, Cause, LedgerAccount, Transaction};
use crate::ids::{Account, AdjustmentId, PayoutId};
use crate::postings::Payout;
use crate::units::Amount;

const DEPTH: u64 = 10;

#[test]
fn a_payout_goes_its_way_and_no_other() {
    use PayoutEvent as Event;
    use PayoutState as State;
    let way = [Event::Signed, Event::Sent, Event::InBlock, Event::Vanished, Event::InBlock, Event::Deep];
    let end = way.into_iter().try_fold(State::Reserved, State::after).unwrap();
    assert_eq!(end, State::Settled);
    for (state, event) in [
        (State::Reserved, Event::Sent),
        (State::Reserved, Event::Deep),
        (State::Signed, Event::Withdrawn),
        (State::Broadcast, Event::Withdrawn),
        (State::Broadcast, Event::Signed),
        (State::Settled, Event::Impossible),
        (State::Settled, Event::Vanished),
        (State::Returned, Event::Sent),
        (State::Returned, Event::Deep),
    ] {
        assert_eq!(state.after(event), Err(PayoutStepError { state, event }));
    }
    for state in State::ALL {
        assert_eq!(State::named(state.as_str()), Some(state));
    }
}

#[test]
fn what_was_sent_is_sent_again_until_it_is_deep_or_impossible() {
    use ChainView as View;
    use PayoutAction as Action;
    use PayoutState as State;
    let act = |state, hold, view| next_action(state, hold, Some(view), DEPTH);
    assert_eq!(next_action(State::Reserved, Hold::Free, None, DEPTH), Action::Sign);
    assert_eq!(next_action(State::Reserved, Hold::Held, None, DEPTH), Action::Wait);
    assert_eq!(next_action(State::Reserved, Hold::RecipientHeld, None, DEPTH), Action::Withdraw);
    assert_eq!(act(State::Signed, Hold::Free, View::Unknown), Action::Send);
    for hold in [Hold::Held, Hold::RecipientHeld] {
        assert_eq!(act(State::Signed, hold, View::Unknown), Action::Wait, "held back before it is sent");
        // Once it is out, a hold changes nothing.
        assert_eq!(act(State::Broadcast, hold, View::Unknown), Action::SendAgain);
        assert_eq!(act(State::Confirming, hold, View::Confirmed { depth: DEPTH }), Action::Settle);
    }
    assert_eq!(act(State::Broadcast, Hold::Free, View::Waiting), Action::Wait);
    assert_eq!(
        act(State::Broadcast, Hold::Free, View::Confirmed { depth: 0 }),
        Action::Record(PayoutEvent::InBlock)
    );
    assert_eq!(act(State::Confirming, Hold::Free, View::Confirmed { depth: DEPTH - 1 }), Action::Wait);
    assert_eq!(act(State::Confirming, Hold::Free, View::Unknown), Action::Record(PayoutEvent::Vanished));
    assert_eq!(act(State::Broadcast, Hold::Free, View::Replaced { depth: DEPTH - 1 }), Action::Wait);
    assert_eq!(act(State::Broadcast, Hold::Free, View::Replaced { depth: DEPTH }), Action::Return);
    assert_eq!(
        next_action(State::Broadcast, Hold::Free, None, DEPTH),
        Action::Wait,
        "the chain did not answer"
    );
}

fn view() -> impl Strategy<Value = ChainView> {
    prop_oneof![
        Just(ChainView::Unknown),
        Just(ChainView::Waiting),
        (0..2 * DEPTH).prop_map(|depth| ChainView::Confirmed { depth }),
        (0..2 * DEPTH).prop_map(|depth| ChainView::Replaced { depth }),
    ]
}

fn hold() -> impl Strategy<Value = Hold> {
    prop_oneof![4 => Just(Hold::Free), 1 => Just(Hold::Held), 1 => Just(Hold::RecipientHeld)]
}

proptest! {
    /// Whatever chain and operators do: the action fits the state, an end has its proof, and nothing follows an end.
    #[test]
    fn every_end_has_its_proof(steps in prop::collection::vec((hold(), prop::option::of(view())), 1..60)) {
        let mut state = PayoutState::Reserved;
        for (hold, view) in steps {
            let ended = state.is_final();
            let event = match next_action(state, hold, view, DEPTH) {
                PayoutAction::Wait | PayoutAction::SendAgain => continue,
                PayoutAction::Sign => PayoutEvent::Signed,
                PayoutAction::Withdraw => {
                    prop_assert_eq!(state, PayoutState::Reserved);
                    PayoutEvent::Withdrawn
                }
                PayoutAction::Send => {
                    prop_assert_eq!((state, hold), (PayoutState::Signed, Hold::Free));
                    PayoutEvent::Sent
                }
                PayoutAction::Record(event) => event,
                PayoutAction::Settle => {
                    let deep = matches!(view, Some(ChainView::Confirmed { depth }) if depth >= DEPTH);
                    prop_assert!(deep, "settled on {view:?}");
                    PayoutEvent::Deep
                }
                PayoutAction::Return => {
                    let gone = matches!(view, Some(ChainView::Replaced { depth }) if depth >= DEPTH);
                    prop_assert!(gone, "returned on {view:?}");
                    PayoutEvent::Impossible
                }
            };
            prop_assert!(!ended, "something follows an end");
            state = state.after(event).unwrap();
        }
    }

    /// Random payouts from random balances, each settled or returned: nothing is lost, nothing is paid twice.
    #[test]
    fn sums_are_conserved(
        credits in prop::collection::vec((0_usize..5, 1_i128..1_000), 1..40),
        payouts in prop::collection::vec((prop::collection::btree_map(0_usize..5, 1_i128..600, 1..4), any::<bool>(), 0_i128..9), 0..20),
    ) {
        let names: Vec<Account> = ["a", "b", "c", "d", "e"].map(|name| Account::new(name).unwrap()).to_vec();
        let mut books = Balances::default();
        let mut credited = [0_i128; 5];
        for (number, (who, amount)) in credits.into_iter().enumerate() {
            let id = AdjustmentId(number as u64);
            let cause = Cause::Adjustment { id, author: "t".into(), reason: "t".into() };
            let to = LedgerAccount::MinerConfirmed(names[who].clone());
            let entries = [(to, Amount(amount)), (LedgerAccount::ChainIncome, Amount(-amount))];
            books.apply(&Transaction::new(cause, entries).unwrap()).unwrap();
            credited[who] += amount;
        }
        let mut paid = [0_i128; 5];
        for (number, (amounts, succeeds, fee)) in payouts.into_iter().enumerate() {
            let id = PayoutId(number as u64 + 1);
            let payout = Payout { id, amounts: amounts.iter().map(|(who, n)| (names[*who].clone(), Amount(*n))).collect() };
            // More than there is can't be reserved, and changes nothing.
            let before = books.clone();
            if books.apply(&payout.reserve().unwrap()).is_err() {
                prop_assert_eq!(&books, &before);
                continue;
            }
            if succeeds {
                books.apply(&payout.settle(Amount(fee)).unwrap()).unwrap();
                amounts.iter().for_each(|(who, n)| paid[*who] += n);
            } else {
                books.apply(&payout.give_back().unwrap()).unwrap();
                for (account, amount) in before.iter() {
                    prop_assert_eq!(books.of(account), amount);
                }
            }
        }
        for (who, name) in names.iter().enumerate() {
            prop_assert_eq!(books.of(&LedgerAccount::MinerReserved(name.clone())), Amount(0));
            prop_assert_eq!(books.of(&LedgerAccount::PayoutsSent(name.clone())), Amount(paid[who]));
            prop_assert_eq!(books.of(&LedgerAccount::MinerConfirmed(name.clone())), Amount(credited[who] - paid[who]));
        }
        prop_assert_eq!(Amount::checked_sum(books.iter().map(|(_, amount)| amount)), Some(Amount(0)));
    }
}
