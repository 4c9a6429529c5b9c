//! Figures of each second in paused time, and the stream of events.

use std::sync::Arc;

use actix::Actor as _;
use pool_domain::{
    difficulty::Difficulty,
    ids::{Account, AlgorithmName, BlockHash, SessionId, WorkerName},
    maturity::Color,
    units::{TimeMs, Work},
};
use tokio::time::{Duration, Instant};

use super::{EventPublisher, StatsAggregator};
use crate::{
    messages::{
        block::BlockView,
        event::{PoolEvent, Publish},
        live::{Audience, Events, MinerOrder as By, MinersWanted, PoolSnapshot},
        share::WorkerIdentity,
        stats::{SessionEnded, SessionTally, ShareCounts, StatsTally},
    },
    ports::clock::{Clock, SharedClock},
    runtime::{
        observe::Observe,
        outbox::Outbox,
        watch::{Watched, watched},
    },
};

const EPOCH_MS: u64 = 1_700_000_000_000;

/// tokio's clock, which the tests pause.
struct TestClock(Instant);

impl Clock for TestClock {
    fn now(&self) -> TimeMs {
        TimeMs(EPOCH_MS + u64::try_from(self.0.elapsed().as_millis()).unwrap())
    }
}

struct Rig {
    tallies: Outbox<StatsTally>,
    ended: Outbox<SessionEnded>,
    observe: Outbox<Observe>,
    snapshots: Watched<PoolSnapshot>,
}

fn rig() -> Rig {
    let clock: SharedClock = Arc::new(TestClock(Instant::now()));
    let (publisher, snapshots) = watched(PoolSnapshot::default());
    let actor = StatsAggregator::new(Arc::new(publisher), clock).start();
    Rig {
        tallies: Outbox::new("StatsAggregator", actor.clone().recipient()),
        ended: Outbox::new("StatsAggregator", actor.clone().recipient()),
        observe: Outbox::new("StatsAggregator", actor.recipient()),
        snapshots,
    }
}

fn worker(account: &str, name: &str) -> Arc<WorkerIdentity> {
    Arc::new(WorkerIdentity {
        account: Account::new(account).unwrap(),
        worker: WorkerName::new(name).unwrap(),
    })
}

fn tally(session: u64, worker: &Arc<WorkerIdentity>, accepted: u64, work: u128) -> StatsTally {
    StatsTally {
        algorithm: AlgorithmName::new("blake2s").unwrap(),
        slot: Some(pool_domain::ids::SlotId(0)),
        sessions: vec![SessionTally {
            session: SessionId(session),
            worker: Arc::clone(worker),
            counts: ShareCounts { accepted, rejected: 1, stale: 1, ..ShareCounts::default() },
            work: Work(work),
            last_share_at: TimeMs(EPOCH_MS),
            difficulty: Difficulty::whole(4),
            peer: std::net::Ipv4Addr::LOCALHOST.into(),
            nonces: [0; 16],
            function: None,
        }],
        shares: Vec::new(),
        anonymous: ShareCounts { rejected: 1, invalid: 1, ..ShareCounts::default() },
        connections: 3,
        arbiter: 0,
    }
}

impl Rig {
    async fn second(&mut self) -> Arc<PoolSnapshot> {
        self.snapshots.changed().await.unwrap()
    }

    async fn seconds(&mut self, seconds: usize) {
        for _ in 0..seconds {
            self.second().await;
        }
    }
}

#[actix_rt::test]
async fn work_becomes_hash_rate_per_worker_account_and_pool() {
    tokio::time::pause();
    let mut rig = rig();
    let (a, b, c) = (worker("alice", "a"), worker("alice", "b"), worker("bob", ""));
    let mut last = None;
    for _ in 0..60 {
        for (session, worker, work) in [(1, &a, 1_000), (2, &b, 2_000), (3, &c, 500)] {
            rig.tallies.ask(tally(session, worker, 4, work)).await.unwrap();
        }
        last = Some(rig.second().await);
    }
    let pool = last.unwrap();
    assert_eq!(pool.miners.count(), 2);
    let miners = pool.miners.fastest(9);
    assert_eq!((pool.miners_connected, pool.workers_connected, pool.connections), (2, 3, 3));
    let alice = &miners[0];
    assert_eq!(alice.account.as_str(), "alice", "the fastest first");
    assert!((2_900..=3_300).contains(&alice.hashrate), "{}", alice.hashrate);
    assert_eq!(alice.hashrate, alice.workers.iter().map(|worker| worker.hashrate).sum::<u128>());
    assert_eq!(pool.hashrate, alice.hashrate + miners[1].hashrate);
    assert_eq!(pool.miners.fastest(1).len(), 1);
    let bob = Account::new("bob").unwrap();
    assert_eq!(pool.miners.find(&bob).map(|bob| bob.hashrate), Some(miners[1].hashrate));
    let names = |after: Option<&Account>| -> Vec<String> {
        pool.miners.mining_after(after, 9).iter().map(|miner| miner.account.to_string()).collect()
    };
    assert_eq!(
        (names(None).as_slice(), names(Some(&bob)).len()),
        (["alice".into(), "bob".into()].as_slice(), 0)
    );
    assert_eq!(alice.shares.accepted, 480);
    assert_eq!(pool.shares.accepted, 720);
    assert_eq!((pool.shares.stale, pool.shares.invalid, pool.shares.rejected), (180, 180, 360));
    assert_eq!(pool.shares_per_1000_s, 12_000);
    assert_eq!(pool.work, Work(210_000));
    assert_eq!(pool.history.len(), 60);
    assert!(pool.history.is_sorted_by_key(|point| point.at));
    assert_eq!(pool.algorithm.as_ref().map(AlgorithmName::as_str), Some("blake2s"));
}

