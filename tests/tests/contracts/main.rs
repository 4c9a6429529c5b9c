//! What actix 0.13 really does. The `runtime` layer of the library is built on this; when one of these tests fails after
//! an upgrade, the shim named in its module has to be thought over again.

#![expect(
    clippy::disallowed_methods,
    reason = "this is about the raw methods that the pool itself does not use"
)]

mod death;
mod mailbox;
mod order;
mod sync_arbiter;

use std::{cell::RefCell, rc::Rc};

use actix::{Actor, Context, Handler, Message};

/// Adds its number to what was handled.
#[derive(Message)]
#[rtype(result = "()")]
struct Note(u32);

/// Panics.
#[derive(Message)]
#[rtype(result = "()")]
struct Panic;

/// Notes what it is told; shared with the test, which runs on the same thread.
#[derive(Clone, Default)]
struct Notes(Rc<RefCell<Vec<String>>>);

impl Notes {
    fn add(&self, what: impl Into<String>) {
        self.0.borrow_mut().push(what.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.borrow_mut())
    }
}

/// An actor that keeps notes of its life.
struct Clerk {
    notes: Notes,
    half_changed: bool,
}

impl Clerk {
    fn new(notes: &Notes) -> Self {
        Self { notes: notes.clone(), half_changed: false }
    }
}

impl Actor for Clerk {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Context<Self>) {
        self.notes.add("started");
    }

    fn stopping(&mut self, _: &mut Context<Self>) -> actix::Running {
        self.notes.add(format!("stopping, half-changed: {}", self.half_changed));
        actix::Running::Stop
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        self.notes.add("stopped");
    }
}

impl Handler<Note> for Clerk {
    type Result = ();

    fn handle(&mut self, Note(n): Note, _: &mut Context<Self>) {
        self.notes.add(n.to_string());
    }
}

impl Handler<Panic> for Clerk {
    type Result = ();

    fn handle(&mut self, _: Panic, _: &mut Context<Self>) {
        self.half_changed = true;
        panic!("on purpose");
    }
}

/// Lets everything that is ready on this arbiter run.
async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}
