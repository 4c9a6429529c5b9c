//! What every store must do about payouts: once, as a whole, under the newest dispatcher only, and never forgotten.

use std::sync::Arc;

use pool_actors::ports::{
    payouts::{AccountTerms, Ending, PayoutQuery, Reserved, Scope, SharedPayouts},
    store::{Position, SharedStore, StoreError},
    wallet::{Signed, Spend},
};
use pool_domain::{
    accounting::LedgerAccount,
    ids::{PayoutId, ShareSeq},
    payout::{PayoutEvent, PayoutState},
    units::{Amount, TimeMs},
};

use crate::conformance::{account, commit, posting};

/// Beyond 64 bits, with 18 decimals.
const COINS: i128 = 1_000_000_000_000_000_000_000;

pub(crate) fn at(ms: u64) -> TimeMs {
    TimeMs(1_700_000_000_000 + ms)
}

/// Confirmed balances of these accounts.
pub(crate) async fn credit(store: &SharedStore, amounts: &[(&str, i128)]) {
    let position = store.load("n1").await.unwrap().position;
    let mut next = commit(position, position.seq.0 + 1);
    let confirmed = |name: &str| LedgerAccount::MinerConfirmed(account(name));
    let mut entries: Vec<_> = amounts.iter().map(|(name, amount)| (confirmed(name), *amount)).collect();
    entries.push((LedgerAccount::ChainIncome, -amounts.iter().map(|(_, amount)| amount).sum::<i128>()));
    next.postings = vec![posting(position.commits + 1, &entries)];
    let after = store.commit(Arc::new(next)).await.unwrap();
    assert_eq!(after, Position { seq: ShareSeq(position.seq.0 + 1), commits: position.commits + 1 });
}

fn spend(text: &str) -> Spend {
    text.parse().unwrap()
}

pub(crate) fn signed(txid: &str, spends: &[&str]) -> Signed {
    let spends = spends.iter().map(|text| spend(text)).collect();
    Signed { bytes: txid.as_bytes().to_vec(), txid: txid.into(), spends, fee: Amount(7) }
}

async fn balance(store: &SharedStore, name: &str) -> (i128, i128, i128) {
    let found = store.account(account(name)).await.unwrap().unwrap().balance;
    (found.confirmed.0, found.reserved.0, found.paid.0)
}

