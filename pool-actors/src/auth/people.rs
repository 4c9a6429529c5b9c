//! Register, passwords, roles, second factors, tokens for scripts.

use std::{
    collections::BTreeSet,
    sync::PoisonError,
    time::{Duration, Instant},
};

use pool_domain::units::TimeMs;
use sha2::{Digest as _, Sha256};

use super::{
    Auth, By, Origin, Principal, Refused, Scope, TOKEN_PREFIX,
    password::{self, weakness},
    same,
    sessions::stamp,
    sign_in::{Factor, Pair, What, failed},
    totp,
};
use crate::ports::users::{NewUser, Outcome, Role, TokenRow, UserChange, UserRow};

/// Registrations of one address in an hour.
const REGISTRATIONS_MAX: u64 = 20;
/// What was looked up of a script's token is believed for so long.
const BELIEVED: Duration = Duration::from_secs(5);
/// Tokens that are remembered; past it all are forgotten.
const REMEMBERED_MAX: usize = 10_000;
/// Tokens of one user that are in force.
const TOKENS_MAX: usize = 50;
/// A token lives no longer, days.
const TOKEN_DAYS_MAX: u64 = 366;

/// A script's token as it was looked up, with its owner's name and role.
pub(super) struct Known {
    token: TokenRow,
    name: String,
    role: Role,
    at: Instant,
}

/// A second factor that is not in force yet: shown once.
pub struct MfaSetup {
    /// To be typed.
    pub secret: String,
    /// To be read by an app.
    pub uri: String,
    /// The same as a picture, SVG.
    pub qr_svg: Option<String>,
}

/// A second factor in force.
pub struct Enabled {
    /// Shown once.
    pub backup_codes: Vec<String>,
    /// A new session; the one that asked has ended.
    pub pair: Pair,
}

/// A new token, shown once.
pub struct NewToken {
    /// The token.
    pub token: String,
    /// What is kept of it.
    pub row: TokenRow,
}

