//! Whole packages: the reference packages in `tests/fixtures/packages`, staged as a pool stages them.
//!
//! They are committed so that the tests need no compiler for wasm. `make packages-fixtures` renews them, and
//! `sources.json` beside them says what they were built from.

use plugin_sdk::{HEADER_SIZE, Header};
use pool_engine::{
    ENGINE_VERSION, Registry,
    codes::Code,
    package::{Package, PackageLimits, SIGNATURE, WASM},
    signature::SecretKey,
    staging::{
        Check, Clock, HostProfile, How, StageContext, StageError, StageLimits, Staged, load_wasm_of, stage,
    },
    trust::{KnownVersions, Permission, TrustStore, TrustedKey},
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn fixtures() -> PathBuf {
    root().join("tests/fixtures/packages")
}

/// Everybody knows it: nothing but tests may trust it.
fn test_key() -> SecretKey {
    SecretKey::from_seed(b"the key of the tests, not secret")
}

fn file_name(name: &str) -> String {
    format!("algorithm-package-{name}.zip")
}

fn fixture(name: &str) -> Vec<u8> {
    let path = fixtures().join(file_name(name));
    fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}; run `make packages-fixtures`", path.display()))
}

fn stage_bytes(bytes: &[u8]) -> Result<Staged, Box<StageError>> {
    let mut trust = TrustStore::default();
    let permissions = vec![Permission::Wasm];
    trust.add(TrustedKey { name: "tests".into(), key: test_key().public(), permissions, revoked: None });
    let benchmark_time_max = std::time::Duration::from_millis(20);
    stage(
        bytes,
        &StageContext {
            trust: &trust,
            known_versions: &KnownVersions::default(),
            allow_downgrade: false,
            host: &HostProfile::detect(2),
            engine_version: &ENGINE_VERSION,
            limits: &StageLimits { benchmark_time_max, ..StageLimits::default() },
            permission: Permission::Wasm,
            how: How { clock: Clock::Thread, gently: true },
            load: &load_wasm_of,
            progress: &|_| {},
        },
    )
}

fn signed(package: Package) -> Vec<u8> {
    let signature = test_key().sign(&package.digest());
    package.with_signature(&signature).to_zip().unwrap()
}

/// The fixture with one entry replaced, signed again.
fn with(name: &str, entry: &str, content: Vec<u8>) -> Vec<u8> {
    let package = Package::open(&fixture(name), &PackageLimits::default()).unwrap();
    let entries = package.entries().filter(|(n, _)| *n != entry && *n != SIGNATURE);
    let entries: Vec<_> =
        entries.map(|(n, c)| (n.to_owned(), c.to_vec())).chain([(entry.to_owned(), content)]).collect();
    signed(Package::from_entries(entries).unwrap())
}

/// A header of which every byte depends on the seed.
fn header(seed: u64) -> Header {
    let mut header = [0; HEADER_SIZE];
    for (i, part) in header.chunks_mut(32).enumerate() {
        let hash = Sha256::digest([seed.to_le_bytes(), (i as u64).to_le_bytes()].concat());
        part.copy_from_slice(&hash[..part.len()]);
    }
    header
}

/// What a fixture is built from: the plugin, what it depends on, and the interface; not what only tests use.
fn sources(name: &str) -> String {
    let mut folders = vec!["plugin-sdk/src".to_owned(), format!("plugins/{name}")];
    if name == "scrypt-bdag" {
        folders.push("plugins/scrypt/src".to_owned());
    }
    let mut files = BTreeMap::new();
    for folder in folders {
        collect(&root().join(folder), &mut files);
    }
    let mut digest = Sha256::new();
    for (path, content) in files {
        digest.update(path);
        digest.update([0]);
        digest.update(Sha256::digest(content));
    }
    hex::encode(digest.finalize())
}

fn collect(folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            collect(&path, files);
        } else if !name.ends_with("tests.rs") && !name.ends_with("/conformance.rs") {
            files.insert(name, fs::read(&path).unwrap());
        }
    }
}

/// With `DAGPOOL_WRITE_FIXTURES`, makes the fixtures from `target/packages`: without native code, signed by the tests' key.
#[test]
fn fixtures_are_there_for_every_algorithm() {
    let names: Vec<String> = Registry::linked_in().names().map(str::to_owned).collect();
    if std::env::var_os("DAGPOOL_WRITE_FIXTURES").is_some() {
        fs::create_dir_all(fixtures()).unwrap();
        let mut built_from = BTreeMap::new();
        for name in &names {
            let start = format!("algorithm-package-{name}-v");
            let built =
                fs::read_dir(root().join("target/packages")).unwrap().map(|entry| entry.unwrap().path());
            let path =
                built.filter(|p| p.file_name().unwrap().to_string_lossy().starts_with(&start)).max().unwrap();
            let package = Package::open(&fs::read(path).unwrap(), &PackageLimits::default()).unwrap();
            let entries = package
                .entries()
                .filter(|(n, _)| *n != SIGNATURE && !n.starts_with("algorithm.") || *n == WASM);
            let package = Package::from_entries(entries.map(|(n, c)| (n, c.to_vec()))).unwrap();
            fs::write(fixtures().join(file_name(name)), signed(package)).unwrap();
            built_from.insert(name, sources(name));
        }
        let json = serde_json::to_string_pretty(&built_from).unwrap();
        fs::write(fixtures().join("sources.json"), json + "\n").unwrap();
    }
    let text = fs::read(fixtures().join("sources.json")).unwrap();
    let built_from: BTreeMap<String, String> = serde_json::from_slice(&text).unwrap();
    assert!(built_from.keys().eq(&names));
    let stale: Vec<&String> = names.iter().filter(|name| built_from[*name] != sources(name)).collect();
    let message =
        format!("the packages of {stale:?} were built from other sources: run `make packages-fixtures`");
    // The packages are still good; who changes a comment need not have a compiler for wasm.
    if std::env::var_os("DAGPOOL_FIXTURES_FRESH").is_some() {
        assert!(stale.is_empty(), "{message}");
    } else if !stale.is_empty() {
        eprintln!("{message}");
    }
}

