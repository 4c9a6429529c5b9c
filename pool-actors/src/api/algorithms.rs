//! `/api/algorithms...` and `/api/deployments...`: what is in force, what is staged, and deploying it.

use std::sync::Arc;

use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, http::header::CONTENT_TYPE, web};
use futures_util::StreamExt as _;
use memchr::memmem;
use pool_domain::{
    isolation::Level,
    rollout::{RollbackReason, RolloutKind, Stage},
    slot_health::SlotCounts,
    units::{BasisPoints, TimeMs},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    Api,
    access::changed,
    errors::{ApiError, ErrorCode},
    pool::before,
    shapes::text,
    sign_in::Who,
    wire::{Object, optional, parse_rfc3339, rfc3339},
};
use crate::{
    messages::deployment::{
        AlgorithmsView, Deploy, DeployError, DeploymentView, PhaseStatus, PhaseView, SlotView, StagePackage,
        StagedView, Steer, SteerDeployment, rollback_code, rollback_message,
    },
    messages::event::PoolEvent,
    ports::{
        deployments::{DeployPlan, Strategy},
        packages::{Package, PackageError, PackageRef, StageReport, StageWish},
    },
    runtime::{outbox::Unanswered, threads::in_background},
};

/// Deployments on a page without `limit`.
const PAGE: usize = 20;
/// Most deployments on a page.
const PAGE_MAX: usize = 100;

/// What a deployment does unless the operator says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployDefaults {
    /// The gradual plan.
    pub plan: DeployPlan,
    /// How long the old generation goes on at the end, milliseconds.
    pub drain_ms: u64,
}

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

/// `GET /api/algorithms/plan`: what a deployment of the staged package would do.
pub(super) async fn plan(
    api: web::Data<Api>,
    wish: web::Query<DeployConfig>,
) -> Result<HttpResponse, ApiError> {
    planned(&api, &wish).await
}

/// `POST /api/algorithms/plan`: the same for the body of a deploy request.
pub(super) async fn plan_of(api: web::Data<Api>, body: web::Bytes) -> Result<HttpResponse, ApiError> {
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

/// Body of a deploy request.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct DeployRequest {
    config: Object<DeployConfig>,
}

/// How to deploy; what is missing is as configured.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct DeployConfig {
    #[schemars(with = "Option<text::StrategyName>")]
    strategy: Option<Strategy>,
    /// Seconds.
    #[schemars(range(min = 0, max = 2_592_000))]
    shadow_duration: Option<f64>,
    /// Percent of the shares.
    #[schemars(range(min = 0, max = 100))]
    shadow_percentage: Option<f64>,
    /// Seconds.
    #[schemars(range(min = 0, max = 2_592_000))]
    phase_duration: Option<f64>,
    /// Percents of the sessions, rising to 100.
    phases: Option<Vec<f64>>,
    /// RFC 3339.
    #[schemars(with = "Option<text::Time>")]
    at: Option<String>,
    rollback_on_error: Option<bool>,
    #[schemars(with = "Option<text::Isolation>")]
    isolation: Option<Level>,
    confirm: Option<String>,
    override_migration_from: bool,
    /// Digest of the package that is meant: another one that was staged meanwhile is refused. Without it, what is staged.
    digest: Option<String>,
    /// Channels of alerts that are told of each step; `dashboard` is told anyhow.
    notification_channels: Vec<String>,
}

/// The channel that is always told: the live feed.
const DASHBOARD: &str = "dashboard";

/// Names of the channels that can be told of deployments: one may have several recipients.
fn channels(api: &Api) -> Vec<String> {
    let mut names: Vec<_> = api.alerts.channels.iter().map(|channel| channel.name.clone()).collect();
    names.dedup();
    names
}

