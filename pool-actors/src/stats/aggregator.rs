//! StatsAggregator: the pool's figures, once a second.
//!
//! * **receives** [`StatsTally`] from every arbiter's session hub, [`SessionEnded`], [`Observe`]; candidates of blocks from the
//!   events
//! * **sends** what is unusual about how somebody mines to the publisher; publishes a [`PoolSnapshot`] in a watch each second
//! * **supervised by** the factory supervisor; a new one starts counting afresh
//! * **on overload** tallies are shed by the sender; work is lost from the figures, never from the ledger

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use actix::{Actor, AsyncContext as _, Context, Handler, StreamHandler};
use futures_util::stream;
use pool_domain::{
    ids::{AlgorithmName, SlotId},
    maturity::BlockStatus,
    units::{TimeMs, Work},
};
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;

use super::{detector::Detector, roster::Roster};
use crate::{
    config,
    messages::{
        event::{PoolEvent, Publish},
        job::NodeState,
        live::{Events, HistoryPoint, Miners, PoolSnapshot},
        stats::{SessionEnded, ShareCounts, StatsTally},
        trouble,
    },
    metrics::{HASHRATE, SHARES_TOTAL, UNUSUAL_MINING_TOTAL},
    ports::clock::SharedClock,
    runtime::{
        observe::{Observation, Observe},
        outbox::Outbox,
        watch::{Publisher, Watched},
    },
};

/// How often figures are published.
const TICK: Duration = Duration::from_secs(1);
/// Whoever is gone is looked for every so many ticks.
const FORGET_TICKS: u64 = 10;
/// Points of history: ten minutes.
const HISTORY: usize = 600;
/// Seconds that the rate of shares is taken over.
const SHARE_RATE_S: usize = 10;

/// See the module's documentation.
pub struct StatsAggregator {
    snapshot: Arc<Publisher<PoolSnapshot>>,
    clock: SharedClock,
    algorithm: Option<AlgorithmName>,
    roster: Arc<Roster>,
    ticks: u64,
    connections: BTreeMap<usize, usize>,
    shares: ShareCounts,
    /// Accepted shares in total at the end of each of the last seconds.
    accepted_totals: VecDeque<u64>,
    history: VecDeque<HistoryPoint>,
    work: Work,
    watching: Option<(Watching, Detector)>,
}

/// What looking for unusual mining works with.
#[derive(Clone)]
pub struct Watching {
    /// What is unusual.
    pub settings: config::Detector,
    /// How much work the next block takes.
    pub node: Watched<NodeState>,
    /// Where candidates of blocks are told.
    pub events: Events,
    /// Where suspicions are told.
    pub publish: Outbox<Publish>,
}

/// What the detector hears of events.
enum Heard {
    /// An account found a candidate.
    Candidate(String),
    /// Events were missed.
    Missed,
}

/// What an aggregator says about itself.
#[derive(Debug, Serialize)]
struct State {
    workers: usize,
    sessions: usize,
    shares: ShareCounts,
    history: usize,
}

impl StatsAggregator {
    /// An aggregator that has heard nothing yet.
    #[must_use]
    pub fn new(snapshot: Arc<Publisher<PoolSnapshot>>, clock: SharedClock) -> Self {
        // What was published last, by an earlier aggregator or an earlier process.
        let history = snapshot.get().history.iter().copied().collect();
        Self {
            snapshot,
            clock,
            algorithm: None,
            roster: Arc::default(),
            ticks: 0,
            connections: BTreeMap::new(),
            shares: ShareCounts::default(),
            accepted_totals: VecDeque::new(),
            history,
            work: Work::ZERO,
            watching: None,
        }
    }

    /// Looks for unusual mining as well.
    #[must_use]
    pub fn watching(mut self, watching: Watching) -> Self {
        if watching.settings.enabled {
            let detector = Detector::new(watching.settings.clone());
            self.watching = Some((watching, detector));
        }
        self
    }

    fn tell(&mut self) {
        let Some((watching, detector)) = &mut self.watching else { return };
        for suspicion in detector.take_suspicions() {
            metrics::counter!(UNUSUAL_MINING_TOTAL, "kind" => suspicion.code.as_str()).increment(1);
            let event = trouble::raised(suspicion.code, &suspicion.message, suspicion.context);
            watching.publish.offer(Publish { at: self.clock.now(), event });
        }
    }

    fn tick(&mut self) {
        let now = self.clock.now();
        if self.ticks.is_multiple_of(FORGET_TICKS) {
            self.roster.forget(now);
        }
        self.ticks += 1;
        self.tell();
        let snapshot = self.figures(now);
        if let Some(algorithm) = &snapshot.algorithm {
            metrics::gauge!(HASHRATE, "algorithm" => algorithm.to_string()).set(snapshot.hashrate as f64);
        }
        self.snapshot.set(snapshot);
    }

