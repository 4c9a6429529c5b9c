//! Payments step by step, as a pool makes them: build, sign, send, follow.

use std::collections::HashSet;

use bitcoin::consensus::encode;
use bitcoin::{OutPoint, ScriptBuf, Transaction, Txid};
use serde_json::{Value, json};

use super::{Params, RpcError};
use crate::node::core::Core;
use crate::node::wallet::{self, Choice, address_of_script, is_plain_name, script_of_address};

/// Most transactions that are listed.
const LISTED_MAX: usize = 10_000;

/// The script that an address, or a plain name, stands for.
fn script_of(core: &mut Core, text: &str) -> Result<ScriptBuf, RpcError> {
    if core.faults.refuse_addresses.iter().any(|refused| refused == text) {
        return Err(RpcError::application(format!("address {text} can't be used: it is refused")));
    }
    match script_of_address(text) {
        Ok(script) => Ok(script),
        Err(_) if is_plain_name(text) => Ok(core.script_of(text)),
        Err(why) => Err(RpcError::application(why)),
    }
}

pub(super) fn resolve_address(core: &mut Core, params: &Params<'_>) -> Result<Value, RpcError> {
    let script = script_of(core, params.text(0, "address or name")?)?;
    Ok(json!({ "address": address_of_script(&script), "script": script.to_hex_string() }))
}

/// `[{"outputs":[["address",amount],...],"from":"address or label","avoid":["txid:vout",...],"min_depth":n}]`
pub(super) fn create(core: &mut Core, params: &Params<'_>) -> Result<Value, RpcError> {
    let wrong = |what: &str| RpcError::params(format!("parameter 0: {what}"));
    let wanted = params.get(0).and_then(Value::as_object).ok_or_else(|| wrong("must be an object"))?;
    let listed =
        wanted.get("outputs").and_then(Value::as_array).ok_or_else(|| wrong("outputs are missing"))?;
    let mut outputs = Vec::with_capacity(listed.len());
    for output in listed {
        let pair = output[0].as_str().zip(output[1].as_u64());
        let (address, amount) =
            pair.ok_or_else(|| wrong("outputs must be pairs of address and whole amount"))?;
        outputs.push((script_of(core, address)?, amount));
    }
    let from = wanted.get("from").and_then(Value::as_str).ok_or_else(|| wrong("from is missing"))?;
    let from = HashSet::from([script_of(core, from)?]);
    let avoid = wanted.get("avoid").and_then(Value::as_array).cloned().unwrap_or_default();
    let avoid = avoid.iter().map(|text| {
        let outpoint = text.as_str().and_then(|text| text.parse::<OutPoint>().ok());
        outpoint.ok_or_else(|| wrong("avoid must hold txid:vout"))
    });
    let choice = Choice {
        avoid: avoid.collect::<Result<_, _>>()?,
        min_depth: wanted.get("min_depth").and_then(Value::as_u64).unwrap_or(0),
    };
    let draft = wallet::draft(&from, &outputs, &core.coins(), &choice).map_err(RpcError::application)?;
    let input = |(outpoint, script, amount): &(OutPoint, ScriptBuf, u64)| {
        json!({
            "txid": outpoint.txid.to_string(), "vout": outpoint.vout, "amount": amount,
            "script": script.to_hex_string(),
        })
    };
    let output =
        |(script, amount): &(ScriptBuf, u64)| json!({ "script": script.to_hex_string(), "amount": amount });
    Ok(json!({
        "hex": encode::serialize_hex(&draft.transaction()), "fee": draft.fee,
        "inputs": draft.inputs.iter().map(input).collect::<Vec<_>>(),
        "outputs": draft.outputs.iter().map(output).collect::<Vec<_>>(),
    }))
}

fn transaction(params: &Params<'_>) -> Result<Transaction, RpcError> {
    encode::deserialize_hex(params.text(0, "transaction")?)
        .map_err(|error| RpcError::params(format!("parameter 0, transaction: {error}")))
}

