//! HTTP on one port: dashboard, REST, live feed, health, metrics.
//!
//! | file | holds |
//! |---|---|
//! | `routes` | every route, and what it asks for |
//! | `access` | who may do what: the one middleware |
//! | `sign_in` | `/api/auth/...` |
//! | `people` | `/api/admin/users...`, `/api/admin/sessions...` |
//! | `trail` | `/api/admin/audit` |
//! | `errors` | the catalogue of errors, their JSON and their documentation pages |
//! | `assets` | the dashboard's files, handed in by whoever embeds them |
//! | `pool` | `/api/stats`, `/api/miners`, `/api/blocks` |
//! | `books` | statements, proofs, earnings |
//! | `algorithms` | `/api/algorithms...`, `/api/deployments...` |
//! | `payouts` | `/api/payouts...`, `/api/miners/{account}/payouts`, `/api/admin/payouts...` |
//! | `admin`, `adjustments` | `/api/admin/...` |
//! | `alerts` | `/api/alerts...` |
//! | `degraded` | what the pool goes on without, and since when |
//! | `health` | `/health/...`, `/metrics` |
//! | `kept` | lists for the time when the database is away |
//! | `limits` | how often one address may ask |
//! | `live` | `/api/live`: a `DashboardFeed` actor per client |
//! | `views` | shapes on the wire |
//!
//! Money comes from the ledger (store and summary), everything that moves every second from the [`PoolSnapshot`].

mod access;
mod adjustments;
mod admin;
mod alerts;
mod algorithms;
mod assets;
mod books;
mod degraded;
mod effort;
mod errors;
mod health;
mod kept;
pub(crate) mod limits;
mod live;
mod payouts;
mod people;
mod pool;
mod routes;
mod server;
mod sign_in;
mod trail;
mod views;
mod wire;

pub use wire::rfc3339;

#[cfg(test)]
mod access_tests;
#[cfg(test)]
mod alerts_tests;
#[cfg(test)]
mod books_tests;
#[cfg(test)]
mod limits_tests;
#[cfg(test)]
mod live_tests;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, atomic::AtomicUsize},
};

use actix_web::web;
use async_trait::async_trait;

use limits::RateLimits;

use crate::{
    auth::Auth,
    config::Http,
    error::Failure,
    messages::{
        alert::AlertDoors,
        cache::{BanDesk, CacheStatus},
        deployment::AlgorithmDoors,
        job::NodeState,
        ledger::LedgerSummary,
        live::{Events, PoolSnapshot},
        payout::{PayoutDoors, PayoutStatus},
        session::{SessionCommand, SessionView},
    },
    ports::{
        books::SharedBooks, cache::Cache, clock::SharedClock, deployments::SharedDeployments,
        packages::SharedShelf, payouts::SharedPayouts, store::SharedStore,
    },
    runtime::{observe::Registry, shutdown::Shutdown, watch::Watched},
};

pub use algorithms::{DeployDefaults, Import, RowView};
pub use assets::{Asset, Assets};
pub use books::{CREDIT_COLUMNS, credit_csv, credit_json, proof_document, statement_json};
pub use health::MetricsHandle;
pub use live::relayed;
pub use server::ServerHandle;

/// The money that rewards are paid in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Currency {
    /// Short name, such as `KAS`.
    pub symbol: &'static str,
    /// Amounts are in 10^-decimals of it.
    pub decimals: u8,
}

/// The connected miners' sessions, on all arbiters.
#[async_trait]
pub trait SessionDesk: Send + Sync {
    /// Every session.
    async fn list(&self) -> Vec<SessionView>;

    /// Tells every session to do something; returns how many were told.
    async fn command_all(&self, command: SessionCommand) -> usize;
}

/// What the API works with.
pub struct Context {
    /// The pool's name.
    pub pool_name: String,
    /// What amounts are in.
    pub currency: Currency,
    /// Time.
    pub clock: SharedClock,
    /// The ledger's database, to read.
    pub store: SharedStore,
    /// The books, for statements and earnings.
    pub books: SharedBooks,
    /// Live figures.
    pub snapshot: Watched<PoolSnapshot>,
    /// Node and job.
    pub node: Watched<NodeState>,
    /// Sums of the ledger, and whether it gets on.
    pub ledger: Watched<LedgerSummary>,
    /// Why the share journal is in trouble, if it is.
    pub journal: Arc<dyn Fn() -> Option<String> + Send + Sync>,
    /// Name of this pool's node.
    pub node_name: String,
    /// Where lists are kept for the time when the database is away.
    pub shared_cache: Cache,
    /// How the cache fares.
    pub cache: Watched<CacheStatus>,
    /// Who may not connect.
    pub bans: Arc<dyn BanDesk>,
    /// What is wrong, and who is told.
    pub alerts: AlertDoors,
    /// Everything that happens.
    pub events: Events,
    /// Who is connected.
    pub sessions: Arc<dyn SessionDesk>,
    /// What hashes, and how to change it.
    pub algorithms: AlgorithmDoors,
    /// Payouts, to read, to hold and to release.
    pub payouts: SharedPayouts,
    /// The dispatcher, if anything is paid out here.
    pub payout_doors: Option<PayoutDoors>,
    /// How it fares.
    pub payout_status: Watched<PayoutStatus>,
    /// Deployments, to read.
    pub deployments: SharedDeployments,
    /// A deployment's row as people see it.
    pub row_view: RowView,
    /// What a deployment does unless the operator says otherwise.
    pub deploy_defaults: DeployDefaults,
    /// Where packages are kept, if anywhere.
    pub shelf: Option<SharedShelf>,
    /// Largest package that is taken, bytes.
    pub upload_bytes_max: usize,
    /// Reads packages that are already on this machine.
    pub import: Import,
    /// Whether the pool stops, and why.
    pub shutdown: Shutdown,
    /// Which actors there are.
    pub registry: Registry,
    /// Where metrics are rendered.
    pub metrics: MetricsHandle,
    /// The pool's own token, which may do everything.
    pub admin_token: String,
    /// Who may sign in.
    pub auth: Auth,
    /// The dashboard's files.
    pub assets: Assets,
    /// Limits: live feeds, requests of one address.
    pub http: Http,
    /// Days of the history of hash rates.
    pub history_days: u32,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("pool_name", &self.pool_name).finish_non_exhaustive()
    }
}

/// The context, and what belongs to the API alone.
struct Api {
    context: Context,
    admin_token: access::AdminToken,
    feeds: Arc<AtomicUsize>,
    effort: effort::Effort,
    limits: Arc<RateLimits>,
    kept: kept::Kept,
    degraded: degraded::Degraded,
}

impl Api {
    fn new(context: Context) -> web::Data<Self> {
        let admin_token = access::AdminToken::new(&context.admin_token);
        let limits = Arc::new(RateLimits::new(&context.http));
        web::Data::new(Self {
            context,
            admin_token,
            feeds: Arc::new(AtomicUsize::new(0)),
            effort: effort::Effort::default(),
            limits,
            kept: kept::Kept::default(),
            degraded: degraded::Degraded::default(),
        })
    }
}

impl std::ops::Deref for Api {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.context
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("context", &self.context).finish_non_exhaustive()
    }
}

/// Serves on `address` (port 0 = any free one), on threads of its own.
///
/// # Errors
/// [`crate::error::Code::AddressUnavailable`] when the address is in use, or not ours.
pub fn serve(context: Context, address: SocketAddr) -> Result<ServerHandle, Failure> {
    server::serve(Api::new(context), address)
}
