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
mod journal;
mod parts;
mod payouts;
pub mod preflight;
mod recovery;
mod start;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use actix::{Actor, Context, Handler};
use algorithms::{Algorithms, Kept};
pub use chain::account_check;
pub use parts::Parts;
use start::{
    Wiring, refused, start_events, start_ledger, start_receiver, start_router, start_stats, start_submitter,
    start_tracker,
};

use crate::{
    algorithm::{
        self,
        router::{Routes, TrafficRouter},
        slot::Place,
    },
    api::{self, ServerHandle},
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
    },
    ports::packages::Package,
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
    stats::{EventPublisher, StatsAggregator},
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
    /// As it runs: reloaded keys are those of the last reload.
    config: Config,
    runtime: Runtime,
    http: ServerHandle,
    stratum: StratumServer,
    receiver: Supervised<TemplateReceiver>,
    submitter: Supervised<BlockSubmitter>,
    tracker: Supervised<MaturityTracker>,
    ledger: Supervised<PayoutLedger>,
    payouts: Option<payouts::Dispatcher>,
    algorithms: Algorithms,
    keepers: cache::Keepers,
    alerts: alerts::Alerts,
    router: Supervised<TrafficRouter>,
    stats: Supervised<StatsAggregator>,
    events: Supervised<EventPublisher>,
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
        match Self::start_in(&runtime, config, parts).await {
            Ok(pool) => Ok(pool),
            Err(failure) => {
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
        let stats = start_stats(&books, &snapshot, &clock);

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
            node_state: Arc::new(watched(NodeState::default()).0),
        };
        let kept = Kept {
            store: Arc::clone(&parts.deployments),
            shelf: parts.shelf.clone(),
            configured: Package::linked_in(Arc::clone(&parts.algorithm)),
            isolation: config.algorithms.isolation,
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
                extranonce_epoch: journal.epoch,
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
        let bans: Arc<dyn BanDesk> =
            Arc::new(cache::Bans { gate: stratum.sessions().gate().clone(), clock: Arc::clone(&clock) });
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
            users: parts.users,
            cache: parts.cache.clone(),
            clock: Arc::clone(&clock),
            key: parts.auth_key,
            settings: config.auth.clone(),
            pool_name: config.pool.name.clone(),
            node: node_name.clone(),
            alarm: {
                let (events, clock) = (events_hub.clone(), Arc::clone(&clock));
                Arc::new(move |code, message| {
                    let event = PoolEvent::SecurityEvent { code: code.to_owned(), message };
                    events.publish(clock.now(), event);
                })
            },
        });
        let metrics = parts.metrics.clone();
        let exposition = Arc::new(move || metrics.render());
        let (alerts, alert_doors) =
            alerts::start(&books, &wiring, &config, &events_hub, parts.alerts, exposition)?;
        let http = api::serve(
            api::Context {
                auth,
                pool_name: config.pool.name.clone(),
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
                sessions: Arc::new(api_sessions(&stratum)),
                algorithms: algorithms.doors.clone(),
                payouts: Arc::clone(&parts.payouts),
                payout_doors: dispatcher.as_ref().map(|(_, doors)| doors.clone()),
                payout_status: payout_status.watched(),
                deployments: Arc::clone(&parts.deployments),
                row_view: Arc::new(|row| algorithm::deployment::view(row, None)),
                deploy_defaults: algorithms::defaults(&config.algorithms),
                shelf: parts.shelf,
                upload_bytes_max: config.algorithms.upload_bytes_max,
                import: parts::importer(&config.algorithms.import_dir),
                shutdown: runtime.shutdown.clone(),
                registry: runtime.registry.clone(),
                metrics: parts.metrics,
                admin_token: parts.admin_token,
                assets: parts.assets,
                http: config.http.clone(),
                history_days: config.store.history_days,
            },
            config.http.address,
        )?;

        threads.push(journal.thread);
        Ok(Self {
            runtime: runtime.clone(),
            http,
            config,
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
            shards: journal.shards,
            threads,
            workers,
            books,
        })
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

    /// Takes over what of a newer configuration can change while the pool runs, except the log's level, which is the
    /// process's. Returns every key that differs; those that are not live wait for a restart.
    pub fn reload(&mut self, wanted: &Config) -> Vec<Change> {
        let changes = config::changes(&self.config, wanted);
        self.config.adopt(wanted);
        self.stratum.reload(&self.config);
        self.http.set_rate_limits(&self.config.http);
        changes
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
        idle(&self.submitter, |state| state["open"].as_array().is_none_or(Vec::is_empty)).await;
        for shard in &self.shards {
            idle(shard, |state| state["forming"] == 0 && state["in_flight"] == false).await;
        }
        for slot in slots {
            slot.stop().await;
        }
        self.router.stop().await;
        self.submitter.stop().await;
        if let Some((dispatcher, doors)) = self.payouts {
            // They hold the store, whose threads end with its last handle.
            drop(doors);
            dispatcher.stop().await;
        }
        self.tracker.stop().await;
        self.ledger.stop().await;
        self.alerts.stop().await;
        self.keepers.stop().await;
        self.http.stop().await;
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
async fn idle<A>(actor: &Supervised<A>, is_idle: impl Fn(&serde_json::Value) -> bool)
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
    // Over time is answered in the doc.
    let _ = tokio::time::timeout(DRAIN_MAX, poll).await;
}

fn api_sessions(stratum: &StratumServer) -> impl api::SessionDesk + use<> {
    chain::Sessions(stratum.sessions())
}
