//! What users want to hear of addresses that they have claimed, and where.
//!
//! A place counts once its owner has shown that he reads there, by a code that was sent to it: whoever sets somebody else's
//! chat or webhook makes the pool send one code there, and no more.

use std::{collections::BTreeMap, time::Duration};

use pool_domain::{ids::Account, units::TimeMs};
use serde_json::{Value, json};

use super::{Auth, Origin, Principal, Refused, same};
use crate::ports::{
    personal::{Offer, PersonalRow, PersonalSettings, Place, PlaceKind, Target, Wishes, digest},
    users::Outcome,
};

/// What a password begins with that lets a machine change what is told.
pub const ALERTS_PREFIX: &str = "alerts-";
/// A code is good for so long.
const CODE_LIVES_MS: u64 = 24 * 3_600_000;
/// Codes and tests that a user may have sent in an hour; and that may be sent to one place, whoever asks for them.
const SENT_MAX: u64 = 12;
const SENT_TO_MAX: u64 = 6;
/// Codes that a user may try in an hour.
const TRIES_MAX: u64 = 10;
const HOUR: Duration = Duration::from_secs(3_600);

/// What a user changes: all wishes, and the places that are named.
#[derive(Debug, Default)]
pub struct PersonalChange {
    /// What to hear of.
    pub wishes: Wishes,
    /// By mail.
    pub email: bool,
    /// Where else; nowhere, if it is empty. Places that are not named stay as they are.
    pub places: BTreeMap<PlaceKind, String>,
}

/// A code on its way to a place. Not printed.
pub struct Code {
    /// Where to.
    pub target: Target,
    /// What to say there.
    pub text: String,
}

/// For the audit trail: no addresses.
fn trace(settings: &PersonalSettings) -> Value {
    let places = settings.places.iter();
    let places: Value =
        places.map(|(kind, place)| (kind.as_str().to_owned(), json!(place.masked(*kind)))).collect();
    json!({ "wishes": settings.wishes, "email": settings.email, "places": places, "key": settings.key.is_some() })
}

impl Auth {
    /// What a user wants to hear of an account of theirs.
    ///
    /// # Errors
    /// [`Refused::NoSuch`] when it is not theirs.
    pub async fn personal(&self, who: &Principal, account: &Account) -> Result<PersonalRow, Refused> {
        let user = self.of(who).await?;
        let found = self.users.personal_of(account.to_string(), user.id).await?;
        found.ok_or(Refused::NoSuch("address of yours"))
    }

