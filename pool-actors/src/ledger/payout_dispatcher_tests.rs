//! Runs of rounds on a paused clock: when payouts count as stuck, and what is told of them.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard},
};

use async_trait::async_trait;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use pool_domain::{
    ids::{Account, PayoutId},
    payout::{ChainView, PayoutEvent, PayoutState},
    payout_plan::{Candidate, ChainLimits, SpendingLimits},
    units::Amount,
};
use tokio::sync::Notify;

use super::*;
use crate::{
    ledger::payout_rounds::Ages,
    metrics::PAYOUTS_IN_TROUBLE,
    ports::{
        payouts::{
            AccountTerms, Ending, PayoutAudit, PayoutQuery, PayoutRow, PayoutStep, PayoutStore, Reserved,
            Scope, Token,
        },
        wallet::{Paid, Payment, Sent, Signed, SignerPort, Spend, Unsigned, WalletError, WalletPort},
    },
    runtime::watch::watched,
    scripted_node::TestClock,
};

const POLL: Duration = Duration::from_millis(100);
const INTERVAL: Duration = Duration::from_secs(10);

/// Database, node and signer in memory, and what is wrong with them.
struct World {
    open: Vec<PayoutRow>,
    made: u64,
    /// Whose balance is to be paid by the next plan.
    due: Vec<&'static str>,
    held: bool,
    /// What the next reservation fails with.
    reserve: Option<StoreError>,
    refuse_send: bool,
    /// The node does not answer who sends.
    no_answer: bool,
    no_funds: bool,
    /// What the chain says of every transaction that was sent.
    view: ChainView,
    rounds: u64,
    plans: u64,
    /// A plan waits for this.
    gate: Option<Arc<Notify>>,
}

struct Fake(Mutex<World>);

impl Fake {
    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    fn step(&self, id: PayoutId, event: PayoutEvent) {
        let mut world = self.world();
        let row = world.open.iter_mut().find(|row| row.id == id).unwrap();
        row.state = row.state.after(event).unwrap();
        world.open.retain(|row| !row.state.is_final());
    }
}

#[async_trait]
impl PayoutStore for Fake {
    async fn take_payouts(&self, _: TimeMs) -> Result<Token, StoreError> {
        Ok(1)
    }

    async fn candidates(&self, _: Amount) -> Result<Vec<Candidate>, StoreError> {
        let candidate = |name: &&str| Candidate {
            account: Account::new(name).unwrap(),
            confirmed: Amount(100),
            threshold: None,
            last_payout_at: TimeMs(0),
        };
        let gate = {
            let mut world = self.world();
            world.plans += 1;
            world.gate.clone()
        };
        if let Some(gate) = gate {
            gate.notified().await;
        }
        Ok(self.world().due.iter().map(candidate).collect())
    }

    async fn reserved(&self, _: TimeMs, _: Option<PayoutId>) -> Result<Vec<Reserved>, StoreError> {
        Ok(Vec::new())
    }

    async fn held(&self) -> Result<Option<String>, StoreError> {
        Ok(self.world().held.then(|| "an operator asks for it".to_owned()))
    }

    async fn open_payouts(&self) -> Result<Vec<PayoutRow>, StoreError> {
        let mut world = self.world();
        world.rounds += 1;
        Ok(world.open.clone())
    }

    async fn reserve(
        &self,
        _: Token,
        at: TimeMs,
        payouts: Vec<Vec<(Account, Amount)>>,
    ) -> Result<Vec<PayoutId>, StoreError> {
        let mut world = self.world();
        if let Some(error) = &world.reserve {
            return Err(error.clone());
        }
        world.due.clear();
        let mut ids = Vec::new();
        for items in payouts {
            world.made += 1;
            let id = PayoutId(world.made);
            ids.push(id);
            world.open.push(PayoutRow {
                id,
                state: PayoutState::Reserved,
                hold: None,
                recipient_held: false,
                items,
                transaction: None,
                created_at: at,
                updated_at: at,
                ended_at: None,
                reason: None,
            });
        }
        Ok(ids)
    }

