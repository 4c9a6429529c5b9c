//! What the shims promise; what they are built on is pinned in `tests/tests/contracts.rs`.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use actix::{Actor, Context, Handler, Message};
use pool_domain::share::{LostReason, RejectReason, Verdict};
use tokio::sync::mpsc;

use super::{
    Runtime,
    control::{CommandInbox, Commanded, NotTaken, Wake, lane},
    critical::CriticalOutbox,
    deathwatch::Death,
    observe::{Life, Observation, Observe},
    outbox::{Credited, Outbox, Refused, Unanswered},
    supervisor::{Policy, RestartLimits, Spec, Supervised, supervise},
    ticket::{Ticket, TicketOffice, Verdicts, resolve_all},
};

/// A session that hands on what it is told.
struct Session {
    told: mpsc::UnboundedSender<Vec<(u32, Verdict)>>,
}

impl Actor for Session {
    type Context = Context<Self>;
}

impl Handler<Verdicts> for Session {
    type Result = ();

    fn handle(&mut self, verdicts: Verdicts, _: &mut Context<Self>) {
        let told = verdicts.0.iter().map(|resolved| (resolved.token, resolved.verdict)).collect();
        self.told.send(told).unwrap();
    }
}

fn session(credit_max: u32) -> (TicketOffice, mpsc::UnboundedReceiver<Vec<(u32, Verdict)>>) {
    let (told, hears) = mpsc::unbounded_channel();
    (TicketOffice::new(Session { told }.start().recipient(), credit_max), hears)
}

const LOST: Verdict = Verdict::Lost(LostReason::Dropped);
const LOW: Verdict = Verdict::Rejected(RejectReason::LowDifficulty);

#[actix_rt::test]
async fn a_ticket_resolves_exactly_once_and_a_dropped_one_is_lost() {
    let (office, mut hears) = session(8);
    office.issue(1).unwrap().resolve(Verdict::Accepted);
    drop(office.issue(2).unwrap());
    office.issue(3).unwrap().lost(LostReason::JournalUnavailable);
    assert_eq!(hears.recv().await.unwrap(), [(1, Verdict::Accepted)]);
    assert_eq!(hears.recv().await.unwrap(), [(2, LOST)]);
    assert_eq!(hears.recv().await.unwrap(), [(3, Verdict::Lost(LostReason::JournalUnavailable))]);
    assert_eq!(office.outstanding(), 0);
    drop(office);
    assert_eq!(hears.recv().await, None, "nothing else was told");
}

#[actix_rt::test]
async fn without_credit_no_ticket_until_one_is_resolved() {
    let (office, mut hears) = session(2);
    let (first, _second) = (office.issue(1).unwrap(), office.issue(2).unwrap());
    assert!(office.issue(3).is_none());
    assert_eq!((office.outstanding(), office.credit()), (2, 0));
    first.resolve(LOW);
    assert_eq!(hears.recv().await.unwrap(), [(1, LOW)]);
    assert!(office.issue(3).is_some());
}

#[actix_rt::test]
async fn consecutive_tickets_of_a_session_share_a_message() {
    let ((a, mut hears_a), (b, mut hears_b)) = (session(9), session(9));
    let tickets = [a.issue(1), a.issue(2), b.issue(7), a.issue(3)].map(Option::unwrap);
    resolve_all(tickets.into_iter().map(|ticket| (ticket, Verdict::Accepted)).collect());
    assert_eq!(hears_a.recv().await.unwrap(), [(1, Verdict::Accepted), (2, Verdict::Accepted)]);
    assert_eq!(hears_a.recv().await.unwrap(), [(3, Verdict::Accepted)]);
    assert_eq!(hears_b.recv().await.unwrap(), [(7, Verdict::Accepted)]);
    assert_eq!((a.outstanding(), b.outstanding()), (0, 0));
}

#[test]
fn a_ticket_is_small() {
    assert!(size_of::<Ticket>() <= 16);
    fn sendable<T: Send>() {}
    sendable::<Ticket>();
}

/// An actor that does as told, and counts.
struct Worker {
    life: u32,
    handled: Vec<u32>,
    inbox: Option<CommandInbox<&'static str>>,
    said: mpsc::UnboundedSender<String>,
}

