//! `/api/stats`, `/api/miners`, `/api/blocks`: public, read only.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use pool_domain::{
    ids::{Account, BlockHash},
    maturity::{BlockStatus, Color},
    units::TimeMs,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Api,
    errors::{ApiError, ErrorCode},
    kept,
    shapes::text,
    views,
    wire::rfc3339,
};
use crate::{
    messages::{
        block::BlockView,
        live::{MinerOrder, MinerStats, MinersWanted},
    },
    ports::store::{AccountRow, Balance, BlockQuery, BlockRow, HOUR_MS},
};

/// Items of a page without `limit`.
const PAGE: usize = 50;
/// Most items of a page.
pub(super) const PAGE_MAX: usize = 500;

pub(super) async fn stats(api: web::Data<Api>) -> HttpResponse {
    HttpResponse::Ok().json(views::stats(&api, &api.snapshot.get()))
}

/// `?cursor=&limit=`: the cursor is `next` of the page before.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MinersQuery {
    cursor: Option<String>,
    #[schemars(range(min = 1, max = 500))]
    limit: Option<usize>,
    /// Only accounts that mine now.
    active: Option<bool>,
    /// By what those that mine now are sorted.
    sort: Option<MinerOrder>,
    /// The order of address is `asc` without it, all others are `desc`.
    order: Option<Order>,
    /// Only addresses with this in them, of those that mine now.
    #[schemars(length(max = 128))]
    search: Option<String>,
}

/// Which way a list runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Order {
    Asc,
    Desc,
}

/// Longest text that is searched for: no address is longer.
const SEARCH_MAX: usize = 128;

/// A place in a sorted list, `NUMBER:ACCOUNT`. What was sorted by may have changed since: a page goes on from there all the same.
fn place_of(text: &str) -> Result<(u128, Account), ApiError> {
    let wrong = || {
        ApiError::bad_request("cursor: not one of this list".to_owned())
            .with(json!({ "parameter": "cursor" }))
    };
    let (number, account) = text.split_once(':').ok_or_else(wrong)?;
    Ok((number.parse().map_err(|_| wrong())?, Account::new(account).map_err(|_| wrong())?))
}

/// Accounts that mine now, sorted and searched in memory: nothing of it is money, and it asks no database.
fn sorted_miners(api: &Api, query: &MinersQuery, limit: usize) -> Result<HttpResponse, ApiError> {
    let by = query.sort.unwrap_or(MinerOrder::Hashrate);
    if query.active == Some(false) {
        return Err(ApiError::bad_request(
            "sort and search are for accounts that mine now: leave active=false out".to_owned(),
        )
        .with(json!({ "parameter": "active" })));
    }
    let search = query.search.as_deref().map(str::trim).filter(|text| !text.is_empty());
    if search.is_some_and(|text| text.len() > SEARCH_MAX) {
        return Err(ApiError::bad_request(format!("search is longer than {SEARCH_MAX} bytes"))
            .with(json!({ "parameter": "search" })));
    }
    let snapshot = api.snapshot.get();
    let mut found = snapshot.miners.sorted(&MinersWanted {
        by,
        descending: query.order.map_or(by != MinerOrder::Account, |order| order == Order::Desc),
        search: search.map(str::to_ascii_lowercase),
        after: query.cursor.as_deref().map(place_of).transpose()?,
        most: limit + 1,
    });
    let more = found.items.len() > limit;
    found.items.truncate(limit);
    let next =
        found.items.last().filter(|_| more).map(|(number, miner)| format!("{number}:{}", miner.account));
    let items: Vec<Value> = found.items.iter().map(|(_, miner)| views::miner(miner)).collect();
    Ok(HttpResponse::Ok().json(json!({
        "items": items, "next": next, "total": found.total, "at": rfc3339(snapshot.at),
    })))
}

/// `?cursor=&limit=&status=&color=&account=`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BlocksQuery {
    cursor: Option<u64>,
    #[schemars(range(min = 1, max = 500))]
    limit: Option<usize>,
    #[schemars(with = "Option<text::BlockStatus>")]
    status: Option<BlockStatus>,
    #[schemars(with = "Option<text::BlockColor>")]
    color: Option<Color>,
    #[schemars(with = "Option<text::AccountName>")]
    account: Option<String>,
}

