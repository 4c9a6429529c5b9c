//! How mail is sent to one person.

use std::sync::Arc;

use async_trait::async_trait;

use super::notifier::NotifyError;

/// A mail. It may hold a link that lets somebody in: it is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// To whom: an address.
    pub to: String,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
}

/// A way to send mail. Each call is bounded in time by the implementation.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Sends it.
    ///
    /// # Errors
    /// When whoever passes it on did not take it.
    async fn send(&self, letter: &Letter) -> Result<(), NotifyError>;
}

/// A mailer that many share.
pub type SharedMailer = Arc<dyn Mailer>;
