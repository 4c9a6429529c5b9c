//! InfluxWriter: the pool's figures as time series, for whoever keeps them.
//!
//! * **receives** [`Observe`]
//! * **sends** nothing; writes to a [`PointSink`](crate::ports::points::PointSink)
//! * **supervised by** the factory supervisor; a new one begins with nothing waiting
//! * **on overload** or while the server is away: lines wait, up to a bound; beyond it the oldest are given up, and counted

use std::{collections::VecDeque, time::Duration};

use actix::{Actor, ActorFutureExt as _, AsyncContext as _, Context, Handler, WrapFuture as _};
use bytes::Bytes;
use metrics::{counter, gauge};
use pool_domain::{difficulty::Difficulty, units::TimeMs};
use serde::Serialize;

use super::line_protocol::{Field, line};
use crate::{
    messages::{
        ledger::LedgerSummary,
        live::{MinerStats, PoolSnapshot},
    },
    metrics::{INFLUX_LINES_TOTAL, INFLUX_WAITING_LINES},
    ports::points::{PointsError, SharedPoints},
    runtime::{
        observe::{Observation, Observe},
        watch::Watched,
    },
};

/// Pause after the first failure; doubles with each further one.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Miners that are asked for at once.
const PAGE: usize = 1_000;

/// What a writer works with.
#[derive(Clone)]
pub struct InfluxParts {
    /// Where lines go.
    pub sink: SharedPoints,
    /// The pool's figures.
    pub snapshot: Watched<PoolSnapshot>,
    /// The ledger's, for blocks.
    pub ledger: Watched<LedgerSummary>,
    /// How often figures are taken.
    pub interval: Duration,
    /// Figures of each miner, too.
    pub miners: bool,
    /// Most lines of one request.
    pub batch_max: usize,
    /// Most lines that wait.
    pub waiting_max: usize,
}

/// See the module's documentation.
pub struct InfluxWriter {
    parts: InfluxParts,
    /// Lines with their ends, oldest first.
    waiting: VecDeque<String>,
    /// Those of the request under way.
    under_way: Vec<String>,
    is_busy: bool,
    failures: u32,
    batch: usize,
    state: State,
    /// Figures of this moment were taken.
    taken_at: TimeMs,
}

/// What a writer says about itself.
#[derive(Debug, Default, Clone, Serialize)]
struct State {
    waiting: usize,
    written: u64,
    given_up: u64,
    refused: u64,
    trouble: Option<String>,
}

impl InfluxWriter {
    /// A writer with nothing to write yet.
    #[must_use]
    pub fn new(parts: InfluxParts) -> Self {
        Self {
            batch: parts.batch_max,
            parts,
            waiting: VecDeque::new(),
            under_way: Vec::new(),
            is_busy: false,
            failures: 0,
            state: State::default(),
            taken_at: TimeMs(0),
        }
    }

    fn tick(&mut self, context: &mut Context<Self>) {
        let snapshot = self.parts.snapshot.get();
        // The same moment is the same points; before the first one there is nothing to tell.
        if snapshot.at != self.taken_at {
            self.taken_at = snapshot.at;
            let blocks = self.parts.ledger.load().totals.blocks.iter().map(|(.., count)| *count).sum();
            let lines = lines(&snapshot, blocks, self.parts.miners);
            self.waiting.extend(lines);
        }
        self.bound();
        self.go(context);
    }

    /// What is too much goes, the oldest first.
    fn bound(&mut self) {
        let room = self.parts.waiting_max.saturating_sub(self.under_way.len());
        let given_up = self.waiting.len().saturating_sub(room);
        self.waiting.drain(..given_up);
        let given_up = given_up as u64;
        self.state.given_up += given_up;
        counter!(INFLUX_LINES_TOTAL, "outcome" => "given_up").increment(given_up);
        self.state.waiting = self.waiting.len() + self.under_way.len();
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        gauge!(INFLUX_WAITING_LINES).set(self.state.waiting as f64);
    }

    fn go(&mut self, context: &mut Context<Self>) {
        if self.is_busy || self.waiting.is_empty() {
            return;
        }
        self.is_busy = true;
        let count = self.waiting.len().min(self.batch);
        self.under_way = self.waiting.drain(..count).collect();
        let body = Bytes::from(self.under_way.concat());
        let sink = SharedPoints::clone(&self.parts.sink);
        let writing = async move { sink.write(body).await };
        context
            .spawn(writing.into_actor(self).map(|result, writer, context| writer.came_back(result, context)));
    }

