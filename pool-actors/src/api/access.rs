//! Who may do what, and what every answer carries. The one place where a request is let in or refused.

use std::{fmt, net::IpAddr};

use actix_web::{
    Error, HttpMessage as _, HttpResponse, ResponseError as _,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    Api, bodies,
    errors::{ApiError, ErrorCode},
    routes::{self, Needs, Route},
};
use crate::{
    auth::{By, Origin, Principal, Scope, same},
    messages::trouble,
    metrics::{AUTH_FAILURES_TOTAL, HTTP_LIMITED_TOTAL, HTTP_REQUEST_SECONDS},
    ports::users::{Outcome, Role},
};

/// A token of the configuration. Only its digest is kept.
pub(super) struct FixedToken([u8; 32]);

impl FixedToken {
    /// From the token's text.
    pub(super) fn new(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// Whether `token` is the same; digests of a guess say nothing about the token.
    pub(super) fn matches(&self, token: &str) -> bool {
        same(&self.0, &Sha256::digest(token.as_bytes()))
    }
}

impl fmt::Debug for FixedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FixedToken(***)")
    }
}

/// The token of a request. Never a cookie: nothing that a browser adds by itself lets anybody in, so another site's page
/// can't act for whoever looks at it.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whom a token stands for.
pub(super) async fn whose(api: &Api, token: &str) -> Result<Option<Principal>, ApiError> {
    if api.admin_token.matches(token) {
        return Ok(Some(Principal { actor: "admin token".into(), role: Role::Admin, by: By::AdminToken }));
    }
    Ok(api.auth.whose(token).await?)
}

/// Whether somebody sees what operators see.
pub(super) fn sees(who: &Principal) -> bool {
    let Needs::Role(role, scope) = SEES else { return false };
    may(who, role, scope)
}

const SEES: Needs = Needs::Role(Role::Viewer, Scope::Read);

fn may(who: &Principal, role: Role, scope: Scope) -> bool {
    let by = match &who.by {
        By::AdminToken => true,
        By::Session { setup, .. } => !setup,
        By::Token { scopes, .. } => scopes.contains(&scope),
    };
    by && who.role >= role
}

/// Lets somebody in who has shown a good token, or says what they lack.
fn check(who: &Principal, needs: Needs, reads: bool, path: &str) -> Result<(), ApiError> {
    let lacks = |what: String| Err(ApiError::of(ErrorCode::Forbidden, &[("path", path), ("what", &what)]));
    if let By::Session { setup: true, .. } = who.by
        && !matches!(needs, Needs::Known | Needs::Anybody)
    {
        return Err(ApiError::of(ErrorCode::MfaRequired, &[("role", who.role.as_str())]));
    }
    if let By::Session { unchecked: true, .. } = who.by
        && !reads
    {
        // It may have been taken back: what it says is enough to look, not to act.
        return Err(ApiError::new(ErrorCode::CacheUnavailable, "sessions can't be looked at"));
    }
    match needs {
        Needs::Anybody | Needs::Known => Ok(()),
        Needs::Session if matches!(who.by, By::Session { .. }) => Ok(()),
        Needs::Session => lacks("somebody who signed in with a password".into()),
        Needs::Role(role, scope) if may(who, role, scope) => Ok(()),
        Needs::Role(role, _) if who.role < role => lacks(format!("the role {role}")),
        Needs::Role(_, scope) => lacks(format!("a token of scope {}", scope.as_str())),
    }
}

/// What an act changed, for the trail.
#[derive(Clone)]
struct Changed {
    before: Option<Value>,
    after: Option<Value>,
}

