//! `/api/auth/...`: what people do about their own signing in.
//!
//! Tokens are in bodies and in the header `Authorization`, never in cookies: a browser adds nothing by itself, so there is
//! nothing that another site's page could use.

use std::{borrow::Cow, cmp::Reverse};

use actix_web::{HttpRequest, HttpResponse, web};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Api,
    access::origin,
    errors::{ApiError, ErrorCode},
    pages,
    shapes::text,
    wire::{Object, rfc3339, time_or_null},
};
use crate::{
    auth::{By, Factor, LoggedIn, MFA_S, Pair, Principal, Session},
    ports::users::{Outcome, TokenRow, UserRow},
};

/// Whoever asks.
pub(super) type Who = web::ReqData<Principal>;

/// A secret of a request: it is in no log, whatever prints the body.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Hidden(pub(super) String);

impl JsonSchema for Hidden {
    fn schema_name() -> Cow<'static, str> {
        text::Secret::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        text::Secret::json_schema(generator)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RegisterRequest")]
pub(super) struct Register {
    username: String,
    email: Option<String>,
    password: Hidden,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "LogInRequest")]
pub(super) struct LogIn {
    username: String,
    password: Hidden,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "VerifyRequest")]
pub(super) struct Verify {
    mfa_token: Hidden,
    code: Option<Hidden>,
    backup_code: Option<Hidden>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RefreshRequest")]
pub(super) struct Refresh {
    refresh_token: Hidden,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PasswordRequest")]
pub(super) struct Password {
    password: Hidden,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "MfaCodeRequest")]
pub(super) struct Code {
    code: Hidden,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "MfaDisableRequest")]
