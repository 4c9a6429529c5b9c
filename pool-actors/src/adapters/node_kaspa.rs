//! Kaspa nodes over wRPC with JSON encoding. The template is echoed as it was received, with nothing changed but the
//! nonce, so that fields this adapter does not know survive. The header time is the template's and is never rolled.

mod events;
mod header;
mod message;
mod observe;
mod wrpc;

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream};
use pool_domain::{
    ids::{AlgorithmName, BlockHash},
    kaspa_address::{KaspaAddress, KaspaNetwork},
    share::Solution,
    target::Target,
};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use tokio::sync::{Mutex, OnceCell, broadcast};

pub use message::signed;

use self::{events::Listening, header::Header, wrpc::Wrpc};
use super::node_endpoints::{Endpoints, next_template_id};
use crate::ports::{
    clock::SharedClock,
    node::{
        AssembledBlock, BlockObservation, DagBlock, HeaderForm, NodeError, NodeEvent, NodeHealth, NodePort,
        NodePrivate, SubmitVerdict, Template,
    },
};

/// The only proof-of-work function of this chain.
const ALGORITHM: &str = "kheavyhash";
/// Notifications kept for a listener that is busy; beyond that it is told that it missed some.
const NEWS_MAX: usize = 1_024;
/// Times the usual patience for the verdict on a block: to ask again is dearer than to wait.
const SUBMIT_PATIENCE: u32 = 4;
/// Blocks asked about at a time.
const OBSERVE_AT_ONCE: usize = 8;
/// Coinbase maturity of the network, DAA score.
pub const MATURITY: u64 = 1_000;

/// How to reach and use kaspad.
#[derive(Debug, Clone)]
pub struct KaspaConfig {
    /// `ws://host:port` of the JSON wRPC, preferred one first; at least one.
    pub endpoints: Vec<String>,
    /// Address that the pool is paid to.
    pub payout_address: String,
    /// Text in the coinbase of our blocks.
    pub coinbase_tag: String,
    /// Network id that every endpoint must state, such as `mainnet`; without it, the first answer decides.
    pub network: Option<String>,
    /// Mine although the node says that it is not synchronised: only for networks of one's own.
    pub allow_unsynced: bool,
    /// Confirmations of the merging block after which colour and reward are final.
    pub maturity: u64,
    /// Longest time of a call.
    pub call_timeout: Duration,
}

