//! What the pool asks of a chain node. Nothing here assumes one height, one parent, a 4-byte nonce or one reward per
//! block: a template names its parents, and how a header is made from a solution is data ([`HeaderForm`]).

use std::{any::Any, fmt, sync::Arc};

use async_trait::async_trait;
use pool_domain::{
    ids::{AlgorithmName, BlockHash, TemplateId},
    share::Solution,
    target::Target,
    units::{Amount, TimeMs, Work},
};
use serde::{Deserialize, Serialize};

/// A unit of work as a node hands it out, in the pool's own words.
#[derive(Debug)]
pub struct Template {
    /// Number given by the pool, unique for the life of the process.
    pub id: TemplateId,
    /// Index of the endpoint (in the order of the configuration) that issued the template and is to get its blocks.
    pub endpoint: usize,
    /// Proof-of-work function of the block.
    pub algorithm: AlgorithmName,
    /// Parents of the block to be, main (selected) parent first.
    pub parents: Vec<BlockHash>,
    /// Height or blue score, for people only; identity is the block hash.
    pub height: Option<u64>,
    /// A hash at or below this target is a block.
    pub network_target: Target,
    /// When the pool received it.
    pub received_at: TimeMs,
    /// How a header is made.
    pub header: HeaderForm,
    /// What the adapter needs to assemble the block; opaque to everyone else.
    pub private: NodePrivate,
}

/// The ways in which a solution becomes the 80 bytes that are hashed.
#[derive(Debug, Clone)]
pub enum HeaderForm {
    /// Bitcoin layout: the coinbase carries the extranonce, branches lead to the Merkle root.
    Coinbase {
        /// Block version.
        version: u32,
        /// Previous block (or root over the parents), as its bytes stand in the header.
        previous: [u8; 32],
        /// Serialised coinbase before the extranonce.
        coinbase1: Vec<u8>,
        /// Serialised coinbase after the extranonce.
        coinbase2: Vec<u8>,
        /// Merkle branches, header byte order.
        branches: Vec<[u8; 32]>,
        /// Compact target.
        bits: u32,
        /// Proposed time, Unix seconds.
        time: u32,
        /// Earliest and latest time the node accepts, Unix seconds.
        time_range: (u32, u32),
        /// Bits of the version that a miner may roll (BIP320).
        version_mask: u32,
    },
    /// BlockDAG's 80-byte mining header: the root is made of the extranonce alone.
    BdagMining {
        /// Version, as its bytes stand in the header.
        version: [u8; 4],
        /// Previous block, as its bytes stand in the header.
        previous: [u8; 32],
        /// Compact target, as its bytes stand in the header.
        bits: [u8; 4],
        /// Proposed time, as its bytes stand in the header.
        time: [u8; 4],
    },
    /// Kaspa: hash of the header without time and nonce, the fixed time, and an 8-byte nonce.
    PrePow {
        /// blake2b-256 keyed "BlockHash" over the header with nonce = time = 0.
        pre_pow_hash: [u8; 32],
        /// Header time in milliseconds; never rolled.
        timestamp_ms: u64,
    },
}

/// Adapter-private part of a template.
#[derive(Clone)]
pub struct NodePrivate(pub Arc<dyn Any + Send + Sync>);

impl fmt::Debug for NodePrivate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodePrivate")
    }
}

/// A solved block, ready to be journalled and sent. `payload` is what the adapter sends, byte for byte, on every try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssembledBlock {
    /// Identity of the block, display byte order.
    pub hash: BlockHash,
    /// Endpoint that issued the template.
    pub endpoint: usize,
    /// Bytes of the submission in the adapter's own form.
    pub payload: Vec<u8>,
}

/// The node's definite answer to a submitted block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SubmitVerdict {
    /// The node took the block, now or before ("already have block").
    Accepted,
    /// The node refused it for good, in its own words.
    Rejected(String),
}

/// Whether the node can be mined on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NodeHealth {
    /// Blocks may be mined and submitted now.
    pub ready: bool,
    /// Why not, in words for an operator; empty when ready.
    pub reason: String,
    /// Name of the network as the node states it.
    pub network: String,
    /// Peers, where the node says.
    pub peers: Option<u32>,
}

/// Colour of a block in a DAG. Provisional until the block is mature.
pub use pool_domain::maturity::Color;

/// What the node says of a block of ours at this moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockObservation {
    /// The block.
    pub hash: BlockHash,
    /// Known to the node at all?
    pub known: bool,
    /// Unknown, blue or red.
    pub color: Color,
    /// Depth in the chain's own measure.
    pub confirmations: u64,
    /// Deep enough by the profile's maturity rule: colour and reward are final.
    pub mature: bool,
    /// Reward in the chain's smallest unit, once known.
    pub reward: Option<Amount>,
    /// Income for red blocks that this block merged, booked by itself.
    pub red_merge_income: Option<Amount>,
    /// The block that merged (and pays) it, where the chain has such.
    pub merging_block: Option<BlockHash>,
    /// Height or blue score, for display.
    pub height: Option<u64>,
    /// Parents, for display.
    pub parents: Vec<BlockHash>,
}

