//! The one way for any part of the pool to stop the process: with a reason, in order, once.

use std::{fmt, sync::Arc};

use tokio::sync::watch;

/// Why the process stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopReason {
    /// Stable code, such as `JOURNAL_UNUSABLE`; see `error.rs`.
    pub code: &'static str,
    /// One sentence: what happened, where, what to do.
    pub sentence: String,
    /// Whether somebody asked for it (exit status 0) or something broke.
    pub requested: bool,
}

impl StopReason {
    /// The operator asked for it.
    pub fn requested(sentence: impl Into<String>) -> Self {
        Self { code: "STOP_REQUESTED", sentence: sentence.into(), requested: true }
    }

    /// Something broke that the process can't go on without.
    pub fn failure(code: &'static str, sentence: impl Into<String>) -> Self {
        Self { code, sentence: sentence.into(), requested: false }
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

/// Shared handle: any clone may ask, any clone may wait. The first reason wins.
#[derive(Clone, Debug)]
pub struct Shutdown {
    reason: Arc<watch::Sender<Option<StopReason>>>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

impl Shutdown {
    /// Nobody has asked yet.
    #[must_use]
    pub fn new() -> Self {
        Self { reason: Arc::new(watch::channel(None).0) }
    }

    /// Asks the process to stop. Returns whether this is the first reason; later ones are
    /// consequences, of interest to the curious only.
    pub fn stop(&self, reason: StopReason) -> bool {
        self.reason.send_if_modified(|first| {
            if first.is_some() {
                tracing::debug!(code = reason.code, "already stopping: {reason}");
                return false;
            }
            if reason.requested {
                tracing::info!(code = reason.code, "stopping: {reason}");
            } else {
                tracing::error!(code = reason.code, "stopping: {reason}");
            }
            *first = Some(reason);
            true
        })
    }

    /// The reason, if somebody has asked.
    #[must_use]
    pub fn reason(&self) -> Option<StopReason> {
        self.reason.borrow().clone()
    }

    /// Waits until somebody asks.
    pub async fn requested(&self) -> StopReason {
        let mut reason = self.reason.subscribe();
        loop {
            let asked = reason.borrow_and_update().clone();
            if let Some(asked) = asked {
                return asked;
            }
            // `self` holds the sender, so the channel can't close while we wait.
            let _ = reason.changed().await;
        }
    }
}
