//! `/api/admin/audit`: who did what, from where, and what it changed.

use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{
    Api,
    errors::ApiError,
    pool::{before, page, page_size},
    wire::rfc3339,
};
use crate::ports::users::AuditQuery;

/// `?cursor=&limit=&actor=&action=`; an action stands for all that begin with it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TrailQuery {
    cursor: Option<u64>,
    #[schemars(range(min = 1, max = 500))]
    limit: Option<usize>,
    actor: Option<String>,
    action: Option<String>,
}

/// Newest first.
pub(super) async fn list(
    api: web::Data<Api>,
    query: web::Query<TrailQuery>,
) -> Result<HttpResponse, ApiError> {
    let TrailQuery { cursor, limit, actor, action } = query.into_inner();
    let limit = page_size(limit)?;
    let before = before(cursor);
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let query = AuditQuery { before, actor: given(actor), action: given(action), limit: limit + 1 };
    let lines = api.auth.users().audit(query).await?;
    let body = page(
        lines,
        limit,
        |(id, _)| json!(id.to_string()),
        |(id, line)| {
            json!({
                "id": id.to_string(), "at": rfc3339(line.at), "node": line.node, "actor": line.actor,
                "address": line.address, "action": line.action, "subject": line.subject,
                "outcome": line.outcome, "before": line.before, "after": line.after,
            })
        },
    );
    Ok(HttpResponse::Ok().json(body))
}
