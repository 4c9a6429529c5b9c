//! What the node tells by itself: WebSocket notifications, or long polling where there are none.

use std::{collections::VecDeque, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use pool_domain::{ids::BlockHash, maturity::Color, units::TimeMs};
use serde::Deserialize;
use tokio::{net::TcpStream, sync::watch};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{
        Message,
        client::IntoClientRequest as _,
        http::{HeaderValue, header::AUTHORIZATION},
        protocol::WebSocketConfig,
    },
};

use super::{
    super::{node_dag_memory::DagMemory, node_endpoints::backoff},
    Bip22Node,
    rpc::Rpc,
};
use crate::ports::node::{DagBlock, NodeError, NodeEvent};

/// Largest notification read.
const MESSAGE_BYTES_MAX: usize = 4 << 20;
/// Longest wait of a long poll; nodes answer after 60 s at the latest.
const LONG_POLL_MAX: Duration = Duration::from_secs(75);
/// Silence after which the connection is probed with a ping; twice that, and it counts as lost.
const SILENCE_MAX: Duration = Duration::from_secs(20);
/// How long the handshake may take.
const HANDSHAKE_MAX: Duration = Duration::from_secs(5);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// State of the listening side; driven by whoever waits for the next event.
#[derive(Default)]
pub(super) struct Listening {
    /// The connection and the endpoint it leads to.
    socket: Option<(usize, Socket)>,
    /// Events not yet handed out.
    pub(super) queue: VecDeque<NodeEvent>,
    /// Failures in a row, for back-off.
    failures: u32,
    /// Last `longpollid`.
    long_poll_id: Option<String>,
    memory: DagMemory,
}

#[derive(Deserialize)]
struct Notification {
    method: Option<String>,
    #[serde(default)]
    params: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Accepted {
    hash: BlockHash,
    height: Option<u64>,
    parents: Vec<BlockHash>,
    /// Unix seconds.
    time: u64,
}

#[derive(Deserialize)]
struct Merging {
    #[serde(default)]
    blues: Vec<BlockHash>,
    #[serde(default)]
    reds: Vec<BlockHash>,
}

/// Opens the notifications of an endpoint.
async fn connect(rpc: &Rpc, path: &str) -> Result<Socket, NodeError> {
    let mut request =
        rpc.websocket_url(path).into_client_request().map_err(|error| rpc.unreachable(error.to_string()))?;
    if let Some((user, password)) = rpc.basic_auth() {
        let value = format!("Basic {}", base64(format!("{user}:{password}").as_bytes()));
        let value = HeaderValue::from_str(&value).map_err(|error| rpc.unreachable(error.to_string()))?;
        request.headers_mut().insert(AUTHORIZATION, value);
    }
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let opening = tokio_tungstenite::connect_async_with_config(request, Some(config), true);
    let (mut socket, _) = tokio::time::timeout(HANDSHAKE_MAX, opening)
        .await
        .map_err(|_| rpc.unreachable("WebSocket handshake timed out"))?
        .map_err(|error| rpc.unreachable(format!("WebSocket: {error}")))?;
    let subscribe = r#"{"jsonrpc":"2.0","id":1,"method":"notifyBlocks","params":[]}"#;
    socket
        .send(Message::text(subscribe))
        .await
        .map_err(|error| rpc.unreachable(format!("WebSocket: {error}")))?;
    Ok(socket)
}

/// Waits for one message; `None` when the connection is of no more use (closed, silent, or not the endpoint in use).
async fn next_text(
    socket: &mut Socket,
    endpoint: usize,
    current: &mut watch::Receiver<usize>,
) -> Option<String> {
    let mut probed = false;
    loop {
        let received = tokio::select! {
            moved = current.wait_for(|index| *index != endpoint) => {
                // The sender lives as long as the adapter, which is being used right now.
                let _ = moved;
                return None;
            }
            received = tokio::time::timeout(SILENCE_MAX, socket.next()) => received,
        };
        match received {
            Ok(Some(Ok(Message::Text(text)))) => return Some(text.as_str().to_owned()),
            Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) => return None,
            Ok(Some(Ok(_))) => probed = false,
            Err(_) if probed => return None,
            Err(_) => {
                probed = true;
                socket.send(Message::Ping(Vec::new().into())).await.ok()?;
            }
        }
    }
}

impl Bip22Node {
    /// Waits for news over the WebSocket, or by a long poll where it can't be had.
    pub(super) async fn listen(&self, listening: &mut Listening) {
        let mut current = self.endpoints.watch_current();
        let index = *current.borrow_and_update();
        let rpc = &self.rpcs[index];
        if listening.socket.as_ref().is_some_and(|(endpoint, _)| *endpoint != index) {
            listening.socket = None;
        }
        if let Some((_, socket)) = &mut listening.socket {
            match next_text(socket, index, &mut current).await {
                Some(text) => match listening.take(&text) {
                    Ok(()) => return,
                    Err(error) => tracing::warn!(node = rpc.name(), "notification not understood: {error}"),
                },
                None => tracing::info!(node = rpc.name(), "notifications ended"),
            }
            listening.socket = None;
            listening.queue.push_back(NodeEvent::ConnectionChanged);
            return;
        }
        if let Some(path) = self.config.profile.websocket_path {
            match connect(rpc, path).await {
                Ok(socket) => {
                    listening.failures = 0;
                    listening.socket = Some((index, socket));
                    // What happened meanwhile was not told.
                    listening.queue.push_back(NodeEvent::ConnectionChanged);
                    return;
                }
                Err(error) => tracing::debug!("no notifications, long polling instead: {error}"),
            }
        }
        if self.long_poll(rpc, listening).await.is_err() {
            listening.failures = listening.failures.saturating_add(1);
            tokio::select! {
                () = tokio::time::sleep(backoff(listening.failures)) => {}
                // Another endpoint came into use: listen there at once.
                _ = current.changed() => {}
            }
        }
    }

