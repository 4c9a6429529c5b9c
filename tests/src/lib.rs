//! What several test files share: a pool as a process, real nodes, and a miner of single blocks.

pub mod kaspad;
pub mod packages;
pub mod pool;
pub mod postgres;
pub mod proxy;
pub mod solve;
