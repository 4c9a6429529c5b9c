//! Composition root: the only place that names every actor and wires them across folders.
//!
//! Order of start: what is written to comes before what writes (journal, events, statistics, ledger, submitter), and
//! miners come last. Order of stop is the reverse: sessions first, the journal last, so that what was taken is committed.

mod chain;
mod parts;
pub mod preflight;
mod recovery;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use actix::{Actor, Context, Handler};
pub use chain::account_check;
pub use parts::Parts;
use pool_domain::{
    ids::{AlgorithmName, Generation, Route, SlotId},
    pplns::Scheme,
    units::BasisPoints,
};

use crate::{
    algorithm::{
        router::{EnterRoute, Routes, TrafficRouter},
        slot::SlotHandle,
    },
    api::{self, ServerHandle},
    config::{self, Config},
    error::{Code, Failure},
    ledger::{
        journal::{
            BudgetLevel, CommitCore, CommitHandle, Durability, Journal, JournalReader, JournalShard, Options,
        },
        journal_feed::JournalFeed,
        maturity_tracker::{self, MaturityTracker},
        payout_ledger::{self, PayoutLedger},
        windows::RewardPolicy,
    },
    messages::{
        block::{BlocksObserved, NodeTold, OurBlock, ResumeBlock, SubmitBlock},
        event::Publish,
        job::NodeState,
        journal::{AppendCandidate, AppendShares, AppendVerdict},
        ledger::LedgerSummary,
        live::{Events, PoolSnapshot},
        stats::{SessionEnded, StatsTally},
    },
    ports::clock::SharedClock,
    runtime::{
        Runtime,
        critical::CriticalOutbox,
        observe::{Observation, Observe},
        outbox::Outbox,
        shutdown::{Shutdown, StopReason},
        supervisor::{Policy, Spec, Supervised, supervise},
        threads::Thread,
        watch::{Publisher, watched},
    },
    stats::{EventPublisher, StatsAggregator},
    stratum::{
        server::{self as stratum, StratumServer},
        settings::Exits,
    },
    template::{
        job::JobNumbers,
        receiver::{self, SessionHub, TemplateReceiver},
        submitter::{self, BlockSubmitter, Desk},
    },
};

/// Capacity of mailboxes for messages without credit: statistics, events, questions.
const MAILBOX: usize = 1_024;
/// How often the node is asked about blocks that are not settled.
const MATURITY_POLL: Duration = Duration::from_millis(500);
/// Longest wait for what one actor has under way when the pool stops.
const DRAIN_MAX: Duration = Duration::from_secs(2);
/// How often it is asked.
const DRAIN_POLL: Duration = Duration::from_millis(5);
/// How often segments that nobody needs any more are dropped.
const RETENTION_EVERY: Duration = Duration::from_secs(60);
/// The one slot in service until packages and hot-swap bring more.
const FIRST_ROUTE: Route = Route { slot: SlotId(0), generation: Generation(1) };

/// A running pool.
pub struct Pool {
    runtime: Runtime,
    http: ServerHandle,
    stratum: StratumServer,
    dialects: Vec<String>,
    receiver: Supervised<TemplateReceiver>,
    submitter: Supervised<BlockSubmitter>,
    tracker: Supervised<MaturityTracker>,
    ledger: Supervised<PayoutLedger>,
    slot: SlotHandle,
    router: Supervised<TrafficRouter>,
    stats: Supervised<StatsAggregator>,
    events: Supervised<EventPublisher>,
    shards: Vec<Supervised<JournalShard>>,
    threads: Vec<Thread>,
    workers: Runtime,
}

/// The journal with its shards, once it is open.
struct OpenJournal {
    shards: Vec<Supervised<JournalShard>>,
    reader: JournalReader,
    epoch: u64,
    thread: Thread,
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

        let events_hub = Events::new();
        let events = start_events(runtime, &events_hub, &clock);
        let snapshot = Arc::new(watched(PoolSnapshot::default()).0);
        let stats = start_stats(runtime, &snapshot, &clock);

        let journal = open_journal(runtime, &config.journal, &parts.disk, &clock)?;
        let lanes: Vec<Outbox<AppendShares>> = journal.shards.iter().map(Supervised::outbox).collect();

