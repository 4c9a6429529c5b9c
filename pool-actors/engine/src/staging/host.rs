//! The machine that a package is staged on.

use crate::manifest::Platform;
use std::collections::BTreeSet;

/// What packages are held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostProfile {
    /// The platform, if packages know it.
    pub platform: Option<Platform>,
    /// Instructions that the processor has, by the names that Rust gives them (`sse4.1`, `avx2`).
    pub cpu_features: BTreeSet<String>,
    /// Memory that can be had, in bytes.
    pub memory_available_bytes: u64,
    /// Threads that will hash.
    pub threads: u32,
}

macro_rules! detected {
    ($detect:ident: $($feature:tt),*) => {
        [$(($feature, std::arch::$detect!($feature))),*]
    };
}

impl HostProfile {
    /// This machine, hashing on that many threads.
    #[must_use]
    pub fn detect(threads: u32) -> Self {
        Self {
            platform: Platform::host(),
            cpu_features: cpu_features(),
            memory_available_bytes: memory_available(),
            threads,
        }
    }
}

#[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
fn cpu_features() -> BTreeSet<String> {
    let all = detected!(is_x86_feature_detected: "sse2", "sse3", "ssse3", "sse4.1", "sse4.2", "popcnt", "aes", "sha", "pclmulqdq", "bmi1", "bmi2", "avx", "avx2", "fma", "avx512f", "avx512bw", "avx512vl");
    all.into_iter().filter(|(_, there)| *there).map(|(name, _)| name.to_owned()).collect()
}

#[cfg(target_arch = "aarch64")]
fn cpu_features() -> BTreeSet<String> {
    let all = detected!(is_aarch64_feature_detected: "neon", "aes", "sha2", "sha3", "crc", "sve", "sve2");
    all.into_iter().filter(|(_, there)| *there).map(|(name, _)| name.to_owned()).collect()
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "x86", target_arch = "aarch64")))]
fn cpu_features() -> BTreeSet<String> {
    BTreeSet::new()
}

/// What Linux says is available without swapping; where nobody says, nothing is refused for lack of memory.
fn memory_available() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.map_or(u64::MAX, |kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known() {
        let host = HostProfile::detect(2);
        assert!(host.memory_available_bytes > 1 << 20);
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        assert!(host.platform == Some(Platform::Linux) && host.cpu_features.contains("sse2"));
    }
}
