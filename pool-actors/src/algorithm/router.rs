//! TrafficRouter: owns the route table that every session reads, and the split that jobs are issued with.
//!
//! * **receives** [`SetRoutes`], [`Observe`]
//! * **sends** nothing: the table, and what jobs are issued for, are watched
//! * **supervised by** the supervisor it is started under; the table lives outside, so a restart changes nothing
//! * **on overload** does not arise: routes change when an operator acts

use std::sync::Arc;

use actix::{Actor, Context, Handler, Message, MessageResult};
use pool_domain::ids::Route;

use crate::{
    messages::route::{InService, RouteTable, ValidatorDoor},
    runtime::{
        observe::{Observation, Observe},
        watch::{Publisher, Watched, watched},
    },
};

/// The generations in service, and whose shares go where, from now on: all of it, so that saying it twice does no harm.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct SetRoutes {
    /// Each generation in service, with a door per arbiter. Shares of routes that are not in it are lost with a reason.
    pub doors: Vec<(Route, Vec<ValidatorDoor>)>,
    /// What jobs are issued for.
    pub in_service: InService,
}

/// The table itself, which outlives the actor.
#[derive(Clone)]
pub struct Routes {
    table: Arc<Publisher<RouteTable>>,
    in_service: Arc<Publisher<InService>>,
}

impl Routes {
    /// No route yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            table: Arc::new(watched(RouteTable::default()).0),
            in_service: Arc::new(watched(InService::default()).0),
        }
    }

    /// What sessions read.
    #[must_use]
    pub fn watched(&self) -> Watched<RouteTable> {
        self.table.watched()
    }

    /// What jobs are issued for.
    #[must_use]
    pub fn in_service(&self) -> Watched<InService> {
        self.in_service.watched()
    }

    /// Publishes routes; doors before jobs, so that no job is issued for a route without a door.
    pub fn set(&self, routes: SetRoutes) {
        self.table.set(RouteTable::new(routes.doors));
        if *self.in_service.get() != routes.in_service {
            self.in_service.set(routes.in_service);
        }
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

impl Handler<SetRoutes> for TrafficRouter {
    type Result = ();

    fn handle(&mut self, routes: SetRoutes, _: &mut Self::Context) {
        self.routes.set(routes);
    }
}

impl Handler<Observe> for TrafficRouter {
    type Result = MessageResult<Observe>;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Self::Result {
        let routes: Vec<Route> = self.routes.table.get().routes().collect();
        MessageResult(Observation::of(&routes))
    }
}
