//! What the node says of blocks: colour, depth, reward.

use pool_domain::{
    ids::BlockHash,
    maturity::Color,
    units::{Amount, TimeMs},
};
use serde::Deserialize;

use super::rpc::{NO_PARAMS, Rpc};
use crate::ports::node::{BlockObservation, DagBlock, NodeError};

/// `getBlockRewardInfo`: the rule of chains that pay a block in the block that merges it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireReward {
    block_color: WireColor,
    confirmation_count: Option<u64>,
    merging_chain_block_hash: Option<BlockHash>,
    reward_amount: Option<u64>,
    is_mature: bool,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum WireColor {
    Unknown,
    Blue,
    Red,
}

impl From<WireColor> for Color {
    fn from(color: WireColor) -> Self {
        match color {
            WireColor::Unknown => Self::Unknown,
            WireColor::Blue => Self::Blue,
            WireColor::Red => Self::Red,
        }
    }
}

/// What of `getBlock` and `getBlocksFrom` is used.
#[derive(Debug, Deserialize)]
pub(super) struct WireBlock {
    hash: BlockHash,
    height: Option<u64>,
    blue_score: u64,
    parents: Vec<BlockHash>,
    /// Unix seconds.
    time: u64,
    color: Option<WireColor>,
    #[serde(default)]
    is_chain_block: bool,
    red_reward_amount: Option<u64>,
}

impl WireBlock {
    pub(super) fn into_dag_block(self) -> DagBlock {
        DagBlock {
            hash: self.hash,
            parents: self.parents,
            height: self.height,
            color: self.color.map_or(Color::Unknown, Color::from),
            at: TimeMs(self.time.saturating_mul(1_000)),
        }
    }
}

/// When colour and reward are final.
pub(super) struct Finality {
    /// Confirmations that make a block final, instead of the node's own rule.
    pub(super) maturity: Option<u64>,
    /// See [`super::Bip22Profile::merge_depth`].
    pub(super) merge_depth: u64,
    /// Blue score of the main tip.
    pub(super) tip: u64,
}

impl Finality {
    /// Whether a block that nobody has merged yet can't be merged any more.
    fn left_behind(&self, blue_score: u64) -> bool {
        self.tip.saturating_sub(blue_score) > self.merge_depth
    }
}

/// Whether an error says that the node does not know the block.
fn is_unknown_block(error: &NodeError) -> bool {
    matches!(error, NodeError::Rpc { message, .. } if message.to_ascii_lowercase().contains("block not found"))
}

/// One block. The coinbase of the block itself never counts as its reward: the merging block pays. What it collected
/// for red blocks counts only while it is on the selected chain, since only there its coinbase takes effect.
pub(super) async fn observe(
    rpc: &Rpc,
    hash: BlockHash,
    rules: &Finality,
) -> Result<BlockObservation, NodeError> {
    let reward = match rpc.call::<WireReward>("getBlockRewardInfo", [hash]).await {
        Ok(reward) => reward,
        Err(error) if is_unknown_block(&error) => return Ok(unknown(hash)),
        Err(error) => return Err(error),
    };
    let block = match rpc.call::<WireBlock>("getBlock", (hash, true)).await {
        Ok(block) => block,
        Err(error) if is_unknown_block(&error) => return Ok(unknown(hash)),
        Err(error) => return Err(error),
    };
    if block.hash != hash {
        return Err(rpc.protocol(format!("getBlock: asked for {hash}, got {}", block.hash)));
    }
    if matches!(reward.block_color, WireColor::Unknown) && rules.left_behind(block.blue_score) {
        return Ok(BlockObservation {
            known: true,
            color: Color::Red,
            mature: true,
            reward: Some(Amount::ZERO),
            height: block.height,
            parents: block.parents,
            ..unknown(hash)
        });
    }
    let color = Color::from(reward.block_color);
    let confirmations = reward.confirmation_count.unwrap_or(0);
    let deep = rules.maturity.map_or(reward.is_mature, |maturity| confirmations >= maturity);
    let red_merge_income = block.red_reward_amount.filter(|amount| block.is_chain_block && *amount > 0);
    Ok(BlockObservation {
        hash,
        known: true,
        color,
        confirmations,
        mature: deep && color != Color::Unknown,
        reward: reward.reward_amount.map(|amount| Amount(i128::from(amount))),
        red_merge_income: red_merge_income.map(|amount| Amount(i128::from(amount))),
        merging_block: reward.merging_chain_block_hash,
        height: block.height,
        parents: block.parents,
    })
}

fn unknown(hash: BlockHash) -> BlockObservation {
    BlockObservation {
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
    }
}

/// The newest blocks in the DAG's order.
pub(super) async fn recent(rpc: &Rpc, max: usize) -> Result<Vec<DagBlock>, NodeError> {
    let ordered: u64 = rpc.call("getBlockCount", NO_PARAMS).await?;
    let count = u64::try_from(max).unwrap_or(u64::MAX).min(1_000);
    let blocks: Vec<WireBlock> = rpc.call("getBlocksFrom", (ordered.saturating_sub(count), count)).await?;
    Ok(blocks.into_iter().map(WireBlock::into_dag_block).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_beyond_the_merge_depth_is_left_behind() {
        let rules = Finality { maturity: None, merge_depth: 100, tip: 500 };
        assert!(!rules.left_behind(400) && rules.left_behind(399) && !rules.left_behind(600));
    }
}
