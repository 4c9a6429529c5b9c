//! The canonical digest: of contents, not of zip bytes, so that repacking does not break a signature.

use super::{Package, SIGNATURE};
use sha2::{Digest, Sha256};
use std::fmt;

/// Separates this use of the hash from every other.
const DOMAIN: &[u8] = b"dagpool-package-v1\0";

/// SHA-256 over the domain tag and, for each entry but the signature in byte order of names: name length (u32), name,
/// size (u64), SHA-256 of the content; integers little-endian.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentDigest([u8; 32]);

impl ContentDigest {
    pub(super) fn of(package: &Package) -> Self {
        let mut digest = Sha256::new();
        digest.update(DOMAIN);
        for (name, content) in package.entries().filter(|(name, _)| *name != SIGNATURE) {
            // Names are the format's own, some ten bytes long.
            let length = u32::try_from(name.len()).unwrap_or(u32::MAX);
            digest.update(length.to_le_bytes());
            digest.update(name.as_bytes());
            digest.update((content.len() as u64).to_le_bytes());
            digest.update(Sha256::digest(content));
        }
        Self(digest.finalize().into())
    }

    /// The 32 bytes that are signed.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

pub(super) fn content_hash(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}

impl fmt::Display for ContentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ContentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
