//! Links in mails, which arrive in a folder as files.

use super::*;

/// A mail as it arrived.
struct Arrived {
    to: String,
    subject: String,
    text: String,
}

impl Arrived {
    /// What follows a link's '#'.
    fn secret(&self, page: &str) -> Option<String> {
        let link = format!("https://pool.example.org/{page}#");
        let (_, rest) = self.text.split_once(&link)?;
        Some(rest.chars().take_while(char::is_ascii_hexdigit).collect())
    }
}

fn read(text: &str) -> Arrived {
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let header = |name: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_default().to_owned()
    };
    // Quoted-printable (RFC 2045), if it is.
    let text = body.replace("=\r\n", "").replace("=3D", "=").replace("\r\n", "\n");
    Arrived { to: header("To"), subject: header("Subject"), text }
}

impl Rig {
    /// What has arrived since the last call.
    async fn mail(&self) -> Vec<Arrived> {
        self.auth.letters_sent().await;
        let Ok(folder) = std::fs::read_dir(self.folder.path().join("outbox")) else { return Vec::new() };
        let mut arrived: Vec<_> = folder.map(|file| file.unwrap().path()).collect();
        arrived.sort_by_key(|path| std::fs::metadata(path).unwrap().modified().unwrap());
        let read = |path: std::path::PathBuf| {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            let text = std::fs::read_to_string(&path).unwrap();
            std::fs::remove_file(path).unwrap();
            read(&text)
        };
        arrived.into_iter().map(read).collect()
    }

    async fn register(&self, name: &str, mail: &str) {
        self.auth.register(&from(1), name, Some(mail), PASSWORD.into()).await.unwrap();
    }

    async fn told(&self, name: &str, password: &str) -> String {
        match self.auth.log_in(&from(1), name, password.into()).await {
            Ok(LoggedIn::In(_)) => "in".to_owned(),
            Ok(LoggedIn::MfaNeeded(_)) => "second factor".to_owned(),
            Err(refused) => refused.to_string(),
        }
    }
}

fn strict() -> config::Auth {
    config::Auth { verify_email: true, ..config::Auth::default() }
}

const OTHER: &str = "seven green doors";

#[actix_rt::test]
async fn who_registers_confirms_an_address_before_signing_in() {
    let rig = rig(strict());
    let none = rig.auth.register(&from(1), "alice", None, PASSWORD.into()).await;
    assert!(matches!(none, Err(Refused::Unfit("email", _))));
    rig.register("alice", "a@b.org").await;
    let mail = rig.mail().await;
    assert_eq!((&*mail[0].to, &*mail[0].subject), ("a@b.org", "[Pool] confirm your address"));
    let secret = mail[0].secret("verify").unwrap();
    assert_eq!(secret.len(), 64);
    assert_eq!(
        rig.told("alice", "wrong").await,
        "name or password is wrong",
        "who guesses is told nothing more"
    );
    let unconfirmed = Refused::Unconfirmed.to_string();
    assert_eq!(rig.told("alice", PASSWORD).await, unconfirmed);
    // A newer mail is good in place of the older one.
    rig.auth.resend(&from(1), "A@b.org").await.unwrap();
    let newer = rig.mail().await.remove(0).secret("verify").unwrap();
    for bad in [&*secret, "", "x", &newer.to_uppercase(), &newer[..63]] {
        assert!(matches!(rig.auth.confirm_email(&from(1), bad).await, Err(Refused::Link)), "{bad}");
    }
    rig.later(48 * 3_600_000);
    assert!(matches!(rig.auth.confirm_email(&from(1), &newer).await, Err(Refused::Link)), "too late");
    rig.auth.resend(&from(1), "a@b.org").await.unwrap();
    let newest = rig.mail().await.remove(0).secret("verify").unwrap();
    assert_eq!(rig.auth.confirm_email(&from(1), &newest).await.unwrap().username, "alice");
    assert!(matches!(rig.auth.confirm_email(&from(1), &newest).await, Err(Refused::Link)), "once");
    assert_eq!(rig.told("alice", PASSWORD).await, "in");
    assert!(rig.trail().await.contains(&"alice auth.email.verify done".to_owned()));
    // Admins need none: the first one is made where there is no mail.
    rig.add("root", Role::Admin).await;
    assert_eq!(rig.told("root", PASSWORD).await, "in");
}

