//! Death watch: an actor's end, and its cause, are always noticed.
//!
//! actix tells nobody when an actor panics: its task is dropped, `stopping`/`stopped` may run on half-changed state,
//! and messages to it vanish. Here the actor's future runs inside one that catches the panic and sends a notice.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
};

use actix::{Actor, Context, dev::channel::AddressReceiver};
use futures_util::{
    FutureExt as _,
    future::{self, Either},
};
use tokio::sync::oneshot;

/// Why an actor ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Death {
    /// It stopped by itself, or because nobody held its address any more.
    Stopped,
    /// It was ended through [`Kill`].
    Killed,
    /// It panicked, with this message. Its state is lost.
    Panicked(String),
    /// The arbiter it ran on ended.
    ArbiterGone,
}

/// Resolves when the actor has ended and its mailbox has been dropped (so that all tickets in it are resolved).
pub struct DeathWatch {
    rx: oneshot::Receiver<Death>,
}

impl DeathWatch {
    /// Waits for the end.
    pub async fn death(self) -> Death {
        self.rx.await.unwrap_or(Death::ArbiterGone)
    }
}

/// Ends the actor from outside, ahead of everything in its mailbox: it stops at the next point where it waits. The
/// first use of any clone counts; dropping all of them does nothing.
#[derive(Clone)]
pub struct Kill {
    tx: Arc<Mutex<Option<oneshot::Sender<Ending>>>>,
}

enum Ending {
    Quiet,
    Panic,
}

impl Kill {
    /// Asks for the end; the death watch tells when it has come.
    pub fn kill(&self) {
        self.end(Ending::Quiet);
    }

    /// Makes the actor panic, for tests of what follows from that.
    pub(super) fn crash(&self) {
        self.end(Ending::Panic);
    }

    fn end(&self, how: Ending) {
        let tx = self.tx.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The actor may have ended already.
        let _ = tx.map(|tx| tx.send(how));
    }
}

pub(super) struct Notice {
    tx: oneshot::Sender<Death>,
    killed: oneshot::Receiver<Ending>,
}

pub(super) fn pair() -> (Notice, Kill, DeathWatch) {
    let (tx, rx) = oneshot::channel();
    let (kill, killed) = oneshot::channel();
    (Notice { tx, killed }, Kill { tx: Arc::new(Mutex::new(Some(kill))) }, DeathWatch { rx })
}

impl Notice {
    /// Makes the actor, runs it to its end, drops it, and only then tells how it ended.
    pub(super) async fn run<A>(self, mailbox: AddressReceiver<A>, make: impl FnOnce(&mut Context<A>) -> A)
    where
        A: Actor<Context = Context<A>>,
    {
        let Self { tx, killed } = self;
        let made = catch_unwind(AssertUnwindSafe(move || {
            let mut context = Context::with_receiver(mailbox);
            let actor = make(&mut context);
            context.into_future(actor)
        }));
        let death = match made {
            Err(payload) => Death::Panicked(panic_message(payload.as_ref())),
            Ok(actor) => {
                let mut running = Some(Box::pin(actor));
                let death = run_to_end(&mut running, killed).await;
                // `stopping`/`stopped` run inside this drop, perhaps on half-changed state: they may panic again.
                match catch_unwind(AssertUnwindSafe(|| drop(running))) {
                    Err(payload) if death == Death::Stopped => {
                        Death::Panicked(panic_message(payload.as_ref()))
                    }
                    _ => death,
                }
            }
        };
        // Nobody may be watching.
        let _ = tx.send(death);
    }
}

async fn run_to_end<F: Future<Output = ()> + Unpin>(
    running: &mut Option<F>,
    killed: oneshot::Receiver<Ending>,
) -> Death {
    let Some(actor) = running.as_mut() else { return Death::Stopped };
    // Dropped `Kill`s mean that nobody will ever end this actor, not that it should end now.
    let ending = pin!(async move {
        match killed.await {
            Ok(ending) => ending,
            Err(_) => future::pending().await,
        }
    });
    let life = async move {
        match future::select(ending, actor).await {
            Either::Left((Ending::Quiet, _)) => Death::Killed,
            Either::Left((Ending::Panic, _)) => panic!("crashed on request"),
            Either::Right(((), _)) => Death::Stopped,
        }
    };
    match AssertUnwindSafe(life).catch_unwind().await {
        Ok(death) => death,
        Err(payload) => Death::Panicked(panic_message(payload.as_ref())),
    }
}

/// The text of a panic, for people.
pub fn panic_message(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic without a message".to_owned())
}
