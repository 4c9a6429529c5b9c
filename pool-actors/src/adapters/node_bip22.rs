//! Chain nodes with a JSON-RPC of qng/BIP22 shape: the simulated DAG node, and by further profiles the chains of that
//! family. A list of endpoints with failover and the way back; bounded time and size; typed errors for everything
//! that a broken node may answer.

mod events;
mod observe;
mod profile;
mod rpc;
mod template;
mod transaction;
mod wallet;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream};
use pool_domain::{
    ids::{AlgorithmName, BlockHash},
    merkle,
    share::Solution,
};
use serde::Deserialize;
use tokio::sync::{Mutex, OnceCell};

pub use profile::{Bip22Profile, SIMULATED};
pub use rpc::RpcEndpoint;
pub use template::EXTRANONCE_BYTES;
pub use wallet::{Bip22Wallet, shared as shared_wallet};

use self::{
    events::Listening,
    observe::Finality,
    profile::{Meaning, meaning},
    rpc::{NO_PARAMS, Rpc},
    template::{Assembly, Origin, WireTemplate},
};
use super::node_endpoints::Endpoints;
use crate::ports::{
    clock::SharedClock,
    node::{
        AssembledBlock, BlockObservation, DagBlock, NodeError, NodeEvent, NodeHealth, NodePort,
        SubmitVerdict, Template,
    },
};

/// Times the usual patience for the verdict on a block: to ask again is dearer than to wait.
const SUBMIT_PATIENCE: u32 = 4;
/// Blocks asked about at a time.
const OBSERVE_AT_ONCE: usize = 8;

/// How to reach and use the nodes of one chain.
#[derive(Debug, Clone)]
pub struct Bip22Config {
    /// What kind of chain.
    pub profile: &'static Bip22Profile,
    /// Endpoints, preferred one first; at least one.
    pub endpoints: Vec<RpcEndpoint>,
    /// Address that the pool is paid to, or a label of the node's wallet where the profile has one.
    pub payout_address: String,
    /// Text in the coinbase of our blocks.
    pub coinbase_tag: String,
    /// Network or chain id that every endpoint must state; without it, the first answer decides.
    pub network: Option<String>,
    /// Confirmations after which a block is final; without it, the node's own rule.
    pub maturity: Option<u64>,
    /// Longest time of an ordinary call.
    pub call_timeout: Duration,
}

/// [`NodePort`] for these nodes.
pub struct Bip22Node {
    config: Bip22Config,
    clock: SharedClock,
    rpcs: Vec<Rpc>,
    /// Per endpoint: its chain has been checked since it last failed.
    on_chain: Vec<AtomicBool>,
    /// Chain id and genesis that all endpoints must share.
    chain: OnceCell<(String, String)>,
    /// The address paid to, once a label is resolved.
    payout: OnceCell<String>,
    endpoints: Endpoints,
    listening: Mutex<Listening>,
}

#[derive(Deserialize)]
struct NodeInfo {
    network: String,
    chainid: String,
    genesis: String,
    connections: Option<u32>,
    blue_score: u64,
}

#[derive(Deserialize)]
struct TemplateHealth {
    mineable_now: bool,
    submit_ready: bool,
    #[serde(default)]
    reason_code: String,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
struct AddressValidity {
    isvalid: bool,
}

impl Bip22Node {
    /// A node port; connects to nothing yet.
    ///
    /// # Errors
    /// When no endpoint is given or the HTTP client can't be made.
    pub fn new(config: Bip22Config, clock: SharedClock) -> Result<Self, String> {
        if config.endpoints.is_empty() {
            return Err("a chain needs at least one node endpoint".to_owned());
        }
        // No proxy from the environment and no redirects: blocks and passwords go to the configured hosts only.
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(config.call_timeout)
            .tcp_nodelay(true)
            .build()
            .map_err(|error| format!("HTTP client: {error}"))?;
        let rpcs: Vec<Rpc> = config
            .endpoints
            .iter()
            .map(|endpoint| Rpc::new(http.clone(), endpoint.clone(), config.call_timeout))
            .collect();
        Ok(Self {
            endpoints: Endpoints::new(rpcs.len()),
            on_chain: rpcs.iter().map(|_| AtomicBool::new(false)).collect(),
            rpcs,
            chain: OnceCell::new(),
            payout: OnceCell::new(),
            listening: Mutex::new(Listening::default()),
            config,
            clock,
        })
    }

