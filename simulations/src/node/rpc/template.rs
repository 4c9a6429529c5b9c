//! Templates and submissions.

use bitcoin::{Transaction, consensus::encode};
use serde_json::{Value, json};

use super::{Params, RpcError};
use crate::node::block::{Block, Id, MAX_BLOCK_BYTES, VERSION_BASE, VERSION_ROLLING_MASK, parents_root};
use crate::node::core::Core;
use crate::node::dag::Reward;
use crate::node::difficulty::{hashes_of, target_of};
use crate::node::errors::Refusal;
use crate::node::mempool::Waiting;
use crate::node::rules::{MAX_COINBASE_SCRIPT, MAX_FUTURE_SECONDS, coinbase_prefix};
use crate::node::view::View;
use crate::node::wallet::{address_of_script, script_of_address};
use ruint::aliases::U256;

/// Most blocks that one `mineBlocks` makes.
const MOST_BLOCKS_AT_ONCE: u64 = 1_000;

fn ready(core: &Core) -> Result<(), RpcError> {
    if let Some(reason) = &core.faults.not_ready {
        return Err(RpcError::application(format!("Client in initial download mode: {reason}")));
    }
    if core.faults.mining_disabled {
        return Err(RpcError::application("must enable miner"));
    }
    Ok(())
}

pub(super) fn get(core: &Core, params: &Params<'_>, now_ms: u64) -> Result<Value, RpcError> {
    if params.get(0).is_some_and(|value| !value.is_array()) {
        return Err(RpcError::params("parameter 0, capabilities, must be a list"));
    }
    let pow_type = params.pow_type(1, core)?;
    let payout = params.optional_text(2, "payoutAddress")?;
    let payout_script = payout.map(script_of_address).transpose().map_err(RpcError::params)?;
    ready(core)?;
    let view = core.chain.virtual_view();
    if core.faults.no_templates_of.contains(&pow_type) {
        return Err(Refusal::PowType { pow_type, height: view.height }.into());
    }
    let entry = core.chain.algorithm_at(pow_type, view.height)?;
    let bits = core.chain.bits_for(entry, view);
    let target = target_of(bits).unwrap_or(U256::MAX);
    let now = core.now(now_ms).max(view.median_time);
    let value = view.merge.rewards.iter().map(|reward| reward.amount).sum::<u64>() + view.merge.red_reward;
    let payments = core.mempool.best();
    let fees: u64 = payments.iter().map(|entry| entry.fee).sum();
    let zeros = "0".repeat(64);
    let bits_text = format!("{:08x}", bits.to_consensus());
    let target_text = format!("{target:064x}");
    let root = Id::from_wire(parents_root(&view.parents)).to_string();
    let longpollid = core.longpollid();
    Ok(json!({
        "version": VERSION_BASE | u32::from(pow_type),
        "previousblockhash": root,
        "parents": parents(view),
        "height": view.height,
        "blues": view.data.blue_score,
        "curtime": now, "mintime": view.median_time, "maxtime": core.now(now_ms).saturating_add(MAX_FUTURE_SECONDS),
        "bits": bits_text,
        "target": target_text,
        "pow_diff_reference": {"nbits": bits_text, "target": target_text},
        "pow_type": pow_type, "algorithm": entry.algorithm.name,
        "coinbasevalue": value,
        "coinbaseoutputs": mandatory_outputs(view),
        "coinbase_address": payout,
        "coinbase_script": payout_script.map(|script| script.to_hex_string()),
        "coinbase_script_prefix": coinbase_prefix(view.height).to_hex_string(),
        "coinbase_script_max": MAX_COINBASE_SCRIPT,
        "coinbaseaux": {"flags": ""},
        "blockreward": core.chain.config().subsidy + fees,
        "transactions": payments.into_iter().map(payment).collect::<Vec<_>>(),
        "stateroot": zeros, "txroot": zeros,
        "capabilities": ["proposal", "longpoll"],
        "mutable": ["time", "transactions", "coinbase/append", "version/reduce"],
        "version_mask": format!("{VERSION_ROLLING_MASK:08x}"),
        "noncerange": "00000000ffffffff",
        "sizelimit": MAX_BLOCK_BYTES, "sigoplimit": 20_000,
        "submitold": true,
        "workdata": format!("{root}:{bits_text}:{pow_type}"),
        "longpollid": longpollid,
        "expires": MAX_FUTURE_SECONDS,
    }))
}

fn parents(view: &View) -> Vec<Value> {
    let parent = |id: &Id| json!({"hash": id.to_string(), "data": hex::encode(id.to_wire())});
    view.parents.iter().map(parent).collect()
}

fn mandatory_outputs(view: &View) -> Vec<Value> {
    let output = |reward: &Reward| {
        json!({
            "address": address_of_script(&reward.script), "script": reward.script.to_hex_string(),
            "amount": reward.amount, "block": reward.block.to_string(),
        })
    };
    view.merge.rewards.iter().map(output).collect()
}

fn payment(entry: &Waiting) -> Value {
    let txid = entry.transaction.compute_txid().to_string();
    json!({
        "data": bitcoin::consensus::encode::serialize_hex(&entry.transaction),
        "txid": txid, "hash": txid, "fee": entry.fee, "depends": [],
        "sigops": entry.transaction.output.len(), "weight": entry.bytes * 4,
    })
}