#[actix_rt::test]
async fn who_leaves_counts_no_more_even_if_its_last_news_comes_late() {
    tokio::time::pause();
    let mut rig = rig();
    let a = worker("alice", "a");
    rig.tallies.ask(tally(1, &a, 10, 100_000)).await.unwrap();
    rig.tallies.ask(tally(2, &a, 10, 100_000)).await.unwrap();
    assert_eq!(rig.second().await.workers_connected, 1, "two sessions of one worker");
    rig.ended.ask(SessionEnded(SessionId(1))).await.unwrap();
    assert!(rig.second().await.hashrate > 0);
    rig.ended.ask(SessionEnded(SessionId(2))).await.unwrap();
    rig.tallies.ask(tally(2, &a, 1, 10_000)).await.unwrap();
    let pool = rig.second().await;
    assert_eq!((pool.hashrate, pool.miners_connected, pool.workers_connected), (0, 0, 0));
    assert_eq!(pool.shares.accepted, 21, "late work is counted all the same");
    assert_eq!(pool.miners.find(&Account::new("alice").unwrap()).unwrap().connected_since, None);
    assert!(pool.miners.fastest(9).is_empty());
    // It comes back, and its rate goes on where it was.
    rig.tallies.ask(tally(3, &a, 1, 10_000)).await.unwrap();
    let pool = rig.second().await;
    assert_eq!(pool.workers_connected, 1);
    assert!(pool.hashrate > 10_000, "{}", pool.hashrate);
}

#[actix_rt::test]
async fn lost_ends_and_strangers_are_forgotten_in_time() {
    tokio::time::pause();
    let mut rig = rig();
    rig.tallies.ask(tally(1, &worker("alice", "a"), 1, 1_000)).await.unwrap();
    assert_eq!(rig.second().await.workers_connected, 1);
    tokio::time::advance(Duration::from_secs(1_300)).await;
    rig.seconds(11).await;
    assert_eq!(rig.second().await.workers_connected, 0, "silent for 20 minutes");
    tokio::time::advance(Duration::from_secs(3_700)).await;
    rig.seconds(11).await;
    assert_eq!(rig.second().await.miners.count(), 0);
    let seen = rig.observe.ask(Observe).await.unwrap();
    assert_eq!((&seen.0["workers"], &seen.0["sessions"]), (&0.into(), &0.into()));
}

#[actix_rt::test]
async fn history_is_bounded() {
    tokio::time::pause();
    let mut rig = rig();
    for _ in 0..650 {
        rig.second().await;
    }
    let pool = rig.snapshots.get();
    assert_eq!(pool.history.len(), 600);
    assert_eq!(pool.history.last().map(|point| point.at), Some(pool.at));
}

fn block(number: u8, found_at: TimeMs) -> PoolEvent {
    PoolEvent::Block(BlockView {
        hash: BlockHash([number; 32]),
        height: Some(number.into()),
        parents: Vec::new(),
        status: None,
        color: Color::Unknown,
        confirmations: 0,
        reward: None,
        account: None,
        worker: None,
        found_at,
        algorithm: None,
        ours: false,
    })
}

fn node_state() -> PoolEvent {
    PoolEvent::NodeState { ready: true, reason: String::new() }
}

