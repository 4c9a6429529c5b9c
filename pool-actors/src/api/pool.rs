//! `/api/stats`, `/api/miners`, `/api/blocks`: public, read only.

use actix_web::{HttpResponse, web};
use pool_domain::{
    ids::{Account, BlockHash},
    maturity::{BlockStatus, Color},
    units::TimeMs,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Api,
    errors::{ApiError, ErrorCode},
    kept, views,
};
use crate::{
    messages::{block::BlockView, live::MinerStats},
    ports::store::{AccountRow, Balance, BlockQuery, BlockRow, HOUR_MS},
};

/// Items of a page without `limit`.
const PAGE: usize = 50;
/// Most items of a page.
const PAGE_MAX: usize = 500;

pub(super) async fn stats(api: web::Data<Api>) -> HttpResponse {
    HttpResponse::Ok().json(views::stats(&api, &api.snapshot.get()))
}

/// `?cursor=&limit=`: the cursor is `next` of the page before.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MinersQuery {
    cursor: Option<String>,
    limit: Option<usize>,
    /// Only accounts that mine now.
    active: Option<bool>,
}

/// `?cursor=&limit=&status=&color=&account=`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BlocksQuery {
    cursor: Option<u64>,
    limit: Option<usize>,
    status: Option<BlockStatus>,
    color: Option<Color>,
    account: Option<String>,
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
    let after = query.cursor.as_deref().map(|text| account_named(text, "cursor")).transpose()?;
    let snapshot = api.snapshot.get();
    let find = |account: &Account| snapshot.miners.find(account);
    if query.active == Some(true) {
        let list = kept::name("active-miners", limit).filter(|_| after.is_none());
        let live = snapshot.miners.mining_after(after.as_ref(), limit + 1);
        let fresh = async {
            let mut rows = Vec::with_capacity(live.len());
            for miner in live {
                let row = row_of(&api, miner.account.clone()).await?;
                rows.push(row.unwrap_or_else(|| empty(&miner.account)));
            }
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

async fn row_of(api: &Api, account: Account) -> Result<Option<AccountRow>, ApiError> {
    Ok(api.store.account(account).await?)
}

/// An account that mines, but has no share in the ledger yet.
fn empty(account: &Account) -> AccountRow {
    AccountRow { account: account.clone(), workers: Vec::new(), balance: Balance::default() }
}

pub(super) async fn miner(api: web::Data<Api>, path: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let account = account_named(&path, "account")?;
    let snapshot = api.snapshot.get();
    let live = snapshot.miners.find(&account);
    let row = match row_of(&api, account.clone()).await {
        Ok(row) => row.or_else(|| live.as_ref().map(|_| empty(&account))),
        Err(error) => {
            let known = Some(format!("account:{account}"));
            return kept::answer(&api, known, Err(error)).await;
        }
    };
    let row = row.ok_or_else(|| {
        ApiError::new(ErrorCode::NotFound, format!("no share of {account} was ever credited"))
            .with(json!({ "account": account }))
    })?;
    let known = kept::name_of_account(&api, &account);
    kept::answer(&api, known, Ok(views::account(&row, live.as_ref()))).await
}

/// `?hours=`: how far back, a day without it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HashrateQuery {
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
            // Beyond what a database counts to, every block is before it.
            before: query.cursor.map(|cursor| cursor.min(i64::MAX.cast_unsigned())),
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

pub(super) async fn block(api: web::Data<Api>, path: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let hash = hash_named(&path)?;
    let found = api.store.block(hash).await?;
    let (row, steps) = found
        .ok_or_else(|| ApiError::new(ErrorCode::NotFound, format!("the pool did not find a block {hash}")))?;
    Ok(HttpResponse::Ok().json(views::block_details(&row, &steps)))
}
