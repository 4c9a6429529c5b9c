//! Links in mails: whoever follows one shows that they read the mail of that address.
//!
//! A link holds 256 random bits, of which the database has the SHA-256. It begins with a configured address, never with what a
//! request says of its host. Whoever asks for one gets the same answer after the same work whether anybody has that address or
//! not: everything that depends on it happens after the answer. Letters are few: three an hour to an address, five for a user,
//! ten asked for from one place, a thousand in all.

use std::{sync::Arc, time::Duration};

use pool_domain::units::TimeMs;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use super::{Auth, Origin, Principal, Refused, people::email, sign_in::failed};
use crate::{
    metrics::NOTIFICATIONS_TOTAL,
    ports::{
        mailer::{Letter, SharedMailer},
        notifier::NotifyError,
        users::{LinkPurpose, MailLink, Outcome, Role, UserChange, UserRow},
    },
};

/// A link to confirm an address is good for so long, hours.
const CONFIRM_HOURS: u64 = 48;
/// A link to reset a password is good for so long, minutes.
const RESET_MINUTES: u64 = 60;
/// What is counted is counted by the hour.
const HOUR: Duration = Duration::from_secs(3_600);
/// Letters to an address.
const TO_ADDRESS_MAX: u64 = 3;
/// Letters for a user.
const FOR_USER_MAX: u64 = 5;
/// Letters asked for from one place.
const ASKED_MAX: u64 = 10;
/// Letters of all pools that share the cache.
const ALL_MAX: u64 = 1_000;
/// Users of one address that are thought of.
const NAMESAKES_MAX: usize = 5;
/// Letters under way or waiting for another try.
const WAITING_MAX: usize = 100;
/// Pauses before another try.
const PAUSES: [Duration; 3] = [Duration::from_secs(5), Duration::from_secs(30), Duration::from_secs(120)];

/// Writes letters and sends them, after whoever asked has their answer.
#[derive(Clone)]
pub(super) struct Post {
    mailer: SharedMailer,
    base: Arc<str>,
    pool: Arc<str>,
    places: Arc<Semaphore>,
}

impl Post {
    pub(super) fn new(mailer: SharedMailer, base: &str, pool: &str) -> Self {
        let (base, pool) = (base.trim_end_matches('/').into(), pool.into());
        Self { mailer, base, pool, places: Arc::new(Semaphore::new(WAITING_MAX)) }
    }

    /// Does something after the answer.
    fn later(&self, work: impl Future<Output = ()> + 'static) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            tracing::warn!("too many letters wait for the mail server: one is not sent");
            return;
        };
        actix_rt::spawn(async move {
            let _place = place;
            work.await;
        });
    }

    async fn send(&self, to: &str, subject: &str, text: &str) {
        let letter = Letter {
            to: to.to_owned(),
            subject: format!("[{}] {subject}", self.pool),
            text: format!("{text}\n\n--\n{}, {}\n", self.pool, self.base),
        };
        let count = |outcome: &'static str| {
            metrics::counter!(NOTIFICATIONS_TOTAL, "kind" => "letter", "outcome" => outcome).increment(1);
        };
        let mut pauses = PAUSES.into_iter();
        loop {
            let Err(error) = self.mailer.send(&letter).await else { return count("delivered") };
            // What the server said may name the address, but never the link.
            tracing::warn!(%error, subject, "a letter was not taken");
            let (NotifyError::Later { .. }, Some(pause)) = (error, pauses.next()) else {
                return count("given_up");
            };
            count("retried");
            tokio::time::sleep(pause).await;
        }
    }

    /// Waits until no letter is under way any more.
    #[cfg(test)]
    pub(super) async fn idle(&self) {
        let all = u32::try_from(WAITING_MAX).expect("few");
        drop(self.places.acquire_many(all).await);
    }
}

fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

