//! The configured cache: the process's own memory, or Redis.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use pool_domain::{
    ban_list::{Ban, BanList},
    units::TimeMs,
};

use super::{
    database::Running,
    start::{Wiring, restarting},
};
use crate::{
    adapters::{
        StoreThread,
        cache_memory::MemoryCache,
        cache_redis::{RedisCache, RedisSettings},
    },
    api,
    cache::{
        figures::FigureKeeper,
        keeper::{self, CacheKeeper},
        relay::{self, EventRelay},
    },
    config::{Config, Secret},
    error::{Code, Failure},
    messages::{
        cache::{BanDesk, CacheStatus},
        live::{Events, PoolSnapshot},
        trouble::ErrorDesk,
    },
    ports::{cache::Cache, clock::SharedClock},
    runtime::{
        Runtime,
        supervisor::{Supervised, supervise},
        watch::{Publisher, Watched},
    },
    stratum::gate::SharedGate,
};

/// A thread of an adapter, with its name.
type Named = (&'static str, StoreThread);

/// What people call the cache in their own process.
const MEMORY: &str = "memory:";

fn settings(config: &Config) -> Result<Option<RedisSettings>, Failure> {
    let url = config.cache.url.reveal()?;
    if url == MEMORY {
        return Ok(None);
    }
    let password = config.cache.password.as_ref().map(Secret::reveal).transpose()?;
    let mut settings = RedisSettings::new(&url, password.as_deref()).map_err(|what| {
        Failure::new(
            Code::ConfigInvalid,
            format!("cache.url ({}): {what}", config.cache.url),
            "write memory: or redis://host:port",
        )
    })?;
    if !config.cache.ca_file.as_os_str().is_empty() {
        settings.trust(&config.cache.ca_file).map_err(|what| {
            let advice = "name the file (PEM) of whoever signed the servers' certificates";
            Failure::new(Code::ConfigInvalid, format!("cache.ca_file: {what}"), advice)
        })?;
    }
    settings.timeout = Duration::from_millis(config.cache.timeout_ms);
    settings.connect_timeout = settings.timeout.max(settings.connect_timeout);
    Ok(Some(settings))
}

fn redis(config: &Config, settings: RedisSettings) -> Result<(RedisCache, Named), Failure> {
    RedisCache::open(settings).map_err(|error| unusable(config, &error))
}

fn unusable(config: &Config, error: &crate::ports::cache::CacheError) -> Failure {
    Failure::new(
        Code::CacheUnusable,
        format!("the cache {} can't be used ({error})", config.cache.url),
        "start it, and check cache.url and cache.password; the pool runs without it, and shares no bans meanwhile",
    )
}

/// Opens the configured cache, which may be away.
pub(super) fn open(config: &Config) -> Result<(Cache, Option<Named>), Failure> {
    let prefix = &config.cache.prefix;
    match settings(config)? {
        None => Ok((Cache::new(Arc::new(MemoryCache::default()), prefix), None)),
        Some(settings) => {
            let (cache, thread) = redis(config, settings)?;
            Ok((Cache::new(Arc::new(cache), prefix), Some(thread)))
        }
    }
}

/// Whether the configured cache can be used, and what it is.
pub(super) async fn probe(config: &Config) -> Result<String, Failure> {
    let Some(settings) = settings(config)? else { return Ok("in memory, for this pool alone".to_owned()) };
    let (cache, thread) = redis(config, settings)?;
    let _thread = Running::start(vec![thread])?;
    cache.probe().await.map_err(|error| unusable(config, &error))
}

/// The gate's bans, as others exchange them.
pub(super) struct Bans {
    pub(super) gate: SharedGate,
    pub(super) clock: SharedClock,
    /// What operators said here, by address and moment.
    pub(super) words: Mutex<BTreeMap<IpAddr, (TimeMs, String)>>,
}

impl BanDesk for Bans {
    fn forbid(&self, address: IpAddr, for_ms: u64, why: &str) -> (IpAddr, Ban) {
        let now = self.clock.now();
        let (address, ban) = self.gate.forbid(address, for_ms, now);
        metrics::counter!(crate::metrics::BANS_TOTAL, "reason" => ban.reason.label()).increment(1);
        let known = self.gate.bans(now);
        let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        // As bounded as the bans are.
        words.retain(|address, _| known.contains_key(address));
        words.insert(address, (ban.decided_at, why.to_owned()));
        (address, ban)
    }

    fn words(&self, address: IpAddr, ban: &Ban) -> Option<String> {
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        words.get(&address).filter(|(at, _)| *at == ban.decided_at).map(|(_, words)| words.clone())
    }

    fn list(&self) -> BanList {
        self.gate.bans(self.clock.now())
    }

    fn changes(&self) -> u64 {
        self.gate.ban_changes()
    }

    fn take(&self, bans: &BanList) {
        self.gate.take_bans(bans, self.clock.now());
    }

    fn lift(&self, address: IpAddr) -> bool {
        self.gate.pardon(address, self.clock.now())
    }
}

/// Whatever works with the cache behind the miners' backs.
pub(super) struct Keepers {
    bans: Supervised<CacheKeeper>,
    figures: Supervised<FigureKeeper>,
    relay: Option<Supervised<EventRelay>>,
}

impl Keepers {
    pub(super) async fn stop(self) {
        if let Some(relay) = self.relay {
            relay.stop().await;
        }
        self.figures.stop().await;
        self.bans.stop().await;
    }
}

/// What follows the pool's events and figures.
pub(super) fn start(
    runtime: &Runtime,
    (cache, node): (&Cache, &str),
    bans: Supervised<CacheKeeper>,
    events: &Events,
    snapshot: &Watched<PoolSnapshot>,
) -> Keepers {
    let (own, name, snapshot) = (cache.clone(), node.to_owned(), snapshot.clone());
    let figures = supervise(runtime, restarting("figure-keeper", "FigureKeeper", 0), move |_| {
        FigureKeeper::new(own.clone(), name.clone(), snapshot.clone())
    })
    .observable();
    let parts = relay::Parts {
        cache: cache.clone(),
        events: events.clone(),
        node: node.to_owned(),
        render: api::relayed,
    };
    // In memory nobody else listens.
    let relay = cache.is_shared().then(|| {
        supervise(runtime, restarting("event-relay", "EventRelay", 0), move |_| {
            EventRelay::new(parts.clone())
        })
        .observable()
    });
    Keepers { bans, figures, relay }
}

pub(super) fn start_keeper(
    runtime: &Runtime,
    wiring: &Wiring,
    cache: &Cache,
    bans: &Arc<dyn BanDesk>,
    status: &Arc<Publisher<CacheStatus>>,
) -> Supervised<CacheKeeper> {
    let parts = keeper::Parts {
        cache: cache.clone(),
        bans: Arc::clone(bans),
        status: Arc::clone(status),
        errors: ErrorDesk::new(wiring.events.clone(), Arc::clone(&wiring.clock)),
        clock: Arc::clone(&wiring.clock),
    };
    supervise(runtime, restarting("cache-keeper", "CacheKeeper", 0), move |_| CacheKeeper::new(parts.clone()))
        .observable()
}
