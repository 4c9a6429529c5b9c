//! MinerSession: one connection of one miner.
//!
//! * **receives** bytes of its socket; [`Verdicts`] of its shares; wake-ups of its hub (newer job, command, clock)
//! * **sends** batches of shares to the validator of its arbiter, one per socket read and route; lines to its socket
//! * **supervised by** nobody: it dies with its socket, and a panic takes this one connection only
//! * **on overload** no credit, unsent output or too many requests: its socket is not read, TCP pushes back; a reader
//!   that is too slow skips to the newest job, and is closed when even replies don't fit
//!
//! The actor here moves bytes; what they mean is [`Session`]'s business, which does no I/O.

pub mod pending;
mod protocol;
mod requests;
mod shares;
mod work;

use std::{
    cell::RefCell,
    pin::Pin,
    rc::Rc,
    task::{Context as TaskContext, Poll, Waker},
};

use actix::{Actor, ActorContext as _, AsyncContext as _, Context, Handler, fut::ActorFuture};
use pool_domain::{ids::Route, units::TimeMs};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub use protocol::{End, Flow, Session};

use super::{
    context::{ArbiterContext, SessionCard},
    gate::Permit,
};
use crate::{
    messages::share::Share,
    runtime::ticket::{TicketOffice, Verdicts},
};

/// Bytes taken from a socket at once.
const READ_BYTES: usize = 32 * 1024;
/// Reads before other sessions get their turn.
const READS_PER_TURN: usize = 4;

/// Shares of one read, by route; almost always one.
pub type Batches = Vec<(Route, Vec<Share>)>;

/// Buffers of a thread: a session owns memory only for what is unfinished.
struct Scratch {
    read: Box<[u8]>,
    out: Vec<u8>,
    batches: Batches,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch {
        read: vec![0; READ_BYTES].into_boxed_slice(),
        out: Vec::with_capacity(READ_BYTES),
        batches: Vec::new(),
    });
}

