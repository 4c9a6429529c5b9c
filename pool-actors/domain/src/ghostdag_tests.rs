//! The incremental rules against a naive oracle that recomputes everything from the paper's definition, on random DAGs.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;
use ruint::aliases::U256;

use super::*;

#[derive(Default)]
struct Dag {
    parents: BTreeMap<u32, Vec<u32>>,
    data: BTreeMap<u32, GhostdagData<u32>>,
    work: BTreeMap<u32, u64>,
}

impl GhostdagStore for Dag {
    type Hash = u32;
    fn parents(&self, block: u32) -> &[u32] {
        &self.parents[&block]
    }
    fn ghostdag_data(&self, block: u32) -> &GhostdagData<u32> {
        &self.data[&block]
    }
    fn work(&self, block: u32) -> U256 {
        U256::from(self.work[&block])
    }
}

impl Dag {
    fn add(&mut self, k: u16, block: u32, parents: Vec<u32>, work: u64) {
        let data = ghostdag(self, k, &parents);
        self.parents.insert(block, parents);
        self.work.insert(block, work);
        self.data.insert(block, data);
    }

    fn past(&self, parents: &[u32]) -> BTreeSet<u32> {
        let mut past = BTreeSet::new();
        let mut stack = parents.to_vec();
        while let Some(block) = stack.pop() {
            if past.insert(block) {
                stack.extend(&self.parents[&block]);
            }
        }
        past
    }

    /// `GHOSTDAG(G, k)` of the paper: the blue set of the past of a block with these parents, by recursion on the selected
    /// parent, with every anticone computed from full past sets.
    fn oracle(&self, k: u16, parents: &[u32]) -> (BTreeSet<u32>, U256, Option<u32>) {
        let mut best: Option<(U256, u32, BTreeSet<u32>)> = None;
        for &parent in parents {
            let (blues, work, _) = self.oracle(k, &self.parents[&parent]);
            if best.as_ref().is_none_or(|(w, p, _)| (work, parent) > (*w, *p)) {
                best = Some((work, parent, blues));
            }
        }
        let Some((_, selected, mut blues)) = best else { return (BTreeSet::new(), U256::ZERO, None) };
        blues.insert(selected);
        let mut past_of_selected = self.past(&self.parents[&selected]);
        past_of_selected.insert(selected);
        let mut candidates: Vec<(U256, u32)> = self
            .past(parents)
            .difference(&past_of_selected)
            .map(|&block| (self.oracle(k, &self.parents[&block]).1, block))
            .collect();
        candidates.sort();
        for (_, candidate) in candidates {
            let mut with = blues.clone();
            with.insert(candidate);
            let fits = with.iter().all(|&block| {
                let touched = block == candidate || self.in_anticone(block, candidate);
                !touched || with.iter().filter(|&&b| self.in_anticone(block, b)).count() <= usize::from(k)
            });
            if fits {
                blues = with;
            }
        }
        let work = blues.iter().fold(U256::ZERO, |sum, blue| sum + U256::from(self.work[blue]));
        (blues, work, Some(selected))
    }

    fn in_anticone(&self, a: u32, b: u32) -> bool {
        a != b && !self.past(&self.parents[&a]).contains(&b) && !self.past(&self.parents[&b]).contains(&a)
    }

    fn blue_set(&self, data: &GhostdagData<u32>) -> BTreeSet<u32> {
        let mut blues: BTreeSet<u32> = data.mergeset_blues.iter().copied().collect();
        let mut at = data.selected_parent;
        while let Some(block) = at {
            blues.extend(&self.data[&block].mergeset_blues);
            at = self.data[&block].selected_parent;
        }
        blues
    }

    fn tips(&self) -> Vec<u32> {
        let inner: BTreeSet<u32> = self.parents.values().flatten().copied().collect();
        self.parents.keys().copied().filter(|block| !inner.contains(block)).collect()
    }
}

