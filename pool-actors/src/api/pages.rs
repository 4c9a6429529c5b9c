//! Lists that are in memory, page by page: who reads on goes on behind the last item that it got, whatever came and went
//! meanwhile.

use actix_web::web;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    errors::ApiError,
    pool::{PAGE_MAX, page, page_size},
};

/// `?cursor=&limit=`; without `limit` as many as fit a page.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    pub(super) cursor: Option<String>,
    #[schemars(range(min = 1, max = 500))]
    pub(super) limit: Option<usize>,
}

/// A page of items in the order of their keys. `read` reads a key from a cursor, `write` is its inverse.
pub(super) fn paged<T, K: Ord>(
    mut items: Vec<T>,
    query: &web::Query<PageQuery>,
    key: impl Fn(&T) -> K,
    (read, write): (impl Fn(&str) -> Option<K>, impl Fn(&K) -> String),
    line: impl Fn(&T) -> Value,
) -> Result<Value, ApiError> {
    let limit = page_size(query.limit.or(Some(PAGE_MAX)))?;
    let wrong = |text: &String| {
        ApiError::bad_request(format!("cursor {text:?} is none of this list"))
            .with(json!({ "parameter": "cursor" }))
    };
    let after = query.cursor.as_ref().map(|text| read(text).ok_or_else(|| wrong(text))).transpose()?;
    items.sort_by_cached_key(&key);
    if let Some(after) = after {
        items.retain(|item| key(item) > after);
    }
    items.truncate(limit + 1);
    Ok(page(items, limit, |item| json!(write(&key(item))), line))
}

/// A key that makes the newest come first, told apart by a name; with how it is read and written.
pub(super) type Newest = (std::cmp::Reverse<u64>, String);

/// See [`Newest`].
pub(super) fn read_newest(text: &str) -> Option<Newest> {
    let (at, name) = text.split_once('-')?;
    Some((std::cmp::Reverse(at.parse().ok()?), name.to_owned()))
}

/// See [`Newest`].
pub(super) fn write_newest((at, name): &Newest) -> String {
    format!("{}-{name}", at.0)
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;

    use super::*;

    fn of(text: &str) -> web::Query<PageQuery> {
        web::Query::from_query(text).unwrap()
    }

    fn ask(items: &[(u64, &str)], query: &str) -> Result<Value, ApiError> {
        let key = |item: &(u64, &str)| (Reverse(item.0), item.1.to_owned());
        paged(items.to_vec(), &of(query), key, (read_newest, write_newest), |item| json!(item.1))
    }

    #[test]
    fn pages_follow_each_other_whatever_comes_and_goes() {
        let mut items = vec![(1, "a"), (3, "b"), (2, "c"), (3, "d")];
        let first = ask(&items, "limit=2").unwrap();
        assert_eq!(first, json!({ "items": ["b", "d"], "next": "3-d" }));
        // The last one that was seen is gone, and a newer one is there.
        items.retain(|item| item.1 != "d");
        items.push((9, "e"));
        assert_eq!(ask(&items, "limit=2&cursor=3-d").unwrap(), json!({ "items": ["c", "a"], "next": null }));
        assert_eq!(ask(&items, "cursor=0-x").unwrap()["items"], json!([]));
        assert_eq!(ask(&items, "").unwrap()["items"], json!(["e", "b", "c", "a"]));
    }

    #[test]
    fn rubbish_is_refused() {
        for query in ["cursor=x", "cursor=x-1", "cursor=", "limit=0", "limit=501"] {
            assert!(ask(&[], query).is_err(), "{query}");
        }
        assert!(web::Query::<PageQuery>::from_query("page=1").is_err());
    }
}