/// See the module's documentation.
pub struct MinerSession<S> {
    stream: S,
    /// A partial line; while the session is stalled, also the complete lines that wait.
    inbound: Vec<u8>,
    /// What the socket did not take yet.
    outbound: Vec<u8>,
    stalled: bool,
    ended: bool,
    session: Session,
}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> MinerSession<S> {
    /// Opens a session on the current arbiter.
    pub fn open(
        hub: &Rc<ArbiterContext>,
        stream: S,
        peer: std::net::SocketAddr,
        listener: usize,
        permit: Permit,
    ) -> Rc<SessionCard> {
        let card = SessionCard::new(hub.shared.next_session(), peer, listener, hub.now());
        let (hub, shown) = (Rc::clone(hub), Rc::clone(&card));
        Self::create(move |context| {
            let office =
                TicketOffice::new(context.address().recipient(), hub.shared.settings.shares_outstanding_max);
            Self {
                stream,
                inbound: Vec::new(),
                outbound: Vec::new(),
                stalled: false,
                ended: false,
                session: Session::new(hub, card, permit, office),
            }
        });
        shown
    }

    /// One turn: what the hub wants, what the socket has, what it takes.
    fn pump(&mut self, task: &mut TaskContext<'_>) -> Poll<()> {
        if self.ended {
            return Poll::Ready(());
        }
        self.session.card().set_waker(task.waker());
        let end = SCRATCH.with_borrow_mut(|scratch| self.turn(task, scratch));
        match end {
            Some(end) => {
                self.end(end);
                Poll::Ready(())
            }
            None => Poll::Pending,
        }
    }

    fn turn(&mut self, task: &mut TaskContext<'_>, scratch: &mut Scratch) -> Option<End> {
        let Scratch { read, out, batches } = scratch;
        out.clear();
        let now = self.session.now();
        if let Err(end) = self.flush(task) {
            return Some(end);
        }
        // A reader that is behind gets the newest job once it has caught up.
        let mut end = self.session.attend(now, self.outbound.is_empty(), out);
        if end.is_none() && self.stalled {
            let waiting = std::mem::take(&mut self.inbound);
            self.stalled = false;
            end = self.consume(&waiting, now, out, batches);
        }
        let mut idle = false;
        for _ in 0..READS_PER_TURN {
            if end.is_some() || self.stalled || !self.outbound.is_empty() {
                idle = true;
                break;
            }
            let mut buffer = ReadBuf::new(read);
            match Pin::new(&mut self.stream).poll_read(task, &mut buffer) {
                Poll::Pending => {
                    idle = true;
                    break;
                }
                Poll::Ready(Err(_)) => end = Some(End::Disconnected),
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => end = Some(End::Disconnected),
                Poll::Ready(Ok(())) => end = self.consume(buffer.filled(), now, out, batches),
            }
            self.session.dispatch(batches);
            if let Err(failed) = self.transmit(out, task, now) {
                end = Some(failed);
            }
            out.clear();
        }
        self.session.dispatch(batches);
        if let Err(failed) = self.transmit(out, task, now) {
            end = Some(failed);
        }
        out.clear();
        if !idle {
            task.waker().wake_by_ref();
        }
        self.session.schedule(now);
        end
    }

    /// Takes bytes apart into lines.
    fn consume(
        &mut self,
        mut data: &[u8],
        now: TimeMs,
        out: &mut Vec<u8>,
        batches: &mut Batches,
    ) -> Option<End> {
        let longest = self.session.line_bytes_max();
        if !self.inbound.is_empty() {
            let end = memchr::memchr(b'\n', data);
            if self.inbound.len() + end.unwrap_or(data.len()) > longest {
                return Some(self.session.refuse_long_line(out));
            }
            let Some(end) = end else {
                self.inbound.extend_from_slice(data);
                return None;
            };
            let mut line = std::mem::take(&mut self.inbound);
            line.extend_from_slice(&data[..end]);
            match self.session.line(&line, now, out, batches) {
                Flow::Next => data = &data[end + 1..],
                Flow::Stall => {
                    line.extend_from_slice(&data[end..]);
                    self.stall(line);
                    return None;
                }
                Flow::End(end) => return Some(end),
            }
        }
        while let Some(end) = memchr::memchr(b'\n', data) {
            if end > longest {
                return Some(self.session.refuse_long_line(out));
            }
            match self.session.line(&data[..end], now, out, batches) {
                Flow::Next => data = &data[end + 1..],
                Flow::Stall => {
                    self.stall(data.to_vec());
                    return None;
                }
                Flow::End(end) => return Some(end),
            }
        }
        if data.len() > longest {
            return Some(self.session.refuse_long_line(out));
        }
        if !data.is_empty() {
            self.inbound.extend_from_slice(data);
        }
        None
    }

    fn stall(&mut self, waiting: Vec<u8>) {
        self.inbound = waiting;
        self.stalled = true;
    }

    /// Sends what waits.
    fn flush(&mut self, task: &mut TaskContext<'_>) -> Result<(), End> {
        if self.outbound.is_empty() {
            return Ok(());
        }
        let waiting = std::mem::take(&mut self.outbound);
        let sent = write_some(&mut self.stream, &waiting, task)?;
        if sent < waiting.len() {
            self.outbound = waiting;
            self.outbound.drain(..sent);
        }
        Ok(())
    }

    /// Sends, and keeps what the socket does not take, up to a limit.
    fn transmit(&mut self, bytes: &[u8], task: &mut TaskContext<'_>, now: TimeMs) -> Result<(), End> {
        if bytes.is_empty() {
            return Ok(());
        }
        let sent = if self.outbound.is_empty() { write_some(&mut self.stream, bytes, task)? } else { 0 };
        if sent > 0 {
            self.session.note_sent(now);
        }
        let rest = &bytes[sent..];
        if self.outbound.len() + rest.len() > self.session.unsent_bytes_max() {
            return Err(End::SlowReader);
        }
        self.outbound.extend_from_slice(rest);
        Ok(())
    }

    fn end(&mut self, end: End) {
        self.ended = true;
        self.session.note_end(end);
    }
}

/// Writes as much as the socket takes. When it takes no more, the task's waker is registered with it.
fn write_some<S: AsyncWrite + Unpin>(
    stream: &mut S,
    bytes: &[u8],
    task: &mut TaskContext<'_>,
) -> Result<usize, End> {
    let mut sent = 0;
    while sent < bytes.len() {
        match Pin::new(&mut *stream).poll_write(task, &bytes[sent..]) {
            Poll::Ready(Ok(0) | Err(_)) => return Err(End::Disconnected),
            Poll::Ready(Ok(count)) => sent += count,
            Poll::Pending => break,
        }
    }
    Ok(sent)
}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> Actor for MinerSession<S> {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.spawn(Pump);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> Handler<Verdicts> for MinerSession<S> {
    type Result = ();

    fn handle(&mut self, verdicts: Verdicts, context: &mut Self::Context) {
        if self.ended {
            return;
        }
        let end = SCRATCH.with_borrow_mut(|Scratch { out, batches, .. }| {
            out.clear();
            let now = self.session.now();
            let end = self.session.verdicts(verdicts, now, self.outbound.is_empty(), out, batches);
            self.session.dispatch(batches);
            // The pump is polled right after this handler, and registers a real waker for what is left.
            let sent = self.transmit(out, &mut TaskContext::from_waker(Waker::noop()), now);
            out.clear();
            sent.err().or(end)
        });
        if let Some(end) = end {
            self.end(end);
            context.stop();
        }
    }
}

/// The one item of a session's context: it is polled when the socket, the hub or the mailbox wakes the session.
struct Pump;

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> ActorFuture<MinerSession<S>> for Pump {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        session: &mut MinerSession<S>,
        context: &mut Context<MinerSession<S>>,
        task: &mut TaskContext<'_>,
    ) -> Poll<()> {
        let turn = session.pump(task);
        if turn.is_ready() {
            context.stop();
        }
        turn
    }
}