#[actix_rt::test]
async fn nobody_learns_who_has_an_address_or_keeps_its_owner_out() {
    let rig = rig(strict());
    // Somebody else was first to type it.
    rig.register("mole", "alice@b.org").await;
    rig.register("alice", "alice@b.org").await;
    let mail = rig.mail().await;
    let of_alice = mail.iter().find(|mail| mail.text.contains("account alice.")).unwrap();
    rig.auth.confirm_email(&from(1), &of_alice.secret("verify").unwrap()).await.unwrap();
    let of_mole = mail.iter().find(|mail| mail.text.contains("account mole.")).unwrap();
    let late = rig.auth.confirm_email(&from(1), &of_mole.secret("verify").unwrap()).await;
    assert!(matches!(late, Err(Refused::Link)), "it is hers");
    // Registering with it again looks the same to the stranger; its owner is told, and there is no link to follow.
    rig.register("mole2", "ALICE@b.org").await;
    let mail = rig.mail().await;
    assert_eq!(mail[0].subject, "[Pool] you have an account");
    assert!(mail[0].secret("verify").is_none() && mail[0].text.contains("your account alice"));
    // A password is reset for her alone.
    rig.auth.forgot(&from(2), "alice@b.org").await.unwrap();
    assert!(rig.mail().await.is_empty(), "three letters an hour to an address are enough");
    rig.auth.forgot(&from(2), "nobody@b.org").await.unwrap();
    assert!(rig.mail().await.is_empty());
    for rubbish in ["", "alice", "a b@c.org", "a@b@c", "a@b.org\r\nBcc: x@y.org"] {
        assert!(
            matches!(rig.auth.forgot(&from(2), rubbish).await, Err(Refused::Unfit("email", _))),
            "{rubbish}"
        );
    }
}

#[actix_rt::test]
async fn a_password_is_reset_once_and_everybody_is_out() {
    let rig = rig(config::Auth::default());
    rig.register("alice", "a@b.org").await;
    rig.mail().await;
    let (one, two) = (rig.pair("alice").await, rig.pair("alice").await);
    rig.auth.forgot(&from(1), "a@b.org").await.unwrap();
    rig.auth.forgot(&from(1), "A@B.org").await.unwrap();
    let mail = rig.mail().await;
    assert_eq!((mail.len(), &*mail[0].to), (2, "a@b.org"));
    assert!(mail[0].text.contains("alice: https://pool.example.org/reset#"));
    let secrets: Vec<String> = mail.iter().map(|mail| mail.secret("reset").unwrap()).collect();
    let reset = |secret: &str, password: &str| {
        let (auth, secret, password) = (rig.auth.clone(), secret.to_owned(), password.to_owned());
        async move { auth.reset_password(&from(9), &secret, password).await }
    };
    // One that is too weak leaves the link good, and one to confirm an address is no link for this.
    assert!(matches!(reset(&secrets[0], "password123").await, Err(Refused::Unfit("password", _))));
    assert!(matches!(rig.auth.confirm_email(&from(9), &secrets[0]).await, Err(Refused::Link)));
    assert!(rig.who(&one.access).await.is_some());
    reset(&secrets[0], OTHER).await.unwrap();
    for pair in [one, two] {
        assert!(rig.who(&pair.access).await.is_none(), "everybody is out");
        assert!(rig.auth.refresh(&from(1), &pair.refresh).await.is_err());
    }
    for secret in &secrets {
        assert!(
            matches!(reset(secret, "another fine day out").await, Err(Refused::Link)),
            "once, all of them"
        );
    }
    assert_eq!(rig.told("alice", PASSWORD).await, "name or password is wrong");
    assert_eq!(rig.told("alice", OTHER).await, "in");
    let told = rig.mail().await;
    assert_eq!((told.len(), &*told[0].subject), (1, "[Pool] your password was changed"));
    // Whoever read the mail has confirmed the address.
    assert!(rig.auth.users().user_named("alice".into()).await.unwrap().unwrap().email_verified_at.is_some());
    let trail = rig.trail().await;
    assert!(trail.contains(&"alice auth.password.forgot done".to_owned()));
    assert!(trail.contains(&"alice auth.password.reset done".to_owned()));
    // An hour later a link is too old.
    rig.auth.forgot(&from(1), "a@b.org").await.unwrap();
    assert!(rig.mail().await.is_empty(), "three in this hour");
    rig.later(3_600_000);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(3_601)).await;
    tokio::time::resume();
    rig.auth.forgot(&from(1), "a@b.org").await.unwrap();
    let late = rig.mail().await.remove(0).secret("reset").unwrap();
    rig.later(3_600_000);
    assert!(matches!(reset(&late, "another fine day out").await, Err(Refused::Link)));
    // Who was disabled meanwhile gets none.
    rig.auth.decide("alice", Decision::Disabled(true)).await.unwrap();
    rig.auth.forgot(&from(1), "a@b.org").await.unwrap();
    assert!(rig.mail().await.is_empty());
}

#[actix_rt::test]
async fn a_reset_leaves_the_second_factor_and_ends_half_a_log_in() {
    let rig = rig(config::Auth::default());
    let (secret, _, _) = rig.with_mfa("alice", Role::Operator).await;
    let who = rig.auth.users().user_named("alice".into()).await.unwrap().unwrap();
    let mail = Some("a@b.org".to_owned());
    rig.auth
        .users()
        .change_user(rig.clock.now(), who.id, crate::ports::users::UserChange::Email(mail))
        .await
        .unwrap();
    rig.later(60_000);
    let half = rig.mfa_token("alice").await;
    rig.auth.forgot(&from(1), "a@b.org").await.unwrap();
    let link = rig.mail().await.remove(0).secret("reset").unwrap();
    rig.auth.reset_password(&from(1), &link, OTHER.into()).await.unwrap();
    assert_eq!(rig.told("alice", OTHER).await, "second factor");
    let code = secret.code_at(rig.clock.now());
    let went_on = rig.auth.second_factor(&from(1), &half, Factor::Code(code)).await;
    assert!(matches!(went_on, Err(Refused::Ended)), "it began with the old password");
}

