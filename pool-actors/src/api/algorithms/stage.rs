//! `POST /api/algorithms/stage`: a package comes in and is checked.

use std::sync::Arc;

use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, http::header::CONTENT_TYPE, web};
use futures_util::StreamExt as _;
use pool_domain::isolation::Level;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{
    deploy::away,
    load::{heavy, refused},
    multipart, views,
};
use crate::{
    api::{
        Api,
        access::changed,
        errors::{ApiError, ErrorCode},
        shapes::text,
        wire::Object,
    },
    messages::{deployment::StagePackage, event::PoolEvent},
    ports::packages::StageWish,
};

/// `?isolation=LEVEL&allow_downgrade=REASON` of a stage request; what is missing is as configured.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::api) struct StageQuery {
    #[schemars(with = "Option<text::Isolation>")]
    isolation: Option<Level>,
    /// Why an older version than one staged before is let in.
    #[schemars(length(min = 1, max = 500))]
    allow_downgrade: Option<String>,
}

impl StageQuery {
    fn wish(self, configured: Level) -> Result<StageWish, ApiError> {
        if let Some(reason) = &self.allow_downgrade
            && !(1..=500).contains(&reason.trim().chars().count())
        {
            return Err(ApiError::bad_request("allow_downgrade is the reason, of 1 to 500 characters"));
        }
        Ok(StageWish {
            isolation: self.isolation.unwrap_or(configured),
            allow_downgrade: self.allow_downgrade,
        })
    }
}

/// Body of a stage request that names a file of the import folder.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "StageRequest")]
pub(in crate::api) struct ByPath {
    package_path: String,
}

/// `POST /api/algorithms/stage`: multipart with a part `package`, the zip itself, or JSON `package_path`.
pub(in crate::api) async fn stage(
    api: web::Data<Api>,
    request: HttpRequest,
    wish: web::Query<StageQuery>,
    body: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let wish = wish.into_inner().wish(api.deploy_defaults.plan.isolation)?;
    let shelf = api
        .shelf
        .clone()
        .ok_or_else(|| ApiError::new(ErrorCode::AlgorithmLoadFailed, "this pool keeps no packages"))?;
    let kind = request.content_type().to_ascii_lowercase();
    let bytes = body_of(body, api.upload_bytes_max).await?;
    let package = match kind.as_str() {
        "multipart/form-data" => {
            let header = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            let part = header.and_then(|header| multipart::part(header, &bytes, "package"));
            part.ok_or_else(|| ApiError::bad_request("the form has no part named package"))?.to_vec()
        }
        "application/json" => {
            let Object(wish): Object<ByPath> = serde_json::from_slice(&bytes)
                .map_err(|error| ApiError::bad_request(format!("body: {error}")))?;
            let import = Arc::clone(&api.import);
            let read = web::block(move || import(&wish.package_path)).await;
            read.map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))?
                .map_err(ApiError::bad_request)?
        }
        "application/zip" | "application/octet-stream" => bytes,
        other => {
            let message =
                format!("send multipart/form-data, application/zip or application/json, not {other:?}");
            return Err(ApiError::bad_request(message));
        }
    };
    let upload = hex::encode(&Sha256::digest(&package)[..8]);
    let (events, clock) = (api.events.clone(), Arc::clone(&api.clock));
    let told = upload.clone();
    let say = move |check: Option<String>| {
        events.publish(clock.now(), PoolEvent::Staging { upload: told.clone(), check });
    };
    let staged = heavy(wish.isolation, move || {
        let staged = shelf.stage(package, &wish, &|check| say(Some(check.to_owned())));
        say(None);
        staged
    })
    .await
    .ok_or_else(|| ApiError::new(ErrorCode::Internal, "staging was interrupted: try again"))?
    .map_err(refused)?;
    if let Some(reason) = &staged.report.downgrade {
        let message = format!(
            "{} is older than a version staged before, and was let in: {reason}",
            staged.reference.id()
        );
        tracing::warn!("{message}");
        let event = PoolEvent::SecurityEvent { code: "PACKAGE_DOWNGRADE".to_owned(), message };
        api.events.publish(api.clock.now(), event);
    }
    let (reference, found) = (staged.reference.clone(), views::report(&staged.report));
    let before = api.algorithms.view.get().staged.as_ref().map(|staged| views::package(&staged.package));
    api.algorithms.stage.ask(StagePackage(staged)).await.map_err(away(&api))?;
    let mut answer = views::package(&reference);
    let after = answer.clone();
    answer["status"] = json!("staged");
    answer["upload"] = json!(upload);
    for (name, value) in found.as_object().into_iter().flatten() {
        answer[name] = value.clone();
    }
    Ok(changed(HttpResponse::Ok().json(answer), before.unwrap_or_default(), after))
}

async fn body_of(mut body: web::Payload, bytes_max: usize) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| ApiError::bad_request(format!("the upload broke off: {error}")))?;
        if bytes.len() + chunk.len() > bytes_max {
            let bytes_max = bytes_max.to_string();
            let known =
                [("what", "the package"), ("bytes_max", &bytes_max), ("key", "algorithms.upload_bytes_max")];
            return Err(ApiError::of(ErrorCode::PayloadTooLarge, &known));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
