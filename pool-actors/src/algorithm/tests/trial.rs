//! A generation on trial harms no share, whatever it does.

use std::sync::{Condvar, Mutex};

use super::*;
use crate::algorithm::{slot::Checks, trial::SlotAlarm};

const TRIAL: Route = Route { slot: SlotId(0), generation: Generation(8) };

/// What goes wrong on headers of kind `GOOD`.
#[derive(Clone)]
pub(super) enum Fault {
    None,
    Wrong,
    /// For the one header with this number behind its kind.
    WrongOnce(u64),
    Refuses,
    Panics,
    /// Refuses everything while this is true.
    Sick(Arc<std::sync::atomic::AtomicBool>),
    /// Until the gate is opened.
    Hangs(Arc<(Mutex<bool>, Condvar)>),
}

struct Faulty(Fault);

pub(super) fn faulty(fault: Fault) -> Arc<dyn PowAlgorithm> {
    Arc::new(Faulty(fault))
}

impl HashFunction for Faulty {
    fn name(&self) -> &'static str {
        "fixture"
    }

    fn hash(&self, input: &[u8]) -> Result<[u8; 32], AlgorithmError> {
        let right = Fixture { panics_left: AtomicU32::new(0) }.hash(input);
        if input[0] != GOOD {
            return right;
        }
        match &self.0 {
            Fault::None => right,
            Fault::Wrong => Ok([0xff; 32]),
            Fault::WrongOnce(number) if input[1..9] == number.to_le_bytes() => Ok([0xff; 32]),
            Fault::WrongOnce(_) => right,
            Fault::Refuses => Err(AlgorithmError::BadLength { got: 0, expected: 80 }),
            Fault::Sick(sick) if sick.load(Ordering::SeqCst) => {
                Err(AlgorithmError::BadLength { got: 0, expected: 80 })
            }
            Fault::Sick(_) => right,
            Fault::Panics => panic!("the faulty algorithm panics as told"),
            Fault::Hangs(gate) => {
                let mut open = gate.0.lock().unwrap();
                while !*open {
                    open = gate.1.wait(open).unwrap();
                }
                right
            }
        }
    }
}

impl DifficultyAdjuster for Faulty {}
impl Benchmark for Faulty {}
impl Compatibility for Faulty {}
impl Migration for Faulty {}
impl Health for Faulty {}
impl PowAlgorithm for Faulty {
    fn info(&self) -> AlgorithmInfo {
        AlgorithmInfo::new("fixture", "1.0.1", plugin_sdk::Target::MAX)
    }
}

impl Handler<SlotAlarm> for Teller<SlotAlarm> {
    type Result = ();
    fn handle(&mut self, alarm: SlotAlarm, _: &mut Context<Self>) {
        self.0.send(alarm).unwrap();
    }
}

struct Trial {
    bench: Bench,
    alarms: mpsc::UnboundedReceiver<SlotAlarm>,
    /// The last good generation, at work beside.
    good: SlotHandle,
}

fn trial(fault: Fault, trial_arbiters: usize) -> Trial {
    let (told, alarms) = mpsc::unbounded_channel::<SlotAlarm>();
    let alarm = Outbox::new("AlgorithmSupervisor", Teller(told).start().recipient::<SlotAlarm>());
    let reference: Arc<dyn PowAlgorithm> = Arc::new(Fixture { panics_left: AtomicU32::new(0) });
    let faulty: Arc<dyn PowAlgorithm> = Arc::new(Faulty(fault));
    let mut good = None;
    let bench = bench_of(|place| {
        let place = Place { trial_arbiters, ..place.clone() };
        good = Some(SlotHandle::start(&place, ROUTE, &reference));
        SlotHandle::start_trial(&place, TRIAL, &faulty, &Checks::by(&reference), &alarm).unwrap()
    });
    Trial { bench, alarms, good: good.unwrap() }
}

