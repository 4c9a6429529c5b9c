//! MinerSession: one connection of one miner.
//!
//! * **receives** bytes of its socket; [`Verdicts`] of its shares, at its desk; calls of its hub (newer job, command, clock)
//! * **sends** shares to the validator of its arbiter, gathered by its arbiter's [`Intake`](super::intake::Intake); lines
//!   to its socket
//! * **supervised by** nobody: it dies with its socket, and a panic takes this one connection only
//! * **on overload** no credit, unsent output or too many requests: its socket is not read, TCP pushes back; a reader
//!   that is too slow skips to the newest job, and is closed when even replies don't fit
//!
//! The actor here moves bytes; what they mean is [`Session`]'s business, which does no I/O. Its turn (reading, and whatever
//! could not be written at once) is an item of the actor's context. Verdicts and jobs come by plain calls from actors of
//! the same arbiter, and are written there and then: see [`crate::runtime::desk`].

mod function;
pub mod pending;
mod protocol;
mod requests;
mod shares;
mod work;

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context as TaskContext, Poll, Waker},
};

use actix::{Actor, ActorContext as _, AsyncContext as _, Context, fut::ActorFuture};
use pool_domain::{prefetch::fetch_ahead, units::TimeMs};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    task::unconstrained,
};

pub use protocol::{End, Flow, Session};

use super::{
    context::{ArbiterContext, Attend, SessionCard},
    gate::Permit,
};
use crate::runtime::{
    desk::{OpenDesk, Receiver},
    ticket::{TicketOffice, Verdicts},
};

/// Bytes taken from a socket at once.
const READ_BYTES: usize = 32 * 1024;
/// Reads before other sessions get their turn.
const READS_PER_TURN: usize = 4;

/// Buffers of a thread: a session owns memory only for what is unfinished.
struct Scratch {
    read: Box<[u8]>,
    out: Vec<u8>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch {
        read: vec![0; READ_BYTES].into_boxed_slice(),
        out: Vec::with_capacity(READ_BYTES),
    });
    /// For what is said outside of a session's own turn; taken out while it is in use.
    static REPLY: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// See the module's documentation.
pub struct MinerSession<S> {
    place: Rc<Place<S>>,
    /// Closes before the place goes.
    _desk: OpenDesk,
}

/// Where a session is found by those who call on it.
struct Place<S> {
    connection: RefCell<Connection<S>>,
    card: Rc<SessionCard>,
}

