//! Which alerts there are, and whom they must be brought to: no clock, no messages, no disk.
//!
//! An alert's life: its condition holds (*pending*), holds for long enough (*firing*), does not hold any more for half as
//! long (*over*). What explains it (*inhibited*) or an operator (*silenced*) can keep it quiet, never hide it. Two times
//! are handed in: the wall clock's for what is written down, a steady one for how long something took.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use pool_domain::{severity::Severity, units::TimeMs};
use serde::{Deserialize, Serialize};

use super::rules::Rule;
use crate::{
    config::Escalation,
    messages::alert::{Acknowledge, Hush, Silence},
    ports::notifier::{Acknowledgement, AlertView},
};

/// Alerts that are over and remembered.
const HISTORY: usize = 1_000;
/// Silences at once: more than that and somebody should look at the rules.
pub const SILENCES_MAX: usize = 100;
/// Open alerts of one code's events: more of them say nothing new. By code, so that what anybody can cause as often as they
/// like hides nothing else; the catalogue of codes is finite.
const EVENTS_OF_CODE_MAX: usize = 50;
/// An error event that did not come again for so long is over.
const EVENT_LIVES_MS: u64 = 600_000;

/// Now, by both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// What people write down.
    pub wall: TimeMs,
    /// What durations go by.
    pub steady: TimeMs,
}

/// Rule (or code) and subject.
type Key = (String, String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Open {
    view: AlertView,
    /// Since when it fires, by the steady clock of this life; after a restart, since that.
    #[serde(skip)]
    since: TimeMs,
    /// When its condition last held.
    #[serde(skip)]
    held: TimeMs,
    /// How long it must not hold until it is over.
    clear_ms: u64,
    /// It is about an error event, not about a rule's figure.
    #[serde(default)]
    is_event: bool,
    /// Channels that were told, and when.
    told: BTreeMap<String, TimeMs>,
}

/// What is kept over a restart.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    next_alert: u64,
    next_silence: u64,
    open: Vec<Open>,
    history: VecDeque<AlertView>,
    silences: Vec<Silence>,
}

/// What an alert goes on by.
#[derive(Clone, Copy)]
enum Lasts {
    /// A rule's figure; for how long it must be right until the alert is over.
    Rule { figure: f64, clear_ms: u64 },
    /// An error that came again.
    Event,
}

/// All that is due for one channel.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Due {
    /// Alerts that fire.
    pub firing: Vec<AlertView>,
    /// Alerts that are over.
    pub resolved: Vec<AlertView>,
}

/// What became of an error event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    /// A new alert.
    New,
    /// The alert that there was says it now.
    Known,
    /// There are too many of its code: nobody is told of this one.
    TooMany,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Book {
    kept: Kept,
    pending: BTreeMap<Key, TimeMs>,
    /// Alerts that are over, whose channels are yet to be told.
    over: Vec<Open>,
}

impl Book {
    /// As it was saved. What fired then fires until it is seen not to.
    ///
    /// # Errors
    /// When it is not what [`Self::save`] gives.
    pub fn restore(text: &str, now: Now) -> Result<Self, String> {
        let mut kept: Kept = serde_json::from_str(text).map_err(|error| error.to_string())?;
        for open in &mut kept.open {
            (open.since, open.held) = (now.steady, now.steady);
            // Times of another life's clock: who was told stays told, and is reminded from now on.
            open.told.values_mut().for_each(|at| *at = now.steady);
        }
        Ok(Self { kept, ..Self::default() })
    }

    /// What [`Self::restore`] reads.
    ///
    /// # Panics
    /// Never: it is plain data.
    #[must_use]
    pub fn save(&self) -> String {
        let mut kept = self.kept.clone();
        // They move all the time, and the next look has them again: no reason to write the file.
        kept.open.iter_mut().for_each(|open| open.view.value = None);
        serde_json::to_string(&kept).expect("plain data serialises")
    }

