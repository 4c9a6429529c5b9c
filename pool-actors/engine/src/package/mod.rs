//! Algorithm packages: a zip file of a few known entries, held in memory and never unpacked.
//!
//! [`Package::open`] reads one from untrusted bytes, [`Package::to_zip`] writes one, the same bytes for the same
//! contents. What is verified, loaded and shown is always the one buffer that was read.

mod digest;
mod directory;
mod page;
mod read;
#[cfg(test)]
mod tests;
pub mod vectors;
mod write;

use std::collections::BTreeMap;

use crate::codes::{Code, PackageError};
use crate::manifest::{Manifest, Platform};

pub use digest::ContentDigest;
pub use page::browser_page;
pub use vectors::{BenchmarkData, TestVector, TestVectors};

/// The entry that describes the package.
pub const MANIFEST: &str = "manifest.json";
/// The entry that every level of isolation but native code runs.
pub const WASM: &str = "algorithm.wasm";
/// The entry with known answers.
pub const TEST_VECTORS: &str = "tests/test_vectors.json";
/// The entry with what to measure.
pub const BENCHMARK_DATA: &str = "tests/benchmark_data.json";
/// The entry that signs all others.
pub const SIGNATURE: &str = "signature.sig";

/// Every name that an entry may have.
pub const ENTRY_NAMES: [&str; 10] = [
    WASM,
    "algorithm.dll",
    "algorithm.dylib",
    "algorithm.so",
    "docs/CHANGELOG.md",
    "docs/README.md",
    MANIFEST,
    SIGNATURE,
    BENCHMARK_DATA,
    TEST_VECTORS,
];

/// What every package holds; the signature is a matter of trust and asked for elsewhere.
const REQUIRED: [&str; 3] = [MANIFEST, WASM, TEST_VECTORS];

/// What the pool takes, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackageLimits {
    /// Of the whole file.
    pub file_bytes_max: u64,
    /// Of one entry, decompressed.
    pub entry_bytes_max: u64,
    /// Of all entries, decompressed.
    pub total_bytes_max: u64,
    /// Decompressed over compressed, for entries of more than 64 KiB. Deflate itself ends at 1032.
    pub ratio_max: u64,
}

impl Default for PackageLimits {
    /// 64 MiB for the file and for an entry, 128 MiB in all, factor 200.
    fn default() -> Self {
        Self {
            file_bytes_max: 64 << 20,
            entry_bytes_max: 64 << 20,
            total_bytes_max: 128 << 20,
            ratio_max: 200,
        }
    }
}

/// A package's entries, all within limits and with names of the format; not yet checked further.
#[derive(Clone, PartialEq, Eq)]
pub struct Package {
    entries: BTreeMap<&'static str, Vec<u8>>,
}

impl Package {
    /// A package of these entries.
    ///
    /// # Errors
    /// [`Code::PackageEntryName`], [`Code::PackageDuplicateEntry`].
    pub fn from_entries<N: AsRef<str>>(
        entries: impl IntoIterator<Item = (N, Vec<u8>)>,
    ) -> Result<Self, PackageError> {
        let mut package = Self { entries: BTreeMap::new() };
        for (name, content) in entries {
            package.insert(name.as_ref(), content)?;
        }
        Ok(package)
    }

    /// Reads a package from untrusted bytes. Nothing is written anywhere.
    ///
    /// # Errors
    /// A `PACKAGE_*` code for each way in which a file can be malformed.
    pub fn open(bytes: &[u8], limits: &PackageLimits) -> Result<Self, PackageError> {
        read::open(bytes, limits)
    }

    /// The package as a zip file: entries in byte order of their names, fixed times, the same bytes every time.
    ///
    /// # Errors
    /// [`Code::PackageTooLarge`] if it does not fit into a zip file.
    pub fn to_zip(&self) -> Result<Vec<u8>, PackageError> {
        write::to_zip(self)
    }

