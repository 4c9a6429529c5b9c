//! What every store must do for signing in: each name once, each code once, the last admin stays, the trail only grows.

use std::sync::Arc;

use pool_actors::ports::users::{
    AuditLine, AuditQuery, LinkPurpose, MailLink, NewUser, Outcome, Role, SharedUsers, TokenRow, UserChange,
};
use pool_domain::units::TimeMs;
use serde_json::json;

const NOW: TimeMs = TimeMs(1_700_000_000_000);
const LATER: TimeMs = TimeMs(1_700_000_001_000);

pub(crate) fn somebody(number: u8, username: &str, role: Role) -> NewUser {
    NewUser {
        id: format!("00000000-0000-4000-8000-0000000000{number:02x}"),
        username: username.into(),
        email: None,
        role,
        password_hash: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA".into(),
    }
}

pub(crate) async fn add(users: &SharedUsers, user: NewUser) -> String {
    let id = user.id.clone();
    assert!(users.add_user(NOW, user).await.unwrap());
    id
}

pub(crate) async fn people_are_added_once_and_changed(users: SharedUsers) {
    let alice =
        add(&users, NewUser { email: Some("a@b.org".into()), ..somebody(1, "Alice", Role::Admin) }).await;
    assert!(!users.add_user(NOW, somebody(2, "aLICE", Role::Miner)).await.unwrap(), "the same name");
    let bob = add(&users, somebody(3, "bob", Role::Miner)).await;

    let found = users.user_named("ALICE".into()).await.unwrap().unwrap();
    assert_eq!(
        (&*found.username, found.role, &*found.id, found.created_at),
        ("Alice", Role::Admin, &*alice, NOW)
    );
    assert_eq!(users.user(alice.clone()).await.unwrap().unwrap(), found);
    for nobody in ["", "al\0ice", "' OR 1=1 --", "%"] {
        assert_eq!(users.user_named(nobody.into()).await.unwrap(), None);
        assert_eq!(users.user(nobody.into()).await.unwrap(), None);
    }
    let names = |rows: Vec<pool_actors::ports::users::UserRow>| {
        rows.into_iter().map(|row| row.username).collect::<Vec<_>>()
    };
    assert_eq!(names(users.users(None, 9).await.unwrap()), ["Alice", "bob"]);
    assert_eq!(names(users.users(None, 1).await.unwrap()), ["Alice"]);
    assert_eq!(names(users.users(Some("Alice".into()), 9).await.unwrap()), ["bob"]);

    // The last admin who may sign in stays one, and able to.
    assert!(!users.change_user(LATER, alice.clone(), UserChange::Role(Role::Miner)).await.unwrap());
    assert!(!users.change_user(LATER, alice.clone(), UserChange::Disabled(true)).await.unwrap());
    assert!(users.change_user(LATER, bob.clone(), UserChange::Role(Role::Admin)).await.unwrap());
    assert!(users.change_user(LATER, alice.clone(), UserChange::Disabled(true)).await.unwrap());
    assert!(!users.change_user(LATER, bob.clone(), UserChange::Role(Role::Viewer)).await.unwrap());
    let found = users.user(alice.clone()).await.unwrap().unwrap();
    assert_eq!((found.disabled_at, found.updated_at), (Some(LATER), LATER));
    assert!(users.change_user(LATER, alice.clone(), UserChange::Disabled(false)).await.unwrap());
    assert!(users.change_user(LATER, bob.clone(), UserChange::Role(Role::Viewer)).await.unwrap());
    let hash = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$b3RoZXI".to_owned();
    assert!(users.change_user(LATER, bob.clone(), UserChange::Password(hash.clone())).await.unwrap());
    assert_eq!(users.user(bob).await.unwrap().unwrap().password_hash, hash);
    let nobody = "00000000-0000-4000-8000-0000000000ff".to_owned();
    assert!(!users.change_user(LATER, nobody, UserChange::Role(Role::Admin)).await.unwrap());
}

fn link(number: u8, user: &str, purpose: LinkPurpose, email: &str) -> MailLink {
    let (created_at, expires_at) = (NOW, TimeMs(NOW.0 + 10_000));
    MailLink { digest: [number; 32], user: user.into(), purpose, email: email.into(), created_at, expires_at }
}

