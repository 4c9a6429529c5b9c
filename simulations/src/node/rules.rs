//! The rules that a block must keep, apart from its place in the DAG. Decoding, roots and signatures are those of the independent
//! `bitcoin` crate.

use std::collections::HashSet;

use bitcoin::hashes::Hash as _;
use bitcoin::key::Secp256k1;
use bitcoin::secp256k1::{Message, VerifyOnly};
use bitcoin::sighash::{EcdsaSighashType, SighashCache};
use bitcoin::{PublicKey, Script, ScriptBuf, Transaction, ecdsa};
use ruint::aliases::U256;

use super::block::{Block, Id, VERSION_BASE, VERSION_ROLLING_MASK, parents_root};
use super::config::{AlgorithmConfig, NodeConfig};
use super::difficulty::target_of;
use super::errors::Refusal;
use super::utxo::Overlay;
use super::view::{View, coinbase_outputs, outputs_value};
use crate::pow;

/// Most parents of a block.
pub const MAX_PARENTS: usize = 50;
/// Most bytes of a coinbase script.
pub const MAX_COINBASE_SCRIPT: usize = 100;
/// How far ahead of the node's clock a block may be.
pub const MAX_FUTURE_SECONDS: u32 = 120;

/// Checks what needs no other block: version, proof of work, roots. Returns the algorithm's settings and the PoW hash.
pub fn check_alone<'a>(
    config: &'a NodeConfig,
    block: &Block,
) -> Result<(&'a AlgorithmConfig, U256), Refusal> {
    let version = u32::from_le_bytes(block.header.version.to_consensus().to_le_bytes());
    let pow_type = block.pow_type();
    if version & !VERSION_ROLLING_MASK != VERSION_BASE | u32::from(pow_type) {
        return Err(Refusal::Version(version));
    }
    let known = config.algorithms.iter().find(|entry| entry.algorithm.pow_type == pow_type);
    let entry = known.ok_or(Refusal::Version(version))?;
    let bits = block.header.bits;
    let bad_bits = || Refusal::Bits { got: bits.to_consensus(), expected: 0 };
    let target = target_of(bits).ok_or_else(bad_bits)?;
    let hash = pow::hash(entry.algorithm.name, &block.header_bytes()).map_err(Refusal::Other)?;
    if hash > target {
        return Err(Refusal::HighHash { hash, target });
    }
    check_parents_list(block)?;
    let got = block.header.merkle_root;
    let expected = block
        .computed_merkle_root()
        .ok_or_else(|| Refusal::Coinbase("there are no transactions".to_owned()))?;
    if got != expected {
        return Err(Refusal::MerkleRoot { got: got.to_string(), expected: expected.to_string() });
    }
    Ok((entry, hash))
}

fn check_parents_list(block: &Block) -> Result<(), Refusal> {
    let count = block.parents.len();
    if count == 0 || count > MAX_PARENTS {
        return Err(Refusal::Parents(format!("{count} parents, not 1 to {MAX_PARENTS}")));
    }
    let distinct: HashSet<&Id> = block.parents.iter().collect();
    if distinct.len() != count {
        return Err(Refusal::Parents("a parent is named twice".to_owned()));
    }
    let got = Id::from_wire(block.header.prev_blockhash.to_byte_array());
    let expected = Id::from_wire(parents_root(&block.parents));
    if got != expected {
        return Err(Refusal::ParentsRoot { got, expected });
    }
    Ok(())
}

/// The script that every coinbase at a height must begin with: BIP34's push of the height.
pub fn coinbase_prefix(height: u64) -> ScriptBuf {
    // Always a push of bytes: the small-number opcodes of heights up to 16 would look like another rule.
    let mut bytes = height.to_le_bytes().to_vec();
    while bytes.len() > 1 && bytes.last() == Some(&0) {
        bytes.pop();
    }
    if bytes.last().is_some_and(|byte| byte & 0x80 != 0) {
        bytes.push(0);
    }
    let mut script = vec![u8::try_from(bytes.len()).unwrap_or(9)];
    script.extend(bytes);
    ScriptBuf::from_bytes(script)
}

