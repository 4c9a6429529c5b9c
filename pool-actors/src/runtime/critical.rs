//! The critical lane: block candidates and their like, few by nature, never shed.

use std::fmt;

use actix::Message;

use super::outbox::{Outbox, Refused, Unanswered};

/// An outbox whose messages are queued whatever the mailbox's capacity. Only for messages that are rare by nature (a
/// found block, a node's verdict): nothing else bounds their number.
pub struct CriticalOutbox<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    outbox: Outbox<M>,
}

/// The receiver is dead; the message comes back, since it must not be lost.
pub struct NotDelivered<M>(pub M);

impl<M> fmt::Debug for NotDelivered<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NotDelivered")
    }
}

impl<M> CriticalOutbox<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    /// A critical lane to where `outbox` leads.
    pub fn new(outbox: Outbox<M>) -> Self {
        Self { outbox }
    }

    /// Queues the message, however full the mailbox is.
    ///
    /// # Errors
    /// The message itself, when the receiver is dead: keep it and try again.
    pub fn post(&self, message: M) -> Result<(), NotDelivered<M>> {
        self.outbox.post_unbounded(message).map_err(|refused| match refused {
            Refused::Full(message) | Refused::Dead(message) => NotDelivered(message),
        })
    }

    /// As [`Outbox::ask`]. actix lets a request into a full mailbox, so it is not shed either.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub async fn ask(&self, message: M) -> Result<M::Result, Unanswered> {
        self.outbox.ask(message).await
    }

    /// Whether the receiver is running.
    #[must_use]
    pub fn alive(&self) -> bool {
        self.outbox.alive()
    }
}

impl<M> Clone for CriticalOutbox<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    fn clone(&self) -> Self {
        Self { outbox: self.outbox.clone() }
    }
}
