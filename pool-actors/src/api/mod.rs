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
//! | `configuration`, `logs` | `/api/admin/config...`, `/api/admin/logs` |
//! | `degraded` | what the pool goes on without, and since when |
//! | `miningcore` | `/api/pools...`, `/api/v2/pools...`, `/notifications` |
//! | `pace` | when each feed hears of an event: not all at one moment |
//! | `pages` | lists that are in memory, page by page |
//! | `feeds` | the live feeds that are open, and their bounds |
//! | `health` | `/health/...` |
//! | `scrape` | `/metrics` |
//! | `kept` | lists for the time when the database is away |
//! | `limits` | how often one address may ask |
//! | `live` | `/api/live`: a `DashboardFeed` actor per client |
//! | `openapi`, `shapes` | the API described, `/api/openapi.json`, `/api/docs` |
//! | `views` | shapes on the wire |
//!
//! Money comes from the ledger (store and summary), everything that moves every second from the [`PoolSnapshot`].

mod access;
mod adjustments;
mod admin;
mod alerts;
mod algorithms;
mod assets;
mod bodies;
mod books;
mod claims;
mod configuration;
mod degraded;
mod effort;
mod errors;
mod feeds;
mod health;
mod kept;
pub(crate) mod limits;
mod live;
mod logs;
mod mail_links;
mod miningcore;
mod openapi;
mod own_settings;
mod pace;
mod pages;
mod payouts;
mod peers;
mod people;
mod personal;
mod pool;
mod routes;
mod scrape;
mod server;
mod shapes;
mod sign_in;
mod trail;
mod views;
mod wire;

pub use wire::rfc3339;

#[cfg(test)]
mod access_table;
#[cfg(test)]
mod access_tests;
#[cfg(test)]
mod alerts_tests;
#[cfg(test)]
mod books_tests;
#[cfg(test)]
mod cache_tests;
#[cfg(test)]
mod limits_tests;
#[cfg(test)]
mod live_tests;
#[cfg(test)]
#[allow(unreachable_pub, reason = "shared with the tests of the whole pool")]
#[path = "../../../tests/src/schema.rs"]
mod schema;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use actix_web::web;
use async_trait::async_trait;
use pool_domain::ids::SessionId;

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
        system::SystemFigures,
    },
    ports::{
        books::SharedBooks, cache::Cache, clock::SharedClock, deployments::SharedDeployments, logs::LogBook,
        packages::SharedShelf, payouts::SharedPayouts, store::SharedStore,
    },
    runtime::{observe::Registry, shutdown::Shutdown, watch::Watched},
};

pub use algorithms::{DeployDefaults, Import, RowView};
pub use assets::{Asset, Assets};
pub use books::{CREDIT_COLUMNS, credit_csv, credit_json, proof_document, statement_json};
pub use configuration::{ConfigDesk, ConfigShown};
pub use health::MetricsHandle;
pub use live::relayed;
pub use miningcore::PoolAbout;
pub use openapi::{document as openapi, document_text as openapi_text};
pub use scrape::{MetricsServer, Readers as MetricsReaders, serve as serve_metrics};
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

    /// Closes one; whether there was one.
    async fn close(&self, session: SessionId) -> bool;

    /// Closes all from an address (of IPv6, from its network); returns how many.
    async fn close_from(&self, address: IpAddr) -> usize;
}

/// Whether the account's key signed the text (account, text, signature); `None` = accounts of its kind sign nothing.
pub type SignedBy = Arc<dyn Fn(&pool_domain::ids::Account, &str, &str) -> Option<bool> + Send + Sync>;

/// What the API works with.
pub struct Context {
    /// The pool's name.
    pub pool_name: String,
    /// What Miningcore's front ends want to know of the configuration.
    pub about: PoolAbout,
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
    /// The configuration, to look at and to reload.
    pub config: Arc<dyn ConfigDesk>,
    /// The last lines of the log.
    pub logs: LogBook,
    /// Everything that happens.
    pub events: Events,
    /// Whether an address's key signed a text.
    pub signed: SignedBy,
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
    /// Process and disk.
    pub system: Watched<SystemFigures>,
    /// Where metrics are rendered.
    pub metrics: MetricsHandle,
    /// Who may read them.
    pub metrics_readers: MetricsReaders,
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
    admin_token: access::FixedToken,
    feeds: Arc<feeds::Feeds>,
    pace: Arc<pace::Pace>,
    effort: effort::Effort,
    limits: Arc<RateLimits>,
    kept: kept::Kept,
    degraded: degraded::Degraded,
}

impl Api {
    fn new(context: Context) -> web::Data<Self> {
        let admin_token = access::FixedToken::new(&context.admin_token);
        let limits = Arc::new(RateLimits::new(&context.http));
        web::Data::new(Self {
            context,
            admin_token,
            feeds: Arc::default(),
            pace: Arc::new(pace::Pace::new()),
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