    fn came_back(&mut self, result: Result<(), PointsError>, context: &mut Context<Self>) {
        let lines = std::mem::take(&mut self.under_way);
        let count = lines.len() as u64;
        let mut pause = None;
        match result {
            Ok(()) => {
                if self.failures > 0 {
                    tracing::info!(
                        waiting = self.waiting.len(),
                        "the keeper of time series takes lines again"
                    );
                }
                self.state.written += count;
                self.state.trouble = None;
                self.failures = 0;
                self.batch = (self.batch * 2).min(self.parts.batch_max);
                counter!(INFLUX_LINES_TOTAL, "outcome" => "written").increment(count);
            }
            Err(PointsError::TooLarge { .. }) if lines.len() > 1 => {
                self.batch = lines.len() / 2;
                self.put_back(lines);
            }
            Err(PointsError::Never { what } | PointsError::TooLarge { what }) => {
                tracing::warn!(lines = count, "figures were refused for good: {what}");
                self.state.refused += count;
                self.state.trouble = Some(what);
                counter!(INFLUX_LINES_TOTAL, "outcome" => "refused").increment(count);
            }
            Err(PointsError::Later { what, after }) => {
                if self.failures == 0 {
                    tracing::warn!("figures wait for the keeper of time series: {what}");
                }
                self.state.trouble = Some(what);
                let doubled = PAUSE_FIRST.saturating_mul(1 << self.failures.min(6)).min(PAUSE_MAX);
                pause = Some(after.map_or(doubled, |after| after.max(doubled)));
                self.failures += 1;
                self.put_back(lines);
            }
        }
        self.bound();
        match pause {
            // Busy until then, so that ticks don't try.
            Some(pause) => {
                context.run_later(pause, |writer, context| {
                    writer.is_busy = false;
                    writer.go(context);
                });
            }
            None => {
                self.is_busy = false;
                self.go(context);
            }
        }
    }

    fn put_back(&mut self, lines: Vec<String>) {
        for line in lines.into_iter().rev() {
            self.waiting.push_front(line);
        }
    }
}

/// The lines of a moment.
fn lines(snapshot: &PoolSnapshot, blocks: u64, with_miners: bool) -> Vec<String> {
    let Some(algorithm) = &snapshot.algorithm else { return Vec::new() };
    let algorithm = algorithm.as_str();
    let mut lines = Vec::new();
    let mut add = |measurement: &str, tags: &[(&str, &str)], fields: &[(&str, Field)]| {
        let mut text = String::new();
        line(&mut text, measurement, tags, fields, snapshot.at);
        lines.push(text);
    };
    let fields = [
        ("total_hashrate", Field::Integer(snapshot.hashrate)),
        ("active_miners", Field::Integer(snapshot.miners_connected as u128)),
        ("blocks_found", Field::Integer(u128::from(blocks))),
    ];
    add("pool_stats", &[("algorithm", algorithm)], &fields);
    if !with_miners {
        return lines;
    }
    let mut after = None;
    loop {
        let page = snapshot.miners.mining_after(after.as_ref(), PAGE);
        for miner in &page {
            let tags = [("miner_id", miner.account.as_str()), ("algorithm", algorithm)];
            add("mining_stats", &tags, &of_miner(miner));
        }
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some(last.account.clone()),
            _ => return lines,
        }
    }
}

fn of_miner(miner: &MinerStats) -> [(&'static str, Field); 3] {
    let connected = miner.workers.iter().filter(|worker| worker.sessions > 0);
    let difficulty = connected.map(|worker| worker.difficulty).max().unwrap_or(Difficulty(0));
    [
        ("hashrate", Field::Integer(miner.hashrate)),
        ("difficulty", Field::Decimal(difficulty.to_string())),
        ("shares", Field::Integer(u128::from(miner.shares.accepted))),
    ]
}

impl Actor for InfluxWriter {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(self.parts.interval, Self::tick);
    }
}