    /// An entry's content.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<&[u8]> {
        self.entries.get(name).map(Vec::as_slice)
    }

    /// Names and contents in byte order of the names.
    pub fn entries(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        self.entries.iter().map(|(name, content)| (*name, content.as_slice()))
    }

    fn insert(&mut self, name: &str, content: Vec<u8>) -> Result<(), PackageError> {
        let known = known_name(name)?;
        if self.entries.insert(known, content).is_some() {
            return Err(PackageError::new(Code::PackageDuplicateEntry, format!("{known} is there twice")));
        }
        Ok(())
    }

    /// The same package with another signature.
    #[must_use]
    pub fn with_signature(mut self, signature: &[u8; crate::signature::SIGNATURE_SIZE]) -> Self {
        self.entries.insert(SIGNATURE, signature.to_vec());
        self
    }

    /// An entry that must be there.
    ///
    /// # Errors
    /// [`Code::PackageIncomplete`].
    pub fn required(&self, name: &str) -> Result<&[u8], PackageError> {
        self.entry(name).ok_or_else(|| {
            PackageError::new(Code::PackageIncomplete, format!("the package has no {name}; add it"))
        })
    }

    /// Reads the manifest and holds it against the entries: everything required is there, and each native library has
    /// its platform in the manifest.
    ///
    /// # Errors
    /// [`Code::PackageIncomplete`], [`Code::ManifestInvalid`], [`Code::ManifestMismatch`].
    pub fn manifest(&self) -> Result<Manifest, PackageError> {
        for name in REQUIRED {
            self.required(name)?;
        }
        let manifest = Manifest::parse(self.required(MANIFEST)?)?;
        for platform in [Platform::Linux, Platform::Windows, Platform::Macos] {
            let library = platform.library();
            if self.entry(library).is_some()
                && !manifest.compatibility.supported_platforms.contains(&platform)
            {
                let message = format!(
                    "manifest.json: compatibility.supported_platforms: {library} is in the package, but {} is not \
                     named; name it, or leave the library out",
                    platform.as_str()
                );
                return Err(PackageError::new(Code::ManifestMismatch, message));
            }
        }
        Ok(manifest)
    }

    /// The known answers.
    ///
    /// # Errors
    /// [`Code::PackageIncomplete`], [`Code::VectorsInvalid`].
    pub fn test_vectors(&self) -> Result<TestVectors, PackageError> {
        TestVectors::parse(self.required(TEST_VECTORS)?)
    }

    /// What to measure, if the package says it.
    ///
    /// # Errors
    /// [`Code::VectorsInvalid`].
    pub fn benchmark_data(&self) -> Result<Option<BenchmarkData>, PackageError> {
        self.entry(BENCHMARK_DATA).map(BenchmarkData::parse).transpose()
    }

    /// SHA-256 of an entry's content, in hexadecimal digits.
    #[must_use]
    pub fn content_hash(content: &[u8]) -> String {
        digest::content_hash(content)
    }

    /// What a signature signs.
    #[must_use]
    pub fn digest(&self) -> ContentDigest {
        ContentDigest::of(self)
    }
}

impl std::fmt::Debug for Package {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.entries().map(|(name, content)| (name, content.len()))).finish()
    }
}

/// The format's own copy of an entry's name.
fn known_name(name: &str) -> Result<&'static str, PackageError> {
    if let Some(known) = ENTRY_NAMES.into_iter().find(|known| *known == name) {
        return Ok(known);
    }
    let shown = crate::manifest::shown(name);
    if let Some(twin) = ENTRY_NAMES.into_iter().find(|known| known.eq_ignore_ascii_case(name)) {
        let message = format!("{shown} differs from {twin} only in case; name it exactly so, once");
        return Err(PackageError::new(Code::PackageCaseTwins, message));
    }
    let message = format!("{shown} is no entry of a package; there are {}", ENTRY_NAMES.join(", "));
    Err(PackageError::new(Code::PackageEntryName, message))
}
