//! `[metrics]`: who may read the figures.

use std::net::SocketAddr;

use super::{Secret, section::section};

section! {
    /// Figures for Prometheus (docs/monitoring.md): `/metrics`, which anybody may read unless one of these keys is set.
    Metrics {
        /// Address and port of their own. `/metrics` of `http.address` is for those who see what operators see then.
        address: Option<SocketAddr> = None,
        /// What a reader must show as `Authorization: Bearer ...`. The text itself, "file:/path" or "env:NAME".
        token: Option<Secret> = None,
    }
}