/// Says with an answer what was before and is after, so that the trail has it.
pub(super) fn changed(mut response: HttpResponse, before: Value, after: Value) -> HttpResponse {
    let told = |value: Value| (!value.is_null()).then_some(value);
    response.extensions_mut().insert(Changed { before: told(before), after: told(after) });
    response
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

/// Where a request comes from, and what it was made by.
pub(super) fn origin(api: &Api, request: &actix_web::HttpRequest) -> Origin {
    let agent = request.headers().get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    Origin {
        address: api.limits.address(request.headers(), request.peer_addr()),
        agent: agent.map(|agent| agent.chars().filter(|c| !c.is_control()).take(200).collect()),
    }
}

/// The page that a browser says a request comes from, if it is another site's.
pub(super) enum Site {
    /// The pool's own, or no browser.
    Own,
    /// Another one, which `http.cors_origins` lists.
    Listed(HeaderValue),
    /// Another one.
    Foreign,
}

/// See [`Site`].
pub(super) fn site(api: &Api, headers: &HeaderMap) -> Site {
    let Some(origin) = headers.get(header::ORIGIN) else { return Site::Own };
    let Ok(text) = origin.to_str() else { return Site::Foreign };
    if api.http.cors_origins.iter().any(|listed| listed.eq_ignore_ascii_case(text)) {
        return Site::Listed(origin.clone());
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let own = text.split_once("://").map(|(_, host)| host);
    if own.zip(host).is_some_and(|(own, host)| own.eq_ignore_ascii_case(host)) {
        Site::Own
    } else {
        Site::Foreign
    }
}

const CORS_METHODS: &str = "GET, POST, PATCH, DELETE";
const CORS_HEADERS: &str = "authorization, content-type, if-none-match";

/// The one middleware: checks the role, gives the request an id, writes the bodies of errors and the trail, adds security
/// headers.
pub(super) async fn guard(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let id = trouble::fresh_id();
    let begun = tokio::time::Instant::now();
    // The path as the router reads it, percent-decoded: what is judged must be what is served.
    let path = request.match_info().as_str().to_owned();
    let Some(api) = request.app_data::<web::Data<Api>>().cloned() else {
        return next.call(request).await.map(ServiceResponse::map_into_boxed_body);
    };
    let method = request.method().clone();
    let route = routes::route(&method, &path);
    let site = site(&api, request.headers());
    let asks_first = method == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        && matches!(site, Site::Listed(_));
    let address = api.limits.address(request.headers(), request.peer_addr());
    let known: Vec<HeaderValue> = request.headers().get_all(header::IF_NONE_MATCH).cloned().collect();
    let mut who = None;
    let body = bodies::bound(&mut request);
    let late = body.as_ref().ok().cloned().unwrap_or_default();
    let mut response = if let Err(error) = body.and(within_rate(&request, &path, &api).await) {
        request.into_response(error.error_response())
    } else if asks_first {
        request.into_response(HttpResponse::NoContent().finish())
    } else {
        match enter(&request, &path, &api, &mut who).await {
            Err(error) => request.into_response(error.error_response()),
            Ok(()) => {
                if let Some(who) = &who {
                    request.extensions_mut().insert(who.clone());
                }
                next.call(request).await?.map_into_boxed_body()
            }
        }
    };
    if let Some(error) = late.refusal() {
        response = response.into_response(error.error_response()).map_into_boxed_body();
    }
    let status = response.status();
    observe(route, status, begun.elapsed());
    if status == StatusCode::OK && route.is_some_and(Route::is_tagged) {
        response = tagged(response, &known);
    }
    if let (Some(who), Some(route)) = (&who, route) {
        let changed = response.response().extensions().get::<Changed>().cloned();
        note(&api, who, route, address, &path, status, changed).await;
    }
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
    if let Site::Listed(origin) = site {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(
            HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("cross-origin"),
        );
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("etag, retry-after, x-request-id"),
        );
        if asks_first {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(CORS_METHODS));
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(CORS_HEADERS));
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        }
    }
    if !api.http.cors_origins.is_empty() {
        headers.append(header::VARY, HeaderValue::from_static("origin"));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    Ok(response)
}

/// Gives an answer a tag made of its content; who has it already is answered 304 (RFC 9110, section 13.1.2). The tag is a weak
/// one, since the answer may yet be compressed.
fn tagged(response: ServiceResponse<BoxBody>, known: &[HeaderValue]) -> ServiceResponse<BoxBody> {
    let (request, response) = response.into_parts();
    let (response, body) = response.into_parts();
    let body = match body.try_into_bytes() {
        Ok(body) => body,
        // What is made while it is sent, such as an export.
        Err(body) => return ServiceResponse::new(request, response.set_body(body)),
    };
    let tag = format!("\"{}\"", &blake3::hash(&body).to_hex()[..32]);
    let tags = known.iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    let is_known = tags.map(str::trim).any(|given| given == "*" || given.trim_start_matches("W/") == tag);
    let mut response =
        if is_known { HttpResponse::NotModified().finish() } else { response.set_body(BoxBody::new(body)) };
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&format!("W/{tag}")) {
        headers.insert(header::ETAG, tag);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    ServiceResponse::new(request, response)
}

