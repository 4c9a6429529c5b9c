//! JSON-RPC 2.0 over HTTP POST with bounds on time and size.

use std::{error::Error as _, fmt::Write as _, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::super::node_endpoints::observe_call;
use crate::ports::node::NodeError;

/// Largest answer read: a template of a full block is a few megabytes of hex.
const BODY_BYTES_MAX: usize = 32 << 20;
/// For methods without parameters.
pub(super) const NO_PARAMS: [(); 0] = [];
/// How much of a bad answer is quoted in errors.
const QUOTE_CHARS_MAX: usize = 120;

/// One JSON-RPC endpoint.
#[derive(Clone)]
pub struct RpcEndpoint {
    /// `http://host:port` of the RPC.
    pub url: String,
    /// User and password of HTTP basic authentication.
    pub basic_auth: Option<(String, String)>,
}

impl std::fmt::Debug for RpcEndpoint {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RpcEndpoint").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Client of one endpoint.
pub(super) struct Rpc {
    http: reqwest::Client,
    endpoint: RpcEndpoint,
    timeout: Duration,
}

#[derive(Serialize)]
struct Request<'a, P> {
    jsonrpc: &'static str,
    id: u32,
    method: &'a str,
    params: P,
}

#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    error: Option<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    code: i64,
    message: String,
}

impl Rpc {
    pub(super) fn new(http: reqwest::Client, endpoint: RpcEndpoint, timeout: Duration) -> Self {
        Self { http, endpoint, timeout }
    }

    /// Host and port, for errors.
    pub(super) fn name(&self) -> String {
        let rest = self.endpoint.url.split_once("://").map_or(self.endpoint.url.as_str(), |(_, rest)| rest);
        rest.split('/').next().unwrap_or(rest).to_owned()
    }

    /// The same host and port over WebSocket.
    pub(super) fn websocket_url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.name())
    }

    /// Value of the `Authorization` header, where one is configured.
    pub(super) fn basic_auth(&self) -> Option<&(String, String)> {
        self.endpoint.basic_auth.as_ref()
    }

    pub(super) fn unreachable(&self, what: impl Into<String>) -> NodeError {
        NodeError::Unreachable { endpoint: self.name(), what: what.into() }
    }

    pub(super) fn protocol(&self, what: impl Into<String>) -> NodeError {
        NodeError::Protocol { endpoint: self.name(), what: what.into() }
    }

    /// Calls `method` within the usual time.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: impl Serialize + Send + Sync,
    ) -> Result<T, NodeError> {
        self.call_within(method, params, self.timeout).await
    }

    /// Calls `method`; the answer must be complete within `timeout`.
    pub(super) async fn call_within<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: impl Serialize + Send + Sync,
        timeout: Duration,
    ) -> Result<T, NodeError> {
        let started = Instant::now();
        let result = self.ask(method, params, timeout).await;
        observe_call(method, started.elapsed(), result.as_ref().err());
        result
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: impl Serialize + Send + Sync,
        timeout: Duration,
    ) -> Result<T, NodeError> {
        let body = self.post(&Request { jsonrpc: "2.0", id: 1, method, params }, timeout).await?;
        let reply: Reply<'_> = serde_json::from_slice(&body)
            .map_err(|error| self.protocol(format!("{method}: not JSON-RPC ({error}): {}", quote(&body))))?;
        match (reply.error, reply.result) {
            (Some(fault), _) => {
                Err(NodeError::Rpc { endpoint: self.name(), code: fault.code, message: fault.message })
            }
            (None, result) => {
                let text = result.map_or("null", RawValue::get);
                serde_json::from_str(text).map_err(|error| {
                    self.protocol(format!(
                        "{method}: unexpected result ({error}): {}",
                        quote(text.as_bytes())
                    ))
                })
            }
        }
    }

    async fn post(
        &self,
        request: &(impl Serialize + Send + Sync),
        timeout: Duration,
    ) -> Result<Vec<u8>, NodeError> {
        let mut post = self.http.post(&self.endpoint.url).timeout(timeout).json(request);
        if let Some((user, password)) = &self.endpoint.basic_auth {
            post = post.basic_auth(user, Some(password));
        }
        let mut response = post.send().await.map_err(|error| self.unreachable(reasons(error)))?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(reasons(error)))? {
            if body.len() + chunk.len() > BODY_BYTES_MAX {
                return Err(self.protocol(format!("answer longer than {BODY_BYTES_MAX} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        match status.as_u16() {
            200 => Ok(body),
            401 | 403 => Err(NodeError::Rpc {
                endpoint: self.name(),
                code: i64::from(status.as_u16()),
                message: "user or password of the node's RPC refused: check them in the configuration"
                    .to_owned(),
            }),
            _ => Err(self.protocol(format!("HTTP status {status}: {}", quote(&body)))),
        }
    }
}

/// An error with its causes, which say what really happened ("connection refused").
fn reasons(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        // Writing to a string can't fail.
        let _ = write!(text, ": {inner}");
        cause = inner.source();
    }
    text
}

fn quote(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let short: String = text.chars().take(QUOTE_CHARS_MAX).collect();
    format!("{short:?}")
}
