//! Who says what is told of an address, and where; and what somebody gets who names another's place.

use std::collections::BTreeMap;

use pool_domain::ids::Account;

use super::*;
use crate::{
    auth::{PersonalChange, Shown},
    ports::personal::{Offer, PlaceKind, Target, Wishes, digest},
};

const OFFER: Offer = Offer { telegram: true, http: false, private: false };
const HOOK: &str = "https://hooks.example.org/s3cret";

/// Somebody who is signed in and has claimed an address.
async fn owner(rig: &Rig, name: &str, address: &str) -> (Principal, Account) {
    let db = rusqlite::Connection::open(rig.folder.path().join("pool.db")).unwrap();
    db.execute("INSERT INTO accounts (address, created_at) VALUES (?1, 1)", [address]).unwrap();
    rig.add(name, Role::Miner).await;
    let who = rig.who(&rig.pair(name).await.access).await.unwrap();
    let account = Account::new(address).unwrap();
    rig.auth.begin_claim(&who, &account).await.unwrap();
    rig.auth.claim(&from(1), &who, &account, Shown::Signature).await.unwrap();
    (who, account)
}

fn wants(kind: PlaceKind, to: &str) -> PersonalChange {
    let wishes = Wishes { worker_offline_minutes: 10, payout: true, ..Wishes::default() };
    PersonalChange { wishes, email: false, places: BTreeMap::from([(kind, to.to_owned())]) }
}

fn code_in(text: &str) -> String {
    text.split_whitespace().find(|word| word.len() == 8 && word.parse::<u64>().is_ok()).unwrap().to_owned()
}

#[actix_rt::test]
async fn a_place_counts_once_its_code_was_shown() {
    let rig = rig(config::Auth::default());
    let (alice, farm) = owner(&rig, "alice", "farm").await;
    let (mole, _) = owner(&rig, "mole", "hole").await;
    let set =
        async |who: &Principal, change| rig.auth.set_personal(&from(1), who, &farm, change, &OFFER).await;
    let confirm =
        async |code: &str| rig.auth.confirm_place(&from(1), &alice, &farm, PlaceKind::Webhook, code).await;
    assert!(matches!(set(&mole, wants(PlaceKind::Webhook, HOOK)).await, Err(Refused::NoSuch(_))));
    assert!(matches!(rig.auth.personal(&mole, &farm).await, Err(Refused::NoSuch(_))));
    assert!(matches!(rig.auth.alerts_key(&from(1), &mole, &farm).await, Err(Refused::NoSuch(_))));
    for (kind, to) in [
        (PlaceKind::Webhook, "http://hooks.example.org/"),
        (PlaceKind::Webhook, "ftp://hooks.example.org/"),
        (PlaceKind::Discord, "https://hooks.example.org/"),
        (PlaceKind::Telegram, "me"),
    ] {
        assert!(matches!(set(&alice, wants(kind, to)).await, Err(Refused::Unfit(..))), "{to}");
    }
    let mail = PersonalChange { email: true, ..PersonalChange::default() };
    assert!(matches!(set(&alice, mail).await, Err(Refused::Unfit("email", _))), "she has no confirmed one");
    let codes = set(&alice, wants(PlaceKind::Webhook, HOOK)).await.unwrap();
    assert_eq!(codes.len(), 1);
    assert_eq!(codes[0].target, Target::Place(PlaceKind::Webhook, HOOK.into()));
    let code = code_in(&codes[0].text);
    let row = rig.auth.personal(&alice, &farm).await.unwrap();
    assert!(row.settings.wishes.payout && row.targets().is_empty(), "nobody showed that they read there");
    assert!(!format!("{row:?}").contains("s3cret"));
    assert!(matches!(rig.auth.personal_test(&alice, &farm).await, Err(Refused::Conflict(_))));
    assert!(matches!(confirm("00000000").await, Err(Refused::Unfit("code", _))));
    confirm(&format!(" {code}\n")).await.unwrap();
    assert!(matches!(confirm(&code).await, Err(Refused::Unfit("code", _))), "once");
    assert_eq!(rig.auth.personal(&alice, &farm).await.unwrap().targets().len(), 1);
    assert_eq!(rig.auth.personal_test(&alice, &farm).await.unwrap().len(), 1);

    // Named again, or not at all: it stays; another place begins anew; none takes it away.
    assert!(set(&alice, wants(PlaceKind::Webhook, HOOK)).await.unwrap().is_empty());
    assert!(set(&alice, PersonalChange::default()).await.unwrap().is_empty());
    assert_eq!(rig.auth.personal(&alice, &farm).await.unwrap().targets().len(), 1);
    let codes = set(&alice, wants(PlaceKind::Webhook, "https://other.example.org/")).await.unwrap();
    assert!(matches!(confirm(&code).await, Err(Refused::Unfit(..))), "the code of the place before");
    assert!(rig.auth.personal(&alice, &farm).await.unwrap().targets().is_empty());
    rig.later(25 * 3_600_000);
    assert!(matches!(confirm(&code_in(&codes[0].text)).await, Err(Refused::Unfit(..))), "it is too old");
    assert!(set(&alice, wants(PlaceKind::Webhook, "")).await.unwrap().is_empty());
    assert!(rig.auth.personal(&alice, &farm).await.unwrap().settings.places.is_empty());

    // The trail names what was done, and no address in whole.
    let trail = rig.trail().await;
    assert!(trail.iter().any(|line| line.contains("auth.account.alerts.confirm")), "{trail:#?}");
    assert!(!trail.iter().any(|line| line.contains("s3cret")), "{trail:#?}");
}

