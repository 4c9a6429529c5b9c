//! `/api/algorithms/plan`: what a deployment of the staged package would do.

use actix_web::{HttpResponse, web};
use pool_domain::{rollout::RolloutKind, units::BasisPoints};
use serde_json::{Value, json};

use super::{
    views::{estimated_s, package, percent, seconds},
    wish::{DeployConfig, DeployRequest, channels},
};
use crate::{
    api::{
        Api,
        errors::ApiError,
        wire::{optional, rfc3339},
    },
    messages::deployment::DeployError,
    ports::deployments::DeployPlan,
};

/// `GET /api/algorithms/plan`: what a deployment of the staged package would do.
pub(in crate::api) async fn plan(
    api: web::Data<Api>,
    wish: web::Query<DeployConfig>,
) -> Result<HttpResponse, ApiError> {
    planned(&api, &wish).await
}

/// `POST /api/algorithms/plan`: the same for the body of a deploy request.
pub(in crate::api) async fn plan_of(api: web::Data<Api>, body: web::Bytes) -> Result<HttpResponse, ApiError> {
    planned(&api, &optional::<DeployRequest>(&body)?.config.0).await
}

async fn planned(api: &Api, wish: &DeployConfig) -> Result<HttpResponse, ApiError> {
    let view = api.algorithms.view.get();
    let staged = view.staged.as_ref().ok_or_else(|| ApiError::from(DeployError::NothingStaged))?;
    let plan = wish.plan(api)?;
    let kind = match &view.active {
        Some(active) if active.hash_function == staged.package.hash_function => RolloutKind::Upgrade,
        _ => RolloutKind::Migration,
    };
    let busy = view.deployment.as_ref().is_some_and(|deployment| !deployment.stage.is_final());
    let mut obstacles = Vec::new();
    let mut warnings = staged.report.warnings.clone();
    let may = view.active.as_ref().and_then(|active| staged.may_not_replace(active));
    match &may {
        Some(may) if wish.override_migration_from => warnings.push(format!(
            "its author lets it replace only {may}; that it is deployed all the same is kept in the trail"
        )),
        Some(may) => obstacles.push(format!(
            "its author lets it replace only {may}: deploy it all the same with override_migration_from"
        )),
        None => {}
    }
    let migration = match &view.active {
        Some(active) if kind == RolloutKind::Migration => {
            obstacles.extend(staged.no_work.clone());
            let who = who_can(api, &staged.package.hash_function).await;
            if who.staying > 0 {
                let (from, to) = (&active.hash_function, &staged.package.hash_function);
                warnings.push(format!(
                    "{} of {} miners did not say that they can do {to}: they stay connected, without work once {from} ends",
                    who.staying,
                    who.staying + who.moving
                ));
            }
            Some(json!({ "moving": who.moving, "staying": who.staying }))
        }
        _ => None,
    };
    if busy {
        obstacles.push("another deployment is under way".to_owned());
    }
    Ok(HttpResponse::Ok().json(json!({
        "from": view.active.as_ref().map(package),
        "to": package(&staged.package),
        "kind": kind,
        "strategy": plan.strategy,
        "phases": plan_phases(&plan),
        "shadow_percentage": percent(plan.shadow_share),
        "isolation": wish.isolation.unwrap_or(staged.report.isolation),
        "rollback_on_error": plan.rollback_on_error,
        "notification_channels": plan.notify,
        "channels": channels(api),
        "at": plan.at.map(rfc3339),
        "estimated_duration": estimated_s(&plan, api.deploy_defaults.drain_ms),
        "needs_confirmation": !staged.rollback_supported,
        "needs_override": may,
        "obstacles": obstacles,
        "warnings": warnings,
        "sessions": migration,
    })))
}

/// Sessions that a migration moves, and those that it can't.
struct Miners {
    moving: usize,
    staying: usize,
}

async fn who_can(api: &Api, function: &str) -> Miners {
    let sessions = api.sessions.list().await;
    let can = |able: &Vec<String>| able.iter().any(|name| name == function);
    let moving = sessions.iter().filter(|session| session.algorithms.as_ref().is_some_and(can)).count();
    Miners { moving, staying: sessions.len() - moving }
}

fn plan_phases(plan: &DeployPlan) -> Vec<Value> {
    let phase = |name: String, ms: u64, traffic: BasisPoints| json!({ "name": name, "duration": seconds(ms), "traffic_split": percent(traffic) });
    let mut phases = vec![
        phase("warm".into(), 0, BasisPoints::ZERO),
        phase("shadow".into(), plan.shadow_ms, BasisPoints::ZERO),
    ];
    let steps = plan.steps.iter().map(|share| phase(format!("{}%", percent(*share)), plan.phase_ms, *share));
    phases.extend(steps);
    phases.push(phase("draining".into(), 0, BasisPoints::ALL));
    phases
}
