//! `dagpool algorithm inspect`: what is in a package, without running any of it here.

use std::{fmt::Write as _, path::PathBuf};

use clap::Args;
use pool_engine::{
    package::{Package, browser_page},
    signature::PackageSignature,
};
use serde_json::json;

use super::{Done, Output, files};

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The package.
    package: PathBuf,
    /// Write a page that runs the package's wasm against its vectors and its benchmark in a browser; it needs no network.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn inspect(args: &Inspect) -> Done {
    let package = files::open_package(&args.package)?;
    let manifest = package.manifest()?;
    let vectors = package.test_vectors()?.vectors.len();
    let signed_by = PackageSignature::of(&package).ok().map(|signature| signature.key.to_string());
    let entries: Vec<(&str, usize, String)> =
        package.entries().map(|(name, content)| (name, content.len(), sha256(content))).collect();
    let mut text = format!(
        "{} - {}\n  by {}, {}\n  function {}, {} test vectors\n  digest {}\n  signed by {}\n",
        manifest.id(),
        manifest.description,
        manifest.author,
        manifest.license,
        manifest.algorithm.hash_function,
        vectors,
        package.digest(),
        signed_by.as_deref().map_or_else(|| "nobody".to_owned(), |key| format!("key {key} (not verified)")),
    );
    for (name, size, hash) in &entries {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {size:9}  {hash}  {name}");
    }
    if let Some(path) = &args.html {
        files::write(path, browser_page(&package)?.as_bytes())?;
        let _ = writeln!(text, "page written to {}: open it in a browser", path.display());
    }
    let value = json!({
        "algorithm_id": manifest.id(), "manifest": manifest, "test_vectors": vectors,
        "digest": package.digest().to_string(), "signed_by": signed_by, "html": args.html,
        "entries": entries.iter().map(|(name, size, hash)| json!({"name": name, "size": size, "sha256": hash})).collect::<Vec<_>>(),
    });
    Ok(Output::good(text, value))
}

fn sha256(content: &[u8]) -> String {
    Package::content_hash(content)
}