pub(super) struct Disable {
    password: Hidden,
    code: Option<Hidden>,
    backup_code: Option<Hidden>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ChangePasswordRequest")]
pub(super) struct ChangePassword {
    password: Hidden,
    new_password: Hidden,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TokenRequest")]
pub(super) struct AddToken {
    name: String,
    #[schemars(with = "Vec<text::ScopeName>", length(min = 1))]
    scopes: Vec<String>,
    #[schemars(range(min = 1))]
    expires_in_days: u64,
}

fn factor(code: Option<Hidden>, backup_code: Option<Hidden>) -> Result<Factor, ApiError> {
    match (code, backup_code) {
        (Some(code), None) => Ok(Factor::Code(code.0)),
        (None, Some(code)) => Ok(Factor::BackupCode(code.0)),
        _ => Err(ApiError::bad_request("either code or backup_code is needed")
            .with(json!({ "parameter": "code" }))),
    }
}

pub(super) fn user_view(user: &UserRow) -> Value {
    json!({
        "id": user.id,
        "username": user.username,
        "email": user.email,
        "email_verified": user.email_verified_at.is_some(),
        "role": user.role,
        "mfa": user.mfa_enabled,
        "disabled_at": user.disabled_at.map(rfc3339),
        "created_at": rfc3339(user.created_at),
    })
}

pub(super) fn session_view(id: &str, session: &Session) -> Value {
    json!({
        "id": id,
        "username": session.name,
        "role": session.role,
        "address": session.address,
        "agent": session.agent,
        "created_at": rfc3339(session.created_at),
        "seen_at": time_or_null(session.seen_at),
        "ends_at": rfc3339(session.ends_at),
    })
}

fn token_view(token: &TokenRow) -> Value {
    json!({
        "id": token.id,
        "name": token.name,
        "scopes": token.scopes.split(' ').collect::<Vec<_>>(),
        "created_at": rfc3339(token.created_at),
        "expires_at": rfc3339(token.expires_at),
        "revoked_at": token.revoked_at.map(rfc3339),
    })
}

fn pair(pair: &Pair) -> Value {
    json!({
        "token": pair.access,
        "refresh_token": pair.refresh,
        "expires_in": pair.expires_in,
        "mfa_required": false,
        "mfa_setup_required": pair.setup,
    })
}

/// `POST /api/auth/register`: 201.
pub(super) async fn register(
    api: web::Data<Api>,
    request: HttpRequest,
    body: web::Json<Object<Register>>,
) -> Result<HttpResponse, ApiError> {
    let Register { username, email, password } = body.into_inner().0;
    let from = origin(&api, &request);
    let user = api.auth.register(&from, &username, email.as_deref(), password.0).await?;
    Ok(HttpResponse::Created().json(user_view(&user)))
}

/// `POST /api/auth/login`: a pair of tokens, or half a log-in that waits for its second factor.
pub(super) async fn log_in(
    api: web::Data<Api>,
    request: HttpRequest,
    body: web::Json<Object<LogIn>>,
) -> Result<HttpResponse, ApiError> {
    let LogIn { username, password } = body.into_inner().0;
    Ok(match api.auth.log_in(&origin(&api, &request), &username, password.0).await? {
        LoggedIn::In(tokens) => HttpResponse::Ok().json(pair(&tokens)),
        LoggedIn::MfaNeeded(token) => HttpResponse::Ok().json(json!({
            "token": null, "refresh_token": null, "expires_in": MFA_S, "mfa_required": true, "mfa_token": token,
        })),
    })
}

/// `POST /api/auth/mfa/verify`: the second factor of a log-in.
pub(super) async fn verify(
    api: web::Data<Api>,
    request: HttpRequest,
    body: web::Json<Object<Verify>>,
) -> Result<HttpResponse, ApiError> {
    let Verify { mfa_token, code, backup_code } = body.into_inner().0;
    let factor = factor(code, backup_code)?;
    let tokens = api.auth.second_factor(&origin(&api, &request), &mfa_token.0, factor).await?;
    Ok(HttpResponse::Ok().json(pair(&tokens)))
}

/// `POST /api/auth/refresh`.
pub(super) async fn refresh(
    api: web::Data<Api>,
    request: HttpRequest,
    body: web::Json<Object<Refresh>>,
) -> Result<HttpResponse, ApiError> {
    let tokens = api.auth.refresh(&origin(&api, &request), &body.refresh_token.0).await?;
    Ok(HttpResponse::Ok().json(pair(&tokens)))
}

/// `POST /api/auth/logout`: 204.
pub(super) async fn log_out(
    api: web::Data<Api>,
    request: HttpRequest,
    who: Who,
) -> Result<HttpResponse, ApiError> {
    api.auth.log_out(&origin(&api, &request), &who).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `GET /api/auth/me`: who the token stands for.
pub(super) async fn me(api: web::Data<Api>, who: Who) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(match &who.by {
        By::AdminToken => json!({ "by": "admin_token", "username": null, "role": who.role }),
        By::Token { scopes, .. } => {
            let scopes: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
            json!({ "by": "token", "username": null, "name": who.actor, "role": who.role, "scopes": scopes })
        }
        By::Session { sid, setup, .. } => {
            let (user, left) = api.auth.me(&who).await?;
            let mut view = user_view(&user);
            view["by"] = json!("session");
            view["session"] = json!(sid);
            view["mfa_setup_required"] = json!(setup);
            view["backup_codes_left"] = json!(left);
            view
        }
    }))
}

/// `POST /api/auth/mfa/setup`: a key that is not in force until `enable` saw a code of it.
pub(super) async fn mfa_setup(
    api: web::Data<Api>,
    request: HttpRequest,
    who: Who,
    body: web::Json<Object<Password>>,
) -> Result<HttpResponse, ApiError> {
    let from = origin(&api, &request);
    let setup = api.auth.mfa_setup(&from, &who, body.into_inner().0.password.0).await?;
    Ok(HttpResponse::Ok().json(json!({
        "secret": setup.secret, "otpauth_uri": setup.uri, "qr_svg": setup.qr_svg,
    })))
}

/// `POST /api/auth/mfa/enable`: backup codes, and the tokens of a new session; all others have ended.
pub(super) async fn mfa_enable(
    api: web::Data<Api>,
    request: HttpRequest,
    who: Who,
    body: web::Json<Object<Code>>,
) -> Result<HttpResponse, ApiError> {
    let from = origin(&api, &request);
    let enabled = api.auth.mfa_enable(&from, &who, body.into_inner().0.code.0).await?;
    let mut view = pair(&enabled.pair);
    view["backup_codes"] = json!(enabled.backup_codes);
    Ok(HttpResponse::Ok().json(view))
}

/// `POST /api/auth/mfa/disable`: 204.
pub(super) async fn mfa_disable(
    api: web::Data<Api>,
    request: HttpRequest,
    who: Who,
    body: web::Json<Object<Disable>>,
) -> Result<HttpResponse, ApiError> {
    let Disable { password, code, backup_code } = body.into_inner().0;
    let factor = factor(code, backup_code)?;
    api.auth.mfa_disable(&origin(&api, &request), &who, password.0, factor).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /api/auth/mfa/backup-codes`: new ones in place of all others.
pub(super) async fn backup_codes(
    api: web::Data<Api>,
    request: HttpRequest,
    who: Who,
    body: web::Json<Object<Code>>,
) -> Result<HttpResponse, ApiError> {
    let codes = api.auth.backup_codes(&origin(&api, &request), &who, body.into_inner().0.code.0).await?;
    Ok(HttpResponse::Ok().json(json!({ "backup_codes": codes })))
}

/// `POST /api/auth/password`: 204; all other sessions have ended.
pub(super) async fn password(
    api: web::Data<Api>,
    request: HttpRequest,
    who: Who,
    body: web::Json<Object<ChangePassword>>,
) -> Result<HttpResponse, ApiError> {
    let ChangePassword { password, new_password } = body.into_inner().0;
    api.auth.change_password(&origin(&api, &request), &who, password.0, new_password.0).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn own(who: &Principal) -> Result<(&str, &str), ApiError> {
    match &who.by {
        By::Session { user, sid, .. } => Ok((user, sid)),
        _ => Err(ApiError::new(ErrorCode::NotFound, "there is no such user")),
    }
}

/// `GET /api/auth/sessions`: one's own.
pub(super) async fn sessions(
    api: web::Data<Api>,
    who: Who,
    query: web::Query<pages::PageQuery>,
) -> Result<HttpResponse, ApiError> {
    let (user, current) = own(&who)?;
    let found = api.auth.sessions(Some(user)).await?;
    let line = |(id, session): &(String, Session)| {
        let mut line = session_view(id, session);
        line["current"] = json!(id == current);
        line
    };
    let key = |(id, session): &(String, Session)| (Reverse(session.created_at.0), id.clone());
    let cursor = (pages::read_newest, pages::write_newest);
    Ok(HttpResponse::Ok().json(pages::paged(found, &query, key, cursor, line)?))
}

/// `DELETE /api/auth/sessions/{id}`: 204.
pub(super) async fn end_session(
    api: web::Data<Api>,
    request: HttpRequest,
    who: Who,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let (user, _) = own(&who)?;
    let ended = api.auth.end_session(Some(user), &id).await?;
    note(&api, &request, &who, "auth.session.end", &id, Some(session_view(&id, &ended)), None).await;
    Ok(HttpResponse::NoContent().finish())
}

/// `GET /api/auth/tokens`: one's own, newest first.
pub(super) async fn tokens(
    api: web::Data<Api>,
    who: Who,
    query: web::Query<pages::PageQuery>,
) -> Result<HttpResponse, ApiError> {
    let found = api.auth.tokens(&who).await?;
    let key = |token: &TokenRow| (Reverse(token.created_at.0), token.id.clone());
    let cursor = (pages::read_newest, pages::write_newest);
    Ok(HttpResponse::Ok().json(pages::paged(found, &query, key, cursor, token_view)?))
}

/// `POST /api/auth/tokens`: 201, with the token, which is not shown again.
pub(super) async fn add_token(
    api: web::Data<Api>,
    request: HttpRequest,
    who: Who,
    body: web::Json<Object<AddToken>>,
) -> Result<HttpResponse, ApiError> {
    let AddToken { name, scopes, expires_in_days } = body.into_inner().0;
    let new = api.auth.add_token(&who, &name, &scopes, expires_in_days).await?;
    let mut view = token_view(&new.row);
    note(&api, &request, &who, "auth.token.add", &new.row.id, None, Some(view.clone())).await;
    view["token"] = json!(new.token);
    Ok(HttpResponse::Created().json(view))
}

/// `DELETE /api/auth/tokens/{id}`: 204.
pub(super) async fn revoke_token(
    api: web::Data<Api>,
    request: HttpRequest,
    who: Who,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let token = api.auth.revoke_token(&who, &id).await?;
    note(&api, &request, &who, "auth.token.revoke", &id, Some(token_view(&token)), None).await;
    Ok(HttpResponse::NoContent().finish())
}

async fn note(
    api: &Api,
    request: &HttpRequest,
    who: &Principal,
    action: &str,
    subject: &str,
    before: Option<Value>,
    after: Option<Value>,
) {
    let address = origin(api, request).address;
    api.auth.trail().note(&who.actor, address, action, subject, Outcome::Done, before, after).await;
}
