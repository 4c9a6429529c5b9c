//! What moves a deployment: its clock, its figures, its alarms; and what each step does.

use std::{sync::Arc, time::Duration};

use actix::{ActorFutureExt as _, AsyncContext as _, Context, WrapFuture as _};
use pool_domain::{
    catalogue::Code,
    isolation::Level,
    rollout::{Event, RollbackReason, Stage},
    slot_health::SlotHealth,
    units::BasisPoints,
};
use serde_json::json;
use tokio::{sync::oneshot, time::Instant};

use super::{AlgorithmSupervisor, TICKS_PER_EVENT, Warmed, kept::OldRoute};
use crate::{
    algorithm::{
        deployment::is_too_early,
        slot::{Checks, Life, SlotHandle},
        warm_up::warm_up,
    },
    messages::deployment::{DeployError, rollback_code, rollback_message},
    metrics::{DEPLOYMENTS_TOTAL, SLOT_RESTARTS_TOTAL},
    ports::deployments::{DeploymentRow, TrailLine},
    runtime::{outbox::Outbox, threads::Thread},
};

/// Pause before a step is written again that the store did not take; it doubles...
const REWRITE_AFTER: Duration = Duration::from_millis(500);
/// ...up to this.
const REWRITE_AFTER_MAX: Duration = Duration::from_secs(8);

/// Ticks between two questions whether the node gives work of what is staged.
const TICKS_PER_QUESTION: u32 = 50;

/// What a look at a deployment brings.
enum Finding {
    /// Nothing yet.
    Wait,
    /// The step has done what it had to.
    Passed,
    /// Health is bad: the sentence says how.
    Unhealthy(String),
    /// The code does not come back.
    Failed(String),
    /// The node gives no work of its function.
    NoWork(String),
}

impl AlgorithmSupervisor {
    pub(super) fn tick(&mut self, context: &mut Context<Self>) {
        self.ticks = self.ticks.wrapping_add(1);
        self.let_go(context);
        if self.ticks.is_multiple_of(TICKS_PER_QUESTION) && self.deployment().is_none() {
            let asking = self.ask_about_staged();
            context.spawn(asking.into_actor(self).map(|answer, actor, _| actor.note_about_staged(answer)));
        }
        if self.routes_owed {
            self.publish_routes();
        }
        if self.deployment().is_some_and(|deployment| !deployment.writing) {
            self.look(context);
        }
        self.watch_active(context);
        if self.ticks.is_multiple_of(TICKS_PER_EVENT) && self.deployment().is_some() {
            self.publish();
        } else {
            self.publish_view();
        }
    }

    fn look(&mut self, context: &mut Context<Self>) {
        let Some(stage) = self.deployment().map(|deployment| deployment.stage()) else { return };
        match self.find() {
            Finding::Wait => {}
            Finding::Passed => self.step(Event::Passed(stage), "step", context),
            Finding::NoWork(what) => self.fall_back(&RollbackReason::NoWork(what), "pool", context),
            Finding::Failed(what) => {
                if let Some(handle) = self.deployment().and_then(|deployment| deployment.handle.as_ref()) {
                    let slot = handle.route.slot.to_string();
                    metrics::counter!(SLOT_RESTARTS_TOTAL, "slot" => slot, "cause" => "hang").increment(1);
                }
                self.fall_back(&RollbackReason::SlotFailed(what), "pool", context);
            }
            Finding::Unhealthy(what) => {
                let Some(deployment) = self.deployment() else { return };
                if deployment.row.plan.rollback_on_error {
                    self.fall_back(&RollbackReason::Unhealthy(what), "pool", context);
                } else if !deployment.row.rollout.is_paused() {
                    tracing::warn!(what, "a deployment is paused: its health is bad");
                    self.step(Event::Pause, "paused", context);
                }
            }
        }
    }

