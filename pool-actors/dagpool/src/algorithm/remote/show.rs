//! The API's answers as text.

use std::fmt::Write as _;

use serde_json::Value;

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Name, version, and where the code comes from.
fn algorithm(value: &Value) -> String {
    if value.is_null() {
        return "none".to_owned();
    }
    let source = match value["digest"].as_str() {
        Some(digest) => format!("package {}", digest.get(..16).unwrap_or(digest)),
        None => "linked into the pool".to_owned(),
    };
    format!("{} ({source})", text(&value["algorithm_id"]))
}

/// A line of a check table, as `dagpool algorithm verify` has it.
pub(super) fn check(check: &Value) -> String {
    let mark = match (check["ok"].as_bool(), check["code"].as_str()) {
        (Some(true), None) => "ok  ",
        (Some(true), Some(_)) => "WARN",
        _ => "FAIL",
    };
    let code = check["code"].as_str().map_or_else(String::new, |code| format!(" [{code}]"));
    format!("{mark}  {:16} {}{code}\n", text(&check["check"]), text(&check["message"]))
}

pub(super) fn staged(staged: &Value) -> String {
    let mut out: String = items(&staged["validation_results"]).iter().map(check).collect();
    let (id, level) = (text(&staged["algorithm_id"]), text(&staged["isolation"]));
    let _ = writeln!(out, "\n{id} is staged, at isolation level {level}.");
    if let Some(reason) = staged["downgrade"].as_str() {
        let _ = writeln!(out, "It is older than a version staged before, and was let in: {reason}");
    }
    for warning in items(&staged["warnings"]) {
        let _ = writeln!(out, "warning: {}", text(warning));
    }
    for step in items(&staged["next_steps"]) {
        let _ = writeln!(out, "next: {}", text(step));
    }
    out
}

pub(super) fn begun(begun: &Value) -> String {
    format!(
        "deployment {} is {}; it takes about {} s\nfollow it: dagpool algorithm status --follow",
        text(&begun["deployment_id"]),
        text(&begun["status"]),
        text(&begun["estimated_duration"]),
    )
}

pub(super) fn plan(plan: &Value) -> String {
    let mut out = format!(
        "from      {}\nto        {}\nkind      {}, {}\nisolation {}\n",
        algorithm(&plan["from"]),
        algorithm(&plan["to"]),
        text(&plan["kind"]),
        text(&plan["strategy"]),
        text(&plan["isolation"]),
    );
    for phase in items(&plan["phases"]) {
        let (name, split) = (text(&phase["name"]), text(&phase["traffic_split"]));
        let _ = writeln!(out, "  {name:10} {:>6} s  {split:>3}% of the miners", text(&phase["duration"]));
    }
    let _ = writeln!(out, "takes     about {} s", text(&plan["estimated_duration"]));
    if plan["needs_confirmation"] == true {
        let _ = writeln!(
            out,
            "confirm   its author says that going back needs care: --confirm {}",
            text(&plan["to"]["name"])
        );
    }
    for obstacle in items(&plan["obstacles"]) {
        let _ = writeln!(out, "obstacle  {}", text(obstacle));
    }
    for warning in items(&plan["warnings"]) {
        let _ = writeln!(out, "warning   {}", text(warning));
    }
    out
}

pub(super) fn status(status: &Value) -> String {
    let mut out = format!(
        "active    {}, isolation {}\nfallback  {}\nhealth    {}\nstaged    {}\n",
        algorithm(&status["active_algorithm"]),
        text(&status["isolation"]),
        algorithm(&status["fallback_algorithm"]),
        reasoned(&status["health"], &status["health_reason"]),
        algorithm(&status["staged_algorithm"]),
    );
    for slot in items(&status["performance_metrics"]["slots"]) {
        let figures = &slot["figures"];
        let _ = writeln!(
            out,
            "slot {}    {} {}, generation {}, {}% of the miners, {} hashes, {} errors, median {} ns, p99 {} ns",
            text(&slot["slot"]),
            text(&slot["algorithm"]["algorithm_id"]),
            text(&slot["life"]),
            text(&slot["generation"]),
            text(&slot["traffic_split"]),
            text(&figures["hashes"]),
            text(&figures["errors"]),
            text(&figures["median_ns"]),
            text(&figures["p99_ns"]),
        );
    }
    if !status["deployment"].is_null() {
        let _ = write!(out, "\n{}", deployment(&status["deployment"]));
    }
    out
}