/// Beyond what a database counts to, everything is before it.
pub(super) fn before(cursor: Option<u64>) -> Option<u64> {
    cursor.map(|cursor| cursor.min(i64::MAX.cast_unsigned()))
}

pub(super) fn page_size(limit: Option<usize>) -> Result<usize, ApiError> {
    match limit.unwrap_or(PAGE) {
        limit @ 1..=PAGE_MAX => Ok(limit),
        limit => Err(ApiError::bad_request(format!("limit is {limit}, it must be 1 to {PAGE_MAX}"))
            .with(json!({ "parameter": "limit" }))),
    }
}

pub(super) fn account_named(text: &str, parameter: &str) -> Result<Account, ApiError> {
    Account::new(text).map_err(|error| {
        ApiError::bad_request(format!("{parameter}: {error}")).with(json!({ "parameter": parameter }))
    })
}

pub(super) fn hash_named(text: &str) -> Result<BlockHash, ApiError> {
    text.parse()
        .map_err(|error| ApiError::bad_request(format!("hash: {error}")).with(json!({ "parameter": "hash" })))
}

/// Cuts a list that was asked for one item more than fits, and names where the next page begins.
pub(super) fn page<T>(
    mut items: Vec<T>,
    limit: usize,
    cursor: impl Fn(&T) -> Value,
    line: impl Fn(&T) -> Value,
) -> Value {
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(cursor);
    json!({ "items": items.iter().map(line).collect::<Vec<_>>(), "next": next })
}

/// Accounts in the order of their address. An account joins the list with its first credited share; `active` lists those
/// that mine now, credited or not.
pub(super) async fn miners(
    api: web::Data<Api>,
    query: web::Query<MinersQuery>,
) -> Result<HttpResponse, ApiError> {
    let limit = page_size(query.limit)?;
    if query.sort.is_some() || query.search.is_some() || query.order.is_some() {
        return sorted_miners(&api, &query, limit);
    }
    let after = query.cursor.as_deref().map(|text| account_named(text, "cursor")).transpose()?;
    let snapshot = api.snapshot.get();
    let find = |account: &Account| snapshot.miners.find(account);
    if query.active == Some(true) {
        let list = kept::name("active-miners", limit).filter(|_| after.is_none());
        let live = snapshot.miners.mining_after(after.as_ref(), limit + 1);
        let fresh = async {
            let names: Vec<Account> = live.into_iter().map(|miner| miner.account).collect();
            let rows = api.store.accounts_named(names.clone()).await?;
            let mut rows: BTreeMap<Account, AccountRow> =
                rows.into_iter().map(|row| (row.account.clone(), row)).collect();
            let rows = names.iter().map(|name| rows.remove(name).unwrap_or_else(|| empty(name))).collect();
            Ok(accounts_page(rows, limit, find))
        };
        let fresh = fresh.await;
        return kept::answer(&api, list, fresh).await;
    }
    let list = kept::name("miners", limit).filter(|_| after.is_none());
    let rows = api.store.accounts(after, limit + 1).await;
    kept::answer(&api, list, rows.map(|rows| accounts_page(rows, limit, find)).map_err(ApiError::from)).await
}

fn accounts_page(
    rows: Vec<AccountRow>,
    limit: usize,
    find: impl Fn(&Account) -> Option<MinerStats>,
) -> Value {
    page(rows, limit, |row| json!(row.account), |row| views::account_line(row, find(&row.account).as_ref()))
}

/// An account that mines, but has no share in the ledger yet.
fn empty(account: &Account) -> AccountRow {
    AccountRow { account: account.clone(), workers: Vec::new(), balance: Balance::default() }
}

pub(super) async fn miner(api: web::Data<Api>, path: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let account = account_named(&path, "account")?;
    let fresh = details_of(&api, &account).await;
    let kept = match &fresh {
        Ok(_) => kept::name_of_account(&api, &account),
        Err(_) => Some(format!("account:{account}")),
    };
    kept::answer(&api, kept, fresh).await
}

