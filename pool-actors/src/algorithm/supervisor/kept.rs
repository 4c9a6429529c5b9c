//! Routes: who judges the shares of which jobs. Generations of a function that is not mined any more are kept until no
//! share of their jobs can come: no other function may ever judge those.

use std::sync::Arc;

use actix::{AsyncContext as _, Context, WrapFuture as _};
use pool_domain::{
    ids::{AlgorithmName, Route},
    isolation::Level,
    rollout::{RollbackReason, Stage},
    traffic_split::TrafficSplit,
    units::BasisPoints,
};
use tokio::time::Instant;

use super::{AlgorithmSupervisor, State};
use crate::{
    algorithm::{
        deployment::Deployment,
        router::SetRoutes,
        slot::{Checks, Life, SlotHandle},
        trial::SlotAlarm,
    },
    messages::route::{InService, ValidatorDoor},
    metrics::TRAFFIC_SHARE,
    ports::packages::PackageRef,
    runtime::outbox::Outbox,
};

/// A generation that is gone: its shares are judged by another one of its function.
pub(super) struct OldRoute {
    pub(super) route: Route,
    pub(super) function: String,
    pub(super) since: Instant,
}

/// A generation that gets no more jobs, and judges the shares of its own.
pub(super) struct Kept {
    pub(super) handle: SlotHandle,
    pub(super) package: PackageRef,
    pub(super) since: Instant,
}

impl State {
    /// The newest generation in service that computes a function.
    fn doors_of(&self, function: &str) -> Option<Vec<ValidatorDoor>> {
        let candidate = self.deployment.as_ref().and_then(|deployment| {
            // In an upgrade only a proven one judges what others left.
            let proven = deployment.is_migration() || deployment.stage() == Stage::Draining;
            let computes = deployment.row.package.hash_function == function;
            deployment.handle.as_ref().filter(|_| proven && computes)
        });
        let active = Some(&self.active.handle).filter(|_| self.active.package.hash_function == function);
        let kept = self.kept.iter().rev().find(|kept| kept.package.hash_function == function);
        candidate.or(active).or(kept.map(|kept| &kept.handle)).map(SlotHandle::doors)
    }

    fn in_service(&self) -> InService {
        let active = &self.active.handle;
        let function = AlgorithmName::new(&self.active.package.hash_function)
            .or_else(|_| AlgorithmName::new(active.algorithm().name()))
            .expect("an algorithm in force has a name");
        let initial = self.active.initial_difficulty;
        let mut split = TrafficSplit::whole(active.route);
        if let Some(deployment) = &self.deployment
            && let Some(candidate) = &deployment.handle
        {
            if deployment.is_migration() {
                let in_service = deployment.in_service(&function, active.route, candidate.route);
                let new = deployment.package.initial_difficulty;
                // Once it drains, the new function is the main one.
                let alone = in_service.work.len() == 1 && in_service.functions.main != function;
                return if alone {
                    in_service.beginning_at(new, None)
                } else {
                    in_service.beginning_at(initial, new)
                };
            }
            let share = deployment.traffic();
            if share > BasisPoints::ZERO {
                let salt = deployment.row.id;
                split = TrafficSplit { stable: active.route, candidate: candidate.route, share, salt };
            }
        }
        InService::only(&function, split).beginning_at(initial, None)
    }
}

impl AlgorithmSupervisor {
    /// Tells the router everything that it must know.
    pub(super) fn publish_routes(&mut self) {
        let Some(state) = &self.state else { return };
        let candidate = state.deployment.as_ref().and_then(|deployment| deployment.handle.as_ref());
        let handles = std::iter::once(&state.active.handle).chain(candidate);
        let handles = handles.chain(state.kept.iter().map(|kept| &kept.handle));
        let mut doors: Vec<(Route, Vec<ValidatorDoor>)> =
            handles.map(|handle| (handle.route, handle.doors())).collect();
        let old = state.old_routes.iter();
        doors.extend(old.filter_map(|old| Some((old.route, state.doors_of(&old.function)?))));
        let share = state.deployment.as_ref().map_or(BasisPoints::ZERO, Deployment::traffic);
        let active = state.active.handle.route.slot.0.min(1);
        for (slot, part) in [(active, BasisPoints::ALL.0 - share.0), (1 - active, share.0)] {
            metrics::gauge!(TRAFFIC_SHARE, "slot" => slot.to_string()).set(f64::from(part) / 10_000.0);
        }
        let routes = SetRoutes { doors, in_service: state.in_service() };
        self.routes_owed = self.parts.router.post(routes).is_err();
    }

