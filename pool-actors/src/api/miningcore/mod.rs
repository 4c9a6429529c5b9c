//! `/api/pools...` and `/api/v2/pools...`: the routes of Miningcore's API, for front ends that were written for it.
//!
//! What is different is said in `docs/miningcore.md`: amounts are JSON numbers in coins there, so they are as exact as a 64-bit
//! float; the exact ones are in the pool's own routes.

mod miner;
mod notify;
mod window;

#[cfg(test)]
mod front_end_tests;

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
pub(super) use miner::{
    balance_changes, daily, miner_details, miner_payments, miner_performance, miner_settings,
};
pub(super) use notify::{GREETING, notification};
use pool_domain::{
    ids::Account,
    maturity::BlockStatus,
    payout::PayoutState,
    units::{Amount, TimeMs, Work},
};
use window::{REACH, Window};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{
    Api, Currency,
    errors::{ApiError, ErrorCode},
    pool::account_named,
    shapes::miningcore::{
        Block, Coin, Miner, NetworkStats, Payment, PaymentProcessing, Pool, PoolAnswer, PoolSample,
        PoolSamples, PoolStats, Pools, Port, VarDiff,
    },
    wire::rfc3339,
};
use crate::{
    config::Config,
    messages::live,
    ports::{
        payouts::{PayoutQuery, PayoutRow},
        store::{BlockQuery, BlockRow, HOUR_MS},
    },
};

/// Rows that are read at a time.
const BATCH: usize = 200;
/// Miners in a pool's own answer.
const TOP: usize = 15;
const DAY_MS: u64 = 24 * HOUR_MS;

/// What Miningcore's front ends want to know of a pool's configuration.
#[derive(Debug, Clone, Default)]
pub struct PoolAbout {
    ports: BTreeMap<u16, Port>,
    fee_basis_points: u32,
    scheme: String,
    address: String,
    idle_timeout_ms: u64,
    poll_interval_ms: u64,
}

impl PoolAbout {
    /// Of this configuration.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let number =
            |difficulty: pool_domain::difficulty::Difficulty| difficulty.to_string().parse().unwrap_or(0.0);
        let ports = config.stratum.listener.iter().map(|listener| {
            let moves = VarDiff {
                min_diff: number(listener.difficulty_min),
                max_diff: number(listener.difficulty_max),
            };
            let port = Port {
                listen_address: listener.address.ip().to_string(),
                name: listener.dialect.clone(),
                difficulty: number(listener.start_difficulty()),
                var_diff: (!listener.fixed).then_some(moves),
                tls: false,
            };
            (listener.address.port(), port)
        });
        Self {
            ports: ports.collect(),
            fee_basis_points: config.payout.fee_basis_points,
            scheme: json!(config.payout.scheme).as_str().unwrap_or_default().to_uppercase(),
            address: config.chain.payout_address.clone(),
            idle_timeout_ms: config.stratum.idle_timeout_ms,
            poll_interval_ms: config.chain.poll_interval_ms,
        }
    }
}

/// `?page=&pageSize=`, from page 0.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PageQuery {
    page: Option<u64>,
    #[schemars(range(min = 1, max = 500))]
    page_size: Option<u64>,
}

/// `?page=&pageSize=&state=`; `state` may come more than once.
#[derive(Debug, Default, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it describes what is read by hand, since a name may come more than once")]
pub(super) struct BlocksQuery {
    page: Option<u64>,
    #[schemars(range(min = 1, max = 500))]
    page_size: Option<u64>,
    #[schemars(extend("enum" = ["pending", "confirmed", "orphaned"]))]
    state: Option<String>,
}

/// How far back samples go.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
pub(super) enum Range {
    #[default]
    #[serde(alias = "day")]
    Day,
    #[serde(alias = "month")]
    Month,
}

/// `?mode=`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(super) struct ModeQuery {
    mode: Option<Range>,
}

/// `?perfMode=`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PerfModeQuery {
    perf_mode: Option<Range>,
}

/// The name under which these routes know the pool: `kas1`.
pub(super) fn pool_id(currency: Currency) -> String {
    format!("{}1", currency.symbol.to_lowercase())
}

/// An amount in coins, as near as a float comes.
pub(super) fn coins(amount: Amount, decimals: u8) -> f64 {
    // Read from its digits, so that it is rounded once.
    format!("{}e-{decimals}", amount.0).parse().unwrap_or(0.0)
}