/// An account with its workers.
pub(super) async fn details_of(api: &Api, account: &Account) -> Result<Value, ApiError> {
    let snapshot = api.snapshot.get();
    let live = snapshot.miners.find(account);
    let row = api.store.account(account.clone()).await?;
    let row = row.or_else(|| live.as_ref().map(|_| empty(account))).ok_or_else(|| {
        ApiError::new(ErrorCode::NotFound, format!("no share of {account} was ever credited"))
            .with(json!({ "account": account }))
    })?;
    let mut details = views::account(&row, live.as_ref());
    views::add_difficulties(&mut details, &snapshot.miners.difficulties(account));
    Ok(details)
}

/// `?hours=`: how far back, a day without it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HashrateQuery {
    #[schemars(range(min = 1, max = 87_600))]
    hours: Option<u64>,
}

/// Hours of a history without `hours`.
const HISTORY: u64 = 24;

/// An account's hash rate by the hour, from credited work; hours without a share are not listed.
pub(super) async fn hashrate(
    api: web::Data<Api>,
    path: web::Path<String>,
    query: web::Query<HashrateQuery>,
) -> Result<HttpResponse, ApiError> {
    let account = account_named(&path, "account")?;
    let most = u64::from(api.history_days) * 24;
    let hours = match query.hours.unwrap_or(HISTORY) {
        hours if (1..=most).contains(&hours) => hours,
        hours => {
            return Err(ApiError::bad_request(format!("hours is {hours}, it must be 1 to {most}"))
                .with(json!({ "parameter": "hours" })));
        }
    };
    let now = api.clock.now();
    // The hour that has begun, and those before it.
    let from = TimeMs((now.0 / HOUR_MS + 1).saturating_sub(hours) * HOUR_MS);
    let found = api.store.share_hours(account.clone(), from, TimeMs(now.0 + 1)).await?;
    let items: Vec<Value> = found.iter().map(|hour| views::share_hour(hour, now)).collect();
    Ok(HttpResponse::Ok().json(json!({ "account": account, "interval_s": HOUR_MS / 1_000, "items": items })))
}

pub(super) async fn blocks(
    api: web::Data<Api>,
    query: web::Query<BlocksQuery>,
) -> Result<HttpResponse, ApiError> {
    let query = query.into_inner();
    let limit = page_size(query.limit)?;
    let account = query.account.as_deref().map(|text| account_named(text, "account")).transpose()?;
    let is_plain = query.cursor.is_none() && query.status.is_none() && query.color.is_none();
    let list = kept::name("blocks", limit).filter(|_| is_plain && account.is_none());
    let rows = api
        .store
        .blocks(BlockQuery {
            before: before(query.cursor),
            status: query.status,
            color: query.color,
            account,
            limit: limit + 1,
        })
        .await;
    let line = |row: &BlockRow| views::block(&BlockView::from(row));
    let fresh = rows.map(|rows| page(rows, limit, |row| json!(row.number.to_string()), line));
    kept::answer(&api, list, fresh.map_err(ApiError::from)).await
}

/// `?cursor=&limit=`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DagQuery {
    cursor: Option<u64>,
    #[schemars(range(min = 1, max = 500))]
    limit: Option<usize>,
}

/// The DAG as far back as this pool remembers what the node told of it, those of others with our own, newest first. Before
/// that there are only our own, in the store.
pub(super) async fn dag(api: web::Data<Api>, query: web::Query<DagQuery>) -> Result<HttpResponse, ApiError> {
    let limit = page_size(query.limit)?;
    let blocks = api.events.blocks_before(query.cursor, limit + 1);
    let line = |(_, view): &(u64, BlockView)| views::block(view);
    Ok(HttpResponse::Ok().json(page(blocks, limit, |(number, _)| json!(number.to_string()), line)))
}

pub(super) async fn block(api: web::Data<Api>, path: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let hash = hash_named(&path)?;
    let found = api.store.block(hash).await?;
    let (row, steps) = found
        .ok_or_else(|| ApiError::new(ErrorCode::NotFound, format!("the pool did not find a block {hash}")))?;
    Ok(HttpResponse::Ok().json(views::block_details(&row, &steps)))
}