    /// Asks the endpoint which chain it is on.
    async fn check_chain(&self, index: usize) -> Result<NodeInfo, NodeError> {
        let rpc = &self.rpcs[index];
        self.on_chain[index].store(false, Ordering::Relaxed);
        let info: NodeInfo = rpc.call("getNodeInfo", NO_PARAMS).await?;
        let wrong = |expected: &str, got: &str| NodeError::WrongChain {
            endpoint: rpc.name(),
            got: got.to_owned(),
            expected: expected.to_owned(),
        };
        let states = [&info.chainid, &info.network];
        if let Some(expected) = self.config.network.as_ref().filter(|expected| !states.contains(expected)) {
            return Err(wrong(expected, &format!("{} ({})", info.network, info.chainid)));
        }
        let seen = (info.chainid.clone(), info.genesis.clone());
        let pinned = self.chain.get_or_init(|| async { seen.clone() }).await;
        if *pinned != seen {
            let text = |(id, genesis): &(String, String)| format!("{id} with genesis {genesis}");
            return Err(wrong(&text(pinned), &text(&seen)));
        }
        self.on_chain[index].store(true, Ordering::Relaxed);
        Ok(info)
    }

    /// Checks the chain once per endpoint, and again after it failed.
    async fn ensure_chain(&self, index: usize) -> Result<(), NodeError> {
        if self.on_chain[index].load(Ordering::Relaxed) {
            return Ok(());
        }
        self.check_chain(index).await.map(|_| ())
    }

    async fn health_at(&self, index: usize) -> Result<NodeHealth, NodeError> {
        let info = self.check_chain(index).await?;
        let health: TemplateHealth = self.rpcs[index].call("getTemplateHealth", NO_PARAMS).await?;
        let ready = health.mineable_now && health.submit_ready;
        let reason = match (ready, health.reason.is_empty()) {
            (true, _) => String::new(),
            (false, false) => health.reason,
            (false, true) => health.reason_code,
        };
        Ok(NodeHealth {
            ready,
            reason,
            network: format!("{} ({})", info.network, info.chainid),
            peers: info.connections,
        })
    }

    async fn template_at(
        &self,
        index: usize,
        algorithm: &AlgorithmName,
        pow_type: u32,
    ) -> Result<Template, NodeError> {
        self.ensure_chain(index).await?;
        let rpc = &self.rpcs[index];
        let payout = self.payout.get_or_try_init(|| self.payout_address(rpc)).await?;
        let params = (["coinbase/append", "longpoll"], pow_type, payout);
        let wire: WireTemplate =
            rpc.call("getBlockTemplate", params).await.map_err(|error| self.not_now(error))?;
        let origin = Origin {
            endpoint: index,
            algorithm,
            received_at: self.clock.now(),
            coinbase_tag: &self.config.coinbase_tag,
            version_mask: self.config.profile.version_mask,
        };
        wire.into_template(&origin).map_err(|what| rpc.protocol(format!("getBlockTemplate: {what}")))
    }

    /// The configured address, or the address that the node's wallet has for it as a label.
    async fn payout_address(&self, rpc: &Rpc) -> Result<String, NodeError> {
        let configured = &self.config.payout_address;
        if !self.config.profile.wallet_labels {
            return Ok(configured.clone());
        }
        let validity: AddressValidity = rpc.call("validateAddress", [configured]).await?;
        if validity.isvalid {
            return Ok(configured.clone());
        }
        let address: String = rpc.call("getNewAddress", [configured]).await?;
        tracing::info!(label = configured, address, "rewards are paid to the node's wallet");
        Ok(address)
    }

