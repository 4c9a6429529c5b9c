//! How people are told that something is wrong: mail, chat, pager, text message.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use pool_domain::{severity::Severity, units::TimeMs};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Who takes care of an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// Who.
    pub by: String,
    /// When.
    pub at: TimeMs,
    /// What they said.
    pub note: String,
}

/// An alert as people see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertView {
    /// Its number, from 1.
    pub id: u64,
    /// The rule, or the code of the error that it is about.
    pub rule: String,
    /// What of several things it is about (an algorithm, a slot); empty if there is only one.
    pub subject: String,
    /// How bad.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// Page that says what it means and what to do.
    pub documentation_link: String,
    /// The figure that crossed the threshold when it last did.
    pub value: Option<f64>,
    /// Since when.
    pub fired_at: TimeMs,
    /// When it was over; `None` while it fires.
    pub resolved_at: Option<TimeMs>,
    /// Who takes care of it.
    pub acknowledged: Option<Acknowledgement>,
    /// The alert that explains this one, which nobody is told of meanwhile.
    pub inhibited_by: Option<String>,
    /// Nobody is told of it by the wish of an operator.
    pub silenced: bool,
}

impl AlertView {
    /// Whether it fires now.
    #[must_use]
    pub const fn is_firing(&self) -> bool {
        self.resolved_at.is_none()
    }

    /// As it is told to programs, over the API and by webhooks. `site` is what its link begins with: the pool's public address,
    /// or nothing, and the link is a path of the pool.
    #[must_use]
    pub fn shown(&self, site: &str) -> Value {
        let taken = |by: &Acknowledgement| json!({ "by": by.by, "at": by.at.rfc3339(), "note": by.note });
        json!({
            "id": self.id.to_string(),
            "rule": self.rule,
            "subject": self.subject,
            "severity": self.severity,
            "state": if self.is_firing() { "firing" } else { "resolved" },
            "message": self.message,
            "documentation_link": format!("{}{}", site.trim_end_matches('/'), self.documentation_link),
            "value": self.value,
            "fired_at": self.fired_at.rfc3339(),
            "resolved_at": self.resolved_at.map(TimeMs::rfc3339),
            "acknowledged": self.acknowledged.as_ref().map(taken),
            "inhibited_by": self.inhibited_by,
            "silenced": self.silenced,
        })
    }
}

/// What is told to people over a channel: all that is due for it at a moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Notice {
    /// Which pool.
    pub pool: String,
    /// Alerts that fire, worst first.
    pub firing: Vec<AlertView>,
    /// Alerts that are over.
    pub resolved: Vec<AlertView>,
    /// Further ones that did not find room.
    pub more: usize,
    /// What happened that is no alert, oldest first.
    pub news: Vec<String>,
    /// It only shows that the channel works.
    pub test: bool,
}

impl Notice {
    /// The worst of what fires; of what is over when nothing does.
    #[must_use]
    pub fn severity(&self) -> Severity {
        let worst = |alerts: &[AlertView]| alerts.iter().map(|alert| alert.severity).max();
        worst(&self.firing).or_else(|| worst(&self.resolved)).unwrap_or_default()
    }

    /// One line.
    #[must_use]
    pub fn subject(&self) -> String {
        let pool = &self.pool;
        if self.test {
            return format!("[{pool}] a test: this channel works");
        }
        match (self.firing.as_slice(), self.resolved.as_slice()) {
            ([one], []) if self.more == 0 => format!("[{pool}] {}: {}", one.severity.as_str(), one.message),
            ([], [one]) if self.more == 0 => format!("[{pool}] over: {}", one.message),
            ([], []) => {
                let newest = self.news.last().map_or("", String::as_str);
                match self.news.len().saturating_sub(1) + self.more {
                    0 => format!("[{pool}] {newest}"),
                    before => format!("[{pool}] {newest} (and {before} before)"),
                }
            }
            ([], over) => format!("[{pool}] {} alerts are over", over.len() + self.more),
            ([first, ..], over) => {
                let more = self.firing.len() + over.len() - 1 + self.more;
                format!("[{pool}] {}: {} (and {more} more)", first.severity.as_str(), first.message)
            }
        }
    }

    /// A line each.
    #[must_use]
    pub fn text(&self) -> String {
        if self.test {
            return "Nothing is wrong. Somebody pressed \"send a test\".".to_owned();
        }
        let firing = self.firing.iter().map(|alert| {
            let taken =
                alert.acknowledged.as_ref().map_or_else(String::new, |by| format!(" (taken by {})", by.by));
            format!("{}: {}{taken} [{}]", alert.severity.as_str().to_uppercase(), alert.message, named(alert))
        });
        let over = self.resolved.iter().map(|alert| format!("OVER: {} [{}]", alert.message, named(alert)));
        let more = (self.more > 0).then(|| format!("and {} more: the dashboard has them all", self.more));
        firing.chain(over).chain(self.news.iter().cloned()).chain(more).collect::<Vec<_>>().join("\n")
    }

    /// Names no more than `most` of each; of the rest it says how many there are.
    pub fn shorten(&mut self, most: usize) {
        for alerts in [&mut self.firing, &mut self.resolved] {
            self.more += alerts.len().saturating_sub(most);
            alerts.truncate(most);
        }
        // The oldest news is the least.
        let old = self.news.len().saturating_sub(most);
        self.more += old;
        self.news.drain(..old);
    }

    /// Both notices as one.
    pub fn absorb(&mut self, other: Self) {
        for alert in other.firing.iter().chain(&other.resolved) {
            self.firing.retain(|known| known.id != alert.id);
            self.resolved.retain(|known| known.id != alert.id);
        }
        self.firing.extend(other.firing);
        self.resolved.extend(other.resolved);
        self.firing.sort_by_key(|alert| (std::cmp::Reverse(alert.severity), alert.id));
        self.news.extend(other.news);
        self.more += other.more;
        self.test |= other.test;
    }
}

fn named(alert: &AlertView) -> String {
    if alert.subject.is_empty() { alert.rule.clone() } else { format!("{} {}", alert.rule, alert.subject) }
}

/// Why a notice was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotifyError {
    /// Another try may succeed.
    #[error("{what}")]
    Later {
        /// What was said.
        what: String,
        /// Not before so much time has passed, if it was said.
        after: Option<Duration>,
    },
    /// No try of the same will succeed: the key is wrong, the channel is gone.
    #[error("{what}")]
    Never {
        /// What was said.
        what: String,
    },
}

/// A way to tell people. Each call is bounded in time by the implementation.
#[async_trait]
pub trait Notifier: Send + Sync {
    /// What it is, for people: "slack", "e-mail".
    fn kind(&self) -> &'static str;

    /// Tells them.
    ///
    /// # Errors
    /// When whoever passes it on did not take it.
    async fn notify(&self, notice: &Notice) -> Result<(), NotifyError>;
}

/// A notifier shared by a courier's lives.
pub type SharedNotifier = Arc<dyn Notifier>;
