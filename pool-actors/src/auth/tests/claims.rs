//! Who shows that an address is theirs, and who does not.

use pool_domain::ids::Account;

use super::*;
use crate::{
    auth::Shown,
    ports::users::{ClaimedBy, SharedUsers},
};

fn address(name: &str) -> Account {
    Account::new(name).unwrap()
}

impl Rig {
    /// Somebody who is signed in.
    async fn person(&self, name: &str) -> Principal {
        self.add(name, Role::Miner).await;
        self.who(&self.pair(name).await.access).await.unwrap()
    }

    /// An account is there once something was mined for it.
    fn mined(&self, name: &str) {
        let db = rusqlite::Connection::open(self.folder.path().join("pool.db")).unwrap();
        db.execute("INSERT INTO accounts (address, created_at) VALUES (?1, 1)", [name]).unwrap();
    }

    async fn owner(&self, name: &str) -> Option<(String, ClaimedBy)> {
        let users: &SharedUsers = self.auth.users();
        for user in users.users(None, 100).await.unwrap() {
            let owned = users.accounts_of(user.id.clone()).await.unwrap();
            if let Some(account) = owned.into_iter().find(|account| account.account == name) {
                return Some((user.username, account.by.unwrap()));
            }
        }
        None
    }
}

#[actix_rt::test]
async fn machines_show_it_at_every_place_or_it_is_not_shown() {
    let rig = rig(config::Auth::default());
    let (alice, mole) = (rig.person("alice").await, rig.person("mole").await);
    let farm = address("farm");
    rig.mined("farm");
    let claim = |who: &Principal, places: Vec<Option<String>>| {
        let (auth, who, farm) = (rig.auth.clone(), who.clone(), farm.clone());
        async move { auth.claim(&from(1), &who, &farm, Shown::Workers(places)).await }
    };
    assert!(matches!(claim(&alice, vec![None]).await, Err(Refused::Conflict(_))), "none was begun");
    let begun = rig.auth.begin_claim(&alice, &farm).await.unwrap();
    let of_mole = rig.auth.begin_claim(&mole, &farm).await.unwrap();
    assert!(begun.password.starts_with("claim-") && begun.password.len() == 26);
    assert!(begun.challenge.contains("alice") && begun.challenge.contains("farm"));
    let (hers, his) = (Some(begun.password.clone()), Some(of_mole.password.clone()));
    for places in
        [vec![], vec![None], vec![hers.clone(), None], vec![hers.clone(), his.clone()], vec![his.clone()]]
    {
        assert!(matches!(claim(&alice, places).await, Err(Refused::Conflict(_))));
    }
    // A stranger who mines for her address does not get it while she does.
    assert!(claim(&mole, vec![None, his.clone()]).await.is_err());
    assert_eq!(rig.owner("farm").await, None);
    assert_eq!(claim(&alice, vec![hers.clone(), hers.clone()]).await.unwrap(), ClaimedBy::Workers);
    assert_eq!(rig.owner("farm").await, Some(("alice".into(), ClaimedBy::Workers)));
    assert!(claim(&alice, vec![hers]).await.is_err(), "once");
    let trail = rig.trail().await;
    assert!(trail.contains(&"alice auth.account.claim done".to_owned()));
    // An hour later a claim that was begun is over.
    rig.later(3_600_000);
    assert!(matches!(claim(&mole, vec![his]).await, Err(Refused::Conflict(_))));
    // And what nobody mines for can't be claimed.
    let nowhere = address("nowhere");
    let begun = rig.auth.begin_claim(&mole, &nowhere).await.unwrap();
    let shown = Shown::Workers(vec![Some(begun.password)]);
    assert!(matches!(rig.auth.claim(&from(1), &mole, &nowhere, shown).await, Err(Refused::Conflict(_))));
    assert!(Account::new(".pool").is_err(), "the pool's own has no such name");
}

#[actix_rt::test]
async fn the_key_beats_machines_and_later_machines_beat_earlier_ones() {
    let rig = rig(config::Auth::default());
    let (alice, mole) = (rig.person("alice").await, rig.person("mole").await);
    let farm = address("farm");
    rig.mined("farm");
    let show = |who: &Principal, by_key: bool| {
        let (auth, who, farm) = (rig.auth.clone(), who.clone(), farm.clone());
        async move {
            let begun = auth.begin_claim(&who, &farm).await.unwrap();
            let shown = if by_key { Shown::Signature } else { Shown::Workers(vec![Some(begun.password)]) };
            auth.claim(&from(1), &who, &farm, shown).await
        }
    };
    show(&mole, false).await.unwrap();
    show(&alice, false).await.unwrap();
    assert_eq!(
        rig.owner("farm").await,
        Some(("alice".into(), ClaimedBy::Workers)),
        "nobody is kept out for good"
    );
    show(&mole, false).await.unwrap();
    show(&alice, true).await.unwrap();
    assert!(matches!(show(&mole, false).await, Err(Refused::Conflict(_))));
    show(&alice, false).await.unwrap();
    assert_eq!(rig.owner("farm").await, Some(("alice".into(), ClaimedBy::Signature)));
    assert!(matches!(rig.auth.release_account(&from(1), &mole, &farm).await, Err(Refused::NoSuch(_))));
    rig.auth.release_account(&from(1), &alice, &farm).await.unwrap();
    assert_eq!(rig.owner("farm").await, None);
    // Who begins many is stopped.
    for _ in 0..30 {
        let _ = rig.auth.begin_claim(&mole, &farm).await;
    }
    assert!(matches!(rig.auth.begin_claim(&mole, &farm).await, Err(Refused::Locked { .. })));
}
