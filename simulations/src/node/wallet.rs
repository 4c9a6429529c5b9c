//! The node's wallet: keys by label, balances, payments. Keys derive from the seed, so a node with the same seed has the same
//! addresses.

use std::collections::{BTreeMap, HashSet};
use std::str::FromStr;

use bitcoin::absolute::LockTime;
use bitcoin::address::NetworkUnchecked;
use bitcoin::hashes::{Hash as _, HashEngine as _, sha256};
use bitcoin::key::Secp256k1;
use bitcoin::script::PushBytesBuf;
use bitcoin::secp256k1::{All, Message, SecretKey};
use bitcoin::sighash::{EcdsaSighashType, SighashCache};
use bitcoin::{
    Address, Amount, Network, OutPoint, PublicKey, Script, ScriptBuf, Sequence, Transaction, TxIn, TxOut,
    Witness, ecdsa, transaction,
};

use super::utxo::Overlay;

/// Lowest fee, in 1e-8 per byte.
pub const FEE_PER_BYTE: u64 = 1;
const INPUT_BYTES: u64 = 149;
const OUTPUT_BYTES: u64 = 34;
const BASE_BYTES: u64 = 20;
/// Most inputs of one payment; keeps it far below the block size.
const MAX_INPUTS: usize = 500;

struct Key {
    label: String,
    secret: SecretKey,
    public: PublicKey,
}

/// Keys and how to spend with them.
pub struct Wallet {
    secp: Secp256k1<All>,
    seed: u64,
    keys: BTreeMap<ScriptBuf, Key>,
}

/// What an address holds, in 1e-8.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Balance {
    /// Can be spent now.
    pub spendable: u64,
    /// Coinbase outputs that are too young.
    pub immature: u64,
    /// Spent by a payment in the mempool.
    pub pending: u64,
}

impl Wallet {
    /// Without keys.
    pub fn new(seed: u64) -> Self {
        Self { secp: Secp256k1::new(), seed, keys: BTreeMap::new() }
    }

    /// The script of a label's address; the key is made when first asked for.
    pub fn script_of(&mut self, label: &str) -> ScriptBuf {
        let mut engine = sha256::Hash::engine();
        engine.input(b"dagsim wallet");
        engine.input(&self.seed.to_le_bytes());
        engine.input(label.as_bytes());
        let digest = sha256::Hash::from_engine(engine).to_byte_array();
        // All but about 2^-128 of digests are keys; such a one would be a broken hash function.
        let secret = SecretKey::from_slice(&digest).expect("a digest is a valid key");
        let public = PublicKey::new(secret.public_key(&self.secp));
        let script = ScriptBuf::new_p2pkh(&public.pubkey_hash());
        self.keys.entry(script.clone()).or_insert_with(|| Key { label: label.to_owned(), secret, public });
        script
    }

    /// How many keys there are.
    pub fn key_count(&self) -> usize {
        self.keys.len()
    }

    /// Whether the wallet can spend from a script.
    pub fn is_mine(&self, script: &Script) -> bool {
        self.keys.contains_key(script)
    }

    /// Scripts of the wallet, or of one label.
    pub fn scripts(&self, label: Option<&str>) -> HashSet<ScriptBuf> {
        let wanted = |key: &Key| label.is_none_or(|label| key.label == label);
        self.keys.iter().filter(|(_, key)| wanted(key)).map(|(script, _)| script.clone()).collect()
    }

    /// Signs a payment from the outputs of these scripts, the oldest first; the change goes back to the first one used.
    ///
    /// # Errors
    /// When the spendable outputs do not suffice, or an amount is zero.
    pub fn pay(
        &self,
        from: &HashSet<ScriptBuf>,
        outputs: &[(ScriptBuf, u64)],
        coins: &Coins<'_>,
    ) -> Result<Transaction, String> {
        let draft = draft(from, outputs, coins, &Choice::default())?;
        let scripts: Vec<ScriptBuf> = draft.inputs.iter().map(|(_, script, _)| script.clone()).collect();
        self.sign(draft.transaction(), &scripts)
    }

