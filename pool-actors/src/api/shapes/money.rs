//! Payouts and corrections.

use schemars::JsonSchema;

use super::people::SuggestedAction;
use super::text::{AccountName, Amount, Cursor, HexText, Number, PayoutState, SkipReason, Time};

/// What is agreed with an account about payouts.
#[derive(JsonSchema)]
struct Terms {
    /// Its own threshold; null = the pool's.
    threshold: Option<Amount>,
    /// Why it is held, if it is.
    held: Option<String>,
    /// Why it was set aside, if it was.
    set_aside: Option<String>,
}

/// A payout as the miner sees it.
#[derive(JsonSchema)]
struct MinerPayout {
    id: Number,
    /// The miner's own part.
    amount: Amount,
    state: PayoutState,
    txid: Option<String>,
    created_at: Time,
    confirmed_at: Option<Time>,
    reason: Option<String>,
}

/// A page of an account's payouts, and its terms.
#[derive(JsonSchema)]
pub(in crate::api) struct MinerPayouts {
    items: Vec<MinerPayout>,
    next: Option<Cursor>,
    terms: Terms,
}

#[derive(JsonSchema)]
struct Recipient {
    account: AccountName,
    amount: Amount,
}

/// A payout with all whom it pays.
#[derive(JsonSchema)]
pub(in crate::api) struct Payout {
    id: Number,
    state: PayoutState,
    amount: Amount,
    recipients: Vec<Recipient>,
    txid: Option<String>,
    fee: Option<Amount>,
    /// Why it is held, if it is.
    held: Option<String>,
    recipient_held: bool,
    created_at: Time,
    updated_at: Time,
    confirmed_at: Option<Time>,
    reason: Option<String>,
}

#[derive(JsonSchema)]
struct PayoutStep {
    at: Time,
    state: PayoutState,
    detail: String,
}

/// A payout with its history and its transaction.
#[derive(JsonSchema)]
pub(in crate::api) struct PayoutDetails {
    #[serde(flatten)]
    payout: Payout,
    /// The signed transaction.
    bytes: Option<HexText>,
    spends: Option<Vec<serde_json::Value>>,
    steps: Vec<PayoutStep>,
}

#[derive(JsonSchema)]
struct Waiting {
    account: AccountName,
    amount: Amount,
    reason: String,
}

#[derive(JsonSchema)]
struct Skipped {
    account: AccountName,
    amount: Amount,
    reason: SkipReason,
}

#[derive(JsonSchema)]
struct AccountTerms {
    #[serde(flatten)]
    terms: Terms,
    account: AccountName,
}

#[derive(JsonSchema)]
struct Rules {
    threshold: Amount,
    limit_per_hour: Option<Amount>,
    limit_per_day: Option<Amount>,
    recipients_max: u64,
    interval_s: u64,
    confirmations: u64,
}

/// What was reserved lately.
#[derive(JsonSchema)]
struct Spent {
    hour: Amount,
    day: Amount,
}

/// Something is in the way of payouts.
#[derive(JsonSchema)]
struct PayoutTrouble {
    /// Of this payout; null = of a whole round.
    payout: Option<Number>,
    what: String,
}

/// What is due and did not go out because of a failure, until it does: what the alert `payouts_in_trouble` is about.
#[derive(JsonSchema)]
struct StuckPayouts {
    /// A round did not get through its open payouts.
    round: bool,
    /// A plan was due, and was not made.
    plan: bool,
    /// Payouts that something is in the way of.
    payouts: Vec<Number>,
}

/// How the dispatcher fares.
#[derive(JsonSchema)]
pub(in crate::api) struct PayoutDesk {
    /// Whether this pool process pays at all.
    enabled: bool,
    /// It is the one dispatcher of this database.
    dispatching: bool,
    /// Why everything is held, if it is.
    held: Option<String>,
    /// Another process of this database pays, and this one stands by: in words.
    standing_by: Option<String>,
    /// `troubles` as one sentence; null while nothing is stuck.
    trouble: Option<String>,
    /// What is in the way of all that is stuck.
    troubles: Vec<PayoutTrouble>,
    stuck: StuckPayouts,
    /// What to do about it, as `PAYOUTS_UNAVAILABLE` has it; empty while nothing is stuck.
    suggested_actions: Vec<SuggestedAction>,
    open: u64,
    looked_at: Option<Time>,
    planned_at: Option<Time>,
    waiting: Vec<Waiting>,
    terms: Vec<AccountTerms>,
    rules: Option<Rules>,
    spent: Spent,
}

/// A line of what operators did about payouts.
#[derive(JsonSchema)]
pub(in crate::api) struct PayoutAct {
    at: Time,
    actor: String,
    action: String,
    subject: String,
    detail: String,
}

#[derive(JsonSchema)]
struct PlannedPayout {
    recipients: Vec<Recipient>,
}

/// What would be paid now.
#[derive(JsonSchema)]
pub(in crate::api) struct DryRun {
    held: Option<String>,
    amount: Amount,
    payouts: Vec<PlannedPayout>,
    skipped: Vec<Skipped>,
    refused: Vec<Waiting>,
    spent: Spent,
}

/// The dispatcher was asked.
#[derive(JsonSchema)]
pub(in crate::api) struct Asked {
    status: String,
}

/// What is held now.
#[derive(JsonSchema)]
pub(in crate::api) struct Held {
    held: String,
}

/// What is held no more.
#[derive(JsonSchema)]
pub(in crate::api) struct Released {
    released: String,
}

/// An account's threshold.
#[derive(JsonSchema)]
pub(in crate::api) struct Threshold {
    account: AccountName,
    threshold: Option<Amount>,
}

/// A correction of a balance.
#[derive(JsonSchema)]
pub(in crate::api) struct AdjustmentView {
    id: u64,
    at: Time,
    reference: String,
    account: AccountName,
    amount: Amount,
    author: String,
    reason: String,
    below_zero: bool,
}