    async fn record_signed(
        &self,
        _: Token,
        _: TimeMs,
        id: PayoutId,
        signed: Signed,
    ) -> Result<(), StoreError> {
        self.world().open.iter_mut().find(|row| row.id == id).unwrap().transaction = Some(signed);
        self.step(id, PayoutEvent::Signed);
        Ok(())
    }

    async fn record_step(
        &self,
        _: Token,
        _: TimeMs,
        id: PayoutId,
        event: PayoutEvent,
        _: String,
    ) -> Result<(), StoreError> {
        self.step(id, event);
        Ok(())
    }

    async fn end(&self, _: Token, _: TimeMs, id: PayoutId, ending: Ending) -> Result<(), StoreError> {
        self.step(id, ending.event());
        Ok(())
    }

    async fn set_aside(&self, _: Token, _: TimeMs, _: Account, _: String) -> Result<(), StoreError> {
        panic!("every address is good")
    }

    async fn hold(&self, _: TimeMs, _: Scope, _: Option<String>, _: String) -> Result<(), StoreError> {
        panic!("of operators")
    }

    async fn set_threshold(
        &self,
        _: TimeMs,
        _: Account,
        _: Option<Amount>,
        _: String,
    ) -> Result<(), StoreError> {
        panic!("of operators")
    }

    async fn terms(&self, _: Account) -> Result<AccountTerms, StoreError> {
        panic!("of operators")
    }

    async fn all_terms(&self) -> Result<Vec<(Account, AccountTerms)>, StoreError> {
        panic!("of operators")
    }

    async fn payouts(&self, _: PayoutQuery) -> Result<Vec<PayoutRow>, StoreError> {
        panic!("of operators")
    }

    async fn payout(&self, _: PayoutId) -> Result<Option<(PayoutRow, Vec<PayoutStep>)>, StoreError> {
        panic!("of operators")
    }

    async fn payout_audit(&self, _: Option<u64>, _: usize) -> Result<Vec<PayoutAudit>, StoreError> {
        panic!("of operators")
    }
}

#[async_trait]
impl WalletPort for Fake {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn limits(&self) -> ChainLimits {
        ChainLimits { recipients_max: 1, amount_min: Amount(1), total_max: Amount(1_000), storage_mass: None }
    }

    fn depth(&self) -> u64 {
        3
    }

    async fn check_address(&self, _: &Account) -> Result<Result<(), String>, WalletError> {
        Ok(Ok(()))
    }

    async fn prepare(&self, _: &Payment, _: &[Spend], _: u64) -> Result<Unsigned, WalletError> {
        if self.world().no_funds {
            return Err(WalletError::Funds { what: "too little".into() });
        }
        Ok(Unsigned { payload: vec![1], sources: Vec::new(), targets: Vec::new(), fee: Amount(1) })
    }

    fn read(&self, payment: &Payment, _: &Unsigned, bytes: &[u8]) -> Result<Signed, String> {
        Ok(Signed {
            bytes: bytes.to_vec(),
            txid: payment.payout.to_string(),
            spends: Vec::new(),
            fee: Amount(1),
        })
    }

    async fn broadcast(&self, _: &[u8]) -> Result<Sent, WalletError> {
        let mut world = self.world();
        if world.no_answer {
            return Err(WalletError::Unavailable { what: "no answer".into() });
        }
        if world.refuse_send {
            return Ok(Sent::Refused("not now".into()));
        }
        world.view = ChainView::Waiting;
        Ok(Sent::Taken)
    }

    async fn view(&self, _: &str, _: &[Spend]) -> Result<ChainView, WalletError> {
        Ok(self.world().view)
    }

    async fn paid(&self, _: &str, _: &[Account]) -> Result<Option<Paid>, WalletError> {
        panic!("for audits")
    }
}

#[async_trait]
impl SignerPort for Fake {
    fn name(&self) -> &'static str {
        "fake"
    }

    async fn sign(&self, _: &Payment, unsigned: &Unsigned) -> Result<Vec<u8>, WalletError> {
        Ok(unsigned.payload.clone())
    }
}