#[actix_rt::test]
async fn nobody_is_bombed_with_codes_and_codes_are_not_guessed() {
    let rig = rig(config::Auth::default());
    let victim = "123456789";
    let mut sent = 0;
    for number in 0..4 {
        let (who, account) = owner(&rig, &format!("mole{number}"), &format!("hole{number}")).await;
        for _ in 0..8 {
            let change = wants(PlaceKind::Telegram, victim);
            sent += rig
                .auth
                .set_personal(&from(1), &who, &account, change, &OFFER)
                .await
                .map_or(0, |codes| codes.len());
        }
    }
    assert_eq!(sent, 6, "to one place, whoever asks");
    let (who, account) = owner(&rig, "mole9", "hole9").await;
    let mut sent = 0;
    for number in 0..1_000 {
        let change = wants(PlaceKind::Webhook, &format!("https://victim{number}.example.org/"));
        match rig.auth.set_personal(&from(1), &who, &account, change, &OFFER).await {
            Ok(codes) => sent += codes.len(),
            Err(Refused::TooMuch { wait_s }) => assert!(wait_s > 0),
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(sent, 12, "by one user, to however many places");
    let row = rig.auth.personal(&who, &account).await.unwrap();
    assert_eq!(row.settings.places.len(), 1, "a thousand places are one, the last that was taken");
    let tries =
        async |code: &str| rig.auth.confirm_place(&from(1), &who, &account, PlaceKind::Webhook, code).await;
    for number in 0..10 {
        assert!(matches!(tries(&format!("{number:08}")).await, Err(Refused::Unfit(..))));
    }
    assert!(matches!(tries("00000000").await, Err(Refused::TooMuch { .. })));
}

#[actix_rt::test]
async fn a_machines_password_is_shown_once_and_replaced() {
    let rig = rig(config::Auth::default());
    let (alice, farm) = owner(&rig, "alice", "farm").await;
    let first = rig.auth.alerts_key(&from(1), &alice, &farm).await.unwrap();
    let second = rig.auth.alerts_key(&from(1), &alice, &farm).await.unwrap();
    assert!(first.starts_with("alerts-") && first != second && second.len() <= 64);
    let settings = rig.auth.personal(&alice, &farm).await.unwrap().settings;
    assert_eq!(settings.key, Some(digest(&second)), "no more than its digest is kept");
    let trail = rig.trail().await;
    assert!(
        !trail.iter().any(|line| line.contains(&second) || line.contains(&digest(&second))),
        "{trail:#?}"
    );
}