impl Handler<Observe> for InfluxWriter {
    type Result = Observation;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Observation {
        Observation::of(&self.state)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use async_trait::async_trait;
    use pool_domain::ids::AlgorithmName;

    use super::*;
    use crate::{
        ports::points::PointSink,
        runtime::{
            outbox::Outbox,
            watch::{Publisher, watched},
        },
    };

    /// Answers in order, then takes everything; remembers what it was sent and what it took.
    #[derive(Default)]
    struct Script {
        answers: Mutex<VecDeque<Result<(), PointsError>>>,
        sent: Mutex<Vec<usize>>,
        taken: Mutex<Vec<String>>,
    }

    #[async_trait]
    impl PointSink for Script {
        async fn write(&self, lines: Bytes) -> Result<(), PointsError> {
            let text = String::from_utf8(lines.to_vec()).unwrap();
            assert!(text.ends_with('\n'));
            self.sent.lock().unwrap().push(text.lines().count());
            let answer = self.answers.lock().unwrap().pop_front().unwrap_or(Ok(()));
            if answer.is_ok() {
                self.taken.lock().unwrap().extend(text.lines().map(str::to_owned));
            }
            answer
        }
    }

    struct Rig {
        script: Arc<Script>,
        snapshot: Publisher<PoolSnapshot>,
        ask: Outbox<Observe>,
        second: u64,
    }

    impl Rig {
        fn new(answers: Vec<Result<(), PointsError>>, waiting_max: usize) -> Self {
            tokio::time::pause();
            let script = Arc::new(Script { answers: Mutex::new(answers.into()), ..Script::default() });
            let (snapshot, watched_snapshot) = watched(PoolSnapshot::default());
            let parts = InfluxParts {
                sink: script.clone(),
                snapshot: watched_snapshot,
                ledger: watched(LedgerSummary::default()).1,
                interval: Duration::from_secs(1),
                miners: true,
                batch_max: 4,
                waiting_max,
            };
            let ask = Outbox::new("InfluxWriter", InfluxWriter::new(parts).start().recipient());
            Self { script, snapshot, ask, second: 0 }
        }

        /// So many seconds with a point each.
        async fn run(&mut self, seconds: u64) {
            for _ in 0..seconds {
                self.second += 1;
                self.snapshot.set(PoolSnapshot {
                    at: TimeMs(self.second * 1_000),
                    algorithm: AlgorithmName::new("blake2s").ok(),
                    hashrate: 7,
                    ..PoolSnapshot::default()
                });
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }

        /// Seconds of the points that were taken, in order.
        fn taken(&self) -> Vec<u64> {
            let taken = self.script.taken.lock().unwrap();
            let second =
                |line: &String| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap() / 1_000_000_000;
            taken.iter().map(second).collect()
        }

        async fn state(&self) -> serde_json::Value {
            self.ask.ask(Observe).await.unwrap().0
        }
    }

    fn later(after_s: Option<u64>) -> Result<(), PointsError> {
        Err(PointsError::Later { what: "away".into(), after: after_s.map(Duration::from_secs) })
    }

    #[actix_rt::test]
    async fn what_waited_is_written_once_and_in_order_when_the_server_is_back() {
        let mut rig = Rig::new(vec![Ok(()), later(None), later(None), later(Some(9))], 100);
        rig.run(30).await;
        rig.snapshot.set(PoolSnapshot::default());
        tokio::time::sleep(Duration::from_secs(5)).await;
        let taken = rig.taken();
        // The first second may be over before the actor looks.
        assert!(taken[0] <= 2, "{taken:?}");
        assert_eq!(taken, (taken[0]..=30).collect::<Vec<_>>());
        let sent = rig.script.sent.lock().unwrap().clone();
        assert!(sent.iter().all(|lines| *lines <= 4), "{sent:?}");
        assert_eq!(rig.state().await["trouble"], serde_json::Value::Null);
    }

    #[actix_rt::test]
    async fn beyond_the_bound_the_oldest_is_given_up_and_counted() {
        let mut rig = Rig::new(vec![later(Some(20))], 5);
        rig.run(15).await;
        let state = rig.state().await;
        assert_eq!(state["waiting"], 5, "{state}");
        assert_eq!(state["trouble"], "away");
        rig.run(10).await;
        let taken = rig.taken();
        assert!(taken.windows(2).all(|pair| pair[0] + 1 == pair[1]), "no gap but at the front: {taken:?}");
        let state = rig.state().await;
        let count = |name: &str| state[name].as_u64().unwrap();
        assert_eq!(count("written"), taken.len() as u64);
        assert!(count("given_up") >= 10, "{state}");
        assert!((24..=25).contains(&(count("written") + count("given_up") + count("waiting"))), "{state}");
    }

    #[actix_rt::test]
    async fn too_large_is_halved_and_what_is_refused_for_good_holds_up_nobody() {
        let too_large = || Err(PointsError::TooLarge { what: "413".into() });
        let never = Err(PointsError::Never { what: "400: unable to parse".into() });
        let mut rig = Rig::new(vec![later(Some(6)), too_large(), too_large(), never], 100);
        rig.run(12).await;
        let sent = rig.script.sent.lock().unwrap().clone();
        assert_eq!(sent[..4], [1, 4, 2, 1], "{sent:?}");
        let state = rig.state().await;
        assert_eq!(state["refused"], 1, "{state}");
        let taken = rig.taken();
        assert!(taken[0] <= 3, "only the first was refused: {taken:?}");
        assert!(taken.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{taken:?}");
    }

    #[test]
    fn lines_are_those_of_the_contract() {
        let snapshot = PoolSnapshot {
            at: TimeMs(1_640_995_200_000),
            algorithm: AlgorithmName::new("blake2s").ok(),
            hashrate: 50_000_000,
            miners_connected: 100,
            miners: crate::messages::live::Miners::new(Arc::new(Three)),
            ..PoolSnapshot::default()
        };
        let text = lines(&snapshot, 5, true).concat();
        let miner = |name: &str| {
            format!(
                "mining_stats,miner_id={name},algorithm=blake2s hashrate=1000000i,difficulty=1000.5,shares=10i 1640995200000000000\n"
            )
        };
        assert_eq!(
            text,
            format!(
                "pool_stats,algorithm=blake2s total_hashrate=50000000i,active_miners=100i,blocks_found=5i 1640995200000000000\n{}{}{}",
                miner("a"),
                miner("b"),
                miner("c")
            )
        );
        assert_eq!(lines(&snapshot, 5, false).len(), 1);
        assert!(lines(&PoolSnapshot::default(), 0, true).is_empty(), "before the first job");
    }

    /// Three miners of two workers, one of which is not connected.
    struct Three;

    impl crate::messages::live::LiveMiners for Three {
        fn count(&self) -> usize {
            3
        }

        fn fastest(&self, _: usize) -> Vec<MinerStats> {
            Vec::new()
        }

        fn find(&self, _: &pool_domain::ids::Account) -> Option<MinerStats> {
            None
        }

        fn sorted(&self, _: &crate::messages::live::MinersWanted) -> crate::messages::live::MinersFound {
            crate::messages::live::MinersFound::default()
        }

        fn difficulties(
            &self,
            _: &pool_domain::ids::Account,
        ) -> Vec<crate::messages::live::WorkerDifficulties> {
            Vec::new()
        }

        fn mining_after(&self, after: Option<&pool_domain::ids::Account>, most: usize) -> Vec<MinerStats> {
            use crate::messages::{live::WorkerStats, share::WorkerIdentity, stats::ShareCounts};
            use pool_domain::ids::Account;
            let worker = |account: &Account, sessions: usize, difficulty: &str| WorkerStats {
                identity: Arc::new(WorkerIdentity {
                    account: account.clone(),
                    worker: pool_domain::ids::WorkerName::new("w").unwrap(),
                }),
                hashrate: 0,
                shares: ShareCounts::default(),
                sessions,
                difficulty: difficulty.parse().unwrap(),
                last_share_at: TimeMs(0),
                connected_since: None,
            };
            let all = ["a", "b", "c"].map(|name| Account::new(name).unwrap());
            let found = all.into_iter().filter(|account| after.is_none_or(|after| account > after));
            found
                .take(most)
                .map(|account| MinerStats {
                    hashrate: 1_000_000,
                    shares: ShareCounts { accepted: 10, ..ShareCounts::default() },
                    connected_since: None,
                    last_share_at: TimeMs(0),
                    workers: vec![worker(&account, 1, "1000.5"), worker(&account, 0, "4000")],
                    account,
                })
                .collect()
        }
    }
}
