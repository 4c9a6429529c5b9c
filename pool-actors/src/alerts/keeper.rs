//! AlertKeeper: watches the figures and the events, and says what is wrong.
//!
//! * **receives** [`ListAlerts`], [`Acknowledge`], [`Hush`], [`Unhush`], [`Observe`]; events from the hub; the metrics by
//!   their exposition, every few seconds
//! * **sends** [`Deliver`] to the channels' couriers, [`PoolEvent::AlertState`] to the publisher
//! * **supervised by** the factory supervisor; a new one goes on from what was saved
//! * **on overload** a slow look makes the next one later; events that it was too slow for are lost to it, and logged
//!
//! It is saved before anybody is told, and not in the database: that one's absence is one of the alerts.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use actix::{Actor, AsyncContext as _, Context, Handler, StreamHandler};
use futures_util::stream;
use pool_domain::severity::Severity;
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;

use super::{
    book::{Book, Due, Noted, Now},
    readings::{Readings, samples},
    rollouts::Told,
    rules::Rule,
};
use crate::{
    config::Escalation,
    messages::{
        alert::{Acknowledge, Alerts, ChannelDoor, Deliver, Hush, ListAlerts, Silence, Unhush},
        deployment::DeploymentView,
        event::{PoolEvent, Publish},
        live::Events,
    },
    metrics::ALERTS_FIRING,
    ports::{
        archive::SharedArchive,
        clock::SharedClock,
        notifier::{AlertView, Notice},
    },
    runtime::{
        observe::{Observation, Observe},
        outbox::Outbox,
        watch::Watched,
    },
};

/// The metrics as they are published.
pub type Exposition = Arc<dyn Fn() -> String + Send + Sync>;

/// What can change while it runs.
#[derive(Debug, Clone)]
pub struct Rulebook {
    /// The rules in force.
    pub rules: Arc<[Rule]>,
    /// Who is told after how long.
    pub escalation: Arc<[Escalation]>,
    /// Pause until somebody who was told is reminded; 0 = never.
    pub repeat_ms: u64,
}

/// What a keeper works with.
#[derive(Clone)]
pub struct Parts {
    /// Name of the pool, as notices say it.
    pub pool: String,
    /// What is watched, and who is told.
    pub rulebook: Watched<Rulebook>,
    /// Pause between two looks.
    pub every: Duration,
    /// The metrics.
    pub exposition: Exposition,
    /// Everything that happens here.
    pub events: Events,
    /// Where it says what is wrong.
    pub publish: Outbox<Publish>,
    /// Where people are told.
    pub channels: Vec<ChannelDoor>,
    /// Where it is remembered.
    pub archive: SharedArchive,
    /// Time.
    pub clock: SharedClock,
}

/// See the module's documentation.
pub struct AlertKeeper {
    parts: Parts,
    book: Book,
    readings: BTreeMap<String, Readings>,
    figures: BTreeMap<String, f64>,
    saved: String,
    looks: u64,
    /// Of deployments.
    told: Told,
}

#[derive(Debug, Serialize)]
struct State {
    firing: usize,
    looks: u64,
    rules: usize,
}

/// What of an event is told.
enum News {
    /// It is an alert.
    Happened(Happened),
    /// A step of a deployment, perhaps told already.
    Step(Arc<DeploymentView>),
}

impl News {
    fn of(event: &PoolEvent, rules: &[Rule]) -> Option<Self> {
        match event {
            PoolEvent::Deployment(view) => Some(Self::Step(Arc::clone(view))),
            other => alarming(other, rules).map(Self::Happened),
        }
    }
}

/// An event that is an alert.
struct Happened {
    code: String,
    /// What of several things it is about.
    subject: String,
    severity: Severity,
    message: String,
}

