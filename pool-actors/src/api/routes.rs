//! Every route, and what it asks for: one table, from which they are served as well, so that none can be served that is not in
//! it. Each is described in `openapi/table.rs`; a test sees to it.

use actix_web::{
    guard,
    http::Method,
    web::{self, ServiceConfig},
};

use super::{
    adjustments, admin, alerts, algorithms, books, claims, configuration, errors, health, live, logs,
    mail_links, miningcore, openapi, own_settings, payouts, people, personal, pool, scrape, sign_in, trail,
};
use crate::{auth::Scope, ports::users::Role};

/// What a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// Nothing.
    Anybody,
    /// A token of any kind, even of a session that is good for nothing but setting up a second factor.
    Known,
    /// A session: what people do with their own sign-in is nothing for scripts.
    Session,
    /// At least this role, and of a script's token this scope.
    Role(Role, Scope),
}

/// A route.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route {
    /// Upper-case.
    pub(super) method: &'static str,
    /// As the router has it; `{name}` is one part of a path.
    pub(super) path: &'static str,
    pub(super) needs: Needs,
}

macro_rules! routes {
    ($($path:literal { $($method:ident ($needs:expr) => $handler:path),+ $(,)? })+) => {
        /// See the module's documentation.
        pub(super) const ROUTES: &[Route] =
            &[$($(Route { method: stringify!($method), path: $path, needs: $needs }),+),+];

        /// Serves them all.
        pub(super) fn serve(config: &mut ServiceConfig) {
            $(config.service(
                web::resource($path)$(.route(verb(Method::$method).to($handler)))+
            );)+
        }
    };
}

/// What can be read can be asked for without its body (RFC 9110, section 9.3.2).
fn verb(method: Method) -> actix_web::Route {
    match method {
        Method::GET => web::route().guard(guard::Any(guard::Get()).or(guard::Head())),
        method => web::method(method),
    }
}

const ANYBODY: Needs = Needs::Anybody;
const KNOWN: Needs = Needs::Known;
const SESSION: Needs = Needs::Session;
const SEE: Needs = Needs::Role(Role::Viewer, Scope::Read);
const SWAP: Needs = Needs::Role(Role::Operator, Scope::Algorithms);
const PAY: Needs = Needs::Role(Role::Operator, Scope::Payouts);
const OPERATE: Needs = Needs::Role(Role::Operator, Scope::Operate);
const CORRECT: Needs = Needs::Role(Role::Admin, Scope::Ledger);
const GOVERN: Needs = Needs::Role(Role::Admin, Scope::Admin);

