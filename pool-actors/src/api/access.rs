//! Who may do what, and what every answer carries.

use std::fmt;

use actix_web::{
    Error, HttpResponse, ResponseError as _,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web,
};
use sha2::{Digest as _, Sha256};

use super::{
    Api,
    errors::{ApiError, ErrorCode},
};
use crate::{
    messages::trouble,
    metrics::{AUTH_FAILURES_TOTAL, HTTP_LIMITED_TOTAL},
};

/// The token for routes that change something. Only its digest is kept.
pub(super) struct AdminToken([u8; 32]);

impl AdminToken {
    /// From the token's text.
    pub(super) fn new(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// Whether `token` is the same, in a time that does not depend on where they differ.
    fn matches(&self, token: &str) -> bool {
        let given: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        // All bytes are looked at; digests of a guess say nothing about the token.
        self.0.iter().zip(given).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken(***)")
    }
}

/// What a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Nothing.
    Anybody,
    /// The admin token.
    Admin,
}

/// Public to read, with everything below where it ends in `/*`. Whatever is not here needs the admin token, whether it
/// exists or not, whatever the method.
const PUBLIC: &[&str] = &[
    "/api/stats",
    "/api/miners",
    "/api/miners/*",
    "/api/blocks",
    "/api/blocks/*",
    "/api/pools",
    "/api/pools/*",
    "/api/algorithms/status",
    "/api/openapi.json",
    "/api/docs",
    "/api/live",
    "/health/*",
    "/metrics",
    "/docs/*",
];

/// Prefixes whose paths are in [`PUBLIC`] or need the token; everything else is the dashboard.
const GUARDED: &[&str] = &["/api", "/health", "/metrics", "/docs"];

/// The role that a request needs.
pub(super) fn role(method: &Method, path: &str) -> Role {
    let below =
        |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let public = PUBLIC.iter().any(|known| match known.strip_suffix("/*") {
        Some(prefix) => below(prefix) && path != prefix,
        None => path == *known,
    });
    if reads && (public || !GUARDED.iter().any(|prefix| below(prefix))) { Role::Anybody } else { Role::Admin }
}

/// Whether these headers carry the admin token.
pub(super) fn is_admin(api: &Api, headers: &HeaderMap) -> bool {
    bearer(headers).is_some_and(|token| api.admin_token.matches(token))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The content security policy that the dashboard is built for: nothing from elsewhere, no inline scripts.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; \
     style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The dashboard's worker that runs a package's wasm in the browser: it may compile wasm, which the page itself may not,
/// and reach nothing.
const BENCH_WORKER: &str = "/assets/bench-worker-";
const BENCH_WORKER_POLICY: &str = "default-src 'none'; script-src 'wasm-unsafe-eval'";

const HEADERS: &[(&str, &str)] = &[
    ("content-security-policy", CONTENT_SECURITY_POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
];

/// The one middleware: checks the role, gives the request an id, writes the bodies of errors, adds security headers.
pub(super) async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let id = trouble::fresh_id();
    // The path as the router reads it, percent-decoded: what is judged must be what is served.
    let path = request.match_info().as_str().to_owned();
    let Some(api) = request.app_data::<web::Data<Api>>().cloned() else {
        return next.call(request).await.map(ServiceResponse::map_into_boxed_body);
    };
    let refused = role(request.method(), &path) == Role::Admin && !is_admin(&api, request.headers());
    let mut response = if let Err(error) = within_rate(&request, &path, &api).await {
        request.into_response(error.error_response())
    } else if refused {
        let reason = if bearer(request.headers()).is_some() { "wrong_token" } else { "no_token" };
        metrics::counter!(AUTH_FAILURES_TOTAL, "reason" => reason).increment(1);
        let error = ApiError::of(ErrorCode::Unauthorized, &[("path", &path)]);
        request.into_response(error.error_response())
    } else {
        next.call(request).await?.map_into_boxed_body()
    };
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        response = with_body(response, &api, &id, &path);
    }
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if path.starts_with(BENCH_WORKER) {
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(BENCH_WORKER_POLICY));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    Ok(response)
}

/// Whether the address may ask by now. Looked at before the token, so that tokens can't be guessed at any speed.
async fn within_rate(request: &ServiceRequest, path: &str, api: &Api) -> Result<(), ApiError> {
    if path != "/api" && !path.starts_with("/api/") {
        return Ok(());
    }
    let Some(client) = api.limits.client(request) else { return Ok(()) };
    api.limits.take_shared(&api.shared_cache, client, api.clock.now()).await.map_err(|wait| {
        metrics::counter!(HTTP_LIMITED_TOTAL).increment(1);
        let known = [("client", &*client.to_string()), ("retry_after_s", &wait.to_string())];
        ApiError::of(ErrorCode::RateLimited, &known).with(serde_json::json!({ "retry_after_s": wait }))
    })
}

fn with_body(response: ServiceResponse, api: &Api, id: &str, path: &str) -> ServiceResponse {
    let known = response.response().extensions().get::<ApiError>().cloned();
    let speaks_json = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let error = match known {
        Some(error) => error,
        // Such as the reasons of /health/ready.
        None if speaks_json => return response,
        None => ApiError::of_status(response.status(), path),
    };
    let context = serde_json::json!({ "component": "api", "path": path, "details": error.details() });
    trouble::note(id, error.fine, &error.to_string(), &context);
    if let Some(alert) = trouble::alert(id, error.fine, &error.to_string(), &context) {
        api.events.publish(api.clock.now(), alert);
    }
    let mut answer = HttpResponse::build(response.status()).json(error.body(id, &api.clock));
    for (name, value) in response.headers() {
        if !matches!(*name, header::CONTENT_TYPE | header::CONTENT_LENGTH) {
            answer.headers_mut().append(name.clone(), value.clone());
        }
    }
    response.into_response(answer)
}
