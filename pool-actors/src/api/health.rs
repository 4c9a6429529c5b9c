//! `/health/live`, `/health/ready`, and where metrics are rendered.

use std::{fmt, sync::OnceLock};

use actix_web::{HttpResponse, web};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde_json::{Value, json};

use super::{
    Api, degraded,
    wire::{rfc3339, time_or_null},
};

/// Upper bounds of histograms in seconds: from a hash (microseconds) to a node call that timed out.
const BUCKETS_S: &[f64] = &[
    0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1,
    0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Where the process's metrics are rendered.
#[derive(Clone)]
pub struct MetricsHandle(PrometheusHandle);

impl MetricsHandle {
    /// Installs the process's metrics recorder; several pools of one process share it. Before any metric is touched: what
    /// was counted earlier is lost.
    #[must_use]
    pub fn install() -> Self {
        static INSTALLED: OnceLock<PrometheusHandle> = OnceLock::new();
        let handle = INSTALLED.get_or_init(|| {
            let recorder = PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), BUCKETS_S)
                .expect("the list of buckets is not empty")
                .build_recorder();
            let handle = recorder.handle();
            if metrics::set_global_recorder(recorder).is_err() {
                tracing::warn!("another metrics recorder is installed: /metrics stays empty");
            }
            crate::metrics::describe();
            crate::metrics::begin_at_nought();
            handle
        });
        Self(handle.clone())
    }

    /// All of them, in Prometheus' text format 0.0.4.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.render() + &crate::metrics::fractions()
    }

    /// Folds histograms, so that they don't grow while nobody reads them.
    pub(super) fn upkeep(&self) {
        self.0.run_upkeep();
    }
}

impl fmt::Debug for MetricsHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MetricsHandle")
    }
}

/// The process answers. What it depends on is the business of `ready`.
pub(super) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "live" }))
}

/// 200 while miners can be given work and shares can be taken and credited, else 503 with the reasons.
pub(super) async fn ready(api: web::Data<Api>) -> HttpResponse {
    let mut reasons: Vec<Value> = Vec::new();
    let reason = |component: &str, code: &str, message: &str| json!({ "component": component, "code": code, "message": message });
    let node = api.node.load();
    if !node.ready {
        let message = if node.reason.is_empty() { "the node gave no work yet" } else { &node.reason };
        reasons.push(reason("node", "NODE_NOT_READY", message));
    } else if node.job.is_none() {
        reasons.push(reason("node", "NO_JOB", "no template was received yet"));
    }
    let ledger = api.ledger.load();
    if let Some(away) = degraded::database(&api) {
        reasons.push(away);
    } else if !ledger.ready {
        reasons.push(reason("ledger", "LEDGER_STARTING", "the ledger is reading its state"));
    }
    if !ledger.totals.imbalance().is_zero() {
        reasons.push(reason("ledger", "LEDGER_IMBALANCE", "the sum of all ledger entries is not zero"));
    }
    if !ledger.findings.is_empty() {
        let checks: Vec<&str> = ledger.findings.iter().map(|finding| finding.check).collect();
        let message = format!("audits of the database found something: {}", checks.join(", "));
        reasons.push(reason("ledger", "LEDGER_AUDIT", &message));
    }
    if let Some(trouble) = (api.journal)() {
        reasons.push(reason("journal", "JOURNAL_TROUBLE", &trouble));
    }
    // Without it the pool does its work: it says so, and stays ready.
    let degraded: Vec<Value> = degraded::cache(&api).into_iter().collect();
    let status = if reasons.is_empty() { "ready" } else { "not_ready" };
    let mut response =
        if reasons.is_empty() { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.json(json!({ "status": status, "reasons": reasons, "degraded": degraded, "figures_at": time_or_null(ledger.at), "at": rfc3339(api.clock.now()) }))
}
