//! The alerts: their rules, their channels, who keeps them.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::start::{Wiring, restarting};
use crate::{
    adapters::notify,
    alerts::{
        courier::{self, Courier},
        keeper::{self, AlertKeeper, Exposition, Rulebook},
        personal::{self, MinerAlerts},
        rules::{self, Rule},
    },
    config::{Config, Escalation},
    error::{Code, Failure},
    messages::{
        alert::{AlertDoors, ChannelDoor, PersonalDoor},
        live::{Events, PoolSnapshot},
        session::{ListNotices, ShowTexts},
    },
    ports::{archive::SharedArchive, mailer::SharedMailer, notifier::SharedNotifier, users::SharedUsers},
    runtime::{
        Runtime,
        outbox::Outbox,
        supervisor::{Supervised, supervise},
        watch::{Publisher, Watched, watched},
    },
};

/// The configured alerts, checked.
struct Plan {
    rules: Arc<[Rule]>,
    channels: Vec<(String, usize, SharedNotifier)>,
    escalation: Arc<[Escalation]>,
}

fn plan(config: &Config) -> Result<Plan, Failure> {
    let wrong =
        |what: String| Failure::new(Code::ConfigInvalid, what, "pool.example.toml documents the keys");
    let alerts = &config.alerts;
    if alerts.every_s == 0 {
        return Err(wrong("alerts.every_s is 0".to_owned()));
    }
    let rules: Arc<[Rule]> = rules::rules(&alerts.rule).map_err(wrong)?.into();
    let mut names = BTreeSet::new();
    let mut channels = Vec::new();
    for channel in &alerts.channel {
        if channel.name.is_empty() || !names.insert(channel.name.as_str()) {
            return Err(wrong(format!(
                "alerts.channel {:?}: every channel needs a name of its own",
                channel.name
            )));
        }
        for one in channel.by_recipient() {
            let notifier = notify::notifier(&one, &config.http.public_url)?;
            channels.push((one.name.clone(), one.per_hour_max, notifier));
        }
    }
    for step in &alerts.escalation {
        if let Some(unknown) = step.channels.iter().find(|name| !names.contains(name.as_str())) {
            return Err(wrong(format!(
                "alerts.escalation names the channel {unknown:?}, which there is not"
            )));
        }
    }
    let everybody = || Escalation {
        channels: alerts.channel.iter().map(|channel| channel.name.clone()).collect(),
        ..Escalation::default()
    };
    let escalation =
        if alerts.escalation.is_empty() { [everybody()].into() } else { alerts.escalation.as_slice().into() };
    Ok(Plan { rules, channels, escalation })
}

/// What the configured alerts are, in a sentence.
pub(super) fn probe(config: &Config) -> Result<String, Failure> {
    let plan = plan(config)?;
    let names: Vec<&str> = config.alerts.channel.iter().map(|channel| channel.name.as_str()).collect();
    let told = if names.is_empty() {
        "told on the dashboard alone".to_owned()
    } else {
        format!("told over {}", names.join(", "))
    };
    let mailer = notify::mailer(&config.mail, &config.pool.data_dir)?;
    let miners = match messenger(config, mailer)?.map(|messenger| messenger.offer()) {
        None => "miners are told nothing",
        Some(offer) if offer.private => {
            "miners are told what they ask for, over webhooks into the pool's own network too (allow_private): \
             strangers must not be able to register"
        }
        Some(_) => "miners are told what they ask for",
    };
    Ok(format!("{} rules, {told}; {miners}", plan.rules.len()))
}

/// Whoever keeps and tells them.
pub(super) struct Alerts {
    keeper: Supervised<AlertKeeper>,
    couriers: Vec<Supervised<Courier>>,
    personal: Option<Supervised<MinerAlerts>>,
}

/// What miners' own alerts are made of.
pub(super) struct People {
    pub(super) users: SharedUsers,
    pub(super) payouts: bool,
    pub(super) snapshot: Watched<PoolSnapshot>,
    pub(super) mailer: SharedMailer,
    pub(super) symbol: &'static str,
    pub(super) sessions: (Vec<Outbox<ListNotices>>, Vec<Outbox<ShowTexts>>),
}

impl Alerts {
    pub(super) async fn stop(self) {
        if let Some(personal) = self.personal {
            personal.stop().await;
        }
        self.keeper.stop().await;
        for courier in self.couriers {
            courier.stop().await;
        }
    }
}