fn observe(route: Option<&'static routes::Route>, status: StatusCode, took: std::time::Duration) {
    let class = match status.as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    };
    let route = route.map_or("other", |route| route.path);
    metrics::histogram!(HTTP_REQUEST_SECONDS, "route" => route, "status" => class).record(took);
}

/// Whether a request may go on; `who` is told as soon as it is known.
async fn enter(
    request: &ServiceRequest,
    path: &str,
    api: &Api,
    who: &mut Option<Principal>,
) -> Result<(), ApiError> {
    let needs = routes::needs(request.method(), path);
    if needs == Needs::Anybody {
        return Ok(());
    }
    let unknown = |reason: &'static str| {
        metrics::counter!(AUTH_FAILURES_TOTAL, "reason" => reason).increment(1);
        ApiError::of(ErrorCode::Unauthorized, &[("path", path)])
    };
    let token = bearer(request.headers()).ok_or_else(|| unknown("no_token"))?;
    let found = whose(api, token).await?.ok_or_else(|| unknown("wrong_token"))?;
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let checked = check(&found, needs, reads, path);
    if checked.is_err() {
        metrics::counter!(AUTH_FAILURES_TOTAL, "reason" => "forbidden").increment(1);
    }
    *who = Some(found);
    checked
}

/// Writes down what somebody did, or was not allowed to do. Looking at things is not written down, and what signing in is about
/// writes its own lines.
async fn note(
    api: &Api,
    who: &Principal,
    route: &Route,
    address: Option<IpAddr>,
    path: &str,
    status: StatusCode,
    changed: Option<Changed>,
) {
    let refused = status == StatusCode::FORBIDDEN;
    let acts = route.method != "GET"
        && matches!(route.needs, Needs::Role(..))
        && route.path != "/api/algorithms/plan";
    if !acts && !refused {
        return;
    }
    if refused {
        // Once a minute for each: whoever asks again and again must not fill the trail.
        let what = format!("forbidden:{}:{}", who.actor, route.path);
        let window = std::time::Duration::from_secs(60);
        if api.shared_cache.count(&what, window).await.is_ok_and(|counted| counted.count > 1) {
            return;
        }
    }
    let outcome = match status {
        status if status.is_success() => Outcome::Done,
        status if status.is_server_error() => Outcome::Failed,
        _ => Outcome::Refused,
    };
    let action = format!("{} {}", route.method, route.path);
    let Changed { before, after } = changed.unwrap_or(Changed { before: None, after: None });
    let after = after.or_else(|| (outcome != Outcome::Done).then(|| json!({ "status": status.as_u16() })));
    api.auth.trail().note(&who.actor, address, &action, path, outcome, before, after).await;
}

/// Whether the address may ask by now. Looked at before the token, so that tokens can't be guessed at any speed.
async fn within_rate(request: &ServiceRequest, path: &str, api: &Api) -> Result<(), ApiError> {
    if !matches!(path, "/api" | "/notifications") && !path.starts_with("/api/") {
        return Ok(());
    }
    let Some(client) = api.limits.client(request) else { return Ok(()) };
    take(api, client).await
}

/// Takes one of an address's requests.
pub(super) async fn take(api: &Api, client: IpAddr) -> Result<(), ApiError> {
    api.limits.take_shared(&api.shared_cache, client, api.clock.steady()).await.map_err(|wait| {
        metrics::counter!(HTTP_LIMITED_TOTAL).increment(1);
        let known = [("client", &*client.to_string()), ("retry_after_s", &wait.to_string())];
        ApiError::of(ErrorCode::RateLimited, &known).with(serde_json::json!({ "retry_after_s": wait }))
    })
}

/// Marks a refusal whose body is for people, and stays as it is.
pub(super) struct SaysItself;

fn with_body(response: ServiceResponse, api: &Api, id: &str, path: &str) -> ServiceResponse {
    let known = response.response().extensions().get::<ApiError>().cloned();
    let speaks_json = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let error = match known {
        Some(error) => error,
        // Such as the reasons of /health/ready, and the dashboard's page that says that there is no such page.
        None if speaks_json || response.response().extensions().contains::<SaysItself>() => return response,
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