fn own(api: &Api, pool: &str) -> Result<String, ApiError> {
    let id = pool_id(api.currency);
    if id == pool {
        return Ok(id);
    }
    let message = format!("there is no pool {pool}: this one is {id}");
    Err(ApiError::new(ErrorCode::NotFound, message).with(json!({ "parameter": "pool" })))
}

fn float(n: u128) -> f64 {
    n as f64
}

/// Difficulty as most chains count it: expected hashes by 2^32.
fn difficulty(work: Work) -> f64 {
    float(work.0) / 4_294_967_296.0
}

fn network_hashrate(api: &Api, block_work: Work) -> f64 {
    let rate = api.events.network_blocks_per_1000_s(api.clock.now()).unwrap_or(0);
    float(block_work.0.saturating_mul(u128::from(rate)) / 1_000)
}

/// A rate from what a worker's shares say: its hash rate by the work of a share is not known here, so by time.
fn shares_per_second(accepted: u64, since: Option<TimeMs>, now: TimeMs) -> f64 {
    let seconds = since.map_or(0, |since| now.since(since)) as f64 / 1_000.0;
    if seconds < 1.0 { 0.0 } else { accepted as f64 / seconds }
}

/// Miningcore counts a pool's shares in whole ones.
const fn whole_per_second(per_1000_s: u64) -> u64 {
    per_1000_s.saturating_add(500) / 1_000
}

fn miner(stats: &live::MinerStats, now: TimeMs) -> Miner {
    Miner {
        miner: stats.account.to_string(),
        hashrate: float(stats.hashrate),
        shares_per_second: shares_per_second(stats.shares.accepted, stats.connected_since, now),
    }
}

async fn described(api: &Api) -> Result<Pool, ApiError> {
    let now = api.clock.now();
    let (snapshot, node, ledger) = (api.snapshot.get(), api.node.get(), api.ledger.load());
    let block_work = node.job.as_ref().map_or(Work::ZERO, |job| job.network_work);
    let decimals = api.currency.decimals;
    let last = api.store.blocks(BlockQuery { limit: 1, ..BlockQuery::default() }).await?;
    let algorithm = node
        .job
        .as_ref()
        .map(|job| job.algorithm.clone())
        .or(snapshot.algorithm.as_ref().map(ToString::to_string));
    let effort = api.effort.now(snapshot.work, &ledger, Some(block_work));
    Ok(Pool {
        id: pool_id(api.currency),
        coin: Coin {
            kind: api.currency.symbol.to_owned(),
            name: api.pool_name.clone(),
            symbol: api.currency.symbol.to_owned(),
            family: "blockdag".to_owned(),
            algorithm: algorithm.unwrap_or_default(),
        },
        ports: api.about.ports.clone(),
        payment_processing: PaymentProcessing {
            enabled: api.payout_doors.is_some(),
            minimum_payment: api
                .payout_doors
                .as_ref()
                .map_or(0.0, |doors| coins(doors.rules.get().threshold, decimals)),
            payout_scheme: api.about.scheme.clone(),
        },
        client_connection_timeout: api.about.idle_timeout_ms / 1_000,
        job_rebroadcast_timeout: 0,
        block_refresh_interval: api.about.poll_interval_ms,
        pool_fee_percent: f64::from(api.about.fee_basis_points) / 100.0,
        address: api.about.address.clone(),
        pool_stats: PoolStats {
            connected_miners: snapshot.miners_connected as u64,
            connected_workers: snapshot.workers_connected as u64,
            pool_hashrate: u64::try_from(snapshot.hashrate).unwrap_or(u64::MAX),
            shares_per_second: whole_per_second(snapshot.shares_per_1000_s),
        },
        network_stats: NetworkStats {
            network_type: node.network.clone(),
            network_hashrate: network_hashrate(api, block_work),
            network_difficulty: difficulty(block_work),
            last_network_block_time: node.job.as_ref().map(|job| rfc3339(job.template_at)),
            block_height: node.job.as_ref().and_then(|job| job.height).unwrap_or(0),
            connected_peers: 0,
            reward_type: "POW".to_owned(),
        },
        top_miners: snapshot.miners.fastest(TOP).iter().map(|stats| miner(stats, now)).collect(),
        total_paid: coins(ledger.totals.of("payouts_sent"), decimals),
        total_blocks: ledger.totals.blocks.iter().map(|(_, _, count)| count).sum(),
        last_pool_block_time: last.first().map(|row| rfc3339(row.found_at)),
        pool_effort: effort.map(|effort| f64::from(effort.0) / 10_000.0),
    })
}

