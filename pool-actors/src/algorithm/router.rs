//! TrafficRouter: owns the route table that every session reads.
//!
//! * **receives** [`EnterRoute`], [`LeaveRoute`], [`Observe`]
//! * **sends** nothing: the table is watched
//! * **supervised by** the supervisor it is started under; the table lives outside, so a restart changes nothing
//! * **on overload** does not arise: routes change when an operator acts

use std::sync::{Arc, Mutex, PoisonError};

use actix::{Actor, Context, Handler, Message, MessageResult};
use pool_domain::ids::Route;

use crate::{
    messages::route::{RouteTable, ValidatorDoor},
    runtime::{
        observe::{Observation, Observe},
        watch::{Publisher, Watched, watched},
    },
};

/// A generation is in service from now on.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct EnterRoute {
    /// Slot and generation.
    pub route: Route,
    /// A door per arbiter.
    pub doors: Vec<ValidatorDoor>,
}

/// A generation is drained and gone: shares for it are answered "Job not found".
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct LeaveRoute(pub Route);

/// Each generation in service, with a door per arbiter.
type Doors = Vec<(Route, Vec<ValidatorDoor>)>;

/// The table itself, which outlives the actor.
#[derive(Clone)]
pub struct Routes {
    doors: Arc<Mutex<Doors>>,
    table: Arc<Publisher<RouteTable>>,
}

impl Routes {
    /// No route yet.
    #[must_use]
    pub fn new() -> Self {
        Self { doors: Arc::default(), table: Arc::new(watched(RouteTable::default()).0) }
    }

    /// What sessions read.
    #[must_use]
    pub fn watched(&self) -> Watched<RouteTable> {
        self.table.watched()
    }

    fn change(&self, change: impl FnOnce(&mut Doors)) {
        let mut doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut doors);
        self.table.set(RouteTable::new(doors.clone()));
    }
}

impl Default for Routes {
    fn default() -> Self {
        Self::new()
    }
}

/// See the module's documentation.
pub struct TrafficRouter {
    routes: Routes,
}

impl TrafficRouter {
    /// A router that publishes to `routes`.
    #[must_use]
    pub fn new(routes: Routes) -> Self {
        Self { routes }
    }
}

impl Actor for TrafficRouter {
    type Context = Context<Self>;
}

impl Handler<EnterRoute> for TrafficRouter {
    type Result = ();

    fn handle(&mut self, entering: EnterRoute, _: &mut Self::Context) {
        self.routes.change(|doors| {
            doors.retain(|(route, _)| *route != entering.route);
            doors.push((entering.route, entering.doors));
        });
    }
}

impl Handler<LeaveRoute> for TrafficRouter {
    type Result = ();

    fn handle(&mut self, LeaveRoute(leaving): LeaveRoute, _: &mut Self::Context) {
        self.routes.change(|doors| doors.retain(|(route, _)| *route != leaving));
    }
}

impl Handler<Observe> for TrafficRouter {
    type Result = MessageResult<Observe>;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Self::Result {
        let routes: Vec<Route> = self.routes.table.get().routes().collect();
        MessageResult(Observation::of(&routes))
    }
}
