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
    collections::VecDeque,
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

    fn is_of(&self, office: &Arc<Office>) -> bool {
        self.office.as_ref().is_some_and(|own| Arc::ptr_eq(own, office))
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

/// Tickets that are looked at ahead of the one that is resolved.
const AHEAD: usize = 8;

/// Resolves many tickets, with one message per run of consecutive tickets of the same session.
///
/// Each session is far away in memory, behind a few pointers: it is fetched, a step at a time, while those before it are
/// told.
pub fn resolve_all(tickets: impl IntoIterator<Item = (Ticket, Verdict)>) {
    let mut run = Run { office: None, verdicts: SmallVec::new() };
    let mut tickets = tickets.into_iter().fuse();
    let mut ahead: VecDeque<(Ticket, Verdict)> = VecDeque::with_capacity(AHEAD);
    loop {
        let next = tickets.next();
        if let Some((ticket, _)) = &next
            && let Some(office) = &ticket.office
            && !ahead.back().is_some_and(|(last, _)| last.is_of(office))
        {
            fetch_ahead(&**office);
        }
        if let (Some((before, _)), Some((ticket, _))) = (ahead.get(AHEAD / 2 - 1), ahead.get(AHEAD / 2))
            && let Some(office) = &ticket.office
            && !before.is_of(office)
            && let Session::Desk(desk) = &office.session
        {
            desk.fetch_ahead();
        }
        let due = if next.is_none() || ahead.len() == AHEAD {
            let Some(due) = ahead.pop_front() else { break };
            Some(due)
        } else {
            None
        };
        ahead.extend(next);
        if let Some((ticket, verdict)) = due {
            run.add(ticket, verdict);
        }
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
