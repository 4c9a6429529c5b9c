//! What the pool does at this moment, for people: figures once a second, and the stream of events. Lossy on purpose;
//! money shown anywhere comes from the ledger, never from here.

mod aggregator;
mod publisher;
mod rate;
mod roster;

pub use aggregator::StatsAggregator;
pub use publisher::EventPublisher;

#[cfg(test)]
mod tests;
