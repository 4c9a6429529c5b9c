//! Algorithms by name.

use plugin_sdk::{AlgorithmInfo, PowAlgorithm};
use std::{collections::BTreeMap, sync::Arc};

/// Algorithms by name; cheap to clone.
#[derive(Clone)]
pub struct Registry {
    algorithms: BTreeMap<String, Arc<dyn PowAlgorithm>>,
}

impl Registry {
    /// Every algorithm that is linked into this program.
    #[must_use]
    pub fn linked_in() -> Self {
        let algorithms: [Arc<dyn PowAlgorithm>; 6] = [
            Arc::new(plugin_blake2s::Blake2s),
            Arc::new(plugin_blake3::Blake3),
            Arc::new(plugin_kheavyhash::KHeavyHash),
            Arc::new(plugin_scrypt::Scrypt),
            Arc::new(plugin_scrypt_bdag::ScryptBdag),
            Arc::new(plugin_sha256d::Sha256d),
        ];
        Self { algorithms: algorithms.into_iter().map(|a| (a.name().to_owned(), a)).collect() }
    }

    /// The algorithm of that name, if there is one.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Arc<dyn PowAlgorithm>> {
        self.algorithms.get(name).cloned()
    }

    /// The algorithm of that name.
    ///
    /// # Errors
    /// [`UnknownAlgorithm`], which names those there are and the one that was probably meant.
    pub fn find(&self, name: &str) -> Result<Arc<dyn PowAlgorithm>, UnknownAlgorithm> {
        self.get(name).ok_or_else(|| UnknownAlgorithm {
            name: name.to_owned(),
            nearest: self.nearest(name).map(str::to_owned),
            known: self.names().map(str::to_owned).collect(),
        })
    }

    /// Names in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.algorithms.keys().map(String::as_str)
    }

    /// What each algorithm says about itself, in order of names.
    pub fn list(&self) -> impl Iterator<Item = AlgorithmInfo> {
        self.algorithms.values().map(|algorithm| algorithm.info())
    }

    /// The most similar name by Jaro-Winkler, if it is similar at all. Case and dashes do not count.
    fn nearest(&self, name: &str) -> Option<&str> {
        let plain = |name: &str| name.to_lowercase().replace(['-', '_'], "");
        let likeness = |known: &&str| strsim::jaro_winkler(&plain(known), &plain(name));
        self.names().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).filter(|known| likeness(known) > 0.75)
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// No algorithm of that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no algorithm {name:?}{}; there are {}", meant(nearest.as_deref()), known.join(", "))]
pub struct UnknownAlgorithm {
    /// What was asked for.
    pub name: String,
    /// The known name that was probably meant.
    pub nearest: Option<String>,
    /// All known names.
    pub known: Vec<String>,
}

impl UnknownAlgorithm {
    /// A stable code for logs and APIs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "UNKNOWN_ALGORITHM"
    }
}

fn meant(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| format!(" (did you mean {nearest:?}?)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_is_found_under_its_own_name() {
        let registry = Registry::linked_in();
        let names: Vec<_> = registry.names().collect();
        assert_eq!(names, ["blake2s", "blake3", "kheavyhash", "scrypt", "scrypt-bdag", "sha256d"]);
        for (name, info) in names.iter().zip(registry.list()) {
            let algorithm = registry.find(name).unwrap();
            assert_eq!((algorithm.name(), &algorithm.info()), (*name, &info));
            assert_eq!(info.cpu_intensive, name.starts_with("scrypt"), "{name}");
        }
        assert_eq!(format!("{registry:?}").matches("scrypt").count(), 2);
    }

    #[test]
    fn a_wrong_name_is_answered_with_the_nearest() {
        let registry = Registry::linked_in();
        let nearest = |name: &str| registry.find(name).map(|_| ()).unwrap_err().nearest;
        for (wrong, right) in [
            ("sha256", "sha256d"),
            ("SHA256d", "sha256d"),
            ("blake-3", "blake3"),
            ("kHeavyHash", "kheavyhash"),
            ("scrypt_bdag", "scrypt-bdag"),
            ("heavyhash", "kheavyhash"),
        ] {
            assert_eq!(nearest(wrong).as_deref(), Some(right), "{wrong}");
        }
        assert_eq!(nearest("qqq"), None);
        let error = registry.find("sha256").map(|_| ()).unwrap_err();
        assert_eq!(error.code(), "UNKNOWN_ALGORITHM");
        assert_eq!(
            error.to_string(),
            "there is no algorithm \"sha256\" (did you mean \"sha256d\"?); \
             there are blake2s, blake3, kheavyhash, scrypt, scrypt-bdag, sha256d"
        );
    }
}