#[derive(Message)]
#[rtype(result = "u32")]
struct Do(u32);

#[derive(Message)]
#[rtype(result = "()")]
struct Judge(Vec<Ticket>);

impl Credited for Judge {}

impl Actor for Worker {
    type Context = Context<Self>;
}

impl Handler<Do> for Worker {
    type Result = u32;

    fn handle(&mut self, Do(n): Do, context: &mut Context<Self>) -> u32 {
        if self.inbox.is_some() {
            self.run_commands(context);
        }
        assert!(n != 13, "unlucky");
        self.handled.push(n);
        let _ = self.said.send(format!("life {} did {n}", self.life));
        self.life
    }
}

impl Handler<Judge> for Worker {
    type Result = ();

    fn handle(&mut self, Judge(mut tickets): Judge, _: &mut Context<Self>) {
        tickets.remove(0).resolve(Verdict::Accepted);
        panic!("judging went wrong");
    }
}

impl Handler<Wake> for Worker {
    type Result = ();

    fn handle(&mut self, _: Wake, context: &mut Context<Self>) {
        self.run_commands(context);
    }
}

impl Handler<Observe> for Worker {
    type Result = Observation;

    fn handle(&mut self, _: Observe, _: &mut Context<Self>) -> Observation {
        Observation::of(&self.handled)
    }
}

impl Commanded for Worker {
    type Command = &'static str;

    fn inbox(&self) -> &CommandInbox<&'static str> {
        self.inbox.as_ref().unwrap()
    }

    fn command(&mut self, command: &'static str, _: &mut Context<Self>) {
        let _ = self.said.send(format!("told {command}"));
    }
}

fn worker() -> (Worker, mpsc::UnboundedReceiver<String>) {
    let (said, hears) = mpsc::unbounded_channel();
    (Worker { life: 0, handled: Vec::new(), inbox: None, said }, hears)
}

fn spec(policy: Policy, seat: usize) -> Spec {
    Spec { name: "worker".to_owned(), kind: "Worker", seat, mailbox: 4, policy }
}

fn quick(restarts_max: usize) -> Policy {
    Policy::Restart(RestartLimits {
        backoff_first: Duration::from_millis(1),
        backoff_max: Duration::from_millis(1),
        restarts_max,
        window: Duration::from_secs(60),
    })
}

/// A supervised worker that numbers its lives, and what all its lives say.
fn supervised(
    runtime: &Runtime,
    policy: Policy,
    seat: usize,
) -> (Supervised<Worker>, mpsc::UnboundedReceiver<String>) {
    let (said, hears) = mpsc::unbounded_channel();
    let lives = Arc::new(Mutex::new(0));
    let actor = supervise(runtime, spec(policy, seat), move |_| {
        let mut life = lives.lock().unwrap();
        *life += 1;
        Worker { life: *life, handled: Vec::new(), inbox: None, said: said.clone() }
    });
    (actor, hears)
}

/// The answer fails before the old address is closed, so a new life is told by a new address.
async fn panic_and_wait_for_the_next_life(actor: &Supervised<Worker>) {
    let old = actor.address();
    assert_eq!(actor.outbox::<Do>().ask(Do(13)).await, Err(Unanswered::Died));
    actor.addresses().wait_for(|address| address.is_some() && *address != old).await.unwrap();
}

async fn panics_and_comes_back(extra_arbiters: usize) {
    let runtime = Runtime::start(extra_arbiters).unwrap();
    let (actor, mut hears) = supervised(&runtime, quick(3), 0);
    let outbox: Outbox<Do> = actor.outbox();
    assert_eq!(outbox.ask(Do(1)).await, Ok(1));
    panic_and_wait_for_the_next_life(&actor).await;
    assert_eq!(outbox.ask(Do(2)).await, Ok(2), "the same outbox reaches the second life");
    assert_eq!(hears.recv().await.unwrap(), "life 1 did 1");
    assert_eq!(hears.recv().await.unwrap(), "life 2 did 2");
    let status = &runtime.registry.list()[0];
    assert_eq!((status.life, status.restarts), (Life::Running, 1));
    assert!(status.last_death.as_ref().unwrap().contains("unlucky"));
    assert_eq!(actor.stop().await, Death::Killed);
    assert_eq!(runtime.registry.list()[0].life, Life::Stopped);
    assert!(matches!(outbox.try_post(Do(1)), Err(Refused::Dead(_))));
    runtime.arbiters.stop();
}

