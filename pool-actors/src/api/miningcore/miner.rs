//! One account.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use pool_domain::{
    ids::Account,
    units::{Amount, TimeMs},
};
use serde_json::json;

use super::{
    super::{
        Api,
        errors::{ApiError, ErrorCode},
        shapes::miningcore::{BalanceChange, Day, MinerSettings, MinerStats, Worker, Workers},
        wire::rfc3339,
    },
    BATCH, DAY_MS, ModeQuery, PageQuery, PerfModeQuery, Range, coins, float, of_path, part, payment, sent,
    shares_per_second,
    window::{REACH, Window},
};
use crate::{
    messages::live,
    ports::{
        books::{CreditQuery, CreditState},
        store::{AccountRow, HOUR_MS},
    },
};

/// `GET /api/pools/{pool}/miners/{address}/payments`, and in v2: newest first.
pub(in crate::api) async fn miner_payments(
    api: web::Data<Api>,
    path: web::Path<(String, String)>,
    query: web::Query<PageQuery>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (_, account) = of_path(&api, &path)?;
    let window = Window::of(query.page, query.page_size)?;
    let found = sent(&api, Some(&account), window.reach(), |row, found| {
        found.extend(part(row, &account).map(|amount| payment(row, &account, amount, api.currency)));
    });
    Ok(window.cut(found.await?).answer(&request))
}

/// `GET /api/pools/{pool}/miners/{address}/balancechanges`, and in v2: credits that are confirmed and payouts that were sent.
pub(in crate::api) async fn balance_changes(
    api: web::Data<Api>,
    path: web::Path<(String, String)>,
    query: web::Query<PageQuery>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (id, account) = of_path(&api, &path)?;
    let window = Window::of(query.page, query.page_size)?;
    let decimals = api.currency.decimals;
    let change = |at: TimeMs, amount: Amount, usage: String| {
        let (pool_id, address) = (id.clone(), account.to_string());
        (at, BalanceChange { pool_id, address, amount: coins(amount, decimals), usage, created: rfc3339(at) })
    };
    let mut found = sent(&api, Some(&account), window.reach(), |row, found| {
        let amount = part(row, &account).and_then(Amount::checked_neg);
        found.extend(amount.map(|amount| change(row.created_at, amount, format!("Payment {}", row.id))));
    })
    .await?;
    let (mut credits, mut before, mut looked_at) = (0, None, 0);
    while credits < window.reach() && looked_at < REACH {
        let rows = api.books.credits(CreditQuery { account: account.clone(), before, limit: BATCH }).await?;
        before = rows.last().map(|row| row.id);
        looked_at += BATCH as u64;
        for row in rows.iter().filter(|row| row.state == CreditState::Confirmed) {
            credits += 1;
            let at = row.ended_at.unwrap_or(row.at);
            let height = row.height.map(|height| height.to_string()).unwrap_or_else(|| row.block.to_string());
            found.push(change(at, row.amount, format!("Reward for block {height}")));
        }
        if rows.len() < BATCH {
            break;
        }
    }
    found.sort_by(|(one, _), (other, _)| other.cmp(one));
    Ok(window.cut(found.into_iter().map(|(_, change)| change).collect()).answer(&request))
}

/// `GET /api/pools/{pool}/miners/{address}/earnings/daily`, and in v2: what was paid by the day (UTC), newest first.
pub(in crate::api) async fn daily(
    api: web::Data<Api>,
    path: web::Path<(String, String)>,
    query: web::Query<PageQuery>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (_, account) = of_path(&api, &path)?;
    let window = Window::of(query.page, query.page_size)?;
    let mut days: BTreeMap<u64, Amount> = BTreeMap::new();
    // One more than is wanted, so that the last one that is shown is whole.
    let mut seen = 0;
    sent(&api, Some(&account), window.reach() + 1, |row, found| {
        let day = row.created_at.0 / DAY_MS;
        let sum = days.entry(day).or_insert_with(|| {
            seen += 1;
            Amount::ZERO
        });
        sum.0 = sum.0.saturating_add(part(row, &account).unwrap_or(Amount::ZERO).0);
        if found.len() < seen {
            found.push(());
        }
    })
    .await?;
    let decimals = api.currency.decimals;
    let found = days
        .into_iter()
        .rev()
        .map(|(day, amount)| Day { amount: coins(amount, decimals), date: rfc3339(TimeMs(day * DAY_MS)) });
    Ok(window.cut(found.collect()).answer(&request))
}

