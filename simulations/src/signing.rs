//! Keys of the simulated chain outside its node: what a signer in a process of its own needs.

use bitcoin::consensus::encode;
use bitcoin::{ScriptBuf, Transaction};

use crate::node::wallet::{Wallet, address_of_script, is_plain_name, script_of_address};

/// One label's key, as the node's wallet with the same seed has it.
pub struct Keys {
    wallet: Wallet,
    seed: u64,
    script: ScriptBuf,
    address: String,
    lock: String,
}

/// An output of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// In 1e-8.
    pub amount: u64,
    script: ScriptBuf,
}

impl Keys {
    /// The key of a label.
    pub fn new(seed: u64, label: &str) -> Self {
        let mut wallet = Wallet::new(seed);
        let script = wallet.script_of(label);
        let address = address_of_script(&script).unwrap_or_default();
        let lock = script.to_hex_string();
        Self { wallet, seed, script, address, lock }
    }

    /// Its address.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its script, hex.
    pub fn lock(&self) -> &str {
        &self.lock
    }

    /// The outputs of an unsigned transaction (hex).
    ///
    /// # Errors
    /// When it can't be read.
    pub fn outputs(&self, transaction: &str) -> Result<Vec<Output>, String> {
        let output = |output: &bitcoin::TxOut| Output {
            amount: output.value.to_sat(),
            script: output.script_pubkey.clone(),
        };
        Ok(read(transaction)?.output.iter().map(output).collect())
    }

    /// Whether an output pays to an address, or to the one that a plain name stands for.
    pub fn pays_to(&self, output: &Output, account: &str) -> bool {
        let script = match script_of_address(account) {
            Ok(script) => script,
            // A wallet of its own: only this label's key is ever signed with.
            Err(_) if is_plain_name(account) => Wallet::new(self.seed).script_of(account),
            Err(_) => return false,
        };
        output.script == script
    }

    /// Whether an output comes back to this key.
    pub fn is_own(&self, output: &Output) -> bool {
        output.script == self.script
    }

    /// Signs a transaction (hex) whose inputs have these scripts (hex).
    ///
    /// # Errors
    /// When it can't be read, or an input is not this key's.
    pub fn sign(&self, transaction: &str, locks: &[String]) -> Result<String, String> {
        let transaction = read(transaction)?;
        let scripts = locks.iter().map(|lock| {
            ScriptBuf::from_hex(lock).map_err(|error| format!("the script {lock} can't be read: {error}"))
        });
        let scripts = scripts.collect::<Result<Vec<_>, _>>()?;
        Ok(encode::serialize_hex(&self.wallet.sign(transaction, &scripts)?))
    }

    /// An unsigned transaction (hex) of one made-up input, for tests of signers.
    pub fn example(&self, index: u32, outputs: &[(&str, u64)]) -> String {
        let txid = bitcoin::Txid::from_raw_hash(bitcoin::hashes::Hash::from_byte_array([7; 32]));
        let input = (bitcoin::OutPoint { txid, vout: index }, self.script.clone(), 1_000);
        let outputs = outputs
            .iter()
            .map(|(label, amount)| (Wallet::new(self.seed).script_of(label), *amount))
            .collect();
        let draft = crate::node::wallet::Draft { inputs: vec![input], outputs, fee: 10 };
        encode::serialize_hex(&draft.transaction())
    }
}

fn read(transaction: &str) -> Result<Transaction, String> {
    encode::deserialize_hex(transaction).map_err(|error| format!("the transaction can't be read: {error}"))
}
