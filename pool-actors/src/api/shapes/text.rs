//! Values that are text on the wire, and what they look like.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

macro_rules! texts {
    ($($(#[doc = $doc:literal])+ $name:ident { $($key:literal: $value:tt),+ $(,)? })+) => {$(
        $(#[doc = $doc])+
        pub(in crate::api) struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let description = concat!($($doc),+).trim();
                json_schema!({ "type": "string", "description": description, $($key: $value),+ })
            }
        }
    )+};
}

texts! {
    /// Money in the smallest unit of the chain: a whole number as text, since readers of JSON round large numbers.
    Amount { "pattern": "^-?[0-9]+$", "examples": ["5000000000"] }
    /// Expected hashes, a whole number as text.
    Work { "pattern": "^[0-9]+$", "examples": ["18446744073709551616"] }
    /// A difficulty as a decimal text.
    Difficulty { "pattern": "^[0-9]+([.][0-9]+)?$", "examples": ["0.0625"] }
    /// RFC 3339, UTC, with milliseconds.
    Time { "format": "date-time", "examples": ["2026-11-28T12:00:00.000Z"] }
    /// A block's hash: 64 hexadecimal digits, lower case.
    Hash { "pattern": "^[0-9a-f]{64}$", "examples": ["00000000000000000000000000000000000000000000000000000000000000ff"] }
    /// A payout address: 1 to 128 printable ASCII characters without a dot.
    AccountName { "pattern": "^[!-\\-/-~]{1,128}$", "examples": ["kaspa:qq0example"] }
    /// A name of a rig: up to 64 characters.
    WorkerName { "pattern": "^[A-Za-z0-9_.:@+/=-]{0,64}$", "examples": ["rig-1"] }
    /// A hash function.
    AlgorithmName { "pattern": "^[a-z0-9-]{1,32}$", "examples": ["blake2s"] }
    /// Where the next page begins: `cursor` of the next request.
    Cursor { "minLength": 1, "examples": ["17"] }
    /// A whole number as text.
    Number { "pattern": "^[0-9]+$", "examples": ["17"] }
    /// Hexadecimal digits, lower case.
    HexText { "pattern": "^([0-9a-f]{2})*$", "examples": ["00ff"] }
    /// How far a block has come.
    BlockStatus { "enum": ["candidate", "submitted", "accepted", "rejected", "matured", "paid", "void"] }
    /// What the DAG says of a block; it may change until the block is mature.
    BlockColor { "enum": ["unknown", "blue", "red"] }
    /// How far a payout has come; `settled` and `returned` are final.
    PayoutState { "enum": ["reserved", "signed", "broadcast", "confirming", "settled", "returned"] }
    /// What a credit is for.
    IncomeKind { "enum": ["block", "red_merge"] }
    /// What became of a credit.
    CreditState { "enum": ["pending", "confirmed", "voided"] }
    /// How bad it is.
    Severity { "enum": ["info", "warning", "error", "critical"] }
    /// How bad an alert is.
    AlertSeverity { "enum": ["warning", "error", "critical"] }
    /// How a phase fares.
    PhaseStatus { "enum": ["pending", "active", "completed", "failed", "rolled_back"] }
    /// The form of a proof.
    ProofFormat { "enum": ["dagpool-proof-1"] }
    /// How far the pool is kept from an algorithm's code.
    Isolation { "enum": ["wasm", "process", "in-process"] }
    /// An upgrade is new code of the same hash function, a migration another function.
    RolloutKind { "enum": ["upgrade", "migration"] }
    /// How a generation fares beside the old one.
    SlotHealth { "enum": ["healthy", "degraded", "unhealthy", "unknown"] }
    /// Where a deployment is.
    DeploymentStatus { "enum": ["scheduled", "pending", "running", "paused", "completed", "rolled_back"] }
    /// How a deployment goes about it.
    StrategyName { "enum": ["immediate", "gradual", "scheduled"] }
    /// What somebody may do; each may do what those before it may.
    RoleName { "enum": ["miner", "viewer", "operator", "admin"] }
    /// What a token for scripts is good for.
    ScopeName { "enum": ["read", "algorithms", "payouts", "ledger", "operate", "admin"] }
    /// How an act ended.
    OutcomeName { "enum": ["done", "refused", "failed"] }
    /// Why an address may not connect.
    BanReason { "enum": ["malformed", "invalid_shares", "poisonous_shares", "operator"] }
    /// Why somebody at the threshold is not paid now.
    SkipReason { "enum": ["waits_for_limit", "above_limit", "above_chain_limit"] }
    /// A secret; never shown again.
    Secret { "minLength": 1, "maxLength": 4096, "format": "password" }
}
