//! Where people are kept who may sign in, the tokens of their scripts, and the trail of who did what.
//!
//! Each call is one transaction. What may happen only once (a code, a step of the second factor) is decided by the database,
//! so that pools that share it can't both take the same.

use std::{fmt, str::FromStr, sync::Arc};

use async_trait::async_trait;
use pool_domain::units::TimeMs;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    personal::{PersonalRow, PersonalSettings, SentPayout},
    store::StoreError,
};

/// What somebody may do. Each may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Their own affairs.
    Miner,
    /// Sees what operators see.
    Viewer,
    /// Runs the pool: algorithms, payouts, bans.
    Operator,
    /// Decides who may do what, and corrects balances.
    Admin,
}

impl Role {
    /// All, least first.
    pub const ALL: [Self; 4] = [Self::Miner, Self::Viewer, Self::Operator, Self::Admin];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Miner => "miner",
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| format!("{text:?} is no role: admin, operator, viewer or miner"))
    }
}

/// Somebody who may sign in. Does not print what is secret.
#[derive(Clone, PartialEq, Eq)]
pub struct UserRow {
    /// UUID.
    pub id: String,
    /// As it was written; compared without regard to case.
    pub username: String,
    /// Where mail goes, if anywhere.
    pub email: Option<String>,
    /// Since when that address is known to be theirs.
    pub email_verified_at: Option<TimeMs>,
    /// What they may do.
    pub role: Role,
    /// argon2id, in PHC form.
    pub password_hash: String,
    /// Key of the second factor, sealed.
    pub mfa_sealed: Option<Vec<u8>>,
    /// The second factor is in force.
    pub mfa_enabled: bool,
    /// May not sign in, since then.
    pub disabled_at: Option<TimeMs>,
    /// Since when there is such a user.
    pub created_at: TimeMs,
    /// Last change.
    pub updated_at: TimeMs,
}

impl fmt::Debug for UserRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserRow")
            .field("id", &self.id)
            .field("username", &self.username)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// Somebody new.
#[derive(Clone)]
pub struct NewUser {
    /// UUID.
    pub id: String,
    /// 3 to 50 of `A-Z a-z 0-9 . _ -`.
    pub username: String,
    /// Where mail goes, if anywhere.
    pub email: Option<String>,
    /// What they may do.
    pub role: Role,
    /// argon2id, in PHC form.
    pub password_hash: String,
}

/// What changes of a user.
#[derive(Clone)]
pub enum UserChange {
    /// What they may do. Refused for the last admin who may sign in.
    Role(Role),
    /// Whether they may sign in. Refused for the last admin who may.
    Disabled(bool),
    /// Another password's hash. Links that would set another one end.
    Password(String),
    /// An address that is not confirmed yet, or none. Links to the one before end.
    Email(Option<String>),
    /// A sealed key of a second factor, not in force yet. Refused while one is.
    MfaPrepared(Vec<u8>),
    /// The prepared factor is in force, or gets new codes: their digests replace all others.
    MfaOn(Vec<[u8; 32]>),
    /// No second factor any more.
    MfaOff,
}

/// What a link in a mail is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkPurpose {
    /// It shows that the address is the user's.
    Confirm,
    /// It lets them set another password.
    Reset,
}

impl LinkPurpose {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Reset => "reset",
        }
    }
}

/// A link in a mail: whoever shows its secret reads that mail.
#[derive(Clone, PartialEq, Eq)]
pub struct MailLink {
    /// SHA-256 of its secret.
    pub digest: [u8; 32],
    /// Whose.
    pub user: String,
    /// What for.
    pub purpose: LinkPurpose,
    /// Where it was sent to.
    pub email: String,
    /// Since when.
    pub created_at: TimeMs,
    /// Until when.
    pub expires_at: TimeMs,
}

/// How it was shown that an account is a user's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimedBy {
    /// By a signature of its key.
    Signature,
    /// By the machines that mine for it.
    Workers,
}

impl ClaimedBy {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Workers => "workers",
        }
    }
}

impl FromStr for ClaimedBy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = [Self::Signature, Self::Workers].into_iter().find(|by| by.as_str() == text);
        found.ok_or_else(|| format!("{text:?} is no way to claim"))
    }
}

/// An account that a user has claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedAccount {
    /// The payout address.
    pub account: String,
    /// Whose.
    pub user: String,
    /// How it was shown.
    pub by: Option<ClaimedBy>,
    /// When.
    pub at: Option<TimeMs>,
}

/// A token for scripts.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// Its public part: 16 hex digits.
    pub id: String,
    /// Whose.
    pub user: String,
    /// What it is for.
    pub name: String,
    /// SHA-256 of its secret part.
    pub digest: [u8; 32],
    /// What it may be used for, separated by spaces.
    pub scopes: String,
    /// Since when.
    pub created_at: TimeMs,
    /// Until when.
    pub expires_at: TimeMs,
    /// Taken back.
    pub revoked_at: Option<TimeMs>,
}

/// How an act ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was done.
    Done,
    /// Whoever asked may not, or asked wrongly.
    Refused,
    /// It could not be done.
    Failed,
}

impl Outcome {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// A line of the trail, before it has a number. Texts are cut to what the trail keeps.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditLine {
    /// When.
    pub at: TimeMs,
    /// At which pool process.
    pub node: String,
    /// Who: a user's name, `token NAME of USER`, `admin token`, or who it was said to be.
    pub actor: String,
    /// From where.
    pub address: Option<String>,
    /// What, such as `auth.login` or `POST /api/admin/payouts/hold`.
    pub action: String,
    /// On what.
    pub subject: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What it was before.
    pub before: Option<Value>,
    /// What it is after.
    pub after: Option<Value>,
}

