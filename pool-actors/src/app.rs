//! Composition root: the only place that names every actor and wires them across folders.
//!
//! Order of start: what is written to comes before what writes (journal, events, statistics, ledger, submitter), and
//! miners come last. Order of stop is the reverse: sessions first, the journal last, so that what was taken is committed.

mod alerts;
mod algorithms;
pub mod audit;
pub mod audit_chain;
pub mod audit_file;
pub mod auth;
pub mod backup;
pub mod books;
mod cache;
mod chain;
pub mod database;
mod identity;
mod influx;
mod journal;
mod native_starts;
mod parts;
mod payouts;
pub mod preflight;
mod recovery;
mod reload;
mod start;
#[cfg(feature = "otel")]
mod traces;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use actix::{Actor, Context, Handler};
use algorithms::{Algorithms, Kept};
pub use chain::account_check;
use native_starts::NativeStarts;
pub use parts::Parts;
pub use reload::{Origin, Reloader};
use start::{
    Wiring, refused, start_events, start_ledger, start_receiver, start_router, start_stats, start_submitter,
    start_system, start_tracker,
};

use crate::{
    algorithm::{
        self,
        router::{Routes, TrafficRouter},
        slot::Place,
    },
    api::{self, ConfigDesk as _, ServerHandle},
    auth::Trail,
    config::{self, Change, Config},
    error::Failure,
    ledger::{journal::JournalShard, maturity_tracker::MaturityTracker, payout_ledger::PayoutLedger},
    messages::{
        block::ResumeBlock,
        cache::{BanDesk, CacheStatus},
        deployment::AlgorithmDoors,
        event::PoolEvent,
        job::NodeState,
        journal::AppendShares,
        ledger::LedgerSummary,
        live::{Events, PoolSnapshot},
        payout::PayoutStatus,
        stats::{SessionEnded, StatsTally},
        system::SystemFigures,
    },
    ports::{packages::Package, users::Outcome},
    runtime::{
        Runtime,
        critical::CriticalOutbox,
        observe::{Observation, Observe},
        outbox::Outbox,
        shutdown::{Shutdown, StopReason},
        supervisor::Supervised,
        threads::Thread,
        watch::watched,
    },
    stats::{EventPublisher, InfluxWriter, StatsAggregator, SystemParts, SystemWatch, Watching},
    stratum::{
        server::{self as stratum, StratumServer},
        settings::Exits,
    },
    template::{receiver::TemplateReceiver, submitter::BlockSubmitter},
};

/// Longest wait for what one actor has under way when the pool stops.
const DRAIN_MAX: Duration = Duration::from_secs(2);
/// How often it is asked.
const DRAIN_POLL: Duration = Duration::from_millis(5);

/// A running pool.
pub struct Pool {
    /// As it was started.
    config: Config,
    reloader: Arc<Reloader>,
    trail: Trail,
    runtime: Runtime,
    http: ServerHandle,
    /// Of figures alone, where they have an address of their own.
    scrape: Option<api::MetricsServer>,
    stratum: StratumServer,
    receiver: Supervised<TemplateReceiver>,
    submitter: Supervised<BlockSubmitter>,
    tracker: Supervised<MaturityTracker>,
    ledger: Supervised<PayoutLedger>,
    payouts: Option<payouts::Running>,
    algorithms: Algorithms,
    keepers: cache::Keepers,
    alerts: alerts::Alerts,
    router: Supervised<TrafficRouter>,
    stats: Supervised<StatsAggregator>,
    events: Supervised<EventPublisher>,
    system: Supervised<SystemWatch>,
    influx: Option<Supervised<InfluxWriter>>,
    #[cfg(feature = "otel")]
    traces: Option<Supervised<crate::stats::TraceWriter>>,
    shards: Vec<Supervised<JournalShard>>,
    threads: Vec<Thread>,
    workers: Runtime,
    books: Runtime,
}

