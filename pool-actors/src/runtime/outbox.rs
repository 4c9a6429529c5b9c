//! Outboxes: typed handles to a message type, which hide actix's raw `do_send`, `try_send` and `send`.
//!
//! * [`Outbox::post`] for [`Credited`] messages: never refused for want of room, because every queued message holds a
//!   credit of somebody who stops producing without one.
//! * [`Outbox::try_post`] when the sender can wait or do something else; [`Outbox::offer`] when the message may be lost
//!   (statistics): both keep to the mailbox's capacity, for all clones of this outbox together.
//! * [`Outbox::ask`] for an answer; dropping it does not cancel the message, as dropping actix's `send()` would.
//! * [`super::critical::CriticalOutbox`] for the few messages that must never be shed.
//!
//! A dead receiver is an error, never silence. Outboxes to supervised actors follow them through restarts.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use actix::{
    Message, Recipient,
    dev::{MailboxError, SendError},
};
use tokio::sync::oneshot;

use super::watch::{Watched, watched};
use crate::metrics::MESSAGES_UNDELIVERED_TOTAL;

/// A message that holds at least one credit (a [`super::ticket::Ticket`], or a place in a bounded set) for as long as
/// it exists, so that queues of it are bounded by construction.
pub trait Credited {}

/// Why a message was not queued; it comes back to the sender.
#[derive(PartialEq, Eq)]
pub enum Refused<M> {
    /// The mailbox is full.
    Full(M),
    /// The actor is dead, or not back yet.
    Dead(M),
}

impl<M> Refused<M> {
    /// The message.
    pub fn into_inner(self) -> M {
        match self {
            Self::Full(message) | Self::Dead(message) => message,
        }
    }
}

impl<M> fmt::Debug for Refused<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full",
            Self::Dead(_) => "Dead",
        })
    }
}

/// Why a question has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// The actor was dead when asked.
    #[error("the actor asked is not running")]
    Dead,
    /// The actor died before it answered; whether it acted on the message is unknown.
    #[error("the actor asked died before it answered")]
    Died,
}

/// Where an outbox leads just now: nowhere while the actor is down.
pub(super) type Route<M> = Option<Recipient<M>>;

/// A handle to an actor's handler of `M`. Clones share one place in the mailbox's bound.
pub struct Outbox<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    inner: Arc<Inner<M>>,
}

struct Inner<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    to: &'static str,
    route: Watched<Route<M>>,
    shed: AtomicU64,
    refused_dead: AtomicU64,
}

impl<M> Outbox<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    /// An outbox to one actor, for its lifetime. `to` names the receiver in errors and metrics.
    pub fn new(to: &'static str, recipient: Recipient<M>) -> Self {
        Self::following(to, watched(Some(recipient)).1)
    }

    /// An outbox that follows a supervised actor through its restarts.
    pub(super) fn following(to: &'static str, route: Watched<Route<M>>) -> Self {
        let inner = Inner { to, route, shed: AtomicU64::new(0), refused_dead: AtomicU64::new(0) };
        Self { inner: Arc::new(inner) }
    }

    /// Name of the receiver.
    #[must_use]
    pub fn to(&self) -> &'static str {
        self.inner.to
    }

    /// Whether the receiver is running.
    #[must_use]
    pub fn alive(&self) -> bool {
        self.inner.route.load().as_ref().as_ref().is_some_and(Recipient::connected)
    }

    /// Messages that [`Self::offer`] has given up, and messages refused because the receiver was dead.
    #[must_use]
    pub fn losses(&self) -> (u64, u64) {
        (self.inner.shed.load(Ordering::Relaxed), self.inner.refused_dead.load(Ordering::Relaxed))
    }

    /// Queues a message that carries its own bound.
    ///
    /// # Errors
    /// [`Refused::Dead`] with the message. A message that was queued when the receiver died is dropped, which its
    /// tickets report.
    pub fn post(&self, message: M) -> Result<(), Refused<M>>
    where
        M: Credited,
    {
        self.post_unbounded(message)
    }

    #[expect(clippy::disallowed_methods, reason = "the one home of raw sends")]
    pub(super) fn post_unbounded(&self, message: M) -> Result<(), Refused<M>> {
        match self.inner.route.load().as_ref() {
            Some(recipient) if recipient.connected() => {
                recipient.do_send(message);
                Ok(())
            }
            _ => Err(self.dead(message)),
        }
    }

    /// Queues a message if the mailbox has room.
    ///
    /// # Errors
    /// [`Refused`] with the message.
    #[expect(clippy::disallowed_methods, reason = "the one home of raw sends")]
    pub fn try_post(&self, message: M) -> Result<(), Refused<M>> {
        match self.inner.route.load().as_ref() {
            Some(recipient) => recipient.try_send(message).map_err(|refused| match refused {
                SendError::Full(message) => Refused::Full(message),
                SendError::Closed(message) => self.dead(message),
            }),
            None => Err(self.dead(message)),
        }
    }

    /// Queues a message if there is room, else gives it up and counts it. Returns whether it was queued.
    pub fn offer(&self, message: M) -> bool {
        let queued = self.try_post(message).is_ok();
        if !queued {
            self.inner.shed.fetch_add(1, Ordering::Relaxed);
            self.count("given_up");
        }
        queued
    }

    /// Sends a question and waits for the answer. Once this has been polled, the message is delivered even if the
    /// returned future is dropped.
    ///
    /// # Errors
    /// [`Unanswered`].
    #[expect(clippy::disallowed_methods, reason = "the one home of raw sends")]
    pub async fn ask(&self, message: M) -> Result<M::Result, Unanswered> {
        let request = match self.inner.route.load().as_ref() {
            Some(recipient) if recipient.connected() => recipient.send(message),
            _ => return Err(Unanswered::Dead),
        };
        let (tx, rx) = oneshot::channel();
        // actix skips a queued message whose request was dropped; this task keeps the request.
        actix_rt::spawn(async move {
            let answer = request.await.map_err(|error| match error {
                MailboxError::Closed | MailboxError::Timeout => Unanswered::Died,
            });
            // Whoever asked may have gone.
            let _ = tx.send(answer);
        });
        rx.await.unwrap_or(Err(Unanswered::Died))
    }

    fn count(&self, cause: &'static str) {
        metrics::counter!(MESSAGES_UNDELIVERED_TOTAL, "to" => self.inner.to, "cause" => cause).increment(1);
    }

    fn dead(&self, message: M) -> Refused<M> {
        self.inner.refused_dead.fetch_add(1, Ordering::Relaxed);
        self.count("dead");
        Refused::Dead(message)
    }
}

impl<M> Clone for Outbox<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<M> fmt::Debug for Outbox<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("to", &self.inner.to)
            .field("alive", &self.alive())
            .finish_non_exhaustive()
    }
}
