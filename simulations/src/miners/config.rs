//! What a swarm is told at the start.

use std::net::IpAddr;
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

/// What a miner does with what it finds. All but the honest one are attacks, or faults that look like them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Conduct {
    /// Sends all of it at once.
    #[default]
    Honest,
    /// Keeps the solutions that are blocks: the pool pays for work that can earn it nothing.
    Withhold,
    /// Sends the solutions that are blocks, and no others.
    BlocksOnly,
    /// Tries every sixteenth nonce only.
    Stripes,
    /// Keeps solutions, and sends all of them together, every so often.
    Hoard(Duration),
}

impl Conduct {
    /// Whether it has to know which solutions are blocks.
    pub(super) fn looks_for_blocks(self) -> bool {
        matches!(self, Self::Withhold | Self::BlocksOnly)
    }
}

impl FromStr for Conduct {
    type Err = String;
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let hoard = |seconds: &str| {
            let seconds = seconds.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            seconds.filter(|period| !period.is_zero()).map(Self::Hoard)
        };
        match name {
            "honest" => Some(Self::Honest),
            "withhold" => Some(Self::Withhold),
            "blocks-only" => Some(Self::BlocksOnly),
            "stripes" => Some(Self::Stripes),
            _ => name.strip_prefix("hoard=").and_then(hoard),
        }
        .ok_or_else(|| {
            format!(
                "there is no conduct {name}; there are honest, withhold, blocks-only, stripes and \
                 hoard=SECONDS"
            )
        })
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
    /// What they do with what they find.
    pub conduct: Conduct,
    /// After so long each hashes at this rate instead.
    pub raise: Option<(Duration, u64)>,
    /// Addresses of this machine that they connect from, one after another; empty: whichever the system takes.
    pub from: Vec<IpAddr>,
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
            conduct: Conduct::Honest,
            raise: None,
            from: Vec::new(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conduct_is_read_by_its_name() {
        assert_eq!("honest".parse(), Ok(Conduct::Honest));
        assert_eq!("blocks-only".parse(), Ok(Conduct::BlocksOnly));
        assert_eq!("hoard=0.5".parse(), Ok(Conduct::Hoard(Duration::from_millis(500))));
        for wrong in ["hoard=0", "hoard=-1", "hoard=x", "hoard", "Withhold", ""] {
            assert!(wrong.parse::<Conduct>().is_err_and(|error| error.contains("withhold")), "{wrong}");
        }
    }
}