        let algorithm = AlgorithmName::new(&config.algorithms.active).map_err(|error| {
            Failure::new(
                Code::AlgorithmUnknown,
                format!("algorithms.active: {error}"),
                "use a name such as blake2s",
            )
        })?;
        let routes = Routes::new();
        let router = start_router(runtime, &routes);
        let slot = SlotHandle::start(runtime, &workers, FIRST_ROUTE, &parts.algorithm, &lanes);
        enter(&router, &slot).await?;

        let unsettled = Arc::new(watched(Vec::new()).0);
        let summary = Arc::new(watched(LedgerSummary::default()).0);
        let ledger = {
            let (reader, committed) = (journal.reader.clone(), journal.reader.clone());
            let parts = payout_ledger::Parts {
                node: format!("node-{}", config.pool.node_id),
                policy: reward_policy(&config.payout),
                store: Arc::clone(&parts.store),
                feed: Arc::new(move || Box::new(JournalFeed::new(reader.clone()))),
                committed: Arc::new(move || committed.committed()),
                clock: Arc::clone(&clock),
                events: events.outbox::<Publish>(),
                unsettled: Arc::clone(&unsettled),
                summary: Arc::clone(&summary),
                shutdown: runtime.shutdown.clone(),
            };
            supervise(runtime, stop_on_panic("payout-ledger", "PayoutLedger", 0), move |_| {
                PayoutLedger::new(parts.clone())
            })
            .observable()
        };

        let tracker = {
            let parts = maturity_tracker::Parts {
                node: Arc::clone(&parts.node),
                clock: Arc::clone(&clock),
                unsettled: unsettled.watched(),
                ledger: ledger.outbox::<BlocksObserved>(),
                events: events.outbox::<Publish>(),
                poll_interval: MATURITY_POLL,
            };
            supervise(runtime, restarting("maturity-tracker", "MaturityTracker", 0), move |_| {
                MaturityTracker::new(parts.clone())
            })
            .observable()
        };

        let submitter = {
            let parts = submitter::Parts {
                desk: Arc::new(Desk::default()),
                node: Arc::clone(&parts.node),
                clock: Arc::clone(&clock),
                journal_candidate: CriticalOutbox::new(journal.shards[0].outbox::<AppendCandidate>()),
                journal_verdict: CriticalOutbox::new(journal.shards[0].outbox::<AppendVerdict>()),
                tracker: tracker.outbox::<OurBlock>(),
                events: events.outbox::<Publish>(),
            };
            supervise(runtime, restarting("block-submitter", "BlockSubmitter", 0), move |_| {
                BlockSubmitter::new(parts.clone())
            })
            .observable()
        };
        let node_name = format!("node-{}", config.pool.node_id);
        let resume = CriticalOutbox::new(submitter.outbox::<ResumeBlock>());
        recovery::resume_blocks(&node_name, &parts.store, &journal.reader, &resume).await?;

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

        let node_state = Arc::new(watched(NodeState::default()).0);
        let receiver = {
            let hubs = stratum.jobs().into_iter().zip(stratum.pauses());
            let parts = receiver::Parts {
                node: Arc::clone(&parts.node),
                clock: Arc::clone(&clock),
                runtime: runtime.clone(),
                seat: 0,
                algorithms: watched(vec![(algorithm.clone(), FIRST_ROUTE)]).1,
                hubs: hubs.map(|(jobs, pauses)| SessionHub { jobs, pauses }).collect(),
                submitter: CriticalOutbox::new(submitter.outbox::<SubmitBlock>()),
                tracker: tracker.outbox::<NodeTold>(),
                events: events.outbox::<Publish>(),
                state: Arc::clone(&node_state),
                jobs: Arc::new(watched(Vec::new()).0),
                numbers: Arc::new(JobNumbers::starting_at(clock.now())),
                settings: receiver_settings(&config.chain),
            };
            supervise(runtime, restarting("template-receiver", "TemplateReceiver", 0), move |_| {
                TemplateReceiver::new(parts.clone())
            })
            .observable()
        };

        keep_retention(runtime, &journal.reader, &summary, &clock, &config.journal);
        let http = api::serve(
            api::Context {
                pool_name: config.pool.name.clone(),
                currency: parts.currency,
                clock: Arc::clone(&clock),
                store: Arc::clone(&parts.store),
                snapshot: snapshot.watched(),
                node: node_state.watched(),
                ledger: summary.watched(),
                journal: journal_trouble(&journal.reader),
                events: events_hub,
                sessions: Arc::new(api_sessions(&stratum)),
                registry: runtime.registry.clone(),
                metrics: parts.metrics,
                admin_token: parts.admin_token,
                assets: parts.assets,
                feeds_max: config.http.feeds_max,
            },
            config.http.address,
        )?;

