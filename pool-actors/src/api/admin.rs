//! `/api/admin/...`: what operators see of the pool, and bans.

use std::{net::IpAddr, time::Duration};

use actix_web::{HttpResponse, web};
use pool_domain::{ban_list::Ban, ids::SessionId, units::TimeMs};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Api,
    access::changed,
    errors::{ApiError, ErrorCode},
    pages::{PageQuery, paged},
    views,
    wire::{Object, rfc3339, time_or_null},
};
use crate::messages::{
    event::MinerSeen,
    session::{SessionCommand, SessionView},
    system::SystemFigures,
};

/// An actor that does not answer within this time is shown without its state.
const PATIENCE: Duration = Duration::from_secs(1);
/// Longest text that is shown on miners.
const MESSAGE_CHARS_MAX: usize = 200;
/// Longest ban: a year.
const BAN_S_MAX: u64 = 31_536_000;

/// The observable state of every supervised actor.
pub(super) async fn system(api: web::Data<Api>) -> HttpResponse {
    let names = api.registry.list();
    let asked = names.iter().map(|status| api.registry.observe(&status.name, PATIENCE));
    let actors: Vec<_> = futures_util::future::join_all(asked).await.into_iter().flatten().collect();
    let figures = figures_view(&api.system.load());
    HttpResponse::Ok().json(json!({ "actors": actors, "figures": figures, "at": rfc3339(api.clock.now()) }))
}

/// Process and disk; null before they were looked at.
fn figures_view(figures: &SystemFigures) -> Value {
    if figures.at.0 == 0 {
        return Value::Null;
    }
    let SystemFigures { at, process, space, journal_bytes, database_bytes } = figures;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a date")]
    let started_at = TimeMs((process.started_at_s * 1_000.0) as u64);
    json!({
        "at": rfc3339(*at),
        "version": env!("CARGO_PKG_VERSION"),
        "started_at": rfc3339(started_at),
        "cpu_us": process.cpu_us,
        "threads": process.threads,
        "memory": { "resident_bytes": process.resident_bytes, "limit_bytes": process.memory_limit_bytes, "used": figures.memory_used() },
        "files": { "open": process.open_fds, "max": process.max_fds, "used": figures.fds_used() },
        "disk": {
            "total_bytes": space.total_bytes,
            "free_bytes": space.available_bytes,
            "free": figures.disk_free(),
            "journal_bytes": journal_bytes,
            "database_bytes": database_bytes,
        },
    })
}

/// Body of an announcement.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Announcement {
    #[schemars(length(min = 1, max = 200))]
    message: String,
}

/// Shows a text on all miners whose dialect knows `client.show_message`.
pub(super) async fn announce(
    api: web::Data<Api>,
    body: web::Json<Object<Announcement>>,
) -> Result<HttpResponse, ApiError> {
    let Object(Announcement { message }) = body.into_inner();
    let chars = message.chars().count();
    if chars == 0 || chars > MESSAGE_CHARS_MAX || message.chars().any(char::is_control) {
        let wanted = format!("message must be 1 to {MESSAGE_CHARS_MAX} printable characters, it has {chars}");
        return Err(ApiError::bad_request(wanted).with(json!({ "parameter": "message" })));
    }
    let after = json!({ "message": message });
    let told = api.sessions.command_all(SessionCommand::ShowMessage(message)).await;
    Ok(changed(HttpResponse::Ok().json(json!({ "sessions": told })), Value::Null, after))
}

/// `?search=&cursor=&limit=`; without `limit` as many as fit a page.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    search: Option<String>,
    cursor: Option<String>,
    #[schemars(range(min = 1, max = 500))]
    limit: Option<usize>,
}

/// Every miner's session, or those whose account, worker, address or program holds a text; `total` says how many those are.
pub(super) async fn connections(
    api: web::Data<Api>,
    wanted: web::Query<Wanted>,
) -> Result<HttpResponse, ApiError> {
    let Wanted { search, cursor, limit } = wanted.into_inner();
    let search = search.unwrap_or_default().to_lowercase();
    let holds = |text: &str| text.to_lowercase().contains(&search);
    let mut sessions = api.sessions.list().await;
    sessions.retain(|session| {
        let MinerSeen { account, worker, peer, agent, .. } = &session.miner;
        let texts = [account, worker, agent].into_iter().filter_map(|text| text.as_deref());
        search.is_empty() || holds(peer) || texts.into_iter().any(holds)
    });
    let total = sessions.len();
    let query = web::Query(PageQuery { cursor, limit });
    let cursor = (|text: &str| text.parse().ok(), |number: &u64| number.to_string());
    let mut body = paged(sessions, &query, |session| session.miner.session.0, cursor, line)?;
    body["total"] = json!(total);
    Ok(HttpResponse::Ok().json(body))
}

