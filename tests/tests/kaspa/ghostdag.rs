//! The domain's GHOSTDAG against kaspad's: the simulated node colours blocks by the former and the pool is tested on it, so
//! an error in it would cancel out wherever both sides of a test use it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use futures_util::{SinkExt as _, StreamExt as _};
use pool_actors::{
    adapters::node_kaspa::KaspaNode,
    ports::node::{AssembledBlock, NodePort as _, SubmitVerdict},
};
use pool_domain::{
    ghostdag::{GhostdagData, GhostdagStore, ghostdag},
    ids::BlockHash,
    target::Target,
};
use pool_tests::{
    kaspad::{Kaspad, red_prone},
    solve::solve,
};
use ruint::aliases::U256;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{config, port, template};

/// As [`red_prone`] sets it.
const K: u16 = 3;
/// Templates that the two sides mine on before they hear of each other: equal and unequal rivals within k and beyond it.
const ROUNDS: [[u32; 2]; 9] = [[1, 1], [2, 1], [8, 5], [3, 3], [1, 4], [4, 4], [2, 0], [3, 7], [2, 2]];

/// A node of a network whose delays the test decides.
struct Side {
    node: KaspaNode,
    /// Blocks of the other side that are still on their way.
    arriving: VecDeque<AssembledBlock>,
}

struct Network {
    sides: [Side; 2],
    mined: u32,
}

impl Network {
    fn new(nodes: [&Kaspad; 2]) -> Self {
        let side = |node: &Kaspad| Side { node: port(config(vec![node.url()])), arriving: VecDeque::new() };
        Self { sides: nodes.map(side), mined: 0 }
    }

    /// Solves a template of this side as often as told: siblings.
    async fn mine(&mut self, at: usize, siblings: u32) {
        let template = template(&self.sides[at].node).await;
        for _ in 0..siblings {
            self.mined += 1;
            let block = self.sides[at].node.assemble(&template, &solve(&template, self.mined)).unwrap();
            self.take(at, &block).await;
            self.sides[1 - at].arriving.push_back(block);
        }
    }

    /// Delivers what is on its way to a side, the newest `left` blocks excepted.
    async fn deliver(&mut self, to: usize, left: usize) {
        while self.sides[to].arriving.len() > left {
            let block = self.sides[to].arriving.pop_front().unwrap();
            self.take(to, &block).await;
        }
    }

    async fn take(&self, at: usize, block: &AssembledBlock) {
        assert_eq!(self.sides[at].node.submit(block).await, Ok(SubmitVerdict::Accepted));
    }

    /// Two partitions of some blocks each, a block that its miner held back for as long, and a meeting that leaves some
    /// blocks on their way.
    async fn round(&mut self, index: usize, templates: [u32; 2]) {
        let held = template(&self.sides[0].node).await;
        for (at, count) in templates.into_iter().enumerate() {
            for step in 0..count {
                self.mine(at, 1 + u32::from((step as usize + index).is_multiple_of(4))).await;
            }
        }
        self.mined += 1;
        let late = self.sides[0].node.assemble(&held, &solve(&held, self.mined)).unwrap();
        self.take(0, &late).await;
        self.sides[1].arriving.push_back(late);
        self.deliver(0, index % 3).await;
        self.deliver(1, (index + 1) % 3).await;
    }
}

/// What kaspad says about a block.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    header: Header,
    verbose_data: Verbose,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    parents_by_level: Vec<Vec<BlockHash>>,
    bits: u32,
    blue_score: u64,
    blue_work: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Verbose {
    selected_parent_hash: BlockHash,
    merge_set_blues_hashes: Vec<BlockHash>,
    merge_set_reds_hashes: Vec<BlockHash>,
    is_chain_block: bool,
}

#[derive(Deserialize)]
struct BlockAnswer {
    block: Told,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DagInfo {
    tip_hashes: Vec<BlockHash>,
    virtual_parent_hashes: Vec<BlockHash>,
    sink: BlockHash,
}

impl Told {
    fn parents(&self) -> &[BlockHash] {
        self.header.parents_by_level.first().map_or(&[], Vec::as_slice)
    }
}

/// The whole DAG of a node, asked for from its tips down, without the pool's adapter.
async fn told_by(node: &Kaspad) -> (BTreeMap<BlockHash, Told>, DagInfo) {
    let (mut socket, _) = tokio_tungstenite::connect_async(node.url()).await.unwrap();
    let info: DagInfo = ask(&mut socket, "getBlockDagInfo", json!({})).await;
    let mut told = BTreeMap::new();
    let mut wanted = info.tip_hashes.clone();
    while let Some(hash) = wanted.pop() {
        if told.contains_key(&hash) {
            continue;
        }
        let params = json!({"hash": hash, "includeTransactions": false});
        let block = ask::<BlockAnswer>(&mut socket, "getBlock", params).await.block;
        wanted.extend_from_slice(block.parents());
        told.insert(hash, block);
    }
    (told, info)
}

async fn ask<T: DeserializeOwned>(
    socket: &mut tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>,
    method: &str,
    params: Value,
) -> T {
    let request = json!({"id": 1, "method": method, "params": params});
    socket.send(Message::text(request.to_string())).await.unwrap();
    let answer = socket.next().await.unwrap().unwrap();
    let mut answer: Value = serde_json::from_str(answer.to_text().unwrap()).unwrap();
    let result = answer["params"].take();
    serde_json::from_value(result).unwrap_or_else(|error| panic!("{method}: {error} in {answer}"))
}

/// The same DAG, coloured by the domain: of kaspad's answers only parents and bits are used.
#[derive(Default)]
struct Ours {
    parents: BTreeMap<BlockHash, Vec<BlockHash>>,
    work: BTreeMap<BlockHash, U256>,
    data: BTreeMap<BlockHash, GhostdagData<BlockHash>>,
}

impl GhostdagStore for Ours {
    type Hash = BlockHash;
    fn parents(&self, block: BlockHash) -> &[BlockHash] {
        &self.parents[&block]
    }
    fn ghostdag_data(&self, block: BlockHash) -> &GhostdagData<BlockHash> {
        &self.data[&block]
    }
    fn work(&self, block: BlockHash) -> U256 {
        self.work[&block]
    }
}

impl Ours {
    fn colour(told: &BTreeMap<BlockHash, Told>) -> Self {
        let mut ours = Self::default();
        let mut waiting: Vec<BlockHash> = told.keys().copied().collect();
        while !waiting.is_empty() {
            let before = waiting.len();
            waiting.retain(|hash| {
                let block = &told[hash];
                let ready = block.parents().iter().all(|parent| ours.data.contains_key(parent));
                if ready {
                    ours.add(*hash, block.parents().to_vec(), block.header.bits);
                }
                !ready
            });
            assert!(waiting.len() < before, "the blocks form no DAG");
        }
        ours
    }

