//! `/api/algorithms...` and `/api/deployments...`: what is in force, what is staged, and deploying it.
//!
//! | file | holds |
//! |---|---|
//! | `stage` | `POST /api/algorithms/stage`: a package comes in and is checked |
//! | `multipart` | a form's parts, for uploads |
//! | `load` | compiling and trying out code without holding up those who answer miners |
//! | `wish` | how to deploy: the body of a request, and the plan that it means |
//! | `plan` | `/api/algorithms/plan`: what a deployment would do |
//! | `deploy` | `POST /api/algorithms/deploy`, and what the supervisor refuses |
//! | `deployments` | `/api/deployments...`: those that were, one with its trail, steering |
//! | `views` | shapes on the wire |

mod deploy;
mod deployments;
mod load;
mod multipart;
mod plan;
mod stage;
mod views;
mod wish;

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use super::Api;
use crate::{
    messages::deployment::{AlgorithmsView, DeploymentView},
    ports::deployments::{DeployPlan, DeploymentRow},
};

pub(super) use deploy::deploy;
pub(super) use deployments::{Page, Reason, deployments, one, steer};
pub(super) use plan::{plan, plan_of};
pub(super) use stage::{ByPath, StageQuery, stage};
pub(super) use views::deployment;
pub(super) use wish::{DeployConfig, DeployRequest};

use views::{migration_state, package, slot, staged};

/// What a deployment does unless the operator says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployDefaults {
    /// The gradual plan.
    pub plan: DeployPlan,
    /// How long the old generation goes on at the end, milliseconds.
    pub drain_ms: u64,
}

/// Reads a file of the import folder; the error is a sentence.
pub type Import = Arc<dyn Fn(&str) -> Result<Vec<u8>, String> + Send + Sync>;

/// A row of the store as people see it.
pub type RowView = Arc<dyn Fn(&DeploymentRow) -> DeploymentView + Send + Sync>;

/// `GET /api/algorithms`.
pub(super) async fn list(api: web::Data<Api>) -> HttpResponse {
    let view = api.algorithms.view.get();
    HttpResponse::Ok().json(json!({
        "active": view.active.as_ref().map(package),
        "staged": view.staged.as_ref().map(staged),
        "slots": view.slots.iter().map(slot).collect::<Vec<_>>(),
        "can_stage": api.shelf.is_some(),
    }))
}

/// `GET /api/algorithms/status`.
pub(super) async fn status(api: web::Data<Api>) -> HttpResponse {
    let view = api.algorithms.view.get();
    HttpResponse::Ok().json(status_view(&view))
}

fn status_view(view: &AlgorithmsView) -> Value {
    let running = view.deployment.as_ref().filter(|deployment| !deployment.stage.is_final());
    let health = running.map_or_else(
        || json!({ "status": if view.active.is_some() { "healthy" } else { "unknown" }, "reason": null }),
        |deployment| json!({ "status": deployment.health.status, "reason": deployment.health.reason }),
    );
    json!({
        "active_algorithm": view.active.as_ref().map(package),
        "isolation": view.isolation,
        "fallback_algorithm": view.linked_in.as_ref().map(package),
        "staged_algorithm": view.staged.as_ref().map(staged),
        "migration_state": view.deployment.as_ref().map(migration_state),
        "deployment": view.deployment.as_ref().map(deployment),
        "health": health["status"],
        "health_reason": health["reason"],
        "performance_metrics": { "slots": view.slots.iter().map(slot).collect::<Vec<_>>() },
    })
}