/// Closes a session; its miner may come back at once.
pub(super) async fn kick(api: web::Data<Api>, session: web::Path<u64>) -> Result<HttpResponse, ApiError> {
    let session = SessionId(session.into_inner());
    let before = api.sessions.list().await.into_iter().find(|known| known.miner.session == session);
    if let Some(before) = before
        && api.sessions.close(session).await
    {
        return Ok(changed(
            HttpResponse::NoContent().finish(),
            views::peer(&before.miner, true),
            Value::Null,
        ));
    }
    Err(ApiError::new(ErrorCode::NotFound, format!("there is no session {session}")))
}

/// Who may not connect, here or at a pool that shares its bans.
pub(super) async fn bans(
    api: web::Data<Api>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse, ApiError> {
    let now = api.clock.now();
    let bans: Vec<(IpAddr, Ban)> = api.bans.list().into_iter().filter(|(_, ban)| ban.holds(now)).collect();
    let cursor = (|text: &str| text.parse().ok(), IpAddr::to_string);
    let line = |(address, ban): &(IpAddr, Ban)| {
        json!({
            "address": address,
            "reason": ban.reason,
            "words": api.bans.words(*address, ban),
            "at": rfc3339(ban.decided_at),
            "until": rfc3339(ban.until),
        })
    };
    Ok(HttpResponse::Ok().json(paged(bans, &query, |(address, _)| *address, cursor, line)?))
}

/// Body of a ban.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewBan {
    address: String,
    #[schemars(range(min = 1, max = 31_536_000))]
    for_s: u64,
    reason: String,
}

/// Bans an address at all pools that share their bans, and closes its sessions here.
pub(super) async fn ban(
    api: web::Data<Api>,
    body: web::Json<Object<NewBan>>,
) -> Result<HttpResponse, ApiError> {
    let Object(NewBan { address, for_s, reason }) = body.into_inner();
    let unfit =
        |parameter: &str, what: String| ApiError::bad_request(what).with(json!({ "parameter": parameter }));
    let parsed: IpAddr =
        address.trim().parse().map_err(|_| unfit("address", format!("{address} is no address")))?;
    if !(1..=BAN_S_MAX).contains(&for_s) {
        return Err(unfit("for_s", format!("for_s must be 1 to {BAN_S_MAX}, it is {for_s}")));
    }
    let chars = reason.chars().count();
    if reason.trim().is_empty() || chars > MESSAGE_CHARS_MAX || reason.chars().any(char::is_control) {
        let wanted = format!("reason must be 1 to {MESSAGE_CHARS_MAX} printable characters, it has {chars}");
        return Err(unfit("reason", wanted));
    }
    let (known, now) = (api.bans.list(), api.clock.now());
    let (address, ban) = api.bans.forbid(parsed, for_s.saturating_mul(1_000), reason.trim());
    let closed = api.sessions.close_from(address).await;
    let after = json!({
        "address": address, "reason": ban.reason, "words": reason.trim(), "at": rfc3339(ban.decided_at),
        "until": rfc3339(ban.until), "sessions": closed,
    });
    let before = known.iter().find(|(banned, ban)| **banned == address && ban.holds(now));
    let before = before.map_or(Value::Null, |(address, ban)| decided(&api, *address, ban));
    Ok(changed(HttpResponse::Created().json(&after), before, after))
}

/// A ban, for the trail.
fn decided(api: &Api, address: IpAddr, ban: &Ban) -> Value {
    json!({
        "address": address, "reason": ban.reason, "words": api.bans.words(address, ban),
        "at": rfc3339(ban.decided_at), "until": rfc3339(ban.until),
    })
}

/// Lifts a ban, at all pools that share them.
pub(super) async fn lift_ban(
    api: web::Data<Api>,
    address: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let parsed: IpAddr = address.parse().map_err(|_| {
        ApiError::bad_request(format!("{address} is no address")).with(json!({ "parameter": "address" }))
    })?;
    let (known, now) = (api.bans.list(), api.clock.now());
    // Said before it is lifted: the words go with it.
    let known: Vec<(IpAddr, Value)> = known
        .iter()
        .filter(|(_, ban)| ban.holds(now))
        .map(|(address, ban)| (*address, decided(&api, *address, ban)))
        .collect();
    if api.bans.lift(parsed) {
        // Of IPv6, a network is banned, and any address in it lifts the ban.
        let after = api.bans.list();
        let lifted = known
            .into_iter()
            .find(|(address, _)| after.iter().all(|(left, ban)| left != address || !ban.holds(now)));
        let before = lifted.map_or(Value::Null, |(_, ban)| ban);
        return Ok(changed(HttpResponse::NoContent().finish(), before, Value::Null));
    }
    Err(ApiError::new(ErrorCode::NotFound, format!("{parsed} is not banned")))
}

fn line(session: &SessionView) -> Value {
    let mut line = views::peer(&session.miner, true);
    line["listener"] = json!(session.listener);
    line["variant"] = json!(session.variant);
    line["difficulty"] = json!(session.difficulty);
    line["connected_at"] = time_or_null(session.connected_at);
    line["last_share_at"] = time_or_null(session.last_share_at);
    line
}
