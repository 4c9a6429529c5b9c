//! `/api/admin/...`: for whoever has the admin token.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use pool_domain::ids::SessionId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Api,
    errors::{ApiError, ErrorCode},
    views,
    wire::{rfc3339, time_or_null},
};
use crate::{
    messages::session::{CommandSessions, ListSessions, SessionCommand, SessionView},
    runtime::outbox::Unanswered,
};

/// An actor that does not answer within this time is shown without its state.
const PATIENCE: Duration = Duration::from_secs(1);
/// Longest text that is shown on miners.
const MESSAGE_CHARS_MAX: usize = 200;

impl From<Unanswered> for ApiError {
    fn from(error: Unanswered) -> Self {
        Self::new(ErrorCode::ActorUnavailable, error.to_string())
    }
}

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
    body: web::Json<Announcement>,
) -> Result<HttpResponse, ApiError> {
    let message = body.into_inner().message;
    let chars = message.chars().count();
    if chars == 0 || chars > MESSAGE_CHARS_MAX || message.chars().any(char::is_control) {
        let wanted = format!("message must be 1 to {MESSAGE_CHARS_MAX} printable characters, it has {chars}");
        return Err(ApiError::bad_request(wanted).with(json!({ "parameter": "message" })));
    }
    let told = command(&api, None, SessionCommand::ShowMessage(message)).await?;
    Ok(HttpResponse::Ok().json(json!({ "sessions": told })))
}

/// Every miner's session.
pub(super) async fn connections(api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    let mut sessions = Vec::new();
    for hub in &api.sessions {
        sessions.extend(hub.ask(ListSessions).await?);
    }
    sessions.sort_by_key(|session| session.miner.session);
    let items: Vec<Value> = sessions.iter().map(line).collect();
    Ok(HttpResponse::Ok().json(json!({ "items": items, "next": null })))
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

/// Closes one miner's connection; it will come back if it wants.
pub(super) async fn disconnect(api: web::Data<Api>, path: web::Path<u64>) -> Result<HttpResponse, ApiError> {
    let session = SessionId(path.into_inner());
    if command(&api, Some(session), SessionCommand::Close).await? == 0 {
        return Err(ApiError::new(ErrorCode::NotFound, format!("there is no session {session}")));
    }
    Ok(HttpResponse::Ok().json(json!({ "sessions": 1 })))
}

async fn command(api: &Api, session: Option<SessionId>, command: SessionCommand) -> Result<usize, ApiError> {
    let mut told = 0;
    for hub in &api.commands {
        told += hub.ask(CommandSessions { session, command: command.clone() }).await?;
    }
    Ok(told)
}
