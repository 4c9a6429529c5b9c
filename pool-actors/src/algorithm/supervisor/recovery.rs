//! What the pool does by itself when the algorithm in force gives no hash for shares (a trap, a child process that died).
//!
//! No share suffers meanwhile: the linked-in code of the same function judges it. The code is loaded anew, with pauses
//! that grow; if that does not help, the last stable algorithm takes over. Both are lines of a deployment's trail, so a
//! restart knows of them.

use std::time::Duration;

use actix::{ActorFutureExt as _, AsyncContext as _, Context, WrapFuture as _};
use pool_domain::{
    catalogue::Code,
    ids::{Generation, Route, SlotId},
    isolation::Level,
    rollout::{Event, Rollout, RolloutKind},
    units::BasisPoints,
};
use serde_json::json;
use tokio::{sync::oneshot, time::Instant};

use super::{Active, AlgorithmSupervisor, kept::OldRoute};
use crate::{
    algorithm::{
        deployment::rollout_plan,
        slot::{Life, SlotHandle},
    },
    ports::{
        deployments::{DeployPlan, DeploymentRow, Strategy},
        packages::{Package, PackageRef, PackageSource},
    },
    runtime::threads::Thread,
};

/// Reloads in a row before the last stable algorithm takes over.
const RELOADS_MAX: u32 = 2;
/// Pause after the first reload; it doubles.
const PAUSE: Duration = Duration::from_secs(2);
/// After so long without a failure, all is forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(600);

/// What is known of the algorithm in force.
#[derive(Default)]
pub(super) struct Recovery {
    /// Shares of the present generation that others had to judge, as far as that was looked at.
    seen: u64,
    reloads: u32,
    last: Option<Instant>,
    busy: bool,
    /// The deployment that brought what is in force.
    pub(super) brought_by: Option<DeploymentRow>,
}

impl Recovery {
    /// Another generation is in force, by a deployment that proved it.
    pub(super) fn proven(&mut self, row: DeploymentRow) {
        *self = Self { brought_by: Some(row), ..Self::default() };
    }

    /// Whether something is to be done about failures now.
    fn is_due(&self) -> bool {
        let pause = PAUSE * 2u32.pow(self.reloads.min(8));
        !self.busy && self.last.is_none_or(|last| self.reloads == 0 || last.elapsed() >= pause)
    }
}

impl AlgorithmSupervisor {
    /// Looks at the algorithm in force; called at every tick.
    pub(super) fn watch_active(&mut self, context: &mut Context<Self>) {
        let Some(state) = &mut self.state else { return };
        let (rescued, recovery) = (state.active.handle.counts().rescued, &mut state.recovery);
        if recovery.last.is_some_and(|last| last.elapsed() > FORGET_AFTER) {
            (recovery.reloads, recovery.last) = (0, None);
        }
        // One thing at a time: a deployment under way compares with what is in force.
        if rescued <= recovery.seen || !recovery.is_due() || state.deployment.is_some() {
            return;
        }
        let news = rescued - recovery.seen;
        recovery.seen = rescued;
        let package = state.active.package.clone();
        if package.source == PackageSource::LinkedIn {
            return;
        }
        recovery.last = Some(Instant::now());
        recovery.busy = true;
        let reload = recovery.reloads < RELOADS_MAX;
        recovery.reloads += 1;
        let level = state.active.level;
        let message = Code::ActiveAlgorithmFailed
            .message(&[("algorithm", &package.id()), ("errors", &news.to_string())]);
        let where_to = json!({ "component": "algorithm", "actor": "AlgorithmSupervisor", "algorithm": package.id(),
            "recovery": if reload { "reload" } else { "fall_back" } });
        self.errors().report(Code::ActiveAlgorithmFailed, &message, &where_to);
        if reload {
            self.load_again(package, level, message, context);
        } else {
            self.go_back(message, context);
        }
    }

    fn load_again(&self, package: PackageRef, level: Level, why: String, context: &mut Context<Self>) {
        self.fetch(package, level, context, move |actor, loaded, context| match loaded {
            Ok(package) => {
                let row = actor.state.as_ref().and_then(|state| state.recovery.brought_by.clone());
                let generation = actor.take_over(&package, level, context);
                if let (Some(mut row), Some(generation)) = (row, generation) {
                    row.generation = generation;
                    row.revision += 1;
                    actor.keep(row, "reloaded", why, context);
                }
            }
            Err(what) => actor.go_back(format!("{why}; it can't be loaded anew: {what}"), context),
        });
    }

    /// The last stable algorithm takes over: what was in force before, or the linked-in code.
    fn go_back(&mut self, why: String, context: &mut Context<Self>) {
        let Some(state) = &mut self.state else { return };
        state.recovery.busy = true;
        let before = state.recovery.brought_by.as_ref().map(|row| row.replaces.clone());
        // Of the same function: another one could not judge its shares, and its miners do not work on that.
        let active = &state.active.package;
        let before =
            before.filter(|before| *before != *active && before.hash_function == active.hash_function);
        let (Some(before), Some(linked_in)) = (before, self.linked_in()) else {
            self.fall_back_to(self.linked_in(), why, context);
            return;
        };
        if before.source == PackageSource::LinkedIn {
            self.fall_back_to(Some(linked_in), why, context);
            return;
        }
        self.fetch(before, Level::Wasm, context, move |actor, loaded, context| {
            let package = loaded.unwrap_or(linked_in);
            actor.fall_back_to(Some(package), why, context);
        });
    }

