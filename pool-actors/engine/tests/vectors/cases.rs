//! The reference vectors of `tests/vectors/`, by algorithm.

use plugin_sdk::conformance::Vector;
use serde_json::Value;
use std::collections::BTreeMap;

const POW: &str = include_str!("../../../../tests/vectors/pow_vectors.json");
const KHEAVYHASH: &str = include_str!("../../../../tests/vectors/kheavyhash_vectors.json");

fn parse(text: &str, list: &str) -> Vec<Value> {
    let mut file: Value = serde_json::from_str(text).unwrap();
    serde_json::from_value(file[list].take()).unwrap()
}

/// Algorithm name -> its vectors, from headers, messages and Kaspa's own list.
pub(crate) fn vectors() -> BTreeMap<String, Vec<Vector>> {
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
