//! `/api/admin/logs`: the last lines of the log.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Api,
    errors::ApiError,
    wire::{parse_rfc3339, rfc3339},
};
use crate::ports::logs::{CATEGORIES, LogLevel, LogLine, LogPage, LogQuery};

/// Lines of one answer.
const LINES_MAX: usize = 2_000;
/// Lines of an answer, if nothing is said.
const LINES: usize = 200;
/// Longest time that an answer waits for a line, milliseconds.
const WAIT_MS_MAX: u64 = 25_000;
/// Lines come in bursts: an answer that waited for one takes those along that follow at once.
const BURST: Duration = Duration::from_millis(50);

/// `?level=&category=&search=&since=&limit=`, and `cursor=` for older lines or `after=&wait_ms=` for those to come.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    level: Option<String>,
    category: Option<String>,
    search: Option<String>,
    since: Option<String>,
    #[schemars(range(min = 1, max = 2_000))]
    limit: Option<usize>,
    cursor: Option<u64>,
    after: Option<u64>,
    wait_ms: Option<u64>,
}

fn query(wanted: &Wanted) -> Result<LogQuery, ApiError> {
    let unfit =
        |parameter: &str, what: String| ApiError::bad_request(what).with(json!({ "parameter": parameter }));
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let level = given(&wanted.level).map(|name| {
        LogLevel::named(&name).ok_or_else(|| {
            unfit("level", format!("level is error, warn, info, debug or trace, not {name:?}"))
        })
    });
    let category = given(&wanted.category).map(|name| {
        if CATEGORIES.contains(&&*name) {
            Ok(name)
        } else {
            Err(unfit("category", format!("category is one of {}, not {name:?}", CATEGORIES.join(", "))))
        }
    });
    let since = given(&wanted.since).map(|text| {
        parse_rfc3339(&text).ok_or_else(|| unfit("since", format!("since is no time: {text:?}")))
    });
    let limit = wanted.limit.unwrap_or(LINES);
    if !(1..=LINES_MAX).contains(&limit) {
        return Err(unfit("limit", format!("limit must be 1 to {LINES_MAX}, it is {limit}")));
    }
    Ok(LogQuery {
        after: wanted.after,
        before: wanted.cursor,
        level: level.transpose()?,
        category: category.transpose()?,
        search: given(&wanted.search),
        since: since.transpose()?,
        limit,
    })
}

/// Oldest first. With `after` and `wait_ms` the answer comes as soon as there is a line, at the latest after that time: whoever
/// follows asks again when they have read it, so that nothing piles up here for readers that are slow.
pub(super) async fn list(api: web::Data<Api>, wanted: web::Query<Wanted>) -> Result<HttpResponse, ApiError> {
    let mut query = query(&wanted)?;
    let mut page = api.logs.read(&query);
    let mut missed = page.missed;
    if let (Some(_), Some(wait_ms)) = (query.after, wanted.wait_ms) {
        let wait = Duration::from_millis(wait_ms.min(WAIT_MS_MAX));
        let waiting = async {
            while page.lines.is_empty() {
                api.logs.beyond(page.seen).await;
                tokio::time::sleep(BURST).await;
                query.after = Some(page.seen);
                page = api.logs.read(&query);
                missed += page.missed;
            }
        };
        // Without a line the answer says how far was looked.
        let _ = tokio::time::timeout(wait, waiting).await;
    }
    Ok(HttpResponse::Ok().json(answer(&page, missed)))
}

fn answer(page: &LogPage, missed: u64) -> Value {
    let items: Vec<Value> = page.lines.iter().map(|known| line(known)).collect();
    json!({
        "items": items,
        "next": page.older.map(|seq| seq.to_string()),
        "seen": page.seen,
        "missed": missed,
        "categories": CATEGORIES,
    })
}

fn line(line: &LogLine) -> Value {
    json!({
        "seq": line.seq, "at": rfc3339(line.at), "level": line.level, "category": line.category,
        "target": line.target, "message": line.message,
        "fields": line.fields.iter().map(|(name, value)| (name.clone(), json!(value))).collect::<serde_json::Map<_, _>>(),
    })
}
