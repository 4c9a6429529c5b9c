//! Whom the pool trusts with what, and which versions it has seen.

use crate::codes::{Code, PackageError};
use crate::manifest::{Identifier, Text};
use crate::package::Package;
use crate::signature::{KeyId, PackageSignature, PublicKey};
use semver::Version;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fs::File, io::Write as _, path::Path};

/// A kind of code that a key may be trusted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// Sandboxed code.
    Wasm,
    /// Native code, in a child process and, after a clean probe, in the pool's own.
    Native,
}

/// A key and what it may sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedKey {
    /// For people.
    pub name: String,
    /// The key.
    pub key: PublicKey,
    /// What it is trusted for.
    pub permissions: Vec<Permission>,
    /// Why or since when it is not trusted any more. Everything that it ever signed is refused: a signature's time can't
    /// be proved.
    pub revoked: Option<String>,
}

/// The trust store: a TOML file of `[[key]]` tables.
///
/// ```
/// let store = pool_engine::trust::TrustStore::parse(r#"
///     [[key]]
///     id = "21fe31dfa154a261"
///     name = "BlockDAG Team"
///     public_key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
///     permissions = ["wasm", "native"]
/// "#).unwrap();
/// assert_eq!(store.keys().count(), 1);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustStore {
    keys: BTreeMap<KeyId, TrustedKey>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoreFile {
    #[serde(default)]
    key: Vec<KeyEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyEntry {
    id: KeyId,
    name: Text,
    public_key: String,
    permissions: Vec<Permission>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked: Option<Text>,
}

fn invalid(message: String) -> PackageError {
    PackageError::new(Code::TrustStoreInvalid, message)
}

fn read(path: &Path) -> Result<Option<String>, PackageError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(invalid(format!(
            "{} can't be read ({error}); check its owner and permissions",
            path.display()
        ))),
    }
}

impl TrustStore {
    /// Reads the text of a trust store.
    ///
    /// # Errors
    /// [`Code::TrustStoreInvalid`], with the key that is wrong.
    pub fn parse(text: &str) -> Result<Self, PackageError> {
        let file: StoreFile = toml::from_str(text)
            .map_err(|error| invalid(format!("trust store: {}", error.to_string().trim_end())))?;
        let mut store = Self::default();
        for entry in file.key {
            let (id, name) = (entry.id, entry.name.to_string());
            let key = PublicKey::from_hex(&entry.public_key).map_err(|problem| {
                invalid(format!("trust store: key {id} ({name}): public_key: {problem}"))
            })?;
            if key.id() != id {
                return Err(invalid(format!(
                    "trust store: key {id} ({name}): the public key's id is {}; write that, or the right key",
                    key.id()
                )));
            }
            if store.keys.contains_key(&id) {
                return Err(invalid(format!(
                    "trust store: key {id} is there twice; keep one of the two tables"
                )));
            }
            let revoked = entry.revoked.map(String::from);
            store.add(TrustedKey { name, key, permissions: entry.permissions, revoked });
        }
        Ok(store)
    }

    /// Reads a trust store from a file; without the file, nobody is trusted.
    ///
    /// # Errors
    /// [`Code::TrustStoreInvalid`].
    pub fn load(path: &Path) -> Result<Self, PackageError> {
        read(path)?.map_or_else(|| Ok(Self::default()), |text| Self::parse(&text))
    }

    /// Adds a key, or replaces the one of its id.
    pub fn add(&mut self, key: TrustedKey) {
        self.keys.insert(key.key.id(), key);
    }

    /// All keys with their ids.
    pub fn keys(&self) -> impl Iterator<Item = (KeyId, &TrustedKey)> {
        self.keys.iter().map(|(id, key)| (*id, key))
    }

    /// Who signed the package, if the signature is good and the key is trusted for code of that kind.
    ///
    /// # Errors
    /// [`Code::SignatureMissing`], [`Code::SignatureInvalid`], [`Code::KeyUnknown`], [`Code::KeyRevoked`],
    /// [`Code::KeyNotPermitted`].
    pub fn check(&self, package: &Package, permission: Permission) -> Result<&TrustedKey, PackageError> {
        let signature = PackageSignature::of(package)?;
        let id = signature.key;
        let Some(trusted) = self.keys.get(&id) else {
            return Err(PackageError::new(
                Code::KeyUnknown,
                format!("the trust store has no key {id}, which signed the package"),
            ));
        };
        if let Some(revoked) = &trusted.revoked {
            return Err(PackageError::new(
                Code::KeyRevoked,
                format!("key {id} ({}) was revoked: {revoked}", trusted.name),
            ));
        }
        trusted.key.verify(package)?;
        if !trusted.permissions.contains(&permission) {
            let kind = match permission {
                Permission::Wasm => "wasm",
                Permission::Native => "native",
            };
            let message = format!("key {id} ({}) is not trusted for {kind} code", trusted.name);
            return Err(PackageError::new(Code::KeyNotPermitted, message));
        }
        Ok(trusted)
    }
}

