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

use super::{
    Api, access, adjustments, admin, algorithms, assets, books, degraded, errors, health, limits::RateLimits,
    live, payouts, pool,
};
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
    tasks: [actix_rt::task::JoinHandle<()>; 3],
    limits: Arc<RateLimits>,
}

impl ServerHandle {
    /// Where it listens, with the port that the system chose.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Other limits of requests from now on.
    pub fn set_rate_limits(&self, http: &Http) {
        self.limits.set(http);
    }

    /// Stops: no new connections, requests under way may end, live feeds are closed.
    pub async fn stop(self) {
        self.handle.stop(true).await;
        for task in self.tasks {
            task.abort();
        }
    }
}

pub(super) fn serve(api: web::Data<Api>, address: SocketAddr) -> Result<ServerHandle, Failure> {
    let refused = |error: std::io::Error| {
        Failure::new(
            Code::AddressUnavailable,
            format!("the HTTP address {address} can't be used ({error})"),
            "stop what uses it, or set another http.address",
        )
    };
    let listener = TcpListener::bind(address).map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    // Feeds and requests share the limit; each feed is a connection.
    let connections_max = api.http.feeds_max.saturating_add(1_000);
    let served = api.clone();
    let server = HttpServer::new(move || {
        App::new()
            .app_data(served.clone())
            .wrap(from_fn(access::guard))
            .wrap(Compress::default())
            .configure(configure)
    })
    .workers(WORKERS)
    .max_connections(connections_max)
    .client_request_timeout(Duration::from_secs(5))
    .shutdown_timeout(STOP_S)
    .disable_signals()
    .listen(listener)
    .map_err(refused)?
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
    let limits = Arc::clone(&api.limits);
    let figures = actix_rt::spawn(publish_figures(api));
    Ok(ServerHandle { address, handle, tasks: [serving, upkeep, figures], limits })
}

/// Makes an event of each second's figures, so that they have their place in the numbering.
async fn publish_figures(api: web::Data<Api>) {
    let mut snapshots = api.snapshot.clone();
    while let Ok(pool) = snapshots.changed().await {
        degraded::look(&api);
        let node = api.node.get();
        // Also while nobody looks: this is what notices when a round ends.
        let _ = api.effort.now(pool.work, &api.ledger.load(), node.job.as_ref().map(|job| job.network_work));
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
        .service(web::resource("/health/live").route(web::get().to(health::live)))
        .service(web::resource("/health/ready").route(web::get().to(health::ready)))
        .service(web::resource("/metrics").route(web::get().to(health::metrics)))
        .service(web::resource("/docs/errors").route(web::get().to(errors::docs)))
        .service(web::resource("/docs/errors/{code}").route(web::get().to(errors::docs)))
        .service(web::resource("/api/stats").route(web::get().to(pool::stats)))
        .service(web::resource("/api/miners").route(web::get().to(pool::miners)))
        .service(web::resource("/api/miners/{account}/hashrate").route(web::get().to(pool::hashrate)))
        .service(web::resource("/api/miners/{account}").route(web::get().to(pool::miner)))
        .service(web::resource("/api/miners/{account}/payouts").route(web::get().to(payouts::of_miner)))
        .service(web::resource("/api/miners/{account}/earnings").route(web::get().to(books::earnings)))
        .service(web::resource("/api/payouts").route(web::get().to(payouts::list)))
        .service(web::resource("/api/payouts/{id}").route(web::get().to(payouts::one)))
        .service(web::resource("/api/admin/payouts").route(web::get().to(payouts::status)))
        .service(web::resource("/api/admin/payouts/audit").route(web::get().to(payouts::audit)))
        .service(web::resource("/api/admin/payouts/dry-run").route(web::get().to(payouts::dry_run)))
        .service(web::resource("/api/admin/payouts/run").route(web::post().to(payouts::run)))
        .service(web::resource("/api/admin/payouts/hold").route(web::post().to(payouts::hold)))
        .service(web::resource("/api/admin/payouts/release").route(web::post().to(payouts::release)))
        .service(web::resource("/api/admin/payouts/threshold").route(web::post().to(payouts::threshold)))
        .service(web::resource("/api/blocks").route(web::get().to(pool::blocks)))
        .service(web::resource("/api/blocks/{hash}").route(web::get().to(pool::block)))
        .service(web::resource("/api/blocks/{hash}/statement").route(web::get().to(books::block_statement)))
        .service(web::resource("/api/blocks/{hash}/proof").route(web::get().to(books::block_proof)))
        .service(web::resource("/api/live").route(web::get().to(live::open)))
        .service(web::resource("/api/algorithms").route(web::get().to(algorithms::list)))
        .service(web::resource("/api/algorithms/status").route(web::get().to(algorithms::status)))
        .service(web::resource("/api/algorithms/stage").route(web::post().to(algorithms::stage)))
        .service(
            web::resource("/api/algorithms/plan")
                .route(web::get().to(algorithms::plan))
                .route(web::post().to(algorithms::plan_of)),
        )
        .service(web::resource("/api/algorithms/deploy").route(web::post().to(algorithms::deploy)))
        .service(web::resource("/api/deployments").route(web::get().to(algorithms::deployments)))
        .service(web::resource("/api/deployments/{id}").route(web::get().to(algorithms::one)))
        .service(web::resource("/api/deployments/{id}/{action}").route(web::post().to(algorithms::steer)))
        .service(web::resource("/api/admin/system").route(web::get().to(admin::system)))
        .service(web::resource("/api/admin/announce").route(web::post().to(admin::announce)))
        .service(web::resource("/api/admin/bans").route(web::get().to(admin::bans)))
        .service(web::resource("/api/admin/bans/{address}").route(web::delete().to(admin::lift_ban)))
        .service(web::resource("/api/admin/connections").route(web::get().to(admin::connections)))
        .service(
            web::resource("/api/admin/ledger/adjustments")
                .route(web::get().to(adjustments::list))
                .route(web::post().to(adjustments::make)),
        )
        .default_service(web::to(assets::serve));
}
