//! Shapes on the wire: what `contracts` promises to scripts and the dashboard reads.

use std::collections::BTreeMap;

use pool_domain::{
    maturity::{BlockStatus, Color},
    units::{Amount, TimeMs, Work},
};
use serde_json::{Value, json};

use super::{
    Api, degraded,
    wire::{number, per_second, rfc3339, time_or_null},
};
use crate::{
    messages::{
        block::BlockView,
        event::MinerSeen,
        job::NodeState,
        ledger::LedgerSummary,
        live::{HistoryPoint, MinerStats, PoolSnapshot, WorkerDifficulties, WorkerStats},
        stats::ShareCounts,
        trouble::Trouble,
    },
    ports::store::{AccountRow, BlockRow, BlockStep, HOUR_MS, ShareHour, Totals},
};

/// What stale figures mean. Which database and why is for the log.
pub(super) const STALE: &str = "the database does not answer: blocks and ledger are the last figures that it gave, at ledger.at; shares are accepted and kept in the journal meanwhile";

/// `/api/stats`, and `stats` of the live feed.
pub(super) fn stats(api: &Api, pool: &PoolSnapshot) -> Value {
    let node = api.node.load();
    let ledger = api.ledger.load();
    let job = node.job.as_ref();
    let block_work = job.map(|job| job.network_work);
    let block_rate = api.events.network_blocks_per_1000_s(api.clock.now());
    let network_hashrate =
        block_rate.zip(block_work).map(|(rate, work)| work.0.saturating_mul(u128::from(rate)) / 1_000);
    json!({
        "pool": {
            "name": api.pool_name,
            "hashrate": number(pool.hashrate),
            "miners": pool.miners_connected,
            "workers": pool.workers_connected,
            "connections": pool.connections,
            "shares": shares(&pool.shares),
            "shares_per_second": per_second(pool.shares_per_1000_s),
            "effort_basis_points": api.effort.now(pool.work, &ledger, block_work),
            "luck": api.effort.luck(pool.work, &ledger, block_work).map(|luck| json!({
                "found": luck.found,
                "expected_millionths": luck.expected_millionths,
                "basis_points": luck.basis_points(),
            })),
            "currency": api.currency,
        },
        "network": {
            "algorithm": job.map(|job| job.algorithm.as_str()).or(pool.algorithm.as_ref().map(AsRef::as_ref)),
            "difficulty": job.map(|job| &job.network_difficulty),
            "hashrate": network_hashrate.map(number),
            "block_rate": block_rate.map(per_second),
            "ready": node.ready,
            "reason": reason(&node),
        },
        "blocks": blocks_by_stage(&ledger.totals),
        "ledger": money(&ledger),
        "stale": ledger.store_error.is_some(),
        "stale_reason": ledger.store_error.as_ref().map(|_| STALE),
        "degraded": degraded::list(api),
        "at": rfc3339(pool.at),
    })
}

fn reason(node: &NodeState) -> Option<&str> {
    (!node.ready).then_some(node.reason.as_str()).filter(|reason| !reason.is_empty())
}

pub(super) fn shares(counts: &ShareCounts) -> Value {
    json!(counts)
}

/// How many blocks ever reached each stage, so that each is at most the one before; `rejected` and `void` are losses.
fn blocks_by_stage(totals: &Totals) -> Value {
    let count = |wanted: &dyn Fn(BlockStatus, Color) -> bool| -> u64 {
        totals.blocks.iter().filter(|(status, color, _)| wanted(*status, *color)).map(|(_, _, n)| n).sum()
    };
    use BlockStatus::{Accepted, Candidate, Matured, Paid, Rejected, Void};
    json!({
        "candidate": count(&|_, _| true),
        "submitted": count(&|status, _| status != Candidate),
        "accepted": count(&|status, _| matches!(status, Accepted | Matured | Paid | Void)),
        "rejected": count(&|status, _| status == Rejected),
        "matured": count(&|status, _| matches!(status, Matured | Paid)),
        "paid": count(&|status, _| status == Paid),
        "void": count(&|status, _| status == Void),
        "blue": count(&|_, color| color == Color::Blue),
        "red": count(&|_, color| color == Color::Red),
    })
}

