//! What several test files share: real nodes, and a miner of single blocks.

pub mod kaspad;
pub mod solve;
