//! Lists as they were last given, for the time when the database is away: kept in the cache behind the answer's back.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use actix_web::HttpResponse;
use pool_domain::ids::Account;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    Api,
    errors::{ApiError, ErrorCode},
    wire::rfc3339,
};

/// How long a list is kept.
const LIVES: Duration = Duration::from_secs(86_400);
/// A list that is asked for often is kept this often.
const PAUSE: Duration = Duration::from_secs(2);
/// Lengths of the lists that are kept, first pages without filters: anybody can ask for any others.
const LENGTHS: &[usize] = &[10, 20, 25, 50, 60, 100, 200, 500];

/// The name of a list that is kept.
pub(super) fn name(list: &str, limit: usize) -> Option<String> {
    LENGTHS.contains(&limit).then(|| format!("{list}:{limit}"))
}

/// Accounts that are kept at once, those that were asked for first: each that there is may be asked for.
const ACCOUNTS_MAX: usize = 20_000;

/// The name of an account that is kept, if there is room for it.
pub(super) fn name_of_account(api: &Api, account: &Account) -> Option<String> {
    let name = format!("account:{account}");
    api.kept.has_room(&key(api, &name)).then_some(name)
}

fn key(api: &Api, list: &str) -> String {
    format!("list:{}:{list}", api.node_name)
}

/// When each list was kept last.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<HashMap<String, Instant>>);

impl Kept {
    /// For one more; what was not asked for in the time that it is kept for is gone.
    fn has_room(&self, list: &str) -> bool {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= ACCOUNTS_MAX && !kept.contains_key(list) {
            kept.retain(|_, at| at.elapsed() < LIVES);
        }
        kept.len() < ACCOUNTS_MAX || kept.contains_key(list)
    }

    fn is_due(&self, list: &str) -> bool {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match kept.get_mut(list) {
            Some(at) if now.duration_since(*at) < PAUSE => false,
            Some(at) => {
                *at = now;
                true
            }
            None => {
                kept.insert(list.to_owned(), now);
                true
            }
        }
    }
}

/// Answers with a list, and keeps it if it has a name; while the database is away, with what was kept under that name.
pub(super) async fn answer(
    api: &Api,
    list: Option<String>,
    fresh: Result<Value, ApiError>,
) -> Result<HttpResponse, ApiError> {
    let Some(list) = list.map(|list| key(api, &list)) else {
        return Ok(HttpResponse::Ok().json(fresh?));
    };
    match fresh {
        Ok(body) => {
            if api.kept.is_due(&list) {
                let (cache, at) = (api.shared_cache.clone(), rfc3339(api.clock.now()));
                let kept = json!({ "at": at, "body": body });
                actix_web::rt::spawn(async move {
                    // Its keeper says that it is away.
                    let _ = cache.keep_copy(&list, &kept, LIVES).await;
                });
            }
            Ok(HttpResponse::Ok().json(body))
        }
        Err(error) if error.code == ErrorCode::StoreUnavailable => {
            let kept: Option<Value> = api.shared_cache.kept(&list).await.unwrap_or_default();
            let Some(Value::Object(mut kept)) = kept else { return Err(error) };
            let mut body = kept.remove("body").unwrap_or_default();
            if !body.is_object() {
                return Err(error);
            }
            body["stale"] = json!(true);
            body["stale_at"] = kept.remove("at").unwrap_or_default();
            Ok(HttpResponse::Ok().json(body))
        }
        Err(error) => Err(error),
    }
}
