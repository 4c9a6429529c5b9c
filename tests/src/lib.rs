//! What several test files share: a pool as a process, real nodes, and a miner of single blocks.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

mod certificates;
pub mod influx;
pub mod kaspad;
pub mod packages;
pub mod pool;
pub mod postgres;
pub mod prometheus;
pub mod proxy;
pub mod receivers;
pub mod redis;
pub mod schema;
pub mod solve;
pub mod wall_clock;

/// An address of this test's own with a port that nobody uses now.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn spare_address() -> SocketAddr {
    let listener = TcpListener::bind((own_loopback(), 0)).expect("loopback has ports");
    listener.local_addr().expect("it listens")
}

/// An address of this test's own: on 127.0.0.1, somebody's outgoing connection may take the port of a process that was
/// killed, before it is started again.
fn own_loopback() -> Ipv4Addr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    // Elsewhere, loopback is one address.
    if cfg!(target_os = "linux") { Ipv4Addr::new(127, 1 | high, middle, low) } else { Ipv4Addr::LOCALHOST }
}