pub(crate) async fn a_payout_is_settled_once_with_all_its_steps(store: SharedStore, payouts: SharedPayouts) {
    credit(&store, &[("alice", 3 * COINS), ("bob", 500), ("carol", 99)]).await;
    let token = payouts.take_payouts(at(0)).await.unwrap();
    let due = payouts.candidates(Amount(100)).await.unwrap();
    let names: Vec<_> =
        due.iter().map(|one| (one.account.as_str(), one.confirmed.0, one.last_payout_at)).collect();
    assert_eq!(names.len(), 2);
    assert!(names.contains(&("alice", 3 * COINS, TimeMs(0))) && names.contains(&("bob", 500, TimeMs(0))));
    let amounts = vec![(account("bob"), Amount(500)), (account("alice"), Amount(2 * COINS))];
    let ids = payouts.reserve(token, at(1), vec![amounts.clone()]).await.unwrap();
    assert_eq!(ids, [PayoutId(1)]);
    let id = ids[0];
    // What is on its way is still owed, and can't be reserved again.
    assert_eq!(balance(&store, "alice").await, (3 * COINS, 2 * COINS, 0));
    assert_eq!(balance(&store, "bob").await, (500, 500, 0));
    let due = payouts.candidates(Amount(100)).await.unwrap();
    let left: Vec<_> =
        due.iter().map(|one| (one.account.as_str(), one.confirmed.0, one.last_payout_at)).collect();
    assert_eq!(left, [("alice", COINS, at(1))]);
    let taken = [Reserved { id, created_at: at(1), amount: Amount(2 * COINS + 500) }];
    assert_eq!(payouts.reserved(at(1), None).await.unwrap(), taken);
    assert_eq!(payouts.reserved(at(2), None).await.unwrap(), []);
    assert_eq!(payouts.reserved(at(2), Some(id)).await.unwrap(), taken);
    assert_eq!(payouts.reserved(at(2), Some(PayoutId(2))).await.unwrap(), []);
    assert_eq!(store.check().await.unwrap(), vec![]);

    // Nothing is sent before it is persisted.
    let early = payouts.record_step(token, at(2), id, PayoutEvent::Sent, "sent".into()).await.unwrap_err();
    assert!(matches!(early, StoreError::Corrupt { .. }), "{early}");
    let transaction = signed("t1", &["aa:0", "bb:1"]);
    payouts.record_signed(token, at(3), id, transaction.clone()).await.unwrap();
    // Its answer got lost: the same bytes are no news, others are refused for ever.
    payouts.record_signed(token, at(4), id, transaction.clone()).await.unwrap();
    let other = payouts.record_signed(token, at(4), id, signed("t2", &["cc:0"])).await.unwrap_err();
    assert!(matches!(&other, StoreError::Corrupt { what } if what.contains("other bytes")), "{other}");
    for event in [PayoutEvent::Sent, PayoutEvent::InBlock, PayoutEvent::Vanished, PayoutEvent::InBlock] {
        payouts.record_step(token, at(5), id, event, "seen".into()).await.unwrap();
    }
    let open = payouts.open_payouts().await.unwrap();
    assert_eq!((open.len(), open[0].state, &open[0].items), (1, PayoutState::Confirming, &amounts));
    assert_eq!(open[0].transaction, Some(transaction.clone()));
    payouts.end(token, at(6), id, Ending::Settled { fee: Amount(7) }).await.unwrap();
    payouts.end(token, at(7), id, Ending::Settled { fee: Amount(7) }).await.unwrap();
    let twice = payouts.end(token, at(8), id, Ending::Impossible("no".into())).await.unwrap_err();
    assert!(matches!(twice, StoreError::Corrupt { .. }), "{twice}");
    assert_eq!(balance(&store, "alice").await, (COINS, 0, 2 * COINS));
    assert_eq!(balance(&store, "bob").await, (0, 0, 500));
    let totals = store.totals().await.unwrap();
    assert_eq!((totals.of("payouts_sent"), totals.of("network_fees")), (Amount(2 * COINS + 500), Amount(7)));
    assert_eq!((totals.of("fee_confirmed"), totals.imbalance()), (Amount(-7), Amount::ZERO));
    assert_eq!(payouts.open_payouts().await.unwrap(), []);
    let (row, steps) = payouts.payout(id).await.unwrap().unwrap();
    assert_eq!((row.state, row.ended_at, row.reason), (PayoutState::Settled, Some(at(6)), None));
    let held = payouts.hold(at(8), Scope::Payout(id), Some("why".into()), "ann".into()).await;
    assert!(matches!(held, Err(StoreError::Ended { .. })), "{held:?}");
    let states: Vec<_> = steps.iter().map(|step| step.state.as_str()).collect();
    let way = ["reserved", "signed", "broadcast", "confirming", "broadcast", "confirming", "settled"];
    assert_eq!(states, way);
    assert_eq!(store.check().await.unwrap(), vec![]);
}

