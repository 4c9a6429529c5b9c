//! How each actor is started: its parts, its place, what its death means.

use std::{sync::Arc, time::Duration};

use pool_domain::{
    ids::{AlgorithmName, BlockHash},
    pplns::Scheme,
    units::BasisPoints,
};

use crate::{
    algorithm::router::{Routes, TrafficRouter},
    config::{self, Config},
    error::{Code, Failure},
    ledger::{
        journal::{JournalReader, JournalShard},
        journal_feed::JournalFeed,
        maturity_tracker::{self, MaturityTracker},
        payout_ledger::{self, PayoutLedger},
        windows::RewardPolicy,
    },
    messages::{
        block::{BlocksObserved, NodeTold, OurBlock, SubmitBlock},
        event::Publish,
        job::NodeState,
        journal::{AppendCandidate, AppendVerdict},
        ledger::LedgerSummary,
        live::{Events, PoolSnapshot},
    },
    ports::{clock::SharedClock, node::SharedNode, store::SharedStore},
    runtime::{
        Runtime,
        critical::CriticalOutbox,
        outbox::Outbox,
        supervisor::{Policy, Spec, Supervised, supervise},
        watch::{Publisher, watched},
    },
    stats::{EventPublisher, StatsAggregator, SystemParts, SystemWatch, Watching},
    stratum::server::StratumServer,
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

/// What several actors are handed.
pub(super) struct Wiring {
    pub(super) runtime: Runtime,
    pub(super) clock: SharedClock,
    pub(super) node: SharedNode,
    pub(super) events: Outbox<Publish>,
    pub(super) unsettled: Arc<Publisher<Vec<BlockHash>>>,
    pub(super) summary: Arc<Publisher<LedgerSummary>>,
    pub(super) node_state: Arc<Publisher<NodeState>>,
}

pub(super) fn restarting(name: &str, kind: &'static str, seat: usize) -> Spec {
    Spec { name: name.to_owned(), kind, seat, mailbox: MAILBOX, policy: Policy::default() }
}

pub(super) fn stop_on_panic(name: &str, kind: &'static str, seat: usize) -> Spec {
    Spec { policy: Policy::StopProcess, ..restarting(name, kind, seat) }
}

pub(super) fn refused(what: &str, error: &std::io::Error) -> Failure {
    Failure::new(
        Code::SystemRefused,
        format!("the system refused {what} ({error})"),
        "raise the limits of the pool's user (ulimit -u, -n)",
    )
}

pub(super) fn start_events(
    runtime: &Runtime,
    hub: &Events,
    clock: &SharedClock,
) -> Supervised<EventPublisher> {
    let (hub, clock) = (hub.clone(), Arc::clone(clock));
    supervise(runtime, restarting("event-publisher", "EventPublisher", 0), move |_| {
        EventPublisher::new(hub.clone(), Arc::clone(&clock))
    })
    .observable()
}

pub(super) fn start_stats(
    runtime: &Runtime,
    snapshot: &Arc<Publisher<PoolSnapshot>>,
    clock: &SharedClock,
    watching: Watching,
) -> Supervised<StatsAggregator> {
    let (snapshot, clock) = (Arc::clone(snapshot), Arc::clone(clock));
    supervise(runtime, restarting("stats-aggregator", "StatsAggregator", 0), move |_| {
        StatsAggregator::new(Arc::clone(&snapshot), Arc::clone(&clock)).watching(watching.clone())
    })
    .observable()
}

/// Who looks at the process and its disk.
pub(super) fn start_system(runtime: &Runtime, parts: SystemParts) -> Supervised<SystemWatch> {
    supervise(runtime, restarting("system-watch", "SystemWatch", 0), move |_| SystemWatch::new(parts.clone()))
        .observable()
}

pub(super) fn start_router(runtime: &Runtime, routes: &Routes) -> Supervised<TrafficRouter> {
    let routes = routes.clone();
    supervise(runtime, restarting("traffic-router", "TrafficRouter", 0), move |_| {
        TrafficRouter::new(routes.clone())
    })
    .observable()
}

pub(super) fn start_ledger(
    runtime: &Runtime,
    wiring: &Wiring,
    config: &Config,
    store: &SharedStore,
    reader: &JournalReader,
) -> Supervised<PayoutLedger> {
    let (reader, committed) = (reader.clone(), reader.clone());
    let node_state = wiring.node_state.watched();
    let parts = payout_ledger::Parts {
        node: super::identity::node_name(config.pool.node_id),
        policy: reward_policy(&config.payout),
        store: Arc::clone(store),
        feed: Arc::new(move || Box::new(JournalFeed::new(reader.clone()))),
        committed: Arc::new(move || committed.committed()),
        expected: Arc::new(move || {
            let state = node_state.load();
            let works = state.functions.iter();
            works
                .filter_map(|work| Some((AlgorithmName::new(&work.algorithm).ok()?, work.network_work?)))
                .collect()
        }),
        clock: Arc::clone(&wiring.clock),
        events: wiring.events.clone(),
        unsettled: Arc::clone(&wiring.unsettled),
        summary: Arc::clone(&wiring.summary),
        shutdown: wiring.runtime.shutdown.clone(),
    };
    supervise(runtime, stop_on_panic("payout-ledger", "PayoutLedger", 0), move |_| {
        PayoutLedger::new(parts.clone())
    })
    .observable()
}

pub(super) fn start_tracker(
    wiring: &Wiring,
    ledger: &Supervised<PayoutLedger>,
) -> Supervised<MaturityTracker> {
    let parts = maturity_tracker::Parts {
        node: Arc::clone(&wiring.node),
        clock: Arc::clone(&wiring.clock),
        unsettled: wiring.unsettled.watched(),
        ledger: ledger.outbox::<BlocksObserved>(),
        events: wiring.events.clone(),
        poll_interval: MATURITY_POLL,
    };
    supervise(&wiring.runtime, restarting("maturity-tracker", "MaturityTracker", 0), move |_| {
        MaturityTracker::new(parts.clone())
    })
    .observable()
}

pub(super) fn start_submitter(
    wiring: &Wiring,
    shard: &Supervised<JournalShard>,
    tracker: &Supervised<MaturityTracker>,
) -> Supervised<BlockSubmitter> {
    let parts = submitter::Parts {
        desk: Arc::new(Desk::default()),
        node: Arc::clone(&wiring.node),
        clock: Arc::clone(&wiring.clock),
        journal_candidate: CriticalOutbox::new(shard.outbox::<AppendCandidate>()),
        journal_verdict: CriticalOutbox::new(shard.outbox::<AppendVerdict>()),
        tracker: tracker.outbox::<OurBlock>(),
        events: wiring.events.clone(),
    };
    supervise(&wiring.runtime, restarting("block-submitter", "BlockSubmitter", 0), move |_| {
        BlockSubmitter::new(parts.clone())
    })
    .observable()
}

pub(super) fn start_receiver(
    wiring: &Wiring,
    chain: &config::Chain,
    routes: &Routes,
    stratum: &StratumServer,
    submitter: &Supervised<BlockSubmitter>,
    tracker: &Supervised<MaturityTracker>,
) -> Supervised<TemplateReceiver> {
    let hubs = stratum.jobs().into_iter().zip(stratum.pauses());
    let parts = receiver::Parts {
        node: Arc::clone(&wiring.node),
        clock: Arc::clone(&wiring.clock),
        runtime: wiring.runtime.clone(),
        seat: 0,
        algorithms: routes.in_service(),
        hubs: hubs.map(|(jobs, pauses)| SessionHub { jobs, pauses }).collect(),
        submitter: CriticalOutbox::new(submitter.outbox::<SubmitBlock>()),
        tracker: tracker.outbox::<NodeTold>(),
        events: wiring.events.clone(),
        state: Arc::clone(&wiring.node_state),
        jobs: Arc::new(watched(Vec::new()).0),
        numbers: Arc::new(JobNumbers::starting_at(wiring.clock.now())),
        settings: receiver_settings(chain),
    };
    supervise(&wiring.runtime, restarting("template-receiver", "TemplateReceiver", 0), move |_| {
        TemplateReceiver::new(parts.clone())
    })
    .observable()
}

fn reward_policy(payout: &config::Payout) -> RewardPolicy {
    let scheme = match payout.scheme {
        config::Scheme::Pplns => Scheme::Pplns { factor: BasisPoints(payout.window_basis_points) },
        config::Scheme::Prop => Scheme::Prop,
        config::Scheme::Solo => Scheme::Solo,
    };
    RewardPolicy { scheme, fee: BasisPoints(payout.fee_basis_points) }
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
