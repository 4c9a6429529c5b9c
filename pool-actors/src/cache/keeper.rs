//! CacheKeeper: says how the cache fares, and keeps the bans of all pools that share it the same.
//!
//! * **receives** [`Observe`]
//! * **sends** alerts; publishes a [`CacheStatus`] in a watch
//! * **supervised by** the factory supervisor; a new one exchanges the whole list
//! * **on overload** one exchange at a time: a slow cache makes bans arrive later, and nothing else
//!
//! The list in the cache may be lost at any time (it was flushed, or is another server now): then its revision is another,
//! and each pool writes again what it knows. What wins is `pool_domain::ban_list`'s business.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use actix::{Actor, ActorFutureExt as _, AsyncContext as _, Context, Handler, WrapFuture as _};
use pool_domain::{
    ban_list::{Ban, BanList, Exchange, exchange},
    catalogue::Code,
    units::TimeMs,
};
use serde::Serialize;
use serde_json::json;

use crate::{
    messages::{
        cache::{BanDesk, CacheStatus},
        trouble::ErrorDesk,
    },
    metrics::CACHE_UP,
    ports::{
        cache::{Cache, CacheError},
        clock::SharedClock,
    },
    runtime::{
        observe::{Observation, Observe},
        watch::Publisher,
    },
};

/// Pause between two looks at the shared list: a ban is in force everywhere well within a second.
const TICK: Duration = Duration::from_millis(250);
/// Failures in a row before it is said that the cache is away: a single late answer is no news.
const FAILURES: u32 = 2;
/// The shared list lives at least so long from its last change on.
const LIST_LIVES_MIN: Duration = Duration::from_secs(60);

/// What a keeper works with.
#[derive(Clone)]
pub struct Parts {
    /// The cache.
    pub cache: Cache,
    /// The bans in force.
    pub bans: Arc<dyn BanDesk>,
    /// Where it says how the cache fares.
    pub status: Arc<Publisher<CacheStatus>>,
    /// Where it reports that the cache is away.
    pub errors: ErrorDesk,
    /// Time.
    pub clock: SharedClock,
}

/// See the module's documentation.
pub struct CacheKeeper {
    parts: Parts,
    seen: Option<Seen>,
    failures: u32,
    exchanges: u64,
}

/// What was the same on both sides after the last exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    revision: Option<u64>,
    changes: u64,
}

/// What a keeper says about itself.
#[derive(Debug, Serialize)]
struct State {
    cache: CacheStatus,
    exchanges: u64,
}

impl CacheKeeper {
    /// A keeper that knows nothing of the shared list yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self { parts, seen: None, failures: 0, exchanges: 0 }
    }

    fn look(&mut self, context: &mut Context<Self>) {
        let (parts, seen) = (self.parts.clone(), self.seen);
        let look = async move { meet(&parts, seen).await };
        let look = look.into_actor(self).map(|met, keeper, context| {
            keeper.take_in(met);
            context.run_later(TICK, Self::look);
        });
        context.spawn(look);
    }

    fn take_in(&mut self, met: Result<Seen, CacheError>) {
        match met {
            Ok(seen) => {
                if self.seen != Some(seen) {
                    self.exchanges += 1;
                }
                self.seen = Some(seen);
                self.failures = 0;
                self.is_well();
            }
            Err(error) => {
                // Whatever is there when it is back: all of it is looked at.
                self.seen = None;
                self.failures = self.failures.saturating_add(1);
                if self.failures >= FAILURES {
                    self.is_away(&error);
                }
            }
        }
    }

    fn is_well(&self) {
        metrics::gauge!(CACHE_UP).set(1.0);
        let status = self.parts.status.get();
        if status.error.is_some() {
            let now = self.parts.clock.now();
            tracing::info!("the cache is back after {} ms", now.since(status.since));
            self.parts.status.set(CacheStatus { error: None, since: now, name: status.name });
        }
    }

    fn is_away(&self, error: &CacheError) {
        metrics::gauge!(CACHE_UP).set(0.0);
        let status = self.parts.status.get();
        let said = error.to_string();
        if status.error.is_none() {
            // Where it is and what it said is for the log.
            let context = json!({ "component": "cache", "actor": "cache-keeper" });
            self.parts.errors.raise(Code::CacheUnavailable, &said, &context);
            let since = self.parts.clock.now();
            self.parts.status.set(CacheStatus { error: Some(said), since, name: status.name });
        }
    }
}

/// Looks whether anything is new on either side, and if so makes both the same.
async fn meet(parts: &Parts, seen: Option<Seen>) -> Result<Seen, CacheError> {
    let (cache, now) = (&parts.cache, parts.clock.now());
    if !cache.is_shared() {
        cache.ping().await?;
        return Ok(Seen { revision: None, changes: 0 });
    }
    let changes = parts.bans.changes();
    let met = Seen { revision: cache.bans_revision().await?, changes };
    if seen == Some(met) {
        return Ok(met);
    }
    let table = cache.bans::<Ban>().await?;
    let by_address = |(text, ban): (&String, &Ban)| Some((text.parse::<IpAddr>().ok()?, *ban));
    let theirs: BanList = table.fields.iter().filter_map(by_address).collect();
    let Exchange { take, give, over } = exchange(&parts.bans.list(), &theirs, now);
    if !take.is_empty() {
        tracing::info!(addresses = take.len(), "bans of other pools are in force here");
        parts.bans.take(&take);
    }
    if !give.is_empty() {
        let lives = lives(theirs.values().chain(give.values()), now);
        let give: BTreeMap<String, Ban> =
            give.into_iter().map(|(address, ban)| (address.to_string(), ban)).collect();
        let over = over.iter().map(ToString::to_string).collect();
        cache.change_bans(&give, over, rand::random(), lives).await?;
    }
    // Our own change gave it another revision: the next look finds out what else came in between.
    Ok(Seen { revision: table.revision, changes })
}

/// As long as the longest ban.
fn lives<'a>(bans: impl Iterator<Item = &'a Ban>, now: TimeMs) -> Duration {
    let longest = bans.map(|ban| ban.until.since(now)).max().unwrap_or(0);
    Duration::from_millis(longest).max(LIST_LIVES_MIN)
}

impl Actor for CacheKeeper {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.look(context);
    }
}

impl Handler<Observe> for CacheKeeper {
    type Result = Observation;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Observation {
        let cache = CacheStatus::clone(&self.parts.status.get());
        Observation::of(&State { cache, exchanges: self.exchanges })
    }
}
