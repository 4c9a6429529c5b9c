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
pub(super) struct DagMemory(VecDeque<Remembered>);

impl DagMemory {
    /// A block joined the DAG; `blues` and `reds` are what it merges, if that is known already.
    pub(super) fn added(
        &mut self,
        block: DagBlock,
        blues: Vec<BlockHash>,
        reds: Vec<BlockHash>,
    ) -> NodeEvent {
        if self.0.len() == BLOCKS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(Remembered { block: block.clone(), blues, reds });
        NodeEvent::BlockAdded(block)
    }

    /// These blocks have this colour now: an event for each that had another.
    pub(super) fn recolour(&mut self, hashes: &[BlockHash], color: Color) -> Vec<NodeEvent> {
        let mut events = Vec::new();
        for remembered in &mut self.0 {
            if hashes.contains(&remembered.block.hash) && remembered.block.color != color {
                remembered.block.color = color;
                events.push(NodeEvent::BlockAdded(remembered.block.clone()));
            }
        }
        events
    }

    /// A block joined or left the selected chain: what it merges is coloured, or no longer coloured, by that.
    pub(super) fn chain_changed(&mut self, hash: BlockHash, joined: bool) -> Vec<NodeEvent> {
        let Some(merging) = self.0.iter().find(|remembered| remembered.block.hash == hash) else {
            return Vec::new();
        };
        let (blues, reds) = (merging.blues.clone(), merging.reds.clone());
        let mut events = self.recolour(&blues, if joined { Color::Blue } else { Color::Unknown });
        events.extend(self.recolour(&reds, if joined { Color::Red } else { Color::Unknown }));
        events
    }
}
