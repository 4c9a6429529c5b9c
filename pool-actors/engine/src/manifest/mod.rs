//! `manifest.json` of an algorithm package. Every field is checked, and every field has an effect.

mod fields;
#[cfg(test)]
mod tests;

use semver::Version;
use serde::{Deserialize, Serialize};

pub use fields::{ByteSize, FieldError, Hashrate, Identifier, Text};
pub(crate) use fields::{from_json, shown};

use crate::codes::{Code, PackageError};

/// Largest manifest in bytes.
pub const MANIFEST_SIZE_MAX: usize = 64 * 1024;
/// Bytes of a hash: what the pool compares with a 256-bit target.
const OUTPUT_SIZE: u32 = 32;
const MIB: u64 = 1 << 20;

/// A package's `manifest.json`.
///
/// ```
/// let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/manifest/example.json"));
/// let manifest = pool_engine::manifest::Manifest::parse(text.as_bytes()).unwrap();
/// assert_eq!(manifest.id(), "blake3_1.0.0");
/// assert_eq!(manifest.compatibility.memory_requirements.bytes(), 256 << 20);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The algorithm's name: the name by which it is staged, deployed and asked for; the code must say the same.
    pub name: Identifier,
    /// The package's version; the code must say the same, and a lower one than seen before is refused.
    pub version: Version,
    /// For people.
    pub description: Text,
    /// For people; who signs is what counts.
    pub author: Text,
    /// For people, an SPDX expression.
    pub license: Text,
    /// What it needs in order to run.
    pub compatibility: Compatibility,
    /// What it computes.
    pub algorithm: Algorithm,
    /// How fast, with how much memory.
    pub performance: Performance,
    /// How it may take over.
    #[serde(default)]
    pub migration: Migration,
}

/// What the package needs in order to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compatibility {
    /// Oldest engine interface that it runs on, compared with [`crate::ENGINE_VERSION`].
    pub min_engine_version: Version,
    /// Where it runs; each native library in the package must have its platform here.
    pub supported_platforms: Vec<Platform>,
    /// Instructions that the native code needs; wasm needs none.
    #[serde(default)]
    pub cpu_features: Vec<Text>,
    /// Memory that must be free for all of its instances together, and the limit of a child process.
    pub memory_requirements: ByteSize,
}

/// An operating system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// Linux; native code is `algorithm.so`.
    Linux,
    /// Windows; native code is `algorithm.dll`.
    Windows,
    /// macOS; native code is `algorithm.dylib`.
    Macos,
}

impl Platform {
    /// The platform that this program runs on, if packages know it.
    #[must_use]
    pub fn host() -> Option<Self> {
        match std::env::consts::OS {
            "linux" => Some(Self::Linux),
            "windows" => Some(Self::Windows),
            "macos" => Some(Self::Macos),
            _ => None,
        }
    }

    /// Its name in a manifest.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::Windows => "windows",
            Self::Macos => "macos",
        }
    }

    /// The package's entry that holds its native code.
    #[must_use]
    pub const fn library(self) -> &'static str {
        match self {
            Self::Linux => "algorithm.so",
            Self::Windows => "algorithm.dll",
            Self::Macos => "algorithm.dylib",
        }
    }
}

/// What the algorithm computes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Algorithm {
    /// The function. The same one as the active algorithm's makes a roll-out an upgrade, another a migration.
    pub hash_function: Identifier,
    /// Bytes of a hash; 32.
    pub output_size: u32,
    /// Whose difficulty rule the slot uses.
    pub difficulty_adjustment: DifficultyRule,
    /// Seconds between blocks that the difficulty rule aims at, 1 to 86400.
    pub target_block_time: u32,
    /// Difficulty of a session that knows none better, at least 1.
    pub initial_difficulty: u64,
}

/// Whose difficulty rule a slot uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DifficultyRule {
    /// The engine's: current x target time / actual time.
    Standard,
    /// The plugin's own.
    Custom,
}

/// How fast the algorithm is, and how much memory it uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Performance {
    /// Hashes per second of one thread; below 0.8 of it, staging warns.
    pub expected_hashrate: Hashrate,
    /// How much memory one instance may use.
    pub memory_usage: MemoryUsage,
    /// Whether validation belongs on worker threads instead of the session's own.
    pub cpu_intensive: bool,
}

/// How much memory one instance may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemoryUsage {
    /// 4 MiB: a plain hash.
    Low,
    /// 64 MiB.
    Medium,
    /// All of `memory_requirements`.
    High,
}

/// How the algorithm may take over from another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Migration {
    /// Names of the algorithms, or their functions, that it may replace; without the field, any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_algorithms: Option<Vec<Identifier>>,
    /// What the deploy dialog proposes.
    #[serde(default)]
    pub migration_strategy: Strategy,
    /// Whether it can be rolled back; if not, deploying it wants a confirmation that names it.
    #[serde(default = "yes")]
    pub rollback_supported: bool,
}