impl Auth {
    /// Whether somebody who got the password right must confirm an address first.
    pub(super) fn needs_email(&self, user: &UserRow) -> bool {
        self.settings.verify_email
            && user.role != Role::Admin
            && user.email.is_some()
            && user.email_verified_at.is_none()
    }

    /// Somebody asks for a letter: how often they may does not depend on what they ask for.
    async fn may_ask(&self, from: &Origin) -> Result<(), Refused> {
        let Some(address) = from.address else { return Ok(()) };
        let counted = self.cache.count(&format!("letters-asked:{address}"), HOUR).await?;
        if counted.count <= ASKED_MAX {
            return Ok(());
        }
        failed("locked");
        Err(Refused::Locked { wait_s: counted.ends_in.as_secs().max(1) })
    }

    /// Whether one more letter may be sent.
    async fn may_write(&self, user: &UserRow, to: &str) -> Result<bool, Refused> {
        let to = hex::encode(&digest(&to.to_lowercase())[..12]);
        let counts = [
            (format!("letters-to:{to}"), TO_ADDRESS_MAX),
            (format!("letters-for:{}", user.id), FOR_USER_MAX),
        ];
        for (what, most) in counts {
            if self.cache.count(&what, HOUR).await?.count > most {
                tracing::info!(user = user.username, "a letter is not sent: there were enough in this hour");
                return Ok(false);
            }
        }
        let all = self.cache.count("letters", HOUR).await?.count;
        if all == ALL_MAX + 1 {
            (self.alarm)("LETTERS_LIMITED", format!("{ALL_MAX} letters were sent in an hour: no more are"));
        }
        Ok(all <= ALL_MAX)
    }

    /// A new link, in letters that end with a line of their own.
    async fn link(&self, user: &UserRow, to: &str, purpose: LinkPurpose) -> Result<String, Refused> {
        let secret = hex::encode(rand::random::<[u8; 32]>());
        let now = self.clock.now();
        let (page, lives_s) = match purpose {
            LinkPurpose::Confirm => ("verify", CONFIRM_HOURS * 3_600),
            LinkPurpose::Reset => ("reset", RESET_MINUTES * 60),
        };
        let link = MailLink {
            digest: digest(&secret),
            user: user.id.clone(),
            purpose,
            email: to.to_owned(),
            created_at: now,
            expires_at: TimeMs(now.0 + lives_s * 1_000),
        };
        self.users.add_mail_link(link).await?;
        // Behind '#' it is in no server's log, and in no header that a page sends on.
        Ok(format!("{}/{page}#{secret}", self.post.base))
    }

    fn after(&self, what: &'static str, work: impl Future<Output = Result<(), Refused>> + 'static) {
        self.post.later(async move {
            if let Err(error) = work.await {
                tracing::warn!(%error, "{what}");
            }
        });
    }

    /// Sends a link to confirm an address, after the answer.
    pub(super) fn send_confirmation(&self, user: &UserRow, to: String) {
        let (auth, user) = (self.clone(), user.clone());
        self.after("a link to confirm an address was not sent", async move {
            auth.confirmation(&user, &to).await
        });
    }

    async fn confirmation(&self, user: &UserRow, to: &str) -> Result<(), Refused> {
        if !self.may_write(user, to).await? {
            return Ok(());
        }
        let known = self.users.users_with_email(to.to_owned(), 1).await?;
        let owner = known.iter().find(|other| other.email_verified_at.is_some() && other.id != user.id);
        let (name, base) = (&user.username, &self.post.base);
        if let Some(owner) = owner {
            let owner = &owner.username;
            let text = format!(
                "Somebody, maybe you, wants to use this address for the account {name}. It is that of your account {owner}, so \
                 nothing was done.\n\nIf you have forgotten your password: {base}/forgot"
            );
            self.post.send(to, "you have an account", &text).await;
            return Ok(());
        }
        let link = self.link(user, to, LinkPurpose::Confirm).await?;
        let text = format!(
            "Somebody, hopefully you, wants to use this address for the account {name}. To confirm that it is yours, \
             follow this link within {CONFIRM_HOURS} hours:\n\n{link}\n\nIf it was not you, do nothing: without the link the \
             address is used for nothing."
        );
        self.post.send(to, "confirm your address", &text).await;
        Ok(())
    }

