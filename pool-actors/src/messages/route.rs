//! Which validator takes the shares of a job: the table that sessions read per batch and supervisors replace as a whole.

use pool_domain::ids::Route;

use super::share::ValidateBatch;
use crate::runtime::outbox::Outbox;

/// Validators by route and arbiter. Published through [`crate::runtime::watch`]: a reader holds one version for one
/// batch, never an address for longer.
#[derive(Debug, Default)]
pub struct RouteTable {
    routes: Vec<(Route, Vec<Outbox<ValidateBatch>>)>,
}

impl RouteTable {
    /// A table of these routes, each with one outbox per arbiter (by seat number).
    #[must_use]
    pub fn new(routes: Vec<(Route, Vec<Outbox<ValidateBatch>>)>) -> Self {
        Self { routes }
    }

    /// The validator of `route` for sessions of arbiter `arbiter`. With fewer validators than arbiters (a slot that runs
    /// off the sessions' arbiters) they are shared in turn. `None` once the route is retired.
    #[must_use]
    pub fn validator(&self, route: Route, arbiter: usize) -> Option<&Outbox<ValidateBatch>> {
        // A handful of routes at most: a scan beats a map.
        let (_, outboxes) = self.routes.iter().find(|(known, _)| *known == route)?;
        outboxes.get(arbiter % outboxes.len().max(1))
    }

    /// The routes that still take shares.
    pub fn routes(&self) -> impl Iterator<Item = Route> + '_ {
        self.routes.iter().map(|(route, _)| *route)
    }
}