pub(crate) async fn an_impossible_payout_goes_back_and_frees_what_it_spent(
    store: SharedStore,
    payouts: SharedPayouts,
) {
    credit(&store, &[("alice", 900), ("bob", 900)]).await;
    let token = payouts.take_payouts(at(0)).await.unwrap();
    let pay = |name: &str| vec![(account(name), Amount(900))];
    let ids = payouts.reserve(token, at(1), vec![pay("alice"), pay("bob")]).await.unwrap();
    assert_eq!(ids, [PayoutId(1), PayoutId(2)]);
    payouts.record_signed(token, at(2), ids[0], signed("t1", &["aa:0", "sender#4"])).await.unwrap();
    // No two payouts may use up the same.
    let again = payouts.record_signed(token, at(3), ids[1], signed("t2", &["sender#4"])).await.unwrap_err();
    assert!(matches!(again, StoreError::Corrupt { .. }), "{again}");
    payouts.record_step(token, at(3), ids[0], PayoutEvent::Sent, "sent".into()).await.unwrap();
    payouts.end(token, at(4), ids[0], Ending::Impossible("replaced".into())).await.unwrap();
    assert_eq!(balance(&store, "alice").await, (900, 0, 0));
    payouts.record_signed(token, at(5), ids[1], signed("t2", &["sender#4"])).await.unwrap();
    let (row, _) = payouts.payout(ids[0]).await.unwrap().unwrap();
    assert_eq!((row.state, row.reason.as_deref()), (PayoutState::Returned, Some("replaced")));
    // What was returned does not count against the limits; what was never signed can be withdrawn.
    let left: Vec<_> = payouts.reserved(at(0), None).await.unwrap().iter().map(|one| one.amount).collect();
    assert_eq!(left, [Amount(900)]);
    let third = payouts.reserve(token, at(6), vec![pay("alice")]).await.unwrap()[0];
    payouts.end(token, at(7), third, Ending::Withdrawn("held".into())).await.unwrap();
    assert_eq!(balance(&store, "alice").await, (900, 0, 0));
    let page = |query: PayoutQuery| {
        let payouts = Arc::clone(&payouts);
        async move { payouts.payouts(query).await.unwrap().iter().map(|row| row.id.0).collect::<Vec<_>>() }
    };
    let all = PayoutQuery { limit: 10, ..PayoutQuery::default() };
    assert_eq!(page(all.clone()).await, [3, 2, 1]);
    assert_eq!(page(PayoutQuery { before: Some(3), limit: 1, ..all.clone() }).await, [2]);
    assert_eq!(page(PayoutQuery { state: Some(PayoutState::Returned), ..all.clone() }).await, [3, 1]);
    assert_eq!(page(PayoutQuery { account: Some(account("bob")), ..all }).await, [2]);
    assert_eq!(store.check().await.unwrap(), vec![]);
}

pub(crate) async fn more_than_there_is_can_not_be_reserved(store: SharedStore, payouts: SharedPayouts) {
    credit(&store, &[("alice", 900), ("bob", 100)]).await;
    let token = payouts.take_payouts(at(0)).await.unwrap();
    let amounts = vec![vec![(account("alice"), Amount(900))], vec![(account("bob"), Amount(101))]];
    let refused = payouts.reserve(token, at(1), amounts).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Stale { what } if what.contains("bob")), "{refused}");
    // All or nothing.
    assert_eq!(balance(&store, "alice").await, (900, 0, 0));
    assert_eq!(payouts.open_payouts().await.unwrap(), []);
    assert_eq!(store.check().await.unwrap(), vec![]);
}

pub(crate) async fn only_the_newest_dispatcher_writes(store: SharedStore, payouts: SharedPayouts) {
    credit(&store, &[("alice", 900)]).await;
    let old = payouts.take_payouts(at(0)).await.unwrap();
    let amounts = vec![vec![(account("alice"), Amount(500))]];
    let id = payouts.reserve(old, at(1), amounts.clone()).await.unwrap()[0];
    let new = payouts.take_payouts(at(2)).await.unwrap();
    assert!(new > old);
    let transaction = signed("t1", &["aa:0"]);
    let refusals = [
        payouts.reserve(old, at(3), amounts).await.map(drop),
        payouts.record_signed(old, at(3), id, transaction.clone()).await,
        payouts.record_step(old, at(3), id, PayoutEvent::Signed, "x".into()).await,
        payouts.end(old, at(3), id, Ending::Withdrawn("x".into())).await,
        payouts.set_aside(old, at(3), account("alice"), "x".into()).await,
    ];
    for refused in refusals {
        assert!(matches!(refused, Err(StoreError::InUse { .. })), "{refused:?}");
    }
    payouts.record_signed(new, at(4), id, transaction).await.unwrap();
    assert_eq!(store.check().await.unwrap(), vec![]);
}