/// `GET /api/pools`.
pub(super) async fn pools(api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(Pools { pools: vec![described(&api).await?] }))
}

/// `GET /api/pools/{pool}`.
pub(super) async fn pool(api: web::Data<Api>, path: web::Path<String>) -> Result<HttpResponse, ApiError> {
    own(&api, &path)?;
    Ok(HttpResponse::Ok().json(PoolAnswer { pool: described(&api).await? }))
}

/// `GET /api/pools/{pool}/performance`: minutes of the time that is remembered, which is no more than 30.
pub(super) async fn performance(
    api: web::Data<Api>,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    own(&api, &path)?;
    let (snapshot, node) = (api.snapshot.get(), api.node.get());
    let block_work = node.job.as_ref().map_or(Work::ZERO, |job| job.network_work);
    let mut minutes: BTreeMap<u64, Vec<&live::HistoryPoint>> = BTreeMap::new();
    for point in snapshot.history.iter() {
        minutes.entry(point.at.0 / 60_000).or_default().push(point);
    }
    let stats = minutes.into_iter().map(|(minute, points)| {
        let count = points.len() as f64;
        let mean = |of: &dyn Fn(&live::HistoryPoint) -> f64| {
            points.iter().map(|point| of(point)).sum::<f64>() / count
        };
        PoolSample {
            pool_hashrate: mean(&|point| float(point.hashrate)),
            connected_miners: snapshot.miners_connected as u64,
            connected_workers: snapshot.workers_connected as u64,
            valid_shares_per_second: whole_per_second(
                points.iter().map(|point| point.shares_per_1000_s).sum::<u64>() / points.len().max(1) as u64,
            ),
            network_hashrate: network_hashrate(&api, block_work),
            network_difficulty: difficulty(block_work),
            created: rfc3339(TimeMs(minute * 60_000)),
        }
    });
    Ok(HttpResponse::Ok().json(PoolSamples { stats: stats.collect() }))
}

/// `GET /api/pools/{pool}/miners`: those that mine now, the fastest first.
pub(super) async fn miners(
    api: web::Data<Api>,
    path: web::Path<String>,
    query: web::Query<PageQuery>,
    request: actix_web::HttpRequest,
) -> Result<HttpResponse, ApiError> {
    own(&api, &path)?;
    let window = Window::of(query.page, query.page_size)?;
    let now = api.clock.now();
    let fastest = api.snapshot.get().miners.fastest(window.reach());
    Ok(window.cut(fastest.iter().map(|stats| miner(stats, now)).collect()).answer(&request))
}

const fn status_name(status: BlockStatus) -> &'static str {
    match status {
        BlockStatus::Candidate | BlockStatus::Submitted | BlockStatus::Accepted => "pending",
        BlockStatus::Matured | BlockStatus::Paid => "confirmed",
        BlockStatus::Rejected | BlockStatus::Void => "orphaned",
    }
}

fn block(row: &BlockRow, pool_id: &str, decimals: u8) -> Block {
    let status = status_name(row.life.stage());
    Block {
        pool_id: pool_id.to_owned(),
        block_height: row.height.unwrap_or(0),
        network_difficulty: difficulty(row.network_work),
        status: status.to_owned(),
        kind: "block".to_owned(),
        confirmation_progress: match status {
            "confirmed" => 1.0,
            "orphaned" => 0.0,
            _ => progress(row.confirmations),
        },
        transaction_confirmation_data: row.hash.to_string(),
        reward: row.life.reward().map_or(0.0, |reward| coins(reward, decimals)),
        hash: row.hash.to_string(),
        miner: row.account.to_string(),
        source: row.worker.to_string(),
        created: rfc3339(row.found_at),
    }
}

