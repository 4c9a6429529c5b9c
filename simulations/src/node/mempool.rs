//! Payments that wait for a block.

use std::collections::{BTreeMap, HashSet};

use bitcoin::{OutPoint, Transaction, Txid};

use super::chain::Chain;
use super::rules;
use super::wallet::FEE_PER_BYTE;

/// Most bytes of payments in one template, well below the block size.
const TEMPLATE_BYTES: usize = 500_000;
/// Most payments that wait.
const MAX_TRANSACTIONS: usize = 20_000;

/// A waiting payment.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// The payment.
    pub transaction: Transaction,
    /// In 1e-8.
    pub fee: u64,
    /// Serialised size.
    pub bytes: usize,
}

/// Waiting payments, valid as the virtual block sees the coins.
#[derive(Debug, Default)]
pub struct Mempool {
    waiting: BTreeMap<Txid, Waiting>,
    spent: HashSet<OutPoint>,
    generation: u64,
}

impl Mempool {
    /// Grows whenever a payment is added: with it long polling sees new transactions.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// All waiting payments.
    pub fn iter(&self) -> impl Iterator<Item = (&Txid, &Waiting)> {
        self.waiting.iter()
    }

    /// One of them.
    pub fn get(&self, txid: &Txid) -> Option<&Waiting> {
        self.waiting.get(txid)
    }

    /// Outputs that they spend.
    pub fn spent(&self) -> &HashSet<OutPoint> {
        &self.spent
    }

    /// Takes a payment in.
    ///
    /// # Errors
    /// Why it is not valid, or that another one spends the same output.
    pub fn add(&mut self, chain: &Chain, transaction: Transaction) -> Result<Txid, String> {
        let txid = transaction.compute_txid();
        if self.waiting.contains_key(&txid) {
            return Err(format!("already have transaction {txid}"));
        }
        if self.waiting.len() >= MAX_TRANSACTIONS {
            return Err("mempool is full".to_owned());
        }
        if let Some(input) =
            transaction.input.iter().find(|input| self.spent.contains(&input.previous_output))
        {
            return Err(format!("input {} is spent in the mempool", input.previous_output));
        }
        let bytes = bitcoin::consensus::encode::serialize(&transaction).len();
        let score = chain.virtual_view().data.blue_score;
        let maturity = chain.config().coinbase_maturity;
        let fee = rules::check_transaction(&transaction, &chain.coins(), score, maturity)?;
        if fee < FEE_PER_BYTE * bytes as u64 {
            return Err(format!("fee {fee} is below {FEE_PER_BYTE} per byte of {bytes}"));
        }
        self.spent.extend(transaction.input.iter().map(|input| input.previous_output));
        self.waiting.insert(txid, Waiting { transaction, fee, bytes });
        self.generation += 1;
        Ok(txid)
    }

    /// Drops what the new virtual block accepted or made invalid, and takes back `returned`, the payments of blocks that left the
    /// chain.
    pub fn refresh(&mut self, chain: &Chain, returned: Vec<Transaction>) {
        let score = chain.virtual_view().data.blue_score;
        let maturity = chain.config().coinbase_maturity;
        let coins = chain.coins();
        self.waiting.retain(|_, entry| coins.inputs_value(&entry.transaction, score, maturity).is_ok());
        let inputs = self.waiting.values().flat_map(|entry| &entry.transaction.input);
        self.spent = inputs.map(|input| input.previous_output).collect();
        for transaction in returned {
            // What another chain block accepted meanwhile is simply not valid any more.
            let _ = self.add(chain, transaction);
        }
    }

    /// What goes into the next block: the best fees first, up to a size.
    pub fn best(&self) -> Vec<&Waiting> {
        let mut entries: Vec<&Waiting> = self.waiting.values().collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.fee.saturating_mul(1_000) / entry.bytes as u64));
        let mut bytes = 0;
        entries.retain(|entry| {
            bytes += entry.bytes;
            bytes <= TEMPLATE_BYTES
        });
        entries
    }
}
