//! wRPC with JSON encoding: one WebSocket per endpoint carries calls, answers and notifications.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use futures_util::{SinkExt as _, StreamExt as _};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use tokio::{
    net::TcpStream,
    sync::{Mutex, broadcast, mpsc, oneshot},
    time::Instant,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{Message, protocol::WebSocketConfig},
};

use super::super::node_endpoints::observe_call;
use crate::ports::node::NodeError;

/// Largest message read: a block of the main network is a few megabytes of JSON.
const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// Calls that wait for their turn to be sent.
const CALLS_MAX: usize = 256;
/// Silence after which the connection is probed with a ping; twice that, and it counts as lost.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// How much of a bad answer is quoted in errors.
const QUOTE_CHARS_MAX: usize = 120;
/// What every connection subscribes to. A subscription that the node refuses leaves polling.
const SUBSCRIPTIONS: [&str; 3] = [
    r#"{"BlockAdded":{}}"#,
    r#"{"NewBlockTemplate":{}}"#,
    r#"{"VirtualChainChanged":{"include_accepted_transaction_ids":false}}"#,
];

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What an endpoint told by itself.
#[derive(Debug, Clone)]
pub(super) enum News {
    /// A notification: its parameters.
    Notification(Box<RawValue>),
    /// The connection ended.
    Lost,
}

/// One endpoint.
pub(super) struct Wrpc {
    endpoint: usize,
    url: String,
    timeout: Duration,
    next_id: AtomicU64,
    calls: Mutex<Option<mpsc::Sender<Call>>>,
    news: broadcast::Sender<(usize, News)>,
}

struct Call {
    id: u64,
    text: String,
    answer: oneshot::Sender<Answer>,
}

enum Answer {
    Result(Box<RawValue>),
    Fault(Fault),
    Rubbish(String),
}

#[derive(Deserialize)]
struct Fault {
    code: i64,
    message: String,
}

#[derive(Deserialize)]
struct Frame<'a> {
    id: Option<u64>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
    error: Option<Fault>,
}

impl Wrpc {
    pub(super) fn new(
        endpoint: usize,
        url: String,
        timeout: Duration,
        news: broadcast::Sender<(usize, News)>,
    ) -> Self {
        Self { endpoint, url, timeout, next_id: AtomicU64::new(1), calls: Mutex::new(None), news }
    }

    /// Host and port, for errors.
    pub(super) fn name(&self) -> String {
        let rest = self.url.split_once("://").map_or(self.url.as_str(), |(_, rest)| rest);
        rest.trim_end_matches('/').to_owned()
    }

    pub(super) fn unreachable(&self, what: impl Into<String>) -> NodeError {
        NodeError::Unreachable { endpoint: self.name(), what: what.into() }
    }

    pub(super) fn protocol(&self, what: impl Into<String>) -> NodeError {
        NodeError::Protocol { endpoint: self.name(), what: what.into() }
    }

    /// Connects if there is no connection.
    pub(super) async fn connect(&self) -> Result<(), NodeError> {
        self.connection().await.map(|_| ())
    }

    async fn connection(&self) -> Result<mpsc::Sender<Call>, NodeError> {
        let mut calls = self.calls.lock().await;
        if let Some(open) = calls.as_ref().filter(|calls| !calls.is_closed()) {
            return Ok(open.clone());
        }
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        let opening = tokio_tungstenite::connect_async_with_config(self.url.as_str(), Some(config), true);
        let (socket, _) = tokio::time::timeout(self.timeout, opening)
            .await
            .map_err(|_| self.unreachable("WebSocket handshake timed out"))?
            .map_err(|error| self.unreachable(format!("WebSocket: {error}")))?;
        let (open, queue) = mpsc::channel(CALLS_MAX);
        tokio::spawn(run(socket, queue, self.news.clone(), self.endpoint));
        for subscription in SUBSCRIPTIONS {
            let id = self.next_id.fetch_add(1, Ordering::Relaxed);
            let text = format!(r#"{{"id":{id},"method":"subscribe","params":{subscription}}}"#);
            // Nobody waits for the answer.
            let (answer, _) = oneshot::channel();
            let _ = open.send(Call { id, text, answer }).await;
        }
        *calls = Some(open.clone());
        Ok(open)
    }

    /// Calls `method`; connects first if need be.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: impl Serialize + Send + Sync,
    ) -> Result<T, NodeError> {
        self.call_within(method, params, self.timeout).await
    }