impl DeployConfig {
    fn plan(&self, api: &Api) -> Result<DeployPlan, ApiError> {
        let mut plan = api.deploy_defaults.plan.clone();
        plan.notify = self.notify(api)?;
        plan.strategy = self.strategy.unwrap_or(plan.strategy);
        if let Some(seconds) = self.shadow_duration {
            plan.shadow_ms = whole("shadow_duration", seconds, 1_000.0, 30 * 86_400_000)?;
        }
        if let Some(seconds) = self.phase_duration {
            plan.phase_ms = whole("phase_duration", seconds, 1_000.0, 30 * 86_400_000)?;
        }
        if let Some(percent) = self.shadow_percentage {
            plan.shadow_share = share("shadow_percentage", percent)?;
        }
        if let Some(phases) = &self.phases {
            plan.steps = phases.iter().map(|percent| share("phases", *percent)).collect::<Result<_, _>>()?;
        }
        if plan.strategy == Strategy::Immediate {
            plan.shadow_ms = 0;
            plan.steps = vec![BasisPoints::ALL];
            if self.phase_duration.is_none() {
                plan.phase_ms = 0;
            }
        }
        plan.at = self.at.as_deref().map(time).transpose()?;
        plan.rollback_on_error = self.rollback_on_error.unwrap_or(plan.rollback_on_error);
        Ok(plan)
    }

    fn notify(&self, api: &Api) -> Result<Vec<String>, ApiError> {
        let mut names: Vec<_> =
            self.notification_channels.iter().filter(|name| *name != DASHBOARD).cloned().collect();
        names.sort_unstable();
        names.dedup();
        let known = channels(api);
        let Some(unknown) = names.iter().find(|name| !known.contains(name)) else { return Ok(names) };
        let known: Vec<_> = known.into_iter().chain([DASHBOARD.to_owned()]).collect();
        Err(invalid(format!(
            "config.notification_channels names {unknown:?}, which is none of this pool's channels: {}",
            known.join(", ")
        )))
    }
}

fn invalid(message: String) -> ApiError {
    ApiError::from(DeployError::Plan(message))
}

fn whole(name: &str, value: f64, unit: f64, max: u64) -> Result<u64, ApiError> {
    let scaled = (value * unit).round();
    // Both bounds are exact as floats, and the value is between them.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "checked"
    )]
    if scaled >= 0.0 && scaled <= max as f64 {
        Ok(scaled as u64)
    } else {
        Err(invalid(format!("config.{name} is {value}: it must be 0 or more, and not absurd")))
    }
}

fn share(name: &str, percent: f64) -> Result<BasisPoints, ApiError> {
    let share = whole(name, percent, 100.0, 10_000)?;
    Ok(BasisPoints(u32::try_from(share).unwrap_or(BasisPoints::ALL.0)))
}

fn time(text: &str) -> Result<TimeMs, ApiError> {
    parse_rfc3339(text)
        .ok_or_else(|| invalid(format!("config.at is {text:?}: write it like 2026-11-22T12:00:00Z")))
}

/// `POST /api/algorithms/deploy`.
pub(super) async fn deploy(
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

/// Compiling and trying out code: it must not hold up those who answer miners. `None` = it was interrupted.
async fn heavy<T: Send + 'static>(level: Level, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    if level == Level::Process {
        // The child goes on to serve, and would stay in the background.
        return web::block(work)
            .await
            .inspect_err(|error| tracing::error!(%error, "code could not be tried out"))
            .ok();
    }
    in_background("staging", work)
        .await
        .inspect_err(|error| tracing::error!(%error, "code could not be tried out"))
        .ok()
}

/// What is staged at another level of isolation: its code is loaded and checked anew. `None` = it is at that level.
async fn load_at(api: &Api, level: Level) -> Result<Option<Package>, ApiError> {
    let view = api.algorithms.view.get();
    let staged = view.staged.as_ref().ok_or_else(|| ApiError::from(DeployError::NothingStaged))?;
    let Some(shelf) = api.shelf.clone().filter(|_| staged.report.isolation != level) else {
        return Ok(None);
    };
    let (reference, downgrade) = (staged.package.clone(), staged.report.downgrade.clone());
    let loaded = heavy(level, move || shelf.load(&reference, level)).await;
    let mut package = loaded
        .ok_or_else(|| ApiError::new(ErrorCode::Internal, "loading was interrupted: try again"))?
        .map_err(refused)?;
    package.report.downgrade = downgrade;
    Ok(Some(package))
}

/// `?isolation=LEVEL&allow_downgrade=REASON` of a stage request; what is missing is as configured.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct StageQuery {
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
pub(super) struct ByPath {
    package_path: String,
}