pub(crate) async fn links_of_mails_are_taken_once(users: SharedUsers) {
    use LinkPurpose::{Confirm, Reset};
    let with = |number, name, mail: &str| NewUser {
        email: Some(mail.into()),
        ..somebody(number, name, Role::Miner)
    };
    let alice = add(&users, with(1, "alice", "a@b.org")).await;
    // Nobody has confirmed it: whoever types it may.
    let mole = add(&users, with(2, "mole", "A@B.ORG")).await;
    let of = async |mail: &str| {
        let found = users.users_with_email(mail.into(), 9).await.unwrap();
        found.into_iter().map(|user| (user.username, user.email_verified_at)).collect::<Vec<_>>()
    };
    assert_eq!(of("a@B.org").await.len(), 2);
    let good = async |number, purpose| users.mail_link_user(LATER, [number; 32], purpose).await.unwrap();

    for (number, user, purpose) in
        [(1, &alice, Confirm), (2, &alice, Reset), (3, &mole, Confirm), (4, &mole, Reset)]
    {
        users
            .add_mail_link(link(number, user, purpose, if number < 3 { "a@b.org" } else { "A@B.ORG" }))
            .await
            .unwrap();
    }
    users.add_mail_link(link(5, &alice, Confirm, "a@b.org")).await.unwrap();
    assert!(good(1, Confirm).await.is_none(), "a newer one is good in its place");
    assert_eq!(good(5, Confirm).await.unwrap().id, alice);
    assert!(good(5, Reset).await.is_none() && good(9, Confirm).await.is_none());
    let late = TimeMs(NOW.0 + 10_000);
    assert!(users.mail_link_user(late, [5; 32], Confirm).await.unwrap().is_none(), "it has ended");
    assert!(!users.confirm_email(late, [5; 32]).await.unwrap());
    // Of many at once one is first.
    let all = futures_util::future::join_all((0..8).map(|_| users.confirm_email(LATER, [5; 32]))).await;
    assert_eq!(all.into_iter().filter(|taken| *taken.as_ref().unwrap()).count(), 1);
    assert_eq!(of("a@b.org").await[0], ("alice".into(), Some(LATER)), "who has confirmed it comes first");
    assert!(!users.confirm_email(LATER, [3; 32]).await.unwrap(), "it is another user's now");
    assert!(users.user(mole.clone()).await.unwrap().unwrap().email_verified_at.is_none());

    // Another password: once, and every other link to one ends; a link that confirms is none that resets.
    users.add_mail_link(link(6, &alice, Reset, "a@b.org")).await.unwrap();
    let hash = |end: &str| format!("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ${end}");
    assert!(!users.reset_password(LATER, [3; 32], hash("bm8")).await.unwrap());
    let all = (0..8).map(|n| users.reset_password(LATER, [6; 32], hash(&format!("eWVz{n}"))));
    let all = futures_util::future::join_all(all).await;
    assert_eq!(all.into_iter().filter(|taken| *taken.as_ref().unwrap()).count(), 1);
    assert!(users.user(alice.clone()).await.unwrap().unwrap().password_hash.contains("eWVz"));
    assert!(good(2, Reset).await.is_none());
    assert!(good(4, Reset).await.is_some(), "another user's stays");
    // By the mole's link the mole gets the mole's account, and not the address.
    assert!(users.reset_password(LATER, [4; 32], hash("bW9sZQ")).await.unwrap());
    assert!(users.user(mole.clone()).await.unwrap().unwrap().email_verified_at.is_none());

    // A password that was changed, and an address that was given up, end links, whatever they are for.
    users.add_mail_link(link(7, &alice, Reset, "a@b.org")).await.unwrap();
    users.add_mail_link(link(11, &alice, Confirm, "thief@b.org")).await.unwrap();
    users.add_mail_link(link(12, &mole, Confirm, "mole@b.org")).await.unwrap();
    assert!(users.change_user(LATER, alice.clone(), UserChange::Password(hash("bmV3"))).await.unwrap());
    assert!(good(7, Reset).await.is_none() && good(11, Confirm).await.is_none());
    assert!(!users.confirm_email(LATER, [11; 32]).await.unwrap());
    users.add_mail_link(link(13, &alice, Confirm, "thief@b.org")).await.unwrap();
    users.add_mail_link(link(14, &alice, Reset, "a@b.org")).await.unwrap();
    assert!(users.reset_password(LATER, [14; 32], hash("cmVzZXQ")).await.unwrap());
    assert!(good(13, Confirm).await.is_none(), "a reset ends it, too");
    assert!(good(12, Confirm).await.is_some(), "another user's stays");
    users.add_mail_link(link(8, &alice, Reset, "a@b.org")).await.unwrap();
    assert!(
        users.change_user(LATER, alice.clone(), UserChange::Email(Some("new@b.org".into()))).await.unwrap()
    );
    assert!(good(8, Reset).await.is_none());
    assert_eq!(of("NEW@b.org").await, [("alice".into(), None)]);
    users.add_mail_link(link(10, &alice, Confirm, "new@b.org")).await.unwrap();
    assert!(users.change_user(LATER, alice.clone(), UserChange::Disabled(true)).await.unwrap());
    assert!(!users.confirm_email(LATER, [10; 32]).await.unwrap(), "who may not sign in confirms nothing");
    assert!(users.change_user(LATER, alice.clone(), UserChange::Email(None)).await.unwrap());
    assert!(of("new@b.org").await.is_empty());
}

