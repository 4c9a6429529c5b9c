//! `[influx]`: the export of figures as time series.

use std::path::PathBuf;

use super::{Secret, section::section};

/// Which of InfluxDB's ways of writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InfluxApi {
    /// `/write` of 1.x (2.x and many others have it, too).
    #[default]
    V1,
    /// `/api/v2/write` of 2.x and later.
    V2,
}

section! {
    /// Figures for InfluxDB, or whatever takes its line protocol (docs/monitoring.md). /metrics is there without it.
    Influx {
        /// Address of the server, such as "http://127.0.0.1:8086". Empty = nothing is exported.
        url: String = String::new(),
        /// "v1" (with `database`) or "v2" (with `org` and `bucket`).
        api: InfluxApi = InfluxApi::V1,
        /// v1: the database, which must exist.
        database: String = "dagpool".into(),
        /// v1: the retention policy. Empty = the database's default.
        retention_policy: String = String::new(),
        /// v1: the user, if the server asks for one.
        user: String = String::new(),
        /// v2: the organisation.
        org: String = String::new(),
        /// v2: the bucket, which must exist.
        bucket: String = "dagpool".into(),
        /// v2: the token; v1: the user's password. The text itself, "file:/path" or "env:NAME".
        token: Option<Secret> = None,
        /// How often figures are taken, seconds.
        interval_s: u64 = 10,
        /// Figures of each miner, too, not of the pool alone.
        miners: bool = true,
        /// Most lines of one request.
        batch_lines_max: usize = 5_000,
        /// Most lines that wait while the server is away. Beyond them the oldest are given up, and counted.
        waiting_lines_max: usize = 200_000,
        /// Bound on one request, milliseconds.
        timeout_ms: u64 = 10_000,
        /// Who signs the server's certificate (a file, PEM). Empty = whom the system trusts.
        ca_file: PathBuf = PathBuf::new(),
    }
}
