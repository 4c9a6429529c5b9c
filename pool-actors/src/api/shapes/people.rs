//! Signing in, users, the trail, alerts, errors.

use schemars::JsonSchema;
use serde_json::Value;

use super::text::{AlertSeverity, Cursor, Number, OutcomeName, RoleName, ScopeName, Secret, Severity, Time};

/// Somebody who may sign in.
#[derive(JsonSchema)]
pub(in crate::api) struct User {
    id: String,
    username: String,
    email: Option<String>,
    /// The address is known to be theirs.
    email_verified: bool,
    role: RoleName,
    /// The second factor is in force.
    mfa: bool,
    disabled_at: Option<Time>,
    created_at: Time,
}

/// A letter was asked for; whether one is sent is not told.
#[derive(JsonSchema)]
pub(in crate::api) struct LetterAsked {
    /// `sent_if_known`.
    status: String,
}

/// Whose address was confirmed.
#[derive(JsonSchema)]
pub(in crate::api) struct Confirmed {
    username: String,
    email: Option<String>,
}

/// A payout address of one's own.
#[derive(JsonSchema)]
pub(in crate::api) struct OwnAddress {
    account: String,
    /// `signature` or `workers`: how it was shown.
    by: Option<String>,
    claimed_at: Option<Time>,
}

/// A claim that was begun.
#[derive(JsonSchema)]
pub(in crate::api) struct ClaimBegun {
    account: String,
    /// What a machine that mines for the address shows as its password.
    password: Secret,
    /// What the address's key signs.
    challenge: String,
    /// Whether addresses of this kind have a key that signs.
    signature: bool,
    expires_at: Time,
}

/// A claim that was shown.
#[derive(JsonSchema)]
pub(in crate::api) struct Claimed {
    account: String,
    /// `signature` or `workers`.
    by: String,
}

/// What somebody hears of an address of theirs, and where.
#[derive(JsonSchema)]
pub(in crate::api) struct PersonalAlerts {
    /// 0 = not told.
    worker_offline_minutes: u32,
    /// 0 = not told.
    hashrate_drop_percent: u32,
    payout: bool,
    block: bool,
    email: bool,
    /// Whether there is a confirmed address for mail.
    email_confirmed: bool,
    channels: Vec<PersonalChannel>,
    /// Whether there is a password by which machines may change what is told.
    key: bool,
    /// Whether the pool offers it at all.
    offered: bool,
    telegram_offered: bool,
}

/// A place where somebody is told.
#[derive(JsonSchema)]
pub(in crate::api) struct PersonalChannel {
    channel: crate::ports::personal::PlaceKind,
    /// What may be shown of where it is.
    to: String,
    /// Whether somebody showed that they read there. Nothing is sent there before.
    confirmed: bool,
}

/// What was set, and what came of the codes that were sent.
#[derive(JsonSchema)]
pub(in crate::api) struct PersonalAlertsSet {
    #[serde(flatten)]
    alerts: PersonalAlerts,
    sent: Vec<PersonalSent>,
}

/// What came of tests.
#[derive(JsonSchema)]
pub(in crate::api) struct PersonalTried {
    sent: Vec<PersonalSent>,
}

/// What came of a message.
#[derive(JsonSchema)]
pub(in crate::api) struct PersonalSent {
    /// `email`, `webhook`, `discord` or `telegram`.
    channel: String,
    ok: bool,
    /// Why it was not taken.
    message: Option<String>,
}

/// A password by which machines may change what is told of an address.
#[derive(JsonSchema)]
pub(in crate::api) struct PersonalKey {
    account: String,
    password: Secret,
}

/// A session.
#[derive(JsonSchema)]
pub(in crate::api) struct SessionLine {
    id: String,
    username: String,
    role: RoleName,
    address: Option<String>,
    agent: Option<String>,
    created_at: Time,
    seen_at: Option<Time>,
    ends_at: Time,
}

/// One's own session.
#[derive(JsonSchema)]
pub(in crate::api) struct OwnSession {
    #[serde(flatten)]
    session: SessionLine,
    /// The one that asks.
    current: bool,
}

/// A user with open sessions.
#[derive(JsonSchema)]
pub(in crate::api) struct UserDetails {
    #[serde(flatten)]
    user: User,
    sessions: Vec<SessionLine>,
}

/// Who a session stands for.
#[derive(JsonSchema)]
pub(in crate::api) struct MeSession {
    #[serde(flatten)]
    user: User,
    /// `session`.
    by: String,
    session: String,
    mfa_setup_required: bool,
    backup_codes_left: u64,
}

/// Who a token for scripts stands for.
#[derive(JsonSchema)]
pub(in crate::api) struct MeToken {
    /// `token`.
    by: String,
    username: Option<String>,
    name: String,
    role: RoleName,
    scopes: Vec<ScopeName>,
}

/// The pool's own token.
#[derive(JsonSchema)]
pub(in crate::api) struct MeAdminToken {
    /// `admin_token`.
    by: String,
    username: Option<String>,
    role: RoleName,
}

/// Who the token stands for.
#[derive(JsonSchema)]
#[serde(untagged)]
pub(in crate::api) enum Me {
    Session(MeSession),
    Token(MeToken),
    AdminToken(MeAdminToken),
}

