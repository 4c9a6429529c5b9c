use super::*;
use crate::package::{BENCHMARK_DATA, MANIFEST, TEST_VECTORS, WASM};
use crate::signature::SecretKey;
use crate::trust::TrustedKey;
use plugin_blake2s::Blake2s;
use plugin_sdk::{AlgorithmError, AlgorithmInfo, Hash, HashFunction, Target};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

/// BLAKE2s with something wrong about it.
struct Fake {
    wrong: Wrong,
    calls: AtomicU64,
    instance: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum Wrong {
    Nothing,
    Name,
    Version,
    Hash,
    BatchHash,
    SecondTime,
    OtherInstance,
    Slow,
    Greedy,
}

impl HashFunction for Fake {
    fn name(&self) -> &str {
        "blake2s"
    }
    fn hash(&self, input: &[u8]) -> Result<Hash, AlgorithmError> {
        let mut hash = Blake2s.hash(input)?;
        let calls = self.calls.fetch_add(1, Ordering::Relaxed);
        let drifts = match self.wrong {
            Wrong::Hash => true,
            Wrong::SecondTime => calls == 70,
            Wrong::OtherInstance => self.instance > 0,
            _ => false,
        };
        hash[31] ^= u8::from(drifts);
        if self.wrong == Wrong::Slow {
            (0..1000).for_each(|_| drop(std::hint::black_box(Blake2s.hash(input))));
        }
        Ok(hash)
    }
    fn hash_batch(&self, inputs: &[plugin_sdk::Header], out: &mut [Hash]) -> Result<(), AlgorithmError> {
        for (input, hash) in inputs.iter().zip(out) {
            *hash = self.hash(input)?;
            hash[0] ^= u8::from(self.wrong == Wrong::BatchHash);
        }
        Ok(())
    }
}

impl PowAlgorithm for Fake {
    fn info(&self) -> AlgorithmInfo {
        let name = if self.wrong == Wrong::Name { "other" } else { "blake2s" };
        let version = if self.wrong == Wrong::Version { "2.0.0" } else { "1.0.0" };
        AlgorithmInfo::new(name, version, Target::BITCOIN_ONE)
    }
}

impl plugin_sdk::Compatibility for Fake {
    fn memory_requirements(&self) -> plugin_sdk::MemoryRequirements {
        let per_thread_bytes = if self.wrong == Wrong::Greedy { 5 << 20 } else { 1024 };
        plugin_sdk::MemoryRequirements { per_thread_bytes }
    }
}
plugin_sdk::standard_capabilities!(Fake: DifficultyAdjuster, Benchmark, Migration, Health);

fn manifest() -> Value {
    let mut manifest: Value = serde_json::from_str(include_str!("../manifest/example.json")).unwrap();
    manifest["name"] = json!("blake2s");
    manifest["algorithm"]["hash_function"] = json!("blake2s");
    manifest["performance"]["expected_hashrate"] = json!("1000");
    manifest["compatibility"]["memory_requirements"] = json!("16MB");
    manifest
}

/// RFC 7693, appendix B.
const ABC: &str = "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982";

fn key() -> SecretKey {
    SecretKey::from_seed(&[7; 32])
}

fn zip(manifest: &Value, extra: &[(&'static str, Vec<u8>)]) -> Vec<u8> {
    let header = "5a".repeat(80);
    let hash = hex::encode(Blake2s.hash(&[0x5a; 80]).unwrap());
    let vectors = json!({"version": 1, "vectors": [
        {"input": "616263", "hash": ABC, "comment": "RFC 7693"},
        {"input": header, "hash": hash, "target": "ff".repeat(32)},
    ]});
    let mut entries = vec![
        (MANIFEST, manifest.to_string().into_bytes()),
        (WASM, b"\0asm".to_vec()),
        (TEST_VECTORS, vectors.to_string().into_bytes()),
    ];
    entries.extend_from_slice(extra);
    let package = Package::from_entries(entries).unwrap();
    let signature = key().sign(&package.digest());
    package.with_signature(&signature).to_zip().unwrap()
}

struct Bench {
    trust: TrustStore,
    known: KnownVersions,
    host: HostProfile,
    permission: Permission,
    allow_downgrade: bool,
    loads: RefCell<u64>,
    begun: RefCell<Vec<Check>>,
}

impl Bench {
    fn new() -> Self {
        let mut trust = TrustStore::default();
        let permissions = vec![Permission::Wasm];
        trust.add(TrustedKey { name: "Team".into(), key: key().public(), permissions, revoked: None });
        let host = HostProfile {
            platform: Some(crate::manifest::Platform::Linux),
            cpu_features: ["sse4.1".to_owned()].into(),
            memory_available_bytes: 64 << 20,
            threads: 2,
        };
        Self {
            trust,
            known: KnownVersions::default(),
            host,
            permission: Permission::Wasm,
            allow_downgrade: false,
            loads: RefCell::default(),
            begun: RefCell::default(),
        }
    }

    fn stage(&self, bytes: &[u8], wrong: Wrong) -> Result<Staged, Box<StageError>> {
        let load = |_: &Package, _: &MemoryLimits| {
            let instance = *self.loads.borrow();
            *self.loads.borrow_mut() += 1;
            Ok(Arc::new(Fake { wrong, calls: AtomicU64::new(0), instance }) as Arc<dyn PowAlgorithm>)
        };
        let limits = StageLimits { benchmark_time_max: Duration::from_millis(20), ..StageLimits::default() };
        stage(
            bytes,
            &StageContext {
                trust: &self.trust,
                known_versions: &self.known,
                allow_downgrade: self.allow_downgrade,
                host: &self.host,
                engine_version: &crate::ENGINE_VERSION,
                limits: &limits,
                permission: self.permission,
                how: How { clock: Clock::Wall, gently: true },
                load: &load,
                progress: &|check| self.begun.borrow_mut().push(check),
            },
        )
    }

    /// The check that fails, its code, and the message.
    fn refused(&self, bytes: &[u8], wrong: Wrong) -> (Check, Code, String) {
        let error = self.stage(bytes, wrong).expect_err("staged");
        let row = error.report.validation_results.last().unwrap().clone();
        assert!(
            !row.ok && row.code == Some(error.error.code.as_str()) && error.report.status == Status::Refused
        );
        assert!(
            error.report.validation_results[..error.report.validation_results.len() - 1]
                .iter()
                .all(|row| row.ok)
        );
        assert!(!error.report.next_steps.is_empty());
        (row.check, error.error.code, row.message)
    }
}

#[test]
fn a_good_package_passes_all_checks_in_order() {
    let bench = Bench::new();
    let staged = bench.stage(&zip(&manifest(), &[]), Wrong::Nothing).unwrap();
    let report = &staged.report;
    let checks: Vec<Check> = report.validation_results.iter().map(|row| row.check).collect();
    assert_eq!(checks, Check::ALL);
    assert_eq!(*bench.begun.borrow(), Check::ALL);
    assert!(report.validation_results.iter().all(|row| row.ok && row.severity == "info"), "{report:?}");
    assert_eq!((report.status, report.algorithm_id.as_deref()), (Status::Staged, Some("blake2s_1.0.0")));
    assert!(report.warnings.is_empty() && report.benchmark_results.as_ref().unwrap().performance_score > 0.8);
    assert_eq!(staged.signed_by, key().public().id());
    let json = serde_json::to_value(report).unwrap();
    assert_eq!(json["status"], "staged");
    assert_eq!(json["validation_results"][7]["check"], "resource_limits");
    assert!(json["validation_results"][3]["message"].as_str().unwrap().contains("wasm does without avx2"));
    for key in ["hashrate", "expected", "performance_score"] {
        assert!(json["benchmark_results"][key].is_number());
    }
}

#[test]
fn a_slow_one_is_staged_with_a_warning() {
    let mut slow = manifest();
    slow["performance"]["expected_hashrate"] = json!("1000000");
    let staged = Bench::new().stage(&zip(&slow, &[]), Wrong::Slow).unwrap();
    let row = &staged.report.validation_results[6];
    assert_eq!((row.ok, row.severity, row.code), (true, "warning", Some("PERFORMANCE_WARNING")));
    assert!(staged.report.warnings[0].starts_with("PERFORMANCE_WARNING: "));
}

#[test]
fn wrong_code_is_refused_by_the_check_that_finds_it() {
    let good = zip(&manifest(), &[]);
    for (wrong, check, code, says) in [
        (Wrong::Name, Check::Manifest, Code::ManifestMismatch, "name: is blake2s, but the code says other"),
        (
            Wrong::Version,
            Check::Manifest,
            Code::ManifestMismatch,
            "version: is 1.0.0, but the code says 2.0.0",
        ),
        (Wrong::Hash, Check::TestVectors, Code::VectorMismatch, "vectors[0] (RFC 7693): expected 508c"),
        (Wrong::BatchHash, Check::TestVectors, Code::VectorMismatch, "in a batch"),
        (Wrong::SecondTime, Check::Determinism, Code::NotDeterministic, "alone"),
        (Wrong::OtherInstance, Check::Determinism, Code::NotDeterministic, "in another instance"),
        (Wrong::Greedy, Check::ResourceLimits, Code::ResourceLimitExceeded, "a thread needs 5242880 bytes"),
    ] {
        let (found_by, found, message) = Bench::new().refused(&good, wrong);
        assert_eq!((found_by, found), (check, code), "{message}");
        assert!(message.contains(says), "{message}");
    }
}

#[test]
fn what_does_not_fit_here_is_refused_before_its_code_runs() {
    let with = |pointer: &str, value: Value| {
        let mut manifest = manifest();
        *manifest.pointer_mut(pointer).unwrap() = value;
        zip(&manifest, &[])
    };
    let bench = Bench::new();
    for (bytes, code) in [
        (with("/compatibility/min_engine_version", json!("1.0.1")), Code::EngineTooOld),
        (with("/compatibility/supported_platforms", json!(["macos"])), Code::PlatformUnsupported),
        (with("/compatibility/memory_requirements", json!("65MB")), Code::MemoryInsufficient),
    ] {
        let (check, found, _) = bench.refused(&bytes, Wrong::Nothing);
        assert_eq!((check, found), (Check::Compatibility, code));
    }
    let mut native = Bench::new();
    native.permission = Permission::Native;
    assert_eq!(native.refused(&zip(&manifest(), &[]), Wrong::Nothing).1, Code::KeyNotPermitted);
    let permissions = vec![Permission::Native];
    native.trust.add(TrustedKey { name: "Team".into(), key: key().public(), permissions, revoked: None });
    let (check, code, message) = native.refused(&zip(&manifest(), &[]), Wrong::Nothing);
    assert_eq!((check, code), (Check::Compatibility, Code::CpuFeatureMissing), "{message}");
    assert_eq!((*bench.loads.borrow(), *native.loads.borrow()), (0, 0));
}

#[test]
fn unsigned_and_older_packages_are_refused_before_their_code_runs() {
    let mut bench = Bench::new();
    let good = zip(&manifest(), &[]);
    let mut package = Package::open(&good, &PackageLimits::default()).unwrap();
    package = Package::from_entries(
        package.entries().filter(|(name, _)| *name != "signature.sig").map(|(n, c)| (n, c.to_vec())),
    )
    .unwrap();
    let (check, code, _) = bench.refused(&package.to_zip().unwrap(), Wrong::Nothing);
    assert_eq!((check, code), (Check::Signature, Code::SignatureMissing));
    let name = crate::manifest::Identifier::try_from("blake2s".to_owned()).unwrap();
    bench.known.record(&name, &Version::new(1, 0, 1), "");
    let (check, code, _) = bench.refused(&good, Wrong::Nothing);
    assert_eq!((check, code), (Check::Signature, Code::PackageDowngrade));
    assert_eq!(*bench.loads.borrow(), 0);
    bench.allow_downgrade = true;
    let staged = bench.stage(&good, Wrong::Nothing).unwrap();
    assert!(staged.is_downgrade && staged.report.warnings[0].contains("PACKAGE_DOWNGRADE"));
}

#[test]
fn files_that_contradict_the_manifest_are_refused() {
    let data = json!({"version": 1, "inputs": ["00".repeat(80)], "warmup": 1, "iterations": 10, "expected_hashrate": 5});
    let bytes = zip(&manifest(), &[(BENCHMARK_DATA, data.to_string().into_bytes())]);
    let (check, code, message) = Bench::new().refused(&bytes, Wrong::Nothing);
    assert_eq!((check, code), (Check::Manifest, Code::ManifestMismatch), "{message}");
    let (check, code, _) = Bench::new().refused(b"PK", Wrong::Nothing);
    assert_eq!((check, code), (Check::Container, Code::PackageNotAZip));
}
