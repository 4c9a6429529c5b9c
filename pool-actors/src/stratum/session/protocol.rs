//! What a session knows and how it reads lines; no I/O.

use std::{rc::Rc, sync::Arc, task::Waker};

use pool_domain::{
    ban_list::BanReason, dedup::SeenShares, extranonce::ExtranoncePrefix, prefetch::fetch_ahead,
    units::TimeMs,
};

use smallvec::SmallVec;

use super::{
    pending::PendingTable,
    work::{Pace, Terms},
};
use crate::{
    messages::{event::PoolEvent, share::WorkerIdentity, stats::SessionEnded},
    runtime::ticket::{TicketOffice, Verdicts},
    stratum::{
        context::{ArbiterContext, SessionCard},
        dialect::{Dialect, Variant},
        gate::Permit,
        settings::ListenerProfile,
        wire::{CODE_UNKNOWN_METHOD, Line, LineError, ReplyId, Request, parse_line, push_error, push_result},
    },
};

/// Shares of one session that are remembered per set of parents; past it the difficulty is far too low for its miner.
pub(super) const SEEN_MAX: u32 = 1 << 18;

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The miner went away.
    Disconnected,
    /// It never said anything: a proxy's spare connection, no offence.
    Silent,
    /// It did not authorise in time.
    Handshake,
    /// It said nothing for too long.
    Idle,
    /// It sent what is no request.
    Rubbish,
    /// It does not read what it is sent.
    SlowReader,
    /// The algorithm panicked on its share.
    Poison,
    /// Its address was banned.
    Banned(BanReason),
    /// Somebody wanted it closed, or the pool has no place for it.
    Closed,
}

/// What follows from a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// The next line.
    Next,
    /// This line again, later: there is no credit for it now.
    Stall,
    /// The session is over.
    End(End),
}

/// A worker that authorised here.
#[derive(Debug)]
pub(super) struct Authorised {
    /// As the miner writes it; `None` when that is the canonical `account.worker`.
    user: Option<Box<str>>,
    pub(super) identity: Arc<WorkerIdentity>,
}

impl Authorised {
    pub(super) fn new(user: &str, identity: Arc<WorkerIdentity>) -> Self {
        let mut worker = Self { user: None, identity };
        if !worker.is(user) {
            worker.user = Some(user.into());
        }
        worker
    }

    /// Whether a submit of `user` is for this worker.
    pub(super) fn is(&self, user: &str) -> bool {
        if let Some(written) = &self.user {
            return **written == *user;
        }
        match user.strip_prefix(self.identity.account.as_str()) {
            Some("") => self.identity.worker.as_str().is_empty(),
            Some(rest) => rest
                .strip_prefix('.')
                .is_some_and(|rest| rest == self.identity.worker.as_str() && !rest.is_empty()),
            None => false,
        }
    }
}

/// How many requests may come: a bucket that fills at the sustained rate and holds ten seconds' worth.
#[derive(Debug)]
struct Allowance {
    thousandths: u64,
    refilled_at: TimeMs,
}

impl Allowance {
    const BURST_S: u64 = 10;

    fn take(&mut self, rate: u32, now: TimeMs) -> bool {
        if self.thousandths < 1_000 {
            let rate = u64::from(rate);
            let refill = rate.saturating_mul(now.since(self.refilled_at));
            self.thousandths = self.thousandths.saturating_add(refill).min(rate * 1_000 * Self::BURST_S);
            self.refilled_at = now;
        }
        let enough = self.thousandths >= 1_000;
        if enough {
            self.thousandths -= 1_000;
        }
        enough
    }
}

/// One miner's session.
pub struct Session {
    pub(super) hub: Rc<ArbiterContext>,
    pub(super) card: Rc<SessionCard>,
    pub(super) permit: Permit,
    pub(super) office: TicketOffice,
    pub(super) dialect: &'static Dialect,
    pub(super) variant: &'static Variant,
    pub(super) prefix: Option<ExtranoncePrefix>,
    pub(super) subscribed: bool,
    pub(super) takes_extranonce: bool,
    pub(super) workers: SmallVec<[Authorised; 1]>,
    /// It waits for work, or has some.
    pub(super) begun: bool,
    pub(super) pace: Pace,
    pub(super) version_mask: u32,
    pub(super) version_mask_sent: Option<u32>,
    pub(super) terms: SmallVec<[Terms; 1]>,
    pub(super) last_sent: Option<u64>,
    pub(super) pending: PendingTable,
    pub(super) seen: SeenShares,
    pub(super) judged: u32,
    pub(super) invalid: u32,
    malformed: u32,
    pub(super) failed_logins: u8,
    allowance: Allowance,
    /// It has said something.
    spoke: bool,
    /// Or, until it has, the time of its connection.
    first_line_at: TimeMs,
    pub(super) last_line_at: TimeMs,
    pub(super) last_sent_at: TimeMs,
    throttled: bool,
    /// It has no credit for the line that comes next.
    pub(super) stalled: bool,
    /// The miner says nothing more, and may still listen.
    pub(super) leaving: bool,
    /// It is over; only its end is left to do.
    pub(super) ended: bool,
}

