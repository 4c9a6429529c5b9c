//! Addresses, balances, payments, the mempool.

use std::collections::HashSet;

use bitcoin::consensus::encode;
use bitcoin::{ScriptBuf, Transaction, Txid};
use serde_json::{Value, json};

use super::{Params, RpcError};
use crate::node::core::Core;
use crate::node::wallet::{address_of_script, script_of_address};

pub(super) fn new_address(core: &mut Core, params: &Params<'_>) -> Result<Value, RpcError> {
    let label = params.text(0, "label")?;
    let script = core.script_of(label);
    Ok(json!(address_of_script(&script)))
}

pub(super) fn validate_address(core: &Core, params: &Params<'_>) -> Result<Value, RpcError> {
    let address = params.text(0, "address")?;
    Ok(match script_of_address(address) {
        Ok(script) => json!({
            "isvalid": true, "address": address, "scriptPubKey": script.to_hex_string(),
            "ismine": core.wallet.is_mine(&script),
        }),
        Err(reason) => json!({"isvalid": false, "address": address, "reason": reason}),
    })
}

fn script(params: &Params<'_>, index: usize) -> Result<ScriptBuf, RpcError> {
    script_of_address(params.text(index, "address")?).map_err(RpcError::params)
}

pub(super) fn balance(core: &Core, params: &Params<'_>) -> Result<Value, RpcError> {
    let scripts = match params.get(0) {
        Some(_) => HashSet::from([script(params, 0)?]),
        None => core.wallet.scripts(None),
    };
    let balance = core.coins().balance(&scripts);
    Ok(json!({
        "spendable": balance.spendable, "immature": balance.immature, "pending": balance.pending,
        "total": balance.spendable + balance.immature + balance.pending,
    }))
}

pub(super) fn list_unspent(core: &Core, params: &Params<'_>) -> Result<Value, RpcError> {
    let script = script(params, 0)?;
    let coins = core.coins();
    let mut unspent: Vec<_> = coins.overlay.iter().filter(|(_, utxo)| utxo.script == script).collect();
    unspent.sort_by_key(|(outpoint, utxo)| (utxo.blue_score, **outpoint));
    let describe = |(outpoint, utxo): (&bitcoin::OutPoint, &crate::node::utxo::Utxo)| {
        let free = !coins.in_mempool.contains(outpoint);
        json!({
            "txid": outpoint.txid.to_string(), "vout": outpoint.vout, "amount": utxo.amount,
            "blue_score": utxo.blue_score, "coinbase": utxo.coinbase,
            "spendable": free && coins.is_mature(utxo.coinbase, utxo.blue_score),
        })
    };
    Ok(unspent.into_iter().map(describe).collect())
}

pub(super) fn send_to_address(core: &mut Core, params: &Params<'_>) -> Result<Value, RpcError> {
    let script = script(params, 0)?;
    let amount =
        params.number(1, "amount")?.ok_or_else(|| RpcError::params("parameter 1, amount, is missing"))?;
    let from = params.optional_text(2, "from")?;
    pay(core, from, &[(script, amount)])
}

pub(super) fn send_many(core: &mut Core, params: &Params<'_>) -> Result<Value, RpcError> {
    let wrong = || RpcError::params("parameter 0 must be an object of addresses and whole amounts");
    let amounts = params.get(0).and_then(Value::as_object).ok_or_else(wrong)?;
    let mut outputs = Vec::with_capacity(amounts.len());
    for (address, amount) in amounts {
        let script = script_of_address(address).map_err(RpcError::params)?;
        outputs.push((script, amount.as_u64().ok_or_else(wrong)?));
    }
    let from = params.optional_text(1, "from")?;
    pay(core, from, &outputs)
}

fn pay(core: &mut Core, from: Option<&str>, outputs: &[(ScriptBuf, u64)]) -> Result<Value, RpcError> {
    let txid = core.pay(from, outputs).map_err(RpcError::application)?;
    Ok(json!(txid.to_string()))
}

pub(super) fn send_raw(core: &mut Core, params: &Params<'_>) -> Result<Value, RpcError> {
    let transaction: Transaction = encode::deserialize_hex(params.text(0, "transaction")?)
        .map_err(|error| RpcError::params(format!("parameter 0, transaction: {error}")))?;
    if let Some(text) = &core.faults.refuse_send {
        return Err(RpcError::application(text.clone()));
    }
    if transaction.input.iter().any(|input| !input.witness.is_empty()) {
        return Err(RpcError::application("bad transaction: witness data is not known here"));
    }
    let txid = core
        .add_payment(transaction)
        .map_err(|why| RpcError::application(format!("bad transaction: {why}")))?;
    Ok(json!(txid.to_string()))
}

pub(super) fn transaction(core: &Core, params: &Params<'_>) -> Result<Value, RpcError> {
    let text = params.text(0, "txid")?;
    let txid: Txid =
        text.parse().map_err(|_| RpcError::params("parameter 0, txid, must be 64 hex digits"))?;
    if let Some(entry) = core.mempool.get(&txid) {
        let hex = encode::serialize_hex(&entry.transaction);
        return Ok(
            json!({"txid": text, "status": "mempool", "block": null, "confirmations": null, "hex": hex}),
        );
    }
    let missing = || RpcError::application(format!("transaction not found: {txid}"));
    let accepting = core.chain.accepting_block(txid).ok_or_else(missing)?;
    let dag = core.chain.dag();
    let data = &dag.known(accepting).data;
    let transaction = data
        .mergeset_blues
        .iter()
        .chain(&data.mergeset_reds)
        .flat_map(|&id| dag.known(id).block.transactions.iter())
        .find(|transaction| transaction.compute_txid() == txid)
        .ok_or_else(missing)?;
    Ok(json!({
        "txid": text, "status": "accepted", "block": accepting.to_string(),
        "confirmations": core.chain.tip_score() - data.blue_score, "hex": encode::serialize_hex(transaction),
    }))
}

pub(super) fn mempool(core: &Core) -> Value {
    core.mempool.iter().map(|(txid, _)| json!(txid.to_string())).collect()
}

pub(super) fn mempool_info(core: &Core) -> Value {
    let (mut size, mut bytes, mut fees) = (0, 0, 0_u64);
    for (_, entry) in core.mempool.iter() {
        size += 1;
        bytes += entry.bytes;
        fees += entry.fee;
    }
    json!({"size": size, "bytes": bytes, "fees": fees})
}
