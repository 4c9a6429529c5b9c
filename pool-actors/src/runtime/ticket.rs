//! Tickets: proof that one share awaits its verdict.
//!
//! A session's [`TicketOffice`] issues a [`Ticket`] per share, up to the session's credit; without credit the session
//! stops reading its socket. The ticket travels inside the messages that carry the share (validator, journal) and
//! resolves **exactly once**: by [`Ticket::resolve`], by [`resolve_all`], or, if whatever held it died, by being
//! dropped, which tells the session that the share was lost. The credit comes back with the verdict.
//!
//! Verdicts reach the session by message, or at its [`desk`](super::desk) by a call.

use std::{
    cell::Cell,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::Waker,
};

use actix::{Message, Recipient};
use pool_domain::{
    prefetch::fetch_ahead,
    share::{LostReason, Verdict},
};
use smallvec::SmallVec;

use super::desk::{Desk, OpenDesk};

/// A verdict for the share that the session numbered `token`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolved {
    /// The session's own number for the share.
    pub token: u32,
    /// What became of it.
    pub verdict: Verdict,
}

/// Verdicts for a session, in the order the shares were judged. The tickets' credit is free again on receipt.
#[derive(Debug, Clone, Default, Message)]
#[rtype(result = "()")]
pub struct Verdicts(pub SmallVec<[Resolved; TOGETHER]>);

/// Verdicts that are told together without an allocation.
const TOGETHER: usize = 16;

/// How a session hears.
enum Session {
    Mailbox(Recipient<Verdicts>),
    Desk(Desk),
}

struct Office {
    session: Session,
    /// Tickets that have resolved, modulo 2^32.
    resolved: AtomicU32,
}

impl Office {
    /// Fetches what lies `depth` pointers away.
    #[inline]
    fn fetch_ahead(&self, depth: usize) {
        match (depth, &self.session) {
            (0, _) => fetch_ahead(self),
            (_, Session::Desk(desk)) => desk.fetch_ahead(depth - 1),
            (_, Session::Mailbox(_)) => {}
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "bounded by credit: a session has at most `credit_max` verdicts queued"
    )]
    fn deliver(&self, verdicts: Verdicts) {
        // Fewer than `credit_max` (u32) can be outstanding.
        let count = u32::try_from(verdicts.0.len()).unwrap_or(u32::MAX);
        // Credit first: the session decides in its handler whether it reads on.
        self.resolved.fetch_add(count, Ordering::AcqRel);
        // A session that has gone needs no answer.
        match &self.session {
            Session::Mailbox(session) => session.do_send(verdicts),
            Session::Desk(desk) => desk.tell(verdicts),
        }
    }
}

/// Issues the tickets of one session.
pub struct TicketOffice {
    office: Arc<Office>,
    /// Tickets issued, modulo 2^32. Only the session issues.
    issued: Cell<u32>,
    credit_max: u32,
}

impl TicketOffice {
    /// An office that lets `credit_max` shares await their verdict at a time.
    #[must_use]
    pub fn new(session: Recipient<Verdicts>, credit_max: u32) -> Self {
        Self::of(Session::Mailbox(session), credit_max)
    }

    /// The office of the session that sits at this desk.
    #[must_use]
    pub fn at(desk: &OpenDesk, credit_max: u32) -> Self {
        Self::of(Session::Desk(desk.desk()), credit_max)
    }

    fn of(session: Session, credit_max: u32) -> Self {
        let office = Arc::new(Office { session, resolved: AtomicU32::new(0) });
        Self { office, issued: Cell::new(0), credit_max }
    }

    /// Verdicts that wait at the desk, because they came in the middle of a turn or from another thread.
    #[must_use]
    pub fn left(&self) -> Option<Verdicts> {
        match &self.office.session {
            Session::Mailbox(_) => None,
            Session::Desk(desk) => desk.take(),
        }
    }

    /// How the session at the desk is woken when verdicts wait there.
    pub fn wake_by(&self, waker: &Waker) {
        if let Session::Desk(desk) = &self.office.session {
            desk.wake_by(waker);
        }
    }

    /// Tickets will be issued or come back soon.
    #[inline]
    pub fn fetch_ahead(&self) {
        fetch_ahead(&*self.office);
    }

