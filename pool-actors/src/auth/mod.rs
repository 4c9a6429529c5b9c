//! Who somebody is, and what they may do. Knows no HTTP.
//!
//! | file | holds |
//! |---|---|
//! | `sign_in` | log in, second factor, refresh, log out; who a token stands for |
//! | `people` | register, passwords, roles, second factors, tokens for scripts |
//! | `mail` | links in mails: confirm an address, reset a password |
//! | `claims` | which payout addresses are whose |
//! | `personal` | what users hear of their payout addresses, and where |
//! | `sessions` | log-ins in the cache, and the trade of refresh tokens |
//! | `throttle` | how often one may try |
//! | `password`, `totp`, `jwt` | the cryptography: argon2id; RFC 6238 and backup codes; HS256 |
//! | `scope` | what a script's token may be used for |
//!
//! Nothing here is printed or logged that lets anybody in; types that hold such things print `***` or nothing of it.

mod claims;
pub mod jwt;
mod mail;
pub mod password;
mod people;
mod personal;
mod scope;
mod sessions;
mod sign_in;
#[cfg(test)]
mod tests;
mod throttle;
pub mod totp;

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use ring::hmac;
use serde_json::Value;
use tokio::sync::Semaphore;

use self::{jwt::Signing, mail::Post, password::Hasher, sessions::Sessions, throttle::Throttle};
use crate::{
    config,
    ports::{
        cache::{Cache, CacheError},
        clock::SharedClock,
        mailer::SharedMailer,
        store::StoreError,
        users::{AuditLine, Outcome, Role, SharedUsers},
    },
};

pub use claims::{CLAIM_PREFIX, Claim, Shown};
pub use people::{Decision, Enabled, MfaSetup, NewToken, user_id};
pub use personal::{ALERTS_PREFIX, PersonalChange};
pub use scope::Scope;
pub use sessions::Session;
pub use sign_in::{Factor, LoggedIn, Pair};

/// An access token is good for so long, seconds.
pub const ACCESS_S: u64 = 900;
/// After the password, the second factor may take so long, seconds.
pub const MFA_S: u64 = 300;
/// What a script's token begins with.
pub const TOKEN_PREFIX: &str = "bdp_";

/// Why somebody did not get what they asked for.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Name or password is wrong, there is no such user, or they may not sign in. Which of these is not told.
    #[error("name or password is wrong")]
    Wrong,
    /// Too many tries.
    #[error("too many tries to sign in: try again in {wait_s} s")]
    Locked {
        /// Seconds.
        wait_s: u64,
    },
    /// Too much is sent, or tried, because they asked for it.
    #[error("too many in an hour: try again in {wait_s} s")]
    TooMuch {
        /// Seconds.
        wait_s: u64,
    },
    /// As many passwords are being checked as the pool allows.
    #[error("too many sign in at once: try again in a moment")]
    Busy,
    /// The session, or what it was to become, has ended.
    #[error("the session has ended: sign in again")]
    Ended,
    /// The code of the second factor is wrong, or was used before.
    #[error("the code is wrong, or was used before")]
    MfaWrong,
    /// What was sent can't be taken: which field, and why.
    #[error("{0}: {1}")]
    Unfit(&'static str, String),
    /// The password is right, and the address is not confirmed yet.
    #[error("the e-mail address is not confirmed yet: follow the link in the mail that was sent there")]
    Unconfirmed,
    /// A mail's link is not good.
    #[error("it is not good any more: ask for a new mail")]
    Link,
    /// The name is somebody's.
    #[error("the name is taken")]
    Taken,
    /// Strangers may not register here.
    #[error("registration is closed: ask the pool's admin")]
    Closed,
    /// There is no such user, session or token.
    #[error("there is no such {0}")]
    NoSuch(&'static str),
    /// It does not fit how things are.
    #[error("{0}")]
    Conflict(String),
    /// The cache, where sessions are, is away.
    #[error("sessions can't be looked at: {0}")]
    Cache(#[from] CacheError),
    /// The database is away.
    #[error("{0}")]
    Store(#[from] StoreError),
}

impl From<password::Busy> for Refused {
    fn from(_: password::Busy) -> Self {
        Self::Busy
    }
}

/// Where a request comes from.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// Its address; that of a network for IPv6.
    pub address: Option<IpAddr>,
    /// What it says it was made by.
    pub agent: Option<String>,
}

/// Somebody whose token was good.
#[derive(Clone, PartialEq, Eq)]
pub struct Principal {
    /// As the trail names them.
    pub actor: String,
    /// What they may do.
    pub role: Role,
    /// What they came with.
    pub by: By,
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.actor, self.role)
    }
}

/// What somebody came with.
#[derive(Clone, PartialEq, Eq)]
pub enum By {
    /// The pool's own admin token.
    AdminToken,
    /// A session.
    Session {
        /// The user's id.
        user: String,
        /// The session's id.
        sid: String,
        /// Good for nothing but setting up a second factor.
        setup: bool,
        /// The cache was away: it was taken at its word.
        unchecked: bool,
    },
    /// A script's token.
    Token {
        /// The user's id.
        user: String,
        /// What it may be used for.
        scopes: BTreeSet<Scope>,
    },
}

/// Writes down who did what. The log has it, too, in case the database is away.
#[derive(Clone)]
pub struct Trail {
    users: SharedUsers,
    clock: SharedClock,
    node: Arc<str>,
    places: Arc<Semaphore>,
}

impl Trail {
    /// Of this pool process.
    #[must_use]
    pub fn new(users: SharedUsers, clock: SharedClock, node: &str) -> Self {
        Self { users, clock, node: node.into(), places: Arc::new(Semaphore::new(LINES_WAITING_MAX)) }
    }

