//! The Stratum server: a hub per arbiter, a listener per port.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use super::{
    gate::{SharedGate, key},
    hub::{SessionHub, Shelf},
    listener::{StratumListener, bind},
    settings::{Parts, Shared},
};
use crate::{
    config::Config,
    error::{Code, Failure},
    messages::{
        job::{PublishJob, WorkPaused},
        session::{CommandSessions, ListNotices, ListSessions, SessionCommand, SessionView, ShowTexts},
    },
    runtime::{
        Runtime,
        outbox::Outbox,
        supervisor::{Policy, Spec, Supervised, supervise},
    },
};

/// Mailbox of hubs and listeners for messages without credit: jobs, pauses, questions.
const MAILBOX: usize = 64;

/// The running server.
pub struct StratumServer {
    hubs: Vec<Supervised<SessionHub>>,
    listeners: Vec<Supervised<StratumListener>>,
    addresses: Vec<SocketAddr>,
    shared: Arc<Shared>,
}

/// Binds all ports, then starts hubs and listeners. Must be called inside an actix `System`.
///
/// # Errors
/// When a port can't be bound or a listener is misconfigured; nothing runs then.
pub fn start(runtime: &Runtime, parts: Parts) -> Result<StratumServer, Failure> {
    let shared = Arc::new(Shared::new(parts)?);
    let sockets = shared
        .settings
        .listener
        .iter()
        .map(|listener| bind(listener.address))
        .collect::<Result<Vec<_>, _>>()?;
    let addresses = sockets.iter().map(std::net::TcpListener::local_addr).collect::<Result<Vec<_>, _>>();
    let addresses = addresses.map_err(|error| {
        Failure::new(
            Code::SystemRefused,
            format!("a listening socket has no address: {error}"),
            "start again",
        )
    })?;
    let hubs: Vec<_> = (0..runtime.arbiters.seats())
        .map(|seat| {
            let shared = Arc::clone(&shared);
            let spec = spec(format!("session-hub-{seat}"), "SessionHub", seat);
            supervise(runtime, spec, move |_| SessionHub::new(seat, Arc::clone(&shared))).observable()
        })
        .collect();
    let incoming: Vec<_> = hubs.iter().map(Supervised::outbox).collect();
    let listeners = sockets
        .into_iter()
        .enumerate()
        .map(|(number, socket)| {
            let (shared, hubs, shelf) = (Arc::clone(&shared), incoming.clone(), Arc::new(Shelf::default()));
            let spec = spec(format!("stratum-listener-{number}"), "StratumListener", number);
            supervise(runtime, spec, move |_| {
                let socket = socket.try_clone().ok();
                StratumListener::new(number, socket, hubs.clone(), Arc::clone(&shelf), Arc::clone(&shared))
            })
            .observable()
        })
        .collect();
    Ok(StratumServer { hubs, listeners, addresses, shared })
}

fn spec(name: String, kind: &'static str, seat: usize) -> Spec {
    Spec { name, kind, seat, mailbox: MAILBOX, policy: Policy::default() }
}

impl StratumServer {
    /// Where miners connect, in the order of the configuration (port 0 resolved).
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where jobs go: all of them get every job.
    #[must_use]
    pub fn jobs(&self) -> Vec<Outbox<PublishJob>> {
        self.hubs.iter().map(Supervised::outbox).collect()
    }

    /// Where pauses go: all of them get each.
    #[must_use]
    pub fn pauses(&self) -> Vec<Outbox<WorkPaused>> {
        self.hubs.iter().map(Supervised::outbox).collect()
    }

    /// How sessions are found that want to be told of their account, and how they are told.
    #[must_use]
    pub fn notices(&self) -> (Vec<Outbox<ListNotices>>, Vec<Outbox<ShowTexts>>) {
        (
            self.hubs.iter().map(Supervised::outbox).collect(),
            self.hubs.iter().map(Supervised::outbox).collect(),
        )
    }

    /// How sessions are listed and told things, from anywhere.
    #[must_use]
    pub fn sessions(&self) -> Sessions {
        Sessions {
            list: self.hubs.iter().map(Supervised::outbox).collect(),
            command: self.hubs.iter().map(Supervised::outbox).collect(),
            gate: self.shared.gate.clone(),
        }
    }

    /// See [`Shared::reload`].
    pub fn reloads(&self) -> impl Fn(&Config) + Send + use<> {
        let shared = Arc::clone(&self.shared);
        move |config| shared.reload(&config.stratum, &config.vardiff, &config.banning)
    }

    /// Stops accepting, then closes all sessions.
    pub async fn stop(self) {
        for listener in self.listeners {
            listener.stop().await;
        }
        for hub in self.hubs {
            hub.stop().await;
        }
    }
}

/// The connected miners, for the API.
#[derive(Debug, Clone)]
pub struct Sessions {
    list: Vec<Outbox<ListSessions>>,
    command: Vec<Outbox<CommandSessions>>,
    gate: SharedGate,
}

impl Sessions {
    /// All sessions, by number. Hubs that are being rebuilt have none.
    pub async fn list(&self) -> Vec<SessionView> {
        let mut sessions = Vec::new();
        for hub in &self.list {
            sessions.extend(hub.ask(ListSessions).await.unwrap_or_default());
        }
        sessions.sort_by_key(|session| session.miner.session);
        sessions
    }

    /// Tells sessions to do something; returns how many were told.
    pub async fn command(&self, command: CommandSessions) -> usize {
        let mut told = 0;
        for hub in &self.command {
            told += hub.ask(command.clone()).await.unwrap_or_default();
        }
        told
    }

    /// Closes all sessions from this address (of IPv6, its network); returns how many.
    pub async fn close_from(&self, address: IpAddr) -> usize {
        let address = key(address);
        let mut closed = 0;
        for session in self.list().await {
            let from = session.miner.peer.parse::<SocketAddr>().map(|peer| key(peer.ip()));
            if from == Ok(address) {
                let session = Some(session.miner.session);
                closed += self.command(CommandSessions { session, command: SessionCommand::Close }).await;
            }
        }
        closed
    }

    /// Connections, handshakes, bans.
    #[must_use]
    pub fn gate(&self) -> &SharedGate {
        &self.gate
    }
}