pub(crate) async fn holds_and_thresholds_are_kept_and_audited(store: SharedStore, payouts: SharedPayouts) {
    credit(&store, &[("alice", 900), ("bob", 50)]).await;
    let token = payouts.take_payouts(at(0)).await.unwrap();
    let due = || {
        let payouts = Arc::clone(&payouts);
        async move {
            let found = payouts.candidates(Amount(100)).await.unwrap();
            let mut names: Vec<_> = found.iter().map(|one| one.account.as_str().to_owned()).collect();
            names.sort();
            names
        }
    };
    assert_eq!(due().await, ["alice"]);
    payouts.set_threshold(at(1), account("bob"), Some(Amount(50)), "ann".into()).await.unwrap();
    payouts.set_threshold(at(1), account("alice"), Some(Amount(COINS)), "ann".into()).await.unwrap();
    assert_eq!(due().await, ["bob"]);
    payouts.set_threshold(at(2), account("alice"), None, "ann".into()).await.unwrap();
    assert_eq!(due().await, ["alice", "bob"]);
    let id = payouts.reserve(token, at(2), vec![vec![(account("alice"), Amount(900))]]).await.unwrap()[0];
    for scope in [Scope::All, Scope::Payout(id), Scope::Account(account("alice"))] {
        payouts.hold(at(3), scope, Some("why".into()), "ann".into()).await.unwrap();
    }
    payouts.set_aside(token, at(3), account("bob"), "bad address".into()).await.unwrap();
    assert_eq!(due().await, [""; 0]);
    assert_eq!(payouts.held().await.unwrap().as_deref(), Some("why"));
    let open = payouts.open_payouts().await.unwrap();
    assert_eq!((open[0].hold.as_deref(), open[0].recipient_held), (Some("why"), true));
    let bob = AccountTerms { threshold: Some(Amount(50)), hold: None, set_aside: Some("bad address".into()) };
    assert_eq!(payouts.terms(account("bob")).await.unwrap(), bob);
    let all = payouts.all_terms().await.unwrap();
    assert_eq!(all.iter().map(|(account, _)| account.as_str()).collect::<Vec<_>>(), ["alice", "bob"]);
    for scope in [Scope::All, Scope::Payout(id), Scope::Account(account("bob"))] {
        payouts.hold(at(4), scope, None, "ben".into()).await.unwrap();
    }
    assert_eq!(due().await, ["bob"], "a release ends its being set aside");
    assert_eq!(payouts.held().await.unwrap(), None);
    assert_eq!(payouts.open_payouts().await.unwrap()[0].hold, None);
    assert_eq!(payouts.terms(account("nobody")).await.unwrap(), AccountTerms::default());
    for scope in [Scope::Payout(PayoutId(77)), Scope::Account(account("nobody"))] {
        let refused = payouts.hold(at(5), scope, None, "ben".into()).await.unwrap_err();
        assert!(matches!(refused, StoreError::NotFound { .. }), "{refused}");
    }
    let trail = payouts.payout_audit(None, 100).await.unwrap();
    let lines: Vec<_> =
        trail.iter().map(|line| format!("{} {} {}", line.actor, line.action, line.subject)).collect();
    assert_eq!(
        lines,
        [
            "ben release account:bob",
            "ben release payout:1",
            "ben release all",
            "pool set_aside account:bob",
            "ann hold account:alice",
            "ann hold payout:1",
            "ann hold all",
            "ann threshold account:alice",
            "ann threshold account:alice",
            "ann threshold account:bob",
        ]
    );
    let older = payouts.payout_audit(Some(trail[1].id), 1).await.unwrap();
    assert_eq!(older, trail[2..3]);
    assert_eq!(store.check().await.unwrap(), vec![]);
}
