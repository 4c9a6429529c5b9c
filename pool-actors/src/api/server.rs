//! Starting and stopping the HTTP server.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use actix_web::{
    App, HttpServer,
    middleware::{Compress, from_fn},
    web,
};

use super::{Api, access, assets, degraded, errors, feeds, limits::RateLimits, live, peers::Peers, routes};
use crate::{
    config::Http,
    error::{Code, Failure},
    messages::event::PoolEvent,
    metrics::NETWORK_DIFFICULTY,
};

/// Threads for HTTP; miners have their own.
const WORKERS: usize = 2;
/// Largest body of a request.
const BODY_BYTES_MAX: usize = 65_536;
/// Requests under way have so long to end when the server stops.
const STOP_S: u64 = 2;
/// How often histograms are folded, so that they don't grow while nobody reads them.
const UPKEEP: Duration = Duration::from_secs(5);

/// A running server.
#[derive(Debug)]
pub struct ServerHandle {
    address: SocketAddr,
    handle: actix_web::dev::ServerHandle,
    tasks: [actix_rt::task::JoinHandle<()>; 5],
    limits: Arc<RateLimits>,
    peers: Arc<Peers>,
}

impl ServerHandle {
    /// Where it listens, with the port that the system chose.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How the limits of requests are changed while it runs.
    pub fn rate_limits(&self) -> impl Fn(&Http) + Send + use<> {
        let (limits, peers) = (Arc::clone(&self.limits), Arc::clone(&self.peers));
        move |http| {
            limits.set(http);
            peers.set(http);
        }
    }

    /// Stops: no new connections, requests under way may end, live feeds are closed.
    pub async fn stop(self) {
        self.handle.stop(true).await;
        for task in self.tasks {
            task.abort();
        }
    }
}

/// The address that `key` names can't be listened on.
pub(super) fn unavailable(key: &'static str, address: SocketAddr) -> impl Fn(std::io::Error) -> Failure {
    move |error| {
        Failure::new(
            Code::AddressUnavailable,
            format!("{address} can't be listened on ({error})"),
            format!("stop what uses it, or set another {key}"),
        )
    }
}

pub(super) fn serve(api: web::Data<Api>, address: SocketAddr) -> Result<ServerHandle, Failure> {
    let refused = unavailable("http.address", address);
    let listener = TcpListener::bind(address).map_err(&refused)?;
    let address = listener.local_addr().map_err(&refused)?;
    // Feeds and requests share the limit; each feed is a connection.
    let connections_max = api.http.feeds_max.saturating_add(1_000);
    let served = api.clone();
    let peers = Peers::new(&api.http);
    let counting = Arc::clone(&peers);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(served.clone())
            .wrap(from_fn(access::guard))
            .wrap(Compress::default())
            .configure(configure)
    })
    .on_connect(move |connection, known| {
        counting.connected(connection, known);
        feeds::connected(connection, known);
    })
    .workers(WORKERS)
    .max_connections(connections_max)
    .client_request_timeout(Duration::from_secs(5))
    .shutdown_timeout(STOP_S)
    .disable_signals()
    .listen(listener)
    .map_err(&refused)?
    .run();
    let handle = server.handle();
    let serving = actix_rt::spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "the HTTP server ended");
        }
    });
    let metrics = api.metrics.clone();
    let upkeep = actix_rt::spawn(async move {
        loop {
            actix_rt::time::sleep(UPKEEP).await;
            metrics.upkeep();
        }
    });
    let open = Arc::clone(&api.feeds);
    let sweeping = actix_rt::spawn(async move {
        loop {
            actix_rt::time::sleep(live::CHECK).await;
            // Those whose actors run end themselves before that.
            open.sweep(live::SILENCE_MAX + 2 * live::CHECK);
        }
    });
    let limits = Arc::clone(&api.limits);
    let pacing = actix_rt::spawn(Arc::clone(&api.pace).keep(&api.events));
    let figures = actix_rt::spawn(publish_figures(api));
    Ok(ServerHandle { address, handle, tasks: [serving, upkeep, pacing, figures, sweeping], limits, peers })
}

/// Makes an event of each second's figures, so that they have their place in the numbering.
async fn publish_figures(api: web::Data<Api>) {
    let mut snapshots = api.snapshot.clone();
    while let Ok(pool) = snapshots.changed().await {
        degraded::look(&api);
        let node = api.node.get();
        // Also while nobody looks: this is what notices when a round ends, and what was found of what was to be expected.
        let (ledger, block_work) = (api.ledger.load(), node.job.as_ref().map(|job| job.network_work));
        let _ = api.effort.now(pool.work, &ledger, block_work);
        let _ = api.effort.luck(pool.work, &ledger, block_work);
        if let Some(job) = &node.job {
            metrics::gauge!(NETWORK_DIFFICULTY, "algorithm" => job.algorithm.clone())
                .set(job.network_work.0 as f64);
        }
        api.events.publish(pool.at, PoolEvent::Stats(pool));
    }
}

/// All routes. The application must hold an [`Api`] as data and be wrapped by the guard.
pub(super) fn configure(routes: &mut web::ServiceConfig) {
    routes
        .app_data(
            web::JsonConfig::default()
                .limit(BODY_BYTES_MAX)
                .error_handler(|error, _| errors::ApiError::bad_request(format!("body: {error}")).into()),
        )
        .app_data(
            web::QueryConfig::default()
                .error_handler(|error, _| errors::ApiError::bad_request(format!("query: {error}")).into()),
        )
        .app_data(
            web::PathConfig::default()
                .error_handler(|error, _| errors::ApiError::bad_request(format!("path: {error}")).into()),
        )
        .configure(routes::serve)
        .default_service(web::to(assets::serve));
}
