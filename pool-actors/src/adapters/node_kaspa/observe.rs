//! What kaspad says of blocks: colour, depth, reward, and the DAG around them.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
};

use pool_domain::{
    ids::BlockHash,
    maturity::Color,
    units::{Amount, TimeMs},
};
use serde::Deserialize;
use serde_json::json;

use super::{header::Header, wrpc::Wrpc};
use crate::ports::node::{BlockObservation, DagBlock, NodeError};

/// A block that nobody has merged when the sink's blue score is so far ahead can't be merged any more (the network's
/// merge depth at 10 blocks per second).
const MERGE_DEPTH: u64 = 36_000;
/// Blocks remembered in [`MergesNoRed`].
const MERGES_NO_RED_MAX: usize = 16_384;
/// Steps back along the selected chain from which recent blocks are read.
const RECENT_CHAIN_STEPS: usize = 24;

/// When colour and reward are final, and what need not be asked again.
pub(super) struct Finality<'a> {
    /// Confirmations of the merging block.
    pub(super) maturity: u64,
    /// Blue score of the tip of the selected chain.
    pub(super) sink_blue_score: u64,
    pub(super) merges_no_red: &'a MergesNoRed,
}

/// Blocks that merge no red block. That never changes, so they are not asked about a second time.
#[derive(Default)]
pub(super) struct MergesNoRed(Mutex<HashSet<BlockHash>>);

