//! `/api/admin/ledger/adjustments`: corrections of balances by an operator.

use actix_web::{HttpResponse, web};
use pool_domain::units::Amount;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Api,
    access::changed,
    errors::{ApiError, ErrorCode},
    pool::{account_named, before, page, page_size},
    shapes::text,
    wire::{Object, rfc3339},
};
use crate::ports::books::{Adjusted, Adjustment, AdjustmentRow};

/// Longest reference, author or reason, characters.
const TEXT_CHARS_MAX: usize = 200;

/// What an operator decides.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AdjustmentRequest")]
pub(super) struct Decision {
    /// The operator's own name for it: the same one is made once.
    #[schemars(length(min = 1, max = 200))]
    reference: String,
    #[schemars(with = "text::AccountName")]
    account: String,
    /// What is given, or taken (below zero); never zero.
    #[schemars(with = "text::Amount")]
    amount: Amount,
    #[schemars(length(min = 1, max = 200))]
    author: String,
    #[schemars(length(min = 1, max = 200))]
    reason: String,
    /// It may leave the balance below zero.
    #[serde(default)]
    below_zero: bool,
}

/// `?cursor=&limit=`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AdjustmentsQuery {
    cursor: Option<u64>,
    #[schemars(range(min = 1, max = 500))]
    limit: Option<usize>,
}

fn line(row: &AdjustmentRow) -> Value {
    let mut line = json!(row.adjustment);
    line["id"] = json!(row.id);
    line["at"] = json!(rfc3339(row.at));
    line
}

fn text(name: &str, value: &str) -> Result<String, ApiError> {
    let chars = value.chars().count();
    if value.trim().is_empty() || chars > TEXT_CHARS_MAX || value.chars().any(char::is_control) {
        let wanted = format!("{name} must be 1 to {TEXT_CHARS_MAX} printable characters, it has {chars}");
        return Err(ApiError::bad_request(wanted).with(json!({ "parameter": name })));
    }
    Ok(value.to_owned())
}

/// Makes a correction: 201, or 200 when the very same was made before.
pub(super) async fn make(
    api: web::Data<Api>,
    body: web::Json<Object<Decision>>,
) -> Result<HttpResponse, ApiError> {
    let Object(Decision { reference, account, amount, author, reason, below_zero }) = body.into_inner();
    if amount.is_zero() || amount.checked_neg().is_none() {
        return Err(ApiError::bad_request("amount must be given or taken, it is zero or out of range")
            .with(json!({ "parameter": "amount" })));
    }
    let adjustment = Adjustment {
        reference: text("reference", &reference)?,
        account: account_named(&account, "account")?,
        amount,
        author: text("author", &author)?,
        reason: text("reason", &reason)?,
        below_zero,
    };
    let account = adjustment.account.clone();
    match api.books.adjust(api.clock.now(), adjustment).await? {
        Adjusted::Made(row) => {
            tracing::info!(
                id = row.id, account = %account, amount = %row.adjustment.amount, author = row.adjustment.author,
                reason = row.adjustment.reason, reference = row.adjustment.reference, "a balance was corrected"
            );
            Ok(changed(HttpResponse::Created().json(line(&row)), Value::Null, line(&row)))
        }
        Adjusted::Before(row) => Ok(HttpResponse::Ok().json(line(&row))),
        Adjusted::OtherContent(row) => Err(ApiError::new(
            ErrorCode::AdjustmentConflict,
            format!("reference {reference} is that of correction {}", row.id),
        )
        .with(json!({ "made": line(&row) }))),
        Adjusted::UnknownAccount => {
            Err(ApiError::new(ErrorCode::NotFound, format!("the ledger knows no account {account}"))
                .with(json!({ "account": account })))
        }
        Adjusted::Overdrawn { confirmed } => Err(ApiError::new(
            ErrorCode::AdjustmentOverdrawn,
            format!("{account} has {confirmed} confirmed; {amount} would leave it below zero"),
        )
        .with(json!({ "account": account, "confirmed": confirmed }))),
    }
}

/// What was corrected so far, newest first.
pub(super) async fn list(
    api: web::Data<Api>,
    query: web::Query<AdjustmentsQuery>,
) -> Result<HttpResponse, ApiError> {
    let limit = page_size(query.limit)?;
    let rows = api.books.adjustments(before(query.cursor), limit + 1).await?;
    Ok(HttpResponse::Ok().json(page(rows, limit, |row| json!(row.id.to_string()), line)))
}
