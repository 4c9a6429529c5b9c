//! Solves a template, as a miner and the pool together would.

use pool_actors::ports::node::{HeaderForm, Template};
use pool_domain::{
    header::{Bitcoin80, HeaderLayout, Kaspa80, SplitCoinbase},
    share::{Extranonce, Solution},
};
use pool_engine::Registry;

/// Headers hashed at a time.
const BATCH: u64 = 256;

/// A solution that meets the network target. `extranonce` makes blocks of one template differ where the coinbase
/// carries one; elsewhere it is where the nonce begins.
///
/// # Panics
/// When the algorithm is not linked in, or no nonce of four billion is a solution.
#[must_use]
pub fn solve(template: &Template, extranonce: u32) -> Solution {
    let (layout, mut solution) = start(template, extranonce);
    let algorithm = Registry::linked_in().find(template.algorithm.as_str()).expect("linked in");
    let first = solution.nonce;
    for batch in 0..u64::from(u32::MAX) / BATCH {
        let nonces: Vec<u64> = (0..BATCH).map(|offset| first + batch * BATCH + offset).collect();
        let headers: Vec<[u8; 80]> =
            nonces.iter().map(|nonce| layout.assemble(&Solution { nonce: *nonce, ..solution })).collect();
        let mut hashes = vec![[0; 32]; headers.len()];
        algorithm.hash_batch(&headers, &mut hashes).expect("a well-formed header");
        if let Some(found) = hashes.iter().position(|hash| template.network_target.is_met_by(hash)) {
            solution.nonce = nonces[found];
            return solution;
        }
    }
    panic!("no nonce solves the template");
}

/// A nonce that does not solve the template.
///
/// # Panics
/// As [`solve`], or when every nonce is a solution.
#[must_use]
pub fn fail_to_solve(template: &Template, extranonce: u32) -> Solution {
    let (layout, solution) = start(template, extranonce);
    let algorithm = Registry::linked_in().find(template.algorithm.as_str()).expect("linked in");
    for nonce in solution.nonce..solution.nonce + 10_000 {
        let attempt = Solution { nonce, ..solution };
        let mut hashes = [[0; 32]];
        algorithm.hash_batch(&[layout.assemble(&attempt)], &mut hashes).expect("a well-formed header");
        if !template.network_target.is_met_by(&hashes[0]) {
            return attempt;
        }
    }
    panic!("every nonce solves the template");
}

fn start(template: &Template, extranonce: u32) -> (HeaderLayout, Solution) {
    match &template.header {
        HeaderForm::Coinbase {
            version,
            previous,
            coinbase1,
            coinbase2,
            branches,
            bits,
            time,
            time_range,
            ..
        } => {
            assert!((time_range.0..=time_range.1).contains(time), "the proposed time is allowed");
            let layout = Bitcoin80 {
                previous: *previous,
                coinbase: SplitCoinbase::new(coinbase1, coinbase2),
                branch: branches.clone(),
                nbits: *bits,
            };
            let solution = Solution {
                extranonce: Extranonce::new(&[0xee; 4], &extranonce.to_be_bytes()).expect("8 bytes"),
                ntime: u64::from(*time),
                nonce: 0,
                version: *version,
            };
            (HeaderLayout::Bitcoin80(layout), solution)
        }
        HeaderForm::PrePow { pre_pow_hash, timestamp_ms } => {
            let layout = Kaspa80 { pre_pow_hash: *pre_pow_hash, timestamp_ms: *timestamp_ms };
            let solution = Solution { nonce: u64::from(extranonce) << 32, ..Solution::default() };
            (HeaderLayout::Kaspa80(layout), solution)
        }
        HeaderForm::BdagMining { .. } => panic!("no node of this form runs in tests"),
    }
}