    fn find(&mut self) -> Finding {
        let settings = self.parts.settings.clone();
        let now = self.parts.clock.now();
        let under_way = self.state.as_ref().and_then(|state| state.deployment.as_ref());
        let lack = under_way.filter(|it| it.is_migration()).and_then(|it| self.lack_of_work(it));
        let has_work = under_way.is_some_and(|it| self.has_work(it));
        let Some(state) = &mut self.state else { return Finding::Wait };
        let (active, Some(deployment)) = (&state.active.handle, &mut state.deployment) else {
            return Finding::Wait;
        };
        let thresholds = deployment.thresholds(&settings.thresholds);
        let stage = deployment.stage();
        let paused = deployment.row.rollout.is_paused();
        if stage == Stage::Staged {
            let early = is_too_early(&deployment.row.plan, now);
            return if early || paused { Finding::Wait } else { Finding::Passed };
        }
        if let Some(what) = lack {
            return Finding::NoWork(what);
        }
        let busy_for = deployment.handle.as_ref().map(SlotHandle::busy_for).unwrap_or_default();
        if busy_for > deployment.hang_after(settings.hang_after) {
            return Finding::Failed(format!(
                "a call into its code did not return for {} ms: its shares went to the last good generation",
                busy_for.as_millis()
            ));
        }
        if !deployment.warmed {
            // Also after a restart of the pool in a later stage: first it shows again what it must.
            if !deployment.warming && deployment.handle.is_none() {
                return Finding::Passed;
            }
            return Finding::Wait;
        }
        match stage {
            // Its first work has come meanwhile.
            Stage::Warm if has_work && !paused => Finding::Passed,
            Stage::Shadow | Stage::Canary(_) => {
                if let SlotHealth::Unhealthy(what) = deployment.judge(active.counts(), &thresholds) {
                    return Finding::Unhealthy(what.clone());
                }
                if deployment.is_short_of_samples(&thresholds)
                    && let Some(handle) = &deployment.handle
                {
                    active.tap(handle.shadow_tap(BasisPoints::ALL));
                }
                if deployment.is_due() && !paused { Finding::Passed } else { Finding::Wait }
            }
            Stage::Draining => {
                // For who looks on: it serves everybody now, and what is bad about it is the recovery's.
                deployment.judge(active.counts(), &thresholds);
                deployment.idle_ticks = if active.in_flight() == 0 { deployment.idle_ticks + 1 } else { 0 };
                let drained = deployment.idle_ticks > 1 && deployment.elapsed() >= settings.drain_for;
                if drained && !paused { Finding::Passed } else { Finding::Wait }
            }
            _ => Finding::Wait,
        }
    }

    /// A step forward (or a pause): written until the store takes it, then acted on.
    fn step(&mut self, event: Event, action: &str, context: &mut Context<Self>) {
        let resumed = self.deployment().is_some_and(|deployment| {
            !deployment.warmed && !deployment.warming && deployment.stage() > Stage::Staged
        });
        if resumed {
            // It was written before the restart.
            self.load(context);
            return;
        }
        let Ok((row, line)) = self.prepare(event, action, "pool") else { return };
        self.write(row, line, context);
    }

