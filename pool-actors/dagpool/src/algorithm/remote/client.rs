//! Talking to a pool's API: the token, and errors as the API words them.

use std::{process::ExitCode, time::Duration};

use pool_actors::{config::Secret, messages::trouble};
use pool_domain::catalogue::Code;
use pool_engine::codes::PackageError;
use reqwest::{Method, RequestBuilder, Url};
use serde_json::{Value, json};

use super::{Connection, progress::Upload};

/// How long a pool may be silent before it counts as out of reach. Staging a package takes seconds.
const TIMEOUT: Duration = Duration::from_secs(120);

/// What went wrong, in the API's own shape: `code`, `message`, `suggested_actions` and so on.
#[derive(Debug, Clone)]
pub(crate) struct RemoteError {
    pub(super) error: Value,
    /// Where its documentation is; empty if no pool was reached.
    documentation: String,
    /// Worth another try: the pool was out of reach.
    pub(super) unreachable: bool,
}

impl RemoteError {
    /// An error of this side of the wire, worded by the catalogue.
    pub(super) fn of(code: Code, known: &[(&str, &str)]) -> Box<Self> {
        let details: serde_json::Map<String, Value> =
            known.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        Self::with(code, &code.message(known), &Value::Object(details))
    }

    /// An error of this side of the wire.
    pub(super) fn local(code: Code, message: &str) -> Box<Self> {
        Self::with(code, &code.word(message), &json!({}))
    }

    fn with(code: Code, message: &str, details: &Value) -> Box<Self> {
        let mut error = trouble::body("", code, code, message, details, "");
        if let Some(fields) = error.as_object_mut() {
            // Nothing was logged anywhere.
            fields.remove("id");
            fields.remove("timestamp");
        }
        Box::new(Self { error, documentation: String::new(), unreachable: code == Code::PoolUnreachable })
    }

    /// A file of this machine.
    pub(super) fn package(error: &PackageError) -> Box<Self> {
        Self::local(error.code, &error.message)
    }

    fn unreachable(url: &Url, error: &reqwest::Error) -> Box<Self> {
        let mut reason = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(inner) = source {
            reason = inner.to_string();
            source = inner.source();
        }
        let origin = url.origin().ascii_serialization();
        Self::of(Code::PoolUnreachable, &[("url", &origin), ("reason", &reason)])
    }
}

/// A pool's API.
pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
    token: Option<String>,
}

impl Client {
    pub(super) fn new(connection: &Connection) -> Result<Self, Box<RemoteError>> {
        let invalid = |what: String| RemoteError::local(Code::ConfigInvalid, &what);
        let base = Url::parse(&connection.url)
            .map_err(|error| invalid(format!("--url {}: {error}", connection.url)))?;
        if base.scheme() != "http" || base.host().is_none() {
            return Err(invalid(format!("--url {}: write it like http://127.0.0.1:8080", connection.url)));
        }
        let token = connection.token.clone().map(|token| Secret::new(token).reveal()).transpose();
        let token = token
            .map_err(|failure| RemoteError::local(failure.code, &format!("--token: {}", failure.what)))?;
        let http = reqwest::Client::builder().no_proxy().read_timeout(TIMEOUT).build();
        let http = http.map_err(|error| invalid(format!("the HTTP client: {error}")))?;
        Ok(Self { http, base, token: token.map(|token| token.trim().to_owned()) })
    }

    fn request(&self, method: Method, path: &str) -> Result<(Url, RequestBuilder), Box<RemoteError>> {
        let url = self.base.join(path).map_err(|error| {
            RemoteError::local(Code::ConfigInvalid, &format!("--url {}: {error}", self.base))
        })?;
        let mut request = self.http.request(method, url.clone());
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        Ok((url, request))
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, Box<RemoteError>> {
        let (url, request) = self.request(Method::GET, path)?;
        answer(&url, request).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Box<RemoteError>> {
        let (url, request) = self.request(Method::POST, path)?;
        answer(&url, request.json(body)).await
    }

    /// Sends a file, with a bar where there is somebody to see it.
    pub(super) async fn upload(
        &self,
        path: &str,
        query: &[(&str, Option<&str>)],
        bytes: Vec<u8>,
    ) -> Result<Value, Box<RemoteError>> {
        let (url, request) = self.request(Method::POST, path)?;
        let body = reqwest::Body::wrap(Upload::new(bytes));
        answer(&url, request.query(query).header("content-type", "application/zip").body(body)).await
    }
}

/// The body of a good answer, or the error of another one.
async fn answer(url: &Url, request: RequestBuilder) -> Result<Value, Box<RemoteError>> {
    let response = request.send().await.map_err(|error| RemoteError::unreachable(url, &error))?;
    let status = response.status();
    let text = response.text().await.map_err(|error| RemoteError::unreachable(url, &error))?;
    let body: Option<Value> = serde_json::from_str(&text).ok();
    match body {
        Some(body) if status.is_success() => Ok(body),
        Some(mut body) if body["error"]["code"].is_string() => {
            let error = body["error"].take();
            let documentation =
                error["documentation_link"].as_str().and_then(|link| url.join(link).ok()).map(String::from);
            let documentation = documentation.unwrap_or_default();
            Err(Box::new(RemoteError { error, documentation, unreachable: false }))
        }
        _ => {
            let known = [("url", url.as_str()), ("status", status.as_str())];
            Err(RemoteError::of(Code::PoolAnswerUnreadable, &known))
        }
    }
}

/// Prints an error as the other commands do; as JSON, it is the API's.
pub(crate) fn print_error(json: bool, error: &RemoteError) -> ExitCode {
    if json {
        println!("{}", json!({ "error": error.error }));
    } else {
        eprint!("{}", text(error));
    }
    ExitCode::FAILURE
}

fn text(error: &RemoteError) -> String {
    let RemoteError { error, documentation, .. } = error;
    let mut text = String::new();
    for check in error["details"]["validation_results"].as_array().into_iter().flatten() {
        text.push_str(&super::show::check(check));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    let code = error["code"].as_str().unwrap_or_default();
    let fine = error["details"]["package_code"].as_str().filter(|fine| *fine != code);
    let codes = fine.map_or_else(|| code.to_owned(), |fine| format!("{code}: {fine}"));
    text.push_str(&format!("error: {} [{codes}]\n", error["message"].as_str().unwrap_or_default()));
    for action in error["suggested_actions"].as_array().into_iter().flatten() {
        text.push_str(&format!("  - {}", action["action"].as_str().unwrap_or_default()));
        if let Some(command) = action["command"].as_str() {
            text.push_str(&format!(": {command}"));
        }
        text.push('\n');
    }
    if !documentation.is_empty() {
        let id = error["id"].as_str().unwrap_or_default();
        text.push_str(&format!("  more: {documentation} (this one's id: {id})\n"));
    }
    text
}