/// `POST /api/algorithms/stage`: multipart with a part `package`, the zip itself, or JSON `package_path`.
pub(super) async fn stage(
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
            let part = header.and_then(|header| multipart_part(header, &bytes, "package"));
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
    let (reference, found) = (staged.reference.clone(), report(&staged.report));
    let before = api.algorithms.view.get().staged.as_ref().map(|staged| self::package(&staged.package));
    api.algorithms.stage.ask(StagePackage(staged)).await.map_err(away(&api))?;
    let mut answer = self::package(&reference);
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

/// The content of one named part of a form (RFC 7578); parts are separated by CRLF, two dashes and the boundary.
fn multipart_part<'a>(content_type: &str, body: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let boundary = content_type.split(';').find_map(|part| part.trim().strip_prefix("boundary="))?;
    let boundary = format!("--{}", boundary.trim_matches('"'));
    let ends = format!("\r\n{boundary}");
    let mut rest = body.get(memmem::find(body, boundary.as_bytes())? + boundary.len()..)?;
    loop {
        let head_end = memmem::find(rest, b"\r\n\r\n")?;
        let head = std::str::from_utf8(&rest[..head_end]).ok()?;
        let content = &rest[head_end + 4..];
        let end = memmem::find(content, ends.as_bytes())?;
        if head.contains(&format!("name=\"{name}\"")) {
            return Some(&content[..end]);
        }
        rest = &content[end + ends.len()..];
    }
}

fn refused(error: PackageError) -> ApiError {
    let fine = ErrorCode::named(&error.code).unwrap_or(ErrorCode::PackageValidationFailed);
    ApiError::finer(fine, error.message).with(json!({
        "package_code": error.code,
        "validation_results": error.checks,
    }))
}

/// `?cursor=&limit=`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// Also as `before`.
    #[serde(alias = "before")]
    cursor: Option<u64>,
    #[schemars(range(min = 1, max = 100))]
    limit: Option<usize>,
}

/// `GET /api/deployments`, newest first.
pub(super) async fn deployments(
    api: web::Data<Api>,
    page: web::Query<Page>,
) -> Result<HttpResponse, ApiError> {
    let limit = match page.limit.unwrap_or(PAGE) {
        limit @ 1..=PAGE_MAX => limit,
        limit => {
            return Err(ApiError::bad_request(format!("limit is {limit}, it must be 1 to {PAGE_MAX}"))
                .with(json!({ "parameter": "limit" })));
        }
    };
    let rows = api.deployments.deployments(before(page.cursor), limit).await?;
    let next = (rows.len() == limit).then(|| rows.last().map(|row| row.id.to_string())).flatten();
    let live = api.algorithms.view.get();
    let items: Vec<Value> = rows
        .iter()
        .map(|row| {
            let live = live.deployment.as_ref().filter(|deployment| deployment.id == row.id);
            deployment(live.unwrap_or(&(api.row_view)(row)))
        })
        .collect();
    Ok(HttpResponse::Ok().json(json!({ "items": items, "next": next })))
}

/// `GET /api/deployments/{id}`, with its trail.
pub(super) async fn one(api: web::Data<Api>, id: web::Path<u64>) -> Result<HttpResponse, ApiError> {
    let id = id.into_inner();
    let missing = || ApiError::new(ErrorCode::NotFound, format!("there is no deployment {id}"));
    let row =
        api.deployments.deployments(before(id.checked_add(1)), 1).await?.into_iter().find(|row| row.id == id);
    let row = row.ok_or_else(missing)?;
    let live = api.algorithms.view.get();
    let live = live.deployment.as_ref().filter(|deployment| deployment.id == id);
    let mut body = deployment(live.unwrap_or(&(api.row_view)(&row)));
    let trail = api.deployments.trail(id).await?;
    body["trail"] = trail
        .iter()
        .map(|line| {
            json!({
                "at": rfc3339(line.at), "action": line.action, "stage": line.stage,
                "traffic_split": percent(line.traffic), "by": line.by, "detail": line.detail,
            })
        })
        .collect();
    Ok(HttpResponse::Ok().json(body))
}

/// Body of a rollback; may be missing.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "RollbackRequest")]
pub(super) struct Reason {
    #[schemars(length(max = 500))]
    reason: Option<String>,
}