/// A session and its socket.
struct Connection<S> {
    stream: S,
    /// A partial line; while the session is stalled, also the complete lines that wait.
    inbound: Vec<u8>,
    /// What the socket did not take yet.
    outbound: Vec<u8>,
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
        let desk = OpenDesk::open();
        let office = TicketOffice::at(&desk, hub.shared.settings.shares_outstanding_max);
        let session = Session::new(Rc::clone(hub), Rc::clone(&card), permit, office);
        let connection = Connection { stream, inbound: Vec::new(), outbound: Vec::new(), session };
        let place = Rc::new(Place { connection: RefCell::new(connection), card: Rc::clone(&card) });
        desk.occupy(place.clone());
        let attendant: Rc<dyn Attend> = place.clone();
        card.attended_by(Rc::downgrade(&attendant));
        Self { place, _desk: desk }.start();
        card
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> Place<S> {
    /// One turn: what the hub wants, what the socket has, what it takes.
    fn pump(&self, task: &mut TaskContext<'_>) -> Poll<()> {
        let mut connection = self.connection.borrow_mut();
        if connection.session.ended || self.card.broken.get() {
            return Poll::Ready(());
        }
        fetch_ahead(&*connection);
        if self.card.set_waker(task.waker()) {
            connection.session.wake_by(task.waker());
        }
        let end = SCRATCH.with_borrow_mut(|scratch| connection.turn(task, scratch));
        match end {
            Some(end) => {
                connection.end(end);
                Poll::Ready(())
            }
            None => Poll::Pending,
        }
    }

    /// Lets the session say something outside of its own turn; `false` if it is in the middle of one.
    fn speak(&self, say: impl FnOnce(&mut Connection<S>, TimeMs, &mut Vec<u8>) -> Option<End>) -> bool {
        let Ok(mut connection) = self.connection.try_borrow_mut() else { return false };
        if connection.session.ended || self.card.broken.get() {
            return true;
        }
        let mut out = REPLY.take();
        out.clear();
        let now = connection.session.now();
        let end = say(&mut connection, now, &mut out);
        // Whoever calls has spent his task's budget for I/O on other sessions, perhaps. The session's own turn registers
        // a waker for what is left.
        let sent = pin!(unconstrained(poll_fn(|task| Poll::Ready(connection.transmit(&out, task, now)))))
            .poll(&mut TaskContext::from_waker(Waker::noop()));
        REPLY.set(out);
        let failed = match sent {
            Poll::Ready(Err(failed)) => Some(failed),
            _ => None,
        };
        let end = failed.or(end);
        let session = &connection.session;
        let turn_due = end.is_some() || session.stalled || session.leaving || !connection.outbound.is_empty();
        if let Some(end) = end {
            connection.end(end);
        }
        if turn_due {
            self.card.wake();
        }
        true
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> Receiver for Place<S> {
    fn fetch_ahead(&self, depth: usize) {
        if depth == 0 {
            fetch_ahead(self);
        } else if let Ok(connection) = self.connection.try_borrow() {
            connection.session.fetch_ahead(depth);
        }
    }

    fn receive(&self, verdicts: &mut Verdicts) -> bool {
        self.speak(|connection, now, out| {
            let caught_up = connection.outbound.is_empty();
            connection.session.verdicts(verdicts, now, caught_up, out)
        })
    }

    fn broken(&self) {
        self.card.broken.set(true);
        self.card.wake();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> Attend for Place<S> {
    fn attend(&self) {
        self.fetch_ahead(1);
        let spoke = self.speak(|connection, now, out| {
            let caught_up = connection.outbound.is_empty();
            connection.session.attend(now, caught_up, out)
        });
        if !spoke {
            self.card.wake();
        }
    }

    fn broken(&self) {
        Receiver::broken(self);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    fn turn(&mut self, task: &mut TaskContext<'_>, scratch: &mut Scratch) -> Option<End> {
        let Scratch { read, out } = scratch;
        out.clear();
        let now = self.session.now();
        if let Err(end) = self.flush(task) {
            return Some(end);
        }
        // A reader that is behind gets the newest job once it has caught up.
        let mut end = self.session.attend(now, self.outbound.is_empty(), out);
        if end.is_none()
            && let Some(mut verdicts) = self.session.verdicts_left()
        {
            end = self.session.verdicts(&mut verdicts, now, self.outbound.is_empty(), out);
        }
        if end.is_none() && self.session.stalled {
            let waiting = std::mem::take(&mut self.inbound);
            self.session.stalled = false;
            end = self.consume(&waiting, now, out);
        }
        // The kernel takes longer to hand over the bytes than memory takes for what they need.
        self.session.fetch_ahead(1);
        let mut idle = false;
        for _ in 0..READS_PER_TURN {
            if end.is_some() || self.session.stalled || self.session.leaving || !self.outbound.is_empty() {
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
                // Its last shares count: it hears of them, if it has closed this one direction only.
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => self.session.leaving = true,
                Poll::Ready(Ok(())) => {
                    self.session.fetch_ahead(2);
                    end = self.consume(buffer.filled(), now, out);
                    self.session.read_ends();
                }
            }
            if let Err(failed) = self.transmit(out, task, now) {
                end = Some(failed);
            }
            out.clear();
        }
        if let Err(failed) = self.transmit(out, task, now) {
            end = Some(failed);
        }
        out.clear();
        if end.is_none() && self.is_done() {
            end = Some(End::Disconnected);
        }
        if !idle {
            task.waker().wake_by_ref();
        }
        self.session.schedule(now);
        end
    }

    /// The miner says nothing more, and has been told everything.
    fn is_done(&self) -> bool {
        let session = &self.session;
        session.leaving && !session.stalled && self.outbound.is_empty() && session.pending.is_empty()
    }

    /// Takes bytes apart into lines.
    fn consume(&mut self, mut data: &[u8], now: TimeMs, out: &mut Vec<u8>) -> Option<End> {
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
            match self.session.line(&line, now, out) {
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
            match self.session.line(&data[..end], now, out) {
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
        self.session.stalled = true;
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
        self.session.ended = true;
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

/// The one item of a session's context: it is polled when the socket, the hub or the desk wakes the session.
struct Pump;

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> ActorFuture<MinerSession<S>> for Pump {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        session: &mut MinerSession<S>,
        context: &mut Context<MinerSession<S>>,
        task: &mut TaskContext<'_>,
    ) -> Poll<()> {
        let turn = session.place.pump(task);
        if turn.is_ready() {
            context.stop();
        }
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Allocators serve 512 and 256 bytes exactly; a byte more costs 128 and 64. A counted reference adds two words.
    #[test]
    fn a_session_and_its_card_fill_their_allocations() {
        assert!(size_of::<Place<tokio::net::TcpStream>>() <= 512 - 16);
        assert!(size_of::<SessionCard>() <= 256 - 16);
    }
}
