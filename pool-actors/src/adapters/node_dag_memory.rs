//! The newest blocks of a DAG as the node told them, so that a later change of colour can be told with the block.

use std::collections::VecDeque;

use pool_domain::{ids::BlockHash, maturity::Color};

use crate::ports::node::{DagBlock, NodeEvent};

/// Blocks remembered.
const BLOCKS_MAX: usize = 512;

struct Remembered {
    block: DagBlock,
    /// What this block merges, where the node says so beforehand.
    blues: Vec<BlockHash>,
    reds: Vec<BlockHash>,
}

/// See the module's documentation.
#[derive(Default)]
pub(super) struct DagMemory {
    blocks: VecDeque<Remembered>,
    /// Blocks whose joining of the selected chain was told before themselves: a node may tell the two over channels
    /// of their own, which keep no order between each other.
    early: VecDeque<BlockHash>,
}

impl DagMemory {
    /// A block joined the DAG; `blues` and `reds` are what it merges, if that is known already.
    pub(super) fn added(
        &mut self,
        block: DagBlock,
        blues: Vec<BlockHash>,
        reds: Vec<BlockHash>,
    ) -> Vec<NodeEvent> {
        let hash = block.hash;
        let mut events = vec![NodeEvent::BlockAdded(block.clone())];
        push_bounded(&mut self.blocks, Remembered { block, blues, reds });
        if self.forget_early(hash) {
            events.extend(self.chain_changed(hash, true));
        }
        events
    }

    /// These blocks have this colour now: an event for each that had another.
    pub(super) fn recolour(&mut self, hashes: &[BlockHash], color: Color) -> Vec<NodeEvent> {
        let mut events = Vec::new();
        for remembered in &mut self.blocks {
            if hashes.contains(&remembered.block.hash) && remembered.block.color != color {
                remembered.block.color = color;
                events.push(NodeEvent::BlockAdded(remembered.block.clone()));
            }
        }
        events
    }

    /// A block joined or left the selected chain: what it merges is coloured, or no longer coloured, by that.
    pub(super) fn chain_changed(&mut self, hash: BlockHash, joined: bool) -> Vec<NodeEvent> {
        let Some(merging) = self.blocks.iter().find(|remembered| remembered.block.hash == hash) else {
            self.forget_early(hash);
            if joined {
                push_bounded(&mut self.early, hash);
            }
            return Vec::new();
        };
        let (blues, reds) = (merging.blues.clone(), merging.reds.clone());
        let mut events = self.recolour(&blues, if joined { Color::Blue } else { Color::Unknown });
        events.extend(self.recolour(&reds, if joined { Color::Red } else { Color::Unknown }));
        events
    }

    /// Whether this block's joining of the chain was told before the block.
    fn forget_early(&mut self, hash: BlockHash) -> bool {
        let before = self.early.len();
        self.early.retain(|early| *early != hash);
        self.early.len() < before
    }
}

/// Adds one, at the cost of the oldest beyond [`BLOCKS_MAX`].
fn push_bounded<T>(queue: &mut VecDeque<T>, item: T) {
    if queue.len() == BLOCKS_MAX {
        queue.pop_front();
    }
    queue.push_back(item);
}

#[cfg(test)]
mod tests {
    use pool_domain::units::TimeMs;

    use super::*;

    fn hash(byte: u8) -> BlockHash {
        BlockHash([byte; 32])
    }

    fn block(byte: u8) -> DagBlock {
        DagBlock { hash: hash(byte), parents: Vec::new(), height: None, color: Color::Unknown, at: TimeMs(0) }
    }

    /// Blocks and colours that the events tell, in order.
    fn told(events: &[NodeEvent]) -> Vec<(BlockHash, Color)> {
        let told = |event: &NodeEvent| match event {
            NodeEvent::BlockAdded(block) => (block.hash, block.color),
            other => panic!("only blocks are told: {other:?}"),
        };
        events.iter().map(told).collect()
    }

    /// Block 1 is blue and block 2 red in the eyes of block 3.
    fn siblings() -> DagMemory {
        let mut memory = DagMemory::default();
        for sibling in [1, 2] {
            memory.added(block(sibling), Vec::new(), Vec::new());
        }
        memory
    }

    fn merger(memory: &mut DagMemory) -> Vec<NodeEvent> {
        memory.added(block(3), vec![hash(1)], vec![hash(2)])
    }

    #[test]
    fn the_merging_block_colours_when_it_joins_the_chain() {
        let mut memory = siblings();
        assert_eq!(told(&merger(&mut memory)), [(hash(3), Color::Unknown)]);
        let joined = memory.chain_changed(hash(3), true);
        assert_eq!(told(&joined), [(hash(1), Color::Blue), (hash(2), Color::Red)]);
        assert!(memory.chain_changed(hash(3), true).is_empty(), "nothing changed");
        let left = memory.chain_changed(hash(3), false);
        assert_eq!(told(&left), [(hash(1), Color::Unknown), (hash(2), Color::Unknown)]);
    }

    #[test]
    fn a_chain_told_before_its_block_colours_when_the_block_comes() {
        let mut memory = siblings();
        assert!(memory.chain_changed(hash(3), true).is_empty());
        let events = merger(&mut memory);
        assert_eq!(told(&events), [(hash(3), Color::Unknown), (hash(1), Color::Blue), (hash(2), Color::Red)]);
    }

    #[test]
    fn a_chain_left_before_its_block_came_colours_nothing() {
        let mut memory = siblings();
        memory.chain_changed(hash(3), true);
        memory.chain_changed(hash(3), false);
        assert_eq!(told(&merger(&mut memory)), [(hash(3), Color::Unknown)]);
    }

    #[test]
    fn chains_told_early_are_kept_in_bounds() {
        let mut memory = siblings();
        memory.chain_changed(hash(3), true);
        for other in 0..BLOCKS_MAX {
            let mut bytes = [0xff; 32];
            bytes[..8].copy_from_slice(&other.to_le_bytes());
            memory.chain_changed(BlockHash(bytes), true);
        }
        assert_eq!(memory.early.len(), BLOCKS_MAX);
        assert_eq!(told(&merger(&mut memory)), [(hash(3), Color::Unknown)], "the oldest is forgotten");
    }
}
