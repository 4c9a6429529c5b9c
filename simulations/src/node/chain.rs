//! Consensus: takes blocks, keeps the virtual block and its selected chain.
//!
//! The virtual block is the pseudo-block over all tips: its colours are the network's present opinion, its view is what the next
//! block is built on. No clock here: the time is always given.

use bitcoin::absolute::LockTime;
use bitcoin::block::{Header, Version};
use bitcoin::hashes::Hash as _;
use bitcoin::{BlockHash, Txid};
use pool_domain::ghostdag::{GhostdagData, GhostdagStore};
use ruint::aliases::U256;

use super::block::{Block, Id, VERSION_BASE, parents_root};
use super::config::{AlgorithmConfig, NodeConfig};
use super::dag::{Colour, Dag, Merge, SelectedChain, Stored};
use super::difficulty;
use super::errors::Refusal;
use super::rules::{self, MAX_FUTURE_SECONDS, MAX_PARENTS};
use super::utxo::{Overlay, UtxoSet};
use super::view::{self, View};

/// What a new block changed.
#[derive(Debug, Clone)]
pub struct Change {
    /// The block that joined.
    pub id: Id,
    /// Chain blocks that left, the former tip first.
    pub removed: Vec<Id>,
    /// Chain blocks that joined, the lowest first.
    pub added: Vec<Id>,
    /// Where the two chains part, if something was removed.
    pub common_ancestor: Option<Id>,
}

/// The consensus state.
pub struct Chain {
    config: NodeConfig,
    dag: Dag,
    selected: SelectedChain,
    /// Coins as the block `coins_at` sees them.
    coins: UtxoSet,
    coins_at: Id,
    virtual_view: View,
    genesis: Id,
}

impl Chain {
    /// A chain that holds its genesis, made at `now` (Unix seconds).
    pub fn new(config: NodeConfig, now: u32) -> Self {
        let seed = bitcoin::hashes::sha256::Hash::hash(&config.seed.to_le_bytes());
        let header = Header {
            version: Version::from_consensus(i32::from_le_bytes(VERSION_BASE.to_le_bytes())),
            prev_blockhash: BlockHash::all_zeros(),
            merkle_root: bitcoin::TxMerkleNode::from_byte_array(seed.to_byte_array()),
            time: now,
            bits: difficulty::bits_of(U256::MAX),
            nonce: 0,
        };
        let block = Block { header, parents: Vec::new(), transactions: Vec::new() };
        let genesis = block.id();
        let mut dag = Dag::default();
        dag.insert(Stored {
            block,
            id: genesis,
            children: Vec::new(),
            data: GhostdagData::genesis(),
            work: U256::ONE,
            height: 0,
            pow_hash: U256::ZERO,
            claim: None,
            merge: Merge::default(),
            median_time: now,
        });
        let mut selected = SelectedChain::default();
        selected.push(&dag, genesis);
        let coins = UtxoSet::default();
        let mut virtual_view = view::place(&dag, config.k(), [genesis]);
        virtual_view.merge = view::merge(&dag, &config, &virtual_view.data, &coins);
        Self { config, dag, selected, coins, coins_at: genesis, virtual_view, genesis }
    }

    /// The settings.
    pub fn config(&self) -> &NodeConfig {
        &self.config
    }

    /// All blocks.
    pub fn dag(&self) -> &Dag {
        &self.dag
    }

    /// The selected chain of the virtual block.
    pub fn selected(&self) -> &SelectedChain {
        &self.selected
    }

    /// The first block.
    pub fn genesis(&self) -> Id {
        self.genesis
    }

    /// The view of the virtual block.
    pub fn virtual_view(&self) -> &View {
        &self.virtual_view
    }

