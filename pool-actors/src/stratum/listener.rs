//! StratumListener: accepts connections on one port and hands them to the arbiters in turn.
//!
//! * **receives** connections; [`Observe`]
//! * **sends** [`Incoming`] to session hubs
//! * **supervised by** the server: rebuilt on the same socket; connections that no hub took wait on a shelf outside
//! * **on overload** the gate refuses; out of file descriptors, it waits and leaves connections in the backlog

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use actix::{Actor, ActorFutureExt as _, AsyncContext as _, Context, Handler, fut::wrap_future};
use serde::Serialize;
use tokio::net::TcpSocket;

use super::{
    gate::Refusal,
    hub::{Accepted, Incoming, Shelf},
    settings::Shared,
};
use crate::{
    error::{Code, Failure},
    runtime::{
        observe::{Observation, Observe},
        outbox::Outbox,
    },
};

/// Connections that wait for being accepted: thousands come at once after a restart.
const BACKLOG: u32 = 8_192;
/// Connections accepted before others on the arbiter get their turn.
const ACCEPTS_PER_TURN: usize = 64;
/// How often connections that no hub took are handed on.
const SHELF_INTERVAL: Duration = Duration::from_millis(100);
/// Pause when the system refuses another socket.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);

/// Binds a listener's address. Must be called inside an actix `System`.
///
/// # Errors
/// In one sentence, with what to do: the port is taken, or the address is not ours.
pub fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    let bound = || -> io::Result<TcpListener> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // Miners' connections of the last run may still linger on the port.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)?.into_std()
    };
    bound().map_err(|error| {
        let (what, advice) = match error.kind() {
            io::ErrorKind::AddrInUse => (
                "the port is in use by another program".to_owned(),
                "stop that program, or choose another port in [[stratum.listener]] address",
            ),
            io::ErrorKind::AddrNotAvailable => (
                "this machine has no such address".to_owned(),
                "use 0.0.0.0 or an address of this machine in [[stratum.listener]] address",
            ),
            io::ErrorKind::PermissionDenied => (
                "no permission to listen there".to_owned(),
                "use a port of 1024 or above in [[stratum.listener]] address",
            ),
            _ => (error.to_string(), "check [[stratum.listener]] address"),
        };
        Failure::new(
            Code::AddressUnavailable,
            format!("can't listen for miners on {address}: {what}"),
            advice,
        )
    })
}

/// See the module's documentation.
#[derive(Debug)]
pub struct StratumListener {
    number: usize,
    socket: Option<TcpListener>,
    hubs: Vec<Outbox<Incoming>>,
    shelf: Arc<Shelf>,
    shared: Arc<Shared>,
    next_hub: usize,
    counts: Counts,
}

#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Counts {
    accepted: u64,
    refused_banned: u64,
    refused_full: u64,
    refused_per_address: u64,
    refused_rate: u64,
    refused_handshakes: u64,
    errors: u64,
}

impl StratumListener {
    /// A listener on a bound socket, for hubs by seat.
    #[must_use]
    pub fn new(
        number: usize,
        socket: Option<TcpListener>,
        hubs: Vec<Outbox<Incoming>>,
        shelf: Arc<Shelf>,
        shared: Arc<Shared>,
    ) -> Self {
        Self { number, socket, hubs, shelf, shared, next_hub: 0, counts: Counts::default() }
    }

    fn admit(&mut self, stream: tokio::net::TcpStream, peer: SocketAddr) {
        let permit = match self.shared.gate.admit(peer.ip(), self.shared.clock.now()) {
            Ok(permit) => permit,
            Err(refusal) => {
                tracing::debug!(%peer, %refusal, "connection refused");
                *match refusal {
                    Refusal::Banned => &mut self.counts.refused_banned,
                    Refusal::Full => &mut self.counts.refused_full,
                    Refusal::PerAddress => &mut self.counts.refused_per_address,
                    Refusal::TooFast => &mut self.counts.refused_rate,
                    Refusal::Handshakes => &mut self.counts.refused_handshakes,
                } += 1;
                return;
            }
        };
        // Replies are small and must not wait for each other; without the option they only come later.
        let _ = stream.set_nodelay(true);
        let Ok(stream) = stream.into_std() else {
            self.counts.errors += 1;
            return;
        };
        self.counts.accepted += 1;
        self.hand_over(Accepted { stream, peer, listener: self.number, permit });
    }

    /// To the next hub that lives; while all are being rebuilt, the connection waits for one.
    fn hand_over(&mut self, connection: Accepted) {
        let hubs = self.hubs.len().max(1);
        let next = (0..hubs).map(|skipped| (self.next_hub + skipped) % hubs);
        let alive = next.clone().find(|hub| self.hubs.get(*hub).is_some_and(Outbox::alive));
        let hub = alive.unwrap_or(self.next_hub % hubs);
        self.next_hub = hub + 1;
        if let Some(hub) = self.hubs.get(hub) {
            // Refused, it goes to the shelf.
            let _ = hub.post(Incoming::new(connection, Arc::clone(&self.shelf)));
        }
    }
}

/// What one turn of accepting brought.
struct Turn {
    socket: tokio::net::TcpListener,
    accepted: Vec<(tokio::net::TcpStream, SocketAddr)>,
    error: Option<io::Error>,
}

async fn accept_some(socket: tokio::net::TcpListener) -> Turn {
    let mut accepted = Vec::new();
    let mut error = None;
    match socket.accept().await {
        Ok(connection) => accepted.push(connection),
        Err(refused) => error = Some(refused),
    }
    while error.is_none() && accepted.len() < ACCEPTS_PER_TURN {
        match futures_util::FutureExt::now_or_never(socket.accept()) {
            Some(Ok(connection)) => accepted.push(connection),
            Some(Err(refused)) => error = Some(refused),
            None => break,
        }
    }
    if error.is_some() {
        // A peer that is gone already costs nothing; want of descriptors ends when sessions end.
        tokio::time::sleep(REFUSED_PAUSE).await;
    }
    Turn { socket, accepted, error }
}

fn next_turn(socket: tokio::net::TcpListener, context: &mut Context<StratumListener>) {
    let turn = wrap_future::<_, StratumListener>(accept_some(socket)).map(
        |turn: Turn, listener: &mut StratumListener, context| {
            if let Some(error) = &turn.error {
                listener.counts.errors += 1;
                tracing::warn!(%error, listener = listener.number, "a connection could not be accepted");
            }
            for (stream, peer) in turn.accepted {
                listener.admit(stream, peer);
            }
            next_turn(turn.socket, context);
        },
    );
    context.spawn(turn);
}

impl Actor for StratumListener {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(SHELF_INTERVAL, |listener, _| {
            for connection in listener.shelf.take() {
                listener.hand_over(connection);
            }
        });
        match self.socket.take().map(tokio::net::TcpListener::from_std) {
            Some(Ok(socket)) => next_turn(socket, context),
            Some(Err(error)) => {
                tracing::error!(%error, listener = self.number, "the listening socket can't be watched");
            }
            None => tracing::error!(
                listener = self.number,
                "the listening socket could not be shared with a new listener"
            ),
        }
    }
}

impl Handler<Observe> for StratumListener {
    type Result = Observation;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Observation {
        Observation::of(&self.counts)
    }
}
