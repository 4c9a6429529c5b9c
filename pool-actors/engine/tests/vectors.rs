//! Every linked-in algorithm against every reference vector of `tests/vectors/`.

use plugin_sdk::conformance::{Vector, assert_conforms};
use pool_engine::Registry;
use serde_json::Value;
use std::collections::BTreeMap;

const POW: &str = include_str!("../../../tests/vectors/pow_vectors.json");
const KHEAVYHASH: &str = include_str!("../../../tests/vectors/kheavyhash_vectors.json");

fn parse(text: &str, list: &str) -> Vec<Value> {
    let mut file: Value = serde_json::from_str(text).unwrap();
    serde_json::from_value(file[list].take()).unwrap()
}

/// Algorithm name -> its vectors, from headers, messages and Kaspa's own list.
fn vectors() -> BTreeMap<String, Vec<Vector>> {
    let mut vectors: BTreeMap<String, Vec<Vector>> = BTreeMap::new();
    for (list, key) in [("headers", "header"), ("messages", "utf8")] {
        for entry in parse(POW, list) {
            let entry = entry.as_object().unwrap();
            let input = entry[key].as_str().unwrap();
            let input = if key == "utf8" { hex::encode(input) } else { input.to_owned() };
            for (name, hash) in entry.iter().filter(|(name, _)| *name != key && *name != "comment") {
                vectors
                    .entry(name.clone())
                    .or_default()
                    .push(Vector::from_hex(&input, hash.as_str().unwrap()));
            }
        }
    }
    for entry in parse(KHEAVYHASH, "vectors") {
        let (time, nonce) = (entry["timestamp_ms"].as_u64().unwrap(), entry["nonce"].as_u64().unwrap());
        let zeros = "00".repeat(32);
        let (time, nonce) = (hex::encode(time.to_le_bytes()), hex::encode(nonce.to_le_bytes()));
        let input = format!("{}{time}{zeros}{nonce}", entry["pre_pow_hash"].as_str().unwrap());
        let vector = Vector::from_hex(&input, entry["hash"].as_str().unwrap());
        vectors.entry("kheavyhash".to_owned()).or_default().push(vector);
    }
    vectors
}

#[test]
fn all_algorithms_have_vectors_and_pass_them() {
    let (registry, vectors) = (Registry::linked_in(), vectors());
    assert!(registry.names().eq(vectors.keys().map(String::as_str)), "{:?}", vectors.keys());
    for (name, vectors) in &vectors {
        assert!(vectors.len() >= 4, "{name} has only {} vectors", vectors.len());
        assert_conforms(&*registry.find(name).unwrap(), vectors);
    }
}

#[test]
fn threads_do_not_disturb_each_other() {
    let registry = Registry::linked_in();
    let vectors = vectors();
    std::thread::scope(|scope| {
        for turn in 0..4 {
            let (registry, vectors) = (&registry, &vectors);
            scope.spawn(move || {
                for (name, vectors) in vectors {
                    let algorithm = registry.get(name).unwrap();
                    let mut order: Vec<_> = vectors.iter().collect();
                    order.rotate_left(turn % vectors.len());
                    for vector in order {
                        assert_eq!(algorithm.hash(&vector.input).as_ref(), Ok(&vector.hash), "{name}");
                    }
                }
            });
        }
    });
}
