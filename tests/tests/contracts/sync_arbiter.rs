//! `SyncArbiter`: why expensive hashing does not run there.

use std::sync::mpsc::{Receiver, Sender, channel};

use actix::{Actor, Addr, Handler, Message, SyncArbiter, SyncContext};

/// A worker of a thread pool.
struct Worker;

impl Actor for Worker {
    type Context = SyncContext<Self>;
}

/// Holds the worker's thread until it is let go.
#[derive(Message)]
#[rtype(result = "()")]
struct Hold(Receiver<()>);

/// Tells that it was handled.
#[derive(Message)]
#[rtype(result = "()")]
struct Tell(Sender<u32>, u32);

impl Handler<Hold> for Worker {
    type Result = ();

    fn handle(&mut self, Hold(until): Hold, _: &mut SyncContext<Self>) {
        // An error means that the test has let go by ending.
        let _ = until.recv();
    }
}

impl Handler<Tell> for Worker {
    type Result = ();

    fn handle(&mut self, Tell(to, n): Tell, _: &mut SyncContext<Self>) {
        to.send(n).unwrap();
    }
}

impl Handler<super::Panic> for Worker {
    type Result = ();

    fn handle(&mut self, _: super::Panic, _: &mut SyncContext<Self>) {
        panic!("on purpose");
    }
}

#[actix_rt::test]
async fn its_queue_has_no_bound_even_for_try_send() {
    let addr = SyncArbiter::start(1, || Worker);
    let (let_go, held) = channel();
    addr.do_send(Hold(held));
    let (tell, told) = channel();
    let queued = (0..10_000).filter(|n| addr.try_send(Tell(tell.clone(), *n)).is_ok()).count();
    assert_eq!(queued, 10_000);
    drop(let_go);
    let told = actix_rt::task::spawn_blocking(move || told.iter().take(10_000).count()).await.unwrap();
    assert_eq!(told, 10_000);
}

/// Whether some thread still takes messages: else they are dropped with the queue, or stay in it for ever.
async fn served(addr: &Addr<Worker>) -> bool {
    let (tell, told) = channel();
    addr.do_send(Tell(tell, 1));
    actix_rt::task::spawn_blocking(move || told.recv().is_ok()).await.unwrap()
}

#[actix_rt::test]
async fn a_panic_loses_its_thread_for_ever() {
    let addr = SyncArbiter::start(2, || Worker);
    assert!(addr.send(super::Panic).await.is_err());
    assert!(served(&addr).await, "the other thread goes on");
    assert!(addr.send(super::Panic).await.is_err());
    // No thread is left: the arbiter itself panics as soon as it can't hand a message to its queue.
    while addr.connected() {
        assert!(!served(&addr).await);
    }
}