    /// The coins that the next block can spend.
    pub fn coins(&self) -> Overlay<'_> {
        Overlay::with(&self.coins, &self.virtual_view.merge.diff)
    }

    /// The main tip: the virtual block's selected parent.
    pub fn main_tip(&self) -> &Stored {
        self.dag.known(self.virtual_view.selected_parent())
    }

    /// The settings of an algorithm at a height.
    ///
    /// # Errors
    /// When it is not active there.
    pub fn algorithm_at(&self, pow_type: u8, height: u64) -> Result<&AlgorithmConfig, Refusal> {
        self.config
            .algorithms
            .iter()
            .find(|entry| entry.algorithm.pow_type == pow_type && entry.is_active(height))
            .ok_or(Refusal::PowType { pow_type, height })
    }

    /// The bits that a block at this place must carry.
    pub fn bits_for(&self, entry: &AlgorithmConfig, view: &View) -> bitcoin::CompactTarget {
        difficulty::next_bits(&self.dag, &self.config, entry, &view.data, view.height)
    }

    /// Confirmations, reward and colour are counted from here: the blue score of the main tip.
    pub fn tip_score(&self) -> u64 {
        self.main_tip().data.blue_score
    }

    /// Colour of a block, and for a merged one the chain block that merged it.
    pub fn colour(&self, id: Id) -> Colour {
        self.selected.colour(id)
    }

    /// The chain block that accepted a transaction, if one did. Looks back through the chain: for wallets and tests.
    pub fn accepting_block(&self, txid: Txid) -> Option<Id> {
        self.selected.blocks().iter().rev().copied().find(|&id| {
            let stored = self.dag.known(id);
            stored.merge.accepted.contains(&txid)
        })
    }

    /// The transaction of this id that a block merged (or the virtual block merges), if it did.
    pub fn merged_transaction(&self, by: &GhostdagData<Id>, txid: Txid) -> Option<&bitcoin::Transaction> {
        by.mergeset_blues
            .iter()
            .chain(&by.mergeset_reds)
            .flat_map(|&id| self.dag.known(id).block.transactions.iter())
            .find(|transaction| transaction.compute_txid() == txid)
    }

    /// What each chain block accepted, the newest first, with its depth below the tip; the virtual block's comes first, at
    /// depth 0.
    pub fn merges_newest_first(&self) -> impl Iterator<Item = (u64, &GhostdagData<Id>, &super::dag::Merge)> {
        let tip = self.tip_score();
        let chain = self.selected.blocks().iter().rev().map(move |&id| {
            let stored = self.dag.known(id);
            (tip.saturating_sub(stored.data.blue_score), &stored.data, &stored.merge)
        });
        [(0, &self.virtual_view.data, &self.virtual_view.merge)].into_iter().chain(chain)
    }

    /// The view of a block with given parents, e.g. of a miner that has not yet seen the newest ones.
    ///
    /// # Errors
    /// When a parent is unknown, or too many are left.
    pub fn view_of(&mut self, parents: &[Id]) -> Result<View, Refusal> {
        if let Some(&parent) = parents.iter().find(|parent| self.dag.get(**parent).is_none()) {
            return Err(Refusal::NotFound(parent));
        }
        let mut view = view::place(&self.dag, self.config.k(), parents.iter().copied());
        self.move_coins(view.selected_parent());
        view.merge = view::merge(&self.dag, &self.config, &view.data, &self.coins);
        self.move_coins(self.virtual_view.selected_parent());
        Ok(view)
    }

    /// Checks a block and takes it into the DAG.
    ///
    /// # Errors
    /// The rule that it breaks; nothing has changed then.
    pub fn insert(&mut self, block: Block, now: u32) -> Result<Change, Refusal> {
        let id = block.id();
        if self.dag.get(id).is_some() {
            return Err(Refusal::Duplicate(id));
        }
        let (entry, pow_hash) = rules::check_alone(&self.config, &block)?;
        let entry = entry.clone();
        if let Some(&parent) = block.parents.iter().find(|parent| self.dag.get(**parent).is_none()) {
            return Err(Refusal::Orphan { block: id, parent });
        }
        let mut view = self.check_place(id, &block)?;
        self.algorithm_at(entry.algorithm.pow_type, view.height)?;
        let expected = self.bits_for(&entry, &view);
        if block.header.bits != expected {
            let (got, expected) = (block.header.bits.to_consensus(), expected.to_consensus());
            return Err(Refusal::Bits { got, expected });
        }
        let time = block.header.time;
        if time < view.median_time {
            return Err(Refusal::TimeTooOld { time, median: view.median_time });
        }
        let latest = now.saturating_add(MAX_FUTURE_SECONDS);
        if time > latest {
            return Err(Refusal::TimeTooNew { time, latest });
        }
        self.move_coins(view.selected_parent());
        let checked = self.check_body(&block, &mut view);
        if checked.is_err() {
            self.move_coins(self.virtual_view.selected_parent());
        }
        let claim = Some(checked?);
        let target = difficulty::target_of(expected).unwrap_or(U256::MAX);
        let work = difficulty::hashes_of(target).saturating_mul(U256::from(entry.algorithm.weight));
        let View { data, height, median_time, merge, .. } = view;
        let children = Vec::new();
        self.dag.insert(Stored {
            block,
            id,
            children,
            data,
            work,
            height,
            pow_hash,
            claim,
            merge,
            median_time,
        });
        Ok(self.update_virtual(id))
    }

    fn check_place(&self, id: Id, block: &Block) -> Result<View, Refusal> {
        let parents = &block.parents;
        for &one in parents {
            if parents.iter().any(|&other| other != one && self.dag.is_ancestor(one, other)) {
                return Err(Refusal::Parents(format!("{one} is an ancestor of another parent")));
            }
        }
        let view = view::place(&self.dag, self.config.k(), parents.iter().copied());
        if view.parents != *parents {
            return Err(Refusal::Parents(
                "the selected parent must come first, the others in ascending order".to_owned(),
            ));
        }
        let tip = self.virtual_view.data.blue_score;
        let blue_score = view.data.blue_score;
        let (behind, limit) = (tip.saturating_sub(blue_score), self.config.overdue_limit);
        if behind > limit {
            return Err(Refusal::Overdue { block: id, blue_score, behind, tip, limit });
        }
        let limit = self.config.merge_depth;
        for &merged in view.data.mergeset_blues.iter().chain(&view.data.mergeset_reds) {
            let depth = blue_score.saturating_sub(self.dag.known(merged).data.blue_score);
            if depth > limit {
                return Err(Refusal::TooDeep { merged, depth, limit });
            }
        }
        Ok(view)
    }

    fn check_body(&self, block: &Block, view: &mut View) -> Result<bitcoin::ScriptBuf, Refusal> {
        view.merge = view::merge(&self.dag, &self.config, &view.data, &self.coins);
        let claim = rules::check_coinbase(block, view)?;
        let mut overlay = Overlay::with(&self.coins, &view.merge.diff);
        rules::check_transactions(block, &mut overlay, view.data.blue_score, self.config.coinbase_maturity)?;
        Ok(claim)
    }

    fn update_virtual(&mut self, id: Id) -> Change {
        let mut tips: Vec<Id> = self.dag.tips().iter().copied().collect();
        if tips.len() > MAX_PARENTS {
            // The heaviest stay; the others are merged by later blocks.
            tips.sort_by_key(|&tip| std::cmp::Reverse((self.dag.known(tip).data.blue_work, tip)));
            tips.truncate(MAX_PARENTS);
        }
        let mut view = view::place(&self.dag, self.config.k(), tips);
        self.drop_too_deep(&mut view);
        let tip = view.selected_parent();
        self.move_coins(tip);
        view.merge = view::merge(&self.dag, &self.config, &view.data, &self.coins);
        self.virtual_view = view;
        self.follow(id, tip)
    }

    /// Tips whose merging would break the merge depth can never be merged; they stay outside.
    fn drop_too_deep(&self, view: &mut View) {
        let score = view.data.blue_score;
        let too_deep =
            |id: Id| score.saturating_sub(self.dag.known(id).data.blue_score) > self.config.merge_depth;
        let merged = view.data.mergeset_blues.iter().chain(&view.data.mergeset_reds).copied();
        let deep: Vec<Id> = merged.filter(|&id| too_deep(id)).collect();
        if deep.is_empty() {
            return;
        }
        let main = view.selected_parent();
        let reaches = |tip: Id| deep.iter().any(|&block| self.dag.is_ancestor(block, tip));
        let keep: Vec<Id> =
            view.parents.iter().copied().filter(|&tip| tip == main || !reaches(tip)).collect();
        *view = view::place(&self.dag, self.config.k(), keep);
    }

    fn follow(&mut self, id: Id, tip: Id) -> Change {
        let mut added = Vec::new();
        let mut at = tip;
        while !self.selected.contains(self.dag.known(at)) {
            added.push(at);
            at =
                self.dag.known(at).data.selected_parent.expect("the genesis is always on the selected chain");
        }
        added.reverse();
        let mut removed = Vec::new();
        while self.selected.tip() != Some(at) {
            removed.extend(self.selected.pop(&self.dag));
        }
        for &block in &added {
            self.selected.push(&self.dag, block);
        }
        let common_ancestor = (!removed.is_empty()).then_some(at);
        Change { id, removed, added, common_ancestor }
    }

    /// Takes the coins from the view of one block to that of another, along the selected-parent tree.
    fn move_coins(&mut self, to: Id) {
        let mut forward = Vec::new();
        let mut at = to;
        while at != self.coins_at {
            let (ours, theirs) = (self.dag.known(self.coins_at), self.dag.known(at));
            // Whoever is higher steps down, until they meet.
            if theirs.height >= ours.height {
                forward.push(at);
                at = theirs.data.selected_parent.expect("all blocks descend from one genesis");
            } else {
                self.coins.unapply(&ours.merge.diff);
                self.coins_at = ours.data.selected_parent.expect("all blocks descend from one genesis");
            }
        }
        for id in forward.into_iter().rev() {
            self.coins.apply(&self.dag.known(id).merge.diff);
            self.coins_at = id;
        }
    }
}

