//! Stratum: listeners, sessions, dialects.
//!
//! ```text
//! listener --Incoming--> SessionHub (one per arbiter) --opens--> MinerSession --shares--> Intake --ValidateBatch--> validator
//!     |                      | owns                                   ^
//!     v                      v                                        | Verdicts, by a call
//!   gate               ArbiterContext (jobs, sessions, intake, tallies) <-- shared by the arbiter's sessions
//! ```
//!
//! * [`wire`]: lines in and out ([`plain`]: shares in the usual form); [`dialect`]: what each chain family's miners expect, as data
//! * [`gate`]: who may connect; [`jobs`]: which jobs a share may be for
//! * [`session`]: one miner; [`hub`]: what an arbiter's sessions share; [`intake`]: their shares on the way to validators
//! * [`server`]: puts it together

pub mod context;
pub mod dialect;
pub mod gate;
pub mod hub;
pub mod intake;
pub mod jobs;
pub mod listener;
pub mod plain;
pub mod prefixes;
pub mod server;
pub mod session;
pub mod settings;
pub mod wire;