/// An account's hash rate by the hour, or for a month by the day.
async fn samples(api: &Api, account: &Account, range: Range) -> Result<Vec<Workers>, ApiError> {
    let now = api.clock.now();
    let (span, step) = match range {
        Range::Day => (DAY_MS, HOUR_MS),
        Range::Month => (30 * DAY_MS, DAY_MS),
    };
    let from = TimeMs(now.0.saturating_sub(span) / step * step);
    let hours = api.store.share_hours(account.clone(), from, TimeMs(now.0 + 1)).await?;
    let mut steps: BTreeMap<u64, (u128, u64)> = BTreeMap::new();
    for hour in &hours {
        let sum = steps.entry(hour.at.0 / step).or_default();
        sum.0 = sum.0.saturating_add(hour.work.0);
        sum.1 = sum.1.saturating_add(hour.accepted);
    }
    let sample = |(number, (work, accepted)): (u64, (u128, u64))| {
        let begun = TimeMs(number * step);
        let seconds = (now.since(begun).clamp(1_000, step)) as f64 / 1_000.0;
        let all = Worker { hashrate: float(work) / seconds, shares_per_second: accepted as f64 / seconds };
        Workers { created: rfc3339(begun), workers: BTreeMap::from([(String::new(), all)]) }
    };
    Ok(steps.into_iter().map(sample).collect())
}

/// `GET /api/pools/{pool}/miners/{address}/performance`.
pub(in crate::api) async fn miner_performance(
    api: web::Data<Api>,
    path: web::Path<(String, String)>,
    query: web::Query<ModeQuery>,
) -> Result<HttpResponse, ApiError> {
    let (_, account) = of_path(&api, &path)?;
    Ok(HttpResponse::Ok().json(samples(&api, &account, query.mode.unwrap_or_default()).await?))
}

fn workers_now(stats: &live::MinerStats, now: TimeMs) -> Workers {
    let connected = stats.workers.iter().filter(|worker| worker.sessions > 0);
    let line = |worker: &live::WorkerStats| {
        let shares_per_second = shares_per_second(worker.shares.accepted, worker.connected_since, now);
        (worker.identity.worker.to_string(), Worker { hashrate: float(worker.hashrate), shares_per_second })
    };
    Workers { created: rfc3339(now), workers: connected.map(line).collect() }
}

/// `GET /api/pools/{pool}/miners/{address}`.
pub(in crate::api) async fn miner_details(
    api: web::Data<Api>,
    path: web::Path<(String, String)>,
    query: web::Query<PerfModeQuery>,
) -> Result<HttpResponse, ApiError> {
    let (_, account) = of_path(&api, &path)?;
    let now = api.clock.now();
    let live = api.snapshot.get().miners.find(&account);
    let row: Option<AccountRow> = api.store.account(account.clone()).await?;
    if row.is_none() && live.is_none() {
        return Err(ApiError::new(ErrorCode::NotFound, format!("no share of {account} was ever credited"))
            .with(json!({ "account": account })));
    }
    let decimals = api.currency.decimals;
    let balance = row.as_ref().map(|row| row.balance).unwrap_or_default();
    let midnight = TimeMs(now.0 / DAY_MS * DAY_MS);
    let (mut last, mut today) = (None, Amount::ZERO);
    sent(&api, Some(&account), 1, |row, found| {
        last = last.or(Some(row.created_at));
        let amount = part(row, &account).unwrap_or(Amount::ZERO);
        if row.created_at >= midnight {
            today.0 = today.0.saturating_add(amount.0);
        } else {
            found.push(());
        }
    })
    .await?;
    Ok(HttpResponse::Ok().json(MinerStats {
        pending_shares: row.iter().flat_map(|row| &row.workers).map(|worker| worker.accepted).sum(),
        pending_balance: coins(Amount(balance.confirmed.0.saturating_sub(balance.reserved.0)), decimals),
        total_paid: coins(balance.paid, decimals),
        today_paid: coins(today, decimals),
        last_payment: last.map(rfc3339),
        performance: live.as_ref().map(|stats| workers_now(stats, now)),
        performance_samples: samples(&api, &account, query.perf_mode.unwrap_or_default()).await?,
    }))
}

/// `GET /api/pools/{pool}/miners/{address}/settings`: 404 unless the account has a threshold of its own.
pub(in crate::api) async fn miner_settings(
    api: web::Data<Api>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (_, account) = of_path(&api, &path)?;
    let terms = api.payouts.terms(account.clone()).await?;
    let threshold = terms.threshold.ok_or_else(|| {
        ApiError::new(ErrorCode::NotFound, format!("{account} has no settings of its own"))
            .with(json!({ "account": account }))
    })?;
    let payment_threshold = coins(threshold, api.currency.decimals);
    Ok(HttpResponse::Ok().json(MinerSettings { payment_threshold }))
}