#[actix_rt::test]
async fn what_the_trial_gets_wrong_the_last_good_generation_puts_right() {
    for fault in [Fault::Wrong, Fault::Refuses, Fault::Panics] {
        let mut trial = trial(fault.clone(), 0);
        let bench = &mut trial.bench;
        bench.send(vec![bench.share(1, GOOD, false), bench.share(2, LOW, false)]);
        bench.send(vec![bench.share(3, GOOD, false)]);
        assert_eq!(bench.journalled(2).await, [(1, false), (3, false)]);
        let low = Verdict::Rejected(RejectReason::LowDifficulty);
        assert_eq!(bench.told(3).await, [(1, Verdict::Accepted), (2, low), (3, Verdict::Accepted)]);
        match fault {
            Fault::Wrong => {
                let alarm = trial.alarms.recv().await.unwrap();
                let SlotAlarm::HashDiffers { route, input, got, expected } = alarm else {
                    panic!("{alarm:?}")
                };
                assert_eq!((route, input[0], got), (TRIAL, GOOD, [0xff; 32]));
                assert_eq!(expected[31], GOOD);
            }
            Fault::Panics => {
                let alarm = trial.alarms.recv().await.unwrap();
                assert!(matches!(alarm, SlotAlarm::Panicked { .. }), "{alarm:?}");
            }
            _ => {}
        }
        assert_eq!(trial.bench.slot.in_flight(), 0);
    }
}

#[actix_rt::test]
async fn shares_are_taken_away_from_code_that_hangs() {
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let mut trial = trial(Fault::Hangs(Arc::clone(&gate)), 1);
    let bench = &mut trial.bench;
    bench.send(vec![bench.share(1, GOOD, false), bench.share(2, GOOD, false)]);
    while bench.slot.busy_for() < Duration::from_millis(20) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    bench.send(vec![bench.share(3, GOOD, false)]);
    assert_eq!(bench.slot.in_flight(), 3);
    let doors = bench.slot.doors();
    let Bench { slot, .. } = trial.bench;
    slot.retire(trial.good.doors()).await;
    let mut journalled = Vec::new();
    let mut journal = trial.bench.journal;
    while journalled.len() < 3 {
        for share in journal.recv().await.unwrap().0 {
            assert_eq!(share.route, ROUTE, "judged by the good generation");
            journalled.push(share.ticket.token());
            share.ticket.resolve(Verdict::Accepted);
        }
    }
    journalled.sort_unstable();
    assert_eq!(journalled, [1, 2, 3]);
    // What still comes by the old door goes on, too; what comes back late is judged by nobody.
    *gate.0.lock().unwrap() = true;
    gate.1.notify_all();
    drop(doors);
    assert!(journal.try_recv().is_err());
}

#[actix_rt::test]
async fn shadow_work_is_compared_and_never_counts() {
    let mut trial = trial(Fault::Wrong, 0);
    let tap = trial.bench.slot.shadow_tap(pool_domain::units::BasisPoints::ALL).unwrap();
    trial.good.tap(Some(tap));
    let (good, faulty) = (trial.bench.share(1, GOOD, false), trial.bench.share(2, LOW, false));
    trial.good.doors()[0].send(vec![good, faulty]);
    assert_eq!(trial.bench.journalled(1).await, [(1, false)]);
    let alarm = trial.alarms.recv().await.unwrap();
    assert!(matches!(alarm, SlotAlarm::HashDiffers { .. }), "{alarm:?}");
    tokio::time::pause();
    while trial.bench.slot.counts().compared < 2 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(trial.bench.slot.counts().shares, 0);
}

#[actix_rt::test]
async fn a_promoted_generation_keeps_its_shares() {
    let mut trial = trial(Fault::Refuses, 0);
    let bench = &mut trial.bench;
    // Nobody has run since these were put into the lane.
    bench.send(vec![bench.share(1, LOW, false), bench.share(2, LOW, false)]);
    let old_doors = bench.slot.doors();
    let runtime = Runtime::start(0).unwrap();
    let (told, _journal) = mpsc::unbounded_channel::<AppendShares>();
    let shard = Outbox::new("JournalShard", Teller(told).start().recipient::<AppendShares>());
    bench.slot.promote(&place(&runtime, shard)).await;
    old_doors[0].send(vec![bench.share(3, LOW, false)]);
    let low = Verdict::Rejected(RejectReason::LowDifficulty);
    assert_eq!(bench.told(3).await, [(1, low), (2, low), (3, low)]);
    assert_eq!(bench.slot.in_flight(), 0);
}
