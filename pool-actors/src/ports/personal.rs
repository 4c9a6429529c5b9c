//! What people want to hear of addresses that they have claimed, and how it is brought to them.

use std::{collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;
use pool_domain::{
    ids::PayoutId,
    units::{Amount, TimeMs},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};

use super::notifier::NotifyError;

/// Longest address of a webhook.
const URL_LENGTH_MAX: usize = 500;

/// What somebody wants to hear of an account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wishes {
    /// A worker is offline for so many minutes; 0 = not told.
    pub worker_offline_minutes: u32,
    /// The hash rate is so many percent below what is usual; 0 = not told.
    pub hashrate_drop_percent: u32,
    /// A payout was sent.
    pub payout: bool,
    /// A block was found.
    pub block: bool,
}

impl Wishes {
    /// What is wrong with them: which field, and why.
    ///
    /// # Errors
    /// The first that can't be taken.
    pub fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let (minutes, percent) = (self.worker_offline_minutes, self.hashrate_drop_percent);
        if minutes != 0 && !(1..=1_440).contains(&minutes) {
            return Err(("worker_offline_minutes", "0, or 1 to 1440"));
        }
        if percent != 0 && !(10..=95).contains(&percent) {
            return Err(("hashrate_drop_percent", "0, or 10 to 95"));
        }
        Ok(())
    }
}

/// A way over which people can be told, beside mail to their confirmed address.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "PersonalChannelKind")]
pub enum PlaceKind {
    /// JSON to any address.
    Webhook,
    /// A Discord webhook.
    Discord,
    /// A chat of the pool's Telegram bot.
    Telegram,
}

impl PlaceKind {
    /// All.
    pub const ALL: [Self; 3] = [Self::Webhook, Self::Discord, Self::Telegram];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Discord => "discord",
            Self::Telegram => "telegram",
        }
    }
}

/// What ways the pool has, and where they may lead.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Offer {
    /// It has a bot of Telegram.
    pub telegram: bool,
    /// Webhooks may begin with http://.
    pub http: bool,
    /// They may lead into the pool's own network.
    pub private: bool,
}

impl Offer {
    /// Whether a place may be one of this kind. Where its name leads is looked at when something is brought.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, kind: PlaceKind, to: &str) -> Result<(), &'static str> {
        let is_url = |schemes: &[&str]| {
            to.len() <= URL_LENGTH_MAX
                && to.bytes().all(|byte| byte.is_ascii_graphic())
                && schemes.iter().any(|scheme| to.starts_with(scheme))
        };
        let schemes: &[&str] = if self.http { &["https://", "http://"] } else { &["https://"] };
        match kind {
            PlaceKind::Webhook if is_url(schemes) => Ok(()),
            PlaceKind::Webhook => Err("an https:// address of 500 characters at most"),
            // Elsewhere it is a webhook like any other: with what a pool among friends allows.
            PlaceKind::Discord if self.private && is_url(schemes) => Ok(()),
            PlaceKind::Discord
                if is_url(&["https://discord.com/api/webhooks/", "https://discordapp.com/api/webhooks/"]) =>
            {
                Ok(())
            }
            PlaceKind::Discord => {
                Err("the address of a Discord webhook: https://discord.com/api/webhooks/...")
            }
            PlaceKind::Telegram if !self.telegram => Err("this pool has no bot of Telegram"),
            PlaceKind::Telegram if is_chat(to) => Ok(()),
            PlaceKind::Telegram => Err("the number of a chat, or @channel"),
        }
    }
}

fn is_chat(chat: &str) -> bool {
    let digits = chat.strip_prefix('-').unwrap_or(chat);
    let is_number =
        !digits.is_empty() && digits.len() <= 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = chat.strip_prefix('@').is_some_and(|name| {
        (5..=32).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    });
    is_number || is_name
}

/// SHA-256 of a code or key, in hexadecimal digits: they are kept as no more than that.
#[must_use]
pub fn digest(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// A place where somebody wants to be told. Nothing is brought there, but the code, until they have shown that they read it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Where. A secret: whoever knows a webhook can write there.
    pub to: String,
    /// Since when it is known that they read there.
    #[serde(default)]
    pub confirmed_at: Option<TimeMs>,
    /// [`digest`] of the code that was sent there.
    #[serde(default)]
    pub code: Option<String>,
    /// Until when it is good.
    #[serde(default)]
    pub code_until: TimeMs,
}

impl Place {
    /// What is shown of it.
    #[must_use]
    pub fn masked(&self, kind: PlaceKind) -> String {
        let chars: Vec<char> = self.to.chars().collect();
        let end: String = chars[chars.len().saturating_sub(3)..].iter().collect();
        match self.to.split_once("://") {
            Some((scheme, rest)) if kind != PlaceKind::Telegram => {
                let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
                format!("{scheme}://{host}/…")
            }
            _ if chars.len() > 6 => format!("…{end}"),
            _ => "…".to_owned(),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").field("confirmed_at", &self.confirmed_at).finish_non_exhaustive()
    }
}

/// What somebody wants to hear of an account, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PersonalSettings {
    /// What.
    pub wishes: Wishes,
    /// By mail, to the user's confirmed address.
    pub email: bool,
    /// Elsewhere.
    pub places: BTreeMap<PlaceKind, Place>,
    /// [`digest`] of the password by which a machine may change what is told, if there is one.
    pub key: Option<String>,
}

