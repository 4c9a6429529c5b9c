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

use super::{super::node_dag_memory::DagMemory, rpc::Rpc};
use crate::ports::node::{DagBlock, NodeError, NodeEvent};

/// Largest notification read.
const MESSAGE_BYTES_MAX: usize = 4 << 20;
/// Silence after which the connection is probed with a ping; twice that, and it counts as lost.
const SILENCE_MAX: Duration = Duration::from_secs(20);
/// How long the handshake may take.
const HANDSHAKE_MAX: Duration = Duration::from_secs(5);

pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// State of the listening side; driven by whoever waits for the next event.
#[derive(Default)]
pub(super) struct Listening {
    /// The connection and the endpoint it leads to.
    pub(super) socket: Option<(usize, Socket)>,
    /// Events not yet handed out.
    pub(super) queue: VecDeque<NodeEvent>,
    /// Failures in a row, for back-off.
    pub(super) failures: u32,
    /// Last `longpollid`.
    pub(super) long_poll_id: Option<String>,
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
pub(super) async fn connect(rpc: &Rpc, path: &str) -> Result<Socket, NodeError> {
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
pub(super) async fn next_text(
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

impl Listening {
    /// Puts the events that a notification means into the queue. Unknown notifications mean nothing; broken ones are
    /// an error.
    pub(super) fn take(&mut self, text: &str) -> Result<(), serde_json::Error> {
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
                    self.queue.push_back(self.memory.added(block, Vec::new(), Vec::new()));
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
