//! Keeper and couriers on a paused clock.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use actix::Actor as _;
use async_trait::async_trait;
use pool_domain::{
    catalogue::Code,
    isolation::Level,
    rollout::{Event, Rollout, RolloutKind},
    severity::Severity,
    units::{BasisPoints, TimeMs},
};

use super::{
    courier::{self, Courier},
    keeper::{self, AlertKeeper},
    rules::rules,
};
use crate::{
    algorithm::deployment::{self, rollout_plan},
    config::Escalation,
    messages::{
        alert::{
            Acknowledge, AlertDoors, AskChannel, ChannelDoor, ChannelView, Deliver, ListAlerts, TryChannel,
        },
        event::{PoolEvent, Publish},
        live::Events,
        trouble,
    },
    ports::{
        archive::Archive,
        clock::SharedClock,
        deployments::{DeployPlan, DeploymentRow, Strategy},
        notifier::{AlertView, Notice, Notifier, NotifyError, SharedNotifier},
        packages::{PackageRef, PackageSource},
    },
    runtime::{outbox::Outbox, watch::watched},
    scripted_node::TestClock,
    stats::EventPublisher,
};

type Answer = Result<(), NotifyError>;

/// A channel that remembers what it was told, and fails as it is told to.
#[derive(Default)]
struct Channel {
    told: Mutex<Vec<Notice>>,
    answers: Mutex<VecDeque<Answer>>,
    hangs: bool,
}

#[async_trait]
impl Notifier for Channel {
    fn kind(&self) -> &'static str {
        "test"
    }

    async fn notify(&self, notice: &Notice) -> Answer {
        if self.hangs {
            // As long as an adapter's own bound.
            tokio::time::sleep(Duration::from_secs(10)).await;
            return Err(NotifyError::Later { what: "timed out".into(), after: None });
        }
        let answer = self.answers.lock().unwrap().pop_front().unwrap_or(Ok(()));
        if answer.is_ok() {
            self.told.lock().unwrap().push(notice.clone());
        }
        answer
    }
}

#[derive(Default)]
struct Memory(Mutex<Option<String>>);

impl Archive for Memory {
    fn load(&self) -> io::Result<Option<String>> {
        Ok(self.0.lock().unwrap().clone())
    }

    fn save(&self, text: &str) -> io::Result<()> {
        *self.0.lock().unwrap() = Some(text.to_owned());
        Ok(())
    }
}

fn courier(channel: &Arc<Channel>, per_hour_max: usize, clock: &SharedClock) -> ChannelDoor {
    let notifier: SharedNotifier = Arc::<Channel>::clone(channel);
    let clock = Arc::clone(clock);
    let courier =
        Courier::new(courier::Parts { name: "ops".into(), pool: "P".into(), notifier, per_hour_max, clock })
            .start();
    ChannelDoor {
        name: "ops".into(),
        deliver: Outbox::new("Courier", courier.clone().recipient()),
        ask: Outbox::new("Courier", courier.clone().recipient()),
        test: Outbox::new("Courier", courier.recipient()),
    }
}

fn clock() -> SharedClock {
    TestClock::start()
}

fn alert(id: u64, severity: Severity) -> AlertView {
    AlertView {
        id,
        rule: format!("rule{id}"),
        subject: String::new(),
        severity,
        message: format!("trouble {id}"),
        documentation_link: String::new(),
        value: None,
        fired_at: clock().now(),
        resolved_at: None,
        acknowledged: None,
        inhibited_by: None,
        silenced: false,
    }
}

fn notice(id: u64) -> Deliver {
    Deliver(Notice { pool: "P".into(), firing: vec![alert(id, Severity::Warning)], ..Notice::default() })
}