impl Session {
    /// A fresh session; it enters the hub's list and leaves it when dropped.
    #[must_use]
    pub fn new(hub: Rc<ArbiterContext>, card: Rc<SessionCard>, permit: Permit, office: TicketOffice) -> Self {
        hub.enter(&card);
        let dialect = hub.shared.listeners[card.listener()].dialect;
        let variant = &dialect.variants[0];
        card.facts.borrow_mut().variant = variant.name;
        let now = card.connected_at;
        Self {
            permit,
            office,
            dialect,
            variant,
            prefix: None,
            subscribed: false,
            takes_extranonce: false,
            workers: SmallVec::new(),
            begun: false,
            pace: Pace::Wanted { start: None, minimum: None },
            version_mask: 0,
            version_mask_sent: None,
            terms: SmallVec::new(),
            last_sent: None,
            pending: PendingTable::default(),
            seen: SeenShares::default(),
            judged: 0,
            invalid: 0,
            malformed: 0,
            failed_logins: 0,
            allowance: Allowance {
                thousandths: u64::from(hub.shared.settings.requests_per_second_max)
                    * 1_000
                    * Allowance::BURST_S,
                refilled_at: now,
            },
            spoke: false,
            first_line_at: now,
            last_line_at: now,
            last_sent_at: now,
            throttled: false,
            stalled: false,
            leaving: false,
            ended: false,
            hub,
            card,
        }
    }

    /// It is about to be busy: what it points to (`depth` 1), and later what that points to (2), is fetched from memory at
    /// once, instead of piece by piece.
    #[inline]
    pub fn fetch_ahead(&self, depth: usize) {
        self.pending.fetch_ahead(depth);
        let worker = self.workers.first().map(|worker| &*worker.identity);
        if depth == 1 {
            fetch_ahead(&*self.card);
            self.office.fetch_ahead();
            self.seen.fetch_ahead();
            if let Some(worker) = worker {
                fetch_ahead(worker);
            }
            if let Some(terms) = self.terms.last() {
                fetch_ahead(&*terms.bound);
            }
        } else {
            self.card.fetch_ahead();
            if let Some(worker) = worker {
                fetch_ahead(worker.account.as_str());
                fetch_ahead(worker.worker.as_str());
            }
        }
    }

    /// All shares of a read are on their way.
    #[inline]
    pub fn read_ends(&self) {
        self.hub.intake.read_ends();
    }

    /// What it shows to its hub.
    #[must_use]
    pub fn card(&self) -> &Rc<SessionCard> {
        &self.card
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> TimeMs {
        self.hub.now()
    }

    /// Longest line.
    #[must_use]
    pub fn line_bytes_max(&self) -> usize {
        self.hub.shared.settings.line_bytes_max
    }

    /// Most unsent bytes.
    #[must_use]
    pub fn unsent_bytes_max(&self) -> usize {
        self.hub.shared.settings.unsent_bytes_max
    }

    pub(super) fn listener(&self) -> &ListenerProfile {
        &self.hub.shared.listeners[self.card.listener()]
    }

    pub(super) fn authorised(&self) -> bool {
        !self.workers.is_empty()
    }

    /// Notes that bytes went out.
    pub fn note_sent(&mut self, now: TimeMs) {
        self.last_sent_at = now;
    }

    /// Logs the end.
    pub fn note_end(&self, end: End) {
        tracing::debug!(session = self.card.id.0, peer = %self.card.peer, ?end, "session ended");
    }

    /// Answers a line (without its newline).
    pub fn line(&mut self, line: &[u8], now: TimeMs, out: &mut Vec<u8>) -> Flow {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return Flow::Next;
        }
        if !self.allowance.take(self.hub.shared.settings.requests_per_second_max, now) {
            self.throttled = true;
            return Flow::Stall;
        }
        if !std::mem::replace(&mut self.spoke, true) {
            self.first_line_at = now;
        }
        self.last_line_at = now;
        match parse_line(line, self.hub.shared.settings.json_depth_max) {
            Ok(Line::Share { id, params }) => self.submit(id, &params, now, out),
            Ok(Line::Request(request)) => self.request(&request, now, out),
            Ok(Line::Response { result }) => {
                self.response(result);
                Flow::Next
            }
            Err(error) => self.rubbish(error, out),
        }
    }

