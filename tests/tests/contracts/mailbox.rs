//! Mailbox bounds and raw sends: why there are tickets, credits and outboxes.

use actix::{Actor, Addr, Context, dev::SendError};

use super::{Clerk, Note, Notes, settle};

/// A clerk whose mailbox takes `capacity` messages. It handles nothing before the test awaits.
fn clerk(capacity: usize) -> (Addr<Clerk>, Notes) {
    let notes = Notes::default();
    let mut context = Context::new();
    context.set_mailbox_capacity(capacity);
    (context.run(Clerk::new(&notes)), notes)
}

fn accepted(addr: &Addr<Clerk>, tries: u32) -> usize {
    (0..tries).filter(|n| addr.try_send(Note(*n)).is_ok()).count()
}

#[actix_rt::test]
async fn do_send_ignores_the_capacity() {
    let (addr, notes) = clerk(2);
    (0..1_000).for_each(|n| addr.do_send(Note(n)));
    settle().await;
    assert_eq!(notes.take().len(), 1_001, "all of them, and the start");
}

#[actix_rt::test]
async fn one_address_used_with_try_send_keeps_to_the_capacity() {
    let (addr, _) = clerk(5);
    assert_eq!(accepted(&addr, 100), 5);
    assert!(matches!(addr.try_send(Note(0)), Err(SendError::Full(_))));
    settle().await;
    assert_eq!(accepted(&addr, 100), 5, "room again");
}

#[actix_rt::test]
async fn every_clone_of_an_address_adds_a_slot() {
    let (addr, _) = clerk(5);
    assert_eq!(accepted(&addr, 100), 5);
    let clones = (0..1_000).filter(|n| addr.clone().try_send(Note(*n)).is_ok()).count();
    assert_eq!(clones, 1_000, "a clone per message is no bound at all");
}

#[actix_rt::test]
async fn capacity_zero_means_no_bound() {
    let (addr, _) = clerk(0);
    assert_eq!(accepted(&addr, 1_000), 1_000);
}

#[actix_rt::test]
async fn send_into_a_full_mailbox_clones_the_address_and_so_gets_in() {
    let (addr, notes) = clerk(1);
    assert_eq!(accepted(&addr, 2), 1);
    let requests: Vec<_> = (10..20).map(|n| actix_rt::spawn(addr.send(Note(n)))).collect();
    for request in requests {
        request.await.unwrap().unwrap();
    }
    assert_eq!(notes.take().len(), 1 + 1 + 10);
}

#[actix_rt::test]
async fn dropping_the_future_of_send_cancels_the_queued_message() {
    let (addr, notes) = clerk(16);
    drop(addr.send(Note(1)));
    addr.do_send(Note(2));
    settle().await;
    assert_eq!(notes.take(), ["started", "2"], "a disconnect would have erased a valid share");
}

#[actix_rt::test]
async fn do_send_to_a_dead_actor_drops_silently_and_try_send_tells() {
    let (addr, notes) = clerk(16);
    addr.do_send(super::Panic);
    settle().await;
    notes.take();
    assert!(!addr.connected());
    addr.do_send(Note(1));
    assert!(matches!(addr.try_send(Note(2)), Err(SendError::Closed(Note(2)))));
    assert!(addr.send(Note(3)).await.is_err());
    settle().await;
    assert_eq!(notes.take(), [""; 0]);
}

#[actix_rt::test]
async fn an_actor_without_addresses_and_work_of_its_own_stops() {
    let notes = Notes::default();
    let addr = Clerk::new(&notes).start();
    let clone = addr.clone();
    drop(addr);
    settle().await;
    assert_eq!(notes.take(), ["started"]);
    drop(clone);
    settle().await;
    assert_eq!(notes.take(), ["stopping, half-changed: false", "stopped"]);
}
