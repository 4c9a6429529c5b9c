//! Errors of the API: their JSON and their documentation pages, both from the one catalogue.

use std::fmt::{self, Write as _};

use actix_web::{HttpResponse, ResponseError, http::StatusCode, http::header, web};
use serde_json::{Value, json};

pub(super) use pool_domain::catalogue::Code as ErrorCode;

use super::wire::rfc3339;
use crate::{
    auth::Refused,
    messages::trouble,
    ports::{clock::SharedClock, store::StoreError},
};

/// An error on its way to a client.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    pub(super) code: ErrorCode,
    /// The finer code that its advice comes from; mostly the same.
    pub(super) fine: ErrorCode,
    message: String,
    details: Value,
}

impl ApiError {
    pub(super) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, fine: code, message: code.word(&message.into()), details: json!({}) }
    }

    /// An error of a finer code, named by its family.
    pub(super) fn finer(fine: ErrorCode, message: impl Into<String>) -> Self {
        Self { code: fine.family(), ..Self::new(fine, message) }
    }

    /// An error whose message the catalogue words, from what is known.
    pub(super) fn of(code: ErrorCode, known: &[(&str, &str)]) -> Self {
        Self::new(code, code.message(known))
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::BadRequest, message)
    }

    pub(super) fn with(mut self, details: Value) -> Self {
        self.details = details;
        self
    }

    /// An error that the HTTP library answered by itself.
    pub(super) fn of_status(status: StatusCode, path: &str) -> Self {
        let code = match status {
            StatusCode::NOT_FOUND => ErrorCode::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => ErrorCode::MethodNotAllowed,
            StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::PayloadTooLarge,
            status if status.is_client_error() => ErrorCode::BadRequest,
            _ => ErrorCode::Internal,
        };
        Self::new(code, format!("{path}: {}", status.canonical_reason().unwrap_or("refused")))
    }

    /// The JSON that all errors have.
    pub(super) fn body(&self, id: &str, clock: &SharedClock) -> Value {
        let timestamp = rfc3339(clock.now());
        json!({ "error": trouble::body(id, self.code, self.fine, &self.message, &self.details, &timestamp) })
    }

    pub(super) fn details(&self) -> &Value {
        &self.details
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.code.entry().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The middleware in `access` writes the body, since it knows the request's id.
    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        match self.code {
            ErrorCode::Unauthorized
            | ErrorCode::SignInRefused
            | ErrorCode::SessionEnded
            | ErrorCode::MfaRefused => {
                response.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"pool\""));
            }
            ErrorCode::RateLimited | ErrorCode::SignInLocked => {
                let wait = self.details["retry_after_s"].as_u64().unwrap_or(1);
                response.insert_header((header::RETRY_AFTER, wait));
            }
            ErrorCode::FeedsExhausted | ErrorCode::StoreUnavailable => {
                response.insert_header((header::RETRY_AFTER, "5"));
            }
            _ => {}
        }
        let mut response = response.finish();
        response.extensions_mut().insert(self.clone());
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "a request could not be answered from the store");
        let code = match error {
            StoreError::Unavailable { .. } => ErrorCode::StoreUnavailable,
            StoreError::NotFound { what } => {
                return Self::new(ErrorCode::NotFound, format!("there is no {what}"));
            }
            StoreError::Ended { what } => {
                return Self::new(ErrorCode::PayoutEnded, format!("{what} has ended"));
            }
            _ => ErrorCode::Internal,
        };
        // The database's own words are for the log, not for strangers.
        Self::new(code, "the ledger's database could not answer")
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        let message = refused.to_string();
        match refused {
            Refused::Wrong => Self::new(ErrorCode::SignInRefused, message),
            Refused::Locked { wait_s } => {
                Self::new(ErrorCode::SignInLocked, message).with(json!({ "retry_after_s": wait_s }))
            }
            Refused::TooMuch { wait_s } => {
                Self::new(ErrorCode::RateLimited, message).with(json!({ "retry_after_s": wait_s }))
            }
            Refused::Busy => Self::new(ErrorCode::SignInLocked, message).with(json!({ "retry_after_s": 1 })),
            Refused::Ended => Self::new(ErrorCode::SessionEnded, message),
            Refused::MfaWrong => Self::new(ErrorCode::MfaRefused, message),
            Refused::Unfit(parameter, _) => {
                Self::bad_request(message).with(json!({ "parameter": parameter }))
            }
            Refused::Unconfirmed => Self::new(ErrorCode::EmailUnconfirmed, message),
            Refused::Link => Self::new(ErrorCode::LinkRefused, message),
            Refused::Taken => Self::new(ErrorCode::NameTaken, message),
            Refused::Closed => Self::new(ErrorCode::RegistrationClosed, message),
            Refused::NoSuch(_) => Self::new(ErrorCode::NotFound, message),
            Refused::Conflict(_) => Self::new(ErrorCode::Conflict, message),
            Refused::Cache(error) => {
                tracing::warn!(%error, "sessions can't be looked at");
                Self::new(ErrorCode::CacheUnavailable, "sessions can't be looked at")
            }
            Refused::Store(error) => error.into(),
        }
    }
}

/// `/docs/errors` and `/docs/errors/CODE`: pages made from the catalogue.
pub(super) async fn docs(path: Option<web::Path<String>>) -> Result<HttpResponse, ApiError> {
    let wanted = path.map(web::Path::into_inner);
    let codes: Vec<ErrorCode> = match &wanted {
        Some(name) => ErrorCode::named(name).into_iter().collect(),
        None => ErrorCode::ALL.to_vec(),
    };
    if codes.is_empty() {
        return Err(ApiError::new(ErrorCode::NotFound, "there is no error of that code"));
    }
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>Errors of the pool</title><h1>Errors of the pool</h1>",
    );
    for code in codes {
        section(&mut page, code);
    }
    page.push_str("<p><a href=\"/docs/errors\">all errors</a></p></html>");
    Ok(HttpResponse::Ok().content_type("text/html; charset=utf-8").body(page))
}

/// What the catalogue says about a code. Writing to a string does not fail.
fn section(page: &mut String, code: ErrorCode) {
    let entry = code.entry();
    let _ = write!(
        page,
        "<h2><a href=\"/docs/errors/{0}\">{0}</a></h2><p>HTTP {1}, severity {2}. {3}</p>",
        entry.name, entry.status, entry.severity, entry.meaning
    );
    if let Some(family) = entry.family {
        let _ = write!(page, "<p>A kind of <a href=\"/docs/errors/{0}\">{0}</a>.</p>", family.as_str());
    }
    let _ = write!(page, "<p>It reads: <q>{}</q></p>", entry.template);
    for recovery in entry.recovery {
        let _ = write!(page, "<p>{}</p>", recovery.meaning());
    }
    page.push_str("<ul>");
    for advice in entry.advice {
        let _ = write!(page, "<li>{}", advice.action);
        if let Some(command) = advice.command {
            let command = pool_domain::catalogue::fill(command, |_| None);
            let _ = write!(page, ": <code>{command}</code>");
        }
        page.push_str("</li>");
    }
    page.push_str("</ul>");
}
