//! Virtual miners: Stratum clients that really solve shares, at a hash rate of their own, against any pool.
//!
//! [`Swarm`] starts many of them. Each is an actor (its socket, back-off, counters) around a [`session::Session`] (the protocol, a plain
//! state machine without I/O) with one worker of the shared [`Grinder`](crate::grinder::Grinder).

mod client;
mod config;
pub mod dialect;
pub mod session;
mod stats;
mod swarm;

pub use config::{Conduct, Dialect, SwarmConfig};
pub use stats::{MinerStats, SwarmStats};
pub use swarm::{Swarm, SwarmError, SwarmHandle};