async fn view(door: &ChannelDoor) -> ChannelView {
    door.ask.ask(AskChannel).await.unwrap()
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[actix_rt::test]
async fn what_fails_is_tried_again_with_what_came_since_and_given_up_in_the_end() {
    tokio::time::pause();
    let later = || Err(NotifyError::Later { what: "busy".into(), after: None });
    let channel = Arc::new(Channel { answers: Mutex::new([later(), later()].into()), ..Channel::default() });
    let door = courier(&channel, 0, &clock());
    door.deliver.ask(notice(1)).await.unwrap();
    pass(0).await;
    assert_eq!(view(&door).await.trouble.as_deref(), Some("busy"));
    door.deliver.ask(notice(2)).await.unwrap();
    pass(4).await;
    let told = channel.told.lock().unwrap().clone();
    assert_eq!((told.len(), told[0].firing.len()), (1, 2), "one notice of both");
    assert_eq!((view(&door).await.delivered, view(&door).await.trouble), (1, None));
    channel.answers.lock().unwrap().extend((0..99).map(|_| later()));
    door.deliver.ask(notice(3)).await.unwrap();
    pass(900).await;
    let gone = view(&door).await;
    assert_eq!((gone.given_up, gone.waiting), (1, 0), "{gone:?}");
}

#[actix_rt::test]
async fn what_can_never_arrive_is_given_up_at_once_and_a_wait_is_kept_to() {
    tokio::time::pause();
    let never = Err(NotifyError::Never { what: "wrong key".into() });
    let wait = Err(NotifyError::Later { what: "slow down".into(), after: Some(Duration::from_secs(30)) });
    let channel = Arc::new(Channel { answers: Mutex::new([never, wait].into()), ..Channel::default() });
    let door = courier(&channel, 0, &clock());
    door.deliver.ask(notice(1)).await.unwrap();
    pass(0).await;
    assert_eq!(view(&door).await.given_up, 1);
    door.deliver.ask(notice(2)).await.unwrap();
    pass(29).await;
    assert_eq!(view(&door).await.delivered, 0);
    pass(2).await;
    assert_eq!(view(&door).await.delivered, 1);
}

#[actix_rt::test]
async fn beyond_the_limit_of_the_hour_many_become_one() {
    tokio::time::pause();
    let channel = Arc::new(Channel::default());
    let door = courier(&channel, 2, &clock());
    for id in 1..=5 {
        door.deliver.ask(notice(id)).await.unwrap();
        pass(1).await;
    }
    assert_eq!(channel.told.lock().unwrap().len(), 2);
    assert_eq!(view(&door).await.waiting, 3);
    pass(3_600).await;
    let told = channel.told.lock().unwrap().clone();
    assert_eq!((told.len(), told[2].firing.len()), (3, 3));
    for id in 1..=205 {
        door.deliver.ask(notice(id)).await.unwrap();
    }
    pass(7_200).await;
    let told = channel.told.lock().unwrap().clone();
    let (first, rest) = (&told[3], &told[4]);
    assert_eq!((told.len(), first.firing.len()), (5, 1));
    assert_eq!((rest.firing.len(), rest.more), (100, 104), "named up to a bound, and counted");
    assert!(rest.subject().ends_with("(and 203 more)"), "{}", rest.subject());
    assert!(rest.text().ends_with("and 104 more: the dashboard has them all"));
}

#[actix_rt::test]
async fn a_channel_that_hangs_holds_up_no_other_and_keeps_one_notice() {
    tokio::time::pause();
    let (stuck, fine) =
        (Arc::new(Channel { hangs: true, ..Channel::default() }), Arc::new(Channel::default()));
    let clock = clock();
    let (bad, good) = (courier(&stuck, 0, &clock), courier(&fine, 0, &clock));
    for id in 0..500 {
        bad.deliver.ask(notice(id)).await.unwrap();
        good.deliver.ask(notice(id)).await.unwrap();
    }
    pass(1).await;
    assert!(view(&bad).await.waiting <= 100);
    let told: usize = fine.told.lock().unwrap().iter().map(|notice| notice.firing.len()).sum();
    assert!(told >= 100, "{told}");
    assert!(bad.test.ask(TryChannel).await.unwrap().unwrap_err().contains("timed out"));
}

/// A keeper of the default rules with one channel, "ops", for tests of whoever asks it.
pub(crate) fn doors() -> AlertDoors {
    Rig::new(Arc::default()).doors
}

/// A deployment that was ordered just now.
pub(crate) fn deployment_row(id: u64, now: TimeMs) -> DeploymentRow {
    let package = |version: &str| PackageRef {
        name: "blake2s".into(),
        version: version.into(),
        hash_function: "blake2s".into(),
        source: PackageSource::LinkedIn,
    };
    let plan = DeployPlan {
        strategy: Strategy::Immediate,
        shadow_ms: 0,
        phase_ms: 0,
        shadow_share: BasisPoints::ZERO,
        steps: vec![BasisPoints::ALL],
        at: None,
        rollback_on_error: true,
        isolation: Level::Wasm,
        notify: Vec::new(),
    };
    let rollout = Rollout::new(RolloutKind::Upgrade, rollout_plan(&plan).unwrap());
    DeploymentRow {
        id,
        revision: 1,
        package: package("1.1.0"),
        replaces: package("1.0.0"),
        generation: 2,
        plan,
        rollout,
        created_at: now,
        updated_at: now,
        by: "ann".into(),
    }
}

struct Rig {
    doors: AlertDoors,
    publish: Outbox<Publish>,
    channel: Arc<Channel>,
    other: Arc<Channel>,
    exposition: Arc<Mutex<String>>,
    events: Events,
    archive: Arc<Memory>,
    clock: SharedClock,
}

impl Rig {
    fn new(archive: Arc<Memory>) -> Self {
        let (clock, events) = (clock(), Events::new());
        let publisher = EventPublisher::new(events.clone(), Arc::clone(&clock)).start();
        let publish = Outbox::new("EventPublisher", publisher.recipient());
        let channel = Arc::new(Channel::default());
        let exposition = Arc::new(Mutex::new("dagpool_node_ready 1\n".to_owned()));
        let shown = Arc::clone(&exposition);
        // The same channel's other recipient.
        let other = Arc::new(Channel::default());
        let channels = vec![courier(&other, 0, &clock), courier(&channel, 0, &clock)];
        let keeper = AlertKeeper::new(keeper::Parts {
            pool: "P".into(),
            rulebook: watched(keeper::Rulebook {
                rules: rules(&[]).unwrap().into(),
                escalation: [Escalation { channels: vec!["ops".into()], ..Escalation::default() }].into(),
                repeat_ms: 0,
            })
            .1,
            every: Duration::from_secs(5),
            exposition: Arc::new(move || shown.lock().unwrap().clone()),
            events: events.clone(),
            publish: publish.clone(),
            channels: channels.clone(),
            archive: Arc::<Memory>::clone(&archive),
            clock: Arc::clone(&clock),
        })
        .start();
        let doors = AlertDoors {
            list: Outbox::new("AlertKeeper", keeper.clone().recipient()),
            acknowledge: Outbox::new("AlertKeeper", keeper.clone().recipient()),
            hush: Outbox::new("AlertKeeper", keeper.clone().recipient()),
            unhush: Outbox::new("AlertKeeper", keeper.recipient()),
            channels,
            personal: None,
        };
        Self { doors, publish, channel, other, exposition, events, archive, clock }
    }

    fn show(&self, text: &str) {
        text.clone_into(&mut self.exposition.lock().unwrap());
    }

    fn told(&self) -> Vec<String> {
        self.channel.told.lock().unwrap().iter().map(Notice::subject).collect()
    }

    async fn firing(&self) -> Vec<AlertView> {
        self.doors.list.ask(ListAlerts).await.unwrap().firing
    }

    fn raise(&self, code: Code, message: &str) {
        let event = trouble::raised(code, message, serde_json::json!({}));
        self.publish.offer(Publish { at: self.clock.now(), event });
    }
}

#[actix_rt::test]
async fn a_figure_becomes_an_alert_people_are_told_and_hear_of_its_end() {
    tokio::time::pause();
    let rig = Rig::new(Arc::default());
    let mut events = rig.events.subscribe(None).live;
    pass(20).await;
    assert!(rig.firing().await.is_empty());
    rig.show("dagpool_node_ready 0\n");
    pass(20).await;
    assert_eq!(rig.told(), ["[P] critical: no node can be mined on: miners are without work"]);
    let saved = rig.archive.load().unwrap().unwrap();
    assert!(saved.contains("node_not_ready"), "saved before anybody was told: {saved}");
    let id = rig.firing().await[0].id;
    let taken = Acknowledge { id, by: "ann".into(), note: String::new() };
    assert!(rig.doors.acknowledge.ask(taken).await.unwrap().is_some());
    rig.show("dagpool_node_ready 1\n");
    pass(20).await;
    assert!(rig.told()[1].starts_with("[P] over: no node"), "{:?}", rig.told());
    let states: Vec<bool> = std::iter::from_fn(|| events.try_recv().ok())
        .filter_map(|event| match &event.event {
            PoolEvent::AlertState(alert) => Some(alert.is_firing()),
            _ => None,
        })
        .collect();
    assert_eq!(states, [true, true, false], "began, was taken, is over");
}

#[actix_rt::test]
async fn the_channels_that_a_deployment_names_are_told_of_each_step_once() {
    tokio::time::pause();
    let rig = Rig::new(Arc::default());
    pass(1).await;
    let mut row = deployment_row(3, rig.clock.now());
    row.plan.notify = vec!["ops".into()];
    let show = async |row: &DeploymentRow| {
        let event = PoolEvent::Deployment(Arc::new(deployment::view(row, None)));
        rig.publish.offer(Publish { at: rig.clock.now(), event });
        pass(1).await;
    };
    // It is shown once a second, and told once a step.
    for _ in 0..3 {
        show(&row).await;
    }
    while !row.rollout.stage().is_final() {
        row.rollout.apply(Event::Passed(row.rollout.stage())).unwrap();
        show(&row).await;
        show(&row).await;
    }
    assert_eq!(
        rig.told(),
        [
            "[P] deployment 3 of blake2s_1.1.0 was ordered by ann in place of blake2s_1.0.0",
            "[P] deployment 3 of blake2s_1.1.0 is at warm",
            "[P] deployment 3 of blake2s_1.1.0 is at shadow",
            "[P] deployment 3 of blake2s_1.1.0 is at 100%",
            "[P] deployment 3 of blake2s_1.1.0 is at draining",
            "[P] deployment 3 of blake2s_1.1.0 is complete: it has replaced blake2s_1.0.0",
        ]
    );
    assert!(rig.firing().await.is_empty(), "it is no alert");
    // Nobody is told of what names no channel.
    row.id = 4;
    row.plan.notify.clear();
    show(&row).await;
    assert_eq!(rig.told().len(), 6);
}

#[actix_rt::test]
async fn a_recipient_who_cannot_be_reached_keeps_nobody_else_from_being_told() {
    tokio::time::pause();
    let rig = Rig::new(Arc::default());
    pass(1).await;
    let wrong = |_| Err(NotifyError::Later { what: "no such number".into(), after: None });
    rig.other.answers.lock().unwrap().extend((0..5).map(wrong));
    rig.raise(Code::ActorFailed, "it died");
    pass(60).await;
    assert_eq!(rig.told().len(), 1, "once, however often the other is tried: {:?}", rig.told());
    assert_eq!(rig.other.told.lock().unwrap().len(), 1);
}

#[actix_rt::test]
async fn an_error_event_is_an_alert_unless_a_rule_watches_it() {
    tokio::time::pause();
    let rig = Rig::new(Arc::default());
    pass(1).await;
    rig.raise(Code::StoreUnavailable, "away");
    rig.raise(Code::ActorFailed, "it died");
    pass(1).await;
    let firing = rig.firing().await;
    assert_eq!(firing.len(), 1, "{firing:?}");
    assert_eq!((firing[0].rule.as_str(), firing[0].severity), ("ACTOR_FAILED", Severity::Critical));
    assert_eq!(firing[0].documentation_link, "/docs/errors/ACTOR_FAILED");
    assert_eq!(rig.told().len(), 1);
}

#[actix_rt::test]
async fn a_keeper_that_is_built_anew_goes_on_and_one_that_can_t_read_begins_anew() {
    tokio::time::pause();
    let archive = Arc::new(Memory::default());
    let rig = Rig::new(Arc::clone(&archive));
    rig.raise(Code::ActorFailed, "it died");
    pass(1).await;
    let before = rig.firing().await;
    let again = Rig::new(Arc::clone(&archive));
    pass(6).await;
    assert_eq!(again.firing().await, before);
    assert!(again.told().is_empty(), "they know");
    archive.save("rubbish").unwrap();
    assert!(Rig::new(archive).firing().await.is_empty());
}
