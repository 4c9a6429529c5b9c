//! `/api/alerts...`: what is wrong, who takes care of it, what is kept quiet, and whether the channels work. For operators.

use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Api,
    access::changed,
    errors::{ApiError, ErrorCode},
    pool::{page, page_size},
    sign_in::Who,
    wire::{Object, optional, rfc3339},
};
use crate::{
    messages::alert::{Acknowledge, AskChannel, ChannelView, Hush, ListAlerts, Silence, TryChannel, Unhush},
    ports::notifier::AlertView,
    runtime::outbox::Unanswered,
};

/// Longest note or reason.
const TEXT_CHARS_MAX: usize = 200;
/// Longest silence: what should be quiet for longer is a rule to switch off.
const SILENCE_S_MAX: u64 = 30 * 86_400;

/// `?cursor=&limit=`, of what is over.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryQuery {
    cursor: Option<u64>,
    #[schemars(range(min = 1, max = 500))]
    limit: Option<usize>,
}

/// Body of an acknowledgement.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "AcknowledgeRequest")]
pub(super) struct Note {
    #[schemars(length(max = 200))]
    note: String,
}

/// Body of a silence.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SilenceRequest")]
pub(super) struct Quiet {
    #[serde(default)]
    rule: String,
    #[serde(default)]
    subject: String,
    #[schemars(range(min = 1, max = 2_592_000))]
    for_s: u64,
    #[schemars(length(min = 1, max = 200))]
    reason: String,
}

/// An alert on the wire.
pub(super) fn line(alert: &AlertView) -> Value {
    alert.shown("")
}

fn quiet(silence: &Silence) -> Value {
    json!({
        "id": silence.id.to_string(), "rule": silence.rule, "subject": silence.subject, "by": silence.by,
        "reason": silence.reason, "at": rfc3339(silence.at), "until": rfc3339(silence.until),
    })
}

fn channel(view: &ChannelView) -> Value {
    json!({
        "name": view.name, "kind": view.kind, "delivered": view.delivered, "given_up": view.given_up,
        "waiting": view.waiting, "delivered_at": view.delivered_at.map(rfc3339), "trouble": view.trouble,
    })
}

fn restarting(_: Unanswered) -> ApiError {
    ApiError::new(ErrorCode::Internal, "what keeps the alerts is being restarted; ask again in a moment")
}

fn text(parameter: &str, text: &str, chars_min: usize) -> Result<(), ApiError> {
    let chars = text.chars().count();
    if (chars_min..=TEXT_CHARS_MAX).contains(&chars) && !text.chars().any(char::is_control) {
        return Ok(());
    }
    let wanted =
        format!("{parameter} must be {chars_min} to {TEXT_CHARS_MAX} printable characters, it has {chars}");
    Err(ApiError::bad_request(wanted).with(json!({ "parameter": parameter })))
}

/// `GET /api/alerts`: what fires, and a page of what is over, newest first.
pub(super) async fn list(
    api: web::Data<Api>,
    query: web::Query<HistoryQuery>,
) -> Result<HttpResponse, ApiError> {
    let limit = page_size(query.limit)?;
    let alerts = api.alerts.list.ask(ListAlerts).await.map_err(restarting)?;
    let older = alerts.history.iter().filter(|alert| query.cursor.is_none_or(|before| alert.id < before));
    // By their number, so that the cursor stays true while others end.
    let mut older: Vec<&AlertView> = older.collect();
    older.sort_by_key(|alert| std::cmp::Reverse(alert.id));
    older.truncate(limit + 1);
    let mut body = page(older, limit, |alert| json!(alert.id.to_string()), |alert| line(alert));
    body["firing"] = alerts.firing.iter().map(line).collect();
    body["silences"] = alerts.silences.iter().map(quiet).collect();
    Ok(HttpResponse::Ok().json(body))
}

/// `GET /api/alerts/rules`: what is watched.
pub(super) async fn rules(api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    let alerts = api.alerts.list.ask(ListAlerts).await.map_err(restarting)?;
    Ok(HttpResponse::Ok().json(json!({ "items": alerts.rules, "next": null })))
}