#[actix_rt::test]
async fn a_supervised_actor_that_panics_is_rebuilt_on_the_same_arbiter() {
    panics_and_comes_back(0).await;
}

#[actix_rt::test]
async fn a_supervised_actor_that_panics_is_rebuilt_on_another_thread() {
    panics_and_comes_back(2).await;
}

#[actix_rt::test]
async fn too_many_panics_stop_the_process_with_a_reason() {
    let runtime = Runtime::start(0).unwrap();
    let (actor, _hears) = supervised(&runtime, quick(1), 0);
    panic_and_wait_for_the_next_life(&actor).await;
    assert_eq!(actor.outbox::<Do>().ask(Do(13)).await, Err(Unanswered::Died));
    let reason = runtime.shutdown.requested().await;
    assert!(!reason.requested);
    assert!(reason.sentence.contains("worker panicked more than 1 times in 60 s"), "{reason}");
    assert_eq!(actor.ended().await, Death::Panicked("unlucky".to_owned()));
    assert_eq!(runtime.registry.list()[0].life, Life::Failed);
}

#[actix_rt::test]
async fn an_actor_that_any_miner_may_kill_comes_back_however_often() {
    let runtime = Runtime::start(1).unwrap();
    let Policy::Restart(limits) = quick(3) else { unreachable!() };
    let (actor, _hears) = supervised(&runtime, Policy::KeepRestarting(limits), 0);
    for _ in 0..20 {
        panic_and_wait_for_the_next_life(&actor).await;
    }
    assert_eq!(runtime.shutdown.reason(), None);
    actor.stop().await;
    runtime.arbiters.stop();
}

#[actix_rt::test]
async fn a_panic_under_stop_process_is_never_restarted() {
    let runtime = Runtime::start(1).unwrap();
    let (actor, _hears) = supervised(&runtime, Policy::StopProcess, 0);
    assert_eq!(actor.outbox::<Do>().ask(Do(13)).await, Err(Unanswered::Died));
    let reason = runtime.shutdown.requested().await;
    assert!(reason.sentence.contains("recover from disk"), "{reason}");
    assert_eq!(runtime.registry.list()[0].restarts, 0);
    runtime.arbiters.stop();
}

#[actix_rt::test]
async fn tickets_held_or_queued_at_an_actor_that_dies_are_lost_not_forgotten() {
    let runtime = Runtime::start(1).unwrap();
    let (office, mut hears) = session(9);
    let (actor, _said) = supervised(&runtime, Policy::StopProcess, 0);
    let outbox: Outbox<Judge> = actor.outbox();
    let tickets = |tokens: [u32; 2]| Judge(tokens.map(|token| office.issue(token).unwrap()).into());
    outbox.post(tickets([1, 2])).unwrap();
    // Queued before or after the panic: refused ones come back and are dropped here.
    drop(outbox.post(tickets([3, 4])));
    let mut verdicts = Vec::new();
    while verdicts.len() < 4 {
        verdicts.extend(hears.recv().await.unwrap());
    }
    verdicts.sort_by_key(|(token, _)| *token);
    assert_eq!(verdicts, [(1, Verdict::Accepted), (2, LOST), (3, LOST), (4, LOST)]);
    assert_eq!(office.outstanding(), 0);
    runtime.arbiters.stop();
}

#[actix_rt::test]
async fn offers_keep_to_the_capacity_for_all_clones_together_and_critical_posts_do_not() {
    let runtime = Runtime::start(0).unwrap();
    let (worker, mut hears) = worker();
    // Nothing is handled before this test waits, since it runs on the same arbiter.
    let address = runtime.arbiters.start_actor(0, 4, move |_| worker);
    let outbox = Outbox::new("worker", address.clone().recipient::<Do>());
    let queued = (0..20).filter(|n| outbox.clone().offer(Do(*n))).count();
    assert_eq!(queued, 4);
    assert_eq!(outbox.losses(), (16, 0));
    assert!(matches!(outbox.try_post(Do(99)), Err(Refused::Full(Do(99)))));
    let critical = CriticalOutbox::new(outbox.clone());
    for n in 50..60 {
        critical.post(Do(n)).unwrap();
    }
    for expected in [0, 1, 2, 3, 50] {
        assert_eq!(hears.recv().await.unwrap(), format!("life 0 did {expected}"));
    }
    assert!(outbox.offer(Do(7)), "room again");
}

