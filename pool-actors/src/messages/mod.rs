//! Public payloads, by topic: what one folder of actors says to another. A component depends on these types and on the
//! outboxes it was given, never on another component. Private messages stay in their actor's file.

pub mod alert;
pub mod block;
pub mod cache;
pub mod deployment;
pub mod event;
pub mod job;
pub mod journal;
pub mod lane;
pub mod ledger;
pub mod live;
pub mod payout;
pub mod route;
pub mod session;
pub mod share;
pub mod stats;
pub mod system;
pub mod trouble;
