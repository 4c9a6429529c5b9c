//! Payouts: what a miner may see of its own, and what operators see and decide.

use actix_web::{HttpResponse, web};
use pool_domain::{
    ids::{Account, PayoutId},
    payout::PayoutState,
    payout_plan::Spent,
    units::{Amount, TimeMs},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Api,
    access::changed,
    errors::{ApiError, ErrorCode},
    pool::{account_named, before, page, page_size},
    shapes::text,
    sign_in::Who,
    wire::{Object, rfc3339, time_or_null},
};
use crate::{
    messages::{
        payout::{Outlook, RunPayouts},
        trouble,
    },
    ports::{
        payouts::{AccountTerms, PayoutQuery, PayoutRow, Scope},
        store::HOUR_MS,
    },
};

/// Longest reason.
const REASON_CHARS_MAX: usize = 200;

/// `?cursor=&limit=&state=&account=`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PayoutsQuery {
    cursor: Option<u64>,
    #[schemars(range(min = 1, max = 500))]
    limit: Option<usize>,
    #[schemars(with = "Option<text::PayoutState>")]
    state: Option<PayoutState>,
    #[schemars(with = "Option<text::AccountName>")]
    account: Option<String>,
}

/// `?cursor=&limit=`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    cursor: Option<u64>,
    #[schemars(range(min = 1, max = 500))]
    limit: Option<usize>,
}

fn terms_view(terms: &AccountTerms) -> Value {
    json!({ "threshold": terms.threshold, "held": terms.hold, "set_aside": terms.set_aside })
}

