//! `/api/auth/email...`, `/api/auth/password/forgot|reset`: what people do by way of their mail.
//!
//! Asking for a letter is answered 202 whether it is sent or not: the answer does not tell who has which address.

use actix_web::{HttpRequest, HttpResponse, web};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{
    Api,
    access::origin,
    errors::ApiError,
    sign_in::{Hidden, Who, user_view},
    wire::Object,
};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AddressRequest")]
pub(super) struct Address {
    email: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "LinkRequest")]
pub(super) struct Secret {
    token: Hidden,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ResetRequest")]
pub(super) struct Reset {
    token: Hidden,
    password: Hidden,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ChangeEmailRequest")]
pub(super) struct ChangeEmail {
    password: Hidden,
    email: Option<String>,
}

fn asked() -> HttpResponse {
    HttpResponse::Accepted().json(json!({ "status": "sent_if_known" }))
}

/// `POST /api/auth/password/forgot`: 202.
pub(super) async fn forgot(
    api: web::Data<Api>,
    request: HttpRequest,
    body: web::Json<Object<Address>>,
) -> Result<HttpResponse, ApiError> {
    api.auth.forgot(&origin(&api, &request), &body.email).await?;
    Ok(asked())
}

/// `POST /api/auth/password/reset`: 204; all sessions have ended.
pub(super) async fn reset(
    api: web::Data<Api>,
    request: HttpRequest,
    body: web::Json<Object<Reset>>,
) -> Result<HttpResponse, ApiError> {
    let Reset { token, password } = body.into_inner().0;
    api.auth.reset_password(&origin(&api, &request), &token.0, password.0).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /api/auth/email/verify`: whose address was confirmed.
pub(super) async fn verify(
    api: web::Data<Api>,
    request: HttpRequest,
    body: web::Json<Object<Secret>>,
) -> Result<HttpResponse, ApiError> {
    let user = api.auth.confirm_email(&origin(&api, &request), &body.token.0).await?;
    Ok(HttpResponse::Ok().json(json!({ "username": user.username, "email": user.email })))
}

/// `POST /api/auth/email/resend`: 202.
pub(super) async fn resend(
    api: web::Data<Api>,
    request: HttpRequest,
    body: web::Json<Object<Address>>,
) -> Result<HttpResponse, ApiError> {
    api.auth.resend(&origin(&api, &request), &body.email).await?;
    Ok(asked())
}

/// `POST /api/auth/email`: another address, which counts once it is confirmed; `null` takes it away.
pub(super) async fn change(
    api: web::Data<Api>,
    request: HttpRequest,
    who: Who,
    body: web::Json<Object<ChangeEmail>>,
) -> Result<HttpResponse, ApiError> {
    let ChangeEmail { password, email } = body.into_inner().0;
    let user = api.auth.change_email(&origin(&api, &request), &who, password.0, email.as_deref()).await?;
    Ok(HttpResponse::Accepted().json(user_view(&user)))
}
