//! Traces for OpenTelemetry, if a collector is configured.

use std::sync::Arc;

use super::start::restarting;
use crate::{
    adapters::otlp::OtlpSink,
    config::Config,
    error::Failure,
    messages::live::Events,
    ports::clock::SharedClock,
    runtime::{
        Runtime,
        supervisor::{Supervised, supervise},
    },
    stats::{TraceParts, TraceWriter},
    trace::begin_sampling,
};

/// Whoever brings them there.
pub(super) fn start(
    runtime: &Runtime,
    config: &Config,
    node: &str,
    events: &Events,
    clock: &SharedClock,
) -> Result<Option<Supervised<TraceWriter>>, Failure> {
    if config.traces.url.is_empty() {
        return Ok(None);
    }
    let sink = Arc::new(OtlpSink::new(&config.traces, &config.pool.name, node)?);
    begin_sampling(config.traces.share_one_in, clock.now().0.saturating_mul(1_000_000));
    let parts = TraceParts { sink, events: events.clone() };
    let spec = restarting("trace-writer", "TraceWriter", 0);
    Ok(Some(supervise(runtime, spec, move |_| TraceWriter::new(parts.clone())).observable()))
}
