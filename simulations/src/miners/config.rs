//! What a swarm is told at the start.

use std::str::FromStr;
use std::time::Duration;

/// A way of speaking Stratum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// Bitcoin's: coinbase halves and Merkle branches, as cpuminer-family clients speak it.
    #[default]
    Standard,
    /// EthereumStratum/1.0.0 as Kaspa's pools speak it, default form.
    Kaspa,
    /// BlockDAG's: no coinbase, an 80-byte mining header around the extranonce's hash.
    Bdag,
}

impl FromStr for Dialect {
    type Err = String;
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "standard" => Ok(Self::Standard),
            "kaspa" => Ok(Self::Kaspa),
            "bdag" => Ok(Self::Bdag),
            _ => Err(format!("there is no dialect {name}; there are standard, kaspa and bdag")),
        }
    }
}

/// Everything about a swarm.
#[derive(Debug, Clone)]
pub struct SwarmConfig {
    /// `host:port` of the pool, with or without `stratum+tcp://` before it.
    pub address: String,
    /// How many miners.
    pub count: usize,
    /// What they hash.
    pub algorithm: String,
    /// Further algorithms that they say they can switch to (`mining.multi_version`); empty: nothing is said.
    pub also: Vec<String>,
    /// How they speak.
    pub dialect: Dialect,
    /// Hashes per second of each miner.
    pub hashrate: u64,
    /// Miner n, from 0, is user `<prefix><n>.rig1`; a prefix that contains `{n}` is the whole user name, with the number put there.
    pub account_prefix: String,
    /// Sent with the user name.
    pub password: String,
    /// Each miner stops hashing after so many accepted shares, but stays connected.
    pub shares_limit: Option<u64>,
    /// Negotiate version rolling (BIP310).
    pub version_rolling: bool,
    /// The connects are spread over this time.
    pub ramp: Duration,
    /// First wait after a lost connection; doubles up to `backoff_max`, and half of it is random.
    pub backoff_min: Duration,
    /// Longest wait after a lost connection.
    pub backoff_max: Duration,
    /// A pool that is silent for so long is left.
    pub silence_max: Duration,
    /// Hashing threads for all of them.
    pub threads: usize,
    /// Seeds nonces, extranonces and back-off.
    pub seed: u64,
}

impl Default for SwarmConfig {
    fn default() -> Self {
        Self {
            address: "127.0.0.1:3333".to_owned(),
            count: 4,
            algorithm: "blake2s".to_owned(),
            also: Vec::new(),
            dialect: Dialect::Standard,
            hashrate: 10_000,
            account_prefix: "miner".to_owned(),
            password: "x".to_owned(),
            shares_limit: None,
            version_rolling: false,
            ramp: Duration::ZERO,
            backoff_min: Duration::from_millis(500),
            backoff_max: Duration::from_secs(30),
            silence_max: Duration::from_secs(120),
            threads: 1,
            seed: 1,
        }
    }
}

impl SwarmConfig {
    /// Name of the miner with this number.
    pub fn user(&self, index: usize) -> String {
        if self.account_prefix.contains("{n}") {
            self.account_prefix.replace("{n}", &index.to_string())
        } else {
            format!("{}{index}.rig1", self.account_prefix)
        }
    }
}