impl Pool {
    /// Starts everything. Must be called inside an actix `System`.
    ///
    /// # Errors
    /// One sentence about what can't be used and what to do; nothing keeps running then.
    pub async fn start(config: Config, parts: Parts) -> Result<Self, Failure> {
        config::check(&config)?;
        let runtime = Runtime::start(parts.arbiters).map_err(|error| refused("threads", &error))?;
        let native = NativeStarts::new(Arc::clone(&parts.native));
        match Self::start_in(&runtime, config, parts).await {
            Ok(pool) => Ok(pool),
            Err(failure) => {
                native.ended_well();
                runtime.arbiters.stop();
                Err(failure)
            }
        }
    }

    async fn start_in(runtime: &Runtime, config: Config, parts: Parts) -> Result<Self, Failure> {
        let clock = Arc::clone(&parts.clock);
        let mut threads = Vec::new();
        for (name, body) in parts.store_threads {
            threads.push(Thread::spawn(name, body).map_err(|error| refused("threads", &error))?);
        }
        // An algorithm that takes long must not hold up sessions; with no extra arbiters everything shares one.
        let workers = Runtime::start(parts.arbiters).map_err(|error| refused("threads", &error))?;
        let workers = Runtime {
            arbiters: workers.arbiters,
            shutdown: runtime.shutdown.clone(),
            registry: runtime.registry.clone(),
        };

        // What is kept up behind the miners' backs has a thread of its own: the ledger reads millions of records after a
        // restart, and sessions must not wait for that.
        let books = Runtime::start(parts.arbiters.min(1)).map_err(|error| refused("threads", &error))?;
        let books = Runtime {
            arbiters: books.arbiters,
            shutdown: runtime.shutdown.clone(),
            registry: runtime.registry.clone(),
        };

        let events_hub = Events::new();
        let events = start_events(runtime, &events_hub, &clock);
        let node_name = identity::node_name(config.pool.node_id);
        let history = crate::cache::figures::kept(&parts.cache, &node_name, clock.now()).await;
        let snapshot =
            Arc::new(watched(PoolSnapshot { history: history.into(), ..PoolSnapshot::default() }).0);
        let node_state = Arc::new(watched(NodeState::default()).0);
        let watching = Watching {
            settings: config.alerts.detector.clone(),
            node: node_state.watched(),
            events: events_hub.clone(),
            publish: events.outbox(),
        };
        let stats = start_stats(&books, &snapshot, &clock, watching);

        identity::claim(&*parts.disk, &*parts.store, config.pool.node_id).await?;
        // Before anything else is written: a second process for the same node is refused here.
        let wait = Duration::from_secs(config.store.start_wait_s);
        let ledger_state = database::claim(&*parts.store, &node_name, wait).await?;
        let journal = journal::open(runtime, &config.journal, &parts.disk, &clock)?;
        let lanes: Vec<Outbox<AppendShares>> = journal.shards.iter().map(Supervised::outbox).collect();

        let routes = Routes::new();
        let router = start_router(runtime, &routes);
        let place = Place {
            runtime: runtime.clone(),
            workers: workers.clone(),
            trial_arbiters: parts.arbiters,
            journal: lanes,
            unsent: Arc::default(),
            linked_in: algorithms::all_linked_in(&parts.algorithm),
        };
        let wiring = Wiring {
            runtime: runtime.clone(),
            clock: Arc::clone(&clock),
            node: Arc::clone(&parts.node),
            events: events.outbox(),
            unsettled: Arc::new(watched(Vec::new()).0),
            summary: Arc::new(watched(LedgerSummary::default()).0),
            node_state,
        };
        let kept = Kept {
            store: Arc::clone(&parts.deployments),
            shelf: parts.shelf.clone(),
            configured: Package::linked_in(Arc::clone(&parts.algorithm)),
            isolation: config.algorithms.isolation,
            native: NativeStarts::new(Arc::clone(&parts.native)),
        };
        let algorithms = algorithms::start(&wiring, place, &kept, (&routes, &router), &config).await?;
        let ledger = start_ledger(&books, &wiring, &config, &parts.store, &journal.reader);
        let payout_status = Arc::new(watched(PayoutStatus::default()).0);
        let dispatcher =
            payouts::start(&books, &wiring, &config, &parts.payouts, parts.wallet, &payout_status)?;
        let tracker = start_tracker(&wiring, &ledger);
        let submitter = start_submitter(&wiring, &journal.shards[0], &tracker);
        let resume = CriticalOutbox::new(submitter.outbox::<ResumeBlock>());
        recovery::resume_blocks(&ledger_state, &journal.reader, &resume).await?;

        let stratum = stratum::start(
            runtime,
            crate::stratum::settings::Parts {
                settings: config.stratum.clone(),
                vardiff: config.vardiff.clone(),
                banning: config.banning.clone(),
                job_grace_ms: config.chain.job_grace_ms,
                // Figures are published once a second; a detector with shorter windows has to hear in time.
                tally_ms: config.alerts.detector.window_ms.min(1_000),
                extranonce_epoch: journal.epoch,
                notices: config.alerts.personal.enabled,
                clock: Arc::clone(&clock),
                accounts: Arc::clone(&parts.accounts),
                exits: Exits {
                    events: events.outbox(),
                    tallies: stats.outbox::<StatsTally>(),
                    ended: stats.outbox::<SessionEnded>(),
                    routes: routes.watched(),
                },
            },
        )?;

        let receiver = start_receiver(&wiring, &config.chain, &routes, &stratum, &submitter, &tracker);
        let bans: Arc<dyn BanDesk> = Arc::new(cache::Bans {
            gate: stratum.sessions().gate().clone(),
            clock: Arc::clone(&clock),
            words: Mutex::default(),
        });
        let since = clock.now();
        let cache_status = Arc::new(watched(CacheStatus { name: parts.cache.name(), error: None, since }).0);
        let keeper = cache::start_keeper(&books, &wiring, &parts.cache, &bans, &cache_status);
        let shared = (&parts.cache, node_name.as_str());
        let keepers = cache::start(&books, shared, keeper, &events_hub, &snapshot.watched());
        journal::keep_retention(runtime, &journal.reader, &wiring.summary, &clock, &config.journal);
        if parts.users.users(None, 1).await.is_ok_and(|users| users.is_empty()) {
            tracing::info!("nobody may sign in yet: dagpool user add NAME --role admin makes the first user");
        }
        let auth = crate::auth::Auth::new(crate::auth::Parts {
            users: Arc::clone(&parts.users),
            cache: parts.cache.clone(),
            clock: Arc::clone(&clock),
            key: parts.auth_key,
            settings: config.auth.clone(),
            pool_name: config.pool.name.clone(),
            node: node_name.clone(),
            mailer: Arc::clone(&parts.mailer),
            public_url: auth::public_url(&config),
            alarm: {
                let (events, clock) = (events_hub.clone(), Arc::clone(&clock));
                Arc::new(move |code, message| {
                    let event = PoolEvent::SecurityEvent { code: code.to_owned(), message };
                    events.publish(clock.now(), event);
                })
            },
        });
        let trail = auth.trail().clone();
        let reloader = Reloader::new(config.clone(), parts.origin, Arc::clone(&clock));
        reloader.tell(stratum.reloads());
        if let Some(knobs) = dispatcher.as_ref().map(|running| running.knobs.clone()) {
            reloader.tell(move |config| knobs.turn(config));
        }
        let metrics = parts.metrics.clone();
        let exposition = Arc::new(move || metrics.render());
        let people = alerts::People {
            users: parts.users,
            payouts: dispatcher.is_some(),
            snapshot: snapshot.watched(),
            mailer: parts.mailer,
            symbol: parts.currency.symbol,
            sessions: stratum.notices(),
        };
        let (alerts, alert_doors, rulebook) =
            alerts::start(&books, &wiring, &config, &events_hub, parts.alerts, exposition, people)?;
        reloader.tell(move |config| alerts::turn(&rulebook, config));
        let system_figures = Arc::new(watched(SystemFigures::default()).0);
        let system = SystemParts {
            system: parts.system,
            disk: Arc::clone(&parts.disk),
            store: Arc::clone(&parts.store),
            clock: Arc::clone(&clock),
            figures: Arc::clone(&system_figures),
        };
        let system = start_system(&books, system);
        let influx = parts.points.map(|sink| {
            let ledger = wiring.summary.watched();
            influx::start(&books, &config.influx, sink, snapshot.watched(), ledger)
        });
        #[cfg(feature = "otel")]
        let traces = traces::start(&books, &config, &node_name, &events_hub, &clock)?;
        let scrape = api::serve_metrics(&parts.metrics, &config.metrics)?;
        let http = api::serve(
            api::Context {
                config: Arc::<Reloader>::clone(&reloader),
                logs: parts.logs,
                auth,
                pool_name: config.pool.name.clone(),
                about: api::PoolAbout::of(&config),
                currency: parts.currency,
                clock: Arc::clone(&clock),
                store: Arc::clone(&parts.store),
                books: parts.books,
                snapshot: snapshot.watched(),
                node: wiring.node_state.watched(),
                ledger: wiring.summary.watched(),
                journal: journal::trouble(&journal.reader),
                node_name,
                shared_cache: parts.cache,
                cache: cache_status.watched(),
                bans,
                alerts: alert_doors,
                events: events_hub,
                signed: chain::signed(config.chain.profile),
                sessions: Arc::new(api_sessions(&stratum)),
                algorithms: algorithms.doors.clone(),
                payouts: Arc::clone(&parts.payouts),
                payout_doors: dispatcher.as_ref().map(|running| running.doors.clone()),
                payout_status: payout_status.watched(),
                deployments: Arc::clone(&parts.deployments),
                row_view: Arc::new(|row| algorithm::deployment::view(row, None)),
                deploy_defaults: algorithms::defaults(&config.algorithms),
                shelf: parts.shelf,
                upload_bytes_max: config.algorithms.upload_bytes_max,
                import: parts::importer(&config.algorithms.import_dir, config.algorithms.upload_bytes_max),
                shutdown: runtime.shutdown.clone(),
                registry: runtime.registry.clone(),
                metrics_readers: api::MetricsReaders::of(&config.metrics)?,
                metrics: parts.metrics,
                system: system_figures.watched(),
                admin_token: parts.admin_token,
                assets: parts.assets,
                http: config.http.clone(),
                history_days: config.store.history_days,
            },
            config.http.address,
        )?;

        let rate_limits = http.rate_limits();
        reloader.tell(move |config| rate_limits(&config.http));
        threads.push(journal.thread);
        Ok(Self {
            runtime: runtime.clone(),
            http,
            scrape,
            config,
            reloader,
            trail,
            stratum,
            receiver,
            submitter,
            tracker,
            ledger,
            payouts: dispatcher,
            algorithms,
            keepers,
            alerts,
            router,
            stats,
            events,
            system,
            influx,
            #[cfg(feature = "otel")]
            traces,
            shards: journal.shards,
            threads,
            workers,
            books,
        })
    }