    pub(super) fn write(&mut self, row: DeploymentRow, mut line: TrailLine, context: &mut Context<Self>) {
        let (store, errors) = (Arc::clone(&self.parts.store), self.errors());
        let write = async move {
            let (mut attempts, mut pause, detail) = (1u32, REWRITE_AFTER, line.detail.clone());
            while let Err(error) = store.record(row.clone(), line.clone()).await {
                if attempts == 1 {
                    let (id, reason) = (row.id.to_string(), error.to_string());
                    let message =
                        Code::DeploymentStepUnwritten.message(&[("deployment_id", &id), ("reason", &reason)]);
                    let context = json!({ "component": "algorithm", "actor": "AlgorithmSupervisor",
                        "deployment_id": id, "algorithm": row.package.id() });
                    errors.report(Code::DeploymentStepUnwritten, &message, &context);
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(REWRITE_AFTER_MAX);
                attempts += 1;
                // What the pool did about it by itself is part of the trail.
                line.detail = format!("{detail} (written at attempt {attempts})").trim_start().to_owned();
            }
            row
        };
        context.spawn(write.into_actor(self).map(|row, actor, context| {
            actor.written(row, context);
            actor.publish();
        }));
    }

    /// The row and the trail of a change that the state machine allows; nothing has changed yet but that it is being
    /// written.
    pub(super) fn prepare(
        &mut self,
        event: Event,
        action: &str,
        by: &str,
    ) -> Result<(DeploymentRow, TrailLine), DeployError> {
        let now = self.parts.clock.now();
        let Some(deployment) = self.deployment() else { return Err(DeployError::NotUnderWay(0)) };
        let mut row = deployment.row.clone();
        row.rollout.apply(event).map_err(|error| DeployError::Refused(error.to_string()))?;
        // Counted even if this is never written: going back meanwhile must be newer.
        deployment.row.revision += 1;
        row.revision = deployment.row.revision;
        row.updated_at = now;
        deployment.writing = true;
        let detail = deployment.complaint().unwrap_or_default();
        let line = self.trail(&row, action, by, detail);
        Ok((row, line))
    }

    /// A change is on disk: now it counts, unless the deployment fell back meanwhile.
    pub(super) fn written(&mut self, row: DeploymentRow, context: &mut Context<Self>) {
        let Some(state) = &mut self.state else { return };
        let active = state.active.handle.counts();
        let Some(deployment) = &mut state.deployment else { return };
        if deployment.row.id != row.id || deployment.row.revision > row.revision {
            return;
        }
        deployment.writing = false;
        if deployment.stage() == Stage::RolledBack {
            self.finish("rolled_back");
            return;
        }
        let before = deployment.stage();
        deployment.row.updated_at = row.updated_at;
        deployment.put(row.rollout, active);
        if deployment.stage() != before {
            tracing::info!(deployment = row.id, stage = %deployment.stage(), "a deployment took a step");
            self.enact(context);
        }
    }

    /// Does what the stage that was entered is about.
    fn enact(&mut self, context: &mut Context<Self>) {
        let Some(state) = &mut self.state else { return };
        let Some(deployment) = &mut state.deployment else { return };
        let stage = deployment.stage();
        let Some(handle) = &mut deployment.handle else {
            if stage == Stage::Warm {
                self.load(context);
            }
            return;
        };
        match stage {
            Stage::Shadow => {
                handle.set_life(Life::Shadow);
                if deployment.row.plan.shadow_ms > 0 {
                    state.active.handle.tap(handle.shadow_tap(deployment.row.plan.shadow_share));
                }
            }
            Stage::Canary(_) => {
                handle.set_life(Life::Serving);
                state.active.handle.tap(None);
                self.publish_routes();
            }
            Stage::Draining => {
                state.active.handle.tap(None);
                state.active.handle.set_life(Life::Draining);
                handle.set_life(Life::Serving);
                let place = self.parts.place.at(deployment.row.plan.isolation);
                let left_behind = handle.promote(&place);
                context.spawn(left_behind.into_actor(self));
                self.publish_routes();
            }
            Stage::Retired => self.retire(context),
            Stage::Staged | Stage::Warm | Stage::RolledBack => {}
        }
    }

    /// Starts the new generation and lets it show what it must.
    fn load(&mut self, context: &mut Context<Self>) {
        let alarms = Outbox::new("AlgorithmSupervisor", context.address().recipient());
        let under_way = self.state.as_ref().and_then(|state| state.deployment.as_ref());
        let reference = under_way.and_then(|deployment| self.reference_of(deployment));
        let Some(state) = &mut self.state else { return };
        let Some(deployment) = &mut state.deployment else { return };
        let route = deployment.route(state.active.handle.route);
        let place = &self.parts.place;
        let package = deployment.package.clone();
        let checks =
            Checks { reference: reference.clone(), comparable: !deployment.is_migration(), name: "trial" };
        let handle = match SlotHandle::start_trial(place, route, &package.algorithm, &checks, &alarms) {
            Ok(handle) => handle,
            Err(error) => {
                let what = format!("the system refused threads for it ({error})");
                self.fall_back(&RollbackReason::WarmUpFailed(what), "pool", context);
                return;
            }
        };
        handle.set_life(Life::Warm);
        deployment.handle = Some(handle);
        deployment.reference.clone_from(&reference);
        deployment.warming = true;
        let id = deployment.row.id;
        let (tell, told) = oneshot::channel();
        let prove = move || {
            // The supervisor may have given up waiting.
            let _ = tell.send(warm_up(&package, reference.as_ref()));
        };
        let started = match deployment.row.plan.isolation {
            _ if place.trial_arbiters == 0 => {
                prove();
                Ok(())
            }
            // The child goes on to serve, and would stay in the background.
            Level::Process => Thread::spawn("warm-up", prove).map(drop),
            Level::Wasm | Level::InProcess => Thread::spawn_in_background("warm-up", prove).map(drop),
        };
        if let Err(error) = started {
            tracing::warn!(%error, "the system refused a thread");
        }
        let patience = self.parts.settings.warm_up_max;
        let waiting = async move {
            match tokio::time::timeout(patience, told).await {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(_)) => Err("the system refused a thread for it".to_owned().into()),
                Err(_) => Err(format!("it did not end its warm-up within {} s", patience.as_secs()).into()),
            }
        };
        context.spawn(
            waiting
                .into_actor(self)
                .map(move |outcome, actor, context| actor.warmed(Warmed { id, outcome }, context)),
        );
        self.publish_routes();
    }

