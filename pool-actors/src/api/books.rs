//! `/api/blocks/{hash}/statement`, `/api/blocks/{hash}/proof`, `/api/miners/{account}/earnings`: what a block paid to whom, and
//! how anybody can check it. The shapes are also what `dagpool ledger` prints, so they are made here for both.

use std::{collections::VecDeque, fmt::Write as _};

use actix_web::{HttpResponse, http::header, web};
use bytes::Bytes;
use futures_util::stream;
use pool_domain::{
    accounting::Income,
    ids::{Account, BlockHash},
    pplns::window_work,
    proof,
    statement::{PROOF_FORMAT, ProofDocument, statement},
    units::Amount,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Api,
    errors::{ApiError, ErrorCode},
    pool::{account_named, before, hash_named, page, page_size},
    shapes::text,
    wire::rfc3339,
};
use crate::ports::{
    books::{CreditQuery, CreditRow, SharedBooks},
    store::{BlockRow, Split, StoreError},
};

/// Lines of an export that are read at a time.
const EXPORT_PAGE: usize = 500;

/// `?cursor=&limit=`: lines of the statement.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StatementQuery {
    cursor: Option<usize>,
    #[schemars(range(min = 1, max = 500))]
    limit: Option<usize>,
}

/// `?account=`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProofQuery {
    #[schemars(with = "text::AccountName")]
    account: String,
}

/// `?cursor=&limit=`, or `?format=`: everything as a file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EarningsQuery {
    cursor: Option<u64>,
    #[schemars(range(min = 1, max = 500))]
    limit: Option<usize>,
    format: Option<ExportFormat>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ExportFormat {
    Csv,
    Json,
}

/// The block and its split; the block must be one of ours, and its winning share must have been read.
async fn found(api: &Api, hash: BlockHash) -> Result<(BlockRow, Split), ApiError> {
    let (row, split) =
        api.books.statement(hash).await?.ok_or_else(|| {
            ApiError::new(ErrorCode::NotFound, format!("the pool did not find a block {hash}"))
        })?;
    let split = split.ok_or_else(|| {
        ApiError::new(
            ErrorCode::NotFound,
            format!("who shares in block {hash} is not settled: it was rejected, or its winning share is still to be read"),
        )
        .with(json!({ "block": hash, "status": row.life.stage() }))
    })?;
    Ok((row, split))
}

pub(super) async fn block_statement(
    api: web::Data<Api>,
    path: web::Path<String>,
    query: web::Query<StatementQuery>,
) -> Result<HttpResponse, ApiError> {
    let limit = page_size(query.limit)?;
    let (row, split) = found(&api, hash_named(&path)?).await?;
    let shown = statement_json(&row, &split, query.cursor.unwrap_or(0), limit).map_err(broken)?;
    Ok(HttpResponse::Ok().json(shown))
}

pub(super) async fn block_proof(
    api: web::Data<Api>,
    path: web::Path<String>,
    query: web::Query<ProofQuery>,
) -> Result<HttpResponse, ApiError> {
    let account = account_named(&query.account, "account")?;
    let (row, split) = found(&api, hash_named(&path)?).await?;
    let document = proof_document(&row, &split, &account).map_err(broken)?.ok_or_else(|| {
        ApiError::new(
            ErrorCode::NotFound,
            format!("{account} has no work in the window of block {}", row.hash),
        )
        .with(json!({ "block": row.hash, "account": account }))
    })?;
    Ok(HttpResponse::Ok().json(document))
}

fn broken(what: String) -> ApiError {
    ApiError::new(ErrorCode::Internal, what)
}

/// A block's statement, `limit` lines from line `first` on.
///
/// # Errors
/// When what is stored can't be divided: the database was tampered with.
pub fn statement_json(row: &BlockRow, split: &Split, first: usize, limit: usize) -> Result<Value, String> {
    let (reward, income) = (row.life.reward(), row.income.reward());
    let made = statement(&split.weights, split.fee, reward, income)
        .map_err(|error| format!("the split of block {}: {error}", row.hash))?;
    let lines = made.lines.iter().skip(first).take(limit).map(|line| {
        let parts = [line.reward, line.red_merge_income];
        let amount = Amount::checked_sum(parts.into_iter().flatten());
        json!({
            "index": line.index, "account": line.account, "work": line.work, "reward": line.reward,
            "red_merge_income": line.red_merge_income,
            "amount": amount.filter(|_| parts.iter().any(Option::is_some)),
        })
    });
    let lines: Vec<Value> = lines.collect();
    let next = first.saturating_add(lines.len());
    Ok(json!({
        "block": row.hash, "height": row.height, "algorithm": row.algorithm, "account": row.account,
        "worker": row.worker, "found_at": rfc3339(row.found_at), "status": row.life.stage(),
        "color": row.life.color(), "confirmations": row.confirmations,
        "scheme": split.scheme, "factor_basis_points": split.factor, "fee_basis_points": split.fee,
        "network_work": row.network_work,
        "window_work": split.factor.map(|factor| window_work(factor, row.network_work)),
        "shares": { "first": split.first_seq, "first_counted": split.first_counted, "last": split.last_seq },
        "total_work": made.total_work, "reward": reward, "red_merge_income": income,
        "fee": { "reward": made.reward_fee, "red_merge_income": made.red_merge_fee },
        "root": BlockHash(split.root), "accounts": split.weights.len(),
        "items": lines, "next": (next < split.weights.len()).then(|| next.to_string()),
    }))
}