fn reasoned(what: &Value, reason: &Value) -> String {
    match reason.as_str() {
        Some(reason) if !reason.is_empty() => format!("{}: {reason}", text(what)),
        _ => text(what),
    }
}

/// Where a deployment is, in a line.
pub(super) fn step(deployment: &Value) -> String {
    format!(
        "deployment {}: {} at {}, {}% of the miners, {}",
        text(&deployment["deployment_id"]),
        text(&deployment["status"]),
        text(&deployment["phase"]),
        text(&deployment["traffic_split"]),
        text(&deployment["health"]["status"]),
    )
}

pub(super) fn deployment(deployment: &Value) -> String {
    let mut out = format!(
        "deployment {}: {} in place of {} ({}, {})\nstatus    {} at {}, {}% of the miners\nhealth    {}\n",
        text(&deployment["deployment_id"]),
        text(&deployment["algorithm_id"]),
        text(&deployment["replaces"]["algorithm_id"]),
        text(&deployment["kind"]),
        text(&deployment["strategy"]),
        text(&deployment["status"]),
        text(&deployment["phase"]),
        text(&deployment["traffic_split"]),
        reasoned(&deployment["health"]["status"], &deployment["health"]["reason"]),
    );
    for phase in items(&deployment["phases"]) {
        let _ = writeln!(out, "  {:10} {}", text(&phase["name"]), text(&phase["status"]));
    }
    let rollback = &deployment["rollback"];
    if !rollback.is_null() {
        let _ = writeln!(out, "rolled back  {}: {}", text(&rollback["cause"]), text(&rollback["message"]));
        if rollback["got"].is_string() {
            let _ = writeln!(
                out,
                "  input     {}\n  got       {}\n  expected  {}",
                text(&rollback["input"]),
                text(&rollback["got"]),
                text(&rollback["expected"]),
            );
        }
    }
    let trail = items(&deployment["trail"]);
    if !trail.is_empty() {
        let _ = writeln!(out, "trail");
    }
    for line in trail {
        let _ = writeln!(
            out,
            "  {}  {:12} {:10} {:>3}%  by {}  {}",
            text(&line["at"]),
            text(&line["action"]),
            text(&line["stage"]),
            text(&line["traffic_split"]),
            text(&line["by"]),
            line["detail"].as_str().unwrap_or_default(),
        );
    }
    out
}

pub(super) fn list(algorithms: &Value, deployments: &Value) -> String {
    let mut out = format!(
        "active    {}\nstaged    {}\n",
        algorithm(&algorithms["active"]),
        algorithm(&algorithms["staged"])
    );
    for kept in items(&algorithms["packages"]) {
        let _ = writeln!(out, "on shelf  {}", algorithm(kept));
    }
    let rows = items(&deployments["items"]);
    if !rows.is_empty() {
        let _ = writeln!(out, "\ndeployments, newest first");
    }
    for row in rows {
        let _ = writeln!(
            out,
            "  {:>4}  {:24} {:12} {:12} {}",
            text(&row["deployment_id"]),
            text(&row["algorithm_id"]),
            text(&row["status"]),
            text(&row["phase"]),
            text(&row["created_at"]),
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_rollback_shows_the_input_that_proves_it() {
        let shown = deployment(&json!({
            "deployment_id": "3", "algorithm_id": "blake2s_1.0.1", "replaces": { "algorithm_id": "blake2s_1.0.0" },
            "status": "rolled_back", "phase": "shadow", "traffic_split": 0, "kind": "upgrade", "strategy": "gradual",
            "health": { "status": "unhealthy", "reason": "wrong" },
            "phases": [{ "name": "shadow", "status": "failed" }],
            "rollback": { "cause": "hash_differs", "message": "d", "detail": "aa", "input": "aa", "got": "bb", "expected": "cc" },
            "trail": [{ "at": "t", "action": "rolled_back", "stage": "rolled back", "traffic_split": 0, "by": "pool" }],
        }));
        for part in ["input     aa", "got       bb", "expected  cc", "hash_differs: d", "shadow     failed"] {
            assert!(shown.contains(part), "{part} is not in:\n{shown}");
        }
    }

    #[test]
    fn what_is_missing_is_a_dash_and_no_panic() {
        for shown in [
            deployment(&Value::Null),
            status(&Value::Null),
            plan(&Value::Null),
            list(&Value::Null, &Value::Null),
        ] {
            assert!(shown.contains('-') || shown.contains("none"), "{shown}");
        }
    }
}