    /// Where metrics are read (port 0 resolved).
    #[must_use]
    pub fn metrics_address(&self) -> SocketAddr {
        self.scrape.as_ref().map_or_else(|| self.http.address(), api::MetricsServer::address)
    }

    /// Where dashboard, API and metrics listen (port 0 resolved).
    #[must_use]
    pub fn http_address(&self) -> SocketAddr {
        self.http.address()
    }

    /// Where miners connect, with the dialect spoken there.
    #[must_use]
    pub fn stratum_addresses(&self) -> Vec<(SocketAddr, String)> {
        let dialects = self.config.stratum.listener.iter().map(|listener| listener.dialect.clone());
        self.stratum.addresses().iter().copied().zip(dialects).collect()
    }

    /// Reads the configuration again and takes over what of it can change while the pool runs; the trail says by whom. Returns
    /// every key that differs; those that are not live wait for a restart.
    ///
    /// # Errors
    /// What is wrong with the newer configuration; nothing has changed then.
    pub async fn reload(&self, by: &str) -> Result<Vec<Change>, Failure> {
        let done = self.reloader.reload(false);
        let (outcome, after) = match &done {
            Ok(changes) => (Outcome::Done, serde_json::json!({ "changes": changes })),
            Err(failure) => (Outcome::Refused, serde_json::json!({ "code": failure.code.as_str() })),
        };
        self.trail.note(by, None, "config.reload", "pool.toml", outcome, None, Some(after)).await;
        done
    }