impl PersonalSettings {
    /// As it is kept. What an older or newer version wrote counts for as much as is known of it.
    #[must_use]
    pub fn read(text: Option<&str>) -> Self {
        kept(text, "what somebody wants to hear")
    }
}

/// What is kept as JSON; what can't be read is as good as not there, and somebody is to know.
fn kept<T: Default + DeserializeOwned>(text: Option<&str>, what: &str) -> T {
    let read = text.map(serde_json::from_str).transpose();
    read.unwrap_or_else(|error| {
        tracing::warn!(%error, "{what} is damaged in the database, and counts as not set");
        None
    })
    .unwrap_or_default()
}

/// What somebody wants to hear of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonalRow {
    /// The account.
    pub account: String,
    /// Whose it is.
    pub user: String,
    /// Their name.
    pub username: String,
    /// The user's address, if it is confirmed.
    pub email: Option<String>,
    /// What they want.
    pub settings: PersonalSettings,
    /// Workers that were connected when it was last looked at.
    pub workers: Vec<String>,
}

impl PersonalRow {
    /// Workers as they are kept.
    #[must_use]
    pub fn read_workers(text: Option<&str>) -> Vec<String> {
        kept(text, "the list of workers that were connected")
    }

    /// Where they are told.
    #[must_use]
    pub fn targets(&self) -> Vec<Target> {
        let email = self.email.clone().filter(|_| self.settings.email).map(Target::Email);
        let places = self.settings.places.iter().filter(|(_, place)| place.confirmed_at.is_some());
        email.into_iter().chain(places.map(|(kind, place)| Target::Place(*kind, place.to.clone()))).collect()
    }
}

/// A payout that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentPayout {
    /// The step with which it was.
    pub step: u64,
    /// Its number.
    pub payout: PayoutId,
    /// To whom.
    pub account: String,
    /// The chain's name of its transaction.
    pub txid: String,
    /// How much they got.
    pub amount: Amount,
}

/// A message to somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PersonalMessage {
    /// The same for each try, so that a receiver knows it again.
    pub id: String,
    /// Which pool.
    pub pool: String,
    /// About which account.
    pub account: String,
    /// What it is about: `worker`, `hashrate`, `payout`, `block`, `test` or `code`.
    pub kind: &'static str,
    /// What happened, a line each.
    pub text: String,
}

/// Where somebody is told.
#[derive(Clone, PartialEq, Eq)]
pub enum Target {
    /// A mail address.
    Email(String),
    /// Elsewhere.
    Place(PlaceKind, String),
}

impl Target {
    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Email(_) => "email",
            Self::Place(kind, _) => kind.as_str(),
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

/// Brings messages to places that strangers chose. Each call is bounded in time.
#[async_trait]
pub trait Messenger: Send + Sync {
    /// Brings it. The error says nothing of the place that its owner must not see, and nothing of the place's answer.
    ///
    /// # Errors
    /// When it was not taken, or the place is none where the pool goes.
    async fn bring(&self, target: &Target, message: &PersonalMessage) -> Result<(), NotifyError>;
}

/// A messenger shared by an actor's lives.
pub type SharedMessenger = Arc<dyn Messenger>;

#[cfg(test)]
mod tests {
    use super::*;

    fn place(to: &str) -> Place {
        Place { to: to.into(), confirmed_at: None, code: None, code_until: TimeMs(0) }
    }

    #[test]
    fn a_place_is_shown_without_what_opens_it() {
        for (kind, to, shown) in [
            (PlaceKind::Webhook, "https://hooks.example.org/T0/secret", "https://hooks.example.org/…"),
            (PlaceKind::Webhook, "https://hooks.example.org?key=secret", "https://hooks.example.org/…"),
            (PlaceKind::Discord, "https://discord.com/api/webhooks/1/secret", "https://discord.com/…"),
            (PlaceKind::Telegram, "123456789", "…789"),
            (PlaceKind::Telegram, "-12", "…"),
        ] {
            assert_eq!(place(to).masked(kind), shown);
            assert!(!format!("{:?}", place(to)).contains("secret"));
        }
    }

    #[test]
    fn only_places_that_the_pool_goes_to_are_taken() {
        let open = Offer { telegram: true, ..Offer::default() };
        let friends = Offer { http: true, private: true, ..Offer::default() };
        for (offer, kind, to, good) in [
            (open, PlaceKind::Webhook, "https://hooks.example.org/a", true),
            (open, PlaceKind::Webhook, "http://hooks.example.org/a", false),
            (open, PlaceKind::Webhook, "file:///etc/passwd", false),
            (open, PlaceKind::Webhook, "https://a b/", false),
            (open, PlaceKind::Webhook, "", false),
            (open, PlaceKind::Discord, "https://discord.com/api/webhooks/1/x", true),
            (open, PlaceKind::Discord, "https://discord.com.evil.example/api/webhooks/1", false),
            (open, PlaceKind::Telegram, "-1001234", true),
            (open, PlaceKind::Telegram, "@a_channel", true),
            (open, PlaceKind::Telegram, "12; 13", false),
            (friends, PlaceKind::Telegram, "12", false),
            (friends, PlaceKind::Webhook, "http://10.0.0.1/", true),
            (friends, PlaceKind::Discord, "http://10.0.0.1/", true),
        ] {
            assert_eq!(offer.check(kind, to).is_ok(), good, "{kind:?} {to}");
        }
        let long = format!("https://a/{}", "a".repeat(500));
        assert!(open.check(PlaceKind::Webhook, &long).is_err());
    }
}