impl Default for Migration {
    fn default() -> Self {
        Self { from_algorithms: None, migration_strategy: Strategy::default(), rollback_supported: true }
    }
}

const fn yes() -> bool {
    true
}

/// A way to roll out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// All traffic at once.
    Immediate,
    /// Shadow, then rising shares of traffic.
    #[default]
    Gradual,
    /// Gradual, beginning at a given time.
    Scheduled,
}

/// Memory limits that follow from a manifest, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryLimits {
    /// Of one wasm instance.
    pub instance_bytes_max: u64,
    /// Of all instances together, and of a child process.
    pub total_bytes_max: u64,
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// [`Code::ManifestInvalid`], with the field, what it says and what it should.
    pub fn parse(json: &[u8]) -> Result<Self, PackageError> {
        let invalid =
            |message: String| PackageError::new(Code::ManifestInvalid, format!("manifest.json: {message}"));
        if json.len() > MANIFEST_SIZE_MAX {
            return Err(invalid(format!("{} bytes; at most {MANIFEST_SIZE_MAX} are allowed", json.len())));
        }
        let manifest: Self =
            fields::from_json(json).map_err(|FieldError { field, problem }| match field.as_str() {
                "." => invalid(problem),
                field => invalid(format!("{field}: {problem}")),
            })?;
        manifest.check().map_err(|(field, problem)| invalid(format!("{field}: {problem}")))?;
        Ok(manifest)
    }

    /// What the types do not say by themselves.
    fn check(&self) -> Result<(), (&'static str, String)> {
        if !self.version.build.is_empty() {
            let problem =
                format!("{} has build metadata, which has no order; leave out the +...", self.version);
            return Err(("version", problem));
        }
        let platforms = &self.compatibility.supported_platforms;
        if platforms.is_empty() {
            return Err((
                "compatibility.supported_platforms",
                "is empty; name at least one of linux, windows, macos".into(),
            ));
        }
        if (1..platforms.len()).any(|i| platforms[..i].contains(&platforms[i])) {
            return Err((
                "compatibility.supported_platforms",
                "names a platform twice; name each once".into(),
            ));
        }
        let algorithm = &self.algorithm;
        if algorithm.output_size != OUTPUT_SIZE {
            let problem = format!(
                "{} bytes; the pool compares hashes of {OUTPUT_SIZE} bytes with targets",
                algorithm.output_size
            );
            return Err(("algorithm.output_size", problem));
        }
        if !(1..=86_400).contains(&algorithm.target_block_time) {
            let problem = format!("{} s; give 1 to 86400 seconds", algorithm.target_block_time);
            return Err(("algorithm.target_block_time", problem));
        }
        if algorithm.initial_difficulty == 0 {
            return Err(("algorithm.initial_difficulty", "0 has no target; give at least 1".into()));
        }
        let from = self.migration.from_algorithms.as_deref();
        if from.is_some_and(|from| from.len() > 64) {
            return Err((
                "migration.from_algorithms",
                "more than 64 names; leave out the field to allow any".into(),
            ));
        }
        Ok(())
    }

    /// The identity under which the package is staged: `name_version`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}_{}", self.name, self.version)
    }

    /// The file name that a package of this manifest has.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("algorithm-package-{}-v{}.zip", self.name, self.version)
    }

    /// Memory limits: an instance may use what `memory_usage` says and never more than `memory_requirements`.
    #[must_use]
    pub fn memory_limits(&self) -> MemoryLimits {
        let total_bytes_max = self.compatibility.memory_requirements.bytes();
        let instance = match self.performance.memory_usage {
            MemoryUsage::Low => 4 * MIB,
            MemoryUsage::Medium => 64 * MIB,
            MemoryUsage::High => total_bytes_max,
        };
        MemoryLimits { instance_bytes_max: instance.min(total_bytes_max), total_bytes_max }
    }

    /// Whether deploying over an algorithm of that name and function is an upgrade: the same hashes, new code.
    #[must_use]
    pub fn is_upgrade_of(&self, hash_function: &str) -> bool {
        self.algorithm.hash_function.as_str() == hash_function
    }

    /// Whether the manifest lets it replace an algorithm of that name and function. An upgrade always may.
    #[must_use]
    pub fn may_replace(&self, name: &str, hash_function: &str) -> bool {
        let named =
            |from: &Vec<Identifier>| from.iter().any(|f| f.as_str() == name || f.as_str() == hash_function);
        self.is_upgrade_of(hash_function) || self.migration.from_algorithms.as_ref().is_none_or(named)
    }
}