    fn fall_back_to(&mut self, package: Option<Package>, why: String, context: &mut Context<Self>) {
        let Some(package) = package else {
            tracing::error!(why, "there is nothing to fall back to");
            return;
        };
        let Some(replaces) = self.state.as_ref().map(|state| state.active.package.clone()) else { return };
        let Some(generation) = self.take_over(&package, Level::Wasm, context) else { return };
        if let Some(row) = self.fallen_back(&package.reference, replaces, generation) {
            self.keep(row, "fell_back", why, context);
        }
    }

    /// A deployment that is over as soon as it begins, so that a restart puts the same in force.
    fn fallen_back(
        &mut self,
        package: &PackageRef,
        replaces: PackageRef,
        generation: u32,
    ) -> Option<DeploymentRow> {
        let plan = DeployPlan {
            strategy: Strategy::Immediate,
            shadow_ms: 0,
            phase_ms: 0,
            shadow_share: BasisPoints::ZERO,
            steps: vec![BasisPoints::ALL],
            at: None,
            rollback_on_error: true,
            notify: Vec::new(),
            isolation: Level::Wasm,
        };
        let mut rollout = Rollout::new(RolloutKind::Upgrade, rollout_plan(&plan).ok()?);
        while !rollout.stage().is_final() {
            rollout.apply(Event::Passed(rollout.stage())).ok()?;
        }
        let now = self.parts.clock.now();
        let state = self.state.as_mut()?;
        let row = DeploymentRow {
            id: state.next_id,
            revision: 1,
            package: package.clone(),
            replaces,
            generation,
            plan,
            rollout,
            created_at: now,
            updated_at: now,
            by: "pool".to_owned(),
        };
        state.next_id += 1;
        Some(row)
    }

    /// Puts a generation in force at once; the old one's shares go to it.
    fn take_over(&mut self, package: &Package, level: Level, context: &mut Context<Self>) -> Option<u32> {
        let state = self.state.as_mut()?;
        state.recovery.busy = false;
        state.recovery.seen = 0;
        let generation = state.next_generation;
        state.next_generation += 1;
        let route = Route {
            slot: SlotId(1 - state.active.handle.route.slot.0.min(1)),
            generation: Generation(generation),
        };
        let handle = SlotHandle::start(&self.parts.place.at(level), route, &package.algorithm);
        handle.set_life(Life::Serving);
        let initial_difficulty = package.initial_difficulty;
        let active = Active { package: package.reference.clone(), level, initial_difficulty, handle };
        let old = std::mem::replace(&mut state.active, active);
        let function = package.reference.hash_function.clone();
        state.old_routes.push(OldRoute { route: old.handle.route, function, since: Instant::now() });
        let doors = state.active.handle.doors();
        tracing::warn!(algorithm = package.reference.id(), %route, "in force again");
        self.publish_routes();
        context.spawn(old.handle.retire(doors).into_actor(self));
        self.publish();
        Some(generation)
    }

    fn keep(&mut self, row: DeploymentRow, action: &str, why: String, context: &mut Context<Self>) {
        if let Some(state) = &mut self.state {
            state.recovery.brought_by = Some(row.clone());
        }
        let line = self.trail(&row, action, "pool", why);
        self.write(row, line, context);
    }

    /// Loads a package on a thread of its own.
    fn fetch(
        &self,
        reference: PackageRef,
        level: Level,
        context: &mut Context<Self>,
        then: impl FnOnce(&mut Self, Result<Package, String>, &mut Context<Self>) + 'static,
    ) {
        let shelf = self.parts.shelf.clone();
        let (tell, told) = oneshot::channel();
        let load = move || {
            let loaded = match shelf {
                Some(shelf) => shelf.load(&reference, level).map_err(|error| error.to_string()),
                None => Err("this pool keeps no packages".to_owned()),
            };
            // The supervisor may be gone.
            let _ = tell.send(loaded);
        };
        if self.parts.place.trial_arbiters == 0 {
            load();
        } else if let Err(error) = Thread::spawn("reload", load) {
            tracing::warn!(%error, "the system refused a thread");
        }
        let loaded =
            async { told.await.unwrap_or_else(|_| Err("the system refused a thread for it".to_owned())) };
        context.spawn(loaded.into_actor(self).map(then_with(then)));
    }
}

/// Hands what was loaded on, with the actor in the order that methods have.
fn then_with<T>(
    then: impl FnOnce(&mut AlgorithmSupervisor, T, &mut Context<AlgorithmSupervisor>) + 'static,
) -> impl FnOnce(T, &mut AlgorithmSupervisor, &mut Context<AlgorithmSupervisor>) {
    move |loaded, actor, context| then(actor, loaded, context)
}