/// [`NodePort`] for kaspad.
pub struct KaspaNode {
    config: KaspaConfig,
    clock: SharedClock,
    wrpcs: Vec<Wrpc>,
    /// Per endpoint: its network has been checked since it last failed.
    on_chain: Vec<AtomicBool>,
    /// Network id that all endpoints must share.
    network: OnceCell<String>,
    /// What every template's coinbase must name.
    payout_script: Vec<u8>,
    endpoints: Endpoints,
    listening: Mutex<Listening>,
    merges_no_red: observe::MergesNoRed,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServerInfo {
    network_id: String,
    is_synced: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PeerInfo {
    peer_info: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TemplateAnswer {
    block: Value,
    is_synced: bool,
}

#[derive(Deserialize)]
struct SubmitAnswer {
    report: Report,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Report {
    Success,
    Reject { reason: String },
}

/// What assembly needs: the template as it was received.
struct Assembly {
    block: Value,
    header: Header,
}

impl KaspaNode {
    /// A node port; connects to nothing yet.
    ///
    /// # Errors
    /// When no endpoint is given, or the payout address is no address of the network.
    pub fn new(config: KaspaConfig, clock: SharedClock) -> Result<Self, String> {
        if config.endpoints.is_empty() {
            return Err("a chain needs at least one node endpoint".to_owned());
        }
        let network = config.network.as_deref().and_then(KaspaNetwork::of_network_id);
        let address = match network {
            Some(network) => KaspaAddress::parse_for(&config.payout_address, network),
            None => KaspaAddress::parse(&config.payout_address),
        };
        let payout_script = address.map_err(|error| format!("payout address: {error}"))?.script();
        let (tell, news) = broadcast::channel(NEWS_MAX);
        let wrpcs: Vec<Wrpc> = config
            .endpoints
            .iter()
            .enumerate()
            .map(|(index, url)| Wrpc::new(index, url.clone(), config.call_timeout, tell.clone()))
            .collect();
        Ok(Self {
            endpoints: Endpoints::new(wrpcs.len()),
            on_chain: wrpcs.iter().map(|_| AtomicBool::new(false)).collect(),
            network: OnceCell::new(),
            payout_script,
            listening: Mutex::new(Listening::new(news)),
            merges_no_red: observe::MergesNoRed::default(),
            wrpcs,
            config,
            clock,
        })
    }

    async fn check_chain(&self, index: usize) -> Result<ServerInfo, NodeError> {
        let wrpc = &self.wrpcs[index];
        self.on_chain[index].store(false, Ordering::Relaxed);
        let info: ServerInfo = wrpc.call("getServerInfo", json!({})).await?;
        let expected = match &self.config.network {
            Some(network) => network,
            None => self.network.get_or_init(|| async { info.network_id.clone() }).await,
        };
        if *expected != info.network_id {
            let (got, expected) = (info.network_id, expected.clone());
            return Err(NodeError::WrongChain { endpoint: wrpc.name(), got, expected });
        }
        self.on_chain[index].store(true, Ordering::Relaxed);
        Ok(info)
    }

    async fn ensure_chain(&self, index: usize) -> Result<(), NodeError> {
        if self.on_chain[index].load(Ordering::Relaxed) {
            return Ok(());
        }
        self.check_chain(index).await.map(|_| ())
    }

    async fn health_at(&self, index: usize) -> Result<NodeHealth, NodeError> {
        let info = self.check_chain(index).await?;
        let peers: PeerInfo = self.wrpcs[index].call("getConnectedPeerInfo", json!({})).await?;
        let ready = info.is_synced || self.config.allow_unsynced;
        Ok(NodeHealth {
            ready,
            reason: if ready { String::new() } else { "the node is not synchronised".to_owned() },
            network: info.network_id,
            peers: u32::try_from(peers.peer_info.len()).ok(),
        })
    }

    async fn template_at(&self, index: usize, algorithm: &AlgorithmName) -> Result<Template, NodeError> {
        self.ensure_chain(index).await?;
        let wrpc = &self.wrpcs[index];
        let params = json!({"payAddress": self.config.payout_address, "extraData": self.config.coinbase_tag.as_bytes()});
        let answer: TemplateAnswer = wrpc.call("getBlockTemplate", params).await?;
        if !answer.is_synced && !self.config.allow_unsynced {
            let reason = "the node is not synchronised".to_owned();
            return Err(NodeError::NotReady { endpoint: wrpc.name(), reason });
        }
        let broken = |what: String| wrpc.protocol(format!("getBlockTemplate: {what}"));
        let header =
            Header::deserialize(&answer.block["header"]).map_err(|error| broken(error.to_string()))?;
        let network_target = Target::from_compact(header.bits).map_err(|error| broken(error.to_string()))?;
        let pre_pow_hash = header.hash(0, 0).map_err(broken)?;
        if !self.pays_us(&answer.block) {
            return Err(broken("its coinbase does not name the pool's payout address".to_owned()));
        }
        Ok(Template {
            id: next_template_id(),
            endpoint: index,
            algorithm: algorithm.clone(),
            parents: header.parents(),
            height: Some(header.blue_score),
            network_target,
            received_at: self.clock.now(),
            header: HeaderForm::PrePow { pre_pow_hash, timestamp_ms: header.timestamp },
            private: NodePrivate(Arc::new(Assembly { block: answer.block, header })),
        })
    }

    /// The coinbase's payload names who is paid by the merging block: blue score 8, subsidy 8, script version 2, script
    /// length 1, script, extra data (rusty-kaspa, `serialize_coinbase_payload`).
    fn pays_us(&self, block: &Value) -> bool {
        let payload = block["transactions"][0]["payload"].as_str().and_then(|text| hex::decode(text).ok());
        payload.is_some_and(|payload| {
            let named = payload
                .get(18)
                .map(|length| usize::from(*length))
                .and_then(|length| payload.get(19..19 + length));
            payload.get(16..18) == Some(&[0, 0]) && named == Some(self.payout_script.as_slice())
        })
    }

    async fn submit_at(&self, index: usize, block: &AssembledBlock) -> Result<SubmitVerdict, NodeError> {
        self.ensure_chain(index).await?;
        let wrpc = &self.wrpcs[index];
        let params: &RawValue = serde_json::from_slice(&block.payload)
            .map_err(|error| wrpc.protocol(format!("journalled block is not JSON: {error}")))?;
        let answer: SubmitAnswer =
            wrpc.call_within("submitBlock", params, SUBMIT_PATIENCE * self.config.call_timeout).await?;
        match answer.report {
            Report::Success => Ok(SubmitVerdict::Accepted),
            // One word for every broken rule. The issuer has the parents, so its word is final; unless the block is in
            // the DAG already.
            Report::Reject { reason } if reason == "blockInvalid" && index == block.endpoint => {
                if observe::knows(wrpc, block.hash).await? {
                    return Ok(SubmitVerdict::Accepted);
                }
                Ok(SubmitVerdict::Rejected("block is invalid (the node's log says why)".to_owned()))
            }
            Report::Reject { reason } => Err(NodeError::NotReady { endpoint: wrpc.name(), reason }),
        }
    }

    async fn observe_at(
        &self,
        index: usize,
        blocks: Vec<BlockHash>,
    ) -> Result<Vec<BlockObservation>, NodeError> {
        self.ensure_chain(index).await?;
        let wrpc = &self.wrpcs[index];
        let rules = observe::Finality {
            maturity: self.config.maturity,
            sink_blue_score: observe::sink_blue_score(wrpc).await?,
            merges_no_red: &self.merges_no_red,
        };
        let answers: Vec<_> = stream::iter(blocks)
            .map(|hash| observe::observe(wrpc, hash, &rules))
            .buffered(OBSERVE_AT_ONCE)
            .collect()
            .await;
        let mut observed = Vec::with_capacity(answers.len());
        let mut failure = None;
        for answer in answers {
            match answer {
                Ok(observation) => observed.push(observation),
                Err(error) => failure = Some(error),
            }
        }
        // What was learned counts; the rest is asked again next time.
        match failure {
            Some(error) if observed.is_empty() => Err(error),
            _ => Ok(observed),
        }
    }

    async fn recent_at(&self, index: usize, max: usize) -> Result<Vec<DagBlock>, NodeError> {
        self.ensure_chain(index).await?;
        observe::recent(&self.wrpcs[index], max).await
    }

    fn note_failure<T>(&self, index: usize, result: &Result<T, NodeError>) {
        if matches!(result, Err(error) if !matches!(error, NodeError::Rpc { .. })) {
            self.on_chain[index].store(false, Ordering::Relaxed);
        }
    }

    /// Runs a call with failover. An endpoint that failed must state its network again before it is used.
    async fn with_failover<'a, T>(
        &'a self,
        call: impl Fn(usize) -> BoxFuture<'a, Result<T, NodeError>> + Send + Sync,
    ) -> Result<T, NodeError>
    where
        T: Send + 'a,
    {
        self.endpoints
            .first_working(|index| {
                let call = call(index);
                async move {
                    let result = call.await;
                    self.note_failure(index, &result);
                    result
                }
                .boxed()
            })
            .await
    }
}

#[async_trait]
impl NodePort for KaspaNode {
    fn name(&self) -> &str {
        "kaspa"
    }

    async fn health(&self) -> Result<NodeHealth, NodeError> {
        self.endpoints
            .healthiest(|index| {
                async move {
                    let result = self.health_at(index).await;
                    self.note_failure(index, &result);
                    result
                }
                .boxed()
            })
            .await
    }

    async fn template(&self, algorithm: &AlgorithmName) -> Result<Template, NodeError> {
        if algorithm.as_str() != ALGORITHM {
            return Err(NodeError::Rpc {
                endpoint: "kaspa".to_owned(),
                code: -32602,
                message: format!("the chain profile has no algorithm {algorithm}"),
            });
        }
        self.with_failover(|index| self.template_at(index, algorithm).boxed()).await
    }

    fn assemble(&self, template: &Template, solution: &Solution) -> Result<AssembledBlock, NodeError> {
        let protocol = |what: String| NodeError::Protocol { endpoint: "kaspa".to_owned(), what };
        let private: &(dyn Any + Send + Sync) = template.private.0.as_ref();
        let assembly: &Assembly =
            private.downcast_ref().ok_or_else(|| protocol("template of another adapter".to_owned()))?;
        let hash = assembly.header.hash(solution.nonce, assembly.header.timestamp).map_err(protocol)?;
        let mut block = assembly.block.clone();
        block["header"]["nonce"] = solution.nonce.into();
        let payload = json!({"block": block, "allowNonDAABlocks": false}).to_string().into_bytes();
        Ok(AssembledBlock { hash: BlockHash(hash), endpoint: template.endpoint, payload })
    }

    async fn submit(&self, block: &AssembledBlock) -> Result<SubmitVerdict, NodeError> {
        // The issuer first: only it is sure to know the parents. After a restart the list may be shorter.
        let issuer = block.endpoint.min(self.wrpcs.len() - 1);
        let mut first_error = None;
        for index in std::iter::once(issuer).chain((0..self.wrpcs.len()).filter(|index| *index != issuer)) {
            let result = self.submit_at(index, block).await;
            self.note_failure(index, &result);
            match result {
                Ok(verdict) => return Ok(verdict),
                Err(error) => {
                    first_error.get_or_insert(error);
                }
            }
        }
        Err(first_error.expect("there is at least one endpoint"))
    }

    async fn observe(&self, blocks: &[BlockHash]) -> Result<Vec<BlockObservation>, NodeError> {
        self.with_failover(|index| self.observe_at(index, blocks.to_vec()).boxed()).await
    }

    async fn recent_blocks(&self, max: usize) -> Result<Vec<DagBlock>, NodeError> {
        self.with_failover(|index| self.recent_at(index, max).boxed()).await
    }

    async fn next_event(&self) -> NodeEvent {
        let mut listening = self.listening.lock().await;
        loop {
            if let Some(event) = listening.queue.pop_front() {
                return event;
            }
            self.listen(&mut listening).await;
        }
    }
}