    fn figures(&mut self, now: TimeMs) -> PoolSnapshot {
        let hashrate = self.roster.hashrate(now);
        let counts = self.roster.counts();
        let shares_per_1000_s = self.share_rate();
        self.history.push_back(HistoryPoint { at: now, hashrate, shares_per_1000_s });
        if self.history.len() > HISTORY {
            self.history.pop_front();
        }
        PoolSnapshot {
            at: now,
            algorithm: self.algorithm.clone(),
            hashrate,
            shares: self.shares,
            shares_per_1000_s,
            connections: self.connections.values().sum(),
            miners_connected: counts.accounts_connected,
            workers_connected: counts.workers_connected,
            miners: Miners::new(Arc::clone(&self.roster)),
            work: self.work,
            history: self.history.iter().copied().collect(),
        }
    }

    fn share_rate(&mut self) -> u64 {
        if self.accepted_totals.is_empty() {
            self.accepted_totals.push_back(0);
        }
        self.accepted_totals.push_back(self.shares.accepted);
        if self.accepted_totals.len() > SHARE_RATE_S + 1 {
            self.accepted_totals.pop_front();
        }
        let first = self.accepted_totals.front().copied().unwrap_or_default();
        let seconds = u64::try_from(self.accepted_totals.len() - 1).unwrap_or(1).max(1);
        self.shares.accepted.saturating_sub(first).saturating_mul(1_000) / seconds
    }
}

impl Actor for StatsAggregator {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(TICK, |aggregator, _| aggregator.tick());
        let Some((watching, _)) = &self.watching else { return };
        let live = watching.events.subscribe(None).live;
        context.add_stream(stream::unfold(live, |mut live| async move {
            loop {
                match live.recv().await {
                    Ok(event) => {
                        if let PoolEvent::Block(block) = &event.event
                            && block.ours
                            && block.status == Some(BlockStatus::Candidate)
                            && let Some(account) = &block.account
                        {
                            return Some((Heard::Candidate(account.clone()), live));
                        }
                    }
                    Err(RecvError::Lagged(_)) => return Some((Heard::Missed, live)),
                    Err(RecvError::Closed) => return None,
                }
            }
        }));
    }
}

impl StreamHandler<Heard> for StatsAggregator {
    fn handle(&mut self, heard: Heard, _: &mut Self::Context) {
        let now = self.clock.steady();
        let Some((_, detector)) = &mut self.watching else { return };
        match heard {
            Heard::Candidate(account) => detector.candidate(now, &account),
            Heard::Missed => detector.begin_anew(),
        }
    }

    /// The pool ends, and the supervisor ends the aggregator.
    fn finished(&mut self, _: &mut Self::Context) {}
}

/// Adds a tally to the metric of shares, by function and outcome.
fn count_shares(tally: &StatsTally) {
    for (label, counts) in &tally.shares {
        count(&label.algorithm, Some(label.slot), counts);
    }
    count(&tally.algorithm, tally.slot, &tally.anonymous);
}

fn count(algorithm: &AlgorithmName, slot: Option<SlotId>, sum: &ShareCounts) {
    if *sum == ShareCounts::default() {
        return;
    }
    let slot = slot.map_or_else(|| "none".to_owned(), |slot| slot.to_string());
    for (result, reason, shares) in [
        ("accepted", "", sum.accepted),
        ("rejected", "stale", sum.stale),
        ("rejected", "duplicate", sum.duplicate),
        ("rejected", "low_difficulty", sum.low_difficulty),
        ("rejected", "invalid", sum.invalid),
    ] {
        // The series of a slot begin together, at 0, so that a part of them is one.
        let algorithm = algorithm.to_string();
        metrics::counter!(SHARES_TOTAL, "result" => result, "reason" => reason, "algorithm" => algorithm, "slot" => slot.clone())
            .increment(shares);
    }
}

impl Handler<StatsTally> for StatsAggregator {
    type Result = ();

    fn handle(&mut self, tally: StatsTally, _: &mut Self::Context) {
        let now = self.clock.now();
        count_shares(&tally);
        if let Some(former) = self.algorithm.replace(tally.algorithm)
            && self.algorithm.as_ref() != Some(&former)
        {
            // A migration is over: nobody mines it any more.
            metrics::gauge!(HASHRATE, "algorithm" => former.to_string()).set(0.0);
        }
        self.connections.insert(tally.arbiter, tally.connections);
        self.shares.add(&tally.anonymous);
        for news in &tally.sessions {
            self.shares.add(&news.counts);
            self.work = self.work.saturating_add(news.work);
        }
        self.roster.take(now, &tally.sessions);
        if let Some((watching, detector)) = &mut self.watching {
            let (node, steady) = (watching.node.load(), self.clock.steady());
            for news in &tally.sessions {
                let work = news.function.as_ref().and_then(|name| node.function(name.as_str())?.network_work);
                detector.take(steady, news, work);
            }
        }
    }
}

impl Handler<SessionEnded> for StatsAggregator {
    type Result = ();

    fn handle(&mut self, SessionEnded(session): SessionEnded, _: &mut Self::Context) {
        self.roster.end(self.clock.now(), session);
        if let Some((_, detector)) = &mut self.watching {
            detector.end(session);
        }
    }
}

impl Handler<Observe> for StatsAggregator {
    type Result = Observation;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Observation {
        Observation::of(&State {
            workers: self.roster.counts().workers,
            sessions: self.roster.counts().sessions,
            shares: self.shares,
            history: self.history.len(),
        })
    }
}