routes! {
    "/health/live" { GET(ANYBODY) => health::live }
    "/health/ready" { GET(ANYBODY) => health::ready }
    "/metrics" { GET(ANYBODY) => scrape::figures }
    "/docs/errors" { GET(ANYBODY) => errors::docs }
    "/docs/errors/{code}" { GET(ANYBODY) => errors::docs }
    "/api/openapi.json" { GET(ANYBODY) => openapi::json }
    "/api/docs" { GET(ANYBODY) => openapi::docs }
    "/api/stats" { GET(ANYBODY) => pool::stats }
    "/api/miners" { GET(ANYBODY) => pool::miners }
    "/api/miners/{account}/hashrate" { GET(ANYBODY) => pool::hashrate }
    "/api/miners/{account}" { GET(ANYBODY) => pool::miner }
    "/api/miners/{account}/workers" { GET(ANYBODY) => own_settings::workers }
    "/api/miners/{account}/settings" { GET(ANYBODY) => own_settings::settings, PATCH(SESSION) => own_settings::change }
    "/api/miners/{account}/payouts" { GET(ANYBODY) => payouts::of_miner }
    "/api/miners/{account}/earnings" { GET(ANYBODY) => books::earnings }
    "/api/blocks" { GET(ANYBODY) => pool::blocks }
    "/api/blocks/dag" { GET(ANYBODY) => pool::dag }
    "/api/blocks/{hash}" { GET(ANYBODY) => pool::block }
    "/api/blocks/{hash}/statement" { GET(ANYBODY) => books::block_statement }
    "/api/blocks/{hash}/proof" { GET(ANYBODY) => books::block_proof }
    // Who shows a token there hears more.
    "/api/live" { GET(ANYBODY) => live::open }
    "/api/pools" { GET(ANYBODY) => miningcore::pools }
    "/api/pools/{pool}" { GET(ANYBODY) => miningcore::pool }
    "/api/pools/{pool}/performance" { GET(ANYBODY) => miningcore::performance }
    "/api/pools/{pool}/miners" { GET(ANYBODY) => miningcore::miners }
    "/api/v2/pools/{pool}/miners" { GET(ANYBODY) => miningcore::miners }
    "/api/pools/{pool}/blocks" { GET(ANYBODY) => miningcore::blocks }
    "/api/v2/pools/{pool}/blocks" { GET(ANYBODY) => miningcore::blocks }
    "/api/pools/{pool}/payments" { GET(ANYBODY) => miningcore::payments }
    "/api/v2/pools/{pool}/payments" { GET(ANYBODY) => miningcore::payments }
    "/api/pools/{pool}/miners/{address}/payments" { GET(ANYBODY) => miningcore::miner_payments }
    "/api/v2/pools/{pool}/miners/{address}/payments" { GET(ANYBODY) => miningcore::miner_payments }
    "/api/pools/{pool}/miners/{address}/balancechanges" { GET(ANYBODY) => miningcore::balance_changes }
    "/api/v2/pools/{pool}/miners/{address}/balancechanges" { GET(ANYBODY) => miningcore::balance_changes }
    "/api/pools/{pool}/miners/{address}/earnings/daily" { GET(ANYBODY) => miningcore::daily }
    "/api/v2/pools/{pool}/miners/{address}/earnings/daily" { GET(ANYBODY) => miningcore::daily }
    "/api/pools/{pool}/miners/{address}" { GET(ANYBODY) => miningcore::miner_details }
    "/api/pools/{pool}/miners/{address}/performance" { GET(ANYBODY) => miningcore::miner_performance }
    "/api/pools/{pool}/miners/{address}/settings" { GET(ANYBODY) => miningcore::miner_settings }
    // A WebSocket with a few kinds of events.
    "/notifications" { GET(ANYBODY) => live::notifications }
    "/api/algorithms/status" { GET(ANYBODY) => algorithms::status }

    "/api/auth/register" { POST(ANYBODY) => sign_in::register }
    "/api/auth/login" { POST(ANYBODY) => sign_in::log_in }
    // These bring what they need in their bodies: half a log-in, a refresh token.
    "/api/auth/mfa/verify" { POST(ANYBODY) => sign_in::verify }
    "/api/auth/refresh" { POST(ANYBODY) => sign_in::refresh }
    "/api/auth/me" { GET(KNOWN) => sign_in::me }
    "/api/auth/logout" { POST(KNOWN) => sign_in::log_out }
    "/api/auth/mfa/setup" { POST(KNOWN) => sign_in::mfa_setup }
    "/api/auth/mfa/enable" { POST(KNOWN) => sign_in::mfa_enable }
    "/api/auth/mfa/disable" { POST(SESSION) => sign_in::mfa_disable }
    "/api/auth/mfa/backup-codes" { POST(SESSION) => sign_in::backup_codes }
    "/api/auth/password" { POST(SESSION) => sign_in::password }
    "/api/auth/password/forgot" { POST(ANYBODY) => mail_links::forgot }
    // The links of mails bring what they need.
    "/api/auth/password/reset" { POST(ANYBODY) => mail_links::reset }
    "/api/auth/email/verify" { POST(ANYBODY) => mail_links::verify }
    "/api/auth/email/resend" { POST(ANYBODY) => mail_links::resend }
    "/api/auth/email" { POST(SESSION) => mail_links::change }
    "/api/auth/accounts" { GET(SESSION) => claims::list }
    "/api/auth/accounts/claims" { POST(SESSION) => claims::begin }
    "/api/auth/accounts/claims/verify" { POST(SESSION) => claims::verify }
    "/api/auth/accounts/{account}/alerts" { GET(SESSION) => personal::get, POST(SESSION) => personal::set }
    "/api/auth/accounts/{account}/alerts/confirm" { POST(SESSION) => personal::confirm }
    "/api/auth/accounts/{account}/alerts/test" { POST(SESSION) => personal::test }
    "/api/auth/accounts/{account}/alerts/key" { POST(SESSION) => personal::key }
    "/api/auth/accounts/{account}" { DELETE(SESSION) => claims::release }
    "/api/auth/sessions" { GET(SESSION) => sign_in::sessions }
    "/api/auth/sessions/{id}" { DELETE(SESSION) => sign_in::end_session }
    "/api/auth/tokens" { GET(SESSION) => sign_in::tokens, POST(SESSION) => sign_in::add_token }
    "/api/auth/tokens/{id}" { DELETE(SESSION) => sign_in::revoke_token }

    "/api/payouts" { GET(SEE) => payouts::list }
    "/api/payouts/{id}" { GET(SEE) => payouts::one }
    "/api/admin/payouts" { GET(SEE) => payouts::status }
    "/api/admin/payouts/audit" { GET(SEE) => payouts::audit }
    "/api/admin/payouts/dry-run" { GET(SEE) => payouts::dry_run }
    "/api/admin/payouts/run" { POST(PAY) => payouts::run }
    "/api/admin/payouts/hold" { POST(PAY) => payouts::hold }
    "/api/admin/payouts/release" { POST(PAY) => payouts::release }
    "/api/admin/payouts/threshold" { POST(PAY) => payouts::threshold }

    "/api/algorithms" { GET(SEE) => algorithms::list }
    "/api/algorithms/plan" { GET(SEE) => algorithms::plan, POST(SEE) => algorithms::plan_of }
    "/api/algorithms/stage" { POST(SWAP) => algorithms::stage }
    "/api/algorithms/deploy" { POST(SWAP) => algorithms::deploy }
    "/api/deployments" { GET(SEE) => algorithms::deployments }
    "/api/deployments/{id}" { GET(SEE) => algorithms::one }
    "/api/deployments/{id}/{action}" { POST(SWAP) => algorithms::steer }

    "/api/alerts" { GET(SEE) => alerts::list }
    "/api/alerts/rules" { GET(SEE) => alerts::rules }
    "/api/alerts/channels" { GET(SEE) => alerts::channels }
    "/api/alerts/channels/{name}/test" { POST(OPERATE) => alerts::test }
    "/api/alerts/silences" { POST(OPERATE) => alerts::hush }
    "/api/alerts/silences/{id}" { DELETE(OPERATE) => alerts::unhush }
    "/api/alerts/{id}/acknowledge" { POST(OPERATE) => alerts::acknowledge }

    "/api/admin/system" { GET(SEE) => admin::system }
    "/api/admin/connections" { GET(SEE) => admin::connections }
    "/api/admin/connections/{session}" { DELETE(OPERATE) => admin::kick }
    "/api/admin/bans" { GET(SEE) => admin::bans, POST(OPERATE) => admin::ban }
    "/api/admin/bans/{address}" { DELETE(OPERATE) => admin::lift_ban }
    "/api/admin/config" { GET(OPERATE) => configuration::show }
    "/api/admin/config/reload" { POST(OPERATE) => configuration::reload }
    "/api/admin/logs" { GET(OPERATE) => logs::list }
    "/api/admin/announce" { POST(OPERATE) => admin::announce }
    "/api/admin/ledger/adjustments" { GET(SEE) => adjustments::list, POST(CORRECT) => adjustments::make }

    "/api/users" { GET(GOVERN) => people::named }
    "/api/admin/users" { GET(GOVERN) => people::list, POST(GOVERN) => people::add }
    "/api/admin/users/{name}" { GET(GOVERN) => people::one, PATCH(GOVERN) => people::change }
    "/api/admin/sessions" { GET(GOVERN) => people::sessions }
    "/api/admin/sessions/{id}" { DELETE(GOVERN) => people::end_session }
    "/api/admin/audit" { GET(GOVERN) => trail::list }
}

