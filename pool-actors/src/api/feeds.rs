//! The live feeds that are open: how many there may be, of one address and in all, and their end when nothing else ends them.
//!
//! A [`DashboardFeed`](super::live::DashboardFeed) lives in the body of its answer, which the server asks for more only while
//! little waits to be written. Whoever reads nothing stops its actor, and with it the actor's own look at the clock: so
//! [`Feeds::sweep`] looks from outside, and shuts the connection.

use std::{
    any::Any,
    collections::HashMap,
    net::{IpAddr, Shutdown, TcpStream},
    os::fd::AsFd as _,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actix_web::{HttpRequest, dev::Extensions};
use rustix::net::sockopt::set_socket_linger;
use tokio::time::Instant;

use crate::metrics::WS_CLIENTS;

/// A feed that was told to go has so long to take the words.
const FAREWELL: Duration = Duration::from_secs(5);

/// A second handle of a connection, kept with it until a feed takes it.
#[derive(Debug)]
struct Handle(Mutex<Option<TcpStream>>);

/// Keeps a second handle with a connection that begins.
pub(super) fn connected(connection: &dyn Any, kept: &mut Extensions) {
    let Some(stream) = connection.downcast_ref::<actix_web::rt::net::TcpStream>() else { return };
    // Without file descriptors to spare, the feed ends itself, or not.
    if let Ok(handle) = stream.as_fd().try_clone_to_owned() {
        kept.insert(Handle(Mutex::new(Some(handle.into()))));
    }
}

/// Why there is no place for one more feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// There are as many as the pool allows.
    All,
    /// As many of that address.
    Address,
}

#[derive(Debug)]
struct Line {
    socket: Mutex<Option<TcpStream>>,
    heard: Mutex<Instant>,
}

impl Line {
    fn take(&self) -> Option<TcpStream> {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    lines: HashMap<u64, (Option<IpAddr>, Arc<Line>)>,
    by_address: HashMap<IpAddr, usize>,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Feeds(Mutex<Inner>);

impl Feeds {
    fn with<R>(&self, f: impl FnOnce(&mut Inner) -> R) -> R {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A place for a feed that this request asks for. `address` is counted, if there is one; 0 of an address is no limit.
    pub(super) fn take(
        self: &Arc<Self>,
        request: &HttpRequest,
        address: Option<IpAddr>,
        most: usize,
        of_address_max: usize,
    ) -> Result<Place, Full> {
        let id = self.with(|inner| {
            if inner.lines.len() >= most {
                return Err(Full::All);
            }
            let address = address.filter(|_| of_address_max > 0);
            if let Some(address) = address {
                let open = inner.by_address.entry(address).or_default();
                if *open >= of_address_max {
                    return Err(Full::Address);
                }
                *open += 1;
            }
            inner.next += 1;
            let handle = request.conn_data::<Handle>();
            let socket =
                handle.and_then(|handle| handle.0.lock().unwrap_or_else(PoisonError::into_inner).take());
            let line = Arc::new(Line { socket: Mutex::new(socket), heard: Mutex::new(Instant::now()) });
            inner.lines.insert(inner.next, (address, Arc::clone(&line)));
            Ok((inner.next, line))
        });
        let (id, line) = id?;
        metrics::gauge!(WS_CLIENTS).increment(1.0);
        Ok(Place { feeds: Arc::clone(self), id, line })
    }

    /// Shuts the connections of those that were not heard of for so long.
    pub(super) fn sweep(&self, silence_max: Duration) {
        let silent: Vec<Arc<Line>> = self.with(|inner| {
            let lines = inner.lines.values().map(|(_, line)| line);
            let is_silent = |line: &&Arc<Line>| {
                line.heard.lock().unwrap_or_else(PoisonError::into_inner).elapsed() > silence_max
            };
            lines.filter(is_silent).cloned().collect()
        });
        for socket in silent.iter().filter_map(|line| line.take()) {
            shut(&socket);
        }
    }
}

fn shut(socket: &TcpStream) {
    // What is still on its way to somebody who does not take it ends with the connection: the system would go on sending it for
    // as long as they take a little now and then.
    if let Err(error) = set_socket_linger(socket, Some(Duration::ZERO)) {
        tracing::debug!(%error, "what is on its way to a live feed is kept");
    }
    if let Err(error) = socket.shutdown(Shutdown::Both) {
        tracing::debug!(%error, "a live feed had ended already");
    }
}

/// Counts a feed for as long as it lives.
#[derive(Debug)]
pub(super) struct Place {
    feeds: Arc<Feeds>,
    id: u64,
    line: Arc<Line>,
}

impl Place {
    /// Its client answered a ping.
    pub(super) fn heard(&self) {
        *self.line.heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Its client is told to go: the connection is shut in a while, read or not.
    pub(super) fn leave(&self) {
        let Some(socket) = self.line.take() else { return };
        actix_web::rt::spawn(async move {
            tokio::time::sleep(FAREWELL).await;
            shut(&socket);
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.feeds.with(|inner| {
            let Some((Some(address), _)) = inner.lines.remove(&self.id) else { return };
            if let Some(open) = inner.by_address.get_mut(&address) {
                *open -= 1;
                if *open == 0 {
                    inner.by_address.remove(&address);
                }
            }
        });
        metrics::gauge!(WS_CLIENTS).decrement(1.0);
    }
}