    /// A rule's figures of now. Returns whether any alert began or ended.
    pub fn observe(&mut self, rule: &Rule, figures: &BTreeMap<String, f64>, now: Now) -> bool {
        let mut changed = false;
        let crossed: BTreeMap<&String, f64> =
            figures.iter().filter(|(_, figure)| rule.is_crossed(**figure)).map(|(s, f)| (s, *f)).collect();
        self.pending.retain(|(name, subject), _| *name != rule.name || crossed.contains_key(subject));
        for (subject, figure) in crossed {
            let key = (rule.name.clone(), subject.clone());
            if let Some(open) = self.find(&key) {
                open.held = now.steady;
                open.view.value = Some(figure);
                continue;
            }
            let since = *self.pending.entry(key.clone()).or_insert(now.steady);
            if now.steady.since(since) >= rule.for_ms {
                self.pending.remove(&key);
                let (message, page) = (rule.says(subject, figure), rule.page());
                let of = (rule.severity, message, page);
                self.open(key, of, Lasts::Rule { figure, clear_ms: rule.for_ms / 2 }, now);
                changed = true;
            }
        }
        changed
    }

    /// An error that somebody must hear of happened.
    pub fn happened(
        &mut self,
        (code, subject): (&str, &str),
        severity: Severity,
        message: &str,
        now: Now,
    ) -> Noted {
        let key = (code.to_owned(), subject.to_owned());
        if let Some(open) = self.find(&key) {
            open.held = now.steady;
            message.clone_into(&mut open.view.message);
            return Noted::Known;
        }
        let of_code = self.kept.open.iter().filter(|open| open.is_event && open.view.rule == code).count();
        if of_code >= EVENTS_OF_CODE_MAX {
            return Noted::TooMany;
        }
        let page = format!("/docs/errors/{code}");
        self.open(key, (severity, message.to_owned(), page), Lasts::Event, now);
        Noted::New
    }

    fn open(
        &mut self,
        (rule, subject): Key,
        (severity, message, documentation_link): (Severity, String, String),
        lasts: Lasts,
        now: Now,
    ) {
        let (value, clear_ms, is_event) = match lasts {
            Lasts::Rule { figure, clear_ms } => (Some(figure), clear_ms, false),
            Lasts::Event => (None, EVENT_LIVES_MS, true),
        };
        self.kept.next_alert += 1;
        let view = AlertView {
            id: self.kept.next_alert,
            rule,
            subject,
            severity,
            message,
            documentation_link,
            value,
            fired_at: now.wall,
            resolved_at: None,
            acknowledged: None,
            inhibited_by: None,
            silenced: false,
        };
        self.kept.open.push(Open {
            view,
            since: now.steady,
            held: now.steady,
            clear_ms,
            is_event,
            told: BTreeMap::new(),
        });
    }

    fn find(&mut self, key: &Key) -> Option<&mut Open> {
        self.kept.open.iter_mut().find(|open| open.view.rule == key.0 && open.view.subject == key.1)
    }

    /// Ends what does not hold any more, and marks what is inhibited or silenced. Returns the alerts that are over.
    pub fn settle(&mut self, rules: &[Rule], now: Now) -> Vec<AlertView> {
        self.kept.silences.retain(|silence| silence.until > now.wall);
        let firing: BTreeSet<String> = self.kept.open.iter().map(|open| open.view.rule.clone()).collect();
        let mut over = Vec::new();
        let open = std::mem::take(&mut self.kept.open);
        for mut alert in open {
            let quiet_ms = now.steady.since(alert.held);
            if quiet_ms > 0 && quiet_ms >= alert.clear_ms {
                alert.view.resolved_at = Some(now.wall);
                over.push(alert.view.clone());
                self.kept.history.push_front(alert.view.clone());
                self.kept.history.truncate(HISTORY);
                self.over.push(alert);
                continue;
            }
            let rule = rules.iter().find(|rule| rule.name == alert.view.rule);
            let explained =
                rule.and_then(|rule| rule.inhibited_by.iter().find(|name| firing.contains(*name)));
            alert.view.inhibited_by = explained.cloned();
            alert.view.silenced = self.kept.silences.iter().any(|silence| covers(silence, &alert.view));
            self.kept.open.push(alert);
        }
        over
    }

