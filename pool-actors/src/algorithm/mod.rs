//! Algorithm slots: who validates shares, and which generation serves which route.
//!
//! * [`router`]: the TrafficRouter owns the watched route table.
//! * [`slot`]: an AlgorithmSlot per generation, with one supervised validator per arbiter.
//! * [`validator`]: the ShareValidator hashes batches and judges them.

pub mod router;
pub mod slot;
pub mod validator;

#[cfg(test)]
mod tests;
