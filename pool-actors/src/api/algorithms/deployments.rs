//! `/api/deployments...`: those that were, one with its trail, steering.

use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    deploy::away,
    views::{deployment, percent, state},
};
use crate::{
    api::{
        Api,
        access::changed,
        errors::{ApiError, ErrorCode},
        pool::before,
        sign_in::Who,
        wire::{optional, rfc3339},
    },
    messages::deployment::{Steer, SteerDeployment},
};

/// Deployments on a page without `limit`.
const PAGE: usize = 20;
/// Most deployments on a page.
const PAGE_MAX: usize = 100;

/// `?cursor=&limit=`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Page {
    /// Also as `before`.
    #[serde(alias = "before")]
    cursor: Option<u64>,
    #[schemars(range(min = 1, max = 100))]
    limit: Option<usize>,
}

/// `GET /api/deployments`, newest first.
pub(in crate::api) async fn deployments(
    api: web::Data<Api>,
    page: web::Query<Page>,
) -> Result<HttpResponse, ApiError> {
    let limit = match page.limit.unwrap_or(PAGE) {
        limit @ 1..=PAGE_MAX => limit,
        limit => {
            return Err(ApiError::bad_request(format!("limit is {limit}, it must be 1 to {PAGE_MAX}"))
                .with(json!({ "parameter": "limit" })));
        }
    };
    let rows = api.deployments.deployments(before(page.cursor), limit).await?;
    let next = (rows.len() == limit).then(|| rows.last().map(|row| row.id.to_string())).flatten();
    let live = api.algorithms.view.get();
    let items: Vec<Value> = rows
        .iter()
        .map(|row| {
            let live = live.deployment.as_ref().filter(|deployment| deployment.id == row.id);
            deployment(live.unwrap_or(&(api.row_view)(row)))
        })
        .collect();
    Ok(HttpResponse::Ok().json(json!({ "items": items, "next": next })))
}

/// `GET /api/deployments/{id}`, with its trail.
pub(in crate::api) async fn one(api: web::Data<Api>, id: web::Path<u64>) -> Result<HttpResponse, ApiError> {
    let id = id.into_inner();
    let missing = || ApiError::new(ErrorCode::NotFound, format!("there is no deployment {id}"));
    let row =
        api.deployments.deployments(before(id.checked_add(1)), 1).await?.into_iter().find(|row| row.id == id);
    let row = row.ok_or_else(missing)?;
    let live = api.algorithms.view.get();
    let live = live.deployment.as_ref().filter(|deployment| deployment.id == id);
    let mut body = deployment(live.unwrap_or(&(api.row_view)(&row)));
    let trail = api.deployments.trail(id).await?;
    body["trail"] = trail
        .iter()
        .map(|line| {
            json!({
                "at": rfc3339(line.at), "action": line.action, "stage": line.stage,
                "traffic_split": percent(line.traffic), "by": line.by, "detail": line.detail,
            })
        })
        .collect();
    Ok(HttpResponse::Ok().json(body))
}

/// Body of a rollback; may be missing.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "RollbackRequest")]
pub(in crate::api) struct Reason {
    #[schemars(length(max = 500))]
    reason: Option<String>,
}

/// `POST /api/deployments/{id}/rollback|pause|resume|advance`.
pub(in crate::api) async fn steer(
    api: web::Data<Api>,
    who: Who,
    path: web::Path<(u64, String)>,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    let (id, action) = path.into_inner();
    let steer = match action.as_str() {
        "pause" => Steer::Pause,
        "resume" => Steer::Resume,
        "advance" => Steer::Advance,
        "rollback" => {
            let reason =
                optional::<Reason>(&body)?.reason.unwrap_or_else(|| "an operator asked for it".to_owned());
            if reason.chars().count() > 500 {
                return Err(ApiError::bad_request("reason is longer than 500 characters"));
            }
            Steer::RollBack { reason }
        }
        other => {
            let message = format!("a deployment knows rollback, pause, resume and advance, not {other:?}");
            return Err(ApiError::new(ErrorCode::NotFound, message));
        }
    };
    let order = SteerDeployment { id, steer, by: who.actor.clone() };
    let known = api.algorithms.view.get();
    let known = known.deployment.as_ref().filter(|deployment| deployment.id == id);
    let before = known.map(|view| json!({ "status": state(view) }));
    let view = api.algorithms.steer.ask(order).await.map_err(away(&api))??;
    let after = json!({ "action": action, "status": state(&view) });
    Ok(changed(HttpResponse::Ok().json(deployment(&view)), before.unwrap_or_default(), after))
}
