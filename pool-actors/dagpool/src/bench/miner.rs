//! One connection of the swarm: subscribes, authorises, and sends shares that nobody else sent.
//!
//! Nothing is hashed: against the least difficulty every header is a share, so that a fresh extranonce2 is enough.

use std::{
    cell::{Cell, RefCell},
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, ReadBuf},
    net::TcpStream,
};

use super::{
    swarm::{Lane, Phase},
    wire::{self, Incoming},
};

const SUBSCRIBE: u64 = 1;
const AUTHORISE: u64 = 2;
const MULTI_VERSION: u64 = 3;
/// Ids of shares start here: a share's id is the number of its slot, used again once it is answered.
const FIRST_SHARE: u64 = 8;

/// What is wrong with a share that is sent on purpose to be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Junk {
    UnknownJob,
    Duplicate,
    NotHex,
    UnknownWorker,
    ShortNonce,
    FarTime,
}

const JUNK: [Junk; 6] =
    [Junk::UnknownJob, Junk::Duplicate, Junk::NotHex, Junk::UnknownWorker, Junk::ShortNonce, Junk::FarTime];

#[derive(Clone, Copy, Default)]
struct Slot {
    sent_at: u64,
    junk: bool,
    busy: bool,
}

struct State {
    partial: Vec<u8>,
    unsent: Vec<u8>,
    flushing: bool,
    job: Option<(String, String)>,
    extranonce2_size: usize,
    /// Shares made so far: their extranonce2, so that none is sent twice unless on purpose.
    made: u64,
    /// Number of the last good share of the present job.
    last_good: Option<u64>,
    slots: Box<[Slot]>,
    free: Vec<usize>,
    authorised: bool,
}

/// A connection. It lives on one thread.
pub(super) struct Miner {
    stream: RefCell<TcpStream>,
    name: String,
    /// Makes the connection's junk its own.
    salt: u64,
    state: RefCell<State>,
    ready: Cell<bool>,
    closed: Cell<bool>,
}

impl Miner {
    /// Takes a connected socket over; sends the handshake.
    pub(super) fn start(lane: &Rc<Lane>, stream: TcpStream, index: usize) -> Rc<Self> {
        let outstanding = lane.load.outstanding;
        let miner = Rc::new(Self {
            stream: RefCell::new(stream),
            state: RefCell::new(State {
                partial: Vec::new(),
                unsent: Vec::new(),
                flushing: false,
                job: None,
                extranonce2_size: 4,
                made: 0,
                last_good: None,
                slots: vec![Slot::default(); outstanding].into_boxed_slice(),
                free: (0..outstanding).rev().collect(),
                authorised: false,
            }),
            name: lane.load.worker(index),
            salt: 1 + ((index as u64) << 32),
            ready: Cell::new(false),
            closed: Cell::new(false),
        });
        let able = if lane.load.able.is_empty() {
            String::new()
        } else {
            format!(
                "{{\"id\":{MULTI_VERSION},\"method\":\"mining.multi_version\",\"params\":[{:?}]}}\n",
                lane.load.able
            )
        };
        let handshake = format!(
            "{{\"id\":{SUBSCRIBE},\"method\":\"mining.subscribe\",\"params\":[\"dagpool-bench/1.0\"]}}\n{able}\
             {{\"id\":{AUTHORISE},\"method\":\"mining.authorize\",\"params\":[\"{}\",\"x\"]}}\n",
            miner.name
        );
        miner.send(handshake.as_bytes());
        miner
    }

    /// Reads until the connection ends or the swarm stops.
    pub(super) async fn run(self: Rc<Self>, lane: Rc<Lane>) {
        loop {
            let read = std::future::poll_fn(|context| self.poll_read(&lane, context)).await;
            if !matches!(read, Ok(true)) {
                break;
            }
        }
        self.closed.set(true);
        lane.disconnected(self.ready.get());
    }

    /// Shares that are not answered.
    pub(super) fn unanswered(&self) -> u64 {
        self.state.borrow().slots.iter().filter(|slot| slot.busy).count() as u64
    }

    pub(super) fn is_open(&self) -> bool {
        !self.closed.get()
    }