    /// Lets go of generations that nothing can come for any more.
    pub(super) fn let_go(&mut self, context: &mut Context<Self>) {
        let settings = &self.parts.settings;
        let Some(state) = &mut self.state else { return };
        let before = state.old_routes.len();
        state.old_routes.retain(|old| old.since.elapsed() < settings.old_routes_for);
        self.routes_owed |= state.old_routes.len() < before;
        let over = |kept: &mut Kept| {
            kept.since.elapsed() >= settings.own_jobs_for || kept.handle.busy_for() > settings.hang_after
        };
        let ended: Vec<Kept> = state.kept.extract_if(.., over).collect();
        for kept in ended {
            tracing::info!(route = %kept.handle.route, package = kept.package.id(), "a kept generation ends");
            self.routes_owed = true;
            context.spawn(kept.handle.stop().into_actor(self));
        }
    }

    /// The candidate of a migration gets no more jobs. What it has is judged by its own function: by itself, if it can
    /// still be trusted with that; else by what is linked in, or else by a fresh start of it.
    pub(super) fn keep_candidate(
        &mut self,
        handle: SlotHandle,
        reason: &RollbackReason,
        context: &mut Context<Self>,
    ) {
        let alarms = Outbox::<SlotAlarm>::new("AlgorithmSupervisor", context.address().recipient());
        let place = &self.parts.place.at(Level::Wasm);
        let Some(state) = &mut self.state else { return };
        let Some(deployment) = &state.deployment else { return };
        let failed = matches!(reason, RollbackReason::SlotFailed(_) | RollbackReason::HashDiffers(_));
        let (route, algorithm) = (handle.route, &deployment.package.algorithm);
        let successor = match &deployment.reference {
            _ if !failed => None,
            Some(reference) => Some(SlotHandle::start(place, route, reference)),
            None => {
                let checks = Checks { reference: None, comparable: false, name: "retrial" };
                SlotHandle::start_trial(place, route, algorithm, &checks, &alarms)
                    .inspect_err(
                        |error| tracing::error!(%error, "the system refused threads: shares are lost"),
                    )
                    .ok()
            }
        };
        let (handle, left) = match successor {
            Some(successor) => (successor, Some(handle)),
            None => (handle, None),
        };
        handle.set_life(Life::Draining);
        let doors = handle.doors();
        let package = deployment.row.package.clone();
        state.kept.push(Kept { handle, package, since: Instant::now() });
        if let Some(left) = left {
            context.spawn(left.retire(doors).into_actor(self));
        }
    }

    /// The generation that a migration or an upgrade replaced ends: at once, or when no share of its jobs can come.
    pub(super) fn end_replaced(
        &mut self,
        (package, handle): (PackageRef, SlotHandle),
        context: &mut Context<Self>,
    ) {
        let Some(state) = &mut self.state else { return };
        if package.hash_function != state.active.package.hash_function {
            state.kept.push(Kept { handle, package, since: Instant::now() });
            return;
        }
        let doors = state.active.handle.doors();
        let function = package.hash_function;
        state.old_routes.push(OldRoute { route: handle.route, function, since: Instant::now() });
        context.spawn(handle.retire(doors).into_actor(self));
    }

    pub(super) fn reference_of(&self, deployment: &Deployment) -> Option<Arc<dyn plugin_sdk::PowAlgorithm>> {
        let state = self.state.as_ref()?;
        if deployment.is_migration() {
            (self.parts.linked_in)(&deployment.row.package.hash_function).map(|package| package.algorithm)
        } else {
            Some(Arc::clone(state.active.handle.algorithm()))
        }
    }
}
