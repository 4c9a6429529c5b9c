//! Desks: where verdicts reach a session of the same arbiter by a plain call.
//!
//! Whoever resolves a share's ticket is nearly always an actor of the session's own arbiter: its validator, or the
//! journal's shard. A message to each session and commit would cost two allocations, a queue, a wake-up and another turn
//! of the event loop, most of it cache misses. A desk is a call, and keeps what a message promises:
//!
//! * a session in the middle of its own turn is not entered: the verdicts wait at its desk, and it is woken;
//! * so they do when they come from another thread;
//! * a panic of the session is caught here and ends that session only, never the actor that told it;
//! * a session that has gone needs no answer.

use std::{
    cell::RefCell,
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::Waker,
};

use super::ticket::Verdicts;

/// Who takes verdicts at a desk; called on the desk's own thread only.
pub trait Receiver {
    /// Verdicts will come soon: fetches what lies `depth` pointers away, 0 for itself. Called with each depth in turn,
    /// some time apart.
    fn fetch_ahead(&self, depth: usize) {
        let _ = depth;
    }

    /// Takes verdicts and says so, or leaves them when this comes in the middle of the receiver's own turn: then they
    /// wait at the desk.
    fn receive(&self, verdicts: &mut Verdicts) -> bool;

    /// It panicked while it took verdicts: what it knows can't be trusted, and it must end.
    fn broken(&self);
}

/// Numbers the threads that have desks.
static COUNTERS: AtomicU64 = AtomicU64::new(1);

thread_local! {
    static COUNTER: Counter = Counter {
        number: COUNTERS.fetch_add(1, Ordering::Relaxed),
        places: RefCell::default(),
    };
}

/// The desks of a thread.
struct Counter {
    number: u64,
    places: RefCell<Places>,
}

#[derive(Default)]
struct Places {
    places: Vec<Place>,
    free: Vec<u32>,
}

#[derive(Default)]
struct Place {
    /// How often it was used: what was meant for an earlier receiver does not reach a later one.
    life: u32,
    receiver: Option<Rc<dyn Receiver>>,
}

#[derive(Debug, Clone, Copy)]
struct Address {
    counter: u64,
    place: u32,
    life: u32,
}

/// Keeps a desk open; closes it when dropped. Stays on its thread.
#[derive(Debug)]
pub struct OpenDesk {
    address: Address,
    stays: PhantomData<Rc<()>>,
}

impl OpenDesk {
    /// A desk on this thread, at which nobody sits yet: verdicts are lost on it until [`Self::occupy`].
    #[must_use]
    pub fn open() -> Self {
        let address = COUNTER.with(|counter| {
            let Places { places, free } = &mut *counter.places.borrow_mut();
            let place = free.pop().unwrap_or_else(|| {
                places.push(Place::default());
                u32::try_from(places.len() - 1).expect("a thread has fewer than 2^32 connections")
            });
            Address { counter: counter.number, place, life: places[place as usize].life }
        });
        Self { address, stays: PhantomData }
    }

    /// Puts a receiver behind the desk.
    pub fn occupy(&self, receiver: Rc<dyn Receiver>) {
        COUNTER.with(|counter| {
            counter.places.borrow_mut().places[self.address.place as usize].receiver = Some(receiver);
        });
    }

    /// How others reach the desk.
    pub(super) fn desk(&self) -> Desk {
        Desk { address: self.address, mail: AtomicBool::new(false), tray: Mutex::default() }
    }
}

impl Drop for OpenDesk {
    fn drop(&mut self) {
        // At the end of a thread its desks may have gone first. The receiver is dropped when nothing is borrowed.
        let receiver = COUNTER.try_with(|counter| {
            let Places { places, free } = &mut *counter.places.borrow_mut();
            let place = &mut places[self.address.place as usize];
            place.life = place.life.wrapping_add(1);
            free.push(self.address.place);
            place.receiver.take()
        });
        drop(receiver);
    }
}

/// The way to a desk, from any thread.
#[derive(Debug)]
pub(super) struct Desk {
    address: Address,
    /// Something lies in the tray.
    mail: AtomicBool,
    tray: Mutex<Tray>,
}

#[derive(Debug, Default)]
struct Tray {
    /// Nearly always nothing, and then it costs next to nothing: there is a tray for every session.
    verdicts: Option<Box<Verdicts>>,
    waker: Option<Waker>,
}

impl Desk {
    /// Verdicts will be told soon: the receiver is fetched from memory if it sits on this thread.
    #[inline]
    pub(super) fn fetch_ahead(&self, depth: usize) {
        let Address { counter: home, place, .. } = self.address;
        // A hint: without the thread's desks there is nothing to fetch.
        let _ = COUNTER.try_with(|counter| {
            if counter.number == home
                && let Some(place) = counter.places.borrow().places.get(place as usize)
                && let Some(receiver) = &place.receiver
            {
                receiver.fetch_ahead(depth);
            }
        });
    }

    /// Tells the receiver now, or leaves it for him.
    pub(super) fn tell(&self, mut verdicts: Verdicts) {
        let Address { counter: home, place, life } = self.address;
        let found = COUNTER.try_with(|counter| {
            (counter.number == home).then(|| {
                let places = counter.places.borrow();
                let place = places.places.get(place as usize).filter(|place| place.life == life)?;
                place.receiver.clone()
            })
        });
        match found {
            Ok(Some(Some(receiver))) => {
                match catch_unwind(AssertUnwindSafe(|| receiver.receive(&mut verdicts))) {
                    Ok(true) => {}
                    Ok(false) => self.leave(verdicts),
                    Err(_) => receiver.broken(),
                }
            }
            Ok(Some(None)) => {}
            // Another thread, or this one is ending.
            Ok(None) | Err(_) => self.leave(verdicts),
        }
    }

