//! What the node tells by itself, over the connection that also carries the calls.

use std::collections::VecDeque;

use pool_domain::ids::BlockHash;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::broadcast;

use super::{
    super::{node_dag_memory::DagMemory, node_endpoints::backoff},
    KaspaNode,
    observe::Block,
    wrpc::News,
};
use crate::ports::node::NodeEvent;

/// State of the listening side; driven by whoever waits for the next event.
pub(super) struct Listening {
    news: broadcast::Receiver<(usize, News)>,
    /// Events not yet handed out.
    pub(super) queue: VecDeque<NodeEvent>,
    memory: DagMemory,
    failures: u32,
    /// The endpoint that the listener has been connected to.
    connected: Option<usize>,
}

/// Notifications by name: those subscribed to.
#[derive(Deserialize)]
enum Notification {
    BlockAdded {
        block: Box<Block>,
    },
    NewBlockTemplate {},
    #[serde(rename_all = "camelCase")]
    VirtualChainChanged {
        removed_chain_block_hashes: Vec<BlockHash>,
        added_chain_block_hashes: Vec<BlockHash>,
    },
}

impl KaspaNode {
    /// Waits for one piece of news of the endpoint in use, connecting to it first.
    pub(super) async fn listen(&self, listening: &mut Listening) {
        let mut current = self.endpoints.watch_current();
        let index = *current.borrow_and_update();
        if let Err(error) = self.wrpcs[index].connect().await {
            tracing::debug!("no notifications: {error}");
            listening.failures = listening.failures.saturating_add(1);
            tokio::select! {
                () = tokio::time::sleep(backoff(listening.failures)) => {}
                // Another endpoint came into use: listen there at once.
                _ = current.changed() => {}
            }
            return;
        }
        listening.failures = 0;
        if listening.connected.replace(index) != Some(index) {
            // What happened meanwhile was not told.
            listening.queue.push_back(NodeEvent::ConnectionChanged);
            return;
        }
        let told = tokio::select! {
            told = listening.news.recv() => told,
            _ = current.changed() => return,
        };
        match told {
            Ok((endpoint, News::Notification(params))) if endpoint == index => listening.take(&params),
            Ok((endpoint, News::Lost)) if endpoint == index => {
                tracing::info!(node = self.wrpcs[index].name(), "connection lost");
                listening.connected = None;
                listening.queue.push_back(NodeEvent::ConnectionChanged);
            }
            Ok(_) => {}
            Err(broadcast::error::RecvError::Lagged(_)) => {
                listening.queue.push_back(NodeEvent::NewTemplate { clean: false });
                listening.queue.push_back(NodeEvent::Reorganised);
            }
            // The adapter itself holds the sending end, in its connections.
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

impl Listening {
    pub(super) fn new(news: broadcast::Receiver<(usize, News)>) -> Self {
        Self { news, queue: VecDeque::new(), memory: DagMemory::default(), failures: 0, connected: None }
    }

    fn take(&mut self, params: &RawValue) {
        let notification = match serde_json::from_str(params.get()) {
            Ok(notification) => notification,
            Err(error) => {
                tracing::warn!("notification not understood: {error}");
                return;
            }
        };
        match notification {
            Notification::BlockAdded { block } => {
                if let Some((block, merges)) = block.into_dag_block() {
                    let (blues, reds) = (merges.merge_set_blues_hashes, merges.merge_set_reds_hashes);
                    self.queue.extend(self.memory.added(block, blues, reds));
                }
            }
            Notification::NewBlockTemplate {} => {
                self.queue.push_back(NodeEvent::NewTemplate { clean: false });
            }
            Notification::VirtualChainChanged { removed_chain_block_hashes, added_chain_block_hashes } => {
                if !removed_chain_block_hashes.is_empty() {
                    self.queue.push_back(NodeEvent::Reorganised);
                }
                for hash in removed_chain_block_hashes {
                    self.queue.extend(self.memory.chain_changed(hash, false));
                }
                for hash in added_chain_block_hashes {
                    self.queue.extend(self.memory.chain_changed(hash, true));
                }
            }
        }
    }
}
