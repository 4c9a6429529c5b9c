//! Ed25519 signatures of packages, and the key files of authors.

use crate::codes::{Code, PackageError};
use crate::package::{ContentDigest, Package, SIGNATURE};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// Bytes of `signature.sig`: key id and signature.
pub const SIGNATURE_SIZE: usize = KEY_ID_SIZE + ed25519_dalek::SIGNATURE_LENGTH;
const KEY_ID_SIZE: usize = 8;
const SECRET_TAG: &str = "dagpool-secret-key-v1";
const PUBLIC_TAG: &str = "dagpool-public-key-v1";

/// The first 8 bytes of the SHA-256 of a public key; written as 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId([u8; KEY_ID_SIZE]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for KeyId {
    type Error = String;

    fn try_from(digits: String) -> Result<Self, String> {
        let mut id = [0; KEY_ID_SIZE];
        hex::decode_to_slice(&digits, &mut id)
            .map_err(|error| format!("{digits:?} is no key id ({error}); write 16 hexadecimal digits"))?;
        Ok(Self(id))
    }
}

/// A key that verifies.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// From its 32 bytes.
    ///
    /// # Errors
    /// A sentence, if they are no point of the curve, or one of a small group that many signatures fit.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, String> {
        let key =
            VerifyingKey::from_bytes(bytes).map_err(|error| format!("no Ed25519 public key ({error})"))?;
        if key.is_weak() {
            Err("a weak Ed25519 public key, which fits signatures of anything".to_owned())
        } else {
            Ok(Self(key))
        }
    }

    /// From 64 hexadecimal digits.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn from_hex(digits: &str) -> Result<Self, String> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes)
            .map_err(|error| format!("no public key ({error}); write 64 hexadecimal digits"))?;
        Self::from_bytes(&bytes)
    }

    /// 64 hexadecimal digits.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex::encode(self.0.as_bytes())
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> KeyId {
        let hash = Sha256::digest(self.0.as_bytes());
        let mut id = [0; KEY_ID_SIZE];
        id.copy_from_slice(&hash[..KEY_ID_SIZE]);
        KeyId(id)
    }

    /// The text of a public key file.
    #[must_use]
    pub fn to_file(&self) -> String {
        format!(
            "# Public key {}: give it to operators, who put it into their trust store.\n{PUBLIC_TAG} {}\n",
            self.id(),
            self.to_hex()
        )
    }

    /// Reads the text of a public key file.
    ///
    /// # Errors
    /// [`Code::KeyFileInvalid`].
    pub fn from_file(text: &str) -> Result<Self, PackageError> {
        Self::from_hex(tagged(text, PUBLIC_TAG)?).map_err(invalid_file)
    }

    /// Whether the package's signature is this key's. Strict: no malleable or small-order parts (RFC 8032 with the
    /// cofactorless equation and canonical encodings only).
    ///
    /// # Errors
    /// [`Code::SignatureMissing`], [`Code::SignatureInvalid`].
    pub fn verify(&self, package: &Package) -> Result<(), PackageError> {
        let signature = PackageSignature::of(package)?;
        if signature.key != self.id() {
            let message = format!("{SIGNATURE} is by key {}, not by {}", signature.key, self.id());
            return Err(PackageError::new(Code::SignatureInvalid, message));
        }
        self.0.verify_strict(package.digest().as_bytes(), &signature.signature).map_err(|_| {
            let message = format!("{SIGNATURE} by key {} does not fit the package's contents", signature.key);
            PackageError::new(Code::SignatureInvalid, message)
        })
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PublicKey").field(&self.to_hex()).finish()
    }
}

/// A key that signs. Wiped from memory when dropped.
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// A fresh one, from the system's randomness.
    ///
    /// # Errors
    /// A sentence, if the system has none.
    pub fn generate() -> Result<Self, String> {
        use rand::TryRngCore as _;
        let mut seed = [0; 32];
        rand::rngs::OsRng
            .try_fill_bytes(&mut seed)
            .map_err(|error| format!("the system gives no random bytes: {error}"))?;
        Ok(Self::from_seed(&seed))
    }

    /// From its 32 secret bytes (RFC 8032).
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The key that verifies what this one signs.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// The content of `signature.sig` for a package of that digest.
    #[must_use]
    pub fn sign(&self, digest: &ContentDigest) -> [u8; SIGNATURE_SIZE] {
        let mut file = [0; SIGNATURE_SIZE];
        file[..KEY_ID_SIZE].copy_from_slice(&self.public().id().0);
        file[KEY_ID_SIZE..].copy_from_slice(&self.0.sign(digest.as_bytes()).to_bytes());
        file
    }

    /// The text of a secret key file; the file must be readable for its owner only.
    #[must_use]
    pub fn to_file(&self) -> String {
        format!(
            "# Secret key {}: whoever has this file can sign in your name.\n{SECRET_TAG} {}\n",
            self.public().id(),
            hex::encode(self.0.to_bytes())
        )
    }

    /// Reads the text of a secret key file.
    ///
    /// # Errors
    /// [`Code::KeyFileInvalid`]; the message does not repeat the file.
    pub fn from_file(text: &str) -> Result<Self, PackageError> {
        let mut seed = [0; 32];
        hex::decode_to_slice(tagged(text, SECRET_TAG)?, &mut seed).map_err(|error| {
            invalid_file(format!("no secret key ({error}); there must be 64 hexadecimal digits"))
        })?;
        Ok(Self::from_seed(&seed))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SecretKey").field(&self.public().id()).finish()
    }
}

/// `signature.sig` taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageSignature {
    /// Who says that he signed.
    pub key: KeyId,
    signature: Signature,
}

impl PackageSignature {
    /// The package's signature, not yet verified.
    ///
    /// # Errors
    /// [`Code::SignatureMissing`], [`Code::SignatureInvalid`].
    pub fn of(package: &Package) -> Result<Self, PackageError> {
        let file = package.entry(SIGNATURE).ok_or_else(|| {
            PackageError::new(Code::SignatureMissing, format!("the package has no {SIGNATURE}; sign it"))
        })?;
        let (id, signature) = file
            .split_first_chunk::<KEY_ID_SIZE>()
            .and_then(|(id, rest)| Some((id, <&[u8; 64]>::try_from(rest).ok()?)))
            .ok_or_else(|| {
                let message = format!("{SIGNATURE} has {} bytes instead of {SIGNATURE_SIZE}", file.len());
                PackageError::new(Code::SignatureInvalid, message)
            })?;
        Ok(Self { key: KeyId(*id), signature: Signature::from_bytes(signature) })
    }
}

fn invalid_file(problem: impl fmt::Display) -> PackageError {
    PackageError::new(Code::KeyFileInvalid, format!("the key file holds {problem}"))
}

/// The value behind the tag; lines that begin with # are comments.
fn tagged<'a>(text: &'a str, tag: &str) -> Result<&'a str, PackageError> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let value = lines.next().and_then(|line| line.strip_prefix(tag)).map(str::trim);
    value
        .filter(|_| lines.next().is_none())
        .ok_or_else(|| invalid_file(format_args!("no single line `{tag} ...`")))
}
