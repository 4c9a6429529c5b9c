//! Signed packages of the reference algorithms, made on the spot from the wasm modules that are kept as fixtures.

use pool_engine::{
    Registry,
    package::{MANIFEST, Package, TEST_VECTORS, WASM},
    signature::SecretKey,
    trust::{Permission, TrustedKey, trust_entry},
};
use serde_json::{Value, json};

/// Whose signature the pools under test trust.
#[must_use]
pub fn key() -> SecretKey {
    SecretKey::from_seed(&[9; 32])
}

/// `trusted-keys.toml` with [`key`] in it.
#[must_use]
pub fn trusted_keys() -> String {
    trust_entry(&TrustedKey {
        name: "tests".to_owned(),
        key: key().public(),
        permissions: vec![Permission::Wasm],
        revoked: None,
    })
}

/// A package of a reference algorithm; `migration` is that part of its manifest.
///
/// # Panics
/// When there is no such algorithm.
#[must_use]
pub fn package(name: &str, migration: &Value) -> Vec<u8> {
    package_of(name, migration, wasm(name))
}

/// The same code in a module and a package of its own, so that it is compiled anew, as an author's next version is.
///
/// # Panics
/// As [`package`].
#[must_use]
pub fn numbered_package(name: &str, number: u32) -> Vec<u8> {
    let section = b"number";
    let mut wasm = wasm(name);
    // A custom section: its length, the length of its name (each below 128 and therefore one byte), name and content.
    let lengths = [1 + section.len() + size_of::<u32>(), section.len()];
    wasm.push(0);
    wasm.extend(lengths.map(|length| u8::try_from(length).expect("short")));
    wasm.extend(section);
    wasm.extend(number.to_le_bytes());
    package_of(name, &Value::Null, wasm)
}

fn wasm(name: &str) -> Vec<u8> {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../pool-actors/engine/tests/fixtures");
    std::fs::read(format!("{fixtures}/{name}.wasm")).expect("a fixture of that name")
}

fn package_of(name: &str, migration: &Value, wasm: Vec<u8>) -> Vec<u8> {
    let mut manifest = json!({
        "name": name, "version": "0.1.0", "description": name, "author": "tests", "license": "MIT",
        "compatibility": {
            "min_engine_version": "1.0.0", "supported_platforms": ["linux"], "memory_requirements": "64MB",
        },
        "algorithm": {
            "hash_function": name, "output_size": 32, "difficulty_adjustment": "standard",
            "target_block_time": 30, "initial_difficulty": 1000,
        },
        "performance": { "expected_hashrate": "1000", "memory_usage": "low", "cpu_intensive": false },
    });
    if !migration.is_null() {
        manifest["migration"] = migration.clone();
    }
    let header = [7; 80];
    let hash = Registry::linked_in().find(name).expect("it is linked in").hash(&header).expect("it hashes");
    let vectors =
        json!({ "version": 1, "vectors": [{ "input": hex::encode(header), "hash": hex::encode(hash) }] });
    let entries = [
        (MANIFEST, manifest.to_string().into_bytes()),
        (WASM, wasm),
        (TEST_VECTORS, vectors.to_string().into_bytes()),
    ];
    let package = Package::from_entries(entries).expect("a package");
    let signature = key().sign(&package.digest());
    package.with_signature(&signature).to_zip().expect("a zip")
}