impl AlertKeeper {
    /// A keeper that goes on from what was saved.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let now = now_by(&parts.clock);
        let kept = parts.archive.load().map_err(|error| error.to_string());
        let book =
            kept.and_then(|text| text.map_or_else(|| Ok(Book::default()), |text| Book::restore(&text, now)));
        let book = book.unwrap_or_else(|error| {
            tracing::warn!(error, "the alerts of before can't be read, and are begun anew");
            Book::default()
        });
        let saved = book.save();
        Self {
            parts,
            book,
            readings: BTreeMap::new(),
            figures: BTreeMap::new(),
            saved,
            looks: 0,
            told: Told::default(),
        }
    }

    fn now(&self) -> Now {
        now_by(&self.parts.clock)
    }

    fn look(&mut self) {
        let now = self.now();
        let rules = Arc::clone(&self.parts.rulebook.load().rules);
        self.readings.retain(|name, _| rules.iter().any(|rule| rule.name == *name));
        self.figures.retain(|name, _| rules.iter().any(|rule| rule.name == *name));
        let text = (self.parts.exposition)();
        let samples = samples(&text, |name| rules.iter().any(|rule| rule.query.needs(name)));
        let before = self.book.firing();
        for rule in rules.iter() {
            let figures =
                self.readings.entry(rule.name.clone()).or_default().read(rule, &samples, now.steady);
            match figures.values().copied().reduce(f64::max) {
                Some(figure) => self.figures.insert(rule.name.clone(), figure),
                None => self.figures.remove(&rule.name),
            };
            self.book.observe(rule, &figures, now);
        }
        self.looks += 1;
        self.tell(&before, now);
    }

    /// Everything that follows from a change.
    fn tell(&mut self, before: &[AlertView], now: Now) {
        let Rulebook { rules, escalation, repeat_ms } = Rulebook::clone(&self.parts.rulebook.load());
        let over = self.book.settle(&rules, now);
        let due = self.book.due(&escalation, repeat_ms, now);
        self.save();
        let firing = self.book.firing();
        for severity in [Severity::Warning, Severity::Error, Severity::Critical] {
            let count = firing.iter().filter(|alert| alert.severity == severity).count();
            metrics::gauge!(ALERTS_FIRING, "severity" => severity.as_str()).set(count as f64);
        }
        let is_news = |alert: &&AlertView| {
            before
                .iter()
                .find(|known| known.id == alert.id)
                .is_none_or(|known| AlertView { value: alert.value, ..known.clone() } != **alert)
        };
        for alert in firing.iter().filter(is_news).chain(&over) {
            let state = if alert.is_firing() { "firing" } else { "over" };
            tracing::warn!(
                id = alert.id,
                rule = alert.rule,
                severity = alert.severity.as_str(),
                state,
                "alert: {}",
                alert.message
            );
            let event = PoolEvent::AlertState(Arc::new(alert.clone()));
            self.parts.publish.offer(Publish { at: now.wall, event });
        }
        for (channel, due) in due {
            let (pool, Due { firing, resolved }) = (self.parts.pool.clone(), due);
            self.bring(&channel, &Notice { pool, firing, resolved, ..Notice::default() });
        }
    }

    fn save(&mut self) {
        let text = self.book.save();
        if text == self.saved {
            return;
        }
        match self.parts.archive.save(&text) {
            Ok(()) => self.saved = text,
            Err(error) => tracing::warn!(%error, "the alerts can't be saved: a restart would forget them"),
        }
    }
}

fn now_by(clock: &SharedClock) -> Now {
    Now { wall: clock.now(), steady: clock.steady() }
}

/// What of an event somebody must be told, unless a rule tells it.
fn alarming(event: &PoolEvent, rules: &[Rule]) -> Option<Happened> {
    let (code, subject, severity, message) = match event {
        PoolEvent::Alert(trouble) => {
            if rules.iter().any(|rule| rule.code == Some(trouble.code)) {
                return None;
            }
            // What was raised is worth an alert whatever its severity.
            let severity = Severity::named(trouble.code.severity()).unwrap_or_default();
            let subject = trouble.context["subject"].as_str().unwrap_or_default().to_owned();
            (trouble.code.as_str().to_owned(), subject, severity, trouble.message.clone())
        }
        PoolEvent::Defect { code, message } => {
            (code.clone(), String::new(), Severity::Error, message.clone())
        }
        _ => return None,
    };
    Some(Happened { code, subject, severity, message })
}

