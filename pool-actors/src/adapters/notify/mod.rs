//! Ways to tell people: webhooks of all kinds over HTTP, and mail; to places that the configuration names, and to those that
//! people chose.

mod http;
mod mail;
mod messenger;
mod payloads;

use std::{path::Path, sync::Arc};

pub use messenger::OpenMessenger;

use crate::{
    config::{self, AlertChannel, ChannelKind},
    error::{Code, Failure},
    ports::{mailer::SharedMailer, notifier::SharedNotifier},
};

/// The notifier of a configured channel. `site` is the pool's public address, if one is configured: what links begin with.
///
/// # Errors
/// When a key is missing or can't be used, by the name of the channel.
pub fn notifier(channel: &AlertChannel, site: &str) -> Result<SharedNotifier, Failure> {
    let notifier: Result<SharedNotifier, String> = match channel.kind {
        ChannelKind::Email => mail::Mail::new(channel).map(|mail| Arc::new(mail) as SharedNotifier),
        _ => http::Hook::new(channel, site).map(|hook| Arc::new(hook) as SharedNotifier),
    };
    notifier.map_err(|what| {
        Failure::new(
            Code::ConfigInvalid,
            format!("alerts.channel {:?}: {what}", channel.name),
            "pool.example.toml says what each kind of channel needs",
        )
    })
}

/// How mail goes to the pool's users; a relative folder is below `data_dir`.
///
/// # Errors
/// When a key can't be used.
pub fn mailer(mail: &config::Mail, data_dir: &Path) -> Result<SharedMailer, Failure> {
    let mut url = mail.url.reveal()?;
    if let Some(folder) = url.strip_prefix("outbox:") {
        url = format!("outbox:{}", data_dir.join(folder).display());
    }
    let post = mail::Post::new(&url, &mail.from, mail.timeout_ms, &mail.ca_file);
    let wrong = |what| {
        Failure::new(Code::ConfigInvalid, format!("mail: {what}"), "pool.example.toml documents the keys")
    };
    Ok(Arc::new(post.map_err(wrong)?))
}

/// A secret's text; empty if it is not set.
fn revealed(secret: Option<&crate::config::Secret>) -> Result<String, String> {
    secret.map_or_else(|| Ok(String::new()), |secret| secret.reveal().map_err(|failure| failure.to_string()))
}

/// What must be set.
fn needed(value: &str, key: &str) -> Result<(), String> {
    if value.is_empty() { Err(format!("it needs `{key}`")) } else { Ok(()) }
}