/// `POST /api/alerts/{id}/acknowledge`: somebody takes care of it, nobody else is woken.
pub(super) async fn acknowledge(
    api: web::Data<Api>,
    who: Who,
    id: web::Path<u64>,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    let Note { note } = optional(&body)?;
    text("note", &note, 0)?;
    let wanted = Acknowledge { id: *id, by: who.actor.clone(), note };
    let known = api.alerts.list.ask(ListAlerts).await.map_err(restarting)?;
    let taken = |alert: &AlertView| json!({ "rule": alert.rule, "subject": alert.subject, "acknowledged": line(alert)["acknowledged"] });
    let before = known.firing.iter().find(|alert| alert.id == *id).map(taken);
    let alert = api.alerts.acknowledge.ask(wanted).await.map_err(restarting)?;
    let alert =
        alert.ok_or_else(|| ApiError::new(ErrorCode::NotFound, format!("alert {id} does not fire")))?;
    Ok(changed(HttpResponse::Ok().json(line(&alert)), before.unwrap_or_default(), taken(&alert)))
}

/// `POST /api/alerts/silences`: nobody is told of a rule's alerts for a while.
pub(super) async fn hush(
    api: web::Data<Api>,
    who: Who,
    body: web::Json<Object<Quiet>>,
) -> Result<HttpResponse, ApiError> {
    let Object(Quiet { rule, subject, for_s, reason }) = body.into_inner();
    text("reason", &reason, 1)?;
    text("rule", &rule, 0)?;
    text("subject", &subject, 0)?;
    if !(1..=SILENCE_S_MAX).contains(&for_s) {
        let wanted = format!("for_s is {for_s}, it must be 1 to {SILENCE_S_MAX} (30 days)");
        return Err(ApiError::bad_request(wanted).with(json!({ "parameter": "for_s" })));
    }
    let wanted = Hush { rule, subject, by: who.actor.clone(), reason, for_s };
    let silence = api.alerts.hush.ask(wanted).await.map_err(restarting)?;
    silence.map_or_else(
        || Err(ApiError::bad_request("there are too many silences already: end one, or switch rules off")),
        |silence| Ok(changed(HttpResponse::Created().json(quiet(&silence)), Value::Null, quiet(&silence))),
    )
}

/// `DELETE /api/alerts/silences/{id}`.
pub(super) async fn unhush(api: web::Data<Api>, id: web::Path<u64>) -> Result<HttpResponse, ApiError> {
    let known = api.alerts.list.ask(ListAlerts).await.map_err(restarting)?;
    let before = known.silences.iter().find(|silence| silence.id == *id).map(quiet);
    if api.alerts.unhush.ask(Unhush { id: *id }).await.map_err(restarting)? {
        return Ok(changed(HttpResponse::NoContent().finish(), before.unwrap_or_default(), Value::Null));
    }
    Err(ApiError::new(ErrorCode::NotFound, format!("there is no silence {id}")))
}

/// `GET /api/alerts/channels`: how the channels fare.
pub(super) async fn channels(api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    let mut views: Vec<ChannelView> = Vec::new();
    for door in &api.alerts.channels {
        let view = door.ask.ask(AskChannel).await.map_err(restarting)?;
        match views.last_mut().filter(|last| last.name == view.name) {
            Some(last) => last.add(view),
            None => views.push(view),
        }
    }
    let items: Vec<Value> = views.iter().map(channel).collect();
    Ok(HttpResponse::Ok().json(json!({ "items": items, "next": null })))
}

/// `POST /api/alerts/channels/{name}/test`: whether the channel works, told now.
pub(super) async fn test(api: web::Data<Api>, name: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let mut tried = Vec::new();
    for door in api.alerts.channels.iter().filter(|door| door.name == *name) {
        tried.push(door.test.ask(TryChannel).await.map_err(restarting)?);
    }
    if tried.is_empty() {
        return Err(ApiError::new(ErrorCode::NotFound, format!("there is no channel {name}")));
    }
    let recipients = tried.len();
    let failed: Vec<String> = tried.into_iter().filter_map(Result::err).collect();
    let message = match failed.as_slice() {
        [] => None,
        [what, ..] if recipients == 1 => Some(what.clone()),
        [what, ..] => Some(format!("{} of {recipients} recipients: {what}", failed.len())),
    };
    let answer = json!({ "channel": *name, "ok": message.is_none(), "message": message });
    Ok(changed(HttpResponse::Ok().json(&answer), Value::Null, answer))
}
