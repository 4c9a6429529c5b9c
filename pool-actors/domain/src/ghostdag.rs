//! Classic GHOSTDAG: which blocks of a DAG are blue, how a block's past is ordered, and how much blue work it holds.
//!
//! Source: Y. Sompolinsky, S. Wyborski, A. Zohar, "PHANTOM GHOSTDAG" (2021), in the incremental form that Kaspa's nodes use.
//! Pure rules over a read-only [`GhostdagStore`]; used by the simulated node and by checks of other nodes' colours.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use ruint::aliases::U256;

/// What GHOSTDAG says about one block. Made once, when the block joins the DAG, and never changed afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GhostdagData<H: Ord> {
    /// Number of blue blocks in the block's past, along its selected chain.
    pub blue_score: u64,
    /// Sum of the work of these blue blocks.
    pub blue_work: U256,
    /// The parent with the most blue work; none for the genesis.
    pub selected_parent: Option<H>,
    /// Blue blocks that this block merges: the selected parent first, then by ascending (blue work, hash).
    pub mergeset_blues: Vec<H>,
    /// Red blocks that this block merges, by ascending (blue work, hash).
    pub mergeset_reds: Vec<H>,
    /// For every blue block whose blue anticone this block's view changed: the size of that anticone, seen from this block.
    pub blues_anticone_sizes: BTreeMap<H, u16>,
}

impl<H: Ord + Copy> GhostdagData<H> {
    /// The data of the block that has no parents.
    pub fn genesis() -> Self {
        Self {
            blue_score: 0,
            blue_work: U256::ZERO,
            selected_parent: None,
            mergeset_blues: Vec::new(),
            mergeset_reds: Vec::new(),
            blues_anticone_sizes: BTreeMap::new(),
        }
    }

    fn with_selected_parent(selected_parent: H) -> Self {
        let mut data = Self::genesis();
        data.selected_parent = Some(selected_parent);
        data.mergeset_blues.push(selected_parent);
        data.blues_anticone_sizes.insert(selected_parent, 0);
        data
    }
}

/// The DAG as GHOSTDAG reads it. A block that the rules ask for is always one reachable from the parents given to
/// [`ghostdag`]; a store that misses one has a broken index.
pub trait GhostdagStore {
    /// Identity of a block; its order decides ties ("the greater hash").
    type Hash: Copy + Ord;

    /// Parents of a block, empty for the genesis.
    fn parents(&self, block: Self::Hash) -> &[Self::Hash];

    /// What was computed when the block joined.
    fn ghostdag_data(&self, block: Self::Hash) -> &GhostdagData<Self::Hash>;

    /// The block's own work, at least 1: blue work must grow along every edge.
    fn work(&self, block: Self::Hash) -> U256;

    /// Whether `ancestor` can be reached from `block` through parents; a block is its own ancestor here.
    ///
    /// The default walks back from `block` and leaves out what has no more blue work than `ancestor`, since blue work grows
    /// strictly along every edge: cheap for blocks that lie close together, which are the only ones GHOSTDAG asks about.
    fn is_ancestor(&self, ancestor: Self::Hash, block: Self::Hash) -> bool {
        if ancestor == block {
            return true;
        }
        let floor = self.ghostdag_data(ancestor).blue_work;
        let mut seen = BTreeSet::new();
        let mut stack = Vec::from([block]);
        while let Some(current) = stack.pop() {
            for &parent in self.parents(current) {
                if parent == ancestor {
                    return true;
                }
                if self.ghostdag_data(parent).blue_work > floor && seen.insert(parent) {
                    stack.push(parent);
                }
            }
        }
        false
    }
}

/// The parent with the most blue work; among equals, the greater hash. `None` without parents.
pub fn selected_parent<S: GhostdagStore>(store: &S, parents: &[S::Hash]) -> Option<S::Hash> {
    parents.iter().copied().max_by_key(|&parent| sort_key(store, parent))
}