/// A block at a place, complete but for its nonce: what a template holds, and what a rival hashes.
pub fn assemble(
    view: &View,
    entry: &AlgorithmConfig,
    bits: bitcoin::CompactTarget,
    time: u32,
    payout: &bitcoin::ScriptBuf,
    tag: &[u8],
    transactions: &[bitcoin::Transaction],
) -> Block {
    let mut script = rules::coinbase_prefix(view.height).into_bytes();
    script.extend(tag);
    let coinbase = bitcoin::Transaction {
        version: bitcoin::transaction::Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![bitcoin::TxIn {
            previous_output: bitcoin::OutPoint::null(),
            script_sig: bitcoin::ScriptBuf::from_bytes(script),
            sequence: bitcoin::Sequence::MAX,
            witness: bitcoin::Witness::new(),
        }],
        output: view::coinbase_outputs(&view.merge, payout)
            .into_iter()
            .map(|(script_pubkey, amount)| bitcoin::TxOut {
                value: bitcoin::Amount::from_sat(amount),
                script_pubkey,
            })
            .collect(),
    };
    let version = VERSION_BASE | u32::from(entry.algorithm.pow_type);
    let header = Header {
        version: Version::from_consensus(i32::from_le_bytes(version.to_le_bytes())),
        prev_blockhash: BlockHash::from_byte_array(parents_root(&view.parents)),
        merkle_root: bitcoin::TxMerkleNode::all_zeros(),
        time: time.max(view.median_time),
        bits,
        nonce: 0,
    };
    let transactions = [coinbase].into_iter().chain(transactions.iter().cloned()).collect();
    let mut block = Block { header, parents: view.parents.clone(), transactions };
    if let Some(root) = block.computed_merkle_root() {
        block.header.merkle_root = root;
    }
    block
}

/// Tries nonces until the block meets its bits. For easy targets only.
///
/// # Errors
/// When the algorithm fails, or no nonce of 2^32 does it.
pub fn solve(block: &mut Block, algorithm: &str) -> Result<(), String> {
    let target = difficulty::target_of(block.header.bits).ok_or("bits are not a target")?;
    for nonce in 0..=u32::MAX {
        block.header.nonce = nonce;
        if crate::pow::hash(algorithm, &block.header_bytes())? <= target {
            return Ok(());
        }
    }
    Err("no nonce meets the target".to_owned())
}