/// A DAG grown block by block; each picks its parents among the blocks some steps back, as a network with latency does. Hashes
/// are a permutation of the order, so ties are decided both ways.
fn grow(k: u16, picks: &[(u8, u8, u8)]) -> Dag {
    let mut dag = Dag::default();
    let hash = |index: usize| u32::try_from(index).unwrap().wrapping_mul(2_654_435_761);
    dag.add(k, hash(0), vec![], 1);
    let mut order = vec![hash(0)];
    for (index, &(delay, mask, work)) in picks.iter().enumerate() {
        let visible = order.len().saturating_sub(usize::from(delay)).max(1);
        let known: BTreeSet<u32> = order[..visible].iter().copied().collect();
        let inner: BTreeSet<u32> = known.iter().flat_map(|b| dag.parents[b].clone()).collect();
        let tips: Vec<u32> = known.difference(&inner).copied().collect();
        let mut parents: Vec<u32> =
            tips.iter().enumerate().filter(|(i, _)| mask & (1 << (i % 8)) != 0).map(|(_, &t)| t).collect();
        if parents.is_empty() {
            parents.push(tips[usize::from(mask) % tips.len()]);
        }
        dag.add(k, hash(index + 1), parents, u64::from(work % 4) + 1);
        order.push(hash(index + 1));
    }
    dag
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn agrees_with_the_definition(
        k in 0_u16..5,
        picks in proptest::collection::vec((0_u8..7, any::<u8>(), any::<u8>()), 1..16),
    ) {
        let dag = grow(k, &picks);
        let mut views: Vec<Vec<u32>> = dag.parents.values().cloned().collect();
        views.push(dag.tips());
        for parents in views {
            let data = ghostdag(&dag, k, &parents);
            let (blues, work, selected) = dag.oracle(k, &parents);
            prop_assert_eq!(dag.blue_set(&data), blues.clone());
            prop_assert_eq!(data.blue_work, work);
            prop_assert_eq!(data.blue_score, blues.len() as u64);
            prop_assert_eq!(data.selected_parent, selected);
        }
    }

    #[test]
    fn mergesets_along_the_chain_partition_the_past(
        k in 0_u16..5,
        picks in proptest::collection::vec((0_u8..9, any::<u8>(), any::<u8>()), 1..60),
    ) {
        let dag = grow(k, &picks);
        let tips = dag.tips();
        let virtual_data = ghostdag(&dag, k, &tips);
        let mut order = ordered_mergeset(&dag, &virtual_data);
        let mut at = virtual_data.selected_parent;
        while let Some(block) = at {
            let data = &dag.data[&block];
            prop_assert!(data.mergeset_blues.len() <= usize::from(k) + 1);
            let mut earlier = ordered_mergeset(&dag, data);
            earlier.append(&mut order);
            order = earlier;
            at = data.selected_parent;
        }
        // Every block once, and none before one of its parents.
        let position: BTreeMap<u32, usize> = order.iter().enumerate().map(|(i, &b)| (b, i)).collect();
        prop_assert_eq!(position.len(), order.len());
        prop_assert_eq!(position.len(), dag.parents.len());
        for (block, parents) in &dag.parents {
            prop_assert!(parents.iter().all(|parent| position[parent] < position[block]));
        }
    }

    #[test]
    fn reachability_agrees_with_full_past_sets(
        picks in proptest::collection::vec((0_u8..9, any::<u8>(), any::<u8>()), 1..24),
    ) {
        let dag = grow(2, &picks);
        for &a in dag.parents.keys() {
            for &b in dag.parents.keys() {
                let expected = a == b || dag.past(&dag.parents[&b]).contains(&a);
                prop_assert_eq!(dag.is_ancestor(a, b), expected);
            }
        }
    }
}

#[test]
fn a_chain_is_blue_and_a_withheld_branch_is_red() {
    let mut dag = Dag::default();
    dag.add(1, 0, vec![], 1);
    for block in 1..=5 {
        dag.add(1, block, vec![block - 1], 1);
    }
    // Three blocks on the genesis that nobody saw: each has five blues in its anticone.
    dag.add(1, 10, vec![0], 1);
    dag.add(1, 11, vec![10], 1);
    let data = ghostdag(&dag, 1, &[5, 11]);
    assert_eq!(data.selected_parent, Some(5));
    assert_eq!(data.mergeset_blues, vec![5]);
    assert_eq!(data.mergeset_reds, vec![10, 11]);
    assert_eq!(data.blue_score, 6);
}

#[test]
fn ties_go_to_the_greater_hash() {
    let mut dag = Dag::default();
    dag.add(3, 0, vec![], 1);
    dag.add(3, 7, vec![0], 1);
    dag.add(3, 3, vec![0], 1);
    let data = ghostdag(&dag, 3, &[3, 7]);
    assert_eq!(data.selected_parent, Some(7));
    assert_eq!(data.mergeset_blues, vec![7, 3]);
    assert_eq!(ordered_mergeset(&dag, &data), vec![7, 3]);
}
