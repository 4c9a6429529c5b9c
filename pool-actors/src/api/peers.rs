//! Connections by where they come from: one address can't take all that there are, and one that reads nothing is closed.

use std::{
    any::Any,
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix_rt::net::TcpStream;
use actix_web::dev::Extensions;
use rustix::net::{SendFlags, Shutdown, send, shutdown, sockopt::set_tcp_user_timeout};

use super::{bodies::Unread, limits::network};
use crate::{config::Http, metrics::HTTP_LIMITED_TOTAL};

/// What is sent must be taken within so long, or the system closes the connection: `TCP_USER_TIMEOUT` (RFC 5482), which counts
/// a receiver's closed window as well.
const TAKEN_WITHIN: Duration = Duration::from_secs(30);
/// What an address hears that has too many.
const REFUSAL: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\nconnection: close\r\nretry-after: 5\r\n\
    content-type: text/plain; charset=utf-8\r\ncontent-length: 63\r\n\r\n\
    too many connections of this address (connections_per_address)\n";

/// How many connections each address has.
#[derive(Debug, Default)]
pub(super) struct Peers {
    most: AtomicUsize,
    counts: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection that is counted; gives its place back when it ends.
#[derive(Debug)]
struct Place {
    peers: Arc<Peers>,
    ip: IpAddr,
}

impl Peers {
    pub(super) fn new(http: &Http) -> Arc<Self> {
        let peers = Arc::new(Self::default());
        peers.set(http);
        peers
    }

    /// Other figures from now on.
    pub(super) fn set(&self, http: &Http) {
        // Behind a proxy all come from there: it is the proxy that can tell them apart.
        let most = if http.behind_proxy { 0 } else { http.connections_per_address };
        self.most.store(most, Ordering::Relaxed);
    }

    /// Takes a new connection, or says why not and closes it.
    pub(super) fn connected(self: &Arc<Self>, connection: &dyn Any, known: &mut Extensions) {
        let Some(stream) = connection.downcast_ref::<TcpStream>() else { return };
        if let Err(error) = set_tcp_user_timeout(stream, u32::try_from(TAKEN_WITHIN.as_millis()).unwrap_or(0))
        {
            tracing::debug!(%error, "a connection can't be bounded");
        }
        let Ok(peer) = stream.peer_addr() else { return };
        match self.take(network(peer.ip())) {
            Ok(place) => {
                known.insert(place);
                known.insert(Unread::default());
            }
            Err(()) => {
                metrics::counter!(HTTP_LIMITED_TOTAL).increment(1);
                // As much as finds room: it ends here either way, and the server sees the end of it.
                let _ = send(stream, REFUSAL, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
                let _ = shutdown(stream, Shutdown::Both);
            }
        }
    }

    fn take(self: &Arc<Self>, ip: IpAddr) -> Result<Option<Place>, ()> {
        let most = self.most.load(Ordering::Relaxed);
        if most == 0 {
            return Ok(None);
        }
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(ip).or_default();
        if *count >= most {
            return Err(());
        }
        *count += 1;
        Ok(Some(Place { peers: Arc::clone(self), ip }))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.peers.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_is_as_long_as_it_says() {
        let text = std::str::from_utf8(REFUSAL).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{}", body.len());
    }

    #[test]
    fn an_address_has_so_many_and_gets_them_back() {
        let peers = Peers::new(&Http { connections_per_address: 2, ..Http::default() });
        let (one, other) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let first = peers.take(one).unwrap();
        let _second = peers.take(one).unwrap();
        assert!(peers.take(one).is_err());
        assert!(peers.take(other).is_ok(), "others have their own");
        drop(first);
        assert!(peers.take(one).is_ok());
        let free = Peers::new(&Http { connections_per_address: 2, behind_proxy: true, ..Http::default() });
        let places: Vec<_> = (0..9).map(|_| free.take(one)).collect();
        assert!(places.iter().all(Result::is_ok));
    }

    #[test]
    fn nothing_is_kept_of_an_address_that_went() {
        let peers = Peers::new(&Http::default());
        drop(peers.take([192, 0, 2, 1].into()).unwrap());
        assert!(peers.counts.lock().unwrap().is_empty());
    }
}
