//! Commands that overtake data.
//!
//! A mailbox is first in, first out, and drains completely before the actor's streams and timers run: a command queued
//! there, or in a stream, waits behind all data. So commands have a queue of their own, which the actor looks into
//! before it handles each data message (one relaxed load when it is empty); a wake-up through the mailbox covers an
//! idle actor.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use actix::{Actor, Message, Recipient};

/// Wakes an idle actor to look at its commands: its handler calls [`Commanded::run_commands`].
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Wake;

struct Lane<C> {
    queue: Mutex<VecDeque<C>>,
    waiting: AtomicUsize,
    capacity: usize,
}

/// Gives commands to one actor.
pub struct Commands<C> {
    lane: Arc<Lane<C>>,
    wake: Arc<Recipient<Wake>>,
}

/// The actor's end.
pub struct CommandInbox<C> {
    lane: Arc<Lane<C>>,
}

/// Why a command was not taken; it comes back.
#[derive(Debug, PartialEq, Eq)]
pub enum NotTaken<C> {
    /// As many commands wait as the lane takes.
    Full(C),
    /// The actor is dead.
    Dead(C),
}

/// A lane for at most `capacity` waiting commands, to the actor behind `wake`.
pub fn lane<C>(wake: Recipient<Wake>, capacity: usize) -> (Commands<C>, CommandInbox<C>) {
    let lane = Arc::new(Lane { queue: Mutex::new(VecDeque::new()), waiting: AtomicUsize::new(0), capacity });
    (Commands { lane: Arc::clone(&lane), wake: Arc::new(wake) }, CommandInbox { lane })
}

impl<C> Commands<C> {
    /// Queues a command ahead of all data.
    ///
    /// # Errors
    /// [`NotTaken`] with the command.
    #[expect(clippy::disallowed_methods, reason = "bounded by the lane's capacity")]
    pub fn command(&self, command: C) -> Result<(), NotTaken<C>> {
        if !self.wake.connected() {
            return Err(NotTaken::Dead(command));
        }
        {
            let mut queue = self.lane.queue.lock().unwrap_or_else(PoisonError::into_inner);
            if queue.len() >= self.lane.capacity {
                return Err(NotTaken::Full(command));
            }
            queue.push_back(command);
            self.lane.waiting.store(queue.len(), Ordering::Release);
        }
        self.wake.do_send(Wake);
        Ok(())
    }
}

impl<C> Clone for Commands<C> {
    fn clone(&self) -> Self {
        Self { lane: Arc::clone(&self.lane), wake: Arc::clone(&self.wake) }
    }
}

impl<C> CommandInbox<C> {
    /// The oldest waiting command.
    #[must_use]
    pub fn take(&self) -> Option<C> {
        if self.lane.waiting.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut queue = self.lane.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let command = queue.pop_front();
        self.lane.waiting.store(queue.len(), Ordering::Release);
        command
    }
}

/// An actor that takes commands. Its `Handler<Wake>` and every data handler call [`Commanded::run_commands`] first.
pub trait Commanded: Actor {
    /// What it can be told.
    type Command: Send;

    /// Where its commands wait.
    fn inbox(&self) -> &CommandInbox<Self::Command>;

    /// Does as told.
    fn command(&mut self, command: Self::Command, context: &mut Self::Context);

    /// Runs every waiting command.
    fn run_commands(&mut self, context: &mut Self::Context) {
        while let Some(command) = self.inbox().take() {
            self.command(command, context);
        }
    }
}