/// Which lines are wanted, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Older than this line.
    pub before: Option<u64>,
    /// Of this actor alone.
    pub actor: Option<String>,
    /// Whose action begins so.
    pub action: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// Users behind their port.
pub type SharedUsers = Arc<dyn UserStore>;

/// See the module's documentation.
#[async_trait]
pub trait UserStore: Send + Sync {
    /// Adds somebody; `false` = the name is taken. An address may be several users' until one of them has confirmed it.
    async fn add_user(&self, at: TimeMs, user: NewUser) -> Result<bool, StoreError>;

    /// By id.
    async fn user(&self, id: String) -> Result<Option<UserRow>, StoreError>;

    /// By name, in any case.
    async fn user_named(&self, username: String) -> Result<Option<UserRow>, StoreError>;

    /// By name, after this one.
    async fn users(&self, after: Option<String>, limit: usize) -> Result<Vec<UserRow>, StoreError>;

    /// Changes somebody; `false` = there is no such user, or it is refused (see [`UserChange`]).
    async fn change_user(&self, at: TimeMs, id: String, change: UserChange) -> Result<bool, StoreError>;

    /// Takes a time step of the second factor; `false` = it, or a later one, was taken before.
    async fn take_mfa_step(&self, id: String, step: u64) -> Result<bool, StoreError>;

    /// Takes a backup code; `false` = there is none such, or it was taken before.
    async fn take_backup_code(&self, at: TimeMs, id: String, digest: [u8; 32]) -> Result<bool, StoreError>;

    /// Backup codes that were not used.
    async fn backup_codes_left(&self, id: String) -> Result<u64, StoreError>;

    /// Users with this address, in any case: who has confirmed it first, then the newest.
    async fn users_with_email(&self, email: String, limit: usize) -> Result<Vec<UserRow>, StoreError>;

    /// Adds a link. One to confirm an address is good in place of all earlier ones.
    async fn add_mail_link(&self, link: MailLink) -> Result<(), StoreError>;

    /// Whose link this is, if it is good.
    async fn mail_link_user(
        &self,
        at: TimeMs,
        digest: [u8; 32],
        purpose: LinkPurpose,
    ) -> Result<Option<UserRow>, StoreError>;

    /// Takes a link to confirm an address, which is the user's from then on; `false` = it is not good, or the address is confirmed to be
    /// another user's.
    async fn confirm_email(&self, at: TimeMs, digest: [u8; 32]) -> Result<bool, StoreError>;

    /// Takes a link to reset a password, and sets this one; `false` = it is not good. All other such links of the user end.
    async fn reset_password(
        &self,
        at: TimeMs,
        digest: [u8; 32],
        password_hash: String,
    ) -> Result<bool, StoreError>;

    /// The account is the user's. It is taken from another user whose claim is weaker, or the same and older; `false` = there is no
    /// such account, or another's claim is stronger.
    async fn claim_account(
        &self,
        at: TimeMs,
        account: String,
        user: String,
        by: ClaimedBy,
    ) -> Result<bool, StoreError>;

    /// The account is nobody's; `false` = it was not this user's.
    async fn release_account(&self, account: String, user: String) -> Result<bool, StoreError>;

    /// A user's accounts, at most 500.
    async fn accounts_of(&self, user: String) -> Result<Vec<ClaimedAccount>, StoreError>;

    /// What a user wants to hear of an account of theirs (nothing, if they never said); `None` = it is not theirs.
    async fn personal_of(&self, account: String, user: String) -> Result<Option<PersonalRow>, StoreError>;

    /// Sets that; `false` = the account is not theirs.
    async fn set_personal(
        &self,
        at: TimeMs,
        account: String,
        user: String,
        settings: PersonalSettings,
    ) -> Result<bool, StoreError>;

    /// What all want to hear, at most 10,000.
    async fn personal_all(&self) -> Result<Vec<PersonalRow>, StoreError>;

    /// Workers of an account that were connected when it was last looked at.
    async fn set_personal_workers(
        &self,
        account: String,
        user: String,
        workers: Vec<String>,
    ) -> Result<(), StoreError>;

    /// Payouts that were sent after this step, to accounts of whose affairs somebody wants to hear; in order.
    async fn sent_payouts(&self, after: u64) -> Result<Vec<SentPayout>, StoreError>;

    /// The step up to which people were told of payouts.
    async fn payouts_told(&self) -> Result<u64, StoreError>;

    /// They were told up to this step.
    async fn set_payouts_told(&self, step: u64) -> Result<(), StoreError>;

    /// Adds a token.
    async fn add_token(&self, token: TokenRow) -> Result<(), StoreError>;

    /// A token, whatever became of it.
    async fn token(&self, id: String) -> Result<Option<TokenRow>, StoreError>;

    /// A user's newest tokens, at most 500.
    async fn tokens_of(&self, user: String) -> Result<Vec<TokenRow>, StoreError>;

    /// Takes a token back; `false` = it was before.
    async fn revoke_token(&self, at: TimeMs, id: String) -> Result<bool, StoreError>;

    /// Adds a line to the trail.
    async fn add_audit(&self, line: AuditLine) -> Result<(), StoreError>;

    /// Lines of the trail with their numbers.
    async fn audit(&self, query: AuditQuery) -> Result<Vec<(u64, AuditLine)>, StoreError>;
}
