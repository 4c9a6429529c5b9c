use super::*;
use serde_json::{Value, json};

fn example() -> Value {
    serde_json::from_str(include_str!("example.json")).unwrap()
}

fn parse(manifest: &Value) -> Result<Manifest, PackageError> {
    Manifest::parse(manifest.to_string().as_bytes())
}

/// The example with the value at a JSON pointer replaced; `null` removes it.
fn with(pointer: &str, value: Value) -> Value {
    let mut manifest = example();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = manifest.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if value.is_null() {
        parent.remove(key)
    } else {
        parent.insert(key.to_owned(), value)
    };
    manifest
}

#[test]
fn the_example_has_its_effects_and_survives_a_round() {
    let manifest = parse(&example()).unwrap();
    assert_eq!(manifest.id(), "blake3_1.0.0");
    assert_eq!(manifest.file_name(), "algorithm-package-blake3-v1.0.0.zip");
    let limits = MemoryLimits { instance_bytes_max: 4 << 20, total_bytes_max: 256 << 20 };
    assert_eq!(manifest.memory_limits(), limits);
    assert_eq!(manifest.performance.expected_hashrate.per_second(), 1_000_000);
    assert!(manifest.is_upgrade_of("blake3") && !manifest.is_upgrade_of("blake2s"));
    assert!(manifest.may_replace("blake2s", "blake2s") && manifest.may_replace("other", "blake3"));
    assert!(!manifest.may_replace("scrypt", "scrypt"));
    let again = serde_json::to_value(&manifest).unwrap();
    assert_eq!(again, example());
}

#[test]
fn memory_usage_bounds_an_instance_within_the_requirements() {
    let instance = |usage: &str, total: &str| {
        let mut manifest = with("/performance/memory_usage", json!(usage));
        manifest["compatibility"]["memory_requirements"] = json!(total);
        parse(&manifest).unwrap().memory_limits().instance_bytes_max
    };
    assert_eq!(instance("low", "1MB"), 1 << 20);
    assert_eq!(instance("medium", "1GB"), 64 << 20);
    assert_eq!(instance("high", "1GB"), 1 << 30);
    assert_eq!(instance("high", "64KB"), 64 << 10);
}

#[test]
fn what_may_be_left_out() {
    let mut manifest = with("/migration", Value::Null);
    manifest["compatibility"].as_object_mut().unwrap().remove("cpu_features");
    let manifest = parse(&manifest).unwrap();
    assert!(manifest.may_replace("anything", "else") && manifest.migration.rollback_supported);
    assert_eq!(manifest.migration.migration_strategy, Strategy::Gradual);
    let number = parse(&with("/performance/expected_hashrate", json!(5))).unwrap();
    assert_eq!(number.performance.expected_hashrate.per_second(), 5);
}

