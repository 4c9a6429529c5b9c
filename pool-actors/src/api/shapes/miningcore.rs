//! Answers in the shapes of Miningcore's API. Unlike the other shapes these are built: they have no history to keep.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

/// The page envelope of `/api/v2`.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "McPageOf{T}")]
pub(in crate::api) struct Paged<T> {
    pub(in crate::api) success: bool,
    /// How many pages are known: one more than this while there is more.
    pub(in crate::api) page_count: u64,
    pub(in crate::api) result: Vec<T>,
}

/// The coin.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "McCoin")]
pub(in crate::api) struct Coin {
    #[serde(rename = "type")]
    pub(in crate::api) kind: String,
    pub(in crate::api) name: String,
    pub(in crate::api) symbol: String,
    pub(in crate::api) family: String,
    pub(in crate::api) algorithm: String,
}

/// A port for miners.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "McPort")]
pub(in crate::api) struct Port {
    pub(in crate::api) listen_address: String,
    pub(in crate::api) name: String,
    /// Of a fresh connection.
    pub(in crate::api) difficulty: f64,
    /// How the difficulty moves; absent where it is fixed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::api) var_diff: Option<VarDiff>,
    pub(in crate::api) tls: bool,
}

/// Bounds of a moving difficulty.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "McVarDiff")]
pub(in crate::api) struct VarDiff {
    pub(in crate::api) min_diff: f64,
    pub(in crate::api) max_diff: f64,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "McPaymentProcessing")]
pub(in crate::api) struct PaymentProcessing {
    pub(in crate::api) enabled: bool,
    /// In coins.
    pub(in crate::api) minimum_payment: f64,
    pub(in crate::api) payout_scheme: String,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "McPoolStats")]
pub(in crate::api) struct PoolStats {
    pub(in crate::api) connected_miners: u64,
    pub(in crate::api) connected_workers: u64,
    pub(in crate::api) pool_hashrate: u64,
    pub(in crate::api) shares_per_second: u64,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "McNetworkStats")]
pub(in crate::api) struct NetworkStats {
    pub(in crate::api) network_type: String,
    pub(in crate::api) network_hashrate: f64,
    pub(in crate::api) network_difficulty: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::api) last_network_block_time: Option<String>,
    pub(in crate::api) block_height: u64,
    /// Not known here: 0.
    pub(in crate::api) connected_peers: u64,
    /// How rewards are found: `POW`.
    pub(in crate::api) reward_type: String,
}

/// A miner in the list of a pool.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "McMiner")]
pub(in crate::api) struct Miner {
    pub(in crate::api) miner: String,
    pub(in crate::api) hashrate: f64,
    pub(in crate::api) shares_per_second: f64,
}

/// A pool.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "McPool")]
pub(in crate::api) struct Pool {
    pub(in crate::api) id: String,
    pub(in crate::api) coin: Coin,
    /// By port.
    pub(in crate::api) ports: BTreeMap<u16, Port>,
    pub(in crate::api) payment_processing: PaymentProcessing,
    /// Seconds.
    pub(in crate::api) client_connection_timeout: u64,
    /// Has no meaning here: 0.
    pub(in crate::api) job_rebroadcast_timeout: u64,
    /// Milliseconds.
    pub(in crate::api) block_refresh_interval: u64,
    pub(in crate::api) pool_fee_percent: f64,
    pub(in crate::api) address: String,
    pub(in crate::api) pool_stats: PoolStats,
    pub(in crate::api) network_stats: NetworkStats,
    pub(in crate::api) top_miners: Vec<Miner>,
    /// In coins.
    pub(in crate::api) total_paid: f64,
    pub(in crate::api) total_blocks: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::api) last_pool_block_time: Option<String>,
    /// Work since the last block of the pool by what a block takes: 1 is average.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::api) pool_effort: Option<f64>,
}

/// `/api/pools`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "McPools")]
pub(in crate::api) struct Pools {
    pub(in crate::api) pools: Vec<Pool>,
}

/// `/api/pools/{pool}`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "McPoolAnswer")]
pub(in crate::api) struct PoolAnswer {
    pub(in crate::api) pool: Pool,
}

/// A point of the pool's past.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "McPoolSample")]
pub(in crate::api) struct PoolSample {
    pub(in crate::api) pool_hashrate: f64,
    pub(in crate::api) connected_miners: u64,
    pub(in crate::api) connected_workers: u64,
    pub(in crate::api) valid_shares_per_second: u64,
    pub(in crate::api) network_hashrate: f64,
    pub(in crate::api) network_difficulty: f64,
    pub(in crate::api) created: String,
}

/// `/api/pools/{pool}/performance`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "McPoolSamples")]
pub(in crate::api) struct PoolSamples {
    pub(in crate::api) stats: Vec<PoolSample>,
}

/// A block of the pool.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "McBlock")]
pub(in crate::api) struct Block {
    pub(in crate::api) pool_id: String,
    pub(in crate::api) block_height: u64,
    /// Expected hashes by 2^32.
    pub(in crate::api) network_difficulty: f64,
    /// `pending`, `confirmed` or `orphaned`.
    pub(in crate::api) status: String,
    #[serde(rename = "type")]
    pub(in crate::api) kind: String,
    /// 0 to 1.
    pub(in crate::api) confirmation_progress: f64,
    pub(in crate::api) transaction_confirmation_data: String,
    /// In coins; 0 until known.
    pub(in crate::api) reward: f64,
    pub(in crate::api) hash: String,
    pub(in crate::api) miner: String,
    /// The worker.
    pub(in crate::api) source: String,
    pub(in crate::api) created: String,
}

/// A payment: one address of one payout.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "McPayment")]
pub(in crate::api) struct Payment {
    pub(in crate::api) coin: String,
    pub(in crate::api) address: String,
    /// In coins.
    pub(in crate::api) amount: f64,
    pub(in crate::api) transaction_confirmation_data: String,
    pub(in crate::api) created: String,
}

/// What changed a balance: a credit of a block, or (below zero) a payout.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "McBalanceChange")]
pub(in crate::api) struct BalanceChange {
    pub(in crate::api) pool_id: String,
    pub(in crate::api) address: String,
    /// In coins.
    pub(in crate::api) amount: f64,
    pub(in crate::api) usage: String,
    pub(in crate::api) created: String,
}

/// What was paid on a day (UTC).
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "McDay")]
pub(in crate::api) struct Day {
    /// In coins.
    pub(in crate::api) amount: f64,
    pub(in crate::api) date: String,
}

/// A worker at one time.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "McWorker")]
pub(in crate::api) struct Worker {
    pub(in crate::api) hashrate: f64,
    pub(in crate::api) shares_per_second: f64,
}

/// The workers at one time, by name.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "McWorkers")]
pub(in crate::api) struct Workers {
    pub(in crate::api) created: String,
    pub(in crate::api) workers: BTreeMap<String, Worker>,
}

/// An account.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "McMinerStats")]
pub(in crate::api) struct MinerStats {
    /// Shares that the ledger has credited.
    pub(in crate::api) pending_shares: u64,
    /// Owed and not on its way, in coins.
    pub(in crate::api) pending_balance: f64,
    /// In coins.
    pub(in crate::api) total_paid: f64,
    /// In coins, since midnight UTC.
    pub(in crate::api) today_paid: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::api) last_payment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::api) performance: Option<Workers>,
    /// By the hour, all workers together under the name "".
    pub(in crate::api) performance_samples: Vec<Workers>,
}

/// An account's own terms.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "McMinerSettings")]
pub(in crate::api) struct MinerSettings {
    /// In coins.
    pub(in crate::api) payment_threshold: f64,
}
