//! Difficulty adjustment, for each algorithm by itself.

use bitcoin::pow::{CompactTarget, Target};
use pool_domain::ghostdag::GhostdagData;
use ruint::aliases::U256;

use super::block::Id;
use super::config::{AlgorithmConfig, NodeConfig};
use super::dag::Dag;
use crate::pow;

/// Fewer blocks than this say nothing about the hash rate.
const FEWEST: usize = 12;

/// The target that `bits` stands for; `None` for zero, negative and overlong ones.
pub fn target_of(bits: CompactTarget) -> Option<U256> {
    let target = U256::from_be_bytes(Target::from_compact(bits).to_be_bytes());
    (target > U256::ZERO && bits_of(target) == bits).then_some(target)
}

/// `bits` of a target, rounded down.
pub fn bits_of(target: U256) -> CompactTarget {
    Target::from_be_bytes(target.to_be_bytes()).to_compact_lossy()
}

/// Expected hashes: 2^256 / (target + 1).
pub fn hashes_of(target: U256) -> U256 {
    // (2^256 - 1 - target) / (target + 1) + 1, as Bitcoin counts chain work, since 2^256 does not fit.
    if target == U256::MAX { U256::ONE } else { (!target) / (target + U256::ONE) + U256::ONE }
}

/// The bits that a block with this past must carry for an algorithm.
///
/// Over the last blocks of the algorithm in the past, new target = mean target * time taken / time aimed at, by at most a factor
/// of 4 either way. Every active algorithm is to make the same share of all blocks.
pub fn next_bits(
    dag: &Dag,
    config: &NodeConfig,
    entry: &AlgorithmConfig,
    data: &GhostdagData<Id>,
    height: u64,
) -> CompactTarget {
    let active = config.algorithms.iter().filter(|other| other.is_active(height)).count().max(1) as u128;
    let spacing_ms = config.block_time.as_millis() * active;
    // About a minute's worth: header times are whole seconds, and faster chains need more blocks to even that out.
    let window = usize::try_from(60_000 / spacing_ms).unwrap_or(0).clamp(24, 300);
    let start = pow::target_of_hashes(entry.start_hashes);
    let mut count = 0_usize;
    let mut sum = U256::ZERO;
    let (mut first, mut last) = (u32::MAX, 0_u32);
    let deepest = window * usize::try_from(active).unwrap_or(1) * 4;
    for block in dag.past_of(data).take(deepest) {
        if block.height == 0 || block.block.pow_type() != entry.algorithm.pow_type {
            continue;
        }
        let target = target_of(block.block.header.bits).unwrap_or(start);
        // Divided before adding: the sum of easy targets does not fit.
        sum += target / U256::from(window);
        count += 1;
        first = first.min(block.block.header.time);
        last = last.max(block.block.header.time);
        if count == window {
            break;
        }
    }
    if count < FEWEST {
        return bits_of(start);
    }
    let mean = sum / U256::from(count) * U256::from(window);
    let taken_ms = u128::from(last.saturating_sub(first)) * 1_000;
    let aimed_ms = spacing_ms * (count as u128 - 1);
    let taken_ms = taken_ms.clamp(aimed_ms / 4, aimed_ms * 4).max(1);
    let next = (mean / U256::from(aimed_ms)).saturating_mul(U256::from(taken_ms));
    // Never easier than one hash in 16: a chain without miners must not become free.
    bits_of(next.clamp(U256::ONE, pow::target_of_hashes(16)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_and_targets_agree() {
        let bits = CompactTarget::from_consensus(0x1f0f_ffff);
        let target = target_of(bits).unwrap();
        assert_eq!(bits_of(target), bits);
        assert_eq!(hashes_of(target), U256::from(4096));
        assert_eq!(target_of(CompactTarget::from_consensus(0)), None);
        assert_eq!(target_of(CompactTarget::from_consensus(0x1f80_0000)), None);
    }
}