/// Signs with the wallet's keys; what is spent must be unspent.
pub(super) fn sign(core: &Core, params: &Params<'_>) -> Result<Value, RpcError> {
    let transaction = transaction(params)?;
    let coins = core.chain.coins();
    let scripts = transaction.input.iter().map(|input| {
        let spent = coins.get(&input.previous_output).map(|utxo| utxo.script.clone());
        let missing =
            || RpcError::application(format!("input {} is unknown or spent", input.previous_output));
        spent.ok_or_else(missing)
    });
    let scripts = scripts.collect::<Result<Vec<_>, _>>()?;
    let signed = core.wallet.sign(transaction, &scripts).map_err(RpcError::application)?;
    Ok(json!(encode::serialize_hex(&signed)))
}

/// `[txid, ["txid:vout",...]]`: what became of a transaction, and of what it spends.
pub(super) fn status(core: &Core, params: &Params<'_>) -> Result<Value, RpcError> {
    let txid: Txid = params
        .text(0, "txid")?
        .parse()
        .map_err(|_| RpcError::params("parameter 0, txid, must be 64 hex digits"))?;
    let listed = params.get(1).and_then(Value::as_array).cloned().unwrap_or_default();
    let spends = listed.iter().map(|text| {
        let outpoint = text.as_str().and_then(|text| text.parse::<OutPoint>().ok());
        outpoint.ok_or_else(|| RpcError::params("parameter 1 must hold txid:vout"))
    });
    let spends = spends.collect::<Result<HashSet<_>, _>>()?;
    if core.mempool.get(&txid).is_some() {
        return Ok(json!({ "status": "mempool", "confirmations": null }));
    }
    let accepted = core.chain.merges_newest_first().find(|(_, _, merge)| merge.accepted.contains(&txid));
    if let Some((depth, ..)) = accepted {
        return Ok(json!({ "status": "accepted", "confirmations": depth }));
    }
    let spent = |merge: &crate::node::dag::Merge| {
        merge.diff.spent.iter().any(|(outpoint, _)| spends.contains(outpoint))
    };
    let Some((depth, data, merge)) = core.chain.merges_newest_first().find(|(_, _, merge)| spent(merge))
    else {
        return Ok(json!({ "status": "unknown", "confirmations": null }));
    };
    let by = merge.accepted.iter().find(|&&other| {
        let found = core.chain.merged_transaction(data, other);
        found.is_some_and(|found| found.input.iter().any(|input| spends.contains(&input.previous_output)))
    });
    Ok(json!({ "status": "replaced", "confirmations": depth, "by": by.map(Txid::to_string) }))
}

/// `[address or name]`: accepted payments, the newest first; only those that pay there, or take from there.
pub(super) fn list(core: &mut Core, params: &Params<'_>) -> Result<Value, RpcError> {
    let wanted = match params.optional_text(0, "address or name")? {
        Some(text) => Some(script_of(core, text)?),
        None => None,
    };
    let mut found = Vec::new();
    for (depth, data, merge) in core.chain.merges_newest_first() {
        for &txid in &merge.accepted {
            let Some(transaction) = core.chain.merged_transaction(data, txid) else { continue };
            let pays =
                |script: &ScriptBuf| transaction.output.iter().any(|output| output.script_pubkey == *script);
            let takes = |script: &ScriptBuf| {
                let of = |(outpoint, utxo): &(OutPoint, crate::node::utxo::Utxo)| {
                    utxo.script == *script
                        && transaction.input.iter().any(|input| input.previous_output == *outpoint)
                };
                merge.diff.spent.iter().any(of)
            };
            if wanted.as_ref().is_some_and(|script| !pays(script) && !takes(script)) {
                continue;
            }
            let outputs = transaction.output.iter().map(|output| {
                let address = address_of_script(&output.script_pubkey);
                json!({ "address": address, "amount": output.value.to_sat() })
            });
            found.push(json!({
                "txid": txid.to_string(), "confirmations": depth, "outputs": outputs.collect::<Vec<_>>(),
            }));
            if found.len() >= LISTED_MAX {
                return Ok(json!(found));
            }
        }
    }
    Ok(json!(found))
}
