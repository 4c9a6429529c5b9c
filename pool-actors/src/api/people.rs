//! `/api/admin/users...`, `/api/admin/sessions...`: who may sign in, and who has.

use std::cmp::Reverse;

use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Api,
    access::changed,
    errors::{ApiError, ErrorCode},
    pages,
    pool::{page, page_size},
    shapes::text,
    sign_in::{Hidden, session_view, user_view},
    wire::Object,
};
use crate::{
    auth::{Decision, Session},
    ports::users::Role,
};

/// `?cursor=&limit=`; the cursor is a name.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    cursor: Option<String>,
    #[schemars(range(min = 1, max = 500))]
    limit: Option<usize>,
}

/// `?username=`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NameQuery {
    #[schemars(length(min = 3, max = 50))]
    username: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AddUser {
    username: String,
    email: Option<String>,
    password: Hidden,
    #[schemars(with = "text::RoleName")]
    role: Role,
}

/// One change at a time, so that the trail says what was decided.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum ChangeUser {
    Role(#[schemars(with = "text::RoleName")] Role),
    Disabled(bool),
    ResetMfa(bool),
    Password(Hidden),
}

/// `GET /api/admin/users`: by name.
pub(super) async fn list(
    api: web::Data<Api>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse, ApiError> {
    let limit = page_size(query.limit)?;
    let found = api.auth.users().users(query.into_inner().cursor, limit + 1).await?;
    Ok(HttpResponse::Ok().json(page(found, limit, |user| json!(user.username), user_view)))
}

async fn shown(api: &Api, name: &str) -> Result<HttpResponse, ApiError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if !(3..=50).contains(&name.len()) || !name.bytes().all(plain) {
        return Err(ApiError::bad_request("username: 3 to 50 of A-Z, a-z, 0-9, dot, underscore and hyphen")
            .with(json!({ "parameter": "username" })));
    }
    let user = api.auth.users().user_named(name.to_owned()).await?;
    let user = user.ok_or_else(|| ApiError::new(ErrorCode::NotFound, "there is no such user"))?;
    let sessions = api.auth.sessions(Some(&user.id)).await?;
    let mut view = user_view(&user);
    let line = |(id, session): &(String, Session)| session_view(id, session);
    view["sessions"] = sessions.iter().map(line).collect();
    Ok(HttpResponse::Ok().json(view))
}

/// `GET /api/users?username=`.
pub(super) async fn named(
    api: web::Data<Api>,
    query: web::Query<NameQuery>,
) -> Result<HttpResponse, ApiError> {
    shown(&api, &query.username).await
}

/// `GET /api/admin/users/{name}`.
pub(super) async fn one(api: web::Data<Api>, name: web::Path<String>) -> Result<HttpResponse, ApiError> {
    shown(&api, &name).await
}

/// `POST /api/admin/users`: 201.
pub(super) async fn add(
    api: web::Data<Api>,
    body: web::Json<Object<AddUser>>,
) -> Result<HttpResponse, ApiError> {
    let AddUser { username, email, password, role } = body.into_inner().0;
    let user = api.auth.add(&username, email.as_deref(), password.0, role).await?;
    let view = user_view(&user);
    Ok(changed(HttpResponse::Created().json(&view), Value::Null, view))
}

/// `PATCH /api/admin/users/{name}`; their sessions have ended.
pub(super) async fn change(
    api: web::Data<Api>,
    name: web::Path<String>,
    body: web::Json<Object<ChangeUser>>,
) -> Result<HttpResponse, ApiError> {
    let (decision, what) = match body.into_inner().0 {
        ChangeUser::Role(role) => (Decision::Role(role), "role"),
        ChangeUser::Disabled(disabled) => (Decision::Disabled(disabled), "disabled"),
        ChangeUser::ResetMfa(true) => (Decision::ResetMfa, "reset_mfa"),
        ChangeUser::ResetMfa(false) => return Err(ApiError::bad_request("reset_mfa can only be true")),
        ChangeUser::Password(password) => (Decision::Password(password.0), "password"),
    };
    let (before, after) = api.auth.decide(&name, decision).await?;
    let view = user_view(&after);
    let mut told = view.clone();
    told["changed"] = json!(what);
    Ok(changed(HttpResponse::Ok().json(&view), user_view(&before), told))
}

/// `GET /api/admin/sessions`: everybody's, newest first.
pub(super) async fn sessions(
    api: web::Data<Api>,
    query: web::Query<pages::PageQuery>,
) -> Result<HttpResponse, ApiError> {
    let found = api.auth.sessions(None).await?;
    let key = |(id, session): &(String, Session)| (Reverse(session.created_at.0), id.clone());
    let line = |(id, session): &(String, Session)| session_view(id, session);
    let cursor = (pages::read_newest, pages::write_newest);
    Ok(HttpResponse::Ok().json(pages::paged(found, &query, key, cursor, line)?))
}

/// `DELETE /api/admin/sessions/{id}`: 204.
pub(super) async fn end_session(
    api: web::Data<Api>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let ended = api.auth.end_session(None, &id).await?;
    Ok(changed(HttpResponse::NoContent().finish(), session_view(&id, &ended), Value::Null))
}