#[actix_rt::test]
async fn an_address_is_changed_by_who_knows_the_password() {
    let rig = rig(config::Auth::default());
    rig.register("alice", "a@b.org").await;
    let first = rig.mail().await.remove(0).secret("verify").unwrap();
    rig.auth.confirm_email(&from(1), &first).await.unwrap();
    let who = rig.who(&rig.pair("alice").await.access).await.unwrap();
    let change = |password: &'static str, mail: Option<&'static str>| {
        let (auth, who) = (rig.auth.clone(), who.clone());
        async move { auth.change_email(&from(1), &who, password.into(), mail).await }
    };
    assert!(matches!(change("wrong", Some("x@y.org")).await, Err(Refused::Wrong)));
    assert!(matches!(change(PASSWORD, Some("a@b.org")).await, Err(Refused::Conflict(_))));
    // The old one stays until the new one is confirmed, and is told.
    assert_eq!(change(PASSWORD, Some("new@b.org")).await.unwrap().email.as_deref(), Some("a@b.org"));
    let mail = rig.mail().await;
    let to: Vec<&str> = mail.iter().map(|mail| &*mail.to).collect();
    assert!(to.contains(&"a@b.org") && to.contains(&"new@b.org"), "{to:?}");
    let link = mail.iter().find_map(|mail| mail.secret("verify")).unwrap();
    let after = rig.auth.confirm_email(&from(1), &link).await.unwrap();
    assert_eq!(after.email.as_deref(), Some("new@b.org"));
    let told = rig.mail().await.remove(0);
    assert_eq!((&*told.to, &*told.subject), ("a@b.org", "[Pool] your address was changed"));
    rig.auth.forgot(&from(1), "a@b.org").await.unwrap();
    assert!(rig.mail().await.is_empty(), "the old address opens nothing");
    assert_eq!(change(PASSWORD, None).await.unwrap().email, None);
    assert!(rig.trail().await.contains(&"alice auth.email done".to_owned()));
}

/// Somebody who knew the password asks for another address, and waits with the link until its owner has changed the password.
#[actix_rt::test]
async fn another_password_ends_a_link_to_another_address() {
    for by in ["a change", "a reset", "an admin"] {
        let rig = rig(config::Auth::default());
        rig.register("alice", "a@b.org").await;
        let first = rig.mail().await.remove(0).secret("verify").unwrap();
        rig.auth.confirm_email(&from(1), &first).await.unwrap();
        let thief = rig.who(&rig.pair("alice").await.access).await.unwrap();
        rig.auth.change_email(&from(66), &thief, PASSWORD.into(), Some("thief@b.org")).await.unwrap();
        let link = rig.mail().await.iter().find_map(|mail| mail.secret("verify")).unwrap();
        match by {
            "a change" => {
                let owner = rig.who(&rig.pair("alice").await.access).await.unwrap();
                rig.auth.change_password(&from(1), &owner, PASSWORD.into(), OTHER.into()).await.unwrap();
            }
            "a reset" => {
                rig.auth.forgot(&from(1), "a@b.org").await.unwrap();
                let reset = rig.mail().await.remove(0).secret("reset").unwrap();
                rig.auth.reset_password(&from(1), &reset, OTHER.into()).await.unwrap();
            }
            _ => {
                rig.auth.decide("alice", Decision::Password(OTHER.into())).await.unwrap();
            }
        }
        let late = rig.auth.confirm_email(&from(66), &link).await;
        assert!(matches!(late, Err(Refused::Link)), "after {by}");
        let alice = rig.auth.users().user_named("alice".into()).await.unwrap().unwrap();
        assert_eq!(alice.email.as_deref(), Some("a@b.org"), "after {by}");
    }
}

#[actix_rt::test]
async fn nobody_is_flooded_with_letters() {
    let rig = rig(config::Auth::default());
    for n in 0..20 {
        rig.register(&format!("bomber{n}"), "victim@b.org").await;
    }
    assert_eq!(rig.mail().await.len(), 3, "to an address in an hour, whoever asks");
    for n in 0..20_u8 {
        rig.auth.resend(&from(n), "victim@b.org").await.unwrap();
    }
    assert!(rig.mail().await.is_empty());
    for n in 0..10 {
        rig.auth.forgot(&from(77), &format!("nobody{n}@b.org")).await.unwrap();
    }
    let Err(Refused::Locked { wait_s }) = rig.auth.forgot(&from(77), "nobody@b.org").await else {
        panic!("asked enough")
    };
    assert!((1..=3_600).contains(&wait_s));
}