/// `/api/miners/{account}/payouts`: public, like the miner's balance.
pub(super) async fn of_miner(
    api: web::Data<Api>,
    path: web::Path<String>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse, ApiError> {
    let account = account_named(&path, "account")?;
    let limit = page_size(query.limit)?;
    let rows = api
        .payouts
        .payouts(PayoutQuery {
            before: before(query.cursor),
            state: None,
            account: Some(account.clone()),
            limit: limit + 1,
        })
        .await?;
    let terms = api.payouts.terms(account.clone()).await?;
    let line = |row: &PayoutRow| miner_line(row, &account);
    let mut body = page(rows, limit, |row| json!(row.id.0.to_string()), line);
    body["terms"] = terms_view(&terms);
    Ok(HttpResponse::Ok().json(body))
}

fn miner_line(row: &PayoutRow, account: &Account) -> Value {
    let own = row.items.iter().find(|(paid, _)| paid == account);
    let settled = row.state == PayoutState::Settled;
    json!({
        "id": row.id.0.to_string(),
        "amount": own.map_or(Amount::ZERO, |(_, amount)| *amount),
        "state": row.state,
        "txid": txid(row),
        "created_at": rfc3339(row.created_at),
        "confirmed_at": row.ended_at.filter(|_| settled).map(rfc3339),
        "reason": row.reason.as_ref().or(row.hold.as_ref()),
    })
}

fn txid(row: &PayoutRow) -> Option<&str> {
    row.transaction.as_ref().map(|transaction| transaction.txid.as_str())
}

/// A payout for operators: with everybody whom it pays.
fn operator_line(row: &PayoutRow) -> Value {
    let settled = row.state == PayoutState::Settled;
    let recipients: Vec<_> =
        row.items.iter().map(|(account, amount)| json!({ "account": account, "amount": amount })).collect();
    json!({
        "id": row.id.0.to_string(),
        "state": row.state,
        "amount": row.total(),
        "recipients": recipients,
        "txid": txid(row),
        "fee": row.transaction.as_ref().map(|transaction| transaction.fee),
        "held": row.hold,
        "recipient_held": row.recipient_held,
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
        "confirmed_at": row.ended_at.filter(|_| settled).map(rfc3339),
        "reason": row.reason,
    })
}

/// `/api/payouts`, newest first.
pub(super) async fn list(
    api: web::Data<Api>,
    query: web::Query<PayoutsQuery>,
) -> Result<HttpResponse, ApiError> {
    let query = query.into_inner();
    let limit = page_size(query.limit)?;
    let account = query.account.as_deref().map(|text| account_named(text, "account")).transpose()?;
    let wanted = PayoutQuery { before: before(query.cursor), state: query.state, account, limit: limit + 1 };
    let rows = api.payouts.payouts(wanted).await?;
    Ok(HttpResponse::Ok().json(page(rows, limit, |row| json!(row.id.0.to_string()), operator_line)))
}

/// `/api/payouts/{id}`, with its steps.
pub(super) async fn one(api: web::Data<Api>, path: web::Path<u64>) -> Result<HttpResponse, ApiError> {
    let id = PayoutId(path.into_inner().min(i64::MAX.cast_unsigned()));
    let found = api.payouts.payout(id).await?;
    let (row, steps) =
        found.ok_or_else(|| ApiError::new(ErrorCode::NotFound, format!("there is no payout {id}")))?;
    let mut body = operator_line(&row);
    body["bytes"] = json!(row.transaction.as_ref().map(|transaction| hex::encode(&transaction.bytes)));
    body["spends"] = json!(row.transaction.as_ref().map(|transaction| &transaction.spends));
    body["steps"] = steps
        .iter()
        .map(|step| json!({ "at": rfc3339(step.at), "state": step.state, "detail": step.detail }))
        .collect();
    Ok(HttpResponse::Ok().json(body))
}

/// `/api/admin/payouts`: how the dispatcher fares, and what was decided.
pub(super) async fn status(api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    let held = api.payouts.held().await?;
    let terms = api.payouts.all_terms().await?;
    let now = api.clock.now();
    // As the wall clock has it; the limits themselves go by one that does not step.
    let since = |hours: u64| TimeMs(now.0.saturating_sub(hours * HOUR_MS));
    let reserved = api.payouts.reserved(since(24), None).await?;
    let sum = |from: TimeMs| {
        let of_it = reserved.iter().filter(|one| one.created_at >= from).map(|one| one.amount);
        Amount::checked_sum(of_it).unwrap_or(Amount(i128::MAX))
    };
    let spent = Spent { hour: sum(since(1)), day: sum(since(24)) };
    let status = api.payout_status.get();
    let terms: Vec<_> = terms
        .iter()
        .map(|(account, terms)| {
            let mut line = terms_view(terms);
            line["account"] = json!(account);
            line
        })
        .collect();
    let waiting = status.waiting.iter().map(|(account, amount, reason)| waiting(account, *amount, reason));
    let code = ErrorCode::PayoutsUnavailable;
    let stuck = &status.stuck;
    let actions = if stuck.is_any() { trouble::actions(code, &Value::Null) } else { Vec::new() };
    let number = |id: PayoutId| id.0.to_string();
    let troubles =
        status.troubles.iter().map(|one| json!({ "payout": one.payout.map(number), "what": one.what }));
    Ok(HttpResponse::Ok().json(json!({
        "enabled": api.payout_doors.is_some(),
        "dispatching": status.dispatching,
        "held": held,
        "standing_by": status.standing_by,
        "trouble": status.trouble(),
        "troubles": troubles.collect::<Vec<_>>(),
        "stuck": {
            "round": stuck.round,
            "plan": stuck.plan,
            "payouts": stuck.payouts.iter().copied().map(number).collect::<Vec<_>>(),
        },
        "suggested_actions": actions,
        "open": status.open,
        "looked_at": time_or_null(status.looked_at),
        "planned_at": time_or_null(status.planned_at),
        "waiting": waiting.collect::<Vec<_>>(),
        "terms": terms,
        "rules": api.payout_doors.as_ref().map(|doors| *doors.rules.get()),
        "spent": spent,
    })))
}

fn waiting(account: &Account, amount: Amount, reason: &str) -> Value {
    json!({ "account": account, "amount": amount, "reason": reason })
}

/// `/api/admin/payouts/audit`: what operators did, newest first.
pub(super) async fn audit(
    api: web::Data<Api>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse, ApiError> {
    let limit = page_size(query.limit)?;
    let lines = api.payouts.payout_audit(before(query.cursor), limit + 1).await?;
    let body = page(
        lines,
        limit,
        |line| json!(line.id.to_string()),
        |line| {
            json!({
                "at": rfc3339(line.at), "actor": line.actor, "action": line.action, "subject": line.subject,
                "detail": line.detail,
            })
        },
    );
    Ok(HttpResponse::Ok().json(body))
}

fn doors(api: &Api) -> Result<&crate::messages::payout::PayoutDoors, ApiError> {
    let off = || ApiError::new(ErrorCode::PayoutsOff, "nothing is paid out by this pool process");
    api.payout_doors.as_ref().ok_or_else(off)
}

/// `/api/admin/payouts/dry-run`: what would be paid now.
pub(super) async fn dry_run(api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    let look = doors(&api)?.look.clone();
    let Outlook { plan, refused, spent, held } =
        look().await.map_err(|why| ApiError::new(ErrorCode::PayoutsUnavailable, why))?;
    let payouts: Vec<Value> = plan
        .payouts
        .iter()
        .map(|batch| {
            let lines = batch.iter().map(|(account, amount)| json!({ "account": account, "amount": amount }));
            json!({ "recipients": lines.collect::<Vec<_>>() })
        })
        .collect();
    let skipped = plan.skipped.iter().map(|(account, amount, skip)| {
        let mut line = waiting(account, *amount, "");
        line["reason"] = json!(skip);
        line
    });
    let refused = refused.iter().map(|(account, amount, why)| waiting(account, *amount, why));
    Ok(HttpResponse::Ok().json(json!({
        "held": held,
        "amount": plan.total(),
        "payouts": payouts,
        "skipped": skipped.collect::<Vec<_>>(),
        "refused": refused.collect::<Vec<_>>(),
        "spent": { "hour": spent.hour, "day": spent.day },
    })))
}

/// `/api/admin/payouts/run`: plans and pays now.
pub(super) async fn run(api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    if !doors(&api)?.run.offer(RunPayouts) {
        return Err(ApiError::new(ErrorCode::PayoutsUnavailable, "the dispatcher is being restarted"));
    }
    let before = json!({ "planned_at": time_or_null(api.payout_status.get().planned_at) });
    let after = json!({ "status": "asked" });
    Ok(changed(HttpResponse::Accepted().json(&after), before, after))
}

/// What is held or released: `{"scope":"all"}`, `{"scope":"payout","id":"7"}`, `{"scope":"account","account":"..."}`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HoldRequest {
    #[schemars(extend("enum" = ["all", "payout", "account"]))]
    scope: String,
    /// Of scope `payout`.
    #[schemars(with = "Option<text::Number>")]
    id: Option<String>,
    /// Of scope `account`.
    #[schemars(with = "Option<text::AccountName>")]
    account: Option<String>,
    /// Needed to hold.
    #[schemars(length(min = 1, max = 200))]
    reason: Option<String>,
}

fn scope(request: &HoldRequest) -> Result<Scope, ApiError> {
    let wrong = |parameter: &str, what: &str| {
        ApiError::bad_request(format!("{parameter}: {what}")).with(json!({ "parameter": parameter }))
    };
    for (parameter, given, of) in
        [("id", request.id.is_some(), "payout"), ("account", request.account.is_some(), "account")]
    {
        if given && request.scope != of {
            return Err(wrong(parameter, &format!("belongs to scope {of}, not to {}", request.scope)));
        }
    }
    match request.scope.as_str() {
        "all" => Ok(Scope::All),
        "payout" => {
            let id = request.id.as_deref().and_then(|text| text.parse::<u64>().ok());
            let id = id.filter(|id| *id <= i64::MAX.cast_unsigned());
            id.map(|id| Scope::Payout(PayoutId(id)))
                .ok_or_else(|| wrong("id", "the payout's number is needed"))
        }
        "account" => {
            let text = request.account.as_deref().ok_or_else(|| wrong("account", "an address is needed"))?;
            Ok(Scope::Account(account_named(text, "account")?))
        }
        _ => Err(wrong("scope", "must be all, payout or account")),
    }
}

fn reason(text: Option<&str>) -> Result<&str, ApiError> {
    let text = text.map(str::trim).unwrap_or_default();
    let chars = text.chars().count();
    if chars == 0 || chars > REASON_CHARS_MAX || text.chars().any(char::is_control) {
        let wanted = format!("reason must be 1 to {REASON_CHARS_MAX} printable characters, it has {chars}");
        return Err(ApiError::bad_request(wanted).with(json!({ "parameter": "reason" })));
    }
    Ok(text)
}

/// Why something is held, if it is.
async fn held(api: &Api, scope: &Scope) -> Result<Value, ApiError> {
    Ok(json!({ "held": match scope {
        Scope::All => api.payouts.held().await?,
        Scope::Payout(id) => api.payouts.payout(*id).await?.and_then(|(row, _)| row.hold),
        Scope::Account(account) => api.payouts.terms(account.clone()).await?.hold,
    } }))
}

/// `/api/admin/payouts/hold`: nothing that was not sent yet is sent.
pub(super) async fn hold(
    api: web::Data<Api>,
    who: Who,
    body: web::Json<Object<HoldRequest>>,
) -> Result<HttpResponse, ApiError> {
    let Object(body) = body.into_inner();
    let why = reason(body.reason.as_deref())?.to_owned();
    let scope = scope(&body)?;
    let subject = scope.to_string();
    tracing::warn!(subject, why, "payouts held");
    let before = held(&api, &scope).await?;
    let after = json!({ "what": subject, "held": why });
    api.payouts.hold(api.clock.now(), scope, Some(why), who.actor.clone()).await?;
    Ok(changed(HttpResponse::Ok().json(json!({ "held": subject })), before, after))
}

/// `/api/admin/payouts/release`.
pub(super) async fn release(
    api: web::Data<Api>,
    who: Who,
    body: web::Json<Object<HoldRequest>>,
) -> Result<HttpResponse, ApiError> {
    let Object(body) = body.into_inner();
    if body.reason.is_some() {
        reason(body.reason.as_deref())?;
    }
    let scope = scope(&body)?;
    let subject = scope.to_string();
    tracing::info!(subject, "payouts released");
    let before = held(&api, &scope).await?;
    api.payouts.hold(api.clock.now(), scope, None, who.actor.clone()).await?;
    let after = json!({ "what": subject, "held": null });
    Ok(changed(HttpResponse::Ok().json(json!({ "released": subject })), before, after))
}

/// An account's own threshold in the smallest unit, a decimal string; `null` = the pool's.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ThresholdRequest {
    #[schemars(with = "text::AccountName")]
    account: String,
    #[schemars(with = "Option<text::Amount>")]
    threshold: Option<Amount>,
}

/// `/api/admin/payouts/threshold`.
pub(super) async fn threshold(
    api: web::Data<Api>,
    who: Who,
    body: web::Json<Object<ThresholdRequest>>,
) -> Result<HttpResponse, ApiError> {
    let Object(body) = body.into_inner();
    let account = account_named(&body.account, "account")?;
    if body.threshold.is_some_and(|threshold| threshold.0 <= 0) {
        let wanted = "threshold must be above 0, or null for the pool's";
        return Err(ApiError::bad_request(wanted).with(json!({ "parameter": "threshold" })));
    }
    let before = json!({ "threshold": api.payouts.terms(account.clone()).await?.threshold });
    api.payouts.set_threshold(api.clock.now(), account.clone(), body.threshold, who.actor.clone()).await?;
    let after = json!({ "account": account, "threshold": body.threshold });
    Ok(changed(HttpResponse::Ok().json(&after), before, after.clone()))
}