    /// Writes a line, and waits for that a little while. While the database is away the line waits for it: what was done stays
    /// done, and who did it (it may be what brings the database back) gets an answer. All lines are in the log as well.
    #[expect(clippy::too_many_arguments, reason = "the columns of a line")]
    pub async fn note(
        &self,
        actor: &str,
        address: Option<IpAddr>,
        action: &str,
        subject: &str,
        outcome: Outcome,
        before: Option<Value>,
        after: Option<Value>,
    ) {
        let short = |text: &str| -> String { text.chars().take(200).collect() };
        let line = AuditLine {
            at: self.clock.now(),
            node: self.node.to_string(),
            actor: short(actor),
            address: address.map(|address| address.to_string()),
            action: short(action),
            subject: short(subject),
            outcome,
            before,
            after,
        };
        let AuditLine { actor, address, action, subject, .. } = &line;
        let address = address.as_ref().map(tracing::field::display);
        tracing::info!(?actor, address, action, ?subject, outcome = outcome.as_str(), "audit");
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            tracing::error!(
                action,
                ?actor,
                "the audit trail could not be written: too many lines wait for the database"
            );
            return;
        };
        let users = Arc::clone(&self.users);
        let writing = actix_rt::spawn(async move {
            let _place = place;
            while let Err(error) = users.add_audit(line.clone()).await {
                if !matches!(error, StoreError::Unavailable { .. }) {
                    tracing::error!(%error, action = line.action, actor = line.actor, "the audit trail could not be written");
                    return;
                }
                tokio::time::sleep(LINE_PAUSE).await;
            }
        });
        // Over time it goes on by itself.
        let _ = tokio::time::timeout(LINE_WAIT, writing).await;
    }

    /// Waits until no line waits for the database any more.
    #[cfg(test)]
    pub(crate) async fn written(&self) {
        let all = u32::try_from(LINES_WAITING_MAX).expect("few");
        let _ = self.places.acquire_many(all).await;
    }
}

/// Lines of the trail that may wait for the database.
const LINES_WAITING_MAX: usize = 1_000;
/// Pause until a line is tried again.
const LINE_PAUSE: Duration = Duration::from_secs(1);
/// How long an answer waits for its line.
const LINE_WAIT: Duration = Duration::from_secs(1);

/// Tells whoever watches the pool what should not happen: a code, and a sentence without names.
pub type Alarm = Arc<dyn Fn(&'static str, String) + Send + Sync>;

/// What signing in works with.
#[derive(Clone)]
pub struct Auth {
    users: SharedUsers,
    clock: SharedClock,
    sessions: Sessions,
    cache: Cache,
    throttle: Throttle,
    hasher: Hasher,
    signing: Signing,
    sealing: Arc<[u8; 32]>,
    settings: Arc<config::Auth>,
    pool_name: Arc<str>,
    trail: Trail,
    alarm: Alarm,
    post: Post,
    /// Tokens of scripts that were looked up a moment ago, with their owners' names and roles.
    known: Arc<Mutex<HashMap<String, people::Known>>>,
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Auth(***)")
    }
}

/// What an [`Auth`] is made of.
pub struct Parts {
    /// Users.
    pub users: SharedUsers,
    /// Where sessions are.
    pub cache: Cache,
    /// Time.
    pub clock: SharedClock,
    /// What everything is signed and sealed with.
    pub key: Vec<u8>,
    /// How strict it is.
    pub settings: config::Auth,
    /// As an app for codes shows it.
    pub pool_name: String,
    /// This pool process.
    pub node: String,
    /// Who is told what should not happen.
    pub alarm: Alarm,
    /// How mail is sent.
    pub mailer: SharedMailer,
    /// What links in mails begin with, without a slash at the end.
    pub public_url: String,
}

impl Auth {
    /// Of these.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { users, cache, clock, key, settings, pool_name, node, alarm, mailer, public_url } = parts;
        // One key each, so that nothing made for one use is good for the other.
        let derived = |use_: &str| -> [u8; 32] {
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), use_.as_bytes());
            tag.as_ref().try_into().expect("SHA-256 has 32 bytes")
        };
        let idle = Duration::from_secs(settings.session_hours.saturating_mul(3_600));
        let longest = Duration::from_secs(settings.session_days_max.saturating_mul(86_400));
        Self {
            sessions: Sessions::new(cache.clone(), idle, longest),
            throttle: Throttle::new(cache.clone()),
            cache,
            hasher: Hasher::default(),
            signing: Signing::new(&derived("dagpool sessions 1")),
            sealing: Arc::new(derived("dagpool second factors 1")),
            settings: Arc::new(settings),
            post: Post::new(mailer, &public_url, &pool_name),
            pool_name: pool_name.into(),
            trail: Trail::new(Arc::clone(&users), Arc::clone(&clock), &node),
            users,
            clock,
            alarm,
            known: Arc::default(),
        }
    }

    /// The trail.
    #[must_use]
    pub fn trail(&self) -> &Trail {
        &self.trail
    }

    /// Users, to look at.
    #[must_use]
    pub fn users(&self) -> &SharedUsers {
        &self.users
    }

    /// Strangers may register.
    #[must_use]
    pub fn registration(&self) -> bool {
        self.settings.registration
    }

    fn needs_mfa(&self, role: Role) -> bool {
        self.settings.mfa_required.iter().any(|name| name == role.as_str())
    }
}

/// Whether two secrets are the same, in a time that does not depend on where they differ.
#[must_use]
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}
