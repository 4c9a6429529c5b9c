//! What a simulated node is told at the start.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::pow::{self, Algorithm};

/// One accepted algorithm.
#[derive(Debug, Clone)]
pub struct AlgorithmConfig {
    /// Which.
    pub algorithm: Algorithm,
    /// First height at which its blocks are valid.
    pub activation_height: u64,
    /// Last such height, if it ends.
    pub end_height: Option<u64>,
    /// Hashes per block at the start.
    pub start_hashes: u64,
}

impl AlgorithmConfig {
    /// The named algorithm from the first block on, at its usual start difficulty; `None` when there is no such name.
    pub fn named(name: &str) -> Option<Self> {
        let algorithm = pow::by_name(name)?;
        Some(Self { algorithm, activation_height: 0, end_height: None, start_hashes: algorithm.start_hashes })
    }

    /// Algorithms from a list such as `blake2s,blake3@100` or `blake2s@0-500,blake3@100`: each by its name, with the
    /// height of its first block, and that of its last one if it ends.
    ///
    /// # Errors
    /// A sentence that says what can't be read, or which name there is not.
    pub fn list(text: &str) -> Result<Vec<Self>, String> {
        let entries: Vec<Self> =
            text.split(',').map(|entry| entry.trim().parse()).collect::<Result<_, _>>()?;
        let twice = entries
            .iter()
            .enumerate()
            .find(|(at, entry)| entries[..*at].iter().any(|earlier| earlier.algorithm == entry.algorithm));
        match twice {
            Some((_, entry)) => Err(format!("{} is named twice", entry.algorithm.name)),
            None => Ok(entries),
        }
    }

    /// Whether blocks of that height may use it.
    pub fn is_active(&self, height: u64) -> bool {
        height >= self.activation_height && self.end_height.is_none_or(|end| height <= end)
    }
}

impl FromStr for AlgorithmConfig {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, window) = text.split_once('@').unwrap_or((text, "0"));
        let names = || pow::ALGORITHMS.map(|algorithm| algorithm.name).join(", ");
        let entry = Self::named(name)
            .ok_or_else(|| format!("there is no algorithm {name:?}; there are {}", names()))?;
        let (first, last) =
            window.split_once('-').map_or((window, None), |(first, last)| (first, Some(last)));
        let height = |text: &str| {
            text.parse::<u64>()
                .map_err(|_| format!("{name}: {text:?} is no height; write {name}@100 or {name}@100-500"))
        };
        let (activation_height, end_height) = (height(first)?, last.map(height).transpose()?);
        if end_height.is_some_and(|end| end < activation_height) {
            return Err(format!("{name}: it ends at height {}, before it begins", end_height.unwrap_or(0)));
        }
        Ok(Self { activation_height, end_height, ..entry })
    }
}

/// A competing miner inside the node: it really hashes, and sees the others' blocks late.
#[derive(Debug, Clone)]
pub struct Rival {
    /// Label of the wallet address that it is paid to.
    pub name: String,
    /// Name of its algorithm.
    pub algorithm: &'static str,
    /// Budget, hashes per second.
    pub hashrate: u64,
}

impl Rival {
    /// That many rivals, `rival-1` and so on, with one algorithm and one hash rate.
    pub fn some(count: usize, algorithm: &'static str, hashrate: u64) -> Vec<Self> {
        (1..=count).map(|index| Self { name: format!("rival-{index}"), algorithm, hashrate }).collect()
    }
}

/// Everything about a node. `Default` is a fast chain for demonstrations: one block per second, four rivals.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// Seeds keys, nonces and the genesis.
    pub seed: u64,
    /// Where the chain is kept for the next start; without a file it ends with the node.
    pub chain_file: Option<PathBuf>,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// HTTP basic authentication, (user, password).
    pub auth: Option<(String, String)>,
    /// Reported by `getNodeInfo`.
    pub chain_id: String,
    /// Accepted algorithms; the first is the default one.
    pub algorithms: Vec<AlgorithmConfig>,
    /// Aim of the difficulty adjustment, over all algorithms together; 0.1 s to 60 s.
    pub block_time: Duration,
    /// How late a rival sees a block, and its block is seen.
    pub latency: Duration,
    /// GHOSTDAG's k; by default what the block time and latency ask for.
    pub k: Option<u16>,
    /// New coins per block, in 1e-8.
    pub subsidy: u64,
    /// Blue score that must pass before a coinbase output can be spent.
    pub coinbase_maturity: u64,
    /// A block is overdue when its blue score is more than this behind the virtual's.
    pub overdue_limit: u64,
    /// No block may merge one whose blue score is more than this below its own.
    pub merge_depth: u64,
    /// Competing miners.
    pub rivals: Vec<Rival>,
    /// Invented payments per minute between wallet addresses, so that blocks carry fees; 0: none.
    pub payments_per_minute: u32,
}

