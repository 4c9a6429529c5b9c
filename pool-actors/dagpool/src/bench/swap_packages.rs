//! Packages for the swaps of a benchmark: any number of two functions, signed by a key of this run.

use std::{fs, path::Path};

use pool_actors::error::{Code, Failure};
use pool_engine::{
    Registry,
    package::{MANIFEST, Package, TEST_VECTORS, WASM},
    signature::SecretKey,
    trust::{Permission, TrustedKey, trust_entry},
};
use serde_json::json;

/// What the swaps go to and fro between. The pool begins with the first.
pub(super) const FUNCTIONS: [&str; 2] = ["blake2s", "blake3"];

/// What the modules say of themselves.
const MODULE_VERSION: &str = "0.1.0";

/// Makes packages.
pub(super) struct Author {
    key: SecretKey,
    wasm: [Vec<u8>; 2],
}

impl Author {
    /// Reads the modules from a folder.
    ///
    /// # Errors
    /// When one is not there.
    pub(super) fn new(folder: &Path) -> Result<Self, Failure> {
        let read = |name: &str| {
            let path = folder.join(format!("{name}.wasm"));
            fs::read(&path).map_err(|error| super::swap::unusable(&path, &error))
        };
        let mut seed = [0; 32];
        rand::fill(&mut seed[..]);
        Ok(Self { key: SecretKey::from_seed(&seed), wasm: [read(FUNCTIONS[0])?, read(FUNCTIONS[1])?] })
    }

    /// `trusted-keys.toml` with this author in it.
    pub(super) fn trusted_keys(&self) -> String {
        trust_entry(&TrustedKey {
            name: "bench".to_owned(),
            key: self.key.public(),
            permissions: vec![Permission::Wasm],
            revoked: None,
        })
    }

    /// A package of one of [`FUNCTIONS`]: the same code each time, in a module and a package of its own.
    ///
    /// # Errors
    /// When it can't be made, which is a defect.
    pub(super) fn package(&self, function: &str, number: u32) -> Result<Vec<u8>, Failure> {
        self.make(function, number).map_err(|what| {
            Failure::new(Code::SystemRefused, format!("a package: {what}"), "report this defect")
        })
    }

    /// The module with a custom section of its own, so that each package is compiled anew, as an author's next version is.
    fn numbered(&self, function: &str, number: u32) -> Vec<u8> {
        let mut wasm = self.wasm[usize::from(function != FUNCTIONS[0])].clone();
        let name = b"bench";
        let length = 1 + name.len() + size_of::<u32>();
        // Section 0: a length and a name's length, each below 128 and therefore one byte, the name, the content.
        wasm.extend([0, u8::try_from(length).unwrap_or(0), u8::try_from(name.len()).unwrap_or(0)]);
        wasm.extend(name);
        wasm.extend(number.to_le_bytes());
        wasm
    }

    fn make(&self, function: &str, number: u32) -> Result<Vec<u8>, String> {
        let manifest = json!({
            "name": function, "version": MODULE_VERSION, "description": format!("{function}, package {number}"), "author": "bench",
            "license": "MIT",
            "compatibility": {
                "min_engine_version": "1.0.0", "supported_platforms": ["linux"], "memory_requirements": "64MB",
            },
            "algorithm": {
                "hash_function": function, "output_size": 32, "difficulty_adjustment": "standard",
                "target_block_time": 30, "initial_difficulty": 1000,
            },
            "performance": { "expected_hashrate": "1000", "memory_usage": "low", "cpu_intensive": false },
        });
        let header = [7; 80];
        let linked_in = Registry::linked_in().find(function).map_err(|error| error.to_string())?;
        let hash = linked_in.hash(&header).map_err(|error| error.to_string())?;
        let vectors =
            json!({ "version": 1, "vectors": [{ "input": hex::encode(header), "hash": hex::encode(hash) }] });
        let wasm = self.numbered(function, number);
        let entries = [
            (MANIFEST, manifest.to_string().into_bytes()),
            (WASM, wasm),
            (TEST_VECTORS, vectors.to_string().into_bytes()),
        ];
        let package = Package::from_entries(entries).map_err(|error| error.to_string())?;
        let signature = self.key.sign(&package.digest());
        package.with_signature(&signature).to_zip().map_err(|error| error.to_string())
    }
}
