//! What a run showed, as Markdown.

use std::fmt;

use super::{
    run::FIRST,
    scrape::Histogram,
    stratum::{Report, thousandths},
};

/// The same load on both servers, one after the other.
pub(super) struct Comparison {
    pub(super) raw: Report,
    pub(super) pool: Report,
}

/// Everything; a part that did not run is missing.
pub(super) struct Table {
    durability: String,
    pub(super) idle: Option<Report>,
    pub(super) broadcast: Option<Report>,
    /// Of the same jobs, by the pool's own histogram.
    pub(super) queued: Option<Histogram>,
    pub(super) most: Option<Report>,
    pub(super) paced: Option<Comparison>,
    pub(super) loads: Vec<Comparison>,
}

impl Table {
    pub(super) fn new(durability: &str) -> Self {
        Self {
            durability: durability.to_owned(),
            idle: None,
            broadcast: None,
            queued: None,
            most: None,
            paced: None,
            loads: Vec::new(),
        }
    }
}

/// `a / b` in hundredths.
fn ratio(a: u64, b: u64) -> String {
    let hundredths = u128::from(a) * 100 / u128::from(b.max(1));
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn milliseconds(micros: u64) -> String {
    format!("{} ms", thousandths(micros))
}

/// Good shares that were not accepted, and connections that were lost.
fn trouble(report: &Report) -> u64 {
    let refused: u64 = report.refused.values().map(|refusals| refusals.count).sum();
    refused + report.refused_outside + report.disconnects + report.garbled
}

impl Comparison {
    fn row(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { raw, pool } = self;
        let cpu = |report: &Report| report.server_cpu_ns_per_share.unwrap_or_default();
        writeln!(
            f,
            "| {} x {} | {} | {} | {} | {} | {} | {} | {} / {} / {} | {} |",
            pool.connections,
            pool.outstanding,
            raw.shares_per_second,
            pool.shares_per_second,
            ratio(pool.shares_per_second, raw.shares_per_second),
            thousandths(cpu(raw)),
            thousandths(cpu(pool)),
            ratio(cpu(pool), cpu(raw)),
            milliseconds(pool.latency_us.p50),
            milliseconds(pool.latency_us.p99),
            milliseconds(pool.latency_us.max),
            trouble(pool),
        )
    }
}

/// How long answers took at a given rate.
fn answers(f: &mut fmt::Formatter<'_>, server: &str, report: &Report) -> fmt::Result {
    let latency = report.latency_us;
    writeln!(
        f,
        "| {server}, {} connections, {} shares/s: answers | p50 {}, p99 {}, p99.9 {}, max {}; CPU {} us/share | {} |",
        report.connections,
        report.shares_per_second,
        milliseconds(latency.p50),
        milliseconds(latency.p99),
        milliseconds(latency.p99_9),
        milliseconds(latency.max),
        thousandths(report.server_cpu_ns_per_share.unwrap_or_default()),
        trouble(report)
    )
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.loads.is_empty() {
            writeln!(
                f,
                "Accepted shares, durability \"{}\"; the raw server ran before the pool:\n",
                self.durability
            )?;
            writeln!(
                f,
                "| load | raw, shares/s | pool, shares/s | pool : raw | raw, CPU us/share | pool, CPU us/share | pool : raw | pool answers p50 / p99 / max | trouble |"
            )?;
            writeln!(f, "|---|---|---|---|---|---|---|---|---|")?;
            self.loads.iter().try_for_each(|comparison| comparison.row(f))?;
            writeln!(f)?;
        }
        let parts = [&self.idle, &self.broadcast, &self.most];
        if self.paced.is_none() && parts.iter().all(|part| part.is_none()) {
            return Ok(());
        }
        writeln!(f, "| what | measured | trouble |\n|---|---|---|")?;
        if let Some(report) = &self.idle {
            let bytes = report.bytes_per_connection().unwrap_or_default();
            writeln!(
                f,
                "| anonymous memory per idle authorised connection, {} of them after the first {FIRST} | {bytes} bytes | {} |",
                report.connections,
                trouble(report)
            )?;
        }
        if let Some(report) = &self.broadcast {
            writeln!(
                f,
                "| new job to {} connections, first to last, {} jobs | p50 {}, max {} | {} |",
                report.connections,
                report.broadcasts,
                milliseconds(report.broadcast_us.p50),
                milliseconds(report.broadcast_us.max),
                trouble(report)
            )?;
        }
        if let Some(queued) = &self.queued {
            let bound =
                queued.bound_ms().map_or("beyond all bounds".to_owned(), |ms| format!("all within {ms} ms"));
            writeln!(
                f,
                "| the same jobs, from a template's arrival until queued to all sessions of an arbiter, {} times | mean {:.2} ms, {bound} | 0 |",
                queued.count(),
                queued.mean_ms(),
            )?;
        }
        if let Some(report) = &self.most {
            answers(f, "pool", report)?;
        }
        if let Some(Comparison { raw, pool }) = &self.paced {
            answers(f, "raw", raw)?;
            answers(f, "pool", pool)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_with_two_decimals() {
        assert_eq!(
            (ratio(5, 4), ratio(1, 0), thousandths(3_456)),
            ("1.25".into(), "1.00".into(), "3.45".into())
        );
        assert_eq!(milliseconds(305), "0.30 ms");
    }
}
