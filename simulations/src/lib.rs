//! A simulated DAG node and virtual miners that speak the wire protocols, so that any pool can be pointed at them.
//!
//! * [`node`]: GHOSTDAG consensus with real proof of work behind JSON-RPC (`docs/node.md`).
//! * [`miners`]: Stratum clients that really solve shares, at a given hash rate (`docs/miners.md`).
//! * [`grinder`]: the hashing threads that both share; [`pow`]: the algorithms.
//!
//! Nothing here knows the pool's code: blocks, Merkle roots and amounts are checked with the independent `bitcoin` crate, so
//! a mistake of the pool can't be cancelled out by the same mistake here.

pub mod clock;
pub mod grinder;
pub mod miners;
pub mod node;
pub mod pow;
mod runtime;
pub mod signing;
