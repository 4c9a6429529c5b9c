//! `[traces]`: lives of shares and blocks for OpenTelemetry.

use super::{Secret, section::section};

section! {
    /// Traces of shares and blocks for a collector of OpenTelemetry (docs/monitoring.md). Only a build with the feature
    /// `otel` has them; any other refuses an address here.
    Traces {
        /// Address of the collector (OTLP over HTTP, JSON), such as "http://127.0.0.1:4318". Empty = nothing is traced.
        url: String = String::new(),
        /// Header `authorization`, if the collector wants one: the text itself, "file:/path" or "env:NAME".
        authorization: Option<Secret> = None,
        /// One share in so many is traced. Blocks are, all of them.
        share_one_in: u64 = 1_000,
    }
}