    /// One read and what it leads to; `false` at the end of the stream. The buffer is the thread's, not the connection's.
    fn poll_read(self: &Rc<Self>, lane: &Rc<Lane>, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut buffer = lane.read_buffer.borrow_mut();
        let mut read = ReadBuf::new(&mut buffer);
        // poll_read knows that a short read has emptied the socket, which try_read does not.
        match Pin::new(&mut *self.stream.borrow_mut()).poll_read(context, &mut read) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) => {}
        }
        if read.filled().is_empty() {
            return Poll::Ready(Ok(false));
        }
        self.received(lane, read.filled());
        Poll::Ready(Ok(true))
    }

    fn received(self: &Rc<Self>, lane: &Rc<Lane>, bytes: &[u8]) {
        let now = lane.now();
        let phase = lane.phase();
        let mut guard = self.state.borrow_mut();
        let state = &mut *guard;
        let mut out = lane.write_buffer.borrow_mut();
        out.clear();
        let mut joined = std::mem::take(&mut state.partial);
        let whole: &[u8] = if joined.is_empty() {
            bytes
        } else {
            joined.extend_from_slice(bytes);
            &joined
        };
        let mut rest = whole;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            self.line(lane, state, &rest[..end], now, phase);
            rest = &rest[end + 1..];
        }
        if !rest.is_empty() {
            state.partial = rest.to_vec();
        }
        if lane.load.refills() && phase.sends() && state.job.is_some() {
            while let Some(slot) = state.free.pop() {
                self.share(lane, state, slot, now, &mut out);
            }
        }
        drop(guard);
        self.send(&out);
    }

    fn line(&self, lane: &Lane, state: &mut State, line: &[u8], now: u64, phase: Phase) {
        match wire::read(line) {
            Some(Incoming::Accepted(id)) if id >= FIRST_SHARE => {
                answered(lane, state, id, now, phase, None);
            }
            Some(Incoming::Refused(id, code, text)) if id >= FIRST_SHARE => {
                answered(lane, state, id, now, phase, Some((code, text)));
            }
            Some(Incoming::Notify { job, ntime }) => {
                lane.stats.borrow_mut().notified(job, now, phase);
                match &mut state.job {
                    Some(known) if known.0 == job && known.1 == ntime => {}
                    known => {
                        *known = Some((job.to_owned(), ntime.to_owned()));
                        state.last_good = None;
                    }
                }
            }
            Some(Incoming::Result(SUBSCRIBE, result)) => match wire::extranonce2_size(result) {
                Some(size) => state.extranonce2_size = size,
                None => lane.stats.borrow_mut().garbled += 1,
            },
            Some(Incoming::Algorithm) => lane.stats.borrow_mut().switched += 1,
            Some(Incoming::Extranonce(size)) => state.extranonce2_size = size,
            Some(Incoming::Accepted(AUTHORISE)) => state.authorised = true,
            Some(Incoming::Refused(_, _, text)) => {
                lane.stats.borrow_mut().handshakes_refused += 1;
                lane.handshake_refused(text);
            }
            Some(_) => {}
            None => lane.stats.borrow_mut().garbled += 1,
        }
        if !self.ready.get() && state.authorised && state.job.is_some() {
            self.ready.set(true);
            lane.became_ready();
        }
    }

    /// Sends as many shares as it may have outstanding: the start of a run without a rate.
    pub(super) fn fill(self: &Rc<Self>, lane: &Rc<Lane>) {
        let now = lane.now();
        let mut out = lane.write_buffer.borrow_mut();
        out.clear();
        {
            let state = &mut *self.state.borrow_mut();
            while state.job.is_some()
                && let Some(slot) = state.free.pop()
            {
                self.share(lane, state, slot, now, &mut out);
            }
        }
        self.send(&out);
    }

    /// Sends one share that is due; `false` when all that may be outstanding are.
    pub(super) fn send_one(self: &Rc<Self>, lane: &Rc<Lane>, now: u64) -> bool {
        let mut out = lane.write_buffer.borrow_mut();
        out.clear();
        {
            let state = &mut *self.state.borrow_mut();
            if state.job.is_none() || !self.is_open() {
                return false;
            }
            let Some(slot) = state.free.pop() else { return false };
            self.share(lane, state, slot, now, &mut out);
        }
        self.send(&out);
        true
    }

    fn share(&self, lane: &Lane, state: &mut State, slot: usize, now: u64, out: &mut Vec<u8>) {
        let Some((job, ntime)) = &state.job else { return };
        let number = state.made;
        state.made += 1;
        // A multiplicative mix: which shares are junk looks random, differs between connections, and is the same in
        // every run.
        let draw = (number + self.salt).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let junk = (draw % 100 < lane.load.junk).then(|| JUNK[(draw / 100 % JUNK.len() as u64) as usize]);
        // Without a good share before it there is nothing to repeat.
        let junk = junk.map(|junk| match junk {
            Junk::Duplicate if state.last_good.is_none() => Junk::UnknownJob,
            junk => junk,
        });
        let number = match junk {
            Some(Junk::Duplicate) => state.last_good.unwrap_or(number),
            Some(_) => number,
            None => {
                state.last_good = Some(number);
                number
            }
        };
        state.slots[slot] = Slot { sent_at: now, junk: junk.is_some(), busy: true };
        lane.stats.borrow_mut().sent += 1;
        let id = FIRST_SHARE + slot as u64;
        let wide = wire::hex::<32>(number);
        let extranonce2 = &wide[32 - 2 * state.extranonce2_size..];
        let nonce = wire::hex::<8>(number.wrapping_mul(0x9e37_79b1));
        match junk {
            None | Some(Junk::Duplicate) => {
                wire::submit(out, id, &self.name, job, (extranonce2, ntime, &nonce));
            }
            Some(Junk::UnknownJob) => {
                wire::submit(out, id, &self.name, "nosuchjob", (extranonce2, ntime, &nonce));
            }
            Some(Junk::NotHex) => {
                let bad = vec![b'z'; extranonce2.len()];
                wire::submit(out, id, &self.name, job, (&bad, ntime, &nonce));
            }
            Some(Junk::UnknownWorker) => {
                wire::submit(out, id, "nobody.knows", job, (extranonce2, ntime, &nonce));
            }
            Some(Junk::ShortNonce) => {
                wire::submit(out, id, &self.name, job, (extranonce2, ntime, &nonce[..6]));
            }
            Some(Junk::FarTime) => {
                wire::submit(out, id, &self.name, job, (extranonce2, "00000001", &nonce));
            }
        }
    }

    /// Writes now what the socket takes, and the rest when it can.
    fn send(self: &Rc<Self>, bytes: &[u8]) {
        if bytes.is_empty() || self.closed.get() {
            return;
        }
        let mut state = self.state.borrow_mut();
        let written = if state.unsent.is_empty() { self.write(bytes) } else { 0 };
        if written == bytes.len() {
            return;
        }
        state.unsent.extend_from_slice(&bytes[written..]);
        if !std::mem::replace(&mut state.flushing, true) {
            drop(state);
            tokio::task::spawn_local(Rc::clone(self).flush());
        }
    }

    /// Errors are left to the reader, which sees them too.
    fn write(&self, bytes: &[u8]) -> usize {
        self.stream.borrow().try_write(bytes).unwrap_or(0)
    }

    async fn flush(self: Rc<Self>) {
        loop {
            let writable =
                std::future::poll_fn(|context| self.stream.borrow().poll_write_ready(context)).await;
            let mut state = self.state.borrow_mut();
            if writable.is_err() || self.closed.get() {
                state.unsent.clear();
            }
            let written = self.write(&state.unsent);
            state.unsent.drain(..written);
            if state.unsent.is_empty() {
                state.flushing = false;
                return;
            }
        }
    }
}

/// A share's fate is known: counts it, and frees its slot.
fn answered(lane: &Lane, state: &mut State, id: u64, now: u64, phase: Phase, refused: Option<(i64, String)>) {
    let slot = usize::try_from(id - FIRST_SHARE).unwrap_or(usize::MAX);
    let mut stats = lane.stats.borrow_mut();
    match state.slots.get_mut(slot) {
        Some(entry) if entry.busy => {
            entry.busy = false;
            state.free.push(slot);
            if phase == Phase::Measure {
                let latency = now.saturating_sub(entry.sent_at);
                stats.answered((latency, lane.window()), entry.junk, refused);
            } else if let (false, Some((code, text))) = (entry.junk, refused) {
                stats.refused_outside(code, text);
            }
        }
        // An answer to nothing that was asked.
        _ => stats.garbled += 1,
    }
}