    /// How the pool is asked to stop, and how its own end is noticed.
    #[must_use]
    pub fn shutdown(&self) -> Shutdown {
        self.runtime.shutdown.clone()
    }

    /// Which actors there are, and what they say of themselves.
    #[must_use]
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// What hashes, and how to change it.
    #[must_use]
    pub fn algorithms(&self) -> AlgorithmDoors {
        self.algorithms.doors.clone()
    }

    /// Stops in order: no new work, no new shares, then everything that was taken is committed.
    pub async fn stop(self) {
        self.runtime.shutdown.stop(StopReason::requested("the pool was stopped"));
        self.receiver.stop().await;
        self.stratum.stop().await;
        let slots = self.algorithms.stop().await;
        for slot in &slots {
            slot.drained().await;
        }
        let all_submitted = |state: &serde_json::Value| state["open"].as_array().is_none_or(Vec::is_empty);
        idle(&self.submitter, "found blocks are still being submitted", all_submitted).await;
        let shares = "shares are still being committed";
        let committed = self.shards.iter().map(|shard| idle(shard, shares, |state| state["pending"] == 0));
        futures_util::future::join_all(committed).await;
        for slot in slots {
            slot.stop().await;
        }
        self.router.stop().await;
        self.submitter.stop().await;
        if let Some(payouts::Running { dispatcher, doors, .. }) = self.payouts {
            // They hold the store, whose threads end with its last handle.
            drop(doors);
            dispatcher.stop().await;
        }
        self.tracker.stop().await;
        self.ledger.stop().await;
        // The trail holds the store, too.
        drop((self.trail, self.reloader));
        self.alerts.stop().await;
        self.keepers.stop().await;
        // It holds the store as well.
        self.system.stop().await;
        if let Some(influx) = self.influx {
            influx.stop().await;
        }
        #[cfg(feature = "otel")]
        if let Some(traces) = self.traces {
            traces.stop().await;
        }
        self.http.stop().await;
        if let Some(scrape) = self.scrape {
            scrape.stop().await;
        }
        self.stats.stop().await;
        self.events.stop().await;
        for shard in self.shards {
            shard.stop().await;
        }
        self.workers.arbiters.stop();
        self.books.arbiters.stop();
        self.runtime.arbiters.stop();
        for thread in self.threads {
            if let Err(panic) = thread.join() {
                tracing::error!(panic, "a thread had panicked");
            }
        }
    }
}

/// Waits until an actor says that nothing of its is under way, or until it is dead, or for [`DRAIN_MAX`]: a node that is
/// away must not hold up the stop (its blocks are in the journal, and are submitted after the next start).
async fn idle<A>(actor: &Supervised<A>, what: &str, is_idle: impl Fn(&serde_json::Value) -> bool)
where
    A: Actor<Context = Context<A>> + Handler<Observe>,
{
    let ask = actor.outbox::<Observe>();
    let poll = async {
        while let Ok(Observation(state)) = ask.ask(Observe).await
            && !is_idle(&state)
        {
            tokio::time::sleep(DRAIN_POLL).await;
        }
    };
    if tokio::time::timeout(DRAIN_MAX, poll).await.is_err() {
        tracing::warn!("{what} after {} ms: the pool stops all the same", DRAIN_MAX.as_millis());
    }
}

fn api_sessions(stratum: &StratumServer) -> impl api::SessionDesk + use<> {
    chain::Sessions(stratum.sessions())
}
