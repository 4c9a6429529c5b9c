//! What the pool goes on without, in words: the database, the cache, room for the journal. In `/api/stats`, on the live feed
//! and in `/health/ready`; a database that stays away is an alert, once.

use std::sync::{Mutex, PoisonError};

use pool_domain::{catalogue::Code, units::TimeMs};
use serde_json::{Value, json};

use super::{
    Api,
    wire::{rfc3339, time_or_null},
};
use crate::messages::trouble;

/// A database that does not answer for less is no news: it was restarted, or one connection was lost.
const NEWS_MS: u64 = 1_000;

const DATABASE: &str = "the database does not answer; shares are accepted and kept in the journal meanwhile, balances, blocks and payouts stand still";
const CACHE: &str =
    "the cache does not answer; bans, limits and events are not shared with other pools meanwhile";

/// Since when the database is away, which only its silence tells.
#[derive(Debug, Default)]
pub(super) struct Degraded(Mutex<Option<Away>>);

#[derive(Debug, Clone, Copy)]
struct Away {
    since: TimeMs,
    told: bool,
}

impl Degraded {
    /// Since when the database is away, if it is.
    fn away(&self, is_away: bool, now: TimeMs) -> Option<TimeMs> {
        let mut away = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_away {
            *away = None;
        } else if away.is_none() {
            *away = Some(Away { since: now, told: false });
        }
        away.map(|away| away.since)
    }

    /// Whether it is time to raise the alert: true once for each time that it is away.
    fn is_news(&self, now: TimeMs) -> bool {
        let mut away = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match away.as_mut() {
            Some(away) if !away.told && now.since(away.since) >= NEWS_MS => {
                away.told = true;
                true
            }
            _ => false,
        }
    }
}

/// Called every second, whether somebody looks or not.
pub(super) fn look(api: &Api) {
    let now = api.clock.now();
    let ledger = api.ledger.load();
    api.degraded.away(ledger.store_error.is_some(), now);
    if !api.degraded.is_news(now) {
        return;
    }
    let what = ledger.store_error.as_deref().unwrap_or_default();
    let context = json!({ "component": "store", "actor": "payout-ledger" });
    let event = trouble::raised(Code::StoreUnavailable, what, context);
    api.events.publish(now, event);
}

/// Everything that is away now, worst first: `{component, code, message, since, figures_at, waiting_shares}`.
pub(super) fn list(api: &Api) -> Vec<Value> {
    let mut list = Vec::new();
    list.extend(database(api));
    if let Some(said) = (api.journal)() {
        list.push(
            json!({ "component": "journal", "code": "JOURNAL_TROUBLE", "message": said, "since": null }),
        );
    }
    list.extend(cache(api));
    list
}

/// The database, while it is away.
pub(super) fn database(api: &Api) -> Option<Value> {
    let ledger = api.ledger.load();
    let since = api.degraded.away(ledger.store_error.is_some(), api.clock.now())?;
    // Which database and why is for the log; the sentence says what it means.
    tracing::debug!(error = ?ledger.store_error, "the database is away");
    Some(json!({
        "component": "store",
        "code": "STORE_UNAVAILABLE",
        "message": DATABASE,
        "since": rfc3339(since),
        "figures_at": time_or_null(ledger.at),
        "waiting_shares": ledger.lag(),
    }))
}

/// The cache, while it is away.
pub(super) fn cache(api: &Api) -> Option<Value> {
    let cache = api.cache.load();
    let error = cache.error.as_ref()?;
    tracing::debug!(%error, "the cache is away");
    let since = rfc3339(cache.since);
    Some(json!({ "component": "cache", "code": "CACHE_UNAVAILABLE", "message": CACHE, "since": since }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absence_has_one_beginning_and_is_news_once_and_only_if_it_lasts() {
        let degraded = Degraded::default();
        let at = TimeMs;
        assert_eq!(degraded.away(false, at(5)), None);
        assert!(!degraded.is_news(at(5)), "it is there");
        assert_eq!(degraded.away(true, at(10)), Some(at(10)));
        assert_eq!(degraded.away(true, at(900)), Some(at(10)));
        assert!(!degraded.is_news(at(1_009)), "not yet");
        assert_eq!(degraded.away(false, at(1_009)), None);
        assert_eq!(degraded.away(true, at(2_000)), Some(at(2_000)), "another time");
        assert!(degraded.is_news(at(3_000)));
        assert!(!degraded.is_news(at(4_000)), "said already");
        assert_eq!(degraded.away(true, at(9_000)), Some(at(2_000)));
        assert_eq!(degraded.away(false, at(9_001)), None);
        degraded.away(true, at(9_500));
        assert!(degraded.is_news(at(19_000)), "it went away again");
    }
}