#[test]
fn every_wrong_field_is_named_with_what_to_do() {
    let cases = [
        ("/name", json!("Blake3"), "name: \"Blake3\" is no name: use 1 to 32 of a-z, 0-9 and dashes"),
        ("/name", json!("../etc"), "name: \"../etc\" is no name"),
        ("/name", json!("x".repeat(33)), "is no name"),
        ("/name", json!("-x"), "is no name"),
        ("/name", Value::Null, "missing field `name`"),
        ("/version", json!("1.0"), "version: unexpected end of input while parsing minor version number"),
        ("/version", json!("1.0.0+b1"), "version: 1.0.0+b1 has build metadata"),
        ("/description", json!(""), "description: write 1 to 1000 characters"),
        ("/author", json!("a\nb"), "author: write 1 to 1000"),
        ("/license", json!("MIT\u{202e}"), "license: write 1 to 1000"),
        ("/extra", json!(1), "extra: unknown field `extra`, expected one of `name`"),
        (
            "/compatibility/supported_platforms",
            json!([]),
            "compatibility.supported_platforms: is empty; name at least one",
        ),
        (
            "/compatibility/supported_platforms",
            json!(["beos"]),
            "compatibility.supported_platforms[0]: unknown variant `beos`, expected one of `linux`, `windows`, `macos`",
        ),
        ("/compatibility/supported_platforms", json!(["linux", "linux"]), "names a platform twice"),
        (
            "/compatibility/memory_requirements",
            json!("256"),
            "compatibility.memory_requirements: \"256\" is no size",
        ),
        ("/compatibility/memory_requirements", json!("-1MB"), "is no size"),
        ("/compatibility/memory_requirements", json!("+1MB"), "is no size"),
        ("/compatibility/memory_requirements", json!("99999999999999999999GB"), "is no size"),
        ("/compatibility/memory_requirements", json!("17179869185GB"), "is no size"),
        ("/compatibility/memory_requirements", json!("1KB"), "is no size"),
        (
            "/compatibility/memory_requirements",
            json!(256),
            "compatibility.memory_requirements: invalid type: integer `256`",
        ),
        (
            "/algorithm/output_size",
            json!(64),
            "algorithm.output_size: 64 bytes; the pool compares hashes of 32 bytes",
        ),
        ("/algorithm/output_size", json!(-1), "algorithm.output_size: invalid value"),
        (
            "/algorithm/difficulty_adjustment",
            json!("mine"),
            "algorithm.difficulty_adjustment: unknown variant `mine`",
        ),
        ("/algorithm/target_block_time", json!(0), "algorithm.target_block_time: 0 s; give 1 to 86400"),
        ("/algorithm/initial_difficulty", json!(0), "algorithm.initial_difficulty: 0 has no target"),
        ("/algorithm/initial_difficulty", json!(1.5), "algorithm.initial_difficulty: invalid type"),
        (
            "/performance/expected_hashrate",
            json!("0"),
            "performance.expected_hashrate: give a whole number of hashes per second",
        ),
        (
            "/performance/expected_hashrate",
            json!("1e6"),
            "performance.expected_hashrate: give a whole number",
        ),
        (
            "/performance/expected_hashrate",
            json!([]),
            "performance.expected_hashrate: a whole number of hashes",
        ),
        (
            "/performance/memory_usage",
            json!("huge"),
            "performance.memory_usage: unknown variant `huge`, expected one of `low`, `medium`, `high`",
        ),
        ("/performance/cpu_intensive", json!("no"), "performance.cpu_intensive: invalid type"),
        ("/migration/migration_strategy", json!("big bang"), "migration.migration_strategy: unknown variant"),
        ("/migration/from_algorithms", json!(["SHA"]), "migration.from_algorithms[0]: \"SHA\" is no name"),
        ("/migration/rolback", json!(true), "migration.rolback: unknown field"),
    ];
    for (pointer, value, expected) in cases {
        let error = parse(&with(pointer, value.clone())).expect_err(pointer);
        assert_eq!(error.code, Code::ManifestInvalid);
        assert!(error.message.starts_with("not understood: manifest.json: "), "{error}");
        assert!(error.message.contains(expected), "{pointer} = {value}: {error}");
    }
}

#[test]
fn what_is_no_manifest_at_all() {
    let error = |json: &[u8]| Manifest::parse(json).unwrap_err().message;
    assert!(error(b"").contains("EOF"));
    assert!(error(b"[]").contains("invalid"));
    assert!(error(b"\xff{}").contains("manifest.json"));
    assert!(error(&[example().to_string().as_bytes(), b"{}"].concat()).contains("trailing characters"));
    let twice = example().to_string().replacen('{', "{\"name\":\"a\",", 1);
    assert!(error(twice.as_bytes()).contains("duplicate field `name`"));
    assert!(error(&vec![b' '; MANIFEST_SIZE_MAX + 1]).contains("at most 65536"));
    // Deep nesting must not use up the stack.
    assert!(error("[".repeat(60_000).as_bytes()).contains("manifest.json"));
}