/// Whoever is told of payouts.
struct Listener(Arc<Mutex<Vec<PoolEvent>>>);

impl Actor for Listener {
    type Context = Context<Self>;
}

impl Handler<Publish> for Listener {
    type Result = ();

    fn handle(&mut self, told: Publish, _: &mut Self::Context) {
        self.0.lock().unwrap().push(told.event);
    }
}

struct Rig {
    fake: Arc<Fake>,
    parts: Parts,
    dispatcher: actix::Addr<PayoutDispatcher>,
    told: Arc<Mutex<Vec<PoolEvent>>>,
    gauges: PrometheusHandle,
    _recording: metrics::LocalRecorderGuard<'static>,
}

impl Rig {
    /// A dispatcher that has a first payout to make at its first plan.
    fn start() -> Self {
        tokio::time::pause();
        let recorder = Box::leak(Box::new(PrometheusBuilder::new().build_recorder()));
        let gauges = recorder.handle();
        let recording = metrics::set_default_local_recorder(recorder);
        let fake = Arc::new(Fake(Mutex::new(World {
            open: Vec::new(),
            made: 0,
            due: vec!["alice"],
            held: false,
            reserve: None,
            refuse_send: false,
            no_answer: false,
            no_funds: false,
            view: ChainView::Unknown,
            rounds: 0,
            plans: 0,
            gate: None,
        })));
        let told = Arc::new(Mutex::new(Vec::new()));
        let rules = PlanRules {
            threshold: Amount(1),
            chain: fake.limits(),
            recipients_max: 1,
            limits: SpendingLimits::default(),
        };
        let parts = Parts {
            rounds: RoundParts {
                store: Arc::clone(&fake) as _,
                wallet: Arc::clone(&fake) as _,
                signer: Arc::clone(&fake) as _,
                clock: TestClock::start(),
                rules,
                depth: 3,
                ages: Ages::default(),
            },
            poll_interval: POLL,
            pace: watched(Pace { rules, interval: INTERVAL }).1,
            events: Outbox::new("EventPublisher", Listener(Arc::clone(&told)).start().recipient()),
            status: Arc::new(watched(PayoutStatus::default()).0),
        };
        let dispatcher = PayoutDispatcher::new(parts.clone()).start();
        Self { fake, parts, dispatcher, told, gauges, _recording: recording }
    }

    /// Between two polls, changes the world and asks for a plan; what becomes of it is done when this returns.
    async fn run(&self, change: impl FnOnce(&mut World)) {
        tokio::time::sleep(POLL / 3).await;
        change(&mut self.fake.world());
        Outbox::new("PayoutDispatcher", self.dispatcher.clone().recipient()).ask(RunPayouts).await.unwrap();
        tokio::time::sleep(POLL / 3).await;
    }

    /// How often a payout was told to have got there.
    fn told(&self, state: PayoutState) -> usize {
        let told = self.told.lock().unwrap();
        told.iter().filter(|event| matches!(event, PoolEvent::Payout(view) if view.state == state)).count()
    }

    fn plans_and_payouts(&self) -> (u64, u64) {
        let world = self.fake.world();
        (world.plans, world.made)
    }

    fn trouble(&self) -> Option<String> {
        self.parts.status.get().trouble()
    }

    /// Changes the world, and lets two rounds pass at least; what the gauge says at every poll meanwhile.
    async fn then(&self, seconds: u64, change: impl FnOnce(&mut World)) -> Vec<f64> {
        change(&mut self.fake.world());
        let rounds = self.fake.world().rounds;
        tokio::time::sleep(POLL * 3).await;
        let mut seen = Vec::new();
        for _ in 0..seconds * 10 {
            tokio::time::sleep(POLL).await;
            seen.push(self.gauge());
        }
        assert!(self.fake.world().rounds >= rounds + 2, "rounds go on");
        seen.dedup();
        seen
    }

    fn gauge(&self) -> f64 {
        let text = self.gauges.render();
        let line = text.lines().find_map(|line| line.strip_prefix(PAYOUTS_IN_TROUBLE)).unwrap();
        line.trim().parse().unwrap()
    }
}

