//! Log in, second factor, refresh, log out; who a token stands for.

use pool_domain::units::TimeMs;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    ACCESS_S, Auth, By, MFA_S, Origin, Principal, Refused, TOKEN_PREFIX,
    jwt::{Claims, Purpose},
    sessions::{Session, Stamp, Traded, fresh_id, stamp},
    throttle::Admission,
    totp,
};
use crate::{
    metrics::AUTH_FAILURES_TOTAL,
    ports::users::{Outcome, UserRow},
};

/// Tokens of a session.
pub struct Pair {
    /// To be sent with requests.
    pub access: String,
    /// To be traded for the next pair.
    pub refresh: String,
    /// The access token is good for so long, seconds.
    pub expires_in: u64,
    /// It is good for nothing but setting up a second factor, which the role demands.
    pub setup: bool,
}

/// What the right password led to.
pub enum LoggedIn {
    /// A session.
    In(Pair),
    /// The second factor is still to come; this says for whom.
    MfaNeeded(String),
}

/// What is shown in place of a second factor's key.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Factor {
    /// Of the app.
    Code(String),
    /// One of those for when the phone is lost.
    BackupCode(String),
}

/// A log-in that waits for its second factor.
#[derive(Serialize, Deserialize)]
struct Pending {
    user: String,
    /// Of the password that was right: another one ends half a log-in, too.
    stamp: Stamp,
}

/// Refusals that are written down in a minute.
const REFUSALS_MAX: u64 = 120;

/// What is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// A password.
    Password,
    /// A code of a second factor: counted whatever address it comes from, since a million codes are soon tried.
    SecondFactor,
}

impl What {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::SecondFactor => "second factor",
        }
    }

    fn key(self, name: &str) -> String {
        format!("{}:{name}", self.as_str())
    }

    fn address(self, from: &Origin) -> Option<std::net::IpAddr> {
        from.address.filter(|_| self == Self::Password)
    }
}

pub(super) fn failed(reason: &'static str) {
    metrics::counter!(AUTH_FAILURES_TOTAL, "reason" => reason).increment(1);
}

impl Auth {
    /// Whether one more try may be made. Nothing that costs anything comes before it. `what` keeps counts apart, whatever
    /// somebody types as a name.
    pub(super) async fn admit(&self, from: &Origin, what: What, name: &str) -> Result<(), Refused> {
        match self.throttle.admit(what.address(from), &what.key(name), self.clock.now()).await? {
            Admission::Admitted => Ok(()),
            Admission::Locked { wait_s, just_now } => {
                failed("locked");
                if just_now {
                    let after = json!({ "wait_s": wait_s, "of": what.as_str() });
                    let name = &self.called(name).await;
                    self.trail
                        .note(name, from.address, "auth.locked", name, Outcome::Refused, None, Some(after))
                        .await;
                    (self.alarm)(
                        "SIGN_IN_LOCKED",
                        format!("{}: too many tries, locked for {wait_s} s", what.as_str()),
                    );
                }
                Err(Refused::Locked { wait_s })
            }
        }
    }

    /// The name that is written down of somebody who did not get in. What nobody is called may be a password, typed into the
    /// wrong field.
    async fn called(&self, name: &str) -> String {
        let known = self.users.user_named(name.to_owned()).await.ok().flatten();
        known.map_or_else(|| "(unknown)".to_owned(), |user| user.username)
    }

    /// They got in: their mistakes are forgotten.
    pub(super) async fn admitted(&self, from: &Origin, what: What, name: &str) -> Result<(), Refused> {
        Ok(self.throttle.succeeded(what.address(from), &what.key(name)).await?)
    }

    /// Writes down that somebody did not get in. A flood is written down by its first lines alone, for a trail that nothing is ever
    /// removed from.
    async fn refused(&self, from: &Origin, username: &str) {
        failed("wrong_password");
        let window = std::time::Duration::from_secs(60);
        let counted = self.cache.count("trail:refused", window).await.map_or(1, |counted| counted.count);
        if counted > REFUSALS_MAX + 1 {
            return;
        }
        let after = (counted > REFUSALS_MAX)
            .then(|| json!({ "flood": "further refusals of this minute are counted only" }));
        let name = &self.called(username).await;
        self.trail.note(name, from.address, "auth.login", name, Outcome::Refused, None, after).await;
    }

    /// The user whose password this is. A wrong name takes as long as a wrong password.
    pub(super) async fn known(&self, username: &str, password: String) -> Result<Option<UserRow>, Refused> {
        let found = self.users.user_named(username.to_owned()).await?;
        let hash = found.as_ref().map(|user| user.password_hash.clone());
        let right = self.hasher.verify(password, hash).await?;
        Ok(found.filter(|user| right && user.disabled_at.is_none()))
    }