/// A block seen in the DAG, ours or not, for the dashboard's picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DagBlock {
    /// Identity.
    pub hash: BlockHash,
    /// Parents, main parent first.
    pub parents: Vec<BlockHash>,
    /// Height or blue score.
    pub height: Option<u64>,
    /// Colour, where the node can say.
    pub color: Color,
    /// Header time.
    pub at: TimeMs,
}

/// Something the node told without being asked.
#[derive(Debug, Clone)]
pub enum NodeEvent {
    /// A new template may be had. `clean` when the node says that work in hand has become worthless.
    NewTemplate {
        /// Work in hand is invalid by the node's word.
        clean: bool,
    },
    /// A block joined the DAG.
    BlockAdded(DagBlock),
    /// The virtual chain changed: colours may have flipped.
    Reorganised,
    /// The endpoint in use changed or was lost; health is to be asked anew.
    ConnectionChanged,
}

/// Failures of a node, told apart by what the pool does about them.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum NodeError {
    /// No answer (refused, reset, timed out): try again, or another endpoint.
    #[error("node {endpoint}: {what}")]
    Unreachable {
        /// Host and port.
        endpoint: String,
        /// What happened.
        what: String,
    },
    /// It answered, but not in its protocol.
    #[error("node {endpoint} answered rubbish: {what}")]
    Protocol {
        /// Host and port.
        endpoint: String,
        /// What was wrong.
        what: String,
    },
    /// It answered with an error of its own.
    #[error("node {endpoint} refused: {message} (code {code})")]
    Rpc {
        /// Host and port.
        endpoint: String,
        /// JSON-RPC code.
        code: i64,
        /// Its words.
        message: String,
    },
    /// It is up but can't be mined on now.
    #[error("node {endpoint} is not ready: {reason}")]
    NotReady {
        /// Host and port.
        endpoint: String,
        /// Why.
        reason: String,
    },
    /// It serves another chain than configured.
    #[error("node {endpoint} is on the wrong chain: got {got}, expected {expected}")]
    WrongChain {
        /// Host and port.
        endpoint: String,
        /// Its network.
        got: String,
        /// The configured one.
        expected: String,
    },
}

/// A chain node (or a list of them, with failover inside the adapter).
#[async_trait]
pub trait NodePort: Send + Sync + 'static {
    /// Short name for logs, metrics and the dashboard, e.g. `simulated`.
    fn name(&self) -> &str;

    /// Is the node in use ready to be mined on? Also checks the chain.
    ///
    /// # Errors
    /// When no endpoint answers in its protocol and on the configured chain.
    async fn health(&self) -> Result<NodeHealth, NodeError>;

    /// A fresh template for `algorithm`.
    ///
    /// # Errors
    /// As [`NodePort::health`], and when the node has no work of this algorithm.
    async fn template(&self, algorithm: &AlgorithmName) -> Result<Template, NodeError>;

    /// Makes the submission of a solved template; pure, no I/O, so that it works while the node is away.
    ///
    /// # Errors
    /// When `template` was not made by this adapter or the solution does not fit it.
    fn assemble(&self, template: &Template, solution: &Solution) -> Result<AssembledBlock, NodeError>;

    /// Submits, once, to the endpoint that issued the template (or another one if that is gone).
    ///
    /// # Errors
    /// Any error means "no verdict yet, try again": a definite refusal is `Ok(Rejected)`.
    async fn submit(&self, block: &AssembledBlock) -> Result<SubmitVerdict, NodeError>;

    /// What the node says of these blocks now. Red or blue is provisional until `mature`.
    ///
    /// # Errors
    /// When no endpoint answers.
    async fn observe(&self, blocks: &[BlockHash]) -> Result<Vec<BlockObservation>, NodeError>;

    /// Recent blocks of the DAG, newest last, for the dashboard.
    ///
    /// # Errors
    /// When no endpoint answers.
    async fn recent_blocks(&self, max: usize) -> Result<Vec<DagBlock>, NodeError>;

    /// Next unsolicited event; pends for ever where the node offers no push (the caller also polls).
    async fn next_event(&self) -> NodeEvent;
}

/// A node shared by template, submitter and maturity actors.
pub type SharedNode = Arc<dyn NodePort>;

/// Network work of a target, for windows and effort.
///
/// # Errors
/// When the target is absurdly easy (see [`Target::work`]).
pub fn network_work(template: &Template) -> Result<Work, pool_domain::target::TargetError> {
    template.network_target.work()
}