/// A random UUID (version 4).
#[must_use]
pub fn user_id() -> String {
    let mut bytes: [u8; 16] = rand::random();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = hex::encode(bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn username(text: &str) -> Result<String, Refused> {
    let text = text.trim();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if (3..=50).contains(&text.len()) && text.bytes().all(plain) {
        return Ok(text.to_owned());
    }
    Err(Refused::Unfit("username", "3 to 50 of A-Z, a-z, 0-9, dot, underscore and hyphen".into()))
}

pub(super) fn email(text: Option<&str>) -> Result<Option<String>, Refused> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    // An addr-spec whose local part is a dot-atom (RFC 5322, 3.4.1) and nothing else: what a mailer would read as a name beside
    // the address, as a group or as a comment would be another address to whoever counts the letters to each.
    let of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-.".contains(&byte);
    let of_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    let is = |part: &str, may: &dyn Fn(u8) -> bool| {
        part.split('.').all(|label| !label.is_empty()) && part.bytes().all(may)
    };
    let fits = text.len() <= 254
        && text.split_once('@').is_some_and(|(name, host)| is(name, &of_name) && is(host, &of_host));
    if fits { Ok(Some(text.to_owned())) } else { Err(Refused::Unfit("email", "not an address".into())) }
}

impl Auth {
    pub(super) fn strong(&self, password: &str, username: &str) -> Result<(), Refused> {
        match weakness(password, username, self.settings.password_chars_min) {
            None => Ok(()),
            Some(why) => Err(Refused::Unfit("password", why)),
        }
    }

    /// Adds somebody who came by themselves: as a miner.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn register(
        &self,
        from: &Origin,
        name: &str,
        mail: Option<&str>,
        password: String,
    ) -> Result<UserRow, Refused> {
        if !self.settings.registration {
            return Err(Refused::Closed);
        }
        if let Some(address) = from.address {
            let window = Duration::from_secs(3_600);
            let counted = self.cache.count(&format!("register:{address}"), window).await?;
            if counted.count > REGISTRATIONS_MAX {
                failed("locked");
                return Err(Refused::Locked { wait_s: counted.ends_in.as_secs().max(1) });
            }
        }
        if self.settings.verify_email && mail.is_none_or(|mail| mail.trim().is_empty()) {
            return Err(Refused::Unfit("email", "this pool confirms it before anybody signs in".into()));
        }
        let user = self.add(name, mail, password, Role::Miner).await?;
        let who = user.username.clone();
        self.trail.note(&who, from.address, "auth.register", &who, Outcome::Done, None, None).await;
        if let Some(email) = user.email.clone() {
            self.send_confirmation(&user, email);
        }
        Ok(user)
    }

    /// Adds somebody.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn add(
        &self,
        name: &str,
        mail: Option<&str>,
        password: String,
        role: Role,
    ) -> Result<UserRow, Refused> {
        let (username, email) = (username(name)?, email(mail)?);
        self.strong(&password, &username)?;
        let password_hash = self.hasher.hash(password).await?;
        let id = user_id();
        let user = NewUser { id: id.clone(), username, email, role, password_hash };
        if !self.users.add_user(self.clock.now(), user).await? {
            return Err(Refused::Taken);
        }
        self.users.user(id).await?.ok_or(Refused::NoSuch("user"))
    }

    pub(super) async fn of(&self, who: &Principal) -> Result<UserRow, Refused> {
        let By::Session { user, .. } = &who.by else { return Err(Refused::NoSuch("user")) };
        self.users.user(user.clone()).await?.ok_or(Refused::NoSuch("user"))
    }

    /// Somebody who is signed in shows that it is still they. Counted like signing in: who has found an open session must not
    /// find the password by it.
    pub(super) async fn again(&self, from: &Origin, user: &UserRow, password: String) -> Result<(), Refused> {
        self.admit(from, What::Password, &user.username).await?;
        if self.known(&user.username, password).await?.is_none() {
            failed("wrong_password");
            return Err(Refused::Wrong);
        }
        self.admitted(from, What::Password, &user.username).await
    }

    /// Another password, for whoever knows the one in force. Ends all other sessions.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn change_password(
        &self,
        from: &Origin,
        who: &Principal,
        old: String,
        new: String,
    ) -> Result<(), Refused> {
        let user = self.of(who).await?;
        self.strong(&new, &user.username)?;
        self.again(from, &user, old).await?;
        let hash = self.hasher.hash(new).await?;
        if let By::Session { sid, .. } = &who.by {
            self.sessions.may_change_to(sid, stamp(&hash)).await?;
        }
        self.change(&user.id, UserChange::Password(hash)).await?;
        if let By::Session { sid, .. } = &who.by {
            self.sessions.end_all(&user.id, Some(sid)).await?;
        }
        let name = &user.username;
        self.trail.note(name, from.address, "auth.password", name, Outcome::Done, None, None).await;
        Ok(())
    }

    pub(super) async fn change(&self, id: &str, change: UserChange) -> Result<(), Refused> {
        let done = self.users.change_user(self.clock.now(), id.to_owned(), change).await?;
        if done { Ok(()) } else { Err(Refused::Conflict("it was changed by somebody else meanwhile".into())) }
    }

    /// A new second factor, which is not in force until a code of it was seen.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn mfa_setup(
        &self,
        from: &Origin,
        who: &Principal,
        password: String,
    ) -> Result<MfaSetup, Refused> {
        let user = self.of(who).await?;
        self.again(from, &user, password).await?;
        if user.mfa_enabled {
            return Err(Refused::Conflict("a second factor is in force: end it first".into()));
        }
        let secret = totp::Secret::random();
        let sealed = secret.seal(&self.sealing, &user.id);
        self.change(&user.id, UserChange::MfaPrepared(sealed)).await?;
        let uri = secret.uri(&self.pool_name, &user.username);
        Ok(MfaSetup { secret: secret.base32(), qr_svg: totp::qr_svg(&uri), uri })
    }

    /// The second factor is in force from now on. The session that asked ends for a new one, and all others end.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn mfa_enable(&self, from: &Origin, who: &Principal, code: String) -> Result<Enabled, Refused> {
        let user = self.of(who).await?;
        if user.mfa_enabled || user.mfa_sealed.is_none() {
            return Err(Refused::Conflict("set a second factor up first".into()));
        }
        self.take_factor(from, &user, Factor::Code(code)).await?;
        let backup_codes = self.new_codes(&user).await?;
        self.sessions.end_all(&user.id, None).await?;
        let user = self.users.user(user.id).await?.ok_or(Refused::NoSuch("user"))?;
        let pair = self.begin(from, &user, "auth.mfa.enable").await?;
        Ok(Enabled { backup_codes, pair })
    }

    async fn new_codes(&self, user: &UserRow) -> Result<Vec<String>, Refused> {
        let codes = totp::backup_codes();
        let digests = codes.iter().map(|code| totp::backup_digest(&user.id, code)).collect();
        self.change(&user.id, UserChange::MfaOn(digests)).await?;
        Ok(codes)
    }

    /// New backup codes in place of all others.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn backup_codes(
        &self,
        from: &Origin,
        who: &Principal,
        code: String,
    ) -> Result<Vec<String>, Refused> {
        let user = self.of(who).await?;
        if !user.mfa_enabled {
            return Err(Refused::Conflict("there is no second factor".into()));
        }
        self.take_factor(from, &user, Factor::Code(code)).await?;
        let codes = self.new_codes(&user).await?;
        let name = &user.username;
        self.trail.note(name, from.address, "auth.mfa.backup_codes", name, Outcome::Done, None, None).await;
        Ok(codes)
    }

    /// No second factor any more.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn mfa_disable(
        &self,
        from: &Origin,
        who: &Principal,
        password: String,
        factor: Factor,
    ) -> Result<(), Refused> {
        let user = self.of(who).await?;
        if !user.mfa_enabled {
            return Err(Refused::Conflict("there is no second factor".into()));
        }
        if self.needs_mfa(user.role) {
            return Err(Refused::Conflict(format!("the role {} can't go without one", user.role)));
        }
        self.again(from, &user, password).await?;
        self.take_factor(from, &user, factor).await?;
        self.change(&user.id, UserChange::MfaOff).await?;
        let name = &user.username;
        self.trail.note(name, from.address, "auth.mfa.disable", name, Outcome::Done, None, None).await;
        Ok(())
    }

    /// Backup codes that were not used.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn me(&self, who: &Principal) -> Result<(UserRow, u64), Refused> {
        let user = self.of(who).await?;
        let left = self.users.backup_codes_left(user.id.clone()).await?;
        Ok((user, left))
    }

    /// What an admin does with somebody else. Ends their sessions, so that what was taken away is gone at once.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn decide(&self, name: &str, decision: Decision) -> Result<(UserRow, UserRow), Refused> {
        let before = self.users.user_named(name.to_owned()).await?.ok_or(Refused::NoSuch("user"))?;
        let last = |done: bool| {
            let why = "the last admin who may sign in stays one: make another one first";
            if done { Ok(()) } else { Err(Refused::Conflict(why.into())) }
        };
        let change = |change| self.users.change_user(self.clock.now(), before.id.clone(), change);
        match decision {
            Decision::Role(role) => last(change(UserChange::Role(role)).await?)?,
            Decision::Disabled(disabled) => last(change(UserChange::Disabled(disabled)).await?)?,
            Decision::ResetMfa => self.change(&before.id, UserChange::MfaOff).await?,
            Decision::Password(password) => {
                self.strong(&password, &before.username)?;
                let hash = self.hasher.hash(password).await?;
                self.change(&before.id, UserChange::Password(hash)).await?;
            }
        }
        self.forget_tokens_of(&before.id);
        self.sessions.end_all(&before.id, None).await?;
        let after = self.users.user(before.id.clone()).await?.ok_or(Refused::NoSuch("user"))?;
        Ok((before, after))
    }

    fn forget_tokens_of(&self, user: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, known| known.token.user != user);
    }

    /// A token for scripts.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn add_token(
        &self,
        who: &Principal,
        name: &str,
        scopes: &[String],
        days: u64,
    ) -> Result<NewToken, Refused> {
        let user = self.of(who).await?;
        let name = name.trim();
        if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
            return Err(Refused::Unfit("name", "1 to 100 printable characters".into()));
        }
        if !(1..=TOKEN_DAYS_MAX).contains(&days) {
            return Err(Refused::Unfit("expires_in_days", format!("1 to {TOKEN_DAYS_MAX}")));
        }
        let scopes: BTreeSet<Scope> = scopes
            .iter()
            .map(|scope| scope.parse())
            .collect::<Result<_, String>>()
            .map_err(|why| Refused::Unfit("scopes", why))?;
        if scopes.is_empty() {
            return Err(Refused::Unfit("scopes", "at least one".into()));
        }
        let now = self.clock.now();
        let in_force = |token: &&TokenRow| token.revoked_at.is_none() && token.expires_at > now;
        if self.users.tokens_of(user.id.clone()).await?.iter().filter(in_force).count() >= TOKENS_MAX {
            return Err(Refused::Conflict(format!("{TOKENS_MAX} tokens are in force: take one back first")));
        }
        let id = hex::encode(rand::random::<[u8; 8]>());
        let secret = hex::encode(rand::random::<[u8; 32]>());
        let names: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
        let row = TokenRow {
            id: id.clone(),
            user: user.id,
            name: name.to_owned(),
            digest: Sha256::digest(secret.as_bytes()).into(),
            scopes: names.join(" "),
            created_at: now,
            expires_at: TimeMs(now.0 + days * 86_400_000),
            revoked_at: None,
        };
        self.users.add_token(row.clone()).await?;
        Ok(NewToken { token: format!("{TOKEN_PREFIX}{id}_{secret}"), row })
    }

    /// A user's tokens, newest first.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn tokens(&self, who: &Principal) -> Result<Vec<TokenRow>, Refused> {
        let user = self.of(who).await?;
        Ok(self.users.tokens_of(user.id).await?)
    }

    /// Takes one of a user's tokens back.
    ///
    /// # Errors
    /// [`Refused::NoSuch`].
    pub async fn revoke_token(&self, who: &Principal, id: &str) -> Result<TokenRow, Refused> {
        let user = self.of(who).await?;
        let token = self.users.token(id.to_owned()).await?.filter(|token| token.user == user.id);
        let token = token.ok_or(Refused::NoSuch("token"))?;
        self.users.revoke_token(self.clock.now(), id.to_owned()).await?;
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        Ok(token)
    }

    /// Whom a script's token stands for.
    pub(super) async fn script(&self, token: &str) -> Result<Option<Principal>, Refused> {
        let Some((id, secret)) = token.split_once('_') else { return Ok(None) };
        let remembered = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            let fresh = known.get(id).filter(|known| known.at.elapsed() < BELIEVED);
            fresh.map(|known| (known.token.clone(), known.name.clone(), known.role))
        };
        let (row, name, role) = match remembered {
            Some(known) => known,
            None => {
                let Some(token) = self.users.token(id.to_owned()).await? else { return Ok(None) };
                let owner = self.users.user(token.user.clone()).await?;
                let Some(owner) = owner.filter(|owner| owner.disabled_at.is_none()) else { return Ok(None) };
                let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                if known.len() >= REMEMBERED_MAX {
                    known.clear();
                }
                let entry = Known {
                    token: token.clone(),
                    name: owner.username.clone(),
                    role: owner.role,
                    at: Instant::now(),
                };
                known.insert(id.to_owned(), entry);
                (token, owner.username, owner.role)
            }
        };
        let digest: [u8; 32] = Sha256::digest(secret.as_bytes()).into();
        if !same(&digest, &row.digest) || row.revoked_at.is_some() || row.expires_at <= self.clock.now() {
            return Ok(None);
        }
        let scopes = row.scopes.split(' ').filter_map(|scope| scope.parse().ok()).collect();
        Ok(Some(Principal {
            actor: format!("token {} of {name}", row.name),
            role,
            by: By::Token { user: row.user, scopes },
        }))
    }

    /// Whether a password would be taken, for whoever makes users without the API.
    ///
    /// # Errors
    /// [`Refused::Unfit`].
    pub fn fit(name: &str, password: &str, chars_min: usize) -> Result<(), Refused> {
        let name = username(name)?;
        weakness(password, &name, chars_min).map_or(Ok(()), |why| Err(Refused::Unfit("password", why)))
    }

    /// A password that nobody chose: 100 bits in groups that can be typed.
    #[must_use]
    pub fn random_password() -> String {
        let codes = totp::backup_codes();
        format!("{}-{}", codes[0], &codes[1][..9])
    }

    /// The hash of a password, here and now.
    #[must_use]
    pub fn hash(password: &str) -> String {
        password::hash_now(password)
    }
}

/// What an admin does with somebody.
pub enum Decision {
    /// Gives a role.
    Role(Role),
    /// Keeps them out, or lets them in again.
    Disabled(bool),
    /// Takes the second factor away.
    ResetMfa,
    /// Gives another password.
    Password(String),
}
