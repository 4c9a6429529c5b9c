//! How commands answer: text or one JSON value on standard output, errors with code and advice.

use std::process::ExitCode;

use pool_domain::catalogue::{Advice, fill};
use pool_engine::codes::PackageError;
use serde_json::{Value, json};

/// A command's answer.
#[derive(Debug, Clone)]
pub(super) struct Output {
    /// For people.
    pub(super) text: String,
    /// For programs.
    pub(super) json: Value,
    /// Whether what was asked is so; a package that fails its checks is an answer, and not a good one.
    pub(super) ok: bool,
}

impl Output {
    pub(super) fn good(text: impl Into<String>, json: Value) -> Self {
        Self { text: text.into(), json, ok: true }
    }
}

/// Prints an answer and gives the exit code.
pub(super) fn print(json: bool, result: Result<&Output, PackageError>) -> ExitCode {
    match result {
        Ok(output) => {
            if json {
                println!("{}", output.json);
            } else {
                println!("{}", output.text.trim_end());
            }
            if output.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            if json {
                println!("{}", json!({ "error": error_json(&error) }));
            } else {
                eprintln!("error: {error} [{}]{}", error.code.as_str(), advice(&error));
            }
            ExitCode::FAILURE
        }
    }
}

/// The error as the REST interface has it, without what only a running pool knows.
fn error_json(error: &PackageError) -> Value {
    let code = error.code;
    let actions: Vec<Value> = code
        .advice()
        .iter()
        .map(|a| json!({ "action": a.action, "command": command(a), "priority": a.priority }))
        .collect();
    json!({
        "code": code.as_str(),
        "family": code.family().as_str(),
        "message": error.message,
        "severity": code.severity(),
        "suggested_actions": actions,
        "documentation_link": format!("/docs/errors/{}", code.as_str()),
    })
}

/// The advice of an error's code, one line each.
pub(super) fn advice(error: &PackageError) -> String {
    let lines = error.code.advice().iter().map(|advice| {
        let command = command(advice).map_or_else(String::new, |command| format!(": {command}"));
        format!("\n  - {}{command}", advice.action)
    });
    lines.collect()
}

/// The advice's command, with its places to fill in.
pub(super) fn command(advice: &Advice) -> Option<String> {
    advice.command.map(|command| fill(command, |_| None))
}
