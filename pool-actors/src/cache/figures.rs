//! FigureKeeper: keeps the pool's figures of the last minutes in the cache, so that a restart does not begin with an empty
//! graph.
//!
//! * **receives** [`Observe`]
//! * **sends** nothing; writes to the cache
//! * **supervised by** the factory supervisor
//! * **on overload** one write at a time, the newest figures win

use std::time::Duration;

use actix::{Actor, ActorFutureExt as _, AsyncContext as _, Context, Handler, WrapFuture as _};
use pool_domain::units::TimeMs;
use serde::Serialize;

use crate::{
    messages::live::{HistoryPoint, PoolSnapshot},
    ports::cache::Cache,
    runtime::{
        observe::{Observation, Observe},
        watch::Watched,
    },
};

/// How often figures are kept.
const TICK: Duration = Duration::from_secs(2);
/// How long, and how far back a restart shows them.
const LIVES: Duration = Duration::from_secs(600);

/// As it is kept: time, hashes per second (text: it may exceed what JSON's readers count to), shares per 1,000 seconds.
type Kept = Vec<(u64, String, u64)>;

fn name(node: &str) -> String {
    format!("figures:{node}")
}

/// The history that a pool of this node kept before, oldest first, if it is not too old to be shown.
pub async fn kept(cache: &Cache, node: &str, now: TimeMs) -> Vec<HistoryPoint> {
    let kept: Kept = cache.kept(&name(node)).await.ok().flatten().unwrap_or_default();
    let points = kept.into_iter().filter_map(|(at, hashrate, shares_per_1000_s)| {
        Some(HistoryPoint { at: TimeMs(at), hashrate: hashrate.parse().ok()?, shares_per_1000_s })
    });
    points.filter(|point| point.at <= now && u128::from(now.since(point.at)) < LIVES.as_millis()).collect()
}

/// See the module's documentation.
pub struct FigureKeeper {
    cache: Cache,
    node: String,
    snapshot: Watched<PoolSnapshot>,
    written: u64,
}

/// What a keeper says about itself.
#[derive(Debug, Serialize)]
struct State {
    written: u64,
}

impl FigureKeeper {
    /// A keeper of what `snapshot` shows.
    #[must_use]
    pub fn new(cache: Cache, node: String, snapshot: Watched<PoolSnapshot>) -> Self {
        Self { cache, node, snapshot, written: 0 }
    }

    fn keep(&mut self, context: &mut Context<Self>) {
        let history = self.snapshot.get().history.clone();
        let kept: Kept = history
            .iter()
            .map(|point| (point.at.0, point.hashrate.to_string(), point.shares_per_1000_s))
            .collect();
        let (cache, name) = (self.cache.clone(), name(&self.node));
        let keep = async move { kept.is_empty() || cache.keep(&name, &kept, LIVES).await.is_ok() };
        context.spawn(keep.into_actor(self).map(|is_kept, keeper, context| {
            keeper.written += u64::from(is_kept);
            context.run_later(TICK, Self::keep);
        }));
    }
}

impl Actor for FigureKeeper {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_later(TICK, Self::keep);
    }
}

impl Handler<Observe> for FigureKeeper {
    type Result = Observation;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Observation {
        Observation::of(&State { written: self.written })
    }
}