#[test]
fn every_fixture_is_staged_and_hashes_like_the_linked_in_algorithm() {
    for info in Registry::linked_in().list() {
        let staged = stage_bytes(&fixture(&info.name)).unwrap_or_else(|e| panic!("{}: {e}", info.name));
        assert!(staged.report.validation_results.iter().all(|row| row.ok), "{:?}", staged.report);
        let linked_in = Registry::linked_in().find(&info.name).unwrap();
        assert_eq!(staged.algorithm.info(), linked_in.info());
        let headers: Vec<Header> = (0..40).map(header).collect();
        let mut hashes = [vec![[0; 32]; 40], vec![[0; 32]; 40]];
        staged.algorithm.hash_batch(&headers, &mut hashes[0]).unwrap();
        linked_in.hash_batch(&headers, &mut hashes[1]).unwrap();
        assert_eq!(hashes[0], hashes[1], "{}", info.name);
    }
}

#[test]
fn every_package_carries_the_reference_vectors_of_its_algorithm() {
    let reference: Value =
        serde_json::from_slice(&fs::read(root().join("tests/vectors/pow_vectors.json")).unwrap()).unwrap();
    for name in Registry::linked_in().names() {
        let package = Package::open(&fixture(name), &PackageLimits::default()).unwrap();
        let vectors = package.test_vectors().unwrap().vectors;
        assert!(vectors.iter().filter(|v| v.target.is_some()).count() >= 2, "{name}");
        for entry in reference["headers"].as_array().unwrap() {
            let Some(hash) = entry.get(name) else { continue };
            let has = vectors.iter().any(|v| {
                Some(hex::encode(&v.input).as_str()) == entry["header"].as_str()
                    && Some(hex::encode(v.hash).as_str()) == hash.as_str()
            });
            assert!(has, "{name} lacks {}", entry["header"]);
        }
    }
}

#[test]
fn a_package_that_lies_is_refused() {
    let refused = |bytes: &[u8]| {
        let error = stage_bytes(bytes).expect_err("staged");
        (error.report.validation_results.last().unwrap().check, error.error.code, error.error.message)
    };
    let manifest = |from: &str, to: &str| {
        let package = Package::open(&fixture("blake2s"), &PackageLimits::default()).unwrap();
        let text = String::from_utf8(package.entry("manifest.json").unwrap().to_vec()).unwrap();
        assert!(text.contains(from));
        with("blake2s", "manifest.json", text.replace(from, to).into_bytes())
    };
    // Another algorithm's code under this one's name.
    let other = Package::open(&fixture("blake3"), &PackageLimits::default()).unwrap();
    let (check, code, message) = refused(&with("blake2s", WASM, other.entry(WASM).unwrap().to_vec()));
    assert_eq!((check, code), (Check::Manifest, Code::ManifestMismatch), "{message}");
    let (check, code, message) = refused(&manifest("\"version\": \"0.1.0\"", "\"version\": \"9.0.0\""));
    assert_eq!((check, code), (Check::Manifest, Code::ManifestMismatch), "{message}");
    let (check, code, message) = refused(&manifest("\"cpu_intensive\": false", "\"cpu_intensive\": true"));
    assert_eq!((check, code), (Check::Manifest, Code::ManifestMismatch), "{message}");
    // Less memory than the module begins with.
    let (check, code, message) = refused(&manifest("16MB", "64KB"));
    assert_eq!((check, code), (Check::Manifest, Code::CodeRefused), "{message}");
    let (check, code, message) = refused(&with("blake2s", WASM, b"\0asm\x01\0\0\0".to_vec()));
    assert_eq!((check, code), (Check::Manifest, Code::CodeRefused), "{message}");
    assert!(message.starts_with("not loaded: algorithm.wasm: "), "{message}");
    let (check, code, message) = refused(&with("blake2s", WASM, vec![0x7f, b'E', b'L', b'F']));
    assert_eq!((check, code), (Check::Manifest, Code::CodeRefused), "{message}");
    // Someone else's vectors.
    let vectors = other.entry("tests/test_vectors.json").unwrap().to_vec();
    let (check, code, message) = refused(&with("blake2s", "tests/test_vectors.json", vectors));
    assert_eq!((check, code), (Check::TestVectors, Code::VectorMismatch), "{message}");
}