    /// Signs a transaction; `scripts` are those of the outputs that it spends, in order.
    ///
    /// # Errors
    /// When an output is not the wallet's.
    pub fn sign(&self, mut transaction: Transaction, scripts: &[ScriptBuf]) -> Result<Transaction, String> {
        if scripts.len() != transaction.input.len() {
            return Err("as many scripts as inputs are needed".to_owned());
        }
        let mut signatures = Vec::with_capacity(scripts.len());
        for (index, script) in scripts.iter().enumerate() {
            let key = self.keys.get(script).ok_or("an output is not the wallet's")?;
            let sighash_type = EcdsaSighashType::All;
            let hash = SighashCache::new(&transaction)
                .legacy_signature_hash(index, script, sighash_type.to_u32())
                .map_err(|error| error.to_string())?;
            let message = Message::from_digest(hash.to_byte_array());
            let signature = self.secp.sign_ecdsa(&message, &key.secret);
            let signature = ecdsa::Signature { signature, sighash_type }.to_vec();
            let push = PushBytesBuf::try_from(signature).map_err(|error| error.to_string())?;
            signatures
                .push(bitcoin::script::Builder::new().push_slice(push).push_key(&key.public).into_script());
        }
        for (input, script) in transaction.input.iter_mut().zip(signatures) {
            input.script_sig = script;
        }
        Ok(transaction)
    }
}

/// What of the spendable outputs may be used.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Not these.
    pub avoid: HashSet<OutPoint>,
    /// Only what is at least so deep, in blue score.
    pub min_depth: u64,
}

/// A payment that wants signing.
#[derive(Debug, Clone)]
pub struct Draft {
    /// What it spends, with script and amount.
    pub inputs: Vec<(OutPoint, ScriptBuf, u64)>,
    /// What it pays; the change, if any, comes last.
    pub outputs: Vec<(ScriptBuf, u64)>,
    /// What is left for the miner.
    pub fee: u64,
}

impl Draft {
    /// The transaction, without signatures.
    pub fn transaction(&self) -> Transaction {
        let unsigned = |(previous_output, ..): &(OutPoint, ScriptBuf, u64)| TxIn {
            previous_output: *previous_output,
            script_sig: ScriptBuf::new(),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        };
        let output = |(script_pubkey, amount): &(ScriptBuf, u64)| TxOut {
            value: Amount::from_sat(*amount),
            script_pubkey: script_pubkey.clone(),
        };
        Transaction {
            version: transaction::Version::TWO,
            lock_time: LockTime::ZERO,
            input: self.inputs.iter().map(unsigned).collect(),
            output: self.outputs.iter().map(output).collect(),
        }
    }
}

/// Chooses inputs for a payment from the outputs of these scripts, the oldest first; the change goes back to the first one
/// used.
///
/// # Errors
/// When what may be used does not suffice, or an amount is zero.
pub fn draft(
    from: &HashSet<ScriptBuf>,
    outputs: &[(ScriptBuf, u64)],
    coins: &Coins<'_>,
    choice: &Choice,
) -> Result<Draft, String> {
    if outputs.is_empty() || outputs.iter().any(|(_, amount)| *amount == 0) {
        return Err("a payment needs outputs with amounts above zero".to_owned());
    }
    let wanted = outputs
        .iter()
        .try_fold(0_u64, |sum, (_, amount)| sum.checked_add(*amount))
        .ok_or("amounts overflow")?;
    let mut unspent = coins.spendable(from);
    unspent.retain(|(score, outpoint, ..)| {
        coins.blue_score >= score + choice.min_depth && !choice.avoid.contains(outpoint)
    });
    unspent.sort_unstable();
    let mut inputs = Vec::new();
    let mut sum = 0_u64;
    let mut fee = 0;
    for (_, outpoint, amount, script) in unspent.into_iter().take(MAX_INPUTS) {
        sum += amount;
        inputs.push((outpoint, script, amount));
        fee = FEE_PER_BYTE
            * (BASE_BYTES + INPUT_BYTES * inputs.len() as u64 + OUTPUT_BYTES * (outputs.len() as u64 + 1));
        if sum >= wanted + fee {
            break;
        }
    }
    let change = wanted
        .checked_add(fee)
        .and_then(|needed| sum.checked_sub(needed))
        .filter(|_| !inputs.is_empty())
        .ok_or_else(|| format!("insufficient funds: {sum} spendable, {wanted} + fee {fee} wanted"))?;
    let mut outputs: Vec<(ScriptBuf, u64)> = outputs.to_vec();
    if change > 0 {
        outputs.push((inputs[0].1.clone(), change));
    }
    Ok(Draft { inputs, outputs, fee })
}