/// What miners are owed and were paid, and the sum of all entries, which is zero.
fn money(ledger: &LedgerSummary) -> Value {
    let totals = &ledger.totals;
    // What is on its way is still owed.
    let confirmed = Amount(totals.of("miner_confirmed").0.saturating_add(totals.of("miner_reserved").0));
    json!({
        "pending": totals.of("miner_pending"),
        "confirmed": confirmed,
        "reserved": totals.of("miner_reserved"),
        "paid": totals.of("payouts_sent"),
        "network_fees": totals.of("network_fees"),
        "fee_pending": totals.of("fee_pending"),
        "fee_confirmed": totals.of("fee_confirmed"),
        "imbalance": totals.imbalance(),
        "findings": ledger.findings,
        "lag": ledger.lag(),
        "at": time_or_null(ledger.at),
    })
}

/// An account in lists and on the live feed.
pub(super) fn miner(live: &MinerStats) -> Value {
    let fastest = live.workers.iter().max_by_key(|worker| worker.hashrate);
    json!({
        "account": live.account,
        "workers": live.workers.iter().filter(|worker| worker.sessions > 0).count(),
        "hashrate": number(live.hashrate),
        "shares": shares(&live.shares),
        "connected_since": live.connected_since.map(rfc3339),
        "difficulty": fastest.map(|worker| worker.difficulty),
        "last_share_at": time_or_null(live.last_share_at),
    })
}

/// An hour of an account's history; the one that is under way by the part that has passed.
pub(super) fn share_hour(hour: &ShareHour, now: TimeMs) -> Value {
    let seconds = (now.0.saturating_sub(hour.at.0)).clamp(1_000, HOUR_MS) / 1_000;
    json!({
        "at": rfc3339(hour.at),
        "algorithm": hour.algorithm,
        "hashrate": number(hour.work.0 / u128::from(seconds)),
        "accepted": hour.accepted,
        "work": hour.work,
    })
}

/// An account of the ledger in `/api/miners`, with what is known of it live.
pub(super) fn account_line(row: &AccountRow, live: Option<&MinerStats>) -> Value {
    let mut line = match live {
        Some(live) => miner(live),
        None => json!({
            "account": row.account, "workers": 0, "hashrate": 0, "connected_since": null, "difficulty": null,
        }),
    };
    line["shares"] = credited_shares(row, live);
    line["last_share_at"] =
        time_or_null(last_share(row).max(live.map_or(TimeMs(0), |live| live.last_share_at)));
    line["work"] = json!(work(row));
    line["balance"] = json!(row.balance);
    line
}

/// `/api/miners/{account}`. What is credited comes from the ledger, what was refused from the live figures.
pub(super) fn account(row: &AccountRow, live: Option<&MinerStats>) -> Value {
    let mut workers: BTreeMap<&str, (u64, Work, TimeMs, Option<&WorkerStats>)> = BTreeMap::new();
    for credited in &row.workers {
        let line = workers.entry(credited.worker.as_str()).or_default();
        line.0 = line.0.saturating_add(credited.accepted);
        line.1 = line.1.saturating_add(credited.work);
        line.2 = line.2.max(credited.last_share_at);
    }
    for worker in live.iter().flat_map(|live| &live.workers) {
        workers.entry(worker.identity.worker.as_str()).or_default().3 = Some(worker);
    }
    let workers: Vec<Value> = workers
        .into_iter()
        .map(|(name, (accepted, work, credited_at, live))| {
            let mut counts = live.map_or_else(ShareCounts::default, |live| live.shares);
            counts.accepted = accepted;
            json!({
                "name": name,
                "hashrate": live.map_or(json!(0), |live| number(live.hashrate)),
                "difficulty": live.map(|live| live.difficulty),
                "connected_since": live.and_then(|live| live.connected_since).map(rfc3339),
                "last_share_at": time_or_null(credited_at.max(live.map_or(TimeMs(0), |live| live.last_share_at))),
                "shares": shares(&counts),
                "work": work,
            })
        })
        .collect();
    json!({
        "account": row.account,
        "hashrate": live.map_or(json!(0), |live| number(live.hashrate)),
        "workers": workers,
        "shares": credited_shares(row, live),
        "work": work(row),
        "balance": row.balance,
    })
}

