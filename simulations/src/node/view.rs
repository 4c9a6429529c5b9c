//! What a block with given parents sees and must contain: the virtual block, a template, or a block being checked.

use bitcoin::{ScriptBuf, Transaction};
use pool_domain::ghostdag::{GhostdagData, ghostdag, ordered_mergeset};

use super::block::Id;
use super::config::NodeConfig;
use super::dag::{Dag, Merge, Reward};
use super::utxo::{Overlay, UtxoSet};

/// Chain blocks whose median time bounds the next block's time.
const MEDIAN_BLOCKS: usize = 11;

/// The place of a block in the DAG before the block exists.
#[derive(Debug, Clone)]
pub struct View {
    /// The selected parent first, then ascending.
    pub parents: Vec<Id>,
    /// Colours of the mergeset.
    pub data: GhostdagData<Id>,
    /// Selected parent's + 1.
    pub height: u64,
    /// Earliest valid time.
    pub median_time: u32,
    /// Coins and rewards.
    pub merge: Merge,
}

impl View {
    /// The selected parent; every view but the genesis' has one.
    pub fn selected_parent(&self) -> Id {
        self.parents[0]
    }
}

/// Parents, colours, height and time of a block with these parents; coins and rewards follow with [`merge`].
pub fn place(dag: &Dag, k: u16, parents: impl IntoIterator<Item = Id>) -> View {
    let mut parents: Vec<Id> = parents.into_iter().collect();
    parents.sort_unstable();
    let data = ghostdag(dag, k, &parents);
    if let Some(at) = parents.iter().position(|&parent| Some(parent) == data.selected_parent) {
        parents[..=at].rotate_right(1);
    }
    let mut times = Vec::with_capacity(MEDIAN_BLOCKS);
    let mut at = data.selected_parent;
    while let Some(id) = at.filter(|_| times.len() < MEDIAN_BLOCKS) {
        times.push(dag.known(id).block.header.time);
        at = dag.known(id).data.selected_parent;
    }
    times.sort_unstable();
    let median_time = times.get(times.len() / 2).copied().unwrap_or(0);
    let height = data.selected_parent.map_or(0, |parent| dag.known(parent).height + 1);
    View { parents, data, height, median_time, merge: Merge::default() }
}

/// Merges the mergeset of a view: which transactions count, who earns what. `coins` must stand at the view of the selected
/// parent.
pub fn merge(dag: &Dag, config: &NodeConfig, data: &GhostdagData<Id>, coins: &UtxoSet) -> Merge {
    let mut overlay = Overlay::new(coins);
    let mut accepted = Vec::new();
    let mut rewards = Vec::new();
    let mut red_reward = 0_u64;
    for id in ordered_mergeset(dag, data) {
        let block = dag.known(id);
        // Only the chain's coinbases count; those of other blocks would pay the same mergesets again.
        if Some(id) == data.selected_parent
            && let Some(coinbase) = block.block.transactions.first()
        {
            overlay.create(coinbase.compute_txid(), coinbase, block.data.blue_score, true);
        }
        let mut fees = 0_u64;
        for transaction in block.block.transactions.iter().skip(1) {
            let Ok(paid) = overlay.inputs_value(transaction, data.blue_score, config.coinbase_maturity)
            else {
                continue;
            };
            let Some(fee) = paid.checked_sub(outputs_value(transaction)) else { continue };
            overlay.spend(transaction);
            let txid = transaction.compute_txid();
            overlay.create(txid, transaction, data.blue_score, false);
            accepted.push(txid);
            fees += fee;
        }
        let Some(script) = &block.claim else { continue };
        let amount = config.subsidy + fees;
        if data.mergeset_blues.contains(&id) {
            rewards.push(Reward { block: id, amount, script: script.clone() });
        } else {
            red_reward += amount;
        }
    }
    // The order of the mandatory outputs is that of the blues, not the order of acceptance; they are the same but for reds.
    Merge { diff: overlay.into_diff(), accepted, rewards, red_reward }
}

/// Sum of a transaction's outputs, saturating: more than there is never passes the comparison with the inputs.
pub fn outputs_value(transaction: &Transaction) -> u64 {
    transaction.output.iter().fold(0, |sum, output| output.value.to_sat().saturating_add(sum))
}

/// What a coinbase at this place pays, in order: blues, then the miner's own output with what the reds forfeit.
pub fn coinbase_outputs(merge: &Merge, own: &ScriptBuf) -> Vec<(ScriptBuf, u64)> {
    let blues = merge.rewards.iter().map(|reward| (reward.script.clone(), reward.amount));
    blues.chain([(own.clone(), merge.red_reward)]).collect()
}
