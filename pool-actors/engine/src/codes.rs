//! Every code that a package can be refused or warned about with: what it means and what to do. One catalogue, which
//! makes error responses, the command line's advice and the documentation pages.

/// The code of the original interface that a finer one belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// The package is malformed, not to be trusted, or does not do what it says.
    PackageValidationFailed,
    /// The package is good, but not for this machine or engine.
    CompatibilityCheckFailed,
    /// The package works, but slower than it says.
    PerformanceWarning,
}

impl Family {
    /// Its stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PackageValidationFailed => "PACKAGE_VALIDATION_FAILED",
            Self::CompatibilityCheckFailed => "COMPATIBILITY_CHECK_FAILED",
            Self::PerformanceWarning => "PERFORMANCE_WARNING",
        }
    }
}

/// What one can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advice {
    /// One sentence.
    pub action: &'static str,
    /// A command that does it or shows more, if there is one.
    pub command: Option<&'static str>,
    /// low, medium, high or critical.
    pub priority: &'static str,
}

macro_rules! catalogue {
    ($($variant:ident = $code:literal in $family:ident, $severity:literal, $meaning:literal,
       [$(($action:literal, $command:expr, $priority:literal)),* $(,)?];)*) => {
        /// Stable codes; never renamed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $(#[doc = $meaning] $variant),* }

        impl Code {
            /// Every code, for documentation pages.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its stable name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code),* }
            }

            /// The code of the original interface that it belongs to.
            #[must_use]
            pub const fn family(self) -> Family {
                match self { $(Self::$variant => Family::$family),* }
            }

            /// info, warning, error or critical.
            #[must_use]
            pub const fn severity(self) -> &'static str {
                match self { $(Self::$variant => $severity),* }
            }

            /// What it means, in a sentence or two.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning),* }
            }

            /// What to do about it.
            #[must_use]
            pub const fn advice(self) -> &'static [Advice] {
                match self {
                    $(Self::$variant => &[$(Advice { action: $action, command: $command, priority: $priority }),*]),*
                }
            }
        }
    };
}

