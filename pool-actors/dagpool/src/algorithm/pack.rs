//! `dagpool algorithm pack`: from a crate's folder to a package.

use std::path::{Path, PathBuf};

use clap::Args;
use pool_engine::{
    codes::{Code, PackageError},
    manifest::Platform,
    package::{BENCHMARK_DATA, MANIFEST, Package, TEST_VECTORS, WASM},
};
use serde_json::json;

use super::{Done, Output, build, files};

#[derive(Debug, Args)]
pub(crate) struct Pack {
    /// The algorithm's folder: Cargo.toml, manifest.json, tests/, docs/.
    #[arg(long, default_value = ".")]
    path: PathBuf,
    /// Build a native library for this platform too.
    #[arg(long)]
    native: bool,
    /// Features of the crate to build it with, besides "export".
    #[arg(long, value_delimiter = ',', value_name = "FEATURES")]
    features: Vec<String>,
    /// Take this module instead of building one.
    #[arg(long, value_name = "FILE")]
    wasm: Option<PathBuf>,
    /// Carry this native library (.so, .dll or .dylib); may be given once for each platform.
    #[arg(long, value_name = "FILE")]
    library: Vec<PathBuf>,
    /// Sign it with this secret key.
    #[arg(long)]
    key: Option<PathBuf>,
    /// Folder in which algorithm-package-NAME-vVERSION.zip is written.
    #[arg(long, default_value = ".")]
    out: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// Largest file of an author's that is read.
const FILE_SIZE_MAX: u64 = 64 << 20;
/// What is taken from the folder as it is; the last three may be missing.
const PLAIN: [&str; 5] = [MANIFEST, TEST_VECTORS, BENCHMARK_DATA, "docs/README.md", "docs/CHANGELOG.md"];

pub(super) fn pack(args: &Pack) -> Done {
    let key = args.key.as_deref().map(files::read_secret_key).transpose()?;
    let mut entries = Vec::new();
    for name in PLAIN {
        let path = args.path.join(name);
        if path.is_file() || matches!(name, MANIFEST | TEST_VECTORS) {
            entries.push((name, files::read(&path, FILE_SIZE_MAX)?));
        }
    }
    // What is wrong in the files is said before anything is built.
    let check = entries.iter().cloned().chain([(WASM, Vec::new())]);
    let manifest = Package::from_entries(check).and_then(|package| {
        package.test_vectors()?;
        package.benchmark_data()?;
        package.manifest()
    })?;
    let wasm = args.wasm.clone().map_or_else(|| build::wasm(&args.path, &args.features), Ok)?;
    entries.push((WASM, files::read(&wasm, FILE_SIZE_MAX)?));
    for path in &args.library {
        entries.push((library_entry(path)?, files::read(path, FILE_SIZE_MAX)?));
    }
    if args.native {
        let library = build::native(&args.path, &args.features)?;
        entries.push((library_entry(&library)?, files::read(&library, FILE_SIZE_MAX)?));
    }
    let mut package = Package::from_entries(entries)?;
    // Once more, now with the libraries.
    package.manifest()?;
    let digest = package.digest();
    let signed_by = key.as_ref().map(|key| key.public().id().to_string());
    if let Some(key) = &key {
        package = package.with_signature(&key.sign(&digest));
    }
    let file = args.out.join(manifest.file_name());
    std::fs::create_dir_all(&args.out).map_err(|error| {
        PackageError::new(Code::FileUnusable, format!("{} can't be made: {error}", args.out.display()))
    })?;
    let zip = package.to_zip()?;
    files::write(&file, &zip)?;
    let signed = signed_by.as_deref().map_or_else(
        || "not signed yet: dagpool algorithm sign".to_owned(),
        |key| format!("signed by key {key}"),
    );
    let names: Vec<&str> = package.entries().map(|(name, _)| name).collect();
    let text = format!(
        "{}: {}, {} bytes\n  {}\n  digest {digest}, {signed}",
        file.display(),
        manifest.id(),
        zip.len(),
        names.join(", ")
    );
    let value = json!({ "package": file, "algorithm_id": manifest.id(), "bytes": zip.len(), "entries": names,
        "digest": digest.to_string(), "signed_by": signed_by });
    Ok(Output::good(text, value))
}

/// The entry of a native library, by its file's suffix.
fn library_entry(path: &Path) -> Result<&'static str, PackageError> {
    let extension = path.extension().unwrap_or_default();
    let platform = match extension.to_str() {
        Some("so") => Platform::Linux,
        Some("dll") => Platform::Windows,
        Some("dylib") => Platform::Macos,
        _ => {
            let message =
                format!("{} is no native library: its name must end in .so, .dll or .dylib", path.display());
            return Err(PackageError::new(Code::PackageEntryName, message));
        }
    };
    Ok(platform.library())
}
