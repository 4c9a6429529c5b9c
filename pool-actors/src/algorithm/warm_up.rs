//! What a generation must show before it hashes anything for miners: known answers, the same answers twice, a batch
//! like single hashes, and, in an upgrade, the same answers as the generation that it is to replace.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use plugin_sdk::PowAlgorithm;
use pool_domain::rollout::RollbackReason;

use crate::{messages::deployment::Evidence, ports::packages::Package, runtime::deathwatch::panic_message};

/// Headers that both generations hash.
const HEADERS: usize = 64;
/// Rounds of the benchmark.
const ROUNDS: u32 = 8;

/// What a warm-up found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WarmedUp {
    /// Time per hash.
    pub(super) per_hash: Duration,
}

/// Why a generation does not get any further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ColdReason {
    pub(super) reason: RollbackReason,
    pub(super) evidence: Option<Box<Evidence>>,
}

impl From<String> for ColdReason {
    fn from(what: String) -> Self {
        Self { reason: RollbackReason::WarmUpFailed(what), evidence: None }
    }
}

/// Runs the warm-up; takes some milliseconds, or as long as foreign code likes.
pub(super) fn warm_up(
    package: &Package,
    reference: Option<&Arc<dyn PowAlgorithm>>,
) -> Result<WarmedUp, ColdReason> {
    match catch_unwind(AssertUnwindSafe(|| prove(package, reference))) {
        Ok(outcome) => outcome,
        Err(panic) => Err(ColdReason {
            reason: RollbackReason::SlotFailed(format!(
                "it panicked in warm-up: {}",
                panic_message(panic.as_ref())
            )),
            evidence: None,
        }),
    }
}

/// Whether an algorithm may be put in force without a roll-out: its known answers, and the same hashes as `reference`.
///
/// # Errors
/// What it does wrong, in a sentence.
pub fn proves_itself(package: &Package, reference: &Arc<dyn PowAlgorithm>) -> Result<(), String> {
    warm_up(package, Some(reference)).map(drop).map_err(|cold| match cold.reason {
        RollbackReason::HashDiffers(input) => format!("another hash than the linked-in code's for {input}"),
        RollbackReason::WarmUpFailed(what)
        | RollbackReason::Unhealthy(what)
        | RollbackReason::SlotFailed(what)
        | RollbackReason::NoWork(what)
        | RollbackReason::Requested(what) => what,
    })
}

fn prove(package: &Package, reference: Option<&Arc<dyn PowAlgorithm>>) -> Result<WarmedUp, ColdReason> {
    let algorithm = package.algorithm.as_ref();
    if !algorithm.takes_headers() {
        return Err(format!("{} does not hash headers of 80 bytes", package.reference.id()).into());
    }
    for (input, expected) in &package.vectors {
        let got = algorithm.hash(input).map_err(|error| format!("vector {}: {error}", hex::encode(input)))?;
        if got != *expected {
            let (input, got, expected) = (hex::encode(input), hex::encode(got), hex::encode(expected));
            return Err(format!("vector {input}: its hash is {got}, expected {expected}").into());
        }
    }
    let headers = headers();
    let mut hashes = vec![[0; 32]; headers.len()];
    // The best of several rounds: waiting for the processor, behind those who answer miners, says nothing about the code.
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let started = std::time::Instant::now();
        algorithm.hash_batch(&headers, &mut hashes).map_err(|error| format!("a batch: {error}"))?;
        best = best.min(started.elapsed());
    }
    let per_hash = best / u32::try_from(HEADERS).unwrap_or(1);
    for (header, hash) in headers.iter().zip(&hashes) {
        let single = algorithm.hash(header).map_err(|error| format!("a header: {error}"))?;
        if single != *hash {
            let what = "its hash of a header depends on whether it comes in a batch or alone";
            return Err(format!("{what}: {}", hex::encode(header)).into());
        }
        let Some(reference) = reference else { continue };
        let expected = reference.hash(header).map_err(|error| format!("the active generation: {error}"))?;
        if expected != *hash {
            return Err(ColdReason {
                reason: RollbackReason::HashDiffers(hex::encode(header)),
                evidence: Some(Box::new(Evidence { input: *header, got: *hash, expected })),
            });
        }
    }
    Ok(WarmedUp { per_hash })
}

/// Always the same headers: SplitMix64 (Steele, Lea, Flood 2014) from 1 on.
fn headers() -> Vec<[u8; 80]> {
    let mut state = 1u64;
    let mut next = move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    };
    let mut header = || {
        let mut header = [0; 80];
        header.chunks_exact_mut(8).for_each(|chunk| chunk.copy_from_slice(&next().to_le_bytes()));
        header
    };
    (0..HEADERS).map(|_| header()).collect()
}
