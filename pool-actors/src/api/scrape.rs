//! `/metrics`: for anybody, unless the operator gave it a token or an address of its own.

use std::{
    fmt,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, http::header, web};

use super::{
    Api,
    access::{self, FixedToken, bearer},
    errors::{ApiError, ErrorCode},
    health::MetricsHandle,
    server::unavailable,
};
use crate::{
    config::{self, Secret},
    error::Failure,
    metrics::AUTH_FAILURES_TOTAL,
};

/// Connections at once on an address of their own: each scrape is one request.
const CONNECTIONS_MAX: usize = 64;
/// Scrapes under way have so long to end when the server stops.
const STOP_S: u64 = 1;

/// Who may read the figures.
#[derive(Debug)]
pub struct Readers {
    token: Option<FixedToken>,
    address: Option<SocketAddr>,
}

impl Readers {
    /// As configured.
    ///
    /// # Errors
    /// When the token can't be read from where it lives.
    pub fn of(config: &config::Metrics) -> Result<Self, Failure> {
        let token = config.token.as_ref().map(Secret::reveal).transpose()?;
        Ok(Self { token: token.as_deref().map(FixedToken::new), address: config.address })
    }

    /// Whether a request that shows this may read them at an address of their own.
    fn may(&self, shown: Option<&str>) -> bool {
        self.token.as_ref().is_none_or(|token| shown.is_some_and(|shown| token.matches(shown)))
    }
}

fn text(metrics: &MetricsHandle) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(metrics.render())
}

/// Prometheus text format 0.0.4.
pub(super) async fn figures(api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let readers = &api.metrics_readers;
    let shown = bearer(request.headers());
    let open = readers.token.is_none() && readers.address.is_none();
    if open || (readers.token.is_some() && readers.may(shown)) {
        return Ok(text(&api.metrics));
    }
    let refused = |reason: &'static str| {
        metrics::counter!(AUTH_FAILURES_TOTAL, "reason" => reason).increment(1);
        ApiError::of(ErrorCode::Unauthorized, &[("path", "/metrics")])
    };
    let shown = shown.ok_or_else(|| refused("no_token"))?;
    // Tokens are guessed no faster here than anywhere else.
    let address = api.limits.address(request.headers(), request.peer_addr());
    if let Some(client) = api.limits.limited(address) {
        access::take(&api, client).await?;
    }
    match access::whose(&api, shown).await? {
        Some(who) if access::sees(&who) => Ok(text(&api.metrics)),
        Some(_) => {
            Err(ApiError::of(ErrorCode::Forbidden, &[("path", "/metrics"), ("what", "the role viewer")]))
        }
        None => Err(refused("wrong_token")),
    }
}

/// A server of figures alone.
pub struct MetricsServer {
    address: SocketAddr,
    handle: actix_web::dev::ServerHandle,
}

impl MetricsServer {
    /// Where it listens, with the port that the system chose.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// No new connections; scrapes under way may end.
    pub async fn stop(self) {
        self.handle.stop(true).await;
    }
}

impl fmt::Debug for MetricsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricsServer").field("address", &self.address).finish_non_exhaustive()
    }
}

async fn alone(
    metrics: web::Data<MetricsHandle>,
    readers: web::Data<Readers>,
    request: HttpRequest,
) -> HttpResponse {
    if readers.may(bearer(request.headers())) {
        return text(&metrics);
    }
    metrics::counter!(AUTH_FAILURES_TOTAL, "reason" => "wrong_token").increment(1);
    HttpResponse::Unauthorized()
        .insert_header((header::WWW_AUTHENTICATE, "Bearer"))
        .content_type("text/plain; charset=utf-8")
        .body("UNAUTHORIZED: show metrics.token as Authorization: Bearer ...\n")
}

/// Serves `/metrics` at `metrics.address`, if there is one.
///
/// # Errors
/// [`crate::error::Code::AddressUnavailable`], or the token can't be read.
pub fn serve(metrics: &MetricsHandle, config: &config::Metrics) -> Result<Option<MetricsServer>, Failure> {
    let Some(address) = config.address else { return Ok(None) };
    let refused = unavailable("metrics.address", address);
    let listener = TcpListener::bind(address).map_err(&refused)?;
    let address = listener.local_addr().map_err(&refused)?;
    let (metrics, readers) = (web::Data::new(metrics.clone()), web::Data::new(Readers::of(config)?));
    let server = HttpServer::new(move || {
        App::new().app_data(metrics.clone()).app_data(readers.clone()).route("/metrics", web::get().to(alone))
    })
    .workers(1)
    .max_connections(CONNECTIONS_MAX)
    .client_request_timeout(Duration::from_secs(5))
    .shutdown_timeout(STOP_S)
    .disable_signals()
    .listen(listener)
    .map_err(&refused)?
    .run();
    let handle = server.handle();
    actix_rt::spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "the server of metrics ended");
        }
    });
    Ok(Some(MetricsServer { address, handle }))
}