impl Route {
    /// Whether its answers have a tag by which an unchanged one is known: what everybody may read, and changes less than
    /// every second.
    pub(super) fn is_tagged(&self) -> bool {
        let moves = ["/api/stats", "/api/live"].contains(&self.path);
        self.method == "GET" && self.needs == Needs::Anybody && self.path.starts_with("/api/") && !moves
    }
}

/// Prefixes whose paths are in [`ROUTES`] or need a token; everything else is the dashboard.
const GUARDED: &[&str] = &["/api", "/health", "/metrics", "/docs"];

/// Prefixes that are public to read, with all below them.
const OPEN: &[&str] =
    &["/docs", "/health", "/api/miners", "/api/blocks", "/api/pools", "/api/openapi.json", "/api/docs"];

fn below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether the router would take `path` for `pattern`: part by part, `{name}` for any that is not empty.
fn fits(pattern: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(wanted), Some(given)) if wanted.starts_with('{') && !given.is_empty() => {}
            (Some(wanted), Some(given)) if wanted == given => {}
            _ => return false,
        }
    }
}

/// The route that a request is for, if it is one of the table's. The router takes the first that fits; so does this.
pub(super) fn route(method: &Method, path: &str) -> Option<&'static Route> {
    let method = if *method == Method::HEAD { "GET" } else { method.as_str() };
    let path_of = ROUTES.iter().find(|route| fits(route.path, path))?.path;
    ROUTES.iter().find(|route| route.path == path_of && route.method == method)
}

/// What a request needs. What is below a guarded prefix and in no table needs a token, whether it exists or not, whatever
/// the method: strangers learn nothing of what there is.
pub(super) fn needs(method: &Method, path: &str) -> Needs {
    if let Some(route) = route(method, path) {
        return route.needs;
    }
    let reads = matches!(*method, Method::GET | Method::HEAD);
    // Public parts of which not every page exists: 404 for everybody.
    let is_public = OPEN.iter().any(|prefix| below(path, prefix));
    if reads && (is_public || !GUARDED.iter().any(|prefix| below(path, prefix))) {
        Needs::Anybody
    } else {
        Needs::Known
    }
}