pub(crate) async fn codes_are_taken_once(users: SharedUsers) {
    let id = add(&users, somebody(1, "alice", Role::Admin)).await;
    let sealed = vec![7; 60];
    assert!(!users.take_mfa_step(id.clone(), 5).await.unwrap(), "there is no second factor");
    assert!(!users.change_user(NOW, id.clone(), UserChange::MfaOn(vec![])).await.unwrap());
    assert!(users.change_user(NOW, id.clone(), UserChange::MfaPrepared(sealed.clone())).await.unwrap());
    let found = users.user(id.clone()).await.unwrap().unwrap();
    assert_eq!((found.mfa_enabled, found.mfa_sealed), (false, Some(sealed)));

    let codes: Vec<[u8; 32]> = (0..10).map(|n| [n; 32]).collect();
    assert!(users.change_user(NOW, id.clone(), UserChange::MfaOn(codes)).await.unwrap());
    assert!(users.user(id.clone()).await.unwrap().unwrap().mfa_enabled);
    assert!(
        !users.change_user(NOW, id.clone(), UserChange::MfaPrepared(vec![8; 60])).await.unwrap(),
        "one that is in force is not replaced"
    );
    // Many at once: one gets it.
    let took = |step: u64| users.take_mfa_step(id.clone(), step);
    let all = futures_util::future::join_all((0..8).map(|_| took(5))).await;
    assert_eq!(all.into_iter().filter(|took| *took.as_ref().unwrap()).count(), 1);
    assert!(!took(5).await.unwrap() && !took(4).await.unwrap() && took(6).await.unwrap());
    let code = |n: u8| users.take_backup_code(LATER, id.clone(), [n; 32]);
    let all = futures_util::future::join_all((0..8).map(|_| code(3))).await;
    assert_eq!(all.into_iter().filter(|took| *took.as_ref().unwrap()).count(), 1);
    assert!(!code(3).await.unwrap() && !code(11).await.unwrap() && code(4).await.unwrap());
    assert_eq!(users.backup_codes_left(id.clone()).await.unwrap(), 8);
    // New ones replace all others.
    assert!(users.change_user(NOW, id.clone(), UserChange::MfaOn(vec![[20; 32]])).await.unwrap());
    assert!(!code(5).await.unwrap() && code(20).await.unwrap());
    assert!(users.change_user(NOW, id.clone(), UserChange::MfaOff).await.unwrap());
    let found = users.user(id.clone()).await.unwrap().unwrap();
    assert_eq!((found.mfa_enabled, found.mfa_sealed), (false, None));
    assert!(!took(9).await.unwrap());
    assert_eq!(users.backup_codes_left(id).await.unwrap(), 0);
}

pub(crate) async fn tokens_are_kept_and_taken_back(users: SharedUsers) {
    let user = add(&users, somebody(1, "alice", Role::Operator)).await;
    let token = TokenRow {
        id: "0123456789abcdef".into(),
        user: user.clone(),
        name: "nightly".into(),
        digest: [9; 32],
        scopes: "read payouts".into(),
        created_at: NOW,
        expires_at: LATER,
        revoked_at: None,
    };
    users.add_token(token.clone()).await.unwrap();
    assert!(users.token(token.id.clone()).await.unwrap().unwrap() == token);
    assert!(users.tokens_of(user).await.unwrap() == [token.clone()]);
    assert!(users.token("fedcba9876543210".into()).await.unwrap().is_none());
    assert!(users.revoke_token(LATER, token.id.clone()).await.unwrap());
    assert!(!users.revoke_token(LATER, token.id.clone()).await.unwrap());
    assert_eq!(users.token(token.id).await.unwrap().unwrap().revoked_at, Some(LATER));
}

pub(crate) async fn the_trail_is_paged_from_its_end(users: SharedUsers) {
    let line = |number: u64| AuditLine {
        at: TimeMs(NOW.0 + number),
        node: "n1".into(),
        actor: if number.is_multiple_of(2) { "alice" } else { "bob\u{0}\"<b>" }.into(),
        address: Some("192.0.2.1".into()),
        action: if number < 3 { "auth.login" } else { "POST /api/admin/payouts/hold" }.into(),
        subject: format!("payout:{number}"),
        outcome: if number == 1 { Outcome::Refused } else { Outcome::Done },
        before: (number > 2).then(|| json!({ "held": null })),
        after: Some(json!({ "held": "a \u{e4} reason" })),
    };
    for number in 1..=5 {
        users.add_audit(line(number)).await.unwrap();
    }
    let page = |query: AuditQuery| {
        let users = Arc::clone(&users);
        async move { users.audit(query).await.unwrap() }
    };
    let found = page(AuditQuery { limit: 2, ..AuditQuery::default() }).await;
    assert_eq!(
        found.iter().map(|(_, line)| line.subject.as_str()).collect::<Vec<_>>(),
        ["payout:5", "payout:4"]
    );
    assert_eq!(found[1].1, line(4));
    let before = Some(found[1].0);
    let found = page(AuditQuery { before, limit: 9, ..AuditQuery::default() }).await;
    assert_eq!(found.len(), 3);
    assert_eq!(found[2].1.outcome, Outcome::Refused);
    let of = AuditQuery { actor: Some("alice".into()), limit: 9, ..AuditQuery::default() };
    assert_eq!(page(of).await.len(), 2);
    let of = AuditQuery { action: Some("auth.".into()), limit: 9, ..AuditQuery::default() };
    assert_eq!(page(of).await.len(), 2);
    let of = AuditQuery { action: Some("%".into()), limit: 9, ..AuditQuery::default() };
    assert_eq!(page(of).await, vec![]);
}