    /// Calls `method`; the answer must come within `timeout`.
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
        #[derive(Serialize)]
        struct Request<'a, P> {
            id: u64,
            method: &'a str,
            params: P,
        }
        let calls = self.connection().await?;
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let text = serde_json::to_string(&Request { id, method, params })
            .map_err(|error| self.protocol(format!("{method}: {error}")))?;
        let (answer, answered) = oneshot::channel();
        let exchange = async {
            calls.send(Call { id, text, answer }).await.ok()?;
            answered.await.ok()
        };
        match tokio::time::timeout(timeout, exchange).await {
            Ok(Some(Answer::Result(result))) => serde_json::from_str(result.get()).map_err(|error| {
                self.protocol(format!("{method}: unexpected result ({error}): {}", quote(result.get())))
            }),
            Ok(Some(Answer::Fault(Fault { code, message }))) => {
                Err(NodeError::Rpc { endpoint: self.name(), code, message })
            }
            Ok(Some(Answer::Rubbish(what))) => Err(self.protocol(format!("{method}: {what}"))),
            Ok(None) => Err(self.unreachable(format!("{method}: the connection was lost"))),
            // A slow answer is no reason to give up the connection, and all other calls with it: whether it still
            // lives is found out by pings.
            Err(_) => Err(self.unreachable(format!("{method}: no answer within {timeout:?}"))),
        }
    }
}

/// Owns a connection until it ends, or until nobody can call over it any more.
async fn run(
    mut socket: Socket,
    mut queue: mpsc::Receiver<Call>,
    news: broadcast::Sender<(usize, News)>,
    endpoint: usize,
) {
    let mut waiting: HashMap<u64, oneshot::Sender<Answer>> = HashMap::new();
    let mut probed = false;
    loop {
        tokio::select! {
            call = queue.recv() => {
                let Some(call) = call else { break };
                // Callers that gave up leave their entry behind.
                waiting.retain(|_, answer| !answer.is_closed());
                waiting.insert(call.id, call.answer);
                if socket.send(Message::text(call.text)).await.is_err() {
                    break;
                }
            }
            received = tokio::time::timeout(SILENCE_MAX, socket.next()) => match received {
                Ok(Some(Ok(Message::Text(text)))) => {
                    probed = false;
                    if let Err(what) = take(text.as_str(), &mut waiting, &news, endpoint) {
                        for (_, answer) in waiting.drain() {
                            // The caller may have given up.
                            let _ = answer.send(Answer::Rubbish(what.clone()));
                        }
                        break;
                    }
                }
                Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) => break,
                Ok(Some(Ok(_))) => probed = false,
                Err(_) if probed => break,
                Err(_) => {
                    probed = true;
                    if socket.send(Message::Ping(Vec::new().into())).await.is_err() {
                        break;
                    }
                }
            },
        }
    }
    // Nobody may be listening.
    let _ = news.send((endpoint, News::Lost));
}

fn take(
    text: &str,
    waiting: &mut HashMap<u64, oneshot::Sender<Answer>>,
    news: &broadcast::Sender<(usize, News)>,
    endpoint: usize,
) -> Result<(), String> {
    let frame: Frame<'_> =
        serde_json::from_str(text).map_err(|error| format!("not wRPC ({error}): {}", quote(text)))?;
    match (frame.id, frame.error, frame.params) {
        (Some(id), Some(fault), _) => answer(waiting, id, Answer::Fault(fault)),
        (Some(id), None, Some(params)) => answer(waiting, id, Answer::Result(params.to_owned())),
        (Some(id), None, None) => {
            answer(waiting, id, Answer::Rubbish(format!("neither result nor error: {}", quote(text))));
        }
        // Nobody may be listening.
        (None, _, Some(params)) => drop(news.send((endpoint, News::Notification(params.to_owned())))),
        (None, _, None) => return Err(format!("neither answer nor notification: {}", quote(text))),
    }
    Ok(())
}

fn answer(waiting: &mut HashMap<u64, oneshot::Sender<Answer>>, id: u64, answer: Answer) {
    if let Some(caller) = waiting.remove(&id) {
        // The caller may have given up.
        let _ = caller.send(answer);
    }
}

fn quote(text: &str) -> String {
    let short: String = text.chars().take(QUOTE_CHARS_MAX).collect();
    format!("{short:?}")
}
