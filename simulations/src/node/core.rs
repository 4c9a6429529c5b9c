//! The node without its actor: chain, mempool, wallet and switches, and what happened since someone last looked.

use bitcoin::{ScriptBuf, Transaction};
use serde_json::{Value, json};

use super::block::{Block, Id};
use super::chain::{Chain, Change, assemble, solve};
use super::chain_file::ChainFile;
use super::config::NodeConfig;
use super::errors::Refusal;
use super::faults::Faults;
use super::mempool::Mempool;
use super::wallet::{Coins, Wallet};

/// A notification as it goes to watchers: method and parameter.
pub type Notice = (&'static str, Value);

/// Everything the node knows.
pub struct Core {
    /// Consensus.
    pub chain: Chain,
    /// Waiting payments.
    pub mempool: Mempool,
    /// Keys.
    pub wallet: Wallet,
    /// Switches.
    pub faults: Faults,
    /// Seconds that the node's clock is ahead.
    pub time_offset: i64,
    file: Option<ChainFile>,
    notices: Vec<Notice>,
}

impl Core {
    /// A node with an empty chain that begins at `now_ms`.
    pub fn new(config: NodeConfig, now_ms: u64) -> Self {
        Self::begin(config, seconds(now_ms, 0))
    }

    /// A node with the chain that its configuration names, which begins at `now_ms` if there is none yet.
    ///
    /// # Errors
    /// A sentence: that chain can't be used.
    pub fn open(config: NodeConfig, now_ms: u64) -> Result<Self, String> {
        let Some(path) = config.chain_file.clone() else { return Ok(Self::new(config, now_ms)) };
        let (file, kept) = ChainFile::open(&path, &config, seconds(now_ms, 0))?;
        let mut core = Self::begin(config, kept.genesis_time);
        for block in kept.blocks {
            // It was not of the future when it was taken in.
            let now = block.header.time;
            let taken = core.chain.insert(block, now);
            taken.map_err(|refusal| format!("the chain {}: it is damaged: {refusal}", path.display()))?;
        }
        for label in kept.labels {
            core.wallet.script_of(&label);
        }
        core.file = Some(file);
        Ok(core)
    }

    fn begin(config: NodeConfig, genesis_time: u32) -> Self {
        let mut wallet = Wallet::new(config.seed);
        for rival in &config.rivals {
            wallet.script_of(&rival.name);
        }
        let chain = Chain::new(config, genesis_time);
        let (mempool, faults, notices) = (Mempool::default(), Faults::default(), Vec::new());
        Self { chain, mempool, wallet, faults, time_offset: 0, file: None, notices }
    }

    /// The node's clock in Unix seconds.
    pub fn now(&self, now_ms: u64) -> u32 {
        seconds(now_ms, self.time_offset)
    }

    /// The script of a label's address. A new label is kept with the chain: its coins can be spent after the next start, too.
    pub fn script_of(&mut self, label: &str) -> ScriptBuf {
        let known = self.wallet.key_count();
        let script = self.wallet.script_of(label);
        if self.wallet.key_count() > known
            && let Some(file) = &mut self.file
        {
            file.add_label(label);
        }
        script
    }

    /// Notifications since the last call.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// Identifies the present template: the part before `-` stands for the tips, the rest for the payments.
    pub fn longpollid(&self) -> String {
        let root = Id::from_wire(super::block::parents_root(&self.chain.virtual_view().parents));
        format!("{root}-{}", self.mempool.generation())
    }

    /// The coins that can be spent by the wallet.
    pub fn coins(&self) -> Coins<'_> {
        Coins {
            overlay: self.chain.coins(),
            in_mempool: self.mempool.spent().clone(),
            blue_score: self.chain.virtual_view().data.blue_score,
            maturity: self.chain.config().coinbase_maturity,
        }
    }

    /// Takes a block in, wherever it came from.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn insert(&mut self, block: Block, now_ms: u64) -> Result<Id, Refusal> {
        let change = self.chain.insert(block, self.now(now_ms))?;
        if let Some(file) = &mut self.file {
            file.add_block(&self.chain.dag().known(change.id).block);
        }
        let returned = change.removed.iter().flat_map(|&id| self.payments_merged_by(id)).collect();
        self.mempool.refresh(&self.chain, returned);
        self.announce(&change);
        Ok(change.id)
    }

    fn payments_merged_by(&self, id: Id) -> Vec<Transaction> {
        let dag = self.chain.dag();
        let stored = dag.known(id);
        let merged = stored.data.mergeset_blues.iter().chain(&stored.data.mergeset_reds);
        merged.flat_map(|&block| dag.known(block).block.transactions.iter().skip(1).cloned()).collect()
    }

    fn announce(&mut self, change: &Change) {
        let dag = self.chain.dag();
        let stored = dag.known(change.id);
        self.notices.push((
            "blockAccepted",
            json!({
                "hash": stored.id.to_string(), "height": stored.height, "blue_score": stored.data.blue_score,
                "parents": strings(&stored.block.parents), "pow_type": stored.block.pow_type(),
                "time": stored.block.header.time,
            }),
        ));
        let on_chain = |id: Id| {
            let stored = dag.known(id);
            json!({
                "hash": id.to_string(), "height": stored.height, "blue_score": stored.data.blue_score,
                "order": self.chain.selected().position(id),
                "blues": strings(&stored.data.mergeset_blues), "reds": strings(&stored.data.mergeset_reds),
            })
        };
        if let Some(ancestor) = change.common_ancestor {
            self.notices.push((
                "reorganization",
                json!({
                    "old_tip": change.removed.first().map(Id::to_string),
                    "new_tip": change.added.last().map(Id::to_string),
                    "common_ancestor": ancestor.to_string(),
                    "removed": change.removed.len(), "added": change.added.len(),
                }),
            ));
        }
        self.notices.extend(change.removed.iter().map(|&id| ("blockDisconnected", on_chain(id))));
        self.notices.extend(change.added.iter().map(|&id| ("blockConnected", on_chain(id))));
        self.announce_template("tip");
    }

    fn announce_template(&mut self, reason: &str) {
        let view = self.chain.virtual_view();
        let notice = json!({
            "longpollid": self.longpollid(), "height": view.height, "blues": view.data.blue_score, "reason": reason,
        });
        self.notices.push(("blocktemplate", notice));
    }

    /// Takes a payment into the mempool.
    ///
    /// # Errors
    /// Why it is not valid.
    pub fn add_payment(&mut self, transaction: Transaction) -> Result<bitcoin::Txid, String> {
        let txid = self.mempool.add(&self.chain, transaction)?;
        self.announce_template("transactions");
        Ok(txid)
    }

    /// Pays from the wallet.
    ///
    /// # Errors
    /// Insufficient funds, or a payment that is not valid.
    pub fn pay(&mut self, from: Option<&str>, outputs: &[(ScriptBuf, u64)]) -> Result<bitcoin::Txid, String> {
        let scripts = self.wallet.scripts(from);
        let transaction = self.wallet.pay(&scripts, outputs, &self.coins())?;
        self.add_payment(transaction)
    }

    /// Makes a block at once, for tests: on the given parents, or on the tips with what waits in the mempool.
    ///
    /// # Errors
    /// An unknown parent, an inactive algorithm, or a broken rule.
    pub fn mine_block(
        &mut self,
        pow_type: u8,
        parents: Option<&[Id]>,
        label: &str,
        now_ms: u64,
    ) -> Result<Id, Refusal> {
        self.mine_block_with(pow_type, parents, None, label, now_ms)
    }

    /// As [`Self::mine_block`], with these payments and no others.
    ///
    /// # Errors
    /// As [`Self::mine_block`].
    pub fn mine_block_with(
        &mut self,
        pow_type: u8,
        parents: Option<&[Id]>,
        payments: Option<&[Transaction]>,
        label: &str,
        now_ms: u64,
    ) -> Result<Id, Refusal> {
        let (view, waiting) = match parents {
            Some(parents) => (self.chain.view_of(parents)?, Vec::new()),
            None => {
                let waiting = self.mempool.best().iter().map(|entry| entry.transaction.clone()).collect();
                (self.chain.virtual_view().clone(), waiting)
            }
        };
        let payments = payments.unwrap_or(&waiting);
        let script = self.script_of(label);
        let entry = self.chain.algorithm_at(pow_type, view.height)?;
        let bits = self.chain.bits_for(entry, &view);
        // The number of blocks keeps siblings of one label apart.
        let tag = [label.as_bytes(), &(self.chain.dag().len() as u64).to_le_bytes()].concat();
        let tag = &tag[tag.len().saturating_sub(80)..];
        let mut block = assemble(&view, entry, bits, self.now(now_ms), &script, tag, payments);
        solve(&mut block, entry.algorithm.name).map_err(Refusal::Other)?;
        self.insert(block, now_ms)
    }
}

fn seconds(now_ms: u64, offset: i64) -> u32 {
    let seconds = i64::try_from(now_ms / 1_000).unwrap_or(i64::MAX).saturating_add(offset);
    u32::try_from(seconds.max(0)).unwrap_or(u32::MAX)
}

/// Ids as JSON shows them.
pub fn strings(ids: &[Id]) -> Vec<String> {
    ids.iter().map(Id::to_string).collect()
}