#[actix_rt::test]
async fn what_failed_is_stuck_until_it_goes_through_whatever_rounds_come_between() {
    let rig = Rig::start();
    assert_eq!(rig.then(5, |_| {}).await, [0.0], "nothing is due yet");
    assert_eq!(rig.then(10, |world| world.refuse_send = true).await, [0.0, 1.0]);
    // The plans of now: balances that move under a plan prove nothing about what failed.
    let stale = StoreError::Stale { what: "a balance is smaller".into() };
    let moving = rig.then(40, |world| (world.due, world.reserve) = (vec!["bob"], Some(stale))).await;
    assert_eq!(moving, [1.0], "the payout of alice is not out");
    assert_eq!(rig.fake.world().made, 1, "bob's is not even made");
    assert_eq!(rig.trouble().unwrap(), "payout 1: the node does not take it now: not now");
    // Another transaction spends the same, in a block that may yet leave the chain.
    let forked = |world: &mut World| world.view = ChainView::Replaced { depth: 1 };
    assert_eq!(rig.then(40, forked).await, [1.0], "not out, and not impossible");
    let undecided = "payout 1: another transaction spends what it spends, not deep enough yet to be final";
    assert_eq!(rig.trouble().unwrap(), undecided);
    assert_eq!(rig.then(40, |world| world.view = ChainView::Unknown).await, [1.0]);
    assert_eq!(rig.then(40, |world| world.reserve = None).await, [1.0], "bob's is refused as well");
    assert_eq!(rig.fake.world().made, 2);
    assert_eq!(rig.then(5, |world| world.refuse_send = false).await, [0.0], "all are out");
    assert_eq!(rig.then(5, |world| world.view = ChainView::Confirmed { depth: 3 }).await, [0.0]);
    assert!(rig.fake.world().open.is_empty());
    assert_eq!(rig.trouble(), None);
}

#[actix_rt::test]
async fn balances_that_move_are_no_trouble() {
    let rig = Rig::start();
    let stale = StoreError::Stale { what: "a balance is smaller".into() };
    assert_eq!(rig.then(15, |world| world.reserve = Some(stale)).await, [0.0]);
    assert!(rig.fake.world().plans > 1, "it was tried");
    assert_eq!(rig.trouble(), None);
}

#[actix_rt::test]
async fn what_a_round_did_is_told_though_it_failed_later() {
    let rig = Rig::start();
    assert_eq!(rig.then(15, |_| {}).await, [0.0]);
    assert_eq!((rig.told(PayoutState::Broadcast), rig.told(PayoutState::Settled)), (1, 0));
    rig.run(|world| {
        world.view = ChainView::Confirmed { depth: 3 };
        world.due = vec!["bob"];
        world.reserve = Some(StoreError::Unavailable { what: "away".into() });
    })
    .await;
    assert!(rig.fake.world().open.is_empty(), "it is settled");
    assert_eq!(rig.gauge(), 1.0, "the plan failed");
    assert_eq!(rig.told(PayoutState::Settled), 1);
    let metrics = rig.gauges.render();
    assert!(metrics.contains("dagpool_payouts_total{state=\"settled\"} 1"), "{metrics}");
}

#[actix_rt::test]
async fn a_step_that_was_recorded_is_told_though_nothing_is_known_of_what_came_after_it() {
    let rig = Rig::start();
    assert_eq!(rig.then(15, |world| world.no_answer = true).await, [0.0, 1.0]);
    assert_eq!(rig.fake.world().open[0].state, PayoutState::Broadcast);
    assert_eq!((rig.told(PayoutState::Signed), rig.told(PayoutState::Broadcast)), (1, 1));
    let planned = |event: &PoolEvent| matches!(event, PoolEvent::PayoutCalculated { .. });
    assert_eq!(rig.told.lock().unwrap().iter().filter(|event| planned(event)).count(), 1);
    assert!(!rig.parts.status.get().stuck.plan, "the plan was made");
    assert_eq!(rig.trouble().unwrap(), WalletError::Unavailable { what: "no answer".into() }.to_string());
}

