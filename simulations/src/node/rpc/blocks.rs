//! Blocks, colours, rewards.

use serde_json::{Value, json};

use super::template::hashes;
use super::{Params, RpcError};
use crate::node::block::Id;
use crate::node::core::{Core, strings};
use crate::node::dag::{Colour, Stored};
use crate::node::difficulty::target_of;
use crate::node::errors::Refusal;
use crate::node::wallet::address_of_script;

/// Most blocks in one answer of `getBlocksFrom`.
const MOST_BLOCKS: u64 = 1_000;

fn stored(core: &Core, id: Id) -> Result<&Stored, RpcError> {
    core.chain.dag().get(id).ok_or_else(|| Refusal::NotFound(id).into())
}

pub(super) fn get(core: &Core, params: &Params<'_>) -> Result<Value, RpcError> {
    let stored = stored(core, params.id(0)?)?;
    if params.get(1).and_then(Value::as_bool) == Some(false) {
        return Ok(json!(hex::encode(stored.block.encode())));
    }
    let mut value = describe(core, stored);
    let txids = stored.block.transactions.iter().map(|transaction| transaction.compute_txid().to_string());
    value["transactions"] = txids.collect();
    Ok(value)
}

pub(super) fn from_order(core: &Core, params: &Params<'_>) -> Result<Value, RpcError> {
    let from = params.number(0, "order")?.unwrap_or(0);
    let count = params.number(1, "count")?.unwrap_or(100).min(MOST_BLOCKS);
    let order = core.chain.selected().order();
    let from = usize::try_from(from).unwrap_or(usize::MAX).min(order.len());
    let blocks = order[from..].iter().take(usize::try_from(count).unwrap_or(0));
    Ok(blocks.map(|&id| describe(core, core.chain.dag().known(id))).collect())
}

fn describe(core: &Core, stored: &Stored) -> Value {
    let selected = core.chain.selected();
    let (colour, merging) = colour(core, stored.id);
    let target = target_of(stored.block.header.bits);
    let algorithm = crate::pow::by_pow_type(stored.block.pow_type()).map(|algorithm| algorithm.name);
    let script = stored.claim.as_ref();
    json!({
        "hash": stored.id.to_string(),
        "confirmations": merging.map(|id| confirmations(core, id)),
        "height": stored.height, "blue_score": stored.data.blue_score,
        "blue_work": format!("{:064x}", stored.data.blue_work),
        "order": selected.position(stored.id),
        "bits": format!("{:08x}", stored.block.header.bits.to_consensus()),
        "target": target.map(|target| format!("{target:064x}")),
        "difficulty_hashes": hashes(target),
        "pow_type": stored.block.pow_type(), "algorithm": algorithm,
        "pow_hash": format!("{:064x}", stored.pow_hash),
        "version": stored.block.header.version.to_consensus(),
        "time": stored.block.header.time, "nonce": stored.block.header.nonce,
        "parents": strings(&stored.block.parents),
        "parent_root": stored.block.header.prev_blockhash.to_string(),
        "children": strings(&stored.children),
        "merkle_root": stored.block.header.merkle_root.to_string(),
        "selected_parent": stored.data.selected_parent.map(|id| id.to_string()),
        "mergeset_blues": strings(&stored.data.mergeset_blues),
        "mergeset_reds": strings(&stored.data.mergeset_reds),
        "is_chain_block": selected.contains(stored),
        "color": colour, "red_reward_amount": stored.merge.red_reward,
        "miner_script": script.map(|script| script.to_hex_string()),
        "miner_address": script.and_then(|script| address_of_script(script)),
    })
}

fn colour(core: &Core, id: Id) -> (&'static str, Option<Id>) {
    match core.chain.colour(id) {
        Colour::Unknown => ("unknown", None),
        Colour::Blue(merging) => ("blue", Some(merging)),
        Colour::Red(merging) => ("red", Some(merging)),
    }
}

fn confirmations(core: &Core, merging: Id) -> u64 {
    core.chain.tip_score() - core.chain.dag().known(merging).data.blue_score
}

