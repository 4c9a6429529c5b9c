//! The last lines of the log, in memory: for the page LOGS and for `dagpool logs`. Whoever formats the log adds them.
//!
//! Bounded by lines and by bytes: a flood costs the oldest lines, never memory. Nobody is sent anything: readers ask for what
//! comes after the last line that they know, and are told how many lines they missed. What looks like a secret is hidden
//! before a line is kept, whoever wrote it.

use std::{
    borrow::Cow,
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use pool_domain::units::TimeMs;
use serde::Serialize;
use tokio::sync::watch;

/// Longest message or field that is kept, bytes.
const TEXT_BYTES_MAX: usize = 4_096;
/// Bytes of lines for each line that may be kept.
const BYTES_PER_LINE: usize = 512;

/// How bad, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Something is broken.
    Error,
    /// Something may need somebody.
    Warn,
    /// What happens.
    Info,
    /// In detail.
    Debug,
    /// In every detail.
    Trace,
}

impl LogLevel {
    /// By its name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let all = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];
        all.into_iter().find(|level| level.as_str() == name)
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// Parts of the pool that lines are about.
pub const CATEGORIES: &[&str] = &[
    "alerts",
    "algorithm",
    "api",
    "audit",
    "auth",
    "cache",
    "ledger",
    "node",
    "payouts",
    "pool",
    "simulation",
    "stats",
    "store",
    "stratum",
    "other",
];

/// The category of a line by the module that wrote it.
#[must_use]
pub fn category(target: &str, message: &str) -> &'static str {
    if message == "audit" {
        return "audit";
    }
    let mut parts = target.split("::");
    match parts.next().unwrap_or_default() {
        "pool_actors" => {}
        "pool_engine" | "plugin_sdk" => return "algorithm",
        "dagpool" => return "pool",
        "simulations" => return "simulation",
        _ => return "other",
    }
    let (folder, file) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    match (folder, file) {
        ("stratum", _) => "stratum",
        ("template", _) => "node",
        ("algorithm", _) => "algorithm",
        ("ledger" | "app", file)
            if file.starts_with("payout_dispatcher") || file.starts_with("payout_rounds") =>
        {
            "payouts"
        }
        ("ledger" | "audit", _) => "ledger",
        ("stats", _) => "stats",
        ("cache", _) => "cache",
        ("api", _) => "api",
        ("auth", _) => "auth",
        ("alerts", _) => "alerts",
        ("adapters", file) if file.starts_with("node") => "node",
        ("adapters", file) if file.starts_with("cache") => "cache",
        ("adapters", "postgres" | "sqlite") => "store",
        ("adapters", "notify") => "alerts",
        ("adapters", "package_shelf") => "algorithm",
        ("app", "alerts") => "alerts",
        ("app", "algorithms") => "algorithm",
        ("app", "auth") => "auth",
        ("app", "cache") => "cache",
        ("app", "database") => "store",
        ("app", "payouts") => "payouts",
        _ => "pool",
    }
}

/// A line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// Its number: one more than that of the line before.
    pub seq: u64,
    /// When.
    #[serde(skip)]
    pub at: TimeMs,
    /// How bad.
    pub level: LogLevel,
    /// What it is about.
    pub category: &'static str,
    /// The module that wrote it.
    pub target: String,
    /// In words.
    pub message: String,
    /// What else was said, in order.
    pub fields: Vec<(String, String)>,
}

impl LogLine {
    fn bytes(&self) -> usize {
        let fields: usize = self.fields.iter().map(|(name, value)| name.len() + value.len()).sum();
        std::mem::size_of::<Self>() + self.target.len() + self.message.len() + fields
    }

    fn holds(&self, text: &str) -> bool {
        let holds = |known: &str| known.to_lowercase().contains(text);
        holds(&self.message)
            || holds(&self.target)
            || self.fields.iter().any(|(name, value)| holds(name) || holds(value))
    }
}

/// Which lines are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// Only lines after this number, oldest first.
    pub after: Option<u64>,
    /// Only lines before this number; without `after`, the newest of them.
    pub before: Option<u64>,
    /// Only of this level or worse.
    pub level: Option<LogLevel>,
    /// Only of this category.
    pub category: Option<String>,
    /// Only those that hold this text, whatever its case.
    pub search: Option<String>,
    /// Only since then.
    pub since: Option<TimeMs>,
    /// At most so many.
    pub limit: usize,
}