/// Which difficulties each worker had lately, into what [`account`] made.
pub(super) fn add_difficulties(account: &mut Value, known: &[WorkerDifficulties]) {
    let Some(workers) = account["workers"].as_array_mut() else { return };
    for worker in workers {
        let of = known.iter().find(|known| worker["name"] == *known.identity.worker.as_str());
        let changes = of.map_or(&[][..], |known| &known.changes);
        let changes = changes.iter().map(|(at, to)| json!({ "at": rfc3339(*at), "difficulty": to }));
        worker["difficulties"] = changes.collect();
    }
}

fn credited_shares(row: &AccountRow, live: Option<&MinerStats>) -> Value {
    let mut counts = live.map_or_else(ShareCounts::default, |live| live.shares);
    counts.accepted = row.workers.iter().map(|worker| worker.accepted).fold(0, u64::saturating_add);
    shares(&counts)
}

fn work(row: &AccountRow) -> Work {
    row.workers.iter().map(|worker| worker.work).sum()
}

fn last_share(row: &AccountRow) -> TimeMs {
    row.workers.iter().map(|worker| worker.last_share_at).max().unwrap_or_default()
}

/// A block as the feed tells it.
pub(super) fn block(view: &BlockView) -> Value {
    json!({
        "hash": view.hash,
        "height": view.height,
        "parents": view.parents,
        "status": view.status,
        "color": view.color,
        "confirmations": view.confirmations,
        "reward": view.reward,
        "account": view.account,
        "worker": view.worker,
        "found_at": time_or_null(view.found_at),
        "algorithm": view.algorithm,
        "ours": view.ours,
    })
}

/// `/api/blocks/{hash}`: the block, what it was measured by, and its life so far.
pub(super) fn block_details(row: &BlockRow, steps: &[BlockStep]) -> Value {
    let mut details = block(&BlockView::from(row));
    details["network_work"] = json!(row.network_work);
    details["merging_block"] = json!(row.merging_block);
    details["reason"] = json!(row.reason);
    details["steps"] = steps
        .iter()
        .map(|step| {
            json!({ "at": rfc3339(step.at), "status": step.status, "color": step.color, "reason": step.reason })
        })
        .collect();
    details
}

/// The job in force, or `null`.
pub(super) fn job(node: &NodeState, now: TimeMs) -> Value {
    node.job.as_ref().map_or(Value::Null, |job| {
        json!({
            "id": job.id,
            "algorithm": job.algorithm,
            "height": job.height,
            "parents": job.parents,
            "age_ms": now.since(job.template_at),
            "network_difficulty": job.network_difficulty,
            "network_work": job.network_work,
            "template_time": time_or_null(job.template_at),
        })
    })
}

/// The node's health.
pub(super) fn node(node: &NodeState) -> Value {
    json!({
        "name": node.name,
        "ready": node.ready,
        "reason": reason(node),
        "network": node.network,
        "endpoint_count": node.endpoints,
        "last_template_at": time_or_null(node.last_template_at),
        "latency_ms": node.latency_ms,
    })
}

/// A second of the past.
pub(super) fn point(point: &HistoryPoint) -> Value {
    json!({
        "at": rfc3339(point.at),
        "hashrate": number(point.hashrate),
        "shares_per_second": per_second(point.shares_per_1000_s),
    })
}

/// A session's miner; its address is for operators only.
pub(super) fn peer(seen: &MinerSeen, with_address: bool) -> Value {
    json!({
        "session": seen.session,
        "account": seen.account,
        "worker": seen.worker,
        "peer": with_address.then_some(&seen.peer),
        "agent": seen.agent,
    })
}

/// An alert. What exactly happened, and to whom, is for operators.
pub(super) fn alert(trouble: &Trouble, operator: bool) -> Value {
    let entry = trouble.code.entry();
    let mut body = json!({
        "code": entry.name,
        "severity": entry.severity,
        "message": if operator { &trouble.message } else { entry.meaning },
        "documentation_link": format!("/docs/errors/{}", entry.name),
    });
    if operator {
        body["id"] = json!(trouble.id);
        body["context"] = trouble.context.clone();
    }
    body
}