catalogue! {
    PackageTooLarge = "PACKAGE_TOO_LARGE" in PackageValidationFailed, "error",
        "The package's file, an entry or all entries together are larger than the pool takes.",
        [("Leave out what is not needed, or strip the native libraries", Some("strip --strip-debug algorithm.so"), "medium")];
    PackageNotAZip = "PACKAGE_NOT_A_ZIP" in PackageValidationFailed, "error",
        "The file is no zip archive.",
        [("Make the package with the pack command", Some("dagpool algorithm pack"), "high")];
    PackageTruncated = "PACKAGE_TRUNCATED" in PackageValidationFailed, "error",
        "The archive's end is missing, or one of its parts points beyond the file.",
        [("Copy or upload the whole file again", Some("sha256sum PACKAGE"), "high")];
    PackagePrefix = "PACKAGE_PREFIX" in PackageValidationFailed, "error",
        "There are bytes before the first entry of the archive, which another reader could take for something else.",
        [("Make the package with the pack command, and do not trust the one at hand", Some("dagpool algorithm pack"), "high")];
    PackageTrailingBytes = "PACKAGE_TRAILING_BYTES" in PackageValidationFailed, "error",
        "There are bytes or a comment behind the end of the archive.",
        [("Make the package with the pack command, and do not trust the one at hand", Some("dagpool algorithm pack"), "high")];
    PackageTooManyEntries = "PACKAGE_TOO_MANY_ENTRIES" in PackageValidationFailed, "error",
        "The archive says that it holds more entries than a package can, or another number than it has.",
        [("Make the package with the pack command", Some("dagpool algorithm pack"), "high")];
    PackageDuplicateEntry = "PACKAGE_DUPLICATE_ENTRY" in PackageValidationFailed, "critical",
        "Two entries have the same name, so that two readers could see two different packages.",
        [("Do not trust the package; ask its author for another", None, "critical")];
    PackageCaseTwins = "PACKAGE_CASE_TWINS" in PackageValidationFailed, "error",
        "An entry's name differs from a known one in upper and lower case only.",
        [("Name the entries exactly as the format does", Some("dagpool algorithm pack"), "high")];
    PackageEntryName = "PACKAGE_ENTRY_NAME" in PackageValidationFailed, "error",
        "An entry has a name that no package has: a path that leads elsewhere, a folder, or a file that the format does not know.",
        [("Keep to the files of the format", Some("dagpool algorithm pack"), "high")];
    PackageSymlink = "PACKAGE_SYMLINK" in PackageValidationFailed, "critical",
        "An entry is a link, a folder or a device instead of a file.",
        [("Do not trust the package; ask its author for another", None, "critical")];
    PackageEncrypted = "PACKAGE_ENCRYPTED" in PackageValidationFailed, "error",
        "An entry is encrypted, so it can't be checked.",
        [("Make the package with the pack command", Some("dagpool algorithm pack"), "high")];
    PackageMethod = "PACKAGE_METHOD" in PackageValidationFailed, "error",
        "An entry is compressed by another method than stored or deflated.",
        [("Make the package with the pack command", Some("dagpool algorithm pack"), "high")];
    PackageOverlap = "PACKAGE_OVERLAP" in PackageValidationFailed, "critical",
        "Entries share bytes of the file, or there are bytes between them that belong to none.",
        [("Do not trust the package; ask its author for another", None, "critical")];
    PackageHeaderMismatch = "PACKAGE_HEADER_MISMATCH" in PackageValidationFailed, "critical",
        "The archive's directory and the entry itself say different things, so that two readers could see two different packages.",
        [("Do not trust the package; ask its author for another", None, "critical")];
    PackageBomb = "PACKAGE_BOMB" in PackageValidationFailed, "critical",
        "An entry grows far beyond what it says, or by a factor that no real file has, when it is decompressed.",
        [("Do not trust the package; ask its author for another", None, "critical")];
    PackageCorrupt = "PACKAGE_CORRUPT" in PackageValidationFailed, "error",
        "An entry can't be decompressed, or its checksum is wrong.",
        [("Copy or upload the whole file again", Some("sha256sum PACKAGE"), "high")];
    PackageIncomplete = "PACKAGE_INCOMPLETE" in PackageValidationFailed, "error",
        "An entry that every package needs is missing.",
        [("Add the file that the message names", Some("dagpool algorithm pack"), "high")];
    ManifestInvalid = "MANIFEST_INVALID" in PackageValidationFailed, "error",
        "manifest.json does not have the form or the values that the format wants.",
        [("Correct the field that the message names", Some("dagpool algorithm inspect PACKAGE"), "high")];
    ManifestMismatch = "MANIFEST_MISMATCH" in PackageValidationFailed, "error",
        "The manifest says something else than the package's code or its other files.",
        [("Bring manifest and code together and pack again", Some("dagpool algorithm inspect PACKAGE"), "high")];
    SignatureMissing = "SIGNATURE_MISSING" in PackageValidationFailed, "error",
        "The package is not signed.",
        [("Ask the author to sign it", Some("dagpool algorithm sign PACKAGE --key author.key"), "high")];
    SignatureInvalid = "SIGNATURE_INVALID" in PackageValidationFailed, "critical",
        "The signature does not belong to these contents and that key: something was changed after signing.",
        [("Get the package again from its author, over a way that you trust", Some("dagpool algorithm verify PACKAGE --public-key author.pub"), "critical")];
    KeyUnknown = "KEY_UNKNOWN" in PackageValidationFailed, "error",
        "The package is signed by a key that the trust store does not hold.",
        [("If you trust its owner, add the public key to the trust store", Some("cat author.pub"), "high")];
    KeyRevoked = "KEY_REVOKED" in PackageValidationFailed, "critical",
        "The package is signed by a key that was revoked. A signature has no date that could be trusted, so everything that this key signed is refused.",
        [("Ask the author for a package signed with the new key", None, "critical")];
    KeyNotPermitted = "KEY_NOT_PERMITTED" in PackageValidationFailed, "error",
        "The key is not trusted for code of this kind.",
        [("Run the package at level wasm, or permit native code to this key in the trust store", None, "high")];
    PackageDowngrade = "PACKAGE_DOWNGRADE" in PackageValidationFailed, "error",
        "A newer version of this algorithm was staged here before; an older one may have a known fault.",
        [("Stage the newest version, or override deliberately: the override is recorded", None, "high")];
    EngineTooOld = "ENGINE_TOO_OLD" in CompatibilityCheckFailed, "error",
        "The package needs a newer engine than this pool's.",
        [("Update the pool", Some("dagpool --version"), "high"),
         ("Use another version of the algorithm", None, "medium")];
    PlatformUnsupported = "PLATFORM_UNSUPPORTED" in CompatibilityCheckFailed, "error",
        "The package is not made for this platform, or not at this level of isolation.",
        [("Use level wasm, or a package that names this platform", Some("dagpool algorithm inspect PACKAGE"), "high")];
    CpuFeatureMissing = "CPU_FEATURE_MISSING" in CompatibilityCheckFailed, "error",
        "The package's native code needs instructions that this processor does not have.",
        [("Use level wasm, or another machine", Some("lscpu"), "high")];
    MemoryInsufficient = "MEMORY_INSUFFICIENT" in CompatibilityCheckFailed, "error",
        "The algorithm needs more memory than this machine has to give.",
        [("Add memory, or use fewer validation threads", Some("free -m"), "high")];
    CodeRefused = "CODE_REFUSED" in PackageValidationFailed, "error",
        "The sandbox did not load the package's code.",
        [("Build the algorithm again with this version's plugin-sdk", Some("dagpool algorithm pack"), "high")];
    VectorsInvalid = "VECTORS_INVALID" in PackageValidationFailed, "error",
        "tests/test_vectors.json or tests/benchmark_data.json does not have the form that the format wants.",
        [("Correct what the message names", Some("dagpool algorithm inspect PACKAGE"), "high")];
    VectorMismatch = "VECTOR_MISMATCH" in PackageValidationFailed, "critical",
        "The code computes another hash than the package's own test vector says.",
        [("Do not use the package; report the vector to its author", Some("dagpool algorithm verify PACKAGE"), "critical")];
    NotDeterministic = "NOT_DETERMINISTIC" in PackageValidationFailed, "critical",
        "The same input gave two hashes, in one instance or in two.",
        [("Do not use the package: miners would be judged by chance", None, "critical")];
    BenchmarkFailed = "BENCHMARK_FAILED" in PackageValidationFailed, "error",
        "The algorithm failed while it was measured.",
        [("Run the benchmark by itself to see why", Some("dagpool algorithm bench PACKAGE"), "high")];
    PerformanceWarning = "PERFORMANCE_WARNING" in PerformanceWarning, "warning",
        "The algorithm reaches less than 0.8 of the hash rate that its manifest expects, on this machine. It is staged all the same.",
        [("Consider an optimized build", Some("dagpool algorithm bench PACKAGE"), "medium"),
         ("Check what else the machine does", Some("uptime"), "low")];
    ResourceLimitExceeded = "RESOURCE_LIMIT_EXCEEDED" in PackageValidationFailed, "error",
        "The algorithm needs more time or memory for a hash than the pool or its own manifest allows.",
        [("Raise memory_usage or memory_requirements in the manifest if the algorithm really needs it, and pack again", None, "high")];
    KeyFileInvalid = "KEY_FILE_INVALID" in PackageValidationFailed, "error",
        "A key file can't be read, or is readable for others.",
        [("Give the right file, or make a key under a new name", Some("dagpool algorithm keygen --out NAME"), "high")];
    TrustStoreInvalid = "TRUST_STORE_INVALID" in PackageValidationFailed, "error",
        "The trust store, or the record of versions seen, can't be read.",
        [("Correct the entry that the message names", None, "high")];
    BuildFailed = "BUILD_FAILED" in PackageValidationFailed, "error",
        "The algorithm's crate could not be made or built.",
        [("Do what the message says; the compiler's own words stand above it", Some("cargo test"), "high")];
    FileUnusable = "FILE_UNUSABLE" in PackageValidationFailed, "error",
        "A file or folder can't be read or written.",
        [("Check its path, its owner and the free space", Some("ls -l PATH; df -h ."), "high")];
}

/// What is wrong with a package: a code, and a sentence that names the place, what was found and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PackageError {
    /// Which kind.
    pub code: Code,
    /// Where, what was found, what to do.
    pub message: String,
}

impl PackageError {
    /// An error of that code.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_code_is_named_once_and_has_advice() {
        let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(!code.advice().is_empty() && code.meaning().ends_with('.'), "{code:?}");
            assert!(["info", "warning", "error", "critical"].contains(&code.severity()), "{code:?}");
            for advice in code.advice() {
                assert!(["low", "medium", "high", "critical"].contains(&advice.priority), "{code:?}");
            }
        }
    }
}
