//! `/api/auth/accounts/{account}/alerts...`: what people hear of addresses that they have claimed, and where.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Api,
    access::origin,
    claims::account,
    errors::{ApiError, ErrorCode},
    sign_in::Who,
    wire::Object,
};
use crate::{
    auth::PersonalChange,
    messages::alert::{BringNow, PersonalDoor},
    ports::personal::{PersonalRow, PlaceKind, Target, Wishes},
};

/// What to hear of, all of it; and places: "" takes one away, none named stays as it is.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PersonalAlertsRequest")]
pub(super) struct Set {
    /// 0 = not told, or 1 to 1440.
    #[serde(default)]
    worker_offline_minutes: u32,
    /// 0 = not told, or 10 to 95.
    #[serde(default)]
    hashrate_drop_percent: u32,
    #[serde(default)]
    payout: bool,
    #[serde(default)]
    block: bool,
    /// To the confirmed address.
    #[serde(default)]
    email: bool,
    webhook: Option<String>,
    discord: Option<String>,
    telegram: Option<String>,
}

/// The code that was sent to a place.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PersonalAlertsCode")]
pub(super) struct Confirm {
    channel: PlaceKind,
    code: String,
}

fn door(api: &Api) -> Result<&PersonalDoor, ApiError> {
    let none = || ApiError::new(ErrorCode::Conflict, "this pool does not offer it (alerts.personal)");
    api.alerts.personal.as_ref().ok_or_else(none)
}

fn view(api: &Api, row: &PersonalRow) -> Value {
    let Wishes { worker_offline_minutes, hashrate_drop_percent, payout, block } = row.settings.wishes;
    let offer = api.alerts.personal.as_ref().map(|door| door.offer);
    let channels = row.settings.places.iter().map(|(kind, place)| {
        json!({ "channel": kind, "to": place.masked(*kind), "confirmed": place.confirmed_at.is_some() })
    });
    json!({
        "worker_offline_minutes": worker_offline_minutes,
        "hashrate_drop_percent": hashrate_drop_percent,
        "payout": payout,
        "block": block,
        "email": row.settings.email,
        "email_confirmed": row.email.is_some(),
        "channels": channels.collect::<Vec<_>>(),
        "key": row.settings.key.is_some(),
        "offered": offer.is_some(),
        "telegram_offered": offer.is_some_and(|offer| offer.telegram),
    })
}

async fn bring(
    door: &PersonalDoor,
    target: Target,
    account: &str,
    kind: &'static str,
    text: String,
) -> Result<(), String> {
    let account = account.to_owned();
    let brought = door.bring.ask(BringNow { target, account, kind, text }).await;
    brought.unwrap_or_else(|_| Err("what brings it is being restarted; try again in a moment".to_owned()))
}

fn outcome(target: &Target, brought: Result<(), String>) -> Value {
    json!({ "channel": target.kind(), "ok": brought.is_ok(), "message": brought.err() })
}

/// `GET`.
pub(super) async fn get(
    api: web::Data<Api>,
    who: Who,
    name: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let row = api.auth.personal(&who, &account(&name)?).await?;
    Ok(HttpResponse::Ok().json(view(&api, &row)))
}

/// `POST`: sets it, and sends codes to new places.
pub(super) async fn set(
    api: web::Data<Api>,
    request: HttpRequest,
    who: Who,
    name: web::Path<String>,
    body: web::Json<Object<Set>>,
) -> Result<HttpResponse, ApiError> {
    let account = account(&name)?;
    let door = door(&api)?;
    let body = body.into_inner().0;
    let named = [
        (PlaceKind::Webhook, body.webhook),
        (PlaceKind::Discord, body.discord),
        (PlaceKind::Telegram, body.telegram),
    ];
    let places: BTreeMap<PlaceKind, String> =
        named.into_iter().filter_map(|(kind, to)| Some((kind, to?))).collect();
    let wishes = Wishes {
        worker_offline_minutes: body.worker_offline_minutes,
        hashrate_drop_percent: body.hashrate_drop_percent,
        payout: body.payout,
        block: body.block,
    };
    let change = PersonalChange { wishes, email: body.email, places };
    let codes = api.auth.set_personal(&origin(&api, &request), &who, &account, change, &door.offer).await?;
    let mut sent = Vec::new();
    for code in codes {
        let brought = bring(door, code.target.clone(), account.as_str(), "code", code.text).await;
        sent.push(outcome(&code.target, brought));
    }
    let row = api.auth.personal(&who, &account).await?;
    let mut answer = view(&api, &row);
    answer["sent"] = json!(sent);
    Ok(HttpResponse::Ok().json(answer))
}

/// `POST .../confirm`: somebody reads at a place.
pub(super) async fn confirm(
    api: web::Data<Api>,
    request: HttpRequest,
    who: Who,
    name: web::Path<String>,
    body: web::Json<Object<Confirm>>,
) -> Result<HttpResponse, ApiError> {
    let account = account(&name)?;
    let Confirm { channel, code } = body.into_inner().0;
    api.auth.confirm_place(&origin(&api, &request), &who, &account, channel, &code).await?;
    let row = api.auth.personal(&who, &account).await?;
    Ok(HttpResponse::Ok().json(view(&api, &row)))
}

/// `POST .../test`: a message to each place that is confirmed, and what came of it.
pub(super) async fn test(
    api: web::Data<Api>,
    who: Who,
    name: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let account = account(&name)?;
    let door = door(&api)?;
    let mut sent = Vec::new();
    for target in api.auth.personal_test(&who, &account).await? {
        let text = "a test: this is where you hear of your address".to_owned();
        let brought = bring(door, target.clone(), account.as_str(), "test", text).await;
        sent.push(outcome(&target, brought));
    }
    Ok(HttpResponse::Ok().json(json!({ "sent": sent })))
}

/// `POST .../key`: 201, a password by which machines may change what is told. Shown once.
pub(super) async fn key(
    api: web::Data<Api>,
    request: HttpRequest,
    who: Who,
    name: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let account = account(&name)?;
    door(&api)?;
    let key = api.auth.alerts_key(&origin(&api, &request), &who, &account).await?;
    Ok(HttpResponse::Created().json(json!({ "account": account, "password": key })))
}
