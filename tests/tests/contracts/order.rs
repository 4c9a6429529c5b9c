//! The order in which an actor's mailbox, timers and futures run: why commands have a lane of their own, and why
//! whoever queues output wakes the one that writes it.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
    time::{Duration, Instant},
};

use actix::{Actor, AsyncContext as _, Context, Handler, StreamHandler, WrapFuture as _};
use tokio::sync::oneshot;

use super::{Note, Notes, settle};

/// Has a timer that is due long before its mailbox is empty.
struct Busy {
    notes: Notes,
    handled: u32,
}

impl Actor for Busy {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        context.run_later(Duration::from_millis(1), |busy, _| {
            busy.notes.add(format!("timer after {}", busy.handled));
        });
    }
}

impl Handler<Note> for Busy {
    type Result = ();

    fn handle(&mut self, Note(n): Note, context: &mut Context<Self>) {
        if n == 0 {
            // Work that takes longer than the timer's delay.
            let begin = Instant::now();
            while begin.elapsed() < Duration::from_millis(5) {
                std::hint::spin_loop();
            }
            context.add_stream(futures_util::stream::iter(["command"]));
        }
        self.handled += 1;
    }
}

impl StreamHandler<&'static str> for Busy {
    fn handle(&mut self, command: &'static str, _: &mut Context<Self>) {
        self.notes.add(format!("{command} after {}", self.handled));
    }

    fn finished(&mut self, _: &mut Context<Self>) {
        // The default stops the actor when one of its streams ends.
    }
}

#[actix_rt::test]
async fn a_mailbox_drains_completely_before_timers_and_streams_run() {
    let notes = Notes::default();
    let addr = Busy { notes: notes.clone(), handled: 0 }.start();
    (0..2_000).for_each(|n| addr.do_send(Note(n)));
    while notes.0.borrow().len() < 2 {
        tokio::task::yield_now().await;
    }
    let mut seen = notes.take();
    seen.sort();
    assert_eq!(seen, ["command after 2000", "timer after 2000"]);
}

/// A writer that was started first and a source that was started second, as a session's are.
struct Pipe {
    output: Rc<RefCell<Vec<u32>>>,
    written: Rc<RefCell<Vec<u32>>>,
    writer: Rc<Cell<Option<Waker>>>,
    source: Option<oneshot::Receiver<u32>>,
    wakes_writer: bool,
}

impl Actor for Pipe {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        let (output, written, writer) = (self.output.clone(), self.written.clone(), self.writer.clone());
        context.spawn(
            poll_fn(move |cx| {
                writer.set(Some(cx.waker().clone()));
                written.borrow_mut().append(&mut output.borrow_mut());
                Poll::<()>::Pending
            })
            .into_actor(self),
        );
        let (output, writer, wakes) = (self.output.clone(), self.writer.clone(), self.wakes_writer);
        let source = self.source.take().unwrap();
        context.spawn(
            async move {
                let n = source.await.unwrap();
                output.borrow_mut().push(n);
                if wakes {
                    writer.take().unwrap().wake();
                }
                std::future::pending::<()>().await;
            }
            .into_actor(self),
        );
    }
}

impl Handler<Note> for Pipe {
    type Result = ();

    fn handle(&mut self, _: Note, _: &mut Context<Self>) {}
}

async fn pipe(wakes_writer: bool) -> (Vec<u32>, Vec<u32>) {
    let (send, source) = oneshot::channel();
    let written = Rc::default();
    let pipe = Pipe {
        output: Rc::default(),
        written: Rc::clone(&written),
        writer: Rc::default(),
        source: Some(source),
        wakes_writer,
    };
    let addr = pipe.start();
    settle().await;
    send.send(7).unwrap();
    settle().await;
    let before = written.borrow().clone();
    addr.do_send(Note(0));
    settle().await;
    let after = written.borrow().clone();
    (before, after)
}

#[actix_rt::test]
async fn futures_of_an_actor_poll_in_order_so_output_of_a_later_one_waits_for_the_next_wake() {
    assert_eq!(pipe(false).await, (vec![], vec![7]));
}

#[actix_rt::test]
async fn waking_the_earlier_future_writes_the_output_at_once() {
    assert_eq!(pipe(true).await, (vec![7], vec![7]));
}