pub(super) fn submit(core: &mut Core, params: &Params<'_>, now_ms: u64) -> Result<Value, RpcError> {
    let text = params.text(0, "block")?;
    if let Some(refusal) = &core.faults.refuse_submit {
        return Err(RpcError::application(refusal.clone()));
    }
    ready(core)?;
    let bytes =
        hex::decode(text).map_err(|error| RpcError::params(format!("parameter 0, block: {error}")))?;
    let block = Block::decode(&bytes).map_err(|why| RpcError::application(format!("bad block: {why}")))?;
    let coinbase = block.transactions.first().map(|coinbase| coinbase.compute_txid().to_string());
    let id = core.insert(block, now_ms)?;
    let stored = core.chain.dag().known(id);
    Ok(json!({
        "hash": id.to_string(), "height": stored.height, "blue_score": stored.data.blue_score,
        "order": core.chain.selected().position(id), "pow_type": stored.block.pow_type(),
        "coinbase_txid": coinbase, "tips": core.chain.dag().tips().len(),
    }))
}

pub(super) fn pow_types(core: &Core) -> Value {
    let view = core.chain.virtual_view();
    let describe = |entry: &crate::node::AlgorithmConfig| {
        let bits = core.chain.bits_for(entry, view);
        json!({
            "pow_type": entry.algorithm.pow_type, "algorithm": entry.algorithm.name,
            "active": entry.is_active(view.height), "activation_height": entry.activation_height,
            "end_height": entry.end_height, "bits": format!("{:08x}", bits.to_consensus()),
            "difficulty_hashes": hashes(target_of(bits)), "weight": entry.algorithm.weight,
        })
    };
    core.chain.config().algorithms.iter().map(describe).collect()
}

/// Expected hashes; saturates far above anything that a simulation mines.
pub(super) fn hashes(target: Option<U256>) -> u64 {
    hashes_of(target.unwrap_or(U256::MAX)).saturating_to()
}

pub(super) fn difficulty(core: &Core, params: &Params<'_>) -> Result<Value, RpcError> {
    let pow_type = params.pow_type(0, core)?;
    let view = core.chain.virtual_view();
    let bits = core.chain.bits_for(core.chain.algorithm_at(pow_type, view.height)?, view);
    let target = target_of(bits);
    Ok(json!({
        "bits": format!("{:08x}", bits.to_consensus()),
        "target": format!("{:064x}", target.unwrap_or(U256::MAX)),
        "difficulty_hashes": hashes(target),
    }))
}

pub(super) fn health(core: &Core) -> Value {
    let (code, reason) = match (&core.faults.not_ready, core.faults.mining_disabled) {
        (Some(reason), _) => ("not_ready", reason.as_str()),
        (None, true) => ("mining_disabled", "must enable miner"),
        (None, false) => ("ok", ""),
    };
    let fine = code == "ok";
    json!({
        "mineable_now": fine, "submit_ready": fine, "get_block_template_ready": fine, "p2p_mining_fresh": fine,
        "reason_code": code, "reason": reason,
    })
}

pub(super) fn mine_blocks(core: &mut Core, params: &Params<'_>, now_ms: u64) -> Result<Value, RpcError> {
    let empty = json!({});
    let options = params.get(0).unwrap_or(&empty);
    let count = options["count"].as_u64().unwrap_or(1);
    if count > MOST_BLOCKS_AT_ONCE {
        return Err(RpcError::params(format!("count: {count} is more than {MOST_BLOCKS_AT_ONCE}")));
    }
    let pow_type = match options["pow_type"].as_u64() {
        Some(number) => u8::try_from(number).map_err(|_| RpcError::params("pow_type must be 0 to 255"))?,
        None => core.chain.config().algorithms[0].algorithm.pow_type,
    };
    let label = options["label"].as_str().unwrap_or("rival").to_owned();
    let mut parents: Option<Vec<Id>> = match options["parents"].as_array() {
        Some(list) => {
            let parsed = list.iter().map(|item| item.as_str().and_then(|text| text.parse().ok()));
            Some(parsed.collect::<Option<_>>().ok_or_else(|| RpcError::params("parents must be hashes"))?)
        }
        None => None,
    };
    let mut payments = payments_of(&options["transactions"])?;
    let mut made = Vec::new();
    for _ in 0..count {
        let id = core.mine_block_with(pow_type, parents.as_deref(), payments.as_deref(), &label, now_ms)?;
        // They are in the first one now.
        payments = payments.map(|_| Vec::new());
        // A branch goes on from its own last block; without parents the tips of the moment are taken.
        parents = parents.map(|_| vec![id]);
        made.push(id.to_string());
    }
    Ok(json!(made))
}

/// Payments that a block is to hold, whatever the mempool thinks of them.
fn payments_of(listed: &Value) -> Result<Option<Vec<Transaction>>, RpcError> {
    let Some(listed) = listed.as_array() else { return Ok(None) };
    let read = |item: &Value| item.as_str().and_then(|hex| encode::deserialize_hex(hex).ok());
    let read: Option<Vec<Transaction>> = listed.iter().map(read).collect();
    read.map(Some).ok_or_else(|| RpcError::params("transactions must be hex"))
}