    /// Sends the link to confirm an address once more. The answer does not tell whether anybody has it.
    ///
    /// # Errors
    /// [`Refused::Unfit`], [`Refused::Locked`].
    pub async fn resend(&self, from: &Origin, to: &str) -> Result<(), Refused> {
        let to = email(Some(to))?.ok_or_else(|| Refused::Unfit("email", "not an address".into()))?;
        self.may_ask(from).await?;
        let auth = self.clone();
        self.after("a link to confirm an address was not sent", async move {
            let known = auth.users.users_with_email(to, NAMESAKES_MAX).await?;
            let open =
                known.iter().filter(|user| user.email_verified_at.is_none() && user.disabled_at.is_none());
            for user in open {
                let to = user.email.clone().unwrap_or_default();
                auth.confirmation(user, &to).await?;
            }
            Ok(())
        });
        Ok(())
    }

    /// Sends links to set another password to whoever has this address. The answer does not tell whether anybody has.
    ///
    /// # Errors
    /// [`Refused::Unfit`], [`Refused::Locked`].
    pub async fn forgot(&self, from: &Origin, to: &str) -> Result<(), Refused> {
        let to = email(Some(to))?.ok_or_else(|| Refused::Unfit("email", "not an address".into()))?;
        self.may_ask(from).await?;
        let (auth, from) = (self.clone(), from.clone());
        self.after(
            "a link to reset a password was not sent",
            async move { auth.reset_links(&from, to).await },
        );
        Ok(())
    }

    async fn reset_links(&self, from: &Origin, to: String) -> Result<(), Refused> {
        let known = self.users.users_with_email(to, NAMESAKES_MAX).await?;
        // Who has confirmed it is who has it; as long as nobody has, all who say so.
        let has_owner = known.iter().any(|user| user.email_verified_at.is_some());
        let known = known.into_iter().filter(|user| user.email_verified_at.is_some() || !has_owner);
        let mut links = String::new();
        let mut reads: Option<UserRow> = None;
        for user in known.filter(|user| user.disabled_at.is_none()) {
            // As it is written there: what differs in case may be another mailbox.
            let to = user.email.clone().unwrap_or_default();
            if reads.is_none() && !self.may_write(&user, &to).await? {
                return Ok(());
            }
            let link = self.link(&user, &to, LinkPurpose::Reset).await?;
            links = format!("{links}{}: {link}\n", user.username);
            let name = &user.username;
            let outcome = Outcome::Done;
            self.trail.note(name, from.address, "auth.password.forgot", name, outcome, None, None).await;
            reads.get_or_insert(user);
        }
        let Some(to) = reads.and_then(|user| user.email) else { return Ok(()) };
        let text = format!(
            "Somebody, hopefully you, has forgotten the password. To set another one, follow the link behind the name of the \
             account within {RESET_MINUTES} minutes:\n\n{links}\nEach is good once. A second factor, if there is one, is \
             asked for as before. If it was not you, do nothing."
        );
        self.post.send(&to, "another password", &text).await;
        Ok(())
    }

    /// Takes a link that confirms an address.
    ///
    /// # Errors
    /// [`Refused::Link`].
    pub async fn confirm_email(&self, from: &Origin, secret: &str) -> Result<UserRow, Refused> {
        let (now, digest) = (self.clock.now(), digest(secret));
        let found = self.users.mail_link_user(now, digest, LinkPurpose::Confirm).await?;
        let Some(before) = found else {
            failed("link");
            return Err(Refused::Link);
        };
        if !self.users.confirm_email(now, digest).await? {
            failed("link");
            return Err(Refused::Link);
        }
        let after = self.users.user(before.id.clone()).await?.ok_or(Refused::NoSuch("user"))?;
        let (was, is) = (json!({ "email": before.email }), json!({ "email": after.email }));
        let name = &after.username;
        self.trail
            .note(name, from.address, "auth.email.verify", name, Outcome::Done, Some(was), Some(is))
            .await;
        if before.email_verified_at.is_some() && before.email != after.email {
            self.tell(
                &before,
                "your address was changed",
                "Mail about your account goes to another address from now on: somebody who knew your password asked for it, \
                 and followed the link that was sent there. If it was not you, tell the pool's operators.",
            );
        }
        Ok(after)
    }