/// What was found, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogPage {
    /// The lines.
    pub lines: Vec<Arc<LogLine>>,
    /// Up to which line was looked: where a follower goes on (`after`).
    pub seen: u64,
    /// Where older lines are (`before`), if there may be some.
    pub older: Option<u64>,
    /// Lines after `after` that are not kept any more.
    pub missed: u64,
}

struct Kept {
    lines: VecDeque<Arc<LogLine>>,
    bytes: usize,
    last: u64,
}

struct Inner {
    kept: Mutex<Kept>,
    lines_max: usize,
    newest: watch::Sender<u64>,
}

/// The lines that are kept; clones share them.
#[derive(Clone)]
pub struct LogBook(Arc<Inner>);

impl Default for LogBook {
    fn default() -> Self {
        Self::new(0)
    }
}

impl fmt::Debug for LogBook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogBook").field("lines_max", &self.0.lines_max).finish_non_exhaustive()
    }
}

impl LogBook {
    /// Keeps at most so many lines.
    #[must_use]
    pub fn new(lines_max: usize) -> Self {
        let kept = Mutex::new(Kept { lines: VecDeque::new(), bytes: 0, last: 0 });
        Self(Arc::new(Inner { kept, lines_max, newest: watch::channel(0).0 }))
    }

    fn with<R>(&self, f: impl FnOnce(&mut Kept) -> R) -> R {
        f(&mut self.0.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds a line.
    pub fn add(
        &self,
        at: TimeMs,
        level: LogLevel,
        target: &str,
        message: &str,
        fields: Vec<(String, String)>,
    ) {
        if self.0.lines_max == 0 {
            return;
        }
        let fields = fields
            .into_iter()
            .map(|(name, value)| {
                let value = if is_secret_name(&name) { HIDDEN.to_owned() } else { tidy(&value) };
                (name, value)
            })
            .collect();
        let category = category(target, message);
        let mut line = LogLine {
            seq: 0,
            at,
            level,
            category,
            target: target.to_owned(),
            message: tidy(message),
            fields,
        };
        let bytes = line.bytes();
        let seq = self.with(|kept| {
            kept.last += 1;
            line.seq = kept.last;
            kept.bytes += bytes;
            kept.lines.push_back(Arc::new(line));
            let bytes_max = self.0.lines_max.saturating_mul(BYTES_PER_LINE);
            while kept.lines.len() > self.0.lines_max || (kept.bytes > bytes_max && kept.lines.len() > 1) {
                let Some(oldest) = kept.lines.pop_front() else { break };
                kept.bytes -= oldest.bytes();
            }
            kept.last
        });
        self.0.newest.send_modify(|newest| *newest = seq.max(*newest));
    }

    /// Looks for lines.
    #[must_use]
    pub fn read(&self, query: &LogQuery) -> LogPage {
        let (lines, last) = self.with(|kept| (kept.lines.iter().cloned().collect::<Vec<_>>(), kept.last));
        let search = query.search.as_ref().map(|text| text.to_lowercase()).filter(|text| !text.is_empty());
        let fits = |line: &&Arc<LogLine>| {
            query.level.is_none_or(|least| line.level <= least)
                && query.category.as_ref().is_none_or(|category| category == line.category)
                && query.since.is_none_or(|since| line.at >= since)
                && query.before.is_none_or(|before| line.seq < before)
                && search.as_ref().is_none_or(|text| line.holds(text))
        };
        let limit = query.limit.max(1);
        if let Some(after) = query.after {
            let first = lines.first().map_or(last + 1, |line| line.seq);
            let missed = first.saturating_sub(after.saturating_add(1));
            let mut found: Vec<_> =
                lines.iter().filter(|line| line.seq > after).filter(fits).take(limit + 1).cloned().collect();
            let more = found.len() > limit;
            found.truncate(limit);
            let seen =
                if more { found.last().map_or(last, |line| line.seq) } else { last.max(after.min(last)) };
            return LogPage { lines: found, seen, older: None, missed };
        }
        let mut found: Vec<_> = lines.iter().rev().filter(fits).take(limit + 1).cloned().collect();
        let more = found.len() > limit;
        found.truncate(limit);
        found.reverse();
        let older = more.then(|| found.first().map(|line| line.seq)).flatten();
        LogPage { lines: found, seen: last, older, missed: 0 }
    }

    /// Waits until there is a line after this number.
    pub async fn beyond(&self, seq: u64) {
        let mut newest = self.0.newest.subscribe();
        // The sender lives as long as this book.
        let _ = newest.wait_for(|newest| *newest > seq).await;
    }
}

/// What is shown instead of a secret.
const HIDDEN: &str = "***";

fn is_secret_name(name: &str) -> bool {
    const NAMES: &[&str] =
        &["password", "secret", "token", "admin_token", "refresh_token", "backup_code", "key"];
    NAMES.contains(&name)
}

fn tidy(text: &str) -> String {
    let end = text.floor_char_boundary(TEXT_BYTES_MAX);
    masked(&text[..end]).into_owned()
}

/// Hides what looks like a secret: tokens of this pool, bearer tokens, passwords in addresses.
#[must_use]
pub fn masked(text: &str) -> Cow<'_, str> {
    let is_token =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~' | '+' | '/' | '=');
    let mut shown = Cow::Borrowed(text);
    for (mark, keep) in [("Bearer ", 7), ("bearer ", 7), ("bdp_", 4), ("eyJ", 0), ("password=", 9)] {
        let mut from = 0;
        while let Some(at) = shown.get(from..).and_then(|rest| rest.find(mark)).map(|at| from + at) {
            let begin = at + keep;
            let length = shown[begin..].find(|c| !is_token(c)).unwrap_or(shown.len() - begin);
            // A short word is no token: "Bearer realm", "eyJ" in the middle of something.
            if length >= 8 || (mark == "password=" && length > 0) {
                shown.to_mut().replace_range(begin..begin + length, HIDDEN);
                from = begin + HIDDEN.len();
            } else {
                from = at + mark.len();
            }
        }
    }
    let mut from = 0;
    while let Some(at) = shown.get(from..).and_then(|rest| rest.find("://")).map(|at| from + at + 3) {
        from = at;
        let end = shown[at..].find([' ', '/', '"', ')', ',']).map_or(shown.len(), |end| at + end);
        let Some((user, _)) = shown[at..end].rsplit_once('@') else { continue };
        let Some((name, _)) = user.split_once(':') else { continue };
        let (begin, stop) = (at + name.len() + 1, at + user.len());
        shown.to_mut().replace_range(begin..stop, HIDDEN);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book(lines_max: usize) -> LogBook {
        LogBook::new(lines_max)
    }

    fn say(book: &LogBook, at: u64, level: LogLevel, target: &str, message: &str) {
        book.add(TimeMs(at), level, target, message, Vec::new());
    }

    fn messages(page: &LogPage) -> Vec<&str> {
        page.lines.iter().map(|line| line.message.as_str()).collect()
    }

    #[test]
    fn lines_are_bounded_and_whoever_follows_is_told_what_was_missed() {
        let book = book(3);
        for n in 1..=5 {
            say(&book, n, LogLevel::Info, "dagpool", &format!("line {n}"));
        }
        let all = book.read(&LogQuery { limit: 10, ..LogQuery::default() });
        assert_eq!((messages(&all), all.seen, all.older), (vec!["line 3", "line 4", "line 5"], 5, None));
        let tail = book.read(&LogQuery { after: Some(0), limit: 2, ..LogQuery::default() });
        assert_eq!((messages(&tail), tail.seen, tail.missed), (vec!["line 3", "line 4"], 4, 2));
        let rest = book.read(&LogQuery { after: Some(tail.seen), limit: 2, ..LogQuery::default() });
        assert_eq!((messages(&rest), rest.seen, rest.missed), (vec!["line 5"], 5, 0));
        let none = book.read(&LogQuery { after: Some(5), limit: 2, ..LogQuery::default() });
        assert_eq!((messages(&none), none.seen, none.missed), (vec![], 5, 0));
        // A number of before a restart: everything is new.
        let odd = book.read(&LogQuery { after: Some(900), limit: 2, ..LogQuery::default() });
        assert_eq!((odd.lines.len(), odd.seen), (0, 5));
    }

    #[test]
    fn few_long_lines_do_not_take_more_memory_than_many_short_ones() {
        let book = book(100);
        for _ in 0..100 {
            say(&book, 1, LogLevel::Info, "dagpool", &"x".repeat(50_000));
        }
        let kept = book.read(&LogQuery { limit: 1_000, ..LogQuery::default() }).lines;
        assert!(
            kept.len() < 15 && kept.iter().all(|line| line.message.len() <= TEXT_BYTES_MAX),
            "{}",
            kept.len()
        );
        let nothing = LogBook::default();
        say(&nothing, 1, LogLevel::Error, "dagpool", "x");
        assert_eq!(nothing.read(&LogQuery { limit: 9, ..LogQuery::default() }), LogPage::default());
    }

    #[test]
    fn lines_are_found_by_level_category_text_and_time_and_paged() {
        let book = book(100);
        say(&book, 10, LogLevel::Info, "pool_actors::stratum::hub", "a miner came");
        say(&book, 20, LogLevel::Warn, "pool_actors::adapters::node_kaspa", "the Node is slow");
        say(&book, 30, LogLevel::Error, "pool_actors::adapters::postgres::session", "gone");
        book.add(
            TimeMs(40),
            LogLevel::Debug,
            "pool_actors::api",
            "asked",
            vec![("path".into(), "/api/x".into())],
        );
        let find = |query: LogQuery| {
            let page = book.read(&LogQuery { limit: 10, ..query });
            page.lines.iter().map(|line| line.seq).collect::<Vec<_>>()
        };
        assert_eq!(find(LogQuery { level: Some(LogLevel::Warn), ..LogQuery::default() }), [2, 3]);
        assert_eq!(find(LogQuery { category: Some("node".into()), ..LogQuery::default() }), [2]);
        assert_eq!(find(LogQuery { search: Some("NODE".into()), ..LogQuery::default() }), [2]);
        assert_eq!(find(LogQuery { search: Some("/api/X".into()), ..LogQuery::default() }), [4]);
        assert_eq!(find(LogQuery { since: Some(TimeMs(30)), ..LogQuery::default() }), [3, 4]);
        let newest = book.read(&LogQuery { limit: 2, ..LogQuery::default() });
        assert_eq!((newest.lines[0].seq, newest.older), (3, Some(3)));
        let older = book.read(&LogQuery { before: newest.older, limit: 2, ..LogQuery::default() });
        assert_eq!((older.lines[0].seq, older.older), (1, None));
    }

    #[test]
    fn categories_follow_the_modules() {
        for (target, message, wanted) in [
            ("pool_actors::stratum::session", "x", "stratum"),
            ("pool_actors::ledger::payout_dispatcher", "x", "payouts"),
            ("pool_actors::ledger::payout_ledger", "x", "ledger"),
            ("pool_actors::adapters::cache_redis", "x", "cache"),
            ("pool_actors::auth", "audit", "audit"),
            ("pool_actors::runtime::supervisor", "x", "pool"),
            ("pool_engine::staging", "x", "algorithm"),
            ("dagpool::run", "x", "pool"),
            ("actix_server::worker", "x", "other"),
        ] {
            assert_eq!(category(target, message), wanted, "{target}");
            assert!(CATEGORIES.contains(&wanted));
        }
    }

    #[test]
    fn what_looks_like_a_secret_is_hidden() {
        for (text, shown) in [
            ("Authorization: Bearer abc.def-123456 came", "Authorization: Bearer *** came"),
            ("Bearer realm=\"pool\"", "Bearer realm=\"pool\""),
            ("token bdp_0123456789abcdef, twice bdp_0123456789abcdef", "token bdp_***, twice bdp_***"),
            ("eyJhbGciOiJIUzI1NiJ9.e30.abc", "***"),
            (
                "at postgres://pool:hush@db/money and redis://:hush@c",
                "at postgres://pool:***@db/money and redis://:***@c",
            ),
            ("http://db?password=hush&x", "http://db?password=***&x"),
            ("nothing of the kind: http://a/b", "nothing of the kind: http://a/b"),
        ] {
            assert_eq!(masked(text), shown);
        }
        let book = book(10);
        book.add(TimeMs(1), LogLevel::Info, "dagpool", "x", vec![("password".into(), "hush".into())]);
        let line = &book.read(&LogQuery { limit: 1, ..LogQuery::default() }).lines[0];
        assert_eq!(line.fields, [("password".to_owned(), "***".to_owned())]);
    }

    #[actix_rt::test]
    async fn a_follower_is_woken_by_the_next_line() {
        let book = book(10);
        say(&book, 1, LogLevel::Info, "dagpool", "one");
        book.beyond(0).await;
        let waiting = actix_rt::spawn({
            let book = book.clone();
            async move { book.beyond(1).await }
        });
        say(&book, 2, LogLevel::Info, "dagpool", "two");
        waiting.await.unwrap();
    }
}
