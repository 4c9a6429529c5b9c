//! Shapes on the wire.

use pool_domain::{
    rollout::{RollbackReason, Stage},
    slot_health::SlotCounts,
    units::BasisPoints,
};
use serde_json::{Value, json};

use crate::{
    api::{errors::ErrorCode, wire::rfc3339},
    messages::deployment::{
        DeploymentView, PhaseStatus, PhaseView, SlotView, StagedView, rollback_code, rollback_message,
    },
    ports::{
        deployments::DeployPlan,
        packages::{PackageRef, StageReport},
    },
};

pub(super) fn package(package: &PackageRef) -> Value {
    let digest = package.digest();
    json!({
        "algorithm_id": package.id(),
        "name": package.name,
        "version": package.version,
        "hash_function": package.hash_function,
        "source": if digest.is_some() { "package" } else { "linked_in" },
        "digest": digest,
    })
}

pub(super) fn staged(staged: &StagedView) -> Value {
    let mut body = package(&staged.package);
    let report = report(&staged.report);
    for (name, value) in report.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    body["migration_from"] = json!(staged.replaces);
    body["rollback_supported"] = json!(staged.rollback_supported);
    body
}

pub(super) fn report(report: &StageReport) -> Value {
    json!({
        "validation_results": report.checks,
        "benchmark_results": {
            "hashrate": report.hashrate,
            "expected": report.expected_hashrate,
            "performance_score": score(report),
        },
        "isolation": report.isolation,
        "downgrade": report.downgrade,
        "warnings": report.warnings,
        "next_steps": report.next_steps,
    })
}

pub(super) fn slot(slot: &SlotView) -> Value {
    json!({
        "slot": slot.route.slot.0,
        "generation": slot.route.generation.0,
        "algorithm": package(&slot.package),
        "life": slot.life,
        "traffic_split": percent(slot.traffic),
        "in_flight": slot.in_flight,
        "figures": figures(&slot.counts),
    })
}

/// A group in figures.
fn figures(counts: &SlotCounts) -> Value {
    json!({
        "shares": counts.shares,
        "accepted": counts.accepted,
        "low_difficulty": counts.low_difficulty,
        "hashes": counts.hashed(),
        "compared": counts.compared,
        "errors": counts.errors,
        "rescued": counts.rescued,
        "traps": counts.traps,
        "blocks": counts.candidates,
        "median_ns": counts.latency.quantile(BasisPoints(5_000)),
        "p99_ns": counts.latency.quantile(BasisPoints(9_900)),
    })
}

fn phase(phase: &PhaseView) -> Value {
    let status = match phase.status {
        PhaseStatus::Pending => "pending",
        PhaseStatus::Active => "active",
        PhaseStatus::Completed => "completed",
        PhaseStatus::Failed => "failed",
        PhaseStatus::RolledBack => "rolled_back",
    };
    json!({ "name": phase.name, "status": status, "duration": seconds(phase.duration_ms) })
}

pub(super) fn state(view: &DeploymentView) -> &'static str {
    match view.stage {
        Stage::Retired => "completed",
        Stage::RolledBack => "rolled_back",
        _ if view.paused => "paused",
        Stage::Staged if view.plan.at.is_some() => "scheduled",
        Stage::Staged => "pending",
        _ => "running",
    }
}

fn health(view: &DeploymentView) -> Value {
    json!({
        "status": view.health.status,
        "reason": view.health.reason,
        "candidate": figures(&view.health.candidate),
        "control": figures(&view.health.control),
    })
}

/// `migration_state` of the contracts.
pub(super) fn migration_state(view: &DeploymentView) -> Value {
    json!({
        "deployment_id": view.id.to_string(),
        "status": state(view),
        "phase": view.present_phase(),
        "progress": percent(view.progress),
        "traffic_split": percent(view.traffic),
        "phases": view.phases.iter().map(phase).collect::<Vec<_>>(),
        "health": view.health.status,
        "health_reason": view.health.reason,
    })
}

/// A deployment, and `deployment` of the live feed.
pub(in crate::api) fn deployment(view: &DeploymentView) -> Value {
    let rollback = view.rollback.as_ref().map(|reason| {
        let (cause, what) = match reason {
            RollbackReason::WarmUpFailed(what) => ("warm_up_failed", what),
            RollbackReason::HashDiffers(input) => ("hash_differs", input),
            RollbackReason::Unhealthy(what) => ("unhealthy", what),
            RollbackReason::SlotFailed(what) => ("slot_failed", what),
            RollbackReason::NoWork(what) => ("no_work", what),
            RollbackReason::Requested(what) => ("requested", what),
        };
        let code = rollback_code(reason);
        json!({
            "cause": cause,
            "code": code.map(ErrorCode::as_str),
            "documentation_link": code.map(|code| format!("/docs/errors/{}", code.as_str())),
            "message": rollback_message(reason, &view.package, view.evidence.as_ref()),
            "detail": what,
            "input": view.evidence.as_ref().map(|evidence| hex::encode(evidence.input)),
            "got": view.evidence.as_ref().map(|evidence| hex::encode(evidence.got)),
            "expected": view.evidence.as_ref().map(|evidence| hex::encode(evidence.expected)),
        })
    });
    json!({
        "deployment_id": view.id.to_string(),
        "algorithm_id": view.package.id(),
        "algorithm": package(&view.package),
        "replaces": package(&view.replaces),
        "kind": view.kind,
        "strategy": view.plan.strategy,
        "status": state(view),
        "phase": view.present_phase(),
        "progress": percent(view.progress),
        "traffic_split": percent(view.traffic),
        "phases": view.phases.iter().map(phase).collect::<Vec<_>>(),
        "health": health(view),
        "rollback": rollback,
        "rollback_on_error": view.plan.rollback_on_error,
        "notification_channels": view.plan.notify,
        "isolation": view.plan.isolation,
        "at": view.plan.at.map(rfc3339),
        "created_at": rfc3339(view.created_at),
        "updated_at": rfc3339(view.updated_at),
        "by": view.by,
    })
}

pub(super) fn estimated_s(plan: &DeployPlan, drain_ms: u64) -> Value {
    let steps = u64::try_from(plan.steps.len()).unwrap_or(0);
    seconds(plan.shadow_ms + plan.phase_ms.saturating_mul(steps) + drain_ms)
}

pub(super) fn seconds(ms: u64) -> Value {
    if ms.is_multiple_of(1_000) { json!(ms / 1_000) } else { json!(ms as f64 / 1_000.0) }
}

pub(super) fn percent(share: BasisPoints) -> Value {
    if share.0.is_multiple_of(100) { json!(share.0 / 100) } else { json!(f64::from(share.0) / 100.0) }
}

/// Measured over expected; `null` where nothing was promised.
fn score(report: &StageReport) -> Value {
    if report.expected_hashrate == 0 {
        return Value::Null;
    }
    json!(report.hashrate as f64 / report.expected_hashrate as f64)
}
