//! `dagpool logs`: the last lines of a running pool's log, over its API.

use std::{io::Write as _, process::ExitCode, time::Duration};

use clap::Args;
use pool_actors::{
    adapters::system_clock::SystemClock,
    api::rfc3339,
    config::Secret,
    error::{Code, Failure},
    ports::{clock::Clock as _, logs::masked},
};
use pool_domain::units::TimeMs;
use reqwest::Url;
use serde_json::Value;

use crate::Outcome;

/// How long the pool may wait for a line before it answers without one, milliseconds.
const WAIT_MS: u64 = 20_000;
/// A silent pool counts as out of reach after that, and a while.
const TIMEOUT: Duration = Duration::from_secs(40);
/// Whoever follows tries again after so long when the pool is out of reach: it may be starting.
const AGAIN: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// Only of this part of the pool: stratum, node, ledger, payouts, algorithm, api, auth, audit, alerts, cache, store, pool...
    #[arg(long)]
    category: Option<String>,
    /// Only this bad or worse: error, warn, info, debug or trace.
    #[arg(long)]
    level: Option<String>,
    /// Only lines that hold this text, whatever its case.
    #[arg(long)]
    search: Option<String>,
    /// Only of the last while, such as 30s, 15m, 1h or 2d.
    #[arg(long, value_parser = span)]
    last: Option<Duration>,
    /// At most so many of the past.
    #[arg(long, default_value_t = 200)]
    limit: usize,
    /// Go on with what comes, until Ctrl-C.
    #[arg(long)]
    follow: bool,
    /// Address of the pool's API.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Admin token, or one of an operator: the text itself, "file:/path" or "env:NAME".
    #[arg(long, env = "DAGPOOL_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Print JSON, a line each.
    #[arg(long)]
    json: bool,
}

/// A time such as `90s`, `15m`, `1h`, `2d`.
fn span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time: write it like 30s, 15m, 1h or 2d");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let count: u64 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| wrong())?;
    count.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

/// What went wrong, and whether another try may help.
struct Missed {
    failure: Failure,
    again: bool,
}

/// Prints what is kept, then follows if asked to.
pub(crate) async fn logs(args: Logs) -> Outcome {
    let client = Client::new(&args)?;
    let mut filter: Vec<(&str, String)> = Vec::new();
    let given = [("category", &args.category), ("level", &args.level), ("search", &args.search)];
    filter.extend(given.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
    let mut first = filter.clone();
    first.push(("limit", args.limit.to_string()));
    if let Some(last) = args.last {
        let since = SystemClock.now().0.saturating_sub(u64::try_from(last.as_millis()).unwrap_or(u64::MAX));
        first.push(("since", rfc3339(TimeMs(since))));
    }
    let page = client.ask(&first).await.map_err(|missed| missed.failure)?;
    if !show(&args, &page) || !args.follow {
        return Ok(ExitCode::SUCCESS);
    }
    let mut seen = page["seen"].as_u64().unwrap_or_default();
    loop {
        let mut next = filter.clone();
        next.extend([
            ("after", seen.to_string()),
            ("wait_ms", WAIT_MS.to_string()),
            ("limit", "2000".into()),
        ]);
        let page = match client.ask(&next).await {
            Ok(page) => page,
            Err(Missed { failure, again: true }) => {
                eprintln!("{failure}; again in {} s", AGAIN.as_secs());
                tokio::time::sleep(AGAIN).await;
                continue;
            }
            Err(missed) => return Err(missed.failure),
        };
        let now = page["seen"].as_u64().unwrap_or_default();
        let missed = page["missed"].as_u64().unwrap_or_default();
        if now < seen {
            eprintln!("the pool was started anew");
        } else if missed > 0 {
            eprintln!("{missed} lines came faster than they were read");
        }
        seen = now;
        if !show(&args, &page) {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

/// Prints the lines; false when nobody reads any more.
fn show(args: &Logs, page: &Value) -> bool {
    let mut out = std::io::stdout().lock();
    let lines = page["items"].as_array().into_iter().flatten();
    lines
        .map(|line| if args.json { line.to_string() } else { text(line) })
        .all(|line| writeln!(out, "{line}").is_ok())
        && out.flush().is_ok()
}

fn text(line: &Value) -> String {
    let word = |name: &str| line[name].as_str().unwrap_or_default();
    let mut text = format!(
        "{} {:>5} {}: {}",
        word("at"),
        word("level").to_uppercase(),
        word("category"),
        word("message")
    );
    for (name, value) in line["fields"].as_object().into_iter().flatten() {
        text.push_str(&format!(" {name}={}", value.as_str().unwrap_or_default()));
    }
    // A line of a miner's making must not steer the terminal.
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The pool's API.
struct Client {
    http: reqwest::Client,
    url: Url,
    token: Option<String>,
}

impl Client {
    fn new(args: &Logs) -> Result<Self, Failure> {
        let invalid =
            |what: String| Failure::new(Code::ConfigInvalid, what, "write it like http://127.0.0.1:8080");
        let url = Url::parse(&args.url)
            .and_then(|base| base.join("/api/admin/logs"))
            .map_err(|error| invalid(format!("--url {}: {error}", args.url)))?;
        let http = reqwest::Client::builder().no_proxy().read_timeout(TIMEOUT).build();
        let http = http.map_err(|error| invalid(format!("the HTTP client: {error}")))?;
        let token = args.token.clone().map(|token| Secret::new(token).reveal()).transpose()?;
        Ok(Self { http, url, token: token.map(|token| token.trim().to_owned()) })
    }

    async fn ask(&self, query: &[(&str, String)]) -> Result<Value, Missed> {
        let away = |what: String, again: bool| {
            let advice = "check --url, and that the pool runs";
            let failure = Failure::new(Code::PoolUnreachable, masked(&what).into_owned(), advice);
            Missed { failure, again }
        };
        let mut request = self.http.get(self.url.clone()).query(query);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.map_err(|error| away(format!("{}: {error}", self.url), true))?;
        let status = answer.status();
        let body: Value = answer.json().await.unwrap_or_default();
        if status.is_success() {
            return Ok(body);
        }
        let error = &body["error"];
        let said = error["message"].as_str().map_or_else(|| status.to_string(), str::to_owned);
        let code = error["code"].as_str().and_then(Code::named).unwrap_or(Code::PoolUnreachable);
        let advice =
            error["suggested_actions"][0]["action"].as_str().unwrap_or("see /docs/errors of the pool");
        // As the pool worded it.
        let failure = Failure { code, what: said, advice: advice.to_owned() };
        Err(Missed { failure, again: status.is_server_error() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_lines_can_not_steer_a_terminal() {
        for (text, seconds) in [("30s", 30), ("15m", 900), ("1h", 3_600), ("2d", 172_800)] {
            assert_eq!(span(text), Ok(Duration::from_secs(seconds)));
        }
        for wrong in ["", "1", "h", "1w", "-1h", "1é"] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
        let line = serde_json::json!({
            "at": "2026-11-28T12:00:00.000Z", "level": "warn", "category": "stratum",
            "message": "a\u{1b}[2Jb", "fields": { "who": "x\ny" },
        });
        assert_eq!(text(&line), "2026-11-28T12:00:00.000Z  WARN stratum: a [2Jb who=x y");
    }
}
