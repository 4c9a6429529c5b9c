//! What becomes of an error: its JSON, a log line, a metric, and an alert if it is critical.

use pool_domain::catalogue::{Advice, Code, fill};
use serde::Serialize;
use serde_json::{Value, json};

use super::event::{PoolEvent, Publish};
use crate::{metrics::ERRORS_TOTAL, ports::clock::SharedClock, runtime::outbox::Outbox};

/// An error that somebody must hear of: the event of an alert.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trouble {
    /// What the log is searched for.
    pub id: String,
    /// Which error.
    #[serde(serialize_with = "name")]
    pub code: Code,
    /// What happened.
    pub message: String,
    /// Where: component, actor, algorithm, where known.
    pub context: Value,
}

impl Trouble {
    /// A suspicion about somebody: for operators only.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.code.family() == Code::UnusualMining
    }
}

fn name<S: serde::Serializer>(code: &Code, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(code.as_str())
}

/// What people can do about an error; names in the commands are filled in from `details`.
#[must_use]
pub fn actions(code: Code, details: &Value) -> Vec<Value> {
    let known = |name: &str| details[name].as_str();
    let line = |advice: &Advice| {
        let command = advice.command.map(|command| fill(command, known));
        json!({ "action": advice.action, "command": command, "priority": advice.priority })
    };
    code.advice().iter().map(line).collect()
}

/// The parts that every error has, as the API gives them. What `fine`, a code of the family `code`, knows better is told of
/// that one. Names in the suggested commands are filled in from `details`.
#[must_use]
pub fn body(id: &str, code: Code, fine: Code, message: &str, details: &Value, timestamp: &str) -> Value {
    let entry = fine.entry();
    let actions = actions(fine, details);
    let recovery: Vec<Value> = entry
        .recovery
        .iter()
        .map(|recovery| json!({ "action": recovery.as_str(), "meaning": recovery.meaning() }))
        .collect();
    json!({
        "id": id,
        "code": code.as_str(),
        "message": message,
        "details": details,
        "suggested_actions": actions,
        "auto_recovery": recovery,
        "documentation_link": format!("/docs/errors/{}", entry.name),
        "severity": entry.severity,
        "timestamp": timestamp,
    })
}

/// A fresh id: what a person names and the log is searched for.
#[must_use]
pub fn fresh_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// Logs and counts an error. `context` says where it happened: component, actor, algorithm, account, where known.
pub fn note(id: &str, code: Code, message: &str, context: &Value) {
    let name = code.as_str();
    metrics::counter!(ERRORS_TOTAL, "code" => name, "severity" => code.severity()).increment(1);
    match code.severity() {
        "critical" => tracing::error!(id, code = name, %context, "{message}"),
        "error" => tracing::warn!(id, code = name, %context, "{message}"),
        // Anybody can cause these at any rate.
        _ => tracing::debug!(id, code = name, %context, "{message}"),
    }
}

/// The alert about an error, if it is critical.
#[must_use]
pub fn alert(id: &str, code: Code, message: &str, context: &Value) -> Option<PoolEvent> {
    (code.severity() == "critical").then(|| {
        let (id, message) = (id.to_owned(), message.to_owned());
        PoolEvent::Alert(Trouble { id, code, message, context: context.clone() })
    })
}

/// Logs and counts an error, and makes an alert of it whatever its severity: for what lasts, and is said once.
#[must_use]
pub fn raised(code: Code, message: &str, context: Value) -> PoolEvent {
    let (id, message) = (fresh_id(), code.word(message));
    note(&id, code, &message, &context);
    PoolEvent::Alert(Trouble { id, code, message, context })
}

/// Where the pool's own parts report what went wrong.
#[derive(Clone)]
pub struct ErrorDesk {
    events: Outbox<Publish>,
    clock: SharedClock,
}

impl ErrorDesk {
    /// A desk that publishes there.
    #[must_use]
    pub fn new(events: Outbox<Publish>, clock: SharedClock) -> Self {
        Self { events, clock }
    }

    /// As [`Self::report`], with an alert whatever its severity: for what lasts, and is said once.
    pub fn raise(&self, code: Code, message: &str, context: &Value) {
        let event = raised(code, message, context.clone());
        self.events.offer(Publish { at: self.clock.now(), event });
    }

    /// Logs and counts an error, and raises an alert if it is critical; returns its id.
    pub fn report(&self, code: Code, message: &str, context: &Value) -> String {
        let (id, message) = (fresh_id(), code.word(message));
        note(&id, code, &message, context);
        if let Some(event) = alert(&id, code, &message, context) {
            self.events.offer(Publish { at: self.clock.now(), event });
        }
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_filled_with_what_is_known() {
        let details = json!({ "deployment_id": "7" });
        let error = body("1", Code::DeploymentInProgress, Code::DeploymentInProgress, "m", &details, "t");
        let commands = error["suggested_actions"].as_array().unwrap();
        let commands: Vec<_> = commands.iter().filter_map(|action| action["command"].as_str()).collect();
        assert!(commands.iter().any(|command| command.ends_with("algorithm rollback 7")), "{commands:?}");
        assert_eq!(error["auto_recovery"], json!([]));
    }

    #[test]
    fn a_finer_code_gives_the_advice_and_the_family_the_name() {
        let error = body("1", Code::PackageValidationFailed, Code::SignatureInvalid, "m", &json!({}), "t");
        assert_eq!(error["code"], "PACKAGE_VALIDATION_FAILED");
        assert_eq!(error["documentation_link"], "/docs/errors/SIGNATURE_INVALID");
        assert_eq!(error["severity"], "critical");
    }

    #[test]
    fn only_critical_errors_are_alerts() {
        assert!(alert("1", Code::NotFound, "m", &json!({})).is_none());
        let PoolEvent::Alert(trouble) = alert("1", Code::Internal, "m", &json!({ "actor": "x" })).unwrap()
        else {
            panic!("another event")
        };
        assert_eq!(serde_json::to_value(&trouble).unwrap()["code"], "INTERNAL");
    }
}