        threads.push(journal.thread);
        Ok(Self {
            runtime: runtime.clone(),
            http,
            dialects: config.stratum.listener.iter().map(|listener| listener.dialect.clone()).collect(),
            stratum,
            receiver,
            submitter,
            tracker,
            ledger,
            slot,
            router,
            stats,
            events,
            shards: journal.shards,
            threads,
            workers,
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
        self.stratum.addresses().iter().copied().zip(self.dialects.iter().cloned()).collect()
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

    /// Stops in order: no new work, no new shares, then everything that was taken is committed.
    pub async fn stop(self) {
        self.runtime.shutdown.stop(StopReason::requested("the pool was stopped"));
        self.receiver.stop().await;
        self.stratum.stop().await;
        self.slot.drained().await;
        idle(&self.submitter, |state| state["open"].as_array().is_none_or(Vec::is_empty)).await;
        for shard in &self.shards {
            idle(shard, |state| state["forming"] == 0 && state["in_flight"] == false).await;
        }
        self.slot.stop().await;
        self.router.stop().await;
        self.submitter.stop().await;
        self.tracker.stop().await;
        self.ledger.stop().await;
        self.http.stop().await;
        self.stats.stop().await;
        self.events.stop().await;
        for shard in self.shards {
            shard.stop().await;
        }
        self.workers.arbiters.stop();
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

fn restarting(name: &str, kind: &'static str, seat: usize) -> Spec {
    Spec { name: name.to_owned(), kind, seat, mailbox: MAILBOX, policy: Policy::default() }
}

fn stop_on_panic(name: &str, kind: &'static str, seat: usize) -> Spec {
    Spec { policy: Policy::StopProcess, ..restarting(name, kind, seat) }
}

fn refused(what: &str, error: &std::io::Error) -> Failure {
    Failure::new(
        Code::SystemRefused,
        format!("the system refused {what} ({error})"),
        "raise the limits of the pool's user (ulimit -u, -n)",
    )
}

fn start_events(runtime: &Runtime, hub: &Events, clock: &SharedClock) -> Supervised<EventPublisher> {
    let (hub, clock) = (hub.clone(), Arc::clone(clock));
    supervise(runtime, restarting("event-publisher", "EventPublisher", 0), move |_| {
        EventPublisher::new(hub.clone(), Arc::clone(&clock))
    })
    .observable()
}

fn start_stats(
    runtime: &Runtime,
    snapshot: &Arc<Publisher<PoolSnapshot>>,
    clock: &SharedClock,
) -> Supervised<StatsAggregator> {
    let (snapshot, clock) = (Arc::clone(snapshot), Arc::clone(clock));
    supervise(runtime, restarting("stats-aggregator", "StatsAggregator", 0), move |_| {
        StatsAggregator::new(Arc::clone(&snapshot), Arc::clone(&clock))
    })
    .observable()
}

fn start_router(runtime: &Runtime, routes: &Routes) -> Supervised<TrafficRouter> {
    let routes = routes.clone();
    supervise(runtime, restarting("traffic-router", "TrafficRouter", 0), move |_| {
        TrafficRouter::new(routes.clone())
    })
    .observable()
}

async fn enter(router: &Supervised<TrafficRouter>, slot: &SlotHandle) -> Result<(), Failure> {
    let entering = EnterRoute { route: slot.route, doors: slot.doors() };
    let mut up = router.addresses();
    // The publisher lives as long as the router's supervisor.
    let _ = up.wait_for(Option::is_some).await;
    router.outbox::<EnterRoute>().ask(entering).await.map_err(|error| {
        Failure::new(
            Code::ActorFailed,
            format!("the traffic router: {error}"),
            "start again; the log says more",
        )
    })
}

fn open_journal(
    runtime: &Runtime,
    config: &config::Journal,
    disk: &crate::ports::disk::SharedDisk,
    clock: &SharedClock,
) -> Result<OpenJournal, Failure> {
    let options = Options {
        durability: match config.durability {
            config::Durability::Disk => Durability::Disk,
            config::Durability::Os => Durability::Os,
        },
        segment_bytes: config.segment_bytes,
        budget_bytes: config.disk_budget_bytes,
    };
    let (mut journal, found) = Journal::open(Arc::clone(disk), options).map_err(|fault| unusable(&fault))?;
    let epoch = journal.begin_epoch(clock.now()).map_err(|fault| unusable(&fault))?;
    tracing::info!(
        committed = found.committed.0,
        truncated_bytes = found.truncated_bytes,
        epoch,
        "journal open"
    );
    let reader = journal.reader();
    let shutdown = runtime.shutdown.clone();
    let core = CommitCore::new(
        journal,
        Box::new(move |sentence| {
            shutdown.stop(StopReason::failure(Code::JournalUnusable.as_str(), sentence));
        }),
    );
    let interval = Duration::from_micros(config.commit_interval_us_min);
    let (commit, thread) =
        CommitHandle::thread(core, interval).map_err(|error| refused("threads", &error))?;
    let shards = (0..runtime.arbiters.seats())
        .map(|seat| {
            let commit = commit.clone();
            let spec = stop_on_panic(&format!("journal-shard-{seat}"), "JournalShard", seat);
            supervise(runtime, spec, move |_| JournalShard::new(commit.clone())).observable()
        })
        .collect();
    Ok(OpenJournal { shards, reader, epoch, thread })
}

fn reward_policy(payout: &config::Payout) -> RewardPolicy {
    let scheme = match payout.scheme {
        config::Scheme::Pplns => Scheme::Pplns { factor: BasisPoints(payout.window_basis_points) },
        config::Scheme::Prop => Scheme::Prop,
        config::Scheme::Solo => Scheme::Solo,
    };
    RewardPolicy { scheme, fee: BasisPoints(payout.fee_basis_points) }
}

fn unusable(fault: &impl std::fmt::Display) -> Failure {
    Failure::new(Code::JournalUnusable, fault.to_string(), "see pool-actors/docs/journal.md")
}

fn receiver_settings(chain: &config::Chain) -> receiver::Settings {
    receiver::Settings {
        poll_interval: Duration::from_millis(chain.poll_interval_ms),
        health_interval: Duration::from_secs(2),
        job_interval_min: Duration::from_millis(chain.job_interval_ms_min),
        job_refresh: Duration::from_secs(30),
        pause_after: Duration::from_secs(5),
        endpoints: chain.nodes.len(),
    }
}

fn api_sessions(stratum: &StratumServer) -> impl api::SessionDesk + use<> {
    chain::Sessions(stratum.sessions())
}

/// What keeps the journal from taking shares for ever, if anything does.
fn journal_trouble(reader: &JournalReader) -> Arc<dyn Fn() -> Option<String> + Send + Sync> {
    let state = reader.state();
    Arc::new(move || {
        let state = state.get();
        state.failed.clone().or_else(|| match state.budget {
            BudgetLevel::Ample => None,
            BudgetLevel::Low => Some("the share journal has used 80% of its disk budget".to_owned()),
            BudgetLevel::Exhausted => Some("the share journal's disk budget is used up".to_owned()),
        })
    })
}

/// Drops segments that the ledger has taken in and that are older than the retention, or in the way of new shares.
fn keep_retention(
    runtime: &Runtime,
    reader: &JournalReader,
    summary: &Arc<Publisher<LedgerSummary>>,
    clock: &SharedClock,
    config: &config::Journal,
) {
    let (reader, summary, clock) = (reader.clone(), summary.watched(), Arc::clone(clock));
    let (retention_ms, shutdown) = (config.retention_s.saturating_mul(1_000), runtime.shutdown.clone());
    // Below where an alert is raised: that is for records that can't be dropped.
    let bytes_max = config.disk_budget_bytes / 4 * 3;
    actix_rt::spawn(async move {
        loop {
            tokio::select! {
                _ = shutdown.requested() => return,
                () = tokio::time::sleep(RETENTION_EVERY) => {}
            }
            let older_than = pool_domain::units::TimeMs(clock.now().0.saturating_sub(retention_ms));
            let needed_after = summary.get().journal_needed_after;
            let retained = reader.retain(needed_after, older_than);
            match retained.and_then(|old| Ok(old + reader.make_room(needed_after, bytes_max)?)) {
                Ok(0) => {}
                Ok(dropped) => tracing::info!(
                    dropped,
                    "journal segments past their retention, or short of room, are gone"
                ),
                Err(fault) => tracing::warn!("journal retention: {fault}"),
            }
        }
    });
}
