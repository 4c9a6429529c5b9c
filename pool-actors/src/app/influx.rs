//! The export of figures as time series, if one is configured.

use std::{sync::Arc, time::Duration};

use super::start::restarting;
use crate::{
    adapters::influx::InfluxSink,
    config::{Config, Influx},
    error::Failure,
    messages::{ledger::LedgerSummary, live::PoolSnapshot},
    ports::points::SharedPoints,
    runtime::{
        Runtime,
        supervisor::{Supervised, supervise},
        watch::Watched,
    },
    stats::{InfluxParts, InfluxWriter},
};

/// Where figures go.
pub(super) fn sink(config: &Config) -> Result<Option<SharedPoints>, Failure> {
    if config.influx.url.is_empty() {
        return Ok(None);
    }
    Ok(Some(Arc::new(InfluxSink::new(&config.influx)?)))
}

/// Whether the configured export can be used as far as is known here, and what it is.
pub(super) fn probe(config: &Config) -> Result<String, Failure> {
    let Influx { interval_s, miners, .. } = &config.influx;
    Ok(match sink(config)? {
        None => "off".to_owned(),
        Some(_) => format!("every {interval_s} s, {}", if *miners { "of each miner" } else { "of the pool" }),
    })
}

/// Whoever writes them.
pub(super) fn start(
    runtime: &Runtime,
    config: &Influx,
    sink: SharedPoints,
    snapshot: Watched<PoolSnapshot>,
    ledger: Watched<LedgerSummary>,
) -> Supervised<InfluxWriter> {
    let parts = InfluxParts {
        sink,
        snapshot,
        ledger,
        interval: Duration::from_secs(config.interval_s),
        miners: config.miners,
        batch_max: config.batch_lines_max,
        waiting_max: config.waiting_lines_max,
    };
    supervise(runtime, restarting("influx-writer", "InfluxWriter", 0), move |_| {
        InfluxWriter::new(parts.clone())
    })
    .observable()
}
