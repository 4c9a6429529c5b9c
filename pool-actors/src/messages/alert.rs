//! Alerts: what is wrong now, who has taken it on, and what is being kept quiet.

use std::fmt;

use actix::Message;
use pool_domain::{severity::Severity, units::TimeMs};
use serde::{Deserialize, Serialize};

use crate::{
    ports::{
        notifier::{AlertView, Notice},
        personal::{Offer, Target},
    },
    runtime::outbox::Outbox,
};

/// A time during which nobody is told of a rule's alerts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Its number, from 1.
    pub id: u64,
    /// The rule; empty = all rules.
    pub rule: String,
    /// The subject; empty = all of the rule's.
    pub subject: String,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When it began.
    pub at: TimeMs,
    /// When it ends.
    pub until: TimeMs,
}

/// A rule as people see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleView {
    /// Its name.
    pub name: String,
    /// How bad its alerts are.
    pub severity: Severity,
    /// What it watches, in words.
    pub condition: String,
    /// For how long that must hold, seconds.
    pub for_s: u64,
    /// What it says.
    pub message: String,
    /// Rules whose alerts explain its own.
    pub inhibited_by: Vec<String>,
    /// The last figure that it saw.
    pub value: Option<f64>,
}

/// A channel as people see it: never its address, which is a secret more often than not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChannelView {
    /// Its name.
    pub name: String,
    /// What kind of channel.
    pub kind: String,
    /// Notices that arrived.
    pub delivered: u64,
    /// Notices that were given up.
    pub given_up: u64,
    /// Notices that wait.
    pub waiting: usize,
    /// When the last one arrived.
    pub delivered_at: Option<TimeMs>,
    /// Why the last try failed, until one succeeds.
    pub trouble: Option<String>,
}

impl ChannelView {
    /// Takes in how another recipient of the same channel fares.
    pub fn add(&mut self, other: Self) {
        self.delivered += other.delivered;
        self.given_up += other.given_up;
        self.waiting += other.waiting;
        self.delivered_at = self.delivered_at.max(other.delivered_at);
        self.trouble = self.trouble.take().or(other.trouble);
    }
}

/// Everything at a glance.
#[derive(Debug, Clone, Default)]
pub struct Alerts {
    /// What fires, worst first.
    pub firing: Vec<AlertView>,
    /// What is over, newest first.
    pub history: Vec<AlertView>,
    /// Silences in force.
    pub silences: Vec<Silence>,
    /// The rules.
    pub rules: Vec<RuleView>,
}

/// What are the alerts?
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Alerts")]
pub struct ListAlerts;

/// Somebody takes care of an alert: nobody else is woken.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Option<AlertView>")]
pub struct Acknowledge {
    /// Which.
    pub id: u64,
    /// Who.
    pub by: String,
    /// What they say.
    pub note: String,
}

/// Nobody is to be told of a rule's alerts for a while.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Option<Silence>")]
pub struct Hush {
    /// The rule; empty = all.
    pub rule: String,
    /// The subject; empty = all.
    pub subject: String,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// For how long, seconds.
    pub for_s: u64,
}

/// Ends a silence before its time; whether there was one.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "bool")]
pub struct Unhush {
    /// Which.
    pub id: u64,
}

/// To a channel's courier: bring this.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Deliver(pub Notice);

/// How does the channel fare?
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "ChannelView")]
pub struct AskChannel;

/// Try the channel now, past its queue; says why it does not work.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<(), String>")]
pub struct TryChannel;

/// To MinerAlerts: bring this to somebody now, past all limits but that of what is under way; says why it was not taken.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), String>")]
pub struct BringNow {
    /// Where to.
    pub target: Target,
    /// About which account.
    pub account: String,
    /// See [`PersonalMessage`](crate::ports::personal::PersonalMessage).
    pub kind: &'static str,
    /// What.
    pub text: String,
}

/// How people are told of their own addresses.
#[derive(Clone)]
pub struct PersonalDoor {
    /// Brings something now.
    pub bring: Outbox<BringNow>,
    /// Over which ways.
    pub offer: Offer,
}

/// How a channel is reached.
#[derive(Debug, Clone)]
pub struct ChannelDoor {
    /// Its name.
    pub name: String,
    /// Takes notices.
    pub deliver: Outbox<Deliver>,
    /// Says how it fares.
    pub ask: Outbox<AskChannel>,
    /// Tries it.
    pub test: Outbox<TryChannel>,
}

/// How alerts are reached.
#[derive(Clone)]
pub struct AlertDoors {
    /// Lists them.
    pub list: Outbox<ListAlerts>,
    /// Takes one on.
    pub acknowledge: Outbox<Acknowledge>,
    /// Silences.
    pub hush: Outbox<Hush>,
    /// Ends a silence.
    pub unhush: Outbox<Unhush>,
    /// The channels.
    pub channels: Vec<ChannelDoor>,
    /// What people are told of their own addresses; `None` = it is not offered.
    pub personal: Option<PersonalDoor>,
}

impl fmt::Debug for AlertDoors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlertDoors").field("channels", &self.channels.len()).finish_non_exhaustive()
    }
}