    fn add(&mut self, hash: BlockHash, parents: Vec<BlockHash>, bits: u32) {
        let data = ghostdag(self, K, &parents);
        let work = Target::from_compact(bits).unwrap().work().unwrap();
        self.parents.insert(hash, parents);
        self.work.insert(hash, U256::from(work.0));
        self.data.insert(hash, data);
    }

    /// Asserts that kaspad says the same of a block.
    fn assert_agrees(&self, hash: BlockHash, told: &Told) {
        let data = &self.data[&hash];
        let work = U256::from_str_radix(&told.header.blue_work, 16).unwrap();
        assert_eq!((data.blue_score, data.blue_work), (told.header.blue_score, work), "{hash}");
        let verbose = &told.verbose_data;
        // Kaspad gives the genesis a virtual parent of all; to us it has none.
        let selected = (!told.parents().is_empty()).then_some(verbose.selected_parent_hash);
        assert_eq!(data.selected_parent, selected, "selected parent of {hash}");
        assert_eq!(data.mergeset_blues, verbose.merge_set_blues_hashes, "blues merged by {hash}");
        assert_eq!(data.mergeset_reds, verbose.merge_set_reds_hashes, "reds merged by {hash}");
    }

    /// The selected chain down from a block.
    fn chain(&self, from: BlockHash) -> BTreeSet<BlockHash> {
        std::iter::successors(Some(from), |block| self.data[block].selected_parent).collect()
    }
}

/// Asserts that the DAG has what GHOSTDAG is about, and prints how much of it.
fn assert_worth_comparing(ours: &Ours) {
    let families: BTreeSet<BTreeSet<BlockHash>> =
        ours.parents.values().map(|parents| parents.iter().copied().collect()).collect();
    let siblings = ours.parents.len() - families.len();
    let reds: BTreeSet<BlockHash> =
        ours.data.values().flat_map(|data| &data.mergeset_reds).copied().collect();
    let merged: usize = ours.data.values().map(|data| data.mergeset_blues.len().saturating_sub(1)).sum();
    let views: usize = ours.data.values().filter(|data| !data.mergeset_reds.is_empty()).count();
    let works: BTreeSet<U256> = ours.work.values().copied().collect();
    println!(
        "{} blocks compared: {siblings} siblings, {merged} blues merged from the side, {} reds in {views} mergesets, {} \
         difficulties",
        ours.parents.len(),
        reds.len(),
        works.len(),
    );
    assert!(siblings >= 10 && merged >= 10 && reds.len() >= 10, "the DAG is too plain to tell anything");
}

#[tokio::test]
async fn colours_scores_and_work_are_those_of_kaspad() {
    let mut consensus = red_prone();
    // The difficulty moves from block to block, so that the heaviest chain is not always the longest.
    consensus["min_difficulty_window_size"] = json!(8);
    consensus["difficulty_window_size"] = json!(60);
    consensus["blockrate"]["difficulty_sample_rate"] = json!(1);
    consensus["blockrate"]["target_time_per_block"] = json!(300);
    let nodes = [Kaspad::start(&consensus), Kaspad::start(&consensus)];
    let mut network = Network::new([&nodes[0], &nodes[1]]);
    for (index, templates) in ROUNDS.into_iter().enumerate() {
        network.round(index, templates).await;
    }
    network.deliver(0, 0).await;
    network.deliver(1, 0).await;
    network.mine(0, 1).await;
    network.deliver(1, 0).await;

    for node in &nodes {
        let (told, info) = told_by(node).await;
        assert_eq!(told.len(), network.mined as usize + 1, "all blocks and the genesis");
        let ours = Ours::colour(&told);
        for (hash, block) in &told {
            ours.assert_agrees(*hash, block);
        }
        assert_eq!(ghostdag(&ours, K, &info.virtual_parent_hashes).selected_parent, Some(info.sink));
        let chain: BTreeSet<BlockHash> = told
            .iter()
            .filter(|(_, block)| block.verbose_data.is_chain_block)
            .map(|(hash, _)| *hash)
            .collect();
        assert_eq!(ours.chain(info.sink), chain, "the selected chain");
        assert_worth_comparing(&ours);
    }
}