pub(super) fn start(
    runtime: &Runtime,
    wiring: &Wiring,
    config: &Config,
    events: &Events,
    archive: SharedArchive,
    exposition: Exposition,
    people: People,
) -> Result<(Alerts, AlertDoors, Publisher<Rulebook>), Failure> {
    let (personal, door) = start_personal(runtime, wiring, config, events, people)?.unzip();
    let Plan { rules, channels, escalation } = plan(config)?;
    let mut couriers = Vec::new();
    let mut doors = Vec::new();
    for (nth, (name, per_hour_max, notifier)) in channels.into_iter().enumerate() {
        let parts = courier::Parts {
            name: name.clone(),
            pool: config.pool.name.clone(),
            notifier,
            per_hour_max,
            clock: Arc::clone(&wiring.clock),
        };
        let spec = restarting(&format!("courier-{nth}-{name}"), "Courier", 0);
        let courier = supervise(runtime, spec, move |_| Courier::new(parts.clone())).observable();
        doors.push(ChannelDoor {
            name,
            deliver: courier.outbox(),
            ask: courier.outbox(),
            test: courier.outbox(),
        });
        couriers.push(courier);
    }
    let repeat_ms = config.alerts.repeat_s.saturating_mul(1_000);
    let (rulebook, watching) = watched(Rulebook { rules, escalation, repeat_ms });
    let parts = keeper::Parts {
        pool: config.pool.name.clone(),
        rulebook: watching,
        every: Duration::from_secs(config.alerts.every_s),
        exposition,
        events: events.clone(),
        publish: wiring.events.clone(),
        channels: doors.clone(),
        archive,
        clock: Arc::clone(&wiring.clock),
    };
    let keeper = supervise(runtime, restarting("alert-keeper", "AlertKeeper", 0), move |_| {
        AlertKeeper::new(parts.clone())
    })
    .observable();
    let doors = AlertDoors {
        list: keeper.outbox(),
        acknowledge: keeper.outbox(),
        hush: keeper.outbox(),
        unhush: keeper.outbox(),
        channels: doors,
        personal: door,
    };
    Ok((Alerts { keeper, couriers, personal }, doors, rulebook))
}

/// Who brings messages to miners, checked; `None` = it is not offered.
fn messenger(config: &Config, mailer: SharedMailer) -> Result<Option<notify::OpenMessenger>, Failure> {
    let settings = &config.alerts.personal;
    let wrong = |what: String| {
        let what = format!("alerts.personal: {what}");
        Failure::new(Code::ConfigInvalid, what, "pool.example.toml documents the keys")
    };
    if !settings.enabled {
        return Ok(None);
    }
    if settings.every_s == 0 || settings.per_hour_max == 0 {
        return Err(wrong(
            "`every_s` and `per_hour_max` must not be 0; `enabled` switches it off".to_owned(),
        ));
    }
    notify::OpenMessenger::new(mailer, settings).map(Some).map_err(wrong)
}

fn start_personal(
    runtime: &Runtime,
    wiring: &Wiring,
    config: &Config,
    events: &Events,
    people: People,
) -> Result<Option<(Supervised<MinerAlerts>, PersonalDoor)>, Failure> {
    let Some(messenger) = messenger(config, people.mailer)? else { return Ok(None) };
    let offer = messenger.offer();
    let (notices, show) = people.sessions;
    let parts = personal::Parts {
        pool: config.pool.name.clone(),
        every: Duration::from_secs(config.alerts.personal.every_s),
        per_hour_max: config.alerts.personal.per_hour_max,
        currency: (config.chain.profile.decimals(), people.symbol),
        payouts: people.payouts,
        users: people.users,
        snapshot: people.snapshot,
        events: events.clone(),
        messenger: Arc::new(messenger),
        notices,
        show,
        clock: Arc::clone(&wiring.clock),
    };
    let spec = restarting("miner-alerts", "MinerAlerts", 0);
    let personal = supervise(runtime, spec, move |_| MinerAlerts::new(parts.clone())).observable();
    let door = PersonalDoor { bring: personal.outbox(), offer };
    Ok(Some((personal, door)))
}

/// Takes over newer rules; that they can be used was found out before.
pub(super) fn turn(rulebook: &Publisher<Rulebook>, config: &Config) {
    if let Ok(Plan { rules, escalation, .. }) = plan(config) {
        let repeat_ms = config.alerts.repeat_s.saturating_mul(1_000);
        rulebook.set(Rulebook { rules, escalation, repeat_ms });
    }
}
