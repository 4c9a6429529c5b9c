//! Which alerts there are, and whom they must be brought to: no clock, no messages, no disk.
//!
//! An alert's life: its condition holds (*pending*), holds for long enough (*firing*), does not hold any more for half as
//! long (*over*). What explains it (*inhibited*) or an operator (*silenced*) can keep it quiet, never hide it. Two times
//! are handed in: the wall clock's for what is written down, a steady one for how long something took.

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::rules::rules;

    fn now(second: u64) -> Now {
        Now { wall: TimeMs(1_000_000 + second * 1_000), steady: TimeMs(second * 1_000) }
    }

    fn rule(name: &str) -> Rule {
        rules(&[]).unwrap().into_iter().find(|rule| rule.name == name).unwrap()
    }

    fn figure(value: f64) -> BTreeMap<String, f64> {
        BTreeMap::from([(String::new(), value)])
    }

    fn step(severity: Severity, after_s: u64, channel: &str) -> Escalation {
        Escalation { severity, after_s, channels: vec![channel.to_owned()] }
    }

    /// A book in which no node is ready since second 10.
    fn node_away() -> Book {
        let mut book = Book::default();
        let rule = rule("node_not_ready");
        assert!(!book.observe(&rule, &figure(0.0), now(0)));
        assert!(book.observe(&rule, &figure(0.0), now(10)));
        book
    }

    #[test]
    fn it_fires_when_it_lasts_and_is_over_when_the_opposite_lasts() {
        let (mut book, rule) = (Book::default(), rule("node_not_ready"));
        book.observe(&rule, &figure(0.0), now(0));
        assert!(book.firing().is_empty(), "pending");
        book.observe(&rule, &figure(1.0), now(5));
        book.observe(&rule, &figure(0.0), now(9));
        assert!(!book.observe(&rule, &figure(0.0), now(18)), "it begins anew");
        assert!(book.observe(&rule, &figure(0.0), now(19)));
        assert!(!book.observe(&rule, &figure(0.0), now(20)), "once");
        book.observe(&rule, &figure(1.0), now(22));
        assert!(book.settle(&[], now(22)).is_empty(), "a flicker is not the end");
        let over = book.settle(&[], now(25));
        assert_eq!((over.len(), over[0].resolved_at), (1, Some(now(25).wall)));
        assert_eq!((book.firing().len(), book.history().len()), (0, 1));
    }

    #[test]
    fn what_one_alert_explains_nobody_is_told_of() {
        let mut book = node_away();
        let rules = rules(&[]).unwrap();
        let old = rule("template_old");
        book.observe(&old, &figure(200.0), now(10));
        book.observe(&old, &figure(210.0), now(20));
        book.observe(&rule("node_not_ready"), &figure(0.0), now(20));
        book.settle(&rules, now(20));
        let due = book.due(&[step(Severity::Warning, 0, "ops")], 0, now(20));
        let told: Vec<&str> = due["ops"].firing.iter().map(|alert| alert.rule.as_str()).collect();
        assert_eq!(told, ["node_not_ready"]);
        assert_eq!(book.firing()[1].inhibited_by.as_deref(), Some("node_not_ready"));
        // The node is back, the template still old: now it stands for itself.
        book.observe(&old, &figure(220.0), now(30));
        book.settle(&rules, now(30));
        book.observe(&old, &figure(220.0), now(31));
        book.settle(&rules, now(31));
        let due = book.due(&[step(Severity::Warning, 0, "ops")], 0, now(31));
        assert_eq!(due["ops"].firing[0].rule, "template_old");
        assert_eq!(due["ops"].resolved[0].rule, "node_not_ready");
    }

    #[test]
    fn it_escalates_until_somebody_takes_care() {
        let steps = [step(Severity::Warning, 0, "chat"), step(Severity::Critical, 60, "pager")];
        let mut book = node_away();
        let channels = |due: BTreeMap<String, Due>| due.into_keys().collect::<Vec<_>>();
        assert_eq!(channels(book.due(&steps, 0, now(10))), ["chat"]);
        assert!(book.due(&steps, 0, now(69)).is_empty());
        assert_eq!(channels(book.due(&steps, 0, now(70))), ["pager"]);
        assert!(book.due(&steps, 0, now(9_000)).is_empty(), "each is told once");
        let mut taken = node_away();
        taken.due(&steps, 0, now(10));
        let by = Acknowledge { id: 1, by: "ann".into(), note: "on it".into() };
        assert_eq!(taken.acknowledge(&by, now(30)).unwrap().acknowledged.unwrap().by, "ann");
        assert!(taken.due(&steps, 10_000, now(9_000)).is_empty(), "nobody else is woken, nobody reminded");
        assert!(taken.acknowledge(&Acknowledge { id: 7, ..by }, now(30)).is_none());
    }

    #[test]
    fn who_was_told_is_reminded_and_hears_of_the_end() {
        let steps = [step(Severity::Warning, 0, "chat")];
        let mut book = node_away();
        book.due(&steps, 60_000, now(10));
        assert!(book.due(&steps, 60_000, now(69)).is_empty());
        assert_eq!(book.due(&steps, 60_000, now(70))["chat"].firing.len(), 1);
        book.settle(&[], now(100));
        let due = book.due(&steps, 60_000, now(100));
        assert_eq!((due["chat"].firing.len(), due["chat"].resolved.len()), (0, 1));
        assert!(book.due(&steps, 60_000, now(200)).is_empty());
    }

    #[test]
    fn a_warning_does_not_go_where_only_critical_alerts_go() {
        let mut book = Book::default();
        book.happened(("X", ""), Severity::Warning, "m", now(0));
        assert!(book.due(&[step(Severity::Critical, 0, "pager")], 0, now(1)).is_empty());
    }

    #[test]
    fn a_silence_keeps_quiet_what_it_names_and_ends() {
        let steps = [step(Severity::Warning, 0, "chat")];
        let mut book = node_away();
        let hush = Hush {
            rule: "node_not_ready".into(),
            subject: String::new(),
            by: "ann".into(),
            reason: "upgrade".into(),
            for_s: 60,
        };
        let silence = book.hush(&hush, now(10)).unwrap();
        book.settle(&[], now(10));
        assert!(book.due(&steps, 0, now(10)).is_empty());
        assert!(book.firing()[0].silenced, "it is shown all the same");
        book.observe(&rule("node_not_ready"), &figure(0.0), now(70));
        book.settle(&[], now(70));
        assert_eq!(book.due(&steps, 0, now(70))["chat"].firing.len(), 1, "it is over");
        assert!(!book.unhush(silence.id));
        let other = book.hush(&Hush { rule: "slow_disk".into(), ..hush }, now(70)).unwrap();
        assert!(book.unhush(other.id));
    }

    #[test]
    fn an_event_is_one_alert_until_it_stays_away() {
        let mut book = Book::default();
        let mut happened =
            |message, at| book.happened(("ACTIVE_ALGORITHM_FAILED", ""), Severity::Critical, message, at);
        assert_eq!(happened("first", now(0)), Noted::New);
        assert_eq!(happened("second", now(500)), Noted::Known);
        assert!(book.settle(&[], now(1_000)).is_empty());
        assert_eq!(book.firing()[0].message, "second");
        assert_eq!(book.settle(&[], now(1_100)).len(), 1);
    }

    #[test]
    fn events_without_end_are_bounded_and_hide_no_others() {
        let mut book = Book::default();
        let mut last = Noted::New;
        for n in 0..1_000 {
            last = book.happened(("UNUSUAL_MINING", &format!("account{n}")), Severity::Warning, "m", now(0));
        }
        assert_eq!((book.firing().len(), last), (EVENTS_OF_CODE_MAX, Noted::TooMany));
        let worse = book.happened(("ACTIVE_ALGORITHM_FAILED", ""), Severity::Critical, "m", now(1));
        assert_eq!(worse, Noted::New);
        assert_eq!(book.firing()[0].severity, Severity::Critical);
        book.settle(&[], now(602));
        assert_eq!((book.firing().len(), book.history().len()), (0, EVENTS_OF_CODE_MAX + 1));
    }

    #[test]
    fn a_rule_that_takes_as_long_as_an_event_lives_is_none() {
        let slow = Rule { for_ms: 2 * EVENT_LIVES_MS, ..rule("node_not_ready") };
        let mut book = Book::default();
        let many: BTreeMap<String, f64> = (0..200).map(|n| (format!("node{n}"), 0.0)).collect();
        book.observe(&slow, &many, now(0));
        book.observe(&slow, &many, now(1_200));
        assert_eq!(book.firing().len(), 200);
        assert_eq!(book.happened(("node_not_ready", "x"), Severity::Error, "m", now(1_200)), Noted::New);
    }

    #[test]
    fn a_figure_that_moves_is_nothing_to_write_down() {
        let (mut book, rule) = (node_away(), rule("node_not_ready"));
        let before = book.save();
        book.observe(&rule, &figure(-1.0), now(11));
        assert_eq!(book.firing()[0].value, Some(-1.0));
        assert_eq!(book.save(), before);
    }

    #[test]
    fn a_restart_forgets_nothing_and_tells_nobody_twice() {
        let steps = [step(Severity::Warning, 0, "chat")];
        let mut book = node_away();
        book.due(&steps, 0, now(10));
        book.acknowledge(&Acknowledge { id: 1, by: "ann".into(), note: String::new() }, now(11));
        // Another life: the steady clock begins anew.
        let mut again = Book::restore(&book.save(), now(0)).unwrap();
        // The next look has the figure.
        let known = AlertView { value: None, ..book.firing()[0].clone() };
        assert_eq!(again.firing(), [known]);
        assert!(again.due(&steps, 0, now(1)).is_empty());
        assert!(!again.observe(&rule("node_not_ready"), &figure(0.0), now(2)));
        again.settle(&[], now(60));
        assert_eq!(again.due(&steps, 0, now(60))["chat"].resolved.len(), 1, "and hears of the end");
        assert!(Book::restore("{", now(0)).is_err());
    }
}
