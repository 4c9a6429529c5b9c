//! Configuration and log.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde_json::Value;

use super::text::{Cursor, Time};

/// A key of the configuration.
#[derive(JsonSchema)]
struct ConfigKey {
    name: String,
    /// `***` for a secret.
    value: Value,
    default: Value,
    /// "default", "file", "environment" or "command".
    source: String,
    /// The variable, if it is the environment.
    variable: Option<String>,
    /// It can change while the pool runs.
    live: bool,
    doc: String,
}

/// A section of the configuration.
#[derive(JsonSchema)]
struct ConfigSection {
    name: String,
    keys: Vec<ConfigKey>,
}

/// A key whose value differs between what is in force and the file.
#[derive(JsonSchema)]
struct ConfigChange {
    key: String,
    from: String,
    to: String,
    /// It takes effect without a restart.
    live: bool,
}

/// The configuration in force.
#[derive(JsonSchema)]
pub(in crate::api) struct ConfigView {
    file: Option<String>,
    read_at: Time,
    sections: Vec<ConfigSection>,
    /// What the file says and waits for a restart.
    waiting: Vec<ConfigChange>,
}

/// What a reload changed, or would.
#[derive(JsonSchema)]
pub(in crate::api) struct ConfigReloaded {
    dry_run: bool,
    changes: Vec<ConfigChange>,
    live: u64,
    waiting: u64,
}

/// A line of the log.
#[derive(JsonSchema)]
struct LogLine {
    seq: u64,
    at: Time,
    /// "error", "warn", "info", "debug" or "trace".
    level: String,
    category: String,
    target: String,
    message: String,
    fields: BTreeMap<String, String>,
}

/// Lines of the log, oldest first.
#[derive(JsonSchema)]
pub(in crate::api) struct LogLines {
    items: Vec<LogLine>,
    /// Where older lines are.
    next: Option<Cursor>,
    /// Where a follower goes on.
    seen: u64,
    /// Lines after `after` that are not kept any more.
    missed: u64,
    categories: Vec<String>,
}