/// The coins of a view, minus what the mempool spends.
pub struct Coins<'a> {
    /// Outputs of the view.
    pub overlay: Overlay<'a>,
    /// Spent in the mempool.
    pub in_mempool: HashSet<OutPoint>,
    /// Blue score of the view.
    pub blue_score: u64,
    /// Of coinbase outputs.
    pub maturity: u64,
}

impl Coins<'_> {
    /// (blue score, outpoint, amount, script) of outputs of these scripts that can be spent now.
    fn spendable(&self, scripts: &HashSet<ScriptBuf>) -> Vec<(u64, OutPoint, u64, ScriptBuf)> {
        self.overlay
            .iter()
            .filter(|(outpoint, utxo)| {
                scripts.contains(&utxo.script)
                    && !self.in_mempool.contains(outpoint)
                    && self.is_mature(utxo.coinbase, utxo.blue_score)
            })
            .map(|(outpoint, utxo)| (utxo.blue_score, *outpoint, utxo.amount, utxo.script.clone()))
            .collect()
    }

    /// Whether an output may be spent by age.
    pub fn is_mature(&self, coinbase: bool, blue_score: u64) -> bool {
        !coinbase || self.blue_score >= blue_score + self.maturity
    }

    /// Sum over all outputs of these scripts.
    pub fn balance(&self, scripts: &HashSet<ScriptBuf>) -> Balance {
        let mut balance = Balance::default();
        for (outpoint, utxo) in self.overlay.iter().filter(|(_, utxo)| scripts.contains(&utxo.script)) {
            if self.in_mempool.contains(outpoint) {
                balance.pending += utxo.amount;
            } else if self.is_mature(utxo.coinbase, utxo.blue_score) {
                balance.spendable += utxo.amount;
            } else {
                balance.immature += utxo.amount;
            }
        }
        balance
    }
}

/// Script of an address of this network.
///
/// # Errors
/// When it is not a pay-to-public-key-hash address of the test network.
pub fn script_of_address(text: &str) -> Result<ScriptBuf, String> {
    let wrong = |why: String| format!("address {text} can't be used: {why}");
    let address = Address::<NetworkUnchecked>::from_str(text).map_err(|error| wrong(error.to_string()))?;
    let address = address.require_network(Network::Testnet).map_err(|error| wrong(error.to_string()))?;
    let script = address.script_pubkey();
    if script.is_p2pkh() { Ok(script) } else { Err(wrong("only pay-to-public-key-hash is known".to_owned())) }
}

/// Address of a script; `None` for scripts that have none.
pub fn address_of_script(script: &Script) -> Option<String> {
    Address::from_script(script, Network::Testnet).ok().map(|address| address.to_string())
}

/// A plain name (of a demonstration's miner) that can't be taken for a mistyped address: this chain lets such names stand
/// for the address that the wallet has under that label.
pub fn is_plain_name(text: &str) -> bool {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    // Base58 addresses have 26 to 35 characters, others more; a hexadecimal prefix is another chain's.
    (1..=24).contains(&text.len()) && plain && !text.starts_with("0x")
}
