//! The simulated DAG node; what it speaks is in `docs/node.md`.
//!
//! [`core`] is the node without actors and clock: [`chain`] (consensus) over [`dag`] and [`utxo`], with [`rules`] for what a block must
//! keep; [`chain_file`](self) keeps it for the next start. [`actor`] owns a core, feeds the rivals and tells watchers; [`http`](self) and [`rpc`] translate.

pub mod actor;
pub mod block;
pub mod chain;
mod chain_file;
pub mod config;
pub mod core;
pub mod dag;
pub mod difficulty;
pub mod errors;
pub mod faults;
mod http;
pub mod mempool;
pub mod rpc;
pub mod rules;
mod server;
pub mod utxo;
pub mod view;
pub mod wallet;

pub use config::{AlgorithmConfig, NodeConfig, Rival};
pub use server::{NodeHandle, SimNode, StartError};

#[cfg(test)]
mod chain_tests;
