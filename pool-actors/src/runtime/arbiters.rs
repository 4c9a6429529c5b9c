//! The only place that makes arbiters (event loops with a thread of their own).

use std::{
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
};

use actix::{
    Actor, Addr, Context,
    dev::channel::{AddressReceiver, channel},
};
use actix_rt::{Arbiter, ArbiterHandle};

use super::deathwatch::{self, DeathWatch, Kill};

/// A fixed set of arbiters. Seats are numbered from 0; with no extra arbiter there is one seat, the caller's own.
#[derive(Clone)]
pub struct Arbiters {
    inner: Arc<Inner>,
}

struct Inner {
    home: ArbiterHandle,
    seats: Vec<ArbiterHandle>,
    threads: Mutex<Vec<Arbiter>>,
}

/// The arbiter has ended, so nothing can be started on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("arbiter {seat} has ended: nothing can be started on it any more")]
pub struct ArbiterGone {
    /// Seat that was asked for.
    pub seat: usize,
}

impl Arbiters {
    /// Starts `extra` arbiters, each on its own thread; 0 means that everything runs on the current one.
    ///
    /// # Errors
    /// When a thread or its event loop can't be made, or when called outside an actix `System`.
    #[expect(clippy::disallowed_methods, reason = "the one home of arbiters")]
    pub fn start(extra: usize) -> io::Result<Self> {
        let home = Arbiter::try_current()
            .ok_or_else(|| io::Error::other("arbiters are started inside an actix System only"))?;
        let mut threads = Vec::with_capacity(extra);
        for _ in 0..extra {
            threads.push(Arbiter::try_new()?);
        }
        let seats = match extra {
            0 => vec![home.clone()],
            _ => threads.iter().map(Arbiter::handle).collect(),
        };
        let inner = Inner { home, seats, threads: Mutex::new(threads) };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Number of seats, at least 1.
    #[must_use]
    pub fn seats(&self) -> usize {
        self.inner.seats.len()
    }

    /// Runs `f` on a seat's thread, inside its event loop. Seats count modulo [`Self::seats`].
    ///
    /// # Errors
    /// When that arbiter has ended; `f` is dropped.
    pub fn spawn_on(&self, seat: usize, f: impl FnOnce() + Send + 'static) -> Result<(), ArbiterGone> {
        let seat = seat % self.seats();
        if self.inner.seats[seat].spawn_fn(f) { Ok(()) } else { Err(ArbiterGone { seat }) }
    }

    /// Runs a future on the arbiter that called [`Self::start`].
    pub(super) fn spawn_home(&self, future: impl Future<Output = ()> + Send + 'static) -> bool {
        self.inner.home.spawn(future)
    }

    /// Starts an actor on a seat; nobody is told when it ends (sessions: they die with their socket).
    ///
    /// `mailbox` bounds what `try_post` and `offer` can queue; see [`super::outbox`]. The actor is made on its own
    /// thread. If the arbiter has ended, the address is dead from the start.
    pub fn start_actor<A>(
        &self,
        seat: usize,
        mailbox: usize,
        make: impl FnOnce(&mut Context<A>) -> A + Send + 'static,
    ) -> Addr<A>
    where
        A: Actor<Context = Context<A>>,
    {
        // Capacity 0 would mean "unbounded" to actix.
        let (tx, rx) = channel(mailbox.max(1));
        // When the arbiter has ended, `rx` is dropped with the closure, which closes the address.
        let _ = self.spawn_on(seat, move || {
            let mut context = Context::with_receiver(rx);
            let actor = make(&mut context);
            actix_rt::spawn(context.into_future(actor));
        });
        Addr::new(tx)
    }

    /// Starts an actor whose end is reported, and which can be ended from outside.
    pub fn start_watched<A>(
        &self,
        seat: usize,
        mailbox: usize,
        make: impl FnOnce(&mut Context<A>) -> A + Send + 'static,
    ) -> (Addr<A>, DeathWatch, Kill)
    where
        A: Actor<Context = Context<A>>,
    {
        let (tx, rx): (_, AddressReceiver<A>) = channel(mailbox.max(1));
        let (notice, kill, watch) = deathwatch::pair();
        let _ = self.spawn_on(seat, move || {
            actix_rt::spawn(notice.run(rx, make));
        });
        (Addr::new(tx), watch, kill)
    }

    /// Ends the extra arbiters without waiting: a thread that never returns from foreign code ends with the process.
    pub fn abandon(&self) {
        let threads = std::mem::take(&mut *self.inner.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for arbiter in &threads {
            arbiter.stop();
        }
    }

    /// Ends the extra arbiters and waits for their threads. What still runs there is dropped.
    pub fn stop(&self) {
        let threads = std::mem::take(&mut *self.inner.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for arbiter in &threads {
            arbiter.stop();
        }
        for arbiter in threads {
            // A panic on an arbiter's thread was reported when it happened.
            let _ = arbiter.join();
        }
    }
}

impl fmt::Debug for Arbiters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arbiters").field("seats", &self.seats()).finish_non_exhaustive()
    }
}