/// A token for scripts.
#[derive(JsonSchema)]
pub(in crate::api) struct ApiToken {
    id: String,
    name: String,
    scopes: Vec<ScopeName>,
    created_at: Time,
    expires_at: Time,
    revoked_at: Option<Time>,
}

/// A new token for scripts; `token` is shown once.
#[derive(JsonSchema)]
pub(in crate::api) struct NewApiToken {
    #[serde(flatten)]
    line: ApiToken,
    token: Secret,
}

/// A pair of tokens.
#[derive(JsonSchema)]
pub(in crate::api) struct TokenPair {
    token: Secret,
    refresh_token: Secret,
    /// Seconds.
    expires_in: u64,
    mfa_required: bool,
    /// Good for nothing but setting up a second factor.
    mfa_setup_required: bool,
}

/// Half a log-in: `mfa/verify` takes `mfa_token` with the second factor.
#[derive(JsonSchema)]
pub(in crate::api) struct HalfLogIn {
    token: Option<Secret>,
    refresh_token: Option<Secret>,
    expires_in: u64,
    mfa_required: bool,
    mfa_token: Secret,
}

/// What a log-in gives.
#[derive(JsonSchema)]
#[serde(untagged)]
pub(in crate::api) enum LogInAnswer {
    Pair(TokenPair),
    Half(HalfLogIn),
}

/// A key for a second factor, not in force yet.
#[derive(JsonSchema)]
pub(in crate::api) struct MfaSetup {
    secret: String,
    otpauth_uri: String,
    qr_svg: String,
}

/// The second factor is in force; all other sessions have ended.
#[derive(JsonSchema)]
pub(in crate::api) struct MfaEnabled {
    #[serde(flatten)]
    pair: TokenPair,
    backup_codes: Vec<String>,
}

/// Codes that are good once each.
#[derive(JsonSchema)]
pub(in crate::api) struct BackupCodes {
    backup_codes: Vec<String>,
}

/// A line of the trail.
#[derive(JsonSchema)]
pub(in crate::api) struct TrailEntry {
    id: Number,
    at: Time,
    node: String,
    actor: String,
    address: Option<String>,
    action: String,
    subject: String,
    outcome: OutcomeName,
    before: Option<Value>,
    after: Option<Value>,
}

#[derive(JsonSchema)]
struct Acknowledged {
    by: String,
    at: Time,
    note: String,
}

/// An alert.
#[derive(JsonSchema)]
pub(in crate::api) struct Alert {
    id: Number,
    rule: String,
    subject: String,
    severity: AlertSeverity,
    /// `firing` or `resolved`.
    state: String,
    message: String,
    documentation_link: String,
    value: Option<f64>,
    fired_at: Time,
    resolved_at: Option<Time>,
    acknowledged: Option<Acknowledged>,
    inhibited_by: Option<String>,
    silenced: bool,
}

/// A time during which nobody is told of a rule's alerts.
#[derive(JsonSchema)]
pub(in crate::api) struct SilenceView {
    id: Number,
    rule: String,
    subject: String,
    by: String,
    reason: String,
    at: Time,
    until: Time,
}

/// What fires, and a page of what is over.
#[derive(JsonSchema)]
pub(in crate::api) struct AlertsView {
    items: Vec<Alert>,
    next: Option<Cursor>,
    firing: Vec<Alert>,
    silences: Vec<SilenceView>,
}

/// A rule.
#[derive(JsonSchema)]
pub(in crate::api) struct AlertRule {
    name: String,
    severity: AlertSeverity,
    condition: String,
    for_s: u64,
    message: String,
    inhibited_by: Vec<String>,
    value: Option<f64>,
}

/// A channel.
#[derive(JsonSchema)]
pub(in crate::api) struct AlertChannel {
    name: String,
    kind: String,
    delivered: u64,
    given_up: u64,
    waiting: u64,
    delivered_at: Option<Time>,
    trouble: Option<String>,
}

/// Whether a channel works.
#[derive(JsonSchema)]
pub(in crate::api) struct ChannelTried {
    channel: String,
    ok: bool,
    message: Option<String>,
}

#[derive(JsonSchema)]
pub(in crate::api) struct SuggestedAction {
    action: String,
    command: Option<String>,
    /// `low`, `medium`, `high` or `critical`.
    priority: String,
}

#[derive(JsonSchema)]
struct AutoRecovery {
    action: String,
    meaning: String,
}

#[derive(JsonSchema)]
struct ErrorDetails {
    /// What the log is searched for; also in the header `X-Request-Id`.
    id: String,
    /// Stable; `/docs/errors/CODE` explains it.
    #[schemars(extend("pattern" = "^[A-Z][A-Z0-9_]+$"))]
    code: String,
    message: String,
    /// What is known besides; `parameter` names what was wrong with the request.
    details: serde_json::Map<String, Value>,
    suggested_actions: Vec<SuggestedAction>,
    /// What the pool does about it by itself.
    auto_recovery: Vec<AutoRecovery>,
    documentation_link: String,
    severity: Severity,
    timestamp: Time,
}

/// Every error.
#[derive(JsonSchema)]
pub(in crate::api) struct ErrorAnswer {
    error: ErrorDetails,
}