pub(super) fn is_blue(core: &Core, params: &Params<'_>) -> Result<Value, RpcError> {
    let id = stored(core, params.id(0)?)?.id;
    Ok(json!(match core.chain.colour(id) {
        Colour::Red(_) => 0,
        Colour::Blue(_) => 1,
        Colour::Unknown => 2,
    }))
}

pub(super) fn is_on_main_chain(core: &Core, params: &Params<'_>) -> Result<Value, RpcError> {
    let stored = stored(core, params.id(0)?)?;
    Ok(json!(core.chain.selected().contains(stored).to_string()))
}

pub(super) fn reward_info(core: &Core, params: &Params<'_>) -> Result<Value, RpcError> {
    let id = stored(core, params.id(0)?)?.id;
    let (colour, merging) = colour(core, id);
    let Some(merging) = merging else {
        return Ok(json!({
            "blockColor": colour, "confirmationCount": null, "mergingChainBlockHash": null, "rewardAmount": null,
            "rewardTransactionId": null, "rewardOutputIndex": null, "matureAtBlueScore": null, "isMature": false,
        }));
    };
    let merger = core.chain.dag().known(merging);
    let maturity = core.chain.config().coinbase_maturity;
    let count = confirmations(core, merging);
    let index = merger.merge.rewards.iter().position(|reward| reward.block == id);
    let coinbase = merger.block.transactions.first().filter(|_| index.is_some());
    Ok(json!({
        "blockColor": colour,
        "confirmationCount": count,
        "mergingChainBlockHash": merging.to_string(),
        "rewardAmount": index.map_or(0, |index| merger.merge.rewards[index].amount),
        "rewardTransactionId": coinbase.map(|coinbase| coinbase.compute_txid().to_string()),
        "rewardOutputIndex": index,
        "matureAtBlueScore": merger.data.blue_score + maturity,
        "isMature": count >= maturity,
    }))
}

pub(super) fn tips(core: &Core) -> Value {
    let main = core.chain.main_tip().id;
    let others = core.chain.dag().tips().iter().copied().filter(|&id| id != main);
    let describe = |id: Id| {
        let stored = core.chain.dag().known(id);
        json!({
            "hash": id.to_string(), "height": stored.height, "blue_score": stored.data.blue_score, "main": id == main,
        })
    };
    [main].into_iter().chain(others).map(describe).collect()
}

pub(super) fn node_info(core: &Core) -> Value {
    let config = core.chain.config();
    let view = core.chain.virtual_view();
    let active: Vec<_> = config.algorithms.iter().filter(|entry| entry.is_active(view.height)).collect();
    let spacing_ms = u64::try_from(config.block_time.as_millis()).unwrap_or(u64::MAX).max(1);
    let hashrate: serde_json::Map<String, Value> = active
        .iter()
        .map(|entry| {
            let hashes = hashes(target_of(core.chain.bits_for(entry, view)));
            let rate = hashes.saturating_mul(1_000) / (spacing_ms * active.len() as u64);
            (entry.algorithm.name.to_owned(), json!(rate))
        })
        .collect();
    let genesis = core.chain.genesis().to_string();
    // Another chain has another genesis as well.
    let (chain_id, genesis) = match &core.faults.chain_id {
        Some(other) => (other.clone(), genesis.chars().rev().collect()),
        None => (config.chain_id.clone(), genesis),
    };
    json!({
        "version": env!("CARGO_PKG_VERSION"), "network": "simnet", "chainid": chain_id, "genesis": genesis,
        "connections": config.rivals.len(), "blocks": core.chain.selected().order().len(), "total": core.chain.dag().len(),
        "height": core.chain.main_tip().height, "blue_score": core.chain.tip_score(),
        "pow_types": active.iter().map(|entry| entry.algorithm.pow_type).collect::<Vec<_>>(),
        "block_time_ms": spacing_ms, "k": config.k(), "coinbase_maturity": config.coinbase_maturity,
        "subsidy": config.subsidy, "hashrate": hashrate,
    })
}