#[actix_rt::test]
async fn a_subscriber_resumes_without_gap_or_repeat() {
    tokio::time::pause();
    let clock: SharedClock = Arc::new(TestClock(Instant::now()));
    let events = Events::new();
    let actor = EventPublisher::new(events.clone(), Arc::clone(&clock)).start();
    let publish = Outbox::<Publish>::new("EventPublisher", actor.clone().recipient());
    for _ in 0..10 {
        publish.ask(Publish { at: clock.now(), event: node_state() }).await.unwrap();
    }
    let first = EPOCH_MS + 1;
    let mut subscription = events.subscribe(Some(first + 5));
    assert_eq!(subscription.seq, first + 9);
    let missed: Vec<u64> = subscription.missed.unwrap().iter().map(|event| event.seq).collect();
    assert_eq!(missed, [first + 6, first + 7, first + 8, first + 9]);
    publish.ask(Publish { at: clock.now(), event: node_state() }).await.unwrap();
    assert_eq!(subscription.live.recv().await.unwrap().seq, first + 10);

    assert!(events.subscribe(Some(first + 11)).missed.is_none(), "a number of the future");
    assert!(events.subscribe(Some(7)).missed.is_none(), "a number of another process");
    assert!(events.subscribe(None).missed.is_none());
    for _ in 0..1_100 {
        events.publish(clock.now(), node_state());
    }
    assert!(events.subscribe(Some(first + 11)).missed.is_none(), "too long ago");
    let seen = Outbox::<Observe>::new("EventPublisher", actor.recipient()).ask(Observe).await.unwrap();
    assert_eq!(seen.0["events_kept"], 1_024);
}

#[test]
fn figures_are_numbered_but_not_kept() {
    let events = Events::new();
    events.begin(TimeMs(EPOCH_MS));
    events.publish(TimeMs(EPOCH_MS), PoolEvent::Stats(Arc::default()));
    let subscription = events.subscribe(Some(EPOCH_MS));
    assert_eq!((subscription.seq, subscription.missed.map(|missed| missed.len())), (EPOCH_MS + 1, Some(0)));
    // A second publisher goes on where the first one was.
    events.begin(TimeMs(EPOCH_MS + 50));
    events.publish(TimeMs(EPOCH_MS + 50), node_state());
    assert!(events.subscribe(None).seq > EPOCH_MS + 1);
}

#[test]
fn the_newest_view_of_recent_blocks_is_kept_and_gives_the_networks_pace() {
    let events = Events::new();
    let at = |s: u64| TimeMs(EPOCH_MS + s * 1_000);
    events.begin(at(0));
    events.publish(at(0), block(200, TimeMs(5)));
    assert_eq!(events.network_blocks_per_1000_s(at(20)), None, "found before anybody watched");
    for number in 0..40 {
        events.publish(at(number.into()), block(number, at(number.into())));
        events.publish(at(number.into()), block(number, at(number.into())));
    }
    assert_eq!(events.network_blocks_per_1000_s(at(5)), None, "not watched for long enough");
    assert_eq!(events.network_blocks_per_1000_s(at(40)), Some(1_000));
    assert_eq!(events.network_blocks_per_1000_s(at(1_000)), None);
    let blocks = events.subscribe(None).blocks;
    assert_eq!(blocks.len(), 41);
    assert_eq!((blocks[0].hash.0[0], blocks[40].hash.0[0]), (200, 39));
}

#[test]
fn the_dag_is_remembered_far_back_in_pages() {
    let events = Events::new();
    let hash = |number: u64| {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&number.to_be_bytes());
        BlockHash(hash)
    };
    for number in 0..5_000 {
        let PoolEvent::Block(mut view) = block(0, TimeMs(1)) else { unreachable!() };
        view.hash = hash(number);
        events.publish(TimeMs(1), PoolEvent::Block(view));
    }
    let begin = events.subscribe(None).blocks;
    assert_eq!((begin.len(), begin[0].hash, begin[239].hash), (240, hash(4_760), hash(4_999)));
    let newest = events.blocks_before(None, 500);
    assert_eq!((newest.len(), newest[0].1.hash, newest[499].1.hash), (500, hash(4_999), hash(4_500)));
    let older = events.blocks_before(Some(newest[499].0), 500);
    assert_eq!((older.len(), older[0].1.hash), (500, hash(4_499)));
    // What came meanwhile moves no page.
    let PoolEvent::Block(mut view) = block(0, TimeMs(1)) else { unreachable!() };
    view.hash = hash(5_000);
    events.publish(TimeMs(1), PoolEvent::Block(view));
    assert_eq!(events.blocks_before(Some(newest[499].0), 1)[0].1.hash, hash(4_499));
    assert_eq!(events.blocks_before(Some(u64::MAX), 9_999).len(), 4_096);
    assert!(events.blocks_before(Some(900), 500).is_empty(), "forgotten");
    assert!(events.blocks_before(Some(0), 500).is_empty());
}

/// A pool of so many accounts, each with a worker.
async fn crowd(rig: &mut Rig, miners: u64) -> Arc<PoolSnapshot> {
    let mut news = tally(0, &worker("nobody", ""), 1, 1);
    news.sessions.clear();
    for number in 0..miners {
        let worker = worker(&format!("kaspa:q{number:05}"), "rig");
        let mut session = tally(number, &worker, number % 7, u128::from(number) * 1_000).sessions.remove(0);
        session.difficulty = Difficulty::whole(1 + number % 5);
        session.last_share_at = TimeMs(EPOCH_MS + number);
        news.sessions.push(session);
    }
    rig.tallies.ask(news).await.unwrap();
    rig.second().await
}