#[actix_rt::test]
async fn dropping_an_ask_does_not_cancel_the_message() {
    let runtime = Runtime::start(0).unwrap();
    let (worker, mut hears) = worker();
    let address = runtime.arbiters.start_actor(0, 4, move |_| worker);
    let outbox = Outbox::new("worker", address.recipient::<Do>());
    {
        let ask = std::pin::pin!(outbox.ask(Do(5)));
        assert!(futures_util::FutureExt::now_or_never(ask).is_none());
    }
    assert_eq!(hears.recv().await.unwrap(), "life 0 did 5");
}

#[actix_rt::test]
async fn commands_overtake_queued_data() {
    let runtime = Runtime::start(0).unwrap();
    let (mut worker, mut hears) = worker();
    let (give, get) = std::sync::mpsc::channel();
    let address = runtime.arbiters.start_actor(0, 4, move |context| {
        let (commands, inbox) = lane(actix::AsyncContext::address(context).recipient(), 2);
        worker.inbox = Some(inbox);
        give.send(commands).unwrap();
        worker
    });
    let outbox = Outbox::new("worker", address.recipient::<Do>());
    assert_eq!(outbox.ask(Do(1)).await, Ok(0));
    let commands = get.recv().unwrap();
    assert!(outbox.offer(Do(2)) && outbox.offer(Do(3)));
    commands.command("drain").unwrap();
    commands.command("pause").unwrap();
    assert_eq!(commands.command("third"), Err(NotTaken::Full("third")));
    for expected in ["life 0 did 1", "told drain", "told pause", "life 0 did 2", "life 0 did 3"] {
        assert_eq!(hears.recv().await.unwrap(), expected);
    }
}

#[actix_rt::test]
async fn every_supervised_actor_can_be_asked_for_its_state() {
    let runtime = Runtime::start(0).unwrap();
    let (actor, _hears) = supervised(&runtime, Policy::default(), 0);
    let actor = actor.observable();
    actor.outbox::<Do>().ask(Do(4)).await.unwrap();
    let observed = runtime.registry.observe("worker", Duration::from_secs(5)).await.unwrap();
    assert_eq!(observed.state, Some(serde_json::json!([4])));
    assert!(observed.mailbox_delay_us.is_some());
    assert_eq!(runtime.registry.observe("nobody", Duration::from_secs(5)).await, None);
}

#[actix_rt::test]
async fn work_is_spread_over_the_arbiters_and_refused_when_they_have_ended() {
    let runtime = Runtime::start(2).unwrap();
    assert_eq!(runtime.arbiters.seats(), 2);
    let (tx, mut rx) = mpsc::unbounded_channel();
    for turn in 0..4 {
        let tx = tx.clone();
        runtime.arbiters.spawn_on(turn, move || tx.send(std::thread::current().id()).unwrap()).unwrap();
    }
    let mut threads = std::collections::HashMap::new();
    for _ in 0..4 {
        *threads.entry(rx.recv().await.unwrap()).or_insert(0) += 1;
    }
    assert_eq!(threads.values().copied().collect::<Vec<_>>(), [2, 2]);
    runtime.arbiters.stop();
    assert!(runtime.arbiters.spawn_on(0, || ()).is_err());
    let (worker, _) = worker();
    assert!(!runtime.arbiters.start_actor(0, 1, move |_| worker).connected());
}

#[actix_rt::test]
async fn a_passing_actor_takes_its_line_with_it_and_leaves_its_successor_s_alone() {
    let runtime = Runtime::start(0).unwrap();
    let (first, _) = supervised(&runtime, quick(3), 0);
    let first = first.passing();
    // Of the same name.
    let (second, _) = supervised(&runtime, quick(3), 0);
    first.stop().await;
    let lives = || runtime.registry.list().iter().map(|actor| actor.life).collect::<Vec<_>>();
    assert_eq!(lives(), [Life::Running]);
    second.passing().stop().await;
    assert_eq!(lives(), []);
}