    fn leave(&self, mut verdicts: Verdicts) {
        let mut tray = self.tray();
        tray.verdicts.get_or_insert_default().0.append(&mut verdicts.0);
        self.mail.store(true, Ordering::Release);
        let waker = tray.waker.clone();
        drop(tray);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// What was left. To be asked after [`Self::wake_by`], so that nothing is overlooked.
    pub(super) fn take(&self) -> Option<Verdicts> {
        if !self.mail.load(Ordering::Acquire) {
            return None;
        }
        let mut tray = self.tray();
        self.mail.store(false, Ordering::Release);
        tray.verdicts.take().map(|verdicts| *verdicts)
    }

    /// How the receiver is woken when something is left.
    pub(super) fn wake_by(&self, waker: &Waker) {
        self.tray().waker = Some(waker.clone());
    }

    fn tray(&self) -> MutexGuard<'_, Tray> {
        self.tray.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use pool_domain::share::{LostReason, Verdict};

    use super::*;
    use crate::runtime::ticket::{TicketOffice, resolve_all};

    #[derive(Default)]
    struct Session {
        told: RefCell<Vec<(u32, Verdict)>>,
        busy: Cell<bool>,
        panics: Cell<bool>,
        broken: Cell<bool>,
    }

    impl Receiver for Session {
        fn receive(&self, verdicts: &mut Verdicts) -> bool {
            if self.busy.get() {
                return false;
            }
            assert!(!self.panics.get(), "as it was told to");
            self.told.borrow_mut().extend(verdicts.0.drain(..).map(|known| (known.token, known.verdict)));
            true
        }

        fn broken(&self) {
            self.broken.set(true);
        }
    }

    fn session() -> (Rc<Session>, OpenDesk, TicketOffice) {
        let (desk, session) = (OpenDesk::open(), Rc::new(Session::default()));
        desk.occupy(session.clone());
        let office = TicketOffice::at(&desk, 64);
        (session, desk, office)
    }

    #[test]
    fn verdicts_of_the_same_thread_arrive_by_a_call() {
        let (session, _desk, office) = session();
        office.issue(1).unwrap().resolve(Verdict::Accepted);
        drop(office.issue(2).unwrap());
        let lost = Verdict::Lost(LostReason::Dropped);
        assert_eq!(*session.told.borrow(), [(1, Verdict::Accepted), (2, lost)]);
        assert_eq!((office.outstanding(), office.left().is_none()), (0, true));
    }

    #[test]
    fn many_verdicts_reach_each_session_once_and_in_order() {
        for shares in [0_u32, 1, 7, 8, 9, 40] {
            let sessions: Vec<_> = (0..5).map(|_| session()).collect();
            let tickets: Vec<_> =
                (0..shares).map(|n| sessions[(n * n % 5) as usize].2.issue(n).unwrap()).collect();
            resolve_all(tickets.into_iter().map(|ticket| (ticket, Verdict::Accepted)).collect());
            for (at, (session, ..)) in sessions.iter().enumerate() {
                let told: Vec<_> = session.told.borrow().iter().map(|known| known.0).collect();
                assert_eq!(told, (0..shares).filter(|n| (n * n % 5) as usize == at).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn verdicts_of_other_threads_and_of_busy_moments_wait_in_order() {
        let (session, _desk, office) = session();
        let (woken, waker) = futures_test_waker();
        office.wake_by(&waker);
        let (ticket, later) = (office.issue(1).unwrap(), office.issue(2).unwrap());
        std::thread::scope(|scope| {
            scope.spawn(move || ticket.resolve(Verdict::Accepted));
        });
        assert_eq!(woken.load(Ordering::SeqCst), 1);
        session.busy.set(true);
        later.resolve(Verdict::Accepted);
        assert!(session.told.borrow().is_empty());
        let left = office.left().unwrap();
        assert_eq!(left.0.iter().map(|known| known.token).collect::<Vec<_>>(), [1, 2]);
        assert!(office.left().is_none());
        assert_eq!((office.outstanding(), woken.load(Ordering::SeqCst)), (0, 2));
    }

    #[test]
    fn a_panic_of_a_session_stays_with_it() {
        let (session, _desk, office) = session();
        session.panics.set(true);
        office.issue(1).unwrap().resolve(Verdict::Accepted);
        assert!(session.broken.get());
    }

    #[test]
    fn what_was_meant_for_a_session_that_has_gone_reaches_nobody() {
        let (first, desk, office) = session();
        let ticket = office.issue(1).unwrap();
        drop(desk);
        assert_eq!(Rc::strong_count(&first), 1);
        let (second, _desk, _office) = session();
        ticket.resolve(Verdict::Accepted);
        assert!(first.told.borrow().is_empty() && second.told.borrow().is_empty());
    }

    fn futures_test_waker() -> (std::sync::Arc<AtomicU64>, Waker) {
        struct Count(std::sync::Arc<AtomicU64>);
        impl std::task::Wake for Count {
            fn wake(self: std::sync::Arc<Self>) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let count = std::sync::Arc::new(AtomicU64::new(0));
        (count.clone(), Waker::from(std::sync::Arc::new(Count(count))))
    }
}