    /// A ticket, or `None` without credit: then stop reading until verdicts arrive.
    #[must_use]
    pub fn issue(&self, token: u32) -> Option<Ticket> {
        // Only the session issues, so the count can only have fallen since it was read.
        if self.credit() == 0 {
            return None;
        }
        self.issued.set(self.issued.get().wrapping_add(1));
        Some(Ticket { office: Some(Arc::clone(&self.office)), token })
    }

    /// Shares that await their verdict.
    #[must_use]
    pub fn outstanding(&self) -> u32 {
        self.issued.get().wrapping_sub(self.office.resolved.load(Ordering::Acquire))
    }

    /// Shares that may still be taken now.
    #[must_use]
    pub fn credit(&self) -> u32 {
        self.credit_max.saturating_sub(self.outstanding())
    }
}

/// One share's right to a verdict. Dropped without one, it resolves to `Lost(Dropped)`.
pub struct Ticket {
    office: Option<Arc<Office>>,
    token: u32,
}

impl Ticket {
    /// Sends the verdict to the session.
    pub fn resolve(mut self, verdict: Verdict) {
        self.settle(verdict);
    }

    /// Tells the session that the share was lost, and why.
    pub fn lost(self, reason: LostReason) {
        self.resolve(Verdict::Lost(reason));
    }

    /// The session's number for this share.
    #[must_use]
    pub fn token(&self) -> u32 {
        self.token
    }

    fn settle(&mut self, verdict: Verdict) {
        if let Some(office) = self.office.take() {
            let resolved = Resolved { token: self.token, verdict };
            office.deliver(Verdicts(SmallVec::from_iter([resolved])));
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.settle(Verdict::Lost(LostReason::Dropped));
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("token", &self.token).finish_non_exhaustive()
    }
}

/// How many tickets ahead of the one that is resolved a session is fetched: its office, itself, what it points to, and
/// what that points to. Each is far away in memory, and is known only once the one before it has arrived.
const AHEAD: [usize; 4] = [24, 16, 8, 4];

/// Resolves many tickets, with one message per run of consecutive tickets of the same session.
pub fn resolve_all(tickets: Vec<(Ticket, Verdict)>) {
    resolve_each(tickets, |(ticket, _)| ticket, |ticket| ticket);
}

/// As [`resolve_all`], for what holds tickets: `ticket` looks at one, `open` takes it out.
pub fn resolve_each<T>(
    holders: Vec<T>,
    ticket: impl Fn(&T) -> &Ticket,
    open: impl Fn(T) -> (Ticket, Verdict),
) {
    let fetch = |holders: &[T], at: usize, depth: usize| {
        let office = |at: usize| holders.get(at).and_then(|holder| ticket(holder).office.as_ref());
        if let Some(next) = office(at)
            && at.checked_sub(1).and_then(office).is_none_or(|last| !Arc::ptr_eq(last, next))
        {
            next.fetch_ahead(depth);
        }
    };
    for (depth, ahead) in AHEAD.into_iter().enumerate() {
        (0..ahead).for_each(|at| fetch(&holders, at, depth));
    }
    let mut run = Run { office: None, verdicts: SmallVec::new() };
    let mut holders = holders.into_iter();
    loop {
        for (depth, ahead) in AHEAD.into_iter().enumerate() {
            fetch(holders.as_slice(), ahead, depth);
        }
        let Some(holder) = holders.next() else { break };
        let (ticket, verdict) = open(holder);
        run.add(ticket, verdict);
    }
    run.flush();
}

/// Verdicts gathered for one session. Flushed on drop too, so that a panicking iterator loses none.
struct Run {
    office: Option<Arc<Office>>,
    verdicts: SmallVec<[Resolved; TOGETHER]>,
}

impl Run {
    fn add(&mut self, mut ticket: Ticket, verdict: Verdict) {
        let Some(office) = ticket.office.take() else { return };
        if !self.office.as_ref().is_some_and(|current| Arc::ptr_eq(current, &office)) {
            self.flush();
            self.office = Some(office);
        }
        self.verdicts.push(Resolved { token: ticket.token, verdict });
    }

    fn flush(&mut self) {
        if let Some(office) = self.office.take() {
            office.deliver(Verdicts(std::mem::take(&mut self.verdicts)));
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.flush();
    }
}
