//! Unspent outputs as some block sees them, and the steps from one block's view to the next.

use std::collections::HashMap;

use bitcoin::{OutPoint, ScriptBuf, Transaction, Txid};

/// An unspent output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Utxo {
    /// In 1e-8 coin.
    pub amount: u64,
    /// Who may spend it.
    pub script: ScriptBuf,
    /// Of the chain block that made it valid.
    pub blue_score: u64,
    /// Whether it must mature first.
    pub coinbase: bool,
}

/// A step between two views.
#[derive(Debug, Clone, Default)]
pub struct Diff {
    /// Outputs that are gone afterwards.
    pub spent: Vec<(OutPoint, Utxo)>,
    /// Outputs that are new afterwards.
    pub created: Vec<(OutPoint, Utxo)>,
}

/// The outputs of one view.
#[derive(Debug, Default)]
pub struct UtxoSet {
    coins: HashMap<OutPoint, Utxo>,
}

impl UtxoSet {
    /// Takes a step. What is made and spent within one step appears in neither list.
    pub fn apply(&mut self, diff: &Diff) {
        for (outpoint, _) in &diff.spent {
            self.coins.remove(outpoint);
        }
        self.coins.extend(diff.created.iter().cloned());
    }

    /// Takes a step back.
    pub fn unapply(&mut self, diff: &Diff) {
        for (outpoint, _) in &diff.created {
            self.coins.remove(outpoint);
        }
        self.coins.extend(diff.spent.iter().cloned());
    }

    /// All outputs.
    pub fn iter(&self) -> impl Iterator<Item = (&OutPoint, &Utxo)> {
        self.coins.iter()
    }

    /// One output.
    pub fn get(&self, outpoint: &OutPoint) -> Option<&Utxo> {
        self.coins.get(outpoint)
    }
}

/// A view being made: a set with changes that are not yet in it.
pub struct Overlay<'a> {
    base: &'a UtxoSet,
    spent: HashMap<OutPoint, Utxo>,
    created: HashMap<OutPoint, Utxo>,
}

impl<'a> Overlay<'a> {
    /// Without changes.
    pub fn new(base: &'a UtxoSet) -> Self {
        Self { base, spent: HashMap::new(), created: HashMap::new() }
    }

    /// With the changes of a diff.
    pub fn with(base: &'a UtxoSet, diff: &Diff) -> Self {
        let (spent, created) = (diff.spent.iter().cloned().collect(), diff.created.iter().cloned().collect());
        Self { base, spent, created }
    }

    /// An output, if it is unspent here.
    pub fn get(&self, outpoint: &OutPoint) -> Option<&Utxo> {
        self.created
            .get(outpoint)
            .or_else(|| self.base.get(outpoint).filter(|_| !self.spent.contains_key(outpoint)))
    }

    /// All outputs.
    pub fn iter(&self) -> impl Iterator<Item = (&OutPoint, &Utxo)> {
        self.base.iter().filter(|(outpoint, _)| !self.spent.contains_key(outpoint)).chain(&self.created)
    }

    /// Adds all outputs of a transaction. Outputs of no value (a claim without reds) can't be spent and are left out.
    pub fn create(&mut self, txid: Txid, transaction: &Transaction, blue_score: u64, coinbase: bool) {
        for (vout, output) in (0_u32..).zip(&transaction.output) {
            let amount = output.value.to_sat();
            if amount > 0 {
                let utxo = Utxo { amount, script: output.script_pubkey.clone(), blue_score, coinbase };
                self.created.insert(OutPoint { txid, vout }, utxo);
            }
        }
    }

    /// Spends all inputs of a transaction that [`inputs_value`](Self::inputs_value) found good.
    pub fn spend(&mut self, transaction: &Transaction) {
        for input in &transaction.input {
            let outpoint = input.previous_output;
            if self.created.remove(&outpoint).is_none()
                && let Some(utxo) = self.base.get(&outpoint)
            {
                self.spent.insert(outpoint, utxo.clone());
            }
        }
    }

    /// Sum of the inputs at a blue score.
    ///
    /// # Errors
    /// Names an input that is unknown, spent or immature.
    pub fn inputs_value(
        &self,
        transaction: &Transaction,
        blue_score: u64,
        maturity: u64,
    ) -> Result<u64, String> {
        let mut sum = 0_u64;
        for input in &transaction.input {
            let outpoint = input.previous_output;
            let utxo = self.get(&outpoint).ok_or_else(|| format!("input {outpoint} is unknown or spent"))?;
            if utxo.coinbase && blue_score < utxo.blue_score + maturity {
                let at = utxo.blue_score + maturity;
                return Err(format!("input {outpoint} matures at blue score {at}, not at {blue_score}"));
            }
            sum = sum.checked_add(utxo.amount).ok_or("inputs overflow")?;
        }
        Ok(sum)
    }

    /// The changes.
    pub fn into_diff(self) -> Diff {
        Diff { spent: self.spent.into_iter().collect(), created: self.created.into_iter().collect() }
    }
}
