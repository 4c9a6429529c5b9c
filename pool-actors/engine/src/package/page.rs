//! A page that runs a package's wasm against its vectors and its benchmark in a browser: one file, no network.

use super::{Package, WASM};
use crate::codes::PackageError;
use serde_json::{Value, json};

const TEMPLATE: &str = include_str!("page.html");

/// The page of a package. What comes from the package is data in it, never code of the page.
///
/// # Errors
/// What makes the package's manifest, vectors or benchmark data unreadable.
pub fn browser_page(package: &Package) -> Result<String, PackageError> {
    let manifest = package.manifest()?;
    let vectors: Vec<Value> = package
        .test_vectors()?
        .vectors
        .iter()
        .map(|vector| {
            json!({ "input": hex::encode(&vector.input), "hash": hex::encode(vector.hash),
                "nonce": vector.nonce.map(|nonce| nonce.to_string()), "comment": vector.comment })
        })
        .collect();
    let inputs: Vec<String> = package
        .benchmark_data()?
        .map(|data| data.inputs.iter().map(hex::encode).collect())
        .unwrap_or_default();
    let data = json!({
        "id": manifest.id(),
        "description": manifest.description,
        "digest": package.digest().to_string(),
        "expected": manifest.performance.expected_hashrate.per_second().to_string(),
        "vectors": vectors,
        "inputs": inputs,
        "wasm": hex::encode(package.required(WASM)?),
    });
    // In a script element only this character could end the element.
    let data = data.to_string().replace('<', "\\u003c");
    Ok(TEMPLATE.replacen("{{DATA}}", &data, 1))
}
