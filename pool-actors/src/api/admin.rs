//! `/api/admin/...`: what operators see of the pool, and bans.

use std::{net::IpAddr, time::Duration};

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Api,
    access::changed,
    errors::{ApiError, ErrorCode},
    views,
    wire::{Object, rfc3339, time_or_null},
};
use crate::messages::session::{SessionCommand, SessionView};

/// An actor that does not answer within this time is shown without its state.
const PATIENCE: Duration = Duration::from_secs(1);
/// Longest text that is shown on miners.
const MESSAGE_CHARS_MAX: usize = 200;

/// The observable state of every supervised actor.
pub(super) async fn system(api: web::Data<Api>) -> HttpResponse {
    let names = api.registry.list();
    let asked = names.iter().map(|status| api.registry.observe(&status.name, PATIENCE));
    let actors: Vec<_> = futures_util::future::join_all(asked).await.into_iter().flatten().collect();
    HttpResponse::Ok().json(json!({ "actors": actors, "at": rfc3339(api.clock.now()) }))
}

/// Body of an announcement.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Announcement {
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

/// Every miner's session.
pub(super) async fn connections(api: web::Data<Api>) -> HttpResponse {
    let mut sessions = api.sessions.list().await;
    sessions.sort_by_key(|session| session.miner.session);
    let items: Vec<Value> = sessions.iter().map(line).collect();
    HttpResponse::Ok().json(json!({ "items": items, "next": null }))
}

/// Who may not connect, here or at a pool that shares its bans.
pub(super) async fn bans(api: web::Data<Api>) -> HttpResponse {
    let now = api.clock.now();
    let bans = api.bans.list();
    let items: Vec<Value> = bans
        .iter()
        .filter(|(_, ban)| ban.holds(now))
        .map(|(address, ban)| {
            json!({
                "address": address,
                "reason": ban.reason,
                "at": rfc3339(ban.decided_at),
                "until": rfc3339(ban.until),
            })
        })
        .collect();
    HttpResponse::Ok().json(json!({ "items": items, "next": null }))
}

/// Lifts a ban, at all pools that share them.
pub(super) async fn lift_ban(
    api: web::Data<Api>,
    address: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let parsed: IpAddr = address.parse().map_err(|_| {
        ApiError::bad_request(format!("{address} is no address")).with(json!({ "parameter": "address" }))
    })?;
    let before = api.bans.list().iter().find(|(banned, _)| **banned == parsed).map(|(_, ban)| {
        json!({ "reason": ban.reason, "at": rfc3339(ban.decided_at), "until": rfc3339(ban.until) })
    });
    if api.bans.lift(parsed) {
        let answer = HttpResponse::NoContent().finish();
        return Ok(changed(answer, before.unwrap_or_default(), Value::Null));
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