    fn request(&mut self, request: &Request<'_>, now: TimeMs, out: &mut Vec<u8>) -> Flow {
        match &*request.method {
            "mining.submit" => return self.submit_request(request, now, out),
            "mining.subscribe" => return self.subscribe(request, now, out),
            "mining.authorize" => return self.authorize(request, now, out),
            "mining.configure" => self.configure(request, now, out),
            "mining.extranonce.subscribe" => {
                self.takes_extranonce = true;
                push_result(out, &request.id, b"true");
            }
            "mining.suggest_difficulty" => self.suggest_difficulty(request, now, out),
            "mining.suggest_target" => self.suggest_target(request, now, out),
            "mining.multi_version" if self.dialect.switches_function => {
                self.multi_version(request, now, out);
            }
            "mining.configure_notifications" => self.configure_notifications(request, out),
            "mining.get_transactions" => push_result(out, &request.id, b"[]"),
            "mining.ping" | "ping" => push_result(out, &request.id, b"\"pong\""),
            _ => push_error(out, &request.id, CODE_UNKNOWN_METHOD, "Unknown method"),
        }
        Flow::Next
    }

    /// A line that is no request: answered, counted, and the end of who began with it or goes on with it.
    fn rubbish(&mut self, error: LineError, out: &mut Vec<u8>) -> Flow {
        push_error(out, &ReplyId::null(), error.code(), &error.to_string());
        if let Some(end) = self.note_malformed() {
            return Flow::End(end);
        }
        // No request ever came: this is another protocol, not a miner with a bug.
        if self.subscribed || self.authorised() { Flow::Next } else { Flow::End(End::Rubbish) }
    }

    /// Counts something that no correct miner sends.
    pub(super) fn note_malformed(&mut self) -> Option<End> {
        self.malformed += 1;
        (self.malformed >= self.hub.shared.banning().malformed_max).then(|| self.ban(BanReason::Malformed))
    }

    /// Answers a line that is longer than allowed, whether it ends or not.
    pub fn refuse_long_line(&mut self, out: &mut Vec<u8>) -> End {
        let message = format!("Line too long: at most {} bytes", self.line_bytes_max());
        push_error(out, &ReplyId::null(), LineError::Parse.code(), &message);
        End::Rubbish
    }

    pub(super) fn ban(&mut self, reason: BanReason) -> End {
        if !self.permit.ban(reason, self.hub.date()) {
            return End::Rubbish;
        }
        metrics::counter!(crate::metrics::BANS_TOTAL, "reason" => reason.label()).increment(1);
        self.hub.shared.publish(PoolEvent::SecurityEvent {
            code: "STRATUM_BAN".to_owned(),
            message: format!(
                "{} is banned for {} s: {}",
                self.card.peer.ip(),
                self.hub.shared.banning().duration_s,
                reason.label()
            ),
        });
        End::Banned(reason)
    }

    /// Verdicts that could not be taken when they came.
    #[must_use]
    pub fn verdicts_left(&self) -> Option<Verdicts> {
        self.office.left()
    }

    /// How the session's turn is brought about when verdicts wait.
    pub fn wake_by(&self, waker: &Waker) {
        self.office.wake_by(waker);
    }

    /// The clock: what is overdue.
    pub(super) fn overdue(&self, now: TimeMs) -> Option<End> {
        let settings = &self.hub.shared.settings;
        let since = now.since(self.first_line_at);
        if !self.spoke {
            (since >= settings.first_request_timeout_ms).then_some(End::Silent)
        } else if !self.authorised() {
            (since >= settings.handshake_timeout_ms).then_some(End::Handshake)
        } else if self.card.facts.borrow().stranded {
            // Who has no work has nothing to say.
            None
        } else {
            (now.since(self.last_line_at) >= settings.idle_timeout_ms).then_some(End::Idle)
        }
    }

    /// Tells the hub when the session next needs its clock.
    pub fn schedule(&mut self, now: TimeMs) {
        let settings = &self.hub.shared.settings;
        let due = if !self.spoke {
            self.first_line_at.plus_ms(settings.first_request_timeout_ms)
        } else if !self.authorised() {
            self.first_line_at.plus_ms(settings.handshake_timeout_ms)
        } else {
            let stranded = self.card.facts.borrow().stranded;
            let idle = if stranded { now } else { self.last_line_at }.plus_ms(settings.idle_timeout_ms);
            idle.min(self.keepalive_at()).min(now.plus_ms(self.pace_tick_ms(now)))
        };
        // A throttled session may go on as soon as its bucket has something again.
        self.card.due_at.set(if std::mem::take(&mut self.throttled) { now } else { due });
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let shared = &self.hub.shared;
        self.hub.leave(&self.card);
        if let Some(prefix) = self.prefix {
            // Without a job nothing was searched with it.
            shared.release_prefix(prefix, self.card.peer.ip(), self.last_sent.is_some());
        }
        if self.authorised() {
            shared.exits.ended.offer(SessionEnded(self.card.id));
            shared.publish(PoolEvent::MinerDisconnected(self.card.seen()));
        }
    }
}