/// `GET /api/pools/{pool}/blocks`, and in v2: newest first.
pub(super) async fn blocks(
    api: web::Data<Api>,
    path: web::Path<String>,
    query: web::Query<Vec<(String, String)>>,
    request: actix_web::HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let id = own(&api, &path)?;
    let (mut page, mut size, mut states) = (None, None, Vec::new());
    for (name, value) in query.iter() {
        let number = || {
            value.parse::<u64>().map(Some).map_err(|_| {
                ApiError::bad_request(format!("{name} is {value:?}, it must be a number"))
                    .with(json!({ "parameter": name }))
            })
        };
        match name.as_str() {
            "page" => page = number()?,
            "pageSize" => size = number()?,
            "state" => states.push(value.to_lowercase()),
            _ => {}
        }
    }
    if let Some(wrong) =
        states.iter().find(|state| !["pending", "confirmed", "orphaned"].contains(&state.as_str()))
    {
        let message = format!("state is {wrong:?}, it must be pending, confirmed or orphaned");
        return Err(ApiError::bad_request(message).with(json!({ "parameter": "state" })));
    }
    let window = Window::of(page, size)?;
    let wanted = |row: &BlockRow| {
        states.is_empty() || states.iter().any(|state| state == status_name(row.life.stage()))
    };
    let (mut found, mut before, mut looked_at) = (Vec::new(), None, 0);
    while found.len() < window.reach() && looked_at < REACH {
        let rows = api.store.blocks(BlockQuery { before, limit: BATCH, ..BlockQuery::default() }).await?;
        before = rows.last().map(|row| row.number);
        looked_at += BATCH as u64;
        found.extend(rows.iter().filter(|row| wanted(row)).map(|row| block(row, &id, api.currency.decimals)));
        if rows.len() < BATCH {
            break;
        }
    }
    Ok(window.cut(found).answer(&request))
}

/// Payouts that were sent, newest first, until `enough` items were made of them.
async fn sent<T>(
    api: &Api,
    account: Option<&Account>,
    enough: usize,
    mut make: impl FnMut(&PayoutRow, &mut Vec<T>),
) -> Result<Vec<T>, ApiError> {
    let (mut found, mut before, mut looked_at) = (Vec::new(), None, 0);
    while found.len() < enough && looked_at < REACH {
        let query = PayoutQuery { before, state: None, account: account.cloned(), limit: BATCH };
        let rows = api.payouts.payouts(query).await?;
        before = rows.last().map(|row| row.id.0);
        looked_at += BATCH as u64;
        for row in rows.iter().filter(|row| row.transaction.is_some() && row.state != PayoutState::Returned) {
            make(row, &mut found);
        }
        if rows.len() < BATCH {
            break;
        }
    }
    Ok(found)
}

fn payment(row: &PayoutRow, account: &Account, amount: Amount, currency: Currency) -> Payment {
    Payment {
        coin: currency.symbol.to_owned(),
        address: account.to_string(),
        amount: coins(amount, currency.decimals),
        transaction_confirmation_data: row
            .transaction
            .as_ref()
            .map(|signed| signed.txid.clone())
            .unwrap_or_default(),
        created: rfc3339(row.created_at),
    }
}

/// `GET /api/pools/{pool}/payments`, and in v2: newest first.
pub(super) async fn payments(
    api: web::Data<Api>,
    path: web::Path<String>,
    query: web::Query<PageQuery>,
    request: actix_web::HttpRequest,
) -> Result<HttpResponse, ApiError> {
    own(&api, &path)?;
    let window = Window::of(query.page, query.page_size)?;
    let currency = api.currency;
    let found = sent(&api, None, window.reach(), |row, found| {
        found.extend(row.items.iter().map(|(account, amount)| payment(row, account, *amount, currency)));
    });
    Ok(window.cut(found.await?).answer(&request))
}

/// The pool and the account of a path.
fn of_path(api: &Api, path: &(String, String)) -> Result<(String, Account), ApiError> {
    Ok((own(api, &path.0)?, account_named(&path.1, "address")?))
}

/// What an account got of a payout.
fn part(row: &PayoutRow, account: &Account) -> Option<Amount> {
    row.items.iter().find(|(paid, _)| paid == account).map(|(_, amount)| *amount)
}

/// How deep is deep enough is the chain's affair: it nears 1, and is 1 when the block is confirmed.
fn progress(confirmations: u64) -> f64 {
    1.0 - 1.0 / (1.0 + confirmations as f64 / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_in_coins_are_the_nearest_floats() {
        for (amount, decimals, coin) in [(0, 8, 0.0), (1, 8, 1e-8), (-150_000_000, 8, -1.5), (7, 0, 7.0)] {
            assert_eq!(coins(Amount(amount), decimals), coin);
        }
        // Beyond 2^53 of the smallest unit the last digits are lost.
        assert_eq!(coins(Amount(9_007_199_254_740_993), 8), 90_071_992.547_409_93);
    }
}