impl Actor for AlertKeeper {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(self.parts.every, |keeper, _| keeper.look());
        let live = self.parts.events.subscribe(None).live;
        let rulebook = self.parts.rulebook.clone();
        context.add_stream(stream::unfold((live, rulebook), |(mut live, rulebook)| async move {
            loop {
                match live.recv().await {
                    Ok(event) => {
                        if let Some(news) = News::of(&event.event, &rulebook.get().rules) {
                            return Some((news, (live, rulebook)));
                        }
                    }
                    Err(RecvError::Lagged(events)) => {
                        tracing::warn!(events, "alerts were too slow for these events");
                    }
                    Err(RecvError::Closed) => return None,
                }
            }
        }));
    }
}

impl StreamHandler<News> for AlertKeeper {
    fn handle(&mut self, news: News, _: &mut Self::Context) {
        match news {
            News::Happened(event) => self.happened(event),
            News::Step(view) => {
                if let Some(news) = self.told.news(&view) {
                    let pool = self.parts.pool.clone();
                    let notice = Notice { pool, news: vec![news], ..Notice::default() };
                    view.plan.notify.iter().for_each(|channel| self.bring(channel, &notice));
                }
            }
        }
    }

    /// The hub outlives everybody: the pool ends, and the supervisor ends the keeper.
    fn finished(&mut self, _: &mut Self::Context) {}
}

impl AlertKeeper {
    fn happened(&mut self, event: Happened) {
        let (before, now) = (self.book.firing(), self.now());
        let Happened { code, subject, severity, message } = event;
        if self.book.happened((&code, &subject), severity, &message, now) == Noted::TooMany {
            tracing::warn!(
                code,
                subject,
                "too many alerts of this code: nobody is told of this one: {message}"
            );
        }
        self.tell(&before, now);
    }

    /// To each recipient of the channel.
    fn bring(&self, channel: &str, notice: &Notice) {
        for door in self.parts.channels.iter().filter(|door| door.name == channel) {
            door.deliver.offer(Deliver(notice.clone()));
        }
    }
}

impl Handler<ListAlerts> for AlertKeeper {
    type Result = actix::MessageResult<ListAlerts>;

    fn handle(&mut self, _: ListAlerts, _: &mut Self::Context) -> Self::Result {
        let known = Arc::clone(&self.parts.rulebook.load().rules);
        let rules = known.iter().map(|rule| rule.view(self.figures.get(&rule.name).copied())).collect();
        let (firing, history, silences) = (self.book.firing(), self.book.history(), self.book.silences());
        actix::MessageResult(Alerts { firing, history, silences, rules })
    }
}

impl Handler<Acknowledge> for AlertKeeper {
    type Result = Option<AlertView>;

    fn handle(&mut self, wanted: Acknowledge, _: &mut Self::Context) -> Self::Result {
        let (before, now) = (self.book.firing(), self.now());
        let taken = self.book.acknowledge(&wanted, now);
        self.tell(&before, now);
        taken
    }
}

impl Handler<Hush> for AlertKeeper {
    type Result = Option<Silence>;

    fn handle(&mut self, wanted: Hush, _: &mut Self::Context) -> Self::Result {
        let (before, now) = (self.book.firing(), self.now());
        let silence = self.book.hush(&wanted, now);
        self.tell(&before, now);
        silence
    }
}

impl Handler<Unhush> for AlertKeeper {
    type Result = bool;

    fn handle(&mut self, wanted: Unhush, _: &mut Self::Context) -> bool {
        let (before, now) = (self.book.firing(), self.now());
        let was = self.book.unhush(wanted.id);
        self.tell(&before, now);
        was
    }
}

impl Handler<Observe> for AlertKeeper {
    type Result = Observation;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Observation {
        let (firing, rules) = (self.book.firing().len(), self.parts.rulebook.load().rules.len());
        Observation::of(&State { firing, looks: self.looks, rules })
    }
}