impl MergesNoRed {
    fn with<T>(&self, f: impl FnOnce(&mut HashSet<BlockHash>) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn holds(&self, hash: BlockHash) -> bool {
        self.with(|known| known.contains(&hash))
    }

    fn note(&self, hash: BlockHash) {
        self.with(|known| {
            // Forgetting costs a question per block, no more.
            if known.len() >= MERGES_NO_RED_MAX {
                known.clear();
            }
            known.insert(hash);
        });
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RewardInfo {
    header: Header,
    block_color: WireColor,
    confirmation_count: Option<u64>,
    merging_chain_block_hash: Option<BlockHash>,
    reward_amount: Option<u64>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WireColor {
    Unknown,
    Blue,
    Red,
}

#[derive(Deserialize)]
struct BlockAnswer {
    block: Block,
}

/// What of a block is used.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Block {
    header: Header,
    transactions: Vec<Transaction>,
    verbose_data: Option<Verbose>,
}

#[derive(Deserialize)]
struct Transaction {
    outputs: Vec<Output>,
}

#[derive(Deserialize)]
struct Output {
    value: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Verbose {
    hash: BlockHash,
    selected_parent_hash: BlockHash,
    #[serde(default)]
    pub(super) merge_set_blues_hashes: Vec<BlockHash>,
    #[serde(default)]
    pub(super) merge_set_reds_hashes: Vec<BlockHash>,
    #[serde(default)]
    is_chain_block: bool,
}

impl Block {
    /// The block for the picture of the DAG, and what it merges.
    pub(super) fn into_dag_block(self) -> Option<(DagBlock, Verbose)> {
        let verbose = self.verbose_data?;
        let block = DagBlock {
            hash: verbose.hash,
            parents: self.header.parents(),
            height: Some(self.header.blue_score),
            color: Color::Unknown,
            at: TimeMs(self.header.timestamp),
        };
        Some((block, verbose))
    }
}

/// Whether an error says that the node does not know the block.
fn is_unknown_block(error: &NodeError) -> bool {
    matches!(error, NodeError::Rpc { message, .. } if message.to_ascii_lowercase().contains("cannot find"))
}

/// Whether the node has the block.
pub(super) async fn knows(wrpc: &Wrpc, hash: BlockHash) -> Result<bool, NodeError> {
    match get_block(wrpc, hash, false).await {
        Ok(_) => Ok(true),
        Err(error) if is_unknown_block(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn get_block(wrpc: &Wrpc, hash: BlockHash, transactions: bool) -> Result<Block, NodeError> {
    let params = json!({"hash": hash, "includeTransactions": transactions});
    Ok(wrpc.call::<BlockAnswer>("getBlock", params).await?.block)
}

/// One block. It is final when the block that merges it is `maturity` deep: its output in that block's coinbase, whose
/// DAA score grows at least as fast as the blue score that confirmations count, can be spent then.
pub(super) async fn observe(
    wrpc: &Wrpc,
    hash: BlockHash,
    rules: &Finality<'_>,
) -> Result<BlockObservation, NodeError> {
    let info = match wrpc.call::<RewardInfo>("getBlockRewardInfo", json!({"hash": hash})).await {
        Ok(info) => info,
        Err(error) if is_unknown_block(&error) => {
            return Ok(BlockObservation {
                hash,
                known: false,
                color: Color::Unknown,
                confirmations: 0,
                mature: false,
                reward: None,
                red_merge_income: None,
                merging_block: None,
                height: None,
                parents: Vec::new(),
            });
        }
        Err(error) => return Err(error),
    };
    let left_behind = rules.sink_blue_score.saturating_sub(info.header.blue_score) > MERGE_DEPTH;
    let color = match info.block_color {
        WireColor::Unknown if left_behind => Color::Red,
        WireColor::Unknown => Color::Unknown,
        WireColor::Blue => Color::Blue,
        WireColor::Red => Color::Red,
    };
    let confirmations = info.confirmation_count.unwrap_or(0);
    // Never merged, and never to be: no confirmations will come.
    let lost = color == Color::Red && info.confirmation_count.is_none();
    let red_merge_income = match color {
        Color::Blue if !rules.merges_no_red.holds(hash) => {
            red_merge_income(wrpc, hash, rules.merges_no_red).await?
        }
        Color::Unknown | Color::Blue | Color::Red => None,
    };
    // kaspad's `rewardAmount` of a chain block is its reward and what it collected for reds, added up.
    let total = info.reward_amount.map(|amount| Amount(i128::from(amount)));
    let own = total.and_then(|total| total.checked_sub(red_merge_income.unwrap_or(Amount::ZERO)));
    Ok(BlockObservation {
        hash,
        known: true,
        color,
        confirmations,
        mature: color != Color::Unknown && (lost || confirmations >= rules.maturity),
        reward: match color {
            Color::Blue => own,
            Color::Red => Some(Amount::ZERO),
            Color::Unknown => None,
        },
        red_merge_income,
        merging_block: info.merging_chain_block_hash,
        height: Some(info.header.blue_score),
        parents: info.header.parents(),
    })
}

/// What the block collects for the red blocks it merges: one more output after those of the blues, in its own coinbase,
/// which counts only while the block is on the selected chain (rusty-kaspa, `expected_coinbase_transaction`).
async fn red_merge_income(
    wrpc: &Wrpc,
    hash: BlockHash,
    merges_no_red: &MergesNoRed,
) -> Result<Option<Amount>, NodeError> {
    let plain = get_block(wrpc, hash, false).await?;
    let Some(verbose) = plain.verbose_data else { return Ok(None) };
    if verbose.merge_set_reds_hashes.is_empty() {
        merges_no_red.note(hash);
        return Ok(None);
    }
    if !verbose.is_chain_block {
        return Ok(None);
    }
    let full = get_block(wrpc, hash, true).await?;
    let blues = full.verbose_data.map_or(0, |verbose| verbose.merge_set_blues_hashes.len());
    let outputs = full.transactions.first().map_or(&[][..], |coinbase| coinbase.outputs.as_slice());
    Ok(outputs.last().filter(|_| outputs.len() == blues + 1).map(|output| Amount(i128::from(output.value))))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SinkBlueScore {
    blue_score: u64,
}

/// Blue score of the tip of the selected chain.
pub(super) async fn sink_blue_score(wrpc: &Wrpc) -> Result<u64, NodeError> {
    Ok(wrpc.call::<SinkBlueScore>("getSinkBlueScore", json!({})).await?.blue_score)
}

#[derive(Deserialize)]
struct DagInfo {
    sink: BlockHash,
}

#[derive(Deserialize)]
struct Blocks {
    blocks: Vec<Block>,
}

/// The newest blocks, coloured by the chain blocks among them that merge them.
pub(super) async fn recent(wrpc: &Wrpc, max: usize) -> Result<Vec<DagBlock>, NodeError> {
    let mut low = wrpc.call::<DagInfo>("getBlockDagInfo", json!({})).await?.sink;
    for _ in 0..RECENT_CHAIN_STEPS.min(max) {
        match get_block(wrpc, low, false).await {
            Ok(Block { verbose_data: Some(verbose), header, .. }) if !header.parents().is_empty() => {
                low = verbose.selected_parent_hash;
            }
            Ok(_) => break,
            // Pruned away: what came before will do.
            Err(error) if is_unknown_block(&error) => break,
            Err(error) => return Err(error),
        }
    }
    let params = json!({"lowHash": low, "includeBlocks": true, "includeTransactions": false});
    let blocks = wrpc.call::<Blocks>("getBlocks", params).await?.blocks;
    let blocks: Vec<(DagBlock, Verbose)> = blocks.into_iter().filter_map(Block::into_dag_block).collect();
    let mut colours = HashMap::new();
    for (_, verbose) in blocks.iter().filter(|(_, verbose)| verbose.is_chain_block) {
        colours.extend(verbose.merge_set_blues_hashes.iter().map(|hash| (*hash, Color::Blue)));
        colours.extend(verbose.merge_set_reds_hashes.iter().map(|hash| (*hash, Color::Red)));
    }
    let skip = blocks.len().saturating_sub(max);
    let coloured = blocks.into_iter().skip(skip).map(|(mut block, _)| {
        block.color = colours.get(&block.hash).copied().unwrap_or_default();
        block
    });
    Ok(coloured.collect())
}