    /// Logs in.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn log_in(&self, from: &Origin, username: &str, password: String) -> Result<LoggedIn, Refused> {
        let username = username.trim();
        self.admit(from, What::Password, username).await?;
        let Some(user) = self.known(username, password).await? else {
            self.refused(from, username).await;
            return Err(Refused::Wrong);
        };
        self.admitted(from, What::Password, username).await?;
        if self.needs_email(&user) {
            failed("unconfirmed");
            return Err(Refused::Unconfirmed);
        }
        if user.mfa_enabled {
            let id = fresh_id();
            let lives = std::time::Duration::from_secs(MFA_S);
            self.cache
                .put_session(
                    &format!("mfa.{id}"),
                    &Pending { user: user.id.clone(), stamp: stamp(&user.password_hash) },
                    lives,
                )
                .await?;
            let token = self.signing.sign(&self.claims(&user, &id, 0, Purpose::Mfa, false, MFA_S));
            return Ok(LoggedIn::MfaNeeded(token));
        }
        Ok(LoggedIn::In(self.begin(from, &user, "auth.login").await?))
    }

    /// The second factor of a log-in.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn second_factor(&self, from: &Origin, token: &str, factor: Factor) -> Result<Pair, Refused> {
        let claims = self.signing.read(token, Purpose::Mfa, self.clock.now()).ok_or(Refused::Ended)?;
        let id = format!("mfa.{}", claims.sid);
        let pending: Pending = self.cache.session(&id).await?.ok_or(Refused::Ended)?;
        let user = self.users.user(pending.user).await?.filter(|user| user.disabled_at.is_none());
        let user = user.filter(|user| stamp(&user.password_hash) == pending.stamp).ok_or(Refused::Ended)?;
        self.take_factor(from, &user, factor).await?;
        // Of two that come at once, one gets the session.
        if !self.cache.end_session(&id).await? {
            return Err(Refused::Ended);
        }
        self.begin(from, &user, "auth.login").await
    }

    /// Takes a code of a user, once.
    pub(super) async fn take_factor(
        &self,
        from: &Origin,
        user: &UserRow,
        factor: Factor,
    ) -> Result<(), Refused> {
        self.admit(from, What::SecondFactor, &user.username).await?;
        let (action, taken) = match factor {
            Factor::Code(code) => ("auth.mfa", self.take_code(user, &code).await?),
            Factor::BackupCode(code) => {
                let digest = totp::backup_digest(&user.id, &code);
                let taken = user.mfa_enabled
                    && self.users.take_backup_code(self.clock.now(), user.id.clone(), digest).await?;
                ("auth.mfa.backup_code", taken)
            }
        };
        let outcome = if taken { Outcome::Done } else { Outcome::Refused };
        self.trail.note(&user.username, from.address, action, &user.username, outcome, None, None).await;
        if !taken {
            failed("second_factor");
            return Err(Refused::MfaWrong);
        }
        self.admitted(from, What::SecondFactor, &user.username).await
    }

    pub(super) async fn take_code(&self, user: &UserRow, code: &str) -> Result<bool, Refused> {
        let sealed = user.mfa_sealed.as_deref().unwrap_or_default();
        let Some(secret) = totp::Secret::open(sealed, &self.sealing, &user.id) else {
            tracing::error!(user = user.username, "a second factor can't be opened: auth.key is another one");
            return Ok(false);
        };
        let Some(step) = secret.step_of(code, self.clock.now()) else { return Ok(false) };
        Ok(self.users.take_mfa_step(user.id.clone(), step).await?)
    }

    /// Begins a session, always of a new id.
    pub(super) async fn begin(&self, from: &Origin, user: &UserRow, action: &str) -> Result<Pair, Refused> {
        let setup = self.needs_mfa(user.role) && !user.mfa_enabled;
        let address = from.address.map(|address| address.to_string());
        let agent = from.agent.as_deref().map(|agent| agent.chars().take(200).collect());
        let (sid, session) = self.sessions.begin(user, setup, address, agent, self.clock.now()).await?;
        // What happened to them between the password and now ended the sessions that there were, without this one.
        let same = |now: &UserRow| {
            now.disabled_at.is_none()
                && now.password_hash == user.password_hash
                && now.role == user.role
                && now.mfa_enabled == user.mfa_enabled
        };
        let again = self.users.user(user.id.clone()).await;
        if !matches!(&again, Ok(Some(now)) if same(now)) {
            self.sessions.end(&sid).await?;
            again?;
            failed("changed_meanwhile");
            return Err(Refused::Ended);
        }
        self.trail
            .note(&user.username, from.address, action, &user.username, Outcome::Done, None, None)
            .await;
        Ok(self.pair(user, &sid, &session))
    }

    fn claims(
        &self,
        user: &UserRow,
        sid: &str,
        generation: u64,
        purpose: Purpose,
        setup: bool,
        lives_s: u64,
    ) -> Claims {
        let iat = self.clock.now().0 / 1_000;
        Claims {
            sub: user.id.clone(),
            name: user.username.clone(),
            role: user.role,
            sid: sid.to_owned(),
            generation,
            purpose,
            setup,
            iat,
            exp: iat + lives_s,
        }
    }

    fn pair(&self, user: &UserRow, sid: &str, session: &Session) -> Pair {
        let Session { generation, setup, .. } = *session;
        let idle = self.sessions.idle().as_secs();
        let sign = |purpose, lives_s| {
            self.signing.sign(&self.claims(user, sid, generation, purpose, setup, lives_s))
        };
        Pair {
            access: sign(Purpose::Access, ACCESS_S),
            refresh: sign(Purpose::Refresh, idle),
            expires_in: ACCESS_S,
            setup,
        }
    }

    /// Trades a refresh token for the next pair. One that was traded before ends its session.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn refresh(&self, from: &Origin, token: &str) -> Result<Pair, Refused> {
        let now = self.clock.now();
        let claims = self.signing.read(token, Purpose::Refresh, now).ok_or_else(|| {
            failed("refresh");
            Refused::Ended
        })?;
        // The user first: a database that is away must not use the token up.
        let user = self.users.user(claims.sub.clone()).await?.filter(|user| user.disabled_at.is_none());
        match self.sessions.trade(&claims.sid, claims.generation, now).await? {
            Traded::Ended => Err(Refused::Ended),
            Traded::Reused(session) => {
                failed("refresh_reuse");
                (self.alarm)(
                    "REFRESH_TOKEN_REUSED",
                    "a refresh token came twice: its session was ended".into(),
                );
                let after = json!({ "session": claims.sid, "began_from": session.address });
                self.trail
                    .note(
                        &session.name,
                        from.address,
                        "auth.refresh.reuse",
                        &session.name,
                        Outcome::Refused,
                        None,
                        Some(after),
                    )
                    .await;
                Err(Refused::Ended)
            }
            Traded::Next(mut session, trade) => {
                let stamp = user.as_ref().map(|user| stamp(&user.password_hash));
                let goes_with = match stamp {
                    Some(stamp) => self.sessions.goes_with(&claims.sid, &session, stamp).await?,
                    None => false,
                };
                let Some(user) = user.filter(|user| goes_with && user.id == session.user) else {
                    self.sessions.end(&claims.sid).await?;
                    return Err(Refused::Ended);
                };
                session.stamp = stamp;
                session.role = user.role;
                session.name.clone_from(&user.username);
                session.setup = self.needs_mfa(user.role) && !user.mfa_enabled;
                if !self.sessions.go_on(&claims.sid, &session, now, trade).await? {
                    return Err(Refused::Ended);
                }
                Ok(self.pair(&user, &claims.sid, &session))
            }
        }
    }

    /// Ends the session that a request came with.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn log_out(&self, from: &Origin, who: &Principal) -> Result<(), Refused> {
        if let By::Session { sid, .. } = &who.by {
            self.sessions.end(sid).await?;
            self.trail
                .note(&who.actor, from.address, "auth.logout", &who.actor, Outcome::Done, None, None)
                .await;
        }
        Ok(())
    }

    /// Whom a token stands for; `None` = nobody.
    ///
    /// # Errors
    /// [`Refused::Store`] when a script's token can't be looked up.
    pub async fn whose(&self, token: &str) -> Result<Option<Principal>, Refused> {
        if let Some(token) = token.strip_prefix(TOKEN_PREFIX) {
            return self.script(token).await;
        }
        let now: TimeMs = self.clock.now();
        let Some(claims) = self.signing.read(token, Purpose::Access, now) else { return Ok(None) };
        let (role, setup, unchecked) = match self.sessions.alive(&claims.sid).await {
            Ok(None) => return Ok(None),
            Ok(Some(session)) => (session.role, session.setup || claims.setup, false),
            // For as long as the token is good at most; and it only opens what is looked at (see api/access).
            Err(_) => (claims.role, claims.setup, true),
        };
        Ok(Some(Principal {
            actor: claims.name,
            role,
            by: By::Session { user: claims.sub, sid: claims.sid, setup, unchecked },
        }))
    }

    /// Sessions that have not ended, of one user or of all.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn sessions(&self, of: Option<&str>) -> Result<Vec<(String, Session)>, Refused> {
        Ok(self.sessions.all(of).await?)
    }

    /// Ends a session, of one user or of anybody.
    ///
    /// # Errors
    /// [`Refused::NoSuch`].
    pub async fn end_session(&self, of: Option<&str>, id: &str) -> Result<Session, Refused> {
        let found = self.sessions.alive(id).await?;
        let session = found.filter(|session| of.is_none_or(|user| session.user == user));
        let session = session.ok_or(Refused::NoSuch("session"))?;
        self.sessions.end(id).await?;
        Ok(session)
    }
}