/// A `[[key]]` table for the trust store.
#[must_use]
pub fn trust_entry(key: &TrustedKey) -> String {
    let permissions: Vec<&str> = key
        .permissions
        .iter()
        .map(|p| match p {
            Permission::Wasm => "\"wasm\"",
            Permission::Native => "\"native\"",
        })
        .collect();
    let name = toml::Value::String(key.name.clone());
    let mut text = format!(
        "[[key]]\nid = \"{}\"\nname = {name}\npublic_key = \"{}\"\npermissions = [{}]\n",
        key.key.id(),
        key.key.to_hex(),
        permissions.join(", ")
    );
    if let Some(revoked) = &key.revoked {
        text.push_str(&format!("revoked = {}\n", toml::Value::String(revoked.clone())));
    }
    text
}

/// The highest version of each algorithm that was ever staged, so that nobody brings an old fault back unnoticed.
/// Stored as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownVersions {
    highest: BTreeMap<Identifier, Version>,
    overrides: Vec<Override>,
}

/// An older version that was staged on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// The algorithm.
    pub name: Identifier,
    /// The version that was staged.
    pub version: Version,
    /// The highest one seen until then.
    pub highest: Version,
    /// Why, in the operator's words.
    pub reason: String,
}

impl KnownVersions {
    /// Reads the record.
    ///
    /// # Errors
    /// [`Code::TrustStoreInvalid`].
    pub fn parse(json: &[u8]) -> Result<Self, PackageError> {
        crate::manifest::from_json(json)
            .map_err(|error| invalid(format!("record of versions: {}: {}", error.field, error.problem)))
    }

    /// Reads the record from a file; without the file, nothing was seen yet.
    ///
    /// # Errors
    /// [`Code::TrustStoreInvalid`].
    pub fn load(path: &Path) -> Result<Self, PackageError> {
        read(path)?.map_or_else(|| Ok(Self::default()), |text| Self::parse(text.as_bytes()))
    }

    /// Writes the record whole: a crash leaves the old file or the new one.
    ///
    /// # Errors
    /// [`Code::TrustStoreInvalid`], if the file can't be written.
    pub fn save(&self, path: &Path) -> Result<(), PackageError> {
        let failed = |error: std::io::Error| {
            invalid(format!(
                "{} can't be written ({error}); check the folder's owner and free space",
                path.display()
            ))
        };
        let beside = path.with_extension("new");
        let mut file = File::create(&beside).map_err(failed)?;
        file.write_all(self.to_json().as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        std::fs::rename(&beside, path).map_err(failed)
    }

    /// The record as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("names and versions are strings, which JSON has")
    }

    /// The highest version seen of an algorithm.
    #[must_use]
    pub fn highest(&self, name: &Identifier) -> Option<&Version> {
        self.highest.get(name)
    }

    /// What was staged on purpose though it was older.
    #[must_use]
    pub fn overrides(&self) -> &[Override] {
        &self.overrides
    }

    /// Refuses a version lower than the highest seen.
    ///
    /// # Errors
    /// [`Code::PackageDowngrade`].
    pub fn check(&self, name: &Identifier, version: &Version) -> Result<(), PackageError> {
        match self.highest(name) {
            Some(highest) if version < highest => {
                let message =
                    format!("{name} {version} is older than {highest}, which was staged here before");
                Err(PackageError::new(Code::PackageDowngrade, message))
            }
            _ => Ok(()),
        }
    }

    /// Records a staged version. If it is lower than the highest seen, the reason for staging it is recorded too, and the
    /// highest stays.
    pub fn record(&mut self, name: &Identifier, version: &Version, override_reason: &str) {
        match self.highest.get(name).cloned() {
            Some(highest) if *version < highest => self.overrides.push(Override {
                name: name.clone(),
                version: version.clone(),
                highest,
                reason: override_reason.to_owned(),
            }),
            _ => {
                self.highest.insert(name.clone(), version.clone());
            }
        }
    }
}

#[cfg(test)]
#[path = "trust_tests.rs"]
mod tests;