    /// One long poll: returns when the node has another template.
    async fn long_poll(&self, rpc: &Rpc, listening: &mut Listening) -> Result<(), NodeError> {
        let first = listening.long_poll_id.is_none();
        let params = (["longpoll"], (), (), &listening.long_poll_id);
        let poll: LongPoll = match rpc.call_within("getBlockTemplate", params, LONG_POLL_MAX).await {
            Ok(poll) => poll,
            Err(error) => {
                listening.long_poll_id = None;
                return Err(error);
            }
        };
        listening.failures = 0;
        let before = std::mem::replace(&mut listening.long_poll_id, poll.longpollid);
        if listening.long_poll_id.is_none() {
            return Err(rpc.protocol("getBlockTemplate: no longpollid"));
        }
        if !first && before != listening.long_poll_id {
            let tips =
                |id: &Option<String>| id.as_deref().and_then(|id| id.split('-').next().map(str::to_owned));
            let clean = poll.submitold == Some(false) && tips(&before) != tips(&listening.long_poll_id);
            listening.queue.push_back(NodeEvent::NewTemplate { clean });
        }
        Ok(())
    }
}

/// What a long poll reads of the template.
#[derive(Deserialize)]
struct LongPoll {
    longpollid: Option<String>,
    /// `false`: work on the old template is worthless once the tips move (BIP 22).
    submitold: Option<bool>,
}

impl Listening {
    /// Puts the events that a notification means into the queue. Unknown notifications mean nothing; broken ones are
    /// an error.
    fn take(&mut self, text: &str) -> Result<(), serde_json::Error> {
        let notification: Notification = serde_json::from_str(text)?;
        let Some(method) = notification.method.as_deref() else { return Ok(()) };
        for value in notification.params {
            match method {
                "blocktemplate" => self.queue.push_back(NodeEvent::NewTemplate { clean: false }),
                "reorganization" => self.queue.push_back(NodeEvent::Reorganised),
                "blockAccepted" => {
                    let block: Accepted = serde_json::from_value(value)?;
                    let block = DagBlock {
                        hash: block.hash,
                        parents: block.parents,
                        height: block.height,
                        color: Color::Unknown,
                        at: TimeMs(block.time.saturating_mul(1_000)),
                    };
                    self.queue.extend(self.memory.added(block, Vec::new(), Vec::new()));
                }
                "blockConnected" | "blockDisconnected" => {
                    let connected = method == "blockConnected";
                    let merging: Merging = serde_json::from_value(value)?;
                    let color = |merged| if connected { merged } else { Color::Unknown };
                    self.queue.extend(self.memory.recolour(&merging.blues, color(Color::Blue)));
                    self.queue.extend(self.memory.recolour(&merging.reds, color(Color::Red)));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// RFC 4648, standard alphabet, padded; for one header it is not worth a dependency.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = ALPHABET[(word >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(byte: u8) -> BlockHash {
        BlockHash([byte; 32])
    }

    #[test]
    fn colours_follow_the_selected_chain() {
        let mut listening = Listening::default();
        let (a, b) = (hash(1), hash(2));
        for block in [a, b] {
            let text = format!(
                r#"{{"jsonrpc":"2.0","method":"blockAccepted","params":[{{"hash":"{block}","height":3,"blue_score":4,"parents":["{}"],"pow_type":100,"time":7}}]}}"#,
                hash(0)
            );
            listening.take(&text).unwrap();
        }
        let merge = |method: &str| {
            format!(
                r#"{{"method":"{method}","params":[{{"hash":"{}","blues":["{a}"],"reds":["{b}"]}}]}}"#,
                hash(3)
            )
        };
        listening.take(&merge("blockConnected")).unwrap();
        listening.take(&merge("blockConnected")).unwrap();
        listening.take(&merge("blockDisconnected")).unwrap();
        let colours: Vec<_> = listening
            .queue
            .iter()
            .map(|event| match event {
                NodeEvent::BlockAdded(block) => (block.hash, block.color),
                other => panic!("{other:?}"),
            })
            .collect();
        let expected = [
            (a, Color::Unknown),
            (b, Color::Unknown),
            (a, Color::Blue),
            (b, Color::Red),
            (a, Color::Unknown),
            (b, Color::Unknown),
        ];
        assert_eq!(colours, expected);
    }

    #[test]
    fn replies_and_news_of_other_kinds_mean_nothing() {
        let mut listening = Listening::default();
        listening.take(r#"{"jsonrpc":"2.0","id":1,"result":null}"#).unwrap();
        listening.take(r#"{"method":"somethingNew","params":[{"x":1}]}"#).unwrap();
        assert!(listening.queue.is_empty());
        assert!(listening.take("rubbish").is_err());
        assert!(listening.take(r#"{"method":"blockAccepted","params":[{"hash":"1"}]}"#).is_err());
        listening.take(r#"{"method":"blocktemplate","params":[{"reason":"tip"}]}"#).unwrap();
        listening.take(r#"{"method":"reorganization","params":[{"removed":2}]}"#).unwrap();
        assert!(matches!(listening.queue.pop_front(), Some(NodeEvent::NewTemplate { clean: false })));
        assert!(matches!(listening.queue.pop_front(), Some(NodeEvent::Reorganised)));
    }

    #[test]
    fn base64_follows_the_rfc() {
        for (plain, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(plain.as_bytes()), text);
        }
    }
}
