//! Threads and raw actor sends: the one place of this crate that uses them, as `runtime/` is the pool's.
//!
//! The simulator needs no credit or tickets: its queues are bounded by what they carry (a miner has one piece of work, a watcher is
//! dropped when it does not read).
#![expect(clippy::disallowed_methods, reason = "this module is their home in this crate")]

use std::io;
use std::thread::JoinHandle;

use actix::dev::ToEnvelope;
use actix::prelude::*;

/// Starts a named thread.
///
/// # Errors
/// When the system has no more of them.
pub(crate) fn spawn_thread<T: Send + 'static>(
    name: String,
    run: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    std::thread::Builder::new().name(name).spawn(run)
}

/// Sends without waiting; a message to an actor that is gone is dropped.
pub(crate) fn post<A, M>(addr: &Addr<A>, message: M)
where
    A: Actor + Handler<M>,
    A::Context: ToEnvelope<A, M>,
    M: Message + Send + 'static,
    M::Result: Send,
{
    addr.do_send(message);
}

/// Sends and waits for the answer.
pub(crate) fn ask<A, M>(addr: &Addr<A>, message: M) -> actix::dev::Request<A, M>
where
    A: Actor + Handler<M>,
    A::Context: ToEnvelope<A, M>,
    M: Message + Send + 'static,
    M::Result: Send,
{
    addr.send(message)
}

/// Sends if the mailbox has room.
///
/// # Errors
/// When it is full or closed.
pub(crate) fn offer<M>(recipient: &Recipient<M>, message: M) -> Result<(), SendError<M>>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    recipient.try_send(message)
}

/// Sends whether or not the mailbox has room: for the last message to a watcher that does not read.
pub(crate) fn force<M>(recipient: &Recipient<M>, message: M)
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    recipient.do_send(message);
}