/// Colours the mergeset of a block (or of the virtual block, whose parents are the tips) with these parents.
///
/// `k` bounds the blue anticone of a blue block. Without parents the result is the genesis' data.
pub fn ghostdag<S: GhostdagStore>(store: &S, k: u16, parents: &[S::Hash]) -> GhostdagData<S::Hash> {
    let Some(selected) = selected_parent(store, parents) else { return GhostdagData::genesis() };
    let mut data = GhostdagData::with_selected_parent(selected);
    for candidate in mergeset_without_selected_parent(store, selected, parents) {
        match blue_anticone_if_blue(store, k, &data, candidate) {
            Some(touched) => {
                // The candidate joins the anticone of each blue block that it does not see.
                let own_size = u16::try_from(touched.len()).unwrap_or(u16::MAX);
                for (blue, size) in touched {
                    data.blues_anticone_sizes.insert(blue, size + 1);
                }
                data.blues_anticone_sizes.insert(candidate, own_size);
                data.mergeset_blues.push(candidate);
            }
            None => data.mergeset_reds.push(candidate),
        }
    }
    let base = store.ghostdag_data(selected);
    data.blue_score = base.blue_score + data.mergeset_blues.len() as u64;
    data.blue_work =
        data.mergeset_blues.iter().fold(base.blue_work, |sum, &blue| sum.saturating_add(store.work(blue)));
    data
}

/// Blocks in the past of `parents` but not in that of `selected` (which is left out too), by ascending (blue work, hash):
/// a topological order, because blue work grows along every edge.
pub fn mergeset_without_selected_parent<S: GhostdagStore>(
    store: &S,
    selected: S::Hash,
    parents: &[S::Hash],
) -> Vec<S::Hash> {
    let mut mergeset = BTreeSet::new();
    let mut in_past = BTreeSet::from([selected]);
    let mut stack: Vec<S::Hash> = parents.iter().copied().filter(|&parent| parent != selected).collect();
    while let Some(block) = stack.pop() {
        if mergeset.contains(&block) || in_past.contains(&block) {
            continue;
        }
        if store.is_ancestor(block, selected) {
            in_past.insert(block);
            continue;
        }
        mergeset.insert(block);
        stack.extend_from_slice(store.parents(block));
    }
    let mut ordered: Vec<S::Hash> = mergeset.into_iter().collect();
    ordered.sort_by_key(|&block| sort_key(store, block));
    ordered
}

/// The mergeset in the order in which its transactions are accepted: the selected parent, then all others, blue and red, by
/// ascending (blue work, hash).
pub fn ordered_mergeset<S: GhostdagStore>(store: &S, data: &GhostdagData<S::Hash>) -> Vec<S::Hash> {
    let mut ordered: Vec<S::Hash> =
        data.mergeset_blues.iter().skip(1).chain(&data.mergeset_reds).copied().collect();
    ordered.sort_by_key(|&block| sort_key(store, block));
    data.selected_parent.into_iter().chain(ordered).collect()
}

fn sort_key<S: GhostdagStore>(store: &S, block: S::Hash) -> (U256, S::Hash) {
    (store.ghostdag_data(block).blue_work, block)
}

/// Checks whether `candidate` may join the blues of the block whose data are being made. `Some` of its blue anticone, each
/// member with the size of its own anticone before the candidate joined; `None` when the candidate is red.
fn blue_anticone_if_blue<S: GhostdagStore>(
    store: &S,
    k: u16,
    new: &GhostdagData<S::Hash>,
    candidate: S::Hash,
) -> Option<BTreeMap<S::Hash, u16>> {
    // The selected parent is in the anticone of every other member, so k + 1 blues are the most a mergeset can hold.
    if new.mergeset_blues.len() > usize::from(k) {
        return None;
    }
    let mut anticone = BTreeMap::new();
    let mut chain_data = new;
    loop {
        for &blue in &chain_data.mergeset_blues {
            if store.is_ancestor(blue, candidate) {
                continue;
            }
            let size = blue_anticone_size(store, blue, new);
            // Neither the candidate's blue anticone nor that of a blue block may exceed k.
            if anticone.len() >= usize::from(k) || size >= k {
                return None;
            }
            anticone.insert(blue, size);
        }
        let Some(chain_block) = chain_data.selected_parent else { return Some(anticone) };
        // All blues further down are in the past of this chain block, hence of the candidate.
        if store.is_ancestor(chain_block, candidate) {
            return Some(anticone);
        }
        chain_data = store.ghostdag_data(chain_block);
    }
}

/// Size of a blue block's blue anticone as seen from `context`: the newest entry along its selected chain.
fn blue_anticone_size<S: GhostdagStore>(store: &S, block: S::Hash, context: &GhostdagData<S::Hash>) -> u16 {
    let mut data = context;
    loop {
        if let Some(&size) = data.blues_anticone_sizes.get(&block) {
            return size;
        }
        match data.selected_parent {
            Some(parent) => data = store.ghostdag_data(parent),
            // Every blue gets an entry from the block that merges it; only the genesis is merged by none.
            None => return 0,
        }
    }
}

#[cfg(test)]
#[path = "ghostdag_tests.rs"]
mod tests;
