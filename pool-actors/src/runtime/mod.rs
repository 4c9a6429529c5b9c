//! The actix shims: everything the pool needs from an actor system that actix 0.13 does not give.
//!
//! * [`arbiters`], [`threads`]: the only places that make arbiters and OS threads.
//! * [`ticket`]: proof that one share awaits its verdict; resolves exactly once, whatever dies on the way.
//! * [`desk`]: how verdicts reach a session of the same arbiter without a message.
//! * [`outbox`], [`critical`]: typed handles to a message type; the only places that send raw messages.
//! * [`watch`]: the newest value of something, for whoever cares (routes, jobs, cursors).
//! * [`deathwatch`], [`supervisor`]: how an actor's end is noticed, and what follows from it.
//! * [`shutdown`]: the one way for any part to stop the process, with a sentence that says why.
//! * [`control`]: commands that overtake queued data.
//! * [`observe`]: the registry of actors and their serialisable state.
//!
//! What actix really does, and which of these exist because of it, is pinned in `tests/tests/contracts.rs`
//! and told in `pool-actors/docs/runtime.md`.

pub mod arbiters;
pub mod control;
pub mod critical;
pub mod deathwatch;
pub mod desk;
pub mod observe;
pub mod outbox;
pub mod shutdown;
pub mod supervisor;
pub mod threads;
pub mod ticket;
pub mod watch;

#[cfg(test)]
mod tests;

use std::io;

/// What every part of the pool that starts actors is handed: where they run, who is told when they die.
#[derive(Clone)]
pub struct Runtime {
    /// Where actors run.
    pub arbiters: arbiters::Arbiters,
    /// How any part stops the process.
    pub shutdown: shutdown::Shutdown,
    /// Which actors there are.
    pub registry: observe::Registry,
}

impl Runtime {
    /// Starts `extra_arbiters` threads with an arbiter each; with 0 every actor runs on the caller's arbiter.
    ///
    /// # Errors
    /// When a thread can't be started. Must be called inside an actix `System`.
    pub fn start(extra_arbiters: usize) -> io::Result<Self> {
        Ok(Self {
            arbiters: arbiters::Arbiters::start(extra_arbiters)?,
            shutdown: shutdown::Shutdown::new(),
            registry: observe::Registry::new(),
        })
    }
}