#[actix_rt::test]
async fn what_failed_in_a_round_that_failed_later_is_stuck() {
    let rig = Rig::start();
    assert_eq!(rig.then(15, |_| {}).await, [0.0]);
    rig.run(|world| {
        (world.view, world.refuse_send, world.due) = (ChainView::Unknown, true, vec!["bob"]);
        world.reserve = Some(StoreError::Unavailable { what: "away".into() });
    })
    .await;
    let stuck = rig.parts.status.get().stuck.clone();
    assert_eq!((stuck.round, stuck.plan, stuck.payouts), (true, true, BTreeSet::from([PayoutId(1)])));
    let away = StoreError::Unavailable { what: "away".into() };
    let both = format!("{away}; payout 1: the node does not take it now: not now");
    assert_eq!(rig.trouble().unwrap(), both);
}

#[actix_rt::test]
async fn a_plan_that_is_asked_for_while_another_is_made_is_made_after_it() {
    let rig = Rig::start();
    let gate = Arc::new(Notify::new());
    rig.run(|world| world.gate = Some(Arc::clone(&gate))).await;
    assert_eq!(rig.fake.world().plans, 1, "it is under way");
    rig.run(|world| world.gate = None).await;
    assert_eq!(rig.fake.world().plans, 1, "one at a time");
    gate.notify_one();
    tokio::time::sleep(POLL * 3).await;
    assert_eq!(rig.fake.world().plans, 2);
    tokio::time::sleep(POLL * 3).await;
    assert_eq!(rig.fake.world().plans, 2, "nobody asked again");
}

#[actix_rt::test]
async fn a_plan_that_was_asked_for_and_failed_is_tried_again() {
    let rig = Rig::start();
    let away = StoreError::Unavailable { what: "away".into() };
    rig.run(|world| world.reserve = Some(away)).await;
    assert_eq!(rig.plans_and_payouts(), (1, 0));
    rig.fake.world().reserve = None;
    tokio::time::sleep(PAUSE_FIRST + POLL * 2).await;
    assert_eq!(rig.plans_and_payouts(), (2, 1), "long before the interval is over");
}

#[actix_rt::test]
async fn a_plan_that_failed_is_stuck_though_the_dispatcher_begins_anew() {
    let mut rig = Rig::start();
    let away = StoreError::Unavailable { what: "away".into() };
    assert_eq!(rig.then(15, |world| world.reserve = Some(away)).await, [0.0, 1.0]);
    // One that panicked is followed by one that does not wait for a whole interval.
    rig.parts.status = Arc::new(watched(PayoutStatus::clone(&rig.parts.status.get())).0);
    rig.fake.world().reserve = None;
    rig.fake.world().due = Vec::new();
    rig.dispatcher = PayoutDispatcher::new(rig.parts.clone()).start();
    assert!(rig.parts.status.get().stuck.plan, "nothing was planned yet");
    assert!(rig.trouble().is_some());
    tokio::time::sleep(POLL * 2).await;
    assert!(!rig.parts.status.get().stuck.is_any(), "a plan went through");
    assert_eq!(rig.trouble(), None);
}

#[actix_rt::test]
async fn what_is_not_due_any_more_is_not_stuck() {
    let rig = Rig::start();
    assert_eq!(rig.then(15, |world| world.no_funds = true).await, [0.0, 1.0]);
    assert_eq!(rig.then(5, |world| world.held = true).await, [0.0], "an operator holds it");
    assert_eq!(rig.then(5, |world| world.held = false).await, [1.0]);
    let other = StoreError::InUse { node: "payout dispatcher".into(), what: "has taken over".into() };
    let taken = rig.then(15, |world| {
        (world.due, world.reserve, world.no_funds) = (vec!["bob"], Some(other), false);
    });
    assert_eq!(taken.await, [0.0], "another process pays");
    let status = rig.parts.status.get();
    assert!(status.standing_by.as_ref().is_some_and(|words| words.contains("has taken over")));
    assert_eq!((status.dispatching, status.trouble()), (false, None));
}