    /// An error that says "not now" is about the node, not about the question.
    fn not_now(&self, error: NodeError) -> NodeError {
        match error {
            NodeError::Rpc { endpoint, message, .. }
                if meaning(self.config.profile, &message, true) == Meaning::NotNow =>
            {
                NodeError::NotReady { endpoint, reason: message }
            }
            other => other,
        }
    }

    async fn submit_at(&self, index: usize, block: &AssembledBlock) -> Result<SubmitVerdict, NodeError> {
        self.ensure_chain(index).await?;
        let answer = self.rpcs[index]
            .call_within::<Submitted>(
                "submitBlock",
                [hex::encode(&block.payload)],
                SUBMIT_PATIENCE * self.config.call_timeout,
            )
            .await;
        match answer {
            Ok(submitted) if submitted.hash == block.hash => Ok(SubmitVerdict::Accepted),
            Ok(submitted) => Err(self.rpcs[index]
                .protocol(format!("submitBlock: took block {} as {}", block.hash, submitted.hash))),
            Err(NodeError::Rpc { endpoint, code, message }) => {
                match meaning(self.config.profile, &message, index == block.endpoint) {
                    Meaning::Known => Ok(SubmitVerdict::Accepted),
                    Meaning::Final => Ok(SubmitVerdict::Rejected(message)),
                    Meaning::NotNow => Err(NodeError::NotReady { endpoint, reason: message }),
                    Meaning::Unclear => Err(NodeError::Rpc { endpoint, code, message }),
                }
            }
            Err(error) => Err(error),
        }
    }

    async fn observe_at(
        &self,
        index: usize,
        blocks: Vec<BlockHash>,
    ) -> Result<Vec<BlockObservation>, NodeError> {
        self.ensure_chain(index).await?;
        let rpc = &self.rpcs[index];
        let info: NodeInfo = rpc.call("getNodeInfo", NO_PARAMS).await?;
        let rules = Finality {
            maturity: self.config.maturity,
            merge_depth: self.config.profile.merge_depth,
            tip: info.blue_score,
        };
        let answers: Vec<_> = stream::iter(blocks)
            .map(|hash| observe::observe(rpc, hash, &rules))
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
        observe::recent(&self.rpcs[index], max).await
    }

    /// Runs a call with failover. An endpoint that failed must state its chain again before it is used.
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

    fn note_failure<T>(&self, index: usize, result: &Result<T, NodeError>) {
        if matches!(result, Err(error) if !matches!(error, NodeError::Rpc { .. })) {
            self.on_chain[index].store(false, Ordering::Relaxed);
        }
    }
}

#[derive(Deserialize)]
struct Submitted {
    hash: BlockHash,
}

#[async_trait]
impl NodePort for Bip22Node {
    fn name(&self) -> &str {
        self.config.profile.name
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
        let pow_type = self.config.profile.pow_type(algorithm).ok_or_else(|| NodeError::Rpc {
            endpoint: self.config.profile.name.to_owned(),
            code: -32602,
            message: format!("the chain profile has no algorithm {algorithm}"),
        })?;
        self.with_failover(|index| self.template_at(index, algorithm, pow_type).boxed()).await
    }

    fn assemble(&self, template: &Template, solution: &Solution) -> Result<AssembledBlock, NodeError> {
        let protocol =
            |what: String| NodeError::Protocol { endpoint: self.config.profile.name.to_owned(), what };
        let assembly =
            Assembly::of(template).ok_or_else(|| protocol("template of another adapter".to_owned()))?;
        let (header, payload) = assembly.block(solution).map_err(protocol)?;
        let hash = BlockHash::from_internal(merkle::sha256d(&header));
        Ok(AssembledBlock { hash, endpoint: template.endpoint, payload })
    }

    async fn submit(&self, block: &AssembledBlock) -> Result<SubmitVerdict, NodeError> {
        // The issuer first: only it is sure to know the parents. After a restart the list may be shorter.
        let issuer = block.endpoint.min(self.rpcs.len() - 1);
        let mut first_error = None;
        for index in std::iter::once(issuer).chain((0..self.rpcs.len()).filter(|index| *index != issuer)) {
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
