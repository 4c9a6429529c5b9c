//! The simulated DAG node; what it speaks is in `docs/node.md`.

pub mod block;
pub mod chain;
pub mod config;
pub mod core;
pub mod dag;
pub mod difficulty;
pub mod errors;
pub mod faults;
pub mod mempool;
pub mod rpc;
pub mod rules;
pub mod utxo;
pub mod view;
pub mod wallet;

pub use config::{AlgorithmConfig, NodeConfig, Rival};

#[cfg(test)]
mod chain_tests;
