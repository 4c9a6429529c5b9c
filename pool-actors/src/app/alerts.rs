//! The alerts: their rules, their channels, who keeps them.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::start::{Wiring, restarting};
use crate::{
    adapters::notify,
    alerts::{
        courier::{self, Courier},
        keeper::{self, AlertKeeper, Exposition},
        rules::{self, Rule},
    },
    config::{Config, Escalation},
    error::{Code, Failure},
    messages::{
        alert::{AlertDoors, ChannelDoor},
        live::Events,
    },
    ports::notifier::{SharedArchive, SharedNotifier},
    runtime::{
        Runtime,
        supervisor::{Supervised, supervise},
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
        channels.push((channel.name.clone(), channel.per_hour_max, notify::notifier(channel)?));
    }
    for step in &alerts.escalation {
        if let Some(unknown) = step.channels.iter().find(|name| !names.contains(name.as_str())) {
            return Err(wrong(format!(
                "alerts.escalation names the channel {unknown:?}, which there is not"
            )));
        }
    }
    let everybody = || Escalation {
        channels: channels.iter().map(|(name, ..)| name.clone()).collect(),
        ..Escalation::default()
    };
    let escalation =
        if alerts.escalation.is_empty() { [everybody()].into() } else { alerts.escalation.as_slice().into() };
    Ok(Plan { rules, channels, escalation })
}

/// What the configured alerts are, in a sentence.
pub(super) fn probe(config: &Config) -> Result<String, Failure> {
    let plan = plan(config)?;
    let names: Vec<&str> = plan.channels.iter().map(|(name, ..)| name.as_str()).collect();
    let told = if names.is_empty() {
        "told on the dashboard alone".to_owned()
    } else {
        format!("told over {}", names.join(", "))
    };
    Ok(format!("{} rules, {told}", plan.rules.len()))
}

/// Whoever keeps and tells them.
pub(super) struct Alerts {
    keeper: Supervised<AlertKeeper>,
    couriers: Vec<Supervised<Courier>>,
}

impl Alerts {
    pub(super) async fn stop(self) {
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
) -> Result<(Alerts, AlertDoors), Failure> {
    let Plan { rules, channels, escalation } = plan(config)?;
    let mut couriers = Vec::new();
    let mut doors = Vec::new();
    for (name, per_hour_max, notifier) in channels {
        let parts = courier::Parts {
            name: name.clone(),
            pool: config.pool.name.clone(),
            notifier,
            per_hour_max,
            clock: Arc::clone(&wiring.clock),
        };
        let spec = restarting(&format!("courier-{name}"), "Courier", 0);
        let courier = supervise(runtime, spec, move |_| Courier::new(parts.clone())).observable();
        doors.push(ChannelDoor {
            name,
            deliver: courier.outbox(),
            ask: courier.outbox(),
            test: courier.outbox(),
        });
        couriers.push(courier);
    }
    let parts = keeper::Parts {
        pool: config.pool.name.clone(),
        rules,
        escalation,
        every: Duration::from_secs(config.alerts.every_s),
        repeat_ms: config.alerts.repeat_s.saturating_mul(1_000),
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
    };
    Ok((Alerts { keeper, couriers }, doors))
}
