//! `dagpool algorithm new`: a crate that builds, tests and packs at once. It computes SHA-256 until the author writes his
//! own function, so that its vectors are known ones.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use pool_engine::{
    codes::{Code, PackageError},
    manifest::Identifier,
};
use serde_json::json;

use super::{Done, Output};

#[derive(Debug, Args)]
pub(crate) struct New {
    /// The algorithm's name: a-z, 0-9 and dashes.
    name: String,
    /// Folder to make; ./NAME without it.
    #[arg(long)]
    path: Option<PathBuf>,
    /// Folder of plugin-sdk; found by itself inside its own repository.
    #[arg(long, conflicts_with = "sdk_git")]
    sdk_path: Option<PathBuf>,
    /// Git address of the repository that holds plugin-sdk.
    #[arg(long)]
    sdk_git: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// File in the crate and its text, with NAME, TYPE and SDK to be filled in.
const FILES: [(&str, &str); 9] = [
    ("Cargo.toml", include_str!("scaffold/Cargo.toml.txt")),
    ("src/lib.rs", include_str!("scaffold/lib.rs.txt")),
    ("tests/conformance.rs", include_str!("scaffold/conformance.rs.txt")),
    ("tests/test_vectors.json", include_str!("scaffold/test_vectors.json")),
    ("tests/benchmark_data.json", include_str!("scaffold/benchmark_data.json")),
    ("manifest.json", include_str!("scaffold/manifest.json")),
    ("README.md", include_str!("scaffold/README.md")),
    ("docs/README.md", include_str!("scaffold/docs_README.md")),
    ("docs/CHANGELOG.md", include_str!("scaffold/docs_CHANGELOG.md")),
];

pub(super) fn new(args: &New) -> Done {
    let name = Identifier::try_from(args.name.clone())
        .map_err(|problem| PackageError::new(Code::ManifestInvalid, problem))?;
    let unwritable = |path: &Path, error: std::io::Error| {
        PackageError::new(Code::FileUnusable, format!("{} can't be made: {error}", path.display()))
    };
    if !name.as_str().starts_with(|c: char| c.is_ascii_lowercase()) {
        let message = format!("{name} begins with a digit, which a crate's name can't; begin with a letter");
        return Err(PackageError::new(Code::ManifestInvalid, message));
    }
    let sdk = sdk(args)?;
    let folder = args.path.clone().unwrap_or_else(|| PathBuf::from(name.as_str()));
    // Refuses a folder that is there: nothing of anybody's is written over.
    fs::create_dir(&folder).map_err(|error| unwritable(&folder, error))?;
    for (file, text) in FILES {
        let path = folder.join(file);
        let text = text
            .replace("{{NAME}}", name.as_str())
            .replace("{{TYPE}}", &type_name(name.as_str()))
            .replace("{{CRATE}}", &name.as_str().replace('-', "_"))
            .replace("{{SDK}}", &sdk);
        let parent = path.parent().unwrap_or(&folder);
        fs::create_dir_all(parent).map_err(|error| unwritable(parent, error))?;
        fs::write(&path, text).map_err(|error| unwritable(&path, error))?;
    }
    let text = format!(
        "{0} is ready. Next:\n  cd {0}\n  cargo test\n  dagpool algorithm pack\nThen write your function into src/lib.rs and its known answers into tests/test_vectors.json there.",
        folder.display()
    );
    Ok(Output::good(text, json!({ "name": name, "folder": folder, "files": FILES.map(|(file, _)| file) })))
}

/// The dependency on plugin-sdk, as Cargo.toml has it.
fn sdk(args: &New) -> Result<String, PackageError> {
    if let Some(git) = &args.sdk_git {
        return Ok(format!("git = {}", toml::Value::from(git.as_str())));
    }
    let here = std::env::current_dir().unwrap_or_default();
    let inside = || {
        here.ancestors()
            .map(|folder| folder.join("plugin-sdk"))
            .find(|folder| folder.join("Cargo.toml").is_file())
    };
    let path = args.sdk_path.clone().or_else(inside).ok_or_else(|| {
        let message =
            "where plugin-sdk is can't be guessed here; give --sdk-path FOLDER or --sdk-git ADDRESS";
        PackageError::new(Code::SdkNotFound, message)
    })?;
    let path =
        fs::canonicalize(&path).ok().filter(|path| path.join("Cargo.toml").is_file()).ok_or_else(|| {
            PackageError::new(
                Code::SdkNotFound,
                format!("{} is no folder of plugin-sdk: it has no Cargo.toml", path.display()),
            )
        })?;
    Ok(format!("path = {}", toml::Value::from(path.display().to_string())))
}

/// `my-hash` becomes `MyHash`.
fn type_name(name: &str) -> String {
    let capital = |part: &str| {
        let mut chars = part.chars();
        chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect::<String>()
    };
    name.split('-').map(capital).collect()
}