/// An account's line of a block, with everything that is needed to check it; `None` if it has none.
///
/// # Errors
/// As [`statement_json`].
pub fn proof_document(
    row: &BlockRow,
    split: &Split,
    account: &Account,
) -> Result<Option<ProofDocument>, String> {
    let (reward, income) = (row.life.reward(), row.income.reward());
    let made = statement(&split.weights, split.fee, reward, income)
        .map_err(|error| format!("the split of block {}: {error}", row.hash))?;
    let Some(way) = proof::prove(&split.weights, account) else { return Ok(None) };
    let Some(line) = made.lines.get(way.index as usize) else { return Ok(None) };
    Ok(Some(ProofDocument {
        format: PROOF_FORMAT.into(),
        block: row.hash,
        algorithm: row.algorithm.clone(),
        scheme: split.scheme.clone(),
        root: BlockHash(split.root),
        account: account.clone(),
        work: line.work,
        proof: way,
        total_work: made.total_work,
        fee_basis_points: split.fee,
        reward,
        red_merge_income: income,
        reward_part: line.reward,
        red_merge_part: line.red_merge_income,
    }))
}

/// One credit of an account.
#[must_use]
pub fn credit_json(row: &CreditRow) -> Value {
    json!({
        "id": row.id.to_string(), "block": row.block, "height": row.height, "status": row.status,
        "color": row.color, "income": income_name(row.income), "revision": row.revision,
        "amount": row.amount, "state": row.state, "credited_at": rfc3339(row.at),
        "ended_at": row.ended_at.map(rfc3339),
    })
}

/// The columns of [`credit_csv`].
pub const CREDIT_COLUMNS: &str =
    "id,credited_at,block,height,income,revision,amount,state,ended_at,block_status,block_color\n";

/// One credit as a line of CSV (RFC 4180); nothing in it can hold a comma or a quote.
#[must_use]
pub fn credit_csv(row: &CreditRow) -> String {
    let height = row.height.map(|height| height.to_string()).unwrap_or_default();
    let ended = row.ended_at.map(rfc3339).unwrap_or_default();
    format!(
        "{},{},{},{height},{},{},{},{},{ended},{},{}\n",
        row.id,
        rfc3339(row.at),
        row.block,
        income_name(row.income),
        row.revision,
        row.amount,
        row.state.as_str(),
        row.status,
        row.color
    )
}

const fn income_name(income: Income) -> &'static str {
    match income {
        Income::Block => "block",
        Income::RedMerge => "red_merge",
    }
}

/// An account's credits, newest first: a page, or all of them as a file.
pub(super) async fn earnings(
    api: web::Data<Api>,
    path: web::Path<String>,
    query: web::Query<EarningsQuery>,
) -> Result<HttpResponse, ApiError> {
    let account = account_named(&path, "account")?;
    if let Some(format) = query.format {
        return Ok(export(&api, account, format));
    }
    let limit = page_size(query.limit)?;
    let wanted = CreditQuery { account, before: before(query.cursor), limit: limit + 1 };
    let rows = api.books.credits(wanted).await?;
    Ok(HttpResponse::Ok().json(page(rows, limit, |row| json!(row.id.to_string()), credit_json)))
}

/// Where an export stands.
struct Export {
    books: SharedBooks,
    account: Account,
    format: ExportFormat,
    before: Option<u64>,
    ready: VecDeque<String>,
    begun: bool,
    ended: bool,
}

/// Reads the export page by page while it is sent. Should the database go away meanwhile, the answer is cut off.
fn export(api: &Api, account: Account, format: ExportFormat) -> HttpResponse {
    let (kind, extension) = match format {
        ExportFormat::Csv => ("text/csv; charset=utf-8", "csv"),
        ExportFormat::Json => ("application/json", "json"),
    };
    let head = match format {
        ExportFormat::Csv => CREDIT_COLUMNS,
        ExportFormat::Json => "[",
    };
    let books = api.books.clone();
    let begin = Export {
        books,
        account,
        format,
        before: None,
        ready: VecDeque::from([head.to_owned()]),
        begun: false,
        ended: false,
    };
    let parts = stream::try_unfold(begin, |mut export| async move {
        if export.ready.is_empty() && !export.ended {
            export.read().await?;
        }
        Ok::<_, StoreError>(export.ready.pop_front().map(|part| (Bytes::from(part), export)))
    });
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, kind))
        .insert_header((
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"earnings.{extension}\""),
        ))
        .streaming(parts)
}

impl Export {
    async fn read(&mut self) -> Result<(), StoreError> {
        let wanted = CreditQuery { account: self.account.clone(), before: self.before, limit: EXPORT_PAGE };
        let rows = self.books.credits(wanted).await?;
        self.before = rows.last().map(|row| row.id);
        self.ended = rows.len() < EXPORT_PAGE;
        let mut part = String::new();
        for row in &rows {
            match self.format {
                ExportFormat::Csv => part.push_str(&credit_csv(row)),
                ExportFormat::Json => {
                    let comma = if std::mem::replace(&mut self.begun, true) { ",\n" } else { "\n" };
                    // Writing to a string does not fail.
                    let _ = write!(part, "{comma}{}", credit_json(row));
                }
            }
        }
        if self.ended && self.format == ExportFormat::Json {
            part.push_str("\n]\n");
        }
        if !part.is_empty() {
            self.ready.push_back(part);
        }
        Ok(())
    }
}