    /// Takes a link that sets another password. All sessions end, and nobody is signed in by it: a second factor stays what it
    /// is.
    ///
    /// # Errors
    /// [`Refused::Link`], [`Refused::Unfit`] for a password that is not taken; then the link is still good.
    pub async fn reset_password(&self, from: &Origin, secret: &str, new: String) -> Result<(), Refused> {
        let digest = digest(secret);
        let found = self.users.mail_link_user(self.clock.now(), digest, LinkPurpose::Reset).await?;
        let Some(user) = found else {
            failed("link");
            return Err(Refused::Link);
        };
        self.strong(&new, &user.username)?;
        let hash = self.hasher.hash(new).await?;
        // First, so that a cache that is away leaves everything as it was.
        self.sessions.end_all(&user.id, None).await?;
        if !self.users.reset_password(self.clock.now(), digest, hash).await? {
            failed("link");
            return Err(Refused::Link);
        }
        // Once more: what began meanwhile began with the old password.
        self.sessions.end_all(&user.id, None).await?;
        let name = &user.username;
        self.trail.note(name, from.address, "auth.password.reset", name, Outcome::Done, None, None).await;
        self.tell(
            &user,
            "your password was changed",
            "The password was changed by a link in a mail, and everybody who was signed in was signed out. Tokens for scripts go on: \
             look at them on the page ACCOUNT. If it was not you, tell the pool's operators.",
        );
        Ok(())
    }

    /// Another address, or none. One that is confirmed stays until the new one is.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn change_email(
        &self,
        from: &Origin,
        who: &Principal,
        password: String,
        new: Option<&str>,
    ) -> Result<UserRow, Refused> {
        let new = email(new)?;
        let user = self.of(who).await?;
        self.again(from, &user, password).await?;
        if new.is_none() && self.settings.verify_email && user.role != Role::Admin {
            return Err(Refused::Conflict("this pool asks for an address".into()));
        }
        let is_theirs = user.email_verified_at.is_some() && user.email == new;
        if is_theirs {
            return Err(Refused::Conflict("the address is yours already".into()));
        }
        if new.is_none() || user.email_verified_at.is_none() {
            self.change(&user.id, UserChange::Email(new.clone())).await?;
        }
        let name = &user.username;
        let (was, is) = (json!({ "email": user.email }), json!({ "email": new }));
        self.trail.note(name, from.address, "auth.email", name, Outcome::Done, Some(was), Some(is)).await;
        if user.email_verified_at.is_some() {
            self.tell(
                &user,
                "your address is being changed",
                "Somebody who knows your password wants mail about your account to go elsewhere. If it was not you, change the \
                 password now.",
            );
        }
        if let Some(new) = new {
            self.send_confirmation(&user, new);
        }
        self.users.user(user.id).await?.ok_or(Refused::NoSuch("user"))
    }

    /// Tells somebody what was done with their account, after the answer.
    fn tell(&self, user: &UserRow, subject: &'static str, text: &'static str) {
        let Some(to) = user.email.clone() else { return };
        let (auth, name) = (self.clone(), user.username.clone());
        self.post.later(async move {
            let text = format!("About the account {name} at {}:\n\n{text}", auth.post.base);
            auth.post.send(&to, subject, &text).await;
        });
    }

    /// Waits until no letter is under way any more.
    #[cfg(test)]
    pub(crate) async fn letters_sent(&self) {
        self.post.idle().await;
    }
}
