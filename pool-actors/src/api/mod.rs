//! HTTP on one port: dashboard, REST, live feed, health, metrics.
//!
//! | file | holds |
//! |---|---|
//! | `access` | who may do what: one table, one middleware |
//! | `errors` | the catalogue of errors, their JSON and their documentation pages |
//! | `assets` | the dashboard's files, handed in by whoever embeds them |
//! | `pool` | `/api/stats`, `/api/miners`, `/api/blocks` |
//! | `admin` | `/api/admin/...` |
//! | `health` | `/health/...`, `/metrics` |
//! | `live` | `/api/live`: a [`live::DashboardFeed`] actor per client |
//! | `views` | shapes on the wire |
//!
//! Money comes from the ledger (store and summary), everything that moves every second from the [`PoolSnapshot`].

mod access;
mod admin;
mod assets;
mod errors;
mod health;
pub mod live;
mod pool;
mod server;
mod views;
mod wire;

#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{Arc, atomic::AtomicUsize},
};

use metrics_exporter_prometheus::PrometheusHandle;

use crate::{
    messages::{
        event::Subscribe,
        job::NodeState,
        ledger::LedgerSummary,
        session::{CommandSessions, ListSessions},
        stats::PoolSnapshot,
    },
    ports::{clock::SharedClock, store::SharedStore},
    runtime::{observe::Registry, outbox::Outbox, watch::Watched},
};

pub use access::AdminToken;
pub use assets::{Asset, Assets};
pub use health::{HealthCheck, install_metrics};
pub use server::{Serving, bind, configure, serve};

/// The money that rewards are paid in.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Currency {
    /// Short name, such as `KAS`.
    pub symbol: String,
    /// Amounts are in 10^-decimals of it.
    pub decimals: u8,
}

/// What the API works with.
pub struct Api {
    /// The pool's name.
    pub pool_name: String,
    /// What amounts are in.
    pub currency: Currency,
    /// Time.
    pub clock: SharedClock,
    /// The ledger's database, to read.
    pub store: SharedStore,
    /// Live figures.
    pub snapshot: Watched<PoolSnapshot>,
    /// Node and job.
    pub node: Watched<NodeState>,
    /// Sums of the ledger, and whether it gets on.
    pub ledger: Watched<LedgerSummary>,
    /// Further reasons for which the pool may not be ready, such as a failed journal.
    pub health: Vec<HealthCheck>,
    /// The EventPublisher.
    pub events: Outbox<Subscribe>,
    /// Which actors there are.
    pub registry: Registry,
    /// Every session hub.
    pub sessions: Vec<Outbox<ListSessions>>,
    /// Every session hub.
    pub commands: Vec<Outbox<CommandSessions>>,
    /// Who may change something.
    pub admin_token: AdminToken,
    /// The dashboard's files.
    pub assets: Assets,
    /// The metrics recorder, see [`install_metrics`].
    pub metrics: PrometheusHandle,
    /// Most live feeds at once.
    pub feeds_max: usize,
    /// Live feeds open now.
    pub feeds: Arc<AtomicUsize>,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("pool_name", &self.pool_name).finish_non_exhaustive()
    }
}
