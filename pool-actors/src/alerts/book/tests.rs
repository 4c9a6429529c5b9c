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