    /// Whom what must be brought to now, as the escalation says; each is told once, and reminded after `repeat_ms`.
    pub fn due(&mut self, escalation: &[Escalation], repeat_ms: u64, now: Now) -> BTreeMap<String, Due> {
        let mut due: BTreeMap<String, Due> = BTreeMap::new();
        for alert in std::mem::take(&mut self.over) {
            // Who was told that it began is told that it ended.
            for channel in alert.told.keys() {
                due.entry(channel.clone()).or_default().resolved.push(alert.view.clone());
            }
        }
        for alert in &mut self.kept.open {
            if alert.view.inhibited_by.is_some() || alert.view.silenced {
                continue;
            }
            let for_ms = now.steady.since(alert.since);
            let steps = escalation.iter().filter(|step| {
                let first = step.after_s == 0;
                alert.view.severity >= step.severity
                    && for_ms >= step.after_s.saturating_mul(1_000)
                    && (first || alert.view.acknowledged.is_none())
            });
            for channel in steps.flat_map(|step| &step.channels) {
                let is_due = alert.told.get(channel).is_none_or(|told| {
                    repeat_ms > 0 && alert.view.acknowledged.is_none() && now.steady.since(*told) >= repeat_ms
                });
                if is_due {
                    alert.told.insert(channel.clone(), now.steady);
                    due.entry(channel.clone()).or_default().firing.push(alert.view.clone());
                }
            }
        }
        for channel in due.values_mut() {
            channel.firing.sort_by_key(|alert| (std::cmp::Reverse(alert.severity), alert.id));
        }
        due
    }

    /// Somebody takes care of an alert that fires.
    pub fn acknowledge(&mut self, wanted: &Acknowledge, now: Now) -> Option<AlertView> {
        let open = self.kept.open.iter_mut().find(|open| open.view.id == wanted.id)?;
        let (by, note) = (wanted.by.clone(), wanted.note.clone());
        open.view.acknowledged = Some(Acknowledgement { by, at: now.wall, note });
        Some(open.view.clone())
    }

    /// Begins a silence; `None` when there are too many.
    pub fn hush(&mut self, wanted: &Hush, now: Now) -> Option<Silence> {
        self.kept.silences.retain(|silence| silence.until > now.wall);
        if self.kept.silences.len() >= SILENCES_MAX {
            return None;
        }
        self.kept.next_silence += 1;
        let silence = Silence {
            id: self.kept.next_silence,
            rule: wanted.rule.clone(),
            subject: wanted.subject.clone(),
            by: wanted.by.clone(),
            reason: wanted.reason.clone(),
            at: now.wall,
            until: TimeMs(now.wall.0.saturating_add(wanted.for_s.saturating_mul(1_000))),
        };
        self.kept.silences.push(silence.clone());
        Some(silence)
    }

    /// Ends a silence; whether there was one.
    pub fn unhush(&mut self, id: u64) -> bool {
        let before = self.kept.silences.len();
        self.kept.silences.retain(|silence| silence.id != id);
        self.kept.silences.len() < before
    }

    /// What fires, worst first.
    #[must_use]
    pub fn firing(&self) -> Vec<AlertView> {
        let mut firing: Vec<AlertView> = self.kept.open.iter().map(|open| open.view.clone()).collect();
        firing.sort_by_key(|alert| (std::cmp::Reverse(alert.severity), alert.id));
        firing
    }

    /// What is over, newest first.
    #[must_use]
    pub fn history(&self) -> Vec<AlertView> {
        self.kept.history.iter().cloned().collect()
    }

    /// Silences in force.
    #[must_use]
    pub fn silences(&self) -> Vec<Silence> {
        self.kept.silences.clone()
    }
}

fn covers(silence: &Silence, alert: &AlertView) -> bool {
    let is = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
    is(&silence.rule, &alert.rule) && is(&silence.subject, &alert.subject)
}