    /// Sets it. Answers with what is to be sent to places that were not known before.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn set_personal(
        &self,
        from: &Origin,
        who: &Principal,
        account: &Account,
        change: PersonalChange,
        offer: &Offer,
    ) -> Result<Vec<Code>, Refused> {
        let row = self.personal(who, account).await?;
        let before = trace(&row.settings);
        let mut settings = row.settings.clone();
        change.wishes.check().map_err(|(field, why)| Refused::Unfit(field, why.to_owned()))?;
        settings.wishes = change.wishes;
        if change.email && row.email.is_none() {
            return Err(Refused::Unfit("email", "your account has no confirmed e-mail address".into()));
        }
        settings.email = change.email;
        let mut codes = Vec::new();
        for (kind, to) in change.places {
            let to = to.trim();
            if to.is_empty() {
                settings.places.remove(&kind);
                continue;
            }
            offer.check(kind, to).map_err(|why| Refused::Unfit(kind.as_str(), why.to_owned()))?;
            if settings.places.get(&kind).is_some_and(|known| known.to == to && known.confirmed_at.is_some())
            {
                continue;
            }
            codes.push(self.code(&row.user, kind, to, &mut settings).await?);
        }
        self.keep(from, &row, settings, ("auth.account.alerts", before)).await?;
        Ok(codes)
    }

    /// Puts a place in that is to be confirmed.
    async fn code(
        &self,
        user: &str,
        kind: PlaceKind,
        to: &str,
        settings: &mut PersonalSettings,
    ) -> Result<Code, Refused> {
        let target = Target::Place(kind, to.to_owned());
        self.may_send(user, &target).await?;
        let code = format!("{:08}", rand::random::<u64>() % 100_000_000);
        let code_until = TimeMs(self.clock.now().0 + CODE_LIVES_MS);
        let place = Place { to: to.to_owned(), confirmed_at: None, code: Some(digest(&code)), code_until };
        settings.places.insert(kind, place);
        let text = format!(
            "the code {code} shows that you read here: enter it on the page ACCOUNT. Who did not ask for it need do nothing: \
             nothing else is sent here without it."
        );
        Ok(Code { target, text })
    }

    /// Counts what is sent because a user asked for it.
    async fn may_send(&self, user: &str, target: &Target) -> Result<(), Refused> {
        let of_user = self.cache.count(&format!("alerts-sent:{user}"), HOUR).await?;
        if of_user.count > SENT_MAX {
            return Err(Refused::TooMuch { wait_s: of_user.ends_in.as_secs().max(1) });
        }
        let to = match target {
            Target::Email(to) | Target::Place(_, to) => digest(to),
        };
        let to_place = self.cache.count(&format!("alerts-sent-to:{to}"), HOUR).await?;
        if to_place.count > SENT_TO_MAX {
            return Err(Refused::TooMuch { wait_s: to_place.ends_in.as_secs().max(1) });
        }
        Ok(())
    }

    /// Where a test goes to.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn personal_test(&self, who: &Principal, account: &Account) -> Result<Vec<Target>, Refused> {
        let row = self.personal(who, account).await?;
        let targets = row.targets();
        if targets.is_empty() {
            return Err(Refused::Conflict(
                "there is no place to send it to, or none is confirmed yet".into(),
            ));
        }
        for target in &targets {
            self.may_send(&row.user, target).await?;
        }
        Ok(targets)
    }

    /// A place is the user's, who shows its code.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn confirm_place(
        &self,
        from: &Origin,
        who: &Principal,
        account: &Account,
        kind: PlaceKind,
        code: &str,
    ) -> Result<(), Refused> {
        let row = self.personal(who, account).await?;
        let tried = self.cache.count(&format!("alerts-codes:{}", row.user), HOUR).await?;
        if tried.count > TRIES_MAX {
            return Err(Refused::TooMuch { wait_s: tried.ends_in.as_secs().max(1) });
        }
        let now = self.clock.now();
        let before = trace(&row.settings);
        let mut settings = row.settings.clone();
        let wrong = || Refused::Unfit("code", "it is wrong, or not good any more".into());
        let place = settings.places.get_mut(&kind).ok_or_else(wrong)?;
        let shown = digest(code.trim());
        let is_right = place.code.as_ref().is_some_and(|code| same(code.as_bytes(), shown.as_bytes()));
        if !is_right || place.code_until < now {
            return Err(wrong());
        }
        (place.confirmed_at, place.code) = (Some(now), None);
        self.keep(from, &row, settings, ("auth.account.alerts.confirm", before)).await
    }

    /// A password that lets a machine change what is told of the account, in place of the one before. Shown once.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn alerts_key(
        &self,
        from: &Origin,
        who: &Principal,
        account: &Account,
    ) -> Result<String, Refused> {
        let row = self.personal(who, account).await?;
        let key = format!("{ALERTS_PREFIX}{}", hex::encode(rand::random::<[u8; 12]>()));
        let before = trace(&row.settings);
        let settings = PersonalSettings { key: Some(digest(&key)), ..row.settings.clone() };
        self.keep(from, &row, settings, ("auth.account.alerts.key", before)).await?;
        Ok(key)
    }

    async fn keep(
        &self,
        from: &Origin,
        row: &PersonalRow,
        settings: PersonalSettings,
        (action, before): (&'static str, Value),
    ) -> Result<(), Refused> {
        let after = trace(&settings);
        let (account, user) = (row.account.clone(), row.user.clone());
        if !self.users.set_personal(self.clock.now(), account, user, settings).await? {
            return Err(Refused::NoSuch("address of yours"));
        }
        let (name, account) = (&row.username, &row.account);
        self.trail.note(name, from.address, action, account, Outcome::Done, Some(before), Some(after)).await;
        Ok(())
    }
}
