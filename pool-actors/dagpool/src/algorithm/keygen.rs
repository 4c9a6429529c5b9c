//! `dagpool algorithm keygen`.

use std::path::{Path, PathBuf};

use clap::Args;
use pool_engine::{
    codes::{Code, PackageError},
    signature::SecretKey,
    trust::{Permission, TrustStore, TrustedKey, trust_entry},
};
use serde_json::json;

use super::{Done, Output, files};

#[derive(Debug, Args)]
pub(crate) struct Keygen {
    /// Files are written to OUT.key (secret) and OUT.pub.
    #[arg(long, default_value = "author")]
    out: PathBuf,
    /// Name of the key's owner in the trust store entry that is printed.
    #[arg(long, default_value = "author")]
    name: String,
    /// Let the trust store entry permit native code too.
    #[arg(long)]
    native: bool,
    /// Append the entry to this trust store instead of printing it alone.
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn keygen(args: &Keygen) -> Done {
    let key = SecretKey::generate().map_err(|problem| PackageError::new(Code::KeyFileInvalid, problem))?;
    let public = key.public();
    let store = args.trust.as_deref().map(trust_store).transpose()?;
    let secret_file = with_suffix(&args.out, "key");
    let public_file = with_suffix(&args.out, "pub");
    files::write_secret(&secret_file, &key.to_file())?;
    files::write(&public_file, public.to_file().as_bytes())?;
    let permissions =
        if args.native { vec![Permission::Wasm, Permission::Native] } else { vec![Permission::Wasm] };
    let trusted = TrustedKey { name: args.name.clone(), key: public, permissions, revoked: None };
    let entry = trust_entry(&trusted);
    if let (Some(path), Some(before)) = (&args.trust, store) {
        let gap = if before.is_empty() { "" } else { "\n" };
        files::write(path, format!("{before}{gap}{entry}").as_bytes())?;
    }
    let text = format!(
        "key {}\n  secret  {} (keep it to yourself)\n  public  {}\n\nTrust store entry for operators:\n\n{entry}",
        public.id(),
        secret_file.display(),
        public_file.display()
    );
    let value = json!({ "key_id": public.id().to_string(), "public_key": public.to_hex(),
        "secret_file": secret_file, "public_file": public_file, "trust_entry": entry });
    Ok(Output::good(text, value))
}

/// What the trust store holds, whose folder is there afterwards. Looked at before a key is made, which would else be left
/// behind and stand in the way of the next try.
fn trust_store(path: &Path) -> Result<String, PackageError> {
    // What is there must be a trust store, and stays one.
    TrustStore::load(path)?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|error| {
            PackageError::new(Code::FileUnusable, format!("{} can't be made: {error}", folder.display()))
        })?;
    }
    match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        // It is written anew from this: what can't be read must not be taken for nothing.
        read => read.map_err(|error| {
            PackageError::new(Code::FileUnusable, format!("{} can't be read: {error}", path.display()))
        }),
    }
}

/// `a.b` becomes `a.b.key`: a dot in the name is no extension here.
fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}
