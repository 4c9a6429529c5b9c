//! Algorithm slots: who validates shares, and which generation serves which route.
//!
//! * [`supervisor`]: the AlgorithmSupervisor drives roll-outs and owns the generations; [`deployment`] is one roll-out.
//! * [`router`]: the TrafficRouter owns the watched route table.
//! * [`slot`]: an AlgorithmSlot per generation, with one supervised validator (or trial worker) per arbiter.
//! * [`validator`]: the ShareValidator hashes batches of a proven generation.
//! * `trial`: the TrialWorker hashes for a generation that must prove itself, away from the sessions' arbiters.
//! * [`shadow`]: what a generation on trial hashes for comparison only.
//! * `judge`: what follows from a hash.

mod contained;
pub mod deployment;
mod judge;
pub mod router;
pub mod shadow;
pub mod slot;
pub mod supervisor;
pub mod trial;
pub mod validator;
mod warm_up;

pub use warm_up::proves_itself;

#[cfg(test)]
mod tests;