#[actix_rt::test]
async fn accounts_are_sorted_by_anything_in_pages_that_lose_none() {
    tokio::time::pause();
    let mut rig = rig();
    let pool = crowd(&mut rig, 97).await;
    for by in [
        By::Account,
        By::Hashrate,
        By::Workers,
        By::Accepted,
        By::Rejected,
        By::Difficulty,
        By::LastShare,
        By::Connected,
    ] {
        for descending in [false, true] {
            let mut seen = Vec::new();
            let mut wanted = MinersWanted { by, descending, search: None, after: None, most: 10 };
            loop {
                let page = pool.miners.sorted(&wanted);
                assert_eq!(page.total, 97);
                seen.extend(page.items.iter().map(|(number, miner)| (*number, miner.account.clone())));
                let Some((number, miner)) = page.items.last() else { break };
                wanted.after = Some((*number, miner.account.clone()));
            }
            let mut expected = seen.clone();
            expected.sort_by(|a, b| match (by, descending) {
                (By::Account, true) => b.1.cmp(&a.1),
                (_, true) => b.0.cmp(&a.0).then(a.1.cmp(&b.1)),
                (_, false) => a.cmp(b),
            });
            assert_eq!(seen.len(), 97, "{by:?}");
            assert_eq!(seen, expected, "{by:?} {descending}");
        }
    }
    let fastest = MinersWanted { by: By::Hashrate, descending: true, search: None, after: None, most: 1 };
    let found = pool.miners.sorted(&fastest).items;
    assert_eq!(found[0].1.account.as_str(), "kaspa:q00096");
    let some = MinersWanted { search: Some("q0004".into()), most: 50, ..fastest };
    assert_eq!(pool.miners.sorted(&some).total, 10);
}

/// Measured: `cargo nextest run --release -p pool-actors --run-ignored only --no-capture ten_thousand`.
#[actix_rt::test]
#[ignore = "a measurement"]
async fn ten_thousand_accounts_are_sorted_while_nobody_waits() {
    tokio::time::pause();
    let mut rig = rig();
    let pool = crowd(&mut rig, 10_000).await;
    for by in [By::Hashrate, By::Account, By::LastShare, By::Difficulty] {
        let wanted = MinersWanted { by, descending: true, search: Some("q".into()), after: None, most: 200 };
        let mut times: Vec<_> = (0..21)
            .map(|_| {
                let begun = std::time::Instant::now();
                assert_eq!(pool.miners.sorted(&wanted).items.len(), 200);
                begun.elapsed()
            })
            .collect();
        times.sort();
        println!("{by:?}: median {:?}, worst {:?}", times[10], times[20]);
    }
}

#[actix_rt::test]
async fn the_last_difficulties_of_a_worker_are_remembered() {
    tokio::time::pause();
    let mut rig = rig();
    let alice = worker("alice", "a");
    for step in [4, 4, 8, 8, 16] {
        let mut news = tally(1, &alice, 1, 1);
        news.sessions[0].difficulty = Difficulty::whole(step);
        rig.tallies.ask(news).await.unwrap();
        rig.second().await;
    }
    let account = Account::new("alice").unwrap();
    let known = rig.second().await.miners.difficulties(&account);
    let steps: Vec<Difficulty> = known[0].changes.iter().map(|(_, to)| *to).collect();
    assert_eq!(steps, [Difficulty::whole(4), Difficulty::whole(8), Difficulty::whole(16)]);
    assert!(known[0].changes.is_sorted_by_key(|(at, _)| *at));
    for step in 0..100 {
        let mut news = tally(1, &alice, 1, 1);
        news.sessions[0].difficulty = Difficulty::whole(20 + step);
        rig.tallies.ask(news).await.unwrap();
    }
    let known = rig.second().await.miners.difficulties(&account);
    assert_eq!((known[0].changes.len(), known[0].changes[23].1), (24, Difficulty::whole(119)));
}

#[test]
fn an_event_is_rendered_once_per_audience() {
    let events = Events::new();
    let mut live = events.subscribe(None).live;
    events.publish(TimeMs(1), node_state());
    let event = live.try_recv().unwrap();
    assert_eq!(event.frame(Audience::Public, |_| Some("public".into())).as_deref(), Some("public"));
    assert_eq!(event.frame(Audience::Public, |_| panic!("rendered twice")).as_deref(), Some("public"));
    assert_eq!(event.frame(Audience::Operator, |_| None), None);
    assert_eq!(event.frame(Audience::Operator, |_| panic!("rendered twice")), None);
}