/// Checks the coinbase against its view, and returns the claim.
pub fn check_coinbase(block: &Block, view: &View) -> Result<ScriptBuf, Refusal> {
    let refuse = |what: String| Err(Refusal::Coinbase(what));
    let Some(coinbase) = block.transactions.first().filter(|first| first.is_coinbase()) else {
        return refuse("the first transaction is none".to_owned());
    };
    if !matches!(coinbase.version.0, 1 | 2) || coinbase.lock_time.to_consensus_u32() != 0 {
        return refuse("version must be 1 or 2, lock time 0".to_owned());
    }
    let script = coinbase.input[0].script_sig.as_bytes();
    let prefix = coinbase_prefix(view.height);
    if !script.starts_with(prefix.as_bytes()) {
        return refuse(format!(
            "script must begin with {}, the push of height {}",
            prefix.to_hex_string(),
            view.height
        ));
    }
    if script.len() < 2 || script.len() > MAX_COINBASE_SCRIPT {
        return refuse(format!("script of {} bytes, not 2 to {MAX_COINBASE_SCRIPT}", script.len()));
    }
    let claim = match coinbase.output.last() {
        Some(output) if output.script_pubkey.is_p2pkh() => output.script_pubkey.clone(),
        _ => {
            return refuse(
                "the last output must claim the reward with a pay-to-public-key-hash script".to_owned(),
            );
        }
    };
    let expected = coinbase_outputs(&view.merge, &claim);
    if coinbase.output.len() != expected.len() {
        return refuse(format!("{} outputs, expected {}", coinbase.output.len(), expected.len()));
    }
    for (index, (output, (script, amount))) in coinbase.output.iter().zip(&expected).enumerate() {
        if output.script_pubkey != *script {
            return refuse(format!(
                "output {index} has script {}, expected {}",
                output.script_pubkey.to_hex_string(),
                script.to_hex_string()
            ));
        }
        if output.value.to_sat() != *amount {
            return refuse(format!("output {index} has amount {}, expected {amount}", output.value.to_sat()));
        }
    }
    Ok(claim)
}

/// Checks all transactions but the coinbase against the view's coins.
pub fn check_transactions(
    block: &Block,
    overlay: &mut Overlay<'_>,
    blue_score: u64,
    maturity: u64,
) -> Result<(), Refusal> {
    for transaction in block.transactions.iter().skip(1) {
        check_transaction(transaction, overlay, blue_score, maturity)
            .map_err(|why| Refusal::Transaction(format!("{}: {why}", transaction.compute_txid())))?;
        overlay.spend(transaction);
    }
    Ok(())
}

/// Checks one transaction; returns its fee.
pub fn check_transaction(
    transaction: &Transaction,
    overlay: &Overlay<'_>,
    blue_score: u64,
    maturity: u64,
) -> Result<u64, String> {
    if transaction.is_coinbase() || transaction.input.is_empty() || transaction.output.is_empty() {
        return Err("a payment needs inputs and outputs".to_owned());
    }
    let distinct: HashSet<_> = transaction.input.iter().map(|input| input.previous_output).collect();
    if distinct.len() != transaction.input.len() {
        return Err("an input is named twice".to_owned());
    }
    let paid = overlay.inputs_value(transaction, blue_score, maturity)?;
    let spent = outputs_value(transaction);
    let fee = paid.checked_sub(spent).ok_or_else(|| format!("outputs of {spent} exceed inputs of {paid}"))?;
    let secp = Secp256k1::verification_only();
    for index in 0..transaction.input.len() {
        let utxo = overlay.get(&transaction.input[index].previous_output).ok_or("input is gone")?;
        check_signature(&secp, transaction, index, &utxo.script)?;
    }
    Ok(fee)
}

fn check_signature(
    secp: &Secp256k1<VerifyOnly>,
    transaction: &Transaction,
    index: usize,
    script: &Script,
) -> Result<(), String> {
    let wrong = |what: &str| format!("input {index}: {what}");
    let pushes: Vec<Vec<u8>> = transaction.input[index]
        .script_sig
        .instructions_minimal()
        .filter_map(|item| item.ok()?.push_bytes().map(|bytes| bytes.as_bytes().to_vec()))
        .collect();
    let [signature, key] = pushes.as_slice() else {
        return Err(wrong("script must push a signature and a public key"));
    };
    let signature = ecdsa::Signature::from_slice(signature).map_err(|_| wrong("not a signature"))?;
    let key = PublicKey::from_slice(key).map_err(|_| wrong("not a public key"))?;
    if signature.sighash_type != EcdsaSighashType::All {
        return Err(wrong("only SIGHASH_ALL is accepted"));
    }
    if ScriptBuf::new_p2pkh(&key.pubkey_hash()).as_script() != script {
        return Err(wrong("the key is not the one that was paid"));
    }
    let hash = SighashCache::new(transaction)
        .legacy_signature_hash(index, script, EcdsaSighashType::All.to_u32())
        .map_err(|_| wrong("no such input"))?;
    let message = Message::from_digest(hash.to_byte_array());
    secp.verify_ecdsa(&message, &signature.signature, &key.inner).map_err(|_| wrong("wrong signature"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights_are_pushed_as_in_bip34() {
        let hex = |height| coinbase_prefix(height).to_hex_string();
        assert_eq!(hex(0), "0100");
        assert_eq!(hex(5), "0105");
        assert_eq!(hex(58), "013a");
        assert_eq!(hex(127), "017f");
        assert_eq!(hex(128), "028000");
        assert_eq!(hex(227_836), "03fc7903");
    }
}
