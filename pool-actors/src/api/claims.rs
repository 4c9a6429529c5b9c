//! `/api/auth/accounts...`: which payout addresses are whose.

use std::{collections::BTreeMap, net::SocketAddr};

use actix_web::{HttpRequest, HttpResponse, web};
use pool_domain::ids::Account;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Api,
    access::origin,
    errors::ApiError,
    sign_in::Who,
    wire::{Object, rfc3339},
};
use crate::{auth::Shown, messages::session::SessionView};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ClaimRequest")]
pub(super) struct Begin {
    account: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ClaimProof")]
pub(super) struct Verify {
    account: String,
    signature: Option<String>,
}

pub(super) fn account(text: &str) -> Result<Account, ApiError> {
    Account::new(text)
        .map_err(|error| ApiError::bad_request(error.to_string()).with(json!({ "parameter": "account" })))
}

/// `GET /api/auth/accounts`: one's own.
pub(super) async fn list(api: web::Data<Api>, who: Who) -> Result<HttpResponse, ApiError> {
    let found = api.auth.accounts(&who).await?;
    let line = |account: &crate::ports::users::ClaimedAccount| {
        json!({
            "account": account.account,
            "by": account.by.map(crate::ports::users::ClaimedBy::as_str),
            "claimed_at": account.at.map(rfc3339),
        })
    };
    let items: Vec<Value> = found.iter().map(line).collect();
    Ok(HttpResponse::Ok().json(json!({ "items": items, "next": null })))
}

/// `POST /api/auth/accounts/claims`: 201, what is to be signed, and what machines are to show.
pub(super) async fn begin(
    api: web::Data<Api>,
    who: Who,
    body: web::Json<Object<Begin>>,
) -> Result<HttpResponse, ApiError> {
    let account = account(&body.account)?;
    let claim = api.auth.begin_claim(&who, &account).await?;
    Ok(HttpResponse::Created().json(json!({
        "account": account,
        "password": claim.password,
        "challenge": claim.challenge,
        // Whether addresses of this chain, of this kind, have a key that signs.
        "signature": (api.signed)(&account, "", "").is_some(),
        "expires_at": rfc3339(claim.expires_at),
    })))
}

/// What each address has shown that mines for the account: nothing, or a password.
fn places(sessions: &[SessionView], account: &Account) -> Vec<Option<String>> {
    let mut places: BTreeMap<String, Option<String>> = BTreeMap::new();
    let of = |session: &&SessionView| session.miner.account.as_deref() == Some(account.as_str());
    // Who has had no share accepted mines nothing: anybody can connect and say so.
    for session in sessions.iter().filter(of).filter(|session| session.last_share_at.0 > 0) {
        let peer = &session.miner.peer;
        let address = peer.parse::<SocketAddr>().map_or_else(|_| peer.clone(), |peer| peer.ip().to_string());
        let shown = places.entry(address).or_default();
        if let Some(claim) = &session.claim {
            *shown = Some(claim.clone());
        }
    }
    places.into_values().collect()
}

/// `POST /api/auth/accounts/claims/verify`: the address is the user's.
pub(super) async fn verify(
    api: web::Data<Api>,
    request: HttpRequest,
    who: Who,
    body: web::Json<Object<Verify>>,
) -> Result<HttpResponse, ApiError> {
    let Verify { account: name, signature } = body.into_inner().0;
    let account = account(&name)?;
    let shown = match signature {
        Some(signature) => {
            let claim = api.auth.begun_claim(&who, &account).await?;
            let wrong = |why: String| ApiError::bad_request(why).with(json!({ "parameter": "signature" }));
            let good = (api.signed)(&account, &claim.challenge, signature.trim()).ok_or_else(|| {
                wrong("addresses of this kind can't sign: let machines show the password".into())
            })?;
            if !good {
                return Err(wrong("it is not that of the address over the challenge".into()));
            }
            Shown::Signature
        }
        None => Shown::Workers(places(&api.sessions.list().await, &account)),
    };
    let by = api.auth.claim(&origin(&api, &request), &who, &account, shown).await?;
    Ok(HttpResponse::Ok().json(json!({ "account": account, "by": by.as_str() })))
}

/// `DELETE /api/auth/accounts/{account}`: 204; it is nobody's.
pub(super) async fn release(
    api: web::Data<Api>,
    request: HttpRequest,
    who: Who,
    name: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let account = account(&name)?;
    api.auth.release_account(&origin(&api, &request), &who, &account).await?;
    Ok(HttpResponse::NoContent().finish())
}
