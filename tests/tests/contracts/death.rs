//! Panics and restarts: why there are a supervisor, a death watch and watched addresses of our own.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use actix::{Actor, ActorContext as _, Context, Handler, Message, Running, Supervised, Supervisor};

use super::{Clerk, Note, Notes, Panic, settle};

#[actix_rt::test]
async fn after_a_panic_stopping_and_stopped_run_on_half_changed_state() {
    let notes = Notes::default();
    let addr = Clerk::new(&notes).start();
    addr.do_send(Panic);
    addr.do_send(Note(1));
    settle().await;
    assert_eq!(notes.take(), ["started", "stopping, half-changed: true", "stopped"]);
    assert!(!addr.connected());
}

/// Refuses to stop.
struct Stubborn(Notes);

impl Actor for Stubborn {
    type Context = Context<Self>;

    fn stopping(&mut self, _: &mut Context<Self>) -> Running {
        Running::Continue
    }
}

impl Handler<Panic> for Stubborn {
    type Result = ();

    fn handle(&mut self, _: Panic, _: &mut Context<Self>) {
        panic!("on purpose");
    }
}

impl Handler<Note> for Stubborn {
    type Result = ();

    fn handle(&mut self, Note(n): Note, _: &mut Context<Self>) {
        self.0.add(n.to_string());
    }
}

#[actix_rt::test]
async fn an_actor_that_refuses_to_stop_handles_its_mailbox_after_a_panic_and_dies_all_the_same() {
    let notes = Notes::default();
    let addr = Stubborn(notes.clone()).start();
    addr.do_send(Panic);
    addr.do_send(Note(1));
    addr.do_send(Note(2));
    settle().await;
    assert_eq!(notes.take(), ["1", "2"], "on half-changed state: no actor of the pool returns Continue");
    assert!(!addr.connected());
}

/// Tells when it is dropped.
#[derive(Message)]
#[rtype(result = "()")]
struct Witness(Arc<AtomicU32>);

impl Drop for Witness {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Handler<Witness> for Clerk {
    type Result = ();

    fn handle(&mut self, witness: Witness, _: &mut Context<Self>) {
        let _held = witness;
        panic!("on purpose");
    }
}

#[actix_rt::test]
async fn messages_in_hand_and_in_the_mailbox_are_dropped_at_death_while_addresses_live() {
    let dropped = Arc::new(AtomicU32::new(0));
    let addr = Clerk::new(&Notes::default()).start();
    for _ in 0..5 {
        addr.do_send(Witness(Arc::clone(&dropped)));
    }
    settle().await;
    assert_eq!(dropped.load(Ordering::SeqCst), 5, "so a ticket in a message always resolves");
    addr.do_send(Witness(Arc::clone(&dropped)));
    assert_eq!(dropped.load(Ordering::SeqCst), 6, "a message to the dead is dropped at once");
}

/// An actor under actix's own supervisor.
struct Ward {
    notes: Notes,
    count: u32,
}

impl Actor for Ward {
    type Context = Context<Self>;
}

impl Supervised for Ward {
    fn restarting(&mut self, _: &mut Context<Self>) {
        self.notes.add(format!("restarting with count {}", self.count));
    }
}

impl Handler<Note> for Ward {
    type Result = ();

    fn handle(&mut self, Note(n): Note, context: &mut Context<Self>) {
        self.count += n;
        self.notes.add(format!("count {}", self.count));
        if n == 0 {
            context.stop();
        }
    }
}

impl Handler<Panic> for Ward {
    type Result = ();

    fn handle(&mut self, _: Panic, _: &mut Context<Self>) {
        panic!("on purpose");
    }
}

#[actix_rt::test]
async fn actix_supervisor_restarts_the_same_value_and_never_calls_the_factory_again() {
    let notes = Notes::default();
    let ward = Ward { notes: notes.clone(), count: 0 };
    let made = notes.clone();
    let addr = Supervisor::start(move |_| {
        made.add("made");
        ward
    });
    addr.do_send(Note(3));
    addr.do_send(Note(0));
    addr.do_send(Note(1));
    settle().await;
    assert_eq!(notes.take(), ["made", "count 3", "count 3", "restarting with count 3", "count 4"]);
}

#[actix_rt::test]
async fn actix_supervisor_does_not_catch_a_panic() {
    let notes = Notes::default();
    let ward = Ward { notes: notes.clone(), count: 0 };
    let addr = Supervisor::start(move |_| ward);
    addr.do_send(Panic);
    addr.do_send(Note(1));
    settle().await;
    assert_eq!(notes.take(), [""; 0], "neither restarted nor handled");
    assert!(!addr.connected());
}
