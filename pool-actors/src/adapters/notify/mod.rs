//! Ways to tell people: webhooks of all kinds over HTTP, and mail.

mod archive_file;
mod http;
mod mail;
mod payloads;

use std::sync::Arc;

pub use archive_file::FileArchive;

use crate::{
    config::{AlertChannel, ChannelKind},
    error::{Code, Failure},
    ports::notifier::SharedNotifier,
};

/// The notifier of a configured channel.
///
/// # Errors
/// When a key is missing or can't be used, by the name of the channel.
pub fn notifier(channel: &AlertChannel) -> Result<SharedNotifier, Failure> {
    let notifier: Result<SharedNotifier, String> = match channel.kind {
        ChannelKind::Email => mail::Mail::new(channel).map(|mail| Arc::new(mail) as SharedNotifier),
        _ => http::Hook::new(channel).map(|hook| Arc::new(hook) as SharedNotifier),
    };
    notifier.map_err(|what| {
        Failure::new(
            Code::ConfigInvalid,
            format!("alerts.channel {:?}: {what}", channel.name),
            "pool.example.toml says what each kind of channel needs",
        )
    })
}

/// A secret's text; empty if it is not set.
fn revealed(secret: Option<&crate::config::Secret>) -> Result<String, String> {
    secret.map_or_else(|| Ok(String::new()), |secret| secret.reveal().map_err(|failure| failure.to_string()))
}

/// What must be set.
fn needed(value: &str, key: &str) -> Result<(), String> {
    if value.is_empty() { Err(format!("it needs `{key}`")) } else { Ok(()) }
}
