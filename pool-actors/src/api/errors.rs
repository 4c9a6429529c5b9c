//! Errors of the API: one catalogue, which makes their JSON and their documentation pages.

use std::fmt::{self, Write as _};

use actix_web::{HttpResponse, ResponseError, http::StatusCode, http::header, web};
use serde_json::{Value, json};

use super::wire::rfc3339;
use crate::ports::{clock::SharedClock, store::StoreError};

/// What one can do about an error.
#[derive(Debug)]
struct Advice {
    action: &'static str,
    command: Option<&'static str>,
    priority: &'static str,
}

#[derive(Debug)]
struct Entry {
    code: &'static str,
    status: StatusCode,
    severity: &'static str,
    meaning: &'static str,
    advice: &'static [Advice],
}

macro_rules! catalogue {
    ($($variant:ident = $code:literal, $status:ident, $severity:literal, $meaning:literal,
       [$(($action:literal, $command:expr, $priority:literal)),*];)*) => {
        /// Stable codes; never renamed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum ErrorCode { $(#[doc = $meaning] $variant),* }

        impl ErrorCode {
            pub(super) const ALL: &'static [Self] = &[$(Self::$variant),*];

            fn entry(self) -> &'static Entry {
                match self {
                    $(Self::$variant => &Entry {
                        code: $code,
                        status: StatusCode::$status,
                        severity: $severity,
                        meaning: $meaning,
                        advice: &[$(Advice { action: $action, command: $command, priority: $priority }),*],
                    }),*
                }
            }
        }
    };
}

catalogue! {
    BadRequest = "BAD_REQUEST", BAD_REQUEST, "warning",
        "A parameter or the body of the request does not have the form that the route wants.",
        [("Correct what the message names", None, "medium")];
    Unauthorized = "UNAUTHORIZED", UNAUTHORIZED, "warning",
        "The route needs the admin token, and the request had none or another one.",
        [("Send the admin token that the pool printed at its start",
          Some("curl -H 'Authorization: Bearer TOKEN' URL"), "high")];
    NotFound = "NOT_FOUND", NOT_FOUND, "info",
        "There is nothing under that path, or no miner or block of that name.",
        [("Check the spelling of path, account or hash", None, "low")];
    MethodNotAllowed = "METHOD_NOT_ALLOWED", METHOD_NOT_ALLOWED, "info",
        "The route exists, but not for that HTTP method.",
        [("Use the method that the documentation of the route names", None, "low")];
    PayloadTooLarge = "PAYLOAD_TOO_LARGE", PAYLOAD_TOO_LARGE, "warning",
        "The body of the request is larger than the route takes.",
        [("Send less at once", None, "medium")];
    RateLimited = "RATE_LIMITED", TOO_MANY_REQUESTS, "warning",
        "The address has made more requests to the API than the pool allows for a time.",
        [("Wait as long as Retry-After says; the live feed brings the same figures without asking", None, "medium"),
         ("Raise http.rate_limit_per_second, or set http.behind_proxy if all come through a proxy of yours",
          Some("grep -A1 rate_limit pool.toml"), "low")];
    FeedsExhausted = "FEEDS_EXHAUSTED", SERVICE_UNAVAILABLE, "warning",
        "As many live feeds are open as the pool allows.",
        [("Try again later, or raise http.feeds_max", Some("grep feeds_max pool.toml"), "medium")];
    StoreUnavailable = "STORE_UNAVAILABLE", SERVICE_UNAVAILABLE, "error",
        "The database does not answer. Shares are still accepted and durable; the ledger catches up by itself.",
        [("Bring the database back", Some("dagpool check --config pool.toml"), "high")];
    NoStagedAlgorithm = "NO_STAGED_ALGORITHM", CONFLICT, "warning",
        "Nothing is staged: there is no checked package that could be deployed.",
        [("Stage a package", Some("curl -H 'Authorization: Bearer TOKEN' -F package=@PACKAGE.zip URL/api/algorithms/stage"), "high")];
    DeploymentInProgress = "DEPLOYMENT_IN_PROGRESS", CONFLICT, "warning",
        "Another deployment is under way; there is one at a time.",
        [("Watch it until it ends", Some("curl URL/api/algorithms/status"), "medium"),
         ("Or roll it back", Some("curl -X POST -H 'Authorization: Bearer TOKEN' URL/api/deployments/ID/rollback"), "medium")];
    DeploymentNotUnderWay = "DEPLOYMENT_NOT_UNDER_WAY", CONFLICT, "info",
        "The deployment is over, or there never was one of that number.",
        [("See what is under way", Some("curl URL/api/algorithms/status"), "low")];
    DeploymentStepRefused = "DEPLOYMENT_STEP_REFUSED", CONFLICT, "info",
        "The deployment can't take that step from where it is.",
        [("See where it is", Some("curl URL/api/algorithms/status"), "low")];
    DeploymentConfigInvalid = "DEPLOYMENT_CONFIG_INVALID", BAD_REQUEST, "warning",
        "The deployment's configuration can't be carried out.",
        [("Correct what the message names; leave a value out for the configured one", None, "medium")];
    ConfirmationRequired = "CONFIRMATION_REQUIRED", CONFLICT, "warning",
        "The package's author says that going back needs care (rollback_supported: false).",
        [("Read its changelog, then confirm by naming the algorithm in config.confirm", None, "high")];
    CompatibilityCheckFailed = "COMPATIBILITY_CHECK_FAILED", UNPROCESSABLE_ENTITY, "error",
        "The package is good, but not for this machine or this version of the pool; details.package_code names the check.",
        [("See what it needs", Some("dagpool algorithm inspect PACKAGE"), "high")];
    PackageValidationFailed = "PACKAGE_VALIDATION_FAILED", UNPROCESSABLE_ENTITY, "error",
        "The package is malformed, not to be trusted, or does not do what it says; details.package_code names the check, details.package_actions what to do.",
        [("See what the check found", Some("dagpool algorithm verify PACKAGE"), "high")];
    AlgorithmLoadFailed = "ALGORITHM_LOAD_FAILED", UNPROCESSABLE_ENTITY, "error",
        "The package's code can't be kept or loaded by this pool.",
        [("Look at the pool's data folder and its free space", Some("df -h"), "high")];
    MigrationFailed = "MIGRATION_FAILED", CONFLICT, "error",
        "The package computes another hash function than the active algorithm, and miners can't be moved to it.",
        [("Set algorithms.active to the other function, and restart", Some("dagpool check --config pool.toml"), "high")];
    Internal = "INTERNAL", INTERNAL_SERVER_ERROR, "critical",
        "A defect of the pool.",
        [("Report it with the error's id and the log lines around it", None, "high")];
}

