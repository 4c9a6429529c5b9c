//! BlockDAG Pool: a mining pool for chains whose ledger is a DAG of blocks, built of actors.
//!
//! ```text
//! miner bytes -> stratum::MinerSession -> algorithm::ShareValidator -> ledger::journal (group commit) -> verdict
//!                                              | network target met
//!                                              v
//!                         template::JobTemplate -> template::BlockSubmitter -> node
//! journal -> ledger::PayoutLedger (by cursor)       node -> template::TemplateReceiver -> one job -> every session
//! everyone -> stats -> api::DashboardFeed -> browsers
//! ```
//!
//! Layers, lowest first; none looks upward (a test enforces it): [`ports`], [`config`], [`error`], [`metrics`], [`trace`];
//! [`auth`]; [`runtime`]; [`messages`]; the actors' folders and [`api`]; [`app`] alone wires them.

pub mod adapters;
pub mod alerts;
pub mod algorithm;
pub mod api;
pub mod app;
pub mod audit;
pub mod auth;
pub mod cache;
pub mod config;
pub mod error;
pub mod ledger;
pub mod messages;
pub mod metrics;
pub mod ports;
pub mod runtime;
pub mod stats;
pub mod stratum;
pub mod template;
pub mod trace;

#[cfg(test)]
mod scripted_node;