impl Default for NodeConfig {
    fn default() -> Self {
        let blake2s = AlgorithmConfig::named("blake2s").expect("the table holds blake2s");
        Self {
            seed: 1,
            chain_file: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            auth: None,
            chain_id: "dagsim-1".to_owned(),
            algorithms: vec![blake2s],
            block_time: Duration::from_secs(1),
            latency: Duration::from_millis(200),
            k: None,
            subsidy: 50 * 100_000_000,
            coinbase_maturity: 20,
            overdue_limit: 32,
            merge_depth: 1_000,
            rivals: Rival::some(4, "blake2s", 1_000),
            payments_per_minute: 0,
        }
    }
}

impl NodeConfig {
    /// A node without rivals, payments or latency: nothing happens on it but what a test asks for.
    pub fn quiet() -> Self {
        Self { rivals: Vec::new(), latency: Duration::ZERO, k: Some(3), ..Self::default() }
    }

    /// The k in force.
    pub fn k(&self) -> u16 {
        self.k.unwrap_or_else(|| k_for(self.block_time, self.latency))
    }

    /// # Errors
    /// A sentence that says which setting can't be used, and what it may be.
    pub fn check(&self) -> Result<(), String> {
        if self.algorithms.is_empty() {
            return Err("algorithms: name at least one".to_owned());
        }
        if self.block_time < Duration::from_millis(100) || self.block_time > Duration::from_secs(60) {
            return Err(format!("block_time: {:?} is outside 0.1 s to 60 s", self.block_time));
        }
        if self.k() == 0 && self.latency > Duration::ZERO {
            return Err("k: 0 makes every sibling red; use at least 1 with a latency".to_owned());
        }
        if let Some(rival) = self.rivals.iter().find(|rival| !self.knows(rival.algorithm)) {
            return Err(format!("rival {}: algorithm {} is not accepted", rival.name, rival.algorithm));
        }
        Ok(())
    }

    fn knows(&self, name: &str) -> bool {
        self.algorithms.iter().any(|entry| entry.algorithm.name == name)
    }
}

/// Smallest k for which the number of blocks made within twice the latency exceeds k in less than 1% of cases (Poisson tail;
/// PHANTOM GHOSTDAG, section 4.2), at least 1.
pub fn k_for(block_time: Duration, latency: Duration) -> u16 {
    let expected = 2.0 * latency.as_secs_f64() / block_time.as_secs_f64();
    let mut term = (-expected).exp();
    let mut below = term;
    let mut k = 0_u16;
    while 1.0 - below > 0.01 && k < 1_000 {
        k += 1;
        term *= expected / f64::from(k);
        below += term;
    }
    k.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_algorithms_names_their_windows() {
        let list = AlgorithmConfig::list("blake2s@0-500, blake3@100").unwrap();
        let shown: Vec<_> = list
            .iter()
            .map(|entry| (entry.algorithm.name, entry.activation_height, entry.end_height))
            .collect();
        assert_eq!(shown, [("blake2s", 0, Some(500)), ("blake3", 100, None)]);
        let both = |height| list.iter().filter(|entry| entry.is_active(height)).count();
        assert_eq!([both(0), both(99), both(100), both(500), both(501)], [1, 1, 2, 2, 1]);
        let why = |text: &str| AlgorithmConfig::list(text).unwrap_err();
        assert!(why("blake9").contains("there are scrypt-bdag, blake2s"));
        assert!(why("blake2s@soon").contains("no height"));
        assert!(why("blake2s@9-3").contains("before it begins"));
        assert!(why("blake2s,blake2s@4").contains("twice"));
        assert!(why("").contains("there is no algorithm"));
    }
}