    pub(super) fn warmed(&mut self, warmed: Warmed, context: &mut Context<Self>) {
        let active = self.state.as_ref().map(|state| state.active.handle.counts()).unwrap_or_default();
        let Some(deployment) = self.deployment() else { return };
        if deployment.row.id != warmed.id || deployment.stage().is_final() {
            return;
        }
        deployment.warming = false;
        match warmed.outcome {
            Err(cold) => {
                deployment.evidence = deployment.evidence.take().or(cold.evidence.map(|evidence| *evidence));
                self.fall_back(&cold.reason, "pool", context);
            }
            Ok(found) => {
                deployment.warmed = true;
                deployment.per_hash = found.per_hash;
                tracing::info!(deployment = warmed.id, ?found, "a generation is warm");
                if deployment.stage() == Stage::Warm {
                    // The next look finds that, and whether there is work of it.
                } else {
                    // Resumed after a restart: the step begins anew.
                    deployment.enter(active);
                    self.enact(context);
                }
            }
        }
    }

    /// Goes back: the new generation gets no more jobs, and what it has is judged by the last good one. Written
    /// afterwards.
    pub(super) fn fall_back(&mut self, reason: &RollbackReason, by: &str, context: &mut Context<Self>) {
        let now = self.parts.clock.now();
        let errors = self.errors();
        let Some(state) = &mut self.state else { return };
        let Some(deployment) = &mut state.deployment else { return };
        let stage = deployment.stage();
        let event = match reason {
            RollbackReason::Requested(why) => Event::RollBack(why.clone()),
            other => Event::Failed(stage, other.clone()),
        };
        let mut rollout = deployment.row.rollout.clone();
        if rollout.apply(event).is_err() {
            return;
        }
        let detail = rollback_message(reason, &deployment.row.package, deployment.evidence.as_ref());
        deployment.fell_at = Some(stage);
        deployment.writing = true;
        deployment.row.revision += 1;
        deployment.row.updated_at = now;
        deployment.put(rollout, state.active.handle.counts());
        state.active.handle.tap(None);
        state.active.handle.set_life(Life::Serving);
        let served = stage > Stage::Shadow;
        let (left, migration) = (deployment.handle.take(), deployment.is_migration());
        let row = deployment.row.clone();
        match rollback_code(reason) {
            Some(code) => {
                let context = json!({ "component": "algorithm", "actor": "AlgorithmSupervisor",
                    "deployment_id": row.id.to_string(), "algorithm": row.package.id(), "stage": stage.to_string() });
                errors.report(code, &detail, &context);
            }
            None => tracing::info!(deployment = row.id, %stage, by, "a deployment is rolled back as asked"),
        }
        match left {
            Some(handle) if migration && served => self.keep_candidate(handle, reason, context),
            Some(handle) if migration => {
                // Nobody got work of it.
                context.spawn(handle.stop().into_actor(self));
            }
            Some(handle) => {
                let function = row.package.hash_function.clone();
                state.old_routes.push(OldRoute { route: handle.route, function, since: Instant::now() });
                let good = state.active.handle.doors();
                self.publish_routes();
                context.spawn(handle.retire(good).into_actor(self));
            }
            None => {}
        }
        self.publish_routes();
        let line = self.trail(&row, "rolled_back", by, format!("at {stage}: {detail}"));
        self.write(row, line, context);
        self.publish();
    }

    /// The new generation takes over for good; the old one ends.
    fn retire(&mut self, context: &mut Context<Self>) {
        let Some(state) = &mut self.state else { return };
        let Some(deployment) = &mut state.deployment else { return };
        let Some(handle) = deployment.handle.take() else { return };
        state.recovery.proven(deployment.row.clone());
        let level = deployment.row.plan.isolation;
        let initial_difficulty = deployment.package.initial_difficulty;
        let package = deployment.row.package.clone();
        let active = super::Active { package, level, initial_difficulty, handle };
        let old = std::mem::replace(&mut state.active, active);
        if state.staged.as_ref().is_some_and(|staged| staged.reference == state.active.package) {
            state.staged = None;
        }
        self.finish("completed");
        self.end_replaced((old.package, old.handle), context);
        self.publish_routes();
    }

    fn finish(&mut self, outcome: &'static str) {
        let Some(state) = &mut self.state else { return };
        let Some(deployment) = state.deployment.take() else { return };
        metrics::counter!(DEPLOYMENTS_TOTAL, "outcome" => outcome).increment(1);
        let mut view = deployment.view();
        view.traffic = deployment.row.rollout.candidate_share();
        tracing::info!(deployment = view.id, outcome, "a deployment is over");
        state.last = Some(view);
    }
}
