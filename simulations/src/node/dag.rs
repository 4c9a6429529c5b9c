//! The stored DAG: blocks, what GHOSTDAG says about them, and the selected chain of the virtual block.

use std::collections::{BTreeSet, HashMap};

use bitcoin::{ScriptBuf, Txid};
use pool_domain::ghostdag::{GhostdagData, GhostdagStore, ordered_mergeset};
use ruint::aliases::U256;

use super::block::{Block, Id};
use super::utxo::Diff;

/// A block with everything that was found out when it joined.
#[derive(Debug)]
pub struct Stored {
    /// The block itself.
    pub block: Block,
    /// Its identity.
    pub id: Id,
    /// Blocks that name it as a parent.
    pub children: Vec<Id>,
    /// Colours of its mergeset.
    pub data: GhostdagData<Id>,
    /// Its own work, normalised by the algorithm's weight.
    pub work: U256,
    /// Selected parent's + 1.
    pub height: u64,
    /// What was compared with the target.
    pub pow_hash: U256,
    /// Where its reward goes: the script of the coinbase's last output; none for the genesis.
    pub claim: Option<ScriptBuf>,
    /// What its merging does to the coins and who is rewarded.
    pub merge: Merge,
    /// Median time of the last 11 chain blocks up to its selected parent.
    pub median_time: u32,
}

/// The effect of a block's mergeset, seen from that block.
#[derive(Debug, Clone, Default)]
pub struct Merge {
    /// From the view of the selected parent to the view of this block.
    pub diff: Diff,
    /// Transactions accepted by it, without coinbases.
    pub accepted: Vec<Txid>,
    /// One entry per blue block with a claim, in mergeset order: the mandatory coinbase outputs.
    pub rewards: Vec<Reward>,
    /// What the merged reds forfeit.
    pub red_reward: u64,
}

/// What a merged blue block earns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reward {
    /// The blue block.
    pub block: Id,
    /// Subsidy + fees.
    pub amount: u64,
    /// Its claim.
    pub script: ScriptBuf,
}

/// All blocks by id.
#[derive(Debug, Default)]
pub struct Dag {
    blocks: HashMap<Id, Stored>,
    tips: BTreeSet<Id>,
}

impl Dag {
    /// A stored block.
    pub fn get(&self, id: Id) -> Option<&Stored> {
        self.blocks.get(&id)
    }

    /// A block that is known to be stored: a parent of a stored block, a member of a mergeset, a tip.
    pub fn known(&self, id: Id) -> &Stored {
        self.blocks.get(&id).expect("blocks are stored after their parents and never removed")
    }

    /// Blocks without children.
    pub fn tips(&self) -> &BTreeSet<Id> {
        &self.tips
    }

    /// Number of blocks, the genesis included.
    pub fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Whether not even the genesis is stored.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Adds a checked block.
    pub fn insert(&mut self, stored: Stored) {
        for parent in &stored.block.parents {
            self.tips.remove(parent);
            if let Some(parent) = self.blocks.get_mut(parent) {
                parent.children.push(stored.id);
            }
        }
        self.tips.insert(stored.id);
        self.blocks.insert(stored.id, stored);
    }

    /// The blocks of a mergeset with the newest first, then those of the selected parent's, and so on: the past of a block in
    /// reverse consensus order.
    pub fn past_of<'a>(&'a self, data: &'a GhostdagData<Id>) -> impl Iterator<Item = &'a Stored> + 'a {
        let mut level = Some(data);
        let mut pending: Vec<Id> = Vec::new();
        std::iter::from_fn(move || {
            if pending.is_empty() {
                let data = level?;
                pending = ordered_mergeset(self, data);
                level = data.selected_parent.map(|parent| &self.known(parent).data);
            }
            pending.pop().map(|id| self.known(id))
        })
    }
}

impl GhostdagStore for Dag {
    type Hash = Id;

    fn parents(&self, block: Id) -> &[Id] {
        &self.known(block).block.parents
    }

    fn ghostdag_data(&self, block: Id) -> &GhostdagData<Id> {
        &self.known(block).data
    }

    fn work(&self, block: Id) -> U256 {
        self.known(block).work
    }
}

/// Colour of a block as the selected chain sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// No chain block merged it yet.
    Unknown,
    /// Merged as blue by that chain block.
    Blue(Id),
    /// Merged as red by that chain block.
    Red(Id),
}

/// The selected chain from the genesis to the main tip, and the total order that it gives.
#[derive(Debug, Default)]
pub struct SelectedChain {
    blocks: Vec<Id>,
    /// Length of `order` before each chain block's own mergeset.
    order_before: Vec<usize>,
    order: Vec<Id>,
    position: HashMap<Id, usize>,
    colours: HashMap<Id, Colour>,
}

impl SelectedChain {
    /// The main tip.
    pub fn tip(&self) -> Option<Id> {
        self.blocks.last().copied()
    }

    /// Whether a block is on the chain.
    pub fn contains(&self, stored: &Stored) -> bool {
        usize::try_from(stored.height).ok().and_then(|height| self.blocks.get(height)) == Some(&stored.id)
    }

    /// Blocks in their total order, the genesis first.
    pub fn order(&self) -> &[Id] {
        &self.order
    }

    /// Place of a block in the total order.
    pub fn position(&self, id: Id) -> Option<usize> {
        self.position.get(&id).copied()
    }

    /// Colour of a block.
    pub fn colour(&self, id: Id) -> Colour {
        self.colours.get(&id).copied().unwrap_or(Colour::Unknown)
    }

    /// Chain blocks by height.
    pub fn blocks(&self) -> &[Id] {
        &self.blocks
    }

    /// Extends the chain by a child of its tip.
    pub fn push(&mut self, dag: &Dag, id: Id) {
        let data = &dag.known(id).data;
        self.order_before.push(self.order.len());
        self.blocks.push(id);
        let merged = ordered_mergeset(dag, data);
        for block in merged.iter().skip(1).copied().chain([id]) {
            self.position.insert(block, self.order.len());
            self.order.push(block);
        }
        self.colours.extend(data.mergeset_blues.iter().map(|&blue| (blue, Colour::Blue(id))));
        self.colours.extend(data.mergeset_reds.iter().map(|&red| (red, Colour::Red(id))));
    }

    /// Removes the tip.
    pub fn pop(&mut self, dag: &Dag) -> Option<Id> {
        let id = self.blocks.pop()?;
        let before = self.order_before.pop().unwrap_or(0);
        for block in self.order.drain(before..) {
            self.position.remove(&block);
        }
        let data = &dag.known(id).data;
        for block in data.mergeset_blues.iter().chain(&data.mergeset_reds) {
            self.colours.remove(block);
        }
        Some(id)
    }
}
