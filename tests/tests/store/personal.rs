//! What every store must do about what people want to hear: it is the owner's, and only as long as he is; payouts are told from
//! where it was left off.

use std::collections::BTreeMap;

use pool_actors::ports::{
    payouts::SharedPayouts,
    personal::{PersonalSettings, Place, PlaceKind, Target, Wishes},
    store::SharedStore,
    users::{ClaimedBy, Role, SharedUsers, UserChange},
};
use pool_domain::{
    payout::PayoutEvent,
    units::{Amount, TimeMs},
};

use crate::{
    conformance::account,
    payouts::{at, credit, signed},
    people::{add, somebody},
};

fn settings() -> PersonalSettings {
    let place =
        |to: &str, confirmed_at| Place { to: to.into(), confirmed_at, code: None, code_until: TimeMs(0) };
    PersonalSettings {
        wishes: Wishes { worker_offline_minutes: 10, payout: true, ..Wishes::default() },
        email: true,
        places: BTreeMap::from([
            (PlaceKind::Webhook, place("https://a.example/x?\u{1f980}=\"'", Some(at(1)))),
            (PlaceKind::Telegram, place("12", None)),
        ]),
        key: Some("00".into()),
    }
}

pub(crate) async fn what_is_wanted_is_the_owners_as_long_as_he_is(
    store: SharedStore,
    _: SharedPayouts,
    users: SharedUsers,
) {
    credit(&store, &[("farm", 100), ("other", 100)]).await;
    let alice = add(&users, somebody(1, "alice", Role::Miner)).await;
    let mole = add(&users, somebody(2, "mole", Role::Miner)).await;
    let of = async |user: &String| users.personal_of("farm".into(), user.clone()).await.unwrap();
    let set = async |user: &String| {
        users.set_personal(at(1), "farm".into(), user.clone(), settings()).await.unwrap()
    };
    assert!(of(&alice).await.is_none() && !set(&alice).await, "nobody has claimed it");
    assert!(users.claim_account(at(1), "farm".into(), alice.clone(), ClaimedBy::Workers).await.unwrap());
    let row = of(&alice).await.unwrap();
    assert_eq!((row.settings, row.workers, row.email), (PersonalSettings::default(), vec![], None));
    assert!(!set(&mole).await && of(&mole).await.is_none(), "it is not the mole's");
    assert!(set(&alice).await);
    let workers = vec!["a".to_owned(), String::new(), "\u{1f980}\"".to_owned()];
    users.set_personal_workers("farm".into(), alice.clone(), workers.clone()).await.unwrap();
    users.set_personal_workers("farm".into(), mole.clone(), vec![]).await.unwrap();
    let row = of(&alice).await.unwrap();
    assert_eq!((&row.settings, &row.workers, &*row.username), (&settings(), &workers, "alice"));
    assert_eq!(users.personal_all().await.unwrap(), std::slice::from_ref(&row));
    // Only where somebody showed that they read, and mail only to an address that is confirmed.
    let PersonalSettings { places, .. } = settings();
    assert_eq!(row.targets(), [Target::Place(PlaceKind::Webhook, places[&PlaceKind::Webhook].to.clone())]);
    // What is set anew keeps who was connected.
    assert!(set(&alice).await);
    assert_eq!(of(&alice).await.unwrap().workers, workers);

    // Who may not sign in hears nothing.
    assert!(users.change_user(at(2), alice.clone(), UserChange::Disabled(true)).await.unwrap());
    assert_eq!(users.personal_all().await.unwrap(), []);
    assert!(users.change_user(at(2), alice.clone(), UserChange::Disabled(false)).await.unwrap());
    assert_eq!(users.personal_all().await.unwrap().len(), 1);

    // The next owner begins with nothing, and the one before hears nothing any more.
    assert!(users.claim_account(at(3), "farm".into(), mole.clone(), ClaimedBy::Workers).await.unwrap());
    assert!(of(&alice).await.is_none());
    assert_eq!(users.personal_all().await.unwrap(), []);
    assert_eq!(of(&mole).await.unwrap().settings, PersonalSettings::default());
    let none = PersonalSettings::default();
    assert!(users.set_personal(at(4), "farm".into(), mole.clone(), none.clone()).await.unwrap());
    let row = of(&mole).await.unwrap();
    assert_eq!((row.settings, row.workers), (none, vec![]));
}

pub(crate) async fn payouts_are_told_from_where_it_was_left_off(
    store: SharedStore,
    payouts: SharedPayouts,
    users: SharedUsers,
) {
    credit(&store, &[("farm", 1_000), ("other", 1_000)]).await;
    let alice = add(&users, somebody(1, "alice", Role::Miner)).await;
    assert!(users.claim_account(at(0), "farm".into(), alice.clone(), ClaimedBy::Signature).await.unwrap());
    let token = payouts.take_payouts(at(0)).await.unwrap();
    let pay = async |ms: u64, amount: i128, name: &str, txid: &str| {
        let items = vec![(account("other"), Amount(amount)), (account(name), Amount(amount))];
        let items = if name == "other" { items[..1].to_vec() } else { items };
        let id = payouts.reserve(token, at(ms), vec![items]).await.unwrap()[0];
        payouts.record_signed(token, at(ms), id, signed(txid, &[&format!("{txid}:0")])).await.unwrap();
        for event in [PayoutEvent::Sent, PayoutEvent::InBlock, PayoutEvent::Vanished] {
            payouts.record_step(token, at(ms), id, event, "seen".into()).await.unwrap();
        }
        id
    };
    pay(1, 100, "farm", "aa").await;
    assert!(users.set_personal(at(2), "farm".into(), alice.clone(), settings()).await.unwrap());
    let told = users.payouts_told().await.unwrap();
    assert_eq!(users.sent_payouts(told).await.unwrap(), [], "what was paid before is no news");
    let second = pay(3, 200, "farm", "bb").await;
    pay(4, 50, "other", "cc").await;
    let third = pay(5, 300, "farm", "dd").await;
    let sent = users.sent_payouts(told).await.unwrap();
    let seen: Vec<_> = sent.iter().map(|one| (one.payout, &*one.account, one.amount, &*one.txid)).collect();
    let wanted = [(second, "farm", Amount(200), "bb"), (third, "farm", Amount(300), "dd")];
    assert_eq!(seen, wanted, "each once, though it was sent twice; nobody else's");
    users.set_payouts_told(sent[0].step).await.unwrap();
    assert_eq!(users.payouts_told().await.unwrap(), sent[0].step);
    users.set_payouts_told(0).await.unwrap();
    assert_eq!(users.payouts_told().await.unwrap(), sent[0].step, "it never goes back");
    assert_eq!(users.sent_payouts(sent[0].step).await.unwrap(), sent[1..]);
    // Who has lost the account hears of no payout to it.
    assert!(users.release_account("farm".into(), alice).await.unwrap());
    assert_eq!(users.sent_payouts(told).await.unwrap(), []);
}
