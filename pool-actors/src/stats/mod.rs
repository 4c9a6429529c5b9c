//! What the pool does at this moment, for people: figures once a second, and the stream of events. Lossy on purpose;
//! money shown anywhere comes from the ledger, never from here.

mod aggregator;
mod detector;
mod influx;
mod line_protocol;
mod publisher;
mod rate;
mod roster;
mod system;
#[cfg(any(feature = "otel", test))]
mod traces;

pub use aggregator::{StatsAggregator, Watching};
pub use influx::{InfluxParts, InfluxWriter};
pub use publisher::EventPublisher;
pub use system::{SystemParts, SystemWatch};
#[cfg(any(feature = "otel", test))]
pub use traces::{TraceParts, TraceWriter};

#[cfg(test)]
mod tests;
