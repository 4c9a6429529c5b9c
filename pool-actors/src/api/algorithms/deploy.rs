//! `POST /api/algorithms/deploy`, and what the supervisor refuses.

use actix_web::{HttpResponse, web};
use serde_json::json;

use super::{
    load::load_at,
    views::{estimated_s, package, state},
    wish::DeployRequest,
};
use crate::{
    api::{
        Api,
        access::changed,
        errors::{ApiError, ErrorCode},
        sign_in::Who,
        wire::{Object, optional},
    },
    messages::deployment::{Deploy, DeployError},
    runtime::outbox::Unanswered,
};

/// `POST /api/algorithms/deploy`.
pub(in crate::api) async fn deploy(
    api: web::Data<Api>,
    who: Who,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    let Object(config) = optional::<DeployRequest>(&body)?.config;
    let plan = config.plan(&api)?;
    let loaded = match config.isolation {
        Some(level) => load_at(&api, level).await?,
        None => None,
    };
    let deploy = Deploy {
        plan,
        confirm: config.confirm,
        override_migration_from: config.override_migration_from,
        digest: config.digest,
        loaded,
        by: who.actor.clone(),
    };
    let before = json!({ "active": api.algorithms.view.get().active.as_ref().map(package) });
    let view = api.algorithms.deploy.ask(deploy).await.map_err(away(&api))??;
    let answer = json!({
        "deployment_id": view.id.to_string(),
        "status": state(&view),
        "estimated_duration": estimated_s(&view.plan, api.deploy_defaults.drain_ms),
        "monitoring_url": format!("/api/deployments/{}", view.id),
    });
    let after = json!({ "deployment": answer["deployment_id"], "package": package(&view.package) });
    Ok(changed(HttpResponse::Accepted().json(answer), before, after))
}

/// The supervisor gave no answer: it is gone because the pool stops, or it died and is made anew.
pub(super) fn away(api: &Api) -> impl FnOnce(Unanswered) -> ApiError {
    move |_| match api.shutdown.reason() {
        Some(reason) => ApiError::new(ErrorCode::PoolStopping, reason.to_string()),
        None => restarting(),
    }
}

fn restarting() -> ApiError {
    ApiError::new(ErrorCode::Internal, "the pool's AlgorithmSupervisor is restarting: try again in a second")
}

impl From<DeployError> for ApiError {
    fn from(error: DeployError) -> Self {
        let code = match &error {
            DeployError::NothingStaged => ErrorCode::NoStagedAlgorithm,
            DeployError::StagedChanged { .. } => ErrorCode::StagedAlgorithmChanged,
            DeployError::InProgress(_) => ErrorCode::DeploymentInProgress,
            DeployError::MayNotReplace { .. } | DeployError::NodeLacksFunction { .. } => {
                ErrorCode::MigrationFailed
            }
            DeployError::Unconfirmed(_) => ErrorCode::ConfirmationRequired,
            DeployError::Plan(_) => ErrorCode::DeploymentConfigInvalid,
            DeployError::NotUnderWay(_) => ErrorCode::DeploymentNotUnderWay,
            DeployError::Refused(_) => ErrorCode::DeploymentStepRefused,
            DeployError::Store(_) => ErrorCode::StoreUnavailable,
        };
        let details = match &error {
            DeployError::InProgress(id) | DeployError::NotUnderWay(id) => {
                json!({ "deployment_id": id.to_string() })
            }
            DeployError::MayNotReplace { .. } => json!({ "obstacle": "migration_from" }),
            DeployError::NodeLacksFunction { function, .. } => {
                json!({ "obstacle": "node", "hash_function": function })
            }
            _ => json!({}),
        };
        Self::new(code, error.to_string()).with(details)
    }
}