/// `POST /api/deployments/{id}/rollback|pause|resume|advance`.
pub(super) async fn steer(
    api: web::Data<Api>,
    who: Who,
    path: web::Path<(u64, String)>,
    body: web::Bytes,
) -> Result<HttpResponse, ApiError> {
    let (id, action) = path.into_inner();
    let steer = match action.as_str() {
        "pause" => Steer::Pause,
        "resume" => Steer::Resume,
        "advance" => Steer::Advance,
        "rollback" => {
            let reason =
                optional::<Reason>(&body)?.reason.unwrap_or_else(|| "an operator asked for it".to_owned());
            if reason.chars().count() > 500 {
                return Err(ApiError::bad_request("reason is longer than 500 characters"));
            }
            Steer::RollBack { reason }
        }
        other => {
            let message = format!("a deployment knows rollback, pause, resume and advance, not {other:?}");
            return Err(ApiError::new(ErrorCode::NotFound, message));
        }
    };
    let order = SteerDeployment { id, steer, by: who.actor.clone() };
    let known = api.algorithms.view.get();
    let known = known.deployment.as_ref().filter(|deployment| deployment.id == id);
    let before = known.map(|view| json!({ "status": state(view) }));
    let view = api.algorithms.steer.ask(order).await.map_err(away(&api))??;
    let after = json!({ "action": action, "status": state(&view) });
    Ok(changed(HttpResponse::Ok().json(deployment(&view)), before.unwrap_or_default(), after))
}

/// The supervisor gave no answer: it is gone because the pool stops, or it died and is made anew.
fn away(api: &Api) -> impl FnOnce(Unanswered) -> ApiError {
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

// Shapes.

fn package(package: &PackageRef) -> Value {
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

fn staged(staged: &StagedView) -> Value {
    let mut body = package(&staged.package);
    let report = report(&staged.report);
    for (name, value) in report.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    body["migration_from"] = json!(staged.replaces);
    body["rollback_supported"] = json!(staged.rollback_supported);
    body
}

fn report(report: &StageReport) -> Value {
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

fn slot(slot: &SlotView) -> Value {
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

fn state(view: &DeploymentView) -> &'static str {
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
fn migration_state(view: &DeploymentView) -> Value {
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
pub(super) fn deployment(view: &DeploymentView) -> Value {
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

fn estimated_s(plan: &DeployPlan, drain_ms: u64) -> Value {
    let steps = u64::try_from(plan.steps.len()).unwrap_or(0);
    seconds(plan.shadow_ms + plan.phase_ms.saturating_mul(steps) + drain_ms)
}

fn seconds(ms: u64) -> Value {
    if ms.is_multiple_of(1_000) { json!(ms / 1_000) } else { json!(ms as f64 / 1_000.0) }
}

fn percent(share: BasisPoints) -> Value {
    if share.0.is_multiple_of(100) { json!(share.0 / 100) } else { json!(f64::from(share.0) / 100.0) }
}

/// Measured over expected; `null` where nothing was promised.
fn score(report: &StageReport) -> Value {
    if report.expected_hashrate == 0 {
        return Value::Null;
    }
    json!(report.hashrate as f64 / report.expected_hashrate as f64)
}

/// Reads a file of the import folder; the error is a sentence.
pub type Import = Arc<dyn Fn(&str) -> Result<Vec<u8>, String> + Send + Sync>;

/// A row of the store as people see it.
pub type RowView = Arc<dyn Fn(&crate::ports::deployments::DeploymentRow) -> DeploymentView + Send + Sync>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_form_is_found_by_its_name() {
        let body = b"--xY\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhi\r\n--xY\r\nContent-Disposition: form-data; \
            name=\"package\"; filename=\"a.zip\"\r\nContent-Type: application/zip\r\n\r\nPK\r\n\x00--\r\n--xY--\r\n";
        let kind = "multipart/form-data; boundary=xY";
        assert_eq!(multipart_part(kind, body, "package"), Some(&b"PK\r\n\x00--"[..]));
        assert_eq!(multipart_part(kind, body, "other"), None);
        assert_eq!(multipart_part("multipart/form-data", body, "package"), None);
        assert_eq!(multipart_part(kind, &body[..body.len() - 10], "package"), None, "cut off");
    }
}