/// An error on its way to a client.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    pub(super) code: ErrorCode,
    message: String,
    details: Value,
}

impl ApiError {
    pub(super) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: json!({}) }
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
        let entry = self.code.entry();
        let actions: Vec<Value> = entry
            .advice
            .iter()
            .map(|advice| {
                json!({ "action": advice.action, "command": advice.command, "priority": advice.priority })
            })
            .collect();
        json!({ "error": {
            "id": id,
            "code": entry.code,
            "message": self.message,
            "details": self.details,
            "suggested_actions": actions,
            "documentation_link": format!("/docs/errors/{}", entry.code),
            "severity": entry.severity,
            "timestamp": rfc3339(clock.now()),
        }})
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.code.entry().status
    }

    /// The middleware in `access` writes the body, since it knows the request's id.
    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        match self.code {
            ErrorCode::Unauthorized => {
                response.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"pool\""));
            }
            ErrorCode::RateLimited => {
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
            _ => ErrorCode::Internal,
        };
        // The database's own words are for the log, not for strangers.
        Self::new(code, "the ledger's database could not answer")
    }
}

/// `/docs/errors` and `/docs/errors/CODE`: pages made from the catalogue.
pub(super) async fn docs(path: Option<web::Path<String>>) -> Result<HttpResponse, ApiError> {
    let wanted = path.map(web::Path::into_inner);
    let codes: Vec<ErrorCode> = ErrorCode::ALL
        .iter()
        .copied()
        .filter(|code| wanted.as_deref().is_none_or(|wanted| code.entry().code == wanted))
        .collect();
    if codes.is_empty() {
        return Err(ApiError::new(ErrorCode::NotFound, "there is no error of that code"));
    }
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>Errors of the pool</title><h1>Errors of the pool</h1>",
    );
    for code in codes {
        let entry = code.entry();
        let _ = write!(
            page,
            "<h2><a href=\"/docs/errors/{0}\">{0}</a></h2><p>HTTP {1}, severity {2}. {3}</p><ul>",
            entry.code, entry.status, entry.severity, entry.meaning
        );
        for advice in entry.advice {
            let _ = write!(page, "<li>{}", advice.action);
            if let Some(command) = advice.command {
                let _ = write!(page, ": <code>{command}</code>");
            }
            page.push_str("</li>");
        }
        page.push_str("</ul>");
    }
    page.push_str("<p><a href=\"/docs/errors\">all errors</a></p></html>");
    Ok(HttpResponse::Ok().content_type("text/html; charset=utf-8").body(page))
}
